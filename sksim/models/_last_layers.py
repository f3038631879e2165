"""The last layer before its answer of each of several models, in one pass over data."""

import numpy as np

from sksim.models._adapters import adapted, is_adaptable
from sksim.models._answers import is_network, rows_of
from sksim.models._batches import batches_of, is_cut
from sksim.models._extract import (
    extract_representations,
    last_hidden,
    last_representation,
)
from sksim.models._readers import reader_of
from sksim.models._reduce import Reduction
from sksim.models._same_input import warn_of_inputs
from sksim.models._torch_extractor import refuse_other_layers, without_rows

_BATCH = 256


def last_layers(models, data, names=None):
    """Names and arrays of the last layers before the models' answers.

    A warning says so where they are the input itself. Networks see each batch
    together, so that the order in which batches come does not matter. Their maps are
    averaged over places, and tokens over those that count.

    Parameters
    ----------
    models : sequence of fitted models
    data : array-like or iterable of batches
    names : sequence of (str or None), default=None
        The layer of each model that is wanted instead; of a pattern the last.

    Returns
    -------
    layers : list of (str, array)
    """
    models = list(models)
    names = [None] * len(models) if names is None else names
    # each network once, however often it is compared
    wanted = {
        (id(model), name): model
        for model, name in zip(models, names, strict=True)
        if is_network(model)
    }
    if not all(is_network(model) for model in models):
        data = _together(data)
    known = _of_networks(wanted, data) if wanted else {}
    layers = [
        known[id(model), name]
        if (id(model), name) in known
        else _last_of(model, data, name)
        for model, name in zip(models, names, strict=True)
    ]
    warn_of_inputs([layer for _, layer in layers], data)
    return layers


def _together(data):
    """All rows in one array, for models that take no batches; gone through once."""
    return data if is_cut(data) else rows_of(data)[0]


def _last_of(model, data, name):
    """Name and array of a layer of a model that is no network."""
    if name is None:
        return last_representation(model, data)
    return list(extract_representations(model, data, name).items())[-1]


def layers_of_two(a, b, data, layer=None):
    """One layer of each of two models.

    Parameters
    ----------
    a, b : fitted models
    data : array-like or iterable of batches
    layer : str, tuple of two str or None
        Name of the layer, or of that of a and that of b; None for the last before the
        models' answers.
    """
    names = layer if isinstance(layer, tuple) else (layer, layer)
    return [view for _, view in last_layers((a, b), data, names)]


def layers_of_each(models, data, layers=None):
    """All layers of each of several models by name.

    Networks see each batch together; their maps and tokens are averaged.

    Parameters
    ----------
    models : sequence of fitted models
    data : array-like or iterable of batches
    layers : str, list of str or None
        Names and patterns.

    Returns
    -------
    layers : list of dict of str to array
    """
    if not all(is_network(model) for model in models):
        data = _together(data)
        return [extract_representations(model, data, layers) for model in models]
    readers = [_reader(model, layers) for model in models]
    parts = [[] for _ in readers]
    batches, _ = batches_of(data, _BATCH)
    for batch in batches:
        for reader, known in zip(readers, parts, strict=True):
            known.append(reader.read(batch))
            refuse_other_layers(known[0], known[-1], len(known), reader.name)
    if not parts[0]:
        raise ValueError(without_rows(data))
    for reader, known in zip(readers, parts, strict=True):
        reader.refuse_uncalled(set(known[0]))
        reader.warn()
    return [
        {name: joined([part[name] for part in known]) for name in known[0]}
        for known in parts
    ]


def _reader(network, layers=None, *, is_last=False):
    """Reader of a network, which averages; of the last layer alone, if that is all."""
    if is_adaptable(network):
        network = adapted(network)
        network = network._with_last_hidden() if is_last else network
    return reader_of(network, layers, reduction=Reduction("mean"))


def _of_networks(networks, data):
    """One layer of each network by key, which ends with its name or None."""
    layers = LastLayers(networks)
    batches, _ = batches_of(data, _BATCH)
    for batch in batches:
        layers.add(batch)
    return layers.found(data)


class LastLayers:
    """One layer of each of several networks, from one batch after the other.

    Parameters
    ----------
    networks : dict of tuple to network
        Keys end with the name of the layer, or None for the last before the answer.
    """

    def __init__(self, networks):
        self._readers = {
            key: _reader(network, key[-1], is_last=key[-1] is None)
            for key, network in networks.items()
        }
        self._names, self._parts = {}, {key: [] for key in networks}

    def add(self, batch):
        """Read the layers of a batch."""
        names = self._names
        for key, reader in self._readers.items():
            layers = reader.read(batch)
            if key not in names:
                reader.refuse_uncalled(set(layers))
                names[key] = last_hidden(layers) if key[-1] is None else [*layers][-1]
                reader.narrow([names[key]])
            reader.refuse_missing(layers)
            self._parts[key].append(layers[names[key]])

    def found(self, data):
        """Name and array of each layer by key."""
        if not self._names:
            raise ValueError(without_rows(data))
        return {
            key: (self._names[key], joined(self._parts[key])) for key in self._names
        }


def joined(parts):
    """Rows of all batches."""
    if hasattr(parts[0], "detach"):
        import torch

        return torch.cat(parts)
    return np.concatenate(parts)
