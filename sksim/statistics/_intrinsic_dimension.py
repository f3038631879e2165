"""Intrinsic dimension."""

import warnings
from numbers import Integral, Real

from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._kernels import row_blocks
from sksim.arrays._linalg import (
    refuse_rows,
    rescaled,
    role_name,
)
from sksim.arrays._namespace import as_float64, device_of, take
from sksim.arrays._neighbors import (
    check_n_neighbors,
    nearest_neighbors,
)
from sksim.base._validation import check_representation_pair
from sksim.statistics._base import BaseStatistic, Description


class IntrinsicDimension(BaseStatistic):
    r"""Difference in intrinsic dimension, of how many directions rows vary in locally.

    .. math:: m(R, R') = |s(R) - s(R')| ,

    with one of three estimators s of the dimension of the set that rows lie on, all by
    Euclidean neighbours. With :math:`T_j(i)` the distance of row i from its j-th
    nearest neighbour:

    - "twonn" (Facco et al.): the ratios :math:`\mu_i = T_2(i) / T_1(i)` follow a Pareto
      law with the dimension as exponent. s is the slope, through the origin, of
      :math:`-\log(1 - F(\mu))` on :math:`\log \mu`, with the empirical distribution F
      and without the largest ratios; or the exponent of greatest likelihood.
    - "mle" (Levina and Bickel): the mean over rows of
      :math:`\bigl(\frac{1}{k - 1} \sum_{j < k} \log \frac{T_k(i)}{T_j(i)}\bigr)^{-1}`.
    - "local_pca" (Fukunaga and Olsen): the mean over rows of the number of principal
      components of a row's k neighbours whose variance is above a share of the
      largest.

    A distance in [0, inf). Invariant to orthogonal maps, isotropic scaling and
    translation. Blind to all but the dimension.

    Parameters
    ----------
    method : {"twonn", "mle", "local_pca"}, default="twonn"
        Which estimator.
    n_neighbors : int, default=20
        Number of neighbours k for "mle" and "local_pca"; "twonn" uses two.
    discard : float, default=0.1
        Share of the largest ratios that "twonn" leaves out.
    ratio_fit : {"line", "likelihood"}, default="line"
        How "twonn" finds the exponent: as the slope of a line, or by maximum
        likelihood with the discarded ratios as censored, which is
        :math:`N / \sum_i \log \mu_i` for ``discard=0``.
    threshold : float, default=0.05
        Share of the largest variance that a component must exceed in "local_pca".
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, distance_ : float
        Difference of the dimensions.
    score_ : float
        Minus the difference.
    statistics_ : tuple of float
        Dimension of X and of y.
    row_values_ : tuple of arrays
        Only for "mle" and "local_pca": dimension at each row of X and of y that is no
        duplicate.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows of X.

    Raises
    ------
    ValueError
        If too few distinct rows remain, or if neighbours are all equally far, as on a
        grid, where the estimators are not defined.

    Notes
    -----
    Duplicate rows say nothing of the dimension: all but the first are left out, with a
    warning. "mle" underestimates dimensions above about ten unless rows are very many.
    Rows are not paired: X and y may have different numbers of rows, and no permutation
    test exists.

    References
    ----------
    E. Facco, M. d'Errico, A. Rodriguez, A. Laio. Estimating the intrinsic dimension of
    datasets by a minimal neighborhood information. Scientific Reports, 2017.

    E. Levina, P. Bickel. Maximum likelihood estimation of intrinsic dimension. NeurIPS,
    2004.

    K. Fukunaga, D. Olsen. An algorithm for finding intrinsic dimensionality of data.
    IEEE Transactions on Computers, 1971.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.statistics import IntrinsicDimension
    >>> rng = np.random.default_rng(0)
    >>> line, plane = rng.random((500, 1)), rng.random((500, 2))
    >>> X, y = line @ rng.normal(size=(1, 5)), plane @ rng.normal(size=(2, 5))
    >>> [round(s) for s in IntrinsicDimension().fit(X, y).statistics_]
    [1, 2]
    """

    _parameter_constraints: dict = {
        "method": [StrOptions({"twonn", "mle", "local_pca"})],
        "n_neighbors": [Interval(Integral, 2, None, closed="left")],
        "discard": [Interval(Real, 0, 1, closed="left")],
        "ratio_fit": [StrOptions({"line", "likelihood"})],
        "threshold": [Interval(Real, 0, 1, closed="left")],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        method="twonn",
        *,
        n_neighbors=20,
        discard=0.1,
        ratio_fit="line",
        threshold=0.05,
        verbose=0,
    ):
        self.method = method
        self.n_neighbors = n_neighbors
        self.discard = discard
        self.ratio_fit = ratio_fit
        self.threshold = threshold
        self.verbose = verbose

    @property
    def _n_neighbors(self):
        return 2 if self.method == "twonn" else self.n_neighbors

    def _validate_pair(self, X, y, *, reset):
        X, y, xp = check_representation_pair(self, X, y, reset=reset, min_samples=2)
        check_n_neighbors(self._n_neighbors, X, y)
        return X, y, xp

    def _min_samples(self):
        return self._n_neighbors + 1

    def _view(self, X, xp, role):
        X, neighbors = self._distinct(X, xp, role)
        distances = xp.sqrt(neighbors.squared_distances)
        if self.method == "twonn":
            return Description(self._two_nearest(distances, xp, role))
        if self.method == "mle":
            values = _maximum_likelihood(distances, xp, role)
        else:
            values = _local_components(X, neighbors.indices, self.threshold, xp)
        return Description(float(xp.mean(values)), values)

    def _distinct(self, X, xp, role):
        """Rows without duplicates, and their neighbours."""
        k, rows = self._n_neighbors, X
        while True:
            neighbors = nearest_neighbors(rows, k, metric="euclidean", xp=xp, role=role)
            nearest = neighbors.indices[:, 0]
            index = xp.arange(rows.shape[0], dtype=nearest.dtype, device=device_of(X))
            # equal rows are at distance 0, and the first of them comes first
            is_copy = (neighbors.squared_distances[:, 0] == 0) & (nearest < index)
            if not bool(xp.any(is_copy)):
                break
            rows = take(rows, xp.nonzero(~is_copy)[0], xp=xp)
            if rows.shape[0] <= k:
                raise ValueError(
                    f"{role_name(role)} has {rows.shape[0]} distinct rows, but "
                    f"IntrinsicDimension with {k} neighbours needs at least {k + 1}."
                )
        n_copies = X.shape[0] - rows.shape[0]
        if n_copies:
            warnings.warn(
                f"{n_copies} rows of {role_name(role)} are duplicates of others and "
                "are left out: a distance of 0 says nothing of the dimension.",
                UserWarning,
                stacklevel=8,
            )
        return rows, neighbors

    def _two_nearest(self, distances, xp, role):
        """Exponent of the distribution of the two nearest distances' ratios."""
        n = distances.shape[0]
        ratios = xp.sort(xp.log(distances[:, 1] / distances[:, 0]))
        # the last point of the empirical distribution is at infinity
        is_line = self.ratio_fit == "line"
        n_kept = min(int(n * (1 - self.discard)), n - is_line)
        if n_kept < 1:
            raise ValueError(
                f"discard={self.discard} leaves none of {n} distinct rows of "
                f"{role_name(role)}. Choose a smaller share."
            )
        kept = ratios[:n_kept]
        squares = float(xp.sum(kept * kept))
        if squares < 1e-16 * n_kept:
            raise ValueError(
                f"The two nearest neighbours of the rows of {role_name(role)} are "
                "equally far, as on a grid, so that the dimension is not defined. "
                "Choose method='local_pca'."
            )
        if not is_line:
            censored = (n - n_kept) * float(kept[-1])
            return n_kept / (float(xp.sum(kept)) + censored)
        places = xp.arange(1, n_kept + 1, dtype=kept.dtype, device=device_of(kept))
        return float(xp.sum(-xp.log(1 - places / n) * kept)) / squares

    def _similarity_tags(self):
        costs = {"twonn": "n^2 d", "mle": "n^2 d", "local_pca": "n^2 d + n k^2 d"}
        sources = {
            "twonn": "Facco et al. 2017",
            "mle": "Levina and Bickel 2004",
            "local_pca": "Fukunaga and Olsen 1971",
        }
        return self._statistic_tags(
            invariances={"PT", "OT", "IS", "TR"},
            requires=("more_rows_than_neighbors",),
            view_keywords=("role",),
            intervals=(),
            complexity=costs[self.method],
            reference=sources[self.method],
        )


def _maximum_likelihood(distances, xp, role):
    """Levina and Bickel's estimate at each row."""
    k = distances.shape[1]
    logarithms = xp.log(distances[:, -1:] / distances[:, :-1])
    means = xp.sum(logarithms, axis=1) / (k - 1)
    problem = "equally far from all of its neighbours, so that the dimension there is "
    refuse_rows(means < 1e-10, role, problem + "not defined", xp=xp)
    return 1 / means


def _local_components(X, lists, threshold, xp):
    """Number of principal components above a share of the largest, at each row."""
    X, _, _ = rescaled(as_float64(X, xp=xp), xp=xp)
    n_samples, k = lists.shape
    width = X.shape[1]
    counts = []
    for b in row_blocks(n_samples, 4 * k * width):
        patches = take(X, xp.reshape(lists[b, :], (-1,)), xp=xp)
        patches = xp.reshape(patches, (-1, k, width))
        patches = patches - xp.mean(patches, axis=1, keepdims=True)
        # relative to the patch's own size, so that a tight cluster does not vanish
        size = xp.max(xp.max(xp.abs(patches), axis=2), axis=1)
        patches = patches / size[:, None, None]
        turned = xp.matrix_transpose(patches)
        gram = turned @ patches if width <= k else patches @ turned
        variances = xp.linalg.eigvalsh(gram)
        is_large = variances > threshold * variances[:, -1:]
        counts.append(xp.sum(xp.astype(is_large, xp.float64), axis=1))
    return xp.concat(counts)
