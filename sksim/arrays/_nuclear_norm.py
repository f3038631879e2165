"""Nuclear norms of products of which only noisy measurements are known.

Singular values of a noisy matrix are too large: all of them together, by most of what
the noise has. Judged by an independent measurement of the same matrix, the pairs of
singular vectors of the first have products c_i = u_i' M v_i that are too small, and of
either sign where the vectors are noise. With independent entries of noise, of variance
v, a singular value s far above it is s + (d + d') v / 2s in the first and, by the
angles of its vectors, s - (d + d') v / 2s in the second (Benaych-Georges and Nadakuditi
2012). The root of the product of both is s but for higher orders, and with the sign of
c_i it is 0 on average where there is noise alone.
"""

import numpy as np

from sksim.arrays._linalg import thin_svd
from sksim.arrays._matching import index_array
from sksim.arrays._namespace import take


def judged_values(fitted, judged, *, xp):
    """Singular values of one measurement, and its vectors' products with another.

    Parameters
    ----------
    fitted, judged : arrays of shape (d, d')
        Independent measurements of one matrix.

    Returns
    -------
    values, products : arrays of shape (min(d, d'),)
    """
    U, s, Vt = thin_svd(fitted, xp=xp)
    return s, xp.sum(U * (judged @ Vt.T), axis=0)


def signed_roots(values, products, *, xp):
    """Sum of the corrected singular values."""
    return xp.sum(xp.sign(products) * xp.sqrt(values * xp.abs(products)))


def nuclear_norm_by_folds(A, B, folds, *, center, xp):
    """Nuclear norm of A'B less what comes of few rows, by folds of the rows.

    The rows outside of each fold give the singular values and vectors, and those in it
    judge them: both are averaged over the folds by rank.

    Parameters
    ----------
    A, B : arrays of shape (n_samples, d) and (n_samples, d')
        Of columns that sum to zero where ``center`` is set.
    folds : int array of shape (n_samples,) of numpy
        Number of each row's fold, from 0 on.
    center : bool
        Whether products are about the means, of each part by itself.
    """
    lost = 1 if center else 0
    n, found = A.shape[0], []
    total = A.T @ B
    for fold in range(folds.max() + 1):
        rows = index_array(np.flatnonzero(folds == fold), like=A, xp=xp)
        a, b = (take(M, rows, xp=xp) for M in (A, B))
        n_judged, product = a.shape[0], a.T @ b
        rest = total - product
        if center:
            # sums of all rows are zero, so that those of the rest are minus these
            sums = xp.sum(a, axis=0)[:, None] * xp.sum(b, axis=0)[None, :]
            product = product - sums / n_judged
            rest = rest - sums / (n - n_judged)
        fitted, judged = rest / (n - n_judged - lost), product / (n_judged - lost)
        found.append(judged_values(fitted, judged, xp=xp))
    values, products = (
        xp.mean(xp.stack(part), axis=0) for part in zip(*found, strict=True)
    )
    return signed_roots(values, products, xp=xp) * (n - lost)
