"""Sums over distinct indices by Moebius inversion from sums over all indices.

The k-th power of the sum over i, j of K[i, j] L[p(i), p(j)] is a sum over 2k indices.
Sorted by which of them are equal, each kind of term has one expectation over all
orders p. The kinds are partitions of the indices; sums over all indices are a few
invariants of a matrix whose rows sum to zero, named by multigraphs: an entry K[i, j] is
an edge from i to j.
"""

from functools import cache
from itertools import permutations
from math import factorial, perm

import numpy as np


@cache
def partitions(size):
    """Ways to say which of ``size`` indices are equal: the block of each index."""
    found = [(0,)]
    for _ in range(size - 1):
        found = [p + (b,) for p in found for b in range(max(p) + 2)]
    return found


@cache
def moebius_table(order):
    """Sums over distinct indices (rows) as combinations of invariants (columns).

    Returns
    -------
    graphs : list
        The invariants: multigraphs of ``order`` edges.
    table : array of shape (n_partitions, n_graphs)
    """
    kinds = partitions(2 * order)
    terms = []
    for coarse in kinds:
        edges = [(coarse[2 * i], coarse[2 * i + 1]) for i in range(order)]
        degrees = np.bincount(np.ravel(edges))
        lone_loop = any(a == b and degrees[a] == 2 for a, b in edges)
        if degrees.min() >= 2 and not lone_loop:
            terms.append((coarse, _canonical(edges)))
    graphs = sorted({graph for _, graph in terms})
    table = np.zeros((len(kinds), len(graphs)))
    for row, fine in enumerate(kinds):
        for coarse, graph in terms:
            table[row, graphs.index(graph)] += _moebius(fine, coarse)
    return graphs, table


def sums_over_distinct(invariants, order):
    """Sums over distinct indices of each kind, of a matrix with these invariants.

    Parameters
    ----------
    invariants : dict of graph to float
    order : int
    """
    graphs, table = moebius_table(order)
    return table @ [invariants[graph] for graph in graphs]


@cache
def ways_to_choose(order, n_samples):
    """In how many ways the indices of each kind can be chosen among the rows.

    Infinitely many where there are more distinct indices than rows, so that what is
    divided by it is the term that there is not.
    """
    n_distinct = [max(p) + 1 for p in partitions(2 * order)]
    ways = [perm(n_samples, k) if k <= n_samples else np.inf for k in n_distinct]
    return np.array(ways, dtype=float)


def _canonical(edges):
    """The same multigraph for all numberings of its vertices."""
    n = max(map(max, edges)) + 1
    return min(
        tuple(sorted(tuple(sorted((p[a], p[b]))) for a, b in edges))
        for p in permutations(range(n))
    )


def _moebius(fine, coarse):
    """Moebius function of two partitions; 0 unless the second merges the first's."""
    merged = {}
    for f, c in zip(fine, coarse, strict=True):
        if merged.setdefault(f, c) != c:
            return 0
    counts = np.bincount(list(merged.values()))
    value = 1
    for k in counts:
        value *= (-1) ** (k - 1) * factorial(k - 1)
    return int(value)
