"""Kernels that are cut down to neighbours first and centred afterwards."""

from dataclasses import dataclass, replace

import numpy as np

from sksim.arrays._linalg import rescaled, role_name, unit_rows
from sksim.arrays._namespace import as_float64, to_numpy
from sksim.arrays._neighbors import nearest_neighbors
from sksim.arrays._shared_places import SharedPlaces, products_of_pairs
from sksim.arrays._views import View


@dataclass(frozen=True)
class MaskedKernel(View):
    """Kernel at the neighbours, entry by entry, on numpy.

    ``values`` are weighed by the shares of places; ``diagonal`` is None where a row is
    not its own neighbour. ``norm`` is the root of the product with itself.
    """

    places: SharedPlaces
    values: np.ndarray
    diagonal: np.ndarray | None
    norm: float
    n_tied: int

    _row_fields = ("places", "diagonal")

    def with_table(self, *, xp):
        """The same with what finds its entries."""
        return replace(self, places=self.places.with_index())


def masked_kernel(X, measure, *, xp, role):
    """View of one representation for one of the estimators that centre last."""
    k, own = measure.n_neighbors, measure.estimator == "hsic_biased"
    if own and k < 2:
        raise ValueError(
            "estimator='hsic_biased' counts each row among its own neighbours, so that "
            "n_neighbors must be at least 2."
        )
    neighbors = nearest_neighbors(
        X,
        k - own,
        metric=measure.metric,
        algorithm=measure.algorithm,
        xp=xp,
        role=role,
    )
    rows = as_float64(X, xp=xp)
    if measure.metric == "cosine":
        rows = unit_rows(rows, xp=xp, role=role)
    rows = to_numpy(rescaled(rows, xp=xp)[0], xp=xp)
    places = neighbors.places(xp=xp)
    values = places.shares * products_of_pairs(rows, places.rows, places.columns)
    diagonal = np.einsum("ij,ij->i", rows, rows) if own else None
    view = MaskedKernel(places, values, diagonal, 1.0, neighbors.n_tied)
    every = np.arange(len(values))
    product = masked_product(view, view, every, every, measure.estimator)
    if not product > 1e-12 * float(values @ values):
        raise ValueError(
            f"The kernel of {role_name(role)} at its neighbours is zero once it is "
            "centred, so that nothing is left to compare. Choose more neighbours, or "
            "estimator='double_centred'."
        )
    return replace(view, norm=product**0.5)


def masked_product(view_x, view_y, own, theirs, estimator):
    """Product of two kernels at shared entries, centred after they were cut down.

    Parameters
    ----------
    view_x, view_y : MaskedKernel
    own, theirs : int arrays
        Entries of both that are for the same pair of rows.
    estimator : {"hsic_unbiased", "hsic_biased", "masked_then_centred"}
    """
    n = view_x.places.n_samples
    rows, columns = view_x.places.rows[own], view_x.places.columns[own]
    a, b = view_x.values[own], view_y.values[theirs]
    of_rows, of_columns = (
        [np.bincount(index, values, minlength=n) for values in (a, b)]
        for index in (rows, columns)
    )
    if view_x.diagonal is not None:
        for sums in (of_rows, of_columns):
            sums[0], sums[1] = sums[0] + view_x.diagonal, sums[1] + view_y.diagonal
    totals = of_rows[0].sum() * of_rows[1].sum()
    if estimator == "masked_then_centred":
        removed = of_rows[0] @ of_rows[1] + of_columns[0] @ of_columns[1]
        return float(a @ b - removed / n + totals / n**2)
    trace = _trace_of_product(rows, columns, a, b, n)
    if estimator == "hsic_unbiased":
        crossed = 2 * (of_columns[0] @ of_rows[1])
        return float(trace - crossed / (n - 2) + totals / ((n - 1) * (n - 2)))
    trace += view_x.diagonal @ view_y.diagonal
    removed = of_columns[0] @ of_rows[1] + of_columns[1] @ of_rows[0]
    return float(trace - removed / n + totals / n**2)


def _trace_of_product(rows, columns, a, b, n):
    """Trace of the product of two sparse matrices with entries at the same places."""
    keys, transposed = rows * n + columns, columns * n + rows
    order = np.argsort(keys)
    places = np.minimum(np.searchsorted(keys[order], transposed), len(keys) - 1)
    found = order[places] if len(keys) else places
    is_there = keys[found] == transposed
    return float(a[is_there] @ b[found[is_there]])
