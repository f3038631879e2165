"""The common checks, on measures of this family with other parameters."""

import pytest
from sklearn.utils import get_tags

from sksim.rsm import (
    CKA,
    GULP,
    HSIC,
    RSA,
    DistanceCorrelation,
    EigenspaceOverlap,
    MinibatchCKA,
    RSMNormDifference,
)
from sksim.testing import check_array_api, parametrize_with_similarity_checks

VARIANTS = [
    CKA(kernel="rbf", debias="rows", bandwidth=0.8),
    HSIC(debias="rows"),
    HSIC(kernel="rbf"),
    HSIC(kernel="cosine"),
    MinibatchCKA(batch_size=12, random_state=0),
    MinibatchCKA(kernel="rbf", batch_size=20, random_state=0),
    DistanceCorrelation(squared=True),
    DistanceCorrelation(debias="rows"),
    RSA(metric="euclidean"),
    RSA(metric="cosine"),
    RSA(metric="euclidean", comparison="pearson"),
    RSA(metric="sqeuclidean", comparison="pearson"),
    RSA(metric="correlation", comparison="pearson"),
    RSA(metric="cosine", comparison="cosine"),
    RSA(metric="euclidean", comparison="cosine"),
    RSA(metric="euclidean", comparison="kendall"),
    RSA(metric="euclidean", comparison="tau_a"),
    RSA(metric="cosine", comparison="rho_a"),
    RSA(metric="euclidean", comparison="cosine_cov"),
    RSA(metric="correlation", comparison="cosine_cov"),
    RSA(metric="euclidean", comparison="corr_cov"),
    RSA(metric="sqeuclidean", comparison="corr_cov"),
    EigenspaceOverlap(denominator="width"),
    GULP(ridge=0),
    GULP(ridge=1.0),
    RSMNormDifference(metric="linear"),
    RSMNormDifference(metric="sqeuclidean"),
    RSMNormDifference(metric="correlation"),
    RSMNormDifference(metric="cosine"),
]


@parametrize_with_similarity_checks(VARIANTS)
def test_similarity_checks(measure, check):
    check(measure)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize(
    "measure",
    [m for m in VARIANTS if get_tags(m).similarity_tags.array_api],
    ids=repr,
)
def test_array_api(measure, namespace):
    pytest.importorskip(namespace)
    check_array_api(measure, namespace)
