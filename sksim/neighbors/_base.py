"""What measures of neighbour lists share."""

from dataclasses import dataclass, replace
from numbers import Integral

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._neighbors import (
    Neighbors,
    check_n_neighbors,
    nearest_neighbors,
)
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._comparison import Comparison
from sksim.base._tags import SimilarityTags
from sksim.base._validation import check_representation_pair

_INVARIANCES = {
    "cosine": frozenset({"PT", "OT", "IS"}),
    "euclidean": frozenset({"PT", "OT", "IS", "TR"}),
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
        "metric": [StrOptions({"cosine", "euclidean"})],
        "algorithm": [StrOptions({"exact", "approximate"})],
        "verbose": ["verbose"],
    }

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

    def _search(self, X, xp, role, ordered=True):
        return nearest_neighbors(
            X,
            self.n_neighbors,
            metric=self.metric,
            algorithm=self.algorithm,
            xp=xp,
            role=role,
            ordered=ordered,
        )

    def _how(self, neighbors_x, neighbors_y):
        """Details of the two searches that ``fit`` stores."""
        return {
            "n_tied_": (neighbors_x.n_tied, neighbors_y.n_tied),
            "algorithm_": self.algorithm,
        }

    def _similarity_tags(self):
        needs_directions = ("nonzero_rows",) if self.metric == "cosine" else ()
        return SimilarityTags(
            family="neighbors",
            orientation="similarity",
            bounds=(0, 1),
            invariances=_INVARIANCES[self.metric],
            requires=("more_rows_than_neighbors", *needs_directions),
            view_keywords=("role",),
            intervals=("jackknife",),
            array_api=self.algorithm == "exact",
            complexity="n^2 d",
            extra="neighbors" if self.algorithm == "approximate" else None,
        )
