"""Agreement above chance of two models' labels."""

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.arrays._namespace import joint_counts
from sksim.base import BaseFunctionalSimilarity
from sksim.functional._labels import coded, common_codes, kappa
from sksim.functional._tags import label_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


class CohenKappa(UndefinedMixin, BaseFunctionalSimilarity):
    r"""Agreement of predicted labels above chance: Cohen's kappa.

    With the share :math:`p_o` of equal labels and the share :math:`p_e` that two
    independent models with the same frequencies of labels have,

    .. math:: m(f, f') = \frac{p_o - p_e}{1 - p_e} .

    A similarity in [-1, 1]: 1 for equal predictions, about 0 for independent ones. It
    depends on how often each label is predicted, so that pairs on differently
    balanced data are not comparable.

    Parameters
    ----------
    weights : {"linear", "quadratic"}, default=None
        For ordered classes: a disagreement counts by the distance of the two labels
        in the sorted order of all labels seen, or by its square. None counts all
        disagreements alike.
    replace_undefined_by : np.nan or float in [-1, 1], default=np.nan
        Value where both models predict one and the same label throughout, which
        raises an :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Kappa.
    score_ : float
        Kappa.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If the labels are of different kinds (text and numbers) or fractions.

    See Also
    --------
    FleissKappa : Agreement of a group of models.
    ErrorConsistency : Kappa of who is right, rather than of labels.
    sklearn.metrics.cohen_kappa_score : The same number of two label vectors.

    References
    ----------
    J. Cohen. A coefficient of agreement for nominal scales. Educational and
    Psychological Measurement, 1960.

    Examples
    --------
    >>> from sksim.functional import CohenKappa
    >>> first = ["negative", "positive", "negative", "neutral", "positive"]
    >>> second = ["negative", "positive", "negative", "neutral", "negative"]
    >>> CohenKappa().fit(first, second).similarity_
    0.6875
    """

    _parameter_constraints: dict = {
        "weights": [StrOptions({"linear", "quadratic"}), None],
        "replace_undefined_by": replacement_constraint(-1, 1),
    }
    _undefined_when = "Both models predict one and the same label on all rows"

    def __init__(self, weights=None, *, replace_undefined_by=np.nan):
        self.weights = weights
        self.replace_undefined_by = replace_undefined_by

    def _view(self, X, xp):
        return coded(X, xp=xp)

    def _compare(self, view_x, view_y, xp):
        (codes_x, codes_y), n_classes = common_codes([view_x, view_y], xp=xp)
        counts = joint_counts(codes_x, codes_y, n_classes, xp=xp)
        expected = np.outer(counts.sum(axis=1), counts.sum(axis=0))
        apart = np.abs(np.subtract.outer(np.arange(n_classes), np.arange(n_classes)))
        weights = {None: apart > 0, "linear": apart, "quadratic": apart**2}
        weights = weights[self.weights]
        observed = codes_x.shape[0] * float((weights * counts).sum())
        # in terms of disagreements: none is the total, those by chance the zero
        return kappa(-observed, -float((weights * expected).sum()), 0)

    def _min_samples(self):
        return 1

    def _similarity_tags(self):
        return label_tags(
            orientation="similarity",
            bounds=(-1, 1),
            complexity="n + c^2",
            reference="Cohen 1960",
        )
