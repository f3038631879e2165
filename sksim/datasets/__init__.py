"""Pairs and stacks whose similarity is known, and arrays from files."""

from sksim._reading import read_array
from sksim._reading._logs import read_predictions
from sksim.datasets._generators import (
    make_aligned_pair,
    make_independent_pair,
    make_layer_stack,
)
from sksim.datasets._model_zoo import ModelZoo, make_model_zoo

__all__ = [
    "ModelZoo",
    "make_aligned_pair",
    "make_independent_pair",
    "make_layer_stack",
    "make_model_zoo",
    "read_array",
    "read_predictions",
]
