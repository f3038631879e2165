import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import MeanCCA, MeanSquaredCCA
from sksim.datasets import make_aligned_pair, make_independent_pair, make_layer_stack
from sksim.inference import similarity_test
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA


def test_aligned_pair_without_noise_is_equal_up_to_the_map():
    X, y = make_aligned_pair(50, 6, scale=4, random_state=0)
    assert not np.allclose(X, y)
    assert_allclose(OrthogonalProcrustes().fit(X, y).distance_, 0, atol=1e-7)
    assert_allclose(y @ y.T, 16 * X @ X.T)
    X, y = make_aligned_pair(50, 6, rotation=False, random_state=0)
    assert_array_equal(X, y)


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_correlations_of_a_noisy_pair(noise):
    X, y = make_aligned_pair(20000, 5, noise=noise, random_state=0)
    expected = 1 / np.sqrt(1 + noise**2)
    assert_allclose(MeanCCA().fit(X, y).score_, expected, atol=0.01)


def test_independent_pair():
    X, y = make_independent_pair(80, 5, 7, random_state=0)
    assert (X.shape, y.shape) == ((80, 5), (80, 7))
    assert similarity_test(CKA(), X, y, n_permutations=99, random_state=0).pvalue > 0.05
    assert make_independent_pair(8, 5)[1].shape == (8, 5)


def test_layers_forget_at_the_given_rate():
    layers = make_layer_stack(20000, 4, 4, correlation=0.7, random_state=0)
    distance = np.abs(np.subtract.outer(range(4), range(4)))
    squared = similarity_matrix(MeanSquaredCCA(), layers)
    assert_allclose(squared, 0.7 ** (2 * distance), atol=0.02)
    one, two = make_layer_stack(
        20000, 4, 4, correlation=0.7, n_networks=2, random_state=0
    )
    assert not np.allclose(one["layer_1"], two["layer_1"])
    between = similarity_matrix(MeanCCA(), one, two)
    assert_allclose(between, 0.7**distance, atol=0.02)


def test_seeds():
    for make in (make_aligned_pair, make_independent_pair):
        assert_array_equal(make(random_state=3)[1], make(random_state=3)[1])
        assert not np.allclose(make(random_state=3)[1], make(random_state=4)[1])
    with pytest.raises(ValueError, match="correlation"):
        make_layer_stack(correlation=1.5)
    with pytest.raises(ValueError, match="n_samples"):
        make_aligned_pair(0)
