"""Overlap of two models' rankings that counts the first places most."""

from numbers import Integral, Real

from sksim._sklearn_compat import Interval, StrOptions
from sksim.functional._token_lists import overlaps, rank_biased_overlap
from sksim.functional._top_lists import TopListSimilarity


class RankBiasedOverlap(TopListSimilarity):
    r"""Overlap of how two models rank the columns of a row, the first places most.

    With :math:`X_d` the number of columns that are among the d largest of both rows,

    .. math:: \frac{X_k}{k} p^k + \frac{1 - p}{p} \sum_{d=1}^k \frac{X_d}{d} p^d ,

    the extrapolated form, averaged over rows: what a reader finds in common who goes on
    from each place to the next with probability p, if the lists go on as they do at
    depth k. A similarity in [0, 1], 1 for equal lists.

    Parameters
    ----------
    k : int, default=None
        Depth to which the rankings are known; None: all columns. Of equal outputs the
        first columns come first.
    p : float, default=0.9
        Probability of going on. The first 10 places get .86 of the weight at .9, and
        .999 at .5.
    form : {"extrapolated", "truncated"}, default="extrapolated"
        Whether what lies beyond depth k is supposed to overlap like what lies before,
        or left out: the sum alone, which equal lists bring to 1 - p^k only.

    Attributes
    ----------
    statistic_, similarity_ : float
        Mean overlap.
    score_ : float
        The same.
    row_values_ : ndarray of shape (n_samples,)
        Overlap of each row.
    n_features_in_, n_features_y_in_ : int
        Number of columns.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If X and y differ in the number of columns, or have fewer than k.

    See Also
    --------
    TopKOverlap : Ignores the order of the first k.
    RankCorrelation : Counts all places alike.

    References
    ----------
    W. Webber, A. Moffat, J. Zobel. A similarity measure for indefinite rankings. ACM
    Transactions on Information Systems, 2010.

    Examples
    --------
    >>> from sksim.functional import RankBiasedOverlap
    >>> first, second = [[9, 8, 7, 6]], [[9, 7, 8, 6]]
    >>> round(RankBiasedOverlap(3).fit(first, second).similarity_, 4)
    0.955
    >>> round(RankBiasedOverlap(3, p=0.5).fit(first, second).similarity_, 4)
    0.875
    """

    _parameter_constraints: dict = {
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "p": [Interval(Real, 0, 1, closed="neither")],
        "form": [StrOptions({"extrapolated", "truncated"})],
    }
    _reference = "Webber et al. 2010"

    def __init__(self, k=None, *, p=0.9, form="extrapolated"):
        self.k = k
        self.p = p
        self.form = form

    @property
    def _largest(self):
        if self.form == "extrapolated":
            return 1
        return None if self.k is None else 1 - self.p**self.k

    def _of_lists(self, first, second):
        return rank_biased_overlap(overlaps(first, second), self.p, self.form)
