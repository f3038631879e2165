"""What measures share that average something over rows of outputs."""

from abc import abstractmethod

import numpy as np

from sksim.arrays._namespace import row_blocks_of
from sksim.base import BaseFunctionalSimilarity, RowSumComparison
from sksim.base._comparison import parted
from sksim.base._tags import tags_of
from sksim.functional._undefined import UndefinedMixin


class RowwiseDistance(BaseFunctionalSimilarity):
    """The mean over rows of a distance between two rows of outputs.

    A measure writes ``_row_values`` of some rows, or ``_row_terms`` of all.
    """

    _kind = RowSumComparison
    _keeps_row_values = True

    def _row_terms(self, view_x, view_y, xp):
        return xp.concat(
            [
                self._row_values(view_x[rows, :], view_y[rows, :], xp)
                for rows in row_blocks_of(view_x)
            ]
        )

    def _of_sums(self, sums, n_samples):
        return sums / n_samples

    def _extreme_terms(self):
        bounds = np.array(tags_of(self).bounds, dtype=float)
        return bounds if np.isfinite(bounds).all() else None

    def _min_samples(self):
        return 1


class DefinedRowsComparison(RowSumComparison):
    """A mean over those rows on which something is defined."""

    def outcome(self):
        """Statistic, and the value of each row: nan where there is none."""
        statistic, details = parted(super().outcome())
        values = np.where(self._terms[:, 1] > 0, self._terms[:, 0], np.nan)
        return statistic, {**details, "row_values_": values}


class DefinedRowsMixin(UndefinedMixin):
    """Mixin for means over rows of a number that some rows may not have.

    A measure writes ``_values_of_rows`` of two views: nan where there is no number.
    These rows are left out.
    """

    _kind = DefinedRowsComparison

    @abstractmethod
    def _values_of_rows(self, view_x, view_y):
        """Number of each row as an array of numpy."""

    def _row_terms(self, view_x, view_y, xp):
        values = self._values_of_rows(view_x, view_y)
        defined = ~np.isnan(values)
        return np.stack([np.where(defined, values, 0), defined], axis=1)

    def _of_sums(self, sums, n_samples):
        total, n_defined = (float(each) for each in sums)
        return total / n_defined if n_defined else float("nan")

    def _extreme_terms(self):
        low, high = tags_of(self).bounds
        return [[low, 1], [high, 1], [0, 0]]

    def _min_samples(self):
        return 1
