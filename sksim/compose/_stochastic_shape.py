"""Shape distance of representations that respond differently each time."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from sksim._sklearn_compat import Interval, StrOptions, fit_context
from sksim.base._validation import check_doubles

# Rounds end where the objective falls by less than this share of it.
_TOLERANCE = 1e-13
# Distances this small against the spread of the data weigh no more in a round.
_NEAREST = 1e-12


class StochasticShapeMetric(BaseEstimator):
    r"""Stochastic shape metric: distance of two models with noisy responses.

    Each input has a distribution of responses, of which repeats are observed. With the
    means :math:`\mu_i, \mu_i'` and covariances :math:`S_i, S_i'` of both models'
    responses to input i, and the Bures distance B,

    .. math:: d^2 = \min_Q \frac1n \sum_i \alpha \lVert \mu_i - \mu_i' Q \rVert^2
        + (2 - \alpha) B(S_i, Q^\top S_i' Q)^2

    over orthogonal Q ("gaussian"), or, without assumptions on the distributions, the
    energy distance under the rotation that brings all pairs of responses nearest to
    each other ("energy"),

    .. math:: d^2 = E \lVert x - y Q \rVert - \tfrac12 E \lVert x - x' \rVert
        - \tfrac12 E \lVert y - y' \rVert .

    Parameters
    ----------
    alpha : float in [0, 2], default=1.0
        Weight of the means against the covariances; 2 compares means alone. Only with
        ``kind="gaussian"``.
    kind : {"gaussian", "energy"}, default="gaussian"
        By means and covariances, or by all pairs of responses.
    n_init : int, default=25
        Number of starts: the Procrustes solution of the means, and random rotations.
    max_iter : int, default=1000
        Most rounds from each start.
    random_state : int, RandomState instance or None, default=None
        Of the random rotations.

    Attributes
    ----------
    distance_, statistic_ : float
        The distance.
    score_ : float
        Minus the distance.
    rotation_ : array of shape (n_features, n_features)
        The rotation Q of y.
    objective_ : float
        What was minimised: the squared distance ("gaussian"), or the mean distance of
        all pairs of responses ("energy").

    Raises
    ------
    ValueError
        If shapes differ, or if there are fewer than two repeats.

    See Also
    --------
    sksim.alignment.OrthogonalProcrustes : The distance of one response to each input.

    Notes
    -----
    The minimisation is not convex: the best of several starts counts, and a better
    rotation may exist. Responses are not centred; subtract the mean over all inputs
    first to be blind to a common offset. Means over pairs of repeats are over all
    pairs, a repeat with itself among them, which makes the energy distance a metric.

    References
    ----------
    L. R. Duong, J. Zhou, J. Nassar, J. Berman, J. Olieslagers, A. H. Williams.
    Representational dissimilarity metric spaces for stochastic neural networks. ICLR,
    2023, arXiv:2211.11665.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.compose import StochasticShapeMetric
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(10, 1, 3)) + 0.3 * rng.normal(size=(10, 50, 3))
    >>> rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    >>> measure = StochasticShapeMetric(random_state=0)
    >>> measure.fit(X, X @ rotation).distance_ < 1e-6
    True
    >>> noisier = X + rng.normal(size=X.shape)
    >>> round(measure.fit(X, noisier).distance_, 1)
    1.4
    """

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, 2, closed="both")],
        "kind": [StrOptions({"gaussian", "energy"})],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        kind="gaussian",
        n_init=25,
        max_iter=1000,
        random_state=None,
    ):
        self.alpha = alpha
        self.kind = kind
        self.n_init = n_init
        self.max_iter = max_iter
        self.random_state = random_state

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Compare repeated responses to the same inputs.

        Parameters
        ----------
        X : array-like of shape (n_inputs, n_repeats, n_features)
            Responses of the first model.
        y : array-like of shape (n_inputs, n_repeats_y, n_features)
            Responses of the second model.

        Returns
        -------
        self : StochasticShapeMetric
        """
        X, y = _responses(X, "X"), _responses(y, "y")
        if len(X) != len(y) or X.shape[2] != y.shape[2]:
            raise ValueError(
                f"X has {len(X)} inputs and {X.shape[2]} features, y {len(y)} and "
                f"{y.shape[2]}: both must be equal. Match widths first."
            )
        if self.kind == "energy":
            return self._fit_energy(X, y)
        sides = ((rows.mean(axis=1), _covariances(rows)) for rows in (X, y))
        (means_x, covariances_x), (means_y, covariances_y) = sides
        return self._fit_gaussian(means_x, covariances_x, means_y, covariances_y)

    @fit_context(prefer_skip_nested_validation=True)
    def fit_moments(self, means_x, covariances_x, means_y, covariances_y):
        """Compare means and covariances that are known already.

        Parameters
        ----------
        means_x : array-like of shape (n_inputs, n_features)
            Mean response of the first model to each input.
        covariances_x : array-like of shape (n_inputs, n_features, n_features)
            Covariance of these responses.
        means_y : array-like of shape (n_inputs, n_features)
            Mean response of the second model.
        covariances_y : array-like of shape (n_inputs, n_features, n_features)
            Covariance of these responses.

        Returns
        -------
        self : StochasticShapeMetric
        """
        if self.kind == "energy":
            raise ValueError(
                "kind='energy' compares responses, of which moments tell too little. "
                "Call fit, or use kind='gaussian'."
            )
        means = [
            check_doubles(rows, name)
            for rows, name in ((means_x, "means_x"), (means_y, "means_y"))
        ]
        given = {"covariances_x": covariances_x, "covariances_y": covariances_y}
        covariances = [
            check_doubles(matrices, name, allow_nd=True)
            for name, matrices in given.items()
        ]
        n, width = means[0].shape
        shapes = {m.shape for m in means}, {c.shape for c in covariances}
        if shapes != ({(n, width)}, {(n, width, width)}):
            raise ValueError(
                f"Means must be of shape {(n, width)} and covariances of shape "
                f"{(n, width, width)} for both models, got {shapes[0]} and {shapes[1]}."
            )
        for matrices, name in zip(covariances, given, strict=True):
            _refuse_no_covariances(matrices, name)
        return self._fit_gaussian(means[0], covariances[0], means[1], covariances[1])

    def _fit_gaussian(self, means_x, covariances_x, means_y, covariances_y):
        roots = [
            _roots(c) * (2 - self.alpha) ** 0.5 for c in (covariances_x, covariances_y)
        ]
        means = [m[:, None, :] * self.alpha**0.5 for m in (means_x, means_y)]
        n = len(means_x)

        def matched(Q):
            """Y's roots, each in the frame in which it is nearest to X's."""
            U, _, Vt = np.linalg.svd(roots[0] @ np.swapaxes(roots[1] @ Q, 1, 2))
            return U @ Vt @ roots[1]

        def improve(Q):
            fixed = np.concatenate([means[0], roots[0]], axis=1)
            moved = np.concatenate([means[1], matched(Q)], axis=1)
            return _rotation(np.einsum("nij,nik->jk", moved, fixed))

        def objective(Q):
            squares = np.sum((means[0] - means[1] @ Q) ** 2)
            return (squares + np.sum((roots[0] - matched(Q) @ Q) ** 2)) / n

        start = _rotation(means_y.T @ means_x)
        self.objective_, self.rotation_ = self._best(start, improve, objective)
        return self._store(self.objective_)

    def _fit_energy(self, X, y):
        scale = np.sqrt(np.mean(X**2) + np.mean(y**2))

        def lengths(Q):
            return _lengths(X, y @ Q)

        def improve(Q):
            weights = 1 / np.maximum(lengths(Q), _NEAREST * scale)
            return _rotation(np.einsum("nsi,nrs,nrj->ij", y, weights, X))

        start = _rotation(y.mean(axis=1).T @ X.mean(axis=1))
        self.objective_, self.rotation_ = self._best(
            start, improve, lambda Q: np.mean(lengths(Q))
        )
        own = np.mean(_lengths(X, X)) + np.mean(_lengths(y, y))
        return self._store(self.objective_ - own / 2)

    def _best(self, start, improve, objective):
        """(objective, rotation) of the best of several starts."""
        rng = check_random_state(self.random_state)
        shape = start.shape
        starts = [start, *(rng.normal(size=shape) for _ in range(self.n_init - 1))]
        found = []
        for first in starts:
            Q, value = _rotation(first), np.inf
            for _ in range(self.max_iter):
                Q = improve(Q)
                before, value = value, objective(Q)
                if before - value <= _TOLERANCE * value:
                    break
            found.append((float(value), Q))
        return min(found, key=lambda each: each[0])

    def _store(self, squared):
        self.statistic_ = self.distance_ = max(float(squared), 0.0) ** 0.5
        self.score_ = -self.distance_
        return self


def _responses(rows, name):
    rows = check_doubles(rows, name, allow_nd=True)
    if rows.ndim != 3 or rows.shape[1] < 2:
        raise ValueError(
            f"{name} must be of shape (n_inputs, n_repeats, n_features) with at least "
            f"two repeats, got shape {rows.shape}. Of one response to each input use "
            "sksim.alignment.OrthogonalProcrustes."
        )
    return rows


def _covariances(rows):
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.swapaxes(rows, 1, 2) @ rows / (rows.shape[1] - 1)


def _refuse_no_covariances(matrices, name):
    """Raise unless all matrices are symmetric and none has a negative variance."""
    rounding = 1e-8 * np.abs(matrices).max(axis=(1, 2))
    skew = np.abs(matrices - np.swapaxes(matrices, 1, 2)).max(axis=(1, 2))
    smallest = np.linalg.eigvalsh(matrices)[:, 0]
    for found, what in (
        (skew > rounding, "not symmetric"),
        (smallest < -rounding, "not positive semi-definite"),
    ):
        if found.any():
            raise ValueError(
                f"{name}[{int(np.argmax(found))}] is {what}, so that it is no "
                "covariance matrix. Check the order of the axes: (n_inputs, "
                "n_features, n_features)."
            )


def _roots(covariances):
    """Symmetric square roots."""
    values, vectors = np.linalg.eigh(covariances)
    scaled = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
    return scaled @ np.swapaxes(vectors, 1, 2)


def _rotation(matrix):
    """The orthogonal matrix nearest to a square one."""
    U, _, Vt = np.linalg.svd(matrix)
    return U @ Vt


def _lengths(X, y):
    """Distances of all pairs of repeats of the same input."""
    return np.linalg.norm(X[:, :, None, :] - y[:, None, :, :], axis=3)
