"""``sksim layers`` and ``matrix``, ``measures`` and ``explain``."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sksim import CKA, Disagreement, MutualKNN, all_measures, similarity_matrix
from sksim._cli import main
from sksim._cli._explain import explained
from sksim._cli._main import make_parser
from sksim._reading._archives import names_in
from sksim.discovery import FAMILIES


@pytest.fixture
def networks(tmp_path, monkeypatch):
    """Two networks' layers, also in a.npz and b.npz of the current folder."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    a = {"input": X, "hidden": np.tanh(X @ rng.normal(size=(5, 8)))}
    b = {"first": X[:, ::-1], "last": np.tanh(X @ rng.normal(size=(5, 3)))}
    np.savez("a.npz", **a)
    np.savez("b.npz", **b)
    return a, b


def fails(capsys, *argv, status=1):
    assert main(list(argv)) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("sksim: error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def document(capsys, *argv):
    assert main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out, parse_constant=pytest.fail)


# ----- layers -------------------------------------------------------------------------


def test_all_layers_against_all(networks, capsys):
    expected = similarity_matrix(CKA(debias="rows"), *networks)
    command = ["layers", "a.npz", "b.npz", "--no-progress"]
    assert main([*command, "--csv", "out.csv"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "a.npz: input 60 x 5, hidden 60 x 8\n" in captured.out
    assert "CKA(debias='rows') (greater is more similar)" in captured.out
    assert "its score" in captured.out
    found = pd.read_csv("out.csv", index_col=0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert list(found.index) == ["input", "hidden"]
    assert list(found.columns) == ["first", "last"]
    read = document(capsys, "layers", "a.npz", "b.npz")
    np.testing.assert_allclose(read["scores"], expected, rtol=1e-9)
    assert read["most_similar"] == {"input": "first", "hidden": "first"}
    by_neighbours = document(
        capsys, "layers", "a.npz", "b.npz", "--measure", "mutualknn"
    )
    matrix = similarity_matrix(MutualKNN(), *networks)
    np.testing.assert_allclose(by_neighbours["scores"], matrix)


def test_report_of_layers(networks, capsys):
    command = ["layers", "a.npz", "b.npz", "--output", "out.html"]
    assert main(command) == 0
    assert "Report: out.html" in capsys.readouterr().out
    with open("out.html", encoding="utf-8") as file:
        page = file.read()
    assert "<svg" in page
    assert "sksim layers a.npz b.npz --output out.html" in page


def test_some_layers_and_more_axes(networks, capsys):
    np.savez("deep.npz", **networks[1], deep=np.zeros((60, 4, 2)))
    command = ["layers", "a.npz", "deep.npz"]
    assert "deep has 3 dimensions (60 x 4 x 2): --flatten" in fails(capsys, *command)
    only = document(capsys, "layers", "a.npz", "a.npz", "--layers", "hidden")
    assert (only["rows"], only["columns"]) == (["hidden"], ["hidden"])
    assert "has no array 'none': it has input, hidden" in fails(
        capsys, "layers", "a.npz", "a.npz", "--layers", "none"
    )
    np.savez("deep.npz", deep=np.stack([networks[0]["input"]] * 2, axis=1))
    for option in (["--flatten"], ["--pool", "mean"]):
        found = document(capsys, *command, *option)
        assert found["scores"][0][0] == pytest.approx(1)
    np.save("one.npy", networks[0]["input"])
    found = document(capsys, "layers", "one.npy", "b.npz")
    assert found["rows"] == ["one"]


def test_wide_matrices_are_not_printed(networks, capsys):
    np.savez("many.npz", **{f"layer{i}": networks[0]["input"] for i in range(12)})
    assert main(["layers", "a.npz", "many.npz"]) == 0
    out = capsys.readouterr().out
    assert "2 x 12 scores, written by --csv, --json or --output." in out
    assert max(map(len, out.splitlines()[3:])) <= 100


@pytest.mark.parametrize(
    ("argv", "message", "status"),
    [
        (["a.npz", "c.npz"], "c.npz: no such file; did you mean", 1),
        (["a.npz", "short.npz"], "60", 1),
        (["a.npz", "b.npz", "--measure", "CKAA"], "Did you mean CKA", 1),
        (["a.npz", "b.npz", "--measure", "IoU", "--labels", "no.npy"], "no", 1),
        (["a.npz", "b.npz", "--output", "no/x.html"], "there is no folder", 1),
        (["a.npz"], "required: B", 2),
        (["a.npz", "bad.npz"], "bad.npz: corrupt: not a readable numpy file", 1),
        (["a.npz", "empty.npz"], "empty.npz: it holds no arrays", 1),
    ],
)
def test_errors_of_layers(argv, message, status, networks, capsys):
    np.savez("short.npz", x=np.zeros((59, 2)))
    np.savez("empty.npz")
    with open("bad.npz", "wb") as file:
        file.write(b"PK\x03\x04broken")
    assert message in fails(capsys, "layers", *argv, status=status)


def test_names_in_archives_of_other_programs(networks, capsys):
    h5py = pytest.importorskip("h5py")
    safetensors = pytest.importorskip("safetensors.numpy")
    torch = pytest.importorskip("torch")
    from scipy.io import savemat

    layers = networks[0]
    savemat("a.mat", layers)
    with h5py.File("a.h5", "w") as file:
        for name, X in layers.items():
            file[f"net/{name}"] = X
    safetensors.save_file(layers, "a.safetensors")
    torch.save({"net": {k: torch.tensor(X) for k, X in layers.items()}}, "a.pt")
    assert sorted(names_in("a.h5")) == ["net/hidden", "net/input"]
    assert sorted(names_in("a.pt")) == ["net.hidden", "net.input"]
    assert sorted(names_in("a.mat")) == ["hidden", "input"]
    expected = similarity_matrix(CKA(debias="rows"), *networks).loc["hidden"]
    for ending in ("mat", "h5", "safetensors", "pt"):
        found = document(capsys, "layers", f"a.{ending}", "b.npz")
        (row,) = [i for i, name in enumerate(found["rows"]) if "hidden" in name]
        np.testing.assert_allclose(found["scores"][row], expected, rtol=1e-9)
        (path,) = [f"bad.{ending}"]
        with open(path, "w") as file:
            file.write("this is none")
        assert path in fails(capsys, "layers", path, "b.npz")


# ----- matrix -------------------------------------------------------------------------


@pytest.fixture
def files(networks):
    X = networks[0]["input"]
    rng = np.random.default_rng(1)
    layers = {f"m{i}": X + i * rng.normal(size=X.shape) / 3 for i in range(4)}
    for name, Y in layers.items():
        np.save(f"{name}.npy", Y)
    return layers


def test_matrix_of_files(files, capsys):
    expected = similarity_matrix(CKA(debias="rows"), files)
    paths = [f"{name}.npy" for name in files]
    assert main(["matrix", *paths, "--csv", "out.csv"]) == 0
    assert "4 files of 60 rows" in capsys.readouterr().out
    found = pd.read_csv("out.csv", index_col=0)
    assert list(found.index) == list(found.columns) == list(files)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    read = document(capsys, "matrix", *paths, "--map")
    assert 0 < read["map"]["share"] <= 1
    points = np.array([read["map"]["coordinates"][name] for name in files])
    gaps = np.linalg.norm(points[0] - points[1:], axis=1)
    assert list(np.argsort(gaps)) == [0, 1, 2]
    assert main(["matrix", *paths, "--map"]) == 0
    assert "of the squared distances" in capsys.readouterr().out


def test_report_of_a_map(files, capsys):
    pytest.importorskip("matplotlib")
    paths = [f"{name}.npy" for name in files]
    assert main(["matrix", *paths, "--map", "--output", "out.html"]) == 0
    with open("out.html", encoding="utf-8") as file:
        page = file.read()
    assert "data:image/png" in page
    assert "<svg" in page
    assert "Coordinates on the map" in page


def test_matrix_of_labels(networks, capsys):
    rng = np.random.default_rng(0)
    labels = {f"y{i}": rng.choice(["cat", "dog"], 50) for i in range(3)}
    for name, y in labels.items():
        np.save(f"{name}.npy", y)
    found = document(capsys, "matrix", "y0.npy", "y1.npy", "y2.npy")
    expected = similarity_matrix(Disagreement(), labels)
    assert found["measure"] == "Disagreement()"
    np.testing.assert_allclose(found["scores"], expected)


def test_rows_of_files_are_joined(networks, capsys):
    X = pd.DataFrame(networks[0]["input"], index=[f"r{i}" for i in range(60)])
    X = X.add_prefix("f")
    X.to_csv("x.csv")
    X[::-1].to_csv("y.csv")
    X[5:].to_csv("z.csv")
    command = ["matrix", "x.csv", "y.csv", "z.csv"]
    assert "--join puts both in one order" in fails(capsys, *command)
    assert main([*command, "--join"]) == 0
    out = capsys.readouterr().out
    assert "3 files of 55 rows, joined by names; 10 rows fell out" in out
    found = document(capsys, *command, "--join")
    np.testing.assert_allclose(found["scores"], np.ones((3, 3)))
    np.save("plain.npy", networks[0]["input"])
    line = fails(capsys, *command, "plain.npy", "--join")
    assert "plain.npy has no names of rows to --join by" in line


def test_keys_and_names_of_files(networks, capsys, tmp_path):
    (tmp_path / "other").mkdir()
    np.savez("other/a.npz", **networks[0])
    command = ["matrix", "a.npz", "other/a.npz", "b.npz"]
    assert "choose one with --key" in fails(capsys, *command)
    keys = ["--key", "input", "--key", "hidden", "--key", "first"]
    found = document(capsys, *command, *keys)
    assert found["rows"] == ["a.npz", "other/a.npz", "b.npz"]
    assert found["scores"][0][2] == pytest.approx(1)
    assert document(capsys, *command[:3], "--key", "input")["scores"][0][1] == (
        pytest.approx(1)
    )
    line = fails(capsys, "matrix", "a.npz", "a.npz", "--key", "input", status=2)
    assert "a.npz is given twice" in line


def test_errors_of_matrix(files, capsys):
    assert "takes two files or more" in fails(capsys, "matrix", "m0.npy", status=2)
    line = fails(capsys, "matrix", "m0.npy", "m1.npy", "--map", status=2)
    assert "takes three files or more, got 2" in line
    line = fails(capsys, "matrix", "m0.npy", "m9.npy")
    assert "m9.npy: no such file" in line
    assert "IoU" in fails(capsys, "matrix", "m0.npy", "m1.npy", "--measure", "IoU")


# ----- measures and explain -----------------------------------------------------------


def test_list_of_measures(capsys):
    found = document(capsys, "measures")
    assert sorted(row["measure"] for row in found) == [n for n, _ in all_measures()]
    assert {row["family"] for row in found} == set(FAMILIES)
    assert all(row["summary"] and row["compares"] for row in found)
    cca = document(capsys, "measures", "--family", "cca")
    assert [row["measure"] for row in cca] == [
        name for name, _ in all_measures(family="cca")
    ]
    assert main(["measures", "--family", "cca,rsm"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("cca:\n  ")
    assert "\nrsm:\n" in out
    assert "Centered kernel alignment." in out
    assert "no family 'ccb': there are cca" in fails(
        capsys, "measures", "--family", "ccb"
    )


def test_explanation(capsys):
    assert main(["explain", "cka"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("CKA (rsm)\n\nCentered kernel alignment.\n")
    for text in (
        "Range: [0, 1].",
        "Direction: similarity",
        "Does not see: rotations and reflections, another scale, a shift of all rows.",
        "Null: row i of one",
        "Use it when: ",
        "Instead take: ",
        "Reference: Kornblith et al. 2019.",
    ):
        assert text in out
    assert max(map(len, out.splitlines())) <= 88
    assert "Did you mean CKA" in fails(capsys, "explain", "CKAA")
    assert "NAME" in fails(capsys, "explain", status=2)
    assert document(capsys, "explain", "MeanCCA")["does not see"] == (
        "any invertible affine map"
    )


@pytest.mark.parametrize(("name", "cls"), all_measures())
def test_every_measure_can_be_explained(name, cls):
    found = explained(cls())
    assert found["use it when"]
    assert found["reference"]
    texts = [*found["description"], *found["see also"]]
    assert texts
    texts += [found[name] for name in ("use it when", "not when", "instead take")]
    assert all("{" not in text for text in texts[-3:])
    assert not any(mark in text for text in texts for mark in (":class:", "``", ":ref"))
    assert (found["does not see"] == "") == (found["compares"][:5] != "repre")


# ----- the guide ----------------------------------------------------------------------


def test_commands_in_the_guide_can_be_given():
    guide = Path(__file__).parents[1] / "doc" / "user_guide" / "command_line.rst"
    text = guide.read_text("utf-8")
    commands = re.findall(r"^ +(?:\$|- run:) sksim (.*?)(?: >>.*)?$", text, re.M)
    assert len(commands) >= 9
    for command in commands:
        make_parser().parse_args(shlex.split(command))
    table = re.findall(r"``sksim (\w+)", text.partition("Of all commands")[0])
    assert {*table, "demo"} == set(make_parser()._subparsers._group_actions[0].choices)
