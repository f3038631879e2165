"""Distances between rows, exact near zero, in units of their own quantile."""

import math

import numpy as np
from scipy.spatial.distance import squareform

from sksim._progress import tracked
from sksim.arrays._kernels import row_blocks, squared_distances
from sksim.arrays._linalg import centered, refuse_constant, role_name
from sksim.arrays._namespace import as_float64, row_sum_of_squares, to_numpy
from sksim.arrays._pairs import (
    blocked_order_statistics,
    distance_block,
    symmetric_blocks,
)

# The expansion of (a - b)^2 loses digits where the rows are this close, relative to
# their norms; there the difference itself is squared.
_CLOSE = 1e-3


def plain_rows(X, role, *, xp):
    """Centred rows as float64 numpy, in units in which nothing overflows."""
    X = to_numpy(as_float64(X, xp=xp), xp=xp)
    rows, _, _, squared_norm = centered(X, xp=np)
    refuse_constant(squared_norm, role)
    return rows


def pair_distances(rows):
    """Distances of all pairs of rows, in condensed form, exactly 0 of equal rows."""
    squares, scale = squared_distances(rows, xp=np)
    rows = rows * (1.0 / scale)
    norms = row_sum_of_squares(rows, xp=np)
    everything = slice(0, len(rows))
    for block in row_blocks(len(rows), len(rows)):
        _refine(squares[block], rows, norms, block, everything)
    pairs = squareform(squares, checks=False)
    return np.sqrt(pairs, out=pairs)


def _refine(squares, rows, norms, some, others):
    """Compute anew the squared distances that have lost digits, in place."""
    limits = _CLOSE * (norms[some, None] + norms[None, others])
    i, j = np.nonzero(squares < limits)
    for part in row_blocks(len(i), rows.shape[1]):
        difference = rows[i[part] + some.start] - rows[j[part] + others.start]
        squares[i[part], j[part]] = row_sum_of_squares(difference, xp=np)


def normalized_distances(rows, distance_scale, role):
    """Distance matrix of the rows, divided by its quantile, median or mean."""
    pairs = pair_distances(rows)
    unit = _unit(pairs, len(rows), distance_scale)
    _refuse_zero(unit, distance_scale, role)
    pairs /= unit
    return squareform(pairs)


def normalized_rows(rows, distance_scale, role):
    """Rows whose distances are those of `normalized_distances`, for many rows."""
    squares = row_sum_of_squares(rows, xp=np)
    if distance_scale == "mean":
        unit = 0.0
        blocks = symmetric_blocks(len(rows))
        for i, j, weight in tracked(blocks, "adding up distances"):
            block = distance_block(rows, squares, i, j, xp=np)
            _refine(block, rows, squares, i, j)
            unit += weight * float(np.sqrt(block).sum()) / len(rows) ** 2
    else:
        places, share = _places(len(rows), distance_scale)
        found = blocked_order_statistics(
            rows, squares, [max(place, 0) for place in places], xp=np
        )
        unit = _between([value**0.5 for value in found], places, share)
    _refuse_zero(unit, distance_scale, role)
    return rows / unit


def _refuse_zero(unit, distance_scale, role):
    """Raise where the distances can't be divided by their own size."""
    if unit == 0:
        share = {"quantile": "90 %", "median": "half", "mean": "all"}[distance_scale]
        raise ValueError(
            f"At least {share} of the pairs of rows of {role_name(role)} coincide, so "
            f"that the distances can't be divided by their {distance_scale}, which is "
            "0. Remove duplicate rows, or use distance_scale='mean'."
        )


def _unit(pairs, n_samples, distance_scale):
    """Statistic of all entries of a distance matrix, the diagonal included."""
    if distance_scale == "mean":
        return 2 * float(pairs.sum()) / n_samples**2
    places, share = _places(n_samples, distance_scale)
    ordered = np.partition(pairs, [max(place, 0) for place in places])
    return _between([ordered[max(place, 0)] for place in places], places, share)


def _places(n_samples, distance_scale):
    """Places of the two pairs that a quantile lies between, and its share there.

    Sorted, the entries of the matrix are n zeros of the diagonal and each pair's
    distance twice; a negative place is on the diagonal.
    """
    position = {"quantile": 0.9, "median": 0.5}[distance_scale] * (n_samples**2 - 1)
    entries = math.floor(position), math.ceil(position)
    return [(entry - n_samples) // 2 for entry in entries], position % 1


def _between(found, places, share):
    low, high = (
        float(value) if place >= 0 else 0.0
        for value, place in zip(found, places, strict=True)
    )
    return low + (high - low) * share


def spanning_tree_length(distances):
    """Total length of a minimum spanning tree of a full distance matrix, by Prim."""
    nearest = distances[0].copy()
    reached = np.zeros(len(distances))
    reached[0] = nearest[0] = np.inf
    length = 0.0
    for _ in range(len(distances) - 1):
        row = int(nearest.argmin())
        length += nearest[row]
        reached[row] = np.inf
        np.minimum(nearest, distances[row], out=nearest)
        np.maximum(nearest, reached, out=nearest)
    return length
