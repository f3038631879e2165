"""The page of a comparison of two models: an answer first, then its reasons."""

import base64
import copy
import hashlib
import html
import io
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sksim.pairwise import compare, similarity_matrix
from sksim.pairwise._compare import COLUMNS
from sksim.report import write_report
from sksim.report._disagreements import APART, disagreements_of
from sksim.report._questions import questions_of
from sksim.report._strip import Scale, strip
from sksim.report._tiles import tiles_of
from sksim.rsm import CKA
from tests._page import Page

FAST = {"n_permutations": 99, "random_state": 0}
HOSTILE = "<script>alert('x')</script> & \"quotes\""


@pytest.fixture(scope="module")
def data():
    X, y = load_digits(return_X_y=True)
    return X[:200] / 16, y[:200], X[200:400] / 16, y[200:400]


@pytest.fixture(scope="module")
def pruned(data):
    """A network and its copy without most of its weights."""
    X, y, X_new, y_new = data
    network = MLPClassifier((16,), max_iter=150, random_state=0, tol=0.05).fit(X, y)
    cut = copy.deepcopy(network)
    cut.coefs_ = [
        np.where(np.abs(c) < np.quantile(np.abs(c), 0.7), 0, c) for c in cut.coefs_
    ]
    return compare(network, cut, X_new, y_new, task="copy", margin=0.01, **FAST)


# a comparison of named measures: panels may come to hold others
THREE = [CKA(debias="rows"), "OrthogonalProcrustes", "MutualKNN"]


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return compare(X, X @ rng.normal(size=(4, 6)), measures=THREE, **FAST)


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=120)
    a, b = np.where(rng.random((2, 120)) < 0.8, truth, 0)
    return compare(a, b, measures=["Disagreement", "CohenKappa"], **FAST)


def read_aloud(result, **options):
    return Page(write_report(result, **options))


@pytest.mark.parametrize("name", ["pruned", "arrays", "labels"])
def test_what_is_read_aloud_first(name, request):
    """Alike, more than chance, may one replace the other: before any table."""
    page = read_aloud(request.getfixturevalue(name))
    words = page.words_before_table or page.words
    text = " ".join(words)
    places = [
        min(
            text.find(question)
            for question in ("Do they represent the inputs alike?", "Do they answer")
            if question in text
        ),
        text.index("Is that more than chance?"),
        text.index("May b replace a?"),
        text.index("What disagrees"),
    ]
    assert places == sorted(places)
    for question in ("alike?", "more than chance?", "May b replace a?"):
        said = text.partition(question)[2].split()
        assert said[0] in ("Yes", "No", "Partly", "Cannot"), question


def test_sections_are_in_order(pruned):
    page = read_aloud(pruned, title="Two models", text="A paragraph")
    text = " ".join(page.words)
    parts = [
        "Two models",
        "A paragraph",
        "Verdict",
        "Represent",
        "Answer",
        "Err",
        "Weights",
        "Calibrated scores: how",
        "What disagrees",
        "Where they differ most",
        "All measures",
        "For a paper",
        "Reproduce",
    ]
    places, start = [], 0
    for part in parts:
        start = text.index(f"{part} ", start)
        places.append(start)
    assert places == sorted(places)


def test_page_is_small_and_says_what_the_result_says(pruned):
    text = write_report(pruned)
    assert len(text.encode()) < 400_000
    plain = html.unescape(text)
    for answer in pruned.answers:
        assert answer.question in plain
        assert answer.text in plain
    assert pruned.sentence() in plain
    assert pruned.bibtex() in plain
    assert pruned.table.attrs["call"] in plain
    assert "url(" not in text
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


# ----- four numbers -----------------------------------------------------------------


def test_each_tile_has_a_number_or_says_why(pruned, arrays, labels):
    for result in (pruned, arrays, labels):
        tiles = tiles_of(result)
        headings = [tile["heading"] for tile in tiles]
        assert headings == ["Represent", "Answer", "Err", "Weights"]
        for tile in tiles:
            assert tile["number"] or tile["why"]
            assert tile["strip"] or tile["why"]


def test_numbers_of_tiles(pruned):
    represent, answer, err, weights = tiles_of(pruned)
    rows = pruned.table.set_index("measure")
    row = rows.iloc[0]
    assert represent["number"] == f"{row.calibrated_score:.2f}"
    limits = f"{row.calibrated_low:.2f} to {row.calibrated_high:.2f}"
    assert represent["interval"] == f"95% interval {limits}"
    found = pruned.predictions
    assert answer["number"] == f"{100 * found.agreement:.1f} %"
    low, high = (1 - x for x in reversed(found.disagreement_interval))
    assert answer["interval"] == f"95% interval {100 * low:.1f} % to {100 * high:.1f} %"
    # the ends of the strip are in the units of the number
    chance = 1 + rows.loc["Disagreement", "null_mean"]
    assert answer["ends"][0].startswith(f"{100 * chance:.1f} % chance")
    assert answer["ends"][1] == "100.0 % identical"
    row = rows.loc["ErrorConsistency"]
    assert err["number"] == f"{row.value:.2f}"
    assert f"{row.interval_low:.2f} to {row.interval_high:.2f}" in err["interval"]
    assert weights["number"] == f"{rows.loc['WeightDelta', 'value']:.2f}"
    assert "chance" in weights["why"]


def test_why_there_is_no_number(arrays, labels):
    represent, answer, err, weights = tiles_of(arrays)
    assert represent["number"]
    assert "no answers" in answer["why"]
    assert "no answers" in err["why"]
    assert "task='copy'" in weights["why"]
    represent, answer, err, _ = tiles_of(labels)
    assert "no representations" in represent["why"]
    assert answer["number"]
    assert "y_true=" in err["why"]


def test_without_permutations_there_is_no_strip():
    X = np.random.default_rng(0).normal(size=(40, 3))
    result = compare(X, X**3, n_permutations=0, random_state=0)
    tile = tiles_of(result)[0]
    assert tile["number"] == f"{result.table.value[0]:.3g}"
    assert "n_permutations=" in tile["why"]
    page = read_aloud(result)
    text = " ".join(page.words)
    assert "No picture" in text
    assert "smallest p-value" not in text


def test_models_that_never_err():
    truth = np.repeat([0, 1, 2], 20)
    result = compare(truth, truth, y_true=truth, **FAST)
    tile = tiles_of(result)[2]
    assert tile["number"] == ""
    assert "Not defined" in tile["why"]
    Page(write_report(result))


def test_the_same_model_twice(data):
    _, _, X, _ = data
    result = compare(X, X, **FAST)
    page = read_aloud(result)
    assert "Yes" in page.words
    assert "contradicts it" in " ".join(page.words)


def test_regressors_answer_by_their_measure():
    rng = np.random.default_rng(0)
    a = rng.normal(size=80)
    result = compare(a, a + 0.3 * rng.normal(size=80), **FAST)
    tile = tiles_of(result)[1]
    asked = next(a.measure for a in result.answers if a.topic == "answer")
    row = result.table.set_index("measure").loc[asked]
    assert row.kind == "outputs"
    assert tile["number"] == f"{row.calibrated_score:.2f}"
    differing = result.differing_rows
    assert f">{differing.index[0]}<" in write_report(result)


# ----- strips -----------------------------------------------------------------------


def marks(svg):
    value = float(re.search(r'class="value" cx="([\d.]+)%', svg)[1])
    ends = [float(x) for x in re.findall(r'class="end" x1="([\d.]+)%', svg)]
    span = re.search(r'class="limits" x1="([\d.]+)%" x2="([\d.]+)%', svg)
    return value, ends, span and tuple(map(float, span.groups()))


def test_places_on_a_strip():
    svg = strip(0.75, (0.7, 0.9), chance=0.5, label="x")
    assert marks(svg) == (50, [0, 100], (40, 80))
    assert "limits" not in strip(0.5, (np.nan, np.nan), label="x")
    # what is below chance has its place, as far as -1
    assert marks(strip(0.0, (-1.0, 0.5), label="x")) == (50, [50, 100], (0, 75))
    assert marks(strip(-9.0, (-20.0, 3.0), label="x")) == (0, [50, 100], (0, 100))
    common = Scale([-1.0])
    assert marks(strip(0.5, (0, 1), label="x", scale=common))[0] == 75


def test_strips_have_text_alternatives(pruned):
    page = read_aloud(pruned)
    pictures = [i for i, (tag, _) in enumerate(page.attributes) if tag == "svg"]
    assert len(pictures) == 3 + 7
    for i in pictures:
        assert page.attributes[i][1]["role"] == "img"
        assert page.attributes[i + 1][0] == "title"


# ----- what disagrees ---------------------------------------------------------------


def test_measures_that_contradict_the_verdict(pruned):
    found = disagreements_of(pruned)
    rows = pruned.table.set_index("measure")
    own = rows.loc[found["verdict"]["measure"]]
    assert found["verdict"]["measure"] == pruned.answers[0].measure
    assert "rotations" in found["verdict"]["blind"]
    groups = found["groups"]
    names = [one["measure"] for group in groups for one in group["measures"]]
    assert "Disagreement" in names
    for name in names:
        row = rows.loc[name]
        apart = (
            row.calibrated_low > own.calibrated_high
            or row.calibrated_high < own.calibrated_low
        )
        assert apart
    text = " ".join(read_aloud(pruned).words)
    assert f"{APART} or more apart" in text
    assert "how sure each model is" in text


def with_scores(result, scores, half=0.02):
    table = result.table.assign(calibrated_score=scores)
    table["calibrated_low"] = table["calibrated_score"] - half
    table["calibrated_high"] = table["calibrated_score"] + half
    changed = copy.copy(result)
    vars(changed)["table"] = table
    return changed


@pytest.mark.parametrize(
    ("scores", "names"),
    [
        ((0.5, 0.7, 0.3), []),
        ((0.5, 0.8, 0.5), ["OrthogonalProcrustes"]),
        ((0.5, 0.8, 0.1), ["MutualKNN", "OrthogonalProcrustes"]),
        ((0.95, 0.85, 0.97), ["OrthogonalProcrustes"]),
        ((0.91, 0.89, np.nan), []),
    ],
)
def test_which_scores_contradict(arrays, scores, names):
    groups = disagreements_of(with_scores(arrays, scores))["groups"]
    assert [one["measure"] for group in groups for one in group["measures"]] == names


def test_measures_that_are_blind_to_the_same_stand_together(data):
    _, _, X, _ = data
    result = compare(X[:60], X[:60, ::2], measures=["cca", "alignment"], **FAST)
    scores = np.where(result.table.index == 0, 0.1, 0.9 + 0.001 * result.table.index)
    groups = disagreements_of(with_scores(result, scores))["groups"]
    kept = sum(len(group["measures"]) + group["left_out"] for group in groups)
    synonyms = result.table.same_as.astype(bool)
    assert kept == len(result.table) - 1 - synonyms[1:].sum()
    assert len({(group["blind"], group["sees"]) for group in groups}) == len(groups)
    assert max(len(group["measures"]) for group in groups) == 4
    assert max(group["left_out"] for group in groups) > 0


def test_nothing_to_contradict():
    X = np.random.default_rng(0).normal(size=(40, 3))
    assert disagreements_of(compare(X, X, n_permutations=0)) is None
    alone = compare(X, X**3, measures="CKA", **FAST)
    assert "no other measure" in " ".join(read_aloud(alone).words)


# ----- rows, measures, settings -----------------------------------------------------


def test_rows_that_differ(pruned):
    page = read_aloud(pruned)
    row = pruned.differing_rows.iloc[0]
    text = " ".join(page.words)
    shown = f"{row.name} {row.answer_a:.0f} {row.answer_b:.0f} {row.truth:.0f}"
    confidences = f"{row.confidence_a:.3f} {row.confidence_b:.3f}"
    assert f"{shown} {confidences}" in text
    assert f"{len(pruned.differing_rows) - 10} more rows" in text


def test_no_rows_differ(labels, arrays):
    assert "No answers were compared." in " ".join(read_aloud(arrays).words)
    same = np.arange(30) % 3
    page = read_aloud(compare(same, same, **FAST))
    assert "The answers are the same on all rows." in " ".join(page.words)


def test_csv_is_the_table(pruned):
    page = read_aloud(pruned)
    link = next(a["href"] for _, a in page.attributes if "download" in a)
    text = base64.b64decode(link.partition("base64,")[2]).decode()
    found = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert list(found.columns) == list(COLUMNS)
    for name in COLUMNS:
        expected = pruned.table[name]
        if pd.api.types.is_numeric_dtype(expected):
            numbers = [float(cell or "nan") for cell in found[name]]
            np.testing.assert_allclose(numbers, expected, rtol=1e-15)
        else:
            assert list(found[name]) == list(expected.fillna(""))


def test_table_is_closed_with_row_headers_and_captions(pruned):
    page = read_aloud(pruned)
    details = [a for tag, a in page.attributes if tag == "details"]
    assert len(details) == 2
    assert not any("open" in a for a in details)
    assert page.tags.count("caption") == page.tags.count("table") == 3
    rows = [a for tag, a in page.attributes if tag == "th" and a["scope"] == "row"]
    assert len(rows) == len(pruned.table) + len(pruned.differing_rows)
    names = [a["data-value"] for a in rows]
    assert names[-len(pruned.table) :] == list(pruned.table.measure)
    families = page.tags.count("option")
    assert families == 1 + pruned.table.family.nunique()


def test_each_interval_is_in_the_units_of_its_neighbour(pruned):
    text = write_report(pruned)
    row = pruned.table[pruned.table["direction"] == "distance"].iloc[0]
    low, high = -row.interval_high, -row.interval_low
    value = rf">{row.value:.3f}\s*</td>\s*<td[^>]*>\[{low:.3f}, {high:.3f}\]"
    assert re.search(value, text)
    limits = rf"\[{row.calibrated_low:.3f}, {row.calibrated_high:.3f}\]"
    assert re.search(rf">{row.calibrated_score:.3f}\s*</td>\s*<td[^>]*>{limits}", text)


def test_many_measures_have_one_short_picture(data):
    _, _, X, _ = data
    result = compare(X[:60], X[:60, ::2], measures=["cca", "rsm"], **FAST)
    text = write_report(result)
    assert len(result.table) > 15
    assert Page(text).tags.count("svg") == 1 + 8
    assert "more are in the table" in text
    assert len(text.encode()) < 400_000


def test_how_to_get_it_again(pruned, arrays):
    text = " ".join(read_aloud(pruned).words)
    assert f"random_state={pruned.table.attrs['random_state']}" in text
    assert "permutations 99; the smallest p-value that they can give is 0.01" in text
    assert "rows 200" in text
    assert f"numpy {np.__version__}" in text
    assert "BLAS" in text and "threads:" in text
    for name, code in pruned.table.attrs["hashes"].items():
        assert f"{name} {code}" in text
    assert set(pruned.table.attrs["hashes"]) == {"data", "y_true"}
    assert set(arrays.table.attrs["hashes"]) == {"a", "b"}
    said = " ".join(read_aloud(pruned, call="my command").words)
    assert "my command" in said
    assert "compare(" not in said


def test_hashes_are_of_the_bytes(arrays):
    X = np.random.default_rng(0).normal(size=(60, 4))
    code = hashlib.sha256(X.tobytes()).hexdigest()[:12]
    assert arrays.table.attrs["hashes"]["a"] == code


# ----- more in the page -------------------------------------------------------------


def test_other_tables_and_pictures_follow(pruned):
    rng = np.random.default_rng(0)
    layers = {name: rng.normal(size=(20, 3)) for name in "abc"}
    matrix = similarity_matrix(CKA(), layers)
    accuracy = pd.DataFrame({"accuracy": [0.5]}, index=pd.Index(["net"], name="model"))
    page = read_aloud(
        {"Measures": pruned, "Accuracy": accuracy, "Again": pruned},
        figures={"Layers": matrix, "Layers again": matrix},
    )
    text = " ".join(page.words)
    order = ["Verdict", "Layers (greater", "Calibrated scores", "What disagrees"]
    order += ["Reproduce", "Accuracy", "Again", "Layers again"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert text.count("Verdict") == 1
    # the first is on the scale of the numbers beside it, the second on its own
    html_text = write_report(pruned, figures={"One": matrix, "Two": matrix})
    ends = re.findall(r'text-anchor="start">([^<]*)<', html_text)
    assert ends == ["1", "0", "1", f"{matrix.to_numpy().min():.2g}"]


def test_a_comparison_that_is_not_first_is_a_table(pruned):
    accuracy = pd.DataFrame({"accuracy": [0.5]})
    text = " ".join(read_aloud({"Accuracy": accuracy, "Measures": pruned}).words)
    assert "Verdict" not in text
    assert pruned.table["measure"].iloc[0] in text


def test_hostile_names_are_escaped():
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=90)
    names = np.array(["x", HOSTILE, "y" * 5000], dtype=object)
    a, b = (names[np.where(rng.random(90) < 0.7, truth, 0)] for _ in "ab")
    result = compare(
        a, b, y_true=names[truth], measures={HOSTILE: "Disagreement"}, **FAST
    )
    text = write_report(result, title=HOSTILE, text=HOSTILE, call=HOSTILE)
    page = Page(text)
    assert page.tags.count("script") == 1
    assert "<script>alert" not in text
    assert len(text.encode()) < 400_000
    assert type(text) is str


def test_questions_without_an_answer_say_what_for(arrays, labels):
    replace = [a for a in questions_of(arrays) if a.topic == "replace"]
    assert replace[0].answer == "cannot say"
    assert "answers of both" in replace[0].text
    found = {a.topic: a for a in questions_of(labels)}
    assert "y_true=" in found["replace"].text
    # chance is that of the answers' measure
    assert found["chance"].answer == "yes"
    assert found["chance"].measure == "Disagreement"
