"""Functional similarity: how alike two models behave, measured on their outputs."""

from sksim.functional._gradients_adversarial import (
    AdversarialTransferability,
    DecisionDistance,
)
from sksim.functional._gradients_saliency import SaliencySimilarity
from sksim.functional._hard import Disagreement
from sksim.functional._soft import JensenShannonDivergence
from sksim.functional._stitching import ModelStitching, stitching_layers
from sksim.utils._gradients import input_gradients

__all__ = [
    "AdversarialTransferability",
    "DecisionDistance",
    "Disagreement",
    "JensenShannonDivergence",
    "ModelStitching",
    "SaliencySimilarity",
    "input_gradients",
    "stitching_layers",
]
