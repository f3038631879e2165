"""Measures on which rows two models get right."""

import numpy as np

from sksim.base import BaseFunctionalSimilarity
from sksim.functional._labels import kappa
from sksim.functional._tags import correctness_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


class _CorrectnessSimilarity(BaseFunctionalSimilarity):
    """A function of how many rows both, one or none of two models get right.

    The view is the vector of correct predictions, so that relabelling its rows moves
    each prediction together with its truth.
    """

    def _view(self, X, xp, y_true):
        return y_true == X

    def _compare(self, view_x, view_y, xp):
        n_samples = view_x.shape[0]
        both = int(xp.count_nonzero(view_x & view_y))
        only_x = int(xp.count_nonzero(view_x)) - both
        only_y = int(xp.count_nonzero(view_y)) - both
        none = n_samples - both - only_x - only_y
        counts = np.array([[both, only_x], [only_y, none]])
        return self._relate(both, only_x, only_y, none), {"counts_": counts}

    def _min_samples(self):
        return 1


class ErrorConsistency(_CorrectnessSimilarity):
    r"""Whether two models err on the same rows, above chance.

    With accuracies a, a' and the share :math:`c_{obs}` of rows that both get right or
    both get wrong,

    .. math:: m(f, f') = \frac{c_{obs} - c_{exp}}{1 - c_{exp}}, \quad
        c_{exp} = a a' + (1 - a)(1 - a') .

    A similarity in [-1, 1]: Cohen's kappa of the two vectors of correct predictions.
    About 0 for independent errors; 1 if the same rows are wrong, also where none or
    all are. It is blind to which wrong label is predicted.

    Attributes
    ----------
    statistic_, similarity_ : float
        Error consistency.
    score_ : float
        Error consistency.
    counts_ : ndarray of shape (2, 2)
        Number of rows [[both right, only the first], [only the second, none]].
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if labels are of different kinds or fractions.

    See Also
    --------
    CohenKappa : The same of the labels.
    InterraterAgreement : The same for a group of models.

    References
    ----------
    R. Geirhos, K. Meding, F. Wichmann. Beyond accuracy: quantifying trial-by-trial
    behaviour of CNNs and humans by measuring error consistency. NeurIPS, 2020.

    Examples
    --------
    >>> from sksim.functional import ErrorConsistency
    >>> first, second, truth = [1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 1]
    >>> round(ErrorConsistency().fit(first, second, y_true=truth).similarity_, 4)
    0.1667
    """

    def _relate(self, both, only_x, only_y, none):
        if only_x + only_y == 0:
            return 1.0
        n = both + only_x + only_y + none
        right_x, right_y = both + only_x, both + only_y
        expected = right_x * right_y + (n - right_x) * (n - right_y)
        return kappa((both + none) * n, expected, n * n)

    def _similarity_tags(self):
        return correctness_tags(
            orientation="similarity",
            bounds=(-1, 1),
            reference="Geirhos et al. 2020",
        )


class QStatistic(UndefinedMixin, _CorrectnessSimilarity):
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

    Attributes
    ----------
    statistic_, similarity_ : float
        Q.
    score_ : float
        Q.
    counts_ : ndarray of shape (2, 2)
        Number of rows [[both right, only the first], [only the second, none]].
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
        "replace_undefined_by": replacement_constraint(-1, 1)
    }
    _undefined_when = "N11 N00 and N01 N10 are both zero"

    def __init__(self, replace_undefined_by=np.nan):
        self.replace_undefined_by = replace_undefined_by

    def _relate(self, both, only_x, only_y, none):
        alike, apart = both * none, only_x * only_y
        if alike + apart == 0:
            return float("nan")
        return (alike - apart) / (alike + apart)

    def _similarity_tags(self):
        return correctness_tags(
            orientation="similarity",
            bounds=(-1, 1),
            reference="Kuncheva & Whitaker 2003",
        )


class ErrorCorrelation(UndefinedMixin, _CorrectnessSimilarity):
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

    Attributes
    ----------
    statistic_, similarity_ : float
        Correlation.
    score_ : float
        Correlation.
    counts_ : ndarray of shape (2, 2)
        Number of rows [[both right, only the first], [only the second, none]].
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
        "replace_undefined_by": replacement_constraint(-1, 1)
    }
    _undefined_when = "A model is right on all rows, or on none"

    def __init__(self, replace_undefined_by=np.nan):
        self.replace_undefined_by = replace_undefined_by

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
            orientation="similarity",
            bounds=(-1, 1),
            reference="Kuncheva & Whitaker 2003",
        )


class DoubleFault(_CorrectnessSimilarity):
    r"""Share of rows that both models get wrong.

    .. math:: m(f, f') = N^{00} / N

    A similarity (of failures) in [0, 1]. A pair that never fails together scores 0,
    also if both models are perfect: it measures common failure, and a model compared
    with itself scores its error rate.

    Attributes
    ----------
    statistic_, similarity_ : float
        Share of rows.
    score_ : float
        The share.
    counts_ : ndarray of shape (2, 2)
        Number of rows [[both right, only the first], [only the second, none]].
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if labels are of different kinds or fractions.

    See Also
    --------
    ErrorConsistency : Relates common failures to chance.

    References
    ----------
    G. Giacinto, F. Roli. Design of effective neural network ensembles for image
    classification purposes. Image and Vision Computing, 2001.

    Examples
    --------
    >>> from sksim.functional import DoubleFault
    >>> first, second, truth = [1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 1]
    >>> DoubleFault().fit(first, second, y_true=truth).similarity_
    0.2
    """

    def _relate(self, both, only_x, only_y, none):
        return none / (both + only_x + only_y + none)

    def _similarity_tags(self):
        return correctness_tags(
            orientation="similarity",
            bounds=(0, 1),
            identity=False,
            reference="Giacinto & Roli 2001",
        )


class OracleDisagreement(_CorrectnessSimilarity):
    r"""Share of rows that exactly one of two models gets right.

    .. math:: m(f, f') = (N^{01} + N^{10}) / N

    A distance in [0, 1] that satisfies the triangle inequality. For two classes it is
    :class:`Disagreement`; for more it is smaller, since two different wrong labels do
    not count.

    Attributes
    ----------
    statistic_, distance_ : float
        Share of rows.
    score_ : float
        Minus the share.
    counts_ : ndarray of shape (2, 2)
        Number of rows [[both right, only the first], [only the second, none]].
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if labels are of different kinds or fractions.

    See Also
    --------
    Disagreement : Needs no true labels.

    References
    ----------
    D. Skalak. The sources of increased accuracy for two proposed boosting algorithms.
    AAAI workshop on integrating multiple learned models, 1996.

    L. Kuncheva, C. Whitaker. Measures of diversity in classifier ensembles and their
    relationship with the ensemble accuracy. Machine Learning, 2003.

    Examples
    --------
    >>> from sksim.functional import OracleDisagreement
    >>> first, second, truth = [1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 1]
    >>> OracleDisagreement().fit(first, second, y_true=truth).distance_
    0.4
    """

    def _relate(self, both, only_x, only_y, none):
        return (only_x + only_y) / (both + only_x + only_y + none)

    def _similarity_tags(self):
        return correctness_tags(
            orientation="distance",
            bounds=(0, 1),
            metric=True,
            reference="Kuncheva & Whitaker 2003",
        )
