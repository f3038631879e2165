"""From what users pass to coded answers, scores, groups and slices of joined rows."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from sksim._reading._options import listed
from sksim.base._readable import is_list, is_text, refuse_missing
from sksim.base._row_names import row_names
from sksim.base._validation import refuse_mixed_kinds
from sksim.pairwise._align_rows import _library
from sksim.pairwise._predictions._answers import Answers
from sksim.pairwise._predictions._join import Joined, join
from sksim.pairwise._predictions._sides import (
    answer_column,
    as_frame,
    as_vector,
    refuse_missing_answers,
    score_column,
    side_of,
    truth_column,
)
from sksim.pairwise._predictions._slices import slicing_of
from sksim.pairwise._predictions._statistics import Paired


@dataclass(frozen=True, kw_only=True)
class OpenedPair:
    """All that is compared, of the rows that are.

    Attributes
    ----------
    ids : pandas.Index
    rows_a, rows_b : int array of shape (n_rows,)
        Their places in a, and in b.
    paired : Paired
    answers : Answers or None
    slicings : list of Slicing
    dropped : dict of str to list
    scores : str or None
    """

    ids: pd.Index
    rows_a: np.ndarray
    rows_b: np.ndarray
    paired: Paired
    answers: Answers | None
    slicings: list
    dropped: dict
    scores: str | None


def opened_pair(a, b, y_true, *, on, groups, slices, scores, allow):
    """Read, join and code what `compare_predictions` is passed."""
    scores = None if scores is False else scores
    sides = [
        side_of(each, name, on, are_scores=scores is not None)
        for name, each in (("a", a), ("b", b))
    ]
    if is_text(scores):
        sides, scores = _of_filter(sides, scores)
    score = score_column(sides, scores)
    sides = [_of_tasks_with(side, score) for side in sides]
    rows = _Rows(sides=sides, y_true=y_true, on=on, allow=allow, score=score)
    if len(rows.joined.ids) < 2:
        raise ValueError(
            f"There are {len(rows.joined.ids)} rows to compare: there must be two or "
            "more."
        )
    values = None if score is None else [rows.scores_of(side) for side in sides]
    rows, values = _scored(rows, values)
    groups, slices = (_as_labels(rows, each) for each in (groups, slices))
    _warn_of_filters(rows, _names_of_slices(slices))
    used = {score, rows.truth_name, *_names(groups), *_names_of_slices(slices)}
    answers = _coded(rows, used)
    group = _group_codes(rows, groups)
    paired = _paired(answers, values, group)
    joined = rows.joined
    return OpenedPair(
        ids=joined.ids,
        rows_a=joined.rows_a,
        rows_b=joined.rows_b,
        paired=paired,
        answers=answers,
        slicings=_slicings(rows, slices, answers, paired),
        dropped=joined.dropped,
        scores=scores if is_text(scores) else score,
    )


# ----- rows ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Rows:
    """Two sides, joined."""

    sides: list
    y_true: object
    on: object
    allow: set
    score: str | None
    known: Joined | None = None

    @cached_property
    def truth_name(self):
        """Column with the true labels, or None."""
        if is_text(self.y_true):
            found = [side.find(self.y_true) for side in self.sides]
            if found == [None, None]:
                raise ValueError(
                    f"Neither a nor b has a column y_true={self.y_true!r}: a has "
                    f"{listed(self.sides[0].columns, 20)}."
                )
            return found[0] or found[1]
        if self.y_true is not None:
            return None
        found = [truth_column(side) for side in self.sides]
        if None not in found and found[0] != found[1]:
            raise ValueError(
                f"Both sides have a truth, a as {found[0]!r} and b as {found[1]!r}: "
                "say which holds by y_true."
            )
        return found[0] or found[1]

    @cached_property
    def joined(self):
        """Which rows belong together."""
        if self.known is not None:
            return self.known
        return join(*self.sides, self.truth_name, self.allow)

    def some(self, keep, reason):
        """The rows that are kept."""
        return replace(self, known=self.joined.some(keep, reason))

    def places(self, side):
        """Rows of a side, in the order of the joined ones."""
        return self.joined.rows_a if side.name == "a" else self.joined.rows_b

    def of_side(self, side, name):
        """Values of a side's column."""
        return as_vector(side.table[name], f"{side.name}[{name!r}]")[self.places(side)]

    def has_column(self, name):
        """Whether a side has a column of this name, or the ids a level."""
        is_level = name in self.joined.ids.names
        return is_level or any(side.find(name) is not None for side in self.sides)

    def column(self, name, what):
        """Values of a column of a, or else of b; or of a level of the ids."""
        for side in self.sides:
            found = side.find(name)
            if found is not None:
                return self.of_side(side, found)
        if name in self.joined.ids.names:
            return self.joined.ids.get_level_values(name).to_numpy()
        offered = [*self.sides[0].columns, *(n for n in self.joined.ids.names if n)]
        raise ValueError(
            f"Neither a nor b has a column {name!r} for {what}: a has "
            f"{listed(offered, 20)}."
        )

    def scores_of(self, side):
        """Scores of a side's rows, nan where there are none."""
        values = self.of_side(side, self.score)
        if values.dtype.kind not in "fiub":
            values = pd.to_numeric(pd.Series(values), errors="coerce").to_numpy(float)
            was_text = np.isnan(values) & ~pd.isna(self.of_side(side, self.score))
            if was_text.any():
                row = self.joined.ids[int(np.argmax(was_text))]
                raise ValueError(
                    f"The scores of {side.name} are no numbers: that of {row!r} is "
                    f"{self.of_side(side, self.score)[np.argmax(was_text)]!r:.40}."
                )
        values = values.astype(float)
        if np.isinf(values).any():
            row = self.joined.ids[int(np.argmax(np.isinf(values)))]
            raise ValueError(
                f"The score of {side.name} is infinite in row {row!r}: cut it at a "
                "finite value first."
            )
        return values

    def of_rows(self, values, name):
        """What is said of the rows: in the order of a's, by names, or by ids."""
        names = row_names(values)
        if _library(values) is not None and hasattr(values, "columns"):
            values, names = self._without_ids(values, name)
        vector = as_vector(values, name)
        ids, places = self.joined.ids, self.joined.rows_a
        if names is not None and any(side.ids is not None for side in self.sides):
            if not names.is_unique:
                raise ValueError(
                    f"{name} names a row twice, so that it can't be joined."
                )
            places = names.get_indexer(ids)
            if (places < 0).any():
                lacking = [repr(i) for i in ids[places < 0]]
                raise ValueError(
                    f"{name} has no entry for {len(lacking)} of {len(ids)} rows "
                    f"({listed(lacking)}): give it one for each."
                )
            return vector[places]
        n_rows = len(self.sides[0].table)
        if len(vector) != n_rows:
            raise ValueError(
                f"{name} has {len(vector)} entries and a has {n_rows} rows: give it "
                "one for each row of a, in their order."
            )
        return vector[places]

    def _without_ids(self, table, name):
        """The one column of a table beside its ids, and these."""
        table = as_frame(table)
        on = [self.on] if is_text(self.on) else list(self.on or [])
        names = row_names(table)
        if on and set(on) <= set(table.columns):
            keys = [table[column] for column in on]
            names = (
                pd.Index(keys[0]) if len(on) == 1 else pd.MultiIndex.from_arrays(keys)
            )
            table = table.drop(columns=on)
        if table.shape[1] != 1:
            raise ValueError(
                f"{name} has the columns {listed(table.columns)} beside its ids: pass "
                "one only."
            )
        return table.iloc[:, 0], names


def _of_filter(sides, scores):
    """The harness names a metric with its filter: "exact_match,strict-match"."""
    metric, comma, name = scores.partition(",")
    if not comma or not all(side.is_log for side in sides):
        return sides, scores
    kept = []
    for side in sides:
        own = side.level("filter")
        if own is None:
            return sides, scores
        if name not in set(own):
            raise ValueError(
                f"{side.name} has no filter {name!r}, only {listed(own.unique(), 20)}."
            )
        kept.append(side.some(np.asarray(own == name)))
    return kept, metric


def _of_tasks_with(side, score):
    """A log's rows of the tasks that have a score at all."""
    task = side.level("task")
    if not side.is_log or score is None or task is None:
        return side
    has_score = side.table[score].notna().groupby(task).transform("any").to_numpy()
    return side if has_score.all() else side.some(has_score)


def _scored(rows, values):
    """Rows that both models have a score for; the others are counted aloud."""
    if values is None:
        return rows, None
    unscored = np.isnan(values[0]) | np.isnan(values[1])
    if not unscored.any():
        return rows, values
    ids = rows.joined.ids[unscored]
    if unscored.all():
        raise ValueError(f"No row has a score {rows.score!r} of both models.")
    warnings.warn(
        f"{len(ids)} of {len(unscored)} rows have no score {rows.score!r} of one model "
        f"or both ({listed(map(repr, ids))}): they are left out of the comparison, "
        "which is fair only if they are missing at random.",
        UserWarning,
        stacklevel=5,
    )
    return rows.some(~unscored, "unscored"), [each[~unscored] for each in values]


def _warn_of_filters(rows, slices):
    """Two readings of one answer are no two answers."""
    ids = rows.joined.ids
    if "filter" not in ids.names or "filter" in slices:
        return
    names = ids.get_level_values("filter").unique()
    if len(names) > 1:
        warnings.warn(
            f"The logs read each answer by {len(names)} filters ({listed(names)}), all "
            "of which are compared together. Choose one by read_predictions(path, "
            f"filter={names[0]!r}), or see each by slices='filter'.",
            UserWarning,
            stacklevel=5,
        )


# ----- answers ------------------------------------------------------------------------


def _coded(rows, used):
    """Answers and truth in one coding, or None where there are only scores."""
    names = [answer_column(side, rows.score, used) for side in rows.sides]
    if None in names:
        return None
    vectors = {
        side.name: rows.of_side(side, name)
        for side, name in zip(rows.sides, names, strict=True)
    }
    truth = _truth(rows)
    if truth is not None:
        vectors["y_true"] = truth
    if rows.score is None:
        for name, vector in vectors.items():
            refuse_missing_answers(vector, name, rows.joined.ids)
            _refuse_fractions(vector, name)
        refuse_mixed_kinds(list(vectors.values()), list(vectors))
    codes, classes = pd.factorize(_together(vectors.values()), use_na_sentinel=False)
    parts = np.split(codes, len(vectors))
    return Answers(
        a=parts[0],
        b=parts[1],
        truth=parts[2] if truth is not None else None,
        classes=np.asarray(classes),
    )


def _truth(rows):
    if rows.truth_name is not None:
        return rows.column(rows.truth_name, "y_true")
    return None if rows.y_true is None else rows.of_rows(rows.y_true, "y_true")


def _refuse_fractions(vector, name):
    if vector.dtype.kind != "f":
        return
    is_whole = (vector == np.round(vector)) & np.isfinite(vector)
    if not is_whole.all():
        row = int(np.argmin(is_whole))
        raise ValueError(
            f"{name} holds fractions, or infinity, {vector[row]:g} in row {row}, which "
            "are no labels. Pass scores=True if they are scores of the rows."
        )


def _together(vectors):
    """Vectors end to end; numbers that are equal are one class, whatever their type."""
    if len({vector.dtype.kind in "OSUT" for vector in vectors}) > 1:
        vectors = [vector.astype(object) for vector in vectors]
    return np.concatenate([
        vector.astype(object) if vector.dtype.kind == "U" else vector
        for vector in vectors
    ])  # fmt: skip


def _paired(answers, values, group):
    if values is None and answers.truth is not None:
        right = [codes == answers.truth for codes in (answers.a, answers.b)]
        values = [flags.astype(float) for flags in right]
    one, other = values or (None, None)
    same = one == other if answers is None else answers.a == answers.b
    is_binary = one is not None and all(
        bool(np.all((each == 0) | (each == 1))) for each in (one, other)
    )
    span = 1.0
    if one is not None and not is_binary:
        span = float(max(one.max(), other.max()) - min(one.min(), other.min()))
    return Paired(
        score_a=one,
        score_b=other,
        same=same,
        group=group,
        span=span,
        is_binary=is_binary,
    )


# ----- groups and slices --------------------------------------------------------------


def _as_labels(rows, columns):
    """A list of text with an entry for each row is labels, if it names no columns."""
    names = _names(columns)
    is_label = len(names) > 1 and len(names) == len(rows.sides[0].table)
    if is_label and not any(rows.has_column(name) for name in names):
        return np.asarray(names, dtype=object)
    return columns


def _names(columns):
    if is_text(columns):
        return [columns]
    is_list_of_names = is_list(columns) and all(map(is_text, columns))
    return list(columns) if is_list_of_names else []


def _names_of_slices(slices):
    if isinstance(slices, Mapping):
        return [name for value in slices.values() for name in _names(value)]
    return _names(slices)


def _group_codes(rows, groups):
    """Number of each row's group, or None where all rows are by themselves."""
    ids = rows.joined.ids
    if groups is None:
        repeated = [name for name in ("filter", "epoch") if name in ids.names]
        if not repeated or not all(side.is_log for side in rows.sides):
            return None
        codes = pd.factorize(ids.droplevel(repeated))[0]
    elif _names(groups):
        columns = [rows.column(name, "groups") for name in _names(groups)]
        codes = _codes_of(columns, ids)
    else:
        codes = _codes_of([rows.of_rows(groups, "groups")], ids)
    n_groups = int(codes.max()) + 1
    if n_groups == len(codes):
        return None
    if n_groups < 2:
        raise ValueError(
            "groups: all rows are of one group, from which nothing can be said about "
            "others. Leave groups out if the rows are independent."
        )
    return codes


def _codes_of(columns, ids):
    for column in columns:
        refuse_missing(column, "groups")
    if len(columns) == 1:
        return pd.factorize(columns[0])[0]
    return pd.factorize(pd.MultiIndex.from_arrays(columns))[0]


def _slicings(rows, slices, answers, paired):
    if slices is None:
        return []
    table = _JoinedTable(rows, answers, paired)
    if not isinstance(slices, Mapping):
        slices = _named(slices)
    return [
        slicing_of(str(name), table.values_of(name, s)) for name, s in slices.items()
    ]


def _named(slices):
    """Slices by name."""
    if _names(slices):
        return {name: name for name in _names(slices)}
    if _library(slices) == "pandas" and hasattr(slices, "columns"):
        return {name: slices[name] for name in slices}
    if callable(slices):
        return {getattr(slices, "__name__", "slice"): slices}
    if is_list(slices) and all(map(callable, slices)):
        names = [getattr(each, "__name__", "slice") for each in slices]
        if len(set(names)) < len(names) or "<lambda>" in names:
            raise ValueError(
                "slices: functions without names of their own must be named, by a "
                "dict: slices={'long': lambda rows: ...}."
            )
        return dict(zip(names, slices, strict=True))
    return {getattr(slices, "name", None) or "slice": slices}


class _JoinedTable:
    """The joined rows as functions that make slices see them."""

    def __init__(self, rows, answers, paired):
        self.rows, self.answers, self.paired = rows, answers, paired

    @cached_property
    def table(self):
        """Columns of a, and of b where a has none; answers, truth and scores."""
        rows, answers, paired = self.rows, self.answers, self.paired
        side_a, side_b = rows.sides
        found = side_a.table.iloc[rows.joined.rows_a].set_axis(rows.joined.ids)
        of_b = [name for name in side_b.columns if name not in side_a.columns]
        for name in of_b:
            found[name] = side_b.table[name].to_numpy()[rows.joined.rows_b]
        if answers is not None:
            found["answer_a"] = answers.classes[answers.a]
            found["answer_b"] = answers.classes[answers.b]
            if answers.truth is not None:
                found["truth"] = answers.classes[answers.truth]
        if paired.score_a is not None:
            found["score_a"], found["score_b"] = paired.score_a, paired.score_b
        return found

    def values_of(self, name, slices):
        """Labels, or a mask, of the joined rows."""
        if is_text(slices):
            if slices == "y_true" and self.answers is not None:
                truth = self.answers.truth
                if truth is not None and self.rows.sides[0].find(slices) is None:
                    return self.answers.classes[truth]
            return _as_mask(self.rows.column(slices, "slices"))
        if not callable(slices):
            return _as_mask(self.rows.of_rows(slices, f"slices[{name!r}]"))
        values = as_vector(slices(self.table), f"slices[{name!r}]")
        if len(values) != len(self.table):
            raise ValueError(
                f"slices[{name!r}] gives {len(values)} values for {len(self.table)} "
                "rows: it must give one for each."
            )
        return _as_mask(values)


def _as_mask(values):
    """Objects that are all true or false are a mask."""
    if values.dtype == object and all(isinstance(v, bool | np.bool_) for v in values):
        return values.astype(bool)
    return values
