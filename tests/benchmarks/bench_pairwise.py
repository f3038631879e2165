"""Matrices of all layers against the loop over pairs, and against pytorch-cka.

Run with ``python tests/benchmarks/bench_pairwise.py [n_layers n_samples n_features]``
(20 2000 512 by default), or with ``--peer [...]`` for pytorch-cka alone. CPU time, one
BLAS thread; the loop is timed on a few pairs before and after the matrix. The last
column is how many times faster the matrix is.
"""

import sys
import time
import warnings

import _timing  # first: one BLAS thread
import numpy as np

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import MeanCCA, MeanSquaredCCA
from sksim.neighbors import NeighborJaccard
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA, RSA

TARGETS = {
    "CKA()": 6,
    "MeanSquaredCCA()": 6,
    "RSA()": 20,
    "NeighborJaccard()": 10,
    "MeanCCA()": 1.5,
    "OrthogonalProcrustes()": 1.5,
}


def make_layers(n_layers, n_samples, n_features):
    """A random tanh network's layers, with noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    layers = []
    for _ in range(n_layers):
        weights = rng.normal(size=(n_features, n_features)) * 1.5 / n_features**0.5
        X = np.tanh(X @ weights) + 0.1 * rng.normal(size=X.shape)
        layers.append(X)
    return layers


def seconds_of_a_pair(measure, layers, n_pairs=2):
    """CPU seconds of one fit, and the scores."""
    start = time.process_time()
    scores = [measure.fit(layers[0], y).score_ for y in layers[:n_pairs]]
    return (time.process_time() - start) / n_pairs, scores


def against_pytorch_cka(n_layers=20, n_samples=2000, n_features=512):
    """Print one line for each precision: the peer's matrix is of debiased linear CKA."""
    try:
        import torch
        from cka import cka_from_features
    except ImportError:
        print("pytorch-cka is not installed: pip install pytorch-cka")
        return
    torch.set_num_threads(1)
    exact = make_layers(n_layers, n_samples, n_features)
    for dtype in (np.float64, np.float32):
        layers = [layer.astype(dtype) for layer in exact]
        tensors = [torch.from_numpy(layer) for layer in layers]
        results = {}

        def ours(layers=layers, results=results):
            results["ours"] = similarity_matrix(CKA(debias="rows"), layers)

        def theirs(tensors=tensors, results=results):
            results["theirs"] = cka_from_features(tensors, tensors)

        _timing.report(f"pytorch-cka, {dtype.__name__}", ours, theirs, repeats=3)
        error = np.abs(results["ours"].to_numpy() - results["theirs"].numpy()).max()
        print(f"  target x 1.5   difference {error:.0e}")


def main(n_layers=20, n_samples=2000, n_features=512):
    """Print one line for each measure and precision."""
    print(f"{n_layers} x {n_layers} layers of {n_samples} x {n_features}, ms a pair")
    exact = make_layers(n_layers, n_samples, n_features)
    measures = [
        CKA(),
        CKA(kernel="rbf"),
        MeanSquaredCCA(),
        RSA(),
        NeighborJaccard(),
        MeanCCA(),
        OrthogonalProcrustes(),
    ]
    for measure in measures:
        for dtype in (np.float64, np.float32):
            layers = [layer.astype(dtype) for layer in exact]
            before, scores = seconds_of_a_pair(measure, layers)
            start = time.process_time()
            matrix = similarity_matrix(measure, layers)
            ours = (time.process_time() - start) / n_layers**2
            after, _ = seconds_of_a_pair(measure, layers)
            loop = (before + after) / 2
            error = np.abs(matrix.to_numpy()[0, : len(scores)] - scores).max()
            target = TARGETS.get(repr(measure), "")
            print(
                f"{measure!r:24s} {dtype.__name__:8s} loop {1e3 * loop:8.1f}   matrix "
                f"{1e3 * ours:7.2f}   x {loop / ours:6.1f}  target {target!s:4s} "
                f"difference {error:.0e}",
                flush=True,
            )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sizes = map(int, [a for a in sys.argv[1:] if a != "--peer"])
    if "--peer" in sys.argv:
        against_pytorch_cka(*sizes)
    else:
        main(*sizes)
