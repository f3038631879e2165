"""Names of classes: columns of probabilities in one order, grades in theirs."""

import numpy as np
import pandas as pd

from sksim.arrays._namespace import get_namespace_and_device, zeros
from sksim.base._readable import has_dtype

_N_SHOWN = 5


def column_names(table):
    """Names of a table's columns as a list, or None where there are none.

    Columns that are counted were not given names, and one column needs none.

    Parameters
    ----------
    table : object
        A table of pandas, polars or arrow, or anything else.
    """
    names = _raw_names(table)
    if names is None or len(names) < 2:
        return None
    n = len(names)
    counts = range(n), [f"column_{i}" for i in range(n)]  # of pandas, and of polars
    return None if any(names == list(count) for count in counts) else names


def _raw_names(table):
    if hasattr(table, "column_names") and hasattr(table, "schema"):
        return list(table.column_names)  # arrow: its columns are arrays
    if hasattr(table, "columns") and hasattr(table, "dtypes"):
        return list(table.columns)
    return None


def _own_names(tables):
    """Names of each table; a count is names beside the same in another order."""
    own = {name: column_names(table) for name, table in tables.items()}
    sets = [set(names) for names in own.values() if names is not None]
    for name, table in tables.items():
        count = _raw_names(table)
        if own[name] is None and count is not None and set(count) in sets:
            own[name] = count
    return own


def in_one_order(tables, *, classes=None, first=None, fill=False, are_classes=True):
    """Tables of one column for each class, with their columns in one order.

    Parameters
    ----------
    tables : dict of str to array-like
        By the names that messages call them.
    classes : sequence, or sequence of one sequence for each table, default=None
        Names of the columns of those that have none; tables are put into this order
        where it is one for all.
    first : sequence, default=None
        Names in the order that is wanted of tables, if they have just these.
    fill : bool, default=False
        Whether a class that a table lacks is a column of zeros.
    are_classes : bool, default=True
        Whether columns must be classes, so that others' names are refused.

    Returns
    -------
    tables : dict
    names : list or None
        Names of the columns of all of them, where they are known.
    """
    own = _own_names(tables)
    given = {name: names for name, names in own.items() if names is not None}
    wanted, named = None, own
    if classes is not None:
        named, wanted = _with_classes(tables, own, classes)
    elif first is not None and any(set(n) == set(first) for n in given.values()):
        wanted = list(first)
    known = {name: names for name, names in named.items() if names is not None}
    if not known:
        return tables, wanted
    for name, names in known.items():
        _refuse_twice(name, names)
    base = wanted or next(iter(known.values()))
    others = {name: n for name, n in known.items() if set(n) != set(base)}
    if others and fill:
        base = list(dict.fromkeys([*base, *(c for n in others.values() for c in n)]))
    elif others:
        name, names = next(iter(others.items()))
        shared = set(base) & set(names)
        if not are_classes and not shared:
            return tables, None  # names of outputs that are no classes
        raise ValueError(_other_classes(next(iter(known)), base, name, names))
    ordered = {
        name: _picked(table, named[name], base) if name in known else table
        for name, table in tables.items()
    }
    return ordered, base


def _with_classes(tables, own, classes):
    """Names of each table's columns, and the order in which they are wanted."""
    classes = list(classes)
    nested = bool(classes) and isinstance(
        classes[0], list | tuple | np.ndarray | pd.Index
    )
    if nested and len(classes) != len(tables):
        raise ValueError(
            f"classes holds {len(classes)} lists of names for {len(tables)} arrays: "
            "pass one list for all, or one for each."
        )
    lists = classes if nested else [classes] * len(tables)
    named = {}
    for (name, table), names in zip(tables.items(), lists, strict=True):
        if own[name] is not None:
            named[name] = own[name]
            continue
        shape = table.shape if hasattr(table, "shape") else np.shape(table)
        if len(shape) < 2:  # labels have no columns
            named[name] = None
        elif shape[-1] != len(names):
            raise ValueError(
                f"classes names {len(names)} columns, and {name} has {shape[-1]}: one "
                "name for each column is wanted."
            )
        else:
            named[name] = list(names)
    return named, None if nested else classes


def _refuse_twice(name, names):
    if len(set(names)) < len(names):
        twice = list(dict.fromkeys(n for n in names if names.count(n) > 1))
        raise ValueError(
            f"{name} has more than one column of the name {twice[0]!r}: each class "
            "must have one column."
        )


def _other_classes(name, names, other, others):
    lacks = [c for c in names if c not in others], [c for c in others if c not in names]
    parts = [
        f"{_listed(missing)} {'are' if len(missing) > 1 else 'is'} in {there} only"
        for missing, there in zip(lacks, (name, other), strict=True)
        if missing
    ]
    return (
        f"The columns of {name} and {other} go by other names: {', and '.join(parts)}. "
        "Rename the columns where they mean the same class; with "
        "fill_missing_classes=True a class that one side lacks has probability 0 there."
    )


def _listed(names):
    shown = ", ".join(repr(name) for name in names[:_N_SHOWN])
    return f"{shown}, ..." if len(names) > _N_SHOWN else shown


def _picked(table, names, wanted):
    """The columns of a table in the order of ``wanted``; zeros where it lacks one."""
    if names == list(wanted):
        return table
    if set(names) != set(wanted):
        return _filled(table, names, wanted)
    if hasattr(table, "iloc"):
        return table.loc[:, list(wanted)]
    if _raw_names(table) is not None:  # of polars and arrow
        return table.select(list(wanted))
    array = table if has_dtype(table) else np.asarray(table)
    xp, _, device = get_namespace_and_device(array)
    places = xp.asarray([names.index(name) for name in wanted], device=device)
    return xp.take(array, places, axis=array.ndim - 1)


def _filled(table, names, wanted):
    if _raw_names(table) is not None:
        index = table.index if hasattr(table, "iloc") else None
        values = pd.DataFrame(np.asarray(table), columns=names, index=index)
        return values.reindex(columns=list(wanted), fill_value=0)
    array = table if has_dtype(table) else np.asarray(table)
    xp = get_namespace_and_device(array)[0]
    nothing = zeros((*array.shape[:-1], 1), like=array, xp=xp)
    columns = [
        array[..., names.index(name) : names.index(name) + 1]
        if name in names
        else nothing
        for name in wanted
    ]
    return xp.concat(columns, axis=-1)


# ----- grades -------------------------------------------------------------------------


def order_of_grades(labels):
    """Categories of ordered categoricals in their order, or None.

    Parameters
    ----------
    labels : dict of str to array-like
        Label vectors, or tables of them, by the names that messages call them.
    """
    known = None
    for name, values in labels.items():
        order = _categories(values)
        if order is None:
            continue
        if known is not None and order != known[1]:
            raise ValueError(
                f"{known[0]} and {name} order their grades differently: "
                f"{known[1][:10]} and {order[:10]}. Give both the same categories, in "
                "the same order."
            )
        known = known or (name, order)
    return None if known is None else known[1]


def _categories(values):
    """Ordered categories of a vector, or of all columns of a table."""
    if hasattr(values, "iloc") and hasattr(values, "columns"):  # a table of pandas
        orders = [_categories(values.iloc[:, i]) for i in range(values.shape[1])]
        alike = bool(orders) and all(order == orders[0] for order in orders)
        return orders[0] if alike else None
    dtype = getattr(values, "dtype", getattr(values, "type", None))
    if getattr(dtype, "ordered", False):
        if isinstance(dtype, pd.CategoricalDtype):
            return dtype.categories.tolist()
        if hasattr(values, "combine_chunks"):
            values = values.unify_dictionaries().combine_chunks()
            values = values.chunk(0) if hasattr(values, "chunk") else values
        return values.dictionary.to_pylist()  # of arrow
    if type(dtype).__name__ == "Enum" and hasattr(dtype, "categories"):  # of polars
        return dtype.categories.to_list()
    return None
