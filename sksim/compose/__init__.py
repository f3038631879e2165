"""Measures made of measures, and many models as points of one space."""

from sksim.compose._cross_repetition import CrossRepetition
from sksim.compose._deconfounded import DeconfoundedSimilarity
from sksim.compose._shape_results import (
    ShapeEmbeddingResult,
    ShapeRegressionResult,
)
from sksim.compose._shape_space import ShapeSpace
from sksim.compose._stochastic_shape import StochasticShapeMetric
from sksim.compose._transformed import TransformedViews

__all__ = [
    "CrossRepetition",
    "DeconfoundedSimilarity",
    "ShapeEmbeddingResult",
    "ShapeRegressionResult",
    "ShapeSpace",
    "StochasticShapeMetric",
    "TransformedViews",
]
