"""Linear algebra that is safe against scale, offset and rank."""

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import scipy.linalg

from sksim.arrays._namespace import (
    as_float64,
    cholesky_upper,
    column_sum_of_squares,
    device_of,
    has_gradients,
    inner,
    is_numpy,
    number,
    right_solve_triangular,
    row_blocks_of,
    row_sum_of_squares,
    triangular_factor,
    with_gradient,
    without_gradients,
)
from sksim.arrays._views import View


class Centered(NamedTuple):
    """Centred rows: ``rows * scale`` is the representation minus its means."""

    rows: object
    mean: object
    scale: float
    squared_norm: float


def safe_range(xp, dtype):
    """Squared norms between these can be multiplied without over- or underflow."""
    return (1e-100, 1e100) if dtype == xp.float64 else (1e-12, 1e16)


def power_of_two_scale(X, *, xp):
    """Largest power of two not above the largest magnitude; 1 for all zeros."""
    largest = max(number(xp.max(X)), -number(xp.min(X)))
    if largest == 0:
        return 1.0
    exponent = math.frexp(largest)[1] - 1
    # the reciprocal must be a finite, normal number of the same precision
    limit = 1000 if X.dtype == xp.float64 else 120
    return 2.0 ** max(-limit, min(limit, exponent))


def rescaled(X, *, xp):
    """``(rows, scale, squared_norm)`` with ``rows * scale == X`` and a safe norm.

    Rows are X itself unless products of its entries could over- or underflow; then
    the scale is a power of two, so that no digit is lost.
    """
    low, high = safe_range(xp, X.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        squared_norm = number(xp.sum(column_sum_of_squares(X, xp=xp)))
    if low < squared_norm < high:
        return X, 1.0, squared_norm
    scale = power_of_two_scale(X, xp=xp)
    rows = X * (1.0 / scale)
    return rows, scale, number(xp.sum(column_sum_of_squares(rows, xp=xp)))


def rows_and_norms(X, *, xp, role=None):
    """Rows of the same directions, and their Euclidean norms in double precision.

    The rows are X itself unless their squares could over- or underflow. A row of zeros
    has no direction, which is a ValueError.
    """
    with np.errstate(over="ignore", under="ignore"):
        squares = xp.concat(
            [
                row_sum_of_squares(as_float64(X[b, :], xp=xp), xp=xp)
                for b in row_blocks_of(X)
            ]
        )
    if number(xp.min(squares)) > 1e-200 and number(xp.max(squares)) < 1e200:
        return X, xp.sqrt(squares)
    X = as_float64(X, xp=xp)
    largest = xp.max(xp.abs(X), axis=1)
    refuse_rows(largest == 0, role, "zero, so that its angles are undefined", xp=xp)
    # a power of two, by which no digit is lost
    X = X / (2.0 ** xp.floor(xp.log2(largest)))[:, None]
    return X, xp.sqrt(row_sum_of_squares(X, xp=xp))


def refuse_rows(is_bad, role, problem, *, xp):
    """Raise if there is a bad row, naming the first."""
    n_bad = int(xp.count_nonzero(is_bad))
    if n_bad:
        first = int(xp.argmax(xp.astype(is_bad, xp.int64)))
        others = f", and so are {n_bad - 1} others" if n_bad > 1 else ""
        raise ValueError(
            f"Row {first} of {role_name(role)} is {problem}{others}. Leave such rows "
            "out of both representations, or choose a measure that does not need "
            "directions, for example one with metric='euclidean'."
        )


def in_row_blocks(function, X, *, xp):
    """``function`` of each block of rows of X, where each stays in the cache.

    ``function`` takes a slice and returns as many rows; the result has X's precision
    and shape.
    """
    if not is_numpy(xp):
        return xp.concat([xp.astype(function(b), X.dtype) for b in row_blocks_of(X)])
    result = np.empty_like(X)
    for b in row_blocks_of(X):
        result[b] = function(b)
    return result


def unit_rows(X, *, xp, role=None):
    """Rows scaled to unit norm, in X's precision; ValueError for a row of zeros."""
    rows, norms = rows_and_norms(X, xp=xp, role=role)
    # in double precision, where the norms of tiny rows have an inverse
    return in_row_blocks(
        lambda b: as_float64(rows[b, :], xp=xp) / norms[b][:, None], X, xp=xp
    )


def centered(X, *, xp):
    """Subtract the column means, without overflow and without rounding noise.

    A column that varies by no more than rounding is constant, and becomes exactly
    zero. Where entries are so large or small that their products could overflow or
    vanish, rows are scaled by a power of two, which loses no digit.
    """
    low, high = safe_range(xp, X.dtype)
    eps = float(xp.finfo(X.dtype).eps)
    rounding = 8 * eps
    scale = 1.0
    mean, rows, squares = _subtract_mean(X, xp=xp)
    if not low < number(xp.sum(squares)) < high:
        # before the means, which have no digits to spare among the smallest numbers
        scale = power_of_two_scale(X, xp=xp)
        mean, rows, squares = _subtract_mean(X * (1.0 / scale), xp=xp)
    if bool(xp.any(X.shape[0] * (mean * mean) > squares / eps)):
        # the mean is so large that its own rounding is left in every row
        mean_of_rest, rows, squares = _subtract_mean(rows, xp=xp)
        mean = mean + mean_of_rest
    mean_scale = scale
    squared_norm = number(xp.sum(squares))
    if squared_norm > low:
        constant = squares <= X.shape[0] * (rounding * mean) ** 2
    else:
        constant = xp.max(xp.abs(rows), axis=0) <= rounding * xp.abs(mean)
    if bool(xp.any(constant)):
        rows = xp.where(constant, xp.zeros_like(rows), rows)
        squared_norm = number(xp.sum(column_sum_of_squares(rows, xp=xp)))
    if squared_norm <= low:
        spread = power_of_two_scale(rows, xp=xp)
        rows = rows * (1.0 / spread)
        squared_norm = number(xp.sum(column_sum_of_squares(rows, xp=xp)))
        scale = scale * spread
    return Centered(rows, mean * mean_scale, scale, squared_norm)


class Offset(NamedTuple):
    """Rows and the mean still to be subtracted; None if that has been done."""

    rows: object
    mean: object
    squared_norm: float
    scale: float


def lazily_centered(X, *, xp):
    """Rows as they are, with their mean, where products can be corrected safely.

    Elsewhere, and at extreme scales, rows come out centred.
    """
    offset = uncentered(X, xp=xp)
    if offset is not None:
        return offset
    rows, _, scale, squared_norm = centered(X, xp=xp)
    return Offset(rows, None, squared_norm, scale)


def uncentered(X, *, xp):
    """Rows as they are, with their mean, or None where that would lose digits.

    The product of centred views is ``A.T @ B - n * mean_a * mean_b'``. While the means
    carry at most four times the variance this loses less than one digit and saves a
    copy of the data.
    """
    low, high = safe_range(xp, X.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean = xp.mean(X, axis=0)
        squares = column_sum_of_squares(without_gradients(X), xp=xp)
        total = number(xp.sum(as_float64(squares, xp=xp)))
        offset = without_gradients(as_float64(mean, xp=xp))
        offset = X.shape[0] * number(xp.sum(offset**2))
    if low < total < high and offset <= 0.8 * total:
        return Offset(X, mean, total - offset, 1.0)
    return None


def centered_product(rows_x, mean_x, rows_y, mean_y):
    """D x D' product of centred views; one centred factor centres the other.

    Means are None for rows that are centred.
    """
    product = rows_x.T @ rows_y
    if mean_x is None or mean_y is None:
        return product
    return product - rows_x.shape[0] * mean_x[:, None] * mean_y[None, :]


def squared_norm_of(rows, mean, squared_norm, *, xp):
    """Squared norm of centred rows, which is known, with its gradients if it has any.

    ``mean`` is what is still to be subtracted, None if the rows are centred.
    """
    if not has_gradients(rows):
        return squared_norm
    known = xp.asarray(squared_norm, dtype=xp.float64, device=device_of(rows))

    def gradient(rows):
        return 2 * (rows if mean is None else rows - xp.mean(rows, axis=0))

    return with_gradient(lambda _: known, gradient, rows)


def _subtract_mean(X, *, xp):
    """Column means, centred rows and their columns' squared norms; may overflow."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean = xp.mean(X, axis=0)
        rows = X - mean
        return mean, rows, column_sum_of_squares(without_gradients(rows), xp=xp)


def refuse_constant(squared_norm, role, *, centered=True):
    """Raise if nothing is left of a representation."""
    if squared_norm == 0 and not centered:
        raise ValueError(
            f"{role_name(role)} is zero everywhere, so that it can't be scaled to unit "
            "norm. Check that the right array was passed and that the layer is not "
            "dead, or set scale=False if the measure has that parameter."
        )
    if squared_norm == 0:
        raise ValueError(
            f"{role_name(role)} is constant: all of its rows are equal, so that "
            "nothing is left to compare after centring. Check that the right array "
            "was passed and that the layer is not dead."
        )


def role_name(role):
    """What the user calls the representation that a view is made of."""
    return {"x": "X", "y": "y", "z": "z"}.get(role, "A representation")


def nuclear_norm(M, *, xp):
    """Sum of the singular values of a matrix, in double precision.

    By the eigenvalues of the smaller Gram matrix where the sum of their roots keeps
    eleven digits (of a single-precision M, eight), two to three times faster; by
    singular values elsewhere. Its gradient is the polar factor: see there.
    """
    exact = as_float64(M, xp=xp)
    if has_gradients(M):
        return with_gradient(
            partial(nuclear_norm, xp=xp), partial(polar_factor, xp=xp), M
        )
    gram = exact @ exact.T if M.shape[0] <= M.shape[1] else exact.T @ exact
    squares = eigvalsh(gram, xp=xp)
    # eigenvalues are off by four roundings of the largest (root mean square, measured
    # for 10 to 1000 of them), and their roots by that over twice the root
    rounding = 4 * float(xp.finfo(xp.float64).eps) * float(squares[-1])
    enough = 1e-11 if M.dtype == xp.float64 else 1e-8
    if rounding > 0:
        roots = xp.sqrt(xp.clip(squares, rounding, None))
        errors = rounding / (2 * roots)
        tolerance = enough * number(xp.sum(roots))
        if _norm(errors, xp=xp) <= tolerance:
            return xp.sum(roots)
        if M.shape[0] == M.shape[1] and _norm(errors[1:], xp=xp) <= tolerance:
            # only the smallest is in doubt, and the determinant is their product
            others = roots[1:]
            log_det = xp.linalg.slogdet(exact)[1]
            smallest = number(xp.exp(log_det - xp.sum(xp.log(others))))
            errors[0] = smallest * _norm(errors[1:] / others, xp=xp)
            if _norm(errors, xp=xp) <= tolerance:
                return xp.sum(others) + smallest
    return xp.sum(as_float64(svdvals(M, xp=xp), xp=xp))


def polar_factor(M, *, xp):
    """U V' of the singular vectors of a matrix, in double precision.

    Of singular values above rounding alone: this is the nuclear norm's gradient where
    it has one, whatever values are equal, and its subgradient of smallest norm where
    some are zero.
    """
    exact = as_float64(M, xp=xp)
    is_flat = M.shape[0] <= M.shape[1]
    tall = exact.T if is_flat else exact
    squares, V = xp.linalg.eigh(tall.T @ tall)
    # roots above a thousandth of the largest keep nine digits of their vectors, and
    # eigenvectors take a third of the time of singular vectors
    if number(squares[0]) > 1e-6 * number(squares[-1]):
        factor = tall @ ((V / xp.sqrt(squares)) @ V.T)
        return factor.T if is_flat else factor
    U, s, Vt = unsigned_svd(exact, xp=xp)
    rounding = max(M.shape) * float(xp.finfo(M.dtype).eps)
    rank = int(xp.count_nonzero(s > rounding * s[0]))
    return U[:, :rank] @ Vt[:rank, :]


def _norm(vector, *, xp):
    return number(inner(vector, vector, xp=xp)) ** 0.5


def _refuse_infinite(M, *, xp):
    """Raise where a product has overflowed, on which LAPACK would print or fail."""
    if not bool(xp.all(xp.isfinite(M))):
        raise ValueError(
            "The entries of the representations are so large, or so far apart in size, "
            "that their products are not finite. Rescale them, for example to unit "
            "norm, or standardise their columns."
        )


def eigvalsh(A, *, xp):
    """Eigenvalues of a symmetric matrix, ascending."""
    _refuse_infinite(A, xp=xp)
    if is_numpy(xp):
        return scipy.linalg.eigvalsh(A, check_finite=False)
    return xp.linalg.eigvalsh(A)


def svdvals(M, *, xp):
    """Singular values of a matrix, descending."""
    _refuse_infinite(M, xp=xp)
    if is_numpy(xp):
        return scipy.linalg.svdvals(M, check_finite=False)
    return xp.linalg.svdvals(M)


def unsigned_svd(M, *, xp):
    """Thin singular value decomposition, for uses in which signs cancel."""
    _refuse_infinite(M, xp=xp)
    if is_numpy(xp):
        return scipy.linalg.svd(M, full_matrices=False, check_finite=False)
    return xp.linalg.svd(M, full_matrices=False)


def thin_svd(M, *, xp):
    """Thin singular value decomposition with a sign convention.

    The largest entry of each right singular vector is positive, so that every
    library gives the same vectors.
    """
    U, s, Vt = unsigned_svd(M, xp=xp)
    signs = row_signs(Vt, xp=xp)
    return U * signs, s, Vt * signs[:, None]


def row_signs(M, *, xp):
    """Sign of the entry of largest magnitude in each row, as 1 or -1."""
    rows = xp.arange(M.shape[0], device=getattr(M, "device", None))
    largest = xp.argmax(xp.abs(M), axis=1)
    peak = xp.reshape(M, (-1,))[rows * M.shape[1] + largest]
    return xp.where(peak < 0, -xp.ones_like(peak), xp.ones_like(peak))


def tall_svd(X, *, xp):
    """Thin SVD of a matrix with many more rows than columns, or the reverse."""
    n_samples, n_features = X.shape
    if n_samples > 2 * n_features:
        Q, R = xp.linalg.qr(X, mode="reduced")
        U, s, Vt = thin_svd(R, xp=xp)
        return Q @ U, s, Vt
    if n_features > 2 * n_samples:
        Q, R = xp.linalg.qr(X.T, mode="reduced")
        U, s, Vt = thin_svd(R.T, xp=xp)
        return U, s, Vt @ Q.T
    return thin_svd(X, xp=xp)


def numerical_rank(singular_values, shape, *, xp):
    """Number of singular values above rounding, relative to the largest."""
    epsilon = float(xp.finfo(singular_values.dtype).eps)
    tolerance = max(shape) * epsilon * number(singular_values[0])
    return int(xp.count_nonzero(singular_values > tolerance))


@dataclass(frozen=True)
class Basis(View):
    """Orthonormal basis of a representation's column space.

    ``basis @ coordinates * scale`` are the centred rows.

    Attributes
    ----------
    basis : array of shape (n_samples, rank)
    coordinates : array of shape (rank, n_features)
    mean : array of shape (n_features,)
    scale : float
    """

    basis: object
    coordinates: object
    mean: object
    scale: float

    _row_fields = ("basis",)

    @property
    def rank(self):
        """Dimension of the column space."""
        return self.coordinates.shape[0]

    def rotations(self, directions, *, xp):
        """Weights of the features that give ``basis @ directions``."""
        inverse = xp.linalg.pinv(self.coordinates, rtol=1e-15)
        return inverse @ directions * (1.0 / self.scale)


def orthonormal_basis(X, *, xp, role=None, center=True):
    """Orthonormal basis of the (centred) representation, in double precision.

    By the Cholesky factor of the Gram matrix where its condition allows that, by a
    second pass where it nearly does, and by a singular value decomposition that finds
    the rank elsewhere. Gradients then are those within the directions that are found.
    """
    X = as_float64(X, xp=xp)
    if center:
        rows, mean, scale, squared_norm = centered(X, xp=xp)
    else:
        (rows, scale, squared_norm), mean = rescaled(X, xp=xp), None
    refuse_constant(squared_norm, role, centered=center)
    if rows.shape[0] > rows.shape[1]:
        by_cholesky = _cholesky_basis(rows, xp=xp)
        if by_cholesky is not None:
            return Basis(*by_cholesky, mean, scale)
    U, s, Vt = tall_svd(without_gradients(rows), xp=xp)
    rank = numerical_rank(s, rows.shape, xp=xp)
    U, s, Vt = U[:, :rank], s[:rank, None], Vt[:rank, :]
    if has_gradients(rows):
        # singular vectors have none where values are equal; the space they span has
        U = rows @ (Vt / s).T
        U = right_solve_triangular(U, cholesky_upper(U.T @ U, xp=xp), xp=xp)
    return Basis(U, s * Vt, mean, scale)


# Down to this ratio of its diagonal's entries a Cholesky factor is used as it is.
_PLAIN_RATIO = 1e-4


def _diagonal_ratio(R, *, xp):
    """Smallest entry of a triangular factor's diagonal through its largest entry.

    Without pivoting the largest need not be on the diagonal.
    """
    smallest = number(xp.min(xp.abs(xp.linalg.diagonal(R))))
    return smallest / number(xp.max(xp.abs(R)))


def well_conditioned(R, *, xp):
    """Whether a Cholesky factor of a Gram matrix keeps ten digits."""
    return _diagonal_ratio(R, xp=xp) >= _PLAIN_RATIO


def _cholesky_basis(rows, *, xp):
    """(basis, coordinates) by one or two Cholesky factorisations, or None.

    The ratio of the factor's diagonal underestimates the condition number by 3 to 15;
    the two limits keep ten digits with that margin.
    """
    R = cholesky_upper(rows.T @ rows, xp=xp)
    if R is None:
        return None
    ratio = _diagonal_ratio(R, xp=xp)
    if not ratio >= 1e-7:
        return None
    basis = right_solve_triangular(rows, R, xp=xp)
    if ratio < _PLAIN_RATIO:
        correction = cholesky_upper(basis.T @ basis, xp=xp)
        if correction is None:
            return None
        basis = right_solve_triangular(basis, correction, xp=xp)
        R = correction @ R
    return basis, R


def row_factor(X, *, xp):
    """N x n matrix L of a wide X, with X = L Q' for the basis Q of its rows.

    Gradients are those of what rotations of X leave as it is, for which the basis is
    as good as constant.
    """
    if has_gradients(X):
        return X @ row_factor_basis(without_gradients(X), xp=xp)
    return triangular_factor(X.T, xp=xp).T


def row_factor_basis(X, *, xp):
    """The basis Q, of shape (n_features, n_samples), that `row_factor` leaves out."""
    if is_numpy(xp):
        return scipy.linalg.qr(X.T, mode="economic", check_finite=False)[0]
    return xp.linalg.qr(X.T, mode="reduced")[0]
