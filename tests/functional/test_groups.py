"""Measures on the labels of groups, and the base class of groups."""

import itertools
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError, UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sksim import all_measures
from sksim.base._tags import tags_of
from sksim.functional import (
    Ambiguity,
    CohenKappa,
    CoincidentFailureDiversity,
    Difficulty,
    Disagreement,
    Discrepancy,
    EntropyDiversity,
    FleissKappa,
    GeneralizedDiversity,
    InterraterAgreement,
    KohaviWolpertVariance,
    LabelEntropy,
    OracleDisagreement,
    PredictionDifference,
    RashomonCapacity,
)
from sksim.inference import similarity_interval, similarity_test
from sksim.testing import make_inputs

OF_LABELS = [Ambiguity(), Discrepancy(), FleissKappa(), LabelEntropy()]
OF_CORRECTNESS = [
    KohaviWolpertVariance(),
    EntropyDiversity(),
    InterraterAgreement(),
    Difficulty(),
    GeneralizedDiversity(),
    CoincidentFailureDiversity(),
]


@pytest.fixture
def votes():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 120)
    noise = rng.integers(0, 4, (120, 5))
    return np.where(rng.random((120, 5)) < 0.4, noise, truth[:, None]), truth


@pytest.mark.parametrize(
    "measure, expected",
    [
        (KohaviWolpertVariance(), 0.1556),
        (InterraterAgreement(), 0.0278),
        (EntropyDiversity(), 0.7),
        (Difficulty(), 0.0844),
        (GeneralizedDiversity(), 0.5833),
        (CoincidentFailureDiversity(), 0.6429),
    ],
    ids=repr,
)
def test_kunchevas_worked_example(measure, expected):
    # L. Kuncheva, Combining pattern classifiers, Wiley 2004, page 306
    models = ["1110100000", "1111000000", "1111111111"]
    X = np.array([[int(digit) for digit in model] for model in models]).T
    measure.fit(X, y_true=np.ones(10, dtype=int))
    assert round(measure.statistic_, 4) == expected


def test_by_hand():
    X = [["a", "a", "b"], ["a", "a", "a"], ["c", "b", "a"], ["b", "b", "b"]]
    assert Ambiguity().fit(X).distance_ == 0.5
    measure = Discrepancy().fit(X)
    assert (measure.distance_, measure.pair_) == (0.5, (0, 2))
    assert Discrepancy(baseline=1).fit(X).distance_ == 0.5
    assert Discrepancy(baseline=1).fit(np.array(X)[:, [0, 1]]).distance_ == 0.25
    two_to_one = math.log(3) - 2 / 3 * math.log(2)
    assert_allclose(LabelEntropy().fit(X).row_values_[0], two_to_one)
    assert_allclose(
        LabelEntropy(normalize=True).fit(X).distance_,
        (two_to_one / math.log(3) + 1) / 4,
    )
    assert_allclose(LabelEntropy(base=3).fit(X).row_values_[2], 1)


def test_fleiss_by_definition(votes):
    X, _ = votes
    n, size = X.shape
    counts = (X[:, :, None] == np.arange(4)).sum(axis=1)
    observed = ((counts**2).sum(axis=1) - size) / (size * (size - 1))
    expected = ((counts.sum(axis=0) / (n * size)) ** 2).sum()
    kappa = (observed.mean() - expected) / (1 - expected)
    assert_allclose(FleissKappa().fit(X).similarity_, kappa, rtol=1e-13)


@pytest.mark.filterwarnings("ignore:X is taken for")
def test_fleiss_textbook_example():
    # Fleiss 1971: ten subjects, fourteen raters, five categories
    counts = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    X = [np.repeat(np.arange(5), row) for row in counts]
    assert round(FleissKappa().fit(np.array(X)).similarity_, 3) == 0.210


def test_entropy_by_definition(votes):
    X, _ = votes
    shares = (X[:, :, None] == np.arange(4)).mean(axis=1)
    expected = entropy(shares, axis=1)
    assert_allclose(LabelEntropy().fit(X).row_values_, expected, atol=1e-14)
    normalized = LabelEntropy(normalize=True).fit(X).distance_
    assert_allclose(normalized, expected.mean() / math.log(4))


def test_pairs_of_a_group(votes):
    X, truth = votes
    pairs = list(itertools.combinations(range(5), 2))
    disagreements = [Disagreement().fit(X[:, a], X[:, b]).distance_ for a, b in pairs]
    assert Discrepancy().fit(X).distance_ == max(disagreements)
    oracle = [
        OracleDisagreement().fit(X[:, a], X[:, b], y_true=truth).distance_
        for a, b in pairs
    ]
    variance = KohaviWolpertVariance().fit(X, y_true=truth).distance_
    assert_allclose(variance, np.mean(oracle) * (5 - 1) / (2 * 5))


def test_diversities_by_definition(votes):
    X, truth = votes
    failing = (truth[:, None] != X).sum(axis=1)
    p = np.bincount(failing, minlength=6) / len(X)
    i, size = np.arange(6), 5
    accuracy = 1 - failing.mean() / size
    expected = {
        KohaviWolpertVariance: np.mean(failing * (size - failing)) / size**2,
        EntropyDiversity: np.mean(np.minimum(failing, size - failing)) / (size - 3),
        Difficulty: np.var(failing / size),
        GeneralizedDiversity: 1 - (i * (i - 1) * p).sum() / (size - 1) / (i * p).sum(),
        CoincidentFailureDiversity: ((size - i) * p)[1:].sum()
        / (size - 1)
        / (1 - p[0]),
        InterraterAgreement: FleissKappa().fit(truth[:, None] == X).similarity_,
    }
    for cls, value in expected.items():
        assert_allclose(cls().fit(X, y_true=truth).statistic_, value, rtol=1e-12)
    assert_allclose(
        expected[Difficulty],
        accuracy * (1 - accuracy) - expected[KohaviWolpertVariance],
    )


def test_extremes_of_diversity():
    truth = np.ones(3, dtype=int)
    equal = np.array([[1, 1, 1], [0, 0, 0], [1, 1, 1]])
    single = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
    for cls in (GeneralizedDiversity, CoincidentFailureDiversity, EntropyDiversity):
        assert cls().fit(equal, y_true=truth).distance_ == 0
        assert cls().fit(single, y_true=truth).distance_ == 1
    assert InterraterAgreement().fit(equal, y_true=truth).similarity_ == 1
    assert InterraterAgreement().fit(single, y_true=truth).similarity_ == -0.5


def test_scotts_pi_is_the_kappa_of_two():
    first, second = [0, 0, 1, 1, 2, 0], [0, 1, 1, 1, 2, 2]
    shares = np.bincount(first + second) / 12
    expected = (4 / 6 - (shares**2).sum()) / (1 - (shares**2).sum())
    assert_allclose(FleissKappa().fit(first, second).similarity_, expected)
    # unequal label frequencies: the frequencies are pooled, not multiplied
    assert CohenKappa().fit(first, second).similarity_ > expected


@pytest.mark.parametrize(
    "measure, X, truth",
    [
        (FleissKappa(), [[1, 1], [1, 1]], None),
        (InterraterAgreement(), [[1, 1], [1, 1]], [1, 1]),
        (InterraterAgreement(), [[1, 1], [1, 1]], [0, 0]),
        (GeneralizedDiversity(), [[1, 1], [1, 1]], [1, 1]),
    ],
)
def test_undefined(measure, X, truth):
    with pytest.warns(UndefinedMetricWarning):
        assert math.isnan(measure.fit(X, y_true=truth).statistic_)
    measure.set_params(replace_undefined_by=1.0)
    with pytest.warns(UndefinedMetricWarning):
        assert measure.fit(X, y_true=truth).statistic_ == 1


def test_no_failure_is_no_coincident_failure():
    measure = CoincidentFailureDiversity().fit([[1, 1], [1, 1]], y_true=[1, 1])
    assert measure.distance_ == 0


def test_one_class_has_no_entropy():
    assert LabelEntropy(normalize=True).fit([[1, 1], [1, 1]]).distance_ == 0


# ----- the base class ---------------------------------------------------------------


@pytest.mark.parametrize("measure", OF_LABELS + OF_CORRECTNESS, ids=repr)
def test_kinds_of_labels_and_containers(measure, votes):
    X, truth = votes
    expected = measure.fit(X, y_true=truth).statistic_
    words = np.array(["p", "q", "rr", "s"])
    for inputs, labels in (
        (words[X], words[truth]),
        (words[X].tolist(), words[truth].tolist()),
        (words[X].astype(object), words[truth]),
        (X.tolist(), truth),
        (X.astype(float), truth),
        (np.asfortranarray(X), truth),
    ):
        assert measure.fit(inputs, y_true=labels).statistic_ == expected
    frame = pd.DataFrame(words[X], columns=list("abcde"))
    assert measure.fit(frame, y_true=words[truth]).statistic_ == expected
    assert measure.feature_names_in_.tolist() == list("abcde")
    assert measure.n_models_ == measure.n_features_in_ == 5
    assert measure.n_samples_fit_ == 120


@pytest.mark.parametrize(
    "X, y, message",
    [
        ([0, 1, 2], None, r"2 axes, .*Got an array of shape \(3,\)"),
        ([[0], [1]], None, "two or more models"),
        (np.zeros((4, 2, 3)), None, r"shape \(4, 2, 3\)"),
        ([[0, 1], [1, 0]], [0, 1], "y_true="),
        ([[0.5, 1], [1, 0]], None, "fractions"),
        ([[0, np.nan], [1, 0]], None, "NaN"),
        ([["a", 1], ["b", 2]], None, "different kinds"),
        (np.zeros((0, 3)), None, "0 sample"),
        ([0, 1], [0, 1, 2], "2 rows and y has 3"),
    ],
)
def test_groups_that_are_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        Ambiguity().fit(X, y)


def test_number_of_models_is_checked(votes):
    X, _ = votes
    measure = Ambiguity().fit(X)
    with pytest.raises(ValueError, match="4 features, but Ambiguity is expecting 5"):
        measure.score(X[:, :4])
    with pytest.raises(NotFittedError):
        Ambiguity().score(X)


def test_baseline_must_be_a_model(votes):
    with pytest.raises(ValueError, match="baseline=5 is no column of X"):
        Discrepancy(baseline=5).fit(votes[0])


@pytest.mark.parametrize("measure", OF_CORRECTNESS, ids=repr)
def test_permutations_move_predictions_with_their_truth(measure, votes):
    X, truth = votes
    rng = np.random.default_rng(0)
    orders = [rng.permutation(len(X)) for _ in X.T]
    fast = measure._open(X, y_true=truth).permuted([orders])[0]
    right = np.stack([(X[:, i] == truth)[o] for i, o in enumerate(orders)], axis=1)
    slow = measure.fit(right, y_true=np.ones(len(X), dtype=bool)).statistic_
    assert_allclose(fast, slow)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def models(iris):
    X, y = iris
    two = y < 2
    return [
        make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y),
        GaussianNB().fit(X, y),
        DecisionTreeClassifier(max_depth=2, random_state=0).fit(X[two], y[two]),
    ]


def test_labels_from_estimators(models, iris):
    X, y = iris
    measure = Ambiguity.from_estimators(models, X)
    predictions = np.stack([model.predict(X) for model in models], axis=1)
    assert measure.distance_ == Ambiguity().fit(predictions).distance_
    measure = Discrepancy.from_estimators(models, X, baseline=2)
    assert measure.baseline == 2
    with_truth = Difficulty.from_estimators(models, X, y)
    assert with_truth.score_ == Difficulty().fit(predictions, y_true=y).score_
    by_probability = Ambiguity.from_estimators(
        models, X, response_method="predict_proba"
    )
    assert by_probability.distance_ == Ambiguity().fit(predictions).distance_


def test_probabilities_from_estimators(models, iris):
    X, y = iris
    soft = [model.predict_proba(X) for model in models]
    soft[2] = np.hstack([soft[2], np.zeros((len(X), 1))])
    expected = PredictionDifference().fit(np.stack(soft, axis=1)).distance_
    measure = PredictionDifference.from_estimators(models, X)
    assert measure.distance_ == expected
    assert measure.get_params()["labels"] is None
    named = np.array(["z", "a", "m"])[y]
    others = [
        GaussianNB().fit(X, named),
        LogisticRegression(max_iter=500).fit(X, named),
    ]
    relative = PredictionDifference.from_estimators(others, X, named, relative=True)
    assert relative.classes_.tolist() == ["a", "m", "z"]
    assert relative.get_params()["labels"] is None
    columns = np.array([2, 0, 1])[y]
    true = np.stack([m.predict_proba(X)[np.arange(150), columns] for m in others], 1)
    mean = true.mean(axis=1, keepdims=True)
    assert_allclose(relative.distance_, (abs(true - mean) / mean).mean())
    soft = np.stack([m.predict_proba(X) for m in others], axis=1)
    assert relative.score(soft, y_true=named) == relative.score_


def test_models_that_make_no_group(models, iris):
    X, y = iris
    with pytest.raises(ValueError, match="must be a list of fitted estimators"):
        Ambiguity.from_estimators(models[0], X)
    with pytest.raises(ValueError, match="RidgeClassifier has no method predict_proba"):
        RashomonCapacity.from_estimators([*models, RidgeClassifier().fit(X, y)], X)
    named = GaussianNB().fit(X, np.array(["a", "b", "c"])[y])
    for cls in (Ambiguity, RashomonCapacity):
        with pytest.raises(ValueError, match="different kinds"):
            cls.from_estimators([*models, named], X)
    with pytest.raises(ValueError, match="fractions"):
        Ambiguity.from_estimators([*models, LinearRegression().fit(X, y)], X)


GROUP_MEASURES = all_measures(family="functional", arity="group")


@pytest.mark.parametrize("name, cls", GROUP_MEASURES)
@pytest.mark.parametrize("container", [list, tuple])
def test_a_list_of_arrays_is_one_array_for_each_model(name, cls, container):
    measure = cls()
    X, _, fit_params = make_inputs(measure)
    expected = clone(measure).fit(X, **fit_params)
    models = container(X[:, i] for i in range(X.shape[1]))
    measure.fit(models, **fit_params)
    assert measure.statistic_ == pytest.approx(expected.statistic_, rel=1e-12)
    assert measure.n_models_ == measure.n_features_in_ == 3
    assert measure.score(models, **fit_params) == measure.score_
    tables = [pd.DataFrame(m) if m.ndim == 2 else pd.Series(m) for m in models]
    assert clone(measure).fit(tables, **fit_params).score_ == measure.score_
    test = [
        similarity_test(clone(measure), data, n_permutations=9, random_state=0, **known)
        for data in (X, models)
        for known in [fit_params]
    ]
    assert test[0].pvalue == test[1].pvalue
    if tags_of(measure).intervals:
        interval = similarity_interval(clone(measure), models, **fit_params)
        assert interval.score == pytest.approx(expected.score_)


def test_a_list_of_arrays_is_checked_array_by_array():
    labels = np.arange(6) % 2
    for models, match in (
        ([labels], "one array"),
        ([labels, labels[1:]], r"shapes \[\(6,\), \(5,\)\]"),
        ([labels, labels.astype(str)], r"X\[0\] and X\[1\] hold labels of different"),
        ([labels, np.where(labels, np.nan, 1)], r"X\[1\] contains NaN"),
        ([labels, labels / 3], r"X\[1\] holds fractions"),
    ):
        with pytest.raises(ValueError, match=match):
            FleissKappa().fit(models)
    with pytest.raises(ValueError, match=r"X\[1\] must be probabilities"):
        PredictionDifference().fit([np.full((4, 2), 0.5), np.full((4, 2), 0.6)])
    fitted = FleissKappa().fit([labels, labels, labels[::-1]])
    with pytest.raises(ValueError, match="X holds 2 models.*fitted with 3"):
        fitted.score([labels, labels])


def test_more_models_than_rows_warn():
    votes = np.array([[0, 1, 1, 0, 1], [0, 1, 0, 0, 1]])
    with pytest.warns(UserWarning, match="5 models on 2 rows.*list of arrays"):
        FleissKappa().fit(votes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FleissKappa().fit(list(votes))
