"""What measures share that relate disagreement to errors."""

from dataclasses import dataclass, replace

import numpy as np

from sksim.arrays._namespace import count_unequal, encode, to_numpy
from sksim.arrays._views import View
from sksim.base import BaseFunctionalSimilarity
from sksim.base._row_kinds import RowKinds
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

    Both models are judged by the first view's truth: under a permutation, too, rows
    then have one truth, without which the disagreement leaves its bounds.
    """

    def _view(self, X, xp, y_true):
        classes = [to_numpy(encode(a, xp=xp)[1], xp=xp) for a in (X, y_true)]
        return JudgedLabels(X, y_true, np.union1d(*classes))

    def _row_kinds(self, view_x, view_y, xp):
        """Kinds of rows: whether labels differ, and either is wrong, in bits."""
        differ = view_x.labels != view_y.labels
        wrong = [view.labels != view_x.y_true for view in (view_x, view_y)]
        bits = [to_numpy(bit, xp=xp).astype(np.int64) for bit in (differ, *wrong)]
        n_classes = len(np.union1d(view_x.classes, view_y.classes))
        codes = np.arange(8)
        places = np.stack([codes >> 2 & 1, codes >> 1 & 1, codes & 1])

        def value_of(counts):
            sums = (int(total) for total in places @ counts)
            found = self._relate(*sums, int(counts.sum()), n_classes)
            return self._value_of(found)

        return RowKinds(
            of_row=4 * bits[0] + 2 * bits[1] + bits[2],
            value_of=value_of,
            # all right, alike wrong, one of them wrong, both in different ways
            extremes=np.array([0, 3, 5, 6, 7] if n_classes > 2 else [0, 3, 5, 6]),
            n_kinds=8,
        )

    def _compare(self, view_x, view_y, xp, times=None):
        vectors = [view_x.labels, view_y.labels, view_x.y_true]
        differing, *errors = (
            count_unequal(vectors[i], vectors[j], xp=xp, times=times)
            for i, j in ((0, 1), (0, 2), (1, 2))
        )
        n_classes = len(np.union1d(view_x.classes, view_y.classes))
        n_samples = vectors[0].shape[0] if times is None else int(times.sum())
        return self._relate(differing, *errors, n_samples, n_classes)

    def _min_samples(self):
        return 1
