"""Ranks with ties, such that they do not depend on the order of summation."""

import numpy as np

from sksim.arrays._namespace import is_numpy, take
from sksim.arrays._slices import slices

# Values are compared by their first ten digits: distances that differ by rounding tie.
_STEPS = 1e10


def quantized(values, *, xp):
    """Non-negative values as multiples of 1e-10 of the largest, rounded.

    Equal distances computed in another order, or of shifted data, differ in their
    last digits; rounded they tie, as they should. The values may be overwritten.
    """
    largest = float(xp.max(values))
    if largest == 0:
        return values
    if is_numpy(xp) and values.dtype == np.float64:
        values *= _STEPS / largest
        return np.rint(values, out=values)
    return xp.round(values * (_STEPS / largest))


def average_ranks(values, *, xp):
    """Ranks from 1 of non-negative values; ties share the mean of their ranks.

    Parameters
    ----------
    values : array of shape (n,)
        They tie where they are equal when `quantized`. May be overwritten.
    xp : module
        Array namespace.
    """
    values = quantized(values, xp=xp)
    if is_numpy(xp):
        return _average_ranks_numpy(values)
    inverse = xp.unique_inverse(values).inverse_indices
    counts = xp.unique_counts(values).counts
    last = xp.cumulative_sum(counts)
    means = xp.astype(last, values.dtype) - xp.astype(counts - 1, values.dtype) / 2
    return take(means, xp.reshape(inverse, (-1,)), xp=xp)


def _average_ranks_numpy(values):
    n = values.shape[0]
    index_bits = max(1, int(n - 1).bit_length())
    if index_bits + 34 > 63 or values.dtype != np.float64:
        order = np.argsort(values, kind="stable")
        ranks = np.empty(n)
        ranks[order] = _ranks_of_sorted(values[order])
        return ranks
    # value and place in one integer: one sort instead of an indirect one, twice as
    # fast, in the memory that the values had
    keys = values.view(np.int64)
    for chunk in _chunks(n):
        whole = values[chunk].astype(np.int64) << index_bits
        keys[chunk] = whole | np.arange(chunk.start, chunk.stop)
    keys.sort()
    ranks = np.empty(n)
    sorted_ranks = _ranks_of_sorted(keys, shift=index_bits)
    mask = (1 << index_bits) - 1
    for chunk in _chunks(n):
        order = keys[chunk] & mask
        if sorted_ranks is None:
            ranks[order] = np.arange(chunk.start + 1, chunk.stop + 1)
        else:
            ranks[order] = sorted_ranks[chunk]
    return ranks


def _chunks(n):
    return slices(n, 2**20)


def _ranks_of_sorted(ascending, shift=None):
    """Average ranks of values in ascending order.

    With ``shift``, values are what is left of integers after shifting them, and None
    stands for 1, 2, 3, ... where no values tie.
    """
    n = len(ascending)
    is_first = np.ones(n, dtype=bool)
    for chunk in _chunks(n - 1):
        here, following = ascending[chunk], ascending[chunk.start + 1 : chunk.stop + 1]
        if shift is not None:
            here, following = here >> shift, following >> shift
        np.not_equal(following, here, out=is_first[chunk.start + 1 : chunk.stop + 1])
    if shift is not None and is_first.all():
        return None
    # only runs of ties need more than counting, and these are few in real numbers
    is_tied = ~is_first
    is_tied[:-1] |= is_tied[1:]
    tied = np.flatnonzero(is_tied)
    starts = np.flatnonzero(is_first[tied])
    counts = np.diff(np.append(starts, len(tied)))
    ranks = np.arange(1.0, n + 1)
    ranks[tied] = np.repeat(tied[starts] + (counts + 1) / 2, counts)
    return ranks
