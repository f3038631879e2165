"""Networks whose units are matched."""

import itertools

import numpy as np
import pytest
import torch
from _reference_weights import random_network, weight_cases, with_units_permuted
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from torch import nn

from sksim.models._weights import Network, Tensor, Units, read_network
from sksim.pairwise import similarity_matrix
from sksim.structural import WeightMatching
from sksim.structural._unit_orders import UnitOrders


def as_lists(assignments):
    return [order.tolist() for order in assignments.values()]


@pytest.mark.parametrize("case, a, b, expected", [*weight_cases("weight_matching")])
def test_values_of_git_re_basin(case, a, b, expected):
    in_order = WeightMatching(n_init=1).fit(a, b)
    assert in_order.objective_ == pytest.approx(expected["objective_after"], rel=1e-12)
    measure = WeightMatching().fit(a, b)
    assert measure.objective_ >= in_order.objective_ - 1e-9
    assert measure.objective_ >= expected["best_objective_of_20_orders"] - 1e-9
    for fitted in (in_order, measure):
        if "permutations" in expected:
            assert as_lists(fitted.assignments_) == expected["permutations"]
        if "recovered_exactly" in expected:
            assert fitted.distance_ == 0
        assert fitted.matched_model_[0][0].dtype == a[0][0].dtype


def test_best_of_all_orders_by_hand():
    """Two hidden layers of three units: none of the 36 pairs of orders is better."""
    a, b = (random_network(2, 3, 3, 2, random_state=seed) for seed in (0, 1))
    distances = []
    for p, q in itertools.product(itertools.permutations(range(3)), repeat=2):
        (U, c), (V, d), (W, e) = b
        p, q = list(p), list(q)
        moved = [(U[:, p], c[p]), (V[p][:, q], d[q]), (W[q], e)]
        squares = [
            np.sum((x - y) ** 2)
            for first, second in zip(a, moved, strict=True)
            for x, y in zip(first, second, strict=True)
        ]
        distances.append(sum(squares) ** 0.5)
    measure = WeightMatching(n_init=10).fit(a, b)
    assert measure.distance_ == pytest.approx(min(distances), rel=1e-12)
    assert measure.unmatched_distance_ == pytest.approx(distances[0], rel=1e-12)


def test_distances_of_layers_add_up():
    a, b = (random_network(4, 7, 6, 2, random_state=seed) for seed in (0, 1))
    measure = WeightMatching().fit(a, b)
    layers = measure.layer_distances_
    assert list(layers) == ["hidden_1", "hidden_2", "output"]
    assert np.linalg.norm(list(layers.values())) == pytest.approx(measure.distance_)
    first, matched = a[0], measure.matched_model_[0]
    squares = [np.sum((x - y) ** 2) for x, y in zip(first, matched, strict=True)]
    assert layers["hidden_1"] == pytest.approx(sum(squares) ** 0.5)


@pytest.mark.parametrize(
    "widths", [(64, 512, 10), (3, 512, 512, 512, 2), (5, 1, 4, 4, 1), (2, 2, 2)]
)
@pytest.mark.parametrize("biases", [True, False])
def test_planted_orders_are_recovered(widths, biases):
    network = random_network(*widths, biases=biases)
    permuted, orders = with_units_permuted(network)
    measure = WeightMatching().fit(network, permuted)
    for order, found in zip(orders, measure.assignments_.values(), strict=True):
        assert_array_equal(order[found], np.arange(len(order)))
    assert measure.distance_ == 0


def test_plain_matrices_are_a_network():
    network = random_network(3, 5, 2, biases=False)
    permuted, _ = with_units_permuted(network)
    plain = [[W for W, _ in layers] for layers in (network, permuted)]
    measure = WeightMatching().fit(*plain)
    assert measure.distance_ == 0
    for matched, W in zip(measure.matched_model_, plain[0], strict=True):
        assert_array_equal(matched, W)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    networks = [
        MLPClassifier((32, 16), max_iter=15, random_state=seed) for seed in (0, 1)
    ]
    with pytest.warns(UserWarning, match="Maximum iterations"):
        return X, y, *(network.fit(X, y) for network in networks)


@pytest.mark.parametrize("criterion", ["weights", "activations"])
def test_matched_network_computes_the_same(digits, criterion):
    X, _, a, b = digits
    data = X if criterion == "activations" else None
    measure = WeightMatching(criterion).fit(a, b, data)
    matched = measure.matched_model_
    assert type(matched) is MLPClassifier
    assert_allclose(matched.predict_proba(X), b.predict_proba(X), rtol=0, atol=1e-10)
    assert measure.distance_ < measure.unmatched_distance_
    again = WeightMatching(n_init=1).fit(a, matched)
    assert again.unmatched_distance_ == pytest.approx(measure.distance_, rel=1e-12)


def test_criteria_have_different_optima(digits):
    X, _, a, b = digits
    by_weights = WeightMatching().fit(a, b)
    by_activations = WeightMatching("activations").fit(a, b, X)
    assert by_weights.distance_ < by_activations.distance_
    # by definition: the sum of products of the first layer's activations
    units = [np.maximum(X @ m.coefs_[0] + m.intercepts_[0], 0) for m in (a, b)]
    gains = units[0].T @ units[1]
    sums = [
        gains[np.arange(32), m.assignments_["hidden_1"]].sum()
        for m in (by_weights, by_activations)
    ]
    assert sums[1] > sums[0]
    rng = np.random.default_rng(0)
    swaps = by_activations.assignments_["hidden_1"].copy()
    for i, j in rng.integers(32, size=(50, 2)):
        swaps[[i, j]] = swaps[[j, i]]
        assert gains[np.arange(32), swaps].sum() <= sums[1] + 1e-9


def test_regressors_and_matrices_of_many():
    X, y = load_iris(return_X_y=True)
    nets = {
        seed: MLPRegressor(hidden_layer_sizes=(6,), max_iter=5, random_state=seed)
        for seed in range(3)
    }
    with pytest.warns(UserWarning, match="Maximum iterations"):
        nets = {seed: net.fit(X, y) for seed, net in nets.items()}
    matrix = similarity_matrix("WeightMatching", nets, output="statistic")
    single = WeightMatching().fit(nets[2], nets[0])
    assert matrix.loc[2, 0] == pytest.approx(single.distance_, rel=1e-12)
    assert_allclose(matrix, matrix.T)
    assert_allclose(np.diag(matrix), 0)
    watched = similarity_matrix(
        WeightMatching("activations"), nets, data=X, output="statistic"
    )
    assert (watched.to_numpy() >= matrix.to_numpy() - 1e-9).all()


def test_seed_decides():
    a, b = (random_network(4, 12, 12, 12, 3, random_state=seed) for seed in (5, 6))
    measure = WeightMatching(n_init=12, random_state=3)
    first, second = measure.fit(a, b).objective_, measure.fit(a, b).objective_
    assert first == second
    assert first >= WeightMatching(n_init=3).fit(a, b).objective_


def test_each_kind_of_start_can_be_the_best():
    """As they are, from the input on, from the output back, and in random order."""

    def objectives(seed):
        a, b = (random_network(4, 12, 12, 12, 3, random_state=seed + k) for k in (0, 1))
        return [WeightMatching(n_init=n).fit(a, b).objective_ for n in (1, 2, 3, 12)]

    as_they_are, forward, backward, _ = objectives(8)
    assert as_they_are < forward < backward
    *_, backward, at_random = objectives(2)
    assert backward < at_random


def test_units_that_are_joined_with_themselves_never_lose():
    """The gain of an order that stands on both sides of a matrix is not its slope."""
    lost = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        both = [rng.normal(size=(9, 9)) for _ in range(2)]
        networks = [
            Network(
                (Tensor("tied", "weights", W, (0, 0), 0, W.shape),), units, "", None
            )
            for W in both
            for units in [(Units("tied", 9),)]
        ]
        search = UnitOrders(*networks)
        assignments = [np.arange(9)]
        before = search.objective(assignments)
        while search._improve(0, assignments):
            after = search.objective(assignments)
            lost.append(before - after)
            before = after
    assert len(lost) > 5
    assert max(lost) < 0


@pytest.mark.parametrize(
    "second, message",
    [
        (random_network(4, 6, 3), r"biases of layer 'hidden_1'|shape"),
        (random_network(4, 5, 5, 3), "different layers"),
        (random_network(4, 5, 3, biases=False), "different layers"),
        (random_network(4, 3), "no hidden units"),
        (LogisticRegression(), "no network of linear layers"),
        (5, "model_y must be an MLPClassifier"),
    ],
)
def test_what_can_not_be_matched(second, message):
    with pytest.raises(ValueError, match=message):
        WeightMatching().fit(random_network(4, 5, 3), second)


def test_activations_need_rows_and_a_network():
    network = random_network(4, 5, 3)
    with pytest.raises(ValueError, match="list of weights"):
        WeightMatching("activations").fit(network, network, np.ones((3, 4)))
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(ValueError, match="pass data"):
        WeightMatching("activations").fit(module, module)


def test_float32_modules_are_moved_not_rounded():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    network = read_network(module, "network")
    order = np.random.default_rng(0).permutation(5)
    permuted = network.with_values([t.moved([order]) for t in network.tensors])
    matched = WeightMatching().fit(module, permuted).matched_model_
    for name, tensor in module.state_dict().items():
        assert torch.equal(matched.state_dict()[name], tensor)
        assert tensor.dtype == torch.float32
