"""A measure's value with its limits, by any method: what intervals and tests share."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.utils import check_random_state

from sksim.inference._limits import Limits, of_unseen_rows
from sksim.inference._proportions import PairedCounts, limits_of_share
from sksim.inference._resampling import Sample, make_plan, replicates, spread_of
from sksim.inference._unseen import error_of_kinds, limits_of_kinds, limits_of_mean

OF_SHARES = ("exact", "wilson")
OF_PAIRS = ("tango", "newcombe")
RESAMPLING = ("jackknife", "subsample", "masked_bootstrap", "bootstrap")
METHODS = (*OF_SHARES, *OF_PAIRS, "gaffke", *RESAMPLING)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its confidence limits at all levels.

    Attributes
    ----------
    sample : Sample
    value : float
        The score, or the statistic of a measure with a sign.
    limits : Limits
        Of the value.
    method : str
    standard_error : float
    bias : float
    replicates : ndarray
    n_undefined : int
    """

    sample: Sample
    value: float
    limits: Limits
    method: str
    standard_error: float
    bias: float = 0.0
    replicates: np.ndarray
    n_undefined: int = 0

    def interval(self, level):
        """Limits of the value at a level, around the value."""
        low, high = self.limits.interval(level)
        sample = self.sample
        if high - low <= sample.rounding:
            # replicates of which nearly all are the same have quantiles that are
            unseen = of_unseen_rows(self.value, sample.bounds, len(sample.units))
            low, high = unseen.interval(level)
        return min(low, self.value), max(high, self.value)

    def error(self, level):
        """Standard error; of what did not vary, as the interval is wide."""
        known = self.method in RESAMPLING or self.standard_error > 0
        if known and self.method not in OF_SHARES:
            return self.standard_error
        low, high = self.interval(level)
        by_width = (high - low) / 2 / float(stats.norm.isf((1 - level) / 2))
        return max(self.standard_error, by_width)


def chosen_method(tags, method, groups=None, strata=None):
    """Method that "auto" stands for; refused where groups don't go with it."""
    plain = groups is None and strata is None
    if method == "auto":
        best = ("exact", "tango", "gaffke") if plain else ("gaffke",)
        return next((m for m in best if m in tags.intervals), "jackknife")
    if method in (*OF_SHARES, *OF_PAIRS) and not plain:
        other = "gaffke" if "gaffke" in tags.intervals else "jackknife"
        raise ValueError(
            f"method={method!r} is for rows that are independent of each other and "
            f"drawn from all alike, which rows of groups or strata are not. Use "
            f"method={other!r}."
        )
    return method


def estimate_of(
    comparison,
    *,
    method,
    groups=None,
    strata=None,
    n_resamples=999,
    subsample_size=None,
    random_state=None,
    **jobs,
):
    """Estimate of a comparison, by a method that is valid for its measure."""
    sample = Sample(comparison, groups, strata)
    if method in OF_SHARES:
        return _of_share(sample, method)
    if method in OF_PAIRS:
        return _of_pairs(sample, method)
    if method == "gaffke":
        return _by_unseen_rows(sample, n_resamples, random_state)
    plan = make_plan(method, sample.strata, subsample_size, random_state)
    values = replicates([sample], plan, n_resamples, **jobs)[:, 0]
    value = sample.oriented(sample.statistic)
    spread = spread_of(
        value,
        values,
        plan,
        bounds=sample.bounds,
        rounding=sample.rounding,
        effects=sample.pair_effects() if method == "jackknife" else None,
        near_bounds=sample.is_output and np.isfinite(sample.bounds).all(),
    )
    return Estimate(
        sample=sample,
        value=value,
        limits=spread.limits,
        method=method,
        standard_error=spread.standard_error,
        bias=spread.bias,
        replicates=values,
        n_undefined=int(np.sum(~np.isfinite(values))),
    )


def _of_share(sample, method):
    """Estimate of a share of rows, which has a width and stays between 0 and 1."""
    share, n = sample.statistic, sample.comparison.n_samples
    limits = limits_of_share(round(share * n), n, method)
    error = math.sqrt(share * (1 - share) / n)
    return _estimate(sample, method, limits, error)


def _of_pairs(sample, method):
    """Estimate of a difference of two shares of the same rows."""
    counts = PairedCounts(*sample.comparison.paired_counts())
    squared = counts.first + counts.second - counts.n * counts.difference**2
    error = math.sqrt(max(squared, 0.0)) / counts.n
    return _estimate(sample, method, counts.limits(method), error)


def _by_unseen_rows(sample, n_resamples, random_state):
    """Estimate that allows for a row that was not seen."""
    kinds, units = sample.comparison.row_kinds(), sample.units
    if kinds.values is not None and not sample.strata.any():
        of_row = kinds.values[kinds.of_row]
        sums = np.array([of_row[rows].sum() for rows in units])
        sizes = np.array([len(rows) for rows in units])
        extremes = kinds.values[kinds.extremes]
        limits, n_undefined = limits_of_mean(sums, sizes, np.sort(extremes)[[0, -1]]), 0
    else:
        # the same rows have the same interval, unless another seed is asked for
        random_state = check_random_state(0 if random_state is None else random_state)
        rng = np.random.default_rng(random_state.randint(np.iinfo(np.int32).max))
        limits, n_undefined = limits_of_kinds(
            kinds, units, sample.strata, n_resamples, rng
        )
    error = error_of_kinds(kinds, units)
    return _estimate(sample, "gaffke", limits, error, n_undefined=n_undefined)


def _estimate(sample, method, limits, error, **found):
    """Estimate by limits of the statistic."""
    is_turned = not (sample.tags.signed or sample.tags.is_similarity)
    return Estimate(
        sample=sample,
        value=sample.oriented(sample.statistic) + 0.0,
        limits=limits.negated() if is_turned else limits,
        method=method,
        standard_error=error,
        replicates=np.empty(0),
        **found,
    )
