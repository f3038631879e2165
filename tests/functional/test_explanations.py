"""Agreement of explanations."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression

from sksim.base._tags import tags_of
from sksim.functional import ExplanationAgreement, GroupExplanationAgreement
from sksim.inference import similarity_interval, similarity_test
from sksim.models import input_gradients
from sksim.pairwise._chance import Designs
from tests._reference import newer_cases

CASES = list(newer_cases("explanations", "two_outputs"))
KINDS = {
    "FA": "feature",
    "RA": "rank",
    "SA": "sign",
    "SRA": "signed_rank",
    "RC": "rank_correlation",
    "PRA": "pairwise_rank",
}


def known(values):
    return [np.nan if value is None else value for value in values]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("case, arrays, values", CASES, ids=[c[0] for c in CASES])
@pytest.mark.parametrize("name", KINDS)
def test_values_by_definition(case, arrays, values, name):
    measure = ExplanationAgreement(KINDS[name], k=values["k"])
    measure.fit(arrays["a"], arrays["b"])
    assert_allclose(measure.row_values_, known(values[name]), rtol=1e-10, atol=1e-12)
    (mean,) = known([values["means"][name]])
    assert_allclose(measure.statistic_, mean, rtol=1e-10, atol=1e-12)
    group = GroupExplanationAgreement(KINDS[name], k=values["k"])
    group.fit([arrays["a"], arrays["b"]])
    assert_allclose(group.statistic_, mean, rtol=1e-10, atol=1e-12)
    assert_allclose(group.row_values_, measure.row_values_, rtol=1e-12)


def test_ties_and_signs_by_hand():
    first, second = [[1.0, -1.0, 0.5, 0.0]], [[-1.0, 1.0, 1.0, 0.0]]
    found = {
        kind: ExplanationAgreement(kind, k=2).fit(first, second).similarity_
        for kind in KINDS.values()
    }
    # of equal magnitudes the first: 0, 1 in both, and both signs are turned
    assert (found["feature"], found["rank"]) == (1, 1)
    assert (found["sign"], found["signed_rank"]) == (0, 0)
    # pairs 0-1 (equal, equal), 0-2, 1-2 (larger, equal), 0-3, 1-3, 2-3 (larger, larger)
    assert_allclose(found["pairwise_rank"], 4 / 6)
    zeros = ExplanationAgreement("sign", k=4).fit(first, second).similarity_
    assert zeros == 2 / 4  # .5 and 1, and 0 and 0


def test_a_quarter_of_the_features():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 40, 10))
    value = ExplanationAgreement().fit(first, second).similarity_
    assert value == ExplanationAgreement(k=3).fit(first, second).similarity_


def test_rows_whose_features_are_all_alike():
    first, second = [[1.0, -1, 1], [3, 2, 1]], [[3.0, 2, 1], [3, 2, 1]]
    measure = ExplanationAgreement("rank_correlation").fit(first, second)
    assert measure.similarity_ == 1
    np.testing.assert_array_equal(measure.row_values_, [np.nan, 1])
    with pytest.warns(UndefinedMetricWarning, match="all alike"):
        measure.fit(first[:1], second[:1])
    assert math.isnan(measure.similarity_)
    with pytest.warns(UndefinedMetricWarning):
        group = GroupExplanationAgreement("rank_correlation").fit(
            [np.array(first[:1]), np.array(second[:1])]
        )
    assert math.isnan(group.similarity_)


def test_a_group_is_the_mean_of_its_pairs():
    models = list(np.random.default_rng(0).normal(size=(4, 20, 6)))
    measure = GroupExplanationAgreement("sign", k=2).fit(models)
    pair = ExplanationAgreement("sign", k=2)
    for i in range(4):
        for j in range(i):
            assert (
                measure.pair_values_[i, j]
                == pair.fit(*models[j : i + 1 : i - j]).statistic_
            )
    upper = measure.pair_values_[np.triu_indices(4, 1)]
    assert_allclose(measure.similarity_, upper.mean())
    assert_allclose(measure.row_values_.mean(), measure.similarity_)


@pytest.mark.parametrize("kind", KINDS.values())
def test_features_of_unlike_explanations_agree_by_chance(kind):
    first, second = np.random.default_rng(1).normal(size=(2, 300, 8))
    result = similarity_test(
        ExplanationAgreement(kind, k=2),
        first,
        second,
        n_permutations=199,
        random_state=0,
    )
    by_chance = {
        "feature": 2 / 8,
        "rank": 1 / 8,
        "sign": 1 / 8,
        "signed_rank": 1 / 16,
        "rank_correlation": 0,
        "pairwise_rank": 1 / 2,
    }
    assert abs(result.null_mean - by_chance[kind]) < 0.01
    assert result.pvalue > 0.01


def test_both_nulls_ask_what_they_say():
    """The same features for all cases: alike beyond chance, but not case by case."""
    rng = np.random.default_rng(0)
    weights = np.linspace(0, 3, 12)
    first, second = weights + rng.normal(size=(2, 60, 12))
    setting = {"n_permutations": 199, "random_state": 0}
    features, rows = (
        similarity_test(ExplanationAgreement(null=null), first, second, **setting)
        for null in ("features", "rows")
    )
    assert features.pvalue == 1 / 200
    assert rows.pvalue > 0.05
    assert features.null_mean < rows.null_mean
    design = Designs(None, "auto", "rows", None, n_samples=60, seed=0)
    assert design.of(tags_of(ExplanationAgreement()))[1] == "features within rows"


def test_groups_of_rows_keep_one_order():
    """Copies of one explanation are one piece of evidence, not many."""
    rng = np.random.default_rng(0)
    first, second = (np.repeat(rng.normal(size=(3, 6)), 40, axis=0) for _ in "ab")
    second[:40] = first[:40]
    groups = np.repeat([0, 1, 2], 40)
    setting = {"n_permutations": 199, "random_state": 0}
    free = similarity_test(ExplanationAgreement(k=2), first, second, **setting)
    whole = similarity_test(
        ExplanationAgreement(k=2), first, second, groups=groups, **setting
    )
    assert free.pvalue == 1 / 200 < whole.pvalue
    models = [first, second, np.repeat(rng.normal(size=(3, 6)), 40, axis=0)]
    group = similarity_test(
        GroupExplanationAgreement(k=2), models, groups=groups, **setting
    )
    assert group.pvalue > 1 / 200
    with pytest.raises(ValueError, match="features within rows, which permute='shift'"):
        similarity_test(ExplanationAgreement(), first, second, permute="shift")


def test_gradients_of_models():
    X, y = load_iris(return_X_y=True)
    models = [LogisticRegression(C=C, max_iter=1000).fit(X, y) for C in (0.1, 10)]
    gradients = [input_gradients(model, X, y) for model in models]
    measure = ExplanationAgreement("signed_rank", k=2).fit(*gradients)
    assert 0 < measure.similarity_ <= 1
    assert ExplanationAgreement(k=2).fit(gradients[0], gradients[0]).similarity_ == 1


def test_bad_input():
    good = np.ones((3, 4))
    with pytest.raises(ValueError, match="k is 5, and there are 4 features"):
        ExplanationAgreement(k=5).fit(good, good)
    with pytest.raises(ValueError, match="of one feature"):
        ExplanationAgreement().fit(good[:, :1], good[:, :1])
    with pytest.raises(ValueError, match="columns"):
        ExplanationAgreement().fit(good, good[:, :3])
    with pytest.raises(ValueError, match="compares attributions"):
        model = DummyClassifier().fit(good, [0, 1, 1])
        ExplanationAgreement.from_estimators(model, model, good)
    with pytest.raises(ValueError, match="kind"):
        ExplanationAgreement("cosine").fit(good, good)


@pytest.mark.slow
@pytest.mark.parametrize("n_samples", [5, 50])
@pytest.mark.parametrize("kind", ["feature", "rank_correlation"])
def test_level_and_coverage(kind, n_samples):
    rng = np.random.default_rng(0)
    found, covered, runs = 0, 0, 300
    truth = {"feature": 1 / 3, "rank_correlation": 0}[kind]
    measure = ExplanationAgreement(kind, k=2)
    for _ in range(runs):
        first, second = rng.normal(size=(2, n_samples, 6))
        seed = int(rng.integers(2**31))
        test = similarity_test(
            measure, first, second, n_permutations=99, random_state=seed
        )
        found += test.pvalue <= 0.05
        low, high = similarity_interval(measure, first, second).confidence_interval
        covered += low <= truth <= high
    assert found <= 0.05 * runs + 3 * math.sqrt(0.05 * 0.95 * runs)
    assert covered >= 0.92 * runs
