"""Correlation of two models' correct predictions."""

import numpy as np

from sksim.functional._abstentions import ABSTAIN_CONSTRAINT
from sksim.functional._correctness import CorrectnessSimilarity
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS, correctness_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


class ErrorCorrelation(UndefinedMixin, CorrectnessSimilarity):
    r"""Correlation of two models' correct predictions, or phi.

    .. math:: m(f, f') = \frac{N^{11} N^{00} - N^{01} N^{10}}
        {\sqrt{(N^{11} + N^{10})(N^{01} + N^{00})(N^{11} + N^{01})(N^{10} + N^{00})}}

    with the numbers :math:`N^{ab}` of rows where the first model is right (a = 1) or
    wrong (0) and the second likewise (b). A similarity in [-1, 1], 0 for independent
    errors: Pearson's correlation, or the Matthews coefficient, of the two vectors of
    correct predictions. Models of different accuracy can't reach 1.

    Parameters
    ----------
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where either model is always right or always wrong, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.
    abstain : label, default=None
        A label by which models decline to answer: the rows that both answer count, and
        no others. None: a model that declines is not right, as any other that gives
        another label than the true one.

    Attributes
    ----------
    statistic_, similarity_ : float
        Correlation.
    score_ : float
        Correlation.
    counts_ : ndarray of shape (2, 2)
        Number of rows [[both right, only the first], [only the second, none]].
    answered_counts_ : ndarray of shape (2, 2)
        Only with ``abstain``: number of rows [[answered by both, by the first alone],
        [by the second alone, by none]].
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if labels are of different kinds or fractions.

    See Also
    --------
    QStatistic : Of the same sign.

    References
    ----------
    L. Kuncheva, C. Whitaker. Measures of diversity in classifier ensembles and their
    relationship with the ensemble accuracy. Machine Learning, 2003.

    Examples
    --------
    >>> from sksim.functional import ErrorCorrelation
    >>> first, second, truth = [1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 1]
    >>> round(ErrorCorrelation().fit(first, second, y_true=truth).similarity_, 4)
    0.1667
    """

    _parameter_constraints: dict = {
        "abstain": ABSTAIN_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(-1, 1),
    }
    _undefined_when = "A model is right on all rows, or on none"

    def __init__(self, replace_undefined_by=np.nan, *, abstain=None):
        self.replace_undefined_by = replace_undefined_by
        self.abstain = abstain

    def _relate(self, both, only_x, only_y, none):
        right_x, right_y = both + only_x, both + only_y
        wrong_x, wrong_y = only_y + none, only_x + none
        # one root each: the product of four large counts would leave the floats
        room = ((right_x * wrong_x) ** 0.5) * ((right_y * wrong_y) ** 0.5)
        if room == 0:
            return float("nan")
        return (both * none - only_x * only_y) / room

    def _similarity_tags(self):
        return correctness_tags(
            intervals=INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            orientation="similarity",
            bounds=(-1, 1),
            reference="Kuncheva & Whitaker 2003",
        )
