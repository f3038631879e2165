"""Orthogonal Procrustes distance."""

import numpy as np
import pandas as pd
import pytest
from _reference import reference_cases
from numpy.testing import assert_allclose
from scipy.linalg import orthogonal_procrustes

from sksim.alignment import OrthogonalProcrustes

MEASURES = {
    "procrustes_centred_unit_norm": OrthogonalProcrustes(),
    "procrustes_centred_unscaled": OrthogonalProcrustes(scale=False),
}


@pytest.mark.parametrize(
    "key, name, direction, X, y, value",
    [(key, *case) for key in MEASURES for case in reference_cases(key)],
    ids=lambda argument: argument if isinstance(argument, str) else "",
)
def test_values_of_original_implementations(key, name, direction, X, y, value):
    assert_allclose(MEASURES[key].fit(X, y).statistic_, value, rtol=1e-9)


def random_rotation(width, random_state=0):
    rng = np.random.default_rng(random_state)
    return np.linalg.qr(rng.normal(size=(width, width)))[0]


def pair(n_samples=60, width=5, width_y=5, noise=0.3, random_state=0):
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, width)) + 1
    y = X @ rng.normal(size=(width, width_y)) + noise * rng.normal(
        size=(n_samples, width_y)
    )
    return X, y - 2


def test_by_hand():
    # two points on a line, half as long in y: |A|^2 = 2, |B|^2 = 1/2, overlap 1
    X, y = [[0.0], [2.0]], [[5.0], [4.0]]
    distance = OrthogonalProcrustes(scale=False).fit(X, y).distance_
    assert_allclose(distance, np.sqrt(2 + 0.5 - 2))
    assert OrthogonalProcrustes().fit(X, y).distance_ == 0


def test_is_the_residual_of_scipys_map():
    X, y = pair()
    A, B = (Z - Z.mean(axis=0) for Z in (X, y))
    Q, _ = orthogonal_procrustes(A, B)
    measure = OrthogonalProcrustes(scale=False).fit(X, y)
    assert_allclose(measure.distance_, np.linalg.norm(A @ Q - B))
    assert_allclose(measure.x_rotations_ @ measure.y_rotations_.T, Q, atol=1e-10)
    assert_allclose(measure.transform(X), A @ Q + y.mean(axis=0))


@pytest.mark.parametrize("widths", [(3, 7), (7, 3), (40, 3), (3, 40), (40, 50)])
@pytest.mark.parametrize("scale", [True, False])
def test_unequal_widths_are_padded_with_zeros(widths, scale):
    X, y = pair(30, *widths)
    wide = max(widths)
    padded = [np.pad(Z, ((0, 0), (0, wide - Z.shape[1]))) for Z in (X, y)]
    A, B = (Z - Z.mean(axis=0) for Z in padded)
    if scale:
        A, B = A / np.linalg.norm(A), B / np.linalg.norm(B)
    Q, _ = orthogonal_procrustes(A, B)
    measure = OrthogonalProcrustes(scale=scale).fit(X, y)
    assert_allclose(measure.distance_, np.linalg.norm(A @ Q - B), rtol=1e-9)
    assert_allclose(measure.score(X, y), measure.score_, rtol=1e-9)
    mapped = measure.transform(X)
    assert mapped.shape == y.shape


@pytest.mark.parametrize("widths", [(5, 5), (3, 7), (40, 50)])
def test_transform_lands_in_the_coordinates_of_y(widths):
    X = np.random.default_rng(0).normal(size=(30, widths[0])) + 3
    lift = random_rotation(max(widths))[: widths[0], : widths[1]]
    y = 2.5 * X @ lift - 7
    measure = OrthogonalProcrustes().fit(X, y)
    assert_allclose(measure.transform(X), y, atol=1e-8)
    mapped, same = measure.transform(X, y)
    assert_allclose(mapped, y, atol=1e-8)
    assert_allclose(same, y)
    assert_allclose(measure.inverse_transform(y), X, atol=1e-8)


def test_inverse_transform_checks_the_width():
    measure = OrthogonalProcrustes().fit(*pair(30, 4, 6))
    with pytest.raises(ValueError, match="maps to 6 features"):
        measure.inverse_transform(np.ones((2, 4)))


def test_held_out_score_uses_the_fitted_map():
    X, y = pair(100, 6, 6, noise=1.0)
    train, test = slice(0, 50), slice(50, 100)
    measure = OrthogonalProcrustes().fit(X[train], y[train])
    A, B = X[test] - X[train].mean(axis=0), y[test] - y[train].mean(axis=0)
    A, B = A / np.linalg.norm(A), B / np.linalg.norm(B)
    Q = measure.x_rotations_ @ measure.y_rotations_.T
    assert_allclose(measure.score(X[test], y[test]), -np.linalg.norm(A @ Q - B))
    refitted = OrthogonalProcrustes().fit(X[test], y[test]).score_
    assert measure.score(X[test], y[test]) < refitted


@pytest.mark.parametrize("dtype, limit", [(np.float64, 1e-12), (np.float32, 1e-7)])
@pytest.mark.parametrize("shape", [(200, 10), (20, 100)])
def test_distance_to_itself_is_zero(dtype, limit, shape):
    X = (np.random.default_rng(0).normal(size=shape) + 5).astype(dtype)
    assert OrthogonalProcrustes().fit(X, X).distance_ < limit
    unscaled = OrthogonalProcrustes(scale=False).fit(X, X).distance_
    assert unscaled < limit * np.linalg.norm(X)


@pytest.mark.parametrize("shape", [(100, 5), (20, 100)])
@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-6, 1e-8])
def test_small_distances_keep_their_digits(size, shape):
    """A perturbation orthogonal to all rotations is measured exactly."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape)
    X -= X.mean(axis=0)
    # scaling columns symmetrically: the optimal map stays the identity
    S = np.diag(1 + size * rng.normal(size=shape[1]))
    y = X @ S
    if shape[0] > shape[1]:
        U, s, _ = np.linalg.svd(X, full_matrices=False)
        X, y = U * s, U * s @ S
    expected = np.linalg.norm(X - y)
    if shape[0] < shape[1]:
        Q, _ = orthogonal_procrustes(X, y)
        expected = np.linalg.norm(X @ Q - y)
    value = OrthogonalProcrustes(center=False, scale=False).fit(X, y).distance_
    assert_allclose(value, expected, rtol=1e-5)


@pytest.mark.parametrize("center", [True, False])
def test_nothing_to_scale(center):
    X, y = pair()
    flat = np.full_like(X, 0.1) if center else np.zeros_like(X)
    measure = OrthogonalProcrustes(center=center)
    with pytest.raises(ValueError, match="^X is"):
        measure.fit(flat, y)
    with pytest.raises(ValueError, match="^y is"):
        measure.fit(X, flat)
    unscaled = OrthogonalProcrustes(center=True, scale=False)
    expected = np.linalg.norm(y - y.mean(axis=0))
    assert_allclose(unscaled.fit(flat, y).distance_, expected)


def test_scales_of_both_views_count_when_unscaled():
    X, y = pair()
    measure = OrthogonalProcrustes(scale=False)
    before = measure.fit(X, y).distance_
    for factor in (1e-160, 1e160):
        assert_allclose(measure.fit(X * factor, y * factor).distance_, before * factor)
    far = measure.fit(X * 1e160, y).distance_
    assert_allclose(far, np.linalg.norm((X - X.mean(axis=0)) * 1e100) * 1e60)


def test_names_of_mapped_features_are_those_of_y():
    X, y = pair(30, 3, 2)
    frame_x = pd.DataFrame(X, columns=["a", "b", "c"])
    frame_y = pd.DataFrame(y, columns=["u", "v"])
    measure = OrthogonalProcrustes().set_output(transform="pandas")
    mapped = measure.fit(frame_x, frame_y).transform(frame_x)
    assert list(mapped.columns) == ["u", "v"]
    measure.fit(frame_x, y)
    assert list(measure.get_feature_names_out()) == [
        "orthogonalprocrustes0",
        "orthogonalprocrustes1",
    ]


def test_worst_held_out_score():
    X = np.random.default_rng(0).normal(size=(50, 3))
    measure = OrthogonalProcrustes().fit(X, X)
    centre = X.mean(axis=0)
    reversed_rows = 2 * centre - X
    assert_allclose(measure.score(X, reversed_rows), -2)
