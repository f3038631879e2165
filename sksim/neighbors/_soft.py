"""Neighbours by degrees: what lists of neighbours are at a temperature."""

import math
from numbers import Real

from sksim.arrays._linalg import rescaled, unit_rows
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    row_inner,
    row_sums,
    smallest,
    without_gradients,
)
from sksim.arrays._pairs import (
    MATRIX_ROWS,
    rows_for_distances,
    squared_distance_matrix,
)

# Newton's steps end here: the last one, which has gradients, squares what is left.
_ENOUGH = 1e-9
# Steps that bisect halve the bracket; sixty leave nothing of it.
_MOST_STEPS = 60


def check_temperature(temperature):
    """Raise unless a temperature is a positive number."""
    is_number = isinstance(temperature, Real) and not isinstance(temperature, bool)
    if not is_number or not 0 < temperature < math.inf:
        raise ValueError(
            f"temperature must be a positive number, got {temperature!r}: the width of "
            "the neighbourhoods' edges, in units of the mean squared distance."
        )


def soft_shared_neighbors(X, y, n_neighbors, temperature, *, metric, xp):
    """How many of its k neighbours each row shares, by degrees.

    Row j is a neighbour of row i to the degree w_ij, a logistic function of the squared
    distance, with a threshold for each row so that its degrees add up to k. Shared are
    k times 2 <w_i, w'_i> / (<w_i, w_i> + <w'_i, w'_i>): all k where the degrees are the
    same, and a count of the lists' common entries in the limit of temperature 0.

    Parameters
    ----------
    X, y : arrays
        Validated rows, or their distances with metric "precomputed".
    n_neighbors : int
    temperature : float
        In units of the mean squared distance of two rows.
    metric : {"cosine", "euclidean", "precomputed"}
    xp : module
        Array namespace.

    Returns
    -------
    n_shared : array of shape (n_samples,)
    """
    if X.shape[0] > MATRIX_ROWS:
        raise ValueError(
            f"Degrees of neighbourhood take matrices of rows by rows, and X has "
            f"{X.shape[0]} rows: more than {MATRIX_ROWS} are not supported. Take fewer "
            "rows, such as a batch."
        )
    sides = (X, "x"), (y, "y")
    squares = (_squared_distances(array, metric, role, xp) for array, role in sides)
    a, b = (_degrees(each, n_neighbors, temperature, xp) for each in squares)
    both = row_inner(a, b, xp=xp)
    norms = row_inner(a, a, xp=xp) + row_inner(b, b, xp=xp)
    return n_neighbors * 2 * both / norms


def _squared_distances(X, metric, role, xp):
    """Squared distances of all rows, of which the mean of two rows is 1."""
    X = as_float64(X, xp=xp)
    if metric == "precomputed":
        X, _, _ = rescaled(X, xp=xp)
        squares = X * X
    else:
        if metric == "cosine":
            X = unit_rows(X, xp=xp, role=role)
        rows, norms, _ = rows_for_distances(X, xp=xp, role=role)
        squares = squared_distance_matrix(rows, norms, xp=xp)
    n_samples = X.shape[0]
    return squares * (n_samples * (n_samples - 1) / xp.sum(squares))


def _degrees(squares, n_neighbors, temperature, xp):
    """To which degree each row is another's neighbour; its own it is not."""
    index = xp.arange(squares.shape[0], device=device_of(squares))
    is_other = index[:, None] != index[None, :]
    squares = xp.where(is_other, squares, xp.inf)
    fixed = without_gradients(squares)
    thresholds = _thresholds(fixed, n_neighbors, temperature, xp)
    # one more step of Newton's method gives the thresholds their gradients
    signs = _signs(thresholds, squares, temperature, xp)
    slopes = _slopes(without_gradients(signs), temperature, xp)
    excess = _sums(signs, xp) - n_neighbors
    signs = _signs(thresholds - excess / slopes, squares, temperature, xp)
    return (1 + signs) / 2


def _signs(thresholds, squares, temperature, xp):
    """Twice the logistic function of distances below the threshold, less 1.

    In this form it overflows nowhere.
    """
    return xp.tanh((thresholds[:, None] - squares) * (0.5 / temperature))


def _sums(signs, xp):
    """Sums of the degrees of each row."""
    return (signs.shape[0] + row_sums(signs, xp=xp)) / 2


def _slopes(signs, temperature, xp):
    """Derivatives of the degrees' sums by the thresholds, above 0."""
    slopes = (signs.shape[0] - row_inner(signs, signs, xp=xp)) / (4 * temperature)
    # at temperatures near 0 nothing changes, and nothing is left to be corrected
    return xp.where(slopes > 0, slopes, xp.ones_like(slopes))


def _thresholds(squares, n_neighbors, temperature, xp):
    """Thresholds at which each row's degrees add up to the number of neighbours."""
    n_others = squares.shape[0] - 1
    nearest = smallest(squares, n_neighbors + 1, xp=xp)
    farthest = xp.max(xp.where(squares < xp.inf, squares, 0.0), axis=1)
    # 40 widths away a degree is 0 or 1 to all digits
    low, high = nearest[:, 0] - 40 * temperature, farthest + 40 * temperature
    if n_neighbors == n_others:
        return high
    wanted = math.log(n_neighbors / (n_others - n_neighbors))
    # right at temperature 0
    t = (nearest[:, -2] + nearest[:, -1]) / 2
    for _ in range(_MOST_STEPS):
        signs = _signs(t, squares, temperature, xp)
        sums = _sums(signs, xp)
        if bool(xp.all(xp.abs(sums - n_neighbors) <= _ENOUGH * n_neighbors)):
            break
        low = xp.where(sums < n_neighbors, t, low)
        high = xp.where(sums > n_neighbors, t, high)
        # Newton's method on log odds, which are straight lines of equal distances
        inside = xp.clip(sums, 1e-300, n_others * (1 - 1e-16))
        odds = inside / (n_others - inside)
        slopes = n_others * _slopes(signs, temperature, xp)
        slopes = slopes / (inside * (n_others - inside))
        t = t - (xp.log(odds) - wanted) / slopes
        t = xp.where((low < t) & (t < high), t, (low + high) / 2)
    return t
