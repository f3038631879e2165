"""Tables as what their template names, and numbers as people read them."""

import math
import re

import numpy as np
import pandas as pd

from sksim.pairwise._compare import COLUMNS
from sksim.report._bars import bars

_HEADINGS = {
    "null_mean": "chance (null mean)",
    "calibrated_score": "calibrated score",
    "pvalue": "p-value",
    "pvalue_adjusted": "p-value, adjusted",
    "same_as": "same as",
    "interval": "interval of the score",
    "value_interval": "interval of the value",
    "chance_value": "value by chance",
    "calibrated_interval": "interval of the calibrated score",
    "answer_a": "answer of a",
    "answer_b": "answer of b",
    "confidence_a": "confidence of a",
    "confidence_b": "confidence of b",
}
_INTERVALS = {"interval", "value_interval", "calibrated_interval"}
_EXPLANATION = (
    "Value: the measure's own number; of a distance 0 is the same. Value by chance: "
    "its mean when rows are paired at random. Calibrated score: 0 at chance, 1 at "
    "best. p-value: the share of random pairings that score at least as high; what was "
    "paired at random is in the column null. Adjusted: for the number of measures with "
    "that null. Score: greater is more similar for every measure; of a distance it is "
    "minus the value."
)
_EXPLANATION_OF_INTERVALS = (
    " Intervals: how far the number beside them would vary with other inputs, at a "
    "confidence of {level:g} %."
)
# Of a comparison, as they are shown.
_SHOWN = (
    "measure",
    "family",
    "value",
    "value_interval",
    "direction",
    "chance_value",
    "calibrated_score",
    "calibrated_interval",
    "pvalue",
    "pvalue_adjusted",
    "null",
    "same_as",
    "kind",
    "compared",
    "score",
    "seconds",
    "note",
)

_WORDS = re.compile("(?<=[a-z])(?=[A-Z])")


def contents_of_table(heading, table):
    """What the template of a table names."""
    contents = {"heading": heading, "explanation": "", "bars": None}
    if {"measure", "calibrated_score", "pvalue"} <= set(table.columns):
        contents |= {"explanation": explanation_of(table), "bars": _bars(table)}
        is_whole = set(COLUMNS) <= set(table.columns)
        ordered = in_order_of_reading(table) if is_whole else join_limits(table)
        table = ordered.drop(columns=_empty_words(table))
    elif _has_names(table.index):
        table = join_limits(table.reset_index())
    return contents | contents_of_cells(table)


def contents_of_cells(table):
    """What the template names of a table's cells; notes become footnotes.

    Parameters
    ----------
    table : DataFrame
        Its first column names the rows.

    Returns
    -------
    contents : dict
        With ``columns``, ``rows`` and ``footnotes``.
    """
    footnotes, marks = number_notes(table.get("note", []))
    if "note" in table:
        table = table.assign(note=marks) if footnotes else table.drop(columns="note")
    kinds = ["number" if is_number(table[name]) else "text" for name in table.columns]
    return {
        "columns": [
            {"heading": _HEADINGS.get(name, str(name)), "kind": kind}
            for name, kind in zip(table.columns, kinds, strict=True)
        ],
        "rows": [
            [
                _number(value, name) if kind == "number" else _name(value)
                for value, name, kind in zip(row, table.columns, kinds, strict=True)
            ]
            for row in table.itertuples(index=False)
        ],
        "footnotes": footnotes,
    }


def in_order_of_reading(table):
    """Columns of a comparison with each interval beside its number, in its units.

    Parameters
    ----------
    table : DataFrame
        Of :func:`sksim.pairwise.compare`.

    Returns
    -------
    table : DataFrame
    """
    is_distance = table["direction"].eq("distance")
    low, high = table["interval_low"], table["interval_high"]
    native = low.where(~is_distance, -high), high.where(~is_distance, -low)
    calibrated = table["calibrated_low"], table["calibrated_high"]
    shown = table.assign(
        value_interval=[*zip(*native, strict=True)],
        calibrated_interval=[*zip(*calibrated, strict=True)],
        chance_value=table["null_mean"] * np.where(is_distance, -1.0, 1.0) + 0.0,
    )[list(_SHOWN)]
    if low.isna().all():
        shown = shown.drop(columns=["value_interval", "calibrated_interval"])
    return shown


def _empty_words(table):
    """Columns of words of which none is said."""
    words = [name for name in ("null", "same_as") if name in table]
    return [name for name in words if not table[name].astype(bool).any()]


def number_notes(notes):
    """Different notes in order, and for each row the number of its own.

    Parameters
    ----------
    notes : iterable of str
        Empty where there is none.

    Returns
    -------
    footnotes : list of str
    marks : list of str
        "[1]", "[2]", ..., or empty.
    """
    notes = ["" if pd.isna(note) else note for note in notes]
    footnotes = list(dict.fromkeys(filter(None, notes)))
    return footnotes, [f"[{footnotes.index(n) + 1}]" if n else "" for n in notes]


def explanation_of(table):
    """What the columns of a comparison mean."""
    level = table.attrs.get("confidence_level")
    if level is None:
        return _EXPLANATION
    return _EXPLANATION + _EXPLANATION_OF_INTERVALS.format(level=100 * level)


def join_limits(table):
    """One column of pairs in place of two columns of limits.

    Parameters
    ----------
    table : DataFrame
        Of :func:`sksim.pairwise.compare`; without any limits, their columns go.
    """
    if not {"interval_low", "interval_high"} <= set(table.columns):
        return table
    pairs = [*zip(table["interval_low"], table["interval_high"], strict=True)]
    place = table.columns.get_loc("interval_low")
    joined = table.drop(columns=["interval_low", "interval_high"])
    if table["interval_low"].notna().any():
        joined.insert(place, "interval", pairs)
    return joined


def _has_names(index):
    return not isinstance(index, pd.RangeIndex)


def _bars(table):
    """Picture of the calibrated scores, as far as there are any."""
    drawn = table[np.isfinite(table["calibrated_score"])]
    if drawn.empty:
        return None
    notes = [
        f"{row.calibrated_score:.2f}, p = {format_pvalue(row.pvalue)}"
        for row in drawn.itertuples()
    ]
    limits = _calibrated_limits(drawn)
    caption = "Calibrated scores: how far from chance to the best possible"
    return {
        "caption": caption if limits is None else f"{caption}, with intervals",
        "picture": bars(
            drawn["measure"], drawn["calibrated_score"], notes=notes, limits=limits
        ),
    }


def _calibrated_limits(table):
    """Limits of the calibrated scores, or None where there are no intervals."""
    if "interval_low" not in table or table["interval_low"].isna().all():
        return None
    # a calibrated score is linear in the score: (score - chance) / (best - chance)
    best = (table["score"] - table["null_mean"]) / table["calibrated_score"]
    ends = [
        (table[name] - table["null_mean"]) / best
        for name in ("interval_low", "interval_high")
    ]
    return [*zip(*ends, strict=True)]


def _number(value, name):
    key = value[0] if name in _INTERVALS else value
    exact = "" if pd.isna(key) else repr(float(key))
    return {"css": "number", "key": exact, "words": [format_number(value, name)]}


def _name(value):
    shown = "" if value is None or value is pd.NA else str(value)
    return {"css": "name", "key": shown, "words": _WORDS.split(shown)}


def is_number(column):
    """Whether a column holds numbers, or intervals of numbers."""
    return column.name in _INTERVALS or pd.api.types.is_numeric_dtype(column)


def format_number(value, name=""):
    """A number as people read it: a column's name says what it is.

    Parameters
    ----------
    value : float or pair of float
    name : str, default=""
        Intervals, p-values and "seconds" have formats of their own.
    """
    if name in _INTERVALS:
        return format_interval(*value)
    if pd.isna(value):
        return "–"
    if name.startswith("pvalue"):
        return format_pvalue(value)
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return str(value)
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if name == "seconds":
        return f"{value:.3f}"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return f"{value:.2e}"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.0f}"


def format_interval(low, high):
    """Limits with digits enough to tell them apart, and no more."""
    if pd.isna(low):
        return "–"
    largest = max(abs(low), abs(high))
    digits = ".1f" if largest >= 100 else ".3f"
    if not 1e-3 <= largest < 1e5:
        digits = ".0e"
    return f"[{low:{digits}}, {high:{digits}}]"


def format_pvalue(value):
    """A p-value with the digits that permutations can give."""
    if pd.isna(value):
        return "–"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1e}"
