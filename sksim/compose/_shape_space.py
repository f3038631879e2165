"""Many models as points of a space of shapes, with their mean in it."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sksim._sklearn_compat import Interval, fit_context
from sksim.base._validation import check_doubles

# The mean moves by less than this share of its norm once it has been found: squared
# distances are then off by the square of it.
_TOLERANCE = 1e-12


class ShapeSpace(BaseEstimator):
    r"""Procrustes mean of many representations, and each one's place around it.

    The mean of K representations of the same rows, up to rotations of each,

    .. math:: M = \arg\min_M \frac1K \sum_k \min_{Q_k} \lVert R_k Q_k - M \rVert_F^2 ,

    is itself defined up to a rotation. Around it the representations are points of an
    ordinary space, in which scikit-learn's methods apply: clusters, components,
    regressions.

    Parameters
    ----------
    center : bool, default=True
        Whether to subtract the column means of each representation.
    scale : bool, default=False
        Whether to divide each representation by its Frobenius norm.
    max_iter : int, default=1000
        Most rounds of alignment from each start.

    Attributes
    ----------
    mean_ : array of shape (n_samples, n_features)
        The mean, with as many columns as the widest representation.
    aligned_ : array of shape (n_models, n_samples, n_features)
        The representations, centred and rotated to the mean; narrower ones have
        columns of zeros.
    distances_ : array of shape (n_models,)
        Procrustes distances to the mean.
    mean_squared_distance_ : float
        Mean of their squares, the variance of the models.
    medoid_ : int
        The model with the smallest mean squared distance to all.
    n_iter_ : int
        Rounds of alignment from the best start.

    Raises
    ------
    ValueError
        If there are no representations, if their rows differ in number, or if one is
        constant and is to be scaled.

    See Also
    --------
    sksim.alignment.OrthogonalProcrustes : The distance between two of them.
    sksim.pairwise.similarity_matrix : All distances, for any measure.

    Notes
    -----
    The minimisation is not convex. It starts from each representation in turn, and the
    best result counts, which is never worse than the best of the representations
    themselves as a mean.

    ``transform`` gives tangent coordinates, aligned minus mean, whose Euclidean
    distances from zero are the distances to the mean; those between two models are
    upper bounds of their Procrustes distance, and close to it where the models are
    near the mean.

    References
    ----------
    A. H. Williams, E. Kunz, S. Kornblith, S. W. Linderman. Generalized shape metrics
    on neural representations. NeurIPS, 2021, arXiv:2110.14739.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.compose import ShapeSpace
    >>> rng = np.random.default_rng(0)
    >>> shape = rng.normal(size=(30, 4))
    >>> rotations = [np.linalg.qr(rng.normal(size=(4, 4)))[0] for _ in range(6)]
    >>> models = [shape @ Q + 0.1 * rng.normal(size=(30, 4)) for Q in rotations]
    >>> space = ShapeSpace().fit(models)
    >>> space.transform(models).shape
    (6, 120)
    >>> bool((space.distances_ < 1.2).all())
    True
    """

    _parameter_constraints: dict = {
        "center": ["boolean"],
        "scale": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(self, *, center=True, scale=False, max_iter=1000):
        self.center = center
        self.scale = scale
        self.max_iter = max_iter

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Find the mean of representations.

        Parameters
        ----------
        X : sequence of array-like of shape (n_samples, n_features_of_the_model)
            One representation for each model, of the same rows in the same order.
        y : None
            Ignored.

        Returns
        -------
        self : ShapeSpace
        """
        stack = self._stack(X)
        means = [self._mean_from(start, stack) for start in stack]
        best = min(means, key=lambda found: found[1])
        self.mean_, self.mean_squared_distance_, self.n_iter_ = best
        self.aligned_ = _aligned(stack, self.mean_)
        self.distances_ = np.linalg.norm(self.aligned_ - self.mean_, axis=(1, 2))
        spreads = [np.sum((_aligned(stack, member) - member) ** 2) for member in stack]
        self.medoid_ = int(np.argmin(spreads))
        return self

    def transform(self, X):
        """Tangent coordinates: aligned to the mean, minus the mean.

        Parameters
        ----------
        X : sequence of array-like of shape (n_samples, n_features_of_the_model)
            Representations of the rows that the mean was fitted to.

        Returns
        -------
        coordinates : array of shape (n_models, n_samples * n_features)
        """
        check_is_fitted(self)
        n_samples, width = self.mean_.shape
        stack = self._stack(X, width=width)
        if stack.shape[1] != n_samples:
            raise ValueError(
                f"The mean is of {n_samples} rows, but the representations have "
                f"{stack.shape[1]}. Pass representations of the same rows."
            )
        return (_aligned(stack, self.mean_) - self.mean_).reshape(len(stack), -1)

    def fit_transform(self, X, y=None):
        """Find the mean, and give the tangent coordinates of the same models.

        Parameters
        ----------
        X : sequence of array-like of shape (n_samples, n_features_of_the_model)
            One representation for each model.
        y : None
            Ignored.

        Returns
        -------
        coordinates : array of shape (n_models, n_samples * n_features)
        """
        self.fit(X)
        return (self.aligned_ - self.mean_).reshape(len(self.aligned_), -1)

    def _stack(self, X, width=None):
        """Representations as one array, narrow ones filled up with zeros."""
        names = [f"Representation {number}" for number in range(len(X))]
        arrays = [
            check_doubles(rows, name) for rows, name in zip(X, names, strict=True)
        ]
        if not arrays:
            raise ValueError("At least one representation is needed, got none.")
        for array, name in zip(arrays, names, strict=True):
            if len(array) != len(arrays[0]):
                raise ValueError(
                    f"{name} has {len(array)} rows, Representation 0 has "
                    f"{len(arrays[0])}: all must be of the same rows."
                )
        widest = max(array.shape[1] for array in arrays)
        if width is not None and widest > width:
            raise ValueError(
                f"A representation has {widest} columns, the widest that was fitted "
                f"{width}. Fit all of them together."
            )
        stack = np.zeros((len(arrays), len(arrays[0]), width or widest))
        for place, array, name in zip(stack, arrays, names, strict=True):
            rows = array - array.mean(axis=0) if self.center else array
            norm = np.linalg.norm(rows)
            if self.scale and not norm > 1e-14 * np.linalg.norm(array):
                raise ValueError(f"{name} is constant, and can't be scaled.")
            place[:, : array.shape[1]] = rows / norm if self.scale else rows
        return stack

    def _mean_from(self, start, stack):
        """(mean, mean squared distance, rounds) of alternation from a start."""
        mean, rounds, step = start, 0, np.inf
        while rounds < self.max_iter and step > _TOLERANCE * np.linalg.norm(mean):
            moved = _aligned(stack, mean).mean(axis=0)
            step, mean, rounds = np.linalg.norm(moved - mean), moved, rounds + 1
        aligned = _aligned(stack, mean)
        return mean, float(np.sum((aligned - mean) ** 2) / len(stack)), rounds


def _aligned(stack, target):
    """Each matrix of a stack, rotated as near to the target as it can be."""
    U, _, Vt = np.linalg.svd(np.swapaxes(stack, 1, 2) @ target)
    return stack @ (U @ Vt)
