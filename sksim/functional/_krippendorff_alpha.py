"""Agreement of raters above chance, of whom each may have left out some units."""

from dataclasses import dataclass

import numpy as np

from sksim._sklearn_compat import StrOptions, get_feature_names
from sksim.arrays._namespace import row_slices
from sksim.arrays._views import View
from sksim.base import BaseGroupSimilarity
from sksim.base._readable import is_text as is_a_text
from sksim.base._readable import missing_entries
from sksim.base._validation import (
    are_arrays,
    as_label_array,
    check_label_vector,
    check_same_length,
    refuse_mixed_kinds,
    refuse_no_group,
    refuse_one_model,
    refuse_other_shapes,
)
from sksim.functional._labels import CodedLabels, coded, refuse_text_without_order
from sksim.functional._labels import common_codes as in_one_coding
from sksim.functional._tags import label_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


@dataclass(frozen=True)
class Ratings(View):
    """One rater's ratings: numbers, or codes of ``classes``; 0 where there is none."""

    values: np.ndarray
    is_known: np.ndarray
    classes: np.ndarray | None

    _row_fields = ("values", "is_known")

    def joined(self, other):
        """View of the rows of both, in one coding of the classes of both."""
        if self.classes is None:
            return super().joined(other)
        both = [CodedLabels(view.values, view.classes) for view in (self, other)]
        joined = both[0].joined(both[1])
        is_known = np.concatenate([self.is_known, other.is_known])
        return Ratings(joined.codes, is_known, joined.classes)


class KrippendorffAlpha(UndefinedMixin, BaseGroupSimilarity):
    r"""Agreement of raters above chance, with missing ratings: Krippendorff's alpha.

    With the :math:`m_u` ratings of unit u, all n ratings of units that have two or more
    and a squared difference :math:`\delta^2` of two ratings,

    .. math:: m(G) = 1 - \frac{D_o}{D_e}, \quad
        D_o = \frac1n \sum_u \frac{1}{m_u - 1} \sum_{i, j} \delta^2(r_{ui}, r_{uj}),
        \quad D_e = \frac{1}{n (n - 1)} \sum_{a, b} \delta^2(r_a, r_b) .

    A similarity in (-1, 1]: 1 where all agree, about 0 for ratings that have nothing to
    do with the unit. It takes any number of raters, and any of their ratings may be
    missing: nan, None, NA, or masked.

    Parameters
    ----------
    level : {"nominal", "ordinal", "interval", "ratio"}, default="nominal"
        What a difference of ratings means. "nominal": 0 or 1. "ordinal": the number of
        ratings that lie between the two grades, each counted half at its ends.
        "interval": the difference of numbers. "ratio": their difference divided by
        their sum; they must not be negative.
    labels : array-like of shape (n_grades,), default=None
        For "ordinal": the grades in their order, lowest first. None takes the
        categories of ordered categoricals, or the order of numbers; text has none.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where all ratings are equal, or no unit has two, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Alpha.
    score_ : float
        Alpha.
    n_pairable_ : int
        Number of ratings of units that have two or more.
    n_models_ : int
        Number of raters.
    n_features_in_ : int
        The same, where X held all raters.
    feature_names_in_ : ndarray of shape (n_models,)
        Only where X is a DataFrame: names of the raters.
    n_samples_fit_ : int
        Number of units.

    Raises
    ------
    ValueError
        If X holds fewer than two raters, ratings of different kinds (text and numbers),
        text where numbers or an order are needed, or negative numbers for "ratio".

    See Also
    --------
    FleissKappa : For complete ratings without an order.
    CohenKappa : For two raters, each with frequencies of its own.

    Notes
    -----
    X has one row for each unit, and one column for each rater. A permutation test puts
    each rater's ratings in an order of their own, the missing among them.

    References
    ----------
    K. Krippendorff. Computing Krippendorff's alpha-reliability. University of
    Pennsylvania, 2011.

    A. Hayes, K. Krippendorff. Answering the call for a standard reliability measure for
    coding data. Communication Methods and Measures, 2007.

    Examples
    --------
    >>> from sksim.functional import KrippendorffAlpha
    >>> ratings = [[1, 1, None], [2, 2, 3], [3, 3, 3], [None, 4, 4], [1, 2, None]]
    >>> measure = KrippendorffAlpha(level="ordinal").fit(ratings)
    >>> round(measure.similarity_, 4), measure.n_pairable_
    (0.8541, 12)
    """

    _parameter_constraints: dict = {
        "level": [StrOptions({"nominal", "ordinal", "interval", "ratio"})],
        "labels": ["array-like", None],
        "replace_undefined_by": replacement_constraint(-1, 1),
    }
    _undefined_when = "All ratings are equal, or no unit has two"
    _takes_fractions = True

    def __init__(self, level="nominal", *, labels=None, replace_undefined_by=np.nan):
        self.level = level
        self.labels = labels
        self.replace_undefined_by = replace_undefined_by

    def _outputs_of(self, estimators, data, response_method):
        outputs = super()._outputs_of(estimators, data, response_method)
        if self.level == "nominal" and any(map(_has_fractions, outputs.arrays)):
            raise ValueError(
                "the models predict fractions, which as names agree by accident only: "
                "use KrippendorffAlpha(level='interval')."
            )
        return outputs

    def _validate_group(self, X, y=None, *, reset):
        names = None
        if y is None and are_arrays(X):
            refuse_one_model(self, X)
            columns = {f"X[{i}]": column for i, column in enumerate(X)}
        elif y is None:
            X = as_label_array(X, "X")
            refuse_no_group(self, X)
            names = get_feature_names(X)
            missing, values = missing_entries(X), _plain(X)
            columns = {
                f"X[:, {i}]": np.ma.MaskedArray(values[:, i], missing[:, i])
                for i in range(values.shape[1])
            }
        else:
            refuse_no_group(self, X, y)
            columns = {"X": X, "y": y}
        vectors = [_rating_vector(v, name, self) for name, v in columns.items()]
        if y is None:
            refuse_other_shapes(vectors)
        else:
            check_same_length(*vectors)
        known = {n: _known(v) for n, v in zip(columns, vectors, strict=True)}
        known = {name: ratings for name, ratings in known.items() if len(ratings)}
        if known:
            refuse_mixed_kinds(list(known.values()), list(known))
        if y is None:
            self._keep_names(len(vectors), names, reset=reset)
        return vectors, np

    def _keep_names(self, n_models, names, *, reset):
        if not reset and n_models != getattr(self, "n_features_in_", n_models):
            raise ValueError(
                f"X has {n_models} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input: one for each rater."
            )
        if reset:
            self.n_features_in_ = n_models
            vars(self).pop("feature_names_in_", None)
            if names is not None:
                self.feature_names_in_ = names

    def _view(self, X, xp, classes=None):
        is_known = np.asarray(~_is_missing(X))
        ratings = _known(X)
        values = np.zeros(len(X))
        if self.level in ("interval", "ratio"):
            values[is_known] = self._numbers(ratings)
            return Ratings(values, is_known, None)
        order = None
        if self.level == "ordinal":
            order = classes if self.labels is None else self.labels
            if order is None:
                refuse_text_without_order(ratings, "Ordinal ratings")
        view = coded(ratings, xp=np, order=order)
        values = values.astype(np.int64)
        values[is_known] = view.codes
        return Ratings(values, is_known, view.classes)

    def _numbers(self, ratings):
        if ratings.dtype.kind not in "biuf":
            raise ValueError(
                f"level={self.level!r} needs ratings that are numbers, and these are "
                "text. Use level='nominal', or 'ordinal' with labels=[...]."
            )
        if self.level == "ratio" and (ratings < 0).any():
            raise ValueError(
                "level='ratio' needs ratings that are not negative: their zero must "
                "mean none. Use level='interval'."
            )
        return ratings

    def _counted(self, comparison):
        # who gave which rating to a unit does not matter
        vectors, known = super()._counted(comparison)
        return _sorted_within_units(vectors), known

    def _of_counted(self, outputs, metadata):
        # of numbers missing ones are nan, of text None
        vectors = [each.astype(_kind_of_ratings(outputs)) for each in outputs]
        return super()._of_counted(vectors, metadata)

    def _aggregate(self, views, xp, times=None):
        is_known = np.stack([view.is_known for view in views], axis=1)
        pairable = is_known.sum(axis=1) >= 2
        is_known = is_known[pairable]
        times = np.ones(len(pairable), dtype=int) if times is None else times
        times = times[pairable]
        if views[0].classes is None:
            values = np.stack([view.values for view in views], axis=1)
        else:
            codes, _ = in_one_coding(
                [CodedLabels(view.values, view.classes) for view in views], xp=np
            )
            values = np.stack(codes, axis=1)
        observed, expected = _disagreements(
            values[pairable], is_known, times, self.level
        )
        alpha = 1 - observed / expected if expected > 0 else float("nan")
        return alpha, {"n_pairable_": int(times @ is_known.sum(axis=1))}

    def _similarity_tags(self):
        return label_tags(
            arity="group",
            orientation="similarity",
            bounds=(-1, 1),
            view_keywords=("classes",),
            missing=True,
            array_api=False,
            complexity="n l^2" if self.level == "ratio" else "n l log l",
            reference="Krippendorff 2011",
        )


# ----- reading ------------------------------------------------------------------------


def _plain(table):
    """Values of an array or table of any library, whatever is missing in them."""
    if isinstance(table, np.ma.MaskedArray):
        return np.ma.getdata(table)
    if hasattr(table, "detach"):
        return table.detach().cpu().numpy()
    return np.asarray(table)


def _rating_vector(values, name, measure):
    """One rater's ratings, as floats with nan or as objects with None."""
    values = as_label_array(values, name)
    missing, values = missing_entries(values), _plain(values)
    if values.ndim == 2 and values.shape[1] == 1:
        missing, values = missing[:, 0], values[:, 0]
    if values.ndim != 1 or values.size == 0:
        check_label_vector(values, name, measure)  # says what is wrong
    known = values[~missing]
    if known.size == 0:
        return np.full(values.shape, np.nan)
    if known.dtype.kind == "O":
        known = as_label_array(known.tolist(), name)
    known = check_label_vector(known, name, measure, allow_fractions=True)
    if known.dtype.kind in "biuf":
        vector = np.full(values.shape, np.nan)
    else:
        vector = np.full(values.shape, None, dtype=object)
    vector[~missing] = known
    return vector


def _is_missing(vector):
    if vector.dtype.kind == "f":
        return np.isnan(vector)
    return np.equal(vector, None).astype(bool)


def _known(vector):
    return vector[~_is_missing(vector)]


def _sorted_within_units(vectors):
    """Vectors with the ratings of each unit in one order."""
    ratings = np.stack(vectors, axis=1)
    if ratings.dtype.kind == "f":
        return list(np.sort(ratings, axis=1).T)  # nan comes last
    is_missing = np.stack([_is_missing(vector) for vector in vectors], axis=1)
    classes, codes = np.unique(ratings[~is_missing], return_inverse=True)
    places = np.full(ratings.shape, len(classes))
    places[~is_missing] = codes
    return list(np.append(classes, None)[np.sort(places, axis=1)].T)


def _kind_of_ratings(vectors):
    """Type in which vectors of one kind, with None for missing ratings, can be."""
    known = (vector[~np.equal(vector, None).astype(bool)] for vector in vectors)
    is_text = any(len(each) and is_a_text(each[0]) for each in known)
    return object if is_text else float


# ----- disagreement -------------------------------------------------------------------


def _disagreements(values, is_known, times, level):
    """Mean squared difference within units, and of all pairs of ratings.

    Each unit counts a number of ``times``.
    """
    per_unit = is_known.sum(axis=1)
    n_ratings = int(times @ per_unit)
    if n_ratings == 0:
        return 0.0, 0.0
    known, often = values[is_known], np.repeat(times, per_unit)
    if level == "nominal":
        equal = _equal_pairs(np.where(is_known, values, -1))
        within = (per_unit**2 - equal) / (per_unit - 1)
        counts = np.bincount(known, often)
        among = n_ratings**2 - float(counts @ counts)
    elif level == "ratio":
        scale = float(known.max()) or 1.0  # sums of two must not overflow
        within = _ratio_within(values / scale, is_known) / (per_unit - 1)
        among = _ratio_among(known / scale, often)
    else:
        if level == "ordinal":
            counts = np.bincount(known, often)
            places = np.cumsum(counts) - counts / 2
            values = places[values]
            known = values[is_known]
        scale = float(np.abs(known).max()) or 1.0
        values = np.where(is_known, values / scale, 0.0)
        values = np.where(is_known, values - _mean(values[is_known], often), 0.0)
        means = values.sum(axis=1) / per_unit
        spread = np.where(is_known, values - means[:, None], 0.0)
        within = 2 * per_unit * (spread**2).sum(axis=1) / (per_unit - 1)
        known = values[is_known]
        among = 2 * n_ratings * float(often @ (known - _mean(known, often)) ** 2)
    return float(times @ within) / n_ratings, among / (n_ratings * (n_ratings - 1))


def _mean(values, often):
    return float(often @ values) / int(often.sum())


def _equal_pairs(codes):
    """Number of ordered pairs of equal ratings in each unit, itself included."""
    codes = np.sort(codes, axis=1)  # what is missing comes first, as -1
    places = np.broadcast_to(np.arange(codes.shape[1]), codes.shape)
    begins = np.ones(codes.shape, dtype=bool)
    begins[:, 1:] = codes[:, 1:] != codes[:, :-1]
    starts = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    # a run of k equal codes adds 1 + 3 + ... + (2 k - 1) = k^2
    return np.where(codes >= 0, 2 * (places - starts) + 1, 0).sum(axis=1)


def _ratio_squared(a, b):
    total = a + b
    return ((a - b) / np.where(total > 0, total, 1)) ** 2


def _ratio_within(values, is_known):
    """Sum of squared differences over ordered pairs of ratings of each unit."""
    total = np.zeros(len(values))
    for i in range(values.shape[1]):
        for j in range(i):
            both = is_known[:, i] & is_known[:, j]
            total += 2 * np.where(both, _ratio_squared(values[:, i], values[:, j]), 0)
    return total


def _ratio_among(ratings, often):
    distinct, places = np.unique(ratings, return_inverse=True)
    counts = np.bincount(places, often)
    total = 0.0
    for rows in row_slices(len(distinct), len(distinct), n_entries=2**18):
        squares = _ratio_squared(distinct[rows, None], distinct[None, :])
        total += float(counts[rows] @ squares @ counts)
    return total


def _has_fractions(predictions):
    values = np.asarray(predictions)
    return values.dtype.kind == "f" and bool(np.any(values % 1))
