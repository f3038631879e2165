"""Alignment: how close one representation comes to the other under allowed maps."""

from sksim.alignment._contrasim import ContraSim
from sksim.alignment._correlation_match import CorrelationMatch
from sksim.alignment._cosine import AlignedCosine
from sksim.alignment._maximum_match import MaximumMatching
from sksim.alignment._partial_matching import PartialSoftMatching
from sksim.alignment._permutation import PermutationProcrustes, SoftMatching
from sksim.alignment._procrustes import OrthogonalProcrustes
from sksim.alignment._regression import LinearRegressionSimilarity
from sksim.alignment._shape import AngularShapeMetric, PartialWhiteningShapeMetric

__all__ = [
    "AlignedCosine",
    "AngularShapeMetric",
    "ContraSim",
    "CorrelationMatch",
    "LinearRegressionSimilarity",
    "MaximumMatching",
    "OrthogonalProcrustes",
    "PartialSoftMatching",
    "PartialWhiteningShapeMetric",
    "PermutationProcrustes",
    "SoftMatching",
]
