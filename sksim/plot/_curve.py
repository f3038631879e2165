"""Picture of a measure of neighbours over their number."""

from typing import Self

import numpy as np

from sksim._typing import ArrayLike, Axes, Measure
from sksim.pairwise import AlignmentCurveResult, alignment_curve
from sksim.plot._axes import axes_or_new


class AlignmentCurveDisplay:
    """Scores over the number of neighbours, with what chance gives.

    Parameters
    ----------
    table : DataFrame
        As of :class:`sksim.pairwise.AlignmentCurveResult`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    lines_ : list of matplotlib Line2D
        One line for each number of rows.

    See Also
    --------
    sksim.pairwise.alignment_curve : Makes the result that is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import MutualKNN
    >>> from sksim.plot import AlignmentCurveDisplay
    >>> X, y = np.random.default_rng(0).normal(size=(2, 60, 3))
    >>> display = AlignmentCurveDisplay.from_representations(MutualKNN(), X, y).plot()
    >>> len(display.lines_), display.ax_.get_xlabel()
    (1, 'neighbours')
    """

    def __init__(self, *, table):
        self.table = table

    @classmethod
    def from_result(cls, result: AlignmentCurveResult) -> Self:
        """Display of a curve.

        Parameters
        ----------
        result : AlignmentCurveResult
            Result of :func:`sksim.pairwise.alignment_curve`.

        Returns
        -------
        display : AlignmentCurveDisplay
            Not drawn yet: call ``plot``.
        """
        return cls(table=result.table)

    @classmethod
    def from_representations(
        cls, measure: Measure, X: ArrayLike, y: ArrayLike, **params: object
    ) -> Self:
        """Display of the curve of two representations.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name.
        X : array-like of shape (n_samples, n_features)
            First representation.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same rows.
        **params : dict
            Parameters of :func:`sksim.pairwise.alignment_curve`.

        Returns
        -------
        display : AlignmentCurveDisplay
            Not drawn yet: call ``plot``.
        """
        return cls.from_result(alignment_curve(measure, X, y, **params))

    def plot(self, ax: Axes | None = None, *, name: str | None = None) -> Self:
        """Draw scores as lines, and what chance gives as dashes of the same colour.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        name : str, default=None
            Title, such as the measure's name.

        Returns
        -------
        display : AlignmentCurveDisplay
            The display itself, with the artists it drew.
        """
        ax = axes_or_new(ax, self)
        self.lines_ = []
        for size, part in self.table.groupby("n_samples", sort=False):
            k, score = part["n_neighbors"].to_numpy(), part["score"].to_numpy()
            (line,) = ax.plot(k, score, marker=".", label=f"{size} rows")
            self.lines_.append(line)
            spread = part["deviation"].to_numpy()
            if np.isfinite(spread).all():
                low, high = score - spread, score + spread
                ax.fill_between(k, low, high, color=line.get_color(), alpha=0.2)
            ax.plot(k, part["null_mean"], linestyle="--", color=line.get_color())
        ax.set_xscale("log")
        ax.set_xlabel("neighbours")
        ax.set_ylabel("score (dashed: by chance)")
        if name is not None:
            ax.set_title(name)
        ax.legend(fontsize="small", handlelength=1)
        self.ax_, self.figure_ = ax, ax.figure
        return self
