"""Models cut at a layer: heads, stitches and tails, each an estimator."""

import copy

import numpy as np
from scipy import sparse
from scipy.special import expit
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sksim.models._torch import apply_module, is_torch_module
from sksim.models._wrapped import EstimatorModel, TorchModel, wrap_model

_ACTIVATIONS = {
    "identity": lambda Z: Z,
    "relu": lambda Z: np.maximum(Z, 0),
    "tanh": np.tanh,
    "logistic": expit,
}


class _Frozen(BaseEstimator):
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


class NetworkHead(TransformerMixin, _Frozen):
    """First hidden layers of an MLPClassifier or MLPRegressor."""

    def __init__(self, network, depth):
        self.network = network
        self.depth = depth

    def transform(self, X):
        """Activations of hidden layer number ``depth``."""
        A = X if sparse.issparse(X) else np.asarray(X)
        activate = _ACTIVATIONS[self.network.activation]
        layers = zip(self.network.coefs_, self.network.intercepts_, strict=True)
        for _, (W, b) in zip(range(self.depth), layers, strict=False):
            A = activate(A @ W + b)
        return A


class TorchHead(TransformerMixin, _Frozen):
    """First parts of a torch module, in evaluation mode."""

    def __init__(self, module):
        self.module = module

    def transform(self, X):
        """Outputs of the last of these parts."""
        return apply_module(self.module, X)


class TorchTail(_Frozen):
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


class AffineStitch(TransformerMixin, _Frozen):
    """Activations times a matrix, plus an offset.

    Of convolutional maps (4 axes or more) the channels, axis 1, are mapped at each
    position; of sequences (3 axes) the last axis.
    """

    def __init__(self, matrix, offset):
        self.matrix = matrix
        self.offset = offset

    def transform(self, X):
        """Activations of the head in the coordinates of the tail."""
        if getattr(X, "ndim", 2) <= 3:
            return X @ self.matrix + self.offset
        return np.moveaxis(np.moveaxis(X, 1, -1) @ self.matrix + self.offset, -1, 1)


def as_rows(activations):
    """Activations as a matrix: a row for each input and position."""
    if activations.ndim > 3:
        activations = np.moveaxis(activations, 1, -1)
    return activations.reshape(-1, activations.shape[-1])


# ----- cutting a model ----------------------------------------------------------------


class CutModel:
    """A model and the name of the layer at which it is cut."""

    def __init__(self, model, layer, name):
        self.name = name
        self.model = _unwrap(model)
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
            return TorchHead(self._torch_parts()[0])
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
                return network_tail(self.model.steps[step][1], depth)
            return self.model[step + 1 :]
        return network_tail(self.model, _depth(self.layer))

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

    def _torch_parts(self):
        from torch.nn import Sequential

        parts = torch_parts(self.model)
        k = list(parts).index(self.layer) + 1
        parts = list(parts.values())
        return Sequential(*parts[:k]), Sequential(*parts[k:])

    def check_order(self, X):
        """Raise unless a torch module runs its parts one after the other."""
        if not self.whole.is_torch:
            return
        head, tail = self._torch_parts()
        whole = apply_module(self.model, X)
        try:
            joined = apply_module(tail, apply_module(head, X))
        except RuntimeError as error:
            raise ValueError(self._not_sequential()) from error
        if joined.shape != whole.shape or not np.allclose(
            joined, whole, rtol=1e-4, atol=1e-5 * np.max(np.abs(whole))
        ):
            raise ValueError(self._not_sequential())

    def _torch_tail(self, X, y_true):
        whole = apply_module(self.model, X)
        tail = self._torch_parts()[1]
        n_outputs = 1 if whole.ndim == 1 else whole.shape[1]
        is_label = y_true.dtype.kind in "biu" and y_true.ndim == 1
        if n_outputs == 1:
            is_label = is_label and np.isin(y_true, (0, 1)).all()
        classes = np.arange(max(2, n_outputs)) if is_label else None
        return TorchTail(tail, classes)

    def _not_sequential(self):
        return (
            f"{self.name} ({type(self.model).__name__}) does not just run its parts "
            f"{', '.join(torch_parts(self.model))} one after the other, so that it "
            "can't be cut there. Wrap what happens between them in modules of a "
            "torch.nn.Sequential."
        )


def _unwrap(model):
    """The model that a search stands for."""
    if hasattr(model, "best_estimator_"):
        return _unwrap(model.best_estimator_)
    return model


def _depth(layer):
    """Number of the hidden layer in a name such as "hidden_2" or "mlp.hidden_2"."""
    return int(layer.rsplit("_", 1)[1])


def layer_names(model, name="model"):
    """Names of the layers at which a model can be cut, from input to output."""
    if is_torch_module(model):
        layers = list(torch_parts(model))[:-1]
    elif isinstance(model, Pipeline):
        check_is_fitted(model)
        layers = [
            step
            for step, transformer in model.steps[:-1]
            if transformer is not None and transformer != "passthrough"
        ]
        last, network = model.steps[-1]
        if isinstance(network, MLPClassifier | MLPRegressor):
            layers += [f"{last}.{layer}" for layer in _hidden_layers(network)]
    elif isinstance(model, MLPClassifier | MLPRegressor):
        check_is_fitted(model)
        layers = _hidden_layers(model)
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


def _hidden_layers(network):
    return [f"hidden_{i + 1}" for i in range(len(network.coefs_) - 1)]


def torch_parts(module):
    """Parts of a module by dotted name, those of a Sequential one by one."""
    from torch.nn import Sequential

    parts = {}
    for name, child in module.named_children():
        if isinstance(child, Sequential):
            inner = torch_parts(child).items()
            parts.update({f"{name}.{key}": part for key, part in inner})
        else:
            parts[name] = child
    return parts


def network_tail(network, depth):
    """Layers after a hidden layer, as a network of the same kind."""
    tail = copy.copy(network)
    tail.coefs_ = network.coefs_[depth:]
    tail.intercepts_ = network.intercepts_[depth:]
    tail.n_layers_ = len(tail.coefs_) + 1
    tail.n_features_in_ = tail.coefs_[0].shape[0]
    tail.hidden_layer_sizes = tuple(W.shape[1] for W in tail.coefs_[:-1])
    if hasattr(tail, "feature_names_in_"):
        del tail.feature_names_in_
    return tail


# ----- a tail that has learnt nothing -------------------------------------------------


def random_tail(tail, activations, y, rng):
    """The same kind of tail without what it has learnt.

    Weights change places within each layer; a tail without weights is fitted to labels
    in random order.
    """
    if isinstance(tail, TorchTail):
        module = copy.deepcopy(tail.module)
        for parameter in module.parameters():
            order = rng.permutation(parameter.numel())
            flat = parameter.data.reshape(-1)
            parameter.data = flat[order.tolist()].reshape(parameter.shape)
        return TorchTail(module, tail.classes)
    if isinstance(tail, Pipeline):
        many = len(tail.steps) > 1
        before = tail[:-1].transform(activations) if many else activations
        name, last = tail.steps[-1]
        steps = [*tail.steps[:-1], (name, random_tail(last, before, y, rng))]
        return Pipeline(steps)
    for name in ("coefs_", "coef_"):
        weights = getattr(tail, name, None)
        if weights is not None and not sparse.issparse(weights):
            shuffled = copy.copy(tail)
            is_list = isinstance(weights, list)
            layers = [_shuffled(W, rng) for W in (weights if is_list else [weights])]
            setattr(shuffled, name, layers if is_list else layers[0])
            return shuffled
    return clone(tail).fit(activations, rng.permutation(y))


def _shuffled(weights, rng):
    return rng.permutation(weights.ravel()).reshape(weights.shape)


def as_provider_input(tail):
    """What the gradient provider takes for a tail."""
    if isinstance(tail, TorchTail):
        return TorchModel(tail.module, "The tail")
    return EstimatorModel(tail, "The tail")
