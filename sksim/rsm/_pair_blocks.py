"""Dissimilarities of all pairs of rows that are compared without a list of them."""

import math
from dataclasses import dataclass

import numpy as np

from sksim._progress import tracked
from sksim.arrays._namespace import device_of, inner, is_numpy, take, to_numpy
from sksim.arrays._pairs import (
    SquaredDistances,
    distance_block,
    evenly_spaced,
    n_pairs,
    pair_values,
    pair_vector,
    symmetric_blocks,
)
from sksim.arrays._views import View

# Ranks are told apart by this many bins.
_N_BINS = 2**20
# Squared distances are compared by their first ten digits, as in lists of all pairs.
_STEPS = 1e10
# Ties are looked for where binning could move a correlation by more than a thousandth.
_TOLERATED = 1e-6


class PairView(View):
    """What RSA compares of the pairs of rows, in one of several forms."""

    is_moment = is_blocked = is_partial = False
    present = counted = None


@dataclass(frozen=True)
class PairBlocks(PairView):
    """Rows whose dissimilarities are computed anew, block by block, when compared.

    Attributes
    ----------
    distances : SquaredDistances
    is_rooted : bool
        Whether the distances are compared, not their squares.
    ranks : BinnedRanks or None
        None where values are compared.
    mean, norm : float
        Subtracted from and divided by, so that the values of all pairs i < j have unit
        norm. Ranks come centred, with ``mean`` 0.
    """

    distances: SquaredDistances
    is_rooted: bool
    ranks: object
    mean: float
    norm: float

    _row_fields = ("distances",)
    is_blocked = True

    @property
    def blocks(self):
        """The same: other forms have it to be compared with this one."""
        return self

    def values(self, squares, *, xp):
        """What is compared of some squared distances."""
        if self.ranks is not None:
            return self.ranks.of(squares, xp=xp)
        values = xp.sqrt(squares) if self.is_rooted else squares
        return (values - self.mean) / self.norm


@dataclass(frozen=True)
class BinnedRanks:
    """Ranks of squared distances, told apart by their leading binary digits.

    Positive numbers are ordered as the integers that their bits spell. Shifting bits
    out makes bins whose width follows the size of the number, so that a few far rows
    take nothing from the resolution of all others.

    Attributes
    ----------
    step : float
        Distances are rounded to multiples of its inverse first, so that those that
        differ by rounding share a bin.
    lowest, shift : int
        Bits at which the first bin starts, and by which bins are wide.
    table : array of shape (n_bins,)
        Mean rank of each bin, centred, of unit norm over all pairs.
    angle : float
        Most by which binning can have turned the vector of all ranks.
    """

    step: float
    lowest: int
    shift: int
    table: object
    angle: float

    def of(self, squares, *, xp):
        """Ranks of some squared distances."""
        bins = _bins(squares, self.step, self.lowest, self.shift, xp=xp)
        return take(self.table, bins, xp=xp)


def pair_squares(distances, *, xp, label=None):
    """Vectors of squared distances that together hold all pairs."""
    rows, squares = distances.rows, distances.squares
    blocks = symmetric_blocks(rows.shape[0])
    for i, j, weight in blocks if label is None else tracked(blocks, label):
        yield pair_values(distance_block(rows, squares, i, j, xp=xp), weight, xp=xp)


def valued_blocks(distances, *, is_rooted, is_centred, xp):
    """View of the values themselves, and its squared norm before centring."""
    sample = pair_vector(evenly_spaced(distances), xp=xp)
    view = PairBlocks(distances, is_rooted, None, 0.0, 1.0)
    # sums about a number near the mean lose no digits
    center = float(xp.mean(view.values(sample, xp=xp)))
    view = PairBlocks(distances, is_rooted, None, center, 1.0)
    total = squared_norm = 0.0
    for squares in pair_squares(distances, xp=xp, label="distances"):
        values = view.values(squares, xp=xp)
        total += float(xp.sum(values))
        squared_norm += float(inner(values, values, xp=xp))
    count = n_pairs(distances.rows.shape[0])
    offset = total / count
    squared_norm -= count * offset**2
    mean = center + offset
    before = squared_norm + count * mean**2
    if not is_centred:
        squared_norm, mean = before, 0.0
    return PairBlocks(distances, is_rooted, None, mean, squared_norm**0.5), before


def ranked_blocks(distances, *, squared_norm=None, xp):
    """View of the ranks, and their squared norm.

    They are divided by its root, or by that of ``squared_norm`` where it is given.
    """
    # no distance is longer than the diameter of the ball that holds all rows
    bound = 4 * float(xp.max(distances.squares))
    step = _STEPS / bound
    lowest, shift = _range_of_bits(distances, step, xp=xp)
    where = (step, lowest, shift)
    counts = np.zeros(_N_BINS, dtype=np.int64)
    for squares in pair_squares(distances, xp=xp, label="ranking distances"):
        counts += _histogram(_bins(squares, *where, xp=xp), xp=xp)
    below = np.cumsum(counts) - counts
    ranks = below + (counts - n_pairs(distances.rows.shape[0])) / 2
    found = float(counts @ ranks**2)
    lost = _lost_by_ties(counts)
    if np.sum(lost) > _TOLERATED * found:
        lost = lost * _is_mixed(distances, where, xp=xp)
    angle = math.atan2(float(np.sum(lost)) ** 0.5, found**0.5)
    ranks /= max(squared_norm or found, 1.0) ** 0.5
    table = (
        ranks if is_numpy(xp) else xp.asarray(ranks, device=device_of(distances.rows))
    )
    view = PairBlocks(distances, False, BinnedRanks(*where, table, angle), 0.0, 1.0)
    return view, found


def blocked_correlation(view_x, view_y, *, xp):
    """Inner product of what two views compare, over all pairs."""
    total = 0.0
    pairs = zip(
        pair_squares(view_x.distances, xp=xp, label="comparing distances"),
        pair_squares(view_y.distances, xp=xp),
        strict=True,
    )
    for squares_x, squares_y in pairs:
        values_x = view_x.values(squares_x, xp=xp)
        total += float(inner(values_x, view_y.values(squares_y, xp=xp), xp=xp))
    return total


def binning_error(view_x, view_y):
    """Most by which binning can have moved the correlation of two views."""
    ranks = (getattr(view, "ranks", None) for view in (view_x, view_y))
    return sum(each.angle for each in ranks if each is not None)


# ----- bins ------------------------------------------------------------------------


def _range_of_bits(distances, step, *, xp):
    """(lowest, shift) of bins, the second from the smallest distance of a sample on."""
    sample = xp.round(pair_vector(evenly_spaced(distances), xp=xp) * step)
    positive = sample[sample > 0]
    smallest = float(xp.min(positive)) if positive.shape[0] else 1.0
    lowest, highest = (_bits(value) for value in (smallest, _STEPS))
    shift = max(0, (highest - lowest).bit_length() - (_N_BINS - 1).bit_length())
    # the first bin is left to rows that coincide
    return lowest - (1 << shift), shift


def _bits(value):
    return int(np.float64(value).view(np.int64))


def _bins(squares, step, lowest, shift, *, xp):
    """Bin of each squared distance; the first and the last take what lies beyond."""
    if is_numpy(xp):
        rounded = np.rint(squares * step)
        bins = rounded.view(np.int64)
        bins -= lowest
        bins >>= shift
        return np.clip(bins, 0, _N_BINS - 1, out=bins)
    edges = lowest + (np.arange(1, _N_BINS, dtype=np.int64) << shift)
    edges = xp.asarray(edges.view(np.float64), device=device_of(squares))
    return xp.searchsorted(edges, xp.round(squares * step), side="right")


def _histogram(bins, *, xp):
    """How many entries each bin holds, in numpy."""
    if hasattr(xp, "bincount"):
        return to_numpy(xp.bincount(bins, minlength=_N_BINS), xp=xp)
    return np.bincount(to_numpy(bins, xp=xp), minlength=_N_BINS)


def _lost_by_ties(counts):
    """What each bin's ranks vary, which is lost if its members differ."""
    counts = counts.astype(float)
    return (counts**3 - counts) / 12


def _is_mixed(distances, where, *, xp):
    """Whether a bin's members differ."""
    step = where[0]
    first = np.full(_N_BINS, np.nan)
    is_mixed = np.zeros(_N_BINS, dtype=bool)
    for squares in pair_squares(distances, xp=xp, label="telling ties apart"):
        bins = to_numpy(_bins(squares, *where, xp=xp), xp=xp)
        values = np.rint(to_numpy(squares, xp=xp) * step)
        is_new = np.isnan(first[bins])
        first[bins[is_new]] = values[is_new]
        is_mixed[bins[first[bins] != values]] = True
    return is_mixed
