"""Many comparisons at once: many measures on one pair, one measure on many pairs."""

from sksim.pairwise._align_rows import AlignedRows, align_rows
from sksim.pairwise._compare import compare
from sksim.pairwise._curve import AlignmentCurveResult, alignment_curve
from sksim.pairwise._gate import ReleaseGateResult, release_gate
from sksim.pairwise._matrix import similarity_matrix
from sksim.pairwise._model_comparison import ModelComparison
from sksim.pairwise._predictions import (
    PredictionComparisonResult,
    compare_predictions,
)
from sksim.pairwise._stream._result import LayerSimilarityResult
from sksim.pairwise._stream._similarity import (
    LayerwiseSimilarity,
    layer_similarity_matrix,
)
from sksim.pairwise._verdict import Answer

__all__ = [
    "AlignedRows",
    "AlignmentCurveResult",
    "Answer",
    "LayerSimilarityResult",
    "LayerwiseSimilarity",
    "ModelComparison",
    "PredictionComparisonResult",
    "ReleaseGateResult",
    "align_rows",
    "alignment_curve",
    "compare",
    "compare_predictions",
    "layer_similarity_matrix",
    "release_gate",
    "similarity_matrix",
]
