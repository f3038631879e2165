import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.inference._step_down import holm, step_down

ORDERS = np.array(
    [[0.0, 1.0], [1.0, 0.0], [2.0, 3.0], [3.0, 2.0], [4.0, 4.0], [5.0, 5.0]]
)


def adjusted(scores, nulls, pvalues=None, rounding=1e-9, **options):
    pvalues = np.zeros(len(scores)) if pvalues is None else pvalues
    units = [rounding] * len(scores)
    return step_down(scores, nulls, pvalues, rounding=units, **options)


def test_by_hand():
    # of one size each, so that the standard deviations are the same: 2, 2
    first, second = [7.0, 1, 2, 3, 4, 5, 6], [5.0, 4, 3, 2, 1, 7, 6]
    found = adjusted([7.0, 5.0], [first[1:], second[1:]])
    # under the fifth order the second measure is at 7, and so reaches the first's 7;
    # by itself its own 5 is reached by 7 and 6
    assert_allclose(found, [2 / 7, 3 / 7])


def test_one_measure_keeps_its_pvalue():
    assert_allclose(adjusted([4.0], ORDERS.T[:1]), [3 / 7])
    assert_allclose(adjusted([4.0], ORDERS.T[:1], exact=True), [2 / 6])
    # and is never below it
    assert_allclose(adjusted([4.0], ORDERS.T[:1], pvalues=[0.9]), [0.9])


def test_the_observed_order_counts_once_among_all():
    rng = np.random.default_rng(3)
    for _ in range(20):
        nulls = rng.exponential(size=(3, 24)) ** 2
        z = (nulls - nulls.mean(axis=1, keepdims=True)) / nulls.std(
            axis=1, keepdims=True
        )
        top = int(np.argmax(z[:, 0]))
        expected = np.mean(z.max(axis=0) >= z[top, 0])
        found = adjusted(nulls[:, 0], nulls, exact=True)
        assert found[top] == pytest.approx(expected)


def test_the_same_statistic_in_another_unit_costs_nothing():
    rng = np.random.default_rng(0)
    null = rng.normal(size=199)
    alone = adjusted([1.5], [null])
    twice = adjusted([1.5, 150.0], [null, 100 * null])
    assert_allclose(twice, np.repeat(alone, 2))
    independent = adjusted([1.5, 1.5], [null, rng.normal(size=199)])
    assert (independent > 1.5 * alone).all()


def test_less_extreme_is_never_below_more_extreme():
    rng = np.random.default_rng(1)
    scores = rng.normal(1, 1, size=12)
    nulls = rng.normal(size=(12, 99))
    z = [
        (s - np.r_[s, n].mean()) / np.r_[s, n].std()
        for s, n in zip(scores, nulls, strict=True)
    ]
    ordered = adjusted(scores, nulls)[np.argsort(z)[::-1]]
    assert (np.diff(ordered) >= 0).all()


def test_ties_within_rounding_count():
    null = np.array([1.0 + 1e-13, 0.0, 0.5])
    assert adjusted([1.0 + 2e-13], [null])[0] == 2 / 4
    assert adjusted([1.0 + 2e-13], [null], rounding=0.0)[0] == 1 / 4


def test_undefined_counts_against_similarity_and_infinite_scores_do_not_spread():
    plain = np.array([0.0, 1.0, 2.0, 3.0])
    undefined = np.array([np.nan, 1.0, 2.0, 3.0])
    # undefined: as great as the greatest, here the observed one
    assert_allclose(adjusted([9.0], [undefined]), [2 / 5])
    # minus infinity, of a distance, is never extreme
    distance = np.array([-np.inf, -5.0, -4.0, -3.0])
    assert_allclose(adjusted([9.0, -1.0], [plain, distance]), [1 / 5, 1 / 5])
    assert adjusted([-np.inf], [distance])[0] == 1


def test_a_score_that_does_not_vary_is_as_likely_as_not():
    assert_allclose(adjusted([3.0, 2.0], [ORDERS.T[0], np.full(6, 2.0)])[1], 1)


def test_family_wise_error():
    # eight measures that share half of their variance, 2000 tables of 99 orders;
    # the Monte Carlo error of a share of .05 is .005
    rng = np.random.default_rng(2)
    errors = hits = 0
    for _ in range(2000):
        common = rng.normal(size=(1, 100))
        values = np.exp(common + rng.normal(size=(8, 100)))  # skewed
        errors += adjusted(values[:, 0], values[:, 1:]).min() <= 0.05
        values[0, 0] = 1e3
        adjusted_now = adjusted(values[:, 0], values[:, 1:])
        hits += adjusted_now[0] <= 0.05
        errors += adjusted_now[1:].min() <= 0.05
    assert 0.03 < errors / 4000 < 0.06
    assert hits == 2000


def test_holm():
    assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])
    assert_allclose(holm([0.6, 0.7]), [1, 1])


@pytest.mark.parametrize("exact", [False, True])
def test_smallest_pvalue(exact):
    null = np.arange(9.0)
    score = 8.0 if exact else 20.0
    expected = 1 / 9 if exact else 1 / 10
    assert_allclose(adjusted([score], [null], exact=exact), [expected])
