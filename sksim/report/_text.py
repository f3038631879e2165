"""Tables for the terminal."""

import textwrap

import numpy as np

from sksim.report._tables import format_number, is_number, join_limits, number_notes

_SHORT = {
    "direction": "kind",
    "null_mean": "chance",
    "calibrated_score": "calib.",
    "pvalue": "p",
    "pvalue_adjusted": "p adj.",
    "similarity": "sim.",
    "distance": "dist.",
}


def format_table(table, *, width=100):
    """A table as lines of text, no wider than asked for.

    Parameters
    ----------
    table : DataFrame
        Of :func:`sksim.pairwise.compare`, whose notes become footnotes, or any
        other, and so do null hypotheses but that of free rows. Families, scores,
        seconds, synonyms and p-values that are not adjusted are left out, and chance
        and intervals are given in the units of the value.
    width : int, default=100
        Longest line.

    Returns
    -------
    text : str
    """
    footnotes, marks = number_notes(_notes(table))
    if {"score", "null_mean", "direction"} <= set(table.columns):
        # one scale in a narrow table: the measure's native numbers
        table = _in_native_units(table)
    table = join_limits(table)
    left_out = ["note", "null", "family", "kind", "score", "seconds", "same_as"]
    left_out += ["calibrated_low", "calibrated_high"]
    if "pvalue_adjusted" in table:
        left_out.append("pvalue")  # one of both: that which holds for the whole table
    table = table.drop(columns=left_out, errors="ignore")
    if "measure" not in table:
        table = table.reset_index(names=table.index.name or "")
    cells = [[_SHORT.get(name, str(name)) for name in table.columns]]
    numeric = [is_number(table[name]) for name in table.columns]
    for row in table.itertuples(index=False):
        cells.append(
            [
                format_number(value, name)
                if right
                else _SHORT.get(value, _plain(value))
                for value, name, right in zip(row, table.columns, numeric, strict=True)
            ]
        )
    if footnotes:
        for line, mark in zip(cells, ["", *marks], strict=True):
            line.append(mark)
        numeric.append(False)
    lines = _aligned(cells, numeric, width)
    lines += _wrapped_footnotes(footnotes, width)
    return "\n".join(lines)


def _notes(table):
    """Notes, with what changed places where that is not all rows."""
    notes = table.get("note", [])
    if "null" not in table or "note" not in table:
        return notes
    return [
        "; ".join(filter(None, [null and f"null: {null}", note]))
        for null, note in zip(table["null"].replace("rows", ""), notes, strict=True)
    ]


def _in_native_units(table):
    """Chance and limits of distances as distances."""
    is_distance = table["direction"] == "distance"
    native = {"null_mean": table["null_mean"] * np.where(is_distance, -1.0, 1.0)}
    if {"interval_low", "interval_high"} <= set(table.columns):
        low, high = table["interval_low"], table["interval_high"]
        native["interval_low"] = low.where(~is_distance, -high)
        native["interval_high"] = high.where(~is_distance, -low)
    return table.assign(**native)


def _plain(value):
    return "".join(c if c.isprintable() else "?" for c in str(value))


def _aligned(cells, numeric, width):
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    gap = 2
    excess = sum(widths) + gap * (len(widths) - 1) - width
    # text gives way, the last column first; numbers never do
    for i in reversed([i for i, right in enumerate(numeric) if not right]):
        shorter = max(min(widths[i], 8), widths[i] - max(excess, 0))
        excess -= widths[i] - shorter
        widths[i] = shorter
    lines = []
    for row in cells:
        parts = [
            _cut(cell, w).rjust(w) if right else _cut(cell, w).ljust(w)
            for cell, w, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append((" " * gap).join(parts).rstrip())
    lines.insert(1, "-" * max(map(len, lines)))
    return lines


def _cut(text, width):
    return text if len(text) <= width else text[: width - 1] + "…"


def _wrapped_footnotes(footnotes, width):
    lines = []
    for number, note in enumerate(footnotes, start=1):
        mark = f"[{number}] "
        lines += textwrap.wrap(
            mark + _plain(note), width, subsequent_indent=" " * len(mark)
        )
    return lines
