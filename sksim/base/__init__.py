"""Base classes: what every measure shares, so that a measure is only its mathematics.

Data walks one way: validate -> view -> compare -> orient. A measure writes ``_view``
(all that depends on one representation alone) and ``_compare`` (two views in, one
number out); everything else follows from these two. The *kind* of a measure
(``_kind``) says what else follows: rows that are permuted, left out or counted several
times at less cost than by comparing anew.
"""

from sksim.arrays._symmetric import Dense, Factored
from sksim.arrays._views import View
from sksim.base._alignment import AlignmentMixin
from sksim.base._comparison import Comparison, GroupComparison
from sksim.base._inner_product import InnerProductComparison
from sksim.base._models import BaseModelSimilarity
from sksim.base._moments import MomentMixin
from sksim.base._outputs import (
    BaseFunctionalSimilarity,
    BaseGroupSimilarity,
    LabelsMixin,
)
from sksim.base._row_sums import RowSumComparison
from sksim.base._similarity import BaseSimilarity
from sksim.base._tags import SimilarityTags

__all__ = [
    "AlignmentMixin",
    "BaseFunctionalSimilarity",
    "BaseGroupSimilarity",
    "BaseModelSimilarity",
    "BaseSimilarity",
    "Comparison",
    "Dense",
    "Factored",
    "GroupComparison",
    "InnerProductComparison",
    "LabelsMixin",
    "MomentMixin",
    "RowSumComparison",
    "SimilarityTags",
    "View",
]
