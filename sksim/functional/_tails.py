"""What the tokens that are not listed can add to a divergence, at least and at most."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from scipy.special import rel_entr

# A listed token of probability 0 has the weight of this: its place still has limits.
_NOTHING = 1e-300
# Halvings of where the rest's mass may be: 1e-15 of 1 is left, where the bound is flat.
_N_HALVINGS = 50


def terms(kind, p, q):
    """What pairs of probabilities add to a divergence, of Hellinger's to its square."""
    if kind == "kl":
        return rel_entr(p, q)
    if kind == "reverse_kl":
        return rel_entr(q, p)
    if kind == "tv":
        return np.abs(p - q) / 2
    if kind == "hellinger":
        return (np.sqrt(p) - np.sqrt(q)) ** 2 / 2
    middle = (p + q) / 2
    return (rel_entr(p, middle) + rel_entr(q, middle)) / 2


@dataclass(frozen=True)
class Side:
    """What one model's list says of the tokens that it does not hold.

    Attributes
    ----------
    others : array of shape (n_rows, n_places)
        The other model's probabilities of tokens that only its list holds; 0 elsewhere.
    is_there : bool array of the same shape
        Which places hold one.
    tail : array of shape (n_rows,)
        Probability of all unlisted tokens.
    cap : array of shape (n_rows,)
        The most that an unlisted token may have.
    """

    others: np.ndarray
    is_there: np.ndarray
    tail: np.ndarray
    cap: np.ndarray

    @property
    def n_others(self):
        """Number of tokens of the other list only."""
        return self.is_there.sum(axis=1)

    def rows(self, some):
        """The same of some rows."""
        parts = self.others, self.is_there, self.tail, self.cap
        return Side(*(part[some] for part in parts))


@dataclass(frozen=True)
class Tails:
    """All that is not listed by both, row by row.

    Attributes
    ----------
    p, q : Side
        ``p.others`` are q's probabilities of the tokens that only q lists.
    n_rest : array of shape (n_rows,)
        Number of tokens that no list holds.
    floor : float
        The least that an unlisted token may have.
    """

    p: Side
    q: Side
    n_rest: np.ndarray
    floor: float

    def with_tails(self, tail_p, tail_q):
        """The same with other tail masses."""
        p, q = replace(self.p, tail=tail_p), replace(self.q, tail=tail_q)
        return replace(self, p=p, q=q)

    def rows(self, some):
        """The same of some rows."""
        return Tails(
            self.p.rows(some), self.q.rows(some), self.n_rest[some], self.floor
        )

    # ----- at least -------------------------------------------------------------------

    def least(self, kinds):
        """Smallest sums over unlisted tokens, one array for each kind of divergence.

        Each unknown probability is the other model's, times a factor that is common to
        a model, within its limits; all tokens of the rest are one.
        """
        of_p = _Scaled(self.p, self.floor)
        of_q = _Scaled(self.q, self.floor)
        low, high = self._masses_of_the_rest()
        for _ in range(_N_HALVINGS):
            middle = (low + high) / 2
            answer = of_p.rest_beside(
                of_q.rest_beside(middle, self.n_rest), self.n_rest
            )
            is_more = answer > middle
            low, high = np.where(is_more, middle, low), np.where(is_more, high, middle)
        rest_q = of_q.rest_beside(high, self.n_rest)
        only_p = of_q.others_beside(high, self.n_rest)
        only_q = of_p.others_beside(rest_q, self.n_rest)
        rest_p = of_p.rest_beside(rest_q, self.n_rest)
        return [
            terms(kind, self.q.others, only_p).sum(axis=1)
            + terms(kind, only_q, self.p.others).sum(axis=1)
            + terms(kind, rest_p, rest_q)
            for kind in kinds
        ]

    def _masses_of_the_rest(self):
        """Least and most of p's tail that can be the rest's."""
        n_others = self.p.n_others
        low = self.p.tail - n_others * self.p.cap
        high = self.p.tail - n_others * self.floor
        least, most = self.n_rest * self.floor, self.n_rest * self.p.cap
        low = np.clip(low, least, most)
        return low, np.clip(high, low, most)

    # ----- at most --------------------------------------------------------------------

    def most(self, kinds):
        """Largest sums over unlisted tokens, one array for each kind of divergence.

        Both models are as uneven as their limits allow, in opposite orders.
        """
        of_p, of_q = (
            _Uneven(side, self.n_rest, self.floor) for side in (self.p, self.q)
        )
        total = [0.0] * len(kinds)
        for width, p, q in self._segments(of_p, of_q):
            for i, kind in enumerate(kinds):
                with np.errstate(invalid="ignore"):
                    value = width * terms(kind, p, q)
                total[i] = total[i] + np.where(width > 0, value, 0)
        sorted_p, values_q = of_q.beside_the_others()
        sorted_q, values_p = of_p.beside_the_others()
        return [
            total[i]
            + terms(kind, sorted_p, values_q).sum(axis=1)
            + terms(kind, values_p, sorted_q).sum(axis=1)
            for i, kind in enumerate(kinds)
        ]

    def _segments(self, of_p, of_q):
        """(length, p, q) of stretches of the rest on which both are constant.

        The rest in an order in which p rises and q falls.
        """
        n_rest = self.n_rest
        edges = [np.zeros_like(n_rest), *of_q.edges_from_the_top(), n_rest]
        edges = [*edges, *(edge - self.p.n_others for edge in of_p.edges())]
        edges = np.sort([np.clip(edge, 0, n_rest) for edge in edges], axis=0)
        for start, stop in pairwise(edges):
            p = of_p.at(self.p.n_others + start)
            q = of_q.at(of_q.n - 1 - start)
            yield stop - start, p, q


class _Scaled:
    """One model's unknown probabilities as multiples of the other's, within limits."""

    def __init__(self, side, floor):
        self.side, self.floor = side, floor
        there = side.is_there
        self.weights = np.where(there, np.maximum(side.others, _NOTHING), 0)
        self.low = np.where(there, floor, 0.0)
        self.high = np.where(there, side.cap[:, None], 0.0)
        weights = np.where(there, self.weights, 1)
        limits = [self.low / weights, self.high / weights]
        self.points = np.sort(np.concatenate(limits, axis=1), axis=1)

    def rest_beside(self, rest_of_other, n_rest):
        """Mass of the rest, where the other model's rest has a given mass."""
        factor, limits = self._factor(rest_of_other, n_rest)
        return np.clip(factor * rest_of_other, *limits)

    def others_beside(self, rest_of_other, n_rest):
        """Probabilities of what only the other model lists."""
        factor, _ = self._factor(rest_of_other, n_rest)
        return self._clipped(factor)

    def _clipped(self, factor):
        return np.clip(factor[:, None] * self.weights, self.low, self.high)

    def _factor(self, rest, n_rest):
        """The factor for which all unknown probabilities add up to the tail."""
        limits = n_rest * self.floor, n_rest * self.side.cap
        tail = self.side.tail
        left, right = self._segment(rest, limits)
        inside = np.where(np.isfinite(right), left / 2 + right / 2, 2 * left + 1)
        values = inside[:, None] * self.weights
        moves = (self.low < values) & (values < self.high)
        slope = np.where(moves, self.weights, 0).sum(axis=1)
        known = tail - np.where(moves, 0, np.clip(values, self.low, self.high)).sum(
            axis=1
        )
        factor = _quotient(known, slope + rest, left)
        for limit, beyond in zip(limits, (np.less, np.greater), strict=True):
            at_limit = beyond(factor * rest, limit)
            factor = np.where(at_limit, _quotient(known - limit, slope, left), factor)
        return np.clip(factor, left, right), limits

    def _segment(self, rest, limits):
        """Neighbouring points, between which all probabilities are linear."""
        rows = np.arange(len(rest))
        n_points = self.points.shape[1]
        first, last = np.zeros(len(rest), int), np.full(len(rest), n_points)
        for _ in range(n_points.bit_length()):
            middle = (first + last) // 2
            factor = self.points[rows, np.minimum(middle, n_points - 1)]
            total = self._clipped(factor).sum(axis=1) + np.clip(factor * rest, *limits)
            is_below = (total <= self.side.tail) & (first < last)
            first = np.where(is_below, middle + 1, first)
            last = np.where(is_below | (first > last), last, middle)
        padded = np.pad(self.points, ((0, 0), (1, 1)), constant_values=(0, np.inf))
        return padded[rows, first], padded[rows, first + 1]


def _quotient(a, b, otherwise):
    return np.where(b > 0, a / np.where(b > 0, b, 1), otherwise)


class _Uneven:
    """One model's unlisted probabilities, as uneven as their limits allow.

    In rising order: the floor, one remainder, the cap.
    """

    def __init__(self, side, n_rest, floor):
        self.side, self.floor = side, floor
        self.n = side.n_others + n_rest
        excess = side.tail - self.n * floor
        width = side.cap - floor
        n_caps = np.floor(_quotient(excess, width, 0.0))
        self.n_caps = np.clip(n_caps, 0, self.n).astype(np.int64)
        remainder = floor + excess - self.n_caps * width
        self.remainder = np.clip(remainder, floor, np.maximum(side.cap, floor))

    def edges(self):
        """Places at which the value changes."""
        return [self.n - self.n_caps - 1, self.n - self.n_caps]

    def edges_from_the_top(self):
        """The same, counted from the largest value."""
        return [self.n_caps, self.n_caps + 1]

    def at(self, places):
        """Values at places, one for each row or more."""
        columns = (-1,) + (1,) * (np.ndim(places) - 1)
        first, second = (edge.reshape(columns) for edge in self.edges())
        cap, remainder = (
            each.reshape(columns) for each in (self.side.cap, self.remainder)
        )
        below = np.where(places < first, self.floor, remainder)
        return np.where(places < second, below, cap)

    def beside_the_others(self):
        """What only the other list holds, falling, and the values that it gets."""
        others = np.where(self.side.is_there, self.side.others, -1)
        falling = -np.sort(-others, axis=1)
        places = np.broadcast_to(np.arange(others.shape[1]), others.shape)
        values = np.where(falling >= 0, self.at(places), 0)
        return np.maximum(falling, 0), values
