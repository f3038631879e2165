"""Manifold-approximated kernel alignment."""

import math
from dataclasses import dataclass, replace

import numpy as np

from sksim.arrays._namespace import to_numpy
from sksim.arrays._neighbors import GivenPoints
from sksim.arrays._shared_places import SharedPlaces
from sksim.arrays._views import View
from sksim.neighbors._cycle import BasePlacesSimilarity

# Steps that halve the bracket of a width's logarithm, which spans less than 64.
_HALVINGS = 60
# Differences of distances below this share of them are ties.
_TIE_TOLERANCE = 1e-10


@dataclass(frozen=True)
class NeighborWeights(View):
    """Weights of the neighbours, entry by entry, on numpy.

    ``sums`` are those of the rows and ``squared_norm`` is that of the centred matrix,
    both with the 1 of each row itself.
    """

    places: SharedPlaces
    weights: np.ndarray
    sums: np.ndarray
    squared_norm: float
    n_tied: int

    _row_fields = ("places", "sums")


class ManifoldKernelAlignment(BasePlacesSimilarity):
    r"""Manifold-approximated kernel alignment (MKA).

    Alignment of two kernels that fall off from each row's nearest neighbour at a rate
    that makes all rows alike in their number of neighbours, as in UMAP: with the
    distances :math:`d_{ij}` of row i to its k nearest neighbours and the smallest of
    them, :math:`\rho_i`,

    .. math:: W_{ij} = \exp \frac{-(d_{ij} - \rho_i)}{\sigma_i} \text{ for the
        neighbours}, \quad W_{ii} = 1, \quad \sum_{j \ne i} W_{ij} = \log_2 k ,

    the rest zero, and :math:`\bar W` the matrix minus its row means,

    .. math:: m(R, R') = \frac{\langle \bar W, \bar W' \rangle}
        {\lVert \bar W \rVert \, \lVert \bar W' \rVert} .

    A similarity in [-1, 1]. Invariant to orthogonal maps and isotropic scaling, with
    the Euclidean metric also to translation. Blind to everything beyond the k-th
    neighbour, and to how dense the rows lie.

    Parameters
    ----------
    n_neighbors : int, default=15
        Number of neighbours, below the number of rows.
    metric : {"cosine", "euclidean", "precomputed"}, default="euclidean"
        Distance; with "cosine" that of the rows scaled to unit norm. "precomputed": X
        and y are matrices of distances, of shape (n_samples, n_samples) or condensed
        (see :ref:`given_matrices`).
    ties : {"share", "index"}, default="share"
        "share": neighbours that compete for the last places share their weights (see
        :ref:`tied_neighbors`). "index": they go by the numbers of the rows, as in codes
        in use; then equal rows in both views look similar, and p-values are too small.
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the neighbours that pynndescent finds, for very many rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Alignment.
    n_tied_ : tuple of int
        Number of rows of X and of y whose last neighbour is as near as one that was
        left out.
    algorithm_ : str
        The search that was used.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If there are no more rows than neighbours, if a representation is constant, or
        if a row is zero with the cosine metric. If a given matrix is not one of
        distances.

    See Also
    --------
    CKNNA : CKA of the neighbours, which sees how near they are.
    MutualKNN : Counts the neighbours that are shared.

    Notes
    -----
    Use it where clusters of unequal density should count alike; where the lengths of
    distances matter, use :class:`sksim.rsm.CKA` with an RBF kernel. The 1 of each row
    itself is in both kernels, so that unrelated representations score about 1 / (1 + c)
    with c the squared weights of a row's neighbours, not 0: compare with
    ``calibrated_score`` (the mean by chance is exact).

    Where all rows sum to :math:`1 + \log_2 k` this is the paper's formula, whose
    centring is by that number. Rows whose nearest neighbours are tied may sum to more;
    centred by their own means the value remains a cosine. Such rows, of more than
    :math:`\log_2 k` nearest neighbours at one distance, have no width, and get
    :math:`\sigma_i = 1`, the only place where the unit of the distances matters.

    References
    ----------
    M. T. Islam, D. Liu, D. Sarkar. Manifold approximation leads to robust kernel
    alignment. 2025, arXiv:2510.22953.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import ManifoldKernelAlignment
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> round(ManifoldKernelAlignment().fit(X, 3 * X + 1).score_, 6)
    1.0
    >>> round(ManifoldKernelAlignment().fit(X, rng.normal(size=(200, 5))).score_, 2)
    0.33
    """

    def __init__(
        self,
        n_neighbors=15,
        *,
        metric="euclidean",
        ties="share",
        algorithm="exact",
        verbose=0,
    ):
        super().__init__(
            n_neighbors,
            metric=metric,
            ties=ties,
            algorithm=algorithm,
            verbose=verbose,
        )

    def _view(self, X, xp, role):
        neighbors = self._search(X, xp, role)
        unit = GivenPoints(X, xp=xp, role=role).unit if self._is_given else 1.0
        distances = np.sqrt(to_numpy(neighbors.squared_distances, xp=xp)) * unit
        nearest, widths = _widths(distances)
        places = self._places(neighbors, xp)
        beyond = np.sqrt(places.squares) * unit - nearest[places.rows]
        beyond = np.where(beyond > _TIE_TOLERANCE * nearest[places.rows], beyond, 0)
        weights = places.shares * np.exp(-beyond / widths[places.rows])
        n = places.n_samples
        sums = 1 + np.bincount(places.rows, weights, minlength=n)
        squared_norm = n + float(weights @ weights) - float(sums @ sums) / n
        # lists go without distances: weights are all that is compared
        places = replace(places, squares=None)
        return NeighborWeights(places, weights, sums, squared_norm, neighbors.n_tied)

    def _compare(self, view_x, view_y, xp):
        own, theirs = view_x.places.shared_with(view_y.places)
        n = len(view_x.sums)
        product = n + float(view_x.weights[own] @ view_y.weights[theirs])
        product -= float(view_x.sums @ view_y.sums) / n
        return product / _norms(view_x, view_y), self._how(view_x, view_y)

    def _null_mean_of(self, view_x, view_y):
        n = len(view_x.sums)
        x, y = view_x.sums.sum(), view_y.sums.sum()
        product = (x - n) * (y - n) / (n * (n - 1)) + n - x * y / n**2
        return product / _norms(view_x, view_y)

    def _similarity_tags(self):
        return replace(
            super()._similarity_tags(),
            bounds=(-1, 1),
            score_bounds=None,
            exact={"null_mean"},
            reference="Islam et al. 2025",
        )


def _norms(view_x, view_y):
    return math.sqrt(view_x.squared_norm * view_y.squared_norm)


def _widths(distances):
    """Nearest distance and width of each row, of its distances in ascending order.

    Weights exp(-(d - nearest) / width) then sum to log2 k.
    """
    k = distances.shape[1]
    target = math.log2(k)
    nearest = distances[:, 0]
    beyond = distances - nearest[:, None]
    beyond = np.where(beyond > _TIE_TOLERANCE * nearest[:, None], beyond, 0)
    widths = np.ones(len(distances))
    rows = np.flatnonzero(np.count_nonzero(beyond == 0, axis=1) <= target)
    if not len(rows):
        return nearest, widths
    beyond = beyond[rows]
    # at the low end all but ties have vanished; e^-x >= 1 - x gives the high end
    smallest = np.min(np.where(beyond > 0, beyond, np.inf), axis=1)
    low = np.log(smallest) - math.log(800)
    high = np.log(beyond.sum(axis=1) / (k - target))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        sums = np.exp(-beyond / np.exp(middle)[:, None]).sum(axis=1)
        is_low = sums < target
        low, high = np.where(is_low, middle, low), np.where(is_low, high, middle)
    widths[rows] = np.exp((low + high) / 2)
    return nearest, widths
