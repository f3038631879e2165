"""Multi-scale intrinsic distance."""

import numpy as np
import pytest
import scipy.linalg
from _reference import reference_arrays, reference_values
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.neighbors import kneighbors_graph

from sksim.topology import IMD
from sksim.topology._imd import (
    TIMES,
    _exact_moments,
    estimated_trace,
    exact_trace,
    neighbor_graph,
    normalized_adjacency,
)


def cloud(n_samples, width, random_state=0):
    return np.random.default_rng(random_state).normal(size=(n_samples, width))


def textbook_trace(X, n_neighbors):
    """Heat trace by the matrix exponential of the dense Laplacian, per row."""
    A = kneighbors_graph(X, n_neighbors).toarray()
    A = np.maximum(A, A.T)
    roots = np.sqrt(A.sum(axis=1))
    L = np.eye(len(X)) - A / roots[:, None] / roots
    times = [0.1, 1.0, 10.0]
    return times, [np.trace(scipy.linalg.expm(-t * L)) / len(X) for t in times]


def test_trace_by_definition():
    X = cloud(40, 3)
    times, expected = textbook_trace(X, 4)
    measure = IMD(n_neighbors=4).fit(X, cloud(30, 2))
    found = np.interp(np.log(times), np.log(TIMES), measure.heat_trace_x_)
    assert_allclose(found[[0, 2]], np.array(expected)[[0, 2]], rtol=1e-12)
    assert_allclose(found[1], expected[1], rtol=1e-4)  # 1 is no point of the grid
    weights = np.exp(-2 * (TIMES + 1 / TIMES))
    difference = weights * np.abs(measure.heat_trace_x_ - measure.heat_trace_y_)
    assert_allclose(measure.distance_, 1e6 * difference.max())
    assert measure.time_ == TIMES[difference.argmax()]
    assert measure.standard_error_ == 0


def test_complete_graphs_by_hand():
    """All rows neighbours of each other: eigenvalues 0 and n / (n - 1)."""
    X, y = cloud(4, 2), cloud(6, 2)
    traces = []
    for Z in (X, y):
        n = len(Z)
        traces.append((1 + (n - 1) * np.exp(-TIMES * n / (n - 1))) / n)
    with_three = IMD(n_neighbors=3).fit(X, X)
    assert_allclose(with_three.heat_trace_x_, traces[0], rtol=1e-12)
    with_five = IMD(n_neighbors=5).fit(y, y)
    assert_allclose(with_five.heat_trace_x_, traces[1], rtol=1e-12)


@pytest.mark.parametrize("name", sorted(reference_values("topology")["imd"]))
def test_original_within_its_own_spread(name):
    arrays = reference_arrays("topology")
    X, y = arrays[f"{name}__x"], arrays[f"{name}__y"]
    values = reference_values("topology")["imd"][name]
    runs = np.array(values["msid_max_seeds100_104"])
    distance = IMD().fit(X, y).distance_
    if name == "identical":
        assert distance == 0
    else:
        # noise inflates the original's maximum, all the more where it is small
        assert runs.min() - 3 * runs.std() < distance < runs.max() + 3 * runs.std()
        careful = values["msid_max_seed0_niters2000_rademacher"]
        assert_allclose(distance, careful, rtol=0.03)


def test_exact_moments_are_traces():
    S = normalized_adjacency(neighbor_graph(cloud(60, 3), 4, "x"))
    eigenvalues = np.linalg.eigvalsh(S.toarray())
    expected = [np.cos(j * np.arccos(eigenvalues.clip(-1, 1))).sum() for j in range(5)]
    assert_allclose(_exact_moments(S), expected, atol=1e-10)


def test_estimated_trace_converges_to_the_exact_one(monkeypatch):
    S = normalized_adjacency(neighbor_graph(cloud(150, 3), 5, "x"))
    exact = exact_trace(S)
    estimates = estimated_trace(S, 400, seed=0)
    assert estimates.shape == (400, 256)
    error = estimates.mean(axis=0) - exact
    deviation = estimates.std(axis=0, ddof=1) / 20
    assert np.all(np.abs(error) < 4.5 * deviation + 1e-12)
    # five exact moments leave little to chance where the distance looks
    assert deviation[np.argmin(np.abs(TIMES - 1))] < 1e-5
    few_at_a_time = estimated_trace(S, 3, seed=0)
    monkeypatch.setattr("sksim.arrays._kernels._BLOCK_ELEMENTS", 2**9)
    assert_allclose(estimated_trace(S, 3, seed=0).shape, few_at_a_time.shape)


@pytest.mark.parametrize("x", [0, 0.3, 0.9, 1])
def test_every_probe_is_exact_for_a_diagonal_matrix(x):
    """Signs square to 1, so that the whole series is put to the test."""
    S = csr_array(np.diag([x, -x]))
    estimates = estimated_trace(S, 2, seed=0)
    assert_allclose(estimates, np.tile(exact_trace(S), (2, 1)), rtol=1e-12)


def test_probes_agree_with_eigenvalues():
    X, y = cloud(200, 3), cloud(200, 2, random_state=1)
    exact = IMD().fit(X, y)
    estimated = IMD(max_exact_samples=100, random_state=0).fit(X, y)
    assert 0 < estimated.standard_error_ < 0.01 * exact.distance_
    assert abs(estimated.distance_ - exact.distance_) < 4 * estimated.standard_error_
    # one side exact, one estimated
    mixed = IMD(max_exact_samples=199, random_state=0).fit(X[:199], y)
    reference = IMD().fit(X[:199], y)
    assert mixed.standard_error_ > 0
    assert abs(mixed.distance_ - reference.distance_) < 4 * mixed.standard_error_


def test_standard_error_covers():
    X, y = cloud(120, 3), cloud(100, 2, random_state=1)
    exact = IMD().fit(X, y).distance_
    fits = [
        IMD(max_exact_samples=0, n_probes=30, random_state=s).fit(X, y)
        for s in range(40)
    ]
    errors = np.array([fit.distance_ - exact for fit in fits])
    claimed = np.mean([fit.standard_error_ for fit in fits])
    assert 0.7 < errors.std() / claimed < 1.4


def test_identical_rows_score_zero_also_with_probes():
    X = cloud(80, 4)
    measure = IMD(max_exact_samples=10, n_probes=5)
    assert measure.fit(X, X).distance_ == 0
    assert measure.standard_error_ == 0


def test_rows_are_not_paired():
    X, y = cloud(70, 3), cloud(50, 3, random_state=1)
    order = np.random.default_rng(0).permutation(50)
    measure = IMD().fit(X, y)
    again = IMD().fit(X, y[order])
    assert_allclose(again.distance_, measure.distance_, rtol=1e-9)
    assert_allclose(again.score(X, y), measure.score_, rtol=1e-9)


def test_random_state():
    X, y = cloud(80, 3), cloud(60, 2)
    first, same, other = (
        IMD(max_exact_samples=10, n_probes=5, random_state=s).fit(X, y)
        for s in (0, 0, 1)
    )
    assert first.distance_ == same.distance_
    assert first.distance_ != other.distance_


def test_clusters_are_pieces():
    X = np.vstack([cloud(20, 2), cloud(20, 2, 1) + 100])
    measure = IMD().fit(X, cloud(40, 2, 2))
    assert measure.n_components_x_ == 2
    assert measure.n_components_y_ == 1
    # at long times the trace counts them
    assert measure.heat_trace_x_[-1] >= 2 / 40
    with pytest.raises(ValueError, match="of X falls into 2 pieces"):
        IMD(require_connected=True).fit(X, cloud(40, 2, 2))
    IMD(require_connected=True, n_neighbors=25).fit(X, cloud(40, 2, 2))


def test_equal_rows():
    """Some copies are neighbours like others; too many leave neighbours to chance."""
    X = np.vstack([np.repeat(cloud(1, 2), 6, axis=0), cloud(20, 2, 1)])
    assert_array_equal(IMD().fit(X, X).distance_, 0)
    crowd = np.vstack([np.repeat(cloud(1, 2), 7, axis=0), cloud(20, 2, 1)])
    with pytest.raises(ValueError, match=r"y holds one row 7 times.*duplicate rows"):
        IMD().fit(X, crowd)


def test_bad_input():
    with pytest.raises(ValueError, match="n_samples=5 rows, but each needs n_neighb"):
        IMD().fit(cloud(5, 2), cloud(20, 2))
    with pytest.raises(ValueError, match="y is constant"):
        IMD().fit(cloud(20, 2), np.ones((20, 2)))
    with pytest.raises(ValueError, match="NaN"):
        IMD().fit(np.full((20, 2), np.nan), cloud(20, 2))
