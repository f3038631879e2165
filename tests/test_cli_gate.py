"""``sksim gate`` and ``sksim predictions``: files, statuses, configuration, level."""

import json
import subprocess
import sys
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from sksim import compare_predictions, release_gate
from sksim._cli import main

N = 600
IDS = [f"photo{i}" for i in range(N)]


@pytest.fixture(scope="module")
def models():
    rng = np.random.default_rng(0)
    truth = rng.choice(["bee", "fly", "wasp"], N)
    old = np.where(rng.random(N) < 0.9, truth, "bee")
    new = np.where(rng.random(N) < 0.985, old, "fly")
    site = rng.choice(["hill", "lake"], N)
    logits = 2 * rng.normal(size=(N, 3))
    near = logits + 0.1 * rng.normal(size=logits.shape)
    return {
        "truth": truth,
        "old": old,
        "new": new,
        "site": site,
        "P": special.softmax(logits, axis=1),
        "Q": special.softmax(near, axis=1),
    }


@pytest.fixture
def folder(tmp_path, monkeypatch, models):
    """Folder with both models' answers in files of all kinds, the current one."""
    monkeypatch.chdir(tmp_path)
    truth, old, new, site = (models[name] for name in ("truth", "old", "new", "site"))
    for name in ("truth", "old", "new", "P", "Q"):
        np.save(f"{name}.npy", models[name])
    columns = {"id": IDS, "answer": old, "target": truth, "site": site}
    first = pd.DataFrame(columns)
    second = pd.DataFrame({"id": IDS, "answer": new}).sample(frac=1, random_state=0)
    first.to_csv("old.csv", index=False)
    second.to_csv("new.csv", index=False)
    for name, table in (("old", first), ("new", second)):
        table = table.rename(columns={"id": "photo"})
        table.to_json(f"{name}.jsonl", orient="records", lines=True)
    pd.DataFrame({"id": IDS, "kind": truth})[::-1].to_csv("truth.csv", index=False)
    pd.DataFrame({"id": IDS, "place": site})[::-1].to_csv("site.csv", index=False)
    classes = ["bee", "fly", "wasp"]
    for name in ("P", "Q"):
        table = pd.DataFrame(models[name], columns=classes).assign(id=IDS)
        table.sample(frac=1, random_state=3).to_csv(f"{name}.csv", index=False)
    return tmp_path


def fails(capsys, *argv, status=1):
    """The one line on standard error of a command that fails."""
    assert main(list(argv)) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("sksim: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def document(capsys, *argv, status=0):
    """What a command prints with --json, read strictly."""
    assert main([*argv, "--json"]) == status
    return json.loads(capsys.readouterr().out, parse_constant=refuse)


def cut(rows, *names):
    return [[row[name] for name in names] for row in rows]


# ----- gate: statuses -----------------------------------------------------------------


def test_status_says_whether_the_gate_passes(folder, capsys):
    command = ["gate", "old.npy", "new.npy", "--max-churn"]
    assert main([*command, "0.04"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("old: old.npy, new: new.npy\nThe gate passes: 1 of 1 limit")
    assert "Rows that changed" in out
    assert max(map(len, out.split("\n\n", 1)[1].splitlines())) <= 100
    assert main([*command, "0.012"]) == 3  # too few rows to say
    assert "cannot say" in capsys.readouterr().out
    assert main([*command, "0.002"]) == 3
    assert "fail" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message", "status"),
    [
        (["old.npy", "nowhere.npy", "--max-churn", ".1"], "nowhere.npy: no such", 1),
        (["old.npy", "P.npy", "--max-churn", ".1"], "new holds probabilities", 1),
        (["old.npy", "new.npy", "--max-kl", ".1"], "max_kl needs both", 1),
        (["old.npy", "new.npy", "--noninferiority", ".1"], "needs the true labels", 1),
        (["old.npy", "new.npy", "--max-churn", ".1", "--labels", "y"], "y_true='y'", 1),
        (
            ["old.npy", "new.npy", "--max-churn", ".1", "--labels", "y.npy"],
            "y.npy: no",
            1,
        ),
        (["old.csv", "Q.csv", "--max-churn", ".1", "--on", "x"], "a is old, and b", 1),
        (["old.npy", "new.npy"], "give one limit or more: --max-churn", 2),
        (["old.npy", "new.npy", "--max-churn", "2"], "such as 0.02 for 2 %", 2),
        (["old.npy", "new.npy", "--noninferiority", "-1"], "number above 0", 2),
        (["old.npy", "new.npy", "--confidence", "0.4"], "between 0.5 and 1", 2),
        (["old.npy", "new.npy", "--max-chrun", ".1"], "unrecognized arguments", 2),
        (["old.npy"], "required: NEW", 2),
        (["old.npy", "new.npy", "--max-kl", "1", "--config", "x"], "--config x: No", 2),
        (
            ["old.npy", "new.npy", "--max-kl", "1", "--json", "--markdown"],
            "two answ",
            2,
        ),
        (["old.npy", "new.npy", "--max-kl", "1", "--junit", "no/x"], "no folder", 1),
        (["old.npy", "new.npy", "--max-churn", ".1", "--allow", "all"], "'all'", 1),
    ],
)
def test_errors_are_one_line(argv, message, status, folder, capsys):
    assert message in fails(capsys, "gate", *argv, status=status)


# ----- gate: files --------------------------------------------------------------------


def test_all_kinds_of_files_decide_alike(folder, capsys, models):
    limits = ["--max-churn", ".04", "--noninferiority", ".015"]
    expected = release_gate(
        models["old"],
        models["new"],
        models["truth"],
        max_churn=0.04,
        noninferiority=0.015,
    ).criteria
    columns = ("criterion", "value", "low", "high", "outcome")
    expected = expected[list(columns)].to_numpy().tolist()
    for files in (
        ["old.npy", "new.npy", "--labels", "truth.npy"],
        ["old.csv", "new.csv"],
        ["old.csv", "new.csv", "--labels", "target"],
        ["old.csv", "new.csv", "--on", "id", "--labels", "truth.csv"],
        ["old.jsonl", "new.jsonl", "--on", "photo"],
    ):
        found = document(capsys, "gate", *files, *limits, status=3)
        assert cut(found["criteria"], *columns) == expected
        assert found["passed"] is False
        assert found["n_changed"] == 6


def test_probabilities(folder, capsys, models):
    limits = ["--max-kl", ".1", "--max-js", ".01"]
    found = release_gate(models["P"], models["Q"], max_kl=0.1, max_js=0.01)
    expected = found.criteria[["value", "high"]].to_numpy().tolist()
    for files in (["P.npy", "Q.npy"], ["P.csv", "Q.csv"]):
        rows = document(capsys, "gate", *files, *limits)["criteria"]
        np.testing.assert_allclose(cut(rows, "value", "high"), expected, rtol=1e-9)
    named = ["gate", "P.csv", "Q.csv", *limits, "--labels", "truth.csv"]
    assert document(capsys, *named)["comparison"]["accuracy_a"] < 0.5
    # infinite: no number in JSON
    Q = models["Q"].copy()
    Q[0] = [0.5, 0.5, 0] if models["P"][0, 2] > 0 else [0, 0.5, 0.5]
    np.save("zero.npy", Q)
    rows = document(capsys, "gate", "P.npy", "zero.npy", "--max-kl", "1", status=3)
    assert cut(rows["criteria"], "value", "outcome") == [[None, "fail"]]


def test_slices_and_groups(folder, capsys, models):
    command = ["gate", "old.csv", "new.csv", "--max-churn", ".04"]
    found = document(capsys, *command, "--slices", "site")
    assert cut(found["criteria"], "slice") == [
        ["all rows"],
        ["site=hill"],
        ["site=lake"],
    ]
    of_file = document(capsys, *command, "--slices", "site.csv")
    assert cut(of_file["criteria"], "value", "high") == cut(
        found["criteria"], "value", "high"
    )
    assert of_file["criteria"][1]["slice"] == "place=hill"
    grouped = document(capsys, *command, "--groups", "site", status=3)
    assert grouped["comparison"]["n_clusters"] == 2
    both = document(capsys, *command, "--slices", "site,target", status=3)
    assert len(both["criteria"]) == 6


def test_logs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, n_right in (("old", 190), ("new", 189)):
        (tmp_path / name).mkdir()
        records = [
            {
                "doc_id": i,
                "doc": {"level": i % 2},
                "target": "4",
                "filter": "none",
                "filtered_resps": ["4" if i < n_right else "5"],
                "resps": [["4"]],
                "metrics": ["exact_match"],
                "exact_match": float(i < n_right),
            }
            for i in range(200)
        ]
        path = tmp_path / name / "samples_sums_2026-11-28T09-15-02.1142.jsonl"
        path.write_text("\n".join(map(json.dumps, records)))
    command = ["gate", "old", "new", "--noninferiority", ".05"]
    found = document(capsys, *command, "--slices", "level", "--task", "sums")
    assert cut(found["criteria"], "n_rows") == [[200], [100], [100]]
    assert (
        found["changed"]
        == [
            {
                "task": "sums",
                "doc_id": 189,
                "filter": "none",
                "change": "worse",
                "old": "4",
                "new": "5",
                "score_old": 1.0,
                "score_new": 0.0,
            }
        ]
        or found["changed"][0]["doc_id"] == 189
    )
    assert main(["predictions", "old", "new", "--margin", "0.05"]) == 0
    assert "a minus b is" in capsys.readouterr().out


def test_what_may_be_left_out(folder, capsys):
    pd.read_csv("new.csv")[:-5].to_csv("fewer.csv", index=False)
    command = ["gate", "old.csv", "fewer.csv", "--max-churn", ".05"]
    assert "5 in a and not in b" in fails(capsys, *command)
    assert document(capsys, *command, "--allow", "unmatched")["n_rows"] == 595


def test_tables_with_options_of_the_door(folder, capsys):
    for name in ("old", "new"):
        table = pd.read_csv(f"{name}.csv").rename(columns={"id": "which"})
        table.to_csv(f"{name}.txt", index=False, sep="|", encoding="utf-16")
    command = ["gate", "old.txt", "new.txt", "--max-churn", ".04"]
    options = ["--index-col", "which", "--sep", "|", "--drop", "site", "--drop", ""]
    found = document(capsys, *command, *options)
    assert found["n_changed"] == 6
    assert fails(capsys, *command, "--index-col", "id").count("--index-col") == 1


# ----- gate: what it writes -----------------------------------------------------------


def test_junit_and_markdown(folder, capsys):
    command = ["gate", "old.csv", "new.csv", "--max-churn", ".012", "--max-rows", "2"]
    assert main([*command, "--junit", "gate.xml", "--markdown"]) == 3
    out = capsys.readouterr().out
    assert out.startswith("### The gate does not pass\n")
    assert "Rows that changed: first 2 of 6" in out
    root = ElementTree.parse("gate.xml").getroot()
    assert root.get("failures") == "1"
    assert root.find(".//failure").get("type") == "cannot say"
    assert main(command) == 3
    assert "(the first 2 of 6)" in capsys.readouterr().out


# ----- gate: configuration ------------------------------------------------------------


def configure(text, name="pyproject.toml"):
    with open(name, "w") as file:
        file.write(f"[tool.other]\nx = 1\n[tool.sksim.gate]\n{text}\n")


def test_configuration_of_the_current_folder(folder, capsys):
    command = ["gate", "old.csv", "new.csv"]
    configure('max_churn = 0.04\nslices = ["site", "target"]\nlabels = "truth.csv"')
    found = document(capsys, *command, status=3)
    assert len(found["criteria"]) == 6
    assert found["comparison"]["accuracy_a"] > 0.9
    # the command line goes before, and adds
    added = ["--max-churn", ".06", "--min-agreement", ".9"]
    found = document(capsys, *command, *added)
    assert {row["limit"] for row in found["criteria"]} == {0.06, 0.9}
    assert len(document(capsys, *command, "--slices", "site")["criteria"]) == 3
    configure("max-churn = 0.04\nconfidence = 0.9\njson = true\nmax_rows = 1")
    assert main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["confidence_level"] == 0.9
    assert len(found["changed"]) == 1
    # also where it says what would be there without it
    assert document(capsys, *command, "--confidence", ".95")["confidence_level"] == 0.95
    configure("max_churn = 0.001", "strict.toml")
    assert main([*command, "--config", "strict.toml"]) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_chrun = 0.1", "knows no 'max_chrun', only allow, "),
        ("config = 'x'", "knows no 'config'"),
        ("max_churn = 2", "pyproject.toml: argument --max-churn: must be a share"),
        ("max_churn = true", "max_churn is no switch"),
        ("max_churn = ", "pyproject.toml is no TOML"),
    ],
)
def test_wrong_configuration(text, message, folder, capsys):
    configure(text)
    argv = ["gate", "old.csv", "new.csv", "--max-kl", "1"]
    assert message in fails(capsys, *argv, status=2)


def test_a_named_configuration_must_be_one(folder, capsys):
    (folder / "other.toml").write_text("[gate]\nmax_churn = 0.1\n")
    argv = ["gate", "old.csv", "new.csv", "--max-churn", ".1", "--config", "other.toml"]
    line = fails(capsys, *argv, status=2)
    assert "other.toml has no table [tool.sksim.gate]" in line


def test_no_configuration_is_needed(folder, capsys):
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert main(["gate", "old.csv", "new.csv", "--max-churn", ".04"]) == 0


# ----- gate: level --------------------------------------------------------------------


def test_a_reader_that_stops_reading_changes_no_outcome(tmp_path):
    """A gate that fails fails in ``sksim gate ... | head -1``, too."""
    np.save(tmp_path / "old.npy", np.zeros(50, dtype=int))
    np.save(tmp_path / "new.npy", np.arange(50) % 2)
    command = [sys.executable, "-m", "sksim", "gate", "old.npy", "new.npy"]
    for limit, status in (("0.1", 3), ("0.9", 0)):
        with subprocess.Popen(
            [*command, "--max-churn", limit, "--junit", "junit.xml"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
        ) as process:
            process.stdout.close()
            assert process.stderr.read() == b""
        assert process.returncode == status
        assert "testsuite" in (tmp_path / "junit.xml").read_text("utf-8")


@pytest.mark.slow
def test_false_passes(tmp_path, monkeypatch, capsys):
    """Of models that change as many rows as the limit says few pass."""
    monkeypatch.chdir(tmp_path)
    n_runs, n, limit = 200, 200, 0.05
    passes = 0
    for seed in range(n_runs):
        changes = np.random.default_rng(seed).random(n) < limit
        np.save("old.npy", np.zeros(n, dtype=int))
        np.save("new.npy", changes.astype(int))
        passes += main(["gate", "old.npy", "new.npy", "--max-churn", str(limit)]) == 0
    assert 0 < passes <= stats.binom.isf(0.001, n_runs, 0.05)


# ----- predictions --------------------------------------------------------------------


def test_predictions_of_files(folder, capsys, models):
    expected = compare_predictions(
        pd.Series(models["old"], index=IDS),
        pd.Series(models["new"], index=IDS),
        models["truth"],
        margin=0.02,
    )
    command = ["predictions", "old.csv", "new.csv", "--margin", "0.02"]
    assert main([*command, "--csv", "out.csv", "--slices", "site"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("a: old.csv, b: new.csv\nOn 600 rows, a is right on")
    assert max(map(len, out.split("\n\n", 1)[1].splitlines())) <= 100
    table = pd.read_csv("out.csv", index_col=0)
    assert list(table.index) == ["all rows", "site=hill", "site=lake"]
    assert table["difference"].iloc[0] == pytest.approx(expected.difference)
    found = document(capsys, *command)
    assert found["sentence"] == expected.sentence()
    assert found["mcnemar_pvalue"] == expected.pvalue
    assert found["files"] == {"a": "old.csv", "b": "new.csv"}
    plain = document(capsys, "predictions", "old.npy", "new.npy")
    assert plain["difference"] is None
    assert plain["agreement"] == expected.agreement


def test_predictions_by_scores(folder, capsys):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": IDS, "f1": rng.random(N)})
    table.to_csv("first.csv", index=False)
    table.assign(f1=table["f1"] - 0.1).to_csv("second.csv", index=False)
    command = ["predictions", "first.csv", "second.csv", "--scores", "f1"]
    assert document(capsys, *command)["difference"] == pytest.approx(0.1)
    np.save("first.npy", table["f1"])
    command = ["predictions", "first.npy", "first.npy", "--scores", "f1"]
    assert document(capsys, *command)["difference"] == 0


def test_warnings_are_one_line(folder, capsys):
    table = pd.DataFrame({"id": IDS, "f1": 0.5})
    table.to_csv("first.csv", index=False)
    table.loc[3, "f1"] = np.nan
    table.to_csv("second.csv", index=False)
    assert main(["predictions", "first.csv", "second.csv", "--scores", "f1"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("sksim: warning: 1 of 600 rows have no score")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "message", "status"),
    [
        (["old.csv", "none.csv"], "none.csv: no such file", 1),
        (["old.csv", "new.csv", "--margin", "0"], "must be a number above 0", 2),
        (["old.csv", "new.csv", "--slices", "no"], "has a column 'no' for slices", 1),
        (["P.npy", "Q.npy"], "pass one answer for each row", 1),
        (["old.csv", "new.csv", "--csv", "no/x.csv"], "there is no folder", 1),
    ],
)
def test_errors_of_predictions(argv, message, status, folder, capsys):
    assert message in fails(capsys, "predictions", *argv, status=status)
