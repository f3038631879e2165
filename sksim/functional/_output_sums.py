"""Measures of outputs from batches, without the outputs where that can be."""

from collections import Counter
from dataclasses import dataclass

import array_api_compat
import numpy as np
from sklearn.base import clone

from sksim.arrays._accumulator import LayerAccumulator
from sksim.base._row_sums import RowSumComparison
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
            return RowSums(comparison.sums(), [a.shape[1:], b.shape[1:]])
        columns = [a, b] if y_true is None else [a, b, y_true]
        if all(_are_labels(column) for column in columns):
            return LabelCounts.of(columns)
        return KeptRows([[column] for column in columns])

    def _is_of_rows(self, outputs):
        """Whether no row's term depends on which others are there."""
        if self.measure._kind is not RowSumComparison:
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
        a, b, *y_true = part.rows()
        metadata = {"y_true": y_true[0]} if y_true else {}
        if self.classes is not None:
            metadata["classes"] = self.classes
        return measure._fit(a, b, **metadata)

    @property
    def scores(self):
        """Scores of all pairs of outputs."""
        names_a, names_b = self.names
        return np.array(
            [[self.fitted(a, b).score_ for b in names_b] for a in names_a], dtype=float
        )


# ----- what is kept of a pair of outputs ----------------------------------------------


class RowSums:
    """Sums over rows, and the numbers of columns of both outputs, if they have any."""

    def __init__(self, sums, widths):
        self.sums = np.asarray(sums, dtype=np.float64)
        self.widths = [tuple(map(int, width)) for width in widths]

    def plus(self, other):
        """Sums of both."""
        return RowSums(self.sums + other.sums, self.widths)

    def fitted(self, measure, n_samples):
        """The measure with what it is of these sums."""
        sums = self.sums if self.sums.ndim else float(self.sums)
        measure._store(measure._of_sums(sums, n_samples))
        measure.n_samples_fit_ = n_samples
        names = "n_features_in_", "n_features_y_in_"
        for name, width in zip(names, self.widths, strict=True):
            if width:
                setattr(measure, name, width[0])
        return measure

    def state(self):
        """The sums by name."""
        return {
            "sums": self.sums,
            **dict(zip("xy", map(np.array, self.widths), strict=True)),
        }

    @classmethod
    def from_state(cls, fields):
        """The sums of a state."""
        return cls(fields["sums"], [fields["x"], fields["y"]])


class LabelCounts:
    """How often each combination of labels occurs."""

    def __init__(self, counts):
        self.counts = counts

    @classmethod
    def of(cls, columns):
        """Counts of vectors of labels, of the same rows."""
        found = [np.unique(column, return_inverse=True) for column in columns]
        codes = np.stack([inverse.reshape(-1) for _, inverse in found])
        cells, counts = np.unique(codes, axis=1, return_counts=True)
        labels = [
            classes[cell].tolist()
            for (classes, _), cell in zip(found, cells, strict=True)
        ]
        keys = zip(*labels, strict=True)
        return cls(Counter(dict(zip(keys, counts.tolist(), strict=True))))

    def plus(self, other):
        """Counts of both."""
        return LabelCounts(self.counts + other.counts)

    def rows(self):
        """Vectors of labels with these counts, in one of their orders."""
        columns = zip(*self.counts, strict=True)
        times = np.array(list(self.counts.values()))
        return [np.repeat(np.array(column), times) for column in columns]

    def state(self):
        """Labels and counts by name."""
        columns = zip(*self.counts, strict=True)
        named = {f"column{i}": np.array(c) for i, c in enumerate(columns)}
        return {**named, "times": np.array(list(self.counts.values()))}

    @classmethod
    def from_state(cls, fields):
        """The counts of a state."""
        columns = [fields[f"column{i}"].tolist() for i in range(len(fields) - 1)]
        times = fields["times"].tolist()
        return cls(Counter(dict(zip(zip(*columns, strict=True), times, strict=True))))


class KeptRows:
    """The outputs themselves."""

    def __init__(self, columns):
        self.columns = columns

    def plus(self, other):
        """Rows of both, one after the other."""
        return KeptRows(
            [
                own + others
                for own, others in zip(self.columns, other.columns, strict=True)
            ]
        )

    def rows(self):
        """Outputs of all rows."""
        return [np.concatenate(parts) for parts in self.columns]

    def state(self):
        """Outputs by name."""
        return {f"column{i}": column for i, column in enumerate(self.rows())}

    @classmethod
    def from_state(cls, fields):
        """The rows of a state."""
        return cls([[fields[f"column{i}"]] for i in range(len(fields))])


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
