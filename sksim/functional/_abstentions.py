"""Labels by which models decline to answer: the rows that both answer are compared."""

from numbers import Real

import numpy as np

ABSTAIN_CONSTRAINT = [str, Real, None]


def answered(labels, abstain, xp):
    """Which rows are answered; all of them if no label is the one for abstaining."""
    found = labels != abstain
    if getattr(found, "shape", None) == labels.shape:
        return found
    return xp.ones(labels.shape, dtype=bool)  # it is of another kind than the labels


def table_of_answers(both, only_x, only_y, n_samples):
    """Detail ``answered_counts_``, of the numbers of rows that are answered."""
    counts = [[both, only_x], [only_y, n_samples - both - only_x - only_y]]
    return {"answered_counts_": np.array(counts, dtype=np.int64)}


def terms_of_answers(by_x, by_y):
    """Whether each row is answered by both, by the first alone, by the second alone."""
    return [by_x & by_y, by_x & ~by_y, by_y & ~by_x]


class PairedAnswersMixin:
    """Mixin for functions of how many rows both, one or none of two models get right.

    A view is a vector of correct predictions. With the parameter ``abstain`` it holds
    1, 0, or -1 where a model declines to answer, and rows count that both answer.
    """

    def _correct(self, labels, y_true, xp):
        right = y_true == labels
        if self.abstain is None:
            return right
        by_model = answered(labels, self.abstain, xp)
        declined = xp.full_like(right, -1, dtype=xp.int8)
        return xp.where(by_model, xp.astype(right, xp.int8), declined)

    def _row_terms(self, view_x, view_y, xp):
        right_x, right_y = view_x, view_y
        of_answers = []
        if self.abstain is not None:
            of_answers = terms_of_answers(view_x >= 0, view_y >= 0)
            right_x, right_y = ((v == 1) & of_answers[0] for v in (view_x, view_y))
        of_right = [right_x & right_y, right_x & ~right_y, right_y & ~right_x]
        return xp.stack([*of_right, *of_answers], axis=1)

    def _extreme_terms(self):
        of_right = np.eye(4, 3, dtype=int)  # the last row: none is right
        if self.abstain is None:
            return of_right
        answers = np.zeros((7, 6), dtype=int)
        answers[:4, :3], answers[:4, 3] = of_right, 1
        answers[4, 4] = answers[5, 5] = 1  # and one that none answers
        return answers

    def _paired(self, sums, n_samples):
        """Rows that both, the first, the second, none get right; and details."""
        both, only_x, only_y, *of_answers = (int(count) for count in sums)
        n_answered = of_answers[0] if of_answers else int(n_samples)
        counts = both, only_x, only_y, n_answered - both - only_x - only_y
        if not of_answers:
            return counts, {}
        return counts, table_of_answers(*of_answers, int(n_samples))
