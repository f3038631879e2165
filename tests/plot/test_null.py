"""Picture of the null distribution."""

import warnings

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from sksim.inference import similarity_test
from sksim.models import extract_representations
from sksim.plot import PermutationNullDisplay
from sksim.rsm import CKA

matplotlib.use("Agg")


@pytest.fixture
def result():
    X, y = np.random.default_rng(0).normal(size=(2, 40, 8))
    return similarity_test(CKA(), X, y, n_permutations=99, random_state=0)


def test_histogram_and_observed_score(result):
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    display = PermutationNullDisplay.from_result(result).plot(ax, name="CKA")
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.line_.get_xdata()[0] == result.score
    assert sum(bar.get_height() for bar in ax.patches) == 99
    assert ax.get_title() == "CKA"
    assert f"p = {result.pvalue:.3g}" in ax.get_legend().get_texts()[-1].get_text()
    plt.close("all")


def test_without_a_null_distribution():
    X, y = np.random.default_rng(0).normal(size=(2, 40, 8))
    result = similarity_test(CKA(), X, y, method="pearson3")
    with pytest.raises(ValueError, match="no null distribution"):
        PermutationNullDisplay.from_result(result)


def test_of_representations_and_of_models():
    X, labels = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, labels = X[order], labels[order]  # iris is sorted by class
    first, second = (
        MLPClassifier((6, 4), max_iter=30, random_state=seed) for seed in range(2)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        first.fit(X, labels), second.fit(X, labels)
    params = {"n_permutations": 19, "random_state": 0}
    by_model = PermutationNullDisplay.from_estimators(
        CKA(), first, second, X, layer=("hidden_1", "hidden_2"), **params
    )
    views = (
        extract_representations(first, X)["hidden_1"],
        extract_representations(second, X)["hidden_2"],
    )
    by_view = PermutationNullDisplay.from_representations(CKA(), *views, **params)
    result = similarity_test(CKA(), *views, **params)
    for display in (by_model, by_view):
        assert display.score == result.score
        assert display.pvalue == result.pvalue
        np.testing.assert_array_equal(
            display.null_distribution, result.null_distribution
        )
    last = PermutationNullDisplay.from_estimators(CKA(), first, first, X, **params)
    assert last.score == pytest.approx(1)
