"""Finding the measures: what is public is discovered, so nothing is ever forgotten."""

import importlib
import inspect

from sklearn.utils import get_tags

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


def all_measures(**filters):
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
    found = {}
    for family in FAMILIES:
        package = _import_family(family)
        for name in getattr(package, "__all__", ()):
            member = getattr(package, name)
            if inspect.isclass(member) and hasattr(member, "_similarity_tags"):
                found[name] = member
    return [
        (name, found[name])
        for name in sorted(found)
        if _matches(get_tags(found[name]()).similarity_tags, filters)
    ]


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
