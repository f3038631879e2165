"""Two models' predictions, row by row."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from numbers import Real
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from sksim._sklearn_compat import Interval, validate_params
from sksim._typing import ArrayLike, RandomState
from sksim.base._readable import is_text
from sksim.inference._interval import ConfidenceInterval
from sksim.pairwise._predictions import _answers as agreeing
from sksim.pairwise._predictions._costs import costs_of_rows
from sksim.pairwise._predictions._join import ALLOWED
from sksim.pairwise._predictions._pair import opened_pair
from sksim.pairwise._predictions._result import LEVEL, PredictionComparisonResult
from sksim.pairwise._predictions._slices import (
    margin_pvalues,
    refuse_empty,
    reversals,
    smallest,
    table_of_slices,
    warn_of_reversals,
)
from sksim.pairwise._predictions._statistics import (
    Paired,
    difference_of_scores,
    mean_of_scores,
    share_of_rows,
)


@validate_params(
    {
        "on": "no_validation",
        "groups": "no_validation",
        "slices": "no_validation",
        "scores": [str, "boolean", None],
        "margin": [Interval(Real, 0, None, closed="neither"), None],
        "costs": "no_validation",
        "allow": [str, list, tuple, set, frozenset],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def compare_predictions(
    a: ArrayLike | str | PathLike[str],
    b: ArrayLike | str | PathLike[str],
    y_true: ArrayLike | str | None = None,
    *,
    on: Hashable | Sequence[Hashable] | None = None,
    groups: ArrayLike | str | None = None,
    slices: str | Callable | Sequence[str] | Mapping[str, Any] | None = None,
    scores: str | bool | None = None,
    margin: float | None = None,
    costs: ArrayLike | Mapping[Any, Any] | None = None,
    allow: str | Sequence[str] = (),
    confidence_level: float = 0.95,
    random_state: RandomState | None = None,
) -> PredictionComparisonResult:
    r"""Compare two models' predictions on the same rows.

    How often they agree; which is right more often, and whether by more than chance;
    which rows changed sides; whether they err alike; and the same for each slice. Rows
    are joined by their ids, and what does not fit is refused by name. All differences
    are a minus b: where b is to replace a, a negative one says that b is better.

    Parameters
    ----------
    a, b : array-like of shape (n_rows,), table, or path
        Each model's answers: labels, a table of pandas, polars or arrow, or a file or
        log that :func:`~sksim.datasets.read_predictions` reads. In tables the answers
        are the column ``answer`` or ``prediction``, or the only one that is not named
        by another argument.
    y_true : array-like of shape (n_rows,) or str, default=None
        True labels, in the order of a's rows, by their names (a Series), or a column.
        None takes a column that is called ``target``, ``truth`` or ``y_true``.
    on : str or list of str, default=None
        Column, or columns, with the ids of the rows. None takes the names that rows
        have (the index of pandas; logs have one), or the order of the rows.
    groups : array-like of shape (n_rows,) or str, default=None
        Which rows belong together, such as answers to one prompt or questions about one
        document; a column, or one label for each row of a. None takes the repeated
        samples of one prompt in logs, and else each row by itself.
    slices : str, callable, list, array-like, DataFrame or dict, default=None
        Parts of the rows: a column, or several, whose values are slices; a function of
        the joined table that gives a mask or labels; an array of them, for the rows of
        a, or a table with one in each column; or a dict of any of these by name.
    scores : str or bool, default=None
        Column with a score of each row, such as ``"f1"`` or the name of a metric of the
        logs, to compare instead of right and wrong answers. True, or a name: arrays a
        and b are the scores. More is better; pass minus the log-loss.
    margin : float, default=None
        The smallest difference that would matter, .02 for two points of accuracy: adds
        tests that the two are equivalent, and that b is not worse than a.
    costs : array-like of shape (n_classes, n_classes) or dict, default=None
        Cost of each answer: ``costs[true][answer]``. Arrays are in the sorted order of
        all classes; tables and dicts name them.
    allow : str or list of str, default=()
        What may be left out of the comparison, and is counted in ``n_dropped``:
        "unmatched" ids that only one side has, "duplicates", and rows that are
        "changed": with another truth, or another document, under the same id.
    confidence_level : float, default=0.95
        Of all intervals.
    random_state : int, RandomState instance or None, default=None
        Seed of random signs, where p-values are not counted exactly. None is the same
        seed at each call.

    Returns
    -------
    result : PredictionComparisonResult
        With the attributes ``difference``, ``difference_interval``, ``pvalue`` and many
        more; ``sentence()`` says them in words, and ``to_frame()`` is a table of all
        rows and of each slice.

    Raises
    ------
    ValueError
        If rows don't fit together, by the names of the rows, or it can't be told what
        is meant by a column.

    Warns
    -----
    UserWarning
        If rows have no score and are left out, if logs read each answer by several
        filters, or if most slices say the opposite of all rows.

    See Also
    --------
    sksim.datasets.read_predictions : Reads files and logs of evaluations.
    compare : Representations and models, by many measures.
    sksim.inference.equivalence_test : Any measure within a margin.

    Notes
    -----
    Right and wrong answers have Tango's score interval and McNemar's exact p-value.
    Other scores, and rows in groups, have Student's interval with the standard error

    .. math:: \sqrt{\tfrac{C}{C - 1} \sum_c \Big(\sum_{i \in c}
        (d_i - \bar d)\Big)^2} \Big/ n ,

    over C groups (of one row each where there are none), and a p-value by flipping the
    sign of the differences of whole groups, which is McNemar's where groups are rows:
    exact where the scores are whole multiples of one unit, or groups are few, and else
    of 9,999 or fewer random signs. Where fewer than eight groups differ, and these are
    not most of all, Student's interval is too short and Gaffke's is given, which
    allows for a group that was not seen.

    The margin is tested by two one-sided tests at level .05: by Tango's score, by
    Gaffke's limits, or by the larger p-value of Student's t and of Hall's transform of
    it, which allows for skewness.

    References
    ----------
    Q. McNemar. Note on the sampling error of the difference between correlated
    proportions or percentages. Psychometrika, 1947.

    T. Tango. Equivalence test and confidence interval for the difference in proportions
    for the paired-sample design. Statistics in Medicine, 1998.

    P. Hall. On the removal of skewness by transformation. Journal of the Royal
    Statistical Society B, 1992.

    E. Miller. Adding error bars to evals: a statistical approach to language model
    evaluations. 2024.

    R. Geirhos, K. Meding, F. Wichmann. Beyond accuracy: quantifying trial-by-trial
    behaviour of CNNs and humans by measuring error consistency. NeurIPS, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim import compare_predictions
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(3, size=500)
    >>> old = np.where(rng.random(500) < 0.9, truth, 0)
    >>> new = np.where(rng.random(500) < 0.95, old, 1)
    >>> result = compare_predictions(old, new, truth, margin=0.05)
    >>> round(result.difference, 3), round(result.mcnemar_pvalue, 3)
    (0.014, 0.016)
    >>> print(result.sentence())  # doctest: +NORMALIZE_WHITESPACE
    On 500 rows, a is right on 94.0% and b on 92.6%: a minus b is +1.4 points (95%
    interval +0.6 to +2.9, Tango's score interval; p = 0.016, exact McNemar). From a to
    b 0 rows became right and 7 wrong. The two are equivalent within 5 points (p <
    0.001, two one-sided tests).
    """
    pair = opened_pair(
        a, b, y_true, on=on, groups=groups, slices=slices, scores=scores,
        allow=reasons_to_allow(allow),
    )  # fmt: skip
    return compared(
        pair,
        random_state,
        margin=margin,
        costs=costs,
        level=confidence_level,
    )


def compared(pair, random_state, *, margin=None, costs=None, level):
    """What `compare_predictions` says of two models whose rows are joined.

    Parameters
    ----------
    pair : OpenedPair
    random_state : int, RandomState instance or None
    margin, costs : see `compare_predictions`
    level : float
        Of all intervals.
    """
    rng = generator_of(random_state)
    paired = pair.paired
    changed = share_of_rows(paired, ~paired.same, "exact")
    found = {
        "n_rows": paired.n_rows,
        "n_dropped": sum(map(len, pair.dropped.values())),
        "dropped": pair.dropped,
        "n_clusters": paired.n_groups,
        "agreement": float(np.mean(paired.same)),
        "disagreement": changed.value,
        "churn": changed.value,
        "disagreement_interval": _interval(changed, level),
        "confidence_level": float(level),
    }
    if pair.answers is not None:
        found["kappa"] = agreeing.cohen_kappa(pair.answers)
    difference = None
    if paired.score_a is not None:
        difference = difference_of_scores(paired, rng)
        found |= _of_scores(pair, difference, level)
        if paired.is_binary:
            found |= _of_errors(pair)
    found |= _of_margin(difference, margin)
    if costs is not None:
        found |= _of_costs(pair, costs, rng, level)
    if pair.slicings:
        found |= _of_slices(pair, difference, rng, level=level, margin=margin)
    return PredictionComparisonResult(**found)


def generator_of(random_state):
    """Generator of numpy; None is the same seed at each call."""
    random_state = check_random_state(0 if random_state is None else random_state)
    return np.random.default_rng(random_state.randint(np.iinfo(np.int32).max))


def reasons_to_allow(allow):
    """What may be left out of a comparison, as a set; unknown words are refused."""
    allow = {allow} if is_text(allow) else set(allow)
    unknown = sorted(map(repr, allow - set(ALLOWED)))
    if unknown:
        raise ValueError(
            f"allow={unknown[0]} is not among {', '.join(map(repr, ALLOWED))}."
        )
    return allow


def _interval(found, level):
    low, high = found.limits.interval(level)
    # limits by a root may miss the value itself by rounding
    return ConfidenceInterval(min(low, found.value) + 0.0, max(high, found.value) + 0.0)


def _of_scores(pair, difference, level):
    """Both models' means, their difference, and the rows that changed sides."""
    paired = pair.paired
    one, other = (mean_of_scores(paired, s) for s in (paired.score_a, paired.score_b))
    gap = paired.score_b - paired.score_a
    return {
        "scores": pair.scores,
        "accuracy_a": one.value,
        "accuracy_b": other.value,
        "accuracy_a_interval": _interval(one, level),
        "accuracy_b_interval": _interval(other, level),
        "difference": difference.value,
        "difference_interval": _interval(difference, level),
        "standard_error": difference.standard_error,
        "method": difference.method,
        "pvalue": difference.pvalue,
        "mcnemar_pvalue": difference.pvalue if paired.is_binary else None,
        "positive_flips": int(np.count_nonzero(gap > 0)),
        "negative_flips": int(np.count_nonzero(gap < 0)),
        "flipped_rows": _flipped(pair, gap),
    }


def _flipped(pair, gap):
    """The rows that changed sides, with what the models said."""
    rows = np.flatnonzero(gap)
    table = {"flip": np.where(gap[rows] > 0, "positive", "negative")}
    if pair.answers is not None:
        answers = pair.answers.some(rows)
        table["answer_a"] = answers.classes[answers.a]
        table["answer_b"] = answers.classes[answers.b]
        if answers.truth is not None:
            table["truth"] = answers.classes[answers.truth]
    if pair.scores is not None:
        table["score_a"] = pair.paired.score_a[rows]
        table["score_b"] = pair.paired.score_b[rows]
    return pd.DataFrame(table, index=pair.ids[rows])


def _of_errors(pair):
    """Whether both err on the same rows, and in the same way."""
    right_a, right_b = pair.paired.score_a > 0, pair.paired.score_b > 0
    found = {"error_consistency": agreeing.error_consistency(right_a, right_b)}
    answers = pair.answers
    if answers is None:
        return found
    if answers.truth is not None:
        found["error_consistency_within_classes"] = agreeing.error_consistency_within(
            right_a, right_b, answers.truth
        )
    same = agreeing.same_errors(answers, right_a, right_b)
    return found | {
        "n_both_wrong": same.n_both_wrong,
        "same_error_rate": same.rate,
        "same_error_chance": same.chance,
        "same_error_kappa": same.kappa,
    }


def _of_margin(difference, margin):
    if margin is None:
        return {}
    if difference is None:
        raise ValueError(
            "margin is for a difference of accuracies or scores: pass y_true, or "
            "scores. Whether two models agree on all but few rows is tested by "
            "equivalence_test('Disagreement', a, b, margin=...)."
        )
    found = margin_pvalues(difference.limits, margin)
    return found | {
        "margin": float(margin),
        "is_equivalent": found["equivalence_pvalue"] < LEVEL,
        "is_noninferior": found["noninferiority_pvalue"] < LEVEL,
    }


def _of_costs(pair, costs, rng, level):
    cost_a, cost_b, span = costs_of_rows(pair.answers, costs)
    paired = Paired(
        score_a=cost_a,
        score_b=cost_b,
        same=pair.paired.same,
        group=pair.paired.group,
        span=span,
        is_binary=False,
    )
    difference = difference_of_scores(paired, rng)
    return {
        "cost_a": float(cost_a.mean()),
        "cost_b": float(cost_b.mean()),
        "cost_difference": difference.value,
        "cost_difference_interval": _interval(difference, level),
        "cost_pvalue": difference.pvalue,
    }


def _of_slices(pair, difference, rng, *, level, margin):
    refuse_empty(pair.slicings)
    table = table_of_slices(pair.slicings, pair.paired, rng, level=level, margin=margin)
    found = {"slices": table, "smallest_slices": smallest(table)}
    if difference is not None:
        found["reversals"] = reversals(pair.slicings, table, difference)
        warn_of_reversals(found["reversals"])
    return found
