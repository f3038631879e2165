"""What a stitched model is made of beside its head and its tail."""

import copy

import numpy as np
from sklearn.base import TransformerMixin, clone
from sklearn.pipeline import Pipeline

from sksim.models._cutting import Frozen, TorchTail
from sksim.models._networks import with_weights
from sksim.models._wrapped import EstimatorModel, TorchModel


class AffineStitch(TransformerMixin, Frozen):
    """Activations times a matrix, plus an offset.

    Of convolutional maps (4 axes or more) the channels, axis 1, are mapped at each
    position; of sequences (3 axes) the last axis.
    """

    def __init__(self, matrix, offset):
        self.matrix = matrix
        self.offset = offset

    def transform(self, X):
        """Activations of the head in the coordinates of the tail."""
        if getattr(X, "ndim", 2) <= 3:
            return X @ self.matrix + self.offset
        return np.moveaxis(np.moveaxis(X, 1, -1) @ self.matrix + self.offset, -1, 1)


def as_rows(activations):
    """Activations as a matrix: a row for each input and position."""
    if activations.ndim > 3:
        activations = np.moveaxis(activations, 1, -1)
    return activations.reshape(-1, activations.shape[-1])


# ----- a tail that has learnt nothing -------------------------------------------------


def random_tail(tail, activations, y, rng):
    """The same kind of tail without what it has learnt.

    Weights change places within each layer; a tail without weights is fitted to labels
    in random order.
    """
    if isinstance(tail, TorchTail):
        module = copy.deepcopy(tail.module)
        for parameter in module.parameters():
            order = rng.permutation(parameter.numel())
            flat = parameter.data.reshape(-1)
            parameter.data = flat[order.tolist()].reshape(parameter.shape)
        return TorchTail(module, tail.classes)
    if isinstance(tail, Pipeline):
        many = len(tail.steps) > 1
        before = tail[:-1].transform(activations) if many else activations
        name, last = tail.steps[-1]
        steps = [*tail.steps[:-1], (name, random_tail(last, before, y, rng))]
        return Pipeline(steps)
    shuffled = with_weights(tail, lambda W: _shuffled(W, rng))
    if shuffled is not None:
        return shuffled
    return clone(tail).fit(activations, rng.permutation(y))


def _shuffled(weights, rng):
    return rng.permutation(weights.ravel()).reshape(weights.shape)


def as_provider_input(tail):
    """What the gradient provider takes for a tail."""
    if isinstance(tail, TorchTail):
        return TorchModel(tail.module, "The tail")
    return EstimatorModel(tail, "The tail")
