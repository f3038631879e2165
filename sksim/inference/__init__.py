"""Whether a similarity is more than chance, and how sure it is."""

from sksim.inference._permutations import permutations
from sksim.inference._result import SimilarityTestResult
from sksim.inference._test import similarity_test

__all__ = ["SimilarityTestResult", "permutations", "similarity_test"]
