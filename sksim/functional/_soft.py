"""Measures on two models' predicted probabilities, scores or regression outputs."""

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np
import scipy.stats

from sksim.base import BaseFunctionalSimilarity
from sksim.functional._tags import INTERVALS, probability_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint
from sksim.utils._array_api import (
    as_float64,
    average_ranks,
    column_inner,
    row_blocks_of,
    row_norms,
    to_numpy,
)
from sksim.utils._sklearn_compat import Interval, StrOptions
from sksim.utils._tags import SimilarityTags
from sksim.utils._validation import check_probability_pair, half_precision_unit
from sksim.utils._views import View


class SoftPredictionDifference(BaseFunctionalSimilarity):
    r"""Mean norm of the difference between two models' outputs.

    .. math:: m(f, f') = \frac{1}{2 N} \sum_i \Vert O_i - O_i' \Vert_p

    A distance and a metric. Rows of probabilities lie within :math:`2^{1/p} / 2` of
    each other. A single column holds regression outputs: the measure is then half the
    mean absolute difference, and in the outputs' units.

    Parameters
    ----------
    p : float, default=2
        Order of the norm, at least 1; with ``p=1`` it is the total variation distance,
        and ``float("inf")`` takes the class that differs most.
    half : bool, default=True
        Whether to divide by 2.

    Attributes
    ----------
    statistic_, distance_ : float
        Mean distance over rows.
    score_ : float
        Minus the mean.
    row_values_ : array of shape (n_samples,)
        Value of each row.
    n_features_in_, n_features_y_in_ : int
        Number of columns.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If X and y have several columns and rows are not probabilities.

    See Also
    --------
    TotalVariation : The case ``p=1``.
    PredictionDifference : The same for a group of models.

    Notes
    -----
    Definitions in the literature differ in the norm and in the factor one half: report
    both parameters.

    References
    ----------
    M. Klabunde, T. Schumacher, M. Strohmaier, F. Lemmerich. Similarity of neural
    network models: a survey of functional and representational measures. ACM
    Computing Surveys, 2025.

    Examples
    --------
    >>> from sksim.functional import SoftPredictionDifference
    >>> certain, opposite = [[1, 0]], [[0, 1]]
    >>> SoftPredictionDifference(p=1).fit(certain, opposite).distance_
    1.0

    Two regressors, by their mean absolute difference:

    >>> SoftPredictionDifference(half=False).fit([1.5, 2], [1, 3]).distance_
    0.75
    """

    _parameter_constraints: dict = {
        "p": [Interval(Real, 1, None, closed="both")],
        "half": ["boolean"],
    }

    def __init__(self, p=2, half=True):
        self.p = p
        self.half = half

    def _validate_pair(self, X, y, *, reset):
        rounding = [half_precision_unit(array) for array in (X, y)]
        X, y, xp = super()._validate_pair(X, y, reset=reset)
        if X.shape[1] > 1:
            X, y = check_probability_pair(X, y, rounding, xp=xp)
        return X, y, xp

    def _view(self, X, xp):
        return X

    def _compare(self, view_x, view_y, xp):
        values = xp.concat(
            [
                row_norms(view_x[rows, :] - view_y[rows, :], self.p, xp=xp)
                for rows in row_blocks_of(view_x)
            ]
        )
        if self.half:
            values = values / 2
        return xp.mean(values), {"row_values_": values}

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="distance",
            bounds=(0, float("inf")),
            metric=True,
            inputs="outputs",
            requires=("probabilities",),
            intervals=INTERVALS,
            complexity="n c",
            reference="Klabunde et al. 2025",
        )


class SurrogateChurn(BaseFunctionalSimilarity):
    r"""Churn of predicted labels, made smooth by the probabilities.

    .. math:: m(f, f') = \frac{1}{2 N} \sum_i \left\Vert
        \left(\frac{O_i}{\max_c O_{ic}}\right)^{\alpha} -
        \left(\frac{O_i'}{\max_c O_{ic}'}\right)^{\alpha} \right\Vert_1

    A distance in [0, (C - 1) / 2] for C classes, not in [0, 1], and a metric. The
    larger alpha, the more only the largest probability of a row counts: in the limit
    it is :class:`Disagreement`.

    Parameters
    ----------
    alpha : float, default=1
        Exponent, greater than 0.

    Attributes
    ----------
    statistic_, distance_ : float
        Surrogate churn.
    score_ : float
        Minus the churn.
    row_values_ : array of shape (n_samples,)
        Value of each row.
    n_features_in_, n_features_y_in_ : int
        Number of classes.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If rows are not probabilities.

    See Also
    --------
    Disagreement : Churn itself.
    SoftPredictionDifference : Difference of the probabilities themselves.

    References
    ----------
    S. Bhojanapalli et al. On the reproducibility of neural network predictions.
    arXiv:2102.03349, 2021.

    Examples
    --------
    >>> from sksim.functional import SurrogateChurn
    >>> round(SurrogateChurn().fit([[0.6, 0.4]], [[0.4, 0.6]]).distance_, 4)
    0.3333
    >>> round(SurrogateChurn(alpha=50).fit([[0.6, 0.4]], [[0.4, 0.6]]).distance_, 4)
    1.0
    """

    _parameter_constraints: dict = {"alpha": [Interval(Real, 0, None, closed="right")]}

    def __init__(self, alpha=1):
        self.alpha = alpha

    def _view(self, X, xp):
        X = X / xp.max(X, axis=1, keepdims=True)
        return X if self.alpha == 1 else X**self.alpha

    def _compare(self, view_x, view_y, xp):
        values = xp.concat(
            [
                row_norms(view_x[rows, :] - view_y[rows, :], 1, xp=xp) / 2
                for rows in row_blocks_of(view_x)
            ]
        )
        return xp.mean(values), {"row_values_": values}

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        return probability_tags(
            orientation="distance",
            bounds=(0, float("inf")),
            metric=True,
            reference="Bhojanapalli et al. 2021",
        )


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
    _undefined_when = "In each column, the outputs of a model are constant"

    def __init__(self, kind="spearman", replace_undefined_by=np.nan):
        self.kind = kind
        self.replace_undefined_by = replace_undefined_by

    def _view(self, X, xp):
        if self.kind == "kendall":
            X, xp = to_numpy(X, xp=xp), np
        ranks = average_ranks(as_float64(X, xp=xp), xp=xp)
        ranks = ranks - (X.shape[0] + 1) / 2
        squares = to_numpy(column_inner(ranks, ranks, xp=xp), xp=xp)
        return RankedColumns(ranks, squares)

    def _subset(self, view, rows, xp):
        return None  # fewer rows have other ranks

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
