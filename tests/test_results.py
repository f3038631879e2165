"""What results become: dicts for JSON, frames, tables in a notebook."""

import json
import math
from dataclasses import fields
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import sksim
from sksim import CKA, Disagreement, LayerIdentification
from sksim._results import ResultMixin
from sksim.pairwise._compare import COLUMNS
from sksim.pairwise._model_comparison import SHOWN

RESULTS = {
    name: value
    for name in dir(sksim)
    for value in [getattr(sksim, name)]
    if isinstance(value, type) and issubclass(value, ResultMixin)
}
HOSTILE = "<b>layer & 1</b>"
NAMELESS = {
    "ReplicateTestResult",
    "RankingResult",
    "AlignmentCurveResult",
    "IndependenceTestResult",
    "DivergenceBoundsResult",
    "ReliabilityResult",
    "OutputDriftResult",
    "MeasureTable",
    "ModelComparison",
    "Answer",
    "ShapeEmbeddingResult",
    *(n for n, cls in RESULTS.items() if issubclass(cls, sksim.ProtocolResult)),
}
# What a dict has beside the fields, and a notebook leaves to the frame.
ADDED = {"ModelComparison": ["verdict", "settings"]}
LEFT_OUT = {"ModelComparison": set(COLUMNS) - set(SHOWN)}


@pytest.fixture(scope="module")
def results():
    rng = np.random.default_rng(0)
    X, y, z = rng.normal(size=(3, 20, 3))
    layers = {HOSTILE: X, "other": y + X, 3: z}
    networks = [layers, {name: R + 0.1 for name, R in layers.items()}]
    settings = {"n_permutations": 9, "random_state": 0}
    return {
        "SimilarityTestResult": sksim.similarity_test(CKA(), X, y, **settings),
        "SimilarityIntervalResult": sksim.similarity_interval(CKA(), X, y),
        "EquivalenceTestResult": sksim.equivalence_test(
            CKA(debias="rows"), X, y, margin=0.1
        ),
        "ComparisonResult": sksim.compare_similarities(CKA(debias="rows"), X, y, z),
        "RankingResult": sksim.compare_similarities(CKA(debias="rows"), X, y, z, y + X),
        "SimilarityMatrixTestResult": sksim.similarity_matrix_test(
            CKA(), layers, aggregate="max", **settings
        ),
        "LayerSimilarityResult": sksim.layer_similarity_matrix(
            "MinibatchCKA", lambda batch: {HOSTILE: batch, "other": batch**2}, None, X
        ),
        "DivergenceBoundsResult": sksim.divergence_bounds(
            [[0, 1]], np.log([[0.6, 0.2]]), [[0, 2]], np.log([[0.5, 0.3]]), n_tokens=4
        ),
        "GroupSimilarityResult": sksim.similarity_to_group(
            CKA(debias="rows"), {HOSTILE: X, "b": y}, [y, z, X + z], over="both"
        ),
        "NoiseCeilingResult": sksim.noise_ceiling(CKA(), {HOSTILE: X, "b": y, "c": z}),
        "ReplicateTestResult": sksim.replicate_test(
            CKA(), {HOSTILE: X, "b": y, "c": z}, [X, y - z, z, z**2]
        ),
        "OutputDriftResult": sksim.output_drift(
            np.full((4, 2), 0.5), np.full((4, 2), 0.5)
        ),
        "IndependenceTestResult": sksim.independence_test(
            [X[:4, :3].T, X[4:8]], [y[:4, :3].T, y[4:8]]
        ),
        "AlignmentCurveResult": sksim.alignment_curve("MutualKNN", X, y),
        "PredictionComparisonResult": sksim.compare_predictions(
            [0, 1] * 10,
            [0, 0, 1, 1] * 5,
            [0, 1, 1, 1] * 5,
            slices={HOSTILE: np.arange(20) < 9, 3: [0, 1, 2, 3, 3] * 4},
        ),
        "ReleaseGateResult": sksim.release_gate(
            [0, 1] * 10,
            [0, 0, 1, 1] * 5,
            max_churn=0.6,
            slices={HOSTILE: np.arange(20) < 9},
        ),
        "LayerIdentification": sksim.layer_identification(CKA(), networks),
        "ModelComparison": comparison_of_hostile_labels(),
        "Answer": comparison_of_hostile_labels().answers[0],
        "ReliabilityResult": sksim.reliability(CKA(), X @ X.T, random_state=0),
        "ShapeEmbeddingResult": sksim.ShapeSpace().fit([X, y, z]).embed(),
        "ShapeRegressionResult": sksim.ShapeSpace().fit([X, y, z]).regress([1, 2, 4]),
        **protocol_results(),
    }


def comparison_of_hostile_labels():
    labels = np.array([HOSTILE, "b"] * 10)
    return sksim.compare(labels, labels[::-1], y_true=labels, n_permutations=9)


def protocol_results():
    rng = np.random.default_rng(0)
    S, names = rng.normal(size=(6, 6)), [HOSTILE, *"abcde"]
    S = pd.DataFrame(S, index=names, columns=names)
    return {
        "GroupingResult": sksim.grouping(S, [0, 0, 0, 1, 1, 1]),
        "GroundingResult": sksim.prediction_grounding(S, range(6)),
        "MonotonicityResult": sksim.monotonicity([S, S]),
        "LineageResult": sksim.lineage(S, names),
        "ProtocolResult": sksim.pruning_order(S, [HOSTILE] * 6, range(6)),
        "RecoveryResult": sksim.model_recovery(CKA(), {HOSTILE: S, "b": S**2}),
        "NullDriftResult": sksim.null_drift(CKA(), grid=[(9, 2), (9, 5)]),
        "MeasureTable": sksim.evaluate_measures(
            "CKA", small_zoo(rng), tests=["labels"]
        ),
    }


def small_zoo(rng):
    layers = {name: {HOSTILE: rng.normal(size=(9, 3))} for name in "abcdef"}
    levels = [0, 0, 0, 1, 1, 1]
    records = {"model_id": list(layers), "part": "labels", "level": levels}
    return sksim.ModelZoo.from_arrays(records, layers)


class Cells(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_all_results_are_tested(results):
    assert set(results) == set(RESULTS)
    ends = ("Result", "Identification", "MeasureTable", "ModelComparison", "Answer")
    named = [n for n in dir(sksim) if n.endswith(ends)]
    assert set(named) == set(RESULTS)


@pytest.mark.parametrize("name", sorted(RESULTS))
def test_dict_goes_through_json(name, results):
    result = results[name]
    found = result.to_dict()
    names = [field.name for field in fields(result)]
    assert [name for name in found if name in names] == names
    assert set(found) - set(names) == set(ADDED.get(name, ()))
    again = json.loads(json.dumps(found))
    assert json.dumps(again) == json.dumps(found)


def test_values_in_the_dict(results):
    test = results["SimilarityTestResult"].to_dict()
    assert test["score"] == results["SimilarityTestResult"].score
    assert len(test["null_distribution"]) == 9
    interval = results["SimilarityIntervalResult"]
    assert interval.to_dict()["confidence_interval"] == {
        "low": interval.confidence_interval.low,
        "high": interval.confidence_interval.high,
    }
    matrix = results["SimilarityMatrixTestResult"]
    found = matrix.to_dict()
    assert math.isnan(found["pvalues"][0][0])
    np.testing.assert_array_equal(found["scores"], matrix.scores)
    assert found["names_x"] == [HOSTILE, "other", "3"]
    assert found["aggregate"] == matrix.aggregate.to_dict()
    identified = results["LayerIdentification"]
    found = identified.to_dict()["found"]
    assert found["columns"] == found["index"] == [HOSTILE, "other", 3]
    np.testing.assert_array_equal(found["data"], identified.found)


@pytest.mark.parametrize("name", sorted(RESULTS))
def test_notebooks_show_a_small_escaped_table(name, results):
    page = results[name]._repr_html_()
    cells = Cells(page)
    assert "table" in cells.tags
    assert name in cells.texts
    assert "b" not in cells.tags
    assert len(page) < 6000
    if hasattr(results[name], "to_frame"):
        has_no_names = name in NAMELESS
        assert HOSTILE in cells.texts or has_no_names
        shown = {str(column) for column in results[name].to_frame().columns}
    else:
        shown = {field.name for field in fields(results[name]) if field.repr}
    assert shown - set(LEFT_OUT.get(name, ())) <= set(cells.texts)


def test_frame_of_identified_layers(results):
    result = results["LayerIdentification"]
    frame = result.to_frame()
    assert list(frame.index) == [HOSTILE, "other", 3]
    np.testing.assert_array_equal(frame["accuracy"], result.per_layer)
    assert isinstance(result, LayerIdentification)


def test_results_without_arrays(results):
    """Where only moments are known there is no null distribution."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 60, 30))
    closed = sksim.similarity_test(CKA(), X, y, method="pearson3")
    assert closed.to_dict()["null_distribution"] is None
    labels = sksim.similarity_test(
        Disagreement(), [0, 1] * 10, [0, 0, 1, 1] * 5, n_permutations=9
    )
    assert json.dumps(labels.to_dict())
