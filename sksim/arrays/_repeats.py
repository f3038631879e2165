"""Repeated measurements of rows, and products of which no measurement meets itself.

With trials z_r = s + noise of a row, r = 1..m, the mean of z_r z_q' over distinct r and
q is an unbiased estimate of s s', whatever the noise's covariance; the mean's own outer
product is not. Sums of such matrices G need only the trials' sums and inner products.
"""

from dataclasses import dataclass, replace

import numpy as np

from sksim.arrays._linalg import centered, row_factor
from sksim.arrays._namespace import (
    as_float64,
    device_of,
    inner,
    move_to,
    row_sum_of_squares,
)

# Ways in which the trials of a row are halved: more of them share most of their trials.
_MOST_SPLITS = 8


@dataclass(frozen=True)
class Trials:
    """Several trials of each row.

    Attributes
    ----------
    rows : array of shape (n_samples, most, n_features)
        In double precision, zero where a row has fewer trials than most.
    present : array of shape (n_samples, most)
        1 for trials, 0 for what fills up.
    counts : array of shape (n_samples,)
    """

    rows: object
    present: object
    counts: object

    @classmethod
    def of(cls, X, codes, *, xp):
        """Trials of rows of X by the number of the row that each repeats.

        Parameters
        ----------
        X : array of shape (n_trials, n_features)
        codes : int array of shape (n_trials,) of numpy
        """
        counts = np.bincount(codes)
        order = np.argsort(codes, kind="stable")
        starts = np.cumsum(counts) - counts
        place = np.arange(counts.max())[None, :]
        present = place < counts[:, None]
        index = order[np.where(present, starts[:, None] + place, 0)].reshape(-1)
        index, present, counts = (
            move_to(np.asarray(a), xp=xp, device=device_of(X))
            for a in (index, present.astype(float), counts.astype(float))
        )
        taken = xp.take(as_float64(X, xp=xp), index, axis=0)
        rows = xp.reshape(taken, (*present.shape, X.shape[1]))
        return cls(rows * present[:, :, None], present, counts)

    @property
    def n_samples(self):
        """Number of rows."""
        return self.rows.shape[0]

    def sums(self, *, xp):
        """Sum of each row's trials."""
        return xp.sum(self.rows, axis=1)

    def means(self, *, xp):
        """Mean of each row's trials."""
        return self.sums(xp=xp) / self.counts[:, None]

    def centred(self, *, xp):
        """Trials minus the mean of the rows' means, in units of the scale returned."""
        means = self.means(xp=xp)
        _, mean, scale, _ = centered(means, xp=xp)
        rows = (self.rows - mean) * (1.0 / scale)
        rows = rows * self.present[:, :, None]
        # what rounding has left
        rest = xp.mean(replace(self, rows=rows).means(xp=xp), axis=0)
        rows = (rows - rest) * self.present[:, :, None]
        return replace(self, rows=rows), scale

    def narrow(self, *, xp):
        """Trials with the same inner products and no more columns than trials."""
        n, most, width = self.rows.shape
        if width <= n * most:
            return self
        rows = row_factor(xp.reshape(self.rows, (n * most, width)), xp=xp)
        return replace(self, rows=xp.reshape(rows, (n, most, n * most)))

    def halves(self, *, equal=False, xp):
        """Means of two disjoint halves of each row's trials, in several ways.

        With ``equal`` of as many trials of each row, those of the row with the fewest:
        noise then adds as much to the norm of each.
        """
        counts = np.asarray(move_to(self.counts, xp=np, device="cpu"), dtype=int)
        counts, most = counts[:, None], counts.max()
        size, rest = counts // 2, counts - counts // 2
        if equal:
            size = rest = counts.min() // 2
        is_balanced = not equal or counts.min() == most
        n_splits = most // 2 if is_balanced and most % 2 == 0 else most
        place = np.arange(most)[None, :]
        for shift in range(min(n_splits, _MOST_SPLITS)):
            turned = np.where(place < counts, (place - shift) % counts, most)
            first = turned < size
            second = ~first & (turned < size + rest)
            yield tuple(self._mean_of(some, xp) for some in (first, second))

    def _mean_of(self, some, xp):
        weights = some / some.sum(axis=1, keepdims=True)
        weights = move_to(weights, xp=xp, device=device_of(self.rows))
        return xp.sum(self.rows * weights[:, :, None], axis=1)


def squares_of_distinct(trials, *, xp):
    """Unbiased squared norm of each row, of shape (n_samples,)."""
    sums, m = trials.sums(xp=xp), trials.counts
    own = xp.sum(trials.rows * trials.rows, axis=(1, 2))
    return (row_sum_of_squares(sums, xp=xp) - own) / (m * (m - 1))


def noise_of_means(trials, *, xp):
    """What the noise adds to the squared norm of each row's mean, on average."""
    means = trials.means(xp=xp)
    return row_sum_of_squares(means, xp=xp) - squares_of_distinct(trials, xp=xp)


def self_term_of_distinct(trials, *, xp):
    """<K, K> of the bias-corrected linear kernel K of the rows without their noise.

    The U-statistic of HSIC over distinct rows, each product of two of whose entries is
    the mean over distinct trials of the rows that both share.

    Parameters
    ----------
    trials : Trials
        Centred.
    """
    trials = trials.narrow(xp=xp)
    rows, m = trials.rows, trials.counts
    n, most, width = rows.shape
    pairs = m * (m - 1)
    sums, means = trials.sums(xp=xp), trials.means(xp=xp)
    flat = xp.reshape(rows, (n * most, width))
    weights = xp.reshape(trials.present / pairs[:, None], (n * most,))
    total = (sums / pairs[:, None]).T @ sums - (flat * weights[:, None]).T @ flat
    gram = rows @ xp.matrix_transpose(rows)
    of_trials = xp.sum(gram, axis=2)
    whole = xp.sum(of_trials, axis=1)
    crossed = row_sum_of_squares(of_trials, xp=xp)
    own = (whole**2 - 2 * crossed + xp.sum(gram * gram, axis=(1, 2))) / pairs**2
    by_means = (whole**2 - crossed) / (pairs * m * m)
    of_means = means.T @ means
    squares = row_sum_of_squares(means, xp=xp)
    return _u_statistic(
        n,
        inner(total, total, xp=xp) - xp.sum(own),
        2 * xp.sum(by_means) - inner(total, of_means, xp=xp),
        xp.sum(squares),
        inner(squares, squares, xp=xp),
        inner(of_means, of_means, xp=xp),
    )


def self_term_of_columns(trials, *, xp):
    """The same of each column alone, summed over the columns."""
    rows, m = trials.rows, trials.counts[:, None]
    sums, means = trials.sums(xp=xp), trials.means(xp=xp)
    unbiased = (sums * sums - xp.sum(rows * rows, axis=1)) / (m * (m - 1))
    squares = means * means
    total, of_means = xp.sum(unbiased, axis=0), xp.sum(squares, axis=0)
    terms = _u_statistic(
        trials.n_samples,
        total * total - xp.sum(unbiased * unbiased, axis=0),
        2 * xp.sum(squares * unbiased, axis=0) - total * of_means,
        of_means,
        xp.sum(squares * squares, axis=0),
        of_means * of_means,
    )
    return xp.sum(terms)


def _u_statistic(n, two, three, diagonal, squared_diagonal, squared_norm):
    """N (n - 3) times HSIC of sums over distinct rows.

    Parameters
    ----------
    two, three : sums of products of K_ij with L_ij, and with L_iq
    diagonal, squared_diagonal, squared_norm : sums of the means' centred kernel
        Of its diagonal, of the squares of that, and of all squared entries: products
        of K_ij with L_qr share no row, and so no noise.
    """
    four = diagonal**2 - 4 * squared_diagonal
    four = four + 2 * (squared_norm - squared_diagonal)
    of_three = n * (n - 1) * (n - 2)
    value = two / (n * (n - 1)) - 2 * three / of_three + four / (of_three * (n - 3))
    return n * (n - 3) * value


def unbiased_square_sum(trials, *, center, xp):
    """Squared norm of the rows without their noise, centred or as they are.

    Of trials that are centred where ``center`` is set.
    """
    total = xp.sum(squares_of_distinct(trials, xp=xp))
    if not center:
        return total
    noise = xp.sum(noise_of_means(trials, xp=xp))
    return total + noise / trials.n_samples
