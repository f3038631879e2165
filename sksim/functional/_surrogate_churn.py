"""Churn of predicted labels, made smooth by the probabilities."""

from numbers import Real

from sksim._sklearn_compat import Interval
from sksim.arrays._namespace import row_norms
from sksim.functional._rowwise import RowwiseDistance
from sksim.functional._tags import OF_ROW_SUMS, probability_tags


class SurrogateChurn(RowwiseDistance):
    r"""Churn of predicted labels, made smooth by the probabilities.

    .. math:: m(f, f') = \frac{1}{2 N} \sum_i \left\Vert
        \left(\frac{O_i}{\max_c O_{ic}}\right)^{\alpha} -
        \left(\frac{O_i'}{\max_c O_{ic}'}\right)^{\alpha} \right\Vert_1

    A distance in [0, (C - 1) / 2] for C classes, not in [0, 1], and a metric. The
    larger alpha, the more only the largest probability of a row counts: in the limit
    it is :class:`Disagreement`.

    Parameters
    ----------
    power : float, default=1
        Exponent alpha, greater than 0.

    Attributes
    ----------
    statistic_, distance_ : float
        Surrogate churn.
    score_ : float
        Minus the churn.
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
    Disagreement : Churn itself.
    SoftPredictionDifference : Difference of the probabilities themselves.

    References
    ----------
    S. Bhojanapalli et al. On the reproducibility of neural network predictions.
    arXiv:2102.03349, 2021.

    Examples
    --------
    >>> from sksim.functional import SurrogateChurn
    >>> round(SurrogateChurn().fit([[0.6, 0.4]], [[0.4, 0.6]]).distance_, 4)
    0.3333
    >>> round(SurrogateChurn(power=50).fit([[0.6, 0.4]], [[0.4, 0.6]]).distance_, 4)
    1.0
    """

    _parameter_constraints: dict = {"power": [Interval(Real, 0, None, closed="right")]}

    def __init__(self, power=1):
        self.power = power

    def _view(self, X, xp):
        return X

    def _row_values(self, rows_x, rows_y, xp):
        difference = self._scaled(rows_x, xp) - self._scaled(rows_y, xp)
        return row_norms(difference, 1, xp=xp) / 2

    def _scaled(self, rows, xp):
        rows = rows / xp.max(rows, axis=1, keepdims=True)
        return rows if self.power == 1 else rows**self.power

    def _similarity_tags(self):
        return probability_tags(
            exact=OF_ROW_SUMS,
            orientation="distance",
            bounds=(0, float("inf")),
            metric=True,
            reference="Bhojanapalli et al. 2021",
        )
