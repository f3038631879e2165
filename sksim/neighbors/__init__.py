"""Neighbours and graphs: do the same rows lie close to each other in both views."""

from sksim.neighbors._cknna import CKNNA
from sksim.neighbors._graph import GraphBasedSimilarity
from sksim.neighbors._ordinal import QuadrupletAgreement, TripletAgreement
from sksim.neighbors._overlap import (
    JointRankJaccard,
    MutualKNN,
    NeighborJaccard,
    RankSimilarity,
)
from sksim.neighbors._second_order import SecondOrderCosine

__all__ = [
    "CKNNA",
    "GraphBasedSimilarity",
    "JointRankJaccard",
    "MutualKNN",
    "NeighborJaccard",
    "QuadrupletAgreement",
    "RankSimilarity",
    "SecondOrderCosine",
    "TripletAgreement",
]
