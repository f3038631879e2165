"""Intrinsic dimension."""

import warnings

import numpy as np
import pytest
from _reference import reference_arrays, reference_values
from numpy.testing import assert_allclose

from sksim.statistics import IntrinsicDimension

DATA_SETS = sorted(reference_values("intrinsic_dimension"))
ESTIMATORS = {"twonn": "twonn", "mle_k20": "mle", "local_pca_k20": "local_pca"}


def dimension(X, **params):
    return IntrinsicDimension(**params).fit(X, X).statistics_[0]


@pytest.mark.parametrize("name", DATA_SETS)
@pytest.mark.parametrize("key", ESTIMATORS)
def test_values_of_scikit_dimension(name, key):
    X = reference_arrays("intrinsic_dimension")[name]
    expected = reference_values("intrinsic_dimension")[name][key]
    assert_allclose(dimension(X, method=ESTIMATORS[key]), expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["well", "unequal", "rankdef", "independent"])
def test_values_by_likelihood_of_all_ratios(name):
    """The independent derivation takes N / sum(log mu), without discarding."""
    arrays = reference_arrays("representational")
    X, y = arrays[f"{name}__X"], arrays[f"{name}__Y"]
    measure = IntrinsicDimension(ratio_fit="likelihood", discard=0).fit(X, y)
    values = reference_values("representational")[name]["twonn"]
    assert_allclose(measure.statistics_, (values["X"], values["Y"]), rtol=1e-9)


@pytest.mark.parametrize("ratio_fit", ["line", "likelihood"])
@pytest.mark.parametrize("discard", [0, 0.1, 0.37])
def test_twonn_of_ratios_of_a_pareto_law(ratio_fit, discard):
    """Points on a line, three by three, whose ratios follow the law of dimension 3."""
    n = 200
    ratios = (1 - np.arange(1, n + 1) / (n + 1)) ** (-1 / 3)
    # the groups are far apart; the outer two of a group are no further than it is wide
    kept, x = int(n * (1 - discard)), np.sort(np.log(ratios))
    if ratio_fit == "line":
        kept = min(kept, n - 1)
        x, y = x[:kept], -np.log(1 - np.arange(1, kept + 1) / n)
        expected = x @ y / (x @ x)
    else:
        expected = kept / (x[:kept].sum() + (n - kept) * x[kept - 1])
    measure = IntrinsicDimension(ratio_fit=ratio_fit, discard=discard)
    distances = np.c_[np.ones(n), ratios]
    assert_allclose(measure._two_nearest(distances, np, "x"), expected)
    assert abs(expected - 3) < 0.25


@pytest.mark.parametrize("true", [1, 2, 5])
@pytest.mark.parametrize("method", ["twonn", "mle", "local_pca"])
def test_dimension_of_linear_data(true, method):
    rng = np.random.default_rng(true)
    X = rng.normal(size=(1500, true)) @ rng.normal(size=(true, 30))
    assert abs(dimension(X, method=method) - true) < 0.1 * true


@pytest.mark.parametrize("method", ["mle", "local_pca"])
def test_rows_have_values(method):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.normal(size=(80, 40))
    measure = IntrinsicDimension(method, n_neighbors=8).fit(X, y)
    for values, statistic, Z in zip(
        measure.row_values_, measure.statistics_, (X, y), strict=True
    ):
        assert values.shape == (len(Z),)
        assert_allclose(np.mean(values), statistic)
    assert not hasattr(IntrinsicDimension().fit(X, y), "row_values_")


@pytest.mark.parametrize("method", ["twonn", "mle", "local_pca"])
def test_duplicates_are_left_out_with_a_warning(method):
    X = np.random.default_rng(1).normal(size=(70, 3))
    copies = np.vstack([X, X[:20], X[:5]])
    with pytest.warns(UserWarning, match="25 rows of X are duplicates"):
        measure = IntrinsicDimension(method).fit(copies, X)
    assert_allclose(measure.statistic_, 0, atol=1e-12)


def test_too_few_distinct_rows():
    X = np.random.default_rng(2).normal(size=(4, 3))
    with pytest.raises(ValueError, match="X has 4 distinct rows.*at least 21"):
        IntrinsicDimension("mle").fit(np.repeat(X, 10, axis=0), np.tile(X, (10, 1)))
    with pytest.raises(ValueError, match="n_neighbors=2 needs at least 3 rows"):
        IntrinsicDimension().fit(X[:2], X)
    with pytest.raises(ValueError, match="discard=0.9 leaves none of 4"):
        IntrinsicDimension(discard=0.9).fit(X, X)


def test_grids_have_no_dimension_by_ratios():
    grid = np.stack(np.meshgrid(*[np.arange(8.0)] * 2), axis=-1).reshape(-1, 2)
    with pytest.raises(ValueError, match="equally far.*local_pca"):
        dimension(0.1 * grid)
    with pytest.raises(ValueError, match="equally far from all of its neighbours"):
        dimension(0.1 * grid, method="mle", n_neighbors=2)
    assert_allclose(dimension(0.1 * grid, method="local_pca"), 2)


def test_invariance_to_scale_and_offset():
    X = np.random.default_rng(3).normal(size=(100, 4))
    for method in ("twonn", "mle", "local_pca"):
        value = dimension(X, method=method)
        for other in (X * 1e150, X * 1e-150, X + 1e6, X[:, ::-1]):
            assert_allclose(dimension(other, method=method), value, rtol=1e-6)


def test_no_warning_without_duplicates():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dimension(np.random.default_rng(4).normal(size=(50, 2)))
