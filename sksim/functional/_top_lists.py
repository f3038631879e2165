"""Measures of the columns that models put first, row by row."""

from dataclasses import dataclass

import numpy as np

from sksim.arrays._namespace import to_numpy
from sksim.arrays._views import View
from sksim.base._tags import SimilarityTags
from sksim.functional._rowwise import RowwiseDistance
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS
from sksim.functional._token_lists import by_blocks_of_lists, top_places_of_all


@dataclass(frozen=True)
class TopList(View):
    """The columns that a model puts first on each row."""

    places: np.ndarray

    _row_fields = ("places",)


class TopListSimilarity(RowwiseDistance):
    """The mean over rows of a number of two lists of columns.

    A measure has the parameter ``k``, and writes ``_of_lists``.
    """

    # the number of two equal lists; None where it depends on the number of columns
    _largest: float | None = 1

    def _view(self, X, xp):
        k, n_columns = self.k, X.shape[1]
        if n_columns < 2:
            raise ValueError(
                "X and y have one column: there is nothing to be put in order. Pass "
                "the scores of all classes or candidates, one column for each."
            )
        if k is None:
            k = n_columns
        if k > n_columns:
            raise ValueError(f"k is {k}, and the outputs have {n_columns} columns.")
        return TopList(top_places_of_all(to_numpy(X, xp=xp), k))

    def _row_terms(self, view_x, view_y, xp):
        return by_blocks_of_lists(self._of_lists, view_x.places, view_y.places)

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="similarity",
            bounds=(0, 1 if self._largest is None else self._largest),
            identity=self._largest is not None,
            invariances=("IS",),
            inputs="outputs",
            requires=("outputs",),
            intervals=INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            streaming=True,
            array_api=False,
            complexity="n c",
            reference=self._reference,
        )
