"""Named representations: validated once, viewed once."""

from collections.abc import Mapping

import numpy as np
from sklearn.utils.parallel import Parallel, delayed


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
    elif isinstance(layers, list | tuple):
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


def validate_layers(measure, layers, *, first):
    """Every layer validated once, and their common namespace.

    Parameters
    ----------
    measure : BaseSimilarity
        A clone that has not been fitted.
    layers : dict of array-like
    first : array-like
        The layer that the others must agree with in number of rows, and for outputs
        in number of classes.
    """
    alone = measure._similarity_tags().inputs in ("representation", "models")
    checked = {}
    xp = None
    for key, layer in layers.items():
        with named_errors(key):
            if alone:
                # without a second array nothing is learnt: widths may differ
                checked[key], _, xp = measure._validate_pair(layer, None, reset=False)
            else:
                _, checked[key], xp = measure._validate_pair(first, layer, reset=True)
    return checked, xp


def one_precision(layers, xp):
    """Layers in double precision, unless all are in single precision."""
    floating = [v for v in layers if _is_float(v, xp)]
    if len({v.dtype for v in floating}) <= 1:
        return layers
    return [
        xp.astype(v, xp.float64, copy=False) if _is_float(v, xp) else v for v in layers
    ]


def _is_float(array, xp):
    if isinstance(array, np.ndarray):
        return array.dtype.kind == "f"
    return xp.isdtype(array.dtype, "real floating")


def make_views(measure, layers, xp, *, n_jobs, **keywords):
    """Views of validated layers; errors name the layer."""
    return Parallel(n_jobs=n_jobs)(
        delayed(_make_view)(measure, item, xp, keywords) for item in layers.items()
    )


def _make_view(measure, item, xp, keywords):
    key, layer = item
    with named_errors(key):
        return measure._make_view(layer, xp, **keywords)


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
