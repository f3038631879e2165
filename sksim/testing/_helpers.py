"""What the checks share."""

import math
import warnings

import numpy as np
from sklearn.base import clone

from sksim.base._tags import tags_of
from sksim.testing._inputs import make_inputs


def seeded(measure):
    """Clone of a measure; of a random one without a seed, with one."""
    measure = clone(measure)
    if measure.get_params(deep=False).get("random_state", 0) is None:
        measure.set_params(random_state=0)
    return measure


def fit(measure, X, y, fit_params=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(measure).fit(X, y, **(fit_params or {}))


def statistic_of(measure, X, y, fit_params=None):
    return fit(measure, X, y, fit_params).statistic_


def outcome_of(measure, X, y, fit_params=None):
    """Statistic, or the ValueError that refuses the input."""
    try:
        return statistic_of(measure, X, y, fit_params)
    except ValueError as error:
        return error


def assert_close(actual, desired, message, rtol=1e-7, atol=1e-9):
    assert math.isclose(actual, desired, rel_tol=rtol, abs_tol=atol), (
        f"{message}: {actual!r} instead of {desired!r}"
    )


def assert_alike(actual, desired, message, rtol=1e-7, atol=1e-9):
    """`assert_close` of two ways to one number, which may both find it undefined."""
    if not (math.isnan(actual) and math.isnan(desired)):
        assert_close(actual, desired, message, rtol, atol)


def rows_of(array, index, measure=None):
    """Some rows, and of matrices that a measure is given the same columns."""
    if array is None:
        return None
    if measure is not None and tags_of(measure).precomputed:
        return array[np.ix_(index, index)]
    return array[index]


def with_itself(measure, X):
    """Input that compares a model with itself: a pair, or a group of equal models."""
    if tags_of(measure).arity == "group":
        return np.repeat(X[:, :1], X.shape[1], axis=1), None
    return X, X


def exchanged(measure, X, y):
    """The same input with the models in another order."""
    if tags_of(measure).arity == "group":
        return np.ascontiguousarray(X[:, ::-1]), None
    return y, X


def with_unrelated(measure, X, y, seed):
    """The same input with one model replaced by a model of other data."""
    other, second, _ = make_inputs(measure, random_state=seed)
    if tags_of(measure).arity == "group":
        return np.concatenate([X[:, 1:], other[:, :1]], axis=1), None
    return X, second


def padded(arrays):
    """X and y of what may be X alone."""
    return (*arrays, None)[:2]
