"""Whether two models are alike enough: a difference within a margin."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

from sksim._results import ResultMixin
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Measure, Metadata, RandomState
from sksim.base._row_names import refuse_other_groups
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure
from sksim.inference._estimates import METHODS, chosen_method, estimate_of
from sksim.inference._interval import SHARED_CONSTRAINTS, ConfidenceInterval, opened
from sksim.inference._resampling import check_method


@dataclass(frozen=True, kw_only=True)
class EquivalenceTestResult(ResultMixin):
    """Result of :func:`equivalence_test`.

    Attributes
    ----------
    statistic : float
        The measure's native number.
    score : float
        The statistic, oriented so that greater means more similar.
    margin : float
        The difference that would matter.
    pvalue : float
        Probability of a difference as small, if it were the margin or more.
    is_equivalent : bool
        Whether the p-value is below the level: the difference is within the margin.
    smallest_margin : float
        The smallest margin for which it would be.
    confidence_interval : ConfidenceInterval
        Limits ``low`` and ``high`` of level 1 - 2 ``level``: of the difference of
        performance with its sign, or of the score.
    standard_error : float
        Standard error of what the interval is of.
    level : float
        Probability of calling models equivalent whose difference is the margin.
    alternative : {"two-sided", "noninferiority"}
        Which differences matter.
    method : str
        How the interval was found.
    n_undefined : int
        Replicates in which the measure is undefined. They are left out.
    """

    statistic: float
    score: float
    margin: float
    pvalue: float
    is_equivalent: bool
    smallest_margin: float
    confidence_interval: ConfidenceInterval
    standard_error: float
    level: float
    alternative: str
    method: str
    n_undefined: int = 0


@validate_params(
    {
        **{k: v for k, v in SHARED_CONSTRAINTS.items() if k != "confidence_level"},
        "margin": [Interval(Real, 0, None, closed="neither")],
        "alternative": [StrOptions({"two-sided", "noninferiority"})],
        "level": [Interval(Real, 0, 0.5, closed="neither")],
        "method": [StrOptions({"auto", *METHODS})],
        "n_resamples": [Interval(Integral, 20, None, closed="left")],
        "subsample_size": [Interval(Integral, 2, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def equivalence_test(
    measure: Measure,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    margin: float,
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    alternative: str = "two-sided",
    level: float = 0.05,
    method: str = "auto",
    n_resamples: int = 999,
    subsample_size: int | None = None,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    random_state: RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    batch_size: int = 8,
) -> EquivalenceTestResult:
    r"""Test whether the difference of two models is within a margin.

    A high p-value of a difference is no evidence that there is none: a small sample
    has one too. Here the null hypothesis is that the models differ by the margin or
    more, so that a small p-value says that they are alike enough.

    The difference is what the score lacks to the best there is, that of two equal
    models: the measure itself for distances, such as disagreement, and 1 - CKA for
    CKA. A difference of performance has a sign, and is tested on both sides: it is
    within the margin if both one-sided tests say so. Either way the test rejects if and
    only if the interval of level 1 - 2 ``level`` lies within the margin.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, not necessarily fitted; it is cloned.
    X : array-like of shape (n_samples, n_features)
        First representation, or output: that of the model that is to be replaced.
    y : array-like of shape (n_samples, n_features_y), default=None
        Second representation, or output, of the same inputs. Measures of a group of
        models take all models' outputs as X, and none here.
    margin : float
        The smallest difference that would matter, in units of the measure: .02 for
        accuracies that may differ by less than two points. Name it before you look.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    metadata : dict, default=None
        More that is known of the rows and that the measure uses, by name.
    alternative : {"two-sided", "noninferiority"}, default="two-sided"
        "noninferiority": only that y performs worse than X matters. For differences of
        performance; others count differences in one direction anyway.
    level : float, default=0.05
        Probability of a false equivalence, at most.
    method : str, default="auto"
        As of :func:`similarity_interval`: Tango's score for accuracies, exact limits
        for shares of rows.
    n_resamples : int, default=999
        Number of replicates, except for the jackknife.
    subsample_size : int, default=None
        Rows, or groups, in a subsample; None for half of them.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, where rows belong together. At least four.
    strata : array-like of shape (n_samples,) or (n_samples, n_strata), default=None
        Sets of rows whose sizes are given, such as classes.
    random_state : int, RandomState instance or None, default=None
        Seed of the replicates.
    n_jobs : int, default=None
        Number of parallel jobs.
    verbose : int, default=0
        Progress messages.
    batch_size : int, default=8
        Replicates that a job evaluates in one go.

    Returns
    -------
    result : EquivalenceTestResult
        With the attributes ``pvalue``, ``is_equivalent``, ``confidence_interval`` and
        ``smallest_margin``.

    Raises
    ------
    ValueError
        If the method is not valid for the measure, or equal models have no best value
        of it from which a difference could be measured.

    See Also
    --------
    similarity_interval : How large the difference is.
    similarity_test : Whether a similarity is more than chance.

    Notes
    -----
    Two one-sided tests (Schuirmann 1987), or the interval within the margin, are the
    same. A p-value is the level at which the interval would just touch the margin.

    References
    ----------
    D. Schuirmann. A comparison of the two one-sided tests procedure and the power
    approach for assessing the equivalence of average bioavailability. Journal of
    Pharmacokinetics and Biopharmaceutics, 1987.

    T. Tango. Equivalence test and confidence interval for the difference in proportions
    for the paired-sample design. Statistics in Medicine, 1998.

    Examples
    --------
    Is the second classifier as good, up to five points of accuracy?

    >>> import numpy as np
    >>> from sksim.functional import PerformanceDifference
    >>> from sksim.inference import equivalence_test
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(5, size=1000)
    >>> first = np.where(rng.random(1000) < 0.9, truth, 0)
    >>> second = np.where(rng.random(1000) < 0.97, first, 1)
    >>> result = equivalence_test(
    ...     PerformanceDifference(), first, second, y_true=truth, margin=0.05
    ... )
    >>> result.is_equivalent, result.pvalue < 0.001, round(result.smallest_margin, 3)
    (True, True, 0.034)

    And do they agree on all but one in a hundred inputs?

    >>> equivalence_test("Disagreement", first, second, margin=0.01).is_equivalent
    False
    """
    measure = check_measure(measure, "test for equivalence")
    tags = tags_of(measure)
    method = chosen_method(tags, method, groups, strata)
    check_method(measure, method)
    if groups is not None:
        refuse_other_groups(measure, X, y, groups=groups)
    comparison = opened(measure, X, y, **row_metadata(metadata, y_true=y_true))
    estimate = estimate_of(
        comparison,
        method=method,
        n_resamples=n_resamples,
        subsample_size=subsample_size,
        groups=groups,
        strata=strata,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
        batch_size=batch_size,
    )
    question = _question(estimate, alternative)
    pvalue = question.pvalue(margin)
    statistic = estimate.sample.statistic
    return EquivalenceTestResult(
        statistic=abs(statistic) if estimate.sample.is_folded else statistic,
        score=tags.orient(statistic) + 0.0,
        margin=float(margin),
        pvalue=pvalue,
        is_equivalent=pvalue < level,
        smallest_margin=question.smallest_margin(level),
        confidence_interval=ConfidenceInterval(*estimate.interval(1 - 2 * level)),
        standard_error=estimate.error(1 - 2 * level),
        level=level,
        alternative=alternative,
        method=method,
        n_undefined=estimate.n_undefined,
    )


def _question(estimate, alternative):
    """What is to be within the margin."""
    tags = estimate.sample.tags
    if tags.signed:
        return _Difference(estimate.limits, alternative == "two-sided")
    name = type(estimate.sample.comparison.owner).__name__
    if alternative != "two-sided":
        raise ValueError(
            f"alternative={alternative!r} is for differences with a sign, such as "
            f"PerformanceDifference. {name} says how far two models are from equal, "
            "which only has one direction: leave alternative out."
        )
    best = tags.best if tags.is_similarity else -tags.best
    if not (tags.identity and math.isfinite(best)):
        raise ValueError(
            f"{name} has no best value that two equal models reach, so that no margin "
            "can be measured from it. Use a measure with such a value, or "
            "similarity_interval."
        )
    return _Shortfall(estimate.limits, best)


@dataclass(frozen=True)
class _Difference:
    """A difference with a sign, positive if the first is better."""

    limits: object
    both_sides: bool

    def pvalue(self, margin):
        """The larger of two one-sided p-values, or that of the worse side."""
        worse = self.limits.pvalue_above(margin)
        better = self.limits.pvalue_below(-margin) if self.both_sides else 0.0
        return float(max(worse, better))

    def smallest_margin(self, level):
        """The margin with which the p-value would be the level."""
        worse = self.limits.high(level)
        better = -self.limits.low(level) if self.both_sides else 0.0
        return float(max(worse, better, 0.0))


@dataclass(frozen=True)
class _Shortfall:
    """What a score lacks to the best."""

    limits: object
    best: float

    def pvalue(self, margin):
        """P-value that the score lacks the margin or more."""
        return float(self.limits.pvalue_below(self.best - margin))

    def smallest_margin(self, level):
        """The margin with which the p-value would be the level."""
        return float(max(self.best - self.limits.low(level), 0.0))
