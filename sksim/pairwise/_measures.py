"""Which measures are meant: by name, by family, as classes or as instances."""

from collections.abc import Mapping
from typing import NamedTuple

from sksim.discovery import FAMILIES, all_measures, check_measure


class Chosen(NamedTuple):
    """A measure, and whether it was asked for itself or as one of many."""

    measure: object
    by_itself: bool


def resolve_measures(measures):
    """Label and instance of each measure.

    Parameters
    ----------
    measures : None, str, class, instance, mapping or sequence of those
        A name, or the name of a family for all of its measures; None for all. A
        mapping gives labels of its own.

    Returns
    -------
    resolved : dict of str to Chosen
    """
    if isinstance(measures, Mapping):
        return {
            str(label): Chosen(check_measure(m), True) for label, m in measures.items()
        }
    if measures is None:
        measures = FAMILIES
    elif isinstance(measures, str) or not isinstance(measures, list | tuple | set):
        measures = [measures]
    resolved = {}
    for measure in measures:
        if isinstance(measure, str) and measure.lower() in FAMILIES:
            for name, cls in all_measures(family=measure.lower()):
                resolved.setdefault(name, Chosen(cls(), False))
        else:
            measure = check_measure(measure)
            resolved[_label(measure)] = Chosen(measure, True)
    if not resolved:
        raise ValueError("measures is empty: there is nothing to compute.")
    return resolved


def _label(measure):
    """The class name, with the parameters that are not defaults."""
    return " ".join(repr(measure).split()).removesuffix("()")
