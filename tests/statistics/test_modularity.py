"""Modularity of the graphs of rows and of neurons."""

import networkx
import numpy as np
import pytest
from _reference import reference_arrays, reference_values
from numpy.testing import assert_allclose
from scipy import sparse

from sksim.arrays._graphs import best_partition, modularity
from sksim.statistics import NeighborGraphModularity, NeuronGraphModularity

PAIRS = sorted(reference_values("graphs"))


def reference_pair(name):
    arrays = reference_arrays("graphs")
    values = reference_values("graphs")[name]
    return arrays[f"{name}__x"], arrays[f"{name}__y"], arrays["labels"], values


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("k", [3, 5, 10])
def test_values_of_neighbor_graphs(name, k):
    X, y, labels, values = reference_pair(name)
    measure = NeighborGraphModularity(k).fit(X, y, y_true=labels)
    expected = [values[f"knn_modularity_top{k}_{side}"] for side in "xy"]
    assert_allclose(measure.statistics_, expected, rtol=1e-10)
    assert_allclose(measure.statistic_, abs(np.subtract(*expected)), atol=1e-12)
    named = NeighborGraphModularity(k).fit(X, y, y_true=labels.astype(str))
    assert_allclose(named.statistics_, expected, rtol=1e-10)


@pytest.mark.parametrize("name", PAIRS)
def test_values_of_neuron_graphs(name):
    X, y, _, values = reference_pair(name)
    measure = NeuronGraphModularity().fit(X, y)
    for side, value in zip("xy", measure.statistics_, strict=True):
        assert_allclose(value, values[f"neuron_modularity_leiden_{side}"], atol=1e-12)
        assert value >= values[f"neuron_modularity_spectral_{side}"] - 1e-12


def random_graph(n_nodes, random_state, density=1.0):
    rng = np.random.default_rng(random_state)
    weights = rng.random((n_nodes, n_nodes)) * (
        rng.random((n_nodes, n_nodes)) < density
    )
    weights = np.triu(weights, 1)
    return weights + weights.T


@pytest.mark.parametrize("density", [1.0, 0.3])
def test_modularity_by_networkx(density):
    weights = random_graph(20, 0, density)
    labels = np.random.default_rng(1).integers(0, 4, size=20)
    graph = networkx.from_numpy_array(weights)
    parts = [set(np.flatnonzero(labels == c)) for c in range(4)]
    expected = networkx.community.modularity(graph, parts)
    assert_allclose(modularity(weights, labels), expected)
    assert_allclose(modularity(sparse.csr_array(weights), labels), expected)


def partitions(items):
    """All partitions of a list."""
    if not items:
        yield []
        return
    first, *rest = items
    for smaller in partitions(rest):
        for i, part in enumerate(smaller):
            yield [*smaller[:i], [first, *part], *smaller[i + 1 :]]
        yield [[first], *smaller]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("density", [1.0, 0.4])
def test_best_partition_of_small_graphs_is_the_best(seed, density):
    weights = random_graph(7, seed, density)
    best = 0.0
    for parts in partitions(list(range(7))):
        labels = np.empty(7, dtype=int)
        for c, part in enumerate(parts):
            labels[part] = c
        best = max(best, modularity(weights, labels))
    labels, value = best_partition(weights, 10, np.random.RandomState(0))
    assert_allclose(value, best)
    assert_allclose(modularity(weights, labels), value)


def test_best_partition_is_as_good_as_networkx():
    for seed in range(3):
        weights = random_graph(40, seed, 0.2)
        graph = networkx.from_numpy_array(weights)
        parts = networkx.community.louvain_communities(graph, seed=seed)
        expected = networkx.community.modularity(graph, parts)
        value = best_partition(weights, 10, np.random.RandomState(0))[1]
        assert value >= expected - 1e-3


def test_modules_are_found():
    causes = np.random.default_rng(2).normal(size=(300, 3))
    X = np.repeat(causes, [4, 6, 5], axis=1)
    X += 0.3 * np.random.default_rng(3).normal(size=X.shape)
    weights = np.abs(np.corrcoef(X.T)) - np.eye(15)
    labels, _ = best_partition(weights, 3, np.random.RandomState(0))
    true = np.repeat([0, 1, 2], [4, 6, 5])
    assert np.array_equal(labels[:, None] == labels, true[:, None] == true)


def test_columns_may_come_in_any_order_and_scale():
    X, y, _, _ = reference_pair("noise05")
    expected = NeuronGraphModularity().fit(X, y).statistics_
    order = np.random.default_rng(4).permutation(X.shape[1])
    scales = np.random.default_rng(5).uniform(-3, 3, size=X.shape[1])
    moved = NeuronGraphModularity().fit((X * scales)[:, order] + 7, y)
    assert_allclose(moved.statistics_, expected)


def test_columns_without_correlations():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(50, 6))
    with_dead = np.c_[X, np.full((50, 2), 0.1)]
    measure = NeuronGraphModularity().fit(X, with_dead)
    assert_allclose(measure.statistic_, 0, atol=1e-12)
    alone = NeuronGraphModularity().fit(X[:, :1], np.full((50, 3), 2.0))
    assert alone.statistics_ == (0, 0)
    assert NeuronGraphModularity().fit(X[:40], rng.normal(size=(9, 2))).statistic_ > 0


def test_random_state_of_the_search():
    X = np.random.default_rng(7).normal(size=(30, 25))
    tags = NeuronGraphModularity(random_state=None)._similarity_tags()
    assert not tags.deterministic
    few = NeuronGraphModularity(n_init=1).fit(X, X).statistics_[0]
    many = NeuronGraphModularity(n_init=20).fit(X, X).statistics_[0]
    assert few <= many


def test_neighbor_graph_needs_labels_and_edges():
    X = np.random.default_rng(8).normal(size=(30, 3))
    labels = np.arange(30) % 3
    with pytest.raises(ValueError, match="needs the true labels"):
        NeighborGraphModularity().fit(X, X)
    with pytest.raises(ValueError, match="n_neighbors=30 needs at least 31 rows"):
        NeighborGraphModularity(30).fit(X, X, labels)
    with pytest.raises(ValueError, match="No row of X has a positive cosine"):
        NeighborGraphModularity(2).fit(np.eye(30), X, labels)
    one_class = NeighborGraphModularity().fit(X, X, np.zeros(30, dtype=int))
    assert_allclose(one_class.statistics_, 0, atol=1e-14)
