"""Weights of networks: the one place where they are read, and written back.

Persistence asks for the layers of a chain. What matches units asks for all tensors,
and for each of their axes which units it belongs to.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline

from sksim.arrays._views import View
from sksim.models._networks import MLP, hidden_activations, mlp_layers
from sksim.models._torch import is_torch_module, to_numpy

# The space of what has an order of its own: inputs, outputs, positions in a filter.
FIXED = None


@dataclass(frozen=True)
class Units:
    """Hidden units, or heads, that may change places with each other.

    ``name`` is that of the layer that computes them first.
    """

    name: str
    size: int


@dataclass(frozen=True)
class Tensor:
    """One array of a network's weights.

    Attributes
    ----------
    layer, name : str
        Layer that it belongs to, and its own name in it.
    values : array of float64
        With an axis for each space, so that some are split: those of heads, and the
        inputs of a layer after a flattened map.
    axes : tuple of int or None
        Space of each axis, by its number in ``Network.units``; None: of none.
    writes : int
        Axis of the units that it computes.
    shape : tuple of int
        Shape in the network.
    counts : bool
        Whether it is learnt; running statistics move with their units only.
    """

    layer: str
    name: str
    values: np.ndarray
    axes: tuple
    writes: int
    shape: tuple
    counts: bool = True

    @property
    def path(self):
        """Dotted name in the network."""
        return f"{self.layer}.{self.name}" if self.layer else self.name

    def moved(self, assignments, but=None):
        """Values with the units of each space in a given order.

        Parameters
        ----------
        assignments : list of int arrays
            For each space the units, in their new order.
        but : int, default=None
            An axis that stays as it is.
        """
        values = self.values
        for axis, space in enumerate(self.axes):
            if space is not FIXED and axis != but:
                values = np.take(values, assignments[space], axis=axis)
        return values


@dataclass(frozen=True)
class Network(View):
    """A network as tensors, and the spaces of units that their axes belong to.

    Attributes
    ----------
    tensors : tuple of Tensor
    units : tuple of Units
        From input to output.
    kind : str
        What it was read from, for messages.
    write : callable
        From an iterable of arrays, in the order of the tensors and in their shapes, to
        a copy of the network that holds them.
    watch : callable or None
        Function of rows that gives, for each space, a list of the matrices that the
        layers after it are given: a column for each unit.
    activation : str or None
        What hidden units make of their sums, where one word says it.
    """

    tensors: tuple
    units: tuple
    kind: str
    write: Callable
    watch: Callable | None = None
    activation: str | None = None

    def with_values(self, values):
        """Copy of the network with other values, in the shapes of the tensors'."""
        pairs = zip(self.tensors, values, strict=True)
        return self.write(array.reshape(tensor.shape) for tensor, array in pairs)

    def unmoved(self):
        """For each space the units in the order in which they are."""
        return [np.arange(units.size) for units in self.units]


def refuse_other_architecture(first, second):
    """Raise unless two networks have the same tensors and the same spaces of units."""
    advice = "only networks of one architecture can be compared weight by weight."
    activations = {first.activation, second.activation} - {None}
    if len(activations) > 1:
        raise ValueError(
            f"The networks have the activations {' and '.join(sorted(activations))}; "
            f"{advice}"
        )
    for a, b in zip(first.tensors, second.tensors, strict=False):
        if (a.layer, a.name) != (b.layer, b.name):
            raise ValueError(
                f"The networks have different layers: {a.layer!r} ({a.name}) stands "
                f"where the second has {b.layer!r} ({b.name}); {advice}"
            )
        if a.values.shape != b.values.shape or a.axes != b.axes:
            raise ValueError(
                f"The {a.name} of layer {a.layer!r} have shape {a.shape} in the first "
                f"network and {b.shape} in the second; {advice}"
            )
    if len(first.tensors) != len(second.tensors):
        raise ValueError(
            f"The first network ({first.kind}) has {len(first.tensors)} arrays of "
            f"weights and the second ({second.kind}) {len(second.tensors)}; {advice}"
        )


def refuse_no_hidden_units(network, name):
    """Raise if a network has no units that could change places."""
    if not network.units:
        raise ValueError(
            f"{name} ({network.kind}) has no hidden units, so that there is no order "
            "of units to look at. Linear models can be compared by WeightDelta."
        )


def read_network(network, name):
    """Tensors of a network, and the units that may change places.

    Parameters
    ----------
    network : MLPClassifier, MLPRegressor, torch module or list of weights
        A list holds matrices of shape (n_inputs, n_outputs), or pairs (weights,
        biases).
    name : str
        What error messages call it.

    Returns
    -------
    network : Network

    Raises
    ------
    ValueError
        If a layer is of a kind whose units are not known; the message names it.
    """
    if isinstance(network, Network):
        return network
    if is_torch_module(network):
        from sksim.models._units import read_module

        return read_module(network, name)
    return _read_chain(network, name)


def read_tensors(network, name):
    """Tensors of any network, of whose units nothing need be known.

    Parameters
    ----------
    network : MLPClassifier, MLPRegressor, torch module, list of weights, or mapping
        A mapping of names to arrays is what ``state_dict`` gives.
    name : str
        What error messages call it.

    Returns
    -------
    network : Network
        Without units.
    """
    if is_torch_module(network):
        from sksim.models._units import held_tensors

        return held_tensors(network, name)
    if isinstance(network, Mapping):
        return _read_mapping(network, name)
    chain = _read_chain(network, name)
    tensors = [replace(t, axes=(FIXED,) * len(t.axes)) for t in chain.tensors]
    return replace(chain, tensors=tuple(tensors), units=())


def _read_mapping(arrays, name):
    tensors = []
    for path, values in arrays.items():
        if hasattr(values, "detach"):
            values = to_numpy(values)
        values = _real(values, f"{path!r} of {name}")
        layer, _, own = str(path).rpartition(".")
        fixed = (FIXED,) * values.ndim
        learnt = values.ndim > 0 and not own.startswith("running_")
        tensors.append(Tensor(layer, own, values, fixed, 0, values.shape, learnt))
    if not any(tensor.counts for tensor in tensors):
        raise ValueError(f"{name} is a mapping that holds no weights.")

    def write(new):
        return dict(zip(arrays, new, strict=True))

    return Network(tuple(tensors), (), type(arrays).__name__, write)


def _read_chain(network, name):
    """Network of linear layers one after the other."""
    layers = network_weights(network, name)
    is_listed = not isinstance(network, BaseEstimator)
    sizes = [weights.shape[1] for weights, _ in layers[:-1]]
    names = [f"hidden_{i + 1}" for i in range(len(sizes))]
    tensors = []
    for i, (weights, biases) in enumerate(layers):
        before = i - 1 if i else FIXED
        after = i if i < len(sizes) else FIXED
        layer = names[i] if i < len(sizes) else "output"
        tensors.append(
            Tensor(layer, "weights", weights, (before, after), 1, weights.shape)
        )
        if biases is not None:
            tensors.append(Tensor(layer, "biases", biases, (after,), 0, biases.shape))
    units = tuple(Units(*both) for both in zip(names, sizes, strict=True))
    write, watch = (_writes_list(network), None) if is_listed else _mlp(network)
    activation = getattr(network, "activation", None)
    kind = type(network).__name__
    return Network(tuple(tensors), units, kind, write, watch, activation)


def _mlp(mlp):
    """How a network of scikit-learn is written, and what its units say to rows."""

    def write(arrays):
        other = copy.copy(mlp)
        other.coefs_, other.intercepts_ = [], []
        arrays = iter(arrays)
        for weights, biases in zip(mlp.coefs_, mlp.intercepts_, strict=True):
            other.coefs_.append(_like(weights, next(arrays)))
            other.intercepts_.append(_like(biases, next(arrays)))
        return other

    def watch(X):
        return [[units] for units in hidden_activations(mlp, X)]

    return write, watch


def _like(old, new):
    """New values in an array of their own, in the precision of the old ones."""
    return np.array(new, dtype=np.asarray(old).dtype)


def _writes_list(layers):
    """How a list of weights is written."""

    def write(arrays):
        arrays = iter(arrays)
        return [_same_form(layer, arrays) for layer in layers]

    return write


def _same_form(layer, arrays):
    weights, biases = _weights_and_biases(layer)
    new = _like(weights, next(arrays))
    if weights is layer:
        return new
    return type(layer)([new, None if biases is None else _like(biases, next(arrays))])


# ----- chains of linear layers --------------------------------------------------------


def network_weights(network, name):
    """Weights and biases of each layer, as float64 arrays on the CPU.

    Parameters
    ----------
    network : MLPClassifier, MLPRegressor, torch module or list of weights
        A list holds matrices of shape (n_inputs, n_outputs), or pairs (weights,
        biases), of which the second may be None.
    name : str
        What error messages call it.

    Returns
    -------
    layers : list of (array of shape (n_inputs, n_outputs), array or None)

    Raises
    ------
    ValueError
        If it is no chain of linear layers, or if a weight is not finite.
    """
    if is_torch_module(network):
        layers = _torch_weights(network, name)
    elif isinstance(network, BaseEstimator):
        layers = _sklearn_weights(network, name)
    else:
        layers = _listed_weights(network, name)
    if not layers:
        raise ValueError(f"{name} has no linear layer, so that there are no weights.")
    layers = [_checked(layer, f"layer {i} of {name}") for i, layer in enumerate(layers)]
    for i in range(1, len(layers)):
        n_outputs, n_inputs = layers[i - 1][0].shape[1], layers[i][0].shape[0]
        if n_outputs != n_inputs:
            raise ValueError(
                f"Layer {i - 1} of {name} has {n_outputs} outputs, but layer {i} has "
                f"{n_inputs} inputs: the layers must follow each other, with weights "
                "of shape (n_inputs, n_outputs). torch stores them transposed."
            )
    return layers


def _sklearn_weights(network, name):
    kind = type(network).__name__
    if isinstance(network, Pipeline):
        raise ValueError(
            f"{name} is a Pipeline: pass the network inside it, such as pipeline[-1]."
        )
    if not isinstance(network, MLP):
        raise ValueError(
            f"{name} is a {kind}, which is no network of linear layers. Pass an "
            "MLPClassifier, an MLPRegressor, a torch module of linear layers, or a "
            "list of weights, or of (weights, biases)."
        )
    if not hasattr(network, "coefs_"):
        raise NotFittedError(f"{name} is an unfitted {kind}: call its fit first.")
    return [(layer.weights, layer.biases) for layer in mlp_layers(network)]


def _torch_weights(network, name):
    """Linear layers in the order in which the module holds them, known by shape."""
    layers = []
    for path, module in network.named_modules():
        own = [parameter for _, parameter in module.named_parameters(recurse=False)]
        if not own:
            continue
        if not (hasattr(module, "in_features") and hasattr(module, "out_features")):
            raise ValueError(
                f"{name} has a {type(module).__name__} with weights"
                f"{f' ({path})' if path else ''}: only networks of linear layers have "
                "this graph. Pass the linear part alone."
            )
        biases = None if module.bias is None else to_numpy(module.bias)
        layers.append((to_numpy(module.weight).T, biases))
    return layers


def _listed_weights(network, name):
    try:
        return [_weights_and_biases(layer) for layer in network]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an MLPClassifier, an MLPRegressor, a torch module of "
            "linear layers, or a list of (weights, biases), one pair for each layer "
            f"({error})."
        ) from error


def _weights_and_biases(layer):
    """Both parts of a pair; a matrix alone has no biases."""
    if hasattr(layer, "shape"):
        return layer, None
    weights, biases = layer
    return weights, biases


def _checked(layer, name):
    weights, biases = (None if a is None else _real(a, name) for a in layer)
    if weights is None or weights.ndim != 2 or 0 in weights.shape:
        shape = None if weights is None else weights.shape
        raise ValueError(
            f"The weights of {name} must be a matrix of shape (n_inputs, n_outputs), "
            f"got shape {shape}."
        )
    if biases is not None and biases.shape != weights.shape[1:]:
        raise ValueError(
            f"The biases of {name} must be a vector with one entry for each of its "
            f"{weights.shape[1]} outputs, or None; got shape {biases.shape}."
        )
    return weights, biases


def _real(array, name):
    array = np.asarray(array)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"The weights of {name} must be real, got {array.dtype}.")
    array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        raise ValueError(
            f"The weights of {name} contain NaN or infinity: the network diverged in "
            "training. Train it again, with a smaller learning rate."
        )
    return array
