"""Predicted labels as codes, and their counts."""

from dataclasses import dataclass

import numpy as np

from sksim.arrays._namespace import device_of, encode, namespace_of, take, to_numpy
from sksim.arrays._views import View


@dataclass(frozen=True)
class CodedLabels(View):
    """Labels as codes: places in the sorted array of the model's own classes."""

    codes: object
    classes: np.ndarray

    _row_fields = ("codes",)

    def joined(self, other):
        """View of the rows of both, in one coding of the classes of both."""
        xp = namespace_of(self.codes)
        codes, _ = common_codes([self, other], xp=xp)
        return CodedLabels(xp.concat(codes), np.union1d(self.classes, other.classes))


def coded(labels, *, xp):
    """View of a label vector as codes."""
    codes, classes = encode(labels, xp=xp)
    return CodedLabels(codes, to_numpy(classes, xp=xp))


def common_codes(views, *, xp):
    """Codes of several views in one coding, and the number of classes in it."""
    first = views[0].classes
    if all(np.array_equal(view.classes, first) for view in views[1:]):
        return [view.codes for view in views], len(first)
    union = np.unique(np.concatenate([view.classes for view in views]))
    recoded = []
    for view in views:
        places = xp.asarray(
            np.searchsorted(union, view.classes), device=device_of(view.codes)
        )
        recoded.append(take(places, view.codes, xp=xp))
    return recoded, len(union)


def kappa(observed, expected, total):
    """Agreement above chance as a share of what chance leaves; nan for 0 / 0.

    All three are counts of one kind, so that the undefined case is found exactly.
    """
    if total == expected:
        return float("nan")
    return (observed - expected) / (total - expected)
