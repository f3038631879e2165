"""What two arrays, or two models, offer to measures: kinds of input."""

from dataclasses import dataclass

import numpy as np

from sksim.extract import extract_outputs, extract_representations
from sksim.utils._outputs import model_outputs
from sksim.utils._sklearn_compat import num_samples

_SIMPLEX_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Inputs:
    """Two inputs of one kind, and what they are."""

    description: str
    x: object
    y: object

    def arguments(self, arity):
        """Arguments of ``fit``: for a measure of groups both are stacked."""
        if arity == "pair":
            return self.x, self.y
        return np.stack([np.asarray(self.x), np.asarray(self.y)], axis=1), None


def offered_inputs(a, b):
    """Inputs of two arrays by kind: what a vector or matrix can be taken for.

    Parameters
    ----------
    a, b : array-like

    Returns
    -------
    inputs : dict of str to Inputs
    """
    for name, array in (("a", a), ("b", b)):
        if hasattr(array, "fit") or hasattr(array, "named_modules"):
            raise ValueError(
                f"{name} is a model ({type(array).__name__}): pass X as well, the "
                "rows that both models are applied to."
            )
    a, b = _as_array(a), _as_array(b)
    if num_samples(a) != num_samples(b):
        raise ValueError(
            f"a has {num_samples(a)} rows and b has {num_samples(b)}: both must "
            "describe the same inputs, in the same order."
        )
    if a.ndim == 1 and b.ndim == 1 and _is_labels(a) and _is_labels(b):
        return {"labels": Inputs("labels", a, b)}
    a, b = _as_columns(a), _as_columns(b)
    inputs = {"representation": Inputs("representations", a, b)}
    if _is_probabilities(a) and _is_probabilities(b) and a.shape == b.shape:
        inputs["probabilities"] = Inputs("probabilities", a, b)
        inputs["outputs"] = inputs["probabilities"]
    return inputs


def _as_array(array):
    """Lists become arrays; tables and tensors stay what they are."""
    if hasattr(array, "shape") and hasattr(array, "ndim"):
        return array
    return np.asarray(array)


def _as_columns(array):
    return array.reshape(-1, 1) if array.ndim == 1 else array


def _is_labels(array):
    kind = getattr(array.dtype, "kind", None)
    return kind in "biuOSUT" if kind else "int" in str(array.dtype)


def _is_probabilities(array):
    if array.ndim != 2 or array.shape[1] < 2:
        return False
    values = np.asarray(array)
    if values.dtype.kind != "f" or not np.all(values >= 0):
        return False
    return bool(np.all(np.abs(values.sum(axis=1) - 1) <= _SIMPLEX_TOLERANCE))


# Layers that are a model's answer, rather than what it is made of.
_OUTPUT_LAYERS = ("output", "decision_function")


def model_inputs(a, b, X, y_true=None):
    """Inputs of two fitted models by kind, made by applying both to X.

    Parameters
    ----------
    a, b : fitted models
    X : array-like of shape (n_samples, n_features)
    y_true : array-like, default=None

    Returns
    -------
    inputs : dict of str to Inputs
    """
    inputs = {}
    name_a, layer_a = last_representation(a, X)
    name_b, layer_b = last_representation(b, X)
    description = name_a if name_a == name_b else f"{name_a} / {name_b}"
    inputs["representation"] = Inputs(description, layer_a, layer_b)
    outputs_a, outputs_b = extract_outputs(a, X), extract_outputs(b, X)
    if "labels" in outputs_a and "labels" in outputs_b:
        inputs["labels"] = Inputs("labels", outputs_a["labels"], outputs_b["labels"])
    if "probabilities" in outputs_a and "probabilities" in outputs_b:
        # columns of the same classes, also where one model never saw a class
        both = model_outputs((a, b), X, inputs="probabilities")
        inputs["probabilities"] = Inputs("probabilities", *both.arrays)
        inputs["outputs"] = inputs["probabilities"]
    elif "predictions" in outputs_a and "predictions" in outputs_b:
        predictions = outputs_a["predictions"], outputs_b["predictions"]
        inputs["outputs"] = Inputs("predictions", *predictions)
    return inputs


def last_representation(model, X):
    """Name and array of a model's last layer before its answer."""
    layers = extract_representations(model, X)
    hidden = [n for n in layers if n.split(".")[-1] not in _OUTPUT_LAYERS]
    name = hidden[-1] if hidden else next(iter(layers))
    return name, layers[name]
