"""Norm of the difference of two similarity matrices."""

import math
from dataclasses import dataclass

from sksim._progress import tracked
from sksim._sklearn_compat import StrOptions
from sksim.arrays._linalg import refuse_constant, rescaled, role_name
from sksim.arrays._namespace import inner, number, row_blocks_of
from sksim.arrays._pairs import (
    MATRIX_ROWS,
    METRICS,
    distance_block,
    distance_matrix,
    of_distances,
    squared_distance_matrix,
    squared_distance_rows,
    symmetric_blocks,
)
from sksim.arrays._picking import permuted_inner, upper_blocks
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._comparison import Comparison
from sksim.base._tags import SimilarityTags


@dataclass(frozen=True)
class PairMatrix(View):
    """Dissimilarities (or inner products) of all pairs of rows, in units of ``unit``.

    ``matrix`` holds them up to some number of rows; beyond, they are made in blocks of
    the ``rows``.
    """

    rows: object
    squares: object
    matrix: object
    unit: float

    _row_fields = ("rows", "squares")
    _row_by_row_fields = ("matrix",)

    def gains(self, other):
        """(gain of this, gain of the other, unit): what brings both to one unit."""
        unit = max(self.unit, other.unit)
        return self.unit / unit, other.unit / unit, unit


@dataclass(frozen=True, kw_only=True)
class DifferenceComparison(Comparison):
    """Two matrices of all pairs, which are subtracted from each other."""

    def for_permutations(self):
        """The form in which permutations pick entries, if matrices are kept."""
        view_x, view_y, xp = self.view_x, self.view_y, self.xp
        if view_x.matrix is None:
            return super().for_permutations()
        gain_x, gain_y, unit = view_x.gains(view_y)
        norms = gain_x**2 * number(inner(view_x.matrix, view_x.matrix, xp=xp))
        norms += gain_y**2 * number(inner(view_y.matrix, view_y.matrix, xp=xp))
        return self.prepared_as(
            PickedDifference,
            upper=upper_blocks(view_x.matrix, xp=xp),
            squared_norms=norms,
            gain=gain_x * gain_y,
            unit=unit,
        )


@dataclass(frozen=True, kw_only=True)
class PickedDifference(DifferenceComparison):
    """The same by the matrices' norms and inner product, where these keep the digits.

    Attributes
    ----------
    upper : UpperBlocks
        Of X's matrix.
    squared_norms : float
        Sum of both matrices' squared norms, in units of ``unit``.
    gain : float
        Factor of their inner product.
    unit : float
    """

    upper: object
    squared_norms: float
    gain: float
    unit: float

    def permuted(self, orders):
        """Statistics with the rows of y in each of several orders."""
        matrix, xp = self.view_y.matrix, self.xp
        there = [self.there(order) for order in orders]
        products = permuted_inner(self.upper, matrix, there, xp=xp)
        return list(map(self._of_product, products, orders))

    def _of_product(self, product, order):
        squared = self.squared_norms - 2 * self.gain * product
        if squared < 1e-4 * self.squared_norms:
            # the difference of large numbers has lost its digits
            return super().permuted([order])[0]
        return squared**0.5 * self.unit


class RSMNormDifference(BaseSimilarity):
    r"""Norm of the difference of the two representational similarity matrices.

    .. math:: m(R, R') = \lVert S - S' \rVert_F, \qquad S_{ij} = s(R_i, R_j)

    where s is a distance or a similarity of two rows. A distance in [0, inf) and a
    metric on similarity matrices. With Euclidean distances, invariant to orthogonal
    maps and translation; scale counts. Its size grows with the number of rows.

    Parameters
    ----------
    metric : str, default="euclidean"
        One of "euclidean", "sqeuclidean", "correlation", "cosine", "linear".
        What s is: the (squared) Euclidean distance, one minus the correlation or the
        cosine, or the inner product of the two rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, distance_ : float
        Frobenius norm of the difference.
    score_ : float
        Minus the distance.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant; for "correlation" and "cosine", if a row has
        no similarity.

    See Also
    --------
    RSA : Correlation instead of difference, blind to scale.

    Notes
    -----
    The Frobenius norm, as in the literature; a code in use takes the spectral norm.
    Costs O(n^2 d). Above 4096 rows, no n x n matrix is made.

    References
    ----------
    M. Shahbazi, A. Shirali, H. Aghajan, H. Nili. Using distance on the Riemannian
    manifold to compare representations in brain and in models. NeuroImage, 2021.

    E. W. Yin, Y. Shen. On the dimensionality of word embedding. NeurIPS, 2018,
    arXiv:1812.04224 (inner products).

    Examples
    --------
    >>> from sksim.rsm import RSMNormDifference
    >>> X, y = [[0.0], [1.0]], [[0.0], [3.0]]
    >>> round(RSMNormDifference().fit(X, y).distance_ ** 2, 12)
    8.0
    """

    _kind = DifferenceComparison
    _parameter_constraints: dict = {
        "metric": [StrOptions({*METRICS, "linear"})],
        "verbose": ["verbose"],
    }

    def __init__(self, metric="euclidean", *, verbose=0):
        self.metric = metric
        self.verbose = verbose

    def _view(self, X, xp, role):
        if self.metric == "linear":
            rows, scale, squared_norm = rescaled(X, xp=xp)
            refuse_constant(squared_norm, role, centered=False)
            view = PairMatrix(rows, None, None, scale * scale)
        else:
            distances = squared_distance_rows(
                X, self.metric, xp=xp, role=role, center=False
            )
            unit = distances.scale
            if self.metric != "euclidean":
                unit = distances.unit * unit * unit
            view = PairMatrix(distances.rows, distances.squares, None, unit)
        if not 0 < view.unit < math.inf:
            raise ValueError(
                f"{role_name(role)} is so small or so large that its squared distances "
                "are no floating-point numbers. Rescale both representations alike."
            )
        n = X.shape[0]
        if n > MATRIX_ROWS:
            return view
        return PairMatrix(None, None, self._matrix(view, xp), view.unit)

    def _matrix(self, view, xp):
        if self.metric == "linear":
            return view.rows @ view.rows.T
        if self.metric == "euclidean":
            return distance_matrix(view.rows, view.squares, None, xp=xp)
        return squared_distance_matrix(view.rows, view.squares, xp=xp)

    def _block(self, view, i, j, xp):
        if self.metric == "linear":
            return view.rows[i, :] @ view.rows[j, :].T
        block = distance_block(view.rows, view.squares, i, j, xp=xp)
        is_euclidean = self.metric == "euclidean"
        return of_distances(block, None, xp=xp) if is_euclidean else block

    def _compare(self, view_x, view_y, xp):
        gain_x, gain_y, unit = view_x.gains(view_y)
        total = 0.0
        if view_x.matrix is not None:
            for b in row_blocks_of(view_x.matrix):
                difference = _scaled(view_x.matrix[b, :], gain_x)
                difference = difference - _scaled(view_y.matrix[b, :], gain_y)
                total += float(inner(difference, difference, xp=xp))
            return total**0.5 * unit
        blocks = symmetric_blocks(view_x.rows.shape[0])
        for i, j, weight in tracked(blocks, "comparing matrices"):
            difference = _scaled(self._block(view_x, i, j, xp), gain_x)
            difference = difference - _scaled(self._block(view_y, i, j, xp), gain_y)
            total += weight * float(inner(difference, difference, xp=xp))
        return total**0.5 * unit

    def _similarity_tags(self):
        invariances = {
            "correlation": {"PT", "IS"},
            "cosine": {"PT", "OT", "IS"},
            "linear": {"PT", "OT"},
        }.get(self.metric, {"PT", "OT", "TR"})
        requires = {"correlation": ("nonconstant_rows",), "cosine": ("nonzero_rows",)}
        return SimilarityTags(
            family="rsm",
            orientation="distance",
            bounds=(0, float("inf")),
            metric=True,
            invariances=invariances,
            requires=requires.get(self.metric, ()),
            view_keywords=("role",),
            complexity="n^2 d",
            reference="Shahbazi et al. 2021",
        )


def _scaled(block, gain):
    """``block * gain``, without a copy for the usual gain of 1."""
    return block if gain == 1 else block * gain
