"""Heat map of a matrix of similarities."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import pandas as pd

from sksim._optional import import_extra
from sksim._typing import ArrayLike, Axes, Layers, Measure, Model, RandomState
from sksim.inference import similarity_matrix_test
from sksim.models._last_layers import layers_of_each
from sksim.pairwise import similarity_matrix
from sksim.pairwise._inputs import refuse_order_of_its_own


class SimilarityMatrixDisplay:
    """Heat map of a matrix of similarities, layer by layer or model by model.

    Light is similar: of distances, the colours are reversed.

    Parameters
    ----------
    matrix : DataFrame
        Similarities or distances, with names.
    pvalues : DataFrame or ndarray, default=None
        P-value of each cell, for marks of significance.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    im_ : matplotlib AxesImage
        The cells.
    text_ : ndarray of matplotlib Text or None
        The numbers in the cells; None if there are none.

    See Also
    --------
    sksim.pairwise.similarity_matrix : Makes the matrix.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.plot import SimilarityMatrixDisplay
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> layers = {"first": rng.normal(size=(30, 4)), "second": rng.normal(size=(30, 6))}
    >>> display = SimilarityMatrixDisplay.from_representations(CKA(), layers).plot()
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['first', 'second']
    """

    def __init__(self, *, matrix, pvalues=None):
        self.matrix = matrix
        self.pvalues = pvalues

    @classmethod
    def from_matrix(
        cls,
        matrix: pd.DataFrame | ArrayLike,
        *,
        pvalues: pd.DataFrame | ArrayLike | None = None,
    ) -> Self:
        """Display of a matrix that has been computed.

        Parameters
        ----------
        matrix : DataFrame or array-like of shape (n_rows, n_columns)
            Similarities or distances; ``attrs["orientation"]`` of a DataFrame tells.
        pvalues : DataFrame or array-like of the same shape, default=None
            P-value of each cell.

        Returns
        -------
        display : SimilarityMatrixDisplay
            Not drawn yet: call ``plot``.
        """
        if not isinstance(matrix, pd.DataFrame):
            matrix = pd.DataFrame(np.asarray(matrix, dtype=float))
        if pvalues is not None:
            pvalues = np.asarray(pvalues, dtype=float)
            if pvalues.shape != matrix.shape:
                raise ValueError(
                    f"pvalues has the shape {pvalues.shape} and matrix {matrix.shape}: "
                    "each cell needs one p-value."
                )
        return cls(matrix=matrix, pvalues=pvalues)

    @classmethod
    def from_representations(
        cls,
        measure: Measure,
        Xs: Layers,
        Ys: Layers | None = None,
        *,
        y_true: ArrayLike | None = None,
        n_permutations: int = 0,
        random_state: RandomState | None = None,
        n_jobs: int | None = None,
    ) -> Self:
        """Display of all layers compared with all layers.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name.
        Xs : dict of str to array, or list of arrays
            The layers, in rows of the picture.
        Ys : dict or list, default=None
            The layers in columns; None for those of Xs.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.
        n_permutations : int, default=0
            Permutations behind marks of significance, see
            :func:`sksim.inference.similarity_matrix_test`; 0 for no marks. P-values
            are corrected for the number of cells.
        random_state : int, RandomState instance or None, default=None
            Seed of the permutations.
        n_jobs : int, default=None
            Number of parallel jobs.

        Returns
        -------
        display : SimilarityMatrixDisplay
            Not drawn yet: call ``plot``.
        """
        matrix = similarity_matrix(
            measure, Xs, Ys, y_true=y_true, n_jobs=n_jobs, output="statistic"
        )
        if not n_permutations:
            return cls(matrix=matrix)
        pvalues = similarity_matrix_test(
            measure,
            Xs,
            Ys,
            y_true=y_true,
            n_permutations=n_permutations,
            random_state=random_state,
            n_jobs=n_jobs,
        ).pvalues_corrected
        if Ys is None:
            # each pair of one set is tested once; a layer with itself is not
            pvalues = np.fmin(pvalues, pvalues.T)
        return cls.from_matrix(matrix, pvalues=pvalues)

    @classmethod
    def from_estimators(
        cls,
        measure: Measure,
        a: Model,
        b: Model,
        data: ArrayLike,
        *,
        layers: str | Sequence[str] | None = None,
        y_true: ArrayLike | None = None,
        n_permutations: int = 0,
        random_state: RandomState | None = None,
    ) -> Self:
        """Display of the layers of one fitted model against those of another.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name.
        a, b : fitted models
            The models of the rows and of the columns; None for b compares a with
            itself.
        data : array-like of shape (n_samples, n_features), or loader
            Rows that both models are applied to. Networks see each batch together, and
            their maps and tokens are averaged.
        layers : str or list of str, default=None
            Names or patterns of layers, see
            :func:`sksim.models.extract_representations`.
        y_true : array-like of shape (n_samples,), default=None
            True labels, for measures that use them.
        n_permutations : int, default=0
            Permutations behind marks of significance; 0 for no marks.
        random_state : int, RandomState instance or None, default=None
            Seed of the permutations.

        Returns
        -------
        display : SimilarityMatrixDisplay
            Not drawn yet: call ``plot``.
        """
        refuse_order_of_its_own(data, y_true=y_true)
        Xs, *others = layers_of_each([a] if b is None else [a, b], data, layers)
        Ys = others[0] if others else None
        return cls.from_representations(
            measure,
            Xs,
            Ys,
            y_true=y_true,
            n_permutations=n_permutations,
            random_state=random_state,
        )

    def plot(
        self,
        ax: Axes | None = None,
        *,
        cmap: str = "viridis",
        include_values: bool | None = None,
        values_format: str = ".2f",
        colorbar: bool = True,
        emphasize_diagonal: bool = True,
        alpha: float = 0.05,
        title: str | None = None,
    ) -> Self:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours from dissimilar to similar.
        include_values : bool, default=None
            Whether to write the numbers into the cells; None writes them if they turn
            out to be readable.
        values_format : str, default=".2f"
            Format of the numbers.
        colorbar : bool, default=True
            Whether to draw the scale.
        emphasize_diagonal : bool, default=True
            Whether to frame the diagonal of a square matrix: corresponding layers.
        alpha : float, default=0.05
            Cells with smaller p-values are marked by a star, if there are p-values.
        title : str, default=None
            Title of the picture.

        Returns
        -------
        display : SimilarityMatrixDisplay
            This display, with its attributes.
        """
        plt = import_extra(
            "matplotlib.pyplot", extra="report", needed_by="SimilarityMatrixDisplay"
        )

        values = self.matrix.to_numpy(dtype=float)
        n_rows, n_columns = values.shape
        if ax is None:
            width = min(max(2.4 + 0.5 * n_columns, 3.4), 11)
            height = min(max(1.4 + 0.5 * n_rows, 2.4), 10)
            _, ax = plt.subplots(figsize=(width, height), layout="constrained")
        is_distance = self.matrix.attrs.get("orientation") == "distance"
        colors = plt.get_cmap(cmap)
        colors = colors.reversed() if is_distance else colors
        self.im_ = ax.imshow(values, cmap=colors, interpolation="nearest")
        ax.set_xticks(range(n_columns), [str(name) for name in self.matrix.columns])
        ax.set_yticks(range(n_rows), [str(name) for name in self.matrix.index])
        plt.setp(ax.get_xticklabels(), rotation=45, ha="right", rotation_mode="anchor")
        ax.tick_params(length=0)
        for spine in ax.spines.values():
            spine.set_visible(False)
        if colorbar:
            meaning = "distance" if is_distance else "similarity"
            beside = ax.inset_axes((1 + 0.25 / n_columns, 0, 0.35 / n_columns, 1))
            bar = ax.figure.colorbar(self.im_, cax=beside, label=meaning)
            bar.outline.set_visible(False)
        if title is not None:
            ax.set_title(title)
        self.ax_, self.figure_ = ax, ax.figure
        self._fit_tick_labels()
        self.text_ = None
        if include_values is not False:
            self.text_ = self._write(values, values_format, alpha, include_values)
        elif self.pvalues is not None:
            self._star(values, alpha)
        if emphasize_diagonal and n_rows == n_columns:
            self._frame_diagonal(values)
        return self

    def _fit_tick_labels(self):
        """Names no larger than the rows and columns they name."""
        from sksim.plot._when_drawn import JustBefore, cell_in_points

        labels = [*self.ax_.get_xticklabels(), *self.ax_.get_yticklabels()]
        sizes = [label.get_fontsize() for label in labels]

        def fit(renderer):
            fitting = max(4.5, 0.8 * cell_in_points(self.ax_))
            for label, size in zip(labels, sizes, strict=True):
                label.set_fontsize(min(size, fitting))

        self.figure_.draw_without_rendering()
        fit(None)
        self.ax_.add_artist(JustBefore(fit))

    def _ink(self, value):
        """Black or white, whichever reads better on a cell's colour."""
        red, green, blue, _ = self.im_.cmap(self.im_.norm(value))
        return "black" if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"

    def _is_significant(self, i, j, alpha):
        return self.pvalues is not None and self.pvalues[i, j] < alpha

    def _write(self, values, values_format, alpha, include_values):
        from sksim.plot._when_drawn import CellText

        texts = np.empty(values.shape, dtype=object)
        for (i, j), value in np.ndenumerate(values):
            if not np.isfinite(value):
                continue
            star = "*" if self._is_significant(i, j, alpha) else ""
            text = CellText(
                j,
                i,
                f"{value:{values_format}}{star}",
                color=self._ink(value),
                always=include_values is True,
            )
            texts[i, j] = self.ax_.add_artist(text)
        return texts

    def _star(self, values, alpha):
        for (i, j), value in np.ndenumerate(values):
            if self._is_significant(i, j, alpha):
                self.ax_.text(
                    j, i, "*", ha="center", va="center", color=self._ink(value)
                )

    def _frame_diagonal(self, values):
        from matplotlib.patches import Rectangle

        for i, value in enumerate(np.diag(values)):
            frame = Rectangle(
                (i - 0.44, i - 0.44),
                0.88,
                0.88,
                fill=False,
                linewidth=1.2,
                edgecolor=self._ink(value) if np.isfinite(value) else "gray",
            )
            self.ax_.add_patch(frame)
