r"""Whitened comparisons of dissimilarities, whose covariance is known up to scale.

Squared distances of patterns with independent noise vary together where they share a
row: their covariance is proportional to :math:`V = (C C^\top)^2`, elementwise, with a
row of C for each pair, 1 at i and -1 at j; with the covariance :math:`\Sigma` of the
rows' noise :math:`V = (C \Sigma C^\top)^2`. No matrix of pairs by pairs is made: with
:math:`G = -H D H / 2` of the dissimilarities D,

.. math:: u^\top V^{-1} v = \operatorname{tr}(G_u P G_v P), \qquad
    P = (H \Sigma H)^+,

which without :math:`\Sigma` is the inner product of two doubly centred matrices. What
subtracts the mean of the dissimilarities from them subtracts a multiple of H from G.
"""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from scipy.linalg import solve_triangular
from sklearn.utils import check_array

from sksim.arrays._exact import TraceForm
from sksim.arrays._kernels import double_center
from sksim.arrays._namespace import (
    device_of,
    in_double,
    inner,
    is_numpy,
    move_to,
    number,
    root,
    to_numpy,
)
from sksim.arrays._pairs import condensed, square
from sksim.arrays._symmetric import Dense, Factored, products_without_each_row
from sksim.base._comparison import Compared, Grid
from sksim.base._inner_product import (
    _MOST_MEMORY,
    InnerProductComparison,
    InnerProductGrid,
)
from sksim.base._validation import overflow_is_silent
from sksim.rsm._pair_blocks import PairView

# Below this share of a squared norm its difference from another has lost six digits,
# and the matrix itself is made.
_LOST = 1e-6
# What is left where the matrix is too large to be made, and is rounding: the sums of
# 4096 rows or more are right to 1e-14.
_ROUNDING = 1e-12
# Noise that is this much smaller in one contrast of rows than in another leaves six of
# sixteen digits of the whitened dissimilarities.
_LEAST_NOISE = 1e-10


@dataclass(frozen=True)
class Whitened(PairView):
    """Dissimilarities as a doubly centred matrix.

    Attributes
    ----------
    form : SymmetricForm
        G, up to a factor.
    trace : float
        Of G where dissimilarities are compared without their mean, else 0: without it,
        G is less ``trace / (n - 1)`` H.
    norm : float
        Of what is compared.
    """

    form: object
    trace: object
    norm: object

    _row_fields = ("form",)


@dataclass(frozen=True)
class NoiseWhitened(PairView):
    """Dissimilarities of rows whose noise has a given covariance.

    Attributes
    ----------
    matrix : array of shape (n_samples, n_samples)
        G, which moves with the rows.
    filter : array of shape (n_samples, n_samples)
        W with W'W = P on contrasts of rows: it belongs to the places of the design.
    whitened : array of shape (n_samples, n_samples) or None
        W G W'; None where it is to be made.
    """

    matrix: object
    filter: object
    whitened: object = None

    _row_by_row_fields = ("matrix",)
    _derived_fields = ("whitened",)

    def of_unit_norm(self, *, xp):
        """W G W' over its norm."""
        if self.whitened is not None:
            return self.whitened
        whitened = self.filter @ self.matrix @ self.filter.T
        return whitened / root(inner(whitened, whitened, xp=xp))

    def without_rows(self):
        """Nothing is left without the pairs."""
        return NoiseWhitened(None, None)


# ----- views ------------------------------------------------------------------------


def whitened(form, *, is_centred, refuse, xp):
    """View of a doubly centred matrix.

    Parameters
    ----------
    form : SymmetricForm
    is_centred : bool
        Whether dissimilarities are compared without their mean.
    refuse : callable
        Of a squared norm, and of the one before centring: raises where nothing is left.
    xp : module
    """
    before = form.norm**2 if form.norm else number(form.inner(form, xp=xp))
    trace, squared_norm = 0.0, before
    if is_centred:
        trace = number(xp.sum(form.diagonal(xp=xp)))
        squared_norm = before - trace**2 / (form.n_samples - 1)
        if squared_norm < _LOST * before and form.width > 0:
            form = Dense(_less_centring(form.dense(xp=xp).matrix, trace, xp=xp))
            trace, squared_norm = 0.0, number(form.inner(form, xp=xp))
        elif squared_norm < _ROUNDING * before:
            squared_norm = 0.0
    refuse(squared_norm, before)
    return Whitened(form, trace, root(squared_norm))


def of_rows(rows, *, xp):
    """Form of squared distances of centred rows."""
    if rows.shape[1] <= rows.shape[0]:
        return Factored(rows)
    return Dense(double_center(rows @ rows.T, xp=xp, overwrite=True))


def of_pairs(values, *, xp):
    """Form of a list of dissimilarities."""
    return Dense(double_center(square(values, xp=xp), xp=xp, overwrite=True))


def noise_whitened(values, sigma_k, *, is_centred, refuse, xp):
    """View of a list of dissimilarities of rows whose noise has a covariance.

    ``sigma_k`` is on numpy.
    """
    form = of_pairs(values, xp=xp)
    view = whitened(form, is_centred=is_centred, refuse=refuse, xp=xp)
    matrix = _less_centring(form.matrix, view.trace, xp=xp) / view.norm
    inverse_root = _inverse_root(sigma_k)
    if not is_numpy(xp):
        inverse_root = move_to(inverse_root, xp=xp, device=device_of(values))
    view = NoiseWhitened(matrix, inverse_root)
    return replace(view, whitened=view.of_unit_norm(xp=xp))


def _less_centring(matrix, trace, *, xp):
    """A doubly centred matrix less the multiple of H that has its trace."""
    n = matrix.shape[0]
    own = xp.eye(n, dtype=matrix.dtype, device=device_of(matrix))
    return matrix - trace / (n - 1) * (own - 1 / n)


def _inverse_root(sigma_k):
    """W such that W'W is the inverse of a covariance on contrasts of rows."""
    n = len(sigma_k)
    centred = double_center(sigma_k, xp=np)
    # a number of the same size for the mean, which no contrast takes part in
    root_ = np.linalg.cholesky(centred + np.trace(centred) / (n - 1) / n)
    return solve_triangular(root_, np.eye(n), lower=True)


def check_sigma_k(sigma_k, n_samples):
    """Covariance of the rows' noise as a square matrix, on numpy.

    Parameters
    ----------
    sigma_k : array-like of shape (n_samples, n_samples) or (n_samples,)
    n_samples : int
    """
    sigma = check_array(
        sigma_k, dtype=np.float64, ensure_2d=False, input_name="sigma_k"
    )
    if sigma.shape not in ((n_samples, n_samples), (n_samples,)):
        raise ValueError(
            f"sigma_k has the shape {sigma.shape}, but X has {n_samples} rows: it must "
            f"be their covariance, of shape {(n_samples, n_samples)}, or their "
            f"variances, of shape {(n_samples,)}."
        )
    if sigma.ndim == 1:
        sigma = np.diag(sigma)
    asymmetry = np.abs(sigma - sigma.T)
    if asymmetry.max() > 1e-8 * np.abs(sigma).max():
        i, j = np.unravel_index(np.argmax(asymmetry), asymmetry.shape)
        raise ValueError(
            f"sigma_k is not symmetric: the covariance of rows {i} and {j} is "
            f"{sigma[i, j]:.6g}, that of rows {j} and {i} {sigma[j, i]:.6g}. Pass "
            "(sigma_k + sigma_k.T) / 2 if both estimate the same number."
        )
    sigma = (sigma + sigma.T) / 2
    of_contrasts = np.linalg.eigvalsh(double_center(sigma, xp=np))
    # one of them is 0: that of the mean
    places = np.argsort(np.abs(of_contrasts))[1:]
    least, most = of_contrasts[places].min(), of_contrasts[places].max()
    if not least > _LEAST_NOISE * most:
        raise ValueError(
            "sigma_k is no covariance of noise in all contrasts of rows: its "
            f"eigenvalues beside that of the mean go from {least:.3g} to {most:.3g}, "
            "and must be positive. Pass a regularised estimate, such as "
            "sklearn.covariance.ledoit_wolf, or sigma_k=None."
        )
    return sigma


def some_values(view, used, is_centred, refuse, *, xp):
    """Dissimilarities of the pairs that are used, 0 for all others."""
    values = view.values if view.is_partial else _pairs_of(view, xp=xp)
    values = xp.where(used, values, xp.zeros_like(values))
    before = number(inner(values, values, xp=xp))
    if is_centred:
        mean = xp.sum(values) / int(xp.count_nonzero(used))
        values = xp.where(used, values - mean, xp.zeros_like(values))
    refuse(number(inner(values, values, xp=xp)), before)
    return values


def _pairs_of(view, *, xp):
    """Dissimilarities of which a matrix was made by centring."""
    return condensed(_hollow(view.form.matrix, xp=xp), xp=xp)


def _hollow(matrix, *, xp):
    """Dissimilarities of which a matrix was made by centring, as a matrix."""
    own = xp.linalg.diagonal(matrix) / 2
    return matrix - own[:, None] - own[None, :]


def cosine_of_some_pairs(values_x, values_y, used, *, xp):
    """Whitened cosine of the dissimilarities of some pairs.

    V is 2 I + B'B of the incidence B of rows and pairs, also of those that are used:
    its inverse needs that of a matrix of rows by rows alone.

    Parameters
    ----------
    values_x, values_y : arrays of shape (n_pairs,)
        0 where they aren't used.
    used : bool array of shape (n_pairs,)
    """
    sides = values_x, values_y
    links = square(xp.astype(used, xp.float64), xp=xp)
    degrees = xp.sum(links, axis=0) + 2
    own = xp.eye(links.shape[0], dtype=links.dtype, device=device_of(links))
    sums = xp.stack([xp.sum(square(values, xp=xp), axis=0) for values in sides], axis=1)
    shared = sums.T @ xp.linalg.solve(links + own * degrees[:, None], sums)
    products = [
        number(inner(sides[i], sides[j], xp=xp)) - number(shared[i, j])
        for i, j in ((0, 1), (0, 0), (1, 1))
    ]
    return products[0] / products[1] ** 0.5 / products[2] ** 0.5


def weighted_cosines(matrices_x, matrices_y, weights, *, is_centred, xp):
    """The same of rows that count several times, without pairs of copies.

    Copies are rows of their own, which differ from all others alike: what they have
    in common leaves of the matrix of rows by rows a diagonal and a part of rank one.

    Parameters
    ----------
    matrices_x, matrices_y : arrays of shape (n_x, n_samples, n_samples) and (n_y, ...)
        Dissimilarities, 0 on the diagonal.
    weights : array of shape (n_samples,)
        How often each row counts.
    is_centred : bool

    Returns
    -------
    cosines : array of shape (n_x, n_y)
    """
    total = xp.sum(weights)
    n_counted = (total**2 - xp.sum(weights**2)) / 2
    others = total - 2 * weights + 2
    of_pairs_ = weights[:, None] * weights / 2
    sides = []
    for matrices in (matrices_x, matrices_y):
        flat = xp.reshape(matrices, (matrices.shape[0], -1))
        weighted = flat * xp.reshape(of_pairs_, (1, -1))
        mean = xp.sum(weighted, axis=1) / n_counted * is_centred
        sums = matrices @ weights - mean[:, None] * (total - weights)
        shared = xp.sum(weights * sums / others, axis=1)
        shared = shared / (1 + xp.sum(weights / others))
        effects = (sums - shared[:, None]) / others
        own = xp.sum(weighted * flat, axis=1) - n_counted * mean**2
        own = own - xp.sum(weights * sums * effects, axis=1)
        sides.append((flat, weighted, mean, weights * sums, effects, own**0.5))
    x, y = sides
    products = x[1] @ y[0].T - n_counted * x[2][:, None] * y[2] - x[3] @ y[4].T
    return products / x[5][:, None] / y[5]


# ----- kinds ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class WhitenedComparison(InnerProductComparison):
    """Two doubly centred matrices; lists of pairs where some of them don't count.

    Matrices without their trace stay so when rows move, but not when one is left out.
    """

    carries: ClassVar = frozenset(
        {"null", "null_mean", "jackknife", "masked_bootstrap"}
    )

    @classmethod
    def grid(cls, **fields):
        """All pairs of many views."""
        return WhitenedGrid(kind=cls, **fields)

    @property
    def _has_forms(self):
        return not (self.view_x.is_partial or self.view_y.is_partial)

    def for_permutations(self):
        """The form in which permutations pick entries, where all pairs count."""
        if self._has_forms:
            return super().for_permutations()
        return replace(self, rows=None)

    def _without_each_row(self):
        if not self._has_forms:
            return None
        xp, n = self.xp, self.n_samples
        forms = [form.settled() for form in self._forms]
        traces = [self._traces_without_each_row(*side) for side in enumerate(forms)]

        def product(i, j):
            products = products_without_each_row(forms[i], forms[j], xp=xp)
            return in_double(products, xp=xp) - traces[i] * traces[j] / (n - 2)

        views = self._normed(product(0, 0), product(1, 1))
        return self.measure._of_product(product(0, 1), *views, n - 1)

    def _traces_without_each_row(self, place, form):
        """Traces that are taken out, 0 where none is."""
        if not self.measure._is_centred:
            return 0.0
        trace = (self.view_x, self.view_y)[place].trace
        own = in_double(form.diagonal(xp=self.xp), xp=self.xp)
        return trace - own * (self.n_samples / (self.n_samples - 1))

    @cached_property
    def _alone(self):
        """A grid of one pair, of which matrices are kept."""
        setting = {f.name: getattr(self, f.name) for f in fields(Compared)}
        views = {"views_x": [self.view_x], "views_y": [self.view_y]}
        return WhitenedGrid(kind=type(self), **views, **setting)

    def _weighted(self, weights):
        values = self._alone.weighted(weights)
        return None if values is None else float(values[0, 0])

    def _normed(self, xx, yy):
        return [replace(view, trace=0.0) for view in super()._normed(xx, yy)]

    def _matrices(self):
        views = self.view_x, self.view_y
        return list(map(_without_trace, super()._matrices(), views))

    def _pair_effects(self):
        return super()._pair_effects() if self._has_forms else None

    def _trace_form(self):
        if not self._has_forms or any(form.width == 0 for form in self._forms):
            return None
        views = self.view_x, self.view_y
        matrices = map(_exact, self._forms, views, [self.xp] * 2)
        return TraceForm(*matrices, _scale(*views))

    def _null_mean(self):
        # 0 of matrices without their trace
        return super()._null_mean() if self._has_forms else None


@dataclass(frozen=True, kw_only=True)
class WhitenedGrid(InnerProductGrid):
    """Many doubly centred matrices, or lists of pairs where some don't count."""

    @property
    def at_once(self):
        """Whether many pairs are compared as one."""
        return not any(view.is_partial for view in (*self.views_x, *self.views_y))

    @property
    def _are_formed(self):
        return self.at_once and super()._are_formed

    def values(self):
        """Statistics of all pairs, as an array of shape (n_x, n_y)."""
        return super().values() if self.at_once else Grid.values(self)

    def for_permutations(self):
        """The form in which each matrix is picked once for all pairs, if that pays."""
        return super().for_permutations() if self.at_once else replace(self, rows=None)

    @cached_property
    def _dissimilarities(self):
        """Stacks of matrices of all views of both sides."""
        xp, forms = self.xp, self._forms
        return [
            xp.stack([_hollow(form.dense(xp=xp).matrix, xp=xp) for form in side])
            for side in forms
        ]

    @overflow_is_silent
    def weighted(self, weights):
        """Statistics of all pairs with rows that count several times, or None."""
        if not self._are_formed:
            return None
        n_views = len(self.views_x) + len(self.views_y)
        if n_views > 2 and 8 * self.n_samples**2 * n_views > _MOST_MEMORY:
            return super().weighted(weights)
        is_centred = self.measure._is_centred
        values = weighted_cosines(
            *self._dissimilarities, weights, is_centred=is_centred, xp=self.xp
        )
        return to_numpy(values, xp=self.xp)

    def exact_matrix(self, side, place):
        """Matrix of one view, as a `TraceForm` holds it."""
        view = (self.views_x, self.views_y)[side][place]
        return _exact(self._forms[side][place], view, self.xp)

    def trace_scale(self, i, j):
        """Scale of the `TraceForm` of a pair."""
        return _scale(self.views_x[i], self.views_y[j])

    def _without_each_row(self):
        if not self.measure._is_centred:
            yield from super()._without_each_row()
            return
        for i, j in np.ndindex(len(self.views_x), len(self.views_y)):
            if not (self.is_of_one_set and j < i):
                values = self.pair(i, j)._without_each_row()
                yield i, j, to_numpy(values, xp=self.xp)

    @cached_property
    def _matrices(self):
        of_x, of_y = super()._matrices
        return [
            list(map(_without_trace, of_x, self.views_x)),
            list(map(_without_trace, of_y, self.views_y)),
        ]


def _exact(form, view, xp):
    """Matrix of what is compared of a view, as a `TraceForm` holds it."""
    exact = form.exact(xp=xp)
    # the trace is 0 too where dissimilarities are compared with their mean
    return (
        exact.minus_centring(view.trace / (form.n_samples - 1)) if view.trace else exact
    )


def _scale(view_x, view_y):
    return 1 / number(view_x.norm * view_y.norm)


def _without_trace(matrix, view):
    return _less_centring(matrix, view.trace, xp=np) if view.trace else matrix
