"""Readers of layers of any model: what gives a mapping of arrays for a batch."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import partial

import numpy as np

from sksim._sklearn_compat import num_samples
from sksim.models._adapters import adapted, is_known
from sksim.models._batches import length_of
from sksim.models._extract import extract_representations
from sksim.models._layer_reader import TorchReader, patterns_of, warn_of_unmasked
from sksim.models._reduce import Reduction
from sksim.models._row_axis import NoRows, has_channels_first
from sksim.models._torch import is_torch_module


def reader_of(model, layers=None, *, reduction=None, inputs=None, finish=None):
    """Reader of a model's layers.

    Parameters
    ----------
    model : torch.nn.Module, fitted estimator, callable, or model of another library
        A callable, or an object with a method ``layers_of``, gives a mapping of names
        to arrays with one row for each row of the batch that it is passed.
    layers : str, list of str or None
        Names and patterns.
    reduction : Reduction, default=None
    inputs : callable, default=None
        From a batch to what the model is applied to.
    finish : callable, default=None
        From a layer's name and rows to what is kept of them.

    Returns
    -------
    reader : TorchReader or MappingReader
        With the methods ``read(batch)``, ``narrow(names)``, ``refuse_uncalled(names)``
        and ``warn()``.
    """
    options = {"reduction": reduction, "inputs": inputs, "finish": finish}
    if isinstance(model, JointModels):
        return JointReader(model.models, layers, **options)
    model = adapted(model) if is_known(model) else model
    if is_torch_module(model):
        return TorchReader(model, layers, **options)
    if hasattr(model, "layers_of"):
        return MappingReader(model, model.layers_of, layers, **options)
    if hasattr(model, "fit") and not isinstance(model, type):
        chosen = layers

        def of_estimator(batch):
            rows = batch[0] if isinstance(batch, list | tuple) else batch
            return extract_representations(model, rows, chosen)

        return MappingReader(model, of_estimator, layers, **options)
    if callable(model):
        return MappingReader(model, model, layers, **options)
    raise ValueError(
        "A model is a torch module, a fitted estimator, or a callable from a batch to "
        f"a mapping of names to arrays, got {type(model).__name__}."
    )


def takes_tables(model):
    """Whether a model, and all models in it, take tables as they are.

    Parameters
    ----------
    model : model or None
    """
    if isinstance(model, JointModels):
        return all(map(takes_tables, model.models))
    is_network = is_known(model) or is_torch_module(model)
    return model is None or (hasattr(model, "fit") and not is_network)


class JointModels:
    """Several models as one, whose layers are those of all: "0/layer", "1/layer", ...

    Parameters
    ----------
    models : sequence of models
    """

    def __init__(self, models):
        self.models = list(models)


class JointReader:
    """Reader of several models, each of which sees each batch.

    Parameters
    ----------
    models : list of models
    layers, reduction, inputs, finish
        As of `reader_of`.
    """

    def __init__(self, models, layers=None, *, reduction, inputs=None, finish=None):
        self.name = ", ".join(type(model).__name__ for model in models)
        self.readers = [
            reader_of(
                model,
                layers,
                reduction=reduction,
                inputs=inputs,
                finish=partial(_prefixed, finish, number),
            )
            for number, model in enumerate(models)
        ]

    def read(self, batch):
        """What is kept of each layer of each model."""
        return {
            f"{number}/{name}": layer
            for number, reader in enumerate(self.readers)
            for name, layer in reader.read(batch).items()
        }

    @property
    def left_out(self):
        """Layers without rows, and the reasons."""
        return {
            f"{number}/{name}": reason
            for number, reader in enumerate(self.readers)
            for name, reason in getattr(reader, "left_out", {}).items()
        }

    def refuse_uncalled(self, called):
        """Raise where a layer was asked for that a model does not have."""
        for number, reader in enumerate(self.readers):
            start = f"{number}/"
            own = {n.removeprefix(start) for n in called if n.startswith(start)}
            reader.refuse_uncalled(own)

    def warn(self):
        """Say what was left out."""
        for reader in self.readers:
            reader.warn()


def _prefixed(finish, number, name, rows):
    return finish(f"{number}/{name}", rows)


class MappingReader:
    """Reader of what gives all layers of a batch as a mapping.

    Parameters
    ----------
    model : object
        For messages.
    layers_of : callable
    layers, reduction, inputs, finish
        As of `reader_of`.
    """

    def __init__(
        self, model, layers_of, layers=None, *, reduction=None, inputs=None, finish=None
    ):
        self.name = getattr(model, "__name__", type(model).__name__)
        self.layers_of = layers_of
        self.layers = layers
        self.reduction = reduction or Reduction()
        self.inputs = inputs
        self.finish = finish or (lambda name, rows: rows)
        self.names = None
        # as far as the model's library says it; shapes tell for others
        self.channels_last = getattr(model, "_channels_last", None)

    def narrow(self, names):
        """Read no other layers than these, of those that a batch has had."""
        self.names = set(names)

    def read(self, batch):
        """What is kept of each layer."""
        given = self.layers_of(batch if self.inputs is None else self.inputs(batch))
        if not isinstance(given, Mapping):
            raise ValueError(
                f"{self.name} gave a {type(given).__name__} for a batch; it must give "
                "a mapping of names to arrays, one for each layer."
            )
        mask = self.reduction.mask_of(batch)
        n_rows = length_of(batch)
        found = {}
        for name, layer in given.items():
            if self._wants(str(name)):
                rows = self._rows(str(name), layer, n_rows, mask, batch)
                found[str(name)] = self.finish(str(name), rows)
        if not found:
            raise ValueError(
                f"{self.name} has none of the layers {self.layers!r}. Its layers are "
                f"{', '.join(map(str, given))}."
            )
        return found

    def _wants(self, name):
        if self.names is not None:
            return name in self.names
        return self.layers is None or any(
            fnmatchcase(name, pattern) for pattern in patterns_of(self.layers)
        )

    def _rows(self, name, layer, n_rows, mask, batch):
        layer = layer if hasattr(layer, "shape") else np.asarray(layer)
        if layer.ndim == 0 or num_samples(layer) != n_rows:
            raise ValueError(
                f"The layer {name!r} of {self.name} has the shape "
                f"{tuple(layer.shape)} for a batch of {n_rows} rows: its first axis "
                "must be the rows."
            )
        if hasattr(layer, "toarray"):
            layer = layer.toarray()
        is_last = self.channels_last
        if is_last is None:
            is_last = not has_channels_first(layer.shape)
        features = layer.ndim - 1 if is_last or layer.ndim < 4 else 1
        try:
            return self.reduction.rows_of(name, layer, features, mask, batch)
        except NoRows as reason:
            raise ValueError(
                f"The layer {name!r} of {self.name} has no tokens: {reason}."
            ) from reason

    def refuse_missing(self, layers):
        """Raise unless a batch has all layers that reading was narrowed to."""
        for name in self.names - set(layers):
            raise ValueError(
                f"The layer {name!r} of {self.name} is given for some batches only: "
                "its rows would not be those of other layers."
            )

    def refuse_uncalled(self, called):
        """Raise where a layer was asked for that is not given."""
        for pattern in () if self.layers is None else patterns_of(self.layers):
            if not any(fnmatchcase(name, pattern) for name in called):
                raise ValueError(
                    f"{self.name} has no layer {pattern!r}. Its layers are "
                    f"{', '.join(called)}."
                )

    def warn(self):
        """Say where a mask did not apply; nothing is left out."""
        warn_of_unmasked(self.reduction, self.name)
