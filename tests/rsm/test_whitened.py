"""RSA by ranks and orders without a gain by ties, and whitened by their covariance."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist, squareform
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import get_tags

from sksim.arrays import _pairs, _symmetric
from sksim.base._inner_product import PickedComparison, PickedGrid
from sksim.base._layers import open_layers
from sksim.compose import DeconfoundedSimilarity
from sksim.inference import similarity_interval, similarity_test
from sksim.inference._moments import null_moments
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA, RSA, DistanceCorrelation

DATA = Path(__file__).parents[1] / "data"
ARRAYS = np.load(DATA / "recordings.npz")
VALUES = json.loads((DATA / "recordings.json").read_text())["rdm_comparison"]
NAMES = {
    "corr": "pearson",
    "cosine": "cosine",
    "spearman": "spearman",
    "rho-a": "rho_a",
    "tau-a": "tau_a",
    "corr_cov": "corr_cov",
    "cosine_cov": "cosine_cov",
}
WHITENED = ("cosine_cov", "corr_cov")
METRICS = ("euclidean", "sqeuclidean", "correlation", "cosine")
# more rows than columns, and fewer
WIDTHS = ((4, 7), (40, 30), (5, 40))


def views(n=20, widths=(4, 7), seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, widths[0]))
    y = np.tanh(X @ rng.normal(size=widths)) + 0.3 * rng.normal(size=(n, widths[1]))
    return X + 0.5, y


def covariance(n, seed=1):
    A = np.random.default_rng(seed).normal(size=(n, 2 * n))
    return A @ A.T / n


def of_pairs(n, sigma=None, used=None):
    """V by its definition, as a matrix of pairs by pairs."""
    first, second = np.triu_indices(n, 1)
    C = np.zeros((len(first), n))
    C[np.arange(len(first)), first] = 1
    C[np.arange(len(first)), second] = -1
    V = (C @ (np.eye(n) if sigma is None else sigma) @ C.T) ** 2
    return V if used is None else V[np.ix_(used, used)]


def by_definition(u, v, V, comparison):
    if comparison == "corr_cov":
        u, v = u - u.mean(), v - v.mean()
    a, b = np.linalg.solve(V, u), np.linalg.solve(V, v)
    return u @ b / np.sqrt((u @ a) * (v @ b))


# ----- values ---------------------------------------------------------------------


@pytest.mark.parametrize("key", [*NAMES, *(f"{n}_with_sigma_k" for n in WHITENED)])
@pytest.mark.parametrize("case", VALUES)
def test_values_of_original_implementation(case, key):
    u, v, sigma = (
        ARRAYS[f"rdm_comparison/{case}/{name}"] for name in ("u", "v", "sigma_k")
    )
    name = key.removesuffix("_with_sigma_k")
    sigma = sigma if name != key else None
    measure = RSA("precomputed", NAMES[name], sigma_k=sigma)
    expected = VALUES[case][key]
    if expected is None:
        with pytest.raises(ValueError, match="equally dissimilar"):
            measure.fit(u, v)
        return
    tolerance = 1e-6 if sigma is not None else 1e-9
    assert_allclose(measure.fit(u, v).score_, expected, rtol=tolerance, atol=1e-12)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("comparison", WHITENED)
def test_by_definition(comparison, metric, widths):
    X, y = views(20, widths)
    u, v = (pdist(rows, metric) for rows in (X, y))
    sigma = covariance(20)
    for sigma_k, V in (
        (None, of_pairs(20)),
        (sigma, of_pairs(20, sigma)),
        (np.diagonal(sigma), of_pairs(20, np.diag(np.diagonal(sigma)))),
    ):
        expected = by_definition(u, v, V, comparison)
        measure = RSA(metric, comparison, sigma_k=sigma_k)
        assert_allclose(measure.fit(X, y).score_, expected, rtol=1e-9)
        given = RSA("precomputed", comparison, sigma_k=sigma_k)
        assert_allclose(given.fit(u, v).score_, expected, rtol=1e-9)


def test_whitened_is_cka():
    X, y = views(30)
    cka = CKA().fit(X, y).score_
    assert_allclose(RSA("sqeuclidean", "cosine_cov").fit(X, y).score_, cka)
    dcor = DistanceCorrelation(squared=True).fit(X, y).score_
    assert_allclose(RSA("euclidean", "cosine_cov").fit(X, y).score_, dcor)


def test_white_noise_of_any_size_is_none():
    X, y = views()
    for comparison in WHITENED:
        plain = RSA("euclidean", comparison).fit(X, y).score_
        # what all rows have in common is in no difference of rows
        sigma = 3 * np.eye(20) + 5
        white = RSA("euclidean", comparison, sigma_k=sigma).fit(X, y).score_
        assert_allclose(white, plain, rtol=1e-12)


@pytest.mark.parametrize("comparison", WHITENED)
def test_nearly_equal_dissimilarities_keep_their_digits(comparison):
    rng = np.random.default_rng(0)
    X = 10 * np.eye(20) + 1e-5 * rng.normal(size=(20, 20))
    y = rng.normal(size=(20, 5))
    u, v = pdist(X, "sqeuclidean"), pdist(y, "sqeuclidean")
    expected = by_definition(u, v, of_pairs(20), comparison)
    found = RSA("sqeuclidean", comparison).fit(X, y).score_
    assert_allclose(found, expected, rtol=1e-7)


# ----- ties and constants ------------------------------------------------------------


def test_rho_a_gains_nothing_by_ties():
    # ranks 1.5, 3, 1.5 and 1, 3, 2: 12 (.25 + 1) / (27 - 3)
    u, v = [1.0, 2.0, 1.0], [1.0, 3.0, 2.0]
    measure = RSA("precomputed", "rho_a")
    assert_allclose(measure.fit(u, v).score_, 0.75)
    assert_allclose(measure.fit(u, u).score_, 0.75)
    spearman = RSA("precomputed").fit(u, v).score_
    assert_allclose(spearman, 0.75**0.5)
    untied = [3.0, 1.0, 2.0]
    assert_allclose(measure.fit(untied, v).score_, -1)


def test_orders_of_constant_dissimilarities_are_none():
    X, y = np.eye(12), views(12)[1]
    for comparison in ("rho_a", "tau_a", "kendall"):
        measure = RSA("euclidean", comparison)
        assert measure.fit(X, y).score_ == measure.fit(y, X).score_ == 0
        with pytest.warns(UserWarning, match="RSA is 0 in whatever order"):
            assert similarity_test(measure, X, y, n_permutations=9).pvalue == 1
    assert 0 < RSA("euclidean", "cosine_cov").fit(X, y).score_ < 1
    for measure in (
        RSA("euclidean", "corr_cov"),
        RSA("sqeuclidean", "corr_cov"),
        RSA("sqeuclidean", "corr_cov", sigma_k=covariance(12)),
    ):
        for pair, name in (((X, y), "X"), ((y, X), "y")):
            with pytest.raises(ValueError, match=f"rows of {name} are equally dissim"):
                measure.fit(*pair)
    with pytest.raises(ValueError, match="rows of X are equally dissimilar"):
        RSA("precomputed", "cosine_cov").fit(np.zeros((12, 12)), pdist(y))


def test_kendall_is_tau_a():
    X, y = np.random.default_rng(0).integers(0, 3, size=(2, 15, 4)).astype(float)
    values = [RSA("euclidean", c).fit(X, y).score_ for c in ("kendall", "tau_a")]
    assert values[0] == values[1]


# ----- pairs that do not count ------------------------------------------------------


@pytest.mark.parametrize("comparison", WHITENED)
def test_some_pairs_by_definition(comparison):
    X, y = views(18)
    u, v = pdist(X), pdist(y)
    mask = np.add.outer(np.arange(18), np.arange(18)) % 4 > 0
    used = squareform(mask, checks=False)
    expected = by_definition(u[used], v[used], of_pairs(18, used=used), comparison)
    measure = RSA("euclidean", comparison, pairs=mask)
    assert_allclose(measure.fit(X, y).score_, expected, rtol=1e-9)
    # the mask stays where it is, and the rows move
    order = np.random.default_rng(0).permutation(18)
    w = pdist(y[order])[used]
    moved = by_definition(u[used], w, of_pairs(18, used=used), comparison)
    prepared = measure._open(X, y).for_permutations()
    assert_allclose(prepared.permuted([order]), [moved], rtol=1e-9)
    assert similarity_interval(measure, X, y).standard_error > 0


@pytest.mark.parametrize("comparison", [*WHITENED, "rho_a", "tau_a"])
def test_missing_pairs_are_left_out(comparison):
    u, v = (pdist(rows) for rows in views(18))
    used = np.random.default_rng(0).random(len(u)) < 0.8
    u[~used] = np.nan
    pairs = RSA("precomputed", comparison, pairs=used)
    with pytest.warns(UserWarning, match=r"pairs of rows are missing"):
        found = RSA("precomputed", comparison).fit(u, v).score_
        table = similarity_matrix(RSA("precomputed", comparison), [u], [v])
        swapped = RSA("precomputed", comparison).fit(v, u).score_
        test = similarity_test(
            RSA("precomputed", comparison), u, v, n_permutations=9, random_state=0
        )
    expected = pairs.fit(np.nan_to_num(u), v).score_
    assert_allclose([found, swapped, table.iloc[0, 0]], expected, rtol=1e-9)
    assert test.pvalue == 0.1


def test_all_pairs_that_are_left_are_equal():
    u, v = (pdist(rows) for rows in views(10))
    used = np.arange(len(u)) < 5
    u[used] = 1.0
    with pytest.raises(ValueError, match="rows of X are equally dissimilar"):
        RSA("precomputed", "corr_cov", pairs=used).fit(u, v)


# ----- what follows of one view -----------------------------------------------------


MEASURES = [
    RSA("sqeuclidean", "cosine_cov"),
    RSA("sqeuclidean", "corr_cov"),
    RSA("euclidean", "corr_cov"),
    RSA("correlation", "corr_cov"),
    RSA("euclidean", "cosine_cov", sigma_k=covariance(24)),
    RSA("sqeuclidean", "corr_cov", sigma_k=covariance(24)),
]


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize(
    "measure", MEASURES, ids=lambda m: f"{m.metric}_{m.comparison}"
)
def test_permutations_by_refitting(measure, widths):
    X, y = views(24, widths)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(24) for _ in range(3)]
    expected = [clone(measure).fit(X, y[order]).score_ for order in orders]
    comparison = measure._open(X, y)
    prepared = comparison.for_permutations()
    assert_allclose(comparison.permuted(orders), expected, rtol=1e-9, atol=1e-12)
    assert_allclose(prepared.permuted(orders), expected, rtol=1e-9, atol=1e-12)
    if measure.sigma_k is None and widths == (40, 30):
        assert isinstance(prepared, PickedComparison)
    grid = type(comparison).grid(
        views_x=[comparison.view_x, comparison.view_y],
        views_y=[comparison.view_y],
        **_setting(comparison),
    )
    assert_allclose(grid.values()[0, 0], comparison.value(), rtol=1e-12)
    prepared = grid.for_permutations()
    if measure.sigma_k is None and widths == (40, 30):
        assert isinstance(prepared, PickedGrid)
    assert_allclose(prepared.permuted(orders)[:, 0, 0], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("measure", MEASURES[:4], ids=repr)
def test_rows_that_count_several_times(measure, widths):
    """As rows of their own, of which the pairs of copies don't count."""
    X, y = views(24, widths)
    weights = np.random.default_rng(0).integers(0, 4, size=24)
    rows = np.repeat(np.arange(24), weights)
    mask = rows[:, None] != rows
    repeated = clone(measure).set_params(pairs=mask)
    expected = repeated.fit(X[rows], y[rows]).score_
    pair = measure._open(X, y)
    assert_allclose(pair._weighted(weights.astype(float)), expected, rtol=1e-8)
    alone = 1.0 - np.eye(24)[3]
    assert_allclose(pair._weighted(alone), pair.without_each_row()[3], rtol=1e-9)
    intervals = get_tags(measure).similarity_tags.intervals
    assert ("masked_bootstrap" in intervals) == (measure.comparison == "corr_cov")


@pytest.mark.slow
@pytest.mark.parametrize("noise, n_least", [(0.7, 0.87), (2.0, 0.9)])
@pytest.mark.parametrize("method", ["jackknife", "masked_bootstrap"])
def test_coverage_of_intervals(method, noise, n_least):
    mixing = np.random.default_rng(5).normal(size=(6, 6))

    def rows(n, seed):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(n, 6))
        return X, np.tanh(X @ mixing / 2) + noise * rng.normal(size=(n, 6))

    measure = RSA("sqeuclidean", "corr_cov")
    truth = measure.fit(*rows(3000, 1)).score_
    hits = []
    for seed in range(100):
        found = similarity_interval(
            measure,
            *rows(60, 100 + seed),
            method=method,
            n_resamples=200,
            random_state=0,
        ).confidence_interval
        hits.append(found.low <= truth <= found.high)
    assert n_least <= np.mean(hits) <= 1


def _setting(comparison):
    names = ("measure", "owner", "xp", "device", "n_samples", "rounding")
    return {name: getattr(comparison, name) for name in names}


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize(
    "measure", MEASURES, ids=lambda m: f"{m.metric}_{m.comparison}"
)
def test_jackknife_by_refitting(measure, widths):
    X, y = views(24, widths)
    found = similarity_interval(measure, X, y).replicates
    for i in (0, 11):
        rows = np.delete(np.arange(24), i)
        refit = clone(measure)
        if measure.sigma_k is not None:
            refit.set_params(sigma_k=measure.sigma_k[np.ix_(rows, rows)])
        assert_allclose(found[i], refit.fit(X[rows], y[rows]).score_, rtol=1e-9)
    is_closed = "jackknife" in get_tags(measure).similarity_tags.exact
    assert is_closed == (measure.sigma_k is None)


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("measure", MEASURES[:4], ids=repr)
def test_moments_of_the_null(measure, widths):
    X, y = views(24, widths)
    pair = measure._open(X, y)
    form = pair.trace_form()
    K, L = form.K.toarray(), form.L.toarray()
    assert_allclose(form.scale * np.vdot(K, L), pair.statistic(), rtol=1e-9)
    moments = null_moments(form)
    assert_allclose(pair.null_mean(), moments.mean, rtol=1e-9, atol=1e-12)
    if measure.comparison == "corr_cov":
        assert pair.null_mean() == 0
    rng = np.random.default_rng(0)
    null = pair.for_permutations().permuted([rng.permutation(24) for _ in range(2000)])
    assert abs(np.mean(null) - moments.mean) < 4 * moments.std / 2000**0.5
    assert_allclose(np.std(null), moments.std, rtol=0.1)


def test_effects_of_pairs_are_those_of_matrices_without_their_trace():
    X, y = views(24)
    pair = RSA("sqeuclidean", "corr_cov")._open(X, y)
    u, v = (pdist(rows, "sqeuclidean") for rows in (X, y))
    # a list whose mean is 0 already
    centred = [values - values.mean() for values in (u, v)]
    given = RSA("precomputed", "corr_cov")._open(*centred)
    expected = given.pair_effects().matrix
    # slopes and curvatures by differences
    assert_allclose(pair.pair_effects().matrix, expected, rtol=1e-4, atol=1e-7)
    # what two rows do together, by leaving out both
    alone, both = pair.without_each_row(), np.zeros((24, 24))
    for i in range(24):
        rows = np.delete(np.arange(24), i)
        without = RSA("sqeuclidean", "corr_cov")._open(X[rows], y[rows])
        both[i, rows] = without.without_each_row()
    exact = pair.value() - alone - alone[:, None] + both
    off = ~np.eye(24, dtype=bool)
    assert np.corrcoef(expected[off], exact[off])[0, 1] > 0.9


@pytest.mark.parametrize("measure", MEASURES[:4], ids=repr)
def test_jackknife_and_null_of_many_pairs(measure, monkeypatch):
    X, y = views(24)
    layers_x, layers_y = {"a": X, "b": X[:, :2]}, {"c": y, "d": y**3}
    grid = open_layers(clone(measure), layers_x, layers_y).grid
    assert grid.has_trace_forms
    for i, j, found in grid.without_each_row():
        pair = grid.pair(i, j)
        assert_allclose(found, pair.without_each_row(), rtol=1e-9)
        form = pair.trace_form()
        for side, place, matrix in ((0, i, form.K), (1, j, form.L)):
            own = grid.exact_matrix(side, place).toarray()
            assert_allclose(own, matrix.toarray(), atol=1e-12)
        assert_allclose(grid.trace_scale(i, j), form.scale)
        effects = grid.pair_effects(i, j).matrix
        assert_allclose(effects, pair.pair_effects().matrix, rtol=1e-9, atol=1e-12)
    assert (i, j) == (1, 1)
    weights = np.random.default_rng(0).integers(0, 3, size=24).astype(float)
    found = grid.weighted(weights)
    monkeypatch.setattr("sksim.rsm._whitened._MOST_MEMORY", 0)
    if measure.comparison == "corr_cov":  # the others say that they can't be weighted
        assert_allclose(grid.weighted(weights), found, rtol=1e-10)
    for i, j in np.ndindex(2, 2):
        assert_allclose(grid.pair(i, j)._weighted(weights), found[i, j], rtol=1e-10)
    of_one = open_layers(clone(measure), {"a": X, "b": y}).grid
    assert [place[:2] for place in of_one.without_each_row()] == [
        (0, 0),
        (0, 1),
        (1, 1),
    ]


# ----- many rows --------------------------------------------------------------------


@pytest.mark.parametrize("comparison", WHITENED)
def test_whitened_by_blocks(comparison, monkeypatch):
    X, y = views(90)
    measure = RSA("euclidean", comparison)
    expected = measure.fit(X, y).score_
    jackknife = similarity_interval(measure, X, y).replicates
    order = [np.random.default_rng(0).permutation(90)]
    moved = measure._open(X, y).permuted(order)
    monkeypatch.setattr("sksim.rsm._rsa.MATRIX_ROWS", 10)
    for module in (_pairs, _symmetric):
        monkeypatch.setattr(module, "BLOCK_ROWS", 40)
    assert_allclose(measure.fit(X, y).score_, expected, rtol=1e-11)
    found = measure._open(X, y).for_permutations()
    assert_allclose(found.permuted(order), moved, rtol=1e-10)
    found = similarity_interval(measure, X, y).replicates
    assert_allclose(found, jackknife, rtol=1e-9)
    if comparison == "corr_cov":
        with pytest.raises(ValueError, match="equally dissimilar"):
            measure.fit(np.eye(60), y[:60])


def test_rho_a_by_blocks(monkeypatch):
    X, y = np.random.default_rng(0).integers(0, 4, size=(2, 90, 5)).astype(float)
    y[:, :3] = X[:, :3]
    measure = RSA("euclidean", "rho_a")
    expected = measure.fit(X, y).score_
    assert expected < RSA("euclidean").fit(X, y).score_
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    monkeypatch.setattr(_pairs, "BLOCK_ROWS", 40)
    fitted = measure.fit(X, y)
    assert abs(fitted.score_ - expected) <= fitted.error_bound_ + 1e-12
    assert fitted.error_bound_ < 1e-4


# ----- the covariance of the rows' noise --------------------------------------------


def test_covariances_that_are_none():
    X, y = views()
    sigma = covariance(20)
    skewed = sigma.copy()
    skewed[3, 5] += 1
    singular = np.ones(20)
    singular[4] = singular[9] = 0
    for given, message in (
        (sigma[:5, :5], r"shape \(5, 5\), but X has 20 rows.*\(20, 20\).*\(20,\)"),
        (skewed, "covariance of rows 3 and 5 is"),
        (singular, "must be positive.*ledoit_wolf"),
        (-sigma, "must be positive"),
        (np.full((20, 20), np.nan), "sigma_k contains NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            RSA("euclidean", "cosine_cov", sigma_k=given).fit(X, y)
    with pytest.raises(ValueError, match="no part in comparison='spearman'"):
        RSA("euclidean", sigma_k=sigma).fit(X, y)
    pairs = np.ones((20, 20), dtype=bool)
    with pytest.raises(ValueError, match="sigma_k and pairs can't be had together"):
        RSA("euclidean", "corr_cov", sigma_k=sigma, pairs=pairs).fit(X, y)
    D = squareform(pdist(X))
    D[2, 3] = D[3, 2] = np.nan
    with pytest.raises(ValueError, match="1 pairs of rows are missing.*in X"):
        RSA("precomputed", "corr_cov", sigma_k=sigma).fit(D, D)


def test_covariance_of_many_rows_is_refused(monkeypatch):
    monkeypatch.setattr("sksim.rsm._rsa._LISTED_ROWS", 10)
    with pytest.raises(ValueError, match="20 rows: more than 10"):
        RSA("euclidean", "cosine_cov", sigma_k=np.ones(20)).fit(*views())


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize("comparison", WHITENED)
def test_other_libraries(namespace, comparison):
    module = importlib.import_module(namespace)
    X, y = views()
    mask = np.add.outer(np.arange(20), np.arange(20)) % 4 > 0
    order = np.random.default_rng(0).permutation(20)
    for options in ({"sigma_k": covariance(20)}, {"pairs": mask}):
        measure = RSA("euclidean", comparison, **options)
        expected = [measure.fit(X, y).score_, *measure._open(X, y).permuted([order])]
        with config_context(array_api_dispatch=True):
            arrays = [module.asarray(rows) for rows in (X, y)]
            pair = measure._open(*arrays).for_permutations()
            found = [measure.fit(*arrays).score_, *pair.permuted([order])]
        assert_allclose(found, expected, rtol=1e-10)


def test_confounders_are_taken_out_first():
    X, y = views()
    z = X[:, :2]
    u, v, w = (pdist(rows) for rows in (X, y, z))
    residuals = [a - np.polyval(np.polyfit(w, a, 1), w) for a in (u, v)]
    sigma = covariance(20)
    for sigma_k, V in ((None, of_pairs(20)), (sigma, of_pairs(20, sigma))):
        for comparison in WHITENED:
            measure = RSA("euclidean", comparison, sigma_k=sigma_k)
            found = DeconfoundedSimilarity(measure).fit(X, y, z=z).score_
            expected = by_definition(*residuals, V, comparison)
            assert_allclose(found, expected, rtol=1e-8)


def test_bounds_follow_the_comparison():
    def bounds(*args, **options):
        return get_tags(RSA(*args, **options)).similarity_tags.bounds

    assert bounds("euclidean", "cosine_cov") == (0, 1)
    assert bounds("precomputed", "cosine_cov") == (-1, 1)
    assert bounds("euclidean", "corr_cov") == (-1, 1)
    assert bounds("euclidean", "cosine_cov", sigma_k=np.eye(3)) == (0, 1)
