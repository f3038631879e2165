"""Weights of feed-forward networks, whatever library they come from."""

import numpy as np
from sklearn.exceptions import NotFittedError


def network_layers(network, name):
    """Weights and biases of each layer, as float64 arrays on the CPU.

    Parameters
    ----------
    network : MLPClassifier, MLPRegressor, torch module or list of (weights, biases)
        ``weights`` has shape (n_inputs, n_outputs); ``biases`` may be None.
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
    if hasattr(network, "named_modules"):
        layers = _torch_layers(network, name)
    elif hasattr(network, "named_steps"):
        raise ValueError(
            f"{name} is a Pipeline: pass the network inside it, such as pipeline[-1]."
        )
    elif hasattr(network, "get_params"):
        layers = _sklearn_layers(network, name)
    else:
        layers = _listed_layers(network, name)
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


def _sklearn_layers(network, name):
    if hasattr(network, "coefs_") and hasattr(network, "intercepts_"):
        return list(zip(network.coefs_, network.intercepts_, strict=True))
    kind = type(network).__name__
    if kind in ("MLPClassifier", "MLPRegressor"):
        raise NotFittedError(f"{name} is an unfitted {kind}: call its fit first.")
    raise ValueError(
        f"{name} is a {kind}, which is no network of linear layers. Pass an "
        "MLPClassifier, an MLPRegressor, a torch module of linear layers, or a list of "
        "(weights, biases)."
    )


def _torch_layers(network, name):
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
        weight, bias = (_torch_to_numpy(module.weight), module.bias)
        layers.append((weight.T, None if bias is None else _torch_to_numpy(bias)))
    return layers


def _torch_to_numpy(tensor):
    return tensor.detach().cpu().double().numpy()


def _listed_layers(network, name):
    try:
        return [(weights, biases) for weights, biases in network]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be an MLPClassifier, an MLPRegressor, a torch module of "
            "linear layers, or a list of (weights, biases), one pair for each layer "
            f"({error})."
        ) from error


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
