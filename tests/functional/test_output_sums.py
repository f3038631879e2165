"""Measures of outputs, batch by batch."""

import io

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim import all_measures
from sksim.base._tags import tags_of
from sksim.functional import (
    CohenKappa,
    Disagreement,
    ErrorConsistency,
    FleissKappa,
    JensenShannonDivergence,
    KrippendorffAlpha,
    KullbackLeibler,
    LabelEntropy,
    MinMaxNormalizedDisagreement,
    PerformanceDifference,
    PredictionDifference,
    RankCorrelation,
    RashomonCapacity,
    SameErrorRate,
)
from sksim.functional._output_sums import (
    KeptRows,
    LabelCounts,
    OutputSums,
    RowSums,
)
from sksim.rsm import CKA

SIZES = [20, 1, 30, 9]


def outputs(inputs, seed=0, n_samples=60, n_classes=4):
    """Outputs of two models and true labels; classes are missing in some batches."""
    rng = np.random.default_rng(seed)
    truth = np.sort(rng.integers(n_classes, size=n_samples))
    scores = rng.normal(size=(2, n_samples, n_classes))
    scores[:, np.arange(n_samples), truth] += 1.5
    if inputs == "labels":
        return *np.argmax(scores, axis=2), truth
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    return *probabilities, truth


def streamed(measure, a, b, y_true=None, *, sizes=SIZES, **params):
    sums = OutputSums(measure, **params)
    start = 0
    for size in sizes:
        rows = slice(start, start + size)
        truth = None if y_true is None else y_true[rows]
        sums.update({"output": a[rows]}, {"output": b[rows]}, truth)
        start += size
    return sums


def measures():
    for name, cls in all_measures():
        tags = tags_of(cls())
        takes = tags.inputs in ("labels", "probabilities", "outputs")
        if takes and tags.deterministic and name != "RashomonCapacity":
            yield pytest.param(cls, id=name)


@pytest.mark.parametrize("cls", list(measures()))
def test_is_the_measure_of_all_rows(cls):
    tags = tags_of(cls())
    inputs = "labels" if cls is PerformanceDifference else tags.inputs
    a, b, truth = outputs(inputs)
    known = {"y_true": truth} if "y_true" in tags.view_keywords else {}
    expected = cls().fit(a, b, **known)
    sums = streamed(cls(), a, b, *known.values())
    fitted = sums.fitted()
    assert_allclose(fitted.statistic_, expected.statistic_, rtol=1e-12, atol=1e-15)
    assert_allclose(sums.scores, [[expected.score_]], rtol=1e-12, atol=1e-15)
    assert (sums.n_samples, sums.n_batches) == (60, 4)
    of_rows = {"row_values_"}
    for name in {n for n in vars(expected) if n.endswith("_")} - of_rows:
        found, known = getattr(fitted, name), getattr(expected, name)
        np.testing.assert_allclose(found, known, rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    "measure, kind",
    [
        (Disagreement(), RowSums),
        (JensenShannonDivergence(), RowSums),
        (KullbackLeibler(), RowSums),
        (ErrorConsistency(), RowSums),
        (CohenKappa(), LabelCounts),
        (KrippendorffAlpha(), LabelCounts),
        (FleissKappa(), RowSums),
        (PredictionDifference(), RowSums),
        (MinMaxNormalizedDisagreement(), LabelCounts),
        (RankCorrelation(), KeptRows),
    ],
)
def test_no_more_is_kept_than_must_be(measure, kind):
    a, b, truth = outputs(tags_of(measure).inputs)
    needs = "y_true" in tags_of(measure).view_keywords
    sums = streamed(measure, a, b, truth if needs else None)
    assert isinstance(sums._cells[0, 0], kind)


def test_labels_may_be_text():
    a, b, truth = (np.array(list("abcd"))[x] for x in outputs("labels"))
    for measure in (CohenKappa(), MinMaxNormalizedDisagreement(), Disagreement()):
        needs = "y_true" in tags_of(measure).view_keywords
        known = {"y_true": truth} if needs else {}
        expected = measure.fit(a, b, **known).score_
        assert streamed(measure, a, b, *known.values()).scores.item() == expected


def test_columns_of_classes_that_a_batch_may_lack():
    """Which column a label belongs to is known of all rows, or said."""
    a, b, truth = outputs("probabilities")
    names = np.array([10, 20, 30, 40])
    expected = PerformanceDifference().fit(a, b, y_true=names[truth])
    sums = streamed(PerformanceDifference(), a, b, names[truth])
    assert sums.fitted().statistic_ == expected.statistic_
    assert sums.fitted().mcnemar_pvalue_ == expected.mcnemar_pvalue_
    sums = streamed(PerformanceDifference(), a, b, names[truth], classes=names)
    assert sums.fitted().statistic_ == expected.statistic_


def test_tensors():
    torch = pytest.importorskip("torch")
    a, b, _ = outputs("probabilities")
    tensors = [torch.from_numpy(x).requires_grad_() for x in (a, b)]
    sums = streamed(JensenShannonDivergence(), *tensors)
    assert_allclose(sums.scores, streamed(JensenShannonDivergence(), a, b).scores)


def test_several_outputs():
    a, b, _ = outputs("labels")
    c = outputs("labels", seed=1)[0]
    sums = OutputSums(CohenKappa())
    for rows in (slice(25), slice(25, 60)):
        sums.update({"a": a[rows], "b": b[rows]}, {"c": c[rows]})
    expected = [[CohenKappa().fit(x, c).score_] for x in (a, b)]
    assert_allclose(sums.scores, expected, rtol=1e-12)
    assert_allclose(sums.fitted("b", "c").score_, expected[1][0])
    alone = OutputSums(CohenKappa())
    alone.update({"a": a, "b": b})
    assert_allclose(alone.scores[0, 1], CohenKappa().fit(a, b).score_)


@pytest.mark.parametrize(
    "measure",
    [
        JensenShannonDivergence(),
        MinMaxNormalizedDisagreement(),
        RankCorrelation(),
        LabelEntropy(normalize=True),
        RashomonCapacity(),
        SameErrorRate(abstain=3),
    ],
)
def test_parts_and_states(measure):
    a, b, truth = outputs(tags_of(measure).inputs)
    known = [truth] if "y_true" in tags_of(measure).view_keywords else []
    whole = streamed(measure, a, b, *known)
    first = streamed(measure, a, b, *known, sizes=SIZES[:2])
    rest = [x[21:] for x in (a, b, *known)]
    second = streamed(measure, *rest, sizes=SIZES[2:])
    file = io.BytesIO()
    np.savez(file, **first.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as state:
        resumed = OutputSums.from_state(state, measure)
    for sums in (OutputSums(measure).merge(first).merge(second), resumed.merge(second)):
        assert_allclose(sums.scores, whole.scores, rtol=1e-13)
        assert (sums.n_samples, sums.n_batches) == (60, 4)
        assert sums.names == whole.names
    with pytest.raises(ValueError, match="other parameters"):
        whole.merge(OutputSums(Disagreement()))


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="CKA is a measure of representation"):
        OutputSums(CKA())
    with pytest.raises(ValueError, match="no batch was passed"):
        OutputSums(Disagreement()).fitted()
    a, b, truth = outputs("probabilities")
    with pytest.raises(ValueError, match="probabilities"):
        streamed(JensenShannonDivergence(), 2 * a, b)
    with pytest.raises(ValueError, match="y_true"):
        streamed(ErrorConsistency(), *outputs("labels")[:2])
    with pytest.raises(ValueError, match="has 59 rows in this batch"):
        OutputSums(Disagreement()).update({"a": truth}, {"a": truth[1:]})
