"""Kernel matrices: distances, centring, and inner products of many pairs."""

import math

import numpy as np
from sklearn.metrics.pairwise import pairwise_kernels

from sksim.utils._array_api import (
    device_of,
    inner,
    is_numpy,
    move_to,
    row_sum_of_squares,
    to_numpy,
)
from sksim.utils._linalg import lazily_centered
from sksim.utils._pairs import condensed, of_squares, squared_distance_matrix
from sksim.utils._slices import slices

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
    return sum(math.sqrt(float(values[place])) for place in middle) / 2


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
    typical = float(xp.sort(squared_norms)[squared_norms.shape[0] // 2])
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


def u_center(K, *, xp, overwrite=False):
    """Bias-corrected centring of a kernel matrix with its diagonal set aside.

    The inner product of two such matrices, divided by n (n - 3), is the unbiased
    estimator of the Hilbert-Schmidt independence criterion. With ``overwrite``, K
    itself may be changed.
    """
    n = K.shape[0]
    in_place = overwrite and is_numpy(xp)
    if in_place:
        np.fill_diagonal(K, 0)
    else:
        K = K * (1 - _identity_like(K, xp=xp))
    sums = xp.sum(K, axis=0) / (n - 2)
    offsets = sums - xp.sum(sums) / (2 * (n - 1))
    if in_place:
        K -= offsets[None, :]
        K -= offsets[:, None]
        np.fill_diagonal(K, 0)
        return K
    centred = K - offsets[None, :] - offsets[:, None]
    return centred * (1 - _identity_like(K, xp=xp))


def u_row_products(rows_x, rows_y, *, xp):
    """Row sums of the product of two bias-corrected linear kernels of centred rows.

    The same as the row sums of ``u_center(x @ x.T) * u_center(y @ y.T)``, without an
    n x n matrix.
    """
    n = rows_x.shape[0]
    norms, effects = [], []
    for rows in (rows_x, rows_y):
        squares = row_sum_of_squares(rows, xp=xp)
        norms.append(squares)
        # off the diagonal, bias correction subtracts effects[i] + effects[j]
        effects.append(-squares / (n - 2) + xp.sum(squares) / (2 * (n - 1) * (n - 2)))
    a, b = effects
    products = xp.sum((rows_x @ (rows_x.T @ rows_y)) * rows_y, axis=1)
    products = products - rows_x @ (rows_x.T @ b) - rows_y @ (rows_y.T @ a)
    products = products + n * a * b + a * xp.sum(b) + b * xp.sum(a) + inner(a, b, xp=xp)
    return products - (norms[0] - 2 * a) * (norms[1] - 2 * b)


def u_leave_one_out(row_products, *, xp):
    """Inner products of two bias-corrected kernels without each row in turn.

    Bias correction is a projection, so that the kernels without a row can be corrected
    again from their corrected forms, whose rows sum to zero.

    Parameters
    ----------
    row_products : array of shape (n_samples,)
        Row sums of the product of both bias-corrected kernels.
    """
    n = row_products.shape[0]
    return xp.sum(row_products) - row_products * (2 * (n - 2) / (n - 3))


def product_of_tiles(tiles_x, tiles_y, n, *, xp):
    """Inner products of all pairs of symmetric n x n matrices.

    Many pairs become one matrix product: tiles of all matrices are laid out as rows,
    and a matrix needs to be formed once, a tile at a time, however many pairs it is
    part of. Only the upper triangle is visited.

    Parameters
    ----------
    tiles_x, tiles_y : list of callable
        For each matrix a function of two slices (rows and columns) that gives a tile.
        The same list twice asks for all pairs of one set.
    n : int
        Order of the matrices.
    xp : module
        Array namespace.

    Returns
    -------
    products : array of shape (len(tiles_x), len(tiles_y)), in double precision
    """
    layers = len(tiles_x) + (0 if tiles_x is tiles_y else len(tiles_y))
    # 32 MB of tiles: enough rows for fast products, little beside the views
    size = max(16, min(n, 4 * _BLOCK_ELEMENTS // (layers * n)))
    total = 0.0
    for rows in slices(n, size):
        for columns, weight in ((rows, 1), (slice(rows.stop, n), 2)):
            if columns.start == columns.stop:
                continue
            flat_x = _flat_tiles(tiles_x, rows, columns, xp=xp)
            flat_y = (
                flat_x
                if tiles_y is tiles_x
                else _flat_tiles(tiles_y, rows, columns, xp=xp)
            )
            total = total + weight * xp.astype(flat_x @ flat_y.T, xp.float64)
    return total


def _flat_tiles(tiles, rows, columns, *, xp):
    return xp.stack([xp.reshape(tile(rows, columns), (-1,)) for tile in tiles])


def factored_tile(factor, mean, rows, columns):
    """Tile of the linear kernel of centred rows; ``mean`` is None if they are."""
    left, right = factor[rows, :], factor[columns, :]
    if mean is None:
        return left @ right.T
    # one centred factor centres one side; what is left of the other is a column
    left = left - mean
    return left @ right.T - (left @ mean)[:, None]


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
