"""Picture of how measures do in tests: ranks with limits above, values below."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from sksim._optional import import_extra
from sksim._sklearn_compat import StrOptions, validate_params
from sksim.evaluation import MeasureTable


class MeasureRanksDisplay:
    """Mean ranks of measures with their limits, and a heat map of values below.

    Parameters
    ----------
    ranks : DataFrame
        Mean ranks, as of :meth:`sksim.evaluation.MeasureTable.ranks`, the best first.
    values : DataFrame of shape (n_tests, n_measures)
        The main metric of each test; nan where a measure has none.

    Attributes
    ----------
    ax_ : ndarray of two matplotlib Axes
        Axes of the ranks and of the values.
    figure_ : matplotlib Figure
        Figure of the picture.
    points_ : matplotlib ErrorbarContainer
        The ranks.
    im_ : matplotlib AxesImage
        The values.

    See Also
    --------
    sksim.evaluation.evaluate_measures : Makes the table that is drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.datasets import ModelZoo
    >>> from sksim.evaluation import evaluate_measures
    >>> from sksim.plot import MeasureRanksDisplay
    >>> rng = np.random.default_rng(0)
    >>> layers = {name: {"last": rng.normal(size=(20, 4))} for name in "abcdef"}
    >>> levels = [0, 0, 0, 1, 1, 1]
    >>> records = {"model_id": list(layers), "part": "labels", "level": levels}
    >>> zoo = ModelZoo.from_arrays(records, layers)
    >>> table = evaluate_measures(["CKA", "RSA"], zoo, tests=["labels"])
    >>> display = MeasureRanksDisplay.from_table(table).plot()
    >>> [label.get_text() for label in display.ax_[1].get_yticklabels()]
    ['labels']
    """

    def __init__(self, *, ranks, values):
        self.ranks = ranks
        self.values = values

    @classmethod
    @validate_params(
        {"family": [StrOptions({"representational", "functional"})]},
        prefer_skip_nested_validation=True,
    )
    def from_table(
        cls,
        table: MeasureTable,
        *,
        family: str = "representational",
        tests: Sequence[str] | None = None,
        n_draws: int = 1000,
        random_state: int = 0,
    ) -> Self:
        """Display of a table.

        Parameters
        ----------
        table : MeasureTable
            Of :func:`sksim.evaluation.evaluate_measures`.
        family : {"representational", "functional"}, default="representational"
            Which measures; controls are among both.
        tests : list of str, default=None
            Which tests; None for all but "null_drift", of which less is better.
        n_draws : int, default=1000
            Draws behind the limits of ranks.
        random_state : int, default=0
            Seed of the draws.

        Returns
        -------
        display : MeasureRanksDisplay
            Not drawn yet: call ``plot``.
        """
        settings = {"tests": tests, "n_draws": n_draws, "random_state": random_state}
        ranks = table.ranks(by="mean", **settings)
        ranks = ranks[ranks["family"] == family].reset_index(drop=True)
        if not len(ranks):
            raise ValueError(
                f"The table has no {family} measures: family= names the other family."
            )
        known = table.ranks(**{**settings, "n_draws": 1})
        known = known.loc[known["family"] == family, "test"].unique()
        # a mean over kinds of data, as the ranks are
        values = table.to_frame().groupby(level="measure", sort=False).mean()
        order = [test for test in values.columns if test in set(known)]
        return cls(ranks=ranks, values=values.loc[ranks["measure"], order].T)

    def plot(self, axes: Any = None, *, cmap: str = "viridis") -> Self:
        """Draw ranks and values.

        Parameters
        ----------
        axes : two matplotlib Axes, default=None
            Where to draw ranks and values; None for a new figure.
        cmap : str or matplotlib Colormap, default="viridis"
            Colours of the values.

        Returns
        -------
        display : MeasureRanksDisplay
            This display, with its attributes.
        """
        plt = import_extra(
            "matplotlib.pyplot", extra="report", needed_by="MeasureRanksDisplay"
        )

        n_tests, n_measures = self.values.shape
        if axes is None:
            _, axes = plt.subplots(
                2,
                1,
                sharex=True,
                figsize=(min(3.5 + 0.3 * n_measures, 24), 4 + 0.3 * n_tests),
                height_ratios=(2, max(1, 0.25 * n_tests)),
                layout="constrained",
            )
        above, below = axes
        rank = self.ranks["rank"].to_numpy()
        limits = [rank - self.ranks["low"], self.ranks["high"] - rank]
        places = np.arange(n_measures)
        self.points_ = above.errorbar(
            places, rank, yerr=limits, fmt="o", color="C0", ecolor="0.6", markersize=4
        )
        above.set_ylabel("mean rank (1: best)")
        above.invert_yaxis()
        self.im_ = below.imshow(
            self.values.to_numpy(dtype=float),
            cmap=cmap,
            vmin=0,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
        )
        below.set_xticks(places, list(self.ranks["measure"]))
        below.set_yticks(range(n_tests), list(self.values.index))
        plt.setp(
            below.get_xticklabels(), rotation=60, ha="right", rotation_mode="anchor"
        )
        below.tick_params(length=0)
        bar = below.figure.colorbar(self.im_, ax=below, label="value of the metric")
        bar.outline.set_visible(False)
        self.ax_, self.figure_ = np.array([above, below]), above.figure
        return self
