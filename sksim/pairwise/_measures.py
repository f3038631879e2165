"""Which measures are meant: by name, by family, as classes or as instances."""

from collections.abc import Mapping
from typing import NamedTuple

from sksim.base._readable import is_text
from sksim.base._tags import tags_of
from sksim.discovery import FAMILIES, all_measures, check_measure

# Measures that are one number of two models, up to an increasing map of the score that
# may know the numbers of rows, columns and classes. The first of each lends its name.
_ONE_STATISTIC = (
    # the share of rows on which two models differ
    ("Disagreement", "Ambiguity", "Discrepancy", "LabelEntropy"),
    # the share of rows that one model alone gets right
    ("OracleDisagreement", "EntropyDiversity", "KohaviWolpertVariance"),
    # rows that one model alone gets wrong, for each that both do
    ("GeneralizedDiversity", "CoincidentFailureDiversity"),
    # agreement beyond that of two draws from both models' labels together
    ("FleissKappa", "KrippendorffAlpha"),
    # the share of joint errors that are the same
    ("SameErrorRate", "GroupSameErrorRate"),
    # agreement on what is likely beyond that of independent models
    ("ProbabilisticErrorConsistency", "GroupProbabilisticErrorConsistency"),
    # half of the absolute difference of probabilities
    ("TotalVariation", "PredictionDifference"),
    # the cosine of the angle after the best orthogonal map
    ("OrthogonalProcrustes", "AngularShapeMetric", "NormalizedBures"),
    # columns matched one to one
    ("PermutationProcrustes", "SoftMatching"),
)
_FIRST_OF = {name: names[0] for names in _ONE_STATISTIC for name in names}
# Parameters that change the unit, or what stands for nan, and not the statistic.
_UNITS = {"base", "normalize", "replace_undefined_by"}


class Chosen(NamedTuple):
    """A measure, and whether it was asked for itself or as one of many."""

    measure: object
    by_itself: bool


def resolve_measures(measures):
    """Label and instance of each measure.

    Parameters
    ----------
    measures : str, class, instance, mapping or sequence of those
        A name, or the name of a family for all of its measures; "all" for all. A
        mapping gives labels of its own.

    Returns
    -------
    resolved : dict of str to Chosen
    """
    if isinstance(measures, Mapping):
        return {
            str(label): Chosen(check_measure(m), True) for label, m in measures.items()
        }
    if is_text(measures) and measures == "all":
        measures = FAMILIES
    elif is_text(measures) or not isinstance(measures, list | tuple | set):
        measures = [measures]
    resolved = {}
    for measure in measures:
        if is_text(measure) and measure.lower() in FAMILIES:
            for name, cls in all_measures(family=measure.lower()):
                if _goes_with_its_family(tags_of(cls())):
                    resolved.setdefault(name, Chosen(cls(), False))
        else:
            measure = check_measure(measure)
            resolved[label_of(measure)] = Chosen(measure, True)
    if not resolved:
        raise ValueError("measures is empty: there is nothing to compute.")
    return resolved


def _goes_with_its_family(tags):
    """Whether a measure is tried where its family is asked for.

    Attributions are no model's answers, and labels of which a row has many are not
    told from the probabilities of one.
    """
    return tags.inputs != "gradients" and "label_sets" not in tags.requires


def label_of(measure):
    """The class name, with the parameters that are not defaults."""
    return " ".join(repr(measure).split()).removesuffix("()")


def statistic_of_two(measure, *, is_binary, of_one_width):
    """What a measure is a function of where two models are compared.

    Two measures with the same have the same order of any comparisons, under any order
    of their rows, and so the same p-value.

    Parameters
    ----------
    measure : BaseSimilarity
    is_binary : bool
        Whether labels and true labels are of two classes: whoever differs from the
        other is then the one that is wrong.
    of_one_width : bool
        Whether both sides have as many columns.

    Returns
    -------
    statistic : hashable
    """
    name = type(measure).__name__
    first = _FIRST_OF.get(name)
    is_own = type(measure).__module__.startswith("sksim.")
    if first is None or not is_own or not _has_default_statistic(measure):
        return type(measure), measure.__repr__(N_CHAR_MAX=10**6)
    if first == "PermutationProcrustes" and not of_one_width:
        return name
    return "Disagreement" if first == "OracleDisagreement" and is_binary else first


def _has_default_statistic(measure):
    given = measure.get_params(deep=False)
    usual = type(measure)().get_params(deep=False)
    return all(
        given[name] is usual[name] or given[name] == usual[name]
        for name in given
        if name not in _UNITS
    )


def first_in_line(measures):
    """Places of measures, those first that lend their statistic its name.

    Parameters
    ----------
    measures : sequence of BaseSimilarity
    """
    places = range(len(measures))
    return sorted(
        places, key=lambda i: type(measures[i]).__name__ not in _FIRST_OF.values()
    )
