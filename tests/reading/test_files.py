"""Arrays from files: the array that was written, or a refusal that names an option."""

import gzip
import os
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sksim.datasets import read_array


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read_text(text, name="a.csv", encoding="utf-8", **options):
    with open(name, "w", encoding=encoding, newline="") as stream:
        stream.write(text)
    return read_array(name, **options)


def refused(text, *words, **options):
    with pytest.raises(ValueError) as error:
        read_text(text, **options)
    for word in words:
        assert word in str(error.value)


# ----- generated files ----------------------------------------------------------------

LABELS = [["cat", "dog", "horse"], ["NA", "None", "nan", "True"], ["été", "Zürich"]]


@st.composite
def tables(draw):
    """A table, how it is written, and whether its rows have names."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, width = (
        draw(st.sampled_from([2, 3, 5, 12, 40])),
        draw(st.sampled_from([1, 2, 8])),
    )
    content = draw(
        st.sampled_from(["normal", "rounded", "huge", "tiny", "counts", "labels"])
    )
    if content == "labels":
        classes = draw(st.sampled_from(LABELS))
        table = pd.DataFrame(rng.choice(classes, size=(n, 1)).astype(object))
    elif content == "counts":
        table = pd.DataFrame(rng.integers(0, 1000, size=(n, 8)))
    else:
        digits = draw(st.integers(1, 3))
        scale = {"huge": 1e20, "tiny": 1e-12}.get(content, 1.0)
        values = rng.normal(size=(n, width)) * scale
        table = pd.DataFrame(values.round(digits) if content == "rounded" else values)
    width = table.shape[1]
    missing = ""
    if content in ("normal", "rounded") and draw(st.booleans()):
        table = table.mask(rng.random(table.shape) < 0.1)
        missing = draw(st.sampled_from(["", "NA", "nan", "NULL", "-", "?", "missing"]))
    header = draw(st.sampled_from(["count", "words", "family", "from 1", "none"]))
    table.columns = {
        "words": [f"feature_{c}" for c in "abcdefgh"[:width]],
        "family": [f"x{i}" for i in range(width)],
        "from 1": range(1, width + 1),
    }.get(header, range(width))
    names = draw(
        st.sampled_from(["no", "count", "whole", "text", "id", "name", "other"])
    )
    if names in ("text", "name"):
        table.index = [f"row{i}" for i in rng.permutation(n)]
    elif names != "no" and names != "count":
        table.index = rng.permutation(1000)[:n]
    table.index.name = {"id": "ID", "name": "name", "other": "sample"}.get(names)
    sep, decimal = draw(
        st.sampled_from([",.", ";.", ";,", "\t.", "\t,", "|.", " ."]).map(tuple)
    )
    options = {
        "sep": sep,
        "decimal": decimal,
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])),
        "quoting": draw(st.sampled_from([0, 0, 1, 2])),
        "lineterminator": draw(st.sampled_from(["\n", "\r\n"])),
        "header": header != "none",
        "index": names != "no",
        "na_rep": missing,
    }
    name = "a" + draw(st.sampled_from([".csv", ".tsv", ".txt", ".csv.gz"]))
    return table, options, name, names not in ("no", "count")


@settings(
    max_examples=int(os.environ.get("SKSIM_FILE_EXAMPLES", 300)),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(tables())
def test_what_was_written_or_a_refusal_with_an_option(case):
    table, options, name, has_names = case
    # a column of nothing but NA is one of classes
    assume(not table.isna().all().any())
    table.to_csv(name, **options)
    expected = table.to_numpy()
    expected = expected[:, 0] if table.shape[1] == 1 else expected
    try:
        found = read_array(name)
    except ValueError as error:
        assert " --" in str(error)
        return
    np.testing.assert_array_equal(np.asarray(found, expected.dtype), expected)
    assert np.shape(found) == expected.shape
    if has_names:
        assert list(map(str, found.index)) == list(map(str, table.index))


def test_many_of_them_are_read():
    """What pandas writes by default is never in doubt."""
    rng = np.random.default_rng(0)
    for n, width in ((3, 2), (50, 1), (50, 7), (200, 64)):
        X = rng.normal(size=(n, width))
        expected = X[:, 0] if width == 1 else X
        for table in (
            pd.DataFrame(X),
            pd.DataFrame(X).add_prefix("f"),
            pd.DataFrame(X, index=[f"img{i}" for i in range(n)]),
            pd.DataFrame(X, index=rng.permutation(1000)[:n]),
        ):
            for index in (True, False):
                table.to_csv("a.csv", index=index)
                np.testing.assert_array_equal(read_array("a.csv"), expected)
        np.savetxt("a.txt", X)
        np.testing.assert_array_equal(read_array("a.txt"), expected)


# ----- dialects -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1.5,2\n3,4.25\n",
        "a;b\n1,5;2\n3;4,25\n",
        "a\tb\r\n1.5\t2\r\n3\t4.25\r\n",
        "a|b\n1.5|2\n3|4.25",
        "a b\n1.5   2\n  3 4.25 \n",
        "sep=;\na;b\n1.5;2\n3;4.25\n",
        "# a b\n1.5 2\n3 4.25\n",
        "# made by hand\n# a,b\n1.5,2\n3,4.25\n",
        "\n\na,b\n1.5,2\n\n3,4.25\n\n",
        '"a","b"\n"1.5","2"\n"3","4.25"\n',
        "'a';'b'\n'1,5';'2'\n'3';'4,25'\n",
        '"a","b"\n"1,5","2"\n"3","4,25"\n',
        "a,b,\n1.5,2,\n3,4.25,\n",
        "1,2\n1.5,2\n3,4.25\n".replace("1,2", "0,1", 1),
        ",a,b\n0,1.5,2\n1,3,4.25\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_dialects(text, encoding):
    found = read_text(text, encoding=encoding)
    np.testing.assert_array_equal(found, [[1.5, 2], [3, 4.25]])


def test_row_names_of_r():
    """write.table leaves the header one cell short."""
    found = read_text('"a" "b"\n"x" 1.5 2\n"y" 3 4.25\n', "a.txt")
    assert list(found.index) == ["x", "y"]
    assert list(found.columns) == ["a", "b"]
    np.testing.assert_array_equal(found, [[1.5, 2], [3, 4.25]])


@pytest.mark.parametrize(
    ("text", "option", "decisions"),
    [
        ("1,2,3\n0.5,1.5,2.5\n", "--header", {"header": True}),
        ("4;8\n5;7\n4;3\n", "--no-header", {"header": False, "index_col": "none"}),
        ("animal\ndog\nhorse\ndog\n", "--header", {"header": True}),
        ("1,5\n2,5\n", "--sep", {"sep": ";", "decimal": ","}),
        ("1,5\n2,5\n", "--decimal", {"sep": ",", "header": False, "index_col": "none"}),
        ("a;b\n1,234;5,678\n", "--decimal", {"decimal": ","}),
        ("a;b\n1,5;2.5\n", "--decimal", {"decimal": ".", "drop": "a"}),
        ("new york\nlos angeles\n", "--sep", {"sep": ","}),
        ("a,b\n1,0.5\n2,0.5\n7,1.5\n", "--index-col", {"index_col": "a"}),
        ("a,b\n1,0.5\n2,0.5\n7,1.5\n", "--drop", {"drop": ["a"]}),
        ("a,kind\n0.5,x\n1.5,y\n", "--columns", {"columns": ["a"]}),
        ("a,b\n0.5,?\n1.5,2\n0.5,3\n1,2.5\n", "--na", {"na": ["?"]}),
        ("label\n0\nNA\n1\n0\n", "--na", {"na": ["NA"]}),
        (
            "id,name,a\n1,x,0.5\n2,y,1.5\n",
            "--index-col",
            {"index_col": "id", "drop": "name"},
        ),
        ("id\n1\n2\n", "--columns", {"columns": ["id"]}),
    ],
)
def test_doubt_names_the_option_that_decides(text, option, decisions):
    refused(text, option)
    if "sep" in decisions and decisions["sep"] == "," and "new" in text:
        decisions = {**decisions, "header": False}
    assert len(read_text(text, **decisions)) in (1, 2, 3, 4)


def test_what_is_said_is_done():
    text = "1;2\n3;4\n5;6\n"
    assert read_text(text, header=True).shape == (2, 2)
    assert read_text(text, header=False, index_col="none").shape == (3, 2)
    assert list(read_text(text, header=False, index_col="1").index) == [2, 4, 6]
    np.testing.assert_array_equal(read_text("a,b\n1.5,2\n", columns=["b"]), [2])
    np.testing.assert_array_equal(
        read_text("a,b\n-999,2.5\n1,-999\n", na=["-999"]), [[np.nan, 2.5], [1, np.nan]]
    )
    refused("a,b\n1.5,2\n", "no column called 'c'", "a, b", columns=["c"])
    refused("a,b\n1.5,2\n", "one character", sep="::")
    with pytest.raises(ValueError, match="unknown encoding"):
        read_array("a.csv", encoding="utf-99")


def test_encodings():
    (text,) = [read_text("label\ncafé\nthé\ncafé\n", encoding="cp1252")]
    assert list(text) == ["café", "thé", "café"]
    refused("label\nкот\nпёс\nкот\n", "--encoding", encoding="cp1251")
    assert list(read_array("a.csv", encoding="cp1251")) == ["кот", "пёс", "кот"]


# ----- names of rows ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["id", "Index", "idx", "row", "KEY", "name", ""])
@pytest.mark.parametrize("values", [["x", "y", "z"], [7, 3, 5]])
def test_named_ids_are_no_features(name, values):
    table = pd.DataFrame({"a": [0.5, 1.5, 2], "b": [1, 0, 1]}, index=values)
    table.to_csv("a.csv", index_label=name, header=True)
    found = read_array("a.csv")
    assert list(found.index) == values
    np.testing.assert_array_equal(found, table)


def test_whole_numbers_that_all_differ_name_rows():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(30, 3)).round(2), columns=list("abc"))
    table.insert(0, "sample", rng.permutation(1000)[:30])
    table.to_csv("a.csv", index=False)
    found = read_array("a.csv")
    assert list(found.index) == list(table["sample"])
    assert found.shape == (30, 3)
    table[["a", "sample", "b"]].to_csv("a.csv", index=False)
    with pytest.raises(ValueError, match=r"'sample'.*--index-col sample"):
        read_array("a.csv")
    # features of one name stay features, and a matrix of counts is one
    counts = pd.DataFrame(rng.integers(0, 10**6, size=(30, 3))).add_prefix("gene")
    counts.to_csv("a.csv", index=False)
    np.testing.assert_array_equal(read_array("a.csv"), counts)


def test_ids_keep_their_digits():
    found = read_text("id,a\n007,0.5\n7,1.5\n")
    assert list(found.index) == ["007", "7"]
    long = "123456789012345678901"
    assert read_text(f"id,a\n{long},0.5\n{long[:-1]}2,1.5\n").index.is_unique


def test_count_beside_ids():
    found = read_text(",id,a\n0,x,0.5\n1,y,1.5\n")
    assert list(found.index) == ["x", "y"]
    np.testing.assert_array_equal(found, [0.5, 1.5])


def test_names_of_columns_are_kept():
    found = read_text("dog,cat\n0.5,0.5\n0.25,0.75\n")
    assert list(found.columns) == ["dog", "cat"]


# ----- labels -------------------------------------------------------------------------


def test_classes_are_text():
    words = ["NA", "None", "nan", "True", "null", "1e5", "NA"]
    assert list(read_text("label\n" + "\n".join(words))) == words
    assert list(read_text("True\nFalse\ntrue\nTrue\n")) == [
        "True",
        "False",
        "true",
        "True",
    ]
    assert list(read_text("cat\ndog\ncat\n")) == ["cat", "dog", "cat"]
    assert list(read_text("cat\ndog\ndog\n")) == ["cat", "dog", "dog"]
    assert list(read_text("label\ndog\ndog\n")) == ["dog", "dog"]
    assert list(read_text("0\n0\n1\n1\n0\n")) == [0, 1, 1, 0]
    assert list(read_text("2\n0\n1\n\n\n")) == [2, 0, 1]
    assert list(read_text("id,label\nx,cat\ny,dog\n")) == ["cat", "dog"]


def test_missing_values_of_a_column_are_kept_in_place():
    text = "0.5\nNULL\n1.5\n" * 4
    np.testing.assert_array_equal(read_text(text), [0.5, np.nan, 1.5] * 4)


# ----- other formats ------------------------------------------------------------------


def written(kind, array):
    """Name of a file of some kind with an array in it."""
    name = f"a.{kind}"
    table = pd.DataFrame(array).add_prefix("x")
    if kind == "npy":
        np.save(name, array)
    elif kind == "npz":
        np.savez(name, first=array)
    elif kind == "parquet":
        table.to_parquet(name)
    elif kind == "feather":
        table.to_feather(name)
    elif kind == "mat":
        pytest.importorskip("scipy.io").savemat(name, {"first": array})
    elif kind == "h5":
        with pytest.importorskip("h5py").File(name, "w") as file:
            file["group/first"] = array
    elif kind == "safetensors":
        pytest.importorskip("safetensors.numpy").save_file({"first": array}, name)
    elif kind == "pt":
        torch = pytest.importorskip("torch")
        torch.save({"layers": {"first": torch.tensor(array)}}, name)
    return name


KINDS = ["npy", "npz", "parquet", "feather", "mat", "h5", "safetensors", "pt"]


@pytest.mark.parametrize("kind", KINDS)
def test_formats(kind):
    X = np.random.default_rng(0).normal(size=(20, 3))
    np.testing.assert_array_equal(read_array(written(kind, X)), X)


@pytest.mark.parametrize(
    "kind", ["parquet", "feather", "h5", "safetensors", "npz", "mat", "pt"]
)
def test_corrupt_files_are_called_so(kind, folder):
    X = np.random.default_rng(0).normal(size=(20, 3))
    path = folder / written(kind, X)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="corrupt"):
        read_array(path)


def test_corrupt_text(folder):
    refused("a,b\n1.5,2\n3,4\n5\n6,7\n8,9\n", "corrupt or cut off", "1 in row 4")
    many = "1.5,2.5\n" * 1000
    refused(f"a,b\n{many}5\n", "corrupt, or cut off: line 1002")
    content = gzip.compress(b"a,b\n" + b"1.5,2.5\n" * 10**4)
    (folder / "b.csv.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="corrupt"):
        read_array("b.csv.gz")
    (folder / "c.csv").write_bytes(bytes(range(256)) * 40)
    with pytest.raises(ValueError, match="corrupt"):
        read_array("c.csv")


def test_several_arrays_are_listed_with_their_shapes():
    h5py, torch = pytest.importorskip("h5py"), pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.numpy").save_file
    savemat = pytest.importorskip("scipy.io").savemat
    arrays = {"first": np.ones((4, 2)), "second": np.zeros((4, 3))}
    np.savez("a.npz", **arrays)
    save_file(arrays, "a.safetensors")
    savemat("a.mat", arrays)
    torch.save({k: torch.tensor(v) for k, v in arrays.items()}, "a.pt")
    with h5py.File("a.h5", "w") as file:
        for key, value in arrays.items():
            file[key] = value
    for name in ("a.npz", "a.safetensors", "a.mat", "a.pt", "a.h5"):
        with pytest.raises(ValueError, match=r"first 4 x 2, second 4 x 3.*--key"):
            read_array(name)
        np.testing.assert_array_equal(read_array(name, key="second"), arrays["second"])
        with pytest.raises(ValueError, match=r"no array 'third', only first 4 x 2"):
            read_array(name, key="third")


def test_matlab_73_is_transposed():
    h5py = pytest.importorskip("h5py")
    X = np.arange(6.0).reshape(3, 2)
    with h5py.File("a.mat", "w", userblock_size=512) as file:
        file["X"] = X.T
        file["X"].attrs["MATLAB_class"] = np.bytes_("double")
    with open("a.mat", "r+b") as stream:
        head = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
        stream.write(head)
    np.testing.assert_array_equal(read_array("a.mat"), X)


def test_text_of_matlab():
    savemat = pytest.importorskip("scipy.io").savemat
    savemat("a.mat", {"y": np.array(["cat", "horse"], dtype=object)})
    assert list(read_array("a.mat")) == ["cat", "horse"]
    savemat("a.mat", {"y": {"a": 1.0}})
    with pytest.raises(ValueError, match="structure"):
        read_array("a.mat")


def test_numbers_of_16_bits():
    torch = pytest.importorskip("torch")
    save_file = pytest.importorskip("safetensors.torch").save_file
    X = torch.tensor([[1.5, -2.25], [0.0, 3e38]]).bfloat16()
    save_file({"x": X}, "a.safetensors")
    torch.save(X.requires_grad_(), "a.pt")
    for name in ("a.safetensors", "a.pt"):
        found = read_array(name)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, X.detach().float().numpy())


def test_tensors_are_read_without_their_pickles():
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 2), "a.pt")
    with pytest.raises(ValueError, match="pickled Python objects, which are never"):
        read_array("a.pt")


@pytest.mark.filterwarnings("ignore:Sparse")
def test_sparse_tensors_with_places_outside_are_refused():
    """Made dense as they are, they would show what else is in memory."""
    torch = pytest.importorskip("torch")
    rows, columns, values = torch.tensor([0, 1, 3]), torch.tensor([0, 1, 7]), [1.0] * 3
    wrong = torch.sparse_csr_tensor(
        rows, columns, torch.tensor(values), size=(2, 3), check_invariants=False
    )
    torch.save(wrong, "a.pt")
    with pytest.raises(ValueError, match="corrupt"):
        read_array("a.pt")
    columns[-1] = 2
    torch.save(torch.sparse_csr_tensor(rows, columns, torch.tensor(values)), "a.pt")
    np.testing.assert_array_equal(read_array("a.pt"), [[1, 0, 0], [0, 1, 1]])


@pytest.mark.parametrize("version", ["2.9.1+cpu", "1.13.1"])
def test_an_unsafe_torch_reads_nothing(version, monkeypatch):
    torch = pytest.importorskip("torch")
    torch.save(torch.zeros(2, 2), "a.pt")
    assert read_array("a.pt").shape == (2, 2)
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(ValueError, match=f"2.10 or newer.*{version[:5]}.*safetensors"):
        read_array("a.pt")


def test_index_of_parquet_names_rows():
    table = pd.DataFrame({"a": [0.5, 1.5]}, index=[7, 3])
    table.to_parquet("a.parquet")
    assert list(read_array("a.parquet").index) == [7, 3]
    pd.DataFrame({"id": ["x", "y"], "label": ["NA", "None"]}).to_parquet("a.parquet")
    found = read_array("a.parquet")
    assert list(found.index) == ["x", "y"]
    assert list(found) == ["NA", "None"]


def test_more_axes():
    X = np.arange(24.0).reshape(2, 3, 4)
    np.save("a.npy", X)
    assert read_array("a.npy").shape == (2, 3, 4)
    np.testing.assert_array_equal(read_array("a.npy", flatten=True), X.reshape(2, -1))
    np.testing.assert_array_equal(read_array("a.npy", pool="mean"), X.mean(axis=1))
    np.save("a.npy", X.reshape(2, 3, 2, 2))
    np.testing.assert_array_equal(read_array("a.npy", pool="mean"), X.mean(axis=2))


# ----- speed --------------------------------------------------------------------------


@pytest.mark.slow
def test_reading_costs_what_pandas_costs():
    X = np.random.default_rng(0).normal(size=(20000, 40))
    pd.DataFrame(X).add_prefix("x").to_csv("a.csv")

    def seconds(call):
        best = np.inf
        for _ in range(5):
            start = time.process_time()
            call()
            best = min(best, time.process_time() - start)
        return best

    own = seconds(lambda: pd.read_csv("a.csv"))
    assert seconds(lambda: read_array("a.csv")) < 1.6 * own  # 1.2 on a quiet machine


def test_a_missing_first_value_is_no_name(tmp_path):
    """Writers of csv quote an empty cell that stands alone in its line."""
    path = tmp_path / "a.csv"
    path.write_text('""\n0.24\n-1.6\n0.6\n')
    with pytest.raises(ValueError, match="--header or --no-header"):
        read_array(path)
