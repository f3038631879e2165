"""Protocols on matrices: worked values, double loops, what leaves them as they are."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import average_precision_score

from sksim.evaluation import (
    compare_protocols,
    grouping,
    layer_identification,
    lineage,
    monotonicity,
    prediction_grounding,
    pruning_order,
)

# worked by hand, and by the definitions of ReSi
S = [
    [9, 5, 4, 3, 2, 5],
    [5, 9, 4, 1, 4, 2],
    [4, 4, 9, 0, 1, 1],
    [3, 1, 0, 9, 6, 4],
    [2, 4, 1, 6, 9, 2],
    [5, 2, 1, 4, 2, 9],
]
LAYERS = [[9, 5, 6, 2], [5, 9, 5, 5], [6, 5, 9, 7], [2, 5, 7, 9]]


def symmetric(rng, n, n_values=None):
    """Random scores, with ties if they have few values."""
    values = rng.normal(size=(n, n))
    if n_values is not None:
        values = rng.integers(n_values, size=(n, n))
    return np.triu(values, 1) + np.triu(values, 1).T


def test_worked_values():
    result = grouping(S, list("000111"))
    assert_allclose(result.auroc, 0.833333, atol=1e-6)
    assert_allclose(result.per_level["auroc"], [0.870370, 0.796296], atol=1e-6)
    assert_allclose(result.conformity, 0.777778, atol=1e-6)
    assert_allclose(result.auprc, 0.595833, atol=1e-6)
    assert_allclose(result.dprime, 1.492591, atol=1e-6)
    assert math.isnan(result.dose)
    result = monotonicity({"model": LAYERS})
    assert_allclose([result.conformity, result.spearman], [0.75, 1 / 6])
    two = [[9, 1, 3, 2], [1, 9, 2, 2], [3, 2, 9, 4], [2, 2, 4, 9]]
    identified = layer_identification(two, ["a", "a", "b", "b"], symmetrize=True)
    assert (identified.value, identified.chance) == (0.75, 0.5)
    result = lineage([[3, 1, 2], [2, 2, 1], [1, 3, 2]], [0, 1, 2])
    assert (result.top1, result.auroc, result.chance) == (0.5, 0.75, 1 / 3)


# ----- grouping -----------------------------------------------------------------------


def grouping_by_loops(matrix, groups):
    """AUROC, conformity, AUPRC, d' and dose, pair by pair."""
    n, levels = len(matrix), sorted(set(groups))
    per_level = []
    for level in levels:
        inside, outside = [], []
        for i, j in itertools.combinations(range(n), 2):
            ends = [groups[i], groups[j]].count(level)
            if ends == 2:
                inside.append(matrix[i][j])
            elif ends == 1:
                outside.append(matrix[i][j])
        wins = sum(a > b for a in inside for b in outside)
        ties = sum(a == b for a in inside for b in outside)
        n_pairs = len(inside) * len(outside)
        truth = [1] * len(inside) + [0] * len(outside)
        per_level.append(
            [
                (wins + ties / 2) / n_pairs,
                wins / n_pairs,
                average_precision_score(truth, inside + outside),
            ]
        )
    same = {True: [], False: []}
    steps, distances = [], []
    for i, j in itertools.combinations(range(n), 2):
        same[groups[i] == groups[j]].append(matrix[i][j])
        if groups[i] != groups[j]:
            steps.append(abs(groups[i] - groups[j]))
            distances.append(-matrix[i][j])
    spread = math.sqrt((np.var(same[True]) + np.var(same[False])) / 2)
    dprime = (np.mean(same[True]) - np.mean(same[False])) / spread
    dose = stats.spearmanr(distances, steps).statistic
    return [*np.mean(per_level, axis=0), dprime, dose]


@pytest.mark.parametrize("n_values", [None, 4])
@pytest.mark.parametrize("seed", range(5))
def test_grouping_equals_the_loops(seed, n_values):
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.repeat([0, 1, 3], [3, 4, 5]))
    matrix = symmetric(rng, 12, n_values)
    result = grouping(matrix, groups)
    assert_allclose(result.metrics["value"], grouping_by_loops(matrix, groups))
    for left_out in (0, 7):
        kept = np.delete(np.arange(12), left_out)
        expected = grouping_by_loops(matrix[np.ix_(kept, kept)], groups[kept])
        assert_allclose(result.leave_one_outs.iloc[left_out], expected)


def test_what_leaves_grouping_as_it_is():
    rng = np.random.default_rng(0)
    groups, matrix = np.repeat([0, 25, 100], 4), symmetric(rng, 12)
    result = grouping(matrix, groups)
    rank_based = ["auroc", "conformity", "auprc", "dose"]
    monotone = grouping(np.exp(3 * matrix), groups)
    assert_allclose(monotone.metrics.loc[rank_based], result.metrics.loc[rank_based])
    assert monotone.dprime != pytest.approx(result.dprime)
    order = rng.permutation(12)
    moved = grouping(matrix[np.ix_(order, order)], groups[order])
    assert_allclose(moved.metrics, result.metrics)
    turned = grouping(matrix, 100 - groups)
    assert_allclose(turned.metrics, result.metrics)
    asymmetric = matrix + np.triu(rng.normal(size=(12, 12)))
    halves = (asymmetric + asymmetric.T) / 2
    assert_allclose(
        grouping(asymmetric, groups).metrics, grouping(halves, groups).metrics
    )


def test_infinite_scores():
    """As Kullback and Leibler's of a forest that is sure of what is wrong."""
    rng = np.random.default_rng(0)
    groups, matrix = np.repeat([0, 1, 2], 4), symmetric(rng, 12)
    lowest = np.where(matrix < -1, -np.inf, matrix)
    floor = np.where(matrix < -1, -50.0, matrix)
    found, expected = (grouping(m, groups).metrics["value"] for m in (lowest, floor))
    assert np.isinf(lowest).any()
    assert_allclose(found.drop("dprime"), expected.drop("dprime"))
    assert math.isnan(found["dprime"])


def test_average_precision_by_chance():
    """About the share of pairs in a group, and more of few models: not one half."""
    rng = np.random.default_rng(0)
    groups = np.repeat(range(5), 5)
    results = [grouping(symmetric(rng, 25), groups) for _ in range(30)]
    values = [result.auprc for result in results]
    chance = results[0].metrics.loc["auprc", "chance"]
    assert_allclose(chance, 0.126, atol=1e-3)
    error = np.std(values) / len(values) ** 0.5
    assert abs(np.mean(values) - chance) < 3 * error
    assert abs(np.mean(values) - 10 / 110) > 3 * error


def test_dose_needs_numbers():
    rng = np.random.default_rng(0)
    matrix = symmetric(rng, 6)
    assert math.isnan(grouping(matrix, list("aabbcc")).dose)
    assert not math.isnan(grouping(matrix, [0, 0, 1, 1, 2, 2]).dose)
    column = pd.Series([0, 0, 1, 1, 2, 2], dtype=object)
    assert not math.isnan(grouping(matrix, column).dose)


def test_bad_groups_and_scores():
    rng = np.random.default_rng(0)
    matrix = symmetric(rng, 6)
    groups = [0, 0, 0, 1, 1, 1]
    with pytest.raises(ValueError, match="one group only, 0"):
        grouping(matrix, [0] * 6)
    with pytest.raises(ValueError, match="Group 2 has one model"):
        grouping(matrix, [0, 0, 0, 1, 1, 2])
    with pytest.raises(ValueError, match="one entry for each of the 6 models"):
        grouping(matrix, [0, 0, 1, 1])
    with pytest.raises(ValueError, match="no entry for model 1"):
        grouping(matrix, [0, np.nan, 0, 1, 1, 1])
    with pytest.raises(ValueError, match="one row and one column for each model"):
        grouping(matrix[:4], groups)
    lacking = matrix.copy()
    lacking[1, 4] = np.nan
    with pytest.raises(ValueError, match="no number for model 1 against 4"):
        grouping(lacking, groups)
    distances = pd.DataFrame(matrix)
    distances.attrs["orientation"] = "distance"
    with pytest.raises(ValueError, match="output='score'"):
        grouping(distances, groups)
    names = list("abcdef")
    named = pd.DataFrame(matrix, index=names, columns=names)
    with pytest.raises(ValueError, match="groups"):
        grouping(named, pd.Series(groups, index=names[::-1]))


# ----- layers in order ----------------------------------------------------------------


def monotonicity_by_loops(matrix):
    n, right, correlations = len(matrix), [], []
    for layer in range(n):
        for side in (range(layer + 1, n), range(layer - 1, -1, -1)):
            side = list(side)
            for near, far in itertools.combinations(side, 2):
                right.append(matrix[layer][near] >= matrix[layer][far])
            scores = [-matrix[layer][other] for other in side]
            if len(set(scores)) > 1:
                distances = [abs(layer - other) for other in side]
                correlations.append(stats.spearmanr(scores, distances).statistic)
    return np.mean(right), np.mean(correlations)


@pytest.mark.parametrize("n_values", [None, 3])
def test_monotonicity_equals_the_loops(n_values):
    rng = np.random.default_rng(0)
    models = {name: symmetric(rng, 6, n_values) for name in "abcd"}
    result = monotonicity(models)
    each = {name: monotonicity_by_loops(matrix) for name, matrix in models.items()}
    assert_allclose(result.metrics["value"], np.mean(list(each.values()), axis=0))
    without = [value for name, value in each.items() if name != "b"]
    assert_allclose(result.leave_one_outs.loc["b"], np.mean(without, axis=0))
    monotone = monotonicity({name: 3 * m**3 for name, m in models.items()})
    assert_allclose(monotone.metrics, result.metrics)


def test_ties_are_right_in_monotonicity_and_wrong_in_grouping():
    equal = np.ones((4, 4))
    assert monotonicity([equal]).conformity == 1
    assert grouping(equal, [0, 0, 1, 1]).conformity == 0
    assert grouping(equal, [0, 0, 1, 1]).auroc == 0.5
    with pytest.raises(ValueError, match="Model 'm' has 2 layers"):
        monotonicity({"m": np.ones((2, 2))})
    with pytest.raises(ValueError, match="empty"):
        monotonicity({})


# ----- grounding ----------------------------------------------------------------------


@pytest.mark.parametrize("n_values", [None, 4])
def test_grounding_equals_the_loops(n_values):
    rng = np.random.default_rng(1)
    matrix, accuracy = symmetric(rng, 8, n_values), rng.random(8).round(1)
    pairs = list(itertools.combinations(range(8), 2))
    scores = [-matrix[i, j] for i, j in pairs]
    differences = [abs(accuracy[i] - accuracy[j]) for i, j in pairs]
    result = prediction_grounding(matrix, accuracy)
    assert_allclose(result.spearman, stats.spearmanr(scores, differences).statistic)
    assert_allclose(result.kendall, stats.kendalltau(scores, differences).statistic)
    as_matrix = np.abs(accuracy[:, None] - accuracy)
    assert_allclose(prediction_grounding(matrix, as_matrix).metrics, result.metrics)


def mantel_by_loops(matrix, accuracy, alternative):
    def statistic(order):
        moved = accuracy[list(order)]
        pairs = list(itertools.combinations(range(len(matrix)), 2))
        scores = [-matrix[i, j] for i, j in pairs]
        differences = [abs(moved[i] - moved[j]) for i, j in pairs]
        value = stats.spearmanr(scores, differences).statistic
        return abs(value) if alternative == "two-sided" else value

    values = [statistic(order) for order in itertools.permutations(range(len(matrix)))]
    return np.mean([value >= values[0] - 1e-9 for value in values])


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
def test_few_models_are_permuted_exactly(alternative):
    rng = np.random.default_rng(3)
    matrix, accuracy = symmetric(rng, 5), rng.random(5)
    results = [
        prediction_grounding(
            matrix, accuracy, n_permutations=n, alternative=alternative, random_state=n
        )
        for n in (1, 999)
    ]
    expected = mantel_by_loops(matrix, accuracy, alternative)
    assert_allclose([result.pvalue for result in results], expected)


def test_many_models_are_permuted_at_random():
    rng = np.random.default_rng(0)
    place = rng.normal(size=12)
    matrix = -np.abs(place[:, None] - place)
    found = prediction_grounding(matrix, place, n_permutations=99, random_state=0)
    assert found.pvalue == 0.01
    assert found.spearman == pytest.approx(1)
    unasked = prediction_grounding(matrix, place)
    assert math.isnan(unasked.pvalue)
    grouped = grouping(matrix, np.repeat([0, 1], 6), n_permutations=99, random_state=0)
    assert 0 < grouped.pvalue <= 1


def test_bad_target():
    matrix = symmetric(np.random.default_rng(0), 5)
    with pytest.raises(ValueError, match="or for each two of them"):
        prediction_grounding(matrix, np.ones((4, 4)))
    with pytest.raises(ValueError, match="alternative"):
        prediction_grounding(matrix, range(5), alternative="less")
    names = list("abcde")
    S = pd.DataFrame(matrix, index=names, columns=names)
    target = S.loc[::-1, ::-1]
    with pytest.raises(ValueError, match="target"):
        prediction_grounding(S, target)


# ----- copies -------------------------------------------------------------------------


def test_lineage_equals_the_loops():
    rng = np.random.default_rng(0)
    parents = np.array([0, 1, 2, 3, 0, 1, 2, 3, 2])
    matrix = rng.integers(4, size=(9, 4))
    top, own, others = [], [], []
    for copy, parent in enumerate(parents):
        row = matrix[copy].tolist()
        is_best = row[parent] == max(row)
        top.append(1 / row.count(max(row)) if is_best else 0)
        own.append(row[parent])
        others += [score for place, score in enumerate(row) if place != parent]
    auroc = np.mean([(a > b) + (a == b) / 2 for a in own for b in others])
    result = lineage(matrix, parents)
    assert_allclose([result.top1, result.auroc], [np.mean(top), auroc])
    names = np.array(list("wxyz"))
    named = lineage(pd.DataFrame(matrix, columns=names), names[parents])
    assert_allclose(named.metrics, result.metrics)
    with pytest.raises(ValueError, match="'q', which is no column"):
        lineage(pd.DataFrame(matrix, columns=names), ["q"] * 9)
    with pytest.raises(ValueError, match="one column"):
        lineage(matrix[:, :1], [0] * 9)


def test_pruning_order_is_strict():
    scores = np.array([[0.9], [0.5], [0.5]])
    assert pruning_order(scores, [0] * 3, [30, 50, 70]).value == pytest.approx(2 / 3)
    # 30 and 50 of one parent are never held against those of another
    scores = np.array([[0.9, 0], [0.1, 0], [0, 0.2], [0, 0.3]])
    amounts = [30, 70, 30, 70]
    result = pruning_order(scores, [0, 0, 1, 1], amounts)
    assert result.value == 0.5
    assert result.leave_one_out.tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="there is no order"):
        pruning_order(scores, [0, 0, 1, 1], [30] * 4)


# ----- identification on a matrix -----------------------------------------------------


def test_identification_of_a_matrix_equals_that_of_networks():
    from sksim.datasets import make_layer_stack
    from sksim.pairwise import similarity_matrix

    networks = make_layer_stack(30, 5, 3, n_networks=3, random_state=0)
    layers = {(n, name): R for n, net in enumerate(networks) for name, R in net.items()}
    matrix = similarity_matrix("CKA", layers)
    expected = layer_identification("CKA", networks)
    rows = np.repeat(range(3), 3)
    found = layer_identification(matrix, rows, layers=list(networks[0]))
    assert_allclose(found.found, expected.found)
    assert found.standard_error == expected.standard_error
    assert found.leave_one_out.equals(expected.jackknife)
    with pytest.raises(ValueError, match="one network after the other"):
        layer_identification(matrix, np.tile(range(3), 3))
    with pytest.raises(ValueError, match="layers names 2"):
        layer_identification(matrix, rows, layers=["a", "b"])
    with pytest.raises(ValueError, match="lacks a score"):
        layer_identification(matrix.replace(matrix.iloc[0, 4], np.nan), rows)


# ----- errors -------------------------------------------------------------------------


def test_jackknife_by_the_formula():
    rng = np.random.default_rng(0)
    groups, matrix = np.repeat([0, 1, 2], [3, 4, 5]), symmetric(rng, 12)
    result = grouping(matrix, groups)
    variance = 0
    for group in range(3):
        values = result.leave_one_out[groups == group]
        n = len(values)
        variance += (n - 1) / n * np.sum((values - values.mean()) ** 2)
    assert_allclose(result.standard_error, variance**0.5)
    # Nadeau and Bengio: 1 / J + .25 in place of 1 / J
    equal = np.repeat([0, 1, 2], 4)
    usual = grouping(matrix, equal).standard_error
    resampled = grouping(matrix, equal, resampled_train=0.25).standard_error
    assert_allclose(resampled, usual * 2**0.5)


def test_two_models_of_a_group_have_no_error():
    matrix = symmetric(np.random.default_rng(0), 6)
    result = grouping(matrix, [0, 0, 0, 0, 1, 1])
    assert math.isnan(result.standard_error)
    assert np.isnan(result.metrics.loc["auroc", ["low", "high"]]).all()
    assert not math.isnan(result.value)


def test_at_the_ceiling_limits_are_exact():
    """All of 10 models: no error, and yet a limit, by Clopper and Pearson."""
    groups = np.repeat([0, 1], 5)
    matrix = (groups[:, None] == groups) + symmetric(np.random.default_rng(0), 10) / 100
    result = grouping(matrix, groups)
    assert (result.auroc, result.standard_error) == (1, 0)
    low, high = result.metrics.loc["auroc", ["low", "high"]]
    assert_allclose([low, high], [0.05 ** (1 / 10), 1])
    worst = grouping(-matrix, groups).metrics.loc["auroc", ["low", "high"]]
    assert_allclose(worst, [0, 1 - low])
    # a correlation of 1 is no count of models
    correlated = monotonicity([LAYERS] * 3).metrics.loc["spearman", ["low", "high"]]
    assert correlated.isna().all()


# ----- two measures -------------------------------------------------------------------


def results_of_three(n=5, noise=(0.1, 0.3, 1.0)):
    rng = np.random.default_rng(0)
    groups = np.repeat([0, 1, 2, 3], n)
    far, common = -np.abs(groups[:, None] - groups), symmetric(rng, 4 * n)
    scores = [far + 0.8 * common + sd * symmetric(rng, 4 * n) for sd in noise]
    return {name: grouping(s, groups) for name, s in zip("abc", scores, strict=True)}


def test_compare_is_paired():
    results = results_of_three()
    table = compare_protocols(results)
    assert list(zip(table["first"], table["second"], strict=True)) == [
        *itertools.combinations("abc", 2)
    ]
    for row in table.itertuples():
        first, second = results[row.first], results[row.second]
        differences = first.leave_one_out - second.leave_one_out
        variance = sum(
            4 / 5 * np.sum((part - part.mean()) ** 2)
            for part in np.split(differences.to_numpy(), 4)
        )
        assert_allclose(row.standard_error, variance**0.5)
        assert row.df == 16
        t = (first.value - second.value) / row.standard_error
        assert_allclose(row.pvalue, 2 * stats.t.sf(abs(t), 16))
    unpaired = np.hypot(results["a"].standard_error, results["b"].standard_error)
    assert table["standard_error"].iloc[0] < 0.7 * unpaired
    smallest = table["pvalue"].min()
    assert_allclose(table["pvalue_corrected"].min(), min(1, 3 * smallest))
    dose = compare_protocols(results, metric="dose")
    assert_allclose(dose["difference"].iloc[0], results["a"].dose - results["b"].dose)


def test_bad_comparisons():
    results = results_of_three()
    with pytest.raises(ValueError, match="At least two results"):
        compare_protocols({"a": results["a"]})
    with pytest.raises(ValueError, match="no metric 'kendall'"):
        compare_protocols(results, metric="kendall")
    other = {**results, "other": results_of_three(n=4)["a"]}
    with pytest.raises(ValueError, match="'other' is of other models"):
        compare_protocols(other)
    same = compare_protocols({"a": results["a"], "b": results["a"]})
    assert same[["t", "pvalue", "pvalue_corrected"]].isna().all(axis=None)
