"""Bounds of a divergence of which only the most probable tokens are known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
import pandas as pd

from sksim._results import ResultMixin
from sksim._typing import ArrayLike
from sksim.arrays._namespace import row_slices
from sksim.functional._tails import Side, Tails, terms
from sksim.functional._token_lists import places_in

KINDS = ("kl", "reverse_kl", "js", "tv", "hellinger")
# Probabilities of float32 lists add up to 1 within this.
_TOLERANCE = 1e-5
# Bounds move by some 10 times the relative error of a tail: this is out of sight.
_NEGLIGIBLE = 1e-11
# Error of 1 less a sum of probabilities, for each listed token.
_ROUNDING = 1e-15
# Tails that are tried of an interval which is not small: of tails .1 +- .002 the least
# divergence of a list of 5 is then found to 1e-6.
_N_BETWEEN = 5
# Entries of rows that are worked on together.
_N_ENTRIES = 2**18


@dataclass(frozen=True)
class DivergenceBoundsResult(ResultMixin):
    """Between what a divergence lies, row by row.

    Attributes
    ----------
    lower, upper : ndarray of shape (n_rows,) or (n_samples, n_positions)
        Bounds in nats (for "tv" and "hellinger" in [0, 1]); ``upper`` may be infinite.
    kind : str
        Which divergence.
    """

    lower: np.ndarray
    upper: np.ndarray
    kind: str

    def to_frame(self) -> pd.DataFrame:
        """Table with one row for each list and the columns ``lower`` and ``upper``."""
        bounds = {"lower": self.lower.ravel(), "upper": self.upper.ravel()}
        return pd.DataFrame(bounds)


def divergence_bounds(
    ids_p: ArrayLike | Sequence[ArrayLike],
    logp_p: ArrayLike | Sequence[ArrayLike],
    ids_q: ArrayLike | Sequence[ArrayLike] | None,
    logp_q: ArrayLike | Sequence[ArrayLike],
    *,
    n_tokens: int,
    kind: Literal["kl", "reverse_kl", "js", "tv", "hellinger"] = "kl",
    floor: float = 0.0,
    cap: bool | tuple[bool, bool] = True,
    tail_p: ArrayLike | None = None,
    tail_q: ArrayLike | None = None,
    rounding: float | None = None,
) -> DivergenceBoundsResult:
    r"""Sharp bounds of a divergence of which the largest log-probabilities are known.

    Services and logs give the K most probable tokens of a distribution over many. What
    they leave unsaid has a known total, 1 less the listed probabilities, and each
    unlisted token has no more than the least that is listed. Within these limits the
    divergence of two models lies between the bounds, and comes as close to both as one
    likes.

    Parameters
    ----------
    ids_p : int array-like of shape (n_rows, k) or (n_samples, n_positions, k)
        Numbers of the tokens that the first model lists, 0 to ``n_tokens`` - 1. Rows
        may differ in length, as sequences of arrays, or padded by numbers below 0.
    logp_p : array-like of the same shape
        Natural logarithms of their probabilities.
    ids_q : int array-like, sequence of arrays or None
        The same of the second model. None: of the tokens in ``ids_p``.
    logp_q : array-like
        Natural logarithms of their probabilities.
    n_tokens : int
        Number of tokens there are.
    kind : {"kl", "reverse_kl", "js", "tv", "hellinger"}, default="kl"
        KL(p \|\| q), KL(q \|\| p), Jensen-Shannon's divergence, total variation or
        Hellinger's distance.
    floor : float, default=0
        The least that an unlisted token has in both models. With 0 an unlisted token
        may be impossible, which makes upper bounds of "kl" and "reverse_kl" infinite.
    cap : bool or tuple of two bools, default=True
        Whether an unlisted token has no more than the least listed one, for both models
        or for each. False for a model whose list are not its most probable tokens, as
        where both are asked for those of p: (True, False).
    tail_p, tail_q : array-like of shape (n_rows,), default=None
        Probability of all unlisted tokens, where it is known; None: 1 less the listed.
    rounding : float, default=None
        How far a tail may be off; None: 1e-15 for each listed token, nothing for known
        tails. Small tails are widened by it to both sides. Log-probabilities that were
        rounded to single precision are off by 1e-7 or so, to 16 bits by 1e-2.

    Returns
    -------
    result : DivergenceBoundsResult
        With the attributes ``lower`` and ``upper``.

    Raises
    ------
    ValueError
        If lists and log-probabilities differ in shape, a token is listed twice or there
        are fewer than that, probabilities add up to more than 1, or the tail has no
        room in the limits.

    See Also
    --------
    output_drift : Divergences of full distributions, or of such lists.
    KullbackLeibler : The divergence itself.

    Notes
    -----
    All are sums of one function of p and q over tokens (of Hellinger's distance it is
    the square), convex in both and homogeneous of degree 1. So to merge tokens never
    raises the sum: the least is that of one token for the rest, with each unknown
    probability as near to proportional to the other model's as the limits allow, the
    same for all. The largest sum is at an extreme point of the limits: unlisted
    probabilities are at the floor, or at the cap, but for one, and in opposite orders
    in the two models.

    A tail of 1e-12 is lost in the rounding of 1 less the listed probabilities, and with
    it what KL says of tokens that only p lists: the bounds are then as wide as that
    leaves them, and ``tail_q`` brings them back.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.functional import divergence_bounds
    >>> p, q = np.array([0.6, 0.25, 0.1, 0.05]), np.array([0.5, 0.3, 0.05, 0.15])
    >>> result = divergence_bounds(
    ...     [[0, 1]], [np.log(p[:2])], [[0, 1]], [np.log(q[:2])], n_tokens=4, kind="js"
    ... )
    >>> result.lower.round(4), result.upper.round(4)
    (array([0.0052]), array([0.1247]))
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}.")
    bounds = bounds_of_lists(
        [kind],
        (ids_p, logp_p),
        (ids_p if ids_q is None else ids_q, logp_q),
        n_tokens=n_tokens,
        floor=floor,
        cap=cap,
        tails=(tail_p, tail_q),
        rounding=rounding,
    )
    return DivergenceBoundsResult(*bounds[kind], kind)


def bounds_of_lists(
    kinds,
    list_p,
    list_q,
    *,
    n_tokens,
    floor=0.0,
    cap=True,
    tails=(None, None),
    rounding=None,
):
    """(Lower, upper) of each kind of divergence, by name; see `divergence_bounds`."""
    _check_limits(floor, rounding, n_tokens)
    ids_p, log_p, shape = read_lists(*list_p, "p", n_tokens)
    ids_q, log_q, others = read_lists(*list_q, "q", n_tokens)
    if shape != others:
        raise ValueError(
            f"The lists of p have the shape {shape} before their last axis, those of q "
            f"{others}: both need one list for each of the same rows."
        )
    tails = [
        _known_tail(tail, name, shape)
        for tail, name in zip(tails, ("tail_p", "tail_q"), strict=True)
    ]
    caps = (cap, cap) if isinstance(cap, bool | np.bool_) else tuple(cap)
    found = {kind: np.empty((2, len(ids_p))) for kind in kinds}
    for b in row_slices(len(ids_p), ids_p.shape[1] + ids_q.shape[1], _N_ENTRIES):
        parts = _parts(
            (ids_p[b], log_p[b]),
            (ids_q[b], log_q[b]),
            n_tokens=n_tokens,
            floor=float(floor),
            caps=caps,
            tails=[None if tail is None else tail[b] for tail in tails],
            rounding=rounding,
            first=b.start,
        )
        for kind, bounds in _bounds(kinds, *parts).items():
            found[kind][:, b] = bounds
    return {kind: each.reshape(2, *shape) for kind, each in found.items()}


# ----- the bounds ---------------------------------------------------------------------


def _bounds(kinds, listed, rest, widths):
    """Both bounds; where a tail is small, of all that its rounding leaves possible."""
    lower, upper = np.array(rest.least(kinds)), np.array(rest.most(kinds))
    small = [
        np.flatnonzero(width > _NEGLIGIBLE * side.tail)
        for side, width in zip((rest.p, rest.q), widths, strict=True)
    ]
    some = np.union1d(*small)
    if len(some):
        part = rest.rows(some)
        limits = [
            _widened(side, width[some], part)
            for side, width in zip((part.p, part.q), widths, strict=True)
        ]
        for tails in product(*limits):
            moved = part.with_tails(*tails)
            lower[:, some] = np.minimum(lower[:, some], moved.least(kinds))
            upper[:, some] = np.maximum(upper[:, some], moved.most(kinds))
    found = {}
    for kind, low, high in zip(kinds, lower, upper, strict=True):
        of_both = terms(kind, *listed).sum(axis=1)
        # sums of terms of both signs: 0 may come out just below
        low = np.maximum(low + of_both, 0)
        high = np.maximum(high + of_both, low)
        is_square = kind == "hellinger"
        found[kind] = (np.sqrt(low), np.sqrt(high)) if is_square else (low, high)
    return found


def _widened(side, width, rest):
    """Tails that are tried: those at both ends, and between them if they are apart."""
    least, most = _room(side, rest.n_rest, rest.floor)
    is_wide = np.any(width > _TOLERANCE)
    moves = np.linspace(-1, 1, _N_BETWEEN) if is_wide else (-1, 1)
    return [np.clip(side.tail + move * width, least, most) for move in moves]


def _room(side, n_rest, floor):
    """Least and most that all unlisted tokens can have together."""
    n = side.n_others + n_rest
    return n * floor, n * np.maximum(side.cap, floor)


# ----- what is listed by both, by one, by none ----------------------------------------


def _parts(of_p, of_q, *, n_tokens, floor, caps, tails, rounding, first):
    """(Listed pairs, unlisted tails, how far these may be off) of some rows."""
    places, is_in_q = places_in(of_p[0], of_q[0])
    is_listed = [ids >= 0 for ids, _ in (of_p, of_q)]
    p, q = (np.exp(logs) for _, logs in (of_p, of_q))
    both = is_listed[0] & is_in_q
    listed = np.where(both, p, 0), np.where(both, np.take_along_axis(q, places, 1), 0)
    only_p = is_listed[0] & ~both
    is_in_p = places_in(of_q[0], of_p[0])[1]
    only_q = is_listed[1] & ~is_in_p
    n_rest = n_tokens - both.sum(1) - only_p.sum(1) - only_q.sum(1)
    if (n_rest < 0).any():
        row = int(np.argmin(n_rest))
        raise ValueError(
            f"n_tokens is {n_tokens}, and row {first + row} lists "
            f"{n_tokens - n_rest[row]} different tokens: pass the size of the models' "
            "vocabulary."
        )
    sides, widths = [], []
    others = ((q, only_q), (p, only_p))
    for own, there, known, is_capped, (values, only) in zip(
        (p, q), is_listed, tails, caps, others, strict=True
    ):
        name = "pq"[len(sides)]
        tail = 1 - np.where(there, own, 0).sum(axis=1) if known is None else known
        cap = np.min(np.where(there, own, 1), axis=1, initial=1) if is_capped else 1.0
        cap = np.broadcast_to(np.maximum(cap, floor), tail.shape)
        side = Side(*_packed(values, only), tail, cap)
        least, most = _room(side, n_rest, floor)
        clipped = np.clip(tail, least, most)
        width = rounding
        if width is None:
            width = 0.0 if known is not None else _ROUNDING * there.sum(axis=1)
        _refuse_no_room(name, tail, clipped, least, first, is_capped, width)
        sides.append(replace(side, tail=clipped))
        # a sum above 1 shows how coarse it is
        widths.append(np.maximum(width, np.abs(tail - clipped)))
    return listed, Tails(*sides, n_rest, floor), widths


def _packed(values, there):
    """The places that hold something, first in their rows, and no more than needed."""
    most = int(there.sum(axis=1).max(initial=0))
    order = np.argsort(~there, axis=1, kind="stable")[:, :most]
    there = np.take_along_axis(there, order, axis=1)
    return np.where(there, np.take_along_axis(values, order, axis=1), 0), there


def _refuse_no_room(name, tail, clipped, least, first, is_capped, width):
    off = np.abs(tail - clipped) - width
    row = int(np.argmax(off))
    if not len(off) or off[row] <= _TOLERANCE:
        return
    where = f"Row {first + row} of {name}"
    if tail[row] < least[row]:
        if tail[row] < 0:
            reason = (
                f"lists probabilities that add up to {1 - tail[row]:.6g}: logp_{name} "
                "must hold logarithms of probabilities of different tokens; "
                "say by rounding=... if they were rounded."
            )
        else:
            reason = (
                f"leaves {tail[row]:.3g} to unlisted tokens, less than floor times "
                "their number: lower floor, or pass fewer n_tokens."
            )
    else:
        lowered = "" if not is_capped else (
            f" If the list is not of {name}'s most probable tokens, say so by cap."
        )  # fmt: skip
        reason = (
            f"leaves {tail[row]:.3g} to unlisted tokens, which have room for "
            f"{clipped[row]:.3g} only.{lowered}"
        )
    raise ValueError(f"{where} {reason}")


# ----- what is passed -----------------------------------------------------------------


def read_lists(ids, logs, name, n_tokens):
    """(Numbers, logarithms, shape before the last axis), padded by -1 and -inf."""
    ids, logs = _padded(ids, f"ids_{name}"), _padded(logs, f"logp_{name}")
    if ids.shape != logs.shape:
        raise ValueError(
            f"ids_{name} has the shape {ids.shape} and logp_{name} {logs.shape}: both "
            "need one entry for each listed token."
        )
    shape = ids.shape[:-1]
    ids, logs = (each.reshape(int(np.prod(shape)), -1) for each in (ids, logs))
    is_listed = ids >= 0
    is_listed &= np.isfinite(ids)
    if not np.array_equal(ids[is_listed], np.round(ids[is_listed])):
        raise ValueError(f"ids_{name} must hold whole numbers, the tokens' numbers.")
    ids = np.where(is_listed, ids, -1).astype(np.int64)
    if ids.size and ids.max() >= n_tokens:
        raise ValueError(
            f"ids_{name} names the token {ids.max()}, and n_tokens is {n_tokens}: "
            "tokens are numbered from 0 on."
        )
    ordered = np.sort(ids, axis=1)
    is_twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
    if is_twice.any():
        row = int(np.argmax(is_twice.any(axis=1)))
        token = ordered[row, 1:][is_twice[row]][0]
        raise ValueError(
            f"Row {row} of ids_{name} names the token {token} twice: each may be "
            "listed once."
        )
    logs = np.where(is_listed, logs, -np.inf)
    # a softmax in single precision may come out just above 1
    is_bad = is_listed & ~(logs <= _TOLERANCE)
    if is_bad.any():
        row = int(np.argmax(is_bad.any(axis=1)))
        raise ValueError(
            f"Row {row} of logp_{name} holds {logs[row][is_bad[row]][0]:.4g}: natural "
            "logarithms of probabilities are 0 or less. Logits need a log-softmax over "
            "all tokens first."
        )
    return ids, np.minimum(logs, 0), shape


def _padded(values, name):
    """An array in double precision; rows of different lengths are padded by nan."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = None
    if array is None:
        try:
            rows = [np.asarray(row, dtype=np.float64).reshape(-1) for row in values]
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{name} must hold numbers: an array with one row for each list, or a "
                "sequence of such rows."
            ) from error
        array = np.full((len(rows), max(map(len, rows))), np.nan)
        for padded, row in zip(array, rows, strict=True):
            padded[: len(row)] = row
    if array.ndim < 2:
        raise ValueError(
            f"{name} must hold one list for each row, got an array of shape "
            f"{array.shape}. Put a single list into a list, [{name}]."
        )
    return array


def _known_tail(tail, name, shape):
    if tail is None:
        return None
    tail = np.asarray(tail, dtype=np.float64)
    if tail.shape != shape or not np.all((tail >= 0) & (tail <= 1)):
        raise ValueError(
            f"{name} must hold one probability for each of {shape} lists; got an array "
            f"of shape {tail.shape}."
        )
    return tail.reshape(-1)


def _check_limits(floor, rounding, n_tokens):
    if n_tokens < 1:
        raise ValueError(f"n_tokens must be 1 or more, got {n_tokens!r}.")
    if not 0 <= floor <= 1 / n_tokens:
        raise ValueError(
            f"floor must be between 0 and 1 / n_tokens = {1 / n_tokens:.3g}, got "
            f"{floor!r}."
        )
    if rounding is not None and not 0 <= rounding < 1:
        raise ValueError(f"rounding must be between 0 and 1, got {rounding!r}.")
