"""What RSA compares of all pairs of rows, as lists, and which of the pairs count."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.stats

from sksim.arrays._linalg import role_name
from sksim.arrays._namespace import (
    device_of,
    inner,
    is_numpy,
    move_to,
    namespace_of,
    number,
    to_numpy,
)
from sksim.arrays._pairs import (
    MATRIX_ROWS,
    SquaredDistances,
    condensed,
    n_pairs,
    square,
)
from sksim.arrays._views import some_pairs
from sksim.base._comparison import Compared, Grid
from sksim.base._inner_product import InnerProductComparison, InnerProductGrid
from sksim.rsm._pair_blocks import PairBlocks, PairView
from sksim.rsm._weighted_lists import SortedList, weighted_correlations


@dataclass(frozen=True)
class PairValues(PairView):
    """What is compared of all pairs i < j: values, centred values or ranks.

    For all comparisons but Kendall's the vector has unit norm. Where pairs are left
    out, values are as they are: what is made of them follows the pairs of both sides.

    Attributes
    ----------
    values : array of shape (n_pairs,)
    present : bool array of shape (n_pairs,) or None
        The pairs that are not missing, which move with the rows; None for all.
    counted : bool array of shape (n_pairs,) or None
        The pairs that count by the design, which stay in their places when rows move;
        None for all.
    """

    values: object
    present: object = None
    counted: object = None

    @property
    def is_partial(self):
        """Whether pairs are left out."""
        return self.present is not None or self.counted is not None

    def moved(self, order):
        """The same pairs with the rows in another order."""
        values = self._moved(self.values, order)
        return replace(self, values=values, present=self._moved(self.present, order))

    @staticmethod
    def _moved(values, order):
        if values is None:
            return None
        xp = namespace_of(values)
        return condensed(some_pairs(square(values, xp=xp), order), xp=xp)

    def without_rows(self):
        """Nothing is left without the pairs."""
        return PairValues(None)


@dataclass(frozen=True)
class PairMoments(PairView):
    """Rows whose squared distances are compared, without a list of all pairs.

    ``mean`` is that of the squared distances over all pairs if they are to be centred,
    else 0; ``norm`` is that of the (centred) distances over all ordered pairs.
    """

    distances: SquaredDistances
    mean: float
    norm: float

    _row_fields = ("distances",)
    is_moment = True

    @property
    def blocks(self):
        """The same to be computed anew; moments count each pair twice."""
        return PairBlocks(self.distances, False, None, self.mean, self.norm / 2**0.5)


@dataclass(frozen=True, kw_only=True)
class ListsComparison(InnerProductComparison):
    """Two lists of all pairs, of which permutations pick entries out of squares.

    A list is centred as a list: the rows of its square do not sum to zero, so that
    nothing else of an inner product follows. Without rows, or with rows that count
    several times, sorted lists are weighted.
    """

    carries: ClassVar = frozenset({"null_mean", "jackknife", "masked_bootstrap"})

    @classmethod
    def grid(cls, **fields):
        """All pairs of many views."""
        return ListsGrid(kind=cls, **fields)

    def for_permutations(self):
        """Squares of the lists, where there are any and all pairs count."""
        if _can_be_picked(self.measure, self.n_samples, self.view_x, self.view_y):
            return super().for_permutations()
        return replace(self, rows=None)

    @cached_property
    def _lists(self):
        """A grid of one pair, whose lists are sorted once."""
        setting = {f.name: getattr(self, f.name) for f in fields(Compared)}
        views = {"views_x": [self.view_x], "views_y": [self.view_y]}
        return ListsGrid(kind=type(self), **views, **setting)

    def _weighted(self, weights):
        values = self._lists.weighted(weights)
        return None if values is None else float(values[0, 0])

    def _without_each_row(self):
        if not self._lists.can_be_weighted:
            return None
        return np.array([self._weighted(row) for row in 1.0 - np.eye(self.n_samples)])

    def _pair_effects(self):
        return

    def _null_mean(self):
        """Each pair comes to stand at each place equally often."""
        views = self.view_x, self.view_y
        if any(view.is_partial for view in views):
            return None
        if self.measure.comparison != "cosine":
            return 0.0
        if not self._lists.can_be_weighted:
            return None
        means = (number(self.xp.mean(self.measure._values(v, self.xp))) for v in views)
        return next(means) * next(means) * n_pairs(self.n_samples)


def _can_be_picked(measure, n_samples, *views):
    # where pairs are left out, ranks and means are others in each order of rows
    is_partial = any(view.is_partial for view in views)
    return measure._has_lists(n_samples) and not is_partial


@dataclass(frozen=True, kw_only=True)
class ListsGrid(InnerProductGrid):
    """Many lists of all pairs, compared pair by pair."""

    at_once = False

    def values(self):
        """Statistics of all pairs, as an array of shape (n_x, n_y)."""
        return Grid.values(self)

    def for_permutations(self):
        """Squares of the lists, where there are any and all pairs count."""
        views = *self.views_x, *self.views_y
        if _can_be_picked(self.measure, self.n_samples, *views):
            return super().for_permutations()
        return replace(self, rows=None)

    @property
    def can_be_weighted(self):
        """Whether there are lists to be sorted, and weighted ranks or values."""
        return self.n_samples <= MATRIX_ROWS and "jackknife" in self.measure._exact

    @cached_property
    def _sorted(self):
        return [
            [SortedList.of(view, self.measure, self.xp) for view in views]
            for views in (self.views_x, self.views_y)
        ]

    def weighted(self, weights):
        """Statistics of all pairs with rows that count several times, or None."""
        if not self.can_be_weighted:
            return None
        weights = to_numpy(weights, xp=namespace_of(weights))
        return weighted_correlations(
            *self._sorted, weights, comparison=self.measure.comparison
        )


def refuse_missing(present, role, xp):
    """Raise where pairs are missing of which a covariance tells."""
    if present is not None:
        raise ValueError(
            f"{int(xp.count_nonzero(~present))} pairs of rows are missing (nan) in "
            f"{role_name(role)}, and with sigma_k all must be there. Leave the rows "
            "that lack them out, or set sigma_k=None."
        )


def listed(pairs, values, xp):
    """List of a square mask on numpy, beside those of values; None of None."""
    if pairs is None:
        return None
    mask = condensed(pairs, xp=np)
    return mask if is_numpy(xp) else move_to(mask, xp=xp, device=device_of(values))


def both_hold(first, second):
    """Where two masks hold, of which None holds everywhere."""
    if first is None or second is None:
        return first if second is None else second
    return first & second


def counted_pairs(views):
    """Pairs that count by the design, or None for all."""
    # when rows move, both sides keep the same mask
    return next((v.counted for v in views if v.counted is not None), None)


def used_pairs(views):
    """Pairs that count and are missing in none of the views, or None for all."""
    used = counted_pairs(views)
    for view in views:
        used = both_hold(used, view.present)
    return used


def refuse_few(used, xp):
    """Raise where too few pairs are left to be correlated."""
    if used is not None and int(xp.count_nonzero(used)) < 3:
        raise ValueError(
            f"Only {int(xp.count_nonzero(used))} pairs of rows count and are missing "
            "(nan) in neither X nor y, which is too few to be correlated. Check pairs, "
            "or leave rows without entries out of both matrices."
        )


def sum_of_products(a, b, xp):
    """Sum over ordered pairs of the products of squared distances in a and in b.

    With centred rows, sums of the cross terms vanish; what remains are the squared
    norms of the rows and the d x d' product of both representations.
    """
    n = a.rows.shape[0]
    cross = a.rows.T @ b.rows
    return (
        2 * n * inner(a.squares, b.squares, xp=xp)
        + 2 * xp.sum(a.squares) * xp.sum(b.squares)
        + 4 * inner(cross, cross, xp=xp)
    )


def kendall_tau_a(values_x, values_y):
    """Kendall's tau of all pairs, tied ones in the denominator too."""
    count = len(values_x)
    pairs = count * (count - 1) / 2
    untied_x, untied_y = (pairs - _tied_pairs(v) for v in (values_x, values_y))
    if untied_x == 0 or untied_y == 0:
        return 0.0  # no two pairs are in any order
    tau_b = scipy.stats.kendalltau(values_x, values_y).statistic
    return tau_b * (untied_x * untied_y) ** 0.5 / pairs


def _tied_pairs(values):
    counts = np.unique(values, return_counts=True)[1].astype(float)
    return float(np.sum(counts * (counts - 1)) / 2)
