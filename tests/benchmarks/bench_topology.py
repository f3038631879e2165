"""Topological and structural measures against the routes that others take.

Run with ``python tests/benchmarks/bench_topology.py``. CPU time, one BLAS thread, both
sides in turn in one process; the last column is how many times faster sksim is.
"""

import itertools
import resource

from _timing import interleaved, report

import numpy as np  # isort: skip
from gudhi.sklearn.rips_persistence import RipsPersistence
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import pdist, squareform
from sklearn.neighbors import kneighbors_graph

from sksim.structural import NetworkPersistence
from sksim.topology import IMD, RTD, GeometryScore, RTDLite

rng = np.random.default_rng(0)


def normalized(X):
    D = squareform(pdist(X))
    return D / np.quantile(D, 0.9)


def doubled(r, s, *, reduced):
    n = len(r)
    joined = np.where(np.tri(n, k=-1, dtype=bool), np.inf, r) if reduced else r
    return np.block([[np.zeros((n, n)), joined.T], [joined, np.minimum(r, s)]])


def barcode(matrix):
    rips = RipsPersistence(
        [1],
        input_type="full distance matrix",
        num_collapses=0,
        homology_coeff_field=2,
    )
    return rips.fit_transform([matrix])


def two_barcodes(matrices):
    for matrix in matrices:
        barcode(matrix)


def scipy_trees(X, y):
    r, s = normalized(X), normalized(y)
    trees = [minimum_spanning_tree(D).sum() for D in (r, s, np.minimum(r, s))]
    return (trees[0] + trees[1]) / 2 - trees[2]


def dense_heat_trace(X):
    A = kneighbors_graph(X, 5).toarray()
    A = np.maximum(A, A.T)
    roots = np.sqrt(A.sum(axis=1))
    eigenvalues = np.linalg.eigvalsh(A / roots[:, None] / roots)
    return np.exp(-np.outer(np.logspace(-1, 1, 256), 1 - eigenvalues)).mean(axis=1)


def network(*widths):
    return [
        (rng.normal(size=(a, b)), rng.normal(size=b))
        for a, b in itertools.pairwise(widths)
    ]


def megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    X = rng.normal(size=(500, 64))
    y = X + 0.5 * rng.normal(size=X.shape)
    r, s = normalized(X), normalized(y)
    plain = [doubled(a, b, reduced=False) for a, b in ((r, s), (s, r))]
    reduced = [doubled(a, b, reduced=True) for a, b in ((r, s), (s, r))]
    rtd = RTD()
    report(
        "RTD, N = 500 / two gudhi barcodes of the whole matrices",
        lambda: rtd.fit(X, y),
        lambda: two_barcodes(plain),
        3,
    )
    report(
        "RTD, N = 500 / two gudhi barcodes of the reduced matrices",
        lambda: rtd.fit(X, y),
        lambda: two_barcodes(reduced),
        3,
    )
    for width in (20, 256):
        A = rng.normal(size=(2000, width))
        B = A + 0.5 * rng.normal(size=A.shape)
        report(
            f"RTDLite, N = 2000, D = {width} / scipy's spanning trees",
            lambda A=A, B=B: RTDLite().fit(A, B),
            lambda A=A, B=B: scipy_trees(A, B),
            3,
        )
    A, B = rng.normal(size=(2, 2000, 20))
    report(
        "IMD, N = 2000 / dense numpy",
        lambda: IMD().fit(A, B),
        lambda: (dense_heat_trace(A), dense_heat_trace(B)),
        1,
    )
    probes = IMD(max_exact_samples=0, random_state=0)
    report(
        "IMD with probes, N = 2000 / exact",
        lambda: probes.fit(A, B),
        lambda: IMD().fit(A, B),
        1,
    )
    print(
        f"    exact {IMD().fit(A, B).distance_:.3f}, probes "
        f"{probes.fit(A, B).distance_:.3f} +- {probes.standard_error_:.3f}"
    )
    A, B = rng.normal(size=(2, 1000, 20))
    draws = GeometryScore(n_draws=100, i_max=1000, random_state=0)
    seconds = interleaved({"draws": lambda: draws.fit(A, B)}, 1)["draws"]
    print(f"GeometryScore, N = 1000, 100 draws: {seconds:.2f} s")

    a, b = network(784, 512, 512, 10), network(784, 512, 512, 10)
    for representation in ("silhouette", "landscape", "heat", "betti"):
        measure = NetworkPersistence(representation)
        seconds = interleaved({"fit": lambda m=measure: m.fit(a, b)}, 3)["fit"]
        print(f"784-512-512-10, a pair, {representation}: {seconds:.2f} s")
    wide = network(3000, 2000, 2000)
    n_weights = sum(W.size for W, _ in wide)
    before = megabytes()
    seconds = interleaved({"fit": lambda: NetworkPersistence().fit(wide, wide)}, 1)
    print(
        f"{n_weights / 1e6:.0f} million weights, a pair: {seconds['fit']:.1f} s, "
        f"{(megabytes() - before) * 2**20 / n_weights:.0f} bytes a weight at the peak"
    )


if __name__ == "__main__":
    main()
