"""Share of the columns that two models both put first."""

from numbers import Integral

from sksim._sklearn_compat import Interval
from sksim.functional._token_lists import places_in
from sksim.functional._top_lists import TopListSimilarity


class TopKOverlap(TopListSimilarity):
    r"""Share of the k most likely classes or tokens that two models have in common.

    With the sets :math:`T_i, T_i'` of the k columns of the largest outputs of row i,

    .. math:: m(f, f') = \frac{1}{N k} \sum_i |T_i \cap T_i'| .

    A similarity in [0, 1]. With k = 1 it is the share of rows with the same first
    choice. It does not see the order within the k, nor how far apart outputs are; two
    unrelated models share k / C.

    Parameters
    ----------
    k : int, default=1
        Number of columns that count. Of equal outputs the first columns come first.

    Attributes
    ----------
    statistic_, similarity_ : float
        Mean share.
    score_ : float
        The same.
    row_values_ : ndarray of shape (n_samples,)
        Share of each row.
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
    RankBiasedOverlap : Sees the order too.
    Disagreement : Of labels, 1 less the overlap at k = 1.

    References
    ----------
    R. Fagin, R. Kumar, D. Sivakumar. Comparing top k lists. SIAM Journal on Discrete
    Mathematics, 2003.

    Examples
    --------
    >>> from sksim.functional import TopKOverlap
    >>> first, second = [[0.5, 0.3, 0.1, 0.1]], [[0.4, 0.1, 0.3, 0.2]]
    >>> TopKOverlap(1).fit(first, second).similarity_
    1.0
    >>> TopKOverlap(2).fit(first, second).similarity_
    0.5
    """

    _parameter_constraints: dict = {"k": [Interval(Integral, 1, None, closed="left")]}
    _reference = "Fagin et al. 2003"

    def __init__(self, k=1):
        self.k = k

    def _of_lists(self, first, second):
        return places_in(first, second)[1].mean(axis=1)
