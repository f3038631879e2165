"""Whether two models err on the same rows, above chance."""

from sksim.functional._abstentions import ABSTAIN_CONSTRAINT
from sksim.functional._correctness import CorrectnessSimilarity
from sksim.functional._labels import kappa
from sksim.functional._tags import INTERVALS_OF_KINDS, OF_ROW_SUMS, correctness_tags
from sksim.functional._undefined import replacement_constraint


class ErrorConsistency(CorrectnessSimilarity):
    r"""Whether two models err on the same rows, above chance.

    With accuracies a, a' and the share :math:`c_{obs}` of rows that both get right or
    both get wrong,

    .. math:: m(f, f') = \frac{c_{obs} - c_{exp}}{1 - c_{exp}}, \quad
        c_{exp} = a a' + (1 - a)(1 - a') .

    A similarity in [-1, 1]: Cohen's kappa of the two vectors of correct predictions.
    About 0 for independent errors; 1 if the same rows are wrong, also where none or
    all are. It is blind to which wrong label is predicted.

    Parameters
    ----------
    abstain : label, default=None
        A label by which models decline to answer: the rows that both answer count, and
        no others. None: a model that declines is not right, as any other that gives
        another label than the true one.
    replace_undefined_by : np.nan or float in [-1, 1], default=1.0
        Value where both models are right on all rows, or wrong on all, so that no
        error can be more common than chance: 0 / 0 by the formula. nan is what other
        codes give.

    Attributes
    ----------
    statistic_, similarity_ : float
        Error consistency.
    score_ : float
        Error consistency.
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
    CohenKappa : The same of the labels.
    InterraterAgreement : The same for a group of models.

    References
    ----------
    R. Geirhos, K. Meding, F. Wichmann. Beyond accuracy: quantifying trial-by-trial
    behaviour of CNNs and humans by measuring error consistency. NeurIPS, 2020.

    Examples
    --------
    >>> from sksim.functional import ErrorConsistency
    >>> first, second, truth = [1, 1, 0, 1, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 1]
    >>> round(ErrorConsistency().fit(first, second, y_true=truth).similarity_, 4)
    0.1667
    """

    _parameter_constraints: dict = {
        "abstain": ABSTAIN_CONSTRAINT,
        "replace_undefined_by": replacement_constraint(-1, 1),
    }

    def __init__(self, *, abstain=None, replace_undefined_by=1.0):
        self.abstain = abstain
        self.replace_undefined_by = replace_undefined_by

    def _relate(self, both, only_x, only_y, none):
        if only_x + only_y == 0:
            is_undefined = both == 0 or none == 0
            return float(self.replace_undefined_by) if is_undefined else 1.0
        n = both + only_x + only_y + none
        right_x, right_y = both + only_x, both + only_y
        expected = right_x * right_y + (n - right_x) * (n - right_y)
        return kappa((both + none) * n, expected, n * n)

    def _similarity_tags(self):
        return correctness_tags(
            intervals=INTERVALS_OF_KINDS,
            exact=OF_ROW_SUMS,
            orientation="similarity",
            bounds=(-1, 1),
            reference="Geirhos et al. 2020",
        )
