"""Measures of outputs whose rows come in blocks: what the checks of all don't ask."""

import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sksim import all_measures
from sksim.base._tags import tags_of
from sksim.functional import (
    CohenKappa,
    Disagreement,
    ErrorConsistency,
    JensenShannonDivergence,
    KullbackLeibler,
    PerformanceDifference,
    ProbabilisticErrorConsistency,
    RankCorrelation,
    RashomonCapacity,
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
    }
    found = {name for name, _ in all_measures(streaming=True, family="functional")}
    assert wanted <= found
    assert hasattr(RankCorrelation(per="row"), "partial_fit")
    for measure in (
        RankCorrelation(),
        RashomonCapacity(),
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
