"""Outputs of fitted estimators, with their classes aligned."""

import warnings
from typing import NamedTuple

import numpy as np

from sksim.arrays._slices import take_slice
from sksim.base._validation import refuse_mixed_kinds
from sksim.models._answers import Predictions, is_network
from sksim.models._inside import check_estimator, kind_of, tells_labels
from sksim.models._layer import as_vector

_DEFAULT_METHOD = {"labels": "predict", "probabilities": "predict_proba"}
_ALLOWED_METHODS = {
    "labels": ("predict", "predict_proba"),
    "probabilities": ("predict_proba",),
    "outputs": ("predict", "predict_proba", "decision_function"),
}
_CLUSTERERS = ("clusterer", "density_estimator")


class Outputs(NamedTuple):
    """One array for each model, and the classes of their columns (or None)."""

    arrays: list
    classes: object


def model_outputs(estimators, data, *, inputs, response_method=None):
    """Outputs of several fitted estimators on the same rows, ready to be compared.

    Parameters
    ----------
    estimators : sequence of fitted estimators
        Networks as `sksim.models._answers.answered` returns them.
    data : array-like of shape (n_samples, n_features)
    inputs : {"labels", "probabilities", "outputs"}
        What the measure takes.
    response_method : str, default=None
        The method that is called; None: "predict_proba" for probabilities, "predict"
        for labels. Outputs come from "predict_proba" of classifiers and "predict" of
        regressors.

    Returns
    -------
    outputs : Outputs
        Labels or predictions of shape (n_samples,), probabilities or scores of shape
        (n_samples, n_classes) over the union of all estimators' classes.
    """
    estimators = as_list(estimators)
    method = response_method or _DEFAULT_METHOD.get(inputs) or _natural(estimators)
    allowed = _ALLOWED_METHODS[inputs]
    if method not in allowed:
        raise ValueError(
            f"response_method must be one of {allowed} for a measure of {inputs}, got "
            f"{response_method!r}."
        )
    raw = [_call(estimator, method, data) for estimator in estimators]
    if method == "predict":
        names = [f"the predictions of {_name_of(e)}" for e in estimators]
        refuse_mixed_kinds(raw, names)
        if inputs == "labels":
            _refuse_amounts(estimators, raw)
            _warn_of_clusters(estimators)
        return Outputs(raw, None)
    have_classes = any(hasattr(estimator, "classes_") for estimator in estimators)
    if method == "decision_function" and not have_classes:
        return Outputs(raw, None)
    classes = [_classes(estimator) for estimator in estimators]
    union = _union(classes)
    if inputs == "labels":
        labels = [c[np.argmax(p, axis=1)] for c, p in zip(classes, raw, strict=True)]
        return Outputs(labels, union)
    if method == "decision_function":
        _refuse_different(estimators, classes)
        # pairs of classes have more columns, and no names
        are_classes = all(np.shape(r)[1:] in ((), (len(union),)) for r in raw)
        return Outputs(raw, union if are_classes else None)
    aligned = [_spread(p, c, union) for c, p in zip(classes, raw, strict=True)]
    return Outputs(aligned, union)


def as_list(estimators):
    is_model = hasattr(estimators, "predict") or is_network(estimators)
    if is_model or not hasattr(estimators, "__iter__"):
        raise ValueError(
            "estimators must be a list of fitted estimators, got a single "
            f"{type(estimators).__name__}. Pass [a, b, ...]."
        )
    return list(estimators)


def _refuse_amounts(estimators, raw):
    """Labels are no fractions among classes, and no rows of several numbers."""
    are_labels = [tells_labels(estimator) for estimator in estimators]
    for estimator, predicted, is_label in zip(estimators, raw, are_labels, strict=True):
        name = _name_of(estimator)
        if np.ndim(predicted) > 1:
            raise ValueError(
                f"{name} predicts {np.shape(predicted)[1]} numbers for each row, which "
                "are no labels. Compare them by measures of outputs, such as "
                "RankCorrelation, or as representations."
            )
        if is_label or not any(are_labels):
            continue
        numbers = np.asarray(predicted)
        if numbers.dtype.kind == "f" and np.any(numbers % 1):
            raise ValueError(
                f"{name} predicts fractions, and another of the models labels: they "
                "can't agree. Choose models of one kind."
            )


def _warn_of_clusters(estimators):
    """Numbers of clusters are no names that another model knows."""
    names = [type(e).__name__ for e in estimators if kind_of(e) in _CLUSTERERS]
    are_several = any(estimator is not estimators[0] for estimator in estimators)
    if names and are_several:
        warnings.warn(
            f"{names[0]} numbers its clusters in an order of its own: labels of two "
            "such models disagree even where the clusters are the same. Match the "
            "numbers first, or compare the models' representations.",
            UserWarning,
            stacklevel=2,
        )


def _natural(estimators):
    kinds = {kind_of(e) or "regressor": _name_of(e) for e in estimators}
    if {"classifier", "regressor"} <= set(kinds):
        raise ValueError(
            f"{kinds['classifier']} and {kinds['regressor']} are classifiers and "
            "regressors, whose outputs can't be compared. Choose models of one kind."
        )
    clusterers = [kinds[kind] for kind in _CLUSTERERS if kind in kinds]
    if clusterers:
        raise ValueError(
            f"{clusterers[0]} predicts numbers of clusters, which are names and no "
            "amounts. Compare the models' representations."
        )
    return {
        ("classifier",): "predict_proba",
        ("outlier_detector",): "decision_function",
    }.get(tuple(kinds), "predict")


def _name_of(estimator):
    is_network = isinstance(estimator, Predictions)
    return estimator.name if is_network else type(estimator).__name__


def _call(estimator, method, data):
    name = type(estimator).__name__
    # a Booster takes matrices of its own library only
    if name == "Booster" or isinstance(estimator, type):
        check_estimator(estimator, "a model")
    if not hasattr(estimator, method):
        if isinstance(estimator, Predictions):
            estimator.refuse(method)
        advice = (
            "wrap it in sklearn.calibration.CalibratedClassifierCV, or choose a "
            "measure of labels such as Disagreement"
            if method == "predict_proba" and kind_of(estimator) == "classifier"
            else "choose another response_method or another measure"
        )
        raise ValueError(f"{name} has no method {method}: {advice}.")
    output = getattr(estimator, method)(data)
    several = _several_labels(estimator, method, output, data)
    if several:
        raise ValueError(
            f"{name} predicts {several} labels for each row: compare the models label "
            "by label, by passing to fit what sksim.models.extract_outputs gives of "
            "each, labels[:, 0] or probabilities[0] and so on."
        )
    return as_vector(output) if method == "predict" else output


def _several_labels(estimator, method, output, data):
    """Number of labels that a classifier predicts for each row, if more than one."""
    if isinstance(output, list):
        return len(output)
    is_network = isinstance(estimator, Predictions)
    if is_network or kind_of(estimator) != "classifier":
        return 0
    if method != "predict" and hasattr(estimator, "fit"):
        # a column for each label looks like one for each class
        output = estimator.predict(take_slice(data, slice(0, 1)))
    output = as_vector(output)
    return output.shape[1] if output.ndim == 2 else 0


def _classes(estimator):
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise ValueError(
            f"{type(estimator).__name__} has no classes_, so that its columns can't be "
            "named. Pass the arrays to fit instead."
        )
    return np.asarray(classes)


def _union(classes):
    if len({c.dtype.kind in "UO" for c in classes}) > 1:
        raise ValueError(
            "The estimators' classes_ are of different kinds (text and numbers), so "
            "that they can't be aligned. Encode the labels alike before training."
        )
    union = np.unique(np.concatenate(classes))
    if len(classes) > 1 and len(union) == sum(len(c) for c in classes):
        raise ValueError(
            "The estimators have no class in common, so that their probabilities "
            "can't be compared."
        )
    return union


def _refuse_different(estimators, classes):
    for estimator, own in zip(estimators, classes, strict=True):
        if not np.array_equal(own, classes[0]):
            raise ValueError(
                f"{_name_of(estimators[0])} and {_name_of(estimator)} were "
                "trained on different classes: a class that a model never saw has "
                "probability zero, but no decision score. Use "
                "response_method='predict_proba'."
            )


def _spread(probabilities, classes, union):
    if np.array_equal(classes, union):
        return probabilities
    probabilities = np.asarray(probabilities)
    aligned = np.zeros((len(probabilities), len(union)), dtype=probabilities.dtype)
    aligned[:, np.searchsorted(union, classes)] = probabilities
    return aligned


def columns_of(y_true, n_columns, labels, *, name="labels"):
    """Column that belongs to each true label.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples,)
    n_columns : int
        Number of classes that the outputs have columns for.
    labels : array-like of shape (n_columns,) or None
        Class of each column. None: the sorted classes in ``y_true`` where they are as
        many as the columns, else the numbers 0, 1, ... where ``y_true`` holds these.
    name : str, default="labels"
        What error messages call ``labels``.

    Returns
    -------
    columns : ndarray of int of shape (n_samples,)
    classes : ndarray of shape (n_columns,)
    """
    seen = np.unique(y_true)
    if labels is not None:
        classes = np.asarray(labels)
    elif len(seen) == n_columns:
        classes = seen
    else:
        classes = np.arange(n_columns)
    if len(classes) != n_columns or not np.isin(seen, classes).all():
        raise ValueError(
            f"y_true has the classes {seen.tolist()[:10]}, and the outputs have "
            f"{n_columns} columns: pass {name}=[...] with the class of each column, "
            "or use from_estimators."
        )
    order = np.argsort(classes)
    return order[np.searchsorted(classes, y_true, sorter=order)], classes
