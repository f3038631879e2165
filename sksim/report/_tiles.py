"""Four numbers that stand for a comparison: represent, answer, err, weights."""

import math

from sksim.report._strip import strip

_NO_REPRESENTATIONS = "Not measured: no representations were compared."
_NO_ANSWERS = "Not measured: no answers were compared."
_NO_TRUTH = "Not measured: that needs the true labels, y_true=."
_NO_WEIGHTS = (
    "Not measured: compare() looks at the weights of two networks with task='copy' or "
    "measures='structural'."
)
_NO_CHANCE = (
    "0 is identical. No strip: what chance would give is not known, and rows play no "
    "part, so that there is no interval."
)


def tiles_of(result):
    """What the template of the tiles names.

    Parameters
    ----------
    result : ModelComparison

    Returns
    -------
    tiles : list of dict
        With ``heading``, ``number`` (empty if there is none), ``what`` it is, its
        ``strip`` and ``ends``, its ``interval`` in words, and ``why`` something is not
        there.
    """
    return [_represent(result), _answer(result), _err(result), _weights(result)]


def _tile(heading, *, number="", what="", why="", strip=None, ends=(), interval=""):
    return {
        "heading": heading,
        "number": number,
        "what": what,
        "why": why,
        "strip": strip,
        "ends": ends,
        "interval": interval,
    }


def _represent(result):
    row = _row_of(result, "represent")
    if row is None:
        why = _first_reason(result.table, "representation") or _NO_REPRESENTATIONS
        return _tile("Represent", why=why)
    return _calibrated("Represent", row, result)


def _answer(result):
    found = result.predictions
    if found is None:
        row = _row_of(result, "answer")
        if row is not None:
            return _calibrated("Answer", row, result)
        said = [a.text for a in result.answers if a.topic == "answer" and a.text]
        why = f"Not measured: {said[0]}." if said else _NO_ANSWERS
        return _tile("Answer", why=why)
    low, high = (1 - limit for limit in reversed(found.disagreement_interval))
    chance, of = _chance_of_agreement(result)
    return _on_a_strip(
        "Answer",
        found.agreement,
        (low, high),
        result,
        what=f"same answers, of {found.n_rows}",
        chance=chance,
        words=lambda share: f"{100 * share:.1f} %",
        ends=(f"chance{of}", "identical"),
        level=found.confidence_level,
    )


def _chance_of_agreement(result):
    """Share of equal answers by chance, or nan, and what changed places for it."""
    row = _row_of_class(result, "Disagreement")
    if row is None or not math.isfinite(row["null_mean"]):
        return math.nan, ""
    of = "" if row["null"] == "rows" else f" ({row['null']})"
    return 1 + row["null_mean"], of


def _err(result):
    found = result.predictions
    if found is None:
        return _tile("Err", why=_NO_ANSWERS)
    value = found.error_consistency
    if value is None:
        return _tile("Err", why=_NO_TRUTH)
    if not math.isfinite(value):
        why = "Not defined: error consistency needs errors, and there are none."
        return _tile("Err", why=why)
    limits = (math.nan, math.nan)
    row = _row_of_class(result, "ErrorConsistency")
    if row is not None:
        value, limits = row["value"], (row["interval_low"], row["interval_high"])
    return _on_a_strip(
        "Err",
        value,
        limits,
        result,
        what="error consistency: errors on the same rows",
    )


def _weights(result):
    of_weights = result.table[result.table["family"].eq("structural")]
    rows = of_weights[of_weights["score"].notna()]
    if not len(rows):
        why = _first_reason(of_weights, "models") or _NO_WEIGHTS
        return _tile("Weights", why=why)
    row = _row_of_class(result, "WeightDelta")
    row = rows.iloc[0] if row is None else row
    what = f"{row['measure']}, a {row['direction']}"
    why = _NO_CHANCE if row["direction"] == "distance" else ""
    return _tile("Weights", number=f"{row['value']:.2f}", what=what, why=why)


def _row_of(result, topic):
    """The row of the measure that a question was answered by, or None."""
    names = [a.measure for a in result.answers if a.topic == topic]
    rows = result.table[result.table["measure"].isin(names)]
    return rows.iloc[0] if len(rows) else None


def _row_of_class(result, name):
    """The row of a measure, whatever it is called in the table, or None."""
    table = result.table[result.table["score"].notna()]
    is_one = [type(result.measures[m]).__name__ == name for m in table["measure"]]
    rows = table[is_one]
    return rows.iloc[0] if len(rows) else None


def _first_reason(table, kind):
    """Why a measure of a kind could not be computed, or an empty text."""
    missing = table[table["kind"].eq(kind) & table["score"].isna()]
    said = [note for note in missing["note"] if note]
    return f"{said[0][:1].upper()}{said[0][1:]}." if said else ""


def _calibrated(heading, row, result):
    """A calibrated score, where there is one; else the measure's own number."""
    own = f"{row['measure']} is {row['value']:.3g}, a {row['direction']}"
    if not math.isfinite(row["calibrated_score"]):
        why = "No strip: what chance would give is not known (n_permutations=)."
        return _tile(heading, number=f"{row['value']:.3g}", what=own, why=why)
    return _on_a_strip(
        heading,
        row["calibrated_score"],
        (row["calibrated_low"], row["calibrated_high"]),
        result,
        what=f"calibrated score; {own}",
    )


def _on_a_strip(
    heading,
    value,
    limits,
    result,
    *,
    what,
    chance=0.0,
    words="{:.2f}".format,
    ends=("chance", "identical"),
    level=None,
):
    """A tile with its strip; all numbers are in the units of the value."""
    level = level or result.table.attrs["confidence_level"]
    interval, why = "", ""
    if math.isfinite(limits[0]):
        interval = f"{level:.0%} interval {words(limits[0])} to {words(limits[1])}"
    else:
        why = "There is no interval."
    known = {"number": words(value), "what": what, "interval": interval}
    if not chance < 1:  # nan, or two models that give all rows one answer
        why = "No strip: agreement by chance is not known, or is all there can be."
        return _tile(heading, why=why, **known)
    label = f"{words(value)} from {words(chance)} (chance) to {words(1)} (identical)"
    return _tile(
        heading,
        why=why,
        strip=strip(
            value,
            limits,
            chance=chance,
            label=f"{label}, {interval}" if interval else label,
        ),
        ends=[f"{words(chance)} {ends[0]}", f"{words(1)} {ends[1]}"],
        **known,
    )
