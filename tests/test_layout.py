"""Where things are: a measure is found by the name of its file."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from collections import Counter

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
PUBLIC = {m.__name__.removeprefix("sksim."): m for m in PUBLIC if hasattr(m, "__all__")}
CONSTRUCTORS = {
    cls
    for module in PUBLIC.values()
    for name in module.__all__
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


# ----- the top level ------------------------------------------------------------------


def test_top_level_has_every_public_name():
    """One that is new goes into ``sksim/__init__.pyi``."""
    names = {name for module in PUBLIC.values() for name in module.__all__}
    assert set(sksim.__all__) == names | {*PUBLIC, "all_measures", "discovery"}
    assert set(sksim.__all__) <= set(dir(sksim))
    for module in PUBLIC.values():
        for name in module.__all__:
            assert getattr(sksim, name) is getattr(module, name)


def test_no_two_public_names_collide():
    names = [name for module in PUBLIC.values() for name in module.__all__]
    twice = {name for name, n in Counter([*names, *PUBLIC]).items() if n > 1}
    assert not twice


@pytest.mark.parametrize(
    "code, there, not_there",
    [
        ("import sksim", ["sksim"], ["sksim.base", "numpy", "scipy", "sklearn"]),
        ("from sksim import CKA", ["sksim.rsm"], ["sksim.topology", "sksim.plot"]),
        ("import sksim; sksim.cca", ["sksim.cca"], ["sksim.rsm", "sksim.inference"]),
        ("from sksim import compare", ["sksim.pairwise"], ["sksim.rsm", "sksim.plot"]),
        ("from sksim import RTD", ["sksim.topology"], ["sksim.rsm", "matplotlib"]),
    ],
)
def test_a_name_imports_its_own_family(code, there, not_there):
    code = f"{code}\nimport sys\nprint(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    modules = found.stdout.split()
    assert set(there) <= set(modules)
    assert not set(not_there) & set(modules)
