"""What the overlap of two representations after a rotation is made of."""

import numpy as np


def principal_scores(rows):
    """Rows in the axes of their principal components, the largest first."""
    vectors, scales, _ = np.linalg.svd(rows, full_matrices=False)
    kept = scales > _lost(rows) * scales[0]
    return vectors[:, kept] * scales[kept]


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
    kept = s > _lost(cross_product) * s[0]
    return U[:, kept] @ Vt[kept]


def _lost(matrix):
    """Share of the largest singular value below which others are rounding."""
    return max(matrix.shape) * np.finfo(np.float64).eps
