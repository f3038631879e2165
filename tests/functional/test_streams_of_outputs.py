"""Measures of outputs whose rows come in blocks: what the checks of all don't ask."""

import pickle
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sksim import all_measures
from sksim.base._tags import tags_of
from sksim.functional import (
    CochranQ,
    CohenKappa,
    Disagreement,
    ErrorConsistency,
    ErrorCorrectedDisagreement,
    FleissKappa,
    GroupExplanationAgreement,
    GroupProbabilisticErrorConsistency,
    GroupSameErrorRate,
    JensenShannonDivergence,
    KohaviWolpertVariance,
    KrippendorffAlpha,
    KullbackLeibler,
    LabelEntropy,
    MinMaxNormalizedDisagreement,
    PerformanceDifference,
    PredictionDifference,
    ProbabilisticErrorConsistency,
    RankCorrelation,
    RashomonCapacity,
    RegressionDifference,
    SameErrorRate,
)


def blocks(*arrays, sizes=(7, 1, 30, 22)):
    start = 0
    for size in sizes:
        yield [array[start : start + size] for array in arrays]
        start += size


@pytest.fixture
def outputs():
    rng = np.random.default_rng(0)
    truth = np.sort(rng.integers(3, size=60))  # the first blocks know one class
    scores = rng.normal(size=(2, 60, 3))
    scores[:, np.arange(60), truth] += 1
    return *np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True), truth


def test_what_is_a_mean_or_a_table_streams():
    wanted = {
        *("Disagreement", "CohenKappa", "FleissKappa", "JensenShannonDivergence"),
        *("KullbackLeibler", "TotalVariation", "Hellinger", "ErrorConsistency"),
        *("SurrogateChurn", "PerformanceDifference", "SameErrorRate", "DoubleFault"),
        *("ProbabilisticErrorConsistency", "TopKOverlap", "ExplanationAgreement"),
        *("PredictionDifference", "RashomonCapacity", "KrippendorffAlpha"),
        *("GroupProbabilisticErrorConsistency", "GroupExplanationAgreement"),
    }
    found = {name for name, _ in all_measures(streaming=True, family="functional")}
    assert wanted <= found
    assert hasattr(RankCorrelation(per="row"), "partial_fit")
    for measure in (
        RankCorrelation(),
        RegressionDifference(),
        PerformanceDifference("f1_macro"),
    ):
        assert not tags_of(measure).streaming
        assert not hasattr(measure, "partial_fit")


def test_columns_are_classes_by_their_places(outputs):
    """A block of one class does not name the columns."""
    a, b, truth = outputs
    for cls in (ProbabilisticErrorConsistency, PerformanceDifference):
        expected = cls().fit(a, b, y_true=truth)
        measure = cls()
        for x, y, labels in blocks(a, b, truth):
            measure.partial_fit(x, y, labels)
        assert_allclose(measure.statistic_, expected.statistic_, rtol=1e-12)
        with pytest.raises(ValueError, match="y_true"):
            measure.partial_fit(a[:2], b[:2], ["cat", "dog"])
        named = cls()
        animals = np.array(["ant", "bee", "cat"])
        for x, y, labels in blocks(a, b, animals[truth]):
            named.partial_fit(x, y, labels, classes=animals)
        assert_allclose(named.statistic_, expected.statistic_, rtol=1e-12)
    assert named.mcnemar_pvalue_ == expected.mcnemar_pvalue_


def test_details_are_those_of_all_rows(outputs):
    labels = [each.argmax(axis=1) for each in outputs[:2]]
    options = np.tile([3, 4, 5], 20)
    for measure in (
        SameErrorRate(chance="marginals"),
        SameErrorRate(n_options=None),
        ErrorConsistency(),
    ):
        known = {"y_true": outputs[2]}
        if isinstance(measure, SameErrorRate):
            known["n_options"] = options
        expected = dict(vars(measure.fit(*labels, **known)))
        streamed = type(measure)(**measure.get_params())
        for x, y, *values in blocks(*labels, *known.values()):
            streamed.partial_fit(x, y, **dict(zip(known, values, strict=True)))
        streamed.score()
        for name in {n for n in expected if n.endswith("_")}:
            np.testing.assert_allclose(getattr(streamed, name), expected[name], 1e-12)


def test_grades_keep_their_order():
    order = ["low", "mid", "high"]
    values = [pd.Categorical(np.array(order)[np.arange(12) % k]) for k in (3, 2)]
    graded = [
        pd.Series(v).astype(pd.CategoricalDtype(order, ordered=True)) for v in values
    ]
    expected = CohenKappa("quadratic").fit(*graded).similarity_
    measure = CohenKappa("quadratic")
    for rows in (slice(0, 1), slice(1, 8), slice(8, 12)):
        measure.partial_fit(
            *(each.iloc[rows].reset_index(drop=True) for each in graded)
        )
    assert_allclose(measure.similarity_, expected)
    other = pd.Series(["low"]).astype(pd.CategoricalDtype(order[::-1], ordered=True))
    with pytest.raises(ValueError, match="The grades come in the order"):
        measure.partial_fit(other, other)
    assert measure.n_samples_fit_ == 12


def test_a_stream_after_a_fit_and_a_fit_after_a_stream(outputs):
    a, b, _ = outputs
    measure = JensenShannonDivergence().fit(a, b)
    with pytest.warns(UserWarning, match="fit, which keeps no sums to go on from"):
        measure.partial_fit(a[:9], b[:9])
    assert not hasattr(measure, "row_values_")
    expected = JensenShannonDivergence().fit(a[:9], b[:9]).distance_
    assert_allclose(measure.distance_, expected, rtol=1e-13)
    assert measure.fit(a, b).n_samples_fit_ == 60
    with pytest.raises(ValueError, match="never fitted by partial_fit"):
        measure.merge(JensenShannonDivergence())
    with pytest.raises(ValueError, match="parameters of both"):
        JensenShannonDivergence().partial_fit(a, b).merge(
            JensenShannonDivergence(base=2).partial_fit(a, b)
        )


def test_infinite_divergences_stay_infinite(outputs):
    a, b, _ = outputs
    with pytest.warns(RuntimeWarning, match="infinite"):
        measure = KullbackLeibler().partial_fit([[0.5, 0.5, 0]], [[1.0, 0, 0]])
    assert measure.partial_fit(a, b).distance_ == np.inf


def streamed(measure, *arrays, **known):
    measure = type(measure)(**measure.get_params())
    for x, *values in blocks(*arrays, *known.values()):
        rest = dict(zip(known, values[len(arrays) - 1 :], strict=True))
        measure.partial_fit(x, *values[: len(arrays) - 1], **rest)
    measure.score()
    return measure


def outcome_of(measure):
    """Fitted attributes but those of single rows; a stream calls columns 0, 1, ..."""
    names = {n for n in vars(measure) if n.endswith("_") and not n.startswith("_")}
    names -= {"row_values_", "classes_"}
    return {name: getattr(measure, name) for name in names}


def assert_same_outcome(streamed, fitted):
    found, expected = outcome_of(streamed), outcome_of(fitted)
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert type(found[name]) is type(value), name
        assert_allclose(found[name], value, rtol=1e-11, err_msg=name)


@pytest.mark.parametrize(
    "measure",
    [
        PredictionDifference(),
        PredictionDifference(relative=True),
        RashomonCapacity(),
        GroupProbabilisticErrorConsistency(),
        GroupProbabilisticErrorConsistency(discrete=True, n_options=3),
        GroupExplanationAgreement("sign"),
        GroupExplanationAgreement("rank_correlation"),
    ],
    ids=repr,
)
def test_groups_in_blocks_are_as_all_rows(measure, outputs):
    group = np.stack([*outputs[:2], outputs[0][::-1]], axis=1)
    group[3:6, 0] = 1 / 3  # rows without a correlation, and a model without any
    known = {"y_true": outputs[2]}
    fitted = type(measure)(**measure.get_params()).fit(group, **known)
    assert_same_outcome(streamed(measure, group, **known), fitted)
    parts = [
        type(measure)(**measure.get_params()).partial_fit(x, y_true=labels)
        for x, labels in blocks(group, outputs[2])
    ]
    first, second, *rest = parts
    merged = second.merge(first)
    for part in rest:
        merged.merge(part)
    merged.score()
    assert_same_outcome(merged, fitted)


def test_groups_that_come_as_lists_know_their_columns(outputs):
    a, b, truth = outputs
    for cls in (GroupProbabilisticErrorConsistency, PredictionDifference):
        params = {"relative": True} if cls is PredictionDifference else {}
        expected = cls(**params).fit([a, b, a], y_true=truth).statistic_
        measure = cls(**params)
        for x, y, labels in blocks(a, b, truth):
            measure.partial_fit([x, y, x], y_true=labels)
        assert_allclose(measure.statistic_, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="true class"):
        PredictionDifference(relative=True).partial_fit(
            [[[0.0, 1.0], [0.0, 1.0]]], y_true=[0]
        )


def test_the_gap_of_a_stream_is_the_largest():
    rows = np.random.default_rng(0).dirichlet(np.ones(4), size=(30, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = [RashomonCapacity(max_iter=2).fit(r) for r in (rows[:9], rows[9:])]
        measure = RashomonCapacity(max_iter=2).partial_fit(rows[:9])
        measure.partial_fit(rows[9:])
    assert measure.gap_ == max(each.gap_ for each in fits) > 1e-9
    assert measure.n_iter_ == 2


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval", "ratio"])
def test_ratings_in_blocks(level):
    rng = np.random.default_rng(0)
    ratings = rng.integers(5, size=60)[:, None] + rng.integers(2, size=(60, 4))
    ratings = np.where(rng.random((60, 4)) < 0.3, np.nan, ratings)
    ratings[:3] = [[np.nan] * 4, [np.nan, 1, np.nan, np.nan], [2.5, 2.5, 3, np.nan]]
    fitted = KrippendorffAlpha(level).fit(ratings)
    assert_same_outcome(streamed(KrippendorffAlpha(level), ratings), fitted)


def test_ratings_that_are_text_in_blocks():
    rng = np.random.default_rng(0)
    ratings = rng.choice(np.array(["low", "mid", "high", None]), size=(60, 3))
    ratings[:9, 0] = None  # a block of which a rater has rated nothing
    for params in ({}, {"level": "ordinal", "labels": ["low", "mid", "high"]}):
        fitted = KrippendorffAlpha(**params).fit(ratings)
        assert_same_outcome(streamed(KrippendorffAlpha(**params), ratings), fitted)


def test_blocks_of_other_kinds_of_labels_are_refused():
    for measure in (CohenKappa(), FleissKappa(), KrippendorffAlpha()):
        measure.partial_fit([0, 1, 2], [0, 1, 1])
        with pytest.raises(ValueError, match="numbers before and text here"):
            measure.partial_fit(["a", "b"], ["a", "a"])
        assert measure.n_samples_fit_ == 3


@pytest.mark.parametrize(
    "measure",
    [
        FleissKappa(),
        LabelEntropy(normalize=True),
        KohaviWolpertVariance(),
        KrippendorffAlpha(),
    ],
    ids=repr,
)
def test_groups_whose_votes_hardly_repeat_keep_little(measure):
    """Seven models of ten classes give thousands of different rows of votes."""
    measure = type(measure)(**measure.get_params())
    rng = np.random.default_rng(0)
    votes, truth = rng.integers(10, size=(20_000, 7)), rng.integers(10, size=20_000)
    votes[rng.random(votes.shape) < 0.7] = 0
    known = {"y_true": truth} if "y_true" in tags_of(measure).requires else {}
    expected = outcome_of(type(measure)().set_params(**measure.get_params()).fit(
        votes, **known
    ))  # fmt: skip
    kept = []
    for start in range(0, 20_000, 2500):
        rows = slice(start, start + 2500)
        measure.partial_fit(votes[rows], **{k: v[rows] for k, v in known.items()})
        kept.append(len(pickle.dumps(measure._stream)))
    assert kept[-1] < 100_000  # the rows are 1.1 MB
    measure.score()
    for name, value in outcome_of(measure).items():
        assert_allclose(value, expected[name], rtol=1e-11, err_msg=name)


def test_blocks_of_other_groups_are_refused():
    votes = np.random.default_rng(0).integers(3, size=(9, 4))
    for measure in (FleissKappa(), KohaviWolpertVariance()):
        known = {"y_true": votes[:, 0]}
        pair = type(measure)().partial_fit(votes[:, 0], votes[:, 1], **known)
        with pytest.raises(ValueError, match="of 2 models and these of 4"):
            pair.partial_fit(votes, **known)
        with pytest.raises(ValueError, match="features"):
            measure.partial_fit(votes, **known).partial_fit(votes[:, :3], **known)
        assert measure.n_samples_fit_ == pair.n_samples_fit_ == 9


OF_TABLES = [
    (CohenKappa(), 2, False),
    (CohenKappa("quadratic"), 2, False),
    (PerformanceDifference(signed=True), 2, True),
    (ErrorCorrectedDisagreement(), 2, True),
    (MinMaxNormalizedDisagreement(), 2, True),
    (SameErrorRate(given="either"), 2, True),
    (SameErrorRate(n_options=5), 2, True),
    (SameErrorRate(chance="marginals"), 2, True),
    (GroupSameErrorRate(chance="marginals"), 3, True),
    (FleissKappa(), 3, False),
    (LabelEntropy(base=2), 3, False),
    (LabelEntropy(normalize=True), 3, False),
    (KohaviWolpertVariance(), 3, True),
    (CochranQ(), 3, True),
    (KrippendorffAlpha("ordinal"), 3, False),
]


@pytest.mark.parametrize(("measure", "n_models", "needs_truth"), OF_TABLES, ids=repr)
def test_tables_of_counts_say_what_rows_say(measure, n_models, needs_truth):
    """Of a table no row is made again: as many rows take as much memory as few."""
    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=20_000)
    votes = [
        np.where(rng.random(20_000) < 0.7, truth, rng.integers(4, size=20_000))
        for _ in range(n_models)
    ]
    sides = votes if n_models == 2 else [np.stack(votes, axis=1)]
    known = {"y_true": truth} if needs_truth else {}
    fitted = type(measure)(**measure.get_params()).fit(*sides, **known)
    measure = type(measure)(**measure.get_params())
    for start in range(0, 20_000, 2500):
        rows = slice(start, start + 2500)
        measure.partial_fit(
            *(side[rows] for side in sides), **{k: v[rows] for k, v in known.items()}
        )
    tracemalloc.start()
    measure.score()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_same_outcome(measure, fitted)
    # a table of 4^3 cells, or 4^4 with the truth: rows would be 480 kB and more
    assert peak < 250_000


@pytest.mark.parametrize("measure", [JensenShannonDivergence(), Disagreement()])
def test_a_million_rows_take_no_more_than_a_block(measure):
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(4), size=(2, 10_000))
    if tags_of(measure).inputs == "labels":
        rows = rows.argmax(axis=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measure.partial_fit(*rows)
        tracemalloc.start()
        for _ in range(99):
            measure.partial_fit(*rows)
        value = measure.statistic_
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert measure.n_samples_fit_ == 10**6
    assert_allclose(value, type(measure)().fit(*rows).statistic_, rtol=1e-10)
    assert peak < 3 * rows.nbytes
