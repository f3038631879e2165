"""First measures against a direct transcription of their formulas.

Run with ``python tests/benchmarks/bench_core.py [n_samples n_features]``. CPU time,
one BLAS thread, both sides in turn in one process; the last column is how many times
faster sksim is.
"""

import sys

from _timing import report

import numpy as np  # isort: skip
from scipy.spatial.distance import pdist, squareform
from scipy.special import rel_entr

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import PWCCA, SVCCA, MeanCCA, MeanSquaredCCA
from sksim.functional import Disagreement, JensenShannonDivergence
from sksim.rsm import CKA


def cka(X, y):
    X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    return np.linalg.norm(X.T @ y) ** 2 / (
        np.linalg.norm(X.T @ X) * np.linalg.norm(y.T @ y)
    )


def canonical_correlations(X, y):
    X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    Q, P = np.linalg.qr(X)[0], np.linalg.qr(y)[0]
    return np.linalg.svd(Q.T @ P, compute_uv=False)


def svcca(X, y):
    bases = []
    for Z in (X, y):
        U, s, _ = np.linalg.svd(Z - Z.mean(axis=0), full_matrices=False)
        kept = 1 + np.sum(np.cumsum(s**2) < 0.99 * np.sum(s**2))
        bases.append(U[:, :kept])
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False).mean()


def pwcca(X, y):
    X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    Q, P = np.linalg.qr(X)[0], np.linalg.qr(y)[0]
    U, s, _ = np.linalg.svd(Q.T @ P)
    weights = np.abs((Q @ U).T @ X).sum(axis=1)
    return weights @ s / weights.sum()


def procrustes(X, y):
    X, y = X - X.mean(axis=0), y - y.mean(axis=0)
    X, y = X / np.linalg.norm(X), y / np.linalg.norm(y)
    nuclear = np.linalg.svd(X.T @ y, compute_uv=False).sum()
    return np.sqrt(max(0, 2 - 2 * nuclear))


def rbf_cka(X, y):
    kernels = []
    for Z in (X, y):
        d = pdist(Z, "sqeuclidean")
        K = np.exp(-squareform(d) / (2 * 0.25 * np.median(d)))
        K = K - K.mean(axis=0) - K.mean(axis=1)[:, None] + K.mean()
        kernels.append(K)
    K, L = kernels
    return np.sum(K * L) / np.linalg.norm(K) / np.linalg.norm(L)


def textbook_cka(X, y):
    kernels = []
    for Z in (X, y):
        K = Z @ Z.T
        kernels.append(K - K.mean(axis=0) - K.mean(axis=1)[:, None] + K.mean())
    K, L = kernels
    return np.sum(K * L) / np.linalg.norm(K) / np.linalg.norm(L)


def jensen_shannon(P, Q):
    M = (P + Q) / 2
    return (rel_entr(P, M) + rel_entr(Q, M)).sum(axis=1).mean() / 2


def related(rng, n_samples, n_features, dtype=float):
    shared = rng.normal(size=(n_samples, n_features // 2))
    views = []
    for _ in range(2):
        mixing = rng.normal(size=(n_features // 2, n_features)) / n_features**0.5
        noise = rng.normal(size=(n_samples, n_features))
        views.append((shared @ mixing + 0.5 * noise).astype(dtype))
    return views


def main(n_samples=10000, n_features=512):
    rng = np.random.default_rng(0)
    pairs = {
        "MeanCCA": (MeanCCA(), lambda X, y: canonical_correlations(X, y).mean()),
        "MeanSquaredCCA": (
            MeanSquaredCCA(),
            lambda X, y: np.mean(canonical_correlations(X, y) ** 2),
        ),
        "SVCCA": (SVCCA(), svcca),
        "PWCCA": (PWCCA(), pwcca),
        "CKA": (CKA(), cka),
        "OrthogonalProcrustes": (OrthogonalProcrustes(), procrustes),
    }
    print(f"{'':58s} {'sksim':>12s} {'formula':>12s}   faster")
    for dtype in (np.float64, np.float32):
        X, y = related(rng, n_samples, n_features, dtype)
        for name, (measure, formula) in pairs.items():
            title = f"{name} {n_samples} x {n_features} {dtype.__name__}"
            report(title, lambda m=measure: m.fit(X, y), lambda f=formula: f(X, y))
    X, y = related(rng, 2000, 256)
    measure = CKA(kernel="rbf")
    report("CKA rbf 2000 x 256", lambda: measure.fit(X, y), lambda: rbf_cka(X, y), 3)

    labels = rng.integers(0, 10, (2, n_samples))
    P, Q = rng.dirichlet(np.ones(10), (2, n_samples))
    report(
        f"Disagreement {n_samples}",
        lambda: Disagreement().fit(*labels),
        lambda: np.mean(labels[0] != labels[1]),
    )
    report(
        f"JensenShannonDivergence {n_samples} x 10",
        lambda: JensenShannonDivergence().fit(P, Q),
        lambda: jensen_shannon(P, Q),
    )

    X, y = related(rng, 1000, 256)
    orders = [rng.permutation(1000) for _ in range(20)]
    comparison = CKA()._open(X, y).for_permutations()

    def permutations():
        for order in orders:
            comparison.permuted([order])

    report(
        "20 CKA permutations 1000 x 256 against the n x n formula",
        permutations,
        lambda: [textbook_cka(X, y[order]) for order in orders],
    )
    report(
        "20 CKA permutations 1000 x 256 against fit",
        permutations,
        lambda: [CKA().fit(X, y[order]) for order in orders],
    )


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
