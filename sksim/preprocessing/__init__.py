"""Transformers that bring representations into shape before they are compared.

Each is an ordinary scikit-learn transformer of one representation; to apply one to both
sides of a comparison use :class:`sksim.compose.TransformedViews`.
"""

from sksim.preprocessing._norms import Centering, UnitFrobeniusNorm, UnitRows
from sksim.preprocessing._reshape import Flatten, SpatialPooling, TokenPooling
from sksim.preprocessing._width import WidthMatching

__all__ = [
    "Centering",
    "Flatten",
    "SpatialPooling",
    "TokenPooling",
    "UnitFrobeniusNorm",
    "UnitRows",
    "WidthMatching",
]
