"""Estimates where columns are a sample of many, as recorded neurons are."""

import math
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sksim._parallel import on_one_blas_thread
from sksim.arrays._namespace import number
from sksim.inference._estimates import Estimate, estimate_of
from sksim.inference._limits import of_student, of_unseen_rows
from sksim.inference._resampling import Sample

OVER = ("rows", "columns", "both")
# Fewer numbers say next to nothing of their spread.
_FEWEST_COLUMNS = 4


class _Part(NamedTuple):
    """What one sample adds to the error: its variance, bias, degrees and values."""

    variance: float
    bias: float
    degrees: int
    values: np.ndarray


def refuse_other_columns(tags, method, over, groups, strata):
    """Raise where there are no columns to leave out, or nothing else to ask for."""
    if method not in ("auto", "jackknife"):
        raise ValueError(
            f"over={over!r} leaves out columns, one after the other: method must be "
            f"'jackknife' or 'auto', got {method!r}."
        )
    is_of_columns = tags.inputs == "representation" and tags.arity == "pair"
    if not is_of_columns or tags.precomputed or "jackknife" not in tags.intervals:
        raise ValueError(
            f"over={over!r} is for measures of two representations, whose columns can "
            "be left out. Use over='rows'."
        )
    if over == "columns" and not (groups is None and strata is None):
        raise ValueError(
            "groups and strata are of rows, which over='columns' takes as given. Use "
            "over='both'."
        )


def estimate_over(comparison, over, *, groups=None, strata=None, n_jobs=None, **jobs):
    """Estimate over columns, or over rows and columns, by the jackknife.

    The columns of X, those of y and the rows are samples of their own, whose variances
    add up. What comes of two of them together is counted by both, which is on the safe
    side.
    """
    sample = Sample(comparison, groups, strata)
    value = sample.oriented(sample.statistic)
    parts = [
        _part_of(sample.oriented(values), value)
        for values in _without_columns(comparison, n_jobs)
    ]
    if over == "both":
        rows = estimate_of(
            comparison,
            method="jackknife",
            groups=groups,
            strata=strata,
            n_jobs=n_jobs,
            **jobs,
        )
        degrees = len(sample.units) - len(np.unique(sample.strata))
        part = rows.standard_error**2, rows.bias, degrees, rows.replicates
        parts.insert(0, _Part(*part))
    variance = sum(part.variance for part in parts)
    error, replicates = math.sqrt(variance), np.concatenate([p.values for p in parts])
    if error <= sample.rounding:
        fewest = min(len(part.values) for part in parts)
        limits = of_unseen_rows(value, sample.bounds, fewest)
    else:
        # Satterthwaite's
        shares = ((part.variance / variance) ** 2 / part.degrees for part in parts)
        degrees = 1 / sum(shares)
        limits = of_student(value, error, degrees)
    return Estimate(
        sample=sample,
        value=value,
        limits=limits.within(sample.bounds),
        method="jackknife",
        standard_error=error,
        bias=sum(part.bias for part in parts),
        replicates=replicates,
        n_undefined=int(np.sum(~np.isfinite(replicates))),
    )


def _part_of(values, value):
    """Part of the columns of one side, by values without each of them."""
    defined = values[np.isfinite(values)]
    n, n_undefined = len(values), len(values) - len(defined)
    if 2 * n_undefined > n:
        raise ValueError(
            f"The measure is undefined without {n_undefined} of {n} columns, so that "
            "there is no interval. Use more columns, or debias='rows'."
        )
    if n_undefined:
        warnings.warn(
            f"The measure is undefined without {n_undefined} of {n} columns, which are "
            "taken to be as the others.",
            UserWarning,
            stacklevel=5,
        )
    gaps = defined - np.mean(defined)
    variance = (n - 1) / len(defined) * float(np.sum(gaps**2))
    bias = (n - 1) * (float(np.mean(defined)) - value)
    return _Part(variance, bias, n - 1, values)


def _without_columns(comparison, n_jobs):
    """Statistics without each column of X, and of y."""
    rows = comparison.rows
    widths = [array.shape[1] for array in rows.arrays]
    for width, name in zip(widths, "Xy", strict=True):
        if width < _FEWEST_COLUMNS:
            raise ValueError(
                f"{name} has {width} columns, too few to be taken for a sample: the "
                "spread of so few numbers says next to nothing. It takes at least "
                f"{_FEWEST_COLUMNS}. Use over='rows'."
            )
    closed = comparison.without_each_column()
    if closed is not None:
        return closed
    return [
        np.array(
            Parallel(n_jobs=n_jobs)(
                delayed(_value_without)(rows, place, column) for column in range(width)
            )
        )
        for place, width in enumerate(widths)
    ]


@on_one_blas_thread
def _value_without(rows, place, column):
    try:
        return number(rows.without_column(place, column).compared().value())
    except ValueError:
        # as where all other columns are constant
        return math.nan
