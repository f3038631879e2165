"""Centered kernel alignment."""

from dataclasses import dataclass
from functools import partial
from numbers import Real

from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS

from sksim.base import BaseSimilarity
from sksim.utils._array_api import inner, row_sum_of_squares
from sksim.utils._kernels import (
    double_center,
    factored_tile,
    kernel_matrix,
    permuted_inner,
    product_of_tiles,
    rbf_kernel,
    tiles_are_cheaper,
    u_center,
    u_leave_one_out,
    u_row_products,
    weighted_u_inner,
)
from sksim.utils._linalg import (
    centered,
    lazily_centered,
    refuse_constant,
    rescaled,
    role_name,
    unit_rows,
)
from sksim.utils._sklearn_compat import Interval, StrOptions
from sksim.utils._tags import SimilarityTags
from sksim.utils._views import View

# Both kernels' product, and each one's with itself.
_PAIRS_OF_TWO = ((0, 1), (0, 0), (1, 1))


@dataclass(frozen=True)
class LinearKernel(View):
    """Linear kernel in factored form: rows, never an n x n matrix.

    ``mean`` is what is still to be subtracted from the rows, None if they are
    centred. ``diagonal`` is that of the centred kernel matrix, which the debiased
    estimator leaves out (None for the biased one), and ``norm`` the matrix's norm.
    """

    rows: object
    mean: object
    diagonal: object
    norm: float

    _row_fields = ("rows", "diagonal")


@dataclass(frozen=True)
class CenteredKernel(View):
    """Centred kernel matrix, divided by its norm."""

    matrix: object

    _row_by_row_fields = ("matrix",)


def _product(rows_x, mean_x, rows_y, mean_y):
    """D x D' product of centred views; one centred factor centres the other."""
    product = rows_x.T @ rows_y
    if mean_x is None or mean_y is None:
        return product
    return product - rows_x.shape[0] * mean_x[:, None] * mean_y[None, :]


def _n_rows(view):
    kept = view.rows if isinstance(view, LinearKernel) else view.matrix
    return kept.shape[0]


def _tiles(view):
    """Function of row and column slices that gives a tile of the kernel matrix."""
    if isinstance(view, LinearKernel):
        return partial(factored_tile, view.rows, view.mean)
    return lambda rows, columns: view.matrix[rows, columns]


class CKA(BaseSimilarity):
    r"""Centered kernel alignment.

    The cosine of two centred kernel matrices:

    .. math:: m(R, R') = \frac{\langle K, K' \rangle}{\lVert K \rVert_F
        \lVert K' \rVert_F}, \qquad K = H k(R, R) H .

    For the linear kernel this is
    :math:`\lVert R^\top R' \rVert_F^2 / (\lVert R^\top R \rVert_F
    \lVert R'^\top R' \rVert_F)` of the centred representations. A similarity in
    [0, 1]; the debiased estimator may fall below 0. Invariant to orthogonal maps,
    isotropic scaling and translation for the linear and the RBF kernel.

    Parameters
    ----------
    kernel : {"linear", "rbf"} or str or callable, default="linear"
        Kernel of the rows: "rbf" with its width relative to the median distance, any
        other name known to :func:`sklearn.metrics.pairwise.pairwise_kernels`, or a
        callable of two rows.
    estimator : {"biased", "debiased"}, default="biased"
        The classical value, which grows with D / n even between unrelated
        representations (0.72 at n = 100, D = 256), or the one built on the unbiased
        estimator of HSIC (0.007 there). Debiased needs at least 4 rows.
    bandwidth : float, default=0.5
        Width of the RBF kernel exp(-d^2 / (2 s^2)): s is ``bandwidth`` times the
        median Euclidean distance between rows. Kornblith et al. try .2, .4 and .8.
    kernel_params : dict, default=None
        Keywords of other kernels, such as ``{"degree": 3}`` for "poly".

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Centered kernel alignment.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant: its centred kernel is zero. If a row is zero,
        for the cosine kernel.

    See Also
    --------
    sksim.inference.similarity_test : Is it more than chance?

    Notes
    -----
    The linear kernel costs O(n d^2) and makes no n x n matrix while d < n. Blind to
    differences in directions of little variance. ``arccos`` of the biased value is a
    metric.

    References
    ----------
    S. Kornblith, M. Norouzi, H. Lee, G. Hinton. Similarity of neural network
    representations revisited. ICML, 2019, arXiv:1905.00414.

    L. Song, A. Smola, A. Gretton, J. Bedo, K. Borgwardt. Feature selection via
    dependence maximization. JMLR, 2012 (the unbiased estimator).

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(2, 100, 256))
    >>> round(CKA().fit(X, y).score_, 2)
    0.72
    >>> abs(CKA(estimator="debiased").fit(X, y).score_) < 0.05
    True
    """

    _parameter_constraints: dict = {
        "kernel": [StrOptions({"rbf", *PAIRWISE_KERNEL_FUNCTIONS}), callable],
        "estimator": [StrOptions({"biased", "debiased"})],
        "bandwidth": [Interval(Real, 0, None, closed="neither")],
        "kernel_params": [dict, None],
    }

    def __init__(
        self, kernel="linear", estimator="biased", bandwidth=0.5, kernel_params=None
    ):
        self.kernel = kernel
        self.estimator = estimator
        self.bandwidth = bandwidth
        self.kernel_params = kernel_params

    def _view(self, X, xp, role):
        if self.kernel == "linear":
            if X.shape[1] <= X.shape[0]:
                return self._linear_view(X, xp, role)
            rows, _, _, squared_norm = centered(X, xp=xp)
            refuse_constant(squared_norm, role)
            # the squared norm keeps the entries of the n x n matrix near 1
            return self._kernel_view((rows @ rows.T) / squared_norm, xp, role)
        if self.kernel == "rbf":
            K = rbf_kernel(X, self.bandwidth, xp=xp, name=role_name(role))
        elif self.kernel == "cosine":
            rows = unit_rows(X, xp=xp, role=role)
            K = rows @ rows.T
        else:
            K = kernel_matrix(X, self.kernel, self.kernel_params, xp=xp)
        return self._kernel_view(K, xp, role)

    def _linear_view(self, X, xp, role):
        rows, mean, squared_norm = lazily_centered(X, xp=xp)
        refuse_constant(squared_norm, role)
        gram = _product(rows, mean, rows, mean)
        squared_norm = inner(gram, gram, xp=xp)
        if self.estimator == "biased":
            return LinearKernel(rows, mean, None, xp.sqrt(squared_norm))
        diagonal = row_sum_of_squares(rows, xp=xp)
        if mean is not None:
            diagonal = diagonal - 2 * (rows @ mean) + mean @ mean
        unbiased = self._leave_out_diagonal(squared_norm, diagonal, diagonal, xp)
        self._refuse_flat_kernel(unbiased, squared_norm, role, xp)
        return LinearKernel(rows, mean, diagonal, xp.sqrt(unbiased))

    def _kernel_view(self, K, xp, role):
        K, _, before = rescaled(K, xp=xp)
        centre = double_center if self.estimator == "biased" else u_center
        K = centre(K, xp=xp)
        squared_norm = inner(K, K, xp=xp)
        self._refuse_flat_kernel(squared_norm, before, role, xp)
        return CenteredKernel(K / xp.sqrt(squared_norm))

    @staticmethod
    def _refuse_flat_kernel(squared_norm, before, role, xp):
        rounding = 64 * float(xp.finfo(squared_norm.dtype).eps)
        if not float(squared_norm) > rounding**2 * float(before):
            raise ValueError(
                f"The centred kernel matrix of {role_name(role)} is zero: all rows are "
                "equally similar, so that nothing is left to compare. Check that the "
                "representation is not constant, or choose another kernel."
            )

    @staticmethod
    def _leave_out_diagonal(product, diagonal_x, diagonal_y, xp):
        """Inner product of two bias-corrected linear kernels, from the full one's.

        Centred rows make the kernel's row sums vanish, so that without its diagonal
        the row sums are minus the diagonal.
        """
        n = diagonal_x.shape[0]
        shared = inner(diagonal_x, diagonal_y, xp=xp)
        sums = xp.sum(diagonal_x) * xp.sum(diagonal_y)
        return product - shared * (1 + 2 / (n - 2)) + sums / ((n - 1) * (n - 2))

    def _compare(self, view_x, view_y, xp):
        x_is_factored = isinstance(view_x, LinearKernel)
        y_is_factored = isinstance(view_y, LinearKernel)
        if x_is_factored and y_is_factored:
            M = _product(view_x.rows, view_x.mean, view_y.rows, view_y.mean)
            product = inner(M, M, xp=xp)
            if self.estimator == "debiased":
                product = self._leave_out_diagonal(
                    product, view_x.diagonal, view_y.diagonal, xp
                )
            return product / (view_x.norm * view_y.norm)
        if y_is_factored:
            view_x, view_y = view_y, view_x
        if x_is_factored or y_is_factored:
            # centring is a projection: one centred kernel centres the other
            product = inner(view_x.rows, view_y.matrix @ view_x.rows, xp=xp)
            return product / view_x.norm
        return inner(view_x.matrix, view_y.matrix, xp=xp)

    def _compare_many(self, views_x, views_y, xp):
        """All pairs by one product of kernel matrices, where that is cheaper."""
        together = views_x if views_x is views_y else views_x + views_y
        n = _n_rows(together[0])
        if all(isinstance(view, LinearKernel) for view in together):
            widths_x = [view.rows.shape[1] for view in views_x]
            widths_y = widths_x
            if views_y is not views_x:
                widths_y = [view.rows.shape[1] for view in views_y]
            if not tiles_are_cheaper(widths_x, widths_y, n):
                return super()._compare_many(views_x, views_y, xp)
        tiles_x = [_tiles(view) for view in views_x]
        tiles_y = tiles_x if views_y is views_x else [_tiles(view) for view in views_y]
        products = product_of_tiles(tiles_x, tiles_y, n, xp=xp)
        return [
            [
                self._from_product(products[i, j], view_x, view_y, xp)
                for j, view_y in enumerate(views_y)
            ]
            for i, view_x in enumerate(views_x)
        ]

    def _from_product(self, product, view_x, view_y, xp):
        """Statistic from the inner product of the kernel matrices as they are kept."""
        views = [v for v in (view_x, view_y) if isinstance(v, LinearKernel)]
        if self.estimator == "debiased" and len(views) == 2:
            product = self._leave_out_diagonal(
                product, view_x.diagonal, view_y.diagonal, xp
            )
        for view in views:
            product = product / view.norm
        return product

    def _prepare_permutations(self, view_x, view_y, xp):
        """Kernel matrices, where picking their entries beats a product of rows."""
        if not (isinstance(view_x, LinearKernel) and isinstance(view_y, LinearKernel)):
            return view_x, view_y
        n = view_x.rows.shape[0]
        # measured: picking an entry costs as much as 32 multiplications
        if 32 * n > view_x.rows.shape[1] * view_y.rows.shape[1] or n > 8192:
            return view_x, view_y
        return self._as_kernels(view_x, view_y, xp)

    def _as_kernels(self, view_x, view_y, xp):
        """Both views as kernel matrices, whose rows sum to zero."""
        return tuple(
            self._kernel_view(view.rows @ view.rows.T, xp, role)
            if isinstance(view, LinearKernel)
            else view
            for view, role in ((view_x, "x"), (view_y, "y"))
        )

    def _trace_form(self, view_x, view_y, xp):
        return tuple(view.matrix for view in self._as_kernels(view_x, view_y, xp))

    def _compare_permuted(self, view_x, view_y, order, xp):
        if isinstance(view_x, CenteredKernel) and isinstance(view_y, CenteredKernel):
            return permuted_inner(view_x.matrix, view_y.matrix, order, xp=xp)
        return super()._compare_permuted(view_x, view_y, order, xp)

    def _leave_one_out(self, view_x, view_y, xp):
        # without a row the width of the RBF kernel is another one
        if self.estimator == "biased" or self.kernel == "rbf":
            return None
        views = view_x, view_y
        if all(isinstance(view, LinearKernel) for view in views):
            rows = [v.rows if v.mean is None else v.rows - v.mean for v in views]
            products = [
                u_row_products(rows[i], rows[j], xp=xp) for i, j in _PAIRS_OF_TWO
            ]
        else:
            kernels = [view.matrix for view in self._as_kernels(*views, xp)]
            products = [
                xp.sum(kernels[i] * kernels[j], axis=1) for i, j in _PAIRS_OF_TWO
            ]
        xy, xx, yy = (u_leave_one_out(product, xp=xp) for product in products)
        return xy / xp.sqrt(xx * yy)

    def _compare_weighted(self, view_x, view_y, weights, xp):
        if self.estimator == "biased":
            return None
        kernels = [view.matrix for view in self._as_kernels(view_x, view_y, xp)]
        xy, xx, yy = (
            weighted_u_inner(kernels[i], kernels[j], weights, xp=xp)
            for i, j in _PAIRS_OF_TWO
        )
        return xy / xp.sqrt(xx * yy)

    def _min_samples(self):
        return 4 if self.estimator == "debiased" else 2

    def _similarity_tags(self):
        debiased = self.estimator == "debiased"
        kernel_invariances = {
            "linear": {"PT", "OT", "IS", "TR"},
            "rbf": {"PT", "OT", "IS", "TR"},
            "cosine": {"PT", "OT", "IS"},
            "laplacian": {"PT", "TR"},
        }
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-1, 1) if debiased else (0, 1),
            invariances=kernel_invariances.get(self.kernel, {"PT"})
            if isinstance(self.kernel, str)
            else (),
            view_keywords=("role",),
            intervals=("jackknife", "subsample")
            + (("masked_bootstrap",) if debiased else ()),
            complexity="n d^2" if self.kernel == "linear" else "n^2 d",
            reference="Kornblith et al. 2019",
        )
