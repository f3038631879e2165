"""Limits, and whether confidence bounds, not the numbers alone, show them to hold."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sksim.inference._limits import Limits
from sksim.inference._proportions import PairedCounts, limits_of_share
from sksim.inference._unseen import limits_of_mean
from sksim.pairwise._predictions._statistics import (
    counts_of_pairs,
    share_of_rows,
    untested_difference,
)

PASS, FAIL, UNKNOWN = "pass", "fail", "cannot say"
# Of more rows than so many times those at hand nothing is said.
_MOST = 1e4


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """A value with its lower and upper bound, each at the gate's level.

    Attributes
    ----------
    value, low, high : float
    of_more : callable
        Limits, were there so many times as many rows like these; None where nothing
        would change.
    """

    value: float
    low: float
    high: float
    of_more: Callable | None


@dataclass(frozen=True, kw_only=True)
class Part:
    """Rows that limits hold for: all, or those of a slice.

    Attributes
    ----------
    name : str
    paired : Paired
    probabilities : pair of DataFrame or None
    """

    name: str
    paired: object
    probabilities: tuple | None


def judged(name, limit, part, tail):
    """One row of the table of criteria.

    Parameters
    ----------
    name : str
        A key of ``CRITERIA``.
    limit : float
    part : Part
    tail : float
        Probability that the value is beyond a bound.
    """
    criterion = CRITERIA[name]
    bounds = criterion.bounds_of(part, tail)
    return {
        "criterion": name,
        "slice": part.name,
        "n_rows": part.paired.n_rows,
        "limit": float(limit),
        "value": bounds.value + 0.0,
        "low": bounds.low + 0.0,
        "high": bounds.high + 0.0,
        "outcome": _outcome(bounds, limit, criterion.is_at_least),
        "rows_needed": _rows_needed(bounds, limit, criterion, part.paired.n_rows, tail),
    }


def _outcome(bounds, limit, is_at_least):
    if is_at_least:
        met, broken = bounds.low >= limit, bounds.high < limit
    else:
        met, broken = bounds.high <= limit, bounds.low > limit
    return PASS if met else FAIL if broken else UNKNOWN


def _rows_needed(bounds, limit, criterion, n_rows, tail):
    """Rows like these that would show the limit to hold; nan where none would."""
    sign = -1 if criterion.is_at_least else 1
    if not sign * bounds.value < sign * limit:
        return math.nan

    if sign * (bounds.low if criterion.is_at_least else bounds.high) <= sign * limit:
        return float(n_rows)

    def is_met(times):
        return _is_met(bounds.of_more(times), limit, criterion.is_at_least, tail)

    most = 2.0
    while not is_met(most):
        most *= 2
        if most > _MOST:
            return math.nan
    least = most / 2
    while most - least > 0.005 * most:
        middle = (least + most) / 2
        least, most = (least, middle) if is_met(middle) else (middle, most)
    return float(_rounded_up(most * n_rows))


def _is_met(limits, limit, is_at_least, tail):
    """Whether a bound meets a limit; p-values in closed form are faster to tell."""
    if is_at_least:
        if limits.below is not None:
            return limits.below(limit) <= tail
        return limits.low(tail) >= limit
    if limits.above is not None:
        return limits.above(limit) <= tail
    return limits.high(tail) <= limit


def _rounded_up(number):
    """To two digits: what was seen in a sample is not known better."""
    unit = 10 ** max(math.floor(math.log10(number)) - 1, 0)
    return math.ceil(number / unit) * unit


# ----- bounds -------------------------------------------------------------------------


def _of_limits(value, limits, tail, limits_of_more=None):
    low, high = _ends(limits, value, tail)

    def by_root(times):
        # scores: widths go with the root of the rows
        scale = times**-0.5
        return Limits(
            low=lambda _: value + (low - value) * scale,
            high=lambda _: value + (high - value) * scale,
        )

    of_more = by_root if limits_of_more is None else limits_of_more
    return Bounds(value=value, low=low, high=high, of_more=of_more)


def _ends(limits, value, tail):
    """Bounds beyond which p-values are at most the tail, however they are found.

    Where p-values allow for skewness, and limits don't, the limits are moved out.
    """
    low, high = float(limits.low(tail)), float(limits.high(tail))
    if limits.above is not None:
        high = _moved_out(limits.pvalue_above, value, high, tail)
    if limits.below is not None:
        low = _moved_out(limits.pvalue_below, value, low, tail)
    return min(low, value), max(high, value)


def _moved_out(pvalue, value, bound, tail):
    # the root that a bound is has its own rounding error
    enough = tail * (1 + 1e-6)
    if bound == value or pvalue(bound) <= enough:
        return bound
    inside, outside = bound, value + 2 * (bound - value)
    while pvalue(outside) > enough:
        inside, outside = outside, value + 2 * (outside - value)
    for _ in range(60):
        middle = (inside + outside) / 2
        if pvalue(middle) > enough:
            inside = middle
        else:
            outside = middle
    return outside


def _of_share(part, tail, flags):
    paired = part.paired
    if paired.group is not None:
        return _of_mean(paired, flags.astype(float), (0.0, 1.0), tail)
    share = share_of_rows(paired, flags, "exact")
    count, n = float(flags.sum()), paired.n_rows

    def of_more(times) -> Limits:
        return limits_of_share(times * count, times * n, "exact")

    return _of_limits(share.value, share.limits, tail, of_more)


def _churn(part, tail):
    return _of_share(part, tail, ~part.paired.same)


def _agreement(part, tail):
    return _of_share(part, tail, part.paired.same)


def _negative_flips(part, tail):
    return _of_share(part, tail, part.paired.score_b < part.paired.score_a)


def _loss(part, tail):
    """How much higher the old model scores."""
    difference = untested_difference(part.paired)
    more = None
    if difference.method == "tango":
        counts = counts_of_pairs(part.paired)

        def more(times) -> Limits:
            several = (counts.both, counts.first, counts.second, counts.none)
            return PairedCounts(*(times * n for n in several)).limits("tango")

    return _of_limits(difference.value, difference.limits, tail, more)


def _divergence(name, largest_of):
    """Bounds of the mean of a divergence of probabilities, of the measure's name."""

    def bounds_of(part, tail):
        # the measures of outputs take a while to import, which others need not wait for
        from sksim import functional

        old, new = part.probabilities
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # infinity is said below
            measure = getattr(functional, name)().fit(old, new)
        value = measure.distance_
        if math.isinf(value):  # one such row makes the mean over all there are infinite
            return Bounds(value=value, low=value, high=value, of_more=None)
        ends = 0.0, largest_of(new)
        return _of_mean(part.paired, measure.row_values_, ends, tail)

    return bounds_of


def _largest_kl(new):
    """No old model is further from these rows of new than this."""
    return float(-np.log(new.to_numpy().min()))


def _of_mean(paired, values, ends, tail):
    """Bounds of a mean over rows between two ends, that allow for a row not seen."""
    sums, sizes = paired.sums(values)
    limits = limits_of_mean(sums, sizes, ends)
    value = float(np.mean(values))

    def of_more(times) -> Limits:
        return limits_of_mean(sums, sizes, ends, times=times)

    return _of_limits(value, limits, tail, of_more)


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """What is limited, how, and what it takes.

    Attributes
    ----------
    words : str
        What the value is called in a sentence.
    bounds_of : callable
        Bounds of a part of the rows, at a tail.
    is_at_least : bool
        Whether the limit is the least that is allowed.
    needs : {"answers", "scores", "probabilities"}
    unit : {"share", "scores", "nats"}
    """

    words: str
    bounds_of: Callable
    is_at_least: bool = False
    needs: str = "answers"
    unit: str = "share"


CRITERIA = {
    "max_churn": Criterion(words="churn", bounds_of=_churn),
    "min_agreement": Criterion(
        words="agreement", bounds_of=_agreement, is_at_least=True
    ),
    "noninferiority": Criterion(
        words="loss (old minus new)", bounds_of=_loss, needs="scores", unit="scores"
    ),
    "max_negative_flips": Criterion(
        words="negative flip rate", bounds_of=_negative_flips, needs="scores"
    ),
    "max_kl": Criterion(
        words="KL divergence",
        bounds_of=_divergence("KullbackLeibler", _largest_kl),
        needs="probabilities",
        unit="nats",
    ),
    "max_js": Criterion(
        words="JS divergence",
        bounds_of=_divergence("JensenShannonDivergence", lambda _: math.log(2)),
        needs="probabilities",
        unit="nats",
    ),
}
