import sys

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist, squareform
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import PWCCA
from sksim.pairwise import similarity_matrix
from sksim.plot import ModelMapDisplay, RepresentationDisplay, SimilarityMatrixDisplay
from sksim.rsm import CKA

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def layers():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(30, 3))
    return {f"layer {i}": np.tanh(base @ rng.normal(size=(3, 4 + i))) for i in range(4)}


@pytest.fixture(scope="module")
def models():
    X, y = load_iris(return_X_y=True)
    networks = [
        MLPClassifier((6, 4), max_iter=2000, random_state=seed).fit(X, y)
        for seed in range(2)
    ]
    return [*networks, LogisticRegression(max_iter=500).fit(X, y)], X, y


# ----- heat map -----------------------------------------------------------------------


def test_heat_map_shows_the_matrix(layers):
    display = SimilarityMatrixDisplay.from_representations(CKA(), layers).plot()
    matrix = similarity_matrix(CKA(), layers)
    assert_allclose(display.im_.get_array(), matrix)
    for axis in (display.ax_.get_xticklabels(), display.ax_.get_yticklabels()):
        assert [label.get_text() for label in axis] == list(layers)
    texts = [[text.get_text() for text in row] for row in display.text_]
    assert texts == [[f"{v:.2f}" for v in row] for row in matrix.to_numpy()]
    frames = display.ax_.patches
    assert len(frames) == len(layers)
    assert display.figure_ is display.ax_.figure


def test_light_is_similar(layers):
    similar = SimilarityMatrixDisplay.from_representations(CKA(), layers).plot()
    distant = SimilarityMatrixDisplay.from_representations(
        OrthogonalProcrustes(), layers
    ).plot()

    def brightness(display, i, j):
        image = display.im_
        return sum(image.cmap(image.norm(image.get_array()[i, j]))[:3])

    for display in (similar, distant):
        assert brightness(display, 0, 0) > brightness(display, 0, 3)
    assert_allclose(distant.im_.get_array()[0, 0], 0, atol=1e-7)


def test_numbers_are_readable_on_their_cells():
    values = np.linspace(0, 1, 25).reshape(5, 5)
    display = SimilarityMatrixDisplay.from_matrix(values).plot()
    for (i, j), value in np.ndenumerate(values):
        cell = np.dot(display.im_.cmap(display.im_.norm(value))[:3], [0.3, 0.59, 0.11])
        ink = 0 if display.text_[i, j].get_color() == "black" else 1
        assert abs(cell - ink) > 0.35


def test_numbers_only_where_they_fit(layers):
    rng = np.random.default_rng(0)

    def ink(n, **options):
        _, ax = plt.subplots(figsize=(3, 3))
        matrix = np.full((n, n), 0.5) + 1e-9 * rng.random((n, n))
        display = SimilarityMatrixDisplay.from_matrix(matrix)
        display.plot(ax, colorbar=False, emphasize_diagonal=False, **options)
        display.figure_.canvas.draw()
        pixels = np.asarray(display.figure_.canvas.buffer_rgba())
        extent = ax.get_window_extent()
        x, y = (
            int((low + high) / 2) for low, high in (extent.intervalx, extent.intervaly)
        )
        inner = pixels[::-1][y - 80 : y + 80, x - 80 : x + 80, :3].astype(int)
        return (inner.sum(axis=2) == 765).sum() + (inner.sum(axis=2) == 0).sum()

    assert ink(3) > 50
    assert ink(40) == 0
    assert ink(3, include_values=False) == 0


def test_stars_mark_significance(layers):
    matrix = similarity_matrix(CKA(), layers)
    pvalues = np.full(matrix.shape, 0.5)
    pvalues[0, 1] = 0.01
    display = SimilarityMatrixDisplay.from_matrix(matrix, pvalues=pvalues).plot()
    starred = [
        index
        for index, text in np.ndenumerate(display.text_)
        if text.get_text().endswith("*")
    ]
    assert starred == [(0, 1)]
    display.plot(include_values=False)
    assert display.text_ is None
    assert [t.get_position() for t in display.ax_.texts] == [(1, 0)]
    with pytest.raises(ValueError, match="each cell needs one p-value"):
        SimilarityMatrixDisplay.from_matrix(matrix, pvalues=pvalues[:2])


def test_stars_of_a_test_of_all_cells():
    rng = np.random.default_rng(0)
    base = rng.normal(size=(40, 5))
    layers = {"a": base, "b": base + 0.1, "c": rng.normal(size=(40, 5))}
    display = SimilarityMatrixDisplay.from_representations(
        CKA(), layers, n_permutations=99, random_state=0
    ).plot()
    starred = {
        index
        for index, text in np.ndenumerate(display.text_)
        if text.get_text().endswith("*")
    }
    assert starred == {(0, 1), (1, 0)}


def test_a_bar_as_high_as_the_matrix_and_names_that_fit(layers):
    _, axes = plt.subplots(2, 2, figsize=(4, 4), layout="constrained")
    display = SimilarityMatrixDisplay.from_representations(CKA(), layers)
    display.plot(axes[0, 0])
    for ax in axes.flat[1:]:  # what comes later takes its share of the space
        ax.set_ylabel("a label\nof two lines")
    display.figure_.canvas.draw()
    cells, bar = (
        ax.get_window_extent() for ax in (display.ax_, display.im_.colorbar.ax)
    )
    assert_allclose([bar.y0, bar.y1], [cells.y0, cells.y1], atol=1)
    assert bar.x0 > cells.x1
    row = cells.height / len(layers)
    for label in display.ax_.get_yticklabels():
        assert label.get_window_extent().height <= 1.1 * row


def test_missing_cells_and_one_value():
    matrix = pd.DataFrame([[np.nan, 1.0], [1.0, 1.0]])
    display = SimilarityMatrixDisplay.from_matrix(matrix).plot()
    display.figure_.canvas.draw()
    assert display.text_[0, 0] is None


def test_heat_map_of_two_models(models):
    (first, second, _), X, _ = models
    display = SimilarityMatrixDisplay.from_estimators(CKA(), first, second, X)
    assert list(display.matrix.index) == ["hidden_1", "hidden_2", "output"]
    own = SimilarityMatrixDisplay.from_estimators(
        CKA(), first, None, X, layers="hidden_*"
    )
    assert list(own.matrix.columns) == ["hidden_1", "hidden_2"]
    assert_allclose(np.diag(own.matrix), 1)


# ----- both views ---------------------------------------------------------------------


def test_a_rotation_is_undone():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5)) * [3, 2, 1, 1, 1]
    turned = 7 * X @ np.linalg.qr(rng.normal(size=(5, 5)))[0] + 3
    display = RepresentationDisplay.from_representations(X, turned)
    assert_allclose(display.points_x, display.points_y, atol=1e-12)
    # the plane is that of the principal components
    centered = X - X.mean(axis=0)
    s = np.linalg.svd(centered, compute_uv=False)
    assert display.share == pytest.approx(np.sum(s[:2] ** 2) / np.sum(s**2))
    scores = pdist(display.points_y * np.linalg.norm(centered))
    U, s, _ = np.linalg.svd(centered, full_matrices=False)
    assert_allclose(scores, pdist(U[:, :2] * s[:2]))


@pytest.mark.parametrize("widths", [(5, 2), (2, 5), (40, 3), (1, 1)])
def test_unequal_and_extreme_widths(widths):
    rng = np.random.default_rng(0)
    X, y = (rng.normal(size=(20, d)) for d in widths)
    display = RepresentationDisplay.from_representations(X, y).plot()
    assert display.points_x.shape == display.points_y.shape == (20, 2)
    assert np.isfinite(display.points_x).all()


def test_labels_give_colors_and_a_legend(models):
    (first, second, _), X, y = models
    display = RepresentationDisplay.from_estimators(first, second, X, labels=y)
    display.plot(names=("seed 0", "seed 1"), title="both")
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["seed 0", "seed 1", "0", "1", "2"]
    filled, hollow = display.ax_.collections[1:3]
    assert len(np.unique(filled.get_facecolors(), axis=0)) == 3
    assert len(hollow.get_facecolors()) == 0
    assert display.ax_.get_title() == "both"
    by_name = RepresentationDisplay.from_estimators(
        first, second, X, layer=("hidden_2", "hidden_1")
    )
    assert by_name.points_x.shape == (150, 2)


def test_bad_representations():
    X = np.random.default_rng(0).normal(size=(10, 2))
    with pytest.raises(ValueError, match="X has 10 rows and y has 9"):
        RepresentationDisplay.from_representations(X, X[:9])
    with pytest.raises(ValueError, match="y is constant"):
        RepresentationDisplay.from_representations(X, np.ones((10, 2)))
    with pytest.raises(ValueError, match="one label for each row"):
        RepresentationDisplay.from_representations(X, X, labels=[1, 2])


def test_matplotlib_is_an_extra(monkeypatch):
    display = ModelMapDisplay.from_matrix(1 - np.eye(3), orientation="distance")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"needs matplotlib.*'sksim\[report\]'"):
        display.plot()


# ----- map ----------------------------------------------------------------------------


def test_map_keeps_distances_in_a_plane():
    points = np.random.default_rng(0).normal(size=(6, 2))
    matrix = squareform(pdist(points))
    display = ModelMapDisplay.from_matrix(matrix, orientation="distance")
    assert_allclose(pdist(display.coordinates), pdist(points))
    assert display.share == pytest.approx(1)
    assert display.names == list("012345")


@pytest.mark.parametrize(
    ("distances", "places", "share"),
    [
        # on a line: the eigenvalue of the second axis is 0, or less by rounding
        ([3.0, 10.0, 7.0], [[-13 / 3, 0], [-4 / 3, 0], [17 / 3, 0]], 1),
        ([0.0, 0.0, 0.0], np.zeros((3, 2)), 1),
        # more than both legs: in no Euclidean space
        ([1.0, 4.0, 1.0], [[2, 0], [0, 0], [-2, 0]], 8 / (8 + 2)),
    ],
)
def test_map_of_distances_that_fill_no_plane(distances, places, share):
    matrix = squareform(distances)
    display = ModelMapDisplay.from_matrix(matrix, orientation="distance")
    # the largest entry of an axis is positive; here of two equal ones either
    sign = np.sign(display.coordinates[0, 0]) * np.sign(places[0][0]) or 1
    assert_allclose(display.coordinates, sign * np.array(places), atol=1e-6)
    assert display.share == pytest.approx(share)


def test_maps_of_the_same_models_are_turned_alike():
    points = np.random.default_rng(1).normal(size=(7, 3))
    for values in (points, -points, 2 * points):
        matrix = squareform(pdist(values))
        places = ModelMapDisplay.from_matrix(matrix, orientation="distance").coordinates
        assert np.all(places[np.argmax(np.abs(places), axis=0), [0, 1]] > 0)


def test_map_of_similarities_of_kernels(layers):
    vectors = np.random.default_rng(0).normal(size=(5, 2))
    gram = pd.DataFrame(vectors @ vectors.T)
    display = ModelMapDisplay.from_matrix(gram, orientation="similarity")
    assert_allclose(pdist(display.coordinates), pdist(vectors))
    for measure in (CKA(), OrthogonalProcrustes()):
        score = ModelMapDisplay.from_matrix(similarity_matrix(measure, layers))
        native = ModelMapDisplay.from_representations(measure, layers)
        assert_allclose(score.coordinates, native.coordinates, atol=1e-6)


def test_clusters():
    points = np.array([[0, 0], [0, 1], [1, 0], [50, 50], [50, 51.0]])
    display = ModelMapDisplay.from_matrix(
        squareform(pdist(points)), orientation="distance", n_clusters=2
    )
    first, second = display.clusters[0], display.clusters[3]
    assert first != second
    assert list(display.clusters) == [first] * 3 + [second] * 2
    display.plot()
    colors = display.ax_.collections[0].get_facecolors()
    assert len(np.unique(colors, axis=0)) == 2


def test_names_do_not_hide_each_other(layers):
    display = ModelMapDisplay.from_representations(CKA(), layers).plot(title="map")
    assert [text.get_text() for text in display.text_] == list(layers)
    display.figure_.canvas.draw()
    boxes = [text.get_window_extent() for text in display.text_]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_names_stay_inside_of_a_small_map(layers):
    _, axes = plt.subplots(2, 2, figsize=(5, 4), layout="constrained")
    display = ModelMapDisplay.from_representations(CKA(), layers).plot(axes[0, 0])
    axes[1, 1].set_ylabel("a label\nof two lines")
    display.figure_.canvas.draw()
    frame = display.ax_.get_window_extent()
    for text in display.text_:
        box = text.get_window_extent()
        assert frame.x0 - 1 <= box.x0 < box.x1 <= frame.x1 + 1


def test_map_of_models(models):
    fitted, X, _ = models
    named = dict(zip("abc", fitted, strict=True))
    display = ModelMapDisplay.from_estimators(CKA(), named, X)
    assert display.names == ["a", "b", "c"]
    outputs = ModelMapDisplay.from_estimators(CKA(), named, X, layer="output")
    assert outputs.coordinates.shape == (3, 2)


@pytest.mark.parametrize(
    ("matrix", "keywords", "message"),
    [
        (np.ones((3, 2)), {}, "square matrix"),
        (np.ones((2, 2)), {}, "3 models or more"),
        (np.full((3, 3), np.nan), {}, "missing"),
        (np.arange(9.0).reshape(3, 3), {}, "not symmetric"),
        (np.ones((3, 3)), {}, "orientation must say"),
        (2 - np.eye(3), {"orientation": "similarity"}, "than to themselves"),
        (np.eye(3) - 1, {"orientation": "distance"}, "negative distances"),
        (1 - np.eye(3), {"orientation": "distance", "n_clusters": 4}, "n_clusters"),
    ],
)
def test_matrices_that_are_no_map(matrix, keywords, message):
    with pytest.raises(ValueError, match=message):
        ModelMapDisplay.from_matrix(matrix, **keywords)


def test_asymmetric_measures_have_no_map(layers):
    with pytest.raises(ValueError, match="not symmetric"):
        ModelMapDisplay.from_representations(PWCCA(), layers)


# ----- all ----------------------------------------------------------------------------


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_text_stands_out_from_the_background(style, layers):
    with plt.style.context(style):
        displays = [
            SimilarityMatrixDisplay.from_representations(CKA(), layers).plot(title="a"),
            ModelMapDisplay.from_representations(CKA(), layers).plot(title="a"),
            RepresentationDisplay.from_representations(
                layers["layer 0"], layers["layer 1"]
            ).plot(title="a"),
        ]
        for display in displays:
            display.figure_.canvas.draw()
            background = np.mean(
                matplotlib.colors.to_rgb(display.figure_.get_facecolor())
            )
            ax = display.ax_
            texts = [ax.title, ax.xaxis.label, *ax.get_yticklabels()]
            if ax.get_legend() is not None:
                texts += ax.get_legend().get_texts()
            for text in texts:
                ink = np.mean(matplotlib.colors.to_rgb(text.get_color()))
                assert abs(ink - background) > 0.6


def test_displays_draw_into_given_axes(layers):
    _, axes = plt.subplots(1, 3)
    matrix = SimilarityMatrixDisplay.from_representations(CKA(), layers)
    both = RepresentationDisplay.from_representations(*list(layers.values())[:2])
    models = ModelMapDisplay.from_representations(CKA(), layers)
    for display, ax in zip((matrix, both, models), axes, strict=True):
        assert display.plot(ax) is display
        assert display.ax_ is ax
    assert len(plt.get_fignums()) == 1
