"""What users pass for one model's predictions, as a table with ids."""

from dataclasses import dataclass, replace
from os import PathLike

import numpy as np
import pandas as pd

from sksim._reading._logs import ID_LEVELS, read_predictions
from sksim._reading._options import listed
from sksim.base._readable import (
    as_values,
    is_list,
    refuse_foreign,
    refuse_missing,
)
from sksim.base._row_names import row_names
from sksim.base._validation import as_label_array
from sksim.pairwise._align_rows import _columns, _library

# Columns that are what they are called, where there are others.
_ANSWERS = ("answer", "prediction", "predictions", "predicted", "pred", "y_pred")
_TRUTHS = ("target", "truth", "y_true")
# What readers of logs put before the names of a document's own fields.
_PREFIXES = ("doc.", "metadata.")
# Columns of logs that are neither scores nor said of the document.
_OF_LOGS = {"answer", "answer_norm", "target", "doc_hash", "n_options"}.union(
    *ID_LEVELS
)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One model's predictions.

    Attributes
    ----------
    name : str
        "a" or "b".
    table : DataFrame
        Its index counts the rows.
    ids : pandas.Index or None
        Names of the rows.
    is_log, is_vector : bool
    """

    name: str
    table: pd.DataFrame
    ids: pd.Index | None
    is_log: bool = False
    is_vector: bool = False

    @property
    def columns(self):
        """Names of the columns."""
        return list(self.table.columns)

    def find(self, name):
        """The column that a name means, or None: its own, or a document's field."""
        if name in self.table.columns:
            return name
        found = [
            p + str(name) for p in _PREFIXES if p + str(name) in self.table.columns
        ]
        return found[0] if len(found) == 1 else None

    def level(self, name):
        """What a log says of each row, a part of its id or a column, or None."""
        if self.ids is not None and name in self.ids.names:
            return pd.Series(self.ids.get_level_values(name))
        return self.table.get(name)

    def some(self, keep):
        """The same of some rows."""
        ids = None if self.ids is None else self.ids[keep]
        return replace(self, table=self.table[keep].reset_index(drop=True), ids=ids)


def side_of(predictions, name, on, *, are_scores):
    """A side, from an array, a table, or the path of a file or log.

    Parameters
    ----------
    predictions : array-like, table, str or path-like
    name : str
    on : str, list of str or None
        Columns that hold the ids.
    are_scores : bool
        Whether an array holds scores, not answers.
    """
    if isinstance(predictions, str | PathLike):
        predictions = read_predictions(predictions)
    library = _library(predictions)
    if library is not None and hasattr(predictions, "columns"):
        return _of_frame(as_frame(predictions), name, on)
    column = "score" if are_scores else "answer"
    vector = as_vector(predictions, name)
    if on is not None:
        names = getattr(predictions, "index", pd.Index([])).names
        if [on] != list(names):
            raise ValueError(
                f"on={on!r} names a column, and {name} is an array, which has none: "
                "pass a table with that column, or leave on out."
            )
    ids = predictions.index if on is not None else row_names(predictions)
    table = pd.DataFrame({column: vector})
    return Side(name=name, table=table, ids=ids, is_vector=True)


def as_frame(table):
    """A table of pandas, polars or arrow as one of pandas."""
    if _library(table) == "pandas":
        return table
    columns = {}
    for label in _columns(table):
        column = table[label]
        values = column.to_list() if hasattr(column, "to_list") else column.to_pylist()
        columns[label] = pd.Series(values)
    return pd.DataFrame(columns)


def as_vector(values, name):
    """A vector of answers, truths or scores as an array of numpy."""
    if hasattr(values, "fit") or hasattr(values, "named_modules"):
        raise ValueError(
            f"{name} is a model ({type(values).__name__}): pass its predictions, such "
            f"as {name}.predict(X)."
        )
    refuse_foreign(values, name)
    array = values
    if not (hasattr(values, "dtype") and hasattr(values, "ndim")):
        array = as_label_array(as_values(values, name), name)
    array = _of_array(array)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise ValueError(
            f"{name} has the shape {array.shape}: pass one answer for each row. Of "
            "probabilities, the most probable class, by argmax(axis=1)."
        )
    return array


def _of_array(values):
    """A Series, a tensor or the like as an array of numpy."""
    if pd.api.types.is_extension_array_dtype(values):
        if pd.api.types.is_numeric_dtype(values.dtype) and not values.isna().any():
            return values.to_numpy(dtype=values.dtype.numpy_dtype)
        return values.to_numpy(dtype=object)
    return np.asanyarray(values)  # masks say what is missing


def _of_frame(table, name, on):
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()]
        raise ValueError(f"{name} has two columns {twice[0]!r}: rename one of them.")
    is_log = tuple(table.index.names) in ID_LEVELS
    if on is None:
        ids = table.index if is_log else row_names(table)
        return Side(
            name=name, table=table.reset_index(drop=True), ids=ids, is_log=is_log
        )
    wanted = on if is_list(on) else [on]
    if is_log or any(level in table.index.names for level in wanted):
        table = table.reset_index()
    unknown = [column for column in wanted if column not in table.columns]
    if unknown:
        raise ValueError(
            f"{name} has no column {unknown[0]!r}: its columns are "
            f"{listed(table.columns, 20)}."
        )
    columns = [table[column].reset_index(drop=True) for column in wanted]
    for column, label in zip(columns, wanted, strict=True):
        if column.isna().any():
            row = int(np.argmax(column.isna().to_numpy()))
            raise ValueError(
                f"{name} has no id in {int(column.isna().sum())} of {len(column)} rows "
                f"({label!r} is missing), the first of them row {row}. Drop these "
                "rows, or give them ids."
            )
    ids = (
        pd.Index(columns[0])
        if len(wanted) == 1
        else pd.MultiIndex.from_arrays(columns, names=list(wanted))
    )
    rest = table.drop(columns=list(wanted)).reset_index(drop=True)
    return Side(name=name, table=rest, ids=ids, is_log=is_log)


# ----- which columns are meant --------------------------------------------------------


def score_column(sides, scores):
    """Name of the column of scores, or None where answers are compared.

    Parameters
    ----------
    sides : pair of Side
    scores : str, True or None
    """
    if scores is not None and all(side.is_vector for side in sides):
        return "score"
    if scores is True:
        raise ValueError(
            "scores=True says that arrays a and b hold scores; name the column of a "
            "table by scores='...'."
        )
    if scores is not None:
        for side in sides:
            if scores not in side.table.columns:
                names = _metrics(side) or side.columns
                raise ValueError(
                    f"{side.name} has no score {scores!r}: it has {listed(names, 20)}."
                )
        return scores
    if not all(side.is_log for side in sides):
        return None
    own = [_metrics(side) for side in sides]
    shared = [metric for metric in own[0] if metric in own[1]]
    if len(shared) > 1:
        raise ValueError(
            f"The logs hold several scores ({listed(shared, 20)}): choose one by "
            f"scores={shared[0]!r}."
        )
    if not shared and any(own):
        raise ValueError(
            f"The logs have no score in common: a has {listed(own[0], 20) or 'none'}, "
            f"b has {listed(own[1], 20) or 'none'}. Do they belong to one task?"
        )
    return shared[0] if shared else None


def _metrics(side):
    """Columns of numbers that are none of those that readers of logs know."""
    return [
        name
        for name in side.columns
        if name not in _OF_LOGS
        and not str(name).startswith(_PREFIXES)
        and pd.api.types.is_numeric_dtype(side.table[name].dtype)
    ]


def answer_column(side, score, used):
    """Name of the column of answers, or None where only scores are known.

    Parameters
    ----------
    side : Side
    score : str or None
    used : set
        Columns that are something else.
    """
    names = side.columns
    if score is not None:
        of_score = [f"{score}.answer"]
        if score.endswith("_norm"):
            of_score.append("answer_norm")
        found = [name for name in of_score if name in names]
        if found:
            return found[0]
    known = [name for name in names if name in _ANSWERS and name not in used]
    if len(known) == 1:
        return known[0]
    left = [name for name in names if name not in used and name not in _TRUTHS]
    if score is None and not known and len(left) == 1:
        return left[0]
    if score is not None and not known:
        return None
    which = listed(known or left, 20) or "none"
    raise ValueError(
        f"Which column of {side.name} holds the answers can't be told: there are "
        f"{which}. Call it 'answer', or pass scores= to compare a column of scores."
    )


def truth_column(side):
    """Name of the column that is called what truths are called, or None."""
    found = [name for name in _TRUTHS if name in side.table.columns]
    if len(found) > 1:
        raise ValueError(
            f"{side.name} has several columns that may be the truth "
            f"({', '.join(found)}): name one by y_true."
        )
    return found[0] if found else None


def refuse_missing_answers(values, name, ids):
    """Raise where an answer or a truth is missing, by the row's id."""
    missing = pd.isna(values)
    if ids is None or not missing.any():
        refuse_missing(values, name)
        return
    rows = listed((repr(i) for i in ids[missing]), 5)
    raise ValueError(
        f"{name} is missing in {int(missing.sum())} of {len(values)} rows ({rows}): "
        "drop these rows, or fill in what stands for no answer."
    )
