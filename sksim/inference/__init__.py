"""Whether a similarity is more than chance, and how sure it is."""

from sksim.inference._calibrated import CalibratedSimilarity
from sksim.inference._comparing import (
    ComparisonResult,
    RankingResult,
    compare_similarities,
)
from sksim.inference._equivalence import EquivalenceTestResult, equivalence_test
from sksim.inference._group import GroupSimilarityResult, similarity_to_group
from sksim.inference._independence import IndependenceTestResult, independence_test
from sksim.inference._interval import (
    SimilarityIntervalResult,
    similarity_interval,
)
from sksim.inference._matrix import (
    SimilarityMatrixTestResult,
    similarity_matrix_test,
)
from sksim.inference._noise_ceiling import NoiseCeilingResult, noise_ceiling
from sksim.inference._permutations import permutations
from sksim.inference._replicates import ReplicateTestResult, replicate_test
from sksim.inference._result import SimilarityTestResult
from sksim.inference._test import similarity_test

__all__ = [
    "CalibratedSimilarity",
    "ComparisonResult",
    "EquivalenceTestResult",
    "GroupSimilarityResult",
    "IndependenceTestResult",
    "NoiseCeilingResult",
    "RankingResult",
    "ReplicateTestResult",
    "SimilarityIntervalResult",
    "SimilarityMatrixTestResult",
    "SimilarityTestResult",
    "compare_similarities",
    "equivalence_test",
    "independence_test",
    "noise_ceiling",
    "permutations",
    "replicate_test",
    "similarity_interval",
    "similarity_matrix_test",
    "similarity_test",
    "similarity_to_group",
]
