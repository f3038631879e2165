"""Limits that allow for one row that was not seen: Gaffke's, and what follows its idea.

The upper limit of a share by Clopper and Pearson is a quantile of what the share is
when the n rows, and one more that counts, have random weights (Dirichlet, all ones).
Gaffke's limits are the same for any mean between bounds: the row that was not seen has
the largest value there may be, or the smallest for the lower limit. For a function of
how often kinds of rows occur it has the kind that moves the value the most.
"""

from itertools import combinations

import numpy as np
from scipy import optimize, stats

from sksim.inference._limits import Limits, of_two_samples

# Random weights become counts of this total, which keeps products of two in int64.
_TOTAL = 2**20
_SMALL = 1e-4  # the saddlepoint's formula loses its digits below


# ----- means -------------------------------------------------------------------------


def limits_of_mean(sums, sizes, bounds, *, times=1.0):
    """Gaffke's limits of a mean over rows, that may come in groups.

    Parameters
    ----------
    sums : float array of shape (n_units,)
        Sum over each unit, a row or a group.
    sizes : array of shape (n_units,)
        Rows of each unit. The unseen unit has the mean size.
    bounds : tuple of float
        Smallest and largest value of a row.
    times : float, default=1.0
        How often each unit counts: what the limits of so many more units would be.

    Returns
    -------
    limits : Limits
    """
    # as complex numbers pairs are sorted several times faster than as columns
    kinds, counts = np.unique(sums + 1j * sizes, return_counts=True)
    pairs, counts = (kinds.real, kinds.imag), np.append(times * counts, 1)
    size = float(np.mean(sizes))

    def gains(value, bound):
        """What each unit adds to the excess of the mean over a value."""
        return np.append(pairs[0] - value * pairs[1], size * (bound - value))

    def below(value):
        return _nonnegative(-gains(value, bounds[0]), counts)

    def above(value):
        return _nonnegative(gains(value, bounds[1]), counts)

    return Limits(
        low=lambda tail: _crossing(lambda value: below(value) - tail, bounds),
        high=lambda tail: _crossing(lambda value: tail - above(value), bounds),
        below=below,
        above=above,
    )


def _crossing(rising, bounds):
    """Where a function that rises between two bounds is zero."""
    low, high = bounds
    if rising(low) >= 0:
        return float(low)
    if rising(high) <= 0:
        return float(high)
    return float(optimize.brentq(rising, low, high, xtol=1e-14 * (high - low)))


def _nonnegative(a, counts):
    """Probability that a sum of a_i E_i is not negative, for exponential E_i.

    By the saddlepoint (Lugannani and Rice 1980). Against the beta distribution that
    gives Clopper and Pearson's limits, tails of .025 come out as .0251 to .0256 for 5
    to 500 rows: never too small.
    """
    if a.min() >= 0:
        return 1.0
    if a.max() <= 0:
        return 0.0
    a = a / np.abs(a).max()

    def slope(s):
        return np.sum(counts * a / (1 - a * s))

    inside = 1 - 1e-13
    s = optimize.brentq(slope, inside / a.min(), inside / a.max(), xtol=1e-14)
    cumulant = -np.sum(counts * np.log1p(-a * s))
    w = np.sign(s) * max(-2 * cumulant, 0.0) ** 0.5
    if abs(w) < _SMALL:
        skewness = 2 * np.sum(counts * a**3) / np.sum(counts * a**2) ** 1.5
        return float(0.5 - skewness / (6 * (2 * np.pi) ** 0.5))
    u = s * np.sum(counts * (a / (1 - a * s)) ** 2) ** 0.5
    tail = stats.norm.sf(w) + stats.norm.pdf(w) * (1 / u - 1 / w)
    return float(min(max(tail, 0.0), 1.0))


# ----- functions of how often kinds of rows occur ------------------------------------


def limits_of_kinds(kinds, units, strata, n_resamples, rng):
    """Limits by random weights of the rows and of some that were not seen.

    Parameters
    ----------
    kinds : RowKinds
    units : list of int arrays
        Rows of each unit: groups, or single rows.
    strata : int array of shape (n_units,)
        Stratum of each unit, whose weight stays what it is.
    n_resamples : int
        Random weights for each limit.
    rng : Generator

    Returns
    -------
    limits : Limits
    n_undefined : int
        Random weights with which the statistic is undefined.
    """
    counts = kinds.counts
    mean_size = len(kinds.of_row) / len(units)
    samples, n_undefined = [], 0
    for sign in (-1, 1):
        unseen = _worst_rows(kinds, counts, sign)
        draw = _weights_of_units if mean_size > 1 or strata.any() else _weights
        weights = draw(kinds, counts, units, strata, unseen, rng)
        values = np.array([kinds.value_of(next(weights)) for _ in range(n_resamples)])
        defined = np.isfinite(values)
        n_undefined += int(np.sum(~defined))
        samples.append(values[defined])
    return of_two_samples(*samples), n_undefined


def error_of_kinds(kinds, units):
    """Standard error by leaving out each unit, from counts of kinds alone."""
    counts, n_units = kinds.counts, len(units)
    if n_units == len(kinds.of_row):
        left_out = np.eye(kinds.n_kinds, dtype=int)[np.flatnonzero(counts)]
        weights = counts[counts > 0]
    else:
        left_out = [
            np.bincount(kinds.of_row[rows], minlength=kinds.n_kinds) for rows in units
        ]
        weights = np.ones(n_units)
    values = np.array([kinds.value_of(counts - some) for some in left_out])
    weights = np.where(np.isfinite(values), weights, 0)
    if not weights.any():
        return 0.0
    values = np.nan_to_num(values)
    squares = np.average(
        (values - np.average(values, weights=weights)) ** 2, weights=weights
    )
    return float(((n_units - 1) * squares) ** 0.5)


def _worst_rows(kinds, counts, sign):
    """Kinds of the fewest unseen rows that move the statistic, and the farthest.

    One row is enough for most. Yule's Q of two models that err alike stays 1 until each
    alone has erred.
    """
    start = kinds.value_of(counts)
    seen = np.array([], dtype=int)
    for size in (1, 2):
        tried = [np.array(some) for some in combinations(kinds.extremes, size)]
        moved = [sign * (_with(kinds, counts, some) - start) for some in tried]
        moved = np.nan_to_num(np.array(moved), nan=-np.inf)
        if moved.max(initial=-np.inf) > 1e-12:
            return tried[int(np.argmax(moved))]
    return seen


def _with(kinds, counts, some):
    more = counts.copy()
    more[some] += 1
    return kinds.value_of(more)


def _weights(kinds, counts, units, strata, unseen, rng):
    """Random weights of all kinds, for rows that are units."""
    present = np.union1d(np.flatnonzero(counts), unseen)
    shape = counts[present] + np.isin(present, unseen)
    weights = np.zeros(kinds.n_kinds, dtype=np.int64)
    while True:
        drawn = rng.standard_gamma(shape)
        weights[present] = _as_counts(drawn / drawn.sum(), len(kinds.of_row))
        yield weights


def _weights_of_units(kinds, counts, units, strata, unseen, rng):
    """Random weights of all kinds, for groups, or within strata."""
    sizes = np.array([len(rows) for rows in units])
    unit_of = np.empty(len(kinds.of_row), dtype=int)
    for number, rows in enumerate(units):
        unit_of[rows] = number
    of_strata = np.bincount(strata)
    while True:
        drawn = rng.standard_gamma(np.ones(len(units)))
        drawn *= (of_strata / np.bincount(strata, weights=drawn))[strata]
        outside = rng.beta(1, len(units), size=len(unseen)) * len(units)
        weights = np.bincount(
            kinds.of_row, weights=drawn[unit_of], minlength=kinds.n_kinds
        )
        weights[unseen] += outside * np.mean(sizes)
        yield _as_counts(weights / weights.sum(), len(kinds.of_row))


def _as_counts(shares, n_samples):
    return np.rint(shares * max(_TOTAL, 64 * n_samples)).astype(np.int64)
