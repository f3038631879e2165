"""Pictures of results, in the manner of scikit-learn's displays."""

from sksim.plot._contributions import ContributionsDisplay
from sksim.plot._curve import AlignmentCurveDisplay
from sksim.plot._group import GroupSimilarityDisplay
from sksim.plot._loss_barrier import LossBarrierDisplay
from sksim.plot._map import ModelMapDisplay
from sksim.plot._matrix import SimilarityMatrixDisplay
from sksim.plot._null import PermutationNullDisplay
from sksim.plot._ranks import MeasureRanksDisplay
from sksim.plot._replicates import ReplicatesDisplay
from sksim.plot._representation import RepresentationDisplay
from sksim.plot._weight_delta import WeightDeltaDisplay

__all__ = [
    "AlignmentCurveDisplay",
    "ContributionsDisplay",
    "GroupSimilarityDisplay",
    "LossBarrierDisplay",
    "MeasureRanksDisplay",
    "ModelMapDisplay",
    "PermutationNullDisplay",
    "ReplicatesDisplay",
    "RepresentationDisplay",
    "SimilarityMatrixDisplay",
    "WeightDeltaDisplay",
]
