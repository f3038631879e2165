"""Disagreement relative to errors, and Cohen's kappa."""

import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import cohen_kappa_score

from sksim.functional import (
    CohenKappa,
    Disagreement,
    ErrorCorrectedDisagreement,
    MinMaxNormalizedDisagreement,
)

TRUTH = [0, 1, 2, 0, 1, 2, 0, 1]
FIRST = [0, 1, 2, 0, 1, 2, 1, 0]  # wrong on rows 6 and 7
SECOND = [0, 1, 2, 0, 2, 1, 1, 1]  # wrong on rows 4, 5 and 6; 6 with the same label


def random_labels(seed, n_classes=3, n=60):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    return [
        np.where(rng.random(n) < 0.4, rng.integers(0, n_classes, n), truth)
        for _ in range(2)
    ] + [truth]


def test_error_corrected_disagreement_by_hand():
    measure = ErrorCorrectedDisagreement().fit(FIRST, SECOND, y_true=TRUTH)
    assert measure.distance_ == 3 / 2
    assert measure.disagreement_ == 3 / 8
    second = ErrorCorrectedDisagreement(normalize_by="second")
    assert second.fit(FIRST, SECOND, y_true=TRUTH).distance_ == 3 / 3


def test_min_max_by_hand():
    measure = MinMaxNormalizedDisagreement().fit(FIRST, SECOND, y_true=TRUTH)
    assert measure.disagreement_range_ == (1 / 8, 5 / 8)
    assert measure.distance_ == (3 - 1) / (5 - 1)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_exact_bound_is_the_attainable_maximum(n_classes):
    n = 4
    truth = np.arange(n) % n_classes
    largest = {}
    for x, y in itertools.product(
        itertools.product(range(n_classes), repeat=n), repeat=2
    ):
        x, y = np.array(x), np.array(y)
        errors = int((x != truth).sum()), int((y != truth).sum())
        largest[errors] = max(largest.get(errors, 0), int((x != y).sum()))
    for errors, attainable in largest.items():
        measure = MinMaxNormalizedDisagreement(bound="exact")
        share, details = measure._relate(attainable, *errors, n, n_classes)
        assert details["disagreement_range_"][1] == attainable / n
        assert math.isnan(share) or share == 1


def test_bounds_differ_for_two_poor_models_of_two_classes():
    truth, first, second = [0] * 5, [1, 1, 1, 1, 0], [0, 1, 1, 1, 1]
    for bound, expected in (("survey", 2 / 5), ("exact", 1.0)):
        measure = MinMaxNormalizedDisagreement(bound=bound)
        assert measure.fit(first, second, y_true=truth).distance_ == expected


def test_exact_bound_counts_the_classes_of_both_models():
    truth, first, second = [0] * 5, [1, 1, 1, 1, 0], [0, 2, 1, 1, 1]
    for a, b in ((first, second), (second, first)):
        measure = MinMaxNormalizedDisagreement(bound="exact").fit(a, b, y_true=truth)
        assert measure.disagreement_range_ == (0, 1)
        assert measure.distance_ == 3 / 5


@pytest.mark.parametrize("seed", range(4))
def test_disagreement_lies_between_its_bounds(seed):
    first, second, truth = random_labels(seed)
    errors = np.mean(first != truth), np.mean(second != truth)
    disagreement = Disagreement().fit(first, second).distance_
    assert abs(errors[0] - errors[1]) <= disagreement <= min(sum(errors), 1)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("kind", [int, str, float])
def test_kappa_equals_scikit_learns(weights, n_classes, kind):
    first, second, _ = (a.astype(kind) for a in random_labels(0, n_classes))
    expected = cohen_kappa_score(first, second, weights=weights)
    # scikit-learn sorts text, which says nothing of its order
    labels = np.union1d(first, second) if kind is str else None
    measure = CohenKappa(weights, labels=labels).fit(first, second)
    assert_allclose(measure.similarity_, expected)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa_of_models_that_know_different_classes(weights):
    first, second = [0, 0, 5, 5, 2], [2, 0, 2, 9, 9]
    expected = cohen_kappa_score(first, second, weights=weights)
    assert_allclose(CohenKappa(weights).fit(first, second).similarity_, expected)


def test_text_and_booleans():
    words = np.array(["a", "bb", "ccc"])
    as_words = [words[np.array(labels)] for labels in (FIRST, SECOND, TRUTH)]
    for container in (np.asarray, list, lambda a: a.astype(object)):
        first, second, truth = map(container, as_words)
        measure = ErrorCorrectedDisagreement().fit(first, second, y_true=truth)
        assert measure.distance_ == 3 / 2
        assert (
            CohenKappa().fit(first, second).score_
            == CohenKappa().fit(FIRST, SECOND).score_
        )
    assert CohenKappa().fit([True, False, True], [True, False, False]).score_ == 0.4


@pytest.mark.parametrize(
    "measure, first, second, truth",
    [
        (ErrorCorrectedDisagreement(), [0, 1], [1, 1], [0, 1]),
        (ErrorCorrectedDisagreement("second"), [1, 1], [0, 1], [0, 1]),
        (MinMaxNormalizedDisagreement(), [0, 1], [1, 1], [0, 1]),
        (MinMaxNormalizedDisagreement(), [1, 0], [0, 1], [0, 1]),
        (CohenKappa(), [1, 1], [1, 1], None),
        (CohenKappa(weights="linear"), [1, 1], [1, 1], None),
    ],
)
def test_undefined(measure, first, second, truth):
    with pytest.warns(UndefinedMetricWarning, match="`replace_undefined_by` param"):
        measure.fit(first, second, y_true=truth)
    assert math.isnan(measure.statistic_)
    assert math.isnan(measure.score_)
    measure.set_params(replace_undefined_by=0.5)
    with pytest.warns(UndefinedMetricWarning, match=r"set to 0\.5"):
        measure.fit(first, second, y_true=truth)
    assert measure.statistic_ == 0.5
    with pytest.warns(UndefinedMetricWarning):
        assert abs(measure.score(first, second, y_true=truth)) == 0.5


def test_permuted_labels_are_judged_by_one_truth():
    measure = MinMaxNormalizedDisagreement(replace_undefined_by=0)
    first, second, truth = random_labels(0)
    comparison = measure._open(first, second, y_true=truth)
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(truth))
        value = comparison.permuted([order])[0]
        assert 0 <= value <= 1
        assert value == measure.fit(first, second[order], y_true=truth).distance_


def test_undefined_permutations_do_not_warn():
    measure = CohenKappa(replace_undefined_by=0.25)
    comparison = measure._open([1, 1], [1, 1])
    assert comparison.permuted([np.array([1, 0])]) == [0.25]


@pytest.mark.parametrize("value", [2.0, -2.0, None, "nan"])
def test_replacement_outside_the_range_is_refused(value):
    with pytest.raises(ValueError, match="replace_undefined_by"):
        CohenKappa(replace_undefined_by=value).fit([1, 2], [1, 2])


@pytest.mark.parametrize("measure_class", [ErrorCorrectedDisagreement, CohenKappa])
def test_labels_of_mixed_kinds_are_refused(measure_class):
    with pytest.raises(ValueError, match="mixes text and other values"):
        measure_class().fit(["a", 1, "b"], ["a", "b", "b"], y_true=["a", "b", "b"])
    with pytest.raises(ValueError, match="different kinds"):
        measure_class().fit(["a", "b"], [1, 2], y_true=["a", "b"])
    with pytest.raises(ValueError, match=r"different kinds \(text and bytes\)"):
        measure_class().fit(["a", "b"], [b"a", b"b"], y_true=["a", "b"])


def test_truth_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="predictions and y_true"):
        ErrorCorrectedDisagreement().fit([0, 1], [0, 1], y_true=["0", "1"])
    with pytest.raises(ValueError, match="fractions"):
        ErrorCorrectedDisagreement().fit([0, 1], [0, 1], y_true=[0.5, 1])
