"""What is renamed works under its old name, and says so to whoever uses it."""

import pickle
import sys
from types import ModuleType

import pytest
from sklearn.base import BaseEstimator, clone

from sksim._deprecation import renamed_names, renamed_parameters

renamed = renamed_parameters({"alpha": "ridge"}, since="0.3", until="0.5")


@renamed
def shrunk(value, *, ridge=1.0):
    """Value, shrunk."""
    return value / (1 + ridge)


class Shrunk(BaseEstimator):
    @renamed_parameters({"alpha": "ridge", "n_iter": "max_iter"}, since="1", until="2")
    def __init__(self, ridge=1.0, *, max_iter=10):
        self.ridge = ridge
        self.max_iter = max_iter


def test_an_old_parameter_works_and_warns_where_it_is_written():
    with pytest.warns(FutureWarning) as caught:
        assert shrunk(6, alpha=2) == 2
    (warning,) = caught
    assert str(warning.message) == (
        "The parameter 'alpha' is called 'ridge' since sksim 0.3; the old name goes in "
        "0.5."
    )
    assert warning.filename == __file__


def test_new_parameters_are_silent():
    assert shrunk(6, ridge=2) == 2
    assert shrunk(6) == 3
    assert shrunk.__doc__ == "Value, shrunk."


def test_both_names_at_once_are_refused():
    with pytest.raises(TypeError, match="shrunk got both 'ridge' and 'alpha'"):
        shrunk(6, ridge=2, alpha=2)
    with (
        pytest.warns(FutureWarning),
        pytest.raises(TypeError, match="multiple values for argument 'ridge'"),
    ):
        Shrunk(2, alpha=2)


def test_unknown_parameters_are_refused_as_ever():
    with pytest.raises(TypeError, match="unexpected keyword argument 'beta'"):
        shrunk(6, beta=1)


def test_estimators_know_their_new_names_only():
    with pytest.warns(FutureWarning, match="'alpha'.*since sksim 1;.*goes in 2"):
        old = Shrunk(alpha=3)
    assert old.get_params() == {"ridge": 3, "max_iter": 10}
    assert clone(old).get_params() == old.get_params()
    assert pickle.loads(pickle.dumps(old)).ridge == 3
    with pytest.warns(FutureWarning) as caught:
        assert Shrunk(alpha=3, n_iter=7).get_params() == {"ridge": 3, "max_iter": 7}
    assert len(caught) == 2


@pytest.mark.parametrize("names", [{"alpha": "penalty"}, {"value": "ridge"}])
def test_a_wrong_table_of_parameters_is_found_at_once(names):
    with pytest.raises(ValueError, match="shrunk must have the parameter"):
        renamed_parameters(names, since="0.3", until="0.5")(shrunk)


@pytest.fixture
def package(monkeypatch):
    """A module in which ``Old`` is called ``New``."""
    module = ModuleType("a_package")
    module.New = Shrunk
    module.__getattr__ = renamed_names(
        "a_package", {"Old": "New"}, since="0.3", until="0.5"
    )
    monkeypatch.setitem(sys.modules, "a_package", module)
    return module


def test_an_old_name_works_and_warns_where_it_is_written(package):
    with pytest.warns(FutureWarning) as caught:
        assert package.Old is Shrunk
    (warning,) = caught
    assert str(warning.message) == (
        "a_package.Old is called a_package.New since sksim 0.3; the old name goes in "
        "0.5."
    )
    assert warning.filename == __file__
    with pytest.warns(FutureWarning):
        from a_package import Old
    assert Old is package.New


def test_other_names_are_left_to_the_module(package):
    with pytest.raises(AttributeError, match="'a_package' has no attribute 'Other'"):
        _ = package.Other
    package.__getattr__ = renamed_names(
        "a_package", {"Old": "New"}, since="0.3", until="0.5", otherwise=str.upper
    )
    assert package.Other == "OTHER"
    with pytest.warns(FutureWarning):
        assert package.Old is Shrunk
