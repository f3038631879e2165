"""What happens exactly at a threshold: gates, ties, levels, enumeration."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.optimize import brentq

from sksim.inference import similarity_matrix_test
from sksim.inference._matrix import _max_step_down
from sksim.inference._moments import refuse_unreliable
from sksim.inference._result import permutation_pvalue
from sksim.inference._test import _is_exact
from sksim.rsm import CKA


def matrix(kurtosis=1.5, rank=50.0):
    """A matrix of which the gate sees a kurtosis and a rank: one heavy row of 100."""

    def of(weight):
        weights = np.r_[weight, np.ones(99)]
        return 100 * np.sum(weights**2) / np.sum(weights) ** 2

    weight = brentq(lambda w: of(w) - kurtosis, 1, 100)
    diagonal = np.r_[weight, np.ones(99)]
    squared_norm = diagonal.sum() ** 2 / rank
    return SimpleNamespace(
        diagonal=diagonal, row_squares=diagonal**2, squared_norm=squared_norm
    )


def check(K=None, L=None, **moments):
    moments = {"std": 1.0, "skewness": 0.0, "n_samples": 100, **moments}
    form = SimpleNamespace(K=K or matrix(), L=L or matrix())
    refuse_unreliable(SimpleNamespace(**moments), form)


def test_gates_of_pearson3():
    check()
    check(skewness=0.599), check(skewness=-0.599)
    for skewness in (0.601, -0.601):
        with pytest.raises(ValueError, match="skewness"):
            check(skewness=skewness)
    for name, side in (("X", "K"), ("y", "L")):
        check(**{side: matrix(kurtosis=2.59)})
        with pytest.raises(ValueError, match=rf"rows of {name} .*kurtosis 2\.6"):
            check(**{side: matrix(kurtosis=2.61)})
        check(**{side: matrix(rank=4.01)})
        with pytest.raises(ValueError, match=rf"{name} varies .*rank 4\.0"):
            check(**{side: matrix(rank=3.99)})
    with pytest.raises(ValueError, match="the same for all orders"):
        check(std=0.0)


def test_ties_in_the_step_down_are_as_great():
    z_null = np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 2.0], [0.0, 0.0]])
    corrected = _max_step_down(np.array([0.4, 0.4]), np.array([2.0, 1.0]), z_null)
    # the largest of both is 2 twice; of the second alone at least 1 twice
    np.testing.assert_allclose(corrected, [3 / 5, 3 / 5])
    below = _max_step_down(np.array([0.4, 0.4]), np.array([2.1, 1.1]), z_null)
    np.testing.assert_allclose(below, [1 / 5, 2 / 5])


def test_a_pvalue_of_alpha_is_significant():
    X = np.random.default_rng(0).normal(size=(20, 3))
    options = {"n_permutations": 19, "random_state": 0}
    result = similarity_matrix_test(CKA(), [X], [2 * X], alpha=0.05, **options)
    assert result.pvalues_corrected[0, 0] == 0.05
    assert result.significant[0, 0]
    stricter = similarity_matrix_test(CKA(), [X], [2 * X], alpha=0.0499, **options)
    assert not stricter.significant[0, 0]


@pytest.mark.parametrize("alternative", ["greater", "less", "two-sided"])
def test_nan_in_a_null_counts_against_every_alternative(alternative):
    null = np.array([0.0, 1.0, np.nan, np.nan])
    pvalue = permutation_pvalue(0.5, null, alternative, rounding=1e-11)
    assert pvalue == {"two-sided": 1.0}.get(alternative, 4 / 5)


def test_ties_with_the_observed_score():
    null = np.array([1.0, 1.0 + 1e-12, 1.0 - 1e-12, 2.0])
    options = {"rounding": 1e-11}
    assert permutation_pvalue(1.0, null, "greater", **options) == 1
    assert permutation_pvalue(1.0, null, "less", **options) == 4 / 5
    assert permutation_pvalue(1.0, null, "less", exact=True, **options) == 3 / 4


def test_boundary_of_exact_enumeration():
    assert _is_exact("auto", 999, 999)
    assert not _is_exact("auto", 1000, 999)
    assert not _is_exact("permutation", 1, 999)
    assert _is_exact("exact", 100_000, 999)
    with pytest.raises(ValueError, match="100001 orders, more than 100000"):
        _is_exact("exact", 100_001, 999)
    with pytest.raises(ValueError, match="too many orders"):
        _is_exact("exact", np.inf, 999)
