"""What a release promises: versions, addresses, workflows, data and the paper agree."""

import importlib
import inspect
import itertools
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

import sksim

ROOT = Path(__file__).parents[1]
FORGE = ROOT / ".github"
WORKFLOWS = sorted((FORGE / "workflows").glob("*.yml"))
FORMS = sorted((FORGE / "ISSUE_TEMPLATE").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CLASSIFIER = r"Programming Language :: Python :: (3\.\d+)"
PYTHONS = [m[1] for c in PROJECT["classifiers"] if (m := re.fullmatch(CLASSIFIER, c))]


def text_of(*path):
    return ROOT.joinpath(*path).read_text("utf-8")


def read_yaml(path):
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load(path.read_text("utf-8"))


def jobs_of(name):
    return read_yaml(FORGE / "workflows" / f"{name}.yml")["jobs"]


def commands_of(job):
    return "\n".join(step.get("run", "") for step in job["steps"])


# ----- the version --------------------------------------------------------------------


def test_version_is_the_same_everywhere():
    heading = re.search(
        r"^Version (\S+) \((.+)\)\n-+$", text_of("doc", "whats_new.rst"), re.M
    )
    cited = dict(
        re.findall(
            r'^(version|date-released): "?([^"\n]+)', text_of("CITATION.cff"), re.M
        )
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev0)?", sksim.__version__)
    if sksim.__version__.endswith(".dev0"):
        minor = sksim.__version__.removesuffix(".0.dev0")
        assert heading.groups() == (minor, "in development")
        assert cited["version"] != sksim.__version__
    else:
        assert heading[1] == cited["version"] == sksim.__version__
        assert heading[2] == cited["date-released"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", heading[2])


def test_addresses_are_those_of_one_repository():
    urls = PROJECT["urls"]
    assert {"Homepage", "Documentation", "Source", "Issues", "Changelog"} <= set(urls)
    owner, name = re.fullmatch(r"https://github.com/(.+)/(.+)", urls["Source"]).groups()
    pages = f"https://{owner}.github.io/{name}/"
    cited = re.findall(
        r"^(?:repository-code|url): (.+)$", text_of("CITATION.cff"), re.M
    )
    asv = json.loads(text_of("tests", "benchmarks", "asv.conf.json"))
    links = [
        link["url"]
        for link in read_yaml(FORMS[0].with_name("config.yml"))["contact_links"]
    ]
    for url in [
        *urls.values(),
        *cited,
        *links,
        asv["project_url"],
        asv["show_commit_url"],
    ]:
        assert url.startswith((urls["Source"], pages)), url


def test_classifiers_name_each_python_from_the_least_on():
    least = PROJECT["requires-python"].removeprefix(">=")
    minors = [int(python.removeprefix("3.")) for python in PYTHONS]
    assert PYTHONS[0] == least
    assert minors == list(range(minors[0], minors[-1] + 1))


# ----- the forge ----------------------------------------------------------------------


def test_every_action_is_pinned_to_a_commit_and_says_its_version():
    pins = {}
    for path in WORKFLOWS:
        for line in re.findall(r"^.*\buses:.*$", path.read_text("utf-8"), re.M):
            if re.search(r"uses: \./\.github/workflows/\w+\.yml$", line):
                continue
            pin = re.search(
                r"uses: ([\w.-]+/[\w.-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$", line
            )
            assert pin, f"{path.name}: {line.strip()}"
            pins.setdefault(pin[1], set()).add(pin.groups()[1:])
    assert len(pins) >= 5
    assert all(len(found) == 1 for found in pins.values()), "one action in two versions"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_are_whole_and_may_do_little(path):
    workflow = read_yaml(path)
    # YAML 1.1 reads the key "on" as true
    assert set(workflow) - {"concurrency", "env"} == {
        "name",
        True,
        "permissions",
        "jobs",
    }
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for job in workflow["jobs"].values():
        if "uses" in job:
            assert (ROOT / job["uses"]).exists()
            continue
        assert {"runs-on", "timeout-minutes", "steps"} <= set(job)
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step)
            if step.get("uses", "").startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
        assert "${{" not in commands_of(job), "an expression in a script can be code"


def test_only_jobs_that_publish_may_write():
    for path in WORKFLOWS:
        for name, job in read_yaml(path)["jobs"].items():
            rights = {
                key
                for key, right in job.get("permissions", {}).items()
                if right == "write"
            }
            if (path.stem, name) == ("publish", "publish"):
                assert rights == {"id-token"}
            elif (path.stem, name) == ("docs", "deploy"):
                assert rights == {"id-token", "pages"}
            else:
                assert not rights


def test_every_python_is_tested_on_two_systems():
    jobs = jobs_of("tests")
    matrix = jobs["tests"]["strategy"]["matrix"]
    assert matrix["python"] == PYTHONS
    assert len(matrix["system"]) >= 2
    assert "'.[test]'" in commands_of(jobs["tests"])
    least = jobs["least-versions"]
    (setup,) = (
        step["with"]
        for step in least["steps"]
        if "python-version" in step.get("with", {})
    )
    assert setup["python-version"] == PYTHONS[0]
    assert ".ci/versions.py least" in commands_of(least)


def test_the_rest_of_what_is_checked_is_checked():
    assert "sphinx -W" in commands_of(jobs_of("docs")["build"])
    assert "-m slow" in commands_of(jobs_of("nightly")["slow"])
    assert "tests/models" in commands_of(jobs_of("nightly")["clients"])
    assert {"schedule", "workflow_dispatch"} <= set(
        read_yaml(FORGE / "workflows/nightly.yml")[True]
    )
    wheels = commands_of(jobs_of("wheels")["build"])
    assert "-m build" in wheels
    assert "sksim demo" in wheels


def test_a_release_is_built_checked_and_published_without_a_token():
    workflow = read_yaml(FORGE / "workflows" / "publish.yml")
    jobs = workflow["jobs"]
    assert workflow[True] == {"release": {"types": ["published"]}}
    assert jobs["build"]["uses"] == "./.github/workflows/wheels.yml"
    assert set(jobs["publish"]["needs"]) == {"build", "version"}
    assert jobs["publish"]["environment"] == "pypi"
    assert "secrets." not in text_of(".github", "workflows", "publish.yml")
    (line,) = re.findall(
        r"^__version__ = .*$", Path(sksim.__file__).read_text("utf-8"), re.M
    )
    assert line == f'__version__ = "{sksim.__version__}"'  # as "version" looks for it


@pytest.mark.parametrize(
    "path", [p for p in FORMS if p.stem != "config"], ids=lambda p: p.stem
)
def test_forms_ask_questions_that_the_forge_can_show(path):
    form = read_yaml(path)
    assert {"name", "description", "labels", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] in {"input", "textarea", "dropdown"}
        assert field["attributes"]["label"]
        options = field["attributes"].get("options", [])
        assert all(isinstance(option, str) for option in options)
        assert bool(options) == (field["type"] == "dropdown")


def test_dependabot_looks_after_actions_and_packages():
    updates = read_yaml(FORGE / "dependabot.yml")["updates"]
    assert {u["package-ecosystem"] for u in updates} == {"github-actions", "pip"}


@pytest.mark.parametrize(
    "path",
    [*sorted(FORGE.glob("*.md")), ROOT / "tests/data/README.md"],
    ids=lambda path: path.stem,
)
def test_links_between_files_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text("utf-8"))
    for link in links:
        assert (path.parent / link).exists(), link


def test_the_project_says_how_it_works():
    names = {path.stem for path in FORGE.glob("*.md")}
    assert names >= {
        "CONTRIBUTING",
        "CODE_OF_CONDUCT",
        "SECURITY",
        "PULL_REQUEST_TEMPLATE",
    }


# ----- what is in the package ---------------------------------------------------------


def test_types_are_found_by_type_checkers():
    package = Path(sksim.__file__).parent
    assert (package / "py.typed").exists()
    assert (package / "__init__.pyi").exists()


def test_every_file_of_data_says_where_it_is_from():
    readme = text_of("tests", "data", "README.md")
    assert "## Origin and licence" in readme
    files = {path.stem for path in (ROOT / "tests" / "data").iterdir()} - {"README"}
    missing = {stem for stem in files if not re.search(rf"`{stem}[`./]", readme)}
    assert not missing


# ----- the paper ----------------------------------------------------------------------

# papers about software, which define no measure
SOFTWARE = {"buitinck2013", "harris2020", "panda2019", "pedregosa2011", "schutt2023"}
SOFTWARE |= {"virtanen2020"}


def paper():
    """Front matter and text, and the entries of the bibliography by key."""
    _, front, body = text_of("doc", "paper.md").split("---\n", maxsplit=2)
    entries = re.split(r"^@", text_of("doc", "paper.bib"), flags=re.M)[1:]
    return front, body, {re.match(r"\w+\{(\w+),", entry)[1]: entry for entry in entries}


def test_the_paper_cites_what_is_in_its_bibliography():
    front, body, entries = paper()
    assert "bibliography: paper.bib" in front
    cited = set(re.findall(r"@(\w+)", body))
    assert cited == set(entries)
    for entry in entries.values():
        assert re.search(r"^  (doi|url) = ", entry, re.M), entry


def test_the_paper_has_the_journals_sections_and_length():
    _, body, _ = paper()
    titles = re.findall(r"^# (.+)$", body, re.M)
    assert titles[:3] == ["Summary", "Statement of need", "State of the field"]
    assert titles[-1] == "References"
    assert 700 <= len(body.split()) <= 1100


def test_papers_that_define_measures_are_those_of_the_references():
    references = " ".join(text_of("doc", "references.rst").split()).lower()
    for key, entry in paper()[2].items():
        title = re.search(r"^  title = \{(.+)\},$", entry, re.M)[1]
        plain = re.sub("[{}]", "", title).lower()
        assert key in SOFTWARE or plain in references, title


# ----- benchmarks over time -----------------------------------------------------------


@pytest.fixture
def tracked(monkeypatch):
    """The module that asv finds, imported as asv does."""
    pytest.importorskip("ot")
    conf = ROOT / "tests" / "benchmarks" / "asv.conf.json"
    assert (conf.parent / json.loads(conf.read_text())["repo"]).resolve() == ROOT
    monkeypatch.setattr(sys, "path", [str(conf.parent), *sys.path])
    return importlib.import_module(
        json.loads(conf.read_text())["benchmark_dir"] + ".speed"
    )


def test_benchmarks_over_time_run(tracked):
    ran = 0
    for _, cls in inspect.getmembers(
        tracked, lambda x: inspect.isclass(x) and x.__module__ == tracked.__name__
    ):
        if cls is tracked.ManyRows:  # takes seconds, and does one fit
            continue
        first, *_ = itertools.product(*_axes(cls))
        benchmark = cls()
        benchmark.setup(*first)
        for name in dir(cls):
            if name.startswith(("time_", "peakmem_")):
                getattr(benchmark, name)(*first)
                ran += 1
    assert ran >= 7


def test_benchmarks_over_time_name_measures(tracked):
    for cls in (tracked.Fit, tracked.Permutations, tracked.Layers):
        assert set(_axes(cls)[0]) <= set(dict(sksim.all_measures()))
        assert len(cls.param_names) == len(_axes(cls))


def _axes(cls):
    """Lists of values, one for each parameter of a benchmark."""
    params = getattr(cls, "params", [])
    return [params] if params and not isinstance(params, tuple) else list(params)
