"""Statistics made of the inner product of two n x n matrices, one for each view."""

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from sksim.utils._array_api import is_numpy
from sksim.utils._picking import (
    permuted_inner,
    permuted_products,
    picking_is_cheaper,
    stacked_upper_blocks,
    upper_blocks,
)

# Memory that the matrices of all views together may take, in bytes.
_MOST_MEMORY = 2**30


@dataclass(frozen=True)
class PickedView:
    """A view, or a list of views, with the matrices that permutations pick from."""

    view: object
    matrix: object


class PickedProductMixin:
    """A statistic that is a function of the inner product of two symmetric matrices.

    Where that is cheaper than comparing views anew, a permutation picks the entries of
    y's matrix in the new order; of many views on both sides, each matrix once for all
    pairs.
    """

    @abstractmethod
    def _product_shape(self, view):
        """(n_samples, width) of the factor that a view can be compared by.

        The width is infinite where comparing takes an n x n matrix anyway, and 0 where
        there is to be none.
        """

    @abstractmethod
    def _product_matrix(self, view, role, xp):
        """Symmetric n x n matrix of a view."""

    def _of_product(self, product, view_x, view_y):
        """Statistic of the inner product of the matrices of two views."""
        return product

    def _prepare_permutations(self, view_x, view_y, xp):
        if not self._picking_pays([view_x], [view_y]):
            return view_x, view_y
        K = self._product_matrix(view_x, "x", xp)
        L = self._product_matrix(view_y, "y", xp)
        return PickedView(view_x, upper_blocks(K, xp=xp)), PickedView(view_y, L)

    def _compare_permuted(self, view_x, view_y, orders, xp):
        if not isinstance(view_x, PickedView):
            return super()._compare_permuted(view_x, view_y, orders, xp)
        products = permuted_inner(view_x.matrix, view_y.matrix, orders, xp=xp)
        return [self._of_product(p, view_x.view, view_y.view) for p in products]

    def _prepare_many(self, views_x, views_y, xp):
        n_matrices = len(views_x) / 2 + len(views_y)
        n_samples = self._product_shape(views_x[0])[0]
        fits = 8 * n_samples**2 * n_matrices <= _MOST_MEMORY
        if not (is_numpy(xp) and fits and self._picking_pays(views_x, views_y)):
            return views_x, views_y
        of_x = (self._product_matrix(view, "x", xp) for view in views_x)
        of_y = [self._product_matrix(view, "y", xp) for view in views_y]
        dtype = np.result_type(*of_y)
        of_y = [matrix.astype(dtype, copy=False) for matrix in of_y]
        return (
            PickedView(views_x, stacked_upper_blocks(of_x)),
            PickedView(views_y, of_y),
        )

    def _compare_many_permuted(self, views_x, views_y, orders, xp):
        if not isinstance(views_x, PickedView):
            return super()._compare_many_permuted(views_x, views_y, orders, xp)
        products = permuted_products(views_x.matrix, views_y.matrix, orders)
        statistics = np.empty(products.shape)
        for i, x in enumerate(views_x.view):
            for j, y in enumerate(views_y.view):
                values = (self._of_product(p, x, y) for p in products[:, i, j])
                statistics[:, i, j] = list(values)
        return statistics

    def _picking_pays(self, views_x, views_y):
        n_samples = self._product_shape(views_x[0])[0]
        widths = [
            [self._product_shape(view)[1] for view in views]
            for views in (views_x, views_y)
        ]
        if 0 in widths[0] + widths[1]:
            return False
        total_x, total_y = map(sum, widths)
        if math.inf in (total_x, total_y):
            return True
        return picking_is_cheaper(
            n_samples, total_x, total_y, len(views_x), len(views_y)
        )
