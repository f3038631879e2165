"""Picture of models against many subjects."""

from typing import Self

import numpy as np

from sksim._typing import ArrayLike, Axes, Layers, Measure
from sksim.inference import GroupSimilarityResult, similarity_to_group
from sksim.plot._axes import axes_or_new

# Above the highest bar, as parts of the height of the picture.
_STEP = 0.055


class GroupSimilarityDisplay:
    """Bars of models' similarities to a group, its ceilings, and what differs.

    Parameters
    ----------
    table : DataFrame
        A row for each model, as of ``GroupSimilarityResult.to_frame``.
    pairs : DataFrame
        A row for each pair of models.
    values : DataFrame of shape (n_subjects, n_models)
        Scores of each subject.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure of the picture.
    bars_ : matplotlib BarContainer
        Means of the models.
    ceiling_ : matplotlib Rectangle or None
        Band from the lower to the upper noise ceiling.
    brackets_ : list of matplotlib Line2D
        One for each pair that differs.

    See Also
    --------
    sksim.inference.similarity_to_group : Makes the result that is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.plot import GroupSimilarityDisplay
    >>> rng = np.random.default_rng(0)
    >>> common = rng.normal(size=(40, 8))
    >>> subjects = [common + 2 * rng.normal(size=(40, 8)) for _ in range(8)]
    >>> models = {"near": common, "other": common[::-1]}
    >>> display = GroupSimilarityDisplay.from_representations(
    ...     "RSA", models, subjects, random_state=0
    ... ).plot()
    >>> len(display.bars_), len(display.brackets_)
    (2, 1)
    """

    def __init__(self, *, table, pairs, values):
        self.table = table
        self.pairs = pairs
        self.values = values

    @classmethod
    def from_result(cls, result: GroupSimilarityResult) -> Self:
        """Display of a result.

        Parameters
        ----------
        result : GroupSimilarityResult
            Result of :func:`sksim.inference.similarity_to_group`.

        Returns
        -------
        display : GroupSimilarityDisplay
            Not drawn yet: call ``plot``.
        """
        return cls(table=result.to_frame(), pairs=result.pairs, values=result.values)

    @classmethod
    def from_representations(
        cls, measure: Measure, X: ArrayLike | Layers, ys: Layers, **params: object
    ) -> Self:
        """Display of models against subjects.

        Parameters
        ----------
        measure : estimator, class or str
            The measure, its class, or its name.
        X : array-like of shape (n_samples, n_features), or dict or list of these
            A model, or several candidates.
        ys : dict or list of array-like
            The subjects.
        **params : dict
            Parameters of :func:`sksim.inference.similarity_to_group`.

        Returns
        -------
        display : GroupSimilarityDisplay
            Not drawn yet: call ``plot``.
        """
        return cls.from_result(similarity_to_group(measure, X, ys, **params))

    def plot(
        self,
        ax: Axes | None = None,
        *,
        name: str | None = None,
        most_brackets: int = 12,
    ) -> Self:
        """Draw a bar for each model, with its interval and the subjects' points.

        Short dashes are what chance gives. Brackets join the pairs that differ: one
        star stands for an adjusted p-value of at most .05, two of .01, three of .001.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        name : str, default=None
            Title, such as the measure's name.
        most_brackets : int, default=12
            Most brackets: those of the smallest p-values, and the axis says how many
            pairs differ that have none.

        Returns
        -------
        display : GroupSimilarityDisplay
            The display itself, with the artists it drew.
        """
        ax = axes_or_new(ax, self)
        self._draw_ceiling(ax)
        self._draw_bars(ax)
        ax.set_xticks(range(len(self.table)), self.table.index)
        ax.set_ylabel("score")
        if name is not None:
            ax.set_title(name)
        self._draw_brackets(ax, most_brackets)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_ceiling(self, ax):
        low, high = self.table[["lower_ceiling", "upper_ceiling"]].iloc[0]
        self.ceiling_ = None
        if np.isfinite([low, high]).all():
            self.ceiling_ = ax.axhspan(
                low, high, color="0.85", zorder=0, label="noise ceiling"
            )
            ax.legend(fontsize="small", loc="best")

    def _draw_bars(self, ax):
        table, places = self.table, np.arange(len(self.table))
        means = table["mean"].to_numpy()
        limits = table["interval_low"], table["interval_high"]
        errors = np.abs(np.stack(limits) - means)
        self.bars_ = ax.bar(places, means, width=0.6, color="C0", alpha=0.7)
        ax.errorbar(places, means, yerr=errors, fmt="none", ecolor="black", capsize=3)
        for place, values in zip(places, self.values.to_numpy().T, strict=True):
            aside = np.linspace(-0.2, 0.2, len(values) + 2)[1:-1]
            ax.scatter(place + aside, values, s=8, color="0.35", zorder=3)
        chance = table["chance"].to_numpy()
        known = np.isfinite(chance)
        ends = places[known] - 0.35, places[known] + 0.35
        ax.hlines(chance[known], *ends, color="black", linestyle=":")

    def _draw_brackets(self, ax, most):
        """Lines over the pairs that differ, the nearest pairs lowest."""
        found = self.pairs[self.pairs["differ"].astype(bool)]
        found = found.nsmallest(most, "pvalue_adjusted")
        n_left = int(self.pairs["differ"].sum()) - len(found)
        places = {model: place for place, model in enumerate(self.table.index)}
        ends = [
            (places[a], places[b]) for a, b in found[["first", "second"]].to_numpy()
        ]
        order = sorted(range(len(ends)), key=lambda k: abs(ends[k][1] - ends[k][0]))
        low, high = ax.get_ylim()
        step = _STEP * (high - low)
        self.brackets_ = []
        for level, k in enumerate(order):
            height = high + level * step
            (line,) = ax.plot(ends[k], [height] * 2, color="black", linewidth=1)
            stars = _stars(found["pvalue_adjusted"].iloc[k])
            ax.text(np.mean(ends[k]), height, stars, ha="center", va="center")
            self.brackets_.append(line)
        ax.set_ylim(low, high + max(len(order), 0.5) * step)
        if n_left:
            ax.set_xlabel(f"{n_left} more pairs differ")


def _stars(pvalue):
    return "*" * (1 + (pvalue <= 0.01) + (pvalue <= 0.001))
