"""The symmetric n x n matrices K and L of a statistic tr(K L), whose rows sum to zero.

Moments of the statistic over all orders of rows need a few sums over each matrix. Two
classes of matrices give these, in double precision on numpy: one holds the matrix, the
other makes it of narrow rows and never whole.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from sksim.arrays._kernels import u_center
from sksim.arrays._namespace import (
    row_slices,
    row_sum_of_squares,
    row_sums,
    to_numpy,
)


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
        return float(np.vdot(self.matrix @ self.matrix, self.matrix))

    def minus_centring(self, share):
        """The matrix minus ``share`` times the centring matrix I - 11' / n."""
        matrix = self.matrix + share / len(self.matrix)
        matrix[np.diag_indices(len(matrix))] -= share
        return DenseSymmetric(matrix)


@dataclass(frozen=True)
class CentredRows:
    """Rows that sum to zero, and what several matrices made of them share."""

    values: object

    @cached_property
    def squares(self):
        """Squared norm of each row."""
        return row_sum_of_squares(self.values, xp=np)

    @cached_property
    def gram(self):
        """Inner products of the columns."""
        return self.values.T @ self.values

    @cached_property
    def outer_row_squares(self):
        """Squared norm of each row of the outer product."""
        return row_sums((self.values @ self.gram) * self.values, xp=np)


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
        entries = self.rows.values[i] @ self.rows.values[j].T
        entries += self.offsets[i, None]
        entries += self.offsets[None, j]
        return entries

    @property
    def _whole_diagonal(self):
        return self.rows.squares + 2 * self.offsets

    @property
    def _whole_row_squares(self):
        values, offsets = self.rows.values, self.offsets
        both = 2 * offsets * np.sum(offsets) + 2 * (values @ (values.T @ offsets))
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
        inner = vector @ self.rows.values
        both = 2 * (self.offsets @ vector) * np.sum(vector)
        return float(inner @ inner + both - self.left_out @ vector**2)

    def sum_of_cubes(self):
        """Sum of the cubes of all entries."""
        total = float(np.sum(self.diagonal**3) - np.sum(self._whole_diagonal**3))
        n = len(self.offsets)
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
        inner = offsets @ self.rows.values
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


def outer_product(rows, *, xp):
    """``rows @ rows.T`` of centred rows, factored where that is smaller."""
    n, width = rows.shape
    if 2 * width > n:
        return dense_matrix(rows @ rows.T, xp=xp)
    rows = CentredRows(_double(rows, xp=xp))
    return FactoredSymmetric(rows, np.zeros(n), np.zeros(n))


def hollow_outer_product(rows, *, xp):
    """The same with the diagonal left out before centring, in the bias-corrected way.

    Without its diagonal d the matrix has rows that sum to -d. Centring adds (d_i + d_j)
    / (n - 2) - sum(d) / (n - 1) / (n - 2).
    """
    n, width = rows.shape
    if 2 * width > n:
        return dense_matrix(u_center(rows @ rows.T, xp=xp, overwrite=True), xp=xp)
    whole = outer_product(rows, xp=xp)
    offsets = (whole.diagonal - np.sum(whole.diagonal) / (2 * (n - 1))) / (n - 2)
    whole = replace(whole, offsets=offsets)
    return replace(whole, left_out=whole.diagonal)


def _double(array, *, xp):
    return to_numpy(array, xp=xp).astype(np.float64, copy=False)


def _slices(n):
    return row_slices(n, n, n_entries=2**20)


def _sum_of_cubes(block):
    return float(np.vdot(block * block, block))
