"""Yule's Q of two models' correct predictions."""

import numpy as np

from sksim.functional._abstentions import ABSTAIN_CONSTRAINT
from sksim.functional._correctness import CorrectnessSimilarity
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS, correctness_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


class QStatistic(UndefinedMixin, CorrectnessSimilarity):
    r"""Yule's Q of two models' correct predictions.

    With the number :math:`N^{ab}` of rows where the first model is right (a = 1) or
    wrong (0) and the second likewise (b),

    .. math:: m(f, f') = \frac{N^{11} N^{00} - N^{01} N^{10}}
        {N^{11} N^{00} + N^{01} N^{10}} .

    A similarity in [-1, 1], 0 for independent errors. Its absolute value is no smaller
    than that of :class:`ErrorCorrelation`, and it reaches 1 as soon as one model's
    errors contain the other's: it says little about small differences.

    Parameters
    ----------
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value for 0 / 0, as if either model is always right, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.
    abstain : label, default=None
        A label by which models decline to answer: the rows that both answer count, and
        no others. None: a model that declines is not right, as any other that gives
        another label than the true one.

    Attributes
    ----------
    statistic_, similarity_ : float
        Q.
    score_ : float
        Q.
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
    ErrorCorrelation : Linear correlation of the same vectors.

    References
    ----------
    G. U. Yule. On the association of attributes in statistics. Philosophical
    Transactions of the Royal Society A, 1900.

    L. Kuncheva, C. Whitaker. Measures of diversity in classifier ensembles and their
    relationship with the ensemble accuracy. Machine Learning, 2003.

    Examples
    --------
    >>> from sksim.functional import QStatistic
    >>> first, second, truth = [1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 1]
    >>> round(QStatistic().fit(first, second, y_true=truth).similarity_, 4)
    0.3333
    """

    _parameter_constraints: dict = {
        "abstain": ABSTAIN_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(-1, 1),
    }
    _undefined_when = "N11 N00 and N01 N10 are both zero"

    def __init__(self, replace_undefined_by=np.nan, *, abstain=None):
        self.replace_undefined_by = replace_undefined_by
        self.abstain = abstain

    def _relate(self, both, only_x, only_y, none):
        alike, apart = both * none, only_x * only_y
        if alike + apart == 0:
            return float("nan")
        return (alike - apart) / (alike + apart)

    def _similarity_tags(self):
        return correctness_tags(
            intervals=INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            orientation="similarity",
            bounds=(-1, 1),
            reference="Kuncheva & Whitaker 2003",
        )
