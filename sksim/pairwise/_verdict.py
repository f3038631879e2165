"""What a comparison says, question by question."""

import math
from dataclasses import dataclass

import numpy as np

from sksim._results import ResultMixin, p_text

# At least so many equal answers, and a calibrated score of at least so much, are called
# alike. Conventions, which the texts name: who needs other ones reads the numbers.
ALIKE_ANSWERS = 0.95
ALIKE_SCORE = 0.9
LEVEL = 0.05
UNKNOWN = "cannot say"


@dataclass(frozen=True, kw_only=True)
class Answer(ResultMixin):
    """What a comparison says of one question.

    Attributes
    ----------
    topic : {"represent", "chance", "answer", "err", "better", "seeds", "replace"}
        What is asked.
    question : str
        The same in words.
    answer : str
        "yes", "no", "partly", "a", "b" or "cannot say".
    text : str
        Why, with the numbers.
    measure : str
        Whose number it is; empty if it is that of no measure.
    """

    topic: str
    question: str
    answer: str
    text: str
    measure: str = ""

    def sentence(self) -> str:
        """Question, answer and reason.

        Returns
        -------
        sentence : str
        """
        return f"{self.question} {self.answer.capitalize()}: {self.text}."


def answers_of(table, predictions, replicates, *, why_no_predictions="", margin=None):
    """All that can be said, in the order in which it is asked.

    Parameters
    ----------
    table : DataFrame
        Of :func:`compare`.
    predictions : PredictionComparisonResult or None
    replicates : dict of str to ReplicateTestResult
    why_no_predictions : str
        Why there are none, if models or outputs are compared.
    margin : float or None

    Returns
    -------
    answers : tuple of Answer
    """
    level = table.attrs["confidence_level"]
    answers = []
    headline = headline_of(table)
    if headline is not None:
        answers += [_represent(headline, table, level), _chance(headline)]
    else:
        answers += _not_represented(table)
    if predictions is not None:
        answers.append(_answer(predictions))
    else:
        answers += _answer_by_measure(table, level, why_no_predictions)
    err = _err(table, predictions)
    answers += [] if err is None else [err]
    if predictions is not None and predictions.accuracy_a is not None:
        answers += [_better(predictions), _replace(predictions, margin)]
    answers += [_beyond(topic, found, headline) for topic, found in replicates.items()]
    return tuple(answers)


def headline_of(table):
    """The row that stands for what the models represent, or None."""
    is_one = (table["kind"] == "representation") & np.isfinite(table["score"])
    calibrated = table[is_one & np.isfinite(table["calibrated_score"])]
    rows = calibrated if len(calibrated) else table[is_one]
    # of many that nobody put in order, one that the task's panel has
    for name in table.attrs.get("panel", ()):
        if name in set(rows["measure"]):
            return rows[rows["measure"] == name].iloc[0]
    return rows.iloc[0] if len(rows) else None


def _not_represented(table):
    """Why there is no number of what they represent, where one was asked for."""
    rows = table[(table["kind"] == "representation") & (table["note"] != "")]
    if not len(rows):
        return []
    row = rows.iloc[0]
    reason = row["note"].removeprefix("not computed: ")
    return [
        Answer(
            topic="represent",
            question="Do they represent the inputs alike?",
            answer=UNKNOWN,
            text=f"{row['measure']} was not computed: {reason}",
            measure=row["measure"],
        )
    ]


def _represent(row, table, level):
    question = "Do they represent the inputs alike?"
    known = {"topic": "represent", "question": question, "measure": row["measure"]}
    if not math.isfinite(row["calibrated_score"]):
        text = (
            f"{row['measure']} is {_number(row['value'])}, and what chance would give "
            "is not known"
        )
        return Answer(answer=UNKNOWN, text=text, **known)
    score = row["calibrated_score"]
    low, high = row["calibrated_low"], row["calibrated_high"]
    text = (
        f"{row['measure']} is {_number(row['value'])}, on a scale from 0 (chance) to 1 "
        f"(identical) {score:.2f}"
    )
    if math.isfinite(low):
        text += f" ({level:.0%} interval {low:.2f} to {high:.2f})"
    others = table[(table["kind"] == "representation") & (table.index != row.name)]
    others = others[np.isfinite(others["calibrated_score"])]
    if len(others):
        text += f"; {_range_of(others)}"
    grades = {_grade_of(each) for _, each in [("", row), *others.iterrows()]}
    grades -= {UNKNOWN}
    answer = UNKNOWN
    if grades:
        answer = grades.pop() if len(grades) == 1 else "partly"
    return Answer(answer=answer, text=text, **known)


def _range_of(rows):
    """The least and the largest of other measures' calibrated scores."""
    ordered = rows.sort_values("calibrated_score", kind="stable")
    ends = [
        f"{row['calibrated_score']:.2f} ({row['measure']})"
        for row in (ordered.iloc[0], ordered.iloc[-1])
    ]
    return ends[0] if len(rows) == 1 else f"others {ends[0]} to {ends[1]}"


def _grade_of(row):
    """What one measure says by itself."""
    low, high = row["calibrated_low"], row["calibrated_high"]
    if not math.isfinite(low):
        low = high = row["calibrated_score"]
    return _graded(low, high, row["pvalue"])


def _graded(low, high, pvalue):
    """What limits of a calibrated score say, on a scale from chance to identical."""
    if low >= ALIKE_SCORE:
        return "yes"
    if high < 1 - ALIKE_SCORE:
        return "no"
    return "partly" if pvalue <= LEVEL and high < ALIKE_SCORE else UNKNOWN


def _chance(row):
    question = "Is that more than chance?"
    known = {"topic": "chance", "question": question, "measure": row["measure"]}
    pvalue = row["pvalue"]
    if not math.isfinite(pvalue):
        return Answer(answer=UNKNOWN, text="there is no p-value", **known)
    text = f"{p_text(pvalue)}, where {row['null']} change places"
    return Answer(answer="yes" if pvalue <= LEVEL else UNKNOWN, text=text, **known)


def _answer(found):
    low, high = found.disagreement_interval
    low, high = 1 - high, 1 - low
    answer = UNKNOWN
    if low >= ALIKE_ANSWERS:
        answer = "yes"
    elif high < ALIKE_ANSWERS:
        answer = "no"
    text = (
        f"{found.agreement:.1%} of {found.n_rows} answers are the same "
        f"({found.confidence_level:.0%} interval {low:.1%} to {high:.1%}; "
        f"{ALIKE_ANSWERS:.0%} is called alike)"
    )
    return Answer(
        topic="answer",
        question="Do they answer alike?",
        answer=answer,
        text=text,
        measure="Disagreement",
    )


def _answer_by_measure(table, level, why_not):
    """Answers that are no labels: the first measure of them, or why there is none."""
    known = {"topic": "answer", "question": "Do they answer alike?"}
    of_outputs = table[table["kind"].isin(["labels", "probabilities", "outputs"])]
    found = of_outputs[np.isfinite(of_outputs["score"])]
    if not len(found):
        return [Answer(answer=UNKNOWN, text=why_not, **known)] if why_not else []
    row = found.iloc[0]
    text = f"{row['measure']} is {_number(row['value'])}"
    score, answer = row["calibrated_score"], UNKNOWN
    if math.isfinite(score):
        text += f", on a scale from 0 (chance) to 1 (identical) {score:.2f}"
        low, high = row["calibrated_low"], row["calibrated_high"]
        if math.isfinite(low):
            text += f" ({level:.0%} interval {low:.2f} to {high:.2f})"
        else:
            low = high = score
        answer = _graded(low, high, row["pvalue"])
    return [Answer(answer=answer, text=text, measure=row["measure"], **known)]


def _err(table, predictions):
    """Whether both err on the same rows, by the measure, or as predictions say."""
    if predictions is None or predictions.error_consistency is None:
        return None
    value, details = predictions.error_consistency, ["0 is chance, 1 is always"]
    known = {"topic": "err", "question": "Do they err on the same rows?"}
    rows = table[(table["measure"] == "ErrorConsistency") & np.isfinite(table["score"])]
    pvalue = np.nan
    if len(rows):
        row = rows.iloc[0]
        known["measure"] = row["measure"]
        value, pvalue = row["value"], row["pvalue"]
        if math.isfinite(row["interval_low"]):
            low, high = row["interval_low"], row["interval_high"]
            level = table.attrs["confidence_level"]
            details.append(f"{level:.0%} interval {low:.2f} to {high:.2f}")
        if math.isfinite(pvalue):
            details.append(p_text(pvalue))
    if not math.isfinite(value):
        text = "error consistency is not defined, since one of them never errs"
        return Answer(answer=UNKNOWN, text=text, **known)
    text = f"error consistency is {value:.2f} ({'; '.join(details)})"
    if predictions.n_both_wrong:
        text += (
            f"; on {predictions.n_both_wrong} rows both are wrong, and there "
            f"{predictions.same_error_rate:.0%} of answers are the same"
        )
    answer = UNKNOWN
    if pvalue <= LEVEL and value > 0:
        answer = "partly" if value < ALIKE_SCORE else "yes"
    return Answer(answer=answer, text=text, **known)


def _better(found):
    low, high = found.difference_interval
    text = (
        f"a is right on {found.accuracy_a:.1%} and b on {found.accuracy_b:.1%}, "
        f"{100 * found.difference:+.1f} points ({found.confidence_level:.0%} interval "
        f"{100 * low:+.1f} to {100 * high:+.1f}; {p_text(found.pvalue)})"
    )
    answer = UNKNOWN
    if found.pvalue <= LEVEL:
        answer = "a" if found.difference > 0 else "b"
    elif found.is_equivalent:
        answer = "no"
    return Answer(topic="better", question="Is one better?", answer=answer, text=text)


def _replace(found, margin):
    known = {"topic": "replace", "question": "May b replace a?"}
    if margin is None:
        text = "margin= says by how much less b may be right, such as .01"
        return Answer(answer=UNKNOWN, text=text, **known)
    flips = f"{found.negative_flips} answers became wrong, {found.positive_flips} right"
    points = "point" if margin == 0.01 else "points"
    amount = f"{100 * margin:g} {points} or more"
    if found.is_noninferior:
        p = p_text(found.noninferiority_pvalue)
        text = f"it is not worse by {amount} ({p}; {flips})"
        return Answer(answer="yes", text=text, **known)
    if found.difference_interval.low >= margin:
        return Answer(answer="no", text=f"it is worse by {amount} ({flips})", **known)
    text = (
        f"that it is not worse by {amount} is not shown "
        f"({p_text(found.noninferiority_pvalue)}; {flips})"
    )
    return Answer(answer=UNKNOWN, text=text, **known)


def _beyond(topic, found, headline):
    """Whether the two differ by more than replicates of them do."""
    known = {
        "topic": "seeds",
        "question": "Do they represent more differently than replicates do?",
        "measure": "Disagreement" if headline is None else headline["measure"],
    }
    scores = f"scores {_number(found.between)}, and replicates {_number(found.floor)}"
    if topic == "answer":
        known["question"] = "Do they answer more differently than replicates do?"
        known["measure"] = "Disagreement"
        scores = (
            f"{-found.between:.1%} of answers differ, and {-found.floor:.1%} between "
            "replicates"
        )
    else:
        scores = f"{known['measure']} between them {scores}"
    if found.exceeds_floor:
        return Answer(answer="yes", text=f"{scores} ({p_text(found.pvalue)})", **known)
    if found.exceeds_floor is None and found.pvalue > LEVEL:
        few = f"the smallest p-value possible is {found.smallest_pvalue:.2g}"
        return Answer(
            answer=UNKNOWN,
            text=f"{scores} ({p_text(found.pvalue)}; {few})",
            **known,
        )
    answer = "yes" if found.exceeds_floor is None else UNKNOWN
    return Answer(answer=answer, text=f"{scores} ({p_text(found.pvalue)})", **known)


def _number(value):
    return f"{value:.3g}"
