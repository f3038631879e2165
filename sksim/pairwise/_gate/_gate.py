"""Whether a new model may replace the old one."""

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import contextmanager
from numbers import Real
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from sksim._sklearn_compat import Interval, validate_params
from sksim._typing import ArrayLike, RandomState
from sksim.base._readable import is_list
from sksim.pairwise._gate._criteria import CRITERIA, PASS, Part, judged
from sksim.pairwise._gate._probabilities import (
    opened_sides,
    read_side,
    refuse_counted_classes,
)
from sksim.pairwise._gate._result import ReleaseGateResult
from sksim.pairwise._predictions._compare import compared, reasons_to_allow
from sksim.pairwise._predictions._pair import _names, _names_of_slices, opened_pair
from sksim.pairwise._predictions._slices import refuse_empty

_SHARE = [Interval(Real, 0, 1, closed="neither"), None]
_AMOUNT = [Interval(Real, 0, None, closed="neither"), None]


@validate_params(
    {
        "max_churn": _SHARE,
        "min_agreement": _SHARE,
        "noninferiority": _AMOUNT,
        "max_negative_flips": _SHARE,
        "max_kl": _AMOUNT,
        "max_js": _AMOUNT,
        "slices": "no_validation",
        "on": "no_validation",
        "groups": "no_validation",
        "scores": [str, "boolean", None],
        "allow": [str, list, tuple, set, frozenset],
        # at a half a bound is the value itself
        "confidence_level": [Interval(Real, 0.5, 1, closed="neither")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def release_gate(
    old: ArrayLike | str | PathLike[str],
    new: ArrayLike | str | PathLike[str],
    y_true: ArrayLike | str | None = None,
    *,
    max_churn: float | None = None,
    min_agreement: float | None = None,
    noninferiority: float | None = None,
    max_negative_flips: float | None = None,
    max_kl: float | None = None,
    max_js: float | None = None,
    slices: str | Callable | Sequence[str] | Mapping[str, Any] | None = None,
    on: Hashable | Sequence[Hashable] | None = None,
    groups: ArrayLike | str | None = None,
    scores: str | bool | None = None,
    allow: str | Sequence[str] = (),
    confidence_level: float = 0.95,
    random_state: RandomState | None = None,
) -> ReleaseGateResult:
    r"""Decide whether a new model may replace the old one.

    Each limit is held against a confidence bound, not against the number that these
    rows happen to give: it is met if the bound meets it, broken if the bound of the
    other side breaks it, and else the rows are too few to say. The gate passes if all
    limits are met, on all rows and in each slice: what can't be said does not pass.

    Parameters
    ----------
    old, new : array-like, table, or path
        Each model's answers as in :func:`compare_predictions`, or its probabilities:
        an array of shape (n_rows, n_classes), a table whose numeric columns are the
        classes, or a file of either. The most probable class is then the answer.
    y_true : array-like of shape (n_rows,) or str, default=None
        True labels, in the order of old's rows, by their names, or a column. Limits of
        what is right and wrong need them, or ``scores``.
    max_churn : float, default=None
        Largest share of rows whose answer changes.
    min_agreement : float, default=None
        Smallest share of rows with the same answer: the same limit, said otherwise.
    noninferiority : float, default=None
        Largest loss of accuracy, or of the mean score: .01 for one point.
    max_negative_flips : float, default=None
        Largest share of rows that old has right and new has wrong; of scores, of rows
        that score lower.
    max_kl, max_js : float, default=None
        Largest mean divergence of new's probabilities from old's, in nats: of Kullback
        and Leibler, with old as the reference, and of Jensen and Shannon.
    slices : str, callable, list, array-like, DataFrame or dict, default=None
        Parts of the rows in which the limits hold too, as in
        :func:`compare_predictions`.
    on : str or list of str, default=None
        Column, or columns, with the ids of the rows.
    groups : array-like of shape (n_rows,) or str, default=None
        Which rows belong together.
    scores : str or bool, default=None
        Column with a score of each row, to compare instead of right and wrong answers.
    allow : str or list of str, default=()
        What may be left out: "unmatched", "duplicates", "changed".
    confidence_level : float, default=0.95
        Of each bound by itself: a new model that is just beyond a limit passes in at
        most a share of 1 - ``confidence_level`` of samples, however many limits and
        slices there are.
    random_state : int, RandomState instance or None, default=None
        Seed of random signs in the comparison's p-value; no outcome depends on it.

    Returns
    -------
    result : ReleaseGateResult
        With the attributes ``passed``, ``criteria`` and ``changed``; ``sentence()``
        says them in words, ``to_junit()`` and ``to_markdown()`` for what reads them.

    Raises
    ------
    ValueError
        If no limit is given, if a limit needs what is not there, or if rows don't fit
        together.

    See Also
    --------
    compare_predictions : What the gate decides by, without limits.
    sksim.inference.equivalence_test : Any measure within a margin.

    Notes
    -----
    Churn, agreement and negative flips have the bounds of Clopper and Pearson, in
    groups those of Gaffke. The loss has Tango's; of scores or in groups Student's,
    moved out where Hall's transform of it, which allows for skewness, asks for more, or
    Gaffke's where few groups differ. Mean divergences have Gaffke's, which allow for a
    row that was not seen: as far as any can be for Jensen and Shannon's, log 2; for
    Kullback and Leibler's, which has no largest value, as far as an old model could be
    from new's smallest probability on these rows. The latter takes several thousand
    rows where new is sure of itself; Student's or the jackknife's bounds, which would
    take fewer, pass 8 to 26 % of models just beyond the limit, since few rows hold most
    of it. It is infinite, and its limit broken, as soon as new gives probability 0 to a
    class that old holds possible.

    Both bounds of a value hold together at the level 2 ``confidence_level`` - 1. Since
    all limits must be met, a model that breaks one passes only if that one bound errs:
    nothing is to be corrected for their number (Berger 1982).

    ``rows_needed`` is for as many more rows like these: with the same value, in more
    rows, bounds would reach the limit there, in about half of samples.

    References
    ----------
    R. Berger. Multiparameter hypothesis testing and acceptance sampling.
    Technometrics, 1982.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim import release_gate
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(3, size=2000)
    >>> old = np.where(rng.random(2000) < 0.9, truth, 0)
    >>> new = np.where(rng.random(2000) < 0.98, old, truth)
    >>> gate = release_gate(old, new, truth, max_churn=0.02, noninferiority=0.005)
    >>> gate.passed
    True
    >>> gate.criteria[["criterion", "limit", "value", "high", "outcome"]].round(4)
            criterion  limit   value    high outcome
    0       max_churn  0.020  0.0015  0.0039    pass
    1  noninferiority  0.005 -0.0015 -0.0001    pass
    """
    limits = {
        "max_churn": max_churn,
        "min_agreement": min_agreement,
        "noninferiority": noninferiority,
        "max_negative_flips": max_negative_flips,
        "max_kl": max_kl,
        "max_js": max_js,
    }
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    if not limits:
        raise ValueError(f"Give one limit or more: {', '.join(CRITERIA)}.")
    ids = on if is_list(on) else [on]
    named = {*_names(y_true), *_names(groups), *_names_of_slices(slices), *ids}
    old, new, probabilities = opened_sides(read_side(old), read_side(new), named)
    with _in_own_words():
        pair = opened_pair(
            old, new, y_true, on=on, groups=groups, slices=slices, scores=scores,
            allow=reasons_to_allow(allow),
        )  # fmt: skip
    probabilities = _joined(pair, probabilities)
    _refuse_without(limits, pair, probabilities)
    refuse_empty(pair.slicings)
    tail = 1 - confidence_level
    criteria = pd.DataFrame(
        [
            judged(name, limit, part, tail)
            for part in _parts(pair, probabilities)
            for name, limit in limits.items()
        ]
    )
    margin = limits.get("noninferiority")
    return ReleaseGateResult(
        passed=bool((criteria["outcome"] == PASS).all()),
        criteria=criteria,
        changed=_changed(pair),
        n_rows=pair.paired.n_rows,
        confidence_level=float(confidence_level),
        comparison=compared(pair, random_state, margin=margin, level=confidence_level),
    )


@contextmanager
def _in_own_words():
    """Messages of `compare_predictions` go by its names of the two models."""
    try:
        yield
    except ValueError as error:
        if not re.search(r"\b[ab]\b", str(error)):
            raise
        raise ValueError(f"{error} Here a is old, and b is new.") from error


def _joined(pair, probabilities):
    """Probabilities of the rows that are compared."""
    if probabilities is None:
        return None
    truth = pair.answers.truth
    truth = None if truth is None else pair.answers.classes[truth]
    refuse_counted_classes(truth, probabilities)
    places = pair.rows_a, pair.rows_b
    return tuple(
        table.iloc[rows].reset_index(drop=True)
        for table, rows in zip(probabilities, places, strict=True)
    )


def _refuse_without(limits, pair, probabilities):
    """Raise if a limit is of something that is not known."""
    known = {"answers"}
    if pair.paired.score_a is not None:
        known.add("scores")
    if probabilities is not None:
        known.add("probabilities")
    wanted = {
        "scores": "the true labels, y_true, or scores",
        "probabilities": "both models' probabilities, one column for each class",
    }
    for name in limits:
        needs = CRITERIA[name].needs
        if needs not in known:
            raise ValueError(f"{name} needs {wanted[needs]}.")


def _parts(pair, probabilities):
    """All rows, then each slice."""
    yield Part(name="all rows", paired=pair.paired, probabilities=probabilities)
    for slicing in pair.slicings:
        for name, rows in slicing.parts.items():
            yield Part(
                name=name,
                paired=pair.paired.some(rows),
                probabilities=None
                if probabilities is None
                else tuple(table.iloc[rows] for table in probabilities),
            )


def _changed(pair):
    """Rows whose answers, or scores, are others: first those that became wrong."""
    paired, answers = pair.paired, pair.answers
    gap = np.zeros(paired.n_rows)
    if paired.score_a is not None:
        gap = paired.score_b - paired.score_a
    rows = np.flatnonzero(~paired.same | (gap != 0))
    rows = rows[np.argsort(np.sign(gap[rows]), kind="stable")]
    words = ("worse", "other", "better")
    table = {"change": [words[sign + 1] for sign in np.sign(gap[rows]).astype(int)]}
    if answers is not None:
        some = answers.some(rows)
        table["old"], table["new"] = some.classes[some.a], some.classes[some.b]
        if some.truth is not None:
            table["truth"] = some.classes[some.truth]
    if pair.scores is not None:
        table["score_old"] = paired.score_a[rows]
        table["score_new"] = paired.score_b[rows]
    return pd.DataFrame(table, index=pair.ids[rows])
