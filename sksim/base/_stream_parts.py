"""What is kept of outputs that pass by: sums, counts, or the rows themselves."""

from collections import Counter

import numpy as np

from sksim.base._row_sums import RowSumComparison


def sums_suffice(measure):
    """Whether a measure, with its details, is a function of sums over rows."""
    kind = measure._kind
    return issubclass(kind, RowSumComparison) and kind.sums_suffice


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
