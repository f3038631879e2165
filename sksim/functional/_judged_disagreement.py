"""What measures share that relate disagreement to errors."""

from dataclasses import dataclass, replace

import numpy as np

from sksim.arrays._namespace import count_unequal, encode, to_numpy
from sksim.arrays._views import View
from sksim.base import BaseFunctionalSimilarity
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

    def _compare(self, view_x, view_y, xp):
        differing = count_unequal(view_x.labels, view_y.labels, xp=xp)
        errors = [
            count_unequal(view.labels, view_x.y_true, xp=xp)
            for view in (view_x, view_y)
        ]
        n_classes = len(np.union1d(view_x.classes, view_y.classes))
        return self._relate(differing, *errors, view_x.labels.shape[0], n_classes)

    def _min_samples(self):
        return 1
