"""Models that jump from one value to the next: their gradients say nothing."""

import sys

from sklearn.tree import BaseDecisionTree

from sksim._sklearn_compat import (
    BaseGradientBoosting,
    BaseHistGradientBoosting,
    BaseWeightBoosting,
    KNeighborsMixin,
    RadiusNeighborsMixin,
)
from sksim.models._inside import inner_models

_KINDS = (
    BaseDecisionTree,
    BaseGradientBoosting,
    BaseHistGradientBoosting,
    BaseWeightBoosting,
    KNeighborsMixin,
    RadiusNeighborsMixin,
)
# base classes of other libraries, which are not imported to find out
_KINDS_ELSEWHERE = {
    "catboost": "CatBoost",
    "lightgbm": "LGBMModel",
    "ngboost": "NGBoost",
    "xgboost": "XGBModel",
}


def refuse_piecewise_constant(model):
    """Raise if a model, or one inside it, jumps from one value to the next.

    Parameters
    ----------
    model : EstimatorModel
    """
    found = _piecewise_constant_part(model.model)
    if found is not None:
        inside = "" if found is model.model else f" (it has a {type(found).__name__})"
        raise ValueError(
            f"{model} is piecewise constant{inside}: its gradient is zero almost "
            "everywhere and says nothing. Use AdversarialTransferability with a "
            "decision-based attack, attack=callable, or compare the models' labels or "
            "probabilities."
        )


def _piecewise_constant_part(model):
    if _jumps(model):
        return model
    for part in inner_models(model):
        found = _piecewise_constant_part(part)
        if found is not None:
            return found
    return None


def _jumps(model):
    kinds = [
        getattr(sys.modules[library], name, ())
        for library, name in _KINDS_ELSEWHERE.items()
        if library in sys.modules
    ]
    return isinstance(model, (*_KINDS, *kinds))
