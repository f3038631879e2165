"""Which statistics are equal but for rounding.

Ties, and a null distribution that does not vary, are matters of the arithmetic's own
error. It is measured: the same rows in another order have the same statistic, and so
has the order that permutations leave alone.
"""

from dataclasses import replace

import numpy as np

from sksim.arrays._views import moved

# Of all measures in single precision, tied permutations differed by up to 6 times what
# the two recomputations differ by, and by 9e-7 of the score (60 rows with many ties).
_SAFETY = 16
_SMALLEST = 4 * float(np.finfo(np.float32).eps)
# Double precision: no measure comes near it.
_DOUBLE = 1e-11


def rounding_of(compared, values, unmoved):
    """Relative difference below which two statistics are equal, for each of ``values``.

    Parameters
    ----------
    compared : Comparison, GroupComparison or Grid
    values : float or array
        Its statistics.
    unmoved : callable
        Gives the statistics in the way in which they are permuted, of the order that
        changes nothing.

    Returns
    -------
    rounding : array of the shape of ``values``
    """
    values = np.asarray(values, dtype=float)
    if compared.rounding <= _DOUBLE:
        return np.full(values.shape, compared.rounding)
    order = np.random.default_rng(0).permutation(compared.n_samples)
    again = np.stack([np.asarray(unmoved(), dtype=float), _relabelled(compared, order)])
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.max(np.abs(again - values), axis=0) / np.abs(values)
    # what is undefined or 0 has no error of its own
    measured = _SAFETY * np.where(np.isfinite(error), error, 0.0)
    return np.clip(measured, _SMALLEST, compared.rounding)


def _relabelled(compared, order):
    """Statistics with the rows of both sides in the same other order."""
    if hasattr(compared, "views"):
        views = [moved(view, order) for view in compared.views]
        return float(replace(compared, views=views).value())
    if not hasattr(compared, "views_x"):
        x, y = (moved(view, order) for view in (compared.view_x, compared.view_y))
        return float(replace(compared, view_x=x, view_y=y).value())
    views_x = [moved(view, order) for view in compared.views_x]
    views_y = views_x
    if compared.views_y is not compared.views_x:
        views_y = [moved(view, order) for view in compared.views_y]
    return replace(compared, views_x=views_x, views_y=views_y).values()
