"""Norm of the difference between two models' outputs."""

from numbers import Real

from sksim._sklearn_compat import Interval
from sksim.arrays._namespace import row_norms
from sksim.base._tags import SimilarityTags
from sksim.base._validation import check_probability_pair, half_precision_unit
from sksim.functional._rowwise import RowwiseDistance
from sksim.functional._tags import INTERVALS, OF_ROW_SUMS


class SoftPredictionDifference(RowwiseDistance):
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

    def __init__(self, p=2, *, half=True):
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

    def _row_values(self, rows_x, rows_y, xp):
        values = row_norms(rows_x - rows_y, self.p, xp=xp)
        return values / 2 if self.half else values

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="distance",
            bounds=(0, float("inf")),
            metric=True,
            inputs="outputs",
            requires=("probabilities",),
            intervals=INTERVALS,
            exact=OF_ROW_SUMS,
            streaming=True,
            complexity="n c",
            reference="Klabunde et al. 2025",
        )
