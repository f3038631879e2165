"""Predictions in tables and evaluation logs, and the numbers that belong to them."""

import gzip
import json
import math
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from sksim import compare_predictions, read_predictions
from tests._reference import DATA, reference_values

LOGS = DATA / "predictions"
VALUES = reference_values("predictions")["logs"]
SCENES, PEARS = (
    [next((LOGS / "lm_eval" / f"model_{m}").glob(f"samples_{task}_*")) for m in "ab"]
    for task in ("scenes", "pears")
)
FAULTY = LOGS / "lm_eval" / "model_c_faulty"
CELLS = [LOGS / "inspect" / f"cells_model_{m}.json" for m in "ab"]


def check_pairs(found, values):
    """The numbers of single rows."""
    assert found.n_rows == found.n_clusters == values["n"]
    assert found.mcnemar_pvalue == pytest.approx(values["mcnemar_exact"], rel=1e-10)
    assert found.difference == pytest.approx(values["mean_difference"], abs=1e-12)
    assert found.standard_error == pytest.approx(values["paired_standard_error"])
    assert found.difference_interval == pytest.approx(values["tango"], abs=1e-9)
    assert found.accuracy_a == pytest.approx(values["mean_a"])
    assert found.accuracy_b == pytest.approx(values["mean_b"])
    assert found.negative_flips == values["only_a"]
    assert found.positive_flips == values["only_b"]


def check_groups(found, values):
    """The numbers of rows in groups."""
    assert (found.n_rows, found.n_clusters) == (values["n"], values["n_clusters"])
    assert found.method == "t"
    assert found.difference == pytest.approx(values["mean_difference"], abs=1e-12)
    error = values["clustered_standard_error"]
    assert found.standard_error == pytest.approx(error, rel=1e-10)
    limits = values["clustered_interval"]
    assert found.difference_interval == pytest.approx(limits, rel=1e-8)
    assert found.accuracy_a == pytest.approx(values["mean_a"])
    assert found.accuracy_b == pytest.approx(values["mean_b"])


@pytest.mark.parametrize("metric", ["acc", "acc_norm"])
def test_multiple_choice(metric):
    values = VALUES["multiple_choice"][metric]
    check_pairs(compare_predictions(*SCENES, scores=metric), values)
    for groups in ("passage_id", "doc.passage_id"):
        grouped = compare_predictions(*SCENES, scores=metric, groups=groups)
        check_groups(grouped, values)


def test_answers_of_multiple_choice():
    values = VALUES["multiple_choice"]["answers"]
    found = compare_predictions(*SCENES, scores="acc")
    assert found.agreement == pytest.approx(values["agreement"])
    assert found.n_both_wrong == values["both_wrong"]
    assert found.same_error_rate == pytest.approx(values["same_given_both_wrong"])
    for path in SCENES:
        table = read_predictions(path)
        right = table["answer"] == table["target"]
        np.testing.assert_array_equal(right, table["acc"] == 1)
        right = table["answer_norm"] == table["target"]
        np.testing.assert_array_equal(right, table["acc_norm"] == 1)
        assert set(table["n_options"]) == {4}


def test_a_faulty_log_is_refused_by_its_rows():
    with pytest.raises(ValueError, match=r"doc_id 6\).*doc_id 3, doc_id 17.*doc_hash"):
        compare_predictions(SCENES[0], FAULTY, scores="acc")
    with pytest.raises(ValueError, match=r"doc_id 9"):
        compare_predictions(
            SCENES[0], FAULTY, scores="acc", allow=["duplicates", "unmatched"]
        )
    found = compare_predictions(
        SCENES[0], FAULTY, scores="acc", allow=["duplicates", "unmatched", "changed"]
    )
    values = VALUES["faulty"]
    assert found.n_rows == values["rows_of_clean_join_with_a"]
    dropped = {reason: [i[1] for i in ids] for reason, ids in found.dropped.items()}
    assert dropped == {
        "duplicates": values["duplicated_doc_ids"],
        "unmatched": values["missing_doc_ids"],
        "changed": values["changed_doc_ids"],
    }
    assert found.n_dropped == 4
    assert "1 duplicates (scenes 6 none)" in found.sentence()


def test_other_ids_of_logs():
    expected = compare_predictions(*SCENES, scores="acc").to_dict()
    tables = [read_predictions(path) for path in SCENES]
    flat = [table.reset_index() for table in tables]
    for pair in (SCENES, tables, flat):
        found = compare_predictions(*pair, on="doc_id", scores="acc").to_dict()
        for name in ("difference_interval", "same_error_chance", "n_clusters"):
            assert found[name] == expected[name]
    found = compare_predictions(*PEARS, on="doc_id", scores="exact_match,strict-match")
    values = VALUES["two_filters"]["strict-match"]
    check_pairs(found, values)
    with pytest.raises(ValueError, match="30 more than once in a"):
        compare_predictions(*PEARS, on="doc_id")
    with pytest.raises(ValueError, match=r"with different doc_hash .*\(9\)"):
        compare_predictions(
            flat[0], read_predictions(FAULTY).reset_index(), on="doc_id", scores="acc",
            allow=["duplicates", "unmatched"],
        )  # fmt: skip
    with pytest.warns(UserWarning, match="choice"):
        found = compare_predictions(*CELLS, on=["id", "epoch"])
    check_groups(found, VALUES["inspect"]["rows"])


@pytest.mark.parametrize("name", ["strict-match", "flexible-extract"])
def test_filters(name):
    values = VALUES["two_filters"][name]
    check_pairs(compare_predictions(*PEARS, scores=f"exact_match,{name}"), values)
    tables = [read_predictions(path, filter=name) for path in PEARS]
    check_pairs(compare_predictions(*tables), values)
    both = compare_predictions(*PEARS, slices="filter")
    row = both.slices.loc[f"filter={name}"]
    assert (row["low"], row["high"]) == pytest.approx(values["tango"], abs=1e-9)
    assert row["pvalue"] == pytest.approx(values["mcnemar_exact"])
    # both filters read one answer to one prompt
    assert (both.n_rows, both.n_clusters) == (60, 30)
    with pytest.warns(UserWarning, match="2 filters.*slices='filter'") as caught:
        compare_predictions(*PEARS)
    assert caught[0].filename == __file__
    with pytest.raises(ValueError, match="'lax'.*strict-match"):
        compare_predictions(*PEARS, scores="exact_match,lax")


def test_samples_of_inspect():
    values = VALUES["inspect"]
    with pytest.warns(UserWarning, match="1 of 40 rows have no score 'choice'"):
        found = compare_predictions(*CELLS)
    check_groups(found, values["rows"])
    assert found.mcnemar_pvalue is None
    assert [i[1:] for i in found.dropped["unscored"]] == [("s04", 2)]
    with pytest.warns(UserWarning, match="s04"):
        found = compare_predictions(*CELLS, groups="sheet", scores="choice")
    check_groups(found, values["rows_clustered_by_sheet"])
    table = read_predictions(CELLS[0])
    assert table["choice"].mean() == pytest.approx(values["accuracy_a_all_rows"])


def test_one_row_for_each_prompt_is_another_question():
    """Averages over the epochs weigh prompts alike, whatever was scored of them."""
    tables = [
        read_predictions(path).groupby("id")["choice"].mean().to_frame("mean")
        for path in CELLS
    ]
    found = compare_predictions(*tables, scores="mean")
    values = VALUES["inspect"]["samples_averaged_over_epochs"]
    assert found.difference == pytest.approx(values["mean_difference"])
    assert found.standard_error == pytest.approx(values["paired_standard_error"])


# ----- folders ------------------------------------------------------------------------


def test_folders_of_one_model():
    folders = [LOGS / "lm_eval" / f"model_{m}" for m in "ab"]
    whole = compare_predictions(*folders, scores="acc")
    assert whole.to_dict() == compare_predictions(*SCENES, scores="acc").to_dict()
    table = read_predictions(folders[0])
    assert set(table.index.get_level_values("task")) == {"scenes", "pears"}
    one = read_predictions(folders[0], task="pears")
    pd.testing.assert_frame_equal(one, read_predictions(PEARS[0]), check_like=True)
    with pytest.raises(ValueError, match="several scores.*acc_norm.*scores="):
        compare_predictions(*folders)
    with pytest.raises(ValueError, match="several models.*model_a, model_b"):
        read_predictions(LOGS / "lm_eval")
    with pytest.raises(ValueError, match="several models.*local/model-a"):
        read_predictions(LOGS / "inspect")
    with pytest.raises(ValueError, match="no task 'plums'"):
        read_predictions(folders[0], task="plums")


def test_a_task_that_was_run_twice_is_refused(tmp_path):
    for time in ("2026-11-28T09-15-02.114201", "2026-11-29T10-00-00.000000"):
        shutil.copy(SCENES[0], tmp_path / f"samples_scenes_{time}.jsonl")
    with pytest.raises(ValueError, match="'scenes' 2 times.*2026-11-29"):
        read_predictions(tmp_path)


def test_a_folder_without_logs_is_refused(tmp_path):
    with pytest.raises(ValueError, match="without logs.*--log_samples"):
        read_predictions(tmp_path)


# ----- what logs may hold -------------------------------------------------------------


def write_lines(path, records):
    path.write_text("\n".join(json.dumps(record) for record in records))
    return path


def record(doc_id, **fields):
    return {
        "doc_id": doc_id,
        "doc": {"level": doc_id % 2, "steps": ["no", "single", "value"]},
        "target": "4",
        "resps": [["5"]],
        "filtered_resps": ["5"],
        **fields,
    }


def test_logs_without_a_list_of_metrics_and_filters(tmp_path):
    path = write_lines(
        tmp_path / "sums.jsonl", [record(i, f1=0.5, bleu=[1, 2]) for i in range(3)]
    )
    table = read_predictions(path)
    assert list(table.columns) == ["target", "answer", "f1", "doc.level"]
    assert table.index[1] == ("sums", 1, "none")
    with gzip.open(tmp_path / "sums.jsonl.gz", "wt") as stream:
        stream.write(path.read_text())
    pd.testing.assert_frame_equal(read_predictions(tmp_path / "sums.jsonl.gz"), table)


def test_answers_of_the_harness(tmp_path):
    likely = [["-1.5", "False"], [-0.5, True]]
    path = write_lines(
        tmp_path / "x.jsonl",
        [
            record(0, filtered_resps=likely, arguments=[["q", " long"], ["q", " b"]]),
            record(1, filtered_resps=[["-1.5", "False"]]),
            record(2, filtered_resps=[["one", "two"]]),
            record(3, filtered_resps=["one", "two"], target=["a", "b"]),
            record(4, filtered_resps=[]),
        ],
    )
    table = read_predictions(path)
    answers = table["answer"].tolist()
    assert answers[0] == "1"
    assert answers[2:4] == ['["one", "two"]'] * 2
    assert pd.isna(answers[1])
    assert pd.isna(answers[4])
    assert table["answer_norm"].iloc[0] == "0"  # -1.5 / 4 against -.5 / 1
    assert table["target"].iloc[3] == '["a", "b"]'


def sample(i, epoch=1, **fields):
    scores = {"match": {"value": "C", "answer": "A"}}
    return {"id": i, "epoch": epoch, "target": "A", "scores": scores, **fields}


def write_inspect(path, samples, model="m"):
    log = {"eval": {"task": "t", "model": model}, "samples": samples}
    path.write_text(json.dumps(log))
    return path


def test_scores_of_inspect(tmp_path):
    scores = {
        "match": {"value": True, "answer": "A"},
        "judge": {"value": {"style": 3, "facts": "P"}, "answer": None},
    }
    path = write_inspect(
        tmp_path / "log.json",
        [
            sample(1, scores=scores, metadata={"site": "x", "more": {"a": 1}}),
            sample(2, scores=None, input="other"),
            sample(3, scores={"match": {"value": "0.25"}}),
            sample(4, scores={"match": {"value": "no", "answer": "A"}}),
        ],
    )
    table = read_predictions(path)
    np.testing.assert_array_equal(table["match"], [1, math.nan, 0.25, 0])
    assert table["judge.style"].iloc[0] == 3
    assert table["judge.facts"].iloc[0] == 0.5
    assert table["match.answer"].iloc[0] == "A"
    assert table["metadata.site"].iloc[0] == "x"
    assert table["doc_hash"].nunique() == 2
    write_inspect(path, [sample(1, scores={"match": {"value": "superb"}})])
    with pytest.raises(ValueError, match="'match' of sample 1 is 'superb'"):
        read_predictions(path)


def test_archives_of_inspect(tmp_path):
    log = json.loads(CELLS[0].read_text())
    path = tmp_path / "cells.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in log.pop("samples"):
            name = f"samples/{one['id']}_epoch_{one['epoch']}.json"
            archive.writestr(name, json.dumps(one))
        archive.writestr("_journal/start.json", "{}")
        archive.writestr("header.json", json.dumps(log))
    table = read_predictions(path)
    pd.testing.assert_frame_equal(table, read_predictions(CELLS[0]))
    pd.testing.assert_frame_equal(table, read_predictions(tmp_path))
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match="no archive.*inspect log convert"):
        read_predictions(path)


# ----- tables in files ----------------------------------------------------------------


def test_tables_in_files(tmp_path):
    table = pd.DataFrame({"id": ["p", "q", "r"], "answer": ["u", "v, w", "u"]})
    table["target"] = ["u", "u", "w"]
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    (tmp_path / "a.json").write_text(table.to_json(orient="records"))
    endings = ["csv", "jsonl", "json"]
    if pytest.importorskip("pyarrow"):
        table.to_parquet(tmp_path / "a.parquet")
        endings.append("parquet")
    for ending in endings:
        found = read_predictions(tmp_path / f"a.{ending}")
        assert found.astype(object).to_dict() == table.to_dict(), ending
    result = compare_predictions(tmp_path / "a.csv", str(tmp_path / "a.jsonl"), on="id")
    assert (result.n_rows, result.accuracy_a) == (3, 1 / 3)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.npy", "x", ["a.npy", "jsonl"]),
        ("a.jsonl", '{"id": 1}\n{"id":', ["cut off", "line 2"]),
        ("a.jsonl", '{"id": 1}\n3', ["line 2", "no record"]),
        ("a.jsonl", "\n", ["no rows"]),
        ("a.json", "{", ["no JSON"]),
        ("a.json", '{"results": 1}', ["neither"]),
        ("a.json", '{"eval": {}, "results": 1}', ["without samples"]),
        ("a.json", '{"eval": {}, "samples": []}', ["without samples"]),
        ("a.csv", "1,0.5\n2,1.5\n", ["no names"]),
        ("a.eval", "text", ["no archive"]),
    ],
)
def test_what_can_not_be_read_is_named(tmp_path, name, text, words):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError) as error:
        read_predictions(path)
    assert str(path) in str(error.value)
    for word in words:
        assert word in str(error.value)
    with pytest.raises(ValueError, match="no such file; did you mean"):
        read_predictions(tmp_path / f"{name}x")
    with pytest.raises(ValueError, match="is for logs"):
        write_lines(tmp_path / "b.jsonl", [{"id": 1}])
        read_predictions(tmp_path / "b.jsonl", filter="none")
