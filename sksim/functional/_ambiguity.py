"""Rows on which any two models of a group disagree."""

import numpy as np

from sksim.arrays._namespace import to_numpy
from sksim.base import BaseGroupSimilarity
from sksim.base._row_kinds import RowKinds
from sksim.base._row_sums import GroupSumComparison
from sksim.functional._tags import INTERVALS_OF_SHARES, label_tags


class Ambiguity(BaseGroupSimilarity):
    r"""Share of rows on which any two models of a group disagree.

    .. math:: m(G) = \frac{1}{N} \sum_i \max_{f, f' \in G} 1[\hat y_i \ne \hat y_i']

    A distance in [0, 1] that can only grow as models join the group: compare groups
    of equal size. One deviating model weighs as much as an even split.

    Attributes
    ----------
    statistic_, distance_ : float
        Share of rows.
    score_ : float
        Minus the share.
    row_values_ : array of shape (n_samples,)
        Whether the models disagree on a row.
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
        If X holds fewer than two models, or labels of different kinds or fractions.

    See Also
    --------
    Discrepancy : Largest disagreement of two models.
    LabelEntropy : How evenly the models are split.

    References
    ----------
    C. Marx, F. Calmon, B. Ustun. Predictive multiplicity in classification. ICML,
    2020.

    Examples
    --------
    >>> from sksim.functional import Ambiguity
    >>> votes = [["cat", "cat", "cat"], ["cat", "dog", "cat"], ["dog", "dog", "dog"]]
    >>> round(Ambiguity().fit(votes).distance_, 4)
    0.3333
    """

    _kind = GroupSumComparison

    def _view(self, X, xp):
        return X

    def _aggregate(self, views, xp):
        differ = self._differ(views)
        return int(xp.count_nonzero(differ)), {"row_values_": differ}

    def _of_sums(self, sums, n_samples):
        return sums / n_samples

    def _differ(self, views):
        differ = views[0] != views[1]
        for view in views[2:]:
            differ = differ | (views[0] != view)
        return differ

    def _row_kinds(self, views, xp):
        return RowKinds(
            of_row=to_numpy(self._differ(views), xp=xp).astype(np.int64),
            value_of=lambda counts: counts[1] / counts.sum(),
            extremes=np.arange(2),
            n_kinds=2,
            values=np.array([0.0, 1.0]),
        )

    def _similarity_tags(self):
        return label_tags(
            arity="group",
            intervals=INTERVALS_OF_SHARES,
            orientation="distance",
            bounds=(0, 1),
            complexity="n l",
            reference="Marx et al. 2020",
        )
