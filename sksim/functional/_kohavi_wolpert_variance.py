"""Variance of a random model's correctness."""

from sksim.functional._correctness import GroupCorrectness
from sksim.functional._tags import INTERVALS_OF_KINDS, correctness_tags


class KohaviWolpertVariance(GroupCorrectness):
    r"""Variance of a random model's correctness, averaged over rows.

    With :math:`l_j` of L models right on row j,

    .. math:: m(G) = \frac{1}{N L^2} \sum_j l_j (L - l_j) .

    A distance in [0, 1/4]: 0 if all models are right on the same rows. It is the mean
    pairwise :class:`OracleDisagreement` times (L - 1) / (2 L), so that its values
    depend on the size of the group.

    Attributes
    ----------
    statistic_, distance_ : float
        Variance.
    score_ : float
        Minus the variance.
    right_counts_ : ndarray of shape (n_models + 1,)
        Number of rows on which 0, 1, ..., L models are right.
    n_models_ : int
        Number of models.
    n_features_in_ : int
        The same, where X held all models.
    feature_names_in_ : ndarray of shape (n_models,)
        Only where X is a DataFrame: names of the models.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if X holds fewer than two models.

    See Also
    --------
    OracleDisagreement : Of two models.

    References
    ----------
    R. Kohavi, D. Wolpert. Bias plus variance decomposition for zero-one loss
    functions. ICML, 1996.

    L. Kuncheva, C. Whitaker. Measures of diversity in classifier ensembles and their
    relationship with the ensemble accuracy. Machine Learning, 2003.

    Examples
    --------
    >>> from sksim.functional import KohaviWolpertVariance
    >>> votes = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> measure = KohaviWolpertVariance().fit(votes, y_true=[1, 1, 1, 1])
    >>> round(measure.distance_, 4)
    0.1667
    """

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        return float(counts @ (right * (size - right))) / (counts.sum() * size**2)

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            intervals=INTERVALS_OF_KINDS,
            orientation="distance",
            bounds=(0, 0.25),
            complexity="n l",
            reference="Kohavi & Wolpert 1996",
        )
