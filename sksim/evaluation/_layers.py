"""Whether corresponding layers of two networks find each other."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from sksim._results import ResultMixin
from sksim._typing import ArrayLike, Measure, Model, RandomState
from sksim.base._tags import tags_of
from sksim.discovery import check_measure
from sksim.evaluation._scores import most_similar, one_for_each
from sksim.models._readers import JointModels
from sksim.pairwise import layer_similarity_matrix, similarity_matrix


@dataclass(frozen=True)
class LayerIdentification(ResultMixin):
    """Result of :func:`layer_identification`.

    Parameters
    ----------
    accuracy : float
        Share of layers whose most similar layer in another network is the
        corresponding one.
    chance : float
        What guessing gives: 1 / number of layers.
    per_layer : Series
        The share for each layer.
    found : DataFrame
        Row: a layer; column: how often which layer of the other network was the most
        similar, as a share.
    standard_error : float
        Of the accuracy, over networks, by the jackknife; nan for two networks.
    jackknife : Series
        The accuracy without each network.

    See Also
    --------
    layer_identification : Makes the result.
    compare_layer_identifications : Tests several measures against the best.

    Examples
    --------
    >>> from sksim.datasets import make_layer_stack
    >>> from sksim.evaluation import layer_identification
    >>> from sksim.rsm import CKA
    >>> networks = make_layer_stack(n_networks=3, random_state=0)
    >>> layer_identification(CKA(), networks).found.loc["layer_1", "layer_1"]
    np.float64(1.0)
    """

    accuracy: float
    chance: float
    per_layer: pd.Series
    found: pd.DataFrame
    standard_error: float
    jackknife: pd.Series

    @property
    def value(self) -> float:
        """The accuracy, under the name that all protocols have."""
        return self.accuracy

    @property
    def leave_one_out(self) -> pd.Series:
        """The accuracy without each network."""
        return self.jackknife

    def to_frame(self) -> pd.DataFrame:
        """One row for each layer.

        Returns
        -------
        frame : pandas.DataFrame
            The share of networks in which the layer was found, what guessing gives,
            and which layer was found most often.
        """
        return pd.DataFrame(
            {
                "accuracy": self.per_layer,
                "chance": self.chance,
                "most_found": self.found.idxmax(axis=1),
            }
        ).rename_axis("layer")


def layer_identification(
    measure: Measure | pd.DataFrame | ArrayLike,
    networks: Sequence[Mapping[Hashable, ArrayLike] | Model] | ArrayLike,
    *,
    data: ArrayLike | Iterable | None = None,
    layers: str | Sequence[str] | None = None,
    reduce: str | Callable | Mapping | object | None = None,
    batch_size: int | None = None,
    symmetrize: bool | str = False,
    y_true: ArrayLike | Callable | None = None,
    n_jobs: int | None = None,
    random_state: RandomState | None = None,
) -> LayerIdentification:
    """Count how often corresponding layers of two networks find each other.

    Networks of one architecture that were trained from different seeds compute about
    the same in corresponding layers. For each ordered pair of networks and each layer
    of the first, the most similar layer of the second is looked up.

    Parameters
    ----------
    measure : estimator, class or str, or matrix of shape (n_rows, n_rows)
        The measure, its class, or its name. Or scores that were computed before, of
        all layers of all networks with each other, greater for more similar layers.
    networks : list of dict of str to array, or list of models
        At least two networks with the same layers, each layer of shape
        (n_samples, n_features_of_the_layer), with the same rows throughout. Or models,
        together with ``data``: each batch goes through all of them, see
        :func:`sksim.pairwise.layer_similarity_matrix`. With a matrix of scores the
        network of each of its rows, which are the layers of one network after the
        other, in the same order.
    data : array-like, loader or iterable of batches, default=None
        The rows that models are applied to; only with models.
    layers : str or list of str, default=None
        Names or patterns of layers of models; with a matrix of scores the names of the
        layers of one network, None for numbers.
    reduce : str, transformer, callable or mapping, default=None
        What becomes of a layer of a model, see
        :func:`sksim.models.extract_representations`. None flattens for
        :class:`~sksim.rsm.MinibatchCKA`, and takes the mean otherwise.
    batch_size : int, default=None
        Rows of a batch that is cut from an array.
    symmetrize : bool or "auto", default=False
        Whether to add the score of (y, X) to that of (X, y); "auto" does for measures
        that are not symmetric, such as regressions, and for any matrix of scores.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them; with models also a callable from a
        batch to its labels.
    n_jobs : int, default=None
        Number of parallel jobs, for layers that are given as arrays.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of rows and of random measures, with models.

    Returns
    -------
    result : LayerIdentification
        With the attributes ``accuracy``, ``chance``, ``per_layer``, ``found``,
        ``standard_error`` and ``jackknife``.

    Raises
    ------
    ValueError
        If there is only one network, or layers have different names; if models come
        without data, or data without models; if scores are missing, or distances.

    See Also
    --------
    compare_layer_identifications : Tests several measures against the best.
    sksim.models.extract_representations : Layers of a fitted model.

    Notes
    -----
    A tie of k layers counts as 1 / k for each of them. All layers of all networks are
    viewed once.

    References
    ----------
    S. Kornblith, M. Norouzi, H. Lee, G. Hinton. Similarity of neural network
    representations revisited. ICML, 2019, arXiv:1905.00414 (section 6.1).

    Examples
    --------
    >>> from sksim.datasets import make_layer_stack
    >>> from sksim.evaluation import layer_identification
    >>> from sksim.rsm import CKA
    >>> networks = make_layer_stack(n_networks=3, random_state=0)
    >>> layer_identification(CKA(), networks).accuracy
    1.0

    Two networks of two layers, of which the scores are known:

    >>> S = [[9, 1, 3, 2], [1, 9, 2, 2], [3, 2, 9, 4], [2, 2, 4, 9]]
    >>> layer_identification(S, ["a", "a", "b", "b"]).accuracy
    0.75
    """
    if symmetrize not in (True, False, "auto"):
        raise ValueError(
            f"symmetrize must be True, False or 'auto', got {symmetrize!r}."
        )
    if _is_matrix(measure):
        scores, networks = _read_matrix(measure, networks, layers)
        names = _layer_names(networks)
    elif data is None:
        names = _layer_names(networks)
        both = {
            (number, name): layer
            for number, network in enumerate(networks)
            for name, layer in network.items()
        }
        scores = similarity_matrix(measure, both, y_true=y_true, n_jobs=n_jobs)
    else:
        _refuse_dicts(networks)
        result = layer_similarity_matrix(
            measure,
            JointModels(networks),
            None,
            data,
            layers=layers,
            reduce=reduce,
            batch_size=batch_size,
            y_true=y_true,
            random_state=random_state,
        )
        scores = result.scores
        names = _layer_names(_named_by_network(scores.index, len(networks)))
    _refuse_undefined(scores)
    n_networks, n_layers = len(networks), len(names)
    blocks = scores.to_numpy().reshape(n_networks, n_layers, n_networks, n_layers)
    if symmetrize is True or (symmetrize == "auto" and not _is_symmetric(measure)):
        blocks = blocks + np.transpose(blocks, (2, 3, 0, 1))
    pairs = [
        (first, second, most_similar(blocks[first, :, second]))
        for first in range(n_networks)
        for second in range(n_networks)
        if first != second
    ]
    found = np.mean([share for _, _, share in pairs], axis=0)
    hits = np.diag(found)
    jackknife = [_accuracy_without(pairs, number) for number in range(n_networks)]
    return LayerIdentification(
        accuracy=float(np.mean(hits)),
        chance=1 / n_layers,
        per_layer=pd.Series(hits, index=names, name="accuracy"),
        found=pd.DataFrame(found, index=names, columns=names),
        standard_error=_jackknife_error(jackknife),
        jackknife=pd.Series(jackknife, name="accuracy").rename_axis("without"),
    )


def compare_layer_identifications(
    results: Mapping[Hashable, LayerIdentification],
) -> pd.DataFrame:
    """Test how much worse measures identify layers than the best of them.

    Parameters
    ----------
    results : dict of str to LayerIdentification
        Of several measures, on the same networks.

    Returns
    -------
    comparison : DataFrame
        One row for each measure, the best first: ``accuracy``, ``standard_error``,
        ``difference`` to the best, its ``difference_error`` by the jackknife over
        networks, ``z`` and the two-sided normal ``pvalue``. nan where nothing differs
        or there are two networks only.

    Raises
    ------
    ValueError
        If the numbers of networks differ.

    See Also
    --------
    layer_identification : Makes the results.

    Notes
    -----
    The p-values are not corrected for the choice of the best, and the jackknife of few
    networks is rough.

    References
    ----------
    S. Kornblith, M. Norouzi, H. Lee, G. Hinton. Similarity of neural network
    representations revisited. ICML, 2019, arXiv:1905.00414 (section 6.1).

    Examples
    --------
    >>> from sksim.datasets import make_layer_stack
    >>> from sksim.evaluation import compare_layer_identifications, layer_identification
    >>> networks = make_layer_stack(n_networks=4, random_state=0)
    >>> results = {m: layer_identification(m, networks) for m in ("CKA", "MeanCCA")}
    >>> compare_layer_identifications(results).columns.tolist()[:3]
    ['accuracy', 'standard_error', 'difference']
    """
    counts = {name: len(result.jackknife) for name, result in results.items()}
    if len(set(counts.values())) > 1:
        raise ValueError(
            f"The results are of different numbers of networks: {counts}. Compare "
            "measures on the same networks."
        )
    order = sorted(results, key=lambda name: -results[name].accuracy)
    best = results[order[0]]
    rows = []
    for name in order:
        result = results[name]
        difference = best.accuracy - result.accuracy
        error = _jackknife_error(best.jackknife - result.jackknife)
        z = difference / error if error > 0 else math.nan
        rows.append(
            {
                "accuracy": result.accuracy,
                "standard_error": result.standard_error,
                "difference": difference,
                "difference_error": error,
                "z": z,
                "pvalue": 2 * float(norm.sf(abs(z))),
            }
        )
    return pd.DataFrame(rows, index=pd.Index(order, name="measure"))


def _is_matrix(measure):
    return isinstance(measure, pd.DataFrame) or np.ndim(measure) == 2


def _read_matrix(S, networks, layers):
    """Scores of layers, and the layers of each network by name, of a matrix."""
    S = S if isinstance(S, pd.DataFrame) else pd.DataFrame(np.asarray(S, dtype=float))
    if S.attrs.get("orientation") == "distance" or S.isna().any(axis=None):
        raise ValueError(
            "The matrix holds distances, or lacks a score. Pass scores, of which "
            "greater means more similar: similarity_matrix(..., output='score')."
        )
    codes, labels = pd.factorize(one_for_each(networks, S, "networks"))
    n_layers = len(S) // max(1, len(labels))
    blocks = np.repeat(np.arange(len(labels)), n_layers)
    if S.shape[0] != S.shape[1] or not np.array_equal(codes, blocks):
        raise ValueError(
            f"A matrix of scores has the layers of one network after the other, as "
            f"many of each, in rows and columns; got the shape {S.shape} and "
            f"rows {dict(zip(labels, np.bincount(codes).tolist(), strict=True))}."
        )
    names = list(range(n_layers)) if layers is None else list(layers)
    if len(names) != n_layers:
        raise ValueError(
            f"layers names {len(names)} layers, but each network has {n_layers}."
        )
    return S, [dict.fromkeys(names)] * len(labels)


def _is_symmetric(measure):
    if _is_matrix(measure):
        return False
    return tags_of(check_measure(measure)).symmetric


def _accuracy_without(pairs, number):
    """Accuracy over the pairs without one network; nan if none is left."""
    shares = [share for *both, share in pairs if number not in both]
    return float(np.mean([np.mean(np.diag(s)) for s in shares])) if shares else math.nan


def _jackknife_error(values):
    values = np.asarray(values)
    n = len(values)
    return float(np.sqrt((n - 1) / n * np.sum((values - values.mean()) ** 2)))


def _refuse_dicts(networks):
    if any(isinstance(network, Mapping) for network in networks):
        raise ValueError(
            "networks are dicts of layers, to which no data are applied: leave out "
            "data, or pass models."
        )
    if len(networks) < 2:
        raise ValueError(f"At least two networks are needed, got {len(networks)}.")


def _refuse_undefined(scores):
    """Raise where a score is nan: no other is the largest beside it."""
    undefined = np.argwhere(np.isnan(scores.to_numpy()))
    if len(undefined):
        i, j = undefined[0]
        raise ValueError(
            f"The measure is undefined (nan) for layer {scores.index[i]!r} against "
            f"{scores.columns[j]!r}, and {len(undefined)} pairs in all, so that it is "
            "not known which layer is the most similar. Leave such layers out."
        )


def _named_by_network(names, n_networks):
    """Layers of each network, of names such as "0/layer"."""
    networks = [{} for _ in range(n_networks)]
    for name in names:
        number, _, layer = name.partition("/")
        networks[int(number)][layer] = None
    return networks


def _layer_names(networks):
    """Names of the layers, the same in all networks."""
    if isinstance(networks, Mapping) or not all(
        isinstance(network, Mapping) for network in networks
    ):
        raise ValueError(
            "networks must be a list of dicts of layers, one dict for each network, or "
            "a list of models together with data."
        )
    if len(networks) < 2:
        raise ValueError(f"At least two networks are needed, got {len(networks)}.")
    names = list(networks[0])
    for number, network in enumerate(networks[1:], start=1):
        if list(network) != names:
            raise ValueError(
                f"Network {number} has the layers {list(network)}, network 0 {names}: "
                "corresponding layers must have the same names, in the same order."
            )
    return names
