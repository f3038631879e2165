"""Where things are: a measure is found by the name of its file."""

import importlib
import inspect
import pkgutil
import re

import pytest
from sklearn.base import BaseEstimator

import sksim
from sksim import all_measures

NAMED = ["functional", "statistics", "topology", "structural"]


def snake_case(name):
    """A class's name in lower case, with underscores between its words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@pytest.mark.parametrize("name, cls", all_measures(family=NAMED))
def test_measure_is_in_the_file_of_its_name(name, cls):
    assert cls.__module__.rpartition(".")[2] == f"_{snake_case(name)}"


PUBLIC = [
    importlib.import_module(f"sksim.{module.name}")
    for module in pkgutil.iter_modules(sksim.__path__)
    if not module.name.startswith("_")
]
CONSTRUCTORS = {
    cls
    for module in PUBLIC
    for name in getattr(module, "__all__", ())
    for base in [getattr(module, name)]
    if isinstance(base, type) and issubclass(base, BaseEstimator)
    for cls in base.__mro__
    if cls.__module__.startswith("sksim.") and "__init__" in vars(cls)
}


@pytest.mark.parametrize("cls", sorted(CONSTRUCTORS, key=lambda cls: cls.__name__))
def test_at_most_two_parameters_are_positional(cls):
    """A reader of ``Measure(0.1, True, "mean")`` would not know what is what."""
    parameters = inspect.signature(cls).parameters.values()
    positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    assert len(positional) <= 2
    assert not any(isinstance(p.default, bool) for p in positional)
