"""Functional similarity: how alike two models behave, measured on their outputs."""

from sksim.functional._capacity import RashomonCapacity
from sksim.functional._correctness import (
    DoubleFault,
    ErrorConsistency,
    ErrorCorrelation,
    OracleDisagreement,
    QStatistic,
)
from sksim.functional._correctness_groups import (
    CoincidentFailureDiversity,
    Difficulty,
    EntropyDiversity,
    GeneralizedDiversity,
    InterraterAgreement,
    KohaviWolpertVariance,
)
from sksim.functional._divergences import (
    Hellinger,
    JensenShannonDivergence,
    KullbackLeibler,
    TotalVariation,
)
from sksim.functional._gradients_adversarial import (
    AdversarialTransferability,
    DecisionDistance,
)
from sksim.functional._gradients_saliency import SaliencySimilarity
from sksim.functional._groups import (
    Ambiguity,
    Discrepancy,
    FleissKappa,
    LabelEntropy,
)
from sksim.functional._hard import (
    CohenKappa,
    Disagreement,
    ErrorCorrectedDisagreement,
    MinMaxNormalizedDisagreement,
)
from sksim.functional._performance import PerformanceDifference
from sksim.functional._soft import (
    RankCorrelation,
    SoftPredictionDifference,
    SurrogateChurn,
)
from sksim.functional._soft_groups import PredictionDifference
from sksim.functional._stitching import ModelStitching, stitching_layers
from sksim.utils._gradients import input_gradients

__all__ = [
    "AdversarialTransferability",
    "Ambiguity",
    "CohenKappa",
    "CoincidentFailureDiversity",
    "DecisionDistance",
    "Difficulty",
    "Disagreement",
    "Discrepancy",
    "DoubleFault",
    "EntropyDiversity",
    "ErrorConsistency",
    "ErrorCorrectedDisagreement",
    "ErrorCorrelation",
    "FleissKappa",
    "GeneralizedDiversity",
    "Hellinger",
    "InterraterAgreement",
    "JensenShannonDivergence",
    "KohaviWolpertVariance",
    "KullbackLeibler",
    "LabelEntropy",
    "MinMaxNormalizedDisagreement",
    "ModelStitching",
    "OracleDisagreement",
    "PerformanceDifference",
    "PredictionDifference",
    "QStatistic",
    "RankCorrelation",
    "RashomonCapacity",
    "SaliencySimilarity",
    "SoftPredictionDifference",
    "SurrogateChurn",
    "TotalVariation",
    "input_gradients",
    "stitching_layers",
]
