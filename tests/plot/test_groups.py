"""Pictures of replicates, and of models against subjects."""

import matplotlib
import numpy as np
import pytest

from sksim import (
    RSA,
    GroupSimilarityDisplay,
    OrthogonalProcrustes,
    ReplicatesDisplay,
    replicate_test,
    similarity_to_group,
)

matplotlib.use("Agg")


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(24, 6))
    subjects = list(common + rng.normal(size=(8, 24, 6)))
    models = {"near": common, "half": common[:, :2], "other": rng.normal(size=(24, 4))}
    return models, subjects


@pytest.fixture(autouse=True)
def _closed():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def test_points_means_and_floor(data):
    import matplotlib.pyplot as plt

    _, subjects = data
    measure = OrthogonalProcrustes()
    result = replicate_test(measure, subjects[:4], subjects[4:], output="statistic")
    _, ax = plt.subplots()
    display = ReplicatesDisplay.from_result(result).plot(ax, name="Procrustes")
    assert display.ax_ is ax
    assert [len(points.get_offsets()) for points in display.points_] == [6, 16, 6]
    heights = [line.get_segments()[0][0, 1] for line in display.means_]
    assert heights == pytest.approx([result.within_x, result.between, result.within_y])
    assert display.floor_.get_ydata()[0] == result.floor
    assert ax.get_ylabel() == "statistic"
    assert f"{result.pvalue:.3g}" in ax.get_legend().get_title().get_text()
    assert ax.get_title() == "Procrustes"


@pytest.mark.filterwarnings("ignore:With 1 and 4 replicates")
def test_a_kind_of_one_replicate_has_no_pairs(data):
    _, subjects = data
    display = ReplicatesDisplay.from_representations("CKA", subjects[:1], subjects[4:])
    labels = [t.get_text() for t in display.plot().ax_.get_xticklabels()]
    assert labels == ["between", "within y"]


def test_bars_ceilings_and_brackets(data):
    models, subjects = data
    result = similarity_to_group(RSA("euclidean"), models, subjects, random_state=0)
    display = GroupSimilarityDisplay.from_result(result).plot(name="RSA")
    heights = [bar.get_height() for bar in display.bars_]
    np.testing.assert_allclose(heights, result.models["mean"])
    band = display.ceiling_.get_extents().transformed(display.ax_.transData.inverted())
    assert (band.y0, band.y1) == pytest.approx(
        (result.ceiling.lower, result.ceiling.upper)
    )
    assert len(display.brackets_) == result.pairs["differ"].sum() > 1
    spans = [list(line.get_xdata()) for line in display.brackets_]
    assert [0, 2] in spans
    low, high = display.ax_.get_ylim()
    assert low <= 0
    assert all(line.get_ydata()[0] < high for line in display.brackets_)
    few = GroupSimilarityDisplay.from_result(result).plot(most_brackets=1)
    assert len(few.brackets_) == 1
    n_left = result.pairs["differ"].sum() - 1
    assert few.ax_.get_xlabel() == f"{n_left} more pairs differ"


def test_one_model_without_ceilings_or_chance(data):
    models, subjects = data
    display = GroupSimilarityDisplay.from_representations(
        OrthogonalProcrustes(), models["near"], subjects, pool=None
    ).plot()
    assert display.ceiling_ is None
    assert display.brackets_ == []
    assert display.ax_.get_xlabel() == ""
