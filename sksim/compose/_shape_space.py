"""Many models as points of a space of shapes, with their mean in it."""

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.manifold import MDS, ClassicalMDS
from sklearn.utils.validation import check_is_fitted

from sksim._sklearn_compat import Interval, StrOptions, fit_context, validate_params
from sksim.base._validation import check_doubles
from sksim.compose._shape_results import ShapeEmbeddingResult, ShapeRegressionResult

# The mean moves by less than this share of its norm once it has been found: squared
# distances are then off by the square of it.
_TOLERANCE = 1e-12
# Distances below this share of the models' norms are rounding: residuals of rotated
# copies were up to 3e-15 of them (25 x 3 to 300 x 40).
_NO_DISTANCE = 1e-12


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
    pairwise_distances_ : array of shape (n_models, n_models)
        Procrustes distances of the models from each other.
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
    near the mean. The centre of a cluster of these coordinates is the mean of its
    members as they are aligned, minus ``mean_``.

    Use it for many models of one kind, compared by the same rows: which belong
    together, what lies in their middle, what of a model goes with its shape. Don't use
    it to say how alike two models are (OrthogonalProcrustes), or where single neurons
    matter. Distances of another measure take
    :func:`~sksim.evaluation.prediction_grounding` instead of ``regress``, and
    :class:`~sksim.plot.ModelMapDisplay` instead of ``embed``.

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

    Three models of another shape, which clusters of the coordinates find:

    >>> from sklearn.cluster import KMeans
    >>> others = [shape * [2, 1, 1, 1] @ Q for Q in rotations[:3]]
    >>> space = ShapeSpace().fit(models + others)
    >>> clusters = KMeans(2, n_init=10, random_state=0)
    >>> clusters.fit(space.transform(models + others)).labels_.tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1]
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
        self.pairwise_distances_ = _distances(stack)
        self.medoid_ = int(np.argmin(np.sum(self.pairwise_distances_**2, axis=1)))
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

    @validate_params(
        {
            "n_permutations": [Interval(Integral, 1, None, closed="left")],
            "alternative": [StrOptions({"greater", "two-sided"})],
            "random_state": ["random_state"],
        },
        prefer_skip_nested_validation=True,
    )
    def regress(
        self, target, *, n_permutations=9999, alternative="greater", random_state=None
    ):
        """Whether models that are farther apart differ more in a property.

        The line of the differences of a property over the distances of the models, for
        all pairs of models, and Mantel's test of it. Pairs that share a model are not
        independent, so that it is models that are permuted.

        Parameters
        ----------
        target : array-like of shape (n_models,) or (n_models, n_models)
            A number of each model that was fitted, such as its accuracy, of which
            absolute differences are taken; or how much each two models differ.
        n_permutations : int, default=9999
            Number of random orders of the models; all orders, and an exact p-value, if
            there are no more than these, or than 720.
        alternative : {"greater", "two-sided"}, default="greater"
            "greater": models differ more, the farther they are apart.
        random_state : int, RandomState instance or None, default=None
            Seed of the orders.

        Returns
        -------
        result : ShapeRegressionResult
            With ``slope``, ``intercept``, ``correlation``, ``r_squared``, ``pvalue``
            and the ``null`` that it is of.

        Raises
        ------
        ValueError
            If there are fewer than three models, if the target does not fit them, or
            if all distances, or all differences, are the same.

        References
        ----------
        N. Mantel. The detection of disease clustering and a generalized regression
        approach. Cancer Research 27, 1967.

        Examples
        --------
        >>> import numpy as np
        >>> from sksim.compose import ShapeSpace
        >>> rows = np.random.default_rng(0).normal(size=(20, 3))
        >>> sizes = [1, 2, 3, 5, 8]
        >>> space = ShapeSpace().fit([size * rows for size in sizes])
        >>> result = space.regress(sizes)
        >>> round(result.r_squared, 6), round(result.pvalue, 3), result.null
        (1.0, 0.008, 'all orders of models')
        """
        # not with the family: whoever wants the mean alone needs no tests
        from sksim.inference._permuted_models import (
            are_all_counted,
            permutation_pvalue,
        )

        check_is_fitted(self)
        n_models = len(self.aligned_)
        if n_models < 3:
            raise ValueError(
                f"A regression over pairs of models takes three models or more, and "
                f"{n_models} {'was' if n_models == 1 else 'were'} fitted."
            )
        differences = _differences(target, n_models)
        pairs = np.triu_indices(n_models, k=1)
        x, y = self.pairwise_distances_[pairs], differences[pairs]
        if np.ptp(x) <= _NO_DISTANCE * self._size():
            raise ValueError(
                "All models are equally far from each other: there is no line over "
                "distances that don't differ."
            )
        if np.ptp(y) <= _NO_DISTANCE * np.max(np.abs(y)):
            raise ValueError(
                "target differs by the same for all pairs of models: there is nothing "
                "that their distances could explain."
            )
        fixed, moved = (
            _standardized_pairs(v) for v in (self.pairwise_distances_, differences)
        )
        correlation = float(np.sum(fixed * moved) / 2)
        slope = correlation * float(np.std(y) / np.std(x))
        pvalue = permutation_pvalue(
            lambda order: np.sum(fixed * moved[np.ix_(order, order)]) / 2,
            n_models,
            n_permutations=n_permutations,
            random_state=random_state,
            two_sided=alternative == "two-sided",
        )
        orders = "all" if are_all_counted(n_models, n_permutations) else "random"
        return ShapeRegressionResult(
            slope=slope,
            intercept=float(np.mean(y) - slope * np.mean(x)),
            correlation=correlation,
            r_squared=correlation**2,
            pvalue=pvalue,
            alternative=alternative,
            null=f"{orders} orders of models",
            n_models=n_models,
        )

    @validate_params(
        {"n_components": [Interval(Integral, 1, None, closed="left")]},
        prefer_skip_nested_validation=True,
    )
    def embed(self, n_components=2):
        """Places of the models in few dimensions, and how well distances are kept.

        Metric scaling by scikit-learn's ``MDS`` (SMACOF) of the Procrustes distances of
        the models from each other, which starts at classical scaling and so needs no
        seed.

        Parameters
        ----------
        n_components : int, default=2
            Number of dimensions.

        Returns
        -------
        result : ShapeEmbeddingResult
            With ``coordinates`` and ``stress``.

        Raises
        ------
        ValueError
            If there are not more models than dimensions.

        Notes
        -----
        The stress is a local minimum. Of 12 models in the plane the least of 50 random
        starts was lower by 2.4 % at most, in seven sets.

        References
        ----------
        J. B. Kruskal. Multidimensional scaling by optimizing goodness of fit to a
        nonmetric hypothesis. Psychometrika 29, 1964 (stress).

        Examples
        --------
        >>> import numpy as np
        >>> from sksim.compose import ShapeSpace
        >>> rows = np.random.default_rng(0).normal(size=(20, 3))
        >>> space = ShapeSpace().fit([size * rows for size in (1, 2, 3, 5)])
        >>> result = space.embed(1)  # shapes on a line
        >>> result.stress < 1e-6
        True
        >>> places = result.coordinates[:, 0] / np.linalg.norm(rows - rows.mean(axis=0))
        >>> np.abs(np.diff(places)).round(3).tolist()
        [1.0, 1.0, 2.0]
        """
        check_is_fitted(self)
        n_models = len(self.aligned_)
        if n_models <= n_components:
            raise ValueError(
                f"n_components={n_components} takes more than {n_components} models, "
                f"and {n_models} {'was' if n_models == 1 else 'were'} fitted."
            )
        largest = np.max(self.pairwise_distances_)
        if largest <= _NO_DISTANCE * self._size():
            return ShapeEmbeddingResult(
                coordinates=np.zeros((n_models, n_components)), stress=0.0
            )
        distances = self.pairwise_distances_ / largest
        settings = {"n_components": n_components, "metric": "precomputed"}
        # an axis of a negative eigenvalue, by rounding or of distances that no
        # Euclidean space has, is nan
        with np.errstate(invalid="ignore"):
            start = np.nan_to_num(ClassicalMDS(**settings).fit_transform(distances))
        scaling = MDS(
            **settings,
            init="random",
            n_init=1,
            normalized_stress=True,
            max_iter=3000,
            eps=1e-10,
        )
        coordinates = scaling.fit_transform(distances, init=start)
        return ShapeEmbeddingResult(
            coordinates=coordinates * largest, stress=float(scaling.stress_)
        )

    def _size(self):
        """Largest norm of a representation, against which distances are judged."""
        return np.max(np.linalg.norm(self.aligned_, axis=(1, 2)))

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


def _distances(stack):
    """Procrustes distances of all pairs of matrices."""
    rows = [np.linalg.norm(_aligned(stack, m) - m, axis=(1, 2)) for m in stack]
    distances = (np.array(rows) + np.transpose(rows)) / 2
    np.fill_diagonal(distances, 0)
    return distances


def _differences(target, n_models):
    """How much each two models differ in the target."""
    # one number is a column, as elsewhere
    values = check_doubles(np.atleast_1d(target)[..., None], "target", allow_nd=True)
    values = values[..., 0]
    if values.shape == (n_models,):
        return np.abs(values[:, None] - values)
    if values.shape != (n_models, n_models):
        raise ValueError(
            f"target must have one number for each of the {n_models} models that were "
            f"fitted, or for each two of them, got the shape {values.shape}."
        )
    if not np.allclose(values, values.T, rtol=1e-9, atol=0):
        raise ValueError(
            "target is not symmetric: two models differ by one number. Pass "
            "(target + target.T) / 2 if its mean is what you want."
        )
    return values


def _standardized_pairs(matrix):
    """Entries off the diagonal with mean 0, and squares that sum to 1 in each half."""
    rows, columns = np.triu_indices(len(matrix), k=1)
    values = matrix[rows, columns] - np.mean(matrix[rows, columns])
    found = np.zeros(matrix.shape)
    found[rows, columns] = values / np.linalg.norm(values)
    return found + found.T
