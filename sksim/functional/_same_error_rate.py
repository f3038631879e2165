"""How often two models that are both wrong give the same wrong answer."""

from typing import ClassVar

from sksim.base import BaseFunctionalSimilarity, RowSumComparison
from sksim.functional._shared_errors import (
    SharedErrorsMixin,
    expected_same,
    of_answered,
    shared_error_tags,
    shared_errors,
)
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS


class SharedErrorsComparison(RowSumComparison):
    """The rate is of sums over rows; chance beside it is of all rows together."""

    sums_suffice: ClassVar = False

    def outcome(self):
        """Statistic and details."""
        return self._of_rows(self.sums())

    def counted(self, times):
        """(Statistic, details) of rows of which each occurs a number of times."""
        return self._of_rows(times @ self._terms, times)

    def _of_rows(self, sums, times=None):
        measure = self.measure
        *views, times, table = of_answered(self.view_x, self.view_y, self.xp, times)
        expected = expected_same(*views, measure.chance, self.xp, times)
        details = measure._against_chance(sums, expected)
        return measure._of_sums(sums, None), {**details, **table}


class SameErrorRate(SharedErrorsMixin, BaseFunctionalSimilarity):
    r"""Share of joint errors on which two models give the same wrong answer.

    .. math:: m(f, f') = \frac{\sum_i 1[\hat y_i = \hat y_i' \ne y_i]}
        {\sum_i 1[\hat y_i \ne y_i, \hat y_i' \ne y_i]}

    or, with ``given="either"``, as a share of the rows that at least one model gets
    wrong. A similarity in [0, 1]: 1 if all (joint) errors are the same. Models that err
    independently share wrong answers too, the more the fewer options there are:
    ``chance_`` says how many, and ``kappa_`` what is left above it.

    Parameters
    ----------
    given : {"both", "either"}, default="both"
        Whether the share is of rows that both models get wrong, or that any does.
    chance : {"uniform", "marginals"}, default="uniform"
        What ``chance_`` supposes of the wrong answers to rows that both models get
        wrong: all are as likely, 1 / (k - 1) of k options; or each model gives each as
        often as it does among all of its wrong answers to rows of the class.
    n_options : int or array-like of shape (n_samples,), default=None
        Number of options k of all rows, or of each, for ``chance="uniform"``. None: the
        number of different labels among both models' and the true ones. Passed to
        ``fit`` it is metadata, which travels with the rows.
    abstain : label, default=None
        A label by which models decline to answer: the rows that both answer count, and
        no others. None: to decline is a wrong answer, and the same one if both do.
    replace_undefined_by : np.nan or float in [0, 1], default=np.nan
        Value where there is no error to share, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Share of the errors.
    score_ : float
        The same.
    kappa_ : float
        (share - chance) / (1 - chance); nan where chance leaves nothing.
    chance_ : float
        Share that is expected of independent answers to the rows that are jointly
        wrong.
    n_same_wrong_, n_both_wrong_, n_either_wrong_ : int
        Number of rows on which both models give the same wrong answer, both a wrong
        one, and any a wrong one.
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
    DoubleFault : How often both models are wrong.
    ErrorConsistency : Whether they are wrong on the same rows.
    GroupSameErrorRate : The same of a group.

    Notes
    -----
    The statistic is the share: a test of it asks whether wrong answers are related, by
    permuting rows within the true classes unless ``strata`` are given. Rows of other
    classes have other wrong answers, so that p-values of free permutation are too small
    (of three classes .27 of unrelated models had p <= .05).

    References
    ----------
    E. Kim, A. Garg, K. Peng, N. Garg. Correlated errors in large language models. ICML,
    2025.

    Examples
    --------
    >>> from sksim.functional import SameErrorRate
    >>> first, second, truth = list("abbba"), list("ababa"), list("acccb")
    >>> measure = SameErrorRate(n_options=4).fit(first, second, y_true=truth)
    >>> measure.similarity_, round(measure.chance_, 4), round(measure.kappa_, 4)
    (0.75, 0.3333, 0.625)
    """

    _kind = SharedErrorsComparison

    def _row_terms(self, view_x, view_y, xp):
        return shared_errors(view_x, view_y, xp)

    def _of_sums(self, sums, n_samples):
        return self._rate(*sums)

    def _extreme_terms(self):
        return [[1, 1, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0]]

    def _similarity_tags(self):
        return shared_error_tags(intervals=INTERVALS_OF_KINDS, exact=OF_ROW_SUMS)
