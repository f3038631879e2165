"""Share of rows that both models get wrong."""

import numpy as np

from sksim.functional._abstentions import ABSTAIN_CONSTRAINT
from sksim.functional._correctness import CorrectnessSimilarity
from sksim.functional._tags import (
    INTERVALS_OF_KINDS,
    INTERVALS_OF_SHARES,
    OF_ROW_SUMS,
    correctness_tags,
)
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


class DoubleFault(UndefinedMixin, CorrectnessSimilarity):
    r"""Share of rows that both models get wrong.

    .. math:: m(f, f') = N^{00} / N

    A similarity (of failures) in [0, 1]. A pair that never fails together scores 0,
    also if both models are perfect: it measures common failure, and a model compared
    with itself scores its error rate.

    Parameters
    ----------
    abstain : label, default=None
        A label by which models decline to answer: the rows that both answer count, and
        no others. None: a model that declines is not right, as any other that gives
        another label than the true one.
    replace_undefined_by : np.nan or float in [0, 1], default=np.nan
        Value where no row is answered by both, which raises an
        :class:`~sklearn.exceptions.UndefinedMetricWarning`.

    Attributes
    ----------
    statistic_, similarity_ : float
        Share of rows.
    score_ : float
        The share.
    counts_ : ndarray of shape (2, 2)
        Number of rows [[both right, only the first], [only the second, none]].
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
    ErrorConsistency : Relates common failures to chance.

    References
    ----------
    G. Giacinto, F. Roli. Design of effective neural network ensembles for image
    classification purposes. Image and Vision Computing, 2001.

    Examples
    --------
    >>> from sksim.functional import DoubleFault
    >>> first, second, truth = [1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 1]
    >>> DoubleFault().fit(first, second, y_true=truth).similarity_
    0.2
    """

    _parameter_constraints: dict = {
        "abstain": ABSTAIN_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(0, 1),
    }
    _undefined_when = "No row is answered by both models"

    def __init__(self, *, abstain=None, replace_undefined_by=np.nan):
        self.abstain = abstain
        self.replace_undefined_by = replace_undefined_by

    def _relate(self, both, only_x, only_y, none):
        n_samples = both + only_x + only_y + none
        return none / n_samples if n_samples else float("nan")

    def _similarity_tags(self):
        of_all = self.abstain is None
        return correctness_tags(
            intervals=INTERVALS_OF_SHARES if of_all else INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            orientation="similarity",
            bounds=(0, 1),
            identity=False,
            reference="Giacinto & Roli 2001",
        )
