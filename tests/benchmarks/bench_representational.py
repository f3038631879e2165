"""Speed and memory of the alignment and RSM measures.

Each measure against a direct numpy/scipy transcription of its formula, both called in
turn in one process on one BLAS thread, in CPU time; peak memory above the inputs as
numpy reports it. Run as::

    python tests/benchmarks/bench_representational.py [2000x256 | 10000x512 | 2000x4096]
        [--dtype float32] [--only NAME,NAME] [--permutations]
"""

import _timing  # isort: skip  (sets one BLAS thread before numpy is imported)

import argparse
import tracemalloc
import warnings

import numpy as np
import scipy.linalg
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata
from sklearn.metrics.pairwise import euclidean_distances

from sksim.alignment import (
    AlignedCosine,
    AngularShapeMetric,
    CorrelationMatch,
    LinearRegressionSimilarity,
    MaximumMatching,
    OrthogonalProcrustes,
    PartialSoftMatching,
    PartialWhiteningShapeMetric,
    PermutationProcrustes,
    SoftMatching,
)
from sksim.rsm import (
    CKA,
    GULP,
    HSIC,
    RSA,
    DecodingSimilarity,
    DistanceCorrelation,
    EigenspaceOverlap,
    NormalizedBures,
    PointwiseKernelAlignment,
    RiemannianDistance,
    RSMNormDifference,
)


def unit(X):
    X = X - X.mean(axis=0)
    return X / np.linalg.norm(X)


def upper(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def double_centred(K):
    return K - K.mean(axis=0) - K.mean(axis=1)[:, None] + K.mean()


def cosine(a, b):
    return np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)


def rsa_spearman(X, y):
    ranks = (rankdata(upper(1 - np.corrcoef(v))) for v in (X, y))
    return np.corrcoef(*ranks)[0, 1]


def rsa_pearson(X, y):
    return np.corrcoef(*(upper(1 - np.corrcoef(v)) for v in (X, y)))[0, 1]


def rsa_euclidean(X, y):
    return np.corrcoef(*(upper(euclidean_distances(v)) for v in (X, y)))[0, 1]


def distance_correlation(X, y):
    A, B = (double_centred(euclidean_distances(v)) for v in (X, y))
    return cosine(A, B) ** 0.5


def rbf_cka(X, y):
    kernels = []
    for v in (X, y):
        d = euclidean_distances(v)
        width = 0.5 * np.median(upper(d))
        kernels.append(double_centred(np.exp(-(d**2) / (2 * width**2))))
    return cosine(*kernels)


def linear_hsic(X, y):
    n = len(X)
    K, L = (double_centred(v @ v.T) for v in (X, y))
    return np.sum(K * L) / (n - 1) ** 2


def rsm_norm(X, y):
    return np.linalg.norm(euclidean_distances(X) - euclidean_distances(y))


def bures(X, y):
    return np.linalg.norm(unit(X).T @ unit(y), "nuc")


def eigenspace_overlap(X, y):
    U, V = (np.linalg.svd(v, full_matrices=False)[0] for v in (X, y))
    return np.sum((U.T @ V) ** 2) / max(U.shape[1], V.shape[1])


def gulp(X, y, lam=0.01):
    n = len(X)
    X, y = (unit(v) * n**0.5 for v in (X, y))
    S, T, C = X.T @ X / n, y.T @ y / n, X.T @ y / n
    P, Q = (np.linalg.inv(M + lam * np.eye(len(M))) for M in (S, T))
    own = np.trace(P @ S @ P @ S) + np.trace(Q @ T @ Q @ T)
    return (own - 2 * np.trace(P @ C @ Q @ C.T)) ** 0.5


def riemannian(X, y, ridge=1e-3):
    S, T = (v @ v.T / v.shape[1] + ridge * np.eye(len(v)) for v in (X, y))
    return np.linalg.norm(np.log(scipy.linalg.eigvalsh(T, S)))


def pointwise(X, y):
    K, L = ((c := v - v.mean(axis=0)) @ c.T for v in (X, y))
    norms = np.linalg.norm(K, axis=1) * np.linalg.norm(L, axis=1)
    return np.mean(np.sum(K * L, axis=1) / norms)


def procrustes(X, y):
    return (2 - 2 * np.linalg.norm(unit(X).T @ unit(y), "nuc")) ** 0.5


def angular(X, y):
    return np.arccos(np.linalg.norm(unit(X).T @ unit(y), "nuc"))


def partial_whitening(X, y, alpha=0.5):
    whitened = []
    for v in (X, y):
        v = unit(v)
        eigenvalues, vectors = np.linalg.eigh(v.T @ v)
        root = (vectors / np.sqrt(eigenvalues)) @ vectors.T
        whitened.append(v @ (alpha * np.eye(v.shape[1]) + (1 - alpha) * root))
    Z, W = whitened
    return np.arccos(
        np.linalg.norm(Z.T @ W, "nuc") / np.linalg.norm(Z) / np.linalg.norm(W)
    )


def permutation(X, y):
    A, B = unit(X), unit(y)
    i, j = linear_sum_assignment(-A.T @ B)
    return np.linalg.norm(A[:, i] - B[:, j])


def soft(X, y):
    from ot import emd2

    A, B = unit(X), unit(y)
    costs = euclidean_distances(A.T, B.T, squared=True)
    margins = (np.full(v.shape[1], 1 / v.shape[1]) for v in (A, B))
    return emd2(*margins, costs.astype(float), numItermax=10_000_000) ** 0.5


def aligned_cosine(X, y):
    A, B = (v - v.mean(axis=0) for v in (X, y))
    A_norms, B_norms = (np.linalg.norm(v, axis=1) for v in (A, B))
    mapped = A @ scipy.linalg.orthogonal_procrustes(A, B)[0]
    return np.mean(np.sum(mapped * B, axis=1) / A_norms / B_norms)


def regression(X, y):
    X, y = (v - v.mean(axis=0) for v in (X, y))
    residual = y - X @ np.linalg.lstsq(X, y, rcond=None)[0]
    return 1 - np.sum(residual**2) / np.sum(y**2)


def correlation_match(X, y):
    width = X.shape[1]
    C = np.corrcoef(X.T, y.T)[:width, width:]
    return C[linear_sum_assignment(-C)].mean()


def soft_correlation_match(X, y):
    width = X.shape[1]
    C = np.corrcoef(X.T, y.T)[:width, width:]
    return (C.max(axis=0).mean() + C.max(axis=1).mean()) / 2


def decoding(X, y, ridge=0.1):
    smoothers = []
    for rows in (X, y):
        rows = rows - rows.mean(axis=0)
        K = rows @ rows.T
        smoothers.append(np.linalg.solve(K + len(K) * ridge * np.eye(len(K)), K))
    return cosine(*smoothers)


def partial_soft(X, y, mass=0.5):
    from ot.partial import partial_wasserstein

    X, y = (rows - rows.mean(axis=0) for rows in (X, y))
    X, y = (rows / np.linalg.norm(rows, axis=0) for rows in (X, y))
    costs = 1 - X.T @ y
    margins = [np.full(width, 1 / width) for width in costs.shape]
    plan = partial_wasserstein(*margins, costs, m=mass)
    return 1 - np.sum(plan * costs) / mass


def maximum_match(X, y, epsilon=0.3):
    kept = [np.arange(X.shape[1]), np.arange(y.shape[1])]
    while True:
        counts = [len(k) for k in kept]
        for side, (A, B) in enumerate(((X, y), (y, X))):
            a, b = kept[side], kept[1 - side]
            if not len(a) or not len(b):
                return 0.0
            residual = A[:, a] - B[:, b] @ np.linalg.lstsq(B[:, b], A[:, a])[0]
            near = np.linalg.norm(residual, axis=0) <= epsilon * np.linalg.norm(
                A[:, a], axis=0
            )
            kept[side] = a[near]
        if counts == [len(k) for k in kept]:
            return sum(counts) / (X.shape[1] + y.shape[1])


MEASURES = {
    "CKA rbf": (CKA(kernel="rbf"), rbf_cka),
    "HSIC linear": (HSIC(), linear_hsic),
    "RSA Spearman, correlation": (RSA(), rsa_spearman),
    "RSA Pearson, correlation": (RSA(comparison="pearson"), rsa_pearson),
    "RSA Pearson, Euclidean": (RSA("euclidean", "pearson"), rsa_euclidean),
    "DistanceCorrelation": (DistanceCorrelation(), distance_correlation),
    "RSMNormDifference": (RSMNormDifference(), rsm_norm),
    "NormalizedBures": (NormalizedBures(), bures),
    "EigenspaceOverlap": (EigenspaceOverlap(), eigenspace_overlap),
    "GULP": (GULP(), gulp),
    "DecodingSimilarity": (DecodingSimilarity(), decoding),
    "RiemannianDistance": (RiemannianDistance(), riemannian),
    "PointwiseKernelAlignment": (PointwiseKernelAlignment(), pointwise),
    "OrthogonalProcrustes": (OrthogonalProcrustes(), procrustes),
    "AngularShapeMetric": (AngularShapeMetric(), angular),
    "PartialWhiteningShapeMetric": (PartialWhiteningShapeMetric(), partial_whitening),
    "LinearRegressionSimilarity": (LinearRegressionSimilarity(), regression),
    "AlignedCosine": (AlignedCosine(), aligned_cosine),
    "PermutationProcrustes": (PermutationProcrustes(), permutation),
    "SoftMatching": (SoftMatching(), soft),
    "PartialSoftMatching .5": (PartialSoftMatching(0.5), partial_soft),
    "CorrelationMatch hard": (CorrelationMatch(), correlation_match),
    "CorrelationMatch soft": (CorrelationMatch("soft"), soft_correlation_match),
    "MaximumMatching .3": (MaximumMatching(0.3), maximum_match),
}
# Without a ridge or a rank these formulas can't be evaluated where D > N; others make
# matrices of gigabytes where N is large.
NEEDS_MORE_ROWS = {"PartialWhiteningShapeMetric", "LinearRegressionSimilarity"}
NEEDS_FEW_ROWS = {"RiemannianDistance"}


def make_pair(n_samples, width, dtype, width_y=None):
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(n_samples, 32))
    pair = [
        latent @ rng.normal(size=(32, w)) / 4 + rng.normal(size=(n_samples, w))
        for w in (width, width_y or width)
    ]
    return [view.astype(dtype) for view in pair]


def value_and_peak(function):
    """What a function returns, and its peak memory in MB."""
    tracemalloc.start()
    try:
        return function(), tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def is_wanted(name, only):
    """Whether one of the comma-separated parts of ``only`` is in the name."""
    return any(part in name for part in only.split(","))


def compare(shape, dtype, only):
    n_samples, width = shape
    print(f"{n_samples} x {width}, {dtype}")
    X, y = make_pair(n_samples, width, dtype)
    for name, (measure, transcription) in MEASURES.items():
        if not is_wanted(name, only):
            continue
        if width > n_samples and name in NEEDS_MORE_ROWS:
            continue
        if n_samples > 4000 and name in NEEDS_FEW_ROWS:
            continue
        second = y
        if name == "SoftMatching":
            second = make_pair(n_samples, width, dtype, 3 * width // 4)[1]

        def ours(measure=measure, second=second):
            return measure.fit(X, second).statistic_

        def other(transcription=transcription, second=second):
            return transcription(X, second)

        large = n_samples * width > 10**6
        _timing.report(name, ours, other, repeats=1 if large else 3)
        (value, memory), (expected, other_memory) = map(value_and_peak, (ours, other))
        print(
            f"    peak {memory:.0f} / {other_memory:.0f} MB, values differ by "
            f"{abs(value - expected) / max(abs(expected), 1e-300):.1e}",
            flush=True,
        )


def compare_permutations(only):
    """One permutation: everything again, or the view relabelled."""
    X, y = make_pair(1000, 256, np.float64)
    order = np.random.default_rng(1).permutation(1000)
    print("one permutation, 1000 x 256")
    for name, (measure, _) in MEASURES.items():
        if not is_wanted(name, only) or name == "SoftMatching":
            continue
        comparison = measure._open(X, y).for_permutations()

        def relabelled(comparison=comparison):
            return comparison.permuted([order])[0]

        def again(measure=measure):
            return measure.fit(X, y[order]).statistic_

        _timing.report(name, relabelled, again, repeats=3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("shape", nargs="?", default="2000x256")
    parser.add_argument("--dtype", default="float64")
    parser.add_argument("--only", default="")
    parser.add_argument("--permutations", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if arguments.permutations:
        compare_permutations(arguments.only)
    else:
        shape = tuple(int(number) for number in arguments.shape.split("x"))
        compare(shape, arguments.dtype, arguments.only)
