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

from sksim.arrays._linalg import thin_svd


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
