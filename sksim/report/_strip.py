"""A number and its interval on a strip from chance to identical."""

import math

from sksim.report._template import render


class Scale:
    """Places of numbers, in per cent of the width; what lies outside is cut off.

    Parameters
    ----------
    values : iterable of float
        In units in which chance is 0 and identical 1. The scale goes from 0 to 1, and
        as far below as any of them, to -1 at most.
    """

    def __init__(self, values):
        self.low = max(min([0.0, *filter(math.isfinite, values)]), -1.0)

    def place(self, value):
        """Distance from the left edge."""
        inside = max(self.low, min(1.0, value))
        return 100 * (inside - self.low) / (1 - self.low)

    def spans(self, css, one, other):
        """What is drawn between two numbers; nothing if one is missing."""
        if not (math.isfinite(one) and math.isfinite(other)):
            return []
        start, stop = sorted((self.place(one), self.place(other)))
        return [{"css": css, "start": start, "width": stop - start}]


def strip(value, limits, *, label, chance=0.0, best=1.0, scale=None):
    """A strip as an SVG element, as wide as where it stands.

    Parameters
    ----------
    value : float
    limits : pair of float
        Its interval, nan if there is none.
    label : str
        The same in words.
    chance, best : float, default=0 and 1
        Values at the ends of the strip.
    scale : Scale, default=None
        Of several strips; None makes one that holds these numbers.

    Returns
    -------
    svg : markupsafe.Markup
    """
    points = [(x - chance) / (best - chance) for x in (value, *limits)]
    scale = scale or Scale(points)
    return render(
        "strip.svg",
        label=label,
        value=scale.place(points[0]),
        interval=scale.spans("limits", *points[1:]),
        ends=[scale.place(0.0), scale.place(1.0)],
    )
