"""Whether rows that follow each other are alike: rows that are not exchangeable."""

import warnings

import numpy as np
import pandas as pd

from sksim.arrays._namespace import namespace_of, to_numpy
from sksim.arrays._sparse_rows import is_sparse

# A view is suspect where no random order of its rows makes successors as alike: one in
# 200 of exchangeable rows. Both views have to be, so that at most .5 % of copies of one
# view raise a false alarm, and next to none of unrelated ones.
_N_ORDERS = 199
# Of many rows some pairs, spread over all of them, and of many columns some directions.
_MOST_PAIRS = 1024
_MOST_DIRECTIONS = 8


def warn_of_succession(arrays_x, arrays_y, *, stacklevel):
    """Warn if rows that follow each other are alike on both sides.

    Parameters
    ----------
    arrays_x, arrays_y : lists of arrays
        Labels of shape (n_samples,), or rows of shape (n_samples, n_features). Of each
        side half are enough, which for exchangeable rows has a probability of at most
        twice that of one.
    stacklevel : int
        As of `warnings.warn`.
    """
    for side in (arrays_x, arrays_y):
        if np.mean([is_succession(rows) for rows in side]) < 0.5:
            return
    warnings.warn(
        "Rows that follow each other are alike in both representations, more than in "
        "any other order: free permutation of such rows calls unrelated representations"
        " similar. If the rows follow each other in time, use permute='shift'; if they "
        "are sorted by class, pass strata=labels; if rows belong together, such as "
        "patches of one image, pass groups=.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def is_succession(rows):
    """Whether rows are more like their successors than in all of some random orders."""
    picked, first, second = _pairs_of_successors(rows)
    directions = _directions(picked)
    own = np.vdot(directions[first], directions[second])
    rng = np.random.default_rng(0)
    for _ in range(_N_ORDERS):
        shuffled = directions[rng.permutation(len(directions))]
        other = np.vdot(shuffled[first], shuffled[second])
        # what is tied is as alike
        if not own > other + 1e-9 * abs(own):
            return False
    return True


def _pairs_of_successors(rows):
    """(rows on numpy, places of some, places of their successors)."""
    n_samples = rows.shape[0]
    places = np.arange(n_samples - 1)
    if n_samples - 1 > _MOST_PAIRS:
        places = np.linspace(0, n_samples - 2, _MOST_PAIRS).astype(int)
    picked = np.unique(np.concatenate([places, places + 1]))
    if isinstance(rows, np.ndarray) or is_sparse(rows):
        some = rows.take(picked, axis=0)
    else:
        xp = namespace_of(rows)
        some = to_numpy(rows, xp=xp)[picked]
    return some, *(np.searchsorted(picked, p) for p in (places, places + 1))


def _directions(rows):
    """Rows minus their mean as unit vectors of few dimensions; of labels a code."""
    rng = np.random.default_rng(1)
    if rows.ndim == 1:
        codes, labels = pd.factorize(rows, use_na_sentinel=False)
        rows = rng.normal(size=(len(labels), _MOST_DIRECTIONS))[codes]
    if is_sparse(rows):
        rows, _ = rows.in_range()
        rows = rows.less(rows.means())
        return _unit_rows(rows @ _few_directions(rows.shape[1], rng))
    rows = rows.astype(np.float64)
    # so that no sum of finite numbers overflows
    rows = rows / max(np.abs(rows).max(), np.finfo(float).tiny)
    rows = rows - rows.mean(axis=0)
    if rows.shape[1] > _MOST_DIRECTIONS:
        rows = rows @ _few_directions(rows.shape[1], rng)
    return _unit_rows(rows)


def _few_directions(width, rng):
    """Random directions, or all where they are few."""
    if width <= _MOST_DIRECTIONS:
        return np.eye(width)
    return rng.normal(size=(width, _MOST_DIRECTIONS))


def _unit_rows(rows):
    """Rows of unit norm, minus their mean."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0)
    return rows - rows.mean(axis=0)
