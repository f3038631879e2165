"""Centered kernel alignment."""

import numpy as np
import pytest
from _reference import reference_cases
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist, squareform
from sklearn.base import clone
from sklearn.metrics.pairwise import pairwise_kernels

from sksim.rsm import CKA, HSIC, MinibatchCKA


def textbook(K, L):
    """CKA by its definition, with n x n matrices."""
    n = len(K)
    H = np.eye(n) - 1 / n
    K, L = H @ K @ H, H @ L @ H
    return np.sum(K * L) / np.linalg.norm(K) / np.linalg.norm(L)


def textbook_debiased(K, L):
    """CKA of unbiased HSIC terms, as written by Song et al."""

    def unbiased(K, L):
        n = len(K)
        K, L = K - np.diag(np.diag(K)), L - np.diag(np.diag(L))
        one = np.ones(n)
        return (
            np.trace(K @ L)
            + (one @ K @ one) * (one @ L @ one) / ((n - 1) * (n - 2))
            - 2 / (n - 2) * one @ K @ L @ one
        ) / (n * (n - 3))

    return unbiased(K, L) / np.sqrt(unbiased(K, K) * unbiased(L, L))


TEXTBOOK = {None: textbook, "rows": textbook_debiased}


def views(n_samples, *widths, random_state=0):
    rng = np.random.default_rng(random_state)
    latent = rng.normal(size=(n_samples, 4))
    return [
        latent @ rng.normal(size=(4, w)) + rng.normal(size=(n_samples, w)) + 2
        for w in widths
    ]


@pytest.mark.parametrize(
    "name, direction, X, y, value", list(reference_cases("cka_linear"))
)
def test_values_of_original_implementations(name, direction, X, y, value):
    assert_allclose(CKA().fit(X, y).statistic_, value, rtol=1e-9)


@pytest.mark.parametrize("debias", [None, "rows"])
@pytest.mark.parametrize("widths", [(5, 3), (50, 60), (50, 3), (3, 50)])
def test_linear_kernel_by_definition(debias, widths):
    """Factored, matrix and mixed forms are the textbook's number."""
    X, y = views(30, *widths)
    expected = TEXTBOOK[debias](X @ X.T, y @ y.T)
    value = CKA(debias=debias).fit(X, y).statistic_
    assert_allclose(value, expected, rtol=1e-10)


@pytest.mark.parametrize("debias", [None, "rows"])
@pytest.mark.parametrize("bandwidth", [0.2, 0.5, 2.0])
def test_rbf_kernel_by_definition(debias, bandwidth):
    X, y = views(30, 5, 7)

    def kernel(Z):
        d = pdist(Z)
        return np.exp(-(squareform(d) ** 2) / (2 * (bandwidth * np.median(d)) ** 2))

    measure = CKA(kernel="rbf", bandwidth=bandwidth, debias=debias)
    expected = TEXTBOOK[debias](kernel(X), kernel(y))
    assert_allclose(measure.fit(X, y).statistic_, expected, rtol=1e-10)


@pytest.mark.parametrize(
    "kernel, params",
    [
        ("poly", {"degree": 2, "gamma": 0.1}),
        ("laplacian", {"gamma": 0.2}),
        ("cosine", None),
        ("sigmoid", {"gamma": 0.01}),
    ],
)
def test_scikit_learn_kernels(kernel, params):
    X, y = views(25, 4, 6)
    K, L = (pairwise_kernels(Z, metric=kernel, **(params or {})) for Z in (X, y))
    measure = CKA(kernel=kernel, kernel_params=params)
    assert_allclose(measure.fit(X, y).statistic_, textbook(K, L), rtol=1e-10)


def test_kernel_that_is_not_definite_may_oppose():
    X, y = np.random.default_rng(3).normal(size=(2, 8, 3)) + 3
    measure = CKA(kernel="sigmoid").fit(X, y)
    assert measure._similarity_tags().bounds == (-1, 1)
    expected = textbook(*(pairwise_kernels(Z, metric="sigmoid") for Z in (X, y)))
    assert_allclose(measure.score_, expected)
    assert measure.score_ < 0


def test_callable_kernel():
    X, y = views(12, 4, 4)
    value = CKA(kernel=lambda a, b: float(a @ b)).fit(X, y).statistic_
    assert_allclose(value, CKA().fit(X, y).statistic_)


def test_by_hand():
    # centred columns (-1, 1, 0) and (-1, 0, 1): covariance 1, variances 2
    X, y = [[0.0], [2.0], [1.0]], [[0.0], [1.0], [2.0]]
    assert_allclose(CKA().fit(X, y).statistic_, (1 / 2) ** 2)


def test_unrelated_representations_score_high_unless_debiased():
    rng = np.random.default_rng(0)
    pairs = rng.normal(size=(20, 2, 100, 256))
    biased = [CKA().fit(X, y).score_ for X, y in pairs]
    debiased = [CKA(debias="rows").fit(X, y).score_ for X, y in pairs]
    assert_allclose(np.mean(biased), 0.718, atol=0.003)
    assert abs(np.mean(debiased)) < 4 * np.std(debiased) / np.sqrt(20)


def test_debiased_needs_four_rows():
    X, y = views(3, 2, 2)
    with pytest.raises(ValueError, match="minimum of 4"):
        CKA(debias="rows").fit(X, y)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("width", [3, 60])
def test_constant_view_is_refused_by_name(kernel, width):
    X, y = views(20, width, width)
    measure = CKA(kernel=kernel)
    with pytest.raises(ValueError, match="X"):
        measure.fit(np.full_like(X, 0.1), y)
    with pytest.raises(ValueError, match="y"):
        measure.fit(X, np.full_like(y, 0.1))


def test_zero_row_has_no_cosine():
    X, y = views(20, 4, 4)
    X[7] = 0
    with pytest.raises(ValueError, match="Row 7 of X is zero"):
        CKA(kernel="cosine").fit(X, y)


def test_single_precision_at_an_offset():
    X, y = views(200, 8, 8)
    exact = CKA().fit(X, y).statistic_
    shifted = [Z.astype(np.float32) + np.float32(1000) for Z in (X, y)]
    assert_allclose(CKA().fit(*shifted).statistic_, exact, rtol=1e-3)


@pytest.mark.parametrize("n_samples", [60, 400])
def test_permuted_kernel_matrices_are_permuted_rows(n_samples):
    """Both forms that a permutation may take are the definition."""
    X, y = views(n_samples, 200, 150)
    order = np.random.default_rng(1).permutation(n_samples)
    for debias in (None, "rows"):
        measure = CKA(debias=debias)
        fast = measure._open(X, y).for_permutations().permuted([order])[0]
        assert_allclose(fast, CKA(debias=debias).fit(X, y[order]).score_)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_long_sums_in_single_precision_keep_their_digits(kernel):
    X = np.random.default_rng(0).normal(size=(2000, 20)).astype(np.float32)
    assert_allclose(CKA(kernel=kernel).fit(X, X).statistic_, 1, atol=1e-6)


DEBIASED = [
    CKA("rbf", debias="rows"),
    HSIC("rbf", debias="rows"),
    MinibatchCKA("rbf", batch_size=250, random_state=0),
]


@pytest.mark.parametrize("bandwidth", [0.17, 0.1, 0.075])
@pytest.mark.parametrize("measure", DEBIASED, ids=lambda m: type(m).__name__)
def test_narrow_kernels_in_single_precision(measure, bandwidth):
    """Entries of 1e-8 to 1e-38 beside a diagonal of 1, which is left out, count."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 256)).astype(np.float32)
    y = (X + rng.normal(size=X.shape)).astype(np.float32)
    measure = clone(measure).set_params(bandwidth=bandwidth)
    expected = measure.fit(X.astype(np.float64), y.astype(np.float64)).statistic_
    assert_allclose(measure.fit(X, y).statistic_, expected, rtol=1e-4)
    if isinstance(measure, CKA) and bandwidth == 0.17:
        assert_allclose(expected, 0.273, atol=0.0005)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bandwidth", [0.17, 0.075])
def test_narrow_kernels_in_blocks(monkeypatch, bandwidth, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 256)).astype(np.float32)
    y = X + rng.normal(size=X.shape)
    measure = CKA("rbf", debias="rows", bandwidth=bandwidth)
    expected = measure.fit(X.astype(np.float64), y).statistic_
    monkeypatch.setattr("sksim.rsm._kernels.MATRIX_ROWS", 10)
    value = measure.fit(X.astype(dtype), y.astype(dtype)).statistic_
    assert_allclose(value, expected, rtol=1e-9 if dtype == np.float64 else 1e-4)


@pytest.mark.parametrize("rows, refused", [(1000, (0.065, 0.03)), (10, (0.03, 0.02))])
def test_kernels_whose_entries_have_lost_their_digits(monkeypatch, rows, refused):
    """Below 1e-38 numbers of single precision are cut off: refused, or in double."""
    monkeypatch.setattr("sksim.rsm._kernels.MATRIX_ROWS", rows)
    X = np.random.default_rng(0).normal(size=(50, 256)).astype(np.float32)
    for bandwidth in refused:
        with pytest.raises(ValueError, match="equally similar.*wider"):
            CKA("rbf", debias="rows", bandwidth=bandwidth).fit(X, X[::-1])
