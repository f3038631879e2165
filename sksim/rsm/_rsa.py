"""Representational similarity analysis."""

import warnings
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
import scipy.stats

from sksim._sklearn_compat import StrOptions
from sksim.arrays._linalg import rescaled, role_name
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    inner,
    is_numpy,
    move_to,
    namespace_of,
    number,
    to_numpy,
)
from sksim.arrays._pairs import (
    MATRIX_ROWS,
    METRICS,
    SquaredDistances,
    condensed,
    n_pairs,
    pair_vector,
    square,
    squared_distance_rows,
)
from sksim.arrays._ranks import average_ranks, quantized
from sksim.arrays._symmetric import Dense
from sksim.arrays._views import some_pairs
from sksim.base import BaseSimilarity
from sksim.base._comparison import Compared, Grid
from sksim.base._given import check_pairs
from sksim.base._inner_product import InnerProductComparison, InnerProductGrid
from sksim.base._tags import SimilarityTags
from sksim.rsm._dissimilarity_pool import DissimilarityPool
from sksim.rsm._kernels import refuse_explained
from sksim.rsm._pair_blocks import (
    PairBlocks,
    PairView,
    binning_error,
    blocked_correlation,
    ranked_blocks,
    valued_blocks,
)
from sksim.rsm._weighted_lists import SortedList, weighted_correlations

# Beyond this many rows neither a list of all pairs (268 MB) is kept nor, for the sake
# of permutations, a square matrix of them.
_LISTED_ROWS = 8192


@dataclass(frozen=True)
class PairValues(PairView):
    """What is compared of all pairs i < j: values, centred values or ranks.

    For all comparisons but Kendall's the vector has unit norm. Where pairs are left
    out, values are as they are: what is made of them follows the pairs of both sides.

    Attributes
    ----------
    values : array of shape (n_pairs,)
    present : bool array of shape (n_pairs,) or None
        The pairs that are not missing, which move with the rows; None for all.
    counted : bool array of shape (n_pairs,) or None
        The pairs that count by the design, which stay in their places when rows move;
        None for all.
    """

    values: object
    present: object = None
    counted: object = None

    @property
    def is_partial(self):
        """Whether pairs are left out."""
        return self.present is not None or self.counted is not None

    def moved(self, order):
        """The same pairs with the rows in another order."""
        values = self._moved(self.values, order)
        return replace(self, values=values, present=self._moved(self.present, order))

    @staticmethod
    def _moved(values, order):
        if values is None:
            return None
        xp = namespace_of(values)
        return condensed(some_pairs(square(values, xp=xp), order), xp=xp)

    def without_rows(self):
        """Nothing is left without the pairs."""
        return PairValues(None)


@dataclass(frozen=True)
class PairMoments(PairView):
    """Rows whose squared distances are compared, without a list of all pairs.

    ``mean`` is that of the squared distances over all pairs if they are to be centred,
    else 0; ``norm`` is that of the (centred) distances over all ordered pairs.
    """

    distances: SquaredDistances
    mean: float
    norm: float

    _row_fields = ("distances",)
    is_moment = True

    @property
    def blocks(self):
        """The same to be computed anew; moments count each pair twice."""
        return PairBlocks(self.distances, False, None, self.mean, self.norm / 2**0.5)


@dataclass(frozen=True, kw_only=True)
class ListsComparison(InnerProductComparison):
    """Two lists of all pairs, of which permutations pick entries out of squares.

    A list is centred as a list: the rows of its square do not sum to zero, so that
    nothing else of an inner product follows. Without rows, or with rows that count
    several times, sorted lists are weighted.
    """

    carries: ClassVar = frozenset({"null_mean", "jackknife", "masked_bootstrap"})

    @classmethod
    def grid(cls, **fields):
        """All pairs of many views."""
        return ListsGrid(kind=cls, **fields)

    def for_permutations(self):
        """Squares of the lists, where there are any and all pairs count."""
        if _can_be_picked(self.measure, self.n_samples, self.view_x, self.view_y):
            return super().for_permutations()
        return replace(self, rows=None)

    @cached_property
    def _lists(self):
        """A grid of one pair, whose lists are sorted once."""
        setting = {f.name: getattr(self, f.name) for f in fields(Compared)}
        views = {"views_x": [self.view_x], "views_y": [self.view_y]}
        return ListsGrid(kind=type(self), **views, **setting)

    def _weighted(self, weights):
        values = self._lists.weighted(weights)
        return None if values is None else float(values[0, 0])

    def _without_each_row(self):
        if not self._lists.can_be_weighted:
            return None
        return np.array([self._weighted(row) for row in 1.0 - np.eye(self.n_samples)])

    def _pair_effects(self):
        return

    def _null_mean(self):
        """Each pair comes to stand at each place equally often."""
        views = self.view_x, self.view_y
        if not self._lists.can_be_weighted or any(view.is_partial for view in views):
            return None
        if self.measure.comparison != "cosine":
            return 0.0
        means = (number(self.xp.mean(self.measure._values(v, self.xp))) for v in views)
        return next(means) * next(means) * n_pairs(self.n_samples)


def _can_be_picked(measure, n_samples, *views):
    # where pairs are left out, ranks and means are others in each order of rows
    is_partial = any(view.is_partial for view in views)
    return measure._has_lists(n_samples) and not is_partial


@dataclass(frozen=True, kw_only=True)
class ListsGrid(InnerProductGrid):
    """Many lists of all pairs, compared pair by pair."""

    at_once = False

    def values(self):
        """Statistics of all pairs, as an array of shape (n_x, n_y)."""
        return Grid.values(self)

    def for_permutations(self):
        """Squares of the lists, where there are any and all pairs count."""
        views = *self.views_x, *self.views_y
        if _can_be_picked(self.measure, self.n_samples, *views):
            return super().for_permutations()
        return replace(self, rows=None)

    @property
    def can_be_weighted(self):
        """Whether there are lists to be sorted, and weighted ranks or values."""
        return self.n_samples <= MATRIX_ROWS and bool(self.measure._exact)

    @cached_property
    def _sorted(self):
        return [
            [SortedList.of(view, self.measure, self.xp) for view in views]
            for views in (self.views_x, self.views_y)
        ]

    def weighted(self, weights):
        """Statistics of all pairs with rows that count several times, or None."""
        if not self.can_be_weighted:
            return None
        weights = to_numpy(weights, xp=namespace_of(weights))
        is_centred = self.measure.comparison != "cosine"
        return weighted_correlations(*self._sorted, weights, is_centred=is_centred)


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
        One of "correlation", "euclidean", "sqeuclidean", "cosine" and "precomputed".
        Dissimilarity d of two rows. Ranks are the same for "euclidean" and
        "sqeuclidean". "precomputed": X and y are matrices of dissimilarities, of any
        sign, of shape (n_samples, n_samples) or condensed (see
        :ref:`given_matrices`). Pairs that are nan in either are left out.
    comparison : {"spearman", "pearson", "kendall", "cosine"}, default="spearman"
        How the two lists of dissimilarities are compared: by the correlation of ranks
        or of values, by Kendall's tau-a (on the CPU, O(n^2 log n) for each
        comparison), or by the cosine, without centring.
    pairs : array-like of bool, default=None
        The pairs of rows that count, as a square mask of shape (n_samples, n_samples)
        or a condensed one; None for all. Pairs of rows that were measured in one run,
        whose noise they share, are usually left out.
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
        asked of more than 8192 rows. If a given matrix or ``pairs`` are not symmetric
        or of another size, or fewer than three pairs count.

    Warns
    -----
    UserWarning
        If pairs are missing (nan) in a given matrix, with their number.

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

    The mask ``pairs`` describes places of the design: in a permutation test the rows of
    y, and what is missing of y, move, and the same places are compared. Where pairs of
    one run are left out because they differ from others, permute rows within runs
    (``strata=``) or whole runs (``groups=``), so that such a pair stays one. With pairs
    left out, each order of rows is ranked anew, and a list of pairs is kept for any
    number of rows.

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
        "metric": [StrOptions({*METRICS, "precomputed"})],
        "comparison": [StrOptions({"spearman", "pearson", "kendall", "cosine"})],
        "pairs": ["array-like", None],
        "verbose": ["verbose"],
    }

    def __init__(
        self, metric="correlation", comparison="spearman", *, pairs=None, verbose=0
    ):
        self.metric = metric
        self.comparison = comparison
        self.pairs = pairs
        self.verbose = verbose

    def _check_metadata(self, name, values, *, xp, like):
        if name == "pairs":
            return check_pairs(self.pairs, like.shape[0])
        return super()._check_metadata(name, values, xp=xp, like=like)

    def _view(self, X, xp, role, pairs=None):
        if self._is_given or pairs is not None:
            X = as_float64(X, xp=xp)
            values, present = self._values_of_pairs(X, xp, role)
            return self._partial_view(values, present, pairs, role, xp)
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

    @property
    def _is_given(self):
        return self.metric == "precomputed"

    def _values_of_pairs(self, X, xp, role):
        """Dissimilarities of all pairs as a list, and where they are not missing."""
        self._refuse_many_by_kendall(X.shape[0], role)
        if not self._is_given:
            return self._dissimilarities(X, xp, role), None
        # on numpy a copy, which may be overwritten
        values = condensed(X, xp=xp)
        present = ~xp.isnan(values)
        if bool(xp.all(present)):
            present = None
        else:
            values = xp.where(present, values, xp.zeros_like(values))
        return rescaled(values[None, :], xp=xp)[0][0, :], present

    def _partial_view(self, values, present, pairs, role, xp):
        """View of some of the pairs, or of all of them where none is left out."""
        if present is None and pairs is None:
            return self._compared_as(values, role, xp)
        return PairValues(values, present, _listed(pairs, values, xp))

    def _compared_as(self, values, role, xp):
        """What is compared of dissimilarities of any sign, which may be overwritten."""
        if self.comparison in ("spearman", "kendall"):
            smallest = xp.min(values)
            if float(smallest) < 0:
                values = values - smallest
            values = self._ordered(values, xp)
        return self._comparable(values, role, xp)

    def _refuse_many_by_kendall(self, n_samples, role):
        if self.comparison == "kendall" and n_samples > _LISTED_ROWS:
            raise ValueError(
                f"comparison='kendall' compares all pairs of pairs, and "
                f"{role_name(role)} has {n_samples} rows: more than "
                f"{_LISTED_ROWS} are not supported. Use comparison='spearman', or a "
                "random subset of the rows."
            )

    def _check_views(self, view_x, view_y):
        """Warn of the pairs that are missing."""
        views = view_x, view_y
        used, counted = _used(views), _counted(views)
        if used is None or all(view.present is None for view in views):
            return
        xp = namespace_of(used)
        n_counted = used.shape[0] if counted is None else xp.count_nonzero(counted)
        n_missing = int(n_counted) - int(xp.count_nonzero(used))
        if n_missing:
            warnings.warn(
                f"{n_missing} of {int(n_counted)} pairs of rows are missing (nan) in X "
                "or y and are left out of both.",
                UserWarning,
                stacklevel=2,
            )

    def _blocked_view(self, distances, role, xp):
        """View without a list of pairs, for many rows."""
        self._refuse_many_by_kendall(distances.rows.shape[0], role)
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
            values = self._ordered(squares, xp)
        elif self.metric == "euclidean":
            values = xp.sqrt(squares)
        else:
            values = squares
        return self._comparable(values, role, xp)

    def _ordered(self, values, xp):
        """What Spearman's and Kendall's correlation take of values, which may tie."""
        rank = average_ranks if self.comparison == "spearman" else quantized
        return rank(values, xp=xp)

    def _comparable(self, values, role, xp):
        """Values or ranks, centred or as they are, of unit norm."""
        if self.comparison == "kendall":
            values = to_numpy(values, xp=xp)
            self._refuse_equal(float(values.max() - values.min()), 1.0, role)
            return PairValues(values)
        before = inner(values, values, xp=xp)
        if self.comparison != "cosine":
            values -= xp.mean(values)
        squared_norm = inner(values, values, xp=xp)
        self._refuse_equal(float(squared_norm), float(before), role)
        values /= xp.sqrt(squared_norm)
        return PairValues(values)

    def _residual_view(self, X, z, xp, role, pairs=None):
        """View of the dissimilarities without what those of z explain.

        With pairs left out the share that z explains is that of the pairs that count.
        """
        (values, present), (confounder, present_z) = (
            self._values_of_pairs(as_float64(array, xp=xp), xp, name)
            for array, name in ((X, role), (z, "z"))
        )
        present = _both(present, present_z)
        used = _both(present, _listed(pairs, values, xp))
        _refuse_few(used, xp)

        def pick(values):
            return values if used is None else values[used]

        values = values / xp.max(xp.abs(pick(values)))
        confounder = confounder - xp.mean(pick(confounder))
        own = pick(confounder)
        slope = inner(pick(values), own, xp=xp)
        slope = slope / inner(own, own, xp=xp)
        residuals = values - slope * confounder
        residuals = residuals - xp.mean(pick(residuals))
        spread = pick(values) - xp.mean(pick(values))
        spread = inner(spread, spread, xp=xp)
        self._refuse_equal(float(spread), 1.0, role)
        left = pick(residuals)
        refuse_explained(inner(left, left, xp=xp) / spread, role, xp)
        if present is not None:
            residuals = xp.where(present, residuals, xp.zeros_like(residuals))
        return self._partial_view(residuals, present, pairs, role, xp)

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
        if view_x.is_moment and view_y.is_moment:
            n = view_x.distances.rows.shape[0]
            product = _sum_of_products(view_x.distances, view_y.distances, xp)
            product = product - n * (n - 1) * view_x.mean * view_y.mean
            product = product / view_x.norm / view_y.norm
        elif view_x.is_blocked or view_y.is_blocked:
            product = blocked_correlation(view_x.blocks, view_y.blocks, xp=xp)
        else:
            product = self._compare_lists(view_x, view_y, xp)
        return product, {"error_bound_": binning_error(view_x, view_y)}

    def _compare_lists(self, view_x, view_y, xp):
        if view_x.is_partial or view_y.is_partial:
            view_x, view_y = self._of_used_pairs(view_x, view_y, xp)
        values_x, values_y = (self._values(view, xp) for view in (view_x, view_y))
        if self.comparison == "kendall":
            return _kendall_tau_a(values_x, values_y)
        return inner(values_x, values_y, xp=xp)

    def _of_used_pairs(self, view_x, view_y, xp):
        """Views of the pairs that count and are missing in neither."""
        used = _used([view_x, view_y])
        _refuse_few(used, xp)
        # ranks of ranks are ranks, and centring and scaling change no correlation
        return [
            self._compared_as(view.values[used], role, xp)
            for view, role in ((view_x, "x"), (view_y, "y"))
        ]

    def _values(self, view, xp):
        if view.is_moment:
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

    @property
    def _exact(self):
        """What follows from lists that are weighted: not from orders of pairs."""
        if self.comparison == "kendall":
            return frozenset()
        # without all pairs the mean over orders is another one
        null = frozenset({"null_mean"}) if self.pairs is None else frozenset()
        return null | {"jackknife", "masked_bootstrap"}

    def _pool(self):
        return DissimilarityPool(self)

    def _similarity_tags(self):
        invariances = {
            "correlation": {"PT", "IS"},
            "cosine": {"PT", "OT", "IS"},
            "precomputed": {"IS"},
        }.get(self.metric, {"PT", "OT", "IS", "TR"})
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-1, 1),
            invariances=invariances,
            requires={
                "correlation": ("nonconstant_rows",),
                "cosine": ("nonzero_rows",),
                "precomputed": ("given_dissimilarities",),
            }.get(self.metric, ()),
            view_keywords=("role",) if self.pairs is None else ("role", "pairs"),
            precomputed=self._is_given,
            intervals=("jackknife", "subsample", *self._exact & {"masked_bootstrap"}),
            exact=self._exact,
            array_api=self.comparison != "kendall",
            complexity="n^2 log n" if self._is_given else "n^2 (d + log n)",
            reference="Kriegeskorte et al. 2008",
        )


def _listed(pairs, values, xp):
    """List of a square mask on numpy, beside those of values; None of None."""
    if pairs is None:
        return None
    mask = condensed(pairs, xp=np)
    return mask if is_numpy(xp) else move_to(mask, xp=xp, device=device_of(values))


def _both(first, second):
    """Where two masks hold, of which None holds everywhere."""
    if first is None or second is None:
        return first if second is None else second
    return first & second


def _counted(views):
    """Pairs that count by the design, or None for all."""
    # when rows move, both sides keep the same mask
    return next((v.counted for v in views if v.counted is not None), None)


def _used(views):
    """Pairs that count and are missing in none of the views, or None for all."""
    used = _counted(views)
    for view in views:
        used = _both(used, view.present)
    return used


def _refuse_few(used, xp):
    """Raise where too few pairs are left to be correlated."""
    if used is not None and int(xp.count_nonzero(used)) < 3:
        raise ValueError(
            f"Only {int(xp.count_nonzero(used))} pairs of rows count and are missing "
            "(nan) in neither X nor y, which is too few to be correlated. Check pairs, "
            "or leave rows without entries out of both matrices."
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
