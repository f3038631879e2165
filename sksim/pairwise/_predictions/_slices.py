"""Parts of the rows: what each says, corrected for how many there are."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sksim.inference._step_down import holm
from sksim.pairwise._predictions._statistics import (
    difference_of_scores,
    share_of_rows,
)

# More slices of one column are no slices but values.
_MOST_SLICES = 1000
_N_SMALLEST = 3


@dataclass(frozen=True, kw_only=True)
class Slicing:
    """Slices by one column: parts of the rows, by name.

    Attributes
    ----------
    name : str
    parts : dict of str to int array
        Rows of each.
    """

    name: str
    parts: dict


def slicing_of(name, values):
    """Slices by the values of a column, or of the rows where a mask is set.

    Parameters
    ----------
    name : str
    values : array of shape (n_rows,)
    """
    if values.dtype == bool:
        return Slicing(name=name, parts={name: np.flatnonzero(values)})
    codes, labels = pd.factorize(values, use_na_sentinel=False)
    if len(labels) > _MOST_SLICES:
        raise ValueError(
            f"slices: {name!r} has {len(labels)} different values. Cut them into bins "
            "first, such as by pandas.cut, so that each slice has enough rows."
        )
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(labels)))
    rows = np.split(order, ends[:-1])
    parts = {}
    for i in _in_order(list(labels)):
        part = f"{name}={'missing' if pd.isna(labels[i]) else labels[i]}"
        if part in parts:
            raise ValueError(
                f"slices: two values of {name!r} are both written {part!r}."
            )
        parts[part] = rows[i]
    return Slicing(name=name, parts=parts)


def _in_order(labels):
    """Places of labels from the least to the greatest, of missing ones at the end.

    The order of the rows decides nothing.
    """
    known = [i for i, label in enumerate(labels) if not pd.isna(label)]
    try:
        known.sort(key=lambda i: labels[i])
    except TypeError:  # of several kinds
        known.sort(key=lambda i: (type(labels[i]).__name__, str(labels[i])))
    return [*known, *(i for i, label in enumerate(labels) if pd.isna(label))]


def refuse_empty(slicings):
    """Raise if a slice has no rows, or two slices have one name."""
    names = [name for slicing in slicings for name in slicing.parts]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"slices: {twice[0]!r} names two slices. Name them apart.")
    for slicing in slicings:
        for name, rows in slicing.parts.items():
            if len(rows) == 0:
                raise ValueError(
                    f"slices: {name!r} has none of the rows that are compared. Leave "
                    "it out, or check its condition."
                )


def table_of_slices(slicings, paired, rng, *, level, margin):
    """A row of numbers for each slice, with p-values corrected by Holm's method."""
    parts = {name: rows for s in slicings for name, rows in s.parts.items()}
    rows = {
        name: summary(
            paired.some(rows), rng, level=level, margin=margin, n_tests=len(parts)
        )
        for name, rows in parts.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    if "pvalue" in table:
        table.insert(
            table.columns.get_loc("pvalue") + 1,
            "pvalue_holm",
            holm(table["pvalue"].to_numpy()),
        )
    return table


def summary(paired, rng, *, level, margin, n_tests=1):
    """What one row of the table says."""
    found = {"n_rows": paired.n_rows, "n_clusters": paired.n_groups}
    agreed = share_of_rows(paired, paired.same, "exact")
    if paired.score_a is None:
        low, high = agreed.limits.interval(level)
        return {**found, "agreement": agreed.value, "low": low, "high": high}
    difference = difference_of_scores(paired, rng, n_tests=n_tests)
    low, high = difference.limits.interval(level)
    found |= {
        "accuracy_a": float(np.mean(paired.score_a)),
        "accuracy_b": float(np.mean(paired.score_b)),
        "difference": difference.value,
        "low": low,
        "high": high,
        "pvalue": difference.pvalue,
        "positive_flips": int(np.count_nonzero(paired.score_b > paired.score_a)),
        "negative_flips": int(np.count_nonzero(paired.score_b < paired.score_a)),
        "agreement": agreed.value,
    }
    if margin is not None:
        found |= margin_pvalues(difference.limits, margin)
    return found


def margin_pvalues(limits, margin):
    """P-values that a - b is beyond a margin: on either side, or above it."""
    above = float(limits.pvalue_above(margin))
    below = float(limits.pvalue_below(-margin))
    return {"equivalence_pvalue": max(above, below), "noninferiority_pvalue": above}


def smallest(table):
    """Names of the smallest slices."""
    if table is None:
        return []
    order = np.argsort(table["n_rows"].to_numpy(), kind="stable")
    return list(table.index[order[:_N_SMALLEST]])


def reversals(slicings, table, difference):
    """Columns whose slices say the opposite of all rows together.

    Both models answer the same rows, so that the difference over all rows is the mean
    of those of slices by their sizes, and can't be opposite to every one of them, as
    with other rows for each model. It can be opposite to most, where one slice is
    large, or to all that were asked for, where these are not all rows.

    Parameters
    ----------
    slicings : list of Slicing
    table : DataFrame
    difference : Difference
        Of all rows.

    Returns
    -------
    found : dict of str to str
        A sentence for each such column.
    """
    found = {}
    sign = math.copysign(1.0, difference.value)
    if difference.value == 0:
        return found
    of_masks = [s for s in slicings if len(s.parts) == 1]
    several = [s for s in slicings if len(s.parts) > 1]
    if len(of_masks) > 1:
        together = {name: rows for s in of_masks for name, rows in s.parts.items()}
        several.append(Slicing(name="the slices", parts=together))
    for slicing in several:
        rows = table.loc[list(slicing.parts)]
        gaps = rows["difference"].to_numpy() * sign
        is_opposite = gaps < 0
        n_opposite, n_parts = int(is_opposite.sum()), len(gaps)
        if 2 * n_opposite <= np.count_nonzero(gaps) or gaps.mean() >= 0:
            continue
        # a difference that may be none has no side that could be the other
        sure = rows["pvalue"].to_numpy()[is_opposite].min()
        if min(difference.pvalue, sure) < 0.05:
            better, worse = ("a", "b") if sign > 0 else ("b", "a")
            found[slicing.name] = (
                f"{better} scores higher than {worse} over all rows, but lower in "
                f"{n_opposite} of {n_parts} slices of {slicing.name}"
            )
    return found


def warn_of_reversals(found):
    """Warn where slices and all rows say opposite things."""
    for sentence in found.values():
        warnings.warn(
            f"Simpson's reversal: {sentence}. The answer depends on how often each "
            "slice occurs where the model will be used.",
            UserWarning,
            stacklevel=6,
        )
