"""The result of a comparison of predictions, as a record and in words."""

from dataclasses import dataclass, field
from html import escape
from typing import Any

import pandas as pd

from sksim._results import ResultMixin, p_text, strict
from sksim.base._row_names import quoted
from sksim.inference._interval import ConfidenceInterval

LEVEL = 0.05
_N_SHOWN = 5
_METHODS = {
    "tango": "Tango's score interval",
    "t": "Student's t",
    "gaffke": "Gaffke's limits",
}


@dataclass(frozen=True, kw_only=True)
class PredictionComparisonResult(ResultMixin):
    """Result of :func:`compare_predictions`.

    What can't be had without a truth or scores is None; what is undefined, nan.

    Attributes
    ----------
    n_rows : int
        Rows that are compared.
    n_dropped : int
        Inputs that one side or both have, and that are not compared.
    n_clusters : int
        Groups of rows that belong together; without groups, rows.
    agreement, disagreement, churn : float
        Share of rows with the same answer, and with different ones; churn is the
        latter's name where b replaces a. Where there are no answers, of scores.
    disagreement_interval : ConfidenceInterval
        Clopper and Pearson's; with groups Gaffke's.
    kappa : float or None
        Cohen's, of the answers.
    accuracy_a, accuracy_b : float or None
        Share of right answers; of scores other than 0 and 1 their mean.
    accuracy_a_interval, accuracy_b_interval : ConfidenceInterval or None
        Wilson's; with groups Gaffke's; of other scores Student's t.
    difference : float or None
        ``accuracy_a`` minus ``accuracy_b``: positive if a scores higher.
    difference_interval : ConfidenceInterval or None
        By ``method``.
    standard_error : float or None
        Of the difference, by the spread of rows, or of whole groups.
    method : str or None
        "tango" for right and wrong without groups, else "t", or "gaffke" where too few
        groups differ for Student's t.
    pvalue : float or None
        That the two models' scores could be exchanged, by flipping the signs of the
        differences of rows, or of whole groups.
    mcnemar_pvalue : float or None
        The same of right and wrong answers, which is McNemar's exact test, with groups
        its form for groups; None for other scores.
    positive_flips, negative_flips : int or None
        Rows on which b is right and a wrong, and the reverse. Of other scores, rows on
        which b scores higher, and lower.
    flipped_rows : DataFrame or None
        These rows, by id.
    error_consistency : float or None
        Whether both err on the same rows, above chance (Geirhos et al. 2020).
    error_consistency_within_classes : float or None
        The same with the chance of each true class by itself, so that classes that are
        hard for both count for nothing.
    n_both_wrong : int or None
        Rows on which both are wrong.
    same_error_rate : float or None
        Share of them with the same answer.
    same_error_chance : float or None
        What it would be if each model drew its wrong answers from those that it gives
        to rows of the same true class.
    same_error_kappa : float or None
        (rate - chance) / (1 - chance).
    margin : float or None
        The difference that would matter.
    equivalence_pvalue : float or None
        Of a difference as small, if it were the margin or more on either side.
    noninferiority_pvalue : float or None
        The same if b were worse than a by the margin or more.
    is_equivalent, is_noninferior : bool or None
        Whether these are below .05.
    cost_a, cost_b, cost_difference : float or None
        Mean costs of the answers, and a's minus b's.
    cost_difference_interval : ConfidenceInterval or None
    cost_pvalue : float or None
        As ``pvalue``, of the costs.
    slices : DataFrame or None
        A row for each slice, with ``pvalue_holm`` for all slices together.
    smallest_slices : list of str
        Names of the smallest, smallest first.
    reversals : dict of str to str
        Columns most of whose slices say the opposite of all rows, each in words.
    dropped : dict of str to list
        Ids that are not compared, by reason: "unmatched", "duplicates", "changed",
        "unscored".
    scores : str or None
        Name of the score.
    confidence_level : float
        Of all intervals.
    """

    n_rows: int
    n_dropped: int
    n_clusters: int
    agreement: float
    disagreement: float
    disagreement_interval: ConfidenceInterval
    churn: float
    kappa: float | None = None
    accuracy_a: float | None = None
    accuracy_b: float | None = None
    accuracy_a_interval: ConfidenceInterval | None = None
    accuracy_b_interval: ConfidenceInterval | None = None
    difference: float | None = None
    difference_interval: ConfidenceInterval | None = None
    standard_error: float | None = None
    method: str | None = None
    pvalue: float | None = None
    mcnemar_pvalue: float | None = None
    positive_flips: int | None = None
    negative_flips: int | None = None
    flipped_rows: pd.DataFrame | None = field(default=None, repr=False)
    error_consistency: float | None = None
    error_consistency_within_classes: float | None = None
    n_both_wrong: int | None = None
    same_error_rate: float | None = None
    same_error_chance: float | None = None
    same_error_kappa: float | None = None
    margin: float | None = None
    equivalence_pvalue: float | None = None
    noninferiority_pvalue: float | None = None
    is_equivalent: bool | None = None
    is_noninferior: bool | None = None
    cost_a: float | None = None
    cost_b: float | None = None
    cost_difference: float | None = None
    cost_difference_interval: ConfidenceInterval | None = None
    cost_pvalue: float | None = None
    slices: pd.DataFrame | None = field(default=None, repr=False)
    smallest_slices: list[str] = field(default_factory=list)
    reversals: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, list] = field(default_factory=dict, repr=False)
    scores: str | None = None
    confidence_level: float = 0.95

    def to_dict(self) -> dict[str, Any]:
        """All fields as what JSON knows.

        Returns
        -------
        fields : dict of str to object
            As of other results, but for numbers that are not there: None, which
            strict readers of JSON take too.
        """
        return strict(super().to_dict())

    def to_frame(self) -> pd.DataFrame:
        """Table of all rows and of each slice.

        Returns
        -------
        table : DataFrame
            ``low`` and ``high`` are the limits of ``difference``; without a truth or
            scores those of ``agreement``.
        """
        first = {"n_rows": self.n_rows, "n_clusters": self.n_clusters}
        if self.difference is None:
            low, high = self.disagreement_interval
            first |= {"agreement": self.agreement, "low": 1 - high, "high": 1 - low}
        else:
            low, high = self.difference_interval
            first |= {
                "accuracy_a": self.accuracy_a,
                "accuracy_b": self.accuracy_b,
                "difference": self.difference,
                "low": low,
                "high": high,
                "pvalue": self.pvalue,
                "positive_flips": self.positive_flips,
                "negative_flips": self.negative_flips,
                "agreement": self.agreement,
            }
        if self.margin is not None:
            first["equivalence_pvalue"] = self.equivalence_pvalue
            first["noninferiority_pvalue"] = self.noninferiority_pvalue
        table = pd.DataFrame([first], index=["all rows"])
        if self.slices is None:
            return table
        # a test that stands alone is not corrected
        return pd.concat([table, self.slices])[list(self.slices.columns)]

    def _repr_html_(self) -> str:
        """The table, and what it says, for notebooks."""
        return f"{super()._repr_html_()}<p>{escape(self.sentence())}</p>"

    def sentence(self) -> str:
        """The result in words, as a paper or a release note would say it.

        Returns
        -------
        text : str
        """
        parts = [self._of_scores() if self.difference is not None else self._of_same()]
        if self.margin is not None:
            parts.append(self._of_margin())
        if self.cost_difference is not None:
            parts.append(self._of_costs())
        if self.slices is not None:
            parts.append(self._of_slices())
        parts += [f"Simpson's reversal: {text}." for text in self.reversals.values()]
        if self.n_dropped:
            reasons = ", ".join(
                f"{len(ids)} {reason} ({listed_ids(ids)})"
                for reason, ids in self.dropped.items()
            )
            inputs = "input was" if self.n_dropped == 1 else "inputs were"
            parts.append(f"{self.n_dropped} {inputs} left out: {reasons}.")
        return " ".join(parts)

    def _rows(self):
        rows = f"{self.n_rows} rows"
        if self.n_clusters == self.n_rows:
            return rows
        return f"{rows} in {self.n_clusters} groups"

    def _of_same(self):
        low, high = self.disagreement_interval
        return (
            f"On {self._rows()}, a and b give the same answer on "
            f"{self.agreement:.1%} ({self.confidence_level:.0%} interval "
            f"{1 - high:.1%} to {1 - low:.1%})."
        )

    @property
    def _is_binary(self):
        return self.mcnemar_pvalue is not None

    def _of_scores(self):
        low, high = self.difference_interval
        by = _METHODS[self.method]
        if self.n_clusters < self.n_rows:
            by += " over groups"
        test = "exact McNemar" if self.method == "tango" else "sign flips"
        if self._is_binary:
            means = (
                f"a is right on {self.accuracy_a:.1%} and b on {self.accuracy_b:.1%}"
            )
            gap, low, high = (
                f"{100 * value:+.1f}" for value in (self.difference, low, high)
            )
            unit, changes = " points", ("became right", "wrong")
        else:
            name = self.scores or "score"
            means = (
                f"a has a mean {name} of {self.accuracy_a:.4g} and b of "
                f"{self.accuracy_b:.4g}"
            )
            gap, low, high = (f"{value:+.3g}" for value in (self.difference, low, high))
            unit, changes = "", ("got a higher score", "a lower one")
        rows = "row" if self.positive_flips == 1 else "rows"
        return (
            f"On {self._rows()}, {means}: a minus b is {gap}{unit} "
            f"({self.confidence_level:.0%} interval {low} to {high}, {by}; "
            f"{p_text(self.pvalue)}, {test}). From a to b {self.positive_flips} {rows} "
            f"{changes[0]} and {self.negative_flips} {changes[1]}."
        )

    def _amount(self, value):
        return f"{100 * value:g} points" if self._is_binary else f"{value:g}"

    def _of_margin(self):
        amount = self._amount(self.margin)
        both, one = map(p_text, (self.equivalence_pvalue, self.noninferiority_pvalue))
        if self.is_equivalent:
            return (
                f"The two are equivalent within {amount} ({both}, two one-sided tests)."
            )
        if self.is_noninferior:
            return (
                f"b is not worse than a by {amount} or more ({one}); that they are "
                f"equivalent is not shown ({both})."
            )
        return f"That b is not worse than a by {amount} or more is not shown ({one})."

    def _of_costs(self):
        low, high = self.cost_difference_interval
        return (
            f"An answer of a costs {self.cost_a:.4g} and one of b {self.cost_b:.4g}: a "
            f"minus b is {self.cost_difference:+.3g} ({self.confidence_level:.0%} "
            f"interval {low:+.3g} to {high:+.3g}; {p_text(self.cost_pvalue)})."
        )

    def _of_slices(self):
        table = self.slices
        small = ", ".join(
            f"{name} ({table.at[name, 'n_rows']} rows)" for name in self.smallest_slices
        )
        text = f"The smallest of {len(table)} slices: {small}."
        if "pvalue_holm" not in table:
            return text
        differ = table[table["pvalue_holm"] < LEVEL].sort_values(
            "pvalue_holm", kind="stable"
        )
        if not len(differ):
            return f"{text} None differs after Holm's correction."
        n_more, differ = len(differ) - _N_SHOWN, differ.head(_N_SHOWN)
        shown = ", ".join(
            f"{name} (a minus b {gap:+.3g}, {p_text(pvalue)})"
            for name, gap, pvalue in zip(
                differ.index, differ["difference"], differ["pvalue_holm"], strict=True
            )
        )
        shown += f" and {n_more} more" if n_more > 0 else ""
        return f"{text} After Holm's correction a and b differ in: {shown}."


def listed_ids(ids, n=3):
    """The first few ids, in one line."""
    shown = [" ".join(map(str, i)) if isinstance(i, tuple) else quoted(i) for i in ids]
    return ", ".join(shown[:n]) + (", ..." if len(ids) > n else "")
