"""Numbers at the ends of their range, where digits are lost without care."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.alignment import OrthogonalProcrustes, SoftMatching
from sksim.arrays._kernels import refuse_zero_bandwidth
from sksim.arrays._linalg import (
    centered,
    numerical_rank,
    unit_rows,
)
from sksim.arrays._namespace import row_sum_of_squares
from sksim.neighbors import CKNNA, MutualKNN, SecondOrderCosine
from sksim.rsm import CKA, HSIC, RiemannianDistance, RSMNormDifference
from sksim.statistics import IntrinsicDimension, Uniformity


@pytest.fixture
def pair():
    return np.random.default_rng(0).normal(size=(2, 40, 5))


def test_centring_the_smallest_numbers_loses_no_digit():
    X = np.array([[5.0, 1.0], [0.0, 3.0], [0.0, 3.0]])
    tiny = np.ldexp(X, -1074)  # whole multiples of the smallest number
    rows = centered(tiny, xp=np).rows
    expected = centered(X, xp=np).rows
    assert_allclose(
        rows / np.linalg.norm(rows), expected / np.linalg.norm(expected), rtol=1e-14
    )


def test_rounding_of_a_huge_mean_leaves_no_offset():
    X = np.random.default_rng(0).integers(-9, 9, (101, 3)) + 2.0**47
    rows, _, scale, _ = centered(X, xp=np)
    exact = (X - 2.0**47) - (X - 2.0**47).mean(axis=0)
    assert_allclose(rows * scale, exact, atol=1e-12)


def test_constant_columns_become_exactly_zero():
    X = np.random.default_rng(0).normal(size=(7, 3))
    X[:, 1] = 0.1
    rows = centered(X, xp=np).rows
    assert np.all(rows[:, 1] == 0)
    assert np.all(rows[:, 0] != 0)


def test_columns_that_vary_by_rounding_become_exactly_zero():
    X = np.random.default_rng(0).normal(size=(7, 2))
    X[:, 1] = np.where(np.arange(7) < 3, 0.1, np.nextafter(0.1, 1))
    assert np.all(centered(X, xp=np).rows[:, 1] == 0)


def test_centring_columns_of_far_sizes_keeps_their_unit():
    X = np.random.default_rng(0).normal(size=(9, 1)) * 1e100
    rows, _, scale, _ = centered(np.hstack([np.full((9, 1), 1e200), X]), xp=np)
    assert_allclose(rows[:, 1:] * scale, X - X.mean(axis=0), rtol=1e-12)


def test_rank_counts_what_is_above_rounding():
    values = np.array([1.0, 1e-10, 1e-17])
    assert numerical_rank(values, (20, 3), xp=np) == 2


@pytest.mark.parametrize("exponent", [-300, 300])
def test_hsic_of_wide_rows_is_quadratic_in_the_scale(exponent):
    X, y = np.random.default_rng(0).normal(size=(2, 8, 20))
    expected = math.ldexp(HSIC().fit(X, y).statistic_, 2 * exponent)
    value = HSIC().fit(np.ldexp(X, exponent), y).statistic_
    assert value == pytest.approx(expected, rel=1e-10)


def test_distance_from_something_huge_is_its_norm(pair):
    X, y = pair
    huge = np.ldexp(y, 900)
    expected = math.ldexp(np.linalg.norm(y - y.mean(axis=0)), 900)
    for first, second in ((X, huge), (huge, X)):
        distance = OrthogonalProcrustes(scale=False).fit(first, second).distance_
        assert distance == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("exponent", [-1070, -600, 600, 1021])
def test_directions_of_tiny_and_huge_rows(exponent):
    X = np.ldexp(np.array([[3.0, 4.0], [0.0, -2.0]]), exponent)
    assert_allclose(unit_rows(X, xp=np), [[0.6, 0.8], [0, -1]], rtol=1e-15)


def test_directions_of_rows_of_far_sizes():
    X = np.array([[3e-200, 4e-200], [0.0, -2e200]])
    assert_allclose(unit_rows(X, xp=np), [[0.6, 0.8], [0, -1]], rtol=1e-15)


@pytest.mark.parametrize("measure", [MutualKNN(3), CKNNA(3), SecondOrderCosine(3)])
@pytest.mark.parametrize("exponent", [-1074, -500, 500, 1010])
def test_neighbors_of_tiny_and_huge_rows(measure, exponent, pair):
    X, y = np.round(1000 * pair)
    expected = measure.fit(X, y).statistic_
    assert measure.fit(np.ldexp(X, exponent), y).statistic_ == pytest.approx(expected)


def test_debiased_kernel_of_one_row_that_outweighs_all(pair):
    X, y = pair
    X = X - X.mean(axis=0)
    X[0] *= 1e7
    K, L = (centred - np.diag(np.diag(centred)) for centred in (X @ X.T, y @ y.T))
    n = len(X)

    def u_centred(K):
        sums = K.sum(axis=0)
        K = K - (sums[:, None] + sums[None, :]) / (n - 2)
        K = K + sums.sum() / ((n - 1) * (n - 2))
        return K - np.diag(np.diag(K))

    K, L = u_centred(K), u_centred(L)
    expected = np.sum(K * L) / math.sqrt(np.sum(K * K) * np.sum(L * L))
    value = CKA(debias="rows").fit(X, y).similarity_
    assert value == pytest.approx(expected, rel=1e-8)


def test_debiased_kernel_of_a_lone_row_is_refused():
    X = np.eye(20)[:, :1]  # no two rows have a product other than zero
    with pytest.raises(ValueError, match="equally similar"):
        CKA(debias="rows").fit(X, np.arange(20.0))


def test_bandwidth_is_not_made_of_rounding():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2, 24))[rng.permutation(np.repeat([0, 1], [17, 28]))]
    with pytest.raises(ValueError, match="coincide"):
        CKA(kernel="rbf").fit(X, X[::-1])


def test_bandwidth_is_not_made_of_what_underflows():
    rows = 1e-160 * np.arange(12.0).reshape(6, 2)
    with pytest.raises(ValueError, match="coincide"):
        refuse_zero_bandwidth(1e-161, row_sum_of_squares(rows, xp=np), "X", xp=np)


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e6, 1e8])
def test_riemannian_distance_of_spectra_far_above_the_ridge(scale):
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    spectra = np.zeros((2, 20))
    spectra[0, :6] = rng.uniform(0.5, 2, 6)
    spectra[1, 4:10] = rng.uniform(0.5, 2, 6)
    X, y = (
        scale * (vectors * np.sqrt(values))[:, values > 0] * 6**0.5
        for values in spectra
    )
    eigenvalues = spectra * scale**2 + 1e-3
    expected = np.linalg.norm(np.log(eigenvalues[0] / eigenvalues[1]))
    value = RiemannianDistance(ridge=1e-3).fit(X, y).distance_
    assert value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("ridge", [0.0, 1e-3])
def test_riemannian_distance_of_directions_lost_in_rounding_is_refused(pair, ridge):
    X, y = pair
    with pytest.raises(ValueError, match="lost in rounding"):
        RiemannianDistance(ridge).fit(X[:4], 1e12 + y[:4])


def test_riemannian_distance_of_squares_that_vanish_is_refused(pair):
    X = np.diag([1.0, 1e-170, 1e-3])
    with pytest.raises(ValueError, match="rank 2|lost in rounding"):
        RiemannianDistance(0.0).fit(X, pair[0][:3])


def test_riemannian_distance_lost_in_rounding_is_refused():
    X, y = 1e30 * np.random.default_rng(0).normal(size=(2, 20, 3))
    with pytest.raises(ValueError, match="larger ridge"):
        RiemannianDistance().fit(X, y)


@pytest.mark.parametrize(
    "measure", [HSIC(), RSMNormDifference("linear"), RSMNormDifference("sqeuclidean")]
)
@pytest.mark.parametrize("scale", [1e-250, 1e200])
def test_what_is_no_number_is_refused(measure, scale, pair):
    X, y = pair
    with pytest.raises(ValueError, match=r"[Rr]escale"):
        measure.fit(scale * X, scale * y)


@pytest.mark.parametrize(
    "measure",
    [
        OrthogonalProcrustes(scale=False),
        SoftMatching(scale=False),
        RSMNormDifference("euclidean"),
    ],
)
@pytest.mark.parametrize("exponent", [-900, -300, 300, 900])
def test_distances_scale_with_the_data(measure, exponent, pair):
    X, y = pair
    expected = math.ldexp(measure.fit(X, y).distance_, exponent)
    scaled = measure.fit(np.ldexp(X, exponent), np.ldexp(y, exponent)).distance_
    assert scaled == pytest.approx(expected, rel=1e-12)


def test_dimension_leaves_out_chains_of_rows_equal_to_rounding():
    rng = np.random.default_rng(0)
    X = 1e8 * (rng.normal(size=(30, 3)) + 1e14)
    with pytest.warns(UserWarning, match="duplicates"):
        fitted = IntrinsicDimension(ratio_fit="likelihood", discard=0).fit(
            np.vstack([X, X[:5]]), X
        )
    assert np.isfinite(fitted.statistic_)


@pytest.mark.parametrize("scale", [1e-160, 1e-8, 1e150])
def test_uniformity_of_raw_rows(scale, pair):
    X, y = pair
    assert np.isfinite(Uniformity(normalize=False).fit(scale * X, scale * y).statistic_)
