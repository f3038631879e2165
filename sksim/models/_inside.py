"""Models inside other models: searches, Pipelines, ensembles."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted


def best_model(model):
    """The model that a search stands for; any other stands for itself."""
    while hasattr(model, "best_estimator_"):
        model = model.best_estimator_
    return model


def active_steps(steps):
    """Steps of a Pipeline, as (name, step), that do something."""
    return [
        (name, step)
        for name, step in steps
        if step is not None and step != "passthrough"
    ]


def last_model(model):
    """The model behind searches and at the end of Pipelines."""
    model = best_model(model)
    while isinstance(model, Pipeline) and active_steps(model.steps):
        model = best_model(active_steps(model.steps)[-1][1])
    return model


def kind_of(model):
    """What a model is by its type: "classifier", "regressor", "clusterer", ... or None.

    Regressors of some libraries have a method or attribute of classifiers too, so that
    these are asked only where the type says nothing.
    """
    try:
        kind = get_tags(model).estimator_type
    except (AttributeError, TypeError):  # from before there were tags, or by no base
        kind = None
    kind = kind or getattr(model, "_estimator_type", None)
    if kind is None and _has_classes(model):
        return "classifier"
    return kind


def _has_classes(model):
    classes = getattr(model, "classes_", None)
    return classes is not None and len(classes) > 0


def tells_labels(model):
    """Whether a model's predictions are names: of classes, clusters, outliers."""
    kinds = ("classifier", "clusterer", "outlier_detector", "density_estimator")
    return kind_of(model) in kinds


def predicts_several_labels(classifier):
    """Whether a fitted classifier gives each row several labels, as far as it says."""
    model = best_model(classifier)
    while isinstance(model, Pipeline):
        model = best_model(active_steps(model.steps)[-1][1])
    binarizer = getattr(
        model, "_label_binarizer", getattr(model, "label_binarizer_", 0)
    )
    return isinstance(getattr(model, "classes_", None), list) or getattr(
        binarizer, "y_type_", ""
    ).startswith("multilabel")


def check_estimator(model, name="model"):
    """Raise unless this is a fitted estimator in the manner of scikit-learn.

    Parameters
    ----------
    model : object
    name : str, default="model"
        What messages call it.
    """
    if isinstance(model, type):
        raise ValueError(
            f"{name} is the class {model.__name__}: pass a fitted instance of it."
        )
    if not hasattr(model, "fit"):
        raise ValueError(
            f"{name} must be a fitted scikit-learn estimator or a torch.nn.Module, got "
            f"{type(model).__name__}. Any other model, such as a native Booster, is "
            "wrapped by sksim.models.CallableModel, with the function of a batch that "
            "gives its outputs."
        )
    try:
        get_tags(model)
    except (AttributeError, TypeError):
        return  # of no base class of scikit-learn's, which knows whether it is fitted
    check_is_fitted(model)


def inner_models(model):
    """Fitted models inside a model: steps, members of an ensemble, the best one."""
    for name, value in getattr(model, "__dict__", {}).items():
        if name == "steps":
            value = [step for _, step in value]
        elif not (name.endswith("_") or name == "estimator"):
            continue
        members = np.ravel(value) if isinstance(value, np.ndarray) else value
        members = members if isinstance(members, list | tuple) else [value]
        for member in members:
            calibrated = hasattr(member, "calibrators")
            if isinstance(member, BaseEstimator) or calibrated:
                yield member
