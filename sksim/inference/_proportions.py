"""Shares of rows, and differences of two shares of the same rows."""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from sksim.inference._limits import Limits


def limits_of_share(count, n, method):
    """Limits of a share: Clopper and Pearson's ("exact"), or Wilson's.

    Parameters
    ----------
    count, n : int
        Rows that count, and all.
    method : {"exact", "wilson"}
    """
    of_count = {"exact": _clopper_pearson, "wilson": _wilson}[method]
    return Limits(
        low=lambda tail: of_count(count, n, tail)[0],
        high=lambda tail: of_count(count, n, tail)[1],
    )


def _clopper_pearson(count, n, tail):
    low = stats.beta.ppf(tail, count, n - count + 1) if count > 0 else 0.0
    high = stats.beta.isf(tail, count + 1, n - count) if count < n else 1.0
    return float(low), float(high)


def _wilson(count, n, tail):
    z = stats.norm.isf(tail)
    share = count / n
    middle = share + z**2 / (2 * n)
    # a negative z, of tails above a half, exchanges the limits
    half = z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    scale = 1 + z**2 / n
    return (middle - half) / scale, (middle + half) / scale


@dataclass(frozen=True)
class PairedCounts:
    """How many rows count for both, one or none of two sides.

    Attributes
    ----------
    both, first, second, none : int
    """

    both: int
    first: int
    second: int
    none: int

    @property
    def n(self):
        """Number of rows."""
        return self.both + self.first + self.second + self.none

    @property
    def difference(self):
        """Share of the first side minus that of the second."""
        return (self.first - self.second) / self.n

    def limits(self, method):
        """Limits of the difference: Tango's score interval, or Newcombe's."""
        if method == "tango":
            return Limits(
                low=lambda tail: self._tango(stats.norm.isf(tail)),
                high=lambda tail: self._tango(-stats.norm.isf(tail)),
                below=lambda bound: float(stats.norm.sf(self._score(bound))),
                above=lambda bound: float(stats.norm.cdf(self._score(bound))),
            )
        return Limits(
            low=lambda tail: self._newcombe(tail, 1),
            high=lambda tail: self._newcombe(tail, -1),
        )

    def _score(self, difference):
        """Score statistic of a hypothetical difference (Tango 1998)."""
        b, c, n = self.first, self.second, self.n
        if b < c:  # the roots below cancel least the other way round
            b, c, difference, sign = c, b, -difference, -1.0
        else:
            sign = 1.0
        excess = b - c - n * difference
        if excess == 0:
            return 0.0
        # likeliest share of rows that count for the second side alone, given that
        linear = -b - c + (2 * n - b + c) * difference
        constant = -c * difference * (1 - difference)
        root = max(linear**2 - 8 * n * constant, 0.0) ** 0.5
        q = (root - linear) / (4 * n)
        if linear > 0:  # without cancellation
            q = -2 * constant / (root + linear)
        variance = n * (2 * q + difference * (1 - difference))
        score = excess / variance**0.5 if variance > 0 else np.inf * np.sign(excess)
        return sign * score

    def _tango(self, z):
        """Difference at which the score statistic is z; a bound if it nowhere is."""
        ends = np.nextafter(-1.0, 0), np.nextafter(1.0, 0)
        if self._score(ends[0]) <= z:
            return -1.0
        if self._score(ends[1]) >= z:
            return 1.0
        gap = lambda difference: self._score(difference) - z  # noqa: E731
        return float(optimize.brentq(gap, *ends, xtol=1e-15, rtol=1e-15))

    def _newcombe(self, tail, side):
        """Limit by the Wilson limits of both shares (Newcombe 1998, method 10)."""
        if tail > 0.5:
            tail, side = 1 - tail, -side
        n = self.n
        one, two = self.both + self.first, self.both + self.second
        limits_one, limits_two = (_wilson(count, n, tail) for count in (one, two))
        # how far each share may lie towards the limit
        if side > 0:
            off_one, off_two = one / n - limits_one[0], limits_two[1] - two / n
        else:
            off_one, off_two = limits_one[1] - one / n, two / n - limits_two[0]
        shared = 2 * self._correlation * off_one * off_two
        squared = off_one**2 - shared + off_two**2
        return self.difference - side * max(squared, 0.0) ** 0.5

    @property
    def _correlation(self):
        one, two = self.both + self.first, self.both + self.second
        margins = one * (self.n - one) * two * (self.n - two)
        if margins == 0:
            return 0.0
        return (self.both * self.none - self.first * self.second) / margins**0.5
