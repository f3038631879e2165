"""Divergence of predicted probabilities from their midpoint."""

import math
from dataclasses import dataclass
from numbers import Real

from sksim._sklearn_compat import Interval
from sksim.arrays._namespace import as_float64, row_blocks_of, xlogx_row_sums
from sksim.arrays._views import View
from sksim.functional._rowwise import RowwiseDistance
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS, probability_tags
from sksim.functional._units import log_unit


@dataclass(frozen=True)
class Distributions(View):
    """Rows of probabilities and, for each, the sum of p log p."""

    rows: object
    negentropy: object

    _row_fields = ("rows", "negentropy")


class JensenShannonDivergence(RowwiseDistance):
    r"""Mean Jensen-Shannon divergence of predicted probabilities.

    With the rows O, O' of both models' probabilities and their midpoint
    :math:`M = (O + O') / 2`,

    .. math:: m(f, f') = \frac{1}{N} \sum_i \tfrac12 KL(O_i \Vert M_i)
        + \tfrac12 KL(O_i' \Vert M_i) .

    A distance in [0, log 2], finite also where a probability is exactly 0. The mean
    of the rows' square roots (``sqrt=True``) is a metric.

    Parameters
    ----------
    base : float, default=None
        Base of the logarithm; None for natural units. With ``base=2`` the largest
        value is 1.
    sqrt : bool, default=False
        Whether to take the square root of each row's divergence, the Jensen-Shannon
        distance, before averaging.

    Attributes
    ----------
    statistic_, distance_ : float
        Mean divergence (or distance) over rows.
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
        If rows are not probabilities: scores are never turned into probabilities
        unasked.

    See Also
    --------
    KullbackLeibler : The divergence that this one averages, without a limit.
    Disagreement : Compares predicted labels.

    References
    ----------
    J. Lin. Divergence measures based on the Shannon entropy. IEEE Transactions on
    Information Theory, 1991.

    Examples
    --------
    >>> from sksim.functional import JensenShannonDivergence
    >>> certain, opposite, unsure = [[1, 0]], [[0, 1]], [[0.5, 0.5]]
    >>> JensenShannonDivergence(base=2).fit(certain, opposite).distance_
    1.0
    >>> round(JensenShannonDivergence(base=2).fit(certain, unsure).distance_, 4)
    0.3113
    """

    _parameter_constraints: dict = {
        "base": [Interval(Real, 1, None, closed="neither"), None],
        "sqrt": ["boolean"],
    }

    def __init__(self, base=None, *, sqrt=False):
        self.base = base
        self.sqrt = sqrt

    def _view(self, X, xp):
        # differences of entropies: single precision would leave noise near zero
        return Distributions(X, _by_blocks(lambda rows: rows, [X], xp))

    def _row_terms(self, view_x, view_y, xp):
        both = [view_x.rows, view_y.rows]
        midpoint = _by_blocks(lambda x, y: (x + y) / 2, both, xp)
        values = (view_x.negentropy + view_y.negentropy) / 2 - midpoint
        # a negative value is a rounding error of a divergence of zero
        values = xp.where(values > 0, values, xp.zeros_like(values))
        values = values / log_unit(self.base)
        return xp.sqrt(values) if self.sqrt else values

    def _similarity_tags(self):
        largest = math.log(2) / log_unit(self.base)
        return probability_tags(
            intervals=INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            orientation="distance",
            bounds=(0, largest**0.5 if self.sqrt else largest),
            metric=self.sqrt,
            reference="Lin 1991",
        )


def _by_blocks(function, arrays, xp):
    """Sum of p log p over each row of what a function makes of some rows in double."""
    return xp.concat(
        [
            xlogx_row_sums(
                function(*(as_float64(each[b, :], xp=xp) for each in arrays)), xp=xp
            )
            for b in row_blocks_of(arrays[0])
        ]
    )
