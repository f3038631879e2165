"""What measures share that average a distance of rows."""

from sksim.base import BaseFunctionalSimilarity
from sksim.utils._array_api import row_blocks_of


class RowwiseDistance(BaseFunctionalSimilarity):
    """The mean over rows of a distance between two rows of probabilities."""

    def _compare(self, view_x, view_y, xp):
        values = xp.concat(
            [
                self._row_values(view_x[rows, :], view_y[rows, :], xp)
                for rows in row_blocks_of(view_x)
            ]
        )
        return xp.mean(values), {"row_values_": values}

    def _min_samples(self):
        return 1
