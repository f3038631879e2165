"""Rows that were measured several times."""

from dataclasses import dataclass, replace

import numpy as np

from sksim.arrays._linalg import role_name
from sksim.arrays._views import View, moved, some
from sksim.base._comparison import Rows


@dataclass(frozen=True)
class RepeatedRows(Rows):
    """Trials of rows: ``metadata["repeats"]`` numbers the row that each repeats.

    What tests and intervals move, draw and leave out are rows, with all their trials.
    """

    @property
    def n_samples(self):
        """Number of rows, not of trials."""
        return int(self.metadata["repeats"].max()) + 1

    def some(self, rows):
        """Some of the rows with all of their trials, each as often as it is named."""
        codes = self.metadata["repeats"]
        order = np.argsort(codes, kind="stable")
        ends = np.cumsum(np.bincount(codes))
        parts = [order[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        drawn = [parts[row] for row in rows]
        trials = np.concatenate(drawn)
        repeats = np.repeat(np.arange(len(drawn)), [len(part) for part in drawn])
        arrays = tuple(some(array, trials) for array in self.arrays)
        return replace(
            self, arrays=arrays, metadata={**self.metadata, "repeats": repeats}
        )


def numbers_of_rows(labels):
    """Number of the row that each trial repeats, in the order of the labels.

    Parameters
    ----------
    labels : array of shape (n_trials,)

    Returns
    -------
    codes : int array of shape (n_trials,)

    Raises
    ------
    ValueError
        If a row has a single trial.
    """
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    single = names[counts < 2]
    if len(single):
        others = f", and {len(single) - 1} others" if len(single) > 1 else ""
        raise ValueError(
            f"repeats has {single[0].item()!r} once{others}: of a row measured once "
            "nothing tells signal from noise. Every label must stand for two "
            "trials or more; leave single ones out of X, y and repeats."
        )
    return codes.reshape(-1)


@dataclass(frozen=True)
class Halves(View):
    """Views of two disjoint halves of all rows' trials, in several ways.

    Attributes
    ----------
    pairs : tuple of (first, second)
    norm : float
        Root of what both halves have in common: the size of the signal.
    scale : float
        Of the pairs and of the norm.
    """

    pairs: tuple
    norm: float
    scale: float = 1.0

    def moved(self, order):
        """Halves of the same trials with rows in another order."""
        pairs = tuple(tuple(moved(v, order) for v in pair) for pair in self.pairs)
        return replace(self, pairs=pairs)


def root_of_signal(squared, total, role):
    """Norm of a signal; a ValueError where its square is not beyond noise.

    Parameters
    ----------
    squared : float
        What distinct trials have in common.
    total : float
        The same with all of the noise: what rounding is judged by.
    role : str
    """
    if not squared > 1e-13 * abs(total):
        raise ValueError(
            f"Repetitions of the rows of {role_name(role)} have nothing in common "
            f"beyond chance (their self term is {squared:.2g}), so that there is no "
            "signal to compare. Check that repeats names the row that each trial "
            "repeats, or average more trials."
        )
    return squared**0.5
