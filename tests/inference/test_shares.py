"""Intervals of shares of rows: exact, and Wilson's."""

import numpy as np
import pytest
from _reference import reference_values
from scipy import stats

from sksim.functional import Ambiguity, CohenKappa, Disagreement, DoubleFault
from sksim.inference import similarity_interval
from sksim.pairwise import compare

ROWS = reference_values("proportions")["table"]["rows"]


def of_count(count, n):
    """Outputs of two models that differ on so many of n rows."""
    return np.zeros(n, int), (np.arange(n) < count).astype(int)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['count']} of {row['n']}")
@pytest.mark.parametrize(
    ("method", "key"), [("exact", "clopper_pearson"), ("wilson", "wilson")]
)
def test_limits_by_statsmodels(row, method, key):
    pair = of_count(row["count"], row["n"])
    if row["n"] < 2:
        return
    result = similarity_interval(
        Disagreement(), *pair, method=method, confidence_level=1 - row["alpha"]
    )
    high, low = (-limit for limit in result.confidence_interval)
    np.testing.assert_allclose([low, high], row[key], rtol=1e-8, atol=1e-10)
    assert low <= result.statistic <= high


@pytest.mark.parametrize("n", [30, 50, 100, 500])
@pytest.mark.parametrize("p", [0.002, 0.01, 0.03, 0.1])
def test_exact_intervals_cover(n, p):
    """The share of all counts, weighted by the binomial distribution."""
    counts = np.flatnonzero(stats.binom.pmf(np.arange(n + 1), n, p) > 1e-9)
    covered = 0.0
    for count in counts:
        result = similarity_interval(Disagreement(), *of_count(count, n))
        assert result.method == "exact"
        low, high = result.confidence_interval
        assert -1 <= low < high <= 0
        assert result.standard_error > 0
        covered += stats.binom.pmf(count, n, p) * (low <= -p <= high)
    assert covered >= 0.95


def test_auto_is_exact_for_shares_alone():
    truth = np.arange(40) % 2
    a, b = of_count(4, 40)
    exact = similarity_interval(DoubleFault(), a, b, y_true=truth)
    assert exact.method == "exact"
    count = np.sum((a != truth) & (b != truth))
    expected = stats.binomtest(int(count), 40).proportion_ci()
    assert exact.confidence_interval == pytest.approx((expected.low, expected.high))
    assert similarity_interval(CohenKappa(), a, b).method == "gaffke"
    groups = np.arange(40) // 4
    assert similarity_interval(Disagreement(), a, b, groups=groups).method == "gaffke"
    votes = np.stack([a, b, a], axis=1)
    assert similarity_interval(Ambiguity(), votes).method == "exact"


def test_shares_of_what_is_not_independent_are_refused():
    a, b = of_count(4, 40)
    with pytest.raises(ValueError, match="independent of each other"):
        similarity_interval(
            Disagreement(), a, b, method="wilson", groups=np.arange(40) // 4
        )
    with pytest.raises(ValueError, match="not a share of independent rows"):
        similarity_interval(CohenKappa(), a, b, method="exact")


def test_compare_gives_the_exact_interval():
    a, b = of_count(0, 200)
    row = compare(a, b, measures=["Disagreement"], random_state=0).to_frame().loc[0]
    expected = stats.binomtest(0, 200).proportion_ci()
    assert (row["interval_low"], row["interval_high"]) == pytest.approx(
        (-expected.high, 0)
    )
