"""Checks of measures of representations: containers, precision, hard and bad input."""

import math
import warnings

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning

from sksim.testing._helpers import assert_close, fit, outcome_of, statistic_of, tags_of
from sksim.testing._inputs import make_inputs


def check_containers(measure):
    """Lists, DataFrames and arrays of objects give the same number."""
    X, y, fit_params = make_inputs(measure)
    before = statistic_of(measure, X, y, fit_params)
    names_x = [f"a{i}" for i in range(X.shape[1])]
    names_y = [f"b{i}" for i in range(y.shape[1])]
    frames = pd.DataFrame(X, columns=names_x), pd.DataFrame(y, columns=names_y)
    fitted = fit(measure, *frames, fit_params)
    assert_close(fitted.statistic_, before, "statistic of DataFrames")
    assert list(fitted.feature_names_in_) == names_x
    lists = statistic_of(measure, X.tolist(), y.tolist(), fit_params)
    assert_close(lists, before, "statistic of lists")
    objects = statistic_of(measure, X.astype(object), y.astype(object), fit_params)
    assert_close(objects, before, "statistic of arrays of objects")


def check_single_precision(measure):
    """float32 gives the number of float64, up to its own precision."""
    X, y, fit_params = make_inputs(measure)
    X, y = X.astype(np.float32), y.astype(np.float32)
    double = statistic_of(measure, X.astype(float), y.astype(float), fit_params)
    single = statistic_of(measure, X, y, fit_params)
    assert_close(single, double, "statistic of float32", rtol=2e-4, atol=2e-4)


def check_scale(measure):
    """Huge and tiny input gives the right number, or a ValueError; never nonsense."""
    tags = tags_of(measure)
    X, y, fit_params = make_inputs(measure)
    before = statistic_of(measure, X, y, fit_params)
    low, high = tags.bounds
    for dtype, factors in (
        (np.float64, (1e20, 1e-20, 1e150, 1e-150)),
        (np.float32, (1e20, 1e-20)),
    ):
        for factor in factors:
            pair = [(array.astype(dtype) * dtype(factor)) for array in (X, y)]
            outcome = outcome_of(measure, *pair, fit_params)
            if isinstance(outcome, ValueError):
                assert "IS" not in tags.invariances, f"refused x{factor}: {outcome}"
                continue
            assert math.isfinite(outcome), f"{outcome} at x{factor} in {dtype}"
            assert low <= outcome <= high, f"{outcome} at x{factor} in {dtype}"
            if "IS" in tags.invariances & tags.invariances_y:
                tolerance = 1e-7 if dtype is np.float64 else 2e-4
                message = f"statistic at x{factor} in {dtype.__name__}"
                assert_close(outcome, before, message, tolerance, tolerance)


def check_offset(measure):
    """A common offset of a million standard deviations is subtracted without loss."""
    tags = tags_of(measure)
    if tags.precomputed:
        return  # an offset of rows leaves their distances as they are
    X, y, fit_params = make_inputs(measure)
    before = statistic_of(measure, X, y, fit_params)
    outcome = statistic_of(measure, X + 1e6, y - 1e6, fit_params)
    assert math.isfinite(outcome)
    if "TR" in tags.invariances & tags.invariances_y:
        assert_close(outcome, before, "statistic at an offset of 1e6", 1e-6, 1e-7)


def check_hard_input(measure):
    """Degenerate but finite input gives a number in bounds, or a ValueError.

    Or nan, with an UndefinedMetricWarning that says why.
    """
    X, y, fit_params = make_inputs(measure)
    n, width = X.shape
    rng = np.random.default_rng(0)
    constant_column = X.copy()
    constant_column[:, 0] = 0.1
    duplicates = np.repeat(X[: n // 2], 2, axis=0)
    hard = {
        "rank-deficient": (X @ rng.normal(size=(width, 2)) @ np.ones((2, 9)), y),
        "one column": (X[:, :1], y[:, :1]),
        "unequal widths": (X, y[:, :2]),
        "wide": (rng.normal(size=(n, 3 * n)), rng.normal(size=(n, 2 * n))),
        "wide and narrow": (rng.normal(size=(n, 3 * n)), y),
        "constant column": (constant_column, y),
        "duplicate rows": (duplicates, y),
        "equal columns": (np.hstack([X, X]), y),
        "ill-conditioned": (X * np.geomspace(1, 1e-8, width), y),
        "constant": (np.full_like(X, 0.1), y),
        "zeros": (np.zeros_like(X), y),
        "constant y": (X, np.full_like(y, 7.0)),
    }
    low, high = tags_of(measure).bounds
    for name, (first, second) in hard.items():
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                outcome = clone(measure).fit(first, second, **fit_params).statistic_
            except ValueError as error:
                assert str(error), name
                continue
        kinds = {warning.category for warning in caught}
        if not (math.isnan(outcome) and UndefinedMetricWarning in kinds):
            assert math.isfinite(outcome), f"{name}: {outcome}"
            assert low <= outcome <= high, f"{name}: {outcome}"


def check_bad_input(measure):
    """What is no pair of finite matrices is refused with a message that names it."""
    X, y, fit_params = make_inputs(measure)
    with_nan, with_inf = X.copy(), y.copy()
    with_nan[0, -1], with_inf[0, 0] = np.nan, np.inf
    bad = {
        "NaN": (with_nan, y, "X"),
        "inf": (X, with_inf, "y"),
        "strings": (np.full(X.shape, "a"), y, "X"),
        "numeric strings": (X.astype(str), y, "X"),
        "one row": (X[:1], y[:1], "1"),
        "no rows": (X[:0], y[:0], "0"),
        "no columns": (X[:, :0], y, "0"),
        "vector": (X[:, 0], y, "1D"),
        "three axes": (X[:, :, None], y, "X"),
        "three axes in y": (X, y[:, :, None], "y"),
        "complex": (X + 1j, y, "omplex"),
        "masked": (np.ma.masked_array(X, mask=X > 0), y, "X"),
        "ragged": ([[1.0], [1.0, 2.0]], y, "X"),
    }
    if not tags_of(measure).sparse:
        bad["sparse"] = (sparse.csr_array(X), y, "parse")
    for name, (first, second, word) in bad.items():
        try:
            value = statistic_of(measure, first, second, fit_params)
        except (ValueError, TypeError) as error:
            assert word in str(error), f"{name}: the message {error} lacks {word!r}"
        else:
            raise AssertionError(f"{name} was accepted and gave {value}")


def check_sparse(measure):
    """Sparse rows give the number of dense ones, alone, on both sides, and as new rows.

    Some columns are filled, as biases are, and some of them far from zero.
    """
    X, y, fit_params = make_inputs(measure)
    X, y = (np.where(np.abs(a) > np.median(np.abs(a)), a, 0) for a in (X, y))
    X[:, 0] += 1e3
    y[:, -1] = X[:, 0] - y[:, -1]
    fitted = fit(measure, X, y, fit_params)
    new = X[::-1], y[::-1] + X[:, :1]
    score = fitted.score(*new, **fit_params)
    for make in (sparse.csr_array, sparse.csc_array, sparse.coo_matrix):
        both = make(X), make(y)
        for pair in (both, (both[0], y), (X, both[1])):
            again = fit(measure, *pair, fit_params)
            message = f"statistic of {make.__name__}"
            assert_close(again.statistic_, fitted.statistic_, message, 1e-10, 1e-10)
        found = again.score(make(new[0]), make(new[1]), **fit_params)
        assert_close(found, score, f"score of {make.__name__}", 1e-9, 1e-9)


def check_transform(measure):
    """Fitted maps: shapes, names, pairs, and the width of new rows."""
    X, y, fit_params = make_inputs(measure)
    fitted = fit(measure, X, y, fit_params)
    mapped = fitted.transform(X)
    assert mapped.shape == (len(X), len(fitted.get_feature_names_out()))
    both = fitted.transform(X, y)
    np.testing.assert_allclose(both[0], mapped)
    assert both[1].shape[0] == len(y)
    np.testing.assert_allclose(clone(measure).fit_transform(X, y), mapped)
    np.testing.assert_allclose(fitted.transform(X[:1]), mapped[:1])
    outcome = None
    try:
        fitted.transform(X[:, :-1])
    except ValueError as error:
        outcome = error
    assert outcome is not None, "transform accepted the wrong number of features"
