"""Measuring the measures, by what they should find."""

from sksim.evaluation._compare_protocols import compare_protocols
from sksim.evaluation._evaluate import evaluate_measures
from sksim.evaluation._grouping import GroupingResult, grouping
from sksim.evaluation._layers import (
    LayerIdentification,
    compare_layer_identifications,
    layer_identification,
)
from sksim.evaluation._null_drift import NullDriftResult, null_drift
from sksim.evaluation._probing import RecoveryResult, model_recovery, probe_grounding
from sksim.evaluation._protocols import (
    GroundingResult,
    LineageResult,
    MonotonicityResult,
    lineage,
    monotonicity,
    prediction_grounding,
    pruning_order,
)
from sksim.evaluation._reliability import ReliabilityResult, reliability
from sksim.evaluation._result import ProtocolResult
from sksim.evaluation._table import MeasureTable

__all__ = [
    "GroundingResult",
    "GroupingResult",
    "LayerIdentification",
    "LineageResult",
    "MeasureTable",
    "MonotonicityResult",
    "NullDriftResult",
    "ProtocolResult",
    "RecoveryResult",
    "ReliabilityResult",
    "compare_layer_identifications",
    "compare_protocols",
    "evaluate_measures",
    "grouping",
    "layer_identification",
    "lineage",
    "model_recovery",
    "monotonicity",
    "null_drift",
    "prediction_grounding",
    "probe_grounding",
    "pruning_order",
    "reliability",
]
