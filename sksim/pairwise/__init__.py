"""Many comparisons at once: many measures on one pair, one measure on many pairs."""

from sksim.pairwise._align_rows import AlignedRows, align_rows
from sksim.pairwise._compare import compare
from sksim.pairwise._matrix import similarity_matrix

__all__ = ["AlignedRows", "align_rows", "compare", "similarity_matrix"]
