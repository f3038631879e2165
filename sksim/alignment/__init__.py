"""Alignment: how close one representation comes to the other under allowed maps."""

from sksim.alignment._procrustes import OrthogonalProcrustes

__all__ = ["OrthogonalProcrustes"]
