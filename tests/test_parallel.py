"""Loops of small products stay on one BLAS thread."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sksim.inference import (
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA

SEEN = []


def blas_threads():
    """The most threads that a BLAS library uses."""
    return max(i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas")


class Watching(CKA):
    """CKA that notes on how many threads products are computed."""

    def _of_product(self, product, view_x, view_y, n_samples):
        threads = [
            i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"
        ]
        SEEN.append(max(threads, default=1))
        return super()._of_product(product, view_x, view_y, n_samples)

    def _similarity_tags(self):
        return replace(super()._similarity_tags(), exact=())


@pytest.mark.parametrize(
    "compute",
    [
        lambda X, y: similarity_test(Watching(), X, y, n_permutations=3),
        lambda X, y: similarity_test(Watching(), X[:4], y[:4], method="exact"),
        lambda X, y: similarity_interval(Watching(), X, y, method="subsample"),
        lambda X, y: similarity_matrix_test(Watching(), [X], [y], n_permutations=3),
        lambda X, y: similarity_matrix(Watching(), [X, y]),
    ],
)
def test_loops_are_on_one_thread(compute):
    X, y = np.random.default_rng(0).normal(size=(2, 30, 4))
    SEEN.clear()
    with threadpool_limits(2, user_api="blas"):
        compute(X, y)
        after = blas_threads()
    # but for the value of the pair itself
    assert SEEN.count(2) <= 1
    assert 1 in SEEN
    assert after == 2
