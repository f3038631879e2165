"""Saliency, transferability of attacks, and decision distances."""

import copy
import math

import numpy as np
import pandas as pd
import pytest
from _reference import reference_arrays, reference_values
from _reference_networks import NAMES, breast_cancer, network, reference_model
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sksim.functional import (
    AdversarialTransferability,
    DecisionDistance,
    SaliencySimilarity,
)
from sksim.functional._attacks import GradientAttack
from sksim.models import input_gradients
from sksim.models._gradients import values_and_gradients
from sksim.pairwise import similarity_matrix

MEASURES = [SaliencySimilarity, AdversarialTransferability, DecisionDistance]


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def models(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])
    return {
        "linear": LogisticRegression(max_iter=500).fit(X, y),
        "loose": LogisticRegression(C=0.01, max_iter=500).fit(X, y),
        "kernel": SVC().fit(X, y),
        "margin": LinearSVC().fit(X, y),
        "bayes": GaussianNB().fit(X, y),
        "names": LogisticRegression(max_iter=500).fit(X, names[y]),
        "shifted": LogisticRegression(max_iter=500).fit(X, y + 10),
        "later classes": LogisticRegression(max_iter=500).fit(X[50:], y[50:]),
        "narrow": LogisticRegression(max_iter=500).fit(X[:, :2], y),
        "tree": DecisionTreeClassifier(random_state=0).fit(X, y),
        "forest": RandomForestClassifier(5, random_state=0).fit(X, y),
        "neighbors": KNeighborsClassifier().fit(X, y),
    }


def values(kind):
    """(names of two models, value) of one kind."""
    for key, value in reference_values("gradients").items():
        pair, _, what = key.partition("/")
        if what == kind:
            yield (*pair.split("|"), value)


def binary(weights, offset=0.0):
    """Linear model with the score <weights, x> + offset."""
    weights = np.array(weights, dtype=float)[:, None]
    return network([weights, np.array([[1.0]])], [[offset], [0.0]], "identity")


# ----- saliency -------------------------------------------------------------------


@pytest.mark.parametrize("output", ["proba", "score"])
def test_saliency_of_the_original(output):
    arrays = reference_arrays("gradients")
    cases = list(values(f"saliency_cosine_{output}_true_class"))
    assert cases
    for first, second, expected in cases:
        for absolute, key in ((True, "abs_mean"), (False, "signed_mean")):
            measure = SaliencySimilarity(absolute=absolute, output=output).fit(
                reference_model(first),
                reference_model(second),
                arrays["X60"],
                arrays["y60"],
            )
            assert_allclose(measure.similarity_, expected[key], rtol=0, atol=1e-9)


def test_saliency_by_hand():
    X, y = np.zeros((2, 2)), [0, 1]
    a, b = binary([3, 4]), binary([-4, 3])
    assert SaliencySimilarity().fit(a, b, X, y).similarity_ == pytest.approx(24 / 25)
    signed = SaliencySimilarity(absolute=False)
    assert signed.fit(a, b, X, y).similarity_ == pytest.approx(0, abs=1e-15)
    assert signed.fit(a, binary([-6, -8]), X, y).similarity_ == pytest.approx(-1)


def test_saliency_is_the_mean_cosine_of_input_gradients(iris, models):
    X, y = iris
    g, h = (input_gradients(models[k], X, y) for k in ("linear", "kernel"))
    cosines = (g * h).sum(axis=1)
    cosines = cosines / np.linalg.norm(g, axis=1) / np.linalg.norm(h, axis=1)
    measure = SaliencySimilarity(absolute=False).fit(
        models["linear"], models["kernel"], X, y
    )
    assert_allclose(measure.row_values_, cosines, atol=1e-12)
    assert_allclose(measure.statistic_, cosines.mean())


def test_rows_without_gradient_are_left_out_and_counted():
    weights = [np.array([[1.0], [2.0]]), np.array([[3.0]])]
    relu = network(weights, [[0.5], [0.0]], "relu")
    X = np.array([[1.0, 1.0], [-1.0, 0.0], [2.0, 0.0]])  # off in the second row
    measure = SaliencySimilarity().fit(relu, binary([1, 2]), X, [1, 0, 1])
    assert measure.n_zero_gradients_ == 1
    assert_array_equal(np.isnan(measure.row_values_), [False, True, False])
    assert measure.similarity_ == pytest.approx(1)
    with pytest.raises(ValueError, match="At every row"):
        measure.fit(relu, binary([1, 2]), X[[1]], [1])


def test_tiny_gradients_have_a_direction():
    # squares of 1e-200 are zero
    X = np.zeros((2, 2))
    measure = SaliencySimilarity(absolute=False)
    tiny = binary([1e-200, 1e-200])
    assert measure.fit(tiny, binary([1, 0]), X, [0, 1]).similarity_ == pytest.approx(
        0.5**0.5
    )


def test_target_is_the_true_or_each_models_predicted_class(iris, models):
    X, y = iris
    pair = models["linear"], models["loose"]
    predicted = SaliencySimilarity(target="predicted", output="proba").fit(*pair, X)
    g, h = (np.abs(input_gradients(m, X, m.predict(X), "proba")) for m in pair)
    cosines = (g * h).sum(axis=1)
    cosines = cosines / np.linalg.norm(g, axis=1) / np.linalg.norm(h, axis=1)
    assert_allclose(predicted.similarity_, cosines.mean())
    true = SaliencySimilarity(output="proba").fit(*pair, X, y)
    assert true.similarity_ != predicted.similarity_


def test_regressors_are_compared_by_their_predictions():
    X, y = load_diabetes(return_X_y=True)
    a, b = Ridge(0.01).fit(X, y), Ridge(100).fit(X, y)
    measure = SaliencySimilarity(absolute=False, target="predicted").fit(a, b, X)
    cosine = a.coef_ @ b.coef_ / np.linalg.norm(a.coef_) / np.linalg.norm(b.coef_)
    assert_allclose(measure.similarity_, cosine)


def test_saliency_of_torch_modules():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    images = np.random.default_rng(0).normal(size=(6, 1, 5, 5))
    y = np.arange(6) % 3
    a, b = (
        torch.nn.Sequential(
            torch.nn.Conv2d(1, 2, 3), torch.nn.Tanh(), torch.nn.Flatten(),
            torch.nn.Linear(18, 3),
        )
        for _ in range(2)
    )  # fmt: skip
    measure = SaliencySimilarity().fit(a, b, images, y)
    assert 0 < measure.similarity_ < 1
    assert measure.fit(a, a, images, y).similarity_ == pytest.approx(1)


# ----- attacks --------------------------------------------------------------------


def test_fgsm_by_hand():
    model = binary([3, -4, 0])
    X = np.zeros((2, 3))
    moved = GradientAttack(eps=0.5)(model, X, [1, 0])
    assert_array_equal(moved, [[-0.5, 0.5, 0], [0.5, -0.5, 0]])
    moved = GradientAttack(eps=0.5, norm="l2")(model, X, [1, 0])
    assert_allclose(moved, [[-0.3, 0.4, 0], [0.3, -0.4, 0]])
    clipped = GradientAttack(eps=0.5, data_range=(-0.1, 0.2))(model, X, [1, 0])
    assert_array_equal(clipped, [[-0.1, 0.2, 0], [0.2, -0.1, 0]])


@pytest.mark.parametrize("norm", ["inf", "l2"])
def test_pgd_stays_in_the_ball_and_is_at_least_as_strong(norm, iris, models):
    X, y = iris
    for name in ("linear", "kernel", "margin"):
        model = models[name]
        loss = {}
        for n_steps in (1, 20):
            attack = GradientAttack(
                eps=0.5, norm=norm, n_steps=n_steps, data_range=(0, 8)
            )
            moved = attack(model, X, y)
            order = np.inf if norm == "inf" else 2
            sizes = np.linalg.norm(moved - X, ord=order, axis=1)
            assert sizes.max() <= 0.5 + 1e-12
            assert moved.min() >= 0
            assert moved.max() <= 8
            output = "log_proba" if name == "linear" else "margin"
            loss[n_steps] = -values_and_gradients(model, moved, y, output)[0]
        start = -values_and_gradients(model, X, y, output)[0]
        assert np.mean(loss[1] > start) > 0.9
        assert np.mean(loss[20] > start) > 0.9


def test_many_steps_find_the_worst_point_of_the_circle():
    rng = np.random.default_rng(2)
    weights = [1.5 * rng.normal(size=(2, 8)), 1.5 * rng.normal(size=(8, 1))]
    model = network(weights, [rng.normal(size=8), rng.normal(size=1)], "tanh")
    X = rng.normal(size=(40, 2))
    y = model.predict(X)

    def loss(rows):
        return -values_and_gradients(model, rows, y, "log_proba")[0]

    angles = np.linspace(0, 2 * np.pi, 361)
    circle = 0.6 * np.column_stack([np.cos(angles), np.sin(angles)])
    worst = np.max([loss(X + shift) for shift in circle], axis=0)
    one, many = (
        loss(GradientAttack(eps=0.6, norm="l2", n_steps=n)(model, X, y))
        for n in (1, 40)
    )
    assert np.mean(many > worst - 0.01) > 0.9
    assert np.mean(one > worst - 0.01) < 0.6


# ----- transferability --------------------------------------------------------------


def test_rates_of_the_original():
    _, _, X, y = breast_cancer()
    examples = {n: reference_model(n) for n in NAMES}
    cases = list(values("adversarial_fgsm_eps0.3"))
    assert len(cases) == 16
    for first, second, expected in cases:
        pair = examples[first], examples[second]
        measure = AdversarialTransferability().fit(*pair, X, y)
        assert measure.n_both_right_ == expected["n_both_correct"]
        assert measure.transfer_rate_x_ == expected["error_a_on_adv_b"]
        assert measure.transfer_rate_y_ == expected["error_b_on_adv_a"]
        assert_allclose(
            measure.similarity_, expected["SAT_log_max_0.01_rate"], rtol=1e-12
        )
        cosine = DecisionDistance().fit(*pair, X, y).similarity_
        expected = expected["ddv_cosine_similarity_union_of_both_adv"]
        assert_allclose(cosine, expected, rtol=1e-12)


def test_transferability_by_hand():
    # rows at 1, 2, 3 right of a threshold, and at -1, -2, -3 left of it
    X = np.array([[1.0], [2.0], [3.0], [-1.0], [-2.0], [-3.0]])
    y = np.array([1, 1, 1, 0, 0, 0])
    a, b = binary([1]), binary([1], offset=1.5)  # b's threshold is at -1.5
    measure = AdversarialTransferability(eps=2.2).fit(a, b, X, y)
    # both get all right but the row at -1
    assert measure.n_both_right_ == 5
    # all rows move by 2.2 towards the other side, in both models' examples:
    # to -1.2, -.2, .8, .2, -.8; a errs on the first, second and fourth, b on the
    # fourth and fifth
    assert measure.transfer_rate_x_ == measure.success_rate_x_ == 3 / 5
    assert measure.transfer_rate_y_ == measure.success_rate_y_ == 2 / 5
    assert measure.similarity_ == pytest.approx(math.log(50))


def test_nothing_transfers_at_the_floor():
    X, y = np.array([[1.0], [-1.0]]), [1, 0]
    measure = AdversarialTransferability(eps=0.1).fit(binary([1]), binary([2]), X, y)
    assert measure.similarity_ == math.log(0.01) == measure._similarity_tags().bounds[0]
    measure = AdversarialTransferability(eps=0.1, floor=10)
    assert measure.fit(binary([1]), binary([2]), X, y).similarity_ == pytest.approx(
        math.log(10)
    )


def test_a_model_and_itself_get_the_best_value_where_all_attacks_succeed(iris, models):
    X, y = iris
    measure = AdversarialTransferability(eps=10.0)
    measure.fit(models["linear"], models["linear"], X, y)
    assert measure.success_rate_x_ == measure.transfer_rate_x_
    X, y = np.array([[1.0], [-1.0]]), [1, 0]
    measure.fit(binary([1]), binary([1]), X, y)
    assert measure.similarity_ == pytest.approx(math.log(100))


def test_any_callable_attacks_trees(iris, models):
    X, y = iris
    seen = []

    def towards_another_class(model, rows, labels):
        """Decision-based: the middle of a row and the mean of the next class."""
        seen.append((model, rows.copy(), labels.copy()))
        assert (model.predict(rows) == labels).all()
        means = np.array([X[y == c].mean(axis=0) for c in (1, 2, 0)])
        rows += 0.6 * (means[labels] - rows)
        return rows

    before = X.copy()
    measure = AdversarialTransferability(attack=towards_another_class)
    measure.fit(models["forest"], models["neighbors"], X, y)
    assert_array_equal(X, before)
    assert [model for model, *_ in seen] == [models["forest"], models["neighbors"]]
    assert 0.1 < measure.transfer_rate_x_ < 1
    for model, rate in (("forest", "x"), ("neighbors", "y")):
        model = models[model]
        both = (models["forest"].predict(X) == y) & (
            models["neighbors"].predict(X) == y
        )
        means = np.array([X[y == c].mean(axis=0) for c in (1, 2, 0)])
        moved = X + 0.6 * (means[y] - X)
        expected = (model.predict(moved[both]) != y[both]).mean()
        assert getattr(measure, f"transfer_rate_{rate}_") == expected


def test_every_kind_of_smooth_model_can_be_attacked(iris, models):
    X, y = iris
    names = ("linear", "kernel", "margin", "bayes")
    matrix = similarity_matrix(
        AdversarialTransferability(eps=0.5),
        {name: models[name] for name in names},
        data=X,
        y_true=y,
    )
    assert_array_equal(matrix, matrix.T)
    assert matrix.to_numpy().min() > 1
    direct = AdversarialTransferability(eps=0.5).fit(
        models["linear"], models["margin"], X, y
    )
    assert matrix.loc["linear", "margin"] == direct.similarity_


def test_range_of_the_data(iris, models):
    X, y = iris
    ranges = {}

    class Spy(LogisticRegression):
        def predict(self, X):
            low, high = ranges.get("seen", (np.inf, -np.inf))
            ranges["seen"] = min(low, X.min()), max(high, X.max())
            return super().predict(X)

    spy = Spy(max_iter=500).fit(X, y)
    AdversarialTransferability(eps=5.0, data_range="data").fit(spy, spy, X, y)
    assert ranges["seen"] == (X.min(), X.max())
    for bad in ((1, 0), (0,), ("a", "b"), (0, np.ones(3))):
        with pytest.raises(ValueError, match="data_range must be"):
            AdversarialTransferability(data_range=bad).fit(spy, spy, X, y)
    with pytest.raises(ValueError, match="Rows of data lie outside"):
        AdversarialTransferability(data_range=(0, 1)).fit(spy, spy, X, y)


# ----- decision distances -----------------------------------------------------------


def test_decision_distance_by_hand():
    X = np.array([[1.0, 0.0], [0.0, 1.0]])

    def halve(model, rows, labels):
        return rows / 2

    measure = DecisionDistance(attack=halve).fit(binary([1, 0]), binary([1, 1]), X)

    def distance(z, moved):
        p, q = (np.array([1, np.exp(v)]) / (1 + np.exp(v)) for v in (z, moved))
        return 1 - p @ q / np.linalg.norm(p) / np.linalg.norm(q)

    v = np.array([distance(1, 0.5), 0] * 2)
    w = np.array([distance(1, 0.5), distance(1, 0.5)] * 2)
    assert_allclose(measure.distances_x_, v, atol=1e-15)
    assert_allclose(measure.distances_y_, w, atol=1e-15)
    assert measure.similarity_ == pytest.approx(0.5**0.5)


def test_decision_distance_across_label_spaces(iris, models):
    X, _ = iris
    measure = DecisionDistance(eps=0.5)
    value = measure.fit(models["linear"], models["shifted"], X).similarity_
    assert value == pytest.approx(1, abs=1e-9)
    assert measure.fit(models["linear"], models["names"], X).similarity_ == value
    other = measure.fit(models["linear"], models["later classes"], X).similarity_
    assert 0 < other < 1


def test_decision_distance_of_scores(iris, models):
    X, y = iris
    measure = DecisionDistance(output="score", eps=0.5)
    assert 0 < measure.fit(models["linear"], models["margin"], X, y).similarity_ < 1
    with pytest.raises(ValueError, match="has no predict_proba. Use output='score'"):
        DecisionDistance().fit(models["linear"], models["margin"], X, y)


def test_distances_of_nearly_equal_outputs_do_not_cancel():
    X = np.array([[1.0], [2.0]])

    def nudge(model, rows, labels):
        return rows + 1e-9

    a = binary([1])
    measure = DecisionDistance(attack=nudge).fit(a, a, X)
    # (angle between the outputs)^2 / 2, of size 1e-19
    assert 0 < measure.distances_x_.min() < 1e-18
    assert measure.similarity_ == pytest.approx(1)


# ----- torch ------------------------------------------------------------------------


def test_torch_replicas_get_the_same_numbers():
    torch = pytest.importorskip("torch")
    _, _, X, y = breast_cancer()
    replicas = []
    for name in ("mlp0", "mlp_tanh2"):
        mlp, layers = reference_model(name), []
        for W, b in zip(mlp.coefs_, mlp.intercepts_, strict=True):
            linear = torch.nn.Linear(*W.shape).double()
            linear.weight.data, linear.bias.data = (
                torch.asarray(a.copy()) for a in (W.T, b)
            )
            activation = torch.nn.Tanh() if "tanh" in name else torch.nn.ReLU()
            layers += [linear, activation]
        replicas.append(torch.nn.Sequential(*layers[:-1]))
    originals = reference_model("mlp0"), reference_model("mlp_tanh2")
    for measure in (
        SaliencySimilarity(),
        AdversarialTransferability(),
        AdversarialTransferability(attack="pgd", norm="l2", eps=1.0),
        DecisionDistance(),
    ):
        expected = measure.fit(*originals, X, y).similarity_
        assert_allclose(measure.fit(*replicas, X, y).similarity_, expected, rtol=1e-9)


# ----- bad input --------------------------------------------------------------------


@pytest.mark.parametrize("cls", MEASURES)
def test_what_no_pair_of_models_is(cls, iris, models):
    X, y = iris
    linear = models["linear"]
    cases = [
        ((linear, models["narrow"], X, y), "takes 4 features and .* takes 2"),
        ((linear, models["tree"], X, y), "piecewise constant.*decision-based"),
        ((linear, models["forest"], X, y), "piecewise constant.*decision-based"),
        ((linear, linear, X[:, :3], y), "takes 4 features, but data"),
        ((linear, linear, X, y[:-1]), "y_true has 149 labels for 150 rows"),
        ((linear, linear, None, y), "pass data="),
        ((linear, LogisticRegression(), X, y), "not fitted"),
        ((linear, "model", X, y), "model_y must be a fitted estimator"),
        ((linear, linear, np.where(X > 7, np.nan, X), y), "NaN"),
        ((linear, linear, X, y + 0.5), "fractions"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            cls().fit(*arguments)


@pytest.mark.parametrize("cls", [SaliencySimilarity, AdversarialTransferability])
def test_labels_and_classes(cls, iris, models):
    X, y = iris
    with pytest.raises(ValueError, match="needs the true labels"):
        cls().fit(models["linear"], models["kernel"], X)
    with pytest.raises(ValueError, match="no class in common"):
        cls().fit(models["linear"], models["shifted"], X, y)
    with pytest.raises(ValueError, match="no class in common"):
        cls().fit(models["linear"], models["names"], X, y)


def test_no_row_that_both_get_right(iris, models):
    X, y = iris
    right = models["linear"].predict(X) == y
    with pytest.raises(ValueError, match="No row of data is right for both models"):
        AdversarialTransferability().fit(
            models["linear"], models["kernel"], X[right], (y[right] + 1) % 3
        )
    setosa = y == 0
    pair = models["linear"], models["later classes"]
    with pytest.raises(ValueError, match=r"\(50 and 0 of 50 rows"):
        AdversarialTransferability().fit(*pair, X[setosa], y[setosa])
    with pytest.raises(ValueError, match="never saw the classes"):
        SaliencySimilarity().fit(*pair, X, y)


def test_attacks_that_return_something_else(iris, models):
    X, y = iris
    pair = models["linear"], models["tree"]
    for wrong, message in (
        (lambda model, X, y: X[:-1], "returned the shape"),
        (lambda model, X, y: X * np.nan, "returned NaN"),
    ):
        for cls in (AdversarialTransferability, DecisionDistance):
            with pytest.raises(ValueError, match=message):
                cls(attack=wrong).fit(*pair, X, y)
    with pytest.raises(ValueError, match="No perturbation moves the output"):
        DecisionDistance(attack=lambda model, X, y: X).fit(*pair, X)


def test_models_that_do_not_react(iris, models):
    X, y = iris
    X, y = X[y < 2], y[y < 2]
    a, b = binary([1, 0, 0, 0]), binary([0, 0, 0, 0], offset=1.0)
    with pytest.raises(ValueError, match="gradient of zero at every row"):
        AdversarialTransferability().fit(a, b, X, y)
    with pytest.raises(ValueError, match="At every row"):
        SaliencySimilarity().fit(a, b, X, y)


def test_certain_models_can_be_attacked(iris, models):
    X, y = iris
    certain = copy.copy(models["linear"])
    certain.coef_, certain.intercept_ = 1e6 * certain.coef_, 1e6 * certain.intercept_
    rates = [
        AdversarialTransferability(eps=0.5).fit(m, m, X, y).success_rate_x_
        for m in (models["linear"], certain)
    ]
    assert rates[0] > 0.2
    assert rates[1] == pytest.approx(rates[0], abs=0.1)


def test_regressors_are_refused_where_classes_are_needed():
    X, y = load_diabetes(return_X_y=True)
    model = Ridge().fit(X, y)
    for measure in (AdversarialTransferability(), DecisionDistance()):
        with pytest.raises(ValueError, match="is a regressor"):
            measure.fit(model, model, X, (y > 100).astype(int))


def test_parameters_are_checked(iris, models):
    X, y = iris
    for measure in (
        AdversarialTransferability(attack="cw"),
        AdversarialTransferability(eps=0),
        DecisionDistance(norm="l1"),
        SaliencySimilarity(output="logit"),
    ):
        with pytest.raises(ValueError, match="parameter of"):
            measure.fit(models["linear"], models["kernel"], X, y)


# ----- frames, score, hard data -------------------------------------------------------


@pytest.mark.parametrize("cls", MEASURES)
def test_models_of_frames(cls, iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    a, b = (
        make_pipeline(StandardScaler(), LogisticRegression(C=C)).fit(frame, y)
        for C in (1, 100)
    )
    measure = cls().fit(a, b, frame, y)
    assert_allclose(cls().fit(a, b, X, y).statistic_, measure.statistic_)
    assert measure.score(a, b, frame, y) == measure.score_
    with pytest.raises(ValueError, match="same columns in the same order"):
        cls().fit(a, b, frame[list("dcba")], y)


@pytest.mark.parametrize("factor, offset", [(1e20, 0), (1e-20, 0), (1, 1e6)])
def test_units_of_the_data(factor, offset, iris, models):
    X, y = iris
    X, y = X[::3], y[::3]

    def moved(model):
        model = copy.copy(model)
        model.coef_ = model.coef_ / factor
        model.intercept_ = model.intercept_ - model.coef_.sum(axis=1) * offset
        return model

    pair = models["linear"], models["loose"]
    for measure in (
        SaliencySimilarity(),
        AdversarialTransferability(eps=0.5),
        AdversarialTransferability(eps=0.5, norm="l2", attack="pgd"),
        DecisionDistance(eps=0.5),
    ):
        expected = measure.fit(*pair, X, y).statistic_
        if "eps" in measure.get_params():
            measure.set_params(eps=0.5 * factor)
        value = measure.fit(*map(moved, pair), X * factor + offset, y).statistic_
        assert_allclose(value, expected, rtol=1e-6)
