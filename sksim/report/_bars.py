"""Bars that fit any width of the page: a picture of plain HTML elements."""

import math

from sksim.report._strip import Scale
from sksim.report._template import render


def bars(names, values, *, notes=None, limits=None):
    """Horizontal bars from 0 to at most 1, as an HTML element.

    Parameters
    ----------
    names : list of str
    values : list of float
        A missing value (nan) has no bar.
    notes : list of str, default=None
        Text behind each bar, such as the number.
    limits : list of pairs of float, default=None
        Interval of each value, drawn as a line over the end of its bar.

    Returns
    -------
    html : markupsafe.Markup
    """
    scale = Scale(values)
    notes = notes or [""] * len(names)
    limits = limits or [(math.nan, math.nan)] * len(names)
    rows = [
        {
            "name": name,
            "note": note,
            "spans": [*scale.spans("bar", 0.0, value), *scale.spans("limits", *ends)],
        }
        for name, value, note, ends in zip(names, values, notes, limits, strict=True)
    ]
    ends = [
        {"place": scale.place(value), "text": text}
        for value, text in ((0, "0: chance"), (1, "1: best"))
    ]
    return render("bars.html", rows=rows, ends=ends)
