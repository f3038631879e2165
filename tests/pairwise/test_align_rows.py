"""Tables brought into one order by their ids."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from sksim import align_rows
from sksim.functional import Disagreement, DoubleFault
from sksim.pairwise import compare
from sksim.rsm import CKA

N = 40
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(N, 3))
IDS = [f"img{i}" for i in range(N)]
TABLE = pd.DataFrame(VALUES, columns=list("abc")).assign(id=IDS)
OTHER = TABLE.drop(index=[3, 5]).sample(frac=1, random_state=0)


def as_library(table, library):
    """A pandas table as one of another library."""
    if library == "pandas":
        return table
    if library == "polars":
        return pytest.importorskip("polars").from_pandas(table)
    return pytest.importorskip("pyarrow").Table.from_pandas(table, preserve_index=False)


LIBRARIES = ["pandas", "polars", "pyarrow"]


@pytest.mark.parametrize("first", LIBRARIES)
@pytest.mark.parametrize("second", LIBRARIES)
def test_by_a_column_in_each_library(first, second):
    tables = as_library(TABLE, first), as_library(OTHER, second)
    aligned = align_rows(*tables, on="id")
    a, b = aligned
    assert [type(a), type(b)] == [type(table) for table in tables]
    kept = [i for i in IDS if i not in ("img3", "img5")]
    for table in (a, b):
        frame = table.to_pandas() if hasattr(table, "to_pandas") else table
        assert frame["id"].tolist() == kept
        expected = np.delete(VALUES, [3, 5], axis=0)
        assert_array_equal(frame[list("abc")].to_numpy(), expected)
    assert aligned.n_dropped == 2
    assert aligned.n_dropped_of_each == (2, 0)
    assert aligned.examples == ["img3", "img5"]
    assert aligned.ids.tolist() == kept
    assert len(aligned) == 2
    assert aligned[1] is b
    assert "2 rows fell out, such as 'img3'" in repr(aligned)
    assert pickle.loads(pickle.dumps(aligned)).n_dropped == 2


def test_by_the_index_and_the_door_lets_them_in():
    a, b = TABLE.set_index("id"), OTHER.set_index("id")
    with pytest.raises(ValueError, match="align_rows"):
        CKA().fit(a, b)
    assert CKA().fit(*align_rows(a, b)).score_ == pytest.approx(1)
    labels = OTHER.set_index("id")["a"] > 0
    three = align_rows(b, a, labels)
    assert [len(table) for table in three] == [N - 2] * 3
    assert three.ids.tolist() == OTHER["id"].tolist()
    by_column = align_rows(TABLE, OTHER, on="id")
    pair = (table[list("abc")] for table in by_column)
    assert CKA().fit(*pair).score_ == pytest.approx(1)


def test_left_keeps_all_rows_of_the_first():
    b, a = align_rows(OTHER, TABLE, on="id", how="left")
    assert a["id"].tolist() == OTHER["id"].tolist() == b["id"].tolist()
    with pytest.raises(ValueError, match="table 1 lacks 2 of the 40 .*'img3', 'img5'"):
        align_rows(TABLE, OTHER, on="id", how="left")


def test_refusals():
    twice = pd.concat([TABLE, TABLE[:2]])
    with pytest.raises(ValueError, match="table 1 has 2 ids .* 'img0', 'img1'"):
        align_rows(TABLE, twice, on="id")
    missing = TABLE.assign(id=[None, *IDS[1:]])
    with pytest.raises(ValueError, match="table 0 has no id in 1 of 40 rows.*row 0"):
        align_rows(missing, TABLE, on="id")
    with pytest.raises(ValueError, match="no id in common.*'img0'.*table 1 has 0, 1"):
        align_rows(TABLE, TABLE.assign(id=range(N)), on="id")
    with pytest.raises(ValueError, match=r"table 0 has no column 'key'.*'a', 'b'"):
        align_rows(TABLE, TABLE, on="key")
    with pytest.raises(ValueError, match="table 1 is a ndarray"):
        align_rows(TABLE, VALUES)
    with pytest.raises(ValueError, match="two or more"):
        align_rows(TABLE)
    with pytest.raises(ValueError, match="how"):
        align_rows(TABLE, OTHER, how="outer")
    with pytest.raises(ValueError, match="has no index: pass on="):
        align_rows(TABLE, as_library(TABLE, "polars"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_compare_on_a_column(library):
    a, b = as_library(TABLE, library), as_library(OTHER, library)
    options = {"measures": "CKA", "n_permutations": 0, "confidence_level": None}
    with pytest.warns(UserWarning, match="2 rows fell out"):
        table = compare(a, b, on="id", **options).to_frame()
    assert table["value"][0] == pytest.approx(1)
    assert table.attrs["n_dropped"] == 2
    assert "on='id'" in table.attrs["call"]


@pytest.mark.parametrize("kind", ["array", "series", "table"])
def test_compare_on_a_column_with_what_is_known_of_the_rows(kind):
    truth = RNG.integers(0, 3, N)
    labels = pd.DataFrame({"id": IDS, "label": truth})
    other = labels.drop(index=4).sample(frac=1, random_state=1)
    y_true = {
        "array": truth,
        "series": pd.Series(truth),
        "table": labels[::-1],
    }[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = compare(
            labels,
            other,
            y_true=y_true,
            groups=np.arange(N),
            on="id",
            measures=[Disagreement(), DoubleFault()],
            n_permutations=0,
        ).to_frame()
    assert table["value"].tolist() == [0, 0]


def test_compare_on_refusals():
    options = {"on": "id", "measures": "CKA", "n_permutations": 0}
    with pytest.raises(ValueError, match="y_true has 3 entries and a has 40 rows"):
        compare(TABLE, TABLE, y_true=[1, 2, 3], **options).to_frame()
    with pytest.raises(ValueError, match="on= joins the rows of two tables"):
        compare(CKA(), CKA(), VALUES, **options).to_frame()
    with pytest.raises(ValueError, match="has the columns"):
        compare(TABLE, TABLE, y_true=TABLE, **options).to_frame()
