"""Shape metrics: the angle between representations after the best rotation."""

import math
from dataclasses import dataclass, replace
from numbers import Real

from sksim._sklearn_compat import Interval, StrOptions
from sksim.alignment._procrustes import AlignedRows, OrthogonalProcrustes
from sksim.arrays._linalg import (
    centered,
    centered_product,
    numerical_rank,
    orthonormal_basis,
    refuse_constant,
    rescaled,
    tall_svd,
    uncentered,
)
from sksim.arrays._moments import (
    Products,
    about_zero,
    basis_weights,
    principal_axes,
    refuse_ill_conditioned,
)
from sksim.arrays._namespace import as_float64, namespace_of, zeros
from sksim.base._alignment import maps_back
from sksim.base._tags import ALL_INVARIANCES, SimilarityTags

_PI = 3.141592653589793


def _angle(distance, xp):
    """Angle between unit vectors at a distance; exact where arccos is not, near 0."""
    half = distance / 2
    return 2 * xp.asin(xp.where(half > 1, xp.ones_like(half), half))


class AngularShapeMetric(OrthogonalProcrustes):
    r"""Angular shape metric.

    The angle between the centred representations, scaled to unit norm, after the best
    orthogonal map:

    .. math:: m(R, R') = \arccos \frac{\lVert R^\top R' \rVert_*}
        {\lVert R \rVert_F \lVert R' \rVert_F}

    A distance in [0, pi/2] and a metric. Invariant to orthogonal maps, isotropic
    scaling and translation.

    Parameters
    ----------
    debias : {"rows"}, default=None
        None is the angle of these rows, which is too small where they are few. "rows"
        corrects for that by folds of the rows, as in :class:`OrthogonalProcrustes`; it
        is then no metric, and pi at most.
    random_state : int, RandomState instance or None, default=None
        Which rows come into which fold, with ``debias="rows"``.

    Attributes
    ----------
    statistic_, distance_ : float
        Angle in radians.
    score_ : float
        Minus the angle.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Directions that are matched with each other.
    singular_values_ : array of shape (k,)
        Their inner products, which sum to the cosine of the angle.
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
    PartialWhiteningShapeMetric : The same after (partial) whitening.
    sksim.rsm.NormalizedBures : The cosine of this angle.

    Notes
    -----
    ``transform(X)`` lands in the coordinates of y. ``score(X, y)`` applies the fitted
    map to new rows, with the training means and each set's own norm; it is -pi at
    worst. ``contributions`` are parts of the cosine of the angle, as those of
    :class:`OrthogonalProcrustes`.

    References
    ----------
    A. H. Williams, E. Kunz, S. Kornblith, S. W. Linderman. Generalized shape metrics
    on neural representations. NeurIPS, 2021, arXiv:2110.14739.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.alignment import AngularShapeMetric
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> angle = AngularShapeMetric().fit(X, [[0.0], [2.0], [1.0]]).distance_
    >>> bool(np.isclose(angle, np.pi / 3))
    True
    """

    _parameter_constraints: dict = {
        "debias": [StrOptions({"rows"}), None],
        "random_state": ["random_state"],
    }
    center = True
    scale = True

    def __init__(self, *, debias=None, random_state=None):
        self.debias = debias
        self.random_state = random_state

    def _compare(self, view_x, view_y, xp):
        distance, details = super()._compare(view_x, view_y, xp)
        return _angle(distance, xp), details

    def _compare_repeated(self, view_x, view_y, xp):
        distance = super()._compare_repeated(view_x, view_y, xp)
        return 2 * math.asin(min(distance / 2, 1.0))

    def _compare_moments(self, moments, xp):
        distance, details = super()._compare_moments(moments, xp)
        return 2 * math.asin(min(distance / 2, 1.0)), details

    def _evaluate(self, X, y, xp):
        return _angle(super()._evaluate(X, y, xp), xp)

    def _similarity_tags(self):
        largest = _PI / 2 if self.debias is None else _PI
        return replace(
            super()._similarity_tags(),
            bounds=(0, largest),
            score_bounds=(-_PI, 0),
            reference="Williams et al. 2021",
        )


@dataclass(frozen=True)
class WhitenedRows(AlignedRows):
    """Partially whitened rows, in principal axes.

    ``rows`` minus ``offset``, times ``root`` (None for the identity), are the whitened
    rows. The representation minus ``mean``, times ``whitener``, gives the same, and
    these times ``colorer`` give it back.
    """

    root: object
    whitener: object
    colorer: object

    def in_units(self, factor, *, xp):
        rows = super().in_units(factor, xp=xp)
        return rows if self.root is None else rows @ self.root


class PartialWhiteningShapeMetric(AngularShapeMetric):
    r"""Partial whitening shape metric.

    The angle between the representations, each centred, scaled to unit norm and
    partially whitened, after the best orthogonal map:

    .. math:: m(R, R') = \arccos \frac{\lVert Z^\top Z' \rVert_*}
        {\lVert Z \rVert_F \lVert Z' \rVert_F}, \qquad
        Z = R \bigl( \alpha I + (1 - \alpha) (R^\top R)^{-1/2} \bigr)

    A distance in [0, pi/2] and a metric. ``alpha=1`` is the angular shape metric,
    ``alpha=0`` the angle of the mean canonical correlation for equal ranks. Invariant
    to orthogonal maps, isotropic scaling and translation if centred; with alpha=0 to
    all invertible affine maps, or linear ones if not centred.

    Parameters
    ----------
    alpha : float in [0, 1], default=0.5
        Share of the representation as it is, against the whitened one.
    center : bool, default=True
        Whether to subtract the column means. If not, the mean is a direction like
        others: two representations that are far from zero agree in it.

    Attributes
    ----------
    statistic_, distance_ : float
        Angle in radians.
    score_ : float
        Minus the angle.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means; zero with ``center=False``.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Weights that give the whitened and rotated representations.
    singular_values_ : array of shape (k,)
        Inner products of the matched directions, which sum to the angle's cosine.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant, or zero everywhere with ``center=False``.

    See Also
    --------
    AngularShapeMetric : Without whitening.
    sksim.cca.MeanCCA : Mean of what is left after full whitening.

    Notes
    -----
    Scaled before it is whitened. In the other order, which a code in use takes, alpha
    depends on the units of the representation, so that equal values of alpha are
    different measures there and here. Directions without variance are
    left out. ``transform(X)`` lands in the coordinates of y, ``score(X, y)`` applies
    the fitted whitening and rotation to new rows. Computed in float64.

    References
    ----------
    A. H. Williams, E. Kunz, S. Kornblith, S. W. Linderman. Generalized shape metrics
    on neural representations. NeurIPS, 2021, arXiv:2110.14739.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.alignment import PartialWhiteningShapeMetric
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> y = X @ [[1, 1, 0], [0, 2, 1], [0, 0, 3]]
    >>> PartialWhiteningShapeMetric(alpha=0).fit(X, y).distance_ < 1e-7
    True
    """

    _repeated_view = None
    _parts_by_rows = None  # whitened, components are alike
    debias = None
    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "center": ["boolean"],
    }

    def __init__(self, alpha=0.5, *, center=True):
        self.alpha = alpha
        self.center = center

    def _view(self, X, xp, role):
        X = as_float64(X, xp=xp)
        if self.alpha == 0:
            basis = orthonormal_basis(X, xp=xp, role=role, center=self.center)
            inverse = xp.linalg.pinv(basis.coordinates, rtol=1e-15)
            return WhitenedRows(
                rows=basis.basis,
                offset=None,
                wide=None,
                mean=basis.mean if self.center else zeros(X.shape[1], like=X, xp=xp),
                norm=basis.rank**0.5,
                scale=1.0,
                root=None,
                whitener=inverse * (1 / basis.scale),
                colorer=basis.coordinates * basis.scale,
            )
        return self._whitened_lazily(X, xp) or self._whitened_by_svd(X, xp, role)

    def _whitened_lazily(self, X, xp):
        """View by the D x D Gram matrix, or None where that loses too many digits."""
        if X.shape[0] <= X.shape[1]:
            return None
        if self.center:
            offset = uncentered(X, xp=xp)
            if offset is None:
                return None
            rows, mean, squared_norm, scale = offset
            subtracted = mean
        else:
            rows, scale, squared_norm = rescaled(X, xp=xp)
            mean, subtracted = zeros(X.shape[1], like=X, xp=xp), None
        gram = centered_product(rows, subtracted, rows, subtracted)
        eigenvalues, vectors = xp.linalg.eigh(gram)
        if not float(eigenvalues[0]) > 1e-6 * float(eigenvalues[-1]):
            return None
        axes = xp.sqrt(eigenvalues), vectors
        norm = squared_norm**0.5
        return self._view_of(rows, subtracted, mean, scale, norm, axes, xp)

    def _whitened_by_svd(self, X, xp, role):
        if self.center:
            rows, mean, scale, squared_norm = centered(X, xp=xp)
        else:
            rows, scale, squared_norm = rescaled(X, xp=xp)
            mean = zeros(X.shape[1], like=X, xp=xp)
        refuse_constant(squared_norm, role, centered=self.center)
        _, s, Vt = tall_svd(rows, xp=xp)
        rank = numerical_rank(s, rows.shape, xp=xp)
        axes = s[:rank], Vt[:rank, :].T
        view = self._view_of(rows, None, mean, scale, squared_norm**0.5, axes, xp)
        # a product of rows would lose what little such directions have
        return replace(view, rows=rows @ view.root, root=None)

    def _view_of(self, rows, offset, mean, scale, norm, axes, xp):
        """View of rows with singular values and right singular vectors ``axes``."""
        s, V = axes
        gains = self.alpha / norm + (1 - self.alpha) / s
        return WhitenedRows(
            rows=rows,
            offset=offset,
            wide=None,
            mean=mean,
            norm=float(xp.sum((s * gains) ** 2)) ** 0.5,
            scale=1.0,
            root=V * gains,
            whitener=V * (gains / scale),
            colorer=(V * (scale / gains)).T,
        )

    @staticmethod
    def _cross_product_of(view_x, view_y):
        product = OrthogonalProcrustes._cross_product_of(view_x, view_y)
        if view_x.root is not None:
            product = view_x.root.T @ product
        return product if view_y.root is None else product @ view_y.root

    def _moments_needed(self):
        return {"cross", "gram"}

    def _views_of_moments(self, moments, xp):
        if not self.center:
            moments = about_zero(moments, xp=xp)
        view_x, weights_x = self._whitened(moments.x, moments.xx, xp, "x")
        view_y, weights_y = self._whitened(moments.y, moments.yy, xp, "y")
        whitened = Products(weights_x.T @ moments.xy.matrix @ weights_y)
        return replace(moments, xy=whitened), view_x, view_y

    def _whitened(self, side, products, xp, role):
        """View without rows, and the weights that whiten rows in units of the side."""
        if self.alpha == 0:
            matrix, center = products.matrix, self.center
            basis = basis_weights(side, matrix, xp=xp, role=role, center=center)
            weights, coordinates = basis.weights, basis.coordinates
            norm = basis.rank**0.5
        else:
            refuse_constant(side.squared_norm, role, centered=self.center)
            norm = side.squared_norm**0.5
            squares, V = principal_axes(side, products.matrix, xp=xp)
            if self.alpha < 1:
                refuse_ill_conditioned(squares[0], squares[-1], side, role)
            s = xp.sqrt(xp.where(squares > 0, squares, xp.zeros_like(squares)))
            gains = self.alpha / norm * xp.ones_like(s)
            if self.alpha < 1:
                gains = gains + (1 - self.alpha) / s
            weights, coordinates = V * gains, (V / gains).T
            norm = float(xp.sum((s * gains) ** 2)) ** 0.5
        view = WhitenedRows(
            rows=None,
            offset=None,
            wide=None,
            mean=side.mean + side.rest,
            norm=norm,
            scale=1.0,
            root=None,
            whitener=weights * (1 / side.scale),
            colorer=coordinates * side.scale,
        )
        return view, weights

    def _fit_maps(self, view_x, view_y, xp):
        U, V, s = super()._fit_maps(view_x, view_y, xp)
        return view_x.whitener @ U, view_y.whitener @ V, s

    def _directions(self):
        """Orthonormal directions of the whitened views that are matched."""
        x, y = self._maps.sources
        return x.colorer @ self.x_rotations_, y.colorer @ self.y_rotations_

    def _transform_x(self, X, xp):
        y = self._maps.sources[1]
        latent = (as_float64(X, xp=xp) - self.x_mean_) @ self.x_rotations_
        back = self._directions()[1].T @ y.colorer
        return (latent * self._gain) @ back + self.y_mean_

    @maps_back
    def inverse_transform(self, X):
        """Map rows in the coordinates of y back into those of X.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_y)
            Rows in the coordinates of the second representation.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            Rows in the coordinates of the first representation; the parts that y has
            no direction for are zero around the mean.
        """
        xp = namespace_of(self.x_mean_)
        x = self._maps.sources[0]
        latent = (as_float64(X, xp=xp) - self.y_mean_) @ self.y_rotations_
        back = self._directions()[0].T @ x.colorer
        return (latent / self._gain) @ back + self.x_mean_

    def _new_rows(self, X, y, xp):
        x_view, y_view = self._maps.sources
        A = (as_float64(X, xp=xp) - self.x_mean_) @ x_view.whitener
        B = (as_float64(y, xp=xp) - self.y_mean_) @ y_view.whitener
        A, _, a_squared = rescaled(A, xp=xp)
        B, _, b_squared = rescaled(B, xp=xp)
        refuse_constant(a_squared, "x", centered=self.center)
        refuse_constant(b_squared, "y", centered=self.center)
        return A / a_squared**0.5, B / b_squared**0.5, 1.0

    def _similarity_tags(self):
        invariances = {"PT", "OT", "IS", "TR"}
        if self.alpha == 0:
            invariances = ALL_INVARIANCES
        if not self.center:
            invariances = invariances - {"TR", "AT"}
        return SimilarityTags(
            family="alignment",
            orientation="distance",
            bounds=(0, _PI / 2),
            score_bounds=(-_PI, 0),
            metric=True,
            invariances=invariances,
            view_keywords=("role",),
            streaming=True,
            score_uses_fit=True,
            complexity="n d^2 + d^3",
            reference="Williams et al. 2021",
        )
