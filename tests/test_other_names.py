"""What the guide's table of other names says is so, by the definitions of others."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist
from scipy.stats import pearsonr

from sksim.alignment import LinearRegressionSimilarity
from sksim.cca import MeanSquaredCCA
from sksim.functional import ErrorCorrelation, FleissKappa, QStatistic
from sksim.rsm import CKA, RSA, NormalizedBures

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 5))
Y = X[:, :3] @ rng.normal(size=(3, 3)) + rng.normal(size=(40, 3))
X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)


def projection(rows):
    return rows @ np.linalg.pinv(rows)


def test_yanais_gcd():
    P, Q = projection(X), projection(Y)
    expected = np.trace(P @ Q) / np.sqrt(np.trace(P) * np.trace(Q))
    value = MeanSquaredCCA(denominator="geometric").fit(X, Y).score_
    assert_allclose(value, expected)


def test_pillais_trace():
    """Trace of H (H + E)^-1 of the regression of Y on X."""
    H = Y.T @ projection(X) @ Y
    E = Y.T @ Y - H
    expected = np.trace(H @ np.linalg.inv(H + E))
    assert_allclose(3 * MeanSquaredCCA().fit(X, Y).score_, expected)


def test_rv_coefficient():
    K, L = X @ X.T, Y @ Y.T
    expected = np.trace(K @ L) / np.sqrt(np.trace(K @ K) * np.trace(L @ L))
    assert_allclose(CKA().fit(X, Y).score_, expected)


def test_redundancy_index():
    """Mean squared multiple correlation of the columns of Y."""
    fitted = projection(X) @ Y
    expected = np.mean(
        [pearsonr(*v).statistic ** 2 for v in zip(Y.T, fitted.T, strict=True)]
    )
    measure = LinearRegressionSimilarity(aggregate="mean").fit(X, Y)
    assert_allclose(measure.score_, expected)


def test_mantel_statistic():
    expected = pearsonr(pdist(X), pdist(Y)).statistic
    assert_allclose(RSA("euclidean", "pearson").fit(X, Y).score_, expected)


def test_fidelity_and_procrustes_disparity():
    value = NormalizedBures().fit(X, Y).score_
    roots = []
    for gram in (X @ X.T, Y @ Y.T):
        eigenvalues, V = np.linalg.eigh(gram / np.trace(gram))
        roots.append(V * np.sqrt(np.maximum(eigenvalues, 0)) @ V.T)
    fidelity = np.linalg.norm(roots[0] @ roots[1], "nuc")
    assert_allclose(value, fidelity, rtol=1e-6)
    padded = np.hstack([Y, np.zeros((40, 2))])
    assert_allclose(1 - value**2, procrustes(X, padded)[2])


def test_agreement_of_two():
    labels = np.array([0, 1] * 20)
    first, second = (np.where(rng.random(40) < 0.3, 1 - labels, labels) for _ in "12")
    observed = np.mean(first == second)
    share = np.mean([first, second])
    by_chance = share**2 + (1 - share) ** 2
    kappa = FleissKappa().fit([first, second]).statistic_
    assert_allclose(kappa, (observed - by_chance) / (1 - by_chance))
    right = first == labels, second == labels
    a, d = np.sum(right[0] & right[1]), np.sum(~right[0] & ~right[1])
    b, c = np.sum(right[0] & ~right[1]), np.sum(~right[0] & right[1])
    q = QStatistic().fit(first, second, y_true=labels).statistic_
    assert_allclose(q, (a * d - b * c) / (a * d + b * c))
    phi = ErrorCorrelation().fit(first, second, y_true=labels).statistic_
    assert_allclose(phi, pearsonr(*np.asarray(right, dtype=float)).statistic)
