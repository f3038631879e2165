"""The report in a real browser, where there is one."""

import copy
import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sksim.pairwise import compare, similarity_matrix
from sksim.report import write_report
from sksim.rsm import CKA

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    None,
)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine (apt install chromium)"
)

# Appended to the page: act as a reader does, and write down what is seen.
PROBE = """
<script>
window.seen = {errors: [], resources: []};
window.addEventListener("error", function (e) { seen.errors.push(e.message); });
window.addEventListener("load", function () {
  function column(i) {
    return Array.from(document.querySelector("table").tBodies[0].rows).map(
      function (row) { return row.cells[i].textContent; });
  }
  var heads = Array.from(document.querySelectorAll("table th"));
  seen.heads = heads.map(function (h) { return h.textContent; });
  var score = seen.heads.indexOf("score");
  function click(i) { heads[i].querySelector("button").click(); }
  seen.before = column(score);
  click(score); seen.ascending = column(score); seen.sort = heads[score].ariaSort;
  click(score); seen.descending = column(score);
  click(0); seen.names = column(0);
  var p = seen.heads.indexOf("p-value");
  click(p); seen.pvalues = column(p); click(p); seen.reversed = column(p);
  seen.firstColumn = heads[0].getBoundingClientRect().width;
  var scroll = document.querySelector(".scroll");
  seen.hidden = scroll.scrollWidth - scroll.clientWidth;
  seen.window = innerWidth;
  seen.width = document.documentElement.clientWidth;
  seen.scrollWidth = document.documentElement.scrollWidth;
  seen.dark = matchMedia("(prefers-color-scheme: dark)").matches;
  var style = getComputedStyle(document.body);
  seen.colors = [style.color, style.backgroundColor].map(
    function (c) { return c.match(/\\d+/g).slice(0, 3); });
  seen.fonts = Array.from(document.querySelectorAll("p, td, th, svg text, .bars")).map(
    function (e) { return parseFloat(getComputedStyle(e).fontSize); });
  seen.outside = Array.from(document.querySelectorAll("p, h1, h2, .bars *")).filter(
    function (e) { return e.getBoundingClientRect().right > innerWidth; }).length;
  seen.cut = Array.from(document.querySelectorAll("svg text")).filter(
    function (e) {
      var own = e.getBoundingClientRect();
      var all = e.ownerSVGElement.getBoundingClientRect();
      return own.left < all.left - 1 || own.right > all.right + 1
        || own.top < all.top - 1 || own.bottom > all.bottom + 1;
    }).map(function (e) { return e.textContent; });
  seen.resources = performance.getEntriesByType("resource").map(
    function (r) { return r.name; });
  parent.postMessage(JSON.stringify(seen), "*");
});
</script>
"""

COMPARISON_PROBE = """
<script>
window.seen = {errors: [], resources: []};
window.addEventListener("error", function (e) { seen.errors.push(e.message); });
window.addEventListener("load", function () {
  function all(selector) { return Array.from(document.querySelectorAll(selector)); }
  function find(selector) { return document.querySelector(selector); }
  seen.bottom = find(".first").getBoundingClientRect().bottom;
  seen.closed = all("details").every(function (part) { return !part.open; });
  all("details").forEach(function (part) { part.open = true; });
  function shown() {
    return all(".measures tbody tr").filter(function (row) {
      return row.getBoundingClientRect().height > 0;
    }).map(function (row) { return row.cells[0].dataset.value; });
  }
  function enter(selector, value) {
    var field = find(selector);
    field.value = value;
    field.dispatchEvent(new Event(field.tagName === "SELECT" ? "change" : "input"));
  }
  seen.unfiltered = shown();
  enter(".family", "rsm"); seen.family = shown();
  seen.count = find(".count").textContent;
  enter(".family", ""); enter(".words", "gulp rsm"); seen.words = shown();
  enter(".words", "");
  find(".measures thead button").click(); seen.sorted = shown();
  find("[data-copy=sentence]").click();
  seen.selected = getSelection().toString();
  seen.width = document.documentElement.clientWidth;
  seen.scrollWidth = document.documentElement.scrollWidth;
  var scroll = find(".measures .scroll");
  seen.hidden = scroll.scrollWidth - scroll.clientWidth;
  seen.fonts = all("p, dt, dd, td, th, li, pre, label, .panel, figcaption").map(
    function (e) { return parseFloat(getComputedStyle(e).fontSize); });
  seen.outside = all("p, h1, h2, dt, dd, li, .tile, .panel *, .strip *").filter(
    function (e) {
      return e.getBoundingClientRect().right > innerWidth + 1
        && getComputedStyle(e).position !== "absolute"; }).map(
    function (e) { return e.textContent; });
  seen.marks = all(".strip .value").length;
  function light(color) {
    return color.match(/[\\d.]+/g).slice(0, 3).map(function (part) {
      part = part / 255;
      return part <= .03928 ? part / 12.92 : Math.pow((part + .055) / 1.055, 2.4);
    }).reduce(function (sum, part, i) {
      return sum + part * [.2126, .7152, .0722][i]; }, 0);
  }
  function ground(element) {
    var color = getComputedStyle(element).backgroundColor;
    return color === "rgba(0, 0, 0, 0)" ? ground(element.parentNode) : color;
  }
  seen.contrasts = all("p, dt, dd, .badge, .ends, .faint, pre, .button").map(
    function (e) {
      var two = [light(getComputedStyle(e).color), light(ground(e))];
      return (Math.max.apply(0, two) + .05) / (Math.min.apply(0, two) + .05); });
  seen.resources = performance.getEntriesByType("resource").map(
    function (r) { return r.name; });
  parent.postMessage(JSON.stringify(seen), "*");
});
</script>
"""

# A window can't be narrower than 500 px, but a frame in it can. What the page in the
# frame has seen arrives as a message.
FRAME = """<!DOCTYPE html>
<html><body style="margin: 0">
<script>
onmessage = function (e) {{ document.body.dataset.seen = e.data; }};
</script>
<iframe src="{name}" width="{width}" height="1200" style="border: 0"></iframe>
</body></html>
"""


def browse(path, profile, *options):
    """The page's DOM after it has run, and what the console said."""
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--enable-logging=stderr",
        f"--user-data-dir={profile}",
        "--window-size=1500,1200",
        "--virtual-time-budget=4000",
        *options,
        "--dump-dom",
        path.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, console


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    y = np.tanh(X @ rng.normal(size=(3, 5)))
    table = compare(
        X,
        y,
        measures=["cca", "CKA", "PartialWhiteningShapeMetric", "Uniformity"],
        n_permutations=19,
        random_state=0,
    ).to_frame()
    names = ["a layer of a long name", "another layer", "third"]
    layers = {name: rng.normal(size=(20, 3)) for name in names}
    text = write_report(
        table, figures={"Layers": similarity_matrix(CKA(), layers)}, text="Text " * 60
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    return path, table


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1400])
def test_page_in_a_browser(page, width, scheme, tmp_path):
    path, table = page
    frame = path.with_name(f"frame-{width}.html")
    frame.write_text(FRAME.format(name=path.name, width=width))
    option = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    dom, console = browse(frame, tmp_path, option)
    found = re.search(r'data-seen="([^"]*)"', dom)
    seen = json.loads(html.unescape(found.group(1)))
    assert console == []
    assert seen["window"] == width
    assert seen["dark"] == (scheme == "dark")
    # text stands out from the paper
    ink, paper = (np.mean(list(map(int, c))) for c in seen["colors"])
    assert abs(ink - paper) > 180
    assert (paper < 60) == (scheme == "dark")
    # beside the names there is room for numbers
    assert seen["firstColumn"] < 0.5 * width
    assert seen["errors"] == []
    assert seen["resources"] == []
    ordered = [f"{s:.3f}" for s in sorted(table.score)]
    assert seen["before"] != seen["ascending"] == ordered
    assert seen["descending"] == ordered[::-1]
    assert seen["sort"] == "ascending"
    assert seen["names"] == sorted(table.measure, key=str.lower)
    # what is missing comes last, whichever way
    assert seen["pvalues"][-1] == seen["reversed"][-1] == "–"
    # the page itself is never wider than the window; only tables and pictures scroll
    assert seen["scrollWidth"] <= seen["width"]
    assert seen["outside"] == 0
    if width == 1400:
        assert seen["hidden"] <= 0
    assert min(seen["fonts"]) >= 12
    assert seen["cut"] == []


@pytest.fixture(scope="module")
def comparison_page(tmp_path_factory):
    """The longest first screen: all questions, a whole panel and weights."""
    X, y = load_digits(return_X_y=True)
    X, X_new, y, y_new = X[:200] / 16, X[200:400] / 16, y[:200], y[200:400]
    network = MLPClassifier((16,), max_iter=150, random_state=0, tol=0.05).fit(X, y)
    cut = copy.deepcopy(network)
    cut.coefs_ = [np.where(np.abs(c) < 0.1, 0, c) for c in cut.coefs_]
    result = compare(
        network,
        cut,
        X_new,
        y_new,
        task="copy",
        margin=0.01,
        n_permutations=99,
        random_state=0,
    )
    text = write_report(result, title="A network and its pruned copy")
    folder = tmp_path_factory.mktemp("comparison")
    path = folder / "report.html"
    path.write_text(text.replace("</body>", COMPARISON_PROBE + "</body>"), "utf-8")
    (folder / "plain.html").write_text(text, "utf-8")
    return path, result


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280, 1400])
def test_comparison_in_a_browser(comparison_page, width, scheme, tmp_path):
    path, result = comparison_page
    frame = path.with_name(f"frame-{width}.html")
    frame.write_text(FRAME.format(name=path.name, width=width))
    option = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    dom, console = browse(frame, tmp_path, option)
    seen = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', dom).group(1)))
    assert console == []
    assert seen["errors"] == seen["resources"] == []
    if width >= 1280:
        # verdict, numbers and picture are on one screen
        assert seen["bottom"] <= 800
    table = result.table
    assert seen["closed"]
    assert seen["unfiltered"] == list(table.measure)
    assert seen["family"] == list(table.measure[table.family == "rsm"])
    assert seen["count"] == f"{len(seen['family'])} of {len(table)}"
    assert seen["words"] == ["GULP"]
    assert seen["sorted"] == sorted(table.measure, key=str.lower)
    assert seen["scrollWidth"] <= seen["width"]
    assert seen["outside"] == []
    assert seen["marks"] == 3 + table.calibrated_score.notna().sum()
    assert min(seen["fonts"]) >= 12
    assert min(seen["contrasts"]) >= 4.5
    if width == 1400:
        assert seen["hidden"] <= 0


def test_paper_has_every_column(comparison_page, tmp_path):
    path, result = comparison_page
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext on this machine (apt install poppler-utils)")
    pdf = tmp_path / "report.pdf"
    options = ["--no-pdf-header-footer", f"--print-to-pdf={pdf}"]
    browse(path.with_name("plain.html"), tmp_path / "profile", *options)
    done = subprocess.run(
        ["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True
    )
    text = done.stdout
    # what is closed on the screen is open, to the last column
    words = "".join(text.split())
    row = result.differing_rows.iloc[-1]
    assert f"{row.confidence_a:.3f}" in words
    for row in result.table.itertuples():
        first, last = f"{row.value:.3f}", f"{row.seconds:.3f}"
        assert any(first in k and last in k for k in text.splitlines()), row.measure
