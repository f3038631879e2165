"""Distance of two networks by the persistent homology of their weights."""

from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array
from scipy.sparse.csgraph import minimum_spanning_tree

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._kernels import row_blocks
from sksim.arrays._views import View
from sksim.base import BaseModelSimilarity
from sksim.base._tags import SimilarityTags
from sksim.models._weights import network_weights

# An edge this close to 1 weighs less than single precision resolves of the largest:
# it is no edge, and its cycle never exists.
_NO_EDGE = 2.0**-25


@dataclass(frozen=True)
class Barcode(View):
    """Bars of a network's filtered graph, ascending.

    Components are all born at 0 and merge at ``deaths``; cycles close at ``births``
    and last to 1.
    """

    deaths: np.ndarray
    births: np.ndarray

    def bars(self, dimension):
        """(births, deaths) of the components (0) or the cycles (1)."""
        if dimension == 0:
            return np.zeros_like(self.deaths), self.deaths
        return self.births, np.ones_like(self.births)


@dataclass(frozen=True)
class SampledCurves(View):
    """A barcode's curve or surface in each dimension, on the common grid."""

    curves: np.ndarray


def barcode(layers, *, min_persistence=0.0):
    """Barcode of a layered network, by its minimum spanning forest.

    The graph has no triangle, so that each edge either merges two components (the
    forest) or closes a cycle that nothing ever fills. A bias has a node of its own
    and thus always belongs to the forest.

    Parameters
    ----------
    layers : list of (weights, biases)
    min_persistence : float, default=0
        Components that live shorter are dropped.

    Returns
    -------
    barcode : Barcode
    """
    largest = max(
        float(np.max(np.abs(a))) for layer in layers for a in layer if a is not None
    )
    if largest == 0:
        raise ValueError(
            "All weights of a network are zero, so that they have no order of "
            "strength. Check that the network was trained."
        )

    def filtration(weights):
        return np.maximum(1 - np.abs(weights) / largest, 1e-6)

    matrices = [filtration(weights) for weights, _ in layers]
    forest = np.sort(_spanning_forest(matrices))
    births = np.sort(np.concatenate([matrix.ravel() for matrix in matrices]))
    # each forest edge takes one of the equal values out of the sorted list
    repeats = np.arange(len(forest)) - np.searchsorted(forest, forest)
    births = np.delete(births, np.searchsorted(births, forest) + repeats)
    leaves = [filtration(biases) for _, biases in layers if biases is not None]
    deaths = np.sort(np.concatenate([forest, *leaves]))
    return Barcode(
        deaths[np.searchsorted(deaths, min_persistence) :],
        births[: np.searchsorted(births, 1 - _NO_EDGE)],
    )


def _spanning_forest(matrices):
    """Edge values of the minimum spanning forest of a chain of bipartite graphs.

    Block by block: the forest of a union is that of the blocks' forests, so that
    beside the weights only one block and one forest are ever held.
    """
    offsets = np.cumsum([0, len(matrices[0]), *(m.shape[1] for m in matrices)])
    n_nodes = int(offsets[-1])
    forest = csr_array((n_nodes, n_nodes))
    for layer, matrix in enumerate(matrices):
        n_columns = matrix.shape[1]
        columns = np.arange(offsets[layer + 1], offsets[layer + 2], dtype=np.int32)
        for rows in row_blocks(*matrix.shape):
            values = matrix[rows]
            lengths = np.zeros(n_nodes + 1, dtype=np.int32)
            first = offsets[layer] + rows.start
            lengths[first + 1 : first + 1 + len(values)] = n_columns
            # older scipy searches spanning trees by 32-bit indices only
            starts = np.cumsum(lengths, dtype=np.int32)
            edges = (values.ravel(), np.tile(columns, len(values)), starts)
            block = csr_array(edges, shape=(n_nodes, n_nodes))
            forest = csr_array(minimum_spanning_tree(forest + block))
    return forest.data


# ----- curves of one dimension's bars, births and deaths ascending ------------------


def _landscape(births, deaths, grid):
    """First landscape: of bars that all start, or all end, together, the longest's."""
    longest = (births[0], deaths[-1])
    return np.maximum(np.minimum(grid - longest[0], longest[1] - grid), 0)


def _silhouette(births, deaths, grid, power):
    """Mean of the bars' tents, weighted by length to the given power."""
    weights = (deaths - births) ** power
    total = weights.sum()
    if total == 0:
        return np.zeros_like(grid)

    def ramps(starts):
        """Sum of weight * max(t - start, 0) at each t of the grid."""
        count = np.searchsorted(starts, grid)
        slope = np.append(0, np.cumsum(weights))[count]
        return grid * slope - np.append(0, np.cumsum(weights * starts))[count]

    tents = ramps(births) - 2 * ramps((births + deaths) / 2) + ramps(deaths)
    return tents / total


def _betti(births, deaths, grid):
    """Number of bars that are alive."""
    born = np.searchsorted(births, grid, side="right")
    return (born - np.searchsorted(deaths, grid, side="right")).astype(float)


def _heat(births, deaths, grid, sigma):
    """Gaussians at the bars' (birth, death), minus their mirror images."""
    step = grid[1] - grid[0]
    if step == 0:
        return np.zeros((len(grid), len(grid)))
    rounding = 1e-9  # a value at the end of the grid belongs to the last pixel
    pixels = [
        np.clip((ends - grid[0]) / step + rounding, 0, len(grid) - 1).astype(int)
        for ends in (births, deaths)
    ]
    counts = np.bincount(pixels[0] * len(grid) + pixels[1], minlength=len(grid) ** 2)
    image = counts.reshape(len(grid), len(grid)).astype(float)
    image = gaussian_filter(image, sigma / step, mode="constant") / step**2
    return image - image.T


class NetworkPersistence(BaseModelSimilarity):
    r"""Distance of two networks by the persistent homology of their weights.

    Each network is a graph: a node for each unit, one for each bias, and an edge for
    each weight, which appears at

    .. math:: f(w) = \max(1 - |w| / \max |w|, 10^{-6}),

    strong weights first. The barcode tells when components merge and when cycles
    close; each dimension's bars become a curve :math:`\varphi_k`, and

    .. math:: m(f, f')^2 = \sum_{k = 0, 1} \int
        (\varphi_k(t) - \varphi_k'(t))^2 \, dt .

    A distance in [0, inf) and, on the common grid, a Euclidean one between the
    networks' curves. It needs no data and compares networks of any shapes. Invariant
    to permutations of hidden units and to a common factor of all weights of a
    network.

    Parameters
    ----------
    representation : {"silhouette", "landscape", "heat", "betti"}, default="silhouette"
        Curve of a barcode: the bars' tents averaged with their lengths as weights;
        the first landscape; a surface of heat around the (birth, death) points; or
        the number of living bars. The last two grow with the network's size.
    grid : {"common", "pair"}, default="common"
        One grid on [0, 1], so that all distances are those of one embedding, or a
        grid from the smallest birth to the largest death of each pair, as in the
        paper.
    n_points : int, default=200
        Points of the grid.
    min_persistence : float, default=0.01
        Components that live shorter are dropped.
    power : float, default=1.0
        Exponent of the bars' lengths as weights of the silhouette.
    sigma : float, default=0.1
        Width of the heat, in units of the filtration.

    Attributes
    ----------
    statistic_, distance_ : float
        Distance of the two networks.
    score_ : float
        Minus the distance.
    dimension_distances_ : array of shape (2,)
        Distance of the components' curves and of the cycles'.
    curves_x_, curves_y_ : array of shape (2, n_points) or (2, n_points, n_points)
        Curves (for "heat", surfaces) of components and cycles.
    grid_ : array of shape (2, n_points)
        Where they are sampled, in each dimension.

    Raises
    ------
    ValueError
        If all weights of a network are zero or one is not finite, if its layers do
        not follow each other, or if it has other layers than linear ones.

    See Also
    --------
    sksim.pairwise.similarity_matrix : All pairs of many networks.

    Notes
    -----
    A network is a fitted MLPClassifier or MLPRegressor, a torch module of linear
    layers, or a list of (weights, biases) with weights of shape (n_inputs, n_outputs).

    The graph of a feed-forward network has no triangle, so that the barcode is that of
    a minimum spanning forest: components merge at its edges, every other edge closes a
    cycle, and there is nothing in higher dimensions. The cost is that of sorting the
    weights. The component that remains at the end is left out.

    Blind to signs: flipping all weights of a layer gives distance 0 and another
    function. Each network is scaled by its own largest weight. The landscape sees two
    numbers only, the last merger and the first cycle.

    References
    ----------
    D. Pérez-Fernández, A. Gutiérrez-Fandiño, J. Armengol-Estapé, M. Villegas.
    Characterizing and measuring the similarity of neural networks with persistent
    homology. 2021, arXiv:2101.07752.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.structural import NetworkPersistence
    >>> rng = np.random.default_rng(0)
    >>> def network(width):
    ...     return [
    ...         (rng.normal(size=(4, width)), rng.normal(size=width)),
    ...         (rng.normal(size=(width, 3)), rng.normal(size=3)),
    ...     ]
    >>> narrow, wide = network(8), network(64)
    >>> order = rng.permutation(8)
    >>> (W, b), (V, c) = narrow
    >>> same = [(W[:, order], b[order]), (V[order], c)]
    >>> NetworkPersistence().fit(narrow, same).distance_
    0.0
    >>> NetworkPersistence().fit(narrow, wide).distance_ > 0.01
    True
    """

    _parameter_constraints: dict = {
        "representation": [StrOptions({"silhouette", "landscape", "heat", "betti"})],
        "grid": [StrOptions({"common", "pair"})],
        "n_points": [Interval(Integral, 2, None, closed="left")],
        "min_persistence": [Interval(Real, 0, 1, closed="left")],
        "power": [Interval(Real, 0, None, closed="neither")],
        "sigma": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        representation="silhouette",
        *,
        grid="common",
        n_points=200,
        min_persistence=0.01,
        power=1.0,
        sigma=0.1,
    ):
        self.representation = representation
        self.grid = grid
        self.n_points = n_points
        self.min_persistence = min_persistence
        self.power = power
        self.sigma = sigma

    def _check_model(self, model, name):
        return network_weights(model, name)

    def _view(self, layers, xp):
        bars = barcode(layers, min_persistence=self.min_persistence)
        if self.grid == "pair":
            return bars
        return SampledCurves(self._curves(bars, self._common_grid()))

    def _common_grid(self):
        return np.tile(np.linspace(0, 1, self.n_points), (2, 1))

    def _pair_grid(self, *barcodes):
        """From the smallest birth to the largest death of both, in each dimension."""
        grids = []
        for dimension in (0, 1):
            bars = [b.bars(dimension) for b in barcodes]
            births = [births[0] for births, _ in bars if len(births)]
            deaths = [deaths[-1] for _, deaths in bars if len(deaths)]
            limits = (min(births), max(deaths)) if births else (0, 1)
            grids.append(np.linspace(*limits, self.n_points))
        return np.stack(grids)

    def _curves(self, bars, grid):
        return np.stack([self._curve(*bars.bars(k), grid[k]) for k in (0, 1)])

    def _curve(self, births, deaths, grid):
        if self.representation == "heat":
            return _heat(births, deaths, grid, self.sigma)
        if not len(births):
            return np.zeros_like(grid)
        if self.representation == "landscape":
            return _landscape(births, deaths, grid)
        if self.representation == "betti":
            return _betti(births, deaths, grid)
        return _silhouette(births, deaths, grid, self.power)

    def _compare(self, view_x, view_y, xp):
        if self.grid == "common":
            grid = self._common_grid()
            curves_x, curves_y = view_x.curves, view_y.curves
        else:
            grid = self._pair_grid(view_x, view_y)
            curves_x, curves_y = (self._curves(v, grid) for v in (view_x, view_y))
        step = grid[:, 1] - grid[:, 0]
        area = step**2 if self.representation == "heat" else step
        axes = tuple(range(1, curves_x.ndim))
        squares = np.sum((curves_x - curves_y) ** 2, axis=axes) * area
        return np.sqrt(squares.sum()), {
            "dimension_distances_": np.sqrt(squares),
            "curves_x_": curves_x,
            "curves_y_": curves_y,
            "grid_": grid,
        }

    def _similarity_tags(self):
        return SimilarityTags(
            family="structural",
            orientation="distance",
            bounds=(0, float("inf")),
            metric=self.grid == "common",
            inputs="models",
            requires=("models",),
            paired=False,
            intervals=(),
            array_api=False,
            complexity="w log w for w weights",
            reference="Pérez-Fernández et al. 2021",
        )
