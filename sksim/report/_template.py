"""The page around the results: style and the few lines that sort a table."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #656d76;
  --line: #d0d7de; --band: #f6f8fa; --bar: #3b6ea8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --faint: #9198a1; --line: #3d444d;
    --band: #161b22; --bar: #6ea3dd; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; max-width: 46rem; }
.faint, .faint td { color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; }
th, td { padding: .35rem .7rem; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
td.number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
td.name { white-space: nowrap; }
td.note { min-width: 16rem; color: var(--faint); font-size: .8rem; }
th { background: var(--band); padding: 0; }
th button { all: unset; cursor: pointer; padding: .35rem .7rem; font-weight: 600;
  white-space: nowrap; display: block; }
th button:focus-visible { outline: 2px solid var(--bar); outline-offset: -2px; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--paper); }
th:first-child { background: var(--band); }
figure { margin: 1.25rem 0; }
figcaption { margin-bottom: .4rem; max-width: 46rem; }
.figures { display: flex; flex-wrap: wrap; gap: 0 2.5rem; }
.figures figure { min-width: 0; max-width: 100%; }
svg { display: block; max-width: none; fill: var(--ink);
  font-family: system-ui, sans-serif; }
svg .faint { fill: var(--faint); }
svg .bar { fill: var(--bar); }
svg .limits { fill: none; stroke: var(--ink); stroke-width: 1.2; }
svg .blank { fill: var(--band); stroke: var(--line); }
svg .axis { stroke: var(--faint); stroke-dasharray: 2 3; }
img { max-width: 100%; height: auto; background: #fff; }
pre { overflow-x: auto; padding: .6rem; background: var(--band); font-size: .8rem; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); font-size: .85rem; }
"""

# Sorting needs no library: cells carry the number they show in full.
SCRIPT = """
document.querySelectorAll("th button").forEach(function (button) {
  button.addEventListener("click", function () {
    var head = button.parentNode, body = head.closest("table").tBodies[0];
    var column = head.cellIndex;
    var up = head.getAttribute("aria-sort") !== "ascending";
    head.parentNode.querySelectorAll("th").forEach(function (other) {
      other.setAttribute("aria-sort", "none");
    });
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    function key(row) { return row.cells[column].dataset.value; }
    Array.from(body.rows).sort(function (one, two) {
      var a = key(one), b = key(two);
      if (a === "" || b === "") { return (a === "") - (b === ""); }
      var order = head.dataset.kind === "number" ? a - b : a.localeCompare(b);
      return up ? order : -order;
    }).forEach(function (row) { body.appendChild(row); });
  });
});
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
<footer>
{footer}
</footer>
<script>{script}</script>
</body>
</html>
"""
