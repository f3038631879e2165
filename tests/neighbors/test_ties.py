"""Equally near neighbours share places: no number of a row decides anything."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist, squareform

from sksim.arrays import _shared_places
from sksim.arrays._neighbors import nearest_neighbors
from sksim.inference import CalibratedSimilarity, similarity_test
from sksim.neighbors import (
    CKNNA,
    GraphBasedSimilarity,
    JointRankJaccard,
    MutualKNN,
    NeighborJaccard,
    RankSimilarity,
    SecondOrderCosine,
)

METRICS = ("euclidean", "cosine")
OVERLAPS = (MutualKNN, NeighborJaccard, RankSimilarity, JointRankJaccard)
MEASURES = [
    *(cls(5, metric=metric) for cls in (*OVERLAPS, CKNNA) for metric in METRICS),
    SecondOrderCosine(5),
    GraphBasedSimilarity(5),
]


def few_distinct(rng, n, n_distinct=5):
    """Rows of which each occurs several times."""
    return rng.normal(size=(n_distinct, 4))[rng.integers(n_distinct, size=n)]


def silent(rng, n):
    """Half of the rows are equal, as of units that are off."""
    rows = np.abs(rng.normal(size=(n, 4))) + 0.1
    rows[rng.random(n) < 0.5] = 0.1
    return rows


KINDS = {
    "few distinct": few_distinct,
    "half equal": silent,
    "one-hot": lambda rng, n: np.eye(4)[rng.integers(4, size=n)],
    "rounded": lambda rng, n: np.round(rng.normal(size=(n, 3))) + 4,
}


def pair(kind, seed=0, n=40):
    rng = np.random.default_rng(seed)
    return KINDS[kind](rng, n), KINDS[kind](rng, n)


def test_shares_by_hand():
    """Row 0 has neighbours at 1, 2, 2, 2 in X, and at 1, 1, 3, 3 in y."""
    X = np.array([[0.0], [1.0], [2.0], [-2.0], [2.0]])
    y = np.array([[0.0], [1.0], [-1.0], [3.0], [3.0]])
    options = {"n_neighbors": 2, "metric": "euclidean"}
    # X: row 1 and thirds of rows 2, 3, 4; y: rows 1 and 2; shared 1 + 1 / 3
    mutual = MutualKNN(**options).fit(X, y)
    assert_allclose(mutual.row_values_[0], (1 + 1 / 3) / 2)
    jaccard = NeighborJaccard(**options).fit(X, y)
    assert_allclose(jaccard.row_values_[0], (4 / 3) / (8 / 3))
    # ranks of X: 1 and 2; of y: 4 / 3 for both, of which 1 / rank adds up to 1 + 1 / 2
    agreement = 2 / ((1 + 1 / 3) * (7 / 3)) + 2 / ((1 + 2 / 3) * (10 / 3)) / 3
    rank = RankSimilarity(**options).fit(X, y)
    assert_allclose(rank.row_values_[0], agreement / (1 + 1 / 3 / 2))
    joint = JointRankJaccard(**options).fit(X, y)
    assert_allclose(joint.row_values_, jaccard.row_values_ * rank.row_values_)
    # row 1 of X: rows 0, 2 and 4 at 1; of y: row 0 at 1 and a third each at 2
    assert_allclose(mutual.row_values_[1], (2 / 3 + 1 / 3 + 1 / 3) / 2)
    assert mutual.n_tied_ == (2, 1)


def test_kernel_and_cosines_by_definition():
    X, y = pair("few distinct", n=14)
    shares = [dense_shares(Z, 5, "euclidean") for Z in (X, y)]
    centred = [Z - Z.mean(axis=0) for Z in (X, y)]
    kernels = [Z @ Z.T for Z in centred]
    norms = [np.sum(w * K**2) for w, K in zip(shares, kernels, strict=True)]
    expected = np.sum(np.minimum(*shares) * kernels[0] * kernels[1])
    measure = CKNNA(5, metric="euclidean").fit(X, y)
    assert_allclose(measure.statistic_, expected / np.sqrt(np.prod(norms)))
    shares = [dense_shares(Z, 5, "cosine") for Z in (X, y)]
    unit = [Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (X, y)]
    cosines = [U @ U.T for U in unit]
    union = np.maximum(*shares)
    sums = [np.sum(union * a * b, axis=1) for a in cosines for b in cosines]
    measure = SecondOrderCosine(5).fit(X, y)
    assert_allclose(measure.row_values_, sums[1] / np.sqrt(sums[0] * sums[3]))
    graphs = [w * c for w, c in zip(shares, cosines, strict=True)]
    graphs = [(W + W.T) / 2 for W in graphs]
    sums = [np.sum(a * b, axis=1) for a in graphs for b in graphs]
    measure = GraphBasedSimilarity(5).fit(X, y)
    assert_allclose(measure.row_values_, sums[1] / np.sqrt(sums[0] * sums[3]))


def dense_shares(X, k, metric):
    """Share of a place that each row has in the list of each other, by definition."""
    distances = np.round(squareform(pdist(X, metric)), 9)
    shares = np.zeros_like(distances)
    for i, own in enumerate(distances):
        others = np.delete(np.arange(len(X)), i)
        limit = np.sort(own[others])[k - 1]
        nearer = others[own[others] < limit]
        tied = others[own[others] == limit]
        shares[i, nearer] = 1
        shares[i, tied] = (k - len(nearer)) / len(tied)
    return shares


@pytest.mark.parametrize("kind", KINDS)
def test_overlap_by_definition(kind):
    X, y = pair(kind)
    shared = np.minimum(*(dense_shares(Z, 5, "euclidean") for Z in (X, y))).sum(axis=1)
    assert_allclose(MutualKNN(5, metric="euclidean").fit(X, y).row_values_, shared / 5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_the_order_of_rows_does_not_matter(measure, kind):
    X, y = pair(kind)
    value = measure.fit(X, y).statistic_
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(X))
        assert_allclose(measure.fit(X[order], y[order]).statistic_, value, rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_a_view_with_ties_is_like_itself(measure, kind):
    X, y = pair(kind)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=2 * X.shape[1:]))[0]
    for other in (X, 3 * X @ rotation):
        assert_allclose(measure.fit(X, other).statistic_, 1, rtol=1e-9)
    assert measure.fit(X, y).statistic_ < 0.999


@pytest.mark.parametrize("size", [2**26, 0], ids=["table", "sorted"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_permutations_equal_refits(measure, kind, size, monkeypatch):
    monkeypatch.setattr(_shared_places, "_TABLE_ELEMENTS", size)
    X, y = pair(kind)
    prepared = measure._open(X, y).for_permutations()
    orders = [np.random.default_rng(seed).permutation(len(X)) for seed in range(4)]
    values = prepared.permuted(orders)
    expected = [measure.fit(X, y[order]).statistic_ for order in orders]
    assert_allclose(values, expected, rtol=1e-9)
    # and with ties on one side only
    y = np.random.default_rng(1).normal(size=y.shape)
    for one, other in ((X, y), (y, X)):
        values = measure._open(one, other).for_permutations().permuted(orders)
        expected = [measure.fit(one, other[order]).statistic_ for order in orders]
        assert_allclose(values, expected, rtol=1e-9)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("cls", [MutualKNN, NeighborJaccard])
def test_exact_mean_over_all_orders(cls, k):
    X = np.array([[0.0], [0], [0], [1], [1], [2], [3]])
    y = np.array([[0.0], [0], [1], [1], [1], [1], [5]])
    measure = cls(k, metric="euclidean")
    result = similarity_test(measure, X, y, method="exact")
    closed = measure._open(X, y).null_mean()
    assert closed == pytest.approx(result.null_mean, rel=1e-11)


def test_an_exact_mean_of_too_many_terms_is_left_to_permutations(monkeypatch):
    X, y = pair("few distinct")
    closed = CalibratedSimilarity(NeighborJaccard(5, metric="euclidean")).fit(X, y)
    monkeypatch.setattr(_shared_places, "_MOST_TERMS", 10)
    assert NeighborJaccard(5, metric="euclidean")._open(X, y).null_mean() is None
    drawn = CalibratedSimilarity(
        NeighborJaccard(5, metric="euclidean"), n_permutations=400, random_state=0
    ).fit(X, y)
    assert_allclose(closed.null_mean_, drawn.null_mean_, rtol=0.02)


def test_without_ties_no_shares_are_kept():
    X = np.random.default_rng(0).normal(size=(50, 3))
    for ordered in (True, False):
        found = nearest_neighbors(X, 5, metric="euclidean", xp=np, ordered=ordered)
        assert found.shared is None
    # one tie within the list counts where the order does
    line = np.array([[0.0], [1], [-1], [4], [9], [18]])
    sets, lists = (
        nearest_neighbors(line, 2, metric="euclidean", xp=np, ordered=ordered).shared
        for ordered in (False, True)
    )
    assert sets is None
    assert_allclose(lists.ranks[:2], 4 / 3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("measure", MEASURES[:-1], ids=repr)
def test_ties_on_torch(measure, kind):
    torch = pytest.importorskip("torch")
    from sklearn import config_context

    X, y = pair(kind)
    value = measure.fit(X, y).statistic_
    with config_context(array_api_dispatch=True):
        tensors = (torch.asarray(Z) for Z in (X, y))
        assert_allclose(float(measure.fit(*tensors).statistic_), value, rtol=1e-10)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("cls", [*OVERLAPS, CKNNA])
def test_ties_of_given_distances(cls, metric):
    X, y = pair("rounded")
    given = [np.round(squareform(pdist(Z)), 12) for Z in (X, y)]
    expected = cls(5, metric="euclidean").fit(X, y).statistic_
    measure = cls(5, metric="precomputed").fit(*given)
    assert_allclose(measure.statistic_, expected, rtol=1e-9)
    orders = [np.random.default_rng(0).permutation(len(X))]
    moved = given[1][np.ix_(orders[0], orders[0])]
    permuted = measure._open(*given).for_permutations().permuted(orders)
    assert_allclose(permuted, measure.fit(given[0], moved).statistic_, rtol=1e-9)


def test_ties_of_given_cosine_distances():
    X, y = pair("rounded")
    given = [np.round(squareform(pdist(Z, "cosine")), 12) for Z in (X, y)]
    for cls in (SecondOrderCosine, GraphBasedSimilarity):
        expected = cls(5).fit(X, y).statistic_
        measure = cls(5, metric="precomputed").fit(*given)
        assert_allclose(measure.statistic_, expected, rtol=1e-9)
