"""Models that may decline to answer."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import UndefinedMetricWarning

from sksim import all_measures
from sksim.functional import (
    CohenKappa,
    Disagreement,
    DoubleFault,
    ErrorConsistency,
    ErrorCorrectedDisagreement,
    ErrorCorrelation,
    GroupSameErrorRate,
    MinMaxNormalizedDisagreement,
    OracleDisagreement,
    PerformanceDifference,
    QStatistic,
    SameErrorRate,
)
from sksim.inference import similarity_interval, similarity_test

# of the eight rows both answer the first five
FIRST = ["a", "b", "a", "c", "b", "?", "a", "?"]
SECOND = ["a", "b", "b", "c", "a", "a", "?", "?"]
TRUTH = ["a", "b", "a", "b", "c", "a", "a", "b"]
TABLE = [[5, 1], [1, 1]]


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Disagreement(abstain="?"), 2 / 5),
        # answers a, b and c: by chance (2 * 2 + 2 * 2 + 1 * 1) / 25
        (CohenKappa(abstain="?"), (3 / 5 - 9 / 25) / (1 - 9 / 25)),
        # right on rows 1, 2, 3 and on 1, 2: 4 of 5 alike, by chance 3/5 2/5 + 2/5 3/5
        (ErrorConsistency(abstain="?"), (4 / 5 - 12 / 25) / (1 - 12 / 25)),
        (ErrorCorrelation(abstain="?"), (2 * 2 - 1 * 0) / 6),
        (QStatistic(abstain="?"), 1.0),
        (DoubleFault(abstain="?"), 2 / 5),
        (OracleDisagreement(abstain="?"), 1 / 5),
        (ErrorCorrectedDisagreement(abstain="?"), (2 / 5) / (2 / 5)),
        (MinMaxNormalizedDisagreement(abstain="?"), (2 - 1) / (5 - 1)),
        # both wrong on rows 4 and 5, the same on 4; any wrong on row 3 too
        (SameErrorRate(abstain="?"), 1 / 2),
        (SameErrorRate("either", abstain="?"), 1 / 3),
        (PerformanceDifference(signed=True, abstain="?"), 3 / 5 - 2 / 5),
    ],
    ids=repr,
)
def test_by_hand(measure, expected):
    measure.fit(FIRST, SECOND, y_true=TRUTH)
    assert_allclose(measure.statistic_, expected)
    assert measure.answered_counts_.tolist() == TABLE
    if hasattr(measure, "counts_"):
        assert measure.counts_.tolist() == [[2, 1], [0, 2]]


def test_chance_of_the_same_error_is_of_answers():
    """Three labels are answers: by chance one of the two wrong ones is given."""
    measure = SameErrorRate(abstain="?").fit(FIRST, SECOND, y_true=TRUTH)
    assert measure.chance_ == 1 / 2
    assert SameErrorRate().fit(FIRST, SECOND, y_true=TRUTH).chance_ == 1 / 3
    # of class b both err by c, of class c one by b and one by a
    measure = SameErrorRate(chance="marginals", abstain="?")
    measure.fit(FIRST, SECOND, y_true=TRUTH)
    assert measure.chance_ == 1 / 2


TAKERS = [
    Disagreement(abstain=9),
    CohenKappa(abstain=9),
    CohenKappa("quadratic", abstain=9),
    CohenKappa("linear", labels=[0, 1, 2, 3], abstain=9),
    CohenKappa("linear", abstain=1.0),
    ErrorConsistency(abstain=9),
    ErrorCorrelation(abstain=9),
    QStatistic(abstain=9),
    DoubleFault(abstain=9),
    OracleDisagreement(abstain=9),
    ErrorCorrectedDisagreement(abstain=9),
    MinMaxNormalizedDisagreement("exact", abstain=9),
    SameErrorRate(abstain=9),
    SameErrorRate("either", chance="marginals", abstain=9),
    GroupSameErrorRate(abstain=9),
    PerformanceDifference(abstain=9),
]


def test_what_takes_abstentions():
    found = {
        cls
        for _, cls in all_measures(family="functional")
        if "abstain" in cls._get_param_names()
    }
    assert found == {type(measure) for measure in TAKERS}


@pytest.fixture
def answers():
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=300)
    votes = [np.where(rng.random(300) < 0.6, truth, rng.integers(4, size=300))]
    votes.append(np.where(rng.random(300) < 0.5, truth, votes[0]))
    for vote in votes:
        vote[rng.random(300) < 0.2] = 9
    return *votes, truth


def known_of(measure, truth):
    return {} if type(measure) in (Disagreement, CohenKappa) else {"y_true": truth}


def with_params(measure, **params):
    return type(measure)(**{**measure.get_params(), **params})


@pytest.mark.parametrize("measure", TAKERS, ids=repr)
def test_it_is_the_measure_of_rows_that_both_answer(measure, answers):
    first, second, truth = answers
    rows = (first != measure.abstain) & (second != measure.abstain)
    alone = with_params(measure, abstain=None)
    alone.fit(first[rows], second[rows], **known_of(measure, truth[rows]))
    measure.fit(first, second, **known_of(measure, truth))
    assert_allclose(measure.statistic_, alone.statistic_, rtol=1e-13)
    for name in ("kappa_", "chance_", "mcnemar_pvalue_", "disagreement_", "counts_"):
        if hasattr(alone, name):
            assert_allclose(getattr(measure, name), getattr(alone, name), rtol=1e-13)
    streamed = with_params(measure)
    for b in (slice(0, 1), slice(1, 50), slice(50, 300)):
        streamed.partial_fit(first[b], second[b], **known_of(measure, truth[b]))
    assert_allclose(streamed.statistic_, measure.statistic_, rtol=1e-13)
    if not isinstance(measure, GroupSameErrorRate):
        assert measure.answered_counts_[0, 0] == rows.sum()
        assert streamed.answered_counts_.tolist() == measure.answered_counts_.tolist()


@pytest.mark.parametrize("measure", [m for m in TAKERS if m.abstain == 9], ids=repr)
def test_words_say_what_numbers_say(measure, answers):
    letters = np.array(list("abcdefghij"))
    known = {name: letters[v] for name, v in known_of(measure, answers[2]).items()}
    params = {"labels": list("abcd")} if "weights" in measure.get_params() else {}
    text = with_params(measure, abstain="j", **params)
    text.fit(*(letters[each] for each in answers[:2]), **known)
    measure.fit(*answers[:2], **known_of(measure, answers[2]))
    assert_allclose(text.statistic_, measure.statistic_, rtol=1e-13)


@pytest.mark.parametrize("measure", [m for m in TAKERS if m.abstain == 9], ids=repr)
@pytest.mark.parametrize("word", ["nobody", 77])
def test_a_word_that_nobody_says(measure, word, answers):
    params = {"labels": None} if "labels" in measure.get_params() else {}
    known = known_of(measure, answers[2])
    plain = with_params(measure, abstain=None, **params).fit(*answers[:2], **known)
    other = with_params(measure, abstain=word, **params).fit(*answers[:2], **known)
    assert_allclose(other.statistic_, plain.statistic_, rtol=1e-13)
    if not isinstance(measure, GroupSameErrorRate):
        assert other.answered_counts_.tolist() == [[300, 0], [0, 0]]


@pytest.mark.parametrize(
    "cls",
    [
        *(Disagreement, CohenKappa, DoubleFault, OracleDisagreement, QStatistic),
        *(ErrorCorrelation, SameErrorRate, MinMaxNormalizedDisagreement),
        ErrorCorrectedDisagreement,
    ],
)
def test_no_row_that_both_answer(cls):
    with pytest.warns(UndefinedMetricWarning):
        measure = cls(abstain="?").fit(
            ["?", "a", "?"], ["a", "?", "?"], y_true=["a", "a", "a"]
        )
    assert math.isnan(measure.statistic_)
    assert measure.answered_counts_.tolist() == [[0, 1], [1, 1]]


def test_no_accuracy_of_no_row():
    sides, truth = (["?", "a"], ["a", "?"]), ["a", "a"]
    assert ErrorConsistency(abstain="?").fit(*sides, y_true=truth).statistic_ == 1
    with pytest.raises(ValueError, match="No row is answered by both models"):
        PerformanceDifference(abstain="?").fit(*sides, y_true=truth)


def test_scores_and_probabilities_have_no_abstentions():
    with pytest.raises(ValueError, match="abstain is for scoring='accuracy'"):
        PerformanceDifference("f1_macro", abstain=9).fit([0, 1], [1, 1], y_true=[0, 1])
    rows = [[0.5, 0.5], [0.2, 0.8]]
    with pytest.raises(ValueError, match="X must hold one label for each row"):
        PerformanceDifference(abstain=1).fit(rows, rows, y_true=[0, 1])


@pytest.mark.parametrize("cls", [PerformanceDifference, ErrorConsistency, CohenKappa])
def test_intervals_are_of_answers(cls, answers):
    first, second, truth = answers
    rows = (first != 9) & (second != 9)
    own = similarity_interval(cls(abstain=9), first, second, **known_of(cls(), truth))
    known = known_of(cls(), truth[rows])
    alone = similarity_interval(cls(), first[rows], second[rows], **known)
    assert_allclose(own.confidence_interval, alone.confidence_interval, atol=0.02)


def test_mcnemar_is_of_answers(answers):
    first, second, truth = answers
    rows = (first != 9) & (second != 9)
    sides, some = (first, second), (first[rows], second[rows])
    test = similarity_test(PerformanceDifference(abstain=9), *sides, y_true=truth)
    alone = similarity_test(PerformanceDifference(), *some, y_true=truth[rows])
    assert test.pvalue == alone.pvalue
    measure = PerformanceDifference(abstain=9, signed=True)
    tango = similarity_interval(measure, *sides, y_true=truth, method="tango")
    alone = similarity_interval(
        PerformanceDifference(signed=True), *some, y_true=truth[rows], method="tango"
    )
    assert tango.confidence_interval == alone.confidence_interval


def test_to_abstain_is_no_third_class():
    """Of two classes errors of 3 and 3 rows of 4 leave a disagreement of 2 at most."""
    first, second = ["b", "b", "b", "a", "?"], ["b", "b", "a", "b", "a"]
    measure = MinMaxNormalizedDisagreement("exact", abstain="?")
    measure.fit(first, second, y_true=["a"] * 5)
    assert measure.disagreement_range_ == (0, 2 / 4)
    assert measure.distance_ == 1
    votes = np.array([first, second, ["c", "b", "b", "?", "b"]]).T
    group = GroupSameErrorRate(abstain="?").fit(votes, y_true=["a"] * 5)
    # pairs are both wrong on rows 1, 2; 1, 2, 3; 1, 2, and row 1 of the third is "c"
    assert (group.n_same_wrong_, group.n_both_wrong_) == (2 + 2 + 1, 2 + 3 + 2)
