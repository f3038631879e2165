"""Inner products of matrices while the rows of one change places."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksim.arrays._picking import (
    permuted_inner,
    permuted_products,
    picking_is_cheaper,
    stacked_upper_blocks,
    upper_blocks,
)


def _symmetric(n, rng, dtype=np.float64):
    A = rng.normal(size=(n, n))
    return (A + A.T).astype(dtype)


@pytest.mark.parametrize("n", [1, 2, 7, 181, 182, 400, 1001])
def test_products_are_those_of_permuted_matrices(n):
    rng = np.random.default_rng(n)
    K, L = _symmetric(n, rng), _symmetric(n, rng)
    orders = [rng.permutation(n) for _ in range(3)]
    found = permuted_inner(upper_blocks(K, xp=np), L, orders, xp=np)
    expected = [np.vdot(K, L[np.ix_(order, order)]) for order in orders]
    assert_allclose(found, expected, rtol=1e-12, atol=1e-11 * n)
    one_by_one = [
        permuted_inner(upper_blocks(K, xp=np), L, [order], xp=np)[0] for order in orders
    ]
    assert_array_equal(found, one_by_one)
    assert permuted_inner(upper_blocks(K, xp=np), L, [], xp=np) == []


@pytest.mark.parametrize("n", [7, 181, 400])
@pytest.mark.parametrize(
    ("dtype_k", "dtype_l"),
    [(float, float), (np.float32, np.float32), (np.float32, float)],
)
def test_products_of_many_pairs(n, dtype_k, dtype_l):
    rng = np.random.default_rng(n)
    Ks = [_symmetric(n, rng, dtype_k) + 3 for _ in range(3)]
    Ls = [_symmetric(n, rng, dtype_l) + 3 for _ in range(2)]
    orders = [rng.permutation(n) for _ in range(4)]
    found = permuted_products(stacked_upper_blocks(Ks), Ls, orders)
    Ks, Ls = ([matrix.astype(float) for matrix in side] for side in (Ks, Ls))
    expected = [
        [[np.vdot(K, L[np.ix_(order, order)]) for L in Ls] for K in Ks]
        for order in orders
    ]
    assert_allclose(found, expected, rtol=1e-12)


def test_many_representations_share_what_is_picked():
    assert picking_is_cheaper(100, 40, 40)
    assert not picking_is_cheaper(100, 39, 40)
    assert picking_is_cheaper(100, 5 * 20, 5 * 20, 5, 5)
    assert not picking_is_cheaper(100, 5 * 19, 5 * 20, 5, 5)
    assert not picking_is_cheaper(9000, 9000, 9000)


def test_blocks_hold_the_upper_triangle():
    rng = np.random.default_rng(0)
    K = _symmetric(400, rng)
    upper = upper_blocks(K, xp=np)
    blocks = list(upper.blocks())
    assert len(blocks) > 3
    assert upper.values.size < 0.65 * K.size
    for rows, block in blocks:
        height = rows.stop - rows.start
        block = block.reshape(height, -1)
        assert_array_equal(block[:, :height], K[rows, rows])
        assert_array_equal(block[:, height:], 2 * K[rows, rows.stop :])


def test_single_precision_loses_no_more_than_its_rounding():
    rng = np.random.default_rng(0)
    n = 1000
    K, L = (_symmetric(n, rng, np.float32) + 3 for _ in range(2))
    order = rng.permutation(n)
    (found,) = permuted_inner(upper_blocks(K, xp=np), L, [order], xp=np)
    moved = L[np.ix_(order, order)].astype(np.float64)
    assert found == pytest.approx(np.vdot(K.astype(np.float64), moved), rel=1e-6)


def test_other_namespaces():
    torch = pytest.importorskip("torch")
    xp = pytest.importorskip("array_api_compat.torch")
    rng = np.random.default_rng(0)
    K, L = _symmetric(50, rng), _symmetric(50, rng)
    order = rng.permutation(50)
    upper = upper_blocks(torch.asarray(K), xp=xp)
    found = permuted_inner(upper, torch.asarray(L), [torch.asarray(order)], xp=xp)
    assert_allclose(found, np.vdot(K, L[np.ix_(order, order)]), rtol=1e-12)
