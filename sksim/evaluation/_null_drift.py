"""How much of a score is made by numbers of rows and columns, or by accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
import pandas as pd

from sksim._sklearn_compat import Interval, validate_params
from sksim._typing import Measure
from sksim.evaluation._jackknife import Metric, jackknifed
from sksim.evaluation._result import ProtocolResult
from sksim.evaluation._scoring import MeasureScores

_SIZES = tuple((n, d) for n in (64, 256, 1024) for d in (4, 16, 64))
_ACCURACIES = (0.5, 0.8, 0.95, 0.99)
_N_ROWS, _N_CLASSES = 1000, 10
_UNBOUNDED = Metric(0.0, -np.inf, np.inf, is_share=False)


@dataclass(frozen=True)
class NullDriftResult(ProtocolResult):
    """Result of :func:`null_drift`.

    Parameters
    ----------
    metrics : DataFrame
        One row for "drift" and "null_mean", the mean score of unrelated pairs in the
        most favourable cell: ``value``, ``standard_error``, limits ``low`` and ``high``
        of 95 %, ``chance`` and ``n_models``, which counts repeats.
    leave_one_outs : DataFrame of shape (n_repeats, 2)
        The metrics without each repeat.
    strata : Series
        The group of each repeat: all are one.
    pvalue : float
        Not computed: nan.
    cells : DataFrame
        For each cell of the grid the mean score of unrelated pairs, ``null_mean``.

    See Also
    --------
    null_drift : Makes the result.

    Examples
    --------
    >>> from sksim.evaluation import null_drift
    >>> null_drift("CKA", grid=[(64, 4), (64, 64)]).cells.round(1)
       n_samples  n_features  null_mean
    0         64           4        0.1
    1         64          64        0.5
    """

    cells: pd.DataFrame = field(kw_only=True)


@validate_params(
    {
        "grid": ["array-like", None],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def null_drift(
    measure: Measure,
    *,
    grid: Sequence | None = None,
    n_repeats: int = 5,
    random_state: int = 0,
) -> NullDriftResult:
    r"""Judge how far the score of unrelated models depends on what should not matter.

    With :math:`\nu(c)` the mean score of unrelated pairs in cell c of a grid,
    :math:`c_0` the most favourable cell and s(X, X) what a representation has with
    itself there,

    .. math:: \max_c \frac{\nu(c) - \nu(c_0)}{s(X, X) - \nu(c_0)}

    is the share of the way to the best score that unrelated models go without any
    relation.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, its class, or its name. Its tags say what is drawn: normal
        representations without relation; or labels or probabilities of 1000 rows and 10
        classes by models that err independently of each other.
    grid : list, default=None
        Of representations pairs of a number of rows and a number of columns; None for
        64, 256 and 1024 by 4, 16 and 64; the most favourable has the most rows, and the
        fewest columns. Of outputs accuracies; None for .5, .8, .95 and .99; the most
        favourable is the smallest.
    n_repeats : int, default=5
        Pairs in each cell.
    random_state : int, default=0
        Seed.

    Returns
    -------
    result : NullDriftResult
        With the metrics "drift" and "null_mean", and ``cells``. 0 is a score that is
        the same for unrelated models everywhere.

    Raises
    ------
    ValueError
        If the measure is of models, or its scores of unrelated models and of a model
        with itself are not finite and apart.

    See Also
    --------
    sksim.inference.CalibratedSimilarity : Corrects a score for chance.

    Examples
    --------
    >>> from sksim.evaluation import null_drift
    >>> from sksim.rsm import CKA
    >>> grid = [(64, 4), (64, 64)]
    >>> null_drift(CKA(), grid=grid).value > 0.4
    True
    >>> abs(null_drift(CKA(debias="rows"), grid=grid).value) < 0.1
    True
    """
    scores = MeasureScores(measure)
    if scores.kind == "models":
        raise ValueError(
            f"{type(scores.measure).__name__} compares models; the null is drawn of "
            "representations or of outputs."
        )
    return drift_result(scores, grid, n_repeats, random_state)[0]


def drift_result(scores, grid=None, n_repeats=5, random_state=0):
    """Result of `null_drift`, and the scores of its cells.

    Parameters
    ----------
    scores : MeasureScores
    grid : list or None
    n_repeats, random_state : int

    Returns
    -------
    result : NullDriftResult
    matrix : DataFrame of shape (n_cells, n_repeats)
    """
    is_layers = scores.kind == "layers"
    if grid is None:
        grid = _SIZES if is_layers else _ACCURACIES
    cells = np.asarray(grid, dtype=int if is_layers else float)
    if cells.ndim != 2 - (not is_layers) or len(cells) < 2:
        wanted = "pairs (n_samples, n_features)" if is_layers else "accuracies"
        raise ValueError(f"grid must list at least two {wanted}, got {grid!r}.")
    if is_layers:
        best = min(range(len(cells)), key=lambda i: (-cells[i, 0], cells[i, 1]))
    else:
        best = int(np.argmin(cells))
    null = np.empty((len(cells), n_repeats))
    with_itself = np.empty(n_repeats)
    for place, cell in enumerate(cells):
        for repeat in range(n_repeats):
            rng = np.random.default_rng((random_state, place, repeat))
            X, y, y_true = (_layers if is_layers else _outputs)(cell, scores.kind, rng)
            null[place, repeat] = _one(scores, X, y, y_true)
            if place == best:
                with_itself[repeat] = _one(scores, X, X, y_true)
    _refuse_no_way(scores, null[best], with_itself)

    def of_repeats(repeats):
        if not len(repeats):
            return {"drift": np.nan, "null_mean": np.nan}
        means, ceiling = null[:, repeats].mean(axis=1), with_itself[repeats].mean()
        drift = np.max((means - means[best]) / (ceiling - means[best]))
        return {"drift": drift, "null_mean": means[best]}

    about = {"drift": _UNBOUNDED, "null_mean": _UNBOUNDED}
    parts = jackknifed(of_repeats, range(n_repeats), None, about)
    columns = ["n_samples", "n_features"] if is_layers else ["accuracy"]
    table = pd.DataFrame(cells.reshape(len(cells), -1), columns=columns)
    table["null_mean"] = null.mean(axis=1)
    return NullDriftResult(*parts, cells=table), pd.DataFrame(null)


def _one(scores, X, y, y_true):
    return float(scores.matrix({"X": X}, {"y": y}, y_true=y_true).iloc[0, 0])


def _layers(cell, kind, rng):
    n_samples, n_features = cell
    X, y = rng.normal(size=(2, n_samples, n_features))
    return X, y, rng.integers(_N_CLASSES, size=n_samples)


def _outputs(accuracy, kind, rng):
    """Labels or probabilities of two models that err independently."""
    truth = rng.integers(_N_CLASSES, size=_N_ROWS)
    models = [_labels(accuracy, truth, rng) for _ in range(2)]
    if kind == "outputs":
        models = [_probabilities(labels, rng) for labels in models]
    return *models, truth


def _labels(accuracy, truth, rng):
    is_right = rng.random(len(truth)) < accuracy
    others = (truth + rng.integers(1, _N_CLASSES, size=len(truth))) % _N_CLASSES
    return np.where(is_right, truth, others)


def _probabilities(labels, rng):
    """More than a half for the label, and the rest at random among the others."""
    found = rng.dirichlet(np.ones(_N_CLASSES), size=len(labels))
    rows = np.arange(len(labels))
    found[rows, labels] = 0
    surest = rng.uniform(0.5, 1, size=len(labels))
    found *= ((1 - surest) / found.sum(axis=1))[:, None]
    found[rows, labels] = 1 - found.sum(axis=1)
    return found


def _refuse_no_way(scores, null, with_itself):
    is_finite = np.isfinite(null).all() and np.isfinite(with_itself).all()
    if not is_finite or not with_itself.mean() > null.mean():
        raise ValueError(
            f"{type(scores.measure).__name__} is {null.mean():.4g} of unrelated models "
            f"and {with_itself.mean():.4g} of a model with itself, so that there is no "
            "way from the one to the other."
        )
