r"""Exact moments of tr(K P L P') over all permutations P, in closed form.

A power of the statistic is a sum of terms that differ in which of their indices are
equal. Each kind of term has one expectation: the sum over distinct indices of K's
entries, times that of L's, over the number of ways to choose distinct indices. Sums
over distinct indices follow from invariants of the matrices: see
`sksim.arrays._moebius`.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import gammaln

from sksim.arrays._moebius import sums_over_distinct, ways_to_choose
from sksim.arrays._pearson3 import log_upper_tail

# Found by simulation, as the region in which Pearson III tail areas agree with those of
# permutations to within their Monte Carlo error, over normal, power-law, exponential,
# Student, clustered, binary and Cauchy data.
_LARGEST_SKEWNESS = 0.6
_LARGEST_KURTOSIS = 2.6
_SMALLEST_RANK = 4.0
# Of fewer rows p-values near .05 are off by .01 to .02, beyond what permutations are.
_SMALLEST_N_SAMPLES = 10


class MatrixSums:
    """What moments over all orders of rows need of one matrix, found once.

    Parameters
    ----------
    matrix : DenseSymmetric or FactoredSymmetric

    Attributes
    ----------
    trace : float
    size : float
        Norm.
    kurtosis : float
        Of the rows' weights.
    n_samples : int
    """

    def __init__(self, matrix):
        weights, is_hollow = _weights_of_rows(matrix)
        # squared rows of a hollow matrix go with squared lengths, as a diagonal does
        self.kurtosis = _kurtosis(weights**2 if is_hollow else weights)
        self.n_samples = len(matrix.diagonal)
        self.trace = float(np.sum(matrix.diagonal))
        self.size = matrix.squared_norm**0.5
        self._without_trace = matrix.minus_centring(self.trace / (self.n_samples - 1))
        self._sums = {}

    def sums(self, order):
        """Sums over distinct indices of products of entries, of each kind.

        Without trace.
        """
        if order not in self._sums:
            invariants = _invariants(self._without_trace, order)
            self._sums[order] = sums_over_distinct(invariants, order)
        return self._sums[order]

    def settled(self):
        """The same without the matrix, all sums found."""
        for order in (2, 3):
            self.sums(order)
        self._without_trace = None
        return self


@dataclass(frozen=True)
class NullMoments:
    """Mean, standard deviation and skewness of a statistic over all permutations.

    A multiple of the centring matrix in K or L shifts the statistic by a constant.
    Without trace the mean is 0, and higher moments lose no digits to it.

    Attributes
    ----------
    mean : float
    K, L : MatrixSums or MomentSums
    scale : float
        What their inner product is multiplied by.
    n_samples : int
    negligible : float
        Standard deviation of the inner product that is rounding.
    """

    mean: float
    K: object
    L: object
    scale: float
    n_samples: int
    negligible: float

    @cached_property
    def _product_std(self):
        variance = self._expectation(2)
        return variance**0.5 if variance > self.negligible**2 else 0.0

    @property
    def std(self):
        """Standard deviation; 0 where the statistic does not vary."""
        return self.scale * self._product_std

    @cached_property
    def skewness(self):
        """Skewness; 0 where the statistic does not vary."""
        std = self._product_std
        return self._expectation(3) / std**3 if std > 0 else 0.0

    def _expectation(self, order):
        """Expectation of a power of the inner product."""
        ways = ways_to_choose(order, self.n_samples)
        return float(np.sum(self.K.sums(order) * self.L.sums(order) / ways))

    def log_pvalue(self, statistic, alternative="greater"):
        """Logarithm of the tail of the Pearson type III distribution.

        Not below that of 1 / n!, since the given order is one of n!; a skewed
        distribution ends on one side, where statistics can still go on.
        """
        z = (statistic - self.mean) / self.std
        greater, less = (
            max(
                float(log_upper_tail(sign * z, sign * self.skewness)),
                -gammaln(self.n_samples + 1),
            )
            for sign in (1, -1)
        )
        if alternative == "two-sided":
            return min(0.0, math.log(2) + min(greater, less))
        return float(greater if alternative == "greater" else less)


def null_moments(form):
    """Moments of a statistic when the rows of L are relabelled.

    Parameters
    ----------
    form : TraceForm
        Of at least 3 rows.

    Returns
    -------
    moments : NullMoments
        Standard deviation and skewness are found when they are asked for.
    """
    return moments_of_sums(MatrixSums(form.K), MatrixSums(form.L), form.scale)


def moments_of_sums(K, L, scale):
    """Moments of a statistic by what each matrix adds to them.

    Parameters
    ----------
    K, L : MatrixSums or MomentSums
    scale : float

    Returns
    -------
    moments : NullMoments
    """
    n = K.n_samples
    mean = scale * (K.trace * L.trace / (n - 1))
    return NullMoments(mean, K, L, scale, n, negligible=1e-14 * K.size * L.size)


def refuse_unreliable(moments, form):
    """Raise where three moments do not describe the null distribution.

    Parameters
    ----------
    moments : NullMoments
    form : TraceForm
    """
    if moments.n_samples < _SMALLEST_N_SAMPLES:
        raise ValueError(
            f"method='pearson3' needs at least {_SMALLEST_N_SAMPLES} rows, got "
            f"{moments.n_samples}: three moments do not describe so short a list of "
            "orders. Use method='exact', which goes through all of them."
        )
    problem = None
    if moments.std == 0:
        problem = "the statistic is the same for all orders of rows"
    elif abs(moments.skewness) > _LARGEST_SKEWNESS:
        problem = f"its skewness is {moments.skewness:.2f}"
    for name, matrix in (("X", form.K), ("y", form.L)):
        kurtosis, rank = _kurtosis_and_rank(matrix)
        if problem is None and kurtosis > _LARGEST_KURTOSIS:
            problem = f"few rows of {name} outweigh the rest (kurtosis {kurtosis:.1f})"
        if problem is None and rank < _SMALLEST_RANK:
            problem = f"{name} varies in few directions (effective rank {rank:.1f})"
    if problem is not None:
        raise ValueError(
            "The null distribution is not close to a Pearson type III distribution: "
            f"{problem}. Use method='permutation'."
        )


def _kurtosis_and_rank(K):
    """Kurtosis of the rows' weights, and how many directions share the variance.

    A matrix without its diagonal, as of debiased estimators, gets one back: its row
    norms say as much about heavy rows.
    """
    weights, is_hollow = _weights_of_rows(K)
    rank = np.inf if is_hollow else float(np.sum(weights)) ** 2 / K.squared_norm
    return _kurtosis(weights), rank


def _weights_of_rows(K):
    """Weights of the rows, and whether these are norms for want of a diagonal."""
    norms, diagonal = np.sqrt(K.row_squares), K.diagonal
    is_hollow = bool(np.sum(diagonal) <= 1e-8 * np.sum(norms))
    return (norms if is_hollow else diagonal), is_hollow


def _kurtosis(weights):
    """Kurtosis of weights: 1 where these are equal, n where one is all."""
    return float(len(weights) * np.sum(weights**2) / np.sum(weights) ** 2)


def _invariants(K, order):
    """Sums over all indices of products of entries, keyed by their multigraph.

    An entry K[i, j] is an edge from i to j. Graphs in which a vertex has one edge
    vanish because rows sum to zero, graphs with a lone loop because the trace does.
    """
    diagonal = K.diagonal
    if order == 2:
        return {
            ((0, 0), (0, 0)): float(diagonal @ diagonal),
            ((0, 1), (0, 1)): K.squared_norm,
        }
    return {
        ((0, 0), (0, 0), (0, 0)): float(np.sum(diagonal**3)),
        ((0, 0), (0, 1), (0, 1)): float(diagonal @ K.row_squares),
        ((0, 0), (0, 1), (1, 1)): K.quadratic(diagonal),
        ((0, 1), (0, 1), (0, 1)): K.sum_of_cubes(),
        ((0, 1), (0, 2), (1, 2)): K.trace_of_cube(),
    }
