"""How far the columns fall into modules."""

from numbers import Integral

import numpy as np
from sklearn.utils import check_random_state

from sksim._sklearn_compat import Interval
from sksim.arrays._graphs import best_partition
from sksim.arrays._linalg import centered
from sksim.arrays._namespace import as_float64, column_sum_of_squares, to_numpy
from sksim.statistics._base import BaseStatistic, Description


class NeuronGraphModularity(BaseStatistic):
    r"""Difference in how far the columns fall into modules.

    The graph connects all columns (neurons), with the absolute values of their
    correlations over the rows as weights, without loops. s is Newman's modularity of
    the best partition that is found,

    .. math:: s(R) = \max_P \sum_{c \in P} \frac{W_c}{W} -
        \Bigl(\frac{V_c}{W}\Bigr)^2, \qquad m(R, R') = |s(R) - s(R')|

    with :math:`W_c` the weight inside of module c (both directions), :math:`V_c` the
    sum of its columns' strengths and W the total. s is in [0, 1): 0 if all columns
    correlate alike. A distance in [0, 1]. Invariant to permutation of columns,
    isotropic scaling and translation, and to a factor of each column. Blind to rows.

    Parameters
    ----------
    n_init : int, default=10
        Number of searches for the best partition, in different orders of the columns.
    random_state : int, RandomState instance or None, default=0
        Determines the orders.

    Attributes
    ----------
    statistic_, distance_ : float
        Difference of the modularities.
    score_ : float
        Minus the difference.
    statistics_ : tuple of float
        Modularity of X and of y.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows of X.

    See Also
    --------
    NeighborGraphModularity : Classes among the rows.

    Notes
    -----
    Keeping the columns' correlations of 1 with themselves would inflate the modularity.
    Columns that are constant correlate with nothing; a graph without edges has
    modularity 0. The search is Louvain's, which finds a very good partition, not
    provably the best; it runs on the CPU. Rows are not paired: X and y may have
    different numbers of rows, and no permutation test exists.

    References
    ----------
    R. Lange, D. Rolnick, K. Kording. Clustering units in neural networks: upstream vs
    downstream information. TMLR, 2022.

    V. Blondel, J.-L. Guillaume, R. Lambiotte, E. Lefebvre. Fast unfolding of
    communities in large networks. Journal of Statistical Mechanics, 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.statistics import NeuronGraphModularity
    >>> rng = np.random.default_rng(0)
    >>> two_causes = np.repeat(rng.normal(size=(100, 2)), 4, axis=1)
    >>> X = two_causes + 0.3 * rng.normal(size=(100, 8))
    >>> one_cause = np.repeat(rng.normal(size=(100, 1)), 8, axis=1)
    >>> y = one_cause + 0.3 * rng.normal(size=(100, 8))
    >>> modularity = NeuronGraphModularity().fit(X, y)
    >>> [round(s, 1) for s in modularity.statistics_]
    [0.4, 0.0]
    """

    _parameter_constraints: dict = {
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(self, n_init=10, *, random_state=0):
        self.n_init = n_init
        self.random_state = random_state

    def _view(self, X, xp, seed):
        weights = np.abs(_correlations(X, xp))
        np.fill_diagonal(weights, 0)
        _, value = best_partition(weights, self.n_init, check_random_state(seed))
        return Description(value)

    def _similarity_tags(self):
        return self._statistic_tags(
            bounds=(0, 1),
            invariances={"PT", "IS", "TR"},
            view_keywords=("seed",),
            array_api=False,
            deterministic=self.random_state is not None,
            complexity="n d^2",
            reference="Lange et al. 2022",
        )


def _correlations(X, xp):
    """Correlations of the columns; 0 for constant ones."""
    rows = centered(as_float64(X, xp=xp), xp=xp).rows
    largest = xp.max(xp.abs(rows), axis=0)
    rows = rows / xp.where(largest == 0, xp.ones_like(largest), largest)
    norms = xp.sqrt(column_sum_of_squares(rows, xp=xp))
    rows = rows / xp.where(norms == 0, xp.ones_like(norms), norms)
    return to_numpy(rows.T @ rows, xp=xp)
