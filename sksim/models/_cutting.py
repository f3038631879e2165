"""Models cut at a layer: heads and tails, each an estimator."""

from itertools import islice

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sksim.models._inside import active_steps, best_model
from sksim.models._networks import (
    MLP,
    hidden_activations,
    hidden_names,
    layers_after,
)
from sksim.models._torch import apply_module, is_torch_module, sequential_parts
from sksim.models._wrapped import TorchModel, wrap_model


class Frozen(BaseEstimator):
    """An estimator that is fitted by construction."""

    def fit(self, X, y=None):
        """Nothing to fit.

        Parameters
        ----------
        X : ignored
        y : ignored

        Returns
        -------
        self : object
        """
        return self

    def __sklearn_is_fitted__(self):
        return True


class NetworkHead(TransformerMixin, Frozen):
    """First hidden layers of an MLPClassifier or MLPRegressor."""

    def __init__(self, network, depth):
        self.network = network
        self.depth = depth

    def transform(self, X):
        """Activations of hidden layer number ``depth``."""
        X = X if sparse.issparse(X) else np.asarray(X)
        layers = hidden_activations(self.network, X)
        return next(islice(layers, self.depth - 1, None))


class TorchHead(TransformerMixin, Frozen):
    """First parts of a torch module, in evaluation mode."""

    def __init__(self, module):
        self.module = module

    def transform(self, X):
        """Outputs of the last of these parts."""
        return apply_module(self.module, X)


class TorchTail(Frozen):
    """Last parts of a torch module, as a classifier (of 0, 1, ...) or a regressor."""

    def __init__(self, module, classes=None):
        self.module = module
        self.classes = classes

    @property
    def classes_(self):
        """Numbers of the classes; a regressor has none."""
        if self.classes is None:
            raise AttributeError("a regressor has no classes_")
        return self.classes

    def predict(self, X):
        """Classes of the largest score, or a regressor's predictions."""
        if self.classes is not None:
            return self.classes[TorchModel(self.module, "tail").labels(X)]
        outputs = apply_module(self.module, X)
        return outputs[:, 0] if outputs.ndim == 2 and outputs.shape[1] == 1 else outputs

    def predict_proba(self, X):
        """Softmax of the scores."""
        return TorchModel(self.module, "tail").outputs(X, "proba")

    def decision_function(self, X):
        """Scores; of two classes that of the second."""
        scores = TorchModel(self.module, "tail").scores(X)
        if len(self.classes) == 2:
            return scores[:, -1] - (scores[:, 0] if scores.shape[1] == 2 else 0)
        return scores

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.estimator_type = "regressor" if self.classes is None else "classifier"
        return tags


def classes_of_module(module, X, y_true):
    """Numbers of the classes that a module's outputs stand for; None for a regressor.

    Parameters
    ----------
    module : torch.nn.Module
    X : array of shape (n_samples, ...)
    y_true : array of shape (n_samples,) or (n_samples, n_targets)

    Returns
    -------
    classes : array or None
    """
    outputs = apply_module(module, X)
    n_outputs = 1 if outputs.ndim == 1 else outputs.shape[1]
    is_label = y_true.dtype.kind in "biu" and y_true.ndim == 1
    if n_outputs == 1:
        is_label = is_label and np.isin(y_true, (0, 1)).all()
    return np.arange(max(2, n_outputs)) if is_label else None


class CutModel:
    """A model and the name of the layer at which it is cut."""

    def __init__(self, model, layer, name):
        self.name = name
        self.model = best_model(model)
        self.layers = layer_names(self.model, name)
        self.layer = self.layers[-1] if layer is None else layer
        if self.layer not in self.layers:
            raise ValueError(
                f"{name} ({type(self.model).__name__}) has no layer {layer!r} to be "
                f"cut at. Its layers are {', '.join(self.layers)}."
            )
        self.whole = wrap_model(self.model, name)

    @property
    def n_features(self):
        """Number of features that the model takes."""
        return self.whole.n_features

    def __repr__(self):
        return repr(self.whole)

    def head(self):
        """Transformer from rows to the layer's activations."""
        if self.whole.is_torch:
            return TorchHead(self._torch_halves()[0])
        if isinstance(self.model, Pipeline):
            step, depth = self._place_in_pipeline()
            head = self.model[: step if depth else step + 1]
            if depth:
                hidden = NetworkHead(self.model.steps[step][1], depth)
                head = Pipeline([*head.steps, ("hidden", hidden)])
            return head
        return NetworkHead(self.model, _depth(self.layer))

    def tail(self, X, y_true):
        """Classifier or regressor from the layer's activations to the answer."""
        if self.whole.is_torch:
            return self._torch_tail(X, y_true)
        if isinstance(self.model, Pipeline):
            step, depth = self._place_in_pipeline()
            if depth:
                return layers_after(self.model.steps[step][1], depth)
            return self.model[step + 1 :]
        return layers_after(self.model, _depth(self.layer))

    def activations(self, head, X):
        """Activations at the rows X, dense."""
        prepared = self.whole.prepare(X) if not self.whole.is_torch else X
        activations = head.transform(prepared)
        if sparse.issparse(activations):
            activations = activations.toarray()
        activations = np.asarray(activations, dtype=float)
        if not np.isfinite(activations).all():
            raise ValueError(
                f"Layer {self.layer} of {self} gives NaN or infinity on data: the "
                "network diverged in training. Train it again."
            )
        return activations

    def _place_in_pipeline(self):
        """Number of the step, and of the hidden layer within it (0: after the step)."""
        names = [name for name, _ in self.model.steps]
        if self.layer in names:
            return names.index(self.layer), 0
        return len(names) - 1, _depth(self.layer)

    def _torch_halves(self):
        from torch.nn import Sequential

        parts = sequential_parts(self.model)
        k = list(parts).index(self.layer) + 1
        parts = list(parts.values())
        return Sequential(*parts[:k]), Sequential(*parts[k:])

    def check_order(self, X):
        """Raise unless a torch module runs its parts one after the other."""
        if not self.whole.is_torch:
            return
        head, tail = self._torch_halves()
        whole = apply_module(self.model, X)
        try:
            joined = apply_module(tail, apply_module(head, X))
        except ValueError as error:
            raise ValueError(self._not_sequential()) from error
        if joined.shape != whole.shape or not np.allclose(
            joined, whole, rtol=1e-4, atol=1e-5 * np.max(np.abs(whole))
        ):
            raise ValueError(self._not_sequential())

    def _torch_tail(self, X, y_true):
        classes = classes_of_module(self.model, X, y_true)
        return TorchTail(self._torch_halves()[1], classes)

    def _not_sequential(self):
        parts = ", ".join(sequential_parts(self.model))
        return (
            f"{self.name} ({type(self.model).__name__}) does not just run its parts "
            f"{parts} one after the other, so that it can't be cut there. Wrap what "
            "happens between them in modules of a torch.nn.Sequential."
        )


def _depth(layer):
    """Number of the hidden layer in a name such as "hidden_2" or "mlp.hidden_2"."""
    return int(layer.rsplit("_", 1)[1])


def layer_names(model, name="model"):
    """Names of the layers at which a model can be cut, from input to output."""
    if is_torch_module(model):
        layers = list(sequential_parts(model))[:-1]
    elif isinstance(model, Pipeline):
        check_is_fitted(model)
        layers = [step for step, _ in active_steps(model.steps[:-1])]
        last, network = model.steps[-1]
        if isinstance(network, MLP):
            layers += [f"{last}.{layer}" for layer in hidden_names(network)]
    elif isinstance(model, MLP):
        check_is_fitted(model)
        layers = hidden_names(model)
    else:
        raise ValueError(
            f"{name} is a {type(model).__name__}, which has no layers to be cut at. "
            "Models with layers are MLPClassifier, MLPRegressor, Pipelines, and torch "
            "modules whose parts run one after the other; a pair (model, layer) names "
            "the layer."
        )
    if not layers:
        raise ValueError(
            f"{name} ({type(model).__name__}) has no layer between its input and its "
            "output to be cut at."
        )
    return layers
