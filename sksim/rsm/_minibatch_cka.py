"""Centered kernel alignment averaged over batches of rows."""

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from sksim._sklearn_compat import Interval, StrOptions, fit_context
from sksim.arrays._batch_grams import GramSums
from sksim.arrays._batch_sums import FEWEST_ROWS, BatchSums
from sksim.arrays._matching import index_array
from sksim.arrays._namespace import (
    get_namespace_and_device,
    move_to,
    namespace_of,
    take,
)
from sksim.arrays._views import View
from sksim.base._comparison import Comparison
from sksim.base._dask import ChunksMixin
from sksim.base._row_names import refuse_other_rows_of
from sksim.base._tags import SimilarityTags
from sksim.base._validation import (
    check_representation_pair,
    refuse_missing_y,
    refuse_other_kind,
    refuse_unlike,
)
from sksim.rsm._kernels import KERNELS_OF_ROWS, BaseKernelSimilarity


@dataclass(frozen=True)
class ShuffledRows(View):
    """Rows, and the order in which they are cut into batches; None for theirs."""

    rows: object
    order: object

    _row_fields = ("rows",)


class MinibatchCKA(ChunksMixin, BaseKernelSimilarity):
    r"""Centered kernel alignment estimated from batches of rows.

    An estimator of debiased CKA whose memory depends neither on the number of rows nor
    on the square of their width. With the unbiased estimator of HSIC of each batch b of
    :math:`n_b` rows,

    .. math:: m(R, R') = \frac{\sum_b n_b \operatorname{HSIC}_1(K_b, K'_b)}
        {\sqrt{\sum_b n_b \operatorname{HSIC}_1(K_b, K_b)}
        \sqrt{\sum_b n_b \operatorname{HSIC}_1(K'_b, K'_b)}} .

    A similarity in [-1, 1]. Invariant to orthogonal maps, isotropic scaling and
    translation for the linear and the RBF kernel.

    Parameters
    ----------
    kernel : {"linear", "rbf"} or str or callable, default="linear"
        Kernel of the rows, as in :class:`CKA`.
    batch_size : int, default=256
        Rows of a batch that ``fit`` makes; at least 4. What remains, if it is fewer
        than 4 rows, is added to the last batch. ``partial_fit`` takes all that it is
        passed as one batch; fewer than 4 rows wait for those of the next call.
    bandwidth : float, default=0.5
        Width of the RBF kernel in units of the median distance between the rows of the
        batch.
    kernel_params : dict, default=None
        Keywords of other kernels, such as ``{"degree": 3}`` for "poly".
    random_state : int, RandomState instance or None, default=None
        Which rows come into which batch in ``fit``.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Estimate of debiased CKA.
    standard_error_ : float
        Spread of the estimate between choices of the rows, from the spread between
        batches; nan for one batch. Rows that depend on each other make it too small.
    n_batches_ : int
        Number of batches.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows in the batches.
    n_samples_waiting_ : int
        Number of rows that ``partial_fit`` was passed and that are in no batch yet, 3
        at most.

    Raises
    ------
    ValueError
        If there are fewer than 4 rows, or if a representation is constant in a batch.

    See Also
    --------
    CKA : Exact; with the linear kernel it takes a stream, too, in O(d^2) memory.

    Notes
    -----
    Each of the three averages is unbiased: with a kernel that does not depend on the
    data, its expectation is the HSIC of the distribution that the rows are drawn from,
    whatever the batch size. The RBF kernel takes its width from each batch. The ratio
    has a bias of the order of 1 / n_samples, and a standard error that is larger than
    that of debiased CKA of all rows, by little once a batch has more rows than the
    representations have directions that matter. One batch of all rows is debiased CKA
    itself.

    There is no biased form: averages of the biased estimator tend to another number,
    which depends on the batch size and is large even between independent
    representations.

    Batches must be random. ``fit`` shuffles; a stream that is sorted, by class for
    example, has to be shuffled before it is passed to ``partial_fit``.

    References
    ----------
    T. Nguyen, M. Raghu, S. Kornblith. Do wide and deep networks learn the same things?
    Uncovering how neural network representations vary with width and depth. ICLR, 2021,
    arXiv:2010.15327.

    L. Song, A. Smola, A. Gretton, J. Bedo, K. Borgwardt. Feature selection via
    dependence maximization. JMLR, 2012 (the unbiased estimator).

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.rsm import CKA, MinibatchCKA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(2000, 50))
    >>> y = X + rng.normal(size=(2000, 50))
    >>> round(CKA(debias="rows").fit(X, y).score_, 2)
    0.5
    >>> measure = MinibatchCKA(batch_size=100, random_state=0).fit(X, y)
    >>> round(measure.score_, 2), measure.n_batches_, measure.standard_error_ < 0.01
    (0.5, 20, True)
    """

    # every order makes other batches, so that nothing has a closed form
    _kind = Comparison
    debias = "rows"
    _parameter_constraints: dict = {
        **BaseKernelSimilarity._parameter_constraints,
        "kernel": [StrOptions(KERNELS_OF_ROWS), callable],
        "batch_size": [Interval(Integral, FEWEST_ROWS, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        kernel="linear",
        *,
        batch_size=256,
        bandwidth=0.5,
        kernel_params=None,
        random_state=None,
    ):
        self.kernel = kernel
        self.batch_size = batch_size
        self.bandwidth = bandwidth
        self.kernel_params = kernel_params
        self.random_state = random_state

    def _view(self, X, xp, role, seed):
        if len(self._batches_of(X.shape[0])) == 1:
            return ShuffledRows(X, None)
        return ShuffledRows(X, np.random.default_rng(seed).permutation(X.shape[0]))

    def _batches_of(self, n_samples):
        """Slices of all rows, none with fewer rows than the estimator takes."""
        n_batches = max(
            1, (n_samples + self.batch_size - FEWEST_ROWS) // self.batch_size
        )
        starts = [i * self.batch_size for i in range(n_batches)]
        return list(map(slice, starts, [*starts[1:], n_samples]))

    def _compare(self, view_x, view_y, xp):
        total = None
        for rows in self._batches_of(view_x.rows.shape[0]):
            pair = (_rows_of(view, rows, xp) for view in (view_x, view_y))
            batch = self._sums(*pair, xp)
            total = batch if total is None else total.plus(batch)
        return self._outcome(total)

    def _sums(self, X, y, xp):
        view_x, view_y = super()._view(X, xp, "x"), super()._view(y, xp, "y")
        norms = [float(view.norm) for view in (view_x, view_y)]
        cosine = float(view_x.inner(view_y, xp=xp)) / (norms[0] * norms[1])
        sizes = [norms[0] * float(view_x.unit), norms[1] * float(view_y.unit)]
        for size, name in zip(sizes, "Xy", strict=True):
            if not 0 < size < math.inf:
                raise ValueError(
                    f"{name} is so large or so small that its kernel can't be summed "
                    "over batches. Rescale it, for example to unit norm."
                )
        cosine, *sizes = np.array([[cosine]]), *np.array(sizes)[:, None]
        return BatchSums.of_batch(X.shape[0], cosine, *sizes)

    @staticmethod
    def _outcome(sums):
        value, standard_error = (values.item() for values in sums.alignment())
        details = {
            "standard_error_": standard_error,
            "n_batches_": sums.n_batches,
            "_batch_sums": sums,
        }
        return value, details

    def _sums_of_layers(self, *, state=None, **params):
        """What accumulates this measure of all pairs of layers."""
        params |= {"kernel": self.kernel, "bandwidth": self.bandwidth}
        params["kernel_params"] = self.kernel_params
        return (
            GramSums(**params)
            if state is None
            else GramSums.from_state(state, **params)
        )

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Add one batch.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows of the first representation. Fewer than 4, as the last batch of a
            loader may have, wait for those of the next call, or of another measure
            that is merged; until then they count in ``n_samples_waiting_`` only.
        y : array-like of shape (n_samples, n_features_y)
            The same rows of the second representation.

        Returns
        -------
        self : object
            The measure of this batch and those before, of ``fit`` or ``partial_fit``.
        """
        if y is None:
            refuse_missing_y(self)
        refuse_other_rows_of(self, X, y, {})
        is_first = not hasattr(self, "n_samples_waiting_")
        X, y, xp = check_representation_pair(self, X, y, reset=is_first, min_samples=1)
        return self._add(X, y, xp, getattr(self, "_batch_sums", None))

    def _add(self, X, y, xp, sums):
        """Add the batch of rows and of those that wait, or let all of them wait."""
        if getattr(self, "_waiting", None) is not None:
            device = get_namespace_and_device(X)[2]
            X, y = (
                xp.concat(
                    [xp.astype(move_to(old, xp=xp, device=device), new.dtype), new]
                )
                for old, new in zip(self._waiting, (X, y), strict=True)
            )
        if X.shape[0] < FEWEST_ROWS:
            # copies: a loader may use its buffer again
            return self._keep(
                sums, (xp.asarray(X, copy=True), xp.asarray(y, copy=True))
            )
        batch = self._sums(X, y, xp)
        return self._keep(batch if sums is None else sums.plus(batch), None)

    def merge(self, other):
        """Add the batches of another measure.

        Parameters
        ----------
        other : MinibatchCKA
            A measure with the same parameters, fitted to other rows of the same
            representations. It stays as it is.

        Returns
        -------
        self : object
            The measure of the batches of both.

        Raises
        ------
        ValueError
            If the other is another measure, has other parameters, was made of
            representations of other widths, or has not seen a batch.
        """
        refuse_other_kind(self, other)
        for measure, which in ((self, "this measure"), (other, "other")):
            if not hasattr(measure, "n_samples_waiting_"):
                raise ValueError(
                    f"MinibatchCKA has no batches to merge: {which} was never fitted. "
                    "Call fit or partial_fit on both first."
                )
        refuse_unlike(self, other)
        both = [m._batch_sums for m in (self, other) if m._batch_sums is not None]
        sums = both[0].plus(both[1]) if len(both) == 2 else next(iter(both), None)
        if other._waiting is None:
            return self._keep(sums, self._waiting)
        X, y = other._waiting
        return self._add(X, y, namespace_of(X), sums)

    def _keep(self, sums, waiting):
        """Become the measure of these batches, and of rows that wait for others."""
        self._batch_sums, self._waiting = sums, waiting
        self.n_samples_waiting_ = 0 if waiting is None else waiting[0].shape[0]
        self.n_samples_fit_ = 0 if sums is None else sums.n_samples
        if sums is not None:
            self._store(self._outcome(sums))
        return self

    def _keep_outcome(self, comparison):
        self._waiting, self.n_samples_waiting_ = None, 0
        super()._keep_outcome(comparison)

    def _score(self, X, y, **metadata):
        if X is None and y is None and getattr(self, "_batch_sums", ()) is None:
            raise ValueError(
                "MinibatchCKA has no score yet: it was passed "
                f"{self.n_samples_waiting_} of the {FEWEST_ROWS} rows that a batch "
                "needs. Call partial_fit with more."
            )
        return super()._score(X, y, **metadata)

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-1, 1),
            invariances=self._invariances(),
            requires=("nonzero_rows",) if self.kernel == "cosine" else (),
            view_keywords=("role", "seed"),
            intervals=(),
            streaming="batches",
            deterministic=False,
            complexity="n b d",
            reference="Nguyen et al. 2021",
        )


def _rows_of(view, rows, xp):
    """Rows of one batch."""
    if view.order is None:
        return view.rows[rows, :]
    chosen = index_array(view.order[rows], like=view.rows, xp=xp)
    return take(view.rows, chosen, xp=xp)
