"""Second-order cosine similarity."""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._linalg import (
    refuse_rows,
    unit_rows,
)
from sksim.arrays._namespace import (
    device_of,
    move_to,
    row_sum_of_squares,
    to_numpy,
)
from sksim.arrays._neighbors import entries_in, products_with, shared_ranks
from sksim.arrays._shared_places import products_of_pairs
from sksim.neighbors._base import (
    BaseNeighborSimilarity,
    NeighborComparison,
    NeighborView,
)

# Permutations pick cosines out of n x n matrices of up to this many entries.
_MATRIX_ELEMENTS = 2**23


@dataclass(frozen=True)
class NeighborCosines(NeighborView):
    """Neighbour lists, and what gives the cosine of any two rows.

    ``rows`` have unit norm; ``matrix`` holds the cosines of all pairs, for
    permutations. ``distances`` are given cosine distances, in place of both.
    """

    rows: object
    matrix: object = None
    distances: object = None

    _row_fields = ("neighbors", "rows")
    _row_by_row_fields = ("matrix", "distances")

    def cosines(self, lists, *, xp):
        """Cosine of each row with those in its list, in double precision."""
        if self.distances is not None:
            return 1 - entries_in(self.distances, lists, xp=xp)
        if self.matrix is None:
            return products_with(self.rows, lists, xp=xp)
        return entries_in(self.matrix, lists, xp=xp)

    def cosines_of_pairs(self, first, second, *, xp):
        """Cosines of pairs of rows, in double precision, on numpy."""
        if self.distances is not None:
            return 1 - to_numpy(self.distances, xp=xp)[first, second].astype(float)
        if self.matrix is None:
            return products_of_pairs(to_numpy(self.rows, xp=xp), first, second)
        return to_numpy(self.matrix, xp=xp)[first, second].astype(float)


@dataclass(frozen=True, kw_only=True)
class CosineComparison(NeighborComparison):
    """Two views of neighbours and cosines."""

    def for_permutations(self):
        """The same with a table of ranks, and with all cosines of few rows."""
        prepared = super().for_permutations()
        if self.n_samples**2 > _MATRIX_ELEMENTS or self.view_x.rows is None:
            return prepared
        views = (
            replace(view, matrix=view.rows @ view.rows.T)
            for view in (prepared.view_x, prepared.view_y)
        )
        return replace(prepared, view_x=next(views), view_y=next(views))


class SecondOrderCosine(BaseNeighborSimilarity):
    r"""Cosine of the rows' similarities to their neighbours in both representations.

    With :math:`s_i` the vector of the cosines of row i and all rows that are among its
    k nearest in either representation, :math:`N_k(i) \cup N_k'(i)`,

    .. math:: m(R, R') = \frac{1}{N} \sum_i \cos(s_i, s_i') .

    A similarity in [-1, 1]. Nearness is by cosine. Invariant to orthogonal maps and
    isotropic scaling, and to a positive factor of each row. Where all cosines are
    large, as in layers with a common offset, the value is near 1 whatever the
    neighbours are; centre the representations first to see more.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours, below the number of rows.
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the neighbours that pynndescent finds, for very many rows.
    metric : {"cosine", "precomputed"}, default="cosine"
        What is near. "precomputed": X and y are matrices of cosine distances (1 minus
        the cosine), of shape (n_samples, n_samples) or condensed (see
        :ref:`given_matrices`).
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean second-order cosine.
    row_values_ : array of shape (n_samples,)
        Second-order cosine of each row.
    n_tied_ : tuple of int
        Number of rows of X and of y whose last neighbour is as near as one that was
        left out: such neighbours share their places (see :ref:`tied_neighbors`).
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
        a row is zero, or if one is orthogonal to all rows in its vector. If a given
        matrix is not one of cosine distances.

    See Also
    --------
    NeighborJaccard : Compares the sets of neighbours themselves.

    Notes
    -----
    The similarities are cosines, as in the paper; cosine distances instead, which some
    codes use, give very different numbers.

    References
    ----------
    W. Hamilton, J. Leskovec, D. Jurafsky. Cultural shift or linguistic drift?
    Comparing two computational measures of semantic change. EMNLP, 2016,
    arXiv:1606.02821.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import SecondOrderCosine
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> round(SecondOrderCosine().fit(X, 3 * X).score_, 6)
    1.0
    >>> abs(SecondOrderCosine().fit(X, rng.normal(size=(100, 5))).score_) < 0.1
    True
    """

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "algorithm": [StrOptions({"exact", "approximate"})],
        "metric": [StrOptions({"cosine", "precomputed"})],
        "verbose": ["verbose"],
    }

    _kind = CosineComparison
    _given = "given_cosine_distances"

    def __init__(
        self, n_neighbors=10, *, algorithm="exact", metric="cosine", verbose=0
    ):
        self.n_neighbors = n_neighbors
        self.algorithm = algorithm
        self.metric = metric
        self.verbose = verbose

    def _view(self, X, xp, role):
        neighbors = self._search(X, xp, role)
        if self._is_given:
            return NeighborCosines(neighbors, None, distances=X)
        return NeighborCosines(neighbors, unit_rows(X, xp=xp, role=role))

    def _compare(self, view_x, view_y, xp):
        shares = self._shares(view_x.neighbors, view_y.neighbors, xp)
        if shares is not None:
            return self._shared_cosines(view_x, view_y, *shares, xp)
        lists_x, lists_y = view_x.neighbors.indices, view_y.neighbors.indices
        ranks = shared_ranks(view_x.neighbors, view_y.neighbors, xp=xp)
        # the union of both lists: all of x's, and those of y's that are not shared
        only_y = xp.astype(ranks == 0, xp.float64)
        own_x = 1 - view_x.neighbors.squared_distances / 2
        own_y = 1 - view_y.neighbors.squared_distances / 2
        cross_x = view_x.cosines(lists_y, xp=xp) * only_y
        cross_y = view_y.cosines(lists_x, xp=xp)
        products = xp.sum(own_x * cross_y, axis=1) + xp.sum(cross_x * own_y, axis=1)
        squares_x = row_sum_of_squares(own_x, xp=xp)
        squares_x = squares_x + row_sum_of_squares(cross_x, xp=xp)
        squares_y = row_sum_of_squares(cross_y, xp=xp)
        squares_y = squares_y + row_sum_of_squares(own_y * only_y, xp=xp)
        values = _cosines(products, squares_x, squares_y, xp=xp)
        return xp.mean(values), {
            "row_values_": values,
            **self._how(view_x.neighbors, view_y.neighbors),
        }

    def _shared_cosines(self, view_x, view_y, places_x, places_y, xp):
        """The same where neighbours share places: a share counts as so much of one."""
        own, others = places_x.shared_with(places_y)
        # of a neighbour of both rows the larger share, as in a union
        shares = places_x.shares.copy()
        shares[own] = np.maximum(shares[own], places_y.shares[others])
        only_y = np.ones(len(places_y.rows), dtype=bool)
        only_y[others] = False
        rows, columns, weights = (
            np.concatenate([of_x, of_y[only_y]])
            for of_x, of_y in (
                (places_x.rows, places_y.rows),
                (places_x.columns, places_y.columns),
                (shares, places_y.shares),
            )
        )
        of_x, of_y = (
            view.cosines_of_pairs(rows, columns, xp=xp) for view in (view_x, view_y)
        )
        sums = (
            np.bincount(rows, weights * terms, minlength=places_x.n_samples)
            for terms in (of_x * of_y, of_x**2, of_y**2)
        )
        values = _cosines(*sums, xp=np)
        values = move_to(values, xp=xp, device=device_of(view_x.neighbors.indices))
        return xp.mean(values), {
            "row_values_": values,
            **self._how(view_x.neighbors, view_y.neighbors),
        }

    def _similarity_tags(self):
        tags = super()._similarity_tags()
        return replace(
            tags,
            bounds=(-1, 1),
            score_bounds=None,
            # other distances than cosines, of which one minus the distance is none
            invariances=frozenset() if self._is_given else tags.invariances,
            invariances_y=None,
            reference="Hamilton et al. 2016",
        )


def _cosines(products, squares_x, squares_y, *, xp):
    problem = "orthogonal to all of its neighbours, so that there is no angle"
    refuse_rows(squares_x < 1e-20, "x", problem, xp=xp)
    refuse_rows(squares_y < 1e-20, "y", problem, xp=xp)
    return products / xp.sqrt(squares_x * squares_y)
