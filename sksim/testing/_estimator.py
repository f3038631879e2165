"""Checks of the estimator: attributes, copies, memory, and what is refused."""

import pickle

import numpy as np
from sklearn.base import clone

from sksim.testing._helpers import (
    assert_close,
    fit,
    outcome_of,
    padded,
    statistic_of,
    tags_of,
)
from sksim.testing._inputs import make_inputs


def check_fitted_attributes(measure):
    """Fit stores the statistic, its readable alias and the score."""
    X, y, fit_params = make_inputs(measure)
    fitted = fit(measure, X, y, fit_params)
    tags = tags_of(measure)
    assert isinstance(fitted.statistic_, float)
    assert isinstance(fitted.score_, float)
    assert fitted.statistic_ == fitted.statistic_, (
        "the statistic is nan: check the measure with parameters with which it is "
        "defined on the input of sksim.testing.make_inputs"
    )
    assert getattr(fitted, f"{tags.orientation}_") == fitted.statistic_
    other = {"similarity": "distance", "distance": "similarity"}[tags.orientation]
    assert not hasattr(fitted, f"{other}_")
    if tags.inputs != "models":
        assert fitted.n_samples_fit_ == len(X)
    if tags.inputs == "representation":
        assert fitted.n_features_in_ == X.shape[1]
        assert fitted.n_features_y_in_ == y.shape[1]


def check_score_of_training_rows(measure):
    """Score of the training rows is the fitted score."""
    X, y, fit_params = make_inputs(measure)
    fitted = fit(measure, X, y, fit_params)
    again = fitted.score(X, y, **fit_params)
    assert_close(again, fitted.score_, "score(X, y) on the training input", 1e-9)


def check_pickle(measure):
    """A fitted measure survives pickling."""
    X, y, fit_params = make_inputs(measure)
    fitted = fit(measure, X, y, fit_params)
    restored = pickle.loads(pickle.dumps(fitted))
    assert restored.score_ == fitted.score_
    if hasattr(X, "shape"):
        again = restored.score(X, y, **fit_params)
        assert_close(again, fitted.score_, "score after pickling", 1e-9)


def check_clone(measure):
    """A clone has the same parameters and nothing fitted."""
    X, y, fit_params = make_inputs(measure)
    fitted = fit(measure, X, y, fit_params)
    copy = clone(fitted)
    assert not hasattr(copy, "statistic_")
    assert repr(copy.get_params()) == repr(fitted.get_params())


def check_inputs_stay_as_they_are(measure):
    """Fit and score leave their arguments untouched, and accept read-only ones."""
    X, y, fit_params = make_inputs(measure)
    if not hasattr(X, "flags"):
        return
    arrays = [array for array in (X, y, *fit_params.values()) if array is not None]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    fitted = fit(measure, X, y, fit_params)
    fitted.score(X, y, **fit_params)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def check_memory_layouts(measure):
    """Column order and strides do not matter."""
    X, y, fit_params = make_inputs(measure)
    if not hasattr(X, "flags"):
        return
    before = statistic_of(measure, X, y, fit_params)
    pair = [array for array in (X, y) if array is not None]
    fortran = [np.asfortranarray(array) for array in pair]
    assert_close(
        statistic_of(measure, *padded(fortran), fit_params),
        before,
        "statistic of column-major arrays",
    )
    strided = padded([np.repeat(array, 2, axis=0)[::2] for array in pair])
    assert_close(statistic_of(measure, *strided, fit_params), before, "strided arrays")


def check_unequal_lengths(measure):
    """Different numbers of rows are refused where rows are paired."""
    tags = tags_of(measure)
    X, y, fit_params = make_inputs(measure)
    if not hasattr(X, "shape") or tags.arity == "group":
        return
    outcome = outcome_of(measure, X, y[:-1], fit_params)
    if tags.paired:
        assert isinstance(outcome, ValueError), "unequal numbers of rows were accepted"
        assert str(len(X)) in str(outcome)
        assert str(len(X) - 1) in str(outcome)


def check_missing_y(measure):
    """Fitting without a second input raises a ValueError that names y."""
    if tags_of(measure).arity == "group":
        return
    X, _, fit_params = make_inputs(measure)
    outcome = outcome_of(measure, X, None, fit_params)
    assert isinstance(outcome, ValueError)
    second = "model_y" if tags_of(measure).inputs == "models" else "y"
    assert f"requires {second}" in str(outcome)


def check_missing(measure):
    """Missing entries are left out by measures with the tag, and refused by others."""
    tags = tags_of(measure)
    X, y, fit_params = make_inputs(measure)
    if tags.inputs == "models" or tags.precomputed:  # given pairs, not rows, may miss
        return
    holes = X.astype(float)
    holes[5, ...] = np.nan
    outcome = outcome_of(measure, holes, y, fit_params)
    if not tags.missing:
        assert isinstance(outcome, ValueError), "missing values were accepted"
        assert "X contains NaN" in str(outcome)
        assert "row 5" in str(outcome)
        return
    kept = np.arange(len(X)) != 5
    known = {name: value[kept] for name, value in fit_params.items()}
    expected = statistic_of(measure, X[kept], None if y is None else y[kept], known)
    assert_close(outcome, expected, "statistic beside a row of which nothing is known")


def check_unfitted(measure):
    """Scoring before fitting raises NotFittedError."""
    from sklearn.exceptions import NotFittedError

    try:
        clone(measure).score()
    except NotFittedError:
        return
    raise AssertionError("score() before fit() did not raise NotFittedError")


def check_labels_are_required(measure):
    """A measure that needs labels says so, rather than returning a number."""
    X, y, fit_params = make_inputs(measure)
    outcome = outcome_of(measure, X, y, fit_params | {"y_true": None})
    assert isinstance(outcome, ValueError)
    assert "y_true" in str(outcome)


def check_labels_of_wrong_length(measure):
    """Labels must be as many as rows."""
    X, y, fit_params = make_inputs(measure)
    short = fit_params | {"y_true": fit_params["y_true"][:-1]}
    outcome = outcome_of(measure, X, y, short)
    assert isinstance(outcome, ValueError)
    assert "y_true" in str(outcome)
