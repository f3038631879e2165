"""Sums over batches of HSIC, of all layers of one side with all of the other.

Beside the sums of HSIC are those of its products, for standard errors, and of its
moments over the orders of rows within batches, for p-values.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from sksim.arrays._moebius import moebius_table, ways_to_choose
from sksim.arrays._pearson3 import log_upper_tail

# The unbiased estimator of HSIC divides by n - 3.
FEWEST_ROWS = 4

# Powers of the sizes of x and y that a sum is of: its units.
_POWERS = {
    "xy": (1, 1),
    "xx": (2, 0),
    "yy": (0, 2),
    "xy_xy": (2, 2),
    "xy_xx": (3, 1),
    "xy_yy": (1, 3),
    "xx_xx": (4, 0),
    "xx_yy": (2, 2),
    "yy_yy": (0, 4),
    "variance": (2, 2),
    "third": (3, 3),
    "draws": (1, 1),
}


@dataclass(frozen=True)
class BatchSums:
    """Sums over batches of HSIC(X, y), HSIC(X, X) and HSIC(y, y), of layers by layers.

    Each batch counts by its number of rows. HSIC is in units of ``scale_x`` and
    ``scale_y``, powers of two that keep it from overflow.

    Attributes
    ----------
    n_samples, n_batches : int
    log_orders : float
        Logarithm of the number of orders of rows within batches.
    scale_x, scale_y : arrays of shape (n_layers_x,) and (n_layers_y,)
    sums : dict of arrays
        Named as in ``_POWERS``; of shape (n_layers_x, n_layers_y), or of one axis where
        only one side takes part. "xy_xx" is the sum of products of what the batches add
        to "xy" and "xx". "variance" and "third" are moments of "xy" over all orders of
        rows within batches, whose mean is 0; "draws" are values of "xy" for some of
        these orders, along a first axis. The last two may not be there.
    """

    n_samples: int
    n_batches: int
    log_orders: float
    scale_x: np.ndarray
    scale_y: np.ndarray
    sums: dict

    @classmethod
    def of_batch(cls, n, cosines, size_x, size_y, *, cubes=None, draws=None):
        """Sums of one batch.

        Parameters
        ----------
        n : int
            Rows of the batch.
        cosines : array of shape (n_layers_x, n_layers_y)
            Of the U-centred kernel matrices.
        size_x, size_y : arrays
            Norms of the matrices; 0 for a layer that is constant in this batch.
        cubes : tuple of arrays of shapes (n_layers_x, 2) and (n_layers_y, 2)
            For the third moment: `sums_of_cubes` of the matrices over their norms.
        draws : array of shape (n_draws, n_layers_x, n_layers_y)
            Cosines for other orders of the rows of one side.
        """
        scale_x, scale_y = _powers_of_two(size_x), _powers_of_two(size_y)
        x, y = size_x / _nonzero(scale_x), size_y / _nonzero(scale_y)
        sizes = x[:, None] * y
        xy, xx, yy = cosines * sizes / (n - 3), x * x / (n - 3), y * y / (n - 3)
        sums = {
            "xy": xy,
            "xx": xx,
            "yy": yy,
            "xy_xy": xy * xy,
            "xy_xx": xy * xx[:, None],
            "xy_yy": xy * yy,
            "xx_xx": xx * xx,
            "xx_yy": xx[:, None] * yy,
            "yy_yy": yy * yy,
            "variance": xx[:, None] * yy * (2 / (n * (n - 3))),
        }
        if cubes is not None:
            third = cubes[0] @ _third_moments(n) @ cubes[1].T
            sums["third"] = third * (sizes / (n - 3)) ** 3
        if draws is not None:
            sums["draws"] = draws * (sizes / (n - 3))
        return cls(n, 1, math.lgamma(n + 1), scale_x, scale_y, sums)

    def plus(self, other):
        """Sums of the batches of both."""
        scale_x = np.maximum(self.scale_x, other.scale_x)
        scale_y = np.maximum(self.scale_y, other.scale_y)
        x, y = (
            [part.scale_x / _nonzero(scale_x) for part in (self, other)],
            [part.scale_y / _nonzero(scale_y) for part in (self, other)],
        )
        sums = {
            name: sum(
                part.sums[name] * _units(_POWERS[name], x[i], y[i])
                for i, part in enumerate((self, other))
            )
            for name in self.sums
        }
        return BatchSums(
            self.n_samples + other.n_samples,
            self.n_batches + other.n_batches,
            self.log_orders + other.log_orders,
            scale_x,
            scale_y,
            sums,
        )

    @property
    def squares(self):
        """Sums of HSIC(X, X) and of HSIC(y, y)."""
        return self.sums["xx"], self.sums["yy"]

    @property
    def _norm(self):
        """Denominator of the alignment; nan for a layer that never varied."""
        xx, yy = (np.sqrt(np.where(s > 0, s, np.nan)) for s in self.squares)
        return xx[:, None] * yy

    def alignment(self):
        """Alignments, and their standard errors by the delta method.

        Returns
        -------
        values, standard_errors : arrays of shape (n_layers_x, n_layers_y)
            nan for layers that never varied; errors are nan for one batch.
        """
        norm, (xx, yy) = self._norm, self.squares
        values = self.sums["xy"] / norm
        if self.n_batches == 1:
            return values, np.full_like(values, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            along_xy = 1 / norm
            along_xx, along_yy = values / (-2 * xx[:, None]), values / (-2 * yy)
        spread = (
            along_xy**2 * self.sums["xy_xy"]
            + along_xx**2 * self.sums["xx_xx"][:, None]
            + along_yy**2 * self.sums["yy_yy"]
            + 2 * along_xy * along_xx * self.sums["xy_xx"]
            + 2 * along_xy * along_yy * self.sums["xy_yy"]
            + 2 * along_xx * along_yy * self.sums["xx_yy"]
        )
        share = self.n_batches / (self.n_batches - 1)
        return values, np.sqrt(np.maximum(spread, 0.0) * share)

    def null_moments(self):
        """Standard deviation and skewness of the alignments over all orders of rows.

        Of the rows of one side within batches. The mean is 0. nan for layers that never
        varied; the skewness is nan without third moments.
        """
        std = np.sqrt(self.sums["variance"])
        third = self.sums.get("third", np.full_like(std, np.nan))
        norm = self._norm
        return std / norm, third / np.where(norm > 0, std, np.nan) ** 3

    def log_pvalues(self):
        """Logarithm of the probability of alignments at least as large, by chance.

        By the Pearson type III distribution with the moments over all orders of rows,
        of which the one observed is one: no p-value is below one over their number.
        """
        std, skewness = self.null_moments()
        known = np.isfinite(std)
        logarithms = np.full(std.shape, np.nan)
        z = (self.alignment()[0][known]) / std[known]
        tails = log_upper_tail(z, skewness[known])
        logarithms[known] = np.maximum(tails, -self.log_orders)
        return logarithms

    def standardised_draws(self):
        """Alignments for other orders of rows, over their standard deviation."""
        std = np.sqrt(self.sums["variance"])
        return self.sums["draws"] / np.where(std > 0, std, np.nan)

    def state(self):
        """All fields as a dictionary of arrays."""
        counts = [self.n_samples, self.n_batches]
        return {
            "counts": np.array(counts),
            "log_orders": np.array(self.log_orders),
            "scale_x": self.scale_x,
            "scale_y": self.scale_y,
            **{f"sum_{name}": values for name, values in self.sums.items()},
        }

    @classmethod
    def from_state(cls, state):
        """The sums of a state, or None if it has none."""
        if "counts" not in state:
            return None
        names = [name for name in _POWERS if f"sum_{name}" in state]
        n_samples, n_batches = (int(count) for count in state["counts"])
        return cls(
            n_samples,
            n_batches,
            float(state["log_orders"]),
            np.asarray(state["scale_x"]),
            np.asarray(state["scale_y"]),
            {name: np.asarray(state[f"sum_{name}"]) for name in names},
        )


def _powers_of_two(sizes):
    """The next power of two above each size; 0 for 0."""
    return np.where(sizes > 0, np.exp2(np.minimum(np.frexp(sizes)[1], 1023)), 0.0)


def _nonzero(scales):
    return np.where(scales > 0, scales, 1.0)


def _units(powers, x, y):
    """What turns a sum in a part's units into one in those of the whole."""
    if powers[1] == 0:
        return x ** powers[0]
    if powers[0] == 0:
        return y ** powers[1]
    return x[:, None] ** powers[0] * y ** powers[1]


def max_step_down(observed, draws):
    """Westfall and Young's p-values of standardised statistics under the same orders.

    Parameters
    ----------
    observed : array of shape (n_cells,)
        Greater is more extreme.
    draws : array of shape (n_draws, n_cells)

    Returns
    -------
    pvalues : array of shape (n_cells,)
    """
    order = np.argsort(-observed, kind="stable")
    # largest of this cell and of all that are less extreme, under each order
    largest = np.maximum.accumulate(draws[:, order[::-1]], axis=1)[:, ::-1]
    counts = np.sum(largest >= observed[order], axis=0)
    pvalues = np.empty(len(order))
    pvalues[order] = np.maximum.accumulate((counts + 1) / (len(draws) + 1))
    return pvalues


# ----- third moments ------------------------------------------------------------------

_CUBES = [((0, 1), (0, 1), (0, 1)), ((0, 1), (0, 2), (1, 2))]


def sums_of_cubes(matrix, *, xp):
    """Sum of the cubes of all entries, and trace of the third power.

    The invariants of third order that a matrix has whose diagonal is zero and whose
    rows sum to zero.
    """
    return xp.sum(matrix * matrix * matrix), xp.sum((matrix @ matrix) * matrix)


@cache
def _third_moments(n):
    """The 2 x 2 form that gives E tr(U P V P')^3 of the `sums_of_cubes` of U and V."""
    graphs, table = moebius_table(3)
    table = table[:, [graphs.index(graph) for graph in _CUBES]]
    return (table / ways_to_choose(3, n)[:, None]).T @ table
