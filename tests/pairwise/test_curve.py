"""Measures of neighbours over their number and over the number of rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist, squareform

from sksim.neighbors import CKNNA, MutualKNN, QuadrupletAgreement
from sksim.pairwise import alignment_curve
from sksim.plot import AlignmentCurveDisplay

# the least matplotlib warns of newer libraries when it is first imported
matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")


def views(n_samples=60):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4))
    return X, X + 0.5 * rng.normal(size=X.shape)


def test_all_rows():
    X, y = views()
    curve = alignment_curve(MutualKNN(metric="euclidean"), X, y)
    table = curve.to_frame()
    # 100 neighbours are more than there are
    assert table["n_neighbors"].tolist() == [1, 2, 5, 10, 20, 50]
    assert (table["n_samples"] == 60).all()
    assert_allclose(table["null_mean"], table["n_neighbors"] / 59)
    assert table["deviation"].isna().all()
    for row in table.itertuples():
        expected = MutualKNN(row.n_neighbors, metric="euclidean").fit(X, y).score_
        assert_allclose(row.score, expected)


def test_subsamples():
    X, y = views(200)
    setting = {"n_neighbors": [5], "n_samples": [20, 200], "random_state": 0}
    table = alignment_curve("MutualKNN", X, y, n_repeats=8, **setting).table
    few, every = table.itertuples()
    assert few.score > every.score + 0.1  # more neighbours come between
    assert few.deviation > 0
    assert np.isnan(every.deviation)
    assert_allclose([few.null_mean, every.null_mean], [5 / 19, 5 / 199])
    again = alignment_curve("MutualKNN", X, y, n_repeats=8, **setting).table
    assert again.equals(table)


def test_given_distances():
    X, y = views()
    rows = alignment_curve(
        MutualKNN(metric="euclidean"), X, y, n_samples=[30], random_state=0
    )
    given = alignment_curve(
        MutualKNN(metric="precomputed"),
        squareform(pdist(X)),
        squareform(pdist(y)),
        n_samples=[30],
        random_state=0,
    )
    assert_allclose(given.table["score"], rows.table["score"])


def test_measures_without_a_closed_null():
    X, y = views()
    table = alignment_curve(CKNNA(), X, y, n_neighbors=[3, 5]).table
    assert table["null_mean"].isna().all()
    assert np.isfinite(table["score"]).all()


def test_refusals():
    X, y = views()
    with pytest.raises(
        ValueError, match="QuadrupletAgreement has no parameter n_neigh"
    ):
        alignment_curve(QuadrupletAgreement(), X, y)
    with pytest.raises(ValueError, match="asks for 61 rows, but there are 60"):
        alignment_curve(MutualKNN(), X, y, n_samples=[61])
    with pytest.raises(ValueError, match="is below 60 rows"):
        alignment_curve(MutualKNN(), X, y, n_neighbors=[60, 80])


def test_display():
    import matplotlib.pyplot as plt

    X, y = views()
    setting = {"n_neighbors": [1, 5, 10], "n_samples": [20, 40, 60], "random_state": 0}
    _, ax = plt.subplots()
    display = AlignmentCurveDisplay.from_representations(MutualKNN(), X, y, **setting)
    display.plot(ax, name="MutualKNN")
    assert display.ax_ is ax
    assert ax.get_title() == "MutualKNN"
    assert [line.get_label() for line in display.lines_] == [
        "20 rows",
        "40 rows",
        "60 rows",
    ]
    assert_allclose(display.lines_[0].get_ydata(), display.table["score"][:3])
    assert len(ax.collections) == 2  # bands of the subsamples, none of all rows
    assert len(ax.lines) == 6
    plt.close("all")
