"""Share of rows on which two models predict different labels."""

from sksim.base import BaseFunctionalSimilarity, RowSumComparison
from sksim.functional._tags import (
    INTERVALS_OF_SHARES,
    OF_ROW_SUMS,
    label_tags,
)


class Disagreement(BaseFunctionalSimilarity):
    r"""Share of rows on which two models predict different labels, or churn.

    .. math:: m(f, f') = \frac{1}{N} \sum_i 1[\hat y_i \ne \hat y_i']

    A distance in [0, 1] and a metric. Two models with error rates e, e' disagree on
    at least \|e - e'\| and at most min(e + e', 1) of the rows. It is blind to
    confidence, and to which of two models is right where they differ.

    Attributes
    ----------
    statistic_, distance_ : float
        Share of rows with different labels.
    score_ : float
        Minus the share.
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

    _kind = RowSumComparison

    def _view(self, X, xp):
        return X

    def _row_terms(self, view_x, view_y, xp):
        return view_x != view_y

    def _of_sums(self, sums, n_samples):
        return sums / n_samples

    def _extreme_terms(self):
        return [0, 1]

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        return label_tags(
            intervals=INTERVALS_OF_SHARES,
            exact=OF_ROW_SUMS,
            orientation="distance",
            bounds=(0, 1),
            metric=True,
            reference="Madani et al. 2004",
        )
