"""Whether models that were made alike are more similar than others."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from sksim._typing import ArrayLike, RandomState
from sksim.base._row_names import quoted
from sksim.evaluation._jackknife import CORRELATION, SHARE, Metric, jackknifed
from sksim.evaluation._result import ProtocolResult
from sksim.evaluation._scores import one_for_each, read_scores, spearman, upper
from sksim.inference._permuted_models import permutation_pvalue

_SEPARATION = ("auroc", "conformity", "auprc")
_UNBOUNDED = Metric(0.0, -np.inf, np.inf, is_share=False)


@dataclass(frozen=True)
class GroupingResult(ProtocolResult):
    """Result of :func:`grouping`.

    Parameters
    ----------
    metrics : DataFrame
        One row for each of "auroc", "conformity", "auprc", "dprime", and "dose" of at
        least three levels that are numbers: ``value``, ``standard_error``, limits
        ``low`` and ``high`` of 95 %, ``chance`` and ``n_models``.
    leave_one_outs : DataFrame of shape (n_models, n_metrics)
        The metrics without each model.
    strata : Series
        The group of each model.
    pvalue : float
        Of the AUROC, over permutations of models; nan where none was asked for.
    per_level : DataFrame
        AUROC, conformity and AUPRC of each group.

    See Also
    --------
    grouping : Makes the result.

    Examples
    --------
    >>> from sksim.evaluation import grouping
    >>> S = [[9, 5, 1, 2], [5, 9, 3, 1], [1, 3, 9, 2], [2, 1, 2, 9]]
    >>> grouping(S, ["a", "a", "b", "b"]).per_level["auroc"].tolist()
    [1.0, 0.625]
    """

    per_level: pd.DataFrame = field(kw_only=True)

    @property
    def auroc(self) -> float:
        """Mean over groups of P(in > cross) + P(in = cross) / 2."""
        return self._value_of("auroc")

    @property
    def conformity(self) -> float:
        """Mean over groups of P(in > cross)."""
        return self._value_of("conformity")

    @property
    def auprc(self) -> float:
        """Mean over groups of the average precision."""
        return self._value_of("auprc")

    @property
    def dprime(self) -> float:
        """Difference of the means of in and cross, in standard deviations."""
        return self._value_of("dprime")

    @property
    def dose(self) -> float:
        """Rank correlation of dissimilarity with the difference of levels."""
        return float(self.metrics["value"].get("dose", np.nan))


def grouping(
    S: pd.DataFrame | ArrayLike,
    groups: ArrayLike,
    *,
    n_permutations: int = 0,
    resampled_train: float | None = None,
    random_state: RandomState | None = None,
) -> GroupingResult:
    r"""Judge whether models of one group are more similar than models of two.

    Groups are models that differ in nothing but their seeds: trained with as much
    noise in the labels, of one architecture. For each group g, the pairs inside of g
    (*in*) are held against the pairs with exactly one end in g (*cross*).

    ===========  ==============================================================  ======
    metric       definition                                                      chance
    ===========  ==============================================================  ======
    auroc        P(in > cross) + P(in = cross) / 2, mean over groups             .5
    conformity   P(in > cross), mean over groups: ties are violations            .5
    auprc        average precision of in among in and cross, mean over groups    > share
                                                                                 of in
    dprime       (mean in - mean cross) / sqrt((var in + var cross) / 2), of     0
                 all pairs; it is not the same for a monotone map of S
    dose         Spearman's correlation of -S with the absolute difference of    0
                 levels over the cross pairs; nan if groups are no numbers,
                 or only two
    ===========  ==============================================================  ======

    Parameters
    ----------
    S : DataFrame or array-like of shape (n_models, n_models)
        Scores, greater for more similar models, such as
        :func:`sksim.pairwise.similarity_matrix` gives; may be infinite. The diagonal
        has no part in it, and of an asymmetric matrix the mean with its transpose is
        taken.
    groups : array-like of shape (n_models,)
        Group of each model, at least two groups of at least two models each; numbers
        if they are levels of something.
    n_permutations : int, default=0
        Permutations of the models among the groups behind a p-value of the AUROC, one
        that is greater than by chance; all of them, if there are no more than 720.
    resampled_train : float, default=None
        Number of rows tested on over that trained on, where each model was trained on
        rows drawn anew: the errors then account for rows that models share
        (Nadeau and Bengio 2003).
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.

    Returns
    -------
    result : GroupingResult
        With ``auroc``, ``conformity``, ``auprc``, ``dprime``, ``dose``, ``per_level``,
        ``metrics`` and ``pvalue``.

    Raises
    ------
    ValueError
        If S is not square, holds distances or lacks a number, if there is only one
        group, or a group is of one model.

    See Also
    --------
    compare_protocols : Tests which of several measures is better.
    prediction_grounding : The same for a quantity without groups.

    Notes
    -----
    Errors are a jackknife over models within their groups, for which a group needs
    three models; else they are nan. Over pairs of models, which share models, they
    would be too small, and the more so the more models there are.

    With a ladder of noise the AUROC of the noisiest groups falls below one half for
    any measure of similarity, because similarity falls with noise on either side: look
    at ``per_level`` and ``dose``. Groups often differ in accuracy, which a measure may
    find without comparing representations; put a difference of accuracies beside it.
    By chance the AUPRC
    is about the share of in among in and cross, and somewhat more of few models: values
    of other numbers of models or groups can't be compared.

    References
    ----------
    M. Klabunde et al. ReSi: A comprehensive benchmark for representational similarity
    measures. ICLR, 2025, arXiv:2408.00531.

    Examples
    --------
    >>> from sksim.evaluation import grouping
    >>> S = [[9, 5, 1, 2], [5, 9, 3, 1], [1, 3, 9, 2], [2, 1, 2, 9]]
    >>> round(grouping(S, ["a", "a", "b", "b"]).auroc, 4)
    0.8125
    """
    scores = read_scores(S)
    groups = one_for_each(groups, scores, "groups")
    labels, codes = _coded(groups)
    levels = _levels(groups)
    matrix = scores.to_numpy()

    def of_models(models):
        part, kept = matrix[np.ix_(models, models)], codes[models]
        separation = _of_each_level(part, kept, len(labels)).mean(axis=0)
        found = dict(zip(_SEPARATION, separation, strict=True))
        found["dprime"] = _dprime(part, kept)
        if levels is not None:
            found["dose"] = _dose(part, levels[models])
        return found

    about = {
        "auroc": SHARE,
        "conformity": SHARE,
        "auprc": Metric(_average_precision_by_chance(codes)),
        "dprime": _UNBOUNDED,
    }
    if levels is not None:
        about["dose"] = CORRELATION
    found = jackknifed(
        of_models, scores.index, groups, about, resampled_train=resampled_train
    )
    per_level = _of_each_level(matrix, codes, len(labels))
    pvalue = float("nan")
    if n_permutations:
        pvalue = permutation_pvalue(
            lambda order: _of_each_level(matrix, codes[order], len(labels))[
                :, 0
            ].mean(),
            len(codes),
            n_permutations=n_permutations,
            random_state=random_state,
            two_sided=False,
        )
    index = pd.Index(labels, name="level")
    return GroupingResult(
        *found,
        pvalue=pvalue,
        per_level=pd.DataFrame(per_level, index=index, columns=list(_SEPARATION)),
    )


def _coded(groups):
    """Names of groups in order of appearance, and the number of each model's."""
    codes, labels = pd.factorize(groups)
    sizes = np.bincount(codes)
    if len(labels) < 2:
        raise ValueError(
            f"groups has one group only, {quoted(labels[0])}: there are no pairs of "
            "models of two groups."
        )
    if sizes.min() < 2:
        raise ValueError(
            f"Group {quoted(labels[np.argmin(sizes)])} has one model: a group needs at "
            "least two, and three for a standard error."
        )
    return labels, codes


def _levels(groups):
    """Groups as numbers, if they are, and not all cross pairs are one step apart."""
    kind = pd.api.types.infer_dtype(groups)
    if kind not in ("integer", "floating", "mixed-integer-float"):
        return None
    return np.asarray(groups, dtype=float) if len(set(groups)) > 2 else None


def _of_each_level(matrix, codes, n_levels):
    """AUROC, conformity and AUPRC of each group; nan without pairs in it."""
    rows, columns = np.triu_indices(len(codes), k=1)
    scores = matrix[rows, columns]
    found = np.full((n_levels, len(_SEPARATION)), np.nan)
    for level in range(n_levels):
        n_ends = (codes[rows] == level).astype(int) + (codes[columns] == level)
        found[level] = separation(scores[n_ends == 2], scores[n_ends == 1])
    return found


def _mean_auroc(matrix, codes, n_levels):
    return _of_each_level(matrix, codes, n_levels)[:, 0].mean()


def separation(inside, outside):
    """AUROC, conformity (ties are violations) and average precision of two sets.

    Parameters
    ----------
    inside, outside : array
        Scores, which may be infinite.
    """
    if not (len(inside) and len(outside)):
        return (np.nan,) * 3
    values, places = np.unique(np.concatenate([inside, outside]), return_inverse=True)
    n_in = np.bincount(places[: len(inside)], minlength=len(values))
    n_out = np.bincount(places[len(inside) :], minlength=len(values))
    n_pairs = len(inside) * len(outside)
    below = np.cumsum(n_out) - n_out
    above = np.sum(n_in * below)
    tied = np.sum(n_in * n_out)
    reached_in, reached_out = np.cumsum(n_in[::-1]), np.cumsum(n_out[::-1])
    precision = reached_in / (reached_in + reached_out)
    average_precision = np.sum(n_in[::-1] * precision) / len(inside)
    return (above + tied / 2) / n_pairs, above / n_pairs, average_precision


def _dprime(matrix, codes):
    scores, is_in = upper(matrix), upper(codes[:, None] == codes)
    inside, outside = scores[is_in], scores[~is_in]
    if not np.isfinite(scores).all() or not (len(inside) and len(outside)):
        return np.nan
    spread = np.sqrt((np.var(inside) + np.var(outside)) / 2)
    return (inside.mean() - outside.mean()) / spread if spread > 0 else np.nan


def _dose(matrix, levels):
    steps = upper(np.abs(levels[:, None] - levels))
    return spearman(-upper(matrix)[steps > 0], steps[steps > 0])


def _average_precision_by_chance(codes):
    """Mean over groups of the expected average precision of random scores.

    With P of N pairs in a group it is (H + (N - H) (P - 1) / (N - 1)) / N, where H is
    the N-th harmonic number: of few pairs above the share of in, P / N.
    """
    sizes = np.bincount(codes)
    inside = sizes * (sizes - 1) / 2
    n_pairs = inside + sizes * (len(codes) - sizes)
    harmonic = np.array([np.sum(1 / np.arange(1, n + 1)) for n in n_pairs])
    by_place = (inside - 1) / (n_pairs - 1)
    return float(np.mean((harmonic + (n_pairs - harmonic) * by_place) / n_pairs))
