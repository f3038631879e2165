"""What users pass before it is an array: read, or refused with the way out."""

import re
from inspect import isclass

import numpy as np
import pandas as pd

from sksim.arrays._namespace import get_namespace_and_device, is_numpy
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
    both_axes : bool, default=False
        Whether columns are rows too, as in a matrix of all pairs.
    """

    def __init__(self, array, name, *, both_axes=False):
        self.array = array
        self.name = name
        self.both_axes = both_axes

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        is_about_values = isinstance(error, ValueError | TypeError)
        if is_about_values and _SAYS_MISSING.search(str(error)):
            refuse_missing(self.array, self.name, both_axes=self.both_axes)
        return False


class readable(missing_named):
    """The same of rows of numbers, which are refused first if they are none.

    Parameters
    ----------
    array, name, both_axes : array-like, str, bool
    allow_nd : bool, default=False
        Whether rows may be more than vectors.
    """

    def __init__(self, array, name, *, allow_nd=False, both_axes=False):
        super().__init__(array, name, both_axes=both_axes)
        self.allow_nd = allow_nd

    def __enter__(self):
        try:
            refuse_unreadable(self.array, self.name, allow_nd=self.allow_nd)
        except (ValueError, TypeError) as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self


def refuse_unreadable(array, name, *, allow_nd=False):
    """Raise on what numpy can't convert to numbers, or would without being asked to."""
    refuse_foreign(array, name)
    ndim = getattr(array, "ndim", None)
    if not allow_nd and isinstance(ndim, int) and ndim > 2:
        raise ValueError(
            f"{name} has {ndim} dimensions (Found array with dim {ndim}, while dim <= "
            "2 is required): rows must be vectors. Flatten or pool the other axes "
            "first, for example with array.reshape(len(array), -1)."
        )
    if has_masked_entries(array):
        raise ValueError(
            f"{name} is a masked array with masked values, which have no place in a "
            "comparison. Drop the rows that contain them, or fill them."
        )
    values = array
    is_table = hasattr(array, "dtypes")
    if is_table or not has_dtype(array):
        values = as_values(array, name)
        if is_table and 0 in values.shape:
            what = "sample(s)" if values.shape[0] == 0 else "feature(s)"
            raise ValueError(
                f"{name} is an empty table: Found array with 0 {what} "
                f"(shape={values.shape}) while a minimum of 1 is required."
            )
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if kind == "V":
        raise ValueError(
            f"{name} is a structured array: pass a plain matrix, for example by "
            "numpy.lib.recfunctions.structured_to_unstructured."
        )
    if kind in ("M", "m"):
        raise ValueError(
            f"{name} holds dates or times; a representation must be numeric. Convert "
            f"them to a unit of your choice, for example by {name}.astype(float)."
        )
    if kind in ("U", "S", "T") or (kind == "O" and any(map(is_text, values.ravel()))):
        raise ValueError(
            f"{name} contains text; a representation must be numeric. Convert numeric "
            f"strings yourself ({name}.astype(float)) and encode categories."
        )
    if kind == "O":
        _refuse_objects(values, name)


def is_text(value):
    """Whether one entry of an array is text or bytes."""
    return isinstance(value, str | bytes)


def is_list(values):
    """Whether this is one of Python's own sequences of things."""
    return isinstance(values, list | tuple)


def is_masked_array(array):
    """Whether this is one of numpy's masked arrays, with masked entries or without."""
    return isinstance(array, np.ma.MaskedArray)


def has_masked_entries(array):
    """Whether this is a masked array in which something is masked."""
    return is_masked_array(array) and np.ma.is_masked(array)


def has_dtype(array):
    """Whether this is an array already, of any library, and not a class of them."""
    return hasattr(array, "dtype") and not isclass(array)


def as_values(array, name):
    """What is no array, as one, or a ValueError or TypeError that says what it is."""
    refuse_foreign(array, name)
    if isinstance(array, type | str | bytes | dict | set | frozenset) or not (
        hasattr(array, "__array__") or hasattr(array, "__len__")
    ):
        what = array.__name__ if isclass(array) else type(array).__name__
        raise TypeError(
            f"{name} is no array but {array!r:.40} ({what}): pass a matrix with one "
            "row for each input."
        )
    try:
        return np.asarray(array)
    except ValueError as error:
        raise ValueError(
            f"{name} is ragged: its rows differ in length ({error})."
        ) from error
    except TypeError as error:
        raise TypeError(
            f"{name} can't be read as a matrix of numbers: {error}."
        ) from error


def _refuse_objects(values, name):
    """Raise on an array of objects unless all of them are real numbers."""
    if any(value is pd.NA for value in values.ravel()):
        raise ValueError(
            f"{name} contains missing values (NaN), which have no place in a "
            "comparison. Drop the rows that contain them, or fill them."
        )
    try:
        values.astype(float)
    except TypeError as error:
        raise TypeError(
            f"{name} holds an object that is no real number: {error}."
        ) from error
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{name} holds an object that is no real number: {error}."
        ) from error


def refuse_foreign(array, name):
    """Raise on what numpy can't read as it is; the message says what makes it readable.

    Parameters
    ----------
    array : object
        An array of any library, or a list of them.
    name : str
        What the message calls it.
    """
    if is_list(array):
        for i, item in enumerate(array):
            if hasattr(item, "dtype"):
                refuse_foreign(item, f"{name}[{i}]")
        return
    if is_dask(array):
        raise ValueError(
            f"{name} is a Dask {type(array).__name__}, which is not gathered unasked. "
            f"Bring the rows into memory with {name}.compute(), or pass it to fit of a "
            "measure that merges chunks: sksim.all_measures(streaming=True, "
            "inputs='representation') lists them."
        )
    if type(array).__name__ == "AnnData" and hasattr(array, "obsm"):
        raise TypeError(
            f"{name} is an AnnData, which holds several matrices: pass one of "
            "them, such "
            f"as {name}.X, {name}.obsm[...] or {name}.layers[...]; to_df() keeps the "
            "names of its rows."
        )
    if hasattr(array, "detach") and hasattr(array, "requires_grad"):
        _refuse_tensor(array, name)
        return
    dtype = getattr(array, "dtype", None)
    if getattr(dtype, "kind", None) == "c":
        raise ValueError(
            f"{name} holds complex numbers (Complex data not supported): compare their "
            "absolute values, or real and imaginary parts side by side."
        )
    if getattr(dtype, "kind", None) == "V" and getattr(dtype, "names", None) is None:
        raise ValueError(
            f"{name} is of {dtype}, numbers that numpy doesn't know: convert them "
            f"by {name}.astype('float32')."
        )


def _refuse_tensor(tensor, name):
    """Raise on a tensor of PyTorch, unless numpy reads it or it is not asked to."""
    if not is_numpy(get_namespace_and_device(tensor)[0]):
        return
    kind = str(tensor.dtype).removeprefix("torch.")
    device = tensor.device.type
    steps = [
        (tensor.requires_grad, "requires gradients", ".detach()"),
        (device == "meta", "has no values (device meta)", ""),
        (device not in ("cpu", "meta"), f"is on the device {tensor.device}", ".cpu()"),
        (tensor.is_quantized, "is quantized", ".dequantize()"),
        (str(tensor.layout) != "torch.strided", "is sparse", ".to_dense()"),
        ("bfloat16" in kind or "float8" in kind, f"is of {kind}", ".float()"),
    ]
    found = [(what, way) for applies, what, way in steps if applies]
    if not found:
        return
    what = " and ".join(what for what, _ in found)
    if device == "meta":
        raise ValueError(f"{name} is a tensor that {what}: load the values first.")
    way = "".join(way for _, way in found)
    if way in (".detach()", ".float()", ".cpu()") and "float8" not in kind:
        way += ", or compute on tensors by sklearn.set_config(array_api_dispatch=True)"
    raise ValueError(
        f"{name} is a tensor that {what}, which numpy can't read: convert it by "
        f"{name}{way}."
    )


def refuse_missing(array, name, *, both_axes=False):
    """Raise where entries are missing: nan, None, NA, or masked.

    Parameters
    ----------
    array : array-like
    name : str
        What the message calls it.
    both_axes : bool, default=False
        Whether columns are rows too, as in a matrix of all pairs.
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
    cut = "[keep][:, keep]" if both_axes and missing.ndim == 2 else "[keep]"
    other = "y" if name != "y" else "X"
    raise ValueError(
        f"{name} contains NaN, that is missing values, in {len(rows)} of {len(by_row)} "
        f"rows ({places}), which can't be compared: drop these rows from both sides, "
        f"and from all that belongs to them, by keep = {keep}, {name}{cut}, "
        f"{other}{cut}."
    )


def _call_that_finds_them(array, name):
    if is_masked_array(array):
        return f"numpy.ma.getmaskarray({name})"
    return f"{name}.isnan()" if hasattr(array, "detach") else f"pandas.isna({name})"


def missing_entries(array):
    """Where entries of an array or table are missing, or None where it is neither."""
    if is_masked_array(array):
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


def is_dask(array):
    """Whether an argument is a collection of Dask, by itself or within xarray's."""
    # arrays of xarray have the method with and without chunks
    is_lazy = hasattr(array, "__dask_graph__")
    return is_lazy and getattr(array, "chunks", ()) is not None
