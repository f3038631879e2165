"""Fitted models behind one interface, whatever library they come from."""

import copy
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import log_softmax
from sklearn.utils import check_array

from sksim._sklearn_compat import get_feature_names
from sksim.base._readable import readable
from sksim.models._adapters import adapted, is_adaptable
from sksim.models._answers import answer_of
from sksim.models._inside import check_estimator, kind_of, predicts_several_labels
from sksim.models._layer import as_vector
from sksim.models._torch import apply_module, is_torch_module


@dataclass(frozen=True)
class Rows:
    """Validated rows that models are applied to.

    Attributes
    ----------
    values : array
        In double precision.
    names : list of str or None
        Of the columns.
    given : array-like or None
        The rows as they were given.
    """

    values: np.ndarray
    names: object = None
    given: object = None

    def __len__(self):
        return len(self.values)


def check_rows(data, measure):
    """Rows that models are applied to: finite numbers, with one row for each input.

    Parameters
    ----------
    data : array-like of shape (n_samples, n_features), or more axes for torch modules
    measure : estimator
        For messages.

    Returns
    -------
    rows : Rows
    """
    if data is None:
        raise ValueError(
            f"{type(measure).__name__} applies the models to rows: pass data=..., an "
            "array of shape (n_samples, n_features)."
        )
    if isinstance(data, Rows):
        return data
    names, given = get_feature_names(data), data
    if hasattr(data, "detach"):
        data = data.detach().cpu().numpy()
    with readable(data, "data", allow_nd=True):
        values = check_array(
            data, dtype="numeric", allow_nd=True, input_name="data", estimator=measure
        )
    return Rows(values.astype(np.float64, copy=False), names, given)


def wrap_model(model, name="model"):
    """A fitted model, with one way to ask for labels, scores and probabilities.

    Parameters
    ----------
    model : fitted estimator or torch.nn.Module
    name : str
        What messages call it.

    Returns
    -------
    wrapped : EstimatorModel, TorchModel or AdaptedModel
    """
    if isinstance(model, EstimatorModel | TorchModel | AdaptedModel):
        return model
    if is_torch_module(model):
        return TorchModel(model, name)
    if is_adaptable(model):
        return AdaptedModel(adapted(model), name)
    return EstimatorModel(model, name)


def columns_of_labels(labels, classes, name):
    """Column of each label among a model's classes; an unknown one is refused."""
    labels = np.asarray(labels)
    columns = np.searchsorted(classes, labels) if _same_kind(labels, classes) else None
    if columns is not None:
        columns = np.minimum(columns, len(classes) - 1)
        known = classes[columns] == labels
        if known.all():
            return columns
        labels = labels[~known]
    raise ValueError(
        f"{name} never saw the classes {sorted(set(labels.tolist()), key=str)[:5]}: "
        f"its classes are {classes.tolist()[:10]}. Leave out the rows of other classes."
    )


def _same_kind(a, b):
    return (a.dtype.kind in "UO") == (b.dtype.kind in "UO")


class _Model:
    """What all kinds of model share."""

    is_torch = False
    # whether all that is known of it are its answers
    is_adapted = False
    # relative precision of its answers
    precision = float(np.finfo(np.float64).eps)

    def __init__(self, model, name):
        self.model = model
        self.name = name

    @property
    def kind(self):
        """Class name of the model, for messages."""
        return type(self.model).__name__

    def __repr__(self):
        return f"{self.name} ({self.kind})"

    def check_width(self, rows):
        """Raise unless the rows are as wide as those the model was fitted on."""
        width = self.n_features
        shape = rows.values.shape
        if width is not None and (len(shape) != 2 or shape[1] != width):
            raise ValueError(
                f"{self} takes {width} features, but data has shape {shape}: both "
                "models must take the same rows. Put what selects or transforms its "
                "features in front of a model with make_pipeline."
            )
        names = getattr(self.model, "feature_names_in_", None)
        if (
            rows.names is not None
            and names is not None
            and list(names) != list(rows.names)
        ):
            raise ValueError(
                f"{self} was fitted with the columns {list(names)[:5]}..., but data "
                f"has {list(rows.names)[:5]}...: pass the same columns in the same "
                "order."
            )


class EstimatorModel(_Model):
    """A fitted scikit-learn estimator."""

    def __init__(self, model, name):
        super().__init__(model, name)
        if not hasattr(model, "predict"):
            raise ValueError(
                f"{name} must be a fitted estimator with a method predict, or a "
                f"torch.nn.Module, got {self.kind}."
            )
        check_estimator(model, name)
        self.task = (kind_of(model) or "regressor").replace("_", " ")
        self.is_classifier = self.task == "classifier"
        self.classes = getattr(model, "classes_", None) if self.is_classifier else None
        if self.is_classifier and predicts_several_labels(model):
            raise ValueError(
                f"{self} predicts several labels for each row: compare the models "
                "label by label."
            )
        self.n_features = getattr(model, "n_features_in_", None)

    def prepare(self, X):
        """Rows in the container that the estimator was fitted on."""
        names = getattr(self.model, "feature_names_in_", None)
        return X if names is None else pd.DataFrame(X, columns=names)

    def labels(self, X):
        """Predicted labels, or a regressor's predictions."""
        labels = as_vector(self.model.predict(self.prepare(X)))
        if self.is_classifier and labels.ndim > 1:
            raise ValueError(
                f"{self} predicts {labels.shape[1]} labels for each row: compare the "
                "models label by label."
            )
        return labels

    def outputs(self, X, output="proba"):
        """Matrix of "proba" or "score", one column for each class.

        A regressor's predictions, one column for each target, are both, and so are an
        outlier detector's scores.
        """
        if self.task == "outlier detector":
            return _columns(np.asarray(self.model.decision_function(self.prepare(X))))
        if self.task in ("clusterer", "density estimator"):
            raise ValueError(
                f"{self} is a {self.task}: the numbers of its clusters are names, of "
                "which there are no differences."
            )
        if not self.is_classifier:
            return _columns(self.labels(X))
        if output == "score":
            return two_sided(self._scores(self.prepare(X)))
        if not hasattr(self.model, "predict_proba"):
            raise ValueError(
                f"{self} has no predict_proba. Use output='score', or wrap it in "
                "sklearn.calibration.CalibratedClassifierCV."
            )
        return np.asarray(self.model.predict_proba(self.prepare(X)))

    def log_probabilities(self, X):
        """Logarithms of the probabilities; -inf where one is exactly 0."""
        with np.errstate(divide="ignore"):
            if hasattr(self.model, "predict_log_proba"):
                return np.asarray(self.model.predict_log_proba(self.prepare(X)))
            return np.log(self.outputs(X, "proba"))

    def _scores(self, X):
        """Decision function, else logarithms of probabilities."""
        if hasattr(self.model, "decision_function"):
            scores = _columns(np.asarray(self.model.decision_function(X)))
            one_vs_one = getattr(self.model, "decision_function_shape", "") == "ovo"
            n_classes = len(self.classes)
            if n_classes > 2 and (one_vs_one or scores.shape[1] != n_classes):
                raise ValueError(
                    f"The decision function of {self} is one of pairs of classes, not "
                    "of classes. Use decision_function_shape='ovr'."
                )
            return scores
        if hasattr(self.model, "predict_proba"):
            return self.log_probabilities(X)
        raise ValueError(
            f"{self} has neither a decision_function nor predict_proba: it only tells "
            "labels. Choose a measure of labels, or a decision-based attack."
        )


class TorchModel(_Model):
    """A torch module whose outputs are scores: logits, or a regression's targets."""

    is_torch = True
    is_classifier = True
    task = "classifier"
    classes = None
    n_features = None

    def scores(self, X):
        """Outputs of the module as a matrix."""
        scores = apply_module(self.model, X)
        if scores.ndim > 2:
            raise ValueError(
                f"{self} returns an array of shape {scores.shape}: one row of scores "
                "for each input is needed. Pool the other axes."
            )
        return _columns(scores)

    def labels(self, X):
        """Number of the largest score, or the sign of a single one."""
        scores = self.scores(X)
        return (scores[:, 0] > 0) + 0 if scores.shape[1] == 1 else scores.argmax(axis=1)

    def outputs(self, X, output="proba"):
        """Scores, or their softmax for "proba"; a single score is two-sided."""
        scores = self.scores(X)
        if output == "score":
            return two_sided(scores)
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)


class AdaptedModel(_Model):
    """A model that is known by its answers to batches, whose kind it has to declare.

    It is asked for some rows as soon as there are any.
    """

    is_adapted = True
    n_features = None
    classes = None
    task = None

    @property
    def is_classifier(self):
        """Whether its answers are about classes."""
        return self.task == "classifier"

    def check_width(self, rows):
        """Find out what it answers, and in which container it wants its rows."""
        if self.model._rows_like is None:
            self.model = copy.copy(self.model)
            self.model._rows_like = rows.given
        known, values = self._known(rows.values[:2])
        is_classifier = hasattr(known, "classes_")
        self.task = "classifier" if is_classifier else "regressor"
        self.classes = (
            None if known.kind == "labels" else getattr(known, "classes_", None)
        )
        if values.dtype.kind == "f":
            self.precision = float(np.finfo(values.dtype).eps)

    def _known(self, X):
        """Estimator that knows the answers to rows, and the answers themselves."""
        known, values = answer_of(self.model, _in_container(X, self.model._rows_like))
        if known.kind == "scores":
            raise ValueError(
                f"{self} does not say what its answers are, logits or probabilities: "
                "let it return a mapping with one of these keys, {'logits': ...}, or "
                "say outputs='logits' where models are compared by compare."
            )
        return known, values

    def labels(self, X):
        """Labels that it answers, or that follow from its answers."""
        return self._known(X)[0].predict()

    def outputs(self, X, output="proba"):
        """Matrix of "proba" or "score", one column for each class; or predictions."""
        known, _ = self._known(X)
        if known.kind == "predictions":
            return _columns(np.asarray(known.predict(), dtype=np.float64))
        if known.kind == "labels":
            raise ValueError(
                f"{self} answers labels, which change by jumps: this measure takes "
                "logits or probabilities. Measures of labels take it."
            )
        if output == "proba":
            return known.predict_proba()
        if known.kind == "logits":
            return two_sided(known.decision_function())
        return self._logarithms(known)

    def log_probabilities(self, X):
        """Logarithms of the probabilities; -inf where one is exactly 0."""
        known, _ = self._known(X)
        if known.kind != "logits":
            return self._logarithms(known)
        scores = known.values
        if scores.shape[1] == 1:
            scores = np.hstack([np.zeros_like(scores), scores])
        return log_softmax(scores, axis=1)

    @staticmethod
    def _logarithms(known):
        with np.errstate(divide="ignore"):
            return np.log(known.predict_proba())


def _in_container(X, like):
    """Rows in the library and precision in which rows were given."""
    if hasattr(like, "detach"):
        import torch

        return torch.as_tensor(X, dtype=like.dtype, device=like.device)
    if hasattr(like, "iloc"):
        return pd.DataFrame(X, columns=like.columns)
    dtype = getattr(like, "dtype", None)
    is_float = getattr(dtype, "kind", "") == "f"
    return X.astype(dtype if is_float else np.float64, copy=False)


def _columns(array):
    return array[:, None] if array.ndim == 1 else array


def two_sided(scores):
    """A single score z stands for -z of the first class and z of the second."""
    scores = _columns(scores)
    return np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores
