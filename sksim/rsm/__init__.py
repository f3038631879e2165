"""Similarity of similarities: how alike the rows' relations are in both views."""

from sksim.rsm._bures import NormalizedBures
from sksim.rsm._cka import CKA
from sksim.rsm._crossnobis import crossnobis_distances
from sksim.rsm._dcor import DistanceCorrelation
from sksim.rsm._decoding import DecodingSimilarity
from sksim.rsm._eigenspace import EigenspaceOverlap
from sksim.rsm._feature_reweighted_rsa import FeatureReweightedRSA
from sksim.rsm._gulp import GULP
from sksim.rsm._hsic import HSIC
from sksim.rsm._minibatch_cka import MinibatchCKA
from sksim.rsm._norm_difference import RSMNormDifference
from sksim.rsm._pointwise import PointwiseKernelAlignment
from sksim.rsm._riemannian import RiemannianDistance
from sksim.rsm._rsa import RSA

__all__ = [
    "CKA",
    "GULP",
    "HSIC",
    "RSA",
    "DecodingSimilarity",
    "DistanceCorrelation",
    "EigenspaceOverlap",
    "FeatureReweightedRSA",
    "MinibatchCKA",
    "NormalizedBures",
    "PointwiseKernelAlignment",
    "RSMNormDifference",
    "RiemannianDistance",
    "crossnobis_distances",
]
