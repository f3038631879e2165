"""Measures on which rows a group of models gets right: diversity of ensembles."""

import numpy as np

from sksim.base import BaseGroupSimilarity
from sksim.functional._labels import kappa
from sksim.functional._tags import correctness_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint
from sksim.utils._array_api import to_numpy


class _GroupCorrectness(BaseGroupSimilarity):
    """A function of how many models of a group are right on each row.

    Only the distribution of that number matters: ``_from_counts`` gets the number of
    rows on which 0, 1, ..., L of the L models are right. Sums over it are exact.
    """

    def _view(self, X, xp, y_true):
        return y_true == X

    def _aggregate(self, views, xp):
        n_right = sum(xp.astype(view, xp.int64) for view in views)
        counts = np.bincount(to_numpy(n_right, xp=xp), minlength=len(views) + 1)
        return self._from_counts(counts, np.arange(len(views) + 1)), {
            "right_counts_": counts
        }


class KohaviWolpertVariance(_GroupCorrectness):
    r"""Variance of a random model's correctness, averaged over rows.

    With :math:`l_j` of L models right on row j,

    .. math:: m(G) = \frac{1}{N L^2} \sum_j l_j (L - l_j) .

    A distance in [0, 1/4]: 0 if all models are right on the same rows. It is the mean
    pairwise :class:`OracleDisagreement` times (L - 1) / (2 L), so that its values
    depend on the size of the group.

    Attributes
    ----------
    statistic_, distance_ : float
        Variance.
    score_ : float
        Minus the variance.
    right_counts_ : ndarray of shape (n_models + 1,)
        Number of rows on which 0, 1, ..., L models are right.
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
    OracleDisagreement : Of two models.

    References
    ----------
    R. Kohavi, D. Wolpert. Bias plus variance decomposition for zero-one loss
    functions. ICML, 1996.

    L. Kuncheva, C. Whitaker. Measures of diversity in classifier ensembles and their
    relationship with the ensemble accuracy. Machine Learning, 2003.

    Examples
    --------
    >>> from sksim.functional import KohaviWolpertVariance
    >>> votes = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> measure = KohaviWolpertVariance().fit(votes, y_true=[1, 1, 1, 1])
    >>> round(measure.distance_, 4)
    0.1667
    """

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        return float(counts @ (right * (size - right))) / (counts.sum() * size**2)

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            orientation="distance",
            bounds=(0, 0.25),
            complexity="n l",
            reference="Kohavi & Wolpert 1996",
        )


class EntropyDiversity(_GroupCorrectness):
    r"""How evenly a group is split into right and wrong: the entropy measure E.

    With :math:`l_j` of L models right on row j,

    .. math:: m(G) = \frac{1}{N} \sum_j
        \frac{\min(l_j, L - l_j)}{L - \lceil L / 2 \rceil} .

    A distance in [0, 1]: 0 if all models are right on the same rows, 1 if each row
    splits the group in halves. In spite of its name it has no logarithm.

    Attributes
    ----------
    statistic_, distance_ : float
        Diversity E.
    score_ : float
        Minus the diversity.
    right_counts_ : ndarray of shape (n_models + 1,)
        Number of rows on which 0, 1, ..., L models are right.
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
    LabelEntropy : Entropy of the predicted labels.

    References
    ----------
    L. Kuncheva, C. Whitaker. Measures of diversity in classifier ensembles and their
    relationship with the ensemble accuracy. Machine Learning, 2003.

    Examples
    --------
    >>> from sksim.functional import EntropyDiversity
    >>> votes = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> EntropyDiversity().fit(votes, y_true=[1, 1, 1, 1]).distance_
    0.75
    """

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        minority = np.minimum(right, size - right)
        return float(counts @ minority) / (counts.sum() * (size // 2))

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            orientation="distance",
            bounds=(0, 1),
            complexity="n l",
            reference="Kuncheva & Whitaker 2003",
        )


class InterraterAgreement(UndefinedMixin, _GroupCorrectness):
    r"""Agreement of a group on which rows are right, above chance.

    Fleiss' kappa of the vectors of correct predictions: with :math:`l_j` of L models
    right on row j and mean accuracy :math:`\bar p`,

    .. math:: m(G) = 1 - \frac{\sum_j l_j (L - l_j)}
        {N L (L - 1) \, \bar p (1 - \bar p)} .

    A similarity in [-1 / (L - 1), 1]: 1 if all models are right on the same rows,
    about 0 for independent errors.

    Parameters
    ----------
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where all models are right on all rows, or on none, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Agreement.
    score_ : float
        Agreement.
    right_counts_ : ndarray of shape (n_models + 1,)
        Number of rows on which 0, 1, ..., L models are right.
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
    FleissKappa : Agreement of labels.
    ErrorConsistency : For two models, with an accuracy for each.

    References
    ----------
    J. Fleiss. Statistical methods for rates and proportions. Wiley, 1981.

    L. Kuncheva, C. Whitaker. Measures of diversity in classifier ensembles and their
    relationship with the ensemble accuracy. Machine Learning, 2003.

    Examples
    --------
    >>> from sksim.functional import InterraterAgreement
    >>> votes = [[1, 1, 1], [1, 1, 1], [0, 1, 1], [0, 0, 0]]
    >>> measure = InterraterAgreement().fit(votes, y_true=[1, 1, 1, 1])
    >>> round(measure.similarity_, 4)
    0.625
    """

    _parameter_constraints: dict = {
        "replace_undefined_by": replacement_constraint(-1, 1)
    }
    _undefined_when = "All models are right on all rows, or on none"

    def __init__(self, replace_undefined_by=np.nan):
        self.replace_undefined_by = replace_undefined_by

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        n_votes, n_right = int(counts.sum()) * size, int(counts @ right)
        split = int(counts @ (right * (size - right)))
        by_chance = n_right * (n_votes - n_right) * (size - 1)
        return kappa(-split * n_votes, -by_chance, 0)

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            orientation="similarity",
            bounds=(-1, 1),
            complexity="n l",
            reference="Kuncheva & Whitaker 2003",
        )


class Difficulty(_GroupCorrectness):
    r"""Variance over rows of the share of models that are right.

    With :math:`l_j` of L models right on row j,

    .. math:: m(G) = \mathrm{Var}_j (l_j / L) .

    A similarity in [0, 1/4]: large if the same rows are easy, or hard, for all models;
    small in a diverse group. It equals :math:`\bar p (1 - \bar p)`, with the mean
    accuracy :math:`\bar p`, minus :class:`KohaviWolpertVariance`, so that a group of
    equal models does not reach 1/4 unless they are right on half of the rows.

    Attributes
    ----------
    statistic_, similarity_ : float
        Variance.
    score_ : float
        The variance.
    right_counts_ : ndarray of shape (n_models + 1,)
        Number of rows on which 0, 1, ..., L models are right.
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
    KohaviWolpertVariance : The complementary variance.

    References
    ----------
    L. Hansen, P. Salamon. Neural network ensembles. IEEE Transactions on Pattern
    Analysis and Machine Intelligence, 1990.

    Examples
    --------
    >>> from sksim.functional import Difficulty
    >>> votes = [[1, 1, 1], [1, 1, 1], [0, 0, 0], [0, 0, 0]]
    >>> Difficulty().fit(votes, y_true=[1, 1, 1, 1]).similarity_
    0.25
    """

    def _from_counts(self, counts, right):
        size, n_samples = len(counts) - 1, int(counts.sum())
        squares, total = int(counts @ right**2), int(counts @ right)
        return (n_samples * squares - total**2) / (n_samples * size) ** 2

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            orientation="similarity",
            bounds=(0, 0.25),
            identity=False,
            complexity="n l",
            reference="Hansen & Salamon 1990",
        )


class GeneralizedDiversity(UndefinedMixin, _GroupCorrectness):
    r"""Chance that of two models drawn from a group one is right where one fails.

    With the share :math:`p_i` of rows on which i of L models fail,

    .. math:: m(G) = 1 - \frac{p(2)}{p(1)}, \quad
        p(1) = \sum_i \frac{i}{L} p_i, \quad
        p(2) = \sum_i \frac{i (i - 1)}{L (L - 1)} p_i .

    A distance in [0, 1]: 0 if the failure of one model always goes with that of the
    others, 1 if no two models ever fail together.

    Parameters
    ----------
    replace_undefined_by : np.nan or float in [0, 1], default=np.nan
        Value where no model ever fails, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, distance_ : float
        Diversity.
    score_ : float
        Minus the diversity.
    right_counts_ : ndarray of shape (n_models + 1,)
        Number of rows on which 0, 1, ..., L models are right.
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
    CoincidentFailureDiversity : Looks at the rows on which any model fails.

    References
    ----------
    D. Partridge, W. Krzanowski. Software diversity: practical statistics for its
    measurement and exploitation. Information and Software Technology, 1997.

    Examples
    --------
    >>> from sksim.functional import GeneralizedDiversity
    >>> votes = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> GeneralizedDiversity().fit(votes, y_true=[1, 1, 1, 1]).distance_
    0.75
    """

    _parameter_constraints: dict = {
        "replace_undefined_by": replacement_constraint(0, 1)
    }
    _undefined_when = "No model fails on any row"

    def __init__(self, replace_undefined_by=np.nan):
        self.replace_undefined_by = replace_undefined_by

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        failing = size - right
        single = int(counts @ failing) * (size - 1)
        if single == 0:
            return float("nan")
        return (single - int(counts @ (failing * (failing - 1)))) / single

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            orientation="distance",
            bounds=(0, 1),
            complexity="n l",
            reference="Partridge & Krzanowski 1997",
        )


class CoincidentFailureDiversity(_GroupCorrectness):
    r"""How far failures in a group are those of single models.

    With the share :math:`p_i` of rows on which i of L models fail,

    .. math:: m(G) = \frac{1}{1 - p_0} \sum_{i=1}^L \frac{L - i}{L - 1} p_i ,

    and 0 if no model ever fails. A distance in [0, 1]: 0 if all models fail on the
    same rows, 1 if each failing row is failed by a single model.

    Attributes
    ----------
    statistic_, distance_ : float
        Diversity.
    score_ : float
        Minus the diversity.
    right_counts_ : ndarray of shape (n_models + 1,)
        Number of rows on which 0, 1, ..., L models are right.
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
    GeneralizedDiversity : Weighs rows by the number of failures.

    References
    ----------
    D. Partridge, W. Krzanowski. Software diversity: practical statistics for its
    measurement and exploitation. Information and Software Technology, 1997.

    Examples
    --------
    >>> from sksim.functional import CoincidentFailureDiversity
    >>> votes = [[1, 1, 1], [1, 1, 0], [0, 1, 1], [0, 0, 1]]
    >>> measure = CoincidentFailureDiversity().fit(votes, y_true=[1, 1, 1, 1])
    >>> round(measure.distance_, 4)
    0.8333
    """

    def _from_counts(self, counts, right):
        size = len(counts) - 1
        failed_rows = int(counts[:-1].sum())
        if failed_rows == 0:
            return 0.0
        # L - i fail where i are right: the number of right models is the weight
        return int(counts[:-1] @ right[:-1]) / (failed_rows * (size - 1))

    def _similarity_tags(self):
        return correctness_tags(
            arity="group",
            orientation="distance",
            bounds=(0, 1),
            complexity="n l",
            reference="Partridge & Krzanowski 1997",
        )
