"""The forms of CKNNA that are in use."""

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose
from scipy.spatial.distance import pdist, squareform

from sksim.neighbors import CKNNA

KEYS = {
    "double_centred": "cknna_double_centred",
    "row_centred": "cknna_row_centred",
    "hsic_unbiased": "cknna_masked_then_hsic_unbiased",
    "hsic_biased": "cknna_masked_then_hsic_biased_self_included",
    "masked_then_centred": "cknna_masked_then_centred",
}
# there ties go by the numbers of the rows
UNTIED = [
    case
    for case in newer_cases("knn_family")
    if case[0] not in ("binary_ties", "exact_ties_one_hot")
]


@pytest.mark.parametrize("estimator", KEYS)
@pytest.mark.parametrize("case, arrays, values", UNTIED)
def test_values_of_the_original(case, arrays, values, estimator):
    measure = CKNNA(values["k"], estimator=estimator)
    value = measure.fit(arrays["X"], arrays["Y"]).statistic_
    assert_allclose(value, values[KEYS[estimator]], rtol=1e-9)


@pytest.mark.parametrize("estimator", KEYS)
def test_ties_do_not_go_by_the_numbers_of_rows(estimator):
    rng = np.random.default_rng(0)
    X, y = rng.integers(1, 4, size=(2, 40, 3)).astype(float)
    measure = CKNNA(5, estimator=estimator)
    value = measure.fit(X, y).statistic_
    assert measure.n_tied_ > (5, 5)
    order = rng.permutation(40)
    assert_allclose(measure.fit(X[order], y[order]).statistic_, value, rtol=1e-12)
    assert_allclose(measure.fit(X, X).statistic_, 1, rtol=1e-12)


@pytest.mark.parametrize("estimator", [key for key in KEYS if key != "hsic_biased"])
def test_all_neighbours_by_definition(estimator):
    """With k = N - 1 no neighbour is left out, and a row by itself is."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 4)) + 0.5
    y = X + rng.normal(size=X.shape)
    K, L = (v @ v.T for v in (X, y))
    H = np.eye(20) - 1 / 20
    off = 1 - np.eye(20)

    def product(K, L):
        if estimator == "double_centred":
            return np.sum(off * (H @ K @ H) * (H @ L @ H))
        if estimator == "row_centred":
            return np.sum(off * (K @ H) * (L @ H))
        K, L = off * K, off * L
        if estimator == "masked_then_centred":
            return np.trace(H @ K @ H @ L)
        rest = K.sum() * L.sum() / (19 * 18) - 2 * K.sum(axis=0) @ L.sum(axis=1) / 18
        return np.trace(K @ L) + rest

    expected = product(K, L) / np.sqrt(product(K, K) * product(L, L))
    measure = CKNNA(19, estimator=estimator, metric="euclidean").fit(X, y)
    assert_allclose(measure.statistic_, expected, rtol=1e-10)


def test_refusals():
    X = np.random.default_rng(0).normal(size=(20, 4))
    D = squareform(pdist(X))
    with pytest.raises(ValueError, match="needs the rows themselves"):
        CKNNA(3, metric="precomputed", estimator="row_centred").fit(D, D)
    with pytest.raises(ValueError, match="at least 2"):
        CKNNA(1, estimator="hsic_biased").fit(X, X)
