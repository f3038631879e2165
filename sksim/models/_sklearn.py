"""Layers of fitted scikit-learn models.

Each kind of model has one function that returns its layers, from input to output. A
layer is computed when it is asked for; what several layers need is computed once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier, is_regressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    RandomTreesEmbedding,
)
from sklearn.gaussian_process import (
    GaussianProcessClassifier,
    GaussianProcessRegressor,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from sklearn.tree import BaseDecisionTree
from sklearn.utils.validation import check_is_fitted, validate_data

from sksim._sklearn_compat import (
    BaseGradientBoosting,
    BaseHistGradientBoosting,
    ForestClassifier,
    ForestRegressor,
    KNeighborsMixin,
)
from sksim.models._inside import active_steps, best_model
from sksim.models._networks import MLP, hidden_activations, hidden_names


@dataclass(frozen=True)
class Layer:
    """A layer of a model: how to compute it, and whether only if asked for."""

    compute: Callable
    on_request: bool = False


def sklearn_layers(model, data):
    """Layers of a fitted scikit-learn model, from input to output.

    Parameters
    ----------
    model : fitted estimator
    data : array-like of shape (n_samples, n_features)

    Returns
    -------
    layers : dict of str to Layer
    """
    return _layers(model, lambda: data)


def sklearn_outputs(model, data):
    """Predictions of a fitted scikit-learn model, by kind."""
    model = _unwrap(model)
    _check_model(model)
    outputs = {}
    if is_classifier(model):
        outputs["labels"] = model.predict(data)
        if hasattr(model, "predict_proba"):
            probabilities = model.predict_proba(data)
            if isinstance(probabilities, list):
                raise ValueError(
                    f"{type(model).__name__} predicts {len(probabilities)} targets at "
                    "once, each with probabilities of its own. Compare one target at "
                    "a time, with the columns of predict(data) as labels."
                )
            outputs["probabilities"] = probabilities
        if hasattr(model, "decision_function"):
            outputs["scores"] = model.decision_function(data)
    elif hasattr(model, "predict"):
        outputs["predictions"] = model.predict(data)
    elif hasattr(model, "transform"):
        outputs["transform"] = _dense(model.transform(data))
    else:
        raise ValueError(
            f"{type(model).__name__} has neither predict nor transform, so that it has "
            "no outputs to compare."
        )
    return outputs


def _layers(model, rows):
    """Layers of a model on ``rows()``, which is called when a layer is computed."""
    model = _unwrap(model)
    if isinstance(model, Pipeline):
        return _pipeline_layers(model, rows)
    _check_model(model)
    layers = {}
    for kinds, layers_of_kind in _KINDS:
        if isinstance(model, kinds):
            layers = layers_of_kind(model, rows)
            break
    layers.update(_answer_layers(model, rows))
    if not layers:
        raise ValueError(
            f"{type(model).__name__} has no transform, decision_function or predict, "
            "so that it has no representation to extract."
        )
    return layers


def _check_model(model):
    if not any(hasattr(model, m) for m in ("predict", "transform", "fit")):
        raise ValueError(
            "model must be a fitted scikit-learn estimator or a torch.nn.Module, got "
            f"{type(model).__name__}."
        )
    check_is_fitted(model)


def _unwrap(model):
    """The model that a search or a target transformer stands for."""
    model = best_model(model)
    if hasattr(model, "regressor_"):
        return _unwrap(model.regressor_)
    if hasattr(model, "param_grid") or hasattr(model, "param_distributions"):
        check_is_fitted(model, "best_estimator_")
    return model


def _dense(output):
    if sparse.issparse(output):
        return output.toarray()
    return np.asarray(output)


def _columns(output):
    """Outputs as a matrix: one output is one column, several targets side by side."""
    if isinstance(output, list):
        return np.hstack(output)
    output = _dense(output)
    return output[:, None] if output.ndim == 1 else output


# ----- kinds of models --------------------------------------------------------------


def _pipeline_layers(pipeline, rows):
    check_is_fitted(pipeline)
    layers = {}
    for name, step in active_steps(pipeline.steps[:-1]):
        rows = cache(partial(_apply, step, rows))
        layers[name] = Layer(lambda rows=rows: _columns(rows()))
    for name, step in active_steps(pipeline.steps[-1:]):
        inner = _layers(step, rows)
        if set(inner) == {"transform"}:
            layers[name] = inner["transform"]
        else:
            layers |= {f"{name}.{key}": layer for key, layer in inner.items()}
    return layers


def _apply(step, rows):
    return step.transform(rows())


def _mlp_layers(mlp, rows):
    """Hidden layers after their activation function."""

    @cache
    def hidden():
        X = validate_data(mlp, rows(), accept_sparse=["csr", "csc"], reset=False)
        return list(hidden_activations(mlp, X))

    return {
        name: Layer(lambda i=i: hidden()[i]) for i, name in enumerate(hidden_names(mlp))
    }


def _forest_layers(forest, rows):
    """Prediction of each tree, and the leaves that a row falls into."""
    trees = forest.estimators_

    def predictions():
        X = _as_trees_take(rows())
        return np.hstack([_tree_values(tree, X) for tree in trees])

    return {
        "trees": Layer(predictions),
        "leaves": Layer(lambda: _one_hot_leaves(trees, rows()), on_request=True),
    }


def _tree_values(tree, X):
    """What a tree predicts: shares of classes, or means of the target."""
    values = tree.tree_.value[tree.apply(X)]
    return values.reshape(X.shape[0], -1)


def _as_trees_take(X):
    """Rows without the names of columns, which a forest's trees don't know."""
    return sparse.csr_array(X) if sparse.issparse(X) else np.asarray(X)


def _one_hot_leaves(trees, X):
    """One column for each leaf of each tree, in single precision."""
    X = _as_trees_take(X)
    blocks = []
    for tree in trees:
        is_leaf = tree.tree_.children_left == -1
        column = np.cumsum(is_leaf) - 1
        block = np.zeros((X.shape[0], int(is_leaf.sum())), dtype=np.float32)
        block[np.arange(X.shape[0]), column[tree.apply(X)]] = 1
        blocks.append(block)
    return np.hstack(blocks)


def _boosting_layers(model, rows):
    """What each stage adds to the decision function."""

    def stages():
        staged = getattr(model, "staged_decision_function", model.staged_predict)
        running = [_columns(total).copy() for total in staged(rows())]
        return np.hstack([running[0], *np.diff(np.stack(running), axis=0)])

    layers = {"stages": Layer(stages)}
    if isinstance(model, BaseGradientBoosting):
        trees = np.ravel(model.estimators_)
        layers["leaves"] = Layer(
            lambda: _one_hot_leaves(trees, rows()), on_request=True
        )
    return layers


def _tree_layers(tree, rows):
    return {"leaves": Layer(lambda: _one_hot_leaves([tree], rows()))}


def _svm_layers(svm, rows):
    """Kernel values between rows and support vectors."""
    return {"kernel": Layer(lambda: _svm_kernel(svm, rows()))}


def _svm_kernel(svm, X):
    if svm.kernel == "precomputed":
        return np.asarray(X)[:, svm.support_]
    if callable(svm.kernel):
        raise ValueError(
            f"The kernel layer of {type(svm).__name__} with a callable kernel is not "
            "available, since the support vectors are not kept. Ask for "
            "layers=['decision_function', 'output']."
        )
    # the width that gamma="scale" or "auto" stood for in fit
    gamma = getattr(svm, "_gamma", svm.gamma)
    return pairwise_kernels(
        _dense(X),
        _dense(svm.support_vectors_),
        metric=svm.kernel,
        filter_params=True,
        gamma=gamma,
        degree=svm.degree,
        coef0=svm.coef0,
    )


def _kernel_ridge_layers(model, rows):
    """Kernel values between rows and training rows."""

    def kernel():
        if callable(model.kernel):
            params = model.kernel_params or {}
        else:
            params = {
                "gamma": model.gamma,
                "degree": model.degree,
                "coef0": model.coef0,
            }
        return pairwise_kernels(
            rows(), model.X_fit_, metric=model.kernel, filter_params=True, **params
        )

    return {"kernel": Layer(kernel)}


def _gaussian_process_layers(model, rows):
    """Kernel values between rows and training rows; of classes, those of each pair."""

    def kernel():
        machines = [model]
        if is_classifier(model):
            inner = model.base_estimator_
            machines = getattr(inner, "estimators_", [inner])
        X = _dense(rows())
        return np.hstack([m.kernel_(X, m.X_train_) for m in machines])

    return {"kernel": Layer(kernel)}


def _ensemble_layers(model, rows):
    """Prediction of each member."""

    def predictions():
        X = _dense(rows())
        everything = [slice(None)] * len(model.estimators_)
        features = getattr(model, "estimators_features_", everything)
        return np.hstack(
            [
                _columns(getattr(member, "predict_proba", member.predict)(X[:, chosen]))
                for member, chosen in zip(model.estimators_, features, strict=True)
            ]
        )

    return {"members": Layer(predictions)}


def _neighbor_layers(model, rows):
    def graph():
        return model.kneighbors_graph(rows(), mode="connectivity").toarray()

    return {"neighbors": Layer(graph, on_request=True)}


def _answer_layers(model, rows):
    """What a model makes of rows in the end: a transformation, scores, predictions."""
    layers = {}
    if hasattr(model, "transform"):
        layers["transform"] = Layer(lambda: _columns(model.transform(rows())))
    if hasattr(model, "decision_function"):
        layers["decision_function"] = Layer(
            lambda: _columns(model.decision_function(rows()))
        )
    if hasattr(model, "predict_proba"):
        layers["output"] = Layer(lambda: _columns(model.predict_proba(rows())))
    elif is_regressor(model):
        layers["output"] = Layer(lambda: _columns(model.predict(rows())))
    return layers


_KINDS = [
    (MLP, _mlp_layers),
    ((SVC, SVR, NuSVC, NuSVR, OneClassSVM), _svm_layers),
    (KernelRidge, _kernel_ridge_layers),
    ((GaussianProcessClassifier, GaussianProcessRegressor), _gaussian_process_layers),
    (
        (AdaBoostClassifier, AdaBoostRegressor, BaggingClassifier, BaggingRegressor),
        _ensemble_layers,
    ),
    (BaseDecisionTree, _tree_layers),
    ((BaseGradientBoosting, BaseHistGradientBoosting), _boosting_layers),
    ((ForestClassifier, ForestRegressor, RandomTreesEmbedding), _forest_layers),
    (KNeighborsMixin, _neighbor_layers),
]
