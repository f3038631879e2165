"""Time and memory of what users call most, at sizes of a second or less."""

import numpy as np
from bench_core import related
from bench_inference import permutations_of
from bench_pairwise import make_layers

from sksim import all_measures
from sksim.functional import Disagreement, JensenShannonDivergence
from sksim.inference import similarity_interval, similarity_test
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA

MEASURES = dict(all_measures())


class Fit:
    """One fit of one pair."""

    params = (
        [
            *("CKA", "RSA", "DistanceCorrelation", "MeanCCA", "SVCCA", "PWCCA"),
            *("OrthogonalProcrustes", "LinearRegressionSimilarity", "SoftMatching"),
            *("NeighborJaccard", "MutualKNN", "Uniformity"),
        ],
        [(1000, 64), (2000, 256)],
    )
    param_names = ("measure", "shape")

    def setup(self, name, shape):
        self.measure = MEASURES[name]()
        self.pair = related(np.random.default_rng(0), *shape)

    def time_fit(self, name, shape):
        self.measure.fit(*self.pair)

    def peakmem_fit(self, name, shape):
        self.measure.fit(*self.pair)


class Permutations:
    """Ninety-six permutations of views that are made already."""

    params = ["CKA", "RSA", "MeanCCA", "NeighborJaccard", "OrthogonalProcrustes"]
    param_names = ("measure",)

    def setup(self, name):
        pair = related(np.random.default_rng(0), 500, 64)
        self.draw = permutations_of(MEASURES[name](), *pair)

    def time_permutations(self, name):
        self.draw()


class Inference:
    """What follows from one comparison."""

    def setup(self):
        self.pair = related(np.random.default_rng(0), 500, 64)

    def time_test(self):
        similarity_test(CKA(), *self.pair, n_permutations=199, random_state=0)

    def time_interval(self):
        similarity_interval(CKA(debias="rows"), *self.pair)


class Layers:
    """Eight layers by eight."""

    params = ["CKA", "RSA", "NeighborJaccard"]
    param_names = ("measure",)

    def setup(self, name):
        self.measure = MEASURES[name]()
        self.layers = make_layers(8, 500, 128)

    def time_matrix(self, name):
        similarity_matrix(self.measure, self.layers, self.layers)


class Answers:
    """Outputs of two models on many rows."""

    def setup(self):
        rng = np.random.default_rng(0)
        self.labels = rng.integers(0, 10, (2, 100_000))
        self.probabilities = rng.dirichlet(np.ones(10), (2, 100_000))

    def time_labels(self):
        Disagreement().fit(*self.labels)

    def time_probabilities(self):
        JensenShannonDivergence().fit(*self.probabilities)


class ManyRows:
    """Rows whose n x n matrix would take 800 MB, in blocks."""

    def setup(self):
        self.pair = related(np.random.default_rng(0), 10_000, 32)

    def peakmem_distance_correlation(self):
        MEASURES["DistanceCorrelation"]().fit(*self.pair)
