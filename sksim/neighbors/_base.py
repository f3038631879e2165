"""What measures of neighbour lists share."""

from dataclasses import dataclass, replace
from numbers import Integral

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._neighbors import (
    Neighbors,
    check_n_neighbors,
    nearest_neighbors,
    nearest_of_given,
)
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._comparison import Comparison
from sksim.base._tags import SimilarityTags
from sksim.base._validation import check_representation_pair

_INVARIANCES = {
    "cosine": frozenset({"PT", "OT", "IS"}),
    "euclidean": frozenset({"PT", "OT", "IS", "TR"}),
    "precomputed": frozenset({"IS"}),
}


@dataclass(frozen=True, kw_only=True)
class NeighborComparison(Comparison):
    """Two views of neighbour lists, which have a method ``with_table``."""

    def for_permutations(self):
        """The same with a table of X's ranks, in which y's entries are looked up."""
        return replace(self, view_x=self.view_x.with_table(xp=self.xp), rows=None)


@dataclass(frozen=True)
class NeighborView(View):
    """Neighbour lists, and more of each row."""

    neighbors: Neighbors

    def with_table(self, *, xp):
        """The same with a table of ranks, where one is affordable."""
        return replace(self, neighbors=self.neighbors.with_table(xp=xp))


class BaseNeighborSimilarity(BaseSimilarity):
    """A measure that looks at each row's nearest neighbours in both views."""

    _kind = NeighborComparison

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"cosine", "euclidean", "precomputed"})],
        "algorithm": [StrOptions({"exact", "approximate"})],
        "verbose": ["verbose"],
    }

    # what the matrices hold that are given with metric="precomputed"
    _given = "given_distances"

    def __init__(
        self, n_neighbors=10, *, metric="cosine", algorithm="exact", verbose=0
    ):
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.algorithm = algorithm
        self.verbose = verbose

    def _validate_pair(self, X, y, *, reset):
        X, y, xp = check_representation_pair(self, X, y, reset=reset, min_samples=2)
        check_n_neighbors(self.n_neighbors, X, y)
        return X, y, xp

    def _min_samples(self):
        return self.n_neighbors + 1

    @property
    def _is_given(self):
        return self.metric == "precomputed"

    def _search(self, X, xp, role, ordered=True):
        if self._is_given:
            return self._search_given(X, xp, role, ordered)
        return nearest_neighbors(
            X,
            self.n_neighbors,
            metric=self.metric,
            algorithm=self.algorithm,
            xp=xp,
            role=role,
            ordered=ordered,
        )

    def _search_given(self, distances, xp, role, ordered):
        """Neighbours by given distances."""
        if self.algorithm != "exact":
            raise ValueError(
                f"algorithm={self.algorithm!r} finds neighbours among rows of "
                "features. Use algorithm='exact' with metric='precomputed'."
            )
        is_cosine = self._given == "given_cosine_distances"
        return nearest_of_given(
            distances,
            self.n_neighbors,
            xp=xp,
            role=role,
            is_cosine=is_cosine,
            ordered=ordered,
        )

    @staticmethod
    def _shares(neighbors_x, neighbors_y, xp):
        """Both lists with their shares of places, or None where none are tied."""
        if neighbors_x.shared is None and neighbors_y.shared is None:
            return None
        return neighbors_x.places(xp=xp), neighbors_y.places(xp=xp)

    def _how(self, neighbors_x, neighbors_y):
        """Details of the two searches that ``fit`` stores."""
        return {
            "n_tied_": (neighbors_x.n_tied, neighbors_y.n_tied),
            "algorithm_": self.algorithm,
        }

    def _similarity_tags(self):
        of_metric = {"cosine": ("nonzero_rows",), "precomputed": (self._given,)}
        return SimilarityTags(
            family="neighbors",
            orientation="similarity",
            bounds=(0, 1),
            invariances=_INVARIANCES[self.metric],
            requires=("more_rows_than_neighbors", *of_metric.get(self.metric, ())),
            view_keywords=("role",),
            precomputed=self._is_given,
            intervals=("jackknife",),
            array_api=self.algorithm == "exact",
            complexity="n^2" if self._is_given else "n^2 d",
            extra="neighbors" if self.algorithm == "approximate" else None,
        )
