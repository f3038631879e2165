"""Whether the same distances are larger: agreement of triplets and quadruplets."""

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import ClassVar

import numpy as np

from sksim._progress import tracked
from sksim._sklearn_compat import Interval, StrOptions
from sksim.arrays._linalg import rescaled, role_name
from sksim.arrays._matching import index_array
from sksim.arrays._namespace import as_float64, row_slices, to_numpy
from sksim.arrays._neighbors import entries_at
from sksim.arrays._order import (
    agreeing_pairs,
    anchored_codes,
    codes_of_pairs,
    codes_of_rows,
    distances_between,
    distances_of_drawn,
    distinct_rows,
    given_distances_between,
    signs_of_differences,
    tied_pairs,
)
from sksim.arrays._pairs import MATRIX_ROWS, condensed, n_pairs
from sksim.arrays._views import View
from sksim.base import BaseSimilarity
from sksim.base._comparison import Comparison
from sksim.base._tags import SimilarityTags

# Draws where rows are too many for all of them, which leave a bound of .0030.
_AUTOMATIC_DRAWS = 200_000
_CONFIDENCE = 0.95
# Entries of the distances that are ordered at once.
_BLOCK_ELEMENTS = 2**22


@dataclass(frozen=True)
class Ordered(View):
    """Rows or given distances, or the codes of all distances; draws, where some count.

    ``codes`` order the distances, on numpy. ``n_tied`` is the number of ties among all
    that are compared, and ``draws`` are rows drawn for both sides.
    """

    rows: object = None
    distances: object = None
    codes: object = None
    n_tied: int = 0
    draws: object = None

    _row_fields = ("rows",)
    _row_by_row_fields = ("distances", "codes")

    def drawn_distances(self, first, *others, xp):
        """Distances of drawn rows from others, on numpy: an array for each of these."""
        if self.distances is None:
            return distances_of_drawn(self.rows, first, *others, xp=xp)
        own = index_array(first, like=self.distances, xp=xp)
        indices = (index_array(other, like=self.distances, xp=xp) for other in others)
        found = (entries_at(self.distances, own, index, xp=xp) for index in indices)
        return [to_numpy(as_float64(values, xp=xp), xp=xp) for values in found]

    def distances_from(self, rows, *, xp):
        """The same of some rows (a slice) from all."""
        if self.distances is None:
            return distances_between(self.rows, rows, xp=xp)
        return given_distances_between(self.distances, rows, xp=xp)


@dataclass(frozen=True, kw_only=True)
class OrderComparison(Comparison):
    """Two views of ordered distances."""

    carries: ClassVar = frozenset({"null_mean"})

    def permuted(self, orders):
        """Statistics with the rows of y in each of several orders."""
        draws = self.view_y.draws
        if draws is None:
            return super().permuted(orders)
        measure, xp = self.measure, self.xp
        signs = measure._signs(self.view_x, draws, xp)
        # row i of y becomes row order[i]: other rows are drawn of what stays in place
        return [
            float(np.mean(signs == measure._signs(self.view_y, order[draws], xp)))
            for order in orders
        ]

    def _null_mean(self):
        if self.view_x.codes is None:
            return None
        if self.measure.n_neighbors is not None:
            # ties among near rows are more or fewer than among all
            return None if self.view_x.n_tied or self.view_y.n_tied else 0.5
        total = self.measure._n_compared(self.n_samples)
        # unrelated signs agree by half where there is no tie, and ties meet by chance
        x, y = (view.n_tied / total for view in (self.view_x, self.view_y))
        return (1 - x) * (1 - y) / 2 + x * y


class BaseOrderAgreement(BaseSimilarity):
    """Share of comparisons of two distances that come out alike in both views."""

    _kind = OrderComparison
    # rows that one comparison involves
    _n_involved: int
    n_neighbors = None

    _parameter_constraints: dict = {
        "n_draws": [Interval(Integral, 1, None, closed="left"), StrOptions({"all"})]
        + [None],
        "metric": [StrOptions({"euclidean", "precomputed"})],
        "tie_tolerance": [Interval(Real, 0, 1, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_draws=None,
        *,
        metric="euclidean",
        tie_tolerance=0.0,
        random_state=None,
        verbose=0,
    ):
        self.n_draws = n_draws
        self.metric = metric
        self.tie_tolerance = tie_tolerance
        self.random_state = random_state
        self.verbose = verbose

    @abstractmethod
    def _coded(self, view, xp):
        """The view with codes of all distances, or as it is."""

    @abstractmethod
    def _n_agreeing(self, view_x, view_y, xp):
        """Number of comparisons that come out alike, of all."""

    @abstractmethod
    def _n_compared(self, n_samples):
        """Number of comparisons of so many rows."""

    @abstractmethod
    def _signs(self, view, draws, xp):
        """Sign of each drawn comparison."""

    @property
    def _is_given(self):
        return self.metric == "precomputed"

    @property
    def _is_drawn(self):
        return self.n_draws not in (None, "all")

    def _min_samples(self):
        return self._n_involved

    def _view(self, X, xp, role, seed=None):
        if self._is_given:
            view = Ordered(distances=X)
        else:
            # double precision holds all squares of single precision
            view = Ordered(rows=rescaled(X, xp=xp)[0] if X.dtype == xp.float64 else X)
        n_samples, n_draws = X.shape[0], self.n_draws
        is_few = n_samples <= MATRIX_ROWS or self.n_neighbors is not None
        if n_draws == "all" or (n_draws is None and is_few):
            _refuse_equal(view.distances_from(slice(0, 1), xp=xp), role)
            return self._coded(view, xp)
        rng = np.random.default_rng(0 if n_draws is None else seed)
        n_draws = n_draws or _AUTOMATIC_DRAWS
        draws = distinct_rows(n_samples, n_draws, self._n_involved, rng)
        _refuse_equal(view.drawn_distances(*draws[:2], xp=xp)[0], role)
        return replace(view, draws=draws)

    def _compare(self, view_x, view_y, xp):
        if view_x.draws is None:
            n_samples = self._n_samples_of(view_x)
            n_compared = self._n_compared(n_samples)
            share = self._n_agreeing(view_x, view_y, xp) / n_compared
            return share, self._precision(share, n_compared, is_drawn=False)
        signs = (self._signs(view, view_x.draws, xp) for view in (view_x, view_y))
        share = float(np.mean(next(signs) == next(signs)))
        return share, self._precision(share, view_x.draws.shape[1], is_drawn=True)

    @staticmethod
    def _n_samples_of(view):
        kept = (view.codes, view.rows, view.distances)
        return next(array for array in kept if array is not None).shape[0]

    @staticmethod
    def _precision(share, n, *, is_drawn):
        error = math.sqrt(share * (1 - share) / n) if is_drawn else 0.0
        bound = (
            math.sqrt(math.log(2 / (1 - _CONFIDENCE)) / (2 * n)) if is_drawn else 0.0
        )
        return {"n_compared_": n, "standard_error_": error, "error_bound_": bound}

    def _similarity_tags(self):
        return SimilarityTags(
            family="neighbors",
            orientation="similarity",
            bounds=(0, 1),
            invariances={"IS"} if self._is_given else {"PT", "OT", "IS", "TR"},
            requires=("given_distances",) if self._is_given else (),
            view_keywords=("role", "seed") if self._is_drawn else ("role",),
            precomputed=self._is_given,
            intervals=() if self._is_drawn else ("jackknife", "subsample"),
            exact=frozenset() if self._is_drawn else {"null_mean"},
            deterministic=not self._is_drawn,
            complexity="m d" if self._is_drawn else "n^2 (d + log n)",
            reference="Soares et al. 2026",
        )


class TripletAgreement(BaseOrderAgreement):
    r"""Triplet similarity index: whether the same one of two rows is nearer to a third.

    With Euclidean distances :math:`d, d'` in both representations, the share of triples
    of different rows for which

    .. math:: \operatorname{sign}(d_{ij} - d_{ik}) =
        \operatorname{sign}(d'_{ij} - d'_{ik}) .

    A similarity in [0, 1], and exactly 1/2 in the mean for unrelated representations
    without ties, whatever their widths and however many rows. Two ties agree; a tie
    and a difference don't. Invariant to orthogonal maps, isotropic scaling and
    translation, and to whatever leaves the order of each row's distances as it is.

    With ``n_neighbors`` only near rows are compared: the mean, over both
    representations, of the share of triples that agree among those in which j and k are
    both of the nearest rows of i in that representation.

    Parameters
    ----------
    n_draws : int or "all", default=None
        Number of triples that are drawn with replacement, at a cost that does not
        depend on the number of rows. "all" counts all of them. None counts all of up
        to 4096 rows, and draws 200,000, always the same ones, of more. With
        ``n_neighbors`` all are counted.
    n_neighbors : int, default=None
        Number of nearest rows of each that j and k are taken from, 2 at least; None for
        all rows. Of rows that tie for the last place the first ones are taken.
    metric : {"euclidean", "precomputed"}, default="euclidean"
        "precomputed": X and y are matrices of distances, of shape (n_samples,
        n_samples) or condensed (see :ref:`given_matrices`).
    tie_tolerance : float, default=0.0
        Distances that differ by no more than this share of the larger one are equal.
        0 is the definition; 1e-12, say, keeps ties under rotations, whose rounding
        breaks them otherwise.
    random_state : int, RandomState instance or None, default=None
        Of the draws, if ``n_draws`` is a number.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Share of triples that agree.
    n_compared_ : int
        Number of triples: all, or those drawn; with ``n_neighbors`` those of both
        representations together.
    standard_error_ : float
        Standard error that is due to the draws, 0 where all are counted.
    error_bound_ : float
        Largest error that is due to the draws, with a probability of 95 % at the least
        whatever the data (Hoeffding's inequality); 0 where all are counted.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If there are fewer than 3 rows, or no more than ``n_neighbors``, or if all rows
        of a representation are equal. If a given matrix is not one of distances. If
        ``n_draws`` is a number and ``n_neighbors``, too.

    See Also
    --------
    QuadrupletAgreement : Compares distances that start at different rows, too.
    MutualKNN : Nearest neighbours alone.
    sksim.rsm.RSA : Correlates the distances.

    Notes
    -----
    Use it when a number should mean the same for all widths and row counts, or when a
    few outliers must not decide. Most triples are of rows far from each other: use
    ``n_neighbors`` or :class:`MutualKNN` where only near rows matter. MutualKNN asks
    which rows are near, ``n_neighbors`` in which order they are, with a chance of 1/2
    for any number of neighbours. Of duplicate rows all distances tie.

    All triples are counted as Kendall's tau is, for each row in O(n log n): about two
    seconds at 2000 x 256, in blocks above 4096 rows. Without ties the score is (1 +
    tau) / 2 of the mean tau of the rows' distances. Jackknife intervals are of all
    triples only, since the error of draws is not that of the rows.

    References
    ----------
    D. Soares, P. Gawade, A. Dittadi, E. Szczurek. Scalable and interpretable
    representation alignment with ordinal similarity. 2026, arXiv:2606.16379.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import TripletAgreement
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(2, 100, 256))
    >>> TripletAgreement().fit(X, 3 * X + 1).score_
    1.0
    >>> round(TripletAgreement().fit(X, y).score_, 1)
    0.5
    >>> drawn = TripletAgreement(10_000, random_state=0).fit(X, y)
    >>> abs(drawn.score_ - 0.5) < drawn.error_bound_ < 0.014
    True
    """

    _n_involved = 3
    _parameter_constraints: dict = {
        **BaseOrderAgreement._parameter_constraints,
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        n_draws=None,
        *,
        n_neighbors=None,
        metric="euclidean",
        tie_tolerance=0.0,
        random_state=None,
        verbose=0,
    ):
        super().__init__(
            n_draws,
            metric=metric,
            tie_tolerance=tie_tolerance,
            random_state=random_state,
            verbose=verbose,
        )
        self.n_neighbors = n_neighbors

    def _min_samples(self):
        return 3 if self.n_neighbors is None else self.n_neighbors + 1

    def _view(self, X, xp, role, seed=None):
        if self._is_drawn and self.n_neighbors is not None:
            raise ValueError(
                f"n_neighbors={self.n_neighbors} counts all triples of near rows, and "
                f"n_draws={self.n_draws} draws some of all: set one of both to None."
            )
        if self.n_neighbors == 1:
            raise ValueError(
                "n_neighbors=1 leaves no two near rows whose order could be compared: "
                "take 2 or more."
            )
        return super()._view(X, xp, role, seed)

    def _coded(self, view, xp):
        n_samples = self._n_samples_of(view)
        if n_samples > MATRIX_ROWS:
            return view
        codes = self._anchored(view, slice(0, n_samples), xp)
        return Ordered(codes=codes, n_tied=tied_pairs(codes))

    def _n_agreeing(self, view_x, view_y, xp):
        n = self._n_samples_of(view_x)
        # a row's distance from itself is below all others, in both views
        with_itself = 0 if self.n_neighbors else n * (n - 1)
        if view_x.codes is not None:
            return self._n_alike(view_x.codes, view_y.codes) - with_itself
        total = 0
        blocks = row_slices(n, n, _BLOCK_ELEMENTS)
        for rows in tracked(blocks, "comparing orders"):
            codes = (self._anchored(view, rows, xp) for view in (view_x, view_y))
            total += self._n_alike(*codes)
        return total - with_itself

    def _n_alike(self, x, y):
        """Number of pairs that codes of both views order alike, of near rows only."""
        if self.n_neighbors is None:
            return agreeing_pairs(x, y)
        total = 0
        for codes in (x, y):
            # the first is the row itself
            near = np.argsort(codes, axis=1, kind="stable")[:, 1 : 1 + self.n_neighbors]
            lists = (np.take_along_axis(c, near, axis=1) for c in (x, y))
            total += agreeing_pairs(*lists)
        return total

    def _anchored(self, view, rows, xp):
        distances = view.distances_from(rows, xp=xp)
        return anchored_codes(distances, rows.start, self.tie_tolerance)

    def _n_compared(self, n_samples):
        if self.n_neighbors is not None:
            return 2 * n_samples * n_pairs(self.n_neighbors)
        return n_samples * n_pairs(n_samples - 1)

    def _signs(self, view, draws, xp):
        distances = view.drawn_distances(*draws, xp=xp)
        return signs_of_differences(*distances, self.tie_tolerance)


class QuadrupletAgreement(BaseOrderAgreement):
    r"""Quadruplet similarity index: whether the same one of two distances is larger.

    With Euclidean distances :math:`d, d'` in both representations, the share of
    quadruples of different rows for which

    .. math:: \operatorname{sign}(d_{ij} - d_{kl}) =
        \operatorname{sign}(d'_{ij} - d'_{kl}) .

    A similarity in [0, 1], and exactly 1/2 in the mean for unrelated representations
    without ties, whatever their widths and however many rows. Two ties agree; a tie
    and a difference don't. Invariant to orthogonal maps, isotropic scaling and
    translation, and to whatever leaves the order of all distances as it is.

    Parameters
    ----------
    n_draws : int or "all", default=None
        Number of quadruples that are drawn with replacement, at a cost that does not
        depend on the number of rows. "all" counts all of them. None counts all of up
        to 4096 rows, and draws 200,000, always the same ones, of more.
    metric : {"euclidean", "precomputed"}, default="euclidean"
        "precomputed": X and y are matrices of distances, of shape (n_samples,
        n_samples) or condensed (see :ref:`given_matrices`).
    tie_tolerance : float, default=0.0
        Distances that differ by no more than this share of the larger one are equal.
        0 is the definition; 1e-12, say, keeps ties under rotations, whose rounding
        breaks them otherwise.
    random_state : int, RandomState instance or None, default=None
        Of the draws, if ``n_draws`` is a number.
    verbose : int, default=0
        Whether ``fit`` and ``score`` show progress on standard error.

    Attributes
    ----------
    statistic_, score_, similarity_ : float
        Share of quadruples that agree.
    n_compared_ : int
        Number of pairs of pairs without a row in common: all, or those drawn.
    standard_error_ : float
        Standard error that is due to the draws, 0 where all are counted.
    error_bound_ : float
        Largest error that is due to the draws, with a probability of 95 % at the least
        whatever the data (Hoeffding's inequality); 0 where all are counted.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If there are fewer than 4 rows, or if all rows of a representation are equal. If
        a given matrix is not one of distances.

    See Also
    --------
    TripletAgreement : Compares distances that start at the same row.
    sksim.rsm.RSA : Correlates the ranks of all distances.

    Notes
    -----
    Use it where distances should be comparable all over the space; where each row's
    surroundings have a scale of their own, as in clusters of unequal width, use
    :class:`TripletAgreement`. Without ties, and but for the pairs that share a row, it
    is (1 + tau) / 2 of Kendall's tau of all distances.

    All quadruples are counted in O(n^2 log n), and O(n^2) memory, which the order of
    all distances can't avoid. Jackknife intervals are of all quadruples only, since the
    error of draws is not that of the rows.

    References
    ----------
    D. Soares, P. Gawade, A. Dittadi, E. Szczurek. Scalable and interpretable
    representation alignment with ordinal similarity. 2026, arXiv:2606.16379.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.neighbors import QuadrupletAgreement
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(2, 100, 256))
    >>> QuadrupletAgreement().fit(X, 3 * X + 1).score_
    1.0
    >>> round(QuadrupletAgreement().fit(X, y).score_, 1)
    0.5
    """

    _n_involved = 4

    def _coded(self, view, xp):
        n_samples = self._n_samples_of(view)
        if view.distances is None:
            codes = codes_of_rows(view.rows, self.tie_tolerance, xp=xp)
        else:
            distances = view.distances_from(slice(0, n_samples), xp=xp)
            codes = codes_of_pairs(distances, self.tie_tolerance)
        has_ties = int(codes.max()) < n_pairs(n_samples)
        n_tied = tied_pairs(_listed(codes)) - tied_pairs(codes) if has_ties else 0
        return Ordered(codes=codes, n_tied=n_tied)

    def _n_agreeing(self, view_x, view_y, xp):
        n = view_x.codes.shape[0]
        lists = _listed(view_x.codes), _listed(view_y.codes)
        # pairs of pairs with a row in common are those of the triplets
        sharing = agreeing_pairs(view_x.codes, view_y.codes) - n * (n - 1)
        return agreeing_pairs(*lists) - sharing

    def _n_compared(self, n_samples):
        return n_pairs(n_samples) * n_pairs(n_samples - 2) // 2

    def _signs(self, view, draws, xp):
        pairs = draws[:2], draws[2:]
        first, second = (view.drawn_distances(*pair, xp=xp)[0] for pair in pairs)
        return signs_of_differences(first, second, self.tie_tolerance)


def _refuse_equal(distances, role):
    """Raise where rows are at no distance from each other."""
    if not distances.any():
        raise ValueError(
            f"All rows of {role_name(role)} are equal, so that no distance is larger "
            "than another. Check that the right array was passed and that the layer is "
            "not dead."
        )


def _listed(codes):
    """Codes of all pairs as one row."""
    return condensed(codes, xp=np)[None, :]
