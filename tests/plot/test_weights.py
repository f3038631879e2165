"""Pictures of weights."""

import numpy as np
import pytest
from _reference_weights import random_network
from numpy.testing import assert_allclose
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

from sksim.plot import LossBarrierDisplay, WeightDeltaDisplay
from sksim.structural import LossBarrier, WeightDelta

plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_ways_with_and_without_matching():
    X, y = load_iris(return_X_y=True)
    a, b = (MLPClassifier((6,), random_state=seed) for seed in (0, 1))
    for net in (a, b):
        net.partial_fit(X, y, classes=np.arange(3))
    display = LossBarrierDisplay.from_models(a, b, X, y, n_points=5)
    display.plot(name="iris", ends={"x": "seed 0", "y": "seed 1"})
    before, matched = display.lines_
    fitted = LossBarrier(n_points=5).fit(a, b, X, y)
    assert_allclose(matched.get_ydata(), fitted.curve_)
    assert_allclose(matched.get_xdata(), [0, 0.25, 0.5, 0.75, 1])
    fitted = LossBarrier(n_points=5, matching=None).fit(a, b, X, y)
    assert_allclose(before.get_ydata(), fitted.curve_)
    ticks = [label.get_text() for label in display.ax_.get_xticklabels()]
    assert ticks == ["seed 0", "mean", "seed 1"]
    assert display.ax_.get_title() == "iris"
    _, ax = plt.subplots()
    alone = LossBarrierDisplay.from_measure(fitted, "one").plot(ax)
    assert alone.ax_ is ax
    assert [line.get_label() for line in alone.lines_] == ["one"]


def test_changes_of_layers_and_their_spectra():
    first = random_network(4, 6, 5, 2)
    tuned = [(W * 1.1, b) for W, b in first]
    measure = WeightDelta().fit(first, tuned)
    display = WeightDeltaDisplay.from_measure(measure).plot(name="changes")
    widths = [bar.get_width() for bar in display.bars_]
    assert_allclose(widths, measure.to_frame()["relative_norm"])
    assert display.ax_.get_title() == "changes"
    display.plot_spectra()
    for line, values in zip(display.lines_, measure.spectra_.values(), strict=True):
        assert_allclose(line.get_ydata(), values)
