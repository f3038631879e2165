"""Numbers that describe one representation at a time, and their difference."""

from sksim.statistics._concentricity import Concentricity
from sksim.statistics._instance_variance import instance_variance
from sksim.statistics._intrinsic_dimension import IntrinsicDimension
from sksim.statistics._magnitude import Magnitude
from sksim.statistics._neighbor_graph_modularity import NeighborGraphModularity
from sksim.statistics._neuron_graph_modularity import NeuronGraphModularity
from sksim.statistics._tolerance import Tolerance
from sksim.statistics._uniformity import Uniformity

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
