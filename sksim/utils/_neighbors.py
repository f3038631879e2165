"""Nearest neighbours: exact, in blocks, the row itself excluded, ties in index order.

A filter in single precision leaves a few candidates for each row, with a bound on its
rounding error so that no neighbour is lost. Their distances are then computed in
double precision from the difference of the rows: duplicates are at distance 0 exactly,
and float32 input has the neighbours that the same numbers have in float64.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from sksim.utils._array_api import (
    as_float64,
    device_of,
    is_numpy,
    move_to,
    row_blocks_of,
    row_sum_of_squares,
    take,
    to_numpy,
)
from sksim.utils._linalg import rescaled, role_name, rows_and_norms
from sksim.utils._progress import tracked
from sksim.utils._views import View

# Squared distances that agree to ten digits of the k-th nearest are tied.
TIE_TOLERANCE = 1e-10
# Entries of a block of the distance matrix, and of a batch of differences of rows.
_BLOCK_ELEMENTS = 2**22
_BATCH_ELEMENTS = 2**16
# Tiles of the upper triangle of the distance matrix.
_TILE_ROWS, _TILE_COLUMNS = 512, 4096
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
        they are 2 minus twice the cosine.
    n_tied : int
        Number of rows whose last neighbour is as near as one that was left out, so
        that only the index decides between them.
    table : uint array of shape (n_samples, n_samples), default=None
        Rank of row j among the neighbours of row i, 0 for none: see `with_table`.
    """

    indices: object
    squared_distances: object
    n_tied: int
    table: object = None


# ----- the search -------------------------------------------------------------------


def nearest_neighbors(X, n_neighbors, *, metric, xp, algorithm="exact", role=None):
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

    Returns
    -------
    neighbors : Neighbors
    """
    points = _Points(X, metric, xp=xp, role=role)
    candidates = None
    if algorithm == "approximate":
        candidates = _approximate_candidates(points, n_neighbors)
    elif is_numpy(xp):
        candidates = _symmetric_candidates(points, n_neighbors)
    if candidates is None:
        parts = list(_exact_blocks(points, n_neighbors))
    else:
        parts = [_ranked(points, *candidates, 0, points.n_samples, n_neighbors)]
    indices, squared_distances, n_tied = zip(*parts, strict=True)
    return Neighbors(xp.concat(indices), xp.concat(squared_distances), sum(n_tied))


class _Points:
    """Rows as points of a Euclidean space, in the precision that is asked for."""

    def __init__(self, X, metric, *, xp, role):
        self.xp = xp
        self.n_samples, self.n_features = X.shape
        if metric == "cosine":
            self.X, norms = rows_and_norms(X, xp=xp, role=role)
            self.factors = 1 / norms
        else:
            self.X, _, _ = rescaled(X, xp=xp)
            self.factors = None
        blocks = row_blocks_of(X)
        self.mean = sum(xp.sum(self.rows(b), axis=0) for b in blocks) / X.shape[0]
        squares = []
        for b in blocks:
            rows = self.rows(b)
            of_centered = row_sum_of_squares(rows - self.mean, xp=xp)
            squares.append((of_centered, row_sum_of_squares(rows, xp=xp)))
        self.squared_radii, self.squared_norms = (
            xp.concat(parts) for parts in zip(*squares, strict=True)
        )
        # rows nearer than the rounding error of their entries are duplicates
        rounding = (16 * _eps(xp.float64, xp=xp)) ** 2 * self.n_features
        self.noise = self.squared_norms * rounding
        self.radius = math.sqrt(float(xp.max(self.squared_radii)))
        if self.radius**2 <= float(xp.max(self.noise)):
            alike = "point in the same direction" if metric == "cosine" else "are equal"
            raise ValueError(
                f"{role_name(role)} is constant: all of its rows {alike}, so that none "
                "is nearer than another. Check that the right array was passed and "
                "that the layer is not dead."
            )

    def rows(self, which):
        """Points, for a slice or an array of indices, in double precision."""
        xp = self.xp
        is_slice = isinstance(which, slice)
        rows = as_float64(
            self.X[which, :] if is_slice else take(self.X, which, xp=xp), xp=xp
        )
        if self.factors is None:
            return rows
        factors = self.factors[which] if is_slice else take(self.factors, which, xp=xp)
        return rows * factors[:, None]

    def within_unit_ball(self, dtype):
        """All points, centred and divided by the largest distance from the mean."""
        xp = self.xp
        return xp.concat(
            [
                xp.astype((self.rows(b) - self.mean) * (1 / self.radius), dtype)
                for b in row_blocks_of(self.X)
            ]
        )

    def squared_distances(self, first, second):
        """Squared distances of pairs of points, to eleven digits."""
        return self.xp.concat(
            [
                self._squared_distances(first[b], second[b])
                for b in _batches(first.shape[0], self.n_features)
            ]
        )

    def _squared_distances(self, first, second):
        xp = self.xp
        products = _row_products(
            take(self.X, first, xp=xp), take(self.X, second, xp=xp), xp=xp
        )
        if self.factors is not None:
            factors = take(self.factors, first, xp=xp)
            products = products * factors * take(self.factors, second, xp=xp)
        norms = take(self.squared_norms, first, xp=xp)
        norms = norms + take(self.squared_norms, second, xp=xp)
        distances = norms - 2 * products
        is_near = distances < 1e-3 * norms
        if not bool(xp.any(is_near)):
            return distances
        # there the difference of two large numbers has lost digits
        by_rows = row_sum_of_squares(self.rows(first) - self.rows(second), xp=xp)
        distances = xp.where(is_near, by_rows, distances)
        noise = (take(self.noise, rows, xp=xp) for rows in (first, second))
        is_duplicate = distances <= xp.maximum(*noise)
        return xp.where(is_duplicate, xp.zeros_like(distances), distances)


def _row_products(A, B, *, xp):
    """Inner product of each row of A with the same row of B, in double precision."""
    if is_numpy(xp):
        return np.einsum("ij,ij->i", A, B, dtype=np.float64)
    return xp.sum(as_float64(A, xp=xp) * as_float64(B, xp=xp), axis=1)


class _Filter:
    """Distances by a matrix product, and how far they may be off.

    With points c in the unit ball, the product of a row (-2 c, |c|^2, 1) of ``left``
    and a row (c, 1, |c|^2) of ``right`` is a squared distance.
    """

    def __init__(self, points, dtype):
        self.xp = xp = points.xp
        radii = points.squared_radii * (1 / points.radius**2)
        squares = xp.astype(radii, dtype, copy=False)[:, None]
        ones = xp.ones_like(squares)
        self.right = xp.concat([points.within_unit_ball(dtype), ones, squares], axis=1)
        # a sum of D + 2 products is off by less than (D / 2 + 2) eps times the sum of
        # their magnitudes, which is at most (1 + |c|)^2
        error = _eps(dtype, xp=xp) * (points.n_features / 2 + 4)
        error = error * (1 + xp.sqrt(radii)) ** 2
        # both of the distances that are compared are off, and near ties count
        slack = 2 * error + 8 * TIE_TOLERANCE
        self.slack = xp.astype(slack, dtype, copy=False)

    def left(self, rows):
        """Left factor of some rows."""
        right = self.right[rows, :]
        parts = [right[:, :-2] * -2, right[:, -1:], right[:, -2:-1]]
        return self.xp.concat(parts, axis=1)

    def candidates(self, start, stop, n_neighbors):
        """(row, column) of each entry that may be among the row's nearest."""
        xp = self.xp
        block = self.left(slice(start, stop)) @ self.right.T
        if is_numpy(xp):
            np.fill_diagonal(block[:, start:], np.inf)
        else:
            index = xp.arange(block.shape[1], device=device_of(block))
            own = index[start:stop][:, None] == index[None, :]
            block = xp.where(own, xp.inf, block)
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
        """Look at the distances of some rows (first axis) from some columns.

        Returns whether there were few enough to note.
        """
        n_rows, n_columns = tile.shape
        if n_columns == 0 or n_rows == 0:
            return True
        # at least k groups of columns, so that their minima bound the k-th
        n_groups = min(n_columns, max(4 * self.k, n_columns // _FOLD))
        minima = tile[:, :n_groups].copy(order="K")
        for start in range(n_groups, n_columns, n_groups):
            group = tile[:, start : start + n_groups]
            part = minima[:, : group.shape[1]]
            np.minimum(part, group, out=part)
        smallest = np.concatenate([self.smallest[rows], minima], axis=1)
        smallest.partition(self.k - 1, axis=1)
        self.smallest[rows] = smallest[:, : self.k]
        limits = smallest[:, self.k - 1] + self.slack[rows]
        self.limits[rows] = limits
        own, group = np.nonzero(minima <= limits[:, None])
        if len(own) > _MANY_CANDIDATES * self.k * max(tile.shape):
            return False
        for i in range(0, len(own), _BATCH_ELEMENTS):
            batch = slice(i, i + _BATCH_ELEMENTS)
            self._note(tile, rows, columns, own[batch], group[batch], n_groups)
        return True

    def _note(self, tile, rows, columns, own, group, n_groups):
        """Note those members of some rows' groups that are within the bounds."""
        last = tile.shape[1] - 1
        members = group[:, None] + np.arange(0, last + 1, n_groups)
        distances = tile[own[:, None], np.minimum(members, last)]
        own += rows.start
        is_within = distances <= self.limits[own, None]
        is_within &= members <= last
        hit = np.nonzero(is_within)[0]
        places = own[hit] * self.n_samples + columns.start
        self.places.append(places + members[is_within])
        self.distances.append(distances[is_within])

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
    for start in tracked(range(0, n_samples, _TILE_ROWS), "finding neighbours"):
        rows = slice(start, min(start + _TILE_ROWS, n_samples))
        left_factor = filter_.left(rows)
        for left in range(start, n_samples, _TILE_COLUMNS):
            columns = slice(left, min(left + _TILE_COLUMNS, n_samples))
            tile = left_factor @ filter_.right[columns].T
            if left == start:
                np.fill_diagonal(tile, np.inf)
            # the square on the diagonal holds the distances of its rows both ways
            beyond = slice(max(left, rows.stop), columns.stop)
            if not (
                bounds.see(tile, rows, columns)
                and bounds.see(tile[:, beyond.start - left :].T, beyond, rows)
            ):
                return None
    return bounds.candidates()


def _exact_blocks(points, n_neighbors):
    """Indices, squared distances and number of ties, for block after block of rows."""
    xp = points.xp
    n_samples = points.n_samples
    single, double = _Filter(points, xp.float32), None
    size = max(32, _BLOCK_ELEMENTS // n_samples)
    for start in tracked(range(0, n_samples, size), "finding neighbours"):
        stop = min(start + size, n_samples)
        rows, columns = single.candidates(start, stop, n_neighbors)
        enough = _MANY_CANDIDATES * n_neighbors * (stop - start)
        if rows.shape[0] > min(enough, (stop - start) * (n_samples - 1) // 2):
            double = double or _Filter(points, xp.float64)
            rows, columns = double.candidates(start, stop, n_neighbors)
        yield _ranked(points, rows + start, columns, start, stop, n_neighbors)


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


def _ranked(points, rows, columns, start, stop, k):
    """The k nearest of each row's candidates, which come in the order of columns."""
    xp = points.xp
    device = device_of(points.X)
    distances = points.squared_distances(rows, columns)
    every = xp.arange(start, stop, dtype=rows.dtype, device=device)
    first = xp.searchsorted(rows, every)
    last = xp.searchsorted(rows, every, side="right") - 1
    order = _order_within(rows, distances, xp=xp)
    kth = take(distances, take(order, first + (k - 1), xp=xp), xp=xp)
    unit = TIE_TOLERANCE * kth
    unit = xp.where(unit > 0, unit, xp.ones_like(unit))
    keys = xp.round(distances / take(unit, rows - start, xp=xp))
    if _has_ties(take(rows, order, xp=xp), take(keys, order, xp=xp), xp=xp):
        order = _order_within(rows, keys, xp=xp)
    picked = first[:, None] + xp.arange(k, dtype=first.dtype, device=device)[None, :]
    picked = take(order, xp.reshape(picked, (-1,)), xp=xp)
    next_key, last_key = (
        take(keys, take(order, xp.minimum(first + i, last), xp=xp), xp=xp)
        for i in (k, k - 1)
    )
    is_tied = (next_key == last_key) & (last - first >= k)
    return (
        xp.reshape(take(columns, picked, xp=xp), (-1, k)),
        xp.reshape(take(distances, picked, xp=xp), (-1, k)),
        int(xp.count_nonzero(is_tied)),
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


def _approximate_candidates(points, n_neighbors):
    """(row, column) of the neighbours that pynndescent proposes."""
    try:
        from pynndescent import NNDescent
    except ImportError as error:
        raise ImportError(
            "algorithm='approximate' needs pynndescent: install it with "
            "pip install 'sksim[neighbors]', or use algorithm='exact'."
        ) from error
    xp = points.xp
    rows = to_numpy(points.within_unit_ball(xp.float32), xp=xp)
    index = NNDescent(
        rows, metric="euclidean", n_neighbors=n_neighbors + 1, random_state=0
    )
    proposed = np.sort(index.neighbor_graph[0], axis=1).astype(np.intp)
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


def _batches(n_rows, n_columns):
    """Slices of rows that hold few enough entries to stay in the cache."""
    size = max(1, _BATCH_ELEMENTS // n_columns)
    return [slice(i, min(i + size, n_rows)) for i in range(0, n_rows, size)]


def _eps(dtype, *, xp):
    return float(xp.finfo(dtype).eps)


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


# ----- neighbour lists under permutation ----------------------------------------------


def relabelled(view, order, *, xp):
    """Neighbours of the same representation with its rows in another order.

    Row ``order[i]`` moves to place i, and so the lists name it i.
    """
    places = xp.argsort(order)
    indices = take(view.indices, order, xp=xp)
    return replace(
        view,
        indices=xp.reshape(
            take(places, xp.reshape(indices, (-1,)), xp=xp), indices.shape
        ),
        squared_distances=take(view.squared_distances, order, xp=xp),
        table=None,
    )


def with_table(view, *, xp):
    """The same neighbours with a table of ranks, where one is affordable."""
    n_samples, n_neighbors = view.indices.shape
    if not is_numpy(xp) or n_samples**2 > _TABLE_ELEMENTS:
        return view
    dtype = np.min_scalar_type(n_neighbors)
    table = np.zeros((n_samples, n_samples), dtype=dtype)
    ranks = np.arange(1, n_neighbors + 1, dtype=dtype)
    np.put_along_axis(table, view.indices, ranks[None, :], axis=1)
    return replace(view, table=table)


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


def products_with(rows, lists, *, xp):
    """Inner products of each row with the rows in its list, in double precision."""
    n_samples, length = lists.shape
    width = rows.shape[1]
    products = []
    for b in _batches(n_samples, length * width):
        others = take(rows, xp.reshape(lists[b, :], (-1,)), xp=xp)
        others = as_float64(xp.reshape(others, (-1, length, width)), xp=xp)
        own = as_float64(rows[b, :], xp=xp)[:, :, None]
        products.append(xp.matmul(others, own)[:, :, 0])
    return xp.concat(products)
