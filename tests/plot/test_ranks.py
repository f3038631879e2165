import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sksim.evaluation import MeasureTable
from sksim.plot import MeasureRanksDisplay

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")

VALUES = {
    ("one", "layers"): (0.9, 0.8),
    ("two", "layers"): (0.7, np.nan),
    ("random", "control"): (0.5, 0.1),
    ("labels only", "labels"): (0.6, np.nan),
}


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def table_of(values, kinds_of_data=("digits",)):
    rows, long = [], []
    rng = np.random.default_rng(0)
    for data in kinds_of_data:
        for (measure, kind), of_tests in values.items():
            for test, value in zip(("first", "second"), of_tests, strict=True):
                key = {"data": data, "measure": measure, "test": test, "metric": "m"}
                rows.append({**key, "value": value, "kind": kind, "failure": ""})
                long += [
                    {**key, "model": f"m{k}", "stratum": "0", "value": v}
                    for k, v in enumerate(value + 0.2 * rng.normal(size=5))
                ]
    return MeasureTable(pd.DataFrame(rows), pd.DataFrame(long))


def test_ranks_and_values():
    table = table_of(VALUES)
    display = MeasureRanksDisplay.from_table(table).plot()
    above, below = display.ax_
    names = [label.get_text() for label in below.get_xticklabels()]
    assert names == ["one", "two", "random"]
    points = display.points_.lines[0]
    # one: 1 of 3 and 1 of 2; two: 2 of 3, not tried in the second; random: 3 and 2
    assert_allclose(points.get_ydata(), [1, 2, 2.5])
    low, high = above.get_ylim()
    assert low > high  # the best is on top
    assert [label.get_text() for label in below.get_yticklabels()] == [
        "first",
        "second",
    ]
    shown = np.ma.filled(display.im_.get_array(), np.nan)
    assert_allclose(shown, [[0.9, 0.7, 0.5], [0.8, np.nan, 0.1]])
    bars = display.points_.lines[2][0].get_segments()
    ranks = display.ranks
    assert_allclose([bar[:, 1] for bar in bars], ranks[["low", "high"]])
    assert (ranks["high"] > ranks["low"]).any()


def test_family_tests_and_data():
    table = table_of(VALUES)
    functional = MeasureRanksDisplay.from_table(table, family="functional")
    assert functional.ranks["measure"].tolist() == ["labels only", "random"]
    assert functional.values.index.tolist() == ["first"]
    chosen = MeasureRanksDisplay.from_table(table, tests=["second"])
    assert chosen.values.shape == (1, 2)
    layers = {key: v for key, v in VALUES.items() if key[1] != "labels"}
    with pytest.raises(ValueError, match="no functional measures"):
        MeasureRanksDisplay.from_table(table_of(layers), family="functional")
    two = table_of(VALUES, ("a", "b"))
    two.table.loc[two.table["data"] == "b", "value"] -= 0.2
    values = MeasureRanksDisplay.from_table(two).values
    assert_allclose(values["one"], [0.8, 0.7])


def test_given_axes():
    _, axes = plt.subplots(2)
    display = MeasureRanksDisplay.from_table(table_of(VALUES)).plot(axes)
    assert display.ax_.tolist() == axes.tolist()
    assert display.figure_ is axes[0].figure
