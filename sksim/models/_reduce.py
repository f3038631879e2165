"""What becomes of a layer within a pass: pooled, flattened, or cut into tokens."""

import math
from collections.abc import Mapping
from fnmatch import fnmatchcase

import array_api_compat
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sksim.models._row_axis import NoRows
from sksim.preprocessing._reshape import TokenPooling, _ReshapingTransformer

WORDS = ("mean", "flatten", "tokens")


class Reduction:
    """How each layer becomes rows.

    Parameters
    ----------
    reduce : str, transformer, callable, mapping of str to one of these, or None
        None leaves layers in their shape.
    mask : callable, array or None
        From a batch to what says which tokens count; None takes ``attention_mask`` of
        a batch that is a mapping.
    """

    def __init__(self, reduce=None, mask=None):
        if mask is not None and not callable(mask):
            raise ValueError(
                "mask must be a callable, from a batch to an array of shape "
                "(n_samples, tokens) that is 1 where a token counts, got "
                f"{type(mask).__name__}."
            )
        self.reduce = reduce
        self.mask = mask
        self.unmasked = {}  # shapes of layers that have tokens, but not those of a mask
        for way in reduce.values() if isinstance(reduce, Mapping) else [reduce]:
            _check(way)

    def mask_of(self, batch):
        """Which tokens of a batch count, as an array of bool, or None."""
        if self.mask is not None:
            mask = self.mask(batch)
        elif isinstance(batch, Mapping):
            mask = batch.get("attention_mask")
        else:
            mask = None
        if mask is None:
            return None
        mask = np.asarray(mask.detach().cpu() if hasattr(mask, "detach") else mask)
        if mask.ndim != 2:
            if self.mask is None:  # one of all pairs of tokens says nothing of a token
                return None
            raise ValueError(
                "mask must give an array of shape (n_samples, tokens), got "
                f"{mask.shape}."
            )
        mask = mask != 0
        empty = ~np.any(mask, axis=1)
        if np.any(empty):
            raise ValueError(
                f"Row {int(np.argmax(empty))} of a batch has no token that counts: its "
                "mask is 0 throughout. Leave out such rows."
            )
        return mask

    def way_of(self, name):
        """What is done to a layer."""
        if not isinstance(self.reduce, Mapping):
            return self.reduce
        for pattern, way in self.reduce.items():
            if fnmatchcase(name, pattern):
                return way
        return None

    def rows_of(self, name, layer, features, mask, batch):
        """Rows of a layer.

        Parameters
        ----------
        name : str
        layer : tensor or ndarray of shape (n_samples, ...)
        features : int
            Which axis is that of the features.
        mask : ndarray of bool of shape (n_samples, tokens) or None
        batch : object
            For callables.

        Returns
        -------
        rows : tensor or ndarray
            May share memory with the layer.
        """
        way = self.way_of(name)
        if way is None:
            return layer
        features = features % layer.ndim
        if isinstance(way, str) and way == "tokens":
            return _tokens(layer, features, mask)
        if isinstance(way, str):
            axis = None
            if mask is not None and layer.ndim > 2:
                axis = _token_axis(layer, features, mask)
                if axis is None:
                    self.unmasked[name] = tuple(layer.shape)
            reduced = _mean if way == "mean" else _flat
            return reduced(layer, features, axis, mask)
        if hasattr(way, "transform"):
            return _transformed(way, layer, mask)
        return _checked(way(layer, batch), name)


def _check(way):
    if way is None or callable(way) or (isinstance(way, str) and way in WORDS):
        return
    if not hasattr(way, "transform"):
        raise ValueError(
            f"reduce must be one of {', '.join(map(repr, WORDS))}, a transformer, a "
            "callable of a layer and its batch, or a mapping of those by names of "
            f"layers, got {way!r}."
        )
    if _needs_fit(way):
        raise ValueError(
            f"reduce={way!r} must be fitted, and there are no rows to fit it to before "
            "the pass. Fit it to some rows of that layer first (for one layer: "
            "reduce={'name': fitted}), or pool by 'mean', SpatialPooling or "
            "TokenPooling."
        )


def _needs_fit(transformer):
    if isinstance(transformer, _ReshapingTransformer):
        return False
    if hasattr(transformer, "steps"):
        return any(_needs_fit(step) for _, step in transformer.steps)
    if not get_tags(transformer).requires_fit:
        return False
    try:
        check_is_fitted(transformer)
    except NotFittedError:
        return True
    return False


# ----- the ways -----------------------------------------------------------------------


def _token_axis(layer, features, mask):
    """Axis of the tokens that a mask is about, or None."""
    axes = [
        axis
        for axis in range(1, layer.ndim)
        if axis != features and layer.shape[axis] == mask.shape[1]
    ]
    return axes[0] if axes else None


def _weights(layer, axis, mask):
    """Mask beside a layer: on its device, with as many axes."""
    xp = array_api_compat.array_namespace(layer)
    shape = [1] * layer.ndim
    shape[0], shape[axis] = mask.shape
    mask = xp.asarray(mask, device=array_api_compat.device(layer))
    return xp.reshape(mask, tuple(shape))


def _mean(layer, features, axis, mask):
    xp = array_api_compat.array_namespace(layer)
    if axis is not None:
        counts = _weights(layer, axis, mask)
        if (layer.ndim, axis, features) == (3, 1, 2):
            # one pass without a copy: a thirteenth of the time of what follows
            counts = xp.astype(counts[:, :, 0], layer.dtype)
            sums = xp.matmul(counts[:, None, :], layer)[:, 0, :]
            # unless something at padding is nan or infinite, which 0 does not cancel
            if math.isfinite(float(xp.sum(sums))):
                return sums / xp.sum(counts, axis=1)[:, None]
            counts = _weights(layer, axis, mask)
        # what stands at padding may be anything, nan too
        kept = xp.where(counts, layer, _zero_like(layer, xp))
        counts = xp.astype(xp.sum(counts, axis=axis), layer.dtype)
        layer = xp.sum(kept, axis=axis) / counts
        features -= features > axis
    places = tuple(a for a in range(1, layer.ndim) if a != features)
    return xp.mean(layer, axis=places) if places else layer


def _zero_like(layer, xp):
    """A single zero, which costs no memory of the layer's size."""
    return xp.zeros((), dtype=layer.dtype, device=array_api_compat.device(layer))


def _flat(layer, features, axis, mask):
    if axis is not None:
        xp = array_api_compat.array_namespace(layer)
        counts = _weights(layer, axis, mask)
        layer = xp.where(counts, layer, _zero_like(layer, xp))
    return layer.reshape(layer.shape[0], -1)


def _tokens(layer, features, mask):
    if layer.ndim < 3:
        raise NoRows("it has no tokens, but one row for each input")
    xp = array_api_compat.array_namespace(layer)
    layer = xp.moveaxis(layer, features, -1)
    rows = xp.reshape(layer, (-1, layer.shape[-1]))
    if mask is None:
        return rows
    if tuple(layer.shape[:-1]) != mask.shape:
        raise NoRows(
            f"its tokens are not those of the mask: it has the shape "
            f"{tuple(layer.shape)}, and the mask {mask.shape}"
        )
    counts = xp.asarray(mask.reshape(-1), device=array_api_compat.device(layer))
    return rows[counts, :]


def _transformed(transformer, layer, mask):
    rows = as_numpy(layer)
    steps = [step for _, step in getattr(transformer, "steps", [("", transformer)])]
    for step in steps:
        if not isinstance(step, _ReshapingTransformer):
            rows = step.transform(rows)
            continue
        step = clone(step)
        if isinstance(step, TokenPooling) and step.mask is None:
            step.set_params(mask=mask)
        rows = step.fit_transform(rows)
    if not hasattr(layer, "detach"):
        return rows
    import torch

    return torch.as_tensor(rows)


def _checked(rows, name):
    if getattr(rows, "ndim", 0) != 2:
        shape = tuple(getattr(rows, "shape", ()))
        raise ValueError(
            f"reduce gives an array of shape {shape} for the layer {name!r}: it must "
            "be (n_samples, n_features)."
        )
    return rows


def as_numpy(array):
    """Array or tensor as an array of numpy; half precision becomes single."""
    if hasattr(array, "detach"):
        array = array.detach().cpu()
        if str(array.dtype) in ("torch.bfloat16", "torch.float16"):
            array = array.float()
        return array.numpy()
    return np.asarray(array)
