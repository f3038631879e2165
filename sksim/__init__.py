"""Similarity of models: do they represent alike, do they behave alike.

Sub-packages: ``cca``, ``alignment``, ``rsm`` compare representations; ``functional``
compares outputs; ``inference`` says whether a similarity is more than chance;
``pairwise`` compares many pairs. :func:`all_measures` lists every measure.
"""

__version__ = "0.1.0.dev0"

from sksim.discovery import all_measures
from sksim.pairwise._align_rows import align_rows

__all__ = ["__version__", "align_rows", "all_measures"]
