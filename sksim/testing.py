"""Checks that every measure passes: scikit-learn's say how an estimator behaves, these
say that a measure is what its tags claim.

Each claim in the tags is held, and each invariance that is not claimed must be refuted
by data. Use :func:`check_similarity` on a measure of your own, or
:func:`parametrize_with_similarity_checks` in its pytest file.
"""

import math
import pickle
import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.utils import get_tags

from sksim.utils._array_api import get_namespace_and_device, move_to
from sksim.utils._tags import ALL_INVARIANCES

__all__ = [
    "REQUIREMENTS",
    "Requirement",
    "check_array_api",
    "check_similarity",
    "expected_failed_checks",
    "make_inputs",
    "parametrize_with_similarity_checks",
    "similarity_checks",
]


@dataclass(frozen=True)
class Requirement:
    """What a measure asks of its input, and the general checks that break it.

    Attributes
    ----------
    reason : str
        Why scikit-learn's checks can't apply as they are.
    checks : tuple of str
        Names of those checks; the checks of this module repeat what they ask on
        valid input.
    adapt : callable, default=None
        Function of a random generator, X and y that makes input valid or telling.
    """

    reason: str
    checks: tuple
    adapt: Callable | None = None


# scikit-learn's checks fit a matrix of real numbers and a column of labels; what a
# check of that kind asks (data types, pickling, names, ...) is asked again below.
_CHECKS_THAT_FIT_A_REAL_MATRIX = (
    "check_array_api_input",
    "check_array_api_mixed_inputs",
    "check_array_api_same_namespace",
    "check_complex_data",
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimator_sparse_tag",
    "check_estimators_dtypes",
    "check_estimators_empty_data_messages",
    "check_estimators_fit_returns_self",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_estimators_unfitted",
    "check_f_contiguous_array_estimator",
    "check_fit1d",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit2d_predict1d",
    "check_fit_check_is_fitted",
    "check_fit_idempotent",
    "check_fit_score_takes_y",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_positive_only_tag_during_fit",
    "check_readonly_memmap_input",
    "check_requires_y_none",
    "check_supervised_y_2d",
    "check_supervised_y_no_nan",
    "check_dataframe_column_names_consistency",
)


def _bring_spans_together(rng, X, y):
    """Columns of y at graded distances from the span of X."""
    signal = X @ rng.normal(size=(X.shape[1], y.shape[1]))
    noise = rng.normal(size=y.shape) * np.geomspace(0.02, 1, y.shape[1])
    return X, signal + noise * np.std(signal, axis=0)


REQUIREMENTS = {
    "nonzero_rows": Requirement(
        "a row of zeros, or one at the mean, has no direction, and some checks fit one",
        _CHECKS_THAT_FIT_A_REAL_MATRIX
        + (
            "check_transformer_data_not_an_array",
            "check_transformer_general",
            "check_transformer_preserve_dtypes",
        ),
    ),
    "nonconstant_rows": Requirement(
        "a row with equal entries, such as any row of one column, correlates with "
        "nothing",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "labels": Requirement(
        "X and y hold one class label for each row, not a matrix",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "probabilities": Requirement(
        "rows of X and y must be probabilities that sum to 1",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "outputs": Requirement(
        "X and y must have the same columns: one for each class",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "y_true": Requirement(
        "fit needs the true labels, which scikit-learn's checks do not pass",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "close_spans": Requirement(
        "all spans that are not close to each other score the same",
        (),
        adapt=_bring_spans_together,
    ),
    "more_rows_than_neighbors": Requirement(
        "more rows are needed than neighbours; scikit-learn's checks pass few",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "distinct_rows": Requirement(
        "equal rows have arbitrary neighbours; scikit-learn's checks pass labels as y",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "models": Requirement(
        "the inputs are models, not arrays",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
    "data": Requirement(
        "fit needs the rows that the models are applied to",
        _CHECKS_THAT_FIT_A_REAL_MATRIX,
    ),
}


def expected_failed_checks(measure):
    """Those of scikit-learn's checks that a measure's requirements rule out.

    Parameters
    ----------
    measure : estimator
        The measure, not necessarily fitted.

    Returns
    -------
    checks : dict of str to str
        Name of the check and the reason.

    Examples
    --------
    >>> from sksim.rsm import CKA
    >>> from sksim.testing import expected_failed_checks
    >>> expected_failed_checks(CKA())
    {}
    """
    return {
        check: REQUIREMENTS[word].reason
        for word in get_tags(measure).similarity_tags.requires
        for check in REQUIREMENTS[word].checks
    }


# ----- valid input ----------------------------------------------------------------


def make_inputs(measure, random_state=0, n_samples=40):
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
    tags = get_tags(measure).similarity_tags
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
    ("models", "pair"): _make_models,
}


# ----- the checks -------------------------------------------------------------------


def similarity_checks(measure):
    """All checks that apply to a measure.

    Parameters
    ----------
    measure : estimator
        The measure, not necessarily fitted.

    Yields
    ------
    measure, check : tuple
        A clone of the measure and a function of it that raises on failure.
    """
    tags = get_tags(measure).similarity_tags
    checks = [
        check_tags,
        check_requirements_are_known,
        check_fitted_attributes,
        check_score_is_oriented,
        check_score_of_training_rows,
        check_identity,
        check_bounds,
        check_symmetry,
        check_common_row_order,
        check_fits_agree,
        check_pickle,
        check_clone,
        check_inputs_stay_as_they_are,
        check_memory_layouts,
        check_unequal_lengths,
        check_missing_y,
        check_unfitted,
    ]
    if tags.arity == "pair" and tags.inputs != "models":
        checks += [check_pairing, check_permutations]
    if tags.arity == "group":
        checks += [check_group_of_two, check_group_permutations, check_lone_model]
    if "y_true" in tags.requires:
        checks += [check_labels_are_required]
    if "y_true" in tags.view_keywords:
        checks += [check_labels_of_wrong_length]
    if tags.metric:
        checks += [check_triangle_inequality]
    if tags.inputs == "representation":
        checks += [partial(check_invariance, code=c) for c in sorted(ALL_INVARIANCES)]
        checks += [
            check_containers,
            check_single_precision,
            check_scale,
            check_offset,
            check_hard_input,
            check_bad_input,
        ]
    if tags.inputs == "representation" and hasattr(measure, "transform"):
        checks += [check_transform]
    for check in checks:
        yield clone(measure), check


def check_similarity(measure):
    """Run all checks on a measure.

    Parameters
    ----------
    measure : estimator
        A measure, such as one of your own.

    Raises
    ------
    AssertionError
        If a claim of the tags does not hold.

    Examples
    --------
    >>> from sksim.rsm import CKA
    >>> from sksim.testing import check_similarity
    >>> check_similarity(CKA())
    """
    for instance, check in similarity_checks(measure):
        check(instance)


def parametrize_with_similarity_checks(measures):
    """Pytest decorator: one test for each measure and check.

    Parameters
    ----------
    measures : iterable of estimators
        The measures to check.

    Returns
    -------
    decorator : MarkDecorator
        Supplies the arguments ``measure`` and ``check`` to the test function.
    """
    import pytest

    cases = [pair for measure in measures for pair in similarity_checks(measure)]
    return pytest.mark.parametrize("measure,check", cases, ids=_name_of_case)


def _name_of_case(argument):
    if isinstance(argument, partial):
        return f"{argument.func.__name__}({', '.join(argument.keywords.values())})"
    return argument.__name__ if callable(argument) else repr(argument)


def _fit(measure, X, y, fit_params=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return clone(measure).fit(X, y, **(fit_params or {}))


def _statistic(measure, X, y, fit_params=None):
    return _fit(measure, X, y, fit_params).statistic_


def _outcome(measure, X, y, fit_params=None):
    """Statistic, or the ValueError that refuses the input."""
    try:
        return _statistic(measure, X, y, fit_params)
    except ValueError as error:
        return error


def _tags(measure):
    return get_tags(measure).similarity_tags


def _assert_close(actual, desired, message, rtol=1e-7, atol=1e-9):
    assert math.isclose(actual, desired, rel_tol=rtol, abs_tol=atol), (
        f"{message}: {actual!r} instead of {desired!r}"
    )


def _rows(array, index):
    return None if array is None else array[index]


def _with_itself(measure, X):
    """Input that compares a model with itself: a pair, or a group of equal models."""
    if _tags(measure).arity == "group":
        return np.repeat(X[:, :1], X.shape[1], axis=1), None
    return X, X


def _exchanged(measure, X, y):
    """The same input with the models in another order."""
    if _tags(measure).arity == "group":
        return np.ascontiguousarray(X[:, ::-1]), None
    return y, X


def _unrelated(measure, X, y, seed):
    """The same input with one model replaced by a model of other data."""
    other, second, _ = make_inputs(measure, random_state=seed)
    if _tags(measure).arity == "group":
        return np.concatenate([X[:, 1:], other[:, :1]], axis=1), None
    return X, second


def check_tags(measure):
    """Tags are complete and consistent."""
    tags = _tags(measure)
    low, high = tags.bounds
    assert low < high
    assert tags.complexity, "the tag 'complexity' is empty"
    assert tags.reference or tags.family in ("cca",), "the tag 'reference' is empty"
    assert not tags.metric or (tags.orientation == "distance" and tags.symmetric), (
        "a metric is a symmetric distance"
    )


def check_requirements_are_known(measure):
    """Each word in ``requires`` stands in the table."""
    unknown = set(_tags(measure).requires) - set(REQUIREMENTS)
    assert not unknown, f"add {sorted(unknown)} to sksim.testing.REQUIREMENTS"


def check_fitted_attributes(measure):
    """Fit stores the statistic, its readable alias and the score."""
    X, y, fit_params = make_inputs(measure)
    fitted = _fit(measure, X, y, fit_params)
    tags = _tags(measure)
    assert isinstance(fitted.statistic_, float)
    assert isinstance(fitted.score_, float)
    assert getattr(fitted, f"{tags.orientation}_") == fitted.statistic_
    other = {"similarity": "distance", "distance": "similarity"}[tags.orientation]
    assert not hasattr(fitted, f"{other}_")
    if tags.inputs != "models":
        assert fitted.n_samples_fit_ == len(X)
    if tags.inputs == "representation":
        assert fitted.n_features_in_ == X.shape[1]
        assert fitted.n_features_y_in_ == y.shape[1]


def check_score_is_oriented(measure):
    """Score is the similarity itself, or minus the distance."""
    X, y, fit_params = make_inputs(measure)
    fitted = _fit(measure, X, y, fit_params)
    tags = _tags(measure)
    sign = 1 if tags.orientation == "similarity" else -1
    size = abs(fitted.statistic_) if tags.signed else fitted.statistic_
    assert fitted.score_ == sign * size
    assert fitted.score() == fitted.score_


def check_score_of_training_rows(measure):
    """Score of the training rows is the fitted score."""
    X, y, fit_params = make_inputs(measure)
    fitted = _fit(measure, X, y, fit_params)
    again = fitted.score(X, y, **fit_params)
    _assert_close(again, fitted.score_, "score(X, y) on the training input", 1e-9)


def check_identity(measure):
    """A representation compared with itself gets the best value."""
    tags = _tags(measure)
    X, _, fit_params = make_inputs(measure)
    value = _statistic(measure, *_with_itself(measure, X), fit_params)
    if tags.identity and math.isfinite(tags.best):
        _assert_close(value, tags.best, "statistic of X with itself", atol=1e-7)


def check_bounds(measure):
    """The statistic stays within its bounds, on related and unrelated input."""
    low, high = _tags(measure).bounds
    for seed in range(3):
        X, y, fit_params = make_inputs(measure, random_state=seed)
        unrelated = _unrelated(measure, X, y, seed + 10)
        for first, second in ((X, y), unrelated):
            value = _statistic(measure, first, second, fit_params)
            assert low <= value <= high, f"{value} is not in [{low}, {high}]"


def check_symmetry(measure):
    """Exchanging X and y matters exactly where the tags say so."""
    symmetric = _tags(measure).symmetric
    changes = []
    for seed in range(3):
        X, y, fit_params = make_inputs(measure, random_state=seed)
        forward = _statistic(measure, X, y, fit_params)
        backward = _statistic(measure, *_exchanged(measure, X, y), fit_params)
        if symmetric:
            _assert_close(backward, forward, "statistic of (y, X)")
        changes.append(abs(forward - backward))
    assert symmetric or max(changes) > 1e-6, "tagged asymmetric, but it is symmetric"


def check_common_row_order(measure):
    """The same permutation of all rows leaves the statistic as it is."""
    X, y, fit_params = make_inputs(measure)
    if not hasattr(X, "shape") or not _tags(measure).deterministic:
        return
    order = np.random.default_rng(1).permutation(len(X))
    moved = {name: _rows(value, order) for name, value in fit_params.items()}
    if "seed" in _tags(measure).view_keywords:
        return
    _assert_close(
        _statistic(measure, _rows(X, order), _rows(y, order), moved),
        _statistic(measure, X, y, fit_params),
        "statistic of reordered rows",
    )


def check_pairing(measure):
    """Permuting the rows of one side matters exactly for paired measures."""
    tags = _tags(measure)
    X, y, fit_params = make_inputs(measure)
    if fit_params and not tags.paired:
        return
    before = _statistic(measure, X, y, fit_params)
    orders = [np.random.default_rng(seed).permutation(len(X)) for seed in range(3)]
    after = [_statistic(measure, X, _rows(y, order), fit_params) for order in orders]
    if tags.paired:
        changed = max(abs(value - before) for value in after)
        assert changed > 1e-6, "tagged paired, but the rows' order does not matter"
    elif "seed" not in tags.view_keywords:
        for value in after:
            _assert_close(value, before, "statistic of permuted rows")


def check_permutations(measure):
    """Relabelling the rows of a view equals computing the view again."""
    tags = _tags(measure)
    if not tags.paired or tags.null != "rows":
        return
    X, y, fit_params = make_inputs(measure)
    labels = fit_params.get("y_true")
    if labels is not None:
        # the truth travels with its rows: each view is made with its own labels
        return
    fresh = clone(measure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y, xp = fresh._validate_pair(X, y, reset=True)
        prepared = fresh._prepare_permutations(*fresh._views(X, y, xp), xp)
        for seed in range(3):
            order = np.random.default_rng(seed).permutation(len(X))
            fast = float(fresh._compare_permuted(*prepared, order, xp))
            slow = _statistic(measure, X, _rows(y, order))
            if "seed" not in tags.view_keywords:
                _assert_close(fast, slow, "permuted view", rtol=1e-9, atol=1e-11)


def check_group_of_two(measure):
    """A group of two is a pair, in whatever form it is passed."""
    X, _, fit_params = make_inputs(measure)
    group = _statistic(measure, X[:, :2], None, fit_params)
    pair = _fit(measure, X[:, 0], X[:, 1], fit_params)
    _assert_close(pair.statistic_, group, "statistic of a pair")
    _assert_close(
        pair.score(X[:, 0], X[:, 1], **fit_params), pair.score_, "score of a pair"
    )


def check_group_permutations(measure):
    """Relabelling each model's rows equals computing the views again."""
    X, _, fit_params = make_inputs(measure)
    if fit_params:
        # the truth travels with its rows: each view is made with its own labels
        return
    models, xp = measure._validate_group(X, reset=True)
    views = measure._group_views(models, xp)
    rng = np.random.default_rng(0)
    orders = [None, *(rng.permutation(len(X)) for _ in models[1:])]
    fast = float(measure._aggregate_permuted(views, orders, xp))
    moved = [X[:, i] if o is None else X[o, i] for i, o in enumerate(orders)]
    slow = _statistic(measure, np.stack(moved, axis=1), None)
    _assert_close(fast, slow, "permuted views", rtol=1e-9, atol=1e-11)


def check_lone_model(measure):
    """A group of one is refused with its shape, and so is a y beside a group."""
    X, _, fit_params = make_inputs(measure)
    outcome = _outcome(measure, X[:, :1], None, fit_params)
    assert isinstance(outcome, ValueError)
    assert "two or more models" in str(outcome)
    outcome = _outcome(measure, X, X[:, 0], fit_params)
    assert isinstance(outcome, ValueError)
    assert "y" in str(outcome)


def check_fits_agree(measure):
    """Two fits on the same input agree, with the same random_state if there is one."""
    X, y, fit_params = make_inputs(measure)
    measure = clone(measure)
    if "random_state" in measure.get_params():
        measure.set_params(random_state=0)
    first = _statistic(measure, X, y, fit_params)
    assert first == _statistic(measure, X, y, fit_params)


def check_triangle_inequality(measure):
    """A metric's distances satisfy the triangle inequality."""
    for seed in range(5):
        X, y, fit_params = make_inputs(measure, random_state=seed)
        _, z, _ = make_inputs(measure, random_state=seed + 20)
        xy, yz, xz = (
            _statistic(measure, a, b, fit_params) for a, b in ((X, y), (y, z), (X, z))
        )
        for longest, a, b in ((xy, yz, xz), (yz, xy, xz), (xz, xy, yz)):
            assert longest <= a + b + 1e-10, f"{longest} > {a} + {b}"


def check_invariance(measure, code):
    """A claimed invariance holds; one that is not claimed is refuted by data."""
    tags = _tags(measure)
    for side, claimed in enumerate((tags.invariances, tags.invariances_y)):
        changes = []
        for seed in range(3):
            X, y, fit_params = make_inputs(measure, random_state=seed)
            before = _statistic(measure, X, y, fit_params)
            pair = [X, y]
            pair[side] = _transformed(pair[side], code, random_state=seed)
            after = _statistic(measure, *pair, fit_params)
            if code in claimed:
                message = f"{code} is claimed for {'Xy'[side]}, the statistic"
                _assert_close(after, before, message)
            changes.append(abs(after - before))
        assert code in claimed or max(changes) > 1e-6, (
            f"{code} is not claimed for {'Xy'[side]}, but it seems to hold"
        )


def _transformed(X, code, random_state):
    rng = np.random.default_rng(100 + random_state)
    width = X.shape[1]
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    mixing = rotation * np.geomspace(0.3, 5, width) @ rotation[::-1]
    shift = 3 * rng.normal(size=width)
    return {
        "PT": lambda: X[:, rng.permutation(width)],
        "OT": lambda: X @ rotation,
        "IS": lambda: 3.7 * X,
        "ILT": lambda: X @ mixing,
        "TR": lambda: X + shift,
        "AT": lambda: X @ mixing + shift,
    }[code]()


def check_pickle(measure):
    """A fitted measure survives pickling."""
    X, y, fit_params = make_inputs(measure)
    fitted = _fit(measure, X, y, fit_params)
    restored = pickle.loads(pickle.dumps(fitted))
    assert restored.score_ == fitted.score_
    if hasattr(X, "shape"):
        again = restored.score(X, y, **fit_params)
        _assert_close(again, fitted.score_, "score after pickling", 1e-9)


def check_clone(measure):
    """A clone has the same parameters and nothing fitted."""
    X, y, fit_params = make_inputs(measure)
    fitted = _fit(measure, X, y, fit_params)
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
    fitted = _fit(measure, X, y, fit_params)
    fitted.score(X, y, **fit_params)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def check_memory_layouts(measure):
    """Column order and strides do not matter."""
    X, y, fit_params = make_inputs(measure)
    if not hasattr(X, "flags"):
        return
    before = _statistic(measure, X, y, fit_params)
    pair = [array for array in (X, y) if array is not None]
    fortran = [np.asfortranarray(array) for array in pair]
    _assert_close(
        _statistic(measure, *_padded(fortran), fit_params),
        before,
        "statistic of column-major arrays",
    )
    strided = _padded([np.repeat(array, 2, axis=0)[::2] for array in pair])
    _assert_close(_statistic(measure, *strided, fit_params), before, "strided arrays")


def _padded(arrays):
    """X and y of what may be X alone."""
    return (*arrays, None)[:2]


def check_unequal_lengths(measure):
    """Different numbers of rows are refused where rows are paired."""
    tags = _tags(measure)
    X, y, fit_params = make_inputs(measure)
    if not hasattr(X, "shape") or tags.arity == "group":
        return
    outcome = _outcome(measure, X, y[:-1], fit_params)
    if tags.paired:
        assert isinstance(outcome, ValueError), "unequal numbers of rows were accepted"
        assert str(len(X)) in str(outcome)
        assert str(len(X) - 1) in str(outcome)


def check_missing_y(measure):
    """Fitting without a second input raises a ValueError that names y."""
    if _tags(measure).arity == "group":
        return
    X, _, fit_params = make_inputs(measure)
    outcome = _outcome(measure, X, None, fit_params)
    assert isinstance(outcome, ValueError)
    second = "model_y" if _tags(measure).inputs == "models" else "y"
    assert f"requires {second}" in str(outcome)


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
    outcome = _outcome(measure, X, y, fit_params | {"y_true": None})
    assert isinstance(outcome, ValueError)
    assert "y_true" in str(outcome)


def check_labels_of_wrong_length(measure):
    """Labels must be as many as rows."""
    X, y, fit_params = make_inputs(measure)
    short = fit_params | {"y_true": fit_params["y_true"][:-1]}
    outcome = _outcome(measure, X, y, short)
    assert isinstance(outcome, ValueError)
    assert "y_true" in str(outcome)


def check_containers(measure):
    """Lists, DataFrames and arrays of objects give the same number."""
    X, y, fit_params = make_inputs(measure)
    before = _statistic(measure, X, y, fit_params)
    names_x = [f"a{i}" for i in range(X.shape[1])]
    names_y = [f"b{i}" for i in range(y.shape[1])]
    frames = pd.DataFrame(X, columns=names_x), pd.DataFrame(y, columns=names_y)
    fitted = _fit(measure, *frames, fit_params)
    _assert_close(fitted.statistic_, before, "statistic of DataFrames")
    assert list(fitted.feature_names_in_) == names_x
    lists = _statistic(measure, X.tolist(), y.tolist(), fit_params)
    _assert_close(lists, before, "statistic of lists")
    objects = _statistic(measure, X.astype(object), y.astype(object), fit_params)
    _assert_close(objects, before, "statistic of arrays of objects")


def check_single_precision(measure):
    """float32 gives the number of float64, up to its own precision."""
    X, y, fit_params = make_inputs(measure)
    X, y = X.astype(np.float32), y.astype(np.float32)
    double = _statistic(measure, X.astype(float), y.astype(float), fit_params)
    single = _statistic(measure, X, y, fit_params)
    _assert_close(single, double, "statistic of float32", rtol=2e-4, atol=2e-4)


def check_scale(measure):
    """Huge and tiny input gives the right number, or a ValueError; never nonsense."""
    tags = _tags(measure)
    X, y, fit_params = make_inputs(measure)
    before = _statistic(measure, X, y, fit_params)
    low, high = tags.bounds
    for dtype, factors in (
        (np.float64, (1e20, 1e-20, 1e150, 1e-150)),
        (np.float32, (1e20, 1e-20)),
    ):
        for factor in factors:
            pair = [(array.astype(dtype) * dtype(factor)) for array in (X, y)]
            outcome = _outcome(measure, *pair, fit_params)
            if isinstance(outcome, ValueError):
                assert "IS" not in tags.invariances, f"refused x{factor}: {outcome}"
                continue
            assert math.isfinite(outcome), f"{outcome} at x{factor} in {dtype}"
            assert low <= outcome <= high, f"{outcome} at x{factor} in {dtype}"
            if "IS" in tags.invariances & tags.invariances_y:
                tolerance = 1e-7 if dtype is np.float64 else 2e-4
                message = f"statistic at x{factor} in {dtype.__name__}"
                _assert_close(outcome, before, message, tolerance, tolerance)


def check_offset(measure):
    """A common offset of a million standard deviations is subtracted without loss."""
    tags = _tags(measure)
    X, y, fit_params = make_inputs(measure)
    before = _statistic(measure, X, y, fit_params)
    outcome = _statistic(measure, X + 1e6, y - 1e6, fit_params)
    assert math.isfinite(outcome)
    if "TR" in tags.invariances & tags.invariances_y:
        _assert_close(outcome, before, "statistic at an offset of 1e6", 1e-6, 1e-7)


def check_hard_input(measure):
    """Degenerate but finite input gives a number in bounds, or a ValueError."""
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
    low, high = _tags(measure).bounds
    for name, (first, second) in hard.items():
        outcome = _outcome(measure, first, second, fit_params)
        if isinstance(outcome, ValueError):
            assert str(outcome), name
        else:
            assert math.isfinite(outcome), f"{name}: {outcome}"
            assert low <= outcome <= high, f"{name}: {outcome}"


def check_bad_input(measure):
    """What is no pair of finite matrices is refused with a message that names it."""
    X, y, fit_params = make_inputs(measure)
    with_nan, with_inf = X.copy(), y.copy()
    with_nan[0, 0], with_inf[0, 0] = np.nan, np.inf
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
        "sparse": (sparse.csr_array(X), y, "parse"),
        "complex": (X + 1j, y, "omplex"),
        "masked": (np.ma.masked_array(X, mask=X > 0), y, "X"),
        "ragged": ([[1.0], [1.0, 2.0]], y, "X"),
    }
    for name, (first, second, word) in bad.items():
        try:
            value = _statistic(measure, first, second, fit_params)
        except (ValueError, TypeError) as error:
            assert word in str(error), f"{name}: the message {error} lacks {word!r}"
        else:
            raise AssertionError(f"{name} was accepted and gave {value}")


def check_transform(measure):
    """Fitted maps: shapes, names, pairs, and the width of new rows."""
    X, y, fit_params = make_inputs(measure)
    fitted = _fit(measure, X, y, fit_params)
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


def check_array_api(measure, namespace, device=None):
    """Arrays of another library give numpy's number, and stay where they are.

    Parameters
    ----------
    measure : estimator
        The measure.
    namespace : str
        Importable name of the library, such as "torch" or "array_api_strict".
    device : str, default=None
        Where its arrays live.

    Raises
    ------
    AssertionError
        If the number differs, or results have left the library.

    Examples
    --------
    scikit-learn asks for ``SCIPY_ARRAY_API=1`` in the environment before scipy is
    imported.

    >>> from sksim.rsm import CKA
    >>> from sksim.testing import check_array_api
    >>> check_array_api(CKA(), "numpy")
    """
    import importlib

    from sklearn import config_context

    module = importlib.import_module(namespace)
    X, y, fit_params = make_inputs(measure)
    fitted = _fit(measure, X, y, fit_params)
    options = {} if device is None else {"device": device}
    with config_context(array_api_dispatch=True):
        moved = [
            None if array is None else module.asarray(array, **options)
            for array in (X, y)
        ]
        params = {
            name: module.asarray(value, **options) for name, value in fit_params.items()
        }
        there = _fit(measure, *moved, params)
        _assert_close(
            there.statistic_, fitted.statistic_, f"statistic on {namespace}", 1e-9
        )
        score = there.score(*moved, **params)
        _assert_close(score, fitted.score_, f"score on {namespace}", 1e-9)
        if hasattr(fitted, "transform"):
            mapped = there.transform(moved[0])
            assert (
                get_namespace_and_device(mapped)[:1]
                == (get_namespace_and_device(moved[0])[:1])
            )
            np.testing.assert_allclose(
                move_to(mapped, xp=np, device="cpu"), fitted.transform(X), atol=1e-9
            )
        _check_permutations_there(clone(measure), moved, params, fitted)


def _check_permutations_there(measure, moved, params, fitted):
    tags = _tags(measure)
    if not tags.paired or tags.arity == "group" or params or tags.null != "rows":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        X, y, xp = measure._validate_pair(*moved, reset=True)
        views = measure._prepare_permutations(*measure._views(X, y, xp), xp)
        order = xp.arange(X.shape[0], device=get_namespace_and_device(X)[2])
        value = float(measure._compare_permuted(*views, order, xp))
    if "seed" not in tags.view_keywords:
        _assert_close(value, fitted.statistic_, "unpermuted view", 1e-9)
