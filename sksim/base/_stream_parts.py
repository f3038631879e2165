"""What is kept of outputs that pass by: sums, counts, or the rows themselves."""

from collections import Counter

import numpy as np

from sksim.arrays._namespace import encode
from sksim.base._readable import is_text
from sksim.base._tags import tags_of


def sums_suffice(measure):
    """Whether a measure, with its details, is a function of sums over rows."""
    return getattr(measure._kind, "sums_suffice", False)


class RowSums:
    """Sums over rows, and the numbers of columns of both outputs, if they have any.

    Of what the measure names in ``_largest_of_rows`` there are the largest values; of
    some groups there are `LabelCounts` of all models' labels together.
    """

    def __init__(self, sums, widths, largest=(), votes=None):
        self.sums = np.asarray(sums, dtype=np.float64)
        self.widths = [tuple(map(int, width)) for width in widths]
        self.largest = tuple(largest)
        self.votes = votes

    @classmethod
    def of(cls, comparison, widths=()):
        """Sums of the rows that are compared."""
        return cls(comparison.sums(), widths, comparison.largest(), comparison.votes())

    def plus(self, other):
        """Sums of both."""
        largest = map(max, self.largest, other.largest)
        votes = None if self.votes is None else self.votes.plus(other.votes)
        return RowSums(self.sums + other.sums, self.widths, largest, votes)

    def outcome(self, measure, n_samples):
        """Statistic and details of these sums."""
        sums = self.sums if self.sums.ndim else float(self.sums)
        votes = () if self.votes is None else (self.votes.times(),)
        statistic, details = measure._kind.of_sums(measure, sums, n_samples, *votes)
        names = getattr(measure, "_largest_of_rows", ())
        return statistic, {**details, **dict(zip(names, self.largest, strict=True))}

    def fitted(self, measure, n_samples):
        """The measure with what it is of these sums."""
        measure._store(self.outcome(measure, n_samples))
        measure.n_samples_fit_ = n_samples
        if tags_of(measure).arity == "group":
            measure.n_models_ = len(self.widths)
        names = "n_features_in_", "n_features_y_in_"
        for name, width in zip(names, self.widths, strict=True):
            if width:
                setattr(measure, name, width[0])
        return measure

    def state(self):
        """The sums by name."""
        return {
            "sums": self.sums,
            "largest": np.array(self.largest, dtype=np.float64),
            **dict(zip("xy", map(np.array, self.widths), strict=True)),
            **({} if self.votes is None else self.votes.state()),
        }

    @classmethod
    def from_state(cls, fields):
        """The sums of a state."""
        widths = [fields["x"], fields["y"]]
        votes = None
        if "times" in fields:
            votes = LabelCounts.from_state({k: fields[k] for k in ("column0", "times")})
        return cls(fields["sums"], widths, fields["largest"].tolist(), votes)


class LabelCounts:
    """How often each combination of labels occurs; None is a missing one."""

    def __init__(self, counts):
        self.counts = counts

    @classmethod
    def of(cls, columns):
        """Counts of vectors of labels, of the same rows."""
        found = [_distinct(column) for column in columns]
        cells = np.zeros(len(columns[0]), dtype=np.int64)
        for labels, codes in found:
            cells, _ = encode(cells * len(labels) + codes, xp=np)
        counts = np.bincount(cells)
        rows = np.empty(len(counts), dtype=np.int64)
        rows[cells] = np.arange(len(cells))  # any row of a cell has its labels
        of_cells = [[labels[c] for c in codes[rows]] for labels, codes in found]
        keys = zip(*of_cells, strict=True)
        return cls(Counter(dict(zip(keys, counts.tolist(), strict=True))))

    def plus(self, other):
        """Counts of both."""
        own, others = (_has_text(part.counts) for part in (self, other))
        if None not in (own, others) and own != others:
            kinds = ["text" if each else "numbers" for each in (own, others)]
            raise ValueError(
                f"The labels are {kinds[0]} before and {kinds[1]} here, which can "
                "never agree. Encode all labels alike."
            )
        return LabelCounts(self.counts + other.counts)

    def cells(self):
        """Vectors of the labels of each combination, and how often each occurs."""
        columns = [np.array(column) for column in zip(*self.counts, strict=True)]
        return columns, self.times()

    def times(self):
        """How often each combination occurs."""
        return np.array(list(self.counts.values()))

    def rows(self):
        """Vectors of labels with these counts, in one of their orders."""
        columns, times = self.cells()
        return [np.repeat(column, times) for column in columns]

    def state(self):
        """Labels and counts by name."""
        columns, times = self.cells()
        named = {f"column{i}": column for i, column in enumerate(columns)}
        return {**named, "times": times}

    @classmethod
    def from_state(cls, fields):
        """The counts of a state."""
        columns = [fields[f"column{i}"].tolist() for i in range(len(fields) - 1)]
        times = fields["times"].tolist()
        return cls(Counter(dict(zip(zip(*columns, strict=True), times, strict=True))))


def _distinct(column):
    """Distinct labels of a vector, None last for missing ones; and each row's place."""
    if column.dtype.kind == "O":
        is_known = ~np.equal(column, None).astype(bool)
    else:
        is_known = column == column  # nan is not
    if is_known.all():
        codes, classes = encode(column, xp=np)
        return classes.tolist(), codes
    known, classes = encode(column[is_known], xp=np)
    codes = np.full(len(column), len(classes))
    codes[is_known] = known
    return [*classes.tolist(), None], codes


def _has_text(counts):
    """Whether labels are text; None where there are none."""
    known = (label for key in counts for label in key if label is not None)
    first = next(known, None)
    return None if first is None else is_text(first)


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
