"""Scores of parts of the rows: what intervals are made of."""

import math
import warnings
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sksim._parallel import on_one_blas_thread, shared_by_jobs
from sksim.arrays._namespace import number
from sksim.base._tags import tags_of
from sksim.base._validation import check_groups
from sksim.inference._limits import (
    of_deviations,
    of_quantiles,
    of_student,
    of_unseen_rows,
    on_log_odds,
)
from sksim.inference._permutations import strata_of_units

# Why a method is refused where the measure's tags do not name it.
_REFUSALS = {
    "bootstrap": (
        "its tag 'intervals' does not name it. Of measures that relate rows to each "
        "other, rows that are drawn twice are shared structure that the data do not "
        "have (nominal .95 intervals covered the truth in 0 to .11 of the cases)"
    ),
    "masked_bootstrap": (
        "the measure can't leave out the pairs of copies that drawing rows twice makes"
    ),
    "jackknife": (
        "the statistic is not smooth in the rows, so that leaving one out says "
        "nothing about its variance"
    ),
    "subsample": "its value depends on the number of rows in an unknown way",
    "gaffke": (
        "it is no function of how often kinds of rows occur, with known limits of what "
        "a row may be"
    ),
    **dict.fromkeys(("exact", "wilson"), "it is not a share of independent rows"),
    **dict.fromkeys(
        ("tango", "newcombe"), "it is not a difference of two shares of the same rows"
    ),
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


# Fewer numbers say next to nothing of their spread.
_FEWEST_UNITS = 4


class Sample:
    """A comparison of which values of some rows can be had.

    Rows come in units that are drawn together: groups, or single rows. The value is
    the score, or the statistic itself of a measure with a sign.
    """

    def __init__(self, comparison, groups=None, strata=None):
        self.comparison = signed(comparison)
        # whose limits are wanted without the sign
        self.is_folded = self.comparison is not comparison
        lengths = [array.shape[0] for array in comparison.rows.arrays]
        if len(set(lengths)) > 1:
            raise ValueError(
                f"X has {lengths[0]} rows and y has {lengths[1]}: an interval "
                "resamples inputs, of which both need a row."
            )
        n_samples = comparison.n_samples
        labels = None
        if groups is None:
            self.units = np.arange(n_samples)[:, None]
        else:
            labels, codes = check_groups(groups, n_samples)
            self.units = [np.flatnonzero(codes == c) for c in range(codes.max() + 1)]
        self._refuse_few(groups is not None)
        self.strata = _strata_codes(self.units, strata, labels, n_samples)

    def _refuse_few(self, are_groups):
        n_units = len(self.units)
        if n_units >= _FEWEST_UNITS:
            return
        hint = ""
        if are_groups:
            hint = (
                " groups= are rows that belong together, such as patches of an image. "
                "Classes, within which rows are drawn, are strata=."
            )
        raise ValueError(
            f"There are {n_units} {'groups' if are_groups else 'rows'} to be left out "
            "or drawn, too few for an interval: the spread of so few numbers says next "
            f"to nothing. It takes at least {_FEWEST_UNITS}, and is rough below "
            f"20.{hint}"
        )

    @property
    def by_rows(self):
        """Whether each row is a unit."""
        return isinstance(self.units, np.ndarray)

    @property
    def is_plain(self):
        """Whether rows are drawn from all rows alike."""
        return self.by_rows and not self.strata.any()

    @property
    def tags(self):
        """Tags of the measure."""
        return self.comparison.tags

    @property
    def is_output(self):
        """Whether rows are what models answer, of which most may be alike."""
        return self.tags.inputs in ("labels", "probabilities", "outputs", "gradients")

    @property
    def rounding(self):
        """Spread of values that is none."""
        return self.comparison.rounding * max(1.0, abs(self.statistic))

    @property
    def bounds(self):
        """Smallest and largest value."""
        low, high = self.tags.bounds
        oriented = self.tags.is_similarity or self.tags.signed
        return (low, high) if oriented else (-high, -low)

    def oriented(self, statistic):
        """Value of a statistic."""
        return statistic if self.tags.signed else self.tags.orient(statistic)

    @cached_property
    def statistic(self):
        """Statistic of all rows."""
        return self.comparison.statistic()

    def value(self, rows):
        """Value of some rows."""
        return self.oriented(number(self.comparison.of_rows(rows).value()))

    def weighted_value(self, rows):
        """Value of rows that count as often as they are named, or None."""
        weights = np.bincount(rows, minlength=self.comparison.n_samples)
        weights = self.comparison.there(weights.astype(np.float64))
        value = self.comparison.weighted(weights)
        return None if value is None else self.oriented(number(value))

    def without_each_unit(self):
        """Values without each row in closed form, or None."""
        values = self.comparison.without_each_row() if self.by_rows else None
        return None if values is None else self.oriented(values)

    def pair_effects(self):
        """What pairs of rows add beyond each row, where rows are units, or None."""
        return self.comparison.pair_effects() if self.is_plain else None

    def rows_of(self, units):
        """Rows of some units, each as often as it is drawn."""
        if self.by_rows:
            return np.asarray(units)
        return np.concatenate([self.units[unit] for unit in units])


def signed(comparison):
    """The comparison with its sign, of a measure that can leave it out."""
    params = comparison.owner.get_params()
    unsigned = [
        name
        for name, value in params.items()
        if name.split("__")[-1] == "signed" and not value
    ]
    if not unsigned:
        return comparison
    owner = clone(comparison.owner).set_params(**dict.fromkeys(unsigned, True))
    rows = comparison.rows and replace(comparison.rows, viewer=owner)
    return replace(comparison, measure=owner._engine, owner=owner, rows=rows)


def _strata_codes(units, strata, labels, n_samples):
    """Number of each unit's stratum, each of which has two units or more."""
    found = strata_of_units(units, strata, labels, n_samples)
    codes = np.unique(found, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(codes)
    if len(counts) > 1 and counts.min() < 2:
        what = "row" if labels is None else "group"
        raise ValueError(
            f"{np.sum(counts < 2)} of {len(counts)} strata hold a single {what}, of "
            "which no spread is known. Join small strata, or leave out strata=."
        )
    return codes


@dataclass(frozen=True)
class Plan:
    """Which rows each replicate is made of, drawn by the replicate's number."""

    method: str
    strata: np.ndarray
    size: int
    seed: int
    # units of each stratum
    members: list = field(default_factory=list)

    @property
    def n_units(self):
        """Number of rows, or groups."""
        return len(self.strata)

    @property
    def degrees(self):
        """Degrees of freedom of the units' spread."""
        return self.n_units - len(self.members)

    def units(self, number):
        """Units of a replicate."""
        if self.method == "jackknife":
            return np.delete(np.arange(self.n_units), number)
        rng = np.random.default_rng((self.seed, number))
        if self.method == "subsample":
            parts = [
                rng.choice(units, size=self._share(len(units)), replace=False)
                for units in self.members
            ]
            return np.sort(np.concatenate(parts))
        parts = [rng.choice(units, size=len(units)) for units in self.members]
        return np.concatenate(parts)

    def _share(self, n_units):
        return min(max(round(n_units * self.size / self.n_units), 1), n_units - 1)


def make_plan(method, strata, subsample_size, random_state):
    """Plan of a method, with the size of subsamples checked."""
    n_units = len(strata)
    size = subsample_size or n_units // 2
    if not 2 <= size < n_units:
        raise ValueError(
            f"subsample_size must be at least 2 and below the number of rows (or "
            f"groups), {n_units}; got {size}."
        )
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    members = [np.flatnonzero(strata == code) for code in range(strata.max() + 1)]
    return Plan(method, strata, size, seed, members)


def replicates(samples, plan, n_resamples, *, n_jobs, verbose, batch_size):
    """Values of each sample in each replicate, nan where one is undefined.

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
    values : ndarray of shape (n_replicates, n_samples)
    """
    if plan.method == "jackknife":
        closed = [sample.without_each_unit() for sample in samples]
        if all(values is not None for values in closed):
            return checked(np.stack(closed, axis=1), samples, plan)
        n_resamples = plan.n_units
    jobs = (
        delayed(_batch)(samples, plan, range(i, min(i + batch_size, n_resamples)))
        for i in range(0, n_resamples, batch_size)
    )
    with shared_by_jobs(samples):
        values = np.concatenate(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))
    return checked(values, samples, plan)


def checked(values, samples, plan):
    """Replicates, with a warning if few are undefined and a refusal if many are.

    Parameters
    ----------
    values : ndarray of shape (n_replicates, n_values)
    samples : list of Sample
        Of which one says why if all are undefined.
    plan : Plan

    Returns
    -------
    values : ndarray of shape (n_replicates, n_values)
        Replicates of which a value is undefined are nan.
    """
    defined = np.isfinite(values).all(axis=1)
    n_undefined = int(np.sum(~defined))
    if not n_undefined:
        return values
    if not defined.any():
        _batch(samples, plan, [0], strict=True)
    if n_undefined > len(values) / 2 or np.sum(defined) < _FEWEST_UNITS:
        raise ValueError(
            f"The measure is undefined in {n_undefined} of {len(values)} replicates, "
            "so that there is no interval. Use more rows, or a larger subsample_size."
        )
    warnings.warn(
        f"The measure is undefined in {n_undefined} of {len(values)} replicates, which "
        "are left out: the interval is of the others alone.",
        UserWarning,
        stacklevel=2,
    )
    return np.where(defined[:, None], values, np.nan)


@on_one_blas_thread
def _batch(samples, plan, numbers, strict=False):
    return np.array(
        [
            [_replicate(s, plan, plan.units(number), strict) for s in samples]
            for number in numbers
        ]
    )


def _replicate(sample, plan, units, strict):
    rows = sample.rows_of(units)
    if plan.method in ("masked_bootstrap", "bootstrap"):
        value = sample.weighted_value(rows)
        if value is not None:
            return value
        if plan.method == "masked_bootstrap":
            raise ValueError(
                "method='masked_bootstrap' needs n x n matrices, which are not kept "
                "above 4096 rows. Use method='jackknife' with groups, or 'subsample'."
            )
    try:
        return sample.value(rows)
    except ValueError:
        # these rows alone are no input of the measure, as where a class is lost
        if strict:
            raise
        return math.nan


@dataclass(frozen=True)
class Spread:
    """Standard error, bias and limits of an estimate, from its replicates."""

    standard_error: float
    bias: float
    limits: object


def spread_of(
    estimate, values, plan, *, bounds, rounding, effects=None, near_bounds=False
):
    """Standard error, bias and confidence limits by a plan's replicates.

    Parameters
    ----------
    estimate : float
        Value, or difference of values, of all rows.
    values : ndarray of shape (n_replicates,)
        Undefined ones are nan.
    plan : Plan
    bounds : tuple of float
        Smallest and largest value.
    rounding : float
        Spread below which the replicates are all the same.
    effects : PairEffects, default=None
        For corrections of the jackknife.
    near_bounds : bool, default=False
        Whether limits by the standard error are found on the scale of log-odds.

    Returns
    -------
    spread : Spread
    """
    defined = values[np.isfinite(values)]
    mean = float(np.mean(defined))
    skewness = None
    if plan.method == "jackknife":
        variance, bias = _jackknife(estimate, values, plan)
        degrees = _degrees(values, plan)
        error = math.sqrt(without_excess(variance, effects, plan.n_units))
        if effects is not None and error > rounding and len(defined) == len(values):
            influences = (mean - values) * (plan.n_units - 1) / plan.n_units
            skewness = effects.skewness(influences, error)
    else:
        error, bias = float(np.std(defined, ddof=1)), mean - estimate
    if plan.method in ("subsample", "masked_bootstrap"):
        # subsamples overlap: rows that all of them share do not vary
        scale = 1.0
        if plan.method == "subsample":
            scale = math.sqrt(plan.size / (plan.n_units - plan.size))
        error *= scale
        limits = of_deviations(estimate, scale * (defined - mean))
    elif plan.method == "bootstrap":
        limits = of_quantiles(defined)
    else:
        limits = of_student(estimate, error, degrees, skewness)
    if error <= rounding:
        limits = of_unseen_rows(estimate, bounds, plan.n_units)
    elif (
        plan.method == "jackknife" and near_bounds and bounds[0] < estimate < bounds[1]
    ):
        limits = on_log_odds(estimate, error, degrees, bounds)
    return Spread(error, bias, limits.within(bounds))


def _inside(value, bounds):
    return bounds[0] < value < bounds[1]


def _jackknife(estimate, values, plan):
    """Variance and bias by values without each unit, within strata."""
    variance, bias = 0.0, 0.0
    for units in plan.members:
        some = values[units]
        some = some[np.isfinite(some)]
        if not len(some):
            continue
        n = len(units)
        mean = float(np.mean(some))
        # those that are undefined are taken to be as far off as the others
        squares = n / len(some) * float(np.sum((some - mean) ** 2))
        variance += (n - 1) / n * squares
        bias += (n - 1) * (mean - estimate)
    return variance, bias


def without_excess(variance, effects, n_units):
    """The jackknife's variance without what it counts twice, where that is known."""
    if effects is None:
        return variance
    # no more than half of it can be of second order
    return max(variance - effects.excess_variance(n_units), variance / 2)


def _degrees(values, plan):
    """Degrees of freedom of the jackknife's variance, by the kurtosis of its values.

    A variance of n values of kurtosis k varies as that of normal values does with
    2n / (k - (n - 3)/(n - 1)) degrees, n - 1 of them if k is 3. Where few rows make up
    most of the error they are fewer: of views of 100 rows by Student's t with 5 degrees
    nominal .95 intervals of debiased CKA cover .947 with these and .935 with n - 1.
    """
    gaps = np.concatenate([values[part] - _mean(values[part]) for part in plan.members])
    squares = gaps[np.isfinite(gaps)] ** 2
    n, variance = len(squares), _mean(squares)
    if not variance > 0:
        return plan.degrees
    kurtosis = _mean((squares / variance) ** 2)
    return min(plan.degrees, 2 * n / (kurtosis - (n - 3) / (n - 1)))


def _mean(values):
    """Mean of those that are defined, nan if none is."""
    defined = values[np.isfinite(values)]
    return float(np.mean(defined)) if len(defined) else math.nan
