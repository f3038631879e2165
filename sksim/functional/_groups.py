"""Measures on the predicted labels of a group of models."""

import math
from itertools import combinations
from numbers import Integral, Real

import numpy as np

from sksim.base import BaseGroupSimilarity
from sksim.functional._labels import coded, common_codes, kappa
from sksim.functional._tags import label_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint
from sksim.utils._array_api import (
    count_unequal,
    row_slices,
    vote_counts,
    xlogx_row_sums,
)
from sksim.utils._sklearn_compat import Interval


class Ambiguity(BaseGroupSimilarity):
    r"""Share of rows on which any two models of a group disagree.

    .. math:: m(G) = \frac{1}{N} \sum_i \max_{f, f' \in G} 1[\hat y_i \ne \hat y_i']

    A distance in [0, 1] that can only grow as models join the group: compare groups
    of equal size. One deviating model weighs as much as an even split.

    Attributes
    ----------
    statistic_, distance_ : float
        Share of rows.
    score_ : float
        Minus the share.
    row_values_ : array of shape (n_samples,)
        Whether the models disagree on a row.
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
        If X holds fewer than two models, or labels of different kinds or fractions.

    See Also
    --------
    Discrepancy : Largest disagreement of two models.
    LabelEntropy : How evenly the models are split.

    References
    ----------
    C. Marx, F. Calmon, B. Ustun. Predictive multiplicity in classification. ICML,
    2020.

    Examples
    --------
    >>> from sksim.functional import Ambiguity
    >>> votes = [["cat", "cat", "cat"], ["cat", "dog", "cat"], ["dog", "dog", "dog"]]
    >>> round(Ambiguity().fit(votes).distance_, 4)
    0.3333
    """

    def _view(self, X, xp):
        return X

    def _aggregate(self, views, xp):
        differ = views[0] != views[1]
        for view in views[2:]:
            differ = differ | (views[0] != view)
        share = int(xp.count_nonzero(differ)) / differ.shape[0]
        return share, {"row_values_": differ}

    def _similarity_tags(self):
        return label_tags(
            arity="group",
            orientation="distance",
            bounds=(0, 1),
            complexity="n l",
            reference="Marx et al. 2020",
        )


class Discrepancy(BaseGroupSimilarity):
    r"""Largest disagreement of two models of a group.

    .. math:: m(G) = \max_{f, f' \in G} \frac{1}{N} \sum_i 1[\hat y_i \ne \hat y_i']

    A distance in [0, 1] that can only grow as models join the group. With a
    ``baseline``, the largest disagreement with that model: the measure of Marx et al.,
    which can be up to two times smaller.

    Parameters
    ----------
    baseline : int, default=None
        Column of the model that all others are compared with; None compares all
        pairs.

    Attributes
    ----------
    statistic_, distance_ : float
        Largest share of rows with different labels.
    score_ : float
        Minus the share.
    pair_ : tuple of int
        The two models that disagree most.
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
        If X holds fewer than two models or no column ``baseline``, or labels of
        different kinds or fractions.

    See Also
    --------
    Disagreement : Of two models.
    Ambiguity : Rows on which any two disagree.

    References
    ----------
    C. Marx, F. Calmon, B. Ustun. Predictive multiplicity in classification. ICML,
    2020.

    Examples
    --------
    >>> from sksim.functional import Discrepancy
    >>> votes = [[0, 0, 1], [0, 1, 0], [1, 1, 1], [1, 1, 1]]
    >>> measure = Discrepancy().fit(votes)
    >>> measure.distance_, measure.pair_
    (0.5, (1, 2))
    >>> Discrepancy(baseline=0).fit(votes).distance_
    0.25
    """

    _parameter_constraints: dict = {
        "baseline": [Interval(Integral, 0, None, closed="left"), None]
    }

    def __init__(self, baseline=None):
        self.baseline = baseline

    def _view(self, X, xp):
        return X

    def _aggregate(self, views, xp):
        pairs = list(combinations(range(len(views)), 2))
        if self.baseline is not None:
            if self.baseline >= len(views):
                raise ValueError(
                    f"baseline={self.baseline} is no column of X, which holds "
                    f"{len(views)} models: choose 0 to {len(views) - 1}."
                )
            pairs = [(a, b) for a, b in pairs if self.baseline in (a, b)]
        counts = [count_unequal(views[a], views[b], xp=xp) for a, b in pairs]
        largest = max(counts)
        return largest / views[0].shape[0], {"pair_": pairs[counts.index(largest)]}

    def _similarity_tags(self):
        return label_tags(
            arity="group",
            orientation="distance",
            bounds=(0, 1),
            symmetric=self.baseline is None,
            complexity="n l^2",
            reference="Marx et al. 2020",
        )


class FleissKappa(UndefinedMixin, BaseGroupSimilarity):
    r"""Agreement of a group's labels above chance: Fleiss' kappa.

    With :math:`n_{jc}` of L models voting for class c on row j and the share
    :math:`q_c` of all votes for c,

    .. math:: m(G) = \frac{\bar P - P_e}{1 - P_e}, \quad
        \bar P = \frac{1}{N} \sum_j \frac{\sum_c n_{jc}^2 - L}{L (L - 1)}, \quad
        P_e = \sum_c q_c^2 .

    A similarity in [-1 / (L - 1), 1]: 1 for equal predictions, about 0 for
    independent ones of equal frequencies. For two models it is Scott's pi.

    Parameters
    ----------
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where all models predict one and the same label throughout, which raises
        an :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Kappa.
    score_ : float
        Kappa.
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
        If X holds fewer than two models, or labels of different kinds or fractions.

    See Also
    --------
    CohenKappa : For two models, with a frequency of labels for each.
    InterraterAgreement : The same of who is right.

    References
    ----------
    J. Fleiss. Measuring nominal scale agreement among many raters. Psychological
    Bulletin, 1971.

    Examples
    --------
    >>> from sksim.functional import FleissKappa
    >>> votes = [["cat", "cat", "cat"], ["cat", "dog", "cat"], ["dog", "dog", "dog"]]
    >>> round(FleissKappa().fit(votes).similarity_, 4)
    0.55
    """

    _parameter_constraints: dict = {
        "replace_undefined_by": replacement_constraint(-1, 1)
    }
    _undefined_when = "All models predict one and the same label on all rows"

    def __init__(self, replace_undefined_by=np.nan):
        self.replace_undefined_by = replace_undefined_by

    def _view(self, X, xp):
        return coded(X, xp=xp)

    def _aggregate(self, views, xp):
        codes, n_classes = common_codes(views, xp=xp)
        squares, totals = 0.0, 0.0
        for rows in row_slices(codes[0].shape[0], n_classes):
            counts = vote_counts([c[rows] for c in codes], n_classes, xp=xp)
            squares += float(xp.sum(counts * counts))
            totals = totals + xp.sum(counts, axis=0)
        n_votes = len(views) * codes[0].shape[0]
        # both shares of agreement over the common denominator n_votes^2 (L - 1)
        observed = (squares - n_votes) * n_votes
        expected = float(xp.sum(totals * totals)) * (len(views) - 1)
        return kappa(observed, expected, n_votes**2 * (len(views) - 1))

    def _similarity_tags(self):
        return label_tags(
            arity="group",
            orientation="similarity",
            bounds=(-1, 1),
            complexity="n (l + c)",
            reference="Fleiss 1971",
        )


class LabelEntropy(BaseGroupSimilarity):
    r"""Mean entropy of the models' votes.

    With the share :math:`v_{ic}` of models that vote for class c on row i,

    .. math:: m(G) = - \frac{1}{N} \sum_i \sum_c v_{ic} \log v_{ic} .

    A distance from 0, for a group that always agrees, to log min(L, C), for L models
    that are spread evenly over C classes. Unlike :class:`Ambiguity` it tells one
    deviating model from an even split.

    Parameters
    ----------
    base : float, default=None
        Base of the logarithm; None for natural units.
    normalized : bool, default=False
        Whether to divide by the logarithm of the number of classes that any model
        predicts on any row. The range is then [0, 1].

    Attributes
    ----------
    statistic_, distance_ : float
        Mean entropy over rows.
    score_ : float
        Minus the mean.
    row_values_ : array of shape (n_samples,)
        Entropy of each row.
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
        If X holds fewer than two models, or labels of different kinds or fractions.

    See Also
    --------
    EntropyDiversity : Of right and wrong predictions.

    References
    ----------
    M. Klabunde, T. Schumacher, M. Strohmaier, F. Lemmerich. Similarity of neural
    network models: a survey of functional and representational measures. ACM
    Computing Surveys, 2025.

    Examples
    --------
    >>> from sksim.functional import LabelEntropy
    >>> votes = [["cat", "dog"], ["cat", "cat"]]
    >>> LabelEntropy(base=2).fit(votes).distance_
    0.5
    """

    _parameter_constraints: dict = {
        "base": [Interval(Real, 1, None, closed="neither"), None],
        "normalized": ["boolean"],
    }

    def __init__(self, base=None, normalized=False):
        self.base = base
        self.normalized = normalized

    def _view(self, X, xp):
        return coded(X, xp=xp)

    def _aggregate(self, views, xp):
        codes, n_classes = common_codes(views, xp=xp)
        values = xp.concat(
            [
                -xlogx_row_sums(
                    vote_counts([c[rows] for c in codes], n_classes, xp=xp)
                    / len(views),
                    xp=xp,
                )
                for rows in row_slices(codes[0].shape[0], n_classes)
            ]
        )
        values = values / self._unit(n_classes)
        return xp.mean(values), {"row_values_": values}

    def _unit(self, n_classes):
        if self.normalized:
            # with a single class all entropies are zero, in whatever unit
            return math.log(max(n_classes, 2))
        return 1.0 if self.base is None else math.log(self.base)

    def _similarity_tags(self):
        return label_tags(
            arity="group",
            orientation="distance",
            bounds=(0, 1 if self.normalized else float("inf")),
            complexity="n (l + c)",
            reference="Klabunde et al. 2025",
        )
