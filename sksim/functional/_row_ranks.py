"""Ranks within rows, and how alike two models rank the entries of each row."""

import numpy as np
import scipy.stats

from sksim.arrays._namespace import row_slices

# Entries, or pairs of entries, that are worked on together.
_N_ENTRIES = 2**16


def centred_ranks(values, axis, of=np.asarray):
    """Twice the distances of average ranks from their mean: whole numbers.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    axis : {0, 1}
        Along which entries are ranked.
    of : callable
        What of the values is ranked.
    """
    n = values.shape[axis]
    kind = np.int16 if n <= np.iinfo(np.int16).max else np.int32
    ranks = np.empty(values.shape, dtype=kind)
    width = values.shape[1 - axis]
    for b in row_slices(width, n, _N_ENTRIES):
        part = (slice(None), b) if axis == 0 else b
        doubled = 2 * scipy.stats.rankdata(of(values[part]), axis=axis)
        ranks[part] = doubled - (n + 1)
    return ranks


def row_spearman(ranks_x, ranks_y):
    """Correlation of the ranks of each row; nan where one has none."""
    return _by_rows(_spearman, ranks_x, ranks_y, ranks_x.shape[1])


def row_kendall(ranks_x, ranks_y):
    """Kendall's tau-b of each row; nan where one has no ranks."""
    return _by_rows(_kendall, ranks_x, ranks_y, ranks_x.shape[1] ** 2)


def pair_agreement(ranks_x, ranks_y):
    """Share of the pairs of entries that are in one order in both; nan of none."""
    return _by_rows(_agreement, ranks_x, ranks_y, ranks_x.shape[1] ** 2)


def _by_rows(function, ranks_x, ranks_y, width):
    blocks = row_slices(len(ranks_x), width, _N_ENTRIES)
    parts = [function(ranks_x[b], ranks_y[b]) for b in blocks]
    return np.concatenate(parts) if parts else np.empty(0)


def _spearman(x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)
    products = np.einsum("ij,ij->i", x, y)
    squares = np.einsum("ij,ij->i", x, x) * np.einsum("ij,ij->i", y, y)
    return _quotient(products, np.sqrt(squares))


def _kendall(x, y):
    x, y = _orders(x), _orders(y)
    concordant = np.einsum("ij,ij->i", x, y, dtype=np.float64)
    untied = [np.count_nonzero(each, axis=1).astype(np.float64) for each in (x, y)]
    return _quotient(concordant, np.sqrt(untied[0] * untied[1]))


def _agreement(x, y):
    x, y = _orders(x), _orders(y)
    return _quotient(np.count_nonzero(x == y, axis=1), np.full(len(x), x.shape[1]))


def _orders(ranks):
    """Sign of the difference of each pair of entries, as -1, 0 or 1."""
    first, second = np.triu_indices(ranks.shape[1], 1)
    a, b = ranks[:, first], ranks[:, second]
    return (a > b).astype(np.int8) - (a < b).astype(np.int8)


def _quotient(a, b):
    return np.where(b > 0, a / np.where(b > 0, b, 1), np.nan)
