"""One-to-one matching of columns."""

import numpy as np
from scipy.optimize import linear_sum_assignment

from sksim.arrays._namespace import device_of, move_to, to_numpy


def best_assignment(gains, *, xp):
    """Columns (i, j) of the matching with the largest sum of ``gains[i, j]``.

    The smaller side is matched completely. Solved on the CPU.
    """
    return linear_sum_assignment(to_numpy(gains, xp=xp), maximize=True)


def assignment_vector(i, j, width):
    """For each of ``width`` columns the column it is matched with, -1 for none."""
    assignment = np.full(width, -1)
    assignment[i] = j
    return assignment


def index_array(index, *, like, xp):
    """Indices as an integer array beside ``like``."""
    return move_to(np.asarray(index, dtype=np.int64), xp=xp, device=device_of(like))


def selection_matrix(index, width, *, like, xp):
    """Matrix of shape (width, len(index)) that picks columns by multiplication."""
    eye = xp.eye(width, dtype=like.dtype, device=device_of(like))
    return xp.take(eye, index_array(index, like=like, xp=xp), axis=1)
