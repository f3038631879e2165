"""Cycles, sequences and manifold kernels of neighbours."""

from itertools import combinations, permutations

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose, assert_array_equal

from sksim.neighbors import (
    CycleKNN,
    ManifoldKernelAlignment,
    SharedNeighborSequence,
)
from sksim.neighbors._manifold import _widths
from sksim.neighbors._sequence import _edits, _longest_increasing

MEASURES = [
    CycleKNN(3),
    SharedNeighborSequence(4),
    SharedNeighborSequence(4, kind="edit"),
    ManifoldKernelAlignment(4),
]
TIED = {"binary_ties", "exact_ties_one_hot"}


def by_name(measure):
    kind = getattr(measure, "kind", "")
    return type(measure).__name__ + kind


@pytest.mark.parametrize("case, arrays, values", list(newer_cases("knn_family")))
def test_values_of_the_original(case, arrays, values):
    X, y, k = arrays["X"], arrays["Y"], values["k"]
    for ties in ("index", "share"):
        if ties == "share" and case in TIED:
            continue
        found = [
            CycleKNN(k, ties=ties).fit(X, y),
            CycleKNN(k, ties=ties).fit(y, X),
            SharedNeighborSequence(k, ties=ties).fit(X, y),
            SharedNeighborSequence(k, kind="edit", ties=ties).fit(X, y),
        ]
        names = ("cycle_knn", "cycle_knn_swapped", "lcs_knn", "edit_knn")
        for measure, name in zip(found, names, strict=True):
            assert_allclose(measure.statistic_, values[name], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("case, arrays, values", list(newer_cases("mka")))
def test_values_of_manifold_kernel_alignment(case, arrays, values):
    X, y = arrays["X"], arrays["Y"]
    measure = ManifoldKernelAlignment(values["n_neighbors"], ties="index").fit(X, y)
    assert_allclose(measure.statistic_, values["row_centred"], rtol=1e-9)
    if case not in ("binary_ties", "duplicate_rows"):
        shared = ManifoldKernelAlignment(values["n_neighbors"]).fit(X, y)
        assert_allclose(shared.statistic_, measure.statistic_, rtol=1e-12)


def test_a_cycle_by_hand():
    """Four places on a line; in y the first is far off, and the last is second."""
    X, y = np.array([[0.0], [1], [2.1], [3.3]]), np.array([[9.0], [1], [2.1], [1.4]])
    # nearest in X: 0 to 1, 1 to 0, 2 to 1, 3 to 2; in y: 0 to 2, 1 to 3, 2 to 3, 3 to 1
    # back by X: 0 2 1 no, 1 3 2 no, 2 3 2 yes, 3 1 0 no
    measure = CycleKNN(1, metric="euclidean").fit(X, y)
    assert_array_equal(measure.row_values_, [0, 0, 1, 0])
    # and by y after X: 0 1 3 no, 1 0 2 no, 2 1 3 no, 3 2 3 yes
    assert_array_equal(
        CycleKNN(1, metric="euclidean").fit(y, X).row_values_, [0, 0, 0, 1]
    )


@pytest.mark.parametrize("k", [1, 2, 5])
def test_sequences_by_all_subsequences(k):
    rng = np.random.default_rng(k)
    ranks = np.stack([rng.permutation(2 * k)[:k] + 1 for _ in range(50)])
    ranks[ranks > k] = 0
    lists = [tuple(range(1, k + 1))] * 50, [tuple(row) for row in ranks.tolist()]

    def subsequences(sequence):
        return {s for m in range(k + 1) for s in combinations(sequence, m)}

    common = [
        max(len(s) for s in subsequences(a) & subsequences(b))
        for a, b in zip(*lists, strict=True)
    ]
    assert_array_equal(_longest_increasing(ranks), common)

    def edits(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(
            edits(a[1:], b) + 1,
            edits(a, b[1:]) + 1,
            edits(a[1:], b[1:]) + (a[0] != b[0]),
        )

    assert_array_equal(
        _edits(ranks), [edits(a, b) for a, b in zip(*lists, strict=True)]
    )


def test_a_shift_costs_two_edits_and_one_of_a_subsequence():
    X = np.array([[0.0], [1], [2], [3], [4], [5]])
    y = np.array([[0.0], [4.5], [2], [3], [4], [5]])
    # of row 0: 1 2 3 4 5 and 2 3 4 1 5
    options = {"metric": "euclidean"}
    lcs = SharedNeighborSequence(5, **options).fit(X, y)
    edit = SharedNeighborSequence(5, kind="edit", **options).fit(X, y)
    assert_allclose([lcs.row_values_[0], edit.row_values_[0]], [4 / 5, 3 / 5])


@pytest.mark.parametrize("measure", MEASURES, ids=by_name)
def test_numbers_of_rows_do_not_count_under_ties(measure):
    """The same in any order of the rows, as in a test's null distribution."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(3, size=(2, 40, 3)) + 1.0
    value = measure.fit(X, y).statistic_
    assert measure.n_tied_ > (5, 5)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(40)
        assert_allclose(measure.fit(X[order], y[order]).statistic_, value, rtol=1e-12)
    if not isinstance(measure, CycleKNN):
        assert_allclose(measure.fit(X, X).statistic_, 1, rtol=1e-12)


def test_unrelated_views_with_equal_rows_are_not_similar_by_their_numbers():
    """By index, neighbours among equal rows are the same in both views."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(3, size=(2, 60, 1)) + 1.0
    orders = [rng.permutation(60) for _ in range(50)]
    for kind in (SharedNeighborSequence, ManifoldKernelAlignment):
        above = {}
        for ties in ("index", "share"):
            opened = kind(5, metric="euclidean", ties=ties)._open(X, y)
            null = opened.permuted(orders)
            above[ties] = (opened.statistic() - np.mean(null)) / np.std(null)
        assert above["index"] > 4
        assert abs(above["share"]) < 2


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_mean_over_all_orders(k):
    X, y = np.random.default_rng(0).normal(size=(2, 6, 2))
    orders = [np.array(order) for order in permutations(range(6))]
    for measure in (CycleKNN(k), ManifoldKernelAlignment(k)):
        opened = measure._open(X, y)
        mean = np.mean(opened.permuted(orders))
        assert_allclose(opened.null_mean(), mean, rtol=1e-12)


def test_mean_over_all_orders_under_ties():
    X, y = np.random.default_rng(0).integers(1, 4, size=(2, 5, 2)).astype(float)
    every = [np.array(order) for order in permutations(range(5))]
    opened = ManifoldKernelAlignment(3)._open(X, y)
    assert_allclose(opened.null_mean(), np.mean(opened.permuted(every)), rtol=1e-12)
    assert CycleKNN(2)._open(X, y).null_mean() is None


def test_widths():
    distances = np.sort(np.random.default_rng(0).uniform(1, 2, size=(20, 6)), axis=1)
    distances[0, :2] = distances[0, 0]
    distances[1, :3] = distances[1, 0]
    distances[2] = 7.0
    nearest, widths = _widths(distances)
    weights = np.exp(-(distances - nearest[:, None]) / widths[:, None])
    assert_allclose(weights.sum(axis=1)[3:], np.log2(6), rtol=1e-12)
    assert_allclose(weights.sum(axis=1)[0], np.log2(6), rtol=1e-12)
    assert_array_equal(widths[1:3], 1)  # three ties are more than log2(6)
    scaled = _widths(1e6 * distances[3:])[1]
    assert_allclose(scaled, 1e6 * widths[3:], rtol=1e-9)
