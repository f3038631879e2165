"""Names of all arrays in a file that holds several."""

from pathlib import Path

import scipy.io

from sksim._optional import import_extra
from sksim._reading._files import (
    _check_path,
    _load,
    _tensors,
    ending_of,
    load_tensors,
)
from sksim._reading._options import Unreadable


def names_in(path):
    """Names of the arrays in an archive, in its order.

    Parameters
    ----------
    path : str

    Returns
    -------
    names : list of str
    """
    path = Path(path)
    _check_path(path)
    try:
        names = _NAMES[ending_of(path)](path)
        if not names:
            raise Unreadable("it holds no arrays.")
    except Unreadable as error:
        raise ValueError(f"{path}: {error}") from error
    return names


def _in_npz(path):
    with path.open("rb") as stream:
        archive = _load(stream)
        if not hasattr(archive, "files"):
            raise Unreadable("a .npy file with the ending .npz: rename it.")
        return list(archive.files)


def _in_mat(path):
    try:
        return [name for name, _, _ in scipy.io.whosmat(path)]
    except NotImplementedError:  # version 7.3 is HDF5
        return _in_h5(path)
    except Exception as error:  # of many kinds, from the depths of a broken file
        raise Unreadable(f"corrupt: not a readable .mat file ({error}).") from error


def _in_h5(path):
    h5py = import_extra("h5py", extra="files", needed_by="Reading .h5")
    names = []

    def collect(name, item):
        if isinstance(item, h5py.Dataset) and not name.startswith("#"):
            names.append(name)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(collect)
    except (OSError, RuntimeError) as error:
        raise Unreadable(f"corrupt: not a readable HDF5 file ({error}).") from error
    return names


def _in_safetensors(path):
    safetensors = import_extra(
        "safetensors", extra="files", needed_by="Reading .safetensors"
    )
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return list(file.keys())
    except Exception as error:  # its errors have no common class
        raise Unreadable(f"not a readable .safetensors file ({error}).") from error


def _in_pt(path):
    content, torch = load_tensors(path)
    return [name for name, _ in _tensors(content, "", torch)]


_NAMES = {
    ".npz": _in_npz,
    ".mat": _in_mat,
    ".h5": _in_h5,
    ".hdf5": _in_h5,
    ".safetensors": _in_safetensors,
    ".pt": _in_pt,
    ".pth": _in_pt,
}
