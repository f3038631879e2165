"""Canonical correlation measures."""

import numpy as np
import pytest
from _reference import reference_cases
from numpy.testing import assert_allclose
from sklearn.cross_decomposition import CCA

from sksim.cca import PWCCA, SVCCA, MeanCCA, MeanSquaredCCA

MEASURES = {
    "mean_cca": MeanCCA(),
    "mean_squared_cca_rank": MeanSquaredCCA(),
    "mean_squared_cca_width": MeanSquaredCCA(denominator="width"),
    "svcca_0.99": SVCCA(variance=0.99),
    "pwcca_weights_from_X": PWCCA(),
}


@pytest.mark.parametrize(
    "key, name, direction, X, y, value",
    [(key, *case) for key in MEASURES for case in reference_cases(key)],
    ids=lambda argument: argument if isinstance(argument, str) else "",
)
def test_values_of_original_implementations(key, name, direction, X, y, value):
    assert_allclose(MEASURES[key].fit(X, y).statistic_, value, rtol=1e-9)


def orthonormal_variables(n_samples, n_features, random_state):
    """Centred columns of unit norm, at right angles."""
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, n_features))
    return np.linalg.qr(X - X.mean(axis=0))[0]


def pair_with_correlations(correlations, random_state=0, n_samples=80):
    """Two views whose canonical correlations are the given ones, in closed form."""
    k = len(correlations)
    rho = np.asarray(correlations)
    Q = orthonormal_variables(n_samples, 2 * k, random_state)
    shared, own = Q[:, :k], Q[:, k:]
    rng = np.random.default_rng(random_state + 1)
    X = shared @ rng.normal(size=(k, k)) + rng.normal(size=k)
    y = (rho * shared + np.sqrt(1 - rho**2) * own) @ rng.normal(size=(k, k))
    return X, y


RHO = [0.9, 0.5, 0.2]


@pytest.mark.parametrize(
    "measure, expected",
    [
        (MeanCCA(), np.mean(RHO)),
        (MeanSquaredCCA(), np.mean(np.square(RHO))),
        (SVCCA(variance=1.0), np.mean(RHO)),
        (SVCCA(variance=1.0, aggregate="mean_squared"), np.mean(np.square(RHO))),
    ],
)
def test_closed_form(measure, expected):
    X, y = pair_with_correlations(RHO)
    measure.fit(X, y)
    assert_allclose(measure.statistic_, expected, rtol=1e-10)
    assert_allclose(measure.singular_values_, RHO, rtol=1e-10)


def test_projection_weights_in_closed_form():
    # X has orthonormal columns that are its canonical variates, scaled by 3, 2, 1
    Q = orthonormal_variables(60, 6, 0)
    rho, sizes = np.array(RHO), np.array([3.0, 2.0, 1.0])
    X = Q[:, :3] * sizes
    y = rho * Q[:, :3] + np.sqrt(1 - rho**2) * Q[:, 3:]
    assert_allclose(PWCCA().fit(X, y).statistic_, sizes @ rho / 6, rtol=1e-10)
    from_y = PWCCA(weights_from="y").fit(y, X)
    assert_allclose(from_y.statistic_, sizes @ rho / 6, rtol=1e-10)
    assert_allclose(from_y.weights_, sizes / 6, rtol=1e-10)


def test_narrower_takes_weights_from_fewer_columns():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 6)), rng.normal(size=(50, 3))
    narrower = PWCCA(weights_from="narrower")
    assert narrower.fit(X, y).statistic_ == PWCCA("y").fit(X, y).statistic_
    assert narrower.fit(y, X).statistic_ == PWCCA("X").fit(y, X).statistic_


def test_denominators_on_unequal_ranks():
    X, y = pair_with_correlations(RHO)
    y = np.hstack([y, y[:, :1]])  # four columns of rank three
    X = np.hstack([X, np.random.default_rng(5).normal(size=(len(X), 2))])
    total = MeanSquaredCCA().fit(X, y).statistic_ * 3
    width = MeanSquaredCCA(denominator="width").fit(X, y).statistic_
    geometric = MeanSquaredCCA(denominator="geometric").fit(X, y).statistic_
    assert_allclose(width, total / 4)
    assert_allclose(geometric, total / np.sqrt(5 * 3))


def test_svcca_keeps_the_fewest_components():
    Q = orthonormal_variables(100, 4, 0)
    X = Q * np.sqrt([70, 20, 9, 1])  # shares of variance .70 .20 .09 .01
    for variance, kept in ((0.5, 1), (0.7, 1), (0.71, 2), (0.9, 2), (0.99, 3), (1, 4)):
        measure = SVCCA(variance=variance).fit(X, X[:, ::-1])
        assert measure.x_rotations_.shape[1] == kept, variance


def test_variates_agree_with_iterative_cca():
    X, y = pair_with_correlations([0.95, 0.6], n_samples=200)
    ours = MeanCCA().fit(X, y)
    theirs = CCA(n_components=2, max_iter=5000, tol=1e-12).fit(X, y)
    for mine, other in zip(ours.transform(X, y), theirs.transform(X, y), strict=True):
        correlations = np.corrcoef(mine.T, other.T)[:2, 2:]
        assert_allclose(np.abs(correlations), np.eye(2), atol=1e-4)


def test_held_out_score_applies_fitted_variates():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(300, 2))
    X = shared @ rng.normal(size=(2, 5)) + 0.5 * rng.normal(size=(300, 5))
    y = shared @ rng.normal(size=(2, 4)) + 0.5 * rng.normal(size=(300, 4))
    train, test = slice(0, 150), slice(150, 300)
    measure = MeanCCA().fit(X[train], y[train])
    variates = measure.transform(X[test], y[test])
    rho = [
        np.corrcoef(a, b)[0, 1] for a, b in zip(*(v.T for v in variates), strict=True)
    ]
    assert_allclose(measure.score(X[test], y[test]), np.mean(rho))
    squared = MeanSquaredCCA().fit(X[train], y[train])
    expected = np.mean(np.array(rho) * np.abs(rho))
    assert_allclose(squared.score(X[test], y[test]), expected)
    weighted = PWCCA().fit(X[train], y[train])
    assert_allclose(weighted.score(X[test], y[test]), weighted.weights_ @ rho)


def test_pairwise_overfit_shows_in_the_held_out_score():
    X, y = np.random.default_rng(0).normal(size=(2, 80, 25))
    measure = MeanCCA().fit(X[:55], y[:55])
    assert measure.score_ > 0.55
    assert abs(measure.score(X[55:], y[55:])) < 0.3


@pytest.mark.parametrize("n_samples, trivial", [(12, 5), (15, 2), (16, 1)])
def test_trivial_correlations_are_warned_of_and_counted(n_samples, trivial):
    X, y = np.random.default_rng(0).normal(size=(2, n_samples, 8))
    with pytest.warns(UserWarning, match=f"at least {trivial} of the 8"):
        measure = MeanCCA().fit(X, y)
    assert_allclose(measure.singular_values_[:trivial], 1)
    assert measure.singular_values_[trivial] < 1 - 1e-6


def test_no_warning_with_enough_rows():
    X, y = np.random.default_rng(0).normal(size=(2, 17, 8))
    MeanCCA().fit(X, y)


def test_wide_views_are_all_alike():
    X, y = np.random.default_rng(0).normal(size=(2, 10, 40))
    with pytest.warns(UserWarning, match="by construction"):
        assert_allclose(MeanCCA().fit(X, y).statistic_, 1)


@pytest.mark.parametrize(
    "dtype, condition, tolerance",
    [
        (np.float64, 1e3, 1e-10),
        (np.float64, 1e5, 1e-9),
        (np.float64, 1e6, 1e-8),
        (np.float64, 1e8, 1e-6),
        # rounding the input to float32 changes the data itself by 1e-4 here
        (np.float32, 1e3, 1e-3),
    ],
)
def test_ill_conditioned_views(dtype, condition, tolerance):
    """The closed form survives a condition number of 1e8."""
    rng = np.random.default_rng(0)
    n, d = 200, 6
    Q = orthonormal_variables(n, 2 * d, 1)
    rho = np.linspace(0.9, 0.1, d)
    rotations = [np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(2)]
    X = Q[:, :d] * np.geomspace(1, 1 / condition, d) @ rotations[0]
    y = (rho * Q[:, :d] + np.sqrt(1 - rho**2) * Q[:, d:]) @ rotations[1]
    value = MeanCCA().fit(X.astype(dtype), y.astype(dtype)).statistic_
    assert_allclose(value, rho.mean(), atol=tolerance)


def test_rank_deficient_view_with_itself():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 8))
    measure = MeanCCA().fit(X, X @ rng.normal(size=(8, 8)))
    assert_allclose(measure.statistic_, 1)
    assert measure.x_rotations_.shape == (8, 3)


@pytest.mark.parametrize("measure", [MeanCCA(), MeanSquaredCCA(), SVCCA(), PWCCA()])
def test_constant_view_is_refused_by_name(measure):
    X = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.raises(ValueError, match="^X is constant"):
        measure.fit(np.full_like(X, 0.1), X)
    with pytest.raises(ValueError, match="^y is constant"):
        measure.fit(X, np.full_like(X, 0.1))


def test_variates_have_unit_norm_and_no_correlation():
    X, y = pair_with_correlations(RHO)
    for variates in MeanCCA().fit(X, y).transform(X, y):
        assert_allclose(variates.T @ variates, np.eye(3), atol=1e-10)
        assert_allclose(variates.mean(axis=0), 0, atol=1e-12)
