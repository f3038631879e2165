"""A stream of rows: time, share of the matrix product's rate, memory, and error.

Run with ``python tests/benchmarks/bench_streaming.py [n_samples n_features folder]``
(1000000 256 and a temporary folder by default; the two memory maps take 4 GB there).
CPU time, one BLAS thread. The rate of a plain float64 product is measured before and
after, in the same run. A pass for all three products (CKA) needs 4 n d^2 operations,
since two of them are symmetric; Procrustes needs the 2 n d^2 of one.
"""

import sys
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path

import _timing  # noqa: F401 (one BLAS thread)
import numpy as np
from sklearn.utils import gen_batches

from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.cca import MeanCCA
from sksim.rsm import CKA, GULP, MinibatchCKA, NormalizedBures

BLOCK = 8192


def product_rate(size=2048, repeats=5):
    """Floating-point operations per CPU second of a square float64 product."""
    A = np.random.default_rng(0).normal(size=(size, size))
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        A @ A
        best = min(best, time.process_time() - start)
    return 2 * size**3 / best


def share_of_narrow_products(rate, n_features, repeats=5):
    """The share of that rate that the three products of one block reach by themselves."""
    X, y = np.random.default_rng(0).normal(size=(2, BLOCK, n_features))
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        X.T @ X, y.T @ y, X.T @ y
        best = min(best, time.process_time() - start)
    return 4 * BLOCK * n_features**2 / best / rate


def memory_map(path, n_samples, n_features, seed):
    """A memory map of correlated normal rows at an offset, written in blocks."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(7).normal(size=(n_features, n_features))
    mixing *= 0.5 / n_features**0.5
    shape = (n_samples, n_features)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype="float64", shape=shape)
    for block in gen_batches(n_samples, BLOCK):
        count = min(block.stop, n_samples) - block.start
        shared = np.random.default_rng(block.start).normal(size=(count, n_features))
        noise = rng.normal(size=(count, n_features))
        rows[block] = shared + 0.5 * noise @ mixing + 3 if seed else shared + noise
    rows.flush()
    return np.load(path, mmap_mode="r")


def stream(measure, X, y, block=BLOCK):
    """The measure after one pass over the rows."""
    for rows in gen_batches(len(X), block):
        measure.partial_fit(X[rows], y[rows])
    return measure


def seconds_of(function):
    """CPU seconds, wall seconds, and what the function returned."""
    cpu, wall = time.process_time(), time.perf_counter()
    result = function()
    return time.process_time() - cpu, time.perf_counter() - wall, result


def peak_memory(measure, X, y):
    """Megabytes allocated at most during a pass and the comparison."""
    tracemalloc.start()
    _ = stream(measure, X, y).score_
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def main(n_samples=1_000_000, n_features=256, folder=None):
    """Print the times, the memory and the errors."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        run(n_samples, n_features, Path(name))


def run(n_samples, n_features, folder):
    """The same, with memory maps in a folder that is there."""
    X = memory_map(folder / "X.npy", n_samples, n_features, 0)
    y = memory_map(folder / "y.npy", n_samples, n_features, 1)
    rate = product_rate()
    operations = n_samples * n_features**2
    print(f"one pass over two memory maps of {n_samples} x {n_features}, float64")
    for measure, products in ((CKA(), 4), (OrthogonalProcrustes(), 2)):
        cpu, wall, fitted = seconds_of(lambda: stream(measure, X, y))
        compared, _, score = seconds_of(lambda: fitted.score_)
        share = products * operations / cpu / rate
        print(
            f"{measure!r:26s} {cpu:6.2f} s CPU, {wall:6.2f} s wall, "
            f"{1e6 * cpu / n_samples:5.2f} us a row, {share:.2f} of the product's rate;"
            f" comparison {compared:.3f} s, score {score:.6f}",
            flush=True,
        )
    again = product_rate()
    narrow = share_of_narrow_products(rate, n_features)
    print(f"the products of a block alone: {narrow:.2f} of the product's rate")
    print(f"plain product: {rate / 1e9:.1f} and {again / 1e9:.1f} GFLOP/s")
    print("peak memory above the maps, MB")
    for count in sorted({10_000, n_samples}):
        peak = peak_memory(CKA(), X[:count], y[:count])
        print(f"  {count:9d} rows: {peak:.1f}", flush=True)
    few = min(n_samples, 50_000)
    A, B = np.array(X[:few]), np.array(y[:few])
    print(f"relative difference from fit on {few} rows, seven unequal parts merged")
    cuts = np.sort(np.random.default_rng(1).choice(few, 6, replace=False))
    for measure in (
        CKA(),
        CKA(debias="rows"),
        OrthogonalProcrustes(),
        NormalizedBures(),
        MeanCCA(),
        LinearRegressionSimilarity(),
        GULP(),
    ):
        first, *others = (
            type(measure)(**measure.get_params()).partial_fit(a, b)
            for a, b in zip(np.split(A, cuts), np.split(B, cuts), strict=True)
        )
        for other in others:
            first.merge(other)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = measure.fit(A, B).statistic_
        error = abs(first.statistic_ / expected - 1)
        print(f"  {measure!r:40s} {error:.1e}", flush=True)
    exact = CKA(debias="rows").fit(A, B).score_
    estimate = MinibatchCKA(random_state=0).fit(A, B)
    print(
        f"MinibatchCKA on {few} rows, batches of 256: {estimate.score_ - exact:+.1e} from "
        f"debiased CKA, standard error {estimate.standard_error_:.1e}"
    )


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:3]]
    main(*numbers, *sys.argv[3:4])
