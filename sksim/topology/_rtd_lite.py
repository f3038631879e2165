"""Representation topology divergence from spanning trees."""

from dataclasses import dataclass

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.arrays._pairs import MATRIX_ROWS
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags
from sksim.topology._distances import (
    normalized_distances,
    normalized_rows,
    plain_rows,
    spanning_tree_length,
)
from sksim.topology._spanning_trees import (
    SpannedRows,
    joint_tree_length,
    spanned_rows,
)


@dataclass(frozen=True)
class SpannedDistances(View):
    """Normalised distance matrix and the length of its minimum spanning tree."""

    distances: np.ndarray
    tree_length: float

    _row_by_row_fields = ("distances",)


class RTDLite(BaseSimilarity):
    r"""Topology divergence from three minimum spanning trees.

    With the distance matrices :math:`r, r'` of the same rows, each divided by its own
    0.9 quantile, and the total length T of a minimum spanning tree,

    .. math:: m(R, R') = \tfrac12 (T(r) + T(r')) - T(\min(r, r')) .

    A distance in [0, inf), 0 if both have the same distances. Invariant to orthogonal
    maps, isotropic scaling and translation. Grows with the number of rows.

    Parameters
    ----------
    distance_scale : {"quantile", "median", "mean"}, default="quantile"
        What the distances are divided by: their 0.9 quantile, median or mean, over
        all entries of the matrix.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error,
        for more than 4096 rows.

    Attributes
    ----------
    statistic_, distance_ : float
        Divergence.
    score_ : float
        Minus the divergence.
    x_to_y_, y_to_x_ : float
        T(r) - T(min) and T(r') - T(min), whose mean is the divergence.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant, or so many rows coincide that the quantile of
        the distances is 0.

    See Also
    --------
    RTD : Compares the barcodes of dimension 1.

    Notes
    -----
    Sees how clusters merge and nothing of higher dimension; never above RTD, and no
    approximation of it, but a measure of its own for many rows. Costs O(n^2) beyond
    the distances. Up to 4096 rows both matrices are kept; above, trees are made of
    lists of nearest neighbours, completed where a list does not tell, and no n x n
    matrix is made. Not a metric.

    References
    ----------
    E. Tulchinskii et al. RTD-Lite: scalable topological analysis for comparing
    weighted graphs in learning tasks. AISTATS, 2025, arXiv:2503.11910.

    Examples
    --------
    Three rows on a line, the middle one moved:

    >>> from sksim.topology import RTDLite
    >>> X, y = [[0.0], [1.0], [4.0]], [[0.0], [3.0], [4.0]]
    >>> round(RTDLite(distance_scale="mean").fit(X, y).distance_ * 16 / 9, 6)
    2.0
    """

    _parameter_constraints: dict = {
        "distance_scale": [StrOptions({"quantile", "median", "mean"})],
        "verbose": ["verbose"],
    }

    def __init__(self, distance_scale="quantile", *, verbose=0):
        self.distance_scale = distance_scale
        self.verbose = verbose

    def _view(self, X, xp, role):
        rows = plain_rows(X, role, xp=xp)
        if len(rows) > MATRIX_ROWS:
            return spanned_rows(normalized_rows(rows, self.distance_scale, role), role)
        distances = normalized_distances(rows, self.distance_scale, role)
        return SpannedDistances(distances, spanning_tree_length(distances))

    def _compare(self, view_x, view_y, xp):
        if isinstance(view_x, SpannedRows):
            joint = joint_tree_length([view_x, view_y])
        else:
            smaller = np.minimum(view_x.distances, view_y.distances)
            joint = spanning_tree_length(smaller)
        x_to_y, y_to_x = view_x.tree_length - joint, view_y.tree_length - joint
        return (x_to_y + y_to_x) / 2, {"x_to_y_": x_to_y, "y_to_x_": y_to_x}

    def _similarity_tags(self):
        return SimilarityTags(
            family="topology",
            orientation="distance",
            bounds=(0, float("inf")),
            invariances={"PT", "OT", "IS", "TR"},
            view_keywords=("role",),
            intervals=(),
            array_api=False,
            complexity="n^2 d",
            reference="Tulchinskii et al. 2025",
        )
