"""Power and level of tests: the table of the guide's page on p-values.

Run with ``python tests/benchmarks/power_of_tests.py [n_pairs]``. Share of p <= .05 of
pairs of 60 rows, with 99 orders.
"""

import sys
import warnings

import numpy as np

from sksim.alignment import OrthogonalProcrustes
from sksim.cca import MeanSquaredCCA
from sksim.inference import similarity_test
from sksim.neighbors import MutualKNN
from sksim.rsm import CKA, RSA, DistanceCorrelation

N = 60
MEASURES = [
    CKA(debias="rows"),
    CKA(kernel="rbf", debias="rows"),
    DistanceCorrelation(debias="rows"),
    MeanSquaredCCA(),
    OrthogonalProcrustes(),
    RSA(),
    MutualKNN(5, metric="euclidean"),
]


def linear(rng):
    X = rng.normal(size=(N, 5))
    return X, 0.35 * X + rng.normal(size=(N, 5))


def one_of_20(rng):
    X, y = rng.normal(size=(N, 20)), rng.normal(size=(N, 20))
    y[:, 0] += 1.5 * X[:, 0]
    return X, y


def squares(rng):
    X = rng.normal(size=(N, 3))
    return X, X**2 + rng.normal(size=(N, 3))


def circles(rng):
    angle = 2 * np.pi * rng.random(N)
    X, y = (np.c_[np.cos(k * angle), np.sin(k * angle)] for k in (1, 4))
    noisy = [Z + 0.1 * rng.normal(size=Z.shape) for Z in (X, y)]
    return tuple(noisy)


def norm(rng):
    scale = rng.exponential(size=(N, 1)) + 0.2
    return scale * rng.normal(size=(N, 10)), scale * rng.normal(size=(N, 10))


def unrelated(rng):
    return rng.normal(size=(N, 5)), rng.normal(size=(N, 5))


def power(measure, draw, n_pairs):
    rejected = 0
    for seed in range(n_pairs):
        pair = draw(np.random.default_rng(seed))
        result = similarity_test(measure, *pair, n_permutations=99, random_state=seed)
        rejected += result.pvalue <= 0.05
    return rejected / n_pairs


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    n_pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for draw in (linear, one_of_20, squares, circles, norm, unrelated):
        shares = (power(measure, draw, n_pairs) for measure in MEASURES)
        print(draw.__name__, *(f"{share:.2f}" for share in shares), flush=True)
