"""Measures that contradict the one that a verdict rests on."""

import math

from sksim.base._tags import tags_of
from sksim.pairwise._verdict import ALIKE_SCORE
from sksim.report._blindness import blind_to, sees_beyond

# Calibrated scores that differ by at least so much contradict each other: a convention,
# which the page names.
APART = 0.25
_N_SHOWN = 4


def disagreements_of(result):
    """What the template names of measures that contradict the verdict's.

    A measure does if the intervals of the two calibrated scores have nothing in common,
    and they differ by a quarter of the way from chance to identical, or one of them is
    called alike and the other not.

    Parameters
    ----------
    result : ModelComparison

    Returns
    -------
    found : dict or None
        The ``verdict``'s measure, and the ``groups`` of others that are blind to the
        same, farthest first. None if no measure has a calibrated score.
    """
    rows = [row for row in result.table.itertuples() if _counts(row, result)]
    names = [a.measure for a in result.answers if a.topic in ("represent", "answer")]
    own = [row for name in names for row in rows if row.measure == name]
    if not own:
        return None
    own = own[0]
    others = [row for row in rows if row.measure != own.measure and not row.same_as]
    others = [row for row in others if _contradict(row, own)]
    others.sort(key=lambda row: -abs(row.calibrated_score - own.calibrated_score))
    return {
        "verdict": _described(own, result),
        "groups": _groups(others, own, result),
        "n_compared": len(rows) - 1,
        "apart": APART,
        "alike": ALIKE_SCORE,
    }


def _counts(row, result):
    """Whether a row says how alike the two are, from chance to identical."""
    tags = tags_of(result.measures[row.measure])
    return math.isfinite(row.calibrated_score) and tags.null != "exchange"


def _contradict(one, other):
    low, high = sorted((_limits(one), _limits(other)))
    if high[0] <= low[1]:
        return False
    scores = one.calibrated_score, other.calibrated_score
    return max(scores) - min(scores) >= APART or (
        min(scores) < ALIKE_SCORE <= max(scores)
    )


def _limits(row):
    if math.isfinite(row.calibrated_low):
        return row.calibrated_low, row.calibrated_high
    return row.calibrated_score, row.calibrated_score


def _groups(rows, own, result):
    """What measures say, those together that are blind to the same."""
    tags = tags_of(result.measures[own.measure])
    found = {}
    for row in rows:
        one = _described(row, result)
        sees = sees_beyond(tags_of(result.measures[row.measure]), tags)
        found.setdefault((one["blind"], sees), []).append(one)
    return [
        {
            "blind": blind,
            "sees": sees,
            "measures": group[:_N_SHOWN],
            "left_out": len(group[_N_SHOWN:]),
        }
        for (blind, sees), group in found.items()
    ]


def _described(row, result):
    number = f"{row.calibrated_score:.2f}"
    if math.isfinite(row.calibrated_low):
        number += f" ({row.calibrated_low:.2f} to {row.calibrated_high:.2f})"
    return {
        "measure": row.measure,
        "number": number,
        "blind": blind_to(tags_of(result.measures[row.measure])),
    }
