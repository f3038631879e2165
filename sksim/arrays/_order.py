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
# Of fewer rows all distances are computed by differences: 2 ms at 256 x 256.
_FEW_ROWS = 256
# Where more than one in so many distances is near to a tie, all are computed so.
_FEW_NEAR = 16
# Inversions within blocks of about this many are counted pair by pair.
_SMALL_BLOCK = 16
# Permutations that are longer are counted by cells, in half of the time (150 of 295 ms
# at two millions), of which there are at most 2^_CELL_BITS.
_FEW_ENTRIES = 2**16
_CELL_BITS = 23


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


def codes_of_rows(X, tolerance, *, xp):
    """The same of the distances of rows.

    Distances by products of rows are fast, and not exact. They order all that differ
    by more than their error; those that are nearer to each other are computed anew, by
    the differences of the rows, unless they are too many.
    """
    n_samples = X.shape[0]
    if is_numpy(xp) and tolerance == 0 and n_samples >= _FEW_ROWS:
        codes = _codes_by_products(as_float64(X, xp=xp))
        if codes is not None:
            return squareform(codes, checks=False)
    distances = distances_between(X, slice(0, n_samples), xp=xp)
    return codes_of_pairs(distances, tolerance)


def _codes_by_products(X):
    """Codes of a list of all pairs, from 1 on; None where many are near to ties."""
    slots, width, error = _slots_of_squares(X)
    n = len(slots)
    bits = _n_bits(n)
    slots <<= bits
    slots |= np.arange(n, dtype=np.int64)
    slots.sort()
    order = slots & ((1 << bits) - 1)
    slots >>= bits
    # each of two is off by its error, and cut down to its slot
    is_near = np.diff(slots) <= 2 * error / width + 1
    codes = np.empty(n, dtype=np.int32)
    n_near = np.count_nonzero(is_near)
    if n_near > n // _FEW_NEAR:
        return None
    ranks = np.arange(1, n + 1, dtype=np.int32)
    if n_near:
        order, is_step = _by_differences(X, order, is_near)
        ranks = np.cumsum(is_step, dtype=np.int32)
    codes[order] = ranks
    return codes


def _slots_of_squares(X):
    """Squared distances of all pairs in units of a slot, that unit, and their error."""
    rows = X - X.mean(axis=0)
    squares = row_sum_of_squares(rows, xp=np)
    # of a sum of so many products, whose magnitudes add up to the squared norms at most
    error = 4 * (X.shape[1] + 4) * np.finfo(float).eps * float(squares.max())
    distances = rows @ rows.T
    distances *= -2
    distances += squares[:, None]
    distances += squares
    listed = squareform(distances, checks=False)
    lowest, highest = float(listed.min()), float(listed.max())
    n_slots = 2 ** (62 - _n_bits(len(listed)))
    width = max((highest - lowest) / n_slots, np.finfo(float).tiny)
    listed -= lowest
    listed /= width
    return listed.astype(np.int64), width, error


def _by_differences(X, order, is_near):
    """Order of all pairs, and where a distance is larger than the one before."""
    starts = np.append(True, ~is_near)
    # all that are in one run with the one before or behind
    members = np.flatnonzero(~starts | np.append(is_near, False))
    runs = np.cumsum(starts)[members]
    n_samples = len(X)
    before = np.arange(n_samples) * (2 * n_samples - np.arange(n_samples) - 1) // 2
    i = np.searchsorted(before, order[members], side="right") - 1
    j = order[members] - before[i] + i + 1
    (distances,) = distances_of_drawn(X, i, j, xp=np)
    by_distance = np.lexsort((distances, runs))
    order = order.copy()
    order[members] = order[members][by_distance]
    runs, distances = runs[by_distance], distances[by_distance]
    is_step = starts
    is_step[members[1:]] = (np.diff(runs) > 0) | (np.diff(distances) > 0)
    return order, is_step


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
    if n_rows == 1 and _is_order(first[0]) and _is_order(second[0]):
        values = np.empty_like(second)
        values[:, first[0] - first.min()] = second - second.min()
        return n * (n - 1) // 2 - _inversions_of_orders(values)
    keys, bits = _packed(first, second, int(second.max()) + 1)
    keys.sort(axis=1)
    both_tied = _runs(keys)
    ordered = keys >> bits
    first_tied = _runs(ordered)
    keys -= ordered << bits
    # entries of the second list, in the order of the first, and their places in that
    keys, bits = _packed(keys, np.arange(n, dtype=np.int32), n)
    keys.sort(axis=1)
    second_tied = _runs(keys >> bits)
    keys &= (1 << bits) - 1
    discordant = _inversions_of_orders(keys)
    disagreeing = discordant + first_tied + second_tied - 2 * both_tied
    return n_rows * (n * (n - 1) // 2) - disagreeing


def _is_order(codes):
    """Whether codes are a permutation of successive integers."""
    lowest, n = int(codes.min()), len(codes)
    if int(codes.max()) - lowest != n - 1:
        return False
    is_there = np.zeros(n, dtype=bool)
    is_there[codes - lowest] = True
    return bool(is_there.all())


def _packed(high, low, base):
    """Two non-negative integers in one, the second below ``base``, and its bits."""
    bits = _n_bits(base)
    is_small = (int(high.max()) + 1) << bits <= 2**32
    dtype = np.uint32 if is_small else np.int64
    packed = high.astype(dtype)
    packed <<= bits
    packed |= low.astype(dtype, copy=False)
    return packed, bits


def _n_bits(n):
    """Bits of numbers below n."""
    return max(1, (n - 1).bit_length())


def _runs(ascending):
    """Number of pairs of equal entries in sorted rows."""
    starts = np.ones(ascending.shape, dtype=bool)
    np.not_equal(ascending[:, 1:], ascending[:, :-1], out=starts[:, 1:])
    if starts.all():
        return 0
    lengths = np.diff(np.flatnonzero(starts), append=starts.size)
    return int(np.sum(lengths * (lengths - 1) // 2))


# ----- inversions ---------------------------------------------------------------------


def inversions(values, base):
    """Number of pairs of which the earlier is larger, within rows, of all together.

    Parameters
    ----------
    values : int array of shape (n_rows, n)
        From 0 to ``base`` - 1.
    base : int
    """
    n = values.shape[1]
    if (base + 1) << _n_bits(n + _SMALL_BLOCK) < 2**31:
        return _inversions_by_merging(values, base)
    places, bits = _packed(values, np.arange(n, dtype=np.int32), n)
    places.sort(axis=1)
    places &= (1 << bits) - 1
    return _inversions_of_orders(places)


def _inversions_of_orders(orders):
    """The same of rows that are permutations, as many as those of their inverses."""
    n_rows, n = orders.shape
    if n_rows == 1 and n > _FEW_ENTRIES:
        return _inversions_by_cells(orders[0].astype(np.int32))
    return _inversions_by_merging(orders, n)


def _inversions_by_cells(order):
    """The same of one long permutation.

    Places are cut into blocks, and so are entries. Pairs of different blocks of both
    are counted by the numbers of entries in the cells, others within blocks: in numbers
    of 32 bits, which are sorted twice as fast, of up to 2^23 entries.
    """
    n = len(order)
    bits = 31 - (n + 2).bit_length()
    if bits < 7:
        bits = (_n_bits(n) + 1) // 2
    n_blocks = -(-n >> bits)
    total = _inversions_by_merging(_in_blocks(order, bits, n), n + 1)
    # entries of one block, at places of different blocks; these were not counted yet
    inverse = np.empty(n, dtype=np.int32)
    inverse[order] = np.arange(n, dtype=np.int32)
    inverse >>= bits
    width = max(_n_bits(n_blocks), _n_bits(n) + _n_bits(n_blocks) - _CELL_BITS)
    blocks = _in_blocks(inverse, width, n_blocks)
    total += _inversions_by_merging(blocks, n_blocks + 1)
    cells = (order >> width) * np.int64(n_blocks)
    cells += np.arange(n, dtype=np.int32) >> bits
    counts = np.bincount(cells, minlength=len(blocks) * n_blocks)
    counts = counts.astype(np.int32).reshape(len(blocks), n_blocks)
    # of each cell the entries that are smaller and at later places
    below = np.cumsum(counts, axis=0, dtype=np.int32)[:-1, :0:-1]
    later = np.cumsum(below, axis=1, dtype=np.int32)[:, ::-1]
    return total + int(np.einsum("ij,ij->", counts[1:, :-1], later, dtype=np.int64))


def _in_blocks(values, bits, filling):
    """Rows of 2^bits values; the last is filled up."""
    n_blocks = -(-len(values) >> bits)
    blocks = np.full((n_blocks, 1 << bits), filling, dtype=values.dtype)
    blocks.reshape(-1)[: len(values)] = values
    return blocks


def _inversions_by_merging(values, base):
    """The same by sorting.

    Sorting a row's two halves together moves each entry of the first half behind
    all smaller ones of the second, so that places after sorting count inversions.
    """
    n_rows, n = values.shape
    n_halvings = max(0, (max(1, n - 1) // _SMALL_BLOCK).bit_length())
    size = -(-n // 2**n_halvings)
    width = size * 2**n_halvings
    bits = _n_bits(width)
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
    if blocks.size and int(blocks.max()) < 2**15:
        blocks = blocks.astype(np.int16)
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
