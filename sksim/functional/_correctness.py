"""What measures of which rows models get right have in common."""

import numpy as np

from sksim.arrays._namespace import to_numpy
from sksim.base import (
    BaseFunctionalSimilarity,
    BaseGroupSimilarity,
    RowSumComparison,
)
from sksim.base._row_kinds import RowKinds
from sksim.base._row_sums import GroupSumComparison
from sksim.functional._abstentions import PairedAnswersMixin


class CorrectnessSimilarity(PairedAnswersMixin, BaseFunctionalSimilarity):
    """A function of how many rows both, one or none of two models get right.

    The view is the vector of correct predictions, so that relabelling its rows moves
    each prediction together with its truth. Rows in the order of that vector are most
    alike: the same rows are right.
    """

    _kind = RowSumComparison

    def _view(self, X, xp, y_true):
        return self._correct(X, y_true, xp)

    def _row_key(self, view, xp):
        return to_numpy(view, xp=xp)

    def _of_sums(self, sums, n_samples):
        paired, details = self._paired(sums, n_samples)
        counts = np.array(paired).reshape(2, 2)
        return self._relate(*paired), {"counts_": counts, **details}

    def _min_samples(self):
        return 1


class GroupCorrectness(BaseGroupSimilarity):
    """A function of how many models of a group are right on each row.

    Only the distribution of that number matters: ``_from_counts`` gets the number of
    rows on which 0, 1, ..., L of the L models are right. Sums over it are exact.
    """

    _kind = GroupSumComparison

    def _view(self, X, xp, y_true):
        return y_true == X

    def _row_key(self, view, xp):
        return to_numpy(view, xp=xp)

    def _aggregate(self, views, xp):
        return np.bincount(_n_right(views, xp), minlength=len(views) + 1)

    def _of_sums(self, sums, n_samples):
        counts = sums.astype(np.int64)
        value = self._from_counts(counts, np.arange(len(counts)))
        return value, {"right_counts_": counts}

    def _row_kinds(self, views, xp):
        kinds = np.arange(len(views) + 1)
        return RowKinds(
            of_row=_n_right(views, xp),
            value_of=lambda counts: self._value_of(self._from_counts(counts, kinds)),
            extremes=kinds,
            n_kinds=len(kinds),
        )


def _n_right(views, xp):
    """Number of models that are right, row by row."""
    n_right = sum(xp.astype(view, xp.int64) for view in views)
    return to_numpy(n_right, xp=xp)
