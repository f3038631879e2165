"""Scores of parts of the rows: what intervals are made of."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sksim._parallel import on_one_blas_thread, shared_by_jobs
from sksim.arrays._namespace import number
from sksim.base._tags import tags_of
from sksim.inference._permutations import check_groups

# Why a method is refused where the measure's tags do not name it.
_REFUSALS = {
    "bootstrap": (
        "rows that are drawn twice are neighbours at distance 0 in both "
        "representations, which is shared structure that the data do not have "
        "(nominal .95 intervals then cover the truth in 0 to .11 of the cases)"
    ),
    "masked_bootstrap": (
        "the measure can't leave out the pairs of copies that drawing rows twice makes"
    ),
    "jackknife": (
        "the statistic is not smooth in the rows, so that leaving one out says "
        "nothing about its variance"
    ),
    "subsample": "its value depends on the number of rows in an unknown way",
    **dict.fromkeys(("exact", "wilson"), "it is not a share of independent rows"),
}


def check_method(measure, method):
    """Raise unless a resampling method gives valid intervals for a measure.

    Parameters
    ----------
    measure : BaseSimilarity
    method : str
    """
    tags = tags_of(measure)
    name = type(measure).__name__
    if tags.inputs == "models":
        raise ValueError(
            f"{name} compares models, not rows that could be resampled: it has no "
            "interval of this kind."
        )
    if method not in tags.intervals:
        offered = ", ".join(repr(m) for m in tags.intervals)
        way_out = f"Use {offered}." if offered else "No method is valid."
        raise ValueError(
            f"method={method!r} is not valid for {name} with these parameters: "
            f"{_REFUSALS[method]}. {way_out}"
        )


class Sample:
    """A comparison of which scores of some rows can be had.

    Rows come in units that are drawn together: groups, or single rows.
    """

    def __init__(self, comparison, groups=None):
        self.comparison = comparison
        lengths = [array.shape[0] for array in comparison.rows.arrays]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"X has {lengths[0]} rows and y has {lengths[1]}: an interval "
                "resamples inputs, of which both need a row."
            )
        n_samples = comparison.n_samples
        if groups is None:
            self.units = np.arange(n_samples)[:, None]
        else:
            codes = check_groups(groups, n_samples)[1]
            self.units = [np.flatnonzero(codes == c) for c in range(codes.max() + 1)]
        if len(self.units) < 3:
            raise ValueError(
                f"There are {len(self.units)} rows, or groups of rows, to be drawn: an "
                "interval needs at least 3, and is rough below 20."
            )

    @property
    def by_rows(self):
        """Whether each row is a unit."""
        return isinstance(self.units, np.ndarray)

    @property
    def tags(self):
        """Tags of the measure."""
        return self.comparison.tags

    @property
    def statistic(self):
        """Statistic of all rows."""
        return self.comparison.statistic()

    def score(self, rows):
        """Score of some rows."""
        return self.tags.orient(number(self.comparison.of_rows(rows).value()))

    def weighted_score(self, rows):
        """Score of rows that count as often as they are named, or None."""
        weights = np.bincount(rows, minlength=self.comparison.n_samples)
        weights = self.comparison.there(weights.astype(np.float64))
        value = self.comparison.weighted(weights)
        return None if value is None else self.tags.orient(number(value))

    def without_each_unit(self):
        """Scores without each row in closed form, or None."""
        values = self.comparison.without_each_row() if self.by_rows else None
        return None if values is None else self.tags.orient(values)

    def rows_of(self, units):
        """Rows of some units, each as often as it is drawn."""
        if self.by_rows:
            return np.asarray(units)
        return np.concatenate([self.units[unit] for unit in units])


@dataclass(frozen=True)
class Plan:
    """Which rows each replicate is made of, drawn by the replicate's number."""

    method: str
    n_units: int
    size: int
    seed: int

    def units(self, number):
        """Units of a replicate."""
        if self.method == "jackknife":
            return np.delete(np.arange(self.n_units), number)
        rng = np.random.default_rng((self.seed, number))
        if self.method == "subsample":
            return np.sort(rng.choice(self.n_units, size=self.size, replace=False))
        return rng.integers(self.n_units, size=self.n_units)


def make_plan(method, n_units, subsample_size, random_state):
    """Plan of a method, with the size of subsamples checked."""
    size = subsample_size or n_units // 2
    if not 2 <= size < n_units:
        raise ValueError(
            f"subsample_size must be at least 2 and below the number of rows (or "
            f"groups), {n_units}; got {size}."
        )
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    return Plan(method, n_units, size, seed)


def replicates(samples, plan, n_resamples, *, n_jobs, verbose, batch_size):
    """Scores of each sample in each replicate.

    Parameters
    ----------
    samples : list of Sample
        Samples of the same rows.
    plan : Plan
    n_resamples : int
        Number of replicates; the jackknife has one for each unit.
    n_jobs, verbose, batch_size : int

    Returns
    -------
    scores : ndarray of shape (n_replicates, n_samples)
    """
    if plan.method == "jackknife":
        closed = [sample.without_each_unit() for sample in samples]
        if all(values is not None for values in closed):
            return np.stack(closed, axis=1)
        n_resamples = plan.n_units
    jobs = (
        delayed(_batch)(samples, plan, range(i, min(i + batch_size, n_resamples)))
        for i in range(0, n_resamples, batch_size)
    )
    with shared_by_jobs(samples):
        scores = np.concatenate(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))
    n_undefined = int(np.sum(~np.isfinite(scores).all(axis=1)))
    if n_undefined:
        raise ValueError(
            f"The measure is undefined in {n_undefined} of {len(scores)} replicates, "
            "so that there is no interval. Use more rows, or a larger subsample_size."
        )
    return scores


@on_one_blas_thread
def _batch(samples, plan, numbers):
    return np.array(
        [
            [_replicate(s, plan, plan.units(number)) for s in samples]
            for number in numbers
        ]
    )


def _replicate(sample, plan, units):
    rows = sample.rows_of(units)
    if plan.method not in ("masked_bootstrap", "bootstrap"):
        return sample.score(rows)
    score = sample.weighted_score(rows)
    if score is not None:
        return score
    if plan.method == "masked_bootstrap":
        raise ValueError(
            "method='masked_bootstrap' needs n x n matrices, which are not kept above "
            "4096 rows. Use method='jackknife' with groups, or 'subsample'."
        )
    return sample.score(rows)


@dataclass(frozen=True)
class Spread:
    """Standard error, bias and limits of an estimate, from its replicates."""

    standard_error: float
    bias: float
    limits: tuple


def spread_of(estimate, values, plan, level):
    """Standard error, bias and confidence limits by a plan's replicates.

    Parameters
    ----------
    estimate : float
        Score, or difference of scores, of all rows.
    values : ndarray of shape (n_replicates,)
    plan : Plan
    level : float
        Confidence level.

    Returns
    -------
    spread : Spread
    """
    tails = ((1 - level) / 2, (1 + level) / 2)
    mean = float(np.mean(values))
    if plan.method == "jackknife":
        n = plan.n_units
        error = math.sqrt((n - 1) / n * float(np.sum((values - mean) ** 2)))
        half = error * float(stats.t.ppf(tails[1], n - 1))
        bias = (n - 1) * (mean - estimate)
        return Spread(error, bias, (estimate - half, estimate + half))
    if plan.method == "bootstrap":
        low, high = np.quantile(values, tails)
        limits = (float(low), float(high))
        return Spread(float(np.std(values, ddof=1)), mean - estimate, limits)
    # subsamples overlap: rows that all of them share do not vary
    scale = 1.0
    if plan.method == "subsample":
        scale = math.sqrt(plan.size / (plan.n_units - plan.size))
    low, high = np.quantile(values - mean, tails)
    limits = (estimate - scale * float(high), estimate - scale * float(low))
    return Spread(scale * float(np.std(values, ddof=1)), mean - estimate, limits)
