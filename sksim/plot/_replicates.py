"""Picture of two kinds of model with replicates of each."""

from typing import Self

import numpy as np

from sksim._typing import Axes, Layers, Measure
from sksim.inference import ReplicateTestResult, replicate_test
from sksim.plot._axes import axes_or_new

_COLUMNS = {"within_x": "within X", "between": "between", "within_y": "within y"}


class ReplicatesDisplay:
    """All pairs of replicates, within each kind and between the two.

    Parameters
    ----------
    pairs : DataFrame
        As of :class:`sksim.inference.ReplicateTestResult`.
    floor : float
        How unlike two replicates of one kind are.
    pvalue : float
        Of the hypothesis that the replicates are exchangeable.
    output : {"score", "statistic"}, default="score"
        What the numbers are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    points_ : list of matplotlib PathCollection
        Pairs within X, between and within y; a kind without pairs is left out.
    means_ : list of matplotlib LineCollection
        Their means.
    floor_ : matplotlib Line2D
        The floor.

    See Also
    --------
    sksim.inference.replicate_test : Makes the result that is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.plot import ReplicatesDisplay
    >>> rng = np.random.default_rng(0)
    >>> shared, own = rng.normal(size=(2, 40, 5))
    >>> noise = 0.5 * rng.normal(size=(8, 40, 5))
    >>> display = ReplicatesDisplay.from_representations(
    ...     "CKA", list(shared + noise[:4]), list(shared + own + noise[4:])
    ... ).plot()
    >>> [label.get_text() for label in display.ax_.get_xticklabels()]
    ['within X', 'between', 'within y']
    """

    def __init__(self, *, pairs, floor, pvalue, output="score"):
        self.pairs = pairs
        self.floor = floor
        self.pvalue = pvalue
        self.output = output

    @classmethod
    def from_result(cls, result: ReplicateTestResult) -> Self:
        """Display of a test's result.

        Parameters
        ----------
        result : ReplicateTestResult
            Result of :func:`sksim.inference.replicate_test`.

        Returns
        -------
        display : ReplicatesDisplay
            Not drawn yet: call ``plot``.
        """
        return cls(
            pairs=result.pairs,
            floor=result.floor,
            pvalue=result.pvalue,
            output=result.output,
        )

    @classmethod
    def from_representations(
        cls, measure: Measure, Xs: Layers, ys: Layers, **params: object
    ) -> Self:
        """Display of the test of two kinds of replicates.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name.
        Xs, ys : dict or list of array-like
            Replicates of each kind.
        **params : dict
            Parameters of :func:`sksim.inference.replicate_test`.

        Returns
        -------
        display : ReplicatesDisplay
            Not drawn yet: call ``plot``.
        """
        return cls.from_result(replicate_test(measure, Xs, ys, **params))

    def plot(self, ax: Axes | None = None, *, name: str | None = None) -> Self:
        """Draw a point for each pair, the means and the floor.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        name : str, default=None
            Title, such as the measure's name.

        Returns
        -------
        display : ReplicatesDisplay
            The display itself, with the artists it drew.
        """
        ax = axes_or_new(ax, self)
        self.points_, self.means_, labels = [], [], []
        for relation, label in _COLUMNS.items():
            values = self.pairs.loc[self.pairs["relation"] == relation, "value"]
            if len(values):
                self._draw_column(ax, len(labels), values.to_numpy(), relation)
                labels.append(label)
        self.floor_ = ax.axhline(self.floor, color="0.5", linestyle="--", label="floor")
        ax.set_xticks(range(len(labels)), labels)
        ax.set_xlim(-0.5, len(labels) - 0.5)
        ax.set_ylabel(self.output)
        ax.legend(title=f"p = {self.pvalue:.3g}", fontsize="small", handlelength=2)
        if name is not None:
            ax.set_title(name)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_column(self, ax, place, values, relation):
        """Points of one relation side by side, and their mean."""
        color = "C3" if relation == "between" else "C0"
        # in the order of their values, so that points that are near do not overlap
        aside = np.empty(len(values))
        aside[np.argsort(values)] = np.linspace(-0.2, 0.2, len(values) + 2)[1:-1]
        points = ax.scatter(place + aside, values, s=16, color=color, alpha=0.6)
        self.points_.append(points)
        ends = place - 0.3, place + 0.3
        self.means_.append(ax.hlines(values.mean(), *ends, color=color))
