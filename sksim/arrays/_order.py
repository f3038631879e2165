"""The order of distances: codes that tie as distances do, and pairs that agree."""

import numpy as np
from scipy.spatial.distance import cdist, pdist, squareform

from sksim._progress import tracked
from sksim.arrays._matching import index_array
from sksim.arrays._namespace import (
    as_float64,
    is_numpy,
    row_slices,
    row_sum_of_squares,
    take,
    to_numpy,
)
from sksim.arrays._pairs import MATRIX_ROWS

# Rows nearer than the rounding error of their entries are duplicates.
_NOISE = 16 * np.finfo(float).eps
# Lists that are ordered at once, in entries.
_BLOCK_ELEMENTS = 2**21
# Inversions within blocks of about this many are counted pair by pair.
_SMALL_BLOCK = 16


# ----- distances ----------------------------------------------------------------------


def distances_between(X, rows, *, xp):
    """Distances of some rows (a slice) from all, on numpy in double precision.

    From the differences of the rows, so that equal differences give equal numbers and
    an outlier takes no digits from the others.
    """
    X = as_float64(X, xp=xp)
    if not is_numpy(xp):
        parts = [
            xp.sum((X[b, :][:, None, :] - X[None, :, :]) ** 2, axis=2)
            for b in _within(rows, X.shape[0] * X.shape[1])
        ]
        squares = to_numpy(xp.concat(parts), xp=xp)
    elif rows == slice(0, len(X)):
        squares = squareform(pdist(X, "sqeuclidean"), checks=False)
    else:
        squares = cdist(X[rows], X, "sqeuclidean")
    noise = to_numpy(row_sum_of_squares(X, xp=xp), xp=xp) * (X.shape[1] * _NOISE**2)
    i, j = np.nonzero(squares <= 2 * noise.max())
    i, j = (
        index[squares[i, j] <= noise[i + rows.start] + noise[j]] for index in (i, j)
    )
    squares[i, j] = 0
    return np.sqrt(squares, out=squares)


def _within(rows, row_elements):
    """Slices of a slice of rows, each with a bounded number of elements."""
    for b in row_slices(rows.stop - rows.start, row_elements, n_entries=2**24):
        yield slice(rows.start + b.start, rows.start + b.stop)


def given_distances_between(distances, rows, *, xp):
    """Given distances of some rows from all, on numpy in double precision."""
    block = to_numpy(as_float64(distances[rows, :], xp=xp), xp=xp).copy()
    block[block <= _NOISE * float(xp.max(distances))] = 0
    return block


# ----- codes --------------------------------------------------------------------------


def dense_codes(values, tolerance):
    """Places of non-negative values among the distinct ones, along the last axis.

    Values that differ by no more than ``tolerance``, relatively, are equal. Returns
    integers of the shape of the values, of the smallest type that holds them.
    """
    order = np.argsort(values, axis=-1)
    ascending = np.take_along_axis(values, order, axis=-1)
    steps = np.zeros(values.shape, dtype=np.int64)
    gaps = ascending[..., 1:] - ascending[..., :-1]
    steps[..., 1:] = gaps > tolerance * ascending[..., 1:]
    np.cumsum(steps, axis=-1, out=steps)
    codes = np.empty(values.shape, dtype=np.min_scalar_type(values.shape[-1]))
    np.put_along_axis(codes, order, steps.astype(codes.dtype), axis=-1)
    return codes


def anchored_codes(distances, start, tolerance):
    """Codes of each row's distances, of which the one from itself is the lowest.

    ``start`` is the number of the first row. The distances may be overwritten.
    """
    own = np.arange(len(distances))
    distances[own, start + own] = -1
    return dense_codes(distances, tolerance)


def codes_of_pairs(distances, tolerance):
    """Codes of a square matrix's pairs, as a square matrix: zero on the diagonal."""
    codes = dense_codes(squareform(distances, checks=False), tolerance)
    return squareform(codes.astype(np.int32) + 1, checks=False)


# ----- pairs of entries that two lists order alike ------------------------------------


def tied_pairs(codes):
    """Number of pairs of equal entries within rows, of all rows together."""
    return sum(_runs(np.sort(codes[b], axis=1)) for b in _blocks(codes))


def agreeing_pairs(first, second):
    """Number of pairs of entries that both lists order alike, of all rows together.

    Two entries that are equal in both lists are ordered alike; equal in one only, not.

    Parameters
    ----------
    first, second : int arrays of shape (n_rows, n)
        Non-negative.

    Returns
    -------
    count : int
        Of the n (n - 1) / 2 pairs in each row.
    """
    return sum(_agreeing(first[b], second[b]) for b in _blocks(first))


def _blocks(codes):
    n_rows, n = codes.shape
    blocks = row_slices(n_rows, n, n_entries=_BLOCK_ELEMENTS)
    return tracked(blocks, "comparing orders") if n_rows > MATRIX_ROWS else blocks


def _agreeing(first, second):
    n_rows, n = first.shape
    base = int(second.max()) + 1
    is_small = (int(first.max()) + 1) * base < 2**31
    keys = first.astype(np.int32 if is_small else np.int64)
    keys *= base
    keys += second
    keys.sort(axis=1)
    both_tied = _runs(keys)
    ordered = keys // base
    first_tied = _runs(ordered)
    keys -= ordered * base
    discordant = inversions(keys, base)
    second_tied = _runs(np.sort(second, axis=1))
    disagreeing = discordant + first_tied + second_tied - 2 * both_tied
    return n_rows * (n * (n - 1) // 2) - disagreeing


def _runs(ascending):
    """Number of pairs of equal entries in sorted rows."""
    starts = np.ones(ascending.shape, dtype=bool)
    np.not_equal(ascending[:, 1:], ascending[:, :-1], out=starts[:, 1:])
    if starts.all():
        return 0
    lengths = np.diff(np.flatnonzero(starts), append=starts.size)
    return int(np.sum(lengths * (lengths - 1) // 2))


def inversions(values, base):
    """Number of pairs of which the earlier is larger, within rows, of all together.

    Sorting a row's two halves together moves each entry of the first half behind
    all smaller ones of the second, so that places after sorting count inversions.

    Parameters
    ----------
    values : int array of shape (n_rows, n)
        From 0 to ``base`` - 1.
    base : int
    """
    n_rows, n = values.shape
    n_halvings = max(0, (max(1, n - 1) // _SMALL_BLOCK).bit_length())
    size = -(-n // 2**n_halvings)
    width = size * 2**n_halvings
    bits = max(1, (width - 1).bit_length())
    dtype = np.int32 if (base + 1) << bits < 2**31 else np.int64
    # value and place in one integer; what fills up the last block is behind all
    keys = np.full((n_rows, width), base, dtype=dtype)
    keys[:, :n] = values
    total = _inversions_in_blocks(keys.reshape(-1, size))
    keys <<= bits
    keys |= np.arange(width, dtype=dtype)
    mask = dtype((1 << bits) - 1)
    while size < width:
        blocks = keys.reshape(n_rows, -1, 2 * size)
        blocks.sort(axis=2)
        middles = np.arange(size, width, 2 * size, dtype=dtype)[:, None]
        is_of_first = (blocks & mask) < middles
        places = np.arange(2 * size) @ np.sum(is_of_first, axis=(0, 1))
        n_blocks = blocks.shape[0] * blocks.shape[1]
        total += int(places) - n_blocks * (size * (size - 1) // 2)
        size *= 2
    return total


def _inversions_in_blocks(blocks):
    """The same for many short rows, pair by pair."""
    columns = np.ascontiguousarray(blocks.T)
    return sum(
        int(np.count_nonzero(columns[:-lag] > columns[lag:]))
        for lag in range(1, len(columns))
    )


# ----- drawn rows ---------------------------------------------------------------------


def distinct_rows(n_samples, n_draws, n_rows, rng):
    """Draws of several distinct rows each, as an array of shape (n_rows, n_draws)."""
    chosen = []
    for taken in range(n_rows):
        row = rng.integers(n_samples - taken, size=n_draws)
        # steps over the rows that are taken, from the lowest on
        for other in np.sort(np.reshape(chosen, (taken, n_draws)), axis=0):
            row += row >= other
        chosen.append(row)
    return np.stack(chosen)


def signs_of_differences(first, second, tolerance):
    """Sign of each difference of distances, 0 where they are equal within tolerance."""
    difference = first - second
    is_tied = np.abs(difference) <= tolerance * np.maximum(first, second)
    return np.where(is_tied, 0, np.sign(difference)).astype(np.int8)


def distances_of_drawn(X, first, *others, xp):
    """Distances of drawn rows from other drawn rows, on numpy: one array for each."""
    parts = [[] for _ in others]
    for b in row_slices(len(first), X.shape[1], n_entries=2**18):
        own = _taken(X, first[b], xp)
        for part, index in zip(parts, others, strict=True):
            there = _distances_of_rows(own, _taken(X, index[b], xp), xp)
            part.append(to_numpy(there, xp=xp))
    return [np.concatenate(part) for part in parts]


def _taken(X, index, xp):
    return as_float64(take(X, index_array(index, like=X, xp=xp), xp=xp), xp=xp)


def _distances_of_rows(a, b, xp):
    squares = row_sum_of_squares(a - b, xp=xp)
    # few rows are so near that they may be duplicates but for rounding
    if bool(xp.any(squares < 1e-12 * xp.max(squares))):
        noise = row_sum_of_squares(a, xp=xp) + row_sum_of_squares(b, xp=xp)
        is_zero = squares <= noise * (a.shape[1] * _NOISE**2)
        squares = xp.where(is_zero, xp.zeros_like(squares), squares)
    return xp.sqrt(squares)
