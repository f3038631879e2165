"""Closed forms against full enumeration and simulation."""

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from sksim.alignment import LinearRegressionSimilarity
from sksim.arrays import _exact
from sksim.arrays._exact import DenseSymmetric, FactoredSymmetric, TraceForm
from sksim.arrays._pearson3 import log_upper_tail
from sksim.cca import MeanCCA, MeanSquaredCCA
from sksim.inference import CalibratedSimilarity, similarity_test
from sksim.inference._moments import null_moments
from sksim.rsm import CKA, HSIC

TRACE_TYPE = [
    CKA(),
    CKA(debias="rows"),
    CKA(kernel="rbf"),
    MeanSquaredCCA(),
    MeanSquaredCCA(denominator="geometric"),
    MeanSquaredCCA(denominator="width"),
]


@pytest.mark.parametrize("n", [4, 5, 6])
@pytest.mark.parametrize("seed", range(3))
def test_moments_equal_full_enumeration(n, seed):
    rng = np.random.default_rng(seed)
    centre = np.eye(n) - 1 / n
    K = rng.normal(size=(n, n))
    K = centre @ (K + K.T) @ centre
    L = rng.exponential(size=(n, 2))
    L = centre @ L @ L.T @ centre
    values = [
        np.vdot(K, L[np.ix_(order, order)])
        for order in itertools.permutations(range(n))
    ]
    moments = null_moments(TraceForm(DenseSymmetric(K), DenseSymmetric(L)))
    assert moments.mean == pytest.approx(np.mean(values), rel=1e-12)
    assert moments.std == pytest.approx(np.std(values), rel=1e-12)
    assert moments.skewness == pytest.approx(stats.skew(values), rel=1e-10)


@pytest.mark.parametrize("measure", TRACE_TYPE, ids=repr)
def test_moments_of_measures_equal_full_enumeration(measure):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, 3)), rng.normal(size=(6, 2))
    comparison = measure._open(X, y)
    form = comparison.trace_form()
    statistic = comparison.value()
    product = np.vdot(form.K.toarray(), form.L.toarray())
    assert form.scale * product == pytest.approx(statistic, rel=1e-12)
    result = similarity_test(measure, X, y, method="exact")
    moments = null_moments(form)
    assert moments.mean == pytest.approx(result.null_mean, abs=1e-14)
    assert moments.std == pytest.approx(result.null_std, rel=1e-11)
    assert moments.skewness == pytest.approx(
        stats.skew(result.null_distribution), rel=1e-9
    )
    closed = comparison.null_mean()
    if closed is not None:
        assert closed == pytest.approx(result.null_mean, rel=1e-12)


def test_moments_of_many_rows_lose_no_digits():
    """The mean is 180 standard deviations: raw third moments would be noise."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 100, 256))
    form = CKA()._open(X, y).trace_form()
    moments = null_moments(form)
    result = similarity_test(CKA(), X, y, n_permutations=4000, random_state=0)
    assert moments.mean == pytest.approx(result.null_mean, abs=4e-4)
    assert moments.std == pytest.approx(result.null_std, rel=0.05)
    assert abs(moments.skewness - stats.skew(result.null_distribution)) < 0.15
    shifted = null_moments(form._replace(K=form.K.minus_centring(-3)))
    assert shifted.std == pytest.approx(moments.std, rel=1e-12)
    assert shifted.skewness == pytest.approx(moments.skewness, rel=1e-9)


@pytest.mark.parametrize("measure", [CKA(), CKA(debias="rows")], ids=repr)
def test_half_as_many_columns_as_rows_lose_no_digits(measure):
    X, y = np.random.default_rng(0).normal(size=(2, 60, 30)) + 5
    form = measure._open(X, y).trace_form()
    moments = null_moments(form)
    K, L = (DenseSymmetric(matrix.toarray()) for matrix in (form.K, form.L))
    whole = null_moments(TraceForm(K, L, form.scale))
    assert isinstance(form.K, FactoredSymmetric)
    assert isinstance(form.L, FactoredSymmetric)
    assert moments.mean == pytest.approx(whole.mean, rel=1e-12, abs=1e-15)
    assert moments.std == pytest.approx(whole.std, rel=1e-12)
    assert moments.skewness == pytest.approx(whole.skewness, rel=1e-10)


@pytest.mark.parametrize(
    "measure",
    [
        CKA(),
        CKA(debias="rows"),
        MeanSquaredCCA(),
        LinearRegressionSimilarity(),
    ],
    ids=repr,
)
def test_closed_forms_make_no_matrix_of_rows_by_rows(measure):
    n_samples = 4000
    X, y = np.random.default_rng(0).normal(size=(2, n_samples, 6))
    tracemalloc.start()
    similarity_test(measure, X, y, method="pearson3")
    CalibratedSimilarity(measure).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n_samples**2 / 3


@pytest.mark.parametrize("debias", [None, "rows"])
@pytest.mark.parametrize("scale", [1e70, 1e-70])
def test_moments_of_huge_and_tiny_statistics(debias, scale):
    """Their third powers are no double-precision numbers."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 20)), rng.normal(size=(200, 15))
    measure = HSIC(debias=debias)
    usual = similarity_test(measure, X, y, method="pearson3")
    other = similarity_test(measure, scale * X, scale * y, method="pearson3")
    assert other.pvalue == pytest.approx(usual.pvalue, rel=1e-9)
    assert other.z_score == pytest.approx(usual.z_score, rel=1e-9)
    ratio = (scale * scale) ** 2
    assert other.null_mean / ratio == pytest.approx(usual.null_mean, abs=1e-9)
    assert other.null_std / ratio == pytest.approx(usual.null_std, rel=1e-9)


def test_a_constant_statistic_has_no_spread():
    centre = np.eye(6) - 1 / 6
    K, L = DenseSymmetric(centre), DenseSymmetric(2 * centre)
    moments = null_moments(TraceForm(K, L))
    assert (moments.mean, moments.std, moments.skewness) == (
        pytest.approx(10),
        0.0,
        0.0,
    )


def test_correlations_of_1_by_construction_have_no_pvalue():
    X, y = np.random.default_rng(0).normal(size=(2, 11, 50))
    with (
        pytest.warns(UserWarning, match="by construction"),
        pytest.raises(ValueError, match="the same for all orders"),
    ):
        similarity_test(MeanSquaredCCA(), X, y, method="pearson3")


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_pearson3_agrees_with_permutations(alternative):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(60, 12)), rng.normal(size=(60, 8))
    y[:, 0] += 0.4 * X[:, 0]
    for measure in (CKA(), CKA(debias="rows"), MeanSquaredCCA()):
        closed = similarity_test(
            measure, X, y, method="pearson3", alternative=alternative
        )
        drawn = similarity_test(
            measure,
            X,
            y,
            n_permutations=4000,
            alternative=alternative,
            random_state=0,
        )
        # four binomial standard errors
        assert abs(closed.pvalue - drawn.pvalue) < 0.035
        assert closed.null_mean == pytest.approx(drawn.null_mean, abs=0.002)
        assert closed.null_std == pytest.approx(drawn.null_std, rel=0.06)
        assert closed.score == drawn.score
        assert closed.calibrated_score == pytest.approx(
            drawn.calibrated_score, abs=0.003
        )
        assert (closed.method, closed.n_permutations) == ("pearson3", 0)
        assert closed.null_distribution is None


def test_pearson3_reaches_small_pvalues():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(200, 10))
    y = X + rng.normal(size=X.shape)
    assert 0 < similarity_test(CKA(), X, y, method="pearson3").pvalue < 1e-12


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("cauchy", "outweigh the rest|skewness"),
        ("rare", "outweigh the rest|skewness"),
        ("one column", "few directions|skewness"),
    ],
)
def test_the_gate_refuses_what_three_moments_do_not_describe(kind, message):
    rng = np.random.default_rng(0)
    X, y = {
        "cauchy": lambda: rng.standard_cauchy(size=(2, 100, 20)),
        "rare": lambda: (rng.random((2, 100, 3)) < 0.03).astype(float),
        "one column": lambda: rng.normal(size=(2, 100, 1)),
    }[kind]()
    with pytest.raises(ValueError, match=message):
        similarity_test(CKA(), X, y, method="pearson3")


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        (MeanCCA(), {}, "not of the form"),
        (CKA(), {"groups": np.arange(40) // 2}, "free permutations"),
        (CKA(), {"strata": np.arange(40) // 2}, "free perm"),
    ],
)
def test_pearson3_refusals(measure, options, message):
    X, y = np.random.default_rng(0).normal(size=(2, 40, 8))
    with pytest.raises(ValueError, match=message):
        similarity_test(measure, X, y, method="pearson3", **options)


def test_log_tails_of_pearson3():
    """Values of the regularised incomplete gamma function by mpmath, 60 digits."""
    for skewness, z, expected in (
        (0.6, 1500, -4940.334664622936),
        (0.3, 200, -1186.9315847505802),
        (0.05, 40, -495.57362806541164),
        (0.05, 1500, -54167.17904204431),
    ):
        assert log_upper_tail(z, skewness) == pytest.approx(expected, rel=1e-12)
    assert log_upper_tail(3, -0.3) == pytest.approx(np.log(stats.pearson3(-0.3).sf(3)))
    # without skewness a normal tail, here by its asymptotic series
    normal = -(100**2) / 2 - np.log(100 * np.sqrt(2 * np.pi)) - 1e-4
    assert log_upper_tail(100, 0.0) == pytest.approx(normal, rel=1e-10)
    assert log_upper_tail(5, -0.6) == -np.inf  # it ends at 3.3


def test_no_pvalue_is_zero():
    X = np.random.default_rng(0).normal(size=(2000, 10))
    y = X + 0.1 * np.random.default_rng(1).normal(size=X.shape)
    results = [
        similarity_test(CKA(), X, y, method="pearson3", alternative=alternative)
        for alternative in ("greater", "two-sided", "less")
    ]
    greater, both, less = results
    assert greater.pvalue == np.finfo(float).tiny
    assert -1e6 < greater.log_pvalue < -1000
    assert both.log_pvalue == pytest.approx(greater.log_pvalue + np.log(2))
    assert (less.pvalue, less.log_pvalue) == (1, 0)
    # far below what is possible by chance, where the fitted distribution has ended
    opposite = similarity_test(CKA(debias="rows"), X, y, method="pearson3")
    moments = null_moments(CKA(debias="rows")._open(X, y).trace_form())
    beyond = moments.mean - 100 * moments.std
    assert moments.log_pvalue(beyond, "less") == -gammaln(2001)
    assert np.isfinite(opposite.log_pvalue)


def test_logarithms_of_counted_pvalues():
    X, y = np.random.default_rng(0).normal(size=(2, 20, 4))
    for method in ("permutation", "pearson3"):
        result = similarity_test(
            CKA(debias="rows"), X, y, method=method, n_permutations=99, random_state=0
        )
        assert result.log_pvalue == pytest.approx(np.log(result.pvalue))


def test_a_pvalue_is_not_below_that_of_one_order():
    X = np.random.default_rng(0).normal(size=(10, 40))
    result = similarity_test(CKA(debias="rows"), X, X, method="pearson3")
    assert result.log_pvalue == pytest.approx(-gammaln(11))


def test_few_rows_are_refused():
    X, y = np.random.default_rng(0).normal(size=(2, 10, 40))
    similarity_test(CKA(debias="rows"), X, y, method="pearson3")
    with pytest.raises(ValueError, match="at least 10 rows, got 9"):
        similarity_test(CKA(debias="rows"), X[:9], y[:9], method="pearson3")


@pytest.mark.parametrize("debias", [None, "rows"])
def test_many_rows_are_sampled_for_what_hardly_counts(debias, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.exponential(size=(3000, 6))
    form = CKA(debias=debias)._open(X, X[:, :4] + rng.normal(size=(3000, 4)))
    form = form.trace_form()
    whole = null_moments(form).skewness
    monkeypatch.setattr(_exact, "_CUBED_ROWS", 2000)
    sampled = null_moments(form).skewness
    assert sampled != whole
    assert sampled == pytest.approx(whole, abs=5e-4)
    # what all of the cubes together are worth is more than what the sample is off by
    monkeypatch.setattr(_exact.FactoredSymmetric, "_cubes_of_pairs", lambda self: 0.0)
    without = null_moments(form).skewness
    assert abs(sampled - whole) < abs(without - whole) / 4
