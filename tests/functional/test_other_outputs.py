"""Sets of labels, several outputs of regressors, and answers that are not given."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import accuracy_score, hamming_loss, jaccard_score

from sksim.functional import (
    CohenKappa,
    Disagreement,
    MultilabelAgreement,
    RegressionDifference,
)
from sksim.inference import similarity_interval, similarity_test


def test_sets_of_labels_as_in_scikit_learn():
    rng = np.random.default_rng(0)
    first, second = (rng.random((2, 80, 6)) < 0.3).astype(int)
    expected = {
        "jaccard": jaccard_score(first, second, average="samples", zero_division=1),
        "hamming": 1 - hamming_loss(first, second),
        "subset": accuracy_score(first, second),
    }
    for kind, value in expected.items():
        measure = MultilabelAgreement(kind).fit(first, second)
        assert_allclose(measure.similarity_, value)
        assert_allclose(measure.row_values_.mean(), value)
    probabilities = np.where(first, 0.8, 0.1), np.where(second, 0.51, 0.5)
    value = MultilabelAgreement().fit(*probabilities).similarity_
    assert_allclose(value, expected["jaccard"])


def test_rows_without_labels_agree():
    nothing, something = np.zeros((2, 3)), np.array([[1, 0, 0], [0, 0, 0]])
    assert MultilabelAgreement().fit(nothing, nothing).similarity_ == 1
    assert MultilabelAgreement().fit(nothing, something).similarity_ == 0.5


def test_measures_of_one_label_name_those_of_more():
    with pytest.raises(ValueError, match=r"MultilabelAgreement.*RegressionDifference"):
        CohenKappa().fit(np.eye(3), np.eye(3))


def test_differences_of_predictions_by_hand():
    first = np.array([[0.0, 10], [1, 20], [2, 30], [3, 40]])
    second = first + [[1, -5], [1, 5], [1, -5], [1, 5]]
    measure = RegressionDifference(quantile=1.0).fit(first, second)
    assert measure.distance_ == (1 + 5) / 2
    assert_allclose(measure.mean_difference_, [-1, 0])
    spread = np.std([5, -5, 5, -5], ddof=1)
    limits = np.array([[-1, -1.96 * spread], [-1, 1.96 * spread]])
    assert_allclose(measure.limits_of_agreement_, limits, rtol=1e-4)
    assert_allclose(measure.quantiles_[3], [-1, 0])
    column = RegressionDifference(quantile=0.5).fit([1.0, 2, 4], [1.0, 3, 7])
    assert column.distance_ == 1


def test_limits_hold_what_they_say():
    rng = np.random.default_rng(0)
    first = rng.normal(size=20_000)
    second = first + rng.normal(0.3, 2, size=20_000)
    measure = RegressionDifference().fit(first, second)
    (low,), (high,) = measure.limits_of_agreement_
    assert_allclose([low, high], [-0.3 - 1.96 * 2, -0.3 + 1.96 * 2], atol=0.08)
    inside = np.mean((first - second >= low) & (first - second <= high))
    assert abs(inside - 0.95) < 0.005


def test_answers_that_are_not_given():
    first = ["a", "b", "?", "a", "?", "b"]
    second = ["a", "a", "a", "?", "?", "b"]
    measure = Disagreement(abstain="?").fit(first, second)
    assert measure.distance_ == 1 / 3
    assert measure.answered_counts_.tolist() == [[3, 1], [1, 1]]
    assert Disagreement(abstain="!").fit(first, second).distance_ == 1 / 2
    numbers = [[{"a": 0, "b": 1, "?": -1}[x] for x in each] for each in (first, second)]
    again = Disagreement(abstain=-1).fit(*numbers)
    assert again.answered_counts_.tolist() == measure.answered_counts_.tolist()
    streamed = Disagreement(abstain="?").partial_fit(first[:2], second[:2])
    streamed.partial_fit(first[2:], second[2:])
    assert streamed.distance_ == measure.distance_
    low, high = similarity_interval(measure, first, second).confidence_interval
    assert -1 <= low < measure.score_ < high <= 0
    with pytest.warns(UndefinedMetricWarning, match="No row is answered by both"):
        measure.fit(["?", "a"], ["a", "?"])
    assert math.isnan(measure.distance_)


def test_chance_of_sets_of_labels():
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 200, 5)) < 0.4
    result = similarity_test(
        MultilabelAgreement("hamming"),
        first.astype(int),
        second.astype(int),
        n_permutations=99,
        random_state=0,
    )
    assert abs(result.null_mean - (0.4**2 + 0.6**2)) < 0.02
    assert result.pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("n_samples", [60, 400])
def test_coverage(n_samples):
    """Of a median difference, and of the disagreement of answers that are given."""
    rng = np.random.default_rng(0)
    covered, runs = np.zeros(2), 300
    median = 0.6744897501960817  # of |N(0, 1)|
    for _ in range(runs):
        first = rng.normal(size=n_samples)
        second = first + rng.normal(size=n_samples)
        limits = similarity_interval(
            RegressionDifference(0.5),
            first,
            second,
            method="bootstrap",
            n_resamples=199,
        ).confidence_interval
        covered[0] += limits.low <= -median <= limits.high
        labels = rng.integers(2, size=n_samples)
        other = np.where(rng.random(n_samples) < 0.1, 1 - labels, labels)
        for each in (labels, other):
            each[rng.random(n_samples) < 0.2] = -1
        measure = Disagreement(abstain=-1)
        limits = similarity_interval(measure, labels, other).confidence_interval
        covered[1] += limits.low <= -0.1 <= limits.high
    assert (covered >= 0.92 * runs).all(), covered / runs
