"""Lists of pairs whose rows count several times, or not at all.

The pair (i, j) counts as often as row i and row j together, and pairs of copies of one
row not at all. Lists are sorted once; what follows from weights takes one pass over
each list and products between them, without any view of the rows that were drawn.
"""

from dataclasses import dataclass

import numpy as np

from sksim.arrays._namespace import to_numpy
from sksim.arrays._pairs import condensed
from sksim.arrays._ranks import average_ranks

# A list whose weighted values vary by less than this share of their size has nothing
# that could be correlated; as for lists of all pairs.
_LEAST_SPREAD = 1e-20


@dataclass(frozen=True)
class SortedList:
    """Values of all pairs, and the order that their ranks follow from.

    Attributes
    ----------
    values : array of shape (n_pairs,)
    order : int array of shape (n_pairs,) or None
        From the smallest to the largest; None where values are compared, not ranks.
    place : int array of shape (n_pairs,) or None
        Of each value in that order, of equal ones together.
    starts : int array or None
        Where runs of equal values start in that order; None where none are equal.
    mask : bool array of shape (n_pairs,) or None
        The pairs that are there; None for all.
    """

    values: np.ndarray
    order: np.ndarray | None
    place: np.ndarray | None
    starts: np.ndarray | None
    mask: np.ndarray | None

    @classmethod
    def of(cls, view, measure, xp):
        """List of a view of RSA."""
        values = to_numpy(measure._values(view, xp), xp=xp)
        masks = [m for m in (view.present, view.counted) if m is not None]
        mask = np.logical_and.reduce([to_numpy(m, xp=xp) for m in masks], axis=0)
        mask = mask if masks else None
        if measure.comparison not in ("spearman", "rho_a"):
            values = _scaled(values, mask, measure.comparison)
            return cls(values, None, None, None, mask)
        # ties are those of the dissimilarities, whose ranks have the same ones
        ranks = average_ranks(values - values.min(), xp=np)
        order = np.argsort(ranks, kind="stable")
        ascending = ranks[order]
        is_first = np.append(True, ascending[1:] != ascending[:-1])
        place = np.empty(len(ranks), dtype=np.intp)
        place[order] = np.cumsum(is_first) - 1
        starts = None if is_first.all() else np.flatnonzero(is_first)
        return cls(ranks, order, place, starts, mask)

    def compared(self, weights):
        """What is compared of the pairs: values, or their ranks under weights."""
        if self.order is None:
            return self.values
        of_places = weights.take(self.order)
        if self.starts is not None:
            of_places = np.add.reduceat(of_places, self.starts)
        ranks = np.cumsum(of_places)
        ranks -= of_places / 2
        return ranks.take(self.place)


def _scaled(values, mask, comparison):
    """Values of a size that loses no digits, near 0 where their mean is taken out."""
    if mask is None:
        return values
    some = values[mask]
    if comparison != "cosine":
        values = values - some.mean()
    return values / max(float(np.max(np.abs(values[mask]))), np.finfo(float).tiny)


def weighted_correlations(lists_x, lists_y, weights, *, comparison):
    """Correlations of all pairs of lists of rows that count several times.

    Parameters
    ----------
    lists_x, lists_y : list of SortedList
    weights : array of shape (n_samples,)
        How often each row counts.
    comparison : str
        As of RSA: means are taken out, but for "cosine".

    Returns
    -------
    values : array of shape (n_x, n_y)
        nan where what is left of a list does not vary.
    """
    pair_weights = condensed(np.outer(weights, weights), xp=np)
    values = np.empty((len(lists_x), len(lists_y)))
    for rows, mask_x in _by_mask(lists_x):
        for columns, mask_y in _by_mask(lists_y):
            used = _masked(_masked(pair_weights, mask_x), mask_y)
            x, y = (
                _normed([some[i] for i in places], used, comparison)
                for some, places in ((lists_x, rows), (lists_y, columns))
            )
            values[np.ix_(rows, columns)] = (x * used) @ y.T
    return values


def _by_mask(lists):
    """(places, mask) of lists in which the same pairs are there."""
    groups = {}
    for place, each in enumerate(lists):
        key = None if each.mask is None else each.mask.tobytes()
        groups.setdefault(key, []).append(place)
    return [(places, lists[places[0]].mask) for places in groups.values()]


def _masked(weights, mask):
    return weights if mask is None else weights * mask


def _normed(lists, weights, comparison):
    """Lists of unit norm under weights; nan where a list does not vary."""
    values = np.stack([each.compared(weights) for each in lists])
    before = (values * values) @ weights
    is_centred, total = comparison != "cosine", weights.sum()
    if is_centred:
        values -= ((values @ weights) / total)[:, None]
    if comparison == "rho_a":  # the norm of ranks without ties
        return values / np.sqrt((total**3 - total) / 12)
    squares = (values * values) @ weights if is_centred else before
    squares = np.where(squares > _LEAST_SPREAD * before, squares, np.nan)
    values /= np.sqrt(squares)[:, None]
    return values
