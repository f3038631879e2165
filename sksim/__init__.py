"""Similarity of models: do they represent alike, do they behave alike.

Every public name is found here, as in ``from sksim import CKA, compare``, and imports
the one sub-package that defines it. Of these ``cca``, ``alignment``, ``rsm``,
``neighbors``, ``topology`` and ``statistics`` compare representations, ``functional``
outputs and ``structural`` weights; ``inference`` says whether a similarity is more than
chance; ``pairwise`` compares many pairs. :func:`all_measures` lists every measure.
"""

import lazy_loader

__version__ = "0.1.0"

# the names are in __init__.pyi, where editors and type checkers see them too
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
