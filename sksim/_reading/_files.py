"""A file by its ending: which library reads it, and which of its arrays is wanted."""

import difflib
import zipfile
import zlib
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.io
from scipy import sparse

from sksim._optional import import_extra
from sksim._reading._columns import array_of_table
from sksim._reading._options import Options, Unreadable, listed
from sksim._reading._text import read_text

_TABLES = (".csv", ".tsv", ".txt", ".parquet", ".feather")
_ARCHIVES = (".npz", ".mat", ".h5", ".hdf5", ".safetensors", ".pt", ".pth")
FORMATS = ".npy, .npz, .csv, .tsv, .txt (also with .gz), .parquet, .feather, .mat, "
FORMATS += ".h5, .safetensors and .pt"
# A crafted file could corrupt the memory of older ones, weights_only=True or not
# (CVE-2026-24747), and run code in those before 2.6 (CVE-2025-32434).
_SAFE_TORCH = (2, 10)
_PICKLED = (
    "pickled Python objects, which are never loaded since they can run code. "
    "Save plain "
    "numbers or text"
)


def read_array(
    path: str | PathLike[str],
    *,
    key: str | None = None,
    header: bool | None = None,
    sep: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
    index_col: str | None = None,
    columns: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    na: Sequence[str] | None = None,
    flatten: bool = False,
    pool: str | None = None,
) -> np.ndarray | pd.DataFrame | pd.Series:
    r"""Array in a file, by the file's ending.

    How a table of text is written is found out from its first lines; what they leave in
    doubt is refused, with the parameter that decides. Pickles are never loaded.

    Parameters
    ----------
    path : str or path-like
        A file that ends in .npy, .npz, .csv, .tsv, .txt (or one of these and .gz),
        .parquet, .feather, .mat, .h5, .safetensors or .pt.
    key : str, default=None
        Which array, where a file holds several.
    header : bool, default=None
        Whether the first row of a table names its columns.
    sep : str, default=None
        Character between the cells of a table; "space" stands for any number of them.
    decimal : {".", ","}, default=None
        Sign before decimals.
    encoding : str, default=None
        Encoding of text.
    index_col : str, default=None
        Column with the names of the rows; "none" if there is none. Columns without a
        name are counted from 0.
    columns, drop : list of str, default=None
        Columns to read, or to leave out.
    na : list of str, default=None
        Words that stand for a missing value, beside empty cells.
    flatten : bool, default=False
        Whether arrays of more than two axes become matrices of as many rows.
    pool : {"mean"}, default=None
        Averages over the tokens of arrays with three axes (axis 1), or over the places
        of those with more (all axes after the second).

    Returns
    -------
    array : ndarray, DataFrame or Series
        A table if its rows or its columns have names; a vector if it has one column.

    Raises
    ------
    ValueError
        If the file is not what its ending says, holds no numbers or labels, or can be
        read in more than one way.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sksim.datasets import read_array
    >>> path = Path(tempfile.mkdtemp(), "a.csv")
    >>> _ = path.write_text("id;first;second\nx1;0,5;1,5\nx2;2,0;3,5\n")
    >>> read_array(path)
        first  second
    x1    0.5     1.5
    x2    2.0     3.5
    """
    path = Path(path)
    options = Options(
        key, header, sep, decimal, encoding, index_col, _words(columns), _words(drop),
        _words(na),
    )  # fmt: skip
    _check_path(path)
    try:
        return reduced(_read(path, options), flatten=flatten, pool=pool)
    except Unreadable as error:
        raise ValueError(f"{path}: {error}") from error


def _words(words):
    return [words] if isinstance(words, str) else words


def ending_of(path):
    """Ending of a file's name, without that of its compression."""
    path = Path(str(path).lower())
    if path.suffix == ".gz" and Path(path.stem).suffix in (".csv", ".tsv", ".txt"):
        return Path(path.stem).suffix
    return path.suffix


def holds_several(path):
    """Whether a file of this ending may hold several arrays, so that a key chooses."""
    return ending_of(path) in _ARCHIVES


def _check_path(path):
    if not path.exists():
        raise ValueError(f"{path}: no such file{_nearby(path)}.")
    if path.is_dir():
        raise ValueError(f"{path} is a folder: pass a file ({FORMATS}).")
    if ending_of(path) not in _READERS:
        raise ValueError(
            f"{path}: files that end in {path.suffix or 'nothing'} can't be read; "
            f"{FORMATS} can."
        )


def _nearby(path):
    """Name of a file that may have been meant."""
    if not path.parent.is_dir():
        return ""
    names = [p.name for p in path.parent.iterdir()]
    close = difflib.get_close_matches(path.name, names, n=1)
    return f"; did you mean {path.parent / close[0]}?" if close else ""


def _read(path, options):
    ending = ending_of(path)
    if options.key is not None and ending not in _ARCHIVES:
        raise Unreadable(
            f"it holds one array: --key is for {listed(_ARCHIVES, len(_ARCHIVES))}."
        )
    array = _READERS[ending](path, options)
    if ending in _TABLES:
        return array_of_table(*array, options)
    if array.ndim == 0:
        raise Unreadable("it holds a single value, not an array with rows.")
    return array


def reduced(array, *, flatten, pool):
    """An array of more than two axes as a matrix, if that is asked for."""
    if pool not in (None, "mean"):
        raise ValueError(f"pool must be 'mean' or None, got {pool!r}.")
    if flatten and pool:
        raise ValueError("--flatten and --pool are two answers to one question.")
    if array.ndim <= 2 or not (flatten or pool):
        return array
    if flatten:
        return array.reshape(len(array), -1)
    if array.dtype.kind not in "fiu":
        raise Unreadable(f"--pool mean is for numbers, not for {array.dtype}.")
    axes = (1,) if array.ndim == 3 else tuple(range(2, array.ndim))
    return array.mean(axis=axes, dtype=np.promote_types(array.dtype, np.float32))


def _chosen(shapes, key):
    """The key of an array among several, whose shapes by key are given."""
    shown = listed((f"{name} {_shape(shape)}" for name, shape in shapes.items()), 20)
    if not shapes:
        raise Unreadable("it holds no arrays.")
    if key is None and len(shapes) > 1:
        raise Unreadable(
            f"it holds {len(shapes)} arrays ({shown}): choose one with --key."
        )
    if key is not None and key not in shapes:
        raise Unreadable(f"it has no array {key!r}, only {shown}.")
    return next(iter(shapes)) if key is None else key


def _shape(shape):
    if shape is None:
        return "of pickled objects"
    return " x ".join(map(str, shape)) if len(shape) else "single value"


# ----- numpy --------------------------------------------------------------------------


def _load(stream):
    try:
        return np.load(stream, allow_pickle=False)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
        if "pickle" in str(error).lower() and not _is_corrupt(stream):
            raise Unreadable(f"it holds {_PICKLED} with numpy.save.") from error
        raise Unreadable(f"corrupt: not a readable numpy file ({error}).") from error


def _is_corrupt(stream):
    """Whether the first bytes are those of no file that numpy, or pickle, writes."""
    stream.seek(0)
    start = stream.read(2)
    return not (start.startswith(b"\x80") or start in (b"\x93N", b"PK"))


def _read_npy(path, options):
    with path.open("rb") as stream:
        array = _load(stream)
        if not isinstance(array, np.ndarray):
            raise Unreadable("an .npz archive with the ending .npy: rename it.")
    return array


def _read_npz(path, options):
    with path.open("rb") as stream:
        archive = _load(stream)
        if isinstance(archive, np.ndarray):
            raise Unreadable("a .npy file with the ending .npz: rename it.")
        name = _chosen_in_npz(archive, options.key)
        try:
            return archive[name]
        except (ValueError, zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
            if "pickle" in str(error).lower():
                raise Unreadable(f"the array {name!r} holds {_PICKLED}.") from error
            raise Unreadable(
                f"corrupt: the array {name!r} can't be read ({error})."
            ) from error


def _chosen_in_npz(archive, key):
    names = archive.files
    if len(names) == 1 and key in (None, names[0]):
        return names[0]
    if key in names:
        return key
    return _chosen({name: _shape_in_npz(archive, name) for name in names}, key)


def _shape_in_npz(archive, name):
    """Shape by the array's header, without its numbers; None of pickled objects."""
    try:
        with archive.zip.open(f"{name}.npy") as stream:
            version = np.lib.format.read_magic(stream)
            read = getattr(
                np.lib.format, f"read_array_header_{version[0]}_0",
                np.lib.format.read_array_header_2_0,
            )  # fmt: skip
            shape, _, dtype = read(stream)
    except (ValueError, KeyError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Unreadable(f"corrupt: {name!r} can't be read ({error}).") from error
    return None if dtype.hasobject else shape


# ----- tables -------------------------------------------------------------------------


def _read_parquet(path, options):
    return _read_arrow(path, options, "parquet", pd.read_parquet)


def _read_feather(path, options):
    return _read_arrow(path, options, "feather", pd.read_feather)


def _read_arrow(path, options, what, reader):
    pyarrow = import_extra("pyarrow", extra="files", needed_by=f"Reading .{what}")
    try:
        table = reader(path)
    except (ValueError, OSError, KeyError, pyarrow.ArrowException) as error:
        raise Unreadable(f"corrupt: not a readable {what} file ({error}).") from error
    if table.empty:
        raise Unreadable("the table has no rows.")
    names = [str(name) for name in table.columns]
    index = table.index
    if not (isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1):
        if options.index_col is None:
            # the index that pandas has written is one, whatever its values
            levels = [str(name or "") for name in index.names]
            table = table.set_axis(
                range(index.nlevels, index.nlevels + len(names)), axis=1
            )
            for i in range(index.nlevels):
                table.insert(i, i, index.get_level_values(i))
            names = ["" for _ in levels] + names
        else:
            table = table.reset_index()
            names = [str(name) for name in table.columns]
    # in place: a copy would take as long as reading a feather file does
    table.index = pd.RangeIndex(len(table))
    table.columns = range(len(names))
    for j, dtype in enumerate(table.dtypes):
        if not pd.api.types.is_numeric_dtype(dtype):
            table[j] = _as_objects(table[j], names[j])
    return table, names


def _as_objects(column, name):
    """Text as objects; dates, lists and the like are no text."""
    column = column.astype(object)
    for value in column.head(100):
        if not (value is None or isinstance(value, str | float) or value is pd.NA):
            raise Unreadable(
                f"the column {name!r} holds {type(value).__name__}, neither "
                "numbers nor "
                f"text: leave it out by --drop {name}."
            )
    return column


# ----- archives of other programs -----------------------------------------------------


def _read_mat(path, options):
    try:
        shapes = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
        name = _chosen(shapes, options.key)
        array = scipy.io.loadmat(path, variable_names=[name])[name]
    except NotImplementedError:  # version 7.3 is HDF5
        return _vector_of_matlab(_read_h5(path, options, is_matlab=True))
    except Unreadable:
        raise
    except Exception as error:  # of many kinds, from the depths of a broken file
        raise Unreadable(f"corrupt: not a readable .mat file ({error}).") from error
    if sparse.issparse(array):
        array = array.toarray()
    if array.dtype == object and all(_is_cell_of_text(c) for c in array.ravel()):
        texts = [str(cell.ravel()[0]) if cell.size else "" for cell in array.ravel()]
        return np.array(texts, dtype=object)
    if array.dtype.kind in "OV":
        raise Unreadable(
            f"{name!r} is a structure, or cells of several kinds: save a matrix, "
            "or one "
            "cell of text for each row."
        )
    if array.dtype.kind == "U":
        array = np.char.rstrip(array)
    return _vector_of_matlab(array)


def _is_cell_of_text(cell):
    return isinstance(cell, np.ndarray) and cell.dtype.kind == "U" and cell.size <= 1


def _vector_of_matlab(array):
    """MATLAB knows no vectors: a matrix of one row or column is meant as one."""
    return array.ravel() if array.ndim == 2 and 1 in array.shape else array


def _read_h5(path, options, is_matlab=False):
    h5py = import_extra("h5py", extra="files", needed_by="Reading .h5")
    try:
        with h5py.File(path, "r") as file:
            found = {}

            def collect(name, item):
                if isinstance(item, h5py.Dataset) and not name.startswith("#"):
                    found[name] = item

            file.visititems(collect)
            key = options.key.strip("/") if options.key else None
            item = found[_chosen({k: d.shape for k, d in found.items()}, key)]
            return _of_matlab(item) if is_matlab else _of_h5(item, h5py)
    except (OSError, RuntimeError, KeyError) as error:
        raise Unreadable(f"corrupt: not a readable HDF5 file ({error}).") from error


def _of_h5(item, h5py):
    if h5py.check_string_dtype(item.dtype) is not None:
        return np.asarray(item.asstr()[()], dtype=object)
    if item.dtype.kind in "OV":
        raise Unreadable(f"{item.name!r} holds no plain numbers but {item.dtype}.")
    return item[()]


def _of_matlab(item):
    """A matrix as MATLAB shows it, whose axes HDF5 has in the other order."""
    kind = item.attrs.get("MATLAB_class", b"").decode()
    if kind in ("cell", "struct", "char") or item.dtype.kind in "OV":
        raise Unreadable(
            f"{item.name!r} is of class {kind or item.dtype}: save a matrix of numbers."
        )
    return item[()].T


def _read_safetensors(path, options):
    safetensors = import_extra(
        "safetensors", extra="files", needed_by="Reading .safetensors"
    )
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            shapes = {name: tuple(s.get_shape()) for name, s in slices.items()}
            name = _chosen(shapes, options.key)
            kind = slices[name].get_dtype()
            if kind not in ("BF16",):
                return file.get_tensor(name)
    except Unreadable:
        raise
    except Exception as error:  # its errors have no common class
        raise Unreadable(
            "corrupt, or of numbers unknown to numpy: not a readable "
            ".safetensors file "
            f"({error})."
        ) from error
    return _of_bfloat16(safetensors.deserialize(path.read_bytes()), name, shapes[name])


def _of_bfloat16(tensors, name, shape):
    """Numbers of 16 bits, which are the first 16 of those of 32."""
    (data,) = (tensor["data"] for key, tensor in tensors if key == name)
    halves = np.frombuffer(data, dtype="<u2").astype("<u4") << 16
    return halves.view("<f4").reshape(shape)


def load_tensors(path):
    """What a .pt file holds, without running anything, and the library."""
    torch = import_extra("torch", extra="torch", needed_by="Reading .pt")
    if tuple(map(int, torch.__version__.split(".")[:2])) < _SAFE_TORCH:
        raise Unreadable(
            "PyTorch 2.10 or newer is needed, since a file can harm older ones, and "
            f"this is {torch.__version__}: update it, or save as .npz or .safetensors."
        )
    try:
        # places outside a sparse tensor would be read when it is made dense
        with torch.sparse.check_sparse_tensor_invariants():
            content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # its errors have no common class
        text = str(error)
        if "weights_only" in text or "Unsupported global" in text:
            raise Unreadable(
                f"it holds {_PICKLED} (tensors) with torch.save."
            ) from error
        raise Unreadable(
            "corrupt: not a readable .pt file "
            f"({text.splitlines()[0] if text else ''})."
        ) from error
    return content, torch


def _read_pt(path, options):
    content, torch = load_tensors(path)
    found = dict(_tensors(content, "", torch))
    name = _chosen({k: tuple(t.shape) for k, t in found.items()}, options.key)
    tensor = found[name].detach()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.is_floating_point() and tensor.dtype not in (
        torch.float64, torch.float32, torch.float16,
    ):  # fmt: skip
        tensor = tensor.float()
    return tensor.resolve_conj().resolve_neg().numpy()


def _tensors(content, name, torch):
    """All tensors within lists and dicts, by the path to them."""
    if isinstance(content, torch.Tensor):
        yield name or "tensor", content
        return
    items = ()
    if isinstance(content, dict):
        items = content.items()
    elif isinstance(content, list | tuple):
        items = enumerate(content)
    for key, value in items:
        yield from _tensors(value, f"{name}.{key}" if name else str(key), torch)


_READERS = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".csv": read_text,
    ".tsv": read_text,
    ".txt": read_text,
    ".parquet": _read_parquet,
    ".feather": _read_feather,
    ".mat": _read_mat,
    ".h5": _read_h5,
    ".hdf5": _read_h5,
    ".safetensors": _read_safetensors,
    ".pt": _read_pt,
    ".pth": _read_pt,
}
