"""Inner products of two symmetric matrices while the rows of one change places."""

from dataclasses import dataclass

import numpy as np

from sksim.utils._array_api import inner, is_numpy, take
from sksim.utils._views import View

# Entries of a block: two of them and their weights (768 KB) stay in the second cache.
_BLOCK_ELEMENTS = 2**15


@dataclass(frozen=True)
class UpperBlocks(View):
    """Upper triangle of a symmetric n x n matrix, in blocks of rows end to end.

    A block starts at its diagonal. What is to the right of its square counts twice, so
    that the product with the same blocks of another matrix is that of both wholes. In
    other namespaces than numpy ``values`` is the matrix.
    """

    values: object
    n_samples: int

    def blocks(self):
        """Rows (a slice from the diagonal on) and values of each block."""
        end = 0
        for rows in _row_slices(self.n_samples):
            shape = rows.stop - rows.start, self.n_samples - rows.start
            start, end = end, end + shape[0] * shape[1]
            yield rows, self.values[start:end].reshape(shape)


@dataclass(frozen=True)
class TraceMatrix(View):
    """One factor of a statistic tr(K L): K in `UpperBlocks`, L as it is."""

    matrix: object

    _row_by_row_fields = ("matrix",)


def _row_slices(n):
    height = max(8, min(n, _BLOCK_ELEMENTS // n))
    return [slice(i, min(i + height, n)) for i in range(0, n, height)]


def upper_blocks(K, *, xp):
    """A symmetric matrix in the form that `permuted_inner` reads fastest."""
    n = K.shape[0]
    if not is_numpy(xp):
        return UpperBlocks(K, n)
    parts = []
    for rows in _row_slices(n):
        block = 2 * K[rows, rows.start :]
        block[:, : rows.stop - rows.start] /= 2
        parts.append(block.ravel())
    return UpperBlocks(np.concatenate(parts), n)


def picking_is_cheaper(n, width_x, width_y):
    """Whether a permutation picks n x n entries faster than it multiplies factors.

    Measured: picking an entry costs as much as 16 multiplications. Above 8192 rows
    the matrices would fill the memory.
    """
    return 16 * n <= width_x * width_y and n <= 8192


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
    buffers = np.empty((2, *next(upper.blocks())[1].shape), dtype=L.dtype)
    is_double = L.dtype == np.float64
    # a block of K stays in the cache while all orders pick its counterpart out of L
    for rows, block in upper.blocks():
        picked = buffers[0, : len(block)]
        moved = buffers[1].ravel()[: block.size].reshape(block.shape)
        start, flat_block, flat_moved = rows.start, block.ravel(), moved.ravel()
        for number, order in enumerate(orders):
            L.take(order[rows], 0, picked, "clip")
            picked.take(order[start:], 1, moved, "clip")
            totals[number] += (
                flat_block.dot(flat_moved) if is_double else inner(block, moved, xp=xp)
            )
    return totals.tolist()
