"""Protocols on matrices of scores: layers in order, accuracies, copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from sksim._sklearn_compat import StrOptions, validate_params
from sksim._typing import ArrayLike, RandomState
from sksim.base._row_names import quoted
from sksim.evaluation._grouping import separation
from sksim.evaluation._jackknife import CORRELATION, SHARE, Metric, jackknifed
from sksim.evaluation._result import ProtocolResult
from sksim.evaluation._scores import (
    kendall,
    most_similar,
    one_for_each,
    read_scores,
    spearman,
    upper,
)
from sksim.inference._permuted_models import permutation_pvalue


@dataclass(frozen=True)
class MonotonicityResult(ProtocolResult):
    """Result of :func:`monotonicity`.

    Parameters
    ----------
    metrics : DataFrame
        One row for "conformity" and "spearman": ``value``, ``standard_error``, limits
        ``low`` and ``high`` of 95 %, ``chance`` and ``n_models``.
    leave_one_outs : DataFrame of shape (n_models, n_metrics)
        The metrics without each model.
    strata : Series
        The group of each model.
    pvalue : float
        Not computed: nan.

    See Also
    --------
    monotonicity : Makes the result.

    Examples
    --------
    >>> from sksim.evaluation import monotonicity
    >>> S = [[9, 5, 6, 2], [5, 9, 5, 5], [6, 5, 9, 7], [2, 5, 7, 9]]
    >>> monotonicity([S]).conformity
    0.75
    """

    @property
    def conformity(self) -> float:
        """Share of pairs of layers of which the farther is not more similar."""
        return self._value_of("conformity")

    @property
    def spearman(self) -> float:
        """Mean rank correlation of dissimilarity with the distance of layers."""
        return self._value_of("spearman")


def monotonicity(
    S_by_model: Mapping | Sequence, *, strata: ArrayLike | None = None
) -> MonotonicityResult:
    """Judge whether layers are the less similar, the farther they are apart.

    From each layer of a model one looks forward and backward. Of two layers on one
    side, the nearer should be no less similar than the farther: the conformity is the
    share of such pairs, and ties are no violations. Spearman's correlation of
    dissimilarity with distance is taken for each layer and side with two others, and
    averaged; layers whose scores are all equal are left out of it.

    Parameters
    ----------
    S_by_model : dict or list of array-like of shape (n_layers, n_layers)
        For each model the scores of its layers with each other, greater for more
        similar layers, in their order.
    strata : array-like of shape (n_models,), default=None
        Group of each model, within which the jackknife leaves out models.

    Returns
    -------
    result : MonotonicityResult
        With ``conformity``, ``spearman`` and ``metrics``: means over models.

    Raises
    ------
    ValueError
        If a model has fewer than three layers, or a score is missing.

    See Also
    --------
    layer_identification : Whether corresponding layers of two networks are found.

    Notes
    -----
    By chance the conformity is .5 and the correlation 0. Most measures reach 1 with
    small networks: a measure that doesn't is to be doubted, one that does not yet to be
    trusted.

    References
    ----------
    M. Klabunde et al. ReSi: A comprehensive benchmark for representational similarity
    measures. ICLR, 2025, arXiv:2408.00531.

    Examples
    --------
    >>> from sksim.evaluation import monotonicity
    >>> S = [[9, 5, 6, 2], [5, 9, 5, 5], [6, 5, 9, 7], [2, 5, 7, 9]]
    >>> round(monotonicity([S]).spearman, 4)
    0.1667
    """
    if not isinstance(S_by_model, Mapping):
        S_by_model = dict(enumerate(S_by_model))
    if not S_by_model:
        raise ValueError("S_by_model is empty: there is no model to judge.")
    found = np.array([_of_layers(S, name) for name, S in S_by_model.items()])
    names = list(S_by_model)
    if strata is not None:
        strata = one_for_each(strata, pd.DataFrame(index=names), "strata")

    def of_models(models):
        if not len(models):
            return {"conformity": np.nan, "spearman": np.nan}
        conformity, correlation = found[models].T
        known = correlation[~np.isnan(correlation)]
        mean = known.mean() if len(known) else np.nan
        return {"conformity": conformity.mean(), "spearman": mean}

    about = {"conformity": SHARE, "spearman": CORRELATION}
    return MonotonicityResult(*jackknifed(of_models, names, strata, about))


def _of_layers(S, name):
    """Conformity and mean correlation of one model."""
    scores = read_scores(S, name=f"S_by_model[{name!r}]").to_numpy()
    if len(scores) < 3:
        raise ValueError(
            f"Model {name!r} has {len(scores)} layers: from three on, some layer is "
            "farther from another than a third."
        )
    conforming, correlations = [], []
    for layer in range(len(scores)):
        for side in (scores[layer, layer + 1 :], scores[layer, :layer][::-1]):
            near, far = np.triu_indices(len(side), k=1)
            conforming += (side[near] >= side[far]).tolist()
            correlations.append(spearman(-side, np.arange(len(side))))
    known = [value for value in correlations if not np.isnan(value)]
    return np.mean(conforming), np.mean(known) if known else np.nan


@dataclass(frozen=True)
class GroundingResult(ProtocolResult):
    """Result of :func:`prediction_grounding`.

    Parameters
    ----------
    metrics : DataFrame
        One row for "spearman" and "kendall": ``value``, ``standard_error``, limits
        ``low`` and ``high`` of 95 %, ``chance`` and ``n_models``.
    leave_one_outs : DataFrame of shape (n_models, n_metrics)
        The metrics without each model.
    strata : Series
        The group of each model.
    pvalue : float
        Of Spearman's correlation, over permutations of models; nan where none was
        asked for.

    See Also
    --------
    prediction_grounding : Makes the result.

    Examples
    --------
    >>> from sksim.evaluation import prediction_grounding
    >>> S = [[9, 5, 1], [5, 9, 3], [1, 3, 9]]
    >>> prediction_grounding(S, [0.9, 0.8, 0.5]).kendall
    1.0
    """

    @property
    def spearman(self) -> float:
        """Spearman's correlation of dissimilarity with the target."""
        return self._value_of("spearman")

    @property
    def kendall(self) -> float:
        """Kendall's tau-b of dissimilarity with the target."""
        return self._value_of("kendall")


@validate_params(
    {"alternative": [StrOptions({"two-sided", "greater"})]},
    prefer_skip_nested_validation=True,
)
def prediction_grounding(
    S: pd.DataFrame | ArrayLike,
    target: pd.DataFrame | ArrayLike,
    *,
    strata: ArrayLike | None = None,
    n_permutations: int = 0,
    alternative: str = "two-sided",
    resampled_train: float | None = None,
    random_state: RandomState | None = None,
) -> GroundingResult:
    """Judge whether models that differ more are less similar.

    The rank correlation, over pairs of models, of -S with how much two models differ:
    in accuracy, in their predictions, or in their predictions on shifted rows.

    Parameters
    ----------
    S : DataFrame or array-like of shape (n_models, n_models)
        Scores, greater for more similar models; may be infinite. The diagonal has no
        part in it, and of an asymmetric matrix the mean with its transpose is taken.
    target : array-like of shape (n_models,) or (n_models, n_models)
        A number of each model, of which absolute differences are taken, such as its
        accuracy; or how much each two models differ, such as their disagreement.
    strata : array-like of shape (n_models,), default=None
        Group of each model, within which the jackknife leaves out models.
    n_permutations : int, default=0
        Permutations of models behind a p-value of Spearman's correlation (Mantel's
        test); all of them, if there are no more than 720.
    alternative : {"two-sided", "greater"}, default="two-sided"
        Of the test.
    resampled_train : float, default=None
        Number of rows tested on over that trained on, where each model was trained on
        rows drawn anew, see :func:`grouping`.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.

    Returns
    -------
    result : GroundingResult
        With ``spearman``, ``kendall``, ``metrics`` and ``pvalue``.

    Raises
    ------
    ValueError
        If S is not square, holds distances or lacks a number, or if target does not
        fit it.

    See Also
    --------
    grouping : For models of groups.
    probe_grounding : With layers from which components were deleted.

    Notes
    -----
    A test over pairs of models as if they were independent finds too much: at the 5 %
    level and 20 models, in every fourth to third case where there is nothing.

    References
    ----------
    N. Mantel. The detection of disease clustering and a generalized regression
    approach. Cancer Research 27, 1967.

    F. Ding, J.-S. Denain, J. Steinhardt. Grounding representation similarity through
    statistical testing. NeurIPS, 2021, arXiv:2108.01661.

    Examples
    --------
    >>> from sksim.evaluation import prediction_grounding
    >>> S = [[9, 5, 1, 0], [5, 9, 3, 2], [1, 3, 9, 4], [0, 2, 4, 9]]
    >>> result = prediction_grounding(S, [0.9, 0.8, 0.5, 0.3], n_permutations=99)
    >>> round(result.spearman, 3), round(result.pvalue, 3)
    (0.943, 0.083)
    """
    scores = read_scores(S)
    difference = _difference(target, scores)
    strata = strata if strata is None else one_for_each(strata, scores, "strata")
    matrix = scores.to_numpy()

    def of_models(models):
        kept = np.ix_(models, models)
        both = -upper(matrix[kept]), upper(difference[kept])
        return {"spearman": spearman(*both), "kendall": kendall(*both)}

    about = {"spearman": CORRELATION, "kendall": CORRELATION}
    found = jackknifed(
        of_models, scores.index, strata, about, resampled_train=resampled_train
    )
    pvalue = float("nan")
    if n_permutations:
        pvalue = _mantel(
            matrix, difference, n_permutations, alternative, random_state=random_state
        )
    return GroundingResult(*found, pvalue=pvalue)


def _difference(target, scores):
    """How much each two models differ."""
    if np.ndim(target) == 1:
        values = one_for_each(target, scores, "target").astype(float)
        return np.abs(values[:, None] - values)
    if np.shape(target) != scores.shape:
        raise ValueError(
            f"target must have one number for each of the {len(scores)} models of S, "
            f"or for each two of them, got the shape {np.shape(target)}."
        )
    if isinstance(target, pd.DataFrame):
        one_for_each(target.index.to_series(), scores, "target")
    # a large difference reads as a small score
    return -read_scores(-pd.DataFrame(target, dtype=float), name="target").to_numpy()


def _mantel(matrix, difference, n_permutations, alternative, *, random_state):
    """P-value of Spearman's correlation over permutations of models."""
    fixed, moved = (_ranks(values) for values in (-matrix, difference))
    return permutation_pvalue(
        lambda order: np.sum(fixed * moved[np.ix_(order, order)]),
        len(matrix),
        n_permutations=n_permutations,
        random_state=random_state,
        two_sided=alternative == "two-sided",
    )


def _ranks(matrix):
    """Standardised ranks of pairs, in both halves of a matrix with a zero diagonal."""
    rows, columns = np.triu_indices(len(matrix), k=1)
    ranks = stats.rankdata(matrix[rows, columns])
    ranks = ranks - ranks.mean()
    found = np.zeros(matrix.shape)
    scale = np.sqrt(2 * np.sum(ranks**2))
    found[rows, columns] = ranks / scale if scale > 0 else np.nan
    return found + found.T


@dataclass(frozen=True)
class LineageResult(ProtocolResult):
    """Result of :func:`lineage`.

    Parameters
    ----------
    metrics : DataFrame
        One row for "top1" and "auroc": ``value``, ``standard_error``, limits ``low``
        and ``high`` of 95 %, ``chance`` and ``n_models``, which counts parents.
    leave_one_outs : DataFrame of shape (n_parents, n_metrics)
        The metrics without each parent and its copies.
    strata : Series
        The group of each parent: all are one.
    pvalue : float
        Not computed: nan.

    See Also
    --------
    lineage : Makes the result.

    Examples
    --------
    >>> from sksim.evaluation import lineage
    >>> lineage([[3, 1, 2], [2, 2, 1], [1, 3, 2]], parents=[0, 1, 2]).top1
    0.5
    """

    @property
    def top1(self) -> float:
        """Share of copies whose most similar candidate is their own parent."""
        return self._value_of("top1")

    @property
    def auroc(self) -> float:
        """P(own > other) + P(own = other) / 2 of the scores of all copies."""
        return self._value_of("auroc")


def lineage(
    S_copies_by_parents: pd.DataFrame | ArrayLike, parents: ArrayLike
) -> LineageResult:
    """Judge whether copies of models find the models that they were made of.

    Parameters
    ----------
    S_copies_by_parents : DataFrame or array-like of shape (n_copies, n_parents)
        Scores of copies (rows) with possible parents (columns), greater for more
        similar models.
    parents : array-like of shape (n_copies,)
        The parent of each copy: a column's name of a DataFrame, or its number.

    Returns
    -------
    result : LineageResult
        With ``top1``, in which a tie of k candidates counts 1 / k, ``auroc`` and
        ``metrics``. The jackknife leaves out parents with their copies.

    Raises
    ------
    ValueError
        If a parent is no column, there is only one column, or a score is missing.

    See Also
    --------
    pruning_order : Whether copies are the less similar, the more was done to them.

    Notes
    -----
    By chance top-1 is 1 / number of parents. A fine-tuned copy is found by most
    measures, unless there are fewer rows than columns and the measure then calls
    everything equal; distilled copies are harder.

    Examples
    --------
    >>> from sksim.evaluation import lineage
    >>> lineage([[3, 1, 2], [2, 2, 1], [1, 3, 2]], parents=[0, 1, 2]).auroc
    0.75
    """
    scores, own = _of_copies(S_copies_by_parents, parents)
    matrix, n_parents = scores.to_numpy(), scores.shape[1]
    if n_parents < 2:
        raise ValueError(
            "S_copies_by_parents has one column: there is no other parent to choose."
        )

    def of_parents(kept):
        copies = np.isin(own, kept)
        if not (len(kept) > 1 and copies.any()):
            return {"top1": np.nan, "auroc": np.nan}
        part, is_own = matrix[np.ix_(copies, kept)], own[copies, None] == kept
        return {
            "top1": np.mean(most_similar(part)[is_own]),
            "auroc": separation(part[is_own], part[~is_own])[0],
        }

    about = {"top1": Metric(1 / n_parents), "auroc": SHARE}
    return LineageResult(*jackknifed(of_parents, scores.columns, None, about))


def _of_copies(S, parents):
    """Scores of copies with parents, and the number of each copy's own column."""
    scores = read_scores(S, square=False, name="S_copies_by_parents")
    names = one_for_each(np.asarray(parents), scores, "parents")
    own = scores.columns.get_indexer(names)
    if (own < 0).any():
        raise ValueError(
            f"parents names {quoted(names[own < 0][0])}, which is no column of "
            f"S_copies_by_parents: {list(scores.columns[:10])}."
        )
    return scores, own


def pruning_order(
    S_copies_by_parents: pd.DataFrame | ArrayLike,
    parents: ArrayLike,
    amounts: ArrayLike,
) -> ProtocolResult:
    """Judge whether copies are the less similar, the more was done to them.

    Of any two copies of one parent, the one with the smaller amount should be strictly
    more similar to it: ties are violations.

    Parameters
    ----------
    S_copies_by_parents : DataFrame or array-like of shape (n_copies, n_parents)
        Scores of copies (rows) with parents (columns), greater for more similar models.
    parents : array-like of shape (n_copies,)
        The parent of each copy: a column's name of a DataFrame, or its number.
    amounts : array-like of shape (n_copies,)
        How much was done to each copy, such as the share of its weights that were
        pruned.

    Returns
    -------
    result : ProtocolResult
        With the metric "share". The jackknife leaves out parents with their copies.

    Raises
    ------
    ValueError
        If no parent has two copies of different amounts.

    See Also
    --------
    lineage : Whether copies find their parents.

    Examples
    --------
    >>> from sksim.evaluation import pruning_order
    >>> S = [[0.9, 0.1], [0.7, 0.2], [0.1, 0.8], [0.3, 0.9]]
    >>> pruning_order(S, [0, 0, 1, 1], [30, 70, 30, 70]).value
    0.5
    """
    scores, own = _of_copies(S_copies_by_parents, parents)
    amounts = one_for_each(amounts, scores, "amounts").astype(float)
    closeness = scores.to_numpy()[np.arange(len(own)), own]
    is_pair = (own[:, None] == own) & (amounts[:, None] < amounts)
    less, more = np.nonzero(is_pair)
    if not len(less):
        raise ValueError(
            "No parent has two copies of different amounts, so that there is no order."
        )

    numbers = np.unique(own[less])

    def of_parents(kept):
        pairs = np.isin(own[less], numbers[kept])
        is_right = closeness[less[pairs]] > closeness[more[pairs]]
        return {"share": np.mean(is_right) if pairs.any() else np.nan}

    names = scores.columns[numbers]
    return ProtocolResult(*jackknifed(of_parents, names, None, {"share": SHARE}))
