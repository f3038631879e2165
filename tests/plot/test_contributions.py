"""Pictures of what scores are made of."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import MeanCCA
from sksim.plot import ContributionsDisplay
from sksim.rsm import CKA

plt = pytest.importorskip("matplotlib.pyplot")
X, Y = np.random.default_rng(0).normal(size=(2, 30, 12))
LABELS = np.repeat(["a", "b", "c"], 10)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_cells_of_the_first_components():
    display = ContributionsDisplay.from_representations(CKA(), X, Y)
    display.plot(n_parts=4, name="CKA")
    parts = CKA().contributions(X, Y).to_numpy()
    assert_allclose(display.im_.get_array(), parts[:4, :4])
    value, shown = CKA().fit(X, Y).score_, parts[:4, :4].sum()
    assert display.ax_.get_title() == f"CKA {value:.3g},\nof which {shown:.3g} here"
    assert display.bars_ is None
    assert display.ax_.get_ylabel() == "X component"
    limits = display.im_.get_clim()
    assert limits[0] == -limits[1]


def test_all_classes_have_cells():
    _, ax = plt.subplots()
    display = ContributionsDisplay.from_representations(
        CKA(debias="rows"), X, Y, by="classes", y_true=LABELS
    ).plot(ax, n_parts=1)
    assert display.ax_ is ax
    ticks = [label.get_text() for label in ax.get_xticklabels()]
    assert ticks == ["a", "b", "c"]
    assert "of which" not in ax.get_title()


def test_bars_of_the_largest_rows():
    table = CKA().contributions(X, Y, by="rows")
    display = ContributionsDisplay.from_table(table).plot(n_parts=3)
    widths = [bar.get_width() for bar in display.bars_]
    largest = np.sort(table["part"].to_numpy())[::-1]
    assert_allclose(widths, largest[:3])
    assert f"of which {largest[:3].sum():.3g} here" in display.ax_.get_title()
    labels = [label.get_text() for label in display.ax_.get_yticklabels()]
    assert labels[0] == str(table["part"].idxmax())
    assert display.im_ is None


def test_bars_of_classes():
    measure = OrthogonalProcrustes()
    table = measure.contributions(X, Y, by="classes", y_true=LABELS)
    display = ContributionsDisplay.from_table(table).plot()
    widths = [bar.get_width() for bar in display.bars_]
    assert_allclose(sorted(widths), sorted(table["part"]))
    assert display.ax_.get_ylabel() == "class"


def test_measure_without_parts():
    with pytest.raises(ValueError, match="MeanCCA has no contributions"):
        ContributionsDisplay.from_representations(MeanCCA(), X, Y)
