"""Data as batches: arrays and mappings are cut, what gives batches stays as it is."""

import hashlib
from collections.abc import Mapping

import numpy as np
import pandas as pd

from sksim._sklearn_compat import num_samples
from sksim.arrays._slices import slices, take_slice

# Samplers of torch that draw another order for each pass.
_RANDOM_SAMPLERS = ("RandomSampler", "SubsetRandomSampler", "WeightedRandomSampler")


def batches_of(data, batch_size, *, order=None, as_arrays=True):
    """Batches of data, and their number (0 if unknown).

    Parameters
    ----------
    data : tensor, array-like, mapping, or iterable of batches
    batch_size : int or None
        Rows of a batch that is cut; None cuts nothing.
    order : callable, default=None
        From the number of rows of data that are cut to the order to take them in.
    as_arrays : bool, default=True
        Whether tables become arrays, and lists of text or objects, too.
    """
    if is_cut(data):
        cut = _as_rows(data, as_arrays)
        n_rows = _n_rows(cut)
        rows = slices(n_rows, batch_size or max(n_rows, 1))
        if order is not None and len(rows) > 1:
            chosen = order(n_rows)
            rows = [chosen[part] for part in rows]
        return (_some(cut, part) for part in rows), len(rows)
    if not hasattr(data, "__iter__"):
        raise ValueError(
            "data must be a tensor, an array or a DataLoader, got "
            f"{type(data).__name__}."
        )
    return data, len(data) if hasattr(data, "__len__") else 0


def is_cut(data):
    """Whether data are rows, which are cut into batches, and not batches already."""
    if isinstance(data, Mapping) or hasattr(data, "shape"):
        return True
    return isinstance(data, list | tuple) and not _is_list_of_batches(data)


def _as_rows(data, as_arrays):
    if isinstance(data, Mapping) or hasattr(data, "iloc") or hasattr(data, "shape"):
        return np.asarray(data) if hasattr(data, "iloc") and as_arrays else data
    if as_arrays:
        return np.asarray(data)
    try:
        rows = np.asarray(data)
    except ValueError:  # rows of several lengths
        return data
    return rows if rows.dtype.kind in "biuf" else data


def _n_rows(data):
    if not isinstance(data, Mapping):
        return num_samples(data)
    lengths = {k: num_samples(v) for k, v in data.items() if np.ndim(v) > 0}
    if len(set(lengths.values())) != 1:
        raise ValueError(
            "data is a mapping, which must hold arrays with one row for each "
            f"input; their lengths are {lengths}."
        )
    return next(iter(lengths.values()))


def _some(data, rows):
    if isinstance(data, Mapping):
        return {
            k: take_slice(v, rows) if np.ndim(v) > 0 else v for k, v in data.items()
        }
    return take_slice(data, rows)


def _is_list_of_batches(data):
    """Whether a list holds batches, not rows; ValueError where it may be either."""
    if not data:
        return False
    if all(isinstance(item, Mapping) or _is_tuple_of_arrays(item) for item in data):
        return True
    axes = {getattr(item, "ndim", 0) for item in data}
    if max(axes) > 1 and (isinstance(data, tuple) or len(axes) > 1):
        raise ValueError(
            f"data is a {type(data).__name__} of arrays, which may be inputs and "
            "labels, several inputs or batches: pass data[0] if the first is the "
            "input, [data] if all are of one batch, list(data) if each is a batch."
        )
    if axes == {2}:
        return True
    shapes = {getattr(item, "shape", ()) for item in data}
    if len(shapes) > 1 and len({shape[1:] for shape in shapes}) == 1 < min(axes):
        return True  # rows would all have one shape
    if min(axes) > 2:
        raise ValueError(
            f"data is a list of {len(data)} arrays with more than two axes: each may "
            "be one input or a batch of them. Pass torch.stack(data) if each is one "
            "input, torch.cat(data) if each is a batch."
        )
    return False


def _is_tuple_of_arrays(item):
    """Whether this is a batch, such as inputs and labels of as many rows."""
    if not isinstance(item, list | tuple):
        return False
    if getattr(next(iter(item), None), "ndim", 0) < 2:
        return False
    return len({len(part) if getattr(part, "ndim", 0) else None for part in item}) == 1


def random_sampler_of(data):
    """Name of the class of a loader's random sampler; empty where there is none."""
    of_batches = getattr(getattr(data, "batch_sampler", None), "sampler", None)
    samplers = [type(s).__name__ for s in (getattr(data, "sampler", None), of_batches)]
    return next((name for name in samplers if name in _RANDOM_SAMPLERS), "")


def number_of_rows(data):
    """Rows that will pass, as far as that is known; else 0."""
    if is_cut(data):
        parts = parts_of(data) if isinstance(data, Mapping) else [data]
        return num_samples(parts[0]) if parts else 0
    if isinstance(data, list | tuple):
        return sum(map(length_of, data))
    dataset = getattr(data, "dataset", None)
    return len(dataset) if hasattr(dataset, "__len__") else 0


# ----- parts of a batch ---------------------------------------------------------------


def parts_of(batch):
    """Arrays of a batch with at least one axis, in their order."""
    if isinstance(batch, Mapping):
        batch = tuple(batch.values())
    if isinstance(batch, list | tuple):
        return [array for part in batch for array in parts_of(part)]
    return [batch] if np.ndim(batch) > 0 else []


def length_of(batch):
    """Number of rows of a batch: the length of its first array."""
    arrays = parts_of(batch)
    if not arrays and isinstance(batch, list) and batch:
        return len(batch)  # of text or objects
    if not arrays:
        raise ValueError(
            f"A batch is a {type(batch).__name__} without an array, so that its rows "
            "can't be counted."
        )
    return num_samples(arrays[0])


def joined_batches(first, second):
    """Rows of two batches in one, or None where their shapes don't allow it."""
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if set(first) != set(second):
            return None
        parts = [joined_batches(first[key], second[key]) for key in first]
        return (
            None
            if _has_none(first.values(), parts)
            else dict(zip(first, parts, strict=True))
        )
    if isinstance(first, list | tuple) and isinstance(second, list | tuple):
        if len(first) != len(second):
            return None
        parts = [joined_batches(*pair) for pair in zip(first, second, strict=True)]
        whole = None if _has_none(first, parts) else parts
        return tuple(whole) if whole and isinstance(first, tuple) else whole
    shapes = [tuple(getattr(part, "shape", ())) for part in (first, second)]
    if not shapes[0] or not shapes[1]:
        return first if first is second or shapes == [(), ()] else None
    if shapes[0][1:] != shapes[1][1:]:
        return None
    if hasattr(first, "detach"):
        import torch

        return torch.cat([first, second])
    if hasattr(first, "iloc") and hasattr(second, "iloc"):
        return pd.concat([first, second])
    return np.concatenate([first, second])


def _has_none(before, parts):
    return any(
        part is None and old is not None
        for old, part in zip(before, parts, strict=True)
    )


def without_small_batches(batches, fewest):
    """The same rows in batches none of which has fewer than ``fewest`` rows.

    A batch that is too small is joined with the one before it, which therefore waits
    until the next one has come; the first with the one after it. Yields each batch
    with the number of batches that are in it; one that can't be joined comes as it is.
    """
    waiting, count = None, 0
    for batch in batches:
        if waiting is None:
            waiting, count = batch, 1
            continue
        joined = None
        if min(length_of(waiting), length_of(batch)) < fewest:
            joined = joined_batches(waiting, batch)
        if joined is None:
            yield waiting, count
            waiting, count = batch, 1
        else:
            waiting, count = joined, count + 1
    if waiting is not None:
        yield waiting, count


def digest(before, batch):
    """Hash of a batch after those before it.

    Parameters
    ----------
    before : bytes
        Hash of the batches before.
    batch : array or collection of arrays
    """
    found = hashlib.sha256(before)
    for array in parts_of(batch):
        if hasattr(array, "detach"):
            array = array.detach().cpu()
            if str(array.dtype) == "torch.bfloat16":
                array = array.float()
        array = np.asarray(array)
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(
            repr(array.tolist()).encode()
            if array.dtype.hasobject
            else np.ascontiguousarray(array).data.cast("B")
            if array.size
            else b""
        )
    return found.digest()
