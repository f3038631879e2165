"""Measures of outputs to which rows come in blocks: sums over rows, or counts."""

import numpy as np
from sklearn.utils.metaestimators import available_if

from sksim._sklearn_compat import fit_context
from sksim.arrays._namespace import to_numpy
from sksim.base._class_names import column_names
from sksim.base._stream_parts import LabelCounts, RowSums, sums_suffice
from sksim.base._streamed import StreamedMixin, is_streaming
from sksim.base._tags import ROW_METADATA
from sksim.base._validation import (
    are_arrays,
    overflow_is_silent,
    refuse_other_kind,
    refuse_unlike,
)


class OutputStreamMixin(StreamedMixin):
    """Mixin that gives measures of outputs ``partial_fit`` and ``merge``.

    What is kept is sums over rows where the measure is a function of them, else how
    often each combination of labels occurs. A measure sets the tag ``streaming``.
    """

    # (what is kept, names of the metadata among the columns, order of grades)
    _stream = None

    # ----- what a measure may write ---------------------------------------------------
    # where sums do not suffice its kernel (``_compare`` or ``_aggregate``) takes
    # ``times``, how often each row occurs; None: once

    def _counted(self, comparison):
        """Outputs and metadata of rows, as vectors of labels: what is counted."""
        rows = comparison.rows
        known = {k: v for k, v in rows.metadata.items() if k in ROW_METADATA}
        return list(rows.arrays), known

    def _named_by_place(self, X, metadata):
        """Metadata in which columns without names are called 0, 1, ...

        All rows together say which class a column is; a block can't.
        """
        one = X[0] if are_arrays(X) else X  # a list has an array for each model
        shape = np.shape(one)
        is_named = metadata.get("classes") is not None or column_names(one) is not None
        if is_named or len(shape) < 2 or shape[-1] < 2:
            return metadata
        return {**metadata, "classes": list(range(shape[-1]))}

    # ----- the estimator --------------------------------------------------------------

    @available_if(is_streaming)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X, y=None, y_true=None, *, classes=None, fill_missing_classes=False
    ):
        """Go on with further rows.

        Parameters
        ----------
        X : array-like
            Next rows of the first model's outputs, one or more; for groups of all
            models' outputs.
        y : array-like, default=None
            The same rows of the second model's outputs.
        y_true : array-like of shape (n_samples,), default=None
            True labels of these rows, for measures that use them.
        classes : sequence, default=None
            Class of each column of arrays that have no names of columns. None: 0, 1,
            ..., where it matters.
        fill_missing_classes : bool, default=False
            Whether a class that one side has and the other lacks has probability 0
            there. Otherwise it is refused.

        Returns
        -------
        self : object
            The measure of all rows that were passed since it was made, or since the
            last ``fit``, which starts anew. Attributes that hold one number for each
            row are left out.
        """
        names = {"classes": classes, "fill_missing_classes": fill_missing_classes}
        return self._partial_fit(X, y, y_true=y_true, **names)

    @overflow_is_silent
    def _partial_fit(self, X, y, **metadata):
        is_first = self._stream is None
        if is_first:
            self._warn_of_fit("sums")
        comparison = self._open(X, y, reset=is_first, **metadata)
        new = self._reduced(comparison)
        if not is_first:
            refuse_other_group(self, len(getattr(comparison, "views", ())))
            refuse_other_order(self._stream[2], new[2])
            new = (self._stream[0].plus(new[0]), *new[1:])
        n_before = 0 if is_first else self.n_samples_fit_
        self._keep_stream(new, n_before + comparison.n_samples)
        if hasattr(comparison, "views"):
            self.n_models_ = len(comparison.views)
        return self

    def _reduced(self, comparison):
        if sums_suffice(self):
            return RowSums.of(comparison), (), None
        outputs, known = self._counted(comparison)
        columns = [to_numpy(c, xp=comparison.xp) for c in (*outputs, *known.values())]
        order = comparison.rows.metadata.get("classes")
        return LabelCounts.of(columns), tuple(known), order

    @available_if(is_streaming)
    def merge(self, other):
        """Add the rows that another measure has seen, as if they had been passed here.

        Parameters
        ----------
        other : object
            A measure of the same class and parameters, fitted by ``partial_fit`` to
            other rows of the same models. It stays as it is.

        Returns
        -------
        self : object
            The measure of the rows of both.

        Raises
        ------
        ValueError
            If the other is another measure, has other parameters, was made of outputs
            with other columns, or has seen no rows.
        """
        refuse_other_kind(self, other)
        for measure, which in ((self, "this measure"), (other, "other")):
            if measure._stream is None:
                raise ValueError(
                    f"{type(self).__name__} has no sums to merge: {which} was never "
                    "fitted by partial_fit. Call partial_fit on both first; fit keeps "
                    "no sums."
                )
        refuse_unlike(self, other)
        refuse_other_group(self, getattr(other, "n_models_", 0))
        refuse_other_order(self._stream[2], other._stream[2])
        part = self._stream[0].plus(other._stream[0])
        n_samples = self.n_samples_fit_ + other.n_samples_fit_
        self._keep_stream((part, *self._stream[1:]), n_samples)
        return self

    # ----- what is kept ---------------------------------------------------------------

    def _keep_stream(self, stream, n_samples):
        self._forget_outcome()
        self._stream, self.n_samples_fit_ = stream, n_samples

    def _fit(self, X, y, **metadata):
        self._stream = None
        return super()._fit(X, y, **metadata)

    @overflow_is_silent
    def _settle(self):
        if self._stream is None or "statistic_" in vars(self):
            return
        part, names, order = self._stream
        if sums_suffice(self):
            self._store(part.outcome(self, self.n_samples_fit_))
        else:
            self._store_counted(part, names, order)

    def _store_counted(self, part, names, order):
        """Keep what comes of a table of counts, of whose cells each is one row."""
        columns, times = part.cells()
        n_outputs = len(columns) - len(names)
        known = dict(zip(names, columns[n_outputs:], strict=True))
        rows = self._of_counted(columns[:n_outputs], {**known, "classes": order})
        self._fit_counted(rows.compared(), times)

    def _fit_counted(self, comparison, times):
        """Become the measure of rows of which each occurs a number of times."""
        self._store(comparison.counted(times))
        self.n_samples_fit_ = int(times.sum())
        if hasattr(comparison, "views"):
            self.n_models_ = len(comparison.views)
        return self

    def _of_counted(self, outputs, metadata):
        """Rows of what was counted."""
        return self._rows(tuple(outputs), np, metadata)


def refuse_other_group(measure, n_models):
    """Raise unless two blocks are of as many models; 0 for what is of pairs."""
    known = getattr(measure, "n_models_", n_models)
    if known != n_models:
        raise ValueError(
            f"The rows before are of {known} models and these of {n_models}: all "
            "blocks must hold the same ones."
        )


def refuse_other_order(own, other):
    """Raise unless two blocks know the same order of grades."""
    if own is not None and other is not None and list(own) != list(other):
        raise ValueError(
            f"The grades come in the order {list(own)[:10]} before and "
            f"{list(other)[:10]} here: give all blocks the same categories."
        )
