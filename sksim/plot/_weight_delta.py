"""Picture of what has changed of a network's weights, layer by layer."""

from typing import Self

import numpy as np

from sksim._typing import Axes
from sksim.plot._axes import axes_or_new
from sksim.structural import WeightDelta


class WeightDeltaDisplay:
    """Relative change of each layer, or the spectra of the changes.

    Parameters
    ----------
    table : DataFrame
        As of :meth:`sksim.structural.WeightDelta.to_frame`.
    spectra : dict of str to array
        Singular values of each layer's difference.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    bars_ : matplotlib BarContainer
        One bar for each layer.
    lines_ : list of matplotlib Line2D
        One line for each layer's spectrum.

    See Also
    --------
    sksim.structural.WeightDelta : Computes the numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.plot import WeightDeltaDisplay
    >>> from sksim.structural import WeightDelta
    >>> rng = np.random.default_rng(0)
    >>> first = [rng.normal(size=(4, 6)), rng.normal(size=(6, 2))]
    >>> tuned = [W + 0.1 * rng.normal(size=W.shape) for W in first]
    >>> measure = WeightDelta().fit(first, tuned)
    >>> display = WeightDeltaDisplay.from_measure(measure).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['hidden_1', 'output']
    """

    def __init__(self, *, table, spectra):
        self.table = table
        self.spectra = spectra

    @classmethod
    def from_measure(cls, measure: WeightDelta) -> Self:
        """Display of a fitted measure.

        Parameters
        ----------
        measure : WeightDelta
            Fitted.

        Returns
        -------
        display : WeightDeltaDisplay
            Not drawn yet: call ``plot`` or ``plot_spectra``.
        """
        return cls(table=measure.to_frame(), spectra=measure.spectra_)

    def plot(self, ax: Axes | None = None, *, name: str | None = None) -> Self:
        """Draw the relative norm of each layer's difference, with its effective rank.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        name : str, default=None
            Title.

        Returns
        -------
        display : WeightDeltaDisplay
            The display itself, with the artists it drew.
        """
        ax = axes_or_new(ax, self)
        places = np.arange(len(self.table))
        self.bars_ = ax.barh(places, self.table["relative_norm"])
        ranks = [f"rank {rank:.3g}" for rank in self.table["effective_rank"]]
        ax.bar_label(self.bars_, ranks, padding=3, fontsize="small")
        ax.set_yticks(places, list(map(str, self.table.index)))
        ax.invert_yaxis()
        ax.margins(x=0.2)
        ax.set_xlabel("relative norm of the difference")
        return self._finished(ax, name)

    def plot_spectra(self, ax: Axes | None = None, *, name: str | None = None) -> Self:
        """Draw the singular values of each layer's difference, from the largest on.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        name : str, default=None
            Title.

        Returns
        -------
        display : WeightDeltaDisplay
            The display itself, with the artists it drew.
        """
        ax = axes_or_new(ax, self)
        self.lines_ = []
        for layer, values in self.spectra.items():
            numbers = np.arange(1, len(values) + 1)
            (line,) = ax.plot(numbers, values, marker=".", label=str(layer))
            self.lines_.append(line)
        ax.set_xlabel("number of the singular value")
        ax.set_ylabel("singular value of the difference")
        ax.legend(fontsize="small", handlelength=1)
        return self._finished(ax, name)

    def _finished(self, ax, name):
        if name is not None:
            ax.set_title(name)
        self.ax_, self.figure_ = ax, ax.figure
        return self
