"""Divergences and distances between two models' predicted probabilities."""

import math
import warnings
from dataclasses import dataclass
from numbers import Real

from sksim.base import BaseFunctionalSimilarity
from sksim.functional._tags import probability_tags
from sksim.utils._array_api import (
    as_float64,
    namespace_of,
    row_blocks_of,
    row_norms,
    row_sums,
    xlogx_row_sums,
)
from sksim.utils._sklearn_compat import Interval
from sksim.utils._views import View


class _RowwiseDistance(BaseFunctionalSimilarity):
    """The mean over rows of a distance between two rows of probabilities."""

    def _compare(self, view_x, view_y, xp):
        values = xp.concat(
            [
                self._row_values(view_x[rows, :], view_y[rows, :], xp)
                for rows in row_blocks_of(view_x)
            ]
        )
        return xp.mean(values), {"row_values_": values}

    def _min_samples(self):
        return 1


@dataclass(frozen=True)
class Distributions(View):
    """Rows of probabilities and, for each, the sum of p log p."""

    rows: object
    negentropy: object

    _row_fields = ("rows", "negentropy")


class JensenShannonDivergence(BaseFunctionalSimilarity):
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

    def __init__(self, base=None, sqrt=False):
        self.base = base
        self.sqrt = sqrt

    def _view(self, X, xp):
        # differences of entropies: single precision would leave noise near zero
        X = as_float64(X, xp=xp)
        return Distributions(X, xlogx_row_sums(X, xp=xp))

    def _compare(self, view_x, view_y, xp):
        midpoint = xp.concat(
            [
                xlogx_row_sums((view_x.rows[b, :] + view_y.rows[b, :]) / 2, xp=xp)
                for b in row_blocks_of(view_x.rows)
            ]
        )
        values = (view_x.negentropy + view_y.negentropy) / 2 - midpoint
        # a negative value is a rounding error of a divergence of zero
        values = xp.where(values > 0, values, xp.zeros_like(values))
        values = values / _unit(self.base)
        if self.sqrt:
            values = xp.sqrt(values)
        return xp.mean(values), {"row_values_": values}

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        largest = math.log(2) / _unit(self.base)
        return probability_tags(
            orientation="distance",
            bounds=(0, largest**0.5 if self.sqrt else largest),
            metric=self.sqrt,
            reference="Lin 1991",
        )


@dataclass(frozen=True)
class LogDistributions(View):
    """Rows of probabilities, their logarithms, and the sum of p log p of each."""

    rows: object
    logarithms: object
    negentropy: object

    _row_fields = ("rows", "logarithms", "negentropy")


class KullbackLeibler(BaseFunctionalSimilarity):
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

    def __init__(self, base=None, clip=None):
        self.base = base
        self.clip = clip

    def _view(self, X, xp):
        X = as_float64(X, xp=xp)
        if self.clip is not None:
            X = xp.where(self.clip < X, X, xp.full_like(X, self.clip))
            X = X / xp.sum(X, axis=1, keepdims=True)
        possible = X > 0
        logarithms = xp.where(possible, X, xp.ones_like(X))
        logarithms = xp.log(logarithms)
        logarithms = xp.where(possible, logarithms, xp.full_like(X, -math.inf))
        return LogDistributions(X, logarithms, xlogx_row_sums(X, xp=xp))

    def _check_views(self, view_x, view_y):
        xp = namespace_of(view_x.rows)
        impossible = (view_x.rows > 0) & (view_y.rows == 0)
        rows = int(xp.count_nonzero(xp.any(impossible, axis=1)))
        if rows:
            warnings.warn(
                f"KullbackLeibler is infinite: on {rows} of {view_x.rows.shape[0]} "
                "rows y gives probability 0 to a class that X holds possible. Choose "
                "clip=..., or JensenShannonDivergence.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _compare(self, view_x, view_y, xp):
        # 0 log 0 is 0: where X excludes a class, y's logarithm does not count
        logarithms = xp.where(
            view_x.rows > 0, view_y.logarithms, xp.zeros_like(view_y.logarithms)
        )
        values = view_x.negentropy - row_sums(view_x.rows * logarithms, xp=xp)
        values = xp.where(values > 0, values, xp.zeros_like(values))
        values = values / _unit(self.base)
        return xp.mean(values), {"row_values_": values}

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        return probability_tags(
            orientation="distance",
            bounds=(0, float("inf")),
            symmetric=False,
            reference="Kullback & Leibler 1951",
        )


class TotalVariation(_RowwiseDistance):
    r"""Mean total variation distance of predicted probabilities.

    .. math:: m(f, f') = \frac{1}{2 N} \sum_i \sum_c |O_{ic} - O_{ic}'|

    A distance in [0, 1] and a metric: the share of probability that must be moved,
    and the largest difference that the models can give to the chance of any event.

    Attributes
    ----------
    statistic_, distance_ : float
        Mean distance over rows.
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
    SoftPredictionDifference : The same with p = 1, and other norms.

    References
    ----------
    D. Levin, Y. Peres. Markov chains and mixing times. American Mathematical Society,
    2017, section 4.1.

    Examples
    --------
    >>> from sksim.functional import TotalVariation
    >>> round(TotalVariation().fit([[0.7, 0.3]], [[0.2, 0.8]]).distance_, 4)
    0.5
    """

    def _view(self, X, xp):
        return X

    def _row_values(self, rows_x, rows_y, xp):
        return row_norms(rows_x - rows_y, 1, xp=xp) / 2

    def _similarity_tags(self):
        return probability_tags(
            orientation="distance",
            bounds=(0, 1),
            metric=True,
            reference="Levin & Peres 2017",
        )


class Hellinger(_RowwiseDistance):
    r"""Mean Hellinger distance of predicted probabilities.

    .. math:: m(f, f') = \frac{1}{N} \sum_i \frac{1}{\sqrt 2}
        \Big\Vert \sqrt{O_i} - \sqrt{O_i'} \Big\Vert_2

    A distance in [0, 1] and a metric, between :math:`TV / \sqrt 2` and
    :math:`\sqrt{TV}` on each row: more sensitive than total variation to classes that
    one of the models all but excludes.

    Attributes
    ----------
    statistic_, distance_ : float
        Mean distance over rows.
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
    TotalVariation : Weighs all probabilities alike.

    References
    ----------
    E. Hellinger. Neue Begründung der Theorie quadratischer Formen von unendlichvielen
    Veränderlichen. Journal für die reine und angewandte Mathematik, 1909.

    Examples
    --------
    >>> from sksim.functional import Hellinger
    >>> round(Hellinger().fit([[0.5, 0.5]], [[1, 0]]).distance_, 4)
    0.5412
    """

    def _view(self, X, xp):
        return xp.sqrt(X)

    def _row_values(self, rows_x, rows_y, xp):
        return row_norms(rows_x - rows_y, 2, xp=xp) / math.sqrt(2)

    def _similarity_tags(self):
        return probability_tags(
            orientation="distance",
            bounds=(0, 1),
            metric=True,
            reference="Hellinger 1909",
        )


def _unit(base):
    return 1.0 if base is None else math.log(base)
