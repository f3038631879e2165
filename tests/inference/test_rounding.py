"""Ties and constants in single precision are judged by the arithmetic's own error."""

import numpy as np
import pytest

from sksim.inference import similarity_matrix_test, similarity_test
from sksim.inference._nulls import RowNull
from sksim.inference._rounding import rounding_of
from sksim.rsm import CKA, DistanceCorrelation


def test_identical_wide_layers_are_not_tied_with_chance():
    """The null of biased CKA is 1e-5 wide here, its mean within 3e-4 of 1."""
    X = np.random.default_rng(0).normal(size=(30, 100_000)).astype(np.float32)
    options = {"n_permutations": 49, "random_state": 0}
    one = similarity_test(CKA(), X, X.copy(), **options)
    many = similarity_matrix_test(CKA(), [X], [X.copy()], **options)
    assert one.pvalue == many.pvalues[0, 0] == many.pvalues_corrected[0, 0] == 0.02
    assert one.z_score == pytest.approx(many.z_scores[0, 0], rel=1e-3)
    assert one.z_score > 10


def test_wide_layers_in_both_precisions():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 30_000))
    y = 0.4 * X + 0.917 * rng.normal(size=X.shape)
    results = []
    for dtype in (np.float32, np.float64):
        pair = X.astype(dtype), y.astype(dtype)
        options = {"n_permutations": 99, "random_state": 0}
        one = similarity_test(CKA(), *pair, **options)
        many = similarity_matrix_test(CKA(), [pair[0]], [pair[1]], **options)
        assert one.pvalue == many.pvalues[0, 0]
        results.append((one.pvalue, one.z_score, many.z_scores[0, 0]))
    np.testing.assert_allclose(*results, rtol=2e-3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("measure", [CKA(), DistanceCorrelation()], ids=repr)
def test_ties_are_seen_in_both_precisions(measure, dtype):
    """Four rows of one kind, four of another: 2 of the 70 ways are as alike."""
    rng = np.random.default_rng(1)
    kind = np.repeat([0, 1], 4)
    X, y = (rng.normal(size=(2, 50))[kind].astype(dtype) for _ in range(2))
    result = similarity_test(measure, X, y, method="exact")
    assert result.pvalue == pytest.approx(1 / 35)
    drawn = similarity_test(measure, X, y, n_permutations=999, random_state=0)
    cell = similarity_matrix_test(measure, [X], [y], n_permutations=999, random_state=0)
    assert drawn.pvalue == cell.pvalues[0, 0] > 0.015


@pytest.mark.filterwarnings("ignore:.*in whatever order:UserWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_null_that_does_not_vary_has_no_z(dtype):
    """Rows at equal distances from each other: their order makes no difference."""
    rng = np.random.default_rng(2)
    rotation = np.linalg.qr(rng.normal(size=(20, 20)))[0]
    X, y = rotation.astype(dtype), rng.normal(size=(20, 3)).astype(dtype)
    for measure in (CKA(), DistanceCorrelation()):
        options = {"n_permutations": 49, "random_state": 0}
        one = similarity_test(measure, X, y, **options)
        many = similarity_matrix_test(measure, [X], [y], **options)
        assert one.pvalue == many.pvalues[0, 0] == 1
        assert np.isnan(one.z_score)
        assert np.isnan(many.z_scores[0, 0])


def test_rounding_is_measured_in_single_precision_only():
    X, y = np.random.default_rng(0).normal(size=(2, 30, 4))
    for dtype, low, high in ((np.float64, 1e-11, 1e-11), (np.float32, 4e-7, 1e-5)):
        comparison = CKA()._open(X.astype(dtype), y.astype(dtype))
        null = RowNull(comparison, random_state=0)
        rounding = rounding_of(comparison, comparison.statistic(), null.unmoved)
        assert low <= float(rounding) <= high


def test_rounding_grows_with_the_error_that_is_measured():
    X, y = np.random.default_rng(0).normal(size=(2, 30, 4)).astype(np.float32)
    comparison = CKA()._open(X, y)
    value = comparison.statistic()
    off = rounding_of(comparison, value, lambda: value * (1 + 1e-6))
    assert float(off) == pytest.approx(16e-6, rel=0.3)
    # never more than was allowed before
    assert float(rounding_of(comparison, value, lambda: 2 * value)) == 1e-4
