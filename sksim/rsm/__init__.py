"""Similarity of similarities: how alike the rows' relations are in both views."""

from sksim.rsm._cka import CKA

__all__ = ["CKA"]
