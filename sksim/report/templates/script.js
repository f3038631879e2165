{# Sorting needs no library: cells carry the number they show in full. -#}
document.querySelectorAll("thead button").forEach(function (button) {
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
document.querySelectorAll(".measures").forEach(function (part) {
  var words = part.querySelector(".words"), family = part.querySelector(".family");
  var rows = Array.from(part.querySelectorAll("tbody tr"));
  var count = part.querySelector(".count");
  function filter() {
    var wanted = words.value.toLowerCase().split(/\s+/), shown = 0;
    rows.forEach(function (row) {
      var text = row.textContent.toLowerCase();
      var fits = wanted.every(function (word) { return text.includes(word); });
      if (family.value) { fits = fits && row.cells[1].dataset.value === family.value; }
      row.hidden = !fits;
      shown += fits;
    });
    count.textContent = shown < rows.length ? shown + " of " + rows.length : "";
  }
  words.addEventListener("input", filter);
  family.addEventListener("change", filter);
});
{# A page of a file may not use the clipboard everywhere: then the text is selected. -#}
document.querySelectorAll("[data-copy]").forEach(function (button) {
  button.addEventListener("click", function () {
    var text = document.getElementById(button.dataset.copy);
    var said = document.querySelector(".copied");
    function select() {
      getSelection().selectAllChildren(text);
      var done = document.execCommand("copy");
      said.textContent = done ? "Copied." : "Selected: press Ctrl+C or Cmd+C.";
    }
    if (!navigator.clipboard) { select(); return; }
    navigator.clipboard.writeText(text.textContent).then(function () {
      said.textContent = "Copied.";
    }, select);
  });
});
{# On paper nothing is folded. -#}
var folded = [];
addEventListener("beforeprint", function () {
  folded = Array.from(document.querySelectorAll("details:not([open])"));
  folded.forEach(function (part) { part.open = true; });
});
addEventListener("afterprint", function () {
  folded.forEach(function (part) { part.open = false; });
});
