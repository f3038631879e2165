"""Rankings of the columns of each row: overlaps and correlations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import kendalltau, spearmanr
from sklearn.exceptions import UndefinedMetricWarning

from sksim.functional import (
    Disagreement,
    RankBiasedOverlap,
    RankCorrelation,
    TopKOverlap,
)
from sksim.inference import similarity_interval, similarity_test
from tests._reference import newer_cases

CASES = list(newer_cases("rank_overlap", "two_outputs"))


@pytest.mark.parametrize("case, arrays, values", CASES, ids=[c[0] for c in CASES])
def test_values_of_the_original(case, arrays, values):
    pair = arrays["logits_p"], arrays["logits_q"]
    for k, of_depth in values.items():
        k = int(k)
        found = TopKOverlap(k).fit(*pair)
        assert_allclose(found.row_values_, of_depth["top_k_overlap"], rtol=1e-9)
        assert_allclose(found.similarity_, np.mean(of_depth["top_k_overlap"]))
        for name, numbers in of_depth.items():
            if not name.startswith("p="):
                continue
            for form in ("truncated", "extrapolated"):
                measure = RankBiasedOverlap(k, p=float(name[2:]), form=form)
                found = measure.fit(*pair).row_values_
                assert_allclose(found, numbers[f"rbo_{form}"], rtol=1e-9)


def test_by_hand():
    first, second = [[4, 3, 2, 1]], [[3, 4, 1, 2]]
    assert TopKOverlap(1).fit(first, second).similarity_ == 0
    assert TopKOverlap(2).fit(first, second).similarity_ == 1
    # overlaps 0, 2, 2 at depths 1, 2, 3
    truncated = RankBiasedOverlap(3, p=0.5, form="truncated").fit(first, second)
    assert_allclose(truncated.similarity_, 0.5 * (0 + 0.5 * 1 + 0.25 * 2 / 3))
    extrapolated = RankBiasedOverlap(3, p=0.5).fit(first, second)
    assert_allclose(extrapolated.similarity_, truncated.similarity_ + 2 / 3 * 0.5**3)


def test_equal_outputs_go_by_their_columns():
    flat, second = np.zeros((1, 5)), [[0.0, 0, 0, 1, 1]]
    assert TopKOverlap(2).fit(flat, flat).similarity_ == 1
    # columns 0, 1, 2 against 3, 4, 0
    assert_allclose(TopKOverlap(3).fit(flat, second).similarity_, 1 / 3)
    many = np.repeat([[1.0, 0.0]], 500, axis=1)  # a tie over the edge of the list
    assert TopKOverlap(600).fit(many, many).similarity_ == 1


def test_first_choices_are_the_labels():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 200, 6))
    value = TopKOverlap().fit(first, second).similarity_
    labels = first.argmax(axis=1), second.argmax(axis=1)
    assert_allclose(value, 1 - Disagreement().fit(*labels).distance_)


@pytest.mark.parametrize("kind", ["spearman", "kendall"])
def test_correlation_of_each_row(kind):
    rng = np.random.default_rng(0)
    first = rng.integers(6, size=(30, 9))
    second = first + rng.integers(4, size=first.shape)
    measure = RankCorrelation(kind, per="row").fit(first, second)
    of_scipy = {"spearman": spearmanr, "kendall": kendalltau}[kind]
    expected = [of_scipy(a, b).statistic for a, b in zip(first, second, strict=True)]
    assert_allclose(measure.row_values_, expected, rtol=1e-12)
    assert_allclose(measure.similarity_, np.mean(expected), rtol=1e-12)
    columns = RankCorrelation(kind).fit(first.T, second.T)
    assert_allclose(columns.column_values_, expected, rtol=1e-12)


def test_rows_without_an_order_are_left_out():
    first, second = [[1, 2, 3], [5, 5, 5]], [[1, 3, 2], [1, 2, 3]]
    with pytest.warns(UndefinedMetricWarning, match=r"constant in the rows \[1\]"):
        measure = RankCorrelation(per="row").fit(first, second)
    assert measure.similarity_ == 0.5
    np.testing.assert_array_equal(measure.row_values_, [0.5, np.nan])
    with pytest.warns(UndefinedMetricWarning, match="In each row"):
        measure.fit([[5, 5, 5]], [[1, 2, 3]])
    assert np.isnan(measure.similarity_)


@pytest.mark.parametrize("measure", [TopKOverlap(9), RankBiasedOverlap(9)])
def test_lists_longer_than_the_rows(measure):
    with pytest.raises(ValueError, match="k is 9, and the outputs have 4 columns"):
        measure.fit(np.eye(4), np.eye(4))
    with pytest.raises(ValueError, match="nothing to be put in order"):
        type(measure)().fit([[1.0], [2.0]], [[1.0], [2.0]])


def test_chance_and_limits():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 150, 20))
    result = similarity_test(TopKOverlap(5), first, second, random_state=0)
    assert abs(result.null_mean - 5 / 20) < 0.02
    low, high = similarity_interval(TopKOverlap(5), first, second).confidence_interval
    assert 0 < low < result.score < high < 1
