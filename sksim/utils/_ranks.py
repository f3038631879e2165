"""Ranks with ties, such that they do not depend on the order of summation."""

import numpy as np

from sksim.utils._array_api import is_numpy, take

# Values are compared by their first ten digits: distances that differ by rounding tie.
_STEPS = 1e10


def quantized(values, *, xp):
    """Non-negative values as multiples of 1e-10 of the largest, rounded.

    Equal distances computed in another order, or of shifted data, differ in their
    last digits; rounded they tie, as they should.
    """
    largest = float(xp.max(values))
    if largest == 0:
        return values
    steps = values * (_STEPS / largest)
    return np.rint(steps, out=steps) if is_numpy(xp) else xp.round(steps)


def average_ranks(values, *, xp):
    """Ranks from 1 of non-negative values; ties share the mean of their ranks.

    Parameters
    ----------
    values : array of shape (n,)
        Whole numbers below 2**34, as `quantized` returns them.
    xp : module
        Array namespace.
    """
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
    if index_bits + 34 > 63:
        order = np.argsort(values, kind="stable")
        return _spread_ranks(order, values[order])
    # value and place in one integer: one sort instead of an indirect one, which is
    # twice as fast and needs no second array
    keys = values.astype(np.int64)
    keys <<= index_bits
    keys |= np.arange(n)
    keys.sort()
    order = keys & ((1 << index_bits) - 1)
    keys >>= index_bits
    return _spread_ranks(order, keys)


def _spread_ranks(order, ascending):
    """Average ranks of values that are given in ascending order, put into place."""
    n = len(order)
    ranks = np.empty(n)
    is_first = np.empty(n, dtype=bool)
    is_first[:1] = True
    np.not_equal(ascending[1:], ascending[:-1], out=is_first[1:])
    if is_first.all():
        ranks[order] = np.arange(1, n + 1)
        return ranks
    first = np.flatnonzero(is_first)
    counts = np.diff(np.append(first, n))
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)
    return ranks
