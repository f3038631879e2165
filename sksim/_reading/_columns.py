"""Which columns of a table are what it holds, and which say what its rows are called.

A column that may be an id is never taken for a feature: it names the rows, or the table
is refused with the option that decides.
"""

import re

import numpy as np
import pandas as pd

from sksim._reading._options import ID_NAMES, Unreadable, listed

# Rows from which on values that all differ are taken for ids: of fewer, those of a
# feature may do so by chance.
_ENOUGH = 10
_EXACT_UP_TO = 2.0**53


def array_of_table(table, names, options):
    """What a table holds: an array, or a table if its rows or columns have names.

    Parameters
    ----------
    table : DataFrame
        Columns are counted from 0.
    names : list of str or None
        Names of the columns; None if they have none.
    options : Options

    Returns
    -------
    array : ndarray, DataFrame or Series
    """
    labels = [str(j) for j in range(table.shape[1])] if names is None else names
    columns = list(range(table.shape[1]))
    if options.drop is None and options.columns is None:
        columns = _without_empty_ends(table, names, columns)
    ids = _chosen_index(labels, options.index_col)
    if ids:
        columns = [j for j in columns if j not in ids]
    dropped = _places(labels, options.drop, "--drop")
    columns = [j for j in columns if j not in dropped]
    if ids is None:
        ids, columns = _named_index(table, labels, names, columns, options)
    if options.columns is not None:
        columns = [
            j for j in _places(labels, options.columns, "--columns") if j not in ids
        ]
    elif options.index_col is None and not ids:
        ids, columns = _index_by_values(table, labels, names, columns)
    if not columns:
        raise Unreadable(
            f"no column is left beside the names of the rows ({listed(labels)}): "
            "say by "
            "--columns which to compare."
        )
    index = _index_of(table, ids)
    if len(columns) == 1:
        values = _vector(table[columns[0]], labels[columns[0]])
        return values if index is None else pd.Series(values, index=index)
    values = _matrix(table, columns, labels)
    kept = [labels[j] for j in columns]
    is_counted = names is None or kept == [str(i) for i in range(len(kept))]
    if index is None and is_counted:
        return values
    columns = None if is_counted else kept
    return pd.DataFrame(values, index=index, columns=columns)


def table_with_ids(table, names, options):
    """A table of columns of any kinds, with the names of its rows as its index.

    Parameters
    ----------
    table : DataFrame
        Columns are counted from 0.
    names : list of str
        Names of the columns.
    options : Options

    Returns
    -------
    table : DataFrame
    """
    columns = list(range(table.shape[1]))
    if options.drop is None and options.columns is None:
        columns = _without_empty_ends(table, names, columns)
    dropped = _places(names, options.drop, "--drop")
    columns = [j for j in columns if j not in dropped]
    ids = _chosen_index(names, options.index_col)
    if ids is None:
        ids, columns = _named_index(table, names, names, columns, options)
    if options.columns is not None:
        columns = _places(names, options.columns, "--columns")
    columns = [j for j in columns if j not in ids]
    index = _index_of(table, ids)
    found = table[columns].set_axis([names[j] for j in columns], axis=1)
    if index is None:
        return found
    index.names = [names[j] or None for j in ids]
    return found.set_axis(index, axis=0)


def _without_empty_ends(table, names, columns):
    """Columns without those that separators at the ends of lines make."""
    while len(columns) > 1:
        last = table[columns[-1]]
        if (names is not None and names[columns[-1]] != "") or not last.isna().all():
            break
        if names is None:
            raise Unreadable(
                f"its last column, {columns[-1]}, is empty: leave it out by --drop "
                f"{columns[-1]}, or choose others by --columns."
            )
        columns = columns[:-1]
    return columns


def _places(labels, wanted, option):
    """Numbers of the columns that an option names."""
    places = []
    for name in wanted or ():
        found = [j for j, label in enumerate(labels) if label == name]
        if len(found) != 1:
            what = f"{len(found)} columns" if found else "no column"
            raise Unreadable(
                f"{what} called {name!r} for {option}: there are {listed(labels, 20)}."
            )
        places += found
    return places


def _chosen_index(labels, index_col):
    """The column that was named, none if "none" was, or None to find it out."""
    if index_col is None:
        return None
    if index_col == "none" and "none" not in labels:
        return []
    return _places(labels, [index_col], "--index-col")


def _named_index(table, labels, names, columns, options):
    """Columns that have no name, or that of an id; and the others."""
    if names is None:
        return [], columns
    wanted = set(options.columns or ())
    candidates = [j for j in columns if labels[j] not in wanted]
    nameless = [j for j in candidates if labels[j] == "" or _is_unnamed(labels[j], j)]
    if nameless and nameless != columns[: len(nameless)]:
        raise Unreadable(
            f"column {nameless[-1] + 1} has no name and is not the first: give it one, "
            "or choose columns by --columns."
        )
    named = [j for j in candidates if labels[j].strip().lower() in ID_NAMES]
    if len(columns) == 1 and not options.columns:
        (only,) = columns
        if named and table[only].is_unique and len(table) > 1:
            raise Unreadable(
                f"its one column, {labels[only]!r}, looks like the names of its rows: "
                f"say by --columns {labels[only]} that it is to be compared."
            )
        return [], columns
    if nameless and named and _count_from(table[nameless[0]]) == 0:
        # pandas' count of the rows, beside a column of their names
        columns = [j for j in columns if j not in nameless]
        nameless = []
    if len(named) > 1 or (nameless and named):
        raise Unreadable(
            "the columns "
            f"{listed(labels[j] or 'without a name' for j in nameless + named)}"
            " all look like names of rows: say which by --index-col, and leave out the "
            "others by --drop."
        )
    ids = nameless or named
    return ids, [j for j in columns if j not in ids]


def _is_unnamed(label, j):
    return label == f"Unnamed: {j}"


def _index_by_values(table, labels, names, columns):
    """Columns that tell rows apart by their values, as an index does; the others."""
    if len(columns) < 2 or len(table) < 2:
        return [], columns
    kinds = _kinds(table, columns)
    first, *others = columns
    texts = [j for j in columns if kinds[j] in ("text", "text ids")]
    if texts == [first] and kinds[first] == "text ids":
        # names in front of numbers
        is_sure = len(table) >= _ENOUGH or len(others) > 1
        return ([first], others) if is_sure else ([], columns)
    if texts and (len(columns) > 2 or texts == [first]):
        return [], columns  # what is text among numbers is refused as that
    are_alike = names is None or _are_one_family([labels[j] for j in columns])
    if texts:
        # names, or a count, in front of labels
        ids = kinds[first] in ("whole ids", "text ids")
        is_sure = ids and len(table) >= _ENOUGH and kinds[others[0]] != "text ids"
        if not is_sure and kinds[first] == "text ids" and first in texts:
            raise _doubt(labels, first)
        return ([first], others) if is_sure else ([], columns)
    ids = [j for j in columns if kinds[j] in ("whole ids", "float ids")]
    if not ids:
        return [], columns
    are_whole = all(kind != "fractions" for kind in kinds.values())
    start = _count_from(table[first]) if first in ids else None
    if are_whole and start is None and (first not in ids or len(ids) > 1):
        if are_alike and not (names is None and first in ids):
            return [], columns  # a matrix of whole numbers, as counts are
        raise _doubt(labels, ids[0])
    if first not in ids:
        raise _doubt(labels, ids[0])
    is_sure = (
        kinds[first] == "whole ids"
        and (len(table) >= _ENOUGH or (start is not None and not are_whole))
        and (len(ids) == 1 or start is not None)
        and (names is None or not are_alike)
    )
    if is_sure:
        return [first], others
    raise _doubt(labels, first)


def _doubt(labels, j):
    return Unreadable(
        f"the column {labels[j]!r} is of whole numbers or words that all differ, "
        "so that "
        f"it may say which row this is: --index-col {labels[j]} takes it for the "
        "rows' names, "
        f"--drop {labels[j]} leaves it out, --index-col none takes it for what it "
        "holds."
    )


def _kinds(table, columns):
    """Kind of each column: text, whole or fractions; and ids where all differ."""
    dtypes = list(table.dtypes)
    dtypes = [dtypes[j] for j in columns]
    are_floats = [isinstance(d, np.dtype) and d.kind == "f" for d in dtypes]
    floats = [j for j, is_float in zip(columns, are_floats, strict=True) if is_float]
    # most columns of fractions show it in their first rows
    head = table.iloc[:16].iloc[:, floats].to_numpy() if floats else np.empty((1, 0))
    may_be_whole = set(np.array(floats, dtype=int)[_are_whole(head)])
    return {
        j: "fractions" if is_float and j not in may_be_whole else _kind(table[j])
        for j, is_float in zip(columns, are_floats, strict=True)
    }


def _are_whole(values):
    """Which columns of floats have whole numbers only, as far as they can count."""
    with np.errstate(invalid="ignore"):
        are_whole = (np.trunc(values) == values) & (np.abs(values) < _EXACT_UP_TO)
    return are_whole.all(axis=0)


def _kind(column):
    if not pd.api.types.is_numeric_dtype(column):
        return "text ids" if column.is_unique else "text"
    values = column.to_numpy()
    if values.dtype.kind in "iu":
        return "whole ids" if column.is_unique else "whole"
    if values.dtype.kind != "f" or not _are_whole(values):
        return "fractions"
    return "float ids" if column.is_unique else "whole"


def _count_from(column):
    """Where a column that counts the rows begins, 0 or 1; else None."""
    if not pd.api.types.is_integer_dtype(column) or len(column) == 0:
        return None
    values = column.to_numpy()
    if values[0] not in (0, 1):
        return None
    counted = np.array_equal(values, np.arange(values[0], values[0] + len(values)))
    return int(values[0]) if counted else None


def _are_one_family(labels):
    """Whether names are a word and a number, the same word in all: x0, x1, ..."""
    stems = {re.sub(r"\d+", "", label) for label in labels}
    return len(stems) == 1 and all(re.search(r"\d", label) for label in labels)


def _index_of(table, ids):
    if not ids:
        return None
    if len(ids) > 1:
        return pd.MultiIndex.from_frame(table[ids])
    values = table[ids[0]]
    if values.isna().any():
        raise Unreadable("some of its rows have no name.")
    return pd.Index(values.to_numpy())


def _vector(column, label):
    if pd.api.types.is_numeric_dtype(column):
        return _as_numpy(column)
    numbers = pd.to_numeric(column, errors="coerce")
    if (numbers != numbers.round())[numbers.notna()].any():
        raise _text_among_numbers(column, [label])
    return column.to_numpy(dtype=object)


def _as_numpy(column):
    if isinstance(column.dtype, np.dtype):
        return column.to_numpy()
    if column.isna().any():
        return column.to_numpy(dtype=float, na_value=np.nan)
    return column.to_numpy(dtype=column.dtype.numpy_dtype)


def _matrix(table, columns, labels):
    if len(columns) < table.shape[1]:
        table = table[columns]
    is_text = [not pd.api.types.is_numeric_dtype(dtype) for dtype in table.dtypes]
    if all(is_text):
        for j in columns:
            if pd.to_numeric(table[j], errors="coerce").notna().any():
                raise _text_among_numbers(table[j], [labels[j]])
        return table.to_numpy(dtype=object)
    if any(is_text):
        texts = [labels[j] for j, text in zip(columns, is_text, strict=True) if text]
        raise _text_among_numbers(table.iloc[:, is_text.index(True)], texts)
    if any(not isinstance(dtype, np.dtype) for dtype in table.dtypes):
        return table.to_numpy(dtype=float, na_value=np.nan)
    return table.to_numpy(dtype=float)


def _text_among_numbers(column, texts):
    cell, row = _first_text(column)
    return Unreadable(
        f"the columns {listed(texts, 3)} hold text ({cell!r:.40} in row {row}), where "
        "representations are numbers: leave them out by --drop, choose others by "
        "--columns, take one for the rows' names by --index-col, or say by --na what "
        "stands for a missing value."
    )


def _first_text(column):
    numbers = pd.to_numeric(column.astype(object), errors="coerce")
    is_text = numbers.isna().to_numpy()
    row = int(np.argmax(is_text))
    return column.iloc[row], row + 1
