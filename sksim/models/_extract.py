"""Representations and outputs of fitted models, whatever their library."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from sksim._parallel import shared_by_jobs
from sksim._progress import ProgressBar
from sksim._sklearn_compat import num_samples
from sksim._typing import Array, ArrayLike, Model
from sksim.arrays._slices import slices, take_slice
from sksim.models._adapters import adapted, is_adaptable
from sksim.models._answers import is_network, network_outputs
from sksim.models._layer_names import names_matching
from sksim.models._sklearn import (
    computed,
    representation_layer,
    sklearn_layers,
    sklearn_outputs,
)
from sksim.models._torch import is_torch_module, tensors_like
from sksim.models._torch_extractor import TorchExtractor

_TORCH_BATCH = 256


def extract_representations(
    model: Model,
    data: ArrayLike | Iterable,
    layers: str | Sequence[str] | None = None,
    batch_size: int | None = None,
    verbose: int = 0,
    n_jobs: int | None = None,
    *,
    reduce: str | Callable | Mapping | object | None = None,
    mask: Callable | None = None,
    inputs: Callable | None = None,
) -> dict[str, Array]:
    """Representations that a fitted model makes of some rows, layer by layer.

    Parameters
    ----------
    model : fitted estimator, torch.nn.Module, or another network
        The model; it is not changed. Networks of Keras, in ONNX's format (also as the
        path of a file) and functions of a batch are taken too: see Notes.
    data : array-like of shape (n_samples, n_features)
        Rows to be represented. For a torch module also a tensor of any shape whose
        first axis is the rows, or a DataLoader.
    layers : str or list of str, default=None
        Names of the layers, or patterns such as "hidden_*". None takes all but the
        very wide ones (see Notes).
    batch_size : int, default=None
        Rows that pass through the model at once; None passes all, and 256 for a torch
        module. The result does not depend on it.
    verbose : int, default=0
        Whether to show progress on standard error.
    n_jobs : int, default=None
        Number of parallel jobs, for models of scikit-learn: batches are shared among
        them, and all rows cut into as many batches if ``batch_size`` is None. Torch
        modules run where they are, one batch after the other.
    reduce : str, transformer, callable or mapping, default=None
        What becomes of a layer of a network within the pass, batch by batch, and of a
        torch module before the next layer is computed, so that maps and tokens are
        never held for all rows. "mean": over places, or over the tokens that count.
        "flatten": all entries of a row in one, those of padding 0. "tokens": one row
        for each token that counts. A transformer that learns nothing, such as
        :class:`~sksim.preprocessing.SpatialPooling`, or that has been fitted. A
        callable from a layer and its batch to an array of shape (n_samples,
        n_features). A mapping of names or patterns of layers to any of these. None
        leaves layers in their shape.
    mask : callable, default=None
        From a batch to an array of shape (n_samples, tokens), 1 where a token counts.
        None takes the key ``attention_mask`` of a batch that is a mapping.
    inputs : callable, default=None
        From a batch to what a network is called with: see :class:`TorchExtractor`.

    Returns
    -------
    representations : dict of str to array
        Layers from input to output, each with one row for each row of data. Arrays of a
        torch module are tensors on its device and keep their shape (convolutional
        maps, tokens) unless ``reduce`` is given.

    Raises
    ------
    ValueError
        If a layer does not exist; the message lists those that do. If one that was
        named has no row for each input.

    Warns
    -----
    UserWarning
        If layers of a torch module are left out because they have no row for each
        input, with the reason.

    See Also
    --------
    extract_outputs : Predictions only.

    Notes
    -----
    ==========================================  ======================================
    Model                                       Layers
    ==========================================  ======================================
    ``MLPClassifier``, ``MLPRegressor``         ``hidden_1``, ..., ``output``: exactly
                                                the network's activations
    ``Pipeline``                                a layer for each step, by its name;
                                                those of the last as ``step.layer``
    forests, single trees                       ``trees``: the prediction of each tree;
                                                ``leaves``: one column for each leaf,
                                                1 where the row falls into it (only if
                                                asked for: it is very wide)
    gradient boosting, also of XGBoost,         ``stages``: what each stage adds;
    LightGBM and CatBoost                       ``leaves`` as above
    ``IsolationForest``                         ``leaves`` as above
    ``Bagging...``, ``AdaBoost...``,            ``members``: probabilities, scores or
    ``Voting...``, ``Stacking...``              predictions of each member; layers of
                                                the model that a stack hands them to as
                                                ``final_estimator.layer``
    calibrated models, thresholds,              layers of the model inside, and the
    transformed targets, RANSAC, RFE            whole model's own ``output``; of several
                                                calibrated ones ``members``
    SVM, kernel ridge, Gaussian processes       ``kernel``: similarity to each support
                                                or training vector
    nearest neighbours                          ``neighbors``: 1 for each training row
                                                that is among the nearest (only if
                                                asked for)
    decompositions, all with ``transform``      ``transform``
    all with ``decision_function``              ``decision_function``
    all with ``predict_proba``                  ``output``: probabilities
    regressors                                  ``output``: predictions
    density estimators                          ``score_samples``
    ``torch.nn.Module``                         submodules by name, and ``output``: see
                                                :class:`TorchExtractor`
    Keras, ONNX, functions of a batch           see :class:`KerasModel`,
                                                :class:`OnnxModel`,
                                                :class:`CallableModel`
    ==========================================  ======================================

    Searches (``GridSearchCV``) and frozen models stand for the model inside. Several
    targets stand side by side. What a step gives that is no number, such as imputed
    text, is left out. Functions that compare two models take the last layer before the
    answer that is the model's own: in a Pipeline one of the last step.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sksim.models import extract_representations
    >>> X, y = load_iris(return_X_y=True)
    >>> mlp = MLPClassifier((8, 4), max_iter=2000, random_state=0).fit(X, y)
    >>> {name: R.shape for name, R in extract_representations(mlp, X).items()}
    {'hidden_1': (150, 8), 'hidden_2': (150, 4), 'output': (150, 3)}
    """
    if is_torch_module(model):
        extractor = TorchExtractor(
            model,
            layers,
            batch_size=batch_size or _TORCH_BATCH,
            reduce=reduce,
            mask=mask,
            inputs=inputs,
        )
        return extractor.extract(data, verbose=verbose)
    given = {"reduce": reduce, "mask": mask, "inputs": inputs}
    if is_adaptable(model):
        return adapted(model).extract(
            data, layers, batch_size=batch_size, verbose=verbose, **given
        )
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"{name} is for networks: layers of {type(model).__name__} are "
                "matrices with one row for each input."
            )
    chosen = choose_layers(sklearn_layers(model, data), layers, model)
    compute = partial(_chosen_layers, model, chosen, layers is not None)
    return in_batches(compute, data, batch_size, verbose=verbose, n_jobs=n_jobs)


def _chosen_layers(model, chosen, by_name, rows):
    return computed(sklearn_layers(model, rows), chosen, by_name=by_name)


def extract_outputs(
    model: Model,
    data: ArrayLike | Iterable,
    batch_size: int | None = None,
    n_jobs: int | None = None,
    *,
    outputs: str | None = None,
    classes: Sequence | None = None,
) -> dict[str, Array]:
    """Predictions of a fitted model, under the names that measures use.

    Parameters
    ----------
    model : fitted estimator or network
        The model, as for :func:`extract_representations`; it is not changed.
    data : array-like of shape (n_samples, n_features)
        Rows to predict; for a network also an iterable of batches.
    batch_size : int, default=None
        Rows that pass through the model at once.
    n_jobs : int, default=None
        Number of parallel jobs, as in :func:`extract_representations`.
    outputs : {"logits", "probabilities", "labels", "predictions"}, default=None
        What a network returns, which can't be seen from the numbers. None is enough
        where it returns an object with ``logits``. See :ref:`network_outputs`.
    classes : sequence, default=None
        Class of each column of a network's outputs. None: 0, 1, ...

    Returns
    -------
    outputs : dict of str to array
        For a classifier "labels" and, where the model has them, "probabilities" (in
        the order of ``classes_``) and "scores" (the decision function); of several
        labels for each row "labels" has a column for each, and the probabilities of
        label t are "probabilities[t]". Clusterers have "labels", outlier detectors
        "scores" too. For a regressor "predictions"; for a transformer "transform". For
        a network "outputs", as they are, and where their kind is said what follows from
        them: of logits "labels", "probabilities" and "logits", of probabilities
        "labels" and "probabilities". Those of a torch module are tensors on its device.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sksim.models import extract_outputs
    >>> X, y = load_iris(return_X_y=True)
    >>> outputs = extract_outputs(LogisticRegression(max_iter=1000).fit(X, y), X)
    >>> {name: output.shape for name, output in outputs.items()}
    {'labels': (150,), 'probabilities': (150, 3), 'scores': (150, 3)}
    """
    if is_network(model):
        found = network_outputs(
            model, data, outputs=outputs, classes=classes, batch_size=batch_size
        )
        return tensors_like(model, found) if is_torch_module(model) else found
    if outputs is not None or classes is not None:
        raise ValueError(
            f"outputs and classes say what networks return; {type(model).__name__} "
            "says it itself, by its methods and classes_."
        )
    return in_batches(partial(sklearn_outputs, model), data, batch_size, n_jobs=n_jobs)


def choose_layers(available, layers, model):
    """Names of the layers that are asked for, in the model's order.

    Parameters
    ----------
    available : dict of str to Layer
    layers : None, str or list of str
    model : object
        For messages.
    """
    if layers is None:
        return [name for name, layer in available.items() if not layer.on_request]
    return names_matching(available, layers, type(model).__name__)


def in_batches(compute, data, batch_size, *, verbose=0, n_jobs=None):
    """Arrays that ``compute`` makes of all rows, a batch of rows at a time.

    Parameters
    ----------
    compute : callable
        From rows to a dict of arrays.
    data : array-like
    batch_size : int or None
    verbose : int, default=0
    n_jobs : int, default=None
    """
    n_rows = num_samples(data)
    if batch_size is None:
        batch_size = -(-n_rows // effective_n_jobs(n_jobs))
    if batch_size >= n_rows:
        return compute(data)
    batches = slices(n_rows, batch_size)
    jobs = (delayed(_of_batch)(compute, [take_slice(data, rows)]) for rows in batches)
    workers = Parallel(n_jobs=n_jobs, return_as="generator")
    parts = []
    bar = ProgressBar(len(batches), "batches", enabled=verbose > 0)
    with bar, shared_by_jobs(compute):
        for part in workers(jobs):
            parts.append(part)
            bar.step()
    return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def _of_batch(compute, batch):
    return compute(*batch)


# Layers that are a model's answer, rather than what it is made of.
_OUTPUT_LAYERS = ("output", "decision_function")


def last_representation(model, data):
    """Name and array of a model's last layer before its answer."""
    if not is_network(model):
        name = representation_layer(model, data)
        return name, extract_representations(model, data, name)[name]
    if is_adaptable(model):
        model = adapted(model)._with_last_hidden()
    layers = extract_representations(model, data)
    name = last_hidden(layers)
    return name, layers[name]


def last_hidden(layers):
    """Name of the last layer that is no answer, or of the first if all are."""
    hidden = [n for n in layers if n.split(".")[-1] not in _OUTPUT_LAYERS]
    return hidden[-1] if hidden else next(iter(layers))
