"""Outputs of fitted estimators, with their classes aligned."""

import numpy as np
from sklearn.base import is_classifier

_DEFAULT_METHOD = {"labels": "predict", "probabilities": "predict_proba"}


def model_outputs(estimators, X, *, inputs, response_method=None):
    """Outputs of several fitted estimators on the same rows, ready to be compared.

    Parameters
    ----------
    estimators : sequence of fitted estimators
    X : array-like of shape (n_samples, n_features)
    inputs : {"labels", "probabilities", "outputs"}
        What the measure takes.
    response_method : str, default=None
        The method that is called; None: "predict_proba" for probabilities, else
        "predict".

    Returns
    -------
    outputs : list of arrays
        Labels of shape (n_samples,), probabilities of shape (n_samples, n_classes)
        over the union of all estimators' classes.
    """
    method = response_method or _DEFAULT_METHOD.get(inputs, "predict")
    allowed = {
        "labels": ("predict", "predict_proba"),
        "probabilities": ("predict_proba",),
    }.get(inputs, ("predict", "predict_proba", "decision_function"))
    if method not in allowed:
        raise ValueError(
            f"response_method must be one of {allowed} for a measure of {inputs}, got "
            f"{response_method!r}."
        )
    raw = [_call(estimator, method, X) for estimator in estimators]
    if method == "predict":
        return raw
    classes = [_classes(estimator) for estimator in estimators]
    if inputs == "labels":
        return [c[np.argmax(p, axis=1)] for c, p in zip(classes, raw, strict=True)]
    if method == "decision_function":
        return raw
    union = _union(classes)
    return [_spread(p, c, union) for c, p in zip(classes, raw, strict=True)]


def _call(estimator, method, X):
    name = type(estimator).__name__
    if not hasattr(estimator, method):
        advice = (
            "wrap it in sklearn.calibration.CalibratedClassifierCV, or choose a "
            "measure of labels such as Disagreement"
            if method == "predict_proba" and is_classifier(estimator)
            else "choose another response_method or another measure"
        )
        raise ValueError(f"{name} has no method {method}: {advice}.")
    output = getattr(estimator, method)(X)
    if isinstance(output, list):
        raise ValueError(
            f"{name} has several outputs: compare the models output by output, by "
            "passing the arrays to fit."
        )
    return output


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
    if len(union) == sum(len(c) for c in classes):
        raise ValueError(
            "The estimators have no class in common, so that their probabilities "
            "can't be compared."
        )
    return union


def _spread(probabilities, classes, union):
    probabilities = np.asarray(probabilities)
    if len(classes) == len(union):
        return probabilities
    aligned = np.zeros((len(probabilities), len(union)), dtype=probabilities.dtype)
    aligned[:, np.searchsorted(union, classes)] = probabilities
    return aligned
