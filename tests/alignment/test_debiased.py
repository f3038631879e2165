"""Procrustes distances corrected for few rows, by folds of the rows."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone

from sksim.alignment import AngularShapeMetric, OrthogonalProcrustes
from sksim.arrays._nuclear_norm import (
    judged_values,
    nuclear_norm_by_folds,
    signed_roots,
)
from sksim.compose import CrossRepetition
from sksim.inference import similarity_interval, similarity_test

DEBIASED = OrthogonalProcrustes(debias="rows", random_state=0)


def shared(rng, n, width, noise=1.0):
    """Three of five directions are shared; with the distance at unlimited rows."""
    loadings = rng.normal(size=(2, 5, width))
    common = rng.normal(size=(n, 3))
    pair = [
        np.hstack([common, rng.normal(size=(n, 2))]) @ each
        + noise * rng.normal(size=(n, width))
        for each in loadings
    ]
    overlap = np.linalg.norm(loadings[0, :3].T @ loadings[1, :3], "nuc")
    norms = [np.sum(each**2) + width * noise**2 for each in loadings]
    return pair, math.sqrt(2 - 2 * overlap / math.sqrt(norms[0] * norms[1]))


def test_signed_roots_by_hand():
    """Values 9 and 4, judged by 4 and -1: roots 6 and -2."""
    values, products = judged_values(
        np.diag([9.0, 4.0]), np.array([[4.0, 7.0], [5.0, -1.0]]), xp=np
    )
    assert_allclose(values, [9, 4])
    assert_allclose(products, [4, -1])
    assert signed_roots(values, products, xp=np) == pytest.approx(6 - 2)


@pytest.mark.parametrize("center", [True, False])
def test_folds_by_their_definition(center):
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(13, 3)), rng.normal(size=(13, 4))
    if center:
        A, B = A - A.mean(axis=0), B - B.mean(axis=0)
    folds = rng.permutation(13) % 4
    values, products = [], []
    for fold in range(4):
        inside = folds == fold
        moments = []
        for part in (~inside, inside):
            a, b = A[part], B[part]
            if center:
                a, b = a - a.mean(axis=0), b - b.mean(axis=0)
            moments.append(a.T @ b / (len(a) - center))
        U, s, Vt = np.linalg.svd(moments[0], full_matrices=False)
        values.append(s)
        products.append(np.diag(U.T @ moments[1] @ Vt.T))
    s, c = np.mean(values, axis=0), np.mean(products, axis=0)
    expected = (13 - center) * np.sum(np.sign(c) * np.sqrt(s * np.abs(c)))
    found = nuclear_norm_by_folds(A, B, folds, center=center, xp=np)
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("widths", [(4, 6), (4, 90), (90, 70)])
@pytest.mark.parametrize("scale", [True, False])
def test_without_noise_little_is_corrected(widths, scale):
    """Views of one rank: each part of the rows has the same map."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(60, 1))
    X, y = (latent @ rng.normal(size=(1, width)) + 5 for width in widths)
    measure = clone(DEBIASED).set_params(scale=scale)
    plain = OrthogonalProcrustes(scale=scale).fit(X, y).distance_
    sizes = [1.0 if scale else np.linalg.norm(Z - Z.mean(axis=0)) for Z in (X, y)]
    gap = measure.fit(X, y).distance_ ** 2 - plain**2
    assert abs(gap) < 0.05 * sizes[0] * sizes[1]


@pytest.mark.parametrize("n, width", [(50, 10), (50, 50), (200, 50)])
def test_unrelated_views_are_as_far_as_they_can_be(n, width):
    rng = np.random.default_rng(0)
    pairs = [rng.normal(size=(2, n, width)) for _ in range(30)]
    found = [DEBIASED.fit(*pair).distance_ ** 2 for pair in pairs]
    plain = [OrthogonalProcrustes().fit(*pair).distance_ ** 2 for pair in pairs]
    error = np.std(found) / 30**0.5
    assert abs(np.mean(found) - 2) < 4 * error < 0.15
    assert np.mean(plain) < 1.7


@pytest.mark.parametrize("n, width", [(50, 50), (200, 20), (200, 100)])
def test_a_few_shared_directions(n, width):
    rng = np.random.default_rng(1)
    gaps, plain = [], []
    for _ in range(30):
        pair, truth = shared(rng, n, width)
        gaps.append(DEBIASED.fit(*pair).distance_ - truth)
        plain.append(OrthogonalProcrustes().fit(*pair).distance_ - truth)
    error = np.std(gaps) / 30**0.5
    assert abs(np.mean(gaps)) < 3 * error + 0.02
    assert np.mean(plain) < -0.04


def test_angle_is_that_of_the_distance():
    pair, _ = shared(np.random.default_rng(0), 80, 12)
    distance = DEBIASED.fit(*pair).distance_
    angle = AngularShapeMetric(debias="rows", random_state=0).fit(*pair).distance_
    assert angle == pytest.approx(2 * math.asin(distance / 2), rel=1e-12)


def test_map_is_that_of_all_rows():
    pair, _ = shared(np.random.default_rng(0), 80, 12)
    plain = OrthogonalProcrustes().fit(*pair)
    debiased = clone(DEBIASED).fit(*pair)
    assert_allclose(debiased.transform(pair[0]), plain.transform(pair[0]))
    assert debiased.score(*pair) == debiased.score_


def test_seeds_and_permutations():
    pair, _ = shared(np.random.default_rng(0), 60, 8)
    first, again, other = (
        OrthogonalProcrustes(debias="rows", random_state=seed).fit(*pair).distance_
        for seed in (0, 0, 1)
    )
    assert first == again != other
    result = similarity_test(DEBIASED, *pair, n_permutations=49, random_state=0)
    assert result.pvalue == 0.02
    assert abs(result.null_mean + 2**0.5) < 0.05
    comparison = clone(DEBIASED)._open(*pair)
    order = np.random.default_rng(3).permutation(60)
    expected = DEBIASED.fit(pair[0], pair[1][order]).distance_
    assert comparison.permuted([order])[0] == pytest.approx(expected, rel=1e-12)


def test_what_is_refused():
    pair, _ = shared(np.random.default_rng(0), 30, 5)
    with pytest.raises(ValueError, match="minimum of 10"):
        DEBIASED.fit(pair[0][:9], pair[1][:9])
    assert not hasattr(DEBIASED, "partial_fit")
    assert hasattr(OrthogonalProcrustes(), "partial_fit")
    with pytest.raises(ValueError, match="'jackknife' is not valid.*'subsample'"):
        similarity_interval(DEBIASED, *pair)
    with pytest.raises(ValueError, match="no estimate"):
        CrossRepetition(DEBIASED).fit(*pair, repeats=np.arange(30) // 2)
