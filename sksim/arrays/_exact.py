"""The symmetric n x n matrices K and L of a statistic tr(K L), whose rows sum to zero.

Moments of the statistic over all orders of rows need a few sums over each matrix. Two
classes of matrices give these, in double precision on numpy: one holds the matrix, the
other makes it of narrow rows and never whole.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import get_blas_funcs

from sksim.arrays._kernels import u_center
from sksim.arrays._namespace import (
    row_slices,
    row_sum_of_squares,
    to_numpy,
)
from sksim.arrays._slices import slices

# Above so many rows the cubes of entries are summed over pairs of some rows only. All
# of them add 1e-4 to the skewness of 16,000 exponential rows, and less to that of
# others; the sample is off by a tenth of that.
_CUBED_ROWS, _SAMPLED_ROWS = 8192, 2048
# Entries of a block of rows, which stays in the cache: fastest of 2^15 to 2^19.
_BLOCK = 2**16
# Rows of an n x n matrix that are multiplied at a time: half of the products are saved
# as far as they are fewer than n (2000 rows: .12 s, and .19 s all at once).
_ROWS_OF_PRODUCT = 128


@dataclass(frozen=True)
class DenseSymmetric:
    """A symmetric matrix that is held whole."""

    matrix: object

    def toarray(self):
        """The matrix."""
        return self.matrix

    @property
    def diagonal(self):
        """Diagonal, of shape (n,)."""
        return np.diagonal(self.matrix)

    @cached_property
    def row_squares(self):
        """Squared norm of each row."""
        return np.einsum("ij,ij->i", self.matrix, self.matrix)

    @property
    def squared_norm(self):
        """Sum of the squares of all entries."""
        return float(np.sum(self.row_squares))

    def quadratic(self, vector):
        """Quadratic form of a vector."""
        return float(vector @ self.matrix @ vector)

    def sum_of_cubes(self):
        """Sum of the cubes of all entries."""
        return sum(_sum_of_cubes(self.matrix[b]) for b in _slices(len(self.matrix)))

    def trace_of_cube(self):
        """Trace of the third matrix power."""
        matrix, total = self.matrix, 0.0
        for b in slices(len(matrix), _ROWS_OF_PRODUCT):
            # what is to the right of a slice's square is below it as well
            product = matrix[b] @ matrix[:, b.start :]
            height = b.stop - b.start
            total += np.vdot(product[:, :height], matrix[b, b])
            total += 2 * np.vdot(product[:, height:], matrix[b, b.stop :])
        return float(total)

    def minus_centring(self, share):
        """The matrix minus ``share`` times the centring matrix I - 11' / n."""
        if share == 0:
            return self
        matrix = self.matrix + share / len(self.matrix)
        matrix[np.diag_indices(len(matrix))] -= share
        return DenseSymmetric(matrix)


@dataclass(frozen=True)
class CentredRows:
    """Rows that sum to zero, and what several matrices made of them share.

    They are centred block by block, in double precision: a copy of many rows costs more
    than what is done with it.

    Attributes
    ----------
    given : array of shape (n, width)
    mean : array of shape (width,) or None
        What is to be subtracted from the given rows; None if they are centred.
    """

    given: object
    mean: object = None

    def __len__(self):
        return len(self.given)

    @property
    def values(self):
        """All rows."""
        return self.some(slice(None))

    def some(self, rows):
        """Some of the rows."""
        return self._nearly_centred(rows) - self._rest

    def _nearly_centred(self, rows):
        rows = self.given[rows]
        if self.mean is not None:
            rows = rows - self.mean
        return rows.astype(np.float64, copy=False)

    @cached_property
    def _rest(self):
        """Mean that rounding leaves."""
        sums = (
            np.ones(b.stop - b.start) @ self._nearly_centred(b) for b in self._blocks
        )
        return sum(sums) / len(self)

    @property
    def _blocks(self):
        return row_slices(*self.given.shape, n_entries=_BLOCK)

    def times(self, weights):
        """Inner product of each row with a vector."""
        return np.concatenate([self.some(b) @ weights for b in self._blocks])

    def summed(self, weights):
        """Sum of the rows, weighted."""
        return sum(weights[b] @ self.some(b) for b in self._blocks)

    @cached_property
    def squares(self):
        """Squared norm of each row."""
        return self._squares_and_gram[0]

    @cached_property
    def gram(self):
        """Inner products of the columns."""
        return self._squares_and_gram[1]

    @cached_property
    def _squares_and_gram(self):
        width = self.given.shape[1]
        squares, upper = [], np.zeros((width, width), order="F")
        syrk = get_blas_funcs("syrk", dtype=np.float64)
        for b in self._blocks:
            rows = self.some(b)
            squares.append(row_sum_of_squares(rows, xp=np))
            # half of the products, by a routine that knows of the other half
            upper = syrk(1.0, rows.T, beta=1.0, c=upper, overwrite_c=True)
        return np.concatenate(squares), upper + np.triu(upper, 1).T

    @cached_property
    def outer_row_squares(self):
        """Squared norm of each row of the outer product.

        They add to moments a share of 1 / n: of many rows single precision will do.
        """
        is_long = len(self) > _CUBED_ROWS
        gram = self.gram.astype(np.float32 if is_long else np.float64, copy=False)
        blocks = (self.some(b).astype(gram.dtype, copy=False) for b in self._blocks)
        parts = [np.einsum("ij,ij->i", rows @ gram, rows) for rows in blocks]
        return np.concatenate(parts).astype(np.float64, copy=False)


@dataclass(frozen=True)
class FactoredSymmetric:
    """Outer product of rows, plus offsets along rows and columns, minus a diagonal.

    An entry is r_i . r_j + o_i + o_j, minus l_i on the diagonal.

    Attributes
    ----------
    rows : CentredRows
    offsets, left_out : arrays of shape (n,)
    """

    rows: object
    offsets: object
    left_out: object

    def toarray(self):
        """The matrix."""
        return self._entries(slice(None), slice(None)) - np.diag(self.left_out)

    def _entries(self, i, j):
        """Entries of some rows and columns, on the diagonal before leaving out."""
        entries = self.rows.some(i) @ self.rows.some(j).T
        entries += self.offsets[i, None]
        entries += self.offsets[None, j]
        return entries

    @property
    def _whole_diagonal(self):
        return self.rows.squares + 2 * self.offsets

    @cached_property
    def _sum_by_offsets(self):
        """Sum of the rows weighted by their offsets, 0 for equal ones."""
        if np.all(self.offsets == self.offsets[0]):
            return np.zeros(self.rows.given.shape[1])
        return self.rows.summed(self.offsets)

    @cached_property
    def _whole_row_squares(self):
        offsets = self.offsets
        both = 2 * offsets * np.sum(offsets)
        if np.any(self._sum_by_offsets):
            both = both + 2 * self.rows.times(self._sum_by_offsets)
        own = len(offsets) * offsets**2 + offsets @ offsets
        return self.rows.outer_row_squares + both + own

    @property
    def diagonal(self):
        """Diagonal, of shape (n,)."""
        return self._whole_diagonal - self.left_out

    @property
    def row_squares(self):
        """Squared norm of each row."""
        changed = self.left_out * (self.left_out - 2 * self._whole_diagonal)
        return self._whole_row_squares + changed

    @property
    def squared_norm(self):
        """Sum of the squares of all entries."""
        offsets = self.offsets
        whole = np.vdot(self.rows.gram, self.rows.gram)
        whole += 2 * (np.sum(offsets) ** 2 + len(offsets) * (offsets @ offsets))
        changed = self.left_out @ (self.left_out - 2 * self._whole_diagonal)
        return float(whole + changed)

    def quadratic(self, vector):
        """Quadratic form of a vector."""
        inner = self.rows.summed(vector)
        both = 2 * (self.offsets @ vector) * np.sum(vector)
        return float(inner @ inner + both - self.left_out @ vector**2)

    def sum_of_cubes(self):
        """Sum of the cubes of all entries, estimated of many rows."""
        n = len(self.offsets)
        total = float(np.sum(self.diagonal**3))
        if n <= _CUBED_ROWS:
            return total + self._cubes_of_pairs()
        some = np.random.default_rng(0).choice(n, _SAMPLED_ROWS, replace=False)
        rows = CentredRows(self.rows.some(some))
        sample = FactoredSymmetric(rows, self.offsets[some], self.left_out[some])
        share = _SAMPLED_ROWS * (_SAMPLED_ROWS - 1) / (n * (n - 1))
        return total + sample._cubes_of_pairs() / share

    def _cubes_of_pairs(self):
        """Sum of the cubes of all entries off the diagonal."""
        n = len(self.offsets)
        total = -float(np.sum(self._whole_diagonal**3))
        for b in _slices(n):
            upper = self._entries(b, slice(b.start, n))
            height = b.stop - b.start
            # what is to the right of a slice's square is below it as well
            total += _sum_of_cubes(upper[:, :height])
            total += 2 * _sum_of_cubes(upper[:, height:])
        return total

    def trace_of_cube(self):
        """Trace of the third matrix power."""
        gram, offsets, left_out = self.rows.gram, self.offsets, self.left_out
        n, total = len(offsets), np.sum(offsets)
        inner = self._sum_by_offsets
        whole = np.vdot(gram @ gram, gram) + 3 * n * (inner @ inner)
        whole += 2 * total**3 + 6 * total * n * (offsets @ offsets)
        changed = 3 * (left_out**2 @ self._whole_diagonal) - np.sum(left_out**3)
        if np.any(left_out):
            changed -= 3 * (left_out @ self._whole_row_squares)
        return float(whole + changed)

    def minus_centring(self, share):
        """The matrix minus ``share`` times the centring matrix I - 11' / n."""
        n = len(self.offsets)
        return FactoredSymmetric(
            self.rows, self.offsets + share / (2 * n), self.left_out + share
        )


class TraceForm(NamedTuple):
    """A statistic ``scale * tr(K L)``.

    K and L have entries near 1, whose powers neither overflow nor vanish; ``scale``,
    which is positive, may be of any size.
    """

    K: object
    L: object
    scale: float = 1.0


def dense_matrix(matrix, *, xp):
    """A matrix of any array library."""
    return DenseSymmetric(_double(matrix, xp=xp))


def outer_product(rows, mean=None, *, xp):
    """``rows @ rows.T`` of rows minus their mean, factored where that is smaller."""
    rows = CentredRows(*_on_numpy(rows, mean, xp=xp))
    n, width = rows.given.shape
    if 2 * width > n:
        values = rows.values
        return DenseSymmetric(values @ values.T)
    return FactoredSymmetric(rows, np.zeros(n), np.zeros(n))


def hollow_outer_product(rows, mean=None, *, xp):
    """The same with the diagonal left out before centring, in the bias-corrected way.

    Without its diagonal d the matrix has rows that sum to -d. Centring adds (d_i + d_j)
    / (n - 2) - sum(d) / (n - 1) / (n - 2).
    """
    whole = outer_product(rows, mean, xp=xp)
    if isinstance(whole, DenseSymmetric):
        return DenseSymmetric(u_center(whole.matrix, xp=np, overwrite=True))
    n = len(whole.rows)
    offsets = (whole.diagonal - np.sum(whole.diagonal) / (2 * (n - 1))) / (n - 2)
    whole = replace(whole, offsets=offsets)
    return replace(whole, left_out=whole.diagonal)


def _on_numpy(*arrays, xp):
    return (None if array is None else to_numpy(array, xp=xp) for array in arrays)


def _double(array, *, xp):
    return to_numpy(array, xp=xp).astype(np.float64, copy=False)


def _slices(n):
    return row_slices(n, n, n_entries=2**20)


def _sum_of_cubes(block):
    return float(np.vdot(block * block, block))
