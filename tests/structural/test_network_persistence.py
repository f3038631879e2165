"""Persistent homology of networks."""

import itertools

import gudhi
import numpy as np
import pytest
import torch
from _reference import reference_arrays, reference_values
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.csgraph import minimum_spanning_tree
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksim.pairwise import similarity_matrix
from sksim.structural import NetworkPersistence
from sksim.structural._network_persistence import (
    Barcode,
    _betti,
    _landscape,
    _silhouette,
    barcode,
)

REPRESENTATIONS = ["silhouette", "landscape", "heat", "betti"]


def random_network(*widths, random_state=0, biases=True):
    rng = np.random.default_rng(random_state)
    return [
        (rng.normal(size=(a, b)), rng.normal(size=b) if biases else None)
        for a, b in itertools.pairwise(widths)
    ]


def original_network(name):
    arrays = reference_arrays("networks")
    n_layers = sum(key.startswith(f"{name}__W") for key in arrays)
    return [(arrays[f"{name}__W{i}"], arrays[f"{name}__b{i}"]) for i in range(n_layers)]


def shuffled(network, random_state=1):
    """The same function, its hidden units in another order."""
    rng = np.random.default_rng(random_state)
    network = [(W.copy(), b.copy()) for W, b in network]
    for k in range(len(network) - 1):
        order = rng.permutation(network[k][0].shape[1])
        network[k] = (network[k][0][:, order], network[k][1][order])
        network[k + 1] = (network[k + 1][0][order], network[k + 1][1])
    return network


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_values_of_the_original_pipeline(representation):
    reference = reference_values("networks")
    networks = [original_network(name) for name in reference["names"]]
    measure = NetworkPersistence(representation, grid="pair")
    distances = [[measure.fit(a, b).distance_ for b in networks] for a in networks]
    assert_allclose(distances, reference["dist"][representation], rtol=1e-6)


def flag_complex_bars(network):
    """Barcode by gudhi, from the edges of the whole graph."""
    largest = max(np.abs(a).max() for layer in network for a in layer if a is not None)
    tree = gudhi.SimplexTree()
    nodes = itertools.count()
    before = [next(nodes) for _ in range(len(network[0][0]))]
    edges = []
    for W, b in network:
        after = [next(nodes) for _ in range(W.shape[1])]
        edges += [
            (before[i], after[j], W[i, j])
            for i, j in itertools.product(*map(range, W.shape))
        ]
        if b is not None:
            edges += [(next(nodes), j, w) for j, w in zip(after, b, strict=True)]
        before = after
    for node in range(next(nodes)):
        tree.insert([node], 0.0)
    for i, j, w in edges:
        tree.insert([i, j], max(1 - abs(w) / largest, 1e-6))
    tree.expansion(3)
    tree.compute_persistence(min_persistence=-1, persistence_dim_max=True)
    components, cycles = (tree.persistence_intervals_in_dimension(k) for k in (0, 1))
    assert not len(tree.persistence_intervals_in_dimension(2))
    assert np.isinf(components[:, 1]).sum() == 1
    assert np.isinf(cycles[:, 1]).all()
    finite = components[np.isfinite(components[:, 1]), 1]
    return np.sort(finite), np.sort(cycles[:, 0])


@pytest.mark.parametrize(
    "network",
    [
        random_network(4, 3, 2),
        random_network(5, 6, 5, 1, random_state=1),
        random_network(3, 4, biases=False),
        [(np.array([[1.0, 1.0], [1.0, 1.0]]), None)],
        [(np.round(random_network(6, 6)[0][0]), None)],
    ],
    ids=["two layers", "three layers", "no biases", "all equal", "ties and zeros"],
)
def test_barcode_is_that_of_the_flag_complex(network):
    bars = barcode(network)
    deaths, births = flag_complex_bars(network)
    assert_allclose(bars.deaths, deaths, rtol=1e-12)
    # a cycle that closes at 1 is closed by a weight of zero: no edge
    assert_allclose(bars.births, births[births < 1], rtol=1e-12)


def test_forest_of_blocks_is_the_forest(monkeypatch):
    """Cutting the weights into small blocks changes nothing."""
    network = random_network(30, 20, 10)
    whole = barcode(network)
    monkeypatch.setattr("sksim.arrays._kernels._BLOCK_ELEMENTS", 64)
    blocks = barcode(network)
    assert_array_equal(blocks.deaths, whole.deaths)
    assert_array_equal(blocks.births, whole.births)


def test_single_layer_by_hand():
    """Weights 1, .8, .6, .2: three edges join four nodes, the weakest closes a ring."""
    bars = barcode([(np.array([[1.0, -0.8], [0.6, 0.2]]), None)])
    assert_allclose(bars.deaths, [1e-6, 0.2, 0.4])
    assert_allclose(bars.births, [0.8])
    with_bias = barcode([(np.array([[1.0, -0.8], [0.6, 0.2]]), np.array([2.0, 0.0]))])
    assert_allclose(with_bias.deaths, [1e-6, 0.5, 0.6, 0.7, 1.0])
    assert_allclose(with_bias.births, [0.9])


def test_short_lived_components_are_dropped():
    network = [(np.array([[1.0, -0.8], [0.6, 0.2]]), None)]
    bars = barcode(network, min_persistence=0.1)
    assert_allclose(bars.deaths, [0.2, 0.4])
    assert_allclose(bars.births, [0.8])
    living = NetworkPersistence("betti", min_persistence=0.3).fit(network, network)
    assert_array_equal(living.curves_x_[:, 0], [1, 0])


def tents(births, deaths, grid):
    t = grid[:, None]
    return np.maximum(np.minimum(t - births, deaths - t), 0)


@pytest.mark.parametrize("dimension", [0, 1])
def test_curves_by_definition(dimension):
    rng = np.random.default_rng(0)
    bars = Barcode(np.sort(rng.uniform(0, 1, 50)), np.sort(rng.uniform(0, 1, 40)))
    births, deaths = bars.bars(dimension)
    grid = np.linspace(0, 1, 57)
    heights = tents(births, deaths, grid)
    assert_allclose(_landscape(births, deaths, grid), heights.max(axis=1), atol=1e-15)
    for power in (1, 2.5):
        weights = (deaths - births) ** power
        expected = heights @ weights / weights.sum()
        assert_allclose(_silhouette(births, deaths, grid, power), expected, atol=1e-13)
    alive = (births <= grid[:, None]) & (grid[:, None] < deaths)
    assert_array_equal(_betti(births, deaths, grid), alive.sum(axis=1))


def test_heat_surface_integrates_the_bars():
    """Far from the diagonal each bar is a unit of heat, with its mirror image."""
    network = [(np.array([[1.0, 1.0], [1.0, 0.99]]), None)]
    measure = NetworkPersistence("heat", sigma=0.02, n_points=201).fit(network, network)
    step = measure.grid_[0, 1]
    cycles = measure.curves_x_[1]
    assert_allclose(cycles, -cycles.T)
    upper = np.triu(cycles).sum() * step**2
    # the bar (.01, 1) lies at the corner of the grid, where a quarter of it remains
    assert 0.25 <= upper < 0.6


@pytest.mark.parametrize("grid", ["common", "pair"])
@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_order_of_hidden_units_and_scale_do_not_matter(representation, grid):
    network = random_network(7, 6, 5, 4)
    measure = NetworkPersistence(representation, grid=grid)
    assert measure.fit(network, shuffled(network)).distance_ == 0
    scaled = [(4 * W, 4 * b) for W, b in network]
    assert measure.fit(network, scaled).distance_ == 0
    flipped = [(-W, b) for W, b in network]
    assert measure.fit(network, flipped).distance_ == 0
    other = random_network(7, 6, 5, 4, random_state=1)
    assert measure.fit(network, other).distance_ > 1e-4


@pytest.mark.parametrize("representation", REPRESENTATIONS)
def test_common_grid_is_one_embedding(representation):
    networks = [random_network(4, w, 3, random_state=w) for w in (2, 5, 9)]
    measure = NetworkPersistence(representation)
    a, b, c = (measure._view(measure._check_model(n, "n"), np).curves for n in networks)
    fitted = measure.fit(networks[0], networks[1])
    assert_array_equal(fitted.curves_x_, a)
    factor = 1 / 199 if representation == "heat" else (1 / 199) ** 0.5
    assert_allclose(fitted.distance_, np.linalg.norm(a - b) * factor)
    assert_allclose(np.linalg.norm(fitted.dimension_distances_), fitted.distance_)
    assert c.shape == a.shape


@pytest.mark.filterwarnings("ignore:.*converged")
def test_scikit_learn_and_torch_networks_are_their_weights():
    X, y = load_iris(return_X_y=True)
    network = MLPClassifier((6, 5), max_iter=30, random_state=0).fit(X, y)
    weights = list(zip(network.coefs_, network.intercepts_, strict=True))
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 6),
        torch.nn.ReLU(),
        torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Dropout()),
        torch.nn.Linear(5, 3),
    ).double()
    linear = [m for m in module.modules() if isinstance(m, torch.nn.Linear)]
    with torch.no_grad():
        for layer, (W, b) in zip(linear, weights, strict=True):
            layer.weight.copy_(torch.as_tensor(W.T))
            layer.bias.copy_(torch.as_tensor(b))
    measure = NetworkPersistence()
    other = random_network(3, 4)
    expected = measure.fit(weights, other).distance_
    assert expected > 0
    assert measure.fit(network, other).distance_ == expected
    assert measure.fit(module, other).distance_ == expected
    assert measure.score(network, module) == 0
    regressor = MLPRegressor(hidden_layer_sizes=3, max_iter=5, random_state=0).fit(X, y)
    assert measure.fit(network, regressor).distance_ > 0


def test_torch_layers_without_biases():
    module = torch.nn.Sequential(
        torch.nn.Linear(4, 3, bias=False), torch.nn.Linear(3, 2, bias=False)
    )
    listed = [(m.weight.detach().numpy().T, None) for m in module]
    assert NetworkPersistence().fit(module, listed).distance_ == 0


def test_network_without_cycles():
    """A chain has no cycle; its curve is flat, and no grid is refused."""
    chain = [(np.ones((1, 1)), None), (np.full((1, 1), 0.5), None)]
    for grid, representation in itertools.product(("common", "pair"), REPRESENTATIONS):
        measure = NetworkPersistence(representation, grid=grid).fit(chain, chain)
        assert measure.distance_ == 0
        assert measure.fit(chain, random_network(3, 4)).distance_ >= 0


def test_extreme_weights_keep_their_order():
    network = random_network(5, 4, 3)
    for factor in (1e300, 1e-300):
        scaled = [(W * factor, b * factor) for W, b in network]
        distance = NetworkPersistence().fit(network, scaled).distance_
        assert distance == pytest.approx(0, abs=1e-12)


GOOD = [(np.ones((2, 3)), np.ones(3)), (np.ones((3, 1)), np.ones(1))]


@pytest.mark.parametrize(
    "network, message",
    [
        ([(np.zeros((2, 3)), np.zeros(3))], "All weights of a network are zero"),
        ([(np.full((2, 3), np.nan), None)], "NaN or infinity"),
        ([(np.ones((2, 3)), None), (np.ones((2, 1)), None)], "3 outputs, but layer 1"),
        ([(np.ones((2, 3)), np.ones(2))], "biases of layer 0 of model_y"),
        ([(np.ones(3), None)], "must be a matrix"),
        ([(np.ones((2, 0)), None)], "must be a matrix"),
        ([(np.array([["a"]]), None)], "must be real"),
        ([], "no linear layer"),
        ([(np.ones((3, 3)),)], r"list of \(weights, biases\)"),
        (5, r"list of \(weights, biases\)"),
        (StandardScaler(), "no network of linear layers"),
        (make_pipeline(StandardScaler()), r"pipeline\[-1\]"),
        (torch.nn.Conv1d(2, 3, 1), "Conv1d"),
        (torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2)), "1"),
        (torch.nn.ReLU(), "no linear layer"),
        (None, "requires model_y"),
    ],
)
def test_bad_networks(network, message):
    with pytest.raises(ValueError, match=message):
        NetworkPersistence().fit(GOOD, network)


def test_unfitted_network():
    with pytest.raises(NotFittedError, match="model_x is an unfitted MLPClassifier"):
        NetworkPersistence().fit(MLPClassifier(), GOOD)


def test_oracle_agrees_with_scipy_on_a_dense_graph():
    """Death times of a wide layer are those of scipy's tree of the full matrix."""
    (W, _), *_ = network = random_network(40, 30, biases=False)
    graph = np.zeros((70, 70))
    graph[:40, 40:] = np.maximum(1 - np.abs(W) / np.abs(W).max(), 1e-6)
    expected = np.sort(minimum_spanning_tree(graph).data)
    assert_array_equal(barcode(network).deaths, expected)


@pytest.mark.parametrize("grid", ["common", "pair"])
def test_matrix_of_many_networks(grid):
    networks = {f"{w}": random_network(4, w, 3, random_state=w) for w in (3, 5, 7)}
    measure = NetworkPersistence(grid=grid)
    matrix = similarity_matrix(measure, networks, output="statistic", n_jobs=2)
    expected = [
        [measure.fit(a, b).distance_ for b in networks.values()]
        for a in networks.values()
    ]
    assert_array_equal(matrix.to_numpy(), expected)
    scores = similarity_matrix(measure, networks, {"third": networks["7"]})
    assert_array_equal(scores["third"], -matrix["7"])
    with pytest.raises(ValueError, match="'bad': the model must be an MLPClassifier"):
        similarity_matrix(measure, {**networks, "bad": 5})
