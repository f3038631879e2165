"""Whether two models agree on what is likely, above what their accuracies imply."""

import numpy as np

from sksim.base import BaseFunctionalSimilarity, RowSumComparison
from sksim.functional._answer_probabilities import (
    AnswerProbabilitiesMixin,
    disagreement_by_chance,
)
from sksim.functional._options import OPTIONS_CONSTRAINT
from sksim.functional._tags import OF_ROW_SUMS, probability_tags
from sksim.functional._undefined import replacement_constraint


class ProbabilisticErrorConsistency(AnswerProbabilitiesMixin, BaseFunctionalSimilarity):
    r"""Agreement on what is likely, above what the accuracies imply: CAPA.

    With the rows :math:`O_i, O_i'` of both models' probabilities of :math:`C_i`
    options, the mean probabilities p, p' of the right one, and

    .. math:: c_{obs} = \frac1N \sum_i \langle O_i, O_i' \rangle, \quad
        c_{exp} = p p' + (1 - p)(1 - p') \frac1N \sum_i \frac{1}{C_i - 1},

    .. math:: m(f, f') = \frac{c_{obs} - c_{exp}}{1 - c_{exp}} .

    A similarity in [-1, 1]: about 0 for models that err independently and spread their
    errors evenly over the wrong options, 1 for certain models that always give the same
    answer. Beyond :class:`ErrorConsistency` it sees *which* wrong answers are likely.
    A model that is unsure does not reach 1 with itself. Kappa is a quotient of means,
    not a mean over rows.

    Parameters
    ----------
    discrete : bool, default=False
        Whether each row counts as its most probable option (the first of equal ones),
        with certainty.
    n_options : int or array-like of shape (n_samples,), default=None
        Number of options :math:`C_i` of all rows, or of each. None: the number of
        columns. Options that a row does not offer have probability 0. Passed to ``fit``
        it is metadata, which travels with the rows.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where models can't but agree, as where both are always right, which raises
        an :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Agreement above chance.
    score_ : float
        The same.
    observed_agreement_, expected_agreement_ : float
        :math:`c_{obs}` and :math:`c_{exp}`.
    classes_ : ndarray of shape (n_classes,)
        Only where the columns have names: class of each column.
    n_features_in_, n_features_y_in_ : int
        Number of columns.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, if rows are not probabilities, if it is not known which
        column is which class, or if a row has more options than ``n_options`` says.

    See Also
    --------
    ErrorConsistency : Compares only which rows are right.
    GroupProbabilisticErrorConsistency : The same of a group.
    SameErrorRate : Which wrong labels are given, without probabilities.

    References
    ----------
    S. Goel et al. Great models think alike and this undermines AI oversight. ICML,
    2025.

    Examples
    --------
    >>> from sksim.functional import ProbabilisticErrorConsistency
    >>> first = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3]]
    >>> second = [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.6, 0.2]]
    >>> measure = ProbabilisticErrorConsistency().fit(first, second, y_true=[0, 1, 2])
    >>> round(measure.similarity_, 4), round(measure.expected_agreement_, 4)
    (0.1761, 0.4133)
    >>> certain = ProbabilisticErrorConsistency(discrete=True)
    >>> certain.fit(first, second, y_true=[0, 1, 2]).similarity_
    1.0
    """

    _parameter_constraints: dict = {
        "discrete": ["boolean"],
        "n_options": OPTIONS_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(-1, 1),
    }
    _kind = RowSumComparison

    def __init__(self, *, discrete=False, n_options=None, replace_undefined_by=np.nan):
        self.discrete = discrete
        self.n_options = n_options
        self.replace_undefined_by = replace_undefined_by

    def _row_terms(self, view_x, view_y, xp):
        disagreement = view_x.disagreement(view_y, xp)
        return xp.stack(
            [disagreement, view_x.error, view_y.error, view_x.spread], axis=1
        )

    def _of_sums(self, sums, n_samples):
        disagreement, *of_chance = (float(each) / n_samples for each in sums)
        return self._above_chance(disagreement, disagreement_by_chance(*of_chance))

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        return probability_tags(
            exact=OF_ROW_SUMS,
            orientation="similarity",
            bounds=(-1, 1),
            identity=self.discrete,
            requires=("probabilities", "y_true"),
            view_keywords=("y_true", "n_options", "classes"),
            reference="Goel et al. 2025",
        )
