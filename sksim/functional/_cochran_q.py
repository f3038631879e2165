"""Cochran's Q: are several models equally accurate."""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.stats import chi2

from sksim.arrays._namespace import to_numpy
from sksim.base import BaseGroupSimilarity
from sksim.base._row_sums import GroupSumComparison
from sksim.functional._tags import correctness_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint

# Additions that the exact distribution may take: about a second.
_MOST_ADDITIONS = 10**8


@dataclass(frozen=True, kw_only=True)
class ExchangedGroup(GroupSumComparison):
    """Views of many models whose rows may be handed to each other."""

    def exchanged(self, assignments):
        """Statistics with the models' outputs of each row handed round.

        Parameters
        ----------
        assignments : sequence of int arrays of shape (n_samples, n_models)
            Model j gets the output of model ``assignment[i, j]`` on row i.

        Returns
        -------
        statistics : list of float
        """
        right = _correctness(self.views, self.xp)
        statistics = []
        for assignment in assignments:
            moved = np.take_along_axis(right, assignment, axis=1)
            value = _cochran_q(*_sums(moved))
            statistics.append(self.measure._value_of((value, {})))
        return statistics

    def exact_pvalue(self, alternative):
        """Share of all ways to hand round each row's right answers, or None."""
        if alternative == "greater":
            return None
        return exact_pvalue(_correctness(self.views, self.xp))


class CochranQ(UndefinedMixin, BaseGroupSimilarity):
    r"""Cochran's Q of a group of models: are they equally accurate.

    With :math:`G_m` rows that model m of L gets right and :math:`l_j` models right on
    row j,

    .. math:: Q(G) = (L - 1) \frac{L \sum_m G_m^2 - (\sum_m G_m)^2}
        {L \sum_j l_j - \sum_j l_j^2} .

    A distance, 0 if all models are equally accurate; at most (L - 1) times the number
    of rows on which they differ. For two models it is McNemar's :math:`(b - c)^2 / (b +
    c)`. Rows that all models get right, or none, have no part in it. It grows with the
    number of rows: it is a test statistic, not a measure of how large differences are.

    Parameters
    ----------
    replace_undefined_by : float, default=nan
        Value where no two models differ on any row.

    Attributes
    ----------
    statistic_, distance_ : float
        Cochran's Q.
    score_ : float
        Minus Q.
    pvalue_ : float
        P-value of its approximate chi-squared distribution with L - 1 degrees of
        freedom. :func:`sksim.inference.similarity_test` gives the exact one, or that of
        random exchanges where there are too many.
    right_counts_ : ndarray of shape (n_models,)
        Number of rows that each model gets right.
    n_models_ : int
        Number of models.
    n_features_in_ : int
        The same, where X held all models.
    feature_names_in_ : ndarray of shape (n_models,)
        Only where X is a DataFrame: names of the models.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if X holds fewer than two models.

    See Also
    --------
    PerformanceDifference : Of two models, with the size of the difference.

    Notes
    -----
    The null hypothesis is that the models are interchangeable: on each row, or on each
    group of rows that belong together, their outputs are handed round. A small p-value
    says that their accuracies differ, not which of them.

    References
    ----------
    W. Cochran. The comparison of percentages in matched samples. Biometrika, 1950.

    Examples
    --------
    >>> from sksim.functional import CochranQ
    >>> from sksim.inference import similarity_test
    >>> votes = [[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 0], [1, 1, 0]]
    >>> truth = [1] * 6
    >>> measure = CochranQ().fit(votes, y_true=truth)
    >>> round(measure.distance_, 2), round(measure.pvalue_, 3)
    (7.6, 0.022)
    >>> round(similarity_test(measure, votes, y_true=truth).pvalue, 3)
    0.025
    """

    _kind = ExchangedGroup
    _parameter_constraints: dict = {
        "replace_undefined_by": replacement_constraint(0, None)
    }
    _undefined_when = "All models are right on the same rows"

    def __init__(self, replace_undefined_by=np.nan):
        self.replace_undefined_by = replace_undefined_by

    def _view(self, X, xp, y_true):
        return y_true == X

    def _aggregate(self, views, xp):
        of_models, squares = _sums(_correctness(views, xp))
        return np.append(of_models, squares)

    def _of_sums(self, sums, n_samples):
        *of_models, squares = (int(total) for total in sums)
        value = _cochran_q(np.array(of_models), squares)
        return value, {
            "pvalue_": float(chi2.sf(value, len(of_models) - 1)),
            "right_counts_": np.array(of_models),
        }

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            orientation="distance",
            bounds=(0, math.inf),
            # of models that never differ it is undefined
            identity=False,
            null="exchange",
            # it grows with the rows, so that no subset of them says what all would
            intervals=(),
            complexity="n l",
            reference="Cochran 1950",
        )


def _correctness(views, xp):
    """Correct predictions, of shape (n_samples, n_models), on numpy."""
    columns = [to_numpy(view, xp=xp) for view in views]
    return np.stack(columns, axis=1).astype(np.int64)


def _sums(right):
    """Right rows of each model, and the sum over rows of squared right models."""
    return right.sum(axis=0), int(np.sum(right.sum(axis=1) ** 2))


def _cochran_q(of_models, squares):
    n_models, total = len(of_models), int(np.sum(of_models))
    spread = n_models * int(np.sum(of_models**2)) - total**2
    disagreement = n_models * total - squares
    if disagreement == 0:
        return math.nan
    return (n_models - 1) * spread / disagreement


def exact_pvalue(right):
    """Exact p-value of Cochran's Q, or None where it takes too long.

    The distribution of the numbers of right rows of all models but the last, row after
    row: each adds one to as many models as are right, in all ways alike.
    """
    n_models = right.shape[1]
    of_rows = right.sum(axis=1)
    of_rows = of_rows[(of_rows > 0) & (of_rows < n_models)]
    ways = [math.comb(n_models, int(n_right)) for n_right in of_rows]
    shape = (len(of_rows) + 1,) * (n_models - 1)
    if math.prod(shape) * sum(ways) > _MOST_ADDITIONS:
        return None
    shares = np.zeros(shape)
    shares[(0,) * (n_models - 1)] = 1.0
    for n_right, n_ways in zip(of_rows, ways, strict=True):
        before, shares = shares / n_ways, np.zeros(shape)
        for models in combinations(range(n_models), int(n_right)):
            to, start = [slice(None)] * len(shape), [slice(None)] * len(shape)
            for model in models:
                if model < n_models - 1:
                    to[model], start[model] = slice(1, None), slice(None, -1)
            shares[tuple(to)] += before[tuple(start)]
    sums = np.indices(shape)
    squares = np.sum(sums**2, axis=0) + (int(of_rows.sum()) - np.sum(sums, axis=0)) ** 2
    differ = right[(right != right[:, :1]).any(axis=1)].sum(axis=0)
    return float(min(1.0, np.sum(shares[squares >= int(np.sum(differ**2))])))
