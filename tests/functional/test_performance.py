"""Difference of performance, McNemar's test, exchanges, and routed truth."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import binomtest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.metrics import (
    balanced_accuracy_score,
    fbeta_score,
    get_scorer,
    make_scorer,
)
from sklearn.model_selection import KFold, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sksim.functional import (
    Ambiguity,
    Difficulty,
    DoubleFault,
    JensenShannonDivergence,
    PerformanceDifference,
)
from sksim.inference import similarity_test


@pytest.fixture(scope="module")
def wine():
    X, y = load_wine(return_X_y=True)
    return X, y, _fit_models(X, y)


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return X, y, _fit_models(X[:, :4], y), X[:, :4]


def _fit_models(X, y):
    half = slice(None, None, 2)
    vote = VotingClassifier([("nb", GaussianNB()), ("rf", _forest())], voting="soft")
    models = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": _forest(),
        "vote": vote,
        "calibrated": CalibratedClassifierCV(LinearSVC(random_state=0), cv=2),
    }
    return {name: model.fit(X[half], y[half]) for name, model in models.items()}


def _forest():
    return RandomForestClassifier(8, max_depth=3, random_state=0)


@pytest.mark.parametrize(
    "scoring",
    [
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "matthews_corrcoef",
        "neg_log_loss",
        "roc_auc_ovr",
        "top_k_accuracy",
        make_scorer(fbeta_score, beta=2, average="macro"),
        make_scorer(balanced_accuracy_score, adjusted=True),
    ],
    ids=str,
)
@pytest.mark.parametrize("second", ["forest", "vote", "calibrated"])
def test_from_estimators_equals_scorers_on_models(scoring, second, wine):
    X, y, models = wine
    a, b = models["logistic"], models[second]
    scorer = get_scorer(scoring)
    measure = PerformanceDifference.from_estimators(
        a, b, X, y, scoring=scoring, signed=True
    )
    expected = scorer(a, X, y), scorer(b, X, y)
    assert_allclose((measure.performance_x_, measure.performance_y_), expected)
    assert_allclose(measure.distance_, expected[0] - expected[1], atol=1e-14)
    assert measure.score_ == -abs(measure.distance_)
    plain = PerformanceDifference.from_estimators(a, b, X, y, scoring=scoring)
    assert plain.distance_ == abs(measure.distance_)
    assert plain.score_ == measure.score_


@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision", "neg_brier_score"])
def test_scores_of_two_classes(scoring, cancer):
    _, y, models, X = cancer
    a, b = models["logistic"], models["forest"]
    scorer = get_scorer(scoring)
    expected = abs(scorer(a, X, y) - scorer(b, X, y))
    measure = PerformanceDifference.from_estimators(a, b, X, y, scoring=scoring)
    assert_allclose(measure.distance_, expected)
    outputs = a.predict_proba(X), b.predict_proba(X)
    measure = PerformanceDifference(scoring).fit(*outputs, y_true=y)
    assert_allclose(measure.distance_, expected)


def test_decision_scores(cancer):
    _, y, _, X = cancer
    models = [m.fit(X, y) for m in (RidgeClassifier(), LinearSVC(random_state=0))]
    scorer = get_scorer("roc_auc")
    expected = abs(scorer(models[0], X, y) - scorer(models[1], X, y))
    measure = PerformanceDifference.from_estimators(*models, X, y, scoring="roc_auc")
    assert_allclose(measure.distance_, expected)


@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error"])
def test_regression(scoring):
    X, y = load_diabetes(return_X_y=True)
    models = [m.fit(X, y) for m in (LinearRegression(), KNeighborsRegressor())]
    scores = [get_scorer(scoring)(model, X, y) for model in models]
    measure = PerformanceDifference.from_estimators(*models, X, y, scoring=scoring)
    assert_allclose(measure.distance_, abs(scores[0] - scores[1]))
    continuous = y + 0.5
    measure = PerformanceDifference(scoring=scoring, signed=True)
    measure.fit(*[m.predict(X) for m in models], y_true=continuous)
    assert math.isfinite(measure.distance_)


def test_labels_and_probabilities_of_named_classes(wine):
    X, y, models = wine
    names = np.array(["c", "a", "b"])
    named = names[y]
    soft = [models[m].predict_proba(X) for m in ("logistic", "forest")]
    expected = PerformanceDifference().fit(*soft, y_true=y).distance_
    measure = PerformanceDifference(labels=names).fit(*soft, y_true=named)
    assert measure.distance_ == expected
    hard = [names[rows.argmax(axis=1)] for rows in soft]
    assert PerformanceDifference().fit(*hard, y_true=named).distance_ == expected
    of_names = [clone(models[m]).fit(X, named) for m in ("logistic", "forest")]
    measure = PerformanceDifference.from_estimators(
        *of_names, X, named, response_method="predict_proba"
    )
    assert measure.classes_.tolist() == ["a", "b", "c"]
    assert measure.get_params()["labels"] is None
    soft_names = [model.predict_proba(X) for model in of_names]
    assert measure.score(*soft_names, y_true=named) == measure.score_
    assert not hasattr(measure.fit(*hard, y_true=named), "classes_")
    two = y < 2
    rows = [p[two] for p in soft]
    # classes 0 and 1 of the columns' 0, 1, 2; names have to be told
    assert PerformanceDifference().fit(*rows, y_true=y[two]).distance_ >= 0
    with pytest.raises(ValueError, match=r"pass labels=\[\.\.\.\]"):
        PerformanceDifference().fit(*rows, y_true=named[two])


def test_mcnemar():
    truth = np.ones(20, dtype=int)
    first = np.r_[np.ones(15), np.zeros(5)].astype(int)
    second = np.r_[np.ones(8), np.zeros(7), np.ones(1), np.zeros(4)].astype(int)
    measure = PerformanceDifference().fit(first, second, y_true=truth)
    assert_allclose(measure.mcnemar_pvalue_, binomtest(7, 8).pvalue)
    assert measure.fit(first, first, y_true=truth).mcnemar_pvalue_ == 1
    by_f1 = PerformanceDifference("f1").fit(first, second, y_true=truth)
    assert by_f1.mcnemar_pvalue_ is None


@pytest.mark.parametrize("scoring", ["accuracy", "balanced_accuracy"])
def test_exchange_swaps_rows_of_both_models(scoring):
    rng = np.random.default_rng(0)
    first, second, truth = rng.integers(0, 3, (3, 50))
    masks = rng.random((5, 50)) < 0.5
    measure = PerformanceDifference(scoring, signed=True)
    values = measure._open(first, second, y_true=truth).exchanged(masks)
    for value, mask in zip(values, masks, strict=True):
        pair = np.where(mask, second, first), np.where(mask, first, second)
        assert_allclose(value, measure.fit(*pair, y_true=truth).statistic_)


def test_all_exchanges_give_mcnemars_pvalue():
    truth = np.ones(9, dtype=int)
    first = np.array([1, 1, 1, 1, 1, 1, 0, 1, 0])
    second = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0])
    masks = (np.arange(2**9)[:, None] >> np.arange(9)) % 2 == 1
    measure = PerformanceDifference()
    values = measure._open(first, second, y_true=truth).exchanged(masks)
    measure.fit(first, second, y_true=truth)
    share = np.mean(np.array(values) >= measure.distance_ - 1e-12)
    assert_allclose(share, measure.mcnemar_pvalue_)


def test_exchange_of_views_with_fields():
    P, Q = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 6))
    comparison = JensenShannonDivergence()._open(P, Q)
    x, y = comparison.view_x, comparison.view_y
    mask = np.array([True, False, True, False, False, True])
    swapped = x.swapped(y, mask)
    assert_allclose(swapped[0].rows, np.where(mask[:, None], Q, P))
    assert_allclose(swapped[1].negentropy, np.where(mask, x.negentropy, y.negentropy))
    assert comparison.exchanged([mask]) == pytest.approx([comparison.value()])


@pytest.mark.parametrize(
    "scoring, X, truth, message",
    [
        ("accuracy", [0, 1], None, "needs the true labels"),
        ("accuracy", [0.5, 1], [0, 1], "fractions"),
        ("accuracy", ["a", "b"], [0, 1], "different kinds"),
        ("accuracy", [0, 1, 1], [0, 1], "2 rows and y has 3|3 rows and y has 2"),
        ("neg_log_loss", [0, 1], [0, 1], "Pass probabilities"),
        ("no such score", [0, 1], [0, 1], "no such score"),
        ("accuracy", [[0.5, 0.6], [1, 0]], [0, 1], "one label for each row|columns"),
    ],
)
def test_what_is_refused(scoring, X, truth, message):
    with pytest.raises(ValueError, match=message):
        PerformanceDifference(scoring).fit(X, [0, 1], y_true=truth)


def test_y_is_required():
    with pytest.raises(ValueError, match="requires y"):
        PerformanceDifference().fit([0, 1], y_true=[0, 1])


# ----- y_true as routed metadata --------------------------------------------------


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 60)
    X = np.where(rng.random((60, 3)) < 0.4, rng.integers(0, 3, (60, 3)), truth[:, None])
    return X, truth


@pytest.mark.parametrize("measure", [PerformanceDifference(), DoubleFault()], ids=repr)
def test_truth_is_routed(measure, predictions):
    X, truth = predictions
    folds = KFold(3)
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            measure, X[:, 0], X[:, 1], cv=folds, params={"y_true": truth}
        )
    expected = [
        measure.fit(X[test, 0], X[test, 1], y_true=truth[test]).score_
        for _, test in folds.split(X)
    ]
    assert_allclose(scores, expected)
    # without routing, nothing passes the truth to score: an error, not a zero
    with pytest.raises(ValueError, match="needs the true labels"):
        cross_val_score(measure, X[:, 0], X[:, 1], cv=folds, error_score="raise")


def test_a_class_is_no_array(predictions):
    answers, truth = predictions
    for X, y in ((np.ndarray, answers[:, 1]), (answers[:, 0], np.ndarray)):
        with pytest.raises(TypeError, match="is no array but .*ndarray"):
            PerformanceDifference().fit(X, y, y_true=truth)


def test_truth_is_routed_to_groups(predictions):
    X, truth = predictions
    folds = KFold(3)
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(Difficulty(), X, cv=folds, params={"y_true": truth})
    expected = [
        Difficulty().fit(X[test], y_true=truth[test]).score_
        for _, test in folds.split(X)
    ]
    assert_allclose(scores, expected)
    with pytest.raises(ValueError, match="needs the true labels"):
        cross_val_score(Difficulty(), X, cv=folds, error_score="raise")
    assert len(cross_val_score(Ambiguity(), X, cv=folds)) == 3


MCNEMAR = json.loads((Path(__file__).parents[1] / "data/mcnemar.json").read_text())


def _of_table(both, only_x, only_y, none):
    """Two models' answers where the truth is 1."""
    x = np.repeat([1, 1, 0, 0], [both, only_x, only_y, none])
    y = np.repeat([1, 0, 1, 0], [both, only_x, only_y, none])
    return x, y, np.ones(len(x), dtype=int)


@pytest.mark.parametrize("case", MCNEMAR, ids=lambda case: str(case["table"]))
def test_mcnemars_pvalues_of_each_alternative(case):
    x, y, truth = _of_table(*case["table"])

    def pvalue(alternative, **options):
        measure = PerformanceDifference(**options)
        result = similarity_test(
            measure, x, y, y_true=truth, alternative=alternative, n_permutations=9
        )
        assert result.method == "exact"
        return result.pvalue

    two_sided = pytest.approx(case["mcnemar_exact"], rel=1e-9)
    for alternative in ("less", "two-sided", None):
        assert pvalue(alternative) == two_sided
    assert pvalue("two-sided", signed=True) == two_sided
    # the first model has more rows of its own: it is better
    assert pvalue("greater", signed=True) == pytest.approx(case["exact_greater"])
    assert pvalue("less", signed=True) == pytest.approx(case["exact_less"])
    assert pvalue(None, signed=True) == pvalue("less", signed=True)
    mid = pytest.approx(case["mcnemar_mid_p"], rel=1e-9)
    assert pvalue("less", mid_p=True) == mid
    assert (
        PerformanceDifference(mid_p=True).fit(x, y, y_true=truth).mcnemar_pvalue_ == mid
    )
    if case["table"][1] + case["table"][2]:
        sides = [pvalue(side, signed=True, mid_p=True) for side in ("less", "greater")]
        assert sum(sides) == pytest.approx(1)


@pytest.mark.parametrize("scoring", ["accuracy", "balanced_accuracy"])
def test_permuted_sides_agree_with_the_exact_ones(scoring):
    """b is better than a: small by "less", and by "greater" the other way round."""
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=60)
    a, b = (np.where(rng.random(60) < p, truth, 1 - truth) for p in (0.5, 0.9))
    measure = PerformanceDifference(scoring, signed=True)
    options = {"y_true": truth, "method": "permutation", "random_state": 0}
    found = {
        side: similarity_test(measure, a, b, alternative=side, **options)
        for side in ("less", "greater", "two-sided")
    }
    pvalues = {side: result.pvalue for side, result in found.items()}
    assert pvalues["less"] <= pvalues["two-sided"] < 0.05 < 0.9 < pvalues["greater"]
    back = similarity_test(measure, b, a, alternative="greater", **options).pvalue
    assert back == pytest.approx(pvalues["less"], abs=0.01)
    # the null and z are of the signed difference, and the score has no sign
    less = found["less"]
    assert less.z_score < -2
    assert less.null_distribution.min() < 0 < less.null_distribution.max()
    assert less.score == -abs(less.statistic)
    unsigned = similarity_test(
        PerformanceDifference(scoring), a, b, alternative="two-sided", **options
    )
    assert unsigned.pvalue == pvalues["two-sided"]
    if scoring == "accuracy":
        exact = similarity_test(measure, a, b, y_true=truth, alternative="less")
        assert exact.pvalue == pytest.approx(pvalues["less"], abs=0.01)


def test_groups_and_strata_of_swaps():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 5)
    a, b = (np.repeat(rng.integers(2, size=10), 5) for _ in range(2))
    truth = np.ones(50, dtype=int)
    measure = PerformanceDifference(signed=True)
    for side in ("less", "greater", "two-sided"):
        options = {"alternative": side, "random_state": 0}
        whole = similarity_test(
            measure, a, b, y_true=truth, groups=groups, strata=groups % 2,
            n_permutations=1024, **options
        )  # fmt: skip
        once = similarity_test(measure, a[::5], b[::5], y_true=truth[::5], **options)
        assert whole.pvalue == pytest.approx(once.pvalue)
        assert whole.method == "exact"
