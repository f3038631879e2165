"""Speed on a device, against its own matrix product and against this machine's CPU.

For each piece of work: seconds, the share of the device's matrix rate that its products
alone would need (measured here, by the product of two large matrices of the same
precision), and how many times faster than numpy on the CPU it is::

    python tests/benchmarks/bench_gpu.py [--device cuda] [--dtype float32] [--only NAME]
    python tests/benchmarks/bench_gpu.py --device cpu --small

Needs torch. Scores of both are compared, so that no wrong number is fast.
"""

import os

os.environ.setdefault("SCIPY_ARRAY_API", "1")

import argparse
import statistics
import time
from functools import partial

import numpy as np
import torch
from sklearn import config_context

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import MeanCCA
from sksim.inference import similarity_test
from sksim.neighbors import NeighborJaccard
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA


class Device:
    """Where torch computes, and how fast it multiplies matrices there."""

    def __init__(self, name, dtype):
        self.name = name
        self.dtype = getattr(torch, dtype)

    def move(self, array):
        return torch.asarray(array, dtype=self.dtype, device=self.name)

    def wait(self):
        """Return when everything that was asked for has been computed."""
        if self.name.startswith("cuda"):
            torch.cuda.synchronize()

    def seconds(self, function, repeats):
        """Median wall-clock time after one warm-up, and the last outcome."""
        outcome = function()
        times = []
        for _ in range(repeats):
            self.wait()
            start = time.perf_counter()
            outcome = function()
            self.wait()
            times.append(time.perf_counter() - start)
        return statistics.median(times), outcome

    def matrix_rate(self, order):
        """Floating-point operations per second of a product of square matrices."""
        A = torch.rand((order, order), dtype=self.dtype, device=self.name)
        seconds, _ = self.seconds(lambda: A @ A, repeats=5)
        return 2 * order**3 / seconds

    def describe(self):
        if self.name.startswith("cuda"):
            return torch.cuda.get_device_name(self.name)
        return f"CPU, {torch.get_num_threads()} threads"


def pieces(n, d, n_layers, n_permutations):
    """Name -> (function of arrays, number of arrays, operations of its products)."""
    pair = 2.0 * n * d * d
    pairs_of_rows = 2.0 * n * n * d
    layers = n_layers * (n_layers + 1) / 2

    def fitted(measure):
        return lambda X, y: measure.fit(X, y).score_

    def matrix(*arrays):
        return similarity_matrix(CKA(), list(arrays)).to_numpy()

    def test(X, y):
        settings = {"n_permutations": n_permutations, "random_state": 0}
        return similarity_test(CKA(), X, y, **settings).null_mean

    return {
        "linear CKA": (fitted(CKA()), 2, 3 * pair),
        "RBF CKA": (fitted(CKA("rbf")), 2, 2 * pairs_of_rows),
        "Procrustes": (fitted(OrthogonalProcrustes()), 2, pair),
        "mean CCA": (fitted(MeanCCA()), 2, 3 * pair),
        "k nearest neighbours": (fitted(NeighborJaccard()), 2, 2 * pairs_of_rows),
        f"{n_layers} x {n_layers} layers, CKA": (matrix, n_layers, layers * pair),
        # a permutation needs the product of the rows in their new order, at the most
        f"{n_permutations} permutations, CKA": (test, 2, n_permutations * pair),
    }


def make_arrays(rng, n, d, count):
    """Related representations of the same rows, one after the other."""
    shared = rng.normal(size=(n, 32))
    for _ in range(count):
        yield shared @ rng.normal(size=(32, d)) / 6 + rng.normal(size=(n, d))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    has_gpu = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda" if has_gpu else "cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    parser.add_argument("--small", action="store_true", help="a quick look")
    parser.add_argument("--only", help="part of a name")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--no-cpu", action="store_true", help="leave out the CPU")
    options = parser.parse_args()

    n, d, n_layers, n_permutations = (
        (500, 64, 4, 50) if options.small else (20_000, 4096, 24, 10_000)
    )
    device = Device(options.device, options.dtype)
    rate = device.matrix_rate(512 if options.small else 8192)
    print(f"{device.describe()}, {options.dtype}, {n} x {d}")
    print(f"matrix product: {rate / 1e12:.2f} TFLOP/s")
    print(f"{'':32s} {'seconds':>10s} {'of matrix rate':>15s} {'CPU / device':>13s}")
    for name, (work, count, operations) in pieces(
        n, d, n_layers, n_permutations
    ).items():
        if options.only and options.only.lower() not in name.lower():
            continue
        arrays = [
            array.astype(options.dtype)
            for array in make_arrays(np.random.default_rng(0), n, d, count)
        ]
        with config_context(array_api_dispatch=True):
            there = [device.move(array) for array in arrays]
            seconds, found = device.seconds(partial(work, *there), options.repeats)
        share = operations / seconds / rate
        ratio = ""
        if not options.no_cpu:
            start = time.perf_counter()
            expected = work(*arrays)
            ratio = f"{(time.perf_counter() - start) / seconds:.1f}"
            np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)
        print(f"{name:32s} {seconds:10.3f} {share:15.2f} {ratio:>13s}", flush=True)


if __name__ == "__main__":
    main()
