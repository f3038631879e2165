"""How far one model's outputs have moved from another's, row by row."""

from dataclasses import dataclass
from typing import Literal

import array_api_compat
import numpy as np
import pandas as pd

from sksim._results import ResultMixin
from sksim._typing import Array, ArrayLike
from sksim.arrays._namespace import row_slices
from sksim.base._validation import check_probabilities, half_precision_unit
from sksim.functional._divergence_bounds import KINDS, bounds_of_lists, read_lists
from sksim.functional._token_lists import (
    overlaps,
    places_in,
    rank_biased_overlap,
    top_places,
)

_PERCENTILES = (50, 90, 99)
# Entries of rows that are worked on together.
_N_ENTRIES = 2**18


@dataclass(frozen=True)
class OutputDriftResult(ResultMixin):
    """How far outputs have moved.

    Attributes
    ----------
    rows : DataFrame
        One row for each that was compared, with the columns ``row``, ``position`` (of
        sequences) and ``group`` (if any), and

        - ``kl``, ``reverse_kl``, ``js``: divergences in nats,
        - ``tv``, ``hellinger``: distances in [0, 1],
        - ``same_first``: whether both have the same first choice,
        - ``top_k_overlap``, ``rank_biased_overlap``: what the first choices share,
        - ``truth_change``: probability of the truth under q, less that under p; only
          with ``y_true``.

        Of lists of the most probable tokens there are bounds instead, such as
        ``kl_lower`` and ``kl_upper``.
    top_k : int
        Number of first choices that were compared.
    """

    rows: pd.DataFrame
    top_k: int

    def to_frame(self, by: Literal["group", "position"] | None = None) -> pd.DataFrame:
        """Mean and percentiles of each number, over all rows or by part.

        Parameters
        ----------
        by : {"group", "position"}, default=None
            Parts of the rows.

        Returns
        -------
        table : DataFrame
            One row for each number, with ``by`` for each of each part, and the columns
            ``n_rows``, ``mean``, ``min``, ``p50``, ``p90``, ``p99`` and ``max``.
        """
        known = {"row", "position", "group"}
        names = [name for name in self.rows.columns if name not in known]
        if by is None:
            return pd.DataFrame(
                {name: _summary(self.rows[name]) for name in names}
            ).T.rename_axis("number")
        if by not in known - {"row"} or by not in self.rows:
            raise ValueError(
                f"by is {by!r}, and the rows have no such column. Pass groups=... to "
                "output_drift, or outputs of sequences, of shape (n_samples, "
                "n_positions, n_classes)."
            )
        parts = {
            (key, name): _summary(part[name])
            for key, part in self.rows.groupby(by, sort=True)
            for name in names
        }
        return pd.DataFrame(parts).T.rename_axis([by, "number"])


def output_drift(
    p: Array | tuple[ArrayLike, ArrayLike],
    q: Array | tuple[ArrayLike, ArrayLike],
    *,
    from_logits: bool = False,
    n_tokens: int | None = None,
    y_true: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    top_k: int = 10,
    persistence: float = 0.9,
    floor: float = 0.0,
    cap: bool | tuple[bool, bool] = True,
) -> OutputDriftResult:
    r"""How far outputs have moved from a model to its quantised or distilled copy.

    Divergences of two rows of probabilities, and what their first choices share, with
    means and tails over rows: a copy that is close on average may be far off on one row
    of a hundred.

    Parameters
    ----------
    p, q : array of shape (n_samples, n_classes), or tuple (ids, logp)
        Probabilities of the original and of the copy, or logits (``from_logits=True``),
        of any library and precision: they are computed on in double precision, some
        rows at a time. Of sequences (n_samples, n_positions, n_classes). With
        ``n_tokens`` the most probable tokens of each model and their log-probabilities,
        as :func:`divergence_bounds` takes them.
    from_logits : bool, default=False
        Whether the numbers are logits, of which the softmax is taken. It is never
        guessed. A logit of -inf is a probability of 0.
    n_tokens : int, default=None
        Number of tokens there are, where p and q list the most probable ones.
    y_true : int array-like of shape (n_samples,), default=None
        Column, or token, that is right.
    mask : bool array-like of shape (n_samples,), default=None
        Which rows count, such as the attention mask of padded sequences. Of these, as
        ``y_true`` and ``groups``, of shape (n_samples, n_positions).
    groups : array-like of shape (n_samples,), default=None
        Part of the data that each row belongs to.
    top_k : int, default=10
        Number of first choices whose overlap is computed; no more than there are.
    persistence : float, default=0.9
        Parameter p of :class:`RankBiasedOverlap`.
    floor, cap : float and bool
        Of :func:`divergence_bounds`, for lists.

    Returns
    -------
    result : OutputDriftResult
        With the attribute ``rows``, and ``to_frame()``.

    Raises
    ------
    ValueError
        If p and q differ in shape, rows are no probabilities and not said to be logits,
        or hold nan or inf.

    See Also
    --------
    KullbackLeibler : One divergence, with tests and intervals.
    divergence_bounds : What lists of the most probable tokens leave open.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.functional import output_drift
    >>> rng = np.random.default_rng(0)
    >>> logits = rng.normal(size=(500, 40))
    >>> copy = logits + 0.1 * rng.normal(size=logits.shape)
    >>> result = output_drift(logits, copy, from_logits=True)
    >>> table = result.to_frame()
    >>> table.loc[["kl", "same_first"], ["mean", "p50", "p99"]].round(4)
                  mean     p50     p99
    number
    kl          0.0048  0.0046  0.0093
    same_first  0.8740  1.0000  1.0000
    """
    if not 0 < persistence < 1:
        raise ValueError(f"persistence must be between 0 and 1, got {persistence!r}.")
    if top_k < 1:
        raise ValueError(f"top_k must be 1 or more, got {top_k!r}.")
    if n_tokens is None:
        source = _Dense(p, q, from_logits)
    else:
        source = _Listed(p, q, n_tokens, from_logits, {"floor": floor, "cap": cap})
    chosen = _chosen(mask, source.shape)
    truth = _of_rows(y_true, "y_true", source.shape)
    if truth is not None:
        truth = _columns(truth[chosen], source.width)
    top_k = min(top_k, source.width)
    found = source.numbers(chosen, truth, top_k, persistence)
    names = _names_of_rows(chosen, source.shape)
    labels = _of_rows(groups, "groups", source.shape)
    if labels is not None:
        names["group"] = labels[chosen]
    return OutputDriftResult(pd.DataFrame({**names, **found}), top_k)


# ----- full distributions -------------------------------------------------------------


class _Dense:
    """Rows of probabilities or logits."""

    def __init__(self, p, q, from_logits):
        self.sides = {"p": _as_rows(p, "p"), "q": _as_rows(q, "q")}
        self.from_logits = from_logits
        shapes = [tuple(each.shape) for each in self.sides.values()]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"p has the shape {shapes[0]} and q {shapes[1]}: both need the same "
                "rows and one column for each class, in one order."
            )
        *shape, self.width = shapes[0]
        self.shape = tuple(shape)
        self.rounding = {
            name: half_precision_unit(each) for name, each in self.sides.items()
        }

    def numbers(self, chosen, truth, top_k, persistence):
        """Columns of the table, of the rows that are chosen."""
        flat = {name: each.reshape(-1, self.width) for name, each in self.sides.items()}
        blocks = [
            self._of_block(
                [self._logarithms(flat[name], name, chosen[b]) for name in "pq"],
                None if truth is None else truth[b],
                top_k,
                persistence,
            )
            for b in row_slices(len(chosen), self.width, _N_ENTRIES)
        ]
        return {
            name: np.concatenate([block[name] for block in blocks])
            for name in blocks[0]
        }

    def _logarithms(self, flat, name, rows):
        values = _on_numpy(flat, rows)
        if self.from_logits:
            return _log_softmax(values, name, rows)
        if not np.isfinite(values).all():
            row = int(rows[np.argmin(np.isfinite(values).all(axis=1))])
            raise ValueError(f"Row {row} of {name} holds nan or inf.")
        try:
            values = check_probabilities(
                values, name, xp=np, rounding=self.rounding[name]
            )
        except ValueError as error:
            raise ValueError(
                f"{error} Logits are passed with from_logits=True."
            ) from error
        with np.errstate(divide="ignore"):
            return np.log(values)

    def _of_block(self, logarithms, truth, top_k, persistence):
        log_p, log_q = logarithms
        p, q = np.exp(log_p), np.exp(log_q)
        found = {
            "kl": _kullback_leibler(p, log_p, log_q),
            "reverse_kl": _kullback_leibler(q, log_q, log_p),
            "js": _jensen_shannon(p, q, log_p, log_q),
            "tv": np.abs(p - q).sum(axis=1) / 2,
            "hellinger": np.sqrt(
                ((np.exp(log_p / 2) - np.exp(log_q / 2)) ** 2).sum(axis=1) / 2
            ),
        }
        firsts = [top_places(each, top_k) for each in logarithms]
        found |= _of_lists(*firsts, persistence)
        if truth is not None:
            places = np.arange(len(truth)), truth
            found["truth_change"] = q[places] - p[places]
        return found


def _kullback_leibler(p, log_p, log_q):
    with np.errstate(invalid="ignore"):
        terms = np.where(p > 0, p * (log_p - log_q), 0)
    # sums of terms of both signs: 0 may come out just below
    return np.maximum(terms.sum(axis=1), 0)


def _jensen_shannon(p, q, log_p, log_q):
    with np.errstate(divide="ignore"):
        log_middle = np.log((p + q) / 2)
    parts = (
        _kullback_leibler(p, log_p, log_middle),
        _kullback_leibler(q, log_q, log_middle),
    )
    return (parts[0] + parts[1]) / 2


def _of_lists(first, second, persistence):
    shared = overlaps(first, second)
    return {
        "same_first": (first[:, 0] == second[:, 0]).astype(np.float64),
        "top_k_overlap": shared[:, -1] / first.shape[1],
        "rank_biased_overlap": rank_biased_overlap(shared, persistence, "extrapolated"),
    }


def _log_softmax(logits, name, rows):
    largest = logits.max(axis=1, keepdims=True)
    is_bad = ~np.isfinite(largest[:, 0])
    if is_bad.any():
        row = int(rows[np.argmax(is_bad)])
        raise ValueError(
            f"Row {row} of {name} has the largest logit {largest[np.argmax(is_bad), 0]}"
            ": logits are numbers, or -inf where something is impossible."
        )
    moved = logits - largest
    return moved - np.log(np.exp(moved).sum(axis=1, keepdims=True))


# ----- lists of the most probable tokens ----------------------------------------------


class _Listed:
    """Lists of tokens and their log-probabilities."""

    def __init__(self, p, q, n_tokens, from_logits, limits):
        if from_logits:
            raise ValueError(
                "Lists of tokens hold log-probabilities: logits of some tokens say "
                "nothing of the others. Leave from_logits out."
            )
        for name, each in (("p", p), ("q", q)):
            if not (isinstance(each, tuple) and len(each) == 2):
                raise ValueError(
                    f"With n_tokens {name} must be a tuple (ids, logp) of the most "
                    "probable tokens."
                )
        self.n_tokens, self.limits = n_tokens, limits
        self.lists = [
            read_lists(*each, name, n_tokens) for name, each in (("p", p), ("q", q))
        ]
        self.shape, self.width = self.lists[0][2], n_tokens
        if self.lists[1][2] != self.shape:
            raise ValueError(
                f"p has lists of the shape {self.shape} and q {self.lists[1][2]}: both "
                "need one list for each of the same rows."
            )

    def numbers(self, chosen, truth, top_k, persistence):
        """Columns of the table, of the rows that are chosen."""
        lists = [(ids[chosen], logs[chosen]) for ids, logs, _ in self.lists]
        bounds = bounds_of_lists(
            list(KINDS), *lists, n_tokens=self.n_tokens, **self.limits
        )
        found = {
            f"{kind}_{side}": values
            for kind, both in bounds.items()
            for side, values in zip(("lower", "upper"), both, strict=True)
        }
        shortest = min(int((ids >= 0).sum(axis=1).min()) for ids, _ in lists)
        k = min(top_k, shortest)
        if k and self.limits["cap"] is True:
            firsts = [_firsts(*each, k) for each in lists]
            found |= _of_lists(*firsts, persistence)
        if truth is not None:
            found |= self._truth(lists, truth)
        return found

    def _truth(self, lists, truth):
        limits = []
        for ids, logs in lists:
            places, is_there = places_in(truth[:, None], ids)
            known = np.exp(np.take_along_axis(logs, places, axis=1))[:, 0]
            tail = np.clip(1 - np.exp(logs).sum(axis=1), 0, 1)
            cap = np.exp(np.where(ids >= 0, logs, 0).min(axis=1, initial=0))
            most = np.minimum(tail, cap if self.limits["cap"] is True else 1)
            least = np.full(len(truth), self.limits["floor"])
            limits.append(
                [np.where(is_there[:, 0], known, bound) for bound in (least, most)]
            )
        (p_low, p_high), (q_low, q_high) = limits
        return {
            "truth_change_lower": q_low - p_high,
            "truth_change_upper": q_high - p_low,
        }


def _firsts(ids, logs, k):
    """The k most probable tokens of each list; of equal ones the lowest numbers."""
    order = np.argsort(np.where(ids >= 0, ids, np.iinfo(np.int64).max), axis=1)
    ids, logs = (np.take_along_axis(each, order, axis=1) for each in (ids, logs))
    return np.take_along_axis(ids, top_places(logs, k), axis=1)


# ----- what is passed -----------------------------------------------------------------


def _as_rows(values, name):
    if not array_api_compat.is_array_api_obj(values):
        try:
            values = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} must be an array of numbers.") from error
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise ValueError(
            f"{name} must be of shape (n_samples, n_classes) or (n_samples, "
            f"n_positions, n_classes), got {tuple(values.shape)}."
        )
    return values


def _on_numpy(flat, rows):
    """Some rows in double precision, on numpy."""
    if array_api_compat.is_torch_array(flat):
        return flat.detach()[rows].cpu().double().numpy()
    if not isinstance(flat, np.ndarray):
        flat = np.asarray(flat)
    return flat[rows].astype(np.float64)


def _of_rows(values, name, shape):
    """One value for each row, flat; of samples it goes to all of their positions."""
    if values is None:
        return None
    if array_api_compat.is_torch_array(values):
        values = values.detach().cpu().numpy()
    values = np.asarray(values)
    if values.shape not in (shape, shape[:1]):
        raise ValueError(
            f"{name} has the shape {values.shape}, and the outputs have {shape} rows."
        )
    columns = values.reshape(values.shape + (1,) * (len(shape) - values.ndim))
    return np.broadcast_to(columns, shape).reshape(-1)


def _chosen(mask, shape):
    mask = _of_rows(mask, "mask", shape)
    if mask is None:
        return np.arange(int(np.prod(shape)))
    if mask.dtype.kind not in "biuf" or not np.isin(mask, (0, 1)).all():
        raise ValueError("mask must hold True (or 1) for rows that count, else False.")
    chosen = np.flatnonzero(mask)
    if not len(chosen):
        raise ValueError("mask leaves no row to be compared.")
    return chosen


def _columns(truth, width):
    is_place = truth.dtype.kind in "iu" and ((truth >= 0) & (truth < width)).all()
    if not is_place:
        raise ValueError(
            f"y_true must hold the number of the right column of each row, 0 to "
            f"{width - 1}; got {np.unique(truth)[:5].tolist()}. Rows without one are "
            "left out by mask."
        )
    return truth


def _names_of_rows(chosen, shape):
    if len(shape) == 1:
        return {"row": chosen}
    row, position = np.unravel_index(chosen, shape)
    return {"row": row, "position": position}


# ----- summaries ----------------------------------------------------------------------


def _summary(values):
    ordered = np.sort(values.to_numpy())
    return {
        "n_rows": len(ordered),
        "mean": ordered.mean(),
        "min": ordered[0],
        **{f"p{level}": _percentile(ordered, level) for level in _PERCENTILES},
        "max": ordered[-1],
    }


def _percentile(ordered, level):
    """Linear between neighbours, which may be infinite."""
    place = (len(ordered) - 1) * level / 100
    low, high = ordered[int(np.floor(place))], ordered[int(np.ceil(place))]
    share = place % 1
    return low if low == high or not share else low + share * (high - low)
