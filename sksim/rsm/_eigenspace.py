"""Eigenspace overlap score."""

from sksim._sklearn_compat import StrOptions
from sksim.arrays._linalg import orthonormal_basis
from sksim.arrays._moments import about_zero, basis_weights
from sksim.arrays._namespace import inner
from sksim.base import BaseSimilarity, MomentMixin
from sksim.base._tags import SimilarityTags


class EigenspaceOverlap(MomentMixin, BaseSimilarity):
    r"""Eigenspace overlap score.

    How much the column spaces of both representations, not centred, have in common:

    .. math:: m(R, R') = \frac{1}{d} \lVert U^\top U' \rVert_F^2

    with orthonormal bases :math:`U, U'` of the column spaces, such as the left
    singular vectors. A similarity in [0, 1]. Invariant to invertible linear maps;
    not to translation, which changes the spaces. Blind to how much variance a
    direction carries, like the CCA family, but it punishes unequal ranks.

    Parameters
    ----------
    denominator : {"rank", "width"}, default="rank"
        What the sum is divided by: the larger rank, so that a representation has
        similarity 1 with itself; or the larger number of columns, max(D, D'), as in
        the original paper, where a representation of rank 3 in 8 columns has .375.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Eigenspace overlap.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is zero everywhere.

    See Also
    --------
    sksim.cca.MeanSquaredCCA : Centred, and divided by the smaller rank.

    References
    ----------
    A. May, J. Zhang, T. Dao, C. Ré. On the downstream performance of compressed word
    embeddings. NeurIPS, 2019, arXiv:1909.01264.

    Examples
    --------
    >>> from sksim.rsm import EigenspaceOverlap
    >>> X = [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    >>> y = [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]
    >>> EigenspaceOverlap().fit(X, y).score_
    0.5
    """

    _parameter_constraints: dict = {"denominator": [StrOptions({"rank", "width"})]}

    def __init__(self, denominator="rank"):
        self.denominator = denominator

    def _view(self, X, xp, role):
        return orthonormal_basis(X, xp=xp, role=role, center=False)

    def _compare(self, view_x, view_y, xp):
        return self._overlap(view_x.basis.T @ view_y.basis, view_x, view_y, xp)

    def _compare_moments(self, moments, xp):
        moments = about_zero(moments, xp=xp)
        view_x, view_y = (
            basis_weights(side, products.matrix, xp=xp, role=role, center=False)
            for side, products, role in (
                (moments.x, moments.xx, "x"),
                (moments.y, moments.yy, "y"),
            )
        )
        M = view_x.weights.T @ moments.xy.matrix @ view_y.weights
        return self._overlap(M, view_x, view_y, xp)

    def _overlap(self, M, view_x, view_y, xp):
        if self.denominator == "rank":
            return inner(M, M, xp=xp) / max(view_x.rank, view_y.rank)
        widths = (view.coordinates.shape[1] for view in (view_x, view_y))
        return inner(M, M, xp=xp) / max(widths)

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0, 1),
            identity=self.denominator == "rank",
            invariances={"PT", "OT", "IS", "ILT"},
            view_keywords=("role",),
            streaming=True,
            complexity="n d^2",
            reference="May et al. 2019",
        )
