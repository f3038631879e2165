"""Views and products of kernel matrices, as CKA and HSIC share them."""

from dataclasses import dataclass, replace
from numbers import Real

from sklearn.metrics.pairwise import PAIRWISE_KERNEL_FUNCTIONS

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._kernels import (
    double_center,
    kernel_matrix,
    rbf_kernel,
    refuse_zero_bandwidth,
    u_center,
    without_diagonal,
)
from sksim.arrays._linalg import (
    Offset,
    centered,
    lazily_centered,
    refuse_constant,
    rescaled,
    role_name,
    unit_rows,
)
from sksim.arrays._moments import MomentSums
from sksim.arrays._namespace import as_float64, inner, is_numpy, number, root
from sksim.arrays._pairs import (
    MATRIX_ROWS,
    blocked_median,
    rows_for_distances,
)
from sksim.arrays._symmetric import (
    BlockedMatrix,
    Dense,
    Factored,
    blocked_matrix,
    centred_by_blocks,
    squares_underflow,
    without_diagonals,
)
from sksim.base import BaseSimilarity, MomentMixin
from sksim.base._inner_product import InnerProductComparison

# Kernels of rows that can be computed of some of the rows alone.
KERNELS_OF_ROWS = {"rbf", *PAIRWISE_KERNEL_FUNCTIONS}
KERNEL_INVARIANCES = {
    "linear": {"PT", "OT", "IS", "TR"},
    "rbf": {"PT", "OT", "IS", "TR"},
    "cosine": {"PT", "OT", "IS"},
    "laplacian": {"PT", "TR"},
    "precomputed": {"IS"},
}


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
    if not number(squared_norm) > rounding**2:
        raise ValueError(
            f"The similarity matrix of {role_name(role)} is the one of z up to scale, "
            "so that nothing is left to compare after taking out the confounder."
        )


class BaseKernelSimilarity(BaseSimilarity):
    """A measure that is made of the inner product of two centred kernel matrices."""

    _parameter_constraints: dict = {
        "kernel": [StrOptions({"precomputed", *KERNELS_OF_ROWS}), callable],
        "bandwidth": [Interval(Real, 0, None, closed="neither")],
        "kernel_params": [dict, None],
        "verbose": ["verbose"],
    }

    _kind = InnerProductComparison

    @property
    def _is_biased(self):
        return self.debias is None

    @property
    def _samples_columns(self):
        """Whether columns, too, are a sample of many."""
        return self.debias == "both"

    @property
    def _is_nonnegative(self):
        """Whether no pair of kernel matrices has a negative product."""
        may_be_indefinite = self.kernel in ("sigmoid", "precomputed")
        is_definite = not may_be_indefinite and not callable(self.kernel)
        return self._is_biased and is_definite

    @property
    def _exact(self):
        """What is exact: without a row the width of the RBF kernel is another one."""
        has_fixed_width = self.kernel != "rbf"
        exact = {"null", "null_mean"} | ({"jackknife"} if has_fixed_width else set())
        return exact | ({"columns"} if self.kernel == "linear" else set())

    @property
    def _is_differentiable(self):
        """scikit-learn computes all other kernels, on numpy."""
        return self.kernel in ("linear", "cosine", "rbf", "precomputed")

    @property
    def _is_given(self):
        return not callable(self.kernel) and self.kernel == "precomputed"

    @property
    def _required(self):
        """What the tag ``requires`` says of the kernel."""
        if self._is_given:
            return ("given_kernels" if self._is_biased else "given_similarities",)
        return ("nonzero_rows",) if self.kernel == "cosine" else ()

    @property
    def _complexity(self):
        """What the tag ``complexity`` says of the kernel."""
        if self._is_given:
            return "n^2"
        return "n d^2" if self.kernel in ("linear", "cosine") else "n^2 d"

    def _view(self, X, xp, role):
        if self._samples_columns:
            return self._view_of_columns(X, xp, role)
        if self._is_given:
            # centring works in place on numpy, and what was given stays as it is
            K = X.copy() if is_numpy(xp) else X
            return self._kernel_view(K, xp, role)
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

    def _view_of_columns(self, X, xp, role):
        """Linear view that knows its columns, in double precision.

        Distinct columns of noise share a small part of what all of them add up to.
        """
        if self.kernel != "linear":
            raise ValueError(
                "debias='both' needs kernel='linear', which is a sum over columns; got "
                f"kernel={self.kernel!r}. Use debias='rows' with other kernels."
            )
        rows, _, scale, squared_norm = centered(as_float64(X, xp=xp), xp=xp)
        refuse_constant(squared_norm, role)
        # what the mean had no digits for would be left in small self terms
        rows = rows - xp.mean(rows, axis=0)
        if rows.shape[1] <= rows.shape[0]:
            form = self._linear_form(Offset(rows, None, squared_norm, 1.0), xp, role)
        else:
            K = divided(rows @ rows.T, squared_norm, xp)
            form = self._kernel_view(K, xp, role, unit=squared_norm)
        # in units of the matrix that is kept
        columns = rows * (1 / root(form.unit))
        unit = form.unit * (scale * scale)
        return self._of_sampled_columns(replace(form, unit=unit), columns, xp)

    def _of_sampled_columns(self, form, columns, xp):
        """The view that knows of its columns what the measure wants to know."""
        return replace(form, n_columns=columns.shape[1])

    def _blocked_view(self, X, xp, role):
        hollow = not self._is_biased
        params = self.kernel_params
        view = BlockedKernel(X, None, None, None, hollow, 1.0, 1.0, self.kernel, params)
        return self._not_flat(centred_by_blocks(view, xp=xp), role, xp)

    def _rbf_view(self, X, xp, role):
        if X.shape[0] <= MATRIX_ROWS:
            K = rbf_kernel(X, self.bandwidth, xp=xp, name=role_name(role))
            return self._kernel_view(K, xp, role)
        rows, squares, _ = rows_for_distances(X, xp=xp, role=role)
        median = blocked_median(rows, squares, xp=xp)
        refuse_zero_bandwidth(median, squares, role_name(role), xp=xp)
        decay = 0.5 / (self.bandwidth * median) ** 2
        view = blocked_matrix(rows, squares, decay, hollow=not self._is_biased, xp=xp)
        return self._not_flat(view, role, xp)

    def _not_flat(self, view, role, xp):
        before, dtype = view.squared_norm_before(xp=xp), view.rows.dtype
        kept = 0 if squares_underflow(before, view.n_samples, dtype, xp) else view.norm
        self._refuse_flat_kernel(kept**2, before, role, xp, dtype=dtype)
        return view

    def _linear_view(self, X, xp, role):
        offset = lazily_centered(X, xp=xp)
        refuse_constant(offset.squared_norm, role)
        return self._linear_form(offset, xp, role)

    def _linear_form(self, offset, xp, role):
        rows, mean, _, scale = offset
        form = Factored(rows, mean, unit=scale * scale)
        squared_norm = form.inner(form, xp=xp)
        if self._is_biased:
            return replace(form, norm=root(squared_norm))
        form = replace(form, left_out=form.diagonal(xp=xp))
        unbiased = form.without_diagonals(form, squared_norm, xp=xp)
        remaining = number(unbiased) / number(squared_norm)
        if remaining < float(xp.finfo(rows.dtype).eps) ** 0.25:
            # a few large rows: what is left without the diagonal has lost its digits
            rows = form.centred
            return self._kernel_view(rows @ rows.T, xp, role, unit=form.unit)
        return replace(form, norm=root(unbiased))

    def _kernel_view(self, K, xp, role, unit=1.0):
        if not self._is_biased and self.kernel not in ("linear", "cosine"):
            # entries of a narrow kernel are far below its diagonal, and as precise;
            # inner products are only as precise as the rows' norms
            K = without_diagonal(K, xp=xp, overwrite=True)
            if number(xp.max(xp.abs(K))) < float(xp.finfo(K.dtype).smallest_normal):
                K = xp.zeros_like(K)  # numbers so small have lost their digits
        K, scale, before = rescaled(K, xp=xp)
        centre = double_center if self._is_biased else u_center
        K = centre(K, xp=xp, overwrite=True)
        squared_norm = inner(K, K, xp=xp)
        self._refuse_flat_kernel(squared_norm, before, role, xp)
        # of unit norm, so that products neither overflow nor vanish
        norm = root(squared_norm)
        matrix = divided(K, norm, xp)
        return Dense(matrix, not self._is_biased, 1.0, norm * (unit * scale))

    def _residual_view(self, X, z, xp, role):
        """View of the centred kernel matrix without what that of z explains."""
        if self._samples_columns:
            raise ValueError(
                "debias='both' is not defined beyond a confounder: what z leaves of a "
                "similarity matrix is no sum over columns. Use debias='rows'."
            )
        view = self._whole(self._view(X, xp, role), xp)
        confounder = self._whole(self._view(z, xp, "z"), xp).matrix
        matrix = view.matrix
        matrix = matrix - inner(matrix, confounder, xp=xp) * confounder
        squared_norm = inner(matrix, matrix, xp=xp)
        refuse_explained(squared_norm, role, xp)
        return replace(view, matrix=matrix, norm=root(squared_norm))

    def _repeated_view(self, trials, xp, role):
        """View of the mean trials, whose self term is of distinct trials."""
        if self.kernel != "linear" or self._is_biased:
            raise ValueError(
                f"Repetitions are left out of their own products by the linear kernel "
                f"with debias='rows' or 'both'; got {self!r}."
            )
        trials, scale = trials.centred(xp=xp)
        view = self._view(trials.means(xp=xp), xp, role)
        norm = self._norm_of_trials(trials, view, xp, role)
        unit = view.unit * (scale * scale)
        return replace(view, norm=norm, unit=unit, columns=None)

    def _norm_of_trials(self, trials, view, xp, role):
        return view.norm

    @staticmethod
    def _whole(view, xp):
        """Centred kernel matrix of unit norm."""
        view = view.dense(xp=xp)
        matrix = view.matrix / view.norm
        return replace(view, matrix=matrix, norm=1.0, unit=view.norm * view.unit)

    @staticmethod
    def _refuse_flat_kernel(squared_norm, before, role, xp, dtype=None):
        rounding = 64 * float(xp.finfo(dtype or squared_norm.dtype).eps)
        if not number(squared_norm) > rounding**2 * number(before):
            raise ValueError(
                f"The centred kernel matrix of {role_name(role)} is zero: all rows are "
                "equally similar, so that nothing is left to compare. Check that the "
                "representation is not constant, or choose another, or wider, kernel."
            )

    def _min_samples(self):
        return 2 if self._is_biased else 4

    def _invariances(self):
        if callable(self.kernel):
            return ()
        return KERNEL_INVARIANCES.get(self.kernel, {"PT"})


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

    def _moment_sums(self, moments, xp):
        """What a layer, given as X and y at once, adds to moments over all orders."""
        squared_norm = float(self._kernel_products(moments, xp)[1])
        return MomentSums.of(
            moments.x, moments.xx, squared_norm, hollow=not self._is_biased, xp=xp
        )
