"""What each answer costs, by the true class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from sksim._reading._options import listed


def costs_of_rows(answers, costs):
    """Cost of each row's answer, of both models, and the largest difference of costs.

    Parameters
    ----------
    answers : Answers or None
    costs : array-like of shape (n_classes, n_classes), DataFrame or dict of dicts
        ``costs[true][answer]``; in tables the index is the true class.
    """
    if answers is None or answers.truth is None:
        raise ValueError(
            "costs are of answers given true classes: pass answers and y_true."
        )
    table = _as_table(costs, answers.classes)
    truths, given = np.unique(answers.truth), np.unique([answers.a, answers.b])
    matrix = np.full((len(answers.classes), len(answers.classes)), np.nan)
    for axis, codes, names in ((0, truths, table.index), (1, given, table.columns)):
        labels = answers.classes[codes]
        unknown = [label for label in labels.tolist() if label not in names]
        if unknown:
            what = ("true class", "answer")[axis]
            raise ValueError(
                f"costs has no entry for the {what} {unknown[0]!r}: it has "
                f"{listed(map(repr, names), 10)}."
            )
    part = table.loc[answers.classes[truths].tolist(), answers.classes[given].tolist()]
    values = part.to_numpy(dtype=float)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"costs must be finite numbers, but that of the true class "
            f"{part.index[row]!r} and the answer {part.columns[column]!r} is "
            f"{values[row, column]}."
        )
    matrix[np.ix_(truths, given)] = values
    cost_a, cost_b = matrix[answers.truth, answers.a], matrix[answers.truth, answers.b]
    span = float(np.max(values.max(axis=1) - values.min(axis=1)))
    return cost_a, cost_b, span


def _as_table(costs, classes):
    """Costs with the classes as names of rows and columns."""
    if isinstance(costs, pd.DataFrame):
        return costs
    if isinstance(costs, Mapping):
        return pd.DataFrame.from_dict(dict(costs), orient="index")
    try:
        matrix = np.asarray(costs, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"costs must be a matrix of numbers: {error}.") from error
    n_classes = len(classes)
    names = sorted(classes.tolist())
    if matrix.shape != (n_classes, n_classes):
        raise ValueError(
            f"costs has the shape {matrix.shape}, and there are {n_classes} classes "
            f"({listed(map(repr, names), 10)}): pass costs[true][answer] for each, or "
            "a table or dict that names them."
        )
    return pd.DataFrame(matrix, index=names, columns=names)
