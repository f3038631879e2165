"""Statistics that are functions of sums over rows: means, shares, counts."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from sksim.arrays._namespace import to_numpy
from sksim.base._comparison import Comparison, GroupComparison, parted
from sksim.base._row_kinds import RowKinds
from sksim.base._stream_parts import LabelCounts
from sksim.base._validation import overflow_is_silent


@dataclass(frozen=True, kw_only=True)
class RowSumComparison(Comparison):
    """A statistic that is a function of sums over rows.

    The measure writes ``_row_terms(view_x, view_y, xp)``, an array of shape
    (n_samples,) or (n_samples, k), and ``_of_sums(sums, n_samples)``: the statistic, or
    (statistic, details), of the sums of all rows, a float or an array of k floats.
    With ``_keeps_row_values = True`` the terms become the attribute ``row_values_``.
    With ``_extreme_terms()``, the terms of rows that move the statistic the most, an
    array of shape (m,) or (m, k) whether such rows were seen or not, the tag
    ``intervals`` may name "gaffke". Terms of shape (n_samples,) are then those of a
    mean.

    Rows may then be left out, or count several times, at the cost of a sum.

    Attributes
    ----------
    measure, owner, view_x, view_y, xp, device, n_samples, rounding, rows : object
        As of :class:`Comparison`.
    """

    carries: ClassVar = frozenset({"jackknife", "bootstrap"})
    # whether the details are functions of the sums too
    sums_suffice: ClassVar = True

    @classmethod
    def of_sums(cls, measure, sums, n_samples):
        """(Statistic, details) of sums over rows that have passed by."""
        return parted(measure._of_sums(sums, n_samples))

    def _outcome_of(self, view_x, view_y):
        terms = self.measure._row_terms(view_x, view_y, self.xp)
        sums = _sums(to_numpy(terms, xp=self.xp))
        outcome = self.measure._of_sums(sums, self.n_samples)
        if not getattr(self.measure, "_keeps_row_values", False):
            return outcome
        statistic, details = parted(outcome)
        return statistic, {**details, "row_values_": terms}

    @cached_property
    def _terms(self):
        terms = self.measure._row_terms(self.view_x, self.view_y, self.xp)
        return to_numpy(terms, xp=self.xp).astype(np.float64)

    def sums(self):
        """Sums over all rows, which those of other rows may be added to."""
        terms = self.measure._row_terms(self.view_x, self.view_y, self.xp)
        return _sums(to_numpy(terms, xp=self.xp))

    def largest(self):
        """Largest values that are details: pairs have none."""
        return ()

    def votes(self):
        """How often each label is given: pairs have no use for it."""
        return

    def _of_sums(self, sums, n_samples):
        return float(self.measure._value_of(self.measure._of_sums(sums, n_samples)))

    @overflow_is_silent
    def _weighted(self, weights):
        if not np.isfinite(self._terms).all():
            return None
        weights = to_numpy(weights, xp=self.xp)
        return self._of_sums(_sums(self._terms, weights), float(weights.sum()))

    def row_kinds(self):
        """`RowKinds` by equal terms, with the measure's ``_extreme_terms``, or None."""
        extremes = getattr(self.measure, "_extreme_terms", lambda: None)()
        if extremes is None or not self.owner._views_are_row_wise:
            return None
        terms = np.concatenate([self._terms, np.asarray(extremes, dtype=float)])
        kinds, kind_of = np.unique(terms, axis=0, return_inverse=True)
        kind_of = kind_of.reshape(-1)
        return RowKinds(
            of_row=kind_of[: len(self._terms)],
            value_of=lambda counts: self._of_sums(_sums(kinds, counts), counts.sum()),
            extremes=np.unique(kind_of[len(self._terms) :]),
            n_kinds=len(kinds),
            values=self._values_of(kinds),
        )

    def _values_of(self, kinds):
        """What each kind of row adds to a mean, or None if the statistic is none."""
        if kinds.ndim == 1:
            return kinds
        if "exact" in self.tags.intervals:
            return np.array([self._of_sums(kind, 1) for kind in kinds])
        return None

    def _without_each_row(self):
        n = self.n_samples
        if n < 2 or not np.isfinite(self._terms).all():
            return None
        sums = _sums(self._terms)
        # without either of two rows of equal terms the same is left
        kinds, kind_of = np.unique(self._terms, axis=0, return_inverse=True)
        values = np.array([self._of_sums(sums - kind, n - 1) for kind in kinds])
        return values[kind_of.reshape(-1)]


def _sums(terms, weights=None):
    """Sums over rows in double precision, exact for counts."""
    if weights is None:
        sums = terms.sum(axis=0, dtype=np.float64)
    else:
        sums = weights @ terms
    return sums if sums.ndim else float(sums)


@dataclass(frozen=True, kw_only=True)
class GroupSumComparison(GroupComparison):
    """A statistic of many models that is a function of sums over rows.

    The measure's ``_aggregate(views, xp)`` gives the sums, or (sums, details of single
    rows), and its ``_of_sums(sums, n_samples)`` the statistic, or (statistic, details).
    Those details of rows of which a stream keeps the largest value are named by the
    measure in ``_largest_of_rows``.
    """

    sums_suffice: ClassVar = True

    @classmethod
    def of_sums(cls, measure, sums, n_samples):
        """(Statistic, details) of sums over rows that have passed by."""
        return parted(measure._of_sums(sums, n_samples))

    @cached_property
    def _summed(self):
        return parted(self.measure._aggregate(self.views, self.xp))

    @overflow_is_silent
    def outcome(self):
        """(Statistic, details)."""
        return self._with_rows(self.of_sums(self.measure, self.sums(), self.n_samples))

    def _with_rows(self, outcome):
        statistic, details = outcome
        return statistic, {**details, **self._summed[1]}

    def sums(self):
        """Sums over all rows, which those of other rows may be added to."""
        return self._summed[0]

    def largest(self):
        """Largest values of what is a detail of rows."""
        names = getattr(self.measure, "_largest_of_rows", ())
        return [self._summed[1][name] for name in names]

    def votes(self):
        """How often each label is given, or None."""
        return


@dataclass(frozen=True, kw_only=True)
class VoteSumComparison(GroupSumComparison):
    """A function of sums over rows, and of how often each label is given at all.

    Views have ``codes`` of ``classes``. The measure's ``_of_sums(sums, n_samples,
    votes)`` gets the number of times that all models together give each label.
    """

    @classmethod
    def of_sums(cls, measure, sums, n_samples, votes):
        """(Statistic, details) of sums over rows that have passed by, and votes."""
        return parted(measure._of_sums(sums, n_samples, votes))

    @overflow_is_silent
    def outcome(self):
        """(Statistic, details)."""
        votes = self.votes().times()
        return self._with_rows(
            self.of_sums(self.measure, self.sums(), self.n_samples, votes)
        )

    def votes(self):
        """How often each label is given."""
        counts = Counter()
        for view in self.views:
            found = self.xp.unique_counts(view.codes)
            codes, times = (to_numpy(each, xp=self.xp) for each in found)
            labels = zip(view.classes[codes].tolist(), strict=True)
            counts.update(dict(zip(labels, times.tolist(), strict=True)))
        return LabelCounts(counts)
