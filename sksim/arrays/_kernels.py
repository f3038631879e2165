"""Kernel matrices: distances, centring, and inner products of many pairs."""

import numpy as np
from sklearn.metrics.pairwise import pairwise_kernels

from sksim.arrays._linalg import lazily_centered
from sksim.arrays._namespace import (
    device_of,
    is_numpy,
    move_to,
    number,
    root,
    row_sum_of_squares,
    to_numpy,
)
from sksim.arrays._pairs import condensed, of_squares, squared_distance_matrix
from sksim.arrays._slices import slices

# Rows that a block of an n x n matrix holds: a block of 8 MB stays in the cache.
_BLOCK_ELEMENTS = 2**20


def row_blocks(n_rows, n_columns):
    """Slices that cut n_rows so that a block has about a million elements."""
    size = max(1, min(n_rows, _BLOCK_ELEMENTS // max(1, n_columns)))
    return slices(n_rows, size)


def squared_distances(X, *, xp):
    """Squared Euclidean distances between the rows of X, diagonal exactly 0.

    Rows are centred first where the expansion of (a - b)^2 would lose digits to a
    common offset. Returns distances in units of the returned scale.
    """
    rows, _, _, scale = lazily_centered(X, xp=xp)
    norms = row_sum_of_squares(rows, xp=xp)
    return squared_distance_matrix(rows, norms, xp=xp), scale


def _identity_like(matrix, *, xp):
    return xp.eye(matrix.shape[0], dtype=matrix.dtype, device=device_of(matrix))


def median_distance(squares, *, xp):
    """Median distance of the pairs of rows, from the matrix of squared distances."""
    values = condensed(squares, xp=xp)
    count = values.shape[0]
    middle = (count - 1) // 2, count // 2
    values = np.partition(values, middle) if is_numpy(xp) else xp.sort(values)
    return sum(root(values[place]) for place in middle) / 2


def rbf_kernel(X, bandwidth, *, xp, name="X"):
    """exp(-d^2 / (2 s^2)) with s = ``bandwidth`` times the median distance."""
    squares, _ = squared_distances(X, xp=xp)
    median = median_distance(squares, xp=xp)
    means = xp.mean(squares, axis=0)
    # of centred rows, whose squared norms add up to half of all squared distances
    refuse_zero_bandwidth(median, means - xp.mean(means) / 2, name, xp=xp)
    return of_squares(squares, 0.5 / (bandwidth * median) ** 2, xp=xp)


def refuse_zero_bandwidth(median, squared_norms, name, *, xp):
    """Raise where the median distance is 0, or what rounding makes of it."""
    typical = number(xp.sort(squared_norms)[squared_norms.shape[0] // 2])
    median = number(median)
    info = xp.finfo(squared_norms.dtype)
    if median**2 <= max(16 * float(info.eps) * typical, float(info.smallest_normal)):
        raise ValueError(
            f"More than half of the pairs of rows of {name} coincide, so that the "
            "median distance, which sets the kernel's bandwidth, is 0. Remove "
            "duplicate rows, or use kernel='linear'."
        )


def kernel_matrix(X, kernel, kernel_params, *, xp, other=None):
    """Kernel matrix by scikit-learn's pairwise kernels, on X's device.

    Of the rows of X with each other, or with those of ``other``.
    """
    params = kernel_params or {}
    if is_numpy(xp):
        return pairwise_kernels(X, other, metric=kernel, **params)
    rows = (None if A is None else to_numpy(A, xp=xp) for A in (X, other))
    matrix = pairwise_kernels(*rows, metric=kernel, **params)
    return xp.astype(move_to(matrix, xp=xp, device=device_of(X)), X.dtype)


def double_center(K, *, xp, overwrite=False):
    """H K H with H = I - 1/n: means of rows and columns removed.

    With ``overwrite``, K itself may be changed, which saves a copy on numpy.
    """
    means = xp.mean(K, axis=0)
    offsets = means - xp.mean(means) / 2
    if overwrite and is_numpy(xp):
        K -= offsets[None, :]
        K -= offsets[:, None]
        return K
    return K - offsets[None, :] - offsets[:, None]


def without_diagonal(K, *, xp, overwrite=False):
    """A matrix with zeros on its diagonal; with ``overwrite``, K itself on numpy."""
    if overwrite and is_numpy(xp):
        np.fill_diagonal(K, 0)
        return K
    return K * (1 - _identity_like(K, xp=xp))


def u_center(K, *, xp, overwrite=False):
    """Bias-corrected centring of a kernel matrix with its diagonal set aside.

    The inner product of two such matrices, divided by n (n - 3), is the unbiased
    estimator of the Hilbert-Schmidt independence criterion. With ``overwrite``, K
    itself may be changed.
    """
    n = K.shape[0]
    K = without_diagonal(K, xp=xp, overwrite=overwrite)
    sums = xp.sum(K, axis=0) / (n - 2)
    offsets = sums - xp.sum(sums) / (2 * (n - 1))
    if overwrite and is_numpy(xp):
        K -= offsets[None, :]
        K -= offsets[:, None]
    else:
        K = K - offsets[None, :] - offsets[:, None]
    return without_diagonal(K, xp=xp, overwrite=overwrite)


def product_of_tiles(forms_x, forms_y, n, *, xp):
    """Inner products of all pairs of symmetric n x n matrices.

    Many pairs become one matrix product: tiles of all matrices are laid out as rows,
    and a matrix needs to be formed once, a tile at a time, however many pairs it is
    part of. Only the upper triangle is visited.

    Parameters
    ----------
    forms_x, forms_y : list of Factored or Dense
        The same list twice asks for all pairs of one set.
    n : int
        Order of the matrices.
    xp : module
        Array namespace.

    Returns
    -------
    products : array of shape (len(forms_x), len(forms_y)), in double precision
        Of what the forms' tiles hold; `from_tiles` makes inner products of them.
    """
    layers = len(forms_x) + (0 if forms_x is forms_y else len(forms_y))
    # 32 MB of tiles: enough rows for fast products, little beside the views
    size = max(16, min(n, 4 * _BLOCK_ELEMENTS // (layers * n)))
    total = 0.0
    for rows in slices(n, size):
        for columns, weight in ((rows, 1), (slice(rows.stop, n), 2)):
            if columns.start == columns.stop:
                continue
            flat_x = _flat_tiles(forms_x, rows, columns, xp=xp)
            flat_y = (
                flat_x
                if forms_y is forms_x
                else _flat_tiles(forms_y, rows, columns, xp=xp)
            )
            total = total + weight * xp.astype(flat_x @ flat_y.T, xp.float64)
    return total


def row_products_of_tiles(forms_x, forms_y, n, *, xp):
    """Row sums of the elementwise products of all pairs of symmetric n x n matrices.

    Each matrix is formed once, some rows at a time, however many pairs it is part of.

    Parameters
    ----------
    forms_x, forms_y : list of Factored or Dense
        The same list twice asks for all pairs of one set.
    n : int
        Order of the matrices.
    xp : module
        Array namespace.

    Returns
    -------
    sums : array of shape (len(forms_x), len(forms_y), n), in double precision
    """
    layers = len(forms_x) + (0 if forms_x is forms_y else len(forms_y))
    size = max(1, min(n, 4 * _BLOCK_ELEMENTS // (layers * n)))
    sums = []
    for rows in slices(n, size):
        of_x = xp.stack([form.entries(rows, xp=xp) for form in forms_x], axis=1)
        of_y = of_x
        if forms_y is not forms_x:
            of_y = xp.stack([form.entries(rows, xp=xp) for form in forms_y], axis=1)
        products = xp.matmul(of_x, xp.permute_dims(of_y, (0, 2, 1)))
        sums.append(xp.astype(products, xp.float64))
    return xp.permute_dims(xp.concat(sums), (1, 2, 0))


def _flat_tiles(forms, rows, columns, *, xp):
    tiles = (form.tile(rows, columns, xp=xp) for form in forms)
    return xp.stack([xp.reshape(tile, (-1,)) for tile in tiles])


def tiles_are_cheaper(widths_x, widths_y, n):
    """Whether all pairs of factored kernels cost less as n x n matrices, by tiles.

    Parameters
    ----------
    widths_x, widths_y : list of int
        Columns of the factors. The same list twice asks for all pairs of one set.
    n : int
        Rows of the factors.
    """
    if widths_x is widths_y:
        pairs = (sum(widths_x) ** 2 + sum(d * d for d in widths_x)) / 2
        formed, compared = sum(widths_x), len(widths_x) ** 2
    else:
        pairs = sum(widths_x) * sum(widths_y)
        formed = sum(widths_x) + sum(widths_y)
        compared = 2 * len(widths_x) * len(widths_y)
    # multiplications; an entry of a tile is also written and read some times
    by_tiles = (
        n * n / 2 * (formed + compared / 2 + 40 * (len(widths_x) + len(widths_y)))
    )
    return by_tiles < n * pairs
