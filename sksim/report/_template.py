"""The page around the results: style and the few lines that sort a table."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --faint: #656d76;
  --line: #d0d7de; --band: #f6f8fa; --bar: #3b6ea8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --faint: #9198a1; --line: #3d444d;
    --band: #161b22; --bar: #6ea3dd; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 88rem; color: var(--ink);
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
.notes { margin: .6rem 0; padding-left: 1.7rem; max-width: 46rem; font-size: .8rem;
  color: var(--faint); overflow-wrap: anywhere; }
.notes li::marker { content: "[" counter(list-item) "] "; }
wbr { display: none; }
th { background: var(--band); padding: 0; vertical-align: bottom; }
th button { all: unset; cursor: pointer; padding: .35rem .7rem; font-weight: 600;
  display: block; min-width: 4.6em; }
th[data-kind=number] button { text-align: right; }
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
svg .blank { fill: var(--band); stroke: var(--line); }
.bars { display: grid; grid-template-columns: max-content minmax(6rem, 24rem)
    max-content; gap: 0 .8rem; font-size: .8rem; line-height: 1.5rem; }
.row { display: contents; }
.row > :first-child { text-align: right; }
.track { position: relative; }
.track > * { position: absolute; }
.track i { top: 0; bottom: 0; border-left: 1px dashed var(--faint); }
.track .bar { top: .25rem; bottom: .25rem; min-width: 1px; background: var(--bar); }
.track .limits { top: .45rem; bottom: .45rem; border: solid var(--ink);
  border-width: 0 1px; background: linear-gradient(var(--ink), var(--ink)) no-repeat
  center / 100% 1px; }
.track .label { transform: translateX(-50%); white-space: nowrap; }
img { max-width: 100%; height: auto; background: #fff; }
pre { overflow-x: auto; padding: .6rem; background: var(--band); font-size: .8rem; }
footer { margin-top: 2.5rem; border-top: 1px solid var(--line); font-size: .85rem; }
@media (max-width: 40rem) {
  wbr { display: inline; }
  .bars { grid-template-columns: 1fr 7.5rem; margin-left: 1.6rem; }
  .row > :first-child { grid-column: 1 / -1; text-align: left; line-height: 1.1rem;
    margin: .3rem 0 0 -1.6rem; }
  th, td, th button { padding-left: .35rem; padding-right: .35rem; }
  th { padding: 0; }
  td.name:first-child { min-width: 8rem; max-width: 9rem; white-space: normal;
    overflow-wrap: anywhere; } }
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
