"""Neighbours that are equally near: they share the places that they compete for.

The one rule for ties of neighbours. Where t rows are equally near and p places are left
in the list of a row, each of them is its neighbour by a share p / t of a place; where
equally near rows all have a place, they have the same rank, the harmonic mean of their
places. Two views share the smaller of a neighbour's two shares. Nothing depends on the
numbers of the rows: an order by these would be the same in both views, and would make
neighbours common to views that have nothing to do with each other.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln

from sksim.arrays._namespace import to_numpy
from sksim.arrays._points import batches
from sksim.arrays._views import View

# Entries are looked up in a table of up to this many (256 MB), in sorted keys beyond.
_TABLE_ELEMENTS = 2**26
# An exact mean is a sum of up to this many terms, of which 10^6 take a quarter second.
_MOST_TERMS = 10**7


@dataclass(frozen=True)
class SharedPlaces(View):
    """Each neighbour of each row, with its share of a place; on numpy.

    Attributes
    ----------
    rows, columns : int arrays of shape (n_entries,)
        Row ``columns[e]`` is a neighbour of row ``rows[e]``.
    shares : array of shape (n_entries,)
        1 for a neighbour of its own place.
    ranks : array of shape (n_entries,)
    squares : array of shape (n_entries,) or None
        Squared distances.
    n_samples, n_neighbors : int
    index : tuple or None
        Where an entry is found: see `with_index`.
    """

    rows: np.ndarray
    columns: np.ndarray
    shares: np.ndarray
    ranks: np.ndarray
    squares: np.ndarray | None
    n_samples: int
    n_neighbors: int
    index: tuple | None = None

    def moved(self, order):
        """The same neighbours after row ``order[i]`` has become row i."""
        places = np.empty_like(self.rows, shape=self.n_samples)
        places[order] = np.arange(self.n_samples)
        rows, columns = places.take(self.rows), places.take(self.columns)
        return replace(self, rows=rows, columns=columns, index=None)

    def with_index(self):
        """The same with what finds the entry of a pair of rows."""
        if self.n_samples**2 <= _TABLE_ELEMENTS:
            table = np.full(self.n_samples**2, -1, dtype=np.int32)
            table[self._keys] = np.arange(len(self.rows), dtype=np.int32)
            return replace(self, index=(table,))
        return replace(self, index=self._sorted_keys())

    def _sorted_keys(self):
        """What finds entries without a table, which pays where it is used once."""
        keys = self._keys
        order = np.argsort(keys)
        return keys[order], order

    @property
    def _keys(self):
        return self.rows * self.n_samples + self.columns

    def shared_with(self, other):
        """(entries here, entries there) of the neighbours that both have."""
        index = self.index if self.index is not None else self._sorted_keys()
        keys = other._keys
        if len(index) == 1:
            found = index[0].take(keys)
            theirs = np.flatnonzero(found >= 0)
            return found[theirs], theirs
        own, order = index
        place = np.minimum(np.searchsorted(own, keys), len(own) - 1)
        theirs = np.flatnonzero(own[place] == keys)
        return order[place[theirs]], theirs

    def profiles(self):
        """Share of the rows by (sure neighbours, those that share places, share)."""
        is_sure = self.shares == 1
        n_sure = np.bincount(self.rows[is_sure], minlength=self.n_samples)
        n_shared = np.bincount(self.rows[~is_sure], minlength=self.n_samples)
        pairs, counts = np.unique(
            np.stack([n_sure, n_shared], axis=1), axis=0, return_counts=True
        )
        return {
            (a, t, (self.n_neighbors - a) / max(t, 1)): count / self.n_samples
            for (a, t), count in zip(pairs.tolist(), counts.tolist(), strict=True)
        }

    def sums(self, entries, values):
        """Sum over each row's entries of some values."""
        return np.bincount(self.rows[entries], values, minlength=self.n_samples)


def places_of_lists(neighbors, *, xp):
    """Lists of neighbours of which none are tied, entry by entry."""
    indices = to_numpy(neighbors.indices, xp=xp)
    n_samples, k = indices.shape
    squares = neighbors.squared_distances
    return SharedPlaces(
        rows=np.repeat(np.arange(n_samples), k),
        columns=indices.ravel().astype(np.intp, copy=False),
        shares=np.ones(n_samples * k),
        ranks=np.tile(np.arange(1.0, k + 1), n_samples),
        squares=None if squares is None else to_numpy(squares, xp=xp).ravel(),
        n_samples=n_samples,
        n_neighbors=k,
    )


def shared_places(indices, squares, keys, is_tied, competing):
    """Lists of neighbours of which some are tied, entry by entry.

    Parameters
    ----------
    indices, squares, keys : arrays of shape (n_samples, n_neighbors)
        Of keys, equal ones are tied. ``squares`` may be None.
    is_tied : bool array of shape (n_samples,)
        Rows whose last neighbour is as near as one that was left out.
    competing : tuple of two int arrays
        (row, column) of all that compete for the last places of such rows.
    """
    n_samples, k = indices.shape
    rows, columns = competing
    at_end = is_tied[:, None] & (keys == keys[:, -1:])
    n_left = np.count_nonzero(at_end, axis=1)
    n_competing = np.bincount(rows, minlength=n_samples)
    ranks = _harmonic_ranks(keys)
    sure = ~at_end
    own = np.nonzero(sure)[0]
    parts_of_squares = () if squares is None else (squares[sure], squares[rows, -1])
    return SharedPlaces(
        rows=np.concatenate([own, rows]),
        columns=np.concatenate([indices[sure], columns]),
        shares=np.concatenate([np.ones(len(own)), (n_left[rows] / n_competing[rows])]),
        ranks=np.concatenate([ranks[sure], ranks[rows, -1]]),
        squares=np.concatenate(parts_of_squares) if parts_of_squares else None,
        n_samples=n_samples,
        n_neighbors=k,
    )


def _harmonic_ranks(keys):
    """Ranks from 1 on; tied neighbours have the harmonic mean of their places.

    So the sum of 1 / rank is that of the places, whatever is tied.
    """
    n_samples, k = keys.shape
    is_first = np.ones(keys.shape, dtype=bool)
    is_first[:, 1:] = keys[:, 1:] != keys[:, :-1]
    group = np.cumsum(is_first.ravel()) - 1
    places = np.tile(np.arange(1.0, k + 1), n_samples)
    counts = np.bincount(group)
    means = counts / np.bincount(group, 1 / places)
    return np.where(counts[group] == 1, places, means[group]).reshape(keys.shape)


def products_of_pairs(rows, first, second):
    """Inner products of pairs of rows on numpy, in double precision."""
    products = np.empty(len(first))
    for b in batches(len(first), rows.shape[1]):
        left, right = (rows[index[b]].astype(np.float64) for index in (first, second))
        products[b] = np.einsum("ij,ij->i", left, right)
    return products


# ----- what chance gives --------------------------------------------------------------


def mean_overlap(places_x, places_y):
    """Mean number of shared neighbours of a row over all orders of y's rows."""
    n_others = places_x.n_samples - 1
    total = 0.0
    for weight, (a, t, q), (b, u, r) in _pairs_of_profiles(places_x, places_y):
        overlap = a * b + a * u * r + t * q * b + t * u * min(q, r)
        total += weight * overlap / n_others
    return total


def mean_of_overlap(places_x, places_y, function):
    """Mean of a function of that number, or None where that is too much to sum."""
    pairs = list(_pairs_of_profiles(places_x, places_y))
    work = sum(
        math.prod(1 + min(m, n) for m in x[:2] for n in y[:2]) for _, x, y in pairs
    )
    if work > _MOST_TERMS:
        return None
    n_others = places_x.n_samples - 1
    return sum(weight * _expected(function, x, y, n_others) for weight, x, y in pairs)


def _pairs_of_profiles(places_x, places_y):
    """(share of the pairs of rows, profile of X's row, profile of y's row)."""
    of_x, of_y = (places.profiles() for places in (places_x, places_y))
    for x, share_x in of_x.items():
        for y, share_y in of_y.items():
            yield share_x * share_y, x, y


def _expected(function, profile_x, profile_y, n_others):
    """Mean of a function of the overlap of two rows whose other rows are shuffled.

    Of the others, X's row has a sure neighbours, t that share places and the rest, and
    y's row b, u and the rest: what falls together is multivariate hypergeometric.
    """
    (a, t, q), (b, u, r) = profile_x, profile_y
    ab, au, tb, tu = np.ix_(
        *(np.arange(1 + min(m, n)) for m, n in ((a, b), (a, u), (t, b), (t, u)))
    )
    rest, sure_in_rest = n_others - b - u, a - ab - au
    log_ways = (
        _log_choose(b, ab)
        + _log_choose(u, au)
        + _log_choose(rest, sure_in_rest)
        - _log_choose(n_others, a)
        + _log_choose(b - ab, tb)
        + _log_choose(u - au, tu)
        + _log_choose(rest - sure_in_rest, t - tb - tu)
        - _log_choose(n_others - a, t)
    )
    overlap = np.round(ab + r * au + q * tb + min(q, r) * tu, 12)
    return float(np.sum(np.exp(log_ways) * function(overlap)))


def _log_choose(n, k):
    """Logarithm of the number of ways to choose k of n; -inf where there is none."""
    n, k = np.asarray(n, dtype=float), np.asarray(k, dtype=float)
    is_possible = (k >= 0) & (k <= n)
    n, k = np.where(is_possible, n, 0), np.where(is_possible, k, 0)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    return np.where(is_possible, ways, -np.inf)
