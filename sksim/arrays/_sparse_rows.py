"""Sparse rows with columns that are centred without being filled in."""

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse

from sksim.arrays._namespace import (
    device_of,
    inner,
    move_to,
    namespace_of,
    take,
    to_numpy,
)
from sksim.arrays._slices import slices

# Of a column that is filled more than this its mean is subtracted entry by entry, which
# at most doubles it. Left as an offset, its squares would lose the digits of
# full / (1 - full): seven of them in a column with one zero in 1e7 rows.
_CROWDED = 0.5
# Entries of dense blocks that are worked on at a time: 32 MB.
_BLOCK = 2**22


class SparseRows:
    """Rows of a sparse matrix, less an offset of each column.

    It stands where an array of rows would, in double precision, and knows what
    matchings of columns ask: products, some rows, some columns, multiples.

    Parameters
    ----------
    values : sparse array of shape (n_samples, n_features)
    offset : array of shape (n_features,), default=None
        What is to be subtracted of each row; None for nothing.
    """

    # products with arrays of numpy are made here
    __array_ufunc__ = None
    ndim = 2
    device = "cpu"
    dtype = np.dtype(np.float64)

    def __init__(self, values, offset=None):
        self.values = sparse.csr_array(values, dtype=np.float64)
        self.offset = np.zeros(values.shape[1]) if offset is None else offset

    def __array_namespace__(self, api_version=None):
        """That of numpy, to which all that is made of these rows belongs."""
        return namespace_of(self.offset)

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Sparse rows are not filled in for this. Pass dense ones, X.toarray(), "
            "where memory allows."
        )

    @property
    def shape(self):
        """Numbers of rows and columns."""
        return self.values.shape

    @property
    def T(self):
        """Columns, of which products with other rows are made."""
        return _Columns(self)

    def astype(self, dtype, copy=True):
        """The same: they are in double precision already."""
        return self

    def __mul__(self, factors):
        """Multiple by a number, or of each column by its own."""
        factors = np.broadcast_to(factors, self.shape[1:])
        values = self.values.copy()
        values.data = values.data * factors[values.indices]
        return SparseRows(values, self.offset * factors)

    def __truediv__(self, divisor):
        return self * (1 / divisor)

    def __matmul__(self, weights):
        """Product with a dense matrix of few columns."""
        return self.values @ weights - self.offset @ weights

    def __rmatmul__(self, columns):
        """Product of dense columns, as rows, with these rows."""
        return (self.T @ columns.T).T

    def take(self, index, axis=0):
        """Some of the rows (axis 0), or of the columns."""
        if axis == 0:
            return SparseRows(self.values[index], self.offset)
        return SparseRows(self.values[:, index], self.offset[index])

    def sums(self):
        """Sum of each column, without the offset."""
        return np.asarray(self.values.sum(axis=0))

    def means(self):
        """Mean of each column, without the offset."""
        return self.sums() / self.shape[0]

    def squares(self):
        """Sum of squares of each column."""
        columns = self.values.indices
        filled = (self.values.data - self.offset[columns]) ** 2
        squares = np.bincount(columns, weights=filled, minlength=self.shape[1])
        return squares + (self.shape[0] - self._counts()) * self.offset**2

    def largest(self):
        """Largest magnitude in each column."""
        largest = np.where(self._counts() < self.shape[0], np.abs(self.offset), 0.0)
        columns = self.values.indices
        filled = np.abs(self.values.data - self.offset[columns])
        np.maximum.at(largest, columns, filled)
        return largest

    def less(self, mean):
        """What is stored minus a number of each column, in place of the offset."""
        is_crowded = self._counts() > _CROWDED * self.shape[0]
        if not is_crowded.any():
            return SparseRows(self.values, mean)
        columns = sparse.csc_array(self.values)
        crowded, others = np.flatnonzero(is_crowded), np.flatnonzero(~is_crowded)
        full = sparse.csc_array(columns[:, crowded].toarray() - mean[crowded])
        values = sparse.hstack([columns[:, others], full], format="csc")
        order = np.argsort(np.concatenate([others, crowded]))
        return SparseRows(values[:, order], np.where(is_crowded, 0.0, mean))

    def in_range(self):
        """(rows, scale): the same rows over a power of two, below 1 in magnitude."""
        largest = np.abs(self.values.data).max() if self.values.nnz else 0.0
        # factors and their inverses are numbers, up to this exponent
        exponent = max(-1000, min(1000, math.frexp(largest)[1])) if largest else 0
        return self * 2.0**-exponent, 2.0**exponent

    def _counts(self):
        """How many entries of each column are stored."""
        return np.bincount(self.values.indices, minlength=self.shape[1])


class _Columns:
    """Transposed sparse rows."""

    def __init__(self, rows):
        self.rows = rows

    def __matmul__(self, others):
        """Dense products of all columns with those of other rows."""
        rows = self.rows
        columns = sparse.csr_array(rows.values.T)
        if not is_sparse(others):
            product = columns @ others
            return product - np.outer(rows.offset, others.sum(axis=0))
        product = np.empty((rows.shape[1], others.shape[1]))
        size = max(1, _BLOCK // others.shape[1])
        for part in slices(len(product), size):
            (columns[part] @ others.values).toarray(out=product[part])
            # sums of (s - a)(t - b) over the rows
            rest = rows.shape[0] * rows.offset[part] - rows.sums()[part]
            product[part] -= np.outer(rows.offset[part], others.sums())
            product[part] += np.outer(rest, others.offset)
        return product


class CentredColumns(NamedTuple):
    """Rows times ``scale`` are the representation minus ``mean``."""

    rows: SparseRows
    mean: np.ndarray
    scale: float
    squared_norm: float


def centred_columns(X):
    """Sparse rows with centred columns; those that are constant are zero.

    Parameters
    ----------
    X : SparseRows
        An offset that they have is of no account.

    Returns
    -------
    centred : CentredColumns
    """
    X, scale = X.in_range()
    n = X.shape[0]
    mean = X.means()
    rows = X.less(mean)
    # what the rounding of a large mean has left in entries that it was subtracted of
    rest = np.where(rows.offset == 0, rows.means(), rows.offset)
    rows = rows.less(rest)
    squares = rows.squares()
    eps = np.finfo(np.float64).eps
    constant = squares <= n * (8 * eps * mean) ** 2
    if constant.any():
        rows = rows * np.where(constant, 0.0, 1.0)
    return CentredColumns(rows, mean * scale, scale, float(squares[~constant].sum()))


class UnitColumnsOfSparse(NamedTuple):
    """Centred columns of unit norm, and what they were before."""

    rows: SparseRows
    mean: np.ndarray
    deviations: np.ndarray
    squared_norm: float


def unit_columns_of_sparse(X):
    """Centred columns of unit norm of sparse rows; constant ones are zero.

    Parameters
    ----------
    X : SparseRows

    Returns
    -------
    unit : UnitColumnsOfSparse
        ``squared_norm`` is that of all centred columns, 0 where all are constant.
    """
    rows, mean, scale, squared_norm = centred_columns(X)
    # columns may differ so much in scale that their squares underflow
    largest = rows.largest()
    rows = rows / np.where(largest == 0, 1.0, largest)
    norms = np.sqrt(rows.squares())
    deviations = norms * largest * (scale / rows.shape[0] ** 0.5)
    rows = rows / np.where(norms == 0, 1.0, norms)
    return UnitColumnsOfSparse(rows, mean, deviations, squared_norm)


def is_sparse(rows):
    """Whether rows are sparse ones."""
    return isinstance(rows, SparseRows)


def on_cpu(rows, *, xp):
    """Rows of any library as numpy's; sparse ones are there."""
    return rows if is_sparse(rows) else to_numpy(rows, xp=xp)


def some_columns(rows, index, *, xp):
    """Some of the columns of rows, sparse or not, by an index of numpy.

    Parameters
    ----------
    rows : array or SparseRows
    index : array of int
    xp : module
    """
    if is_sparse(rows):
        return rows.take(index, axis=1)
    index = np.asarray(index, dtype=np.int64)
    return take(rows, move_to(index, xp=xp, device=device_of(rows)), xp=xp, axis=1)


def squared_norm(rows, *, xp):
    """Sum of all squares."""
    return rows.squares().sum() if is_sparse(rows) else inner(rows, rows, xp=xp)


def matched_products(A, B, *, xp):
    """Inner product of each column of A with the same column of B.

    Parameters
    ----------
    A, B : array or SparseRows of shape (n_samples, n_columns)
    xp : module

    Returns
    -------
    products : array of shape (n_columns,)
    """
    if is_sparse(B):
        A, B = B, A
    if not is_sparse(A):
        return xp.sum(A * B, axis=0)
    if not is_sparse(B):
        products = np.asarray(A.values.multiply(B).sum(axis=0))
        return products - A.offset * B.sum(axis=0)
    products = np.asarray(A.values.multiply(B.values).sum(axis=0))
    rest = A.shape[0] * A.offset - A.sums()
    return products - A.offset * B.sums() + rest * B.offset


def squared_distance(A, B, *, xp):
    """Sum of all squares of A - B."""
    if is_sparse(A) or is_sparse(B):
        return matched_squares(A, B, xp=xp).sum()
    residual = A - B
    return inner(residual, residual, xp=xp)


def matched_squares(A, B, *, xp):
    """Squared distance of each column of A from the same column of B.

    Parameters
    ----------
    A, B : array or SparseRows of shape (n_samples, n_columns)
    xp : module

    Returns
    -------
    squares : array of shape (n_columns,)
    """
    if is_sparse(A) and is_sparse(B):
        return SparseRows(A.values - B.values, A.offset - B.offset).squares()
    if is_sparse(B):
        A, B = B, A
    if not is_sparse(A):
        return xp.sum((A - B) ** 2, axis=0)
    squares = np.empty(A.shape[1])
    for part in slices(len(squares), max(1, _BLOCK // len(B))):
        filled = A.values[:, part].toarray() - A.offset[part]
        squares[part] = np.sum((filled - B[:, part]) ** 2, axis=0)
    return squares
