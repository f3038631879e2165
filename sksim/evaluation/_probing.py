"""Protocols that make data of their own: deleted components, drawn units, nothing."""

import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict

from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Measure
from sksim.datasets import ModelZoo
from sksim.evaluation._jackknife import CORRELATION, Metric, jackknifed
from sksim.evaluation._result import ProtocolResult
from sksim.evaluation._scores import most_similar, read_scores, spearman
from sksim.evaluation._scoring import MeasureScores

KEPT_COMPONENTS = (16, 8, 6, 5, 4, 3, 2, 1)
_COUNT = [Interval(Integral, 1, None, closed="left")]


# ----- deleted components -------------------------------------------------------------


def probe_grounding(
    measure: Measure,
    zoo: ModelZoo,
    *,
    part: str = "base",
    n_components: Sequence[int] = KEPT_COMPONENTS,
    probe: BaseEstimator | None = None,
) -> ProtocolResult:
    """Judge whether a measure sees what matters to a classifier on top of a layer.

    From the last layer of every model all but the first k principal components are
    deleted. For each model r with its whole layer, Spearman's correlation of -S(r,
    (m, k)) with the absolute difference of the accuracies of two probes, over all
    models m and numbers k, all components among them; then the mean over r.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, its class, or its name; of representations.
    zoo : ModelZoo
        Models with layers and labels, such as :func:`sksim.datasets.make_model_zoo`
        gives.
    part : str, default="base"
        Which of its models, at least two.
    n_components : sequence of int, default=(16, 8, 6, 5, 4, 3, 2, 1)
        How many components are kept.
    probe : classifier, default=None
        Trained on the layers in five parts, with accuracies on the parts left out; None
        for logistic regression.

    Returns
    -------
    result : ProtocolResult
        With the metric "spearman"; the jackknife leaves out models with their layers.

    Raises
    ------
    ValueError
        If the measure is not of representations, or the zoo lacks layers or labels.

    See Also
    --------
    prediction_grounding : With whole layers.

    Notes
    -----
    Components of little variance matter to a probe, and hardly to a measure of the
    largest ones.

    References
    ----------
    F. Ding, J.-S. Denain, J. Steinhardt. Grounding representation similarity through
    statistical testing. NeurIPS, 2021, arXiv:2108.01661.

    Examples
    --------
    >>> from sksim.datasets import make_model_zoo
    >>> from sksim.evaluation import probe_grounding
    >>> from sksim.rsm import CKA
    >>> zoo = make_model_zoo(n_seeds=3, parts=[], data_home=False)
    >>> probe_grounding(CKA(), zoo, n_components=[8, 2]).value > 0.5
    True
    """
    scores = MeasureScores(measure)
    if scores.kind != "layers":
        raise ValueError(
            f"{type(scores.measure).__name__} compares {scores.tags.inputs}; "
            "components are deleted from layers, for measures of representations."
        )
    return probe_result(scores, probed_layers(zoo, part, n_components, probe))[0]


@dataclass(frozen=True)
class ProbedLayers:
    """Layers with some of their components, and how well a probe does on each.

    Attributes
    ----------
    whole, cut : dict of str to ndarray
        By model, and by (model, number of components).
    accuracy : Series
        Of probes on ``cut``.
    y_true : ndarray
    """

    whole: dict
    cut: dict
    accuracy: pd.Series
    y_true: np.ndarray


def probed_layers(zoo, part, n_components=KEPT_COMPONENTS, probe=None):
    """What `probe_grounding` needs of a zoo, whatever the measure.

    Parameters
    ----------
    zoo : ModelZoo
    part : str
    n_components : sequence of int
    probe : classifier or None

    Returns
    -------
    layers : ProbedLayers
    """
    names = zoo.part(part)["model_id"].tolist()
    without = [name for name in names if not zoo.layers(name)]
    if len(names) < 2 or without or zoo.y_true is None:
        raise ValueError(
            f"Probes need labels, and layers of at least two models of part {part!r}; "
            f"the zoo has {len(names) - len(without)}."
        )
    whole = {name: last_layer(zoo, name) for name in names}
    cut = {
        (name, k): layer
        for name in names
        for k, layer in _with_some_components(whole[name], n_components).items()
    }
    y_true = zoo.y_true[zoo.layer_rows]
    probe = LogisticRegression(max_iter=200) if probe is None else probe
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        accuracy = [
            np.mean(cross_val_predict(probe, layer, y_true, cv=5) == y_true)
            for layer in cut.values()
        ]
    return ProbedLayers(whole, cut, pd.Series(accuracy, index=list(cut)), y_true)


def last_layer(zoo, name):
    """Last hidden layer of a model."""
    return list(zoo.layers(name).values())[-1]


def _with_some_components(layer, n_components):
    """Layers of the same width and scale, whole and of fewer components."""
    mean = layer.mean(axis=0)
    scale = np.sqrt(np.sum(np.var(layer, axis=0)))
    U, s, Vt = np.linalg.svd((layer - mean) / scale, full_matrices=False)
    some = {k: (U[:, :k] * s[:k]) @ Vt[:k] for k in n_components if k < len(s)}
    return {"all": (layer - mean) / scale, **some}


def probe_result(scores, layers):
    """Result of `probe_grounding`, and its scores.

    Parameters
    ----------
    scores : MeasureScores or RandomScores
    layers : ProbedLayers

    Returns
    -------
    result : ProtocolResult
    matrix : DataFrame
    """
    names, versions = list(layers.whole), list(layers.cut)
    # names of two parts would become an index of two levels
    columns = {f"{name}/{k}": layers.cut[name, k] for name, k in versions}
    matrix = scores.matrix(layers.whole, columns, y_true=layers.y_true)
    found = -read_scores(matrix, square=False).to_numpy()
    accuracy = layers.accuracy.to_numpy()
    owner = np.array([names.index(name) for name, _ in versions])
    whole = np.array([versions.index((name, "all")) for name in names])

    def of_models(models):
        kept = np.isin(owner, models)
        each = [
            spearman(found[r, kept], np.abs(accuracy[whole[r]] - accuracy[kept]))
            for r in models
        ]
        return {"spearman": np.mean(each)}

    parts = jackknifed(of_models, names, None, {"spearman": CORRELATION})
    return ProtocolResult(*parts), matrix


# ----- drawn units --------------------------------------------------------------------


@dataclass(frozen=True)
class RecoveryResult(ProtocolResult):
    """Result of :func:`model_recovery`.

    Parameters
    ----------
    metrics : DataFrame
        One row, for "accuracy": ``value``, ``standard_error``, limits ``low`` and
        ``high`` of 95 %, ``chance`` and ``n_models``, which counts candidates.
    leave_one_outs : DataFrame of shape (n_candidates, 1)
        The accuracy without the data of each candidate.
    strata : Series
        The group of each candidate: all are one.
    pvalue : float
        Not computed: nan.
    confusion : DataFrame
        Row: the candidate that data were made of; column: how often which candidate
        was the most similar, as a share.

    See Also
    --------
    model_recovery : Makes the result.

    Examples
    --------
    >>> from sksim.datasets import make_layer_stack
    >>> from sksim.evaluation import model_recovery
    >>> layers = make_layer_stack(200, 30, n_layers=3, random_state=0)
    >>> model_recovery("RSA", layers).confusion.shape
    (3, 3)
    """

    confusion: pd.DataFrame = field(kw_only=True)


@validate_params(
    {
        "make_data": [StrOptions({"units", "mixed"}), callable],
        "n_draws": _COUNT,
        "n_units": _COUNT,
        "random_state": [Interval(Integral, 0, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def model_recovery(
    measure: Measure,
    candidates: Mapping[Hashable, ArrayLike],
    *,
    make_data: str | Callable = "units",
    n_draws: int = 4,
    n_units: int = 30,
    y_true: ArrayLike | None = None,
    random_state: int = 0,
) -> RecoveryResult:
    """Judge whether a measure finds the model that data were made of.

    Of each candidate data are drawn, as of a recording of some neurons: some of its
    units, with noise. The most similar candidate should be the one that they are of.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, its class, or its name; of representations.
    candidates : dict of str to array of shape (n_samples, n_features_of_the_candidate)
        Representations of the same rows, at least two.
    make_data : {"units", "mixed"} or callable, default="units"
        "units": some live units, standardised, with standard normal noise; "mixed":
        random linear mixtures of all live units, treated in the same way; or a function
        of a representation and a numpy Generator.
    n_draws : int, default=4
        Data sets of each candidate.
    n_units : int, default=30
        Units, or mixtures, of a data set.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    result : RecoveryResult
        With the metric "accuracy", in which a tie of k candidates counts 1 / k, and
        ``confusion``. The jackknife leaves out the data of a candidate, which itself
        remains to be chosen.

    Raises
    ------
    ValueError
        If the measure is not of representations, there is only one candidate, or one
        is constant.

    See Also
    --------
    lineage : Whether copies find their parents.

    References
    ----------
    I. Avitan, T. Golan. Rethinking representational alignment: Linear probing fails to
    identify the ground-truth model. CCN, 2025.

    Examples
    --------
    >>> from sksim.alignment import OrthogonalProcrustes
    >>> from sksim.datasets import make_layer_stack
    >>> from sksim.evaluation import model_recovery
    >>> layers = make_layer_stack(200, 30, n_layers=3, random_state=0)
    >>> model_recovery(OrthogonalProcrustes(), layers).value
    1.0
    """
    scores = MeasureScores(measure)
    if scores.kind != "layers":
        raise ValueError(
            f"{type(scores.measure).__name__} compares {scores.tags.inputs}; data are "
            "drawn of representations."
        )
    if len(candidates) < 2:
        raise ValueError(f"At least two candidates are needed, got {len(candidates)}.")
    data = drawn_data(candidates, make_data, n_draws, n_units, random_state)
    return recovery_result(scores, candidates, data, y_true)[0]


def drawn_data(candidates, make_data="units", n_draws=4, n_units=30, random_state=0):
    """Data sets of each candidate, by (candidate, number).

    Parameters
    ----------
    candidates : dict of str to array
    make_data : {"units", "mixed"} or callable
    n_draws, n_units, random_state : int

    Returns
    -------
    data : dict of array
    """
    make = {"units": _units, "mixed": _mixtures}.get(make_data, make_data)
    data = {}
    for number, (name, candidate) in enumerate(candidates.items()):
        for draw in range(n_draws):
            rng = np.random.default_rng((random_state, number, draw))
            if callable(make_data):
                data[name, draw] = make(np.asarray(candidate), rng)
                continue
            live = _standardised(candidate, name)
            found = make(live, n_units, rng)
            data[name, draw] = found + rng.normal(size=found.shape)
    return data


def _standardised(candidate, name):
    """Units that vary, with mean 0 and variance 1."""
    candidate = np.asarray(candidate, dtype=float)
    deviations = candidate.std(axis=0)
    # float32 sums of equal numbers vary by 1e-7 of them
    lives = deviations > 1e-6 * np.abs(candidate).max(axis=0)
    if not lives.any():
        raise ValueError(f"Candidate {name!r} is constant: no unit of it varies.")
    live = candidate[:, lives]
    return (live - live.mean(axis=0)) / deviations[lives]


def _units(live, n_units, rng):
    return live[:, rng.permutation(live.shape[1])[:n_units]]


def _mixtures(live, n_units, rng):
    mixed = live @ rng.normal(size=(live.shape[1], n_units))
    return mixed / mixed.std(axis=0)


def recovery_result(scores, candidates, data, y_true):
    """Result of `model_recovery`, and its scores.

    Parameters
    ----------
    scores : MeasureScores or RandomScores
    candidates : dict of str to array
    data : dict of array
        As of `drawn_data`.
    y_true : array or None

    Returns
    -------
    result : RecoveryResult
    matrix : DataFrame
    """
    names = list(candidates)
    columns = {f"{name}/{draw}": drawn for (name, draw), drawn in data.items()}
    matrix = scores.matrix(dict(candidates), columns, y_true=y_true)
    found = read_scores(matrix, square=False).to_numpy()
    truth = np.array([names.index(name) for name, _ in data])

    shares = most_similar(found.T)
    confusion = np.stack([shares[truth == k].mean(axis=0) for k in range(len(names))])

    def of_models(models):
        return {"accuracy": np.mean(np.diag(confusion)[models])}

    parts = jackknifed(of_models, names, None, {"accuracy": Metric(1 / len(names))})
    confusion = pd.DataFrame(confusion, index=names, columns=names)
    return RecoveryResult(*parts, confusion=confusion), matrix
