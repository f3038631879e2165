"""What descriptive statistics share."""

from dataclasses import dataclass

from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._tags import SimilarityTags


@dataclass(frozen=True)
class Description(View):
    """Statistic of one representation and, where there are such, its rows' values."""

    value: float
    row_values: object = None

    _row_fields = ("row_values",)


class BaseStatistic(BaseSimilarity):
    """Difference of a number that describes one representation at a time.

    A measure writes ``_view``, which returns a :class:`Description`.
    """

    def _compare(self, view_x, view_y, xp):
        details = {"statistics_": (view_x.value, view_y.value)}
        if view_x.row_values is not None:
            details["row_values_"] = (view_x.row_values, view_y.row_values)
        return abs(view_x.value - view_y.value), details

    def _statistic_tags(self, **tags):
        """Tags of a statistic: the views are compared as wholes, not row by row."""
        return SimilarityTags(
            family="statistics",
            orientation="distance",
            bounds=tags.pop("bounds", (0, float("inf"))),
            metric=True,
            paired=False,
            **tags,
        )
