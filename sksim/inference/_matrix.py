"""Tests of whole matrices of similarities: layers by layers, models by models."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control
from sklearn.utils.parallel import Parallel, delayed

from sksim._parallel import on_one_blas_thread, shared_by_jobs
from sksim._results import ResultMixin
from sksim._sklearn_compat import Interval, StrOptions, validate_params
from sksim._typing import ArrayLike, Layers, Measure, Metadata, RandomState
from sksim.base._layers import open_layers
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure
from sksim.inference._checks import refuse_unpaired
from sksim.inference._correction import MatrixCorrection
from sksim.inference._permutations import own_strata, row_orders
from sksim.inference._result import (
    SimilarityTestResult,
    permutation_pvalue,
    standardized,
    with_logarithm,
)
from sksim.inference._rounding import rounding_of
from sksim.inference._succession import warn_of_succession


@dataclass(frozen=True, kw_only=True)
class SimilarityMatrixTestResult(ResultMixin):
    """Result of :func:`similarity_matrix_test`.

    Attributes
    ----------
    scores : ndarray of shape (n_layers_x, n_layers_y)
        Scores: greater means more similar.
    pvalues : ndarray of shape (n_layers_x, n_layers_y)
        P-value of each cell for itself, by its permutations.
    pvalues_corrected : ndarray of shape (n_layers_x, n_layers_y)
        P-values corrected for the number of cells by ``correction``; nan for cells that
        were not tested.
    significant : ndarray of bool of shape (n_layers_x, n_layers_y)
        Where the corrected p-value is at most ``alpha``.
    z_scores : ndarray of shape (n_layers_x, n_layers_y)
        (score - null_mean) / null_std of the tested cells, as in
        :func:`similarity_test`; nan where the null does not vary.
    null_mean, null_std : ndarray of shape (n_layers_x, n_layers_y)
        Mean and standard deviation of each cell under the null hypothesis.
    calibrated_scores : ndarray of shape (n_layers_x, n_layers_y)
        (score - null_mean) / (best score - null_mean), or with ``zero="critical"`` the
        same above the critical value; nan where the null does not vary.
    aggregate : SimilarityTestResult or None
        Test of one statistic of the whole matrix, if one was asked for.
    names_x, names_y : list of str
        Names of rows and columns.
    correction : str
        How p-values were corrected.
    n_permutations : int
        Number of permutations, the same for all cells.
    """

    scores: np.ndarray
    pvalues: np.ndarray
    pvalues_corrected: np.ndarray
    significant: np.ndarray
    z_scores: np.ndarray
    null_mean: np.ndarray
    null_std: np.ndarray
    calibrated_scores: np.ndarray
    aggregate: SimilarityTestResult | None = field(repr=False)
    names_x: list[str]
    names_y: list[str]
    correction: str
    n_permutations: int

    def to_frame(self) -> pd.DataFrame:
        """One row for each tested cell, the most significant first.

        Returns
        -------
        frame : pandas.DataFrame
            Names of the two layers, their score and its null distribution's mean and
            spread, and both p-values.
        """
        i, j = np.nonzero(~np.isnan(self.pvalues))
        columns = {
            "x": [self.names_x[k] for k in i],
            "y": [self.names_y[k] for k in j],
        }
        for name in (
            "scores",
            "calibrated_scores",
            "null_mean",
            "null_std",
            "z_scores",
        ):
            columns[name.removesuffix("s")] = getattr(self, name)[i, j]
        columns["pvalue"] = self.pvalues[i, j]
        columns["pvalue_corrected"] = self.pvalues_corrected[i, j]
        columns["significant"] = self.significant[i, j]
        frame = pd.DataFrame(columns)
        return frame.sort_values(
            ["pvalue_corrected", "z_score"], ascending=[True, False], ignore_index=True
        )


_AGGREGATES = {
    "max": np.max,
    "mean": np.mean,
    "best_per_row": lambda scores: np.mean(np.max(scores, axis=1)),
}


@validate_params(
    {
        "metadata": [dict, None],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "correction": [StrOptions({"max", "holm", "fdr_bh"})],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "aggregate": [StrOptions(set(_AGGREGATES)), callable, None],
        "zero": [StrOptions({"mean", "critical"})],
        "level": [Interval(Real, 0, 1, closed="neither")],
        "groups": ["array-like", None],
        "strata": ["array-like", None],
        "permute": [StrOptions({"rows", "shift"})],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
    },
    prefer_skip_nested_validation=True,
)
def similarity_matrix_test(
    measure: Measure,
    Xs: Layers,
    Ys: Layers | None = None,
    *,
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    n_permutations: int = 999,
    correction: str = "max",
    alpha: float = 0.05,
    aggregate: str | Callable[[np.ndarray], float] | None = None,
    zero: str = "mean",
    level: float = 0.05,
    groups: ArrayLike | None = None,
    strata: ArrayLike | None = None,
    permute: str = "rows",
    random_state: RandomState | None = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    batch_size: int = 8,
) -> SimilarityMatrixTestResult:
    """Test every cell of a matrix of similarities, and the matrix as a whole.

    All cells see the same permutations, so that their dependence is kept: neighbouring
    layers are much alike, and a correction that takes their tests for independent ones
    gives power away. By default cells are studentised by their own null distribution
    and compared with the largest among them under each permutation, cell by cell from
    the most significant one down. With m permutations no p-value can be below
    1 / (m + 1), so that a Bonferroni or Holm correction of many cells finds nothing at
    all unless m is as much larger.

    Parameters
    ----------
    measure : estimator, class or str
        The measure, not necessarily fitted; it is cloned.
    Xs : dict of str to array-like, or sequence of array-like
        Representations of the same inputs: the rows of the matrix.
    Ys : dict or sequence, default=None
        Representations that are the columns. None: the pairs among ``Xs``; each pair is
        then tested once (twice for an asymmetric measure), and the diagonal not at all.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    metadata : dict, default=None
        More that is known of the rows and that the measure uses, by name.
    n_permutations : int, default=999
        Number of random orders.
    correction : {"max", "holm", "fdr_bh"}, default="max"
        "max" and "holm" control the probability of any false discovery, "fdr_bh" (of
        Benjamini and Hochberg) the expected share of false ones. "holm" warns where
        there are too few permutations for it to find anything.
    alpha : float, default=0.05
        Level of ``significant``.
    aggregate : {"max", "mean", "best_per_row"} or callable, default=None
        One statistic of the matrix of scores to be tested too: its largest value, its
        mean, the mean over rows of each row's largest value, or a function of the
        matrix. Searching for the best pair of layers raises similarity also between
        unrelated models; its own null distribution knows of the search.
    zero : {"mean", "critical"}, default="mean"
        Which score counts as 0 in ``calibrated_scores``, and in that of the aggregate:
        the null mean, or the critical value, below which all scores are 0; see
        :class:`CalibratedSimilarity`.
    level : float, default=0.05
        Level of the critical value.
    groups : array-like of shape (n_samples,), default=None
        Group of each row, where rows belong together.
    strata : array-like of shape (n_samples,) or (n_samples, n_strata), default=None
        Sets within which rows, or whole groups, change places, such as true classes.
    permute : {"rows", "shift"}, default="rows"
        "shift" turns rows that follow each other in time round in a circle; see
        :func:`permutations`.
    random_state : int, RandomState instance or None, default=None
        Seed of the orders.
    n_jobs : int, default=None
        Number of parallel jobs.
    verbose : int, default=0
        Progress messages.
    batch_size : int, default=8
        Orders that a job evaluates in one go.

    Returns
    -------
    result : SimilarityMatrixTestResult
        With the matrices ``scores``, ``pvalues``, ``pvalues_corrected``,
        ``significant``, ``z_scores``, ``calibrated_scores``, ``null_mean`` and
        ``null_std``, the ``aggregate`` and the method ``to_frame``.

    Raises
    ------
    ValueError
        If the measure is not paired, or the representations differ in their rows.

    Warns
    -----
    UserWarning
        If rows are permuted freely and those that follow each other are alike in most
        representations, or if there are too few permutations for ``correction="holm"``.

    See Also
    --------
    similarity_test : Test of one pair.

    Notes
    -----
    Measures that compare n x n matrices, or do as fast as if they did, such as CKA, RSA
    and mean squared CCA, keep one for each representation while these fit into 1 GB:
    of m representations on each side up to 12 m n^2 bytes. A permutation then costs
    little more for all cells than for a few. With larger matrices, or without any,
    each permutation compares all pairs anew.

    References
    ----------
    P. Westfall, S. Young. Resampling-based multiple testing. Wiley, 1993.

    F. Gröger et al. arXiv:2602.14486, 2026 (similarity inflated by search).

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.inference import similarity_matrix_test
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> first, second, other = rng.normal(size=(3, 60, 5))
    >>> a = {"in": first, "out": second}
    >>> b = {"in": first + rng.normal(size=(60, 5)), "out": other}
    >>> result = similarity_matrix_test(
    ...     CKA(), a, b, aggregate="max", n_permutations=199, random_state=0
    ... )
    >>> result.significant
    array([[ True, False],
           [False, False]])
    >>> best = result.to_frame().loc[0]
    >>> best["x"], best["y"], float(best["pvalue_corrected"])
    ('in', 'in', 0.005)
    >>> result.aggregate.pvalue
    0.005
    """
    measure = check_measure(measure, "test a matrix of similarities")
    refuse_unpaired(measure)
    _refuse_other_nulls(measure)
    tags, known = tags_of(measure), row_metadata(metadata, y_true=y_true)
    strata = own_strata(tags, strata, known)
    beside = {"groups": groups, "strata": strata}
    layers = open_layers(measure, Xs, Ys, n_jobs=n_jobs, beside=beside, **known)
    is_free = permute == "rows" and groups is None and strata is None
    has_rows = layers.arrays[0][0].shape[0] == layers.grid.n_samples
    if is_free and not tags.precomputed and has_rows:
        warn_of_succession(*layers.arrays, stacklevel=3)
    tested = _tested(layers, tags)
    if correction == "holm":
        _warn_of_too_few_orders(n_permutations, int(np.sum(tested)), alpha)
    statistics = layers.grid.values()
    _refuse_undefined(statistics, tested, layers)
    grid = layers.grid.for_permutations()
    orders = row_orders(
        grid.n_samples,
        groups=groups,
        strata=strata,
        permute=permute,
        random_state=random_state,
    )
    null = _null_statistics(
        grid,
        orders,
        n_permutations,
        n_jobs=n_jobs,
        verbose=verbose,
        batch_size=batch_size,
    )
    scores, null = tags.orient(statistics), tags.orient(null)
    rounding = rounding_of(layers.grid, statistics, partial(_unmoved, grid))
    matrices = _corrected(
        scores[tested], null[:, tested], correction, rounding=rounding[tested]
    )
    null_mean, null_std = (
        null.mean(axis=0),
        null.std(axis=0, ddof=min(1, len(null) - 1)),
    )
    z_scores = [
        standardized(score, mean, std, rounding=error)
        for score, mean, std, error in zip(
            *(a[tested] for a in (scores, null_mean, null_std, rounding)), strict=True
        )
    ]
    matrices["z_scores"] = z_scores
    full = {name: _fill(values, tested) for name, values in matrices.items()}
    corrected = full["pvalues_corrected"]
    correct = MatrixCorrection(zero, level)
    calibrated, best = correct.cells(layers.grid, scores, null, rounding=rounding)
    return SimilarityMatrixTestResult(
        scores=scores,
        null_mean=null_mean,
        null_std=null_std,
        calibrated_scores=calibrated,
        significant=np.where(np.isnan(corrected), np.inf, corrected) <= alpha,
        aggregate=_test_of_aggregate(
            aggregate,
            scores,
            null,
            tested,
            tags,
            rounding=float(rounding.max()),
            correct=correct,
            best=best,
        ),
        names_x=[str(name) for name in layers.names_x],
        names_y=[str(name) for name in layers.names_y],
        correction=correction,
        n_permutations=n_permutations,
        **full,
    )


def permuted_cells(layers, statistics, n_permutations, random_state):
    """What orders of the rows say of all cells at once.

    Of one set each pair counts once, and none with itself.

    Parameters
    ----------
    layers : sksim.base._layers.Layers
    statistics : array of shape (n_layers_x, n_layers_y)
        Native numbers of the measure.
    n_permutations, random_state : int

    Returns
    -------
    cells : dict of str to array of that shape
        "z_scores", "pvalues" and "pvalues_corrected", the latter by step-down.
    """
    tags = layers.grid.tags
    _refuse_other_nulls(layers.grid.owner)
    tested = _tested(layers, tags)
    grid = layers.grid.for_permutations()
    orders = row_orders(grid.n_samples, random_state=random_state)
    null = _null_statistics(grid, orders, n_permutations)
    rounding = rounding_of(layers.grid, statistics, partial(_unmoved, grid))[tested]
    scores, null = tags.orient(statistics)[tested], tags.orient(null)[:, tested]
    cells = _corrected(scores, null, "max", rounding=rounding)
    spread = null.std(axis=0, ddof=min(1, len(null) - 1))
    cells["z_scores"] = [
        standardized(score, mean, std, rounding=error)
        for score, mean, std, error in zip(
            scores, null.mean(axis=0), spread, rounding, strict=True
        )
    ]
    cells = {name: _fill(values, tested) for name, values in cells.items()}
    if layers.is_of_one_set and tags.symmetric:
        cells = {name: np.fmin(table, table.T) for name, table in cells.items()}
    return cells


def _null_statistics(
    grid, orders, n_permutations, *, n_jobs=None, verbose=0, batch_size=8
):
    """Statistics of all cells under each order."""
    jobs = (
        delayed(_null_batch)(
            grid, orders, start, min(start + batch_size, n_permutations)
        )
        for start in range(0, n_permutations, batch_size)
    )
    with shared_by_jobs(grid):
        return np.concatenate(Parallel(n_jobs=n_jobs, verbose=verbose)(jobs))


def _refuse_other_nulls(measure):
    tags = tags_of(measure)
    if tags.null != "rows" or tags.arity != "pair":
        raise ValueError(
            f"{type(measure).__name__} is not tested by permuting rows, which a matrix "
            "of tests does for all cells at once. Use similarity_test for each pair."
        )


def _unmoved(grid):
    return grid.permuted([np.arange(grid.n_samples)])[0]


@on_one_blas_thread
def _null_batch(grid, orders, start, stop):
    return grid.permuted([orders.draw(i) for i in range(start, stop)])


def _warn_of_too_few_orders(n_permutations, n_cells, alpha):
    """Warn where Holm's correction can't find anything, whatever the data."""
    if n_cells / (n_permutations + 1) <= alpha:
        return
    needed = math.ceil(n_cells / alpha * (1 - 1e-12)) - 1
    warnings.warn(
        f"correction='holm' multiplies p-values by up to {n_cells}, the number of "
        f"cells, and with n_permutations={n_permutations} none is below "
        f"{1 / (n_permutations + 1):.2g}: nothing can be significant at "
        f"alpha={alpha:g}. Use n_permutations={needed} or more, or correction='max'.",
        UserWarning,
        stacklevel=4,
    )


def _tested(layers, tags):
    """Which pairs are tested: of one set each pair once, and none with itself."""
    shape = len(layers.names_x), len(layers.names_y)
    tested = np.ones(shape, dtype=bool)
    if not layers.is_of_one_set:
        return tested
    if shape[0] == 1:
        raise ValueError(
            "Xs holds one representation, which makes no pair. Pass Ys, or more."
        )
    return (
        np.triu(tested, k=1) if tags.symmetric else tested & ~np.eye(*shape, dtype=bool)
    )


def _refuse_undefined(statistics, tested, layers):
    """Raise where there is nothing to infer, which would pass for p = 1."""
    undefined = np.argwhere(tested & np.isnan(statistics))
    if len(undefined):
        i, j = undefined[0]
        raise ValueError(
            f"Layer {layers.names_x[i]!r} against {layers.names_y[j]!r}: "
            f"{type(layers.grid.measure).__name__} is undefined (nan) on this input, "
            f"and in {len(undefined) - 1} more cells. Leave such layers out."
        )


def _fill(values, tested):
    """Values of the tested cells in a matrix; nan elsewhere."""
    matrix = np.full(tested.shape, np.nan)
    matrix[tested] = values
    return matrix


def _corrected(scores, null, correction, *, rounding):
    """P-values of the tested cells, and corrected ones."""
    # the observed order is one of those that the null hypothesis finds equally likely
    both = np.concatenate([scores[None, :], null])
    mean, std = both.mean(axis=0), both.std(axis=0)
    tolerance = rounding * np.maximum(np.abs(null).max(axis=0), np.abs(scores))
    varies = std > tolerance
    scale = np.where(varies, std, 1.0)
    z = np.where(varies, (both - mean) / scale, 0.0)
    # a null score that is tied with the observed one counts as being as great
    observed, z_null = z[0], z[1:] + tolerance / scale
    pvalues = (1 + np.sum(z_null >= observed, axis=0)) / len(both)
    correct = {"max": _max_step_down, "holm": _holm, "fdr_bh": _benjamini_hochberg}
    return {
        "pvalues": pvalues,
        "pvalues_corrected": correct[correction](pvalues, observed, z_null),
    }


def _max_step_down(pvalues, observed, z_null):
    """Westfall and Young: each cell against the largest of those not yet rejected."""
    order = np.argsort(-observed, kind="stable")
    # largest null z among this cell and all less significant ones
    remaining = np.maximum.accumulate(z_null[:, order[::-1]], axis=1)[:, ::-1]
    counts = np.sum(remaining >= observed[order], axis=0)
    corrected = np.empty_like(pvalues)
    corrected[order] = np.maximum.accumulate((1 + counts) / (len(z_null) + 1))
    return corrected


def _holm(pvalues, observed, z_null):
    order = np.argsort(pvalues, kind="stable")
    factors = len(pvalues) - np.arange(len(pvalues))
    corrected = np.empty_like(pvalues)
    corrected[order] = np.minimum(1, np.maximum.accumulate(factors * pvalues[order]))
    return corrected


def _benjamini_hochberg(pvalues, observed, z_null):
    return false_discovery_control(pvalues)


def _test_of_aggregate(
    aggregate, scores, null, tested, tags, *, rounding, correct, best
):
    """Test of one statistic of the whole matrix."""
    if aggregate is None:
        return None
    function = aggregate if callable(aggregate) else _AGGREGATES[aggregate]
    if not tested.all() and not callable(aggregate):
        # a representation is no neighbour of itself
        low = -np.inf if aggregate != "mean" else np.nan
        pick = np.nanmean if aggregate == "mean" else function
        mask = tested | tested.T

        def function(matrix):
            return pick(np.where(mask, matrix, low))

    score = float(function(scores))
    values = np.array([float(function(matrix)) for matrix in null])
    mean, std = float(values.mean()), float(values.std(ddof=min(1, len(values) - 1)))
    return SimilarityTestResult(
        statistic=tags.orient(score),
        score=score,
        **with_logarithm(
            permutation_pvalue(score, values, "greater", rounding=rounding)
        ),
        null_distribution=values,
        null_mean=mean,
        null_std=std,
        z_score=standardized(score, mean, std, rounding=rounding),
        calibrated_score=correct.number(
            "The aggregate", score, values, float(function(best)), rounding=rounding
        ),
        method="permutation",
        n_permutations=len(values),
    )
