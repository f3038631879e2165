"""Picture of what a score is made of."""

from typing import Self

import numpy as np
import pandas as pd

from sksim._typing import ArrayLike, Axes, Measure
from sksim.discovery import check_measure
from sksim.plot._axes import axes_or_new


class ContributionsDisplay:
    """Parts of a score: pairs of components or classes as cells, rows as bars.

    Parameters
    ----------
    table : DataFrame
        Parts that add up to the score, as ``contributions`` of a measure gives them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    im_ : matplotlib AxesImage or None
        The cells; None where bars are drawn.
    bars_ : matplotlib BarContainer or None
        The bars, from the largest part on; None where cells are drawn.

    See Also
    --------
    sksim.rsm.CKA.contributions : Makes the table.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.plot import ContributionsDisplay
    >>> from sksim.rsm import CKA
    >>> X, y = np.random.default_rng(0).normal(size=(2, 60, 3))
    >>> display = ContributionsDisplay.from_representations(CKA(), X, y).plot()
    >>> display.ax_.get_xlabel(), display.im_.get_array().shape
    ('y component', (3, 3))
    """

    def __init__(self, *, table):
        self.table = table

    @classmethod
    def from_table(cls, table: pd.DataFrame) -> Self:
        """Display of parts that have been computed.

        Parameters
        ----------
        table : DataFrame
            What ``contributions`` of a measure returned.

        Returns
        -------
        display : ContributionsDisplay
            Not drawn yet: call ``plot``.
        """
        return cls(table=table)

    @classmethod
    def from_representations(
        cls,
        measure: Measure,
        X: ArrayLike,
        y: ArrayLike,
        *,
        by: str = "components",
        y_true: ArrayLike | None = None,
    ) -> Self:
        """Display of the parts of the similarity of two representations.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name: one with the method ``contributions``.
        X : array-like of shape (n_samples, n_features)
            First representation.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same rows.
        by : {"components", "rows", "classes"}, default="components"
            What the parts belong to.
        y_true : array-like of shape (n_samples,), default=None
            Classes of the rows, for ``by="classes"``.

        Returns
        -------
        display : ContributionsDisplay
            Not drawn yet: call ``plot``.

        Raises
        ------
        ValueError
            If the measure has no method ``contributions``.
        """
        measure = check_measure(measure)
        if not hasattr(measure, "contributions"):
            raise ValueError(
                f"{type(measure).__name__} has no contributions: its value is no sum "
                "of parts that are known. Take CKA, RSA, OrthogonalProcrustes or "
                "AngularShapeMetric."
            )
        options = {"by": by, "y_true": y_true, "with_influence": False}
        return cls.from_table(measure.contributions(X, y, **options))

    def plot(
        self, ax: Axes | None = None, *, n_parts: int = 10, name: str | None = None
    ) -> Self:
        """Draw the largest parts, and say how much of the whole they are.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        n_parts : int, default=10
            Bars, those of the largest parts; or components of either side that have
            cells. All pairs of classes have cells.
        name : str, default=None
            What the parts are of, such as "CKA", for the title.

        Returns
        -------
        display : ContributionsDisplay
            The display itself, with the artists it drew.
        """
        ax = axes_or_new(ax, self)
        draw = self._draw_bars if "part" in self.table else self._draw_cells
        shown, whole = draw(ax, n_parts)
        title = f"{whole:.3g}" if name is None else f"{name} {whole:.3g}"
        if shown is not None:
            title += f",\nof which {shown:.3g} here"
        ax.set_title(title)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_cells(self, ax, n_parts):
        table, names = self.table, (self.table.index.name, self.table.columns.name)
        is_cut = names[0] == "X component" and max(table.shape) > n_parts
        shown = table.iloc[:n_parts, :n_parts] if is_cut else table
        parts = shown.to_numpy(dtype=float)
        # zero is in the middle of the colours, as parts may be negative
        largest = float(np.abs(parts).max())
        limits = {"vmin": -largest, "vmax": largest}
        self.im_, self.bars_ = ax.imshow(parts, cmap="RdBu_r", **limits), None
        ax.figure.colorbar(self.im_, ax=ax, label="part")
        ax.set_yticks(range(len(shown)), list(map(str, shown.index)))
        ax.set_xticks(range(shown.shape[1]), list(map(str, shown.columns)))
        ax.set(xlabel=names[1], ylabel=names[0])
        return parts.sum() if is_cut else None, table.to_numpy().sum()

    def _draw_bars(self, ax, n_parts):
        parts = self.table["part"]
        order = np.argsort(-np.abs(parts.to_numpy()), kind="stable")
        shown = parts.iloc[order[:n_parts]]
        places = range(len(shown))
        self.im_, self.bars_ = None, ax.barh(places, shown)
        ax.set_yticks(places, list(map(str, shown.index)))
        ax.invert_yaxis()
        ax.set(xlabel="part", ylabel=parts.index.name)
        is_cut = len(shown) < len(parts)
        return shown.sum() if is_cut else None, parts.sum()
