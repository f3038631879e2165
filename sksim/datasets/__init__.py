"""Pairs and stacks of representations whose similarity is known."""

from sksim.datasets._generators import (
    make_aligned_pair,
    make_independent_pair,
    make_layer_stack,
)

__all__ = ["make_aligned_pair", "make_independent_pair", "make_layer_stack"]
