"""The outcome of a gate: as a table, in words, for CI and for a comment."""

import math
from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from sksim._results import ResultMixin, strict
from sksim.pairwise._gate._criteria import CRITERIA, FAIL, PASS
from sksim.pairwise._gate._formats import junit, markdown
from sksim.pairwise._predictions._result import (
    PredictionComparisonResult,
    listed_ids,
)

_N_SHOWN = 5
_UNITS = {"scores": "{:.3g}", "nats": "{:.3g} nats"}


@dataclass(frozen=True, kw_only=True)
class ReleaseGateResult(ResultMixin):
    """Result of :func:`release_gate`.

    Attributes
    ----------
    passed : bool
        Whether all limits are met.
    criteria : DataFrame
        A row for each limit, on all rows and in each slice: ``criterion``, ``slice``,
        ``n_rows``, ``limit``, ``value``, its bounds ``low`` and ``high``, ``outcome``
        ("pass", "fail" or "cannot say") and ``rows_needed``: so many rows like these
        would show the limit to hold, nan where no number would.
    changed : DataFrame
        Rows whose answers changed, by id, with both answers, and the truth or scores
        where they are known. Those that became "worse" are first, then those that are
        wrong in another way, or of which no truth is known ("other"), then "better".
    n_rows : int
        Rows that are compared.
    confidence_level : float
        Of each bound.
    comparison : PredictionComparisonResult
        What :func:`compare_predictions` says of the same rows.
    """

    passed: bool
    criteria: pd.DataFrame = field(repr=False)
    changed: pd.DataFrame = field(repr=False)
    n_rows: int
    confidence_level: float
    comparison: PredictionComparisonResult = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """All fields as what JSON knows.

        Returns
        -------
        fields : dict of str to object
            Numbers that are not there, or infinite, are None.
        """
        return strict(super().to_dict())

    def to_frame(self) -> pd.DataFrame:
        """Table of the criteria.

        Returns
        -------
        table : DataFrame
        """
        return self.criteria

    def _repr_html_(self) -> str:
        """The table, and what it says, for notebooks."""
        return f"{super()._repr_html_()}<p>{escape(self.sentence())}</p>"

    def sentence(self) -> str:
        """The outcome in words.

        Returns
        -------
        text : str
        """
        rows = list(self.criteria.itertuples())
        n_met = sum(row.outcome == PASS for row in rows)
        verdict = "passes" if self.passed else "does not pass"
        limits = "limit is" if len(rows) == 1 else "limits are"
        first = (
            f"The gate {verdict}: {n_met} of {len(rows)} {limits} shown to hold, with "
            f"{self.confidence_level:.4g} confidence, on {self.n_rows} rows."
        )
        # what does not pass is what one asks about
        rows.sort(key=lambda row: row.outcome == PASS)
        more = len(rows) - _N_SHOWN
        parts = [first, *map(self.explained, rows[:_N_SHOWN])]
        parts += [f"The table has {more} more."] if more > 0 else []
        return " ".join([*parts, self._of_changed()])

    def explained(self, row: Any) -> str:
        """One criterion in words.

        Parameters
        ----------
        row : namedtuple
            A row of ``criteria``, of ``itertuples()``.

        Returns
        -------
        text : str
        """
        criterion = CRITERIA[row.criterion]
        words = criterion.words
        if criterion.unit == "scores":
            words += " of accuracy" if self._is_binary else " of score"
        value, limit, low, high = (
            self._amount(number, criterion)
            for number in (row.value, row.limit, row.low, row.high)
        )
        where = "" if row.slice == "all rows" else f" in {row.slice}"
        text = f"{words[0].upper()}{words[1:]}{where} is {value}"
        least = criterion.is_at_least
        side = "least" if least else "most"
        if row.outcome == PASS:
            return f"{text}, at {side} {low if least else high} (limit {limit})."
        if row.outcome == FAIL:
            other, bound = ("most", high) if least else ("least", low)
            return f"{text}, at {other} {bound}: beyond the limit {limit}."
        text += f", between {low} and {high}: whether it is at {side} {limit} can't be "
        text += f"said from {row.n_rows} rows"
        if math.isnan(row.rows_needed):
            return f"{text}, nor, with this value, from more."
        return f"{text}; about {int(row.rows_needed):,} like these would do."

    @property
    def _is_binary(self):
        return self.comparison.mcnemar_pvalue is not None

    def _amount(self, number, criterion):
        if math.isinf(number):
            return "infinite"
        unit = criterion.unit
        if unit == "share":
            return f"{100 * number:.3g}%"
        if unit == "scores" and self._is_binary:
            points = f"{100 * number:.3g}"
            return f"{points} point" if points in ("1", "-1") else f"{points} points"
        return _UNITS[unit].format(number)

    def _of_changed(self):
        n = len(self.changed)
        if not n:
            return "No answer changed."
        counts = self.changed["change"].value_counts()
        parts = [f"{counts[word]} {word}" for word in counts.index]
        shown = listed_ids(self.changed.index[:_N_SHOWN], _N_SHOWN)
        more = f" and {n - _N_SHOWN} more" if n > _N_SHOWN else ""
        rows = "row" if n == 1 else "rows"
        return f"{n} {rows} changed ({', '.join(parts)}): {shown}{more}."

    def to_junit(self, *, max_rows: int = 100) -> str:
        """The outcome as JUnit's XML, which CI services show as tests.

        Parameters
        ----------
        max_rows : int, default=100
            So many of the rows that changed are listed.

        Returns
        -------
        xml : str
            A test case for each criterion. What can't be said is a failure of the type
            "cannot say".
        """
        return junit(self, max_rows=max_rows)

    def to_markdown(self, *, max_rows: int = 20) -> str:
        """The outcome as Markdown, for a comment on a change.

        Parameters
        ----------
        max_rows : int, default=20
            So many of the rows that changed are listed.

        Returns
        -------
        text : str
        """
        return markdown(self, max_rows=max_rows)
