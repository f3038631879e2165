"""Functional similarity: how alike two models behave, measured on their outputs."""

from sksim.functional._hard import Disagreement
from sksim.functional._soft import JensenShannonDivergence

__all__ = ["Disagreement", "JensenShannonDivergence"]
