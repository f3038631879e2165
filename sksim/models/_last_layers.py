"""The last layer before its answer of each of several models, in one pass over data."""

import numpy as np

from sksim.models._adapters import adapted, is_adaptable
from sksim.models._answers import is_network
from sksim.models._batches import batches_of
from sksim.models._extract import (
    last_hidden,
    last_representation,
    refuse_unrepeatable,
)
from sksim.models._readers import reader_of
from sksim.models._reduce import Reduction
from sksim.models._same_input import warn_of_inputs
from sksim.models._torch_extractor import without_rows

_BATCH = 256


def last_layers(models, data):
    """Names and arrays of the last layers before the models' answers.

    A warning says so where they are the input itself. Networks see each batch
    together, so that the order in which batches come does not matter. Their maps are
    averaged over places, and tokens over those that count.

    Parameters
    ----------
    models : sequence of fitted models
    data : array-like or iterable of batches

    Returns
    -------
    layers : list of (str, array)
    """
    # each network once, however often it is compared
    networks = {id(model): model for model in models if is_network(model)}
    if not all(id(model) in networks for model in models):
        refuse_unrepeatable(data)
    known = _of_networks(networks, data) if networks else {}
    layers = [
        known[id(model)] if id(model) in known else last_representation(model, data)
        for model in models
    ]
    warn_of_inputs([layer for _, layer in layers], data)
    return layers


def _of_networks(networks, data):
    """Last layers of networks by key."""
    readers = {
        key: reader_of(
            adapted(network)._with_last_hidden() if is_adaptable(network) else network,
            reduction=Reduction("mean"),
        )
        for key, network in networks.items()
    }
    names, parts = {}, {key: [] for key in readers}
    batches, _ = batches_of(data, _BATCH)
    for batch in batches:
        for key, reader in readers.items():
            layers = reader.read(batch)
            if key not in names:
                names[key] = last_hidden(layers)
                reader.narrow([names[key]])
            reader.refuse_missing(layers)
            parts[key].append(layers[names[key]])
    if not names:
        raise ValueError(without_rows(data))
    return {key: (names[key], joined(parts[key])) for key in readers}


def joined(parts):
    """Rows of all batches."""
    if hasattr(parts[0], "detach"):
        import torch

        return torch.cat(parts)
    return np.concatenate(parts)
