"""Similarity of similarities: how alike the rows' relations are in both views."""

from sksim.rsm._cka import CKA
from sksim.rsm._dcor import DistanceCorrelation
from sksim.rsm._hsic import HSIC
from sksim.rsm._rsa import RSA

__all__ = ["CKA", "HSIC", "RSA", "DistanceCorrelation"]
