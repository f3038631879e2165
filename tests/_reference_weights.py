"""Pairs of networks whose weights the originals compared."""

import itertools

import numpy as np
from _reference import reference_arrays, reference_values


def weight_cases(item):
    """(case, first network, second network, values) of one item."""
    for case, values in reference_values("weights")[item].items():
        yield case, *(weights_of(f"{item}/{case}/{side}_") for side in "ab"), values


def weights_of(start):
    """List of (weights, biases) of one network."""
    arrays = reference_arrays("weights")
    n_layers = sum(name.startswith(f"{start}W") for name in arrays)
    return [(arrays[f"{start}W{i}"], arrays[f"{start}b{i}"]) for i in range(n_layers)]


def random_network(*widths, random_state=0, biases=True):
    """List of (weights, biases) of a network with random weights."""
    rng = np.random.default_rng(random_state)
    return [
        (rng.normal(size=(a, b)) / a**0.5, rng.normal(size=b) / 4 if biases else None)
        for a, b in itertools.pairwise(widths)
    ]


def with_units_permuted(network, random_state=1):
    """The same function, its hidden units in another order, and the orders."""
    rng = np.random.default_rng(random_state)
    orders = [rng.permutation(W.shape[1]) for W, _ in network[:-1]]
    last = [slice(None)]
    permuted = [
        (W[before][:, after], None if b is None else b[after])
        for (W, b), before, after in zip(
            network, last + orders, orders + last, strict=True
        )
    ]
    return permuted, orders
