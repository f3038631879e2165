"""How far failures in a group are those of single models."""

from sksim.functional._correctness import GroupCorrectness
from sksim.functional._tags import INTERVALS_OF_KINDS, correctness_tags


class CoincidentFailureDiversity(GroupCorrectness):
    r"""How far failures in a group are those of single models.

    With the share :math:`p_i` of rows on which i of L models fail,

    .. math:: m(G) = \frac{1}{1 - p_0} \sum_{i=1}^L \frac{L - i}{L - 1} p_i ,

    and 0 if no model ever fails. A distance in [0, 1]: 0 if all models fail on the
    same rows, 1 if each failing row is failed by a single model.

    Attributes
    ----------
    statistic_, distance_ : float
        Diversity.
    score_ : float
        Minus the diversity.
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
    GeneralizedDiversity : Weighs rows by the number of failures.

    References
    ----------
    D. Partridge, W. Krzanowski. Software diversity: practical statistics for its
    measurement and exploitation. Information and Software Technology, 1997.

    Examples
    --------
    >>> from sksim.functional import CoincidentFailureDiversity
    >>> votes = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> measure = CoincidentFailureDiversity().fit(votes, y_true=[1, 1, 1, 1])
    >>> round(measure.distance_, 4)
    0.8333
    """

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        failed_rows = int(counts[:-1].sum())
        if failed_rows == 0:
            return 0.0
        # L - i fail where i are right: the number of right models is the weight
        return int(counts[:-1] @ right[:-1]) / (failed_rows * (size - 1))

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            intervals=INTERVALS_OF_KINDS,
            orientation="distance",
            bounds=(0, 1),
            complexity="n l",
            reference="Partridge & Krzanowski 1997",
        )
