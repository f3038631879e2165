"""The few measures that are shown where none are named, by task."""

from sksim._typing import Measure
from sksim.discovery import check_measure

# Each place of a panel has the measures that can take it, best first: the first that
# the input allows is shown. They follow from the published table by the rules of the
# guide's page on judged measures, but for debiased CKA, which most papers report.
_OUTPUTS = (
    ("Disagreement", "RankCorrelation"),
    ("Hellinger", "RegressionDifference"),
    ("ErrorConsistency",),
    ("ProbabilisticErrorConsistency",),
)
_PLACES = {
    "same_architecture": (
        *(("AlignedCosine",), ("MutualKNN",), ("GULP",), ("CKA",)),
        *_OUTPUTS,
    ),
    "copy": (
        *(("AlignedCosine",), ("JointRankJaccard",), ("GULP",), ("CKA",)),
        *_OUTPUTS[:3],
        ("WeightDelta",),
    ),
    "different_kinds": (
        *(("PartialWhiteningShapeMetric",), ("DecodingSimilarity",)),
        *(("MutualKNN",), ("CKA",)),
        *_OUTPUTS,
    ),
    "recordings": (
        *(("MutualKNN",), ("AlignedCosine",), ("DistanceCorrelation",), ("CKA",)),
        *_OUTPUTS,
    ),
}
TASKS = tuple(_PLACES)
_PARAMETERS = {"CKA": {"debias": "rows"}}


def panel_of(task: str) -> list[list[Measure]]:
    """Measures that are shown for a task: of each place, those that can take it.

    Parameters
    ----------
    task : {"same_architecture", "copy", "different_kinds", "recordings"}

    Returns
    -------
    places : list of list of BaseSimilarity
    """
    return [
        [check_measure(name).set_params(**_PARAMETERS.get(name, {})) for name in place]
        for place in _PLACES[task]
    ]
