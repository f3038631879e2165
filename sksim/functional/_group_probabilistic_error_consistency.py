"""Agreement of a group on what is likely, above what the accuracies imply."""

from itertools import combinations
from statistics import fmean

import numpy as np

from sksim.arrays._namespace import number
from sksim.base import BaseGroupSimilarity
from sksim.base._row_sums import GroupSumComparison
from sksim.functional._answer_probabilities import (
    AnswerProbabilitiesMixin,
    disagreement_by_chance,
)
from sksim.functional._options import OPTIONS_CONSTRAINT
from sksim.functional._tags import probability_tags
from sksim.functional._undefined import replacement_constraint


class GroupProbabilisticErrorConsistency(AnswerProbabilitiesMixin, BaseGroupSimilarity):
    r"""Agreement of a group on what is likely, above what the accuracies imply.

    With the observed and the expected agreement of each pair of models, as of
    :class:`ProbabilisticErrorConsistency`, and their means over all pairs,

    .. math:: m(G) = \frac{\bar c_{obs} - \bar c_{exp}}{1 - \bar c_{exp}} .

    A similarity in [-1, 1]: the mean of the pairs' values, each weighted by what chance
    leaves it. Of two models it is their value.

    Parameters
    ----------
    discrete : bool, default=False
        Whether each row counts as its most probable option, with certainty.
    n_options : int or array-like of shape (n_samples,), default=None
        Number of options of all rows, or of each. None: the number of columns. Passed
        to ``fit`` it is metadata, which travels with the rows.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where models can't but agree, as where all are always right, which raises
        an :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Agreement above chance.
    score_ : float
        The same.
    observed_agreement_, expected_agreement_ : float
        Means over pairs.
    classes_ : ndarray of shape (n_classes,)
        Only where the columns have names: class of each column.
    n_models_ : int
        Number of models.
    n_features_in_ : int
        The same, where X held all models.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, if X holds fewer than two models or rows that are not
        probabilities, or if it is not known which column is which class.

    See Also
    --------
    ProbabilisticErrorConsistency : For two models.
    InterraterAgreement : Compares only which rows are right.

    References
    ----------
    S. Goel et al. Great models think alike and this undermines AI oversight. ICML,
    2025.

    Examples
    --------
    >>> from sksim.functional import GroupProbabilisticErrorConsistency
    >>> first = [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3]]
    >>> second = [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1], [0.2, 0.6, 0.2]]
    >>> third = [[0.4, 0.3, 0.3], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    >>> measure = GroupProbabilisticErrorConsistency()
    >>> X = [[list(row) for row in rows] for rows in zip(first, second, third)]
    >>> round(measure.fit(X, y_true=[0, 1, 2]).similarity_, 4)
    0.0296
    """

    _parameter_constraints: dict = {
        "discrete": ["boolean"],
        "n_options": OPTIONS_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(-1, 1),
    }

    def __init__(self, *, discrete=False, n_options=None, replace_undefined_by=np.nan):
        self.discrete = discrete
        self.n_options = n_options
        self.replace_undefined_by = replace_undefined_by

    _kind = GroupSumComparison

    def _aggregate(self, views, xp):
        disagreements = (x.disagreement(y, xp) for x, y in combinations(views, 2))
        terms = [views[0].spread, *(view.error for view in views)]
        sums = [number(xp.sum(each)) for each in (*terms, *disagreements)]
        n_terms = len(terms)
        return np.array([*sums[:n_terms], fmean(sums[n_terms:])])

    def _of_sums(self, sums, n_samples):
        spread, *errors, disagreement = (float(each) / n_samples for each in sums)
        chance = fmean(
            disagreement_by_chance(*pair, spread) for pair in combinations(errors, 2)
        )
        return self._above_chance(disagreement, chance)

    def _similarity_tags(self):
        return probability_tags(
            arity="group",
            orientation="similarity",
            bounds=(-1, 1),
            identity=self.discrete,
            requires=("probabilities", "y_true"),
            view_keywords=("y_true", "n_options", "classes"),
            complexity="n l^2 c",
            reference="Goel et al. 2025",
        )
