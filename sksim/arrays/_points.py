"""Rows as points of a Euclidean space, for the search of nearest neighbours."""

import math

import numpy as np

from sksim.arrays._linalg import rescaled, role_name, rows_and_norms
from sksim.arrays._namespace import (
    as_float64,
    is_numpy,
    row_blocks_of,
    row_sum_of_squares,
    take,
)
from sksim.arrays._slices import slices

# Entries of a batch of differences of rows.
_BATCH_ELEMENTS = 2**16


class Points:
    """Rows as points of a Euclidean space, in the precision that is asked for."""

    def __init__(self, X, metric, *, xp, role):
        self.xp = xp
        self.n_samples, self.n_features = X.shape
        if metric == "cosine":
            self.X, norms = rows_and_norms(X, xp=xp, role=role)
            self.factors = 1 / norms
        else:
            self.X, _, _ = rescaled(X, xp=xp)
            self.factors = None
        self.mean = self._mean()
        self.squared_norms, self.squared_radii = self._squares()
        # rows nearer than the rounding error of their entries are duplicates
        rounding = (16 * eps(xp.float64, xp=xp)) ** 2 * self.n_features
        self.noise = self.squared_norms * rounding
        self.radius = math.sqrt(float(xp.max(self.squared_radii)))
        if self.radius**2 <= float(xp.max(self.noise)):
            alike = "point in the same direction" if metric == "cosine" else "are equal"
            raise ValueError(
                f"{role_name(role)} is constant: all of its rows {alike}, so that none "
                "is nearer than another. Check that the right array was passed and "
                "that the layer is not dead."
            )

    def _mean(self):
        xp = self.xp
        total = 0.0
        for b in row_blocks_of(self.X):
            if self.factors is None:
                total = total + xp.sum(as_float64(self.X[b, :], xp=xp), axis=0)
            else:
                total = total + self.factors[b] @ as_float64(self.X[b, :], xp=xp)
        return total / self.n_samples

    def _squares(self):
        """Squared distances of the points from zero and from their mean."""
        xp = self.xp
        blocks = row_blocks_of(self.X)
        parts = []
        for b in blocks:
            rows = as_float64(self.X[b, :], xp=xp)
            projections = rows @ self.mean
            if self.factors is None:
                norms = row_sum_of_squares(rows, xp=xp)
            else:
                projections = projections * self.factors[b]
                norms = xp.ones_like(projections)
            parts.append((norms, projections))
        norms, projections = (xp.concat(p) for p in zip(*parts, strict=True))
        radii = norms - 2 * projections + self.mean @ self.mean
        if bool(xp.any(radii < 1e-3 * norms)):
            # there the difference of two large numbers has lost digits
            radii = xp.concat(
                [row_sum_of_squares(self.rows(b) - self.mean, xp=xp) for b in blocks]
            )
        return norms, radii

    def rows(self, which):
        """Points, for a slice or an array of indices, in double precision."""
        xp = self.xp
        is_slice = isinstance(which, slice)
        rows = as_float64(
            self.X[which, :] if is_slice else take(self.X, which, xp=xp), xp=xp
        )
        if self.factors is None:
            return rows
        factors = self.factors[which] if is_slice else take(self.factors, which, xp=xp)
        return rows * factors[:, None]

    def within_unit_ball(self, dtype, *more):
        """All points, centred and divided by the largest distance from the mean.

        ``more`` are further columns.
        """
        xp = self.xp
        if is_numpy(xp):
            # filled in place, which saves copies of the data
            points = np.empty((self.n_samples, self.n_features + len(more)), dtype)
            for b in row_blocks_of(self.X):
                rows = self.rows(b) - self.mean
                rows *= 1 / self.radius
                points[b, : self.n_features] = rows
            for place, column in enumerate(more, start=self.n_features):
                points[:, place] = column
            return points
        blocks = [
            xp.astype((self.rows(b) - self.mean) * (1 / self.radius), dtype)
            for b in row_blocks_of(self.X)
        ]
        columns = [column[:, None] for column in more]
        return xp.concat([xp.concat(blocks), *columns], axis=1)

    def squared_distances(self, first, second):
        """Squared distances of pairs of points, to eleven digits."""
        return self.xp.concat(
            [
                self._squared_distances(first[b], second[b])
                for b in batches(first.shape[0], self.n_features)
            ]
        )

    def _squared_distances(self, first, second):
        xp = self.xp
        products = _row_products(
            take(self.X, first, xp=xp), take(self.X, second, xp=xp), xp=xp
        )
        if self.factors is not None:
            factors = take(self.factors, first, xp=xp)
            products = products * factors * take(self.factors, second, xp=xp)
        norms = take(self.squared_norms, first, xp=xp)
        norms = norms + take(self.squared_norms, second, xp=xp)
        distances = norms - 2 * products
        is_near = distances < 1e-3 * norms
        if not bool(xp.any(is_near)):
            return distances
        # there the difference of two large numbers has lost digits
        by_rows = row_sum_of_squares(self.rows(first) - self.rows(second), xp=xp)
        distances = xp.where(is_near, by_rows, distances)
        noise = (take(self.noise, rows, xp=xp) for rows in (first, second))
        is_duplicate = distances <= xp.maximum(*noise)
        return xp.where(is_duplicate, xp.zeros_like(distances), distances)


def _row_products(A, B, *, xp):
    """Inner product of each row of A with the same row of B, in double precision."""
    if is_numpy(xp):
        return np.einsum("ij,ij->i", A, B, dtype=np.float64)
    return xp.sum(as_float64(A, xp=xp) * as_float64(B, xp=xp), axis=1)


def batches(n_rows, n_columns):
    """Slices of rows that hold few enough entries to stay in the cache."""
    size = max(1, _BATCH_ELEMENTS // n_columns)
    return slices(n_rows, size)


def eps(dtype, *, xp):
    """Distance from 1 to the next number of a precision."""
    return float(xp.finfo(dtype).eps)
