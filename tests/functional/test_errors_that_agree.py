"""Measures of whether models err alike: which wrong answers, and how likely."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import cross_val_score

from sksim.functional import (
    ErrorConsistency,
    GroupProbabilisticErrorConsistency,
    GroupSameErrorRate,
    ProbabilisticErrorConsistency,
    SameErrorRate,
)
from sksim.inference import (
    CalibratedSimilarity,
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.pairwise import compare
from tests._reference import newer_cases

CAPA = list(newer_cases("capa", "two_outputs"))
SAME_ERROR = list(newer_cases("same_error", "two_outputs"))


def quietly(measure, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return measure.fit(*args, **kwargs)


def known(value):
    return math.nan if value is None else value


# ----- agreement of probabilities above chance --------------------------------------


@pytest.mark.parametrize("case, arrays, values", CAPA, ids=[c[0] for c in CAPA])
@pytest.mark.parametrize("discrete", [False, True])
def test_chance_adjusted_agreement(case, arrays, values, discrete):
    pair = arrays["proba_a"], arrays["proba_b"]
    params = {"y_true": arrays["y_true"]}
    kind = "discrete" if discrete else "probabilistic"
    measure = ProbabilisticErrorConsistency(
        discrete=discrete, n_options=arrays["n_options"]
    )
    quietly(measure, *pair, **params)
    tolerance = {"rtol": 1e-8, "atol": 1e-10}
    assert_allclose(measure.statistic_, known(values[f"{kind}_kappa"]), **tolerance)
    for name in ("observed", "expected"):
        found = getattr(measure, f"{name}_agreement_")
        assert_allclose(found, values[f"{kind}_{name}"], **tolerance)
    by_metadata = ProbabilisticErrorConsistency(discrete=discrete)
    quietly(by_metadata, *pair, **params, n_options=arrays["n_options"])
    assert_allclose(by_metadata.statistic_, measure.statistic_, rtol=0)
    group = GroupProbabilisticErrorConsistency(
        discrete=discrete, n_options=arrays["n_options"]
    )
    quietly(group, *pair, **params)
    assert_allclose(group.statistic_, measure.statistic_, rtol=1e-12)


def test_two_options_are_error_consistency():
    rng = np.random.default_rng(0)
    right = rng.random((2, 50)) < 0.7
    first, second = (np.eye(2)[each.astype(int)] for each in right)
    truth = np.ones(50, dtype=int)
    value = ProbabilisticErrorConsistency().fit(first, second, y_true=truth)
    expected = ErrorConsistency().fit(*right.astype(int), y_true=truth)
    assert_allclose(value.similarity_, expected.similarity_, rtol=1e-12)


def test_kappa_is_no_mean_over_rows():
    first, second = np.array([[1.0, 0], [0, 1]]), np.array([[1.0, 0], [1, 0]])
    truth = [0, 1]  # p = 1, p' = 1/2, agreement 1/2
    assert ProbabilisticErrorConsistency().fit(first, second, truth).similarity_ == 0
    # the spread of wrong answers is of all rows, also of those that nobody gets wrong
    three = [np.pad(each, ((0, 0), (0, 1))) for each in (second, first[::-1])]
    measure = ProbabilisticErrorConsistency().fit(*three, [0, 1], n_options=[2, 3])
    errors, spread = (0.5, 1.0), (1 + 1 / 2) / 2
    chance = 0.5 * 0 + errors[0] * errors[1] * spread
    assert_allclose(measure.expected_agreement_, chance)
    assert_allclose(measure.similarity_, (0.5 - chance) / (1 - chance))


def test_a_group_is_the_mean_of_its_pairs_before_the_quotient():
    _, arrays, _ = CAPA[0]
    models = [arrays["proba_a"], arrays["proba_b"], arrays["proba_a"][::-1].copy()]
    params = {"y_true": arrays["y_true"]}
    pairs = [
        ProbabilisticErrorConsistency().fit(models[i], models[j], **params)
        for i, j in ((0, 1), (0, 2), (1, 2))
    ]
    group = GroupProbabilisticErrorConsistency().fit(models, **params)
    observed, expected = (
        np.mean([getattr(pair, f"{name}_agreement_") for pair in pairs])
        for name in ("observed", "expected")
    )
    assert_allclose(group.similarity_, (observed - expected) / (1 - expected))
    assert group.n_models_ == 3


def test_columns_have_names():
    first = pd.DataFrame([[0.9, 0.1], [0.4, 0.6]], columns=["cat", "dog"])
    second = pd.DataFrame([[0.3, 0.7], [0.8, 0.2]], columns=["dog", "cat"])
    truth = ["cat", "dog"]
    measure = ProbabilisticErrorConsistency().fit(first, second, y_true=truth)
    plain = ProbabilisticErrorConsistency().fit(
        first.to_numpy(), second[["cat", "dog"]].to_numpy(), y_true=[0, 1]
    )
    assert measure.similarity_ == plain.similarity_
    assert measure.classes_.tolist() == ["cat", "dog"]
    # one class only, which is not the first
    one = ProbabilisticErrorConsistency().fit(first, second, y_true=["dog", "dog"])
    assert_allclose(one.expected_agreement_, 0.35 * 0.55 + 0.65 * 0.45)


def test_two_that_are_always_right_are_undefined():
    rows = np.eye(3)[[0, 1, 2]]
    with pytest.warns(UndefinedMetricWarning, match="can't but agree"):
        measure = ProbabilisticErrorConsistency().fit(rows, rows, [0, 1, 2])
    assert math.isnan(measure.similarity_)
    measure.set_params(replace_undefined_by=1.0)
    with pytest.warns(UndefinedMetricWarning):
        assert measure.fit(rows, rows, [0, 1, 2]).similarity_ == 1
    # certain but for what single precision rounds away: no noise over noise
    nearly = rows + 1e-16
    with pytest.warns(UndefinedMetricWarning):
        measure.fit(nearly, nearly, [0, 1, 2])


@pytest.mark.parametrize(
    "n_options, message",
    [
        (4, "n_options says 4 on a row, and the outputs have 3 columns"),
        ([3, 2, 3], "n_options says 2 on row 1, where a model holds 3"),
        ([3, 3], r"the shape \(2,\) for 3 rows"),
        ([3, 1, 3], "whole numbers, 2 or more.* got \\[1, 3\\]"),
        ([3, 2.5, 3], "whole numbers"),
        (["3", "3", "3"], "whole numbers"),
    ],
)
def test_numbers_of_options_that_can_not_be(n_options, message):
    rows = np.full((3, 3), 1 / 3)
    measure = ProbabilisticErrorConsistency(n_options=n_options)
    with pytest.raises(ValueError, match=message):
        measure.fit(rows, rows, y_true=[0, 1, 2])


def test_options_travel_with_their_rows():
    """Rows in another order, and parts of them, keep their numbers of options."""
    _, arrays, _ = next(c for c in CAPA if c[0] == "varying")
    X, y, truth, options = (
        arrays[name] for name in ("proba_a", "proba_b", "y_true", "n_options")
    )
    of_rows = {"y_true": truth, "n_options": options}
    measure = ProbabilisticErrorConsistency()
    value = measure.fit(X, y, **of_rows).similarity_
    order = np.random.default_rng(0).permutation(len(X))
    moved = {name: values[order] for name, values in of_rows.items()}
    assert_allclose(measure.fit(X[order], y[order], **moved).similarity_, value)
    some = slice(30)
    part = measure._open(X, y, **of_rows).of_rows(np.arange(30)).value()
    cut = {name: values[some] for name, values in of_rows.items()}
    assert_allclose(part, measure.fit(X[some], y[some], **cut).similarity_)
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(measure, X, y, params=of_rows, cv=2)
    half = len(X) // 2
    last = {name: values[half:] for name, values in of_rows.items()}
    assert_allclose(scores[1], measure.fit(X[half:], y[half:], **last).similarity_)
    result = similarity_test(
        measure,
        X,
        y,
        y_true=truth,
        metadata={"n_options": options},
        strata=truth,
        n_permutations=19,
        random_state=0,
    )
    assert_allclose(result.statistic, value)


# ----- the same wrong answer ----------------------------------------------------------


@pytest.mark.parametrize(
    "case, arrays, values", SAME_ERROR, ids=[c[0] for c in SAME_ERROR]
)
@pytest.mark.parametrize("chance", ["uniform", "marginals"])
def test_same_wrong_answers(case, arrays, values, chance):
    pair = arrays["labels_a"], arrays["labels_b"]
    params = {"y_true": arrays["y_true"], "n_options": arrays["n_options"]}
    key = {"uniform": "chance_uniform", "marginals": "chance_of_marginals"}[chance]
    measure = quietly(SameErrorRate(chance=chance), *pair, **params)
    found = [measure.statistic_, measure.chance_, measure.kappa_]
    expected = [values["same_given_both_wrong"], values[key], values[f"kappa_{chance}"]]
    assert_allclose(found, [known(value) for value in expected], rtol=1e-10)
    for name in ("n_same_wrong", "n_both_wrong", "n_either_wrong"):
        assert getattr(measure, f"{name}_") == values[name]
    measure = quietly(SameErrorRate("either", chance=chance), *pair, **params)
    assert_allclose(measure.statistic_, values["same_given_either_wrong"], rtol=1e-12)
    n_both, n_either = values["n_both_wrong"], values["n_either_wrong"]
    by_chance = (values[key] or 0) * n_both / n_either
    assert_allclose(measure.chance_, by_chance, rtol=1e-12)
    group = quietly(GroupSameErrorRate("either", chance=chance), *pair, **params)
    for name in ("statistic_", "chance_", "kappa_"):
        assert_allclose(getattr(group, name), getattr(measure, name), rtol=1e-12)


def test_labels_that_are_seen_are_the_options():
    first, second, truth = list("abbd"), list("abcd"), list("aaae")
    measure = SameErrorRate().fit(first, second, y_true=truth)
    assert measure.similarity_ == 2 / 3  # b b, not b c, d d
    assert measure.chance_ == 1 / 4  # of a, b, c, d, e


def test_a_group_pools_its_pairs():
    votes = np.array([list("aab"), list("bbb"), list("ccc"), list("bcb")])
    truth = np.array(list("abaa"))
    group = GroupSameErrorRate(n_options=3).fit(votes, y_true=truth)
    # row 2: three pairs, all the same; row 3: three pairs, one the same
    assert (group.n_same_wrong_, group.n_both_wrong_) == (4, 6)
    assert (group.similarity_, group.chance_) == (4 / 6, 1 / 2)
    assert_allclose(group.kappa_, (4 / 6 - 1 / 2) / (1 / 2))
    either = GroupSameErrorRate("either").fit(votes, y_true=truth)
    assert either.n_either_wrong_ == 8  # and row 0: two pairs


def test_without_errors_there_is_none_to_share():
    with pytest.warns(UndefinedMetricWarning, match="No row is wrong"):
        measure = SameErrorRate().fit([0, 1, 1], [0, 1, 0], y_true=[0, 1, 0])
    assert math.isnan(measure.similarity_) and math.isnan(measure.kappa_)
    either = SameErrorRate("either").fit([0, 1, 1], [0, 1, 0], y_true=[0, 1, 0])
    assert either.similarity_ == 0


def test_many_different_answers_need_no_square_table():
    answers = [f"answer {i}" for i in range(30_000)]
    other = answers[:15_000] + answers[:15_000]
    measure = SameErrorRate(chance="marginals")
    measure.fit(answers, other, y_true=["right"] * 30_000)
    assert measure.similarity_ == 0.5
    assert_allclose(measure.chance_, 15_000 * 2 / 30_000**2)


# ----- inference ----------------------------------------------------------------------


def independent_answers(rng, n_samples, accuracy, n_options=4):
    """Labels of two models whose errors have nothing to do with each other."""
    truth = rng.integers(n_options, size=n_samples)
    both = []
    for _ in range(2):
        wrong = rng.random(n_samples) >= accuracy
        other = (truth + rng.integers(1, n_options, n_samples)) % n_options
        both.append(np.where(wrong, other, truth))
    return *both, truth


def test_limits_hold_the_rate_and_are_not_empty():
    first, second, truth = independent_answers(np.random.default_rng(0), 300, 0.5)
    for method in ("auto", "jackknife", "bootstrap", "gaffke"):
        result = similarity_interval(
            SameErrorRate(), first, second, y_true=truth, method=method, random_state=0
        )
        low, high = result.confidence_interval
        assert 0 <= low < result.score < high <= 1
    rows = np.eye(4)[first], np.eye(4)[second]
    result = similarity_interval(
        ProbabilisticErrorConsistency(), *rows, y_true=truth, random_state=0
    )
    low, high = result.confidence_interval
    assert -1 <= low < result.score < high <= 1


def test_compare_takes_them_up():
    first, second, truth = independent_answers(np.random.default_rng(0), 60, 0.6)
    table = (
        compare(first, second, y_true=truth, measures="functional", n_permutations=19)
        .to_frame()
        .set_index("measure")
    )
    row = table.loc["SameErrorRate"]
    assert row["value"] == SameErrorRate().fit(first, second, truth).statistic_
    assert row["null"] == "rows within classes"
    rows = [np.eye(4)[each] * 0.9 + 0.025 for each in (first, second)]
    table = compare(
        *rows, y_true=truth, measures="functional", n_permutations=19
    ).to_frame()
    row = table.set_index("measure").loc["ProbabilisticErrorConsistency"]
    measure = ProbabilisticErrorConsistency().fit(*rows, y_true=truth)
    assert_allclose(row["value"], measure.similarity_)


@pytest.mark.slow
@pytest.mark.parametrize("n_samples, accuracy", [(20, 0.5), (200, 0.5), (200, 0.9)])
def test_level_within_classes(n_samples, accuracy):
    """At most 5 % of tests of independent errors find them alike."""
    rng = np.random.default_rng(0)
    found, runs = np.zeros(2), 400
    for _ in range(runs):
        first, second, truth = independent_answers(rng, n_samples, accuracy)
        rows = [np.eye(4)[each] for each in (first, second)]
        setting = {"y_true": truth, "strata": truth, "n_permutations": 99}
        setting["random_state"] = int(rng.integers(2**31))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            try:
                test = similarity_test(SameErrorRate(), first, second, **setting)
                found[0] += test.pvalue <= 0.05
            except ValueError as error:
                assert "undefined" in str(error)  # no joint error at all
            test = similarity_test(ProbabilisticErrorConsistency(), *rows, **setting)
            found[1] += test.pvalue <= 0.05
    assert (found <= 0.05 * runs + 3 * math.sqrt(0.05 * 0.95 * runs)).all(), found


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("n_samples, accuracy", [(60, 0.5), (500, 0.5), (500, 0.9)])
def test_limits_cover(n_samples, accuracy):
    """The rate among independent errors is 1 / (k - 1), and kappa 0."""
    rng = np.random.default_rng(1)
    covered, runs = np.zeros(2), 400
    for _ in range(runs):
        first, second, truth = independent_answers(rng, n_samples, accuracy)
        rows = [np.eye(4)[each] for each in (first, second)]
        try:
            limits = similarity_interval(SameErrorRate(), first, second, y_true=truth)
            low, high = limits.confidence_interval
            covered[0] += low <= 1 / 3 <= high
        except ValueError as error:
            assert "undefined" in str(error)
            covered[0] += 1
        limits = similarity_interval(
            ProbabilisticErrorConsistency(), *rows, y_true=truth
        )
        low, high = limits.confidence_interval
        covered[1] += low <= 0 <= high
    assert (covered >= 0.92 * runs).all(), covered / runs


def test_rows_change_places_within_classes_by_themselves():
    """Of other classes other answers are wrong: free permutation rejects .27 at .05."""
    rng = np.random.default_rng(0)
    first, second, truth = rng.integers(3, size=(3, 60))
    setting = {"y_true": truth, "n_permutations": 19, "random_state": 0}
    plain = similarity_test(SameErrorRate(), first, second, **setting)
    within = similarity_test(SameErrorRate(), first, second, strata=truth, **setting)
    np.testing.assert_array_equal(plain.null_distribution, within.null_distribution)
    layers = {"a": first, "b": second}
    matrix = similarity_matrix_test(SameErrorRate(), layers, **setting)
    assert matrix.null_mean[0, 1] == pytest.approx(within.null_mean)
    calibrated = CalibratedSimilarity(
        SameErrorRate(), n_permutations=19, random_state=0
    ).fit(first, second, y_true=truth)
    assert calibrated.null_mean_ == pytest.approx(within.null_mean)
    # strata that are given are those that count
    free = similarity_test(
        SameErrorRate(), first, second, strata=np.zeros(60), **setting
    )
    assert free.null_mean < within.null_mean - 0.05
