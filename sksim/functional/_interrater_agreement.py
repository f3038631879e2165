"""Agreement above chance on which rows a group gets right."""

import numpy as np

from sksim.functional._correctness import GroupCorrectness
from sksim.functional._labels import kappa
from sksim.functional._tags import INTERVALS_OF_KINDS, correctness_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


class InterraterAgreement(UndefinedMixin, GroupCorrectness):
    r"""Agreement of a group on which rows are right, above chance.

    Fleiss' kappa of the vectors of correct predictions: with :math:`l_j` of L models
    right on row j and mean accuracy :math:`\bar p`,

    .. math:: m(G) = 1 - \frac{\sum_j l_j (L - l_j)}
        {N L (L - 1) \, \bar p (1 - \bar p)} .

    A similarity in [-1 / (L - 1), 1]: 1 if all models are right on the same rows,
    about 0 for independent errors.

    Parameters
    ----------
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where all models are right on all rows, or on none, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Agreement.
    score_ : float
        Agreement.
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
    FleissKappa : Agreement of labels.
    ErrorConsistency : For two models, with an accuracy for each.

    References
    ----------
    J. Fleiss. Statistical methods for rates and proportions. Wiley, 1981.

    L. Kuncheva, C. Whitaker. Measures of diversity in classifier ensembles and their
    relationship with the ensemble accuracy. Machine Learning, 2003.

    Examples
    --------
    >>> from sksim.functional import InterraterAgreement
    >>> votes = [[1, 1, 1], [1, 1, 1], [0, 1, 1], [0, 0, 0]]
    >>> measure = InterraterAgreement().fit(votes, y_true=[1, 1, 1, 1])
    >>> round(measure.similarity_, 4)
    0.625
    """

    _parameter_constraints: dict = {
        "replace_undefined_by": replacement_constraint(-1, 1)
    }
    _undefined_when = "All models are right on all rows, or on none"

    def __init__(self, replace_undefined_by=np.nan):
        self.replace_undefined_by = replace_undefined_by

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        n_votes, n_right = int(counts.sum()) * size, int(counts @ right)
        split = int(counts @ (right * (size - right)))
        by_chance = n_right * (n_votes - n_right) * (size - 1)
        return kappa(-split * n_votes, -by_chance, 0)

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            intervals=INTERVALS_OF_KINDS,
            orientation="similarity",
            bounds=(-1, 1),
            complexity="n l",
            reference="Kuncheva & Whitaker 2003",
        )
