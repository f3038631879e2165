"""The report in a real browser, where there is one."""

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
  seen.width = document.documentElement.clientWidth;
  seen.scrollWidth = document.documentElement.scrollWidth;
  seen.fonts = Array.from(document.querySelectorAll("p, td, th, svg text")).map(
    function (e) { return parseFloat(getComputedStyle(e).fontSize); });
  seen.outside = Array.from(document.querySelectorAll("p, h1, h2")).filter(
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
  document.body.dataset.seen = JSON.stringify(seen);
});
</script>
"""


def browse(path, profile, width, *options):
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
        f"--window-size={width},1200",
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
        measures=["cca", "CKA", "OrthogonalProcrustes", "Uniformity"],
        n_permutations=19,
        random_state=0,
    )
    names = ["a layer of a long name", "another layer", "third"]
    layers = {name: rng.normal(size=(20, 3)) for name in names}
    html = write_report(
        table, figures={"Layers": similarity_matrix(CKA(), layers)}, text="Text " * 60
    )
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(html.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    return path, table


@pytest.mark.parametrize("width", [500, 1400])
def test_page_in_a_browser(page, width, tmp_path):
    path, table = page
    dom, console = browse(path, tmp_path, width)
    found = re.search(r'data-seen="([^"]*)"', dom)
    seen = json.loads(found.group(1).replace("&quot;", '"').replace("&lt;", "<"))
    assert console == []
    assert seen["errors"] == []
    assert seen["resources"] == []
    ordered = [f"{s:.3f}" for s in sorted(table.score)]
    assert seen["before"] != seen["ascending"] == ordered
    assert seen["descending"] == ordered[::-1]
    assert seen["sort"] == "ascending"
    assert seen["names"] == sorted(table.measure)
    # what is missing comes last, whichever way
    assert seen["pvalues"][-1] == seen["reversed"][-1] == "–"
    # the page itself is never wider than the window; only tables and pictures scroll
    assert seen["scrollWidth"] <= seen["width"]
    assert seen["outside"] == 0
    assert min(seen["fonts"]) >= 12
    assert seen["cut"] == []
