"""Whether a step to a neighbour in one view and one in the other lead back."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from scipy.stats import hypergeom

from sksim._sklearn_compat import StrOptions
from sksim.arrays._namespace import device_of, move_to
from sksim.arrays._shared_places import SharedPlaces, places_of_lists
from sksim.arrays._views import View
from sksim.base._comparison import Comparison
from sksim.neighbors._base import BaseNeighborSimilarity


@dataclass(frozen=True)
class Places(View):
    """Neighbours entry by entry, on numpy, and how many rows have ties."""

    places: SharedPlaces
    n_tied: int
    device: object

    _row_fields = ("places",)


@dataclass(frozen=True, kw_only=True)
class PlacesComparison(Comparison):
    """Two views of neighbours entry by entry."""

    carries: ClassVar = frozenset({"null_mean"})

    def for_permutations(self):
        """The same with what finds X's entries."""
        places = self.view_x.places.with_index()
        return replace(self, view_x=replace(self.view_x, places=places), rows=None)

    def _null_mean(self):
        return self.measure._null_mean_of(self.view_x, self.view_y)


class BasePlacesSimilarity(BaseNeighborSimilarity):
    """A measure of neighbours entry by entry, with a choice of what ties do."""

    _kind = PlacesComparison
    _parameter_constraints: dict = {
        **BaseNeighborSimilarity._parameter_constraints,
        "ties": [StrOptions({"share", "index"})],
    }

    def __init__(
        self,
        n_neighbors=10,
        *,
        metric="cosine",
        ties="share",
        algorithm="exact",
        verbose=0,
    ):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.ties = ties
        self.algorithm = algorithm
        self.verbose = verbose

    def _places(self, neighbors, xp):
        """Neighbours entry by entry; tied ones share places, or go by their index."""
        if self.ties == "share":
            return neighbors.places(xp=xp)
        return places_of_lists(neighbors, xp=xp)

    def _view(self, X, xp, role):
        neighbors = self._search(X, xp, role)
        device = device_of(neighbors.indices)
        return Places(self._places(neighbors, xp), neighbors.n_tied, device)


class CycleKNN(BasePlacesSimilarity):
    r"""Share of the rows that two steps to neighbours lead back to.

    From row i to one of its neighbours in y, and on to one of that row's neighbours in
    X: with :math:`N_k(i), N_k'(i)` the k nearest neighbours in X and in y,

    .. math:: m(R, R') = \frac1N \bigl|\{ i : i \in N_k(j) \text{ for some }
        j \in N_k'(i) \}\bigr| .

    A similarity in [0, 1], and not symmetric: exchanging X and y exchanges the order of
    the steps. Invariant to orthogonal maps and isotropic scaling, with the Euclidean
    metric also to translation. Not 1 for a representation and itself, where some row is
    nobody's neighbour, as outliers are.

    Parameters
    ----------
    n_neighbors : int, default=3
        Number of neighbours, below the number of rows, and few: see the notes.
    metric : {"cosine", "euclidean", "precomputed"}, default="cosine"
        What is near. "precomputed": X and y are matrices of distances, of shape
        (n_samples, n_samples) or condensed (see :ref:`given_matrices`).
    ties : {"share", "index"}, default="share"
        "share": a row counts by the largest share of a place that both steps of a
        cycle have (see :ref:`tied_neighbors`). "index": tied neighbours go by the
        numbers of the rows, as in codes in use; then equal rows in both views look
        similar, and p-values are too small.
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the neighbours that pynndescent finds, for very many rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Share of rows.
    row_values_ : array of shape (n_samples,)
        1 for a row that is led back to, else 0, or a share in between under ties.
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
    MutualKNN : Neighbours that are shared row by row, a stricter question.

    Notes
    -----
    It saturates: chance is near 1 - exp(-k^2 / N), so that it tells representations
    apart only where k^2 is well below the number of rows. Use :class:`MutualKNN`
    elsewhere, whose chance is k / (N - 1). What chance gives is exact without ties: row
    i is the neighbour of m rows in X, and is missed by all k in y with the probability
    :math:`\binom{N-1-m}{k} / \binom{N-1}{k}`.

    References
    ----------
    M. Huh, B. Cheung, T. Wang, P. Isola. The Platonic representation hypothesis. ICML,
    2024, arXiv:2405.07987.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import CycleKNN
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 5))
    >>> round(CycleKNN().fit(X, X + 0.1 * rng.normal(size=X.shape)).score_, 2)
    0.94
    >>> round(CycleKNN().fit(X, rng.normal(size=(200, 5))).score_, 2)
    0.02
    """

    def __init__(
        self,
        n_neighbors=3,
        *,
        metric="cosine",
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

    def _compare(self, view_x, view_y, xp):
        places_x, places_y = view_x.places, view_y.places
        # a step from i to j in y, and what leads from j to i in X
        back = replace(places_y, rows=places_y.columns, columns=places_y.rows)
        own, theirs = places_x.shared_with(back)
        shares = np.minimum(places_x.shares[own], places_y.shares[theirs])
        values = np.zeros(places_x.n_samples)
        np.maximum.at(values, places_y.rows[theirs], shares)
        device = view_x.device
        return float(values.mean()), {
            "row_values_": move_to(values, xp=xp, device=device),
            **self._how(view_x, view_y),
        }

    def _null_mean_of(self, view_x, view_y):
        places = view_x.places
        n, k = places.n_samples, places.n_neighbors
        if any((view.places.shares != 1).any() for view in (view_x, view_y)):
            return None
        n_pointing = np.bincount(places.columns, minlength=n)
        return float(1 - hypergeom.pmf(0, n - 1, n_pointing, k).mean())

    def _similarity_tags(self):
        return replace(
            super()._similarity_tags(),
            symmetric=False,
            identity=False,
            exact={"null_mean"},
            reference="Huh et al. 2024",
        )
