"""Networks of Keras 3, with all their layers, whatever computes them."""

import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from sksim.models._callable import CallableModel


def is_keras_model(model):
    """Whether a model is of Keras 3: with torch behind it, it is a module as well."""
    keras = sys.modules.get("keras")
    return keras is not None and isinstance(model, keras.Model)


class KerasModel(CallableModel):
    """A network of Keras 3, with a layer for each call of one of its layers.

    A ``keras.Model`` may be passed in its place wherever a model is taken.

    Parameters
    ----------
    model : keras.Model
        Functional or Sequential. Of a subclass, which computes in ``call``, only the
        answers are to be had.
    classes : sequence, default=None
        Class of each column of the answers. None: 0, 1, ...

    See Also
    --------
    CallableModel : Any function of a batch.

    Notes
    -----
    A model of the same layers and weights, whose outputs are those of all layers, is
    run on each batch, in inference mode. A layer that is called several times is
    ``dense``, ``dense:2``, ...; those of a model inside are ``model.dense``. What the
    whole model returns is "output", and its last layer has no other name. Of several
    outputs the first is taken.

    Examples
    --------
    >>> from sksim.models import KerasModel, extract_outputs
    >>> network = keras.Sequential(
    ...     [keras.layers.Dense(8, activation="relu"), keras.layers.Dense(2)]
    ... )  # doctest: +SKIP
    >>> model = KerasModel(network, classes=["cat", "dog"])  # doctest: +SKIP
    >>> labels = extract_outputs(model, X, outputs="logits")["labels"]  # doctest: +SKIP
    """

    def __init__(self, model: Any, *, classes: Sequence | None = None):
        if not is_keras_model(model):
            raise ValueError(
                f"model must be a keras.Model, got {type(model).__name__}."
            )
        super().__init__(self._answer, layers=self._values, classes=classes)
        self.model = model

    def __repr__(self):
        return f"KerasModel({self.model.name!r})"

    def _running(self):
        """Context in which batches are run; with torch behind it, without gradients."""
        import keras

        if keras.backend.backend() != "torch":
            return nullcontext()
        import torch

        return torch.no_grad()

    @property
    def _channels_last(self):
        """Whether maps have their channels in the last axis, as Keras is set up."""
        import keras

        return keras.config.image_data_format() == "channels_last"

    def _count(self, function, batch):
        several = super()._count(function, batch)
        n_inputs = len(getattr(self.model, "inputs", None) or [None])
        return min(n_inputs, len(batch)) if several else 0

    def _answer(self, *inputs):
        batch = _one(self._in_order(inputs))
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            batch = {name: _readable(inputs[0][name]) for name in self._names()}
        return _flat(self.model(batch, training=False))[0]

    def _values(self, *inputs):
        found, last = self._layers_of_model(self.model, self._in_order(inputs), "")
        output = found.pop(last)
        return {**found, "output": output}

    def _layers_of_model(self, model, given, prefix):
        """Outputs of all layers for the inputs, and the name of the model's own."""
        import keras

        if isinstance(model, keras.Sequential):
            return self._one_by_one(model, _one(given), prefix)
        if not hasattr(model, "_nodes_by_depth"):
            raise ValueError(
                f"{type(model).__name__} computes in a method of its own, so that its "
                "layers can't be had. Ask for layers='output', or pass "
                "sksim.models.CallableModel(outputs=..., layers=...) with a function "
                "that returns them."
            )
        calls = _calls_of_layers(model)
        whole = _flat(model.outputs)[0]
        needed = [tensor for _, node in calls for tensor in _tensors_of(node)]
        needed.append(whole)
        at_once = keras.Model(_one(model.inputs), needed)
        values = _flat(at_once(_one(given), training=False))
        values = {id(t): value for t, value in zip(needed, values, strict=True)}
        found, last = {}, prefix + "output"
        for name, node in calls:
            inner = node.operation
            if _has_layers(inner):
                into = [values[id(tensor)] for tensor in node.input_tensors]
                found |= self._inside(inner, into, prefix + name)
            tensor = _flat(node.output_tensors)[0]
            last = prefix + name if tensor is whole else last
            found[prefix + name] = values[id(tensor)]
        found.setdefault(last, values[id(whole)])
        return found, last

    def _inside(self, model, given, name):
        """Layers of a model inside another; its last has the name of the model."""
        found, last = self._layers_of_model(model, given, f"{name}.")
        return {key: values for key, values in found.items() if key != last}

    def _one_by_one(self, model, batch, prefix):
        found, calls = {}, {}
        for layer in model.layers:
            name = prefix + _name_of_call(calls, layer.name)
            if _has_layers(layer):
                found |= self._inside(layer, _flat(batch), name)
            batch = layer(batch, training=False) if _knows(layer) else layer(batch)
            found[name] = _flat(batch)[0]
        return found, name

    def _names(self):
        return [tensor.name for tensor in self.model.inputs]

    def _in_order(self, inputs):
        """Arrays in the order of the model's inputs."""
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            names = self._names()
            missing = [name for name in names if name not in inputs[0]]
            if missing:
                raise ValueError(
                    f"{self} takes the inputs {', '.join(names)}, and a batch has no "
                    f"{', '.join(missing)}. Pass mappings with these names."
                )
            inputs = [inputs[0][name] for name in names]
        return [_readable(values) for values in inputs]


def _calls_of_layers(model):
    """Calls of a functional model's layers, from input to output, by name."""
    import keras

    calls, found = {}, []
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            layer = node.operation
            is_input = isinstance(layer, keras.layers.InputLayer)
            if isinstance(layer, keras.layers.Layer) and not is_input:
                found.append((_name_of_call(calls, layer.name), node))
    return found


def _name_of_call(calls, name):
    """Name of a layer when it is called again: "dense", "dense:2", ..."""
    calls[name] = calls.get(name, 0) + 1
    return name if calls[name] == 1 else f"{name}:{calls[name]}"


def _tensors_of(node):
    """What is needed of a call: its output, and what goes into a model inside."""
    inner = node.input_tensors if _has_layers(node.operation) else []
    return [*inner, _flat(node.output_tensors)[0]]


def _has_layers(layer):
    """Whether a layer is a model whose layers can be run one by one."""
    import keras

    is_model = isinstance(layer, keras.Sequential) or hasattr(layer, "_nodes_by_depth")
    return is_model and isinstance(layer, keras.Model)


def _knows(layer):
    """Whether a layer works otherwise in training."""
    return "training" in inspect.signature(layer.call).parameters


def _one(items):
    """The only item, or all of several."""
    return items[0] if len(items) == 1 else items


def _flat(structure):
    import keras

    return keras.tree.flatten(structure)


def _readable(values):
    if hasattr(values, "detach"):
        return values.detach().cpu().numpy()
    return np.asarray(values)
