"""Which measures are meant: by name, by family, as classes or as instances."""

import difflib
import inspect
from collections.abc import Mapping
from typing import NamedTuple

from sklearn.base import BaseEstimator, clone

from sksim.discovery import FAMILIES, all_measures


def check_measure(measure):
    """Clone of a measure with valid parameters; anything else is refused."""
    if isinstance(measure, str):
        return resolve_one(measure)
    if inspect.isclass(measure) and issubclass(measure, BaseEstimator):
        measure = measure()
    if not hasattr(measure, "_similarity_tags"):
        raise ValueError(
            "measure must be a similarity measure, such as CKA(), or its name, got "
            f"{measure!r}. sksim.all_measures() lists all."
        )
    measure = clone(measure)
    measure._validate_params()
    return measure


def resolve_one(name):
    """Default instance of the measure of that name; else the closest names."""
    known = dict(all_measures())
    if name in known:
        return known[name]()
    by_lower_case = {key.lower(): key for key in known}
    if name.lower() in by_lower_case:
        return known[by_lower_case[name.lower()]]()
    choices = [*by_lower_case, *FAMILIES]
    close = difflib.get_close_matches(name.lower(), choices, n=3, cutoff=0.5)
    close = [by_lower_case.get(match, match) for match in close]
    hint = (
        f"Did you mean {' or '.join(close)}?"
        if close
        else f"Known families are {', '.join(FAMILIES)}; sksim.all_measures() lists "
        "all measures."
    )
    raise ValueError(f"There is no measure or family {name!r}. {hint}")


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
