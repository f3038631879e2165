"""Names of rows: where both sides carry them they agree, before arrays lose them."""

import numpy as np
import pandas as pd

from sksim.base._tags import ROW_METADATA, tags_of

# What can be named like rows without being rows: beside the two sides and their
# metadata, the rows that models are applied to.
_NAMED = {*ROW_METADATA, "data"}


def row_names(table):
    """Names of the rows of a table as a pandas index, or None where it has none.

    An index that counts the rows from 0 on is what pandas gives to a table that was not
    given names, and is none.

    Parameters
    ----------
    table : object
        A table of pandas, an array of xarray, an AnnData, or anything else.
    """
    names = _index_of(table)
    return None if names is None or _is_count(names) else names


def first_row_names(*tables):
    """Names of the rows of the first table that has any, or None.

    Parameters
    ----------
    *tables : object
        Those that have names have the same, see `refuse_other_rows`.
    """
    found = (row_names(table) for table in tables)
    return next((names for names in found if names is not None), None)


def _index_of(table):
    index = getattr(table, "index", None)
    if isinstance(index, pd.Index):  # a list has a method of this name
        return index
    names = getattr(table, "obs_names", None)
    if isinstance(names, pd.Index):
        # AnnData counts in text
        return None if _is_count_in_text(names) else names
    if hasattr(table, "dims") and hasattr(table, "indexes"):
        return _index_of_xarray(table)
    return None


def _index_of_xarray(array):
    """Index along the first dimension, or its only coordinate."""
    if isinstance(array.dims, tuple) and array.dims:
        first = array.dims[0]
        if first in array.indexes:
            return array.indexes[first]
        along = [c for c in array.coords.values() if c.dims == (first,)]
        if len(along) == 1:
            return pd.Index(along[0].to_numpy())
    return None


def _is_count(names):
    if isinstance(names, pd.RangeIndex):
        return names.start == 0 and names.step == 1
    if not pd.api.types.is_integer_dtype(names.dtype) or names.hasnans:
        return False
    if len(names) and names[0] != 0:
        return False
    return bool(np.array_equal(names.to_numpy(), np.arange(len(names))))


def _is_count_in_text(names):
    if len(names) and names[0] != "0":
        return False
    return list(names) == [str(i) for i in range(len(names))]


def refuse_other_rows(**sides):
    """Raise unless all that carry names of rows carry the same, in the same order.

    Parameters
    ----------
    **sides : object
        What has rows, by the name it goes by in messages; a list or tuple of tables is
        one table for each model.
    """
    known = []  # one side of each kind of names: all others agree with it
    for name, names in _all_names(sides):
        for first, first_names in known:
            if not _agree(first_names, names):
                raise ValueError(_disagreement(first, first_names, name, names))
        if all(_are_of_other_kinds(names, others) for _, others in known):
            known.append((name, names))


def refuse_other_rows_of(measure, X, y, metadata):
    """`refuse_other_rows` of what a measure is passed, if it pairs rows at all.

    Parameters
    ----------
    measure : BaseSimilarity
    X, y : object
    metadata : dict
        What is known of the rows, among other things.
    """
    tags = tags_of(measure)
    of_rows = {name: value for name, value in metadata.items() if name in _NAMED}
    if tags.inputs == "models":
        refuse_other_rows(**of_rows)
    elif tags.paired or "y_true" in tags.view_keywords:
        refuse_other_rows(X=X, y=y, **of_rows)


def refuse_other_groups(measure, X, y, **design):
    """The same of groups and strata that only a test or an interval knows of."""
    refuse_other_rows_of(measure, X, y, design)


def _all_names(sides):
    for name, side in sides.items():
        tables = {name: side}
        if isinstance(side, list | tuple) and side and hasattr(side[0], "shape"):
            tables = {f"{name}[{i}]": table for i, table in enumerate(side)}
        for label, table in tables.items():
            names = row_names(table)
            if names is not None:
                yield label, names


def _agree(names, others):
    if names is others:
        return True
    if isinstance(names, pd.CategoricalIndex) and names.dtype == others.dtype:
        # pandas would look up each name; codes are of one set of categories here
        names, others = (
            pd.Index(index.set_categories(names.categories).codes)
            for index in (names, others)
        )
    if names.equals(others):
        return True
    if _are_of_other_kinds(names, others):
        # a count of which rows were cut out says nothing against names
        return _is_cut_count(names) or _is_cut_count(others)
    return len(names) == len(others) and bool(_same_places(names, others).all())


def _are_of_other_kinds(names, others):
    kinds = [pd.api.types.is_numeric_dtype(index.dtype) for index in (names, others)]
    return kinds[0] != kinds[1]


def _is_cut_count(names):
    """Whether these may be the places of rows that were picked out in their order."""
    return (
        pd.api.types.is_integer_dtype(names.dtype)
        and names.is_monotonic_increasing
        and names.is_unique
        and (len(names) == 0 or names[0] >= 0)
    )


def _same_places(names, others):
    """Where both have the same name at the same place, whatever their data types."""
    both = np.empty(len(names) + len(others), dtype=object)
    both[: len(names)] = list(names)
    both[len(names) :] = list(others)
    codes, _ = pd.factorize(both)
    return codes[: len(names)] == codes[len(names) :]


def _disagreement(name, names, other, others):
    """Sentence about two sides whose rows go by other names."""
    length = min(len(names), len(others))
    same = _same_places(names[:length], others[:length])
    if length < max(len(names), len(others)):
        same = np.append(same, False)
    first = int(np.flatnonzero(~same)[0])
    shared = int(names.isin(others).sum())
    if shared == len(names) == len(others):
        found = "the same names, in another order"
    else:
        found = f"{shared} of the {len(names)} names in {name} are in {other} at all"
    return (
        f"{name} has {len(names)} rows and {other} has {len(others)}, and both name "
        f"them: {int(same.sum())} of {max(len(names), len(others))} rows go by the "
        f"same name in both ({found}). The first that don't are row {first}: "
        f"{_shown(names, first)} in {name} and {_shown(others, first)} in {other}. "
        f"Bring them together by sksim.align_rows({name}, {other}), or "
        f"by {other}.loc[{name}.index]; if the rows do belong together as they stand, "
        f"drop the names, by {other}.reset_index(drop=True)."
    )


def _shown(names, place):
    if place >= len(names):
        return "none"
    return quoted(names[place])


def quoted(name):
    """A name as messages show it, without numpy's type around it."""
    return repr(name.item() if isinstance(name, np.generic) else name)
