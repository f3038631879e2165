"""Nearest neighbours: exact, in blocks, the row itself excluded, ties known.

A filter in single precision leaves a few candidates for each row, with a bound on its
rounding error so that no neighbour is lost. Their distances are then computed in
double precision from the difference of the rows: duplicates are at distance 0 exactly,
and float32 input has the neighbours that the same numbers have in float64. Lists hold
tied neighbours in the order of the rows; measures compare them by the shares of places
of `sksim.arrays._shared_places`.
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sksim._progress import tracked
from sksim.arrays._linalg import role_name
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    is_numpy,
    move_to,
    take,
    to_numpy,
)
from sksim.arrays._pairs import squared_distance_matrix
from sksim.arrays._points import Points, batches, eps
from sksim.arrays._shared_places import (
    SharedPlaces,
    places_of_lists,
    shared_places,
)
from sksim.arrays._slices import slices
from sksim.arrays._views import View

# Squared distances that agree to ten digits of the k-th nearest are tied.
TIE_TOLERANCE = 1e-10
# Entries of a block of the distance matrix.
_BLOCK_ELEMENTS = 2**22
# Tiles of the upper triangle of the distance matrix.
_TILE_ROWS, _TILE_COLUMNS = 768, 16384
# The filter folds this many columns into their minimum before it bounds the k-th.
_FOLD = 16
# More candidates than this for each neighbour call for a filter in double precision.
_MANY_CANDIDATES = 8
# Permutations look neighbours up in a table of up to this many entries.
_TABLE_ELEMENTS = 2**26


@dataclass(frozen=True)
class Neighbors(View):
    """The nearest neighbours of each row, nearest first.

    Attributes
    ----------
    indices : int array of shape (n_samples, n_neighbors)
    squared_distances : float64 array of shape (n_samples, n_neighbors)
        Of the rows up to a common scale, or of the rows scaled to unit norm, where
        they are 2 minus twice the cosine. None where only sets were asked for.
    n_tied : int
        Number of rows whose last neighbour is as near as one that was left out.
    shared : SharedPlaces or None
        Each neighbour with its share of a place, if a tie makes a difference.
    table : uint array of shape (n_samples, n_samples), default=None
        Rank of row j among the neighbours of row i, 0 for none: see `with_table`.
    """

    indices: object
    squared_distances: object
    n_tied: int
    shared: SharedPlaces | None = None
    table: object = None

    _row_fields = ("squared_distances", "shared")
    _index_fields = ("indices",)
    _derived_fields = ("table",)

    def with_table(self, *, xp):
        """The same neighbours with a table of ranks, where one is affordable."""
        if self.shared is not None:
            return replace(self, shared=self.shared.with_index())
        n_samples, n_neighbors = self.indices.shape
        if not is_numpy(xp) or n_samples**2 > _TABLE_ELEMENTS:
            return self
        dtype = np.min_scalar_type(n_neighbors)
        table = np.zeros((n_samples, n_samples), dtype=dtype)
        ranks = np.arange(1, n_neighbors + 1, dtype=dtype)
        np.put_along_axis(table, self.indices, ranks[None, :], axis=1)
        return replace(self, table=table)

    def places(self, *, xp):
        """Each neighbour with its share of a place, tied or not."""
        return self.shared if self.shared is not None else places_of_lists(self, xp=xp)


# ----- the search -------------------------------------------------------------------


def nearest_neighbors(
    X, n_neighbors, *, metric, xp, algorithm="exact", role=None, ordered=True
):
    """The nearest neighbours of each row among the other rows.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Validated rows, more than ``n_neighbors``.
    n_neighbors : int
    metric : {"cosine", "euclidean"}
    xp : module
        Array namespace.
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the candidates that pynndescent proposes.
    role : str, default=None
        "x" or "y", for error messages.
    ordered : bool, default=True
        Whether the order of the neighbours and their distances are needed. The sets
        alone are had without exact distances of most rows.

    Returns
    -------
    neighbors : Neighbors
    """
    points = Points(X, metric, xp=xp, role=role)
    candidates = None
    if algorithm == "approximate":
        candidates = _approximate_candidates(points, n_neighbors, role)
    elif is_numpy(xp):
        candidates = _symmetric_candidates(points, n_neighbors)
    if candidates is None:
        parts = list(_exact_blocks(points, n_neighbors))
    elif ordered or not is_numpy(xp):
        every = xp.arange(points.n_samples, device=device_of(points.X))
        parts = [_ranked(points, *candidates, every, n_neighbors)]
    else:
        return _sets(points, *candidates, n_neighbors)
    return _joined(parts, ordered, xp=xp)


class GivenPoints:
    """Points of which only the distances are known, in units in which none overflow."""

    def __init__(self, distances, *, xp, role, power=2):
        self.xp = xp
        self.n_samples = distances.shape[0]
        largest = float(xp.max(distances))
        if largest == 0:
            raise ValueError(
                f"All distances of {role_name(role)} are zero, so that no row is "
                "nearer than another. Check that the right matrix was passed."
            )
        # a power of two, by which no digit is lost
        self.unit = 1.0 if power == 1 else 2.0 ** (math.frexp(largest)[1] - 1)
        self.X = distances
        self.power = power

    def squares(self, rows):
        """What ranks neighbours, for some rows (a slice), in double precision."""
        return self._of(self.X[rows, :])

    def squared_distances(self, first, second):
        """The same for pairs of rows."""
        return self._of(entries_at(self.X, first, second, xp=self.xp))

    def _of(self, distances):
        distances = as_float64(distances, xp=self.xp)
        # twice a cosine distance is the square of one between rows of unit norm
        if self.power == 1:
            return 2 * distances
        distances = distances / self.unit
        return distances * distances


def nearest_of_given(
    distances, n_neighbors, *, xp, role=None, is_cosine=False, ordered=True
):
    """The nearest neighbours of each row, by the distances of all pairs.

    Parameters
    ----------
    distances : array of shape (n_samples, n_samples)
    n_neighbors : int
    xp : module
        Array namespace.
    role : str, default=None
        "x" or "y", for error messages.
    is_cosine : bool, default=False
        Whether they are cosine distances, half the square of a distance of rows of
        unit norm.
    ordered : bool, default=True
        Whether the order of the neighbours counts.

    Returns
    -------
    neighbors : Neighbors
    """
    points = GivenPoints(distances, xp=xp, role=role, power=1 if is_cosine else 2)
    n_samples = points.n_samples
    parts = []
    size = max(32, _BLOCK_ELEMENTS // n_samples)
    for block in tracked(slices(n_samples, size), "finding neighbours"):
        start, stop = block.start, block.stop
        squares = _without_own(points.squares(block), start, xp=xp)
        limit = _kth_smallest_bound(squares, n_neighbors, xp=xp)
        limit = limit * (1 + 8 * TIE_TOLERANCE)
        rows, columns = _where(squares <= limit[:, None], xp=xp)
        every = xp.arange(start, stop, dtype=rows.dtype, device=device_of(points.X))
        parts.append(_ranked(points, rows + start, columns, every, n_neighbors))
    return _joined(parts, ordered, xp=xp)


def _without_own(block, start, *, xp):
    """Some rows of a matrix that is no copy of another, with inf on its diagonal."""
    if is_numpy(xp):
        np.fill_diagonal(block[:, start:], np.inf)
        return block
    index = xp.arange(block.shape[1], device=device_of(block))
    own = index[start : start + block.shape[0]][:, None] == index[None, :]
    return xp.where(own, xp.inf, block)


class _Filter:
    """Distances by a matrix product, and how far they may be off.

    With points c in the unit ball, the product of a row (-2 c, |c|^2, 1) of ``left``
    and a row (c, 1, |c|^2) of ``right`` is a squared distance.
    """

    def __init__(self, points, dtype):
        self.xp = xp = points.xp
        radii = points.squared_radii * (1 / points.radius**2)
        squares = xp.astype(radii, dtype, copy=False)
        self.right = points.within_unit_ball(dtype, xp.ones_like(squares), squares)
        # a sum of D + 2 products is off by less than (D / 2 + 2) eps times the sum of
        # their magnitudes, which is at most (1 + |c|)^2
        error = eps(dtype, xp=xp) * (points.n_features / 2 + 4)
        error = error * (1 + xp.sqrt(radii)) ** 2
        # both of the distances that are compared are off, and near ties count
        slack = 2 * error + 8 * TIE_TOLERANCE
        self.slack = xp.astype(slack, dtype, copy=False)

    def left(self, rows):
        """Left factor of some rows."""
        right = self.right[rows, :]
        parts = [right[:, :-2] * -2, right[:, -1:], right[:, -2:-1]]
        return self.xp.concat(parts, axis=1)

    def square(self, rows):
        """Distances of some rows from each other on numpy, by half of the products."""
        right = self.right[rows]
        square = squared_distance_matrix(right[:, :-2], right[:, -1], xp=np)
        np.fill_diagonal(square, np.inf)
        return square

    def candidates(self, start, stop, n_neighbors):
        """(row, column) of each entry that may be among the row's nearest."""
        xp = self.xp
        block = self.left(slice(start, stop)) @ self.right.T
        block = _without_own(block, start, xp=xp)
        limit = _kth_smallest_bound(block, n_neighbors, xp=xp) + self.slack[start:stop]
        return _where(block <= limit[:, None], xp=xp)


class _Bounds:
    """What each row's k nearest can't exceed, tightened tile by tile, and candidates.

    A candidate is noted as ``row * n_samples + column`` with its distance.
    """

    def __init__(self, filter_, k):
        self.n_samples = len(filter_.right)
        self.k = k
        self.slack = filter_.slack
        self.smallest = np.full((self.n_samples, k), np.inf, dtype=np.float32)
        self.limits = np.full(self.n_samples, np.inf, dtype=np.float32)
        self.places, self.distances = [], []

    def see(self, tile, rows, columns):
        """Look at a tile of distances for its rows; whether few enough were noted."""
        height, width = tile.shape
        n_groups, fold = self._groups(width)
        folded = tile[:, : fold * n_groups].reshape(height, fold, n_groups)
        minima = folded.min(axis=1)
        rest = width - fold * n_groups
        if rest:
            part = minima[:, :rest]
            np.minimum(part, tile[:, fold * n_groups :], out=part)
        return self._see(tile, minima, rows, columns, (width, 1))

    def see_columns(self, tile, rows, columns):
        """The same for the columns, to which the rows are others."""
        height, width = tile.shape
        n_groups, fold = self._groups(height)
        minima = tile[: fold * n_groups].reshape(fold, n_groups, width).min(axis=0)
        rest = height - fold * n_groups
        if rest:
            part = minima[:rest]
            np.minimum(part, tile[fold * n_groups :], out=part)
        return self._see(tile, minima.T, columns, rows, (1, width))

    def _groups(self, n_others):
        """(number of groups, members of each): their minima must bound the k-th."""
        n_groups = min(n_others, max(4 * self.k, n_others // _FOLD))
        return n_groups, n_others // n_groups

    def _see(self, tile, minima, own_slice, others, strides):
        """Tighten the bounds by the groups' minima, and note what is within them.

        Group g holds the others g, g + n_groups, g + 2 n_groups and so on; ``strides``
        are the steps in the tile from one's own to the next and from other to other.
        """
        n_own, n_groups = minima.shape
        n_others = others.stop - others.start
        smallest = np.concatenate([self.smallest[own_slice], minima], axis=1)
        smallest.partition(self.k - 1, axis=1)
        self.smallest[own_slice] = smallest[:, : self.k]
        limits = smallest[:, self.k - 1] + self.slack[own_slice]
        self.limits[own_slice] = limits
        hits = np.flatnonzero(minima <= limits[:, None])
        if len(hits) > _MANY_CANDIDATES * self.k * max(n_own, n_others):
            return False
        flat = tile.reshape(-1)
        steps = np.arange(0, n_others, n_groups)
        for batch in batches(len(hits), len(steps)):
            own, group = np.divmod(hits[batch], n_groups)
            members = group[:, None] + steps
            entries = members * strides[1] + (own * strides[0])[:, None]
            # past the last member there may be no entry
            distances = flat.take(entries, mode="clip")
            is_within = distances <= limits[own][:, None]
            if n_others % n_groups:
                is_within &= members < n_others
            found = np.flatnonzero(is_within)
            places = (own + own_slice.start)[found // len(steps)] * self.n_samples
            self.places.append(places + members.reshape(-1)[found] + others.start)
            self.distances.append(distances.reshape(-1)[found])
        return True

    def candidates(self):
        """(row, column) of what is within the final bounds, row by row."""
        places, distances = map(np.concatenate, (self.places, self.distances))
        is_within = distances <= self.limits[places // self.n_samples]
        return np.divmod(np.sort(places[is_within]), self.n_samples)


def _symmetric_candidates(points, k):
    """(row, column) of each entry that may be among a row's nearest, on numpy.

    Each distance is computed once, for both of its rows, in tiles of the upper
    triangle. None if the candidates become too many, as with many ties.
    """
    n_samples = points.n_samples
    filter_ = _Filter(points, np.float32)
    bounds = _Bounds(filter_, k)
    # one allocation for all tiles: fresh memory costs more than looking at it
    buffer = np.empty(_TILE_ROWS * min(_TILE_COLUMNS, n_samples), dtype=np.float32)
    for rows in tracked(slices(n_samples, _TILE_ROWS), "finding neighbours"):
        height = rows.stop - rows.start
        # the square on the diagonal holds the distances of its rows both ways
        square = filter_.square(rows)
        if height > 1 and not bounds.see(square, rows, rows):
            return None
        left_factor = filter_.left(rows)
        for left in range(rows.stop, n_samples, _TILE_COLUMNS):
            columns = slice(left, min(left + _TILE_COLUMNS, n_samples))
            width = columns.stop - left
            tile = buffer[: height * width].reshape(height, width)
            np.matmul(left_factor, filter_.right[columns].T, out=tile)
            if not (
                bounds.see(tile, rows, columns)
                and bounds.see_columns(tile, rows, columns)
            ):
                return None
    return bounds.candidates()


def _exact_blocks(points, n_neighbors):
    """What is ranked of block after block of rows."""
    xp = points.xp
    n_samples = points.n_samples
    single, double = _Filter(points, xp.float32), None
    size = max(32, _BLOCK_ELEMENTS // n_samples)
    for block in tracked(slices(n_samples, size), "finding neighbours"):
        start, stop = block.start, block.stop
        rows, columns = single.candidates(start, stop, n_neighbors)
        enough = _MANY_CANDIDATES * n_neighbors * (stop - start)
        if rows.shape[0] > min(enough, (stop - start) * (n_samples - 1) // 2):
            double = double or _Filter(points, xp.float64)
            rows, columns = double.candidates(start, stop, n_neighbors)
        every = xp.arange(start, stop, dtype=rows.dtype, device=device_of(points.X))
        yield _ranked(points, rows + start, columns, every, n_neighbors)


def _kth_smallest_bound(block, k, *, xp):
    """A number for each row that at least k of its entries do not exceed."""
    n_rows, n_columns = block.shape
    fold = max(1, min(_FOLD, n_columns // (4 * k)))
    groups = n_columns // fold
    if fold > 1:
        folded = xp.reshape(block[:, : fold * groups], (n_rows, fold, groups))
        block = xp.min(folded, axis=1)
    if is_numpy(xp):
        return np.partition(block, k - 1, axis=1)[:, k - 1]
    return xp.sort(block, axis=1)[:, k - 1]


def _where(mask, *, xp):
    """Rows and columns of the true entries, row by row."""
    if is_numpy(xp):
        return np.divmod(np.flatnonzero(mask), mask.shape[1])
    return xp.nonzero(mask)


def _sets(points, rows, columns, k):
    """The k nearest of each row's candidates as a set, on numpy.

    Where a row has no more than k candidates, these are its neighbours.
    """
    counts = np.bincount(rows, minlength=points.n_samples)
    is_open = counts > k
    indices = np.empty((points.n_samples, k), dtype=np.intp)
    of_open = is_open[rows]
    indices[~is_open] = columns[~of_open].reshape(-1, k)
    if not is_open.any():
        return Neighbors(indices, None, 0)
    every = np.flatnonzero(is_open)
    part = _ranked(points, rows[of_open], columns[of_open], every, k)
    indices[is_open] = part.indices
    n_tied = int(np.count_nonzero(part.is_tied))
    if n_tied == 0:
        return Neighbors(indices, None, 0)
    # the order of a set means nothing: only ties at its end count
    keys = np.tile(np.arange(k, dtype=float), (points.n_samples, 1))
    keys[is_open] = part.keys
    is_tied = np.zeros(points.n_samples, dtype=bool)
    is_tied[is_open] = part.is_tied
    shared = shared_places(indices, None, keys, is_tied, part.competing)
    return Neighbors(indices, None, n_tied, shared)


class _Ranked(NamedTuple):
    """The nearest of some rows, and what is tied.

    ``keys`` are those of the neighbours: equal ones are tied. ``competing`` holds row
    and column of all that compete for the last places of tied rows.
    """

    indices: object
    squared_distances: object
    keys: object
    is_tied: object
    competing: tuple


def _joined(parts, ordered, *, xp):
    """Neighbours of all rows, of parts that follow each other."""
    indices = xp.concat([part.indices for part in parts])
    squares = xp.concat([part.squared_distances for part in parts])
    keys = xp.concat([part.keys for part in parts])
    is_tied = xp.concat([part.is_tied for part in parts])
    n_tied = int(xp.count_nonzero(is_tied))
    has_ties = ordered and bool(xp.any(keys[:, 1:] == keys[:, :-1]))
    if n_tied == 0 and not has_ties:
        return Neighbors(indices, squares, 0)
    on_numpy = (to_numpy(array, xp=xp) for array in (indices, squares, keys, is_tied))
    competing = [
        np.concatenate([to_numpy(side, xp=xp) for side in sides]).astype(np.intp)
        for sides in zip(*(part.competing for part in parts), strict=True)
    ]
    shared = shared_places(*on_numpy, competing)
    return Neighbors(indices, squares, n_tied, shared)


def _ranked(points, rows, columns, every, k):
    """The k nearest of the candidates of each of the rows ``every``.

    ``rows`` are in ascending order, and each row's candidates in that of ``columns``.
    """
    xp = points.xp
    device = device_of(points.X)
    distances = points.squared_distances(rows, columns)
    first = xp.searchsorted(rows, every)
    last = xp.searchsorted(rows, every, side="right") - 1
    order = _order_within(rows, distances, xp=xp)
    kth = take(distances, take(order, first + (k - 1), xp=xp), xp=xp)
    unit = TIE_TOLERANCE * kth
    unit = xp.where(unit > 0, unit, xp.ones_like(unit))
    place = xp.searchsorted(every, rows)
    keys = xp.round(distances / take(unit, place, xp=xp))
    # where the k nearest are duplicates, whatever is no duplicate comes after them
    keys = xp.maximum(keys, xp.astype(distances > 0, keys.dtype))
    if _has_ties(take(rows, order, xp=xp), take(keys, order, xp=xp), xp=xp):
        order = _order_within(rows, keys, xp=xp)
    picked = first[:, None] + xp.arange(k, dtype=first.dtype, device=device)[None, :]
    picked = take(order, xp.reshape(picked, (-1,)), xp=xp)
    next_key, last_key = (
        take(keys, take(order, xp.minimum(first + i, last), xp=xp), xp=xp)
        for i in (k, k - 1)
    )
    is_tied = (next_key == last_key) & (last - first >= k)
    competes = (keys == take(last_key, place, xp=xp)) & take(is_tied, place, xp=xp)
    return _Ranked(
        indices=xp.reshape(take(columns, picked, xp=xp), (-1, k)),
        squared_distances=xp.reshape(take(distances, picked, xp=xp), (-1, k)),
        keys=xp.reshape(take(keys, picked, xp=xp), (-1, k)),
        is_tied=is_tied,
        competing=(rows[competes], columns[competes]),
    )


def _order_within(rows, keys, *, xp):
    """Order by key within each row, equal keys as they come."""
    if is_numpy(xp):
        return np.lexsort((keys, rows))
    order = xp.argsort(keys, stable=True)
    return take(order, xp.argsort(take(rows, order, xp=xp), stable=True), xp=xp)


def _has_ties(rows, keys, *, xp):
    """Whether a row has two entries of one key, in the order of rows and keys."""
    return bool(xp.any((rows[1:] == rows[:-1]) & (keys[1:] == keys[:-1])))


def _approximate_candidates(points, n_neighbors, role):
    """(row, column) of the neighbours that pynndescent proposes.

    Which of equal rows it proposes depends on their order, which must not be the same
    in both views: it is drawn, for each side from its own seed.
    """
    try:
        from pynndescent import NNDescent
    except ImportError as error:
        raise ImportError(
            "algorithm='approximate' needs pynndescent: install it with "
            "pip install 'sksim[neighbors]', or use algorithm='exact'."
        ) from error
    xp = points.xp
    rows = to_numpy(points.within_unit_ball(xp.float32), xp=xp)
    order = np.arange(points.n_samples)
    if len(np.unique(rows, axis=0)) < len(rows):
        order = np.random.default_rng(role == "y").permutation(order)
    index = NNDescent(
        rows[order], metric="euclidean", n_neighbors=n_neighbors + 1, random_state=0
    )
    found = index.neighbor_graph[0].astype(np.intp)
    proposed = np.empty_like(found)
    proposed[order] = np.sort(np.where(found < 0, -1, order[found]), axis=1)
    own = np.arange(points.n_samples)[:, None]
    is_other = (proposed != own) & (proposed >= 0)
    n_missing = int(np.sum(is_other.sum(axis=1) < n_neighbors))
    if n_missing:
        raise ValueError(
            f"pynndescent found fewer than {n_neighbors} neighbours for {n_missing} "
            "rows. Use algorithm='exact'."
        )
    return (
        move_to(indices, xp=xp, device=device_of(points.X))
        for indices in (np.nonzero(is_other)[0], proposed[is_other])
    )


# ----- arguments ---------------------------------------------------------------------


def check_n_neighbors(n_neighbors, X, y):
    """Raise unless the representations have more rows than neighbours are asked.

    ``y`` is None where one representation is checked alone.
    """
    for name, array in (("X", X), ("y", y)):
        n_samples = array.shape[0] if array is not None else n_neighbors + 1
        if n_samples <= n_neighbors:
            raise ValueError(
                f"n_neighbors={n_neighbors} needs at least {n_neighbors + 1} rows, but "
                f"{name} has {n_samples}. Choose n_neighbors below the number of rows."
            )


# ----- two lists ----------------------------------------------------------------------


def shared_ranks(view_x, view_y, *, xp):
    """Rank among x's neighbours of each of y's neighbours, 0 for those not shared.

    Returns an array of the shape of y's lists.
    """
    if view_x.table is not None:
        return np.take_along_axis(view_x.table, view_y.indices, axis=1)
    ranks = xp.zeros_like(view_y.indices)
    for place in range(view_x.indices.shape[1]):
        is_shared = view_x.indices[:, place : place + 1] == view_y.indices
        ranks = ranks + xp.astype(is_shared, ranks.dtype) * (place + 1)
    return ranks


def entries_at(matrix, first, second, *, xp):
    """Entries of a square matrix at some rows and columns, both 1-D."""
    if is_numpy(xp) and not matrix.flags.c_contiguous:
        return matrix[first, second]  # of which a flat form would be a copy
    places = first * matrix.shape[0] + second
    return take(xp.reshape(matrix, (-1,)), places, xp=xp)


def entries_in(matrix, lists, *, xp):
    """Entry of each row of a square matrix at the columns of its list, in float64."""
    n_samples = lists.shape[0]
    own = xp.arange(n_samples, device=device_of(lists))[:, None]
    if is_numpy(xp) and not matrix.flags.c_contiguous:
        return as_float64(matrix[own, lists], xp=xp)
    places = xp.reshape(own * n_samples + lists, (-1,))
    found = take(xp.reshape(matrix, (-1,)), places, xp=xp)
    return as_float64(xp.reshape(found, lists.shape), xp=xp)


def products_with(rows, lists, *, xp):
    """Inner products of each row with the rows in its list, in double precision."""
    n_samples, length = lists.shape
    width = rows.shape[1]
    products = []
    for b in batches(n_samples, length * width):
        others = take(rows, xp.reshape(lists[b, :], (-1,)), xp=xp)
        others = as_float64(xp.reshape(others, (-1, length, width)), xp=xp)
        own = as_float64(rows[b, :], xp=xp)[:, :, None]
        products.append(xp.matmul(others, own)[:, :, 0])
    return xp.concat(products)
