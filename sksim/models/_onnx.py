"""Networks in ONNX's format, with their intermediate values."""

import copy
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sksim._optional import import_extra
from sksim.arrays._slices import slices
from sksim.models._batches import length_of
from sksim.models._callable import KINDS, CallableModel
from sksim.models._layer_names import names_matching

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int16)": np.int16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
    "tensor(string)": np.object_,
}
# Operators that layers with weights consist of.
_WITH_WEIGHTS = ("MatMul", "Gemm", "Conv")
_LAST_HIDDEN = object()
_FLOATING = ("tensor(float)", "tensor(double)", "tensor(float16)")


def is_onnx(model):
    """Whether a model is a path to an ONNX file, its contents, or a session of it."""
    if isinstance(model, str | os.PathLike):
        return os.fspath(model).lower().endswith(".onnx")
    for library, kind in (("onnx", "ModelProto"), ("onnxruntime", "InferenceSession")):
        module = sys.modules.get(library)
        if module is not None and isinstance(model, getattr(module, kind)):
            return True
    return False


class OnnxModel(CallableModel):
    """A network in ONNX's format; its layers are the values between its nodes.

    A path that ends in ``.onnx``, an ``onnx.ModelProto`` or an
    ``onnxruntime.InferenceSession`` may be passed in its place wherever a model is
    taken. Needs onnx and onnxruntime: ``pip install "sksim[onnx]"``.

    Parameters
    ----------
    model : path, onnx.ModelProto or onnxruntime.InferenceSession
        The network.
    classes : sequence, default=None
        Class of each column of the answers. None: 0, 1, ...
    providers : sequence of str, default=("CPUExecutionProvider",)
        Where onnxruntime runs it, in the order of preference.

    Raises
    ------
    ValueError
        If onnxruntime can't run the network, or if a batch lacks an input.
    ImportError
        Without onnx and onnxruntime.

    See Also
    --------
    CallableModel : Any function of a batch.

    Notes
    -----
    All floating-point results of nodes become outputs of the graph, in its order. A
    layer is what has one row for each input: a pass of two rows and one of three
    show which values do. What belongs to the graph inside an If or a Loop is not
    seen. The answer, "output", is the graph's output of the name "logits",
    "probabilities", "labels" or "predictions", which says what it is
    (:ref:`network_outputs`), or else the first. Functions that compare two models take
    what goes into the last MatMul, Gemm or Conv with weights. Name the layers that are
    wanted where a graph is large: the others are then not kept.

    Inputs are converted to the types that the graph declares. A mapping gives them by
    name, and what it holds in addition, such as labels, stays out; of a tuple as many
    items are taken as the graph has inputs. A graph that was exported for a fixed
    number of rows gets so many at once, the last ones filled up with repetitions.

    Examples
    --------
    >>> from sksim.models import OnnxModel, extract_representations
    >>> model = OnnxModel("resnet18.onnx")  # doctest: +SKIP
    >>> layers = extract_representations(model, images)  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Any,
        *,
        classes: Sequence | None = None,
        providers: Sequence[str] = ("CPUExecutionProvider",),
    ):
        super().__init__(self._answer, layers=self._values, classes=classes)
        self.model = model
        self.providers = tuple(providers)
        self._session = _session_of(model, self.providers)
        self._given = self._session.get_inputs()
        self._named = _named_answer(self._session.get_outputs())
        self._inner = None
        self._only = None

    def __repr__(self):
        is_path = isinstance(self.model, str | os.PathLike)
        what = os.fspath(self.model) if is_path else type(self.model).__name__
        return f"OnnxModel({what!r})"

    def _count(self, function, batch):
        several = super()._count(function, batch)
        return min(len(self._given), len(batch)) if several else 0

    # ----- functions of a batch -------------------------------------------------------

    def _answer(self, *inputs):
        """The graph's answer, under the name of its kind where it has one."""
        name = self._named
        (values,) = self._run(self._session, [name], self._feeds(inputs))
        return {name if name in KINDS else "output": values}

    def _values(self, *inputs):
        """Values between the nodes that have rows, the answer last."""
        feeds = self._feeds(inputs)
        if self._inner is None:
            self._inner = self._with_values(feeds)
        session, names, last = self._inner
        chosen = [*names, "output"]
        if self._only is _LAST_HIDDEN:
            chosen = [last, "output"] if names else ["output"]
        elif self._only is not None:
            chosen = names_matching(chosen, self._only, repr(self))
        asked = [self._named if name == "output" else name for name in chosen]
        return dict(zip(chosen, self._run(session, asked, feeds), strict=True))

    def _of_layers(self, layers):
        model = copy.copy(self)
        model._only = layers
        model.outputs, model.layers = model._answer, model._values
        return model

    def _with_last_hidden(self):
        return self._of_layers(_LAST_HIDDEN)

    def _with_values(self, feeds):
        """Session that returns all values, those with rows, and the last hidden one."""
        session = _session_of(_with_all_outputs(self.model), self.providers)
        names = [
            output.name
            for output in session.get_outputs()
            if output.type in _FLOATING and output.name != self._named
        ]
        first = self._fixed_rows() or 2
        lengths = {}
        for n_rows in (first, first if self._fixed_rows() else 3):
            few = {name: _cycled(array, n_rows) for name, array in feeds.items()}
            values = session.run(names, few)
            for name, value in zip(names, values, strict=True):
                has_rows = np.ndim(value) > 0 and len(value) == n_rows
                lengths.setdefault(name, []).append(has_rows)
        graph = _graph_of(self.model).graph
        computed = [name for node in graph.node for name in node.output]
        order = {name: i for i, name in enumerate(computed)}
        with_rows = [name for name in names if all(lengths[name])]
        with_rows.sort(key=lambda name: order.get(name, -1))
        return session, with_rows, _last_hidden(graph, with_rows)

    # ----- running the graph ----------------------------------------------------------

    def _feeds(self, inputs):
        """Arrays by the names of the graph's inputs."""
        names = [given.name for given in self._given]
        if len(inputs) == 1 and isinstance(inputs[0], Mapping):
            known = {name: inputs[0][name] for name in names if name in inputs[0]}
        else:
            known = dict(zip(names, inputs, strict=False))
        missing = [name for name in names if name not in known]
        if missing:
            raise ValueError(
                f"{self} takes the inputs {', '.join(names)}, and a batch has no "
                f"{', '.join(missing)}. Pass mappings with these names."
            )
        return {
            given.name: _as_declared(known[given.name], given) for given in self._given
        }

    def _fixed_rows(self):
        """Number of rows that the graph was exported for, or None for any."""
        first = [given.shape[0] for given in self._given if given.shape]
        fixed = [size for size in first if isinstance(size, int) and size > 0]
        return fixed[0] if fixed else None

    def _run(self, session, names, feeds):
        """Values of all rows; a graph for a fixed number of them runs several times."""
        fixed = self._fixed_rows()
        n_rows = length_of(feeds)
        if fixed is None or n_rows == fixed:
            return [_as_table(value) for value in session.run(names, feeds)]
        parts = []
        for rows in slices(n_rows, fixed):
            few = {name: _cycled(array[rows], fixed) for name, array in feeds.items()}
            values = session.run(names, few)
            n_own = rows.stop - rows.start
            parts.append([_as_table(value)[:n_own] for value in values])
        return [np.concatenate(values) for values in zip(*parts, strict=True)]


# ----- sessions -----------------------------------------------------------------------


def _session_of(model, providers):
    onnxruntime = import_extra("onnxruntime", extra="onnx", needed_by="OnnxModel")
    if isinstance(model, onnxruntime.InferenceSession):
        return model
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    is_path = isinstance(model, str | os.PathLike)
    if is_path and not os.path.exists(model):
        raise ValueError(f"There is no file {os.fspath(model)!r}.")
    try:
        content = os.fspath(model) if is_path else model.SerializeToString()
        return onnxruntime.InferenceSession(content, options, providers=list(providers))
    except Exception as error:  # it raises classes of its own for each kind of failure
        name = os.fspath(model) if is_path else "the graph"
        raise ValueError(f"onnxruntime can't run {name}: {error}") from error


def _graph_of(model):
    """A copy of the network as an ``onnx.ModelProto``."""
    onnx = import_extra("onnx", extra="onnx", needed_by="OnnxModel")
    if isinstance(model, onnx.ModelProto):
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        return copy
    if isinstance(model, str | os.PathLike):
        return onnx.load(os.fspath(model))
    content = getattr(model, "_model_bytes", None)
    path = getattr(model, "_model_path", None)
    if content:
        return onnx.load_from_string(content)
    if path:
        return onnx.load(path)
    raise ValueError(
        "This session does not tell what network it runs, so that its intermediate "
        "values can't be had: pass the path of the file, or an onnx.ModelProto."
    )


def _last_hidden(graph, names):
    """Name of what goes into the last layer with weights, or of the last value."""
    weights = {array.name for array in graph.initializer}
    for node in reversed(graph.node):
        if node.op_type in _WITH_WEIGHTS and weights & set(node.input):
            found = [name for name in node.input if name in set(names)]
            if found:
                return found[0]
    return names[-1] if names else None


def _with_all_outputs(model):
    """The same network with what its nodes compute as outputs of the graph."""
    onnx = import_extra("onnx", extra="onnx", needed_by="OnnxModel")
    changed = _graph_of(model)
    known = {output.name for output in changed.graph.output}
    changed.graph.output.extend(
        onnx.ValueInfoProto(name=name)
        for node in changed.graph.node
        if node.op_type != "Constant"
        for name in node.output
        if name and name not in known
    )
    return changed


def _named_answer(outputs):
    """Name of the output that is the answer."""
    names = [output.name for output in outputs]
    declared = [kind for kind in KINDS if kind in names]
    return declared[0] if declared else names[0]


# ----- arrays -------------------------------------------------------------------------


def _as_declared(values, given):
    """An input in the type that the graph declares."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = values.float() if "bfloat16" in str(values.dtype) else values
    dtype = _DTYPES.get(given.type)
    return np.ascontiguousarray(np.asarray(values, dtype=dtype))


def _cycled(array, n_rows):
    """The first rows, over and over again until they are so many."""
    return array if np.ndim(array) == 0 else array[np.arange(n_rows) % len(array)]


def _as_table(value):
    """An output as an array: those of trees are one mapping of classes for each row."""
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        return np.array([list(row.values()) for row in value])
    return value
