"""Structural similarity: how alike two networks' weights are."""

from sksim.structural._network_persistence import NetworkPersistence
from sksim.structural._weight_matching import WeightMatching

__all__ = ["NetworkPersistence", "WeightMatching"]
