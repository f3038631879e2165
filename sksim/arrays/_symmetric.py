"""Symmetric n x n matrices whose rows sum to zero, however they are kept.

Statistics of inner products ask for few things: the product of two matrices, its row
sums, its parts. A matrix is kept as narrow rows (`Factored`), whole (`Dense`), or as a
recipe of its blocks (`BlockedMatrix`), and gives all of them either way. Two matrices
may be kept differently. `hollow` ones have their diagonal set aside, as bias-corrected
estimators do.

``norm`` is that of the matrix as it is kept, and ``norm * unit`` that of the
representation's own. No product is divided by a norm here.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from sksim._progress import tracked
from sksim.arrays._columns import (
    pairs_of_columns,
    product_of_columns,
    row_products_of_columns,
    squares_of_columns,
)
from sksim.arrays._exact import dense_matrix, hollow_outer_product, outer_product
from sksim.arrays._kernels import u_center, without_diagonal
from sksim.arrays._namespace import (
    as_float64,
    column_inner,
    column_sum_of_squares,
    device_of,
    inner,
    is_numpy,
    row_inner,
    row_slices,
    row_sum_of_squares,
    row_sums,
    to_numpy,
)
from sksim.arrays._pairs import (
    BLOCK_ROWS,
    distance_block,
    of_distances,
    symmetric_blocks,
)
from sksim.arrays._views import View


class SymmetricForm(View):
    """A symmetric matrix in one of several forms: see the module."""

    # of the factor that it can be compared by; infinite where there is an n x n matrix
    # anyway, 0 where there is to be none
    width = math.inf
    # centred columns, in units of the matrix, of which a self term takes distinct ones
    columns = None
    n_columns = None

    def settled(self):
        """The same with nothing left that each product would do again."""
        return self

    def row_products(self, other, *, xp):
        """Row sums of the elementwise product of two matrices of one kind."""
        return row_inner(self.dense(xp=xp).matrix, other.dense(xp=xp).matrix, xp=xp)

    def self_term(self, product, *, xp):
        """Squared norm, or what distinct columns have of it, of the squared norm."""
        if self.columns is None:
            return product
        columns = self.columns
        squares = columns * columns
        own = product_of_columns(
            column_sum_of_squares(columns, xp=xp),
            column_sum_of_squares(squares, xp=xp),
            columns.shape[0],
            xp=xp,
        )
        return (product - own) * self._per_pair

    @property
    def _per_pair(self):
        """A mean over pairs of distinct columns, in units of one over all pairs."""
        width = self.columns.shape[1]
        return width / (width - 1) if width > 1 else math.nan

    def quadratics(self, columns, *, xp):
        """Inner products with the outer products of centred columns."""
        return column_inner(columns, self.dense(xp=xp).matrix @ columns, xp=xp)

    def self_terms_without_each_column(self, columns, *, xp):
        """Self terms without each of the columns that the matrix is made of."""
        squares = columns * columns
        totals = column_sum_of_squares(columns, xp=xp)
        alone = totals * totals
        if self.hollow:
            fourths, n = column_sum_of_squares(squares, xp=xp), self.n_samples
            alone = alone * (1 + 1 / ((n - 1) * (n - 2))) - fourths * (n / (n - 2))
        crossed = self.quadratics(columns, xp=xp)
        whole = self.inner(self, xp=xp)
        if self.columns is None:
            return whole - 2 * crossed + alone
        width = columns.shape[1]
        left = whole - xp.sum(alone) - 2 * (crossed - alone)
        return left * ((width - 1) / (width - 2))

    def of_columns(self, n_columns, norm):
        """The same with another norm, of so many columns where these count."""
        known = None if self.n_columns is None else n_columns
        return replace(self, norm=norm, n_columns=known)

    def self_pairs(self, squares, *, xp):
        """What pairs of rows add to the self term, of the squared entries, on numpy."""
        if self.columns is None:
            return squares
        columns = to_numpy(self.columns, xp=xp).astype(np.float64)
        own = without_diagonal(pairs_of_columns(columns, xp=np), xp=np)
        return (squares - own) * self._per_pair

    def self_square(self, square, *, xp):
        """The same of the matrix product of the matrix with itself."""
        if self.columns is None:
            return square
        columns = to_numpy(self.columns, xp=xp).astype(np.float64)
        return (square - squares_of_columns(columns, xp=np)) * self._per_pair

    def self_terms_without_each_row(self, *, xp):
        """Self terms without each row in turn, of shape (n_samples,)."""
        products = products_without_each_row(self, self, xp=xp)
        if self.columns is None:
            return products
        n = self.n_samples
        of_rows = row_products_of_columns(self.columns, xp=xp)
        own = xp.sum(of_rows) - of_rows * (2 * (n - 2) / (n - 3))
        return (products - own) * self._per_pair


@dataclass(frozen=True)
class Factored(SymmetricForm):
    """Outer product of centred rows, never an n x n matrix.

    Attributes
    ----------
    rows : array of shape (n_samples, width)
    mean : array of shape (width,) or None
        What is still to be subtracted from the rows; None if they are centred.
    left_out : array of shape (n_samples,) or None
        Diagonal of the outer product, of a hollow matrix; None of a whole one.
    norm, unit : float
    columns : array of shape (n_samples, n_columns) or None
        Of which a self term takes distinct ones; None where all count alike.
    n_columns : int or None
        Of the representation, where means over columns are wanted.
    """

    rows: object
    mean: object = None
    left_out: object = None
    norm: object = None
    unit: float = 1.0
    columns: object = None
    n_columns: int | None = None

    _row_fields = ("rows", "left_out")
    # only the norm, which stays, is made of the columns
    _derived_fields = ("columns",)

    @property
    def n_samples(self):
        """Number of rows."""
        return self.rows.shape[0]

    @property
    def width(self):
        """Number of columns of the factor."""
        return self.rows.shape[1]

    @property
    def hollow(self):
        """Whether the diagonal is set aside."""
        return self.left_out is not None

    @property
    def centred(self):
        """Rows with their mean subtracted."""
        return self.rows if self.mean is None else self.rows - self.mean

    def settled(self):
        """The same with centred rows."""
        return (
            self if self.mean is None else replace(self, rows=self.centred, mean=None)
        )

    def dense(self, *, xp):
        """The same matrix, whole."""
        rows = self.centred
        matrix = rows @ rows.T
        if self.hollow:
            matrix = u_center(matrix, xp=xp, overwrite=True)
        return Dense(
            matrix, self.hollow, self.norm, self.unit, self.columns, self.n_columns
        )

    def diagonal(self, *, xp):
        """Diagonal of a whole matrix."""
        return row_sum_of_squares(self.centred, xp=xp)

    def inner(self, other, *, xp):
        """Inner product of two matrices."""
        return other._inner_with_rows(self, xp=xp)

    def _inner_with_rows(self, other, *, xp):
        M = other.rows.T @ self.rows
        if other.mean is not None and self.mean is not None:
            # one centred factor centres the other
            M = M - self.n_samples * other.mean[:, None] * self.mean[None, :]
        return self.without_diagonals(other, inner(M, M, xp=xp), xp=xp)

    def _inner_with_matrix(self, other, *, xp):
        # a matrix whose rows sum to zero centres the rows, and a hollow one takes no
        # part of what the other has on its diagonal
        return inner(self.rows, other.matrix @ self.rows, xp=xp)

    def without_diagonals(self, other, product, *, xp):
        """Inner product of hollow matrices, of that of the outer products."""
        if not self.hollow:
            return product
        shared = inner(self.left_out, other.left_out, xp=xp)
        sums = xp.sum(self.left_out) * xp.sum(other.left_out)
        return without_diagonals(product, shared, sums, self.n_samples)

    def quadratics(self, columns, *, xp):
        """Inner products with the outer products of centred columns."""
        rows = self.centred
        products = column_sum_of_squares(rows.T @ columns, xp=xp)
        if not self.hollow:
            return products
        diagonal = self.left_out - 2 * self._effects(xp)
        return products - diagonal @ (columns * columns)

    def row_products(self, other, *, xp):
        """Row sums of the elementwise product of two matrices of one kind."""
        return other._row_products_with_rows(self, xp=xp)

    def _row_products_with_rows(self, other, *, xp):
        a, b = other.centred, self.centred
        products = row_sums((a @ (a.T @ b)) * b, xp=xp)
        if not self.hollow:
            return products
        x, y = other._effects(xp), self._effects(xp)
        products = products - a @ (a.T @ y) - b @ (b.T @ x)
        products = products + self.n_samples * x * y + x * xp.sum(y) + y * xp.sum(x)
        products = products + inner(x, y, xp=xp)
        return products - (other.left_out - 2 * x) * (self.left_out - 2 * y)

    def _effects(self, xp):
        """What bias correction subtracts of an entry off the diagonal, row by row."""
        n, total = self.n_samples, xp.sum(self.left_out)
        return -self.left_out / (n - 2) + total / (2 * (n - 1) * (n - 2))

    def exact(self, *, xp):
        """The same in double precision, centred to its last digit, on numpy."""
        outer = hollow_outer_product if self.hollow else outer_product
        return outer(self.rows, self.mean, xp=xp)

    def tile(self, rows, columns, *, xp):
        """Entries of some rows and columns, up to what hollow matrices leave out."""
        left, right = self.rows[rows, :], self.rows[columns, :]
        if self.mean is None:
            return left @ right.T
        # one centred factor centres one side; what is left of the other is a column
        left = left - self.mean
        return left @ right.T - (left @ self.mean)[:, None]

    def entries(self, rows, *, xp):
        """Some whole rows of the matrix, without what hollow matrices leave out."""
        entries = self.tile(rows, slice(None), xp=xp)
        if not self.hollow:
            return entries
        effects = self._effects(xp)
        entries = entries - effects[rows, None] - effects[None, :]
        own = (
            xp.arange(self.n_samples)[None, :] == xp.arange(self.n_samples)[rows, None]
        )
        return xp.where(own, xp.zeros_like(entries), entries)

    def from_tiles(self, other, product, *, xp):
        """Inner product of two matrices, of that of their tiles."""
        return other._from_tiles_of_rows(self, product, xp=xp)

    def _from_tiles_of_rows(self, other, product, *, xp):
        return self.without_diagonals(other, product, xp=xp)

    def drawn(self, rows, *, xp):
        """Some of the rows, in double precision, before the diagonal is left out."""
        return Factored(as_float64(xp.take(self.centred, rows, axis=0), xp=xp))

    def weighted_sums(self, weights, *, xp):
        """For each row i the sum of w_j K_ij over all other rows j."""
        own = weights * row_sum_of_squares(self.rows, xp=xp)
        return self.rows @ (self.rows.T @ weights) - own

    def weighted_product(self, other, weights, *, xp):
        """Sum of w_i w_j K_ij L_ij over all pairs of different rows."""
        M = self.rows.T @ (weights[:, None] * other.rows)
        own, others = (row_sum_of_squares(f.rows, xp=xp) for f in (self, other))
        return inner(M, M, xp=xp) - xp.sum(weights**2 * own * others)


@dataclass(frozen=True)
class Dense(SymmetricForm):
    """A matrix that is kept whole.

    Attributes
    ----------
    matrix : array of shape (n_samples, n_samples)
    hollow : bool
    norm, unit : float
    columns : array of shape (n_samples, n_columns) or None
    n_columns : int or None
        As of `Factored`.
    """

    matrix: object
    hollow: bool = False
    norm: object = None
    unit: float = 1.0
    columns: object = None
    n_columns: int | None = None

    _row_by_row_fields = ("matrix",)
    _derived_fields = ("columns",)

    @property
    def n_samples(self):
        """Number of rows."""
        return self.matrix.shape[0]

    def dense(self, *, xp):
        """The matrix itself."""
        return self

    def diagonal(self, *, xp):
        """Diagonal of a whole matrix."""
        return xp.linalg.diagonal(self.matrix)

    def inner(self, other, *, xp):
        """Inner product of two matrices."""
        return other._inner_with_matrix(self, xp=xp)

    def _inner_with_rows(self, other, *, xp):
        return other._inner_with_matrix(self, xp=xp)

    def _inner_with_matrix(self, other, *, xp):
        return inner(other.matrix, self.matrix, xp=xp)

    def _row_products_with_rows(self, other, *, xp):
        return super().row_products(other, xp=xp)

    def exact(self, *, xp):
        """The same in double precision, on numpy."""
        return dense_matrix(self.matrix, xp=xp)

    def tile(self, rows, columns, *, xp):
        """Entries of some rows and columns."""
        return self.matrix[rows, columns]

    def entries(self, rows, *, xp):
        """Some whole rows of the matrix."""
        return self.matrix[rows, :]

    def from_tiles(self, other, product, *, xp):
        """Inner product of two matrices, of that of their tiles."""
        return product

    def _from_tiles_of_rows(self, other, product, *, xp):
        return product

    def drawn(self, rows, *, xp):
        """Some of the rows and columns, in double precision."""
        matrix = xp.take(xp.take(self.matrix, rows, axis=0), rows, axis=1)
        return Dense(as_float64(matrix, xp=xp))

    def weighted_sums(self, weights, *, xp):
        """For each row i the sum of w_j K_ij over all other rows j."""
        return self.matrix @ weights - weights * xp.linalg.diagonal(self.matrix)

    def weighted_product(self, other, weights, *, xp):
        """Sum of w_i w_j K_ij L_ij over all pairs of different rows."""
        K, L = self.matrix, other.matrix
        own = weights**2 * xp.linalg.diagonal(K) * xp.linalg.diagonal(L)
        if not is_numpy(xp):
            return weights @ ((K * L) @ weights) - xp.sum(own)
        slices = row_slices(len(K), len(K))
        product = sum(weights[b] @ ((K[b] * L[b]) @ weights) for b in slices)
        return product - np.sum(own)


@dataclass(frozen=True)
class BlockedMatrix(SymmetricForm):
    """A centred n x n matrix that is a function of the rows' distances, never made.

    Entries are f(d_ij) - o_i - o_j with f the distance itself or, where ``decay`` is
    given, exp(-decay d^2). ``hollow`` matrices are zero on the diagonal.
    """

    rows: object
    squares: object
    offsets: object
    decay: float | None
    hollow: bool
    norm: float
    unit: float = 1.0

    _row_fields = ("rows", "squares", "offsets")
    width = 0

    @property
    def n_samples(self):
        """Number of rows."""
        return self.rows.shape[0]

    def squared_norm_before(self, *, xp):
        """Squared norm of what was centred, without its diagonal if that is aside."""
        # what centring took away is orthogonal to what it left
        n = self.n_samples - 2 * self.hollow
        offsets = as_float64(self.offsets, xp=xp)
        removed = 2 * n * xp.sum(offsets * offsets) + 2 * xp.sum(offsets) ** 2
        return self.norm**2 + float(removed)

    def inner(self, other, *, xp):
        """Inner product of two matrices."""
        total = 0.0
        blocks = symmetric_blocks(self.n_samples)
        for i, j, weight in tracked(blocks, "comparing distances"):
            first = self.block(i, j, xp=xp)
            second = first if self is other else other.block(i, j, xp=xp)
            total += weight * float(inner(first, second, xp=xp))
        return total

    def row_products(self, other, *, xp):
        """Row sums of the elementwise product of two matrices of one kind."""
        sums = [0.0] * len(range(0, self.n_samples, BLOCK_ROWS))
        blocks = symmetric_blocks(self.n_samples)
        for i, j, weight in tracked(blocks, "comparing distances"):
            products = self.block(i, j, xp=xp) * other.block(i, j, xp=xp)
            products = as_float64(products, xp=xp)
            sums[i.start // BLOCK_ROWS] += xp.sum(products, axis=1)
            if weight == 2:
                sums[j.start // BLOCK_ROWS] += xp.sum(products, axis=0)
        return xp.concat(sums)

    def diagonal(self, *, xp):
        """Diagonal of a whole matrix."""
        parts = [
            as_float64(xp.linalg.diagonal(self.block(i, j, xp=xp)), xp=xp)
            for i, j, weight in symmetric_blocks(self.n_samples)
            if weight == 1
        ]
        return xp.concat(parts)

    def dense(self, *, xp):
        """The same matrix, whole."""
        everything = slice(0, self.n_samples)
        matrix = self.block(everything, everything, xp=xp)
        return Dense(matrix, self.hollow, self.norm, self.unit)

    def entries(self, i, j, *, xp):
        """What is centred, for some rows and columns; may be overwritten."""
        squares = distance_block(self.rows, self.squares, i, j, xp=xp)
        return of_distances(squares, self.decay, xp=xp)

    def block(self, i, j, *, xp):
        """The centred entries of some rows and columns, both slices."""
        entries = self.entries(i, j, xp=xp)
        if is_numpy(xp):
            entries -= self.offsets[i, None]
            entries -= self.offsets[None, j]
            if self.hollow and i == j:
                np.fill_diagonal(entries, 0)
            return entries
        entries = entries - self.offsets[i, None] - self.offsets[None, j]
        if self.hollow and i == j:
            diagonal = xp.eye(
                entries.shape[0], dtype=entries.dtype, device=device_of(entries)
            )
            entries = entries * (1 - diagonal)
        return entries


def blocked_matrix(rows, squares, decay, *, hollow, xp):
    """Centre a function of the distances block by block, and find its norm.

    Parameters
    ----------
    rows, squares : arrays
        Centred rows and their squared norms.
    decay : float or None
        None for the distances themselves, a number for exp(-decay d^2).
    hollow : bool
        Whether the diagonal is set aside (unbiased estimators) or centred too.
    xp : module
        Array namespace.
    """
    matrix = BlockedMatrix(rows, squares, None, decay, hollow, 1.0)
    return centred_by_blocks(matrix, xp=xp)


def centred_by_blocks(matrix, *, xp):
    """The same blocked matrix with its offsets and its norm.

    Where squares of its entries would underflow in single precision it becomes one in
    double precision.
    """
    rows, hollow = matrix.rows, matrix.hollow
    n = rows.shape[0]
    sums = [0.0] * len(range(0, n, BLOCK_ROWS))
    total_squares = 0.0
    for i, j, weight in tracked(symmetric_blocks(n), "centring distances"):
        entries = as_float64(matrix.entries(i, j, xp=xp), xp=xp)
        if hollow and weight == 1:
            # left out, not subtracted later: it may be all but a tiny rest
            entries = without_diagonal(entries, xp=xp, overwrite=True)
        total_squares += weight * float(inner(entries, entries, xp=xp))
        sums[i.start // BLOCK_ROWS] += xp.sum(entries, axis=1)
        if weight == 2:
            sums[j.start // BLOCK_ROWS] += xp.sum(entries, axis=0)
    sums = xp.concat(sums)
    if rows.dtype != xp.float64 and squares_underflow(total_squares, n, rows.dtype, xp):
        squares = matrix.squares
        squares = None if squares is None else as_float64(squares, xp=xp)
        matrix = replace(matrix, rows=as_float64(rows, xp=xp), squares=squares)
        return centred_by_blocks(matrix, xp=xp)
    if hollow:
        offsets = sums / (n - 2)
        offsets = offsets - xp.sum(offsets) / (2 * (n - 1))
    else:
        offsets = sums / n - xp.sum(sums) / (2 * n * n)
    matrix = replace(matrix, offsets=xp.astype(offsets, rows.dtype))
    # the norm after centring, from sums of this pass where that keeps ten digits
    removed = 4 * float(xp.sum(offsets * sums))
    both = 2 * float(xp.sum(offsets)) ** 2
    both += 2 * (n - 2 * hollow) * float(xp.sum(offsets * offsets))
    squared_norm = total_squares - removed + both
    if rows.dtype != xp.float64 or squared_norm < 1e-5 * total_squares:
        squared_norm = matrix.inner(matrix, xp=xp)
    return replace(matrix, norm=squared_norm**0.5)


def squares_underflow(squared_norm, n, dtype, xp):
    """Whether squares of a typical entry of an n x n matrix lose their digits."""
    info = xp.finfo(dtype)
    return squared_norm / n**2 < float(info.smallest_normal) / float(info.eps)


def without_diagonals(product, shared, sums, n):
    """Inner product of two linear kernels of centred rows, bias-corrected.

    Centred rows make the kernel's row sums vanish, so that without its diagonal the
    row sums are minus the diagonal.

    Parameters
    ----------
    product : float
        Inner product of the kernels with their diagonals.
    shared, sums : float
        Inner product of the two diagonals, and product of their sums.
    n : int
        Number of rows.
    """
    return product - shared * (1 + 2 / (n - 2)) + sums / ((n - 1) * (n - 2))


def products_without_each_row(a, b, *, xp):
    """Inner products of two matrices of one kind without each row in turn.

    Centring is a projection, so that what is left without a row can be centred again
    from its centred form.

    Returns
    -------
    products : array of shape (n_samples,)
    """
    of_rows = a.row_products(b, xp=xp)
    own = None if a.hollow else a.diagonal(xp=xp) * b.diagonal(xp=xp)
    return total_without_each_row(of_rows, own, xp=xp)


def total_without_each_row(of_rows, own, *, xp):
    """Inner products without each row, of the row sums of elementwise products.

    Parameters
    ----------
    of_rows : array of shape (n_samples,)
    own : array of shape (n_samples,) or None
        Products of the diagonals; None for hollow matrices.
    xp : module
        Array namespace.
    """
    n = of_rows.shape[0]
    total = xp.sum(of_rows)
    if own is None:
        return total - of_rows * (2 * (n - 2) / (n - 3))
    share = n / (n - 1)
    return total - of_rows * (2 * share) + own * share**2
