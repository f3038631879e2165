"""Sums over a symmetric matrix, made of narrow rows or held whole."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.arrays._exact import (
    DenseSymmetric,
    FactoredSymmetric,
    hollow_outer_product,
    outer_product,
)
from sksim.arrays._kernels import double_center, u_center

CENTRINGS = {outer_product: double_center, hollow_outer_product: u_center}


def centred_rows(n_samples, width):
    rows = np.random.default_rng(width).exponential(size=(n_samples, width))
    return rows - rows.mean(axis=0)


def assert_same_sums(first, second):
    assert_allclose(first.toarray(), second.toarray(), atol=1e-13)
    assert_allclose(first.diagonal, second.diagonal, atol=1e-13)
    assert_allclose(first.row_squares, second.row_squares)
    assert_allclose(first.squared_norm, np.sum(second.row_squares))
    vector = np.random.default_rng(0).normal(size=len(first.diagonal))
    assert_allclose(first.quadratic(vector), second.quadratic(vector))
    assert_allclose(first.sum_of_cubes(), second.sum_of_cubes())
    assert_allclose(first.trace_of_cube(), second.trace_of_cube())


@pytest.mark.parametrize("product", CENTRINGS)
@pytest.mark.parametrize(
    ("n_samples", "width", "kind"),
    [
        (20, 3, FactoredSymmetric),
        (20, 10, FactoredSymmetric),
        (20, 11, DenseSymmetric),
        (1500, 4, FactoredSymmetric),  # several slices
    ],
)
def test_sums_by_definition(product, n_samples, width, kind):
    rows = centred_rows(n_samples, width)
    form = product(rows, xp=np)
    assert isinstance(form, kind)
    matrix = CENTRINGS[product](rows @ rows.T, xp=np)
    assert_same_sums(form, DenseSymmetric(matrix))
    assert_allclose(form.sum_of_cubes(), np.sum(matrix**3))
    assert_allclose(form.trace_of_cube(), np.trace(matrix @ matrix @ matrix))
    centring = np.eye(n_samples) - 1 / n_samples
    assert_same_sums(form.minus_centring(0.3), DenseSymmetric(matrix - 0.3 * centring))
