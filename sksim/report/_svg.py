"""Pictures as SVG text: sharp, small, and drawn without any plotting library."""

import math

import numpy as np

from sksim.report._template import render

# Stops of the viridis colour map (public domain), dark to light.
_STOPS = np.array(
    [
        [68, 1, 84],
        [65, 68, 135],
        [42, 120, 142],
        [34, 168, 132],
        [122, 209, 81],
        [253, 231, 37],
    ]
)
_CELL = 46
_LETTER = 7.4  # width of a letter of 12 px in wide fonts
_MAX_NUMBERS = 16


def heat_map(matrix, *, caption="", unit=False):
    """Heat map of a labelled matrix, as an SVG element.

    Parameters
    ----------
    matrix : DataFrame
        Numbers; missing ones are left blank. Light is similar: of distances, which
        ``matrix.attrs["orientation"]`` tells, the small ones.
    caption : str, default=""
        What the picture shows, for those who do not see it.
    unit : bool, default=False
        Whether colours go from 0 to 1, where no number is outside; else from the
        smallest to the largest number.

    Returns
    -------
    svg : markupsafe.Markup
    """
    values = matrix.to_numpy(dtype=float)
    rows = [_short(name) for name in matrix.index]
    columns = [_short(name) for name in matrix.columns]
    n_rows, n_columns = values.shape
    cell = _CELL if max(n_rows, n_columns) <= _MAX_NUMBERS else 22
    left = 12 + _LETTER * max(map(len, rows))
    top = 14 + 0.75 * _LETTER * max(map(len, columns))
    right = 14 + 0.75 * _LETTER * len(columns[-1])
    low, high = _limits(values, unit)
    scale = _Scale(low, high, reverse=matrix.attrs.get("orientation") == "distance")
    return render(
        "heat_map.svg",
        caption=caption,
        width=left + n_columns * cell + max(right, 70),
        height=top + n_rows * cell + 14,
        size=cell,
        rows=[
            {"x": left - 8, "y": top + (i + 0.5) * cell + 4, "text": name}
            for i, name in enumerate(rows)
        ],
        columns=[
            {"x": left + (j + 0.5) * cell, "y": top - 8, "text": name}
            for j, name in enumerate(columns)
        ],
        cells=[
            {"x": left + j * cell, "y": top + i * cell}
            | _cell(values[i, j], f"{row} / {column}", cell, scale)
            for i, row in enumerate(matrix.index)
            for j, column in enumerate(matrix.columns)
        ],
        bar=_color_bar(left + n_columns * cell + 18, top, n_rows * cell, scale),
    )


def _short(name, length=22):
    name = str(name)
    return name if len(name) <= length else name[: length - 1] + "…"


def _limits(values, unit):
    finite = values[np.isfinite(values)]
    if unit and np.all((finite >= 0) & (finite <= 1)):
        return 0.0, 1.0
    if finite.size == 0:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


class _Scale:
    """From numbers to colours, light for what is similar."""

    def __init__(self, low, high, *, reverse):
        self.low, self.high, self.reverse = low, high, reverse
        # two decimals, more where they would all read alike
        self.decimals = 2 if high - low >= 0.1 else 3

    def color(self, value):
        share = (value - self.low) / (self.high - self.low)
        place = (1 - share if self.reverse else share) * (len(_STOPS) - 1)
        i = min(int(place), len(_STOPS) - 2)
        mixed = _STOPS[i] + (place - i) * (_STOPS[i + 1] - _STOPS[i])
        return tuple(round(float(channel)) for channel in mixed)

    def number(self, value):
        return f"{value:.{self.decimals}f}" if abs(value) < 99.5 else f"{value:.0f}"


def _cell(value, label, size, scale):
    """What a cell shows: its colour, its number where there is room, and its name."""
    if not math.isfinite(value):
        return {"fill": "", "number": "", "label": f"{label}: not available"}
    color = scale.color(value)
    is_light = np.dot(color, (0.3, 0.59, 0.11)) > 125
    return {
        "fill": _rgb(color),
        "ink": "#111" if is_light else "#fff",
        "number": scale.number(value) if size >= _CELL else "",
        "label": f"{label}: {value:.4g}",
    }


def _rgb(color):
    return "rgb({},{},{})".format(*color)


def _color_bar(x, y, height, scale):
    n_steps = 24
    values = np.linspace(scale.high, scale.low, n_steps)
    return {
        "x": x,
        "step_height": height / n_steps + 0.6,
        "steps": [
            {"y": y + k * height / n_steps, "fill": _rgb(scale.color(value))}
            for k, value in enumerate(values)
        ],
        "ends": [
            {"y": y + 10, "text": f"{scale.high:.2g}"},
            {"y": y + height, "text": f"{scale.low:.2g}"},
        ],
    }
