"""What measures share that average a distance of rows."""

import numpy as np

from sksim.arrays._namespace import row_blocks_of
from sksim.base import BaseFunctionalSimilarity, RowSumComparison
from sksim.base._tags import tags_of


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
