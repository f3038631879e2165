"""Length of the mean row."""

import math

from sksim.arrays._linalg import rescaled
from sksim.arrays._namespace import as_float64, row_sum_of_squares
from sksim.base import MomentMixin
from sksim.statistics._base import BaseStatistic, Description


class Magnitude(MomentMixin, BaseStatistic):
    r"""Difference in magnitude: the length of the mean row.

    .. math:: s(R) = \Bigl\lVert \frac{1}{N} \sum_i R_i \Bigr\rVert_2, \qquad
        m(R, R') = |s(R) - s(R')| .

    A distance in [0, inf). Invariant to orthogonal maps. Blind to all but the mean:
    centred representations have magnitude 0.

    Attributes
    ----------
    statistic_, distance_ : float
        Difference of the magnitudes.
    score_ : float
        Minus the difference.
    statistics_ : tuple of float
        Magnitude of X and of y.
    row_values_ : tuple of arrays of shape (n_samples,)
        Only after ``fit``: length of each row of X and of y, see
        :func:`instance_variance`.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows of X.

    See Also
    --------
    Concentricity : How closely the rows point along the mean.

    Notes
    -----
    Rows are not paired: X and y may have different numbers of rows, and no permutation
    test exists.

    References
    ----------
    C. Wang, W. Rao, W. Guo, P. Wang, J. Liu, X. Guan. Towards understanding the
    instability of network embedding. IEEE Transactions on Knowledge and Data
    Engineering, 2020.

    Examples
    --------
    >>> from sksim.statistics import Magnitude
    >>> magnitude = Magnitude().fit([[3.0, 4.0], [3.0, 4.0]], [[1.0], [3.0]])
    >>> magnitude.statistics_
    (5.0, 2.0)
    >>> magnitude.distance_
    3.0
    """

    def _view(self, X, xp):
        rows, scale, _ = rescaled(as_float64(X, xp=xp), xp=xp)
        mean = xp.mean(rows, axis=0)
        length = math.sqrt(float(xp.sum(mean * mean))) * scale
        lengths = xp.sqrt(row_sum_of_squares(rows, xp=xp)) * scale
        return Description(length, lengths)

    def _moments_needed(self):
        return set()

    def _compare_moments(self, moments, xp):
        views = []
        for side in (moments.x, moments.y):
            _, scale, squared = rescaled((side.mean + side.rest)[None, :], xp=xp)
            views.append(Description(math.sqrt(squared) * scale))
        return self._compare(*views, xp)

    def _similarity_tags(self):
        return self._statistic_tags(
            invariances={"PT", "OT"},
            streaming=True,
            complexity="n d",
            reference="Wang et al. 2020",
        )
