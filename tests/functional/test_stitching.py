"""Stitched models."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from _reference import reference_values
from _reference_networks import breast_cancer, reference_model
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sksim.functional import ModelStitching, stitching_layers
from sksim.pairwise import similarity_matrix

STITCHES = ["least_squares", "ridge", "procrustes", "task_loss"]


def fitted(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, y)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:800] / 16, y[:800]


@pytest.fixture(scope="module")
def networks():
    X, y = load_digits(return_X_y=True)
    X, y = X[800:] / 16, y[800:]
    widths = {"a": (20, 12), "b": (20, 12), "wide": (30,)}
    return {
        name: fitted(
            MLPClassifier(sizes, max_iter=60, learning_rate_init=0.01, random_state=i),
            X,
            y,
        )
        for i, (name, sizes) in enumerate(widths.items())
    }


def cases():
    for key, value in reference_values("gradients").items():
        pair, _, what = key.partition("/")
        if what == "stitch_hidden1_affine":
            yield (*pair.split("->"), value)


# ----- the originals ----------------------------------------------------------------


@pytest.mark.parametrize(
    "stitch, key",
    [
        ("least_squares", "acc_ls_drfrankenstein_ps_inv"),
        ("ridge", "acc_ridge1"),
        ("procrustes", "acc_orthogonal_centered"),
    ],
)
def test_accuracies_of_the_original(stitch, key):
    X_fit, y_fit, X_score, y_score = breast_cancer()
    X, y = np.concatenate([X_fit, X_score]), np.concatenate([y_fit, y_score])
    measure = ModelStitching(stitch=stitch, test_rows=np.arange(len(X_fit), len(X)))
    assert len(list(cases())) == 3
    for first, second, expected in cases():
        front, back = reference_model(first), reference_model(second)
        measure.fit((front, "hidden_1"), (back, "hidden_1"), X, y)
        assert measure.stitched_score_ == expected[key]
        assert measure.end_score_ == expected["acc_end"]
        assert measure.identity_score_ == expected["acc_identity_no_stitch"]
        if stitch == "least_squares":
            assert measure.similarity_ == expected["relative_accuracy_ls"]
            penalty = copy.copy(measure).set_params(value="penalty")
            penalty.fit(front, back, X, y)
            assert penalty.distance_ == expected["penalty_vs_end_ls"]
            agreement = measure.stitched_model_.predict(X_score) == back.predict(
                X_score
            )
            assert agreement.mean() == expected["agreement_with_end_ls"]


# ----- stitches -----------------------------------------------------------------------


def activations(network, X, depth):
    for W, b in list(zip(network.coefs_, network.intercepts_, strict=True))[:depth]:
        X = np.maximum(X @ W + b, 0)
    return X


@pytest.mark.parametrize("layer_x, layer_y", [(1, 1), (1, 2), (2, 1)])
def test_stitches_are_those_of_scikit_learn(layer_x, layer_y, digits, networks):
    X, y = digits
    rows = np.arange(400, 800)
    a, b = networks["a"], networks["b"]
    A, B = activations(a, X, layer_x), activations(b, X, layer_y)
    pair = (a, f"hidden_{layer_x}"), (b, f"hidden_{layer_y}")
    for stitch, regression in (
        ("least_squares", LinearRegression()),
        ("ridge", Ridge(alpha=3.0)),
    ):
        measure = ModelStitching(stitch=stitch, ridge=3.0, test_rows=rows)
        measure.fit(*pair, X, y)
        expected = regression.fit(A[:400], B[:400]).predict(A[400:])
        assert_allclose(measure.stitch_.transform(A[400:]), expected, atol=1e-8)
        tail = measure.tail_.predict(expected)
        assert measure.stitched_score_ == accuracy_score(y[400:], tail)


def test_procrustes_is_an_isometry_with_a_shift(digits, networks):
    X, y = digits
    for first, second in (("a", "b"), ("wide", "b"), ("b", "wide")):
        pair = (networks[first], "hidden_1"), (networks[second], "hidden_1")
        measure = ModelStitching(stitch="procrustes").fit(*pair, X, y)
        matrix = measure.stitch_.matrix
        narrow = matrix.T @ matrix if matrix.shape[0] > matrix.shape[1] else (
            matrix @ matrix.T
        )  # fmt: skip
        assert_allclose(narrow, np.eye(len(narrow)), atol=1e-10)


def test_task_loss_does_better_at_the_task(digits, networks):
    X, y = digits
    pair = (networks["a"], "hidden_2"), (networks["b"], "hidden_1")
    rows = np.arange(400, 800)
    losses = {}
    for stitch in ("least_squares", "task_loss"):
        measure = ModelStitching(stitch=stitch, test_rows=rows, max_iter=50)
        measure.fit(*pair, X, y)
        probabilities = measure.stitched_model_.predict_proba(X[:400])
        losses[stitch] = log_loss(y[:400], probabilities)
    assert losses["task_loss"] < 0.5 * losses["least_squares"]


def test_the_gradient_of_the_task_loss(digits, networks):
    """One step of descent: no smaller loss in the neighbourhood of the optimum."""
    X, y = digits
    measure = ModelStitching(stitch="task_loss", max_iter=500, test_rows=[0, 1])
    measure.fit(
        (networks["a"], "hidden_2"), (networks["b"], "hidden_2"), X[:40], y[:40]
    )
    head = measure.head_.transform(X[2:40])
    P = measure.tail_.predict_proba(measure.stitch_.transform(head))
    best = log_loss(y[2:40], P, labels=np.arange(10))
    rng = np.random.default_rng(0)
    for _ in range(20):
        moved = copy.copy(measure.stitch_)
        moved.matrix = moved.matrix + 1e-2 * rng.normal(size=moved.matrix.shape)
        P = measure.tail_.predict_proba(moved.transform(head))
        assert log_loss(y[2:40], P, labels=np.arange(10)) > best - 1e-6


def test_dead_units_and_more_units_than_rows(digits, networks):
    X, y = digits
    dead = copy.copy(networks["a"])
    dead.intercepts_ = [b.copy() for b in dead.intercepts_]
    dead.intercepts_[0][:5] = -1e6
    for stitch in STITCHES:
        measure = ModelStitching(stitch=stitch, max_iter=5)
        measure.fit((dead, "hidden_1"), (networks["b"], "hidden_1"), X, y)
        assert measure.similarity_ > 0.5
        wide = (networks["wide"], "hidden_1")
        few = ModelStitching(stitch=stitch, max_iter=5, test_size=580)
        assert few.fit(wide, (networks["b"], "hidden_1"), X[:600], y[:600]).score_ > 0.2


# ----- controls -----------------------------------------------------------------------


def test_a_model_stitched_to_itself(digits, networks):
    X, y = digits
    for layer in ("hidden_1", "hidden_2"):
        cut = networks["a"], layer
        for stitch in ("least_squares", "procrustes"):
            measure = ModelStitching(stitch=stitch).fit(cut, cut, X, y)
            # dead units have no coordinate to be told from the mean
            assert measure.similarity_ == pytest.approx(1, abs=5e-3)
            assert measure.identity_score_ == measure.end_score_
            assert measure.random_tail_score_ < 0.6


def test_parts_make_up_the_models(digits, networks):
    X, y = digits
    a, b = networks["a"], networks["b"]
    measure = ModelStitching().fit((a, "hidden_1"), (b, "hidden_2"), X, y)
    assert_allclose(measure.head_.transform(X), activations(a, X, 1))
    tail = measure.tail_.predict_proba(activations(b, X, 2))
    assert_allclose(tail, b.predict_proba(X), atol=1e-12)
    stitched = measure.stitch_.transform(measure.head_.transform(X))
    assert_array_equal(
        measure.stitched_model_.predict(X), measure.tail_.predict(stitched)
    )
    assert measure.identity_score_ is None  # 20 units and 12
    assert measure.n_stitch_parameters_ == 21 * 12
    assert b.n_layers_ == 4
    assert b.coefs_[0].shape == (64, 20)


def test_numbers_of_parameters(digits, networks):
    X, y = digits
    pair = (networks["a"], "hidden_1"), (networks["b"], "hidden_1")
    numbers = {
        stitch: ModelStitching(stitch=stitch, max_iter=1)
        .fit(*pair, X, y)
        .n_stitch_parameters_
        for stitch in STITCHES
    }
    # a rotation of 20 dimensions has 190 angles
    expected = dict.fromkeys(STITCHES, 420) | {"procrustes": 190 + 20}
    assert numbers == expected


def test_the_stitch_is_never_fitted_on_rows_that_are_scored(digits, networks):
    X, y = digits
    pair = (networks["a"], "hidden_1"), (networks["b"], "hidden_1")
    rows = np.arange(0, 800, 2)
    for stitch in STITCHES:
        measure = ModelStitching(stitch=stitch, test_rows=rows, max_iter=3)
        before = measure.fit(*pair, X, y).stitch_.matrix
        other, labels = X.copy(), y.copy()
        other[rows], labels[rows] = 1 - other[rows], 9 - labels[rows]
        measure.set_params(value="penalty")
        assert_array_equal(measure.fit(*pair, other, labels).stitch_.matrix, before)
        assert measure.stitched_score_ < 0.3
    mask = np.isin(np.arange(800), rows)
    masked = ModelStitching(test_rows=mask).fit(*pair, X, y)
    assert masked.score_ == ModelStitching(test_rows=rows).fit(*pair, X, y).score_
    for rows in (np.arange(800), [], np.ones(800, dtype=bool)):
        with pytest.raises(ValueError, match="never fits it on rows that are scored"):
            ModelStitching(test_rows=rows).fit(*pair, X, y)
    with pytest.raises(ValueError, match="test_rows must be numbers of rows"):
        ModelStitching(test_rows=[900]).fit(*pair, X, y)


def test_split_and_seed(digits, networks):
    X, y = digits
    pair = (networks["a"], "hidden_1"), (networks["b"], "hidden_1")
    default = ModelStitching().fit(*pair, X, y)
    seed = default._draw_seed()
    rows = np.arange(800)
    test = train_test_split(rows, test_size=0.5, random_state=seed, stratify=y)[1]
    again = ModelStitching(test_rows=test).fit(*pair, X, y)
    assert_allclose(again.stitch_.matrix, default.stitch_.matrix, atol=1e-10)
    assert again.score_ == default.score_
    other = ModelStitching(random_state=1, test_size=0.3).fit(*pair, X, y)
    assert not np.array_equal(other.stitch_.matrix, default.stitch_.matrix)


def test_any_scorer(digits, networks):
    X, y = digits
    pair = (networks["a"], "hidden_1"), (networks["b"], "hidden_1")
    rows = np.arange(400, 800)
    loss = ModelStitching(scoring="neg_log_loss", value="penalty", test_rows=rows)
    loss.fit(*pair, X, y)
    P = networks["b"].predict_proba(X[400:])
    assert loss.end_score_ == pytest.approx(-log_loss(y[400:], P))
    assert loss.distance_ == loss.end_score_ - loss.stitched_score_
    assert loss.score_ == -loss.distance_
    with pytest.raises(ValueError, match="Use value='penalty'"):
        ModelStitching(scoring="neg_log_loss").fit(*pair, X, y)

    def agreement(model, H, truth):
        return (model.predict(H) == truth).mean()

    custom = ModelStitching(scoring=agreement, test_rows=rows).fit(*pair, X, y)
    assert custom.score_ == ModelStitching(test_rows=rows).fit(*pair, X, y).score_


# ----- models -------------------------------------------------------------------------


def test_regression():
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    a, b = (
        fitted(
            MLPRegressor(
                hidden_layer_sizes=(10,), activation="tanh", max_iter=300,
                random_state=i,
            ),
            X,
            y,
        )
        for i in range(2)
    )  # fmt: skip
    rows = np.arange(220, 442)
    scores = {}
    for stitch in STITCHES:
        measure = ModelStitching(stitch=stitch, test_rows=rows).fit(a, b, X, y)
        assert measure.end_score_ == pytest.approx(
            r2_score(y[220:], b.predict(X[220:]))
        )
        predicted = measure.stitched_model_.predict(X[:220])
        scores[stitch] = r2_score(y[:220], predicted)
    assert scores["task_loss"] > scores["least_squares"] > 0


def test_pipelines_and_searches(digits, networks):
    X, y = digits
    inner = MLPClassifier((15,), max_iter=60, learning_rate_init=0.01, random_state=0)
    deep = fitted(make_pipeline(StandardScaler(), PCA(20), inner), X[:400], y[:400])
    flat = make_pipeline(
        StandardScaler(), PCA(16), LogisticRegression(max_iter=1000)
    ).fit(X[:400], y[:400])
    assert list(stitching_layers(deep)) == [
        "standardscaler",
        "pca",
        "mlpclassifier.hidden_1",
    ]
    rest = X[400:], y[400:]
    for layer_x in ("pca", "mlpclassifier.hidden_1"):
        for layer_y in ("standardscaler", "pca"):
            measure = ModelStitching().fit((deep, layer_x), (flat, layer_y), *rest)
            expected = measure.tail_.predict(
                measure.stitch_.transform(measure.head_.transform(X))
            )
            assert_array_equal(measure.stitched_model_.predict(X), expected)
            assert measure.end_score_ > 0.8
            assert measure.random_tail_score_ < 0.5
            if layer_y == "pca":
                assert measure.similarity_ > 0.7
    H = measure.head_.transform(X)
    by_hand = deep[:-1].transform(X) @ deep[-1].coefs_[0] + deep[-1].intercepts_[0]
    assert_allclose(H, np.maximum(by_hand, 0))
    task = ModelStitching(stitch="task_loss", max_iter=5)
    assert task.fit((flat, "pca"), (deep, "pca"), *rest).similarity_ > 0.7
    search = GridSearchCV(flat, {"pca__n_components": [10, 16]}, cv=2).fit(*rest)
    expected = ModelStitching().fit((search.best_estimator_, "pca"), flat, X, y)
    assert ModelStitching().fit((search, "pca"), flat, X, y).score_ == expected.score_


def test_tails_without_weights(digits):
    X, y = digits
    pipes = [
        make_pipeline(StandardScaler(), PCA(10, random_state=0), last).fit(
            X[:400], y[:400]
        )
        for last in (GaussianNB(), RandomForestClassifier(10, random_state=0))
    ]
    for back in pipes:
        measure = ModelStitching().fit((pipes[0], "pca"), (back, "pca"), *digits)
        assert measure.similarity_ == pytest.approx(1)
        assert measure.random_tail_score_ < 0.5
    with pytest.raises(ValueError, match="piecewise constant"):
        ModelStitching(stitch="task_loss").fit(pipes[0], pipes[1], *digits)


def test_frames_and_sparse_steps(digits):
    X, y = load_iris(return_X_y=True)
    frame = pd.DataFrame(np.round(X), columns=list("abcd"))
    encoder = OneHotEncoder(handle_unknown="ignore")
    pipe = make_pipeline(encoder, LogisticRegression()).fit(frame, y)
    measure = ModelStitching().fit(pipe, pipe, frame, y)
    assert measure.similarity_ == pytest.approx(1, abs=0.05)
    assert (measure.stitched_model_.predict(frame) == y).mean() > 0.8
    network = fitted(MLPClassifier((8,), max_iter=100, random_state=0), frame, y)
    measure = ModelStitching().fit(network, network, frame, y)
    assert measure.identity_score_ == measure.end_score_


def test_matrix_of_layers(digits, networks):
    X, y = digits
    a, b = networks["a"], networks["wide"]
    measure = ModelStitching()
    matrix = similarity_matrix(
        measure, stitching_layers(a), stitching_layers(b), data=X, y_true=y
    )
    assert list(matrix.index) == ["hidden_1", "hidden_2"]
    assert list(matrix.columns) == ["hidden_1"]
    for layer in matrix.index:
        expected = measure.fit((a, layer), (b, "hidden_1"), X, y).score_
        assert matrix.loc[layer, "hidden_1"] == expected
    square = similarity_matrix(measure, stitching_layers(a), data=X, y_true=y)
    assert square.shape == (2, 2)
    assert square.iloc[0, 1] != square.iloc[1, 0]
    with pytest.raises(ValueError, match="Layer 'x'.*has no layer 'hidden_3'"):
        similarity_matrix(measure, {"x": (a, "hidden_3")}, data=X, y_true=y)
    with pytest.raises(ValueError, match="pass data="):
        similarity_matrix(measure, stitching_layers(a), y_true=y)


# ----- torch --------------------------------------------------------------------------


def convolutional(seed, channels):
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    return torch.nn.Sequential(
        torch.nn.Sequential(
            torch.nn.Conv2d(1, channels, 3),
            torch.nn.BatchNorm2d(channels),
            torch.nn.ReLU(),
        ),
        torch.nn.Dropout(0.5),
        torch.nn.Flatten(),
        torch.nn.Linear(channels * 36, 10),
    )


def train(module, X, y, n_steps=25):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    X, y = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y)
    module.train()
    for _ in range(n_steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(X), y).backward()
        optimizer.step()
    return module


@pytest.fixture(scope="module")
def images():
    X, y = load_digits(return_X_y=True)
    return X[:300].reshape(-1, 1, 8, 8) / 16, y[:300]


@pytest.fixture(scope="module")
def modules(images):
    pytest.importorskip("torch")
    X, y = images
    return [train(convolutional(i, 3 + i), X[:200], y[:200]) for i in range(2)]


def test_torch_modules(images, modules):
    torch = pytest.importorskip("torch")
    X, y = images
    a, b = modules
    assert list(stitching_layers(a)) == ["0.0", "0.1", "0.2", "1", "2"]
    states = [copy.deepcopy(module.state_dict()) for module in modules]
    for stitch in STITCHES:
        measure = ModelStitching(stitch=stitch, max_iter=20)
        measure.fit((a, "0.2"), (b, "0.2"), X, y)
        assert measure.similarity_ > 0.7
        assert measure.random_tail_score_ < (1 if stitch == "task_loss" else 0.5)
        assert measure.identity_score_ is None
        assert measure.stitch_.matrix.shape == (3, 4)  # channels
        assert measure.stitched_model_.predict(X).shape == (300,)
        assert_allclose(measure.stitched_model_.predict_proba(X).sum(axis=1), 1)
    for module, state in zip(modules, states, strict=True):
        assert module.training
        assert all(torch.equal(v, state[k]) for k, v in module.state_dict().items())
        assert all(p.requires_grad for p in module.parameters())
    with pytest.raises(ValueError, match="all other axes must agree"):
        ModelStitching().fit((a, "2"), (b, "0.2"), X, y)
    scores = ModelStitching(scoring="neg_log_loss", value="penalty")
    assert np.isfinite(scores.fit((a, "0.2"), (b, "0.2"), X, y).distance_)


def test_torch_replica_of_a_network(digits, networks):
    torch = pytest.importorskip("torch")
    X, y = digits
    replicas = []
    for name in ("a", "b"):
        layers = []
        network = networks[name]
        for W, b in zip(network.coefs_, network.intercepts_, strict=True):
            linear = torch.nn.Linear(*W.shape).double()
            linear.weight.data = torch.asarray(W.T.copy())
            linear.bias.data = torch.asarray(b.copy())
            layers += [linear, torch.nn.ReLU()]
        replicas.append(torch.nn.Sequential(*layers[:-1]))
    for stitch in STITCHES:
        measure = ModelStitching(stitch=stitch, max_iter=3)
        expected = measure.fit(
            (networks["a"], "hidden_1"), (networks["b"], "hidden_1"), X, y
        )
        stitched, score = (
            expected.stitch_.transform(expected.head_.transform(X)),
            expected.score_,
        )
        measure.fit((replicas[0], "1"), (replicas[1], "1"), X, y)
        # not the matrices: of a dead unit any row will do
        again = measure.stitch_.transform(measure.head_.transform(X))
        assert_allclose(again, stitched, atol=1e-6)
        assert measure.score_ == pytest.approx(score, abs=0.005)


def test_torch_binary_and_regression():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    ).double()
    with torch.no_grad():
        output = module(torch.asarray(X))[:, 0].numpy()
    measure = ModelStitching().fit(module, module, X, (output > 0).astype(int))
    assert measure.end_score_ == 1
    assert measure.similarity_ == pytest.approx(1)
    assert_array_equal(measure.stitched_model_.predict(X), output > 0)
    scores = measure.stitched_model_.decision_function(X)
    assert_allclose(scores, output, atol=1e-8)
    measure = ModelStitching(stitch="task_loss").fit(module, module, X, output)
    assert measure.end_score_ == pytest.approx(1)
    assert_allclose(measure.stitched_model_.predict(X), output, atol=1e-6)


def test_modules_whose_parts_do_not_run_in_order():
    torch = pytest.importorskip("torch")

    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.first = torch.nn.Linear(3, 3)
            self.second = torch.nn.Linear(3, 3)
            self.third = torch.nn.Linear(3, 2)

        def forward(self, x):
            return self.third(x + self.second(self.first(x)))

    class Misfit(Residual):
        def forward(self, x):
            return self.third(x)

        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(3, 5)

    class InOrder(Residual):
        def forward(self, x):
            return self.third(self.second(self.first(x)))

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    for module in (Residual(), Misfit()):
        with pytest.raises(ValueError, match="does not just run its parts first, seco"):
            ModelStitching().fit((module, "first"), (module, "first"), X, y)
    good = InOrder()
    assert ModelStitching().fit((good, "first"), (good, "second"), X, y).score_ > 0
    for role in ((Residual(), good), (good, Residual())):
        with pytest.raises(ValueError, match="does not just run"):
            ModelStitching().fit(*role, X, y)


# ----- bad input ----------------------------------------------------------------------


def test_score_that_is_nan_is_refused(digits, networks):
    X, y = digits
    measure = ModelStitching(scoring=lambda model, X, y: float("nan"))
    with pytest.raises(ValueError, match="gives nan for the stitched"):
        measure.fit(networks["a"], networks["a"], X, y)


def test_bad_input(digits, networks):
    X, y = digits
    a = networks["a"]
    narrow = fitted(MLPClassifier((4,), max_iter=5), X[:, :10], y)
    cases = [
        (((a, "hidden_9"), a, X, y), "no layer 'hidden_9'.*hidden_1, hidden_2"),
        (((a, "output"), a, X, y), "no layer 'output'.*hidden_1, hidden_2"),
        ((a, LogisticRegression().fit(X[:, :2], y), X, y), "no layers to be cut at"),
        ((a, 3, X, y), "no layers to be cut at"),
        ((a, (a, "hidden_1", 2), X, y), r"pair \(model, layer\)"),
        ((a, make_pipeline(GaussianNB()).fit(X, y), X, y), "no layer between"),
        ((a, MLPClassifier(), X, y), "not fitted"),
        ((a, narrow, X, y), "takes 64 features and .* takes 10"),
        ((a, a, X[:, :9], y), "takes 64 features, but data"),
        ((a, a, X, None), "needs the true labels"),
        ((a, a, None, y), "pass data="),
        ((a, a, X, y[:-1]), "y_true has 799 labels"),
        ((a, a, X, y + 10), "scores 0"),
        ((a, a, X[:1], y[:1]), "can't be split"),
    ]
    for arguments, message in cases:
        with pytest.raises(ValueError, match=message):
            ModelStitching().fit(*arguments)
    diverged = copy.copy(a)
    diverged.coefs_ = [np.full_like(W, np.inf) for W in a.coefs_]
    raises = pytest.raises(ValueError, match="Layer hidden_2 of .* gives NaN or inf")
    with raises, np.errstate(all="ignore"):
        ModelStitching().fit(diverged, a, X, y)
    with pytest.raises(ValueError, match="'stitch' parameter of ModelStitching"):
        ModelStitching(stitch="affine").fit(a, a, X, y)
    with pytest.raises(ValueError, match="The tail never saw the classes"):
        ModelStitching(stitch="task_loss").fit(a, a, X, y + 5)
