"""Products of kernels whose rows count several times, as in a bootstrap sample."""

from dataclasses import dataclass

import numpy as np

from sksim.utils._array_api import inner, is_numpy, row_slices, row_sum_of_squares


@dataclass(frozen=True)
class RowKernel:
    """Linear kernel of rows, never an n x n matrix."""

    rows: object

    def weighted_sums(self, weights, *, xp):
        """For each row i the sum of w_j K_ij over all other rows j."""
        own = weights * row_sum_of_squares(self.rows, xp=xp)
        return self.rows @ (self.rows.T @ weights) - own

    def weighted_product(self, other, weights, *, xp):
        """Sum of w_i w_j K_ij L_ij over all pairs of different rows."""
        M = self.rows.T @ (weights[:, None] * other.rows)
        own, others = (row_sum_of_squares(k.rows, xp=xp) for k in (self, other))
        return inner(M, M, xp=xp) - xp.sum(weights**2 * own * others)


@dataclass(frozen=True)
class MatrixKernel:
    """Kernel matrix."""

    matrix: object

    def weighted_sums(self, weights, *, xp):
        """For each row i the sum of w_j K_ij over all other rows j."""
        return self.matrix @ weights - weights * xp.linalg.diagonal(self.matrix)

    def weighted_product(self, other, weights, *, xp):
        """Sum of w_i w_j K_ij L_ij over all pairs of different rows."""
        K, L = self.matrix, other.matrix
        own = weights**2 * xp.linalg.diagonal(K) * xp.linalg.diagonal(L)
        if not is_numpy(xp):
            return weights @ ((K * L) @ weights) - xp.sum(own)
        slices = row_slices(len(K), len(K))
        product = sum(weights[b] @ ((K[b] * L[b]) @ weights) for b in slices)
        return product - np.sum(own)


def weighted_u_inner(K, L, weights, *, xp):
    """Inner product of two kernels whose row i counts ``weights[i]`` times.

    Copies of one row make no pair. What is additive in the rows is projected out of
    the remaining pairs, which is bias correction where all weights are 1.

    Parameters
    ----------
    K, L : RowKernel or MatrixKernel
        Both of one kind.
    weights : array of shape (n_samples,)
    """
    sums_k, sums_l = (kernel.weighted_sums(weights, xp=xp) for kernel in (K, L))
    additive = 2 * xp.sum(weights * sums_k * _effects(sums_l, weights, xp=xp))
    return K.weighted_product(L, weights, xp=xp) - additive


def _effects(sums, weights, *, xp):
    """What each row adds to all of its pairs, by weighted least squares."""
    others = xp.sum(weights) - 2 * weights
    # normal equations: others * effects + total = sums, total = weights . effects
    total = xp.sum(weights * sums / others) / (1 + xp.sum(weights / others))
    return (sums - total) / others
