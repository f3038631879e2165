"""Hellinger distance of predicted probabilities."""

import math

from sksim.arrays._namespace import row_norms
from sksim.functional._rowwise import RowwiseDistance
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS, probability_tags


class Hellinger(RowwiseDistance):
    r"""Mean Hellinger distance of predicted probabilities.

    .. math:: m(f, f') = \frac{1}{N} \sum_i \frac{1}{\sqrt 2}
        \Big\Vert \sqrt{O_i} - \sqrt{O_i'} \Big\Vert_2

    A distance in [0, 1] and a metric, between :math:`TV / \sqrt 2` and
    :math:`\sqrt{TV}` on each row: more sensitive than total variation to classes that
    one of the models all but excludes.

    Attributes
    ----------
    statistic_, distance_ : float
        Mean distance over rows.
    score_ : float
        Minus the mean.
    row_values_ : array of shape (n_samples,)
        Value of each row.
    n_features_in_, n_features_y_in_ : int
        Number of classes.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If rows are not probabilities.

    See Also
    --------
    TotalVariation : Weighs all probabilities alike.

    References
    ----------
    E. Hellinger. Neue Begründung der Theorie quadratischer Formen von unendlichvielen
    Veränderlichen. Journal für die reine und angewandte Mathematik, 1909.

    Examples
    --------
    >>> from sksim.functional import Hellinger
    >>> round(Hellinger().fit([[0.5, 0.5]], [[1, 0]]).distance_, 4)
    0.5412
    """

    def _view(self, X, xp):
        return X

    def _row_values(self, rows_x, rows_y, xp):
        return row_norms(xp.sqrt(rows_x) - xp.sqrt(rows_y), 2, xp=xp) / math.sqrt(2)

    def _similarity_tags(self):
        return probability_tags(
            intervals=INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            orientation="distance",
            bounds=(0, 1),
            metric=True,
            reference="Hellinger 1909",
        )
