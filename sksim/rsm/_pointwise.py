"""Pointwise normalized kernel alignment."""

from dataclasses import dataclass

from sksim._sklearn_compat import StrOptions
from sksim.arrays._kernels import double_center
from sksim.arrays._linalg import centered, refuse_constant, rescaled, role_name
from sksim.arrays._namespace import (
    inner,
    number,
    root,
    row_inner,
    row_sum_of_squares,
)
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags
from sksim.rsm._kernels import divided


@dataclass(frozen=True)
class KernelRows(View):
    """Centred rows of unit Frobenius norm, and the norms of their kernel's rows.

    ``rows`` is None and ``matrix`` the kernel matrix where n x n is less than n x d.
    """

    rows: object
    matrix: object
    norms: object

    _row_fields = ("rows", "norms")
    _row_by_row_fields = ("matrix",)


class PointwiseKernelAlignment(BaseSimilarity):
    r"""Pointwise normalized kernel alignment (PNKA).

    How alike each input's similarities to all inputs are in the two representations:
    the cosine of the rows of both linear kernel matrices, averaged over the rows,

    .. math:: m(R, R') = \frac{1}{n} \sum_i \cos(K_i, K'_i), \qquad
        K = H R R^\top H .

    A similarity in [-1, 1], and one for each row. Invariant to orthogonal maps,
    isotropic scaling and translation.

    Parameters
    ----------
    kernel : {"linear", "precomputed"}, default="linear"
        Kernel of the rows. "precomputed": X and y are kernel matrices of shape
        (n_samples, n_samples), which are centred here (see :ref:`given_matrices`).

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean over the rows.
    similarities_ : array of shape (n_samples,)
        Similarity of each row: which inputs the two models represent differently.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant, or if a row equals the mean, so that its
        similarities to all rows are zero. If a given matrix is not square and
        symmetric.

    See Also
    --------
    CKA : The cosine of the whole kernel matrices.

    Notes
    -----
    Costs O(n d^2): row i of the kernel is R R_i, so that d x d' products suffice.

    References
    ----------
    C. Kolling, T. Speicher, V. Nanda, M. Toneva, K. P. Gummadi. Pointwise
    representational similarity. 2023, arXiv:2305.19294.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.rsm import PointwiseKernelAlignment
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> y = X.copy()
    >>> y[7] *= -1
    >>> int(PointwiseKernelAlignment().fit(X, y).similarities_.argmin())
    7
    """

    _parameter_constraints: dict = {"kernel": [StrOptions({"linear", "precomputed"})]}

    def __init__(self, kernel="linear"):
        self.kernel = kernel

    def _view(self, X, xp, role):
        if self._is_given:
            return self._given_view(X, xp, role)
        rows, _, _, squared_norm = centered(X, xp=xp)
        refuse_constant(squared_norm, role)
        if rows.shape[1] > rows.shape[0]:
            matrix = divided(rows @ rows.T, squared_norm, xp)
            norms = xp.sqrt(row_sum_of_squares(matrix, xp=xp))
            rows = None
        else:
            rows = rows * (1 / squared_norm**0.5)
            matrix = None
            # row i of the kernel has the norm of R_i under the metric R'R
            norms = xp.sqrt(xp.sum((rows @ (rows.T @ rows)) * rows, axis=1))
        self._refuse_means(norms, role, xp)
        return KernelRows(rows, matrix, norms)

    def _given_view(self, K, xp, role):
        """View of a given kernel matrix, centred."""
        K, _, before = rescaled(K, xp=xp)
        matrix = double_center(K, xp=xp)
        squared_norm = inner(matrix, matrix, xp=xp)
        rounding = 64 * float(xp.finfo(K.dtype).eps)
        if not number(squared_norm) > rounding**2 * before:
            refuse_constant(0, role)
        matrix = divided(matrix, root(squared_norm), xp)
        norms = xp.sqrt(row_sum_of_squares(matrix, xp=xp))
        self._refuse_means(norms, role, xp)
        return KernelRows(None, matrix, norms)

    @staticmethod
    def _refuse_means(norms, role, xp):
        """Raise where a row's similarities have no direction."""
        rounding = 8 * float(xp.finfo(norms.dtype).eps)
        undefined = norms <= rounding * xp.max(norms)
        if bool(xp.any(undefined)):
            place = int(xp.argmin(norms))
            raise ValueError(
                f"A row of {role_name(role)} (row {place}) equals the mean of all "
                "rows, so that its similarity to every row is 0 and has no direction. "
                "Remove the row from both representations."
            )

    def _compare(self, view_x, view_y, xp):
        if view_x.rows is None or view_y.rows is None:
            K, L = (self._kernel(view) for view in (view_x, view_y))
            products = row_inner(K, L, xp=xp)
        else:
            cross_product = view_x.rows.T @ view_y.rows
            products = xp.sum((view_x.rows @ cross_product) * view_y.rows, axis=1)
        similarities = products / view_x.norms / view_y.norms
        return xp.mean(similarities), {"similarities_": similarities}

    @staticmethod
    def _kernel(view):
        return view.matrix if view.rows is None else view.rows @ view.rows.T

    @property
    def _is_given(self):
        return self.kernel == "precomputed"

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-1, 1),
            invariances={"IS"} if self._is_given else {"PT", "OT", "IS", "TR"},
            requires=("given_kernels",) if self._is_given else ("nonzero_rows",),
            view_keywords=("role",),
            precomputed=self._is_given,
            complexity="n^2" if self._is_given else "n d^2",
            reference="Kolling et al. 2023",
        )
