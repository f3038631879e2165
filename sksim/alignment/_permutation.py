"""Distances after matching neurons: one to one, or by a transport plan."""

import numpy as np

from sksim._sklearn_compat import StrOptions
from sksim.alignment._correlation_match import (
    correlations_of_moments,
    diagonal,
    standardizer,
    unit_columns,
)
from sksim.alignment._matched_units import MatchedUnitsMixin, partners_of_plan
from sksim.alignment._procrustes import (
    AlignedRows,
    OrthogonalProcrustes,
    root_of_difference,
)
from sksim.arrays._linalg import refuse_constant, rescaled
from sksim.arrays._matching import (
    assignment_vector,
    best_assignment,
    index_array,
    selection_matrix,
)
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    move_to,
    namespace_of,
    to_numpy,
)
from sksim.arrays._sparse_rows import (
    centred_columns,
    is_sparse,
    matched_products,
    matched_squares,
    on_cpu,
    some_columns,
    squared_distance,
    squared_norm,
)
from sksim.base._alignment import maps_back
from sksim.base._tags import SimilarityTags


class BaseMatchedProcrustes(MatchedUnitsMixin, OrthogonalProcrustes):
    """Procrustes distance with columns matched to columns, of the rows as they are."""

    _parameter_constraints: dict = {"center": ["boolean"], "scale": ["boolean"]}
    # corrections for few rows, and for trials, are of rotations
    debias = None
    _repeated_view = None
    # parts of a value by principal components are of rotations
    _parts_by_rows = None

    def __init__(self, *, center=True, scale=True):
        self.center = center
        self.scale = scale

    def _rows_view(self, X, xp, role, lazily=True):
        if not is_sparse(X):
            return super()._rows_view(X, xp, role, lazily)
        if self.center:
            rows, mean, scale, squared_norm = centred_columns(X)
        else:
            rows, scale = X.in_range()
            mean, squared_norm = np.zeros(X.shape[1]), rows.squares().sum()
        if self.scale:
            refuse_constant(squared_norm, role, centered=self.center)
        return AlignedRows(rows, None, None, mean, float(squared_norm) ** 0.5, scale)

    @staticmethod
    def _less_mean(X, mean, xp):
        if not is_sparse(X):
            return rescaled(X - mean, xp=xp)
        rows, scale = X.less(mean).in_range()
        return rows, scale, rows.squares().sum()


class PermutationProcrustes(BaseMatchedProcrustes):
    r"""Permutation Procrustes distance: the best one-to-one matching of neurons.

    .. math:: m(R, R') = \min_{P \text{ permutation}} \lVert R - R' P \rVert_F

    A distance in [0, 2] with ``scale=True``, else in [0, inf), and a metric for
    representations of one width. Invariant to permutations of the columns, to
    translation if centred, and to isotropic scaling if scaled; not to rotations, so
    that it asks whether single neurons mean the same. Of unequal widths, the narrower
    representation gets columns of zeros, and the columns matched with those count in
    full.

    Parameters
    ----------
    center : bool, default=True
        Whether to subtract the column means.
    scale : bool, default=True
        Whether to divide each representation by its Frobenius norm.

    Attributes
    ----------
    statistic_, distance_ : float
        Distance under the best matching.
    score_ : float
        Minus the distance.
    assignment_ : array of int of shape (n_features,)
        The column of y that each column of X is matched with; -1 for none.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means; zero with ``center=False``.
    x_rotations_, y_rotations_ : array of shape (n_features, k) and (n_features_y, k)
        The matching as matrices of zeros and ones; k is the smaller width.
    singular_values_ : array of shape (k,)
        Inner products of the matched columns.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant and is to be scaled.

    See Also
    --------
    OrthogonalProcrustes : Allows all rotations, hence is never larger.
    SoftMatching : Shares the mass of neurons where widths differ.

    Notes
    -----
    ``transform(X)`` reorders the columns of X into those of y; unmatched columns of y
    get its mean. ``score(X, y)`` applies the fitted matching. The assignment is solved
    on the CPU in O(d^3). ``fit``, ``score`` and ``matched_units`` take sparse rows of
    scipy without filling them in: fitted to half of 20,000 x 4,000 with .5 % of the
    entries they took 166 MB at the peak, where one representation filled in is 610.

    References
    ----------
    A. H. Williams, E. Kunz, S. Kornblith, S. W. Linderman. Generalized shape metrics
    on neural representations. NeurIPS, 2021, arXiv:2110.14739.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.alignment import PermutationProcrustes
    >>> X = np.random.default_rng(0).normal(size=(50, 4))
    >>> measure = PermutationProcrustes().fit(X, X[:, [2, 0, 3, 1]])
    >>> measure.distance_ < 1e-12
    True
    >>> measure.assignment_
    array([1, 3, 0, 2])
    """

    def _view(self, X, xp, role):
        return self._rows_view(X, xp, role)

    def _compare(self, view_x, view_y, xp):
        cross_product = self._cross_product_of(view_x, view_y)
        there = to_numpy(cross_product, xp=xp)
        i, j = best_assignment(there, xp=np)
        overlap = _as_scalar(there[i, j].sum(dtype=np.float64), cross_product, xp)
        squared, unit = self._squared_distance(view_x, view_y, overlap, xp, i, j)
        return xp.sqrt(squared) * unit, self._details(cross_product, i, j, xp)

    def _compare_moments(self, moments, xp):
        moments, view_x, view_y = self._views_of_moments(moments, xp)
        cross_product = moments.xy.matrix
        i, j = best_assignment(cross_product, xp=xp)
        matched = to_numpy(cross_product, xp=xp)[i, j].sum()
        x_factor, y_factor, unit = self._units(view_x, view_y)
        squared = self._squared_norms(view_x, view_y)
        squared = squared - 2 * float(matched) * (x_factor * y_factor)
        distance = root_of_difference(squared) * unit
        details = self._details(cross_product, i, j, xp)
        return self._with_maps((distance, details), view_x, view_y)

    @staticmethod
    def _details(cross_product, i, j, xp):
        assignment = assignment_vector(i, j, cross_product.shape[0])
        return {
            "assignment_": index_array(assignment, like=cross_product, xp=xp),
            "_cross_product": cross_product,
            "_matched": (i, j),
        }

    @staticmethod
    def _squared_residual(A, B, i, j, *, xp):
        """||A_i - B_j||^2 over the matched columns, and the norms of the others."""
        squared = 0.0
        matched = []
        for rows, index in ((A, i), (B, j)):
            matched.append(some_columns(rows, index, xp=xp))
            others = np.setdiff1d(np.arange(rows.shape[1]), index)
            if len(others):
                unmatched = some_columns(rows, others, xp=xp)
                squared = squared + squared_norm(unmatched, xp=xp)
        return squared + squared_distance(*matched, xp=xp)

    def _partners_of_x(self):
        return assignment_vector(*self._matched, self.n_features_in_)

    def _fit_maps(self, view_x, view_y, xp):
        M = self._cross_product
        i, j = self._matched
        x_factor, y_factor, unit = self._units(view_x, view_y)
        products = xp.asarray(to_numpy(M, xp=xp)[i, j], device=device_of(M))
        return (
            selection_matrix(i, M.shape[0], like=M, xp=xp),
            selection_matrix(j, M.shape[1], like=M, xp=xp),
            products * (x_factor * y_factor * unit) * unit,
        )

    def _evaluate(self, X, y, xp):
        A, B, unit = self._new_rows(X, y, xp)
        squared = self._squared_residual(A, B, *self._matched, xp=xp)
        return xp.sqrt(squared) * unit

    def _similarity_tags(self):
        invariances = {"PT"}
        invariances |= {"TR"} if self.center else set()
        invariances |= {"IS"} if self.scale else set()
        return SimilarityTags(
            family="alignment",
            orientation="distance",
            bounds=(0, 2 if self.scale else float("inf")),
            metric=True,
            invariances=invariances,
            view_keywords=("role",),
            streaming=True,
            score_uses_fit=True,
            sparse=True,
            complexity="n d^2 + d^3",
            reference="Williams et al. 2021",
        )


class SoftMatching(BaseMatchedProcrustes):
    r"""Soft matching distance: neurons matched by optimal transport.

    .. math:: m(R, R')^2 = \min_{T} \sum_{ij} T_{ij}
        \lVert R_{:i} - R'_{:j} \rVert^2

    over the transport plans T whose rows sum to 1 / D and whose columns sum to
    1 / D'. It extends the matching of neurons to unequal widths, where the mass of a
    neuron may be shared; for equal widths it is the distance of
    :class:`PermutationProcrustes` divided by sqrt(D). A distance and a metric.
    Invariant to permutations of the columns, to translation if centred, and to
    isotropic scaling if scaled.

    With ``cost="correlation"`` it is the soft matching correlation, a similarity in
    [-1, 1]: with the correlations :math:`\rho_{ij}` of column i of R and column j of R'

    .. math:: m(R, R') = 1 - \min_T \sum_{ij} T_{ij} (1 - \rho_{ij}).

    It is invariant to positive scaling of each column by itself, too.

    Parameters
    ----------
    center : bool, default=True
        Whether to subtract the column means. Correlations need it.
    scale : bool, default=True
        Whether to divide each representation by its Frobenius norm, which
        correlations don't depend on.
    cost : {"squared_euclidean", "correlation"}, default="squared_euclidean"
        What it costs to match two columns: their squared distance, or 1 minus their
        correlation.

    Attributes
    ----------
    statistic_, distance_ : float
        Soft matching distance. With ``cost="correlation"`` there is ``similarity_``,
        the mean correlation of what is matched, in place of ``distance_``.
    score_ : float
        Minus the distance, or the similarity.
    transport_ : array of shape (n_features, n_features_y)
        The optimal plan T.
    x_mean_, y_mean_ : array of shape (n_features,) and (n_features_y,)
        Training means; zero with ``center=False``.
    x_rotations_, y_rotations_ : arrays
        The averages that ``transform`` takes, D' T, and the identity; of correlations
        those of standardised columns, and the standard deviations of y on the diagonal.
    singular_values_ : array of shape (n_features_y,)
        Inner products of the columns of y with those averages, or the mean
        correlation of each with its partners.
    n_features_in_, n_features_y_in_ : int
        Widths of X and y.
    n_samples_fit_ : int
        Number of rows.

    Raises
    ------
    ValueError
        If a representation is constant and is to be scaled or correlated, or for
        correlations with ``center=False``.
    ImportError
        For unequal widths, if POT is not installed.

    See Also
    --------
    PermutationProcrustes : One to one, with the unmatched columns in full.
    PartialSoftMatching : Leaves units without a counterpart unmatched; with ``mass=1``
        the soft matching correlation, without maps.

    Notes
    -----
    Equal widths are an assignment problem and are solved by scipy. Unequal widths are
    solved by the network simplex of POT (``pip install sksim[transport]``), since
    scipy's linear programming takes tens of times as long. Both run on the CPU.

    ``transform(X)`` gives each column of y the average of its partners in X, weighted
    by the plan, and ``inverse_transform`` the reverse; where mass is shared neither
    undoes the other. Of correlations these are averages of standardised columns, with
    the mean and standard deviation of the column that they stand for.
    ``score(X, y)`` applies the fitted plan.

    ``fit``, ``score`` and ``matched_units`` take sparse rows of scipy without filling
    them in: fitted to half of 20,000 x 4,000 with .5 % of the entries 376 MB at the
    peak, and 267 for correlations, where one representation filled in is 610.

    The squared distance weighs units by their variance; take ``cost="correlation"``
    where each unit is to count alike. Constant columns correlate with nothing and count
    as 0.

    References
    ----------
    M. Khosla, A. H. Williams. Soft matching distance: a metric on neural
    representations that captures single-neuron tuning. UniReps, 2023,
    arXiv:2311.09466.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.alignment import SoftMatching
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> twice = np.hstack([X, X[:, ::-1]])
    >>> SoftMatching(scale=False).fit(X, twice).distance_ < 1e-7
    True

    Units that differ in size, which correlations don't see:

    >>> units = X * [1, 10, 100]
    >>> round(SoftMatching(cost="correlation").fit(X, units).similarity_, 12)
    1.0
    """

    _parameter_constraints: dict = {
        **BaseMatchedProcrustes._parameter_constraints,
        "cost": [StrOptions({"squared_euclidean", "correlation"})],
    }

    def __init__(self, *, center=True, scale=True, cost="squared_euclidean"):
        super().__init__(center=center, scale=scale)
        self.cost = cost

    @property
    def _correlates(self):
        return self.cost == "correlation"

    def _refuse_uncentred(self):
        if not self.center:
            raise ValueError(
                'cost="correlation" needs center=True: correlations are of centred '
                "columns."
            )

    def _view(self, X, xp, role):
        if not self._correlates:
            return self._rows_view(X, xp, role)
        self._refuse_uncentred()
        return unit_columns(as_float64(X, xp=xp), xp=xp, role=role)

    def _correlation_of_plan(self, correlations, xp):
        gains = to_numpy(correlations, xp=xp)
        i, j, mass = plan = _transport(gains)
        return float(gains[i, j] @ mass), self._details(correlations, plan, xp)

    def _compare(self, view_x, view_y, xp):
        if self._correlates:
            return self._correlation_of_plan(view_x.rows.T @ view_y.rows, xp)
        cross_product = self._cross_product_of(view_x, view_y)
        there = to_numpy(cross_product, xp=xp)
        i, j, mass = plan = _transport(there)
        overlap = np.sum(there[i, j] * mass, dtype=np.float64)
        overlap = _as_scalar(overlap, cross_product, xp)
        squared, unit = self._squared_distance(view_x, view_y, overlap, xp, plan)
        x_factor, y_factor, _ = self._units(view_x, view_y)
        details = self._details(cross_product * (x_factor * y_factor), plan, xp)
        return xp.sqrt(squared) * unit, details

    def _compare_moments(self, moments, xp):
        if self._correlates:
            self._refuse_uncentred()
            correlations, views = correlations_of_moments(moments, xp=xp)
            outcome = self._correlation_of_plan(correlations, xp)
            return self._with_maps(outcome, *views)
        moments, view_x, view_y = self._views_of_moments(moments, xp)
        x_factor, y_factor, unit = self._units(view_x, view_y)
        cross_product = moments.xy.matrix * (x_factor * y_factor)
        gains = to_numpy(cross_product, xp=xp)
        i, j, mass = plan = _transport(gains)
        squares_x, squares_y = (
            to_numpy(side.squares, xp=xp) * factor**2
            for side, factor in ((moments.x, x_factor), (moments.y, y_factor))
        )
        costs = squares_x[i] + squares_y[j] - 2 * gains[i, j]
        distance = root_of_difference(float(costs @ mass)) * unit
        details = self._details(cross_product, plan, xp)
        return self._with_maps((distance, details), view_x, view_y)

    @staticmethod
    def _details(cross_product, plan, xp):
        i, j, mass = plan
        transport = np.zeros(cross_product.shape)
        transport[i, j] = mass
        return {
            "transport_": move_to(transport, xp=xp, device=device_of(cross_product)),
            "_cross_product": cross_product,
            "_plan": plan,
        }

    def _squared_norms(self, view_x, view_y):
        factors = self._units(view_x, view_y)[:2]
        # each column's share of the mass
        return sum(
            (view.norm * factor) ** 2 / view.mean.shape[0]
            for view, factor in zip((view_x, view_y), factors, strict=True)
        )

    @staticmethod
    def _squared_residual(A, B, plan, *, xp):
        """Cost of the plan: its support has no more than D + D' entries."""
        i, j, mass = plan
        A, B = some_columns(A, i, xp=xp), some_columns(B, j, xp=xp)
        costs = matched_squares(A, B, xp=xp)
        mass = move_to(mass, xp=xp, device=device_of(costs))
        return xp.sum(costs * xp.astype(mass, costs.dtype))

    def _partners_of_x(self):
        return partners_of_plan(self._plan, self.n_features_in_)

    def _fit_maps(self, view_x, view_y, xp):
        M = self._cross_product
        plan = self.transport_
        averages = xp.astype(plan, self.x_mean_.dtype) * M.shape[1]
        identity = xp.eye(M.shape[1], dtype=averages.dtype, device=device_of(M))
        products = xp.sum(plan * M, axis=0) * M.shape[1]
        if self._correlates:
            weights = standardizer(view_x, xp=xp) @ averages
            return weights, diagonal(view_y.deviations, xp=xp), products
        unit = self._units(view_x, view_y)[2]
        return averages, identity, products * unit * unit

    @property
    def _gain(self):
        # of standardised columns the maps hold the units
        return 1.0 if self._correlates else super()._gain

    @maps_back
    def inverse_transform(self, X):
        """Give each column of X the average of its partners among those of y.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_y)
            Rows in the coordinates of the second representation.

        Returns
        -------
        X_original : array of shape (n_samples, n_features)
            Rows in the coordinates of the first representation.
        """
        if self._correlates:
            averages = self._averages_of_y()
        else:
            share = self.n_features_in_ / self.n_features_y_in_
            averages = self.x_rotations_.T * share
        return ((X - self.y_mean_) / self._gain) @ averages + self.x_mean_

    def _averages_of_y(self):
        """Weights that average standardised columns of y, in the units of X."""
        xp = namespace_of(self.x_mean_)
        view_x, view_y = self._maps.sources
        averages = self.transport_.T * self.n_features_in_
        return standardizer(view_y, xp=xp) @ averages * view_x.deviations

    def _evaluate(self, X, y, xp):
        if self._correlates:
            i, j, mass = self._plan
            rows = (self._view(X, xp, "x").rows, self._view(y, xp, "y").rows)
            pairs = (
                some_columns(on_cpu(columns, xp=xp), index, xp=np)
                for columns, index in zip(rows, (i, j), strict=True)
            )
            return float(matched_products(*pairs, xp=np) @ mass)
        A, B, unit = self._new_rows(X, y, xp)
        return xp.sqrt(self._squared_residual(A, B, self._plan, xp=xp)) * unit

    def _similarity_tags(self):
        invariances = {"PT"}
        invariances |= {"TR"} if self.center or self._correlates else set()
        invariances |= {"IS"} if self.scale or self._correlates else set()
        bounds = (0, 2 if self.scale else float("inf"))
        return SimilarityTags(
            family="alignment",
            orientation="similarity" if self._correlates else "distance",
            bounds=(-1, 1) if self._correlates else bounds,
            metric=not self._correlates,
            invariances=invariances,
            view_keywords=("role",),
            streaming=True,
            score_uses_fit=True,
            sparse=True,
            complexity="n d^2 + d^3",
            extra="transport",
            reference="Khosla and Williams 2023",
        )


def _as_scalar(value, like, xp):
    """A number as a 0-d array in double precision, beside ``like``."""
    return xp.asarray(float(value), dtype=xp.float64, device=device_of(like))


def _transport(gains):
    """Support (i, j) and mass of the plan with uniform margins and largest gain."""
    width_x, width_y = gains.shape
    if width_x == width_y:
        i, j = best_assignment(gains, xp=np)
        return i, j, np.full(width_x, 1 / width_x)
    emd = network_simplex("SoftMatching of unequal widths")
    # only the inner products depend on the plan; costs must not be negative, nor so
    # small that the solver takes them for zero
    costs = np.ascontiguousarray(gains.max() - gains, dtype=np.float64)
    costs /= costs.max() or 1.0
    margins = np.full(width_x, 1 / width_x), np.full(width_y, 1 / width_y)
    plan = emd(*margins, costs, numItermax=10_000_000)
    i, j = np.nonzero(plan)
    return i, j, plan[i, j]


def network_simplex(who):
    """POT's solver of transport problems, or the error that says who needs it."""
    try:
        from ot import emd
    except ImportError as error:
        raise ImportError(
            f"{who} needs POT (Python Optimal Transport): pip install sksim[transport]."
        ) from error
    return emd
