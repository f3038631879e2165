"""Base classes: what every measure shares, so that a measure is only its mathematics.

Data walks one way: validate -> view -> compare -> orient. A measure writes
``_view`` (all that depends on one representation alone) and ``_compare`` (two views
in, one number out); everything else follows from these two.
"""

from sksim.base._alignment import AlignmentMixin
from sksim.base._models import BaseModelSimilarity
from sksim.base._moments import MomentMixin
from sksim.base._outputs import (
    BaseFunctionalSimilarity,
    BaseGroupSimilarity,
    LabelsMixin,
)
from sksim.base._similarity import BaseSimilarity
from sksim.utils._tags import SimilarityTags

__all__ = [
    "AlignmentMixin",
    "BaseFunctionalSimilarity",
    "BaseGroupSimilarity",
    "BaseModelSimilarity",
    "BaseSimilarity",
    "LabelsMixin",
    "MomentMixin",
    "SimilarityTags",
]
