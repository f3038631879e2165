"""Scores corrected for chance: which score counts as 0, and which as 1."""

import math
import warnings
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from sksim.arrays._namespace import number


def critical_value(score, null, level, *, exact=False):
    """Score that the share ``level`` of equally likely orders reach.

    Parameters
    ----------
    score : float
        The observed score, which is one of them.
    null : array of shape (n_orders,)
        Scores under the other orders.
    level : float
        As it is written: .05 is 1 / 20.
    exact : bool, default=False
        Whether the null holds the observed order already.

    Returns
    -------
    critical : float
        The ceil((1 - level) (n_orders + 1))-th smallest of all.
    """
    scores = np.sort(null if exact else np.append(null, score))
    # in binary fractions (1 - .7) * 10 is more than 3
    rank = math.ceil((1 - Fraction(repr(float(level)))) * len(scores))
    return float(scores[rank - 1])


def best_score(comparison):
    """Best score of two views, given what permutations of their rows leave alone.

    The measure's bound, where a view compared with itself reaches it. Elsewhere rows
    are put into the order in which the views are most alike, by the measure's
    ``_row_key``; of a symmetric measure without one it is what the worse of the two
    views has in common with itself, and of others, whose views differ by their side,
    the bound again.

    Parameters
    ----------
    comparison : Comparison or GroupComparison

    Returns
    -------
    best : float
        inf where there is no limit.
    """
    tags = comparison.tags
    key_of = getattr(comparison.measure, "_row_key", None)
    if tags.identity or (key_of is None and not tags.symmetric):
        return tags.orient(tags.best)
    is_group = tags.arity == "group"
    views = comparison.views if is_group else [comparison.view_x, comparison.view_y]
    if key_of is None:
        return min(_with_itself(comparison, view) for view in views)
    first, *others = (
        np.argsort(key_of(view, comparison.xp), kind="stable") for view in views
    )
    orders = []
    for places in others:
        order = np.empty_like(places)
        order[first] = places
        orders.append(order)
    found = comparison.permuted([[None, *orders] if is_group else orders[0]])
    return tags.orient(float(found[0]))


def _with_itself(comparison, view):
    """Score of a view compared with itself."""
    if comparison.tags.arity == "group":
        same = replace(comparison, views=[view] * len(comparison.views))
    else:
        same = replace(comparison, view_x=view, view_y=view)
    return comparison.tags.orient(number(same.value()))


def is_constant(score, null_mean, null_std, best, *, rounding):
    """Whether all orders of rows give one score, up to rounding.

    Parameters
    ----------
    score : float
        The observed score.
    null_mean, null_std : float
        Of the score; the latter is nan where it is not known.
    best : float
    rounding : float
        Relative difference below which two scores are equal.
    """
    if not math.isfinite(null_mean):
        return False
    largest = max(abs(null_mean), abs(best) if math.isfinite(best) else 0.0)
    unit = rounding * largest
    # of a mean at the best nothing is below it
    if math.isfinite(best) and not best - null_mean > unit:
        return True
    return null_std <= unit and abs(score - null_mean) <= unit


def corrected_score(score, zero, best):
    """Null-corrected score: 0 at ``zero``, 1 at best; nan where there is no best.

    Parameters
    ----------
    score, zero, best : float
    """
    if not (math.isfinite(best) and math.isfinite(zero)) or best == zero:
        return math.nan
    return (score - zero) / (best - zero)


def above_critical(score, critical, best):
    """Share of the way from the critical value to the best; 0 below, never negative.

    Without a best score it is the difference, in the unit of the score.

    Parameters
    ----------
    score, critical, best : float
    """
    if math.isnan(critical) or math.isnan(score):
        return math.nan
    if score <= critical:
        return 0.0
    return (score - critical) / (best - critical if math.isfinite(best) else 1.0)


def calibrated_score(comparison, score, null_mean, null_std, *, rounding):
    """Score of a comparison, 0 at the null mean; a warning says why it is nan.

    Parameters
    ----------
    comparison : Comparison or GroupComparison
    score, null_mean, null_std : float
    rounding : float
        Relative difference below which two scores are equal.

    Returns
    -------
    calibrated : float
    """
    best = best_score(comparison)
    if is_constant(score, null_mean, null_std, best, rounding=rounding):
        if comparison.tags.null == "rows":
            warn_of_constant(type(comparison.owner).__name__, null_mean)
        return math.nan
    return corrected_score(score, null_mean, best)


def warn_of_constant(name, null_mean, *, n_cells=None):
    """Say that there is nothing that a score could be corrected by.

    Parameters
    ----------
    name : str
        Of the measure.
    null_mean : float
    n_cells : int, default=None
        Number of cells of a matrix to which that applies.
    """
    where = "" if n_cells is None else f" in {n_cells} cells"
    warnings.warn(
        f"{name} is {null_mean:.6g} in whatever order the rows are{where}, up to "
        "rounding, so that the score can't be corrected for chance: the calibrated "
        "score is nan. More rows, or fewer columns, make it vary.",
        UserWarning,
        stacklevel=3,
    )


@dataclass(frozen=True)
class MatrixCorrection:
    """What counts as 0 in a matrix of scores, and in one number of it.

    Attributes
    ----------
    zero : {"mean", "critical"}
    level : float
    """

    zero: str
    level: float

    def cells(self, grid, scores, null, *, rounding):
        """Corrected scores of all cells; a warning counts those that are nan.

        Parameters
        ----------
        grid : Grid
        scores : array of shape (n_x, n_y)
        null : array of shape (n_orders, n_x, n_y)
        rounding : float or array of shape (n_x, n_y)

        Returns
        -------
        corrected, best : arrays of shape (n_x, n_y)
        """
        rounding = np.broadcast_to(rounding, scores.shape)
        corrected, best = np.empty(scores.shape), np.empty(scores.shape)
        constant = []
        for i, j in np.ndindex(scores.shape):
            best[i, j] = _best_of_cell(grid, i, j)
            corrected[i, j] = self._one(
                scores[i, j], null[:, i, j], best[i, j], rounding[i, j], constant
            )
        if constant:
            name = type(grid.owner).__name__
            warn_of_constant(name, constant[0], n_cells=len(constant))
        return corrected, best

    def number(self, name, score, null, best, *, rounding):
        """Corrected score of one number of the matrix.

        Parameters
        ----------
        name : str
        score, best, rounding : float
        null : array of shape (n_orders,)

        Returns
        -------
        corrected : float
        """
        constant = []
        corrected = self._one(score, null, best, rounding, constant)
        if constant:
            warn_of_constant(name, constant[0])
        return corrected

    def _one(self, score, null, best, rounding, constant):
        mean, std = float(np.mean(null)), float(np.std(null))
        if is_constant(score, mean, std, best, rounding=rounding):
            constant.append(mean)
            return math.nan
        if self.zero == "critical":
            return above_critical(score, critical_value(score, null, self.level), best)
        return corrected_score(score, mean, best)


def _best_of_cell(grid, i, j):
    tags = grid.tags
    return tags.orient(tags.best) if tags.identity else best_score(grid.pair(i, j))
