"""Share of rows on which two models predict different labels."""

import numpy as np

from sksim.base import BaseFunctionalSimilarity, RowSumComparison
from sksim.functional._abstentions import (
    ABSTAIN_CONSTRAINT,
    answered,
    table_of_answers,
    terms_of_answers,
)
from sksim.functional._tags import (
    INTERVALS_OF_KINDS,
    INTERVALS_OF_SHARES,
    OF_ROW_SUMS,
    label_tags,
)
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


class Disagreement(UndefinedMixin, BaseFunctionalSimilarity):
    r"""Share of rows on which two models predict different labels, or churn.

    .. math:: m(f, f') = \frac{1}{N} \sum_i 1[\hat y_i \ne \hat y_i']

    A distance in [0, 1] and a metric. Two models with error rates e, e' disagree on
    at least \|e - e'\| and at most min(e + e', 1) of the rows. It is blind to
    confidence, and to which of two models is right where they differ.

    Parameters
    ----------
    abstain : label, default=None
        A label by which models decline to answer. The share is then of the rows that
        both answer, and no metric.
    replace_undefined_by : np.nan or float in [0, 1], default=np.nan
        Value where no row is answered by both, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, distance_ : float
        Share of rows with different labels.
    score_ : float
        Minus the share.
    answered_counts_ : ndarray of shape (2, 2)
        Only with ``abstain``: number of rows [[answered by both, by the first alone],
        [by the second alone, by none]].
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If the labels are of different kinds (text and numbers) or fractions.

    See Also
    --------
    MinMaxNormalizedDisagreement : Relates it to what the error rates allow.
    JensenShannonDivergence : Compares predicted probabilities.

    References
    ----------
    O. Madani, D. Pennock, G. Flake. Co-validation: using model disagreement on
    unlabeled data to validate classification algorithms. NeurIPS, 2004.

    M. Milani Fard et al. Launch and iterate: reducing prediction churn. NeurIPS,
    2016.

    Examples
    --------
    >>> from sksim.functional import Disagreement
    >>> Disagreement().fit(["cat", "dog", "dog", "cat"], ["cat", "dog", "cat", "dog"]
    ...     ).distance_
    0.5

    Models that may decline to answer:

    >>> measure = Disagreement(abstain="unsure")
    >>> measure.fit(["yes", "unsure", "no"], ["yes", "no", "yes"]).distance_
    0.5

    From two fitted models:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> linear = LogisticRegression(max_iter=1000).fit(X, y)
    >>> tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    >>> round(Disagreement.from_estimators(linear, tree, X).distance_, 3)
    0.027
    """

    _parameter_constraints: dict = {
        "abstain": ABSTAIN_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(0, 1),
    }
    _kind = RowSumComparison
    _undefined_when = "No row is answered by both models"

    def __init__(self, *, abstain=None, replace_undefined_by=np.nan):
        self.abstain = abstain
        self.replace_undefined_by = replace_undefined_by

    def _view(self, X, xp):
        return X

    def _row_terms(self, view_x, view_y, xp):
        if self.abstain is None:
            return view_x != view_y
        views = view_x, view_y
        terms = terms_of_answers(*(answered(v, self.abstain, xp) for v in views))
        return xp.stack([terms[0] & (view_x != view_y), *terms], axis=1)

    def _of_sums(self, sums, n_samples):
        if self.abstain is None:
            return sums / n_samples
        differ, both, *others = (int(count) for count in sums)
        share = differ / both if both else float("nan")
        return share, table_of_answers(both, *others, int(n_samples))

    def _extreme_terms(self):
        if self.abstain is None:
            return [0, 1]
        return [[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        of_all = self.abstain is None
        return label_tags(
            intervals=INTERVALS_OF_SHARES if of_all else INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            orientation="distance",
            bounds=(0, 1),
            metric=of_all,
            reference="Madani et al. 2004",
        )
