"""Intervals: definitions, closed forms, coverage, refusals."""

import tracemalloc

import numpy as np
import pytest
from scipy import stats
from sklearn import config_context

from sksim.alignment import OrthogonalProcrustes
from sksim.arrays._kernels import u_center
from sksim.arrays._symmetric import Dense, Factored
from sksim.arrays._weighted import weighted_u_inner
from sksim.base import _pair_effects
from sksim.base._pair_effects import PairEffects
from sksim.cca import MeanSquaredCCA
from sksim.functional import Disagreement, JensenShannonDivergence, RankCorrelation
from sksim.inference import compare_similarities, similarity_interval
from sksim.rsm import CKA, HSIC, DistanceCorrelation

DEBIASED = CKA(debias="rows")


def _dependent(rng, n, d=8):
    X = rng.normal(size=(n, d))
    return X, X + rng.normal(size=X.shape)


@pytest.fixture(scope="module")
def data():
    return _dependent(np.random.default_rng(0), 40)


def _refits(measure, X, y, parts):
    return np.array([measure.fit(X[rows], y[rows]).score_ for rows in parts])


def _corrected(variance, *comparisons):
    """Standard error less what the jackknife counts twice, and effects of pairs."""
    effects = [comparison.pair_effects() for comparison in comparisons]
    if effects[0] is None:
        return variance**0.5, None
    known = effects[0] - effects[1] if len(effects) == 2 else effects[0]
    excess = known.excess_variance(comparisons[0].n_samples)
    return max(variance - excess, variance / 2) ** 0.5, known


def _degrees(values):
    """Degrees of freedom of the variance of 40 values."""
    kurtosis = stats.kurtosis(values, fisher=False)
    return min(39, 80 / (kurtosis - 37 / 39))


def _cubic(values, error, effects):
    """What makes a skewed studentised estimate normal, by the values without a row."""
    if effects is None:
        return lambda t: t
    influences = 39 / 40 * (values.mean() - values)
    of_rows = sum(influences**3) / error**3
    E = effects.matrix - np.diag(np.diag(effects.matrix))
    of_pairs = 2 * influences @ E @ influences / error**3
    slope, shift = of_rows / 3 + of_pairs / 2, of_rows / 6 + of_pairs / 2
    return lambda t: t + slope * t**2 + slope**2 * t**3 / 3 + shift


@pytest.mark.parametrize(
    "measure",
    [
        DEBIASED,
        CKA(debias="rows", kernel="cosine"),
        CKA(debias="rows", kernel="rbf"),
        CKA(),
        MeanSquaredCCA(),
        OrthogonalProcrustes(),
    ],
    ids=repr,
)
def test_jackknife_leaves_out_each_row(measure, data):
    X, y = data
    result = similarity_interval(measure, X, y)
    parts = [np.delete(np.arange(40), i) for i in range(40)]
    refits = _refits(measure, X, y, parts)
    np.testing.assert_allclose(result.replicates, refits, rtol=1e-10)
    variance = 39 / 40 * np.sum((refits - refits.mean()) ** 2)
    error = result.standard_error
    expected, effects = _corrected(variance, measure._open(X, y))
    assert error == pytest.approx(expected)
    score = measure.fit(X, y).score_
    assert result.score == pytest.approx(score, rel=1e-13)
    assert result.statistic == pytest.approx(measure.statistic_, rel=1e-13)
    low, high = result.confidence_interval
    cubic, t = _cubic(refits, error, effects), stats.t.ppf(0.975, _degrees(refits))
    assert cubic((score - low) / error) == pytest.approx(t)
    assert cubic((score - high) / error) == pytest.approx(-t)
    assert result.bias == pytest.approx(39 * (refits.mean() - score))


@pytest.mark.parametrize("shape", [(30, 5, 4), (30, 50, 4), (30, 50, 60), (7, 2, 3)])
@pytest.mark.parametrize("kernel", ["linear", "cosine", "laplacian"])
def test_closed_form_of_the_jackknife(shape, kernel):
    n, width_x, width_y = shape
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, width_x)) + 3, rng.normal(size=(n, width_y))
    y[:, 0] += X[:, 0]
    measure = CKA(debias="rows", kernel=kernel)
    comparison = measure._open(X, y)
    closed = comparison.without_each_row()
    parts = [np.delete(np.arange(n), i) for i in range(n)]
    refits = _refits(measure, X, y, parts)
    np.testing.assert_allclose(closed, refits, rtol=1e-9, atol=1e-12)
    # a row of weight 0 is a row left out; weights of 1 change nothing
    weights = np.ones(n)
    assert comparison.weighted(weights) == pytest.approx(comparison.value())
    weights[3] = 0
    assert comparison.weighted(weights) == pytest.approx(refits[3])


@pytest.mark.parametrize(
    "measure",
    [
        DEBIASED,
        CKA(debias="rows", kernel="laplacian"),
        HSIC(debias="rows"),
        DistanceCorrelation(debias="rows"),
        CKA(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("width", [2, 60])
def test_effects_of_pairs_are_those_of_leaving_out_two(measure, width):
    """Without both rows a pair is missing once, without each of them twice.

    In narrow views the curvature of the statistic is most of it.
    """
    n = 80 if width == 2 else 40
    X, y = _dependent(np.random.default_rng(0), n, width)
    comparison = measure._open(X, y)
    effects = comparison.pair_effects().matrix
    np.testing.assert_allclose(effects.sum(axis=0), 0, atol=1e-12)
    one = comparison.without_each_row()
    pairs = [(i, i + step) for step in (1, 3, 7) for i in range(n - step)]
    found = []
    for i, j in pairs:
        both = comparison.of_rows(np.delete(np.arange(n), [i, j])).value()
        found.append(both - one[i] - one[j] + comparison.value())
    expected = np.array([2 * effects[pair] for pair in pairs])
    found = np.array(found)
    # of leading order: so few rows are not many, of narrow views above all
    least, error = (0.88, 0.4) if width == 2 else (0.97, 0.3)
    assert np.corrcoef(found, expected)[0, 1] > least
    assert np.std(found) == pytest.approx(np.std(expected), rel=error)


def test_excess_and_skewness_of_a_quadratic_form():
    """Rows that add g(i) each and h(i, j) a pair, of which all moments are known."""
    rng = np.random.default_rng(0)
    g = rng.normal(size=50)
    h = rng.normal(size=(50, 50))
    effects = PairEffects(np.arange(50), h + h.T)
    squares = np.sum((h + h.T) ** 2)
    assert effects.excess_variance(50) == pytest.approx(2 * squares)
    # pairs become more numerous and each of them smaller
    assert effects.excess_variance(500) == pytest.approx(2 * squares * 2450 / 249500)
    skewness = effects.skewness(g, 2.0)
    assert skewness.of_rows == pytest.approx(np.sum(g**3) / 8)
    pairs = sum(2 * g[i] * g[j] * (h + h.T)[i, j] for i in range(50) for j in range(i))
    assert skewness.of_pairs == pytest.approx(2 * pairs / 8)


def test_effects_of_many_rows_are_of_some(monkeypatch):
    X = np.random.default_rng(0).normal(size=(400, 100))
    y = X + np.random.default_rng(1).normal(size=X.shape)
    comparison = DEBIASED._open(X, y)
    influences = comparison.value() - comparison.without_each_row()
    influences -= influences.mean()
    some = comparison.pair_effects()
    assert some.matrix.shape == (96, 96)
    monkeypatch.setattr(_pair_effects, "_MOST_ROWS", 400)
    every = comparison.pair_effects()
    assert every.matrix.shape == (400, 400)
    expected = every.excess_variance(400)
    assert some.excess_variance(400) == pytest.approx(expected, rel=0.1)
    error = np.sum(influences**2) ** 0.5
    found, expected = (e.skewness(influences, error).of_pairs for e in (some, every))
    assert found == pytest.approx(expected, abs=0.05)


def test_row_products_equal_those_of_the_matrices():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 4)), rng.normal(size=(20, 3))
    X, y = X - X.mean(0), y - y.mean(0)
    K, L = u_center(X @ X.T, xp=np), u_center(y @ y.T, xp=np)
    forms = (Factored(Z, left_out=(Z * Z).sum(axis=1)) for Z in (X, y))
    products = next(forms).row_products(next(forms), xp=np)
    np.testing.assert_allclose(products, (K * L).sum(axis=1))


@pytest.mark.parametrize("kind", [Dense, Factored])
def test_weighted_product_projects_additive_effects_out(kind):
    """Against the least-squares definition, pair by pair."""
    rows = np.random.default_rng(0).normal(size=(2, 6, 4)) + 1
    K, L = (Z @ Z.T for Z in rows)
    weights = np.array([2.0, 1, 0, 3, 1, 1])
    i, j = np.nonzero(weights[:, None] * weights * (1 - np.eye(6)))
    root = np.sqrt(weights[i] * weights[j])
    design = (np.eye(6)[i] + np.eye(6)[j]) * root[:, None]
    residuals = [
        target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
        for target in (K[i, j] * root, L[i, j] * root)
    ]
    expected = residuals[0] @ residuals[1]
    kernels = map(kind, rows if kind is Factored else (K, L))
    assert weighted_u_inner(*kernels, weights, xp=np) == pytest.approx(expected)


def test_groups_are_left_out_whole(data):
    X, y = data
    groups = np.arange(40) % 7
    result = similarity_interval(DEBIASED, X, y, groups=groups)
    refits = _refits(DEBIASED, X, y, [np.flatnonzero(groups != g) for g in range(7)])
    np.testing.assert_allclose(result.replicates, refits)
    error = np.sqrt(6 / 7 * np.sum((refits - refits.mean()) ** 2))
    assert result.standard_error == pytest.approx(error)
    half = result.confidence_interval.high - result.score
    assert half == pytest.approx(stats.t.ppf(0.975, 6) * error)


def test_groups_widen_the_interval_of_clustered_rows():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 10)
    X, y = _dependent(rng, 30)
    X, y = (v[groups] + 0.1 * rng.normal(size=(300, 8)) for v in (X, y))
    by_row = similarity_interval(DEBIASED, X, y)
    by_group = similarity_interval(DEBIASED, X, y, groups=groups)
    assert by_group.standard_error > 2 * by_row.standard_error


@pytest.mark.parametrize("method", ["subsample", "masked_bootstrap"])
def test_other_methods_agree_with_the_jackknife(method, data):
    rng = np.random.default_rng(1)
    X, y = _dependent(rng, 150)
    usual = similarity_interval(DEBIASED, X, y)
    other = similarity_interval(
        DEBIASED, X, y, method=method, random_state=0, n_resamples=300
    )
    assert other.standard_error == pytest.approx(usual.standard_error, rel=0.25)
    low, high = other.confidence_interval
    assert low < other.score < high
    again = similarity_interval(
        DEBIASED,
        X,
        y,
        method=method,
        random_state=0,
        n_resamples=300,
        batch_size=77,
    )
    np.testing.assert_array_equal(again.replicates, other.replicates)


@pytest.mark.parametrize("method", ["jackknife", "subsample", "masked_bootstrap"])
def test_intervals_make_no_matrix_of_rows_by_rows(method):
    n = 2000
    X, y = _dependent(np.random.default_rng(0), n)
    tracemalloc.start()
    similarity_interval(DEBIASED, X, y, method=method, n_resamples=20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n**2 / 8


def test_bootstrap_of_an_average_over_rows():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 3, size=(2, 400))
    result = similarity_interval(
        Disagreement(), a, b, method="bootstrap", random_state=0, n_resamples=2000
    )
    p = np.mean(a != b)
    assert result.score == -p
    assert result.standard_error == pytest.approx(np.sqrt(p * (1 - p) / 400), rel=0.05)
    jackknife = similarity_interval(Disagreement(), a, b, method="jackknife")
    assert jackknife.standard_error == pytest.approx(np.sqrt(p * (1 - p) / 399))
    low, high = result.confidence_interval
    assert jackknife.confidence_interval == (
        pytest.approx(low, abs=0.01),
        pytest.approx(high, abs=0.01),
    )
    as_text = a.astype(str), b.astype(str)
    text = similarity_interval(Disagreement(), *as_text, method="jackknife")
    assert text.standard_error == pytest.approx(jackknife.standard_error)


def test_labels_stay_with_their_rows():
    from sksim.testing import make_inputs

    measure = JensenShannonDivergence()
    X, y, _ = make_inputs(measure)
    result = similarity_interval(measure, X, y)
    values = measure.fit(X, y).row_values_
    expected = np.std(values, ddof=1) / np.sqrt(len(values))
    assert result.standard_error == pytest.approx(expected)


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        (
            CKA(),
            {"method": "bootstrap"},
            "drawn twice are shared structure.*'jackknife'",
        ),
        (MeanSquaredCCA(), {"method": "bootstrap"}, "shared structure"),
        (CKA(), {"method": "masked_bootstrap"}, "pairs of copies"),
        (CKA(), {"method": "magic"}, "method"),
        (CKA(), {"confidence_level": 1.0}, "confidence_level"),
        (CKA(), {"method": "subsample", "subsample_size": 40}, "below the number"),
        (
            CKA(),
            {"groups": np.arange(40) % 3},
            "There are 3 groups.*too few for an int",
        ),
    ],
)
def test_refusals(measure, options, message, data):
    with pytest.raises(ValueError, match=message):
        similarity_interval(measure, *data, **options)


@pytest.mark.parametrize("measure", [OrthogonalProcrustes, "OrthogonalProcrustes"])
def test_the_measure_may_be_a_class_or_a_name(measure, data):
    X, y = data
    expected = similarity_interval(OrthogonalProcrustes(), X, y)
    found = similarity_interval(measure, X, y)
    np.testing.assert_array_equal(found.replicates, expected.replicates)
    with pytest.warns(UserWarning, match="biased"):
        found = compare_similarities(measure, X, y, X[:, :2])
    np.testing.assert_array_equal(found.replicates[:, 0], expected.replicates)


def test_comparison_is_the_jackknife_of_the_difference(data):
    X, y = data
    far = X + 3 * np.random.default_rng(5).normal(size=X.shape)
    result = compare_similarities(DEBIASED, X, y, far)
    first, second = (similarity_interval(DEBIASED, X, other) for other in (y, far))
    assert result.scores == (pytest.approx(first.score), pytest.approx(second.score))
    assert result.difference == pytest.approx(first.score - second.score)
    differences = first.replicates - second.replicates
    variance = 39 / 40 * np.sum((differences - differences.mean()) ** 2)
    error, effects = _corrected(
        variance, *(DEBIASED._open(X, other) for other in (y, far))
    )
    assert result.standard_error == pytest.approx(error)
    t = _cubic(differences, error, effects)(result.difference / error)
    expected = 2 * stats.t.sf(abs(t), _degrees(differences))
    assert result.pvalue == pytest.approx(expected)
    assert result.pvalue < 0.01
    assert 0 < result.confidence_interval.low < result.difference
    reverse = compare_similarities(DEBIASED, X, far, y, alternative="less")
    assert reverse.difference == pytest.approx(-result.difference)
    assert reverse.pvalue == pytest.approx(result.pvalue / 2)
    opposite = compare_similarities(DEBIASED, X, far, y, alternative="greater")
    assert opposite.pvalue == pytest.approx(1 - result.pvalue / 2)


def test_a_shared_part_cancels_in_the_comparison():
    rng = np.random.default_rng(0)
    X, y = _dependent(rng, 100)
    nearly = y + 0.05 * rng.normal(size=y.shape)
    result = compare_similarities(DEBIASED, X, y, nearly)
    alone = similarity_interval(DEBIASED, X, y)
    assert result.standard_error < alone.standard_error / 5


def test_comparison_with_a_copy_is_refused(data):
    X, y = data
    with pytest.raises(ValueError, match="copies of each other"):
        compare_similarities(DEBIASED, X, y, y.copy())


def test_groups_in_comparisons(data):
    X, y = data
    groups = np.arange(40) // 4
    far = X + 3 * np.random.default_rng(5).normal(size=X.shape)
    result = compare_similarities(DEBIASED, X, y, far, groups=groups)
    assert result.replicates.shape == (10, 2)
    first = similarity_interval(DEBIASED, X, y, groups=groups)
    np.testing.assert_allclose(result.replicates[:, 0], first.replicates)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-7), ("float32", 1e-4)])
@pytest.mark.parametrize("kernel", ["linear", "laplacian"])
@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize("method", ["jackknife", "subsample", "masked_bootstrap"])
def test_other_array_libraries(namespace, method, kernel, dtype, tolerance, data):
    xp = pytest.importorskip(namespace)
    options = {"method": method, "random_state": 0, "n_resamples": 20}
    measure = CKA(debias="rows", kernel=kernel)
    usual = similarity_interval(measure, *data, **options)
    arrays = [xp.asarray(array.astype(dtype)) for array in data]
    with config_context(array_api_dispatch=True):
        there = similarity_interval(measure, *arrays, **options)
    np.testing.assert_allclose(there.replicates, usual.replicates, rtol=tolerance)


def _coverage(make, truth, n, repetitions, method="jackknife", **options):
    hits = 0
    for seed in range(repetitions):
        X, y = make(np.random.default_rng(seed), n)
        low, high = similarity_interval(
            DEBIASED, X, y, method=method, random_state=seed, **options
        ).confidence_interval
        hits += low <= truth <= high
    return hits / repetitions


def _student(rng, n, d=8):
    X = rng.standard_t(5, size=(n, d))
    return X, X + rng.standard_t(5, size=(n, d))


def _independent(rng, n, d=8):
    return rng.normal(size=(2, n, d))


@pytest.mark.parametrize("n", [100, 300])
def test_jackknife_intervals_cover(n):
    # four standard errors of 400 repetitions are .044
    assert 0.92 <= _coverage(_dependent, 0.5, n, 400) <= 0.99
    assert 0.92 <= _coverage(_student, 0.5, n, 400) <= 0.99
    assert 0.92 <= _coverage(_independent, 0, n, 400) <= 0.99


@pytest.mark.slow
@pytest.mark.parametrize("method", ["subsample", "masked_bootstrap"])
def test_resampled_intervals_cover(method):
    coverage = _coverage(_dependent, 0.5, 100, 60, method, n_resamples=99)
    assert 0.85 <= coverage <= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("degrees", "least", "most"), [(5, 0.91, 0.99), (2.5, 0.6, 0.9)]
)
def test_heavy_tails_make_intervals_too_short(degrees, least, most):
    """Without fourth moments there is no standard error: the guide says so."""
    weights = np.array([2.0, 1, 0.5, 0.25, 0.1, 0.1, 0.1, 0.1])

    def heavy(rng, n):
        X = rng.standard_t(degrees, size=(n, 8))
        return X, X * weights + rng.normal(size=X.shape)

    variance = degrees / (degrees - 2)
    covariance = variance * weights**2 + 1
    truth = np.sum((variance * weights) ** 2) / np.sqrt(
        8 * variance**2 * np.sum(covariance**2)
    )
    assert least < _coverage(heavy, truth, 100, 800) < most


def test_rank_correlation_bootstrap_covers():
    """Copies of rows are ties, which tau-b and average ranks allow for."""
    truth = 6 / np.pi * np.arcsin(0.3)  # Spearman's for a normal pair correlated by .6
    covered = 0
    for seed in range(60):
        x, noise = np.random.default_rng(seed).normal(size=(2, 100))
        interval = similarity_interval(
            RankCorrelation(),
            x,
            0.6 * x + 0.8 * noise,
            method="bootstrap",
            n_resamples=99,
            random_state=seed,
        ).confidence_interval
        covered += interval.low <= truth <= interval.high
    assert 0.85 <= covered / 60 <= 1
