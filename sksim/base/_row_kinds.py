"""Kinds of rows: what a statistic of outputs depends on is how often each occurs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class RowKinds:
    """A statistic as a function of how often each kind of row occurs.

    Attributes
    ----------
    of_row : int array of shape (n_samples,)
        Kind of each row.
    value_of : callable
        Statistic of integer counts of all kinds, of which some may be zero; nan where
        it is undefined.
    extremes : int array
        Kinds that rows which were not seen may have, those among them by which the
        statistic moves the most.
    n_kinds : int
        Number of kinds, whether a row has them or not.
    values : float array of shape (n_kinds,) or None
        What a row of each kind adds to a statistic that is a mean over rows; None for
        all others.
    """

    of_row: np.ndarray
    value_of: Callable
    extremes: np.ndarray
    n_kinds: int
    values: np.ndarray | None = None

    @property
    def counts(self):
        """How often each kind occurs."""
        return np.bincount(self.of_row, minlength=self.n_kinds)
