"""A gate's outcome in the formats of others: JUnit's XML, and Markdown."""

import math
import re
from xml.etree import ElementTree

from pandas.api.types import is_float

# Beside these characters of control nothing is left out of a text by XML 1.0.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&$@])")
_COLUMNS = ["criterion", "slice", "n_rows", "limit", "value", "low", "high", "outcome"]


def junit(result, *, max_rows):
    """Text of an XML file with a test case for each criterion."""
    criteria = list(result.criteria.itertuples())
    failed = [row for row in criteria if row.outcome != "pass"]
    numbers = {"tests": str(len(criteria)), "failures": str(len(failed)), "errors": "0"}
    root = ElementTree.Element("testsuites", numbers)
    suite = ElementTree.SubElement(root, "testsuite", name="sksim.gate", **numbers)
    for row in criteria:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname="sksim.gate",
            name=_as_xml(f"{row.criterion} {row.limit:g} ({row.slice})"),
        )
        text = _as_xml(result.explained(row))
        if row.outcome == "pass":
            ElementTree.SubElement(case, "system-out").text = text
            continue
        failure = ElementTree.SubElement(
            case, "failure", type=row.outcome, message=text
        )
        failure.text = text
    lines = [result.sentence(), *_lines_of_changed(result.changed, max_rows)]
    ElementTree.SubElement(suite, "system-out").text = _as_xml("\n".join(lines))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def _as_xml(text):
    return _NOT_XML.sub("?", text)


def _lines_of_changed(changed, max_rows):
    for row in changed.head(max_rows).reset_index().itertuples(index=False):
        yield "\t".join(map(str, row))
    if len(changed) > max_rows:
        yield f"... and {len(changed) - max_rows} more"


def markdown(result, *, max_rows):
    """A heading, the criteria as a table, and the rows that changed."""
    verdict = "passes" if result.passed else "does not pass"
    level = f"{result.confidence_level:.4g}"
    parts = [
        f"### The gate {verdict}",
        _table(result.criteria[_COLUMNS]),
        f"Each bound holds with {level} confidence by itself. "
        + _escaped(result.sentence()),
    ]
    changed = result.changed
    if len(changed) and max_rows:
        shown = changed.head(max_rows).reset_index(
            names=[name or "row" for name in changed.index.names]
        )
        count = f"first {max_rows} of {len(changed)}" if len(changed) > max_rows else ""
        heading = f"Rows that changed: {count or len(changed)}"
        parts.append(f"<details><summary>{heading}</summary>")
        parts += [_table(shown), "</details>"]
    return "\n\n".join(parts) + "\n"


def _table(frame):
    head = [_escaped(str(name)) for name in frame.columns]
    lines = [head, ["---"] * len(head)]
    lines += [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value):
    if is_float(value):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return _escaped(str(value))


def _escaped(text):
    """Text that Markdown, and HTML in it, take for text, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
