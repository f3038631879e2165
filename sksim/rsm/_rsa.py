"""Representational similarity analysis."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import scipy.stats

from sksim._sklearn_compat import StrOptions
from sksim.arrays._linalg import role_name
from sksim.arrays._namespace import as_float64, inner, namespace_of, to_numpy
from sksim.arrays._pairs import (
    METRICS,
    SquaredDistances,
    condensed,
    pair_vector,
    square,
    squared_distance_rows,
)
from sksim.arrays._ranks import average_ranks, quantized
from sksim.arrays._symmetric import Dense
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._comparison import Grid
from sksim.base._inner_product import InnerProductComparison, InnerProductGrid
from sksim.base._tags import SimilarityTags
from sksim.rsm._kernels import refuse_explained
from sksim.rsm._pair_blocks import (
    PairBlocks,
    binning_error,
    blocked_correlation,
    ranked_blocks,
    valued_blocks,
)

# Beyond this many rows neither a list of all pairs (268 MB) is kept nor, for the sake
# of permutations, a square matrix of them.
_LISTED_ROWS = 8192


@dataclass(frozen=True)
class PairValues(View):
    """What is compared of all pairs i < j: values, centred values or ranks.

    For all comparisons but Kendall's the vector has unit norm.
    """

    values: object

    def moved(self, order):
        """The same pairs with the rows in another order."""
        xp = namespace_of(self.values)
        matrix = Dense(square(self.values, xp=xp)).moved(order).matrix
        return PairValues(condensed(matrix, xp=xp))

    def without_rows(self):
        """Nothing is left without the pairs."""
        return PairValues(None)


@dataclass(frozen=True)
class PairMoments(View):
    """Rows whose squared distances are compared, without a list of all pairs.

    ``mean`` is that of the squared distances over all pairs if they are to be centred,
    else 0; ``norm`` is that of the (centred) distances over all ordered pairs.
    """

    distances: SquaredDistances
    mean: float
    norm: float

    _row_fields = ("distances",)


@dataclass(frozen=True, kw_only=True)
class ListsComparison(InnerProductComparison):
    """Two lists of all pairs, of which permutations pick entries out of squares.

    A list is centred as a list: the rows of its square do not sum to zero, so that
    nothing else of an inner product follows.
    """

    carries: ClassVar = frozenset()

    @classmethod
    def grid(cls, **fields):
        """All pairs of many views."""
        return ListsGrid(kind=cls, **fields)

    def for_permutations(self):
        """Squares of the lists, where there are any."""
        if self.measure._has_lists(self.n_samples):
            return super().for_permutations()
        return replace(self, rows=None)


@dataclass(frozen=True, kw_only=True)
class ListsGrid(InnerProductGrid):
    """Many lists of all pairs, compared pair by pair."""

    at_once = False

    def values(self):
        """Statistics of all pairs, as an array of shape (n_x, n_y)."""
        return Grid.values(self)

    def for_permutations(self):
        """Squares of the lists, where there are any."""
        if self.measure._has_lists(self.n_samples):
            return super().for_permutations()
        return replace(self, rows=None)


class RSA(BaseSimilarity):
    r"""Representational similarity analysis.

    The correlation of the dissimilarities of all pairs of rows in both
    representations:

    .. math:: m(R, R') = \operatorname{corr}\bigl(
        (d(R_i, R_j))_{i<j}, \; (d(R'_i, R'_j))_{i<j} \bigr)

    A similarity in [-1, 1]. With the correlation distance, invariant to permutations
    of the columns and isotropic scaling; with Euclidean distances also to orthogonal
    maps and translation; with the cosine distance to orthogonal maps and scaling.

    Parameters
    ----------
    metric : str, default="correlation"
        One of "correlation", "euclidean", "sqeuclidean", "cosine".
        Dissimilarity d of two rows. Ranks are the same for "euclidean" and
        "sqeuclidean".
    comparison : {"spearman", "pearson", "kendall", "cosine"}, default="spearman"
        How the two lists of dissimilarities are compared: by the correlation of ranks
        or of values, by Kendall's tau-a (on the CPU, O(n^2 log n) for each
        comparison), or by the cosine, without centring.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show their progress on standard error, with more
        than 8192 rows.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Correlation of the dissimilarities.
    error_bound_ : float
        Most by which binning can have moved the correlation of ranks of more than 8192
        rows; 0 where ranks are exact.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a row has no dissimilarity (constant rows for "correlation", zero rows for
        "cosine"), if all pairs of rows are equally dissimilar, or if Kendall's tau is
        asked of more than 8192 rows.

    See Also
    --------
    CKA : Compares centred kernels; equivalent to RSA on centred squared distances.

    Notes
    -----
    Dissimilarities that agree in their first ten digits tie, so that neither the
    order of summation nor a shift of the data decides. Ranked once; a permutation
    test permutes the ranks. Pearson's correlation and the cosine of squared
    dissimilarities come from d x d' products, without any list of pairs, where d < n.

    Above 8192 rows there is no list of pairs at all. Sums run over blocks, twice: the
    first pass finds means, or counts squared distances in 2^20 bins, by their leading
    binary digits; the second correlates values, or the mean ranks of the bins. Binned
    ranks keep five digits of the correlation at the least where distances spread, and
    usually eight: ``error_bound_`` says how many.

    References
    ----------
    N. Kriegeskorte, M. Mur, P. Bandettini. Representational similarity analysis:
    connecting the branches of systems neuroscience. Frontiers in Systems
    Neuroscience, 2008.

    H. Nili, C. Wingfield, A. Walther et al. A toolbox for representational similarity
    analysis. PLoS Computational Biology, 2014 (Kendall's tau-a).

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.rsm import RSA
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(50, 6))
    >>> round(RSA().fit(X, 3 * X[:, ::-1]).score_, 12)
    1.0
    >>> euclidean = RSA(metric="euclidean", comparison="pearson")
    >>> round(euclidean.fit(X, X + 1).score_, 12)
    1.0
    """

    _kind = ListsComparison
    _parameter_constraints: dict = {
        "metric": [StrOptions(set(METRICS))],
        "comparison": [StrOptions({"spearman", "pearson", "kendall", "cosine"})],
        "verbose": ["verbose"],
    }

    def __init__(self, metric="correlation", comparison="spearman", *, verbose=0):
        self.metric = metric
        self.comparison = comparison
        self.verbose = verbose

    def _view(self, X, xp, role):
        # ties and differences of large sums both need double precision
        X = as_float64(X, xp=xp)
        is_moment = (
            self.comparison in ("pearson", "cosine")
            and self.metric != "euclidean"
            and X.shape[1] < X.shape[0]
        )
        is_blocked = X.shape[0] > _LISTED_ROWS
        distances = squared_distance_rows(
            X, self.metric, xp=xp, role=role, center=is_moment or is_blocked
        )
        if is_moment:
            view = self._moments(distances, role, xp)
            if view is not None:
                return view
        if is_blocked:
            return self._blocked_view(distances, role, xp)
        return self._pair_view(pair_vector(distances, xp=xp), role, xp)

    def _blocked_view(self, distances, role, xp):
        """View without a list of pairs, for many rows."""
        if self.comparison == "kendall":
            raise ValueError(
                f"comparison='kendall' compares all pairs of pairs, and "
                f"{role_name(role)} has {distances.rows.shape[0]} rows: more than "
                f"{_LISTED_ROWS} are not supported. Use comparison='spearman', or a "
                "random subset of the rows."
            )
        if self.comparison == "spearman":
            view, has_ranks = ranked_blocks(distances, xp=xp)
            self._refuse_equal(float(has_ranks), 1.0, role)
            return view
        view, before = valued_blocks(
            distances,
            is_rooted=self.metric == "euclidean",
            is_centred=self.comparison == "pearson",
            xp=xp,
        )
        self._refuse_equal(view.norm**2, before, role)
        return view

    def _pair_view(self, squares, role, xp):
        """What is compared of the squared distances of all pairs."""
        if self.comparison in ("spearman", "kendall"):
            values = quantized(squares, xp=xp)
        elif self.metric == "euclidean":
            values = xp.sqrt(squares)
        else:
            values = squares
        return self._comparable(values, role, xp)

    def _comparable(self, values, role, xp):
        """Ranks, centred or as they are, of unit norm."""
        if self.comparison == "kendall":
            values = to_numpy(values, xp=xp)
            self._refuse_equal(float(values.max() - values.min()), 1.0, role)
            return PairValues(values)
        if self.comparison == "spearman":
            values = average_ranks(values, xp=xp)
        before = inner(values, values, xp=xp)
        if self.comparison != "cosine":
            values -= xp.mean(values)
        squared_norm = inner(values, values, xp=xp)
        self._refuse_equal(float(squared_norm), float(before), role)
        values /= xp.sqrt(squared_norm)
        return PairValues(values)

    def _residual_view(self, X, z, xp, role):
        """View of the dissimilarities without what those of z explain."""
        values, confounder = (
            self._dissimilarities(as_float64(array, xp=xp), xp, name)
            for array, name in ((X, role), (z, "z"))
        )
        values = values / xp.max(values)
        confounder = confounder - xp.mean(confounder)
        slope = inner(values, confounder, xp=xp)
        slope = slope / inner(confounder, confounder, xp=xp)
        residuals = values - slope * confounder
        residuals = residuals - xp.mean(residuals)
        spread = values - xp.mean(values)
        spread = inner(spread, spread, xp=xp)
        self._refuse_equal(float(spread), 1.0, role)
        refuse_explained(inner(residuals, residuals, xp=xp) / spread, role, xp)
        if self.comparison in ("spearman", "kendall"):
            residuals = quantized(residuals - xp.min(residuals), xp=xp)
        return self._comparable(residuals, role, xp)

    def _dissimilarities(self, X, xp, role):
        distances = squared_distance_rows(X, self.metric, xp=xp, role=role)
        squares = pair_vector(distances, xp=xp)
        return xp.sqrt(squares) if self.metric == "euclidean" else squares

    def _moments(self, distances, role, xp):
        """View without a list of pairs, or None where that would lose digits."""
        n = distances.rows.shape[0]
        count = n * (n - 1)
        mean = 2 * n * float(xp.sum(distances.squares)) / count
        second = float(_sum_of_products(distances, distances, xp))
        if self.comparison == "cosine":
            return PairMoments(distances, 0.0, second**0.5)
        squared_norm = second - count * mean**2
        if squared_norm < 1e-6 * second:
            return None
        return PairMoments(distances, mean, squared_norm**0.5)

    @staticmethod
    def _refuse_equal(spread, before, role):
        if not spread > 1e-20 * before:
            raise ValueError(
                f"All pairs of rows of {role_name(role)} are equally dissimilar, so "
                "that there is nothing to correlate. RSA needs at least three rows "
                "at different distances."
            )

    def _compare(self, view_x, view_y, xp):
        if isinstance(view_x, PairMoments) and isinstance(view_y, PairMoments):
            n = view_x.distances.rows.shape[0]
            product = _sum_of_products(view_x.distances, view_y.distances, xp)
            product = product - n * (n - 1) * view_x.mean * view_y.mean
            product = product / view_x.norm / view_y.norm
        elif isinstance(view_x, PairBlocks) or isinstance(view_y, PairBlocks):
            view_x, view_y = (self._as_blocks(view) for view in (view_x, view_y))
            product = blocked_correlation(view_x, view_y, xp=xp)
        else:
            product = self._compare_lists(view_x, view_y, xp)
        return product, {"error_bound_": binning_error(view_x, view_y)}

    def _compare_lists(self, view_x, view_y, xp):
        values_x, values_y = (self._values(view, xp) for view in (view_x, view_y))
        if self.comparison == "kendall":
            return _kendall_tau_a(values_x, values_y)
        return inner(values_x, values_y, xp=xp)

    @staticmethod
    def _as_blocks(view):
        if isinstance(view, PairBlocks):
            return view
        # moments count each pair twice
        return PairBlocks(view.distances, False, None, view.mean, view.norm / 2**0.5)

    def _values(self, view, xp):
        if isinstance(view, PairMoments):
            squares = pair_vector(view.distances, xp=xp)
            return self._pair_view(squares, None, xp).values
        return view.values

    def _has_lists(self, n_samples):
        """Whether permutations pick entries: of values or ranks, not of Kendall's."""
        return self.comparison != "kendall" and n_samples <= _LISTED_ROWS

    def _form(self, view, role, xp):
        return Dense(square(self._values(view, xp), xp=xp))

    def _of_product(self, product, view_x, view_y, n_samples):
        return product / 2  # both (i, j) and (j, i)

    def _min_samples(self):
        return 3

    def _similarity_tags(self):
        invariances = {
            "correlation": {"PT", "IS"},
            "cosine": {"PT", "OT", "IS"},
        }.get(self.metric, {"PT", "OT", "IS", "TR"})
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-1, 1),
            invariances=invariances,
            requires={
                "correlation": ("nonconstant_rows",),
                "cosine": ("nonzero_rows",),
            }.get(self.metric, ()),
            view_keywords=("role",),
            array_api=self.comparison != "kendall",
            complexity="n^2 (d + log n)",
            reference="Kriegeskorte et al. 2008",
        )


def _sum_of_products(a, b, xp):
    """Sum over ordered pairs of the products of squared distances in a and in b.

    With centred rows, sums of the cross terms vanish; what remains are the squared
    norms of the rows and the d x d' product of both representations.
    """
    n = a.rows.shape[0]
    cross = a.rows.T @ b.rows
    return (
        2 * n * inner(a.squares, b.squares, xp=xp)
        + 2 * xp.sum(a.squares) * xp.sum(b.squares)
        + 4 * inner(cross, cross, xp=xp)
    )


def _kendall_tau_a(values_x, values_y):
    """Kendall's tau of all pairs, tied ones in the denominator too."""
    tau_b = scipy.stats.kendalltau(values_x, values_y).statistic
    count = len(values_x)
    pairs = count * (count - 1) / 2
    untied = (pairs - _tied_pairs(values) for values in (values_x, values_y))
    return tau_b * (next(untied) * next(untied)) ** 0.5 / pairs


def _tied_pairs(values):
    counts = np.unique(values, return_counts=True)[1].astype(float)
    return float(np.sum(counts * (counts - 1)) / 2)
