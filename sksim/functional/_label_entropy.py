"""Entropy of a group's votes."""

import math
from numbers import Real

from sksim._sklearn_compat import Interval
from sksim.arrays._namespace import number, row_slices, vote_counts, xlogx_row_sums
from sksim.base import BaseGroupSimilarity
from sksim.base._row_sums import VoteSumComparison
from sksim.functional._labels import coded, common_codes
from sksim.functional._tags import label_tags
from sksim.functional._units import log_unit


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
    normalize : bool, default=False
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
        "normalize": ["boolean"],
    }

    _kind = VoteSumComparison

    def __init__(self, base=None, *, normalize=False):
        self.base = base
        self.normalize = normalize

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
        total = number(xp.sum(values))
        return total, {"row_values_": values / self._unit(n_classes)}

    def _of_sums(self, sums, n_samples, votes):
        return sums / n_samples / self._unit(len(votes))

    def _unit(self, n_classes):
        if self.normalize:
            # with a single class all entropies are zero, in whatever unit
            return math.log(max(n_classes, 2))
        return log_unit(self.base)

    def _similarity_tags(self):
        return label_tags(
            arity="group",
            orientation="distance",
            bounds=(0, 1 if self.normalize else float("inf")),
            complexity="n (l + c)",
            reference="Klabunde et al. 2025",
        )
