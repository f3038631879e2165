"""What a measure says of itself."""

import math
from collections.abc import Set
from dataclasses import dataclass, field
from functools import cache
from types import FunctionType
from typing import Literal, TypeVar

from sklearn.base import BaseEstimator

from sksim._sklearn_compat import Tags

INVARIANCES = {
    "PT": "permutation of columns",
    "OT": "orthogonal map",
    "IS": "isotropic scaling",
    "ILT": "invertible linear map",
    "TR": "translation",
    "AT": "affine map",
}
ALL_INVARIANCES = frozenset(INVARIANCES)

_CHOICES = {
    "orientation": {"similarity", "distance"},
    "inputs": {
        "representation",
        "labels",
        "probabilities",
        "outputs",
        "gradients",
        "models",
    },
    "arity": {"pair", "group"},
    "null": {"rows", "exchange", "features"},
}
# What a row is known by beside its place in X and y, and which travels with it.
ROW_METADATA = (
    "y_true",
    "n_options",
    "z",
    "groups",
    "strata",
    "runs",
    "subjects",
    "weights",
    "repeats",
)
# What is known of pairs of rows, by a parameter of the measure.
PAIR_METADATA = ("pairs", "sigma_k")
_VIEW_KEYWORDS = {"role", "seed", "data", "classes", *ROW_METADATA, *PAIR_METADATA}
# What a kind of comparison may have in closed form.
EXACT = (
    "null",
    "null_mean",
    "jackknife",
    "columns",
    "masked_bootstrap",
    "bootstrap",
)

# a number, or an array of them
_Number = TypeVar("_Number")


@dataclass(frozen=True, kw_only=True)
class SimilarityTags:
    """Properties of a measure, for discovery, documentation and tests.

    Every claim made here is checked by :mod:`sksim.testing`, and so is every claim
    that is left out: an invariance that is not listed must be refuted by data.

    Parameters
    ----------
    family : str
        Name of the sub-package: "cca", "alignment", "rsm", "neighbors", ...
    orientation : {"similarity", "distance"}
        What a large ``statistic_`` means.
    bounds : tuple of float
        Smallest and largest value of ``statistic_``.
    score_bounds : tuple of float, default=None
        Smallest and largest value of ``score(X, y)`` on new rows; None: those of
        ``bounds``, oriented.
    metric : bool, default=False
        Whether ``distance_`` satisfies the triangle inequality.
    symmetric : bool, default=True
        Whether exchanging X and y leaves ``statistic_`` as it is.
    signed : bool, default=False
        Whether a distance has a sign that says which side is larger: its score is
        then minus its absolute value.
    identity : bool, default=True
        Whether a representation compared with itself gets the best value in bounds.
    invariances : frozenset of {"PT", "OT", "IS", "ILT", "TR", "AT"}
        Maps of X that leave ``statistic_`` as it is.
    invariances_y : frozenset, default=None
        The same for y; None: those of X.
    inputs : str, default="representation"
        What X and y hold: "representation", "labels", "probabilities", "outputs",
        "gradients" or "models".
    arity : {"pair", "group"}, default="pair"
        Whether two models are compared, or many at once.
    requires : tuple of str, default=()
        What the input must be beyond any finite matrix: see
        :data:`sksim.testing.REQUIREMENTS`.
    view_keywords : tuple of str, default=()
        Keywords that the view step wants: "role" ("x" or "y"), "seed" (an integer, the
        same for both sides), "data" (rows that models are applied to), "classes" (names
        of the columns), and metadata of rows: "y_true", "n_options", "z", "groups",
        "strata", "runs", "subjects", "weights", "repeats"; or of pairs of rows:
        "pairs", a square mask, and "sigma_k", a covariance, which the measure's
        ``_check_metadata`` makes of its own parameters.
    precomputed : bool, default=False
        Whether X and y (and z) are given matrices of all pairs of rows, or condensed
        vectors of them: whatever takes some of the rows takes the same columns. One of
        the words "given_kernels", "given_similarities", "given_distances",
        "given_cosine_distances", "given_dissimilarities" and "given_matrices" in
        ``requires`` says what they hold. Of the invariances only "IS" is then a map of
        X. scikit-learn's tag ``pairwise`` is not set: it cuts the columns of X alone.
    paired : bool, default=True
        Whether row i of X is compared with row i of y, so that permuting the rows of
        y means something.
    null : {"rows", "exchange", "features"}, default="rows"
        What is exchangeable under the null hypothesis: the rows of y, the two models'
        outputs on each row, or the features within each row of y.
    exchangeable_within : str, default=None
        Metadata of rows, such as "y_true", of which only rows with equal values are
        exchangeable: the ``strata`` of tests that are given none.
    intervals : tuple of str, default=("jackknife", "subsample")
        Methods that give valid intervals: "exact" and "wilson" (shares of rows, which
        must be independent), "tango" and "newcombe" (differences of two shares of the
        same rows), "gaffke" (functions of how often kinds of rows occur, of which it
        is known what they may be), or by resampling "jackknife", "subsample",
        "masked_bootstrap" and "bootstrap".
    exact : frozenset of str, default=()
        What of inference has a closed form with the present parameters: "null" (the
        moments over all orders of rows) and "null_mean" (the first of them),
        "jackknife" (all scores without one row), "columns" (all scores without one
        column of X, or of y), "masked_bootstrap" and "bootstrap"
        (the score of rows that count several times). Only what the measure's kind of
        comparison can compute may be named; all else is done row by row.
    differentiable : bool, default=False
        Whether ``score_array`` keeps the gradients of its arrays.
    streaming : bool or "batches", default=False
        Whether there are ``partial_fit`` and ``merge``, and any split of the rows
        gives the number of all rows together. "batches": there are, but each call of
        ``partial_fit`` is one batch of an average over batches.
    score_uses_fit : bool, default=False
        Whether ``score(X, y)`` applies maps learned in ``fit``, rather than measuring
        the new rows afresh.
    missing : bool, default=False
        Whether entries may be missing: nan, None, NA, or masked.
    sparse : bool, default=False
        Whether ``fit`` and ``score`` take sparse rows of scipy, without filling them
        in.
    deterministic : bool, default=True
        Whether two fits without ``random_state`` agree.
    array_api : bool, default=True
        Whether arrays of other libraries are computed on where they are.
    complexity : str, default=""
        Cost of one comparison in n (rows) and d (columns).
    extra : str, default=None
        Optional dependency group that the measure needs.
    reference : str, default=""
        Source of the definition.
    """

    family: str
    orientation: str
    bounds: tuple[float, float]
    score_bounds: tuple[float, float] | None = None
    metric: bool = False
    symmetric: bool = True
    signed: bool = False
    identity: bool = True
    invariances: Set[str] = frozenset()
    invariances_y: Set[str] | None = None
    inputs: str = "representation"
    arity: str = "pair"
    requires: tuple[str, ...] = ()
    view_keywords: tuple[str, ...] = ()
    precomputed: bool = False
    paired: bool = True
    null: str = "rows"
    exchangeable_within: str | None = None
    intervals: tuple[str, ...] = ("jackknife", "subsample")
    exact: Set[str] = frozenset()
    differentiable: bool = False
    streaming: bool | Literal["batches"] = False
    score_uses_fit: bool = False
    missing: bool = False
    sparse: bool = False
    deterministic: bool = True
    array_api: bool = True
    complexity: str = ""
    extra: str | None = None
    reference: str = ""

    def __post_init__(self):
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"The tag {name!r} must be one of {sorted(choices)}, got "
                    f"{getattr(self, name)!r}."
                )
        object.__setattr__(self, "invariances", frozenset(self.invariances))
        if self.invariances_y is None:
            object.__setattr__(self, "invariances_y", self.invariances)
        object.__setattr__(self, "invariances_y", frozenset(self.invariances_y))
        for codes in (self.invariances, self.invariances_y):
            if not codes <= ALL_INVARIANCES:
                raise ValueError(
                    f"The tag 'invariances' knows {sorted(ALL_INVARIANCES)}, got "
                    f"{sorted(codes)}."
                )
        if not set(self.view_keywords) <= _VIEW_KEYWORDS:
            raise ValueError(
                f"The tag 'view_keywords' knows {sorted(_VIEW_KEYWORDS)}, got "
                f"{self.view_keywords}."
            )
        object.__setattr__(self, "exact", frozenset(self.exact))
        if not self.exact <= set(EXACT):
            raise ValueError(
                f"The tag 'exact' knows {sorted(EXACT)}, got {sorted(self.exact)}."
            )
        if self.score_bounds is None:
            low, high = self.bounds
            oriented = (low, high) if self.is_similarity else (-high, -low)
            if self.signed:
                oriented = (-max(abs(low), abs(high)), 0)
            object.__setattr__(self, "score_bounds", oriented)

    @property
    def is_similarity(self) -> bool:
        """Whether a large statistic means similar."""
        return self.orientation == "similarity"

    @property
    def best(self) -> float:
        """The statistic of two equal representations; inf if there is no limit."""
        if self.signed:
            return 0
        return self.bounds[1] if self.is_similarity else self.bounds[0]

    def orient(self, statistic: _Number) -> _Number:
        """Statistic as a score: greater means more similar."""
        if self.signed:
            return -abs(statistic)
        return statistic if self.is_similarity else -statistic

    def round_into_bounds(self, statistic: float) -> float:
        """Undo a rounding error past a bound; a wrong number stays wrong."""
        return _rounded_into(statistic, self.bounds)

    def round_score(self, score: float) -> float:
        """The same for a score, which on new rows has bounds of its own."""
        return _rounded_into(score, self.score_bounds)


def _rounded_into(value, bounds, *, tolerance=1e-12):
    low, high = bounds
    for bound in (low, high):
        if math.isfinite(bound) and abs(value - bound) <= tolerance:
            return float(bound) if value < low or value > high else value
    return value


@dataclass(slots=True)
class MeasureTags(Tags):
    """scikit-learn's estimator tags, with the measure's own beside them."""

    similarity_tags: SimilarityTags | None = field(default=None)


# ----- tags are made once for each setting ------------------------------------------

_MOST_SETTINGS = 1024
_known = {}


class _UnknownSetting(Exception):
    """A parameter whose value can't be told from another's."""


def tags_of(measure):
    """SimilarityTags of a measure with its present parameters.

    They follow from the class and its parameters, and are kept for as long as these
    are numbers, words, functions or estimators of such.

    Parameters
    ----------
    measure : BaseSimilarity

    Returns
    -------
    tags : SimilarityTags
    """
    try:
        setting = _setting_of(measure)
    except _UnknownSetting:
        return measure._similarity_tags()
    tags = _known.get(setting)
    if tags is None:
        tags = measure._similarity_tags()
        if len(_known) >= _MOST_SETTINGS:
            _known.clear()
        _known[setting] = tags
    return tags


def _setting_of(value):
    kind = type(value)
    if kind in (str, int, float, bool, type(None)):
        return kind, value
    if kind is FunctionType:
        return value
    if not isinstance(value, BaseEstimator):
        raise _UnknownSetting
    names = _parameter_names(kind)
    writer = getattr(kind, "_similarity_tags", None)
    return kind, writer, *[_setting_of(getattr(value, name, None)) for name in names]


@cache
def _parameter_names(kind):
    return tuple(kind._get_param_names())
