"""Mean (squared) canonical correlation."""

import warnings
from abc import abstractmethod
from dataclasses import replace

from sksim._sklearn_compat import StrOptions
from sksim.arrays._linalg import (
    centered,
    nuclear_norm,
    orthonormal_basis,
    row_signs,
    thin_svd,
)
from sksim.arrays._moments import basis_weights
from sksim.arrays._namespace import as_float64, column_sum_of_squares, inner
from sksim.arrays._symmetric import Factored
from sksim.base import AlignmentMixin, BaseSimilarity, MomentMixin
from sksim.base._inner_product import InnerProductComparison
from sksim.base._tags import ALL_INVARIANCES, SimilarityTags


class BaseCCA(MomentMixin, AlignmentMixin, BaseSimilarity):
    """Canonical correlations: the singular values of Q'Q' for orthonormal bases Q.

    A measure says by ``_compare_bases`` what it makes of Q'Q', and by ``_aggregate``
    how the correlations of the canonical variates become one number.
    """

    _reference = "Hotelling 1936"

    @abstractmethod
    def _compare_bases(self, M, view_x, view_y, xp):
        """(statistic, details) of the inner products M of two orthonormal bases."""

    @abstractmethod
    def _aggregate(self, correlations, xp):
        """Statistic of the correlations of fitted variates on new rows."""

    def _view(self, X, xp, role):
        return orthonormal_basis(X, xp=xp, role=role)

    def _compare(self, view_x, view_y, xp):
        M = view_x.basis.T @ view_y.basis
        return self._compare_bases(M, view_x, view_y, xp)

    def _view_of_moments(self, side, products, xp, role):
        """View without rows, with the weights that would give its basis."""
        return basis_weights(side, products.matrix, xp=xp, role=role)

    def _compare_moments(self, moments, xp):
        view_x = self._view_of_moments(moments.x, moments.xx, xp, "x")
        view_y = self._view_of_moments(moments.y, moments.yy, xp, "y")
        self._warn_of_trivial(view_x.rank, view_y.rank, moments.n)
        M = view_x.weights.T @ moments.xy.matrix @ view_y.weights
        outcome = self._compare_bases(M, view_x, view_y, xp)
        return self._with_maps(outcome, view_x, view_y)

    def _check_views(self, view_x, view_y):
        self._warn_of_trivial(view_x.rank, view_y.rank, view_x.basis.shape[0])

    @staticmethod
    def _warn_of_trivial(rank_x, rank_y, n_samples):
        trivial = rank_x + rank_y - n_samples + 1
        if trivial > 0:
            warnings.warn(
                f"The representations have ranks {rank_x} and {rank_y} in "
                f"{n_samples} rows, so that at least {trivial} of the "
                f"{min(rank_x, rank_y)} canonical correlations are 1 by "
                "construction, whatever the data. Use more rows or fewer features "
                "(SVCCA, PCA), or a measure without this limit, such as CKA with "
                "debias='rows'.",
                UserWarning,
                stacklevel=5,
            )

    def _fit_maps(self, view_x, view_y, xp):
        U, s, Vt = thin_svd(self._cross_product, xp=xp)
        x_rotations, y_rotations = (
            view_x.rotations(U, xp=xp),
            view_y.rotations(Vt.T, xp=xp),
        )
        # by the weights, since the bases that U and V refer to are arbitrary
        signs = row_signs(y_rotations.T, xp=xp)
        return x_rotations * signs, y_rotations * signs, s

    def _transform_x(self, X, xp):
        return (as_float64(X, xp=xp) - self.x_mean_) @ self.x_rotations_

    def _transform_y(self, y, xp):
        return (as_float64(y, xp=xp) - self.y_mean_) @ self.y_rotations_

    def _evaluate(self, X, y, xp):
        variates_x = self._transform_x(X, xp)
        variates_y = self._transform_y(y, xp)
        return self._aggregate(column_correlations(variates_x, variates_y, xp=xp), xp)

    @property
    def _n_features_out(self):
        return min(view.rank for view in self._maps.sources)

    def _similarity_tags(self):
        return SimilarityTags(
            family="cca",
            orientation="similarity",
            bounds=(0, 1),
            score_bounds=(-1, 1),
            invariances=ALL_INVARIANCES,
            view_keywords=("role",),
            streaming=True,
            score_uses_fit=True,
            complexity="n d^2 + d^3",
            reference=self._reference,
        )


def column_correlations(A, B, *, xp):
    """Correlation of each column of A with the same column of B; 0 if one is flat."""
    A = centered(A, xp=xp).rows
    B = centered(B, xp=xp).rows
    covariance = xp.sum(A * B, axis=0)
    scale = xp.sqrt(column_sum_of_squares(A, xp=xp) * column_sum_of_squares(B, xp=xp))
    flat = scale == 0
    return xp.where(flat, xp.zeros_like(scale), covariance / xp.where(flat, 1.0, scale))


class MeanCCA(BaseCCA):
    r"""Mean canonical correlation.

    With orthonormal bases :math:`Q, Q'` of the column spaces of the centred
    representations, of ranks :math:`r, r'`, the canonical correlations
    :math:`\rho_i` are the singular values of :math:`Q^\top Q'`, and

    .. math:: m(R, R') = \frac{1}{\min(r, r')} \sum_i \rho_i .

    A similarity in [0, 1]; 1 if one column space contains the other. Invariant to
    all invertible affine maps of either representation, hence blind to which
    directions carry variance. With r + r' >= n_samples some correlations are 1 by
    construction: a warning says how many.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean canonical correlation.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Weights of the canonical variates, which have unit norm on the training rows;
        k is the smaller rank.
    singular_values_ : array of shape (k,)
        Canonical correlations, descending.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    See Also
    --------
    MeanSquaredCCA : Weighs strong correlations more.
    SVCCA : Drops directions of little variance first.

    Notes
    -----
    ``score(X, y)`` applies the fitted variates to new rows and averages their
    correlations there, which may be negative. Computed in float64: whitening in
    single precision is wrong from the third digit at a condition number of 1000.

    References
    ----------
    H. Hotelling. Relations between two sets of variates. Biometrika, 1936.

    M. Klabunde et al. Similarity of neural network models: a survey of functional
    and representational measures. ACM Computing Surveys, 2025, arXiv:2305.06329.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.cca import MeanCCA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> y = X @ rng.normal(size=(5, 5)) + 3
    >>> round(MeanCCA().fit(X, y).score_, 6)
    1.0
    >>> round(MeanCCA().fit(X, rng.normal(size=(100, 5))).score_, 2)
    0.18
    """

    def _compare_bases(self, M, view_x, view_y, xp):
        return nuclear_norm(M, xp=xp) / min(M.shape), {"_cross_product": M}

    def _aggregate(self, correlations, xp):
        return xp.mean(correlations)

    def _similarity_tags(self):
        return replace(super()._similarity_tags(), differentiable=True)


class MeanSquaredCCA(BaseCCA):
    r"""Mean squared canonical correlation, also known as R^2_CCA or Yanai's GCD.

    .. math:: m(R, R') = \frac{1}{d} \sum_i \rho_i^2
        = \frac{1}{d} \lVert Q^\top Q' \rVert_F^2

    with the canonical correlations :math:`\rho_i` and orthonormal bases
    :math:`Q, Q'` as in :class:`MeanCCA`. The sum alone is known as Pillai's trace. A
    similarity in [0, 1], invariant to all invertible affine maps of either
    representation.

    Parameters
    ----------
    denominator : {"rank", "width", "geometric"}, default="rank"
        What the sum is divided by: the smaller rank, min(r, r'); the smaller number
        of columns, min(D, D'), as Kornblith et al. do; or sqrt(r r'), Yanai's
        coefficient. They differ on rank-deficient data and on unequal ranks.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean squared canonical correlation.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Weights of the canonical variates; k is the smaller rank.
    singular_values_ : array of shape (k,)
        Canonical correlations, descending.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    See Also
    --------
    MeanCCA : The plain mean.

    Notes
    -----
    ``score(X, y)`` applies the fitted variates to new rows; a correlation rho found
    there counts as rho \|rho\|, so that a reversed direction lowers the score.

    References
    ----------
    H. Yanai. Unification of various techniques of multivariate analysis by means of
    a generalized coefficient of determination. Journal of the Behaviormetric
    Society of Japan, 1974.

    S. Kornblith et al. Similarity of neural network representations revisited. ICML,
    2019, arXiv:1905.00414.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.cca import MeanSquaredCCA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> noisy = X + rng.normal(size=X.shape)
    >>> round(MeanSquaredCCA().fit(X, noisy).score_, 1)
    0.5
    """

    _kind = InnerProductComparison
    _reference = "Yanai 1974"
    _parameter_constraints: dict = {
        "denominator": [StrOptions({"rank", "width", "geometric"})]
    }

    def __init__(self, denominator="rank"):
        self.denominator = denominator

    def _compare_bases(self, M, view_x, view_y, xp):
        divisor = self._divisor_of(view_x, view_y)
        return inner(M, M, xp=xp) / divisor, {"_cross_product": M, "_divisor": divisor}

    def _divisor_of(self, view_x, view_y):
        if self.denominator == "rank":
            return min(view_x.rank, view_y.rank)
        if self.denominator == "width":
            return min(view_x.coordinates.shape[1], view_y.coordinates.shape[1])
        return (view_x.rank * view_y.rank) ** 0.5

    def _form(self, view, role, xp):
        return Factored(view.basis)

    def _of_product(self, product, view_x, view_y, n_samples):
        return product / self._divisor_of(view_x, view_y)

    def _aggregate(self, correlations, xp):
        return xp.sum(correlations * xp.abs(correlations)) / self._divisor

    def _similarity_tags(self):
        tags = super()._similarity_tags()
        return replace(tags, exact={"null", "null_mean"}, differentiable=True)
