"""Many rows: no n x n arrays, the numbers of the direct way, and progress."""

import importlib
import tracemalloc
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import rankdata
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import get_tags

from sksim import all_measures
from sksim.arrays import _pairs
from sksim.inference import similarity_test
from sksim.neighbors import CKNNA, GraphBasedSimilarity, NeighborJaccard
from sksim.rsm import (
    CKA,
    HSIC,
    RSA,
    DistanceCorrelation,
    RSMNormDifference,
    _pair_blocks,
)
from sksim.statistics import IntrinsicDimension, Uniformity
from sksim.topology import RTD, GeometryScore, RTDLite, _spanning_trees

QUICK = {
    "GeometryScore": {"n_draws": 2, "random_state": 0},
    "IMD": {"n_probes": 10, "random_state": 0},
    "RTD": {"n_subsets": 1, "subset_size": 50, "random_state": 0},
}
OF_REPRESENTATIONS = [
    cls(**QUICK.get(name, {})) for name, cls in all_measures(inputs="representation")
]
VARIANTS = [
    CKA("cosine"),
    CKA("rbf", debias="rows"),
    HSIC("laplacian"),
    RSA("euclidean", "pearson"),
    RSA("sqeuclidean", "cosine"),
    RSMNormDifference("linear"),
    GraphBasedSimilarity(n_neighbors=5),
    IntrinsicDimension("mle"),
    Uniformity(normalize=False),
]


def views(n_samples, n_features=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, n_features)) + rng.normal(size=n_features)
    y = X @ rng.normal(size=(n_features, 6)) / 2
    return X, y + rng.normal(size=y.shape)


# ----- memory -----------------------------------------------------------------------


@pytest.mark.parametrize("measure", OF_REPRESENTATIONS + VARIANTS, ids=repr)
def test_no_square_matrix_of_many_rows(measure, monkeypatch):
    """Peak memory is a fraction of what one n x n matrix would take."""
    if get_tags(measure).similarity_tags.extra == "topology":
        pytest.importorskip("gudhi")
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 4096)
    n_samples = 4200
    X, y = views(n_samples)
    tags = get_tags(measure).similarity_tags
    labels = {"y_true": np.arange(n_samples) % 3}
    params = labels if "y_true" in tags.view_keywords else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # what is imported on first use is not counted
        measure.fit(X[:100], y[:100], **{k: v[:100] for k, v in params.items()})
        tracemalloc.start()
        measure.fit(X, y, **params)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 8 * n_samples**2 / 2


# what relates each column to each: its result has an entry for every two of them
OF_COLUMNS = {
    "CorrelationMatch",
    "FeatureReweightedRSA",
    "NeuronGraphModularity",
    "PartialSoftMatching",
    "PermutationProcrustes",
    "SoftMatching",
}


@pytest.mark.parametrize(
    "measure",
    [m for m in OF_REPRESENTATIONS + VARIANTS if type(m).__name__ not in OF_COLUMNS],
    ids=repr,
)
def test_no_square_matrix_of_many_columns(measure):
    if isinstance(measure, GeometryScore):
        pytest.importorskip("gudhi")
    width = 1500
    X = np.random.default_rng(0).normal(size=(40, width))
    y = X + np.random.default_rng(1).normal(size=X.shape)
    keywords = get_tags(measure).similarity_tags.view_keywords
    params = {"y_true": np.arange(40) % 3} if "y_true" in keywords else {}
    if isinstance(measure, RTD):
        measure = clone(measure).set_params(subset_size=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        measure.fit(X[:, :60], y[:, :60], **params)  # imports are done
        tracemalloc.start()
        try:
            measure.fit(X, y, **params)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 0.6 * 8 * width**2


@pytest.mark.parametrize("debias", [None, "rows"])
def test_blocks_are_let_go(debias, monkeypatch):
    """However many blocks there are, some are in memory at a time."""
    for module in ("_pairs", "_symmetric"):
        monkeypatch.setattr(f"sksim.arrays.{module}.BLOCK_ROWS", 512)
    X, y = views(6000)
    tracemalloc.start()
    DistanceCorrelation(debias=debias).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 7 * 8 * 512**2


# ----- RSA without a list of pairs ----------------------------------------------------


def _heavy_tails(rng, X):
    return rng.standard_t(1.5, size=X.shape)


def _few_values(rng, X):
    return np.sign(X)


def _duplicates(rng, X):
    return np.repeat(X[::2], 2, axis=0)


def _far_row(rng, X):
    return np.concatenate([X[1:], 1e3 * X[:1]])


CLOUDS = [None, _heavy_tails, _few_values, _duplicates, _far_row]


def _cloud(change, n_samples=150):
    X, y = views(n_samples, 12)
    return (X if change is None else change(np.random.default_rng(1), X)), y


@pytest.mark.parametrize("metric", ["correlation", "euclidean"])
@pytest.mark.parametrize("change", CLOUDS)
def test_binned_ranks(change, metric, monkeypatch):
    X, y = _cloud(change)
    exact = RSA(metric).fit(X, y)
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    monkeypatch.setattr(_pairs, "BLOCK_ROWS", 64)
    binned = RSA(metric).fit(X, y)
    error = abs(binned.score_ - exact.score_)
    assert exact.error_bound_ == 0
    assert 0 < binned.error_bound_ < 1e-3
    assert 0 < error <= binned.error_bound_
    assert error < 1e-5


def test_coarse_bins_keep_to_their_bound(monkeypatch):
    X, y = _cloud(None)
    exact = RSA().fit(X, y).score_
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    for n_bins in (2**7, 2**9, 2**11):
        monkeypatch.setattr(_pair_blocks, "_N_BINS", n_bins)
        binned = RSA().fit(X, y)
        assert 1e-8 < abs(binned.score_ - exact) < binned.error_bound_ < 0.5


def test_angle_between_ranks_and_binned_ranks(monkeypatch):
    monkeypatch.setattr(_pair_blocks, "_N_BINS", 2**7)
    distances = _pairs.squared_distance_rows(_cloud(None)[0], "euclidean", xp=np)
    ranks = _pair_blocks.ranked_blocks(distances, xp=np)[0].ranks
    squares = _pairs.pair_vector(distances, xp=np)
    cosine = np.corrcoef(rankdata(squares), ranks.of(squares, xp=np))[0, 1]
    assert_allclose(np.cos(ranks.angle), cosine, rtol=1e-12)
    assert cosine < 0.9999


def test_ties_are_no_error_of_bins(monkeypatch):
    """Few distinct distances are ranked exactly, and the bound says so."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(2, size=(2, 120, 5)).astype(float)
    exact = RSA("sqeuclidean").fit(X, y).score_
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    monkeypatch.setattr(_pairs, "BLOCK_ROWS", 50)
    binned = RSA("sqeuclidean").fit(X, y)
    assert_allclose(binned.score_, exact, rtol=1e-12)
    assert binned.error_bound_ == 0


@pytest.mark.parametrize("comparison", ["pearson", "cosine"])
@pytest.mark.parametrize("shape", [(90, 12), (90, 200)])
@pytest.mark.parametrize("metric", ["correlation", "euclidean", "sqeuclidean"])
def test_values_of_pairs_by_blocks(metric, shape, comparison, monkeypatch):
    X, y = views(*shape)
    measure = RSA(metric, comparison)
    expected = measure.fit(X, y).score_
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    monkeypatch.setattr(_pairs, "BLOCK_ROWS", 40)
    fitted = measure.fit(X, y)
    assert_allclose(fitted.score_, expected, rtol=1e-11)
    assert fitted.error_bound_ == 0


@pytest.mark.parametrize("comparison", ["spearman", "pearson"])
def test_permuted_pairs_by_blocks(comparison, monkeypatch):
    X, y = views(40)
    measure = RSA("euclidean", comparison)
    settings = {"n_permutations": 5, "random_state": 0}
    expected = similarity_test(measure, X, y, **settings).null_distribution
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    found = similarity_test(measure, X, y, **settings).null_distribution
    assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize("comparison", ["spearman", "pearson"])
def test_pairs_by_blocks_of_other_libraries(namespace, comparison, monkeypatch):
    module = importlib.import_module(namespace)
    X, y = _cloud(_few_values, 60)
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    monkeypatch.setattr(_pairs, "BLOCK_ROWS", 40)
    monkeypatch.setattr(_pair_blocks, "_N_BINS", 2**12)
    measure = RSA("euclidean", comparison)
    expected = measure.fit(X, y)
    bound = expected.error_bound_
    options = {}
    if namespace == "array_api_strict":  # a device that can't be mixed with the CPU
        options = {"device": module.Device("device1")}
    with config_context(array_api_dispatch=True):
        there = measure.fit(*(module.asarray(v, **options) for v in (X, y)))
    assert_allclose(there.score_, expected.score_, rtol=1e-12)
    assert there.error_bound_ == bound


def test_kendall_of_many_rows_is_refused(monkeypatch):
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    with pytest.raises(ValueError, match="40 rows.*comparison='spearman'"):
        RSA(comparison="kendall").fit(*views(40))


def test_equal_dissimilarities_of_many_rows(monkeypatch):
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    for comparison in ("spearman", "pearson"):
        with pytest.raises(ValueError, match="X are equally dissimilar"):
            RSA("euclidean", comparison).fit(np.eye(20), views(20)[1])


# ----- quantiles and spanning trees ---------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 1.0])
def test_order_statistics_by_random_pairs(share, monkeypatch):
    monkeypatch.setattr(_pairs, "_EVENLY_SAMPLED_ROWS", 10)
    monkeypatch.setattr(_pairs, "_RANDOM_PAIRS", 400)
    monkeypatch.setattr(_pairs, "BLOCK_ROWS", 32)
    rows, squares, _ = _pairs.rows_for_distances(views(90)[0], xp=np)
    place = int(share * (_pairs.n_pairs(90) - 1))
    distances = _pairs.SquaredDistances(rows, squares, 1.0, 1.0)
    expected = np.sort(_pairs.pair_vector(distances, xp=np))[place]
    found = _pairs.blocked_order_statistics(rows, squares, [place], xp=np)
    assert_allclose(found, [expected], rtol=1e-9)


def _two_clusters(rng, X):
    return np.concatenate([X[:100], X[100:] * 0.01 + 50])


def _equal_rows(rng, X):
    return np.concatenate([np.repeat(X[:1], 40, axis=0), X[40:]])


def _lattice(rng, X):
    return np.round(2 * X)


@pytest.mark.parametrize("distance_scale", ["quantile", "median", "mean"])
@pytest.mark.parametrize("change", [None, _two_clusters, _equal_rows, _lattice])
def test_trees_of_neighbour_lists(change, distance_scale, monkeypatch):
    X, y = _cloud(change)
    measure = RTDLite(distance_scale)
    settings = {"n_permutations": 3, "random_state": 0}

    def values():
        fitted = measure.fit(X, y)
        null = similarity_test(measure, X, y, **settings).null_distribution
        return [fitted.distance_, fitted.x_to_y_, fitted.y_to_x_, *null]

    expected = values()
    monkeypatch.setattr("sksim.topology._rtd_lite.MATRIX_ROWS", 10)
    monkeypatch.setattr(_spanning_trees, "_N_NEIGHBORS", 4)
    monkeypatch.setattr(_pairs, "BLOCK_ROWS", 64)
    assert_allclose(values(), expected, rtol=1e-9)


# ----- progress -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "measure",
    [
        CKA("rbf"),
        HSIC("rbf"),
        RSA(),
        RSMNormDifference(),
        DistanceCorrelation(),
        NeighborJaccard(),
        CKNNA(),
        Uniformity(),
        RTD(subset_size=20, n_subsets=2),
        RTDLite(),
        GeometryScore(n_draws=20, n_landmarks=16, gamma=0.2),
    ],
    ids=repr,
)
def test_progress_is_shown_if_asked_for(measure, capsys, monkeypatch):
    if get_tags(measure).similarity_tags.extra == "topology":
        pytest.importorskip("gudhi")
    for module in ("_dcor", "_kernels", "_norm_difference"):
        monkeypatch.setattr(f"sksim.rsm.{module}.MATRIX_ROWS", 10)
    monkeypatch.setattr("sksim.topology._rtd_lite.MATRIX_ROWS", 10)
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    X, y = views(60)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clone(measure).fit(X, y).score(X, y)
        assert capsys.readouterr().err == ""
        clone(measure).set_params(verbose=1).fit(X, y)
    assert "[####" in capsys.readouterr().err


def test_work_on_all_pairs_has_a_progress_bar():
    for name, cls in all_measures(inputs="representation"):
        complexity = get_tags(cls()).similarity_tags.complexity
        if complexity.startswith("n^2"):
            assert "verbose" in cls().get_params(), name
