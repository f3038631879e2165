"""How alike two models' attributions weigh the features, row by row."""

from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._namespace import row_slices, to_numpy
from sksim.arrays._views import View
from sksim.base._tags import SimilarityTags
from sksim.functional._row_ranks import centred_ranks, pair_agreement, row_spearman
from sksim.functional._rowwise import DefinedRowsMixin
from sksim.functional._token_lists import places_in, top_places
from sksim.functional._undefined import replacement_constraint

# Entries of rows that are sorted together.
_N_ENTRIES = 2**18
OF_TOP = ("feature", "rank", "sign", "signed_rank")


@dataclass(frozen=True)
class TopFeatures(View):
    """Attributions, and the features of the largest magnitudes, largest first."""

    values: np.ndarray
    top: np.ndarray

    _row_fields = ("values", "top")

    @property
    def n_features(self):
        """Number of features."""
        return self.values.shape[1]

    @classmethod
    def of(cls, values, k):
        """View of attributions."""
        top = np.empty((len(values), k), np.min_scalar_type(values.shape[1] - 1))
        for b in row_slices(*values.shape, n_entries=_N_ENTRIES):
            top[b] = top_places(np.abs(values[b]), k)
        return cls(values, top)

    def rearranged(self, order):
        """The same with the features of each row in another order."""
        values = np.take_along_axis(self.values, order, axis=1)
        return TopFeatures.of(values, self.top.shape[1])


@dataclass(frozen=True)
class RankedFeatures(View):
    """Ranks of the magnitudes of each row."""

    ranks: np.ndarray

    _row_fields = ("ranks",)

    @property
    def n_features(self):
        """Number of features."""
        return self.ranks.shape[1]

    def rearranged(self, order):
        """The same with the features of each row in another order."""
        return replace(self, ranks=np.take_along_axis(self.ranks, order, axis=1))


def agreement_of_rows(kind, view_x, view_y):
    """Agreement of two views of attributions on each row; nan where undefined."""
    if kind == "rank_correlation":
        return row_spearman(view_x.ranks, view_y.ranks)
    if kind == "pairwise_rank":
        return pair_agreement(view_x.ranks, view_y.ranks)
    blocks = row_slices(*view_x.values.shape, n_entries=_N_ENTRIES)
    views = view_x, view_y
    parts = [
        _agreement_of_top(
            kind, *((view.values[b], view.top[b].astype(np.int64)) for view in views)
        )
        for b in blocks
    ]
    return np.concatenate(parts)


def _agreement_of_top(kind, first, second):
    (values_x, top_x), (values_y, top_y) = first, second
    agreed = top_x == top_y
    if kind in ("feature", "sign"):
        agreed = places_in(top_x, top_y)[1]
    if kind in ("sign", "signed_rank"):
        signs = [
            np.sign(np.take_along_axis(values, top_x, axis=1))
            for values in (values_x, values_y)
        ]
        agreed = agreed & (signs[0] == signs[1])
    return agreed.mean(axis=1)


class AttributionsMixin(DefinedRowsMixin):
    """Mixin for measures of the agreement of attributions."""

    _undefined_when = "On each row, the attributions of a model are all alike"
    _parameter_constraints: dict = {
        "kind": [StrOptions({*OF_TOP, "rank_correlation", "pairwise_rank"})],
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "null": [StrOptions({"features", "rows"})],
        "replace_undefined_by": replacement_constraint(-1, 1),
    }

    def __init__(
        self,
        kind="feature",
        *,
        k=None,
        null="features",
        replace_undefined_by=np.nan,
    ):
        self.kind = kind
        self.k = k
        self.null = null
        self.replace_undefined_by = replace_undefined_by

    def _outputs_of(self, estimators, X, response_method):
        raise ValueError(
            f"{type(self).__name__} compares attributions, which are made of models in "
            "many ways: pass those of both, such as sksim.models.input_gradients."
        )

    def _view(self, X, xp):
        n_features = X.shape[1]
        if n_features < 2:
            raise ValueError(
                "The attributions are of one feature: there is nothing to be ranked. "
                "Pass one column for each feature."
            )
        X = to_numpy(X, xp=xp)
        if self.kind not in OF_TOP:
            return RankedFeatures(centred_ranks(X, axis=1, of=np.abs))
        # a quarter of the features, if nobody says
        k = -(-n_features // 4) if self.k is None else self.k
        if k > n_features:
            raise ValueError(f"k is {k}, and there are {n_features} features.")
        return TopFeatures.of(X, k)

    def _values_of_rows(self, view_x, view_y):
        return agreement_of_rows(self.kind, view_x, view_y)


def attribution_tags(measure, **own):
    """Tags of a measure of the agreement of attributions."""
    return SimilarityTags(
        family="functional",
        orientation="similarity",
        bounds=(-1 if measure.kind == "rank_correlation" else 0, 1),
        invariances=("IS",),
        inputs="gradients",
        requires=("outputs",),
        null=measure.null,
        array_api=False,
        reference="Krishna et al. 2022",
        **own,
    )
