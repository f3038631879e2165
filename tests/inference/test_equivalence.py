"""Equivalence within a margin: values, the interval behind it, refusals, level."""

import numpy as np
import pytest
from _reference import reference_values
from scipy import stats

from sksim.functional import (
    CohenKappa,
    Disagreement,
    DoubleFault,
    JensenShannonDivergence,
    PerformanceDifference,
)
from sksim.inference import equivalence_test, similarity_interval, similarity_test
from sksim.rsm import CKA, HSIC

PAIRED = reference_values("paired_proportions")["rows"]
SIGNED = PerformanceDifference(signed=True)


def of_table(both, first, second, none):
    """Answers of two models, and a truth of which they are right so often."""
    counts = [both, first, second, none]
    a, b = np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)
    return a, b, np.ones(sum(counts), int)


@pytest.mark.parametrize("row", PAIRED, ids=lambda row: str(row["table"]))
def test_two_accuracies(row):
    a, b, truth = of_table(*row["table"])
    for margin, expected in row["tost"].items():
        known = {"y_true": truth, "margin": float(margin)}
        result = equivalence_test(SIGNED, a, b, **known)
        assert result.pvalue == pytest.approx(expected["score"], rel=1e-8, abs=1e-10)
        assert result.is_equivalent == (expected["score"] < 0.05)
        low, high = result.confidence_interval
        inside = -float(margin) < low and high < float(margin)
        assert result.is_equivalent == inside
        # the first model stands for what is to be replaced: b is not worse than a
        worse = equivalence_test(SIGNED, b, a, alternative="noninferiority", **known)
        assert worse.pvalue == pytest.approx(
            expected["noninferiority_of_first_score"], rel=1e-8, abs=1e-10
        )
        unsigned = equivalence_test(PerformanceDifference(), a, b, **known)
        assert unsigned.pvalue == result.pvalue
        assert unsigned.statistic == pytest.approx(abs(row["difference"]))


@pytest.mark.parametrize("alternative", ["two-sided", "noninferiority"])
def test_smallest_margin_is_the_one_that_would_pass(alternative):
    a, b, truth = of_table(400, 30, 22, 48)
    known = {"y_true": truth, "alternative": alternative, "level": 0.1}
    smallest = equivalence_test(SIGNED, a, b, margin=0.5, **known).smallest_margin
    at = [
        equivalence_test(SIGNED, a, b, margin=smallest + step, **known)
        for step in (-1e-6, 1e-6)
    ]
    assert [result.is_equivalent for result in at] == [False, True]
    assert at[0].pvalue == pytest.approx(0.1, abs=1e-4)


def test_a_better_model_is_not_inferior():
    a, b, truth = of_table(60, 0, 30, 10)
    known = {"y_true": truth, "margin": 0.05}
    assert not equivalence_test(SIGNED, a, b, **known).is_equivalent
    result = equivalence_test(SIGNED, a, b, alternative="noninferiority", **known)
    assert result.is_equivalent
    assert result.smallest_margin == 0
    worse = equivalence_test(SIGNED, b, a, alternative="noninferiority", **known)
    assert worse.pvalue > 0.99


def test_a_share_by_the_binomial_distribution():
    a = np.zeros(200, int)
    b = (np.arange(200) < 3).astype(int)
    result = equivalence_test(Disagreement(), a, b, margin=0.05)
    # three or fewer, if the share were the margin
    assert result.pvalue == pytest.approx(stats.binom.cdf(3, 200, 0.05), rel=1e-6)
    assert result.is_equivalent
    upper = stats.beta.isf(0.05, 4, 197)
    assert result.smallest_margin == pytest.approx(upper)
    assert result.confidence_interval.low == pytest.approx(-upper)
    assert result.method == "exact"
    assert not equivalence_test(Disagreement(), a, b, margin=0.01).is_equivalent


def test_a_score_that_lacks_little_to_the_best():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 8))
    y = X + 0.2 * rng.normal(size=X.shape)
    measure = CKA(debias="rows")
    result = equivalence_test(measure, X, y, margin=0.1)
    interval = similarity_interval(measure, X, y, confidence_level=0.9)
    assert result.confidence_interval == pytest.approx(interval.confidence_interval)
    assert result.smallest_margin == pytest.approx(1 - interval.confidence_interval.low)
    assert result.is_equivalent and result.pvalue < 1e-9
    close = equivalence_test(measure, X, y, margin=0.05)
    level = 1 - 2 * close.pvalue
    interval = similarity_interval(measure, X, y, confidence_level=level)
    assert interval.confidence_interval.low == pytest.approx(0.95)
    assert not equivalence_test(measure, X, y, margin=0.03).is_equivalent


@pytest.mark.parametrize("measure", [CohenKappa(), JensenShannonDivergence()], ids=repr)
@pytest.mark.parametrize("method", ["gaffke", "jackknife", "bootstrap"])
def test_pvalue_and_interval_say_the_same(measure, method):
    rng = np.random.default_rng(0)
    if isinstance(measure, CohenKappa):
        a = rng.integers(3, size=300)
        b = np.where(rng.random(300) < 0.9, a, rng.integers(3, size=300))
    else:
        a = rng.dirichlet(np.ones(3), size=300)
        b = 0.7 * a + 0.1
    setting = {"method": method, "random_state": 0}
    smallest = equivalence_test(measure, a, b, margin=0.5, **setting).smallest_margin
    for margin in (0.9 * smallest, 1.1 * smallest):
        result = equivalence_test(measure, a, b, margin=margin, **setting)
        assert result.is_equivalent == (margin > smallest)
        assert result.smallest_margin == pytest.approx(smallest)
    assert 0 < result.pvalue < 0.05


def test_few_replicates_have_no_tiny_pvalue():
    a = np.zeros(400, int)
    b = (np.arange(400) < 4).astype(int)
    result = equivalence_test(
        Disagreement(),
        a,
        b,
        margin=0.9,
        method="bootstrap",
        n_resamples=99,
        random_state=0,
    )
    assert result.pvalue == 0.01


def test_similar_is_not_as_good():
    """A unit that carries little variance can carry the answer."""
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=500)
    sign = 2 * truth - 1
    X = rng.normal(size=(500, 21))
    X[:, 0] = 0.8 * sign + 0.6 * X[:, 0]
    X[:, 1] += 0.4 * sign
    pruned = X.copy()
    pruned[:, 0] = 0
    assert CKA(debias="rows").fit(X, pruned).score_ > 0.96
    assert similarity_test(CKA(), X, pruned, random_state=0).pvalue == 0.001
    before, after = (Z[:, 0] / 0.45 + Z[:, 1] / 2.5 > 0 for Z in (X, pruned))
    result = equivalence_test(
        SIGNED, before, after, y_true=truth, margin=0.05, alternative="noninferiority"
    )
    assert not result.is_equivalent
    assert result.smallest_margin > 0.2


def test_groups_and_strata():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(40), 5)
    truth = np.ones(200, int)
    a, b = ((rng.random(40) < 0.8)[group].astype(int) for _ in range(2))
    by_row = equivalence_test(SIGNED, a, b, y_true=truth, margin=0.3)
    by_group = equivalence_test(
        SIGNED, a, b, y_true=truth, margin=0.3, groups=group, random_state=0
    )
    assert by_group.method == "gaffke"
    assert by_group.smallest_margin > 1.5 * by_row.smallest_margin
    within = equivalence_test(
        SIGNED, a, b, y_true=truth, margin=0.3, groups=group, strata=group % 2
    )
    assert within.smallest_margin == pytest.approx(by_group.smallest_margin, rel=0.2)


def test_refusals():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 30, 3))
    labels = rng.integers(2, size=(2, 30))
    with pytest.raises(ValueError, match="'margin' parameter"):
        equivalence_test(CKA(), X, y, margin=0)
    with pytest.raises(ValueError, match=r"differences with a sign.*Disagreement says"):
        equivalence_test(
            Disagreement(), *labels, margin=0.1, alternative="noninferiority"
        )
    with pytest.raises(ValueError, match="HSIC has no best value"):
        equivalence_test(HSIC(), X, y, margin=0.1)
    with pytest.raises(ValueError, match="DoubleFault has no best value"):
        equivalence_test(DoubleFault(), *labels, y_true=labels[0], margin=0.1)
    with pytest.raises(ValueError, match="not valid for CKA"):
        equivalence_test(CKA(), X, y, margin=0.1, method="bootstrap")


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, 200])
def test_level_at_the_margin(n):
    """Models that differ by the margin are rarely called equivalent.

    Of 2000 tables the Monte Carlo error is .005.
    """
    rng = np.random.default_rng(0)
    cells = np.array([0.7, 0.17, 0.07, 0.06])
    rejected = 0
    for table in rng.multinomial(n, cells, size=2000):
        a, b, truth = of_table(*table)
        rejected += (
            equivalence_test(SIGNED, a, b, y_true=truth, margin=0.1).pvalue < 0.05
        )
    assert rejected / 2000 <= 0.06


@pytest.mark.slow
def test_power_for_models_of_equal_accuracy():
    rng = np.random.default_rng(0)
    found = 0
    for table in rng.multinomial(500, [0.8, 0.05, 0.05, 0.1], size=200):
        a, b, truth = of_table(*table)
        found += equivalence_test(SIGNED, a, b, y_true=truth, margin=0.05).is_equivalent
    # z = (.05 - 0) / sqrt(.1 / 500) is 3.5, beyond 1.64 on both sides
    assert found / 200 > 0.85
