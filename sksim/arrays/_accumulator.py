"""What accumulators of layers have in common: names, rows, parts and states."""

import json
from abc import ABC, abstractmethod

import array_api_compat
import numpy as np


class LayerAccumulator(ABC):
    """Something that all batches of the layers of two models are added to.

    Attributes
    ----------
    names : tuple of two lists of str
        Names of the layers of both models; empty before the first batch.
    """

    # What `reduced` returns.
    _kept: tuple = ()

    def __init__(self):
        self.names = ([], [])

    @property
    @abstractmethod
    def n_batches(self):
        """Number of batches."""

    @abstractmethod
    def reduced(self, side, name, rows):
        """What is kept of a layer's rows until all layers of the batch are there.

        Parameters
        ----------
        side : {0, 1}
            Which model the layer is of.
        name : str
        rows : array of shape (n_samples, ...)
            Whatever follows the first axis is flattened.

        Returns
        -------
        reduced : object
            It shares no memory with the rows.
        """

    @abstractmethod
    def _settings(self):
        """Parameters, as JSON can write them."""

    def _both(self, reduced_a, reduced_b):
        """Layers of both sides, all reduced, and their number of rows.

        The same dictionary twice for one model against itself.
        """
        layers_a = self._complete(0, reduced_a)
        if reduced_b is None or reduced_b is reduced_a:
            layers_b = layers_a
        else:
            layers_b = self._complete(1, reduced_b)
        n_samples = _common_number_of_rows((layers_a, layers_b))
        self.names = list(layers_a), list(layers_b)
        return layers_a, layers_b, n_samples

    def _complete(self, side, reduced):
        """Layers in the order of the first batch, all reduced."""
        known = self.names[side] or list(reduced)
        of_model = f"of model {'AB'[side]}"
        advice = (
            "A layer that is not part of every pass can't be compared: leave it out."
        )
        for name in known:
            if name not in reduced:
                raise ValueError(
                    f"Layer {name!r} {of_model} gave nothing in batch "
                    f"{self.n_batches} (from 0), but did before. {advice}"
                )
        for name in reduced:
            if name not in known:
                raise ValueError(
                    f"Layer {name!r} {of_model} was not there before batch "
                    f"{self.n_batches} (from 0). {advice}"
                )
        layers = {}
        for name in known:
            layer = reduced[name]
            is_reduced = isinstance(layer, self._kept)
            layers[name] = layer if is_reduced else self.reduced(side, name, layer)
        return layers

    def _refuse_other(self, other):
        """Raise unless the sums of the other are of the same layers, made alike."""
        if self._settings() != other._settings():
            raise ValueError(
                "These sums were made with other parameters, and can't be merged: "
                f"{self._settings()} here, {other._settings()} there."
            )
        for which, names, others in zip("AB", self.names, other.names, strict=True):
            if names and others and names != others:
                raise ValueError(
                    f"These sums are of other layers of model {which}, and can't be "
                    f"merged: {names} here, {others} there."
                )

    def _named_state(self):
        """Settings and names as arrays."""
        names = {
            f"names_{k}": np.array(names, dtype=np.str_)
            for k, names in zip("ab", self.names, strict=True)
        }
        return {"settings": np.array(json.dumps(self._settings())), **names}

    def _take_names(self, state):
        """Names of a state, which must have been made with the same settings."""
        settings = json.loads(str(state["settings"]))
        if settings != self._settings():
            raise ValueError(
                "The state was made with other parameters: "
                f"{settings} there, {self._settings()} here."
            )
        self.names = tuple([str(n) for n in state[f"names_{k}"]] for k in "ab")


def as_rows(rows):
    """Rows as a matrix in single or double precision; on numpy unless on a GPU.

    Parameters
    ----------
    rows : array of shape (n_samples, ...)
        Of any library.

    Returns
    -------
    rows : array of shape (n_samples, n_features)
        May share memory with the rows.
    """
    if array_api_compat.is_torch_array(rows):
        rows = rows.detach()
        is_half = rows.dtype.itemsize < 4 or not rows.dtype.is_floating_point
        rows = rows.float() if is_half else rows
        if rows.device.type in ("cpu", "mps"):
            # numpy's product of rows with themselves is symmetric, torch's is not
            rows = rows.cpu().numpy()
    elif not array_api_compat.is_cupy_array(rows):
        rows = np.asarray(rows)
        if rows.dtype not in (np.float32, np.float64):
            rows = rows.astype(np.float32 if rows.dtype.itemsize < 4 else np.float64)
    return rows.reshape(rows.shape[0], -1)


def _common_number_of_rows(both):
    """Number of rows that all layers have; a ValueError if they differ."""
    counts = {
        (side, name): layer.n_samples
        for side, layers in zip("AB", both, strict=True)
        for name, layer in layers.items()
    }
    if not counts:
        raise ValueError("There are no layers to compare.")
    (side, name), n_samples = next(iter(counts.items()))
    for (other, layer), count in counts.items():
        if count != n_samples:
            raise ValueError(
                f"Layer {layer!r} of model {other} has {count} rows in this batch, but "
                f"{name!r} of model {side} has {n_samples}. Both models must see the "
                "same rows, and every layer must have one row for each."
            )
    return n_samples
