"""Many measures on one pair."""

import math
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sksim._progress import ProgressBar
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Measure, Metadata, Model, RandomState
from sksim.base._readable import is_list, is_text
from sksim.base._row_names import refuse_other_rows
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.inference._estimates import chosen_method
from sksim.inference._interval import interval_of
from sksim.inference._rounding import rounding_of
from sksim.inference._test import null_of, similarity_test_of
from sksim.pairwise._align_rows import joined_pair
from sksim.pairwise._chance import Designs, Tested, corrected
from sksim.pairwise._hashes import hashes_of
from sksim.pairwise._inputs import (
    ArrayPair,
    Missing,
    ModelPair,
    NotApplicable,
    refuse_order_of_its_own,
)
from sksim.pairwise._measures import label_of, resolve_measures, statistic_of_two
from sksim.pairwise._model_comparison import ModelComparison
from sksim.pairwise._outputs_of_pair import (
    Outputs,
    compared_predictions,
    differing_rows,
    outputs_of,
    read_by,
)
from sksim.pairwise._panels import TASKS, panel_of
from sksim.pairwise._replicates import compared_replicates
from sksim.pairwise._verdict import answers_of, headline_of
from sksim.pairwise._work import row_operations

# An interval leaves out rows one by one up to so many, and so many parts of more rows.
_MAX_SINGLE_ROWS = 100
_N_PARTS = 50

# What measures of answers compare.
_OF_ANSWERS = {"labels", "probabilities", "outputs"}

COLUMNS = (
    "measure",
    "family",
    "kind",
    "compared",
    "value",
    "direction",
    "score",
    "null_mean",
    "calibrated_score",
    "calibrated_low",
    "calibrated_high",
    "pvalue",
    "pvalue_adjusted",
    "null",
    "same_as",
    "interval_low",
    "interval_high",
    "seconds",
    "note",
)


@validate_params(
    {
        "task": [StrOptions(set(TASKS))],
        "margin": [Interval(Real, 0, None, closed="neither"), None],
        "replicates": ["array-like", dict, None],
        "metadata": [dict, None],
        "n_permutations": [Interval(Integral, 0, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither"), None],
        "cost_limit": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def compare(
    a: ArrayLike | Model,
    b: ArrayLike | Model,
    data: ArrayLike | None = None,
    y_true: ArrayLike | None = None,
    *,
    on: str | None = None,
    classes: Sequence | None = None,
    fill_missing_classes: bool = False,
    outputs: str | Sequence[str | None] | None = None,
    measures: Measure | Sequence[Measure] | Mapping[str, Measure] = "default",
    task: str = "same_architecture",
    margin: float | None = None,
    replicates: Sequence | Mapping[str, Sequence] | None = None,
    metadata: Metadata | None = None,
    n_permutations: int = 999,
    confidence_level: float | None = 0.95,
    groups: ArrayLike | None = None,
    strata: ArrayLike | str | None = "auto",
    permute: str = "rows",
    cost_limit: float | None = 1e10,
    random_state: RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
) -> ModelComparison:
    """Compare two representations, or two fitted models, and say what comes of it.

    A few measures that fit the task, each with its chance level, p-value and interval,
    and what they say together: do the two represent the inputs alike, is that more
    than chance, do they answer alike, err alike, is one better, may one replace the
    other?

    Parameters
    ----------
    a, b : array-like, or fitted models
        Two representations of the same rows, of shape (n_samples, n_features); label
        vectors, of shape (n_samples,), for measures of labels; rows of probabilities
        for measures of these. Or two fitted models, together with ``data``.
    data : array-like of shape (n_samples, n_features), or loader, default=None
        The rows that both models are applied to; only with models. Functional
        measures then compare the models' outputs, and the others the last
        representation before them (see :func:`sksim.models.extract_representations`).
        Torch modules see each batch of a loader together, in whatever order batches
        come; their maps and tokens are averaged, the latter over those that count. A
        generator of batches is gone through once for all measures.
    y_true : array-like of shape (n_samples,), default=None
        True labels. Measures that need them are left out without. For networks None
        takes those that come with the batches, if any do.
    on : str, default=None
        Column of both tables that holds the ids of their rows: the tables are joined by
        it (see :func:`align_rows`), and it is no feature. ``y_true`` and ``groups``
        are joined too where they are tables with that column, and belong to the rows of
        ``a`` where they are not.
    classes : sequence, default=None
        Class of each column of probabilities that have no names of columns; or one such
        sequence for each side. Tables are put into one order by their names.
    fill_missing_classes : bool, default=False
        Whether a class that one side has and the other lacks has probability 0 there.
        Otherwise measures of probabilities refuse other names.
    outputs : {"logits", "probabilities", "labels", "predictions"} or one for each \
            model, default=None
        What networks return, which functional measures need to know. None is enough
        for those that return an object with ``logits``. See :ref:`network_outputs`.
    measures : str, class, estimator, list or dict of those, default="default"
        "default" is a panel of at most eight measures for the ``task``, "all" takes
        whatever the input allows, some eighty. Otherwise names of measures, or
        measures; or names of families, for all of their measures that the input
        allows, with default parameters. A dict gives names of its own.
    task : {"same_architecture", "copy", "different_kinds", "recordings"}, \
            default="same_architecture"
        What the two are, which chooses the panel: networks of one architecture, such
        as two seeds; a model and its pruned, quantised, tuned or distilled copy; models
        of different kinds, such as a forest and a network; recordings with noise. See
        :ref:`judged` for why.
    margin : float, default=None
        By how much less b may be right and still replace a, .01 for one point of
        accuracy. Without it the verdict does not say whether it may.
    replicates : list, or dict of "a" and "b" to lists, default=None
        What should have been the same as a, such as the same network trained with other
        seeds, in the form of a; in a dict also of b. The verdict then says whether the
        two differ by more than replicates do
        (:func:`sksim.inference.replicate_test`).
    metadata : dict, default=None
        More that is known of the rows and that measures use, by name: "z", the
        confounder of :class:`sksim.compose.DeconfoundedSimilarity`, for one.
    n_permutations : int, default=999
        Number of permutations behind each p-value and each null mean; 0 for none. The
        smallest p-value is 1 / (n_permutations + 1).
    confidence_level : float or None, default=0.95
        Level of the intervals; None for none. An interval costs up to a hundred
        comparisons, see Notes.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, see :func:`sksim.inference.similarity_test`.
    strata : array-like of shape (n_samples,), "auto" or None, default="auto"
        Sets within which rows change places, see
        :func:`sksim.inference.similarity_test`. "auto" takes the classes ``y_true``
        for measures of outputs, unless ``groups`` or ``permute`` say otherwise: two
        models that are often right agree on that account alone. Of measures with a
        confounder it takes the classes z, where these are text, booleans or
        categories. None lets all rows change places.
    permute : {"rows", "shift"}, default="rows"
        What changes places, see :func:`sksim.inference.similarity_test`.
    cost_limit : float or None, default=1e10
        Row operations that the permutations of one measure may take, and likewise its
        interval; a measure that would need more gets no p-value, or no interval, and
        its note says so and how to get it. They are counted, not timed: what the
        tag ``complexity`` says of one comparison, divided by the width of a row,
        times the number of comparisons. The default is half a minute or so of most
        measures, and far less of those that permute what they have at hand. None
        sets no limit.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations and of the parts of the rows behind intervals, which
        all measures share, and of random measures without a seed of their own.
    n_jobs : int, default=None
        Number of measures that are computed in parallel.
    verbose : int, default=0
        Whether to show progress on standard error.

    Returns
    -------
    comparison : ModelComparison
        With the text ``verdict``, ``sentence()``, ``bibtex()`` and more; ``to_frame()``
        has one row for each measure, with the columns

        - ``measure``, ``family``: name and sub-package,
        - ``kind``: what it is of: "representation", "labels", "probabilities",
          "outputs", "models",
        - ``compared``: what was compared: representations, labels, ...,
        - ``value``, ``direction``: the native number, and whether it is a similarity
          or a distance,
        - ``score``: the value, oriented: greater is more similar,
        - ``null_mean``: mean score of pairs that have nothing in common,
        - ``calibrated_score``: 0 if the score is its null mean, 1 if it is the best
          possible,
        - ``calibrated_low``, ``calibrated_high``: confidence limits of that,
        - ``pvalue``: of the hypothesis that rows have nothing in common (for
          differences in performance: that the two models are alike),
        - ``pvalue_adjusted``: the same, corrected for the number of measures of one
          null hypothesis,
        - ``null``: what changes places under it: "rows", "rows within classes" (or
          "within z"), "groups", "groups within strata", "shifts", ..., or "McNemar" and
          "models swapped", with the reason where classes could not be used,
        - ``same_as``: another measure of the table that is the same statistic of two
          models, in another unit,
        - ``interval_low``, ``interval_high``: confidence limits of the score,
        - ``seconds``: time that the value took,
        - ``note``: warnings, and why a number is missing.

    Raises
    ------
    ValueError
        If the input is not valid, or a measure that was asked for by its own name
        can't be computed. Of one that comes with its family the note says why. Of two
        models all measures of a family have a row, of two arrays those that apply.

    See Also
    --------
    similarity_matrix : One measure on many pairs.
    align_rows : Brings tables into one order.
    sksim.report.write_report : The table as a web page.

    Notes
    -----
    All measures of one null hypothesis see the same orders. ``pvalue_adjusted`` is
    Westfall and Young's step-down over them: scores in their own standard deviations
    against the largest of all that are left. Who calls those below .05 similar errs
    with a probability of at most .05 for each null hypothesis, whatever depends on
    what. P-values that don't come of orders (McNemar's) are corrected by Holm's
    method among themselves. Measures that are one statistic count once.

    Intervals of shares of rows, such as disagreement, are exact (Clopper and Pearson),
    those of differences of accuracies Tango's, and those of other measures of outputs
    allow for a row that was not seen where it is known what that may do (Gaffke).
    Others are the jackknife's, for the measures for which it is valid (tag
    ``intervals``): one part of the rows after the other is left out. The parts are the
    groups, if there are any; else the single rows of up to 100, or 50 random parts.
    They say how far the score would vary with other inputs; nominal .95 intervals of
    four measures covered .94 to .99 in simulations. The interval of a debiased
    measure is around its value at unlimited rows, others are around the expectation at
    this number of rows: of few rows and many columns a high interval does not mean more
    than chance.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.pairwise import compare
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> y = np.tanh(X @ rng.normal(size=(5, 8)))
    >>> result = compare(X, y, measures=["CKA", "OrthogonalProcrustes"], random_state=0)
    >>> print(result.verdict)  # doctest: +NORMALIZE_WHITESPACE
    Do they represent the inputs alike? Partly: CKA is 0.74, on a scale from 0 (chance)
    to 1 (identical) 0.73 (95% interval 0.69 to 0.77); 0.58 (OrthogonalProcrustes).
    Is that more than chance? Yes: p = 0.001, where rows change places.
    >>> table = result.to_frame()
    >>> table[["measure", "value", "direction", "pvalue", "null"]].round(3)
                    measure  value   direction  pvalue  null
    0                   CKA  0.740  similarity   0.001  rows
    1  OrthogonalProcrustes  0.537    distance   0.001  rows

    How far the scores would vary with other rows:

    >>> table[["measure", "score", "interval_low", "interval_high"]].round(2)
                    measure  score  interval_low  interval_high
    0                   CKA   0.74          0.70           0.78
    1  OrthogonalProcrustes  -0.54         -0.56          -0.51
    """
    call = a, b, data, y_true
    dropped = {}
    if on is not None:
        of_rows = {"y_true": y_true, "groups": groups}
        keys = {name: f"metadata[{name!r}]" for name in metadata or ()}
        of_rows |= {key: metadata[name] for name, key in keys.items()}
        if not is_text(strata):
            of_rows["strata"] = strata
        a, b, of_rows, dropped = _joined(a, b, data, on, of_rows)
        y_true, groups = of_rows["y_true"], of_rows["groups"]
        strata = of_rows.get("strata", strata)
        metadata = {name: of_rows[key] for name, key in keys.items()}
    rows = {"data": data} if data is not None else {"a": a, "b": b}
    known = row_metadata(metadata, y_true=y_true)
    y_true = known.pop("y_true")
    refuse_other_rows(
        **rows, y_true=y_true, **{**known, "groups": groups, "strata": strata}
    )
    _refuse_word(strata)
    if data is None:
        pair = ArrayPair(a, b, y_true, known, **_names(classes, fill_missing_classes))
    else:
        of_rows = {**known, "y_true": y_true, "groups": groups, "strata": strata}
        refuse_order_of_its_own(data, **of_rows)
        pair = ModelPair(a, b, data, y_true, known, classes=classes, outputs=outputs)
    is_panel = is_text(measures) and measures == "default"
    candidates = _all_of(measures, task)
    kinds = {tags_of(measure).inputs for measure in candidates}
    asks = bool(kinds & _OF_ANSWERS)
    pair.serve([*candidates, *(read_by() if asks else ())])
    outputs = outputs_of(pair, kinds) if asks else Outputs()
    if is_panel:
        chosen = _of_panel(task, pair, outputs)
    else:
        chosen = _applicable(resolve_measures(measures), pair)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    n_samples = pair.n_samples
    job = _Job(
        n_permutations=n_permutations,
        confidence_level=confidence_level,
        cost_limit=math.inf if cost_limit is None else cost_limit,
        groups=groups,
        designs=Designs(
            groups,
            strata,
            permute,
            pair.labels,
            z=known.get("z"),
            n_samples=n_samples,
            seed=seed,
        ),
        seed=seed,
    )
    tasks = (
        delayed(_one_row)(label, *chosen_one, job)
        for label, chosen_one in chosen.items()
    )
    workers = Parallel(n_jobs=n_jobs, return_as="generator")
    rows, tested = [], []
    with ProgressBar(len(chosen), "measures", enabled=verbose > 0) as bar:
        for label, (row, test) in zip(chosen, workers(tasks), strict=True):
            rows.append(row)
            tested.append(test)
            bar.step(label)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["pvalue_adjusted"], table["same_as"] = corrected(list(chosen), tested)
    table["calibrated_low"], table["calibrated_high"] = _calibrated_limits(table)
    table.attrs = {
        "n_permutations": n_permutations,
        "confidence_level": confidence_level,
        "random_state": seed,
        **(
            {"panel": _names_of_panel(task)}
            if is_text(measures) and measures == "all"
            else {}
        ),
        **dropped,
        "hashes": hashes_of(a=call[0], b=call[1], data=call[2], y_true=call[3]),
        "call": _call(
            call,
            **({} if on is None else {"on": on}),
            **_names(classes, fill_missing_classes),
            **({} if outputs is None else {"outputs": outputs}),
            measures=measures,
            **({} if task == "same_architecture" else {"task": task}),
            **({} if margin is None else {"margin": margin}),
            n_permutations=n_permutations,
            confidence_level=confidence_level,
            **_designed(groups, strata, permute),
            cost_limit=cost_limit,
            random_state=random_state,
        ),
    }
    predictions, why_not = compared_predictions(
        outputs,
        groups=groups,
        margin=margin,
        confidence_level=confidence_level or 0.95,
        random_state=seed,
    )
    if margin is not None and getattr(predictions, "accuracy_a", None) is None:
        raise ValueError(
            "margin is for a difference of accuracies: it needs labels or "
            "probabilities of both, and the true labels y_true."
        )
    of_measures = {label: measure for label, (measure, *_) in chosen.items()}
    found = compared_replicates(
        replicates, pair, headline_of(table), of_measures, seed, asks=asks
    )
    return ModelComparison(
        table=table,
        answers=answers_of(
            table,
            predictions,
            found,
            why_no_predictions=why_not if pair.tells_why else "",
            margin=margin,
        ),
        n_samples=_n_rows(chosen, pair),
        task=task if is_panel else None,
        predictions=predictions,
        replicates=found,
        differing_rows=differing_rows(outputs),
        measures=of_measures,
    )


def _names_of_panel(task):
    """Class names of a panel, which the measures of all families are called by."""
    return [type(place[0]).__name__ for place in panel_of(task)]


def _all_of(measures, task):
    """Every measure that may be computed."""
    if is_text(measures) and measures == "default":
        return [measure for place in panel_of(task) for measure in place]
    return [measure for measure, _ in resolve_measures(measures).values()]


def _of_panel(task, pair, outputs):
    """The panel of a task: of each place the first measure that the input allows."""
    resolved = {}
    for place in panel_of(task):
        reasons = {}
        for measure in place:
            if not outputs.suit(tags_of(measure).inputs):
                continue
            try:
                inputs = pair.inputs_of(measure)
            except NotApplicable as error:
                reasons[label_of(measure)] = measure, False, error
                continue
            resolved[label_of(measure)] = measure, False, inputs
            break
        else:
            for label, (measure, _, error) in [*reasons.items()][:1]:
                if pair.tells_why or isinstance(error, Missing):
                    resolved[label] = measure, False, error
    return _with_any(resolved, pair)


def _calibrated_limits(table):
    """Limits of the calibrated scores, which are linear in the scores."""
    best = (table["score"] - table["null_mean"]) / table["calibrated_score"]
    return [
        (table[name] - table["null_mean"]) / best.where(best != 0)
        for name in ("interval_low", "interval_high")
    ]


def _n_rows(chosen, pair):
    """Number of rows, known once they were read."""
    for _, _, inputs in chosen.values():
        rows = getattr(inputs, "x", None)
        if getattr(rows, "shape", ()):
            return int(rows.shape[0])
    return pair.n_samples


def _refuse_word(strata):
    if is_text(strata) and strata != "auto":
        raise ValueError(
            f"strata must be one label for each row, 'auto' or None, got {strata!r}."
        )


def _designed(groups, strata, permute):
    """What is said of the design, where something is."""
    said = {}
    if groups is not None:
        said["groups"] = _Brief(groups)
    if not is_text(strata):
        said["strata"] = None if strata is None else _Brief(strata)
    if permute != "rows":
        said["permute"] = permute
    return said


class _Brief:
    """An array that shows itself by its shape."""

    def __init__(self, array):
        self.shown = _brief(array)

    def __repr__(self):
        return self.shown


def _names(classes, fill_missing_classes):
    """What is said of the columns' names, where something is."""
    said = {"classes": classes, "fill_missing_classes": fill_missing_classes}
    return {name: value for name, value in said.items() if value not in (None, False)}


def _joined(a, b, data, on, of_rows):
    """Tables joined by a column, what belongs to their rows, and what fell out."""
    if data is not None:
        raise ValueError(
            "on= joins the rows of two tables; models are applied to one table, which "
            "needs no joining."
        )
    a, b, known, aligned = joined_pair(a, b, on, **of_rows)
    if aligned.n_dropped:
        warnings.warn(
            f"{aligned.n_dropped} rows fell out, since their ids are not in all "
            f"tables, such as {aligned.examples}; {len(aligned.ids)} are compared.",
            UserWarning,
            stacklevel=4,
        )
    dropped = {"n_dropped": aligned.n_dropped, "dropped_examples": aligned.examples}
    return a, b, known, dropped


def _call(inputs, **settings):
    """The call as text, with arrays by their shapes."""
    a, b, data, y_true = inputs
    parts = [_brief(a), _brief(b)]
    if data is not None:
        parts.append(f"data={_brief(data)}")
    if y_true is not None:
        parts.append(f"y_true={_brief(y_true)}")
    parts += [f"{name}={value!r}" for name, value in settings.items()]
    return f"sksim.pairwise.compare({', '.join(parts)})"


def _brief(value):
    shape = getattr(value, "shape", None)
    if shape is not None:
        return f"<{type(value).__name__} of shape {tuple(shape)}>"
    if is_list(value):
        return f"<{type(value).__name__} of {len(value)} rows>"
    return " ".join(repr(value).split())


@dataclass(frozen=True)
class _Job:
    """What all measures of one call share."""

    n_permutations: int
    confidence_level: float | None
    cost_limit: float
    groups: object
    designs: Designs
    seed: int


def _applicable(resolved, pair):
    """Measures that the input allows, each with what it is fitted to."""
    chosen = {}
    for label, (measure, by_itself) in resolved.items():
        try:
            chosen[label] = measure, by_itself, pair.inputs_of(measure)
        except NotApplicable as error:
            if by_itself:
                raise ValueError(f"{label} can't be computed: {error}") from error
            if isinstance(error, Missing) or pair.tells_why:
                chosen[label] = measure, by_itself, error
    return _with_any(chosen, pair)


def _with_any(chosen, pair):
    """What was chosen, if there is anything."""
    if chosen and all(isinstance(each[2], Missing) for each in chosen.values()):
        raise ValueError(str(pair.missing)) from pair.missing
    if not chosen:
        raise ValueError(
            "No measure applies to this input. Representations are matrices of "
            "numbers with one row for each input; labels are vectors."
        )
    return chosen


def _one_row(label, measure, by_itself, inputs, job):
    """One row of the table, and what the correction of its p-value needs."""
    tags = tags_of(measure)
    if "random_state" in measure.get_params() and measure.random_state is None:
        measure.set_params(random_state=job.seed)
    row = dict.fromkeys(COLUMNS, np.nan)
    row |= {"measure": label, "family": tags.family, "kind": tags.inputs}
    row |= {"compared": tags.inputs}
    row |= {"direction": tags.orientation, "null": "", "same_as": "", "note": ""}
    tested = None
    if isinstance(inputs, NotApplicable):
        return row | {"note": f"not computed: {inputs}"}, tested
    row["compared"] = inputs.description
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            numbers, tested = _numbers(measure, inputs, job)
            row |= numbers
        except (ValueError, ImportError) as error:
            if by_itself:
                raise ValueError(f"{label}: {error}") from error
            row["note"] = f"not computed: {error}"
    messages = [row["note"], *(str(warning.message) for warning in caught)]
    row["note"] = "; ".join(dict.fromkeys(m.rstrip(".") for m in messages if m))
    return row, tested


def _numbers(measure, inputs, job):
    """What there is to say of one comparison; its views are made once."""
    start = time.perf_counter()
    comparison = measure._open(inputs.x, inputs.y, **inputs.metadata)
    tags = comparison.tags
    statistic = measure._engine._as_number(comparison.value(), tags)
    seconds = time.perf_counter() - start
    numbers = {
        "value": statistic,
        "score": tags.orient(statistic) + 0.0,
        "seconds": seconds,
    }
    tested = None
    if not math.isfinite(statistic):
        return numbers, tested
    work = _Work(measure, row_operations(comparison, _widths(inputs)), job.cost_limit)
    notes = []
    if job.n_permutations > 0:
        found, note, tested = _against_chance(comparison, inputs, job, work)
        numbers |= found
        notes.append(note)
    if job.confidence_level is not None:
        found, note = _limits(comparison, job, work)
        numbers |= found
        notes.append(note)
    return numbers | {"note": "; ".join(note for note in notes if note)}, tested


def _widths(inputs):
    """Numbers of columns; models have none."""
    shapes = (getattr(side, "shape", ()) for side in (inputs.x, inputs.y))
    return [math.prod(shape[1:]) for shape in shapes]


@dataclass(frozen=True)
class _Work:
    """What one comparison by a measure costs, and what may be spent.

    Attributes
    ----------
    measure : BaseSimilarity
    operations, limit : float
        Row operations.
    """

    measure: object
    operations: float
    limit: float

    def too_dear(self, n_comparisons, remedy):
        """Why so many comparisons are left out, or an empty text."""
        needed = n_comparisons * self.operations
        if needed <= self.limit:
            return ""
        call = " ".join(repr(self.measure).split())
        return (
            f"would take up to {needed:.1e} row operations, more than "
            f"cost_limit={self.limit:g}; {remedy}({call}, ...) makes them, and so does "
            "a higher cost_limit"
        )


# ----- permutations ------------------------------------------------------------------


def _against_chance(comparison, inputs, job, work):
    """Columns that come from permutations, a note, and what corrects the p-value."""
    tags = comparison.tags
    if tags.inputs == "models":
        return {}, "no p-value: this measure compares no rows", None
    if not tags.paired:
        why = "no p-value: the order of rows does not matter to this measure"
        return {}, why, None
    dear = work.too_dear(job.n_permutations, "similarity_test")
    if dear:
        return {}, f"no p-value: {job.n_permutations} permutations {dear}", None
    design, null, why_not = job.designs.of(tags)
    result = similarity_test_of(
        comparison, n_permutations=job.n_permutations, design=design
    )
    note = ""
    if tags.null == "exchange":
        note = "p-value: of the hypothesis that the models are alike"
        null = "McNemar" if _has_exact_test(comparison, job) else null
    found = {
        "null_mean": result.null_mean,
        "calibrated_score": result.calibrated_score,
        "pvalue": result.pvalue,
        "null": f"{null} ({why_not})" if why_not else null,
    }
    return found, note, _tested(comparison, inputs, null, design, result)


def _has_exact_test(comparison, job):
    """Whether the p-value is that of the measure's own exact test."""
    return job.groups is None and comparison.exact_pvalue("less") is not None


def _tested(comparison, inputs, family, design, result):
    """What the correction of a p-value needs."""
    shares_orders = comparison.tags.null == "rows"
    null = null_of(comparison.tags)(comparison, **design)
    widths = _widths(inputs)
    return Tested(
        measure=comparison.owner,
        statistic=statistic_of_two(
            comparison.owner,
            is_binary=_is_binary(inputs),
            of_one_width=widths[0] == widths[1],
        ),
        family=family,
        score=result.score,
        pvalue=result.pvalue,
        rounding=float(rounding_of(comparison, result.statistic, null.unmoved)),
        null=result.null_distribution if shares_orders else None,
        exact=result.method == "exact",
    )


def _is_binary(inputs):
    """Whether labels and true labels are of two classes together."""
    vectors = (inputs.x, inputs.y, inputs.metadata.get("y_true"))
    if any(getattr(vector, "ndim", 1) != 1 or vector is None for vector in vectors):
        return False
    known = {str(label) for vector in vectors for label in np.asarray(vector).tolist()}
    return len(known) <= 2


# ----- intervals ---------------------------------------------------------------------


def _limits(comparison, job, work):
    """Columns of the interval, and a note."""
    if "jackknife" not in comparison.tags.intervals:
        return {}, "no interval: none is valid for this measure"
    n_samples, groups = comparison.n_samples, job.groups
    method = chosen_method(comparison.tags, "auto", groups)
    if method == "jackknife":
        if groups is None and n_samples > _MAX_SINGLE_ROWS:
            order = np.random.default_rng(job.seed).permutation(n_samples)
            groups = order % _N_PARTS
        n_parts = n_samples if groups is None else len(np.unique(groups))
        dear = work.too_dear(n_parts, "similarity_interval")
        if dear:
            return {}, f"no interval: {n_parts} comparisons {dear}"
    try:
        result = _interval(comparison, job, groups, method)
    except ValueError as error:
        return {}, f"no interval: {error}"
    varies = result.standard_error > 1e-12 * max(1.0, abs(result.score))
    if method == "jackknife" and not varies:
        return {}, "no interval: the score is the same whichever rows are left out"
    low, high = result.confidence_interval
    return {"interval_low": low, "interval_high": high}, ""


def _interval(comparison, job, groups, method):
    return interval_of(
        comparison,
        method=method,
        confidence_level=job.confidence_level,
        groups=groups,
        random_state=job.seed,
    )
