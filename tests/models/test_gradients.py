"""Gradients of models' outputs: exact, by autograd, by finite differences."""

import copy
import subprocess
import sys
import warnings
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from _reference import reference_arrays
from _reference_networks import NAMES, breast_cancer, network, reference_model
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sksim.functional import AdversarialTransferability
from sksim.models import _gradients, input_gradients
from sksim.models._chains import exact_chain
from sksim.models._gradients import values_and_gradients
from sksim.models._wrapped import wrap_model

torch = pytest.importorskip("torch")
OUTPUTS = ["score", "proba", "log_proba", "log_odds", "margin"]


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X[::3], y[::3]


@pytest.fixture(scope="module")
def binary():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X)[::8, :6], y[::8]


def fitted(model, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*data)


def random_network(activation, n_classes, seed=0):
    rng = np.random.default_rng(seed)
    widths = (5, 7, 6, n_classes if n_classes > 2 else 1)
    weights = [rng.normal(size=shape) for shape in pairwise(widths)]
    return network(weights, [rng.normal(size=w) for w in widths[1:]], activation)


def torch_replica(mlp):
    """The same network in torch: its outputs are the scores."""
    layers = []
    activation = {
        "relu": torch.nn.ReLU,
        "tanh": torch.nn.Tanh,
        "logistic": torch.nn.Sigmoid,
        "identity": torch.nn.Identity,
    }[mlp.activation]
    for W, b in zip(mlp.coefs_, mlp.intercepts_, strict=True):
        linear = torch.nn.Linear(*W.shape).double()
        linear.weight.data = torch.asarray(W.T.copy())
        linear.bias.data = torch.asarray(b.copy())
        layers += [linear, activation()]
    return torch.nn.Sequential(*layers[:-1])


def by_differences(model, X, y, output):
    """Independent of the provider: plain central differences, one row at a time."""

    def value(x, label):
        column = list(model.classes_).index(label)
        if output in ("score", "margin"):
            scores = np.ravel(model.decision_function([x]))
            scores = np.array([-scores[0], scores[0]]) if len(scores) == 1 else scores
            rest = np.delete(scores, column).max() if output == "margin" else 0
            return scores[column] - rest
        probabilities = model.predict_proba([x])[0]
        p, rest = probabilities[column], np.delete(probabilities, column).sum()
        if output == "log_odds":
            return np.log(p) - np.log(rest)
        return np.log(p) if output == "log_proba" else p

    h = 1e-5
    return np.array(
        [
            [
                (value(x + h * e, label) - value(x - h * e, label)) / (2 * h)
                for e in np.eye(X.shape[1])
            ]
            for x, label in zip(X, y, strict=True)
        ]
    )


# ----- exact ----------------------------------------------------------------------


@pytest.mark.parametrize("output", ["score", "proba"])
@pytest.mark.parametrize("name", NAMES)
def test_values_of_the_original(name, output):
    arrays = reference_arrays("gradients")
    gradients = input_gradients(
        reference_model(name), arrays["X60"], arrays["y60"], output
    )
    expected = arrays[f"{name}__grad_{output}_true_class"]
    assert_allclose(gradients, expected, rtol=0, atol=1e-10)


def test_reference_rows_are_the_first_of_the_test_half():
    assert_array_equal(reference_arrays("gradients")["X60"], breast_cancer()[2][:60])


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_exact_gradients_are_those_of_autograd(activation, n_classes, output):
    mlp = random_network(activation, n_classes)
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(50, 5)), rng.integers(0, n_classes, 50)
    value, exact = values_and_gradients(mlp, X, y, output)
    value_torch, autograd = values_and_gradients(torch_replica(mlp), X, y, output)
    assert np.abs(exact).max() > 1e-3
    assert_allclose(exact, autograd, rtol=1e-12, atol=1e-12)
    assert_allclose(value, value_torch, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_exact_gradients_of_regressors_are_those_of_autograd(activation):
    X, y = load_diabetes(return_X_y=True)
    X, y = 20 * X[:60], np.column_stack([y, y**2 / 100])[:60] / 100
    model = MLPRegressor(
        hidden_layer_sizes=(7, 5), activation=activation, max_iter=30, random_state=0
    )
    model = fitted(model, (X, y))
    targets = np.arange(60) % 2
    exact = input_gradients(model, X, targets)
    autograd = input_gradients(torch_replica(model), X, targets)
    assert np.abs(exact).max() > 1e-3
    assert_allclose(exact, autograd, rtol=1e-12, atol=1e-12)


def test_gradient_by_hand():
    model = network(
        [np.array([[1.0], [2.0]]), np.array([[3.0]])], [[0.5], [0.0]], "relu"
    )
    X = np.array([[1.0, 1.0], [-1.0, 0.0]])  # the unit is on, off
    assert_array_equal(input_gradients(model, X, [1, 1]), [[3, 6], [0, 0]])
    assert_array_equal(input_gradients(model, X, [0, 1]), [[-3, -6], [0, 0]])
    # z = 3 * 3.5: p(1 - p) times the above
    p = 1 / (1 + np.exp(-10.5))
    assert_allclose(
        input_gradients(model, X, [1, 1], "proba")[0], p * (1 - p) * np.array([3, 6])
    )


LINEAR = [
    LogisticRegression(),
    LinearSVC(),
    LinearDiscriminantAnalysis(),
    RidgeClassifier(),
    SGDClassifier(loss="log_loss", alpha=0.1, random_state=0),
    SGDClassifier(loss="hinge", alpha=0.1, random_state=0),
]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("data", ["iris", "binary"])
@pytest.mark.parametrize("model", LINEAR, ids=repr)
def test_linear_models(model, data, output, request):
    X, y = data = request.getfixturevalue(data)
    model = fitted(model, data)
    if output not in ("score", "margin") and not hasattr(model, "predict_proba"):
        with pytest.raises(ValueError, match="has no predict_proba"):
            input_gradients(model, X, y, output)
        return
    assert exact_chain(wrap_model(model), X, output) is not None
    gradients = input_gradients(model, X, y, output)
    expected = by_differences(model, X[:8], y[:8], output)
    assert_allclose(gradients[:8], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "steps",
    [
        [StandardScaler()],
        [StandardScaler(with_mean=False)],
        [StandardScaler(with_std=False)],
        [MinMaxScaler((-1, 2))],
        [MaxAbsScaler()],
        [RobustScaler()],
        [RobustScaler(with_centering=False, with_scaling=False)],
        [StandardScaler(), "passthrough", PCA(3)],
        [PCA(3, whiten=True)],
        [TruncatedSVD(2)],
        [SelectKBest(k=2), StandardScaler()],
    ],
    ids=repr,
)
def test_steps_of_a_pipeline_are_exact(steps, iris):
    X, y = iris
    model = fitted(make_pipeline(*steps, LogisticRegression()), iris)
    assert exact_chain(wrap_model(model), X, "proba") is not None
    gradients = input_gradients(model, X, y, "proba")
    assert_allclose(
        gradients[:8], by_differences(model, X[:8], y[:8], "proba"), atol=1e-8
    )


def test_what_a_subclass_predicts_is_what_is_differentiated(iris):
    X, y = iris

    class Halved(LogisticRegression):
        def decision_function(self, X):
            return super().decision_function(X) / 2

    whole = LogisticRegression(max_iter=500).fit(X, y)
    half = Halved(max_iter=500).fit(X, y)
    gradients = input_gradients(half, X, y)
    assert_allclose(gradients, input_gradients(whole, X, y) / 2, atol=1e-9)


def test_searches_stand_for_their_best_model(iris):
    X, y = iris
    search = GridSearchCV(LogisticRegression(max_iter=500), {"C": [1, 10]}).fit(X, y)
    assert_array_equal(
        input_gradients(search, X, y), input_gradients(search.best_estimator_, X, y)
    )


def test_a_saturated_probability_keeps_its_logarithms_gradient():
    model = network([np.array([[1.0]]), np.array([[1.0]])], [[0.0], [0.0]], "identity")
    X = np.array([[50.0], [700.0]])
    assert input_gradients(model, X, [1, 1], "proba").max() < 1e-20
    gradients = input_gradients(model, X, [1, 1], "log_proba")[:, 0]
    assert_allclose(gradients, np.exp([-50.0, -700.0]), rtol=1e-12)
    assert_allclose(input_gradients(model, X, [0, 0], "log_proba"), -1)


def test_text_labels_and_the_predicted_class(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])
    numbered = LogisticRegression(max_iter=500).fit(X, y)
    named = LogisticRegression(max_iter=500).fit(X, names[y])
    assert_allclose(
        input_gradients(named, X, names[y]), input_gradients(numbered, X, y)
    )
    assert_array_equal(
        input_gradients(named, X), input_gradients(named, X, named.predict(X))
    )


def test_batches_and_single_rows(iris):
    X, y = iris
    model = fitted(SVC(), iris)
    gradients = input_gradients(model, X, y)
    alone = input_gradients(model, X[:1], y[:1])
    # other steps, the same gradient
    assert_allclose(alone, gradients[:1], rtol=1e-8, atol=1e-9)


def test_blocks_of_features_do_not_matter(iris, monkeypatch):
    X, y = iris
    model = fitted(GaussianNB(), iris)
    gradients = input_gradients(model, X, y)
    monkeypatch.setattr(_gradients, "_BLOCK", 1)
    assert_array_equal(input_gradients(model, X, y), gradients)


def test_frames_keep_their_names(iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    for model in (LogisticRegression(max_iter=500), SVC()):
        model.fit(frame, y)
        gradients = input_gradients(model, frame, y)
        assert_allclose(gradients, input_gradients(model, X, y))
        with pytest.raises(ValueError, match="same columns in the same order"):
            input_gradients(model, frame[list("badc")], y)


@pytest.mark.parametrize("replica", [False, True])
def test_log_odds_follow_the_loss_where_it_vanishes(replica):
    model = random_network("tanh", 4)
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(50, 5)), model.predict(rng.normal(size=(50, 5)))

    def directions(model, output):
        gradients = input_gradients(model, X, y, output)
        return gradients / np.linalg.norm(gradients, axis=1, keepdims=True)

    odds, loss = (directions(model, output) for output in ("log_odds", "log_proba"))
    assert_allclose(odds, loss, atol=1e-10)
    certain = copy.copy(model)
    certain.coefs_ = [*model.coefs_[:-1], 1e6 * model.coefs_[-1]]
    y = model.predict(X)
    certain = torch_replica(certain) if replica else certain
    assert not input_gradients(certain, X, y, "log_proba").any(axis=1).all()
    assert_allclose(directions(certain, "log_odds"), directions(certain, "margin"))


def test_a_flat_probability_has_no_gradient_of_noise():
    X = np.array([[0.0], [1.0], [10.0], [11.0]])
    model = GaussianNB().fit(X, [0, 0, 1, 1])
    gradients = input_gradients(model, X, [0, 0, 1, 1], "proba")
    assert_array_equal(gradients, 0)
    assert (input_gradients(model, X, [0, 0, 1, 1], "log_odds") != 0).all()


# ----- regressors -----------------------------------------------------------------


def test_regressors():
    X, y = load_diabetes(return_X_y=True)
    X = X[:40] * 20
    y = y[:40]
    linear = Ridge().fit(X, y)
    assert_array_equal(input_gradients(linear, X), np.tile(linear.coef_, (40, 1)))
    for model in (
        MLPRegressor(
            hidden_layer_sizes=(6,), activation="tanh", max_iter=50, random_state=0
        ),
        SVR(),
        PoissonRegressor(),
        GaussianProcessRegressor(RBF(3.0), alpha=1.0),
    ):
        model = fitted(model, (X, y))
        gradients = input_gradients(model, X)
        h, e = 1e-5, np.eye(X.shape[1])[2]
        slope = (model.predict(X + h * e) - model.predict(X - h * e)) / (2 * h)
        assert_allclose(gradients[:, 2], slope, rtol=1e-5, atol=1e-6)
    two = LinearRegression().fit(X, np.column_stack([y, -y]))
    targets = np.arange(40) % 2
    assert_allclose(input_gradients(two, X, targets), two.coef_[targets])
    with pytest.raises(ValueError, match="predicts 2 targets: say by y"):
        input_gradients(two, X)
    with pytest.raises(ValueError, match="is a regressor"):
        input_gradients(linear, X, output="proba")


# ----- finite differences ---------------------------------------------------------


def test_support_vector_machine_in_closed_form(binary):
    X, y = binary
    model = SVC(gamma=0.1).fit(X, y)
    support, weights = model.support_vectors_, model.dual_coef_[0]
    differences = X[:, None, :] - support[None]
    kernel = np.exp(-0.1 * (differences**2).sum(axis=2))
    exact = np.einsum("ij,j,ijk->ik", -0.2 * kernel, weights, differences)
    signs = np.where(y == 1, 1, -1)[:, None]
    assert_allclose(input_gradients(model, X, y), signs * exact, rtol=0, atol=1e-9)


def test_naive_bayes_in_closed_form(iris):
    X, y = iris
    model = GaussianNB().fit(X, y)
    slopes = -(X[:, None] - model.theta_[None]) / model.var_[None]
    mean_slope = np.einsum("ic,icd->id", model.predict_proba(X), slopes)
    exact = slopes[np.arange(len(X)), y] - mean_slope
    gradients = input_gradients(model, X, y, "log_proba")
    assert_allclose(gradients, exact, rtol=1e-7, atol=1e-8)
    # without a decision function the score is the logarithm of the probability
    assert_array_equal(input_gradients(model, X, y, "score"), gradients)


@pytest.mark.parametrize(
    "model",
    [
        GaussianProcessClassifier(),
        QuadraticDiscriminantAnalysis(reg_param=0.1),
        OneVsRestClassifier(LogisticRegression()),
        CalibratedClassifierCV(LinearSVC(), cv=2),
        make_pipeline(PolynomialFeatures(2), LogisticRegression(max_iter=2000)),
        VotingClassifier(
            [("a", GaussianNB()), ("b", LogisticRegression(max_iter=500))],
            voting="soft",
        ),
    ],
    ids=lambda model: type(model).__name__,
)
def test_other_smooth_models(model, iris):
    X, y = iris
    model = fitted(model, iris)
    gradients = input_gradients(model, X, y, "proba")
    expected = by_differences(model, X[:6], y[:6], "proba")
    assert_allclose(gradients[:6], expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("factor, offset", [(1e-20, 0), (1e20, 0), (1, 1e6)])
def test_differences_at_any_scale_and_offset(factor, offset, iris):
    X, y = iris
    model = LogisticRegression(max_iter=500).fit(X, y)
    moved = copy.copy(model)
    moved.coef_ = model.coef_ / factor
    moved.intercept_ = model.intercept_ - moved.coef_.sum(axis=1) * offset
    wrapped = wrap_model(moved)
    inputs = X * factor + offset
    gradients = _gradients._finite_differences(wrapped, inputs, y, "score")[1]
    scale = np.abs(moved.coef_).max()
    # at an offset of a million the model itself rounds its scores to 1e-10
    tolerance = 1e-5 if offset else 1e-9
    assert_allclose(gradients / scale, moved.coef_[y] / scale, rtol=0, atol=tolerance)


# ----- nothing to differentiate ---------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(),
        RandomForestClassifier(3),
        GradientBoostingClassifier(n_estimators=2),
        HistGradientBoostingClassifier(max_iter=2),
        AdaBoostClassifier(n_estimators=2),
        KNeighborsClassifier(),
        RadiusNeighborsClassifier(100.0),
        BaggingClassifier(DecisionTreeClassifier(), 2),
        BaggingClassifier(KNeighborsClassifier(), 2),
        make_pipeline(StandardScaler(), DecisionTreeClassifier()),
        CalibratedClassifierCV(DecisionTreeClassifier(), cv=2),
        VotingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier())]),
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2),
        OneVsRestClassifier(DecisionTreeClassifier()),
    ],
    ids=lambda model: repr(model)[:60],
)
def test_piecewise_constant_models_are_refused(model, iris):
    model = fitted(model, iris)
    with pytest.raises(ValueError, match="piecewise constant") as error:
        input_gradients(model, *iris)
    assert "decision-based attack" in str(error.value)


def test_boosting_of_other_libraries_is_refused_without_an_import(iris, monkeypatch):
    class LGBMModel(LogisticRegression):
        pass

    model = fitted(LGBMModel(max_iter=500), iris)
    assert np.abs(input_gradients(model, *iris)).max() > 0
    monkeypatch.setitem(sys.modules, "lightgbm", SimpleNamespace(LGBMModel=LGBMModel))
    with pytest.raises(ValueError, match="piecewise constant"):
        input_gradients(make_pipeline(StandardScaler(), model).fit(*iris), *iris)


def test_bad_input(iris):
    X, y = iris
    model = LogisticRegression(max_iter=500).fit(X, y)
    with pytest.raises(ValueError, match=r"never saw the classes \[7\].*\[0, 1, 2\]"):
        input_gradients(model, X, np.where(y == 2, 7, y))
    with pytest.raises(ValueError, match="never saw the classes"):
        input_gradients(model, X, y.astype(str))
    with pytest.raises(ValueError, match="takes 4 features, but data has shape"):
        input_gradients(model, X[:, :3], y)
    with pytest.raises(ValueError, match=r"y must hold one class for each of the 50"):
        input_gradients(model, X, y[:-1])
    with pytest.raises(ValueError, match="output must be one of"):
        input_gradients(model, X, y, "logit")
    with pytest.raises(ValueError, match="NaN"):
        input_gradients(model, np.where(X > 5, np.nan, X), y)
    with pytest.raises(ValueError, match="not fitted"):
        input_gradients(LogisticRegression(), X, y)
    with pytest.raises(ValueError, match="method predict, or a torch.nn.Module"):
        input_gradients(StandardScaler().fit(X), X, y)
    with pytest.raises(ValueError, match="pairs of classes"):
        input_gradients(SVC(decision_function_shape="ovo").fit(X, y), X, y)
    labels = np.column_stack([y == 0, y == 1]).astype(int)
    multilabel = fitted(MLPClassifier((3,), max_iter=2), (X, labels))
    with pytest.raises(ValueError, match="several labels"):
        input_gradients(multilabel, X, y)
    hard = VotingClassifier([("a", GaussianNB()), ("b", LogisticRegression())])
    with pytest.raises(ValueError, match="only tells labels"):
        input_gradients(fitted(hard, iris), X, y)
    certain = SGDClassifier(loss="modified_huber", random_state=0)
    certain = fitted(certain, (100 * X, y))
    with pytest.raises(ValueError, match="probability of exactly 0"):
        input_gradients(certain, 100 * X, (y + 1) % 3, "log_proba")


# ----- torch ----------------------------------------------------------------------


class Parts(torch.nn.Module):
    """Behaves otherwise in training than in evaluation."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = torch.nn.Conv2d(1, 3, 3)
        self.norm = torch.nn.BatchNorm2d(3)
        self.drop = torch.nn.Dropout(0.5)
        self.last = torch.nn.Linear(3, 4)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        return self.last(self.drop(x).mean(dim=(2, 3)))


def test_torch_modules_are_left_as_they_are():
    module = Parts()
    module.train()
    module.drop.eval()
    before = copy.deepcopy(module.state_dict())
    images = np.random.default_rng(0).normal(size=(5, 1, 6, 6))
    y = np.array([0, 1, 2, 3, 0])
    with torch.no_grad():
        gradients = input_gradients(module, images, y)
    assert gradients.shape == images.shape
    assert np.abs(gradients).max() > 0
    assert_array_equal(gradients, input_gradients(module, images, y))
    assert module.training
    assert not module.drop.training
    assert all(parameter.grad is None for parameter in module.parameters())
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
    # each row alone: batch statistics of training would couple them
    alone = np.concatenate(
        [input_gradients(module, images[[i]], y[[i]]) for i in range(5)]
    )
    assert_allclose(alone, gradients, atol=1e-6)


def test_torch_batches(monkeypatch):
    module = torch_replica(random_network("tanh", 3))
    X = np.random.default_rng(0).normal(size=(10, 5))
    y = np.arange(10) % 3
    gradients = input_gradients(module, X, y, "log_proba")
    monkeypatch.setattr("sksim.models._torch._BATCH", 3)
    assert_allclose(input_gradients(module, X, y, "log_proba"), gradients, rtol=1e-12)
    tensor = torch.asarray(X)
    assert_allclose(input_gradients(module, tensor, y, "log_proba"), gradients)


def test_torch_outputs():
    X = np.random.default_rng(0).normal(size=(6, 2))
    regression = torch.nn.Linear(2, 1).double()
    weights = regression.weight.detach().numpy()
    assert_allclose(input_gradients(regression, X), np.tile(weights, (6, 1)))
    signs = np.tile([[-1], [1]], (3, 1))
    sided = input_gradients(regression, X, [0, 1] * 3)
    assert_allclose(sided, signs * weights)
    flat = torch.nn.Sequential(regression, torch.nn.Flatten(0))
    assert_allclose(input_gradients(flat, X), np.tile(weights, (6, 1)))
    three = torch.nn.Linear(2, 3).double()
    predicted = three(torch.asarray(X)).argmax(dim=1).numpy()
    assert_array_equal(input_gradients(three, X), input_gradients(three, X, predicted))


def test_torch_bad_input():
    X = np.zeros((4, 2))
    module = torch.nn.Linear(2, 3).double()
    with pytest.raises(ValueError, match="never saw the class 3.*0 to 2"):
        input_gradients(module, X, [0, 1, 2, 3])
    with pytest.raises(ValueError, match="numbers of its output columns"):
        input_gradients(module, X, ["a", "b", "a", "b"])

    class Detached(torch.nn.Module):
        def forward(self, x):
            return x.detach()

    class Summed(torch.nn.Module):
        def forward(self, x):
            return x.sum()

    with pytest.raises(ValueError, match="does not depend on its input"):
        input_gradients(Detached(), X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="no row for each of the 4 inputs"):
        input_gradients(Summed(), X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="one row of scores for each input"):
        input_gradients(torch.nn.Identity(), np.zeros((4, 2, 2)), [0, 1, 0, 1])


@pytest.mark.parametrize("kind", ["loss first", "sequence first", "logits"])
def test_torch_outputs_are_found_as_layers_are(kind):
    """The answer is that which has rows, whatever else there is."""
    plain = torch_replica(random_network("tanh", 3))

    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = plain

        def forward(self, x):
            scores = self.inner(x)
            if kind == "loss first":
                return scores.square().mean(), scores
            if kind == "sequence first":
                return scores.T
            return {"hidden": x, "logits": scores}

    X = np.random.default_rng(0).normal(size=(10, 5))
    module = Wrapped()
    assert_allclose(input_gradients(module, X), input_gradients(plain, X), rtol=1e-10)
    pairs = [(plain, plain), (module, plain)]
    expected, found = (
        AdversarialTransferability().fit(*pair, X, np.arange(10) % 3).score_
        for pair in pairs
    )
    assert found == expected
    assert module.training and not plain._forward_hooks


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_torch_gradients_on_the_modules_device():
    module = torch_replica(random_network("tanh", 3))
    X = np.random.default_rng(0).normal(size=(10, 5))
    y = np.arange(10) % 3
    here = input_gradients(module, X, y)
    assert_allclose(input_gradients(module.cuda(), X, y), here, rtol=1e-10)
    assert next(module.parameters()).is_cuda


def test_torch_is_not_imported_before_a_module_is_given():
    program = """
import sys
import numpy as np
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
from sksim.functional import *
from sksim.models import input_gradients
X, y = load_iris(return_X_y=True)
a, b = (
    MLPClassifier((6,), max_iter=20, learning_rate_init=0.1, random_state=i).fit(X, y)
    for i in (0, 1)
)
input_gradients(a, X, y)
for measure in (
    SaliencySimilarity(),
    AdversarialTransferability(),
    DecisionDistance(),
    ModelStitching(stitch="task_loss", max_iter=2),
):
    measure.fit(a, b, X, y)
print("torch" in sys.modules)
"""
    outcome = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )
    assert outcome.stdout.strip() == "False"
