"""Structural similarity: how alike two networks' weights are."""

from sksim.structural._loss_barrier import LossBarrier
from sksim.structural._network_persistence import NetworkPersistence
from sksim.structural._weight_delta import WeightDelta
from sksim.structural._weight_matching import WeightMatching

__all__ = ["LossBarrier", "NetworkPersistence", "WeightDelta", "WeightMatching"]
