"""How sure a value is that was computed of models: models are left out, never pairs."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from sksim.inference._proportions import limits_of_share

# Limits of a value hold 95 % of it.
_TAIL = 0.025
# Means of other numbers of models differ by rounding: by 1e-16 where all are 1 / 14.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Metric:
    """What is known of a metric before it is computed.

    Attributes
    ----------
    chance : float
        Its value where a measure knows nothing.
    lowest, highest : float
        Its range.
    is_share : bool
        Whether it is a share, of which k of k has exact limits.
    """

    chance: float
    lowest: float = 0.0
    highest: float = 1.0
    is_share: bool = True


SHARE = Metric(0.5)
CORRELATION = Metric(0.0, -1.0, 1.0, is_share=False)


def jackknifed(statistics, names, strata, about, *, resampled_train=None):
    """Metrics of all models, and without each of them.

    Parameters
    ----------
    statistics : callable
        Takes the numbers of some models and returns a dict of float.
    names : sequence
        Names of all models.
    strata : sequence or None
        Group of each model; None for one group.
    about : dict of str to Metric
        What is known of each metric.
    resampled_train : float, default=None
        Rows tested on over rows trained on, of models with resampled training rows.

    Returns
    -------
    metrics, leave_one_outs : DataFrame
    strata : Series
    """
    everyone = np.arange(len(names))
    without = [statistics(np.delete(everyone, i)) for i in everyone]
    return summarised(
        statistics(everyone),
        pd.DataFrame(without, index=pd.Index(names), columns=list(about), dtype=float),
        strata,
        about,
        resampled_train=resampled_train,
    )


def summarised(values, leave_one_outs, strata, about, *, resampled_train=None):
    """The same of values that are known.

    Parameters
    ----------
    values : dict of str to float
    leave_one_outs : DataFrame of shape (n_models, n_metrics)
    strata, about, resampled_train : as of `jackknifed`

    Returns
    -------
    metrics, leave_one_outs : DataFrame
    strata : Series
    """
    left_out = leave_one_outs.rename_axis("model")
    strata = np.zeros(len(left_out), dtype=int) if strata is None else strata
    strata = pd.Series(list(strata), index=left_out.index, name="stratum")
    rows = {
        metric: _row(values[metric], left_out[metric], strata, known, resampled_train)
        for metric, known in about.items()
    }
    metrics = pd.DataFrame.from_dict(rows, orient="index").rename_axis("metric")
    return metrics, left_out, strata


def jackknife_error(leave_one_out, strata, *, resampled_train=None):
    """Standard error by the jackknife over models, each stratum by itself.

    Parameters
    ----------
    leave_one_out : Series
        The value without each model.
    strata : Series
        Group of each model.
    resampled_train : float, default=None
        Rows tested on over rows trained on: of J models of a group the variance is
        then (1 / J + resampled_train) in place of 1 / J (Nadeau and Bengio).

    Returns
    -------
    error : float
        nan where leaving out a model leaves nothing to compute.
    """
    variance = 0.0
    for _, of_group in leave_one_out.groupby(strata.to_numpy(), sort=False):
        values = of_group.to_numpy(dtype=float)
        n = len(values)
        if n == 1 or not np.isfinite(values).all():
            return math.nan
        if np.ptp(values) <= _ROUNDING:
            continue
        part = (n - 1) / n * np.sum((values - values.mean()) ** 2)
        variance += part * (1 + n * (resampled_train or 0.0))
    return math.sqrt(variance)


def degrees_of_freedom(strata):
    """Models less groups: of Student's t of a jackknifed value."""
    return len(strata) - strata.nunique()


def _row(value, leave_one_out, strata, known, resampled_train):
    error = jackknife_error(leave_one_out, strata, resampled_train=resampled_train)
    low, high = _limits(value, error, strata, known)
    return {
        "value": float(value),
        "standard_error": error,
        "low": low,
        "high": high,
        "chance": known.chance,
        "n_models": len(strata),
    }


def _limits(value, error, strata, known):
    """Limits by Student's t; of k of k models Clopper and Pearson's."""
    if error == 0:
        at_an_end = value in (known.lowest, known.highest)
        if not (known.is_share and at_an_end):
            return math.nan, math.nan
        n = len(strata)
        limits = limits_of_share(round(value * n), n, "exact")
        # all of the error is on one side
        low, high = limits.low(2 * _TAIL), limits.high(2 * _TAIL)
        return (low, 1.0) if value == 1 else (0.0, high)
    half = stats.t.isf(_TAIL, max(1, degrees_of_freedom(strata))) * error
    low, high = value - half, value + half
    return float(max(low, known.lowest)), float(min(high, known.highest))
