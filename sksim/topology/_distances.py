"""Distances between rows, exact near zero, in units of their own quantile."""

import math

import numpy as np
from scipy.spatial.distance import squareform

from sksim.utils._array_api import as_float64, to_numpy
from sksim.utils._kernels import row_blocks, squared_distances
from sksim.utils._linalg import centered, refuse_constant, role_name

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
    norms = np.einsum("ij,ij->i", rows, rows)
    for block in row_blocks(len(rows), len(rows)):
        limits = _CLOSE * (norms[block, None] + norms[None, :])
        i, j = np.nonzero(squares[block] < limits)
        i += block.start
        for part in row_blocks(len(i), rows.shape[1]):
            difference = rows[i[part]] - rows[j[part]]
            squares[i[part], j[part]] = np.einsum("ij,ij->i", difference, difference)
    pairs = squareform(squares, checks=False)
    return np.sqrt(pairs, out=pairs)


def normalized_distances(rows, normalize, role):
    """Distance matrix of the rows, divided by its quantile, median or mean."""
    pairs = pair_distances(rows)
    unit = _unit(pairs, len(rows), normalize)
    if unit == 0:
        share = {"quantile": "90 %", "median": "half", "mean": "all"}[normalize]
        raise ValueError(
            f"At least {share} of the pairs of rows of {role_name(role)} coincide, so "
            f"that the distances can't be divided by their {normalize}, which is 0. "
            "Remove duplicate rows, or use normalize='mean'."
        )
    pairs /= unit
    return squareform(pairs)


def _unit(pairs, n_samples, normalize):
    """Statistic of all entries of a distance matrix, the diagonal included."""
    if normalize == "mean":
        return 2 * float(pairs.sum()) / n_samples**2
    # sorted, the entries are n zeros of the diagonal and each pair's distance twice
    position = {"quantile": 0.9, "median": 0.5}[normalize] * (n_samples**2 - 1)
    places = [
        (place - n_samples) // 2
        for place in (math.floor(position), math.ceil(position))
    ]
    ordered = np.partition(pairs, [max(place, 0) for place in places])
    low, high = (ordered[place] if place >= 0 else 0.0 for place in places)
    return float(low + (high - low) * (position % 1))


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
