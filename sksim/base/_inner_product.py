"""Statistics of the inner product of two symmetric matrices, one for each view."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import ClassVar

import numpy as np

from sksim.arrays._exact import TraceForm
from sksim.arrays._kernels import (
    product_of_tiles,
    row_products_of_tiles,
    tiles_are_cheaper,
    u_center,
)
from sksim.arrays._linalg import centered
from sksim.arrays._namespace import (
    as_float64,
    in_double,
    is_numpy,
    number,
    root,
    to_numpy,
)
from sksim.arrays._picking import (
    permuted_inner,
    permuted_products,
    picking_is_cheaper,
    stacked_upper_blocks,
    upper_blocks,
)
from sksim.arrays._slices import slices
from sksim.arrays._symmetric import (
    products_without_each_row,
    total_without_each_row,
)
from sksim.arrays._weighted import weighted_u_inner
from sksim.base._comparison import Comparison, Grid
from sksim.base._pair_effects import PairEffects, paired_rows
from sksim.base._validation import overflow_is_silent

# Numbers that the row sums of a strip of pairs may take: 32 MB.
_MOST_ROW_SUMS = 2**22
# Memory that the matrices of all views together may take, in bytes.
_MOST_MEMORY = 2**30


@dataclass(frozen=True, kw_only=True)
class InnerProductComparison(Comparison):
    """A statistic that is a function of the inner product of two symmetric matrices.

    Views are such matrices, as `Factored`, `Dense` or `BlockedMatrix`, or the measure
    writes ``_form(view, role, xp)``, which makes one of a view. It writes
    ``_of_product(product, view_x, view_y, n_samples)``, the statistic of the inner
    product: elementwise, since the closed jackknife passes arrays of products, and
    views whose ``norm`` is an array. It writes ``_compare`` too where ``fit`` is to
    store more than the number.

    Attributes
    ----------
    measure, owner, view_x, view_y, xp, device, n_samples, rounding, rows : object
        As of :class:`Comparison`.
    """

    carries: ClassVar = frozenset(
        {"null", "null_mean", "jackknife", "columns", "masked_bootstrap"}
    )

    @classmethod
    def grid(cls, **fields):
        """All pairs of many views."""
        return InnerProductGrid(kind=cls, **fields)

    def _outcome_of(self, view_x, view_y):
        measure, xp = self.measure, self.xp
        if hasattr(type(measure), "_compare"):
            return measure._compare(view_x, view_y, xp)
        form_x = _form_of(measure, view_x, "x", xp)
        product = form_x.inner(_form_of(measure, view_y, "y", xp), xp=xp)
        product = in_double(product, xp=xp)
        return measure._of_product(product, view_x, view_y, self.n_samples)

    @cached_property
    def _forms(self):
        sides = ((self.view_x, "x"), (self.view_y, "y"))
        return [_form_of(self.measure, *side, self.xp) for side in sides]

    def _of_product(self, product):
        views = self.view_x, self.view_y
        return self.measure._of_product(product, *views, self.n_samples)

    def for_permutations(self):
        """The form in which permutations pick entries, where that is cheaper."""
        form_x, form_y = self._forms
        if not _picking_pays([form_x], [form_y]):
            return replace(self, rows=None)
        xp = self.xp
        return self.prepared_as(
            PickedComparison,
            view_x=self.view_x.without_rows(),
            view_y=self.view_y.without_rows(),
            upper=upper_blocks(form_x.dense(xp=xp).matrix, xp=xp),
            matrix=form_y.dense(xp=xp).matrix,
        )

    def _without_each_row(self):
        xp = self.xp
        x, y = (form.settled() for form in self._forms)
        xy, xx, yy = (
            in_double(terms, xp=xp)
            for terms in (
                products_without_each_row(x, y, xp=xp),
                x.self_terms_without_each_row(xp=xp),
                y.self_terms_without_each_row(xp=xp),
            )
        )
        return self.measure._of_product(xy, *self._normed(xx, yy), self.n_samples - 1)

    @overflow_is_silent
    def _without_each_column(self):
        """Of matrices that are sums over columns, each less the part of one."""
        xp = self.xp
        forms = [form.settled() for form in self._forms]
        views = self.view_x, self.view_y
        if any(form.width == 0 for form in forms):
            return None
        product = in_double(forms[0].inner(forms[1], xp=xp), xp=xp)
        found = []
        for place, form in enumerate(forms):
            columns = self._columns_of(place)
            left = product - forms[1 - place].quadratics(columns, xp=xp)
            squares = form.self_terms_without_each_column(columns, xp=xp)
            changed = list(views)
            changed[place] = views[place].of_columns(
                columns.shape[1] - 1, root(squares)
            )
            values = self.measure._of_product(left, *changed, self.n_samples)
            found.append(to_numpy(values, xp=xp).astype(np.float64))
        return tuple(found)

    def _columns_of(self, place):
        """Centred columns in units of the matrix, whose outer products it adds up."""
        unit = (self.view_x, self.view_y)[place].unit
        array = as_float64(self.rows.arrays[place], xp=self.xp)
        rows, _, scale, _ = centered(array, xp=self.xp)
        return rows * (scale / float(unit) ** 0.5)

    @overflow_is_silent
    def _pair_effects(self):
        rows = paired_rows(self.n_samples)
        some = self if len(rows) == self.n_samples else self.of_rows(rows)
        return some._effects_of_all(rows)

    def _effects_of_all(self, rows):
        """Effects of pairs of all rows here, which have these numbers elsewhere."""
        return self._effects_of(rows, *self._matrices())

    def _matrices(self):
        """Both matrices in double precision on numpy."""
        return [_matrix_of(form, self.xp) for form in self._forms]

    @overflow_is_silent
    def _effects_of(self, rows, K, L):
        """The same of both matrices, in double precision."""
        xp, (x, y) = self.xp, self._forms
        own = x.self_pairs(K * K, xp=xp), y.self_pairs(L * L, xp=xp)
        products = np.stack([K * L, *own])
        sums = products.sum(axis=2)
        if not np.all(sums.sum(axis=1)[1:] > 0):
            return None  # distinct columns of so few rows may have nothing in common
        slopes, curvature = self._derivatives(sums.sum(axis=1))
        # less what a row adds to all of its pairs, and what two rows take from all
        # others by moving the means
        effects = u_center(np.tensordot(slopes, products, axes=1), xp=np)
        own = x.self_square(K @ K, xp=xp), y.self_square(L @ L, xp=xp)
        moved = slopes[0] * K @ L + slopes[1] * own[0] + slopes[2] * own[1]
        effects -= (moved + moved.T) / len(rows)
        # two rows also act together through what each adds to the products
        of_rows = 2 * (sums - sums.mean(axis=1, keepdims=True))
        effects += of_rows.T @ (curvature / 2) @ of_rows
        return PairEffects(rows, effects) if np.isfinite(effects).all() else None

    def _derivatives(self, products):
        """First and second derivatives by the three products, by differences.

        For statistics as such: a measure says what its statistic is of the products.
        """
        xx, yy = products[1:]
        # errors of 1e-8 in slopes and 1e-4 in curvatures, of which less is needed
        steps = np.diag(1e-4 * np.array([(xx * yy) ** 0.5, xx, yy]))
        if not steps.any(axis=1).all():
            return np.full(3, math.nan), np.full((3, 3), math.nan)

        pairs = list(combinations(range(3), 2))
        shifts = [
            np.zeros(3),
            *steps,
            *-steps,
            *(steps[i] + steps[j] for i, j in pairs),
        ]
        xy, xx, yy = (products + shifts).T
        views = self._normed(xx, yy)
        here, *others = self.measure._of_product(xy, *views, self.n_samples)
        above, below, both = (np.array(others[k : k + 3]) for k in (0, 3, 6))
        slopes = (above - below) / 2
        curvature = np.diag(above - 2 * here + below)
        for (i, j), value in zip(pairs, both, strict=True):
            curvature[i, j] = curvature[j, i] = value - above[i] - above[j] + here
        sizes = np.diag(steps)
        return slopes / sizes, curvature / np.outer(sizes, sizes)

    @overflow_is_silent
    def _weighted(self, weights):
        """By pairs of different rows alone, bias-corrected in a weighted way."""
        xp, forms = self.xp, self._forms
        if any(form.width == 0 for form in forms):
            return None
        if len({type(form) for form in forms}) > 1:
            forms = [form.dense(xp=xp) for form in forms]
        drawn = xp.nonzero(weights)[0]
        x, y = (form.drawn(drawn, xp=xp) for form in forms)
        weights = xp.take(weights, drawn, axis=0)
        xy, xx, yy = (
            weighted_u_inner(a, b, weights, xp=xp) for a, b in ((x, y), (x, x), (y, y))
        )
        return number(
            self.measure._of_product(xy, *self._normed(xx, yy), self.n_samples)
        )

    def _normed(self, xx, yy):
        """Both views with the norms of other rows."""
        norms = (root(squared) for squared in (xx, yy))
        views = zip((self.view_x, self.view_y), norms, strict=True)
        return [replace(view, norm=norm) for view, norm in views]

    def _trace_form(self):
        if any(form.width == 0 for form in self._forms):
            return None
        matrices = (form.exact(xp=self.xp) for form in self._forms)
        return TraceForm(*matrices, number(self._of_product(1.0)))

    def _null_mean(self):
        if any(form.width == 0 for form in self._forms):
            return None
        x, y = (0.0 if form.hollow else self._trace(form) for form in self._forms)
        return number(self._of_product(x * y / (self.n_samples - 1)))

    def _trace(self, form):
        return number(self.xp.sum(form.diagonal(xp=self.xp)))


@dataclass(frozen=True, kw_only=True)
class PickedComparison(Comparison):
    """Two matrices of which a permutation picks entries; views hold no rows.

    Attributes
    ----------
    upper : UpperBlocks
        Of X's matrix.
    matrix : array of shape (n_samples, n_samples)
        y's.
    """

    upper: object
    matrix: object

    @overflow_is_silent
    def permuted(self, orders):
        """Statistics with the rows of y in each of several orders."""
        orders = [self.there(order) for order in orders]
        products = permuted_inner(self.upper, self.matrix, orders, xp=self.xp)
        views = self.view_x, self.view_y
        of_product, n = self.measure._of_product, self.n_samples
        return [number(of_product(product, *views, n)) for product in products]


@dataclass(frozen=True, kw_only=True)
class InnerProductGrid(Grid):
    """Many symmetric matrices against many: as one product where that is cheaper."""

    @property
    def at_once(self):
        """Whether many pairs are compared as one."""
        return True

    @cached_property
    def _forms(self):
        measure, xp = self.measure, self.xp
        of_x = [_form_of(measure, view, "x", xp) for view in self.views_x]
        if self.is_of_one_set:
            return of_x, of_x
        return of_x, [_form_of(measure, view, "y", xp) for view in self.views_y]

    @overflow_is_silent
    def values(self):
        """Statistics of all pairs, as an array of shape (n_x, n_y)."""
        forms_x, forms_y = self._forms
        widths_x, widths_y = ([f.width for f in forms] for forms in self._forms)
        if forms_x is forms_y:
            widths_y = widths_x
        if 0 in widths_x + widths_y or not tiles_are_cheaper(
            widths_x, widths_y, self.n_samples
        ):
            return super().values()
        products = product_of_tiles(forms_x, forms_y, self.n_samples, xp=self.xp)
        values = np.empty(products.shape)
        for i, j in np.ndindex(values.shape):
            x, y = forms_x[i], forms_y[j]
            product = x.from_tiles(y, products[i, j], xp=self.xp)
            values[i, j] = number(self._of_product(product, i, j))
        return values

    def _of_product(self, product, i, j):
        views = self.views_x[i], self.views_y[j]
        return self.measure._of_product(product, *views, self.n_samples)

    @property
    def _are_formed(self):
        """Whether no matrix is a mere recipe of its blocks."""
        return all(form.width != 0 for forms in self._forms for form in forms)

    @property
    def has_trace_forms(self):
        """Whether `exact_matrix` and `trace_scale` say what nulls are made of."""
        return self.is_exact("null") and self._are_formed

    @property
    def largest_exact_matrix(self):
        """Bytes of the largest `exact_matrix`."""
        n, widths = self.n_samples, [f.width for forms in self._forms for f in forms]
        # of rows that are wider than half of their number a matrix is made
        return 8 * n * max(n if 2 * width > n else width for width in widths)

    def exact_matrix(self, side, place):
        """Matrix of one view, as a `TraceForm` holds it."""
        return self._forms[side][place].exact(xp=self.xp)

    def trace_scale(self, i, j):
        """Scale of the `TraceForm` of a pair."""
        return number(self._of_product(1.0, i, j))

    def without_each_row(self):
        """(i, j, statistics without each row) of all pairs in turn; None if unknown.

        Of one set each pair comes once.
        """
        if not (self.is_exact("jackknife") and self._are_formed):
            return None
        return self._without_each_row()

    def _without_each_row(self):
        own_x = [_Alone.of(form, self.xp) for form in self._forms[0]]
        own_y = own_x
        if self._forms[1] is not self._forms[0]:
            own_y = [_Alone.of(form, self.xp) for form in self._forms[1]]
        height = max(1, _MOST_ROW_SUMS // (self.n_samples * len(self.views_y)))
        for rows in slices(len(self.views_x), height):
            strip = self.strip(rows.start, rows.stop)
            first = len(self.views_y) - len(strip.views_y)
            sums = strip._row_products()
            for i, j in np.ndindex(sums.shape[:2]):
                x, y = rows.start + i, first + j
                if self.is_of_one_set and y < x:
                    continue
                yield x, y, self._jackknifed(x, y, sums[i, j], own_x[x], own_y[y])

    @overflow_is_silent
    def _jackknifed(self, i, j, sums, x, y):
        xy = total_without_each_row(sums, x.times_diagonal_of(y), xp=self.xp)
        views = (self.views_x[i], x), (self.views_y[j], y)
        views = [replace(view, norm=root(alone.squares)) for view, alone in views]
        values = self.measure._of_product(xy, *views, self.n_samples - 1)
        return to_numpy(values, xp=self.xp)

    def pair_effects(self, i, j):
        """What pairs of rows add beyond each row to one pair of views, or None."""
        of_x, of_y = self._matrices
        rows = np.arange(self.n_samples)
        return self.pair(i, j)._effects_of(rows, of_x[i], of_y[j])

    @cached_property
    def _matrices(self):
        """All matrices in double precision on numpy, each made once."""
        of_x = [_matrix_of(form, self.xp) for form in self._forms[0]]
        if self._forms[1] is self._forms[0]:
            return of_x, of_x
        return of_x, [_matrix_of(form, self.xp) for form in self._forms[1]]

    def _row_products(self):
        """Row sums of the elementwise products of all pairs of matrices."""
        forms_x, forms_y = self._forms
        xp, n = self.xp, self.n_samples
        widths = [[form.width for form in forms] for forms in (forms_x, forms_y)]
        are_mixed = math.inf in widths[0] + widths[1]
        if are_mixed or tiles_are_cheaper(*widths, n):
            return row_products_of_tiles(forms_x, forms_y, n, xp=xp)
        rows = [[x.row_products(y, xp=xp) for y in forms_y] for x in forms_x]
        return in_double(xp.stack([xp.stack(row) for row in rows]), xp=xp)

    def for_permutations(self):
        """The form in which each matrix is picked once for all pairs, if that pays."""
        forms_x, forms_y = self._forms
        n_matrices = len(forms_x) / 2 + len(forms_y)
        fits = 8 * self.n_samples**2 * n_matrices <= _MOST_MEMORY
        if not (is_numpy(self.xp) and fits and _picking_pays(forms_x, forms_y)):
            return replace(self, rows=None)
        matrices = [form.dense(xp=np).matrix for form in forms_y]
        dtype = np.result_type(*matrices)
        return self.prepared_as(
            PickedGrid,
            views_x=[view.without_rows() for view in self.views_x],
            views_y=[view.without_rows() for view in self.views_y],
            upper=stacked_upper_blocks(form.dense(xp=np).matrix for form in forms_x),
            matrices=[matrix.astype(dtype, copy=False) for matrix in matrices],
        )


@dataclass(frozen=True)
class _Alone:
    """One matrix without each row in turn.

    Attributes
    ----------
    squares : array of shape (n_samples,)
        Its squared norms.
    diagonal : array of shape (n_samples,) or None
        None of a hollow matrix.
    """

    squares: object
    diagonal: object

    @classmethod
    def of(cls, form, xp):
        squares = in_double(form.self_terms_without_each_row(xp=xp), xp=xp)
        return cls(squares, None if form.hollow else form.diagonal(xp=xp))

    def times_diagonal_of(self, other):
        """Products of two diagonals; None of hollow matrices."""
        return None if self.diagonal is None else self.diagonal * other.diagonal


@dataclass(frozen=True, kw_only=True)
class PickedGrid(InnerProductGrid):
    """Many matrices of which a permutation picks entries; views hold no rows.

    Attributes
    ----------
    upper : UpperBlocks
        Of all of X's matrices.
    matrices : list of arrays of shape (n_samples, n_samples)
        y's, of one dtype.
    """

    upper: object
    matrices: list

    @overflow_is_silent
    def permuted(self, orders):
        """Statistics of all pairs with the rows of all y in each of several orders."""
        values = permuted_products(self.upper, self.matrices, orders)
        for place in np.ndindex(values.shape):
            values[place] = self._of_product(values[place], *place[1:])
        return values


def _matrix_of(form, xp):
    return to_numpy(form.dense(xp=xp).matrix, xp=xp).astype(np.float64)


def _form_of(measure, view, role, xp):
    """Symmetric matrix that a view stands for: itself, unless the measure says."""
    return measure._form(view, role, xp) if hasattr(type(measure), "_form") else view


def _picking_pays(forms_x, forms_y):
    """Whether picking matrix entries beats multiplying what they are kept as."""
    widths = [[form.width for form in forms] for forms in (forms_x, forms_y)]
    if 0 in widths[0] + widths[1]:
        return False
    totals = [sum(each) for each in widths]
    if math.inf in totals:
        return True
    n = forms_x[0].n_samples
    return picking_is_cheaper(n, *totals, len(forms_x), len(forms_y))
