"""Layers of one model, batch by batch, each reduced where it is made.

A reader runs its model on one batch at a time and leaves nothing behind: the hooks of a
module are there for the time of one forward pass, and its modes are restored after it.
"""

import inspect
import warnings
import weakref
from collections.abc import Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase

import numpy as np

from sksim.models._batches import length_of
from sksim.models._layer import NoRepresentation
from sksim.models._reduce import Reduction
from sksim.models._row_axis import NoRows, SmallPass
from sksim.models._torch import evaluating, home_of, is_torch_module, logits_of

# Keywords of a batch that are no input of a model that is asked for its layers.
_LABELS = ("labels", "label", "label_ids")
_FEW = 2


class TorchReader:
    """Reader of a torch module.

    Parameters
    ----------
    model : torch.nn.Module
    layers : str, list of str or None
        Names and patterns; None takes all modules that hold no others, and the output.
    reduction : Reduction, default=None
    inputs : callable, default=None
        From a batch to what the module is called with: one input, a tuple of them, or a
        mapping to keywords.
    finish : callable, default=None
        From a layer's rows to what is kept of them, called while these still exist.
        None copies them.
    """

    def __init__(self, model, layers=None, *, reduction=None, inputs=None, finish=None):
        self.model = _unwrapped(model)
        self.layers = layers
        self.inputs = inputs
        self.reduction = reduction or Reduction()
        self.finish = finish or _copied
        self.left_out = {}
        self._modules = _choose_modules(self.model, layers)
        self.names = None
        self.kind = None  # what the output declares to be, once a batch has been read
        self._places = {}
        self._small = None
        self._last = None

    @property
    def name(self):
        """The model's class, for messages."""
        return type(self.model).__name__

    def narrow(self, names):
        """Read no other layers than these, of those that a batch has had."""
        wanted = {name.partition(":")[0] for name in names}
        self._modules = {n: m for n, m in self._modules.items() if n in wanted}
        self.names = set(names)
        self._places = {}

    def wants(self, name):
        """Whether a name is among those that are read."""
        if self.names is not None:
            return name in self.names
        return self.layers is None or any(
            fnmatchcase(name, pattern) for pattern in patterns_of(self.layers)
        )

    def read(self, batch):
        """What is kept of each layer, in the order of the calls.

        Parameters
        ----------
        batch : object
            Inputs of the module, and what belongs to them.

        Returns
        -------
        layers : dict of str to object
        """
        import torch

        inputs, keywords, n_rows = self._prepare(batch)
        run = _Run(self, n_rows, self.reduction.mask_of(batch), batch)
        with (
            evaluating(self.model),
            torch.no_grad(),
            hooked(self._modules, run.note),
        ):
            output = self.model(*inputs, **keywords)
            run.end(output)
        return run.found

    def answer(self, inputs):
        """The module's output for inputs that are where it is, a row for each of them.

        With gradients, where these are enabled.

        Parameters
        ----------
        inputs : tensor of shape (n_samples, ...)

        Returns
        -------
        rows : tensor of shape (n_samples, ...)
        """
        n_rows = len(inputs)
        if self._small is None and n_rows:
            self._small = self._small_pass((inputs,), {}, n_rows)
        with evaluating(self.model):
            tensors = _answers(self.model(inputs))
        if not n_rows:
            return tensors[0]
        try:
            place = self.place_of("output", tensors, n_rows)
            return place.rows_of(tensors, n_rows)[0]
        except NoRows as reason:
            raise ValueError(
                f"The output of {self.name} has no row for each of the {n_rows} "
                f"inputs: {reason}. Wrap it in a module that returns the tensor to be "
                "compared."
            ) from reason

    # ----- inputs ---------------------------------------------------------------------

    def _prepare(self, batch):
        """Inputs where the model is; the first time a few of them are run."""
        inputs, keywords = self._place(batch)
        n_rows = length_of([*inputs, *keywords.values()])
        if self._small is None:
            self._small = self._small_pass(inputs, keywords, n_rows)
        return inputs, keywords, n_rows

    def _place(self, batch):
        """Positional and keyword inputs, where the model is."""
        if self.inputs is not None:
            batch = self.inputs(batch)
        if isinstance(batch, Mapping):
            return (), self._keywords(batch)
        if isinstance(batch, list | tuple):
            count = len(batch) if self.inputs is not None else self._count(batch)
            return tuple(self._as_tensor(part) for part in batch[:count]), {}
        return (self._as_tensor(batch),), {}

    def _keywords(self, batch):
        required, accepted = _parameters(self.model)
        found = {}
        for name, value in batch.items():
            if name in _LABELS and name not in required and self.inputs is None:
                continue
            if accepted is not None and name not in accepted:
                raise ValueError(
                    f"A batch has the key {name!r}, which {self.name}.forward does not "
                    f"take: it takes {', '.join(accepted)}. Pass inputs=, a callable "
                    "from a batch to the keywords."
                )
            found[name] = value if value is None else self._as_tensor(value)
        return found

    def _count(self, batch):
        """How many items of a tuple are inputs: those that the model can't do without.

        What comes after them, such as labels, is no input.
        """
        required, _ = _parameters(self.model)
        return min(max(1, len(required)), len(batch))

    def _as_tensor(self, values):
        import torch

        if isinstance(values, bool | int | float | str):
            return values
        is_array = isinstance(values, np.ndarray)
        try:
            # a copy, which layers that work in place may overwrite
            tensor = torch.tensor(values) if is_array else torch.as_tensor(values)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"data can't be read as numbers ({error}). Pass what a tokenizer or "
                "encoder makes of text and objects, as tensors."
            ) from error
        home = home_of(self.model, is_floating=tensor.is_floating_point())
        placed = tensor.to(**home)
        return placed.clone() if placed is values else placed

    # ----- the small pass -------------------------------------------------------------

    def _small_pass(self, inputs, keywords, n_rows):
        """What all modules return for a few rows."""
        import torch

        # another number than the batch has, so that one can be told from the other
        few = _FEW if n_rows != _FEW else _FEW + 1
        small, calls = SmallPass(few), {}
        rows = torch.arange(few) % n_rows

        def cut(value):
            has_rows = hasattr(value, "detach") and value.ndim and len(value) == n_rows
            return value[rows.to(value.device)] if has_rows else value

        last = None, ()

        def note(name, module, output):
            nonlocal last
            key, answers = _key_of_call(calls, name), _answers(output)
            small.note(key, module, answers)
            if name in self._modules and answers:
                last = key, [weakref.ref(answer) for answer in answers]

        modules = {name: module for name, module in self.model.named_modules() if name}
        try:
            with (
                evaluating(self.model),
                torch.no_grad(),
                torch.random.fork_rng(devices=[]),
                hooked(modules, note),
            ):
                output = self.model(
                    *(cut(value) for value in inputs),
                    **{name: cut(value) for name, value in keywords.items()},
                )
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError):
            # it takes no other number of rows, or fails for all: the pass will say
            return SmallPass(few)
        answers = _answers(output)
        small.note("output", self.model, answers)
        whole = next((a for a in answers if few in a.shape), None)
        if self.layers is None and any(known() is whole for known in last[1]):
            # the last submodule's output goes by one name only
            self._last = last[0] if whole is not None else None
        return small

    # ----- layers ---------------------------------------------------------------------

    def place_of(self, key, tensors, n_rows):
        """Place of a layer, which is found once."""
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._small.place_of(key, tensors, n_rows)
        return place

    def leave_out(self, key, reason, n_rows):
        """A layer without rows is an error if it was named, and said if not."""
        named = [] if self.layers is None else patterns_of(self.layers)
        if self.names is not None or {key, key.partition(":")[0]} & set(named):
            raise ValueError(
                f"The layer {key!r} has no row for each of the {n_rows} inputs of "
                f"{self.name}: {reason}."
            )
        self.left_out.setdefault(key, str(reason))

    def refuse_missing(self, layers):
        """Raise unless a batch has all layers that reading was narrowed to."""
        for name in self.names - set(layers):
            raise ValueError(
                f"The layer {name!r} of {self.name} is computed for some batches only: "
                "its rows would not be those of other layers. Name the layers that are "
                "computed for all, layers=[...]."
            )

    def refuse_uncalled(self, called):
        """Raise where a layer was asked for that the network does not come by.

        Parameters
        ----------
        called : set of str
            Names of all layers that were read.
        """
        names = {name.partition(":")[0] for name in called}
        for pattern in () if self.layers is None else patterns_of(self.layers):
            if not any(fnmatchcase(name, pattern) for name in names | set(called)):
                raise ValueError(
                    f"The layer {pattern!r} of {self.name} was not "
                    "called in the forward pass. Those that were are listed by "
                    "extract_representations(model, data) without layers."
                )

    def warn(self):
        """Say what was left out, and where a mask did not apply."""
        if self.left_out:
            found = [f"{name!r} ({why})" for name, why in self.left_out.items()]
            more = f", and {len(found) - 3} more" if len(found) > 3 else ""
            _warn(
                f"Layers of {self.name} without a row for each input are left out: "
                f"{'; '.join(found[:3])}{more}. Name the layers that are wanted to be "
                "rid of this warning."
            )
        warn_of_unmasked(self.reduction, self.name)


def warn_of_unmasked(reduction, name):
    """Say where a mask did not apply to layers of a model of this name."""
    if not reduction.unmasked:
        return
    layer, shape = next(iter(reduction.unmasked.items()))
    _warn(
        f"The mask is not applied to {len(reduction.unmasked)} layers of {name}, none "
        f"of whose axes has its number of tokens, such as {layer!r} of shape {shape}: "
        "all of their places count."
    )


class _Run:
    """One forward pass, as its hooks see it."""

    def __init__(self, reader, n_rows, mask, batch):
        self.reader, self.n_rows, self.mask, self.batch = reader, n_rows, mask, batch
        self.found, self.calls = {}, {}

    def note(self, name, module, output):
        """A module has returned an output."""
        key = _key_of_call(self.calls, name)
        name = "output" if key == self.reader._last else key
        if self.reader.names is None or name in self.reader.names:
            self._keep(key, _answers(output), name)

    def _keep(self, key, answers, name):
        """Reduce the layer of a call, if it has rows, under a name."""
        reader = self.reader
        try:
            place = reader.place_of(key, answers, self.n_rows)
            rows, features = place.rows_of(answers, self.n_rows)
            rows = rows.detach()
            if reader.reduction.way_of(name) is not None:
                rows = _single(rows)
            rows = reader.reduction.rows_of(name, rows, features, self.mask, self.batch)
        except NoRows as reason:
            reader.leave_out(name, reason, self.n_rows)
        else:
            self.found[name] = reader.finish(name, rows)

    def end(self, output):
        """The output of the whole module is a layer, too."""
        reader = self.reader
        reader.kind = None if logits_of(output) is None else "logits"
        if reader.wants("output") and "output" not in self.found:
            self._keep("output", _answers(output), "output")
        if not self.found and "output" in reader.left_out:
            raise ValueError(
                f"No layer of {reader.name}, not even its output, has a row for each "
                f"of the {self.n_rows} inputs: {reader.left_out['output']}."
            )


def _warn(message):
    warnings.warn(message, UserWarning, stacklevel=2)


# ----- modules ------------------------------------------------------------------------


@contextmanager
def hooked(modules, note):
    """Call ``note(name, module, output)`` for each call of the modules."""
    hooks = []
    try:
        for name, module in modules.items():
            hooks.append(
                module.register_forward_hook(
                    lambda module, inputs, output, name=name: note(name, module, output)
                )
            )
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _unwrapped(model):
    """The module itself, of one that is compiled or copied to several devices."""
    if not is_torch_module(model):
        raise ValueError(
            f"model must be a torch.nn.Module, got {type(model).__name__}."
        )
    inner = getattr(model, "_orig_mod", None)
    if inner is None and "Parallel" in type(model).__name__:
        inner = getattr(model, "module", None)
    return model if inner is None else _unwrapped(inner)


def patterns_of(layers):
    """Names and patterns as a list."""
    return [layers] if isinstance(layers, str) else list(layers)


def _choose_modules(model, layers):
    """Submodules by name."""
    modules = {name: m for name, m in model.named_modules() if name}
    if layers is None:
        _refuse_scripted(model)
        return _leaves(modules)
    chosen = {}
    for pattern in patterns_of(layers):
        name = pattern.partition(":")[0]
        matches = [known for known in modules if fnmatchcase(known, name)]
        if not matches and not fnmatchcase("output", pattern):
            raise ValueError(
                f"{type(model).__name__} has no layer {pattern!r}. Its layers are "
                f"{', '.join([*modules, 'output'])}."
            )
        chosen.update({name: modules[name] for name in matches})
    if chosen:
        _refuse_scripted(model)
    return chosen


def _leaves(modules):
    """Modules that compute by themselves, rather than by others inside."""
    leaves = {}
    for name, module in modules.items():
        parents = name.split(".")[:-1]
        if any(".".join(parents[: i + 1]) in leaves for i in range(len(parents))):
            continue
        children = {child for child, _ in module.named_children()}
        # attention uses the weights of its last map without calling it, and a map of
        # which a weight is made of others makes it by modules
        if type(module).__name__ == "MultiheadAttention" or not (
            children - {"parametrizations"}
        ):
            leaves[name] = module
    return leaves


def _refuse_scripted(model):
    import torch

    kind = ""
    if isinstance(model, torch.jit.ScriptModule):
        kind = "scripted or traced"
    elif isinstance(model, torch.fx.GraphModule) and not _calls_modules(model.graph):
        kind = "exported"
    if kind:
        raise NoRepresentation(
            f"{type(model).__name__} is {kind}: no hook of its submodules is called, "
            "so that its layers can't be read. Ask for layers='output', pass the "
            "module that it was made of, or sksim.models.CallableModel(outputs=..., "
            "layers=...) with a function that returns the layers."
        )


def _calls_modules(graph):
    """Whether a graph of torch.fx runs submodules, rather than their operations."""
    targets = {node.target for node in graph.nodes if node.op == "call_module"}
    return bool(targets - {"_guards_fn"})


def _parameters(model):
    """Names that ``forward`` can't do without, and all that it takes (None: any)."""
    try:
        parameters = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):
        return [], None
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [p.name for p in parameters if p.kind in kinds and p.default is p.empty]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return required, None
    return required, [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]


# ----- outputs ------------------------------------------------------------------------


def _key_of_call(calls, name):
    """Name of a call: "relu", "relu:2", ..."""
    calls[name] = calls.get(name, 0) + 1
    return name if calls[name] == 1 else f"{name}:{calls[name]}"


def _answers(output):
    """Tensors that an output may stand for: its logits, or all of them in order."""
    logits = logits_of(output)
    return list(_tensors(output)) if logits is None else [logits]


def _tensors(output):
    """Tensors of a module's output, in order."""
    if hasattr(output, "detach"):
        yield output
    elif isinstance(output, Mapping):
        yield from _tensors(tuple(output.values()))
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _tensors(item)


def _single(tensor):
    """Half precision as single, which loses nothing."""
    import torch

    if tensor.dtype in (torch.float16, torch.bfloat16):
        return tensor.to(torch.float32)
    return tensor


def _copied(name, tensor):
    """A copy that later in-place operations don't reach, in a precision of use."""
    single = _single(tensor)
    return tensor.clone() if single is tensor else single
