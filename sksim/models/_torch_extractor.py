"""Layers of torch modules, by forward hooks that are always removed.

torch is imported when an extractor runs a module, never before.
"""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np

from sksim._progress import ProgressBar
from sksim._sklearn_compat import num_samples
from sksim._typing import Array, ArrayLike, Model
from sksim.arrays._slices import slices, take_slice
from sksim.models._torch import evaluating, is_torch_module


class TorchExtractor:
    """Representations that a torch module makes of its input, layer by layer.

    The module is used in evaluation mode and without gradients, and is left as it was
    found, also after an error: no hook stays, and every submodule is in the mode it was
    in.

    Parameters
    ----------
    model : torch.nn.Module
        The network.
    layers : str or list of str, default=None
        Names of submodules, as ``model.named_modules()`` gives them, or patterns such
        as ``"encoder.*.mlp"``; "output" is what the whole module returns. None takes
        all submodules without children, and the output.
    batch_size : int, default=256
        Rows that pass through the network at once; a DataLoader has batches of its own.

    See Also
    --------
    extract_representations : The same for one call, and for scikit-learn's models.

    Notes
    -----
    A module that is called several times in one pass has a layer for each call:
    ``relu``, ``relu:2``, ``relu:3``. Of a tuple or mapping of outputs ``logits`` are
    taken, and without them the first tensor that has a row for each input: a loss has
    none. Layers stay on the network's device and keep their shape (how maps and
    tokens become rows is for :mod:`sksim.preprocessing`), but half precision becomes
    single, which loses nothing.

    Examples
    --------
    >>> import torch
    >>> from sksim.models import TorchExtractor
    >>> network = torch.nn.Sequential(
    ...     torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)
    ... )
    >>> layers = TorchExtractor(network).extract(torch.zeros(10, 4))
    >>> {name: tuple(layer.shape) for name, layer in layers.items()}
    {'0': (10, 8), '1': (10, 8), 'output': (10, 2)}
    """

    def __init__(
        self,
        model: Model,
        layers: str | Sequence[str] | None = None,
        *,
        batch_size: int | None = 256,
    ):
        if not is_torch_module(model):
            raise ValueError(
                f"model must be a torch.nn.Module, got {type(model).__name__}."
            )
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}.")
        self.model = model
        self.layers = layers
        self.batch_size = batch_size
        self._modules = _choose_modules(model, layers)
        self._wants_output = layers is None or any(
            fnmatchcase("output", pattern) for pattern in _patterns(layers)
        )

    def extract(
        self, data: ArrayLike | Iterable, *, verbose: int = 0
    ) -> dict[str, Array]:
        """Run the network and collect its layers.

        Parameters
        ----------
        data : tensor, array-like, mapping, DataLoader or list of batches
            The input: an array whose first axis is the rows, a mapping of such arrays
            to keywords, as tokenizers return, or an iterable of batches (of a tuple or
            list, such as inputs and labels, the first item is used; a mapping becomes
            keywords). A list of matrices or of mappings is a list of batches.
        verbose : int, default=0
            Whether to show progress on standard error.

        Returns
        -------
        representations : dict of str to tensor
            Layers in the order in which the network computes them.

        Raises
        ------
        ValueError
            If a layer that is asked for is not called, or has no row for each input;
            if rows of a layer differ in shape from batch to batch; if a list may hold
            rows as well as batches.
        """
        import torch

        batches, total = self._batches(data)
        recorder = _Recorder(self.layers is not None)
        hooks = []
        parts = []
        try:
            for name, module in self._modules.items():
                hooks.append(module.register_forward_hook(recorder.hook(name)))
            with (
                evaluating(self.model),
                torch.no_grad(),
                ProgressBar(total, "batches", enabled=verbose > 0) as bar,
            ):
                for batch in batches:
                    parts.append(self._run(batch, recorder))
                    bar.step()
        finally:
            for hook in hooks:
                hook.remove()
        if not parts:
            raise ValueError("data has no rows.")
        self._refuse_uncalled(parts)
        return _join(parts)

    def _refuse_uncalled(self, parts):
        """Raise where a layer was asked for that the network does not come by."""
        called = {name.partition(":")[0] for part in parts for name in part}
        for pattern in () if self.layers is None else _patterns(self.layers):
            if not any(fnmatchcase(name, pattern) for name in called):
                raise ValueError(
                    f"The layer {pattern!r} of {type(self.model).__name__} was not "
                    "called in the forward pass. Those that were are listed by "
                    "extract_representations(model, data) without layers."
                )

    def _run(self, batch, recorder):
        """Layers of one batch."""
        inputs, keywords = self._place(batch)
        recorder.start(_length(inputs, keywords))
        output = self.model(*inputs, **keywords)
        found = recorder.finish()
        whole = _answer(output, recorder.n_rows)
        if self._wants_output and not _has_rows(whole, recorder.n_rows):
            if self.layers is not None or not found:
                raise ValueError(_without_rows("output", whole, recorder.n_rows))
        elif self._wants_output:
            if self.layers is None and recorder.last is not None:
                name, tensor = recorder.last
                if tensor is whole:
                    # the last submodule's output goes by one name only
                    del found[name]
            found.setdefault("output", _kept(whole))
        return found

    def _batches(self, data):
        """Iterable of batches, and their number (0 if unknown)."""
        if isinstance(data, Mapping):
            return self._parts_of_mapping(data)
        is_array = hasattr(data, "shape") or isinstance(data, list | tuple)
        if not is_array or _is_list_of_batches(data):
            if not hasattr(data, "__iter__"):
                raise ValueError(
                    "data must be a tensor, an array or a DataLoader, got "
                    f"{type(data).__name__}."
                )
            return data, len(data) if hasattr(data, "__len__") else 0
        if not hasattr(data, "shape") or hasattr(data, "iloc"):
            data = np.asarray(data)
        n_rows = num_samples(data)
        batches = slices(n_rows, self.batch_size or max(n_rows, 1))
        return (take_slice(data, rows) for rows in batches), len(batches)

    def _parts_of_mapping(self, data):
        """Batches of arrays that go by names, and their number."""
        lengths = {k: num_samples(v) for k, v in data.items() if np.ndim(v) > 0}
        if len(set(lengths.values())) != 1:
            raise ValueError(
                "data is a mapping, which must hold arrays with one row for each "
                f"input; their lengths are {lengths}."
            )
        n_rows = next(iter(lengths.values()))
        batches = slices(n_rows, self.batch_size or max(n_rows, 1))
        parts = (
            {k: take_slice(v, rows) if k in lengths else v for k, v in data.items()}
            for rows in batches
        )
        return parts, len(batches)

    def _place(self, batch):
        """Positional and keyword inputs, where the network is."""
        if isinstance(batch, Mapping):
            return (), {
                name: value if value is None else self._as_tensor(value)
                for name, value in batch.items()
            }
        if isinstance(batch, list | tuple):
            batch = batch[0]
        return (self._as_tensor(batch),), {}

    def _as_tensor(self, values):
        import torch

        parameter = next(self.model.parameters(), None)
        try:
            tensor = torch.as_tensor(values)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"data can't be read as numbers ({error}). Pass what a tokenizer or "
                "encoder makes of text and objects, as tensors."
            ) from error
        if parameter is None:
            return tensor
        if tensor.is_floating_point() and parameter.is_floating_point():
            return tensor.to(device=parameter.device, dtype=parameter.dtype)
        return tensor.to(device=parameter.device)


class _Recorder:
    """Keeps what the chosen modules return during one forward pass."""

    def __init__(self, strict):
        self.strict = strict
        self.last = None

    def start(self, n_rows):
        self.n_rows, self.found, self.calls, self.last = n_rows, {}, {}, None

    def finish(self):
        return self.found

    def hook(self, name):
        def keep(module, inputs, output):
            self.calls[name] = self.calls.get(name, 0) + 1
            call = self.calls[name]
            key = name if call == 1 else f"{name}:{call}"
            tensor = _answer(output, self.n_rows)
            if not _has_rows(tensor, self.n_rows):
                if self.strict:
                    raise ValueError(_without_rows(key, tensor, self.n_rows))
                return
            self.found[key] = _kept(tensor)
            self.last = key, tensor

        return keep


def _kept(tensor):
    """A copy that later in-place operations don't reach, in a precision of use."""
    import torch

    tensor = tensor.detach()
    if tensor.dtype in (torch.float16, torch.bfloat16):
        return tensor.to(torch.float32)
    return tensor.clone()


def _answer(output, n_rows):
    """The tensor that an output stands for: its logits, or the first with rows."""
    if isinstance(output, Mapping) and hasattr(output.get("logits"), "detach"):
        return output["logits"]
    tensors = list(_tensors(output))
    with_rows = (tensor for tensor in tensors if _has_rows(tensor, n_rows))
    return next(with_rows, tensors[0] if tensors else None)


def _tensors(output):
    if hasattr(output, "detach"):
        yield output
    elif isinstance(output, Mapping):
        yield from _tensors(tuple(output.values()))
    elif isinstance(output, list | tuple):
        for item in output:
            yield from _tensors(item)


def _has_rows(tensor, n_rows):
    return tensor is not None and tensor.ndim > 0 and len(tensor) == n_rows


def _without_rows(name, tensor, n_rows):
    shape = None if tensor is None else tuple(tensor.shape)
    return (
        f"The layer {name!r} has no row for each of the {n_rows} inputs: its output "
        f"has the shape {shape}."
    )


def _length(inputs, keywords):
    values = inputs or [v for v in keywords.values() if v is not None]
    return len(values[0])


def _is_list_of_batches(data):
    """Whether a list holds batches, not rows; ValueError where it may be either."""
    if not isinstance(data, list | tuple) or not data:
        return False
    if all(isinstance(item, Mapping) or _is_tuple_of_arrays(item) for item in data):
        return True
    axes = {getattr(item, "ndim", 0) for item in data}
    if max(axes) > 1 and (isinstance(data, tuple) or len(axes) > 1):
        raise ValueError(
            f"data is a {type(data).__name__} of arrays, which may be inputs and "
            "labels, several inputs or batches: pass data[0] if the first is the "
            "input, [data] if all are of one batch, list(data) if each is a batch."
        )
    if axes == {2}:
        return True
    if min(axes) > 2:
        raise ValueError(
            f"data is a list of {len(data)} arrays with more than two axes: each may "
            "be one input or a batch of them. Pass torch.stack(data) if each is one "
            "input, torch.cat(data) if each is a batch."
        )
    return False


def _is_tuple_of_arrays(item):
    """Whether this is a batch, such as inputs and labels of as many rows."""
    if not isinstance(item, list | tuple):
        return False
    if getattr(next(iter(item), None), "ndim", 0) < 2:
        return False
    return len({len(part) if getattr(part, "ndim", 0) else None for part in item}) == 1


def _join(parts):
    import torch

    names = [name for name in parts[0] if all(name in part for part in parts)]
    for name in names:
        shapes = sorted({tuple(part[name].shape[1:]) for part in parts})
        if len(shapes) > 1:
            raise ValueError(
                f"Rows of the layer {name!r} have other shapes from batch to batch "
                f"({shapes[0]} and {shapes[-1]}), as batches that are padded to their "
                "own length have. Pad all to one length, or extract batch by batch, "
                "pool over tokens with sksim.preprocessing.TokenPooling, and join the "
                "rows."
            )
    return {name: torch.cat([part[name] for part in parts]) for name in names}


def _patterns(layers):
    return [layers] if isinstance(layers, str) else list(layers)


def _choose_modules(model, layers):
    """Submodules by name."""
    modules = {name: m for name, m in model.named_modules() if name}
    if layers is None:
        return {n: m for n, m in modules.items() if next(m.children(), None) is None}
    chosen = {}
    for pattern in _patterns(layers):
        matches = [name for name in modules if fnmatchcase(name, pattern)]
        if not matches and not fnmatchcase("output", pattern):
            raise ValueError(
                f"{type(model).__name__} has no layer {pattern!r}. Its layers are "
                f"{', '.join([*modules, 'output'])}."
            )
        chosen.update({name: modules[name] for name in matches})
    return chosen
