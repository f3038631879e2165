"""A permutation against what it replaces, and whole tests against other packages.

Run with ``python tests/benchmarks/bench_inference.py [n_samples n_features]``. CPU
time, one BLAS thread, both sides in turn in one process; the last column is how many
times faster sksim is. hyppo and calibrated-similarity are compared if installed.
"""

import sys

from _timing import report

import numpy as np  # isort: skip
import warnings

from scipy.spatial.distance import pdist
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.metrics import pairwise_distances

from sksim import all_measures
from sksim.cca import MeanCCA, MeanSquaredCCA
from sksim.inference import (
    CalibratedSimilarity,
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.inference._nulls import RowNull
from sksim.rsm import CKA

# What is replaced runs this many times, and permutations are drawn by the batch.
REFITS = 10
BATCHES = [range(start, start + 32) for start in range(0, 96, 32)]


def permutations_of(measure, X, y):
    """Permutations of views that are made already."""
    null = RowNull(clone(measure)._open(X, y), random_state=0)
    return lambda: [null.draw(numbers) for numbers in BATCHES]


def textbook(kernel):
    """The N x N formula, once for each permutation."""

    def centred(Z):
        K = kernel(Z)
        return K - K.mean(axis=0) - K.mean(axis=1)[:, None] + K.mean()

    def run(X, y, orders):
        for order in orders:
            K, L = centred(X), centred(y[order])
            np.sum(K * L) / np.sqrt(np.sum(K * K) * np.sum(L * L))

    return run


def linear_kernel(Z):
    return Z @ Z.T


def rbf_kernel(Z):
    D = pairwise_distances(Z)
    width = 0.5 * np.median(D[np.triu_indices(len(D), k=1)])
    return np.exp(-(D**2) / (2 * width**2))


def rsa(X, y, orders):
    first = rankdata(pdist(X, "correlation"))
    for order in orders:
        np.corrcoef(first, rankdata(pdist(y[order], "correlation")))


def textbook_cca(power):
    """Bases by QR and canonical correlations by SVD, for each permutation."""

    def run(X, y, orders):
        for order in orders:
            bases = [np.linalg.qr(Z - Z.mean(axis=0))[0] for Z in (X, y[order])]
            np.mean(np.linalg.svd(bases[0].T @ bases[1], compute_uv=False) ** power)

    return run


def refits(measure):
    def run(X, y, orders):
        for order in orders:
            clone(measure).fit(X, y[order])

    return run


def per_permutation(X, y):
    measures = {name: cls() for name, cls in all_measures()}
    orders = [np.random.default_rng(i).permutation(len(X)) for i in range(REFITS)]
    n_permutations = sum(map(len, BATCHES))
    others = {
        "linear CKA, textbook (10)": (CKA(), textbook(linear_kernel)),
        "RBF CKA, textbook (15)": (CKA(kernel="rbf"), textbook(rbf_kernel)),
        "dCor, textbook (15)": (
            measures.get("DistanceCorrelation"),
            textbook(pairwise_distances),
        ),
        "RSA Spearman, textbook (80)": (measures.get("RSA"), rsa),
        "linear CKA, own fit (3)": (CKA(), refits(CKA())),
        "mean squared CCA, textbook (10)": (MeanSquaredCCA(), textbook_cca(2)),
        "mean CCA, textbook (5)": (MeanCCA(), textbook_cca(1)),
        "mean squared CCA, own fit (10)": (MeanSquaredCCA(), refits(MeanSquaredCCA())),
        "mean CCA, own fit (5)": (MeanCCA(), refits(MeanCCA())),
    }
    for name, target in (("NeighborJaccard", 300), ("LinearRegressionSimilarity", 4)):
        measure = measures.get(name)
        others[f"{name}, own fit ({target})"] = (measure, refits(measure))
    for title, (measure, other) in others.items():
        if measure is not None:
            report(
                f"a permutation: {title}",
                permutations_of(measure, X, y),
                lambda other=other: other(X, y, orders),
                repeats=3,
                calls=(n_permutations, REFITS),
            )


def jackknife(X, y):
    measure = CKA(debias="rows")

    def refit_without_ten_rows():
        for i in range(REFITS):
            clone(measure).fit(np.delete(X, i, axis=0), np.delete(y, i, axis=0))

    report(
        f"jackknife of {len(X)} rows, against {REFITS} refits",
        lambda: similarity_interval(measure, X, y),
        refit_without_ten_rows,
        repeats=3,
    )


def closed_form(X, y):
    measure = CKA()

    def refit():
        for i in range(REFITS):
            clone(measure).fit(X, y[np.random.default_rng(i).permutation(len(X))])

    report(
        f"exact null mean of CKA, against {REFITS} refits",
        lambda: CalibratedSimilarity(measure).fit(X, y),
        refit,
        repeats=3,
    )


def masked_bootstrap(X, y):
    """A replicate in n x n matrices, as the estimator is defined, is the other side."""
    measure, count = CKA(debias="rows"), 32

    def in_matrices():
        rng = np.random.default_rng(0)
        for _ in range(REFITS):
            weights = np.bincount(rng.integers(len(X), size=len(X)), minlength=len(X))
            pairs = np.outer(weights, weights).astype(float)
            np.fill_diagonal(pairs, 0)
            others = weights.sum() - 2 * weights
            kernels = []
            for K in (X @ X.T, y @ y.T):
                sums = (pairs * K).sum(axis=1) / np.maximum(weights, 1)
                total = np.sum(weights * sums / others)
                total /= 1 + np.sum(weights / others)
                effects = (sums - total) / others
                kernels.append(K - effects - effects[:, None])
            K, L = kernels
            np.sum(pairs * K * L) / np.sqrt(
                np.sum(pairs * K * K) * np.sum(pairs * L * L)
            )

    report(
        "a replicate of the masked bootstrap, n x n matrices",
        lambda: similarity_interval(
            measure, X, y, method="masked_bootstrap", n_resamples=count
        ),
        in_matrices,
        repeats=3,
        calls=(count, REFITS),
    )


def layers_by_layers(X, y):
    """One permutation of 6 x 6 cells, in one test and in a test of each cell."""
    rng = np.random.default_rng(0)
    sides = [[Z + rng.normal(size=Z.shape) for _ in range(6)] for Z in (X, y)]
    settings = {"n_permutations": 32, "random_state": 0}
    for measure in (CKA(), CKA(kernel="rbf")):
        report(
            f"a permutation of 6 x 6 cells: {measure}, single tests",
            lambda measure=measure: similarity_matrix_test(measure, *sides, **settings),
            lambda measure=measure: [
                similarity_test(measure, x, z, **settings)
                for x in sides[0]
                for z in sides[1]
            ],
            repeats=1,
            calls=(32, 32),
        )


def against_hyppo(X, y):
    try:
        from hyppo.independence import Dcorr
    except ImportError:
        print("hyppo is not installed")
        return
    measures = dict(all_measures())
    if "DistanceCorrelation" not in measures:
        return
    measure = measures["DistanceCorrelation"](debias="rows")
    # hyppo compiles on its first call
    Dcorr().test(X[:50], y[:50], reps=9, auto=False, workers=1)
    report(
        "hyppo: 499 permutations of distance correlation (50)",
        lambda: similarity_test(measure, X, y, n_permutations=499, random_state=0),
        lambda: Dcorr().test(X, y, reps=499, auto=False, workers=1),
        repeats=1,
    )


def against_calibrated_similarity(X, y):
    try:
        import calibrated_similarity
        import torch
    except ImportError:
        print("calibrated-similarity is not installed")
        return
    torch.set_num_threads(1)
    first, second = torch.asarray(X), torch.asarray(y)
    measures = dict(all_measures())

    def cka(A, B):
        A, B = A - A.mean(0), B - B.mean(0)
        product = torch.linalg.norm(A.T @ B) ** 2
        return product / torch.linalg.norm(A.T @ A) / torch.linalg.norm(B.T @ B)

    def mutual_knn(A, B, k=10):
        lists = []
        for Z in (A, B):
            Z = Z / torch.linalg.norm(Z, dim=1, keepdim=True)
            cosines = Z @ Z.T
            cosines.fill_diagonal_(-2)
            members = torch.zeros_like(cosines)
            members.scatter_(1, cosines.topk(k, dim=1).indices, 1.0)
            lists.append(members)
        return (lists[0] * lists[1]).sum(1).mean() / k

    pairs = {"CKA": (CKA(), cka), "mutual k-NN": (measures["MutualKNN"](), mutual_knn)}
    for title, (measure, function) in pairs.items():
        report(
            f"calibrated-similarity: 200 permutations of {title} (10)",
            lambda measure=measure: similarity_test(
                measure, X, y, n_permutations=200, random_state=0
            ),
            lambda function=function: calibrated_similarity.calibrate(
                first, second, function, K=200
            ),
            repeats=1,
        )


def main():
    n, width = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (1000, 256)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, width))
    y = X @ rng.normal(size=(width, width)) / 16 + rng.normal(size=(n, width))
    print(f"{n} rows, {width} columns; targets in brackets")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        per_permutation(X, y)
        jackknife(X, y)
        closed_form(X, y)
        masked_bootstrap(X, y)
        layers_by_layers(X, y)
        against_hyppo(X, y)
        against_calibrated_similarity(X, y)


if __name__ == "__main__":
    main()
