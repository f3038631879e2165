"""Two models' predictions on the same rows: joined, counted, and put in words."""

from sksim.pairwise._predictions._compare import compare_predictions
from sksim.pairwise._predictions._result import PredictionComparisonResult

__all__ = ["PredictionComparisonResult", "compare_predictions"]
