"""Cochran's Q: values, exact p-values, exchanges of rows and of groups."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning

from sksim.functional import CochranQ, PerformanceDifference
from sksim.functional import _cochran_q as module
from sksim.inference import similarity_test

CASES = json.loads((Path(__file__).parents[1] / "data/cochran_q.json").read_text())


def right(case):
    return np.array([[int(c) for c in row] for row in CASES[case]["correct"]])


@pytest.mark.parametrize("case", CASES)
def test_values_of_statsmodels(case):
    expected, outputs = CASES[case], right(case)
    truth = np.ones(len(outputs), dtype=int)
    if expected["q"] is None:
        with pytest.warns(UndefinedMetricWarning, match="right on the same rows"):
            assert np.isnan(CochranQ().fit(outputs, y_true=truth).distance_)
        return
    measure = CochranQ().fit(outputs, y_true=truth)
    assert measure.distance_ == pytest.approx(expected["q"], rel=1e-12)
    assert measure.pvalue_ == pytest.approx(expected["p_value"], rel=1e-9)
    np.testing.assert_array_equal(measure.right_counts_, outputs.sum(axis=0))
    result = similarity_test(measure, outputs, y_true=truth, random_state=0)
    if "p_value_exact" in expected:
        assert result.method == "exact"
        assert result.pvalue == pytest.approx(expected["p_value_exact"], rel=1e-9)
        both = similarity_test(
            measure, outputs, y_true=truth, alternative="two-sided", random_state=0
        )
        assert both.pvalue == result.pvalue
    else:
        assert (result.method, result.pvalue) == ("permutation", 0.001)


def test_exact_pvalue_by_enumeration():
    rng = np.random.default_rng(0)
    for n_models in (2, 3, 4):
        outputs = (rng.random((5, n_models)) < [0.2, 0.8, 0.5, 0.4][:n_models]) * 1
        truth = np.ones(5, dtype=int)
        comparison = CochranQ(replace_undefined_by=0.0)._open(outputs, y_true=truth)
        orders = list(itertools.permutations(range(n_models)))
        ways = itertools.product(orders, repeat=5)
        if n_models == 4:  # 24^5: some of them, and a share that is estimated
            draws = rng.integers(24, size=(4000, 5))
            ways = ([orders[i] for i in draw] for draw in draws)
        values = comparison.exchanged([np.array(way) for way in ways])
        share = np.mean(np.array(values) >= comparison.value() - 1e-12)
        error = 0.03 if n_models == 4 else 1e-12
        assert comparison.exact_pvalue("less") == pytest.approx(share, abs=error)


def test_two_models_are_mcnemars_test():
    rng = np.random.default_rng(1)
    a, b, truth = rng.integers(2, size=(3, 60))
    both = np.stack([a, b], axis=1)
    pvalues = [
        similarity_test(CochranQ(), both, y_true=truth).pvalue,
        similarity_test(PerformanceDifference(), a, b, y_true=truth).pvalue,
    ]
    assert pvalues[0] == pytest.approx(pvalues[1], rel=1e-12)
    only_a, only_b = (
        np.sum((a == truth) & (b != truth)),
        np.sum((a != truth) & (b == truth)),
    )
    expected = (only_a - only_b) ** 2 / (only_a + only_b)
    assert CochranQ().fit(both, y_true=truth).distance_ == pytest.approx(expected)


def test_too_many_ways_are_drawn(monkeypatch):
    outputs, truth = right("three_models"), np.ones(40, dtype=int)
    exact = similarity_test(CochranQ(), outputs, y_true=truth, random_state=0)
    monkeypatch.setattr(module, "_MOST_ADDITIONS", 0)
    drawn = similarity_test(CochranQ(), outputs, y_true=truth, random_state=0)
    assert (exact.method, drawn.method) == ("exact", "permutation")
    # a standard error of .014
    assert drawn.pvalue == pytest.approx(exact.pvalue, abs=0.05)


def test_groups_of_rows_are_handed_round_whole():
    """Each output is there four times: by rows any difference is significant."""
    rng = np.random.default_rng(2)
    outputs = np.repeat((rng.random((12, 3)) < [0.4, 0.5, 0.6]) * 1, 4, axis=0)
    truth, groups = np.ones(48, dtype=int), np.repeat(np.arange(12), 4)
    options = {"y_true": truth, "random_state": 0, "n_permutations": 999}
    by_rows = similarity_test(CochranQ(), outputs, **options)
    by_groups = similarity_test(CochranQ(), outputs, groups=groups, **options)
    once = similarity_test(CochranQ(), outputs[::4], y_true=truth[::4], random_state=0)
    assert by_rows.pvalue < once.pvalue / 2
    assert by_groups.pvalue == pytest.approx(once.pvalue, abs=0.05)
    within = similarity_test(
        CochranQ(), outputs, groups=groups, strata=groups, **options
    )
    assert within.pvalue == by_groups.pvalue


def test_what_has_no_answer():
    outputs, truth = right("three_models"), np.ones(40, dtype=int)
    with pytest.raises(ValueError, match="Leave permute out"):
        similarity_test(CochranQ(), outputs, y_true=truth, permute="shift")
    greater = similarity_test(
        CochranQ(), outputs, y_true=truth, alternative="greater", random_state=0
    )
    assert greater.method == "permutation"
    # Q is discrete: the two sides share the observed value
    less = similarity_test(CochranQ(), outputs, y_true=truth, random_state=0)
    assert greater.pvalue + less.pvalue > 1
