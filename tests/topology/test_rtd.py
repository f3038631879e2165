"""Representation topology divergence and its light form."""

import sys

import gudhi
import numpy as np
import pytest
from _reference import reference_arrays, reference_values
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform

from sksim.topology import RTD, RTDLite
from sksim.topology._distances import (
    normalized_distances,
    pair_distances,
    spanning_tree_length,
)

PAIRS = sorted(reference_values("topology")["rtd"])


def original_pair(name):
    arrays = reference_arrays("topology")
    return arrays[f"{name}__x"], arrays[f"{name}__y"]


def related(n_samples=40, random_state=0):
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, 5))
    return X, X @ rng.normal(size=(5, 3)) + 0.5 * rng.normal(size=(n_samples, 3))


# ----- distances --------------------------------------------------------------------


@pytest.mark.parametrize("width", [1, 3, 200])
def test_distances_are_exact_near_zero(width):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, width))
    X[1] = X[0]
    X[2] = X[0] * (1 + 1e-9)
    assert_allclose(pair_distances(X), pdist(X), rtol=1e-12, atol=0)


@pytest.mark.parametrize("distance_scale", ["quantile", "median", "mean"])
@pytest.mark.parametrize("n_samples", [2, 3, 10, 41])
def test_unit_is_that_of_the_whole_matrix(distance_scale, n_samples):
    X = np.random.default_rng(0).normal(size=(n_samples, 3))
    D = squareform(pdist(X))
    unit = {
        "quantile": np.quantile(D, 0.9),
        "median": np.median(D),
        "mean": np.mean(D),
    }[distance_scale]
    assert_allclose(normalized_distances(X, distance_scale, "x"), D / unit, rtol=1e-12)


def test_distance_matrix_is_symmetric_to_the_last_digit():
    """The barcode's code takes half of the matrix, and goes astray otherwise."""
    D = normalized_distances(original_pair("widths16_7")[1], "quantile", "y")
    assert_array_equal(D, D.T)


@pytest.mark.parametrize("n_samples", [2, 3, 50])
def test_spanning_tree(n_samples):
    D = squareform(pdist(np.random.default_rng(0).normal(size=(n_samples, 3))))
    assert_allclose(spanning_tree_length(D), minimum_spanning_tree(D).sum())


def test_spanning_tree_of_equal_rows():
    D = squareform(pdist(np.repeat([[0.0], [1.0], [3.0]], 4, axis=0)))
    assert spanning_tree_length(D) == 3


# ----- RTD --------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRS)
def test_rtd_of_the_original(name):
    X, y = original_pair(name)
    values = reference_values("topology")["rtd"][name]
    measure = RTD().fit(X, y)
    assert_allclose(measure.distance_, values["rtd1"], rtol=1e-5)
    assert_allclose(measure.x_to_y_, values["h1sum_xy"], rtol=1e-5)
    assert_allclose(measure.y_to_x_, values["h1sum_yx"], rtol=1e-5)
    assert_array_equal(measure.subset_values_, [[measure.x_to_y_, measure.y_to_x_]])
    assert measure.standard_error_ == 0
    for distance_scale in ("mean", "median"):
        value = RTD(distance_scale=distance_scale).fit(X, y).x_to_y_
        assert_allclose(value, values[f"h1sum_xy_{distance_scale}"], rtol=1e-5)


def textbook_direction(r, s):
    """Sum of the bars of the full doubled matrix, in gudhi's simplex tree."""
    n = len(r)
    doubled = np.block([[np.zeros((n, n)), r.T], [r, np.minimum(r, s)]])
    tree = gudhi.RipsComplex(distance_matrix=doubled).create_simplex_tree(2)
    tree.compute_persistence(homology_coeff_field=2)
    bars = tree.persistence_intervals_in_dimension(1)
    return sum(death - birth for birth, death in bars)


def test_rtd_by_definition():
    X, y = related(20)
    r, s = (D / np.quantile(D, 0.9) for D in (squareform(pdist(Z)) for Z in (X, y)))
    measure = RTD().fit(X, y)
    assert_allclose(measure.x_to_y_, textbook_direction(r, s))
    assert_allclose(measure.y_to_x_, textbook_direction(s, r))
    assert_allclose(measure.distance_, (measure.x_to_y_ + measure.y_to_x_) / 2)


def test_rtd_of_two_clusters_that_merge():
    """One bar: from where the clusters of y touch to where those of X do."""
    X = np.array([[0.0], [1.0], [5.0], [6.0]])
    y = np.array([[0.0], [1.0], [2.0], [3.0]])
    r, s = (squareform(pdist(Z)) / np.mean(squareform(pdist(Z))) for Z in (X, y))
    gap = r[1, 2] - min(r[1, 2], s[1, 2])
    measure = RTD(distance_scale="mean").fit(X, y)
    assert_allclose(measure.x_to_y_, gap)
    assert_allclose(measure.y_to_x_, 2 * (s[0, 1] - r[0, 1]))


def test_rtd_over_subsets():
    X, y = related(60)
    measure = RTD(n_subsets=4, subset_size=15, random_state=0).fit(X, y)
    assert measure.subset_values_.shape == (4, 2)
    assert_allclose(measure.distance_, measure.subset_values_.mean())
    assert_allclose(measure.subset_values_.mean(axis=0)[0], measure.x_to_y_)
    means = measure.subset_values_.mean(axis=1)
    assert_allclose(measure.standard_error_, means.std(ddof=1) / 2)
    again = RTD(n_subsets=4, subset_size=15, random_state=0, n_jobs=2).fit(X, y)
    assert_array_equal(again.subset_values_, measure.subset_values_)
    other = RTD(n_subsets=4, subset_size=15, random_state=1).fit(X, y)
    assert other.distance_ != measure.distance_
    assert RTD(n_subsets=2, subset_size=59).fit(X, X).distance_ == 0


def test_rtd_of_a_permutation_of_y():
    """The view's rows move; its subsets stay those of X."""
    X, y = related(30)
    measure = RTD(n_subsets=2, subset_size=10, random_state=0)
    order = np.random.default_rng(0).permutation(30)
    moved = measure._open(X, y).permuted([order])[0]
    assert_allclose(moved, measure.fit(X, y[order]).distance_)


# ----- RTDLite ----------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRS)
def test_rtd_lite_of_the_original(name):
    X, y = original_pair(name)
    values = reference_values("topology")["rtd_lite"][name]
    measure = RTDLite().fit(X, y)
    assert_allclose(measure.distance_, values["half_sum"], rtol=1e-9)
    assert_allclose(measure.x_to_y_, values["sum_1to2"], rtol=1e-9, atol=1e-12)
    assert_allclose(measure.y_to_x_, values["sum_2to1"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("distance_scale", ["quantile", "median", "mean"])
def test_rtd_lite_by_definition(distance_scale):
    X, y = related()
    r, s = (normalized_distances(Z, distance_scale, "x") for Z in (X, y))
    trees = [minimum_spanning_tree(D).sum() for D in (r, s, np.minimum(r, s))]
    expected = (trees[0] + trees[1]) / 2 - trees[2]
    assert_allclose(
        RTDLite(distance_scale=distance_scale).fit(X, y).distance_, expected
    )


@pytest.mark.parametrize("name", PAIRS)
def test_rtd_lite_is_never_above_rtd(name):
    X, y = original_pair(name)
    assert RTDLite().fit(X, y).distance_ <= RTD().fit(X, y).distance_ + 1e-12


def test_rtd_lite_of_a_permutation_of_y():
    X, y = related(30)
    order = np.random.default_rng(0).permutation(30)
    moved = RTDLite()._open(X, y).permuted([order])[0]
    assert_allclose(moved, RTDLite().fit(X, y[order]).distance_)


# ----- input ------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [RTD(), RTDLite()])
def test_hard_input(measure):
    X, y = related(12)
    value = measure.fit(X, y).distance_
    assert value > 0.1
    for factor in (1e20, 1e-20, 1e150):
        assert_allclose(measure.fit(X * factor, y).distance_, value, rtol=1e-9)
    assert_allclose(measure.fit(X + 1e6, y).distance_, value, rtol=1e-6)
    doubled = np.repeat(X, 2, axis=0)
    assert measure.fit(doubled, 2 * doubled).distance_ == pytest.approx(0, abs=1e-12)
    assert measure.fit(X[:2], y[:2]).distance_ == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("measure", [RTD(), RTDLite()])
def test_bad_input(measure):
    X, y = related(12)
    with pytest.raises(ValueError, match="X is constant"):
        measure.fit(np.ones((12, 2)), y)
    crowded = np.zeros((12, 1))
    crowded[0] = 1
    with pytest.raises(ValueError, match=r"half of the pairs of rows of y coincide"):
        measure.set_params(distance_scale="median").fit(X, crowded)
    measure.set_params(distance_scale="mean").fit(X, crowded)
    crowded = np.vstack([np.zeros((50, 1)), [[1.0]]])
    with pytest.raises(ValueError, match=r"90 % of the pairs of rows of X coincide"):
        measure.set_params(distance_scale="quantile").fit(crowded, crowded)
    with pytest.raises(ValueError, match="NaN"):
        measure.fit(np.full((12, 2), np.nan), y)
    with pytest.raises(ValueError, match="12 rows and y has 11"):
        measure.fit(X, y[:-1])


def test_missing_gudhi_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gudhi.sklearn.rips_persistence", None)
    with pytest.raises(ImportError, match=r"sksim\[topology\]"):
        RTD().fit(*related(10))
