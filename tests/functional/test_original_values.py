"""Values of the original implementations, on seven classifiers and two data sets."""

import math
import warnings

import numpy as np
import pytest
from _reference import reference_arrays, reference_values

from sksim.functional import (
    Ambiguity,
    CohenKappa,
    CoincidentFailureDiversity,
    Difficulty,
    Disagreement,
    Discrepancy,
    DoubleFault,
    EntropyDiversity,
    ErrorConsistency,
    ErrorCorrectedDisagreement,
    ErrorCorrelation,
    FleissKappa,
    GeneralizedDiversity,
    Hellinger,
    InterraterAgreement,
    JensenShannonDivergence,
    KohaviWolpertVariance,
    KullbackLeibler,
    LabelEntropy,
    MinMaxNormalizedDisagreement,
    OracleDisagreement,
    PerformanceDifference,
    PredictionDifference,
    QStatistic,
    RankCorrelation,
    RashomonCapacity,
    SoftPredictionDifference,
    SurrogateChurn,
    TotalVariation,
)

VALUES = reference_values("functional")
ARRAYS = reference_arrays("functional")

OF_LABELS = {
    "performance_difference_accuracy_abs": PerformanceDifference(),
    "performance_difference_balanced_accuracy_signed_a_minus_b": PerformanceDifference(
        "balanced_accuracy", signed=True
    ),
    "performance_difference_f1_macro_signed_a_minus_b": PerformanceDifference(
        "f1_macro", signed=True
    ),
    "performance_difference_matthews_signed_a_minus_b": PerformanceDifference(
        "matthews_corrcoef", signed=True
    ),
    "disagreement": Disagreement(),
    "error_corrected_disagreement_by_a": ErrorCorrectedDisagreement(),
    "error_corrected_disagreement_by_b": ErrorCorrectedDisagreement("second"),
    "minmax_normalized_disagreement": MinMaxNormalizedDisagreement(),
    "cohen_kappa": CohenKappa(),
    "error_consistency": ErrorConsistency(),
    "q_statistic": QStatistic(),
    "oracle_correlation": ErrorCorrelation(),
    "oracle_disagreement": OracleDisagreement(),
    "double_fault": DoubleFault(),
}
OF_PROBABILITIES = {
    "performance_difference_neg_log_loss_signed_a_minus_b": PerformanceDifference(
        "neg_log_loss", signed=True
    ),
    "soft_difference_l1_mean": SoftPredictionDifference(p=1, half=False),
    "soft_difference_l2_mean": SoftPredictionDifference(half=False),
    "soft_difference_l2_half_mean_survey": SoftPredictionDifference(),
    "soft_difference_linf_mean": SoftPredictionDifference(p=math.inf, half=False),
    "total_variation_mean": TotalVariation(),
    "hellinger_mean": Hellinger(),
    "surrogate_churn_alpha1": SurrogateChurn(),
    "surrogate_churn_alpha2": SurrogateChurn(power=2),
    "surrogate_churn_alpha5": SurrogateChurn(power=5),
    "surrogate_churn_alpha20": SurrogateChurn(power=20),
    "jensen_shannon_divergence_nats_mean": JensenShannonDivergence(),
    "jensen_shannon_divergence_bits_mean": JensenShannonDivergence(base=2),
    "jensen_shannon_distance_bits_mean": JensenShannonDivergence(base=2, sqrt=True),
    "kl_a_b_nats_mean": KullbackLeibler(),
    "kl_a_b_nats_mean_clip1e-12": KullbackLeibler(clip=1e-12),
    "spearman_classwise_mean": RankCorrelation(),
    "kendall_b_classwise_mean": RankCorrelation("kendall"),
}
OF_GROUP_LABELS = {
    "fleiss_kappa_labels": FleissKappa(),
    "fleiss_kappa_correctness": InterraterAgreement(),
    "ambiguity": Ambiguity(),
    "discrepancy_any_pair": Discrepancy(),
    "discrepancy_baseline0_marx": Discrepancy(baseline=0),
    "label_entropy_nats_mean": LabelEntropy(),
    "label_entropy_bits_mean": LabelEntropy(base=2),
    "label_entropy_normalized_by_logC_mean": LabelEntropy(normalize=True),
    "kohavi_wolpert_variance": KohaviWolpertVariance(),
    "entropy_E_kuncheva_whitaker2003_ceil": EntropyDiversity(),
    "difficulty_theta_ddof0": Difficulty(),
    "generalized_diversity": GeneralizedDiversity(),
    "coincident_failure_diversity": CoincidentFailureDiversity(),
}
OF_GROUP_PROBABILITIES = {
    "prediction_difference_L1": PredictionDifference(),
    "prediction_difference_L2": PredictionDifference(p=2),
    "prediction_difference_relative_true_class": PredictionDifference(relative=True),
    "rashomon_capacity_mean_2^C": RashomonCapacity(),
}


def fitted(measure, *outputs, data):
    keywords = {}
    if "y_true" in measure._similarity_tags().view_keywords:
        keywords["y_true"] = ARRAYS[f"{data}/y_true"]
    with warnings.catch_warnings():
        # what is undefined or infinite is compared below
        warnings.simplefilter("ignore")
        return measure.fit(*outputs, **keywords)


def assert_value(actual, desired, message, tolerance=1e-9):
    desired = math.nan if desired is None else float(desired)  # "inf"
    np.testing.assert_allclose(
        actual, desired, rtol=tolerance, atol=tolerance, err_msg=message
    )


def probabilities(data, model):
    return ARRAYS[f"{data}/{model}/proba"]


@pytest.mark.parametrize("pair", sorted(VALUES["pairs"]))
def test_pairs(pair):
    data, models = pair.split("/")
    soft = [probabilities(data, model) for model in models.split("|")]
    hard = [rows.argmax(axis=1) for rows in soft]
    values = VALUES["pairs"][pair]
    for outputs, measures in ((hard, OF_LABELS), (soft, OF_PROBABILITIES)):
        for name, measure in measures.items():
            value = fitted(measure, *outputs, data=data).statistic_
            assert_value(value, values[name], f"{name} of {pair}")
    backward = fitted(KullbackLeibler(), *soft[::-1], data=data).statistic_
    assert_value(backward, values["kl_b_a_nats_mean"], f"backward KL of {pair}")


@pytest.mark.parametrize("pair", sorted(VALUES["pairs"]))
def test_counts_and_mcnemar(pair):
    data, models = pair.split("/")
    hard = [probabilities(data, model).argmax(axis=1) for model in models.split("|")]
    values = VALUES["pairs"][pair]
    counts = fitted(DoubleFault(), *hard, data=data).counts_
    assert counts.ravel().tolist() == values["oracle_counts_N11_N10_N01_N00"]
    pvalue = fitted(PerformanceDifference(), *hard, data=data).mcnemar_pvalue_
    assert_value(pvalue, values.get("mcnemar_exact_pvalue", 1.0), f"McNemar of {pair}")


@pytest.mark.parametrize("group", sorted(VALUES["groups"]))
def test_groups(group):
    data, name_of_group = group.split("/")
    values = VALUES["groups"][group]
    soft = np.stack([probabilities(data, m) for m in values["members"]], axis=1)
    hard = soft.argmax(axis=2)
    for name, measure in OF_GROUP_LABELS.items():
        value = fitted(measure, hard, data=data).statistic_
        assert_value(value, values[name], f"{name} of {group}")
    for name, measure in OF_GROUP_PROBABILITIES.items():
        tolerance = 1e-6 if "capacity" in name else 1e-9
        value = fitted(measure, soft, data=data).statistic_
        assert_value(value, values[name], f"{name} of {group}", tolerance)
    capacities = np.log(RashomonCapacity().fit(soft).row_values_)
    expected = ARRAYS[f"{data}/capacity_nats/{name_of_group}"]
    np.testing.assert_allclose(capacities, expected, atol=1e-6)
