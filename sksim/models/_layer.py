"""What layers of models are, before they are computed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse

# What a layer is to its model: made by the steps before it, its own, or its answer.
BEFORE, OWN, ANSWER = "before", "own", "answer"


@dataclass(frozen=True)
class Layer:
    """A layer of a model: how to compute it, and whether only if asked for."""

    compute: Callable
    on_request: bool = False
    role: str = OWN


class NoRepresentation(ValueError):
    """A model makes nothing of rows that measures of representations could take."""


def dense(output):
    """An output as an array, whatever container it came in."""
    if sparse.issparse(output):
        return output.toarray()
    return np.asarray(output)


def columns(output):
    """Outputs as a matrix: one output is one column, several targets side by side."""
    if isinstance(output, list):
        return np.hstack([columns(target) for target in output])
    output = dense(output)
    return output[:, None] if output.ndim == 1 else output


def as_vector(output):
    """Predictions of a single target as a vector, whatever their shape was."""
    if (
        not hasattr(output, "ndim")
        or hasattr(output, "iloc")
        or sparse.issparse(output)
    ):
        output = dense(output)
    return output[:, 0] if output.ndim == 2 and output.shape[1] == 1 else output
