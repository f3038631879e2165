"""What is asked of the distances between many models."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sksim._results import ResultMixin


@dataclass(frozen=True, kw_only=True)
class ShapeRegressionResult(ResultMixin):
    """Result of :meth:`ShapeSpace.regress <sksim.compose.ShapeSpace.regress>`.

    Attributes
    ----------
    slope : float
        How much more two models differ in the property for each unit of distance.
    intercept : float
        How much two models of one shape differ, by the line.
    correlation : float
        Of distances and differences, over all pairs of models.
    r_squared : float
        Its square, the share of the differences' variance that distances explain.
    pvalue : float
        Of the null hypothesis, by orders of the models.
    alternative : {"greater", "two-sided"}
        What the p-value is one-sided for, if it is.
    null : {"all orders of models", "random orders of models"}
        The property has nothing to do with the shapes, so that each model could as well
        have another's: whether all such orders were counted, and the p-value is exact.
    n_models : int
        Number of models.
    """

    slope: float
    intercept: float
    correlation: float
    r_squared: float
    pvalue: float
    alternative: str
    null: str
    n_models: int


@dataclass(frozen=True, kw_only=True)
class ShapeEmbeddingResult(ResultMixin):
    """Result of :meth:`ShapeSpace.embed <sksim.compose.ShapeSpace.embed>`.

    Attributes
    ----------
    coordinates : array of shape (n_models, n_components)
        Places of the models.
    stress : float
        Kruskal's stress-1 of the distances between the places: 0 if they are those of
        the models, above .2 a poor picture.
    """

    coordinates: np.ndarray = field(repr=False)
    stress: float

    def to_frame(self) -> pd.DataFrame:
        """The coordinates as a table.

        Returns
        -------
        frame : DataFrame of shape (n_models, n_components)
            A row for each model, in their order.
        """
        n_components = self.coordinates.shape[1]
        columns = [f"axis_{number}" for number in range(n_components)]
        return pd.DataFrame(self.coordinates, columns=columns)
