"""Measuring the measures, by what they should find."""

from sksim.evaluation._compare_protocols import compare_protocols
from sksim.evaluation._grouping import GroupingResult, grouping
from sksim.evaluation._layers import (
    LayerIdentification,
    compare_layer_identifications,
    layer_identification,
)
from sksim.evaluation._reliability import ReliabilityResult, reliability
from sksim.evaluation._protocols import (
    GroundingResult,
    LineageResult,
    MonotonicityResult,
    lineage,
    monotonicity,
    prediction_grounding,
    pruning_order,
)
from sksim.evaluation._result import ProtocolResult

__all__ = [
    "GroundingResult",
    "GroupingResult",
    "LayerIdentification",
    "ReliabilityResult",
    "LineageResult",
    "MonotonicityResult",
    "ProtocolResult",
    "compare_layer_identifications",
    "compare_protocols",
    "grouping",
    "layer_identification",
    "reliability",
    "lineage",
    "monotonicity",
    "prediction_grounding",
    "pruning_order",
]
