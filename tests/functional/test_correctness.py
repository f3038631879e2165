"""Measures on which rows two models get right."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

from sksim.functional import (
    Disagreement,
    DoubleFault,
    ErrorConsistency,
    ErrorCorrelation,
    OracleDisagreement,
    QStatistic,
)


def labels_with_counts(both, only_x, only_y, none):
    """Predictions and truth with given numbers of rows of the four kinds."""
    right_x = np.repeat([1, 1, 0, 0], [both, only_x, only_y, none])
    right_y = np.repeat([1, 0, 1, 0], [both, only_x, only_y, none])
    return right_x, right_y, np.ones(len(right_x), dtype=int)


@pytest.fixture
def example():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 200)
    first, second = (
        np.where(rng.random(200) < share, rng.integers(0, 4, 200), truth)
        for share in (0.3, 0.6)
    )
    return first, second, truth


def test_by_hand():
    first, second, truth = labels_with_counts(5, 2, 1, 2)
    for measure, expected in (
        (DoubleFault(), 0.2),
        (OracleDisagreement(), 0.3),
        (QStatistic(), (10 - 2) / (10 + 2)),
        (ErrorCorrelation(), (10 - 2) / math.sqrt(7 * 3 * 6 * 4)),
        (ErrorConsistency(), (0.7 - 0.54) / (1 - 0.54)),
    ):
        measure.fit(first, second, y_true=truth)
        assert_allclose(measure.statistic_, expected, rtol=1e-14)
        assert measure.counts_.tolist() == [[5, 2], [1, 2]]


def test_equal_scikit_learns_on_correctness(example):
    first, second, truth = example
    right = first == truth, second == truth
    consistency = ErrorConsistency().fit(first, second, y_true=truth)
    assert_allclose(consistency.similarity_, cohen_kappa_score(*right))
    correlation = ErrorCorrelation().fit(first, second, y_true=truth)
    assert_allclose(correlation.similarity_, matthews_corrcoef(*right))
    assert abs(correlation.similarity_) <= abs(
        QStatistic().fit(first, second, y_true=truth).similarity_
    )


def test_different_wrong_labels_agree_here():
    first, second, truth = [1, 2, 0], [2, 1, 0], [0, 0, 0]
    assert OracleDisagreement().fit(first, second, y_true=truth).distance_ == 0
    assert ErrorConsistency().fit(first, second, y_true=truth).similarity_ == 1
    assert Disagreement().fit(first, second).distance_ == 2 / 3


@pytest.mark.parametrize("counts", [(5, 0, 0, 0), (0, 0, 0, 5), (3, 0, 0, 2)])
def test_consistency_of_equal_errors_is_one(counts):
    first, second, truth = labels_with_counts(*counts)
    assert ErrorConsistency().fit(first, second, y_true=truth).similarity_ == 1


@pytest.mark.parametrize("counts", [(5, 0, 0, 0), (0, 0, 0, 5)])
def test_consistency_without_chance_may_be_called_undefined(counts):
    first, second, truth = labels_with_counts(*counts)
    for value in (np.nan, 0.0):
        measure = ErrorConsistency(replace_undefined_by=value)
        measure.fit(first, second, y_true=truth)
        np.testing.assert_equal(measure.similarity_, value)
    some = labels_with_counts(3, 0, 0, 2)
    measure.fit(*some[:2], y_true=some[2])
    assert measure.similarity_ == 1


def test_consistency_of_opposite_errors():
    first, second, truth = labels_with_counts(0, 3, 3, 0)
    assert ErrorConsistency().fit(first, second, y_true=truth).similarity_ == -1
    first, second, truth = labels_with_counts(0, 4, 0, 0)
    assert ErrorConsistency().fit(first, second, y_true=truth).similarity_ == 0


@pytest.mark.parametrize(
    "measure, counts",
    [
        (QStatistic(), (5, 0, 0, 0)),
        (QStatistic(), (5, 2, 0, 0)),
        (QStatistic(), (0, 0, 3, 3)),
        (ErrorCorrelation(), (5, 2, 0, 0)),
        (ErrorCorrelation(), (0, 0, 3, 3)),
    ],
)
def test_undefined(measure, counts):
    first, second, truth = labels_with_counts(*counts)
    with pytest.warns(UndefinedMetricWarning, match=type(measure).__name__):
        measure.fit(first, second, y_true=truth)
    assert math.isnan(measure.similarity_)
    measure.set_params(replace_undefined_by=-1)
    with pytest.warns(UndefinedMetricWarning):
        assert measure.fit(first, second, y_true=truth).similarity_ == -1


def test_large_counts_do_not_overflow():
    n = 60_000
    first, second, truth = labels_with_counts(n, n, n, n)
    measure = ErrorCorrelation().fit(first, second, y_true=truth)
    assert measure.similarity_ == 0
    first, second, truth = labels_with_counts(n, 0, 0, n)
    measure = ErrorCorrelation().fit(first, second, y_true=truth)
    assert_allclose(measure.similarity_, 1, rtol=1e-15)


def test_permutations_move_predictions_with_their_truth(example):
    first, second, truth = example
    order = np.random.default_rng(0).permutation(len(truth))
    value = DoubleFault()._open(first, second, y_true=truth).permuted([order])[0]
    expected = np.mean((first != truth) & (second != truth)[order])
    assert value == expected


@pytest.mark.parametrize("method", ["fit", "score"])
def test_truth_is_needed(method, example):
    first, second, truth = example
    measure = DoubleFault().fit(first, second, y_true=truth)
    with pytest.raises(ValueError, match="needs the true labels: pass y_true"):
        getattr(measure, method)(first, second)
