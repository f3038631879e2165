"""Types are written where users call: on functions, results, tags and displays."""

import dataclasses
import inspect
import typing

import pytest
from sklearn.base import BaseEstimator

import sksim
from sksim import SimilarityTags, TorchExtractor
from sksim._results import ResultMixin

PUBLIC = {name: getattr(sksim, name) for name in sksim.__all__}
CLASSES = {name: cls for name, cls in PUBLIC.items() if inspect.isclass(cls)}
TYPED = {
    name: cls
    for name, cls in CLASSES.items()
    if issubclass(cls, ResultMixin | SimilarityTags | TorchExtractor)
    or name.endswith("Display")
}
FUNCTIONS = {name: f for name, f in PUBLIC.items() if inspect.isfunction(f)} | {
    f"{name}.{method}": inspect.unwrap(getattr(cls, method))
    for name, cls in TYPED.items()
    for method, member in inspect.getmembers(cls)
    if not method.startswith("_") and inspect.isroutine(member)
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_parameter_has_a_type(name):
    function = inspect.unwrap(FUNCTIONS[name])
    parameters = dict(inspect.signature(function).parameters)
    for own in ("self", "cls"):
        parameters.pop(own, None)
    hints = typing.get_type_hints(function)
    assert set(hints) == {*parameters, "return"}
    for key, parameter in parameters.items():
        if parameter.default is None:
            assert _takes_none(hints[key]), key


@pytest.mark.parametrize("name", sorted(TYPED))
def test_fields_have_types_that_can_be_read(name):
    cls = TYPED[name]
    if dataclasses.is_dataclass(cls):
        fields = {field.name for field in dataclasses.fields(cls)}
        assert fields <= set(typing.get_type_hints(cls))


@pytest.mark.parametrize(
    "cls", [cls for cls in CLASSES.values() if issubclass(cls, BaseEstimator)]
)
def test_constructors_of_estimators_are_bare(cls):
    """As scikit-learn's are: their parameters are described, and checked by fit."""
    signature = inspect.signature(cls.__init__)
    assert all(p.annotation is p.empty for p in signature.parameters.values())


def _takes_none(hint):
    return hint is typing.Any or type(None) in typing.get_args(hint)
