"""Two models' answers row by row, as far as the input has any."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sksim.arrays._namespace import namespace_of, to_numpy
from sksim.base._class_names import in_one_order
from sksim.base._readable import as_values
from sksim.base._validation import as_label_array
from sksim.functional import Disagreement, RegressionDifference, TotalVariation
from sksim.models._outputs import columns_of
from sksim.pairwise._predictions import compare_predictions

_N_ROWS = 100


@dataclass(frozen=True)
class Outputs:
    """What two models answer.

    Attributes
    ----------
    labels : pair of ndarray of shape (n_samples,), or None
    probabilities : pair of ndarray of shape (n_samples, n_classes), or None
    numbers : pair of ndarray of shape (n_samples,), or None
    y_true : ndarray or None
    row_names : Index or None
        Where they tell rows apart.
    missing : str
        Why there are none.
    """

    labels: tuple | None = None
    probabilities: tuple | None = None
    numbers: tuple | None = None
    y_true: object = None
    row_names: pd.Index | None = None
    missing: str = ""

    def named(self, values):
        """Values of all rows with the rows' names, where these are known."""
        if self.row_names is None or values is None:
            return values
        return pd.Series(values, index=self.row_names)

    def suit(self, inputs):
        """Whether measures of a kind of input are about these answers."""
        if inputs == "labels":
            return self.numbers is None
        if inputs == "outputs":
            return self.labels is None
        return True


def read_by():
    """Measures whose inputs are read, for pairs that are gone through once."""
    return [Disagreement(), TotalVariation(), RegressionDifference()]


def outputs_of(pair, kinds):
    """What two models answer, in the forms that the input allows.

    Parameters
    ----------
    pair : ArrayPair or ModelPair
    kinds : set of str
        What measures compare; models are asked for nothing else.

    Returns
    -------
    outputs : Outputs
    """
    labels, why_not = _inputs(pair, Disagreement())
    y_true = None if pair.labels is None else _labels(pair.labels)
    y_true = y_true if np.ndim(y_true) == 1 else None
    found, classes, probabilities = {}, None, None
    if "probabilities" in kinds:
        probabilities, _ = _inputs(pair, TotalVariation())
    if probabilities is not None:
        found["probabilities"], classes = _in_one_order(probabilities)
    if labels is not None and _are_numbers(labels):
        found["numbers"] = _array(labels.x), _array(labels.y)
    elif labels is not None:
        found["labels"] = _labels(labels.x), _labels(labels.y)
    elif found.get("probabilities") is not None:
        n_classes = found["probabilities"][0].shape[1]
        if y_true is not None:  # a class that no column is for is refused
            _, names = columns_of(y_true, n_classes, classes, name="classes")
        else:
            names = np.arange(n_classes) if classes is None else np.asarray(classes)
        found["labels"] = tuple(
            names[np.argmax(each, axis=1)] for each in found["probabilities"]
        )
    else:
        numbers, _ = _inputs(pair, RegressionDifference())
        if numbers is not None and np.ndim(numbers.x) == np.ndim(numbers.y) == 1:
            found["numbers"] = tuple(map(_array, (numbers.x, numbers.y)))
    for answers in found.values():
        _refuse_other_length(y_true, answers)
    names = pair.row_names
    if names is not None and not names.is_unique:
        names = None
    missing = "" if found else why_not
    return Outputs(**found, y_true=y_true, row_names=names, missing=missing)


def _refuse_other_length(y_true, answers):
    if y_true is None or answers is None or len(y_true) == len(answers[0]):
        return
    raise ValueError(
        f"y_true has {len(y_true)} labels and the models answer {len(answers[0])} "
        "rows: it must have one for each row, in the same order."
    )


def _inputs(pair, measure):
    """What a measure compares, or why there is nothing."""
    try:
        return pair.inputs_of(measure), ""
    except ValueError as error:
        return None, str(error)


def _in_one_order(inputs):
    """Probabilities of both, and their classes; None where these don't match."""
    known = inputs.metadata
    try:
        tables, classes = in_one_order(
            {"a": inputs.x, "b": inputs.y},
            classes=known.get("classes"),
            fill=known.get("fill_missing_classes", False),
        )
    except ValueError:  # which the measures say of their own inputs
        return None, None
    return tuple(_array(table) for table in tables.values()), classes


def _are_numbers(inputs):
    """Whether a regressor's answers were given for labels."""
    sides = [np.asarray(_labels(side)) for side in (inputs.x, inputs.y)]
    return any(s.dtype.kind == "f" and not np.all(s == np.round(s)) for s in sides)


def _array(values):
    """A table or an array of any library as one of numpy."""
    values = as_values(values, "outputs") if hasattr(values, "dtypes") else values
    return to_numpy(values, xp=namespace_of(values))


def _labels(values):
    """A vector of labels as an array of numpy; objects stay what they are."""
    values = as_label_array(values, "labels")
    if hasattr(values, "dtypes") or hasattr(values, "to_numpy"):
        return np.asarray(values)
    return to_numpy(values, xp=namespace_of(values))


def compared_predictions(outputs, **settings):
    """The answers of two models row by row, or why they can't be compared.

    Parameters
    ----------
    outputs : Outputs
    **settings : object
        Of :func:`compare_predictions`.

    Returns
    -------
    predictions : PredictionComparisonResult or None
    why_not : str
    """
    if outputs.labels is None:
        return None, outputs.missing
    sides = [outputs.named(each) for each in (*outputs.labels, outputs.y_true)]
    try:
        found = compare_predictions(*sides, **settings)
    except ValueError as error:
        return None, str(error).rstrip(".")
    return found, ""


def differing_rows(outputs):
    """The rows on which two models differ most.

    Parameters
    ----------
    outputs : Outputs

    Returns
    -------
    rows : DataFrame or None
    """
    answers = outputs.labels or outputs.numbers
    if answers is None:
        return None
    table = pd.DataFrame(
        {"answer_a": answers[0], "answer_b": answers[1]}, index=outputs.row_names
    )
    table.index = table.index.rename(table.index.name or "row")
    if outputs.y_true is not None:
        table["truth"] = outputs.y_true
    if outputs.probabilities is not None:
        a, b = outputs.probabilities
        table["confidence_a"], table["confidence_b"] = a.max(axis=1), b.max(axis=1)
        table["difference"] = 0.5 * np.abs(a - b).sum(axis=1)
    elif outputs.labels is None:
        table["difference"] = np.abs(answers[0] - answers[1])
    else:
        return table[table["answer_a"] != table["answer_b"]].head(_N_ROWS)
    table = table.sort_values("difference", ascending=False, kind="stable")
    return table[table["difference"] > 0].head(_N_ROWS)
