"""Alignment measures: values of original implementations, definitions, maps."""

import itertools

import numpy as np
import pytest
import scipy.linalg
from _reference import reference_cases
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linear_sum_assignment, linprog
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import r2_score

from sksim.alignment import (
    AlignedCosine,
    AngularShapeMetric,
    CorrelationMatch,
    LinearRegressionSimilarity,
    MaximumMatching,
    OrthogonalProcrustes,
    PartialWhiteningShapeMetric,
    PermutationProcrustes,
    SoftMatching,
)
from sksim.cca import MeanCCA
from sksim.rsm import GULP, NormalizedBures

MEASURES = {
    "angular_shape_metric": AngularShapeMetric(),
    "permutation_procrustes_uncentred_unscaled": PermutationProcrustes(
        center=False, scale=False
    ),
    "soft_matching_centred_unit_norm": SoftMatching(),
    "aligned_cosine_uncentred": AlignedCosine(center=False),
    "correlation_match_hard": CorrelationMatch(),
    "correlation_match_soft": CorrelationMatch(matching="soft"),
    "maximum_match_0.3": MaximumMatching(eps=0.3),
    "maximum_match_0.5": MaximumMatching(eps=0.5),
}
CASES = [(key, *case) for key in MEASURES for case in reference_cases(key)]


@pytest.mark.parametrize(
    "key, name, direction, X, y, value",
    CASES,
    ids=lambda c: c if type(c) is str else "",
)
def test_values_of_original_implementations(key, name, direction, X, y, value):
    if key.startswith("soft") and X.shape[1] != y.shape[1]:
        pytest.importorskip("ot")
    assert_allclose(MEASURES[key].fit(X, y).statistic_, value, rtol=1e-9)


def test_regression_of_original_implementation():
    for *_, X, y, value in reference_cases("linear_regression_R2_of_X_from_Y"):
        statistic = LinearRegressionSimilarity().fit(y, X).statistic_
        assert_allclose(statistic, value, rtol=1e-9)


def views(n_samples, *widths, seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n_samples, 4))
    return [
        latent @ rng.normal(size=(4, w)) + rng.normal(size=(n_samples, w)) + 2
        for w in widths
    ]


def center(X):
    return X - X.mean(axis=0)


def unit(X):
    X = center(X)
    return X / np.linalg.norm(X)


WIDTHS = pytest.mark.parametrize("widths", [(5, 3), (3, 5), (50, 60), (50, 3)])
MAPPING = [
    OrthogonalProcrustes(),
    OrthogonalProcrustes(center=False, scale=False),
    AngularShapeMetric(),
    PartialWhiteningShapeMetric(alpha=0.5),
    PartialWhiteningShapeMetric(alpha=0),
    PermutationProcrustes(),
    SoftMatching(),
    AlignedCosine(),
    LinearRegressionSimilarity(),
    CorrelationMatch(),
    CorrelationMatch(matching="soft", absolute=True),
]


@pytest.mark.parametrize("measure", MAPPING, ids=repr)
@pytest.mark.parametrize("widths", [(5, 5), (5, 3), (3, 5)])
def test_mapped_rows_are_near_y(measure, widths):
    """transform lands in the coordinates of y, nearer than its mean."""
    is_centred = getattr(measure, "center", True)
    X, y = views(200, *widths)
    y = X[:, [0, 1, 2, 0, 1][: widths[1]]] + 0.3 * y
    measure.fit(X[:100], y[:100])
    mapped = measure.transform(X[100:])
    assert mapped.shape == y[100:].shape
    missed = np.linalg.norm(mapped - y[100:])
    assert missed < np.linalg.norm(center(y[100:]) if is_centred else y[100:])


@pytest.mark.parametrize(
    "measure",
    [m for m in MAPPING if hasattr(m, "inverse_transform")],
    ids=repr,
)
def test_inverse_transform_undoes_transform(measure):
    """For a y that is a permutation of X every map has an inverse."""
    X = views(100, 4)[0]
    y = 3 * X[:, [2, 0, 3, 1]] + 1
    measure.fit(X, y)
    mapped = measure.transform(X)
    # without scaling, or without centring, the map can't be exact
    if getattr(measure, "scale", True) and getattr(measure, "center", True):
        assert_allclose(mapped, y, atol=1e-8)
    assert_allclose(measure.inverse_transform(mapped), X, atol=1e-8)


@pytest.mark.parametrize("measure", MAPPING, ids=repr)
def test_score_applies_the_fitted_map(measure):
    """New rows of unrelated views: the fitted map does not fit them."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 30, 8))
    new = rng.normal(size=(2, 30, 8))
    fitted = measure.fit(X, y)
    assert fitted.score(*new) < fitted.score_
    refitted = measure.fit(*new).score_
    measure.fit(X, y)
    assert measure.score(*new) < refitted


@pytest.mark.parametrize("measure", MAPPING, ids=repr)
def test_single_precision_maps(measure):
    X, y = (v.astype(np.float32) for v in views(60, 5, 5))
    single = measure.fit(X, y).transform(X)
    double = measure.fit(X.astype(float), y.astype(float)).transform(X.astype(float))
    if not isinstance(measure, PermutationProcrustes | SoftMatching | CorrelationMatch):
        assert_allclose(single, double, rtol=1e-3, atol=1e-3)
    assert single.shape == double.shape


# ----- shape metrics ---------------------------------------------------------------


@WIDTHS
def test_angle_by_definition(widths):
    X, y = views(30, *widths)
    cosine = np.linalg.norm(unit(X).T @ unit(y), "nuc")
    assert_allclose(AngularShapeMetric().fit(X, y).distance_, np.arccos(cosine))
    assert_allclose(NormalizedBures().fit(X, y).score_, cosine)


@pytest.mark.parametrize("angle", [1e-3, 1e-6, 1e-9])
def test_small_angles_keep_their_digits(angle):
    X = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    cos, sin = np.cos(angle), np.sin(angle)
    # a second direction of another shape: no rotation makes up for it
    y = cos * X + sin * np.array([[1.0, 0.0], [1.0, 0.0], [-2.0, 0.0]]) / 3**0.5
    assert_allclose(AngularShapeMetric().fit(X, y).distance_, angle, rtol=1e-6)


def whitened(X, alpha):
    X = unit(X)
    root = scipy.linalg.sqrtm(X.T @ X).real
    return X @ (alpha * np.eye(X.shape[1]) + (1 - alpha) * np.linalg.inv(root))


@pytest.mark.parametrize("alpha", [0, 0.1, 0.5, 1])
def test_partial_whitening_by_definition(alpha):
    X, y = views(40, 5, 3)
    Z, W = whitened(X, alpha), whitened(y, alpha)
    cosine = np.linalg.norm(Z.T @ W, "nuc") / np.linalg.norm(Z) / np.linalg.norm(W)
    value = PartialWhiteningShapeMetric(alpha).fit(X, y).distance_
    assert_allclose(value, np.arccos(cosine), rtol=1e-8)


@pytest.mark.parametrize("alpha", [0, 0.1, 0.5, 1])
@pytest.mark.parametrize("offset", [0.5, 50.0])
def test_uncentred_whitening_by_definition(alpha, offset):
    X, y = (v + offset for v in views(40, 5, 3))
    measure = PartialWhiteningShapeMetric(alpha, center=False).fit(X, y)
    whitened_views = []
    for rows in (X, y):
        U, s, Vt = np.linalg.svd(rows / np.linalg.norm(rows), full_matrices=False)
        gains = alpha * s + (1 - alpha)
        whitened_views.append(U * gains @ Vt / np.linalg.norm(gains))
    Z, W = whitened_views
    angle = np.arccos(np.linalg.norm(Z.T @ W, "nuc"))
    assert_allclose(measure.distance_, angle, rtol=1e-8)
    assert abs(angle - PartialWhiteningShapeMetric(alpha).fit(X, y).distance_) > 1e-3
    assert_allclose(measure.score(X, y), measure.score_, rtol=1e-8)
    assert not measure.x_mean_.any()
    streamed = PartialWhiteningShapeMetric(alpha, center=False)
    streamed.partial_fit(X[:7], y[:7]).partial_fit(X[7:], y[7:])
    assert_allclose(streamed.distance_, angle, rtol=1e-8)


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
@pytest.mark.parametrize("width", [8, 70])
def test_uncentred_maps(alpha, width):
    """A rotation is found, through zero; a translation is not."""
    rng = np.random.default_rng(0)
    X = 2 + rng.normal(size=(50, 3)) @ rng.normal(size=(3, width))
    rotated = 2 * X @ np.linalg.qr(rng.normal(size=(width, width)))[0]
    measure = PartialWhiteningShapeMetric(alpha, center=False).fit(X, rotated)
    assert measure.distance_ < 1e-6
    assert_allclose(measure.transform(X), rotated, atol=1e-6)
    assert_allclose(measure.inverse_transform(rotated), X, atol=1e-6)
    X = X - X.mean(axis=0)
    assert measure.fit(X, X + rng.normal(size=width)).distance_ > 1e-2


def test_a_constant_that_is_not_zero_is_a_direction():
    measure = PartialWhiteningShapeMetric(center=False)
    X = np.ones((6, 2))
    assert measure.fit(X, 3 * X[:, :1]).distance_ < 1e-7
    with pytest.raises(ValueError, match="y is zero everywhere"):
        measure.fit(X, 0 * X)
    measure.fit(X, X)
    with pytest.raises(ValueError, match="y is zero everywhere"):
        measure.score(X, 0 * X)
    measure = PartialWhiteningShapeMetric(0, center=False)
    with pytest.raises(ValueError, match="X is zero everywhere"):
        _ = measure.partial_fit(0 * X, X).statistic_


def test_extremes_of_whitening():
    X, y = views(40, 5, 5)
    angle = PartialWhiteningShapeMetric(0).fit(X, y).distance_
    assert_allclose(np.cos(angle), MeanCCA().fit(X, y).score_)
    one = PartialWhiteningShapeMetric(1).fit(X, y)
    assert_allclose(one.distance_, AngularShapeMetric().fit(X, y).distance_)
    assert_allclose(one.transform(X), AngularShapeMetric().fit(X, y).transform(X))


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
@pytest.mark.parametrize("width", [8, 70])
def test_whitening_of_a_rank_deficient_view(alpha, width):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) @ rng.normal(size=(3, width))
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    measure = PartialWhiteningShapeMetric(alpha).fit(X, 2 * X @ rotation + 1)
    assert measure.distance_ < 1e-6
    assert_allclose(measure.transform(X), 2 * X @ rotation + 1, atol=1e-6)


def test_whitening_does_not_depend_on_units():
    """Scaled first: the order of the known package would change the value."""
    X, y = views(40, 5, 5)
    value = PartialWhiteningShapeMetric(0.5).fit(X, y).distance_
    assert_allclose(PartialWhiteningShapeMetric(0.5).fit(1e6 * X, y).distance_, value)


# ----- matchings -------------------------------------------------------------------


@pytest.mark.parametrize("widths", [(4, 4), (5, 3), (3, 5)])
@pytest.mark.parametrize("both", [True, False])
def test_permutation_distance_by_all_permutations(widths, both):
    X, y = views(20, *widths)
    A, B = (unit(X), unit(y)) if both else (X, y)
    width = max(widths)
    A, B = (np.pad(v, ((0, 0), (0, width - v.shape[1]))) for v in (A, B))
    expected = min(
        np.linalg.norm(A[:, p] - B) for p in itertools.permutations(range(width))
    )
    measure = PermutationProcrustes(center=both, scale=both).fit(X, y)
    assert_allclose(measure.distance_, expected)
    assert np.count_nonzero(measure.assignment_ >= 0) == min(widths)


def test_assignment_and_rotations_agree():
    X, y = views(50, 5, 3)
    measure = PermutationProcrustes().fit(X, y)
    matching = measure.x_rotations_ @ measure.y_rotations_.T
    for i, j in enumerate(measure.assignment_):
        assert_array_equal(np.flatnonzero(matching[i]), [j] if j >= 0 else [])
    products = unit(X).T @ unit(y)
    assert_allclose(measure.singular_values_.sum(), np.sum(matching * products))


def test_soft_matching_of_equal_widths_is_the_permutation_distance():
    X, y = views(30, 6, 6)
    soft = SoftMatching().fit(X, y)
    hard = PermutationProcrustes().fit(X, y)
    assert_allclose(soft.distance_**2, hard.distance_**2 / 6)
    assert_allclose(soft.transport_ * 6, hard.x_rotations_ @ hard.y_rotations_.T)


@pytest.mark.parametrize("widths", [(5, 3), (3, 7)])
def test_soft_matching_by_linear_programming(widths):
    pytest.importorskip("ot")
    X, y = views(30, *widths)
    A, B = unit(X), unit(y)
    costs = np.sum((A[:, :, None] - B[:, None, :]) ** 2, axis=0)
    D, E = widths
    rows = np.kron(np.eye(D), np.ones(E))
    columns = np.kron(np.ones(D), np.eye(E))
    margins = np.r_[np.full(D, 1 / D), np.full(E, 1 / E)]
    best = linprog(costs.ravel(), A_eq=np.vstack([rows, columns]), b_eq=margins)
    measure = SoftMatching().fit(X, y)
    assert_allclose(measure.distance_**2, best.fun)
    assert_allclose(measure.transport_.sum(axis=1), 1 / D)
    assert_allclose(measure.transport_.sum(axis=0), 1 / E)


def test_soft_matching_of_tiny_numbers():
    pytest.importorskip("ot")
    X, y = views(30, 5, 3)
    plan = SoftMatching(scale=False).fit(X, y).transport_
    tiny = SoftMatching(scale=False).fit(1e-30 * X, 1e-8 * y)
    assert_allclose(tiny.transport_, plan)


def test_soft_matching_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "ot", None)
    X, y = views(20, 4, 3)
    with pytest.raises(ImportError, match=r"sksim\[transport\]"):
        SoftMatching().fit(X, y)
    assert SoftMatching().fit(X, X).distance_ < 1e-12


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("widths", [(4, 4), (5, 3), (3, 5)])
def test_correlation_match_by_definition(widths, absolute):
    X, y = views(40, *widths)
    X[:, 0] *= -1
    C = np.corrcoef(X.T, y.T)[: widths[0], widths[0] :]
    C = np.abs(C) if absolute else C
    hard = CorrelationMatch(absolute=absolute).fit(X, y)
    assert_allclose(hard.score_, C[linear_sum_assignment(-C)].mean())
    soft = CorrelationMatch("soft", absolute=absolute).fit(X, y)
    assert_allclose(soft.score_, (C.max(axis=1).mean() + C.max(axis=0).mean()) / 2)
    assert_array_equal(soft.assignment_, C.argmax(axis=1))
    assert_array_equal(soft.assignment_y_, C.argmax(axis=0))


def test_correlation_match_of_new_rows():
    X, y = views(80, 5, 3)
    measure = CorrelationMatch().fit(X[:40], y[:40])
    C = np.corrcoef(X[40:].T, y[40:].T)[:5, 5:]
    pairs = [C[i, j] for i, j in enumerate(measure.assignment_) if j >= 0]
    assert_allclose(measure.score(X[40:], y[40:]), np.mean(pairs))


def test_constant_columns_correlate_with_nothing():
    X, y = views(40, 4, 4)
    y = X + 0.1 * y
    full = CorrelationMatch().fit(X, y).score_
    X, y = (np.hstack([v, np.full((40, 1), 7.0)]) for v in (X, y))
    with pytest.warns(UserWarning, match="1 constant column"):
        value = CorrelationMatch().fit(X, y).score_
    assert_allclose(value, full * 4 / 5)


def test_negative_match_keeps_its_sign_in_transform():
    X = views(50, 3)[0]
    y = -2 * X + 5
    assert_allclose(CorrelationMatch(absolute=True).fit(X, y).transform(X), y)


# ----- maximum matching -------------------------------------------------------------


def maximum_match_by_enumeration(X, y, eps):
    """The largest pair of sets among all pairs of sets."""

    def near(A, B):
        residual = A - B @ np.linalg.lstsq(B, A)[0]
        return np.linalg.norm(residual, axis=0) <= eps * np.linalg.norm(A, axis=0)

    best = 0
    for i in range(1, 2 ** X.shape[1]):
        for j in range(1, 2 ** y.shape[1]):
            A = X[:, [bool(i >> k & 1) for k in range(X.shape[1])]]
            B = y[:, [bool(j >> k & 1) for k in range(y.shape[1])]]
            if near(A, B).all() and near(B, A).all():
                best = max(best, A.shape[1] + B.shape[1])
    return best / (X.shape[1] + y.shape[1])


@pytest.mark.parametrize("seed", range(5))
def test_maximum_match_by_enumeration(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(30, 4))
    y = X @ rng.normal(size=(4, 4)) + rng.normal(size=(30, 4)) * [0.05, 0.3, 0.6, 3]
    many_eps = (0.05, 0.2, 0.35, 0.5, 0.7)
    measure = MaximumMatching(many_eps).fit(X, y)
    expected = [maximum_match_by_enumeration(X, y, e) for e in many_eps]
    assert_allclose(measure.curve_, expected)
    assert_allclose(measure.score_, np.mean(expected))
    for eps, value in zip(many_eps, expected, strict=True):
        assert MaximumMatching(eps).fit(X, y).score_ == value


def test_order_of_epsilons_is_that_of_the_curve():
    X, y = views(60, 4, 4)
    y = X + 0.4 * y
    up = MaximumMatching((0.1, 0.3, 0.5)).fit(X, y).curve_
    down = MaximumMatching((0.5, 0.3, 0.1)).fit(X, y).curve_
    assert_array_equal(up, down[::-1])
    assert np.all(np.diff(up) >= 0)


def test_dead_neurons_match_nothing():
    X = views(30, 3)[0]
    dead = np.hstack([X, np.zeros((30, 1))])
    assert_allclose(MaximumMatching(0.1).fit(dead, X).score_, 6 / 7)


@pytest.mark.parametrize("eps", [0.02, 0.35])
def test_maximum_match_with_a_span_of_lower_rank(eps, monkeypatch):
    """No Cholesky factor: distances come from the columns themselves."""
    X, y = views(60, 4, 3)
    y = np.hstack([y, y[:, :1], X[:, :1] + 0.1 * y[:, 1:2]])
    value = MaximumMatching(eps).fit(X, y).score_
    monkeypatch.setattr("sksim.alignment._maximum_match._GRAM_EPSILON", 1.0)
    assert MaximumMatching(eps).fit(X, y).score_ == value
    assert value == maximum_match_by_enumeration(X, y, eps)


@pytest.mark.parametrize("eps", [1.0, -0.1, (0.1, 1.5), (), "small"])
def test_impossible_epsilons(eps):
    X, y = views(20, 3, 3)
    with pytest.raises(ValueError, match="eps"):
        MaximumMatching(eps).fit(X, y)


# ----- cosine and regression -------------------------------------------------------


@pytest.mark.parametrize("widths", [(4, 4), (5, 3), (3, 5), (50, 60)])
@pytest.mark.parametrize("is_centred", [True, False])
def test_aligned_cosine_by_definition(widths, is_centred):
    X, y = views(30, *widths)
    A, B = (center(X), center(y)) if is_centred else (X, y)
    U, s, Vt = np.linalg.svd(A.T @ B, full_matrices=False)
    kept = s > 1e-10 * s[0]
    products = np.sum((A @ U[:, kept] @ Vt[kept]) * B, axis=1)
    expected = products / np.linalg.norm(A, axis=1) / np.linalg.norm(B, axis=1)
    measure = AlignedCosine(center=is_centred).fit(X, y)
    assert_allclose(measure.similarities_, expected, rtol=1e-8, atol=1e-10)
    assert_allclose(measure.score_, expected.mean())


def test_zero_row_has_no_cosine():
    X, y = views(30, 4, 4)
    X[3] = 0
    with pytest.raises(ValueError, match=r"A row of X \(row 3\) is zero"):
        AlignedCosine(center=False).fit(X, y)
    with pytest.raises(ValueError, match=r"A row of y \(row 3\) is zero"):
        AlignedCosine(center=False).fit(y, X)


@pytest.mark.parametrize("ridge", [0, 0.1, 100])
@pytest.mark.parametrize("widths", [(5, 3), (3, 5), (45, 5)])
def test_regression_by_scikit_learn(ridge, widths):
    X, y = views(80, *widths)
    model = Ridge(alpha=ridge) if ridge else LinearRegression()
    model.fit(X[:50], y[:50])
    measure = LinearRegressionSimilarity(ridge).fit(X[:50], y[:50])
    assert_allclose(measure.transform(X[50:]), model.predict(X[50:]), rtol=1e-6)
    for rows, score in (
        (slice(50), measure.score_),
        (slice(50, None), measure.score(X[50:], y[50:])),
    ):
        expected = r2_score(
            y[rows], model.predict(X[rows]), multioutput="variance_weighted"
        )
        assert_allclose(score, expected, rtol=1e-8)


def test_regression_on_wide_data_warns():
    X, y = views(20, 30, 3)
    with pytest.warns(UserWarning, match="rank 19 in 20 rows.*by construction"):
        value = LinearRegressionSimilarity().fit(X, y).score_
    assert_allclose(value, 1)
    assert LinearRegressionSimilarity(ridge=10).fit(X, y).score_ < 1


def test_dead_columns_of_a_regression():
    X, y = views(40, 4, 4)
    dead = np.hstack([X, np.zeros((40, 2)), np.ones((40, 1))])
    measure = LinearRegressionSimilarity().fit(dead, y)
    assert_allclose(measure.score_, LinearRegressionSimilarity().fit(X, y).score_)
    expected = LinearRegressionSimilarity().fit(X, y).transform(X)
    assert_allclose(measure.fit(dead, y).transform(dead), expected, atol=1e-8)


def test_regression_by_hand():
    # of y's two columns one is twice X, the other orthogonal to it and as large
    X = [[1.0], [-1.0], [1.0], [-1.0]]
    y = [[2.0, 2.0], [-2.0, 2.0], [2.0, -2.0], [-2.0, -2.0]]
    assert_allclose(LinearRegressionSimilarity().fit(X, y).score_, 0.5)


@pytest.mark.parametrize("ridge", [0, 5.0])
def test_null_distribution_of_a_regression(ridge):
    """Exact mean over all orders of rows, and matrices whose product is R^2."""
    X, y = views(6, 2, 3)
    measure = LinearRegressionSimilarity(ridge)
    comparison = measure._open(X, y)
    form = comparison.trace_form()
    K, L = form.K.toarray(), form.L.toarray()
    assert_allclose(form.scale * np.sum(K * L), measure.fit(X, y).statistic_)
    assert_allclose([K.sum(axis=0), L.sum(axis=0)], 0, atol=1e-12)
    orders = itertools.permutations(range(6))
    mean = np.mean([measure.fit(X, y[list(order)]).score_ for order in orders])
    assert_allclose(comparison.null_mean(), mean)


# ----- precision -----------------------------------------------------------------

DISTANCES = [
    OrthogonalProcrustes(),
    AngularShapeMetric(),
    PermutationProcrustes(),
    SoftMatching(),
]


@pytest.mark.parametrize("measure", DISTANCES, ids=repr)
@pytest.mark.parametrize("size", [0.1, 0.01])
def test_small_distances_in_single_precision(measure, size):
    X, noise = views(200, 8, 8)
    y = X + size * noise
    single = [v.astype(np.float32) for v in (X, y)]
    expected = measure.fit(*(v.astype(np.float64) for v in single)).distance_
    assert_allclose(measure.fit(*single).distance_, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "measure",
    [*DISTANCES, PartialWhiteningShapeMetric(), NormalizedBures(), GULP()],
    ids=repr,
)
@pytest.mark.parametrize("offset", [0.5, 1.5, 50.0])
def test_an_offset_is_taken_out_of_the_products(measure, offset):
    """A small one is left in the rows, a large one is subtracted first."""
    X, y = (center(v) for v in views(60, 6, 6))
    expected = measure.fit(X, y).statistic_
    moved = measure.fit(X + offset, y - offset * np.arange(6)).statistic_
    assert_allclose(moved, expected, rtol=1e-9)
