"""Checks of what tests and matrices build on: relabelled rows, groups, one seed."""

import warnings

import numpy as np
from sklearn.base import clone

from sksim.testing._helpers import (
    assert_close,
    fit,
    outcome_of,
    rows_of,
    statistic_of,
    tags_of,
)
from sksim.testing._inputs import make_inputs


def check_permutations(measure):
    """Relabelling the rows of a view equals computing the view again."""
    tags = tags_of(measure)
    if not tags.paired or tags.null != "rows":
        return
    X, y, fit_params = make_inputs(measure)
    labels = fit_params.get("y_true")
    if labels is not None:
        # the truth travels with its rows: each view is made with its own labels
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        comparison = clone(measure)._open(X, y)
        orders = [np.random.default_rng(seed).permutation(len(X)) for seed in range(3)]
        fast = comparison.for_permutations().permuted(orders)
        for value, order in zip(fast, orders, strict=True):
            slow = statistic_of(measure, X, rows_of(y, order, measure))
            if "seed" not in tags.view_keywords:
                assert_close(value, slow, "permuted view", rtol=1e-9, atol=1e-11)


def check_group_of_two(measure):
    """A group of two is a pair, in whatever form it is passed."""
    X, _, fit_params = make_inputs(measure)
    group = statistic_of(measure, X[:, :2], None, fit_params)
    pair = fit(measure, X[:, 0], X[:, 1], fit_params)
    assert_close(pair.statistic_, group, "statistic of a pair")
    assert_close(
        pair.score(X[:, 0], X[:, 1], **fit_params), pair.score_, "score of a pair"
    )


def check_group_permutations(measure):
    """Relabelling each model's rows equals computing the views again."""
    X, _, fit_params = make_inputs(measure)
    if fit_params:
        # the truth travels with its rows: each view is made with its own labels
        return
    comparison = clone(measure)._open(X)
    rng = np.random.default_rng(0)
    orders = [None, *(rng.permutation(len(X)) for _ in comparison.views[1:])]
    fast = comparison.for_permutations().permuted([orders])[0]
    moved = [X[:, i] if o is None else X[o, i] for i, o in enumerate(orders)]
    slow = statistic_of(measure, np.stack(moved, axis=1), None)
    assert_close(fast, slow, "permuted views", rtol=1e-9, atol=1e-11)


def check_lone_model(measure):
    """A group of one is refused with its shape, and so is a y beside a group."""
    X, _, fit_params = make_inputs(measure)
    outcome = outcome_of(measure, X[:, :1], None, fit_params)
    assert isinstance(outcome, ValueError)
    assert "two or more models" in str(outcome)
    outcome = outcome_of(measure, X, X[:, 0], fit_params)
    assert isinstance(outcome, ValueError)
    assert "y" in str(outcome)


def check_fits_agree(measure):
    """Two fits agree: with one seed, and without any where the tags say so."""
    X, y, fit_params = make_inputs(measure)
    measure = clone(measure)
    if "random_state" in measure.get_params():
        unseeded = clone(measure).set_params(random_state=None)
        if tags_of(unseeded).deterministic:
            values = {statistic_of(unseeded, X, y, fit_params) for _ in range(3)}
            assert len(values) == 1, (
                f"tagged deterministic, but fits without a seed give {sorted(values)}"
            )
        measure.set_params(random_state=0)
    first = statistic_of(measure, X, y, fit_params)
    assert first == statistic_of(measure, X, y, fit_params)
