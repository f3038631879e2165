"""Measuring the measures, by what they should find."""

from sksim.evaluation._layers import (
    LayerIdentification,
    compare_layer_identifications,
    layer_identification,
)
from sksim.evaluation._reliability import ReliabilityResult, reliability

__all__ = [
    "LayerIdentification",
    "ReliabilityResult",
    "compare_layer_identifications",
    "layer_identification",
    "reliability",
]
