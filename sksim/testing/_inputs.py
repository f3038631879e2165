"""Valid input of every measure."""

import warnings
from copy import deepcopy

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from sksim._typing import Array
from sksim.base._tags import tags_of
from sksim.testing._requirements import REQUIREMENTS


def make_inputs(
    measure: BaseEstimator, random_state: int = 0, n_samples: int = 40
) -> tuple[Array, Array, dict[str, Array]]:
    """Valid input of a measure: two views that are related, but not equal.

    Parameters
    ----------
    measure : estimator
        The measure, with the parameters that the input is for.
    random_state : int, default=0
        Seed of the data.
    n_samples : int, default=40
        Number of rows.

    Returns
    -------
    X, y : arrays
        The two inputs; for a group X holds all models and y is None.
    fit_params : dict
        Further keywords of ``fit`` for measures that can use them: ``y_true``, and
        ``data``, the rows that models are applied to.

    Examples
    --------
    >>> from sksim.rsm import CKA
    >>> from sksim.testing import make_inputs
    >>> X, y, fit_params = make_inputs(CKA())
    >>> X.shape, y.shape, fit_params
    ((40, 6), (40, 6), {})
    """
    tags = tags_of(measure)
    rng = np.random.default_rng(random_state)
    truth = np.arange(n_samples) % 3
    truth = truth[rng.permutation(n_samples)]
    # the rows that the makers of models draw first, and train them on
    data = _make_representations(deepcopy(rng), truth)[0]
    X, y = _INPUT_MAKERS[tags.inputs, tags.arity](rng, truth)
    for word in tags.requires:
        adapt = REQUIREMENTS[word].adapt if word in REQUIREMENTS else None
        if adapt is not None:
            X, y = adapt(rng, X, y)
    offered = {"y_true": truth, "data": data}
    fit_params = {k: v for k, v in offered.items() if k in tags.view_keywords}
    return X, y, fit_params


def _make_representations(rng, truth):
    n = len(truth)
    classes = rng.normal(size=(3, 6))
    X = classes[truth] + rng.normal(size=(n, 6)) * [2, 1.5, 1, 1, 0.7, 0.5]
    X = X @ rng.normal(size=(6, 6)) / 2
    y = np.tanh(X @ rng.normal(size=(6, 6)) / 3) * [3, 2, 1, 1, 1, 0.5]
    y = y + 0.3 * rng.normal(size=y.shape)
    return X + rng.normal(size=6), y + rng.normal(size=6)


def _make_labels(rng, truth):
    def predictions(accuracy):
        wrong = rng.random(len(truth)) > accuracy
        return np.where(wrong, rng.integers(0, 3, len(truth)), truth)

    return predictions(0.8), predictions(0.6)


def _make_probabilities(rng, truth):
    scores = 2 * np.eye(3)[truth]
    both = [np.exp(scores + rng.normal(size=scores.shape)) for _ in range(2)]
    return tuple(p / p.sum(axis=1, keepdims=True) for p in both)


def _as_group(make_pair):
    """Maker of a group of three models, of a maker of two."""

    def make(rng, truth):
        models = [*make_pair(rng, truth), make_pair(rng, truth)[0]]
        return np.stack(models, axis=1), None

    return make


def _make_models(rng, truth):
    """Two networks of different widths, trained a little on the same rows."""
    X, _ = _make_representations(rng, truth)
    seed = int(rng.integers(2**31))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return tuple(
            MLPClassifier(
                (width,), max_iter=10, learning_rate_init=0.05, random_state=seed
            ).fit(X, truth)
            for width in (5, 8)
        )


_INPUT_MAKERS = {
    ("representation", "pair"): _make_representations,
    ("labels", "pair"): _make_labels,
    ("probabilities", "pair"): _make_probabilities,
    ("outputs", "pair"): _make_probabilities,
    ("labels", "group"): _as_group(_make_labels),
    ("probabilities", "group"): _as_group(_make_probabilities),
    ("outputs", "group"): _as_group(_make_probabilities),
    ("gradients", "pair"): _make_representations,
    ("gradients", "group"): _as_group(_make_representations),
    ("models", "pair"): _make_models,
}
