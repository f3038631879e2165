"""Jaccard, rank similarity, their product, and mutual neighbours."""

import numpy as np
import pytest
from _reference import reference_cases
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import hypergeom

from sksim.neighbors import (
    JointRankJaccard,
    MutualKNN,
    NeighborJaccard,
    RankSimilarity,
)

MEASURES = [NeighborJaccard, RankSimilarity, JointRankJaccard, MutualKNN]
REFERENCE = {
    "neighbor_jaccard_k5_cosine": NeighborJaccard(5),
    "neighbor_jaccard_k10_euclidean": NeighborJaccard(10, metric="euclidean"),
    "rank_similarity_k5_cosine": RankSimilarity(5),
    "joint_rank_jaccard_k5_cosine": JointRankJaccard(5),
}


@pytest.mark.parametrize(
    "key, name, direction, X, y, value",
    [(key, *case) for key in REFERENCE for case in reference_cases(key)],
    ids=lambda argument: argument if isinstance(argument, str) else "",
)
def test_values_of_original_implementations(key, name, direction, X, y, value):
    measure = REFERENCE[key].fit(X, y)
    n_tied = sum(measure.n_tied_)
    assert (n_tied == 0) == (name != "iris")
    # the originals take tied neighbours by their index, and here they share a place:
    # a fifth shared neighbour makes a Jaccard index of 4 / 6 one of 1
    assert_allclose(measure.statistic_, value, rtol=1e-12, atol=n_tied / 3 / len(X))


def on_a_line(*places):
    return np.array(places, dtype=float)[:, None]


def test_by_hand():
    """Five points on a line; in y the last two have changed places."""
    X, y = on_a_line(0, 1, 2.1, 3.3, 4.6), on_a_line(0, 1, 2.1, 4.6, 3.3)
    # neighbours in X: 12, 02, 13, 24, 32; in y: 12, 02, 14, 42, 23
    options = {"n_neighbors": 2, "metric": "euclidean"}
    jaccard = NeighborJaccard(**options).fit(X, y)
    assert_allclose(jaccard.row_values_, [1, 1, 1 / 3, 1, 1])
    mutual = MutualKNN(**options).fit(X, y)
    assert_allclose(mutual.row_values_, [1, 1, 1 / 2, 1, 1])
    # rows 3 and 4: their two neighbours have changed ranks, so that both add
    # 2 / ((1 + 1) (1 + 2)), of at most 1 + 1 / 2
    rank = RankSimilarity(**options).fit(X, y)
    assert_allclose(rank.row_values_, [1, 1, 1, 4 / 9, 4 / 9])
    joint = JointRankJaccard(**options).fit(X, y)
    assert_allclose(joint.row_values_, jaccard.row_values_ * rank.row_values_)
    for measure in (jaccard, mutual, rank, joint):
        assert_allclose(measure.statistic_, measure.row_values_.mean())
        assert measure.algorithm_ == "exact"


def test_rows_that_share_nothing_count_zero():
    """In y the points have been dealt out to the other end."""
    X = on_a_line(0, 1, 10, 11, 20, 21, 30, 31)
    y = X[[0, 2, 1, 4, 3, 6, 5, 7]]
    for cls in MEASURES:
        assert cls(n_neighbors=1, metric="euclidean").fit(X, y).score_ == 0


def reference_row_values(X, y, k):
    """Jaccard index and rank similarity of each row, by loops over sets."""
    lists = []
    for Z in (X, y):
        distances = np.linalg.norm(Z[:, None] - Z[None], axis=2)
        np.fill_diagonal(distances, np.inf)
        lists.append(np.argsort(distances, axis=1)[:, :k].tolist())
    jaccard, rank = [], []
    for a, b in zip(*lists, strict=True):
        shared = set(a) & set(b)
        jaccard.append(len(shared) / len(set(a) | set(b)))
        terms = [
            2 / ((1 + abs(a.index(j) - b.index(j))) * (a.index(j) + b.index(j) + 2))
            for j in shared
        ]
        most = sum(1 / q for q in range(1, len(shared) + 1))
        rank.append(sum(terms) / most if shared else 0)
    return np.array(jaccard), np.array(rank)


@pytest.mark.parametrize("k", [1, 3, 12, 40])
def test_definition_by_loops(k):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X[:, :3] + 0.5 * rng.normal(size=(60, 3))
    jaccard, rank = reference_row_values(X, y, k)
    options = {"n_neighbors": k, "metric": "euclidean"}
    for cls, expected in (
        (NeighborJaccard, jaccard),
        (RankSimilarity, rank),
        (JointRankJaccard, jaccard * rank),
        (MutualKNN, 2 * jaccard / (1 + jaccard)),
    ):
        assert_allclose(cls(**options).fit(X, y).row_values_, expected)


@pytest.mark.parametrize("cls", MEASURES)
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_equal_views(cls, metric):
    X = np.random.default_rng(1).normal(size=(40, 5))
    measure = cls(metric=metric).fit(X, X)
    assert measure.score_ == 1
    assert_allclose(measure.row_values_, 1)


def test_all_other_rows_as_neighbours():
    """With n - 1 neighbours the sets agree, whatever the data; the ranks don't."""
    X, y = np.random.default_rng(2).normal(size=(2, 15, 3))
    assert NeighborJaccard(14).fit(X, y).score_ == 1
    assert MutualKNN(14).fit(X, y).score_ == 1
    assert RankSimilarity(14).fit(X, y).score_ < 0.9
    with pytest.raises(ValueError, match="n_neighbors=15 needs at least 16 rows.*X"):
        NeighborJaccard(15).fit(X, y)


@pytest.mark.parametrize("cls", MEASURES)
def test_all_neighbours_tied(cls):
    """Rows at equal distances: ties are in index order, so equal views agree."""
    measure = cls(n_neighbors=3).fit(np.eye(10), 5 * np.eye(10))
    assert measure.score_ == 1
    assert measure.n_tied_ == (10, 10)


@pytest.mark.parametrize("cls", MEASURES)
def test_duplicate_rows(cls):
    """A row's copies are its neighbours, the row itself never is."""
    X = np.repeat(np.random.default_rng(3).normal(size=(8, 3)), 4, axis=0)
    measure = cls(n_neighbors=3, metric="euclidean").fit(X, 2 * X + 1)
    assert measure.score_ == 1
    assert measure.n_tied_ == (0, 0)


def test_rows_of_zeros_and_constant_representations():
    X = np.random.default_rng(4).normal(size=(30, 3))
    with_zero = X.copy()
    with_zero[3] = 0
    with pytest.raises(ValueError, match="Row 3 of y is zero.*metric='euclidean'"):
        NeighborJaccard().fit(X, with_zero)
    NeighborJaccard(metric="euclidean").fit(X, with_zero)
    with pytest.raises(ValueError, match="X is constant"):
        NeighborJaccard().fit(np.ones((30, 3)), X)


def null_mean(n_samples, k):
    """Mean of the Jaccard index of two random k-subsets of the n - 1 other rows."""
    shared = np.arange(k + 1)
    p = hypergeom(n_samples - 1, k, k).pmf(shared)
    return np.sum(p * shared / (2 * k - shared))


@pytest.mark.parametrize("cls", MEASURES)
def test_permutation_is_recomputation(cls):
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(2, 50, 4))
    comparison = cls(n_neighbors=4)._open(X, y)
    prepared = comparison.for_permutations()
    assert prepared.view_x.table is not None
    for _ in range(5):
        order = rng.permutation(50)
        expected = cls(n_neighbors=4).fit(X, y[order]).statistic_
        for pair in (comparison, prepared):
            assert_allclose(pair.permuted([order]), [expected], rtol=1e-13)


def test_mean_over_permutations_is_hypergeometric():
    rng = np.random.default_rng(6)
    n, k, n_permutations = 60, 5, 4000
    X = rng.normal(size=(n, 3))
    # related data: its neighbours have nothing to do with the permutations' mean
    y = X + 0.1 * rng.normal(size=(n, 3))
    for cls, expected in (
        (NeighborJaccard, null_mean(n, k)),
        (MutualKNN, k / (n - 1)),
    ):
        comparison = cls(n_neighbors=k)._open(X, y)
        assert_allclose(comparison.null_mean(), expected, rtol=1e-12)
        orders = [rng.permutation(n) for _ in range(n_permutations)]
        values = comparison.for_permutations().permuted(orders)
        error = np.std(values) / n_permutations**0.5
        assert abs(np.mean(values) - expected) < 4 * error


def test_hypergeometric_mean_by_hand():
    """Of 3 other rows, 1 is a neighbour in each view: the same one third of times."""
    assert_allclose(null_mean(4, 1), 1 / 3)
    X = np.random.default_rng(7).normal(size=(4, 2))
    assert_allclose(NeighborJaccard(1)._open(X, X).null_mean(), 1 / 3)


def test_single_precision_keeps_the_neighbours():
    X, y = np.random.default_rng(8).normal(size=(2, 200, 20)).astype(np.float32)
    single, double = (
        NeighborJaccard().fit(*(a.astype(dtype) for a in (X, y)))
        for dtype in (np.float32, np.float64)
    )
    assert single.statistic_ == double.statistic_
    assert_array_equal(single.row_values_, double.row_values_)


@pytest.mark.parametrize("cls", MEASURES)
@pytest.mark.parametrize(
    "params", [{"n_neighbors": 0}, {"metric": "manhattan"}, {"algorithm": "tree"}]
)
def test_parameters_are_checked(cls, params):
    X = np.random.default_rng(9).normal(size=(30, 3))
    with pytest.raises(ValueError, match=next(iter(params))):
        cls(**params).fit(X, X)
