"""How well labels divide the graph of nearest rows."""

from numbers import Integral

import numpy as np

from sksim._sklearn_compat import Interval
from sksim.arrays._graphs import label_codes, modularity, strongest_edges, symmetrised
from sksim.arrays._linalg import role_name
from sksim.arrays._neighbors import check_n_neighbors, nearest_neighbors
from sksim.base import LabelsMixin
from sksim.base._validation import check_representation_pair
from sksim.statistics._base import BaseStatistic, Description


class NeighborGraphModularity(LabelsMixin, BaseStatistic):
    r"""Difference in how well the labels divide the nearest-neighbour graph.

    The graph connects each row with its k nearest by cosine, with the cosine as weight,
    symmetrised by averaging with its transpose. s is Newman's modularity of the classes
    as communities,

    .. math:: s(R) = \sum_c \frac{W_c}{W} - \Bigl(\frac{V_c}{W}\Bigr)^2, \qquad
        m(R, R') = |s(R) - s(R')|

    with :math:`W_c` the weight inside of class c (both directions), :math:`V_c` the sum
    of its rows' strengths and W the total. s is in [-1/2, 1): large if neighbours share
    a class, near 0 if the labels have nothing to do with the graph. A distance in
    [0, 3/2]. Invariant to orthogonal maps and isotropic scaling. Blind to everything
    beyond the k-th neighbour.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours, below the number of rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

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
        Number of rows.

    Raises
    ------
    ValueError
        If ``y_true`` is missing, if a row is zero, if there are no more rows than
        neighbours, or if no two neighbours have a positive cosine.

    See Also
    --------
    NeuronGraphModularity : Modules among the columns.
    sksim.neighbors.GraphBasedSimilarity : Compares the graphs themselves.

    Notes
    -----
    Modularity is defined for positive weights: neighbours with a negative cosine, which
    occur among few rows only, are not connected. Computed on the CPU. The labels are
    those of the rows of X and of y alike, so both need the same rows; no permutation
    test exists.

    References
    ----------
    M. Newman, M. Girvan. Finding and evaluating community structure in networks.
    Physical Review E, 2004.

    Y. Lu, W. Yang, Y. Zhang, Z. Chen, J. Chen, Q. Xuan, Z. Wang, X. Yang. Understanding
    the dynamics of DNNs using graph modularity. ECCV, 2022, arXiv:2111.12485.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.statistics import NeighborGraphModularity
    >>> labels = np.repeat([0, 1], 50)
    >>> rng = np.random.default_rng(0)
    >>> X = np.eye(2)[labels] + 0.1 * rng.normal(size=(100, 2))
    >>> y = rng.normal(size=(100, 2))
    >>> modularity = NeighborGraphModularity().fit(X, y, y_true=labels)
    >>> [round(s, 1) for s in modularity.statistics_]
    [0.5, -0.0]
    """

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(self, n_neighbors=10, *, verbose=0):
        self.n_neighbors = n_neighbors
        self.verbose = verbose

    def _validate_pair(self, X, y, *, reset):
        X, y, xp = check_representation_pair(self, X, y, reset=reset, min_samples=2)
        check_n_neighbors(self.n_neighbors, X, y)
        return X, y, xp

    def _min_samples(self):
        return self.n_neighbors + 1

    def _view(self, X, xp, role, y_true):
        neighbors = nearest_neighbors(
            X, self.n_neighbors, metric="cosine", xp=xp, role=role
        )
        edges = strongest_edges(neighbors, xp=xp)
        edges.data = np.where(edges.data > 1e-12, edges.data, 0)
        if not edges.data.any():
            raise ValueError(
                f"No row of {role_name(role)} has a positive cosine with its "
                "neighbours, so that the graph has no edges."
            )
        return Description(modularity(symmetrised(edges), label_codes(y_true)))

    def _similarity_tags(self):
        return self._statistic_tags(
            bounds=(0, 1.5),
            invariances={"PT", "OT", "IS"},
            requires=("y_true", "nonzero_rows", "more_rows_than_neighbors"),
            view_keywords=("role", "y_true"),
            array_api=False,
            intervals=(),
            complexity="n^2 d",
            reference="Lu et al. 2022",
        )
