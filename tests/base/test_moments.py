"""Streams of rows: what the checks of all streaming measures don't ask."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from joblib import Parallel, delayed
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler
from sklearn.utils import gen_batches, get_tags

from sksim.alignment import (
    LinearRegressionSimilarity,
    OrthogonalProcrustes,
    PartialWhiteningShapeMetric,
)
from sksim.cca import PWCCA, SVCCA, MeanCCA, MeanSquaredCCA
from sksim.compose import TransformedViews
from sksim.rsm import CKA, GULP, HSIC, NormalizedBures
from sksim.statistics import Magnitude

WHITENING = [
    MeanCCA(),
    MeanSquaredCCA(),
    SVCCA(variance=1.0),
    PartialWhiteningShapeMetric(),
    PartialWhiteningShapeMetric(alpha=0),
    PartialWhiteningShapeMetric(center=False),
    PartialWhiteningShapeMetric(alpha=0, center=False),
    LinearRegressionSimilarity(),
    GULP(ridge=0),
]


def pair(n_samples=400, width=6, random_state=0):
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, width))
    y = np.tanh(X @ rng.normal(size=(width, width))) + rng.normal(size=X.shape)
    return X, y


def streamed(measure, X, y, size=64):
    measure = clone(measure)
    for rows in gen_batches(len(X), size):
        measure.partial_fit(X[rows], y[rows])
    return measure


def with_condition(X, condition):
    """Rows of X in a mixed basis of this condition number."""
    U, _, Vt = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)
    return U * np.geomspace(1, 1 / condition, X.shape[1]) @ Vt


# ----- whitening --------------------------------------------------------------------


@pytest.mark.parametrize("measure", WHITENING, ids=repr)
@pytest.mark.parametrize("condition", [1e2, 1e4, 2e5])
def test_whitening_errs_by_the_squared_condition(measure, condition):
    X, y = pair()
    X = with_condition(X, condition)
    expected = clone(measure).fit(X, y).statistic_
    value = streamed(measure, X, y).statistic_
    assert abs(value / expected - 1) <= 1e-15 * condition**2 + 1e-14


@pytest.mark.parametrize(
    "measure",
    # SVCCA leaves out what carries so little variance
    [PWCCA(), *(m for m in WHITENING if not isinstance(m, SVCCA))],
    ids=repr,
)
def test_whitening_refuses_what_is_too_ill_conditioned(measure):
    X, y = pair()
    X = with_condition(X, 3e7)
    clone(measure).fit(X, y)
    with pytest.raises(ValueError, match="X has a condition number .* Use fit"):
        _ = streamed(measure, X, y).statistic_


@pytest.mark.parametrize("measure", [CKA(), OrthogonalProcrustes(), NormalizedBures()])
@pytest.mark.parametrize("condition", [1e4, 1e12])
def test_the_others_do_not_care(measure, condition):
    X, y = pair()
    X = with_condition(X, condition)
    expected = clone(measure).fit(X, y).statistic_
    assert_allclose(streamed(measure, X, y).statistic_, expected, rtol=1e-12)


def test_units_of_columns_are_no_ill_conditioning():
    X, y = pair()
    expected = MeanCCA().fit(X, y).statistic_
    X = X * np.geomspace(1e-9, 1e9, X.shape[1])
    assert_allclose(streamed(MeanCCA(), X, y).statistic_, expected, rtol=1e-11)


def test_more_rows_make_up_for_too_few():
    X, y = pair(width=30)
    measure = MeanCCA().partial_fit(X[:20], y[:20])
    with pytest.raises(ValueError, match="30 features but only 20 rows so far"):
        _ = measure.score_
    measure.partial_fit(X[20:], y[20:])
    assert_allclose(measure.score_, MeanCCA().fit(X, y).score_, rtol=1e-12)


@pytest.mark.parametrize(
    "measure",
    [*WHITENING, GULP(), LinearRegressionSimilarity(ridge=2.0), CKA(), PWCCA()],
    ids=repr,
)
def test_dead_units_are_left_out(measure):
    X, y = pair()
    # constant up to rounding
    X[:, 2] = np.where(X[:, 2] > 0, 0.1, np.nextafter(0.1, 1))
    y[:, 0] = 0
    expected = clone(measure).fit(X, y)
    value = streamed(measure, X, y)
    assert_allclose(value.statistic_, expected.statistic_, rtol=1e-11)
    if hasattr(measure, "transform"):
        new_X, _ = pair(random_state=1)
        new_X[:, 2] = 0.1
        assert_allclose(value.transform(new_X), expected.transform(new_X), atol=1e-9)


def test_correlations_that_are_1_by_construction_are_told():
    X, y = pair(n_samples=10)
    with pytest.warns(UserWarning, match="by construction"):
        _ = streamed(MeanCCA(), X, y).score_
    with pytest.warns(UserWarning, match="by construction"):
        _ = streamed(LinearRegressionSimilarity(), X[:7], y[:7]).score_


# ----- numerics ---------------------------------------------------------------------


def exact_cka(X, y):
    """CKA of integers, in rational numbers."""
    columns = [[[Fraction(int(v)) for v in c] for c in Z.T] for Z in (X, y)]
    n = len(X)
    columns = [[[v - sum(c) / n for v in c] for c in Z] for Z in columns]

    def squares(A, B):
        return sum(
            sum(p * q for p, q in zip(a, b, strict=True)) ** 2 for a in A for b in B
        )

    x, z = columns
    return float(squares(x, z) ** 2 / (squares(x, x) * squares(z, z))) ** 0.5


@pytest.mark.parametrize("drift", [0, 3, 1000])
def test_drifting_blocks_at_a_huge_offset(drift):
    """Blocks whose means lie far apart, and further from zero."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(-9, 10, size=(2, 60, 3)).astype(float)
    X += 2.0**40 + drift * np.arange(60)[:, None]
    y += -(2.0**42) + drift // 3 * np.arange(60)[:, None]
    value = streamed(CKA(), X, y, size=7).statistic_
    assert_allclose(value, exact_cka(X, y), rtol=1e-12)


@pytest.mark.parametrize("measure", [OrthogonalProcrustes(), GULP()])
def test_equal_representations_are_at_no_distance(measure):
    X, _ = pair()
    assert 0 <= streamed(measure, X, X).distance_ < 1e-6


def test_blocks_of_very_different_scale():
    X, y = pair()
    gains = np.repeat([1e-200, 1, 1e160], [100, 200, 100])[:, None]
    expected = CKA().fit(X * gains, y * gains).score_
    assert_allclose(streamed(CKA(), X * gains, y * gains).score_, expected, rtol=1e-12)


@pytest.mark.parametrize("size", [1, 5])
def test_blocks_of_zeros_have_no_scale(size):
    X, y = pair(n_samples=60)
    X[:5] = y[:10] = 0
    expected = CKA().fit(X, y).score_
    value = streamed(CKA(), X * 1e-250, y * 1e-250, size).score_
    assert_allclose(value, expected, rtol=1e-12)


# ----- the estimator ----------------------------------------------------------------


def test_methods_are_there_only_where_they_work():
    for measure in (CKA(kernel="rbf"), HSIC(kernel="cosine")):
        assert not hasattr(measure, "partial_fit")
        assert not hasattr(measure, "merge")
        with pytest.raises(AttributeError, match="partial_fit"):
            measure.partial_fit(*pair())
    wrapped = TransformedViews(CKA(), StandardScaler())
    assert not hasattr(wrapped, "partial_fit")
    assert not get_tags(wrapped).similarity_tags.streaming


def test_comparison_waits_until_it_is_asked_for():
    X, y = pair()
    calls = []

    class Counting(MeanCCA):
        def _compare_moments(self, moments, xp):
            calls.append(moments.n)
            return super()._compare_moments(moments, xp)

    measure = streamed(Counting(), X, y)
    assert not calls
    assert measure.n_samples_fit_ == 400
    assert measure.similarity_ == measure.score_ == measure.score()
    measure.transform(X)
    assert calls == [400]
    clone(measure.partial_fit(X, y))
    assert calls == [400]
    assert measure.get_feature_names_out().shape == (6,)
    assert calls == [400, 800]


def test_one_row_is_not_enough_for_a_number():
    X, y = pair()
    measure = CKA(debias="rows").partial_fit(X[:3], y[:3])
    with pytest.raises(NotFittedError, match="has seen 3 row.* at least 4"):
        measure.score()
    assert not hasattr(measure, "statistic_")
    measure.partial_fit(X[3:4], y[3:4])
    assert hasattr(measure, "statistic_")


def test_partial_fit_after_fit_says_that_it_starts_anew():
    X, y = pair()
    measure = streamed(CKA(), X, y).fit(X[:200], y[:200])
    assert_allclose(measure.score_, CKA().fit(X[:200], y[:200]).score_)
    with pytest.warns(UserWarning, match="starts anew"):
        measure.partial_fit(X[200:], y[200:])
    assert measure.n_samples_fit_ == 200
    assert_allclose(measure.score_, CKA().fit(X[200:], y[200:]).score_)


def test_merge_wants_equal_parameters():
    X, y = pair()
    first, second = GULP().partial_fit(X, y), GULP(ridge=0.1).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"parameters.*GULP\(ridge=0.1\)"):
        first.merge(second)
    with pytest.raises(ValueError, match="other was never fitted by partial_fit"):
        first.merge(GULP().fit(X, y))


def test_map_and_reduce_with_joblib():
    X, y = pair()
    parts = Parallel(n_jobs=2, backend="threading")(
        delayed(OrthogonalProcrustes().partial_fit)(X[rows], y[rows])
        for rows in gen_batches(400, 130)
    )
    total = parts[0]
    for part in parts[1:]:
        total.merge(part)
    expected = OrthogonalProcrustes().fit(X, y)
    assert_allclose(total.distance_, expected.distance_, rtol=1e-12)
    assert_allclose(total.transform(X), expected.transform(X), rtol=1e-10)


def test_magnitude_takes_unequal_numbers_of_rows():
    X, y = pair()
    measure = Magnitude().partial_fit(X[:100], y[:7]).partial_fit(X[100:], y[7:90])
    assert measure.n_samples_fit_ == 400
    assert_allclose(measure.statistics_, Magnitude().fit(X, y[:90]).statistics_)
    assert not hasattr(measure, "row_values_")


def peak_memory(n_samples, width=32):
    rng = np.random.default_rng(0)
    measure = CKA(debias="rows")
    tracemalloc.start()
    for _ in range(n_samples // 500):
        X = rng.normal(size=(500, width))
        measure.partial_fit(X, X + rng.normal(size=(500, width)))
    _ = measure.score_
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_rows():
    peak_memory(1000)
    assert peak_memory(10_000) < 1.1 * peak_memory(1500)


def test_a_stream_without_an_outcome_has_no_such_attribute():
    measure = CKA().partial_fit(np.ones((5, 2)), np.arange(10.0).reshape(5, 2))
    assert not hasattr(measure, "score_")
    with pytest.raises(NotFittedError, match="X is constant"):
        measure.score_  # noqa: B018
    with pytest.raises(ValueError, match="X is constant"):
        measure.score()
    measure.partial_fit(np.arange(6.0).reshape(3, 2), np.ones((3, 2)))
    assert hasattr(measure, "score_")


def test_streams_answer_what_needs_no_rows_and_refuse_the_rest():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 30, 3))
    measure = CKA().partial_fit(X, y)
    comparison = measure._streamed()
    assert comparison.score() == pytest.approx(CKA().fit(X, y).score_)
    with pytest.raises(AttributeError, match="keeps no rows"):
        comparison.permuted([np.arange(30)])
