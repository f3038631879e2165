"""Models as chains of simple maps, which are differentiated exactly.

A step takes a matrix and returns its image, and the function that takes the gradient
with respect to the image back to one with respect to the matrix.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, log_expit, log_softmax, logsumexp, softmax
from sklearn.decomposition import PCA, IncrementalPCA, TruncatedSVD
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)

from sksim.models._inside import active_steps, best_model
from sksim.models._networks import ACTIVATIONS, MLP, mlp_layers
from sksim.models._wrapped import two_sided


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


def _activation(name):
    activation = ACTIVATIONS[name]

    def step(Z):
        A = activation.apply(Z)
        return A, lambda G: activation.back(G, Z, A)

    return step


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


def exact_chain(model, X, output):
    """Chain that agrees with the model's own outputs on X, or None.

    Parameters
    ----------
    model : EstimatorModel
    X : array of shape (n_samples, n_features)
    output : str
        Output that is to be differentiated.

    Returns
    -------
    chain : Chain or None
    """
    steps = _steps(model.model)
    if steps is None:
        return None
    scores = Chain(tuple(steps)).forward(X)[0]
    if not model.is_classifier:
        same = _close(scores, model.outputs(X))
        return Chain(tuple(steps), "target") if same else None
    has_scores = hasattr(model.model, "decision_function")
    if has_scores and not _close(two_sided(scores), model.outputs(X, "score")):
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
    model = best_model(model)
    if isinstance(model, Pipeline):
        before = [_transformer_step(s) for _, s in active_steps(model.steps[:-1])]
        last = _steps(model.steps[-1][1])
        return None if None in before or last is None else before + last
    if isinstance(model, MLP):
        return _network_steps(model)
    if hasattr(model, "coef_") and hasattr(model, "intercept_"):
        return _linear_steps(model)
    return None


def _network_steps(network):
    steps = []
    for layer in mlp_layers(network):
        affine = _affine(layer.weights, layer.biases)
        steps += [affine, _activation(layer.activation)]
    return steps


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


def _log_odds(scores, columns, link):
    rows = np.arange(len(scores))
    if scores.shape[1] == 1:
        signs = 2.0 * columns - 1
        return signs * scores[:, 0], signs[:, None]
    # shares among the other classes do not vanish where the class is certain
    logs = log_expit(scores) if link == "one_vs_rest" else scores
    others = logs.copy()
    others[rows, columns] = -np.inf
    G = -softmax(others, axis=1)
    G[rows, columns] = 1
    if link == "one_vs_rest":
        G = G * expit(-scores)
    return logs[rows, columns] - logsumexp(others, axis=1), G


def _proba(scores, columns, link):
    values, G = _log_proba(scores, columns, link)
    P = np.exp(values)
    return P, P[:, None] * G


_VALUES = {
    "score": _score,
    "margin": _margin,
    "log_odds": _log_odds,
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
