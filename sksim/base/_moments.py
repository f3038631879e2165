"""Measures that are functions of second moments: rows may come as a stream."""

from abc import abstractmethod

from sklearn.exceptions import NotFittedError
from sklearn.utils.metaestimators import available_if

from sksim._sklearn_compat import fit_context
from sksim.arrays._moments import merged, moments_of, without_rounding
from sksim.arrays._namespace import (
    check_same_namespace,
    device_of,
    is_numpy,
    namespace_of,
)
from sksim.base._comparison import MomentComparison
from sksim.base._dask import ChunksMixin
from sksim.base._row_names import refuse_other_rows_of
from sksim.base._streamed import StreamedMixin, is_streaming
from sksim.base._validation import (
    check_representation_pair,
    overflow_is_silent,
    refuse_missing_y,
    refuse_other_kind,
    refuse_unlike,
    rounding_of,
)


class MomentMixin(StreamedMixin, ChunksMixin):
    """Mixin for measures that are functions of joint second moments.

    Rows may come in blocks, by ``partial_fit``, and measures of several parts of the
    rows may be merged, by ``merge``; any split gives the number of all rows together.
    What is kept is as large as n_features^2, whatever the number of rows.

    A measure writes ``_compare_moments`` and sets the tag ``streaming`` where that
    holds with its present parameters. What else it needs it names in
    ``_moments_needed``. The comparison waits until its outcome is asked for: a fitted
    attribute, ``score`` or ``transform``.
    """

    _moments = None

    # ----- what a measure writes ------------------------------------------------------

    @abstractmethod
    def _compare_moments(self, moments, xp):
        """Statistic of the moments, or (statistic, details), as ``_compare`` gives.

        ``moments.x`` and ``moments.y`` have the fields ``n``, ``mean``, ``squares``
        (sum of squares of each centred column), ``squared_norm`` and ``scale``;
        ``moments.xx.matrix``, ``moments.xy.matrix`` and ``moments.yy.matrix`` are the
        sums of products of centred rows, in units of the scales of both factors. All
        in double precision.
        """

    def _moments_needed(self):
        """What the comparison uses, beside the means and the columns' spreads.

        A set of "cross" (X with y), "gram" (each with itself), "quartic" (moments of
        third and fourth order that are sums over rows) and "columns" (sums of the third
        and fourth powers of each column, the ``cubes`` and ``fourths`` of both sides).
        Empty: rows need not be paired.
        """
        return {"gram", "cross"}

    # ----- the estimator --------------------------------------------------------------

    @available_if(is_streaming)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None):
        """Go on with further rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Next rows of the first representation, one or more.
        y : array-like of shape (n_samples, n_features_y)
            The same rows of the second representation.

        Returns
        -------
        self : object
            The measure of all rows that were passed since it was made, or since the
            last ``fit``, which starts anew and keeps no moments to go on from.
        """
        if y is None:
            refuse_missing_y(self)
        refuse_other_rows_of(self, X, y, {})
        is_first = self._moments is None
        if is_first:
            self._warn_of_fit("moments")
        X, y, xp = check_representation_pair(
            self, X, y, reset=is_first, min_samples=1, may_be_sparse=False
        )
        if not is_first:
            check_same_namespace(X, self, attribute="_known_mean", method="partial_fit")
        moments = moments_of(X, y, self._moments_needed(), xp=xp)
        if not is_first:
            moments = merged(self._moments, moments, xp=xp)
        self._keep(moments)
        return self

    @available_if(is_streaming)
    def merge(self, other):
        """Add the rows that another measure has seen, as if they had been passed here.

        Parameters
        ----------
        other : object
            A measure of the same class and parameters, fitted by ``partial_fit`` to
            other rows of the same representations. It stays as it is.

        Returns
        -------
        self : object
            The measure of the rows of both.

        Raises
        ------
        ValueError
            If the other is another measure, has other parameters, was made of
            representations of other widths, or has no moments.
        """
        self._check_mergeable(other)
        xp = namespace_of(self._known_mean)
        self._keep(merged(self._moments, other._moments, xp=xp))
        return self

    # ----- moments --------------------------------------------------------------------

    def _check_mergeable(self, other):
        refuse_other_kind(self, other)
        for measure, which in ((self, "this measure"), (other, "other")):
            if measure._moments is None:
                raise ValueError(
                    f"{type(self).__name__} has no moments to merge: {which} was never "
                    "fitted by partial_fit. Call partial_fit on both first; fit keeps "
                    "no moments."
                )
        refuse_unlike(self, other)
        check_same_namespace(
            other._known_mean, self, attribute="_known_mean", method="merge"
        )

    @property
    def _known_mean(self):
        return self._moments.x.mean

    def _keep(self, moments):
        """Put new moments in the place of the old, and of what came of those."""
        self._forget_outcome()
        self._moments = moments
        self.n_samples_fit_ = moments.n

    def _fit(self, X, y, **metadata):
        self._moments = None
        return super()._fit(X, y, **metadata)

    @overflow_is_silent
    def _settle(self):
        """Compare the moments, unless that has been done."""
        if self._moments is None or "statistic_" in vars(self):
            return
        fewest = self._min_samples()
        if self._moments.n < fewest:
            raise NotFittedError(
                f"{type(self).__name__} has seen {self._moments.n} row(s), but needs "
                f"at least {fewest}: pass more to partial_fit."
            )
        self._keep_outcome(self._streamed())

    def _streamed(self):
        """Comparison of what the stream has left."""
        mean = self._known_mean
        xp = namespace_of(mean)
        return MomentComparison(
            moments=without_rounding(self._moments, xp=xp),
            measure=self,
            owner=self,
            xp=xp,
            device=None if is_numpy(xp) else device_of(mean),
            n_samples=self._moments.n,
            rounding=rounding_of(str(mean.dtype)),
        )
