"""Pairs and stacks whose similarity is known, and arrays from files."""

from sksim._reading import read_array
from sksim._reading._logs import read_predictions
from sksim.datasets._generators import (
    make_aligned_pair,
    make_independent_pair,
    make_layer_stack,
)

__all__ = [
    "make_aligned_pair",
    "make_independent_pair",
    "make_layer_stack",
    "read_array",
    "read_predictions",
]
