"""Functional similarity: how alike two models behave, measured on their outputs."""

from sksim.functional._adversarial_transferability import AdversarialTransferability
from sksim.functional._ambiguity import Ambiguity
from sksim.functional._cochran_q import CochranQ
from sksim.functional._cohen_kappa import CohenKappa
from sksim.functional._coincident_failure_diversity import CoincidentFailureDiversity
from sksim.functional._decision_distance import DecisionDistance
from sksim.functional._difficulty import Difficulty
from sksim.functional._disagreement import Disagreement
from sksim.functional._discrepancy import Discrepancy
from sksim.functional._divergence_bounds import (
    DivergenceBoundsResult,
    divergence_bounds,
)
from sksim.functional._double_fault import DoubleFault
from sksim.functional._entropy_diversity import EntropyDiversity
from sksim.functional._error_consistency import ErrorConsistency
from sksim.functional._error_corrected_disagreement import ErrorCorrectedDisagreement
from sksim.functional._error_correlation import ErrorCorrelation
from sksim.functional._explanation_agreement import ExplanationAgreement
from sksim.functional._fleiss_kappa import FleissKappa
from sksim.functional._generalized_diversity import GeneralizedDiversity
from sksim.functional._group_explanation_agreement import GroupExplanationAgreement
from sksim.functional._group_probabilistic_error_consistency import (
    GroupProbabilisticErrorConsistency,
)
from sksim.functional._group_same_error_rate import GroupSameErrorRate
from sksim.functional._hellinger import Hellinger
from sksim.functional._interrater_agreement import InterraterAgreement
from sksim.functional._jensen_shannon_divergence import JensenShannonDivergence
from sksim.functional._kohavi_wolpert_variance import KohaviWolpertVariance
from sksim.functional._krippendorff_alpha import KrippendorffAlpha
from sksim.functional._kullback_leibler import KullbackLeibler
from sksim.functional._label_entropy import LabelEntropy
from sksim.functional._min_max_normalized_disagreement import (
    MinMaxNormalizedDisagreement,
)
from sksim.functional._model_stitching import ModelStitching, stitching_layers
from sksim.functional._multilabel_agreement import MultilabelAgreement
from sksim.functional._oracle_disagreement import OracleDisagreement
from sksim.functional._output_drift import OutputDriftResult, output_drift
from sksim.functional._performance_difference import PerformanceDifference
from sksim.functional._prediction_difference import PredictionDifference
from sksim.functional._probabilistic_error_consistency import (
    ProbabilisticErrorConsistency,
)
from sksim.functional._q_statistic import QStatistic
from sksim.functional._rank_biased_overlap import RankBiasedOverlap
from sksim.functional._rank_correlation import RankCorrelation
from sksim.functional._rashomon_capacity import RashomonCapacity
from sksim.functional._regression_difference import RegressionDifference
from sksim.functional._saliency_similarity import SaliencySimilarity
from sksim.functional._same_error_rate import SameErrorRate
from sksim.functional._soft_prediction_difference import SoftPredictionDifference
from sksim.functional._surrogate_churn import SurrogateChurn
from sksim.functional._top_k_overlap import TopKOverlap
from sksim.functional._total_variation import TotalVariation

__all__ = [
    "AdversarialTransferability",
    "Ambiguity",
    "CochranQ",
    "CohenKappa",
    "CoincidentFailureDiversity",
    "DecisionDistance",
    "Difficulty",
    "Disagreement",
    "Discrepancy",
    "DivergenceBoundsResult",
    "DoubleFault",
    "EntropyDiversity",
    "ErrorConsistency",
    "ErrorCorrectedDisagreement",
    "ErrorCorrelation",
    "ExplanationAgreement",
    "FleissKappa",
    "GeneralizedDiversity",
    "GroupExplanationAgreement",
    "GroupProbabilisticErrorConsistency",
    "GroupSameErrorRate",
    "Hellinger",
    "InterraterAgreement",
    "JensenShannonDivergence",
    "KohaviWolpertVariance",
    "KrippendorffAlpha",
    "KullbackLeibler",
    "LabelEntropy",
    "MinMaxNormalizedDisagreement",
    "ModelStitching",
    "MultilabelAgreement",
    "OracleDisagreement",
    "OutputDriftResult",
    "PerformanceDifference",
    "PredictionDifference",
    "ProbabilisticErrorConsistency",
    "QStatistic",
    "RankBiasedOverlap",
    "RankCorrelation",
    "RashomonCapacity",
    "RegressionDifference",
    "SaliencySimilarity",
    "SameErrorRate",
    "SoftPredictionDifference",
    "SurrogateChurn",
    "TopKOverlap",
    "TotalVariation",
    "divergence_bounds",
    "output_drift",
    "stitching_layers",
]
