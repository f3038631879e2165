"""Numbers that describe one representation at a time, and their difference."""

from sksim.statistics._dimension import IntrinsicDimension
from sksim.statistics._magnitude import Concentricity, Magnitude, instance_variance
from sksim.statistics._modularity import (
    NeighborGraphModularity,
    NeuronGraphModularity,
)
from sksim.statistics._uniformity import Tolerance, Uniformity

__all__ = [
    "Concentricity",
    "IntrinsicDimension",
    "Magnitude",
    "NeighborGraphModularity",
    "NeuronGraphModularity",
    "Tolerance",
    "Uniformity",
    "instance_variance",
]
