"""Intervals: how sure a similarity is, and which of two is larger."""

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy import stats
from sklearn.base import clone

from sksim._results import ResultMixin
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Measure, Metadata, RandomState
from sksim.base._row_names import refuse_other_groups, refuse_other_rows
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure
from sksim.inference._resampling import (
    Sample,
    check_method,
    make_plan,
    replicates,
    spread_of,
)


class ConfidenceInterval(NamedTuple):
    """Limits of an interval."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class SimilarityIntervalResult(ResultMixin):
    """Result of :func:`similarity_interval`.

    Attributes
    ----------
    statistic : float
        The measure's native number.
    score : float
        The statistic, oriented so that greater means more similar.
    confidence_interval : ConfidenceInterval
        Limits ``low`` and ``high`` of the score.
    standard_error : float
        Standard error of the score.
    bias : float
        Estimated bias of the score: for the jackknife that against unlimited rows, for
        other methods the mean of the replicates minus the score.
    replicates : ndarray of shape (n_replicates,)
        Scores of the resampled rows; empty where none were resampled.
    confidence_level : float
        Share of intervals that are to cover the true score.
    method : str
        How rows were resampled.
    """

    statistic: float
    score: float
    confidence_interval: ConfidenceInterval
    standard_error: float
    bias: float
    replicates: np.ndarray = field(repr=False)
    confidence_level: float
    method: str


@dataclass(frozen=True, kw_only=True)
class ComparisonResult(ResultMixin):
    """Result of :func:`compare_similarities`.

    Attributes
    ----------
    difference : float
        Score of X with y1 minus score of X with y2: positive if y1 is more similar.
    scores : tuple of float
        Both scores.
    pvalue : float
        Probability of a difference at least as extreme, if there were none.
    confidence_interval : ConfidenceInterval
        Limits ``low`` and ``high`` of the difference.
    standard_error : float
        Standard error of the difference.
    replicates : ndarray of shape (n_groups, 2)
        Both scores without each row, or group of rows.
    confidence_level : float
        Share of intervals that are to cover the true difference.
    alternative : {"two-sided", "greater", "less"}
        What counts as extreme.
    """

    difference: float
    scores: tuple[float, float]
    pvalue: float
    confidence_interval: ConfidenceInterval
    standard_error: float
    replicates: np.ndarray = field(repr=False)
    confidence_level: float
    alternative: str


OF_SHARES = ("exact", "wilson")
RESAMPLING = ("jackknife", "subsample", "masked_bootstrap", "bootstrap")

_SHARED_CONSTRAINTS = {
    "metadata": [dict, None],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "groups": ["array-like", None],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
}


@validate_params(
    {
        **_SHARED_CONSTRAINTS,
        "method": [StrOptions({"auto", *OF_SHARES, *RESAMPLING})],
        "n_resamples": [Interval(Integral, 20, None, closed="left")],
        "subsample_size": [Interval(Integral, 2, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def similarity_interval(
    measure: Measure,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    method: str = "auto",
    confidence_level: float = 0.95,
    n_resamples: int = 999,
    subsample_size: int | None = None,
    groups: ArrayLike | None = None,
    random_state: RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    batch_size: int = 8,
) -> SimilarityIntervalResult:
    r"""Confidence interval of a similarity.

    The rows are a sample of the inputs that could have been shown to both models; the
    interval says how much the score varies from sample to sample. By default it is that
    of Clopper and Pearson for shares of rows, such as disagreement, and the delete-one
    jackknife's for all else: with the scores :math:`s_{-i}` without row i,

    .. math:: s \pm t_{n-1} \, \widehat{se}, \qquad
        \widehat{se}^2 = \frac{n - 1}{n} \sum_i (s_{-i} - \bar s)^2 .

    Parameters
    ----------
    measure : estimator, class or str
        The measure, not necessarily fitted; it is cloned. A debiased one, such as
        ``CKA(debias="rows")``, has an interval around the value at unlimited
        rows; others around their expectation at this number of rows.
    X : array-like of shape (n_samples, n_features)
        First representation.
    y : array-like of shape (n_samples, n_features_y), default=None
        Second representation of the same inputs. Measures of a group of models take
        all models' outputs as X, and none here.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    metadata : dict, default=None
        More that is known of the rows and that the measure uses, by name.
    method : str, default="auto"
        "exact" (Clopper and Pearson) and "wilson" are for measures that are shares of
        rows, such as disagreement, and need no groups. Of the others "jackknife" leaves
        out each row (or group) in turn; "subsample" takes random parts without
        replacement; "masked_bootstrap" draws rows with replacement and leaves out pairs
        of copies; "bootstrap" draws rows with replacement, which is valid only for
        measures that are averages over rows. A measure's tag ``intervals`` says which
        are valid; others are refused. "auto" is exact where that is valid, and the
        jackknife elsewhere.
    confidence_level : float, default=0.95
        Share of intervals that are to cover the true score.
    n_resamples : int, default=999
        Number of replicates, except for the jackknife.
    subsample_size : int, default=None
        Rows, or groups, in a subsample; None for half of them.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, where rows belong together: whole groups are drawn or left
        out, whatever their sizes.
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
    result : SimilarityIntervalResult
        With the attributes ``statistic``, ``score``, ``confidence_interval``,
        ``standard_error``, ``bias`` and ``replicates``.

    Raises
    ------
    ValueError
        If the method is not valid for the measure; the message says why.

    See Also
    --------
    similarity_test : Is the similarity more than chance?
    compare_similarities : Which of two is larger?
    scipy.stats.bootstrap : For statistics of independent rows.

    Notes
    -----
    The jackknife's nominal .95 intervals cover .92 to .97 where the views depend on
    each other and have finite fourth moments; they are conservative where the views
    are independent (.99), and too short for heavy tails (.85 for Student's t with 2.5
    degrees of freedom). Measures whose tag ``exact`` names "jackknife", such as CKA
    with a fixed kernel, distance correlation and disagreement, are computed once: all
    scores without a row follow.

    References
    ----------
    B. Efron, C. Stein. The jackknife estimate of variance. Annals of Statistics, 1981.

    D. Politis, J. Romano, M. Wolf. Subsampling. Springer, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.inference import similarity_interval
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 10))
    >>> y = X + rng.normal(size=X.shape)
    >>> result = similarity_interval(CKA(debias="rows"), X, y)
    >>> low, high = result.confidence_interval
    >>> round(low, 2), round(result.score, 2), round(high, 2)
    (0.45, 0.49, 0.52)
    """
    measure = check_measure(measure, "find its interval")
    method = chosen_method(measure, method, groups)
    check_method(measure, method)
    if groups is not None:
        refuse_other_groups(measure, X, y, groups=groups)
    comparison = _opened(measure, X, y, **row_metadata(metadata, y_true=y_true))
    return interval_of(
        comparison,
        method=method,
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        subsample_size=subsample_size,
        groups=groups,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
        batch_size=batch_size,
    )


def chosen_method(measure, method, groups):
    """Method that "auto" stands for; groups and shares of rows don't go together."""
    if method == "auto":
        is_share = "exact" in tags_of(measure).intervals and groups is None
        return "exact" if is_share else "jackknife"
    if method in OF_SHARES and groups is not None:
        raise ValueError(
            f"method={method!r} is for rows that are independent of each other, which "
            "rows of groups are not. Use method='jackknife'."
        )
    return method


def _opened(measure, X, y, **metadata):
    """Comparison whose parts share one seed.

    Its noise is no uncertainty of the data.
    """
    if measure.get_params().get("random_state", 0) is None:
        measure.set_params(random_state=0)
    return measure._open(X, y, **metadata)


def interval_of(
    comparison,
    *,
    method="auto",
    confidence_level=0.95,
    n_resamples=999,
    subsample_size=None,
    groups=None,
    random_state=None,
    n_jobs=None,
    verbose=0,
    batch_size=8,
):
    """`similarity_interval` of a comparison, whose views are there already.

    Parameters
    ----------
    comparison : Comparison or GroupComparison
        With its rows; ``method`` must be valid for the measure.
    """
    if method in OF_SHARES:
        return _interval_of_share(comparison, method, confidence_level)
    sample = Sample(comparison, groups)
    plan = make_plan(method, len(sample.units), subsample_size, random_state)
    scores = replicates(
        [sample],
        plan,
        n_resamples,
        n_jobs=n_jobs,
        verbose=verbose,
        batch_size=batch_size,
    )[:, 0]
    statistic = sample.statistic
    score = sample.tags.orient(statistic)
    spread = spread_of(score, scores, plan, confidence_level)
    return SimilarityIntervalResult(
        statistic=statistic,
        score=score,
        confidence_interval=ConfidenceInterval(*spread.limits),
        standard_error=spread.standard_error,
        bias=spread.bias,
        replicates=scores,
        confidence_level=confidence_level,
        method=method,
    )


def _interval_of_share(comparison, method, level):
    """Interval of a share of rows, which has a width and stays between 0 and 1."""
    statistic, n = comparison.statistic(), comparison.n_samples
    found = stats.binomtest(round(statistic * n), n).proportion_ci(level, method)
    # a share of 0 or 1 varies as much as its interval is wide
    half = (found.high - found.low) / 2
    by_width = half / stats.norm.isf((1 - level) / 2)
    error = max((statistic * (1 - statistic) / n) ** 0.5, by_width)
    low, high = sorted(comparison.tags.orient(limit) for limit in found)
    return SimilarityIntervalResult(
        statistic=statistic,
        score=comparison.tags.orient(statistic) + 0.0,
        confidence_interval=ConfidenceInterval(float(low) + 0.0, float(high) + 0.0),
        standard_error=float(error),
        bias=0.0,
        replicates=np.empty(0),
        confidence_level=level,
        method=method,
    )


@validate_params(
    {
        **_SHARED_CONSTRAINTS,
        "alternative": [StrOptions({"greater", "less", "two-sided"})],
    },
    prefer_skip_nested_validation=True,
)
def compare_similarities(
    measure: Measure,
    X: ArrayLike,
    y1: ArrayLike,
    y2: ArrayLike,
    *,
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    alternative: str = "two-sided",
    confidence_level: float = 0.95,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    batch_size: int = 8,
) -> ComparisonResult:
    """Test which of two representations is more similar to a third.

    By the jackknife of the difference: each row is left out of both comparisons at
    once, so that what they have in common cancels.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, not necessarily fitted; it is cloned. A debiased one does not
        favour the wider representation.
    X : array-like of shape (n_samples, n_features)
        The representation that both others are compared with.
    y1, y2 : array-like of shape (n_samples, n_features_y)
        The other two, of the same inputs.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    metadata : dict, default=None
        More that is known of the rows and that the measure uses, by name.
    alternative : {"two-sided", "greater", "less"}, default="two-sided"
        "greater": y1 is more similar to X than y2 is.
    confidence_level : float, default=0.95
        Share of intervals that are to cover the true difference.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, where rows belong together: whole groups are left out.
    n_jobs : int, default=None
        Number of parallel jobs.
    verbose : int, default=0
        Progress messages.
    batch_size : int, default=8
        Replicates that a job evaluates in one go.

    Returns
    -------
    result : ComparisonResult
        With the attributes ``difference``, ``scores``, ``pvalue``,
        ``confidence_interval``, ``standard_error`` and ``replicates``.

    Raises
    ------
    ValueError
        If the jackknife is not valid for the measure, or the two differences do not
        vary at all.

    See Also
    --------
    similarity_interval : Interval of one similarity.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.inference import compare_similarities
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 10))
    >>> near = X + 0.5 * rng.normal(size=X.shape)
    >>> far = X + 1.5 * rng.normal(size=X.shape)
    >>> result = compare_similarities(CKA(debias="rows"), X, near, far)
    >>> round(result.difference, 2), result.pvalue < 0.001
    (0.49, True)
    """
    measure = check_measure(measure, "compare similarities")
    check_method(measure, "jackknife")
    if tags_of(measure).arity == "group":
        raise ValueError(
            f"{type(measure).__name__} measures a group of models; two similarities to "
            "a third need a measure of pairs."
        )
    known = row_metadata(metadata, y_true=y_true)
    refuse_other_rows(X=X, y1=y1, y2=y2, groups=groups, **known)
    samples = [Sample(_opened(clone(measure), X, y, **known), groups) for y in (y1, y2)]
    plan = make_plan("jackknife", len(samples[0].units), None, 0)
    scores = replicates(
        samples, plan, None, n_jobs=n_jobs, verbose=verbose, batch_size=batch_size
    )
    both = tuple(s.tags.orient(s.statistic) for s in samples)
    difference = both[0] - both[1]
    spread = spread_of(difference, scores[:, 0] - scores[:, 1], plan, confidence_level)
    rounding = max(s.comparison.rounding for s in samples)
    if not spread.standard_error > rounding * max(map(abs, both)):
        raise ValueError(
            f"The difference is {difference:.3g} whichever row is left out, so that it "
            "has no standard error. Check that y1 and y2 are not copies of each other."
        )
    t = stats.t(len(samples[0].units) - 1)
    z = difference / spread.standard_error
    pvalue = {
        "greater": t.sf(z),
        "less": t.cdf(z),
        "two-sided": 2 * t.sf(abs(z)),
    }[alternative]
    return ComparisonResult(
        difference=difference,
        scores=both,
        pvalue=float(pvalue),
        confidence_interval=ConfidenceInterval(*spread.limits),
        standard_error=spread.standard_error,
        replicates=scores,
        confidence_level=confidence_level,
        alternative=alternative,
    )
