"""Halves of one representation."""

import itertools
import math

import numpy as np
import pytest
from sklearn import config_context

from sksim.alignment import OrthogonalProcrustes
from sksim.evaluation import reliability
from sksim.functional import Disagreement
from sksim.neighbors import MutualKNN
from sksim.rsm import CKA, HSIC, RSA
from sksim.statistics import Magnitude

DEBIASED = CKA(debias="rows")


def noisy(n=100, width=40, noise=3.0, random_state=0, n_latent=5):
    rng = np.random.default_rng(random_state)
    signal = rng.normal(size=(n, n_latent)) @ rng.normal(size=(n_latent, width))
    return signal + noise * rng.normal(size=(n, width))


def test_halves_of_four_columns_by_hand():
    """a, a, b, b with a and b uncorrelated: one split of three tells them apart."""
    a, b = np.array([1.0, 1, -1, -1]), np.array([1.0, -1, 1, -1])
    X = np.stack([a, a, b, b], axis=1)
    result = reliability(CKA(), X, n_splits=200, random_state=0)
    # {a, a} against {b, b} is 0, {a, b} against {a, b} is 1
    assert set(np.round(result.values, 12)) == {0.0, 1.0}
    share = np.mean(result.values)
    assert abs(share - 2 / 3) < 3 * (2 / 9 / 200) ** 0.5
    assert result.split_half == share
    assert result.reliability == pytest.approx(2 * share / (1 + share))
    assert (result.over, result.n_units) == ("columns", 2)


def test_splits_are_halves_that_share_nothing():
    X = noisy(30, 5)
    scores = [
        DEBIASED.fit(X[:, list(first)], X[:, list(second)]).score_
        for first in itertools.combinations(range(5), 2)
        for second in itertools.combinations(range(5), 2)
        if not set(first) & set(second)
    ]
    result = reliability(DEBIASED, X, n_splits=300, random_state=0)
    assert result.n_units == 2
    assert set(np.round(result.values, 9)) == set(np.round(scores, 9))
    assert result.split_half == pytest.approx(np.mean(scores), abs=0.05)


def test_rows_are_halved_as_what_columns_are_described_by():
    X = noisy(4, 6) + 100
    result = reliability(DEBIASED, X, over="rows", n_splits=50, random_state=0)
    expected = set()
    for first in itertools.combinations(range(4), 2):
        rest = [i for i in range(4) if i not in first]
        halves = (X[list(rows)] - X[list(rows)].mean(axis=0) for rows in (first, rest))
        expected.add(round(DEBIASED.fit(*(half.T for half in halves)).score_, 9))
    assert set(np.round(result.values, 9)) == expected
    assert result.n_units == 2


@pytest.mark.parametrize(
    "measure", [DEBIASED, RSA("sqeuclidean", comparison="pearson")]
)
def test_reliability_is_the_similarity_of_another_sample_of_columns(measure):
    """20 columns against 20 others; halves hold 10 each."""
    found, expected, halves = [], [], []
    for seed in range(30):
        X = noisy(80, 40, random_state=seed)
        expected.append(measure.fit(X[:, :20], X[:, 20:]).score_)
        result = reliability(measure, X[:, :20], n_splits=10, random_state=seed)
        found.append(result.reliability)
        halves.append(result.split_half)
    error = np.std(np.subtract(found, expected), ddof=1) / 30**0.5
    assert abs(np.mean(found) - np.mean(expected)) < 3 * error < 0.05
    assert np.mean(halves) < np.mean(expected) - 0.1


@pytest.mark.parametrize("over", ["columns", "rows"])
def test_noise_has_none(over):
    X = np.random.default_rng(0).normal(size=(60, 60))
    result = reliability(DEBIASED, X, over=over, random_state=0)
    assert abs(result.split_half) < 0.05
    assert reliability(CKA(), X, over=over, random_state=0).split_half > 0.3


def test_jobs_and_seeds():
    X = noisy()
    result = reliability(DEBIASED, X, n_splits=6, random_state=1)
    again = reliability(DEBIASED, X, n_splits=6, random_state=1, n_jobs=2)
    assert np.array_equal(result.values, again.values)
    other = reliability(DEBIASED, X, n_splits=6, random_state=2)
    assert not np.array_equal(result.values, other.values)
    more = reliability(DEBIASED, X, n_splits=9, random_state=1)
    assert np.array_equal(more.values[:6], result.values)


def test_what_has_no_formula():
    X = noisy()
    for measure in (OrthogonalProcrustes(), HSIC(), CKA(debias="both")):
        result = reliability(measure, X, n_splits=3, random_state=0)
        assert math.isnan(result.reliability) and math.isfinite(result.split_half)
    assert 0 < reliability(MutualKNN(), X, random_state=0).reliability < 1


def test_frame():
    result = reliability(DEBIASED, noisy(), random_state=0)
    frame = result.to_frame()
    assert list(frame.index) == ["columns"]
    assert frame.loc["columns", "reliability"] == result.reliability
    assert frame.loc["columns", "lowest"] == result.values.min()


def test_tensors():
    torch = pytest.importorskip("torch")
    X = noisy(30, 12)
    for over in ("columns", "rows"):
        setting = {"over": over, "n_splits": 3, "random_state": 0}
        expected = reliability(DEBIASED, X, **setting)
        with config_context(array_api_dispatch=True):
            found = reliability(DEBIASED, torch.asarray(X), **setting)
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-9)


def test_bad_input():
    X = noisy()
    with pytest.raises(ValueError, match="X has 3 columns: halves of fewer than 4"):
        reliability(DEBIASED, X[:, :3])
    with pytest.raises(ValueError, match="X has 3 rows"):
        reliability(CKA(), X[:3], over="rows")
    with pytest.raises(ValueError, match="'over' parameter of reliability"):
        reliability(DEBIASED, X, over="layers")
    with pytest.raises(ValueError, match="NaN"):
        reliability(DEBIASED, np.where(X > 9, np.nan, X))
    for measure in (Disagreement(), Magnitude(), CKA(kernel="precomputed")):
        with pytest.raises(ValueError, match="does not compare two representations"):
            reliability(measure, X)
