"""What one pass over the data says of all pairs of layers."""

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import pandas as pd

from sksim._results import Later, ResultMixin
from sksim._typing import Axes

if TYPE_CHECKING:
    from sksim.plot import SimilarityMatrixDisplay
else:  # which imports this sub-package
    SimilarityMatrixDisplay = object


@dataclass(frozen=True, kw_only=True)
class LayerSimilarityResult(ResultMixin):
    """Result of :func:`layer_similarity_matrix` and of :class:`LayerwiseSimilarity`.

    Where rows were kept, standard errors and p-values are found when they are first
    asked for; until then the result holds the rows.

    Attributes
    ----------
    scores : DataFrame of shape (n_layers, n_layers_b)
        Row i, column j: layer i of the first model against layer j of the second.
        ``scores.attrs`` says which measure it is and what a large number means.
    standard_error : DataFrame of the same shape, or None
        Spread of the scores between choices of the rows. Of rows by the jackknife, as
        :func:`sksim.inference.similarity_interval` has it; else from the spread between
        batches, and nan for one batch.
    z_scores : DataFrame of the same shape, or None
        Scores in standard deviations from the mean of their null distribution, under
        which rows of one model change places: all of them where rows were kept, and
        within batches where they were not.
    pvalues : DataFrame of the same shape, or None
        Of each cell by itself: how probable so large a score is by chance, from three
        exact moments of that distribution; never 0. nan where these do not describe it.
    log_pvalues : DataFrame of the same shape, or None
        Natural logarithms of the p-values, also where these are smaller than any number
        of double precision.
    pvalues_corrected : DataFrame of the same shape, or None
        p-values corrected for the number of cells by Westfall and Young's step-down
        over orders that were drawn; None without ``n_permutations``. Of one model
        against itself each pair counts once, and a layer with itself is nan.
    missing : dict of str to str
        Why "standard_error" or "pvalues" (with what belongs to them), or some of their
        cells, are not there, and what to do to have them.
    n_samples : int
        Number of rows.
    n_batches : int
        Number of batches.
    kept : {"grams", "moments", "rows", "sketches", "outputs"}
        What was kept during the pass; "outputs" stands for what measures of outputs
        need of them.
    left_out : dict of str to str
        Layers without a row for each input, and why they have none.
    measure : str
        The measure.
    notes : tuple of str
        What there is to say of the numbers.
    """

    scores: pd.DataFrame
    standard_error: pd.DataFrame | None = field(default=Later(), repr=False)
    z_scores: pd.DataFrame | None = field(default=Later(), repr=False)
    pvalues: pd.DataFrame | None = field(default=Later(), repr=False)
    log_pvalues: pd.DataFrame | None = field(default=Later(), repr=False)
    pvalues_corrected: pd.DataFrame | None = field(default=Later(), repr=False)
    missing: dict[str, str] = field(default=Later(), repr=False)
    n_samples: int
    n_batches: int
    kept: str
    left_out: dict[str, str] = field(repr=False)
    measure: str
    notes: tuple[str, ...] = ()

    def __getstate__(self):
        # what is still to be found can't be sent to other processes
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def to_frame(self) -> pd.DataFrame:
        """One row for each pair of layers.

        Returns
        -------
        frame : pandas.DataFrame
            Names of the two layers, their score and, where they are known, its standard
            error, z-score and p-values.
        """
        n_rows, n_columns = self.scores.shape
        columns = {
            "x": [name for name in self.scores.index for _ in range(n_columns)],
            "y": list(self.scores.columns) * n_rows,
            "score": self.scores.to_numpy().ravel(),
        }
        for name in ("standard_error", "z_scores", "pvalues", "pvalues_corrected"):
            values = getattr(self, name)
            if values is not None:
                column = name.replace("scores", "score").replace("pvalues", "pvalue")
                columns[column] = values.to_numpy().ravel()
        return pd.DataFrame(columns)

    def plot(
        self, ax: Axes | None = None, *, show_pvalues: bool = True, **options: object
    ) -> SimilarityMatrixDisplay:
        """Heat map of the scores, with stars where p-values are small.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None for a new figure.
        show_pvalues : bool, default=True
            Whether to mark cells by their p-values, if there are any: the corrected
            ones where there are some.
        **options : object
            As of :meth:`sksim.plot.SimilarityMatrixDisplay.plot`.

        Returns
        -------
        display : sksim.plot.SimilarityMatrixDisplay
            The heat map.
        """
        from sksim.plot import SimilarityMatrixDisplay

        corrected = self.pvalues_corrected
        pvalues = self.pvalues if corrected is None else corrected
        pvalues = pvalues if show_pvalues else None
        display = SimilarityMatrixDisplay.from_matrix(self.scores, pvalues=pvalues)
        return display.plot(ax, **options)
