"""What is known of measures comes out, by two standard errors (minutes)."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.cca import MeanCCA
from sksim.datasets import make_model_zoo
from sksim.evaluation import (
    compare_layer_identifications,
    evaluate_measures,
    layer_identification,
)
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


def networks_of_maps(n_networks=5, n_rows=797):
    """Layers of small networks of convolutions, maps laid out in a row."""
    torch = pytest.importorskip("torch")
    X, y = load_digits(return_X_y=True)
    X = torch.tensor(X.reshape(-1, 1, 8, 8) / 16, dtype=torch.float32)
    y = torch.tensor(y)
    networks = []
    for seed in range(n_networks):
        torch.manual_seed(seed)
        convolutions = [
            torch.nn.Conv2d(1 if k == 0 else 8, 8, 3, padding=1) for k in range(5)
        ]
        parts = [part for conv in convolutions for part in (conv, torch.nn.ReLU())]
        network = torch.nn.Sequential(
            *parts,
            torch.nn.Flatten(),
            torch.nn.Linear(512, 10),
        )
        optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
        for _ in range(15):
            for rows in torch.randperm(1000).split(100):
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(network(X[rows]), y[rows])
                loss.backward()
                optimizer.step()
        layers, Z = {}, X[1000 : 1000 + n_rows]
        with torch.no_grad():
            for number, part in enumerate(parts):
                Z = part(Z)
                if number % 2:
                    layers[f"layer_{number // 2}"] = Z.flatten(1).numpy()
        networks.append(layers)
    return networks


@pytest.mark.filterwarnings("ignore:.*rows")
def test_layers_of_maps():
    """Of 512 columns in 797 rows CCA is high for everything, and regression less so."""
    networks = networks_of_maps()
    results = {
        name: layer_identification(measure, networks, symmetrize=True)
        for name, measure in {
            "CKA": CKA(),
            "regression": LinearRegressionSimilarity(),
            "CCA": MeanCCA(),
        }.items()
    }
    assert results["CKA"].value > results["regression"].value > results["CCA"].value
    table = compare_layer_identifications(results).loc["CCA"]
    assert table["difference"] > 2 * table["difference_error"]
    assert np.isclose(results["CCA"].value, results["CCA"].chance, atol=0.15)
