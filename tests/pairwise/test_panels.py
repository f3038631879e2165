"""The panels are what the published table gives by its rules."""

import sys

import pytest

from sksim import CKA
from sksim.pairwise._panels import TASKS, panel_of


@pytest.fixture(scope="module")
def judged(request):
    folder = request.config.rootpath / "doc"
    if not (folder / "published" / "table.csv").exists():
        pytest.skip("the documentation's sources are not here")
    sys.path.insert(0, str(folder))
    try:
        import judged
    finally:
        sys.path.remove(str(folder))
    return judged


def names_of(task):
    return [type(place[0]).__name__ for place in panel_of(task)]


@pytest.mark.parametrize("task", TASKS)
def test_representations(judged, task):
    *chosen, reported = names_of(task)[:4]
    assert chosen == judged.defaults(task)
    assert reported == "CKA"
    assert panel_of(task)[3][0].debias == CKA(debias="rows").debias


@pytest.mark.parametrize("task", TASKS)
def test_outputs(judged, task):
    expected = judged.defaults_of_outputs()
    if task == "copy":
        expected[-1] = "WeightDelta"
    assert names_of(task)[4:] == expected


def test_all_kinds_of_data_and_controls_are_published(judged):
    table = judged.published()
    assert table["data"].nunique() == 3
    assert set(judged.CONTROLS) <= set(table["measure"])
    assert table["measure"].nunique() > 90


@pytest.mark.parametrize("family", ["representational", "functional"])
def test_tables_name_every_judged_measure_once(judged, family):
    text = judged.values(family)
    kinds = judged.KINDS[family]
    table = judged.published()
    complete = table[table["kind"].isin(kinds)].dropna(subset=["value"])
    by = complete[complete["test"].isin(judged.TESTS)].groupby(["measure", "test"])
    has_all = by["data"].nunique() == table["data"].nunique()
    for name in has_all[has_all].index.get_level_values(0).unique():
        assert text.count(f"{name}`") + text.count(f"`{name} <") >= 1, name
    assert "random" in text
    assert judged.ranks(family).count("   * - ") >= 7
