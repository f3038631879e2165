"""Arrays from files, read without ever running what is in them."""

import difflib
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

_FORMATS = ".npy, .npz, .csv and .parquet"


def read_array(path, *, key=None):
    """Array in a file, by the file's ending.

    Parameters
    ----------
    path : str or path-like
        A .npy, .npz, .csv or .parquet file.
    key : str, default=None
        Which array of an .npz file; None where there is only one.

    Returns
    -------
    array : ndarray

    Raises
    ------
    ValueError
        If the file is not what its ending says, or holds no numbers or labels.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file{_nearby(path)}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: pass a file ({_FORMATS}).")
    readers = {
        ".npy": _read_npy,
        ".npz": lambda path: _read_npz(path, key),
        ".csv": _read_csv,
        ".parquet": _read_parquet,
    }
    if path.suffix.lower() not in readers:
        raise ValueError(
            f"{path}: files that end in {path.suffix or 'nothing'} can't be read; "
            f"{_FORMATS} can."
        )
    if key is not None and path.suffix.lower() != ".npz":
        raise ValueError(f"{path} holds one array: --key is for .npz files.")
    try:
        array = readers[path.suffix.lower()](path)
    except _Unreadable as error:
        raise ValueError(f"{path}: {error}") from error
    if array.ndim == 0:
        raise ValueError(f"{path} holds a single value, not an array with rows.")
    return array


class _Unreadable(Exception):
    """What is wrong with a file's content."""


def _nearby(path):
    """Name of a file that may have been meant."""
    if not path.parent.is_dir():
        return ""
    names = [p.name for p in path.parent.iterdir()]
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.parent / close[0]}?" if close else ""


def _load(stream):
    try:
        return np.load(stream, allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        if "pickle" in str(error).lower():
            raise _Unreadable(
                "the file holds pickled Python objects, which are never loaded since "
                "they can run code. Save plain numbers or text with numpy.save."
            ) from error
        raise _Unreadable(f"not a readable numpy file ({error})") from error


def _read_npy(path):
    with path.open("rb") as stream:
        array = _load(stream)
        if not isinstance(array, np.ndarray):
            raise _Unreadable("an .npz archive with the ending .npy: rename it.")
    return array


def _read_npz(path, key):
    with path.open("rb") as stream:
        archive = _load(stream)
        if isinstance(archive, np.ndarray):
            raise _Unreadable("a .npy file with the ending .npz: rename it.")
        names = archive.files
        if key is None and len(names) != 1:
            raise _Unreadable(
                f"the archive holds {len(names)} arrays ({', '.join(names)}): choose "
                "one with --key."
            )
        name = names[0] if key is None else key
        if name not in names:
            raise _Unreadable(
                f"the archive has no array {key!r}, only {', '.join(names)}."
            )
        try:
            return archive[name]
        except (ValueError, zipfile.BadZipFile, OSError, EOFError) as error:
            if "pickle" in str(error).lower():
                raise _Unreadable(
                    f"the array {name!r} holds pickled Python objects, which are never "
                    "loaded since they can run code."
                ) from error
            raise _Unreadable(f"the array {name!r} can't be read ({error})") from error


def _read_csv(path):
    try:
        head = pd.read_csv(path, header=None, nrows=1, dtype=str)
        has_header = not all(_is_number(cell) for cell in head.iloc[0])
        table = pd.read_csv(path, header=0 if has_header else None)
    except (ValueError, UnicodeDecodeError, pd.errors.ParserError) as error:
        raise _Unreadable(f"not a readable table ({error})") from error
    return _table_values(table)


def _is_number(cell):
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return not pd.isna(cell)


def _read_parquet(path):
    try:
        table = pd.read_parquet(path)
    except ImportError as error:
        raise _Unreadable(
            "reading .parquet needs pyarrow: pip install 'sksim[parquet]'."
        ) from error
    except (ValueError, OSError, KeyError) as error:
        raise _Unreadable(f"not a readable parquet file ({error})") from error
    return _table_values(table)


def _table_values(table):
    """Values of a table; a single column is a vector."""
    if table.empty:
        raise _Unreadable("the table has no rows.")
    first = str(table.columns[0])
    is_unnamed = first == "" or first.startswith("Unnamed: 0")
    if is_unnamed and np.array_equal(table.iloc[:, 0], np.arange(len(table))):
        raise _Unreadable(
            "the first column has no name and counts the rows: it is an index, not a "
            "feature. Write the table without it (index=False)."
        )
    if table.shape[1] == 1:
        return table.iloc[:, 0].to_numpy()
    text = [str(c) for c in table if not pd.api.types.is_numeric_dtype(table[c])]
    if text:
        shown = ", ".join(text[:3]) + (", ..." if len(text) > 3 else "")
        raise _Unreadable(
            f"the columns {shown} hold text; representations are numbers. Drop or "
            "encode these columns."
        )
    return table.to_numpy(dtype=float)
