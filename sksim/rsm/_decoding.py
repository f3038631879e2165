"""Agreement of the optimal linear read-outs of two representations."""

import math
from numbers import Real

from sksim._sklearn_compat import Interval
from sksim.arrays._linalg import (
    centered,
    numerical_rank,
    orthonormal_basis,
    refuse_constant,
    row_factor,
    tall_svd,
)
from sksim.arrays._moments import (
    basis_weights,
    principal_axes,
    refuse_ill_conditioned,
)
from sksim.arrays._namespace import (
    as_float64,
    cholesky_upper,
    device_of,
    inner,
    root,
    triangular_inverse,
)
from sksim.arrays._symmetric import Factored
from sksim.base import BaseSimilarity, MomentMixin
from sksim.base._inner_product import InnerProductComparison
from sksim.base._tags import ALL_INVARIANCES, SimilarityTags

# Below this penalty, of rows of unit norm, the Gram matrix is too ill-conditioned for a
# Cholesky factor.
_SAFE_RIDGE = 1e-6


class DecodingSimilarity(MomentMixin, BaseSimilarity):
    r"""Mean agreement of optimal linear read-outs.

    Over all possible targets, how alike ridge regressions on the two representations
    predict: the cosine of their smoother matrices, of the centred representations,

    .. math:: m(R, R') = \frac{\langle S, S' \rangle}
        {\lVert S \rVert_F \lVert S' \rVert_F}, \qquad
        S = R R^\top (R R^\top + N \lambda I)^{-1} .

    A family with two known ends: without a penalty it is the cosine of the projections
    onto both spans, :math:`\sum_i \rho_i^2 / \sqrt{r r'}` of the canonical correlations
    and ranks; with an infinite one it is linear CKA. A similarity in [0, 1]. Invariant
    to orthogonal maps and translation, with ``scale`` and at both ends to isotropic
    scaling, too, and with ridge=0 to all invertible affine maps.

    Parameters
    ----------
    ridge : float, default=0.1
        Penalty :math:`\lambda`, in units of a variance; ``float("inf")`` for CKA.
    scale : bool, default=False
        Whether to scale each representation to total variance 1 first, so that the
        penalty means the same for all layers, as in :class:`GULP`.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean agreement.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant.

    See Also
    --------
    CKA : The limit of an infinite penalty.
    GULP : The distance of the same matrices.
    sksim.cca.MeanSquaredCCA : The sum of squared correlations without a penalty, by
        another denominator.

    Notes
    -----
    Use it to say what "similar" means for a probe: the penalty is that of the probe.
    With few rows and many columns a small penalty finds any two representations alike,
    since both can predict anything; use a larger one, or :class:`CKA` with
    ``debias="rows"``, instead. Costs O(n d^2); a permutation of rows changes neither
    matrix.

    References
    ----------
    S. E. Harvey, D. Lipshutz, A. H. Williams. What representational similarity measures
    imply about decodable information. 2024, arXiv:2411.08197.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.rsm import CKA, DecodingSimilarity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> y = X * [3, 1, 1, 1, 1] + rng.normal(size=(100, 5))
    >>> for ridge in (0, 1, float("inf")):
    ...     print(round(DecodingSimilarity(ridge=ridge).fit(X, y).score_, 2))
    0.62
    0.63
    0.55
    >>> round(CKA().fit(X, y).score_, 2)
    0.55
    """

    _kind = InnerProductComparison
    _parameter_constraints: dict = {
        "ridge": [Interval(Real, 0, math.inf, closed="both")],
        "scale": ["boolean"],
    }

    def __init__(self, ridge=0.1, *, scale=False):
        self.ridge = ridge
        self.scale = scale

    def _view(self, X, xp, role):
        X = as_float64(X, xp=xp)
        if self.ridge == 0:
            basis = orthonormal_basis(X, xp=xp, role=role).basis
            return Factored(basis, norm=basis.shape[1] ** 0.5)
        rows, _, scale, squared_norm = centered(X, xp=xp)
        refuse_constant(squared_norm, role)
        penalty = self._penalty(X.shape[0], squared_norm, scale)
        if X.shape[1] > X.shape[0]:
            rows = row_factor(rows, xp=xp)
        rows = rows / squared_norm**0.5
        factor = self._factor(rows, penalty, xp)
        product = factor.T @ factor
        return Factored(factor, norm=root(inner(product, product, xp=xp)))

    def _penalty(self, n_samples, squared_norm, scale):
        """Penalty of centred rows that are scaled to unit norm."""
        if self.scale:
            return self.ridge
        # two divisions, since the square of the scale might overflow
        return self.ridge * n_samples / squared_norm / scale / scale

    @staticmethod
    def _factor(rows, penalty, xp):
        """Rows B with BB' the smoother matrix up to scale, of rows of unit norm."""
        if penalty < _SAFE_RIDGE:
            U, s, _ = tall_svd(rows, xp=xp)
            rank = numerical_rank(s, rows.shape, xp=xp)
            return U[:, :rank] * (s / xp.sqrt(s * s + penalty))[:rank]
        identity = xp.eye(rows.shape[1], dtype=rows.dtype, device=device_of(rows))
        # divided by the penalty where that is large, so that it may be infinite
        gram = rows.T @ rows
        damped = gram + penalty * identity if penalty < 1 else gram / penalty + identity
        return rows @ triangular_inverse(cholesky_upper(damped, xp=xp), xp=xp)

    def _of_product(self, product, view_x, view_y, n_samples):
        return product / (view_x.norm * view_y.norm)

    def _moments_needed(self):
        return {"gram", "cross"}

    def _compare_moments(self, moments, xp):
        n = moments.n
        root_x, norm_x = self._root_of_moments(moments.x, moments.xx, n, xp, "x")
        root_y, norm_y = self._root_of_moments(moments.y, moments.yy, n, xp, "y")
        M = root_x.T @ moments.xy.matrix @ root_y
        return float(inner(M, M, xp=xp)) / (norm_x * norm_y)

    def _root_of_moments(self, side, products, n_samples, xp, role):
        """Root B of a smoother rows @ B @ B' @ rows', up to scale, and its norm."""
        if self.ridge == 0:
            basis = basis_weights(side, products.matrix, xp=xp, role=role)
            return basis.weights, basis.rank**0.5
        refuse_constant(side.squared_norm, role)
        squares, V = principal_axes(side, products.matrix, xp=xp)
        penalty = self._penalty(n_samples, side.squared_norm, side.scale)
        squares, unit = squares / side.squared_norm, side.squared_norm**0.5
        if penalty < 1:
            refuse_ill_conditioned(
                squares[0] + penalty, squares[-1] + penalty, side, role
            )
        gains = squares + penalty if penalty < 1 else squares / penalty + 1
        norm = float(xp.sum((squares / gains) ** 2)) ** 0.5
        return V / xp.sqrt(gains) / unit, norm

    def _similarity_tags(self):
        is_cka = math.isinf(self.ridge)
        invariances = {"PT", "OT", "TR"} | ({"IS"} if self.scale or is_cka else set())
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0, 1),
            invariances=ALL_INVARIANCES if self.ridge == 0 else invariances,
            view_keywords=("role",),
            # a smoother without a row is another one
            exact={"null", "null_mean"} | ({"jackknife"} if is_cka else set()),
            streaming=True,
            complexity="n d^2",
            reference="Harvey et al. 2024",
        )
