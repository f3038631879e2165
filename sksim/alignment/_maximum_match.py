"""Maximum matching of neuron activation subspaces."""

from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Real

import numpy as np

from sksim.base import BaseSimilarity
from sksim.utils._array_api import (
    as_float64,
    column_sum_of_squares,
    device_of,
    move_to,
    take,
    triangular_factor,
)
from sksim.utils._linalg import (
    numerical_rank,
    refuse_constant,
    rescaled,
    tall_svd,
)
from sksim.utils._matching import index_array
from sksim.utils._sklearn_compat import Interval
from sksim.utils._tags import SimilarityTags
from sksim.utils._views import View


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
    epsilon : float or sequence of float, default=(0.1, 0.2, 0.3, 0.4, 0.5)
        Relative distance in [0, 1). No value is canonical: of a sequence the mean is
        the statistic and the values are kept in ``curve_``.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Share of matched neurons, averaged over the values of epsilon.
    curve_ : array of shape (n_epsilons,)
        Share for each value of epsilon.
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
    A smaller epsilon matches a subset, so that the values are computed from the
    largest down; each round costs O(d^3) after one QR decomposition.

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
    >>> measure = MaximumMatching(epsilon=0.1).fit(X, y)
    >>> round(measure.score_, 3)
    0.667
    >>> measure.matched_x_[0].tolist()
    [True, True, False]
    """

    _parameter_constraints: dict = {
        "epsilon": [Interval(Real, 0, 1, closed="left"), "array-like"]
    }

    def __init__(self, epsilon=(0.1, 0.2, 0.3, 0.4, 0.5)):
        self.epsilon = epsilon

    def _view(self, X, xp, role):
        rows, _, squared_norm = rescaled(as_float64(X, xp=xp), xp=xp)
        refuse_constant(squared_norm, role, centered=False)
        largest = xp.max(xp.abs(rows), axis=0)
        alive = largest > 0
        rows = rows / xp.where(alive, largest, xp.ones_like(largest))
        norms = xp.sqrt(column_sum_of_squares(rows, xp=xp))
        return Neurons(rows / xp.where(alive, norms, xp.ones_like(norms)), alive)

    def _compare(self, view_x, view_y, xp):
        epsilons = self._epsilons()
        A, B = _with_fewer_rows(view_x.rows, view_y.rows, xp)
        kept = tuple(
            np.asarray([bool(a) for a in view.alive]) for view in (view_x, view_y)
        )
        sets = [None] * len(epsilons)
        for place in np.argsort(epsilons)[::-1]:
            kept = _maximum_match(A, B, *kept, float(epsilons[place]), xp)
            sets[place] = kept
        matched_x, matched_y = (np.asarray(side) for side in zip(*sets, strict=True))
        both = matched_x.sum(axis=1) + matched_y.sum(axis=1)
        curve = both / (A.shape[1] + B.shape[1])
        details = {"curve_": curve, "matched_x_": matched_x, "matched_y_": matched_y}
        device = device_of(A)
        return float(curve.mean()), {
            name: move_to(value, xp=xp, device=device)
            for name, value in details.items()
        }

    def _epsilons(self):
        many = isinstance(self.epsilon, Iterable)
        epsilons = np.asarray(self.epsilon if many else [self.epsilon], dtype=float)
        if epsilons.ndim != 1 or not len(epsilons):
            raise ValueError(
                "epsilon must be a number or a non-empty sequence of numbers, got "
                f"{self.epsilon!r}."
            )
        if not np.all((epsilons >= 0) & (epsilons < 1)):
            raise ValueError(
                f"epsilon must be in [0, 1), got {self.epsilon!r}: at 1 every neuron "
                "matches any other."
            )
        return epsilons

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


def _with_fewer_rows(A, B, xp):
    """Both sets of columns in coordinates of their joint span, at most D + D' rows."""
    width = A.shape[1] + B.shape[1]
    if A.shape[0] <= width:
        return A, B
    R = triangular_factor(xp.concat([A, B], axis=1), xp=xp)
    return R[:, : A.shape[1]], R[:, A.shape[1] :]


def _maximum_match(A, B, in_a, in_b, epsilon, xp):
    """Largest sets of columns, within those given, that match at ``epsilon``.

    What is outside of the span of the other side's candidates can't be in the match;
    leaving it out shrinks the spans, until nothing has to be left out any more.
    """
    while True:
        near_a = in_a & _near_span(A, in_a, B, in_b, epsilon, xp)
        near_b = in_b & _near_span(B, in_b, A, near_a, epsilon, xp)
        if near_a.sum() == in_a.sum() and near_b.sum() == in_b.sum():
            return near_a, near_b
        in_a, in_b = near_a, near_b


def _near_span(A, in_a, B, in_b, epsilon, xp):
    """Which of some unit columns of A are within ``epsilon`` of the span of B's."""
    near = np.zeros(len(in_a), dtype=bool)
    if not in_a.any() or not in_b.any():
        return near
    candidates = np.flatnonzero(in_a)
    columns = take(A, index_array(candidates, like=A, xp=xp), xp=xp, axis=1)
    others = index_array(np.flatnonzero(in_b), like=B, xp=xp)
    span = take(B, others, xp=xp, axis=1)
    U, s, _ = tall_svd(span, xp=xp)
    U = U[:, : numerical_rank(s, span.shape, xp=xp)]
    residual = columns - U @ (U.T @ columns)
    distances = xp.sqrt(column_sum_of_squares(residual, xp=xp))
    # rounding must not keep a column out of its own span
    inside = distances <= epsilon + 1e-12
    near[candidates] = [bool(b) for b in inside]
    return near
