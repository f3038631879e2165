"""Magnitude and concentricity, and how a row's value varies across models."""

import math

from sklearn.base import clone

from sksim.base import MomentMixin
from sksim.statistics._base import BaseStatistic, Description
from sksim.utils._array_api import (
    as_float64,
    get_namespace_and_device,
    row_sum_of_squares,
)
from sksim.utils._linalg import (
    rescaled,
    role_name,
    unit_rows,
)


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


def instance_variance(statistic, representations):
    """Variance across models of each row's own value.

    Parameters
    ----------
    statistic : Magnitude or Concentricity
        What is taken of each row: its length, or its cosine with the mean row.
    representations : sequence of array-like of shape (n_samples, n_features)
        Representations of the same rows by several models; widths may differ.

    Returns
    -------
    variances : array of shape (n_samples,)
        Mean squared deviation from the mean over models.

    Examples
    --------
    >>> from sksim.statistics import Magnitude, instance_variance
    >>> models = [[[3.0, 4.0], [1.0, 0.0]], [[5.0, 0.0], [3.0, 0.0]]]
    >>> instance_variance(Magnitude(), models)
    array([0., 1.])
    """
    representations = list(representations)
    if len(representations) < 2:
        raise ValueError(
            "A variance across models needs at least 2 representations, got "
            f"{len(representations)}."
        )
    if not isinstance(statistic, Magnitude | Concentricity):
        raise ValueError(
            f"{type(statistic).__name__} has no value for each row: statistic must be "
            "Magnitude() or Concentricity()."
        )
    first = representations[0]
    values = [clone(statistic).fit(first, X).row_values_[1] for X in representations]
    if any(len(v) != len(values[0]) for v in values):
        lengths = sorted({len(v) for v in values})
        raise ValueError(
            "All representations must describe the same rows, in the same order: got "
            f"{lengths} rows."
        )
    xp = get_namespace_and_device(values[0])[0]
    table = xp.stack(values)
    return xp.mean((table - xp.mean(table, axis=0)) ** 2, axis=0)
