"""Share of rows that exactly one of two models gets right."""

from sksim.functional._correctness import CorrectnessSimilarity
from sksim.functional._tags import (
    INTERVALS_OF_SHARES,
    OF_ROW_SUMS,
    correctness_tags,
)


class OracleDisagreement(CorrectnessSimilarity):
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
            intervals=INTERVALS_OF_SHARES,
            exact=OF_ROW_SUMS,
            orientation="distance",
            bounds=(0, 1),
            metric=True,
            reference="Kuncheva & Whitaker 2003",
        )
