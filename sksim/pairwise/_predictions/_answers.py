"""What two models' answers have in common, beyond how often they are right."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers of two models, and the truth where it is known, in one coding.

    Attributes
    ----------
    a, b : int array of shape (n_rows,)
    truth : int array of shape (n_rows,) or None
    classes : ndarray of shape (n_classes,)
        What the codes stand for, in the order in which they are first seen.
    """

    a: np.ndarray
    b: np.ndarray
    truth: np.ndarray | None
    classes: np.ndarray

    def some(self, rows):
        """The same of some rows."""
        truth = None if self.truth is None else self.truth[rows]
        return Answers(
            a=self.a[rows], b=self.b[rows], truth=truth, classes=self.classes
        )


def above_chance(observed, chance):
    """Agreement above chance, as a share of what chance leaves; nan for 0 / 0."""
    return math.nan if chance >= 1 else (observed - chance) / (1 - chance)


def cohen_kappa(answers):
    """Agreement of the answers above that of two independent models."""
    n, n_classes = len(answers.a), len(answers.classes)
    given = [
        np.bincount(codes, minlength=n_classes) for codes in (answers.a, answers.b)
    ]
    # whole numbers: of one and the same answer throughout the chance is 1 exactly
    chance = sum(int(one) * int(other) for one, other in zip(*given, strict=True))
    if chance == n * n:
        return math.nan
    n_same = int(np.count_nonzero(answers.a == answers.b))
    return (n_same * n - chance) / (n * n - chance)


def error_consistency(right_a, right_b):
    """Whether both are right, or wrong, on the same rows (Geirhos et al. 2020)."""
    one_class = np.zeros(len(right_a), dtype=np.intp)
    return error_consistency_within(right_a, right_b, one_class)


def error_consistency_within(right_a, right_b, truth):
    """The same, with the chance of each true class by itself.

    Classes that are hard for both models make errors coincide; this is what is left.

    Parameters
    ----------
    right_a, right_b : bool array of shape (n_rows,)
    truth : int array of shape (n_rows,)
    """
    n = np.bincount(truth)
    right = [np.bincount(truth, weights=flags) for flags in (right_a, right_b)]
    wrong = [n - each for each in right]
    is_there = n > 0
    # rows on which two independent models of these accuracies would coincide
    by_chance = (right[0] * right[1] + wrong[0] * wrong[1])[is_there] / n[is_there]
    expected = math.fsum(by_chance)
    n_same = int(np.count_nonzero(right_a == right_b))
    # a class that both always get right, or wrong, leaves nothing to chance
    left = len(truth) - expected
    return math.nan if left < 1e-9 else (n_same - expected) / left


@dataclass(frozen=True, kw_only=True)
class SameErrors:
    """How often two models that are both wrong give the same answer."""

    n_both_wrong: int
    rate: float
    chance: float
    kappa: float


def same_errors(answers, right_a, right_b):
    """Same wrong answers, against the chance of each model's own wrong answers.

    By chance two models that are wrong on a row of true class t give the same answer
    with the probability sum_c q_a(c | t) q_b(c | t), where q_m(c | t) is the share of
    answer c among all wrong answers of model m on that class. Without a truth there is
    one class.
    """
    both = ~right_a & ~right_b
    n_both = int(np.count_nonzero(both))
    if n_both == 0:
        return SameErrors(
            n_both_wrong=0, rate=math.nan, chance=math.nan, kappa=math.nan
        )
    # the measures of outputs take a while to import, which others need not wait for
    from sksim.functional import _shared_errors as shared

    truth = np.zeros_like(answers.a) if answers.truth is None else answers.truth
    # wrong is what the score says: an answer may be right without being the target
    views = [
        shared.Answers(codes, truth, ~right, None)
        for codes, right in ((answers.a, right_a), (answers.b, right_b))
    ]
    n_same = int(np.count_nonzero(both & (answers.a == answers.b)))
    chance = shared.expected_same(*views, "marginals", np) / n_both
    chance = 1.0 if abs(chance - 1) < 1e-12 else chance
    rate = n_same / n_both
    return SameErrors(
        n_both_wrong=n_both, rate=rate, chance=chance, kappa=above_chance(rate, chance)
    )
