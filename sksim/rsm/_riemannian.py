"""Riemannian distance of second-moment matrices."""

import math
from dataclasses import dataclass
from functools import cached_property
from numbers import Real

import numpy as np
from scipy.linalg.lapack import dpocon, dpotrf, dsygst

from sksim._sklearn_compat import Interval
from sksim.arrays._linalg import (
    numerical_rank,
    refuse_constant,
    rescaled,
    role_name,
    svdvals,
    tall_svd,
)
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    is_numpy,
    triangular_factor,
)
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags


@dataclass(frozen=True)
class Spectrum(View):
    """Eigenvectors and eigenvalues of R R' / D, without those that vanish."""

    vectors: object
    eigenvalues: object

    _row_fields = ("vectors",)


@dataclass(frozen=True)
class SecondMoments(View):
    """R R' / D + ridge I itself, of full rank and well-conditioned, on numpy."""

    matrix: np.ndarray
    ridge: float

    _row_by_row_fields = ("matrix",)

    @cached_property
    def factor(self):
        """Lower Cholesky factor, or None if the matrix is ill-conditioned."""
        factor, info = dpotrf(self.matrix, lower=1)
        if info:
            return None
        norm = np.max(np.sum(np.abs(self.matrix), axis=0))
        return factor if dpocon(factor, norm, uplo="L")[0] > _SMALLEST_RCOND else None

    @cached_property
    def spectrum(self):
        """The same, as eigenvectors and eigenvalues."""
        eigenvalues, vectors = np.linalg.eigh(self.matrix)
        return Spectrum(vectors, eigenvalues - self.ridge)

    def eigenvalues_beside(self, other):
        """Generalised eigenvalues of the pair, ascending."""
        whitened, _ = dsygst(other.matrix, self.factor, itype=1, lower=1)
        return np.linalg.eigvalsh(whitened)


# eigenvalues keep ten digits where the reciprocal condition number is above
_SMALLEST_RCOND = 1e-6
# share of an eigenvalue that rounding may take
_LOST = 1e-6
# singular values halfway between the extremes keep six digits up to here
_LARGEST_CONDITION = 1e20


class RiemannianDistance(BaseSimilarity):
    r"""Riemannian distance of the second-moment matrices of the rows.

    The length of the shortest path between the two n x n matrices within the cone of
    positive definite matrices, under the affine-invariant metric:

    .. math:: m(R, R') = \sqrt{\sum_i \log^2 \lambda_i}, \qquad
        S' v = \lambda S v, \quad S = \tfrac{1}{D} R R^\top + \varepsilon I

    where the :math:`\lambda_i` are the generalised eigenvalues of the pair. A
    distance in [0, inf) and a metric. Invariant to orthogonal maps. Neither centred
    nor scaled: centre and scale first if the mean and the scale are not to count.

    Parameters
    ----------
    ridge : float, default=0.001
        The :math:`\varepsilon` above, in squared units of the representation. The
        second-moment matrix of fewer features than rows is singular, at infinite
        distance from others, so that only representations of full row rank are
        accepted with ridge=0. A multiple of the identity leaves the distance
        invariant to orthogonal maps and a metric, which a shrinkage towards each
        matrix's own diagonal would not. Smaller values weigh the directions more
        that only one of the representations has.

    Attributes
    ----------
    statistic_, distance_ : float
        Riemannian distance.
    score_ : float
        Minus the distance.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is zero, or has not full row rank with ridge=0.

    Notes
    -----
    Outside the joint column space all eigenvalues are 1, so that an eigenproblem of
    size r + r' replaces the one of size n: O(n d^2 + d^3). Eigenvalues are squared
    singular values of the product of the two matrix roots, which keeps twice the
    digits. With fewer rows than columns, and well-conditioned second moments, they are
    those of the matrices themselves.

    References
    ----------
    M. Shahbazi, A. Shirali, H. Aghajan, H. Nili. Using distance on the Riemannian
    manifold to compare representations in brain and in models. NeuroImage, 2021.

    Examples
    --------
    Of rows with one feature, only a scale can differ:

    >>> import numpy as np
    >>> from sksim.rsm import RiemannianDistance
    >>> measure = RiemannianDistance(ridge=0)
    >>> X = np.eye(2)
    >>> bool(np.isclose(measure.fit(X, 3 * X).distance_, np.sqrt(2) * np.log(9)))
    True
    """

    _parameter_constraints: dict = {"ridge": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, ridge=1e-3):
        self.ridge = ridge

    def _view(self, X, xp, role):
        rows, scale, squared_norm = rescaled(as_float64(X, xp=xp), xp=xp)
        refuse_constant(squared_norm, role, centered=False)
        if is_numpy(xp) and scale == 1 and rows.shape[0] <= rows.shape[1]:
            matrix = rows @ rows.T
            matrix /= rows.shape[1]
            matrix[np.diag_indices_from(matrix)] += self.ridge
            view = SecondMoments(matrix, self.ridge)
            if view.factor is not None:
                return view
        U, s, _ = tall_svd(rows, xp=xp)
        rank = numerical_rank(s, rows.shape, xp=xp)
        if self.ridge == 0 and rank < rows.shape[0]:
            raise ValueError(
                f"{role_name(role)} has rank {rank} in {rows.shape[0]} rows, so that "
                "its second-moment matrix is singular and the distance infinite. Set "
                "ridge > 0, or use fewer rows than features."
            )
        roots = s[:rank] * scale / X.shape[1] ** 0.5
        values = roots * roots
        # each root is off by a rounding of the largest
        rounding = 2 * float(xp.finfo(roots.dtype).eps) * roots[0]
        if bool(xp.any(roots * rounding > _LOST * (values + self.ridge))):
            self._refuse_condition(float((roots[0] / roots[-1]) ** 2))
        return Spectrum(U[:, :rank], values)

    def _compare(self, view_x, view_y, xp):
        if all(isinstance(view, SecondMoments) for view in (view_x, view_y)):
            values = view_x.eigenvalues_beside(view_y)
            if values[0] > _SMALLEST_RCOND * values[-1]:
                return math.sqrt(np.sum(np.log(values) ** 2))
        return self._compare_spectra(
            *(getattr(view, "spectrum", view) for view in (view_x, view_y)), xp
        )

    def _compare_spectra(self, view_x, view_y, xp):
        U, V = view_x.vectors, view_y.vectors
        n, rank = U.shape
        V_in_U = U.T @ V
        coordinates = V_in_U
        values_x = view_x.eigenvalues + self.ridge
        if rank < n:
            # of the part of V outside U only its inner products matter
            outside = triangular_factor(V - U @ V_in_U, xp=xp)
            coordinates = xp.concat([V_in_U, outside])
            rest = xp.ones_like(outside[:, 0]) * self.ridge
            values_x = xp.concat([values_x, rest])
        roots_x = xp.sqrt(values_x)
        if float(xp.min(roots_x)) == 0:
            self._refuse_condition(math.inf)
        root_y = self._function_of(coordinates, view_y.eigenvalues, xp.sqrt, xp)
        values = svdvals(root_y / roots_x, xp=xp)
        largest, smallest = float(values[0]), float(values[-1])
        if smallest < 1e-8 * largest:
            # small singular values have lost their digits: they are the inverse's large
            inverse_y = self._function_of(
                coordinates, view_y.eigenvalues, lambda v: 1 / xp.sqrt(v), xp
            )
            inverses = xp.flip(svdvals(inverse_y * roots_x[:, None], xp=xp))
            condition = largest * float(inverses[-1])
            # of a matrix and its inverse it is at least 1, unless one has vanished
            if not 0.5 < condition < _LARGEST_CONDITION:
                self._refuse_condition(condition)
            is_large = values > largest / condition**0.5
            inverses = xp.where(is_large, xp.ones_like(inverses), inverses)
            values = xp.where(is_large, values, 1 / inverses)
        logarithms = 2 * xp.log(values)
        return xp.sqrt(xp.sum(logarithms * logarithms))

    def _refuse_condition(self, condition):
        raise ValueError(
            f"ridge={self.ridge} is so small beside the squares of the representations "
            "that the distance is lost in rounding: their second moments differ by "
            f"factors of up to {condition:.0e}, squared. Rescale both alike, or choose "
            "a larger ridge."
        )

    def _function_of(self, coordinates, eigenvalues, function, xp):
        """A function of the second-moment matrix with its ridge, in coordinates."""
        values = function(eigenvalues + self.ridge)
        if self.ridge == 0:
            return (coordinates * values) @ coordinates.T
        rest = float(function(xp.asarray(self.ridge, dtype=coordinates.dtype)))
        identity = xp.eye(
            coordinates.shape[0],
            dtype=coordinates.dtype,
            device=device_of(coordinates),
        )
        return (coordinates * (values - rest)) @ coordinates.T + rest * identity

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="distance",
            bounds=(0, float("inf")),
            metric=True,
            invariances={"PT", "OT"},
            view_keywords=("role",),
            complexity="n d^2 + d^3",
            reference="Shahbazi et al. 2021",
        )
