"""How evenly right and wrong predictions divide a group."""

import numpy as np

from sksim.functional._correctness import GroupCorrectness
from sksim.functional._tags import INTERVALS_OF_KINDS, correctness_tags


class EntropyDiversity(GroupCorrectness):
    r"""How evenly a group is split into right and wrong: the entropy measure E.

    With :math:`l_j` of L models right on row j,

    .. math:: m(G) = \frac{1}{N} \sum_j
        \frac{\min(l_j, L - l_j)}{L - \lceil L / 2 \rceil} .

    A distance in [0, 1]: 0 if all models are right on the same rows, 1 if each row
    splits the group in halves. In spite of its name it has no logarithm.

    Attributes
    ----------
    statistic_, distance_ : float
        Diversity E.
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
    LabelEntropy : Entropy of the predicted labels.

    References
    ----------
    L. Kuncheva, C. Whitaker. Measures of diversity in classifier ensembles and their
    relationship with the ensemble accuracy. Machine Learning, 2003.

    Examples
    --------
    >>> from sksim.functional import EntropyDiversity
    >>> votes = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> EntropyDiversity().fit(votes, y_true=[1, 1, 1, 1]).distance_
    0.75
    """

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        minority = np.minimum(right, size - right)
        return float(counts @ minority) / (counts.sum() * (size // 2))

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            intervals=INTERVALS_OF_KINDS,
            orientation="distance",
            bounds=(0, 1),
            complexity="n l",
            reference="Kuncheva & Whitaker 2003",
        )
