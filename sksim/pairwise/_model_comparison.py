"""The result of a comparison of two models: rows, and what they say."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from sksim._bibliography import bibtex_of
from sksim._results import ResultMixin, p_text, strict
from sksim.base._tags import tags_of
from sksim.inference._replicates import ReplicateTestResult
from sksim.pairwise._predictions import PredictionComparisonResult
from sksim.pairwise._verdict import Answer, headline_of

SHOWN = ["measure", "value", "calibrated_score", "pvalue_adjusted", "note"]


@dataclass(frozen=True, kw_only=True)
class ModelComparison(ResultMixin):
    """Result of :func:`compare`.

    Attributes
    ----------
    table : DataFrame
        One row for each measure; :func:`compare` names the columns. Its ``attrs`` hold
        the settings and the call.
    answers : tuple of Answer
        What the numbers say, question by question: do they represent alike, is that
        more than chance, do they answer alike, err alike, is one better, may one
        replace the other, do they differ by more than replicates. ``answer`` may be
        "cannot say".
    n_samples : int
        Number of rows.
    task : str or None
        Whose panel of measures it is; None where measures were named.
    predictions : PredictionComparisonResult or None
        The two models' labels row by row, where they have labels.
    replicates : dict of str to ReplicateTestResult
        By "represent" and "answer"; empty if no replicates were given.
    differing_rows : DataFrame or None
        The rows on which they differ most, at most a hundred: ``answer_a``,
        ``answer_b``, and as far as they are known ``truth``, ``confidence_a``,
        ``confidence_b`` and the ``difference`` of the answers, or of their
        probabilities (total variation). None where no outputs are compared.
    measures : dict of str to estimator
        The measures by their names in the table.
    """

    table: pd.DataFrame = field(repr=False)
    answers: tuple[Answer, ...]
    n_samples: int
    task: str | None = None
    predictions: PredictionComparisonResult | None = field(default=None, repr=False)
    replicates: dict[str, ReplicateTestResult] = field(default_factory=dict, repr=False)
    differing_rows: pd.DataFrame | None = field(default=None, repr=False)
    measures: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def verdict(self) -> str:
        """What the comparison says, one line for each question."""
        return "\n".join(answer.sentence() for answer in self.answers)

    def __str__(self) -> str:
        return self.verdict

    def to_frame(self) -> pd.DataFrame:
        """The table, one row for each measure.

        Returns
        -------
        table : DataFrame
        """
        return self.table.copy()

    def to_dict(self) -> dict[str, Any]:
        """All fields, the verdict and the settings as what JSON knows.

        Returns
        -------
        fields : dict of str to object
            Numbers that are not there are None.
        """
        fields = super().to_dict()
        fields["measures"] = {
            label: " ".join(repr(measure).split())
            for label, measure in self.measures.items()
        }
        settings = {str(key): value for key, value in self.table.attrs.items()}
        return strict({"verdict": self.verdict, **fields, "settings": settings})

    def sentence(self) -> str:
        """The main number as a paper would say it, with all that it depends on.

        Returns
        -------
        sentence : str
        """
        from sksim import __version__

        row = headline_of(self.table)
        if row is None:
            found = self.table[np.isfinite(self.table["score"])]
            if not len(found):
                return f"No measure could be computed (sksim {__version__})."
            row = found.iloc[0]
        source = tags_of(self.measures[row["measure"]]).reference
        of = f" ({source})" if source else ""
        parts = []
        if np.isfinite(row["interval_low"]):
            low, high = row["interval_low"], row["interval_high"]
            if row["direction"] == "distance":
                low, high = -high, -low
            level = self.table.attrs["confidence_level"]
            parts.append(f"{level:.0%} interval {low:.3f} to {high:.3f}")
        if np.isfinite(row["pvalue"]):
            n_permutations = self.table.attrs["n_permutations"]
            by = f"{n_permutations} permutations"
            if row["null"] == "McNemar":
                by = "exact"
            parts.append(
                f"{p_text(row['pvalue'])} under permutation of {row['null']}, {by}"
                if by != "exact"
                else f"{p_text(row['pvalue'])}, McNemar's exact test"
            )
        parts.append(f"sksim {__version__}")
        what = f"{row['measure']}{of}, a {row['direction']},"
        return (
            f"On {self.n_samples} rows, {what} was {row['value']:.3f} "
            f"({'; '.join(parts)})."
        )

    def bibtex(self) -> str:
        """The sources of the measures that were computed, and sksim's own entry.

        Returns
        -------
        entries : str
        """
        found = self.table.loc[np.isfinite(self.table["score"]), "measure"]
        return bibtex_of([self.measures[label] for label in found])

    def _repr_html_(self) -> str:
        """The verdict, and the table, for notebooks."""
        lines = "".join(
            f"<dt>{escape(answer.question)}</dt>"
            f"<dd><strong>{escape(answer.answer)}</strong>: {escape(answer.text)}</dd>"
            for answer in self.answers
        )
        columns = [name for name in SHOWN if name in self.table]
        table = self.table[columns].to_html(index=False, na_rep="", max_rows=20)
        return f"<p>ModelComparison</p><dl>{lines}</dl>{table}"
