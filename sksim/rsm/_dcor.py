"""Distance correlation."""

from sksim._sklearn_compat import StrOptions
from sksim.arrays._kernels import double_center, u_center
from sksim.arrays._linalg import role_name
from sksim.arrays._namespace import inner, nonnegative, number, root
from sksim.arrays._pairs import MATRIX_ROWS, distance_matrix, rows_for_distances
from sksim.arrays._symmetric import Dense, blocked_matrix
from sksim.base import BaseSimilarity
from sksim.base._inner_product import InnerProductComparison
from sksim.base._tags import SimilarityTags


class DistanceCorrelation(BaseSimilarity):
    r"""Distance correlation.

    The cosine of the two doubly centred matrices of Euclidean distances
    :math:`A_{ij} = \lVert R_i - R_j \rVert` and
    :math:`B_{ij} = \lVert R'_i - R'_j \rVert`, under a root:

    .. math:: m(R, R')^2 = \frac{\langle H A H, H B H \rangle}
        {\lVert H A H \rVert_F \lVert H B H \rVert_F}

    A similarity in [0, 1]. In the limit of many rows it is 0 exactly if the
    representations are independent. Invariant to orthogonal maps, isotropic scaling
    and translation. Between unrelated wide representations the biased value is far
    from 0; the unbiased one is not.

    Parameters
    ----------
    squared : bool, default=False
        Whether to leave out the root.
    debias : {"rows"}, default=None
        "rows" centres in the bias-corrected way of Székely and Rizzo, with the
        diagonal set aside. The result is the squared distance correlation, is
        negative at times, and needs at least 4 rows; ``squared`` has no effect.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error,
        for more than 4096 rows.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Distance correlation.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant: it depends on nothing.

    See Also
    --------
    CKA : The same with kernels instead of distances.

    Notes
    -----
    Costs O(n^2 d). Up to 4096 rows the matrices are kept; above, sums run over blocks
    and memory stays at a few tens of MB.

    References
    ----------
    G. J. Székely, M. L. Rizzo, N. K. Bakirov. Measuring and testing dependence by
    correlation of distances. Annals of Statistics, 2007.

    G. J. Székely, M. L. Rizzo. Partial distance correlation with methods for
    dissimilarities. Annals of Statistics, 2014 (the unbiased form).

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.rsm import DistanceCorrelation
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 4))
    >>> round(DistanceCorrelation().fit(X, 1 - 3 * X[:, ::-1]).score_, 12)
    1.0
    >>> unrelated = rng.normal(size=(100, 4))
    >>> abs(DistanceCorrelation(debias="rows").fit(X, unrelated).score_) < 0.1
    True
    """

    _kind = InnerProductComparison
    _parameter_constraints: dict = {
        "squared": ["boolean"],
        "debias": [StrOptions({"rows"}), None],
        "verbose": ["verbose"],
    }

    def __init__(self, *, squared=False, debias=None, verbose=0):
        self.squared = squared
        self.debias = debias
        self.verbose = verbose

    def _view(self, X, xp, role):
        rows, squares, _ = rows_for_distances(X, xp=xp, role=role)
        n = rows.shape[0]
        if n > MATRIX_ROWS:
            return blocked_matrix(rows, squares, None, hollow=self._is_debiased, xp=xp)
        distances = distance_matrix(rows, squares, None, xp=xp)
        centre = u_center if self._is_debiased else double_center
        matrix = centre(distances, xp=xp, overwrite=True)
        squared_norm = inner(matrix, matrix, xp=xp)
        rounding = 64 * float(xp.finfo(rows.dtype).eps)
        if not number(squared_norm) > rounding**2 * number(xp.sum(squares)) * n:
            raise ValueError(
                f"The centred distance matrix of {role_name(role)} is zero: all rows "
                "are equally far apart, so that nothing is left to compare. Use more "
                "rows, or debias=None."
            )
        return Dense(matrix, self._is_debiased, root(squared_norm))

    def _form(self, view, role, xp):
        return view

    def _of_product(self, product, view_x, view_y, n_samples):
        cosine = product / view_x.norm / view_y.norm
        if self._is_product:
            return cosine
        # the biased distance covariance is never negative, but for rounding
        return root(nonnegative(cosine))

    @property
    def _is_debiased(self):
        return self.debias is not None

    @property
    def _is_product(self):
        """Whether no root is taken of the inner product."""
        return self._is_debiased or self.squared

    def _min_samples(self):
        return 4 if self._is_debiased else 2

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-1, 1) if self._is_debiased else (0, 1),
            invariances={"PT", "OT", "IS", "TR"},
            view_keywords=("role",),
            exact={"jackknife"}
            | ({"null", "null_mean"} if self._is_product else set()),
            differentiable=True,
            complexity="n^2 d",
            reference="Székely et al. 2007",
        )
