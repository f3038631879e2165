"""Inner products of symmetric matrices while the rows of some change places."""

from dataclasses import dataclass

import numpy as np

from sksim.arrays._namespace import inner, is_numpy, take
from sksim.arrays._slices import slices
from sksim.arrays._views import View

# Entries of a block: two of them and their weights (768 KB) stay in the second cache.
_BLOCK_ELEMENTS = 2**15


@dataclass(frozen=True)
class UpperBlocks(View):
    """Upper triangle of a symmetric n x n matrix, in blocks of rows end to end.

    A block starts at its diagonal. What is to the right of its square counts twice, so
    that the product with the same blocks of another matrix is that of both wholes.
    ``values`` may have a row for each of several matrices. In other namespaces than
    numpy it is the matrix.
    """

    values: object
    n_samples: int

    def blocks(self):
        """Rows (a slice from the diagonal on) and values of each block."""
        end = 0
        for rows in _row_slices(self.n_samples):
            shape = rows.stop - rows.start, self.n_samples - rows.start
            start, end = end, end + shape[0] * shape[1]
            yield rows, self.values[..., start:end]


def _row_slices(n):
    height = max(8, min(n, _BLOCK_ELEMENTS // n))
    return slices(n, height)


def upper_blocks(K, *, xp):
    """A symmetric matrix in the form that `permuted_inner` reads fastest."""
    n = K.shape[0]
    if not is_numpy(xp):
        return UpperBlocks(K, n)
    return UpperBlocks(_upper_values(K), n)


def stacked_upper_blocks(matrices):
    """Several symmetric numpy matrices in the form that `permuted_products` reads."""
    values = []
    for K in matrices:
        values.append(_upper_values(K))
        n = len(K)
    return UpperBlocks(np.stack(values), n)


def _upper_values(K):
    n = len(K)
    parts = []
    for rows in _row_slices(n):
        block = 2 * K[rows, rows.start :]
        block[:, : rows.stop - rows.start] /= 2
        parts.append(block.ravel())
    return np.concatenate(parts)


def picking_is_cheaper(n, width_x, width_y, n_x=1, n_y=1):
    """Whether a permutation picks n x n entries faster than it multiplies factors.

    Measured: picking an entry costs as much as 15 multiplications, and each matrix of
    y is picked once for all of X. Above 8192 rows the matrices would fill the memory.

    Parameters
    ----------
    n : int
        Number of rows.
    width_x, width_y : int
        Widths of the factors, summed over all representations.
    n_x, n_y : int
        Numbers of representations.
    """
    return n * n_y * (15 + n_x) <= width_x * width_y and n <= 8192


def permuted_inner(upper, L, orders, *, xp):
    """Sums over i, j of K[i, j] * L[order[i], order[j]] for several orders.

    Parameters
    ----------
    upper : UpperBlocks
        Of a symmetric K.
    L : array of shape (n_samples, n_samples)
        Symmetric.
    orders : sequence of int arrays of shape (n_samples,)

    Returns
    -------
    products : list of float
        Each is the same however many orders there are.
    """
    if not is_numpy(xp):
        moved = (take(take(L, o, xp=xp), o, xp=xp, axis=1) for o in orders)
        return [float(inner(upper.values, matrix, xp=xp)) for matrix in moved]
    totals = np.zeros(len(orders))
    # one allocation for all blocks: fresh memory costs more than the picking
    buffers = np.empty((2, _row_slices(len(L))[0].stop * len(L)), dtype=L.dtype)
    is_double = L.dtype == np.float64
    # a block of K stays in the cache while all orders pick its counterpart out of L
    for rows, block in upper.blocks():
        moved = buffers[1, : block.size]
        for number, order in enumerate(orders):
            _pick(L, order, rows, buffers[0], moved)
            totals[number] += (
                block.dot(moved) if is_double else inner(block, moved, xp=xp)
            )
    return totals.tolist()


def permuted_products(upper, matrices, orders):
    """`permuted_inner` of all pairs of some K and some L, in one pass, on numpy.

    Parameters
    ----------
    upper : UpperBlocks
        Of several symmetric K.
    matrices : list of arrays of shape (n_samples, n_samples)
        Symmetric, of one dtype.
    orders : sequence of int arrays of shape (n_samples,)

    Returns
    -------
    products : array of shape (n_orders, n_K, n_L)
    """
    n = upper.n_samples
    size = _row_slices(n)[0].stop * n
    picked = np.empty(size, dtype=matrices[0].dtype)
    moved = np.empty((len(orders), size), dtype=matrices[0].dtype)
    products = np.zeros((len(orders), len(upper.values), len(matrices)))
    for rows, block in upper.blocks():
        size = block.shape[1]
        block = block.astype(np.float64, copy=False)
        # an L stays in the cache while all orders pick from it
        for j, L in enumerate(matrices):
            for order, place in zip(orders, moved, strict=True):
                _pick(L, order, rows, picked, place[:size])
            counterparts = moved[:, :size].astype(np.float64, copy=False)
            products[:, :, j] += counterparts @ block.T
    return products


def _pick(L, order, rows, picked, moved):
    """Write rows ``rows`` of the moved L, from their diagonal on, into ``moved``.

    ``picked`` is memory for as many whole rows of L.
    """
    height, n = rows.stop - rows.start, len(L)
    picked = picked[: height * n].reshape(height, n)
    L.take(order[rows], 0, picked, "clip")
    shape = height, n - rows.start
    picked.take(order[rows.start :], 1, moved.reshape(shape), "clip")
