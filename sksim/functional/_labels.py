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
        return CodedLabels(xp.concat(codes), union_of_classes([self, other]))


def coded(labels, *, xp, order=None):
    """View of a label vector as codes.

    Parameters
    ----------
    labels : array of shape (n_samples,)
    xp : module
        Its namespace.
    order : sequence, default=None
        All classes in their order; None: those of the vector, sorted.
    """
    codes, classes = encode(labels, xp=xp)
    classes = to_numpy(classes, xp=xp)
    if order is None:
        return CodedLabels(codes, classes)
    order = np.asarray(order)
    places = {label: place for place, label in enumerate(order.tolist())}
    if len(places) < len(order):
        raise ValueError(f"labels names a grade twice: {order.tolist()[:10]}.")
    unknown = [label for label in classes.tolist() if label not in places]
    if unknown:
        raise ValueError(
            f"The grades {unknown[:5]} are not among those whose order is known, "
            f"{order.tolist()[:10]}: name all of them in labels=, or as categories."
        )
    own = np.array([places[label] for label in classes.tolist()], dtype=np.int64)
    own = xp.asarray(own, device=device_of(codes))
    return CodedLabels(take(own, codes, xp=xp), order)


def refuse_text_without_order(labels, name):
    """Raise on text whose grades have no order."""
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "OSUT":
        raise ValueError(
            f"{name} need the order of the labels, and text has none: pass "
            "labels=[...] with all grades, lowest first, or ordered categoricals."
        )


def common_codes(views, *, xp):
    """Codes of several views in one coding, and the number of classes in it."""
    first = views[0].classes
    if all(np.array_equal(view.classes, first) for view in views[1:]):
        return [view.codes for view in views], len(first)
    union = union_of_classes(views)
    recoded = []
    for view in views:
        if not len(view.classes):  # a rater without ratings, who has none to recode
            recoded.append(view.codes)
            continue
        places = xp.asarray(
            np.searchsorted(union, view.classes), device=device_of(view.codes)
        )
        recoded.append(take(places, view.codes, xp=xp))
    return recoded, len(union)


def union_of_classes(views):
    """Classes of several views: one order where all have the same, else sorted."""
    first = views[0].classes
    if all(np.array_equal(view.classes, first) for view in views[1:]):
        return first
    return np.unique(np.concatenate([view.classes for view in views]))


def kappa(observed, expected, total):
    """Agreement above chance as a share of what chance leaves; nan for 0 / 0.

    All three are counts of one kind, so that the undefined case is found exactly.
    """
    if total == expected:
        return float("nan")
    return (observed - expected) / (total - expected)
