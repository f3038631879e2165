"""Bars that fit any width of the page: a picture of plain HTML elements."""

import math
from html import escape


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
    html : str
    """
    scale = _Scale(values)
    rows = []
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        drawn = scale.span("bar", 0.0, value) if math.isfinite(value) else ""
        if limits and all(map(math.isfinite, limits[i])):
            drawn += scale.span("limits", *limits[i])
        rows.append(_row(escape(str(name)), scale.axes + drawn, notes and notes[i]))
    rows.append(_row("", scale.labels, ""))
    return f'<div class="bars">{"".join(rows)}</div>'


def _row(name, drawn, note):
    return (
        f'<div class="row"><span>{name}</span><span class="track">{drawn}</span>'
        f"<span>{escape(note or '')}</span></div>"
    )


class _Scale:
    """Places of numbers, in per cent of the width; what lies outside is cut off."""

    def __init__(self, values):
        self.low = max(min([0.0, *filter(math.isfinite, values)]), -1.0)
        ends = [(self.place(v), text) for v, text in ((0, "0: chance"), (1, "1: best"))]
        self.axes = "".join(f'<i style="left:{p:.2f}%"></i>' for p, _ in ends)
        self.labels = "".join(
            f'<span class="label" style="left:{p:.2f}%">{text}</span>'
            for p, text in ends
        )

    def place(self, value):
        """Distance from the left edge."""
        inside = max(self.low, min(1.0, value))
        return 100 * (inside - self.low) / (1 - self.low)

    def span(self, css, one, other):
        """Element between two numbers."""
        start, stop = sorted((self.place(one), self.place(other)))
        style = f"left:{start:.2f}%;width:{stop - start:.2f}%"
        return f'<b class="{css}" style="{style}"></b>'
