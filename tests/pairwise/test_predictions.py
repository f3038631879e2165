"""Two models' predictions: by hand, by reference values, in any order of the rows."""

import json
import math
import warnings
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from sksim import (
    Disagreement,
    ErrorConsistency,
    PerformanceDifference,
    SameErrorRate,
    compare_predictions,
    equivalence_test,
    similarity_interval,
)
from sksim.pairwise._predictions._answers import Answers, same_errors
from sksim.pairwise._predictions._flips import _random_sums, sign_flip_pvalue
from tests._reference import reference_arrays, reference_values

RNG = np.random.default_rng(0)


def pair(n=200, seed=0, n_classes=4):
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    a = np.where(rng.random(n) < 0.8, truth, rng.integers(n_classes, size=n))
    b = np.where(rng.random(n) < 0.85, a, rng.integers(n_classes, size=n))
    return a, b, truth


def refused(*args, words=(), **kwargs):
    with pytest.raises(ValueError) as error:
        compare_predictions(*args, **kwargs)
    for word in words:
        assert word in str(error.value), str(error.value)


# ----- by hand ------------------------------------------------------------------------


def test_counts_by_hand():
    truth = ["x", "x", "x", "y", "y", "z"]
    a = ["x", "x", "y", "y", "z", "x"]
    b = ["x", "y", "y", "y", "y", "x"]
    found = compare_predictions(a, b, truth)
    assert found.n_rows == found.n_clusters == 6
    assert found.n_dropped == 0
    assert found.accuracy_a == 3 / 6
    assert found.accuracy_b == 3 / 6
    assert found.difference == 0
    assert found.mcnemar_pvalue == found.pvalue == 1
    assert (found.positive_flips, found.negative_flips) == (1, 1)
    assert found.agreement == 4 / 6
    assert found.disagreement == found.churn == pytest.approx(2 / 6)
    table = found.flipped_rows
    assert list(table.index) == [1, 4]
    assert list(table["flip"]) == ["negative", "positive"]
    assert table.loc[1, ["answer_a", "answer_b", "truth"]].tolist() == ["x", "y", "x"]
    # both wrong: rows 2 and 5, with the same answers
    assert (found.n_both_wrong, found.same_error_rate) == (2, 1)
    # wrong answers: a gives y | x, z | y, x | z and b gives 2 y | x, x | z
    assert found.same_error_chance == 1
    assert math.isnan(found.same_error_kappa)
    # by chance, class x 3 (2 1 + 1 2) / 9, y 2 (1 2 + 1 0) / 4, z 1
    expected = Fraction(4, 3) + 1 + 1
    within = (4 - expected) / (6 - expected)
    assert found.error_consistency_within_classes == pytest.approx(float(within))
    assert found.error_consistency == pytest.approx((4 / 6 - 1 / 2) / (1 / 2))


def test_without_a_truth_there_is_agreement_alone():
    a, b, _ = pair()
    found = compare_predictions(a, b)
    assert found.agreement == np.mean(a == b)
    assert found.kappa == pytest.approx(cohen_kappa_score(a, b))
    assert found.accuracy_a is found.pvalue is found.flipped_rows is None
    text = found.sentence()
    assert text.startswith("On 200 rows, a and b give the same answer on")
    assert list(found.to_frame().columns) == [
        *("n_rows", "n_clusters", "agreement", "low", "high")
    ]
    row = found.to_frame().loc["all rows"]
    assert row["low"] < row["agreement"] < row["high"]
    refused(a, b, margin=0.1, words=["margin", "equivalence_test"])


def test_numbers_are_those_of_the_measures():
    a, b, truth = pair()
    found = compare_predictions(a, b, truth, margin=0.05)
    measure = PerformanceDifference(signed=True).fit(a, b, y_true=truth)
    assert found.difference == measure.statistic_
    assert found.mcnemar_pvalue == pytest.approx(measure.mcnemar_pvalue_, rel=1e-12)
    test = equivalence_test("PerformanceDifference", a, b, y_true=truth, margin=0.05)
    assert found.equivalence_pvalue == test.pvalue
    worse = equivalence_test(
        "PerformanceDifference", a, b, y_true=truth, margin=0.05,
        alternative="noninferiority",
    )  # fmt: skip
    assert found.noninferiority_pvalue == worse.pvalue
    shared = SameErrorRate(chance="marginals").fit(a, b, y_true=truth)
    assert found.same_error_rate == shared.statistic_
    assert found.same_error_chance == pytest.approx(shared.chance_)
    assert found.same_error_kappa == pytest.approx(shared.kappa_)
    own = ErrorConsistency().fit(a, b, y_true=truth)
    assert found.error_consistency == pytest.approx(own.statistic_, rel=1e-12)
    interval = similarity_interval(Disagreement(), a, b).confidence_interval
    low, high = found.disagreement_interval
    assert (low, high) == pytest.approx((-interval.high, -interval.low))
    wilson = stats.binomtest(int(np.sum(a == truth)), 200).proportion_ci(
        method="wilson"
    )
    assert found.accuracy_a_interval == pytest.approx(tuple(wilson))


@pytest.mark.parametrize("row", reference_values("paired_proportions")["rows"])
def test_reference_tables(row):
    both, first, second, none = row["table"]
    if both + first + second + none < 2:
        pytest.skip("a comparison needs two rows")
    kinds = np.repeat([0, 1, 2, 3], row["table"])
    right_a, right_b = np.isin(kinds, [0, 1]), np.isin(kinds, [0, 2])
    found = compare_predictions(right_a, right_b, np.ones(len(kinds), bool))
    assert found.difference == pytest.approx(row["difference"], abs=1e-15)
    assert found.mcnemar_pvalue == pytest.approx(row["mcnemar_exact"], rel=1e-10)
    assert found.difference_interval == pytest.approx(row["tango"], abs=1e-9)
    for margin, values in row["tost"].items():
        found = compare_predictions(
            right_a, right_b, np.ones(len(kinds), bool), margin=float(margin)
        )
        assert found.equivalence_pvalue == pytest.approx(values["score"], rel=1e-8)
        expected = values["score_upper"]
        assert found.noninferiority_pvalue == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("case", sorted(reference_values("predictions")["same_error"]))
def test_same_errors_of_reference(case):
    values = reference_values("predictions")["same_error"][case]
    arrays = reference_arrays("predictions")
    a, b, truth = (
        arrays[f"{case}__{name}"] for name in ("labels_a", "labels_b", "y_true")
    )
    found = compare_predictions(a, b, truth)
    assert found.n_both_wrong == values["n_both_wrong"]
    assert found.agreement == pytest.approx(values["overall_agreement"])
    for own, name in [
        (found.same_error_rate, "same_given_both_wrong"),
        (found.same_error_chance, "chance_of_marginals"),
        (found.same_error_kappa, "kappa_marginals"),
    ]:
        expected = math.nan if values[name] is None else values[name]
        assert own == pytest.approx(expected, rel=1e-8, nan_ok=True)


def test_same_errors_without_a_truth_are_of_one_class():
    codes = np.array([0, 0, 1, 1])
    answers = Answers(a=codes, b=codes, truth=None, classes=np.array(["p", "q"]))
    wrong = np.zeros(4, dtype=bool)
    assert same_errors(answers, wrong, wrong).chance == 1 / 2


# ----- p-values -----------------------------------------------------------------------


def by_all_signs(sums):
    sizes = np.abs(sums)
    totals = [abs(np.dot(signs, sizes)) for signs in product((-1, 1), repeat=len(sums))]
    return np.mean(np.array(totals) >= abs(np.sum(sums)) - 1e-9)


@pytest.mark.parametrize("unit", [1.0, 0.5, 1 / 3, 0.7])
@pytest.mark.parametrize("seed", range(3))
def test_pvalue_by_counting(unit, seed):
    rng = np.random.default_rng(seed)
    sums = rng.integers(-4, 5, size=11) * unit
    assert sign_flip_pvalue(sums, rng) == pytest.approx(by_all_signs(sums), rel=1e-9)
    free = sums + rng.normal(size=11)
    assert sign_flip_pvalue(free, rng) == pytest.approx(by_all_signs(free), rel=1e-9)


def test_random_signs_and_large_totals_agree_with_counting():
    rng = np.random.default_rng(0)
    sums = rng.normal(size=30) + 0.25
    drawn = sign_flip_pvalue(sums, rng)
    signs = rng.choice([-1, 1], size=(99_999, 30))
    exact = np.mean(np.abs(signs @ np.abs(sums)) >= abs(sums.sum()))
    # three Monte Carlo errors of 9,999 signs
    assert abs(drawn - exact) < 3 * (exact * (1 - exact) / 9_999) ** 0.5
    # Fourier transforms against the normal limit
    whole = rng.integers(-5, 6, size=200_000).astype(float)
    z = abs(whole.sum()) / np.sqrt(np.sum(whole**2))
    assert sign_flip_pvalue(whole, rng) == pytest.approx(2 * stats.norm.sf(z), rel=2e-3)


def test_random_signs_count_the_observed_ones():
    assert sign_flip_pvalue(RNG.random(60) + 1, RNG) == 1 / 10_000
    assert sign_flip_pvalue(RNG.random(60) + 1, RNG, n_tests=10**9) == 1 / 1000


def test_random_sums_choose_each_size_by_itself():
    """Of powers of two a sum says which were chosen."""
    sums = _random_sums(2.0 ** np.arange(45), 4000, np.random.default_rng(0))
    chosen = (sums.astype(np.int64)[:, None] >> np.arange(45)) & 1
    assert np.array_equal(chosen @ 2.0 ** np.arange(45), sums)
    error = 4000**-0.5
    assert np.all(np.abs(chosen.mean(axis=0) - 0.5) < 4 * error / 2)
    correlations = np.corrcoef(chosen.T) - np.eye(45)
    assert np.abs(correlations).max() < 5 * error


def test_random_sums_of_many_tables():
    sums = _random_sums(np.ones(1003), 500, np.random.default_rng(0))
    assert np.array_equal(sums, np.rint(sums))
    assert abs(sums.mean() - 501.5) < 4 * (1003 / 4 / 500) ** 0.5
    assert sums.std() == pytest.approx(1003**0.5 / 2, rel=0.15)


def test_pvalues_that_are_too_small_for_a_transform_are_bounded():
    sums = np.repeat([1.0, 2.0], 20_000)
    assert sign_flip_pvalue(sums, RNG) == 1e-12
    assert sign_flip_pvalue(np.zeros(5), RNG) == 1
    assert sign_flip_pvalue(np.array([3.0]), RNG) == 1


# ----- groups -------------------------------------------------------------------------


def test_groups_by_hand():
    truth = np.ones(8, dtype=int)
    a = np.array([1, 1, 1, 0, 1, 1, 0, 0])
    b = np.array([0, 0, 1, 0, 1, 0, 0, 1])
    groups = [0, 0, 1, 1, 2, 2, 3, 3]
    found = compare_predictions(a, b, truth, groups=groups)
    assert found.n_clusters == 4
    # sums of groups 2, 0, 1, -1: mean 1/4 of a row, residuals 3/2, -1/2, 1/2, -3/2
    error = np.sqrt(4 / 3 * (9 / 4 + 1 / 4 + 1 / 4 + 9 / 4)) / 8
    assert found.standard_error == pytest.approx(error)
    half = stats.t.ppf(0.975, 3) * error
    assert found.method == "t"
    assert found.difference_interval == pytest.approx((0.25 - half, 0.25 + half))
    # of the signs of 2, 1, 1 six in eight make 2 or more
    assert found.pvalue == found.mcnemar_pvalue == pytest.approx(0.75)


def test_groups_of_one_row_are_none():
    a, b, truth = pair()
    alone = compare_predictions(a, b, truth, groups=np.arange(200))
    assert alone.to_dict() == compare_predictions(a, b, truth).to_dict()


def test_rare_differences_between_groups_have_an_interval():
    truth = np.ones(60, dtype=int)
    a, b = truth.copy(), truth.copy()
    groups = np.repeat(np.arange(20), 3)
    found = compare_predictions(a, b, truth, groups=groups)
    assert found.method == "gaffke"
    low, high = found.difference_interval
    assert low < -0.05 < 0.05 < high
    b[:3] = 0
    found = compare_predictions(a, b, truth, groups=groups)
    assert found.method == "gaffke"
    low, high = found.difference_interval
    assert low < 0 < 0.05 < high
    # all groups differ alike: no spread, but no certainty
    found = compare_predictions(a, 0 * b, truth, groups=groups)
    assert found.difference == 1
    assert found.difference_interval.low < 0.95
    assert found.difference_interval.high == 1


# ----- scores -------------------------------------------------------------------------


def test_scores_are_those_of_a_paired_t_test():
    rng = np.random.default_rng(1)
    a = rng.random(40)
    b = a + rng.normal(size=40) * 0.1 + 0.05
    found = compare_predictions(a, b, scores=True)
    paired = stats.ttest_rel(a, b)
    assert found.difference_interval == pytest.approx(
        tuple(paired.confidence_interval())
    )
    assert found.standard_error == pytest.approx(np.std(a - b, ddof=1) / 40**0.5)
    assert found.pvalue == pytest.approx(paired.pvalue, abs=0.02)
    assert found.mcnemar_pvalue is found.kappa is None
    assert found.accuracy_a == pytest.approx(a.mean())
    assert found.positive_flips == np.sum(b > a)
    mean = stats.ttest_1samp(a, 0).confidence_interval()
    assert found.accuracy_a_interval == pytest.approx(tuple(mean))
    shifted = compare_predictions(a, b, scores=True, random_state=3)
    assert shifted.pvalue == pytest.approx(found.pvalue, abs=0.02)
    large = compare_predictions(1e200 * a, 1e200 * b, scores="points")
    assert large.standard_error == pytest.approx(1e200 * found.standard_error)
    assert large.pvalue == found.pvalue
    assert "mean points" in large.sentence()
    assert compare_predictions(a, b, scores=True).pvalue == found.pvalue


def test_scores_of_zero_and_one_are_right_and_wrong():
    a, b, truth = pair()
    answers = compare_predictions(a, b, truth)
    right = compare_predictions(a == truth, (b == truth) * 1.0, scores=True)
    assert right.difference_interval == answers.difference_interval
    assert right.mcnemar_pvalue == answers.mcnemar_pvalue
    assert right.error_consistency == answers.error_consistency
    assert right.method == "tango"


def test_rows_without_a_score_are_left_out_aloud():
    a, b = np.array([1, 0, np.nan, 0.5]), np.array([0, 0, 1, np.nan])
    with pytest.warns(UserWarning, match="2 of 4 rows have no score") as caught:
        found = compare_predictions(a, b, scores=True)
    assert caught[0].filename == __file__
    assert (found.n_rows, found.n_dropped) == (2, 2)
    assert found.dropped == {"unscored": [2, 3]}
    assert "2 unscored (2, 3)" in found.sentence()


# ----- tables -------------------------------------------------------------------------


def tables(n=60):
    a, b, truth = pair(n)
    ids = np.array([f"r{i}" for i in range(n)], dtype=object)
    first = pd.DataFrame(
        {"id": ids, "answer": a, "y_true": truth, "site": np.arange(n) % 3}
    )
    second = pd.DataFrame({"id": ids, "prediction": b})
    return first, second


def test_tables_are_joined_by_their_ids():
    first, second = tables()
    plain = compare_predictions(
        first["answer"].to_numpy(), second["prediction"].to_numpy(), first["y_true"]
    )
    shuffled = second.sample(frac=1, random_state=0)
    found = compare_predictions(first, shuffled, on="id")
    assert found.difference == plain.difference
    assert set(found.flipped_rows.index) <= set(first["id"])
    assert found.to_dict()["kappa"] == plain.to_dict()["kappa"]
    by_index = compare_predictions(first.set_index("id"), shuffled.set_index("id"))
    assert by_index.to_dict() == found.to_dict()
    series = compare_predictions(
        first.set_index("id")["answer"],
        shuffled.set_index("id")["prediction"],
        first.set_index("id")["y_true"].sample(frac=1, random_state=1),
    )
    assert series.to_dict() == found.to_dict()


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_tables_of_other_libraries(library):
    module = pytest.importorskip(library)
    first, second = tables()
    expected = compare_predictions(first, second, on="id", groups="site")

    def converted(table):
        if library == "polars":
            return module.DataFrame({c: table[c].to_list() for c in table})
        return module.table({c: table[c].to_list() for c in table})

    found = compare_predictions(
        converted(first), converted(second), on="id", groups="site"
    )
    assert found.to_dict() == expected.to_dict()
    truth = converted(first[["id", "y_true"]].iloc[::-1])
    found = compare_predictions(
        converted(first.drop(columns="y_true")), second, truth, on="id", groups="site"
    )
    assert found.to_dict() == expected.to_dict()


def test_what_does_not_join_is_named():
    first, second = tables(12)
    second = second.drop(index=[3, 4])
    second.loc[100] = second.loc[6]
    second.loc[101] = ["extra", 1]
    second["y_true"] = first["y_true"].reindex(second.index, fill_value=0)
    second.loc[7, "y_true"] += 1
    second.loc[100, "y_true"] = second.loc[6, "y_true"]
    words = ["'r3'", "'r4'", "'r6'", "'extra'", "'r7'", "y_true", "more than once in b"]
    refused(first, second, on="id", words=words)
    words = ["'r6'", "'r7'"]
    refused(first, second, on="id", allow="unmatched", words=words)
    found = compare_predictions(
        first, second, on="id", allow=["unmatched", "duplicates", "changed"]
    )
    assert (found.n_rows, found.n_dropped) == (12 - 4, 5)
    assert found.dropped == {
        "duplicates": ["r6"],
        "unmatched": ["r3", "r4", "extra"],
        "changed": ["r7"],
    }
    assert "3 unmatched ('r3', 'r4', 'extra')" in found.sentence()
    refused(first, second, on="id", allow="missing", words=["'missing'", "'changed'"])


def test_refusals_name_the_way_out():
    first, second = tables()
    a, b, truth = pair(60)
    refused(a, b[:-1], words=["60", "59", "on="])
    refused(a[:1], b[:1], words=["two or more"])
    refused(a, [str(v) for v in b], words=["a and b", "text", "numbers"])
    refused(a, b + 0.5, truth, words=["fractions", "scores=True"])
    refused(RNG.random((60, 3)), b, words=["(60, 3)", "argmax"])
    refused(a, [None, *b[1:]], truth, words=["b", "row"])
    masked = np.ma.masked_array(a, mask=np.arange(60) == 7)
    refused(masked, b, truth, words=["a is missing", "(7)"])
    refused(a, b, masked, words=["y_true", "row 7"])
    refused(first, second, truth, words=["'f1'", "site"], scores="f1")
    refused(first, second, "gold", on="id", words=["'gold'", "answer"])
    two = second.assign(target=truth)
    refused(first, two, on="id", words=["'y_true'", "'target'"])
    refused(first, second, on="key", words=["'key'", "id"])
    refused(first, second, on="id", groups="town", words=["'town'", "site"])
    refused(a, b, truth, groups=np.zeros(60), words=["one group"])
    refused(a, b, truth, groups=[1, 2], words=["groups", "2", "60"])
    refused(a, b, truth, on="id", words=["'id'", "array"])
    refused(first.assign(pred=a), second, on="id", words=["answer", "pred"])
    refused(first, second, on="id", scores=True, words=["scores='...'"])
    refused(a, np.where(b == 1, np.inf, b), truth, words=["b", "infinity"])
    doubled = pd.concat([first, first["site"]], axis=1)
    refused(doubled, second, on="id", words=["'site'", "two columns"])
    refused(first.set_index("id"), second.set_index(second["id"] + "x"), words=["'r0'"])
    numbered = second.assign(id=np.arange(60))
    refused(first, numbered, on="id", words=["kinds", "'r0'", "0"])
    gap = first.assign(id=[None, *first["id"][1:]])
    refused(gap, second, on="id", words=["no id", "row 0"])
    scored = first.assign(f1="high")
    refused(scored, scored, on="id", scores="f1", words=["no numbers", "'high'"])
    model = PerformanceDifference()
    refused(model, b, words=["predict"])


def test_text_labels_may_be_lists():
    found = compare_predictions(
        ["u", "v", "u"], ["u", "u", "u"], ["u", "v", "v"], groups=["g", "g", "h"],
        slices=["p", "q", "q"],
    )  # fmt: skip
    assert found.n_clusters == 2
    assert list(found.slices.index) == ["slice=p", "slice=q"]


# ----- margin, costs, slices ----------------------------------------------------------


def test_margin_with_groups_allows_for_skewness():
    a, b, truth = pair()
    groups = np.arange(200) // 5
    found = compare_predictions(a, b, truth, groups=groups, margin=0.1)
    sums = np.sum(((a == truth) * 1 - (b == truth)).reshape(40, 5), axis=1)
    skew = stats.skew(sums) / 40**0.5
    pvalues = []
    for side in (1, -1):
        t = side * (found.difference - side * 0.1) / found.standard_error
        k = side * skew
        hall = t + k * t**2 / 3 + k**2 * t**3 / 27 + k / 6
        pvalues.append(max(stats.t.cdf([t, hall], 39)))
    assert found.noninferiority_pvalue == pytest.approx(pvalues[0], rel=1e-9)
    assert found.equivalence_pvalue == pytest.approx(max(pvalues), rel=1e-9)
    assert found.is_noninferior == (found.noninferiority_pvalue < 0.05)
    assert found.is_equivalent == (found.equivalence_pvalue < 0.05)


def test_margin_in_words():
    a, b, truth = pair()
    for margin, words in [(0.001, "is not shown"), (0.5, "are equivalent within")]:
        text = compare_predictions(a, b, truth, margin=margin).sentence()
        assert words in text
        assert f"{100 * margin:g} points" in text


def test_noninferiority_is_of_b():
    truth = np.ones(400, dtype=int)
    better = compare_predictions(truth * 0, truth, truth, margin=0.1)
    assert better.is_noninferior
    assert not better.is_equivalent
    worse = compare_predictions(truth, truth * 0, truth, margin=0.1)
    assert not worse.is_noninferior


def test_costs_by_hand():
    truth = np.array([0, 0, 1, 1])
    a, b = np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1])
    costs = [[0, 1], [5, 0]]  # a missed 1 costs five times a false alarm
    found = compare_predictions(a, b, truth, costs=costs)
    assert (found.cost_a, found.cost_b) == (6 / 4, 0)
    assert found.cost_difference == 6 / 4
    assert found.cost_pvalue == 0.5
    named = {0: {0: 0, 1: 1}, 1: {0: 5, 1: 0}}
    table = pd.DataFrame(costs)
    for other in (named, table):
        again = compare_predictions(a, b, truth, costs=other)
        assert again.to_dict() == found.to_dict()
    flat = compare_predictions(a, b, truth, costs=1 - np.eye(2))
    assert flat.cost_difference == -flat.difference
    assert "costs" in found.sentence()
    refused(a, b, truth, costs=np.ones((3, 3)), words=["(3, 3)", "2 classes"])
    refused(a, b, truth, costs={0: {0: 0}}, words=["costs", "1"])
    refused(a, b, truth, costs=[[0, np.inf], [1, 0]], words=["finite", "0", "1"])
    refused(a, b, truth, costs="high", words=["costs", "matrix"])
    refused(a, b, costs=costs, words=["y_true"])


def test_slices_are_comparisons_of_their_rows():
    first, second = tables(90)
    joined = {
        "site": "site",
        "late": lambda rows: rows["site"] == 2,
        "half": np.arange(90) < 45,
    }
    found = compare_predictions(first, second, on="id", slices=joined, margin=0.2)
    names = ["site=0", "site=1", "site=2", "late", "half"]
    assert list(found.slices.index) == names
    for name, rows in [("site=1", first["site"] == 1), ("half", np.arange(90) < 45)]:
        alone = compare_predictions(first[rows], second[rows], on="id", margin=0.2)
        row = found.slices.loc[name]
        assert (row["low"], row["high"]) == alone.difference_interval
        assert row["pvalue"] == alone.pvalue
        assert row["n_rows"] == alone.n_rows
        assert row["equivalence_pvalue"] == alone.equivalence_pvalue
        assert row["agreement"] == pytest.approx(alone.agreement)
    np.testing.assert_array_equal(
        found.slices.loc["site=2"].drop("pvalue_holm"),
        found.slices.loc["late"].drop("pvalue_holm"),
    )
    assert found.smallest_slices == names[:3]
    assert list(found.to_frame().index) == ["all rows", *names]
    for spec in ("site", ["site"], first["site"], {"site": first["site"].tolist()}):
        again = compare_predictions(first, second, on="id", slices=spec)
        assert list(again.slices.index) == names[:3]


def test_slices_of_all_kinds_of_values():
    a, b, truth = pair(40)
    table = pd.DataFrame(
        {
            "size": pd.cut(np.arange(40), [-1, 9, 25, 39]),
            "grade": [2.0, 10.0, np.nan, 2.0] * 10,
            "mixed": ["x", 1, "x", 2] * 10,
            "day": pd.date_range("2026-11-28", periods=2).repeat(20),
        }
    )
    found = compare_predictions(a, b, truth, slices=table).slices
    names = ["size=(-1, 9]", "size=(9, 25]", "size=(25, 39]"]
    names += ["grade=2.0", "grade=10.0", "grade=missing"]
    names += ["mixed=1", "mixed=2", "mixed=x"]
    assert list(found.index[:9]) == names
    assert found["n_rows"].tolist()[:3] == [10, 16, 14]
    refused(a, b, truth, slices={"g": pd.Series([1, "1"] * 20)}, words=["'g=1'"])


def test_holm_over_all_slices():
    a, b, truth = pair(400)
    b[:60] = -1
    slices = {"first": np.arange(400) < 60, "other": np.arange(400) % 4}
    found = compare_predictions(a, b, truth, slices=slices).slices
    order = np.sort(found["pvalue"].to_numpy())
    factors = 5 - np.arange(5)
    expected = np.minimum(1, np.maximum.accumulate(order * factors))
    np.testing.assert_allclose(np.sort(found["pvalue_holm"]), expected)
    assert (found["pvalue_holm"] >= found["pvalue"]).all()


def test_groups_within_slices():
    a, b, truth = pair(120)
    groups, side = np.arange(120) // 2, np.arange(120) % 2
    found = compare_predictions(a, b, truth, groups=groups, slices={"side": side})
    # a slice has one row of each group: these are independent
    alone = compare_predictions(a[::2], b[::2], truth[::2])
    row = found.slices.loc["side=0"]
    assert (row["low"], row["high"]) == alone.difference_interval
    assert row["n_clusters"] == 60


def test_slices_are_refused_by_name():
    a, b, truth = pair()
    refused(a, b, truth, slices={"none": np.zeros(200, bool)}, words=["'none'"])
    many = {"row": np.arange(200) % 2, "all": lambda rows: rows.index[:10]}
    refused(a, b, truth, slices=many, words=["'all'", "10", "200"])
    refused(a, b, truth, slices=[lambda r: r, lambda r: r], words=["dict"])
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=2000)
    values = {"length": rng.random(2000)}
    refused(labels, labels, labels, slices=values, words=["'length'", "2000", "bins"])


def test_reversals_are_warned_of():
    """One large slice favours a, and all others b."""
    site = np.repeat([0, 1, 2, 3, 4], [400, 40, 40, 40, 40])
    truth = np.ones(560, dtype=int)
    a, b = truth.copy(), truth.copy()
    b[:100] = 0
    for start in (400, 440, 480, 520):
        a[start : start + 12] = 0
    with pytest.warns(UserWarning, match="reversal: a scores higher.*4 of 5") as caught:
        found = compare_predictions(a, b, truth, slices={"site": site})
    assert caught[0].filename == __file__
    assert list(found.reversals) == ["site"]
    assert "4 of 5 slices of site" in found.sentence()
    masks = {f"site {i}": site == i for i in (1, 2)}
    with pytest.warns(UserWarning, match="2 of 2 slices of the slices"):
        compare_predictions(a, b, truth, slices=masks)
    swapped = {"site": site}
    with pytest.warns(UserWarning, match="b scores higher"):
        compare_predictions(b, a, truth, slices=swapped)


def test_slices_without_a_truth():
    a, b, _ = pair()
    found = compare_predictions(a, b, slices={"odd": np.arange(200) % 2 == 1})
    assert list(found.slices.columns) == [
        *("n_rows", "n_clusters", "agreement", "low", "high")
    ]
    assert found.slices.loc["odd", "agreement"] == np.mean((a == b)[1::2])
    assert "odd (100 rows)" in found.sentence()


# ----- any order ----------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(6, 60),
    grouped=st.booleans(),
    scored=st.booleans(),
)
def test_order_of_rows_never_matters(seed, n, grouped, scored):
    rng = np.random.default_rng(seed)
    a, b, truth = pair(n, seed)
    table = pd.DataFrame({"id": np.arange(n), "answer": a, "target": truth})
    other = pd.DataFrame({"id": np.arange(n), "answer": b})
    if scored:
        table["f1"], other["f1"] = rng.random((2, n))
    table["g"], table["s"] = rng.integers(n // 2, size=n), rng.integers(2, size=n)
    known = {
        "on": "id",
        "groups": "g" if grouped else None,
        "scores": "f1" if scored else None,
        "slices": "s",
        "margin": 0.1,
    }
    if table["g"].nunique() < 2:
        known["groups"] = None
    with np.errstate(all="raise"):
        found = _quietly(table, other, **known)
        again = _quietly(
            table.sample(frac=1, random_state=seed),
            other.sample(frac=1, random_state=seed + 1),
            **known,
        )
    pd.testing.assert_frame_equal(found.to_frame(), again.to_frame(), rtol=1e-9)
    pd.testing.assert_frame_equal(
        found.flipped_rows, again.flipped_rows.sort_index(), check_names=False
    )
    one, other = found.to_dict(), again.to_dict()
    for name in ("slices", "flipped_rows"):
        del one[name], other[name]
    assert json.dumps(one) == json.dumps(one)
    for name, value in one.items():
        if isinstance(value, float) or (isinstance(value, dict) and "low" in value):
            assert other[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
        else:
            assert other[name] == value, name


def _quietly(*args, **kwargs):
    """Few rows may well have slices that say the opposite."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        return compare_predictions(*args, **kwargs)


# ----- the record ---------------------------------------------------------------------


def test_record_goes_through_strict_json():
    first, second = tables()
    found = compare_predictions(
        first, second, on="id", slices="site", margin=0.1, costs=1 - np.eye(4)
    )
    record = found.to_dict()
    json.dumps(record, allow_nan=False)
    wanted = (
        "n_rows n_dropped n_clusters accuracy_a accuracy_b difference "
        "difference_interval standard_error mcnemar_pvalue agreement "
        "disagreement_interval positive_flips negative_flips"
    )
    assert set(wanted.split()) <= set(record)
    assert record["slices"]["index"] == ["site=0", "site=1", "site=2"]
    right = compare_predictions(first["y_true"], first["y_true"], first["y_true"])
    assert right.to_dict()["error_consistency"] is None
    assert math.isnan(right.error_consistency)
    json.dumps(right.to_dict(), allow_nan=False)


def test_sentence_of_a_release():
    truth = np.repeat([0, 1], 50)
    a = truth.copy()
    b = np.where(np.arange(100) < 10, 1 - truth, truth)
    found = compare_predictions(a, b, truth, slices={"class": truth})
    assert found.sentence() == (
        "On 100 rows, a is right on 100.0% and b on 90.0%: a minus b is +10.0 points "
        "(95% interval +5.5 to +17.4, Tango's score interval; p = 0.002, exact "
        "McNemar). From a to b 0 rows became right and 10 wrong. The smallest of 2 "
        "slices: class=0 (50 rows), class=1 (50 rows). After Holm's correction a and "
        "b differ in: class=0 (a minus b +0.2, p = 0.0039)."
    )


def test_tables_in_two_orders_are_told_of_ids():
    order = np.random.default_rng(0).permutation(40)
    a = pd.DataFrame({"id": range(40), "answer": [0, 1] * 20, "truth": [0, 1] * 20})
    with pytest.raises(ValueError, match=r"different truth .* order: .* by on='"):
        compare_predictions(a, a.iloc[order].reset_index(drop=True), "truth")
    assert compare_predictions(a, a.iloc[order], "truth", on="id").agreement == 1
