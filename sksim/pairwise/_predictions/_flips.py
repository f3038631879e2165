"""P-value of a paired difference: either model could have given either answer."""

import numpy as np
from scipy import signal, stats

# Sums of so many units have their distribution found, and others are drawn. A
# convolution by Fourier transforms is exact to 1e-15 or so: what is below 1e-12 is
# given as that.
_LARGEST_TOTAL = 2**22
_DIRECT = 2**24
_FINEST = 1e-12
# Up to so many groups all signs are tried.
_ENUMERABLE = 14
_MOST_DRAWS, _FEWEST_DRAWS = 9999, 999
# Signs that may be drawn for one p-value: 9999 times 20,000 groups, in 2 s.
_MOST_SIGNS = 2 * 10**8
_BLOCK = 2**22


def sign_flip_pvalue(sums, rng, *, n_tests=1):
    """Two-sided p-value of a sum, if each term could as well have the other sign.

    Of single rows that are right or wrong it is McNemar's exact one.

    Parameters
    ----------
    sums : float array of shape (n_groups,)
        Difference of the two models' scores, summed over each group.
    rng : Generator
        Draws signs where they are too many to be counted.
    n_tests : int, default=1
        How many such p-values are asked for: each may cost its share.

    Returns
    -------
    pvalue : float
    """
    sizes = np.abs(sums)
    # what is zero but for rounding has no sign
    sizes = np.sort(sizes[sizes > 1e-12 * sizes.max(initial=0.0)])[::-1]
    if len(sizes) == 0:
        return 1.0
    whole = _as_multiples(sizes)
    if whole is not None and whole.sum() <= _LARGEST_TOTAL:
        unit = sizes[0] / whole[0]
        return _counted(whole, round(abs(float(np.sum(sums))) / unit))
    total = float(sizes.sum())
    observed = abs(float(np.sum(sums))) - 1e-10 * total
    if len(sizes) <= _ENUMERABLE:
        return float(np.mean(np.abs(_all_signs(len(sizes)) @ sizes) >= observed))
    n_draws = int(
        np.clip(_MOST_SIGNS / (n_tests * len(sizes)), _FEWEST_DRAWS, _MOST_DRAWS)
    )
    n_extreme = sum(
        int(np.count_nonzero(np.abs(2 * (chosen @ sizes) - total) >= observed))
        for chosen in _random_choices(len(sizes), n_draws, rng)
    )
    return (n_extreme + 1) / (n_draws + 1)


def _as_multiples(sizes):
    """Sizes in whole multiples of one unit, such as rows or half points; or None."""
    for parts in (1, 2, 3, 4, 6, 12):
        multiples = sizes / sizes[-1] * parts
        whole = np.rint(multiples)
        if np.all(np.abs(multiples - whole) < 1e-9 * np.maximum(multiples, 1)):
            return whole.astype(np.int64)
    return None


def _counted(whole, observed):
    """Share of all signs whose sum is as far from zero, by its distribution."""
    values, counts = np.unique(whole, return_counts=True)
    if len(values) == 1:
        n_plus = (counts[0] + observed // values[0]) // 2
        if 2 * n_plus == counts[0]:
            return 1.0
        return float(min(1.0, 2 * stats.binom.sf(n_plus - 1, counts[0], 0.5)))
    mass, is_exact = np.ones(1), True
    for value, count in zip(values, counts, strict=True):
        part = np.zeros(value * count + 1)
        part[::value] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        is_direct = len(mass) * len(part) <= _DIRECT
        is_exact &= is_direct
        mass = np.convolve(mass, part) if is_direct else signal.fftconvolve(mass, part)
    # the sum with signs is that of the positive ones, twice, less all
    total = len(mass) - 1
    n_plus = -((-total - observed) // 2)
    pvalue = 1.0 if observed == 0 else 2 * float(mass[n_plus:].sum())
    return min(1.0, pvalue if is_exact else max(pvalue, _FINEST))


def _all_signs(n):
    places = np.arange(2**n)[:, None]
    return (places >> np.arange(n)) % 2 * 2.0 - 1


def _random_choices(n, n_draws, rng):
    """Blocks of rows of random zeros and ones, the latter for positive signs."""
    n_bytes = -(-n // 8)
    in_block = max(1, _BLOCK // n)
    for start in range(0, n_draws, in_block):
        rows = min(in_block, n_draws - start)
        drawn = rng.integers(256, size=(rows, n_bytes), dtype=np.uint8)
        yield np.unpackbits(drawn, axis=1, count=n).astype(float)
