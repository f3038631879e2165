"""Divergence of one model's probabilities from the other's."""

import math
import warnings
from dataclasses import dataclass
from numbers import Real

import numpy as np

from sksim._sklearn_compat import Interval
from sksim.arrays._namespace import (
    as_float64,
    is_numpy,
    namespace_of,
    row_blocks_of,
    row_sums,
    xlogx_row_sums,
)
from sksim.arrays._views import View
from sksim.functional._rowwise import RowwiseDistance
from sksim.functional._tags import OF_ROW_SUMS, probability_tags
from sksim.functional._units import log_unit

# Logarithms of so many entries are kept, 2 MB: tests ask for them again and again.
_N_KEPT = 2**18


@dataclass(frozen=True)
class LogDistributions(View):
    """Rows of probabilities; of few their logarithms and the sum of p log p of each."""

    rows: object
    logarithms: object
    negentropy: object

    _row_fields = ("rows", "logarithms", "negentropy")


class KullbackLeibler(RowwiseDistance):
    r"""Mean Kullback-Leibler divergence of predicted probabilities.

    .. math:: m(f, f') = \frac{1}{N} \sum_i KL(O_i \Vert O_i')
        = \frac{1}{N} \sum_i \sum_c O_{ic} \log \frac{O_{ic}}{O_{ic}'}

    A distance in [0, inf], not symmetric: X holds the reference distributions. It is
    infinite as soon as the second model gives probability exactly 0 to a class that
    the first holds possible on one row, as forests and naive Bayes do. ``fit`` then
    warns and returns inf; ``clip`` or :class:`JensenShannonDivergence` give numbers.

    Parameters
    ----------
    base : float, default=None
        Base of the logarithm; None for natural units.
    clip : float, default=None
        Smallest probability: smaller ones of both models are raised to it, and the
        rows divided by their sums. None leaves the probabilities as they are. The
        value depends on it without limit: report it.

    Attributes
    ----------
    statistic_, distance_ : float
        Mean divergence over rows.
    score_ : float
        Minus the mean.
    row_values_ : array of shape (n_samples,)
        Value of each row.
    n_features_in_, n_features_y_in_ : int
        Number of classes.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If rows are not probabilities.

    See Also
    --------
    JensenShannonDivergence : Symmetric, and finite for all probabilities.

    References
    ----------
    S. Kullback, R. Leibler. On information and sufficiency. Annals of Mathematical
    Statistics, 1951.

    Examples
    --------
    >>> from sksim.functional import KullbackLeibler
    >>> first, second = [[0.5, 0.5]], [[0.25, 0.75]]
    >>> round(KullbackLeibler(base=2).fit(first, second).distance_, 4)
    0.2075
    """

    _parameter_constraints: dict = {
        "base": [Interval(Real, 1, None, closed="neither"), None],
        "clip": [Interval(Real, 0, 1, closed="neither"), None],
    }

    def __init__(self, base=None, *, clip=None):
        self.base = base
        self.clip = clip

    def _view(self, X, xp):
        if X.shape[0] * X.shape[1] > _N_KEPT:
            return LogDistributions(X, None, None)
        P = self._clipped(X, xp)
        return LogDistributions(X, _logarithms(P, xp), xlogx_row_sums(P, xp=xp))

    def _clipped(self, X, xp):
        """Probabilities in double precision, none below ``clip``."""
        X = as_float64(X, xp=xp)
        if self.clip is None:
            return X
        X = xp.where(self.clip < X, X, xp.full_like(X, self.clip))
        return X / xp.sum(X, axis=1, keepdims=True)

    def _check_views(self, view_x, view_y):
        xp = namespace_of(view_x.rows)
        if self.clip is not None or float(xp.min(view_y.rows)) > 0:
            return
        rows = 0
        for b in row_blocks_of(view_x.rows):
            impossible = (view_x.rows[b, :] > 0) & (view_y.rows[b, :] == 0)
            rows += int(xp.count_nonzero(xp.any(impossible, axis=1)))
        if rows:
            warnings.warn(
                f"KullbackLeibler is infinite: on {rows} of {view_x.rows.shape[0]} "
                "rows y gives probability 0 to a class that X holds possible. Choose "
                "clip=..., or JensenShannonDivergence.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _row_terms(self, view_x, view_y, xp):
        blocks = row_blocks_of(view_x.rows)
        values = xp.concat([self._of_block(view_x, view_y, b, xp) for b in blocks])
        values = xp.where(values > 0, values, xp.zeros_like(values))
        return values / log_unit(self.base)

    def _of_block(self, view_x, view_y, b, xp):
        P = self._clipped(view_x.rows[b, :], xp)
        if view_x.logarithms is None:
            own = xlogx_row_sums(P, xp=xp)
            others = _logarithms(self._clipped(view_y.rows[b, :], xp), xp)
        else:
            own, others = view_x.negentropy[b], view_y.logarithms[b, :]
        return own - _cross_sums(P, others, xp)

    def _similarity_tags(self):
        return probability_tags(
            exact=OF_ROW_SUMS,
            orientation="distance",
            bounds=(0, float("inf")),
            symmetric=False,
            reference="Kullback & Leibler 1951",
        )


def _logarithms(P, xp):
    """Logarithms, -inf of 0, without a warning."""
    if is_numpy(xp):
        with np.errstate(divide="ignore"):
            return np.log(P)
    possible = P > 0
    logarithms = xp.log(xp.where(possible, P, xp.ones_like(P)))
    return xp.where(possible, logarithms, xp.full_like(P, -math.inf))


def _cross_sums(P, logarithms, xp):
    """Sum of p log q over each row."""
    if float(xp.min(logarithms)) == -math.inf:
        # 0 log 0 is 0: where X excludes a class, y's logarithm does not count
        logarithms = xp.where(P > 0, logarithms, xp.zeros_like(logarithms))
    # summed as x log x is, so that equal rows are at a distance of exactly 0
    return row_sums(P * logarithms, xp=xp)
