"""Rank correlation of two models' outputs."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.stats

from sksim._sklearn_compat import StrOptions
from sksim.arrays._namespace import as_float64, average_ranks, column_inner, to_numpy
from sksim.arrays._views import View
from sksim.base import BaseFunctionalSimilarity
from sksim.base._tags import SimilarityTags
from sksim.functional._tags import INTERVALS
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


@dataclass(frozen=True)
class RankedColumns(View):
    """Centred ranks of each column's outputs, and the sums of their squares."""

    ranks: object
    sums_of_squares: np.ndarray

    _row_fields = ("ranks",)


class RankCorrelation(UndefinedMixin, BaseFunctionalSimilarity):
    r"""Whether two models rank the rows alike, class by class.

    .. math:: m(f, f') = \frac{1}{C} \sum_c \rho\big(O_{\cdot c}, O_{\cdot c}'\big)

    with Spearman's or Kendall's rank correlation of the scores of one class over
    rows. A similarity in [-1, 1]: 1 if the order is the same for every class. Blind to
    all increasing maps of the scores, so that models need not be calibrated, or even
    give probabilities: decision scores and regression outputs (one column) do as well.

    Parameters
    ----------
    kind : {"spearman", "kendall"}, default="spearman"
        Which correlation. Ties get mean ranks, or Kendall's tau-b.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where a model's outputs are constant in every column. If they are in some
        columns only, these are left out. Both raise an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Mean correlation.
    score_ : float
        Mean correlation.
    column_values_ : ndarray of shape (n_columns,)
        Correlation of each column; nan where it is undefined.
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
    """

    _parameter_constraints: dict = {
        "kind": [StrOptions({"spearman", "kendall"})],
        "replace_undefined_by": replacement_constraint(-1, 1),
    }
    _views_are_row_wise = False  # fewer rows have other ranks
    _undefined_when = "In each column, the outputs of a model are constant"

    def __init__(self, kind="spearman", *, replace_undefined_by=np.nan):
        self.kind = kind
        self.replace_undefined_by = replace_undefined_by

    def _view(self, X, xp):
        if self.kind == "kendall":
            X, xp = to_numpy(X, xp=xp), np
        ranks = average_ranks(as_float64(X, xp=xp), xp=xp)
        ranks = ranks - (X.shape[0] + 1) / 2
        squares = to_numpy(column_inner(ranks, ranks, xp=xp), xp=xp)
        return RankedColumns(ranks, squares)

    def _check_views(self, view_x, view_y):
        undefined = ~_both_vary(view_x, view_y)
        if undefined.any() and not undefined.all():
            self._warn_undefined(
                f"The outputs of a model are constant in the columns "
                f"{np.flatnonzero(undefined).tolist()}. RankCorrelation is undefined "
                "there, and the mean of the other columns."
            )

    def _compare(self, view_x, view_y, xp):
        defined = _both_vary(view_x, view_y)
        values = np.full(len(defined), math.nan)
        if self.kind == "spearman":
            products = to_numpy(column_inner(view_x.ranks, view_y.ranks, xp=xp), xp=xp)
            scale = np.sqrt(view_x.sums_of_squares * view_y.sums_of_squares)
            values[defined] = products[defined] / scale[defined]
        else:
            for c in np.flatnonzero(defined):
                pair = view_x.ranks[:, c], view_y.ranks[:, c]
                values[c] = scipy.stats.kendalltau(*pair).statistic
        mean = float(values[defined].mean()) if defined.any() else math.nan
        return mean, {"column_values_": values}

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="similarity",
            bounds=(-1, 1),
            invariances=("IS", "TR"),
            inputs="outputs",
            requires=("outputs",),
            intervals=INTERVALS,
            array_api=self.kind == "spearman",
            complexity="n c log n",
            reference="Spearman 1904" if self.kind == "spearman" else "Kendall 1938",
        )


def _both_vary(view_x, view_y):
    return (view_x.sums_of_squares > 0) & (view_y.sums_of_squares > 0)
