"""Disagreement relative to one model's error rate."""

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.functional._abstentions import ABSTAIN_CONSTRAINT
from sksim.functional._judged_disagreement import JudgedDisagreement
from sksim.functional._tags import INTERVALS_OF_KINDS, correctness_tags
from sksim.functional._undefined import replacement_constraint


class ErrorCorrectedDisagreement(JudgedDisagreement):
    r"""Disagreement relative to one model's error rate.

    With the share of different labels Dis and the error rate e of the first model,

    .. math:: m(f, f') = \mathrm{Dis}(f, f') / e .

    A distance in [0, inf): 0 for equal predictions, 1 if the second model is perfect;
    independent errors of two equally good models give 2 (1 - e) for two classes. It is
    not symmetric, since one model's errors set the scale.

    Parameters
    ----------
    normalize_by : {"first", "second"}, default="first"
        The model whose error rate divides.
    abstain : label, default=None
        A label by which models decline to answer: the rows that both answer count, and
        no others. None: a model that declines is not right, as any other that gives
        another label than the true one.
    replace_undefined_by : np.nan or float >= 0, default=np.nan
        Value where that model makes no error, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, distance_ : float
        Disagreement over error rate.
    score_ : float
        Minus the distance.
    disagreement_ : float
        Share of rows with different labels.
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
    MinMaxNormalizedDisagreement : Uses both models' error rates.

    References
    ----------
    S. Fort, H. Hu, B. Lakshminarayanan. Deep ensembles: a loss landscape perspective.
    arXiv:1912.02757, 2019.

    Examples
    --------
    >>> from sksim.functional import ErrorCorrectedDisagreement
    >>> first, second, truth = [0, 1, 1, 0], [0, 1, 0, 1], [0, 1, 1, 1]
    >>> ErrorCorrectedDisagreement().fit(first, second, y_true=truth).distance_
    2.0
    """

    _parameter_constraints: dict = {
        "normalize_by": [StrOptions({"first", "second"})],
        "abstain": ABSTAIN_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(0, None),
    }
    _undefined_when = "The model whose errors set the scale makes none"

    def __init__(
        self, normalize_by="first", *, abstain=None, replace_undefined_by=np.nan
    ):
        self.normalize_by = normalize_by
        self.abstain = abstain
        self.replace_undefined_by = replace_undefined_by

    def _relate(self, differing, errors_x, errors_y, n_samples, n_classes):
        errors = errors_x if self.normalize_by == "first" else errors_y
        ratio = differing / errors if errors else float("nan")
        share = differing / n_samples if n_samples else float("nan")
        return ratio, {"disagreement_": share}

    def _similarity_tags(self):
        return correctness_tags(
            intervals=INTERVALS_OF_KINDS,
            orientation="distance",
            bounds=(0, float("inf")),
            symmetric=False,
            reference="Fort et al. 2019",
        )
