"""Two sides joined by their ids; what does not fit is refused by name, or left out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sksim.base._row_names import quoted

ALLOWED = ("unmatched", "duplicates", "changed")
_N_SHOWN = 5
# A document that was changed under its id is known by this column.
_HASH = "doc_hash"


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Which rows of two sides belong together.

    Attributes
    ----------
    ids : pandas.Index of shape (n_rows,)
        In the order of a's rows.
    rows_a, rows_b : int array of shape (n_rows,)
        Their places.
    dropped : dict of str to list
        Ids that fell out, by reason.
    """

    ids: pd.Index
    rows_a: np.ndarray
    rows_b: np.ndarray
    dropped: dict

    def some(self, keep, reason):
        """The rows that are kept; the others fell out for a reason."""
        lost = self.ids[~keep]
        return Joined(
            ids=self.ids[keep],
            rows_a=self.rows_a[keep],
            rows_b=self.rows_b[keep],
            dropped={**self.dropped, reason: list(lost)},
        )


def join(a, b, truth_name, allow):
    """Rows of two sides, by id, or in their order where neither has ids.

    Parameters
    ----------
    a, b : Side
    truth_name : str or None
        Column in which both must agree, if both have it.
    allow : set of str
    """
    if a.ids is None or b.ids is None:
        return _in_order(a, b, truth_name, allow)
    _refuse_other_kinds(a.ids, b.ids)
    if a.ids.equals(b.ids) and a.ids.is_unique:
        places = np.arange(len(a.ids))
        joined = Joined(ids=a.ids, rows_a=places, rows_b=places, dropped={})
        lost = {}
    else:
        joined, lost = _by_id(a.ids, b.ids)
    is_changed, how = _changed(a, b, joined, truth_name)
    if is_changed.any():
        lost["changed"] = joined.ids[is_changed]
    refused = {reason: ids for reason, ids in lost.items() if reason not in allow}
    if refused:
        raise ValueError(_refusal(a, b, refused, how))
    if is_changed.any():
        joined = joined.some(~is_changed, "changed")
    dropped = {reason: list(ids) for reason, ids in lost.items()}
    joined = Joined(
        ids=joined.ids, rows_a=joined.rows_a, rows_b=joined.rows_b, dropped=dropped
    )
    if len(joined.ids) == 0:
        raise ValueError(
            f"a and b have no id in common: a has {_listed(a.ids)}, b has "
            f"{_listed(b.ids)}. Check that on names the ids, and that both are of one "
            "task."
        )
    return joined


def _refuse_other_kinds(ids, others):
    """Raise where one side's ids are numbers and the other's text."""
    kinds = [
        [pd.api.types.is_numeric_dtype(index.get_level_values(i).dtype)
         for i in range(index.nlevels)]
        for index in (ids, others)
    ]  # fmt: skip
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"The ids of a and b are of different kinds: a has {_listed(ids)}, b has "
            f"{_listed(others)}. Make both text, or both numbers."
        )


def _in_order(a, b, truth_name, allow):
    n_rows = [len(side.table) for side in (a, b)]
    if n_rows[0] != n_rows[1]:
        raise ValueError(
            f"a has {n_rows[0]} rows and b has {n_rows[1]}: they must be those of the "
            "same inputs in the same order. Join tables by their ids with on='...'."
        )
    places = np.arange(n_rows[0])
    ids = next((s.ids for s in (a, b) if s.ids is not None), pd.RangeIndex(n_rows[0]))
    joined = Joined(ids=ids, rows_a=places, rows_b=places, dropped={})
    is_changed, how = _changed(a, b, joined, truth_name)
    if not is_changed.any():
        return joined
    if "changed" not in allow:
        raise ValueError(
            f"{_refusal(a, b, {'changed': ids[is_changed]}, how)} Rows were joined by "
            "their order: name the column with their ids by on='...', if there is one."
        )
    return joined.some(~is_changed, "changed")


def _by_id(ids_a, ids_b):
    """Rows with ids that both have once; and what fell out."""
    twice = [ids[ids.duplicated()].unique() for ids in (ids_a, ids_b)]
    duplicates = twice[0].union(twice[1], sort=False)
    lost = {}
    if len(duplicates):
        lost["duplicates"] = duplicates
    one, other = ids_a.unique(), ids_b.unique()
    unmatched = one[~one.isin(other)].append(other[~other.isin(one)])
    unmatched = unmatched[~unmatched.isin(duplicates)]
    if len(unmatched):
        lost["unmatched"] = unmatched
    rows_a = np.flatnonzero(ids_a.isin(ids_b) & ~ids_a.isin(duplicates))
    ids = ids_a[rows_a]
    rest = np.flatnonzero(~ids_b.isin(duplicates))
    rows_b = rest[ids_b[rest].get_indexer(ids)]
    return Joined(ids=ids, rows_a=rows_a, rows_b=rows_b, dropped={}), lost


def _changed(a, b, joined, truth_name):
    """Which rows differ in what must be the same; and the columns that tell."""
    is_changed, how = np.zeros(len(joined.ids), dtype=bool), []
    for name in (_HASH, truth_name):
        if not all(name in side.table.columns for side in (a, b)):
            continue
        one = a.table[name].to_numpy()[joined.rows_a]
        other = b.table[name].to_numpy()[joined.rows_b]
        differ = np.asarray(one != other) & ~(pd.isna(one) & pd.isna(other))
        if differ.any():
            is_changed |= differ
            how.append(name)
    return is_changed, how


def _refusal(a, b, lost, how):
    """What is wrong, by the names of the rows, and the ways out."""
    found = []
    for reason, ids in lost.items():
        if reason == "unmatched":
            for side, other in ((a, b), (b, a)):
                own = ids[ids.isin(side.ids)]
                if len(own):
                    what = f"{len(own)} in {side.name} and not in {other.name}"
                    found.append(f"{what} ({_listed(own)})")
        elif reason == "duplicates":
            for side in (a, b):
                own = ids[ids.isin(side.ids[side.ids.duplicated()])]
                if len(own):
                    what = f"{len(own)} more than once in {side.name}"
                    found.append(f"{what} ({_listed(own)})")
        else:
            what = f"{len(ids)} with different {' and '.join(map(str, how))} in a and b"
            found.append(f"{what} ({_listed(ids)})")
    allowed = ", ".join(map(repr, lost))
    return (
        f"a and b don't hold the same rows. Of the ids there are {'; '.join(found)}. "
        f"Mend the tables, or leave these rows out by allow=({allowed},)."
    )


def _listed(ids):
    shown = ", ".join(_shown(i, ids) for i in ids[:_N_SHOWN])
    return f"{shown}, ..." if len(ids) > _N_SHOWN else shown


def _shown(name, ids):
    """An id as messages show it: of several parts those that tell rows apart."""
    if ids.nlevels == 1:
        return quoted(name)
    return " ".join(
        f"{level or 'id'} {quoted(part)}"
        for level, part in zip(ids.names, name, strict=True)
        if level not in ("task", "filter") or ids.get_level_values(level).nunique() > 1
    )
