"""The exact neighbour search, ties, and neighbour lists under permutation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris

from sksim.arrays import _neighbors
from sksim.arrays._linalg import unit_rows
from sksim.arrays._neighbors import (
    nearest_neighbors,
    products_with,
    shared_ranks,
)


def search(X, k, metric="euclidean", **options):
    return nearest_neighbors(np.asarray(X), k, metric=metric, xp=np, **options)


def brute_force(X, k, metric):
    """Neighbours by all distances, in double precision, ties in index order."""
    X = np.asarray(X, dtype=float)
    if metric == "cosine":
        X = X / np.linalg.norm(X, axis=1, keepdims=True)
    squares = ((X[:, None] - X[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    order = np.argsort(squares, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(squares, order, axis=1)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize(
    "shape, k",
    [((40, 6), 10), ((300, 4), 50), ((11, 3), 10), ((90, 400), 5), ((700, 30), 1)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_search_agrees_with_all_distances(shape, k, metric, dtype):
    X = np.random.default_rng(0).normal(size=shape).astype(dtype) + dtype(0.5)
    indices, squares = brute_force(X, k, metric)
    found = search(X, k, metric)
    assert_array_equal(found.indices, indices)
    assert_allclose(found.squared_distances, squares, rtol=1e-10)
    assert found.n_tied == 0


def test_several_tiles_and_blocks(monkeypatch):
    X = np.random.default_rng(1).normal(size=(311, 5))
    expected = brute_force(X, 7, "euclidean")[0]
    monkeypatch.setattr(_neighbors, "_TILE_ROWS", 32)
    monkeypatch.setattr(_neighbors, "_TILE_COLUMNS", 100)
    assert_array_equal(search(X, 7).indices, expected)
    monkeypatch.setattr(_neighbors, "_symmetric_candidates", lambda points, k: None)
    monkeypatch.setattr(_neighbors, "_BLOCK_ELEMENTS", 311 * 40)
    assert_array_equal(search(X, 7).indices, expected)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_concentrated_data_where_single_precision_is_not_enough(metric):
    """Rows that differ in the seventh digit, at a large common offset."""
    rng = np.random.default_rng(2)
    X = 1 + 1e-6 * rng.normal(size=(200, 8))
    found = search(X, 5, metric)
    assert_array_equal(found.indices, brute_force(X, 5, metric)[0])


def test_an_outlier_does_not_hide_the_others():
    X = np.random.default_rng(3).normal(size=(100, 4))
    with_outlier = np.vstack([X, np.full((1, 4), 1e9)])
    indices = brute_force(X, 5, "euclidean")[0]
    assert_array_equal(search(with_outlier, 5).indices[:100], indices)


def test_single_precision_has_the_neighbours_of_its_numbers():
    X = load_digits().data[:300].astype(np.float32) + np.float32(0.1)
    for metric in ("cosine", "euclidean"):
        single = search(X, 10, metric)
        double = search(X.astype(float), 10, metric)
        assert_array_equal(single.indices, double.indices)
        assert single.n_tied == double.n_tied


def test_ties_are_in_index_order():
    corners = np.eye(12)
    expected = [[j for j in range(12) if j != i][:4] for i in range(12)]
    for metric in ("cosine", "euclidean"):
        found = search(corners, 4, metric)
        assert_array_equal(found.indices, expected)
        assert found.n_tied == 12
    # all of the others are neighbours: nothing is left out
    assert search(corners, 11).n_tied == 0


def test_the_row_itself_is_left_out_by_index():
    X = np.repeat(np.random.default_rng(4).normal(size=(6, 3)), 3, axis=0)
    found = search(X, 2)
    expected = [[j for j in range(3 * (i // 3), 3 * (i // 3) + 3) if j != i]
                for i in range(18)]  # fmt: skip
    assert_array_equal(found.indices, expected)
    assert_array_equal(found.squared_distances, 0)


def test_duplicates_up_to_scale_and_rotation_are_at_distance_zero():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(10, 7))
    rotation = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    scaled = np.vstack([X, X * rng.uniform(0.1, 30, size=(10, 1))]) @ rotation
    found = search(scaled, 1, "cosine")
    assert_array_equal(found.indices[:, 0], np.roll(np.arange(20), 10))
    assert_array_equal(found.squared_distances, 0)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_duplicates_come_before_near_rows(scale):
    X = scale * np.array([[0.0], [1e-4], [0.0], [5.0]])
    found = search(X, 1)
    assert_array_equal(found.indices[:, 0], [2, 0, 0, 1])
    assert found.n_tied == 1  # the second row lies between the first and the third


def test_ties_survive_a_shift_and_a_change_of_units():
    """Iris has many equal distances, which rounding must not order."""
    X = load_iris().data
    found = search(X, 10)
    assert found.n_tied > 20
    for other in (X + 100, 3.7 * X, X[:, ::-1]):
        again = search(other, 10)
        assert_array_equal(again.indices, found.indices)
        assert again.n_tied == found.n_tied


def test_many_ties_in_several_blocks():
    """Binary rows: each distance occurs hundreds of times."""
    X = np.random.default_rng(6).integers(0, 2, size=(600, 6)).astype(float)
    assert_array_equal(search(X, 10).indices, brute_force(X, 10, "euclidean")[0])


@pytest.mark.parametrize("factor", [1e150, 1e-150, 1e20, 1e-20])
def test_any_scale(factor):
    X = np.random.default_rng(7).normal(size=(50, 4))
    for metric in ("cosine", "euclidean"):
        expected = search(X, 5, metric).indices
        assert_array_equal(search(X * factor, 5, metric).indices, expected)


def test_rows_of_very_different_length_have_directions():
    X = np.random.default_rng(8).normal(size=(50, 4))
    lengths = 10.0 ** np.linspace(-200, 200, 50)
    expected = search(X, 5, "cosine").indices
    assert_array_equal(search(X * lengths[:, None], 5, "cosine").indices, expected)
    assert_allclose(np.linalg.norm(unit_rows(X * lengths[:, None], xp=np), axis=1), 1)


def test_rows_without_direction_are_named():
    X = np.ones((20, 3)) + np.eye(20, 3)
    X[[4, 7]] = 0
    with pytest.raises(ValueError, match="Row 4 of X is zero.*so are 1 others"):
        search(X, 3, "cosine", role="x")
    X[7] = 1
    with pytest.raises(ValueError, match="Row 4 of y is zero"):
        search(X, 3, "cosine", role="y")


def test_constant_representations_have_no_neighbours():
    with pytest.raises(ValueError, match="X is constant: all of its rows are equal"):
        search(np.full((20, 3), 0.1), 3, role="x")
    same_direction = np.arange(1, 21)[:, None] * np.array([[0.1, 0.2, 0.3]])
    with pytest.raises(ValueError, match="point in the same direction"):
        search(same_direction, 3, "cosine")
    assert_array_equal(search(same_direction, 1).indices[0], [1])


def test_relabelling_is_a_search_of_the_permuted_rows():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(60, 4))
    order = rng.permutation(60)
    moved = search(X, 6).moved(order)
    again = search(X[order], 6)
    assert_array_equal(moved.indices, again.indices)
    assert_allclose(moved.squared_distances, again.squared_distances)


def test_shared_ranks_with_and_without_a_table(monkeypatch):
    rng = np.random.default_rng(10)
    x, y = (search(rng.normal(size=(40, 3)), 6) for _ in range(2))
    expected = np.zeros((40, 6), dtype=int)
    for i, q in np.ndindex(40, 6):
        place = np.flatnonzero(x.indices[i] == y.indices[i, q])
        expected[i, q] = place[0] + 1 if len(place) else 0
    assert_array_equal(shared_ranks(x, y, xp=np), expected)
    with_lookup = x.with_table(xp=np)
    assert with_lookup.table.dtype == np.uint8
    assert_array_equal(shared_ranks(with_lookup, y, xp=np), expected)
    monkeypatch.setattr(_neighbors, "_TABLE_ELEMENTS", 40)
    assert x.with_table(xp=np).table is None


def test_products_with_listed_rows(monkeypatch):
    rng = np.random.default_rng(11)
    rows, lists = rng.normal(size=(30, 4)), rng.integers(0, 30, size=(30, 3))
    monkeypatch.setattr("sksim.arrays._points._BATCH_ELEMENTS", 50)
    expected = np.einsum("ijk,ik->ij", rows[lists], rows)
    assert_allclose(products_with(rows, lists, xp=np), expected)


@pytest.mark.slow
def test_approximate_search():
    pytest.importorskip("pynndescent")
    X = np.random.default_rng(12).normal(size=(500, 6))
    for metric in ("cosine", "euclidean"):
        exact = search(X, 5, metric)
        found = search(X, 5, metric, algorithm="approximate")
        assert (found.indices == exact.indices).mean() > 0.95
        assert not np.any(found.indices == np.arange(500)[:, None])


def test_approximate_search_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pynndescent", None)
    with pytest.raises(ImportError, match="pynndescent.*algorithm='exact'"):
        search(np.random.default_rng(13).normal(size=(50, 3)), 5,
               algorithm="approximate")  # fmt: skip


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("values", ["real", "tied", "concentrated"])
@pytest.mark.parametrize("n_samples, k", [(300, 7), (13, 12), (40, 1)])
def test_sets_are_those_of_the_ordered_lists(metric, values, n_samples, k):
    rng = np.random.default_rng(4)
    X = rng.normal(size=(n_samples, 4))
    if values == "tied":
        X = 1 + rng.integers(0, 3, size=(n_samples, 4)).astype(float)
    elif values == "concentrated":
        X = 1 + 1e-4 * X
    X = X.astype(np.float32)
    ordered, sets = (search(X, k, metric, ordered=flag) for flag in (True, False))
    assert_array_equal(np.sort(sets.indices, axis=1), np.sort(ordered.indices, axis=1))
    assert sets.n_tied == ordered.n_tied
