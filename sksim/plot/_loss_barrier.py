"""Picture of the loss on the way from one network to another."""

from collections.abc import Mapping
from typing import Self

import numpy as np

from sksim._typing import ArrayLike, Axes, Model
from sksim.plot._axes import axes_or_new
from sksim.structural import LossBarrier


class LossBarrierDisplay:
    """Losses on the straight way between two networks, and the line to beat.

    Parameters
    ----------
    points : array of shape (n_points,)
        Where on the way, from 0 to 1.
    curves : dict of str to array of shape (n_points,)
        Losses by the name of the way.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    lines_ : list of matplotlib Line2D
        One line for each way.

    See Also
    --------
    sksim.structural.LossBarrier : Computes the losses.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sksim.plot import LossBarrierDisplay
    >>> X, y = load_iris(return_X_y=True)
    >>> a, b = (
    ...     MLPClassifier((16,), max_iter=2000, random_state=seed).fit(X, y)
    ...     for seed in (0, 1)
    ... )
    >>> display = LossBarrierDisplay.from_models(a, b, X, y).plot()
    >>> [line.get_label() for line in display.lines_]
    ['units as they are', 'units matched']
    """

    def __init__(self, *, points, curves):
        self.points = points
        self.curves = curves

    @classmethod
    def from_measure(cls, measure: LossBarrier, name: str = "loss") -> Self:
        """Display of a fitted measure's way.

        Parameters
        ----------
        measure : LossBarrier
            Fitted.
        name : str, default="loss"
            Name of the way in the legend.

        Returns
        -------
        display : LossBarrierDisplay
            Not drawn yet: call ``plot``.
        """
        return cls(points=measure.points_, curves={name: measure.curve_})

    @classmethod
    def from_models(
        cls,
        model_x: Model,
        model_y: Model,
        data: ArrayLike,
        y_true: ArrayLike,
        **params: object,
    ) -> Self:
        """Display of both ways, with units as they are and with units matched.

        Parameters
        ----------
        model_x, model_y : fitted networks
            As :class:`sksim.structural.LossBarrier` takes them.
        data : array-like of shape (n_samples, n_features)
            Rows that the loss is computed on.
        y_true : array-like of shape (n_samples,)
            Their true labels.
        **params : dict
            Parameters of :class:`sksim.structural.LossBarrier`.

        Returns
        -------
        display : LossBarrierDisplay
            Not drawn yet: call ``plot``.
        """
        rows = model_x, model_y, data, y_true
        matched = LossBarrier(**params).fit(*rows)
        before = LossBarrier(**(params | {"matching": None})).fit(*rows)
        curves = {"units as they are": before.curve_, "units matched": matched.curve_}
        return cls(points=matched.points_, curves=curves)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        ends: Mapping[str, str] | None = None,
    ) -> Self:
        """Draw each way as a line, and the line between its ends as dashes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        name : str, default=None
            Title.
        ends : mapping of {"x", "y"} to str, default=None
            Names of the two networks, for the ticks at both ends.

        Returns
        -------
        display : LossBarrierDisplay
            The display itself, with the artists it drew.
        """
        ax = axes_or_new(ax, self)
        self.lines_ = []
        for label, curve in self.curves.items():
            (line,) = ax.plot(self.points, curve, marker=".", label=label)
            self.lines_.append(line)
            both = np.asarray(curve)[[0, -1]]
            ax.plot([0, 1], both, linestyle="--", color=line.get_color())
        ends = {"x": "first", "y": "second"} | dict(ends or {})
        ax.set_xticks([0, 0.5, 1], [ends["x"], "mean", ends["y"]])
        ax.set_ylabel("loss")
        if name is not None:
            ax.set_title(name)
        ax.legend(fontsize="small", handlelength=1)
        self.ax_, self.figure_ = ax, ax.figure
        return self
