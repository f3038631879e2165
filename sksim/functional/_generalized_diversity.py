"""Chance that one of two models is right where the other fails."""

import numpy as np

from sksim.functional._correctness import GroupCorrectness
from sksim.functional._tags import INTERVALS_OF_KINDS, correctness_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


class GeneralizedDiversity(UndefinedMixin, GroupCorrectness):
    r"""Chance that of two models drawn from a group one is right where one fails.

    With the share :math:`p_i` of rows on which i of L models fail,

    .. math:: m(G) = 1 - \frac{p(2)}{p(1)}, \quad
        p(1) = \sum_i \frac{i}{L} p_i, \quad
        p(2) = \sum_i \frac{i (i - 1)}{L (L - 1)} p_i .

    A distance in [0, 1]: 0 if the failure of one model always goes with that of the
    others, 1 if no two models ever fail together.

    Parameters
    ----------
    replace_undefined_by : np.nan or float in [0, 1], default=np.nan
        Value where no model ever fails, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

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
    CoincidentFailureDiversity : Looks at the rows on which any model fails.

    References
    ----------
    D. Partridge, W. Krzanowski. Software diversity: practical statistics for its
    measurement and exploitation. Information and Software Technology, 1997.

    Examples
    --------
    >>> from sksim.functional import GeneralizedDiversity
    >>> votes = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> GeneralizedDiversity().fit(votes, y_true=[1, 1, 1, 1]).distance_
    0.75
    """

    _parameter_constraints: dict = {
        "replace_undefined_by": replacement_constraint(0, 1)
    }
    _undefined_when = "No model fails on any row"

    def __init__(self, replace_undefined_by=np.nan):
        self.replace_undefined_by = replace_undefined_by

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        failing = size - right
        single = int(counts @ failing) * (size - 1)
        if single == 0:
            return float("nan")
        return (single - int(counts @ (failing * (failing - 1)))) / single

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            intervals=INTERVALS_OF_KINDS,
            orientation="distance",
            bounds=(0, 1),
            complexity="n l",
            reference="Partridge & Krzanowski 1997",
        )
