"""What measures share that relate disagreement to errors."""

from dataclasses import dataclass, replace

import numpy as np

from sksim.arrays._namespace import count_unequal, encode, to_numpy
from sksim.arrays._views import View
from sksim.base import BaseFunctionalSimilarity
from sksim.base._row_kinds import RowKinds
from sksim.functional._abstentions import (
    answered,
    table_of_answers,
    terms_of_answers,
)
from sksim.functional._undefined import UndefinedMixin


@dataclass(frozen=True)
class JudgedLabels(View):
    """Labels, the true ones, and the classes seen in either."""

    labels: object
    y_true: object
    classes: np.ndarray

    _row_fields = ("labels", "y_true")

    def joined(self, other):
        """View of the rows of both, with the classes of both."""
        classes = np.union1d(self.classes, other.classes)
        own, others = (replace(view, classes=classes) for view in (self, other))
        return super(JudgedLabels, own).joined(others)


class JudgedDisagreement(UndefinedMixin, BaseFunctionalSimilarity):
    """Disagreement related to what the models' errors allow.

    With the parameter ``abstain`` rows count that both models answer.

    Both models are judged by the first view's truth: under a permutation, too, rows
    then have one truth, without which the disagreement leaves its bounds.
    """

    def _view(self, X, xp, y_true):
        classes = [to_numpy(encode(a, xp=xp)[1], xp=xp) for a in (X, y_true)]
        return JudgedLabels(X, y_true, np.union1d(*classes))

    def _row_kinds(self, view_x, view_y, xp):
        """Kinds of rows: whether labels differ, and either is wrong, in bits."""
        views = view_x, view_y
        differ = view_x.labels != view_y.labels
        wrong = [view.labels != view_x.y_true for view in views]
        bits = [to_numpy(bit, xp=xp).astype(np.int64) for bit in (differ, *wrong)]
        n_classes = self._n_classes(*views)
        codes = np.arange(8)
        places = np.stack([codes >> 2 & 1, codes >> 1 & 1, codes & 1])
        of_row = 4 * bits[0] + 2 * bits[1] + bits[2]
        extremes = [0, 3, 5, 6, 7] if n_classes > 2 else [0, 3, 5, 6]
        if self.abstain is not None:  # the ninth kind has no part in the value
            by_both = self._answers(*views, xp)[0]
            of_row = np.where(to_numpy(by_both, xp=xp), of_row, 8)
            extremes = [*extremes, 8]

        def value_of(counts):
            counts = counts[:8]
            sums = (int(total) for total in places @ counts)
            found = self._relate(*sums, int(counts.sum()), n_classes)
            return self._value_of(found)

        return RowKinds(
            of_row=of_row,
            value_of=value_of,
            # all right, alike wrong, one of them wrong, both in different ways
            extremes=np.array(extremes),
            n_kinds=8 if self.abstain is None else 9,
        )

    def _compare(self, view_x, view_y, xp, times=None):
        vectors = [view_x.labels, view_y.labels, view_x.y_true]
        details = {}
        if self.abstain is not None:
            answers = self._answers(view_x, view_y, xp)
            counts = [_number_of(each, times, xp) for each in answers]
            n_rows = vectors[0].shape[0] if times is None else int(times.sum())
            details = table_of_answers(*counts, n_rows)
            vectors = [vector[answers[0]] for vector in vectors]
            times = None if times is None else times[answers[0]]
        differing, *errors = (
            count_unequal(vectors[i], vectors[j], xp=xp, times=times)
            for i, j in ((0, 1), (0, 2), (1, 2))
        )
        n_samples = vectors[0].shape[0] if times is None else int(times.sum())
        n_classes = self._n_classes(view_x, view_y)
        value, found = self._relate(differing, *errors, n_samples, n_classes)
        return value, {**found, **details}

    def _answers(self, view_x, view_y, xp):
        by = [answered(view.labels, self.abstain, xp) for view in (view_x, view_y)]
        return terms_of_answers(*by)

    def _n_classes(self, view_x, view_y):
        classes = np.union1d(view_x.classes, view_y.classes)
        if self.abstain is None:
            return len(classes)
        return int(np.count_nonzero(answered(classes, self.abstain, np)))

    def _min_samples(self):
        return 1


def _number_of(flags, times, xp):
    return int(xp.count_nonzero(flags) if times is None else times @ flags)
