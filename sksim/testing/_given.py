"""Checks of measures of given matrices: what is refused, and what is the same."""

import warnings

import numpy as np
from scipy.spatial.distance import squareform
from sklearn.base import clone
from sklearn.model_selection import KFold

from sksim.base._given import given_kind
from sksim.base._tags import PAIR_METADATA
from sksim.testing._helpers import (
    assert_close,
    outcome_of,
    rows_of,
    statistic_of,
    tags_of,
)
from sksim.testing._inputs import make_inputs


def _has_pairs(tags):
    """Whether something is known of the pairs of just these rows."""
    return not set(tags.view_keywords).isdisjoint(PAIR_METADATA)


def _without_noise(measure):
    measure = clone(measure)
    if "random_state" in measure.get_params():
        measure.set_params(random_state=0)
    return measure


def check_given_matrices_are_checked(measure):
    """What is no matrix of all pairs is refused with its name, problem and way out."""
    X, y, fit_params = make_inputs(measure)
    kind = given_kind(tags_of(measure))
    skewed = X.copy()
    skewed[0, 1] += np.ptp(X) / 100
    lacks = X.copy()
    lacks[0, 1] = lacks[1, 0] = np.nan
    train = next(KFold(5).split(X))[0]
    bad = {
        "rectangle": (X[:, :-1], ("39", "square")),
        "rows of a splitter": (X[train], ("cross_val_score", "subsample")),
        "asymmetric": (skewed, ("symmetric", "(X + X.T) / 2")),
        "vector of another length": (np.ones(7), ("7", "n (n - 1) / 2")),
    }
    if kind.zero_diagonal:
        bad["own distances"] = (X + np.eye(len(X)) * np.ptp(X), ("diagonal", "1 - s"))
    if kind.range[0] == 0:
        bad["negative"] = (-X, ("negative", "1 - s"))
    if kind.has_diagonal:
        bad["condensed"] = (squareform(X, checks=False), ("diagonal", "square"))
    if not kind.missing:
        bad["missing"] = (lacks, ("NaN",))
    for name, (matrix, words) in bad.items():
        for pair, which in (((matrix, y), "X"), ((X, matrix), "y")):
            outcome = outcome_of(measure, *pair, fit_params)
            assert isinstance(outcome, ValueError), f"{name} was accepted as {which}"
            for word in (which, *words):
                word = word.replace("X", which)
                assert word in str(outcome), f"{name}: {outcome} lacks {word!r}"


def check_condensed_vectors(measure):
    """Condensed vectors give what square matrices give, where the diagonal is none."""
    X, y, fit_params = make_inputs(measure)
    if given_kind(tags_of(measure)).has_diagonal:
        return
    measure = _without_noise(measure)
    vectors = [squareform(array, checks=False) for array in (X, y)]
    value = statistic_of(measure, *vectors, fit_params)
    expected = statistic_of(measure, X, y, fit_params)
    assert_close(value, expected, "statistic of condensed vectors", 1e-12, 1e-14)


def check_rounding_of_given_matrices(measure):
    """Triangles that differ by rounding are taken, and so is rounding at zero."""
    X, y, fit_params = make_inputs(measure)
    measure = _without_noise(measure)
    expected = statistic_of(measure, X, y, fit_params)
    noise = np.random.default_rng(0).normal(size=X.shape) * np.ptp(X) * 1e-15
    value = statistic_of(measure, X + noise, y, fit_params)
    assert_close(value, expected, "statistic of a rounded matrix", 1e-9, 1e-11)


def check_given_rows(measure):
    """Tests, intervals and matrices cut rows and columns: parts are given matrices."""
    from sksim.inference import similarity_interval
    from sksim.pairwise import similarity_matrix

    X, y, fit_params = make_inputs(measure, n_samples=30)
    measure = _without_noise(measure)
    tags = tags_of(measure)
    known = {"y_true": fit_params.get("y_true")}
    kept = np.delete(np.arange(len(X)), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "jackknife" in tags.intervals and not _has_pairs(tags):
            found = similarity_interval(measure, X, y, **known).replicates[3]
            part = [rows_of(array, kept, measure) for array in (X, y)]
            labels = {name: value[kept] for name, value in fit_params.items()}
            score = clone(measure).fit(*part, **labels).score_
            assert_close(found, score, "score without a row", 1e-9, 1e-11)
        if "subsample" in tags.intervals:
            setting = {"method": "subsample", "n_resamples": 20, "random_state": 0}
            result = similarity_interval(measure, X, y, **setting, **known)
            assert np.isfinite(result.standard_error)
        if tags.arity == "pair":
            value = similarity_matrix(measure, {"a": X}, {"b": y}, **known).to_numpy()
            score = clone(measure).fit(X, y, **fit_params).score_
            assert_close(float(value[0, 0]), score, "one of a matrix", 1e-9, 1e-11)


def check_new_rows(measure):
    """Other rows, as many as there are, may be scored."""
    X, y, fit_params = make_inputs(measure)
    if _has_pairs(tags_of(measure)):
        return
    measure = _without_noise(measure)
    new_X, new_y, new_params = make_inputs(measure, random_state=1, n_samples=25)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        score = clone(measure).fit(X, y, **fit_params).score(new_X, new_y, **new_params)
        expected = clone(measure).fit(new_X, new_y, **new_params).score_
    assert_close(score, expected, "score of new rows", 1e-12)
