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
    CKA(kernel="rbf", estimator="debiased", bandwidth=0.8),
    HSIC(estimator="unbiased"),
    HSIC(kernel="rbf"),
    HSIC(kernel="cosine"),
    MinibatchCKA(batch_size=12, random_state=0),
    MinibatchCKA(kernel="rbf", batch_size=20, random_state=0),
    DistanceCorrelation(squared=True),
    DistanceCorrelation(unbiased=True),
    RSA(rdm_metric="euclidean"),
    RSA(rdm_metric="cosine"),
    RSA(rdm_metric="euclidean", comparison="pearson"),
    RSA(rdm_metric="sqeuclidean", comparison="pearson"),
    RSA(rdm_metric="correlation", comparison="pearson"),
    RSA(rdm_metric="cosine", comparison="cosine"),
    RSA(rdm_metric="euclidean", comparison="cosine"),
    RSA(rdm_metric="euclidean", comparison="kendall"),
    EigenspaceOverlap(denominator="width"),
    GULP(lam=0),
    GULP(lam=1.0),
    RSMNormDifference(rdm_metric="linear"),
    RSMNormDifference(rdm_metric="sqeuclidean"),
    RSMNormDifference(rdm_metric="correlation"),
    RSMNormDifference(rdm_metric="cosine"),
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
