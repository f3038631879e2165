"""Mean agreement of optimal linear read-outs."""

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose

from sksim.cca import MeanSquaredCCA
from sksim.rsm import CKA, GULP, DecodingSimilarity

CASES = list(newer_cases("read_out_family"))


@pytest.mark.parametrize("case, arrays, values", CASES)
def test_values_of_two_derivations(case, arrays, values):
    X, y = arrays["X"], arrays["Y"]
    for ridge, value in values["similarity"].items():
        measure = DecodingSimilarity(float(ridge)).fit(X, y)
        at_an_end = float(ridge) in (1e-9, 1e6)
        assert_allclose(measure.statistic_, value, rtol=1e-5 if at_an_end else 1e-9)
    limits = {0: values["limit_zero"], float("inf"): values["cka"]}
    for ridge, value in limits.items():
        assert_allclose(
            DecodingSimilarity(ridge).fit(X, y).statistic_, value, rtol=1e-9
        )


def test_ends_are_other_measures():
    X, y = np.random.default_rng(0).normal(size=(2, 60, 4))
    y = y[:, :3] + X[:, :3]
    value = DecodingSimilarity(0).fit(X, y).statistic_
    assert_allclose(value, MeanSquaredCCA("geometric").fit(X, y).statistic_)
    value = DecodingSimilarity(float("inf")).fit(X, y).statistic_
    assert_allclose(value, CKA().fit(X, y).statistic_)


@pytest.mark.parametrize("widths", [(5, 4), (30, 4), (30, 25)])
@pytest.mark.parametrize("ridge", [1e-8, 1e-3, 0.5, 100.0])
def test_scaled_is_the_cosine_of_gulps_matrices(ridge, widths):
    rng = np.random.default_rng(0)
    X, y = (rng.normal(size=(20, w)) * np.geomspace(1, 0.1, w) + 3 for w in widths)
    matrices = []
    for rows in (X, y):
        rows = rows - rows.mean(axis=0)
        K = rows @ rows.T / np.sum(rows**2)
        matrices.append(np.linalg.solve(K + ridge * np.eye(20), K))
    S, T = matrices
    expected = np.sum(S * T) / np.linalg.norm(S) / np.linalg.norm(T)
    value = DecodingSimilarity(ridge, scale=True).fit(X, y).statistic_
    assert_allclose(value, expected, rtol=1e-7)
    distance = GULP(ridge).fit(X, y).statistic_
    squares = np.sum(S**2) + np.sum(T**2)
    norms = np.linalg.norm(S) * np.linalg.norm(T)
    assert_allclose(distance**2, squares - 2 * norms * value, rtol=1e-6, atol=1e-8)


def test_read_outs():
    """The mean over targets of the predictions' inner product, by simulation."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    y = X @ rng.normal(size=(3, 4)) + rng.normal(size=(30, 4))
    targets = rng.normal(size=(30, 200_000))

    def predictions(rows):
        rows = rows - rows.mean(axis=0)
        weights = np.linalg.solve(
            rows.T @ rows + 30 * 0.2 * np.eye(rows.shape[1]), rows.T
        )
        return rows @ (weights @ targets)

    a, b = predictions(X), predictions(y)
    simulated = np.sum(a * b) / np.sqrt(np.sum(a * a) * np.sum(b * b))
    value = DecodingSimilarity(0.2).fit(X, y).statistic_
    assert_allclose(value, simulated, atol=0.01)
