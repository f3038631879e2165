"""What protocols return: metrics with their errors, and values without each model."""

from dataclasses import dataclass

import pandas as pd

from sksim._results import ResultMixin


@dataclass(frozen=True)
class ProtocolResult(ResultMixin):
    """How well a measure does in one protocol, with errors over models.

    Parameters
    ----------
    metrics : DataFrame
        One row for each metric, the main one first: ``value``, its ``standard_error``
        by the jackknife over models, limits ``low`` and ``high`` of 95 %, ``chance``
        and ``n_models``. Where leaving out any model changes nothing the error is 0,
        which says little; the limits of a share are then exact ones of k of k models.
    leave_one_outs : DataFrame of shape (n_models, n_metrics)
        The metrics without each model.
    strata : Series
        The group of each model, within which models are left out.
    pvalue : float
        Of the main metric, over permutations of models; nan where none was asked for.

    See Also
    --------
    compare_protocols : Tests which of several measures is better.

    Examples
    --------
    >>> from sksim.evaluation import lineage
    >>> result = lineage([[3, 1, 2], [2, 2, 1], [1, 3, 2]], parents=[0, 1, 2])
    >>> result.value, round(result.chance, 3)
    (0.5, 0.333)
    """

    metrics: pd.DataFrame
    leave_one_outs: pd.DataFrame
    strata: pd.Series
    pvalue: float = float("nan")

    def _value_of(self, metric):
        return float(self.metrics.loc[metric, "value"])

    @property
    def value(self) -> float:
        """Value of the main metric."""
        return float(self.metrics["value"].iloc[0])

    @property
    def standard_error(self) -> float:
        """Standard error of the main metric."""
        return float(self.metrics["standard_error"].iloc[0])

    @property
    def leave_one_out(self) -> pd.Series:
        """Value of the main metric without each model."""
        return self.leave_one_outs.iloc[:, 0]

    @property
    def chance(self) -> float:
        """What the main metric is by chance."""
        return float(self.metrics["chance"].iloc[0])

    def to_frame(self) -> pd.DataFrame:
        """One row for each metric.

        Returns
        -------
        frame : DataFrame
            The field ``metrics``.
        """
        return self.metrics
