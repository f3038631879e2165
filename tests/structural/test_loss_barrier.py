"""Loss on the way from one network to another."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import torch
from _reference import reference_arrays
from _reference_networks import network as mlp_of
from _reference_weights import random_network, weight_cases, with_units_permuted
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, make_regression
from sklearn.metrics import log_loss, make_scorer, mean_absolute_error
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

from sksim.models._weights import read_network
from sksim.pairwise import similarity_matrix
from sksim.structural import LossBarrier, WeightMatching


def as_mlp(layers):
    return mlp_of([W for W, _ in layers], [b for _, b in layers], "relu")


@pytest.mark.parametrize("case, a, b, expected", [*weight_cases("barrier")])
def test_values_by_definition(case, a, b, expected):
    arrays = reference_arrays("weights")
    X, y = (arrays[f"barrier/{case}/{name}"] for name in "Xy")
    a, b = as_mlp(a), as_mlp(b)
    ways = {"before": LossBarrier(matching=None), "after_matching": LossBarrier()}
    for name, measure in ways.items():
        measure.fit(a, b, X, y)
        assert_allclose(measure.points_, expected["points"])
        assert_allclose(measure.curve_, expected[name]["loss"], rtol=1e-8)
        barrier = expected[name]["barrier"]
        assert measure.barrier_ == pytest.approx(barrier, rel=1e-8, abs=1e-12)
        losses = expected[name]["loss"]
        gap = losses[5] - (losses[0] + losses[10]) / 2
        assert measure.midpoint_gap_ == pytest.approx(gap, rel=1e-8, abs=1e-12)
        if barrier > 1e-10:
            assert measure.barrier_at_ == pytest.approx(expected[name]["barrier_at"])
    by_accuracy = LossBarrier("accuracy").fit(a, b, X, y)
    assert_allclose(
        by_accuracy.curve_, -np.array(expected["after_matching"]["accuracy"])
    )


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = X[:500] / 16
    networks = [MLPClassifier((24, 16), random_state=seed) for seed in (0, 1)]
    for network in networks:
        for _ in range(25):
            network.partial_fit(X, y[:500], classes=np.arange(10))
    return X, y[:500], *networks


def test_two_seeds_have_a_barrier_and_less_after_matching(digits):
    X, y, a, b = digits
    before = LossBarrier(matching=None).fit(a, b, X, y)
    after = LossBarrier().fit(a, b, X, y)
    assert 0 < after.barrier_ < before.barrier_
    assert before.matched_model_.coefs_[0] is not b.coefs_[0]
    assert_array_equal(before.matched_model_.coefs_[0], b.coefs_[0])
    mean = after.midpoint_model_
    assert_allclose(
        mean.coefs_[0], (a.coefs_[0] + after.matched_model_.coefs_[0]) / 2, rtol=1e-12
    )
    loss = log_loss(y, mean.predict_proba(X))
    ends = after.curve_[[0, -1]].mean()
    assert after.midpoint_gap_ == pytest.approx(loss - ends)
    even = LossBarrier(n_points=4).fit(a, b, X, y)
    assert even.midpoint_gap_ == pytest.approx(after.midpoint_gap_)


def test_permuted_self_has_none(digits):
    X, y, a, _ = digits
    layers = list(zip(a.coefs_, a.intercepts_, strict=True))
    permuted = with_units_permuted(layers)[0]
    other = deepcopy(a)
    other.coefs_ = [W for W, _ in permuted]
    other.intercepts_ = [b for _, b in permuted]
    assert LossBarrier().fit(a, other, X, y).barrier_ < 1e-10
    assert LossBarrier(matching=None).fit(a, other, X, y).barrier_ > 0.1
    by_activations = LossBarrier(matching="activations").fit(a, other, X, y)
    assert by_activations.barrier_ < 1e-10
    chosen = LossBarrier(matching=WeightMatching(n_init=1)).fit(a, other, X, y)
    assert chosen.barrier_ < 1e-10


def test_scorers_and_callables(digits):
    X, y, a, b = digits

    def minus_error(model, data, y_true):
        return -np.mean(model.predict(data) != y_true)

    by_name = LossBarrier("accuracy").fit(a, b, X, y)
    by_function = LossBarrier(minus_error).fit(a, b, X, y)
    assert by_function.barrier_ == pytest.approx(by_name.barrier_)
    assert_allclose(by_function.curve_, by_name.curve_ + 1)


def test_regressors():
    X, y = make_regression(100, 6, random_state=0)
    y = y / y.std()
    nets = [
        MLPRegressor(hidden_layer_sizes=(12,), solver="lbfgs", random_state=seed)
        for seed in (0, 1)
    ]
    with pytest.warns(UserWarning, match="lbfgs"):
        a, b = (net.set_params(max_iter=50).fit(X, y) for net in nets)
    measure = LossBarrier().fit(a, b, X, y)
    assert measure.curve_[0] == pytest.approx(np.mean((a.predict(X) - y) ** 2))
    scorer = make_scorer(mean_absolute_error, greater_is_better=False)
    measure = LossBarrier(scorer).fit(a, b, X, y)
    assert measure.curve_[-1] == pytest.approx(np.mean(np.abs(b.predict(X) - y)))


def test_rows_with_names_and_missing_classes(digits):
    X, y, *_ = digits
    frame = pd.DataFrame(X, columns=[f"pixel {i}" for i in range(64)])
    a, b = (MLPClassifier((5,), random_state=seed) for seed in (0, 1))
    for net in (a, b):
        net.partial_fit(frame, y, classes=np.arange(10))
    some = y < 7
    measure = LossBarrier().fit(a, b, frame[some], y[some])
    expected = log_loss(y[some], a.predict_proba(frame[some]), labels=np.arange(10))
    assert measure.curve_[0] == pytest.approx(expected)


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6)
        self.inner = nn.Sequential(nn.Conv2d(6, 6, 3, 1, 1), nn.BatchNorm2d(6))
        self.drop, self.head = nn.Dropout(0.5), nn.Linear(6, 3)

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        x = torch.relu(x + self.inner(x))
        return self.head(self.drop(x.mean((2, 3))))


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 1, 7, 7)) + 1, rng.integers(0, 3, 40)


def test_batch_normalisations_are_computed_anew(images):
    X, y = images
    torch.manual_seed(0)
    a, b = ConvNet().double().eval(), ConvNet().double().eval()
    states = [deepcopy(m.state_dict()) for m in (a, b)]
    measure = LossBarrier(n_points=3).fit(a, b, X, y)
    mean = measure.midpoint_model_
    rows = torch.as_tensor(X)
    with torch.no_grad():
        sums = mean.conv(rows)
    assert_allclose(mean.norm.running_mean, sums.mean((0, 2, 3)), rtol=1e-10)
    assert_allclose(mean.norm.running_var, sums.var((0, 2, 3)), rtol=1e-10)
    assert mean.norm.momentum == a.norm.momentum
    # by hand: the loss of the network whose norms see all rows at once
    with torch.no_grad():
        for net, place in ((a, 0), (mean, 1)):
            net = deepcopy(net)
            net.norm.momentum = net.inner[1].momentum = 1.0
            net.train()
            net.drop.eval()
            net(rows)
            net.eval()
            loss = nn.functional.cross_entropy(net(rows), torch.as_tensor(y))
            assert measure.curve_[place] == pytest.approx(float(loss), rel=1e-9)
    for model, state in zip((a, b), states, strict=True):
        assert not model.training
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, state[name])


def test_permuted_conv_net_has_no_barrier(images):
    X, y = images
    torch.manual_seed(0)
    module = ConvNet().eval()
    network = read_network(module, "network")
    rng = np.random.default_rng(1)
    orders = [rng.permutation(units.size) for units in network.units]
    permuted = network.with_values([t.moved(orders) for t in network.tensors])
    assert LossBarrier().fit(module, permuted, X, y).barrier_ < 1e-10
    assert LossBarrier(matching=None).fit(module, permuted, X, y).barrier_ > 1e-3


def test_any_module_without_matching(images):
    X, y = images

    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.GRU(7, 4, batch_first=True), nn.Linear(4, 3)

        def forward(self, x):
            return self.head(self.rnn(x[:, 0])[0][:, -1])

    torch.manual_seed(0)
    a, b = Recurrent(), Recurrent()
    assert LossBarrier(matching=None).fit(a, b, X, y).curve_.shape == (11,)
    with pytest.raises(ValueError, match="'rnn'.*is a GRU"):
        LossBarrier().fit(a, b, X, y)


def test_lists_of_weights_need_a_callable():
    X = np.random.default_rng(0).normal(size=(30, 4))
    y = (X[:, 0] > 0).astype(float)
    a, b = (random_network(4, 8, 1, random_state=seed) for seed in (0, 1))

    def minus_squares(layers, data, y_true):
        (W, c), (V, d) = layers
        return -np.mean((np.tanh(data @ W + c) @ V + d - y_true[:, None]) ** 2)

    measure = LossBarrier(minus_squares).fit(a, b, X, y)
    assert measure.curve_[0] == pytest.approx(-minus_squares(a, X, y))
    assert measure.curve_[-1] == pytest.approx(-minus_squares(b, X, y))
    with pytest.raises(ValueError, match="makes no predictions"):
        LossBarrier().fit(a, b, X, y)


def test_matrix_of_many(digits):
    X, y, a, b = digits
    matrix = similarity_matrix(
        LossBarrier(n_points=3), {"a": a, "b": b}, data=X, y_true=y, output="statistic"
    )
    single = LossBarrier(n_points=3).fit(a, b, X, y).barrier_
    assert matrix.loc["a", "b"] == pytest.approx(single)
    assert matrix.loc["b", "a"] == pytest.approx(single)


def test_what_is_refused(digits):
    X, y, a, b = digits
    with pytest.raises(ValueError, match="true labels"):
        LossBarrier().fit(a, b, X)
    with pytest.raises(ValueError, match="3 labels for 500 rows"):
        LossBarrier().fit(a, b, X, y[:3])
    with pytest.raises(ValueError, match="log loss can't judge a MLPClassifier"):
        LossBarrier().fit(a, b, X, y + 100)
    with pytest.raises(ValueError, match="takes 64 features"):
        LossBarrier().fit(a, b, X[:, :5], y)
    other = MLPClassifier((24, 16), random_state=0)
    other.partial_fit(X, y + 1, classes=np.arange(1, 11))
    with pytest.raises(ValueError, match="outputs mean the same"):
        LossBarrier().fit(a, other, X, y)
    tanh = MLPClassifier((24, 16), activation="tanh", random_state=0)
    tanh.partial_fit(X, y, classes=np.arange(10))
    with pytest.raises(ValueError, match="activations relu and tanh"):
        LossBarrier().fit(a, tanh, X, y)
