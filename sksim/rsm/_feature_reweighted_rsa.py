"""Representational similarity analysis with a weight for each column."""

import warnings
from dataclasses import dataclass
from numbers import Real

import numpy as np
from scipy.optimize import lsq_linear, nnls
from sklearn.utils import check_array

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._kernels import squared_distances
from sksim.arrays._linalg import centered, refuse_constant, rescaled
from sksim.arrays._namespace import (
    as_float64,
    get_namespace_and_device,
    inner,
    to_numpy,
)
from sksim.arrays._pairs import SquaredDistances, n_pairs, squared_distance_rows
from sksim.arrays._views import View, some_pairs
from sksim.base import BaseSimilarity
from sksim.base._given import KINDS, check_given
from sksim.base._readable import is_list, readable
from sksim.base._tags import SimilarityTags
from sksim.base._validation import (
    _check_matrix,
    check_representation_pair,
    check_same_length,
)
from sksim.rsm._pair_lists import sum_of_products
from sksim.rsm._rsa import RSA

# Directions of the columns' dissimilarities with so small a share of the largest
# eigenvalue are rounding: products of lists square their condition number.
_ROUNDING = 1e-13


@dataclass(frozen=True)
class Solver:
    """Least squares with weights that are not negative, for any target.

    Attributes
    ----------
    factor : array of shape (rank, n_weights)
        R with R'R the Gram matrix of the lists, each of unit norm with its penalty.
    whiten : array of shape (rank, n_weights)
        Makes of products of lists and target what R is to explain.
    sizes : array of shape (n_weights,)
        Norms of the lists with their penalty, 1 where a list is zero.
    """

    factor: object
    whiten: object
    sizes: object

    @classmethod
    def of(cls, gram, ridge):
        """Solver of lists with this Gram matrix."""
        own = np.diagonal(gram)
        penalised = gram + np.diag(np.full(len(gram), ridge * own.mean()))
        sizes = np.sqrt(np.diagonal(penalised))
        sizes = np.where(sizes > 0, sizes, 1)
        values, vectors = np.linalg.eigh(penalised / sizes / sizes[:, None])
        kept = values > _ROUNDING * len(values) * values[-1]
        roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
        return cls(roots[:, None] * vectors.T, vectors.T / roots[:, None], sizes)

    def weights(self, products):
        """Weights for a target that has these products with the lists."""
        target = self.whiten @ (products / self.sizes)
        size = float(np.linalg.norm(target))
        if size == 0:
            return np.zeros_like(self.sizes)
        # scipy < 1.15 measures its tolerance by the matrix alone
        target = target / size
        try:
            found = nnls(self.factor, target, maxiter=30 * len(products))[0]
        except RuntimeError:
            # the same scipy goes in circles where lists are nearly the same
            bounds = (0, np.inf)
            found = lsq_linear(self.factor, target, bounds, tol=1e-14).x
        return found * size / self.sizes


@dataclass(frozen=True)
class ColumnLists(View):
    """X: the squared differences of all pairs of rows in each column.

    Attributes
    ----------
    rows : array of shape (n_samples, n_features)
        Centred.
    unit : float
        Of the rows, and so the root of that of the lists.
    means : array of shape (n_features,)
        Of the lists, where they are compared without, else 0.
    gram : array of shape (n_features, n_features)
        Products of the lists over all pairs.
    solver : Solver
    """

    rows: object
    unit: float
    means: object
    gram: object
    solver: Solver

    def products(self, target):
        """Products with dissimilarities, over all pairs."""
        n = len(self.rows)
        own = self.rows**2
        if target.distances is None:
            products = np.sum(target.matrix, axis=0) @ own
            products -= np.einsum("ij,ij->j", self.rows, target.matrix @ self.rows)
            return products - n_pairs(n) * self.means * target.mean
        cross = self.rows.T @ target.distances.rows
        products = n * (own.T @ target.distances.squares)
        products += np.sum(own, axis=0) * np.sum(target.distances.squares)
        products += 2 * np.einsum("ij,ij->i", cross, cross)
        return products - n_pairs(n) * self.means * target.mean

    def fitted(self, weights):
        """Rows whose squared distances are the weighted dissimilarities."""
        return self.rows * np.sqrt(weights)


@dataclass(frozen=True)
class GivenLists(View):
    """X: given dissimilarities.

    Attributes
    ----------
    matrices : array of shape (n_samples, n_samples, n_matrices)
    unit : float
        The root of that of the matrices.
    means : array of shape (n_matrices,)
    gram : array of shape (n_matrices, n_matrices)
    solver : Solver
    """

    matrices: object
    unit: float
    means: object
    gram: object
    solver: Solver

    def products(self, target):
        """Products with given dissimilarities, over all pairs."""
        n = len(self.matrices)
        products = np.tensordot(target.matrix, self.matrices, axes=2) / 2
        return products - n_pairs(n) * self.means * target.mean

    def fitted(self, weights):
        """The weighted dissimilarities."""
        return self.matrices @ weights


@dataclass(frozen=True)
class GivenTarget(View):
    """Given dissimilarities of y beside rows of X: of both axes some rows are taken."""

    matrix: object

    _row_by_row_fields = ("matrix",)

    @property
    def shape(self):
        """Of the matrix: both sides have as many rows."""
        return self.matrix.shape

    def some(self, rows):
        """Dissimilarities of some of the rows."""
        return GivenTarget(some_pairs(self.matrix, rows))


@dataclass(frozen=True)
class Target(View):
    """y: dissimilarities of all pairs of rows.

    Attributes
    ----------
    distances : SquaredDistances or None
        Of rows of features.
    matrix : array of shape (n_samples, n_samples) or None
        Given ones.
    mean, norm : float
        Mean where they are compared without it, else 0, and the norm of what is left.
    unit : float
        The root of that of the dissimilarities.
    compared : View or None
        What RSA compares of them, where that is not the least squares' own cosine.
    """

    distances: SquaredDistances | None
    matrix: object
    mean: float
    norm: float
    unit: float
    compared: View | None

    _row_fields = ("distances", "compared")
    _row_by_row_fields = ("matrix",)


class FeatureReweightedRSA(BaseSimilarity):
    r"""RSA of dissimilarities whose parts are weighted to fit.

    Non-negative weights of the columns of X, or of given dissimilarities, are fitted so
    that the weighted dissimilarities are those of y:

    .. math:: w = \operatorname*{argmin}_{w \ge 0} \sum_{i<j} \Bigl( d(R'_i, R'_j) - c -
        \sum_k w_k (R_{ik} - R_{jk})^2 \Bigr)^2 + \lambda \lVert w \rVert^2

    Both lists of dissimilarities are then compared as :class:`RSA` compares them. A
    similarity, at most 1, asymmetric: X is fitted to y. Invariant to permutation,
    translation and isotropic scaling of the columns of X, and to what leaves the
    dissimilarities of y as they are.

    Parameters
    ----------
    metric : {"sqeuclidean", "precomputed"}, default="sqeuclidean"
        Dissimilarities of X: squared differences in each of its columns, or given
        matrices, of layers or of models, of which each has a weight. X is then a list
        of matrices of shape (n_samples, n_samples), or of condensed vectors, or an
        array of shape (n_matrices, n_samples, n_samples), and y is one matrix or
        vector.
    comparison : str, default="pearson"
        How the fitted dissimilarities are compared with those of y: any of
        :class:`RSA`. Weights are fitted by least squares with an intercept c, and
        without one for "cosine" and "cosine_cov".
    y_metric : str, default="sqeuclidean"
        Dissimilarity of two rows of y: "sqeuclidean", "correlation" or "cosine".
        "precomputed": y is a matrix of dissimilarities, or a condensed vector, beside
        rows of X; where X is given too, y is in any case.
    ridge : float, default=0
        Penalty on the squared weights, relative to the mean squared norm of the lists
        of dissimilarities that are weighted, so that one number suits few rows and
        many. With a penalty, the scale of the columns counts.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Correlation of the fitted dissimilarities with y's, on the training rows.
    weights_ : ndarray of shape (n_features,) or (n_matrices,)
        Weight of each column's squared differences, or of each matrix.
    intercept_ : float
        The constant c.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant, or all pairs of rows of y are equally
        dissimilar. If a row of y has no dissimilarity (constant rows for "correlation",
        zero rows for "cosine"). If a given matrix is not symmetric, of another size,
        or lacks entries.

    Warns
    -----
    UserWarning
        If all weights are 0: no column's dissimilarities grow with y's. The score is 0
        then.

    See Also
    --------
    RSA : The same with all weights 1.
    sksim.alignment.LinearRegressionSimilarity : Predicts y itself.

    Notes
    -----
    The training rows' own ``score_`` grows with the number of columns. ``score(X, y)``
    is the correlation on the pairs of new rows, with the weights as they were fitted;
    ``cross_val_score`` and grids use it, and pairs of a training row with a new one
    have no part. Permutation tests fit the weights anew for each order of rows, so that
    they are valid for the training rows' score too.

    Weights of columns multiply squared differences: ``X * numpy.sqrt(weights_)`` has
    the fitted dissimilarities. Columns of other units have other weights and, without
    a penalty, the same fit. Given matrices are cut by ``similarity_interval``;
    splitters such as ``cross_val_score`` cut rows alone and are refused, as
    :ref:`elsewhere <given_matrices>`: pass ``score`` the new rows' own matrices.

    Weights follow from products of lists, which are sums over rows: O(n d^2 + d^3), and
    no list of pairs where "pearson" or "cosine" is compared. Computed on the CPU, in
    float64.

    References
    ----------
    P. Kaniuth, M. N. Hebart. Feature-reweighted representational similarity analysis: a
    method for improving the fit between computational models, brains, and behavior.
    NeuroImage, 2022.

    S.-M. Khaligh-Razavi, N. Kriegeskorte. Deep supervised, but not unsupervised, models
    may explain IT cortical representation. PLoS Computational Biology, 2014 (weights of
    given dissimilarities).

    Examples
    --------
    Only two of six columns matter to y:

    >>> import numpy as np
    >>> from sklearn.model_selection import cross_val_score
    >>> from sksim.rsm import RSA, FeatureReweightedRSA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 6))
    >>> y = X[:, :2] * [3, 1] + 0.3 * rng.normal(size=(60, 2))
    >>> measure = FeatureReweightedRSA().fit(X, y)
    >>> measure.weights_.round(1) + 0
    array([9.1, 1.1, 0. , 0. , 0. , 0. ])
    >>> bool(cross_val_score(measure, X, y).mean() > 0.95)
    True
    >>> RSA(metric="sqeuclidean", comparison="pearson").fit(X, y).score_ < 0.6
    True
    """

    _parameter_constraints: dict = {
        "metric": [StrOptions({"sqeuclidean", "precomputed"})],
        "comparison": RSA._parameter_constraints["comparison"],
        "y_metric": [
            StrOptions({"sqeuclidean", "correlation", "cosine", "precomputed"})
        ],
        "ridge": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        metric="sqeuclidean",
        comparison="pearson",
        *,
        y_metric="sqeuclidean",
        ridge=0.0,
    ):
        self.metric = metric
        self.comparison = comparison
        self.y_metric = y_metric
        self.ridge = ridge

    @property
    def _is_given(self):
        return self.metric == "precomputed"

    @property
    def _is_y_given(self):
        return self._is_given or self.y_metric == "precomputed"

    @property
    def _has_intercept(self):
        return self.comparison not in ("cosine", "cosine_cov")

    @property
    def _is_least_squares(self):
        """Whether the value is the cosine that least squares make largest."""
        return self.comparison in ("pearson", "cosine")

    def _compared(self, side):
        """RSA that compares the lists of one side with those of the other."""
        metric = {"x": "sqeuclidean", "y": self.y_metric}[side]
        return RSA("precomputed" if self._is_y_given else metric, self.comparison)

    # ----- input ----------------------------------------------------------------------

    def _validate_pair(self, X, y, *, reset):
        if not self._is_given:
            if self._is_y_given and y is not None:
                return self._rows_and_given(X, y, reset=reset)
            return super()._validate_pair(X, y, reset=reset)
        matrices = _as_matrices(X)
        first, y, xp = check_representation_pair(self, matrices[0], y, reset=reset)
        stack = [first]
        for k, matrix in enumerate(matrices[1:], 1):
            matrix = _check_matrix(
                self, matrix, f"X[{k}]", reset=False, min_samples=self._min_samples()
            )
            if matrix.shape != first.shape:
                raise ValueError(
                    f"X[{k}] relates {len(matrix)} rows and X[0] {len(first)}: all "
                    "matrices must be of the same rows, in the same order."
                )
            stack.append(matrix)
        for k, matrix in enumerate(stack):
            _refuse_missing_pairs(matrix, f"X[{k}]" if len(stack) > 1 else "X", xp)
        if y is not None:
            _refuse_missing_pairs(y, "y", xp)
        return xp.stack(stack, axis=-1), y, xp

    def _rows_and_given(self, X, y, *, reset):
        """Rows of X, and a given matrix for y."""
        options = {"reset": reset, "min_samples": self._min_samples()}
        X = _check_matrix(self, X, "X", **options)
        xp = get_namespace_and_device(X)[0]
        matrix = self._given_target(y)
        check_same_length(X, matrix)
        if reset:
            self.n_features_y_in_ = len(matrix)
        return X, GivenTarget(matrix), xp

    def _read_alone(self, X, *, like, role):
        if role == "y" and self._is_y_given and not self._is_given:
            return self._given_target(X), np
        return super()._read_alone(X, like=like, role=role)

    def _given_target(self, y):
        """Matrix of y on numpy."""
        with readable(y, "y", both_axes=True):
            matrix = check_given(
                self,
                y,
                "y",
                KINDS["given_dissimilarities"],
                dtypes=[np.float64],
                min_samples=self._min_samples(),
            )
        _refuse_missing_pairs(matrix, "y", np)
        return matrix

    def _min_samples(self):
        return 3

    # ----- views and their comparison -------------------------------------------------

    def _view(self, X, xp, role):
        if role == "y" and self._is_y_given and not self._is_given:
            # one of many comes as rows do, unchecked
            is_checked = hasattr(X, "matrix")
            return self._target(X.matrix if is_checked else self._given_target(X))
        X = to_numpy(as_float64(X, xp=xp), xp=xp)
        if role == "y":
            return self._target(X)
        return self._given_lists(X) if self._is_given else self._column_lists(X)

    def _column_lists(self, X):
        rows, _, scale, squared_norm = centered(X, xp=np)
        refuse_constant(squared_norm, "x")
        n, own = len(rows), rows**2
        sums = np.sum(own, axis=0)
        gram = n * (own.T @ own) + np.outer(sums, sums) + 2 * (rows.T @ rows) ** 2
        means = 2 * sums / (n - 1) * self._has_intercept
        gram -= n_pairs(n) * np.outer(means, means)
        return ColumnLists(
            rows, np.float64(scale), means, gram, Solver.of(gram, self.ridge)
        )

    def _given_lists(self, matrices):
        n, _, n_matrices = matrices.shape
        matrices, scale = _rescaled(matrices)
        means = np.sum(matrices, axis=(0, 1)) / (n * (n - 1)) * self._has_intercept
        flat = matrices.reshape(-1, n_matrices)
        gram = flat.T @ flat / 2 - n_pairs(n) * np.outer(means, means)
        return GivenLists(
            matrices, scale**0.5, means, gram, Solver.of(gram, self.ridge)
        )

    def _target(self, y):
        if self._is_y_given:
            matrix, scale = _rescaled(_one_matrix(y))
            n, distances, unit = len(matrix), None, scale**0.5
            total, before = np.sum(matrix) / 2, inner(matrix, matrix, xp=np) / 2
        else:
            matrix = None
            distances = squared_distance_rows(y, self.y_metric, xp=np, role="y")
            n, unit = len(y), np.float64(distances.scale) * distances.unit**0.5
            total = n * np.sum(distances.squares)
            before = sum_of_products(distances, distances, np) / 2
        mean = total / n_pairs(n) * self._has_intercept
        squared_norm = before - n_pairs(n) * mean**2
        # the difference of two sums is right to so many digits
        RSA._refuse_equal(squared_norm * 1e-7, before, "y")
        compared = None
        if not self._is_least_squares:
            given = y if distances is not None else matrix
            compared = self._compared("y")._view(given, np, "y")
        return Target(distances, matrix, mean, squared_norm**0.5, unit, compared)

    def _compare(self, view_x, view_y, xp):
        products = view_x.products(view_y)
        weights = view_x.solver.weights(products)
        intercept = view_y.mean - weights @ view_x.means
        details = {
            "weights_": weights * (view_y.unit / view_x.unit) ** 2,
            "intercept_": float(intercept * view_y.unit**2),
            # those of the unit of neither side, which are in range
            "_weights": weights,
        }
        if not weights.any():
            return 0.0, details
        if self._is_least_squares:
            fitted = weights @ view_x.gram @ weights
            return weights @ products / fitted**0.5 / view_y.norm, details
        return self._compare_fitted(view_x.fitted(weights), view_y.compared), details

    def _compare_fitted(self, fitted, compared):
        """Comparison of the weighted dissimilarities with what RSA made of y's."""
        if self._is_y_given and not self._is_given:
            fitted = squared_distances(fitted, xp=np)[0]
        of_x = self._compared("x")
        outcome = of_x._compare(of_x._view(fitted, np, "x"), compared, np)
        return of_x._value_of(outcome)

    def _fit_to(self, comparison):
        super()._fit_to(comparison)
        if not self._weights.any():
            warnings.warn(
                "All weights are 0: nothing in X has dissimilarities that grow with "
                "those of y. The score is 0.",
                UserWarning,
                stacklevel=5,
            )
        return self

    def _evaluate(self, X, y, xp):
        X = to_numpy(as_float64(X, xp=xp), xp=xp)
        is_checked = hasattr(y, "matrix")
        y = y.matrix if is_checked else to_numpy(as_float64(y, xp=xp), xp=xp)
        self._refuse_other_number(X)
        if not self._weights.any():
            return 0.0
        if self._is_given:
            fitted, y = _rescaled(X)[0] @ self._weights, _one_matrix(y)
        else:
            fitted = centered(X, xp=np)[0] * np.sqrt(self._weights)
        return self._compare_fitted(fitted, self._compared("y")._view(y, np, "y"))

    def _refuse_other_number(self, X):
        if X.shape[-1] != len(self.weights_):
            raise ValueError(
                f"X has {X.shape[-1]} matrices, but {type(self).__name__} was fitted "
                f"with {len(self.weights_)}: there must be one for each weight."
            )

    def _similarity_tags(self):
        of_y = {
            "correlation": {"PT", "IS"},
            "cosine": {"PT", "OT", "IS"},
            "precomputed": {"IS"},
        }.get(self.y_metric, {"PT", "OT", "IS", "TR"})
        requires = {
            "correlation": ("nonconstant_rows",),
            "cosine": ("nonzero_rows",),
        }.get(self.y_metric, ())
        fits_itself = self.y_metric == "sqeuclidean" and self.ridge == 0
        is_listed = self._is_y_given or not self._is_least_squares
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0 if self._is_least_squares else -1, 1),
            score_bounds=(-1, 1),
            symmetric=False,
            identity=self._is_given or fits_itself,
            invariances={"IS"} if self._is_given else {"PT", "IS", "TR"},
            invariances_y={"IS"} if self._is_given else of_y,
            requires=("given_dissimilarities",) if self._is_given else requires,
            view_keywords=("role",),
            precomputed=self._is_given,
            score_uses_fit=True,
            array_api=False,
            complexity="n^2 d + d^3" if is_listed else "n d^2 + d^3",
            reference="Kaniuth and Hebart 2022",
        )


def _as_matrices(X):
    """List of the given matrices or vectors."""
    if is_list(X) and len(X) and hasattr(X[0], "shape"):
        return list(X)
    ndim = getattr(X, "ndim", None)
    if ndim is None:
        with readable(X, "X", allow_nd=True):
            X = check_array(X, ensure_2d=False, allow_nd=True, input_name="X")
        ndim = X.ndim
    return [X[k] for k in range(X.shape[0])] if ndim == 3 else [X]


def _rescaled(matrices):
    """The same whose squares are in range, and their scale."""
    flat, scale, _ = rescaled(matrices.reshape(len(matrices), -1), xp=np)
    return flat.reshape(matrices.shape), np.float64(scale)


def _one_matrix(y):
    """Target as one matrix: of many inputs each has been read as a stack."""
    if y.ndim == 2:
        return y
    if y.shape[-1] > 1:
        raise ValueError(
            f"y has {y.shape[-1]} matrices of dissimilarities, and X is fitted to one. "
            "Pass one of them, or their mean."
        )
    return y[..., 0]


def _refuse_missing_pairs(matrix, name, xp):
    n_missing = int(xp.count_nonzero(xp.isnan(matrix))) // 2
    if n_missing:
        raise ValueError(
            f"{n_missing} pairs of rows are missing (nan) in {name}, and weights are "
            "fitted to all of them. Leave the rows that lack them out of all matrices."
        )
