import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier

from sksim import all_measures
from sksim.alignment import OrthogonalProcrustes
from sksim.base import Comparison, InnerProductComparison
from sksim.cca import PWCCA, SVCCA, MeanCCA, MeanSquaredCCA
from sksim.functional import Disagreement, JensenShannonDivergence
from sksim.neighbors import NeighborJaccard
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA, RSA

MEASURES = [
    CKA(),
    CKA(debias="rows"),
    CKA(kernel="rbf"),
    CKA(kernel="rbf", debias="rows"),
    MeanCCA(),
    MeanSquaredCCA(),
    MeanSquaredCCA(denominator="width"),
    MeanSquaredCCA(denominator="geometric"),
    SVCCA(),
    PWCCA(),
    OrthogonalProcrustes(),
    OrthogonalProcrustes(scale=False),
]


def make_layers(n_samples=60, widths=(3, 8, 12, 5), seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(n_samples, 4))
    return {
        f"layer {i}": (
            np.tanh(base @ rng.normal(size=(4, d))) + 0.3 * rng.normal(size=(1, d))
        ).astype(dtype)
        + 0.1 * rng.normal(size=(n_samples, d)).astype(dtype)
        for i, d in enumerate(widths)
    }


def by_loop(measure, Xs, Ys, attribute):
    return np.array(
        [
            [getattr(clone(measure).fit(x, y), attribute) for y in Ys.values()]
            for x in Xs.values()
        ]
    )


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
@pytest.mark.parametrize("output", ["score", "statistic"])
def test_equals_the_loop_over_pairs(measure, output):
    Xs, Ys = make_layers(), make_layers(seed=1, widths=(6, 10))
    attribute = f"{output}_"
    for others in (None, Ys):
        matrix = similarity_matrix(measure, Xs, others, output=output)
        expected = by_loop(measure, Xs, others or Xs, attribute)
        assert_allclose(matrix.to_numpy(), expected, rtol=1e-9, atol=1e-7)
        assert list(matrix.index) == list(Xs)
        assert list(matrix.columns) == list(others or Xs)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_layers_wider_than_long(measure):
    Xs = make_layers(n_samples=10, widths=(3, 25, 14))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        matrix = similarity_matrix(measure, Xs)
        expected = by_loop(measure, Xs, Xs, "score_")
    assert_allclose(matrix.to_numpy(), expected, rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("measure", [CKA(), CKA(kernel="rbf")])
def test_single_precision_stays_and_is_accurate(measure):
    Xs = make_layers(n_samples=300, widths=(250,) * 6, dtype=np.float32)
    exact = similarity_matrix(measure, {k: v.astype(float) for k, v in Xs.items()})
    assert_allclose(similarity_matrix(measure, Xs), exact, atol=2e-6)


def test_mixed_precision_is_computed_in_double():
    Xs = make_layers(n_samples=30)
    mixed = {k: v.astype(np.float32) if "1" in k else v for k, v in Xs.items()}
    double = {k: v.astype(float) for k, v in mixed.items()}
    assert_allclose(
        similarity_matrix(CKA(), mixed), similarity_matrix(CKA(), double), rtol=1e-12
    )


@pytest.mark.filterwarnings("ignore:.*1 by construction:UserWarning")
@pytest.mark.parametrize("offset", [0.0, 0.05, 1e6])
@pytest.mark.parametrize(
    "measure",
    [CKA(), CKA(debias="rows"), *map(MeanSquaredCCA, ("rank", "geometric"))],
    ids=repr,
)
def test_many_wide_layers_by_tiles(measure, offset, monkeypatch):
    """Where one product of tiles replaces the products of all pairs."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(100, 60))
    Xs = [
        np.tanh(base @ rng.normal(size=(60, d)) / 8) + rng.normal(size=(100, d)) / 5
        for d in (60, 55, 48, 60, 52, 50, 58, 60)
    ]
    Xs = [X + offset * rng.normal(size=X.shape[1]) for X in Xs]
    monkeypatch.setattr(InnerProductComparison, "outcome", None)  # tiles only
    by_tiles = similarity_matrix(measure, Xs)
    rectangle = similarity_matrix(measure, Xs[:3], Xs[3:])
    monkeypatch.undo()
    names = dict(enumerate(Xs))
    expected = by_loop(measure, names, names, "score_")
    assert_allclose(by_tiles, expected, rtol=1e-8, atol=1e-10)
    assert_allclose(rectangle, expected[:3, 3:], rtol=1e-8, atol=1e-10)


class CountingViews(CKA):
    """CKA that counts its steps."""

    views = 0
    comparisons = 0

    def _view(self, X, xp, role):
        CountingViews.views += 1
        return super()._view(X, xp, role)

    _kind = Comparison

    def _compare(self, view_x, view_y, xp):
        CountingViews.comparisons += 1
        product = view_x.inner(view_y, xp=xp)
        return self._of_product(product, view_x, view_y, None)


def test_each_layer_is_viewed_once_and_half_of_the_pairs_are_compared():
    CountingViews.views = CountingViews.comparisons = 0
    Xs = make_layers()
    similarity_matrix(CountingViews(), Xs)
    assert CountingViews.views == len(Xs)
    assert CountingViews.comparisons == len(Xs) * (len(Xs) + 1) / 2
    CountingViews.views = CountingViews.comparisons = 0
    similarity_matrix(CountingViews(), Xs, make_layers(seed=1))
    assert CountingViews.views == 2 * len(Xs)
    assert CountingViews.comparisons == len(Xs) ** 2


# Peak memory above the layers on disk, in units of their size: the views and at most
# three quarters as much again. RSA's views hold half of an n x n matrix each.
PEAKS = {
    CKA(): 0.25,
    MeanSquaredCCA(): 1.5,
    MeanCCA(): 1.5,
    OrthogonalProcrustes(): 1.75,
    NeighborJaccard(): 2.5,
    RSA(): 1.75 * 800 / 2 / 40,
}


@pytest.mark.parametrize("measure", PEAKS, ids=repr)
def test_memory_mapped_layers_are_not_copied_twice(measure, tmp_path):
    rng = np.random.default_rng(0)
    layers = {f"layer {i}": rng.normal(size=(800, 80)) for i in range(12)}
    mapped = {}
    for name, layer in layers.items():
        np.save(tmp_path / f"{name}.npy", layer)
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    similarity_matrix(measure, dict(list(mapped.items())[:2]))  # imports are done
    tracemalloc.start()
    try:
        matrix = similarity_matrix(measure, mapped)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < PEAKS[measure] * sum(layer.nbytes for layer in layers.values())
    assert_allclose(matrix, similarity_matrix(measure, layers), rtol=1e-12, atol=1e-12)


def test_asymmetric_measure_fills_both_halves():
    matrix = similarity_matrix(PWCCA(), make_layers())
    assert not np.allclose(matrix, matrix.T, atol=1e-3)


@pytest.mark.parametrize("measure", [CKA(), MeanCCA(), PWCCA()], ids=repr)
def test_jobs_and_progress_change_nothing(measure, capsys):
    Xs = make_layers()
    matrix = similarity_matrix(measure, Xs)
    assert_allclose(similarity_matrix(measure, Xs, n_jobs=2), matrix, rtol=1e-12)
    assert capsys.readouterr().err == ""
    assert_allclose(similarity_matrix(measure, Xs, verbose=1), matrix, rtol=1e-12)
    captured = capsys.readouterr()
    assert type(measure).__name__ in captured.err
    assert captured.out == ""


def test_list_gives_numbers_as_names():
    matrix = similarity_matrix(CKA(), list(make_layers().values()))
    assert list(matrix.index) == [0, 1, 2, 3]


def test_memory_mapped_layers(tmp_path):
    Xs = make_layers()
    mapped = {}
    for name, layer in Xs.items():
        np.save(tmp_path / f"{name}.npy", layer)
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    assert_allclose(similarity_matrix(CKA(), mapped), similarity_matrix(CKA(), Xs))


def test_labels_and_probabilities():
    rng = np.random.default_rng(0)
    P = {name: rng.dirichlet(np.ones(3), size=20) for name in "abc"}
    labels = {name: p.argmax(axis=1) for name, p in P.items()}
    shares = similarity_matrix(Disagreement(), labels, output="statistic")
    assert shares.loc["a", "b"] == np.mean(labels["a"] != labels["b"])
    assert shares.attrs["orientation"] == "distance"
    divergence = similarity_matrix(JensenShannonDivergence(), P)
    expected = by_loop(JensenShannonDivergence(), P, P, "score_")
    assert_allclose(divergence, expected, atol=1e-15)
    assert divergence.attrs["orientation"] == "similarity"


def test_measures_of_groups_and_of_models():
    rng = np.random.default_rng(0)
    labels = {name: rng.integers(0, 3, size=30) for name in "abc"}
    ambiguity = similarity_matrix("Ambiguity", labels, output="statistic")
    shares = similarity_matrix("Disagreement", labels, output="statistic")
    assert_allclose(ambiguity, shares)
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 2, size=60)
    networks = {
        seed: MLPClassifier((4,), max_iter=1000, random_state=seed).fit(X, y)
        for seed in range(3)
    }
    matrix = similarity_matrix("NetworkPersistence", networks, output="statistic")
    single = dict(all_measures())["NetworkPersistence"]().fit(networks[0], networks[2])
    assert matrix.loc[0, 2] == pytest.approx(single.statistic_)
    assert_allclose(np.diag(matrix), 0, atol=1e-12)


def test_measure_is_not_fitted_and_may_be_a_name():
    measure = CKA()
    similarity_matrix(measure, make_layers())
    assert not hasattr(measure, "n_features_in_")
    assert_allclose(
        similarity_matrix("CKA", make_layers()), similarity_matrix(CKA, make_layers())
    )


def test_degenerate_pairs_warn_once_with_their_number():
    Xs = make_layers(n_samples=14, widths=(8, 9, 10))
    with pytest.warns(UserWarning, match=r"'layer 0' against 'layer 1' \(3 pairs"):
        similarity_matrix(MeanCCA(), Xs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layer 2": np.ones((60, 3))}, "Layer 'layer 2': .*constant"),
        ({"layer 2": np.zeros((59, 3)) + np.arange(3)}, "numbers of rows differ"),
        ({"layer 2": np.full((60, 3), np.nan)}, "Layer 'layer 2': .*NaN"),
        ({"layer 2": np.zeros((60, 3, 2))}, "Layer 'layer 2': .*3 dimensions"),
        ({"layer 2": np.full((60, 3), "a")}, "Layer 'layer 2': .*text"),
    ],
)
def test_bad_layer_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        similarity_matrix(CKA(), make_layers() | change)


@pytest.mark.parametrize(
    ("measure", "layers", "message"),
    [
        (CKA(), {}, "Xs is empty"),
        (CKA(), np.eye(4), "must be a dict or a list"),
        ("CKAA", make_layers(), "Did you mean CKA"),
        (3, make_layers(), "must be a similarity measure"),
        (CKA(bandwidth=-1), make_layers(), "bandwidth"),
    ],
)
def test_bad_input(measure, layers, message):
    with pytest.raises(ValueError, match=message):
        similarity_matrix(measure, layers)


def test_frames_and_tensors():
    torch = pytest.importorskip("torch")
    from sklearn import config_context

    Xs = make_layers()
    expected = similarity_matrix(CKA(), Xs)
    frames = {name: pd.DataFrame(X) for name, X in Xs.items()}
    assert_allclose(similarity_matrix(CKA(), frames), expected)
    tensors = {name: torch.asarray(X) for name, X in Xs.items()}
    with config_context(array_api_dispatch=True):
        for measure in (CKA(), MeanSquaredCCA(), MeanCCA(), CKA(kernel="rbf")):
            assert_allclose(
                similarity_matrix(measure, tensors),
                similarity_matrix(measure, Xs),
                atol=1e-9,
            )
