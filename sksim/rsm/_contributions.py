"""What products of matrices of pairs are made of: parts that add up to them."""

import numpy as np

from sksim.arrays._namespace import to_numpy
from sksim.arrays._pairs import MATRIX_ROWS
from sksim.arrays._symmetric import BlockedMatrix
from sksim.base._contributions import principal_scores, sums_by_classes

# Eigenvalues below this share of the largest are what rounding leaves of zero.
_NO_EIGENVALUE = 1e-13


def refuse_many_rows(n_samples, remedy):
    """Raise where there are too many rows for matrices of rows by rows."""
    if n_samples > MATRIX_ROWS:
        raise ValueError(
            f"{n_samples} rows are too many: these contributions need n x n "
            f"matrices. Pass at most {MATRIX_ROWS} of the rows, or {remedy}."
        )


# ----- cosines of centred kernels -----------------------------------------------------


def kernels_by_components(comparison):
    """Parts of all pairs of eigenvectors."""
    values_x, vectors_x = _components(comparison.view_x, comparison.xp)
    values_y, vectors_y = _components(comparison.view_y, comparison.xp)
    parts = (vectors_x.T @ vectors_y) ** 2
    parts *= values_x[:, None] * values_y[None, :]
    return parts / _norms(comparison)


def kernels_by_rows(comparison):
    """Parts of the rows."""
    xp = comparison.xp
    x, y = comparison.view_x.settled(), comparison.view_y.settled()
    if type(x) is not type(y):
        x, y = (_whole(form, xp) for form in (x, y))
    return to_numpy(x.row_products(y, xp=xp), xp=xp) / _norms(comparison)


def kernels_by_classes(comparison, is_of):
    """Parts of all pairs of classes."""
    xp, forms = comparison.xp, (comparison.view_x, comparison.view_y)
    if all(_is_outer_product(form) for form in forms):
        # entries of both kernels, summed over the rows of two classes, are products
        # of the classes' own cross-products
        X, Y = (_centred(form, xp) for form in forms)
        own = (own.astype(bool) for own in is_of.T)
        products = np.stack([(X[i].T @ Y[i]).ravel() for i in own])
        parts = products @ products.T
    else:
        K, L = (to_numpy(_whole(form, xp).matrix, xp=xp) for form in forms)
        parts = sums_by_classes(K * L, is_of)
    return parts / _norms(comparison)


def _norms(comparison):
    return float(comparison.view_x.norm) * float(comparison.view_y.norm)


def _is_outer_product(form):
    return bool(form.width) and np.isfinite(form.width) and not form.hollow


def _centred(form, xp):
    return to_numpy(form.centred, xp=xp).astype(np.float64)


def _components(form, xp):
    """Eigenvalues that are not zero, the largest magnitude first, and eigenvectors."""
    if _is_outer_product(form):
        vectors, scales, _ = np.linalg.svd(_centred(form, xp), full_matrices=False)
        values = scales**2
    else:
        matrix = to_numpy(_whole(form, xp).matrix, xp=xp).astype(np.float64)
        values, vectors = np.linalg.eigh(matrix)
    order = np.argsort(-np.abs(values), kind="stable")
    order = order[np.abs(values[order]) > _NO_EIGENVALUE * np.abs(values[order[0]])]
    return values[order], vectors[:, order]


def _whole(form, xp):
    """The n x n matrix, unless there are too many rows for one."""
    limit = 0 if isinstance(form, BlockedMatrix) else MATRIX_ROWS
    if form.n_samples > limit:
        raise ValueError(
            f"{form.n_samples} rows are too many: these contributions need n x n "
            f"matrices. Pass at most {MATRIX_ROWS} of the rows, or use the linear "
            "kernel without debias."
        )
    return form.dense(xp=xp)


# ----- correlations of squared distances ----------------------------------------------


def distances_by_components(x, y, comparison):
    """Parts of the correlation of squared distances of all pairs of rows.

    A squared distance is the sum of those along each principal component, and the
    correlation is linear in either list.

    Parameters
    ----------
    x, y : arrays of shape (n_samples, n_features)
        Rows of which the dissimilarities are squared distances, on numpy.
    comparison : {"pearson", "cosine", "corr_cov", "cosine_cov"}
        As of :class:`RSA`.
    """
    # correlations have no scale
    x, y = (a / np.linalg.norm(a[:, 0]) for a in map(_scores_of, (x, y)))
    squared_norms = (_products(a, a, comparison).sum() for a in (x, y))
    norms = np.prod([squared_norm**0.5 for squared_norm in squared_norms])
    return _products(x, y, comparison) / norms


def _scores_of(rows):
    return principal_scores(rows - rows.mean(axis=0))


def _products(x, y, comparison):
    """Inner products of what each two components have in dissimilarities."""
    n = len(x)
    squares_x, squares_y = x * x, y * y
    both = np.outer(squares_x.sum(axis=0), squares_y.sum(axis=0))
    crossed = (x.T @ y) ** 2
    if comparison == "cosine_cov":
        return crossed
    if comparison == "corr_cov":
        return crossed - both / (n - 1)
    # sum over pairs i < j of (x_i - x_j)^2 (y_i - y_j)^2, of centred columns
    products = n * (squares_x.T @ squares_y) + both + 2 * crossed
    return products if comparison == "cosine" else products - 2 * n / (n - 1) * both
