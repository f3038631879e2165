"""Many representations of the same rows: validated once, viewed once."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sksim._sklearn_compat import num_samples
from sksim.arrays._namespace import device_of, is_numpy
from sksim.base._readable import is_list
from sksim.base._row_names import refuse_other_rows
from sksim.base._tags import ROW_METADATA, tags_of
from sksim.base._validation import rounding_of


@dataclass(frozen=True)
class Layers:
    """Named representations, and all pairs of their views.

    Attributes
    ----------
    names_x, names_y : list
        Names of the rows and columns of a matrix of pairs.
    is_of_one_set : bool
        Whether the columns are the rows once more.
    grid : Grid
    arrays : tuple of two lists
        What was validated: rows and columns of the matrix.
    """

    names_x: list
    names_y: list
    is_of_one_set: bool
    grid: object
    arrays: tuple


def open_layers(measure, Xs, Ys=None, *, n_jobs=None, beside=None, **metadata):
    """Validate each layer once, view it once, and check the pairs.

    Parameters
    ----------
    measure : BaseSimilarity
        Changed: pass a clone that has not been fitted.
    Xs : dict of str to array-like, or sequence of array-like
        Representations of the same rows, outputs, or models.
    Ys : dict or sequence, default=None
        Those that they are compared with; None for Xs themselves.
    n_jobs : int, default=None
        Number of parallel jobs.
    beside : dict, default=None
        What else has rows, by name: their names must be those of the layers' rows.
    **metadata : dict
        What is known of the rows.

    Returns
    -------
    layers : Layers
    """
    tags = tags_of(measure)
    layers_x = named_layers(Xs, "Xs")
    layers_y = layers_x if Ys is None else named_layers(Ys, "Ys")
    named = {**(beside or {}), **metadata}
    _refuse_other_rows(tags, layers_x, {} if Ys is None else layers_y, named)
    layers_x, layers_y, metadata = _by_names(measure, layers_x, layers_y, metadata)
    first = next(iter(layers_x.values()))
    checked_x, xp = _validated(measure, layers_x, first, "x")
    shares_views = Ys is None and tags.symmetric
    checked_y = checked_x
    if not shares_views:
        checked_y, _ = _validated(measure, layers_y, first, "y")
    like = next(iter(checked_x.values()))
    is_array = tags.inputs != "models"
    if is_array:
        _refuse_other_lengths(tags, (checked_x, checked_y))
        checked_x, checked_y = _in_one_precision(checked_x, checked_y, xp)
        like = next(iter(checked_x.values()))
    rows = measure._rows((like,), xp, metadata)
    n_samples = rows.n_samples
    rows = replace(rows, arrays=())
    views_x = _views(rows, checked_x, "x", n_jobs)
    views_y = views_x if shares_views else _views(rows, checked_y, "y", n_jobs)
    grid = measure._kind.grid(
        measure=measure._engine,
        owner=measure,
        xp=xp,
        device=None if is_numpy(xp) else device_of(like),
        n_samples=n_samples,
        rounding=rounding_of(str(like.dtype) if is_array else ""),
        views_x=views_x,
        views_y=views_y,
    )
    names = list(layers_x), list(layers_y)
    _check_pairs(grid, *names)
    arrays = [*checked_x.values()], [*checked_y.values()]
    return Layers(*names, Ys is None, grid, arrays)


def named_layers(layers, name):
    """Layers as a dict: a mapping keeps its names, a sequence gets numbers.

    Parameters
    ----------
    layers : mapping of str to array, or sequence of arrays
    name : str
        The argument's name, for messages.
    """
    if isinstance(layers, Mapping):
        layers = dict(layers)
    elif is_list(layers):
        layers = dict(enumerate(layers))
    else:
        raise ValueError(
            f"{name} must be a dict or a list of arrays, one for each layer or model, "
            f"got {type(layers).__name__}. To compare two arrays, use a measure's fit "
            "or compare."
        )
    if not layers:
        raise ValueError(f"{name} is empty: there is nothing to compare.")
    return layers


def named_models(X, name="X"):
    """One representation, or several by name.

    Parameters
    ----------
    X : array-like, model, mapping of str to these, or list of arrays
        A list of lists of numbers is an array.
    name : str, default="X"
        The argument's name, and that of a single representation.

    Returns
    -------
    models : dict
    """
    is_mapping = hasattr(X, "items") and not hasattr(X, "shape")
    are_arrays = is_list(X) and any(hasattr(each, "shape") for each in X)
    return named_layers(X, name) if is_mapping or are_arrays else {name: X}


class named_errors:
    """Context in which a ValueError's message begins with the layer's name."""

    def __init__(self, *names):
        self.names = names

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, ValueError):
            where = " against ".join(repr(name) for name in self.names)
            raise ValueError(f"Layer {where}: {error}") from error
        return False


def _refuse_other_rows(tags, layers_x, layers_y, metadata):
    """Names of rows must be the same in all layers and in what is known of the rows."""
    known = {
        name: value
        for name, value in metadata.items()
        if name in (*ROW_METADATA, "data")
    }
    if tags.inputs != "models" and (tags.paired or "y_true" in tags.view_keywords):
        for name, layers in (("Xs", layers_x), ("Ys", layers_y)):
            known |= {f"{name}[{key!r}]": layer for key, layer in layers.items()}
    refuse_other_rows(**known)


def _by_names(measure, layers_x, layers_y, metadata):
    """Layers and metadata after what the names of columns and categories say."""
    sides = {
        f"{name}[{key!r}]": layer
        for name, layers in (("Xs", layers_x), ("Ys", layers_y))
        for key, layer in layers.items()
    }
    sides, metadata = measure._by_names(sides, metadata)
    values = iter(sides.values())
    layers_x = dict(zip(layers_x, values, strict=False))
    return layers_x, dict(zip(layers_y, values, strict=True)), metadata


def _validated(measure, layers, first, role):
    """Every layer by itself, and their common namespace."""
    checked, xp = {}, None
    for key, layer in layers.items():
        with named_errors(key):
            checked[key], xp = measure._read_alone(layer, like=first, role=role)
    return checked, xp


def _refuse_other_lengths(tags, both):
    if not tags.paired and "y_true" not in tags.view_keywords:
        return
    lengths = {k: num_samples(v) for layers in both for k, v in layers.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            "All layers must describe the same inputs, in the same order, but their "
            f"numbers of rows differ: {lengths}."
        )


def _in_one_precision(checked_x, checked_y, xp):
    """Layers in double precision, unless all are in single precision."""
    together = [*checked_x.values(), *checked_y.values()]
    if len({v.dtype for v in together if _is_float(v, xp)}) <= 1:
        return checked_x, checked_y
    both = (
        {
            k: xp.astype(v, xp.float64, copy=False) if _is_float(v, xp) else v
            for k, v in layers.items()
        }
        for layers in (checked_x, checked_y)
    )
    return tuple(both)


def _is_float(array, xp):
    if is_numpy(xp):
        return array.dtype.kind == "f"
    return xp.isdtype(array.dtype, "real floating")


def _views(rows, layers, role, n_jobs):
    """Views of validated layers; errors name the layer."""
    jobs = (delayed(_view)(rows, role, *item) for item in layers.items())
    return Parallel(n_jobs=n_jobs)(jobs)


def _view(rows, role, key, layer):
    with named_errors(key):
        return rows.view_of(layer, role)


def _check_pairs(grid, names_x, names_y):
    """Warn about degenerate pairs once, not once for each."""
    found = []
    is_one_set = grid.views_x is grid.views_y
    for i, j in np.ndindex(len(names_x), len(names_y)):
        if is_one_set and j <= i:
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with named_errors(names_x[i], names_y[j]):
                grid.pair(i, j).check()
        found += [(names_x[i], names_y[j], warning) for warning in caught]
    if found:
        row, column, warning = found[0]
        others = f" ({len(found)} pairs in all)" if len(found) > 1 else ""
        warnings.warn(
            f"Layer {row!r} against {column!r}{others}: {warning.message}",
            warning.category,
            stacklevel=4,
        )
