"""Torch modules as models. torch is never imported before a module is given."""

import sys
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from itertools import chain

import numpy as np

from sksim.arrays._slices import slices

# rows that pass through a module at once
_BATCH = 1024


def is_torch_module(model):
    """Whether a model is a torch.nn.Module: then torch has been imported already.

    Models of Keras are not, although they inherit from it with torch behind them.
    """
    torch, keras = sys.modules.get("torch"), sys.modules.get("keras")
    if keras is not None and isinstance(model, keras.Model):
        return False
    return torch is not None and isinstance(model, torch.nn.Module)


def to_numpy(tensor):
    """Tensor as a float64 array on the CPU; no element is rounded."""
    return tensor.detach().cpu().double().numpy()


def sequential_parts(module):
    """Parts of a module by dotted name, those of a Sequential one by one."""
    from torch.nn import Sequential

    parts = {}
    for name, child in module.named_children():
        if isinstance(child, Sequential):
            inner = sequential_parts(child).items()
            parts.update({f"{name}.{key}": part for key, part in inner})
        else:
            parts[name] = child
    return parts


@contextmanager
def evaluating(module):
    """Module in evaluation mode; each part is left in the mode it was in."""
    modes = [(part, part.training) for part in module.modules()]
    with suppress(NotImplementedError):  # exported modules have one mode for ever
        module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def as_input(X, module):
    """Rows as a tensor of the module's precision, on its device."""
    import torch

    home = {"dtype": torch.float64, "device": "cpu"} | home_of(module)
    return torch.as_tensor(np.asarray(X)).to(**home)


def home_of(module, *, is_floating=True):
    """Device of a module, and the precision of its numbers that are not whole.

    Parameters
    ----------
    module : torch.nn.Module
    is_floating : bool, default=True
        Whether what goes there has a precision.

    Returns
    -------
    home : dict of str to object
        "device" and "dtype", as far as the module holds anything that says so.
    """
    held = chain(module.parameters(), module.buffers())
    first = next(held, None)
    if first is None:
        return {}
    floating = (t.dtype for t in chain([first], held) if t.is_floating_point())
    dtype = next(floating, None) if is_floating else None
    return {"device": first.device} | ({} if dtype is None else {"dtype": dtype})


def logits_of(output):
    """Tensor that an output declares to be logits, by key or attribute, or None."""
    is_mapping = isinstance(output, Mapping)
    logits = output.get("logits") if is_mapping else getattr(output, "logits", None)
    return logits if hasattr(logits, "detach") else None


def tensors_like(module, arrays):
    """Arrays by name as tensors where a module is; those of text stay as they are."""
    import torch

    held = next(module.parameters(), None)
    device = "cpu" if held is None else held.device
    return {
        name: torch.as_tensor(array, device=device)
        if array.dtype.kind in "biuf"
        else array
        for name, array in arrays.items()
    }


def apply_module(module, X):
    """Outputs of a module in evaluation mode, as an array.

    Parameters
    ----------
    module : torch.nn.Module
    X : array of shape (n_samples, ...)

    Returns
    -------
    outputs : array of shape (n_samples, ...)
    """
    import torch

    reader, X = _reader_of_output(module), as_input(X, module)
    with torch.no_grad():
        parts = [to_numpy(_answer(reader, batch)) for batch in X.split(_BATCH)]
    return np.concatenate(parts)


def _reader_of_output(module):
    # which needs sksim.base, where measures need this file
    from sksim.models._layer_reader import TorchReader

    return TorchReader(module, "output")


def _answer(reader, batch):
    with of_one_array(reader.name):
        return reader.answer(batch)


@contextmanager
def of_one_array(name):
    """Say what is wrong with a network that can't be run on rows in one array."""
    try:
        yield
    except (RuntimeError, TypeError, IndexError) as error:
        raise ValueError(
            f"{name} can't be run on rows in one array of floating-point numbers, "
            f"which this measure passes: {error}"
        ) from error


def module_gradients(module, X, value_of):
    """Values of each row, and their gradients with respect to the row, by autograd.

    Parameters
    ----------
    module : torch.nn.Module
        Its parameters' own gradients are left alone.
    X : array of shape (n_samples, ...)
    value_of : callable
        From outputs (a tensor) and the slice of rows they belong to, to one value for
        each row.

    Returns
    -------
    values : array of shape (n_samples,)
    gradients : array, shaped like X
    """
    import torch

    reader, X = _reader_of_output(module), as_input(X, module)
    values, gradients = [], []
    with torch.inference_mode(False), torch.enable_grad():
        for rows in slices(len(X), _BATCH):
            batch = X[rows].clone().requires_grad_()
            value = value_of(_answer(reader, batch), rows)
            values.append(to_numpy(value))
            gradient = None
            if value.requires_grad:
                (gradient,) = torch.autograd.grad(value.sum(), batch, allow_unused=True)
            if gradient is None:
                raise ValueError(
                    f"The output of {type(module).__name__} does not depend on its "
                    "input in a way that torch can differentiate."
                )
            gradients.append(to_numpy(gradient))
    return np.concatenate(values), np.concatenate(gradients)
