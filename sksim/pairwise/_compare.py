"""Many measures on one pair."""

import time
import warnings
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sksim.inference import similarity_test
from sksim.pairwise._inputs import model_inputs, offered_inputs
from sksim.pairwise._measures import resolve_measures
from sksim.utils._progress import ProgressBar
from sksim.utils._sklearn_compat import Interval, validate_params

COLUMNS = (
    "measure",
    "family",
    "compared",
    "value",
    "direction",
    "score",
    "null_mean",
    "calibrated",
    "pvalue",
    "seconds",
    "note",
)


@validate_params(
    {
        "n_permutations": [Interval(Integral, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def compare(
    a,
    b,
    X=None,
    y_true=None,
    *,
    measures=None,
    n_permutations=99,
    groups=None,
    permute=None,
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
        for measures of these. Or two fitted models, together with X.
    X : array-like of shape (n_samples, n_features), default=None
        The rows that both models are applied to; only with models. Functional
        measures then compare the models' outputs, and the others the last
        representation before them (see :func:`sksim.extract.extract_representations`).
    y_true : array-like of shape (n_samples,), default=None
        True labels. Measures that need them are left out without.
    measures : str, class, estimator, list or dict of those, default=None
        Names of measures or families, or measures. None takes all that the input
        allows, with their default parameters. A dict gives names of its own.
    n_permutations : int, default=99
        Number of permutations behind each p-value and each null mean; 0 for none. The
        smallest p-value is 1 / (n_permutations + 1).
    groups : array-like of shape (n_samples,), default=None
        Group of each row, see :func:`sksim.inference.similarity_test`.
    permute : {"rows", "within", "blocks"}, default=None
        What changes places, see :func:`sksim.inference.similarity_test`.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations, which all measures share, and of random measures
        without a seed of their own.
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
        - ``calibrated``: 0 if the score is its null mean, 1 if it is the best possible,
        - ``pvalue``: of the hypothesis that rows have nothing in common,
        - ``seconds``: time that the value took,
        - ``note``: warnings, and why a number is missing.

    Raises
    ------
    ValueError
        If the input is not valid, or a measure that was asked for by ``measures`` can't
        be computed. With ``measures=None`` the note says why one couldn't.

    See Also
    --------
    similarity_matrix : One measure on many pairs.
    sksim.report.write_report : The table as a web page.

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
    """
    inputs = model_inputs(a, b, X, y_true) if X is not None else offered_inputs(a, b)
    chosen = _applicable(resolve_measures(measures), inputs, y_true, measures is None)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    job = _Job(
        y_true=y_true,
        n_permutations=n_permutations,
        groups=groups,
        permute=permute,
        seed=seed,
        forgiving=measures is None,
    )
    tasks = (
        delayed(_one_row)(label, measure, inputs[kind], job)
        for label, (measure, kind) in chosen.items()
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
        "random_state": seed,
        "call": _call(a, b, X, y_true, measures, n_permutations, random_state),
    }
    return table


def _call(a, b, X, y_true, measures, n_permutations, random_state):
    """The call as text, with arrays by their shapes."""
    parts = [_brief(a), _brief(b)]
    if X is not None:
        parts.append(f"X={_brief(X)}")
    if y_true is not None:
        parts.append(f"y_true={_brief(y_true)}")
    parts.append(f"measures={measures!r}")
    parts.append(f"n_permutations={n_permutations}, random_state={random_state!r}")
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

    y_true: object
    n_permutations: int
    groups: object
    permute: str | None
    seed: int
    forgiving: bool


def _applicable(resolved, inputs, y_true, leave_out):
    """Measures that the input allows, each with the kind of input it takes."""
    chosen = {}
    for label, measure in resolved.items():
        tags = measure._similarity_tags()
        missing = _what_is_missing(tags, inputs, y_true)
        if missing is None:
            chosen[label] = measure, tags.inputs
        elif not leave_out:
            raise ValueError(f"{label} can't be computed: {missing}")
    if not chosen:
        raise ValueError(
            "No measure applies to this input. Representations are matrices of "
            "numbers with one row for each input; labels are vectors."
        )
    return chosen


def _what_is_missing(tags, inputs, y_true):
    if tags.inputs not in inputs:
        return (
            f"it compares {tags.inputs}, and the input offers only "
            f"{', '.join(inputs) or 'nothing'}."
        )
    if "y_true" in tags.requires and y_true is None:
        return "it needs the true labels, y_true."
    return None


def _one_row(label, measure, pair, job):
    """One row of the table."""
    tags = measure._similarity_tags()
    if "random_state" in measure.get_params() and measure.random_state is None:
        measure.set_params(random_state=job.seed)
    row = dict.fromkeys(COLUMNS, np.nan)
    row |= {"measure": label, "family": tags.family, "compared": pair.description}
    row |= {"direction": tags.orientation, "note": ""}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            row |= _numbers(measure, tags, pair, job)
        except (ValueError, ImportError) as error:
            if not job.forgiving:
                raise ValueError(f"{label}: {error}") from error
            row["note"] = f"not computed: {error}"
    messages = [row["note"], *(str(warning.message) for warning in caught)]
    row["note"] = "; ".join(dict.fromkeys(m for m in messages if m))
    return row


def _numbers(measure, tags, pair, job):
    start = time.perf_counter()
    keywords = {}
    if "y_true" in tags.view_keywords and job.y_true is not None:
        keywords["y_true"] = job.y_true
    x, y = pair.arguments(tags.arity)
    measure.fit(x, y, **keywords)
    numbers = {
        "value": measure.statistic_,
        "score": measure.score_ + 0.0,
        "seconds": time.perf_counter() - start,
    }
    if job.n_permutations == 0:
        return numbers
    reason = _why_no_test(tags)
    if reason:
        return numbers | {"note": reason}
    result = similarity_test(
        measure,
        x,
        y,
        n_permutations=job.n_permutations,
        groups=job.groups,
        permute=job.permute,
        random_state=job.seed,
        **keywords,
    )
    return numbers | {
        "null_mean": result.null_mean,
        "calibrated": result.adjusted_score,
        "pvalue": result.pvalue,
    }


def _why_no_test(tags):
    if not tags.paired:
        return "no p-value: the order of rows does not matter to this measure"
    if tags.inputs == "models":
        return "no p-value: this measure compares models, not rows"
    return None
