"""Sparse rows, as of features of sparse autoencoders, without filling them in."""

import tracemalloc
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone

import sksim
from sksim.alignment import (
    CorrelationMatch,
    PartialSoftMatching,
    PermutationProcrustes,
    SoftMatching,
)
from sksim.inference import similarity_interval, similarity_test
from sksim.pairwise import similarity_matrix

MEASURES = [
    PermutationProcrustes(),
    PermutationProcrustes(scale=False),
    PermutationProcrustes(center=False),
    SoftMatching(),
    SoftMatching(cost="correlation"),
    CorrelationMatch(),
    CorrelationMatch("soft", absolute=True),
    PartialSoftMatching(),
    PartialSoftMatching(0.4),
    PartialSoftMatching("cv", random_state=0),
]


def pair(n=120, width=12, density=0.2, seed=0):
    """Sparse features, most of which are found in the other model, in another order."""
    rng = np.random.default_rng(seed)
    filled = rng.random((2, n, width)) < density
    X, noise = np.where(filled, rng.random((2, n, width)), 0)
    y = X[:, rng.permutation(width)] + 0.3 * noise
    return sparse.csr_array(X), sparse.csr_array(y)


def of(measure, X, y):
    return clone(measure).fit(X, y)


def test_the_tag_says_which():
    names = [name for name, _ in sksim.all_measures(sparse=True)]
    assert names == [
        "CorrelationMatch",
        "PartialSoftMatching",
        "PermutationProcrustes",
        "SoftMatching",
    ]


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_fit_and_new_rows_are_those_of_dense_rows(measure):
    X, y = pair()
    train, test = slice(0, 80), slice(80, None)
    sparsely = of(measure, X[train], y[train])
    densely = of(measure, X[train].toarray(), y[train].toarray())
    assert_allclose(sparsely.statistic_, densely.statistic_, rtol=1e-10)
    for name in ("assignment_", "x_mean_", "y_matched_", "mass_", "costs_"):
        if hasattr(densely, name):
            found = getattr(sparsely, name)
            assert_allclose(found, getattr(densely, name), rtol=1e-10, atol=1e-12)
    found = sparsely.score(X[test], y[test])
    assert_allclose(found, densely.score(X[test].toarray(), y[test].toarray()), 1e-10)
    if hasattr(measure, "transform"):
        rows = X[test].toarray()
        assert_allclose(sparsely.transform(rows), densely.transform(rows), atol=1e-10)


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_matched_units(measure):
    X, y = pair(200)
    fitted = of(measure, X[:100], y[:100])
    options = {"n_permutations": 49, "random_state": 0}
    found = fitted.matched_units(X[100:], y[100:], **options)
    again = fitted.matched_units(X[100:].toarray(), y[100:].toarray(), **options)
    beside = fitted.matched_units(X[100:], y[100:].toarray(), **options)
    for other in (again, beside):
        assert found["unit"].tolist() == other["unit"].tolist()
        assert_allclose(found, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("measure", [CorrelationMatch(), SoftMatching()], ids=str)
def test_inference_and_matrices(measure):
    X, y = pair(60, 6)
    dense = X.toarray(), y.toarray()
    options = {"n_permutations": 19, "random_state": 0}
    found = similarity_test(measure, X, y, **options)
    expected = similarity_test(measure, *dense, **options)
    assert_allclose(found.null_distribution, expected.null_distribution, rtol=1e-10)
    assert found.pvalue == expected.pvalue
    found = similarity_interval(measure, X, y).confidence_interval
    expected = similarity_interval(measure, *dense).confidence_interval
    assert_allclose(found, expected, rtol=1e-8)
    matrix = similarity_matrix(measure, {"a": X, "b": y})
    assert_allclose(matrix, similarity_matrix(measure, {"a": dense[0], "b": dense[1]}))
    with config_context(array_api_dispatch=True):
        assert_allclose(of(measure, X, y).statistic_, of(measure, *dense).statistic_)


def test_columns_that_are_nearly_full_keep_their_digits():
    """Entries of 1e6 that differ by 1, and one zero: as an offset, five digits."""
    rng = np.random.default_rng(0)
    dense = 1e6 + rng.normal(size=(300, 3))
    dense[0, 1:] = 0
    y = dense[:, ::-1] + 0.1 * rng.normal(size=(300, 3))
    X = sparse.csr_array(dense)
    for measure in (CorrelationMatch(), PermutationProcrustes(scale=False)):
        expected = of(measure, dense, y).statistic_
        assert_allclose(of(measure, X, y).statistic_, expected, rtol=1e-9)
        assert_allclose(
            of(measure, X, sparse.csc_array(y)).statistic_, expected, rtol=1e-9
        )


def test_correlation_by_hand():
    X = sparse.csr_array([[1.0, 0], [0, 0], [0, 2], [0, 0]])
    y = sparse.csr_array([[0.0, 3], [0, 0], [1, 0], [1, 3]])
    # columns (3 -1 -1 -1) / 4 and so on: of x_0 with y_1, 3 * 2 + ... over the norms
    expected = np.mean([1 / 3**0.5, 1 / 3**0.5])
    fitted = CorrelationMatch().fit(X, y)
    assert fitted.assignment_.tolist() == [1, 0]
    assert_allclose(fitted.score_, expected)
    assert PermutationProcrustes().fit(X, X[:, [1, 0]]).distance_ < 1e-12


def test_explicit_zeros_doubles_and_single_precision():
    dense = np.array([[1.0, 0], [0, 3], [2, 0], [0, 0], [0, 1]])
    again = ([1.0, 3, 1, 1, 0, 1], ([0, 1, 2, 2, 3, 4], [0, 1, 0, 0, 0, 1]))
    X = sparse.coo_array(again, shape=dense.shape)
    y = dense[:, ::-1] ** 2
    expected = CorrelationMatch().fit(dense, y).score_
    assert_allclose(CorrelationMatch().fit(X, y).score_, expected, rtol=1e-12)
    single = sparse.csr_array(dense.astype(np.float32))
    assert_allclose(CorrelationMatch().fit(single, y).score_, expected, rtol=1e-12)


def test_rows_are_never_filled_in():
    X, y = pair(6000, 400, density=0.005)
    dense = X.shape[0] * X.shape[1] * 8
    for measure in (CorrelationMatch(), SoftMatching(), PermutationProcrustes()):
        tracemalloc.start()
        fitted = of(measure, X, y)
        fitted.score(X, y)
        fitted.matched_units(X, y, n_permutations=3, random_state=0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # the products of all columns are 1.3 MB, one representation 19 MB
        assert peak < dense / 2


def test_dead_units_are_told_of():
    X, y = pair()
    X = sparse.csr_array(X * (np.arange(12) > 1))
    with pytest.warns(UserWarning, match=r"X has 2 constant column"):
        fitted = CorrelationMatch().fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = CorrelationMatch().fit(X.toarray(), y.toarray())
    assert_allclose(fitted.score_, expected.score_, rtol=1e-12)


@pytest.mark.parametrize("name, cls", sksim.all_measures(inputs="representation"))
def test_others_say_what_to_do(name, cls):
    X, y = pair(40, 4)
    tags = cls()._similarity_tags()
    if tags.sparse or tags.precomputed:
        return
    known = {"y_true": np.arange(40) % 2} if "y_true" in tags.requires else {}
    with pytest.raises((TypeError, ValueError), match=r"(?i)sparse.*toarray\(\)"):
        cls().fit(X, y.toarray(), **known)


def test_refusals():
    X, y = pair()
    fitted = CorrelationMatch().fit(X, y)
    with pytest.raises(TypeError, match=r"X is sparse.*fit, score and matched_units"):
        fitted.transform(X)
    with pytest.raises(TypeError, match=r"X is sparse.*fit, score and matched_units"):
        CorrelationMatch().partial_fit(X, y)
    with pytest.raises(ValueError, match="sparse array of 1 dimension"):
        CorrelationMatch().fit(X, sparse.coo_array(y.toarray()[:, 0]))
    with pytest.raises(ValueError, match="X has 12 rows|X has 120 rows and y has 100"):
        CorrelationMatch().fit(X, y[:100])
    with pytest.raises(ValueError, match="y has 11 features"):
        fitted.score(X, y[:, :11])
    holed = X.copy()
    holed.data[3] = np.nan
    with pytest.raises(ValueError, match="X contains NaN"):
        CorrelationMatch().fit(holed, y)
    with pytest.raises(ValueError, match="X is constant"):
        CorrelationMatch().fit(X * 0, y)
    with pytest.raises(ValueError, match="y is constant"):
        PermutationProcrustes().fit(X, y * 0)


def test_tensors_beside_sparse_rows_are_refused():
    torch = pytest.importorskip("torch")
    X, y = pair()
    with (
        config_context(array_api_dispatch=True),
        pytest.raises(TypeError, match="X is sparse and y a Tensor"),
    ):
        CorrelationMatch().fit(X, torch.asarray(y.toarray()))


def test_entries_of_the_caller_stay_in_place():
    """Entries out of order and twice in a place are summed in a copy."""
    rng = np.random.default_rng(0)
    rows, columns = np.sort(rng.integers(30, size=200)), rng.integers(6, size=200)
    starts = np.r_[0, np.cumsum(np.bincount(rows, minlength=30))]
    X = sparse.csr_array((rng.normal(size=200), columns, starts), shape=(30, 6))
    before = X.data.copy(), X.indices.copy(), X.indptr.copy()
    y = rng.normal(size=(30, 6))
    found = CorrelationMatch().fit(X, y).score_
    for now, then in zip((X.data, X.indices, X.indptr), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert found == pytest.approx(CorrelationMatch().fit(X.toarray(), y).score_)
