"""Singular vector canonical correlation analysis."""

from numbers import Real

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._linalg import (
    Basis,
    centered,
    nuclear_norm,
    numerical_rank,
    refuse_constant,
    tall_svd,
)
from sksim.arrays._moments import BasisWeights, principal_axes, refuse_ill_conditioned
from sksim.arrays._namespace import as_float64, inner
from sksim.base._tags import SimilarityTags
from sksim.cca._cca import BaseCCA


class SVCCA(BaseCCA):
    r"""Singular vector canonical correlation analysis.

    Each representation is first reduced to the fewest principal components that
    explain the share ``variance`` of its variance; the statistic is the mean (or the
    mean square) of the canonical correlations of what remains. A similarity in
    [0, 1]. Invariant to orthogonal maps, isotropic scaling and translation; not to
    invertible linear maps, which change what is principal.

    Parameters
    ----------
    variance : float in (0, 1], default=0.99
        Share of each representation's variance that is kept.
    aggregate : {"mean", "mean_squared"}, default="mean"
        What is averaged: the correlations or their squares.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean (squared) canonical correlation of the principal components.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Weights of the canonical variates; k is the smaller number of components.
    singular_values_ : array of shape (k,)
        Canonical correlations, descending.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    See Also
    --------
    MeanCCA : Without the reduction.

    Notes
    -----
    ``score(X, y)`` applies the fitted variates to new rows, as in
    :class:`MeanCCA`.

    References
    ----------
    M. Raghu, J. Gilmer, J. Yosinski, J. Sohl-Dickstein. SVCCA: singular vector
    canonical correlation analysis for deep learning dynamics and interpretability.
    NeurIPS, 2017, arXiv:1706.05806.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.cca import SVCCA
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.normal(size=(200, 3))
    >>> X = np.hstack([signal, 0.01 * rng.normal(size=(200, 20))])
    >>> y = np.hstack([signal[:, ::-1], 0.01 * rng.normal(size=(200, 20))])
    >>> round(SVCCA(variance=0.99).fit(X, y).score_, 3)
    1.0
    """

    _parameter_constraints: dict = {
        "variance": [Interval(Real, 0, 1, closed="right")],
        "aggregate": [StrOptions({"mean", "mean_squared"})],
    }

    def __init__(self, variance=0.99, *, aggregate="mean"):
        self.variance = variance
        self.aggregate = aggregate

    def _view(self, X, xp, role):
        rows, mean, scale, squared_norm = centered(as_float64(X, xp=xp), xp=xp)
        refuse_constant(squared_norm, role)
        n_samples, n_features = rows.shape
        if n_samples > n_features:
            by_gram = self._components_by_gram(rows, xp)
            if by_gram is not None:
                return Basis(*by_gram, mean, scale)
        U, s, Vt = tall_svd(rows, xp=xp)
        kept = min(self._n_components(s**2, xp), numerical_rank(s, rows.shape, xp=xp))
        return Basis(U[:, :kept], s[:kept, None] * Vt[:kept, :], mean, scale)

    def _components_by_gram(self, rows, xp):
        """(basis, coordinates) by the D x D Gram matrix, or None if too inexact.

        The kept components are the strong ones, so that their squared singular values
        rarely come near rounding.
        """
        eigenvalues, vectors = xp.linalg.eigh(rows.T @ rows)
        eigenvalues = xp.flip(eigenvalues)
        kept = self._n_components(eigenvalues, xp)
        if not float(eigenvalues[kept - 1]) > 1e-8 * float(eigenvalues[0]):
            return None
        vectors = xp.flip(vectors, axis=1)[:, :kept]
        s = xp.sqrt(eigenvalues[:kept])
        return rows @ (vectors / s), s[:, None] * vectors.T

    def _view_of_moments(self, side, products, xp, role):
        refuse_constant(side.squared_norm, role)
        eigenvalues, vectors = principal_axes(side, products.matrix, xp=xp)
        eigenvalues = xp.flip(eigenvalues)
        kept = self._n_components(eigenvalues, xp)
        refuse_ill_conditioned(eigenvalues[kept - 1], eigenvalues[0], side, role)
        vectors = xp.flip(vectors, axis=1)[:, :kept]
        s = xp.sqrt(eigenvalues[:kept])
        mean = side.mean + side.rest
        coordinates = s[:, None] * vectors.T
        return BasisWeights(None, coordinates, mean, side.scale, vectors / s)

    def _n_components(self, squares, xp):
        """Fewest leading components whose squares reach the share ``variance``."""
        explained = xp.cumulative_sum(squares)
        # rounding of the sum must not add a component when all variance is asked for
        wanted = self.variance * explained[-1] * (1 - 1e-12)
        return 1 + int(xp.count_nonzero(explained < wanted))

    def _compare_bases(self, M, view_x, view_y, xp):
        total = (
            nuclear_norm(M, xp=xp) if self.aggregate == "mean" else inner(M, M, xp=xp)
        )
        return total / min(M.shape), {"_cross_product": M}

    def _aggregate(self, correlations, xp):
        if self.aggregate == "mean":
            return xp.mean(correlations)
        return xp.mean(correlations * xp.abs(correlations))

    def _similarity_tags(self):
        return SimilarityTags(
            family="cca",
            orientation="similarity",
            bounds=(0, 1),
            score_bounds=(-1, 1),
            invariances={"PT", "OT", "IS", "TR"},
            view_keywords=("role",),
            streaming=True,
            score_uses_fit=True,
            complexity="n d^2 + d^3",
            reference="Raghu et al. 2017",
        )
