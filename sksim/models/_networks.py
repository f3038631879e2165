"""Feed-forward networks: linear layers and activations, whatever library they are from.

Scikit-learn's networks are read here and nowhere else: extraction and stitching take
their activations, gradients their layers one by one; what compares weights reads them
by ``_weights``.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.neural_network import MLPClassifier, MLPRegressor

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
