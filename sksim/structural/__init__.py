"""Structural similarity: how alike two networks' weights are, without any data."""

from sksim.structural._network_persistence import NetworkPersistence

__all__ = ["NetworkPersistence"]
