"""Which unit is matched with which, and how well on other rows."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sksim.arrays._sparse_rows import (
    is_sparse,
    matched_products,
    on_cpu,
    some_columns,
    unit_columns_of_sparse,
)
from sksim.arrays._views import some


class MatchedUnitsMixin:
    """A matching of single columns, which can be looked at unit by unit.

    A measure writes ``_partners_of_x()``: for each column of X the column of y that it
    is matched with, or -1.
    """

    def matched_units(self, X, y, *, n_permutations=199, random_state=None):
        """How well each matched pair of units agrees, on rows that fit has not seen.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
            Rows of the first representation. Rows that the matching was fitted to make
            all correlations too large.
        y : array-like or sparse array of shape (n_samples, n_features_y)
            The same rows of the second representation.
        n_permutations : int, default=199
            Number of orders of the rows of y that chance is taken from.
        random_state : int, RandomState instance or None, default=None
            Of the orders.

        Returns
        -------
        units : DataFrame
            A row for each unit of X that has a partner: ``unit`` and ``partner``, the
            columns of X and y; ``correlation`` of both on these rows; ``largest_null``,
            the 95 % quantile of the largest correlation of all pairs by chance; and
            ``pvalue``, corrected for the number of pairs by that maximum. In
            descending order of the correlation.

        Examples
        --------
        >>> import numpy as np
        >>> from sksim.alignment import CorrelationMatch
        >>> rng = np.random.default_rng(0)
        >>> X = rng.normal(size=(200, 3))
        >>> y = X[:, [2, 0, 1]] + rng.normal(size=(200, 3)) * [0.1, 0.1, 10]
        >>> measure = CorrelationMatch().fit(X[:100], y[:100])
        >>> units = measure.matched_units(X[100:], y[100:], random_state=0)
        >>> units[["unit", "partner", "pvalue"]].values.tolist()[:2]
        [[2.0, 0.0, 0.005], [0.0, 1.0, 0.005]]
        """
        # not with the family: most users of a matching need neither
        import pandas as pd

        from sksim.inference import permutations

        check_is_fitted(self)
        rows = self._read(X, y, reset=False)
        A, B = (standardized(on_cpu(a, xp=rows.xp)) for a in rows.arrays)
        partners = np.asarray(self._partners_of_x())
        units = np.flatnonzero(partners >= 0)
        A, B = (
            some_columns(a, index, xp=np)
            for a, index in ((A, units), (B, partners[units]))
        )
        magnitude = np.abs if getattr(self, "absolute", False) else np.asarray
        values = matched_products(A, B, xp=np)
        orders = permutations(A.shape[0], n_permutations, random_state=random_state)
        by_chance = (matched_products(A, some(B, order), xp=np) for order in orders)
        largest = np.array([magnitude(products).max() for products in by_chance])
        exceeding = largest[:, None] >= magnitude(values) - 1e-12
        table = pd.DataFrame(
            {
                "unit": units,
                "partner": partners[units],
                "correlation": values,
                "largest_null": np.quantile(largest, 0.95),
                "pvalue": (1 + exceeding.sum(axis=0)) / (1 + n_permutations),
            }
        )
        order = np.argsort(-magnitude(values), kind="stable")
        return table.iloc[order].reset_index(drop=True)


def standardized(rows):
    """Centred columns of unit norm, constant ones zero."""
    if is_sparse(rows):
        return unit_columns_of_sparse(rows).rows
    rows = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    # of equal numbers the mean may be off by a rounding
    rows[:, np.ptp(rows, axis=0) == 0] = 0
    largest = np.abs(rows).max(axis=0)
    rows /= np.where(largest > 0, largest, 1)
    norms = np.sqrt(np.sum(rows * rows, axis=0))
    return rows / np.where(norms > 0, norms, 1)


def partners_of_plan(plan, width):
    """For each column of X the one that a transport plan gives most mass, or -1."""
    i, j, mass = plan
    partners = np.full(width, -1)
    # the largest mass is written last
    order = np.argsort(mass, kind="stable")
    partners[i[order]] = j[order]
    return partners
