"""How evenly rows spread over the sphere."""

import math
from numbers import Real

import numpy as np

from sksim._progress import tracked
from sksim._sklearn_compat import Interval
from sksim.arrays._linalg import centered, role_name, unit_rows
from sksim.arrays._namespace import as_float64, device_of, is_numpy, row_sum_of_squares
from sksim.arrays._slices import slices
from sksim.statistics._base import BaseStatistic, Description

# Entries of a block of exponents: small enough for the cache.
_BLOCK_ELEMENTS = 2**18


class Uniformity(BaseStatistic):
    r"""Difference in uniformity: how evenly rows spread, by a Gaussian potential.

    .. math:: s(R) = \log \frac{1}{N (N - 1)} \sum_{i \ne j}
        \exp(-t \lVert R_i - R_j \rVert^2), \qquad m(R, R') = |s(R) - s(R')| ,

    with rows scaled to unit norm. s is 0 if all rows coincide and falls as they spread;
    on the sphere it is at least -4 t. A distance in [0, inf), invariant to orthogonal
    maps and isotropic scaling; for raw rows to orthogonal maps and translation. Blind
    to which rows are near each other.

    Parameters
    ----------
    t : float, default=2
        Inverse width of the potential.
    normalize : bool, default=True
        Whether rows are scaled to unit norm. Raw rows lie far apart in units of the
        potential, so that the nearest pair alone decides.
    include_diagonal : bool, default=False
        Whether to count each row's distance 0 from itself, as some codes do; the
        mean is then over N^2 entries.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, distance_ : float
        Difference of the uniformities.
    score_ : float
        Minus the difference.
    statistics_ : tuple of float
        Uniformity of X and of y.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows of X.

    Raises
    ------
    ValueError
        If a row is zero and rows are to be scaled to unit norm.

    See Also
    --------
    Tolerance : How close rows of one class are.

    Notes
    -----
    Costs O(N^2 D) in blocks. Sums of exponentials are taken relative to the largest, so
    that raw rows don't underflow. Rows are not paired: X and y may have different
    numbers of rows, and no permutation test exists.

    References
    ----------
    T. Wang, P. Isola. Understanding contrastive representation learning through
    alignment and uniformity on the hypersphere. ICML, 2020, arXiv:2005.10242.

    Examples
    --------
    >>> from sksim.statistics import Uniformity
    >>> opposite, right_angle = [[1.0, 0.0], [-2.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    >>> [round(s, 6) for s in Uniformity().fit(opposite, right_angle).statistics_]
    [-8.0, -4.0]
    """

    _parameter_constraints: dict = {
        "t": [Interval(Real, 0, None, closed="neither")],
        "normalize": ["boolean"],
        "include_diagonal": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(self, t=2.0, *, normalize=True, include_diagonal=False, verbose=0):
        self.t = t
        self.normalize = normalize
        self.include_diagonal = include_diagonal
        self.verbose = verbose

    def _view(self, X, xp, role):
        if self.normalize:
            rows, factor = unit_rows(X, xp=xp, role=role), 1.0
        else:
            # exponents of raw rows are large: their absolute error is what counts
            rows, _, factor, _ = centered(as_float64(X, xp=xp), xp=xp)
        width = math.sqrt(2 * self.t) * factor
        if not math.isfinite(width * width * X.shape[0]):
            raise ValueError(
                f"The squared distances of {role_name(role)} overflow. Rescale the "
                "representations, or use normalize=True."
            )
        rows = rows * width
        largest, total = _log_sum_exp(rows, -row_sum_of_squares(rows, xp=xp) / 2, xp)
        n = X.shape[0]
        if not self.include_diagonal:
            return Description(largest + math.log(total / (n * (n - 1))))
        # the diagonal adds n times exp(0)
        total = total * math.exp(largest) + n
        return Description(math.log(total / n**2))

    def _similarity_tags(self):
        return self._statistic_tags(
            invariances={"PT", "OT", "IS"} if self.normalize else {"PT", "OT", "TR"},
            requires=("nonzero_rows",) if self.normalize else (),
            view_keywords=("role",),
            complexity="n^2 d",
            reference="Wang and Isola 2020",
        )


def _log_sum_exp(rows, offsets, xp):
    """Sum over i != j of exp(<rows_i, rows_j> + offsets_i + offsets_j).

    Returned as the largest exponent and the sum relative to it.
    """
    n = rows.shape[0]
    size = max(16, _BLOCK_ELEMENTS // n)
    largest, total = -math.inf, 0.0
    for some in tracked(slices(n, size), "adding up pairs"):
        for columns in (some, slice(some.stop, n)):
            if columns.start == columns.stop:
                continue
            block = rows[some, :] @ rows[columns, :].T
            block = _add_offsets(block, offsets[some], offsets[columns], xp)
            weight = 2.0
            if columns is some:
                block, weight = _without_diagonal(block, xp), 1.0
            peak = float(xp.max(block))
            if peak > largest:
                total *= math.exp(largest - peak)
                largest = peak
            if largest > -math.inf:
                total += weight * _sum_of_exp(block, largest, xp)
    return largest, total


def _add_offsets(block, offsets_i, offsets_j, xp):
    if is_numpy(xp):
        block += offsets_i[:, None]
        block += offsets_j
        return block
    return block + offsets_i[:, None] + offsets_j[None, :]


def _without_diagonal(block, xp):
    if is_numpy(xp):
        np.fill_diagonal(block, -np.inf)
        return block
    index = xp.arange(block.shape[0], device=device_of(block))
    return xp.where(index[:, None] == index[None, :], -xp.inf, block)


def _sum_of_exp(block, shift, xp):
    if is_numpy(xp):
        block -= shift
        return float(np.exp(block, out=block).sum(dtype=np.float64))
    return float(xp.sum(xp.exp(block - shift), dtype=xp.float64))
