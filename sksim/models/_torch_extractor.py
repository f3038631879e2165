"""Layers of torch modules, by forward hooks that are always removed.

torch is imported when an extractor runs a module, never before.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sksim._progress import ProgressBar
from sksim._typing import Array, ArrayLike, Model
from sksim.models._batches import batches_of
from sksim.models._layer_reader import TorchReader
from sksim.models._reduce import Reduction
from sksim.models._torch import is_torch_module


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
    reduce : str, transformer, callable or mapping, default=None
        What becomes of a layer within the pass, before the next layer is computed: see
        :func:`extract_representations`.
    mask : callable, default=None
        From a batch to an array of shape (n_samples, tokens), 1 where a token counts.
        None takes the key ``attention_mask`` of a batch that is a mapping.
    inputs : callable, default=None
        From a batch to what the network is called with: one input, a tuple of inputs,
        or a mapping to keywords. None takes all keys of a mapping but labels, and as
        many items of a tuple as ``forward`` has parameters without a default.

    See Also
    --------
    extract_representations : The same for one call, and for scikit-learn's models.

    Notes
    -----
    A module that is called several times in one pass has a layer for each call:
    ``relu``, ``relu:2``, ``relu:3``; one that goes by several names, that which comes
    first. Of a tuple or mapping of outputs ``logits`` are taken, and without them the
    first tensor that has a row for each input: a loss has none. Compiled modules and
    those that are copied to several devices are read inside.

    Which axis of a layer is that of the inputs is found by a pass of two rows before
    the first batch: the axis whose length follows their number. It is moved to the
    front, where it stands behind time (recurrent layers that take sequences first), and
    parted from windows or tokens that it is multiplied with. Layers that have no such
    axis are left out with a warning; one that was named raises.

    Layers stay on the network's device and keep their shape unless they are reduced,
    but half precision becomes single, which loses nothing.

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
        reduce: str | Callable | Mapping | object | None = None,
        mask: Callable | None = None,
        inputs: Callable | None = None,
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
        self.reduction = Reduction(reduce, mask)
        self.inputs = inputs
        TorchReader(model, layers)  # names that don't exist are refused at once

    def extract(
        self, data: ArrayLike | Iterable, *, verbose: int = 0
    ) -> dict[str, Array]:
        """Run the network and collect its layers.

        Parameters
        ----------
        data : tensor, array-like, mapping, DataLoader or list of batches
            The input: an array whose first axis is the rows, a mapping of such arrays
            to keywords, as tokenizers return, or an iterable of batches (of a tuple or
            list, such as inputs and labels, the items are used that the network needs;
            a mapping becomes keywords, without labels). A list of matrices or of
            mappings is a list of batches.
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
            if it is computed for some batches only; if rows of a layer differ in shape
            from batch to batch; if a list may hold rows as well as batches.

        Warns
        -----
        UserWarning
            If layers are left out because they have no row for each input, with the
            reason; if a mask does not apply to layers that have several places.
        """
        reader = TorchReader(
            self.model, self.layers, reduction=self.reduction, inputs=self.inputs
        )
        batches, total = batches_of(data, self.batch_size)
        return collected(reader, batches, total, verbose=verbose)


def collected(reader, batches, total, *, verbose=0):
    """Layers of all batches.

    Parameters
    ----------
    reader : TorchReader
    batches : iterable
    total : int
        Number of batches, 0 if it is not known.
    verbose : int, default=0

    Returns
    -------
    layers : dict of str to tensor
    """
    parts = []
    with ProgressBar(total or None, "batches", enabled=verbose > 0) as bar:
        for batch in batches:
            parts.append(reader.read(batch))
            refuse_other_layers(parts[0], parts[-1], len(parts), reader.name)
            bar.step()
    if not parts:
        raise ValueError(without_rows(batches))
    reader.refuse_uncalled(set(parts[0]))
    reader.warn()
    return _join(parts)


def without_rows(batches):
    """Message for data that gave no batch."""
    used_up = (
        f": a {type(batches).__name__} gives its batches once, and may have been used "
        "up before. Make it anew, or pass list(data) each time"
        if hasattr(batches, "__next__")
        else ""
    )
    return f"data has no rows{used_up}."


def refuse_other_layers(first, layers, number, name):
    """Raise unless a batch has the layers of the first one.

    Parameters
    ----------
    first, layers : dict
    number : int
        Number of the batch, from 1.
    name : str
        The model's class.
    """
    other = sorted(set(first) ^ set(layers))
    if other:
        raise ValueError(
            f"The layer {other[0]!r} of {name} is computed for some batches only "
            f"(not for batch {number if other[0] in first else 1}): its rows would "
            "not be those of the other layers. Name the layers that are computed for "
            "all, layers=[...]."
        )


def _join(parts):
    import torch

    layers = {}
    for name in list(parts[0]):
        # taken out, so that no more than one layer is there twice
        rows = [part.pop(name) for part in parts]
        shapes = sorted({tuple(part.shape[1:]) for part in rows})
        if len(shapes) > 1:
            raise ValueError(
                f"Rows of the layer {name!r} have other shapes from batch to batch "
                f"({shapes[0]} and {shapes[-1]}), as batches that are padded to their "
                "own length have. Pass reduce='mean', which pools over the tokens that "
                "count (or reduce=sksim.preprocessing.TokenPooling(...)), or pad all "
                "to one length."
            )
        layers[name] = torch.cat(rows)
    return layers
