"""What the overlap of two representations after a rotation is made of."""

import numpy as np

from sksim.base._contributions import lost_in_rounding


def overlap_by_columns(x, y):
    """Parts of ||x' y||_* of all pairs of columns."""
    cross_product = x.T @ y
    return cross_product * _best_rotation(cross_product)


def overlap_by_rows(x, y):
    """Parts of the rows, and what the rotation leaves of each, squared."""
    parts = np.sum((x @ _best_rotation(x.T @ y)) * y, axis=1)
    both = np.sum(x * x, axis=1) + np.sum(y * y, axis=1)
    return {"part": parts, "residual": both - 2 * parts}


def _best_rotation(cross_product):
    """Partial isometry that matches what has anything in common."""
    U, s, Vt = np.linalg.svd(cross_product, full_matrices=False)
    kept = s > lost_in_rounding(cross_product) * s[0]
    return U[:, kept] @ Vt[kept]
