"""Measures of outputs from batches, without the outputs where that can be."""

from dataclasses import dataclass

import array_api_compat
import numpy as np
from sklearn.base import clone

from sksim.arrays._accumulator import LayerAccumulator
from sksim.base._stream_parts import KeptRows, LabelCounts, RowSums, sums_suffice
from sksim.base._tags import tags_of

_INPUTS = ("labels", "probabilities", "outputs")


@dataclass(frozen=True)
class Answers:
    """Outputs of one model to a batch, on numpy."""

    values: np.ndarray

    @property
    def n_samples(self):
        """Number of rows."""
        return len(self.values)


class OutputSums(LayerAccumulator):
    """A measure of two models' outputs, from batches: the same as of all rows.

    What is kept depends on the measure. Of functions of sums over rows it is the sums.
    Of other functions of labels it is how often each pair of labels occurs, with each
    true label. Of the rest, such as rank correlations, it is the outputs.

    Parameters
    ----------
    measure : BaseSimilarity
        A measure of labels, probabilities or other outputs.
    classes : sequence, default=None
        Class of each column of the outputs.

    Attributes
    ----------
    names : tuple of two lists of str
        Names of the outputs of both models.
    n_samples, n_batches : int
    """

    n_batches = 0
    n_waiting = 0
    n_samples = 0

    def __init__(self, measure, *, classes=None):
        super().__init__()
        inputs = tags_of(measure).inputs
        if inputs not in _INPUTS:
            raise ValueError(
                f"{type(measure).__name__} is a measure of {inputs}, and takes no "
                "outputs. Choose a measure of labels, probabilities or outputs."
            )
        measure._validate_params()
        self.measure = measure
        self.classes = classes
        self._cells = {}

    _kept = Answers

    def reduced(self, side, name, rows):
        """Outputs on numpy.

        Parameters
        ----------
        side : {0, 1}
            Which model they are of.
        name : str
        rows : array of shape (n_samples,) or (n_samples, n_columns)

        Returns
        -------
        answers : Answers
            They share no memory with the rows.
        """
        return Answers(np.array(_on_numpy(rows)))

    def update(self, reduced_a, reduced_b=None, y_true=None):
        """Add a batch.

        Parameters
        ----------
        reduced_a, reduced_b : dict of str to array or Answers
            Outputs by name, as the measure takes them. One dictionary for both, or
            None, is one model against itself.
        y_true : array of shape (n_samples,), default=None
            True labels of the batch, for measures that use them.
        """
        outputs_a, outputs_b, n_samples = self._both(reduced_a, reduced_b)
        y_true = None if y_true is None else np.array(_on_numpy(y_true))
        cells = {
            (i, j): self._sums_of(a.values, b.values, y_true)
            for i, a in enumerate(outputs_a.values())
            for j, b in enumerate(outputs_b.values())
        }
        self._add(cells)
        self.n_samples += n_samples
        self.n_batches += 1

    def _sums_of(self, a, b, y_true):
        if self._is_of_rows(a):
            comparison = self._comparison(a, b, y_true)
            return RowSums.of(comparison, [a.shape[1:], b.shape[1:]])
        columns = [a, b] if y_true is None else [a, b, y_true]
        if all(_are_labels(column) for column in columns):
            return LabelCounts.of(columns)
        return KeptRows([[column] for column in columns])

    def _is_of_rows(self, outputs):
        """Whether no row's term depends on which others are there."""
        if not sums_suffice(self.measure):
            return False
        by_position = outputs.ndim > 1 and self.classes is None
        return not (by_position and "classes" in tags_of(self.measure).view_keywords)

    def _comparison(self, a, b, y_true):
        metadata = {} if y_true is None else {"y_true": y_true}
        if self.classes is not None:
            metadata["classes"] = self.classes
        return clone(self.measure)._open(a, b, **metadata)

    def _add(self, cells):
        for place, part in cells.items():
            known = self._cells.get(place)
            self._cells[place] = part if known is None else known.plus(part)

    # ----- parts ----------------------------------------------------------------------

    def merge(self, other):
        """Add the batches of another part.

        Parameters
        ----------
        other : OutputSums
            Of the same measure and the same outputs. It stays as it is.

        Returns
        -------
        self : OutputSums
        """
        self._refuse_other(other)
        if other.n_batches:
            self._add(other._cells)
            self.names = other.names
            self.n_samples += other.n_samples
            self.n_batches += other.n_batches
        return self

    def _settings(self):
        classes = None if self.classes is None else np.asarray(self.classes).tolist()
        return {"measure": repr(self.measure), "classes": classes}

    def state(self):
        """All that was accumulated, as a dictionary of arrays of numpy.

        Returns
        -------
        state : dict of str to array
            Without objects, so that ``numpy.savez`` writes it without pickles.
        """
        state = {
            **self._named_state(),
            "counts": np.array([self.n_samples, self.n_batches]),
        }
        for (i, j), part in self._cells.items():
            for name, values in part.state().items():
                state[f"{type(part).__name__}_{i}_{j}_{name}"] = values
        return state

    @classmethod
    def from_state(cls, state, measure, **params):
        """Go on from a state.

        Parameters
        ----------
        state : mapping of str to array
            What `state` gave.
        measure, **params
            As the sums were made with.

        Returns
        -------
        sums : OutputSums
        """
        sums = cls(measure, **params)
        sums._take_names(state)
        sums.n_samples, sums.n_batches = (int(count) for count in state["counts"])
        parts = {}
        for key in state:
            kind, *rest = key.split("_")
            if kind in _KINDS:
                i, j, name = rest
                fields = parts.setdefault((kind, int(i), int(j)), {})
                fields[name] = np.asarray(state[key])
        for (kind, i, j), fields in parts.items():
            sums._cells[i, j] = _KINDS[kind].from_state(fields)
        return sums

    # ----- results --------------------------------------------------------------------

    def fitted(self, name_a=None, name_b=None):
        """The measure, fitted to all rows.

        Parameters
        ----------
        name_a, name_b : str, default=None
            Which outputs; None: the first.

        Returns
        -------
        measure : BaseSimilarity
            Without attributes that hold something for each row.
        """
        places = [
            0 if name is None else names.index(name)
            for name, names in zip((name_a, name_b), self.names, strict=True)
        ]
        if not self.n_batches:
            raise ValueError("There are no rows to compare: no batch was passed.")
        measure = clone(self.measure)
        part = self._cells[tuple(places)]
        if isinstance(part, RowSums):
            return part.fitted(measure, self.n_samples)
        is_counted = isinstance(part, LabelCounts) and tags_of(measure).streaming
        columns, times = part.cells() if is_counted else (part.rows(), None)
        a, b, *y_true = columns
        metadata = {"y_true": y_true[0]} if y_true else {}
        if self.classes is not None:
            metadata["classes"] = self.classes
        if not is_counted:
            return measure._fit(a, b, **metadata)
        return measure._fit_counted(measure._open(a, b, **metadata), times)

    @property
    def scores(self):
        """Scores of all pairs of outputs."""
        names_a, names_b = self.names
        return np.array(
            [[self.fitted(a, b).score_ for b in names_b] for a in names_a], dtype=float
        )


_KINDS = {kind.__name__: kind for kind in (RowSums, LabelCounts, KeptRows)}


def _on_numpy(values):
    """Outputs of any library, on numpy; half precision becomes single."""
    if array_api_compat.is_torch_array(values):
        values = values.detach().cpu()
        is_half = values.dtype.is_floating_point and values.dtype.itemsize < 4
        return (values.float() if is_half else values).numpy()
    return np.asarray(values)


def _are_labels(column):
    """Whether values can be counted: any kind but fractions and missing ones."""
    return column.ndim == 1 and column.dtype.kind in "biuUS"
