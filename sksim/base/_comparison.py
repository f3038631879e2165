"""A comparison: two views, and all that can be asked of them.

The door (`BaseSimilarity._open`) makes one of validated rows; ``fit``, ``score``,
tests, intervals and matrices ask it by verbs. How it answers is a matter of its class,
the measure's *kind*: `Comparison` asks the measure for every answer anew, other kinds
know better.
"""

import math
from dataclasses import dataclass, replace
from dataclasses import fields as dataclass_fields
from functools import cached_property
from typing import ClassVar

import numpy as np

from sksim.arrays._namespace import is_numpy, move_to, number, to_numpy
from sksim.arrays._views import moved, some, some_pairs, swapped, without_column
from sksim.base._tags import PAIR_METADATA, ROW_METADATA, tags_of
from sksim.base._validation import overflow_is_silent


def parted(outcome):
    """(statistic, details) of an outcome, which may come without details."""
    return outcome if isinstance(outcome, tuple) else (outcome, {})


@dataclass(frozen=True)
class Rows:
    """Validated rows: what views are made of.

    Attributes
    ----------
    viewer : BaseSimilarity
        The estimator that was asked, which makes the views.
    arrays : tuple of arrays
        X and y, or each model's output for groups; models for measures of models.
    metadata : dict
        What the view step wants to know beside: labels, confounders, ...
    seed : int or None
        The same for all views of a comparison, and for all of its parts.
    xp : module
        Array namespace.
    device : object
        Where the arrays live; None for numpy.
    rounding : float
        Relative difference below which two statistics are equal.
    """

    viewer: object
    arrays: tuple
    metadata: dict
    seed: int | None
    xp: object
    device: object
    rounding: float

    @property
    def n_samples(self):
        """Number of rows."""
        return getattr(self.arrays[0], "shape", (0,))[0]  # models have none

    def some(self, rows):
        """Some of the rows, with all that is known of them and of their pairs."""
        # a given matrix loses the same columns as rows, and so does a confounder's
        is_given = tags_of(self.viewer).precomputed
        of_pairs = {*PAIR_METADATA, "z"} if is_given else PAIR_METADATA
        cut = dict(self.metadata)
        for name, value in self.metadata.items():
            if name in of_pairs:
                cut[name] = some_pairs(value, rows)
            elif name in ROW_METADATA:
                cut[name] = some(value, rows)
        take = some_pairs if is_given else some
        arrays = tuple(take(array, rows) for array in self.arrays)
        return replace(self, arrays=arrays, metadata=cut)

    def without_column(self, place, column):
        """The same rows without a column of X (place 0) or of y (place 1)."""
        arrays = list(self.arrays)
        arrays[place] = without_column(arrays[place], column)
        return replace(self, arrays=tuple(arrays))

    def view(self, place):
        """View of one of the arrays; the first is X, all others stand for y."""
        return self.view_of(self.arrays[place], "y" if place else "x")

    @overflow_is_silent
    def view_of(self, array, role):
        """View of an array, by what the measure's tags want to know."""
        known = {"role": role, "seed": self.seed, **self.metadata}
        wanted = tags_of(self.viewer).view_keywords
        known = {name: known.get(name) for name in wanted}
        return self.viewer._view(array, self.xp, **known)

    @overflow_is_silent
    def compared(self):
        """The comparison of the rows: each view is made once."""
        views = [self.view(place) for place in range(len(self.arrays))]
        return self.viewer._kind.of(*views, **self._setting())

    def _setting(self):
        return {
            "measure": self.viewer._engine,
            "owner": self.viewer,
            "xp": self.xp,
            "device": self.device,
            "n_samples": self.n_samples,
            "rounding": self.rounding,
            "rows": self,
        }


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What comparisons of two views and of many have in common.

    Attributes
    ----------
    measure : BaseSimilarity
        The measure that compares.
    owner : BaseSimilarity
        The estimator that was asked: the measure, or what wraps it. Its tags say what
        is exact: a wrapper that changes views cuts that down.
    xp, device : object
        Array namespace and device of the input.
    n_samples : int
        Number of rows.
    rounding : float
        Relative difference below which two statistics are equal.
    rows : Rows or None
        What the views were made of; None where only views are compared.
    """

    measure: object
    owner: object
    xp: object
    device: object
    n_samples: int
    rounding: float
    rows: Rows | None = None

    # what of the tag ``exact`` this kind can compute
    carries: ClassVar = frozenset()

    @property
    def tags(self):
        """Tags of the estimator that was asked."""
        return tags_of(self.owner)

    def is_exact(self, name):
        """Whether something has a closed form here."""
        return name in self.tags.exact

    def statistic(self):
        """The statistic as a number in its bounds; refused where it is undefined."""
        value = self.measure._as_number(self.value(), self.tags)
        if math.isnan(value):
            raise ValueError(
                f"{type(self.measure).__name__} is undefined (nan) on this input, so "
                "that there is nothing to infer."
            )
        return value

    def score(self):
        """The statistic, oriented: greater means more similar."""
        return self.tags.orient(self.statistic())

    def array(self):
        """The statistic as a 0-d array of the input's library, with its gradients."""
        statistic, _ = parted(self.outcome())
        if is_numpy(self.xp):
            return np.asarray(statistic)
        if not hasattr(statistic, "ndim"):
            raise ValueError(
                f"{type(self.owner).__name__} has no gradients for {self.n_samples} "
                "rows, of which it works in blocks. Take fewer rows, such as a batch."
            )
        return statistic

    def there(self, array):
        """A numpy array as one of the input's library, where its arrays live."""
        if is_numpy(self.xp):
            return array
        return move_to(array, xp=self.xp, device=self.device)

    def for_permutations(self):
        """A comparison that permutes at the least cost, without the rows."""
        return replace(self, rows=None)

    def prepared_as(self, kind, **fields):
        """The same as a comparison of another class, without the rows."""
        own = {f.name: getattr(self, f.name) for f in dataclass_fields(self)}
        return kind(**{**own, "rows": None, **fields})


@dataclass(frozen=True, kw_only=True)
class Comparison(Compared):
    """Two views that are compared anew for each question.

    Attributes
    ----------
    measure : BaseSimilarity
        The measure that compares.
    owner : BaseSimilarity
        The estimator that was asked: the measure, or what wraps it.
    view_x, view_y : arrays or Views
        What the measure keeps of each representation.
    xp : module
        Array namespace of the input.
    device : object
        Where its arrays live; None for numpy.
    n_samples : int
        Number of rows.
    rounding : float
        Relative difference below which two statistics are equal.
    rows : Rows or None
        What the views were made of; None where only views are compared.
    """

    view_x: object
    view_y: object

    @classmethod
    def of(cls, view_x, view_y, **setting):
        """Comparison of two views."""
        return cls(view_x=view_x, view_y=view_y, **setting)

    @classmethod
    def grid(cls, **fields):
        """All pairs of many views."""
        return Grid(kind=cls, **fields)

    def check(self):
        """Warn or raise about the pair as a whole."""
        check = getattr(self.measure, "_check_views", None)
        if check is not None:
            check(self.view_x, self.view_y)

    @overflow_is_silent
    def outcome(self):
        """Statistic, or (statistic, details)."""
        return self._outcome_of(self.view_x, self.view_y)

    @overflow_is_silent
    def value(self):
        """The statistic as the kernel gives it, without details."""
        return self._value_of(self.view_x, self.view_y)

    @overflow_is_silent
    def counted(self, times):
        """(Statistic, details) of rows of which each occurs a number of times."""
        return self.measure._compare(self.view_x, self.view_y, self.xp, times)

    def _outcome_of(self, view_x, view_y):
        """Outcome of two views of the same kind as these."""
        return self.measure._compare(view_x, view_y, self.xp)

    def _value_of(self, view_x, view_y):
        return self.measure._value_of(self._outcome_of(view_x, view_y))

    @overflow_is_silent
    def permuted(self, orders):
        """Statistics with the rows of y in each of several orders.

        Parameters
        ----------
        orders : sequence of int arrays of shape (n_samples,)
            Row ``order[i]`` of y comes to stand beside row i of X.

        Returns
        -------
        statistics : list of float
        """
        views = (moved(self.view_y, order) for order in orders)
        return [number(self._value_of(self.view_x, view)) for view in views]

    @overflow_is_silent
    def exchanged(self, masks):
        """Statistics with the rows of each mask swapped between the sides.

        Parameters
        ----------
        masks : sequence of bool arrays of shape (n_samples,)
            The rows that change sides.

        Returns
        -------
        statistics : list of float
        """
        pairs = (swapped(self.view_x, self.view_y, mask) for mask in masks)
        return [number(self._value_of(*pair)) for pair in pairs]

    @overflow_is_silent
    def rearranged(self, orders):
        """Statistics with the features of each row of y in another order.

        Parameters
        ----------
        orders : sequence of int arrays of shape (n_samples, n_features)
            Feature ``order[i, j]`` of row i of y comes to stand in place j.

        Returns
        -------
        statistics : list of float
        """
        views = (self.view_y.rearranged(order) for order in orders)
        return [number(self._value_of(self.view_x, view)) for view in views]

    def of_rows(self, rows):
        """Comparison of some of the rows, each as often as it is named."""
        if not self.owner._views_are_row_wise:
            return self.rows.some(rows).compared()
        views = (some(view, rows) for view in (self.view_x, self.view_y))
        x, y = views
        return replace(self, view_x=x, view_y=y, n_samples=len(rows), rows=None)

    def without_each_column(self):
        """Statistics without each column of X and of y, two arrays; None if unknown."""
        if not self.is_exact("columns"):
            return None
        return self._without_each_column()

    def weighted(self, weights):
        """Statistic of rows that count several times, or not at all, or None.

        Parameters
        ----------
        weights : array of shape (n_samples,)
            How often each row counts.
        """
        wanted = {"masked_bootstrap", "bootstrap"}
        return self._weighted(weights) if wanted & self.tags.exact else None

    @overflow_is_silent
    def without_each_row(self):
        """Statistics without each row in turn, as a numpy array; None if unknown."""
        if not self.is_exact("jackknife"):
            return None
        values = self._without_each_row()
        if values is None:
            return None
        if not isinstance(values, np.ndarray):  # sums over rows are numpy's anyway
            values = to_numpy(values, xp=self.xp)
        return values.astype(np.float64, copy=False)

    def pair_effects(self):
        """`PairEffects`: what pairs of rows add beyond what each row adds, or None."""
        return self._pair_effects() if self.is_exact("jackknife") else None

    def trace_form(self):
        """`TraceForm` of the statistic, which gives its null's moments, or None."""
        return self._trace_form() if self.is_exact("null") else None

    def null_mean(self):
        """Exact mean of the statistic over all orders of rows, or None."""
        return self._null_mean() if self.is_exact("null_mean") else None

    def exact_pvalue(self, alternative):
        """P-value of an exact test of the null hypothesis of the tags, or None."""
        return

    def row_kinds(self):
        """`RowKinds` of the statistic, by the measure's ``_row_kinds``, or None."""
        return _row_kinds(self, self.view_x, self.view_y)

    # what a kind that carries them computes; None where these views have none
    def _weighted(self, weights):
        return

    def _without_each_row(self):
        return

    def _without_each_column(self):
        return

    def _pair_effects(self):
        return

    def _trace_form(self):
        return

    def _null_mean(self):
        return


@dataclass(frozen=True, kw_only=True)
class GroupComparison(Compared):
    """Views of many models' outputs.

    Attributes
    ----------
    views : list
        What the measure keeps of each model's output.
    measure, owner, xp, device, n_samples, rounding, rows : object
        As of :class:`Comparison`.
    """

    views: list

    @classmethod
    def of(cls, *views, **setting):
        """Comparison of several views."""
        return cls(views=list(views), **setting)

    @classmethod
    def grid(cls, **fields):
        """All pairs of many views: two models are a group too."""
        return Grid(kind=cls, **fields)

    def check(self):
        """Groups have no views that don't go together."""

    @overflow_is_silent
    def outcome(self):
        """Statistic, or (statistic, details)."""
        return self.measure._aggregate(self.views, self.xp)

    @overflow_is_silent
    def counted(self, times):
        """(Statistic, details) of rows of which each occurs a number of times."""
        return self.measure._aggregate(self.views, self.xp, times)

    def value(self):
        """The statistic as the kernel gives it, without details."""
        return self.measure._value_of(self.outcome())

    @overflow_is_silent
    def permuted(self, orders):
        """Statistics with each model's rows in an order of its own.

        Parameters
        ----------
        orders : sequence of lists
            For each draw one order for each model; None leaves its rows in place.

        Returns
        -------
        statistics : list of float
        """
        return [number(self._moved(each).value()) for each in orders]

    @overflow_is_silent
    def rearranged(self, orders):
        """Statistics with the features of each model's rows in orders of their own.

        Parameters
        ----------
        orders : sequence of lists
            For each draw one order of shape (n_samples, n_features) for each model but
            the first.

        Returns
        -------
        statistics : list of float
        """
        first, *others = self.views
        values = []
        for each in orders:
            views = [v.rearranged(order) for v, order in zip(others, each, strict=True)]
            values.append(number(replace(self, views=[first, *views]).value()))
        return values

    def _moved(self, orders):
        views = [
            view if order is None else moved(view, order)
            for view, order in zip(self.views, orders, strict=True)
        ]
        return replace(self, views=views)

    def of_rows(self, rows):
        """Comparison of some of the rows, each as often as it is named."""
        if not self.owner._views_are_row_wise:
            return self.rows.some(rows).compared()
        views = [some(view, rows) for view in self.views]
        return replace(self, views=views, n_samples=len(rows), rows=None)

    def weighted(self, weights):
        """Groups have no closed form of rows that count several times."""
        return

    def without_each_row(self):
        """Groups have no closed form without a row."""
        return

    def exact_pvalue(self, alternative):
        """P-value of an exact test of the null hypothesis of the tags, or None."""
        return

    def pair_effects(self):
        """Groups have no closed form of pairs of rows."""
        return

    def row_kinds(self):
        """`RowKinds` of the statistic, by the measure's ``_row_kinds``, or None."""
        return _row_kinds(self, self.views)


def _row_kinds(comparison, *views):
    """What the measure says of rows, where a row's view is the view of a row."""
    measure = comparison.measure
    if not (comparison.owner._views_are_row_wise and hasattr(measure, "_row_kinds")):
        return None
    return measure._row_kinds(*views, comparison.xp)


@dataclass(frozen=True, kw_only=True)
class MomentComparison(Compared):
    """What a stream of rows leaves: moments, and no rows.

    Attributes
    ----------
    moments : Moments
    """

    moments: object

    @overflow_is_silent
    def outcome(self):
        """Statistic, or (statistic, details)."""
        return self.measure._compare_moments(self.moments, self.xp)

    def value(self):
        """The statistic as the kernel gives it, without details."""
        return self.measure._value_of(self.outcome())

    def __getattr__(self, name):
        raise AttributeError(
            f"{type(self.measure).__name__} was fitted by partial_fit, which keeps no "
            f"rows: there is no {name!r} of it. Pass all rows at once."
        )


@dataclass(frozen=True, kw_only=True)
class Grid(Compared):
    """Many views against many.

    Attributes
    ----------
    kind : class
        Of each pair.
    views_x, views_y : list
        The same list twice for all pairs of one set.
    """

    kind: type
    views_x: list
    views_y: list

    @property
    def is_of_one_set(self):
        """Whether half of the pairs are enough."""
        return self.views_x is self.views_y and self.tags.symmetric

    @property
    def at_once(self):
        """Whether many pairs are compared as one."""
        return False

    @property
    def has_trace_forms(self):
        """Whether `exact_matrix` and `trace_scale` say what nulls are made of."""
        return False

    @property
    def largest_exact_matrix(self):
        """Bytes of the largest `exact_matrix`."""
        return 0

    def without_each_row(self):
        """(i, j, statistics without each row) of all pairs in turn; None if unknown."""
        return

    @cached_property
    def _setting(self):
        names = ("measure", "owner", "xp", "device", "n_samples", "rounding")
        return {name: getattr(self, name) for name in names}

    def pair(self, i, j):
        """Comparison of one pair."""
        return self.kind.of(self.views_x[i], self.views_y[j], **self._setting)

    def values(self):
        """Statistics of all pairs, as an array of shape (n_x, n_y)."""
        shape = len(self.views_x), len(self.views_y)
        values = np.empty(shape)
        for i, j in np.ndindex(shape):
            if self.is_of_one_set and j < i:
                values[i, j] = values[j, i]
            else:
                values[i, j] = number(self.pair(i, j).value())
        return values

    def permuted(self, orders):
        """Statistics of all pairs with the rows of all y in each of several orders.

        Parameters
        ----------
        orders : sequence of int arrays of shape (n_samples,)

        Returns
        -------
        statistics : array of shape (n_orders, n_x, n_y)
        """
        return np.stack([self._moved(order).values() for order in orders])

    def weighted(self, weights):
        """Statistics of all pairs with rows that count several times, or None.

        Parameters
        ----------
        weights : array of shape (n_samples,)
            How often each row counts.
        """
        values = np.empty((len(self.views_x), len(self.views_y)))
        for i, j in np.ndindex(values.shape):
            value = self.pair(i, j).weighted(weights)
            if value is None:
                return None
            values[i, j] = value
        return values

    def _moved(self, order):
        return replace(self, views_y=[moved(view, order) for view in self.views_y])

    def strip(self, start, stop):
        """The pairs of some x; of one set only with those from the first of them on."""
        rows, columns = self.views_x[start:stop], self.views_y
        if self.views_x is self.views_y:
            columns = self.views_x[start:]
            if len(columns) == len(rows):
                columns = rows
        return replace(self, views_x=rows, views_y=columns)
