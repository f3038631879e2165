import html
import re

import jinja2
import numpy as np
import pandas as pd
import pytest

import sksim
from sksim.inference import replicate_test
from sksim.pairwise import compare, similarity_matrix
from sksim.report import write_report
from sksim.report._bars import bars
from sksim.report._svg import heat_map
from sksim.report._tables import format_number
from sksim.report._template import render
from sksim.report._text import format_table
from sksim.rsm import CKA
from tests._page import Page

HOSTILE = "<script>alert('x')</script> & \"quotes\""


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = np.tanh(X @ rng.normal(size=(3, 5)))
    return compare(
        X, y, measures=["CKA", "OrthogonalProcrustes"], random_state=0
    ).to_frame()


def test_page_is_whole_and_self_contained(table, tmp_path):
    path = tmp_path / "report.html"
    text = write_report(table, path, title="A title", text="Some text")
    assert path.read_text(encoding="utf-8") == text
    page = Page(text)
    assert page.tags.count("table") == 1
    assert text.count('class="bar"') == 2
    assert page.tags.count("tr") == 3
    assert "url(" not in text
    for row in table.itertuples():
        assert row.measure in text
        assert row.direction in text
        # cells carry the exact number, for sorting
        assert any(c.get("data-value") == repr(row.value) for c in page.cells)
        assert any(c.get("data-value") == repr(row.pvalue) for c in page.cells)


def test_intervals(table):
    text = write_report(table)
    # of a distance, in its own units
    assert table.direction[1] == "distance"
    low, high = -table.interval_high[1], -table.interval_low[1]
    assert f"[{low:.3f}, {high:.3f}]" in text
    assert any(c.get("data-value") == repr(float(low)) for c in Page(text).cells)
    assert "confidence of 95 %" in text
    assert text.count('class="limits"') == 2
    without = table.assign(interval_low=np.nan, interval_high=np.nan)
    without.attrs["confidence_level"] = None
    text = write_report(without)
    assert "interval" not in text.lower()
    assert "limits" not in Page(text).tags
    one = table.assign(interval_low=[np.nan, -high], interval_high=[np.nan, -low])
    assert write_report(one).count('class="limits"') == 1


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (-0.00021, 0.0058, "[-0.000, 0.006]"),
        (0.25, 0.7512, "[0.250, 0.751]"),
        (620.66, 781.4, "[620.7, 781.4]"),
        (-4.2e-5, 6.9e-4, "[-4e-05, 7e-04]"),
        (-2e7, 3e7, "[-2e+07, 3e+07]"),
        (np.nan, np.nan, "–"),
    ],
)
def test_limits_as_people_read_them(low, high, shown):
    assert format_number((low, high), "interval") == shown


def places(html, css):
    found = re.findall(rf'class="{css}" style="left:([\d.]+)%;width:([\d.]+)%"', html)
    return [tuple(map(float, pair)) for pair in found]


def test_intervals_are_drawn_where_they_are():
    html = bars(["a"], [0.5], limits=[(0.25, 2.0)])
    assert places(html, "bar") == [(0, 50)]
    assert places(html, "limits") == [(25, 75)]  # 1 at most
    assert "limits" not in bars(["a"], [0.5], limits=[(np.nan, np.nan)])


def test_notes_are_numbered_below_the_table(table):
    many = pd.concat([table, table], ignore_index=True)
    noted = many.assign(note=["one & two", "", "another", "one & two"])
    text = write_report(noted)
    marks = [c["data-value"] for c in Page(text).cells if "[" in c["data-value"]]
    assert marks == ["[1]", "[2]", "[1]"]
    assert '<ol class="notes"><li>one &amp; two</li><li>another</li></ol>' in text
    # a column of nothing is left out
    none = write_report(table.assign(note=""))
    assert "<ol" not in none
    assert ">note<" not in none


def test_versions_and_call(table):
    text = write_report(table, call="compare(a, b)")
    assert "compare(a, b)" in text
    assert f"sksim {sksim.__version__}" in text
    assert f"numpy {np.__version__}" in text
    assert table.attrs["call"] in html.unescape(write_report(table))


def test_everything_is_escaped(table):
    hostile = table.assign(measure=HOSTILE, note=HOSTILE, family=HOSTILE)
    matrix = pd.DataFrame(np.eye(2), index=["a", HOSTILE], columns=["a", HOSTILE])
    text = write_report(
        {HOSTILE: hostile},
        title=HOSTILE,
        text=HOSTILE,
        call=HOSTILE,
        figures={HOSTILE: matrix},
    )
    assert Page(text).tags.count("script") == 1
    assert "<script>alert" not in text
    # a plain str, which other templates escape like any other
    assert type(text) is str


def test_pictures(table):
    rng = np.random.default_rng(0)
    layers = {name: rng.normal(size=(20, 3)) for name in "abc"}
    matrix = similarity_matrix(CKA(), layers)
    text = write_report(table, figures={"Layers": matrix})
    assert Page(text).tags.count("svg") == 1
    assert "Layers (greater is more similar)" in text
    assert f"a / b: {matrix.loc['a', 'b']:.4g}" in text


def test_matplotlib_figures_are_inline(table):
    plt = pytest.importorskip("matplotlib.pyplot")
    figure, ax = plt.subplots()
    ax.plot([1, 2])
    text = write_report(table, figures={"A plot": figure})
    plt.close(figure)
    Page(text)
    assert 'src="data:image/png;base64,' in text


def test_missing_and_unusual_numbers():
    table = pd.DataFrame(
        {
            "measure": ["a", "b", "c"],
            "value": [np.nan, np.inf, 1e-12],
            "calibrated_score": [np.nan, np.nan, -7.0],
            "pvalue": [np.nan, 1e-5, 0.5],
            "note": ["why it is missing", "", ""],
        }
    )
    text = write_report(table)
    Page(text)
    for shown in ("–", "∞", "1.00e-12", "1.0e-05", "why it is missing"):
        assert shown in text


def test_other_tables_keep_their_index():
    table = pd.DataFrame({"accuracy": [0.5]}, index=pd.Index(["forest"], name="model"))
    text = write_report({"Accuracy": table})
    assert "forest" in text
    assert "model" in text


@pytest.mark.parametrize(
    ("tables", "figures", "message"),
    [
        ([1], None, "tables must be"),
        ({"a": 1}, None, "tables must be"),
        (pd.DataFrame({"a": [1]}), {"b": 3}, "'b' must be"),
    ],
)
def test_bad_input(tables, figures, message):
    with pytest.raises(ValueError, match=message):
        write_report(tables, figures=figures)


def test_what_a_template_names_must_be_given():
    with pytest.raises(jinja2.UndefinedError, match="rows"):
        render("bars.html")


def fills(svg):
    return re.findall(r'fill="rgb\((\d+),(\d+),(\d+)\)"><title>', svg)


def test_light_is_similar():
    matrix = pd.DataFrame([[0.0, 1.0]], index=["x"], columns=["a", "b"])
    brightness = [sum(map(int, fill)) for fill in fills(heat_map(matrix))]
    assert brightness[1] > brightness[0]
    matrix.attrs["orientation"] = "distance"
    brightness = [sum(map(int, fill)) for fill in fills(heat_map(matrix))]
    assert brightness[0] > brightness[1]


def test_heat_map_of_missing_equal_and_many_cells():
    blank = heat_map(pd.DataFrame([[np.nan]], index=["x"], columns=["y"]))
    assert "not available" in blank
    assert "nan" not in blank
    assert len(fills(heat_map(pd.DataFrame(np.ones((2, 2)))))) == 4
    many = heat_map(pd.DataFrame(np.random.default_rng(0).random((20, 20))))
    assert len(fills(many)) == 400
    close = pd.DataFrame([[0.041, 0.044]])
    assert ">0.041<" in heat_map(close)


def test_heat_map_from_zero_to_one():
    near = pd.DataFrame([[0.5, 0.6]])
    assert fills(heat_map(near))[1] == fills(heat_map(pd.DataFrame([[0.0, 1.0]])))[1]
    unit = heat_map(near, unit=True)
    ends = fills(heat_map(pd.DataFrame([[0.0, 1.0]])))
    assert not set(fills(unit)) & set(ends)
    assert re.findall(r'text-anchor="start">([^<]*)<', unit) == ["1", "0"]
    # numbers outside keep their own range
    wide = pd.DataFrame([[-0.5, 0.6]])
    assert heat_map(wide, unit=True) == heat_map(wide)


def test_bars_stay_inside():
    html = bars(["a", "b", "c", "d"], [1.5, -3.0, np.nan, 0.5], notes=list("wxyz"))
    assert places(html, "bar") == [(50, 50), (0, 50), (50, 25)]
    assert [f"<span>{note}</span>" in html for note in "wxyz"] == [True] * 4
    assert Page(html).tags.count("i") == 8


# ----- text ---------------------------------------------------------------------------


def test_text_table(table):
    noted = table.assign(note=["a long reason " * 20, ""])
    lines = format_table(noted, width=100).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split()[:3] == ["measure", "compared", "value"]
    assert lines[2].endswith("[1]")
    assert lines[4].startswith("[1] a long reason")


def test_text_table_has_distances_throughout(table):
    row = table.iloc[1]
    line = format_table(table.drop(columns="compared")).splitlines()[3]
    limits = f"[{-row.interval_high:.3f}, {-row.interval_low:.3f}]"
    assert line.split()[1:4] == [f"{row.value:.3f}", "dist.", f"{-row.null_mean:.3f}"]
    assert line.endswith(f"  {limits}")
    none = table.drop(columns=["interval_low", "interval_high"])
    assert "interval" not in format_table(none)


def test_text_table_of_a_matrix():
    matrix = pd.DataFrame([[1.0, 0.5]], index=["row"], columns=["a", "b"])
    lines = format_table(matrix).splitlines()
    assert lines[-1].split() == ["row", "1.000", "0.500"]
    assert "index" not in lines[0]


def test_control_characters_do_not_reach_the_terminal():
    table = pd.DataFrame({"measure": ["\x1b[31mred"], "value": [1.0]})
    assert "\x1b" not in format_table(table)


def test_what_changed_places_is_said():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=60)
    a, b = np.where(rng.random((2, 60)) < 0.8, truth, 0)
    names = ["Disagreement", "Ambiguity"]
    of_labels = compare(a, b, y_true=truth, measures=names, random_state=0).to_frame()
    text = write_report(of_labels)
    assert text.count(">rows within classes<") == 2
    assert "p-value, adjusted" in text
    assert "same as" in text
    lines = format_table(of_labels).splitlines()
    assert lines[2].endswith("[1]")
    assert lines[-1] == "[1] null: rows within classes"
    assert "p adj." in lines[0]


def test_free_rows_are_not_worth_a_footnote(table):
    assert "[1]" not in format_table(table)
    assert "same as" not in write_report(table)
    assert ">rows<" in write_report(table)
    none = table.assign(null="")
    assert ">null<" not in write_report(none)


def test_results_are_tables():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(40, 4))
    Xs, ys = ([shared + rng.normal(size=(40, 4)) for _ in range(3)] for _ in range(2))
    result = replicate_test("CKA", Xs, ys, confidence_level=0.8)
    alone = write_report(result)
    for row in result.to_frame().itertuples():
        assert f"{row.estimate:.3f}" in alone
        assert f"[{row.interval_low:.3f}, {row.interval_high:.3f}]" in alone
    html = write_report({"Measures": result.pairs, "Seeds": result})
    assert "Seeds" in html and f"{result.between:.3f}" in html
