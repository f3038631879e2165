"""Tail areas of the Pearson type III distribution, also where they underflow."""

import numpy as np
from scipy import special, stats

# Below this, scipy's tail areas lose digits to subnormal numbers.
_SMALLEST = 1e-290
# Terms after which the tail's continued fraction is right to 1e-12 in its logarithm.
_TERMS_OF_FRACTION = 200
# A smaller skewness is none: its gamma variable's shape has no digits left.
_NO_SKEWNESS = 1.6e-5


def log_upper_tail(z, skewness):
    """Logarithm of the upper tail areas of standardised Pearson III distributions.

    Parameters
    ----------
    z, skewness : arrays of one shape

    Returns
    -------
    logarithms : array
        -inf beyond the end of a distribution of negative skewness.
    """
    z, skewness = (np.asarray(values, dtype=float) for values in (z, skewness))
    with np.errstate(divide="ignore", under="ignore"):
        areas = stats.pearson3.sf(z, skewness)
        logarithms = np.log(areas)
    deep = np.asarray((areas < _SMALLEST) & (z > 0))
    if np.any(deep):
        logarithms = np.array(logarithms)
        z, skewness = z[deep], skewness[deep]
        is_long = skewness >= _NO_SKEWNESS
        found = _log_short_tail(z, skewness)
        found[is_long] = _log_long_tail(z[is_long], skewness[is_long])
        logarithms[deep] = found
    return logarithms


def _log_long_tail(z, skewness):
    """Logarithm of the tail of a gamma variable of shape 4 / g^2, by its fraction."""
    shape = 4 / skewness**2
    place = z / np.sqrt(shape)
    # x^a e^-x / Gamma(a) at x = a (1 + place), and the tail divided by it
    density = shape * (np.log(shape) - 1 - place + np.log1p(place))
    x, fraction = shape * (1 + place), 0.0
    for i in range(_TERMS_OF_FRACTION, 0, -1):
        fraction = i * (i - shape) / (x + 1 + 2 * i - shape - fraction)
    return density - special.gammaln(shape) - np.log(x + 1 - shape - fraction)


def _log_short_tail(z, skewness):
    """Lugannani and Rice's tail, without skewness or with a negative one.

    With mean 0, variance 1 and skewness g it is a gamma variable of shape 4 / g^2, for
    which the formula is exact up to Stirling's: off by 1e-4 of the logarithm at most.
    """
    half = skewness / 2
    # the shifted variable in units of its mean: it can't be less than 0
    ratio = half * z
    inside = ratio > -1
    ratio, z_inside = np.where(inside, ratio, 0.0), np.where(inside, z, 1.0)
    # (ratio - log(1 + ratio)) / half^2, which is z^2 / 2 without skewness
    small = np.abs(ratio) < 1e-4
    safe = np.where(small, 1.0, ratio)
    share = np.where(
        small, 0.5 - ratio / 3 + ratio**2 / 4, (safe - np.log1p(safe)) / safe**2
    )
    w = z_inside * np.sqrt(2 * share)
    log_density = -(w**2) / 2 - np.log(2 * np.pi) / 2
    mills = np.exp(special.log_ndtr(-w) - log_density)
    logarithms = log_density + np.log(mills - 1 / w + 1 / z_inside)
    return np.where(inside, logarithms, -np.inf)
