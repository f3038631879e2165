"""Share of rows that both models get wrong."""

from sksim.functional._correctness import CorrectnessSimilarity
from sksim.functional._tags import (
    INTERVALS_OF_SHARES,
    OF_ROW_SUMS,
    correctness_tags,
)


class DoubleFault(CorrectnessSimilarity):
    r"""Share of rows that both models get wrong.

    .. math:: m(f, f') = N^{00} / N

    A similarity (of failures) in [0, 1]. A pair that never fails together scores 0,
    also if both models are perfect: it measures common failure, and a model compared
    with itself scores its error rate.

    Attributes
    ----------
    statistic_, similarity_ : float
        Share of rows.
    score_ : float
        The share.
    counts_ : ndarray of shape (2, 2)
        Number of rows [[both right, only the first], [only the second, none]].
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

    def _relate(self, both, only_x, only_y, none):
        return none / (both + only_x + only_y + none)

    def _similarity_tags(self):
        return correctness_tags(
            intervals=INTERVALS_OF_SHARES,
            exact=OF_ROW_SUMS,
            orientation="similarity",
            bounds=(0, 1),
            identity=False,
            reference="Giacinto & Roli 2001",
        )
