"""Pictures as SVG text: sharp, small, and drawn without any plotting library."""

import math
from html import escape

import numpy as np

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


def heat_map(matrix, *, caption=""):
    """Heat map of a labelled matrix, as an SVG element.

    Parameters
    ----------
    matrix : DataFrame
        Numbers; missing ones are left blank. Light is similar: of distances, which
        ``matrix.attrs["orientation"]`` tells, the small ones.
    caption : str, default=""
        What the picture shows, for those who do not see it.

    Returns
    -------
    svg : str
    """
    values = matrix.to_numpy(dtype=float)
    rows = [_short(name) for name in matrix.index]
    columns = [_short(name) for name in matrix.columns]
    n_rows, n_columns = values.shape
    cell = _CELL if max(n_rows, n_columns) <= _MAX_NUMBERS else 22
    left = 12 + _LETTER * max(map(len, rows))
    top = 14 + 0.75 * _LETTER * max(map(len, columns))
    right = 14 + 0.75 * _LETTER * len(columns[-1])
    width = left + n_columns * cell + max(right, 70)
    height = top + n_rows * cell + 14
    low, high = _limits(values)
    scale = _Scale(low, high, reverse=matrix.attrs.get("orientation") == "distance")
    parts = []
    for i in range(n_rows):
        y = top + i * cell
        parts.append(_text(left - 8, y + cell / 2 + 4, rows[i], anchor="end"))
        for j in range(n_columns):
            label = f"{matrix.index[i]} / {matrix.columns[j]}"
            parts.append(_cell(values[i, j], left + j * cell, y, cell, scale, label))
    for j, name in enumerate(columns):
        x = left + j * cell + cell / 2
        parts.append(
            f'<text transform="translate({x:.1f},{top - 8:.1f}) rotate(-45)">'
            f"{escape(name)}</text>"
        )
    parts.append(_color_bar(left + n_columns * cell + 18, top, n_rows * cell, scale))
    return _svg(parts, width, height, caption)


def _svg(parts, width, height, caption):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'font-size="12"><title>{escape(caption)}</title>{"".join(parts)}</svg>'
    )


def _text(x, y, text, *, anchor="start", extra=""):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {extra}>'
        f"{escape(str(text))}</text>"
    )


def _short(name, length=22):
    name = str(name)
    return name if len(name) <= length else name[: length - 1] + "…"


def _limits(values):
    finite = values[np.isfinite(values)]
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


def _cell(value, x, y, size, scale, label):
    if not math.isfinite(value):
        return (
            f'<rect class="blank" x="{x:.1f}" y="{y:.1f}" width="{size - 1}" '
            f'height="{size - 1}"><title>{escape(label)}: not available</title></rect>'
        )
    red, green, blue = scale.color(value)
    rectangle = (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{size - 1}" height="{size - 1}" '
        f'fill="rgb({red},{green},{blue})"><title>{escape(label)}: {value:.4g}'
        "</title></rect>"
    )
    if size < _CELL:
        return rectangle
    ink = "#111" if 0.3 * red + 0.59 * green + 0.11 * blue > 125 else "#fff"
    return rectangle + _text(
        x + size / 2,
        y + size / 2 + 4,
        scale.number(value),
        anchor="middle",
        extra=f'style="fill:{ink}"',
    )


def _color_bar(x, y, height, scale):
    steps = 24
    parts = []
    for k in range(steps):
        value = scale.high + k / (steps - 1) * (scale.low - scale.high)
        red, green, blue = scale.color(value)
        parts.append(
            f'<rect x="{x:.1f}" y="{y + k * height / steps:.2f}" width="10" '
            f'height="{height / steps + 0.6:.2f}" fill="rgb({red},{green},{blue})"/>'
        )
    parts.append(_text(x + 14, y + 10, f"{scale.high:.2g}"))
    parts.append(_text(x + 14, y + height, f"{scale.low:.2g}"))
    return "".join(parts)
