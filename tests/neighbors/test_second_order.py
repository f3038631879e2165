"""Second-order cosine similarity and CKNNA."""

import numpy as np
import pytest
from _reference import reference_cases
from numpy.testing import assert_allclose

from sksim.neighbors import CKNNA, MutualKNN, SecondOrderCosine
from sksim.neighbors import _second_order as module
from sksim.rsm import CKA


@pytest.mark.parametrize(
    "name, direction, X, y, value",
    list(reference_cases("second_order_cosine_k10")),
    ids=lambda argument: argument if isinstance(argument, str) else "",
)
def test_values_of_an_independent_derivation(name, direction, X, y, value):
    assert_allclose(SecondOrderCosine().fit(X, y).statistic_, value, rtol=1e-10)


def lists_of(X, k, metric):
    """Neighbour lists and the kernel of the points, by all pairs."""
    X = X / np.linalg.norm(X, axis=1, keepdims=True) if metric == "cosine" else X
    squares = ((X[:, None] - X[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return np.argsort(squares, axis=1)[:, :k].tolist(), X


def second_order_by_loops(X, y, k):
    (lists_x, unit_x), (lists_y, unit_y) = (lists_of(Z, k, "cosine") for Z in (X, y))
    values = []
    for i, (a, b) in enumerate(zip(lists_x, lists_y, strict=True)):
        union = sorted(set(a) | set(b))
        s, t = unit_x[union] @ unit_x[i], unit_y[union] @ unit_y[i]
        values.append(s @ t / np.linalg.norm(s) / np.linalg.norm(t))
    return values


@pytest.mark.parametrize("k", [1, 4, 39])
@pytest.mark.parametrize("dtype, rtol", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_second_order_definition_by_loops(k, dtype, rtol):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 5)).astype(dtype), rng.normal(size=(40, 3))
    y = y.astype(dtype)
    measure = SecondOrderCosine(k).fit(X, y)
    expected = second_order_by_loops(X.astype(float), y.astype(float), k)
    assert_allclose(measure.row_values_, expected, rtol=rtol, atol=rtol)
    assert_allclose(measure.statistic_, np.mean(expected), rtol=rtol, atol=rtol)


def test_second_order_by_hand():
    """Three directions in the plane: the vectors of cosines can be written down."""
    angles = np.deg2rad([0, 60, 90])
    other = np.deg2rad([0, 60, 180])
    X, y = (np.c_[np.cos(a), np.sin(a)] for a in (angles, other))
    c = np.cos
    pairs = [
        ([c(angles[1]), c(angles[2])], [c(other[1]), c(other[2])]),
        ([c(angles[1]), c(np.pi / 6)], [c(other[1]), c(2 * np.pi / 3)]),
        ([c(angles[2]), c(np.pi / 6)], [c(other[2]), c(2 * np.pi / 3)]),
    ]
    expected = [np.dot(s, t) / np.linalg.norm(s) / np.linalg.norm(t) for s, t in pairs]
    measure = SecondOrderCosine(2).fit(X, y)
    assert_allclose(measure.row_values_, expected, atol=1e-12)


def test_factors_of_rows_do_not_matter_to_second_order():
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(2, 50, 4))
    factors = rng.uniform(0.1, 10, size=(50, 1))
    value = SecondOrderCosine().fit(X, y).statistic_
    assert_allclose(SecondOrderCosine().fit(X * factors, y).statistic_, value)


def test_rows_at_right_angles_have_no_second_order():
    with pytest.raises(ValueError, match="Row 0 of X is orthogonal to all"):
        SecondOrderCosine(3).fit(np.eye(10), np.eye(10))


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("k", [1, 5, 39])
def test_cknna_definition_by_loops(metric, k):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 5)) + 1
    y = X[:, :3] + 0.5 * rng.normal(size=(40, 3))
    masks, kernels = [], []
    for Z in (X, y):
        lists, points = lists_of(Z, k, metric)
        mask = np.zeros((40, 40), dtype=bool)
        for i, members in enumerate(lists):
            mask[i, members] = True
        H = np.eye(40) - 1 / 40
        masks.append(mask)
        kernels.append(H @ points @ points.T @ H)
    (in_x, in_y), (K, L) = masks, kernels
    expected = (K * L)[in_x & in_y].sum()
    expected /= np.sqrt((K[in_x] ** 2).sum() * (L[in_y] ** 2).sum())
    assert_allclose(CKNNA(k, metric=metric).fit(X, y).statistic_, expected)


def test_cknna_with_all_neighbours_is_cka_without_the_diagonal():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(2, 200, 3))
    y += X
    value = CKNNA(199, metric="euclidean").fit(X, y).statistic_
    assert_allclose(value, CKA().fit(X, y).statistic_, atol=0.02)


def test_cknna_of_unrelated_and_of_equal_views():
    rng = np.random.default_rng(4)
    X, y = rng.normal(size=(2, 300, 10))
    assert_allclose(CKNNA().fit(X, X).statistic_, 1)
    # as many pairs count as are shared by chance
    share = MutualKNN().fit(X, y).statistic_
    assert abs(CKNNA().fit(X, y).statistic_ - share) < 0.02


@pytest.mark.parametrize(
    "measure", [SecondOrderCosine(4), CKNNA(4), CKNNA(4, metric="euclidean")]
)
def test_permutation_is_recomputation(measure, monkeypatch):
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(2, 50, 4))
    comparison = measure._open(X, y)
    prepared = comparison.for_permutations()
    monkeypatch.setattr(module, "_MATRIX_ELEMENTS", 10)
    without_matrix = comparison.for_permutations()
    for _ in range(3):
        order = rng.permutation(50)
        expected = measure.fit(X, y[order]).statistic_
        for pair in (comparison, prepared, without_matrix):
            assert_allclose(pair.permuted([order]), [expected], rtol=1e-11)
