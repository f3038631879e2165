"""Finding the measures: what is public is discovered, so nothing is ever forgotten."""

import difflib
import importlib
import inspect

from sklearn.base import BaseEstimator, clone

from sksim._typing import Measure
from sksim.base._tags import tags_of

FAMILIES = (
    "cca",
    "alignment",
    "rsm",
    "neighbors",
    "topology",
    "statistics",
    "functional",
    "structural",
)


def all_measures(**filters: object) -> list[tuple[str, type[BaseEstimator]]]:
    """All public measures, with those properties that are asked for.

    Parameters
    ----------
    **filters : dict
        Values of :class:`sksim.base.SimilarityTags` that a measure with default
        parameters must have, such as ``family="cca"`` or ``metric=True``. A set or
        list is a choice (``family=["cca", "rsm"]``), and for ``invariances`` all that
        are given must be claimed.

    Returns
    -------
    measures : list of (str, class)
        Names and classes, ordered by name.

    Raises
    ------
    ValueError
        If a filter is not the name of a tag.

    Examples
    --------
    >>> from sksim import all_measures
    >>> [name for name, _ in all_measures(family="alignment", metric=True)][:1]
    ['...']
    >>> dict(all_measures())["CKA"]().fit([[1.0], [2.0], [4.0]], [3, 5, 9]).score_
    1.0
    """
    found = _all_classes()
    return [
        (name, found[name])
        for name in sorted(found)
        if not filters or _matches(tags_of(found[name]()), filters)
    ]


def check_measure(measure: Measure, purpose: str = "compare") -> BaseEstimator:
    """Clone of a measure with valid parameters; anything else is refused.

    Parameters
    ----------
    measure : estimator, class or str
        A measure, its class, or its name, for its default parameters.
    purpose : str, default="compare"
        What the measure is wanted for, for the message.

    Returns
    -------
    measure : BaseSimilarity
        Not fitted.

    Raises
    ------
    ValueError
        If there is no such measure, or a parameter is not valid.
    """
    if isinstance(measure, str):
        return _named_measure(measure)
    if inspect.isclass(measure) and issubclass(measure, BaseEstimator):
        try:
            measure = measure()
        except TypeError as error:
            raise ValueError(
                f"{measure.__name__} can't be made without arguments: pass an "
                f"instance of it, to {purpose}."
            ) from error
    if not hasattr(measure, "_similarity_tags"):
        raise ValueError(
            f"measure must be a similarity measure, such as CKA(), or its name, to "
            f"{purpose}; got {measure!r}. sksim.all_measures() lists all."
        )
    measure = clone(measure)
    measure._validate_params()
    return measure


def _named_measure(name):
    """Default instance of the measure of that name; else the closest names."""
    known = _all_classes()
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


def _all_classes():
    found = {}
    for family in FAMILIES:
        package = _import_family(family)
        for name in getattr(package, "__all__", ()):
            member = getattr(package, name)
            if inspect.isclass(member) and hasattr(member, "_similarity_tags"):
                found[name] = member
    return found


def _import_family(family):
    try:
        return importlib.import_module(f"sksim.{family}")
    except ModuleNotFoundError as error:
        if error.name == f"sksim.{family}":
            return None
        raise


def _matches(tags, filters):
    for name, wanted in filters.items():
        if not hasattr(tags, name):
            raise ValueError(
                f"all_measures() got an unknown filter {name!r}: filters are tags, "
                f"such as {sorted(type(tags).__dataclass_fields__)}."
            )
        value = getattr(tags, name)
        if name in ("invariances", "invariances_y"):
            if not set([wanted] if isinstance(wanted, str) else wanted) <= value:
                return False
        elif isinstance(wanted, set | frozenset | list):
            if value not in wanted:
                return False
        elif value != wanted:
            return False
    return True
