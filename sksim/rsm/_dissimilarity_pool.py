"""One list of dissimilarities for several replicates, in the unit that is compared."""

import warnings

import numpy as np
from sklearn.base import clone

from sksim.arrays._namespace import as_float64
from sksim.arrays._pairs import condensed, square
from sksim.arrays._ranks import average_ranks
from sksim.base._validation import overflow_is_silent


class DissimilarityPool:
    """Means of lists of dissimilarities, as RSA compares them.

    Parameters
    ----------
    measure : RSA

    Attributes
    ----------
    measure : RSA
        The same measure of given dissimilarities.
    is_bound : bool
        Whether no other list is more similar to all lists together than their mean.
    """

    name = "dissimilarities"

    def __init__(self, measure):
        self._source = measure
        self.measure = clone(measure).set_params(metric="precomputed")
        self._normed, self.is_bound = _UNITS[measure.comparison]

    def inputs(self, arrays):
        """Square matrices of the dissimilarities of each replicate.

        Parameters
        ----------
        arrays : list of arrays of shape (n_samples, n_features)
            Validated, on numpy; matrices where the measure is of given ones.
        """
        return [self._matrix_of(array) for array in arrays]

    @overflow_is_silent
    def _matrix_of(self, array):
        array = as_float64(array, xp=np)
        if self._source.metric == "precomputed":
            return array
        return square(self._source._dissimilarities(array, np, None), xp=np)

    def means(self, matrices, members):
        """Pool of all replicates, and of some of them.

        Parameters
        ----------
        matrices : list of arrays of shape (n_samples, n_samples)
        members : list of lists of int
            Numbers of the replicates of each pool.

        Returns
        -------
        pools : list of arrays of shape (n_samples, n_samples)
        """
        lists = np.stack([self._compared(matrix) for matrix in matrices])
        with warnings.catch_warnings():
            # a pair that all lack is missing in the pool
            warnings.filterwarnings("ignore", "Mean of empty slice", RuntimeWarning)
            return [square(np.nanmean(lists[some], axis=0), xp=np) for some in members]

    def _compared(self, matrix):
        """List of the pairs that count, in the unit that is compared; nan elsewhere."""
        values = condensed(matrix, xp=np)
        counted = ~np.isnan(values)
        pairs = self._source.pairs
        if pairs is not None:
            mask = np.asarray(pairs)
            counted &= condensed(mask, xp=np) if mask.ndim == 2 else mask
        found = np.full(len(values), np.nan)
        found[counted] = self._normed(values[counted])
        return found


def _ranks(values):
    return average_ranks(values - values.min(), xp=np)


def _z_scores(values):
    return (values - values.mean()) / values.std()


def _over_root_mean_square(values):
    return values / np.sqrt(np.mean(values**2))


# What of a list is averaged for each comparison, and whether that is the best pool. The
# mean of vectors of one norm has the largest mean product with them of all vectors of
# that norm; of ranks, whose order is that of the mean, among all rankings, as long as
# their norm does not matter (rho-a). By Spearman's correlation a list with ties may be
# nearer, and others by Kendall's tau, or with a covariance between the lists.
_UNITS = {
    "pearson": (_z_scores, True),
    "cosine": (_over_root_mean_square, True),
    "spearman": (_ranks, False),
    "kendall": (_ranks, False),
    "rho_a": (_ranks, True),
    "tau_a": (_ranks, False),
    "corr_cov": (_z_scores, False),
    "cosine_cov": (_over_root_mean_square, False),
}
