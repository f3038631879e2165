"""Aligned cosine similarity."""

from sksim.alignment._procrustes import OrthogonalProcrustes
from sksim.arrays._linalg import numerical_rank, role_name, unsigned_svd
from sksim.arrays._namespace import row_inner, row_sum_of_squares
from sksim.base._tags import SimilarityTags


class AlignedCosine(OrthogonalProcrustes):
    r"""Mean cosine of the rows after orthogonal alignment.

    .. math:: m(R, R') = \frac{1}{n} \sum_i \frac{\langle R_i Q^*, R'_i \rangle}
        {\lVert R_i \rVert \lVert R'_i \rVert}, \qquad
        Q^* = \arg\min_Q \lVert R Q - R' \rVert_F

    over the orthogonal Q (for unequal widths, those with orthonormal rows or
    columns). A similarity in [-1, 1], and one for each row. Invariant to orthogonal
    maps and isotropic scaling, and to translation if centred.

    Parameters
    ----------
    center : bool, default=True
        Whether to subtract the column means.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean cosine.
    similarities_ : array of shape (n_samples,)
        Cosine of each row: which inputs the two models represent differently.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means; zero with ``center=False``.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        Orthonormal directions U, V that are matched: the optimal map is U V'.
    singular_values_ : array of shape (k,)
        Their inner products.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a row is zero (after centring), so that it has no direction.

    See Also
    --------
    OrthogonalProcrustes : The distance under the same map.

    Notes
    -----
    The norms are those of the original rows: where X is wider than y, what the map
    leaves out of X counts as disagreement. Directions without any cross-covariance are
    matched with nothing, since no map is better than another there.
    ``score(X, y)`` applies the fitted map to new rows.

    References
    ----------
    W. L. Hamilton, J. Leskovec, D. Jurafsky. Diachronic word embeddings reveal
    statistical laws of semantic change. ACL, 2016, arXiv:1605.09096.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.alignment import AlignedCosine
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> y = X[:, ::-1].copy()
    >>> y[7] *= -1
    >>> int(AlignedCosine().fit(X, y).similarities_.argmin())
    7
    """

    _repeated_view = None
    _parts_by_rows = None  # the value is the mean of similarities_
    _parameter_constraints: dict = {"center": ["boolean"]}
    scale = False
    debias = None

    def __init__(self, *, center=True):
        self.center = center

    def _rows_view(self, X, xp, role, lazily=False):
        # of a row near the mean little would be left after a late subtraction
        view = super()._rows_view(X, xp, role, lazily=False)
        self._refuse_zero_rows(view.rows, role, xp)
        return view

    def _refuse_zero_rows(self, rows, role, xp):
        norms = row_sum_of_squares(rows, xp=xp)
        # a row at the mean is zero up to rounding
        rounding = 8 * float(xp.finfo(rows.dtype).eps) if self.center else 0.0
        if bool(xp.any(norms <= rounding**2 * xp.max(norms))):
            place = int(xp.argmin(norms))
            what = "equals the mean of all rows" if self.center else "is zero"
            raise ValueError(
                f"A row of {role_name(role)} (row {place}) {what}, so that it has no "
                "direction and no cosine. Remove the row from both representations."
            )

    def _compare(self, view_x, view_y, xp):
        cross_product = view_x.rows.T @ view_y.rows
        U, V, _ = _matched_directions(cross_product, xp)
        similarities = _row_cosines(view_x.rows, view_y.rows, U, V, xp)
        details = {"_cross_product": cross_product, "similarities_": similarities}
        return xp.mean(similarities), details

    def _fit_maps(self, view_x, view_y, xp):
        U, V, s = super()._fit_maps(view_x, view_y, xp)
        kept = numerical_rank(s, self._cross_product.shape, xp=xp)
        return U[:, :kept], V[:, :kept], s[:kept]

    def _evaluate(self, X, y, xp):
        A, B, _ = self._new_rows(X, y, xp)
        self._refuse_zero_rows(A, "x", xp)
        self._refuse_zero_rows(B, "y", xp)
        return xp.mean(_row_cosines(A, B, *self._directions(), xp))

    def _similarity_tags(self):
        return SimilarityTags(
            family="alignment",
            orientation="similarity",
            bounds=(-1, 1),
            invariances={"PT", "OT", "IS"} | ({"TR"} if self.center else set()),
            requires=("nonzero_rows",),
            view_keywords=("role",),
            score_uses_fit=True,
            complexity="n d^2 + d^3",
            reference="Hamilton et al. 2016",
        )


def _matched_directions(cross_product, xp):
    """Singular vectors of the cross-product, and values, without those that vanish."""
    U, s, Vt = unsigned_svd(cross_product, xp=xp)
    kept = numerical_rank(s, cross_product.shape, xp=xp)
    return U[:, :kept], Vt[:kept, :].T, s[:kept]


def _row_cosines(A, B, U, V, xp):
    # one product of the rows instead of two
    mapped = A @ (U @ V.T)
    products = row_inner(mapped, B, xp=xp)
    norms_a = xp.sqrt(row_sum_of_squares(A, xp=xp))
    norms_b = xp.sqrt(row_sum_of_squares(B, xp=xp))
    return products / norms_a / norms_b
