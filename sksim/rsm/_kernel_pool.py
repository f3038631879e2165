"""One kernel matrix for several replicates, in the unit that CKA compares."""

import numpy as np
from sklearn.base import clone


class KernelPool:
    """Means of centred kernel matrices of unit norm.

    CKA is the cosine of such matrices, so that their mean has the largest mean CKA with
    all of them that any kernel has.

    Parameters
    ----------
    measure : CKA

    Attributes
    ----------
    measure : CKA
        The same measure of given kernels.
    """

    name = "kernels"
    is_bound = True

    def __init__(self, measure):
        self._source = measure
        self.measure = clone(measure).set_params(kernel="precomputed")

    def inputs(self, arrays):
        """Centred kernel matrices of the replicates, of unit norm.

        Parameters
        ----------
        arrays : list of arrays of shape (n_samples, n_features)
            Validated, on numpy; matrices where the measure is of given ones.
        """
        views = (self._source._view(array, np, "y") for array in arrays)
        return [self._source._whole(view, np).matrix for view in views]

    def means(self, matrices, members):
        """Pool of the replicates of each list of their numbers."""
        return [np.mean([matrices[i] for i in some], axis=0) for some in members]
