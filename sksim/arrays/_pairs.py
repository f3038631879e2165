"""Pairs of rows: dissimilarities, and sums over n x n matrices that are never made."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.linalg import get_blas_funcs
from scipy.spatial.distance import squareform

from sksim._progress import tracked
from sksim.arrays._linalg import (
    centered,
    in_row_blocks,
    lazily_centered,
    refuse_constant,
    role_name,
    safe_range,
    unit_rows,
)
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    is_numpy,
    row_slices,
    row_sum_of_squares,
    take,
)
from sksim.arrays._views import View

METRICS = ("correlation", "cosine", "euclidean", "sqeuclidean")

# Below this many rows an n x n matrix (134 MB) is kept, since it makes every further
# comparison and permutation cheap; above it, sums run over blocks.
MATRIX_ROWS = 4096
BLOCK_ROWS = 1024
# A quantile is bracketed by pairs of evenly spaced rows up to this many rows, and by
# this many random pairs above.
_EVENLY_SAMPLED_ROWS = 16384
_RANDOM_PAIRS = 2**18


# ----- rows whose squared distances are the dissimilarities ------------------------


@dataclass(frozen=True)
class SquaredDistances(View):
    """Centred rows whose squared distances are dissimilarities.

    ``squares`` are the rows' squared norms. The dissimilarity is the squared distance
    times ``unit`` times the square of ``scale``.
    """

    rows: object
    squares: object
    unit: float
    scale: float

    _row_fields = ("rows", "squares")


def squared_distance_rows(X, metric, *, xp, role=None, center=True):
    """Rows of which the squared distances are the dissimilarities of ``metric``.

    One minus the cosine of two rows is half the squared distance of the rows scaled
    to unit norm; one minus their correlation the same after subtracting each row's
    mean. "euclidean" is treated as "sqeuclidean": its root is for the caller to take.
    Without ``center``, rows are left uncentred where distances keep their digits.
    """
    unit = 1.0
    given = X
    if metric == "correlation":
        X = _correlation_rows(X, xp=xp, role=role)
        unit = 0.5
    elif metric == "cosine":
        X = unit_rows(X, xp=xp, role=role)
        unit = 0.5
    if center:
        rows, _, scale, squared_norm = centered(X, xp=xp)
    else:
        rows, _, squared_norm, scale = lazily_centered(X, xp=xp)
    if metric == "correlation":
        _refuse_rounding(given, squared_norm * scale * scale, role, xp=xp)
    refuse_constant(squared_norm, role)
    return SquaredDistances(rows, row_sum_of_squares(rows, xp=xp), unit, scale)


def _correlation_rows(X, *, xp, role):
    """Rows minus their own means, scaled to unit norm; constant rows raise."""
    width = X.shape[1]
    rounding = 8 * float(xp.finfo(X.dtype).eps) * width**0.5
    low, high = safe_range(xp, X.dtype)

    def standardized(b):
        means = xp.mean(X[b, :], axis=1)
        rows = as_float64(X[b, :] - means[:, None], xp=xp)
        squares = row_sum_of_squares(rows, xp=xp)
        # of the row before centring, whose largest entry it bounds
        norms = squares + width * as_float64(means, xp=xp) ** 2
        is_safe = (low < squares) & (norms < high) & (squares > rounding**2 * norms)
        if bool(xp.all(is_safe)):
            return rows / xp.sqrt(squares)[:, None]
        return carefully_standardized(b)

    def carefully_standardized(b):
        rows = X[b, :]
        largest = xp.max(xp.abs(rows), axis=1)[:, None]
        # a power of two would do as well; here the rows are scaled to unit norm anyway
        rows = rows / xp.where(largest == 0, xp.ones_like(largest), largest)
        rows = rows - xp.mean(rows, axis=1)[:, None]
        norms = xp.sqrt(row_sum_of_squares(as_float64(rows, xp=xp), xp=xp))
        constant = norms <= rounding
        if bool(xp.any(constant)):
            place = b.start + int(xp.argmax(xp.astype(constant, X.dtype)))
            raise ValueError(
                f"{role_name(role)} has a constant row (row {place}), which correlates "
                "with nothing. Remove the row, or use a Euclidean metric."
            )
        return as_float64(rows, xp=xp) / norms[:, None]

    return in_row_blocks(standardized, X, xp=xp)


def _refuse_rounding(X, squared_norm, role, *, xp):
    """Raise if rows of unit norm differ by no more than their means' rounding."""
    n_samples, width = X.shape
    eps = float(xp.finfo(X.dtype).eps)
    if squared_norm > eps * n_samples:
        return
    largest = xp.max(xp.abs(X), axis=1)[:, None]
    rows = as_float64(X / largest, xp=xp)
    rows = rows - xp.mean(rows, axis=1)[:, None]
    # of rows of unit norm, whose entries were so much larger before centring
    rounding = 4 * eps * width**0.5
    squares = rounding**2 / row_sum_of_squares(rows, xp=xp)
    if squared_norm <= float(xp.sum(squares)):
        raise ValueError(
            f"All rows of {role_name(role)} correlate perfectly with each other, so "
            "that none is nearer than another. Use a Euclidean metric."
        )


# ----- all pairs as a vector -------------------------------------------------------


def pair_vector(view, *, xp):
    """Squared distances of all pairs i < j, as a vector, in the view's own unit."""
    rows, squares = view.rows, view.squares
    n = rows.shape[0]
    if not is_numpy(xp):
        everything = slice(0, n)
        return condensed(
            distance_block(rows, squares, everything, everything, xp=xp), xp=xp
        )
    values = np.empty(n * (n - 1) // 2, dtype=rows.dtype)
    filled = 0
    for block in _upper_blocks(rows, squares):
        for i in range(len(block)):
            length = block.shape[1] - i - 1
            values[filled : filled + length] = block[i, i + 1 :]
            filled += length
    return values


def _upper_blocks(rows, squares):
    """Squared distances of some rows from each other and from all later ones."""
    n, n_features = rows.shape
    if n <= n_features:
        # the matrix is no larger than the rows, and half of the products are enough
        matrix = _doubled_products(rows)
        for b in _slices_of_square(n):
            yield _to_distances(matrix, squares, b)
        return
    # narrow enough that little is computed below the diagonal
    for b in row_slices(n, n, n_entries=min(256 * n, 2**20)):
        yield distance_block(rows, squares, b, slice(b.start, n), xp=np)


def condensed(matrix, *, xp):
    """Entries above the diagonal of a symmetric matrix, row by row."""
    if is_numpy(xp):
        return squareform(matrix, checks=False)
    index = xp.arange(matrix.shape[0], device=device_of(matrix))
    return matrix[index[:, None] < index[None, :]]


def square(values, *, xp):
    """Symmetric matrix, zero on the diagonal, of the vector of its pairs."""
    if is_numpy(xp):
        return squareform(values, checks=False)
    n = n_rows_of_pairs(values)
    index = xp.arange(n, device=device_of(values))
    low = xp.minimum(index[:, None], index[None, :])
    high = xp.maximum(index[:, None], index[None, :])
    place = low * n - low * (low + 1) // 2 + high - low - 1
    off_diagonal = low != high
    place = xp.where(off_diagonal, place, xp.zeros_like(place))
    matrix = xp.reshape(take(values, xp.reshape(place, (-1,)), xp=xp), (n, n))
    return xp.where(off_diagonal, matrix, xp.zeros_like(matrix))


def n_rows_of_pairs(values):
    """Number of rows that have so many pairs."""
    return round((1 + (1 + 8 * values.shape[0]) ** 0.5) / 2)


# ----- sums over blocks ------------------------------------------------------------


def symmetric_blocks(n):
    """(rows, columns, weight) that cover a symmetric n x n matrix once."""
    cuts = [slice(i, min(i + BLOCK_ROWS, n)) for i in range(0, n, BLOCK_ROWS)]
    for a, rows in enumerate(cuts):
        for columns in cuts[a:]:
            yield rows, columns, 1 if columns is rows else 2


def pair_values(block, weight, *, xp):
    """Entries of a symmetric matrix's block above the diagonal, as a vector.

    ``weight`` is 1 for a block on the diagonal, as `symmetric_blocks` gives it.
    """
    return condensed(block, xp=xp) if weight == 1 else xp.reshape(block, (-1,))


def evenly_spaced(distances):
    """At most a thousand rows, evenly spaced, as a sample of all."""
    step = -(-distances.rows.shape[0] // BLOCK_ROWS)
    return replace(
        distances, rows=distances.rows[::step, :], squares=distances.squares[::step]
    )


def distance_block(rows, squares, i, j, *, xp):
    """Squared distances of the rows ``i`` from the rows ``j``, both slices.

    A row's distance from itself is exactly 0.
    """
    if is_numpy(xp):
        block = rows[i] @ rows[j].T
        block *= -2
        block += squares[i, None]
        block += squares[None, j]
        np.maximum(block, 0, out=block)
        diagonal = np.arange(max(i.start, j.start), min(i.stop, j.stop))
        block[diagonal - i.start, diagonal - j.start] = 0
        return block
    block = squares[i, None] + squares[None, j] - 2 * (rows[i, :] @ rows[j, :].T)
    block = xp.where(block > 0, block, xp.zeros_like(block))
    index = xp.arange(rows.shape[0], device=device_of(rows))
    same = index[i][:, None] == index[j][None, :]
    return xp.where(same, xp.zeros_like(block), block)


def of_distances(squares, decay, *, xp):
    """The distances, or exp(-decay d^2), of squared ones that may be overwritten."""
    if is_numpy(xp):
        if decay is None:
            return np.sqrt(squares, out=squares)
        squares *= -decay
        return np.exp(squares, out=squares)
    return xp.sqrt(squares) if decay is None else xp.exp(-decay * squares)


def rows_for_distances(X, *, xp, role=None):
    """(rows, squared norms, scale): rows with the distances of X, divided by scale.

    They are centred where distances would lose digits otherwise.
    """
    rows, _, squared_norm, scale = lazily_centered(X, xp=xp)
    refuse_constant(squared_norm, role)
    return rows, row_sum_of_squares(rows, xp=xp), scale


def distance_matrix(rows, squares, decay, *, xp):
    """Distances of all rows, or exp(-decay d^2), as an n x n matrix."""
    if is_numpy(xp):
        return _symmetric_matrix(
            rows, squares, partial(of_distances, decay=decay, xp=xp)
        )
    return of_distances(squared_distance_matrix(rows, squares, xp=xp), decay, xp=xp)


def squared_distance_matrix(rows, squares, *, xp):
    """Squared distances of all rows as an n x n matrix."""
    if is_numpy(xp):
        return _symmetric_matrix(rows, squares, None)
    everything = slice(0, rows.shape[0])
    return distance_block(rows, squares, everything, everything, xp=xp)


def of_squares(matrix, decay, *, xp):
    """`of_distances` of a symmetric matrix, of which half is computed on numpy."""
    if not is_numpy(xp):
        return of_distances(matrix, decay, xp=xp)
    for b in _slices_of_square(len(matrix)):
        of_distances(matrix[b, b.start :], decay, xp=xp)
        _mirror(matrix, b)
    return matrix


def _symmetric_matrix(rows, squares, function):
    """Squared distances, or a function of them that works in place, on numpy."""
    matrix = _doubled_products(rows)
    for b in _slices_of_square(len(rows)):
        upper = _to_distances(matrix, squares, b)
        if function is not None:
            function(upper)
        _mirror(matrix, b)
    return matrix


def _doubled_products(rows):
    """Minus twice the inner products of all rows, in the upper triangle of a matrix."""
    n = len(rows)
    syrk = get_blas_funcs("syrk", (rows,))
    matrix = np.zeros((n, n), dtype=rows.dtype, order="F")
    # the lower triangle in Fortran's order is the upper one of the transpose
    return syrk(-2.0, rows.T, trans=1, lower=1, c=matrix, overwrite_c=1).T


def _to_distances(matrix, squares, b):
    """Make squared distances of products, in place, for the upper part of some rows."""
    upper = matrix[b, b.start :]
    upper += squares[b, None]
    upper += squares[None, b.start :]
    np.maximum(upper, 0, out=upper)
    np.fill_diagonal(upper, 0)
    return upper


def _slices_of_square(n):
    return row_slices(n, n, n_entries=2**17)


def _mirror(matrix, b):
    """Fill what is below the diagonal of a slice of rows, and of their columns."""
    own = matrix[b, b]
    below = np.tril_indices(len(own), -1)
    own[below] = own.T[below]
    matrix[b.stop :, b] = matrix[b, b.stop :].T


def blocked_median(rows, squares, *, xp):
    """Median distance of all pairs of rows, without a list of them."""
    count = n_pairs(rows.shape[0])
    middle = ((count - 1) // 2, count // 2)
    found = blocked_order_statistics(rows, squares, middle, xp=xp)
    return sum(value**0.5 for value in found) / 2


def n_pairs(n_rows):
    """Number of pairs of so many rows."""
    return n_rows * (n_rows - 1) // 2


def blocked_order_statistics(rows, squares, places, *, xp):
    """Squared distances at two neighbouring places of their ascending list.

    A sample of pairs tells between which values these lie; only pairs in that bracket
    are kept.
    """
    shares = [place / max(1, n_pairs(rows.shape[0]) - 1) for place in places]
    sample, margin = _sample_of_pairs(rows, squares, xp=xp)
    last = sample.shape[0] - 1
    while True:
        low, high = min(shares) - margin, max(shares) + margin
        low = -1.0 if low <= 0 else float(sample[int(low * last)])
        high = float("inf") if high >= 1 else float(sample[int(high * last)])
        below, inside = _pairs_between(rows, squares, low, high, xp=xp)
        if below <= min(places) and max(places) < below + inside.shape[0]:
            inside = xp.sort(inside)
            return [float(inside[place - below]) for place in places]
        margin *= 4


def _sample_of_pairs(rows, squares, *, xp):
    """Squared distances of some pairs, ascending, and how far their ranks may be off.

    Pairs of evenly spaced rows are cheap; random pairs of all rows tell more, which
    pays where the bracket would be large.
    """
    n = rows.shape[0]
    if n <= _EVENLY_SAMPLED_ROWS:
        sample = evenly_spaced(SquaredDistances(rows, squares, 1.0, 1.0))
        return xp.sort(pair_vector(sample, xp=xp)), 0.02
    first, other = np.random.default_rng(0).integers(n, size=(2, _RANDOM_PAIRS))
    other = (other + (first == other)) % n
    parts = []
    for chunk in row_slices(_RANDOM_PAIRS, rows.shape[1], n_entries=2**20):
        pair = (
            take(rows, xp.asarray(index[chunk], device=device_of(rows)), xp=xp)
            for index in (first, other)
        )
        parts.append(row_sum_of_squares(next(pair) - next(pair), xp=xp))
    # five standard errors of a share
    return xp.sort(xp.concat(parts)), 2.5 / _RANDOM_PAIRS**0.5


def _pairs_between(rows, squares, low, high, *, xp):
    """(number of pairs below ``low``, those from ``low`` to ``high``)."""
    below, inside = 0, []
    blocks = symmetric_blocks(rows.shape[0])
    for i, j, weight in tracked(blocks, "finding a quantile of distances"):
        block = distance_block(rows, squares, i, j, xp=xp)
        values = pair_values(block, weight, xp=xp)
        below += int(xp.count_nonzero(values < low))
        inside.append(values[(values >= low) & (values <= high)])
    return below, xp.concat(inside)
