"""Variance over rows of the share of models that are right."""

from sksim.functional._correctness import GroupCorrectness
from sksim.functional._tags import INTERVALS_OF_KINDS, correctness_tags


class Difficulty(GroupCorrectness):
    r"""Variance over rows of the share of models that are right.

    With :math:`l_j` of L models right on row j,

    .. math:: m(G) = \mathrm{Var}_j (l_j / L) .

    A similarity in [0, 1/4]: large if the same rows are easy, or hard, for all models;
    small in a diverse group. It equals :math:`\bar p (1 - \bar p)`, with the mean
    accuracy :math:`\bar p`, minus :class:`KohaviWolpertVariance`, so that a group of
    equal models does not reach 1/4 unless they are right on half of the rows.

    Attributes
    ----------
    statistic_, similarity_ : float
        Variance.
    score_ : float
        The variance.
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
    KohaviWolpertVariance : The complementary variance.

    References
    ----------
    L. Hansen, P. Salamon. Neural network ensembles. IEEE Transactions on Pattern
    Analysis and Machine Intelligence, 1990.

    Examples
    --------
    >>> from sksim.functional import Difficulty
    >>> votes = [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    >>> Difficulty().fit(votes, y_true=[1, 1, 1, 1]).similarity_
    0.25
    """

    def _from_counts(self, counts, right):
        size, n_samples = len(counts) - 1, int(counts.sum())
        squares, total = int(counts @ right**2), int(counts @ right)
        return (n_samples * squares - total**2) / (n_samples * size) ** 2

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            intervals=INTERVALS_OF_KINDS,
            orientation="similarity",
            bounds=(0, 0.25),
            identity=False,
            complexity="n l",
            reference="Hansen & Salamon 1990",
        )
