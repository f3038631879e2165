"""Largest disagreement of two models of a group."""

from itertools import combinations
from numbers import Integral

import numpy as np

from sksim._sklearn_compat import Interval
from sksim.arrays._namespace import count_unequal
from sksim.base import BaseGroupSimilarity
from sksim.base._row_sums import GroupSumComparison
from sksim.functional._tags import label_tags


class Discrepancy(BaseGroupSimilarity):
    r"""Largest disagreement of two models of a group.

    .. math:: m(G) = \max_{f, f' \in G} \frac{1}{N} \sum_i 1[\hat y_i \ne \hat y_i']

    A distance in [0, 1] that can only grow as models join the group. With a
    ``baseline``, the largest disagreement with that model: the measure of Marx et al.,
    which can be up to two times smaller.

    Parameters
    ----------
    baseline : int, default=None
        Column of the model that all others are compared with; None compares all
        pairs.

    Attributes
    ----------
    statistic_, distance_ : float
        Largest share of rows with different labels.
    score_ : float
        Minus the share.
    pair_ : tuple of int
        The two models that disagree most.
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
        If X holds fewer than two models or no column ``baseline``, or labels of
        different kinds or fractions.

    See Also
    --------
    Disagreement : Of two models.
    Ambiguity : Rows on which any two disagree.

    References
    ----------
    C. Marx, F. Calmon, B. Ustun. Predictive multiplicity in classification. ICML,
    2020.

    Examples
    --------
    >>> from sksim.functional import Discrepancy
    >>> votes = [[0, 0, 1], [0, 1, 0], [1, 1, 1], [1, 1, 1]]
    >>> measure = Discrepancy().fit(votes)
    >>> measure.distance_, measure.pair_
    (0.5, (1, 2))
    >>> Discrepancy(baseline=0).fit(votes).distance_
    0.25
    """

    _parameter_constraints: dict = {
        "baseline": [Interval(Integral, 0, None, closed="left"), None]
    }

    _kind = GroupSumComparison

    def __init__(self, baseline=None):
        self.baseline = baseline

    def _view(self, X, xp):
        return X

    def _aggregate(self, views, xp):
        if self.baseline is not None and self.baseline >= len(views):
            raise ValueError(
                f"baseline={self.baseline} is no column of X, which holds "
                f"{len(views)} models: choose 0 to {len(views) - 1}."
            )
        counts = np.zeros((len(views), len(views)))
        for a, b in self._pairs(len(views)):
            counts[a, b] = count_unequal(views[a], views[b], xp=xp)
        return counts

    def _pairs(self, n_models):
        pairs = combinations(range(n_models), 2)
        return [pair for pair in pairs if self.baseline in (None, *pair)]

    def _of_sums(self, sums, n_samples):
        pairs = self._pairs(len(sums))
        counts = [int(sums[pair]) for pair in pairs]
        largest = max(counts)
        return largest / n_samples, {"pair_": pairs[counts.index(largest)]}

    def _similarity_tags(self):
        return label_tags(
            arity="group",
            orientation="distance",
            bounds=(0, 1),
            symmetric=self.baseline is None,
            complexity="n l^2",
            reference="Marx et al. 2020",
        )
