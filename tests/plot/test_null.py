"""Picture of the null distribution."""

import matplotlib
import numpy as np
import pytest

from sksim.inference import similarity_test
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
