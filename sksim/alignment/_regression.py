"""Regression: how much of one representation the other predicts."""

import warnings
from dataclasses import dataclass
from numbers import Real

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sksim._sklearn_compat import HasMethods, Interval, StrOptions
from sksim.alignment._targets import (
    aggregated,
    fitted_regressor,
    given_rows,
    has_seed,
    predictions,
    scores_of_predictions,
    scores_of_products,
    warn_of_constant_targets,
    with_nan,
)
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
    column_sum_of_squares,
    device_of,
    inner,
    is_numpy,
    move_to,
    namespace_of,
    number,
    row_sum_of_squares,
    to_numpy,
)
from sksim.arrays._repeats import noise_of_means, unbiased_square_sum
from sksim.arrays._symmetric import Factored
from sksim.arrays._views import View
from sksim.base import AlignmentMixin, BaseSimilarity, MomentMixin
from sksim.base._comparison import Comparison
from sksim.base._inner_product import InnerProductComparison
from sksim.base._repeats import root_of_signal
from sksim.base._tags import ALL_INVARIANCES, SimilarityTags
from sksim.base._validation import overflow_is_silent, refuse_infinite_rows


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
    r"""Predicts y from X: R^2, or correlation, of a linear or another regression.

    The papers' :math:`R^2(X, Y)` predicts X from Y: it is ``fit(Y, X)``. By default the
    share of the variance of y, over all of its columns, that a linear map of X
    predicts:

    .. math:: m(R, R') = 1 - \frac{\min_W \lVert R' - R W \rVert_F^2}
        {\lVert R' \rVert_F^2} = \frac{\lVert Q^\top R' \rVert_F^2}
        {\lVert R' \rVert_F^2}

    for centred representations and an orthonormal basis Q of the columns of R. A
    similarity in [0, 1], asymmetric. Invariant to all invertible affine maps of X, and
    to orthogonal maps, isotropic scaling and translation of y. Scored target by target
    it is invariant to permutations of y's columns in place of orthogonal maps; with a
    ``regressor``, to what that is invariant to.

    Parameters
    ----------
    ridge : float, default=0
        Penalty on the squared coefficients, as ``alpha`` of
        :class:`sklearn.linear_model.Ridge`, in squared units of X. With a penalty,
        the scale of X counts.
    regressor : estimator, default=None
        Any regressor of scikit-learn that is to predict in place of linear regression,
        such as ``PLSRegression(25)`` or ``RidgeCV()``. One that takes a single target
        is fitted to each column of y by itself.
    aggregate : {"variance_weighted", "mean", "median"}, default="variance_weighted"
        How the scores of the targets, the columns of y, become one: weighted by their
        variances, or by their mean or median. Targets that do not vary are left out.
    correlation : bool, default=False
        Whether each target's score is Pearson's correlation of what is predicted with
        what is, or R^2. A prediction that does not vary correlates 0.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Score on the training rows: ``score(X, y)`` on new rows tells what is predicted.
    target_scores_ : array of shape (n_features_y,)
        Score of each target on the training rows, nan where it does not vary; only
        where targets are scored by themselves.
    regressor_ : estimator
        The fitted regressor; only where one was given.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Orthonormal directions U, V of the coefficients U diag(s) V'; only without a
        ``regressor``.
    singular_values_ : array of shape (k,)
        The s above: gain of each pair of directions; only without a ``regressor``.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant, or a ``ridge`` is set beside a ``regressor``.

    Warns
    -----
    UserWarning
        If X has as many independent columns as rows, so that the R^2 is 1 by
        construction. If columns of y do not vary and are left out.

    See Also
    --------
    sksim.cca.MeanSquaredCCA : Whitens y too, and is symmetric.

    Notes
    -----
    ``transform(X)`` is the prediction of y. ``score(X, y)`` is the R^2 of the fitted
    regression on new rows, against their own means as in
    :func:`sklearn.metrics.r2_score` with ``multioutput="variance_weighted"``; it has
    no lower limit. Computed in float64.

    Predictivity as of Brain-Score is the median over the targets of Pearson's r on
    held-out rows, by partial least squares or a ridge: ``cross_val_score`` of
    ``LinearRegressionSimilarity(regressor=PLSRegression(25), aggregate="median",
    correlation=True)``. For the correlation of each target, such as to divide it by
    that target's reliability, take :meth:`target_scores`. Permutation tests and
    intervals fit a ``regressor`` anew for each order and each subset of the rows.

    References
    ----------
    S. Kornblith, M. Norouzi, H. Lee, G. Hinton. Similarity of neural network
    representations revisited. ICML, 2019, arXiv:1905.00414.

    M. Schrimpf, J. Kubilius, H. Hong et al. Brain-Score: which artificial neural
    network for object recognition is most brain-like? bioRxiv 407007, 2018
    (predictivity).

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

    Predictivity of noisy responses of 20 neurons:

    >>> from sklearn.cross_decomposition import PLSRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 30))
    >>> y = X @ rng.normal(size=(30, 20)) / 5 + 0.5 * rng.normal(size=(100, 20))
    >>> predictivity = LinearRegressionSimilarity(
    ...     regressor=PLSRegression(5), aggregate="median", correlation=True
    ... )
    >>> round(float(cross_val_score(predictivity, X, y, cv=5).mean()), 1)
    0.6
    """

    _lands_in_y = True
    _parameter_constraints: dict = {
        "ridge": [Interval(Real, 0, None, closed="left")],
        "regressor": [HasMethods(["fit", "predict", "get_params"]), None],
        "aggregate": [StrOptions({"variance_weighted", "mean", "median"})],
        "correlation": ["boolean"],
    }

    def __init__(
        self,
        ridge=0.0,
        *,
        regressor=None,
        aggregate="variance_weighted",
        correlation=False,
    ):
        self.ridge = ridge
        self.regressor = regressor
        self.aggregate = aggregate
        self.correlation = correlation

    @property
    def _is_pooled(self):
        """Whether the variance of all targets together is explained, linearly."""
        is_default = self.aggregate == "variance_weighted" and not self.correlation
        return is_default and self.regressor is None

    @property
    def _kind(self):
        return InnerProductComparison if self._is_pooled else Comparison

    def _view(self, X, xp, role):
        X = as_float64(X, xp=xp)
        if self.regressor is not None:
            self._refuse_ridge()
            return given_rows(X, role, xp=xp)
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

    def _refuse_ridge(self):
        if self.ridge:
            raise ValueError(
                f"ridge={self.ridge} is a penalty of linear regression, and regressor "
                "takes its place. Set ridge=0, and the regressor's own penalty, such "
                "as alpha of Ridge."
            )

    def _check_views(self, view_x, view_y):
        if self.regressor is None:
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
        if self.regressor is not None:
            return self._compare_predictions(view_x.rows, view_y.rows)
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
        outcome = self._compare_product(product, view_x, view_y, xp, side.squares)
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

    def _compare_product(self, product, view_x, view_y, xp, squares=None):
        """Of the common product of a basis of X with y, and the columns' squares."""
        if not self._is_pooled:
            return self._compare_targets(product, view_x, view_y, xp, squares)
        explained = xp.sum(product * product, axis=1)
        if view_x.shares is not None:
            missed = 1 - view_x.shares
            explained = explained * (1 - missed * missed)
            product = product * view_x.shares[:, None]
        r_squared = xp.sum(explained) / view_y.squared_norm
        return r_squared, {"_cross_product": product}

    def _compare_targets(self, product, view_x, view_y, xp, squares):
        """The same, target by target."""
        if squares is None:
            squares = column_sum_of_squares(view_y.rows, xp=xp)
        shares = view_x.shares
        scores = scores_of_products(
            product, shares, squares, correlation=self.correlation, xp=xp
        )
        if shares is not None:
            product = product * shares[:, None]
        value, details = self._of_targets(scores, squares, xp)
        return value, {"_cross_product": product, **details}

    def _compare_predictions(self, X, y):
        regressor = fitted_regressor(self.regressor, X, y)
        predicted = predictions(regressor, X)
        scores = scores_of_predictions(
            y, predicted, correlation=self.correlation, xp=np
        )
        value, details = self._of_targets(*scores, np)
        return value, {"regressor_": regressor, **details}

    def _of_targets(self, scores, squares, xp):
        value = aggregated(scores, squares, self.aggregate, xp=xp)
        return value, {"target_scores_": with_nan(scores, squares, xp=xp)}

    def _keep_outcome(self, comparison):
        super()._keep_outcome(comparison)
        if not self._is_pooled:
            warn_of_constant_targets(
                self.target_scores_, xp=namespace_of(self.target_scores_)
            )

    def _repeated_view(self, trials, xp, role):
        """View of the mean trials, with the noise that is left in those of y."""
        if not self._is_pooled:
            raise ValueError(
                "Repetitions have an estimate of the R^2 of all targets together, by "
                "linear regression. Leave regressor, aggregate and correlation as they "
                "are, or take the mean trials."
            )
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
        if self.regressor is not None:
            raise AttributeError(
                "Rotations and singular values are those of linear regression: of the "
                "regressor that was given ask regressor_."
            )
        coefficients = view_x.rotations(self._cross_product, xp=xp) * view_y.scale
        U, s, Vt = thin_svd(coefficients, xp=xp)
        return U, Vt.T, s

    def _transform_x(self, X, xp):
        if self.regressor is not None:
            predicted = predictions(self.regressor_, to_numpy(X, xp=xp))
            return move_to(predicted, xp=xp, device=device_of(X))
        latent = (as_float64(X, xp=xp) - self.x_mean_) @ self.x_rotations_
        return (latent * self.singular_values_) @ self.y_rotations_.T + self.y_mean_

    def _transform_y(self, y, xp):
        return y

    @property
    def _n_features_out(self):
        return self.n_features_y_in_

    def _evaluate(self, X, y, xp):
        y = as_float64(y, xp=xp)
        if not self._is_pooled:
            scores, squares = self._scores_of_new_rows(X, y, xp)
            value, details = self._of_targets(scores, squares, xp)
            warn_of_constant_targets(details["target_scores_"], xp=xp)
            return value
        target = centered(y, xp=xp)
        refuse_constant(target.squared_norm, "y")
        residual = (y - self._transform_x(X, xp)) * (1 / target.scale)
        return 1 - inner(residual, residual, xp=xp) / target.squared_norm

    def _scores_of_new_rows(self, X, y, xp):
        predicted = refuse_infinite_rows(self._transform_x(X, xp), self, xp=xp)
        return scores_of_predictions(y, predicted, correlation=self.correlation, xp=xp)

    @overflow_is_silent
    def target_scores(self, X, y):
        """Score of each target on new rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows of the first representation.
        y : array-like of shape (n_samples, n_features_y)
            The same new rows of the second representation.

        Returns
        -------
        scores : array of shape (n_features_y,)
            R^2 or, with ``correlation``, Pearson's r of each column; nan for columns
            that do not vary among these rows.
        """
        check_is_fitted(self)
        rows = self._read(X, y, reset=False)
        X, y = (as_float64(array, xp=rows.xp) for array in rows.arrays)
        return with_nan(*self._scores_of_new_rows(X, y, rows.xp), xp=rows.xp)

    def _similarity_tags(self):
        rotations = frozenset({"PT", "OT", "TR"})
        of_y = rotations | {"IS"} if self._is_pooled else {"PT", "TR", "IS"}
        lowest = -1 if self.correlation else -float("inf")
        is_given = self.regressor is not None
        return SimilarityTags(
            family="alignment",
            orientation="similarity",
            bounds=(lowest if is_given else 0, 1),
            score_bounds=(lowest, 1),
            symmetric=False,
            identity=self.ridge == 0 and not is_given,
            invariances=self._invariances_of_x(rotations),
            # what a regressor is invariant to is not known
            invariances_y=frozenset() if is_given else of_y,
            view_keywords=("role",),
            exact={"null", "null_mean"} if self._is_pooled else set(),
            differentiable=self.ridge == 0 and self._is_pooled,
            streaming=not is_given,
            deterministic=self.regressor is None or has_seed(self.regressor),
            array_api=not is_given,
            score_uses_fit=True,
            complexity="n d^2",
            reference="Kornblith et al. 2019",
        )

    def _invariances_of_x(self, rotations):
        if self.regressor is not None:
            return frozenset()
        return ALL_INVARIANCES if self.ridge == 0 else rotations


def _fields(basis):
    return basis.basis, basis.coordinates, basis.mean, basis.scale
