"""Disagreement, Jensen-Shannon divergence, and outputs of fitted estimators."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import rel_entr
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksim.functional import Disagreement, JensenShannonDivergence


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def models(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    two = y < 2
    return {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y),
        "forest": RandomForestClassifier(10, random_state=0).fit(X, y),
        "vote": VotingClassifier(
            [("a", GaussianNB()), ("b", LogisticRegression(max_iter=500))],
            voting="soft",
        ).fit(X, y),
        "ridge": RidgeClassifier().fit(X, y),
        "names": GaussianNB().fit(X, names),
        "two classes": GaussianNB().fit(X[two], y[two]),
        "other classes": GaussianNB().fit(X[~two], y[~two]),
        "no common class": GaussianNB().fit(X[two], y[two] + 10),
    }


def divergence_by_definition(P, Q):
    M = (P + Q) / 2
    return (rel_entr(P, M) + rel_entr(Q, M)).sum(axis=1) / 2


@pytest.mark.parametrize(
    "X, y, expected",
    [
        ([0, 1, 2, 0], [0, 1, 1, 1], 0.5),
        (["a", "b"], ["a", "b"], 0.0),
        ([True, False, True], [False, True, False], 1.0),
        ([[1], [2]], [1, 3], 0.5),
        ([1.0, 2.0], [1, 2], 0.0),
    ],
)
def test_disagreement_by_hand(X, y, expected):
    assert Disagreement().fit(X, y).distance_ == expected


@pytest.mark.parametrize(
    "X, y, message",
    [
        ([1, 2], ["1", "2"], "different kinds"),
        ([0.5, 1.0], [1, 1], "fractions"),
        (np.eye(3), [0, 1, 2], "one label for each row"),
        ([1, 2, 3], [1, 2], "3 rows and y has 2"),
        ([1, np.nan], [1, 2], "NaN"),
        ([], [], "0 sample"),
        ([1, 2], None, "requires y"),
    ],
)
def test_labels_that_are_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        Disagreement().fit(X, y)


@pytest.mark.parametrize("n_classes", [2, 10, 1000])
@pytest.mark.parametrize("base", [None, 2])
@pytest.mark.parametrize("sqrt", [True, False])
def test_divergence_by_definition(n_classes, base, sqrt):
    rng = np.random.default_rng(0)
    P, Q = rng.dirichlet(np.full(n_classes, 0.3), size=(2, 50))
    P[0], Q[0] = np.eye(n_classes)[0], np.eye(n_classes)[1]
    expected = divergence_by_definition(P, Q) / (np.log(base) if base else 1)
    expected = np.sqrt(expected) if sqrt else expected
    measure = JensenShannonDivergence(base=base, sqrt=sqrt).fit(P, Q)
    assert_allclose(measure.row_values_, expected, atol=1e-12)
    assert_allclose(measure.distance_, expected.mean(), rtol=1e-10)


def test_divergence_of_near_identical_rows_is_not_negative():
    rng = np.random.default_rng(0)
    P = rng.dirichlet(np.ones(10), size=2000)
    Q = P * (1 + 1e-9 * rng.normal(size=P.shape))
    Q /= Q.sum(axis=1, keepdims=True)
    measure = JensenShannonDivergence(sqrt=True).fit(P, Q)
    assert np.all(np.isfinite(measure.row_values_))
    assert np.all(measure.row_values_ >= 0)
    assert JensenShannonDivergence().fit(P, P).distance_ == 0


@pytest.mark.parametrize(
    "X, message",
    [
        ([[0.5, 0.6], [0.5, 0.5]], "sum to 1"),
        ([[1.5, -0.5], [0.5, 0.5]], "negative"),
        ([[0.5, 0.3, 0.2], [1, 0, 0]], "one column for each class"),
        ([0.5, 0.5], "1D"),
    ],
)
def test_probabilities_that_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        JensenShannonDivergence().fit(X, [[0.5, 0.5], [0.2, 0.8]])


@pytest.mark.parametrize("first", ["logistic", "forest", "vote"])
@pytest.mark.parametrize("second", ["logistic", "forest", "vote"])
def test_from_estimators(first, second, models, iris):
    X, _ = iris
    a, b = models[first], models[second]
    hard = Disagreement.from_estimators(a, b, X)
    assert hard.distance_ == np.mean(a.predict(X) != b.predict(X))
    soft = JensenShannonDivergence.from_estimators(a, b, X, base=2)
    expected = divergence_by_definition(a.predict_proba(X), b.predict_proba(X))
    assert_allclose(soft.distance_, expected.mean() / np.log(2), atol=1e-12)
    assert soft.base == 2


def test_a_class_never_seen_is_a_column_of_zeros(models, iris):
    X, _ = iris
    partial = models["two classes"].predict_proba(X)
    full = models["logistic"].predict_proba(X)
    expected = divergence_by_definition(
        full, np.hstack([partial, np.zeros((len(X), 1))])
    )
    measure = JensenShannonDivergence.from_estimators(
        models["logistic"], models["two classes"], X
    )
    assert_allclose(measure.distance_, expected.mean())


def test_labels_by_largest_probability(models, iris):
    X, _ = iris
    measure = Disagreement.from_estimators(
        models["two classes"],
        models["logistic"],
        X,
        response_method="predict_proba",
    )
    expected = models["two classes"].predict(X) != models["logistic"].predict(X)
    assert measure.distance_ == expected.mean()


def test_models_that_can_not_be_compared(models, iris):
    X, _ = iris
    with pytest.raises(ValueError, match=r"RidgeClassifier has no .*Calibrated"):
        JensenShannonDivergence.from_estimators(models["ridge"], models["forest"], X)
    with pytest.raises(ValueError, match="no class in common"):
        JensenShannonDivergence.from_estimators(
            models["forest"], models["no common class"], X
        )
    with pytest.raises(ValueError, match="different kinds"):
        JensenShannonDivergence.from_estimators(models["forest"], models["names"], X)
    with pytest.raises(ValueError, match="different kinds"):
        Disagreement.from_estimators(models["forest"], models["names"], X)
    with pytest.raises(ValueError, match="response_method"):
        Disagreement.from_estimators(
            models["forest"], models["ridge"], X, response_method="transform"
        )
