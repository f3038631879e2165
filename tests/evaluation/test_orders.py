"""What is known of measures comes out, by two standard errors (minutes)."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.cca import MeanCCA
from sksim.datasets import make_model_zoo
from sksim.evaluation import evaluate_measures, layer_identification
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


# ----- networks with convolutions -----------------------------------------------------


def network_of_maps(torch, X, y, seed, n_channels=16, depth=6):
    """Flat 4 x 4 maps after each of six convolutions of a trained network."""
    torch.manual_seed(seed)
    layers, n_in = [], 1
    for place in range(depth):
        stride = 2 if place == 0 else 1
        layers += [
            torch.nn.Conv2d(n_in, n_channels, 3, padding=1, stride=stride),
            torch.nn.BatchNorm2d(n_channels),
            torch.nn.ReLU(),
        ]
        n_in = n_channels
    network = torch.nn.Sequential(
        *layers, torch.nn.Flatten(), torch.nn.Linear(16 * n_channels, 10)
    )
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(25):
        for batch in torch.randperm(1000).split(50):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(network(X[batch]), y[batch])
            loss.backward()
            optimizer.step()
    found, maps = {}, X[1000:]
    with torch.no_grad():
        for place, layer in enumerate(network.eval()[:-2]):
            maps = layer(maps)
            if isinstance(layer, torch.nn.ReLU):
                found[f"maps {place // 3}"] = maps.flatten(1).numpy()
    return found


def test_layers_of_convolutions_are_found_in_kornblith_s_order():
    """CKA before regression, and regression before CCA: 256 columns, 797 rows."""
    torch = pytest.importorskip("torch")
    digits, classes = load_digits(return_X_y=True)
    X = torch.tensor(digits / 16, dtype=torch.float32).reshape(-1, 1, 8, 8)
    y = torch.tensor(classes)
    networks = [network_of_maps(torch, X, y, seed) for seed in range(5)]
    cka, regression, cca = (
        layer_identification(measure, networks)
        for measure in (CKA(), LinearRegressionSimilarity(), MeanCCA())
    )
    for better, worse in ((cka, regression), (regression, cca)):
        error = np.hypot(better.standard_error, worse.standard_error)
        assert better.accuracy - worse.accuracy > 2 * error
    assert cka.accuracy > 0.5
