"""Neighbours and graphs: do the same rows lie close to each other in both views."""

from sksim.neighbors._cknna import CKNNA
from sksim.neighbors._cycle import CycleKNN
from sksim.neighbors._graph import GraphBasedSimilarity
from sksim.neighbors._manifold import ManifoldKernelAlignment
from sksim.neighbors._ordinal import QuadrupletAgreement, TripletAgreement
from sksim.neighbors._overlap import (
    JointRankJaccard,
    MutualKNN,
    NeighborJaccard,
    RankSimilarity,
)
from sksim.neighbors._second_order import SecondOrderCosine
from sksim.neighbors._sequence import SharedNeighborSequence

__all__ = [
    "CKNNA",
    "CycleKNN",
    "GraphBasedSimilarity",
    "JointRankJaccard",
    "ManifoldKernelAlignment",
    "MutualKNN",
    "NeighborJaccard",
    "QuadrupletAgreement",
    "RankSimilarity",
    "SecondOrderCosine",
    "SharedNeighborSequence",
    "TripletAgreement",
]
