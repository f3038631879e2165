"""What is known of all cells of a matrix of similarities beside their values."""

import math
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import gammaln
from sklearn.base import clone

from sksim.arrays._pearson3 import log_upper_tail
from sksim.arrays._views import some
from sksim.base._layers import open_layers
from sksim.base._pair_effects import paired_rows
from sksim.inference._matrix import permuted_cells
from sksim.inference._moments import MatrixSums, moments_of_sums
from sksim.inference._resampling import without_excess

# Of fewer rows three moments do not describe the list of orders.
FEWEST_ROWS = 10
# Upper tails by three exact moments, of CKA with either estimator against 20,000
# permutations each: 4.5 to 5.4, .8 to 1.25 and .05 to .2 % of scores are beyond the
# points of 5, 1 and .1 % where the kurtosis of the rows' weights is below this, for 10
# to 300 rows that are normal, rectified, exponential or of one dominant direction, of 1
# to 30 columns, whatever the rank (1 to 24) and the skewness (0 to 2.8). Of 20 rows of
# Student's t with 2.5 degrees of freedom .24 % are at .1 %; at kurtosis 20 .5 %, and at
# 98 2.9 % at 5 %.
_LARGEST_KURTOSIS = 4.0
# Copies of an n x n matrix that its moments take.
_COPIES = 2


@dataclass(frozen=True)
class NullCells:
    """Null distributions of all cells over all orders of rows.

    Attributes
    ----------
    mean, std, skewness : arrays of shape (n_layers_x, n_layers_y)
        The standard deviation is 0 where the statistic does not vary.
    is_described : array of bool of the same shape
        Whether these three moments give tail areas.
    n_samples : int
    """

    mean: np.ndarray
    std: np.ndarray
    skewness: np.ndarray
    is_described: np.ndarray
    n_samples: int

    def cells(self, statistics):
        """What is known of all cells: z-scores, p-values and their logarithms.

        nan where there are none. No p-value is below 1 / n!, since the given order is
        one of n!.
        """
        z = (statistics - self.mean) / np.where(self.std > 0, self.std, np.nan)
        known = self.is_described & np.isfinite(z)
        logarithms = np.full(z.shape, np.nan)
        tails = log_upper_tail(z[known], self.skewness[known])
        logarithms[known] = np.maximum(tails, -gammaln(self.n_samples + 1))
        pvalues = np.maximum(np.exp(logarithms), float(np.finfo(float).tiny))
        return {"z_scores": z, "log_pvalues": logarithms, "pvalues": pvalues}

    @staticmethod
    def problem(cells):
        """Why some cells have no p-value, or None."""
        n_unknown = int(np.sum(np.isnan(cells["log_pvalues"])))
        if not n_unknown:
            return None
        return (
            f"In {n_unknown} cells three moments do not describe what chance makes: a "
            f"few rows outweigh the rest, there are fewer than {FEWEST_ROWS}, or all "
            "orders of rows have one score."
        )


def null_of_cells(grid):
    """Exact moments of all cells over all orders of rows, or None.

    What a layer adds to them is found once.

    Parameters
    ----------
    grid : Grid
        Of at least 3 rows.

    Returns
    -------
    null : NullCells or None
    """
    if not grid.has_trace_forms:
        return None
    of_x = [_of_matrix(grid.exact_matrix(0, i)) for i in range(len(grid.views_x))]
    of_y = of_x
    if grid.views_x is not grid.views_y:
        of_y = [_of_matrix(grid.exact_matrix(1, j)) for j in range(len(grid.views_y))]
    return null_of_layers(of_x, of_y, grid.trace_scale)


def _of_matrix(matrix):
    return MatrixSums(matrix).settled()


def null_of_layers(of_x, of_y, scale):
    """Moments of all cells, by what each layer adds to them.

    Parameters
    ----------
    of_x, of_y : lists of MatrixSums or MomentSums
    scale : callable
        From a place to what the inner product of its two matrices is multiplied by.

    Returns
    -------
    null : NullCells
    """
    shape = len(of_x), len(of_y)
    mean, std, skewness = np.empty((3, *shape))
    is_described = np.empty(shape, dtype=bool)
    for i, j in np.ndindex(shape):
        x, y = of_x[i], of_y[j]
        moments = moments_of_sums(x, y, scale(i, j))
        mean[i, j], std[i, j] = moments.mean, moments.std
        skewness[i, j] = moments.skewness
        is_described[i, j] = max(x.kurtosis, y.kurtosis) <= _LARGEST_KURTOSIS
    n_samples = of_x[0].n_samples
    is_described &= (std > 0) & (n_samples >= FEWEST_ROWS)
    return NullCells(mean, std, skewness, is_described, n_samples)


@dataclass(frozen=True)
class LayerErrors:
    """Jackknife's standard errors of all cells.

    Parameters
    ----------
    layers : sksim.base._layers.Layers
    metadata : dict
        What else is known of the rows.
    """

    layers: object
    metadata: dict

    def values(self):
        """Standard errors of shape (n_layers_x, n_layers_y), or None if unknown."""
        grid = self.layers.grid
        found = grid.without_each_row() if grid.n_samples > 3 else None
        if found is None:
            return None
        n = grid.n_samples
        errors = np.full((len(grid.views_x), len(grid.views_y)), np.nan)
        for i, j, values in found:
            variance = (n - 1) / n * float(np.sum((values - values.mean()) ** 2))
            errors[i, j] = math.sqrt(without_excess(variance, self._effects(i, j), n))
            if grid.is_of_one_set:
                errors[j, i] = errors[i, j]
        return errors

    def _effects(self, i, j):
        grid = self._some_rows
        return None if grid is None else grid.pair_effects(i, j)

    @cached_property
    def _some_rows(self):
        """Grid of some of the rows; None where these are no input of the measure."""
        grid = self.layers.grid
        rows = paired_rows(grid.n_samples)
        if len(rows) == grid.n_samples:
            return grid
        Xs, Ys = ([some(array, rows) for array in side] for side in self.layers.arrays)
        known = {
            name: None if values is None else np.asarray(values)[rows]
            for name, values in self.metadata.items()
        }
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                Ys = None if self.layers.is_of_one_set else Ys
                return open_layers(clone(grid.owner), Xs, Ys, **known).grid
        except ValueError:  # as where a layer is constant in them
            return None


def cells_of(layers, statistics, metadata, *, n_permutations, seed, max_memory):
    """Standard errors, z-scores and p-values of all cells, and why there are none.

    Parameters
    ----------
    layers : sksim.base._layers.Layers
    statistics : array of shape (n_layers_x, n_layers_y)
    metadata : dict
        What else is known of the rows.
    n_permutations, seed : int
        Orders of rows that are drawn for p-values corrected for the number of cells.
    max_memory : float
        Bytes that matrices may take.

    Returns
    -------
    cells : dict of str to array of the same shape
        Any of "standard_error", "z_scores", "pvalues", "log_pvalues" and
        "pvalues_corrected".
    missing : dict of str to str
        Why some of them, or some of their cells, are not there.
    """
    name, grid = type(layers.grid.owner).__name__, layers.grid
    cells, missing = {}, {}
    errors = LayerErrors(layers, metadata).values()
    if errors is not None:
        cells["standard_error"] = errors
    elif grid.n_samples <= 3:
        missing["standard_error"] = "Of fewer than 4 rows no spread is known."
    else:
        missing["standard_error"] = (
            f"{name} has no closed form without each row here. "
            "sksim.inference.similarity_interval resamples the rows of two layers, "
            "which keep='some/directory' leaves in files."
        )
    problem = _without_moments(grid, name, max_memory)
    if problem is None:
        null = null_of_cells(grid)
        cells |= null.cells(statistics)
        problem = null.problem(cells)
    if n_permutations:
        drawn = permuted_cells(layers, statistics, n_permutations, seed)
        cells["pvalues_corrected"] = drawn["pvalues_corrected"]
        cells["z_scores"] = _filled(cells.get("z_scores"), drawn["z_scores"])
        drawn["log_pvalues"] = np.log(drawn["pvalues"])
        for table in ("log_pvalues", "pvalues"):
            cells[table] = _filled(cells.get(table), drawn[table])
    elif problem is not None:
        missing["pvalues"] = f"{problem} n_permutations=999 draws orders of the rows."
    return cells, missing


def _without_moments(grid, name, max_memory):
    """Why there are no exact moments of null distributions, or None."""
    if grid.n_samples < 3:
        return "Fewer than 3 rows have no order by chance."
    if not grid.has_trace_forms:
        return f"What chance makes of {name} has no exact moments here."
    if _COPIES * grid.largest_exact_matrix > max_memory:
        return (
            f"Exact moments of layers wider than half of their {grid.n_samples} rows "
            f"take {_COPIES * grid.largest_exact_matrix / 1e9:.2g} GB, more than "
            "max_memory."
        )
    return None


def _filled(known, drawn):
    """Known values, and drawn ones where there are none."""
    return drawn if known is None else np.where(np.isnan(known), drawn, known)
