"""Names of types that many signatures share."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

# A measure, its class, or its name.
Measure: TypeAlias = BaseEstimator | type[BaseEstimator] | str
# A fitted estimator, or a torch module: nothing that both inherit from.
Model: TypeAlias = Any
# An array of numpy, torch or another library of the array API.
Array: TypeAlias = Any
# Representations by name or in order; for measures of models, models.
Layers: TypeAlias = Mapping[Hashable, ArrayLike | Model] | Sequence[ArrayLike | Model]
# What is known of the rows, by name.
Metadata: TypeAlias = Mapping[str, ArrayLike]
RandomState: TypeAlias = int | np.random.RandomState

if TYPE_CHECKING:
    from matplotlib.axes import Axes
else:  # of an extra, which no type is to import
    Axes = Any

__all__ = [
    "Array",
    "ArrayLike",
    "Axes",
    "Layers",
    "Measure",
    "Metadata",
    "Model",
    "RandomState",
]
