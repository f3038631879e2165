"""Measuring the measures, by what they should find."""

from sksim.evaluation._layers import (
    LayerIdentification,
    compare_layer_identifications,
    layer_identification,
)

__all__ = [
    "LayerIdentification",
    "compare_layer_identifications",
    "layer_identification",
]
