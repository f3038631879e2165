"""Representational similarity analysis."""

import warnings
from functools import partial
from operator import isub, itruediv, sub, truediv

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.arrays._kernels import double_center
from sksim.arrays._linalg import rescaled, role_name
from sksim.arrays._namespace import (
    as_float64,
    as_scalar,
    inner,
    is_numpy,
    namespace_of,
    number,
    to_numpy,
)
from sksim.arrays._pairs import (
    MATRIX_ROWS,
    METRICS,
    condensed,
    distance_matrix,
    n_pairs,
    pair_vector,
    rows_for_distances,
    square,
    squared_distance_rows,
)
from sksim.arrays._ranks import average_ranks, quantized
from sksim.arrays._symmetric import Dense, blocked_matrix
from sksim.base import BaseSimilarity
from sksim.base._comparison import Comparison
from sksim.base._contributions import ContributionsMixin, sums_by_classes
from sksim.base._given import check_pairs
from sksim.base._tags import SimilarityTags
from sksim.rsm._contributions import distances_by_components, refuse_many_rows
from sksim.rsm._dissimilarity_pool import DissimilarityPool
from sksim.rsm._kernels import refuse_explained
from sksim.rsm._pair_blocks import (
    binning_error,
    blocked_correlation,
    ranked_blocks,
    valued_blocks,
)
from sksim.rsm._pair_lists import (
    ListsComparison,
    PairMoments,
    PairValues,
    both_hold,
    counted_pairs,
    kendall_tau_a,
    listed,
    refuse_few,
    refuse_missing,
    sum_of_products,
    used_pairs,
)
from sksim.rsm._whitened import (
    WhitenedComparison,
    check_sigma_k,
    cosine_of_some_pairs,
    noise_whitened,
    of_pairs,
    of_rows,
    some_values,
    whitened,
)

# What ranks, orders and whitened values compare.
_RANKED = ("spearman", "rho_a")
_ORDERED = ("kendall", "tau_a")
_WHITENED = ("cosine_cov", "corr_cov")
# Beyond this many rows neither a list of all pairs (268 MB) is kept nor, for the sake
# of permutations, a square matrix of them.
_LISTED_ROWS = 8192


class RSA(ContributionsMixin, BaseSimilarity):
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
    comparison : str, default="spearman"
        How the two lists of dissimilarities are compared.

        - "spearman", "pearson": correlation of ranks, or of values;
        - "rho_a": the same of ranks, divided by the variance of ranks without ties, so
          that a list with ties does not gain by them;
        - "tau_a", or "kendall": Kendall's tau-a, whose denominator counts ties too (on
          the CPU, O(n^2 log n) for each comparison);
        - "cosine": of values, without centring;
        - "cosine_cov", "corr_cov": cosine of values, or of values less their mean, with
          the inverse of the dissimilarities' covariance between them. Dissimilarities
          that share a row vary together; whitened, they tell more.
    pairs : array-like of bool, default=None
        The pairs of rows that count, as a square mask of shape (n_samples, n_samples)
        or a condensed one; None for all. Pairs of rows that were measured in one run,
        whose noise they share, are usually left out.
    sigma_k : array-like, default=None
        Covariance of the noise of the rows (conditions), of shape (n_samples,
        n_samples), or their variances, of shape (n_samples,), for "cosine_cov" and
        "corr_cov". None: independent noise, of one variance.
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
        "cosine"), if all pairs of rows are equally dissimilar (but for "rho_a" and
        "tau_a", which are 0 then, and the cosines, which are defined), or if Kendall's
        tau is asked of more than 8192 rows. If a given matrix, ``pairs`` or ``sigma_k``
        are not symmetric or of another size, if ``sigma_k`` is not positive definite
        on contrasts of rows, or fewer than three pairs count.

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

    The covariance of squared distances with independent noise is proportional to
    :math:`(C C^\top)^2`, elementwise, with the contrasts C of all pairs: 4 on the
    diagonal, 1 for pairs that share a row. ``cosine_cov`` is therefore the linear CKA
    of -HDH/2, and of "sqeuclidean" distances that of X and y themselves;
    ``corr_cov`` takes out what all pairs have in common. As CKA the former is larger
    the fewer rows there are, so that intervals for other rows are right of the latter
    only (nominal .95 covers .13 and .97 at a truth of .08, 60 rows). No matrix of pairs
    by pairs is made: with "sqeuclidean", "cosine" and "correlation" distances they
    cost O(n d^2), as CKA does, and their nulls and jackknives are closed. With
    ``sigma_k`` the covariance is :math:`(C \Sigma C^\top)^2`; it belongs to places of
    the design, so that each permutation costs two products of n x n matrices.

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

    J. Diedrichsen, E. Berlot, M. Mur, H. H. Schütt, M. Shahbazi, N. Kriegeskorte.
    Comparing representational geometries using whitened unbiased-distance-matrix
    similarity. Neurons, Behavior, Data Analysis and Theory, 2021 (whitened).

    H. H. Schütt, A. D. Kipnis, J. Diedrichsen, N. Kriegeskorte. Statistical inference
    on representational geometries. eLife, 2023 (rho-a).

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
    >>> from sksim.rsm import CKA
    >>> y = X + rng.normal(size=(50, 6))
    >>> whitened = RSA(metric="sqeuclidean", comparison="cosine_cov").fit(X, y).score_
    >>> bool(np.isclose(whitened, CKA().fit(X, y).score_))
    True
    """

    _parameter_constraints: dict = {
        "metric": [StrOptions({*METRICS, "precomputed"})],
        "comparison": [
            StrOptions({"pearson", "cosine", *_RANKED, *_ORDERED, *_WHITENED})
        ],
        "pairs": ["array-like", None],
        "sigma_k": ["array-like", None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        metric="correlation",
        comparison="spearman",
        *,
        pairs=None,
        sigma_k=None,
        verbose=0,
    ):
        self.metric = metric
        self.comparison = comparison
        self.pairs = pairs
        self.sigma_k = sigma_k
        self.verbose = verbose

    @property
    def _kind(self):
        if not self._is_whitened:
            return ListsComparison
        # noise belongs to places, and not to the rows that are moved to them
        return WhitenedComparison if self.sigma_k is None else Comparison

    @property
    def _is_whitened(self):
        return self.comparison in _WHITENED

    @property
    def _is_centred(self):
        """Whether the mean of the values is taken out."""
        return self.comparison in ("pearson", "corr_cov")

    def _check_metadata(self, name, values, *, xp, like):
        n_samples = like.shape[0]
        if name == "pairs":
            return check_pairs(self.pairs, n_samples)
        if name == "sigma_k":
            self._refuse_other_than_whitened(n_samples)
            return check_sigma_k(self.sigma_k, n_samples)
        return super()._check_metadata(name, values, xp=xp, like=like)

    def _refuse_other_than_whitened(self, n_samples):
        """Raise where a covariance of noise can't be used."""
        if not self._is_whitened:
            raise ValueError(
                f"sigma_k has no part in comparison={self.comparison!r}: set "
                "comparison='cosine_cov' or 'corr_cov', or sigma_k=None."
            )
        if self.pairs is not None:
            raise ValueError(
                "sigma_k and pairs can't be had together: with a covariance of noise "
                "all pairs of rows are compared. Set one of them to None."
            )
        if n_samples > _LISTED_ROWS:
            raise ValueError(
                f"sigma_k takes matrices of rows by rows, and X has {n_samples} rows: "
                f"more than {_LISTED_ROWS} are not supported. Use sigma_k=None, or "
                "some of the rows."
            )

    def _view(self, X, xp, role, pairs=None, sigma_k=None):
        # ties and differences of large sums both need double precision
        X = as_float64(X, xp=xp)
        if self._is_given or pairs is not None or sigma_k is not None:
            values, present = self._values_of_pairs(X, xp, role)
            return self._partial_view(values, present, role, xp, pairs, sigma_k)
        if self._is_whitened:
            return self._whitened_view(self._centred_form(X, xp, role), role, xp)
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

    def _partial_view(self, values, present, role, xp, pairs=None, sigma_k=None):
        """View of some of the pairs, or of all of them where none is left out."""
        if sigma_k is not None:
            refuse_missing(present, role, xp)
            options = {"is_centred": self._is_centred, "refuse": self._refusing(role)}
            return noise_whitened(values, sigma_k, **options, xp=xp)
        if present is not None or pairs is not None:
            return PairValues(values, present, listed(pairs, values, xp))
        if self._is_whitened:
            return self._whitened_view(of_pairs(values, xp=xp), role, xp)
        return self._compared_as(values, role, xp)

    def _centred_form(self, X, xp, role):
        """Doubly centred dissimilarities of rows, up to a factor."""
        if self.metric != "euclidean":
            distances = squared_distance_rows(X, self.metric, xp=xp, role=role)
            return of_rows(distances.rows, xp=xp)
        rows, squares, _ = rows_for_distances(X, xp=xp, role=role)
        if rows.shape[0] > MATRIX_ROWS:
            return blocked_matrix(rows, squares, None, hollow=False, xp=xp)
        distances = distance_matrix(rows, squares, None, xp=xp)
        return Dense(double_center(distances, xp=xp, overwrite=True))

    def _whitened_view(self, form, role, xp):
        return whitened(
            form, is_centred=self._is_centred, refuse=self._refusing(role), xp=xp
        )

    def _refusing(self, role):
        return partial(self._refuse_equal, role=role)

    def _compared_as(self, values, role, xp):
        """What is compared of dissimilarities of any sign, which may be overwritten."""
        if self.comparison in _RANKED + _ORDERED:
            smallest = xp.min(values)
            if float(smallest) < 0:
                values = values - smallest
            values = self._ordered(values, xp)
        return self._comparable(values, role, xp)

    def _refuse_many_by_kendall(self, n_samples, role):
        if self.comparison in _ORDERED and n_samples > _LISTED_ROWS:
            raise ValueError(
                f"comparison={self.comparison!r} compares all pairs of pairs, and "
                f"{role_name(role)} has {n_samples} rows: more than "
                f"{_LISTED_ROWS} are not supported. Use comparison='spearman', or a "
                "random subset of the rows."
            )

    def _check_views(self, view_x, view_y):
        """Warn of the pairs that are missing."""
        views = view_x, view_y
        used, counted = used_pairs(views), counted_pairs(views)
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
        if self.comparison in _RANKED:
            untied = self._most_of_ranks(n_pairs(distances.rows.shape[0]))
            view, squared_norm = ranked_blocks(distances, squared_norm=untied, xp=xp)
            if untied is None:
                self._refuse_equal(squared_norm, 1.0, role)
            return view
        view, before = valued_blocks(
            distances,
            is_rooted=self.metric == "euclidean",
            is_centred=self._is_centred,
            xp=xp,
        )
        self._refuse_equal(view.norm**2, before, role)
        return view

    def _pair_view(self, squares, role, xp):
        """What is compared of the squared distances of all pairs."""
        if self.comparison in _RANKED + _ORDERED:
            values = self._ordered(squares, xp)
        elif self.metric == "euclidean":
            values = xp.sqrt(squares)
        else:
            values = squares
        return self._comparable(values, role, xp)

    def _ordered(self, values, xp):
        """What Spearman's and Kendall's correlation take of values, which may tie."""
        rank = average_ranks if self.comparison in _RANKED else quantized
        return rank(values, xp=xp)

    def _most_of_ranks(self, n_values):
        """Squared norm of centred ranks without ties, where it is the measure."""
        return (n_values**3 - n_values) / 12 if self.comparison == "rho_a" else None

    def _comparable(self, values, role, xp):
        """Values or ranks, centred or as they are, of unit norm."""
        if self.comparison in _ORDERED:
            return PairValues(to_numpy(values, xp=xp))
        # what has gradients is not overwritten
        less, over = (isub, itruediv) if is_numpy(xp) else (sub, truediv)
        before = inner(values, values, xp=xp)
        if self.comparison != "cosine":
            values = less(values, xp.mean(values))
        untied = self._most_of_ranks(values.shape[0])
        if untied is not None:
            return PairValues(values / untied**0.5)
        squared_norm = inner(values, values, xp=xp)
        self._refuse_equal(float(squared_norm), float(before), role)
        return PairValues(over(values, xp.sqrt(squared_norm)))

    def _residual_view(self, X, z, xp, role, pairs=None, sigma_k=None):
        """View of the dissimilarities without what those of z explain.

        With pairs left out the share that z explains is that of the pairs that count.
        """
        (values, present), (confounder, present_z) = (
            self._values_of_pairs(as_float64(array, xp=xp), xp, name)
            for array, name in ((X, role), (z, "z"))
        )
        present = both_hold(present, present_z)
        used = both_hold(present, listed(pairs, values, xp))
        refuse_few(used, xp)

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
        return self._partial_view(residuals, present, role, xp, pairs, sigma_k)

    def _dissimilarities(self, X, xp, role):
        distances = squared_distance_rows(X, self.metric, xp=xp, role=role)
        squares = pair_vector(distances, xp=xp)
        return xp.sqrt(squares) if self.metric == "euclidean" else squares

    def _moments(self, distances, role, xp):
        """View without a list of pairs, or None where that would lose digits."""
        n = distances.rows.shape[0]
        count = n * (n - 1)
        mean = 2 * n * as_scalar(xp.sum(distances.squares), xp=xp) / count
        second = as_scalar(sum_of_products(distances, distances, xp), xp=xp)
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
        if self.sigma_k is not None:
            product = inner(*(v.of_unit_norm(xp=xp) for v in (view_x, view_y)), xp=xp)
        elif view_x.is_partial or view_y.is_partial:
            some = self._compare_some if self._is_whitened else self._compare_lists
            product = some(view_x, view_y, xp)
        elif self._is_whitened:
            product = view_x.form.inner(view_y.form, xp=xp)
            n_samples = view_x.form.n_samples
            product = self._of_product(product, view_x, view_y, n_samples)
        elif view_x.is_moment and view_y.is_moment:
            n = view_x.distances.rows.shape[0]
            product = sum_of_products(view_x.distances, view_y.distances, xp)
            product = product - n * (n - 1) * view_x.mean * view_y.mean
            product = product / view_x.norm / view_y.norm
        elif view_x.is_blocked or view_y.is_blocked:
            product = blocked_correlation(view_x.blocks, view_y.blocks, xp=xp)
        else:
            product = self._compare_lists(view_x, view_y, xp)
        return product, {"error_bound_": binning_error(view_x, view_y)}

    def _compare_lists(self, view_x, view_y, xp):
        values_x, values_y = self._lists(view_x, view_y, xp)
        if self.comparison in _ORDERED:
            return kendall_tau_a(values_x, values_y)
        return inner(values_x, values_y, xp=xp)

    def _lists(self, view_x, view_y, xp):
        """What is compared of the pairs that count and are missing in neither."""
        views = view_x, view_y
        used = used_pairs(views)
        if used is None:
            return [self._values(view, xp) for view in views]
        refuse_few(used, xp)
        # ranks of ranks are ranks, and centring and scaling change no correlation
        return [
            self._compared_as(view.values[used], role, xp).values
            for view, role in zip(views, "xy", strict=True)
        ]

    def _compare_some(self, view_x, view_y, xp):
        """Whitened, of the pairs that count and are missing in neither."""
        used = used_pairs([view_x, view_y])
        refuse_few(used, xp)
        lists = [
            some_values(view, used, self._is_centred, self._refusing(role), xp=xp)
            for view, role in ((view_x, "x"), (view_y, "y"))
        ]
        return cosine_of_some_pairs(*lists, used, xp=xp)

    def _values(self, view, xp):
        if view.is_moment:
            squares = pair_vector(view.distances, xp=xp)
            return self._pair_view(squares, None, xp).values
        return view.values

    def _parts_by_components(self, comparison):
        self._refuse_without_components()
        rows = (
            squared_distance_rows(
                array, self.metric, xp=comparison.xp, role=role, center=True
            ).rows
            for array, role in zip(comparison.rows.arrays, "xy", strict=True)
        )
        rows = (to_numpy(array, xp=comparison.xp) for array in rows)
        return distances_by_components(*rows, self.comparison)

    def _refuse_without_components(self):
        """Raise where dissimilarities are no sums over components, or are ranked."""
        is_sum = self.metric in ("sqeuclidean", "correlation", "cosine")
        is_linear = self.comparison in ("pearson", "cosine", *_WHITENED)
        if is_sum and is_linear and self.pairs is None and self.sigma_k is None:
            return
        raise ValueError(
            "RSA has parts by components where dissimilarities are squared distances "
            "(metric 'sqeuclidean', 'correlation' or 'cosine') of all pairs of rows "
            "and values are compared, and not ranks (comparison 'pearson', 'cosine', "
            "'cosine_cov' or 'corr_cov', without sigma_k). Got "
            f"metric={self.metric!r}, comparison={self.comparison!r}"
            f"{'' if self.pairs is None else ', pairs'}"
            f"{'' if self.sigma_k is None else ', sigma_k'}. Set these, or take "
            "by='rows' or 'classes'."
        )

    def _parts_by_rows(self, comparison):
        return {"part": self._products_of_pairs(comparison).sum(axis=1)}

    def _parts_by_classes(self, comparison, is_of):
        return sums_by_classes(self._products_of_pairs(comparison), is_of)

    def _products_of_pairs(self, comparison):
        """What each pair of rows adds, half of it at (i, j) and half at (j, i)."""
        self._refuse_without_pairs(comparison)
        if self._is_whitened:
            norms = number(comparison.view_x.norm), number(comparison.view_y.norm)
            x, y = comparison._matrices()
            return x * y / norms[0] / norms[1]
        lists = self._lists(comparison.view_x, comparison.view_y, comparison.xp)
        x, y = (to_numpy(values, xp=comparison.xp) for values in lists)
        used = used_pairs([comparison.view_x, comparison.view_y])
        products = x * y
        if used is not None:
            used = to_numpy(used, xp=comparison.xp)
            products = np.zeros(len(used))
            products[used] = x * y
        return square(products, xp=np) / 2

    def _refuse_without_pairs(self, comparison):
        """Raise where the value is no sum over pairs of rows, or is one of too many."""
        is_partial = comparison.view_x.is_partial or comparison.view_y.is_partial
        if (
            self.comparison in _ORDERED
            or self.sigma_k is not None
            or (self._is_whitened and is_partial)
        ):
            raise ValueError(
                "RSA has parts by rows and classes where it is a sum over pairs of "
                "rows: not for Kendall's tau, with sigma_k, or where pairs are left "
                f"out of a whitened comparison. Got comparison={self.comparison!r}"
                f"{'' if self.sigma_k is None else ', sigma_k'}. Take 'pearson' or "
                "'spearman'."
            )
        refuse_many_rows(comparison.n_samples, "by='components'")

    def _has_lists(self, n_samples):
        """Whether permutations pick entries: of values or ranks, not of orders."""
        return self.comparison not in _ORDERED and n_samples <= _LISTED_ROWS

    def _form(self, view, role, xp):
        if self._is_whitened:
            return view.form
        return Dense(square(self._values(view, xp), xp=xp))

    def _of_product(self, product, view_x, view_y, n_samples):
        if self._is_whitened:
            product = product - view_x.trace * view_y.trace / (n_samples - 1)
            return product / view_x.norm / view_y.norm
        return product / 2  # both (i, j) and (j, i)

    def _min_samples(self):
        return 3

    @property
    def _exact(self):
        """What is exact: beside noise nothing, and of orders the mean alone."""
        if self.sigma_k is not None or (self._is_whitened and self.pairs is not None):
            return frozenset()
        if self._is_whitened:
            # the cosine is larger of fewer rows, and so where some rows are copies
            resampled = {"masked_bootstrap"} if self._is_centred else set()
            return frozenset({"null", "null_mean", "jackknife"} | resampled)
        # without all pairs the mean over orders is another one
        null = frozenset({"null_mean"}) if self.pairs is None else frozenset()
        if self.comparison in _ORDERED:
            return null
        # copies of a pair tie, which by rho-a would be held against the lists
        resampled = {"masked_bootstrap"} if self.comparison != "rho_a" else set()
        return null | {"jackknife"} | resampled

    def _pool(self):
        return DissimilarityPool(self)

    @property
    def _complexity(self):
        """What the tag ``complexity`` says of what is compared."""
        if self.sigma_k is not None:
            return "n^3 + n^2 d"
        if self._is_whitened and self.metric != "euclidean":
            return "n^2" if self._is_given else "n d^2"
        return "n^2 log n" if self._is_given else "n^2 (d + log n)"

    def _similarity_tags(self):
        invariances = {
            "correlation": {"PT", "IS"},
            "cosine": {"PT", "OT", "IS"},
            "precomputed": {"IS"},
        }.get(self.metric, {"PT", "OT", "IS", "TR"})
        given_pairs = [n for n in ("pairs", "sigma_k") if getattr(self, n) is not None]
        # matrices of dissimilarities of this kind have no negative products
        is_nonnegative = self.comparison == "cosine_cov" and not (
            self._is_given or "pairs" in given_pairs
        )
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0 if is_nonnegative else -1, 1),
            invariances=invariances,
            requires={
                "correlation": ("nonconstant_rows",),
                "cosine": ("nonzero_rows",),
                "precomputed": ("given_dissimilarities",),
            }.get(self.metric, ()),
            view_keywords=("role", *given_pairs),
            precomputed=self._is_given,
            intervals=("jackknife", "subsample", *self._exact & {"masked_bootstrap"}),
            exact=self._exact,
            differentiable=self.comparison in ("pearson", "cosine"),
            array_api=self.comparison not in _ORDERED,
            complexity=self._complexity,
            reference="Kriegeskorte et al. 2008",
        )
