"""Lists of neighbours compared as sequences."""

from dataclasses import replace

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.arrays._namespace import move_to
from sksim.neighbors._cycle import BasePlacesSimilarity


class SharedNeighborSequence(BasePlacesSimilarity):
    r"""How much of the neighbours' sequences both representations have in common.

    With :math:`(j_1, \ldots, j_k)` the neighbours of a row in X, nearest first, and
    :math:`(j_1', \ldots, j_k')` those in y, the mean over rows of

    .. math:: m_{lcs} = \frac1k \operatorname{lcs}(j, j'), \qquad
        m_{edit} = 1 - \frac1k \operatorname{lev}(j, j') ,

    the length of the longest common subsequence, and one minus the Levenshtein
    distance, the number of insertions, deletions and substitutions. A similarity in
    [0, 1], and 1 if all rows have the same neighbours in the same order. Invariant to
    orthogonal maps and isotropic scaling, with the Euclidean metric also to
    translation.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours, below the number of rows.
    kind : {"lcs", "edit"}, default="lcs"
        Common subsequence, or edit distance. A code in use returns the length of the
        former, k times this number.
    metric : {"cosine", "euclidean", "precomputed"}, default="cosine"
        What is near. "precomputed": X and y are matrices of distances, of shape
        (n_samples, n_samples) or condensed (see :ref:`given_matrices`).
    ties : {"share", "index"}, default="share"
        "share": neighbours that are tied in one view are put in the order that they
        have in the other, so that no number of a row counts; chance then grows with
        ties in both views. "index": they go by the numbers of the rows, as in codes in
        use; then equal rows in both views look similar, and p-values are too small.
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the neighbours that pynndescent finds, for very many rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean similarity of the sequences.
    row_values_ : array of shape (n_samples,)
        That of each row.
    n_tied_ : tuple of int
        Number of rows of X and of y whose last neighbour is as near as one that was
        left out.
    algorithm_ : str
        The search that was used.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If there are no more rows than neighbours, if a representation is constant, or
        if a row is zero with the cosine metric. If a given matrix is not one of
        distances.

    See Also
    --------
    RankSimilarity : Compares the ranks of the neighbours that are shared.
    MutualKNN : Counts them, in any order.

    Notes
    -----
    Use it where the order of the neighbours is what counts, such as in retrieval; at k
    = N - 1, where sets of neighbours are all alike, it still tells representations
    apart. "edit" is the stricter one: a shift of the list by one place costs 2. Its
    cost is O(N k^2) beside the search.

    References
    ----------
    M. Huh, B. Cheung, T. Wang, P. Isola. The Platonic representation hypothesis. ICML,
    2024, arXiv:2405.07987.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import SharedNeighborSequence
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> noisy = X + 0.1 * rng.normal(size=X.shape)
    >>> round(SharedNeighborSequence(kind="lcs").fit(X, noisy).score_, 2)
    0.61
    >>> round(SharedNeighborSequence(kind="edit").fit(X, noisy).score_, 2)
    0.43
    """

    _parameter_constraints: dict = {
        **BasePlacesSimilarity._parameter_constraints,
        "kind": [StrOptions({"lcs", "edit"})],
    }

    def __init__(
        self,
        n_neighbors=10,
        *,
        kind="lcs",
        metric="cosine",
        ties="share",
        algorithm="exact",
        verbose=0,
    ):
        self.n_neighbors = n_neighbors
        self.kind = kind
        self.metric = metric
        self.ties = ties
        self.algorithm = algorithm
        self.verbose = verbose

    def _compare(self, view_x, view_y, xp):
        ranks = _ranks_in_sequence(view_x.places, view_y.places)
        k = ranks.shape[1]
        if self.kind == "lcs":
            values = _longest_increasing(ranks) / k
        else:
            values = 1 - _edits(ranks) / k
        return float(values.mean()), {
            "row_values_": move_to(values, xp=xp, device=view_x.device),
            **self._how(view_x, view_y),
        }

    def _null_mean_of(self, view_x, view_y):
        return None

    def _similarity_tags(self):
        return replace(super()._similarity_tags(), reference="Huh et al. 2024")


def _ranks_in_sequence(places_x, places_y):
    """Place in X's sequence of each entry of y's, from 1 on, 0 for those not in it.

    Returns an array of shape (n_samples, n_neighbors).
    """
    own, theirs = places_x.shared_with(places_y)
    sides = ((places_x, own, places_y, theirs), (places_y, theirs, places_x, own))
    in_x, in_y = (_sequence_places(*side) for side in sides)
    n, k = places_x.n_samples, places_x.n_neighbors
    ranks = np.zeros((n, k), dtype=np.intp)
    is_in_both = (in_x[own] < k) & (in_y[theirs] < k)
    own, theirs = own[is_in_both], theirs[is_in_both]
    ranks[places_y.rows[theirs], in_y[theirs]] = in_x[own] + 1
    return ranks


def _sequence_places(places, own, others, theirs):
    """Place of each entry in its row's sequence, from 0; k and more are left out.

    What is tied goes by its rank in the other view, and what is tied in both by the
    number of its row, which then is the same on both sides.
    """
    other_ranks = np.full(len(places.rows), np.inf)
    other_ranks[own] = others.ranks[theirs]
    keys = (places.columns, other_ranks, places.ranks, places.rows)
    order = np.lexsort(keys)
    firsts = np.cumsum(np.bincount(places.rows, minlength=places.n_samples))
    firsts = np.concatenate([[0], firsts[:-1]])
    found = np.empty(len(order), dtype=np.intp)
    found[order] = np.arange(len(order)) - firsts[places.rows[order]]
    return found


def _longest_increasing(ranks):
    """Length of the longest increasing subsequence of each row's positive entries."""
    # entry by entry contiguous: each step compares one with all before
    ranks = np.ascontiguousarray(ranks.T)
    lengths = np.zeros(ranks.shape, dtype=np.int32)
    for place, rank in enumerate(ranks):
        before = lengths[:place] * (ranks[:place] < rank)
        longest = before.max(axis=0, initial=0)
        lengths[place] = np.where(rank > 0, longest + 1, 0)
    return lengths.max(axis=0)


def _edits(ranks):
    """Levenshtein distance of 1, 2, .., k to each row of ranks, 0 for no such entry."""
    n, k = ranks.shape
    ranks = np.ascontiguousarray(ranks.T)
    steps = np.arange(k + 1, dtype=np.int32)[:, None]
    row = np.repeat(steps, n, axis=1)
    for place in range(1, k + 1):
        new = row + 1  # a deletion
        np.minimum(new[1:], row[:-1] + (ranks != place), out=new[1:])
        # insertions, which add one for each step from the cheapest entry before
        new -= steps
        np.minimum.accumulate(new, axis=0, out=new)
        row = new + steps
    return row[-1]
