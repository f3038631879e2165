"""``sksim explain CKA``: a measure in words, from its docstring and its tags."""

import inspect
import re
import textwrap

from sksim._cli._parser import add_json
from sksim._cli._writing import print_json
from sksim._uses import USES, plain

_WIDTH = 88
INPUTS = {
    "representation": "representations",
    "labels": "labels",
    "probabilities": "probabilities",
    "outputs": "outputs",
    "gradients": "attributions",
    "models": "models",
}
_NULLS = {
    "rows": "row i of one has nothing to do with row i of the other: rows change "
    "places",
    "exchange": "the two models are interchangeable: their outputs on a row change "
    "places",
    "features": "features are in no order: those of a row change places",
}
_MAPS = {
    "AT": "any invertible affine map",
    "ILT": "any invertible linear map",
    "OT": "rotations and reflections",
    "IS": "another scale",
    "TR": "a shift of all rows",
    "PT": "another order of the columns",
}
# What each group of maps implies of the larger ones, which need not be said.
_IMPLIED = {"AT": {"ILT", "OT", "IS", "TR", "PT"}, "ILT": {"OT", "IS", "PT"}}
_IMPLIED["OT"] = {"PT"}


_ENTRIES = (
    *("compares", "direction", "range", "does not see", "null", "intervals"),
    *("use it when", "not when", "instead take", "see also", "reference"),
)


def add_to(commands):
    """The command and its options."""
    parser = commands.add_parser(
        "explain",
        help="say what a measure is, and when to use it",
        description="Say what a measure is: direction, range, what it does not see, "
        "when to use it and when not, its null hypothesis, and its source.",
    )
    parser.add_argument("measure", metavar="NAME", help="such as CKA: any case will do")
    add_json(parser)
    parser.set_defaults(run=run)


def run(arguments):
    """Do what is asked."""
    from sksim.discovery import check_measure

    found = explained(check_measure(arguments.measure))
    if arguments.json:
        print_json(found)
        return
    print(f"{found['measure']} ({found['family']})")
    for paragraph in found["description"]:
        print(f"\n{_filled(paragraph)}")
    print()
    for name in _ENTRIES:
        values = found[name] if isinstance(found[name], list) else [found[name]]
        for value in filter(None, values):
            print(_entry(name, value))


def explained(measure):
    """What is known of a measure, by name.

    Parameters
    ----------
    measure : BaseSimilarity

    Returns
    -------
    found : dict of str to str or list of str
    """
    from sksim.base._tags import tags_of

    cls, tags = type(measure), tags_of(measure)
    sections = _sections(cls)
    use = USES[cls.__name__]
    return {
        "measure": cls.__name__,
        "family": tags.family,
        "description": sections[""],
        "compares": _compared(tags),
        "direction": f"{tags.orientation}: a large number means "
        f"{'alike' if tags.is_similarity else 'different'}; score() is greater for "
        "more similar models in any case",
        "range": f"[{tags.bounds[0]:g}, {tags.bounds[1]:g}]",
        "does not see": _unseen(tags),
        "null": _null(tags),
        "intervals": ", ".join(tags.intervals) or "none",
        "use it when": _plain(plain(use.when)),
        "not when": _plain(plain(use.not_when)),
        "instead take": _plain(plain(use.instead)),
        "see also": sections.get("See Also", []),
        "reference": tags.reference or "; ".join(sections.get("References", [])),
    }


def summary_of(cls):
    """First line of a docstring."""
    return _plain(inspect.getdoc(cls).split("\n", 1)[0])


# ----- docstrings ---------------------------------------------------------------------


def _sections(cls):
    """Paragraphs of a docstring by section; what is before the first is that of ""."""
    parts = re.split(r"\n([A-Z][A-Za-z ]+)\n-{3,}\n", inspect.getdoc(cls))
    texts = {"": parts[0]} | dict(zip(parts[1::2], parts[2::2], strict=True))
    found = {name: list(_paragraphs(text)) for name, text in texts.items()}
    entries = re.split(r"\n(?=\S)", texts.get("See Also", ""))
    found["See Also"] = [
        _plain(" ".join(entry.split()).replace(" : ", ": "))
        for entry in entries
        if entry.strip()
    ]
    return found


def _paragraphs(text):
    for paragraph in text.split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        lines[0] = lines[0].removeprefix(".. math::")
        if paragraph.strip():
            yield _plain(" ".join(line.strip() for line in lines).strip())


def _plain(text):
    """Text without the marks of its markup."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?([^`<]+?)(?: <[^`>]+>)?`", r"\1", text)
    return re.sub(r"`|\*\*|\\(?=[|*])", "", text)


# ----- tags ---------------------------------------------------------------------------


def _compared(tags):
    what = INPUTS[tags.inputs]
    number = "many models at once" if tags.arity == "group" else "two models"
    rows = "the same rows in the same order" if tags.paired else "any rows"
    if tags.inputs == "models":
        return f"{number} themselves"
    return f"{what} of {number}, on {rows}"


def _unseen(tags):
    if tags.inputs != "representation":
        return ""
    sides = [("", tags.invariances & tags.invariances_y)]
    sides += [
        (" of the first", tags.invariances - tags.invariances_y),
        (" of the second", tags.invariances_y - tags.invariances),
    ]
    found = [
        f"{_MAPS[code]}{side}" for side, codes in sides for code in _largest(codes)
    ]
    return ", ".join(found) or "nothing of this kind: columns are taken as they are"


def _largest(codes):
    implied = set().union(*(_IMPLIED.get(code, set()) for code in codes))
    return [code for code in _MAPS if code in codes - implied]


def _null(tags):
    text = _NULLS[tags.null]
    if tags.exchangeable_within:
        text += f", among rows of one {tags.exchangeable_within} only"
    return text


# ----- text ---------------------------------------------------------------------------


def _filled(text):
    return textwrap.fill(text, _WIDTH, break_on_hyphens=False)


def _entry(name, value):
    head = f"{name[0].upper()}{name[1:]}: "
    end = "" if value.endswith((".", "?")) else "."
    return textwrap.fill(
        f"{head}{value}{end}",
        _WIDTH,
        subsequent_indent="    ",
        break_on_hyphens=False,
    )
