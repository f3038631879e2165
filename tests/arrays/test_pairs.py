"""Distances of all pairs of rows, however the work is cut into blocks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist, pdist

from sksim.arrays._linalg import row_sum_of_squares
from sksim.arrays._pairs import (
    SquaredDistances,
    distance_matrix,
    of_squares,
    pair_vector,
    squared_distance_matrix,
)

# fewer rows than a block has, and one block and several of them
N_SAMPLES = [5, 400, 700]


def rows_of(n_samples, width, *, dtype=float, order="C", n_duplicates=2):
    rng = np.random.default_rng(n_samples + width)
    rows = rng.normal(size=(n_samples, width))
    rows[-n_duplicates:] = rows[:n_duplicates]
    rows = np.asarray(rows - rows.mean(axis=0), dtype=dtype, order=order)
    return rows, row_sum_of_squares(rows, xp=np)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(float, 1e-13), (np.float32, 2e-6)])
@pytest.mark.parametrize("width", [3, 900])
@pytest.mark.parametrize("n_samples", N_SAMPLES)
def test_distances_of_all_pairs(n_samples, width, dtype, tolerance, order):
    rows, squares = rows_of(n_samples, width, dtype=dtype, order=order)
    expected = cdist(rows.astype(float), rows.astype(float), "sqeuclidean")
    close = {"rtol": 0, "atol": tolerance * expected.max()}

    matrix = squared_distance_matrix(rows, squares, xp=np)
    assert matrix.dtype == dtype
    assert_allclose(matrix, expected, **close)
    assert_array_equal(matrix, matrix.T)
    assert_array_equal(np.diagonal(matrix), 0)

    view = SquaredDistances(rows, squares, unit=1.0, scale=1.0)
    assert_allclose(
        pair_vector(view, xp=np), pdist(rows.astype(float), "sqeuclidean"), **close
    )


@pytest.mark.parametrize("decay", [None, 0.3])
@pytest.mark.parametrize("width", [3, 900])
@pytest.mark.parametrize("n_samples", N_SAMPLES)
def test_functions_of_distances(n_samples, width, decay):
    rows, squares = rows_of(n_samples, width)
    rows /= width**0.5
    squares /= width
    distances = cdist(rows, rows)
    expected = distances if decay is None else np.exp(-decay * distances**2)

    matrix = distance_matrix(rows, squares, decay, xp=np)
    # distances of equal rows are the root of a rounding
    assert_allclose(matrix, expected, rtol=0, atol=1e-7)
    far = distances > 1e-3
    assert_allclose(matrix[far], expected[far], rtol=1e-10)
    assert_array_equal(matrix, matrix.T)
    assert_array_equal(np.diagonal(matrix), decay is not None)
    squared = squared_distance_matrix(rows, squares, xp=np)
    assert_array_equal(of_squares(squared, decay, xp=np), matrix)
