"""Centered kernel alignment."""

import math
import warnings
from dataclasses import replace

from sklearn.exceptions import UndefinedMetricWarning

from sksim._sklearn_compat import StrOptions
from sksim.arrays._columns import product_of_columns
from sksim.arrays._namespace import number, root
from sksim.arrays._repeats import self_term_of_columns, self_term_of_distinct
from sksim.base._contributions import ContributionsMixin
from sksim.base._repeats import root_of_signal
from sksim.base._tags import SimilarityTags
from sksim.rsm._contributions import (
    kernels_by_classes,
    kernels_by_components,
    kernels_by_rows,
)
from sksim.rsm._kernel_pool import KernelPool
from sksim.rsm._kernels import BaseKernelSimilarity, KernelMomentMixin

# Self terms below this share of the squared norm are what rounding leaves of zero: it
# left 1e-16 to 3e-15 of it where all columns but one are constant.
_NO_SELF_TERM = 64 * 2.0**-52


class CKA(ContributionsMixin, KernelMomentMixin, BaseKernelSimilarity):
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
    debias : {"rows", "both"}, default=None
        None is the classical value, which grows with D / n even between unrelated
        representations (0.72 at n = 100, D = 256); "rows" corrects it for the finite
        number of rows, by the unbiased estimator of HSIC (0.007 there), and needs at
        least 4 rows. "both" also corrects it for columns that are a sample of many, as
        recorded neurons are (see Notes); it needs the linear kernel and two columns.
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

    Warns
    -----
    UndefinedMetricWarning
        With ``debias="both"``, if a self term is not positive, or a representation has
        a single column: the value is nan.

    See Also
    --------
    sksim.inference.similarity_test : Is it more than chance?

    Notes
    -----
    The linear kernel costs O(n d^2) and makes no n x n matrix while d < n; the RBF
    kernel makes none above 4096 rows, where sums run over blocks. Blind to
    differences in directions of little variance. ``arccos`` of the biased value is a
    metric.

    ``debias="both"`` estimates the CKA of all columns that could have been sampled,
    those of each representation independently of the other's. The numerator is the mean
    of the unbiased HSIC of column a of X with column b of y over all pairs; under the
    root stand the means over pairs of *distinct* columns of X, and of y:

    .. math:: \frac{1}{D (D - 1)} \sum_{a \ne b}
        \operatorname{HSIC}_1(x_a x_a^\top, x_b x_b^\top) .

    A column with itself is left out, since it shares its noise. The value is a ratio
    of unbiased estimates: it may leave [-1, 1], and of X with itself it is above 1. It
    is nan where such a mean is not positive, as that of columns that share nothing is
    half of the time. Rotations mix columns and change it. Computed in double precision.

    References
    ----------
    C. Chun, A. Canatar, S. Chung, D. D. Lee. Estimating neural representation alignment
    from sparsely sampled inputs and features. 2025, arXiv:2502.15104 ("both").

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

    Thirty columns of two representations that have all ten directions in common; the
    estimate of 1 may be above it:

    >>> latent = rng.normal(size=(100, 10))
    >>> X, y = (latent @ rng.normal(size=(10, 30)) for _ in range(2))
    >>> round(CKA(debias="rows").fit(X, y).score_, 2)
    0.77
    >>> round(CKA(debias="both").fit(X, y).score_, 2)
    1.1
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

    @property
    def _takes_sketches(self):
        """Whether there is a correction for the noise of folded sketches of rows."""
        return self.kernel == "linear" and self.debias == "rows"

    def _parts_by_components(self, comparison):
        return kernels_by_components(comparison)

    def _parts_by_rows(self, comparison):
        return {"part": kernels_by_rows(comparison)}

    def _parts_by_classes(self, comparison, is_of):
        return kernels_by_classes(comparison, is_of)

    def _of_product(self, product, view_x, view_y, n_samples):
        return product / (view_x.norm * view_y.norm)

    def _of_sampled_columns(self, form, columns, xp):
        form = super()._of_sampled_columns(replace(form, columns=columns), columns, xp)
        squared_norm = form.inner(form, xp=xp)
        self_term = form.self_term(squared_norm, xp=xp)
        return replace(form, norm=_norm_of(self_term, squared_norm))

    def _norm_of_trials(self, trials, view, xp, role):
        product = total = self_term_of_distinct(trials, xp=xp)
        if self._samples_columns:
            product = product - self_term_of_columns(trials, xp=xp)
            product = product * view.n_columns / (view.n_columns - 1)
        return root_of_signal(number(product), number(total), role) / float(view.unit)

    def _check_views(self, view_x, view_y):
        if self._samples_columns:
            for view, name in ((view_x, "X"), (view_y, "y")):
                self._warn_without_self_term(view.norm, view.n_columns, name)

    @staticmethod
    def _warn_without_self_term(norm, n_columns, name):
        """Say why a value is nan."""
        if not math.isnan(number(norm)):
            return
        if n_columns == 1:
            reason = f"{name} has a single column, and so no pair of columns"
        else:
            reason = (
                f"The self term of {name}, the mean of HSIC over pairs of its distinct "
                f"columns, is not positive: these {n_columns} columns have nothing in "
                "common that is beyond chance"
            )
        warnings.warn(
            f"{reason}. CKA with debias='both' is undefined and set to nan. Use more "
            "rows or columns, or debias='rows'.",
            UndefinedMetricWarning,
            stacklevel=2,
        )

    def _as_number(self, statistic, tags):
        if self._samples_columns and math.isnan(number(statistic)):
            return math.nan  # with a reason, that was given before
        return super()._as_number(statistic, tags)

    def _compare_moments(self, moments, xp):
        xy, xx, yy = self._kernel_products(moments, xp)
        if not self._samples_columns:
            return xy / float(xx) ** 0.5 / float(yy) ** 0.5
        norms = []
        for side, squared_norm, name in ((moments.x, xx, "X"), (moments.y, yy, "y")):
            width = side.squares.shape[0]
            own = product_of_columns(side.squares, side.fourths, moments.n, xp=xp)
            per_pair = width / (width - 1) if width > 1 else math.nan
            norm = _norm_of((squared_norm - own) * per_pair, squared_norm)
            self._warn_without_self_term(norm, width, name)
            norms.append(norm)
        return xy / norms[0] / norms[1]

    def _moments_needed(self):
        columns = {"columns"} if self._samples_columns else set()
        return super()._moments_needed() | columns

    def _pool(self):
        # what columns would be beside those that were sampled, no kernel tells
        return None if self.debias == "both" else KernelPool(self)

    def _similarity_tags(self):
        masked = {"masked_bootstrap"} if self.debias == "rows" else set()
        bounds = (0, 1) if self._is_nonnegative else (-1, 1)
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-math.inf, math.inf) if self._samples_columns else bounds,
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

    @property
    def _required(self):
        columns = ("shared_columns",) if self._samples_columns else ()
        return (*super()._required, *columns)

    def _invariances(self):
        rotations = {"OT"} if self._samples_columns else set()
        return set(super()._invariances()) - rotations


def _norm_of(self_term, squared_norm):
    """Root of a self term; nan where it is not positive, but for rounding."""
    if not number(self_term) > _NO_SELF_TERM * number(squared_norm):
        return math.nan
    return root(self_term)
