"""Total variation distance of predicted probabilities."""

from sksim.arrays._namespace import row_norms
from sksim.functional._rowwise import RowwiseDistance
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS, probability_tags


class TotalVariation(RowwiseDistance):
    r"""Mean total variation distance of predicted probabilities.

    .. math:: m(f, f') = \frac{1}{2 N} \sum_i \sum_c |O_{ic} - O_{ic}'|

    A distance in [0, 1] and a metric: the share of probability that must be moved,
    and the largest difference that the models can give to the chance of any event.

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
    SoftPredictionDifference : The same with p = 1, and other norms.

    References
    ----------
    D. Levin, Y. Peres. Markov chains and mixing times. American Mathematical Society,
    2017, section 4.1.

    Examples
    --------
    >>> from sksim.functional import TotalVariation
    >>> round(TotalVariation().fit([[0.7, 0.3]], [[0.2, 0.8]]).distance_, 4)
    0.5
    """

    def _view(self, X, xp):
        return X

    def _row_values(self, rows_x, rows_y, xp):
        return row_norms(rows_x - rows_y, 1, xp=xp) / 2

    def _similarity_tags(self):
        return probability_tags(
            intervals=INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            orientation="distance",
            bounds=(0, 1),
            metric=True,
            reference="Levin & Peres 2017",
        )
