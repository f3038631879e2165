"""Tables of the same rows in different orders, brought into one."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from sksim._sklearn_compat import StrOptions, num_samples, validate_params
from sksim.base._row_names import quoted, refuse_other_rows

_N_EXAMPLES = 5
Table: TypeAlias = Any  # of pandas, polars or arrow


@dataclass(frozen=True, kw_only=True)
class AlignedRows:
    """Result of :func:`align_rows`: unpacks into the tables.

    Attributes
    ----------
    tables : tuple
        The tables, with the same rows in the same order.
    ids : pandas.Index of shape (n_rows,)
        Ids of these rows.
    positions : tuple of ndarray of shape (n_rows,)
        For each table the places that its rows had.
    n_dropped : int
        Number of rows of all tables together that fell out.
    n_dropped_of_each : tuple of int
        The same of each table.
    examples : list
        The first few ids that fell out.
    """

    tables: tuple
    ids: pd.Index
    positions: tuple
    n_dropped: int
    n_dropped_of_each: tuple
    examples: list

    def __iter__(self):
        return iter(self.tables)

    def __len__(self):
        return len(self.tables)

    def __getitem__(self, place):
        return self.tables[place]

    def __repr__(self):
        lost = f", such as {_listed(self.examples)}" if self.examples else ""
        return (
            f"<{len(self.tables)} tables of {len(self.ids)} rows; {self.n_dropped} "
            f"rows fell out{lost}>"
        )


@validate_params(
    {"how": [StrOptions({"inner", "left"})]}, prefer_skip_nested_validation=True
)
def align_rows(
    *tables: Table, on: Hashable | None = None, how: str = "inner"
) -> AlignedRows:
    """Bring the rows of several tables into one order, by their ids.

    Parameters
    ----------
    *tables : tables of pandas, polars or arrow
        Two or more, of one library or of several. Series of pandas are tables too.
    on : str, default=None
        Column that holds the ids (or a named level of the index of pandas). None takes
        the index, which only pandas has. The column stays where it is, and becomes the
        index of tables of pandas.
    how : {"inner", "left"}, default="inner"
        "inner" keeps the rows that all tables have, "left" all rows of the first
        table, which the others must have. Either way the first table's order decides.

    Returns
    -------
    aligned : AlignedRows
        Unpacks into the tables, in their own libraries, and records what fell out in
        the attributes ``n_dropped``, ``n_dropped_of_each`` and ``examples``; ``ids``
        and ``positions`` say which rows are left.

    Raises
    ------
    ValueError
        If an id occurs twice in one table or is missing, if no id is in all tables, or
        with ``how="left"`` if a table lacks a row of the first.

    See Also
    --------
    compare : Joins two tables by its parameter ``on``.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksim import align_rows
    >>> first = pd.DataFrame({"unit": [1.0, 2.0, 3.0]}, index=["a", "b", "c"])
    >>> second = pd.DataFrame({"unit": [9.0, 8.0, 7.0]}, index=["c", "x", "a"])
    >>> aligned = align_rows(first, second)
    >>> aligned.n_dropped, aligned.examples
    (2, ['b', 'x'])
    >>> first, second = aligned
    >>> second
       unit
    a   7.0
    c   9.0
    """
    if len(tables) < 2:
        raise ValueError(f"align_rows takes two or more tables, got {len(tables)}.")
    ids = [_ids_of(table, on, f"table {i}") for i, table in enumerate(tables)]
    kept = ids[0]
    for i, others in enumerate(ids[1:], start=1):
        found = kept.isin(others)
        if how == "left" and not found.all():
            raise ValueError(
                f"table {i} lacks {int((~found).sum())} of the {len(kept)} rows of "
                f"table 0, such as {_listed(kept[~found])}. Add them, or use "
                "how='inner'."
            )
        kept = kept[found]
    if len(kept) == 0:
        raise ValueError(
            "The tables have no id in common: "
            + "; ".join(f"table {i} has {_listed(own)}" for i, own in enumerate(ids))
            + ". Check that on= names the ids, and that all are text or all numbers."
        )
    positions = tuple(own.get_indexer(kept) for own in ids)
    lost = [own[~own.isin(kept)] for own in ids]
    return AlignedRows(
        tables=tuple(
            _taken(table, places, None if on is None else kept)
            for table, places in zip(tables, positions, strict=True)
        ),
        ids=kept,
        positions=positions,
        n_dropped=sum(map(len, lost)),
        n_dropped_of_each=tuple(map(len, lost)),
        examples=list(dict.fromkeys(i for own in lost for i in own[:_N_EXAMPLES]))[
            :_N_EXAMPLES
        ],
    )


def _library(table):
    name = type(table).__module__.partition(".")[0]
    return name if name in ("pandas", "polars", "pyarrow") else None


def _columns(table):
    names = table.column_names if _library(table) == "pyarrow" else table.columns
    return list(names)


def _ids_of(table, on, name):
    """Ids of a table's rows, each of which must be there, and once only."""
    ids = _raw_ids(table, on, name)
    missing = np.flatnonzero(ids.to_frame().isna().any(axis=1).to_numpy())
    if len(missing):
        raise ValueError(
            f"{name} has no id in {len(missing)} of {len(ids)} rows, the first of them "
            f"row {missing[0]}. Drop these rows, or give them ids."
        )
    if not ids.is_unique:
        twice = ids[ids.duplicated()].unique()
        raise ValueError(
            f"{name} has {len(twice)} ids that occur more than once, such as "
            f"{_listed(twice)}: which of these rows is meant can't be told. Drop or "
            "average them first."
        )
    return ids


def _raw_ids(table, on, name):
    library = _library(table)
    if library is None or not hasattr(table, "shape"):
        raise ValueError(
            f"{name} is a {type(table).__name__}: align_rows takes tables of pandas, "
            "polars or arrow, whose rows have ids."
        )
    if on is None:
        if library == "pandas":
            return table.index
        raise ValueError(
            f"{name} is a table of {library}, which has no index: pass on=, the column "
            "that holds the ids."
        )
    if library == "pandas" and on in table.index.names:
        return table.index.get_level_values(on)
    columns = _columns(table) if hasattr(table, "columns") else []
    if on not in columns:
        raise ValueError(
            f"{name} has no column {on!r}: its columns are {columns[:10]}."
        )
    if library == "pandas":
        return pd.Index(table[on])
    if library == "polars":
        return pd.Index(table[on].to_list())
    return pd.Index(table.column(on).to_pylist())


def _taken(table, places, ids):
    library = _library(table)
    if library == "pyarrow":
        return table.take(places)
    if library == "polars":
        return table[places.tolist()]
    table = table.iloc[places]
    # a count of the rows as they were would no longer be one
    return table if ids is None else table.set_axis(ids.rename(None), axis=0)


def _listed(ids):
    shown = ", ".join(map(quoted, ids[:_N_EXAMPLES]))
    return f"{shown}, ..." if len(ids) > _N_EXAMPLES else shown


# ----- for compare --------------------------------------------------------------------


def joined_pair(a, b, on, **known):
    """Two tables joined by a column, without it, and what is known of their rows.

    Parameters
    ----------
    a, b : tables
    on : str
        Name of the column of ids.
    **known : object
        What is known of the rows: tables with the same column are joined too; all else
        belongs to the rows of ``a`` as they came, and is cut alike.

    Returns
    -------
    a, b : tables
    known : dict
    aligned : AlignedRows
    """
    by_id = {name: value for name, value in known.items() if _has_ids(value, on)}
    aligned = align_rows(a, b, *by_id.values(), on=on)
    a_and_b = [_as_vector(_without(table, on)) for table in aligned.tables[:2]]
    joined = {
        name: _columns_of(_without(table, on), name)
        for name, table in zip(by_id, aligned.tables[2:], strict=True)
    }
    for name, value in known.items():
        if value is not None and name not in by_id:
            refuse_other_rows(a=a, **{name: value})
            if num_samples(value) != num_samples(a):
                raise ValueError(
                    f"{name} has {num_samples(value)} entries and a has "
                    f"{num_samples(a)} rows: give it the column {on!r} too, or one "
                    "entry for each row of a."
                )
            joined[name] = _entries(value)[aligned.positions[0]]
    return *a_and_b, {**known, **joined}, aligned


def _has_ids(value, on):
    return _library(value) is not None and on in [
        *(_columns(value) if hasattr(value, "columns") else []),
        *getattr(getattr(value, "index", None), "names", []),
    ]


def _without(table, on):
    if not hasattr(table, "columns") or on not in _columns(table):
        return table
    library = _library(table)
    if library == "pandas":
        return table.drop(columns=on)
    return table.drop(on) if library == "polars" else table.drop_columns([on])


def _columns_of(table, name):
    """What a table holds beside ids: one column, or those of a confounder."""
    if name == "metadata['z']" and table.shape[1] > 1:
        return table
    return _only_column(table, name)


def _only_column(table, name):
    """A table of one column, beside its ids, as that column."""
    if not hasattr(table, "columns"):
        return table
    columns = _columns(table)
    if len(columns) != 1:
        raise ValueError(
            f"{name} has the columns {columns[:10]} beside its ids: pass one only."
        )
    return _as_vector(table)


def _as_vector(table):
    """A table of one column as that column, such as labels."""
    if not hasattr(table, "columns") or len(_columns(table)) != 1:
        return table
    column = table[_columns(table)[0]]
    return column if _library(table) == "pandas" else np.asarray(column.to_numpy())


def _entries(values):
    return (
        values
        if hasattr(values, "dtype") and not hasattr(values, "iloc")
        else (np.asarray(values))
    )
