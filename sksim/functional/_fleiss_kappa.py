"""Agreement above chance of a group's labels."""

import numpy as np

from sksim.arrays._namespace import row_slices, vote_counts
from sksim.base import BaseGroupSimilarity
from sksim.base._row_sums import VoteSumComparison
from sksim.functional._labels import coded, common_codes, kappa
from sksim.functional._tags import label_tags
from sksim.functional._undefined import UndefinedMixin, replacement_constraint


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
    KrippendorffAlpha : Of raters who may leave out rows, or decline to answer.

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

    _kind = VoteSumComparison

    def __init__(self, replace_undefined_by=np.nan):
        self.replace_undefined_by = replace_undefined_by

    def _view(self, X, xp):
        return coded(X, xp=xp)

    def _aggregate(self, views, xp):
        codes, n_classes = common_codes(views, xp=xp)
        squares = 0.0
        for rows in row_slices(codes[0].shape[0], n_classes):
            counts = vote_counts([c[rows] for c in codes], n_classes, xp=xp)
            squares += float(xp.sum(counts * counts))
        return squares

    def _of_sums(self, squares, n_samples, votes):
        n_votes = int(votes.sum())
        others = n_votes // int(n_samples) - 1
        # both shares of agreement over the common denominator n_votes^2 (L - 1)
        observed = (squares - n_votes) * n_votes
        expected = float(votes @ votes) * others
        return kappa(observed, expected, n_votes**2 * others)

    def _similarity_tags(self):
        return label_tags(
            arity="group",
            orientation="similarity",
            bounds=(-1, 1),
            complexity="n (l + c)",
            reference="Fleiss 1971",
        )
