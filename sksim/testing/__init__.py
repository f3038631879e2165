"""Checks that every measure passes: scikit-learn's say how an estimator behaves, these
say that a measure is what its tags claim.

Each claim in the tags is held, and each invariance that is not claimed must be refuted
by data. Use :func:`check_similarity` on a measure of your own, or
:func:`parametrize_with_similarity_checks` in its pytest file.
"""

from sksim.testing._array_api import check_array_api
from sksim.testing._inputs import make_inputs
from sksim.testing._requirements import (
    REQUIREMENTS,
    Requirement,
    expected_failed_checks,
)
from sksim.testing._suite import (
    check_similarity,
    parametrize_with_similarity_checks,
    similarity_checks,
)

__all__ = [
    "REQUIREMENTS",
    "Requirement",
    "check_array_api",
    "check_similarity",
    "expected_failed_checks",
    "make_inputs",
    "parametrize_with_similarity_checks",
    "similarity_checks",
]
