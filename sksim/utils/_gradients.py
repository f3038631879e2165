"""Gradients of models' outputs with respect to their inputs.

Linear models and scikit-learn's networks, also behind scaling and linear steps, are
chains of simple maps that are differentiated exactly. Torch modules are differentiated
by autograd, other smooth models by finite differences.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import BaseDecisionTree

from sksim.utils._models import check_rows, columns_of_labels, wrap_model
from sksim.utils._torch import module_gradients

OUTPUTS = ("score", "proba", "log_proba", "margin")

# rows that a model is asked about at once, for finite differences
_BLOCK = 2**15


def input_gradients(model, X, y=None, output="score"):
    r"""Gradients of a model's output for one class with respect to its input.

    Parameters
    ----------
    model : fitted estimator or torch.nn.Module
        A classifier, a regressor or a Pipeline. The outputs of a torch module are
        taken for scores (logits); its classes are the numbers of its columns.
    X : array-like of shape (n_samples, n_features)
        Rows at which the gradients are taken; for a torch module an array of any shape
        whose first axis is the rows.
    y : array-like of shape (n_samples,), default=None
        The class of each row whose output is differentiated; None for the one that the
        model predicts. For a regressor with several targets the number of the target;
        with one target None.
    output : {"score", "proba", "log_proba", "margin"}, default="score"
        Which output: the score :math:`s_c` (logit or decision function; where a model
        has neither, the logarithm of the probability), the probability of the class,
        its logarithm (minus the cross-entropy loss), or the class's score minus the
        largest of the other classes. A binary model with a single score z has
        :math:`s = (-z, z)`.

    Returns
    -------
    gradients : array, shaped like X
        Row i is the gradient at row i.

    Raises
    ------
    ValueError
        If the model is piecewise constant (trees, boosting, nearest neighbours), has
        no such output, or never saw a class in y.

    See Also
    --------
    SaliencySimilarity : Compares two models' gradients.
    AdversarialTransferability : Uses them to change the models' minds.

    Notes
    -----
    Linear models and ``MLPClassifier`` or ``MLPRegressor`` are differentiated exactly,
    also behind StandardScaler, MinMaxScaler, MaxAbsScaler, RobustScaler, PCA,
    TruncatedSVD and feature selection in a Pipeline. The exact chain is used only where
    it reproduces the model's own outputs on X. Torch modules are differentiated by
    autograd, in evaluation mode, in their own precision, on their own device.

    Everything else takes 4 evaluations of the model for each feature: differences of
    fourth order, with steps of a thousandth of each column's spread. They are accurate
    to about 1e-10 of the output where it is smooth on that scale.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sksim.functional import input_gradients
    >>> X, y = [[-1.0, 0.0], [1.0, 0.5], [2.0, -1.0], [-2.0, 1.0]], [0, 1, 1, 0]
    >>> model = LogisticRegression().fit(X, y)
    >>> gradients = input_gradients(model, X, y)
    >>> (gradients[1] == model.coef_[0]).all(), (gradients[0] == -model.coef_[0]).all()
    (np.True_, np.True_)
    """
    return values_and_gradients(model, X, y, output)[1]


def values_and_gradients(model, X, y=None, output="score"):
    """Values of the output of each row's class, and their gradients.

    See :func:`input_gradients` for the parameters.
    """
    if output not in OUTPUTS:
        raise ValueError(f"output must be one of {OUTPUTS}, got {output!r}.")
    model = wrap_model(model)
    rows = check_rows(X, model.model)
    model.check_width(rows)
    X = rows.values
    if y is not None and np.shape(y) != (len(X),):
        raise ValueError(
            f"y must hold one class for each of the {len(X)} rows, got shape "
            f"{np.shape(y)}."
        )
    if model.is_torch:
        return _torch_gradients(model, X, y, output)
    refuse_piecewise_constant(model)
    if X.ndim != 2:
        raise ValueError(f"{model} takes rows of features, got shape {X.shape}.")
    columns = _columns_of(model, X, y, output)
    chain = _exact_chain(model, X, output)
    if chain is not None:
        return chain.values_and_gradients(X, columns, output)
    return _finite_differences(model, X, columns, output)


def _columns_of(model, X, y, output):
    """Column of the output that each row is about."""
    if model.is_classifier:
        labels = model.labels(X) if y is None else y
        return columns_of_labels(labels, model.classes, str(model))
    if output != "score":
        raise ValueError(
            f"{model} is a regressor: its only output is its prediction, "
            "output='score'."
        )
    n_targets = model.outputs(X[:1]).shape[1]
    if y is None and n_targets > 1:
        raise ValueError(
            f"{model} predicts {n_targets} targets: say by y which target's gradient "
            "to take."
        )
    if n_targets == 1:
        return np.zeros(len(X), dtype=int)
    return columns_of_labels(y, np.arange(n_targets), str(model))


# ----- what has no useful gradient ----------------------------------------------------


def refuse_piecewise_constant(model):
    """Raise if a model, or one inside it, jumps from one value to the next."""
    found = _piecewise_constant_part(model.model)
    if found is not None:
        inside = "" if found is model.model else f" (it has a {type(found).__name__})"
        raise ValueError(
            f"{model} is piecewise constant{inside}: its gradient is zero almost "
            "everywhere and says nothing. Use AdversarialTransferability with a "
            "decision-based attack, attack=callable, or compare the models' labels or "
            "probabilities."
        )


def _piecewise_constant_part(model):
    jumps = isinstance(model, BaseDecisionTree) or any(
        hasattr(model, name)
        for name in (
            "staged_predict",  # boosting, AdaBoost
            "kneighbors",
            "radius_neighbors",
            "get_booster",  # xgboost
            "booster_",  # lightgbm
            "get_leaf_values",  # catboost
        )
    )
    if jumps:
        return model
    for part in _parts(model):
        found = _piecewise_constant_part(part)
        if found is not None:
            return found
    return None


def _parts(model):
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


# ----- exact chains -------------------------------------------------------------------
# A step takes a matrix and returns its image, and the function that takes the gradient
# with respect to the image back to one with respect to the matrix.


def _affine(matrix, offset):
    return lambda A: (A @ matrix + offset, lambda G: G @ matrix.T)


def _scaling(factor, offset):
    return lambda A: (A * factor + offset, lambda G: G * factor)


def _selection(support):
    def step(A):
        def back(G):
            whole = np.zeros((len(G), len(support)))
            whole[:, support] = G
            return whole

        return A[:, support], back

    return step


def _relu(A):
    return np.maximum(A, 0), lambda G: G * (A > 0)


def _tanh(A):
    T = np.tanh(A)
    return T, lambda G: G * (1 - T**2)


def _logistic(A):
    S = expit(A)
    return S, lambda G: G * S * expit(-A)


def _identity(A):
    return A, lambda G: G


_ACTIVATIONS = {
    "relu": _relu,
    "tanh": _tanh,
    "logistic": _logistic,
    "identity": _identity,
}


@dataclass(frozen=True)
class Chain:
    """A model as steps that end in its scores.

    The link makes probabilities of scores; "target" says that they are a regressor's
    predictions, of which a single one has no two sides.
    """

    steps: tuple
    link: str | None = None

    def forward(self, X):
        """Scores, and the functions that carry gradients back, last step first."""
        backs = []
        for step in self.steps:
            X, back = step(X)
            backs.insert(0, back)
        return X, backs

    def values_and_gradients(self, X, columns, output):
        """Values of the chosen output of each row, and their gradients."""
        scores, backs = self.forward(X)
        values, G = _VALUES[output](scores, columns, self.link)
        for back in backs:
            G = back(G)
        return values, G


def _exact_chain(model, X, output):
    """Chain that agrees with the model's own outputs on X, or None."""
    steps = _steps(model.model)
    if steps is None:
        return None
    scores = Chain(tuple(steps)).forward(X)[0]
    if not model.is_classifier:
        same = _close(scores, model.outputs(X))
        return Chain(tuple(steps), "target") if same else None
    has_scores = hasattr(model.model, "decision_function")
    if has_scores and not _close(_both_sides(scores), model.outputs(X, "score")):
        return None
    if has_scores and output in ("score", "margin"):
        return Chain(tuple(steps))
    if not hasattr(model.model, "predict_proba"):
        return None
    probabilities = model.outputs(X, "proba")
    for link, to_probabilities in _LINKS.items():
        if _close(to_probabilities(scores), probabilities):
            return Chain(tuple(steps), link)
    return None


def _close(a, b):
    """Whether the chain means what the model means; rounding is no difference."""
    return a.shape == b.shape and np.allclose(
        a, b, rtol=1e-5, atol=1e-7 * np.max(np.abs(b), initial=0)
    )


def _steps(model):
    """Steps of a model, or None where it is no chain that is known."""
    if hasattr(model, "best_estimator_"):
        return _steps(model.best_estimator_)
    if isinstance(model, Pipeline):
        chained = []
        for _, step in model.steps[:-1]:
            if step is None or step == "passthrough":
                continue
            step = _transformer_step(step)
            if step is None:
                return None
            chained.append(step)
        last = _steps(model.steps[-1][1])
        return None if last is None else chained + last
    if isinstance(model, MLPClassifier | MLPRegressor):
        return _network_steps(model)
    if hasattr(model, "coef_") and hasattr(model, "intercept_"):
        return _linear_steps(model)
    return None


def _network_steps(network):
    steps = []
    for W, b in zip(network.coefs_, network.intercepts_, strict=True):
        steps += [_affine(W, b), _ACTIVATIONS[network.activation]]
    return steps[:-1]


def _linear_steps(model):
    coef = model.coef_
    coef = coef.toarray() if hasattr(coef, "toarray") else np.asarray(coef)
    return [_affine(np.atleast_2d(coef).T, np.atleast_1d(model.intercept_))]


def _transformer_step(step):
    """Step of an affine transformer, or None."""
    if isinstance(step, StandardScaler):
        scale = 1.0 if step.scale_ is None else step.scale_
        mean = 0.0 if step.mean_ is None or not step.with_mean else step.mean_
        return _scaling(1 / scale, -mean / scale)
    if isinstance(step, MinMaxScaler) and not step.clip:
        return _scaling(step.scale_, step.min_)
    if isinstance(step, MaxAbsScaler) and not getattr(step, "clip", False):
        return _scaling(1 / step.scale_, 0.0)
    if isinstance(step, RobustScaler):
        scale = 1.0 if step.scale_ is None else step.scale_
        center = 0.0 if step.center_ is None else step.center_
        return _scaling(1 / scale, -center / scale)
    if isinstance(step, PCA | IncrementalPCA):
        matrix = step.components_.T
        if step.whiten:
            matrix = matrix / np.sqrt(step.explained_variance_)
        return _affine(matrix, -step.mean_ @ matrix)
    if isinstance(step, TruncatedSVD):
        return _affine(step.components_.T, 0.0)
    if isinstance(step, SelectorMixin):
        return _selection(step.get_support())
    return None


# ----- outputs of scores --------------------------------------------------------------
# Each takes scores (one column for two classes, with the scores -z and z), the column
# of each row and the link, and returns the value of each row and its gradient with
# respect to the scores.


def _both_sides(scores):
    return np.hstack([-scores, scores]) if scores.shape[1] == 1 else scores


def _one_hot(columns, n_columns):
    return np.eye(n_columns)[columns]


def _score(scores, columns, link):
    rows = np.arange(len(scores))
    if scores.shape[1] == 1 and link != "target":
        signs = 2.0 * columns - 1
        return signs * scores[:, 0], signs[:, None]
    return scores[rows, columns], _one_hot(columns, scores.shape[1])


def _margin(scores, columns, link):
    rows = np.arange(len(scores))
    if scores.shape[1] == 1:
        signs = 2.0 * columns - 1
        return 2 * signs * scores[:, 0], 2 * signs[:, None]
    others = scores.copy()
    others[rows, columns] = -np.inf
    rivals = others.argmax(axis=1)
    direction = _one_hot(columns, scores.shape[1]) - _one_hot(rivals, scores.shape[1])
    return scores[rows, columns] - scores[rows, rivals], direction


def _log_proba(scores, columns, link):
    rows = np.arange(len(scores))
    if scores.shape[1] == 1:
        signs = 2.0 * columns - 1
        z = signs * scores[:, 0]
        return log_expit(z), (signs * expit(-z))[:, None]
    if link == "one_vs_rest":
        G = -_one_vs_rest_link(scores) * expit(-scores)
        G[rows, columns] += expit(-scores[rows, columns])
        return log_softmax(log_expit(scores), axis=1)[rows, columns], G
    P = softmax(scores, axis=1)
    G = -P
    # 1 - p of the class as the sum of the others, which does not cancel
    G[rows, columns] = 0
    G[rows, columns] = -G.sum(axis=1)
    return log_softmax(scores, axis=1)[rows, columns], G


def _proba(scores, columns, link):
    values, G = _log_proba(scores, columns, link)
    P = np.exp(values)
    return P, P[:, None] * G


_VALUES = {
    "score": _score,
    "margin": _margin,
    "log_proba": _log_proba,
    "proba": _proba,
}


def _logistic_link(scores):
    if scores.shape[1] != 1:
        return np.empty(0)
    return np.hstack([expit(-scores), expit(scores)])


def _one_vs_rest_link(scores):
    # shares of the classes' own probabilities, by logarithms: all may underflow
    return softmax(log_expit(scores), axis=1)


_LINKS = {
    "logistic": _logistic_link,
    "softmax": lambda scores: softmax(scores, axis=1),
    "one_vs_rest": _one_vs_rest_link,
}


# ----- torch --------------------------------------------------------------------------


def _torch_gradients(model, X, y, output):
    import torch

    columns = None if y is None else _numbers_of_columns(y, model)

    def value_of(scores, rows):
        scores = scores.reshape(-1, 1) if scores.ndim == 1 else scores
        if scores.ndim != 2:
            raise ValueError(
                f"{model} returns an array of shape {tuple(scores.shape)}: one row of "
                "scores for each input is needed. Pool the other axes."
            )
        if scores.shape[1] == 1:
            if columns is None and output == "score":
                return scores[:, 0]
            sides = (
                (-scores, scores)
                if output in ("score", "margin")
                else (
                    torch.zeros_like(scores),
                    scores,
                )
            )
            scores = torch.cat(sides, dim=1)
        if columns is None:
            chosen = scores.argmax(dim=1)
        else:
            _check_columns(columns, scores.shape[1], model)
            chosen = torch.as_tensor(columns[rows], device=scores.device)
        chosen = chosen[:, None]
        if output == "score":
            return scores.gather(1, chosen)[:, 0]
        if output == "margin":
            rivals = scores.detach().scatter(1, chosen, -torch.inf)
            rivals = rivals.argmax(dim=1, keepdim=True)
            return (scores.gather(1, chosen) - scores.gather(1, rivals))[:, 0]
        log_proba = torch.log_softmax(scores, dim=1).gather(1, chosen)[:, 0]
        return log_proba if output == "log_proba" else torch.exp(log_proba)

    return module_gradients(model.model, X, value_of)


def _numbers_of_columns(y, model):
    y = np.asarray(y)
    whole = y.dtype.kind in "iub" or (y.dtype.kind == "f" and (y == np.round(y)).all())
    if not whole:
        raise ValueError(
            f"The classes of {model} are the numbers of its output columns; y must "
            f"hold such numbers, got {y.dtype}."
        )
    return y.astype(np.int64)


def _check_columns(columns, n_columns, model):
    if columns.min() < 0 or columns.max() >= n_columns:
        wrong = columns.min() if columns.min() < 0 else columns.max()
        raise ValueError(
            f"{model} never saw the class {wrong}: its classes are the numbers of its "
            f"{n_columns} output columns, 0 to {n_columns - 1}."
        )


# ----- finite differences -------------------------------------------------------------


def _finite_differences(model, X, columns, output):
    """Central differences of fourth order, some features at a time."""
    rivals = None
    if output == "margin":
        scores = model.outputs(X, "score")
        scores[np.arange(len(X)), columns] = -np.inf
        rivals = scores.argmax(axis=1)

    def value_of(A, repeats=1):
        if output == "log_proba":
            table = model.log_probabilities(A)
        else:
            table = model.outputs(A, "proba" if output == "proba" else "score")
        rows = np.arange(len(A))
        values = table[rows, np.tile(columns, repeats)]
        if rivals is not None:
            values = values - table[rows, np.tile(rivals, repeats)]
        return values

    steps = _difference_steps(X)
    gradients = np.empty_like(X)
    n_at_once = max(1, _BLOCK // (4 * len(X)))
    for start in range(0, X.shape[1], n_at_once):
        features = np.arange(start, min(start + n_at_once, X.shape[1]))
        shifted = np.tile(X, (4 * len(features), 1, 1))
        for i, feature in enumerate(features):
            for j, factor in enumerate((-2, -1, 1, 2)):
                shifted[4 * i + j, :, feature] += factor * steps[feature]
        values = value_of(shifted.reshape(-1, X.shape[1]), 4 * len(features))
        values = values.reshape(len(features), 4, len(X))
        with np.errstate(invalid="ignore"):
            inner = 8 * (values[:, 2] - values[:, 1]) - (values[:, 3] - values[:, 0])
        gradients[:, features] = inner.T / (12 * steps[features])
    if not np.isfinite(gradients).all():
        raise ValueError(
            f"{model} has a probability of exactly 0, whose logarithm has no gradient. "
            "Use another output."
        )
    return value_of(X), gradients


def _difference_steps(X):
    """Step of each feature, a power of 2 so that x + h - x is h."""
    spread = X.std(axis=0)
    size = np.max(np.abs(X), axis=0)
    # one row, or a constant column: its size has to stand for its spread
    spread = np.where(spread > 1e-9 * size, spread, np.where(size > 0, size, 1.0))
    return 2.0 ** np.round(np.log2(1e-3 * spread))
