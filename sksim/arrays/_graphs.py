"""Graphs of rows: the k strongest edges of each, triangles, and modularity."""

import numpy as np
from scipy import sparse

from sksim.arrays._namespace import namespace_of, to_numpy


def label_codes(labels):
    """Labels of any kind as integers from 0 on, in numpy."""
    labels = to_numpy(labels, xp=namespace_of(labels))
    return np.unique(labels, return_inverse=True)[1]


def strongest_edges(neighbors, *, xp):
    """Sparse matrix of the cosines of each row with its nearest neighbours.

    Row i holds the edges that i chose, times its share where equally near rows share
    places; the graph is the mean of this matrix and its transpose. Lives on the CPU,
    whatever the namespace.
    """
    if neighbors.shared is not None:
        return _shared_edges(neighbors.shared)
    return listed_edges(neighbors, xp=xp)


def _shared_edges(places):
    weights = places.shares * (1 - places.squares / 2)
    shape = (places.n_samples, places.n_samples)
    return sparse.csr_array((weights, (places.rows, places.columns)), shape=shape)


def listed_edges(neighbors, *, xp):
    """The same of the neighbours in the lists, tied ones by their index."""
    indices = to_numpy(neighbors.indices, xp=xp)
    cosines = 1 - to_numpy(neighbors.squared_distances, xp=xp) / 2
    n_samples, k = indices.shape
    starts = np.arange(n_samples + 1) * k
    return sparse.csr_array(
        (cosines.ravel(), indices.ravel(), starts), shape=(n_samples, n_samples)
    )


def symmetrised(edges):
    """Mean of a matrix of directed edges and its transpose."""
    return sparse.csr_array((edges + edges.T) / 2)


def triangle_counts(edges, labels):
    """Triangles whose corners have equal labels, two equal labels, no equal labels.

    Two rows are connected if either of them chose the other.
    """
    # signs don't matter here, only who is connected
    pattern = sparse.csr_array(edges)
    pattern.data = np.ones_like(pattern.data)
    pattern = sparse.coo_array(pattern + pattern.T)
    is_same = labels[pattern.coords[0]] == labels[pattern.coords[1]]
    same, different = (_adjacency(pattern, mask) for mask in (is_same, ~is_same))
    return np.array(
        [
            _closed_paths(same, same) // 6,
            _closed_paths(different, same) // 2,
            _closed_paths(different, different) // 6,
        ]
    )


def _adjacency(pattern, mask):
    rows, columns = (coordinates[mask] for coordinates in pattern.coords)
    ones = np.ones(len(rows), dtype=np.int64)
    return sparse.csr_array((ones, (rows, columns)), shape=pattern.shape)


def _closed_paths(two_steps, last_step):
    """Number of closed paths of two edges of one graph and one of another."""
    return int(((two_steps @ two_steps) * last_step).sum())


def modularity(weights, labels):
    """Newman's modularity of a partition of a weighted graph, from its matrix.

    0 for a graph without edges, as for any partition into one part.
    """
    strengths = np.asarray(weights.sum(axis=0)).ravel()
    total = strengths.sum()
    if total == 0:
        return 0.0
    if sparse.issparse(weights):
        edges = weights.tocoo()
        is_within = labels[edges.coords[0]] == labels[edges.coords[1]]
        within = edges.data[is_within].sum()
    else:
        within = weights[labels[:, None] == labels[None, :]].sum()
    shares = np.bincount(labels, weights=strengths) / total
    return float(within / total - np.sum(shares**2))


def best_partition(weights, n_init, random_state):
    """Partition of high modularity of a dense graph without loops (Louvain).

    Nodes move to the community that gains most, communities become the nodes of a
    smaller graph, and at the end single nodes may move again. The best of ``n_init``
    runs: the first starts with each node by itself, the others with random parts.

    Parameters
    ----------
    weights : array of shape (n_nodes, n_nodes)
        Symmetric, non-negative, with zeros on the diagonal.
    n_init : int
    random_state : numpy.random.RandomState

    Returns
    -------
    labels : int array of shape (n_nodes,)
    value : float
        Modularity.
    """
    # visited in the order of their strengths, nodes may come in any order
    canonical = np.argsort(weights.sum(axis=0), kind="stable")
    ordered = np.ascontiguousarray(weights[np.ix_(canonical, canonical)])
    best, best_value = np.zeros(len(weights), dtype=np.intp), 0.0
    for i in range(n_init):
        start = np.arange(len(weights))
        if i > 0:
            start = random_state.randint(random_state.randint(2, 9), size=len(weights))
        labels = _louvain(ordered, start, random_state)
        value = modularity(ordered, labels)
        if value > best_value:
            best, best_value = labels, value
    labels = np.empty_like(best)
    labels[canonical] = best
    return labels, best_value


def _louvain(weights, labels, random_state):
    labels = np.unique(labels, return_inverse=True)[1]
    if not weights.any():
        return labels
    value = -np.inf
    while True:
        labels = _moved_nodes(weights, labels, random_state)
        while True:
            merged = _moved_nodes(
                _aggregated(weights, labels), np.arange(labels.max() + 1), random_state
            )
            n_before, labels = labels.max() + 1, merged[labels]
            if merged.max() + 1 == n_before:
                break
        before, value = value, modularity(weights, labels)
        if value <= before + 1e-12:
            return labels


def _aggregated(weights, labels):
    """Graph of communities; their inner weights become loops."""
    members = np.eye(labels.max() + 1)[labels]
    return members.T @ weights @ members


def _moved_nodes(weights, labels, random_state):
    """Partition after moving single nodes until no move increases the modularity."""
    strengths = weights.sum(axis=0)
    total = strengths.sum()
    labels = labels.copy()
    n_nodes = len(weights)
    links = np.zeros((n_nodes, n_nodes))  # of communities (rows) to nodes
    np.add.at(links, labels, weights)
    sizes = np.bincount(labels, weights=strengths, minlength=n_nodes)
    has_moved = True
    while has_moved:
        has_moved = False
        for node in random_state.permutation(n_nodes):
            old = labels[node]
            # the node's own loop goes with it and counts for no community
            links[old, node] -= weights[node, node]
            sizes[old] -= strengths[node]
            gains = links[:, node] - strengths[node] / total * sizes
            new = int(np.argmax(gains))
            if gains[new] <= gains[old] + 1e-12 * total:
                new = old
            links[old, node] += weights[node, node]
            sizes[new] += strengths[node]
            if new != old:
                labels[node] = new
                links[old] -= weights[node]
                links[new] += weights[node]
                has_moved = True
    return np.unique(labels, return_inverse=True)[1]
