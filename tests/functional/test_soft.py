"""Divergences and distances of probabilities, ranks and group spread."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import rel_entr
from scipy.stats import kendalltau, spearmanr
from sklearn.datasets import load_iris
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor

from sksim.functional import (
    Disagreement,
    Hellinger,
    JensenShannonDivergence,
    KullbackLeibler,
    PredictionDifference,
    RankCorrelation,
    SoftPredictionDifference,
    SurrogateChurn,
    TotalVariation,
)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.full(6, 0.4), size=(2, 300))


def test_distances_by_definition(pair):
    P, Q = pair
    for measure, rows in (
        (TotalVariation(), abs(P - Q).sum(axis=1) / 2),
        (Hellinger(), np.linalg.norm(np.sqrt(P) - np.sqrt(Q), axis=1) / math.sqrt(2)),
        (KullbackLeibler(), rel_entr(P, Q).sum(axis=1)),
        (KullbackLeibler(base=2), rel_entr(P, Q).sum(axis=1) / math.log(2)),
    ):
        measure.fit(P, Q)
        assert_allclose(measure.row_values_, rows, rtol=1e-10, atol=1e-14)
        assert_allclose(measure.distance_, rows.mean(), rtol=1e-12)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, math.inf])
def test_norms(p, pair):
    rows = np.linalg.norm(pair[0] - pair[1], ord=p, axis=1)
    for half in (True, False):
        measure = SoftPredictionDifference(p=p, half=half).fit(*pair)
        assert_allclose(measure.row_values_, rows / (2 if half else 1))
    # half the distance of two certain, different predictions: the largest value
    extreme = SoftPredictionDifference(p=p).fit([[1, 0, 0]], [[0, 1, 0]]).distance_
    assert_allclose(extreme, 2 ** (1 / p) / 2)


def test_relations_between_distances(pair):
    variation = TotalVariation().fit(*pair)
    assert variation.distance_ == SoftPredictionDifference(p=1).fit(*pair).distance_
    hellinger = Hellinger().fit(*pair).row_values_
    rows = variation.row_values_
    assert np.all(rows / math.sqrt(2) <= hellinger + 1e-12)
    assert np.all(hellinger <= np.sqrt(rows) + 1e-12)
    divergence = JensenShannonDivergence(base=2).fit(*pair).row_values_
    assert np.all(divergence <= rows + 1e-12)
    # Pinsker's inequality
    assert np.all(rows**2 <= KullbackLeibler().fit(*pair).row_values_ / 2 + 1e-12)


@pytest.mark.parametrize(
    "measure", [TotalVariation(), Hellinger(), JensenShannonDivergence(base=2)]
)
def test_opposite_certainties_are_one_apart(measure):
    assert measure.fit(np.eye(3), np.eye(3)[[1, 2, 0]]).distance_ == 1
    assert measure.fit(np.eye(3), np.eye(3)).distance_ == 0


def test_infinite_divergence():
    P, Q = [[0.5, 0.5], [1.0, 0.0]], [[1.0, 0.0], [0.5, 0.5]]
    with pytest.warns(RuntimeWarning, match="on 1 of 2 rows y gives probability 0"):
        measure = KullbackLeibler().fit(P, Q)
    assert measure.distance_ == math.inf
    assert measure.score_ == -math.inf
    assert measure.row_values_.tolist() == [math.inf, math.log(2)]
    # a class that the reference excludes costs nothing
    assert KullbackLeibler().fit(np.eye(2), np.eye(2)).distance_ == 0


def test_clip_raises_and_normalises():
    P, Q = np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])
    clipped = np.array([1.0, 1e-3]) / 1.001
    measure = KullbackLeibler(clip=1e-3).fit(P, Q)
    assert_allclose(measure.distance_, rel_entr(P[0], clipped).sum(), rtol=1e-12)


def test_surrogate_churn():
    P, Q = np.array([[0.6, 0.3, 0.1]]), np.array([[0.2, 0.3, 0.5]])
    for power in (0.5, 1, 3):
        expected = abs((P / 0.6) ** power - (Q / 0.5) ** power).sum() / 2
        assert_allclose(SurrogateChurn(power).fit(P, Q).distance_, expected)


def test_surrogate_churn_exceeds_one_and_tends_to_disagreement(pair):
    certain = np.eye(10)[:1]
    flat = np.full((1, 10), 0.1)
    assert_allclose(SurrogateChurn().fit(certain, flat).distance_, 4.5)
    labels = [rows.argmax(axis=1) for rows in pair]
    churn = Disagreement().fit(*labels).distance_
    assert SurrogateChurn(power=math.inf).fit(*pair).distance_ == churn
    assert_allclose(SurrogateChurn(power=500).fit(*pair).distance_, churn, atol=0.02)


@pytest.mark.parametrize(
    "kind, oracle", [("spearman", spearmanr), ("kendall", kendalltau)]
)
def test_rank_correlation_equals_scipys(kind, oracle, pair):
    rounded = [rows.round(1) for rows in pair]  # with many ties
    for P, Q in (pair, rounded):
        measure = RankCorrelation(kind).fit(P, Q)
        expected = [oracle(P[:, c], Q[:, c]).statistic for c in range(6)]
        assert_allclose(measure.column_values_, expected, rtol=1e-12)
        assert_allclose(measure.similarity_, np.mean(expected))
        assert measure.fit(P, P).similarity_ == 1
        assert measure.fit(np.exp(P), -Q).similarity_ == pytest.approx(
            -np.mean(expected)
        )


@pytest.mark.parametrize("kind", ["spearman", "kendall"])
def test_constant_columns_are_left_out(kind, pair):
    P, Q = pair[0].copy(), pair[1]
    P[:, 2] = 0.25
    with pytest.warns(UndefinedMetricWarning, match=r"constant in the columns \[2\]"):
        measure = RankCorrelation(kind).fit(P, Q)
    others = np.delete(P, 2, axis=1), np.delete(Q, 2, axis=1)
    assert math.isnan(measure.column_values_[2])
    expected = RankCorrelation(kind).fit(*others).similarity_
    assert_allclose(measure.similarity_, expected, rtol=1e-14)
    with pytest.warns(UndefinedMetricWarning, match="set to 0"):
        constant = RankCorrelation(kind, replace_undefined_by=0).fit(P[:, 2], Q[:, 2])
    assert constant.similarity_ == 0


def test_permuted_views_of_ranks(pair):
    measure = RankCorrelation("kendall")
    X, y = pair
    order = np.random.default_rng(0).permutation(len(X))
    fast = measure._open(X, y).permuted([order])[0]
    assert_allclose(fast, measure.fit(X, y[order]).similarity_)


def test_regression_outputs():
    first, second = [1.0, 2.0, 4.0], [2.0, 2.0, 1.0]
    for shape in ((-1,), (-1, 1)):
        pair = [np.reshape(a, shape) for a in (first, second)]
        assert SoftPredictionDifference(half=False).fit(*pair).distance_ == 4 / 3
        assert SoftPredictionDifference(p=1).fit(*pair).distance_ == 2 / 3
        expected = spearmanr(first, second).statistic
        assert_allclose(RankCorrelation().fit(*pair).similarity_, expected)


def test_from_regressors_and_scores():
    X, y = load_iris(return_X_y=True)
    line, neighbors = LinearRegression().fit(X, y), KNeighborsRegressor().fit(X, y)
    measure = SoftPredictionDifference.from_estimators(line, neighbors, X, half=False)
    expected = np.mean(abs(line.predict(X) - neighbors.predict(X)))
    assert_allclose(measure.distance_, expected)
    ridge, logistic = RidgeClassifier().fit(X, y), LogisticRegression(max_iter=500)
    logistic.fit(X, y)
    measure = RankCorrelation.from_estimators(
        ridge, logistic, X, response_method="decision_function"
    )
    assert measure.n_features_in_ == 3
    with pytest.raises(ValueError, match="RidgeClassifier has no method predict_proba"):
        RankCorrelation.from_estimators(ridge, logistic, X)
    with pytest.raises(ValueError, match="classifiers and regressors"):
        RankCorrelation.from_estimators(line, logistic, X)
    fewer = LogisticRegression(max_iter=500).fit(X[y < 2], y[y < 2])
    with pytest.raises(ValueError, match="different classes"):
        RankCorrelation.from_estimators(
            fewer, logistic, X, response_method="decision_function"
        )
    with pytest.warns(UndefinedMetricWarning, match=r"columns \[2\]"):
        RankCorrelation.from_estimators(fewer, logistic, X)


@pytest.mark.parametrize(
    "measure",
    [
        TotalVariation(),
        Hellinger(),
        KullbackLeibler(),
        SurrogateChurn(),
        SoftPredictionDifference(),
        PredictionDifference(),
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "X, message",
    [
        ([[0.5, 0.6], [0.5, 0.5]], "sum to 1"),
        ([[1.5, -0.5], [0.5, 0.5]], "negative"),
        ([[0.5, 0.3, 0.2], [1, 0, 0]], "one column for each class"),
        ([[0.5, np.nan], [0.5, 0.5]], "NaN"),
        ([[0.5, 0.5]], "1 rows and y has 2"),
    ],
)
def test_what_is_refused(measure, X, message):
    with pytest.raises(ValueError, match=message):
        measure.fit(X, [[0.5, 0.5], [0.2, 0.8]])


@pytest.mark.parametrize(
    "measure",
    [
        TotalVariation(),
        Hellinger(),
        KullbackLeibler(),
        SurrogateChurn(),
        RankCorrelation(),
    ],
    ids=repr,
)
def test_single_precision(measure, pair):
    P, Q = (rows.astype(np.float32) for rows in pair)
    double = measure.fit(P.astype(float), Q.astype(float)).statistic_
    assert_allclose(measure.fit(P, Q).statistic_, double, rtol=1e-5)


def test_single_precision_keeps_small_divergences():
    P = np.random.default_rng(0).dirichlet(np.ones(5), 50).astype(np.float32)
    for measure in (JensenShannonDivergence(sqrt=True), KullbackLeibler()):
        assert measure.fit(P, P).distance_ == 0
        Q = P * np.float32(1) + np.float32(1e-6) * (P.max(axis=1, keepdims=True) == P)
        assert measure.fit(P, Q).distance_ < 2e-6


# ----- groups -------------------------------------------------------------------------


@pytest.fixture
def group():
    return np.random.default_rng(1).dirichlet(np.ones(4), size=(80, 5))


@pytest.mark.parametrize("p", [1, 2, math.inf])
def test_prediction_difference_by_definition(p, group):
    mean = group.mean(axis=1, keepdims=True)
    expected = np.linalg.norm(group - mean, ord=p, axis=2).mean()
    assert_allclose(PredictionDifference(p=p).fit(group).distance_, expected)


def test_prediction_difference_of_a_pair(group):
    first, second = group[:, 0], group[:, 1]
    measure = PredictionDifference().fit(first, second)
    # two models lie half their distance from their mean
    assert_allclose(measure.distance_, TotalVariation().fit(first, second).distance_)


@pytest.mark.parametrize("labels", [None, ["d", "c", "b", "a"]])
def test_relative_prediction_difference(labels, group):
    truth = np.arange(80) % 4
    true = group[np.arange(80), :, truth]
    mean = true.mean(axis=1, keepdims=True)
    if labels is not None:
        truth = np.array(labels)[truth]
    measure = PredictionDifference(relative=True, labels=labels)
    measure.fit(group, y_true=truth)
    assert_allclose(measure.distance_, (abs(true - mean) / mean).mean())


def test_classes_absent_from_the_truth(group):
    truth = np.arange(80) % 2
    measure = PredictionDifference(relative=True)
    measure.fit(group, y_true=truth)  # 0 and 1 of the numbers 0, 1, 2, 3
    with pytest.raises(ValueError, match=r"labels=\[\.\.\.\]"):
        measure.fit(group, y_true=np.where(truth == 0, "no", "yes"))
    with pytest.raises(ValueError, match="probability 0 to the true class"):
        measure.fit(np.eye(4)[np.zeros((80, 2), dtype=int)], y_true=truth)
    with pytest.raises(ValueError, match="needs the true labels"):
        measure.fit(group)


def test_absent_classes_are_columns_of_zeros_wherever_they_stand():
    X, y = load_iris(return_X_y=True)
    full = GaussianNB().fit(X, y)
    for absent in range(3):
        fewer = GaussianNB().fit(X[y != absent], y[y != absent])
        aligned = np.insert(fewer.predict_proba(X), absent, 0, axis=1)
        measure = TotalVariation.from_estimators(fewer, full, X)
        expected = abs(aligned - full.predict_proba(X)).sum(axis=1).mean() / 2
        assert_allclose(measure.distance_, expected)


def test_naive_bayes_against_itself():
    X, y = load_iris(return_X_y=True)
    model = GaussianNB().fit(X, y)
    assert KullbackLeibler.from_estimators(model, model, X).distance_ == 0
