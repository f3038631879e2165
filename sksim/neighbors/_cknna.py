"""Centered kernel nearest-neighbour alignment."""

from dataclasses import dataclass, replace

from sksim.arrays._linalg import (
    centered,
    role_name,
    unit_rows,
)
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    row_sum_of_squares,
    take,
)
from sksim.arrays._neighbors import GivenPoints, products_with, shared_ranks
from sksim.arrays._slices import slices
from sksim.neighbors._base import BaseNeighborSimilarity, NeighborView

# Entries of a block of the distance matrix.
_BLOCK_ELEMENTS = 2**20


@dataclass(frozen=True)
class NeighborKernel(NeighborView):
    """Neighbour lists and the entries of the centred kernel matrix at them.

    ``values`` are divided by their norm.
    """

    values: object

    _row_fields = ("neighbors", "values")


class CKNNA(BaseNeighborSimilarity):
    r"""Centered kernel nearest-neighbour alignment.

    CKA with both centred kernel matrices :math:`K, K'` restricted to the pairs of rows
    that are neighbours in both representations:

    .. math:: m(R, R') = \frac{\sum_{ij} \alpha_{ij} K_{ij} K'_{ij}}
        {\sqrt{\sum_{ij} 1[j \in N_k(i)] K_{ij}^2} \;
         \sqrt{\sum_{ij} 1[j \in N_k'(i)] K_{ij}'^2}}, \qquad
        \alpha_{ij} = 1[j \in N_k(i) \wedge j \in N_k'(i)] .

    A similarity in [-1, 1]. The kernel is the inner product of the centred rows; with
    the cosine metric rows are scaled to unit norm first, as in the paper. Invariant
    to orthogonal maps and isotropic scaling, with the Euclidean metric also to
    translation. Blind to everything beyond the k-th neighbour; with k = N - 1 it is
    CKA without the diagonal.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours, below the number of rows.
    metric : {"cosine", "euclidean", "precomputed"}, default="cosine"
        What is near, and whether rows are scaled to unit norm. "precomputed": X and y
        are matrices D of distances, of shape (n_samples, n_samples) or condensed, and
        the kernel is :math:`-\tfrac12 H D^2 H`, the inner product of the centred rows
        where distances are Euclidean (see :ref:`given_matrices`).
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
        left out: the choice among such is by index.
    algorithm_ : str
        The search that was used.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If there are no more rows than neighbours, if a representation is constant, if
        a row is zero with the cosine metric, or if the centred kernel is zero at all
        neighbours. If a given matrix is not one of distances.

    See Also
    --------
    MutualKNN : Counts the shared neighbours.
    sksim.rsm.CKA : All pairs.

    References
    ----------
    M. Huh, B. Cheung, T. Wang, P. Isola. The Platonic representation hypothesis. ICML,
    2024, arXiv:2405.07987.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import CKNNA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> round(CKNNA().fit(X, 3 * X).score_, 6)
    1.0
    >>> round(CKNNA().fit(X, X + rng.normal(size=X.shape)).score_, 1)
    0.3
    """

    def _view(self, X, xp, role):
        neighbors = self._search(X, xp, role)
        if self._is_given:
            values, trace = _given_products(neighbors, X, xp)
        else:
            if self.metric == "cosine":
                X = unit_rows(X, xp=xp, role=role)
            rows = centered(as_float64(X, xp=xp), xp=xp).rows
            values = products_with(rows, neighbors.indices, xp=xp)
            trace = float(xp.sum(row_sum_of_squares(rows, xp=xp)))
        norm = float(xp.sqrt(xp.sum(row_sum_of_squares(values, xp=xp))))
        if norm <= 1e-12 * trace:
            raise ValueError(
                f"The centred kernel of {role_name(role)} is zero at all neighbours, "
                "so that nothing is left to compare. Choose more neighbours."
            )
        return NeighborKernel(neighbors, values / norm)

    def _compare(self, view_x, view_y, xp):
        ranks = shared_ranks(view_x.neighbors, view_y.neighbors, xp=xp)
        n_samples, k = ranks.shape
        own = xp.arange(n_samples, device=device_of(view_x.values))[:, None] * k
        # a rank of 0 stands for no shared neighbour, whatever it picks
        places = own + xp.astype(xp.where(ranks > 0, ranks - 1, ranks), own.dtype)
        picked = take(
            xp.reshape(view_x.values, (-1,)), xp.reshape(places, (-1,)), xp=xp
        )
        picked = xp.reshape(picked, ranks.shape)
        products = xp.where(ranks > 0, picked * view_y.values, xp.zeros_like(picked))
        return xp.sum(products), self._how(view_x.neighbors, view_y.neighbors)

    def _similarity_tags(self):
        return replace(
            super()._similarity_tags(),
            bounds=(-1, 1),
            score_bounds=None,
            reference="Huh et al. 2024",
        )


def _given_products(neighbors, distances, xp):
    """Centred kernel at all neighbours, of given distances, and its trace.

    The kernel is minus half the squared distances, doubly centred.
    """
    points = GivenPoints(distances, xp=xp, role=None)
    blocks = slices(points.n_samples, max(16, _BLOCK_ELEMENTS // points.n_samples))
    means = xp.concat([xp.mean(points.squares(b), axis=1) for b in blocks])
    mean = xp.mean(means)
    squares = neighbors.squared_distances
    columns = take(means, xp.reshape(neighbors.indices, (-1,)), xp=xp)
    columns = xp.reshape(columns, squares.shape)
    values = (means[:, None] + columns - mean - squares) / 2
    return values, float(mean) * points.n_samples / 2
