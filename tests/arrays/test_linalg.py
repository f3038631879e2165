"""Sums of singular values, and orthonormal bases."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.arrays import _linalg
from sksim.arrays._linalg import nuclear_norm, orthonormal_basis


def matrix_of(singular_values, rng):
    """A matrix with two more columns than rows."""
    n = len(singular_values)
    U = np.linalg.qr(rng.normal(size=(n, n)))[0]
    V = np.linalg.qr(rng.normal(size=(n + 2, n)))[0]
    return (U * singular_values) @ V.T


@pytest.mark.parametrize("smallest", [1.0, 1e-3, 1e-6, 1e-9, 0.0])
@pytest.mark.parametrize("transposed", [False, True])
def test_nuclear_norm(smallest, transposed):
    rng = np.random.default_rng(0)
    singular_values = np.linspace(1, 0.01, 40)
    singular_values[-3:] *= smallest
    M = 1e5 * matrix_of(singular_values, rng)
    expected = 1e5 * singular_values.sum()
    value = nuclear_norm(M.T if transposed else M, xp=np)
    assert_allclose(value, expected, rtol=1e-11)


def test_nuclear_norm_of_nothing():
    assert nuclear_norm(np.zeros((3, 4)), xp=np) == 0


@pytest.mark.parametrize(("n", "smallest", "by_svd"), [(300, 1e-5, 0), (10, 0.0, 1)])
def test_singular_values_only_where_needed(n, smallest, by_svd, monkeypatch):
    calls = []
    real = _linalg.svdvals
    monkeypatch.setattr(
        _linalg, "svdvals", lambda M, xp: calls.append(1) or real(M, xp=xp)
    )
    rng = np.random.default_rng(1)
    M = matrix_of(np.r_[np.linspace(1, 0.01, n - 1), smallest], rng)
    nuclear_norm(M, xp=np)
    assert len(calls) == by_svd


@pytest.mark.parametrize(
    ("smallest", "by_svd"), [([1e-8], 0), ([0.0], 0), ([1e-9, 1e-9], 1)]
)
def test_one_small_singular_value_by_the_determinant(smallest, by_svd, monkeypatch):
    calls = []
    real = _linalg.svdvals
    monkeypatch.setattr(
        _linalg, "svdvals", lambda M, xp: calls.append(1) or real(M, xp=xp)
    )
    rng = np.random.default_rng(2)
    singular_values = np.r_[np.linspace(1, 0.1, 6), smallest]
    M = matrix_of(singular_values, rng)
    # the same singular values in a square
    value = nuclear_norm(M @ np.linalg.svd(M)[2][: len(M)].T, xp=np)
    assert_allclose(value, singular_values.sum(), rtol=1e-11)
    assert len(calls) == by_svd


@pytest.mark.parametrize("center", [False, True])
def test_rank_of_columns_of_one_direction(center):
    """Their Cholesky factor has its largest entry off the diagonal."""
    weights = [0.12, 0.95, -0.99]
    for seed in range(200):
        column = np.random.default_rng(seed).normal(size=40)
        basis = orthonormal_basis(np.outer(column, weights), xp=np, center=center)
        assert basis.rank == 1
