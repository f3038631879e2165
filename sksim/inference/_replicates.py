"""Whether two kinds of model differ by more than replicates of one kind do."""

import itertools
import math
import warnings
from dataclasses import dataclass, field
from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy import special
from sklearn.base import clone
from sklearn.utils import check_random_state

from sksim._results import ResultMixin
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Layers, Measure, Metadata, RandomState
from sksim.base._layers import named_layers, open_layers
from sksim.base._row_names import refuse_other_rows
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure
from sksim.inference._interval import ConfidenceInterval

# Rows of the table of estimates, and the sides on whose replicates each depends.
_ESTIMATES = {
    "between": "xy",
    "within_x": "x",
    "within_y": "y",
    "excess": "xy",
    "disattenuated": "xy",
}


@dataclass(frozen=True, kw_only=True)
class ReplicateTestResult(ResultMixin):
    """Result of :func:`replicate_test`.

    All numbers are scores, of which greater means more similar, or with
    ``output="statistic"`` the measure's own numbers, of which distances are positive.

    Attributes
    ----------
    between : float
        Mean over all pairs of a replicate of X with one of y.
    within_x, within_y : float or None
        Means over all pairs of replicates of one side; None for a single replicate.
    floor : float
        How unlike two replicates of one kind are: the larger within-distance, of
        similarities the smaller within-similarity.
    excess : float
        How much less alike the two kinds are than the floor: the difference of
        ``between`` and ``floor``, positive if the two kinds are further apart.
    exceeds_floor : bool or None
        Whether ``excess_interval`` lies above 0: the two kinds differ by more than two
        replicates of one kind. None where there are too few replicates to say.
    disattenuated : float
        between / sqrt(within_x within_y): the similarity of the two kinds without what
        varies from replicate to replicate; nan where it is not defined.
    disattenuated_reason : str
        Why it is nan; empty where it is a number.
    pvalue : float
        Of the hypothesis that the replicates of both sides are exchangeable.
    smallest_pvalue : float
        The smallest p-value that so many replicates, or permutations, can give.
    confidence_interval : ConfidenceInterval
        Limits ``low`` and ``high`` of ``between``.
    excess_interval : ConfidenceInterval
        Limits of ``excess``; nan where a side has fewer than three replicates.
    estimates : DataFrame
        Estimate, standard error and limits of each of the numbers above.
    pairs : DataFrame
        All pairs of replicates: their names ``x`` and ``y``, ``relation`` ("between",
        "within_x" or "within_y") and ``value``.
    names_x, names_y : list of str
        Names of the replicates.
    confidence_level : float
        Share of intervals that are to cover the truth.
    method : {"exact", "permutation"}
        Whether all labellings of the replicates were counted, or random ones.
    n_permutations : int
        Number of labellings.
    output : {"score", "statistic"}
        What the numbers are.
    """

    between: float
    within_x: float | None
    within_y: float | None
    floor: float
    excess: float
    exceeds_floor: bool | None
    disattenuated: float
    disattenuated_reason: str
    pvalue: float
    smallest_pvalue: float
    confidence_interval: ConfidenceInterval
    excess_interval: ConfidenceInterval
    estimates: pd.DataFrame = field(repr=False)
    pairs: pd.DataFrame = field(repr=False)
    names_x: list[str] = field(repr=False)
    names_y: list[str] = field(repr=False)
    confidence_level: float
    method: str
    n_permutations: int
    output: str

    def to_frame(self) -> pd.DataFrame:
        """The estimates, one row each, with the p-value beside ``between``.

        Returns
        -------
        frame : DataFrame
            ``estimate``, ``standard_error``, ``interval_low``, ``interval_high`` and
            ``pvalue``.
        """
        frame = self.estimates.copy()
        frame["pvalue"] = np.where(frame.index == "between", self.pvalue, np.nan)
        return frame


@validate_params(
    {
        "metadata": [dict, None],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "output": [StrOptions({"score", "statistic"})],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=True,
)
def replicate_test(
    measure: Measure,
    Xs: Layers,
    ys: Layers,
    *,
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    data: ArrayLike | None = None,
    n_permutations: int = 9999,
    confidence_level: float = 0.95,
    output: str = "score",
    random_state: RandomState | None = None,
    n_jobs: int | None = None,
) -> ReplicateTestResult:
    r"""Test whether two kinds of model differ by more than replicates of one kind.

    Replicates are what should have been the same: the same training with another
    seed, checkpoints, fits to bootstrap samples, stochastic passes, subjects, halves of
    the neurons. All pairs of them are compared once, within X, within y and between.

    The null hypothesis is that the replicates of both kinds are exchangeable: that
    which of them are called X's is of no matter. Its p-value counts the labellings of
    the replicates that are at least as extreme, all of them where there are few. What
    is extreme is the larger of two statistics, each in the standard deviations that it
    has over the labellings:

    .. math:: \tfrac12 (w_x + w_y) - b \quad\text{and}\quad \lvert w_x - w_y \rvert ,

    of the mean scores :math:`w_x, w_y` within and :math:`b` between. The first is large
    where the two kinds are in different places, the second where one of them varies
    more than the other: a noisier kind may be as near to the other kind as that is to
    itself.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, not necessarily fitted; it is cloned.
    Xs, ys : dict of str to array-like, or sequence of array-like
        Replicates of each kind, any number of them, three in all at the least: arrays
        of shape (n_samples, n_features) of the same rows, or what the measure compares
        otherwise: labels, probabilities, models.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    metadata : dict, default=None
        More that is known of the rows and that the measure uses, by name.
    data : array-like of shape (n_samples, n_features), default=None
        Rows that models are applied to, for measures of models that do so.
    n_permutations : int, default=9999
        Number of random labellings. Where there are no more than one above it, all of
        them are counted: up to 7 against 7 replicates.
    confidence_level : float, default=0.95
        Share of intervals that are to cover the truth.
    output : {"score", "statistic"}, default="score"
        Scores, of which greater means more similar, or the measure's own numbers.
    random_state : int, RandomState instance or None, default=None
        Seed of random labellings.
    n_jobs : int, default=None
        Number of parallel jobs that view the replicates.

    Returns
    -------
    result : ReplicateTestResult
        With the attributes ``between``, ``within_x``, ``within_y``, ``floor``,
        ``excess``, ``exceeds_floor``, ``disattenuated``, ``pvalue``, intervals, the
        table of ``pairs`` and the method ``to_frame``.

    Raises
    ------
    ValueError
        If both sides have one replicate, if replicates differ in their rows, or if the
        measure is undefined for a pair of them; the message names the replicates.

    Warns
    -----
    UserWarning
        If there are too few replicates for a p-value as small as one minus the level of
        confidence, with the smallest that is possible.

    See Also
    --------
    noise_ceiling : The best that a model of replicates can reach.
    similarity_to_group : A model against many subjects.
    sksim.plot.ReplicatesDisplay : The pairs as a picture.

    Notes
    -----
    A measure that is not symmetric is taken both ways and averaged.

    Intervals are by Student's t and the jackknife over replicates: each replicate of
    each side is left out in turn, with all of its pairs, since the pairs of one
    replicate are not independent. Variances of the two sides add up, and so do their
    degrees of freedom, by Welch and Satterthwaite.

    The floor is of the kind that varies more. A kind that is noisier than the other and
    in the same place has a small p-value, and does not exceed the floor.

    ``disattenuated`` takes the similarity to be a product of what both sides hold,
    relative to its size, as a correlation is: what varies between replicates then
    shrinks ``between`` by the root of both reliabilities. It is unbiased for large
    numbers of rows where the measure is, as debiased CKA; for others it is what it is.

    References
    ----------
    H. Chen, J. H. Friedman. A new graph-based two-sample test for multivariate and
    object data. Journal of the American Statistical Association, 2017.

    H. Song, H. Chen. Generalized kernel two-sample tests. Biometrika, 2024 (both
    within-means, of a kernel).

    C. Spearman. The proof and measurement of association between two things. American
    Journal of Psychology, 1904 (disattenuation).

    Examples
    --------
    Four fits each of two kinds of model, to which each seed adds noise of its own:

    >>> import numpy as np
    >>> from sksim.inference import replicate_test
    >>> rng = np.random.default_rng(0)
    >>> shared, own = rng.normal(size=(2, 100, 5))
    >>> noise = 0.5 * rng.normal(size=(12, 100, 5))
    >>> Xs = [shared + seed for seed in noise[:4]]
    >>> ys = [shared + own + seed for seed in noise[4:8]]
    >>> result = replicate_test("CKA", Xs, ys)
    >>> round(result.between, 2), round(result.floor, 2), result.exceeds_floor
    (0.4, 0.66, True)
    >>> round(result.pvalue, 3), round(result.disattenuated, 2)
    (0.029, 0.55)

    More fits of the first kind do not differ from these by more than from each other:

    >>> result = replicate_test("CKA", Xs, [shared + seed for seed in noise[8:]])
    >>> result.pvalue > 0.05, result.exceeds_floor
    (True, False)
    """
    measure = check_measure(measure, "compare replicates")
    Xs, ys = named_layers(Xs, "Xs"), named_layers(ys, "ys")
    scores, rounding = _scores_of_all(
        measure, Xs, ys, row_metadata(metadata, y_true=y_true, data=data), n_jobs
    )
    n_x = len(Xs)
    labels = _labellings(len(scores), n_x, n_permutations, random_state)
    pvalue = _pvalue(scores, labels, rounding)
    smallest = _smallest_pvalue(labels, n_x)
    _warn_of_few_replicates(n_x, len(ys), smallest, 1 - confidence_level)
    tags = tags_of(measure)
    estimates = _estimates(scores, n_x, confidence_level, tags.is_similarity)
    reason = _why_not_disattenuated(estimates["estimate"], tags)
    exceeds = _exceeds(estimates.loc["excess", "interval_low"], rounding)
    sign = -1.0 if output == "statistic" and not tags.is_similarity else 1.0
    names_x, names_y = ([str(name) for name in side] for side in (Xs, ys))
    estimates = _in_units(estimates, sign)
    values = estimates["estimate"].to_dict()
    within = {
        name: values[name] if len(side) > 1 else None
        for name, side in (("within_x", Xs), ("within_y", ys))
    }
    return ReplicateTestResult(
        between=values["between"],
        **within,
        floor=values["between"] + sign * values["excess"] + 0.0,
        excess=values["excess"],
        exceeds_floor=exceeds,
        disattenuated=values["disattenuated"],
        disattenuated_reason=reason,
        pvalue=pvalue,
        smallest_pvalue=smallest,
        confidence_interval=_interval_of(estimates, "between"),
        excess_interval=_interval_of(estimates, "excess"),
        estimates=estimates,
        pairs=_pairs(sign * scores, names_x, names_y),
        names_x=names_x,
        names_y=names_y,
        confidence_level=confidence_level,
        method="exact" if labels.are_all else "permutation",
        n_permutations=len(labels.is_x),
        output=output,
    )


# ----- all pairs, once ----------------------------------------------------------------


def _scores_of_all(measure, Xs, ys, known, n_jobs):
    """Scores of all replicates, those of X first, and the unit in which they tie."""
    if len(Xs) + len(ys) < 3:
        raise ValueError(
            "Xs and ys hold one replicate each: nothing tells how far two of one kind "
            "are apart. Pass two or more on one side at the least."
        )
    named = {
        f"{side}[{key!r}]": value
        for side, layers in (("Xs", Xs), ("ys", ys))
        for key, value in layers.items()
    }
    tags = tags_of(measure)
    if tags.inputs != "models" and (tags.paired or "y_true" in tags.view_keywords):
        refuse_other_rows(**named, **known)
    layers = open_layers(clone(measure), named, n_jobs=n_jobs, **known)
    names, statistics = layers.names_x, layers.grid.values()
    undefined = np.argwhere(np.isnan(statistics) & ~np.eye(len(names), dtype=bool))
    if len(undefined):
        i, j = undefined[0]
        raise ValueError(
            f"{names[i]} against {names[j]}: {type(measure).__name__} is undefined "
            "(nan) on this input. Leave such replicates out."
        )
    scores = tags.orient(statistics)
    scores = (scores + scores.T) / 2
    np.fill_diagonal(scores, 0.0)
    return scores, layers.grid.rounding * float(np.max(np.abs(scores)))


def _pairs(values, names_x, names_y):
    """Table of all pairs of replicates."""
    sides = [("x", name) for name in names_x] + [("y", name) for name in names_y]
    rows = []
    for i, j in itertools.combinations(range(len(sides)), 2):
        (first, name), (second, other) = sides[i], sides[j]
        relation = "between" if first != second else f"within_{first}"
        value = float(values[i, j]) + 0.0
        rows.append({"x": name, "y": other, "relation": relation, "value": value})
    return pd.DataFrame(rows)


# ----- labels that are exchanged ------------------------------------------------------


@dataclass(frozen=True)
class _Labellings:
    """Which replicates are called X's, the observed labelling first."""

    is_x: np.ndarray
    are_all: bool


def _labellings(n_all, n_x, n_permutations, random_state):
    """All labellings, or the observed one and random ones."""
    observed = np.arange(n_all) < n_x
    if math.comb(n_all, n_x) <= n_permutations + 1:
        places = np.array(list(itertools.combinations(range(n_all), n_x)))
        is_x = np.zeros((len(places), n_all), dtype=bool)
        np.put_along_axis(is_x, places, True, axis=1)
        return _Labellings(is_x, True)
    rng = check_random_state(random_state)
    orders = np.argsort(rng.uniform(size=(n_permutations, n_all)), axis=1)
    return _Labellings(np.concatenate([observed[None], orders < n_x]), False)


def _pvalue(scores, labels, rounding):
    """Share of labellings whose statistic is as large as the observed one."""
    statistics, unit = _statistics(scores, labels.is_x, rounding)
    return float(np.mean(statistics >= statistics[0] - unit))


def _statistics(scores, is_x, rounding):
    """Largest of the standardised statistics of each labelling, and its rounding."""
    x, y = is_x.astype(float), (~is_x).astype(float)
    between = np.sum((x @ scores) * y, axis=1) / (x[0].sum() * y[0].sum())
    within = [
        np.sum((side @ scores) * side, axis=1) / (k * (k - 1))
        for side, k in ((x, x[0].sum()), (y, y[0].sum()))
        if k > 1
    ]
    apart = _standardized(np.mean(within, axis=0) - between, rounding)
    if len(within) == 1:
        return apart
    spread = _standardized(within[0] - within[1], rounding)
    return np.maximum(apart[0], np.abs(spread[0])), max(apart[1], spread[1])


def _standardized(values, rounding):
    """Values in standard deviations of all of them, and how far these may be off."""
    std = float(values.std())
    if not std > rounding:
        return np.zeros(len(values)), 0.0
    return (values - values.mean()) / std, 2 * rounding / std


def _smallest_pvalue(labels, n_x):
    """That of the most extreme labelling; its mirror image is as extreme."""
    n_all = labels.is_x.shape[1]
    n_alike = 2 if labels.are_all and 2 * n_x == n_all else 1
    return n_alike / len(labels.is_x)


def _warn_of_few_replicates(n_x, n_y, smallest, level):
    if smallest <= level * (1 + 1e-12):
        return
    warnings.warn(
        f"With {n_x} and {n_y} replicates no p-value is below {smallest:.2g}, whatever "
        "the data: they can be labelled in too few ways. Use more replicates.",
        UserWarning,
        stacklevel=3,
    )


# ----- estimates ----------------------------------------------------------------------


def _numbers(scores, x, y, known, is_similarity):
    """The estimates of some of the replicates, in the order of the table."""
    between = scores[np.ix_(x, y)].mean()
    within = [
        scores[np.ix_(side, side)].sum() / (len(side) * (len(side) - 1))
        if len(side) > 1
        else math.nan
        for side in (x, y)
    ]
    floor = np.min(np.array(within)[known])
    product = within[0] * within[1]
    is_defined = is_similarity and min(within) > 0 and not math.isnan(product)
    ratio = between / math.sqrt(product) if is_defined else math.nan
    return np.array([between, *within, floor - between, ratio])


def _estimates(scores, n_x, level, is_similarity):
    """Table of the estimates with their jackknife over replicates."""
    x, y = np.arange(n_x), np.arange(n_x, len(scores))
    sides = {"x": x, "y": y}
    known = [len(side) > 1 for side in (x, y)]
    found = _numbers(scores, x, y, known, is_similarity)
    variances = {}
    for name, side in sides.items():
        parts = ({**sides, name: np.delete(side, i)} for i in range(len(side)))
        left = [
            _numbers(scores, part["x"], part["y"], known, is_similarity)
            for part in parts
            if len(side) > 1
        ]
        variances[name] = _variances_of(left, name)
    variance = sum(variances.values())
    with np.errstate(invalid="ignore", divide="ignore"):
        degrees = variance**2 / sum(
            v**2 / max(len(sides[name]) - 1, 1) for name, v in variances.items()
        )
    error = np.sqrt(variance)
    # equal replicates have no spread, and as many degrees of freedom
    degrees = np.where(error == 0, 1.0, degrees)
    width = error * special.stdtrit(degrees, (1 + level) / 2)
    return pd.DataFrame(
        {
            "estimate": found,
            "standard_error": error,
            "interval_low": found - width,
            "interval_high": found + width,
        },
        index=list(_ESTIMATES),
    )


def _variances_of(left, side):
    """Variances of the estimates by what they are without each replicate of a side."""
    depends = np.array([side in sides for sides in _ESTIMATES.values()])
    if not left:  # a single replicate says nothing of how it might vary
        return np.where(depends, np.nan, 0.0)
    left = np.array(left)
    deviations = left - left.mean(axis=0)
    return np.where(depends, (len(left) - 1) * np.mean(deviations**2, axis=0), 0.0)


def _why_not_disattenuated(estimates, tags):
    if not math.isnan(estimates["disattenuated"]):
        return ""
    if not tags.is_similarity:
        return "the measure is a distance, of which noise is no factor"
    within = estimates[["within_x", "within_y"]]
    if within.isna().any():
        return "a side has a single replicate"
    return "a mean within a side is not positive"


def _exceeds(low, rounding):
    return None if math.isnan(low) else bool(low > rounding)


def _in_units(estimates, sign):
    """The same table with the scores as what the measure calls them."""
    if sign > 0:
        return estimates
    rows = ["between", "within_x", "within_y"]
    turned = estimates.copy()
    turned.loc[rows, "estimate"] = -estimates.loc[rows, "estimate"] + 0.0
    turned.loc[rows, "interval_low"] = -estimates.loc[rows, "interval_high"]
    turned.loc[rows, "interval_high"] = -estimates.loc[rows, "interval_low"]
    return turned


def _interval_of(estimates, name):
    limits = estimates.loc[name, ["interval_low", "interval_high"]]
    return ConfidenceInterval(*(float(limit) for limit in limits))
