"""What a test returns, and how a null distribution becomes its numbers."""

import math
from dataclasses import dataclass, field

import numpy as np

from sksim._results import ResultMixin


@dataclass(frozen=True, kw_only=True)
class SimilarityTestResult(ResultMixin):
    """Result of :func:`similarity_test`.

    Attributes
    ----------
    statistic : float
        The measure's native number.
    score : float
        The statistic, oriented so that greater means more similar.
    pvalue : float
        Probability of a score at least as extreme under the null hypothesis; never 0.
    log_pvalue : float
        Its natural logarithm, also where the p-value itself is smaller than any number
        of double precision, for which ``pvalue`` is then the smallest, 2e-308.
    null_distribution : ndarray of shape (n_permutations,) or None
        Scores under the null hypothesis, or statistics where these are signed; None
        where only their moments are known.
    null_mean, null_std : float
        Their mean and standard deviation.
    z_score : float
        The score in standard deviations from its null mean; nan if there are none.
    calibrated_score : float
        (score - null_mean) / (best score - null_mean): 0 by chance, 1 at best; nan for
        a measure without a best score, or whose null does not vary.
    method : {"permutation", "exact", "pearson3"}
        Where the p-value comes from.
    n_permutations : int
        Number of permutations made.
    alternative : {"greater", "less", "two-sided"}
        What counts as extreme.
    """

    statistic: float
    score: float
    pvalue: float
    log_pvalue: float
    null_distribution: np.ndarray | None = field(repr=False)
    null_mean: float
    null_std: float
    z_score: float
    calibrated_score: float
    method: str
    n_permutations: int
    alternative: str = "greater"


def with_logarithm(pvalue=None, log_pvalue=None):
    """Fields ``pvalue`` and ``log_pvalue`` of a result, of one of them."""
    if log_pvalue is None:
        return {"pvalue": pvalue, "log_pvalue": math.log(pvalue)}
    pvalue = max(math.exp(log_pvalue), float(np.finfo(float).tiny))
    return {"pvalue": pvalue, "log_pvalue": log_pvalue}


def permutation_pvalue(score, null, alternative, *, rounding, exact=False):
    """Share of null scores that are at least as extreme as the observed one.

    Parameters
    ----------
    score : float
        The observed score.
    null : array
        Scores under the null hypothesis.
    alternative : {"greater", "less", "two-sided"}
    rounding : float
        Relative difference below which two scores are tied.
    exact : bool, default=False
        Whether the null holds all orders, the observed one among them. Otherwise the
        observed order counts as one more.

    Returns
    -------
    pvalue : float
    """
    finite = null[np.isfinite(null)]
    largest = max(abs(score), float(np.max(np.abs(finite), initial=0.0)))
    tolerance = rounding * largest if math.isfinite(largest) else 0.0
    # a null score that is nan counts against the hypothesis of similarity
    greater = int(np.count_nonzero(~(null < score - tolerance)))
    less = int(np.count_nonzero(~(null > score + tolerance)))
    own = 0 if exact else 1
    tails = {
        side: (count + own) / (len(null) + own)
        for side, count in (("greater", greater), ("less", less))
    }
    if alternative == "two-sided":
        return min(1.0, 2 * min(tails.values()))
    return tails[alternative]


def standardized(score, mean, std, *, rounding):
    """The score in null standard deviations; nan where these are rounding noise."""
    if not std > rounding * max(abs(mean), abs(score)):
        return math.nan
    return (score - mean) / std
