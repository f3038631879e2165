"""Layers of fitted scikit-learn models.

Each kind of model has one function that returns its layers, from input to output. A
layer is computed when it is asked for; what several layers need is computed once.
"""

from functools import cache, partial

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    IsolationForest,
    RandomTreesEmbedding,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import (
    GaussianProcessClassifier,
    GaussianProcessRegressor,
)
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics.pairwise import pairwise_kernels
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
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
from sksim.models._boosters import booster_layers, is_booster
from sksim.models._inside import (
    active_steps,
    best_model,
    check_estimator,
    last_model,
    tells_labels,
)
from sksim.models._layer import (
    ANSWER,
    BEFORE,
    OWN,
    Layer,
    NoRepresentation,
    as_vector,
    columns,
    dense,
)
from sksim.models._networks import MLP, hidden_activations, hidden_names


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
    layers = _layers(model, lambda: data)
    if not layers:
        raise NoRepresentation(_why_nothing(model))
    return layers


def representation_layer(model, data):
    """Name of the layer that stands for a model: its last before its answer.

    What the steps before the model make of the rows is none of it: two models with
    the same scaler would be found alike, whatever they learnt.
    """
    layers = sklearn_layers(model, data)
    shown = {n: layer for n, layer in layers.items() if not layer.on_request}
    own = [name for name, layer in shown.items() if layer.role == OWN]
    answers = [name for name, layer in shown.items() if layer.role == ANSWER]
    if not own and not answers:
        raise NoRepresentation(_why_nothing(model))
    return own[-1] if own else answers[0]


def computed(layers, names, *, by_name):
    """Arrays of some layers; those of text are refused if they were asked for.

    Parameters
    ----------
    layers : dict of str to Layer
    names : sequence of str
    by_name : bool
        Whether these layers were asked for, or all.
    """
    arrays = {name: _as_numbers(layers[name].compute()) for name in names}
    text = [n for n, array in arrays.items() if array.dtype.kind not in "biufc"]
    if text and by_name:
        raise NoRepresentation(
            f"Layer {text[0]!r} holds text or other objects, which are no "
            "representation. Ask for a layer after the step that encodes them."
        )
    return {name: array for name, array in arrays.items() if name not in text}


def _as_numbers(array):
    """Numbers among other objects as numbers, if they all are."""
    if array.dtype != object:
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return array


def _why_nothing(model):
    model = last_model(model)
    name = type(model).__name__
    if hasattr(model, "predict"):
        return (
            f"{name} only predicts: it has no hidden layer, decision function or "
            "probabilities that would be its representation. Compare its labels, by "
            "measures such as Disagreement."
        )
    return (
        f"{name} has no transform, decision_function or predict for new rows, so that "
        "it has no representation to extract."
    )


# ----- outputs ------------------------------------------------------------------------


def sklearn_outputs(model, data):
    """Predictions of a fitted scikit-learn model, by kind.

    They are those of the outermost model: of a search, a threshold, a target in other
    units. Of several targets each has probabilities of its own.
    """
    check_estimator(model)
    outputs = _predictions(model, data) if hasattr(model, "predict") else {}
    if hasattr(model, "predict_proba"):
        is_multilabel = np.ndim(outputs.get("labels")) == 2
        outputs |= _probabilities(model, data, is_multilabel=is_multilabel)
    if hasattr(model, "decision_function"):
        outputs["scores"] = np.asarray(model.decision_function(data))
    if not outputs and hasattr(model, "transform"):
        outputs["transform"] = dense(model.transform(data))
    if not outputs and hasattr(model, "score_samples"):
        outputs["scores"] = np.asarray(model.score_samples(data))
    if not outputs:
        raise ValueError(
            f"{type(model).__name__} has neither predict nor transform, so that it has "
            "no outputs to compare."
        )
    return outputs


def _predictions(model, data):
    name = "labels" if tells_labels(model) else "predictions"
    return {name: as_vector(model.predict(data))}


def _probabilities(model, data, *, is_multilabel):
    probabilities = model.predict_proba(data)
    if isinstance(probabilities, list):
        return {f"probabilities[{t}]": P for t, P in enumerate(probabilities)}
    probabilities = dense(probabilities)
    if not is_multilabel:
        return {"probabilities": probabilities}
    # a column of each label holds the probability that a row has it
    return {
        f"probabilities[{t}]": np.column_stack([1 - p, p])
        for t, p in enumerate(probabilities.T)
    }


# ----- layers -------------------------------------------------------------------------


def _layers(model, rows):
    """Layers of a model on ``rows()``, which is called when a layer is computed."""
    model = _unwrap(model)
    if isinstance(model, Pipeline):
        return _pipeline_layers(model, rows)
    check_estimator(model)
    layers = {}
    for is_kind, layers_of_kind in _KINDS:
        if is_kind(model):
            layers = layers_of_kind(model, rows)
            break
    for name, layer in _answer_layers(model, rows).items():
        layers.setdefault(name, layer)
    return layers


def _unwrap(model):
    """The model that stands behind a search or a frozen model."""
    model = best_model(model)
    if isinstance(model, FrozenEstimator):
        return _unwrap(model.estimator)
    if hasattr(model, "param_grid") or hasattr(model, "param_distributions"):
        check_is_fitted(model, "best_estimator_")
    return model


# ----- kinds of models ----------------------------------------------------------------


def _pipeline_layers(pipeline, rows):
    check_is_fitted(pipeline)
    steps = active_steps(pipeline.steps)
    # a last step that passes rows through leaves the one before as the model
    *before, (last, model) = steps or [("passthrough", FunctionTransformer())]
    layers = {}
    for name, step in before:
        if not hasattr(step, "transform"):
            continue  # it drew training rows, and has nothing to do with new ones
        rows = cache(partial(_apply, step, rows))
        layers[name] = Layer(lambda rows=rows: columns(rows()), role=BEFORE)
    inner = _layers(model, rows)
    if set(inner) == {"transform"}:
        return layers | {last: inner["transform"]}
    return layers | {f"{last}.{key}": layer for key, layer in inner.items()}


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


def _isolation_layers(forest, rows):
    def leaves():
        X = _as_trees_take(rows())
        members = zip(forest.estimators_, forest.estimators_features_, strict=True)
        return np.hstack([_one_hot_leaves([tree], X[:, own]) for tree, own in members])

    return {"leaves": Layer(leaves, on_request=True)}


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
        running = [columns(total).copy() for total in staged(rows())]
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
    is_known = not callable(svm.kernel)
    return {"kernel": Layer(lambda: _svm_kernel(svm, rows()), on_request=not is_known)}


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
        dense(X),
        dense(svm.support_vectors_),
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
        X = dense(rows())
        return np.hstack([m.kernel_(X, m.X_train_) for m in machines])

    return {"kernel": Layer(kernel)}


def _ensemble_layers(model, rows):
    """Prediction of each member."""

    def predictions():
        X = dense(rows())
        everything = [slice(None)] * len(model.estimators_)
        features = getattr(model, "estimators_features_", everything)
        return np.hstack(
            [
                columns(_answer_of(member)(X[:, chosen]))
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
    if hasattr(model, "transform") and not isinstance(model, _MEMBERS_ARE_TRANSFORM):
        layers["transform"] = Layer(lambda: columns(model.transform(rows())))
    for name, method in _answer_methods(model).items():
        layers[name] = Layer(
            lambda method=method: columns(getattr(model, method)(rows())), role=ANSWER
        )
    return layers


def _answer_methods(model):
    methods = {}
    if hasattr(model, "decision_function"):
        methods["decision_function"] = "decision_function"
    if hasattr(model, "predict_proba"):
        methods["output"] = "predict_proba"
    elif hasattr(model, "predict") and not tells_labels(model):
        methods["output"] = "predict"
    if not (methods or hasattr(model, "transform")) and hasattr(model, "score_samples"):
        methods["score_samples"] = "score_samples"
    return methods


# ----- wrappers -----------------------------------------------------------------------


def _wrapper_layers(model, rows):
    """Layers of the one model inside, without its answers in other units."""
    inner = next(getattr(model, name) for name in _INNER if hasattr(model, name))
    if isinstance(model, SelectorMixin):
        selected = cache(partial(_apply, model, rows))
        before = {"transform": Layer(lambda: columns(selected()), role=BEFORE)}
        return before | _without_output(_layers(inner, selected))
    return _without_output(_layers(inner, _as_handed_on(rows, model, inner)))


def _as_handed_on(rows, model, inner):
    """Rows without the names of columns, where the model keeps these from its inner."""
    has_names = [hasattr(m, "feature_names_in_") for m in (model, inner)]
    return (lambda: np.asarray(rows())) if has_names == [True, False] else rows


# attributes that hold the one model inside
_INNER = ("regressor_", "estimator_")


def _is_wrapper(model):
    """Whether one model inside sees the same rows, or a selection of their columns."""
    if not hasattr(model, "predict") or hasattr(model, "estimators_"):
        return False
    inner = [getattr(model, name) for name in _INNER if hasattr(model, name)]
    widths = [getattr(m, "n_features_in_", None) for m in (model, *inner)]
    return bool(inner) and (isinstance(model, SelectorMixin) or len(set(widths)) == 1)


def _without_output(layers):
    return {
        name: layer
        for name, layer in layers.items()
        if layer.role != ANSWER or name.split(".")[-1] != "output"
    }


def _calibrated_layers(model, rows):
    """Layers of the calibrated model, or probabilities of each of several."""
    members = model.calibrated_classifiers_
    if len(members) == 1:
        inner = members[0].estimator
        return _without_output(_layers(inner, _as_handed_on(rows, model, inner)))
    return _member_layers([member.predict_proba for member in members], rows)


def _voting_layers(model, rows):
    return _member_layers([_answer_of(m) for m in model.estimators_], rows)


def _member_layers(answers, rows):
    def members():
        X = rows()
        return np.hstack([columns(answer(X)) for answer in answers])

    return {"members": Layer(members)}


def _answer_of(model):
    """A model's probabilities, scores, or predictions with labels as 0 and 1."""
    for method in ("predict_proba", "decision_function"):
        if hasattr(model, method):
            return getattr(model, method)
    if not tells_labels(model):
        return model.predict
    return lambda X: model.predict(X)[:, None] == model.classes_


def _stacking_layers(model, rows):
    """What the members say, and the layers of the model that they are handed to."""
    handed = cache(partial(_apply, model, rows))

    def members():
        found = columns(handed())
        return found[:, : found.shape[1] - columns(rows()).shape[1]]

    name = "final_estimator"
    layers = {
        f"{name}.{key}": layer
        for key, layer in _layers(model.final_estimator_, handed).items()
        if layer.role != ANSWER
    }
    if not model.passthrough:
        return {"members": Layer(lambda: columns(handed()))} | layers
    return {"members": Layer(members)} | layers


_MEMBERS_ARE_TRANSFORM = (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)


def _is(*classes):
    return lambda model: isinstance(model, classes)


_KINDS = [
    (_is(MLP), _mlp_layers),
    (_is(SVC, SVR, NuSVC, NuSVR, OneClassSVM), _svm_layers),
    (_is(KernelRidge), _kernel_ridge_layers),
    (
        _is(GaussianProcessClassifier, GaussianProcessRegressor),
        _gaussian_process_layers,
    ),
    (
        _is(AdaBoostClassifier, AdaBoostRegressor, BaggingClassifier, BaggingRegressor),
        _ensemble_layers,
    ),
    (_is(BaseDecisionTree), _tree_layers),
    (_is(BaseGradientBoosting, BaseHistGradientBoosting), _boosting_layers),
    (_is(ForestClassifier, ForestRegressor, RandomTreesEmbedding), _forest_layers),
    (_is(IsolationForest), _isolation_layers),
    (_is(KNeighborsMixin), _neighbor_layers),
    (_is(CalibratedClassifierCV), _calibrated_layers),
    (_is(VotingClassifier, VotingRegressor), _voting_layers),
    (_is(StackingClassifier, StackingRegressor), _stacking_layers),
    (is_booster, booster_layers),
    (_is_wrapper, _wrapper_layers),
]
