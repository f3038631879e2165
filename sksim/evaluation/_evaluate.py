"""All measures in all tests, failures among the results."""

import itertools
import time
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from sksim._progress import ProgressBar
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import Measure
from sksim.datasets import ModelZoo, make_model_zoo
from sksim.evaluation._scoring import MeasureScores, RandomScores
from sksim.evaluation._suite import leave_one_outs_of, tasks_of
from sksim.evaluation._table import MeasureTable
from sksim.pairwise._measures import resolve_measures

# What is found without comparing anything that the models have learned.
CONTROLS = ("PerformanceDifference", "Magnitude")
RANDOM = "random"
_SUITES = {
    "quick": {"n_repeats": 3, "n_draws": 4},
    "full": {"n_repeats": 10, "n_draws": 4},
}
_NUMBERS = ("value", "standard_error", "low", "high", "chance", "seconds")
_COLUMNS = (
    *("data", "measure", "test", "metric", "value", "standard_error", "low", "high"),
    *("chance", "n_models", "kind", "seconds", "failure"),
)


class Outcome(NamedTuple):
    """Everything about one measure with one zoo."""

    rows: list
    without: list
    matrices: dict


@validate_params(
    {
        "tests": ["array-like", None],
        "suite": [StrOptions(set(_SUITES))],
        "on_error": [StrOptions({"record", "raise"})],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "n_jobs": [int, None],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def evaluate_measures(
    measures: str | Measure | Mapping | Sequence = "all",
    zoo: ModelZoo | Sequence[ModelZoo] | None = None,
    *,
    tests: Sequence[str] | None = None,
    suite: str = "quick",
    on_error: str = "record",
    time_limit: float | None = None,
    n_jobs: int | None = None,
    random_state: int = 0,
    verbose: int = 0,
) -> MeasureTable:
    """Judge measures by models whose kinship is known.

    ======================  ==========================================================
    test                    what is asked (main metric)
    ======================  ==========================================================
    labels, shortcut,       are models of one level, or architecture, more similar than
    augment, family,        models of two (:func:`grouping`: auroc)
    classical
    quality_accuracy,       are models that differ more less similar, among networks
    quality_disagreement,   trained on few or many rows (:func:`prediction_grounding`:
    quality_shifted         spearman)
    lineage_tuned, ...      do copies find their parents (:func:`lineage`: top1; layers
                            on 40 rows)
    pruning_order           is the less pruned copy more similar (share)
    identification          do corresponding layers find each other
                            (:func:`layer_identification`: accuracy)
    monotonicity            are farther layers less similar (conformity)
    probe                   is the measure in line with probes, as components are
                            deleted (:func:`probe_grounding`: spearman)
    recovery_units,         is the model found that data were drawn of
    recovery_mixed          (:func:`model_recovery`: accuracy)
    null_drift              how far the score of unrelated models depends on numbers of
                            rows and columns, or accuracy (:func:`null_drift`: drift, of
                            which less is better)
    ======================  ==========================================================

    Parameters
    ----------
    measures : "all", or measures, names, families, or a dict of them, default="all"
        Also measures of one's own: anything that follows the protocol of
        :class:`sksim.base.BaseSimilarity`.
    zoo : ModelZoo or list of ModelZoo, default=None
        Models to judge by; None for :func:`sksim.datasets.make_model_zoo` with the size
        that ``suite`` names. Tests for which it has no models are left out.
    tests : list of str, default=None
        Which tests; None for all that the zoo has models for.
    suite : {"quick", "full"}, default="quick"
        "full" repeats the null more often.
    on_error : {"record", "raise"}, default="record"
        Whether a measure that fails in a test is recorded, or stops everything.
    time_limit : float, default=None
        Seconds of processor time that a measure may take with one zoo. A matrix that is
        foreseen to take more than is left, by its first few pairs, is not begun, and
        its tests are recorded as failures.
    n_jobs : int, default=None
        Number of measures that are judged at a time; changes no value.
    random_state : int, default=0
        Seed of random measures.
    verbose : int, default=0
        Whether to show progress on standard error.

    Returns
    -------
    table : MeasureTable
        With the tidy ``table``, ``matrices`` of scores, ``compare`` and ``ranks``. The
        controls PerformanceDifference and Magnitude and a random matrix are always in
        it: a measure that does no better than they do has found nothing else.

    Raises
    ------
    ValueError
        If something is no measure, or the zoo has no models for any of the tests.

    See Also
    --------
    sksim.datasets.make_model_zoo : Trains the models.
    sksim.plot.MeasureRanksDisplay : Draws the table.

    Notes
    -----
    Warnings of measures are not shown. Errors are over models, given their training
    rows; other kinds of data move measures more than other models do, and no claim
    should rest on less than three of them.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.datasets import ModelZoo
    >>> from sksim.evaluation import evaluate_measures
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(3, 40, 5))
    >>> levels = np.repeat([0, 50, 100], 4)
    >>> layers = {
    ...     f"m{i}": {"last": common[level // 50] + rng.normal(size=(40, 5))}
    ...     for i, level in enumerate(levels)
    ... }
    >>> records = {"model_id": list(layers), "part": "labels", "level": levels}
    >>> zoo = ModelZoo.from_arrays(records, layers)
    >>> table = evaluate_measures("CKA", zoo, tests=["labels"]).table
    >>> table.loc[table["metric"] == "auroc", ["measure", "value"]].round(2)
                      measure  value
    0                     CKA   1.00
    5   PerformanceDifference    NaN
    6               Magnitude   0.68
    11                 random   0.59
    """
    zoos = _zoos(zoo, suite, n_jobs, verbose)
    judges = judges_of(measures, random_state)
    found = []
    with ProgressBar(len(zoos) * len(judges), "measures", enabled=verbose > 0) as bar:
        for one in zoos:
            for label, outcome in judged(
                one,
                judges,
                tests,
                suite=suite,
                on_error=on_error,
                time_limit=time_limit,
                n_jobs=n_jobs,
            ):
                found.append(outcome)
                bar.step(label)
    return table_of(found)


def judged(zoo, judges, tests=None, *, suite, on_error, time_limit, n_jobs):
    """What comes of each measure with one zoo, as it is done.

    Parameters
    ----------
    zoo : ModelZoo
    judges : dict of str to MeasureScores or RandomScores
    tests, suite, on_error, time_limit, n_jobs : as of `evaluate_measures`

    Yields
    ------
    label : str
    outcome : Outcome
    """
    tasks = _all_tasks(zoo, judges, tests, _SUITES[suite])
    jobs = (
        delayed(_judge)(
            zoo.name,
            label,
            scores,
            tasks[scores.kind],
            on_error=on_error,
            time_limit=time_limit,
        )
        for label, scores in judges.items()
    )
    outcomes = Parallel(n_jobs=n_jobs, return_as="generator")(jobs)
    yield from zip(judges, outcomes, strict=True)


def _zoos(zoo, suite, n_jobs, verbose):
    if zoo is None:
        zoo = make_model_zoo(size=suite, n_jobs=n_jobs, verbose=verbose)
    zoos = [zoo] if isinstance(zoo, ModelZoo) else list(zoo)
    for one in zoos:
        if not isinstance(one, ModelZoo):
            raise ValueError(
                f"zoo must be a ModelZoo or a list of them, got {type(one).__name__}: "
                "make_model_zoo and ModelZoo.from_arrays make one."
            )
    names = [one.name for one in zoos]
    if len(set(names)) < len(names) or not names:
        raise ValueError(f"Each zoo needs a name of its own, got {names}.")
    return zoos


def judges_of(measures, random_state):
    """Who is judged, by label, the controls last.

    Parameters
    ----------
    measures : as of `evaluate_measures`
    random_state : int

    Returns
    -------
    judges : dict of str to MeasureScores or RandomScores
    """
    chosen = resolve_measures(measures)
    judges = {
        label: MeasureScores(each.measure, random_state)
        for label, each in chosen.items()
    }
    for name in CONTROLS:
        judges.setdefault(name, MeasureScores(name, random_state))
    if RANDOM in judges:
        raise ValueError(f"The label {RANDOM!r} is that of a control: use another one.")
    return {**judges, RANDOM: RandomScores()}


def _all_tasks(zoo, judges, tests, options):
    """Tasks by what is compared, for those kinds that somebody compares."""
    kinds = {scores.kind for scores in judges.values()} - {"control"}
    tasks = {kind: tasks_of(zoo, kind, tests, **options) for kind in sorted(kinds)}
    has_layers = any(zoo.layers(name) for name in zoo.records["model_id"])
    of_control = tasks_of(zoo, "layers" if has_layers else "labels", tests, **options)
    # a random matrix has no score of a model with itself
    tasks["control"] = [task for task in of_control if task.name != "null_drift"]
    every_task = itertools.chain.from_iterable(tasks.values())
    known = {test for task in every_task for test in task.tests}
    if not known or (tests is not None and not set(tests) <= known):
        raise ValueError(
            f"The zoo {zoo.name!r} has no models for the tests "
            f"{'all' if tests is None else sorted(set(tests) - known)}, but for "
            f"{sorted(known)}."
        )
    return tasks


def _judge(data, label, scores, tasks, *, on_error, time_limit):
    """Everything about one measure with one kind of data."""
    rows, without, matrices = [], [], {}
    spent = 0.0
    for task in tasks:
        start = time.process_time()
        results, failure = {}, ""
        if time_limit is not None:
            scores.seconds_left = time_limit - spent
        try:
            results, matrices[data, label, task.name] = task.run(scores)
        except Exception as error:
            if on_error == "raise":
                raise
            failure = f"{type(error).__name__}: {' '.join(str(error).split())}"
        seconds = time.process_time() - start
        spent += seconds
        known = {"data": data, "measure": label, "kind": scores.kind}
        for test, metric in task.tests.items():
            if not results:
                rows.append(
                    {**known, "test": test, "metric": metric, "failure": failure}
                    | {"seconds": seconds}
                )
                continue
            rows += _rows_of(results[test], {**known, "test": test}, seconds)
            left_out = leave_one_outs_of(results[test])
            without.append(left_out.assign(data=data, measure=label, test=test))
    return Outcome(rows, without, matrices)


def _rows_of(result, known, seconds):
    for metric, row in result.metrics.iterrows():
        value = row["value"]
        failure = "" if np.isfinite(value) else f"The {metric} is {value}."
        yield {
            **known,
            "metric": metric,
            **row,
            "seconds": seconds,
            "failure": failure,
        }


def table_of(found):
    """The table of outcomes.

    Parameters
    ----------
    found : list of Outcome

    Returns
    -------
    table : MeasureTable
    """
    rows = [row for outcome in found for row in outcome.rows]
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    table = table.astype(dict.fromkeys(_NUMBERS, float))
    table["n_models"] = table["n_models"].fillna(0).astype(int)
    columns = ["data", "measure", "test", "metric", "model", "stratum", "value"]
    long = pd.DataFrame(columns=columns)
    without = [part for outcome in found for part in outcome.without]
    if without:
        long = pd.concat(without, ignore_index=True)[columns]
    matrices = {}
    for outcome in found:
        matrices |= outcome.matrices
    return MeasureTable(table, long, matrices)
