"""Measures made of measures: transformed views, and a confounder taken out."""

from sksim.compose._deconfounded import DeconfoundedSimilarity
from sksim.compose._transformed import TransformedViews

__all__ = ["DeconfoundedSimilarity", "TransformedViews"]
