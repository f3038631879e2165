r"""Exact moments of tr(K P L P') over all permutations P, in closed form.

The k-th power of the sum over i, j of K[i, j] L[p(i), p(j)] is a sum over 2k indices.
Sorted by which of them are equal, each kind of term has one expectation: the sum over
distinct indices of K's entries, times that of L's, over the number of ways to choose
distinct indices. Sums over distinct indices follow by Moebius inversion from sums over
all indices, and these are the few invariants of a matrix whose rows sum to zero.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from itertools import permutations
from math import factorial, perm

import numpy as np
from scipy import stats

# Found by simulation, as the region in which Pearson III tail areas agree with those of
# permutations to within their Monte Carlo error, over normal, power-law, exponential,
# Student, clustered, binary and Cauchy data.
_LARGEST_SKEWNESS = 0.6
_LARGEST_KURTOSIS = 2.6
_SMALLEST_RANK = 4.0


@dataclass(frozen=True)
class NullMoments:
    """Mean, standard deviation and skewness of a statistic over all permutations.

    A multiple of the centring matrix in K or L shifts the statistic by a constant.
    Without trace the mean is 0, and higher moments lose no digits to it.

    Attributes
    ----------
    mean : float
    K, L : DenseSymmetric or FactoredSymmetric
        Without trace.
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
        graphs, table = _moebius_table(order)
        sums = []
        for matrix in (self.K, self.L):
            invariants = _invariants(matrix, order)
            sums.append(table @ [invariants[graph] for graph in graphs])
        n_distinct = [max(p) + 1 for p in _partitions(2 * order)]
        # with more distinct indices than rows there is no term
        ways = [
            perm(self.n_samples, k) if k <= self.n_samples else np.inf
            for k in n_distinct
        ]
        return float(np.sum(sums[0] * sums[1] / np.array(ways, dtype=float)))

    def pvalue(self, statistic, alternative="greater"):
        """Tail of the Pearson type III distribution with these moments."""
        z = (statistic - self.mean) / self.std
        distribution = stats.pearson3(self.skewness)
        greater, less = float(distribution.sf(z)), float(distribution.cdf(z))
        if alternative == "two-sided":
            return min(1.0, 2 * min(greater, less))
        return greater if alternative == "greater" else less


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
    K, L, scale = form
    n = len(K.diagonal)
    traces = [float(np.sum(matrix.diagonal)) for matrix in (K, L)]
    size = K.squared_norm**0.5 * L.squared_norm**0.5
    without_trace = (
        matrix.minus_centring(trace / (n - 1))
        for matrix, trace in zip((K, L), traces, strict=True)
    )
    mean = scale * (traces[0] * traces[1] / (n - 1))
    return NullMoments(mean, *without_trace, scale, n, negligible=1e-14 * size)


def refuse_unreliable(moments, form):
    """Raise where three moments do not describe the null distribution.

    Parameters
    ----------
    moments : NullMoments
    form : TraceForm
    """
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
    norms = np.sqrt(K.row_squares)
    total = float(np.sum(K.diagonal))
    if total <= 1e-8 * np.sum(norms):
        weights, rank = norms, np.inf
    else:
        weights, rank = K.diagonal, total**2 / K.squared_norm
    return float(len(weights) * np.sum(weights**2) / np.sum(weights) ** 2), rank


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


@cache
def _partitions(size):
    """Ways to say which of ``size`` indices are equal: the block of each index."""
    found = [(0,)]
    for _ in range(size - 1):
        found = [p + (b,) for p in found for b in range(max(p) + 2)]
    return found


@cache
def _moebius_table(order):
    """Sums over distinct indices (rows) as combinations of invariants (columns)."""
    partitions = _partitions(2 * order)
    terms = []
    for coarse in partitions:
        edges = [(coarse[2 * i], coarse[2 * i + 1]) for i in range(order)]
        degrees = np.bincount(np.ravel(edges))
        lone_loop = any(a == b and degrees[a] == 2 for a, b in edges)
        if degrees.min() >= 2 and not lone_loop:
            terms.append((coarse, _canonical(edges)))
    graphs = sorted({graph for _, graph in terms})
    table = np.zeros((len(partitions), len(graphs)))
    for row, fine in enumerate(partitions):
        for coarse, graph in terms:
            table[row, graphs.index(graph)] += _moebius(fine, coarse)
    return graphs, table


def _canonical(edges):
    """The same multigraph for all numberings of its vertices."""
    n = max(map(max, edges)) + 1
    return min(
        tuple(sorted(tuple(sorted((p[a], p[b]))) for a, b in edges))
        for p in permutations(range(n))
    )


def _moebius(fine, coarse):
    """Moebius function of two partitions; 0 unless the second merges the first's."""
    merged = {}
    for f, c in zip(fine, coarse, strict=True):
        if merged.setdefault(f, c) != c:
            return 0
    counts = np.bincount(list(merged.values()))
    value = 1
    for k in counts:
        value *= (-1) ** (k - 1) * factorial(k - 1)
    return int(value)
