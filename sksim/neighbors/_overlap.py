"""Overlap of neighbour lists: which neighbours are shared, and in what order."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from scipy.stats import hypergeom
from sklearn.base import clone

from sksim.arrays._namespace import device_of, is_numpy, move_to
from sksim.arrays._neighbors import shared_ranks
from sksim.arrays._shared_places import mean_of_overlap, mean_overlap
from sksim.base._validation import gradients_are_kept
from sksim.neighbors._base import BaseNeighborSimilarity, NeighborComparison
from sksim.neighbors._soft import check_temperature, soft_shared_neighbors


@dataclass(frozen=True, kw_only=True)
class OverlapComparison(NeighborComparison):
    """Two views of neighbour lists, of which the entries are compared."""

    carries: ClassVar = frozenset({"null_mean"})

    def for_permutations(self):
        """The form in which y's entries are looked up in a table of X's ranks."""
        shares = self.measure._shares(self.view_x, self.view_y, self.xp)
        if shares is not None:
            places_x = shares[0].with_index()
            return self.prepared_as(SharedOverlap, view_x=places_x, view_y=shares[1])
        view_x = self.view_x.with_table(xp=self.xp)
        if view_x.table is None:
            return replace(self, rows=None)
        # list by list, so that sums over a row's list add up whole arrays
        lists = np.asfortranarray(self.view_y.indices)
        view_y = replace(self.view_y, indices=lists)
        return self.prepared_as(TabledOverlap, view_x=view_x, view_y=view_y)

    def _null_mean(self):
        n_samples, k = self.view_x.indices.shape
        shares = self.measure._shares(self.view_x, self.view_y, self.xp)
        if shares is not None:
            return self.measure._null_mean_of_shares(*shares)
        n_shared = np.arange(k + 1)
        # of the n - 1 other rows, k are neighbours in X and k are drawn for y
        probabilities = hypergeom.pmf(n_shared, n_samples - 1, k, k)
        return float(np.sum(probabilities * self.measure._of_shared(n_shared, k)))


@dataclass(frozen=True, kw_only=True)
class TabledOverlap(OverlapComparison):
    """The same with a table of X's ranks, on numpy."""

    def permuted(self, orders):
        """Statistics with the rows of y in each of several orders."""
        n_samples = self.n_samples
        table, lists = self.view_x.table.ravel(), self.view_y.indices.T
        places, entries = np.empty(n_samples, dtype=np.intp), np.empty_like(lists)
        ranks = np.empty(lists.shape, dtype=table.dtype)
        values = []
        for order in orders:
            # row i of y becomes row places[i]: its list is looked up there
            places[order] = np.arange(n_samples)
            places.take(lists, out=entries, mode="clip")
            entries += n_samples * places
            table.take(entries, out=ranks, mode="clip")
            values.append(float(self.measure._row_values(ranks.T, np).mean()))
        return values


@dataclass(frozen=True, kw_only=True)
class SharedOverlap(OverlapComparison):
    """Two views of neighbours that share places, entry by entry, on numpy."""

    def permuted(self, orders):
        """Statistics with the rows of y in each of several orders."""
        views = (self.view_y.moved(order) for order in orders)
        return [
            float(self.measure._shared_values(self.view_x, view).mean())
            for view in views
        ]


class BaseNeighborOverlap(BaseNeighborSimilarity):
    """Mean over rows of how alike a row's neighbour lists are in both views.

    A measure writes ``_row_values``, and ``_of_shares`` for tied neighbours. The view
    is a :class:`Neighbors`; a permutation of rows renames the entries of the lists,
    without a new search. A measure says by ``_ordered`` whether the order of the
    neighbours counts.
    """

    _kind = OverlapComparison
    _ordered = True

    @abstractmethod
    def _row_values(self, ranks, xp):
        """Value of each row, of the ranks in X's list of the entries of y's list.

        ``ranks`` has the shape (n_samples, n_neighbors); 0 stands for an entry that
        is not in X's list.
        """

    @abstractmethod
    def _of_shares(self, n_shared, agreement, k):
        """Value of each row, of the number of shared neighbours and their ranks.

        ``n_shared`` is the sum of the shares that both views have in a neighbour,
        ``agreement`` that of these times the agreement of its ranks; None unless the
        measure is ordered. On numpy.
        """

    def _shared_values(self, places_x, places_y):
        """Value of each row where neighbours share places, on numpy."""
        own, others = places_x.shared_with(places_y)
        shares = np.minimum(places_x.shares[own], places_y.shares[others])
        # equal shares add up to a whole number but for their last digits
        n_shared = np.round(places_x.sums(own, shares), 12)
        agreement = None
        if self._ordered:
            ranks = places_x.ranks[own], places_y.ranks[others]
            agreement = places_x.sums(own, shares * _agreement(*ranks, np))
        return self._of_shares(n_shared, agreement, places_x.n_neighbors)

    def _view(self, X, xp, role):
        return self._search(X, xp, role, ordered=self._ordered)

    def _compare(self, view_x, view_y, xp):
        shares = self._shares(view_x, view_y, xp)
        if shares is None:
            values = self._row_values(shared_ranks(view_x, view_y, xp=xp), xp)
        else:
            values = self._shared_values(*shares)
            device = device_of(view_x.indices)
            values = move_to(values, xp=xp, device=device)
        return xp.mean(values), {"row_values_": values, **self._how(view_x, view_y)}


class BaseSharedNeighbors(BaseNeighborOverlap):
    """An overlap that depends on the number of shared neighbours alone.

    A measure writes ``_of_shared``.
    """

    _ordered = False

    @abstractmethod
    def _of_shared(self, n_shared, k):
        """Value of a row that shares so many of its k neighbours, elementwise."""

    def _row_values(self, ranks, xp):
        return self._of_shared(_n_shared(ranks, xp), ranks.shape[1])

    def _of_shares(self, n_shared, agreement, k):
        return self._of_shared(n_shared, k)

    def _null_mean_of_shares(self, places_x, places_y):
        """Mean over all orders where neighbours share places, or None."""
        k = places_x.n_neighbors
        return mean_of_overlap(places_x, places_y, partial(self._of_shared, k=k))

    def score_array(self, X, y, *, temperature=None, **metadata):
        r"""Score by degrees of neighbourhood, as a 0-d array with its gradients.

        Which rows are the nearest changes in steps, which have no gradients. At a
        temperature T row j is a neighbour of row i to the degree

        .. math:: w_{ij} = \frac{1}{1 + \exp((d_{ij}^2 - t_i) / T)},
            \qquad \sum_{j \ne i} w_{ij} = k ,

        where the squared distances d^2 of two rows have the mean 1. It shares

        .. math:: 2 k \, \frac{\langle w_i, w_i' \rangle}
            {\lVert w_i \rVert^2 + \lVert w_i' \rVert^2}

        of its k neighbours. Equal degrees have the best score, and where no neighbours
        tie the score tends to that of ``fit`` as T goes to 0.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            First representation.
        y : array of shape (n_samples, n_features_y)
            Second representation of the same rows.
        temperature : float
            The width T of the neighbourhoods' edges. Gradients vanish where it is much
            smaller than the differences of distances; 0.1 is a start.
        **metadata : dict
            What is known of the rows.

        Returns
        -------
        score : 0-d array
            Of the input's library.

        Raises
        ------
        ValueError
            If there is no temperature, or more than 4096 rows.
        """
        self._check_gradients(temperature)
        with gradients_are_kept():
            rows = clone(self)._read(X, y, **metadata)
            k, metric = self.n_neighbors, self.metric
            n_shared = soft_shared_neighbors(
                *rows.arrays, k, temperature, metric=metric, xp=rows.xp
            )
            score = rows.xp.mean(self._of_shared(n_shared, k))
        return np.asarray(score) if is_numpy(rows.xp) else score

    def _check_gradients(self, temperature=None):
        if temperature is None:
            raise ValueError(
                f"{type(self).__name__} has no gradients without a temperature: pass "
                "temperature=0.1, the width of the neighbourhoods' edges in units of "
                "the mean squared distance."
            )
        check_temperature(temperature)

    def _similarity_tags(self):
        return replace(super()._similarity_tags(), exact={"null_mean"})


def _n_shared(ranks, xp):
    return xp.sum(xp.astype(ranks > 0, xp.float64), axis=1)


def _jaccard(n_shared, k):
    return n_shared / (2 * k - n_shared)


def _rank_similarity(ranks, xp):
    """Agreement of the shared neighbours' ranks, 0 for a row that shares none."""
    k = ranks.shape[1]
    device = device_of(ranks)
    counts = xp.arange(1, k + 1, dtype=xp.float64, device=device)
    ranks = xp.astype(ranks, xp.float64)
    ranks_y = counts[None, :]
    weights = _agreement(ranks, ranks_y, xp)
    totals = xp.sum(xp.where(ranks > 0, weights, xp.zeros_like(weights)), axis=1)
    # the largest total that the row's number of shared neighbours allows
    harmonic = xp.concat(
        [xp.ones(1, dtype=xp.float64, device=device), xp.cumulative_sum(1 / counts)]
    )
    n_shared = xp.sum(xp.astype(ranks > 0, xp.int64), axis=1)
    return totals / xp.take(harmonic, n_shared, axis=0)


def _agreement(ranks_x, ranks_y, xp):
    """How alike two ranks are; near neighbours weigh more."""
    return 2 / ((1 + xp.abs(ranks_x - ranks_y)) * (ranks_x + ranks_y))


def _relative_agreement(n_shared, agreement, k):
    """Agreement of ranks in relation to the largest of so many shared neighbours."""
    harmonic = np.concatenate([[0], np.cumsum(1 / np.arange(1, k + 1))])
    whole = np.minimum(n_shared.astype(int), k - 1)
    largest = harmonic[whole] + (n_shared - whole) / (whole + 1)
    # what is the same in both views is 1, but for the last digits of the sums
    return np.round(agreement / np.where(n_shared > 0, largest, 1), 13)


class NeighborJaccard(BaseSharedNeighbors):
    r"""Mean Jaccard index of the nearest neighbours.

    With :math:`N_k(i), N_k'(i)` the k nearest neighbours of row i in both
    representations, the row itself left out,

    .. math:: m(R, R') = \frac{1}{N} \sum_i
        \frac{|N_k(i) \cap N_k'(i)|}{|N_k(i) \cup N_k'(i)|} .

    A similarity in [0, 1]. Invariant to orthogonal maps and isotropic scaling, with
    the Euclidean metric also to translation. Blind to the order of the neighbours
    and to everything beyond the k-th.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours, below the number of rows. At N - 1 neighbours every
        list holds all other rows and the value is 1, whatever the data.
    metric : {"cosine", "euclidean", "precomputed"}, default="cosine"
        What is near. "precomputed": X and y are matrices of distances, of shape
        (n_samples, n_samples) or condensed (see :ref:`given_matrices`).
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the neighbours that pynndescent finds, for very many rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean Jaccard index.
    row_values_ : array of shape (n_samples,)
        Jaccard index of each row.
    n_tied_ : tuple of int
        Number of rows of X and of y whose last neighbour is as near as one that was
        left out: such neighbours share their places (see :ref:`tied_neighbors`).
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
    RankSimilarity : Compares the order of the shared neighbours.
    MutualKNN : The shared neighbours in relation to k.

    Notes
    -----
    For unrelated representations the number of shared neighbours is hypergeometric,
    so that the value expected by chance is
    :math:`\sum_c c / (2k - c) \binom{k}{c} \binom{N-1-k}{k-c} / \binom{N-1}{k}`, about
    k / (2 N). Distances that agree to ten digits are tied; tied neighbours share the
    places that they compete for (see :ref:`tied_neighbors`), and the value expected by
    chance is exact then, too. Costs O(N^2 D) in blocks; a permutation of the rows costs
    O(N k).

    References
    ----------
    T. Schumacher et al. The effects of randomness on the stability of node embeddings.
    ECML PKDD workshops, 2021, arXiv:2005.10039.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import NeighborJaccard
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    >>> NeighborJaccard().fit(X, 3 * X @ rotation).score_
    1.0
    >>> round(NeighborJaccard().fit(X, rng.normal(size=(100, 5))).score_, 2)
    0.06
    """

    def _of_shared(self, n_shared, k):
        return _jaccard(n_shared, k)

    def _similarity_tags(self):
        return replace(super()._similarity_tags(), reference="Schumacher et al. 2021")


class RankSimilarity(BaseNeighborOverlap):
    r"""Agreement of the ranks of the neighbours that both representations share.

    With :math:`r_i(j)` the rank of j among the k nearest neighbours of row i (1 for
    the nearest) and :math:`C_i = N_k(i) \cap N_k'(i)`,

    .. math:: m(R, R') = \frac{1}{N} \sum_i \Bigl(\sum_{q=1}^{|C_i|} \frac1q
        \Bigr)^{-1} \sum_{j \in C_i} \frac{2}{(1 + |r_i(j) - r_i'(j)|)
        (r_i(j) + r_i'(j))} ,

    where a row without shared neighbours counts 0. A similarity in [0, 1]; 1 if each
    row's shared neighbours are its nearest, in the same order. Near neighbours weigh
    more. Invariant to orthogonal maps and isotropic scaling, with the Euclidean metric
    also to translation. Blind to how many neighbours are shared: see
    :class:`JointRankJaccard`.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours, below the number of rows.
    metric : {"cosine", "euclidean", "precomputed"}, default="cosine"
        What is near. "precomputed": X and y are matrices of distances, of shape
        (n_samples, n_samples) or condensed (see :ref:`given_matrices`).
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the neighbours that pynndescent finds, for very many rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean rank similarity.
    row_values_ : array of shape (n_samples,)
        Rank similarity of each row.
    n_tied_ : tuple of int
        Number of rows of X and of y whose last neighbour is as near as one that was
        left out: such neighbours share their places (see :ref:`tied_neighbors`).
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
    NeighborJaccard : Compares which neighbours are shared.
    JointRankJaccard : Both in one number.

    References
    ----------
    C. Wang, W. Rao, W. Guo, P. Wang, J. Liu, X. Guan. Towards understanding the
    instability of network embedding. IEEE Transactions on Knowledge and Data
    Engineering, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import RankSimilarity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> RankSimilarity().fit(X, 3 * X).score_
    1.0
    >>> round(RankSimilarity().fit(X, X + 0.1 * rng.normal(size=X.shape)).score_, 1)
    0.7
    """

    def _row_values(self, ranks, xp):
        return _rank_similarity(ranks, xp)

    def _of_shares(self, n_shared, agreement, k):
        return _relative_agreement(n_shared, agreement, k)

    def _similarity_tags(self):
        return replace(super()._similarity_tags(), reference="Wang et al. 2020")


class JointRankJaccard(BaseNeighborOverlap):
    r"""Product of Jaccard index and rank similarity, averaged over rows.

    .. math:: m(R, R') = \frac{1}{N} \sum_i \mathrm{Jaccard}_i \cdot
        \mathrm{Rank}_i

    with the rows' values of :class:`NeighborJaccard` and :class:`RankSimilarity`. A
    similarity in [0, 1]; 1 if all rows have the same neighbours in the same order.
    Invariant to orthogonal maps and isotropic scaling, with the Euclidean metric also
    to translation. Blind to everything beyond the k-th neighbour.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours, below the number of rows.
    metric : {"cosine", "euclidean", "precomputed"}, default="cosine"
        What is near. "precomputed": X and y are matrices of distances, of shape
        (n_samples, n_samples) or condensed (see :ref:`given_matrices`).
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the neighbours that pynndescent finds, for very many rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean product.
    row_values_ : array of shape (n_samples,)
        Product of each row.
    n_tied_ : tuple of int
        Number of rows of X and of y whose last neighbour is as near as one that was
        left out: such neighbours share their places (see :ref:`tied_neighbors`).
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
    NeighborJaccard : The first factor.
    RankSimilarity : The second factor.

    References
    ----------
    C. Wang, W. Rao, W. Guo, P. Wang, J. Liu, X. Guan. Towards understanding the
    instability of network embedding. IEEE Transactions on Knowledge and Data
    Engineering, 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import JointRankJaccard
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 5))
    >>> JointRankJaccard().fit(X, 3 * X).score_
    1.0
    >>> round(JointRankJaccard().fit(X, rng.normal(size=(100, 5))).score_, 2)
    0.01
    """

    def _row_values(self, ranks, xp):
        sets = _jaccard(_n_shared(ranks, xp), ranks.shape[1])
        return sets * _rank_similarity(ranks, xp)

    def _of_shares(self, n_shared, agreement, k):
        return _jaccard(n_shared, k) * _relative_agreement(n_shared, agreement, k)

    def _similarity_tags(self):
        return replace(super()._similarity_tags(), reference="Wang et al. 2020")


class MutualKNN(BaseSharedNeighbors):
    r"""Mean share of the nearest neighbours that both representations have in common.

    .. math:: m(R, R') = \frac{1}{N} \sum_i \frac{|N_k(i) \cap N_k'(i)|}{k}

    with :math:`N_k(i)` the k nearest neighbours of row i, the row itself left out. A
    similarity in [0, 1]; k / (N - 1) is expected by chance. Invariant to orthogonal
    maps and isotropic scaling, with the Euclidean metric also to translation. Blind to
    the order of the neighbours and to everything beyond the k-th.

    Parameters
    ----------
    n_neighbors : int, default=10
        Number of neighbours, below the number of rows. At N - 1 neighbours the value
        is 1, whatever the data.
    metric : {"cosine", "euclidean", "precomputed"}, default="cosine"
        What is near. "precomputed": X and y are matrices of distances, of shape
        (n_samples, n_samples) or condensed (see :ref:`given_matrices`).
    algorithm : {"exact", "approximate"}, default="exact"
        "approximate" takes the neighbours that pynndescent finds, for very many rows.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Mean share.
    row_values_ : array of shape (n_samples,)
        Share of each row.
    n_tied_ : tuple of int
        Number of rows of X and of y whose last neighbour is as near as one that was
        left out: such neighbours share their places (see :ref:`tied_neighbors`).
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
    NeighborJaccard : The same sets, in relation to their union.
    CKNNA : Weighs the shared neighbours by their similarities.

    References
    ----------
    M. Huh, B. Cheung, T. Wang, P. Isola. The Platonic representation hypothesis. ICML,
    2024, arXiv:2405.07987.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import MutualKNN
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(101, 5))
    >>> MutualKNN().fit(X, 3 * X).score_
    1.0
    >>> round(MutualKNN().fit(X, rng.normal(size=(101, 5))).score_, 1)
    0.1
    """

    def _of_shared(self, n_shared, k):
        return n_shared / k

    def _null_mean_of_shares(self, places_x, places_y):
        # proportional to the overlap, whose mean needs no distribution
        return mean_overlap(places_x, places_y) / places_x.n_neighbors

    def _similarity_tags(self):
        return replace(super()._similarity_tags(), reference="Huh et al. 2024")
