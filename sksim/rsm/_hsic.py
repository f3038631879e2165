"""Hilbert-Schmidt independence criterion."""

import sys

from sksim._sklearn_compat import StrOptions
from sksim.arrays._namespace import anywhere
from sksim.base._tags import SimilarityTags
from sksim.rsm._kernels import BaseKernelSimilarity, KernelMomentMixin


class HSIC(KernelMomentMixin, BaseKernelSimilarity):
    r"""Hilbert-Schmidt independence criterion.

    The inner product of the two centred kernel matrices, not normalised:

    .. math:: m(R, R') = \frac{\operatorname{tr}(K H K' H)}{(n - 1)^2},
        \qquad K = k(R, R), \; H = I - \tfrac{1}{n} 1 1^\top .

    For the linear kernel it is the squared norm of the cross-covariance matrix. A
    similarity in [0, inf), or any number with the unbiased estimator. Invariant to
    orthogonal maps and translation for the linear kernel, where the scale of the
    representations counts: two values are only comparable if the scales are. With the
    RBF kernel, whose width follows the data, also to isotropic scaling.

    Parameters
    ----------
    kernel : {"linear", "rbf", "precomputed"} or str or callable, default="linear"
        Kernel of the rows, or "precomputed" for given matrices, as in :class:`CKA`.
    debias : {"rows", "both"}, default=None
        None is the formula above; "rows" is Song's unbiased estimator without the
        diagonal, which is 0 on average for independent representations, and needs at
        least 4 rows. "both" is the mean of that over all pairs of a column of X and
        one of y, an unbiased estimate where columns, too, are samples of many: values
        of few and of many columns are then comparable. It needs the linear kernel.
    bandwidth : float, default=0.5
        Width of the RBF kernel in units of the median distance between rows.
    kernel_params : dict, default=None
        Keywords of other kernels, such as ``{"degree": 3}`` for "poly".
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error,
        for other kernels than the linear one and more than 4096 rows.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Hilbert-Schmidt independence criterion.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant, or so large that the value overflows. If a
        given matrix is not square and symmetric.

    See Also
    --------
    CKA : Normalised by the norms of both kernel matrices.

    References
    ----------
    A. Gretton, O. Bousquet, A. Smola, B. Schölkopf. Measuring statistical dependence
    with Hilbert-Schmidt norms. ALT, 2005.

    L. Song, A. Smola, A. Gretton, J. Bedo, K. Borgwardt. Feature selection via
    dependence maximization. JMLR, 2012 (the unbiased estimator).

    C. Chun, A. Canatar, S. Chung, D. D. Lee. Estimating neural representation alignment
    from sparsely sampled inputs and features. 2025, arXiv:2502.15104 ("both").

    Examples
    --------
    >>> from sksim.rsm import HSIC
    >>> HSIC().fit([[0.0], [1.0], [2.0]], [[0.0], [2.0], [4.0]]).similarity_
    4.0
    """

    _parameter_constraints: dict = {
        **BaseKernelSimilarity._parameter_constraints,
        "debias": [StrOptions({"rows", "both"}), None],
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

    def _of_product(self, product, view_x, view_y, n_samples):
        value = product / self._divisor(n_samples)
        for view in (view_x, view_y):
            value = value * view.unit
            if self._samples_columns:
                value = value / view.n_columns
        if anywhere((abs(value) < sys.float_info.min) & (product != 0)):
            raise ValueError(
                "The representations are so small that their HSIC vanishes. Rescale "
                "them, for example to unit norm."
            )
        return value

    def _compare_moments(self, moments, xp):
        product = self._kernel_products(moments, xp)[0]
        value = float(product) / self._divisor(moments.n)
        for side in (moments.x, moments.y):
            value *= side.scale * side.scale
            if self._samples_columns:
                value /= side.squares.shape[0]
        return value

    def _divisor(self, n):
        return (n - 1) ** 2 if self._is_biased else n * (n - 3)

    def _similarity_tags(self):
        invariances = set(self._invariances())
        if self.kernel in ("linear", "precomputed"):
            invariances -= {"IS"}
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0 if self._is_nonnegative else -float("inf"), float("inf")),
            invariances=invariances,
            requires=self._required,
            view_keywords=("role",),
            precomputed=self._is_given,
            exact=self._exact,
            differentiable=self._is_differentiable,
            streaming=self.kernel == "linear",
            complexity=self._complexity,
            reference="Gretton et al. 2005",
        )
