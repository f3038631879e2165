"""Rows that follow each other alike are not permuted freely without a word."""

import warnings

import numpy as np
import pytest
from scipy.signal import lfilter

from sksim.functional import Disagreement
from sksim.inference import similarity_matrix_test, similarity_test
from sksim.inference._succession import is_succession
from sksim.rsm import CKA

FAST = {"n_permutations": 9, "random_state": 0}


def series(seed, phi=0.7, n=200, width=5):
    noise = np.random.default_rng(seed).normal(size=(n + 100, width))
    return lfilter([1], [1, -phi], noise, axis=0)[100:]


@pytest.mark.parametrize("phi", [0.5, 0.9, 0.98])
def test_time_series_raise_a_warning_that_names_shifts(phi):
    X, y = series(0, phi), series(1, phi, width=2)
    with pytest.warns(UserWarning, match="permute='shift'") as caught:
        similarity_test(CKA(), X, y, **FAST)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="permute='shift'") as caught:
        similarity_matrix_test(CKA(), {"a": X, "b": 2 * X}, [y], **FAST)
    assert caught[0].filename == __file__


def test_rows_sorted_by_class_are_told_of_strata_and_groups():
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(4), 25)
    X, y = (
        2 * rng.normal(size=(4, 6))[label] + rng.normal(size=(100, 6)) for _ in range(2)
    )
    with pytest.warns(UserWarning, match=r"strata=labels.*pass groups="):
        similarity_test(CKA(), X, y, **FAST)
    answers = [np.where(rng.random(100) < 0.9, label, 0) for _ in range(2)]
    with pytest.warns(UserWarning, match="strata=labels"):
        similarity_test(Disagreement(), *answers, **FAST)


def test_no_warning_where_it_is_heeded_or_one_side_is_exchangeable():
    X, y = series(0), series(1)
    shuffled = np.random.default_rng(0).permutation(y)
    groups = np.arange(200) // 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        similarity_test(CKA(), X, y, permute="shift", **FAST)
        similarity_test(CKA(), X, y, groups=groups, **FAST)
        similarity_test(CKA(), X, y, strata=groups, **FAST)
        similarity_test(CKA(), X, shuffled, **FAST)
        similarity_matrix_test(CKA(), [X], [y], permute="shift", **FAST)
        similarity_matrix_test(CKA(), [X], [shuffled, y, shuffled], **FAST)


KINDS = {
    "normal": lambda rng, n: rng.normal(size=(n, 5)),
    "exponential": lambda rng, n: rng.exponential(size=(n, 1)),
    "Cauchy": lambda rng, n: rng.standard_cauchy(size=(n, 5)),
    "wide": lambda rng, n: rng.normal(size=(n, 60)) + 100,
    "one-hot": lambda rng, n: np.eye(4)[rng.integers(4, size=n)],
    "labels": lambda rng, n: rng.integers(3, size=n),
    "rare labels": lambda rng, n: (rng.random(n) < 0.05).astype(int),
}


@pytest.mark.parametrize("kind", KINDS)
def test_few_false_alarms(kind):
    """At .005 each, 300 views raise more than 5 with probability .004."""
    alarms = [
        is_succession(KINDS[kind](np.random.default_rng(seed), n))
        for seed in range(100)
        for n in (12, 30, 100)
    ]
    assert sum(alarms) <= 5


def test_constant_huge_and_many_rows():
    assert not is_succession(np.ones((20, 3)))
    assert not is_succession(np.zeros(20))
    assert is_succession(1e300 * series(0))
    assert is_succession(series(0).astype(np.float32))
    assert is_succession(series(0, n=5000, phi=0.9))
    assert not is_succession(np.random.default_rng(0).normal(size=(5000, 3)))


def test_torch():
    torch = pytest.importorskip("torch")
    assert is_succession(torch.asarray(series(0, n=3000)))
