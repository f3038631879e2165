"""Layers of torch modules, by forward hooks that are always removed.

torch is imported when an extractor runs a module, never before.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

import numpy as np

from sksim._progress import ProgressBar
from sksim._sklearn_compat import num_samples
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
    ``relu``, ``relu:2``, ``relu:3``. Of a tuple or mapping of outputs the first tensor
    is taken. Layers stay on the network's device and keep their shape (how maps and
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

    def __init__(self, model, layers=None, *, batch_size=256):
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

    def extract(self, data, *, verbose=0):
        """Run the network and collect its layers.

        Parameters
        ----------
        data : tensor, array-like or DataLoader
            The input: an array whose first axis is the rows, or an iterable of batches
            (of a tuple or list, such as inputs and labels, the first item is used; a
            mapping becomes keywords).
        verbose : int, default=0
            Whether to show progress on standard error.

        Returns
        -------
        representations : dict of str to tensor
            Layers in the order in which the network computes them.
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
        return _join(parts)

    def _run(self, batch, recorder):
        """Layers of one batch."""
        inputs, keywords = self._place(batch)
        recorder.start(_length(inputs, keywords))
        output = self.model(*inputs, **keywords)
        found = recorder.finish()
        whole = _first_tensor(output)
        if self._wants_output and whole is not None:
            if self.layers is None and recorder.last is not None:
                name, tensor = recorder.last
                if tensor is whole:
                    # the last submodule's output goes by one name only
                    del found[name]
            found.setdefault("output", _kept(whole))
        if not found:
            raise ValueError(
                "None of the layers that were asked for was called in the forward pass."
            )
        return found

    def _batches(self, data):
        """Iterable of batches, and their number (0 if unknown)."""
        is_array = hasattr(data, "shape") or isinstance(data, list | tuple)
        if not is_array:
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

    def _place(self, batch):
        """Positional and keyword inputs, where the network is."""
        if isinstance(batch, Mapping):
            return (), {name: self._as_tensor(value) for name, value in batch.items()}
        if isinstance(batch, list | tuple):
            batch = batch[0]
        return (self._as_tensor(batch),), {}

    def _as_tensor(self, values):
        import torch

        parameter = next(self.model.parameters(), None)
        tensor = torch.as_tensor(values)
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
            tensor = _first_tensor(output)
            if tensor is None or tensor.ndim == 0 or len(tensor) != self.n_rows:
                if self.strict:
                    shape = None if tensor is None else tuple(tensor.shape)
                    raise ValueError(
                        f"The layer {key!r} has no row for each of the {self.n_rows} "
                        f"inputs: its output has the shape {shape}."
                    )
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


def _first_tensor(output):
    """The tensor that an output is, or begins with."""
    if hasattr(output, "detach"):
        return output
    if isinstance(output, Mapping):
        output = tuple(output.values())
    if isinstance(output, list | tuple):
        for item in output:
            tensor = _first_tensor(item)
            if tensor is not None:
                return tensor
    return None


def _length(inputs, keywords):
    return len(inputs[0] if inputs else next(iter(keywords.values())))


def _join(parts):
    import torch

    names = [name for name in parts[0] if all(name in part for part in parts)]
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
