"""Missing values: which rows lack something, in one sentence of ours."""

import re

import numpy as np
import pandas as pd

from sksim.base._row_names import row_names

_N_SHOWN = 3
# what numpy and scikit-learn say where something is missing, each in its own words
_SAYS_MISSING = re.compile(r"NaN|\bNA\b|<NA>|None|masked|mixes text|missing")


class missing_named:
    """Context in which an error about missing values says where they are.

    Parameters
    ----------
    array : array-like
        What is read in this context.
    name : str
        What messages call it.
    """

    def __init__(self, array, name):
        self.array = array
        self.name = name

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        is_about_values = isinstance(error, ValueError | TypeError)
        if is_about_values and _SAYS_MISSING.search(str(error)):
            refuse_missing(self.array, self.name)
        return False


def refuse_missing(array, name):
    """Raise where entries are missing: nan, None, NA, or masked.

    Parameters
    ----------
    array : array-like
    name : str
        What the message calls it.
    """
    missing = missing_entries(array)
    if missing is None or not missing.any():
        return
    by_row = missing.reshape(missing.shape[0], -1).any(axis=1)
    rows = np.flatnonzero(by_row)
    places = f"rows {_first_few(rows)}" if len(rows) > 1 else f"row {rows[0]}"
    names = row_names(array)
    if names is not None:
        places += f", the first of them {names[rows[0]]!r}"
    if missing.ndim > 1:
        columns = np.flatnonzero(missing.reshape(*missing.shape[:2], -1).any((0, 2)))
        places += f"; column{'s' if len(columns) > 1 else ''} {_first_few(columns)}"
    keep = f"~{_call_that_finds_them(array, name)}"
    if missing.ndim > 1:
        keep += f".any(axis={1 if missing.ndim == 2 else (1, 2)})"
    also = "y[keep]" if name != "y" else "X[keep]"
    raise ValueError(
        f"{name} contains NaN, that is missing values, in {len(rows)} of {len(by_row)} "
        f"rows ({places}), which can't be compared: drop these rows from both sides, "
        f"and from all that belongs to them, by keep = {keep}, {name}[keep], {also}."
    )


def _call_that_finds_them(array, name):
    if isinstance(array, np.ma.MaskedArray):
        return f"numpy.ma.getmaskarray({name})"
    return f"{name}.isnan()" if hasattr(array, "detach") else f"pandas.isna({name})"


def missing_entries(array):
    """Where entries of an array or table are missing, or None where it is neither."""
    if isinstance(array, np.ma.MaskedArray):
        missing = np.ma.getmaskarray(array).copy()
        values = np.ma.getdata(array)
        return missing | _is_missing(values)
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        return array.isnan().numpy()
    if hasattr(array, "isna") and hasattr(array, "iloc"):
        return array.isna().to_numpy()
    if type(array).__module__.startswith("pyarrow"):
        array = array.to_pandas()
    try:
        values = np.asarray(array)
        if values.dtype.kind in "US":  # numpy has made text of what was missing
            values = np.asarray(array, dtype=object)
    except (ValueError, TypeError):
        return None
    return _is_missing(values) if values.ndim else None


def _is_missing(values):
    if values.dtype.kind in "fc":
        return np.isnan(values)
    if values.dtype.kind == "O":
        return np.asarray(pd.isna(values.ravel())).reshape(values.shape)
    return np.zeros(values.shape, dtype=bool)


def _first_few(places):
    shown = ", ".join(str(place) for place in places[:_N_SHOWN])
    return f"{shown}, ..." if len(places) > _N_SHOWN else shown
