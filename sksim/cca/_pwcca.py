"""Projection-weighted canonical correlation analysis."""

from sksim._sklearn_compat import StrOptions
from sksim.arrays._linalg import thin_svd
from sksim.base._tags import ALL_INVARIANCES, SimilarityTags
from sksim.cca._cca import BaseCCA


class PWCCA(BaseCCA):
    r"""Projection-weighted canonical correlation analysis.

    A mean of the canonical correlations :math:`\rho_i` that weighs each by how much
    of the representation its direction accounts for:

    .. math:: m(R, R') = \frac{\sum_i \alpha_i \rho_i}{\sum_i \alpha_i},
        \qquad \alpha_i = \sum_j \lvert \langle h_i, R_{:,j} \rangle \rvert

    with the orthonormal canonical variates :math:`h_i` of the centred R. A similarity
    in [0, 1], asymmetric: the weights come from one representation. Invariant to all
    affine maps of the other; for its own to permutations, isotropic scaling and
    translation only.

    Parameters
    ----------
    weights_from : {"X", "y", "narrower"}, default="X"
        Which representation the weights come from; "narrower" takes the one with
        fewer columns, X if they are equal.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Projection-weighted canonical correlation.
    weights_ : array of shape (k,)
        Weights of the correlations; they sum to 1.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Weights of the canonical variates; k is the smaller rank.
    singular_values_ : array of shape (k,)
        Canonical correlations, descending.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    See Also
    --------
    MeanCCA : Equal weights.

    Notes
    -----
    ``score(X, y)`` applies the fitted variates to new rows and keeps the weights of
    the training rows.

    Variates of equal correlations are determined only up to a rotation among them, and
    a sum of magnitudes changes with it. Of two representations that share more than one
    direction, as all do whose ranks add up to more than ``n_samples``, the value
    therefore depends on how the decomposition rounds, a little or, where the shared
    directions are few among many, in the second digit.

    References
    ----------
    A. Morcos, M. Raghu, S. Bengio. Insights on representational similarity in neural
    networks with canonical correlation. NeurIPS, 2018, arXiv:1806.05759.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.cca import PWCCA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 4)) * [10, 1, 1, 1]
    >>> y = X + rng.normal(size=X.shape)
    >>> round(PWCCA().fit(X, y).score_, 2)
    0.91
    """

    _parameter_constraints: dict = {
        "weights_from": [StrOptions({"X", "y", "narrower"})]
    }

    def __init__(self, weights_from="X"):
        self.weights_from = weights_from

    def _compare_bases(self, M, view_x, view_y, xp):
        U, s, Vt = thin_svd(M, xp=xp)
        if self._weights_from_x(view_x, view_y):
            projections = U.T @ view_x.coordinates
        else:
            projections = Vt @ view_y.coordinates
        weights = xp.sum(xp.abs(projections), axis=1)
        weights = weights / xp.sum(weights)
        return xp.sum(weights * s), {"_cross_product": M, "weights_": weights}

    def _weights_from_x(self, view_x, view_y):
        if self.weights_from == "narrower":
            return view_x.coordinates.shape[1] <= view_y.coordinates.shape[1]
        return self.weights_from == "X"

    def _aggregate(self, correlations, xp):
        return xp.sum(self.weights_ * correlations)

    def _similarity_tags(self):
        weighted = {"PT", "IS", "TR"}
        free = ALL_INVARIANCES
        return SimilarityTags(
            family="cca",
            orientation="similarity",
            bounds=(0, 1),
            score_bounds=(-1, 1),
            symmetric=False,
            invariances=free if self.weights_from == "y" else weighted,
            invariances_y=free if self.weights_from == "X" else weighted,
            view_keywords=("role",),
            streaming=True,
            score_uses_fit=True,
            complexity="n d^2 + d^3",
            reference="Morcos et al. 2018",
        )
