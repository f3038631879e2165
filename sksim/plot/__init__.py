"""Pictures of results, in the manner of scikit-learn's displays."""

from sksim.plot._null import PermutationNullDisplay

__all__ = ["PermutationNullDisplay"]
