"""The report in a real browser, where there is one."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

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
