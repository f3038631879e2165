"""The few measures that are shown where none are named, by task."""

from sksim._typing import Measure
from sksim.discovery import check_measure

# Each place of a panel has the measures that can take it, best first: the first that
# the input allows is shown. Where they come from: the guide's page on the published
# table, :ref:`judged`.
_ANSWERS = ("Disagreement", "RankCorrelation")
_PROBABILITIES = ("JensenShannonDivergence", "RegressionDifference")
_PLACES = {
    "same_architecture": (
        ("CKA",),
        ("OrthogonalProcrustes",),
        ("MutualKNN",),
        _ANSWERS,
        _PROBABILITIES,
        ("ErrorConsistency",),
        ("SameErrorRate",),
    ),
    "copy": (
        ("OrthogonalProcrustes",),
        ("CKA",),
        ("MutualKNN",),
        _ANSWERS,
        _PROBABILITIES,
        ("ErrorConsistency",),
        ("SameErrorRate",),
        ("WeightDelta",),
    ),
    "different_kinds": (
        ("CKA",),
        ("RSA",),
        ("MutualKNN",),
        _ANSWERS,
        _PROBABILITIES,
        ("ErrorConsistency",),
        ("SameErrorRate",),
    ),
    "recordings": (("CKA",), ("RSA",), ("LinearRegressionSimilarity",), _ANSWERS),
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
