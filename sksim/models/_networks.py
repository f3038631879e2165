"""Feed-forward networks: linear layers and activations, whatever library they are from.

Scikit-learn's networks are read here and nowhere else: extraction and stitching take
their activations, gradients their layers one by one, persistence their weights.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline

from sksim.models._torch import is_torch_module, to_numpy

MLP = (MLPClassifier, MLPRegressor)


@dataclass(frozen=True)
class Activation:
    """A function of single numbers, and how gradients pass it.

    ``apply(Z, out=None)`` gives the values A, and ``back(G, Z, A)`` makes gradients
    with respect to Z of those with respect to A.
    """

    apply: Callable
    back: Callable


ACTIVATIONS = {
    "identity": Activation(lambda Z, out=None: Z, lambda G, Z, A: G),
    "relu": Activation(
        lambda Z, out=None: np.maximum(Z, 0, out=out), lambda G, Z, A: G * (Z > 0)
    ),
    "tanh": Activation(np.tanh, lambda G, Z, A: G * (1 - A**2)),
    # 1 - A as expit(-Z), which does not cancel
    "logistic": Activation(expit, lambda G, Z, A: G * A * expit(-Z)),
}


@dataclass(frozen=True)
class LinearLayer:
    """Weights of shape (n_inputs, n_outputs), biases, and what is made of the sum."""

    weights: np.ndarray
    biases: np.ndarray
    activation: str

    def sums(self, X):
        """Weighted sums of each row, before the activation."""
        return X @ self.weights + self.biases


# ----- scikit-learn's networks --------------------------------------------------------


def mlp_layers(mlp):
    """Layers of a fitted MLPClassifier or MLPRegressor, from input to scores."""
    n_hidden = len(mlp.coefs_) - 1
    activations = [mlp.activation] * n_hidden + ["identity"]
    layers = zip(mlp.coefs_, mlp.intercepts_, activations, strict=True)
    return [LinearLayer(*layer) for layer in layers]


def hidden_names(mlp):
    """Names of the hidden layers, as users write them."""
    return [f"hidden_{i + 1}" for i in range(len(mlp.coefs_) - 1)]


def hidden_activations(mlp, X):
    """Activations of the hidden layers, one layer after the other.

    Parameters
    ----------
    mlp : MLPClassifier or MLPRegressor
    X : array or sparse array of shape (n_samples, n_features)

    Yields
    ------
    activations : array of shape (n_samples, n_units)
    """
    for layer in mlp_layers(mlp)[:-1]:
        Z = layer.sums(X)
        X = ACTIVATIONS[layer.activation].apply(Z, out=Z)
        yield X


def layers_after(mlp, depth):
    """Layers after hidden layer number ``depth``, as a network of the same kind."""
    tail = copy.copy(mlp)
    tail.coefs_ = mlp.coefs_[depth:]
    tail.intercepts_ = mlp.intercepts_[depth:]
    tail.n_layers_ = len(tail.coefs_) + 1
    tail.n_features_in_ = tail.coefs_[0].shape[0]
    tail.hidden_layer_sizes = tuple(W.shape[1] for W in tail.coefs_[:-1])
    if hasattr(tail, "feature_names_in_"):
        del tail.feature_names_in_
    return tail


def with_weights(model, change):
    """The same network or linear model with its weights changed, matrix by matrix.

    None for a model without weights, or with sparse ones.
    """
    for name in ("coefs_", "coef_"):
        weights = getattr(model, name, None)
        if weights is not None and not sparse.issparse(weights):
            changed = copy.copy(model)
            is_list = isinstance(weights, list)
            new = [change(W) for W in weights] if is_list else change(weights)
            setattr(changed, name, new)
            return changed
    return None


# ----- weights of any network ---------------------------------------------------------


def network_weights(network, name):
    """Weights and biases of each layer, as float64 arrays on the CPU.

    Parameters
    ----------
    network : MLPClassifier, MLPRegressor, torch module or list of (weights, biases)
        ``weights`` has shape (n_inputs, n_outputs); ``biases`` may be None.
    name : str
        What error messages call it.

    Returns
    -------
    layers : list of (array of shape (n_inputs, n_outputs), array or None)

    Raises
    ------
    ValueError
        If it is no chain of linear layers, or if a weight is not finite.
    """
    if is_torch_module(network):
        layers = _torch_weights(network, name)
    elif isinstance(network, BaseEstimator):
        layers = _sklearn_weights(network, name)
    else:
        layers = _listed_weights(network, name)
    if not layers:
        raise ValueError(f"{name} has no linear layer, so that there are no weights.")
    layers = [_checked(layer, f"layer {i} of {name}") for i, layer in enumerate(layers)]
    for i in range(1, len(layers)):
        n_outputs, n_inputs = layers[i - 1][0].shape[1], layers[i][0].shape[0]
        if n_outputs != n_inputs:
            raise ValueError(
                f"Layer {i - 1} of {name} has {n_outputs} outputs, but layer {i} has "
                f"{n_inputs} inputs: the layers must follow each other, with weights "
                "of shape (n_inputs, n_outputs). torch stores them transposed."
            )
    return layers


def _sklearn_weights(network, name):
    kind = type(network).__name__
    if isinstance(network, Pipeline):
        raise ValueError(
            f"{name} is a Pipeline: pass the network inside it, such as pipeline[-1]."
        )
    if not isinstance(network, MLP):
        raise ValueError(
            f"{name} is a {kind}, which is no network of linear layers. Pass an "
            "MLPClassifier, an MLPRegressor, a torch module of linear layers, or a "
            "list of (weights, biases)."
        )
    if not hasattr(network, "coefs_"):
        raise NotFittedError(f"{name} is an unfitted {kind}: call its fit first.")
    return [(layer.weights, layer.biases) for layer in mlp_layers(network)]


def _torch_weights(network, name):
    """Linear layers in the order in which the module holds them, known by shape."""
    layers = []
    for path, module in network.named_modules():
        own = [parameter for _, parameter in module.named_parameters(recurse=False)]
        if not own:
            continue
        if not (hasattr(module, "in_features") and hasattr(module, "out_features")):
            raise ValueError(
                f"{name} has a {type(module).__name__} with weights"
                f"{f' ({path})' if path else ''}: only networks of linear layers have "
                "this graph. Pass the linear part alone."
            )
        biases = None if module.bias is None else to_numpy(module.bias)
        layers.append((to_numpy(module.weight).T, biases))
    return layers


def _listed_weights(network, name):
    try:
        return [(weights, biases) for weights, biases in network]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an MLPClassifier, an MLPRegressor, a torch module of "
            "linear layers, or a list of (weights, biases), one pair for each layer "
            f"({error})."
        ) from error


def _checked(layer, name):
    weights, biases = (None if a is None else _real(a, name) for a in layer)
    if weights is None or weights.ndim != 2 or 0 in weights.shape:
        shape = None if weights is None else weights.shape
        raise ValueError(
            f"The weights of {name} must be a matrix of shape (n_inputs, n_outputs), "
            f"got shape {shape}."
        )
    if biases is not None and biases.shape != weights.shape[1:]:
        raise ValueError(
            f"The biases of {name} must be a vector with one entry for each of its "
            f"{weights.shape[1]} outputs, or None; got shape {biases.shape}."
        )
    return weights, biases


def _real(array, name):
    array = np.asarray(array)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"The weights of {name} must be real, got {array.dtype}.")
    array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(
            f"The weights of {name} contain NaN or infinity: the network diverged in "
            "training. Train it again, with a smaller learning rate."
        )
    return array
