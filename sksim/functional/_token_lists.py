"""Lists of the most probable tokens, row by row."""

import numpy as np

from sksim.arrays._namespace import row_slices

# Entries of rows that are worked on together.
_N_ENTRIES = 2**16


def places_in(ids, of_others):
    """Where each token stands in the other list of its row, and whether it does."""
    n_rows, width = of_others.shape
    if not width:
        return np.zeros(ids.shape, int), np.zeros(ids.shape, bool)
    order = np.argsort(of_others, axis=1, kind="stable")
    ordered = np.take_along_axis(of_others, order, axis=1)
    # one search for all rows: each has its own range of numbers
    step = max(int(ids.max(initial=0)), int(of_others.max(initial=0))) + 2
    starts = np.arange(n_rows)[:, None] * step + 1
    found = np.searchsorted((ordered + starts).ravel(), (ids + starts).ravel())
    found = found.reshape(ids.shape) - np.arange(n_rows)[:, None] * width
    found = np.clip(found, 0, width - 1)
    is_there = (np.take_along_axis(ordered, found, axis=1) == ids) & (ids >= 0)
    return np.take_along_axis(order, found, axis=1), is_there


def top_places(scores, k):
    """The k largest of each row, largest first; of equal ones the first come first.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_columns)
    k : int
        At most ``n_columns``.

    Returns
    -------
    places : int ndarray of shape (n_rows, k)
    """
    n_rows, n_columns = scores.shape
    if k == 1:
        return np.argmax(scores, axis=1)[:, None]
    if k == n_columns:
        return np.argsort(-scores, axis=1, kind="stable")
    least = np.partition(scores, n_columns - k, axis=1)[:, n_columns - k, None]
    is_above, is_equal = scores > least, scores == least
    wanted = k - np.count_nonzero(is_above, axis=1)
    is_equal &= np.cumsum(is_equal, axis=1) <= wanted[:, None]
    places = np.nonzero(is_above | is_equal)[1].reshape(n_rows, k)
    found = np.take_along_axis(scores, places, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1)


def top_places_of_all(scores, k):
    """`top_places` some rows at a time, as the shortest integers that hold them."""
    kind = np.min_scalar_type(scores.shape[1] - 1)
    places = np.empty((len(scores), k), dtype=kind)
    for b in row_slices(*scores.shape, n_entries=_N_ENTRIES):
        places[b] = top_places(scores[b], k)
    return places


def by_blocks_of_lists(function, *lists):
    """A function of some rows of lists, for all rows."""
    n_rows, k = lists[0].shape
    blocks = row_slices(n_rows, k, n_entries=_N_ENTRIES)
    return np.concatenate(
        [function(*(each[b].astype(np.int64) for each in lists)) for b in blocks]
    )


def overlaps(first, second):
    """How many entries the heads of two lists share, at each depth.

    Parameters
    ----------
    first, second : int ndarrays of shape (n_rows, k)
        Without repetitions in a row.

    Returns
    -------
    shared : int ndarray of shape (n_rows, k)
    """
    n_rows, k = first.shape
    places, is_there = places_in(first, second)
    # an entry is shared from the depth on at which the second list has it too
    depths = np.maximum(places, np.arange(k)) + np.arange(n_rows)[:, None] * k
    new = np.bincount(depths[is_there], minlength=n_rows * k)
    return np.cumsum(new.reshape(n_rows, k), axis=1)


def rank_biased_overlap(shared, p, form):
    """Overlap that counts the first places most, of `overlaps`, row by row.

    Parameters
    ----------
    shared : ndarray of shape (n_rows, k)
    p : float
        Weight of each depth in terms of the one before it.
    form : {"extrapolated", "truncated"}
    """
    depths = np.arange(1, shared.shape[1] + 1)
    truncated = shared @ ((1 - p) * p ** (depths - 1) / depths)
    if form == "truncated":
        return truncated
    return truncated + shared[:, -1] / len(depths) * p ** len(depths)
