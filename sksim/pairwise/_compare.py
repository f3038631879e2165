"""Many measures on one pair."""

import math
import time
import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sksim._progress import ProgressBar
from sksim._sklearn_compat import Interval, validate_params
from sksim.base._row_names import refuse_other_rows
from sksim.base._tags import tags_of
from sksim.inference._interval import interval_of
from sksim.inference._test import similarity_test_of
from sksim.pairwise._align_rows import joined_pair
from sksim.pairwise._inputs import ArrayPair, ModelPair, NotApplicable
from sksim.pairwise._measures import resolve_measures

# An interval leaves out rows one by one up to so many, and so many parts of more rows.
_MAX_SINGLE_ROWS = 100
_N_PARTS = 50

COLUMNS = (
    "measure",
    "family",
    "compared",
    "value",
    "direction",
    "score",
    "null_mean",
    "calibrated_score",
    "pvalue",
    "interval_low",
    "interval_high",
    "seconds",
    "note",
)


@validate_params(
    {
        "n_permutations": [Interval(Integral, 0, None, closed="left")],
        "confidence_level": [Interval(Real, 0, 1, closed="neither"), None],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def compare(
    a,
    b,
    data=None,
    y_true=None,
    *,
    on=None,
    measures=None,
    n_permutations=99,
    confidence_level=0.95,
    groups=None,
    permute=None,
    time_limit=None,
    random_state=None,
    n_jobs=None,
    verbose=0,
):
    """Compare two representations, or two fitted models, by many measures.

    Parameters
    ----------
    a, b : array-like, or fitted models
        Two representations of the same rows, of shape (n_samples, n_features); label
        vectors, of shape (n_samples,), for measures of labels; rows of probabilities
        for measures of these. Or two fitted models, together with ``data``.
    data : array-like of shape (n_samples, n_features), default=None
        The rows that both models are applied to; only with models. Functional
        measures then compare the models' outputs, and the others the last
        representation before them (see :func:`sksim.models.extract_representations`).
    y_true : array-like of shape (n_samples,), default=None
        True labels. Measures that need them are left out without.
    on : str, default=None
        Column of both tables that holds the ids of their rows: the tables are joined by
        it (see :func:`align_rows`), and it is no feature. ``y_true`` and ``groups``
        are joined too where they are tables with that column, and belong to the rows of
        ``a`` where they are not.
    measures : str, class, estimator, list or dict of those, default=None
        Names of measures, or measures; or names of families, for all of their measures
        that the input allows, with default parameters. None takes all families. A
        dict gives names of its own.
    n_permutations : int, default=99
        Number of permutations behind each p-value and each null mean; 0 for none. The
        smallest p-value is 1 / (n_permutations + 1).
    confidence_level : float or None, default=0.95
        Level of the intervals; None for none. An interval costs fifty to a hundred
        comparisons, see Notes.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, see :func:`sksim.inference.similarity_test`.
    permute : {"rows", "within", "blocks"}, default=None
        What changes places, see :func:`sksim.inference.similarity_test`.
    time_limit : float, default=None
        Seconds that the permutations of one measure may take, and likewise its
        interval; a measure that would need more gets no p-value, or no interval, and
        its note says so. None sets no limit.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations and of the parts of the rows behind intervals, which
        all measures share, and of random measures without a seed of their own.
    n_jobs : int, default=None
        Number of measures that are computed in parallel.
    verbose : int, default=0
        Whether to show progress on standard error.

    Returns
    -------
    table : DataFrame
        One row for each measure, with the columns

        - ``measure``, ``family``: name and sub-package,
        - ``compared``: what was compared: representations, labels, ...,
        - ``value``, ``direction``: the native number, and whether it is a similarity
          or a distance,
        - ``score``: the value, oriented: greater is more similar,
        - ``null_mean``: mean score of pairs that have nothing in common,
        - ``calibrated_score``: 0 if the score is its null mean, 1 if it is the best
          possible,
        - ``pvalue``: of the hypothesis that rows have nothing in common (for
          differences in performance: that the two models are alike),
        - ``interval_low``, ``interval_high``: confidence limits of the score,
        - ``seconds``: time that the value took,
        - ``note``: warnings, and why a number is missing.

    Raises
    ------
    ValueError
        If the input is not valid, or a measure that was asked for by its own name
        can't be computed. Of one that comes with its family the note says why.

    See Also
    --------
    similarity_matrix : One measure on many pairs.
    align_rows : Brings tables into one order.
    sksim.report.write_report : The table as a web page.

    Notes
    -----
    Intervals are the jackknife's, for the measures for which it is valid (tag
    ``intervals``): one part of the rows after the other is left out. The parts are the
    groups, if there are any; else the single rows of up to 100, or 50 random parts.
    They say how far the score would vary with other inputs; nominal .95 intervals of
    four measures covered .94 to .99 in simulations. The interval of a debiased
    measure is around its value at unlimited rows, others are around the expectation at
    this number of rows: of few rows and many columns a high interval does not mean
    more than chance. :func:`sksim.inference.similarity_interval` offers other ways.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.pairwise import compare
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> y = np.tanh(X @ rng.normal(size=(5, 8)))
    >>> table = compare(X, y, measures=["CKA", "OrthogonalProcrustes"], random_state=0)
    >>> table[["measure", "value", "direction", "score", "pvalue"]].round(2)
                    measure  value   direction  score  pvalue
    0                   CKA   0.74  similarity   0.74    0.01
    1  OrthogonalProcrustes   0.54    distance  -0.54    0.01

    How far the scores would vary with other rows:

    >>> table[["measure", "score", "interval_low", "interval_high"]].round(2)
                    measure  score  interval_low  interval_high
    0                   CKA   0.74          0.70           0.78
    1  OrthogonalProcrustes  -0.54         -0.56          -0.51
    """
    call = a, b, data, y_true
    dropped = {}
    if on is not None:
        a, b, y_true, groups, dropped = _joined(a, b, data, on, y_true, groups)
    rows = {"data": data} if data is not None else {"a": a, "b": b}
    refuse_other_rows(**rows, y_true=y_true, groups=groups)
    pair = ArrayPair(a, b, y_true) if data is None else ModelPair(a, b, data, y_true)
    chosen = _applicable(resolve_measures(measures), pair)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    job = _Job(
        n_permutations=n_permutations,
        confidence_level=confidence_level,
        time_limit=time_limit,
        groups=groups,
        permute=permute,
        seed=seed,
    )
    tasks = (
        delayed(_one_row)(label, *chosen_one, job)
        for label, chosen_one in chosen.items()
    )
    workers = Parallel(n_jobs=n_jobs, return_as="generator")
    rows = []
    with ProgressBar(len(chosen), "measures", enabled=verbose > 0) as bar:
        for label, row in zip(chosen, workers(tasks), strict=True):
            rows.append(row)
            bar.step(label)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table.attrs = {
        "n_permutations": n_permutations,
        "confidence_level": confidence_level,
        "random_state": seed,
        **dropped,
        "call": _call(
            call,
            **({} if on is None else {"on": on}),
            measures=measures,
            n_permutations=n_permutations,
            confidence_level=confidence_level,
            random_state=random_state,
        ),
    }
    return table


def _joined(a, b, data, on, y_true, groups):
    """Tables joined by a column, what belongs to their rows, and what fell out."""
    if data is not None:
        raise ValueError(
            "on= joins the rows of two tables; models are applied to one table, which "
            "needs no joining."
        )
    a, b, known, aligned = joined_pair(a, b, on, y_true=y_true, groups=groups)
    if aligned.n_dropped:
        warnings.warn(
            f"{aligned.n_dropped} rows fell out, since their ids are not in all "
            f"tables, such as {aligned.examples}; {len(aligned.ids)} are compared.",
            UserWarning,
            stacklevel=4,
        )
    dropped = {"n_dropped": aligned.n_dropped, "dropped_examples": aligned.examples}
    return a, b, known["y_true"], known["groups"], dropped


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
    if isinstance(value, list | tuple):
        return f"<{type(value).__name__} of {len(value)} rows>"
    return " ".join(repr(value).split())


@dataclass(frozen=True)
class _Job:
    """What all measures of one call share."""

    n_permutations: int
    confidence_level: float | None
    time_limit: float | None
    groups: object
    permute: str | None
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
    if not chosen:
        raise ValueError(
            "No measure applies to this input. Representations are matrices of "
            "numbers with one row for each input; labels are vectors."
        )
    return chosen


def _one_row(label, measure, by_itself, inputs, job):
    """One row of the table."""
    tags = tags_of(measure)
    if "random_state" in measure.get_params() and measure.random_state is None:
        measure.set_params(random_state=job.seed)
    row = dict.fromkeys(COLUMNS, np.nan)
    row |= {"measure": label, "family": tags.family, "compared": inputs.description}
    row |= {"direction": tags.orientation, "note": ""}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            row |= _numbers(measure, inputs, job)
        except (ValueError, ImportError) as error:
            if by_itself:
                raise ValueError(f"{label}: {error}") from error
            row["note"] = f"not computed: {error}"
    messages = [row["note"], *(str(warning.message) for warning in caught)]
    row["note"] = "; ".join(dict.fromkeys(m.rstrip(".") for m in messages if m))
    return row


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
    if not math.isfinite(statistic):
        return numbers
    notes = []
    for wanted, part in (
        (job.n_permutations > 0, _against_chance),
        (job.confidence_level is not None, _limits),
    ):
        if wanted:
            found, note = part(comparison, job, seconds)
            numbers |= found
            notes.append(note)
    return numbers | {"note": "; ".join(note for note in notes if note)}


# ----- permutations ------------------------------------------------------------------


def _against_chance(comparison, job, seconds):
    """Columns that come from permutations, and a note."""
    tags = comparison.tags
    if tags.inputs == "models":
        return {}, "no p-value: this measure compares no rows"
    if not tags.paired:
        return {}, "no p-value: the order of rows does not matter to this measure"
    if job.time_limit is not None:
        needed = _time_of_test(comparison, job, seconds)
        if needed > job.time_limit:
            return {}, (
                f"no p-value: {job.n_permutations} permutations would take about "
                f"{needed:.0f} s, more than the limit of {job.time_limit:g} s"
            )
    result = _test(comparison, job, job.n_permutations)
    found = {
        "null_mean": result.null_mean,
        "calibrated_score": result.calibrated_score,
        "pvalue": result.pvalue,
    }
    if tags.null == "exchange":
        return found, "p-value: of the hypothesis that the models are alike"
    return found, ""


def _test(comparison, job, n_permutations):
    design = {"groups": job.groups, "permute": job.permute, "random_state": job.seed}
    return similarity_test_of(comparison, n_permutations=n_permutations, design=design)


def _time_of_test(comparison, job, seconds):
    """Seconds that the test will take, judged by two permutations if by nothing less.

    A permutation costs at most as much as the first comparison, and mostly far less.
    """
    if seconds * job.n_permutations <= job.time_limit:
        return 0.0
    start = time.perf_counter()
    _test(comparison, job, 2)
    return (time.perf_counter() - start) / 2 * job.n_permutations


# ----- intervals ---------------------------------------------------------------------


def _limits(comparison, job, seconds):
    """Columns of the interval, and a note."""
    if "jackknife" not in comparison.tags.intervals:
        return {}, "no interval: none is valid for this measure"
    n_samples = comparison.n_samples
    groups = job.groups
    if groups is None and n_samples > _MAX_SINGLE_ROWS:
        order = np.random.default_rng(job.seed).permutation(n_samples)
        groups = order % _N_PARTS
    n_parts = n_samples if groups is None else len(np.unique(groups))
    try:
        if job.time_limit is not None:
            needed = _time_of_interval(comparison, job, seconds, n_parts)
            if needed > job.time_limit:
                return {}, (
                    f"no interval: it would take about {needed:.0f} s, more than the "
                    f"limit of {job.time_limit:g} s"
                )
        result = _interval(comparison, job, groups)
    except ValueError as error:
        return {}, f"no interval: {error}"
    if not result.standard_error > 1e-12 * max(1.0, abs(result.score)):
        return {}, "no interval: the score is the same whichever rows are left out"
    low, high = result.confidence_interval
    return {"interval_low": low, "interval_high": high}, ""


def _interval(comparison, job, groups):
    return interval_of(
        comparison,
        confidence_level=job.confidence_level,
        groups=groups,
        random_state=job.seed,
    )


def _time_of_interval(comparison, job, seconds, n_parts):
    """Seconds that the interval will take, judged by a few parts if by nothing less."""
    if seconds * n_parts <= job.time_limit:
        return 0.0
    start = time.perf_counter()
    few = 4  # the fewest that a jackknife takes
    _interval(comparison, job, np.arange(comparison.n_samples) % few)
    return (time.perf_counter() - start) / few * n_parts
