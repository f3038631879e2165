"""Procrustes means of many models, and their tangent coordinates."""

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose
from sklearn.cluster import KMeans

from sksim.alignment import OrthogonalProcrustes
from sksim.compose import ShapeSpace


@pytest.mark.parametrize("case, arrays, values", list(newer_cases("procrustes_mean")))
def test_values(case, arrays, values):
    space = ShapeSpace().fit(arrays["X"])
    found = space.mean_squared_distance_
    assert_allclose(found, values["mean_squared_distance"], rtol=1e-6, atol=1e-12)
    distances = values["distances_to_mean"]
    assert_allclose(space.distances_, distances, rtol=1e-6, atol=1e-6)
    gram = space.mean_ @ space.mean_.T
    assert_allclose(gram, values["gram_of_mean"], rtol=1e-5, atol=1e-6)
    # the best member as a mean, and never worse
    assert found <= values["frechet_variance_of_best_member"] + 1e-12
    if case not in ("rotated_copies", "two_models"):  # all members are as good there
        assert space.medoid_ == values["medoid"]


def models(n=6, width=3, noise=0.2, seed=0):
    rng = np.random.default_rng(seed)
    shapes = rng.normal(size=(2, 25, width)) * 2
    groups = np.arange(n) % 2
    rotations = [np.linalg.qr(rng.normal(size=(width, width)))[0] for _ in range(n)]
    rows = [shapes[g] @ Q + 5 for g, Q in zip(groups, rotations, strict=True)]
    return [r + noise * rng.normal(size=r.shape) for r in rows], groups


@pytest.mark.parametrize("scale", [False, True])
def test_distances_are_those_of_procrustes(scale):
    Xs, _ = models()
    space = ShapeSpace(scale=scale).fit(Xs)
    expected = [
        OrthogonalProcrustes(center=False, scale=False).fit(a, space.mean_).distance_
        for a in space.aligned_
    ]
    assert_allclose(space.distances_, expected, rtol=1e-7)
    for a, X in zip(space.aligned_, Xs, strict=True):
        centred = X - X.mean(axis=0)
        norm = np.linalg.norm(centred) if scale else 1
        assert_allclose(a @ a.T, centred @ centred.T / norm**2, atol=1e-9)


def test_tangent_coordinates():
    Xs, groups = models()
    space = ShapeSpace()
    coordinates = space.fit_transform(Xs)
    assert_allclose(coordinates, space.transform(Xs), atol=1e-9)
    assert_allclose(np.linalg.norm(coordinates, axis=1), space.distances_)
    assert_allclose(coordinates.mean(axis=0), 0, atol=1e-9)
    for i, j in ((0, 1), (0, 2)):
        distance = OrthogonalProcrustes(scale=False).fit(Xs[i], Xs[j]).distance_
        assert np.linalg.norm(coordinates[i] - coordinates[j]) >= distance - 1e-9
    labels = KMeans(2, n_init=3, random_state=0).fit_predict(coordinates)
    assert len(set(zip(labels, groups, strict=True))) == 2


def test_narrow_models_are_filled_up():
    Xs, _ = models()
    narrow = [X[:, :2] for X in Xs[:3]] + Xs[3:]
    filled = [np.hstack([X, np.zeros((25, 1))]) for X in narrow[:3]] + Xs[3:]
    space, same = ShapeSpace().fit(narrow), ShapeSpace().fit(filled)
    assert_allclose(space.mean_squared_distance_, same.mean_squared_distance_)
    assert space.mean_.shape == (25, 3)


def test_refusals():
    Xs, _ = models()
    with pytest.raises(ValueError, match="Representation 1 has 24 rows"):
        ShapeSpace().fit([Xs[0], Xs[1][:24]])
    with pytest.raises(ValueError, match="got none"):
        ShapeSpace().fit([])
    with pytest.raises(ValueError, match="Representation 0 is constant"):
        ShapeSpace(scale=True).fit([np.ones((25, 3)), Xs[1]])
    space = ShapeSpace().fit(Xs)
    with pytest.raises(ValueError, match="mean is of 25 rows"):
        space.transform([Xs[0][:20]])
    with pytest.raises(ValueError, match="has 4 columns"):
        space.transform([np.hstack([Xs[0], Xs[1][:, :1]])])
