"""Disagreement relative to the range that error rates allow."""

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.functional._abstentions import ABSTAIN_CONSTRAINT
from sksim.functional._judged_disagreement import JudgedDisagreement
from sksim.functional._tags import INTERVALS_OF_KINDS, correctness_tags
from sksim.functional._undefined import replacement_constraint


class MinMaxNormalizedDisagreement(JudgedDisagreement):
    r"""Disagreement between the least and the most that the error rates allow.

    With the share of different labels Dis and the error rates e, e',

    .. math:: m(f, f') = \frac{\mathrm{Dis} - D_{min}}{D_{max} - D_{min}}, \quad
        D_{min} = |e - e'|, \quad D_{max} = \min(e + e', 1) .

    A distance in [0, 1]: 0 if one model's errors contain the other's, with the same
    wrong labels; 1 if no row is got wrong by both. It compares pairs of models of
    different quality, which plain disagreement can't.

    Parameters
    ----------
    bound : {"survey", "exact"}, default="survey"
        The largest disagreement. With two classes both models' wrong labels agree, so
        that no more than min(e + e', 2 - e - e') can be attained: "exact" uses this
        where predictions and truth hold no more than two classes. The two differ only
        for models that are wrong on more than half of the rows together.
    abstain : label, default=None
        A label by which models decline to answer: the rows that both answer count, and
        no others. None: a model that declines is not right, as any other that gives
        another label than the true one.
    replace_undefined_by : np.nan or float in [0, 1], default=np.nan
        Value where least and most coincide, as they do if either model is perfect.
        It raises an :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, distance_ : float
        Normalised disagreement.
    score_ : float
        Minus the distance.
    disagreement_ : float
        Share of rows with different labels.
    disagreement_range_ : tuple of float
        Least and most disagreement that the error rates allow.
    answered_counts_ : ndarray of shape (2, 2)
        Only with ``abstain``: number of rows [[answered by both, by the first alone],
        [by the second alone, by none]].
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        Without ``y_true``, or if labels are of different kinds or fractions.

    See Also
    --------
    ErrorConsistency : Relates common errors to chance.

    References
    ----------
    M. Klabunde, F. Lemmerich. On the prediction instability of graph neural networks.
    ECML PKDD, 2022.

    Examples
    --------
    >>> from sksim.functional import MinMaxNormalizedDisagreement
    >>> first, second, truth = [0, 1, 1, 0, 2], [0, 1, 0, 2, 2], [0, 1, 1, 1, 2]
    >>> measure = MinMaxNormalizedDisagreement().fit(first, second, y_true=truth)
    >>> measure.disagreement_, round(measure.distance_, 4)
    (0.4, 0.5)
    """

    _parameter_constraints: dict = {
        "bound": [StrOptions({"survey", "exact"})],
        "abstain": ABSTAIN_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(0, 1),
    }
    _undefined_when = "The models' error rates leave disagreement no room"

    def __init__(self, bound="survey", *, abstain=None, replace_undefined_by=np.nan):
        self.bound = bound
        self.abstain = abstain
        self.replace_undefined_by = replace_undefined_by

    def _relate(self, differing, errors_x, errors_y, n_samples, n_classes):
        least, most = abs(errors_x - errors_y), min(errors_x + errors_y, n_samples)
        if self.bound == "exact" and n_classes <= 2:
            most = min(most, 2 * n_samples - errors_x - errors_y)
        share = (differing - least) / (most - least) if most > least else float("nan")
        counts = differing, least, most
        shares = [n / n_samples if n_samples else float("nan") for n in counts]
        details = {"disagreement_": shares[0], "disagreement_range_": tuple(shares[1:])}
        return share, details

    def _similarity_tags(self):
        return correctness_tags(
            intervals=INTERVALS_OF_KINDS,
            orientation="distance",
            bounds=(0, 1),
            reference="Klabunde & Lemmerich 2022",
        )
