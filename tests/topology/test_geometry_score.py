"""Geometry score."""

import itertools
import sys
import warnings

import gudhi
import numpy as np
import pytest
from _reference import reference_arrays, reference_values
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist

from sksim.topology import GeometryScore, _geometry_score
from sksim.topology._geometry_score import (
    _few_copies,
    relative_living_times,
    witness_intervals,
)

SMALL = {"n_draws": 20, "n_landmarks": 32, "gamma": 1 / 8, "i_max": 10}


def circle(n_samples, random_state=0):
    angle = np.random.default_rng(random_state).uniform(0, 2 * np.pi, n_samples)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def disc(n_samples, random_state=0):
    rng = np.random.default_rng(random_state)
    radius = np.sqrt(rng.uniform(size=(n_samples, 1)))
    return circle(n_samples, random_state + 100) * radius


def test_living_times_by_hand():
    """One hole from 1 to 3, another from 2 on, in a filtration that ends at 4."""
    shares = relative_living_times(np.array([[1.0, 3.0], [2.0, np.inf]]), 4.0, 5)
    assert_array_equal(shares, [0.25, 0.5, 0.25, 0, 0, 0])
    assert_array_equal(relative_living_times(np.empty((0, 2)), 4.0, 2), [1, 0, 0])


def test_mass_above_i_max_is_kept():
    intervals = np.array([[0.0, 4.0], [0.0, 4.0], [0.0, 2.0]])
    assert_array_equal(relative_living_times(intervals, 4.0, 2), [0, 0, 1])
    assert_array_equal(relative_living_times(intervals, 4.0, 3), [0, 0, 0.5, 0.5])


def slow_living_times(intervals, end, i_max):
    """By counting at midpoints between all births and deaths."""
    ends = np.unique(np.concatenate([[0, end], np.minimum(intervals, end).ravel()]))
    shares = np.zeros(i_max + 1)
    for low, high in itertools.pairwise(ends):
        middle = (low + high) / 2
        alive = sum(birth <= middle < death for birth, death in intervals)
        shares[min(alive, i_max)] += (high - low) / end
    return shares


def test_living_times_by_definition():
    rng = np.random.default_rng(0)
    births = rng.uniform(0, 1, 30)
    intervals = np.column_stack([births, births + rng.exponential(0.3, 30)])
    for i_max in (1, 4, 40):
        expected = slow_living_times(intervals, 1.0, i_max)
        assert_allclose(relative_living_times(intervals, 1.0, i_max), expected)


def test_witness_intervals_by_definition():
    rows = disc(60)
    landmarks = np.arange(0, 60, 5)
    table = cdist(rows, rows[landmarks])
    pairs = [sorted(enumerate(row), key=lambda pair: pair[1]) for row in table]
    end = 0.2 * table.max()
    tree = gudhi.WitnessComplex(pairs).create_simplex_tree(end, limit_dimension=2)
    tree.compute_persistence(homology_coeff_field=2)
    expected = tree.persistence_intervals_in_dimension(1)
    intervals, found_end = witness_intervals(rows, landmarks, 0.2)
    assert found_end == end
    assert len(expected) > 0
    assert_allclose(np.sort(intervals, axis=0), np.sort(expected, axis=0))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(reference_values("topology")["geometry_score"]))
def test_original_within_its_own_spread(name):
    arrays = reference_arrays("topology")
    X, y = arrays[f"{name}__x"], arrays[f"{name}__y"]
    values = reference_values("topology")["geometry_score"][name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        fits = [GeometryScore(**SMALL, random_state=s).fit(X, y) for s in range(12)]
    for ours, theirs in (
        ([fit.mrlt_x_[:10] for fit in fits], values["mrlt_x"]),
        ([fit.mrlt_y_[:10] for fit in fits], values["mrlt_y"]),
    ):
        spread = 4 * np.std(ours, axis=0) + 0.02
        assert np.all(np.abs(np.mean(ours, axis=0) - theirs) < spread)
    scores = [fit.distance_ for fit in fits]
    original = values["gs_L32_g1/8_i10_n20_seed0"]
    if name == "identical":
        assert scores == [0.0] * 12
    else:
        assert abs(np.mean(scores) - original) < 4 * np.std(scores)


def test_circle_against_disc():
    measure = GeometryScore(**SMALL, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        same = measure.fit(circle(150), circle(120, 1)).distance_
        different = measure.fit(circle(150), disc(150)).distance_
    assert same < 0.1 < different
    difference = measure.mrlt_x_ - measure.mrlt_y_
    assert_allclose(measure.distance_, np.sum(difference**2))
    assert_allclose([measure.mrlt_x_.sum(), measure.mrlt_y_.sum()], 1)
    assert measure.score_ == -different


def test_seed_and_jobs():
    X, y = circle(40), disc(50)
    options = {**SMALL, "n_draws": 45, "i_max": 40}
    first, same, parallel, other = (
        GeometryScore(**options, random_state=s, n_jobs=j).fit(X, y).distance_
        for s, j in ((0, None), (0, None), (0, 2), (1, None))
    )
    assert first == same == parallel
    assert first != other


def test_warns_of_mass_above_i_max():
    X = disc(100)
    measure = GeometryScore(**{**SMALL, "i_max": 1}, random_state=0)
    with pytest.warns(UserWarning, match=r"i_max=1 holes or more in \d.*of X and \d"):
        measure.fit(X, circle(100))
    assert measure.mrlt_x_.shape == (2,)
    assert measure.mrlt_x_[-1] > 0
    assert_allclose(measure.mrlt_x_.sum(), 1)


def test_default_filtration_grows_with_the_rows():
    X = disc(64)
    options = {"n_draws": 3, "n_landmarks": 16, "i_max": 500, "random_state": 0}
    default = GeometryScore(**options).fit(X, X)
    explicit = GeometryScore(**options, gamma=64 / (128 * 5000)).fit(X, X)
    assert_array_equal(default.mrlt_x_, explicit.mrlt_x_)


def test_bad_input():
    measure = GeometryScore(**SMALL)
    with pytest.raises(ValueError, match="X is constant"):
        measure.fit(np.ones((20, 2)), circle(20))
    with pytest.raises(ValueError, match="NaN"):
        measure.fit(np.full((20, 2), np.nan), circle(20))


def test_missing_gudhi_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gudhi.witness_complex", None)
    with pytest.raises(ImportError, match=r"sksim\[topology\]"):
        GeometryScore(**SMALL).fit(circle(20), circle(20))


EQUAL_ROWS = {
    "grid": lambda rng: rng.integers(0, 4, size=(60, 2)).astype(float),
    "nine distinct": lambda rng: rng.normal(size=(9, 3))[rng.integers(9, size=60)],
    "half zero": lambda rng: np.r_[np.zeros((30, 2)), rng.normal(size=(30, 2))],
    "twelve on a circle": lambda rng: (
        np.round([np.cos(t := rng.integers(12, size=60) * np.pi / 6), np.sin(t)], 12).T
    ),
}


@pytest.mark.parametrize("kind", EQUAL_ROWS)
def test_copies_that_are_left_out_make_no_holes(kind, monkeypatch):
    holes = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        rows, gamma = EQUAL_ROWS[kind](rng), (0.02, 0.1, 0.3, 0.6)[seed % 4]
        options = {"n_draws": 2, "n_landmarks": 24, "gamma": gamma, "random_state": 0}
        few = GeometryScore(**options).fit(rows, rows).mrlt_x_
        with monkeypatch.context() as patch:
            patch.setattr(_geometry_score, "_MOST_COPIES", 24)
            assert_allclose(GeometryScore(**options).fit(rows, rows).mrlt_x_, few)
        holes += few[1:].sum()
    assert holes > 0.1


def test_equal_landmarks_are_few():
    """All copies of three distinct rows would make tens of thousands of simplices."""
    landmarks = np.array([2, 0, 2, 2, 1, 2, 2, 0])
    assert_array_equal(_few_copies(landmarks), [0, 0, 1, 2, 2, 2, 2])
