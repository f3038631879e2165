"""Neighbours, graphs and statistics against faiss and transcriptions of the formulas.

Run with ``python tests/benchmarks/bench_neighbors.py [n_samples n_features [word ...]]``:
CPU time, one BLAS thread, both sides in turn in one process. The last column is how many
times faster sksim is. With words only measures of agreement whose names have one of them. faiss (``pip install faiss-cpu``) is used where it is installed.
"""

import sys
import tracemalloc

from _timing import report

import numpy as np  # isort: skip
from scipy.stats import kendalltau
from sklearn.neighbors import NearestNeighbors

from sksim.neighbors import (
    CKNNA,
    CycleKNN,
    GraphBasedSimilarity,
    ManifoldKernelAlignment,
    NeighborJaccard,
    QuadrupletAgreement,
    RankSimilarity,
    SecondOrderCosine,
    SharedNeighborSequence,
    TripletAgreement,
)
from sksim.statistics import Tolerance, Uniformity

K = 10


def unit(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def faiss_lists(X):
    import faiss

    faiss.omp_set_num_threads(1)
    index = faiss.IndexFlatIP(X.shape[1])
    X = unit(X).astype(np.float32)
    index.add(X)
    return index.search(X, K + 1)[1][:, 1:]


def scikit_learn_lists(X):
    search = NearestNeighbors(n_neighbors=K + 1, metric="cosine").fit(X)
    return search.kneighbors(X)[1][:, 1:]


def jaccard(lists_x, lists_y):
    both = np.sort(np.concatenate([lists_x, lists_y], axis=1), axis=1)
    n_shared = (both[:, 1:] == both[:, :-1]).sum(axis=1)
    return (n_shared / (2 * K - n_shared)).mean()


def jaccard_of_sets(lists_x, lists_y):
    values = []
    for a, b in zip(lists_x, lists_y, strict=True):
        values.append(len(set(a) & set(b)) / len(set(a) | set(b)))
    return np.mean(values)


def rank_similarity_of_sets(lists_x, lists_y):
    values = []
    for a, b in zip(lists_x, lists_y, strict=True):
        ranks_x, ranks_y = ({j: r + 1 for r, j in enumerate(c)} for c in (a, b))
        shared = set(a) & set(b)
        total = sum(
            2 / (1 + abs(ranks_x[j] - ranks_y[j])) / (ranks_x[j] + ranks_y[j])
            for j in shared
        )
        values.append(total / sum(1 / q for q in range(1, len(shared) + 1) or [1]))
    return np.mean(values)


def second_order_cosine_of_sets(X, y, lists_x, lists_y):
    cosines_x, cosines_y = (unit(Z) @ unit(Z).T for Z in (X, y))
    values = []
    for i, (a, b) in enumerate(zip(lists_x, lists_y, strict=True)):
        union = list(set(a) | set(b))
        s, t = cosines_x[i, union], cosines_y[i, union]
        values.append(s @ t / np.linalg.norm(s) / np.linalg.norm(t))
    return np.mean(values)


def graph_based(X, y):
    graphs = [unit(Z) @ unit(Z).T for Z in (X, y)]
    for graph in graphs:
        np.fill_diagonal(graph, 0)
    return np.mean(np.sum(unit(graphs[0]) * unit(graphs[1]), axis=1))


def distances_of(X):
    squares = (X * X).sum(axis=1)
    squared = squares[:, None] + squares - 2 * X @ X.T
    np.fill_diagonal(squared, 0)
    return np.sqrt(np.maximum(squared, 0))


def triplets(X, y):
    d, e = distances_of(X), distances_of(y)
    n, agreeing = len(d), 0
    for a, b in zip(d, e, strict=True):
        same = np.sign(a[:, None] - a) == np.sign(b[:, None] - b)
        agreeing += same.sum() - n
    # those with the row itself agree, since its distance is the smallest in both
    return (agreeing - 2 * n * (n - 1)) / (n * (n - 1) * (n - 2))


def quadruplets(X, y):
    """By scipy's tau of all pairs, of which those with a shared row remain."""
    pairs = np.triu_indices(len(X), 1)
    tau = kendalltau(distances_of(X)[pairs], distances_of(y)[pairs]).statistic
    return (1 + tau) / 2


def cycles(X, y):
    lists_x, lists_y = scikit_learn_lists(X), scikit_learn_lists(y)
    return np.mean([i in lists_x[row] for i, row in enumerate(lists_y)])


def common_subsequence(X, y):
    lengths = []
    for a, b in zip(scikit_learn_lists(X), scikit_learn_lists(y), strict=True):
        table = np.zeros((K + 1, K + 1), dtype=int)
        for i, j in np.ndindex(K, K):
            longer = max(table[i, j + 1], table[i + 1, j])
            table[i + 1, j + 1] = table[i, j] + 1 if a[i] == b[j] else longer
        lengths.append(table[-1, -1])
    return np.mean(lengths) / K


def manifold_kernels(X, y):
    kernels = []
    for rows in (X, y):
        distances = distances_of(rows)
        n = len(distances)
        W = np.eye(n)
        lists = np.argsort(distances, axis=1)[:, 1 : K + 1]
        for i, own in enumerate(lists):
            beyond = distances[i, own] - distances[i, own[0]]
            low, high = 0.0, 1000.0
            for _ in range(64):
                width = (low + high) / 2
                total = np.exp(-beyond / width).sum()
                low, high = (width, high) if total < np.log2(K) else (low, width)
            W[i, own] = np.exp(-beyond / width)
        kernels.append(W - W.mean(axis=1, keepdims=True))
    A, B = kernels
    return np.sum(A * B) / np.linalg.norm(A) / np.linalg.norm(B)


def masked_hsic(X, y):
    kernels, masks = [unit(rows) @ unit(rows).T for rows in (X, y)], []
    for kernel in kernels:
        np.fill_diagonal(kernel, -np.inf)
        mask = np.zeros(kernel.shape)
        np.put_along_axis(mask, np.argsort(-kernel, axis=1)[:, :K], 1, axis=1)
        np.fill_diagonal(kernel, 0)
        masks.append(mask)
    n = len(X)

    def product(A, B):
        crossed = A.sum(axis=0) @ B.sum(axis=1)
        total = A.sum() * B.sum() / ((n - 1) * (n - 2))
        return np.sum(A * B.T) - 2 * crossed / (n - 2) + total

    (a, b), (p, q) = kernels, masks
    norms = product(p * a, p * a) * product(q * b, q * b)
    return product(p * q * a, p * q * b) / np.sqrt(norms)


NEWER = {
    "triplets, signs": (TripletAgreement(), triplets),
    "quadruplets, scipy's tau": (QuadrupletAgreement(), quadruplets),
    "cycles, scikit-learn": (CycleKNN(K), cycles),
    "common subsequence, loops": (SharedNeighborSequence(K), common_subsequence),
    "manifold kernels, loops": (ManifoldKernelAlignment(K), manifold_kernels),
    "CKNNA hsic_unbiased": (CKNNA(K, estimator="hsic_unbiased"), masked_hsic),
}


def uniformity(X):
    import torch

    rows = torch.nn.functional.normalize(torch.asarray(X), dim=1)
    return torch.pdist(rows).pow(2).mul(-2).exp().mean().log()


def tolerance(X, labels):
    rows = unit(X)
    return np.mean((rows @ rows.T) * (labels[:, None] == labels))


def peak_megabytes(function):
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1e6


def make_pair(n_samples, n_features, dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features)).astype(dtype)
    mixing = rng.normal(size=(n_features, n_features)) / n_features**0.5
    y = np.maximum(X @ mixing, 0).astype(dtype)
    y += 0.5 * rng.normal(size=X.shape).astype(dtype)
    return X, y, f"{n_samples} x {n_features} {np.dtype(dtype).name}"


def bench_newer(X, y, what, words=("",)):
    for name, (newer, transcribed) in NEWER.items():
        if not any(word in name for word in words):
            continue
        if name.startswith("triplets") and len(X) > 4096:
            continue  # signs of n^3 differences
        report(
            f"{name}, {what}",
            lambda m=newer: m.fit(X, y),
            lambda t=transcribed: t(X, y),
            1,
        )


def bench(n_samples, n_features, dtype):
    X, y, what = make_pair(n_samples, n_features, dtype)
    repeats = 3 if n_samples > 5000 else 5
    measure = NeighborJaccard(K)
    try:
        import faiss  # noqa: F401
    except ImportError:
        print("faiss is not installed")
    else:
        expected = jaccard(faiss_lists(X), faiss_lists(y))
        print(f"Jaccard {measure.fit(X, y).score_:.6f}, by faiss {expected:.6f}")
        report(
            f"Jaccard, faiss-flat float32, {what}",
            lambda: measure.fit(X, y),
            lambda: jaccard(faiss_lists(X), faiss_lists(y)),
            repeats,
        )
    print(f"peak memory {peak_megabytes(lambda: measure.fit(X, y)):.0f} MB")
    both = scikit_learn_lists
    report(
        f"Jaccard, scikit-learn and sets, {what}",
        lambda: measure.fit(X, y),
        lambda: jaccard_of_sets(both(X), both(y)),
        repeats,
    )
    report(
        f"rank similarity, scikit-learn and sets, {what}",
        lambda: RankSimilarity(K).fit(X, y),
        lambda: rank_similarity_of_sets(both(X), both(y)),
        repeats,
    )
    report(
        f"second-order cosine, scikit-learn and sets, {what}",
        lambda: SecondOrderCosine(K).fit(X, y),
        lambda: second_order_cosine_of_sets(X, y, both(X), both(y)),
        repeats,
    )
    report(
        f"GBS, N x N arrays, {what}",
        lambda: GraphBasedSimilarity().fit(X, y),
        lambda: graph_based(X, y),
        repeats,
    )
    bench_newer(X, y, what)
    report(
        f"uniformity, torch.pdist, {what}",
        lambda: Uniformity().fit(X, y),
        lambda: (uniformity(X), uniformity(y)),
        repeats,
    )
    labels = np.arange(n_samples) % 10
    report(
        f"tolerance, N x N arrays, {what}",
        lambda: Tolerance().fit(X, y, y_true=labels),
        lambda: (tolerance(X, labels), tolerance(y, labels)),
        repeats,
    )


def bench_permutations(n_samples=1000, n_features=256):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, n_samples, n_features))
    order = rng.permutation(n_samples)
    for measure in (
        NeighborJaccard(K),
        RankSimilarity(K),
        SecondOrderCosine(K),
        GraphBasedSimilarity(),
        GraphBasedSimilarity(K),
    ):
        comparison = measure._open(X, y).for_permutations()
        report(
            f"a permutation, recomputed, {measure}",
            lambda c=comparison: c.permuted([order]),
            lambda m=measure: m.fit(X, y[order]),
            20,
        )


if __name__ == "__main__":
    size = tuple(map(int, sys.argv[1:3])) or (2000, 256)
    if len(sys.argv) > 3:
        bench_newer(*make_pair(*size, np.float64), sys.argv[3:])
    else:
        for dtype in (np.float32, np.float64):
            bench(*size, dtype)
        bench_permutations()
