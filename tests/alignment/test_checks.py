"""The common checks, on measures of this family with other parameters."""

import pytest

from sksim.alignment import (
    AlignedCosine,
    CorrelationMatch,
    LinearRegressionSimilarity,
    PartialWhiteningShapeMetric,
    PermutationProcrustes,
    SoftMatching,
)
from sksim.testing import check_array_api, parametrize_with_similarity_checks

VARIANTS = [
    PartialWhiteningShapeMetric(alpha=0),
    PartialWhiteningShapeMetric(alpha=1),
    PartialWhiteningShapeMetric(center=False),
    PartialWhiteningShapeMetric(alpha=0, center=False),
    PermutationProcrustes(center=False, scale=False),
    PermutationProcrustes(scale=False),
    SoftMatching(center=False, scale=False),
    SoftMatching(cost="correlation"),
    AlignedCosine(center=False),
    LinearRegressionSimilarity(ridge=1.0),
    LinearRegressionSimilarity(aggregate="mean"),
    LinearRegressionSimilarity(aggregate="median", correlation=True),
    LinearRegressionSimilarity(ridge=1.0, correlation=True),
    CorrelationMatch(matching="soft"),
    CorrelationMatch(absolute=True),
    CorrelationMatch(matching="soft", absolute=True),
]


@parametrize_with_similarity_checks(VARIANTS)
def test_similarity_checks(measure, check):
    check(measure)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize("measure", VARIANTS, ids=repr)
def test_array_api(measure, namespace):
    pytest.importorskip(namespace)
    check_array_api(measure, namespace)
