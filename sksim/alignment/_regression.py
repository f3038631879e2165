"""Linear regression: how much of one representation the other predicts."""

import warnings
from dataclasses import dataclass
from numbers import Real

from sksim._sklearn_compat import Interval
from sksim.arrays._linalg import (
    Basis,
    centered,
    numerical_rank,
    orthonormal_basis,
    refuse_constant,
    tall_svd,
    thin_svd,
)
from sksim.arrays._moments import (
    BasisWeights,
    basis_weights,
    principal_axes,
    refuse_ill_conditioned,
)
from sksim.arrays._namespace import (
    as_float64,
    inner,
    is_numpy,
    number,
    row_sum_of_squares,
)
from sksim.arrays._repeats import noise_of_means, unbiased_square_sum
from sksim.arrays._symmetric import Factored
from sksim.arrays._views import View
from sksim.base import AlignmentMixin, BaseSimilarity, MomentMixin
from sksim.base._inner_product import InnerProductComparison
from sksim.base._repeats import root_of_signal
from sksim.base._tags import ALL_INVARIANCES, SimilarityTags


@dataclass(frozen=True)
class Predictors(Basis):
    """Left singular vectors of X, and the share of each that a ridge leaves."""

    shares: object


@dataclass(frozen=True)
class PredictorWeights(BasisWeights):
    """The same, of which only the weights are known."""

    shares: object


@dataclass(frozen=True)
class Targets(View):
    """Centred rows of y, times ``scale``, and their squared norm."""

    rows: object
    mean: object
    scale: float
    squared_norm: float

    _row_fields = ("rows",)


@dataclass(frozen=True)
class RepeatedTargets(Targets):
    """Means of the trials of y, with the squared norm of what trials have in common.

    ``noise`` is what is left of the noise in the squared norm of each row.
    """

    noise: object

    _row_fields = ("rows", "noise")


class LinearRegressionSimilarity(MomentMixin, AlignmentMixin, BaseSimilarity):
    r"""R^2 of a linear regression of y on X.

    The share of the variance of y, over all of its columns, that a linear map of X
    predicts:

    .. math:: m(R, R') = 1 - \frac{\min_W \lVert R' - R W \rVert_F^2}
        {\lVert R' \rVert_F^2} = \frac{\lVert Q^\top R' \rVert_F^2}
        {\lVert R' \rVert_F^2}

    for centred representations and an orthonormal basis Q of the columns of R. A
    similarity in [0, 1], asymmetric. Invariant to all invertible affine maps of X, and
    to orthogonal maps, isotropic scaling and translation of y.

    Parameters
    ----------
    ridge : float, default=0
        Penalty on the squared coefficients, as ``alpha`` of
        :class:`sklearn.linear_model.Ridge`, in squared units of X. With a penalty,
        the scale of X counts.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        R^2 on the training rows.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Orthonormal directions U, V of the coefficients U diag(s) V'.
    singular_values_ : array of shape (k,)
        The s above: gain of each pair of directions.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant.

    Warns
    -----
    UserWarning
        If X has as many independent columns as rows, so that the R^2 is 1 by
        construction.

    See Also
    --------
    sksim.cca.MeanSquaredCCA : Whitens y too, and is symmetric.

    Notes
    -----
    ``transform(X)`` is the prediction of y. ``score(X, y)`` is the R^2 of the fitted
    regression on new rows, against their own means as in
    :func:`sklearn.metrics.r2_score` with ``multioutput="variance_weighted"``; it has
    no lower limit. Computed in float64.

    References
    ----------
    S. Kornblith, M. Norouzi, H. Lee, G. Hinton. Similarity of neural network
    representations revisited. ICML, 2019, arXiv:1905.00414.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.alignment import LinearRegressionSimilarity
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> measure = LinearRegressionSimilarity()
    >>> round(measure.fit(X, X[:, :2]).score_, 3)
    1.0
    >>> measure.fit(X[:, :2], X).score_ < 0.7
    True
    """

    _kind = InnerProductComparison
    _lands_in_y = True
    _parameter_constraints: dict = {"ridge": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, ridge=0.0):
        self.ridge = ridge

    def _view(self, X, xp, role):
        X = as_float64(X, xp=xp)
        if role == "x" and self.ridge == 0:
            basis = orthonormal_basis(X, xp=xp, role=role)
            return Predictors(*_fields(basis), shares=None)
        rows, mean, scale, squared_norm = centered(X, xp=xp)
        refuse_constant(squared_norm, role)
        if role == "y":
            if not is_numpy(xp):  # with its gradients
                squared_norm = inner(rows, rows, xp=xp)
            return Targets(rows, mean, scale, squared_norm)
        U, s, Vt = tall_svd(rows, xp=xp)
        rank = numerical_rank(s, rows.shape, xp=xp)
        U, s, Vt = U[:, :rank], s[:rank], Vt[:rank, :]
        penalty = self.ridge / scale / scale
        shares = s * s / (s * s + penalty)
        return Predictors(U, s[:, None] * Vt, mean, scale, shares)

    def _check_views(self, view_x, view_y):
        self._warn_of_trivial(view_x.rank, view_x.basis.shape[0])

    def _warn_of_trivial(self, rank, n_samples):
        if self.ridge == 0 and rank >= n_samples - 1:
            warnings.warn(
                f"X has rank {rank} in {n_samples} rows, so that it predicts "
                "any y and R^2 is 1 by construction. Use more rows, fewer features, a "
                "ridge, or score(X, y) on new rows.",
                UserWarning,
                stacklevel=5,
            )

    def _compare(self, view_x, view_y, xp):
        product = view_x.basis.T @ view_y.rows
        return self._compare_product(product, view_x, view_y, xp)

    def _compare_moments(self, moments, xp):
        view_x = self._predictors_of_moments(moments.x, moments.xx, xp)
        side = moments.y
        refuse_constant(side.squared_norm, "y")
        mean = side.mean + side.rest
        view_y = Targets(None, mean, side.scale, side.squared_norm)
        self._warn_of_trivial(view_x.rank, moments.n)
        product = view_x.weights.T @ moments.xy.matrix
        outcome = self._compare_product(product, view_x, view_y, xp)
        return self._with_maps(outcome, view_x, view_y)

    def _predictors_of_moments(self, side, products, xp):
        if self.ridge == 0:
            basis = basis_weights(side, products.matrix, xp=xp, role="x")
            return PredictorWeights(*_fields(basis), basis.weights, shares=None)
        refuse_constant(side.squared_norm, "x")
        squares, V = principal_axes(side, products.matrix, xp=xp)
        penalty = self.ridge / side.scale / side.scale
        refuse_ill_conditioned(squares[0] + penalty, squares[-1] + penalty, side, "x")
        # rounding leaves of a direction without variance what has no root
        kept = int(xp.count_nonzero(squares <= 1e-15 * squares.shape[0] * squares[-1]))
        squares, V = squares[kept:], V[:, kept:]
        s = xp.sqrt(squares)
        mean = side.mean + side.rest
        return PredictorWeights(
            None,
            s[:, None] * V.T,
            mean,
            side.scale,
            weights=V / s,
            shares=squares / (squares + penalty),
        )

    def _compare_product(self, product, view_x, view_y, xp):
        explained = xp.sum(product * product, axis=1)
        if view_x.shares is not None:
            missed = 1 - view_x.shares
            explained = explained * (1 - missed * missed)
            product = product * view_x.shares[:, None]
        r_squared = xp.sum(explained) / view_y.squared_norm
        return r_squared, {"_cross_product": product}

    def _repeated_view(self, trials, xp, role):
        """View of the mean trials, with the noise that is left in those of y."""
        trials, scale = trials.centred(xp=xp)
        means = trials.means(xp=xp)
        if role == "x":
            return self._view(means * scale, xp, role)
        squared = number(unbiased_square_sum(trials, center=True, xp=xp))
        total = number(inner(means, means, xp=xp))
        signal = root_of_signal(squared, total, role) ** 2
        return RepeatedTargets(
            means, None, scale, signal, noise_of_means(trials, xp=xp)
        )

    def _compare_repeated(self, view_x, view_y, xp):
        basis = self._form(view_x, "x", xp).rows
        explained = basis.T @ view_y.rows
        noise = xp.sum(row_sum_of_squares(basis, xp=xp) * view_y.noise)
        return (inner(explained, explained, xp=xp) - noise) / view_y.squared_norm

    def _form(self, view, role, xp):
        if role == "y":
            return Factored(view.rows)
        if view.shares is None:
            return Factored(view.basis)
        # each direction times the root of the share that it explains
        missed = 1 - view.shares
        return Factored(view.basis * xp.sqrt(1 - missed * missed))

    def _of_product(self, product, view_x, view_y, n_samples):
        return product / view_y.squared_norm

    def _fit_maps(self, view_x, view_y, xp):
        coefficients = view_x.rotations(self._cross_product, xp=xp) * view_y.scale
        U, s, Vt = thin_svd(coefficients, xp=xp)
        return U, Vt.T, s

    def _transform_x(self, X, xp):
        latent = (as_float64(X, xp=xp) - self.x_mean_) @ self.x_rotations_
        return (latent * self.singular_values_) @ self.y_rotations_.T + self.y_mean_

    def _transform_y(self, y, xp):
        return y

    @property
    def _n_features_out(self):
        return self.n_features_y_in_

    def _evaluate(self, X, y, xp):
        y = as_float64(y, xp=xp)
        target = centered(y, xp=xp)
        refuse_constant(target.squared_norm, "y")
        residual = (y - self._transform_x(X, xp)) * (1 / target.scale)
        return 1 - inner(residual, residual, xp=xp) / target.squared_norm

    def _similarity_tags(self):
        rotations = frozenset({"PT", "OT", "TR"})
        return SimilarityTags(
            family="alignment",
            orientation="similarity",
            bounds=(0, 1),
            score_bounds=(-float("inf"), 1),
            symmetric=False,
            identity=self.ridge == 0,
            invariances=ALL_INVARIANCES if self.ridge == 0 else rotations,
            invariances_y=rotations | {"IS"},
            view_keywords=("role",),
            exact={"null", "null_mean"},
            differentiable=self.ridge == 0,
            streaming=True,
            score_uses_fit=True,
            complexity="n d^2",
            reference="Kornblith et al. 2019",
        )


def _fields(basis):
    return basis.basis, basis.coordinates, basis.mean, basis.scale
