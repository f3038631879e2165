"""What is compared with which peer: the cases of ``peers.py``.

A case's function takes the data and gives two functions without arguments, ours and the
peer's, that go from the same arrays to the same number, or numbers. Peers are imported
there, so that one which is not installed matters to its own cases only.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sksim.alignment import (
    LinearRegressionSimilarity,
    OrthogonalProcrustes,
    SoftMatching,
)
from sksim.cca import MeanCCA, MeanSquaredCCA
from sksim.functional import CohenKappa, FleissKappa, JensenShannonDivergence
from sksim.inference import similarity_test
from sksim.neighbors import NeighborJaccard
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA, RSA, DistanceCorrelation
from sksim.statistics import IntrinsicDimension


@dataclass(frozen=True)
class Case:
    """One comparison with one peer.

    Parameters
    ----------
    title : str
        What is computed; unique.
    peer : str
        The peer's name as pip knows it, or "numpy".
    module : str or None
        What it is imported as; None for naive code.
    data : callable
        Makes the arguments of ``make``.
    shape : tuple
        Arguments of ``data``.
    make : callable
        From data to our function and the peer's.
    tolerance : float
        Largest difference of values, relative to the largest.
    why : str
        What else there is to know, such as why values differ.
    """

    title: str
    peer: str
    module: str | None
    data: Callable
    shape: tuple
    make: Callable
    tolerance: float = 1e-9
    why: str = ""

    @property
    def size(self):
        """The data's shape as text."""
        numbers = [n for n in self.shape if isinstance(n, int)]
        kinds = [n for n in self.shape if isinstance(n, str)]
        return " ".join([" x ".join(map(str, numbers)), *kinds])

    def sides(self, *, small):
        """Our function and the peer's, on data of the full or of a small size."""
        shape = self.shape
        if small:
            limits = (100, 8, 3)
            shape = tuple(
                min(n, limits[i]) if isinstance(n, int) else n
                for i, n in enumerate(shape)
            )
        return self.make(*self.data(*shape))


# ----- data ---------------------------------------------------------------------------


def pair(n_samples, n_features, dtype="float64"):
    """Two representations that have about half in common."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    weights = rng.normal(size=(n_features, n_features)) / n_features**0.5
    y = np.tanh(X @ weights) + 0.5 * rng.normal(size=X.shape)
    return X.astype(dtype), y.astype(dtype)


def layers(n_samples, n_features, n_layers, dtype="float64"):
    """Layers of a random network."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, n_features))
    found = []
    for _ in range(n_layers):
        weights = 1.5 * rng.normal(size=(n_features, n_features)) / n_features**0.5
        X = np.tanh(X @ weights) + 0.1 * rng.normal(size=X.shape)
        found.append(X.astype(dtype))
    return (found,)


def answers(n_samples, n_models):
    """Labels that several models give, of ten classes."""
    rng = np.random.default_rng(0)
    truth = rng.integers(10, size=n_samples)
    wrong = rng.random((n_samples, n_models)) < 0.3
    guesses = rng.integers(10, size=(n_samples, n_models))
    return (np.where(wrong, guesses, truth[:, None]),)


def probabilities(n_samples, n_classes):
    """Two models' probabilities."""
    rng = np.random.default_rng(0)
    P, Q = rng.dirichlet(np.ones(n_classes), size=(2, n_samples))
    return P, (P + Q) / 2


def value(measure, *arrays):
    """The number of a measure."""
    return lambda: measure.fit(*arrays).statistic_


# ----- hyppo --------------------------------------------------------------------------


def hyppo_dcorr(X, y):
    from hyppo.independence import Dcorr

    ours = value(DistanceCorrelation(squared=True, debias="rows"), X, y)
    return ours, lambda: Dcorr().statistic(X, y)


def hyppo_hsic(X, y):
    from hyppo.independence import Hsic

    ours = value(CKA(kernel="rbf", bandwidth=1.0, debias="rows"), X, y)
    return ours, lambda: Hsic().statistic(X, y)


def hyppo_rv(X, y):
    from hyppo.independence import RV

    return value(CKA(), X, y), lambda: RV().statistic(X, y)


def hyppo_dcorr_test(X, y):
    from hyppo.independence import Dcorr

    measure = DistanceCorrelation(squared=True, debias="rows")

    def ours():
        result = similarity_test(measure, X, y, n_permutations=99, random_state=0)
        return result.statistic, result.pvalue

    def theirs():
        result = Dcorr().test(X, y, reps=99, workers=1, auto=False, random_state=0)
        return result[0], result[1]

    return ours, theirs


# ----- dcor ---------------------------------------------------------------------------


def dcor_biased(X, y):
    import dcor

    return value(DistanceCorrelation(), X, y), lambda: dcor.distance_correlation(X, y)


def dcor_unbiased(X, y):
    import dcor

    ours = value(DistanceCorrelation(squared=True, debias="rows"), X, y)
    return ours, lambda: dcor.u_distance_correlation_sqr(X, y)


# ----- rsatoolbox ---------------------------------------------------------------------


def rsatoolbox_rsa(method, metric, comparison):
    def make(X, y):
        from rsatoolbox.data import Dataset
        from rsatoolbox.rdm import calc_rdm, compare

        name = {"pearson": "corr"}.get(comparison, comparison)

        def theirs():
            one, other = (calc_rdm(Dataset(V), method=method) for V in (X, y))
            return compare(one, other, method=name).item()

        return value(RSA(metric=metric, comparison=comparison), X, y), theirs

    return make


# ----- pytorch-cka and torch_cka ------------------------------------------------------


def pytorch_cka_matrix(found):
    import torch
    from cka import cka_from_features

    tensors = [torch.from_numpy(layer) for layer in found]

    def ours():
        return similarity_matrix(CKA(debias="rows"), found).to_numpy()

    return ours, lambda: cka_from_features(tensors, tensors).numpy()


def pytorch_cka_pair(X, y):
    import torch
    from cka import cka_from_features

    tensors = torch.from_numpy(X), torch.from_numpy(y)
    ours = value(CKA(debias="rows"), X, y)
    return ours, lambda: cka_from_features(*tensors).item()


def torch_cka_network(X, y):
    import logging

    import torch
    from torch_cka import CKA as TorchCKA

    from sksim.models import extract_representations

    logging.disable(logging.WARNING)
    width = X.shape[1]
    torch.manual_seed(0)
    networks = [
        torch.nn.Sequential(
            *(
                module
                for _ in range(3)
                for module in (torch.nn.Linear(width, width), torch.nn.Tanh())
            )
        )
        for _ in range(2)
    ]
    names = ["1", "3", "5"]
    data = torch.utils.data.TensorDataset(torch.from_numpy(X))
    loader = torch.utils.data.DataLoader(data, batch_size=len(X))

    def ours():
        Xs, Ys = (
            extract_representations(network, X, names, batch_size=len(X))
            for network in networks
        )
        Xs, Ys = (
            {name: layer.numpy() for name, layer in views.items()} for views in (Xs, Ys)
        )
        return similarity_matrix(CKA(debias="rows"), Xs, Ys).to_numpy()

    def theirs():
        peer = TorchCKA(
            *networks,
            model1_name="a",
            model2_name="b",
            model1_layers=names,
            model2_layers=names,
        )
        with torch.no_grad():
            peer.compare(loader, loader)
        for network in networks:  # the peer leaves its hooks in place
            for module in network:
                module._forward_hooks.clear()
        return peer.export()["CKA"].numpy()

    return ours, theirs


# ----- scikit-dimension ---------------------------------------------------------------


def skdim_dimension(estimator):
    def make(X, y):
        import skdim

        def dimension(V):
            if estimator == "twonn":
                return skdim.id.TwoNN().fit(V).dimension_
            if estimator == "mle":
                return skdim.id.MLE().fit(V, n_neighbors=20, comb="mean").dimension_
            local = skdim.id.lPCA(ver="FO", alphaFO=0.05)
            return local.fit_pw(V, n_neighbors=20, n_jobs=1).dimension_pw_.mean()

        def ours():
            return IntrinsicDimension(method=estimator).fit(X, y).statistics_

        return ours, lambda: (dimension(X), dimension(y))

    return make


# ----- faiss, POT ---------------------------------------------------------------------


def faiss_jaccard(X, y):
    import faiss

    faiss.omp_set_num_threads(1)
    k = 10

    def neighbors(V):
        rows = np.ascontiguousarray(V, dtype=np.float32)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        index = faiss.IndexFlatIP(rows.shape[1])
        index.add(rows)
        found = index.search(rows, k + 1)[1]
        others = found != np.arange(len(rows))[:, None]
        others[np.all(others, axis=1), -1] = False
        return found[others].reshape(-1, k)

    def theirs():
        one, other = neighbors(X), neighbors(y)
        shared = (one[:, :, None] == other[:, None, :]).sum(axis=(1, 2))
        return np.mean(shared / (2 * k - shared))

    return value(NeighborJaccard(n_neighbors=k), X, y), theirs


def pot_matching(X, y):
    import ot

    def unit(V):
        V = V - V.mean(axis=0)
        return V / np.linalg.norm(V)

    def theirs():
        A, B = unit(X), unit(y)
        costs = ot.dist(A.T.copy(), B.T.copy(), metric="sqeuclidean")
        weights = [np.full(V.shape[1], 1 / V.shape[1]) for V in (A, B)]
        return ot.emd2(*weights, costs, numItermax=10**7) ** 0.5

    return value(SoftMatching(), X, y), theirs


def pot_unequal_matching(X, y):
    return pot_matching(X, y[:, : 3 * y.shape[1] // 4])


# ----- statsmodels --------------------------------------------------------------------


def statsmodels_fleiss(labels):
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    return value(FleissKappa(), labels), lambda: fleiss_kappa(
        aggregate_raters(labels)[0]
    )


def statsmodels_cohen(labels):
    from statsmodels.stats.inter_rater import cohens_kappa, to_table

    one, other = labels[:, 0].copy(), labels[:, 1].copy()

    def theirs():
        table = to_table(labels[:, :2], bins=np.arange(-0.5, 10.5))[0]
        return cohens_kappa(table, return_results=False)

    return value(CohenKappa(), one, other), theirs


def statsmodels_cca(X, y):
    from statsmodels.multivariate.cancorr import CanCorr

    return value(MeanCCA(), X, y), lambda: CanCorr(y, X).cancorr.mean()


# ----- naive numpy --------------------------------------------------------------------


def _centered(V):
    return V - V.mean(axis=0)


def naive_cka(X, y):
    def theirs():
        A, B = _centered(X), _centered(y)
        norms = np.linalg.norm(A.T @ A) * np.linalg.norm(B.T @ B)
        return np.linalg.norm(A.T @ B) ** 2 / norms

    return value(CKA(), X, y), theirs


def naive_rbf_cka(X, y):
    from sklearn.metrics.pairwise import euclidean_distances, rbf_kernel

    def kernel(V):
        distances = euclidean_distances(V)
        median = np.median(distances[np.triu_indices(len(V), k=1)])
        K = rbf_kernel(V, gamma=1 / (2 * (0.5 * median) ** 2))
        K = K - K.mean(axis=0)
        return K - K.mean(axis=1, keepdims=True)

    def theirs():
        K, L = kernel(X), kernel(y)
        return np.sum(K * L) / (np.linalg.norm(K) * np.linalg.norm(L))

    return value(CKA(kernel="rbf"), X, y), theirs


def _correlations(X, y):
    bases = [np.linalg.qr(_centered(V))[0] for V in (X, y)]
    return np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)


def naive_mean_cca(X, y):
    return value(MeanCCA(), X, y), lambda: np.mean(_correlations(X, y))


def naive_squared_cca(X, y):
    return value(MeanSquaredCCA(), X, y), lambda: np.mean(_correlations(X, y) ** 2)


def naive_procrustes(X, y):
    def theirs():
        A, B = (V / np.linalg.norm(V) for V in (_centered(X), _centered(y)))
        nuclear = np.linalg.svd(A.T @ B, compute_uv=False).sum()
        return np.sqrt(2 - 2 * nuclear)

    return value(OrthogonalProcrustes(), X, y), theirs


def naive_regression(X, y):
    def theirs():
        A, B = _centered(X), _centered(y)
        weights = np.linalg.lstsq(A, B, rcond=None)[0]
        return 1 - np.sum((B - A @ weights) ** 2) / np.sum(B**2)

    return value(LinearRegressionSimilarity(), X, y), theirs


def naive_rsa(X, y):
    from scipy.stats import spearmanr

    upper = np.triu_indices(len(X), k=1)

    def theirs():
        return spearmanr(*(1 - np.corrcoef(V)[upper] for V in (X, y))).statistic

    return value(RSA(), X, y), theirs


def naive_jaccard(X, y):
    def neighbors(V):
        V = V / np.linalg.norm(V, axis=1, keepdims=True)
        similarities = V @ V.T
        np.fill_diagonal(similarities, -np.inf)
        return np.argpartition(-similarities, 10, axis=1)[:, :10]

    def theirs():
        pairs = zip(neighbors(X), neighbors(y), strict=True)
        shared = np.array([len(np.intersect1d(a, b)) for a, b in pairs])
        return np.mean(shared / (20 - shared))

    return value(NeighborJaccard(), X, y), theirs


def naive_divergence(P, Q):
    def theirs():
        M = (P + Q) / 2
        return np.mean(np.sum(P * np.log(P / M) + Q * np.log(Q / M), axis=1) / 2)

    return value(JensenShannonDivergence(), P, Q), theirs


# ----- all ----------------------------------------------------------------------------

_GEMM = (
    "Both sides are bound by the same matrix products, so that a ratio near 1 is what "
    "the hardware allows."
)
_SVD = "Both sides are bound by the same decomposition of a 512 x 512 matrix."
_MEDIAN = (
    "hyppo takes the kernel's width from the median of all pairs, each row with itself "
    "included."
)
_DRAWS = (
    "A test with 99 permutations; each side draws its own, and both p-values are the "
    "smallest possible."
)
_TIES = "Ranks of distances that differ in the last digits: ties here, none there."
_SIMPLEX = "The extra `transport` brings POT, whose solver both sides use here."
_FLOAT = "In single precision, which faiss and torch_cka compute in."

CASES = [
    Case(
        "Distance correlation, unbiased",
        "hyppo",
        "hyppo",
        pair,
        (2000, 256),
        hyppo_dcorr,
    ),
    Case(
        "RBF CKA, debiased",
        "hyppo",
        "hyppo",
        pair,
        (2000, 256),
        hyppo_hsic,
        1e-3,
        _MEDIAN,
    ),
    Case(
        "Linear CKA (RV coefficient)",
        "hyppo",
        "hyppo",
        pair,
        (10000, 512),
        hyppo_rv,
        1e-9,
        _GEMM,
    ),
    Case(
        "Distance correlation, permutation test",
        "hyppo",
        "hyppo",
        pair,
        (400, 64),
        hyppo_dcorr_test,
        1e-9,
        _DRAWS,
    ),
    Case("Distance correlation", "dcor", "dcor", pair, (2000, 256), dcor_biased),
    Case(
        "Distance correlation, unbiased square",
        "dcor",
        "dcor",
        pair,
        (2000, 256),
        dcor_unbiased,
    ),
    Case(
        "RSA, Pearson",
        "rsatoolbox",
        "rsatoolbox",
        pair,
        (1500, 256),
        rsatoolbox_rsa("correlation", "correlation", "pearson"),
    ),
    Case(
        "RSA, Spearman",
        "rsatoolbox",
        "rsatoolbox",
        pair,
        (1500, 256),
        rsatoolbox_rsa("correlation", "correlation", "spearman"),
        1e-7,
        _TIES,
    ),
    Case(
        "RSA, squared distances, Pearson",
        "rsatoolbox",
        "rsatoolbox",
        pair,
        (1500, 256),
        rsatoolbox_rsa("euclidean", "sqeuclidean", "pearson"),
    ),
    Case(
        "Debiased CKA, all pairs of layers",
        "pytorch-cka",
        "cka",
        layers,
        (2000, 512, 20),
        pytorch_cka_matrix,
    ),
    Case(
        "Debiased CKA, all pairs, single precision",
        "pytorch-cka",
        "cka",
        layers,
        (2000, 512, 20, "float32"),
        pytorch_cka_matrix,
        1e-4,
    ),
    Case(
        "Debiased CKA, one pair",
        "pytorch-cka",
        "cka",
        pair,
        (2000, 512),
        pytorch_cka_pair,
    ),
    Case(
        "Debiased CKA, 3 layers of two networks",
        "torch_cka",
        "torch_cka",
        pair,
        (1000, 256, "float32"),
        torch_cka_network,
        1e-3,
        _FLOAT,
    ),
    Case(
        "Intrinsic dimension, two neighbours",
        "scikit-dimension",
        "skdim",
        pair,
        (5000, 64),
        skdim_dimension("twonn"),
    ),
    Case(
        "Intrinsic dimension, likelihood",
        "scikit-dimension",
        "skdim",
        pair,
        (5000, 64),
        skdim_dimension("mle"),
    ),
    Case(
        "Intrinsic dimension, local PCA",
        "scikit-dimension",
        "skdim",
        pair,
        (2000, 32),
        skdim_dimension("local_pca"),
    ),
    Case(
        "Jaccard of neighbours",
        "faiss-cpu",
        "faiss",
        pair,
        (10000, 512, "float32"),
        faiss_jaccard,
        1e-3,
        _FLOAT,
    ),
    Case("Soft matching", "POT", "ot", pair, (2000, 512), pot_matching),
    Case(
        "Soft matching, unequal widths",
        "POT",
        "ot",
        pair,
        (2000, 512),
        pot_unequal_matching,
        1e-9,
        _SIMPLEX,
    ),
    Case(
        "Fleiss' kappa",
        "statsmodels",
        "statsmodels",
        answers,
        (100000, 10),
        statsmodels_fleiss,
    ),
    Case(
        "Cohen's kappa",
        "statsmodels",
        "statsmodels",
        answers,
        (100000, 2),
        statsmodels_cohen,
    ),
    Case(
        "Mean canonical correlation",
        "statsmodels",
        "statsmodels",
        pair,
        (10000, 512),
        statsmodels_cca,
    ),
    Case("Linear CKA", "numpy", None, pair, (10000, 512), naive_cka, 1e-9, _GEMM),
    Case("RBF CKA", "numpy", None, pair, (2000, 256), naive_rbf_cka),
    Case("Mean CCA", "numpy", None, pair, (10000, 512), naive_mean_cca),
    Case("Mean squared CCA", "numpy", None, pair, (10000, 512), naive_squared_cca),
    Case(
        "Procrustes distance",
        "numpy",
        None,
        pair,
        (10000, 512),
        naive_procrustes,
        1e-9,
        _SVD,
    ),
    Case("Linear regression", "numpy", None, pair, (10000, 512), naive_regression),
    Case(
        "RSA, Spearman, naive", "numpy", None, pair, (1500, 256), naive_rsa, 1e-7, _TIES
    ),
    Case(
        "Jaccard of neighbours, naive", "numpy", None, pair, (2000, 256), naive_jaccard
    ),
    Case(
        "Jensen-Shannon divergence",
        "numpy",
        None,
        probabilities,
        (100000, 10),
        naive_divergence,
    ),
]
