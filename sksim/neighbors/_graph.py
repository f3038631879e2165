"""Graph-based similarity of layers."""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from scipy import sparse

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._graphs import (
    label_codes,
    listed_edges,
    strongest_edges,
    symmetrised,
    triangle_counts,
)
from sksim.arrays._kernels import row_blocks
from sksim.arrays._linalg import (
    refuse_rows,
    row_factor,
    unit_rows,
)
from sksim.arrays._namespace import as_float64, is_numpy, row_inner
from sksim.arrays._neighbors import (
    check_n_neighbors,
    nearest_neighbors,
    nearest_of_given,
)
from sksim.arrays._views import View
from sksim.base import BaseSimilarity, LabelsMixin
from sksim.base._comparison import Comparison
from sksim.base._tags import SimilarityTags
from sksim.base._validation import check_representation_pair

_WITHOUT_EDGES = "orthogonal to all rows that it is connected with"
# Permutations pick weights out of n x n matrices of up to this many rows.
_MATRIX_ROWS = 4096


@dataclass(frozen=True)
class FullGraph(View):
    """Graph of all rows in factored form: unit rows, never an n x n matrix.

    ``norms`` are the norms of the graph's weight rows.
    """

    rows: object
    norms: object

    _row_fields = ("rows", "norms")

    def weight_rows(self):
        """Weight rows of the graph, scaled to unit norm, on numpy."""
        matrix = self.rows @ self.rows.T
        np.fill_diagonal(matrix, 0)
        return matrix / self.norms[:, None]


@dataclass(frozen=True)
class GivenGraph(View):
    """Graph of all rows whose weights are 1 minus given cosine distances.

    ``norms`` are the norms of the graph's weight rows.
    """

    distances: object
    norms: object

    _row_fields = ("norms",)
    _row_by_row_fields = ("distances",)

    def weight_rows(self):
        """Weight rows of the graph, scaled to unit norm, on numpy."""
        matrix = 1 - as_float64(self.distances, xp=np)
        np.fill_diagonal(matrix, 0)
        return matrix / self.norms[:, None]


@dataclass(frozen=True)
class SparseGraph(View):
    """Weight rows of a k-nearest-neighbour graph, scaled to unit norm, on the CPU.

    ``motif_counts`` are the triangles by label pattern, or None without labels.
    """

    weights: object
    n_tied: int
    motif_counts: object

    def moved(self, order):
        """The same graph with its nodes in another order."""
        return replace(self, weights=self.weights[order][:, order])


@dataclass(frozen=True, kw_only=True)
class GraphComparison(Comparison):
    """Two graphs of all rows, or of nearest neighbours."""

    def for_permutations(self):
        """Weight rows, where picking their entries beats products of rows."""
        views = self.view_x, self.view_y
        is_full = self.measure.n_neighbors is None
        if not (is_full and is_numpy(self.xp) and _picking_pays(*views)):
            return replace(self, rows=None)
        x, y = (view.weight_rows() for view in views)
        return self.prepared_as(PickedGraphs, view_x=x, view_y=y)


@dataclass(frozen=True, kw_only=True)
class PickedGraphs(Comparison):
    """Weight rows of two full graphs, of which a permutation picks entries."""

    def permuted(self, orders):
        """Statistics with the rows of y in each of several orders."""
        n = self.n_samples
        totals = np.zeros(len(orders))
        for b in row_blocks(n, 8 * n):
            for number, order in enumerate(orders):
                moved = self.view_y[order[b]].take(order, axis=1)
                totals[number] += np.einsum("ij,ij->", self.view_x[b], moved)
        return (totals / n).tolist()


def _picking_pays(view_x, view_y):
    n = view_x.norms.shape[0]
    if isinstance(view_x, GivenGraph):
        return n <= _MATRIX_ROWS
    # measured: picking an entry costs as much as 32 multiplications
    return n <= _MATRIX_ROWS and 16 * n <= view_x.rows.shape[1] * view_y.rows.shape[1]


class GraphBasedSimilarity(LabelsMixin, BaseSimilarity):
    r"""Graph-based similarity (GBS): are rows connected alike in both views.

    The nodes of a graph are the rows, its weights their cosines, without loops:
    :math:`S_{ij} = \cos(R_i, R_j)` for i != j. The similarity is the mean over nodes
    of the cosine of a node's weights in both graphs,

    .. math:: m(R, R') = \frac{1}{N} \sum_i \cos(S_i, S_i') .

    A similarity in [-1, 1]. Invariant to orthogonal maps and isotropic scaling, and to
    a positive factor of each row; not to translation: centre the representations if
    an offset should not count.

    Parameters
    ----------
    n_neighbors : int, default=None
        None for the full graph, as in the paper. Else the graph of the n_neighbors
        strongest edges of each row, symmetrised by averaging with its transpose, which
        looks at near rows alone.
    metric : {"cosine", "precomputed"}, default="cosine"
        How near two rows are. "precomputed": X and y are matrices of cosine distances,
        of shape (n_samples, n_samples) or condensed, and the weights are 1 minus them;
        any weights up to 1 can be given so (see :ref:`given_matrices`).

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Graph-based similarity.
    row_values_ : array of shape (n_samples,)
        Similarity of each row's weights.
    motif_counts_ : tuple of arrays of shape (3,)
        For X and for y the numbers of triangles whose corners have equal labels, two
        equal labels, no equal labels; of edges that are equally strong the first of
        each row count. Only with n_neighbors and y_true.
    same_label_share_ : tuple of float
        For X and for y the share of triangles with equal labels, which the paper
        relates to how well a representation transfers; 0 without triangles. Only with
        n_neighbors and y_true.
    n_tied_ : tuple of int
        Number of rows of X and of y whose weakest edge is as strong as one that was
        left out: such edges share their places (see :ref:`tied_neighbors`). Only with
        n_neighbors.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a row is zero, or orthogonal to all rows that it is connected with, or if
        there are no more rows than neighbours. If a given matrix is not one of cosine
        distances.

    See Also
    --------
    sksim.statistics.NeighborGraphModularity : Do the labels divide the graph well.
    sksim.rsm.CKA : The same matrix of inner products, compared as a whole.

    Notes
    -----
    The full graph is never made: with unit rows U and U' the inner products of the
    weight rows are :math:`u_i^\top (U^\top U') u_i' - 1`, which costs O(N D^2). In a
    full graph every triple of rows is a triangle, so that counting them would say
    nothing of the representation. The graph of strongest edges is computed on the CPU.

    References
    ----------
    Z. Chen, Y. Lu, J. Hu, W. Yang, Q. Xuan, Z. Wang, X. Yang. Graph-based similarity of
    neural network representations. 2021, arXiv:2111.11165.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import GraphBasedSimilarity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    >>> round(GraphBasedSimilarity().fit(X, 3 * X @ rotation).score_, 6)
    1.0
    >>> labels = (X[:, 0] > 0).astype(int)
    >>> gbs = GraphBasedSimilarity(n_neighbors=5).fit(X, X[:, :2], y_true=labels)
    >>> gbs.motif_counts_[0]
    array([...])
    """

    _kind = GraphComparison
    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        "metric": [StrOptions({"cosine", "precomputed"})],
    }

    def __init__(self, n_neighbors=None, *, metric="cosine"):
        self.n_neighbors = n_neighbors
        self.metric = metric

    def _validate_pair(self, X, y, *, reset):
        X, y, xp = check_representation_pair(self, X, y, reset=reset, min_samples=2)
        if self.n_neighbors is not None:
            check_n_neighbors(self.n_neighbors, X, y)
        return X, y, xp

    def _min_samples(self):
        return 2 if self.n_neighbors is None else self.n_neighbors + 1

    def _view(self, X, xp, role, y_true):
        if self.n_neighbors is None:
            return self._full_graph(X, xp, role)
        if self._is_given:
            neighbors = nearest_of_given(
                X, self.n_neighbors, xp=xp, role=role, is_cosine=True
            )
        else:
            neighbors = nearest_neighbors(
                X, self.n_neighbors, metric="cosine", xp=xp, role=role
            )
        edges = strongest_edges(neighbors, xp=xp)
        weights = symmetrised(edges)
        norms = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
        refuse_rows(norms < 1e-12, role, _WITHOUT_EDGES, xp=np)
        motifs = None
        if y_true is not None:
            edges = listed_edges(neighbors, xp=xp)
            motifs = triangle_counts(edges, label_codes(y_true))
        weights = sparse.csr_array(weights.multiply(1 / norms[:, None]))
        return SparseGraph(weights, neighbors.n_tied, motifs)

    @property
    def _is_given(self):
        return self.metric == "precomputed"

    def _full_graph(self, X, xp, role):
        if self._is_given:
            squares = _products_of_given(X, X, xp=xp)
        else:
            rows = unit_rows(as_float64(X, xp=xp), xp=xp, role=role)
            if rows.shape[1] > rows.shape[0]:
                rows = row_factor(rows, xp=xp)
            squares = _squared_weights(rows, rows, xp=xp)
        rounding = 2e4 * float(xp.finfo(xp.float64).eps)
        refuse_rows(squares <= rounding * (1 + squares), role, _WITHOUT_EDGES, xp=xp)
        norms = xp.sqrt(squares)
        return GivenGraph(X, norms) if self._is_given else FullGraph(rows, norms)

    def _compare(self, view_x, view_y, xp):
        if self.n_neighbors is None:
            if self._is_given:
                values = _products_of_given(view_x.distances, view_y.distances, xp=xp)
            else:
                values = _squared_weights(view_x.rows, view_y.rows, xp=xp)
            values = values / (view_x.norms * view_y.norms)
            return xp.mean(values), {"row_values_": values}
        products = view_x.weights.multiply(view_y.weights)
        values = np.asarray(products.sum(axis=1)).ravel()
        details = {"row_values_": values, "n_tied_": (view_x.n_tied, view_y.n_tied)}
        if view_x.motif_counts is not None:
            counts = (view_x.motif_counts, view_y.motif_counts)
            shares = tuple(float(c[0] / max(1, c.sum())) for c in counts)
            details |= {"motif_counts_": counts, "same_label_share_": shares}
        return float(values.mean()), details

    def _similarity_tags(self):
        is_full = self.n_neighbors is None
        of_rows = ("given_cosine_distances",) if self._is_given else ("nonzero_rows",)
        complexity = "n d^2" if is_full else "n^2 d"
        return SimilarityTags(
            family="neighbors",
            orientation="similarity",
            bounds=(-1, 1),
            invariances=set() if self._is_given else {"PT", "OT", "IS"},
            requires=of_rows if is_full else (*of_rows, "more_rows_than_neighbors"),
            view_keywords=("role", "y_true"),
            precomputed=self._is_given,
            intervals=("jackknife", "subsample") if is_full else ("jackknife",),
            array_api=is_full,
            complexity="n^2" if self._is_given else complexity,
            reference="Chen et al. 2021",
        )


def _squared_weights(rows_x, rows_y, *, xp):
    """Inner product of each row's weights in both graphs, without its own weight."""
    return xp.sum((rows_x @ (rows_x.T @ rows_y)) * rows_y, axis=1) - 1


def _products_of_given(distances_x, distances_y, *, xp):
    """The same of weights that are 1 minus given distances, in blocks of rows."""
    n = distances_x.shape[0]
    values = [
        row_inner(
            *(1 - as_float64(D[b, :], xp=xp) for D in (distances_x, distances_y)),
            xp=xp,
        )
        for b in row_blocks(n, n)
    ]
    # a row's distance from itself is 0, and there are no loops
    return xp.concat(values) - 1
