"""Where things are: a measure is found by the name of its file."""

import re

import pytest

from sksim import all_measures

NAMED = ["functional", "statistics", "topology", "structural"]


def snake_case(name):
    """A class's name in lower case, with underscores between its words."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@pytest.mark.parametrize("name, cls", all_measures(family=NAMED))
def test_measure_is_in_the_file_of_its_name(name, cls):
    assert cls.__module__.rpartition(".")[2] == f"_{snake_case(name)}"
