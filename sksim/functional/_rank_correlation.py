"""Rank correlation of two models' outputs."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.stats

from sksim._sklearn_compat import StrOptions
from sksim.arrays._namespace import (
    as_float64,
    average_ranks,
    column_inner,
    is_numpy,
    row_slices,
    to_numpy,
)
from sksim.arrays._views import View
from sksim.base import BaseFunctionalSimilarity, Comparison
from sksim.base._tags import SimilarityTags
from sksim.functional._row_ranks import centred_ranks, row_kendall, row_spearman
from sksim.functional._rowwise import DefinedRowsMixin
from sksim.functional._tags import INTERVALS, INTERVALS_OF_KINDS, OF_ROW_SUMS
from sksim.functional._undefined import replacement_constraint

# Ranks of columns that are worked on together.
_N_ENTRIES = 2**18


@dataclass(frozen=True)
class RankedColumns(View):
    """Centred ranks of each column's outputs, and the sums of their squares."""

    ranks: object
    sums_of_squares: np.ndarray

    _row_fields = ("ranks",)


@dataclass(frozen=True)
class RankedRows(View):
    """Centred ranks within each row."""

    ranks: np.ndarray

    _row_fields = ("ranks",)


class RankCorrelation(DefinedRowsMixin, BaseFunctionalSimilarity):
    r"""Whether two models rank the rows alike, class by class.

    .. math:: m(f, f') = \frac{1}{C} \sum_c \rho\big(O_{\cdot c}, O_{\cdot c}'\big)

    with Spearman's or Kendall's rank correlation of the scores of one class over
    rows. A similarity in [-1, 1]: 1 if the order is the same for every class. Blind to
    all increasing maps of the scores, so that models need not be calibrated, or even
    give probabilities: decision scores and regression outputs (one column) do as well.

    With ``per="row"`` each row is a ranking of the classes, tokens or items that are
    its columns, and the correlation is the mean over rows.

    Parameters
    ----------
    kind : {"spearman", "kendall"}, default="spearman"
        Which correlation. Ties get mean ranks, or Kendall's tau-b.
    per : {"column", "row"}, default="column"
        Whether rows are ranked by each column, or columns within each row.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where a model's outputs are constant in every column (row). If they are in
        some only, these are left out. Both raise an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Mean correlation.
    score_ : float
        Mean correlation.
    column_values_ : ndarray of shape (n_columns,)
        Only per column: correlation of each; nan where it is undefined.
    row_values_ : ndarray of shape (n_samples,)
        Only per row: correlation of each; nan where it is undefined.
    n_features_in_, n_features_y_in_ : int
        Number of columns.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If X and y differ in the number of columns.

    See Also
    --------
    SoftPredictionDifference : Compares the outputs' values.
    RankBiasedOverlap : Compares rankings by their first places.

    References
    ----------
    C. Spearman. The proof and measurement of association between two things. American
    Journal of Psychology, 1904.

    M. Kendall. A new measure of rank correlation. Biometrika, 1938.

    Examples
    --------
    >>> from sksim.functional import RankCorrelation
    >>> first, second = [[0.1, 0.9], [0.6, 0.4], [0.8, 0.2]], [[3, 5], [4, 1], [9, 2]]
    >>> measure = RankCorrelation().fit(first, second)
    >>> measure.similarity_, measure.column_values_.tolist()
    (0.75, [1.0, 0.5])

    Two models' rankings of three candidates for each of two queries:

    >>> measure = RankCorrelation("kendall", per="row")
    >>> measure.fit([[3, 2, 1], [3, 2, 1]], [[9, 7, 4], [7, 9, 4]]).row_values_.round(4)
    array([1.    , 0.3333])
    """

    _parameter_constraints: dict = {
        "kind": [StrOptions({"spearman", "kendall"})],
        "per": [StrOptions({"column", "row"})],
        "replace_undefined_by": replacement_constraint(-1, 1),
    }

    def __init__(self, kind="spearman", *, per="column", replace_undefined_by=np.nan):
        self.kind = kind
        self.per = per
        self.replace_undefined_by = replace_undefined_by

    @property
    def _kind(self):
        return DefinedRowsMixin._kind if self.per == "row" else Comparison

    @property
    def _views_are_row_wise(self):
        return self.per == "row"  # fewer rows have other ranks in a column

    @property
    def _undefined_when(self):
        return f"In each {self.per}, the outputs of a model are constant"

    def _min_samples(self):
        return 1 if self.per == "row" else 2

    def _view(self, X, xp):
        if self.per == "row":
            return RankedRows(centred_ranks(to_numpy(X, xp=xp), axis=1))
        if is_numpy(xp) or self.kind == "kendall":
            ranks = centred_ranks(to_numpy(X, xp=xp), axis=0)
            squares = _column_products(ranks, ranks)
        else:
            ranks = 2 * average_ranks(as_float64(X, xp=xp), xp=xp) - (X.shape[0] + 1)
            squares = to_numpy(column_inner(ranks, ranks, xp=xp), xp=xp)
        return RankedColumns(ranks, squares)

    def _check_views(self, view_x, view_y):
        if self.per == "row":
            undefined = ~(view_x.ranks.any(axis=1) & view_y.ranks.any(axis=1))
        else:
            undefined = ~_both_vary(view_x, view_y)
        if undefined.any() and not undefined.all():
            places = np.flatnonzero(undefined).tolist()
            shown = f"{places[:10]}".replace("]", ", ...]" if places[10:] else "]")
            self._warn_undefined(
                f"The outputs of a model are constant in the {self.per}s {shown}. "
                f"RankCorrelation is undefined there, and the mean of the other "
                f"{self.per}s."
            )

    # per row

    def _values_of_rows(self, view_x, view_y):
        of_kind = row_spearman if self.kind == "spearman" else row_kendall
        return of_kind(view_x.ranks, view_y.ranks)

    # per column

    def _compare(self, view_x, view_y, xp):
        defined = _both_vary(view_x, view_y)
        values = np.full(len(defined), math.nan)
        if self.kind == "spearman":
            if isinstance(view_x.ranks, np.ndarray):
                products = _column_products(view_x.ranks, view_y.ranks)
            else:
                products = column_inner(view_x.ranks, view_y.ranks, xp=xp)
                products = to_numpy(products, xp=xp)
            scale = np.sqrt(view_x.sums_of_squares * view_y.sums_of_squares)
            values[defined] = products[defined] / scale[defined]
        else:
            for c in np.flatnonzero(defined):
                pair = view_x.ranks[:, c], view_y.ranks[:, c]
                values[c] = scipy.stats.kendalltau(*pair).statistic
        mean = float(values[defined].mean()) if defined.any() else math.nan
        return mean, {"column_values_": values}

    def _similarity_tags(self):
        is_per_row = self.per == "row"
        return SimilarityTags(
            family="functional",
            orientation="similarity",
            bounds=(-1, 1),
            invariances=("IS",) if is_per_row else ("IS", "TR"),
            inputs="outputs",
            requires=("outputs",),
            intervals=INTERVALS_OF_KINDS if is_per_row else INTERVALS,
            exact=OF_ROW_SUMS if is_per_row else (),
            streaming=is_per_row,
            array_api=self.kind == "spearman" and not is_per_row,
            complexity="n c log n",
            reference="Spearman 1904" if self.kind == "spearman" else "Kendall 1938",
        )


def _column_products(ranks_x, ranks_y):
    """Inner product of the ranks of each column: of whole numbers, in double."""
    products = np.empty(ranks_x.shape[1])
    for b in row_slices(ranks_x.shape[1], ranks_x.shape[0], _N_ENTRIES):
        pair = (ranks[:, b].astype(np.float64) for ranks in (ranks_x, ranks_y))
        products[b] = column_inner(*pair, xp=np)
    return products


def _both_vary(view_x, view_y):
    return (view_x.sums_of_squares > 0) & (view_y.sums_of_squares > 0)
