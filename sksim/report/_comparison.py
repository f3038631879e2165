"""The page of a comparison of two models, as what its template names."""

import base64
import math

from sksim.pairwise._panels import TASKS, panel_of
from sksim.pairwise._verdict import UNKNOWN
from sksim.report._disagreements import disagreements_of
from sksim.report._provenance import provenance_of
from sksim.report._questions import questions_of
from sksim.report._strip import Scale, strip
from sksim.report._tables import (
    contents_of_cells,
    explanation_of,
    in_order_of_reading,
    is_number,
)
from sksim.report._tiles import tiles_of

_N_DRAWN = 8
_N_ROWS = 10
_N_LETTERS = 120
_BADGES = {"yes": "yes", "no": "no", "partly": "partly", UNKNOWN: "unknown"}
_TASKS = {
    "same_architecture": "networks of one architecture",
    "copy": "a model and its copy",
    "different_kinds": "models of different kinds",
    "recordings": "recordings with noise",
}


def contents_of(result, *, call=None, figure=None):
    """What the template ``comparison.html`` names.

    Parameters
    ----------
    result : ModelComparison
    call : str, default=None
        In place of the call that the comparison knows.
    figure : dict, default=None
        A picture in place of the panel's, which then comes after it.

    Returns
    -------
    contents : dict
    """
    table = result.table
    return {
        "about": _about(result),
        "answers": [
            {"badge": _BADGES.get(a.answer, "side"), "fields": a}
            for a in questions_of(result)
        ],
        "tiles": tiles_of(result),
        "figure": figure,
        "panel": _panel(result),
        "disagreements": disagreements_of(result),
        "differing": _differing(result),
        "measures": contents_of_cells(in_order_of_reading(table)),
        "explanation": explanation_of(table),
        "families": sorted(set(table["family"])),
        "csv": base64.b64encode(table.to_csv(index=False).encode()).decode("ascii"),
        "sentence": result.sentence(),
        "bibtex": result.bibtex(),
        "call": call or table.attrs["call"],
        "facts": provenance_of(result),
    }


def _about(result):
    rows = f"{result.n_samples} rows"
    if result.task is None:
        return f"{rows}, {len(result.table)} measures."
    return f"{rows}, the panel of measures for {_TASKS[result.task]}."


# ----- the picture ------------------------------------------------------------------


def _panel(result):
    """Calibrated scores of a few measures on one scale, or None."""
    drawn = _drawn(result)
    if not drawn:
        return None
    scale = Scale(
        x
        for row in drawn
        for x in (row.calibrated_score, row.calibrated_low, row.calibrated_high)
    )
    rows = [_panel_row(row, scale) for row in drawn]
    n_scores = int(result.table["calibrated_score"].notna().sum())
    return {
        "rows": rows,
        "chance": scale.place(0.0),
        "left_out": n_scores - len(rows),
    }


def _panel_row(row, scale):
    limits = row.calibrated_low, row.calibrated_high
    note = f"{row.calibrated_score:.2f}"
    words = ""
    if math.isfinite(limits[0]):
        words = f" [{limits[0]:.2f}, {limits[1]:.2f}]"
    picture = strip(
        row.calibrated_score,
        limits,
        scale=scale,
        label=f"{row.measure}: {note}{words}, from 0 (chance) to 1 (identical)",
    )
    return {"name": row.measure, "strip": picture, "number": note, "interval": words}


def _drawn(result):
    """Rows of the table that stand for it: the verdict's, a panel's, then others."""
    rows = [r for r in result.table.itertuples() if math.isfinite(r.calibrated_score)]
    asked = {answer.measure for answer in result.answers}
    panel = _names_of_panel(result.task or TASKS[0])
    ranks = {
        row.measure: (
            row.measure not in asked,
            type(result.measures[row.measure]).__name__ not in panel,
            bool(row.same_as),
        )
        for row in rows
    }
    chosen = sorted(rows, key=lambda row: ranks[row.measure])[:_N_DRAWN]
    return sorted(chosen, key=lambda row: row.Index)


def _names_of_panel(task):
    return {type(measure).__name__ for place in panel_of(task) for measure in place}


# ----- rows -------------------------------------------------------------------------


def _differing(result):
    """The rows on which two models differ most: the first few, and the rest."""
    rows = result.differing_rows
    if rows is None or not len(rows):
        why = "No answers were compared."
        if rows is not None:
            why = "The answers are the same on all rows."
        return {"why": why, "first": None, "rest": None}
    shown = rows.reset_index()
    for name in ("answer_a", "answer_b", "truth"):
        if name in shown and not is_number(shown[name]):
            shown[name] = [str(value)[:_N_LETTERS] for value in shown[name]]
    cells = contents_of_cells(shown)
    first = cells | {"rows": cells["rows"][:_N_ROWS]}
    rest = cells | {"rows": cells["rows"][_N_ROWS:]}
    return {"why": "", "first": first, "rest": rest if rest["rows"] else None}
