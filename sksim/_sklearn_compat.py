"""The only importer of scikit-learn's private names, beside ``arrays._namespace``."""

from sklearn.base import _fit_context as fit_context
from sklearn.ensemble._forest import ForestClassifier, ForestRegressor
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import (
    BaseHistGradientBoosting,
)
from sklearn.ensemble._weight_boosting import BaseWeightBoosting
from sklearn.neighbors._base import KNeighborsMixin, RadiusNeighborsMixin
from sklearn.utils._metadata_requests import _routing_enabled as is_routing_enabled
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_params,
)
from sklearn.utils._response import _get_response_values as get_response_values
from sklearn.utils._tags import Tags
from sklearn.utils.parallel import (
    _get_threadpool_controller as get_threadpool_controller,
)
from sklearn.utils.validation import _get_feature_names as get_feature_names
from sklearn.utils.validation import _num_samples as num_samples

__all__ = [
    "BaseGradientBoosting",
    "BaseHistGradientBoosting",
    "BaseWeightBoosting",
    "ForestClassifier",
    "ForestRegressor",
    "HasMethods",
    "Interval",
    "KNeighborsMixin",
    "Options",
    "RadiusNeighborsMixin",
    "StrOptions",
    "Tags",
    "fit_context",
    "get_feature_names",
    "get_response_values",
    "get_threadpool_controller",
    "is_routing_enabled",
    "num_samples",
    "response_methods",
    "validate_params",
]


def response_methods(scorer):
    """Methods that a scorer calls, in its order of preference."""
    methods = getattr(scorer, "_response_method", "predict")
    return (methods,) if isinstance(methods, str) else tuple(methods)
