"""How alike the rows of a class are."""

import numpy as np

from sksim.arrays._graphs import label_codes
from sksim.arrays._linalg import unit_rows
from sksim.arrays._namespace import as_float64, device_of, move_to
from sksim.base import LabelsMixin
from sksim.statistics._base import BaseStatistic, Description


class Tolerance(LabelsMixin, BaseStatistic):
    r"""Difference in tolerance: the mean cosine of rows of one class.

    .. math:: s(R) = \frac{1}{N^2} \sum_{ij} \cos(R_i, R_j) \, 1[l_i = l_j],
        \qquad m(R, R') = |s(R) - s(R')|

    with the labels l. A distance in [0, 1], invariant to orthogonal maps and isotropic
    scaling. The sum has the diagonal in it and is divided by N^2, so that s depends on
    the number of classes and their sizes too. Blind to how classes lie to each other.

    Attributes
    ----------
    statistic_, distance_ : float
        Difference of the tolerances.
    score_ : float
        Minus the difference.
    statistics_ : tuple of float
        Tolerance of X and of y.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If ``y_true`` is missing, or if a row is zero.

    See Also
    --------
    Uniformity : How evenly rows spread.

    Notes
    -----
    Costs O(N D): the sum over pairs of one class is the squared norm of the sum of its
    unit rows. The labels are those of the rows of X and of y alike, so both need the
    same rows; no permutation test exists.

    References
    ----------
    F. Wang, H. Liu. Understanding the behaviour of contrastive loss. CVPR, 2021,
    arXiv:2012.09740.

    Examples
    --------
    >>> from sksim.statistics import Tolerance
    >>> X, y = [[1.0, 0.0], [2.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    >>> Tolerance().fit(X, y, y_true=["a", "a"]).statistics_
    (1.0, 0.5)
    """

    def _view(self, X, xp, role, y_true):
        rows = unit_rows(as_float64(X, xp=xp), xp=xp, role=role)
        codes = label_codes(y_true)
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        order = move_to(order, xp=xp, device=device_of(X))
        total = 0.0
        for start, stop in zip(starts, [*starts[1:], len(codes)], strict=True):
            members = xp.take(rows, order[int(start) : int(stop)], axis=0)
            direction = xp.sum(members, axis=0)
            total += float(xp.sum(direction * direction))
        return Description(total / X.shape[0] ** 2)

    def _similarity_tags(self):
        return self._statistic_tags(
            bounds=(0, 1),
            invariances={"PT", "OT", "IS"},
            requires=("y_true", "nonzero_rows"),
            view_keywords=("role", "y_true"),
            complexity="n d",
            reference="Wang and Liu 2021",
        )
