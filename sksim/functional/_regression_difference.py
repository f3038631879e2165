"""How far two models' predictions of numbers are apart."""

from numbers import Real

import numpy as np

from sksim._sklearn_compat import Interval
from sksim.arrays._namespace import row_slices, to_numpy
from sksim.base import BaseFunctionalSimilarity
from sksim.base._tags import SimilarityTags

# Entries of outputs that are worked on together.
_N_ENTRIES = 2**16
_LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
# Limits of agreement hold .95 of normal differences.
_NORMAL_QUANTILE = 1.959963984540054


class RegressionDifference(BaseFunctionalSimilarity):
    r"""Quantile of the differences of two models' predictions of numbers.

    With the predictions :math:`O_{ij}, O_{ij}'` of output j and the quantile
    :math:`Q_q` over rows,

    .. math:: m(f, f') = \frac{1}{C} \sum_j Q_q\big(|O_{ij} - O_{ij}'|\big) .

    A distance in [0, inf], in the unit of the outputs: on a share q of the rows the
    predictions are no further apart. The mean difference and the limits of agreement
    of Bland and Altman say in which direction.

    Parameters
    ----------
    quantile : float, default=0.95
        The share q of the rows; 0.5 for the median difference, 1 for the largest.

    Attributes
    ----------
    statistic_, distance_ : float
        Quantile of the absolute differences, the mean over outputs.
    score_ : float
        Minus the quantile.
    mean_difference_ : ndarray of shape (n_outputs,)
        Mean of the first model's predictions less the second's.
    limits_of_agreement_ : ndarray of shape (2, n_outputs)
        Mean difference -+ 1.96 standard deviations, which hold .95 of differences that
        are normal.
    quantiles_ : ndarray of shape (7, n_outputs)
        Quantiles of the differences at .01, .05, .25, .5, .75, .95 and .99.
    n_features_in_, n_features_y_in_ : int
        Number of outputs.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If X and y differ in the number of outputs, or there are fewer than two rows.

    See Also
    --------
    SoftPredictionDifference : Mean difference of rows of outputs.
    RankCorrelation : Whether rows are in the same order.

    Notes
    -----
    Outputs of several units are averaged as they are: scale them first, or compare one
    at a time.

    References
    ----------
    J. M. Bland, D. G. Altman. Statistical methods for assessing agreement between two
    methods of clinical measurement. The Lancet, 1986.

    Examples
    --------
    >>> from sksim.functional import RegressionDifference
    >>> first, second = [1.0, 2.0, 3.0, 4.0], [1.5, 2.0, 2.5, 4.0]
    >>> measure = RegressionDifference(quantile=0.5).fit(first, second)
    >>> measure.distance_, measure.limits_of_agreement_.round(2).ravel().tolist()
    (0.25, [-0.8, 0.8])
    """

    _parameter_constraints: dict = {
        "quantile": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, quantile=0.95):
        self.quantile = quantile

    def _view(self, X, xp):
        return to_numpy(X, xp=xp)

    def _compare(self, view_x, view_y, xp):
        n_rows, n_outputs = view_x.shape
        found = [
            self._of_outputs(view_x[:, b].astype(float) - view_y[:, b])
            for b in row_slices(n_outputs, n_rows, _N_ENTRIES)
        ]
        of_rows, mean, spread, quantiles = (
            np.concatenate(each, axis=-1) for each in zip(*found, strict=True)
        )
        limits = mean + _NORMAL_QUANTILE * np.stack([-spread, spread])
        return float(of_rows.mean()), {
            "mean_difference_": mean,
            "limits_of_agreement_": limits,
            "quantiles_": quantiles,
        }

    def _of_outputs(self, differences):
        """Quantile, mean, deviation and quantiles of some outputs' differences."""
        return (
            np.quantile(np.abs(differences), self.quantile, axis=0),
            differences.mean(axis=0),
            differences.std(axis=0, ddof=1),
            np.quantile(differences, _LEVELS, axis=0),
        )

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="distance",
            bounds=(0, float("inf")),
            inputs="outputs",
            requires=("outputs",),
            intervals=("subsample", "bootstrap"),
            array_api=False,
            complexity="n c log n",
            reference="Bland & Altman 1986",
        )
