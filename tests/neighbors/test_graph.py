"""Graph-based similarity and its motifs."""

from itertools import combinations

import numpy as np
import pytest
from _reference import reference_arrays, reference_values
from numpy.testing import assert_allclose, assert_array_equal

from sksim.neighbors import GraphBasedSimilarity
from sksim.neighbors import _graph as module

PAIRS = sorted(reference_values("graphs"))


def reference_pair(name):
    arrays = reference_arrays("graphs")
    values = reference_values("graphs")[name]
    return arrays[f"{name}__x"], arrays[f"{name}__y"], arrays["labels"], values


@pytest.mark.parametrize("name", PAIRS)
def test_values_of_the_original_implementation(name):
    X, y, labels, values = reference_pair(name)
    full = GraphBasedSimilarity().fit(X, y)
    assert_allclose(full.statistic_, values["LSim_full"], rtol=1e-12)
    for k in (5, 20):
        nearest = GraphBasedSimilarity(k).fit(X, y, y_true=labels)
        expected = values[f"LSim_top{k}_symmetrised"]
        assert_allclose(nearest.statistic_, expected, rtol=1e-12)
        for counts, side in zip(nearest.motif_counts_, "xy", strict=True):
            assert_array_equal(counts, values[f"motif_top{k}_{side}"])


def weights_of(X, k=None):
    """The graph's matrix of weights, as it is defined."""
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    weights = unit @ unit.T
    np.fill_diagonal(weights, 0)
    if k is None:
        return weights
    hollow = weights - 9 * np.eye(len(X))
    chosen = np.argsort(-hollow, axis=1)[:, :k]
    kept = np.zeros_like(weights)
    np.put_along_axis(kept, chosen, np.take_along_axis(weights, chosen, 1), 1)
    return (kept + kept.T) / 2


@pytest.mark.parametrize("k", [None, 1, 4, 29])
@pytest.mark.parametrize("widths", [(3, 5), (60, 4), (50, 70)])
def test_definition_by_matrices(k, widths):
    rng = np.random.default_rng(0)
    X, y = (rng.normal(size=(30, width)) for width in widths)
    graphs = [weights_of(Z, k) for Z in (X, y)]
    expected = np.sum(graphs[0] * graphs[1], axis=1)
    expected /= np.linalg.norm(graphs[0], axis=1) * np.linalg.norm(graphs[1], axis=1)
    measure = GraphBasedSimilarity(k).fit(X, y)
    assert_allclose(measure.row_values_, expected, rtol=1e-10, atol=1e-13)
    assert_allclose(measure.statistic_, expected.mean(), rtol=1e-10)


def test_by_hand():
    """Right angles and opposites: weights 0, 1 and -1."""
    X = [[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]]
    y = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]
    half = 0.5**0.5
    # in X row 0 has the weights (0, half), in y (-1, 0), and so on
    with pytest.raises(ValueError, match="Row 2 of y is orthogonal"):
        GraphBasedSimilarity().fit(X, y)
    y[2] = [1.0, 1.0]
    measure = GraphBasedSimilarity().fit(X, y)
    norm = np.hypot(1, half)
    assert_allclose(
        measure.row_values_,
        [half / norm, -half / norm, 0],
        atol=1e-12,
    )


def transformed(X):
    rng = np.random.default_rng(1)
    rotation = np.linalg.qr(rng.normal(size=(X.shape[1], X.shape[1])))[0]
    return {
        "orthogonal map": X @ rotation,
        "isotropic scaling": 7.3 * X,
        "factor of each row": X * rng.uniform(0.1, 10, size=(len(X), 1)),
    }


@pytest.mark.parametrize("k", [None, 5])
def test_invariances(k):
    X, y = np.random.default_rng(2).normal(size=(2, 60, 6))
    measure = GraphBasedSimilarity(k)
    value = measure.fit(X, y).statistic_
    for name, other in transformed(X).items():
        assert_allclose(measure.fit(other, y).statistic_, value, err_msg=name)
        assert_allclose(measure.fit(other, X).statistic_, 1, err_msg=name)
    assert abs(measure.fit(X + 1, y).statistic_ - value) > 1e-3


@pytest.mark.parametrize("n_labels", [1, 3, 12])
def test_motifs_by_enumeration(n_labels):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(25, 3))
    labels = rng.integers(0, n_labels, size=25)
    is_edge = weights_of(X, 5) != 0
    counts = [0, 0, 0]
    for corners in combinations(range(25), 3):
        if all(is_edge[pair] for pair in combinations(corners, 2)):
            counts[len(set(labels[list(corners)])) - 1] += 1
    names = np.array([f"class {label}" for label in labels])
    for y_true in (labels, names, labels * 10 - 3):
        measure = GraphBasedSimilarity(5).fit(X, X, y_true=y_true)
        assert_array_equal(measure.motif_counts_[0], counts)
        share = counts[0] / sum(counts)
        assert_allclose(measure.same_label_share_, (share, share))


def test_motifs_only_where_they_say_something():
    X = np.random.default_rng(4).normal(size=(20, 3))
    labels = np.arange(20) % 2
    assert not hasattr(GraphBasedSimilarity().fit(X, X, labels), "motif_counts_")
    assert not hasattr(GraphBasedSimilarity(3).fit(X, X), "motif_counts_")
    # one edge for each row: no triangle, and no share of any
    line = np.exp(1j * np.cumsum(1.1 ** np.arange(8)) / 20)
    measure = GraphBasedSimilarity(1).fit(
        np.c_[line.real, line.imag], X[:8], labels[:8]
    )
    assert measure.same_label_share_[0] == 0
    with pytest.raises(ValueError, match="y_true has 19 labels for 20 rows"):
        GraphBasedSimilarity(3).fit(X, X, labels[:-1])


@pytest.mark.parametrize("k", [None, 4])
@pytest.mark.parametrize("width", [3, 40])
def test_permutation_is_recomputation(k, width):
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(2, 50, width))
    measure = GraphBasedSimilarity(k)
    prepared = measure._open(X, y).for_permutations()
    assert isinstance(prepared, module.PickedGraphs) == (k is None and width == 40)
    for _ in range(3):
        order = rng.permutation(50)
        expected = measure.fit(X, y[order]).statistic_
        assert_allclose(prepared.permuted([order]), [expected], rtol=1e-11)


def test_rows_without_edges_or_direction():
    with pytest.raises(ValueError, match="Row 0 of X is orthogonal"):
        GraphBasedSimilarity().fit(np.eye(5), np.eye(5))
    with pytest.raises(ValueError, match="Row 0 of X is orthogonal"):
        GraphBasedSimilarity(2).fit(np.eye(5), np.eye(5))
    X = np.random.default_rng(6).normal(size=(9, 2))
    X[1] = 0
    with pytest.raises(ValueError, match="Row 1 of y is zero"):
        GraphBasedSimilarity().fit(X[::-1][:7], X[:7])
    with pytest.raises(ValueError, match="needs at least 10 rows"):
        GraphBasedSimilarity(9).fit(X, X)
    assert GraphBasedSimilarity().fit(np.ones((5, 2)), np.ones((5, 3))).score_ == 1
