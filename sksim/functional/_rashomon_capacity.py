"""Rashomon capacity: how much a row's predictions tell about which model made them."""

import math
import warnings
from dataclasses import dataclass
from numbers import Integral, Real

from sklearn.exceptions import ConvergenceWarning

from sksim._sklearn_compat import Interval
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    number,
    row_slices,
    take,
    xlogx_row_sums,
)
from sksim.arrays._views import View
from sksim.base import BaseGroupSimilarity
from sksim.base._row_sums import GroupSumComparison
from sksim.functional._tags import probability_tags

# A capacity-achieving input of a channel with two inputs has at least the
# probability 1/e (Majani and Rumsey 1991).
_LEAST_SHARE = math.exp(-1)


@dataclass(frozen=True)
class FloatingDistributions(View):
    """Rows of probabilities in double precision and, for each, the sum of p log p."""

    rows: object
    negentropy: object

    _row_fields = ("rows", "negentropy")


class RashomonCapacity(BaseGroupSimilarity):
    r"""Rashomon capacity: spread of a group's predictions, in effective predictions.

    The L models' rows :math:`O_i^f` of probabilities are the transition matrix of a
    channel from models to classes. With its capacity in bits,

    .. math:: C_i = \max_{w \in \Delta_L} \sum_f w_f
        KL\Big(O_i^f \Big\Vert \sum_g w_g O_i^g\Big), \quad
        m(G) = \frac{1}{N} \sum_i 2^{C_i} .

    A distance in [1, min(L, C)] for C classes: 1 if all models agree, and k if they
    can be as far apart as k certain predictions of different classes. A model that
    joins the group never lowers it, and a copy of one leaves it as it is.

    Parameters
    ----------
    tol : float, default=1e-9
        Largest gap, in bits, between the lower and the upper bound of a row's
        capacity at which its search ends.
    max_iter : int, default=100
        Most steps of the search.

    Attributes
    ----------
    statistic_, distance_ : float
        Mean of the rows' 2 to the power of their capacity.
    score_ : float
        Minus the mean.
    row_values_ : array of shape (n_samples,)
        Value of each row, made of the lower bound of its capacity.
    gap_ : float
        Largest difference, in bits, between the bounds of any row's capacity: the
        certificate of the result.
    n_iter_ : int
        Steps that the slowest rows took.
    n_models_ : int
        Number of models.
    n_features_in_ : int
        The same, where X held all models.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If X holds fewer than two models, or rows that are not probabilities.

    See Also
    --------
    PredictionDifference : Mean distance from the mean prediction.
    JensenShannonDivergence : For two models, with equal weights instead of the best.

    Notes
    -----
    Any weights w bound the capacity from both sides,

    .. math:: \sum_f w_f KL(O^f \Vert q) \le C \le \max_f KL(O^f \Vert q), \quad
        q = \sum_g w_g O^g ,

    so that the gap certifies a result however it was found. The weights are the
    solution of a concave problem: a primal-dual interior-point method takes about
    ten Newton steps for all rows at once, where the Blahut-Arimoto iteration takes
    thousands. Two models need the root of one monotone function only.

    References
    ----------
    H. Hsu, F. Calmon. Rashomon capacity: a metric for predictive multiplicity in
    classification. NeurIPS, 2022.

    T. Cover, J. Thomas. Elements of information theory. Wiley, 2006, chapter 7.

    E. Majani, H. Rumsey. Two results on binary-input discrete memoryless channels.
    IEEE International Symposium on Information Theory, 1991.

    Examples
    --------
    >>> from sksim.functional import RashomonCapacity
    >>> agreed = [[0.9, 0.1], [0.9, 0.1]]
    >>> opposed = [[1.0, 0.0], [0.0, 1.0]]
    >>> measure = RashomonCapacity().fit([agreed, opposed])
    >>> measure.row_values_.round(6).tolist()
    [1.0, 2.0]
    >>> measure.gap_ < 1e-7
    True
    """

    _parameter_constraints: dict = {
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    _kind = GroupSumComparison
    _largest_of_rows = ("gap_", "n_iter_")

    def __init__(self, tol=1e-9, *, max_iter=100):
        self.tol = tol
        self.max_iter = max_iter

    def _view(self, X, xp):
        X = as_float64(X, xp=xp)
        return FloatingDistributions(X, xlogx_row_sums(X, xp=xp))

    def _aggregate(self, views, xp):
        channels = xp.stack([view.rows for view in views], axis=1)
        negentropy = xp.stack([view.negentropy for view in views], axis=1)
        solve = _PairChannels if len(views) == 2 else _GroupChannels
        width = channels.shape[1] * channels.shape[2]
        found = [
            _solve(
                solve(channels[rows, ...], negentropy[rows, :], xp),
                self.tol * math.log(2),
                self.max_iter,
            )
            for rows in row_slices(channels.shape[0], width, n_entries=2**18)
        ]
        values = 2 ** (xp.concat([capacity for capacity, _, _ in found]) / math.log(2))
        gap = max(gap for _, gap, _ in found) / math.log(2)
        if gap > self.tol:
            warnings.warn(
                f"RashomonCapacity stopped after max_iter={self.max_iter} steps with a "
                f"gap of {gap:.3g} bits between its bounds, above tol={self.tol}. "
                "Increase max_iter.",
                ConvergenceWarning,
                stacklevel=2,
            )
        n_iter = max(n_iter for _, _, n_iter in found)
        details = {"row_values_": values, "gap_": gap, "n_iter_": n_iter}
        return number(xp.sum(values)), details

    def _of_sums(self, sums, n_samples):
        return sums / n_samples

    def _similarity_tags(self):
        return probability_tags(
            arity="group",
            orientation="distance",
            bounds=(1, float("inf")),
            complexity="n (l^3 + l^2 c) steps",
            reference="Hsu & Calmon 2022",
        )


def _solve(channels, tol, max_iter):
    """Capacities in nats, the largest gap between their bounds, and the steps taken.

    Channels leave the iteration as soon as their bounds are close enough.
    """
    xp = channels.xp
    places = xp.arange(channels.n_channels, device=device_of(channels.rows))
    done = []
    for n_iter in range(max_iter + 1):
        lower, upper = channels.bounds()
        gaps = upper - lower
        is_open = gaps > tol
        if n_iter == max_iter:
            is_open = xp.zeros_like(is_open)
        closed = xp.nonzero(~is_open)[0]
        if closed.shape[0]:
            done.append([take(a, closed, xp=xp) for a in (places, lower, gaps)])
            still = xp.nonzero(is_open)[0]
            if not still.shape[0]:
                break
            places = take(places, still, xp=xp)
            channels.keep(still)
        channels.step()
    places, lower, gaps = (xp.concat(list(parts)) for parts in zip(*done, strict=True))
    # equal rows have capacity 0, from which rounding may take a little away
    lower = xp.where(lower > 0, lower, xp.zeros_like(lower))
    return take(lower, xp.argsort(places), xp=xp), float(xp.max(gaps)), n_iter


class _Channels:
    """Many channels of one size: transition matrices, and weights of their inputs."""

    _state = ("rows", "negentropy", "weights")

    def __init__(self, rows, negentropy, xp):
        self.rows, self.negentropy, self.xp = rows, negentropy, xp
        n_inputs = rows.shape[1]
        self.weights = xp.full_like(negentropy, 1 / n_inputs)
        self._diverge()

    @property
    def n_channels(self):
        return self.rows.shape[0]

    def keep(self, places):
        """Forget all channels but some."""
        for name in (*self._state, "output", "divergence"):
            setattr(self, name, take(getattr(self, name), places, xp=self.xp))

    def bounds(self):
        """Lower and upper bounds of the capacities at the present weights."""
        xp = self.xp
        lower = xp.sum(self.weights * self.divergence, axis=1)
        return lower, xp.max(self.divergence, axis=1)

    def _diverge(self):
        """Output distributions, and divergence of each input's row from them."""
        xp = self.xp
        output = xp.matmul(self.weights[:, None, :], self.rows)[:, 0, :]
        # an output that no input reaches counts nowhere
        self.output = xp.where(output > 0, output, xp.ones_like(output))
        logarithms = xp.log(self.output)
        cross = xp.matmul(self.rows, logarithms[:, :, None])[:, :, 0]
        self.divergence = self.negentropy - cross


class _PairChannels(_Channels):
    """Two inputs: the weight at which both rows are equally far from their mixture.

    The difference of the two divergences falls as the first weight grows; Newton's
    method is kept within the interval that is known to hold the root.
    """

    _state = ("rows", "negentropy", "weights", "low", "high")

    def __init__(self, rows, negentropy, xp):
        super().__init__(rows, negentropy, xp)
        share = self.weights[:, 0]
        self.low = xp.full_like(share, _LEAST_SHARE)
        self.high = 1 - self.low

    def step(self):
        xp = self.xp
        share = self.weights[:, 0]
        excess = self.divergence[:, 0] - self.divergence[:, 1]
        self.low = xp.where(excess > 0, share, self.low)
        self.high = xp.where(excess < 0, share, self.high)
        apart = self.rows[:, 0, :] - self.rows[:, 1, :]
        slope = xp.sum(apart * apart / self.output, axis=1)
        newton = share + excess / slope
        inside = (newton > self.low) & (newton < self.high)
        share = xp.where(inside, newton, (self.low + self.high) / 2)
        self.weights = xp.stack([share, 1 - share], axis=1)
        self._diverge()


class _GroupChannels(_Channels):
    """Any number of inputs: primal-dual interior-point method.

    At the optimum the divergence of each input's row is the capacity less a slack,
    and the slack is zero where the weight is not. Each step solves the linearised
    conditions, with products of weight and slack a fraction of what they were.
    """

    _state = ("rows", "negentropy", "weights", "slack", "level")

    def __init__(self, rows, negentropy, xp):
        super().__init__(rows, negentropy, xp)
        lower, upper = self.bounds()
        # slack on the scale of the channel: near-equal rows have tiny capacities
        self.level = upper + 0.1 * (upper - lower)
        self.slack = self.level[:, None] - self.divergence

    def step(self):
        xp, weights, slack = self.xp, self.weights, self.slack
        products = weights * slack
        target = 0.1 * xp.mean(products, axis=1, keepdims=True)
        residual = self.divergence - self.level[:, None] + slack

        scaled = self.rows / self.output[:, None, :]
        system = xp.matmul(scaled, xp.matrix_transpose(self.rows))
        identity = xp.eye(slack.shape[1], dtype=slack.dtype, device=device_of(slack))
        system = system + (slack / weights)[:, :, None] * identity
        right = (target - products) / weights + residual
        solution = xp.linalg.solve(
            system, xp.stack([right, xp.ones_like(right)], axis=2)
        )
        free, shift = solution[:, :, 0], solution[:, :, 1]
        excess = xp.sum(weights + free, axis=1) - 1
        level_step = excess / xp.sum(shift, axis=1)
        weight_step = free - level_step[:, None] * shift
        slack_step = (target - products - slack * weight_step) / weights

        length = xp.minimum(
            _longest(weights, weight_step, xp), _longest(slack, slack_step, xp)
        )
        self.weights = weights + length * weight_step
        self.slack = slack + length * slack_step
        self.level = self.level + length[:, 0] * level_step
        self._diverge()


def _longest(values, step, xp):
    """Share of a step, 1 at most, that keeps positive values positive."""
    shrink = xp.max(-step / values, axis=1, keepdims=True)
    return xp.where(shrink > 0.995, 0.995 / shrink, xp.ones_like(shrink))
