"""What can be settled only when a picture is drawn, and its layout is final.

Imported only when something is drawn.
"""

from matplotlib.artist import Artist
from matplotlib.text import Text

# Smaller cells, in points, hold no readable number.
_SMALLEST_CELL = 19


class CellText(Text):
    """Number in a cell of a heat map, in a size that is found when it is drawn.

    A layout may still change after the picture has been composed, so that only then is
    the cell's size known. In a cell that is too small, nothing is drawn unless it must.
    """

    def __init__(self, *args, always=False, **kwargs):
        super().__init__(*args, ha="center", va="center", **kwargs)
        self.always = always
        self.set_in_layout(False)

    def draw(self, renderer):
        """Draw the number if there is room for it."""
        cell = cell_in_points(self.axes)
        if cell < _SMALLEST_CELL and not self.always:
            return
        self.set_fontsize(min(10.0, 0.36 * cell))
        super().draw(renderer)


class JustBefore(Artist):
    """Calls a function whenever its axes are drawn, before anything in them is.

    Parameters
    ----------
    function : callable
        Takes the renderer.
    """

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.set_in_layout(False)
        self.set_zorder(-1e9)

    def draw(self, renderer):
        """Call the function."""
        self.function(renderer)


def cell_in_points(ax):
    """Smaller side of a cell of unit size, in points."""
    (x0, y0), (x1, y1) = ax.transData.transform([(0, 0), (1, 1)])
    return min(abs(x1 - x0), abs(y1 - y0)) * 72 / ax.figure.dpi
