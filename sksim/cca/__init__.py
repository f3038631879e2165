"""Canonical correlations: how well each view's directions are found in the other."""

from sksim.cca._cca import MeanCCA, MeanSquaredCCA
from sksim.cca._pwcca import PWCCA
from sksim.cca._svcca import SVCCA

__all__ = ["PWCCA", "SVCCA", "MeanCCA", "MeanSquaredCCA"]
