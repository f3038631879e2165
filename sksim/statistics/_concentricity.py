"""Cosine of the rows with the mean row."""

import math

from sksim.arrays._linalg import rescaled, role_name, unit_rows
from sksim.arrays._namespace import as_float64
from sksim.statistics._base import BaseStatistic, Description


class Concentricity(BaseStatistic):
    r"""Difference in concentricity: the mean cosine of the rows with the mean row.

    .. math:: s(R) = \frac{1}{N} \sum_i \cos\Bigl(R_i, \frac{1}{N} \sum_j R_j\Bigr),
        \qquad m(R, R') = |s(R) - s(R')| .

    A distance in [0, 2], usually in [0, 1]. Invariant to orthogonal maps and isotropic
    scaling. Blind to the lengths of rows far from the mean.

    Attributes
    ----------
    statistic_, distance_ : float
        Difference of the concentricities.
    score_ : float
        Minus the difference.
    statistics_ : tuple of float
        Concentricity of X and of y.
    row_values_ : tuple of arrays of shape (n_samples,)
        Cosine of each row of X and of y with the mean row: see
        :func:`instance_variance`.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows of X.

    Raises
    ------
    ValueError
        If a row is zero, or if the mean row is, as after centring.

    See Also
    --------
    Magnitude : The length of the mean row.

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
    >>> from sksim.statistics import Concentricity
    >>> narrow, wide = [[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    >>> concentricity = Concentricity().fit(narrow, wide)
    >>> [round(value, 3) for value in concentricity.statistics_]
    [1.0, 0.707]
    """

    def _view(self, X, xp, role):
        # a mean of this order is what rounding leaves of centred rows
        rounding = math.sqrt(float(xp.finfo(X.dtype).eps))
        X = as_float64(X, xp=xp)
        rows, _, squared_norm = rescaled(X, xp=xp)
        mean = xp.mean(rows, axis=0)
        length = math.sqrt(float(xp.sum(mean * mean)))
        directions = unit_rows(X, xp=xp, role=role)
        if length <= rounding * math.sqrt(squared_norm / X.shape[0]):
            raise ValueError(
                f"The mean row of {role_name(role)} is zero, so that no angle with it "
                "is defined. Pass the representation without centring it."
            )
        cosines = directions @ (mean / length)
        return Description(float(xp.mean(cosines)), cosines)

    def _similarity_tags(self):
        return self._statistic_tags(
            bounds=(0, 2),
            invariances={"PT", "OT", "IS"},
            requires=("nonzero_rows",),
            view_keywords=("role",),
            complexity="n d",
            reference="Wang et al. 2020",
        )
