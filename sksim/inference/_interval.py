"""Intervals: how sure a similarity is, and which of two is larger."""

from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np

from sksim._results import ResultMixin
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Measure, Metadata, RandomState
from sksim.base._row_names import refuse_other_groups
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure
from sksim.inference._columns import OVER, estimate_over, refuse_other_columns
from sksim.inference._estimates import METHODS, chosen_method, estimate_of
from sksim.inference._resampling import check_method


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
        Limits ``low`` and ``high`` of the score; of a measure with a sign, such as
        ``PerformanceDifference(signed=True)``, of the statistic.
    standard_error : float
        Standard error of the score, or of the statistic of a measure with a sign.
    bias : float
        Estimated bias of the score: for the jackknife that against unlimited rows, for
        other methods the mean of the replicates minus the score.
    replicates : ndarray of shape (n_replicates,)
        Scores of the resampled rows, nan where they are undefined; empty where none
        were resampled. Of a difference of performance, differences with their sign.
    confidence_level : float
        Share of intervals that are to cover the true score.
    method : str
        How the interval was found.
    n_undefined : int
        Replicates, or random weights, with which the measure is undefined. They are
        left out.
    """

    statistic: float
    score: float
    confidence_interval: ConfidenceInterval
    standard_error: float
    bias: float
    replicates: np.ndarray = field(repr=False)
    confidence_level: float
    method: str
    n_undefined: int = 0


SHARED_CONSTRAINTS = {
    "metadata": [dict, None],
    "confidence_level": [Interval(Real, 0, 1, closed="neither")],
    "groups": ["array-like", None],
    "strata": ["array-like", None],
    "n_jobs": [Integral, None],
    "verbose": ["verbose"],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
}


@validate_params(
    {
        **SHARED_CONSTRAINTS,
        "method": [StrOptions({"auto", *METHODS})],
        "over": [StrOptions({*OVER})],
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
    over: str = "rows",
    confidence_level: float = 0.95,
    n_resamples: int = 999,
    subsample_size: int | None = None,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    random_state: RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    batch_size: int = 8,
) -> SimilarityIntervalResult:
    r"""Confidence interval of a similarity.

    The rows are a sample of the inputs that could have been shown to both models; the
    interval says how much the score varies from sample to sample. By default it is that
    of Clopper and Pearson for shares of rows, such as disagreement; Tango's for a
    difference of accuracies; Gaffke's, or what follows its idea, for other measures of
    outputs of which it is known what a row that was not seen may do; and the delete-one
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
        rows, such as disagreement; "tango" and "newcombe" for differences of two
        shares of the same rows, such as accuracies. All four need rows that are drawn
        independently of each other. "gaffke" gives random weights to the rows and to
        one more of the worst kind; it never has width 0. Of the others "jackknife"
        leaves out each row (or group) in turn; "subsample" takes random parts without
        replacement; "masked_bootstrap" draws rows with replacement and leaves out pairs
        of copies; "bootstrap" draws rows with replacement, which is valid only for
        measures that are averages over rows. A measure's tag ``intervals`` says which
        are valid; others are refused. "auto" takes the first of "exact", "tango" and
        "gaffke" that is, and the jackknife elsewhere.
    over : {"rows", "columns", "both"}, default="rows"
        What is a sample of many: the rows; the columns of X and those of y, such as
        recorded neurons, with these rows; or both. The jackknife then leaves out each
        column of X, and each of y, in turn; ``CKA(debias="both")`` is a measure whose
        value at unlimited rows and columns it is about.
    confidence_level : float, default=0.95
        Share of intervals that are to cover the true score.
    n_resamples : int, default=999
        Number of replicates, except for the jackknife. "gaffke" draws as many weights
        for each limit, unless the measure is a mean over rows.
    subsample_size : int, default=None
        Rows, or groups, in a subsample; None for half of them.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, where rows belong together: whole groups are drawn or left
        out, whatever their sizes. At least four.
    strata : array-like of shape (n_samples,) or (n_samples, n_strata), default=None
        Sets of rows whose sizes are given, such as classes of which so many rows each
        were taken: rows, or whole groups, vary within each of them.
    random_state : int, RandomState instance or None, default=None
        Seed of the replicates. None is the same seed at each call for "gaffke".
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
        ``standard_error``, ``bias``, ``replicates`` and ``n_undefined``.

    Raises
    ------
    ValueError
        If the method is not valid for the measure; the message says why. If there are
        fewer than four rows or groups, or more than half of the replicates are
        undefined.

    Warns
    -----
    UserWarning
        If replicates are undefined, and left out.

    See Also
    --------
    similarity_test : Is the similarity more than chance?
    compare_similarities : Which of several is larger?
    scipy.stats.bootstrap : For statistics of independent rows.

    Notes
    -----
    No interval leaves the bounds of its measure. Where the score is the same whichever
    row is left out, so that the jackknife would have no width, the limits are those of
    n independent rows of which none was unlike the rest: a share of at most
    :math:`1 - \alpha^{1/n}` of all rows is, and may be as unlike as the bounds allow.

    The jackknife's nominal .95 intervals of debiased CKA cover .95 to .98 where the
    views are normal, whether they depend on each other or not, with 30 to 300 rows and
    2 to 1000 columns: its standard error is corrected for the effects of pairs of rows,
    which it counts twice, its limits for the skewness that these effects bring, and
    Student's degrees of freedom for rows of large influence. They are too short for
    heavy tails (.87 for Student's t with 2.5 degrees of freedom). Measures whose tag
    ``exact`` names "jackknife", such as CKA with a fixed kernel, distance correlation
    and disagreement, are computed once: all scores without a row follow.

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
    if over == "rows":
        method = chosen_method(tags_of(measure), method, groups, strata)
        check_method(measure, method)
    else:
        refuse_other_columns(tags_of(measure), method, over, groups, strata)
    if groups is not None:
        refuse_other_groups(measure, X, y, groups=groups)
    comparison = opened(measure, X, y, **row_metadata(metadata, y_true=y_true))
    return interval_of(
        comparison,
        method=method,
        over=over,
        confidence_level=confidence_level,
        n_resamples=n_resamples,
        subsample_size=subsample_size,
        groups=groups,
        strata=strata,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
        batch_size=batch_size,
    )


def opened(measure, X, y, **metadata):
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
    over="rows",
    confidence_level=0.95,
    n_resamples=999,
    subsample_size=None,
    groups=None,
    strata=None,
    random_state=None,
    n_jobs=None,
    verbose=0,
    batch_size=8,
):
    """`similarity_interval` of a comparison, whose views are there already.

    Parameters
    ----------
    comparison : Comparison or GroupComparison
        With its rows; ``method`` must be valid for the measure, or "auto".
    """
    jobs = {"n_jobs": n_jobs, "verbose": verbose, "batch_size": batch_size}
    if over != "rows":
        design = {"groups": groups, "strata": strata}
        estimate = estimate_over(comparison, over, **design, **jobs)
    else:
        estimate = estimate_of(
            comparison,
            method=chosen_method(comparison.tags, method, groups, strata),
            n_resamples=n_resamples,
            subsample_size=subsample_size,
            groups=groups,
            strata=strata,
            random_state=random_state,
            **jobs,
        )
    low, high = estimate.interval(confidence_level)
    statistic = estimate.sample.statistic
    if estimate.sample.is_folded:
        statistic, (low, high) = abs(statistic), _folded(low, high)
    return SimilarityIntervalResult(
        statistic=statistic,
        score=comparison.tags.orient(statistic) + 0.0,
        confidence_interval=ConfidenceInterval(low + 0.0, high + 0.0),
        standard_error=estimate.error(confidence_level),
        bias=estimate.bias,
        replicates=estimate.replicates,
        confidence_level=confidence_level,
        method=estimate.method,
        n_undefined=estimate.n_undefined,
    )


def _folded(low, high):
    """Limits of minus the absolute value."""
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return -max(abs(low), abs(high)), -nearest
