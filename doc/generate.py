"""Write the API reference and the table of measures from the package itself.

``write(folder)`` fills ``folder/api`` with one page per public object and
``folder/measures.rst`` with the table of measures. Nothing is listed by hand: an
object is public when a sub-package names it in ``__all__``, and what the tables say
of a measure are its tags. ``conf.py`` calls it at the start of every build, and has the
directive that puts ``family_table`` into a page of the guide.
"""

import importlib
import inspect
import math
import pkgutil
import re
import unicodedata
from dataclasses import is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from sklearn.utils import get_tags

import sksim
import uses

TITLES = {
    "cca": "Canonical correlation",
    "alignment": "Alignment",
    "rsm": "Representational similarity matrices",
    "neighbors": "Nearest neighbours",
    "topology": "Topology",
    "statistics": "Descriptive statistics",
    "functional": "Functional measures",
    "structural": "Structural measures",
    "inference": "Inference",
    "pairwise": "Many comparisons at once",
    "models": "What fitted models compute: layers, outputs, gradients",
    "compose": "Composition",
    "preprocessing": "Preprocessing",
    "evaluation": "Measuring the measures",
    "torch": "Losses for PyTorch",
    "plot": "Plotting",
    "report": "Reports",
    "datasets": "Data with known answers",
    "base": "Base classes",
    "testing": "Testing a measure of your own",
}
# groups of the reference: of measures by what they compare, and of all else
GROUPS = {
    ("representation", "pair"): "Measures",
    ("labels", "pair"): "Two models' labels",
    ("probabilities", "pair"): "Two models' probabilities",
    ("outputs", "pair"): "Two models' outputs of any kind",
    ("gradients", "pair"): "Two explanations",
    ("labels", "group"): "Many models' labels",
    ("probabilities", "group"): "Many models' probabilities",
    ("gradients", "group"): "Many explanations",
    ("models", "pair"): "The models themselves",
}
OTHERS = "Functions", "Classes", "Results", "Constants"
NOT_PUBLIC = {"arrays"}
INVARIANCES = {
    "PT": "permutation of the columns",
    "OT": "orthogonal transformation",
    "IS": "isotropic scaling",
    "ILT": "invertible linear transformation",
    "TR": "translation",
    "AT": "affine transformation",
}
YES, NO = "✓", "–"


class PublicObject(NamedTuple):
    """A public class, function or constant, under the name users import it by."""

    module: str
    name: str
    value: object

    @property
    def path(self):
        """Full dotted name."""
        return f"{self.module}.{self.name}"


# ----- what there is ------------------------------------------------------------------


def public_modules():
    """Names of the modules with public objects, in the order of the reference."""
    found = [
        module.name
        for module in pkgutil.iter_modules(sksim.__path__)
        if not module.name.startswith("_") and module.name not in NOT_PUBLIC
    ]
    known = [name for name in TITLES if name in found]
    others = sorted(set(found) - set(known))
    names = [f"sksim.{name}" for name in known + others]
    return [n for n in names if getattr(importlib.import_module(n), "__all__", ())]


def public_objects():
    """Every public object once: those that only ``sksim`` itself has first."""
    modules = {name: importlib.import_module(name) for name in public_modules()}
    elsewhere = {name for module in modules.values() for name in module.__all__}
    objects = [
        PublicObject("sksim", name, getattr(sksim, name))
        for name in sksim.__all__
        if name not in elsewhere and inspect.isfunction(getattr(sksim, name))
    ]
    seen = {id(item.value) for item in objects}
    for module_name, module in modules.items():
        for name in sorted(module.__all__, key=str.lower):
            value = getattr(module, name)
            is_constant = not (inspect.isclass(value) or inspect.isroutine(value))
            if inspect.ismodule(value) or (id(value) in seen and not is_constant):
                continue
            seen.add(id(value))
            objects.append(PublicObject(module_name, name, value))
    return objects


def measures():
    """Pairs of a measure's name and class, by family and then by name."""
    order = list(TITLES)

    def key(item):
        family = similarity_tags(item[1]).family
        place = order.index(family) if family in order else len(order)
        return place, family, item[0]

    return sorted(sksim.all_measures(), key=key)


def similarity_tags(cls):
    """Tags of a measure with its default parameters."""
    return get_tags(cls()).similarity_tags


def own_methods(cls):
    """Names of the public methods and properties that sksim defines on a class."""
    names = []
    for name in dir(cls):
        # scikit-learn makes set_fit_request and its like, and documents them,
        # and attributes of a fit are described in their section
        if name.startswith("_") or name.endswith("_"):
            continue
        if re.fullmatch(r"set_\w+_request", name):
            continue
        owner = next((c for c in cls.__mro__ if name in vars(c)), None)
        if owner is None or owner.__module__.split(".")[0] != "sksim":
            continue
        member = vars(owner)[name]
        is_method = isinstance(member, (classmethod, staticmethod))
        is_method = is_method or inspect.isroutine(member)
        if is_method or isinstance(member, property) or hasattr(member, "__get__"):
            names.append(name)
    return names


# ----- cells --------------------------------------------------------------------------


def mark(flag):
    """Tick or dash."""
    return YES if flag else NO


def streaming(tags):
    """Tick, dash, or how rows may come otherwise than all at once."""
    known = tags.streaming
    return f"by {known}" if isinstance(known, str) else mark(known)


def compared(tags):
    """What a measure takes of each model, and whether of two models or of many."""
    many = getattr(tags, "arity", "pair") == "group"
    return f"{tags.inputs} of many models" if many else tags.inputs


def interval(bounds):
    """Interval in mathematical notation, open at infinity.

    >>> interval((0, 1)), interval((0, math.inf)), interval((-math.inf, math.pi / 2))
    ('[0, 1]', '[0, ∞)', '(−∞, π/2]')
    """
    named = {math.pi: "π", math.pi / 2: "π/2", math.sqrt(2): "√2", math.log(2): "ln 2"}

    def number(value):
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        for constant, symbol in named.items():
            if math.isclose(abs(value), constant, rel_tol=1e-12):
                return symbol if value > 0 else f"−{symbol}"
        return f"{value:.4g}".replace("-", "−")

    low, high = bounds
    left = "(" if math.isinf(low) else "["
    right = ")" if math.isinf(high) else "]"
    return f"{left}{number(low)}, {number(high)}{right}"


def invariance(tags, code):
    """Tick, dash, or the one view whose maps leave the measure as it is.

    Empty where no coordinates are compared, so that no map could change them.
    """
    if tags.inputs != "representation" and not tags.invariances:
        return ""
    in_x = code in tags.invariances
    of_y = tags.invariances if tags.invariances_y is None else tags.invariances_y
    in_y = code in of_y
    if in_x == in_y:
        return mark(in_x)
    return "X" if in_x else "y"


def reference_label(text):
    """Label of a citation in the bibliography: the names as cited, and the year.

    >>> reference_label("Pérez-Fernández et al. 2021")
    'perezfernandez2021'
    >>> reference_label("Wang and Isola 2020"), reference_label("Wang & Isola 2020")
    ('wangisola2020', 'wangisola2020')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    found = re.fullmatch(r"(.*?)\W*((?:18|19|20)\d\d[a-z]?)\W*", plain)
    if found is None:
        return None
    names = re.sub(r"\bet al\b|\band\b", "", found[1])
    return re.sub(r"[^a-z]", "", names.lower()) + found[2]


def references(tags):
    """Citations of a measure, one by one."""
    return [text.strip() for text in tags.reference.split(";") if text.strip()]


def bibliography_labels(folder):
    """Labels defined in the bibliography."""
    text = (Path(folder) / "references.rst").read_text(encoding="utf-8")
    return set(re.findall(r"^\.\. _([\w-]+):$", text, flags=re.MULTILINE))


def citation(tags, labels):
    """Citations as reStructuredText, linked where the bibliography has them."""
    cells = []
    for text in references(tags):
        label = reference_label(text)
        cells.append(f":ref:`{text} <{label}>`" if label in labels else text)
    return "; ".join(cells)


def public_path(cls):
    """Name that users import a measure by."""
    for item in public_objects():
        if item.value is cls:
            return item.path
    return f"{cls.__module__}.{cls.__qualname__}"


@lru_cache
def paths_of_measures():
    """What each measure is imported by, by its name."""
    return {name: public_path(cls) for name, cls in measures()}


# ----- pages --------------------------------------------------------------------------


def heading(text, line="="):
    """Title with its underline."""
    return f"{text}\n{line * len(text)}\n"


def list_table(rows, *, css_class, header_rows=0, stub_columns=0):
    """Rows of cells as a list-table."""
    lines = [".. list-table::", f"   :class: {css_class}"]
    if header_rows:
        lines.append(f"   :header-rows: {header_rows}")
    if stub_columns:
        lines.append(f"   :stub-columns: {stub_columns}")
    lines.append("")
    for row in rows:
        for i, cell in enumerate(row):
            lines.append(f"   {'* -' if i == 0 else '  -'} {cell}".rstrip())
    return "\n".join(lines) + "\n"


def measures_page(labels=frozenset()):
    """Table of all measures, from their tags."""
    table = [
        [
            "Measure",
            "Family",
            "Input",
            "Direction",
            "Range",
            "Metric",
            "Symmetric",
            *INVARIANCES,
            "Paired",
            "Streaming",
            "Array API",
            "Cost",
            "Reference",
        ]
    ]
    paths = {id(item.value): item.path for item in public_objects()}
    for name, cls in measures():
        tags = similarity_tags(cls)
        path = paths.get(id(cls), f"{cls.__module__}.{name}")
        table.append(
            [
                f":class:`~{path}`",
                tags.family,
                compared(tags),
                tags.orientation,
                interval(tags.bounds),
                mark(tags.metric),
                mark(tags.symmetric),
                *(invariance(tags, code) for code in INVARIANCES),
                mark(tags.paired),
                streaming(tags),
                mark(tags.array_api),
                f"``{tags.complexity}``" if tags.complexity else "",
                citation(tags, labels),
            ]
        )
    codes = "\n".join(f"* **{code}**: {text}" for code, text in INVARIANCES.items())
    return f"""\
.. _measures:

{heading("Table of measures")}
{len(table) - 1} measures, as :func:`sksim.all_measures` lists them. The table is made
from the measures' tags with default parameters. The tests hold each measure to its
range, symmetry and invariances, and refute by data every invariance that is not
claimed for a measure of representations.

{list_table(table, css_class="measures", header_rows=1, stub_columns=1)}
**Input** is what is compared, of two models unless the table says of many.
**Direction** and **range** are those of ``statistic_``, the number of the literature;
``score_`` is always greater for more similar models (:ref:`direction`). **Metric**: a
distance that satisfies the triangle inequality. **Paired**: row i of one
representation is compared with row i of the other; the others compare the two as
wholes, and have no permutation test. **Streaming**: rows may come in blocks, by
``partial_fit``, and any split gives the same number; or in batches that are averaged
(:ref:`scaling`). **Array API**: arrays of other libraries are computed on where they
are. **Cost** is that of one comparison, in n rows and d columns, l models and c
classes.

The six columns in the middle say which maps of a representation leave the measure as
it is:

{codes}

"X" or "y" stands where the measure allows the map in that representation only; the
cells of measures on outputs are empty, as no coordinates are compared.
"""


def properties(cls, labels):
    """Tags of one measure as a small table."""
    tags = similarity_tags(cls)
    rows = [
        ["Direction", tags.orientation],
        ["Range", interval(tags.bounds)],
        ["Range of ``score``", interval(tags.score_bounds)],
        ["Metric", mark(tags.metric)],
        ["Symmetric", mark(tags.symmetric)],
        ["Invariances", ", ".join(allowed_maps(tags))],
        ["Input", compared(tags)],
        ["Requires", ", ".join(tags.requires)],
        ["Rows paired", mark(tags.paired)],
        ["``score`` applies fitted maps", mark(tags.score_uses_fit)],
        ["Streaming", streaming(tags)],
        ["Array API", mark(tags.array_api)],
        ["Cost", f"``{tags.complexity}``" if tags.complexity else ""],
        ["Extra", f"``{tags.extra}``" if tags.extra else ""],
        ["Reference", citation(tags, labels)],
    ]
    rows = [row for row in rows if row[1]]
    table = list_table(rows, css_class="properties", stub_columns=1)
    title = heading("Properties", "-")
    return f"{title}\nWith default parameters (:ref:`measures`):\n\n{table}"


def object_page(item, *, is_measure=False, labels=frozenset()):
    """Page of one public object."""
    parts = [
        f".. _{item.path}:\n",
        heading(item.name),
        f".. currentmodule:: {item.module}\n",
    ]
    if inspect.isclass(item.value):
        parts.append(f".. autoclass:: {item.name}")
        methods = own_methods(item.value)
        if methods:
            parts.append(f"   :members: {', '.join(methods)}")
        parts.append("")
    elif inspect.isroutine(item.value):
        parts.append(f".. autofunction:: {item.name}\n")
    else:
        parts.append(f".. autodata:: {item.name}\n   :no-value:\n")
    if is_measure:
        tags = similarity_tags(item.value)
        parts.append(uses.block(item.name, tags, paths_of_measures()))
        parts.append(properties(item.value, labels))
    parts.append(f".. minigallery:: {item.path}\n   :add-heading: Examples with it\n")
    return "\n".join(parts)


def api_page():
    """Start page of the API reference."""
    objects = public_objects()
    parts = [".. _api:\n", heading("API reference"), ".. toctree::\n   :hidden:\n"]
    parts += [f"   {item.path}" for item in objects]
    parts.append("")
    modules = ["sksim", *public_modules()]
    for module_name in modules:
        items = [item for item in objects if item.module == module_name]
        if not items:
            continue
        short = module_name.removeprefix("sksim.")
        title = f"``{module_name}``"
        if short in TITLES:
            title += f": {TITLES[short].lower()}"
        summary = inspect.getdoc(importlib.import_module(module_name)) or ""
        parts += [heading(title, "-"), summary.split("\n\n")[0], ""]
        for group, members in grouped(items).items():
            if group:
                parts.append(f".. rubric:: {group}\n")
            parts.append(".. autosummary::\n   :nosignatures:\n")
            parts += [f"   ~{item.path}" for item in members]
            parts.append("")
    return "\n".join(parts)


def grouped(items):
    """Objects of a module by what they are; without titles where all are of a kind."""
    listed = {id(cls) for _, cls in measures()}
    groups = {title: [] for title in (*GROUPS.values(), *OTHERS)}
    for item in items:
        groups[group_of(item, id(item.value) in listed)].append(item)
    found = {title: members for title, members in groups.items() if members}
    return {"": items} if len(found) == 1 else found


def group_of(item, is_measure):
    """Title that an object stands under."""
    if is_measure:
        tags = similarity_tags(item.value)
        return GROUPS[tags.inputs, tags.arity]
    if inspect.isclass(item.value):
        return "Results" if is_dataclass(item.value) else "Classes"
    return "Functions" if inspect.isroutine(item.value) else "Constants"


def family_table(family, *, inputs=(), arity=None, labels=frozenset()):
    """Direction, range, invariances, cost and source of a family's measures.

    ``inputs`` and ``arity`` narrow the family down, as the tags of that name.
    """
    chosen = []
    for name, cls in measures():
        tags = similarity_tags(cls)
        if (
            tags.family == family
            and (not inputs or tags.inputs in inputs)
            and arity in (None, tags.arity)
        ):
            chosen.append((name, cls, tags))
    if not chosen:
        raise ValueError(f"no measure of family {family!r} with {inputs=}, {arity=}")
    table = [["Measure", "Direction", "Range", "Invariances", "Cost", "Source"]]
    for _, cls, tags in chosen:
        allowed = allowed_maps(tags)
        table.append(
            [
                f":class:`~{public_path(cls)}`",
                "metric" if tags.metric else tags.orientation,
                interval(tags.bounds),
                ", ".join(allowed),
                f"``{tags.complexity}``" if tags.complexity else "",
                citation(tags, labels),
            ]
        )
    if not any(row[3] for row in table[1:]):
        table = [row[:3] + row[4:] for row in table]
    return list_table(table, css_class="family", header_rows=1, stub_columns=1)


def allowed_maps(tags):
    """Codes of the maps that leave a measure as it is, with the view where not both."""
    cells = {code: invariance(tags, code) for code in INVARIANCES}
    return [
        code if cell == YES else f"{code} (of {cell})"
        for code, cell in cells.items()
        if cell not in ("", NO)
    ]


def write(folder):
    """Write all generated pages under ``folder``; pages of what is gone are removed."""
    folder = Path(folder)
    labels = bibliography_labels(folder)
    listed = {id(cls) for _, cls in measures()}
    pages = {"index.rst": api_page()}
    for item in public_objects():
        is_measure = id(item.value) in listed
        page = object_page(item, is_measure=is_measure, labels=labels)
        pages[f"{item.path}.rst"] = page
    api = folder / "api"
    api.mkdir(exist_ok=True)
    for old in api.glob("*.rst"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        write_if_changed(api / name, text)
    write_if_changed(folder / "measures.rst", measures_page(labels))


def write_if_changed(path, text):
    """Leave an unchanged page alone, so that Sphinx does not read it again."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
