"""Views and products of kernel matrices, as CKA and HSIC share them."""

import math
from dataclasses import dataclass
from functools import partial
from numbers import Real

from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS

from sksim.base import BaseSimilarity, MomentMixin
from sksim.base._picking import PickedProductMixin
from sksim.utils._array_api import (
    as_float64,
    inner,
    is_numpy,
    row_sum_of_squares,
)
from sksim.utils._kernels import (
    double_center,
    factored_tile,
    kernel_matrix,
    product_of_tiles,
    rbf_kernel,
    refuse_zero_bandwidth,
    tiles_are_cheaper,
    u_center,
)
from sksim.utils._linalg import (
    centered_product,
    lazily_centered,
    refuse_constant,
    rescaled,
    role_name,
    unit_rows,
)
from sksim.utils._pairs import (
    MATRIX_ROWS,
    BlockedMatrix,
    blocked_inner,
    blocked_matrix,
    blocked_median,
    centred_by_blocks,
    rows_for_distances,
)
from sksim.utils._sklearn_compat import Interval, StrOptions
from sksim.utils._trace_form import (
    TraceForm,
    dense,
    hollow_outer_product,
    outer_product,
)
from sksim.utils._views import View

KERNEL_INVARIANCES = {
    "linear": {"PT", "OT", "IS", "TR"},
    "rbf": {"PT", "OT", "IS", "TR"},
    "cosine": {"PT", "OT", "IS"},
    "laplacian": {"PT", "TR"},
}


@dataclass(frozen=True)
class LinearKernel(View):
    """Linear kernel in factored form: rows, never an n x n matrix.

    ``mean`` is what is still to be subtracted from the rows, None if they are
    centred. ``diagonal`` is that of the centred kernel matrix, which the unbiased
    estimators leave out (None for the biased one), and ``norm`` the matrix's norm;
    times ``unit`` it is the norm for the representation itself.
    """

    rows: object
    mean: object
    diagonal: object
    norm: float
    unit: float

    _row_fields = ("rows", "diagonal")

    @property
    def centred(self):
        """Rows with their mean subtracted."""
        return self.rows if self.mean is None else self.rows - self.mean


@dataclass(frozen=True)
class CenteredKernel(View):
    """Centred kernel matrix, divided by its norm, which is ``norm`` times ``unit``."""

    matrix: object
    norm: float
    unit: float

    _row_by_row_fields = ("matrix",)


@dataclass(frozen=True)
class BlockedKernel(BlockedMatrix):
    """Centred matrix of any kernel, of which only blocks are ever made."""

    kernel: object = None
    kernel_params: dict | None = None

    def entries(self, i, j, *, xp):
        """Kernel of some rows with others, both slices."""
        first, second = self.rows[i, :], self.rows[j, :]
        return kernel_matrix(
            first, self.kernel, self.kernel_params, xp=xp, other=second
        )


def divided(K, norm, xp):
    """K / norm, in place where that is possible."""
    if is_numpy(xp):
        K *= 1 / norm
        return K
    return K / norm


def refuse_explained(squared_norm, role, xp):
    """Raise if a confounder leaves nothing of a similarity matrix of norm 1."""
    rounding = 64 * float(xp.finfo(squared_norm.dtype).eps)
    if not float(squared_norm) > rounding**2:
        raise ValueError(
            f"The similarity matrix of {role_name(role)} is the one of z up to scale, "
            "so that nothing is left to compare after taking out the confounder."
        )


def without_diagonals(product, shared, sums, n):
    """Inner product of two linear kernels of centred rows, bias-corrected.

    Centred rows make the kernel's row sums vanish, so that without its diagonal the
    row sums are minus the diagonal.

    Parameters
    ----------
    product : float
        Inner product of the kernels with their diagonals.
    shared, sums : float
        Inner product of the two diagonals, and product of their sums.
    n : int
        Number of rows.
    """
    return product - shared * (1 + 2 / (n - 2)) + sums / ((n - 1) * (n - 2))


def n_rows(view):
    """Number of rows of the representation that a view is made of."""
    return (view.matrix if isinstance(view, CenteredKernel) else view.rows).shape[0]


def _tiles(view):
    """Function of row and column slices that gives a tile of the kernel matrix."""
    if isinstance(view, LinearKernel):
        return partial(factored_tile, view.rows, view.mean)
    return lambda rows, columns: view.matrix[rows, columns]


class BaseKernelSimilarity(PickedProductMixin, BaseSimilarity):
    """A measure that is made of the inner product of two centred kernel matrices."""

    _parameter_constraints: dict = {
        "kernel": [StrOptions({"rbf", *PAIRWISE_KERNEL_FUNCTIONS}), callable],
        "bandwidth": [Interval(Real, 0, None, closed="neither")],
        "kernel_params": [dict, None],
        "verbose": ["verbose"],
    }

    @property
    def _is_biased(self):
        return self.estimator == "biased"

    @property
    def _is_nonnegative(self):
        """Whether no pair of kernel matrices has a negative product."""
        is_definite = self.kernel != "sigmoid" and not callable(self.kernel)
        return self._is_biased and is_definite

    def _view(self, X, xp, role):
        if self.kernel == "cosine":
            X = unit_rows(X, xp=xp, role=role)
        if self.kernel in ("linear", "cosine"):
            if X.shape[1] <= X.shape[0]:
                return self._linear_view(X, xp, role)
            # centring the kernel matrix centres the rows
            rows, _, squared_norm, scale = lazily_centered(X, xp=xp)
            refuse_constant(squared_norm, role)
            # the squared norm keeps the entries of the n x n matrix near 1
            unit = squared_norm * scale * scale
            return self._kernel_view(
                divided(rows @ rows.T, squared_norm, xp), xp, role, unit=unit
            )
        if self.kernel == "rbf":
            return self._rbf_view(X, xp, role)
        if X.shape[0] > MATRIX_ROWS:
            return self._blocked_view(X, xp, role)
        K = kernel_matrix(X, self.kernel, self.kernel_params, xp=xp)
        return self._kernel_view(K, xp, role)

    def _blocked_view(self, X, xp, role):
        hollow = not self._is_biased
        params = self.kernel_params
        view = BlockedKernel(X, None, None, None, hollow, 1.0, 1.0, self.kernel, params)
        view = centred_by_blocks(view, xp=xp)
        self._refuse_flat_kernel(view.norm**2, X.shape[0], role, xp, dtype=X.dtype)
        return view

    def _rbf_view(self, X, xp, role):
        if X.shape[0] <= MATRIX_ROWS:
            K = rbf_kernel(X, self.bandwidth, xp=xp, name=role_name(role))
            return self._kernel_view(K, xp, role)
        rows, squares, _ = rows_for_distances(X, xp=xp, role=role)
        median = blocked_median(rows, squares, xp=xp)
        refuse_zero_bandwidth(median, squares, role_name(role), xp=xp)
        decay = 0.5 / (self.bandwidth * median) ** 2
        view = blocked_matrix(rows, squares, decay, hollow=not self._is_biased, xp=xp)
        self._refuse_flat_kernel(view.norm**2, X.shape[0], role, xp, dtype=X.dtype)
        return view

    def _linear_view(self, X, xp, role):
        rows, mean, squared_norm, scale = lazily_centered(X, xp=xp)
        refuse_constant(squared_norm, role)
        gram = centered_product(rows, mean, rows, mean)
        squared_norm = inner(gram, gram, xp=xp)
        unit = scale * scale
        if self._is_biased:
            return LinearKernel(rows, mean, None, float(squared_norm) ** 0.5, unit)
        diagonal = row_sum_of_squares(rows, xp=xp)
        if mean is not None:
            diagonal = diagonal - 2 * (rows @ mean) + mean @ mean
        unbiased = self._leave_out_diagonal(squared_norm, diagonal, diagonal, xp)
        remaining = float(unbiased) / float(squared_norm)
        if remaining < float(xp.finfo(X.dtype).eps) ** 0.25:
            # a few large rows: what is left without the diagonal has lost its digits
            if mean is not None:
                rows = rows - mean
            return self._kernel_view(rows @ rows.T, xp, role, unit=unit)
        return LinearKernel(rows, mean, diagonal, float(unbiased) ** 0.5, unit)

    def _kernel_view(self, K, xp, role, unit=1.0):
        K, scale, before = rescaled(K, xp=xp)
        centre = double_center if self._is_biased else u_center
        K = centre(K, xp=xp, overwrite=True)
        squared_norm = inner(K, K, xp=xp)
        self._refuse_flat_kernel(squared_norm, before, role, xp)
        norm = float(squared_norm) ** 0.5
        return CenteredKernel(divided(K, norm, xp), norm, unit * scale)

    def _residual_view(self, X, z, xp, role):
        """View of the centred kernel matrix without what that of z explains."""
        matrix, norm, unit = self._dense(self._view(X, xp, role), xp, role)
        confounder = self._dense(self._view(z, xp, "z"), xp, "z")[0]
        matrix = matrix - inner(matrix, confounder, xp=xp) * confounder
        squared_norm = inner(matrix, matrix, xp=xp)
        refuse_explained(squared_norm, role, xp)
        share = float(squared_norm) ** 0.5
        return CenteredKernel(matrix / share, norm * share, unit)

    def _dense(self, view, xp, role):
        """Centred kernel matrix of unit norm of any view, its norm and its unit."""
        if isinstance(view, LinearKernel):
            rows = view.centred
            view = self._kernel_view(rows @ rows.T, xp, role, unit=view.unit)
        elif isinstance(view, BlockedMatrix):
            everything = slice(0, view.rows.shape[0])
            matrix = view.block(everything, everything, xp=xp) / view.norm
            return matrix, view.norm, view.unit
        return view.matrix, view.norm, view.unit

    @staticmethod
    def _refuse_flat_kernel(squared_norm, before, role, xp, dtype=None):
        rounding = 64 * float(xp.finfo(dtype or squared_norm.dtype).eps)
        if not float(squared_norm) > rounding**2 * float(before):
            raise ValueError(
                f"The centred kernel matrix of {role_name(role)} is zero: all rows are "
                "equally similar, so that nothing is left to compare. Check that the "
                "representation is not constant, or choose another kernel."
            )

    @staticmethod
    def _leave_out_diagonal(product, diagonal_x, diagonal_y, xp):
        """Inner product of two bias-corrected linear kernels, from the full one's."""
        shared = inner(diagonal_x, diagonal_y, xp=xp)
        sums = xp.sum(diagonal_x) * xp.sum(diagonal_y)
        return without_diagonals(product, shared, sums, diagonal_x.shape[0])

    def _alignment(self, view_x, view_y, xp):
        """Cosine of the two centred kernel matrices."""
        if isinstance(view_x, BlockedMatrix):
            return blocked_inner(view_x, view_y, xp=xp)
        x_is_factored = isinstance(view_x, LinearKernel)
        y_is_factored = isinstance(view_y, LinearKernel)
        if x_is_factored and y_is_factored:
            M = centered_product(view_x.rows, view_x.mean, view_y.rows, view_y.mean)
            product = inner(M, M, xp=xp)
            if not self._is_biased:
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

    def _alignment_many(self, views_x, views_y, xp):
        """Cosines of all pairs, by one product of kernel matrices where cheaper."""
        together = views_x if views_x is views_y else views_x + views_y
        if any(isinstance(view, BlockedMatrix) for view in together):
            return None
        n = n_rows(together[0])
        if all(isinstance(view, LinearKernel) for view in together):
            widths_x = [view.rows.shape[1] for view in views_x]
            widths_y = widths_x
            if views_y is not views_x:
                widths_y = [view.rows.shape[1] for view in views_y]
            if not tiles_are_cheaper(widths_x, widths_y, n):
                return None
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
        """Cosine from the inner product of the kernel matrices as they are kept."""
        views = [v for v in (view_x, view_y) if isinstance(v, LinearKernel)]
        if not self._is_biased and len(views) == 2:
            product = self._leave_out_diagonal(
                product, view_x.diagonal, view_y.diagonal, xp
            )
        for view in views:
            product = product / view.norm
        return product

    def _product_shape(self, view):
        n_samples = n_rows(view)
        if isinstance(view, BlockedMatrix):
            return n_samples, 0
        if isinstance(view, LinearKernel):
            return view.rows.shape
        return n_samples, math.inf

    def _product_matrix(self, view, role, xp):
        """Centred kernel matrix of unit norm."""
        return self._as_kernel(view, xp, role).matrix

    def _as_kernels(self, view_x, view_y, xp):
        """Both views as kernel matrices, whose rows sum to zero."""
        return self._as_kernel(view_x, xp, "x"), self._as_kernel(view_y, xp, "y")

    def _as_kernel(self, view, xp, role):
        if not isinstance(view, LinearKernel):
            return view
        if not self._is_biased:
            K = view.rows @ view.rows.T
            return self._kernel_view(K, xp, role, unit=view.unit)
        # centred rows of the right norm leave nothing to be done to the matrix
        rows = view.centred * view.norm**-0.5
        return CenteredKernel(rows @ rows.T, view.norm, view.unit)

    def _trace_form(self, view_x, view_y, xp):
        if not self._product_shape(view_x)[1]:
            return None
        kernels, norms = [], 1.0
        for view in (view_x, view_y):
            if isinstance(view, LinearKernel):
                rows = as_float64(view.centred, xp=xp)
                # to the last digit of double precision, whatever the view's
                rows = rows - xp.mean(rows, axis=0)
                outer = outer_product if self._is_biased else hollow_outer_product
                kernels.append(outer(rows, xp=xp))
                norms *= view.norm
            else:
                kernels.append(dense(view.matrix, xp=xp))
        return TraceForm(*kernels, self._of_product(1 / norms, view_x, view_y))

    def _min_samples(self):
        return 2 if self._is_biased else 4

    def _invariances(self):
        return KERNEL_INVARIANCES.get(
            self.kernel if isinstance(self.kernel, str) else None, ()
        ) or ({"PT"} if isinstance(self.kernel, str) else ())


class KernelMomentMixin(MomentMixin):
    """Products of linear kernels as functions of moments."""

    def _moments_needed(self):
        return {"gram", "cross"} | (set() if self._is_biased else {"quartic"})

    def _kernel_products(self, moments, xp):
        """Inner products of the centred linear kernels: of both, and of each one."""
        for side, role in ((moments.x, "x"), (moments.y, "y")):
            refuse_constant(side.squared_norm, role)
        norms = moments.x.squared_norm, moments.y.squared_norm
        products = []
        for pair, (a, b) in (
            (moments.xy, norms),
            (moments.xx, norms[:1] * 2),
            (moments.yy, norms[1:] * 2),
        ):
            product = inner(pair.matrix, pair.matrix, xp=xp)
            if not self._is_biased:
                unbiased = without_diagonals(product, pair.quartic, a * b, moments.n)
                if pair is not moments.xy:
                    role = "x" if pair is moments.xx else "y"
                    self._refuse_flat_kernel(unbiased, product, role, xp)
                product = unbiased
            products.append(product)
        return products
