"""Multi-scale intrinsic distance."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import scipy.linalg
import scipy.special
from scipy.sparse import csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from sksim._sklearn_compat import Interval
from sksim.arrays._kernels import row_blocks
from sksim.arrays._linalg import role_name
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags
from sksim.topology._distances import plain_rows

# Times at which the heat is compared, and how much each counts.
TIMES = np.logspace(-1, 1, 256)
_WEIGHTS = np.exp(-2 * (TIMES + 1 / TIMES))
# Chebyshev coefficients of exp(10 x) beyond this degree are below rounding.
_DEGREE = 40


@dataclass(frozen=True)
class HeatTrace(View):
    """Trace of the heat kernel at each time, divided by the number of rows.

    ``estimates`` has one row for each random probe, or a single row if it is exact.
    """

    estimates: np.ndarray
    n_components: int
    n_samples: int

    @property
    def mean(self):
        return self.estimates.mean(axis=0)


def neighbor_graph(rows, n_neighbors, role):
    """Symmetric unweighted graph that joins each row and its nearest neighbours."""
    n_samples = len(rows)
    if n_samples <= n_neighbors:
        raise ValueError(
            f"{role_name(role)} has n_samples={n_samples} rows, but each needs "
            f"n_neighbors={n_neighbors} other rows. Pass more rows, or lower "
            "n_neighbors."
        )
    search = NearestNeighbors(n_neighbors=n_neighbors).fit(rows)
    distances, neighbors = search.kneighbors()
    if np.min(distances[:, -1]) < 1e-6 * np.max(distances):
        _refuse_equal_rows(rows, n_neighbors, role)
    starts = np.arange(0, neighbors.size + 1, n_neighbors)
    ones = np.ones(neighbors.size)
    graph = csr_array((ones, neighbors.ravel(), starts), shape=(n_samples, n_samples))
    graph = csr_array(graph + graph.T)
    graph.data[:] = 1.0
    return graph


def _refuse_equal_rows(rows, n_neighbors, role):
    copies = np.unique(rows, axis=0, return_counts=True)[1].max()
    if copies > n_neighbors + 1:
        raise ValueError(
            f"{role_name(role)} holds one row {copies} times, so that its "
            f"{n_neighbors} nearest neighbours are not determined. Remove duplicate "
            "rows, or raise n_neighbors."
        )


def normalized_adjacency(graph):
    """D^-1/2 A D^-1/2, whose eigenvalues are 1 minus the Laplacian's."""
    inverse_root = diags_array(1 / np.sqrt(graph.sum(axis=1)))
    return csr_array(inverse_root @ graph @ inverse_root)


def exact_trace(adjacency):
    """Trace of exp(-t L) / n at each time, from all eigenvalues."""
    # several BLAS threads slow this down by orders of magnitude on small machines
    with threadpool_limits(1, user_api="blas"):
        eigenvalues = scipy.linalg.eigvalsh(adjacency.toarray(), check_finite=False)
    return np.exp(-np.outer(TIMES, 1 - eigenvalues)).mean(axis=1)


def estimated_trace(adjacency, n_probes, seed):
    """Trace of exp(-t L) / n at each time, one estimate for each random probe.

    exp(-t (1 - x)) is a series in Chebyshev polynomials of x whose coefficients are
    Bessel functions of t. The traces of the first five polynomials count edges,
    triangles and squares of the graph and are exact; those of the others are estimated
    by z' T(S) z with signs z. What is left to chance is a thousandth of the whole.
    """
    n_samples = adjacency.shape[0]
    degrees = np.arange(_DEGREE + 1)
    coefficients = scipy.special.ive(degrees[:, None], TIMES)
    coefficients[1:] *= 2
    rng = np.random.default_rng(seed)
    moments = []
    for block in row_blocks(n_probes, n_samples):
        shape = (n_samples, block.stop - block.start)
        signs = rng.choice([-1.0, 1.0], size=shape)
        moments.append(_chebyshev_moments(adjacency, signs))
    moments = np.concatenate(moments, axis=1).T / n_samples
    moments[:, :5] = _exact_moments(adjacency) / n_samples
    return moments @ coefficients


def _chebyshev_moments(adjacency, signs):
    """Products z' T_j(S) z for each column z, two degrees from each product with S."""
    before, now = signs, adjacency @ signs
    moments = [np.sum(before * before, axis=0), np.sum(before * now, axis=0)]
    for _ in range(_DEGREE // 2):
        moments.append(2 * np.sum(now * now, axis=0) - moments[0])
        before, now = now, 2 * (adjacency @ now) - before
        moments.append(2 * np.sum(before * now, axis=0) - moments[1])
    return np.stack(moments[: _DEGREE + 1])


def _exact_moments(adjacency):
    """Traces of T_0 to T_4 of the adjacency, from the traces of its powers."""
    n_samples = adjacency.shape[0]
    square = float(np.sum(adjacency.data**2))
    cube = fourth = 0.0
    for rows in row_blocks(n_samples, max(1, n_samples // 8)):
        part = adjacency[rows]
        product = csr_array(part @ adjacency)
        cube += float(product.multiply(part).sum())
        fourth += float(np.sum(product.data**2))
    return np.array(
        [n_samples, 0, 2 * square - n_samples, 4 * cube, 8 * (fourth - square)]
    ) + np.array([0, 0, 0, 0, n_samples])


class IMD(BaseSimilarity):
    r"""Multi-scale intrinsic distance of two sets of rows.

    Each representation becomes the graph of its nearest neighbours, with normalised
    Laplacian L and heat trace :math:`h(t) = \mathrm{tr}(e^{-t L}) / N`, and

    .. math:: m(R, R') = 10^6 \max_{t} \, e^{-2 (t + 1/t)} \, |h(t) - h'(t)|,

    over 256 times t from 0.1 to 10. Short times see neighbourhoods, long times the
    connected components.

    A distance in [0, inf). The rows are not paired: the sets may differ in size and
    order. Invariant to orthogonal maps, isotropic scaling and translation.

    Parameters
    ----------
    n_neighbors : int, default=5
        Neighbours of each row; two rows are joined if either is the other's neighbour.
    scale : float, default=1e6
        Factor of the distance, as in the original.
    max_exact_samples : int, default=2000
        Up to this many rows the trace comes from all eigenvalues; beyond, from random
        probes.
    n_probes : int, default=100
        Number of probes.
    require_connected : bool, default=False
        Whether to refuse a neighbour graph that falls into pieces. The trace is defined
        there as well, and counts them.
    random_state : int, RandomState instance or None, default=None
        Draws the probes, the same for both representations.

    Attributes
    ----------
    statistic_, distance_ : float
        Distance.
    score_ : float
        Minus the distance.
    standard_error_ : float
        Of the distance, from the spread of the probes; 0 if both traces are exact.
    time_ : float
        Time t at which the difference is largest.
    times_, heat_trace_x_, heat_trace_y_ : array of shape (256,)
        All times, and both traces there.
    n_components_x_, n_components_y_ : int
        Connected components of the neighbour graphs.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows of X.

    Raises
    ------
    ValueError
        If there are no more rows than neighbours, if one row occurs more often than
        there are neighbours, or if a graph falls into pieces and
        ``require_connected``.

    See Also
    --------
    GeometryScore : Compares holes instead of heat.

    Notes
    -----
    Exact in O(n^3) up to ``max_exact_samples`` rows; beyond, linear in the edges once
    the neighbours are found, in O(n^2 d) unless there are few columns. Blind to all
    that leaves the neighbour graph as it is, such as the distance between
    clusters. The factor that damps very short and very long times is at most exp(-4),
    so that the distance is below 18316.

    References
    ----------
    A. Tsitsulin et al. The shape of data: intrinsic distance for data distributions.
    ICLR, 2020, arXiv:1905.11141.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.topology import IMD
    >>> rng = np.random.default_rng(0)
    >>> square = rng.uniform(size=(200, 2))
    >>> line = rng.uniform(size=(150, 1))
    >>> IMD().fit(square, square[::-1] @ [[0, 2], [2, 0]]).distance_ < 1e-6
    True
    >>> IMD().fit(square, line).distance_ > 50
    True
    """

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "max_exact_samples": [Interval(Integral, 0, None, closed="left")],
        "n_probes": [Interval(Integral, 2, None, closed="left")],
        "require_connected": ["boolean"],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_neighbors=5,
        *,
        scale=1e6,
        max_exact_samples=2000,
        n_probes=100,
        require_connected=False,
        random_state=None,
    ):
        self.n_neighbors = n_neighbors
        self.scale = scale
        self.max_exact_samples = max_exact_samples
        self.n_probes = n_probes
        self.require_connected = require_connected
        self.random_state = random_state

    def _view(self, X, xp, role, seed):
        rows = plain_rows(X, role, xp=xp)
        graph = neighbor_graph(rows, self.n_neighbors, role)
        n_components = int(connected_components(graph, directed=False)[0])
        if self.require_connected and n_components > 1:
            raise ValueError(
                f"The neighbour graph of {role_name(role)} falls into {n_components} "
                f"pieces. Raise n_neighbors={self.n_neighbors}, or set "
                "require_connected=False."
            )
        adjacency = normalized_adjacency(graph)
        if len(rows) <= self.max_exact_samples:
            estimates = exact_trace(adjacency)[None, :]
        else:
            estimates = estimated_trace(adjacency, self.n_probes, seed)
        return HeatTrace(estimates, n_components, len(rows))

    def _compare(self, view_x, view_y, xp):
        difference = _WEIGHTS * np.abs(view_x.mean - view_y.mean)
        largest = int(np.argmax(difference))
        error = _standard_error(view_x, view_y, largest)
        return self.scale * difference[largest], {
            "standard_error_": self.scale * _WEIGHTS[largest] * error,
            "time_": float(TIMES[largest]),
            "times_": TIMES,
            "heat_trace_x_": view_x.mean,
            "heat_trace_y_": view_y.mean,
            "n_components_x_": view_x.n_components,
            "n_components_y_": view_y.n_components,
        }

    def _similarity_tags(self):
        return SimilarityTags(
            family="topology",
            orientation="distance",
            bounds=(0, self.scale * float(np.exp(-4))),
            invariances={"PT", "OT", "IS", "TR"},
            requires=("more_rows_than_neighbors", "distinct_rows"),
            view_keywords=("role", "seed"),
            paired=False,
            intervals=(),
            deterministic=False,
            array_api=False,
            complexity="n^3 to n = 2000, then n^2 d + n k p for p probes",
            reference="Tsitsulin et al. 2020",
        )


def _standard_error(view_x, view_y, place):
    """Standard error of the difference of two traces at one time."""
    x, y = view_x.estimates[:, place], view_y.estimates[:, place]
    # with equally many rows both saw the same probes, whose luck cancels
    same_probes = view_x.n_samples == view_y.n_samples and len(x) == len(y)
    samples = [x - y] if same_probes else [x, y]
    variances = [s.var(ddof=1) / len(s) for s in samples if len(s) > 1]
    return float(np.sqrt(sum(variances)))
