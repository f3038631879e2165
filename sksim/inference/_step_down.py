"""P-values of several tests that share their orders, corrected for their number."""

import numpy as np


def step_down(scores, nulls, pvalues, *, rounding, exact=False):
    """Westfall and Young's step-down p-values of scores under the same orders.

    Each score is put in its own standard deviations and compared, from the most
    extreme one down, with the largest of all that are left under each order. Whatever
    depends on what, the probability of any false rejection is at most the level.

    Parameters
    ----------
    scores : sequence of float
        Observed scores of one measure each; greater is more extreme.
    nulls : sequence of arrays of shape (n_orders,)
        Each measure's scores under the same orders.
    pvalues : sequence of float
        P-value of each measure by itself: no corrected one is below.
    rounding : sequence of float
        Relative differences below which two scores of a measure are tied.
    exact : bool, default=False
        Whether the orders are all that there are, the observed one among them.

    Returns
    -------
    adjusted : array of shape (n_measures,)
    """
    both = np.stack(
        [
            _standardized(score, null, unit, exact)
            for score, null, unit in zip(scores, nulls, rounding, strict=True)
        ],
        axis=1,
    )
    observed, null = both[0], both[1:]
    order = np.argsort(-observed, kind="stable")
    # largest of this measure and of all less extreme ones, under each order
    remaining = np.maximum.accumulate(null[:, order[::-1]], axis=1)[:, ::-1]
    own = 0 if exact else 1
    counts = np.sum(remaining >= observed[order], axis=0)
    found = np.maximum((counts + own) / (len(null) + own), np.asarray(pvalues)[order])
    adjusted = np.empty(len(order))
    adjusted[order] = np.maximum.accumulate(found)
    return adjusted


@np.errstate(invalid="ignore")
def _standardized(score, null, rounding, exact):
    """Score and null scores in standard deviations of the orders; ties made equal."""
    both = np.concatenate([[score], null])
    # the observed order is one of the equally likely ones: it counts, once
    orders = both[1:] if exact else both
    finite = orders[np.isfinite(orders)]
    largest = float(np.max(np.abs(finite), initial=0.0))
    # undefined counts against similarity, as the largest score that there is
    both = np.where(np.isnan(both), np.max(finite, initial=-np.inf), both)
    both = np.where(np.abs(both - score) <= rounding * largest, score, both)
    mean, std = (finite.mean(), finite.std()) if len(finite) else (0.0, 0.0)
    if not std > rounding * largest:
        # a score that does not vary is as extreme under each order
        return np.where(both == -np.inf, -np.inf, 0.0)
    return (both - mean) / std


def holm(pvalues):
    """Holm's p-values: they need nothing but the p-values themselves.

    Parameters
    ----------
    pvalues : array of shape (n_tests,)

    Returns
    -------
    adjusted : array of shape (n_tests,)
    """
    pvalues = np.asarray(pvalues, dtype=float)
    order = np.argsort(pvalues, kind="stable")
    factors = len(pvalues) - np.arange(len(pvalues))
    adjusted = np.empty_like(pvalues)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(factors * pvalues[order]))
    return adjusted
