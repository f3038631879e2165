"""What has changed of a network's weights."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from _reference_weights import random_network
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier
from torch import nn

from sksim.pairwise import similarity_matrix
from sksim.structural import WeightDelta


def test_by_hand():
    """Differences diag(3, 4) and (0, 5): relative norms, ranks and cosines."""
    first = [(np.eye(2), np.zeros(2)), (np.array([[0.0], [2.0]]), None)]
    second = [(np.diag([4.0, 5.0]), np.zeros(2)), (np.array([[0.0], [-3.0]]), None)]
    measure = WeightDelta().fit(first, second)
    assert measure.distance_ == pytest.approx((50 / 6) ** 0.5)
    frame = measure.to_frame()
    assert frame.index.tolist() == ["hidden_1", "output"]
    assert frame["n_weights"].tolist() == [6, 2]
    assert_allclose(frame["relative_norm"], [5 / 2**0.5, 2.5])
    assert_allclose(frame["cosine"], [9 / (2 * 41) ** 0.5, -1])
    shares = np.array([3, 4]) / 7
    expected = np.prod(shares**-shares)
    assert_allclose(frame["effective_rank"], [expected, 1])
    assert_allclose(measure.spectra_["hidden_1"], [4, 3])
    assert_allclose(measure.spectra_["output"], [5])


def test_biases_count_in_norms_and_not_in_spectra():
    first = random_network(3, 4, 2)
    second = [(W, b + 1) for W, b in first]
    measure = WeightDelta().fit(first, second)
    (W, b), _ = first
    expected = (4 / (np.sum(W**2) + np.sum(b**2))) ** 0.5
    assert measure.layer_distances_["hidden_1"] == pytest.approx(expected)
    assert measure.effective_ranks_["hidden_1"] == 0
    assert_allclose(measure.spectra_["hidden_1"], 0)


@pytest.mark.parametrize("rank", [1, 3])
def test_low_rank_updates_have_a_low_rank(rank):
    rng = np.random.default_rng(0)
    W = rng.normal(size=(30, 20))
    Q, R = (np.linalg.qr(rng.normal(size=(n, rank)))[0] for n in (30, 20))
    measure = WeightDelta().fit({"w": W}, {"w": W + Q @ R.T})
    assert measure.effective_ranks_["w"] == pytest.approx(rank)
    assert_allclose(measure.spectra_["w"][:rank], 1)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5)
        self.rnn = nn.GRU(5, 4)
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x):
        raise RuntimeError("weights are read without being run")


def test_any_module_and_its_state_dict():
    torch.manual_seed(0)
    module = Net()
    tuned = deepcopy(module)
    with torch.no_grad():
        for parameter in tuned.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        tuned.norm.running_mean += 5
        tuned.norm.num_batches_tracked += 3
    measure = WeightDelta().fit(module, tuned)
    frame = measure.to_frame()
    assert sorted(frame.index) == ["conv", "norm", "rnn", "scale"]
    assert len(measure.spectra_["conv"]) == 5
    assert len(measure.spectra_["norm"]) == 1
    assert len(measure.spectra_["rnn"]) == 5 + 4
    change = (tuned.conv.weight - module.conv.weight).detach().double().numpy()
    expected = np.linalg.svd(change.reshape(5, -1), compute_uv=False)
    assert_allclose(measure.spectra_["conv"], expected)
    states = WeightDelta().fit(module.state_dict(), tuned.state_dict())
    assert states.distance_ == pytest.approx(measure.distance_)
    assert_allclose(states.to_frame().loc[frame.index], frame)


def test_checkpoints_of_one_run():
    X, y = load_iris(return_X_y=True)
    mlp = MLPClassifier((8,), random_state=0)
    run = {}
    for epoch in range(4):
        mlp.partial_fit(X, y, classes=np.arange(3))
        run[epoch] = deepcopy(mlp)
    matrix = similarity_matrix(WeightDelta(), run, output="statistic").to_numpy()
    assert_allclose(np.diag(matrix), 0)
    assert (np.diff(matrix[0]) > 0).all()
    # relative to the first: the same difference, another norm
    norms = [sum(np.sum(W**2) for W in m.coefs_ + m.intercepts_) for m in run.values()]
    ratio = (norms[3] / norms[0]) ** 0.5
    assert matrix[0, 3] == pytest.approx(matrix[3, 0] * ratio)


def test_layers_of_zeros():
    zero, one = np.zeros((2, 2)), np.eye(2)
    first, second = {"a": zero, "b": one}, {"a": one, "b": one}
    frame = WeightDelta().fit(first, second).to_frame()
    assert np.isnan(frame.loc["a", ["relative_norm", "cosine"]]).all()
    assert frame.loc["a", "effective_rank"] == pytest.approx(2)
    assert frame.loc["b", "relative_norm"] == 0
    with pytest.raises(ValueError, match="model_x are zero"):
        WeightDelta().fit({"a": zero}, {"a": one})


@pytest.mark.parametrize(
    "second, message",
    [
        ({"a": np.ones((2, 3))}, r"\(2, 2\).*\(2, 3\)"),
        ({"b": np.ones((2, 2))}, "different layers"),
        ({"a": np.ones((2, 2)), "b": np.ones(2)}, "1 arrays.* 2"),
        ({"a": np.array([["x"]])}, "'a' of model_y must be real"),
        ({"a": np.full((2, 2), np.nan)}, "'a' of model_y contain NaN"),
        ({}, "no weights"),
    ],
)
def test_what_is_refused(second, message):
    with pytest.raises(ValueError, match=message):
        WeightDelta().fit({"a": np.ones((2, 2))}, second)
