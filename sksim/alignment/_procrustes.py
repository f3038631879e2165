"""Orthogonal Procrustes distance."""

from dataclasses import dataclass, field, replace

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.alignment._overlap_parts import overlap_by_columns, overlap_by_rows
from sksim.arrays._linalg import (
    centered,
    centered_product,
    nuclear_norm,
    refuse_constant,
    rescaled,
    row_factor,
    row_factor_basis,
    squared_norm_of,
    svdvals,
    thin_svd,
    uncentered,
)
from sksim.arrays._moments import about_zero
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    inner,
    number,
    root_above,
    to_numpy,
    without_gradients,
    zeros,
)
from sksim.arrays._nuclear_norm import (
    judged_values,
    nuclear_norm_by_folds,
    signed_roots,
)
from sksim.arrays._repeats import unbiased_square_sum
from sksim.arrays._views import View
from sksim.base import AlignmentMixin, BaseSimilarity, MomentMixin
from sksim.base._alignment import maps_back
from sksim.base._contributions import ContributionsMixin, principal_scores
from sksim.base._repeats import Halves, root_of_signal
from sksim.base._tags import SimilarityTags

# Folds of the debiased distance: with 2 the similarity of views that share all of 50
# directions in 200 rows comes out as .64, with 5 as .66, with 10 as .67, where it is
# .71.
_N_FOLDS = 5

# Share of the norms below which a squared distance is rounding: of turned rows, 10 to
# 1000 of them, it is 1e-32 to 2e-30.
_ROUNDING = 1e-28


@dataclass(frozen=True)
class AlignedRows(View):
    """Centred (and scaled) representation, ready to be rotated.

    ``rows`` minus ``offset`` (None for nothing), times ``scale``, is the
    representation minus ``mean``, and ``norm`` is the Frobenius norm of ``rows`` minus
    ``offset``. Of a representation with more features than rows, ``rows`` is the n x n
    triangular factor, which has the same inner products, and ``wide`` keeps the rows
    themselves for the maps.
    """

    rows: object
    offset: object
    wide: object
    mean: object
    norm: float
    scale: float
    # number of the fold of each place, which rows change
    folds: object = field(default=None, kw_only=True)

    _row_fields = ("rows",)

    def in_units(self, factor, *, xp):
        """Centred rows times a factor, in double precision."""
        rows = as_float64(self.rows, xp=xp)
        if self.offset is not None:
            rows = rows - as_float64(self.offset, xp=xp)
        return rows * factor


def squared_residual(A, B, U, V, *, xp):
    """||A Q - B||^2 for Q = U V', where what U does not reach meets zeros in B."""
    latent = A @ U
    residual = latent @ V.T - B
    squared = inner(residual, residual, xp=xp)
    if U.shape[0] > U.shape[1]:
        lost = A - latent @ U.T
        squared = squared + inner(lost, lost, xp=xp)
    return squared


def root_of_difference(squared):
    """Root of a difference of large numbers, which rounding may have made negative."""
    return max(float(squared), 0.0) ** 0.5


class OrthogonalProcrustes(
    ContributionsMixin, MomentMixin, AlignmentMixin, BaseSimilarity
):
    r"""Orthogonal Procrustes distance.

    What remains between two representations after the best orthogonal map:

    .. math:: m(R, R')^2 = \min_{Q} \lVert R Q - R' \rVert_F^2
        = \lVert R \rVert_F^2 + \lVert R' \rVert_F^2
        - 2 \lVert R^\top R' \rVert_*

    A distance in [0, sqrt(2)] with ``scale=True``, else in [0, inf). A metric.
    Invariant to orthogonal maps, to translation if centred, and to isotropic scaling
    if scaled. Unequal widths are compared as if the narrower one had columns of
    zeros.

    Parameters
    ----------
    center : bool, default=True
        Whether to subtract the column means.
    scale : bool, default=True
        Whether to divide each representation by its Frobenius norm.
    debias : {"rows"}, default=None
        None is the distance of these rows, which is too small where they are few (see
        Notes). "rows" corrects for that by folds of the rows; it needs at least 10, has
        no ``partial_fit``, and is no metric.
    random_state : int, RandomState instance or None, default=None
        Which rows come into which fold, with ``debias="rows"``.

    Attributes
    ----------
    statistic_, distance_ : float
        Procrustes distance.
    score_ : float
        Minus the distance.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means; zero with ``center=False``.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Orthonormal directions U, V that are matched with each other: the optimal map
        is U V'.
    singular_values_ : array of shape (k,)
        Their inner products, which sum to the nuclear norm.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant and is to be scaled.

    See Also
    --------
    scipy.linalg.orthogonal_procrustes : The map alone.

    Notes
    -----
    ``transform(X)`` lands in the coordinates of y. ``score(X, y)`` applies the fitted
    map to new rows, with the training means and each set's own norm; it is
    -2 at worst if scaled. A distance below 1e-3 of the norms is computed from the
    residual itself, in float64, since the difference above would lose its digits.

    With fewer rows than features on both sides the data determine the map only between
    the spans of the rows: U V' is a partial isometry, which maps what is orthogonal to
    them to zero.

    The best map fits noise: unrelated normal representations of 200 rows and 50 columns
    have a distance of 1.08, not of the 1.41 that they have in the limit. With
    ``debias="rows"`` four fifths of the rows give the singular values s_i and vectors
    of the cross-product, and the other fifth its products c_i with these vectors, which
    are too small where s_i is too large. Both are averaged over five folds, and the
    nuclear norm is the sum of sign(c_i) sqrt(s_i abs(c_i)): 1.41 for the unrelated
    representations, and right up to higher orders for directions that stand out from
    the noise. Those that do not are lost, so that the distance is too large where all
    of many directions are shared alike by few rows (:ref:`few_rows_procrustes` has a
    table). ``score(X, y)`` is then the corrected distance of the new rows.

    ``contributions`` are parts of the overlap :math:`\lVert R^\top R' \rVert_*`, over
    both norms if scaled, so that they add up to 1 - m^2 / 2: of two principal
    components the product of their scores times the entry of the map, of a row the
    inner product of mapped and target row, whose squared difference is its
    ``residual``; residuals add up to m^2.

    References
    ----------
    F. Benaych-Georges, R. R. Nadakuditi. The singular values and vectors of low rank
    perturbations of large rectangular random matrices. Journal of Multivariate
    Analysis, 2012 (what noise does to both).

    P. H. Schönemann. A generalized solution of the orthogonal Procrustes problem.
    Psychometrika, 1966.

    F. Ding, J.-S. Denain, J. Steinhardt. Grounding representation similarity through
    statistical testing. NeurIPS, 2021, arXiv:2108.01661.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.alignment import OrthogonalProcrustes
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 3))
    >>> rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    >>> y = 2 * X @ rotation + 1
    >>> measure = OrthogonalProcrustes().fit(X, y)
    >>> measure.distance_ < 1e-7
    True
    >>> bool(np.allclose(measure.transform(X), y))
    True
    """

    _lands_in_y = True
    _parameter_constraints: dict = {
        "center": ["boolean"],
        "scale": ["boolean"],
        "debias": [StrOptions({"rows"}), None],
        "random_state": ["random_state"],
    }

    def __init__(self, *, center=True, scale=True, debias=None, random_state=None):
        self.center = center
        self.scale = scale
        self.debias = debias
        self.random_state = random_state

    def _view(self, X, xp, role, seed=None):
        view = self._aligned_view(X, xp, role)
        if self.debias is None:
            return view
        order = np.random.default_rng(seed).permutation(X.shape[0])
        return replace(view, folds=order % _N_FOLDS)

    def _aligned_view(self, X, xp, role):
        if X.shape[1] <= X.shape[0]:
            return self._rows_view(X, xp, role)
        view = self._rows_view(X, xp, role, lazily=False)
        return replace(view, rows=row_factor(view.rows, xp=xp), wide=view.rows)

    def _min_samples(self):
        # a fold needs two rows for a covariance
        return super()._min_samples() if self.debias is None else 2 * _N_FOLDS

    def _rows_view(self, X, xp, role, lazily=True):
        """View of the rows, however many columns; ``lazily`` may leave an offset."""
        offset = uncentered(X, xp=xp) if lazily and self.center else None
        if offset is not None:
            rows, mean, squared_norm, scale = offset
            squared_norm = squared_norm_of(rows, mean, squared_norm, xp=xp)
            return AlignedRows(rows, mean, None, mean, squared_norm**0.5, scale)
        if self.center:
            rows, mean, scale, squared_norm = centered(X, xp=xp)
        else:
            rows, scale, squared_norm = rescaled(X, xp=xp)
            mean = zeros(X.shape[1], like=X, xp=xp)
        if self.scale:
            refuse_constant(squared_norm, role, centered=self.center)
        squared_norm = squared_norm_of(rows, None, squared_norm, xp=xp)
        return AlignedRows(rows, None, None, mean, squared_norm**0.5, scale)

    def _repeated_view(self, trials, xp, role):
        """Halves of the trials, and the norm that distinct trials have in common."""
        scale = 1.0
        if self.center:
            trials, scale = trials.centred(xp=xp)
        squared = number(unbiased_square_sum(trials, center=self.center, xp=xp))
        means = trials.means(xp=xp)
        norm = root_of_signal(squared, number(inner(means, means, xp=xp)), role)
        pairs = trials.narrow(xp=xp).halves(xp=xp)
        if self.center:
            pairs = (tuple(h - xp.mean(h, axis=0) for h in pair) for pair in pairs)
        return Halves(tuple(pairs), norm, scale)

    def _compare_repeated(self, view_x, view_y, xp):
        """Distance by an overlap that other trials judge than the map is fitted to.

        Nor is a trial of X ever multiplied with the same trial of y.
        """
        overlaps = []
        for (a, b), (c, d) in zip(view_x.pairs, view_y.pairs, strict=True):
            products = a.T @ d, b.T @ c
            for parts in (products, products[::-1]):
                values = judged_values(*parts, xp=xp)
                overlaps.append(number(signed_roots(*values, xp=xp)))
        overlap = sum(overlaps) / len(overlaps)
        if self.scale:
            return root_of_difference(2 - 2 * overlap / (view_x.norm * view_y.norm))
        x, y = (view.norm * view.scale for view in (view_x, view_y))
        both = overlap * view_x.scale * view_y.scale
        return root_of_difference(x * x + y * y - 2 * both)

    def _units(self, view_x, view_y):
        """Factors that bring the rows of both views to one unit, and that unit."""
        if self.scale:
            return 1 / view_x.norm, 1 / view_y.norm, 1.0
        unit = max(view_x.scale, view_y.scale)
        return view_x.scale / unit, view_y.scale / unit, unit

    def _compare(self, view_x, view_y, xp):
        cross_product = self._cross_product_of(view_x, view_y)
        details = {"_cross_product": cross_product}
        if self.debias is not None:
            return self._debiased_distance(view_x, view_y, xp), details
        squared, unit = self._squared_distance(
            view_x, view_y, nuclear_norm(cross_product, xp=xp), xp
        )
        rounding = _ROUNDING * self._squared_norms(view_x, view_y)
        return root_above(rounding, squared) * unit, details

    def _debiased_distance(self, view_x, view_y, xp):
        rows = (view.in_units(1.0, xp=xp) for view in (view_x, view_y))
        overlap = nuclear_norm_by_folds(*rows, view_x.folds, center=self.center, xp=xp)
        x_factor, y_factor, unit = self._units(view_x, view_y)
        norms = self._squared_norms(view_x, view_y)
        squared = norms - 2 * number(overlap) * (x_factor * y_factor)
        distance = root_of_difference(squared) * unit
        return xp.asarray(distance, dtype=xp.float64, device=device_of(view_x.rows))

    @staticmethod
    def _cross_product_of(view_x, view_y):
        """D x D' product of the centred rows of both views."""
        return centered_product(view_x.rows, view_x.offset, view_y.rows, view_y.offset)

    def _squared_distance(self, view_x, view_y, overlap, xp, *matched):
        """Squared distance, from the overlap of the rows under the map, and its unit.

        ``matched`` is passed on to ``_squared_residual``, which is called where the
        difference of large numbers loses its digits.
        """
        x_factor, y_factor, unit = self._units(view_x, view_y)
        norms = self._squared_norms(view_x, view_y)
        squared = norms - 2 * overlap * (x_factor * y_factor)
        enough = 1e-6 if view_x.rows.dtype == xp.float64 else 1e-2
        if number(squared) < enough * number(norms):
            A = view_x.in_units(x_factor, xp=xp)
            B = view_y.in_units(y_factor, xp=xp)
            squared = self._squared_residual(A, B, *matched, xp=xp)
        return squared, unit

    @staticmethod
    def _squared_residual(A, B, *, xp):
        """||A Q - B||^2 for the best orthogonal Q."""
        # at the best map the residual's gradient is that of a constant one
        U, _, Vt = thin_svd(without_gradients(A.T @ B), xp=xp)
        return squared_residual(A, B, U, Vt.T, xp=xp)

    def _squared_norms(self, view_x, view_y):
        x_factor, y_factor, _ = self._units(view_x, view_y)
        return (view_x.norm * x_factor) ** 2 + (view_y.norm * y_factor) ** 2

    def _overlap(self, cross_product, view_x, view_y, xp):
        x_factor, y_factor, _ = self._units(view_x, view_y)
        return nuclear_norm(cross_product, xp=xp) * (x_factor * y_factor)

    def _parts_by_components(self, comparison):
        return overlap_by_columns(*map(principal_scores, self._both(comparison)))

    def _parts_by_rows(self, comparison):
        return overlap_by_rows(*self._both(comparison))

    def _parts_by_classes(self, comparison, is_of):
        by_rows = self._parts_by_rows(comparison)
        return {name: values @ is_of for name, values in by_rows.items()}

    def _both(self, comparison):
        """Rows of both views in one unit, on numpy."""
        if self.debias is not None:
            raise ValueError(
                f"{type(self).__name__} has no parts with debias={self.debias!r}, "
                "whose map is another one in each fold. Set debias=None."
            )
        views, xp = (comparison.view_x, comparison.view_y), comparison.xp
        x_factor, y_factor, unit = self._units(*views)
        factors = x_factor * unit, y_factor * unit
        return [
            to_numpy(view.in_units(factor, xp=xp), xp=xp)
            for view, factor in zip(views, factors, strict=True)
        ]

    def _moments_needed(self):
        return {"cross"}

    def _views_of_moments(self, moments, xp):
        """Moments about what is subtracted from rows, and both views without rows."""
        if not self.center:
            moments = about_zero(moments, xp=xp)
        views = []
        for side, role in ((moments.x, "x"), (moments.y, "y")):
            if self.scale:
                refuse_constant(side.squared_norm, role, centered=self.center)
            mean, norm = side.mean + side.rest, side.squared_norm**0.5
            views.append(AlignedRows(None, None, None, mean, norm, side.scale))
        return moments, *views

    def _compare_moments(self, moments, xp):
        moments, view_x, view_y = self._views_of_moments(moments, xp)
        cross_product = moments.xy.matrix
        norms = self._squared_norms(view_x, view_y)
        squared = norms - 2 * self._overlap(cross_product, view_x, view_y, xp)
        x_factor, y_factor, unit = self._units(view_x, view_y)
        if float(squared) < 1e-2 * norms:
            # a difference this small needs all digits of the sum
            overlap = xp.sum(svdvals(cross_product, xp=xp)) * (x_factor * y_factor)
            squared = norms - 2 * overlap
        distance = root_of_difference(squared) * unit
        details = {"_cross_product": cross_product}
        return self._with_maps((distance, details), view_x, view_y)

    def _fit_maps(self, view_x, view_y, xp):
        U, s, Vt = thin_svd(self._cross_product, xp=xp)
        V = Vt.T
        if view_x.wide is not None:
            U = row_factor_basis(view_x.wide, xp=xp) @ U
        if view_y.wide is not None:
            V = row_factor_basis(view_y.wide, xp=xp) @ V
        x_factor, y_factor, unit = self._units(view_x, view_y)
        return U, V, s * (x_factor * y_factor * unit) * unit

    def _transform_x(self, X, xp):
        latent = ((X - self.x_mean_) * self._gain) @ self.x_rotations_
        return latent @ self.y_rotations_.T + self.y_mean_

    @property
    def _gain(self):
        """Factor from the norm of X to that of y."""
        if not self.scale:
            return 1.0
        x, y = self._maps.sources
        return (y.norm * y.scale) / (x.norm * x.scale)

    def _transform_y(self, y, xp):
        return y

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
        latent = ((X - self.y_mean_) / self._gain) @ self.y_rotations_
        return latent @ self.x_rotations_.T + self.x_mean_

    @property
    def _n_features_out(self):
        return self.n_features_y_in_

    def _evaluate(self, X, y, xp):
        A, B, unit = self._new_rows(X, y, xp)
        squared = squared_residual(A, B, *self._directions(), xp=xp)
        return xp.sqrt(squared) * unit

    def _directions(self):
        """Orthonormal directions that are matched with each other."""
        return self.x_rotations_, self.y_rotations_

    def _new_rows(self, X, y, xp):
        """New rows minus the training means, in one unit, and that unit."""
        A, a_scale, a_squared = self._less_mean(X, self.x_mean_, xp)
        B, b_scale, b_squared = self._less_mean(y, self.y_mean_, xp)
        if self.scale:
            refuse_constant(a_squared, "x", centered=self.center)
            refuse_constant(b_squared, "y", centered=self.center)
            return A / a_squared**0.5, B / b_squared**0.5, 1.0
        unit = max(a_scale, b_scale)
        return A * (a_scale / unit), B * (b_scale / unit), unit

    @staticmethod
    def _less_mean(X, mean, xp):
        """(rows, scale, squared norm) of rows minus a mean."""
        return rescaled(X - mean, xp=xp)

    def _similarity_tags(self):
        invariances = {"PT", "OT"}
        invariances |= {"TR"} if self.center else set()
        invariances |= {"IS"} if self.scale else set()
        is_plain = self.debias is None
        largest = 2**0.5 if is_plain else 2.0
        return SimilarityTags(
            family="alignment",
            orientation="distance",
            bounds=(0, largest if self.scale else float("inf")),
            score_bounds=(-2 if self.scale else -float("inf"), 0),
            metric=is_plain,
            identity=is_plain,
            invariances=invariances,
            view_keywords=("role",) if is_plain else ("role", "seed"),
            # other folds of each part of the rows: too much noise for a jackknife
            intervals=("jackknife", "subsample") if is_plain else ("subsample",),
            differentiable=is_plain,
            deterministic=is_plain,
            streaming=is_plain,
            score_uses_fit=is_plain,
            complexity="n d^2 + d^3",
            reference="Ding et al. 2021",
        )
