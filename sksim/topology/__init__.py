"""Topology of representations: holes, connectivity and intrinsic multi-scale shape."""

from sksim.topology._geometry_score import GeometryScore
from sksim.topology._imd import IMD
from sksim.topology._rtd import RTD
from sksim.topology._rtd_lite import RTDLite

__all__ = ["IMD", "RTD", "GeometryScore", "RTDLite"]
