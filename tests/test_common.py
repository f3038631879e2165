"""Checks that every public measure passes, found by discovery."""

import warnings

import pytest
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from sksim import all_measures
from sksim.alignment import (
    AngularShapeMetric,
    ContraSim,
    OrthogonalProcrustes,
    PartialSoftMatching,
)
from sksim.cca import PWCCA, SVCCA, MeanSquaredCCA
from sksim.functional import (
    AdversarialTransferability,
    CohenKappa,
    DecisionDistance,
    Disagreement,
    Discrepancy,
    DoubleFault,
    ErrorConsistency,
    ErrorCorrectedDisagreement,
    ErrorCorrelation,
    ExplanationAgreement,
    GroupExplanationAgreement,
    GroupSameErrorRate,
    JensenShannonDivergence,
    KullbackLeibler,
    LabelEntropy,
    MinMaxNormalizedDisagreement,
    ModelStitching,
    MultilabelAgreement,
    PerformanceDifference,
    PredictionDifference,
    ProbabilisticErrorConsistency,
    RankBiasedOverlap,
    RankCorrelation,
    SaliencySimilarity,
    SameErrorRate,
    SoftPredictionDifference,
    SurrogateChurn,
    TopKOverlap,
)
from sksim.neighbors import (
    CKNNA,
    CycleKNN,
    GraphBasedSimilarity,
    JointRankJaccard,
    ManifoldKernelAlignment,
    MutualKNN,
    NeighborJaccard,
    QuadrupletAgreement,
    RankSimilarity,
    SecondOrderCosine,
    SharedNeighborSequence,
    TripletAgreement,
)
from sksim.rsm import (
    CKA,
    HSIC,
    RSA,
    DecodingSimilarity,
    DistanceCorrelation,
    FeatureReweightedRSA,
    PointwiseKernelAlignment,
    RSMNormDifference,
)
from sksim.statistics import IntrinsicDimension, Uniformity
from sksim.structural import LossBarrier, NetworkPersistence, WeightMatching
from sksim.testing import (
    check_array_api,
    expected_failed_checks,
    parametrize_with_similarity_checks,
)
from sksim.topology import IMD, RTD, RTDLite

# what takes long by default, and no longer than a test should with these
QUICK = {
    "GeometryScore": {"n_draws": 5, "n_landmarks": 20, "gamma": 0.2, "random_state": 0}
}
DEFAULTS = [cls(**QUICK.get(name, {})) for name, cls in all_measures()]
PRECOMPUTED = "precomputed"
# measures of given matrices
GIVEN = [
    CKA(kernel=PRECOMPUTED),
    CKA(kernel=PRECOMPUTED, debias="rows"),
    HSIC(kernel=PRECOMPUTED),
    HSIC(kernel=PRECOMPUTED, debias="rows"),
    PointwiseKernelAlignment(kernel=PRECOMPUTED),
    DistanceCorrelation(metric=PRECOMPUTED),
    DistanceCorrelation(metric=PRECOMPUTED, debias="rows"),
    RSMNormDifference(metric=PRECOMPUTED),
    RSA(metric=PRECOMPUTED),
    RSA(metric=PRECOMPUTED, comparison="pearson"),
    RSA(metric=PRECOMPUTED, comparison="kendall"),
    RSA(metric=PRECOMPUTED, comparison="cosine"),
    RSA(metric=PRECOMPUTED, comparison="rho_a"),
    RSA(metric=PRECOMPUTED, comparison="cosine_cov"),
    RSA(metric=PRECOMPUTED, comparison="corr_cov"),
    MutualKNN(metric=PRECOMPUTED),
    NeighborJaccard(metric=PRECOMPUTED),
    RankSimilarity(metric=PRECOMPUTED),
    JointRankJaccard(metric=PRECOMPUTED),
    CKNNA(metric=PRECOMPUTED),
    SecondOrderCosine(metric=PRECOMPUTED),
    GraphBasedSimilarity(metric=PRECOMPUTED),
    GraphBasedSimilarity(metric=PRECOMPUTED, n_neighbors=5),
    CycleKNN(metric=PRECOMPUTED),
    SharedNeighborSequence(metric=PRECOMPUTED),
    ManifoldKernelAlignment(metric=PRECOMPUTED),
    TripletAgreement(metric=PRECOMPUTED),
    QuadrupletAgreement(metric=PRECOMPUTED),
    RTD(metric=PRECOMPUTED),
    RTD(metric=PRECOMPUTED, n_subsets=2, subset_size=20, random_state=0),
    RTDLite(metric=PRECOMPUTED),
    Uniformity(metric=PRECOMPUTED),
    Uniformity(metric=PRECOMPUTED, include_diagonal=True),
]
VARIANTS = [
    CKA(debias="rows"),
    CKA(debias="both"),
    HSIC(debias="both"),
    CKA(kernel="rbf"),
    CKA(kernel="rbf", debias="rows"),
    CKA(kernel="cosine"),
    CKA(kernel="laplacian"),
    MeanSquaredCCA(denominator="width"),
    MeanSquaredCCA(denominator="geometric"),
    SVCCA(variance=0.8, aggregate="mean_squared"),
    PWCCA(weights_from="y"),
    DecodingSimilarity(0),
    FeatureReweightedRSA(comparison="spearman", y_metric="correlation"),
    FeatureReweightedRSA(comparison="cosine", y_metric="cosine"),
    FeatureReweightedRSA(comparison="corr_cov", ridge=0.1),
    DecodingSimilarity(float("inf")),
    DecodingSimilarity(scale=True),
    PartialSoftMatching(0.3),
    PartialSoftMatching("cv", random_state=0),
    ContraSim(similarity="cka", random_state=0),
    ContraSim(ridge=0, n_components=3, random_state=0),
    TripletAgreement(n_neighbors=3),
    OrthogonalProcrustes(center=False),
    OrthogonalProcrustes(scale=False),
    OrthogonalProcrustes(debias="rows", random_state=0),
    OrthogonalProcrustes(scale=False, debias="rows", random_state=0),
    AngularShapeMetric(debias="rows", random_state=0),
    JensenShannonDivergence(base=2, sqrt=True),
    KullbackLeibler(base=2, clip=1e-3),
    SoftPredictionDifference(p=1, half=False),
    SurrogateChurn(power=5),
    RankCorrelation(kind="kendall"),
    RankCorrelation(per="row"),
    MultilabelAgreement("hamming", threshold=0.3),
    Disagreement(abstain=2),
    CohenKappa(abstain=2),
    CohenKappa("linear", abstain=1),
    ErrorConsistency(abstain=2),
    ErrorCorrelation(abstain=2),
    DoubleFault(abstain=2),
    MinMaxNormalizedDisagreement(abstain=2),
    ErrorCorrectedDisagreement(abstain=2),
    SameErrorRate("either", abstain=2),
    GroupSameErrorRate("either", abstain=2),
    PerformanceDifference(abstain=2),
    RankCorrelation(kind="kendall", per="row"),
    RankBiasedOverlap(2, p=0.5),
    ExplanationAgreement("signed_rank", k=2),
    ExplanationAgreement("rank_correlation"),
    ExplanationAgreement("pairwise_rank", null="rows"),
    GroupExplanationAgreement("rank", null="rows"),
    RankBiasedOverlap(form="truncated"),
    TopKOverlap(2),
    ProbabilisticErrorConsistency(discrete=True),
    SameErrorRate("either", chance="marginals"),
    CohenKappa(weights="quadratic"),
    ErrorCorrectedDisagreement(normalize_by="second"),
    MinMaxNormalizedDisagreement(bound="exact"),
    PerformanceDifference(signed=True),
    PerformanceDifference(scoring="f1_macro"),
    PerformanceDifference(scoring="neg_log_loss", signed=True),
    Discrepancy(baseline=0),
    LabelEntropy(base=2),
    LabelEntropy(normalize=True),
    PredictionDifference(p=2),
    PredictionDifference(relative=True),
    NeighborJaccard(n_neighbors=3, metric="euclidean"),
    RankSimilarity(n_neighbors=3, metric="euclidean"),
    CKNNA(metric="euclidean"),
    CKNNA(estimator="row_centred"),
    CKNNA(estimator="hsic_unbiased"),
    CKNNA(estimator="hsic_biased"),
    CKNNA(estimator="masked_then_centred", metric="euclidean"),
    SecondOrderCosine(n_neighbors=4),
    GraphBasedSimilarity(n_neighbors=5),
    CycleKNN(2, metric="euclidean", ties="index"),
    SharedNeighborSequence(4, kind="edit", metric="euclidean"),
    ManifoldKernelAlignment(5, metric="cosine"),
    TripletAgreement(500, random_state=0),
    QuadrupletAgreement(500, tie_tolerance=1e-12, random_state=0),
    IntrinsicDimension(method="mle"),
    IntrinsicDimension(method="local_pca"),
    IntrinsicDimension(ratio_fit="likelihood", discard=0),
    Uniformity(normalize=False),
    Uniformity(t=1, include_diagonal=True),
    RTD(distance_scale="median"),
    RTD(n_subsets=2, subset_size=20, random_state=0),
    RTDLite(distance_scale="mean"),
    IMD(max_exact_samples=10, n_probes=10, random_state=0),
    NetworkPersistence(representation="heat"),
    NetworkPersistence(representation="landscape"),
    NetworkPersistence(representation="betti", grid="pair"),
    WeightMatching("activations"),
    LossBarrier("accuracy", matching=None, n_points=3),
    LossBarrier(matching=WeightMatching("activations")),
    SaliencySimilarity(absolute=False, output="proba"),
    SaliencySimilarity(target="predicted"),
    AdversarialTransferability(attack="pgd", norm="l2", eps=1.0),
    DecisionDistance(output="score", data_range="data"),
    ModelStitching(stitch="procrustes", value="penalty"),
    ModelStitching(stitch="task_loss", max_iter=5),
    *GIVEN,
]


@parametrize_with_checks(DEFAULTS)
def test_scikit_learn_checks(estimator, check):
    name = getattr(check, "func", check).__name__
    reason = expected_failed_checks(estimator).get(name)
    if reason is not None:
        pytest.skip(reason)
    with warnings.catch_warnings():
        # few rows: canonical correlations that are 1 by construction
        warnings.filterwarnings("ignore", message=".*by construction.*")
        check(estimator)


@parametrize_with_similarity_checks(DEFAULTS + VARIANTS)
def test_similarity_checks(measure, check):
    check(measure)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize(
    "measure",
    [m for m in DEFAULTS + VARIANTS if get_tags(m).similarity_tags.array_api],
    ids=repr,
)
def test_array_api(measure, namespace):
    module = pytest.importorskip(namespace)
    # the strict library plays a device that arrays of the CPU can't be mixed with
    device = module.Device("device1") if namespace == "array_api_strict" else None
    check_array_api(measure, namespace, device=device)
