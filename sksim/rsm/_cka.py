"""Centered kernel alignment."""

from dataclasses import replace

from sklearn.base import clone

from sksim._sklearn_compat import StrOptions
from sksim.arrays._namespace import as_float64
from sksim.base._tags import SimilarityTags
from sksim.rsm._contributions import by_classes, by_components, by_rows
from sksim.rsm._kernels import BaseKernelSimilarity, KernelMomentMixin


class CKA(KernelMomentMixin, BaseKernelSimilarity):
    r"""Centered kernel alignment.

    The cosine of two centred kernel matrices:

    .. math:: m(R, R') = \frac{\langle K, K' \rangle}{\lVert K \rVert_F
        \lVert K' \rVert_F}, \qquad K = H k(R, R) H .

    For the linear kernel this is
    :math:`\lVert R^\top R' \rVert_F^2 / (\lVert R^\top R \rVert_F
    \lVert R'^\top R' \rVert_F)` of the centred representations, known in statistics as
    the RV coefficient. A similarity in [0, 1]; the debiased estimator may fall below 0,
    and so may kernels that are not positive semi-definite, such as "sigmoid", and given
    matrices. Invariant to orthogonal maps, isotropic scaling and translation for the
    linear and the RBF kernel.

    Parameters
    ----------
    kernel : {"linear", "rbf", "precomputed"} or str or callable, default="linear"
        Kernel of the rows: "rbf" with its width relative to the median distance, any
        other name known to :func:`sklearn.metrics.pairwise.pairwise_kernels`, or a
        callable of two rows. "precomputed": X and y are kernel matrices of shape
        (n_samples, n_samples), or condensed vectors where the diagonal does not count
        (see :ref:`given_matrices`).
    debias : {"rows"}, default=None
        None is the classical value, which grows with D / n even between unrelated
        representations (0.72 at n = 100, D = 256); "rows" corrects it for the finite
        number of rows, by the unbiased estimator of HSIC (0.007 there), and needs at
        least 4 rows.
    bandwidth : float, default=0.5
        Width of the RBF kernel exp(-d^2 / (2 s^2)): s is ``bandwidth`` times the
        median Euclidean distance between rows. Kornblith et al. try .2, .4 and .8.
    kernel_params : dict, default=None
        Keywords of other kernels, such as ``{"degree": 3}`` for "poly".
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error,
        for other kernels than the linear one and more than 4096 rows.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Centered kernel alignment.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant: its centred kernel is zero. If a row is zero,
        for the cosine kernel. If a given matrix is not square and symmetric.

    See Also
    --------
    sksim.inference.similarity_test : Is it more than chance?

    Notes
    -----
    The linear kernel costs O(n d^2) and makes no n x n matrix while d < n; the RBF
    kernel makes none above 4096 rows, where sums run over blocks. Blind to
    differences in directions of little variance. ``arccos`` of the biased value is a
    metric.

    References
    ----------
    S. Kornblith, M. Norouzi, H. Lee, G. Hinton. Similarity of neural network
    representations revisited. ICML, 2019, arXiv:1905.00414.

    L. Song, A. Smola, A. Gretton, J. Bedo, K. Borgwardt. Feature selection via
    dependence maximization. JMLR, 2012 (the unbiased estimator).

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(2, 100, 256))
    >>> round(CKA().fit(X, y).score_, 2)
    0.72
    >>> abs(CKA(debias="rows").fit(X, y).score_) < 0.05
    True
    """

    _parameter_constraints: dict = {
        **BaseKernelSimilarity._parameter_constraints,
        "debias": [StrOptions({"rows"}), None],
    }

    def __init__(
        self,
        kernel="linear",
        *,
        debias=None,
        bandwidth=0.5,
        kernel_params=None,
        verbose=0,
    ):
        self.kernel = kernel
        self.debias = debias
        self.bandwidth = bandwidth
        self.kernel_params = kernel_params
        self.verbose = verbose

    @property
    def _takes_sketches(self):
        """Whether there is a correction for the noise of folded sketches of rows."""
        return self.kernel == "linear" and not self._is_biased

    def contributions(self, X, y, *, by="components", y_true=None):
        """What the value is made of: parts that add up to it.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            First representation.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same rows.
        by : {"components", "rows", "classes"}, default="components"
            "components": pairs of principal components, eigenvectors of both centred
            kernels. "rows": each row with all others. "classes": pairs of classes.
        y_true : array-like of shape (n_samples,), default=None
            Classes of the rows, for ``by="classes"``.

        Returns
        -------
        parts : DataFrame
            "components": a row for each component of X and a column for each of y, from
            the largest on. "classes": the same for classes. "rows": the column
            ``part``, and, where the kernel is not one that follows the rows, as the RBF
            kernel's width does, ``influence``: by how much the value is larger with
            the row than without.

        Raises
        ------
        ValueError
            If there are more rows than an n x n matrix is made of, where one is needed.

        Examples
        --------
        Two representations share one strong direction, and little else:

        >>> import numpy as np
        >>> from sksim.rsm import CKA
        >>> rng = np.random.default_rng(0)
        >>> X, y = rng.normal(size=(2, 200, 4))
        >>> X[:, 0] = y[:, 0] = 5 * rng.normal(size=200)
        >>> parts = CKA().contributions(X, y)
        >>> parts.shape, round(float(parts.to_numpy().sum()), 4)
        ((4, 4), 0.9966)
        >>> round(float(parts.iloc[0, 0]), 4)
        0.9965
        """
        rows = clone(self)._read(X, y)
        arrays = tuple(as_float64(array, xp=rows.xp) for array in rows.arrays)
        comparison = replace(rows, arrays=arrays).compared()
        if by == "classes":
            return by_classes(comparison, y_true)
        if by not in ("components", "rows"):
            raise ValueError(
                f"by must be 'components', 'rows' or 'classes', got {by!r}."
            )
        return by_rows(comparison) if by == "rows" else by_components(comparison)

    def _of_product(self, product, view_x, view_y, n_samples):
        return product / (view_x.norm * view_y.norm)

    def _compare_moments(self, moments, xp):
        xy, xx, yy = self._kernel_products(moments, xp)
        return xy / float(xx) ** 0.5 / float(yy) ** 0.5

    def _similarity_tags(self):
        masked = set() if self._is_biased else {"masked_bootstrap"}
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0, 1) if self._is_nonnegative else (-1, 1),
            invariances=self._invariances(),
            requires=self._required,
            view_keywords=("role",),
            precomputed=self._is_given,
            intervals=("jackknife", "subsample", *masked),
            exact=self._exact | masked,
            differentiable=self._is_differentiable,
            streaming=self.kernel == "linear",
            complexity=self._complexity,
            reference="Kornblith et al. 2019",
        )
