"""Shape distances of repeated responses."""

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose

from sksim.alignment import OrthogonalProcrustes
from sksim.compose import ShapeSpace, StochasticShapeMetric

MOMENTS = ("means_x", "covariances_x", "means_y", "covariances_y")
# without the means there are many rotations to go through
GAUSSIAN = [
    pytest.param(
        *(case, float(alpha), arrays, found),
        marks=[pytest.mark.slow] if float(alpha) == 0 else [],
    )
    for case, arrays, values in newer_cases("stochastic_gaussian")
    for alpha, found in values["alpha"].items()
]
ENERGY = list(newer_cases("stochastic_energy"))


@pytest.mark.parametrize("case, alpha, arrays, values", GAUSSIAN)
def test_not_larger_than_the_values_given(case, alpha, arrays, values):
    measure = StochasticShapeMetric(alpha, random_state=0)
    measure.fit_moments(*(arrays[name] for name in MOMENTS))
    if case == "rotated_copy":
        assert measure.distance_**2 < 1e-8
        return
    assert measure.distance_ < values["own_from_means"] + 1e-5
    assert measure.distance_ < values["best_of_25_starts"] + 1e-5


@pytest.mark.parametrize("case, arrays, values", ENERGY)
def test_energy(case, arrays, values):
    measure = StochasticShapeMetric(kind="energy", random_state=0)
    measure.fit(arrays["X"], arrays["Y"])
    best = values["alignment_loss_best_of_13_starts"]
    assert measure.objective_ < values["alignment_loss"] + 1e-5
    assert_allclose(measure.objective_, best, atol=1e-6)
    assert_allclose(
        measure.distance_, values["energy_distance_all_pairs"], rtol=1e-4, atol=1e-6
    )


def responses(seed=0, noise=0.5):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(12, 1, 3)) + noise * rng.normal(size=(12, 20, 3))
    return X, X + rng.normal(size=X.shape)


def test_objective_is_of_the_rotation():
    X, y = responses()
    measure = StochasticShapeMetric(0.7, random_state=0).fit(X, y)
    Q = measure.rotation_
    assert_allclose(Q @ Q.T, np.eye(3), atol=1e-12)
    total = 0.0
    for a, b in zip(X, y @ Q, strict=True):
        S, T = np.cov(a.T), np.cov(b.T)
        values = np.linalg.eigvals(S @ T).real
        bures = np.trace(S) + np.trace(T) - 2 * np.sqrt(np.maximum(values, 0)).sum()
        total += 0.7 * np.sum((a.mean(0) - b.mean(0)) ** 2) + 1.3 * bures
    assert_allclose(measure.distance_**2, total / 12, rtol=1e-9)
    assert measure.score_ == -measure.distance_ == -measure.statistic_


@pytest.mark.parametrize("kind", ["gaussian", "energy"])
def test_invariance_and_symmetry(kind):
    X, y = responses()
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    measure = StochasticShapeMetric(kind=kind, random_state=0)
    distance = measure.fit(X, y).distance_
    assert_allclose(measure.fit(X, y @ rotation).distance_, distance, rtol=1e-6)
    assert_allclose(measure.fit(y, X).distance_, distance, rtol=1e-6)
    assert measure.fit(X, X @ rotation).distance_ < 1e-5


def test_means_alone_are_procrustes():
    X, y = responses()
    distance = StochasticShapeMetric(2.0, random_state=0).fit(X, y).distance_
    procrustes = OrthogonalProcrustes(center=False, scale=False)
    procrustes.fit(X.mean(axis=1), y.mean(axis=1))
    expected = (2 / 12) ** 0.5 * procrustes.distance_
    assert_allclose(distance, expected, rtol=1e-9)


def test_sees_noise_that_means_do_not():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(10, 1, 3))
    noise = rng.normal(size=(10, 40, 3))
    noise = noise - noise.mean(axis=1, keepdims=True)
    quiet, loud = means + 0.1 * noise, means + noise
    for kind in ("gaussian", "energy"):
        measure = StochasticShapeMetric(kind=kind, random_state=0)
        assert measure.fit(quiet, loud).distance_ > 0.3
    assert StochasticShapeMetric(2.0).fit(quiet, loud).distance_ < 1e-7


def test_refusals():
    X, y = responses()
    measure = StochasticShapeMetric()
    with pytest.raises(ValueError, match="at least two repeats"):
        measure.fit(X[:, 0], y[:, 0])
    with pytest.raises(ValueError, match="both must be equal"):
        measure.fit(X, y[:, :, :2])
    with pytest.raises(ValueError, match="Call fit"):
        StochasticShapeMetric(kind="energy").fit_moments(X[0], X, y[0], y)
    with pytest.raises(ValueError, match="covariances of shape"):
        measure.fit_moments(X[:, 0], np.ones((12, 3, 2)), y[:, 0], np.ones((12, 3, 3)))
    with pytest.raises(ValueError, match="NaN"):
        measure.fit(X * np.nan, y)


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_numbers_whose_squares_are_out_of_range_are_refused(size):
    R = np.random.default_rng(0).normal(size=(8, 5, 3))
    for kind in ("gaussian", "energy"):
        with pytest.raises(ValueError, match="X has numbers .* out of range. Rescale"):
            StochasticShapeMetric(kind=kind).fit(size * R, R)
    with pytest.raises(ValueError, match="Representation 1 has numbers"):
        ShapeSpace().fit([R[:, 0], size * R[:, 1]])


def test_what_is_missing_or_no_covariance_is_named():
    R = np.random.default_rng(0).normal(size=(8, 5, 3))
    rows = R[:, 0].copy()
    rows[2, 1] = np.nan
    with pytest.raises(ValueError, match="Representation 0 contains NaN.*row 2"):
        ShapeSpace().fit([rows, R[:, 1]])
    means, covariances = R[:, 0], np.tile(np.eye(3), (8, 1, 1))
    for place, value, what in (((3, 0, 1), 0.5, "symmetric"), ((4, 0, 0), -1, "semi")):
        bad = covariances.copy()
        bad[place] = value
        with pytest.raises(
            ValueError, match=rf"covariances_y\[{place[0]}\] is not.*{what}"
        ):
            StochasticShapeMetric().fit_moments(means, covariances, means, bad)
