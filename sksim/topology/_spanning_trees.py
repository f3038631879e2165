"""Minimum spanning trees of many rows, without a matrix of their distances."""

import math
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from sksim.arrays._kernels import row_blocks
from sksim.arrays._namespace import row_sum_of_squares
from sksim.arrays._neighbors import nearest_neighbors
from sksim.arrays._views import View

_N_NEIGHBORS = 15


@dataclass(frozen=True)
class SpannedRows(View):
    """Rows, their nearest neighbours, and the length of their minimum spanning tree.

    ``neighbors`` and ``lengths`` list each row's neighbours, nearest first.
    """

    rows: np.ndarray
    squares: np.ndarray
    neighbors: np.ndarray
    lengths: np.ndarray
    tree_length: float

    _row_fields = ("rows", "squares", "lengths")
    _index_fields = ("neighbors",)

    def between(self, first, second):
        """Distances of some pairs of rows."""
        lengths = np.empty(len(first))
        for b in row_blocks(len(first), self.rows.shape[1]):
            difference = self.rows[first[b]] - self.rows[second[b]]
            lengths[b] = np.sqrt(row_sum_of_squares(difference, xp=np))
        return lengths

    def factors(self, order):
        """(left, right), whose product holds squared distances of rows in an order."""
        rows, squares = self.rows[order], self.squares[order, None]
        ones = np.ones_like(squares)
        left = np.concatenate([-2 * rows, ones, squares], axis=1)
        return left, np.concatenate([rows, squares, ones], axis=1)


def spanned_rows(rows, role):
    """View of the rows, with their spanning tree."""
    n_neighbors = min(_N_NEIGHBORS, len(rows) - 1)
    found = nearest_neighbors(rows, n_neighbors, metric="euclidean", xp=np, role=role)
    squares = row_sum_of_squares(rows, xp=np)
    view = SpannedRows(rows, squares, found.indices, None, math.nan)
    every = np.repeat(np.arange(len(rows)), n_neighbors)
    lengths = view.between(every, found.indices.ravel()).reshape(found.indices.shape)
    view = replace(view, lengths=lengths)
    return replace(view, tree_length=joint_tree_length([view]))


def joint_tree_length(views):
    """Length of a minimum spanning tree of the smallest of several distances.

    Every component of a forest is joined with what is nearest to it (Borůvka). A
    component whose rows all have a neighbour outside of it knows that from the lists of
    neighbours; for few others the distances from all rows are computed.
    """
    neighbors, lengths = _nearest_of_all(views)
    every = np.arange(len(neighbors))
    parents = every.copy()
    total = 0.0
    while True:
        labels = np.unique(parents, return_inverse=True)[1]
        if labels.max() == 0:
            return total
        is_outside = labels[neighbors] != labels[:, None]
        first = is_outside.argmax(axis=1)
        has_one = is_outside[every, first]
        target = neighbors[every, first]
        # of a row whose list is exhausted only a bound is known
        length = np.where(has_one, lengths[every, first], lengths[:, -1])
        nearest = _nearest_row(labels, length)
        is_sure = has_one[nearest]
        if not is_sure.any():
            nearest = _search(views, labels, has_one, length, target)
            is_sure = np.ones(len(nearest), dtype=bool)
        chosen = nearest[is_sure]
        for row in chosen[np.argsort(length[chosen])]:
            a, b = _root(parents, row), _root(parents, target[row])
            if a != b:
                parents[a] = b
                total += length[row]
        while not np.array_equal(parents, parents[parents]):
            parents = parents[parents]


def _nearest_of_all(views):
    """Lists of neighbours by the smallest of several distances.

    The k nearest by the smallest distance are among the k nearest by each.
    """
    if len(views) == 1:
        return views[0].neighbors, views[0].lengths
    neighbors = np.sort(np.concatenate([v.neighbors for v in views], axis=1), axis=1)
    rows = np.repeat(np.arange(len(neighbors)), neighbors.shape[1])
    lengths = np.minimum(*(view.between(rows, neighbors.ravel()) for view in views))
    lengths = lengths.reshape(neighbors.shape)
    lengths[:, 1:][neighbors[:, 1:] == neighbors[:, :-1]] = np.inf
    order = np.argsort(lengths, axis=1)[:, : views[0].neighbors.shape[1]]
    return tuple(np.take_along_axis(a, order, axis=1) for a in (neighbors, lengths))


def _nearest_row(labels, length):
    """The row of each component that is nearest to what lies outside."""
    order = np.argsort(length, kind="stable")
    return order[np.unique(labels[order], return_index=True)[1]]


def _search(views, labels, has_one, length, target):
    """Rows nearest to what is outside, for all components but the largest.

    Writes the true lengths and targets of rows whose lists are exhausted.
    """
    sizes = np.bincount(labels)
    largest = np.argmax(sizes)
    order = np.argsort(labels, kind="stable")  # components side by side
    ends = np.cumsum(sizes)
    factors = [view.factors(order) for view in views]
    some = np.flatnonzero(~has_one[order] & (labels[order] != largest))
    for b in row_blocks(len(some), len(labels) // 4):
        places = some[b]
        squares = reduce(
            np.minimum, (left[places] @ right.T for left, right in factors)
        )
        own = labels[order[places]]
        for label in np.unique(own):
            first, last = np.searchsorted(own, (label, label + 1))
            squares[first:last, ends[label] - sizes[label] : ends[label]] = np.inf
        rows = order[places]
        target[rows] = order[squares.argmin(axis=1)]
        length[rows] = np.min(
            [view.between(rows, target[rows]) for view in views], axis=0
        )
    return np.delete(_nearest_row(labels, length), largest)


def _root(parents, row):
    while parents[row] != row:
        parents[row] = parents[parents[row]]
        row = parents[row]
    return row
