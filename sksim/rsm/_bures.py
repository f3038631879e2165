"""Normalized Bures similarity."""

from dataclasses import dataclass

from sksim.arrays._linalg import (
    centered,
    centered_product,
    lazily_centered,
    nuclear_norm,
    refuse_constant,
    row_factor,
    squared_norm_of,
)
from sksim.arrays._views import View
from sksim.base import BaseSimilarity, MomentMixin
from sksim.base._tags import SimilarityTags


@dataclass(frozen=True)
class NormedRows(View):
    """Rows and the Frobenius norm that they have after centring.

    ``mean`` is what is still to be subtracted, None if the rows are centred. Of a
    representation with more features than rows, ``rows`` is the n x n triangular
    factor, which has the same inner products.
    """

    rows: object
    mean: object
    norm: float

    _row_fields = ("rows",)


class NormalizedBures(MomentMixin, BaseSimilarity):
    r"""Normalized Bures similarity.

    The fidelity of the two linear kernel matrices of the centred representations:

    .. math:: m(R, R') = \frac{\lVert R^\top R' \rVert_*}
        {\lVert R \rVert_F \lVert R' \rVert_F}

    A similarity in [0, 1]. Invariant to orthogonal maps, isotropic scaling and
    translation. It is the cosine of the angular shape metric, and
    :math:`1 - d^2 / 2` of the Procrustes distance d of scaled representations.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Normalized Bures similarity.
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
    sksim.alignment.AngularShapeMetric : The angle, a metric, with its rotation.
    CKA : Squared Frobenius norm instead of the nuclear norm.

    Notes
    -----
    Costs O(n d^2 + d^3). Counts directions of little variance more than CKA does,
    since singular values enter by themselves, not squared.

    References
    ----------
    S. Tang, W. J. Maddox, C. Dickens, T. Diethe, A. Damianou. Similarity of neural
    networks with gradients. 2020, arXiv:2003.11498.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.rsm import NormalizedBures
    >>> X = np.array([[0.0], [1.0], [2.0]])
    >>> round(NormalizedBures().fit(X, [[0.0], [2.0], [1.0]]).score_, 12)
    0.5
    """

    def _view(self, X, xp, role):
        if X.shape[1] <= X.shape[0]:
            rows, mean, squared_norm, _ = lazily_centered(X, xp=xp)
            refuse_constant(squared_norm, role)
            squared_norm = squared_norm_of(rows, mean, squared_norm, xp=xp)
            return NormedRows(rows, mean, squared_norm**0.5)
        rows, _, _, squared_norm = centered(X, xp=xp)
        refuse_constant(squared_norm, role)
        squared_norm = squared_norm_of(rows, None, squared_norm, xp=xp)
        return NormedRows(row_factor(rows, xp=xp), None, squared_norm**0.5)

    def _compare(self, view_x, view_y, xp):
        M = centered_product(view_x.rows, view_x.mean, view_y.rows, view_y.mean)
        overlap = nuclear_norm(M, xp=xp)
        return overlap / view_x.norm / view_y.norm

    def _moments_needed(self):
        return {"cross"}

    def _compare_moments(self, moments, xp):
        overlap = nuclear_norm(moments.xy.matrix, xp=xp)
        for side, role in ((moments.x, "x"), (moments.y, "y")):
            refuse_constant(side.squared_norm, role)
            overlap = overlap / side.squared_norm**0.5
        return overlap

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0, 1),
            invariances={"PT", "OT", "IS", "TR"},
            view_keywords=("role",),
            differentiable=True,
            streaming=True,
            complexity="n d^2 + d^3",
            reference="Tang et al. 2020",
        )
