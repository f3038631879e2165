"""Permutation test: whether a similarity is more than chance."""

import math
from dataclasses import replace
from numbers import Integral

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sksim.inference._pair import check_measure, make_pair, refuse_unpaired
from sksim.inference._permutations import RowOrders
from sksim.inference._result import (
    SimilarityTestResult,
    adjusted,
    permutation_pvalue,
    standardized,
)
from sksim.utils._sklearn_compat import Interval, StrOptions, validate_params

# More orders than this are never enumerated unasked.
_LARGEST_ENUMERATION = 100_000


@validate_params(
    {
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"auto", "permutation", "exact"})],
        "groups": ["array-like", None],
        "permute": [StrOptions({"rows", "within", "blocks"}), None],
        "alternative": [StrOptions({"greater", "less", "two-sided"})],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def similarity_test(
    measure,
    X,
    y,
    *,
    y_true=None,
    n_permutations=999,
    method="auto",
    groups=None,
    permute=None,
    alternative="greater",
    random_state=None,
    n_jobs=None,
    verbose=0,
    batch_size=32,
):
    r"""Test whether two representations are more similar than chance.

    Under the null hypothesis row i of X has nothing to do with row i of y, so that all
    orders of y's rows are equally likely. With b of m random orders at least as
    similar as the given one,

    .. math:: p = \frac{b + 1}{m + 1} .

    Both views are made once; each order only relabels the rows of one.

    Parameters
    ----------
    measure : estimator
        The measure, not necessarily fitted; it is cloned.
    X : array-like of shape (n_samples, n_features)
        First representation.
    y : array-like of shape (n_samples, n_features_y)
        Second representation of the same inputs.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them. They stay with the rows of each side.
    n_permutations : int, default=999
        Number of random orders; the smallest p-value is 1 / (n_permutations + 1).
    method : {"auto", "permutation", "exact"}, default="auto"
        "exact" goes through all orders, "permutation" draws some at random. "auto" is
        exact where that takes no more than ``n_permutations`` orders.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, where rows belong together: patches of one image, frames of
        one film. Free permutation of such rows finds similarity in anything.
    permute : {"rows", "within", "blocks"}, default=None
        What changes places: all rows freely; rows within their group; or whole groups
        of equal size. None is "blocks" where there are groups and "rows" where there
        are none.
    alternative : {"greater", "less", "two-sided"}, default="greater"
        What counts as extreme: a score as great as the observed one (more similar), as
        small, or either.
    random_state : int, RandomState instance or None, default=None
        Seed of the orders. The result depends on neither ``n_jobs`` nor
        ``batch_size``.
    n_jobs : int, default=None
        Number of parallel jobs.
    verbose : int, default=0
        Progress messages.
    batch_size : int, default=32
        Orders that a job evaluates in one go.

    Returns
    -------
    result : SimilarityTestResult
        With the attributes ``statistic``, ``score``, ``pvalue``,
        ``null_distribution``, ``null_mean``, ``null_std`` (all three of the score),
        ``z_score``, ``adjusted_score``, ``method`` and ``n_permutations``.

    Raises
    ------
    ValueError
        If the measure is not paired: the order of rows means nothing to it.

    See Also
    --------
    sklearn.model_selection.permutation_test_score : Permutes the target of a
        predictor.
    permutations : The orders themselves.

    References
    ----------
    B. Phipson, G. Smyth. Permutation p-values should never be zero. Statistical
    Applications in Genetics and Molecular Biology, 2010.

    A. Winkler et al. Permutation inference for the general linear model. NeuroImage,
    2014 (groups of rows).

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.inference import similarity_test
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(3)
    >>> X, unrelated = rng.normal(size=(2, 100, 256))
    >>> result = similarity_test(CKA(), X, unrelated, random_state=0)
    >>> round(result.score, 2), round(result.null_mean, 2), result.pvalue > 0.05
    (0.72, 0.72, True)
    >>> related = X[:, :20] + rng.normal(size=(100, 20))
    >>> similarity_test(CKA(), X, related, random_state=0).pvalue
    0.001
    """
    measure = check_measure(measure, "test similarity")
    refuse_unpaired(measure)
    pair = make_pair(measure, X, y, y_true)
    orders = RowOrders(
        pair.n_samples, groups=groups, permute=permute, random_state=random_state
    )
    statistic = pair.statistic()
    exact = _is_exact(method, orders.n_distinct, n_permutations)
    null = pair.tags.orient(
        _null_statistics(
            pair,
            orders,
            None if exact else n_permutations,
            n_jobs=n_jobs,
            verbose=verbose,
            batch_size=batch_size,
        )
    )
    score = pair.tags.orient(statistic)
    with np.errstate(invalid="ignore"):  # infinite scores have no mean
        null_mean = float(np.mean(null))
        null_std = float(np.std(null, ddof=0 if exact or len(null) == 1 else 1))
    return SimilarityTestResult(
        statistic=statistic,
        score=score,
        pvalue=permutation_pvalue(
            score, null, alternative, rounding=pair.rounding, exact=exact
        ),
        null_distribution=null,
        null_mean=null_mean,
        null_std=null_std,
        z_score=standardized(score, null_mean, null_std, rounding=pair.rounding),
        adjusted_score=adjusted(score, null_mean, pair.tags),
        method="exact" if exact else "permutation",
        n_permutations=len(null),
        alternative=alternative,
    )


def _is_exact(method, n_distinct, n_permutations):
    """Whether all orders are gone through."""
    if method == "exact" and n_distinct > _LARGEST_ENUMERATION:
        count = "too many" if math.isinf(n_distinct) else n_distinct
        raise ValueError(
            f"method='exact' would go through {count} orders, more than "
            f"{_LARGEST_ENUMERATION}. Use method='permutation'."
        )
    return method == "exact" or (method == "auto" and n_distinct <= n_permutations)


def _null_statistics(pair, orders, n_permutations, *, n_jobs, verbose, batch_size):
    """Statistics of random orders, or of all orders where their number is None."""
    views = pair.measure._prepare_permutations(pair.view_x, pair.view_y, pair.xp)
    pair = replace(pair, view_x=views[0], view_y=views[1])
    if n_permutations is None:
        return np.array([_permuted(pair, order) for order in orders.enumerate()])
    # one pair object for all jobs: joblib maps its arrays into memory once
    jobs = (
        delayed(_null_batch)(pair, orders, range(start, stop))
        for start, stop in _batches(n_permutations, batch_size)
    )
    batches = Parallel(n_jobs=n_jobs, verbose=verbose)(jobs)
    return np.concatenate(batches)


def _batches(total, size):
    return [(start, min(start + size, total)) for start in range(0, total, size)]


def _null_batch(pair, orders, numbers):
    return np.array([_permuted(pair, orders.draw(number)) for number in numbers])


def _permuted(pair, order):
    """Statistic after the rows of y have been put into another order."""
    return float(
        pair.measure._compare_permuted(
            pair.view_x, pair.view_y, pair.index(order), pair.xp
        )
    )
