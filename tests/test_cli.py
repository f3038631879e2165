import io
import json
import os
import pickle
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sksim import _progress
from sksim._cli import _compare, main


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4))
    return X, np.tanh(X @ rng.normal(size=(4, 6)))


@pytest.fixture
def folder(tmp_path, monkeypatch, arrays):
    """Folder with a.npy and b.npy, the current one during the test."""
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", arrays[0])
    np.save("b.npy", arrays[1])
    return tmp_path


def fails(capsys, *argv, status=1):
    """The one line on standard error of a command that fails."""
    assert main(list(argv)) == status
    captured = capsys.readouterr()
    assert captured.err.startswith("sksim: error: ")
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


def cells(output, measure):
    (line,) = [line for line in output.splitlines() if line.startswith(measure + " ")]
    return line.split()


# ----- compare ------------------------------------------------------------------------


def test_compare_prints_the_verdict_and_a_table(folder, capsys, arrays):
    from sksim.rsm import CKA

    assert main(["compare", "a.npy", "b.npy", "--no-progress"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert lines[0] == "a.npy 40 x 4 against b.npy 40 x 6"
    assert lines[2].startswith("Do they represent the inputs alike? ")
    value = CKA(debias="rows").fit(*arrays).statistic_
    assert cells(captured.out, "CKA(debias='rows')")[1] == f"{value:.3f}"
    assert cells(captured.out, "GULP")[2] == "dist."
    assert max(map(len, lines)) <= 100


def test_compare_all_measures(folder, capsys, arrays):
    from sksim.rsm import CKA

    command = ["compare", "a.npy", "b.npy", "--no-progress", "--permutations", "0"]
    assert main([*command, "--all", "--confidence", "0"]) == 0
    out = capsys.readouterr().out
    assert cells(out, "CKA")[1] == f"{CKA().fit(*arrays).statistic_:.3f}"
    assert len(out.splitlines()) > 35


def test_compare_labels_says_which_is_better(folder, capsys):
    truth = np.arange(60) % 3
    worse = np.where(np.arange(60) < 20, (truth + 1) % 3, truth)
    for name, values in (("y", truth), ("old", truth), ("new", worse)):
        np.save(f"{name}.npy", values)
    command = ["compare", "old.npy", "new.npy", "--labels", "y.npy", "--no-progress"]
    assert main([*command, "--margin", "0.05"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Is one better? A: a is right on 100.0% and b on 66.7%" in out
    assert "May b replace a? No: it is worse by 5 points or more" in out
    assert "exact McNemar" in out


def test_compare_writes_json(folder, capsys):
    command = ["compare", "a.npy", "b.npy", "--no-progress", "--permutations", "9"]
    assert main([*command, "--json", "--task", "recordings"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["task"] == "recordings"
    assert found["verdict"].startswith("Do they represent the inputs alike?")
    assert found["n_samples"] == 40


def test_tasks_are_those_of_compare():
    from sksim._cli._compare import TASKS
    from sksim.pairwise import _panels

    assert tuple(task.replace("-", "_") for task in TASKS) == _panels.TASKS


def write(kind, name, array):
    path = f"{name}.{kind}"
    frame = pd.DataFrame(array, columns=[f"c{i}" for i in range(array.shape[1])])
    if kind == "npy":
        np.save(path, array)
    elif kind == "npz":
        np.savez(path, array)
    elif kind == "csv":
        frame.to_csv(path, index=False)
    else:
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("kind", ["npy", "npz", "csv", "parquet"])
def test_all_kinds_of_files_give_the_same(kind, folder, capsys, arrays):
    paths = [write(kind, f"{i}", array) for i, array in enumerate(arrays)]
    expected = None
    for a, b in (("a.npy", "b.npy"), paths):
        assert main(["compare", a, b, "--measures", "CKA", "--csv", "out.csv"]) == 0
        table = pd.read_csv("out.csv").drop(columns="seconds")
        expected = table if expected is None else expected
        pd.testing.assert_frame_equal(table, expected, rtol=1e-12)


def test_csv_without_header(folder, capsys, arrays):
    np.savetxt("plain.csv", arrays[0], delimiter=",")
    assert main(["compare", "plain.csv", "a.npy", "--measures", "CKA"]) == 0
    out = capsys.readouterr().out
    assert "plain.csv 40 x 4" in out
    assert cells(out, "CKA")[1] == "1.000"


def test_keys_of_archives(folder, capsys, arrays):
    np.savez("both.npz", left=arrays[0], right=arrays[1])
    assert "both.npz: it holds 2 arrays (left 40 x 4, right 40 x 6)" in fails(
        capsys, "compare", "both.npz", "both.npz"
    )
    keys = ["--key", "left", "--key", "right"]
    assert main(["compare", "both.npz", "both.npz", *keys, "--measures", "CKA"]) == 0
    assert "40 x 4 against both.npz 40 x 6" in capsys.readouterr().out
    assert "no array 'middle'" in fails(
        capsys, "compare", "both.npz", "a.npy", "--key", "middle"
    )


def test_measures_permutations_seed_and_labels(folder, capsys):
    np.save("labels.npy", np.arange(40) % 3)
    command = ["compare", "a.npy", "b.npy", "--permutations", "19"]
    options = ["--measures", "CKA,MeanCCA", "alignment", "--labels", "labels.npy"]
    assert main([*command, *options, "--csv", "out.csv"]) == 0
    table = pd.read_csv("out.csv")
    assert list(table.measure)[:2] == ["CKA", "MeanCCA"]
    assert "OrthogonalProcrustes" in set(table.measure)
    assert set(table.pvalue) == {1 / 20}
    assert main([*command[:-1], "0", "--measures", "CKA", "--csv", "out.csv"]) == 0
    assert pd.read_csv("out.csv").pvalue.isna().all()


def test_intervals_at_the_level_asked_for(folder, capsys):
    command = ["compare", "a.npy", "b.npy", "--measures", "CKA", "--csv", "out.csv"]
    widths = []
    for level in ("0.5", "0.9"):
        assert main([*command, "--confidence", level]) == 0
        assert "interval" in capsys.readouterr().out
        table = pd.read_csv("out.csv")
        widths.append((table.interval_high - table.interval_low)[0])
    assert widths[0] < widths[1]
    assert main([*command, "--confidence", "0"]) == 0
    assert "interval" not in capsys.readouterr().out
    assert pd.read_csv("out.csv").interval_low.isna().all()


def test_labels_as_arrays(folder, capsys):
    rng = np.random.default_rng(0)
    pd.DataFrame({"label": rng.choice(["cat", "dog"], 30)}).to_csv("c.csv", index=False)
    pd.DataFrame({"label": rng.choice(["cat", "dog"], 30)}).to_csv("d.csv", index=False)
    assert main(["compare", "c.csv", "d.csv"]) == 0
    assert cells(capsys.readouterr().out, "Disagreement")[2] == "dist."


def test_report(folder, capsys):
    command = ["compare", "a.npy", "b.npy", "--measures", "CKA"]
    assert main([*command, "--output", "report.html"]) == 0
    assert "Report: report.html" in capsys.readouterr().out
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "python -m sksim compare a.npy b.npy --measures CKA" in html


def test_names_of_files_are_escaped_in_the_report(folder, capsys, arrays):
    name = "<img src=x onerror=alert(1)>.npy"
    np.save(name, arrays[0])
    assert main(["compare", name, "b.npy", "--measures=CKA", "--output=r.html"]) == 0
    html = (folder / "r.html").read_text(encoding="utf-8")
    assert "<img" not in html
    assert "&lt;img src=x" in html


# ----- errors: one line, a status, no traceback ---------------------------------------


def test_missing_file_names_its_neighbour(folder, capsys):
    line = fails(capsys, "compare", "a.npz", "b.npy")
    assert "a.npz: no such file; did you mean a.npy?" in line
    assert "is a folder" in fails(capsys, "compare", ".", "b.npy")


class Harmful:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def test_pickles_are_never_loaded(folder, capsys):
    np.save("objects.npy", np.array([Harmful()], dtype=object), allow_pickle=True)
    np.savez("objects.npz", x=np.array([Harmful()], dtype=object), allow_pickle=True)
    (folder / "raw.npy").write_bytes(pickle.dumps(Harmful()))
    for name in ("objects.npy", "raw.npy"):
        assert "pickled Python objects" in fails(capsys, "compare", name, "b.npy")
    line = fails(capsys, "compare", "objects.npz", "b.npy", "--key", "x")
    assert "pickled Python objects" in line
    assert not (folder / "harm").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.npy", b"", "not a readable numpy file"),
        ("x.npy", b"\x93NUMPY\x01\x00", "not a readable numpy file"),
        ("x.npz", b"PK\x03\x04broken", "not a readable numpy file"),
        ("x.csv", b"", "not a readable table"),
        ("x.csv", b"a,b\n1,2\n1,2,3\n", "not a readable table"),
        ("x.csv", b"\xff\xfe\x00\x01", "not a readable table"),
        ("x.csv", b"a,b\n", "the table has no rows"),
        ("x.csv", b"a,b\n1,x\n2,y\n", "the columns b hold text"),
        ("x.csv", b"id\n1\n5\n", "looks like the names of its rows"),
        ("x.pkl", b"1", "files that end in .pkl can't be read"),
        ("x", b"1", "files that end in nothing can't be read"),
    ],
)
def test_unreadable_files(name, content, message, folder, capsys):
    (folder / name).write_bytes(content)
    assert message in fails(capsys, "compare", name, "b.npy")


def test_unreadable_parquet(folder, capsys):
    pytest.importorskip("pyarrow")
    (folder / "x.parquet").write_bytes(b"PAR1 is not enough")
    assert "not a readable parquet file" in fails(
        capsys, "compare", "x.parquet", "b.npy"
    )


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((39, 4)), "a has 40 rows and b has 39"),
        (np.float64(3), "single value"),
        (np.zeros((40, 2, 2)), "3 dimensions"),
        (np.full((40, 2), np.nan), "NaN"),
        (np.full((40, 2), "1"), "text"),
        (np.zeros((40, 2), dtype=complex), "omplex"),
    ],
)
def test_wrong_arrays(array, message, folder, capsys):
    np.save("wrong.npy", array)
    line = fails(capsys, "compare", "a.npy", "wrong.npy", "--measures", "CKA")
    assert message in line


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((40, 2), np.inf), "infinite values"),
        (np.zeros((1, 4)), "row"),
        (np.zeros((0, 4)), "row"),
    ],
)
def test_nothing_is_computed_where_nothing_can_be(array, message, folder, capsys):
    np.save("wrong.npy", array)
    line = fails(capsys, "compare", "a.npy", "wrong.npy")
    assert message in line
    np.save("alike.npy", array)
    assert message.split()[-1] in fails(capsys, "compare", "alike.npy", "wrong.npy")


def named(array, names):
    return pd.DataFrame(array, index=names).add_prefix("f")


def test_rows_with_other_names_are_refused_or_joined(folder, capsys, arrays):
    X, _ = arrays
    names = [f"img{i}" for i in range(40)]
    order = np.random.default_rng(0).permutation(40)
    named(X, names).to_csv("a.csv")
    named(X, names).iloc[order].to_csv("b.csv", sep=";", decimal=",")
    command = ["compare", "a.csv", "b.csv", "--measures", "CKA", "--permutations", "0"]
    line = fails(capsys, *command)
    assert "--join" in line
    assert "'img0'" in line
    assert main([*command, "--join"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("a.csv 40 x 4 against b.csv 40 x 4, joined by names\n")
    assert cells(out, "CKA")[1] == "1.000"
    # names on one side only: by position
    assert main(["compare", "a.csv", "a.npy", "--measures", "CKA"]) == 0
    assert cells(capsys.readouterr().out, "CKA")[1] == "1.000"
    assert "no names of rows" in fails(capsys, *command[:2], "a.npy", "--join")


def test_a_count_is_a_name_where_both_files_have_one(folder, capsys, arrays):
    X, _ = arrays
    named(X, None).to_csv("a.csv")
    named(X, None).sample(frac=1, random_state=0).to_csv("b.csv")
    command = ["compare", "a.csv", "b.csv", "--measures", "CKA"]
    assert "--join" in fails(capsys, *command)
    assert main([*command, "--join"]) == 0
    assert cells(capsys.readouterr().out, "CKA")[1] == "1.000"


def test_join_takes_labels_along_and_counts_what_falls_out(folder, capsys, arrays):
    X, _ = arrays
    names = pd.Index([f"img{i}" for i in range(40)], name="id")
    named(X, names).to_csv("a.csv")
    named(X, names)[::-1][:35].to_csv("b.csv")
    labels = pd.Series(np.arange(40) % 2, index=names, name="label")
    labels.sample(frac=1, random_state=0).to_csv("named.csv")
    labels.to_csv("plain.csv", index=False)
    command = ["compare", "a.csv", "b.csv", "--join", "--measures", "CKA", "--labels"]
    for name in ("named.csv", "plain.csv"):
        assert main([*command, name]) == 0
        out = capsys.readouterr().out
        assert "35 x 4, joined by names; 5 and 0 rows had no partner" in out
        assert cells(out, "CKA")[1] == "1.000"


def test_how_files_are_read_is_said_once_or_for_each(folder, capsys):
    rows = np.random.default_rng(0).normal(size=(20, 3)).round(3)
    np.savetxt("a.txt", rows)
    pd.DataFrame(rows, columns=[1, 2, 3]).to_csv("b.csv", index=False)
    (folder / "y.csv").write_text("animal\n" + "cat\ndog\n" * 10)
    command = ["compare", "a.txt", "b.csv", "--measures", "CKA", "--permutations", "0"]
    assert "--header" in fails(capsys, *command)
    assert main([*command, "--no-header", "--header"]) == 0
    assert cells(capsys.readouterr().out, "CKA")[1] == "1.000"
    flags = ["--no-header", "--header", "--header"]
    assert "--header" in fails(capsys, *command, *flags[:2], "--labels", "y.csv")
    assert main([*command, *flags, "--labels", "y.csv"]) == 0
    assert "20 x 3" in capsys.readouterr().out
    assert main([*command, *flags, "--columns", "0", "1", "--columns", "1,2"]) == 0
    assert "20 x 2 against b.csv 20 x 2" in capsys.readouterr().out
    line = fails(capsys, *command, *["--sep", ","] * 5, status=2)
    assert "four times at most" in line


def test_more_axes(folder, capsys, arrays):
    np.save("deep.npy", np.stack([arrays[0], arrays[0]], axis=1))
    command = ["compare", "a.npy", "deep.npy", "--measures", "CKA"]
    line = fails(capsys, *command)
    assert "--flatten" in line
    assert "--pool mean" in line
    for option, width in ((["--flatten"], 8), (["--pool", "mean"], 4)):
        assert main([*command, *option]) == 0
        out = capsys.readouterr().out
        assert f"deep.npy 40 x {width}" in out
        assert cells(out, "CKA")[1] == "1.000"


@pytest.mark.parametrize(
    ("options", "message", "status"),
    [
        (["--measures", "CKAA"], "Did you mean CKA", 1),
        (["--measures", "Disagreement"], "compares labels", 1),
        (["--permutations", "-3"], "must be a number from 0 on", 2),
        (["--permutations", "many"], "must be a number from 0 on", 2),
        (["--confidence", "95"], "0 to below 1, such as 0.95", 2),
        (["--labels", "b.npy"], "one value for each row", 1),
        (["--output", "nowhere/r.html"], "there is no folder", 1),
        (["--output", "."], "it is a folder", 1),
        (["--nonsense"], "unrecognized arguments", 2),
        (["--key", "a", "--key", "b", "--key", "c"], "twice at most", 2),
    ],
)
def test_wrong_options(options, message, status, folder, capsys):
    line = fails(capsys, "compare", "a.npy", "b.npy", *options, status=status)
    assert message in line


def test_no_command(capsys):
    fails(capsys, status=2)
    assert "invalid choice" in fails(capsys, "compute", status=2)
    fails(capsys, "compare", "a.npy", status=2)


def test_interruption_and_unexpected_errors(folder, capsys, monkeypatch):
    def interrupted(arguments):
        raise KeyboardInterrupt

    def broken(arguments):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(_compare, "run", interrupted)
    assert "interrupted" in fails(capsys, "compare", "a", "b", status=130)
    monkeypatch.setattr(_compare, "run", broken)
    line = fails(capsys, "compare", "a", "b")
    assert "RuntimeError: first line second line" in line


def test_progress_only_where_it_is_wanted(folder, capsys, monkeypatch):
    command = ["compare", "a.npy", "b.npy", "--measures", "CKA"]
    # on no terminal in lines, of which a quick command has none, whatever the load
    monkeypatch.setattr(_progress._Log, "seconds", 600.0)
    assert main(command) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(_progress._Log, "seconds", 0.0)
    assert main([*command, "--progress"]) == 0
    assert re.fullmatch(r"measures: 1 of 1, CKA \(\d+ s\)\n", capsys.readouterr().err)
    assert main([*command, "--no-progress"]) == 0
    assert capsys.readouterr().err == ""

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for options, expected in (([], True), (["--no-progress"], False)):
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        assert main([*command, *options]) == 0
        assert ("measures [" in terminal.getvalue()) is expected


def test_version_and_help(capsys):
    from sksim import __version__

    for options, text in (
        (["--version"], __version__),
        (["--help"], "compare two files"),
        (["demo", "--help"], "--quick"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(options)
        assert stop.value.code == 0
        assert text in capsys.readouterr().out


def test_script(monkeypatch, capsys):
    """What pip makes of pyproject.toml, and the name that messages go by."""
    path = Path(__file__).parents[1] / "pyproject.toml"
    scripts = tomllib.loads(path.read_text("utf-8"))["project"]["scripts"]
    assert pkgutil.resolve_name(scripts["sksim"]) is main
    monkeypatch.setattr(sys, "argv", ["/usr/bin/sksim", "gate"])
    assert "(see sksim gate --help)" in fails(capsys, "gate", status=2)
    monkeypatch.setattr(sys, "argv", ["sksim/__main__.py"])
    assert "(see python -m sksim gate --help)" in fails(capsys, "gate", status=2)


# ----- demo ---------------------------------------------------------------------------


def test_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["demo", "--quick", "--permutations", "9", "--no-progress"]
    assert main(command) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    lines = captured.out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[2].startswith("Do they represent the inputs alike? ")
    for name in ("CKA(debias='rows')", "Disagreement", "random forest"):
        assert any(line.startswith(name + " ") for line in lines)
    assert "sksim-report.html" in lines[-1]
    html = (tmp_path / "sksim-report.html").read_text(encoding="utf-8")
    assert "Do they represent the inputs alike?" in html
    assert html.count("<figure") >= 3
    assert not re.search(r"(src|href)=.?(http|//)", html)


def test_as_a_process(folder):
    """Real processes: statuses, no traceback, a reader that stops reading."""
    command = [sys.executable, "-m", "sksim", "compare", "a.npy"]
    done = subprocess.run([*command, "missing.npy"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("sksim: error: missing.npy: no such file")
    assert done.stderr.count("\n") == 1
    with subprocess.Popen(
        [*command, "b.npy", "--measures", "CKA", "--no-progress", "--csv", "t.csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert list(pd.read_csv("t.csv")["measure"]) == ["CKA"]  # files are written first
