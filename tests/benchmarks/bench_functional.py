"""Functional measures against direct transcriptions, scikit-learn and scipy.

Run with ``python tests/benchmarks/bench_functional.py [n_samples n_classes]``. CPU
time, one BLAS thread, both sides in turn in one process; the last column is how many
times faster sksim is.
"""

import sys

from _timing import report

import numpy as np  # isort: skip
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr
from scipy.stats import entropy, spearmanr
from sklearn.metrics import accuracy_score, cohen_kappa_score, matthews_corrcoef

from sksim.functional import (
    CohenKappa,
    Disagreement,
    ErrorConsistency,
    ErrorCorrelation,
    FleissKappa,
    Hellinger,
    JensenShannonDivergence,
    KohaviWolpertVariance,
    KullbackLeibler,
    LabelEntropy,
    PerformanceDifference,
    PredictionDifference,
    RankCorrelation,
    RashomonCapacity,
    SurrogateChurn,
)


def label_entropy(X):
    return np.mean([entropy(np.unique(row, return_counts=True)[1]) for row in X])


def fleiss_kappa(X):
    counts = np.stack([(c == X).sum(axis=1) for c in np.unique(X)], axis=1)
    size = X.shape[1]
    observed = ((counts**2).sum(axis=1) - size).mean() / (size * (size - 1))
    expected = (counts.mean(axis=0) ** 2).sum() / size**2
    return (observed - expected) / (1 - expected)


def spearman(P, Q):
    return np.mean([spearmanr(p, q).statistic for p, q in zip(P.T, Q.T, strict=True)])


def blahut_arimoto(X, tol=1e-4, max_iter=2000):
    """Mean of 2^C over rows, each iterated until its bounds are ``tol`` bits apart."""
    total = 0.0
    for channel in X:
        weights = np.full(len(channel), 1 / len(channel))
        for _ in range(max_iter):
            divergence = rel_entr(channel, weights @ channel).sum(axis=1) / np.log(2)
            lower = weights @ divergence
            if divergence.max() - lower < tol:
                break
            weights = weights * 2**divergence
            weights /= weights.sum()
        total += 2**lower
    return total / len(X)


def main(n=10_000, n_classes=10, n_models=7):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, n_classes, n)
    scores = 4 * np.eye(n_classes)[truth][:, None] + rng.normal(
        size=(n, n_models, n_classes)
    )
    soft = np.exp(scores)
    soft /= soft.sum(axis=2, keepdims=True)
    hard = soft.argmax(axis=2)
    P, Q = np.ascontiguousarray(soft[:, 0]), np.ascontiguousarray(soft[:, 1])
    p, q = np.ascontiguousarray(hard[:, 0]), np.ascontiguousarray(hard[:, 1])

    def right(labels):
        return labels == truth

    print(f"{n} rows, {n_classes} classes, groups of {n_models}")
    pairs = {
        "Disagreement (x != y).mean()": (
            lambda: Disagreement().fit(p, q),
            lambda: (p != q).mean(),
        ),
        "PerformanceDifference, accuracy_score": (
            lambda: PerformanceDifference().fit(p, q, y_true=truth),
            lambda: accuracy_score(truth, p) - accuracy_score(truth, q),
        ),
        "CohenKappa, cohen_kappa_score": (
            lambda: CohenKappa().fit(p, q),
            lambda: cohen_kappa_score(p, q),
        ),
        "ErrorConsistency, cohen_kappa_score": (
            lambda: ErrorConsistency().fit(p, q, y_true=truth),
            lambda: cohen_kappa_score(right(p), right(q)),
        ),
        "ErrorCorrelation, matthews_corrcoef": (
            lambda: ErrorCorrelation().fit(p, q, y_true=truth),
            lambda: matthews_corrcoef(right(p), right(q)),
        ),
        "JensenShannonDivergence, scipy jensenshannon": (
            lambda: JensenShannonDivergence().fit(P, Q),
            lambda: (jensenshannon(P, Q, axis=1) ** 2).mean(),
        ),
        "KullbackLeibler, rel_entr": (
            lambda: KullbackLeibler().fit(P, Q),
            lambda: rel_entr(P, Q).sum(axis=1).mean(),
        ),
        "Hellinger, numpy": (
            lambda: Hellinger().fit(P, Q),
            lambda: np.linalg.norm(np.sqrt(P) - np.sqrt(Q), axis=1).mean() / 2**0.5,
        ),
        "SurrogateChurn(power=2), numpy": (
            lambda: SurrogateChurn(power=2).fit(P, Q),
            lambda: (
                abs(
                    (P / P.max(axis=1, keepdims=True)) ** 2
                    - (Q / Q.max(axis=1, keepdims=True)) ** 2
                )
                .sum(axis=1)
                .mean()
                / 2
            ),
        ),
        "RankCorrelation, scipy spearmanr": (
            lambda: RankCorrelation().fit(P, Q),
            lambda: spearman(P, Q),
        ),
        "FleissKappa, numpy": (
            lambda: FleissKappa().fit(hard),
            lambda: fleiss_kappa(hard),
        ),
        "LabelEntropy, unique per row": (
            lambda: LabelEntropy().fit(hard),
            lambda: label_entropy(hard),
        ),
        "KohaviWolpertVariance, numpy": (
            lambda: KohaviWolpertVariance().fit(hard, y_true=truth),
            lambda: (
                np.mean(
                    (hard == truth[:, None]).sum(1) * (hard != truth[:, None]).sum(1)
                )
                / n_models**2
            ),
        ),
        "PredictionDifference, numpy": (
            lambda: PredictionDifference().fit(soft),
            lambda: abs(soft - soft.mean(axis=1, keepdims=True)).sum(axis=2).mean(),
        ),
    }
    for title, (ours, other) in pairs.items():
        report(title, ours, other)
    few = soft[:899]
    measure = RashomonCapacity()
    report(
        "RashomonCapacity, 899 rows; Blahut-Arimoto to 1e-4 bits",
        lambda: measure.fit(few),
        lambda: blahut_arimoto(few),
        repeats=1,
    )
    print(f"gap of RashomonCapacity: {measure.gap_:.2g} bits")
    report(
        "RashomonCapacity of a pair; the group's solver",
        lambda: measure.fit(few[:, :2]),
        lambda: RashomonCapacity().fit(few[:, [0, 1, 1]]),
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
