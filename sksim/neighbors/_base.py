"""What measures of neighbour lists share."""

from numbers import Integral

from sksim.base import BaseSimilarity
from sksim.utils._neighbors import (
    check_n_neighbors,
    nearest_neighbors,
)
from sksim.utils._sklearn_compat import Interval, StrOptions
from sksim.utils._tags import SimilarityTags
from sksim.utils._validation import check_representation_pair

_INVARIANCES = {
    "cosine": frozenset({"PT", "OT", "IS"}),
    "euclidean": frozenset({"PT", "OT", "IS", "TR"}),
}


class BaseNeighborSimilarity(BaseSimilarity):
    """A measure that looks at each row's nearest neighbours in both views."""

    _parameter_constraints: dict = {
        "n_neighbors": [Interval(Integral, 1, None, closed="left")],
        "metric": [StrOptions({"cosine", "euclidean"})],
        "algorithm": [StrOptions({"exact", "approximate"})],
        "verbose": ["verbose"],
    }

    def __init__(self, n_neighbors=10, metric="cosine", algorithm="exact", verbose=0):
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
