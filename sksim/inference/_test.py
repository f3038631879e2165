"""Permutation test: whether a similarity is more than chance."""

import math
from numbers import Integral

import numpy as np

from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Measure, Metadata, RandomState
from sksim.base._row_names import refuse_other_groups
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure
from sksim.inference._checks import refuse_unpaired
from sksim.inference._correction import (
    best_score,
    calibrated_score,
    corrected_score,
)
from sksim.inference._moments import null_moments, refuse_unreliable
from sksim.inference._nulls import (
    ExchangeNull,
    FeatureNull,
    GroupExchangeNull,
    GroupNull,
    RowNull,
    null_statistics,
)
from sksim.inference._permutations import own_strata
from sksim.inference._result import (
    SimilarityTestResult,
    permutation_pvalue,
    standardized,
    with_logarithm,
)
from sksim.inference._rounding import rounding_of
from sksim.inference._succession import warn_of_succession

# More orders than this are never enumerated unasked.
_LARGEST_ENUMERATION = 100_000


@validate_params(
    {
        "metadata": [dict, None],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "method": [StrOptions({"auto", "permutation", "exact", "pearson3"})],
        "groups": ["array-like", None],
        "strata": ["array-like", None],
        "permute": [StrOptions({"rows", "shift"})],
        "alternative": [StrOptions({"greater", "less", "two-sided"}), None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def similarity_test(
    measure: Measure,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    n_permutations: int = 999,
    method: str = "auto",
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    permute: str = "rows",
    alternative: str | None = None,
    random_state: RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    batch_size: int = 32,
) -> SimilarityTestResult:
    r"""Test whether two representations are more similar than chance.

    Under the null hypothesis row i of X has nothing to do with row i of y, so that all
    orders of y's rows are equally likely. With b of m random orders at least as
    similar as the given one,

    .. math:: p = \frac{b + 1}{m + 1} .

    Both views are made once; each order only relabels the rows of one.

    Measures whose tag ``null`` is "exchange" ask another question: whether the two
    models are interchangeable. Their outputs are then swapped row by row, and a small
    p-value says that they differ by more than chance.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, not necessarily fitted; it is cloned.
    X : array-like of shape (n_samples, n_features)
        First representation.
    y : array-like of shape (n_samples, n_features_y), default=None
        Second representation of the same inputs. Measures of a group of models take
        all models' outputs as X, and none here.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them. They stay with the rows of each side.
    metadata : dict, default=None
        More that is known of the rows and that the measure uses, by name: "z", the
        confounder of :class:`sksim.compose.DeconfoundedSimilarity`, for one, or
        "repeats" of :class:`sksim.compose.CrossRepetition`.
    n_permutations : int, default=999
        Number of random orders; the smallest p-value is 1 / (n_permutations + 1).
    method : {"auto", "permutation", "exact", "pearson3"}, default="auto"
        "exact" goes through all orders, "permutation" draws some at random. "auto" is
        exact where that takes no more than ``n_permutations`` orders, or where the
        measure has an exact test, such as McNemar's. "pearson3" draws none: for
        statistics of the form tr(K P L P'), such as CKA and mean squared CCA, the
        null mean, variance and skewness are exact and the p-value is that of a Pearson
        type III distribution, so that it can be as small as it needs to be
        (``log_pvalue``). It needs 10 rows.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, where rows belong together and are never split: patches of
        one image. Whole groups change places with groups of their size. Free
        permutation of such rows finds similarity in anything.
    strata : array-like of shape (n_samples,) or (n_samples, n_strata), default=None
        Sets within which rows, or whole groups, change places, such as true classes.
    permute : {"rows", "shift"}, default="rows"
        "shift" turns rows that follow each other in time round in a circle; see
        :func:`permutations`.
    alternative : {"greater", "less", "two-sided"}, default=None
        What counts as extreme: a score as great as the observed one (more similar), as
        small (less similar), or either. None is "greater", and "less" for a measure
        whose null hypothesis is that both models are interchangeable. Of a signed
        difference of such models the sides are those of the difference, not of the
        score: "less" asks whether the second model is better, "greater" whether the
        first is.
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
        With the attributes ``statistic``, ``score``, ``pvalue``, ``log_pvalue``,
        ``null_distribution``, ``null_mean``, ``null_std`` (all three of the score, and
        of the statistic where that is signed),
        ``z_score``, ``calibrated_score``, ``method`` and ``n_permutations``.

    Raises
    ------
    ValueError
        If the measure is not paired: the order of rows means nothing to it. If
        "pearson3" is asked for and the measure is of another form, or heavy tails or
        few directions make it unreliable.

    Warns
    -----
    UserWarning
        If rows are permuted freely and those that follow each other are alike in both
        representations: in time, by class, or in groups.

    See Also
    --------
    similarity_interval : How sure the number itself is.
    sklearn.model_selection.permutation_test_score : Permutes the target of a
        predictor.
    permutations : The orders themselves.

    References
    ----------
    B. Phipson, G. Smyth. Permutation p-values should never be zero. Statistical
    Applications in Genetics and Molecular Biology, 2010.

    F. Kazi-Aoual, S. Hitier, R. Sabatier, J.-D. Lebreton. Refined approximations to
    permutation tests for multivariate inference. Computational Statistics & Data
    Analysis, 1995 (moments and Pearson III).

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
    tags = tags_of(measure)
    if tags.inputs == "models" or tags.null == "rows":
        refuse_unpaired(measure)
    known = row_metadata(metadata, y_true=y_true)
    strata = own_strata(tags, strata, known)
    if groups is not None or strata is not None:
        refuse_other_groups(measure, X, y, groups=groups, strata=strata)
    comparison = measure._open(X, y, **known)
    design = {
        "groups": groups,
        "strata": strata,
        "permute": permute,
        "random_state": random_state,
    }
    has_rows = comparison.rows.n_samples == comparison.rows.arrays[0].shape[0]
    if is_free(design) and tags.null == "rows" and not tags.precomputed and has_rows:
        x, *others = comparison.rows.arrays
        warn_of_succession([x], others, stacklevel=3)
    return similarity_test_of(
        comparison,
        n_permutations=n_permutations,
        method=method,
        alternative=alternative,
        design=design,
        n_jobs=n_jobs,
        verbose=verbose,
        batch_size=batch_size,
    )


def similarity_test_of(
    comparison,
    *,
    n_permutations,
    design,
    method="auto",
    alternative=None,
    n_jobs=None,
    verbose=0,
    batch_size=32,
):
    """`similarity_test` of a comparison, whose views are there already.

    Parameters
    ----------
    comparison : Comparison or GroupComparison
    design : dict
        What may change places: ``groups``, ``strata``, ``permute`` and
        ``random_state``.
    """
    tags = comparison.tags
    statistic = comparison.statistic()
    alternative = alternative or ("less" if tags.null == "exchange" else "greater")
    if method == "pearson3":
        return _pearson3_result(comparison, statistic, alternative, design)
    null = null_of(tags)(comparison, **design)
    by_name = None
    asks_for_it = method in ("auto", "exact") and design["groups"] is None
    if asks_for_it and tags.null == "exchange":
        by_name = comparison.exact_pvalue(alternative)
    may_enumerate = by_name is None or null.n_distinct <= n_permutations
    exact = may_enumerate and _is_exact(method, null.n_distinct, n_permutations)
    statistics = null_statistics(
        null,
        None if exact else n_permutations,
        n_jobs=n_jobs,
        verbose=verbose,
        batch_size=batch_size,
    )
    score, scores = tags.orient(statistic), tags.orient(statistics)
    rounding = float(rounding_of(comparison, statistic, null.unmoved))
    asked, asked_of = alternative, (score, scores)
    if tags.null == "exchange":
        asked, asked_of = _question(tags, alternative, statistic, statistics)
    pvalue = permutation_pvalue(*asked_of, asked, rounding=rounding, exact=exact)
    ddof = 0 if exact or len(scores) == 1 else 1
    if by_name is not None:
        exact, pvalue = True, by_name
    own, draws = score, scores
    if tags.null == "exchange" and tags.signed:
        own, draws = statistic, statistics
    with np.errstate(invalid="ignore"):  # infinite scores have no mean
        of_scores, (null_mean, null_std) = (
            (float(np.mean(values)), float(np.std(values, ddof=ddof)))
            for values in (scores, draws)
        )
    return SimilarityTestResult(
        statistic=statistic,
        score=score,
        **with_logarithm(pvalue),
        null_distribution=draws,
        null_mean=null_mean,
        null_std=null_std,
        z_score=standardized(own, null_mean, null_std, rounding=rounding),
        calibrated_score=calibrated_score(
            comparison, score, *of_scores, rounding=rounding
        ),
        method="exact" if exact else "permutation",
        n_permutations=len(scores),
        alternative=alternative,
    )


def _question(tags, alternative, statistic, statistics):
    """(side, (observed, null)) of a test of interchangeable models.

    Two models differ to either side alike, so that the size of a difference answers the
    two-sided question at once; of a signed one there are two sides to ask for.
    """
    if alternative == "two-sided":
        return "less", (tags.orient(statistic), tags.orient(statistics))
    if tags.signed:
        return alternative, (statistic, statistics)
    return alternative, (tags.orient(statistic), tags.orient(statistics))


def is_free(design):
    """Whether all rows may change places."""
    designs = (design["groups"], design["strata"])
    return design["permute"] == "rows" and all(part is None for part in designs)


def null_of(tags):
    """Class of what is exchangeable for a measure with these tags."""
    if tags.null == "features":
        return FeatureNull
    if tags.arity == "group":
        return GroupExchangeNull if tags.null == "exchange" else GroupNull
    return ExchangeNull if tags.null == "exchange" else RowNull


def _pearson3_result(comparison, statistic, alternative, design):
    """Result from the exact moments of the null distribution."""
    tags = comparison.tags
    if not is_free(design):
        raise ValueError(
            "method='pearson3' knows the moments of free permutations of all rows. Use "
            "method='permutation' for groups, strata and shifts."
        )
    form = None
    if tags.arity == "pair" and tags.null == "rows":
        form = comparison.trace_form()
    if form is None:
        raise ValueError(
            f"{type(comparison.owner).__name__} is not of the form tr(K P L P'), for "
            "which the moments of the null distribution are known, or does not keep "
            "its n x n matrices (of kernels and distances, above 4096 rows). Use "
            "method='permutation'."
        )
    moments = null_moments(form)
    refuse_unreliable(moments, form)
    score, null_mean = tags.orient(statistic), tags.orient(moments.mean)
    return SimilarityTestResult(
        statistic=statistic,
        score=score,
        **with_logarithm(log_pvalue=moments.log_pvalue(statistic, alternative)),
        null_distribution=None,
        null_mean=null_mean,
        null_std=moments.std,
        # a null that does not vary is refused above
        z_score=(score - null_mean) / moments.std,
        calibrated_score=corrected_score(score, null_mean, best_score(comparison)),
        method="pearson3",
        n_permutations=0,
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
