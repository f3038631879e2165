"""``sksim explain CKA``: a measure in words, from its docstring and its tags."""

import inspect
import math
import re
import textwrap

from sksim._cli._parser import add_json
from sksim._cli._writing import print_json

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
_USES = {
    "labels": "the answers count, and not how sure the models are of them",
    "probabilities": "it counts how sure the models are, and not their answers alone",
    "outputs": "what counts is how good the answers are, or how they rank",
    "gradients": "it counts what the answers rest on, and not the answers alone",
    "models": "the models themselves are at hand, to be run, trained on or taken apart",
}
# What each group of maps implies of the larger ones, which need not be said.
_IMPLIED = {"AT": {"ILT", "OT", "IS", "TR", "PT"}, "ILT": {"OT", "IS", "PT"}}
_IMPLIED["OT"] = {"PT"}


_ENTRIES = (
    *("compares", "direction", "range", "does not see", "null", "intervals"),
    *("use it when", "not when", "see also", "reference"),
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
    use, avoid = _advice(tags)
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
        "use it when": use,
        "not when": avoid,
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


def _advice(tags):
    """When a measure answers the question, and when it does not, as its tags say."""
    use, avoid = [], []
    codes = tags.invariances & tags.invariances_y
    if tags.inputs == "representation":
        if codes & {"AT", "ILT"}:
            use.append("what can be read out linearly matters, however it is mixed")
            avoid.append("there are not many more rows than columns")
        elif "OT" in codes:
            use.append("the geometry of the rows matters, and single units do not")
        elif "PT" in codes:
            use.append("single units matter, whatever their order")
        else:
            use.append("column i of one is to be column i of the other")
        if "IS" not in codes:
            avoid.append("the two are on different scales for no reason of interest")
    use += [_USES[tags.inputs]] if tags.inputs in _USES else []
    if tags.arity == "group":
        use.append("there are three models or more, to be judged together")
    if tags.inputs == "labels":
        avoid.append("it matters how sure the models are of their answers")
    if not tags.paired:
        use.append("the rows of the two need not be the same inputs")
    if "y_true" in tags.requires:
        use.append("the true labels are known")
    if not tags.symmetric:
        avoid.append("it should not matter which model comes first")
    if not math.isfinite(tags.bounds[1]) and not tags.is_similarity:
        avoid.append("numbers of different data are to be set beside each other")
    if not tags.identity:
        avoid.append("a model compared with itself should get the best value")
    if re.search(r"\bn\^[23]", tags.complexity):
        avoid.append(f"there are very many rows (cost {tags.complexity})")
    if tags.extra:
        avoid.append(f"pip install 'sksim[{tags.extra}]' is not possible")
    return use, avoid


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
