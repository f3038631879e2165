"""Maximum matching of neuron activation subspaces."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

import numpy as np

from sksim._sklearn_compat import Interval
from sksim.arrays._linalg import (
    numerical_rank,
    refuse_constant,
    rescaled,
    tall_svd,
    well_conditioned,
)
from sksim.arrays._matching import index_array
from sksim.arrays._namespace import (
    as_float64,
    cholesky_upper,
    column_sum_of_squares,
    device_of,
    move_to,
    right_solve_triangular,
    row_inner,
    take,
    triangular_factor,
)
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags

# Below this distance a square from Gram matrices would lose too many digits.
_GRAM_EPSILON = 1e-2


@dataclass(frozen=True)
class Neurons(View):
    """Columns of unit norm; ``alive`` are those that are not zero."""

    rows: object
    alive: object

    _row_fields = ("rows",)


class MaximumMatching(BaseSimilarity):
    r"""Maximum match of neuron activation subspaces.

    Let J and J' be the largest sets of columns ("neurons") of the two representations
    such that each column in J lies within the relative distance :math:`\varepsilon` of
    the span of J', and the reverse,

    .. math:: \operatorname{dist}(R_{:j}, \operatorname{span}(R'_{:J'}))
        \le \varepsilon \lVert R_{:j} \rVert .

    They are unique, since unions of matching sets match. The similarity is the share
    of neurons in them,

    .. math:: m_\varepsilon(R, R') = \frac{|J| + |J'|}{D + D'} .

    A similarity in [0, 1]. Invariant to permutations and to scaling of the columns.
    Not centred: a mean activation counts as a direction.

    Parameters
    ----------
    eps : float or sequence of float, default=(0.1, 0.2, 0.3, 0.4, 0.5)
        Relative distance in [0, 1). No value is canonical: of a sequence the mean is
        the statistic and the values are kept in ``curve_``.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Share of matched neurons, averaged over the values of eps.
    curve_ : array of shape (n_epsilons,)
        Share for each value of eps.
    matched_x_ : array of shape (n_epsilons, n_features)
        Which columns of X are in the maximum match.
    matched_y_ : array of shape (n_epsilons, n_features_y)
        Which columns of y are.
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
    CorrelationMatch : Single neurons instead of subspaces.

    Notes
    -----
    With as many features as rows each span is everything and all neurons match: use
    many more rows than features. Zero columns match nothing, as in the authors' code.
    A smaller eps matches a subset, so that the values are computed from the
    largest down; each round costs O(d^3) after one O(n d^2) product.

    References
    ----------
    L. Wang, L. Hu, J. Gu, Y. Wu, Z. Hu, K. He, J. Hopcroft. Towards understanding
    learning representations: to what extent do different neural networks learn the
    same representation. NeurIPS, 2018, arXiv:1810.11750.

    Examples
    --------
    Two of three neurons of X span what two of y span:

    >>> import numpy as np
    >>> from sksim.alignment import MaximumMatching
    >>> X = np.eye(6)[:, [0, 1, 2]]
    >>> y = np.eye(6)[:, [0, 1, 3]] @ [[1, 1, 0], [1, -1, 0], [0, 0, 1]]
    >>> measure = MaximumMatching(eps=0.1).fit(X, y)
    >>> round(measure.score_, 3)
    0.667
    >>> measure.matched_x_[0].tolist()
    [True, True, False]
    """

    _parameter_constraints: dict = {
        "eps": [Interval(Real, 0, 1, closed="left"), "array-like"]
    }

    def __init__(self, eps=(0.1, 0.2, 0.3, 0.4, 0.5)):
        self.eps = eps

    def _view(self, X, xp, role):
        rows, _, squared_norm = rescaled(as_float64(X, xp=xp), xp=xp)
        refuse_constant(squared_norm, role, centered=False)
        squares = column_sum_of_squares(rows, xp=xp)
        alive = squares > 0
        if float(xp.min(squares)) < 1e-200:
            # squares of columns that are much smaller than the others underflow
            largest = xp.max(xp.abs(rows), axis=0)
            alive = largest > 0
            rows = rows / xp.where(alive, largest, xp.ones_like(largest))
            squares = column_sum_of_squares(rows, xp=xp)
        norms = xp.sqrt(xp.where(alive, squares, xp.ones_like(squares)))
        return Neurons(rows / norms, alive)

    def _compare(self, view_x, view_y, xp):
        many_eps = self._epsilons()
        spans = _Spans(view_x.rows, view_y.rows, xp)
        kept = tuple(
            np.asarray([bool(a) for a in view.alive]) for view in (view_x, view_y)
        )
        sets = [None] * len(many_eps)
        for place in np.argsort(many_eps)[::-1]:
            kept = _maximum_match(spans, kept, float(many_eps[place]))
            sets[place] = kept
        matched_x, matched_y = (np.asarray(side) for side in zip(*sets, strict=True))
        both = matched_x.sum(axis=1) + matched_y.sum(axis=1)
        curve = both / (matched_x.shape[1] + matched_y.shape[1])
        details = {"curve_": curve, "matched_x_": matched_x, "matched_y_": matched_y}
        device = device_of(view_x.rows)
        return float(curve.mean()), {
            name: move_to(value, xp=xp, device=device)
            for name, value in details.items()
        }

    def _epsilons(self):
        many = isinstance(self.eps, Iterable)
        many_eps = np.asarray(self.eps if many else [self.eps], dtype=float)
        if many_eps.ndim != 1 or not len(many_eps):
            raise ValueError(
                "eps must be a number or a non-empty sequence of numbers, got "
                f"{self.eps!r}."
            )
        if not np.all((many_eps >= 0) & (many_eps < 1)):
            raise ValueError(
                f"eps must be in [0, 1), got {self.eps!r}: at 1 every neuron "
                "matches any other."
            )
        return many_eps

    def _similarity_tags(self):
        return SimilarityTags(
            family="alignment",
            orientation="similarity",
            bounds=(0, 1),
            invariances={"PT", "IS"},
            requires=("close_spans",),
            view_keywords=("role",),
            complexity="n d^2 + rounds d^3",
            reference="Wang et al. 2018",
        )


class _Spans:
    """Distances of columns on one side from spans of columns on the other.

    From the Gram matrices of both sides where these keep ten digits, which makes a
    round cost no more than a Cholesky factor; from the columns themselves elsewhere.
    """

    def __init__(self, A, B, xp):
        self.xp = xp
        self.columns = A, B
        self.reduced = None
        self.grams = None
        if A.shape[0] > A.shape[1] + B.shape[1]:
            between = A.T @ B
            self.grams = (A.T @ A, B.T @ B), (between, between.T)

    def near(self, side, columns, span, eps):
        """Which of some columns are within ``eps`` of the other side's ``span``.

        Parameters
        ----------
        side : {0, 1}
            The side of the columns.
        columns, span : bool arrays
            Candidates on that side, and what spans on the other.
        eps : float
        """
        near = np.zeros(len(columns), dtype=bool)
        if not columns.any() or not span.any():
            return near
        places, others = (np.flatnonzero(mask) for mask in (columns, span))
        squares = None
        if eps >= _GRAM_EPSILON and self.grams is not None:
            squares = self._by_gram(side, places, others)
        if squares is None:
            squares = self._by_columns(side, places, others)
        # rounding must not keep a column out of its own span
        inside = squares <= (eps + 1e-12) ** 2
        near[places] = [bool(b) for b in inside]
        return near

    def _by_gram(self, side, places, others):
        """Squared distances of unit columns, or None if the span is ill-conditioned."""
        own, between = self.grams
        R = cholesky_upper(self._picked(own[1 - side], others, others), xp=self.xp)
        if R is None or not well_conditioned(R, xp=self.xp):
            return None
        product = self._picked(between[side], places, others)
        coordinates = right_solve_triangular(product, R, xp=self.xp)
        return 1 - row_inner(coordinates, coordinates, xp=self.xp)

    def _by_columns(self, side, places, others):
        if self.reduced is None:
            self.reduced = _with_fewer_rows(*self.columns, self.xp)
        columns = self._picked(self.reduced[side], None, places)
        span = self._picked(self.reduced[1 - side], None, others)
        U, s, _ = tall_svd(span, xp=self.xp)
        U = U[:, : numerical_rank(s, span.shape, xp=self.xp)]
        residual = columns - U @ (U.T @ columns)
        return column_sum_of_squares(residual, xp=self.xp)

    def _picked(self, matrix, rows, columns):
        """Some rows (None for all) and columns of a matrix."""
        for axis, index in enumerate((rows, columns)):
            if index is not None and len(index) < matrix.shape[axis]:
                index = index_array(index, like=matrix, xp=self.xp)
                matrix = take(matrix, index, xp=self.xp, axis=axis)
        return matrix


def _with_fewer_rows(A, B, xp):
    """Both sets of columns in coordinates of their joint span, at most D + D' rows."""
    width = A.shape[1] + B.shape[1]
    if A.shape[0] <= width:
        return A, B
    R = triangular_factor(xp.concat([A, B], axis=1), xp=xp)
    return R[:, : A.shape[1]], R[:, A.shape[1] :]


def _maximum_match(spans, kept, eps):
    """Largest sets of columns, within those given, that match at ``eps``.

    What is outside of the span of the other side's candidates can't be in the match;
    leaving it out shrinks the spans, until nothing has to be left out any more.
    """
    in_a, in_b = kept
    while True:
        near_a = in_a & spans.near(0, in_a, in_b, eps)
        near_b = in_b & spans.near(1, in_b, near_a, eps)
        if near_a.sum() == in_a.sum() and near_b.sum() == in_b.sum():
            return near_a, near_b
        in_a, in_b = near_a, near_b
