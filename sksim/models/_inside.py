"""Models inside other models: searches, Pipelines, ensembles."""

import numpy as np
from sklearn.base import BaseEstimator


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
