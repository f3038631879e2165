"""RSM measures: values of original implementations, and definitions by hand."""

import numpy as np
import pytest
import scipy.linalg
from _reference import reference_cases
from numpy.testing import assert_allclose
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.stats import kendalltau, pearsonr, spearmanr
from sklearn.metrics.pairwise import cosine_similarity

from sksim.arrays import _pairs
from sksim.cca import MeanSquaredCCA
from sksim.rsm import (
    CKA,
    GULP,
    HSIC,
    RSA,
    DistanceCorrelation,
    EigenspaceOverlap,
    NormalizedBures,
    PointwiseKernelAlignment,
    RiemannianDistance,
    RSMNormDifference,
)

MEASURES = {
    "distance_correlation": DistanceCorrelation(),
    "rsa_correlation_spearman": RSA(),
    "rsa_euclidean_spearman": RSA(metric="euclidean"),
    "eigenspace_overlap_width": EigenspaceOverlap(denominator="width"),
    "eigenspace_overlap_rank": EigenspaceOverlap(),
    "normalized_bures": NormalizedBures(),
    "rsm_norm_difference_euclidean": RSMNormDifference(),
}
CASES = [(key, *case) for key in MEASURES for case in reference_cases(key)]


@pytest.mark.parametrize(
    "key, name, direction, X, y, value",
    CASES,
    ids=lambda c: c if type(c) is str else "",
)
def test_values_of_original_implementations(key, name, direction, X, y, value):
    # tied distances on iris: the originals break ties by rounding
    rtol = 1e-5 if key.startswith("rsa") and name == "iris" else 1e-9
    assert_allclose(MEASURES[key].fit(X, y).statistic_, value, rtol=rtol)


@pytest.mark.parametrize("ridge, key", [(0.01, "0.01"), (1.0, "1")])
def test_gulp_of_original_implementation(ridge, key):
    for *_, X, y, value in reference_cases(f"gulp_squared_lambda_{key}"):
        assert_allclose(GULP(ridge).fit(X, y).statistic_ ** 2, value, rtol=1e-9)


def views(n_samples, *widths, seed=0):
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n_samples, 4))
    return [
        latent @ rng.normal(size=(4, w)) + rng.normal(size=(n_samples, w)) + 2
        for w in widths
    ]


WIDTHS = pytest.mark.parametrize("widths", [(5, 3), (50, 60), (50, 3), (3, 50)])


def center(X):
    return X - X.mean(axis=0)


# ----- representational similarity analysis ----------------------------------------

CORRELATIONS = {
    "pearson": lambda a, b: pearsonr(a, b).statistic,
    "spearman": lambda a, b: spearmanr(a, b).statistic,
    "kendall": lambda a, b: kendalltau(a, b).statistic,
    "cosine": lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b),
}


@pytest.mark.parametrize("metric", _pairs.METRICS)
@pytest.mark.parametrize("comparison", CORRELATIONS)
@WIDTHS
def test_rsa_by_definition(metric, comparison, widths):
    X, y = views(30, *widths)
    expected = CORRELATIONS[comparison](pdist(X, metric), pdist(y, metric))
    value = RSA(metric, comparison).fit(X, y).statistic_
    assert_allclose(value, expected, rtol=1e-10)


def test_tied_ranks_are_averaged():
    # distances of X: 1, 2, 1; of y: 1, 3, 2
    X, y = [[0.0], [1.0], [2.0]], [[0.0], [1.0], [3.0]]
    expected = spearmanr([1, 2, 1], [1, 3, 2]).statistic
    assert_allclose(RSA("euclidean").fit(X, y).score_, expected)


def test_tau_a_counts_ties_in_the_denominator():
    # of the 3 pairs of distances one is tied in X, the others agree
    X, y = [[0.0], [1.0], [2.0]], [[0.0], [1.0], [3.0]]
    assert_allclose(RSA("euclidean", "kendall").fit(X, y).score_, 2 / 3)


def test_ties_do_not_depend_on_rounding():
    """Integer data has many ties; a shift and another order of columns keep them."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 4, size=(2, 60, 5)).astype(float)
    before = RSA("euclidean").fit(X, y).score_
    assert RSA("euclidean").fit(X + 0.1, y[:, ::-1] * 1.7).score_ == before


def test_moments_fall_back_where_they_lose_digits():
    """Almost equal dissimilarities: the closed form would cancel."""
    rng = np.random.default_rng(0)
    X = 10 * np.eye(40)[:, :39] + 1e-5 * rng.normal(size=(40, 39))
    y = rng.normal(size=(40, 5))
    X = X[:39]
    y = y[:39]
    wide = np.hstack([X, np.zeros((39, 1))])[:, :38]
    expected = pearsonr(pdist(wide, "sqeuclidean"), pdist(y, "sqeuclidean")).statistic
    value = RSA("sqeuclidean", "pearson").fit(wide, y).score_
    assert_allclose(value, expected, rtol=1e-6)


def test_rsa_refuses_what_has_no_dissimilarity():
    X, y = views(20, 4, 4)
    constant = X.copy()
    constant[3] = 7.0
    with pytest.raises(ValueError, match=r"X has a constant row \(row 3\)"):
        RSA().fit(constant, y)
    zero = X.copy()
    zero[5] = 0.0
    with pytest.raises(ValueError, match="Row 5 of X is zero"):
        RSA("cosine").fit(zero, y)
    with pytest.raises(ValueError, match="equally dissimilar"):
        RSA("euclidean").fit(np.eye(20), y)


@pytest.mark.parametrize(
    ("scale", "dtype"), [(1, float), (1e30, float), (1e-200, float), (1, np.float32)]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_that_correlate_perfectly_are_refused(scale, dtype, order):
    """Rounding of the rows' means is no dissimilarity."""
    steps = scale * np.arange(23 * 50.0).reshape(23, 50)
    X = np.asarray(steps, dtype=dtype, order=order)
    y = np.random.default_rng(0).normal(size=(23, 5)).astype(dtype)
    for first, second, name in ((X, y, "X"), (y, X, "y")):
        with pytest.raises(ValueError, match=f"rows of {name} correlate perfectly"):
            RSA().fit(first, second)


@pytest.mark.parametrize("dtype", [np.float32, float])
def test_norm_difference_refuses_rows_that_correlate_perfectly(dtype):
    X = (0.1 * np.arange(23 * 50.0).reshape(23, 50)).astype(dtype)
    y = np.random.default_rng(0).normal(size=(23, 5)).astype(dtype)
    with pytest.raises(ValueError, match="rows of X correlate perfectly"):
        RSMNormDifference("correlation").fit(X, y)


def test_rows_that_correlate_almost_perfectly_are_compared():
    near = 1 + np.arange(50) + 1e-6 * np.random.default_rng(1).normal(size=(23, 50))
    assert RSA().fit(1e30 * near, near).score_ == pytest.approx(1)


@pytest.mark.parametrize("comparison", CORRELATIONS)
def test_rsa_permutes_what_it_has_ranked(comparison):
    X, y = views(25, 4, 6)
    measure = RSA("sqeuclidean", comparison)
    order = np.random.default_rng(1).permutation(25)
    expected = measure.fit(X, y[order]).score_
    assert_allclose(measure._open(X, y).permuted([order]), [expected], rtol=1e-10)


# ----- HSIC, distance correlation ---------------------------------------------------


@WIDTHS
def test_hsic_by_definition(widths):
    X, y = views(30, *widths)
    H = np.eye(30) - 1 / 30
    expected = np.trace(X @ X.T @ H @ y @ y.T @ H) / 29**2
    assert_allclose(HSIC().fit(X, y).statistic_, expected, rtol=1e-10)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@WIDTHS
def test_unbiased_hsic_by_definition(kernel, widths):
    X, y = views(20, *widths)

    def of(Z):
        if kernel == "linear":
            K = Z @ Z.T
        else:
            d = squareform(pdist(Z))
            median = np.median(pdist(Z))
            K = np.exp(-(d**2) / (2 * (0.5 * median) ** 2))
        return K - np.diag(np.diag(K))

    K, L, one, n = of(X), of(y), np.ones(20), 20
    expected = (
        np.trace(K @ L)
        + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
        - 2 / (n - 2) * one @ K @ L @ one
    ) / (n * (n - 3))
    value = HSIC(kernel, debias="rows").fit(X, y).statistic_
    assert_allclose(value, expected, rtol=1e-9)


def test_hsic_that_vanishes_is_refused():
    X, y = views(20, 4, 4)
    with pytest.raises(ValueError, match="so small that their HSIC vanishes"):
        HSIC().fit(X, 1e-155 * y)


def test_hsic_counts_the_scale():
    X, y = views(20, 4, 4)
    ratio = HSIC().fit(1e60 * X, y).statistic_ / HSIC().fit(X, y).statistic_
    assert_allclose(ratio, 1e120, rtol=1e-10)


def test_hsic_refuses_to_overflow():
    X, y = views(20, 4, 4)
    with pytest.raises(ValueError, match="Rescale"):
        HSIC().fit(1e150 * X, 1e150 * y)


def distance_correlation(X, y):
    A, B = squareform(pdist(X)), squareform(pdist(y))
    A, B = (D - D.mean(axis=0) - D.mean(axis=1)[:, None] + D.mean() for D in (A, B))
    return np.mean(A * B) / np.sqrt(np.mean(A * A) * np.mean(B * B))


@WIDTHS
def test_distance_correlation_by_definition(widths):
    X, y = views(30, *widths)
    expected = distance_correlation(X, y)
    squared = DistanceCorrelation(squared=True).fit(X, y).score_
    assert_allclose(squared, expected, rtol=1e-10)
    assert_allclose(DistanceCorrelation().fit(X, y).score_, expected**0.5, rtol=1e-10)


def test_unbiased_distance_correlation_by_definition():
    X, y = views(12, 3, 4)
    n = 12

    def u_centred(D):
        sums, total = D.sum(axis=0), D.sum()
        U = D - sums / (n - 2) - sums[:, None] / (n - 2) + total / ((n - 1) * (n - 2))
        np.fill_diagonal(U, 0)
        return U

    A, B = u_centred(squareform(pdist(X))), u_centred(squareform(pdist(y)))
    expected = np.sum(A * B) / np.linalg.norm(A) / np.linalg.norm(B)
    assert_allclose(DistanceCorrelation(debias="rows").fit(X, y).score_, expected)


def test_unbiased_distance_correlation_is_zero_on_average():
    rng = np.random.default_rng(0)
    values = [
        DistanceCorrelation(debias="rows").fit(*rng.normal(size=(2, 50, 60))).score_
        for _ in range(50)
    ]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(50)
    assert DistanceCorrelation().fit(*rng.normal(size=(2, 50, 60))).score_ > 0.6


def test_equidistant_rows_have_no_unbiased_distance_correlation():
    with pytest.raises(ValueError, match="equally far apart"):
        DistanceCorrelation(debias="rows").fit(np.eye(8), views(8, 3)[0])


# ----- blocks --------------------------------------------------------------------


@pytest.mark.parametrize(
    "measure",
    [
        DistanceCorrelation(),
        DistanceCorrelation(debias="rows"),
        CKA(kernel="rbf"),
        CKA(kernel="rbf", debias="rows"),
        HSIC(kernel="rbf", debias="rows"),
        CKA(kernel="laplacian"),
        CKA(kernel="poly", debias="rows", kernel_params={"degree": 2}),
        HSIC(kernel="laplacian"),
        RSMNormDifference(),
        RSMNormDifference("linear"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_blocks_give_the_value_of_matrices(measure, dtype, monkeypatch):
    X, y = (v.astype(dtype) for v in views(75, 5, 8))
    order = np.random.default_rng(1).permutation(75)
    expected = [measure.fit(X, v).statistic_ for v in (y, y[order])]
    for module in ("_dcor", "_kernels", "_norm_difference"):
        monkeypatch.setattr(f"sksim.rsm.{module}.MATRIX_ROWS", 10)
    for module in ("_pairs", "_symmetric"):
        monkeypatch.setattr(f"sksim.arrays.{module}.BLOCK_ROWS", 20)
    rtol = 1e-10 if dtype is np.float64 else 1e-4
    assert_allclose(
        measure.fit(X, y).statistic_,
        expected[0],
        rtol=rtol,
        atol=1e-5 * (dtype is np.float32),
    )
    permuted = measure._open(X, y).permuted([order])[0]
    assert_allclose(permuted, expected[1], rtol=rtol, atol=1e-5 * (dtype is np.float32))


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
def test_blocks_of_other_libraries(namespace, monkeypatch):
    import importlib

    from sklearn import config_context

    pytest.importorskip(namespace)
    module = importlib.import_module(namespace)
    X, y = views(75, 5, 8)
    monkeypatch.setattr("sksim.rsm._dcor.MATRIX_ROWS", 10)
    monkeypatch.setattr("sksim.rsm._kernels.MATRIX_ROWS", 10)
    for name in ("_pairs", "_symmetric"):
        monkeypatch.setattr(f"sksim.arrays.{name}.BLOCK_ROWS", 20)
    for measure in (
        DistanceCorrelation(debias="rows"),
        CKA(kernel="rbf"),
        CKA(kernel="laplacian", debias="rows"),
    ):
        expected = measure.fit(X, y).score_
        with config_context(array_api_dispatch=True):
            there = measure.fit(module.asarray(X), module.asarray(y)).score_
        assert_allclose(there, expected, rtol=1e-10)


@pytest.mark.parametrize("n_samples", [60, 61, 62])
@pytest.mark.parametrize("decimals", [0, 8])
def test_median_without_a_list_of_pairs(n_samples, decimals, monkeypatch):
    monkeypatch.setattr(_pairs, "BLOCK_ROWS", 16)
    X = np.round(views(n_samples, 3)[0], decimals)
    rows, squares, _ = _pairs.rows_for_distances(X, xp=np)
    value = _pairs.blocked_median(rows, squares, xp=np)
    assert_allclose(value, np.median(pdist(X)), rtol=1e-9)


def test_median_outside_of_the_first_bracket(monkeypatch):
    """Evenly spaced rows are no sample of the others."""
    monkeypatch.setattr(_pairs, "BLOCK_ROWS", 16)
    X = views(64, 3)[0]
    X[::4] *= 100
    rows, squares, _ = _pairs.rows_for_distances(X, xp=np)
    value = _pairs.blocked_median(rows, squares, xp=np)
    assert_allclose(value, np.median(pdist(X)), rtol=1e-9)


# ----- norms of differences ---------------------------------------------------------

RSMS = {
    "euclidean": lambda X: cdist(X, X),
    "sqeuclidean": lambda X: cdist(X, X, "sqeuclidean"),
    "correlation": lambda X: np.corrcoef(X),
    "cosine": cosine_similarity,
    "linear": lambda X: X @ X.T,
}


@pytest.mark.parametrize("metric", RSMS)
@WIDTHS
def test_norm_difference_by_definition(metric, widths):
    X, y = views(30, *widths)
    expected = np.linalg.norm(RSMS[metric](X) - RSMS[metric](y))
    value = RSMNormDifference(metric).fit(X, y).statistic_
    assert_allclose(value, expected, rtol=1e-10)


def test_norm_difference_of_different_units():
    X, y = views(20, 4, 4)
    value = RSMNormDifference().fit(1e120 * X, 1e119 * y).distance_
    expected = RSMNormDifference().fit(X, 0.1 * y).distance_
    assert_allclose(value, 1e120 * expected, rtol=1e-10)


# ----- bases, smoothers, second moments ------------------------------------------


@WIDTHS
def test_bures_by_definition(widths):
    X, y = (center(v) for v in views(30, *widths))
    roots = [scipy.linalg.sqrtm(v @ v.T).real for v in (X, y)]
    fidelity = np.linalg.norm(roots[0] @ roots[1], "nuc")
    expected = fidelity / np.linalg.norm(X) / np.linalg.norm(y)
    assert_allclose(NormalizedBures().fit(X, y).score_, expected, rtol=1e-7)


@pytest.mark.parametrize("denominator, divisor", [("rank", 3), ("width", 8)])
def test_eigenspace_overlap_of_a_rank_deficient_view_with_itself(denominator, divisor):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) @ rng.normal(size=(3, 8))
    value = EigenspaceOverlap(denominator).fit(X, X).score_
    assert_allclose(value, 3 / divisor, rtol=1e-10)


def gulp_squared(X, y, ridge):
    n = len(X)
    X, y = (center(v) for v in (X, y))
    X, y = (v / np.linalg.norm(v) * np.sqrt(n) for v in (X, y))
    S, T, C = X.T @ X / n, y.T @ y / n, X.T @ y / n
    P = np.linalg.inv(S + ridge * np.eye(len(S)))
    Q = np.linalg.inv(T + ridge * np.eye(len(T)))
    return (
        np.trace(P @ S @ P @ S)
        + np.trace(Q @ T @ Q @ T)
        - 2 * np.trace(P @ C @ Q @ C.T)
    )


@pytest.mark.parametrize("ridge", [1e-8, 1e-5, 0.01, 10])
@WIDTHS
def test_gulp_by_definition(ridge, widths):
    X, y = views(30, *widths)
    if max(widths) > 30 and ridge < 1e-3:
        pytest.skip("the textbook formula loses its digits")
    expected = gulp_squared(X, y, ridge) ** 0.5
    assert_allclose(GULP(ridge).fit(X, y).distance_, expected, rtol=1e-7)


def test_gulp_without_ridge_counts_canonical_correlations():
    X, y = views(40, 5, 3)
    squares = 3 * MeanSquaredCCA().fit(X, y).score_
    assert_allclose(GULP(0).fit(X, y).distance_ ** 2, 5 + 3 - 2 * squares)


@pytest.mark.parametrize("ridge", [0, 1e-9, 0.01])
@pytest.mark.parametrize("width", [8, 80])
def test_gulp_of_a_rank_deficient_view_with_itself_is_zero(ridge, width):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)) @ rng.normal(size=(3, width))
    rotation = np.linalg.qr(rng.normal(size=(width, width)))[0]
    assert GULP(ridge).fit(X, X).distance_ < 1e-7
    assert GULP(ridge).fit(X, 5 * X @ rotation + 1).distance_ < 1e-7


def test_riemannian_distance_in_fifty_digits():
    """Computed with mpmath; a generalised eigensolver errs by 6e-4 at this ridge."""
    value = RiemannianDistance(1e-6).fit(*views(30, 5, 3)).distance_
    assert_allclose(value, 47.1286407931127380, rtol=1e-10)


@pytest.mark.parametrize("ridge", [0.01, 0.1, 10])
@WIDTHS
def test_riemannian_distance_by_definition(ridge, widths):
    X, y = views(30, *widths)
    S, T = (v @ v.T / v.shape[1] + ridge * np.eye(30) for v in (X, y))
    eigenvalues = scipy.linalg.eigvalsh(T, S)
    expected = np.sqrt(np.sum(np.log(eigenvalues) ** 2))
    value = RiemannianDistance(ridge).fit(X, y).distance_
    assert_allclose(value, expected, rtol=1e-9)


def test_riemannian_distance_by_hand():
    """Diagonal second moments: logarithms of the ratios of the eigenvalues."""
    X, y = np.diag([1.0, 2.0, 3.0]), np.diag([2.0, 2.0, 1.0])
    ratios = (np.array([4, 4, 1]) / 3 + 0.5) / (np.array([1, 4, 9]) / 3 + 0.5)
    expected = np.linalg.norm(np.log(ratios))
    assert_allclose(RiemannianDistance(0.5).fit(X, y).distance_, expected)


def test_riemannian_distance_needs_full_rank_or_a_ridge():
    X, y = views(30, 5, 40)
    with pytest.raises(ValueError, match="X has rank 5 in 30 rows"):
        RiemannianDistance(0).fit(X, y)
    assert np.isfinite(RiemannianDistance(0).fit(y, y + 0.1 * views(30, 40)[0]).score_)


@WIDTHS
def test_pointwise_alignment_by_definition(widths):
    X, y = views(30, *widths)
    K, L = (center(v) @ center(v).T for v in (X, y))
    expected = [
        k @ m / np.linalg.norm(k) / np.linalg.norm(m) for k, m in zip(K, L, strict=True)
    ]
    measure = PointwiseKernelAlignment().fit(X, y)
    assert_allclose(measure.similarities_, expected, rtol=1e-9)
    assert_allclose(measure.score_, np.mean(expected), rtol=1e-10)


def test_pointwise_alignment_refuses_a_row_at_the_mean():
    X, y = views(20, 4, 4)
    X[7] = 0
    X = X - X.sum(axis=0) / 19
    X[7] = 0
    with pytest.raises(ValueError, match=r"A row of X \(row 7\) equals the mean"):
        PointwiseKernelAlignment().fit(X, y)


# ----- an ill-conditioned view ------------------------------------------------------


@pytest.mark.parametrize(
    "measure",
    [GULP(0), GULP(1e-12), RiemannianDistance(1e-9), EigenspaceOverlap()],
    ids=repr,
)
def test_ill_conditioned_view_with_itself(measure):
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    X = rng.normal(size=(60, 6)) * np.geomspace(1, 1e-8, 6)
    value = measure.fit(X, X @ rotation).statistic_
    assert_allclose(value, measure._similarity_tags().best, atol=1e-6)


# ----- closed form of the null distribution ------------------------------------------


@pytest.mark.parametrize(
    "measure",
    [
        HSIC(),
        HSIC(debias="rows"),
        HSIC(kernel="rbf"),
        DistanceCorrelation(squared=True),
        DistanceCorrelation(debias="rows"),
    ],
    ids=repr,
)
@WIDTHS
def test_trace_form(measure, widths):
    """Centred matrices whose inner product is the statistic."""
    X, y = views(30, *widths)
    form = measure._open(X, y).trace_form()
    K, L = form.K.toarray(), form.L.toarray()
    assert_allclose(
        form.scale * np.sum(K * L), measure.fit(X, y).statistic_, rtol=1e-10
    )
    for matrix in (K, L):
        assert_allclose(matrix.sum(axis=0), 0, atol=1e-9 * np.abs(matrix).max())


@pytest.mark.parametrize("noise", [1.0, 0.03, 1e-3])
@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_gulp_of_single_precision(noise, offset):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 40)) * np.logspace(0, -3, 40) + offset
    rotation = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    y = (X + noise * rng.normal(size=X.shape) / 40) @ rotation
    X, y = X.astype(np.float32), y.astype(np.float32)
    expected = GULP().fit(X.astype(float), y.astype(float)).distance_
    assert_allclose(GULP().fit(X, y).distance_, expected, rtol=3e-5)
