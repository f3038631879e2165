"""Products of kernels whose rows count several times, as in a bootstrap sample."""


def weighted_u_inner(K, L, weights, *, xp):
    """Inner product of two kernels whose row i counts ``weights[i]`` times.

    Copies of one row make no pair. What is additive in the rows is projected out of
    the remaining pairs, which is bias correction where all weights are 1.

    Parameters
    ----------
    K, L : Factored or Dense
        Both of one class.
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
