"""Both views of the same rows in one picture."""

from typing import Self

import numpy as np
from sklearn.utils import check_array

from sksim._optional import import_extra
from sksim._typing import ArrayLike, Axes, Model
from sksim.arrays._linalg import centered, refuse_constant, thin_svd
from sksim.base._readable import missing_named
from sksim.base._row_names import refuse_other_rows
from sksim.base._validation import check_same_length
from sksim.models._last_layers import layers_of_two
from sksim.pairwise._inputs import refuse_order_of_its_own


class RepresentationDisplay:
    """Two representations of the same rows in a common plane.

    Both are centred and scaled to unit norm; the first is turned onto the second by the
    best orthogonal map, and both are projected onto the plane in which they vary most.
    A line joins the two views of a row: the shorter the lines, the more alike.

    Parameters
    ----------
    points_x, points_y : ndarray of shape (n_samples, 2)
        Rows of both views in the plane.
    share : float
        Share of both views' variance that the plane shows.
    labels : ndarray of shape (n_samples,), default=None
        Class of each row.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.

    See Also
    --------
    sksim.alignment.OrthogonalProcrustes : The distance that remains.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.plot import RepresentationDisplay
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(30, 2))
    >>> turned = X @ [[0, 1], [-1, 0]] + 5
    >>> display = RepresentationDisplay.from_representations(X, turned)
    >>> bool(np.allclose(display.points_x, display.points_y))
    True
    """

    def __init__(self, *, points_x, points_y, share, labels=None):
        self.points_x = points_x
        self.points_y = points_y
        self.share = share
        self.labels = labels

    @classmethod
    def from_representations(
        cls, X: ArrayLike, y: ArrayLike, *, labels: ArrayLike | None = None
    ) -> Self:
        """Display of two representations.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            First representation.
        y : array-like of shape (n_samples, n_features_y)
            Second representation of the same rows.
        labels : array-like of shape (n_samples,), default=None
            Class of each row, which gives its colour.

        Returns
        -------
        display : RepresentationDisplay
            Not drawn yet: call ``plot``.
        """
        refuse_other_rows(X=X, y=y, labels=labels)
        with missing_named(X, "X"):
            X = check_array(X, dtype=float, input_name="X")
        with missing_named(y, "y"):
            y = check_array(y, dtype=float, input_name="y")
        check_same_length(X, y)
        A, B = _unit(X, "x"), _unit(y, "y")
        U, _, Vt = thin_svd(A.T @ B, xp=np)
        aligned = (A @ U) @ Vt
        _, s, axes = thin_svd(np.concatenate([aligned, B]), xp=np)
        if len(axes) == 1:
            axes = np.concatenate([axes, np.zeros_like(axes)])
        plane = axes[:2].T
        if labels is not None:
            labels = np.asarray(labels)
            if labels.shape != (len(A),):
                raise ValueError(
                    f"labels has the shape {labels.shape}, but there are {len(A)} "
                    "rows: pass one label for each row."
                )
        return cls(
            points_x=aligned @ plane,
            points_y=B @ plane,
            share=float(np.sum(s[:2] ** 2) / np.sum(s**2)),
            labels=labels,
        )

    @classmethod
    def from_estimators(
        cls,
        a: Model,
        b: Model,
        data: ArrayLike,
        *,
        layer: str | tuple[str, str] | None = None,
        labels: ArrayLike | None = None,
    ) -> Self:
        """Display of one layer of two fitted models.

        Parameters
        ----------
        a, b : fitted models
            The models.
        data : array-like of shape (n_samples, n_features)
            Rows that both models are applied to.
        layer : str or tuple of two str, default=None
            Name of the layer, or of that of a and that of b; None for the last before
            the models' answers.
        labels : array-like of shape (n_samples,), default=None
            Class of each row, which gives its colour.

        Returns
        -------
        display : RepresentationDisplay
            Not drawn yet: call ``plot``.
        """
        refuse_other_rows(data=data, labels=labels)
        refuse_order_of_its_own(data, labels=labels)
        views = layers_of_two(a, b, data, layer)
        return cls.from_representations(*views, labels=labels)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        names: tuple[str, str] = ("X", "y"),
        lines: bool = True,
        size: float = 18,
        title: str | None = None,
    ) -> Self:
        """Draw both views.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        names : tuple of two str, default=("X", "y")
            What the views are called.
        lines : bool, default=True
            Whether to join the two views of each row.
        size : float, default=18
            Size of the markers.
        title : str, default=None
            Title of the picture.

        Returns
        -------
        display : RepresentationDisplay
            This display, with its attributes.
        """
        plt = import_extra(
            "matplotlib.pyplot", extra="report", needed_by="RepresentationDisplay"
        )
        from matplotlib.collections import LineCollection
        from matplotlib.lines import Line2D

        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        ink = plt.rcParams["text.color"]
        colors, legend = self._colors(plt)
        if lines:
            pairs = np.stack([self.points_x, self.points_y], axis=1)
            ax.add_collection(
                LineCollection(pairs, colors=colors, linewidths=0.6, alpha=0.5)
            )
        ax.scatter(*self.points_x.T, c=colors, s=size, linewidths=0)
        ax.scatter(
            *self.points_y.T, facecolors="none", edgecolors=colors, s=size, marker="s"
        )
        shapes = [
            Line2D([], [], color=ink, marker="o", linestyle="", label=names[0]),
            Line2D(
                [], [], color=ink, marker="s", linestyle="", label=names[1], mfc="none"
            ),
        ]
        ax.legend(
            handles=shapes + legend,
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
            fontsize="small" if len(legend) <= 6 else "x-small",
            labelspacing=0.25,
            handletextpad=0.1,
            borderpad=0,
        )
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_xlabel(f"{self.share:.0%} of the variance", fontsize="small")
        if title is not None:
            ax.set_title(title)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _colors(self, plt):
        """Colour of each row, and legend entries of the classes."""
        from matplotlib.lines import Line2D

        if self.labels is None:
            return ["C0"] * len(self.points_x), []
        classes, index = np.unique(self.labels, return_inverse=True)
        cmap = plt.get_cmap("tab10" if len(classes) <= 10 else "turbo")
        palette = (
            [cmap(k) for k in range(len(classes))]
            if len(classes) <= 10
            else [cmap(k / (len(classes) - 1)) for k in range(len(classes))]
        )
        legend = []
        if len(classes) <= 12:
            legend = [
                Line2D([], [], color=color, marker="o", linestyle="", label=str(name))
                for name, color in zip(classes, palette, strict=True)
            ]
        return [palette[i] for i in index], legend


def _unit(X, role):
    """Centred rows of unit norm."""
    rows, _, _, squared_norm = centered(X, xp=np)
    refuse_constant(squared_norm, role)
    return rows / squared_norm**0.5
