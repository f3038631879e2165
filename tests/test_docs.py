"""What is public is documented, correctly, and listed in the reference."""

import contextlib
import doctest
import importlib
import importlib.util
import inspect
import io
import pkgutil
import re
import sys
import tomllib
import warnings
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import get_type_hints

import pytest
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import validate

import sksim
from sksim._uses import USES, named_in
from sksim.testing import make_inputs

ROOT = Path(__file__).parents[1]
DOC = ROOT / "doc"

# numpydoc's codes: see the table in its manual
ERRORS = {
    "GL03": "double blank lines",
    "GL05": "tabs",
    "GL06": "unknown section",
    "GL07": "sections out of order",
    "GL08": "no docstring",
    "SS01": "no summary",
    "SS02": "summary starts in lower case",
    "SS03": "summary without a full stop",
    "SS06": "summary longer than a line",
    "PR01": "parameters not documented",
    "PR02": "unknown parameters",
    "PR03": "parameters out of order",
    "PR04": "parameter without type",
    "PR07": "parameter without description",
    "PR10": "no space before the colon of a parameter",
    "RT01": "no Returns section",
    "YD01": "no Yields section",
    "SA04": "reference without description",
}
SIGNATURE = {"PR01", "PR02", "PR03"}
# modules for writers of measures: their classes are abstract, nothing to run alone
WITHOUT_EXAMPLES = {"sksim.base", "sksim.testing"}


def load_from_doc(name):
    """A module of the documentation, which is not on the path."""
    spec = importlib.util.spec_from_file_location(name, DOC / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # they import each other
    spec.loader.exec_module(module)
    return module


load_from_doc("uses")
generate = load_from_doc("generate")
decision = load_from_doc("decision")
GUIDE = {
    f"{path.parent.name}/{path.stem}": path.read_text("utf-8")
    for folder in ("user_guide", "tutorial")
    for path in (DOC / folder).glob("*.rst")
    if path.stem != "which_measure"  # written by the build
}
GALLERY = sorted((ROOT / "examples").glob("plot_*.py"))
PUBLIC = [
    item
    for item in generate.public_objects()
    if inspect.isclass(item.value) or inspect.isfunction(item.value)
]
MEASURES = sksim.all_measures()


def public_methods():
    """Dotted name of each public method once, under the first class that has it."""
    found = {}
    for item in PUBLIC:
        if not inspect.isclass(item.value):
            continue
        for name in generate.own_methods(item.value):
            member = inspect.getattr_static(item.value, name)
            if callable(getattr(item.value, name, None)):
                found.setdefault(id(member), (item.value, f"{item.path}.{name}"))
    return sorted(found.values(), key=lambda pair: pair[1])


def complaints(path, codes):
    """What numpydoc has to say about a docstring, among the given codes."""
    errors = validate(path)["errors"]
    return [f"{code}: {text}" for code, text in errors if code in codes]


def names_in(cls, *sections):
    """Names documented in sections of a class, with those of joint entries apart."""
    entries = [entry for section in sections for entry in ClassDoc(cls)[section]]
    return [name.strip(" `") for entry in entries for name in entry.name.split(",")]


# ----- docstrings -----------------------------------------------------------------


@pytest.mark.parametrize("item", PUBLIC, ids=lambda item: item.path)
def test_docstring_of_public_object(item):
    codes = set(ERRORS)
    if is_dataclass(item.value):  # made by a function, and read by its fields
        codes -= SIGNATURE
        documented = names_in(item.value, "Parameters", "Attributes")
        assert {field.name for field in fields(item.value)} <= set(documented)
    elif item.module not in WITHOUT_EXAMPLES:
        codes |= {"EX01"}
    assert not complaints(item.path, codes)


@pytest.mark.parametrize(
    ("cls", "path"), [pytest.param(*pair, id=pair[1]) for pair in public_methods()]
)
def test_docstring_of_public_method(cls, path):
    of_a_record = is_dataclass(cls)
    codes = set(ERRORS) - SIGNATURE - {"RT01"} if of_a_record else ERRORS
    assert not complaints(path, codes)


def documented_attributes(cls):
    """Names in the section Attributes; those that only some fits have apart."""
    always, sometimes = set(), {"feature_names_in_", "feature_names_y_in_"}
    for entry in ClassDoc(cls)["Attributes"]:
        conditional = re.search(r"\bonly\b", " ".join(entry.desc), re.IGNORECASE)
        names = [name.strip(" `") for name in entry.name.split(",")]
        (sometimes if conditional else always).update(names)
    return always - sometimes, sometimes


@pytest.mark.parametrize("cls", [cls for _, cls in MEASURES])
def test_documented_attributes_are_those_of_a_fit(cls):
    measure = cls()
    X, y, fit_params = make_inputs(measure, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these few rows are not what matters here
        measure.fit(X, y, **fit_params)
    always, sometimes = documented_attributes(cls)
    missing = {attribute for attribute in always if not hasattr(measure, attribute)}
    assert not missing, f"documented, but not there after fit: {sorted(missing)}"
    fitted = {key for key in vars(measure) if re.fullmatch(r"[^_].*[^_]_", key)}
    undocumented = fitted - always - sometimes
    assert not undocumented, f"there after fit, but not documented: {undocumented}"


# ----- the generated reference ----------------------------------------------------


def test_generator_lists_everything_public():
    listed = {item.path for item in generate.public_objects()}
    listed_objects = {id(item.value) for item in generate.public_objects()}
    packages = [
        module.name
        for module in pkgutil.iter_modules(sksim.__path__)
        if module.ispkg
        and not module.name.startswith("_")
        and module.name not in generate.NOT_PUBLIC
    ]
    assert packages
    for package in packages:
        module = importlib.import_module(f"sksim.{package}")
        for name in module.__all__:
            path = f"sksim.{package}.{name}"
            assert path in listed or id(getattr(module, name)) in listed_objects, path
    for name, cls in MEASURES:
        assert id(cls) in listed_objects, name


def test_pages_are_written_for_all_and_removed_with_their_object(tmp_path):
    (tmp_path / "references.rst").write_text(
        (DOC / "references.rst").read_text("utf-8")
    )
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "sksim.gone.Gone.rst").write_text("Gone\n====\n")
    generate.write(tmp_path)
    pages = {path.stem for path in (tmp_path / "api").glob("*.rst")}
    expected = {item.path for item in generate.public_objects()}
    assert pages == expected | {"index"}
    index = (tmp_path / "api" / "index.rst").read_text("utf-8")
    assert all(f"   ~{path}\n" in index for path in expected)
    table = (tmp_path / "measures.rst").read_text("utf-8")
    for _, cls in MEASURES:
        assert f":class:`~{generate.public_path(cls)}`" in table


@pytest.mark.parametrize("name", [name for name, _ in MEASURES])
def test_page_of_a_measure_says_when_to_use_it(name):
    cls = dict(MEASURES)[name]
    item = next(item for item in PUBLIC if item.value is cls)
    page = generate.object_page(item, is_measure=True)
    section = page.partition("When to use it\n")[2].partition("Properties\n")[0]
    for title in ("Use it when", "Not when", "Instead take"):
        assert re.search(rf"\*\*{title}\*\* \S.*[^.]\.$", section, re.MULTILINE), title
    instead = section.partition("**Instead take**")[2]
    linked = set(measures_in(instead))
    assert linked - {name}, "no other measure is named"
    assert linked <= {other for other, _ in MEASURES}
    # and the page of the guide that it links to links back
    label = re.search(r"relatives, in :ref:`(\w+)`", section)[1]
    (guide,) = [text for text in GUIDE.values() if f".. _{label}:" in text]
    assert re.search(rf":class:`(?:~sksim\.\w+\.)?{name}`", guide)


def test_uses_are_of_measures_that_there_are():
    known = {name for name, _ in MEASURES}
    assert set(USES) == known
    assert {n for use in USES.values() for n in named_in("".join(use))} <= known


def test_reference_groups_measures_by_what_they_compare():
    page = generate.api_page()
    section = page.partition("Functional measures".lower())[2].partition("\n---")[2]
    labels = section.partition("Two models' labels")[2].partition(".. rubric::")[0]
    expected = {
        name
        for name, cls in MEASURES
        if (t := generate.similarity_tags(cls)).family == "functional"
        and (t.inputs, t.arity) == ("labels", "pair")
    }
    assert set(re.findall(r"~sksim\.functional\.(\w+)", labels)) == expected


def test_sub_packages_have_a_title():
    titled = {f"sksim.{name}" for name in generate.TITLES}
    assert set(generate.public_modules()) <= titled


@pytest.mark.parametrize("cls", [cls for _, cls in MEASURES])
def test_reference_is_in_the_bibliography(cls):
    labels = generate.bibliography_labels(DOC)
    references = generate.references(generate.similarity_tags(cls))
    assert references, "the tag 'reference' is empty"
    for text in references:
        label = generate.reference_label(text)
        assert label in labels, (
            f"{text!r} needs an entry labelled {label!r} in doc/references.rst"
        )


def test_bibliography_is_ordered():
    text = (DOC / "references.rst").read_text("utf-8")
    labels = re.findall(r"^\.\. _([\w-]+\d{4}\w?):$", text, flags=re.MULTILINE)
    assert labels == sorted(labels)
    assert len(labels) == len(set(labels))


def test_table_of_measures_has_all_columns():
    header, row = generate.measures_page().split("   * - ")[1:3]
    columns = [cell.strip() for cell in header.split("\n     - ")]
    assert columns == [
        *("Measure", "Family", "Input", "Direction", "Range", "Metric", "Symmetric"),
        *("PT", "OT", "IS", "ILT", "TR", "AT"),
        *("Paired", "Streaming", "Array API", "Cost", "Reference"),
    ]
    assert len(row.split("\n     -")) == len(columns)


def measures_in(text):
    """Names of the measures that a generated text links to, as often as it does."""
    return re.findall(r":class:`~sksim\.\w+\.(\w+)`", text)


def test_decision_page_places_every_measure_once():
    assert sorted(measures_in(decision.have())) == [name for name, _ in MEASURES]


def test_decision_page_answers_by_tags(monkeypatch):
    tags = {name: generate.similarity_tags(cls) for name, cls in MEASURES}
    rows = decision.differences().split("   * - ")
    affine = next(row for row in rows if row.startswith(decision.GROUPS["AT"]))
    expected = {n for n, t in tags.items() if "AT" in t.invariances | t.invariances_y}
    assert set(measures_in(affine)) == expected
    assert ":class:`~sksim.cca.PWCCA` (of y only)" in affine
    streaming = decision.labels_and_streams().partition("partial_fit")[2]
    assert set(measures_in(streaming)) == {n for n, t in tags.items() if t.streaming}
    intervals = decision.significance().partition("Intervals by")[2]
    assert sorted(measures_in(intervals)) == sorted(tags)
    page = decision.decision_page()
    assert page.index("The default") < page.index("What do you have?")
    assert set(decision.DEFAULTS) == set(decision.TASKS)
    assert "() " not in page  # a link without a name
    run_doctests(page, "guide_which_measure", monkeypatch)


# ----- the guide ------------------------------------------------------------------


def parts(text):
    """Rows of tables, items of lists and sections of a page."""
    return re.split(r"^(?:   \* - |\* |\.\. math|[-=~]{4,}$)", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", [name for name, _ in MEASURES])
def test_guide_defines_every_measure_by_a_formula(name):
    linked = re.compile(rf":class:`(?:~sksim\.\w+\.)?{name}`")
    pages = {page: text for page, text in GUIDE.items() if linked.search(text)}
    assert pages, f"no page of the guide mentions {name}"
    sections = [
        section
        for text in pages.values()
        for section in re.split(r"^[-=~]{4,}$", text, flags=re.MULTILINE)
    ]
    rows = [row for section in sections for row in parts(section)]
    in_a_row = any(linked.search(row) and ":math:" in row for row in rows)
    in_a_section = any(linked.search(s) and ".. math::" in s for s in sections)
    assert in_a_row or in_a_section, f"{name} has no formula in the guide"


def family_tables():
    """Arguments of the directives that put a family's table into a page."""
    directive = r"^\.\. family-table:: (\w+)\n((?:   :.*\n)*)"
    for text in GUIDE.values():
        for family, options in re.findall(directive, text, flags=re.MULTILINE):
            options = dict(re.findall(r":(\w+): (.*)", options))
            inputs = tuple(options.get("inputs", "").split())
            yield {"family": family, "inputs": inputs, "arity": options.get("arity")}


def test_guide_has_range_direction_and_cost_of_every_measure():
    labels = generate.bibliography_labels(DOC)
    texts = [generate.family_table(**args, labels=labels) for args in family_tables()]
    listed = [name for text in texts for name in measures_in(text)]
    assert sorted(listed) == [name for name, _ in MEASURES]
    assert all("- Cost" in text and ":ref:`" in text for text in texts)
    with pytest.raises(ValueError, match="no measure of family"):
        generate.family_table("cca", inputs=("labels",))


def test_every_page_of_a_family_has_a_figure_with_a_caption():
    pages = {page for page, text in GUIDE.items() if ".. family-table::" in text}
    assert len(pages) >= 8
    figure = r"^\.\. plot:: (\w+)\.py\n   :alt: \S.*\n\n   \S"
    drawn = {
        page: re.findall(figure, text, flags=re.MULTILINE)
        for page, text in GUIDE.items()
        if ".. plot::" in text
    }
    assert pages <= set(drawn)
    assert all(drawn.values()), "a figure needs an :alt: and a caption"
    scripts = {path.stem for path in (DOC / "figures").glob("*.py")}
    assert {name for names in drawn.values() for name in names} == scripts


def test_gallery():
    assert len(GALLERY) >= 12
    for path in GALLERY:
        text = path.read_text("utf-8")
        title = re.match(r'"""\n(?:=+\n)?(.+)\n=+\n', text)
        assert title, path.name
        assert "plt.show()" in text or "Display" in text, f"{path.name}: no figure"


def test_gallery_has_every_example_in_one_section():
    text = (DOC / "gallery.rst").read_text("utf-8")
    listed = re.findall(r"^   (plot_\w+\.py)$", text, flags=re.MULTILINE)
    assert sorted(listed) == [path.name for path in GALLERY]
    assert text.count(".. examples::") >= 6


TASKS = (
    *("which layer has changed", "forest and boosting", "pruned network"),
    *("subjects", "map of twenty", "principal components", "200,000 rows"),
    *("release", "measure of my own", "into the paper"),
)


def test_ten_tasks_are_answered_by_code_that_runs():
    page = GUIDE["user_guide/ten_tasks"]
    sections = re.split(r"^(\d+\. .*)\n-+$", page, flags=re.MULTILINE)[1:]
    titles, texts = sections[::2], sections[1::2]
    assert len(titles) == len(TASKS)
    for title, task, text in zip(titles, TASKS, texts, strict=True):
        assert task in title
        assert ">>> " in text
        assert ":ref:`" in text, f"{title}: where is more?"


def test_start_page_leads_to_the_tutorials():
    start = (DOC / "index.rst").read_text("utf-8")
    assert start.count(".. container:: card\n") == 4
    pages = [text for page, text in GUIDE.items() if page.startswith("tutorial/")]
    labels = {re.match(r"\.\. _(\w+):", text)[1] for text in pages} - {"tutorials"}
    assert len(labels) == 5
    for label in labels:
        assert f"<{label}>`" in start or f"\n      <{label}>`" in start, label
    assert "pip install" in start
    assert ".. image::" in start


# ----- prose that runs ------------------------------------------------------------


def run_doctests(text, name, monkeypatch):
    """Run the examples of a text as a module, whose classes can be pickled."""
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    test = doctest.DocTestParser().get_doctest(text, {}, name, name, 0)
    test.globs = vars(module)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=flags, verbose=False)
    results = runner.run(test, out=report.write, clear_globs=False)
    assert not results.failed, report.getvalue()


@pytest.mark.parametrize(
    "path",
    sorted(
        path
        for folder in (".", "user_guide", "tutorial")
        for path in DOC.glob(f"{folder}/*.rst")
        if ">>>" in path.read_text("utf-8")
    ),
    ids=lambda path: path.stem,
)
def test_examples_in_the_guide(path, monkeypatch):
    run_doctests(path.read_text("utf-8"), f"guide_{path.stem}", monkeypatch)


@pytest.mark.parametrize("name", ["decision", "generate", "mathml"])
def test_examples_of_the_documentation_modules(name):
    results = doctest.testmod(load_from_doc(name))
    assert results.attempted
    assert not results.failed


def fenced(language):
    """Contents of README's fenced blocks in a language."""
    text = (ROOT / "README.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


def test_readme_example_prints_what_it_says():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(fenced("python")[0], "README.md", "exec"), {})
    assert printed.getvalue() == fenced("text")[0]


def test_readme_commands_are_complete():
    demo, tests = fenced("bash")[:2]
    for block in (demo, tests):
        assert "-m venv .venv" in block
        assert "-m pip install" in block
    assert "-m sksim demo" in demo
    assert "[test]" in tests
    assert "-m pytest" in tests


def test_readme_links_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_readme_has_a_picture_and_a_fair_table():
    text = (ROOT / "README.md").read_text("utf-8")
    (picture,) = re.findall(r"!\[.+\]\((.+)\)", text)
    assert 0 < (ROOT / picture).stat().st_size < 200_000
    section = text.partition("## Other packages")[2].partition("\n## ")[0]
    row = r"^\| \[(.+?)\]\(https://.+?\) (.*) \|$"
    rows = re.findall(row, section, flags=re.MULTILINE)
    assert [name for name, _ in rows] == [
        *("ReSi", "netrep", "rsatoolbox", "hyppo", "torch_cka", "pytorch-cka"),
        *("similarity-repository", "calibrated-similarity", "repsim", "repsim"),
        *("ckatorch", "cka-pytorch", "shesha-geometry", "dsa-metric", "lm-sim"),
        *("platonic-universe", "modeldiffr", "llm-behavior-diff"),
        *("skore", "evidently", "deepchecks"),
    ]
    assert all(cells.count(" | ") == 3 for _, cells in rows)
    assert re.search(r"\b20\d\d\b", section), "a comparison needs a date"


def test_readme_names_what_there_is():
    """The table of sub-packages has them all, and names nothing that is not there."""
    text = (ROOT / "README.md").read_text("utf-8")
    table = re.findall(r"^\| (`sksim\..*?) \| (.*?) \|$", text, flags=re.MULTILINE)
    named = set()
    for modules, contents in table:
        modules = re.findall(r"`(sksim\.\w+)`", modules)
        named.update(modules)
        public = {name for module in modules for name in sys.modules[module].__all__}
        assert set(re.findall(r"`(\w+)`", contents)) <= public, modules
    missing = set(generate.public_modules()) - named
    assert not missing, f"README's table of sub-packages lacks {sorted(missing)}"


# ----- one truth --------------------------------------------------------------------


def test_one_release_of_ruff():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (pinned,) = pyproject["project"]["optional-dependencies"]["lint"]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    release = pinned.removeprefix("ruff==")
    assert re.search(rf"ruff-pre-commit\n +rev: v{re.escape(release)}\b", hooks)


def test_installation_page_names_all_dependencies_and_extras():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    text = (DOC / "install.rst").read_text("utf-8")
    for requirement in project["dependencies"]:
        assert re.match(r"[\w-]+", requirement)[0] in text
    for extra in project["optional-dependencies"]:
        assert f"* - ``{extra}``" in text


# what is imported by another name, or by the library that sksim goes by
USED_AS = {"POT": "from ot ", "pyarrow": "read_parquet", "distributed": "dask"}
FOR_WORK_ON_SKSIM = {"test", "clients", "benchmark", "lint", "doc", "dev"}


def test_every_extra_is_used():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    folder = Path(sksim.__file__).parent
    source = "".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    for extra, requirements in project["optional-dependencies"].items():
        if extra in FOR_WORK_ON_SKSIM:
            continue
        for requirement in requirements:
            name = re.match(r"[\w-]+", requirement)[0]
            used = USED_AS.get(name, rf'(import |from |import_extra\(\s*"){name}\b')
            assert re.search(used, source), f"{extra}: nothing imports {name}"


def test_annotations_are_the_packages():
    """Type checkers read what functions of results give."""
    assert (Path(sksim.__file__).parent / "py.typed").exists()
    evaluation, report = sys.modules["sksim.evaluation"], sys.modules["sksim.report"]
    hints = get_type_hints(evaluation.layer_identification)
    assert hints["return"] is evaluation.LayerIdentification
    assert get_type_hints(report.write_report)["return"] is str
