"""Probabilities as answers: the most probable class, with the probabilities kept."""

import numpy as np
import pandas as pd

from sksim._reading._files import ending_of, holds_several, read_array
from sksim._reading._logs import read_predictions
from sksim.base._class_names import column_names, in_one_order
from sksim.base._readable import has_dtype, is_list, is_text
from sksim.base._row_names import quoted
from sksim.base._validation import check_probabilities
from sksim.pairwise._align_rows import _library
from sksim.pairwise._predictions._sides import _ANSWERS, _TRUTHS, as_frame


def read_side(predictions):
    """What a path leads to; all else as it is."""
    if not (is_text(predictions) or hasattr(predictions, "__fspath__")):
        return predictions
    is_of_arrays = ending_of(predictions) == ".npy" or holds_several(predictions)
    return read_array(predictions) if is_of_arrays else read_predictions(predictions)


def opened_sides(old, new, named):
    """Both sides as tables of answers, and their probabilities if both have them.

    Parameters
    ----------
    old, new : array-like or table
    named : set of str
        Columns that are something else: ids, truth, groups, slices.

    Returns
    -------
    old, new : array-like or table
    probabilities : pair of DataFrame, or None
        One column for each class, in one order; rows as they came.
    """
    sides = [_split(side, name, named) for name, side in (("old", old), ("new", new))]
    found = {name: p for name, (_, p) in zip(("old", "new"), sides, strict=True)}
    if all(p is None for p in found.values()):
        return old, new, None
    for name, p in found.items():
        if p is None:
            other = "new" if name == "old" else "old"
            raise ValueError(
                f"{other} holds probabilities and {name} does not: pass both models' "
                "probabilities, or both models' labels."
            )
    ordered, names = in_one_order(found)
    widths = [p.shape[1] for p in ordered.values()]
    if widths[0] != widths[1]:
        raise ValueError(
            f"old has {widths[0]} columns of probabilities and new has {widths[1]}: "
            "both must have one for each class."
        )
    tables = [
        _with_answers(rest, ordered[name], names)
        for name, (rest, _) in zip(("old", "new"), sides, strict=True)
    ]
    return *tables, tuple(ordered.values())


def refuse_counted_classes(truth, probabilities):
    """Raise if true labels are no columns of probabilities that have no names."""
    if truth is None or column_names(probabilities[0]) is not None:
        return
    n_classes = probabilities[0].shape[1]
    others = [label for label in pd.unique(truth) if label not in range(n_classes)]
    if others:
        raise ValueError(
            f"y_true holds {quoted(others[0])}, and the columns of probabilities are "
            f"classes 0 to {n_classes - 1}, since they have no names: pass tables "
            "whose columns are called as the classes are."
        )


def _split(side, name, named):
    """A table without its probabilities, and these; None if there are none."""
    if _library(side) is not None and hasattr(side, "columns"):
        return _split_table(as_frame(side), name, named)
    values = side
    if is_list(side) and len(side) and is_list(side[0]):
        values = np.asarray(side)
    if not has_dtype(values) or getattr(values, "ndim", 1) != 2 or values.shape[1] < 2:
        return side, None
    values = _checked(np.asarray(values, dtype=float), name)
    return pd.DataFrame(index=range(len(values))), pd.DataFrame(values)


def _checked(values, name):
    return check_probabilities(values, name, xp=np)


def _split_table(table, name, named):
    """Columns of numbers that sum to 1 in each row are probabilities of classes."""
    others = {*named, *_TRUTHS} & set(table.columns)
    columns = [column for column in table.columns if column not in others]
    numeric = [pd.api.types.is_numeric_dtype(table[column].dtype) for column in columns]
    if len(columns) < 2 or not all(numeric) or set(columns) & set(_ANSWERS):
        return table, None
    probabilities = table[columns].astype(float)
    values = probabilities.to_numpy()
    # of 16 bits, or written with few digits: the measures say what is wrong with them
    are_near = np.all(values >= 0) and np.all(np.abs(values.sum(axis=1) - 1) < 0.05)
    if not are_near:
        return table, None
    _checked(values, name)
    return table[[c for c in table.columns if c in others]], probabilities


def _with_answers(table, probabilities, names):
    """A table with the most probable class of each row as its answer."""
    classes = np.arange(probabilities.shape[1]) if names is None else np.array(names)
    best = probabilities.to_numpy().argmax(axis=1)
    return table.assign(answer=classes[best])
