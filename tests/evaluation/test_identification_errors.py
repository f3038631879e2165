"""Standard errors of layer identification, and tests against the best measure."""

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose

from sksim.alignment import LinearRegressionSimilarity
from sksim.base import BaseSimilarity, SimilarityTags
from sksim.cca import MeanSquaredCCA
from sksim.evaluation import compare_layer_identifications, layer_identification
from sksim.rsm import CKA

CASES = list(newer_cases("layer_identification"))
NAMES = {
    "cka": (CKA(), False),
    "linear_regression_first_from_second": (LinearRegressionSimilarity(), False),
    "linear_regression_first_from_second_symmetrised": (
        LinearRegressionSimilarity(),
        "auto",
    ),
    "r2_cca": (MeanSquaredCCA("width"), "auto"),
}


def networks_of(arrays, values):
    numbers = range(values["n_layers"])
    return [
        {str(layer): arrays[f"network{n}_layer{layer}"] for layer in numbers}
        for n in range(values["n_networks"])
    ]


class FirstFromSecond(BaseSimilarity):
    """R^2 of X by y: of the layer that looks, by the one that is looked at."""

    def _view(self, X, xp):
        return X - X.mean(axis=0)

    def _compare(self, view_x, view_y, xp):
        basis = np.linalg.qr(view_y)[0]
        return np.sum((basis.T @ view_x) ** 2) / np.sum(view_x**2)

    def _similarity_tags(self):
        return SimilarityTags(
            family="alignment",
            orientation="similarity",
            bounds=(0, 1),
            symmetric=False,
            array_api=False,
            reference="Kornblith et al. 2019",
        )


@pytest.mark.parametrize("case, arrays, values", CASES)
def test_values(case, arrays, values):
    networks = networks_of(arrays, values)
    results = {}
    for name, (measure, symmetrize) in NAMES.items():
        if name.endswith("second"):
            measure = FirstFromSecond()
        result = layer_identification(measure, networks, symmetrize=symmetrize)
        expected = values["measures"][name]
        results[name] = result
        assert_allclose(result.accuracy, expected["accuracy"])
        jackknife = np.array(expected["jackknife"], dtype=float)
        assert_allclose(result.jackknife, jackknife)
        error = np.array(expected["standard_error"], dtype=float)
        assert_allclose(result.standard_error, error)
    table = compare_layer_identifications(results)
    assert_allclose(table["accuracy"].iloc[0], results[values["best"]].accuracy)
    if values["n_networks"] == 2:
        assert table[["z", "pvalue"]].isna().all(axis=None)
        return
    assert table.index[0] == values["best"]
    for name in NAMES:
        expected, row = values["measures"][name], table.loc[name]
        for theirs, ours in (
            ("difference_to_best", "difference"),
            ("difference_se", "difference_error"),
            ("z", "z"),
            ("p_value", "pvalue"),
        ):
            value = np.array(expected[theirs], dtype=float)
            assert_allclose(row[ours], value, atol=1e-12)


def test_symmetrize():
    _, arrays, values = CASES[0]
    networks = networks_of(arrays, values)
    auto = layer_identification(CKA(), networks, symmetrize="auto")
    assert auto.accuracy == layer_identification(CKA(), networks).accuracy
    measure = LinearRegressionSimilarity
    by_name, by_class = (
        layer_identification(m, networks, symmetrize="auto").accuracy
        for m in ("LinearRegressionSimilarity", measure)
    )
    forced = layer_identification(measure(), networks, symmetrize=True)
    assert by_name == by_class == forced.accuracy
    assert forced.accuracy != layer_identification(measure(), networks).accuracy
    with pytest.raises(ValueError, match="symmetrize"):
        layer_identification(measure(), networks, symmetrize="yes")


def test_other_networks_are_refused():
    _, arrays, values = CASES[0]
    networks = networks_of(arrays, values)
    results = {
        "all": layer_identification(CKA(), networks),
        "three": layer_identification(CKA(), networks[:3]),
    }
    with pytest.raises(ValueError, match="'all': 4, 'three': 3"):
        compare_layer_identifications(results)
