"""Which of several representations is more similar to another."""

import warnings
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd
from sklearn.base import clone

from sksim._results import ResultMixin
from sksim._sklearn_compat import StrOptions, validate_params
from sksim._typing import ArrayLike, Measure, Metadata
from sksim.base._row_names import refuse_other_rows
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure
from sksim.inference._interval import SHARED_CONSTRAINTS, ConfidenceInterval, opened
from sksim.inference._proportions import PairedCounts
from sksim.inference._resampling import (
    Sample,
    check_method,
    make_plan,
    replicates,
    spread_of,
)

# Bias beyond which a measure favours some views: a part of the standard error of a
# difference, and a multiple of that of one score. In 20 data sets each of 30 to 300
# rows and 5 to 100 columns the jackknife put it at .16 standard errors of a score at
# most for debiased CKA and distance correlation and for RSA, and at .3 to 10 for CKA,
# distance correlation and Procrustes.
_UNEQUAL_BIAS = 0.25
_LARGE_BIAS = 1.0


@dataclass(frozen=True, kw_only=True)
class ComparisonResult(ResultMixin):
    """Result of :func:`compare_similarities` for two candidates.

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
    method : {"jackknife", "tango"}
        How the difference was judged.
    """

    difference: float
    scores: tuple[float, float]
    pvalue: float
    confidence_interval: ConfidenceInterval
    standard_error: float
    replicates: np.ndarray = field(repr=False)
    confidence_level: float
    alternative: str
    method: str = "jackknife"


@dataclass(frozen=True, kw_only=True)
class RankingResult(ResultMixin):
    """Result of :func:`compare_similarities` for three candidates or more.

    Attributes
    ----------
    scores : ndarray of shape (n_candidates,)
        Score of X with each candidate.
    ranking : ndarray of shape (n_candidates,)
        Numbers of the candidates, 0 for y1, the most similar first.
    differences : ndarray of shape (n_candidates, n_candidates)
        Score of the row's candidate minus that of the column's.
    pvalues : ndarray of shape (n_candidates, n_candidates)
        Of no difference, corrected for the number of pairs (Holm 1979): the
        probability of any false one is at most the level.
    low, high : ndarray of shape (n_candidates, n_candidates)
        Limits of the differences, which hold for all pairs at once (Bonferroni).
    replicates : ndarray of shape (n_groups, n_candidates)
        Scores without each row, or group of rows.
    confidence_level : float
        Probability that all intervals cover; a pair differs if its p-value is at most
        what is left.
    method : {"jackknife", "tango"}
        How differences were judged.
    """

    scores: np.ndarray
    ranking: np.ndarray
    differences: np.ndarray = field(repr=False)
    pvalues: np.ndarray = field(repr=False)
    low: np.ndarray = field(repr=False)
    high: np.ndarray = field(repr=False)
    replicates: np.ndarray = field(repr=False)
    confidence_level: float
    method: str

    def to_frame(self) -> pd.DataFrame:
        """One row for each pair of candidates, in the order of the ranking.

        Returns
        -------
        pairs : DataFrame
            Numbers of the candidates (1 for y1), the difference of their scores with
            its limits, the corrected p-value and whether they differ.
        """
        columns = {
            "difference": self.differences,
            "interval_low": self.low,
            "interval_high": self.high,
            "pvalue": self.pvalues,
        }
        rows = [
            {"first": i + 1, "second": j + 1}
            | {name: values[i, j] for name, values in columns.items()}
            for i, j in combinations(self.ranking.tolist(), 2)
        ]
        frame = pd.DataFrame(rows)
        # .05 is to be at most 1 - .95
        return frame.assign(differ=frame["pvalue"] <= 1 - self.confidence_level + 1e-12)


@validate_params(
    {
        **SHARED_CONSTRAINTS,
        "alternative": [StrOptions({"greater", "less", "two-sided"})],
    },
    prefer_skip_nested_validation=True,
)
def compare_similarities(
    measure: Measure,
    X: ArrayLike,
    y1: ArrayLike,
    y2: ArrayLike,
    *more: ArrayLike,
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    alternative: str = "two-sided",
    confidence_level: float = 0.95,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    batch_size: int = 8,
) -> ComparisonResult | RankingResult:
    """Test which of several representations is more similar to another.

    By the jackknife of the difference: each row is left out of all comparisons at
    once, so that what they have in common cancels. Differences of shares of rows, such
    as disagreement, are judged by Tango's score, from the rows on which one candidate
    alone agrees with X.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, not necessarily fitted; it is cloned. A debiased one does not
        favour the wider representation.
    X : array-like of shape (n_samples, n_features)
        The representation that all others are compared with.
    y1, y2, *more : array-like of shape (n_samples, n_features_y)
        The others, of the same inputs: two or more.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    metadata : dict, default=None
        More that is known of the rows and that the measure uses, by name.
    alternative : {"two-sided", "greater", "less"}, default="two-sided"
        "greater": y1 is more similar to X than y2 is. Only for two candidates.
    confidence_level : float, default=0.95
        Share of intervals that are to cover the true difference, or all of them.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, where rows belong together: whole groups are left out.
    strata : array-like of shape (n_samples,) or (n_samples, n_strata), default=None
        Sets of rows whose sizes are given: rows, or groups, vary within each of them.
    n_jobs : int, default=None
        Number of parallel jobs.
    verbose : int, default=0
        Progress messages.
    batch_size : int, default=8
        Replicates that a job evaluates in one go.

    Returns
    -------
    result : ComparisonResult or RankingResult
        For two candidates with the attributes ``difference``, ``scores``, ``pvalue``,
        ``confidence_interval``, ``standard_error`` and ``replicates``; for more with
        ``ranking``, ``scores``, matrices of ``differences`` and corrected ``pvalues``,
        and a table of all pairs, ``to_frame()``.

    Raises
    ------
    ValueError
        If the jackknife is not valid for the measure, or two representations are
        copies of each other.

    Warns
    -----
    UserWarning
        If the measure is biased: if its bias differs between candidates by more than a
        quarter of the difference's standard error, as for views of unequal widths, or
        exceeds the standard error of a score, as for few rows.

    See Also
    --------
    similarity_interval : Interval of one similarity.
    equivalence_test : Whether a difference is within a margin.

    References
    ----------
    S. Holm. A simple sequentially rejective multiple test procedure. Scandinavian
    Journal of Statistics, 1979.

    T. Tango. Equivalence test and confidence interval for the difference in proportions
    for the paired-sample design. Statistics in Medicine, 1998.

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

    Three candidates and more are ranked, with p-values for all pairs together:

    >>> as_far = X + 1.5 * rng.normal(size=X.shape)
    >>> result = compare_similarities(CKA(debias="rows"), X, far, near, as_far)
    >>> int(result.ranking[0])
    1
    >>> result.to_frame()["differ"].tolist()
    [True, True, False]
    """
    measure = check_measure(measure, "compare similarities")
    check_method(measure, "jackknife")
    candidates = (y1, y2, *more)
    _check_question(measure, len(candidates), alternative)
    known = row_metadata(metadata, y_true=y_true)
    named = {f"y{i}": y for i, y in enumerate(candidates, start=1)}
    refuse_other_rows(X=X, **named, groups=groups, **known)
    samples = [
        Sample(opened(clone(measure), X, y, **known), groups, strata)
        for y in candidates
    ]
    jobs = {"n_jobs": n_jobs, "verbose": verbose, "batch_size": batch_size}
    judged = _Candidates.of(samples, jobs)
    if not more:
        return _comparison(judged, alternative, confidence_level)
    return _ranking(judged, confidence_level)


def _check_question(measure, n_candidates, alternative):
    if tags_of(measure).arity == "group":
        raise ValueError(
            f"{type(measure).__name__} measures a group of models; similarities to "
            "another need a measure of pairs."
        )
    if n_candidates > 2 and alternative != "two-sided":
        raise ValueError(
            f"alternative={alternative!r} is a question about two candidates; got "
            f"{n_candidates}, of which all pairs are compared. Leave it out."
        )


@dataclass(frozen=True)
class _Candidates:
    """Comparisons of one representation with several.

    Attributes
    ----------
    samples : list of Sample
    plan : Plan
        Of the jackknife.
    scores : list of float
    values : ndarray of shape (n_units, n_candidates)
        Scores without each unit.
    effects : list
        Of pairs of rows, for each candidate; None where they are not known.
    """

    samples: list
    plan: object
    scores: list
    values: np.ndarray
    effects: list

    @classmethod
    def of(cls, samples, jobs):
        """Judge samples by what is left without each unit."""
        plan = make_plan("jackknife", samples[0].strata, None, 0)
        values = replicates(samples, plan, None, **jobs)
        if samples[0].tags.signed:
            values = -abs(values)
        scores = [sample.tags.orient(sample.statistic) + 0.0 for sample in samples]
        effects = [sample.pair_effects() for sample in samples]
        candidates = cls(samples, plan, scores, values, effects)
        candidates.warn_of_bias()
        return candidates

    @property
    def method(self):
        """How differences are judged."""
        sample = self.samples[0]
        is_share = "exact" in sample.tags.intervals and sample.is_plain
        return "tango" if is_share else "jackknife"

    def spread(self, *numbers):
        """Spread of a score, or of the difference of two."""
        estimate, values = self.scores[numbers[0]], self.values[:, numbers[0]]
        effects = self.effects[numbers[0]]
        low, high = self.samples[0].tags.score_bounds
        if len(numbers) == 2:
            estimate = estimate - self.scores[numbers[1]]
            values = values - self.values[:, numbers[1]]
            low, high = low - high, high - low
            other = self.effects[numbers[1]]
            known = effects is not None and other is not None
            effects = effects - other if known else None
        return spread_of(
            estimate,
            values,
            self.plan,
            bounds=(low, high),
            effects=effects,
            rounding=max(self.samples[i].rounding for i in numbers),
        )

    def difference(self, i, j):
        """Difference of two scores, its limits and its standard error."""
        spread = self.spread(i, j)
        estimate = self.scores[i] - self.scores[j]
        if self.method == "tango":
            limits = self.counts(i, j).limits("tango")
            if not self.samples[0].tags.is_similarity:
                limits = limits.negated()
            return estimate, limits, spread.standard_error
        is_copy = not spread.standard_error > self.samples[i].rounding
        if is_copy and not self.samples[i].is_output:
            raise ValueError(
                f"The difference is {estimate:.3g} whichever row is left out, so that "
                f"it has no standard error. Check that y{i + 1} and y{j + 1} are not "
                "copies of each other."
            )
        return estimate, spread.limits, spread.standard_error

    def counts(self, i, j):
        """Rows that count for both, one or none of two shares."""
        first, second = (self._row_counts(number) for number in (i, j))
        parts = first & second, first & ~second, second & ~first, ~(first | second)
        return PairedCounts(*(int(np.sum(part)) for part in parts))

    def _row_counts(self, number):
        kinds = self.samples[number].comparison.row_kinds()
        return kinds.values[kinds.of_row] > 0.5

    def warn_of_bias(self):
        """Warn if the measure's bias favours some candidates."""
        if self.samples[0].tags.inputs != "representation":
            return
        numbers = range(len(self.samples))
        alone = [self.spread(i) for i in numbers]
        ratios = [abs(s.bias) / s.standard_error for s in alone if s.standard_error]
        pairs = [self.spread(*pair) for pair in combinations(numbers, 2)]
        unequal = [abs(s.bias) / s.standard_error for s in pairs if s.standard_error]
        if not (
            max(ratios, default=0.0) > _LARGE_BIAS
            or max(unequal, default=0.0) > _UNEQUAL_BIAS
        ):
            return
        biases = ", ".join(f"{s.bias:.2g}" for s in alone)
        errors = ", ".join(f"{s.standard_error:.2g}" for s in alone)
        warnings.warn(
            f"{self.samples[0].comparison.owner} is biased at "
            f"{self.plan.n_units} rows: the jackknife puts its bias at {biases}, "
            f"beside standard errors of {errors}. It favours views of more columns, "
            "and differences shrink. Use a debiased measure, such as "
            "CKA(debias='rows'), or more rows.",
            UserWarning,
            stacklevel=2,
        )


def _pvalue(limits, alternative):
    """P-value of no difference."""
    greater, less = limits.pvalue_below(0.0), limits.pvalue_above(0.0)
    sided = {"greater": greater, "less": less}
    return float(sided.get(alternative, min(1.0, 2 * min(greater, less))))


def _comparison(candidates, alternative, level):
    difference, limits, error = candidates.difference(0, 1)
    return ComparisonResult(
        difference=difference,
        scores=tuple(candidates.scores),
        pvalue=_pvalue(limits, alternative),
        confidence_interval=ConfidenceInterval(*limits.interval(level)),
        standard_error=error,
        replicates=candidates.values,
        confidence_level=level,
        alternative=alternative,
        method=candidates.method,
    )


def _ranking(candidates, level):
    scores = np.array(candidates.scores)
    k = len(scores)
    pairs = list(combinations(range(k), 2))
    pvalues = np.ones((k, k))
    low, high = np.zeros((k, k)), np.zeros((k, k))
    found = [candidates.difference(i, j)[1] for i, j in pairs]
    corrected = _holm([_pvalue(limits, "two-sided") for limits in found])
    for (i, j), limits, pvalue in zip(pairs, found, corrected, strict=True):
        pvalues[i, j] = pvalues[j, i] = pvalue
        low[i, j], high[i, j] = limits.interval(1 - (1 - level) / len(pairs))
        low[j, i], high[j, i] = -high[i, j], -low[i, j]
    return RankingResult(
        scores=scores,
        ranking=np.argsort(-scores, kind="stable"),
        differences=np.subtract.outer(scores, scores),
        pvalues=pvalues,
        low=low,
        high=high,
        replicates=candidates.values,
        confidence_level=level,
        method=candidates.method,
    )


def _holm(pvalues):
    """P-values corrected for their number, so that any false one is rare."""
    pvalues = np.array(pvalues)
    order = np.argsort(pvalues)
    left = len(pvalues) - np.arange(len(pvalues))
    corrected = np.empty_like(pvalues)
    corrected[order] = np.minimum(np.maximum.accumulate(pvalues[order] * left), 1)
    return corrected
