"""Intervals of outputs near a bound: paired shares, unseen rows, strata, refusals."""

import warnings

import numpy as np
import pytest
from _reference import reference_values
from scipy import stats
from sklearn import config_context
from sklearn.preprocessing import FunctionTransformer

from sksim.compose import TransformedViews
from sksim.functional import (
    CohenKappa,
    Disagreement,
    DoubleFault,
    ErrorConsistency,
    ErrorCorrectedDisagreement,
    ErrorCorrelation,
    FleissKappa,
    GeneralizedDiversity,
    JensenShannonDivergence,
    KohaviWolpertVariance,
    KullbackLeibler,
    MinMaxNormalizedDisagreement,
    PerformanceDifference,
    QStatistic,
    RankCorrelation,
    TotalVariation,
)
from sksim.inference import similarity_interval
from sksim.inference._limits import of_unseen_rows
from sksim.inference._proportions import PairedCounts, limits_of_share
from sksim.inference._unseen import limits_of_kinds, limits_of_mean
from sksim.rsm import CKA

PAIRED = reference_values("paired_proportions")["rows"]


def of_table(both, first, second, none):
    """Answers of two models, and a truth of which they are right so often."""
    counts = [both, first, second, none]
    a, b = np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)
    return a, b, np.ones(sum(counts), int)


# ----- differences of two shares -----------------------------------------------------


@pytest.mark.parametrize("row", PAIRED, ids=lambda row: str(row["table"]))
@pytest.mark.parametrize("method", ["tango", "newcombe"])
def test_limits_of_a_difference_of_accuracies(row, method):
    a, b, truth = of_table(*row["table"])
    measure = PerformanceDifference(signed=True)
    result = similarity_interval(measure, a, b, y_true=truth, method=method)
    np.testing.assert_allclose(
        result.confidence_interval, row[method], rtol=1e-8, atol=1e-10
    )
    assert result.statistic == pytest.approx(row["difference"], abs=1e-12)
    if row["wald_se"]:
        assert result.standard_error == pytest.approx(row["wald_se"])
    assert result.standard_error > 0
    default = similarity_interval(measure, a, b, y_true=truth)
    assert default.method == "tango"


@pytest.mark.parametrize("row", PAIRED, ids=lambda row: str(row["table"]))
def test_pvalues_of_a_margin(row):
    limits = PairedCounts(*row["table"]).limits("tango")
    for margin, expected in row["tost"].items():
        found = limits.pvalue_below(-float(margin)), limits.pvalue_above(float(margin))
        np.testing.assert_allclose(
            found,
            [expected["score_lower"], expected["score_upper"]],
            rtol=1e-8,
            atol=1e-10,
        )
        # the p-value is the tail whose limit is the margin
        if 1e-10 < found[1] < 1 - 1e-10:
            assert limits.high(found[1]) == pytest.approx(float(margin))


TABLES = [(40, 12, 5, 43), (0, 7, 0, 0), (7, 0, 0, 0), (0, 0, 0, 2), (1, 1, 0, 0)]


@pytest.mark.parametrize("table", TABLES, ids=str)
@pytest.mark.parametrize("method", ["tango", "newcombe"])
def test_limits_are_of_the_models_not_of_their_order(method, table):
    both, first, second, none = table
    limits = PairedCounts(*table).limits(method)
    turned = PairedCounts(both, second, first, none).limits(method).negated()
    for tail in (0.01, 0.3, 0.5, 0.8):
        assert limits.low(tail) == pytest.approx(turned.low(tail), abs=1e-12)
        assert limits.high(tail) == pytest.approx(turned.high(tail), abs=1e-12)
    tails = np.linspace(0.01, 0.99, 50)
    low = np.array([limits.low(tail) for tail in tails])
    high = np.array([limits.high(tail) for tail in tails])
    assert (np.diff(low) > -1e-12).all()
    assert (np.diff(high) < 1e-12).all()
    assert (low[tails < 0.5] <= high[tails < 0.5] + 1e-12).all()
    assert (abs(low) <= 1 + 1e-12).all()


def test_unsigned_difference_has_the_limits_without_the_sign():
    a, b, truth = of_table(40, 12, 5, 43)
    signed = similarity_interval(PerformanceDifference(signed=True), a, b, y_true=truth)
    low, high = signed.confidence_interval
    assert low < 0 < high
    result = similarity_interval(PerformanceDifference(), a, b, y_true=truth)
    assert result.confidence_interval == (-max(-low, high), 0)
    assert (result.statistic, result.score) == pytest.approx((0.07, -0.07))
    a, b, truth = of_table(40, 30, 1, 10)
    for pair in ((a, b), (b, a)):
        signed = similarity_interval(
            PerformanceDifference(signed=True), *pair, y_true=truth
        ).confidence_interval
        result = similarity_interval(PerformanceDifference(), *pair, y_true=truth)
        expected = sorted(-abs(limit) for limit in signed)
        assert list(result.confidence_interval) == pytest.approx(expected)


@pytest.mark.parametrize("method", ["jackknife", "bootstrap", "subsample"])
def test_resampled_differences_keep_their_sign(method):
    """The bootstrap of |difference| would never reach 0."""
    rng = np.random.default_rng(0)
    a, b = (rng.random((2, 200)) < 0.8).astype(int)
    truth = np.ones(200, int)
    for measure in (
        PerformanceDifference(),
        TransformedViews(PerformanceDifference(), FunctionTransformer()),
    ):
        result = similarity_interval(
            measure, a, b, y_true=truth, method=method, random_state=0, n_resamples=199
        )
        assert result.confidence_interval.high == 0
        if method != "jackknife":
            assert min(result.replicates) < 0 < max(result.replicates)


def test_other_scores_have_signed_intervals_too():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=60)
    a, b = truth + rng.normal(size=(2, 60))
    measure = PerformanceDifference("neg_mean_absolute_error", signed=True)
    result = similarity_interval(measure, a, b, y_true=truth)
    assert result.method == "jackknife"
    differences = abs(truth - b) - abs(truth - a)
    assert result.statistic == pytest.approx(differences.mean())
    assert result.standard_error == pytest.approx(differences.std(ddof=1) / 60**0.5)


# ----- one row that was not seen -----------------------------------------------------


@pytest.mark.parametrize(("n", "count"), [(5, 0), (30, 0), (30, 1), (30, 30), (500, 5)])
def test_gaffke_of_zeros_and_ones_is_clopper_and_pearson(n, count):
    values = (np.arange(n) < count).astype(float)
    limits = limits_of_mean(values, np.ones(n), (0, 1))
    exact = limits_of_share(count, n, "exact")
    for tail in (0.005, 0.025, 0.1):
        assert limits.low(tail) == pytest.approx(exact.low(tail), rel=0.06)
        assert limits.high(tail) == pytest.approx(exact.high(tail), rel=0.01)
        # never narrower by more than rounding
        assert limits.high(tail) >= exact.high(tail) * (1 - 1e-3)


def test_gaffke_by_random_weights():
    rng = np.random.default_rng(0)
    values = rng.beta(1, 20, size=40)
    weights = rng.dirichlet(np.ones(41), size=40_000)
    limits = limits_of_mean(values, np.ones(40), (0, 1))
    for tail in (0.025, 0.3, 0.7):
        # four standard errors of the tails of 40,000 draws are .01
        found = np.mean(weights @ np.append(values, 1) >= limits.high(tail))
        assert found == pytest.approx(tail, abs=0.01)
        found = np.mean(weights @ np.append(values, 0) <= limits.low(tail))
        assert found == pytest.approx(tail, abs=0.01)
        assert limits.pvalue_above(limits.high(tail)) == pytest.approx(tail)
        assert limits.pvalue_below(limits.low(tail)) == pytest.approx(tail)


def test_gaffke_in_the_middle_of_a_symmetric_mean():
    """Where the saddlepoint's formula is 0 / 0."""
    limits = limits_of_mean(np.array([0.0, 0.5, 1]), np.ones(3), (0.5, 0.5))
    assert limits.pvalue_above(0.5) == 0.5
    assert limits.pvalue_above(0.5 + 1e-7) == pytest.approx(0.5, abs=1e-5)
    shifted = limits_of_mean(np.array([0, 0.3, 1.0]), np.ones(3), (0, 1))
    steps = [shifted.pvalue_above(value) for value in np.linspace(0.01, 0.99, 2001)]
    assert np.diff(steps).min() > -0.003
    assert np.diff(steps).max() <= 0


def test_groups_of_a_mean_vary_as_groups():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(20), 5)
    wrong = rng.random(20) < 0.3
    a = np.zeros(100, int)
    b = wrong[group].astype(int)
    result = similarity_interval(Disagreement(), a, b, groups=group)
    assert result.method == "gaffke"
    # groups whose rows are alike are as good as one row each
    expected = stats.binomtest(int(wrong.sum()), 20).proportion_ci()
    assert result.confidence_interval == pytest.approx(
        (-expected.high, -expected.low), rel=0.01
    )
    never = similarity_interval(Disagreement(), a, a.copy(), groups=group)
    assert -0.2 < never.confidence_interval.low < -0.15
    assert never.confidence_interval.high == 0


OF_KINDS = [
    CohenKappa(),
    CohenKappa(weights="linear"),
    ErrorConsistency(),
    ErrorCorrelation(),
    QStatistic(),
    DoubleFault(),
    ErrorCorrectedDisagreement(),
    MinMaxNormalizedDisagreement(),
    MinMaxNormalizedDisagreement(bound="exact"),
    PerformanceDifference(signed=True),
    JensenShannonDivergence(),
    GeneralizedDiversity(),
    KohaviWolpertVariance(),
]


def _outputs(measure, rng, n=60):
    if isinstance(measure, JensenShannonDivergence):
        return rng.dirichlet(np.ones(3), size=(2, n)), {}
    truth = rng.integers(3, size=n)
    answers = [
        np.where(rng.random(n) < 0.7, truth, rng.integers(3, size=n)) for _ in range(3)
    ]
    if isinstance(measure, GeneralizedDiversity | KohaviWolpertVariance):
        return (np.stack(answers, axis=1),), {"y_true": truth}
    known = {} if isinstance(measure, CohenKappa) else {"y_true": truth}
    return tuple(answers[:2]), known


@pytest.mark.parametrize("measure", OF_KINDS, ids=repr)
def test_kinds_of_rows_give_the_statistic(measure):
    outputs, known = _outputs(measure, np.random.default_rng(0))
    comparison = measure._open(*outputs, **known)
    kinds = comparison.row_kinds()
    assert kinds.value_of(kinds.counts) == pytest.approx(comparison.statistic())
    some = np.arange(5, 40)
    counts = np.bincount(kinds.of_row[some], minlength=kinds.n_kinds)
    expected = comparison.of_rows(some).statistic()
    assert kinds.value_of(counts) == pytest.approx(expected)
    assert set(kinds.extremes.tolist()) <= set(range(kinds.n_kinds))


@pytest.mark.parametrize("measure", OF_KINDS, ids=repr)
def test_intervals_of_identical_outputs_have_a_width(measure):
    outputs, known = _outputs(measure, np.random.default_rng(1))
    if len(outputs) == 2:
        outputs = outputs[0], outputs[0].copy()
    else:
        outputs = (outputs[0][:, [0, 0, 0]],)
    result = similarity_interval(measure, *outputs, **known)
    low, high = result.confidence_interval
    bounds = measure._similarity_tags().bounds
    assert low < high
    assert low <= result.score <= high or measure.get_params().get("signed")
    assert min(bounds) <= abs(low) <= max(bounds)
    assert result.standard_error > 0


@pytest.mark.parametrize("measure", OF_KINDS, ids=repr)
def test_gaffke_is_near_the_jackknife_where_nothing_is_rare(measure):
    outputs, known = _outputs(measure, np.random.default_rng(2), n=2000)
    found = [
        similarity_interval(measure, *outputs, method=method, **known)
        for method in ("gaffke", "jackknife")
    ]
    widths = [np.ptp(result.confidence_interval) for result in found]
    assert widths[0] == pytest.approx(widths[1], rel=0.15)
    assert found[0].standard_error == pytest.approx(found[1].standard_error, rel=0.01)


def test_one_worst_row_is_added():
    """Of kappa by hand: 10 rows of each class alike, and one of them that differs."""
    a = np.repeat([0, 1], 10)
    kinds = CohenKappa()._open(a, a.copy()).row_kinds()
    rows = np.arange(20)[:, None]
    limits, n_undefined = limits_of_kinds(
        kinds, rows, np.zeros(20, int), 4000, np.random.default_rng(0)
    )
    assert n_undefined == 0
    assert limits.high(0.025) == 1
    first, both, differ = np.random.default_rng(1).dirichlet([10, 10, 1], 40_000).T
    by_chance = (first + differ) * first + both * (both + differ)
    expected = (first + both - by_chance) / (1 - by_chance)
    for tail in (0.025, 0.5):
        assert limits.low(tail) == pytest.approx(np.quantile(expected, tail), abs=0.01)


def test_two_rows_are_added_where_one_moves_nothing():
    """Q is 1 until each of two models has erred alone."""
    a = np.repeat([0, 1], 10)
    result = similarity_interval(QStatistic(), a, a.copy(), y_true=np.ones(20, int))
    low, high = result.confidence_interval
    assert 0.5 < low < 0.99
    assert high == 1


def test_weights_are_the_same_at_each_call():
    rng = np.random.default_rng(0)
    a, b = rng.integers(2, size=(2, 40))
    found = [similarity_interval(CohenKappa(), a, b) for _ in range(2)]
    assert found[0].confidence_interval == found[1].confidence_interval
    other = similarity_interval(CohenKappa(), a, b, random_state=1)
    assert other.confidence_interval != found[0].confidence_interval
    assert other.confidence_interval == pytest.approx(
        found[0].confidence_interval, abs=0.08
    )


def test_undefined_weights_are_counted():
    """Both models err on the same single row: weightless, there is nothing to share."""
    a = np.array([0] + [1] * 199)
    result = similarity_interval(
        ErrorCorrelation(), a, a.copy(), y_true=np.ones(200, int), n_resamples=500
    )
    assert 0 <= result.n_undefined < 20
    assert result.confidence_interval.low < 1


# ----- the jackknife near a bound ----------------------------------------------------


def test_intervals_stay_within_bounds():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(6, 3))
        y = X + 0.1 * rng.normal(size=X.shape)
        low, high = similarity_interval(CKA(debias="rows"), X, y).confidence_interval
        assert -1 <= low < high <= 1
        a = rng.normal(size=12)
        b = a + 0.2 * rng.normal(size=12)
        result = similarity_interval(RankCorrelation(), a, b)
        low, high = result.confidence_interval
        assert -1 <= low < high <= 1
        assert low < result.score <= high


def test_limits_on_the_scale_of_log_odds():
    rng = np.random.default_rng(0)
    votes = rng.integers(2, size=(50, 3))
    result = similarity_interval(FleissKappa(), votes)
    assert result.method == "jackknife"
    share = (result.score + 1) / 2
    error = result.standard_error / 2 / (share * (1 - share))
    middle = np.log(share / (1 - share))
    half = stats.t.ppf(0.975, 49) * error
    expected = 2 / (1 + np.exp(-middle + np.array([half, -half]))) - 1
    assert result.confidence_interval == pytest.approx(tuple(expected))


def test_nothing_that_varies_still_has_a_width():
    same = np.arange(40) % 3
    votes = np.stack([same, same, same], axis=1)
    result = similarity_interval(FleissKappa(), votes)
    # the share of unlike rows is at most 1 - .025^(1/40)
    assert result.confidence_interval == pytest.approx(
        (1 - 2 * (1 - 0.025 ** (1 / 40)), 1)
    )
    certain = np.eye(3)[same]
    unlimited = similarity_interval(KullbackLeibler(), certain, certain.copy())
    assert unlimited.confidence_interval == (-np.inf, 0)


def test_replicates_that_are_nearly_all_the_same_have_a_width_too():
    a = np.zeros(300, int)
    b = (np.arange(300) < 1).astype(int)
    result = similarity_interval(
        Disagreement(),
        a,
        b,
        method="subsample",
        subsample_size=3,
        n_resamples=200,
        random_state=0,
    )
    assert result.standard_error > 0
    assert np.mean(result.replicates == 0) > 0.975
    low, high = result.confidence_interval
    assert low < -1 / 300 < high


def test_limits_of_rows_that_were_not_seen():
    limits = of_unseen_rows(0.5, (0.0, np.inf), 30)
    assert limits.low(0.05) == pytest.approx(0.5 * 0.05 ** (1 / 30))
    assert limits.high(0.05) == np.inf
    assert of_unseen_rows(1.0, (0.0, 1.0), 30).high(0.05) == 1.0


def test_undefined_replicates_are_left_out():
    """Without its only row of the other class kappa is undefined."""
    a = np.array([1] + [0] * 39)
    with pytest.warns(UserWarning, match="undefined in 1 of 40 replicates"):
        result = similarity_interval(CohenKappa(), a, a.copy(), method="jackknife")
    assert result.n_undefined == 1
    assert np.isnan(result.replicates[0])
    assert np.isfinite(result.replicates[1:]).all()
    few = np.array([1, 1] + [0] * 8)
    with pytest.raises(ValueError, match=r"undefined in \d+ of 99 replicates"):
        similarity_interval(
            CohenKappa(),
            few,
            few.copy(),
            method="subsample",
            subsample_size=2,
            n_resamples=99,
            random_state=0,
        )


def test_replicates_that_are_refused_are_undefined():
    """A part of the rows may be no input: a measure's own refusal is counted."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 24, 3))
    X[:10] = 1
    # without the first group more than half of the pairs of rows coincide
    group = np.where(np.arange(24) < 12, 1 + np.arange(24) // 2, 0)
    with pytest.warns(UserWarning, match="undefined in 1 of 7 replicates"):
        result = similarity_interval(
            CKA(debias="rows", kernel="rbf"), X, y, groups=group
        )
    assert result.n_undefined == 1


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize("method", ["auto", "jackknife"])
@pytest.mark.parametrize(
    "measure", [Disagreement(), CohenKappa(), JensenShannonDivergence()], ids=repr
)
def test_arrays_of_other_libraries(measure, method, namespace):
    xp = pytest.importorskip(namespace)
    outputs, known = _outputs(measure, np.random.default_rng(3))
    known = {} if isinstance(measure, Disagreement) else known
    expected = similarity_interval(measure, *outputs, method=method, **known)
    with config_context(array_api_dispatch=True):
        there = (xp.asarray(array) for array in outputs)
        found = similarity_interval(measure, *there, method=method, **known)
    assert found.confidence_interval == pytest.approx(expected.confidence_interval)
    assert found.standard_error == pytest.approx(expected.standard_error)


# ----- strata ------------------------------------------------------------------------


def test_jackknife_within_strata():
    rng = np.random.default_rng(0)
    strata = np.repeat([0, 1], [30, 10])
    values = rng.random(40) * 0.1 + 0.5 * strata
    P = np.stack([values, 1 - values], axis=1)
    Q = np.full_like(P, [0.0, 1.0])
    result = similarity_interval(
        TotalVariation(), P, Q, strata=strata, method="jackknife"
    )
    # the variance of a mean within strata whose sizes are given; without a row the
    # share of its stratum falls, so that the mean of n - 1 rows is of other weights
    expected = 0.0
    for stratum, n in ((0, 30), (1, 10)):
        left = np.array(
            [np.delete(values, i).mean() for i in np.flatnonzero(strata == stratum)]
        )
        expected += (n - 1) / n * np.sum((left - left.mean()) ** 2)
    assert result.standard_error == pytest.approx(expected**0.5)
    free = similarity_interval(TotalVariation(), P, Q, method="jackknife")
    assert result.standard_error < free.standard_error / 3
    low, _ = result.confidence_interval
    by_rows = similarity_interval(TotalVariation(), P, Q, strata=strata)
    assert by_rows.method == "gaffke"
    assert by_rows.confidence_interval.low < low


@pytest.mark.parametrize("method", ["subsample", "bootstrap"])
def test_each_stratum_keeps_its_share(method):
    strata = np.repeat([0, 1], [30, 10])
    a, b = np.zeros(40, int), strata
    result = similarity_interval(
        Disagreement(),
        a,
        b,
        strata=strata,
        method=method,
        n_resamples=20,
        random_state=0,
    )
    assert result.replicates == pytest.approx(np.full(20, -0.25))
    assert np.ptp(result.confidence_interval) > 0


def test_groups_within_strata():
    rng = np.random.default_rng(0)
    group = np.arange(60) // 3
    strata = group % 2
    X, y = rng.normal(size=(2, 60, 3))
    result = similarity_interval(CKA(debias="rows"), X, y, groups=group, strata=strata)
    values = result.replicates
    expected = sum(
        9 / 10 * np.sum((values[g] - values[g].mean()) ** 2)
        for g in (np.arange(0, 20, 2), np.arange(1, 20, 2))
    )
    assert result.standard_error == pytest.approx(expected**0.5)


def test_refusals_of_strata():
    X, y = np.random.default_rng(0).normal(size=(2, 20, 3))
    strata = np.repeat([0, 1], [19, 1])
    with pytest.raises(ValueError, match="1 of 2 strata hold a single row"):
        similarity_interval(CKA(), X, y, strata=strata)
    with pytest.raises(ValueError, match="rows in several strata"):
        similarity_interval(
            CKA(), X, y, groups=np.arange(20) // 4, strata=np.arange(20) % 2
        )
    same = np.zeros(20, int)
    with pytest.raises(ValueError, match=r"groups or strata are not.*'gaffke'"):
        similarity_interval(Disagreement(), same, same, strata=strata, method="exact")
    with pytest.raises(ValueError, match="two shares of the same rows"):
        similarity_interval(Disagreement(), same, same, method="tango")
    with pytest.raises(ValueError, match="no function of how often"):
        similarity_interval(CKA(), X, y, method="gaffke")


def test_three_groups_are_too_few_and_classes_are_no_groups():
    X, y = np.random.default_rng(0).normal(size=(2, 30, 3))
    label = np.arange(30) % 3
    with pytest.raises(ValueError, match=r"3 groups.*too few for an interval.*strata="):
        similarity_interval(CKA(), X, y, groups=label)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        similarity_interval(CKA(), X, y, strata=label)


# ----- subsampling -------------------------------------------------------------------


@pytest.mark.parametrize("size", [15, 45])
def test_subsamples_share_rows_that_do_not_vary(size):
    """In all of the rows but a few there is little left that varies."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X + rng.normal(size=X.shape)
    result = similarity_interval(
        CKA(debias="rows"),
        X,
        y,
        method="subsample",
        subsample_size=size,
        random_state=0,
        n_resamples=199,
    )
    scale = (size / (60 - size)) ** 0.5
    expected = scale * np.std(result.replicates, ddof=1)
    assert result.standard_error == pytest.approx(expected)
    deviations = scale * (result.replicates - result.replicates.mean())
    expected = result.score - np.quantile(deviations, [0.975, 0.025])
    assert result.confidence_interval == pytest.approx(tuple(expected))


def test_limits_of_subsamples_are_turned_round():
    """Subsamples of a skewed statistic lie far below: the truth may lie far above."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = X + 0.3 * rng.normal(size=X.shape)
    result = similarity_interval(
        CKA(debias="rows"), X, y, method="subsample", random_state=0, n_resamples=199
    )
    deviations = result.replicates - result.replicates.mean()
    low, high = result.confidence_interval
    assert high == pytest.approx(min(result.score - np.quantile(deviations, 0.025), 1))
    assert low == pytest.approx(result.score - np.quantile(deviations, 0.975))
    assert abs(np.quantile(deviations, 0.025)) > 1.1 * np.quantile(deviations, 0.975)
