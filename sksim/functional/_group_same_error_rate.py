"""How often models of a group that are wrong give the same wrong answer."""

from itertools import combinations

from sksim.arrays._namespace import to_numpy
from sksim.base import BaseGroupSimilarity
from sksim.functional._shared_errors import (
    SharedErrorsMixin,
    expected_same,
    of_answered,
    shared_error_tags,
    shared_errors,
)


class GroupSameErrorRate(SharedErrorsMixin, BaseGroupSimilarity):
    r"""Share of joint errors of a group's pairs that are the same wrong answer.

    With :math:`s_{ff'}` the rows to which two models give the same wrong answer and
    :math:`w_{ff'}` those that both get wrong,

    .. math:: m(G) = \sum_{f < f'} s_{ff'} \Big/ \sum_{f < f'} w_{ff'} ,

    or, with ``given="either"``, as a share of the rows that at least one of a pair gets
    wrong, summed likewise. A similarity in [0, 1]: the mean of the pairs'
    :class:`SameErrorRate`, each weighted by its number of errors.

    Parameters
    ----------
    given : {"both", "either"}, default="both"
        Whether the share is of rows that both models of a pair get wrong, or that any
        does.
    chance : {"uniform", "marginals"}, default="uniform"
        What ``chance_`` supposes of wrong answers, see :class:`SameErrorRate`.
    n_options : int or array-like of shape (n_samples,), default=None
        Number of options of all rows, or of each, for ``chance="uniform"``. None: the
        number of different labels of a pair and among the true ones. Passed to ``fit``
        it is metadata, which travels with the rows.
    abstain : label, default=None
        A label by which models decline to answer: of each pair the rows that both
        answer count, and no others. None: to decline is a wrong answer, and the same
        one if both do.
    replace_undefined_by : np.nan or float in [0, 1], default=np.nan
        Value where there is no error to share, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Share of the errors.
    score_ : float
        The same.
    kappa_ : float
        (share - chance) / (1 - chance); nan where chance leaves nothing.
    chance_ : float
        Share that is expected of independent wrong answers.
    n_same_wrong_, n_both_wrong_, n_either_wrong_ : int
        Number of rows, summed over pairs, on which both models give the same wrong
        answer, both a wrong one, and any a wrong one.
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
    SameErrorRate : For two models.
    InterraterAgreement : Whether a group is wrong on the same rows.

    Notes
    -----
    Tests permute rows within the true classes: see :class:`SameErrorRate`.

    References
    ----------
    E. Kim, A. Garg, K. Peng, N. Garg. Correlated errors in large language models. ICML,
    2025.

    Examples
    --------
    >>> from sksim.functional import GroupSameErrorRate
    >>> votes = [list("aab"), list("bbb"), list("cca"), list("abc")]
    >>> measure = GroupSameErrorRate().fit(votes, y_true=list("abcb"))
    >>> measure.similarity_, measure.n_both_wrong_
    (0.0, 1)
    """

    def _aggregate(self, views, xp, times=None):
        sums, expected = 0, 0.0
        for x, y in combinations(views, 2):
            flags = to_numpy(shared_errors(x, y, xp), xp=xp)
            sums = sums + (flags.sum(axis=0) if times is None else times @ flags)
            x, y, of_rows, _ = of_answered(x, y, xp, times)
            expected += expected_same(x, y, self.chance, xp, of_rows)
        return self._rate(*sums), self._against_chance(sums, expected)

    def _similarity_tags(self):
        return shared_error_tags(arity="group", complexity="n l^2")
