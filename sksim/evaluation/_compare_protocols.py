"""Which of two measures does better: both were tried on the same models."""

import itertools
import math
from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from sksim.evaluation._jackknife import degrees_of_freedom, jackknife_error
from sksim.evaluation._result import ProtocolResult
from sksim.inference._step_down import holm


def compare_protocols(
    results: Mapping[Hashable, ProtocolResult],
    *,
    metric: str | None = None,
    resampled_train: float | None = None,
) -> pd.DataFrame:
    """Test of each two measures whether one does better in a protocol.

    Parameters
    ----------
    results : dict of str to ProtocolResult
        Of at least two measures, by one protocol on the same models.
    metric : str, default=None
        Which metric is compared; None for the main one.
    resampled_train : float, default=None
        Number of rows tested on over that trained on, where each model was trained on
        rows drawn anew, see :func:`grouping`.

    Returns
    -------
    comparison : DataFrame
        One row for each two measures, ``first`` and ``second``: the ``difference`` of
        their values, its ``standard_error`` by the jackknife over models, ``t`` with
        ``df`` degrees of freedom, the two-sided ``pvalue``, and
        ``pvalue_corrected`` for the number of pairs (Holm). nan where no model's
        absence changes the difference.

    Raises
    ------
    ValueError
        If the results are of different models, or lack the metric.

    See Also
    --------
    grouping : Makes such results.
    compare_layer_identifications : Against the best measure, for layers.

    Notes
    -----
    Leaving out a model moves both measures, and often in one direction, so that the
    error of their difference is smaller than that of two independent values.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.evaluation import compare_protocols, grouping
    >>> rng = np.random.default_rng(0)
    >>> groups = np.repeat([0, 1, 2], 4)
    >>> far = -abs(groups[:, None] - groups)
    >>> noise = {"good": 0.2, "poor": 2.0}
    >>> results = {
    ...     name: grouping(far + sd * rng.normal(size=far.shape), groups)
    ...     for name, sd in noise.items()
    ... }
    >>> table = compare_protocols(results)
    >>> bool(table["difference"].iloc[0] > 0), bool(table["pvalue"].iloc[0] < 0.05)
    (True, True)
    """
    if len(results) < 2:
        raise ValueError(
            f"At least two results are needed for a comparison, got {len(results)}."
        )
    first = next(iter(results.values()))
    metric = first.metrics.index[0] if metric is None else metric
    for name, result in results.items():
        if metric not in result.metrics.index:
            raise ValueError(
                f"The result {name!r} has no metric {metric!r}, but "
                f"{list(result.metrics.index)}."
            )
        if not result.strata.equals(first.strata):
            raise ValueError(
                f"The result {name!r} is of other models than {next(iter(results))!r}, "
                "or of other groups. Compare measures on the same models."
            )
    return paired_differences(
        {name: result.metrics.loc[metric, "value"] for name, result in results.items()},
        {name: result.leave_one_outs[metric] for name, result in results.items()},
        first.strata,
        resampled_train=resampled_train,
    )


def paired_differences(values, leave_one_outs, strata, *, resampled_train=None):
    """Differences of all pairs of measures, with errors and tests.

    Parameters
    ----------
    values : dict of str to float
    leave_one_outs : dict of str to Series
    strata : Series
    resampled_train : float, default=None

    Returns
    -------
    comparison : DataFrame
    """
    df = degrees_of_freedom(strata)
    rows = []
    for first, second in itertools.combinations(values, 2):
        difference = values[first] - values[second]
        error = jackknife_error(
            leave_one_outs[first] - leave_one_outs[second],
            strata,
            resampled_train=resampled_train,
        )
        t = difference / error if error > 0 else math.nan
        rows.append(
            {
                "first": first,
                "second": second,
                "difference": float(difference),
                "standard_error": error,
                "t": t,
                "df": df,
                "pvalue": 2 * float(stats.t.sf(abs(t), max(1, df))),
            }
        )
    table = pd.DataFrame(rows)
    table["pvalue_corrected"] = np.nan
    tested = table["pvalue"].notna()
    if tested.any():
        table.loc[tested, "pvalue_corrected"] = holm(table.loc[tested, "pvalue"])
    return table
