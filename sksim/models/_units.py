"""Which axes of a torch module's weights belong to the same units.

The module's graph is walked once, without data. A signal between two layers carries a
space of units; sums unite the spaces of what is added. Whatever might mix units in a
way that is not known is refused, with its name.
"""

import copy
import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import fx, nn

from sksim.models._torch import as_input, evaluating, of_one_array, to_numpy
from sksim.models._weights import FIXED, Network, Tensor, Units


@dataclass(frozen=True)
class _Signal:
    """What flows between two layers: a space of units, and where they stand.

    ``layout`` is "last" or "channels" (axis 1) for an axis of their own. After
    flattening they share one with other axes, "outer" (units change slowest) or
    "inner".
    """

    space: int
    layout: str | None = None


@dataclass(frozen=True)
class _Held:
    """A parameter or buffer that the graph uses by itself."""

    path: str


@dataclass(frozen=True)
class _Claim:
    """Axes of one tensor, as they are found."""

    shape: tuple
    axes: tuple
    writes: int
    counts: bool


# rows of which batch normalisations see the mean at once
_BATCH = 1024
_INPUT = 0  # the space that inputs and outputs belong to, whose order is fixed


class _Spaces:
    """Spaces of units that are united as the graph is walked."""

    def __init__(self):
        self.parents, self.names, self.sizes = [_INPUT], [None], [None]

    def new(self, name, size):
        self.parents.append(len(self.parents))
        self.names.append(name)
        self.sizes.append(size)
        return len(self.parents) - 1

    def find(self, space):
        while self.parents[space] != space:
            space = self.parents[space]
        return space

    def unite(self, a, b):
        """Make two spaces one; the older keeps its name."""
        a, b = sorted((self.find(a), self.find(b)))
        self.parents[b] = a
        return a


class _NamingTracer(fx.Tracer):
    """Tracer that knows which layer it was in when it failed."""

    inside = ""

    def call_module(self, m, forward, args, kwargs):
        before, self.inside = self.inside, self.path_of_module(m)
        result = super().call_module(m, forward, args, kwargs)
        self.inside = before
        return result


class _Reader:
    """Walk through one module's graph."""

    def __init__(self, module, name):
        self.module, self.name = module, name
        self.spaces = _Spaces()
        # tensors that stand in several places have the name of the first
        self.paths = {}
        for path, _ in _held_by(module):
            self.paths.setdefault(id(_tensor(module, path)), path)
        self.claims = {}
        self.readers = []

    def refusal(self, path, problem):
        """What is raised, with the name of the layer."""
        return ValueError(
            f"Layer {path!r} of {self.name} ({type(self.module).__name__}) {problem}, "
            "so that it is not known which of its units may change places. Known are "
            "linear, convolutional and embedding layers, normalisations, pooling, "
            "elementwise functions, sums, and nn.TransformerEncoderLayer; "
            "NetworkPersistence and WeightDelta need to know less."
        )

    # ----- the graph ------------------------------------------------------------------

    def walk(self):
        """Read the whole module; all that it returns keeps its order."""
        handler = _handler_of(self.module)
        if handler is not None:
            output = handler(self, "", self.module, _Signal(_INPUT))
            self._pin(output)
            return
        tracer = _NamingTracer()
        try:
            graph = tracer.trace(self.module)
        except Exception as error:  # whatever code of others raises on proxies
            where = tracer.inside or type(self.module).__name__
            problem = f"can't be read by torch.fx ({error})"
            raise self.refusal(where, problem) from error
        known = {}
        for node in graph.nodes:
            known[node] = self._value_of(node, known)

    def _value_of(self, node, known):
        args = fx.node.map_arg(node.args, known.__getitem__)
        kwargs = fx.node.map_arg(node.kwargs, known.__getitem__)
        if node.op == "placeholder":
            return _Signal(_INPUT)
        if node.op == "get_attr":
            return _Held(node.target)
        if node.op == "output":
            return self._pin(args)
        if node.op == "call_module":
            return self._call(node.target, args, kwargs)
        words = node.target if node.op == "call_method" else node.target.__name__
        words = words.rstrip("_")
        return self._function(_where(node, words), words, args, kwargs)

    def _pin(self, values):
        for value in _found_in(values, _Signal):
            self.spaces.unite(value.space, _INPUT)

    def _call(self, path, args, kwargs):
        module = self.module.get_submodule(path)
        signals = _found_in([args, kwargs], _Signal)
        handler = _handler_of(module)
        if handler is None:
            if not signals and not list(module.parameters()):
                return None
            raise self.refusal(path, f"is a {type(module).__name__}")
        if len({(self.spaces.find(s.space), s.layout) for s in signals}) != 1:
            raise self.refusal(path, f"({type(module).__name__}) takes several inputs")
        return handler(self, path, module, signals[0])

    # ----- what layers do with their weights ------------------------------------------

    def claim(self, path, axes, *, writes=0, shape=None, counts=True):
        """Say which space each axis of a tensor belongs to."""
        tensor = _tensor(self.module, path)
        path = self.paths[id(tensor)]
        claim = _Claim(shape or tuple(tensor.shape), axes, writes, counts)
        other = self.claims.setdefault(path, claim)
        if other.shape != claim.shape:
            raise self.refusal(path, "is used in two ways")
        for a, b in zip(other.axes, axes, strict=True):
            self.spaces.unite(a, b)

    def takes(self, path, signal, width, layouts):
        """Spaces and lengths of the axes that a layer's inputs are split into.

        Returns
        -------
        spaces, lengths : tuple of int
        """
        space = self.spaces.find(signal.space)
        self.readers.append((path, signal))
        if space == _INPUT:
            return (_INPUT,), (width,)
        size = self.spaces.sizes[space]
        if signal.layout in layouts and size == width:
            return (space,), (width,)
        if "last" in layouts and signal.layout == "outer" and width % size == 0:
            return (space, _INPUT), (size, width // size)
        if "last" in layouts and signal.layout == "inner" and width % size == 0:
            return (_INPUT, space), (width // size, size)
        raise self.refusal(
            path,
            f"takes {width} inputs along an axis that the {size} units of "
            f"{self.spaces.names[space]!r} do not stand on",
        )

    def owns_only(self, path, module, names):
        """Refuse a layer that has been given other parameters than its kind has."""
        own = {name for name, _ in module.named_parameters(recurse=False)}
        if not own <= set(names) or list(module.children()):
            raise self.refusal(
                path, f"is a {type(module).__name__} with parameters of its own"
            )

    # ----- functions ------------------------------------------------------------------

    def _function(self, where, words, args, kwargs):
        """What a function or method makes of signals."""
        signals = _found_in([args, kwargs], _Signal)
        held = _found_in([args, kwargs], _Held)
        if not signals and not held:
            return None
        if not signals and len(held) == 1 and words in _ELEMENTWISE | {"getitem"}:
            return held[0]
        if not signals:
            raise self.refusal(where, "makes something of parameters")
        first = signals[0]
        if words in _ELEMENTWISE:
            return first
        if words in _BINARY:
            return self._sum(where, [*args, *kwargs.values()])
        if words in _POOLING:
            return self._keeps_channels(where, first)
        if words in ("size", "dim") or (words == "getattr" and args[1] in _OF_SHAPE):
            return None
        if words == "getitem":
            return self._item(where, args)
        if words == "flatten":
            start = _argument(args, kwargs, 1, "start_dim", 0)
            return self._flattened(where, first, start)
        if words in ("view", "reshape"):
            shape = args[1] if len(args) == 2 else args[1:]
            is_flat = isinstance(shape, tuple | list) and len(shape) == 2
            return self._flattened(where, first, 1 if is_flat else None)
        if words in ("mean", "amax"):
            return self._mean(where, first, _argument(args, kwargs, 1, "dim", None))
        if words == "squeeze":
            return replace(first, layout="last")
        if words in ("transpose", "permute"):
            return self._turned(where, first, args)
        raise self.refusal(where, "does something to its inputs that may mix them")

    def _sum(self, where, parts):
        """Sums, and other functions of two arrays, unit by unit."""
        signals = [part for part in parts if isinstance(part, _Signal)]
        held = [part for part in parts if isinstance(part, _Held)]
        space = signals[0].space
        for other in signals[1:]:
            sizes = {self._size(space), self._size(other.space)} - {None}
            if len(sizes) > 1:
                raise self.refusal(where, f"joins {max(sizes)} units and {min(sizes)}")
            space = self.spaces.unite(space, other.space)
        layouts = {s.layout for s in signals} - {None}
        if len(layouts) > 1 and self.spaces.find(space) != _INPUT:
            raise self.refusal(where, "adds units along different axes")
        signal = _Signal(space, next(iter(layouts), None))
        for part in held:
            self._add_held(where, part.path, signal)
        return signal

    def _size(self, space):
        """Number of units of a space; None where their order is fixed."""
        root = self.spaces.find(space)
        return None if root == _INPUT else self.spaces.sizes[root]

    def _add_held(self, where, path, signal):
        """A parameter that is added to, or multiplied with, units."""
        shape = tuple(_tensor(self.module, path).shape)
        space, size = self.spaces.find(signal.space), self._size(signal.space)
        axes = [_INPUT] * len(shape)
        if size is not None and max(shape, default=1) > 1:
            places = [len(shape) - 1] if signal.layout == "last" else []
            if signal.layout == "channels":
                places = [axis for axis, n in enumerate(shape) if n == size]
                rest = math.prod(shape) // size if places else 0
                places = places if rest == 1 else []
            if not places or shape[places[0]] not in (1, size):
                raise self.refusal(
                    where, f"adds {path!r} to units along an unknown axis"
                )
            if shape[places[0]] == size:
                axes[places[0]] = space
        parameters = dict(self.module.named_parameters())
        writes = max(range(len(shape)), key=axes.__getitem__, default=0)
        self.claim(path, tuple(axes), writes=writes, counts=path in parameters)

    def _keeps_channels(self, where, signal):
        if self.spaces.find(signal.space) == _INPUT or signal.layout == "channels":
            return signal
        raise self.refusal(where, "pools along the axis of the units")

    def _item(self, where, args):
        value, index = args
        if isinstance(value, tuple):
            return value[index]
        if self.spaces.find(value.space) == _INPUT:
            return value
        parts = index if isinstance(index, tuple) else (index,)
        keeps = [p for p in parts if isinstance(p, slice) and p == slice(None)]
        is_last = value.layout == "last" and len(parts) == 2 and len(keeps) == 1
        if is_last and isinstance(parts[1], int):  # one place of a sequence
            return value
        raise self.refusal(where, "picks some of its inputs")

    def _flattened(self, where, signal, start):
        if self.spaces.find(signal.space) == _INPUT:
            return signal
        if start == 2 and signal.layout == "channels":
            return signal
        if start != 1:
            raise self.refusal(where, "reshapes its inputs")
        layouts = {"last": "inner", "channels": "outer"}
        return replace(signal, layout=layouts.get(signal.layout, signal.layout))

    def _mean(self, where, signal, dim):
        dims = dim if isinstance(dim, tuple | list) else (dim,)
        if self.spaces.find(signal.space) == _INPUT:
            return signal
        if signal.layout == "channels" and not {0, 1, None} & set(dims):
            return replace(signal, layout="last")
        if signal.layout == "last" and not {0, -1, None} & set(dims):
            return signal
        raise self.refusal(where, "averages over units")

    def _turned(self, where, signal, args):
        """Axes 1 and 2 change places: a map of positions becomes a sequence."""
        if self.spaces.find(signal.space) == _INPUT:
            return signal
        dims = args[1] if len(args) == 2 else args[1:]
        turned = {"channels": "last", "last": "channels"}
        if tuple(dims) in ((1, 2), (2, 1), (0, 2, 1)) and signal.layout in turned:
            return replace(signal, layout=turned[signal.layout])
        raise self.refusal(where, "moves the axis of the units")

    # ----- the result -----------------------------------------------------------------

    def network(self):
        """Network of what was read, with the module's own order of tensors."""
        roots = [self.spaces.find(s) for s in range(len(self.spaces.parents))]
        hidden = sorted({r for r in roots if r != _INPUT and self.spaces.sizes[r] > 1})
        place = {root: i for i, root in enumerate(hidden)}

        def number(space):
            return place.get(roots[space], FIXED)

        tensors = [
            self._tensor_of(path, counts, number)
            for path, counts in _held_by(self.module)
        ]
        if not tensors:
            raise ValueError(
                f"{self.name} has no layer with weights, so that there is nothing to "
                "compare."
            )
        units = [Units(self.spaces.names[r], self.spaces.sizes[r]) for r in hidden]
        return Network(
            tuple(tensors),
            tuple(units),
            type(self.module).__name__,
            _Writer(self.module, tuple(t.path for t in tensors)),
            _Watcher(self.module, self._watched(number), [u.size for u in units]),
        )

    def _tensor_of(self, path, counts, number):
        values = to_numpy(_tensor(self.module, path))
        if not np.isfinite(values).all():
            raise ValueError(
                f"{path!r} of {self.name} contains NaN or infinity: the network "
                "diverged in training. Train it again, with a smaller learning rate."
            )
        claim = self.claims.get(path)
        layer, _, name = path.rpartition(".")
        shape = values.shape
        if claim is None:  # takes no part in what the module computes
            return Tensor(layer, name, values, (FIXED,) * len(shape), 0, shape, counts)
        axes = tuple(map(number, claim.axes))
        values = values.reshape(claim.shape)
        counts = counts and claim.counts
        return Tensor(layer, name, values, axes, claim.writes, shape, counts)

    def _watched(self, number):
        """(layer, space, layout, units) of everything that reads hidden units."""
        found = [
            (path, number(signal.space), signal.layout) for path, signal in self.readers
        ]
        return [entry for entry in found if entry[1] is not FIXED]


def _held_by(module):
    """(path, whether it is learnt) of all tensors that a module holds, each once."""
    for path, _ in module.named_parameters():
        yield path, True
    for path, buffer in module.named_buffers():
        if buffer.ndim and buffer.is_floating_point():
            yield path, False


def _tensor(module, path):
    layer, _, name = path.rpartition(".")
    return getattr(module.get_submodule(layer), name)


@dataclass(frozen=True)
class _Writer:
    """Copies of a module with other weights."""

    module: nn.Module
    paths: tuple

    def __call__(self, arrays):
        other = copy.deepcopy(self.module)
        with torch.no_grad():
            for path, array in zip(self.paths, arrays, strict=True):
                _tensor(other, path).copy_(
                    torch.from_numpy(np.asarray(array, order="C"))
                )
        return other


@dataclass(frozen=True)
class _Watcher:
    """What hidden units say to rows, as the layers after them are told."""

    module: nn.Module
    watched: list
    sizes: list

    def __call__(self, X):
        told = [[] for _ in self.sizes]
        hooks = [self._hook(told, *entry) for entry in self.watched]
        try:
            # with gradients, since torch else runs encoders without calling their parts
            named = of_one_array(type(self.module).__name__)
            with evaluating(self.module), torch.enable_grad(), named:
                self.module(as_input(X, self.module))
        finally:
            for hook in hooks:
                hook.remove()
        return told

    def _hook(self, told, path, space, layout):
        def keep(_, inputs):
            values = to_numpy(inputs[0])
            told[space].append(_unit_columns(values, self.sizes[space], layout))

        return self.module.get_submodule(path).register_forward_pre_hook(keep)


def _unit_columns(values, size, layout):
    """Activations as a matrix with a column for each unit."""
    if layout == "outer":
        values = values.reshape(len(values), size, -1)
    if layout in ("outer", "channels"):
        values = np.moveaxis(values, 1, -1)
    return values.reshape(-1, size)


# ----- kinds of layers ----------------------------------------------------------------


def _join(path, name):
    return f"{path}.{name}" if path else name


def _claim_each(reader, path, module, names, axes, **how):
    """Claim those of some tensors that a layer has."""
    for name in names:
        if getattr(module, name, None) is not None:
            reader.claim(_join(path, name), axes, **how)


def _linear(reader, path, module, signal):
    reader.owns_only(path, module, ("weight", "bias"))
    spaces, lengths = reader.takes(path, signal, module.in_features, ("last",))
    after = reader.spaces.new(path, module.out_features)
    shape = (module.out_features, *lengths)
    reader.claim(_join(path, "weight"), (after, *spaces), shape=shape)
    _claim_each(reader, path, module, ["bias"], (after,))
    return _Signal(after, "last")


def _convolution(reader, path, module, signal):
    reader.owns_only(path, module, ("weight", "bias"))
    width, n_out = module.in_channels, module.out_channels
    (before,), _ = reader.takes(path, signal, width, ("channels",))
    rest = (_INPUT,) * len(module.kernel_size)
    if module.groups == 1:
        after = reader.spaces.new(path, n_out)
        axes = (before, after) if module.transposed else (after, before)
    elif module.groups == width == n_out:
        after, axes = before, (before, _INPUT)
    else:
        raise reader.refusal(path, f"has {module.groups} groups of channels")
    writes = axes.index(after)
    reader.claim(_join(path, "weight"), (*axes, *rest), writes=writes)
    _claim_each(reader, path, module, ["bias"], (after,))
    return _Signal(after, "channels")


def _normalisation(reader, path, module, signal):
    names = ["weight", "bias", "running_mean", "running_var"]
    reader.owns_only(path, module, names)
    layouts = ("channels", "last")
    spaces, lengths = reader.takes(path, signal, module.num_features, layouts)
    _claim_each(reader, path, module, names[:2], spaces, shape=lengths)
    _claim_each(reader, path, module, names[2:], spaces, shape=lengths, counts=False)
    return signal


def _group_norm(reader, path, module, signal):
    if module.num_groups not in (1, module.num_channels):
        raise reader.refusal(path, f"has {module.num_groups} groups of channels")
    layouts = ("channels", "last")
    spaces, lengths = reader.takes(path, signal, module.num_channels, layouts)
    _claim_each(reader, path, module, ["weight", "bias"], spaces, shape=lengths)
    return signal


def _layer_norm(reader, path, module, signal):
    reader.owns_only(path, module, ("weight", "bias"))
    width, *rest = module.normalized_shape
    spaces, lengths = reader.takes(
        path, signal, width, ("channels" if rest else "last",)
    )
    axes, shape = (*spaces, *(_INPUT for _ in rest)), (*lengths, *rest)
    _claim_each(reader, path, module, ["weight", "bias"], axes, shape=shape)
    return signal


def _prelu(reader, path, module, signal):
    width, layouts = module.num_parameters, ("channels", "last")
    spaces, lengths = ((_INPUT,), (1,))
    if width > 1:
        spaces, lengths = reader.takes(path, signal, width, layouts)
    reader.claim(_join(path, "weight"), spaces, shape=lengths)
    return signal


def _embedding(reader, path, module, signal):
    reader.owns_only(path, module, ("weight",))
    after = reader.spaces.new(path, module.embedding_dim)
    reader.claim(_join(path, "weight"), (_INPUT, after), writes=1)
    return _Signal(after, "last")


def _attention(reader, path, module, signal):
    """Heads change places as blocks: rows of three matrices, columns of a fourth."""
    if not module._qkv_same_embed_dim or module.bias_k is not None:
        raise reader.refusal(path, "is a MultiheadAttention with more than one input")
    width, n_heads = module.embed_dim, module.num_heads
    (before,), _ = reader.takes(path, signal, width, ("last",))
    heads = reader.spaces.new(_join(path, "heads"), n_heads)
    after = reader.spaces.new(path, width)
    rows = (3, n_heads, width // n_heads)
    reader.claim(
        _join(path, "in_proj_weight"),
        (_INPUT, heads, _INPUT, before),
        writes=1,
        shape=(*rows, width),
    )
    in_proj = {"writes": 1, "shape": rows}
    axes = (_INPUT, heads, _INPUT)
    _claim_each(reader, path, module, ["in_proj_bias"], axes, **in_proj)
    shape = (width, *rows[1:])
    reader.claim(_join(path, "out_proj.weight"), (after, heads, _INPUT), shape=shape)
    _claim_each(reader, _join(path, "out_proj"), module.out_proj, ["bias"], (after,))
    return _Signal(after, "last")


def _attention_outputs(reader, path, module, signal):
    """Outputs, and weights of attention, which are means over heads."""
    return _attention(reader, path, module, signal), None


def _encoder_layer(reader, path, module, signal):
    parts = dict(module.named_children())

    def through(name, given, handler):
        return handler(reader, _join(path, name), parts[name], given)

    attended = through("self_attn", signal, _attention)
    reader.spaces.unite(attended.space, signal.space)
    through("norm1", signal, _layer_norm)
    hidden = through("linear1", signal, _linear)
    written = through("linear2", hidden, _linear)
    reader.spaces.unite(written.space, signal.space)
    through("norm2", signal, _layer_norm)
    return signal


def _encoder(reader, path, module, signal):
    for name, layer in module.layers.named_children():
        inner = _join(path, f"layers.{name}")
        if _handler_of(layer) is not _encoder_layer:
            raise reader.refusal(inner, f"is a {type(layer).__name__}")
        signal = _encoder_layer(reader, inner, layer, signal)
    if module.norm is not None:
        signal = _layer_norm(reader, _join(path, "norm"), module.norm, signal)
    return signal


def _flatten(reader, path, module, signal):
    if module.end_dim != -1 and reader.spaces.find(signal.space) != _INPUT:
        raise reader.refusal(path, "flattens some of the axes")
    return reader._flattened(path, signal, module.start_dim)


def _passes(reader, path, module, signal):
    return signal


def _pools(reader, path, module, signal):
    return reader._keeps_channels(path, signal)


_CONVOLUTIONS = [f"Conv{t}{d}d" for d in (1, 2, 3) for t in ("", "Transpose")]
_NORMALISATIONS = [f"{k}Norm{d}d" for d in (1, 2, 3) for k in ("Batch", "Instance")]
_HANDLERS = {
    "Linear": _linear,
    "NonDynamicallyQuantizableLinear": _linear,
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    **dict.fromkeys([*_NORMALISATIONS, "SyncBatchNorm"], _normalisation),
    "GroupNorm": _group_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _layer_norm,
    "PReLU": _prelu,
    "Embedding": _embedding,
    "MultiheadAttention": _attention_outputs,
    "TransformerEncoderLayer": _encoder_layer,
    "TransformerEncoder": _encoder,
    "Flatten": _flatten,
    "Identity": _passes,
    "GLU": None,
}
# kinds of layers that are known by the file that torch keeps them in
_FILES = {
    "activation": _passes,
    "dropout": _passes,
    "pooling": _pools,
    "padding": _pools,
    "upsampling": _pools,
}


def _handler_of(module):
    """Function that reads one kind of layer; None if the kind is not known."""
    kind = type(module)
    home, _, file = kind.__module__.rpartition(".")
    if not home.startswith("torch.nn"):
        return None
    for base in kind.__mro__:
        if base.__name__ in _HANDLERS:
            return _HANDLERS[base.__name__]
    return _FILES.get(file)


# ----- kinds of functions, by name ----------------------------------------------------

_WORDS = """
    relu relu6 gelu tanh sigmoid silu elu celu selu leaky_relu softplus softsign mish
    hardtanh hardswish hardsigmoid logsigmoid abs neg exp log sqrt rsqrt square pow sin
    cos clamp dropout dropout1d dropout2d dropout3d alpha_dropout softmax log_softmax
    contiguous to float double half detach clone type_as
"""
_ELEMENTWISE = frozenset(_WORDS.split())
_BINARY = {"add", "iadd", "sub", "isub", "mul", "imul", "truediv", "itruediv", "div"}
_OF_SHAPE = {"shape", "ndim", "dtype", "device"}
_POOLING = {
    *(f"{k}_pool{d}d" for d in (1, 2, 3) for k in ("max", "avg")),
    *(f"adaptive_{k}_pool{d}d" for d in (1, 2, 3) for k in ("max", "avg")),
    "interpolate",
}


def _where(node, words):
    """Name of a function by the layer that it is called in."""
    stack = list(node.meta.get("nn_module_stack") or {})
    return _join(stack[-1], words) if stack else words


def _argument(args, kwargs, place, name, default):
    return args[place] if len(args) > place else kwargs.get(name, default)


def _found_in(values, kind):
    """All values of one kind in nested arguments."""
    if isinstance(values, kind):
        return [values]
    if isinstance(values, dict):
        values = list(values.values())
    if isinstance(values, tuple | list):
        return [found for value in values for found in _found_in(value, kind)]
    return []


def held_tensors(module, name):
    """Network of all that a module holds, without a look at what it does."""
    return _Reader(module, name).network()


def refreshed(module, X):
    """Set the running statistics of batch normalisations to those of some rows.

    Parameters
    ----------
    module : torch.nn.Module
        Is changed.
    X : array of shape (n_samples, ...)

    Returns
    -------
    module : torch.nn.Module
        The same.
    """
    layers = [
        m
        for m in module.modules()
        if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats
    ]
    if not layers:
        return module
    momenta = [layer.momentum for layer in layers]
    rows = as_input(X, module)
    with evaluating(module), torch.no_grad():
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the mean over batches
            layer.train()
        for batch in rows.tensor_split(-(-len(rows) // _BATCH)):
            with of_one_array(type(module).__name__):
                module(batch)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return module


def read_module(module, name):
    """Network of a torch module.

    Parameters
    ----------
    module : torch.nn.Module
    name : str
        What error messages call it.

    Returns
    -------
    network : Network
    """
    reader = _Reader(module, name)
    reader.walk()
    return reader.network()
