"""Magnitude, concentricity, uniformity, tolerance."""

import numpy as np
import pytest
from _reference import reference_arrays, reference_values
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import pdist
from sklearn import config_context

from sksim.statistics import (
    Concentricity,
    Magnitude,
    Tolerance,
    Uniformity,
    instance_variance,
)

REFERENCE = {
    "magnitude": Magnitude(),
    "concentricity": Concentricity(),
    "tolerance": Tolerance(),
    "uniformity_raw_t2_with_diagonal": Uniformity(
        normalize=False, include_diagonal=True
    ),
}
DATA_SETS = sorted(reference_values("representational"))


@pytest.mark.parametrize("key", REFERENCE)
@pytest.mark.parametrize("name", DATA_SETS)
def test_values_of_original_implementations(key, name):
    arrays = reference_arrays("representational")
    values = reference_values("representational")[name]
    labels = {"y_true": arrays[f"{name}__y"]} if key == "tolerance" else {}
    X, y = arrays[f"{name}__X"], arrays[f"{name}__Y"]
    measure = REFERENCE[key].fit(X, y, **labels)
    expected = values[key]["X"], values[key]["Y"]
    assert_allclose(measure.statistics_, expected, rtol=1e-10)
    difference = values.get(f"{key}_difference", {"XY": abs(np.subtract(*expected))})
    assert_allclose(measure.statistic_, difference["XY"], rtol=1e-8)
    assert measure.score_ == -measure.statistic_


# ----- magnitude and concentricity --------------------------------------------------


def test_magnitude_by_hand():
    measure = Magnitude().fit([[3.0, 4.0], [3.0, 4.0]], [[2.0], [-1.0], [5.0]])
    assert_allclose(measure.statistics_, (5, 2))
    assert_allclose(measure.row_values_[0], [5, 5])
    assert_allclose(measure.row_values_[1], [2, 1, 5])


def test_concentricity_by_hand():
    X = [[1.0, 0.0], [0.0, 1.0]]
    y = [[2.0, 0.0], [0.0, 1.0]]
    measure = Concentricity().fit(X, y)
    assert_allclose(measure.row_values_[0], [0.5**0.5, 0.5**0.5])
    assert_allclose(measure.row_values_[1], [2 / 5**0.5, 1 / 5**0.5])
    assert_allclose(measure.statistics_, (0.5**0.5, 1.5 / 5**0.5))


def test_concentricity_needs_a_direction():
    X = np.random.default_rng(0).normal(size=(30, 4))
    for offset in (0, 100):
        centred = X + offset - (X + offset).mean(axis=0)
        with pytest.raises(ValueError, match="mean row of y is zero"):
            Concentricity().fit(X, centred)
    X[5] = 0
    with pytest.raises(ValueError, match="Row 5 of X is zero"):
        Concentricity().fit(X, X)


@pytest.mark.parametrize(
    "measure", [Magnitude(), Concentricity(), Uniformity(), Uniformity(normalize=False)]
)
def test_unequal_numbers_of_rows(measure):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(30, 4)) + 1, rng.normal(size=(50, 3))
    measure.fit(X, y)
    alone = measure.statistics_
    assert_allclose(measure.fit(X, X).statistics_[0], alone[0])
    assert_allclose(measure.fit(y, y).statistics_[0], alone[1])


def test_instance_variance():
    rng = np.random.default_rng(2)
    models = [rng.normal(size=(20, width)) + 1 for width in (3, 5, 4)]
    lengths = np.array([np.linalg.norm(X, axis=1) for X in models])
    assert_allclose(instance_variance(Magnitude(), models), lengths.var(axis=0))
    cosines = []
    for X in models:
        mean = X.mean(axis=0)
        cosines.append(X @ mean / np.linalg.norm(X, axis=1) / np.linalg.norm(mean))
    assert_allclose(instance_variance(Concentricity(), models), np.var(cosines, axis=0))
    assert_allclose(instance_variance(Magnitude(), [models[0]] * 3), 0, atol=1e-30)
    with pytest.raises(ValueError, match="at least 2 representations, got 1"):
        instance_variance(Magnitude(), models[:1])
    with pytest.raises(ValueError, match=r"same rows.*\[19, 20\]"):
        instance_variance(Magnitude(), [models[0], models[1][:-1]])
    with pytest.raises(ValueError, match="Uniformity has no value for each row"):
        instance_variance(Uniformity(), models)


def test_instance_variance_of_tensors():
    torch = pytest.importorskip("torch")
    models = [np.random.default_rng(i).normal(size=(9, 3)) for i in range(3)]
    expected = instance_variance(Magnitude(), models)
    with config_context(array_api_dispatch=True):
        found = instance_variance(Magnitude(), [torch.asarray(X) for X in models])
    assert_allclose(found.numpy(), expected)


# ----- uniformity -------------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [2, 40, 700])
@pytest.mark.parametrize("t", [0.5, 2, 300])
def test_uniformity_definition(n_samples, t):
    X = np.random.default_rng(3).normal(size=(n_samples, 3))
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    for normalize, rows in ((True, unit), (False, X)):
        squares = pdist(rows) ** 2
        exponents = -t * squares
        peak = exponents.max()
        without = peak + np.log(np.exp(exponents - peak).mean())
        measure = Uniformity(t=t, normalize=normalize)
        assert_allclose(measure.fit(X, X).statistics_[0], without, rtol=1e-9)
        total = 2 * np.exp(exponents).sum() + n_samples
        measure = Uniformity(t=t, normalize=normalize, include_diagonal=True)
        expected = np.log(total / n_samples**2)
        assert_allclose(measure.fit(X, X).statistics_[0], expected, rtol=1e-9)


def test_uniformity_of_raw_rows_does_not_underflow():
    """exp(-2 * 1000^2) is 0 in floating point; its logarithm is not."""
    X = np.array([[0.0], [1000.0], [3000.0]])
    value = Uniformity(normalize=False).fit(X, X).statistics_[0]
    assert_allclose(value, -2e6 - np.log(3))


def test_uniformity_of_equal_and_of_opposite_rows():
    same, opposite = np.ones((5, 3)), [[1.0, 1.0], [-2.0, -2.0]]
    assert_allclose(Uniformity().fit(same, opposite).statistics_, (0, -8), atol=1e-12)


def test_uniformity_in_single_precision():
    X = np.random.default_rng(4).normal(size=(500, 20))
    expected = Uniformity().fit(X, X).statistics_[0]
    single = Uniformity().fit(*2 * [X.astype(np.float32)]).statistics_[0]
    assert_allclose(single, expected, rtol=1e-6)


def test_uniformity_that_overflows_is_refused():
    X = np.random.default_rng(5).normal(size=(20, 3))
    with pytest.raises(ValueError, match="squared distances of X overflow"):
        Uniformity(normalize=False).fit(X * 1e200, X)
    with pytest.raises(ValueError, match="Row 3 of X is zero"):
        Uniformity().fit(np.where(np.arange(20)[:, None] == 3, 0, X), X)


# ----- tolerance --------------------------------------------------------------------


def test_tolerance_definition():
    rng = np.random.default_rng(6)
    X, y = rng.normal(size=(2, 40, 3))
    labels = rng.integers(0, 4, size=40)
    expected = []
    for Z in (X, y):
        unit = Z / np.linalg.norm(Z, axis=1, keepdims=True)
        expected.append(((unit @ unit.T) * (labels[:, None] == labels)).mean())
    for y_true in (labels, labels.astype(str), labels == 2, 7 - labels):
        found = Tolerance().fit(X, y, y_true=y_true).statistics_
        same = np.asarray(y_true)[:, None] == np.asarray(y_true)
        unit = X / np.linalg.norm(X, axis=1, keepdims=True)
        assert_allclose(found[0], ((unit @ unit.T) * same).mean())
    assert_allclose(Tolerance().fit(X, y, labels).statistics_, expected)
    score = Tolerance().fit(X, y, labels).score(X[:20], y[:20], labels[:20])
    assert score == Tolerance().fit(X[:20], y[:20], labels[:20]).score_


def test_tolerance_needs_labels_of_both():
    X = np.random.default_rng(7).normal(size=(10, 3))
    with pytest.raises(ValueError, match="y_true"):
        Tolerance().fit(X, X)
    with pytest.raises(ValueError, match="X has 10 rows and y has 9"):
        Tolerance().fit(X, X[:9], np.zeros(10, dtype=int))


def test_all_rows_alike_have_tolerance_one():
    X = np.arange(1, 6)[:, None] * np.ones((5, 3))
    assert_array_equal(Tolerance().fit(X, X, np.zeros(5, int)).statistic_, 0)
    assert_allclose(Tolerance().fit(X, X, np.zeros(5, int)).statistics_, (1, 1))
    assert_allclose(Tolerance().fit(X, X, np.arange(5)).statistics_, (0.2, 0.2))
