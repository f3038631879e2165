"""What is known of measures comes out, by two standard errors (minutes)."""

import pytest

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import MeanCCA
from sksim.datasets import make_model_zoo
from sksim.evaluation import evaluate_measures
from sksim.rsm import CKA

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result():
    zoo = make_model_zoo("digits", "quick", n_seeds=5, data_home=False, n_jobs=2)
    tests = [
        *("probe", "recovery_units", "lineage_tuned", "null_drift", "labels"),
        *("quality_accuracy", "identification"),
    ]
    measures = {
        "CKA": CKA(),
        "debiased CKA": CKA(debias="rows"),
        "Procrustes": OrthogonalProcrustes(),
        "RSA": "RSA",
        "mean CCA": MeanCCA(),
        "SVCCA": "SVCCA",
    }
    return evaluate_measures(measures, zoo, tests=tests)


def value_of(result, measure, test, metric):
    rows = result.table.set_index(["measure", "test", "metric"])
    return rows.loc[(measure, test, metric), ["value", "standard_error"]]


def test_probes(result):
    table = result.compare("Procrustes", "CKA", "probe").iloc[0]
    assert table["difference"] > max(0.1, 2 * table["standard_error"])
    # the number of components that are kept follows the layer
    value, error = value_of(result, "SVCCA", "probe", "spearman")
    assert value + 2 * error < 0


def test_recovery(result):
    for measure in ("Procrustes", "RSA"):
        value, error = value_of(result, measure, "recovery_units", "accuracy")
        assert value - 2 * error > 0.85
    for measure in ("mean CCA", "Magnitude"):
        value, error = value_of(result, measure, "recovery_units", "accuracy")
        assert value + 2 * error < 0.35


def test_lineage_and_null(result):
    value, error = value_of(result, "Procrustes", "lineage_tuned", "top1")
    assert value - 2 * error > 0.9
    value, error = value_of(result, "debiased CKA", "null_drift", "drift")
    assert value + 2 * error < 0.1
    value, error = value_of(result, "mean CCA", "null_drift", "drift")
    assert value - 2 * error > 0.95


def test_controls(result):
    """What accuracy alone finds, and scale."""
    assert value_of(result, "PerformanceDifference", "labels", "auroc")["value"] > 0.95
    found = value_of(result, "PerformanceDifference", "quality_accuracy", "spearman")
    assert found["value"] > 0.99
    value, error = value_of(result, "Magnitude", "identification", "accuracy")
    assert value - 2 * error > 0.6
