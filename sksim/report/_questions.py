"""The questions that the first screen answers, whether or not there is an answer."""

import math

from sksim._results import p_text
from sksim.base._tags import tags_of
from sksim.pairwise._verdict import LEVEL, UNKNOWN, Answer

_OF_ANSWERS = {"labels", "probabilities", "outputs"}


def questions_of(result):
    """Answers of a comparison, with those that a reader must not look for in vain.

    Are they alike, is that more than chance, may one replace the other: of two vectors
    of labels chance is that of their measure, and what can't be said says what for.

    Parameters
    ----------
    result : ModelComparison

    Returns
    -------
    answers : list of Answer
    """
    answers = list(result.answers)
    topics = [answer.topic for answer in answers]
    if not {"represent", "answer"} & set(topics):
        text = "no measure of representations or answers could be computed"
        known = {"topic": "represent", "question": "Are they alike?"}
        answers.insert(0, Answer(answer=UNKNOWN, text=text, **known))
    if "chance" not in topics:
        answers.insert(1, _chance(result))
    if "replace" not in topics:
        known = {"topic": "replace", "question": "May b replace a?"}
        text = _why_not_replaced(result)
        place = [a.topic for a in answers if a.topic != "seeds"]
        answers.insert(len(place), Answer(answer=UNKNOWN, text=text, **known))
    return answers


def _chance(result):
    known = {"topic": "chance", "question": "Is that more than chance?"}
    for row in result.table.itertuples():
        tags = tags_of(result.measures[row.measure])
        if tags.inputs not in _OF_ANSWERS or tags.null != "rows":
            continue
        if math.isfinite(row.pvalue):
            return Answer(
                answer="yes" if row.pvalue <= LEVEL else UNKNOWN,
                text=f"{row.measure} has {p_text(row.pvalue)}, where {row.null} "
                "change places",
                measure=row.measure,
                **known,
            )
    return Answer(answer=UNKNOWN, text="there is no p-value", **known)


def _why_not_replaced(result):
    if result.predictions is None:
        return "this needs the answers of both, the truth (y_true=) and a margin"
    return "this needs the truth (y_true=) and a margin (margin=)"
