"""GULP: distance of the predictions that ridge regression makes."""

from dataclasses import dataclass
from numbers import Real

from sksim._sklearn_compat import Interval
from sksim.arrays._kernels import row_blocks
from sksim.arrays._linalg import (
    centered,
    centered_product,
    lazily_centered,
    numerical_rank,
    orthonormal_basis,
    refuse_constant,
    squared_norm_of,
    tall_svd,
)
from sksim.arrays._moments import (
    basis_weights,
    principal_axes,
    refuse_ill_conditioned,
)
from sksim.arrays._namespace import (
    as_float64,
    as_scalar,
    cholesky_upper,
    device_of,
    inner,
    namespace_of,
    root_above,
    triangular_inverse,
)
from sksim.arrays._views import View
from sksim.base import BaseSimilarity, MomentMixin
from sksim.base._tags import SimilarityTags

# Below this ridge the Gram matrix is too ill-conditioned for a Cholesky factor.
_SAFE_RIDGE = 1e-6
# From this ridge on, and down to this share of the norms, products of single-precision
# rows keep a squared distance's six digits in single precision (measured at condition
# numbers to 1e4).
_SINGLE_RIDGE = 1e-3
_SINGLE_SHARE = 1e-2

# Share of the norms below which a squared distance is rounding: of turned rows, 10 to
# 1000 of them, it is 1e-32 to 3e-30.
_ROUNDING = 1e-28


@dataclass(frozen=True)
class Smoother(View):
    """The ridge regression's n x n smoother matrix, as B B' of B = rows @ root.

    ``mean`` is what is still to be subtracted from the rows, None if they are centred;
    a ``root`` of None stands for the identity. ``squared_norm`` is that of the matrix.
    Rows may be of single precision; everything else is of double.
    """

    rows: object
    mean: object
    root: object
    squared_norm: float

    _row_fields = ("rows",)
    is_factor = True

    @property
    def factor(self):
        """The n x r matrix B."""
        rows = self.rows if self.mean is None else self.rows - self.mean
        if self.root is None:
            return rows
        xp = namespace_of(rows)
        return as_float64(rows, xp=xp) @ self.root


@dataclass(frozen=True)
class SmootherMatrix(View):
    """The smoother matrix itself, for representations with more features than rows."""

    matrix: object
    squared_norm: float

    _row_by_row_fields = ("matrix",)
    is_factor = False


class GULP(MomentMixin, BaseSimilarity):
    r"""GULP distance.

    How differently ridge regressions on the two representations predict, over all
    possible targets:

    .. math:: m(R, R')^2 = \operatorname{tr}(S_\lambda^{-1} S S_\lambda^{-1} S)
        + \operatorname{tr}(S_\lambda'^{-1} S' S_\lambda'^{-1} S')
        - 2 \operatorname{tr}(S_\lambda^{-1} C S_\lambda'^{-1} C^\top)

    where the representations are centred and scaled to :math:`\lVert R \rVert_F^2 =
    n`, :math:`S = R^\top R / n`, :math:`S_\lambda = S + \lambda I` and :math:`C =
    R^\top R' / n`. It is the Frobenius distance of the two smoother matrices
    :math:`R (R^\top R + n \lambda I)^{-1} R^\top`.

    A distance and a metric (its square, which some codes return, is none). Invariant
    to orthogonal maps, isotropic scaling and translation; with ridge=0 to all
    invertible affine maps, where it is :math:`r + r' - 2 \sum_i \rho_i^2` of the ranks
    and the canonical correlations.

    Parameters
    ----------
    ridge : float, default=0.01
        Ridge penalty, in units in which each representation has total variance 1.

    Attributes
    ----------
    statistic_, distance_ : float
        GULP distance, the root of the expression above.
    score_ : float
        Minus the distance.
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
    sksim.cca.MeanSquaredCCA : The limit ridge=0 as a similarity.

    Notes
    -----
    Costs O(n d^2). Directions of relative variance below the penalty hardly count.
    A distance below a thousandth of the norms is computed from the difference of the
    matrices itself, block by block, since the expression above would lose its digits.
    Of float32 data, products of rows are made in float32 where that keeps six digits of
    the square, and in float64 elsewhere.

    References
    ----------
    E. Boix-Adserà, H. Lawrence, G. Stepaniants, P. Rigollet. GULP: a
    prediction-based metric between representations. NeurIPS, 2022, arXiv:2210.06545.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.rsm import GULP
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> GULP(ridge=0).fit(X, X @ [[1, 1, 0], [0, 2, 1], [0, 0, 3]]).distance_ < 1e-7
    True
    """

    _parameter_constraints: dict = {"ridge": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, ridge=0.01):
        self.ridge = ridge

    def _view(self, X, xp, role):
        is_wide = X.shape[1] > X.shape[0]
        if is_wide or self.ridge < _SINGLE_RIDGE:
            X = as_float64(X, xp=xp)
        if self.ridge == 0:
            basis = orthonormal_basis(X, xp=xp, role=role).basis
            return Smoother(basis, None, None, float(basis.shape[1]))
        if self.ridge < _SAFE_RIDGE:
            rows = self._unit_rows(X, xp, role)
            U, s, _ = tall_svd(rows, xp=xp)
            rank = numerical_rank(s, rows.shape, xp=xp)
            rows = U[:, :rank] * (s / xp.sqrt(s * s + self.ridge))[:rank]
            product = rows.T @ rows
            return Smoother(rows, None, None, float(inner(product, product, xp=xp)))
        if is_wide:
            return self._matrix_view(self._unit_rows(X, xp, role), xp)
        # products with B go through d x d matrices: B itself is not made
        rows, mean, squared_norm, _ = lazily_centered(X, xp=xp)
        refuse_constant(squared_norm, role)
        squared_norm = squared_norm_of(rows, mean, squared_norm, xp=xp)
        gram = as_float64(centered_product(rows, mean, rows, mean), xp=xp)
        gram = gram * (1 / squared_norm)
        inverse, matrix = self._smoother(gram, xp)
        root = inverse * (1 / squared_norm**0.5)
        return Smoother(
            rows, mean, root, as_scalar(inner(matrix, matrix, xp=xp), xp=xp)
        )

    @staticmethod
    def _unit_rows(X, xp, role):
        """Centred rows of unit Frobenius norm."""
        rows, _, _, squared_norm = centered(X, xp=xp)
        refuse_constant(squared_norm, role)
        squared_norm = squared_norm_of(rows, None, squared_norm, xp=xp)
        return rows * (1 / squared_norm**0.5)

    def _matrix_view(self, rows, xp):
        matrix = self._smoother(rows @ rows.T, xp)[1]
        return SmootherMatrix(matrix, as_scalar(inner(matrix, matrix, xp=xp), xp=xp))

    def _smoother(self, gram, xp):
        """(inverse of R, gram (gram + ridge)^-1) for R'R = gram + ridge."""
        identity = _identity(gram, xp)
        R = cholesky_upper(gram + self.ridge * identity, xp=xp)
        inverse = triangular_inverse(R, xp=xp)
        return inverse, identity - self.ridge * (inverse @ inverse.T)

    def _compare(self, view_x, view_y, xp):
        norms = view_x.squared_norm + view_y.squared_norm
        squared = norms - 2 * as_scalar(self._product(view_x, view_y, xp), xp=xp)
        views = view_x, view_y
        if squared < _SINGLE_SHARE * norms and any(_is_single(v, xp) for v in views):
            return self._compare(*(self._in_double(v, xp) for v in views), xp)
        if squared < 1e-6 * norms:
            # the difference of large numbers has lost its digits
            squared = self._squared_difference(view_x, view_y, xp)
        return root_above(_ROUNDING * norms, squared)

    def _in_double(self, view, xp):
        """The view of the same rows in double precision."""
        if not _is_single(view, xp):
            return view
        return self._view(as_float64(view.rows, xp=xp), xp, None)

    def _compare_moments(self, moments, xp):
        root_x, norm_x = self._root_of_moments(moments.x, moments.xx, xp, "x")
        root_y, norm_y = self._root_of_moments(moments.y, moments.yy, xp, "y")
        M = root_x.T @ moments.xy.matrix @ root_y
        squared = norm_x + norm_y - 2 * float(inner(M, M, xp=xp))
        # what rounding leaves of equal smoothers may be negative
        return max(squared, 0.0) ** 0.5

    def _root_of_moments(self, side, products, xp, role):
        """Root B of a smoother rows @ B @ B' @ rows', and its squared norm."""
        if self.ridge == 0:
            basis = basis_weights(side, products.matrix, xp=xp, role=role)
            return basis.weights, float(basis.rank)
        refuse_constant(side.squared_norm, role)
        squares, V = principal_axes(side, products.matrix, xp=xp)
        ridge = self.ridge * side.squared_norm
        refuse_ill_conditioned(squares[0] + ridge, squares[-1] + ridge, side, role)
        return V / xp.sqrt(squares + ridge), float(
            xp.sum((squares / (squares + ridge)) ** 2)
        )

    @staticmethod
    def _product(view_x, view_y, xp):
        x_is_factor, y_is_factor = view_x.is_factor, view_y.is_factor
        if x_is_factor and y_is_factor:
            M = centered_product(view_x.rows, view_x.mean, view_y.rows, view_y.mean)
            M = as_float64(M, xp=xp)
            M = M if view_x.root is None else view_x.root.T @ M
            M = M if view_y.root is None else M @ view_y.root
            return inner(M, M, xp=xp)
        if y_is_factor:
            view_x, view_y = view_y, view_x
        if x_is_factor or y_is_factor:
            factor = view_x.factor
            return inner(factor, view_y.matrix @ factor, xp=xp)
        return inner(view_x.matrix, view_y.matrix, xp=xp)

    def _squared_difference(self, view_x, view_y, xp):
        block_x, block_y = self._row_block(view_x), self._row_block(view_y)
        n = (view_x.rows if view_x.is_factor else view_x.matrix).shape[0]
        total = 0.0
        for rows in row_blocks(n, n):
            difference = block_x(rows) - block_y(rows)
            total = total + as_scalar(inner(difference, difference, xp=xp), xp=xp)
        return total

    @staticmethod
    def _row_block(view):
        if not view.is_factor:
            return lambda rows: view.matrix[rows, :]
        factor = view.factor
        return lambda rows: factor[rows, :] @ factor.T

    def _similarity_tags(self):
        invariances = {"PT", "OT", "IS", "TR"}
        invariances |= {"ILT", "AT"} if self.ridge == 0 else set()
        return SimilarityTags(
            family="rsm",
            orientation="distance",
            bounds=(0, float("inf")),
            metric=True,
            invariances=invariances,
            view_keywords=("role",),
            # without a ridge the value jumps where the rank does
            differentiable=self.ridge >= _SAFE_RIDGE,
            streaming=True,
            complexity="n d^2",
            reference="Boix-Adserà et al. 2022",
        )


def _is_single(view, xp):
    return view.is_factor and view.rows.dtype != xp.float64


def _identity(matrix, xp):
    return xp.eye(matrix.shape[0], dtype=matrix.dtype, device=device_of(matrix))
