"""Measures in all tests: on small models, so that a table takes a second."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from sksim import CKA, BaseSimilarity, Disagreement, SimilarityTags
from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.cca import MeanCCA
from sksim.datasets import ModelZoo, make_model_zoo
from sksim.evaluation import (
    MeasureTable,
    evaluate_measures,
    grouping,
    model_recovery,
    null_drift,
    probe_grounding,
)
from sksim.pairwise import similarity_matrix

N_ROWS, N_CLASSES = 48, 3


def small_zoo(name="small", seed=0, n_seeds=3, **changes):
    """Models around a common place, the farther from it the greater their level."""
    rng = np.random.default_rng(seed)
    y_true = np.arange(N_ROWS) % N_CLASSES
    signal = np.eye(N_CLASSES)[y_true] @ rng.normal(size=(N_CLASSES, 6))
    records, layers, outputs, shifted = [], {}, {}, {}
    sorts = {
        "base": [""],
        "labels": [0, 50, 100],
        "quality": [100, 400],
        "copies": ["pruned30", "pruned70", "tuned"],
    }
    noise = {"": 0.5, 0: 0.5, 50: 1.0, 100: 3.0, 400: 0.5}
    for part, levels in sorts.items():
        for level, number in itertools.product(levels, range(n_seeds)):
            model = f"{part}-{level}-{number}"
            parent = f"base--{number}" if part == "copies" else ""
            if parent:
                sd = 0.5 if level == "pruned70" else 0.05
                of_model = {
                    key: layer + sd * rng.normal(size=layer.shape)
                    for key, layer in layers[parent].items()
                }
            else:
                first = signal + noise[level] * rng.normal(size=(N_ROWS, 6))
                second = np.tanh(first @ rng.normal(size=(6, 5)))
                third = np.tanh(second @ rng.normal(size=(5, 5)))
                of_model = {"one": first, "two": second, "three": third}
            layers[model] = of_model
            logits = np.eye(N_CLASSES)[y_true] * 2 + noise.get(level, 0.5) * (
                rng.normal(size=(N_ROWS, N_CLASSES))
            )
            outputs[model] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            shifted[model] = outputs[model][::-1]
            records.append(
                {
                    "model_id": model,
                    "part": part,
                    "level": level,
                    "seed": number,
                    "parent": parent,
                }
            )
    arguments = {
        "layers": layers,
        "outputs": outputs,
        "outputs_shifted": shifted,
        "y_true": y_true,
        "name": name,
        **changes,
    }
    return ModelZoo.from_arrays(pd.DataFrame(records), **arguments)


@pytest.fixture(scope="module")
def zoo():
    return small_zoo()


@pytest.fixture(scope="module")
def result(zoo):
    return evaluate_measures([CKA, OrthogonalProcrustes(), "Disagreement"], zoo)


def without_seconds(table):
    return table.drop(columns="seconds")


# ----- the table ----------------------------------------------------------------------


def test_table_is_tidy(result):
    table = result.table
    assert table.columns[:6].tolist() == [
        *("data", "measure", "test", "metric", "value", "standard_error")
    ]
    assert not table.duplicated(["data", "measure", "test", "metric"]).any()
    assert list(table["measure"].unique()) == [
        *("CKA", "OrthogonalProcrustes", "Disagreement"),
        *("PerformanceDifference", "Magnitude", "random"),
    ]
    tests = set(table.loc[table["measure"] == "CKA", "test"])
    functional = {
        *("labels", "quality_accuracy", "quality_disagreement", "quality_shifted"),
        *("lineage_pruned30", "lineage_pruned70", "lineage_tuned", "pruning_order"),
        "null_drift",
    }
    assert tests == functional | {
        *("identification", "monotonicity", "probe"),
        *("recovery_units", "recovery_mixed"),
    }
    assert set(table.loc[table["measure"] == "Disagreement", "test"]) == functional
    assert not {"null", "nan", "NA", "None"} & set(table["metric"])
    assert (table["failure"] == "").all()
    assert np.isfinite(table["value"]).all()
    kinds = table.drop_duplicates("measure").set_index("measure")["kind"]
    assert kinds["CKA"] == "layers"
    assert kinds["Disagreement"] == "labels"
    assert kinds["random"] == "control"


def test_values_are_those_of_the_protocols(result, zoo):
    names = zoo.part("labels")["model_id"]
    last = {name: zoo.layers(name)["three"] for name in names}
    matrix = similarity_matrix(CKA(), last)
    pd.testing.assert_frame_equal(result.matrices["small", "CKA", "labels"], matrix)
    expected = grouping(matrix, np.repeat([0, 50, 100], 3))
    found = result.table.query("measure == 'CKA' and test == 'labels'")
    assert_allclose(found["value"], expected.metrics["value"])
    assert_allclose(found["standard_error"], expected.metrics["standard_error"])
    tidy = result.leave_one_outs.query(
        "measure == 'CKA' and test == 'labels' and metric == 'auroc'"
    )
    assert tidy["model"].tolist() == names.tolist()
    assert_allclose(tidy["value"], expected.leave_one_out)
    drift = result.table.query("measure == 'CKA' and metric == 'drift'")["value"].item()
    assert drift == pytest.approx(null_drift(CKA(), n_repeats=3).value)
    shown = result.to_frame()
    assert shown.loc[("small", "CKA"), "labels"] == expected.auroc
    assert math.isnan(shown.loc[("small", "Disagreement"), "probe"])


def test_accuracy_alone_knows_the_levels(result):
    """The control: levels differ in accuracy, and a difference of accuracies in nothing
    else."""
    values = result.table.query("metric == 'spearman' and test == 'quality_accuracy'")
    values = values.set_index("measure")["value"]
    assert values["PerformanceDifference"] == pytest.approx(1)


def assert_same_tables(found, expected):
    pd.testing.assert_frame_equal(
        without_seconds(found.table), without_seconds(expected.table), check_exact=True
    )
    pd.testing.assert_frame_equal(found.leave_one_outs, expected.leave_one_outs)
    assert found.matrices.keys() == expected.matrices.keys()
    for key, matrix in found.matrices.items():
        pd.testing.assert_frame_equal(matrix, expected.matrices[key], check_exact=True)


def test_twice_the_same_and_in_any_number_of_jobs(zoo):
    first, second = (
        evaluate_measures([CKA, "Disagreement"], zoo, tests=["labels"], n_jobs=n)
        for n in (1, 2)
    )
    assert_same_tables(first, second)


@pytest.mark.slow
def test_all_tests_twice(result, zoo):
    measures = [CKA, OrthogonalProcrustes(), "Disagreement"]
    for n_jobs in (1, 2):
        again = evaluate_measures(measures, zoo, n_jobs=n_jobs)
        assert_same_tables(again, result)


class Odd(BaseSimilarity):
    """A measure of one's own, with a parameter that says how it fails."""

    def __init__(self, how="raises"):
        self.how = how

    def _view(self, X, xp):
        return X

    def _compare(self, view_x, view_y, xp):
        if self.how == "raises":
            raise RuntimeError("no more\nmemory")
        value = -float(np.linalg.norm(view_x - view_y)) if self.how != "nan" else np.nan
        if self.how == "constant":
            return 0.0
        return -np.inf if self.how == "-inf" and value < -8 else value

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-np.inf, 0),
            array_api=False,
            reference="none",
        )


def test_own_measures_and_their_failures(zoo):
    measures = {how: Odd(how) for how in ("raises", "nan", "-inf", "works")}
    tests = ["labels", "lineage_tuned", "probe", "null_drift", "recovery_units"]
    table = evaluate_measures(measures, zoo, tests=tests).table
    of = {how: table[table["measure"] == how] for how in measures}
    assert (of["works"]["failure"] == "").all()
    assert np.isfinite(of["works"]["value"]).all()
    assert (of["raises"]["failure"] == "RuntimeError: no more memory").all()
    assert of["raises"]["value"].isna().all()
    assert set(of["raises"]["test"]) == set(of["works"]["test"])
    assert of["nan"]["failure"].str.contains("the result is nan").all()
    assert of["-inf"]["failure"].str.contains("the result is -inf").any()
    # nothing of others changes
    assert (table.loc[table["measure"] == "Magnitude", "failure"] == "").all()
    with pytest.raises(RuntimeError, match="no more"):
        evaluate_measures(measures, zoo, tests=["labels"], on_error="raise")


def test_what_can_not_be_judged_is_refused(zoo):
    class Untagged:
        def fit(self, X, y):
            return self

    with pytest.raises(ValueError, match="must be a similarity measure"):
        evaluate_measures(Untagged(), zoo)
    with pytest.raises(ValueError, match="label 'random'"):
        evaluate_measures({"random": CKA()}, zoo)
    with pytest.raises(ValueError, match="zoo must be a ModelZoo"):
        evaluate_measures("CKA", [{}])
    with pytest.raises(ValueError, match="a name of its own"):
        evaluate_measures("CKA", [zoo, zoo])
    with pytest.raises(ValueError, match=r"no models for the tests \['family'\]"):
        evaluate_measures("CKA", zoo, tests=["family", "labels"])


def test_measures_of_models_need_models(zoo):
    table = evaluate_measures("NetworkPersistence", zoo).table
    rows = table[table["measure"] == "NetworkPersistence"]
    assert set(rows["test"]) == {
        *("lineage_pruned30", "lineage_pruned70", "lineage_tuned", "pruning_order")
    }
    assert rows["failure"].str.contains("keep_estimators=True").all()


def test_gradients_are_not_judged_and_said_so(zoo):
    table = evaluate_measures("ExplanationAgreement", zoo, tests=["labels"]).table
    row = table[table["measure"] == "ExplanationAgreement"].iloc[0]
    assert (row["test"], row["kind"]) == ("labels", "gradients")
    assert "compares gradients" in row["failure"]


def test_models_are_compared_where_they_were_kept():
    kept = make_model_zoo(
        n_seeds=2, parts=["copies"], keep_estimators=True, data_home=False
    )
    table = evaluate_measures(
        "NetworkPersistence", kept, tests=["lineage_tuned", "lineage_distilled"]
    ).table
    rows = table[table["measure"] == "NetworkPersistence"].set_index("test")
    assert rows.index.unique().tolist() == ["lineage_tuned", "lineage_distilled"]
    assert (rows["failure"] == "").all()
    assert np.isfinite(rows["value"]).all()


def test_asymmetric_measures_are_taken_both_ways(zoo):
    names = zoo.part("copies")["model_id"]
    copies = {name: zoo.layers(name)["three"][:40] for name in names}
    base = {f"base--{k}": zoo.layers(f"base--{k}")["three"][:40] for k in range(3)}
    table = evaluate_measures(
        "LinearRegressionSimilarity", zoo, tests=["lineage_tuned"]
    )
    measure = LinearRegressionSimilarity()
    expected = similarity_matrix(measure, copies, base)
    expected = (expected + similarity_matrix(measure, base, copies).T) / 2
    found = table.matrices["small", "LinearRegressionSimilarity", "copies"]
    assert_allclose(found, expected)


def test_time_limit(zoo):
    """What would take longer than is left is not begun; the rest is."""
    tests = ["labels", "recovery_units"]
    table = evaluate_measures("CKA", zoo, tests=tests, time_limit=1e-9).table
    rows = table[table["measure"] == "CKA"].set_index("test")
    for test in tests:
        assert "TooSlow" in rows.loc[test, "failure"]
        assert "pairs would take some" in rows.loc[test, "failure"]
    assert rows["value"].isna().all()
    # a random matrix costs nothing
    control = table[table["measure"] == "random"]
    assert (control["failure"] == "").all()


def test_time_that_suffices_changes_nothing(zoo):
    columns = ["measure", "test", "metric", "value", "standard_error", "failure"]
    with_limit, without = (
        evaluate_measures("CKA", zoo, tests=["labels"], time_limit=t).table[columns]
        for t in (1e9, None)
    )
    pd.testing.assert_frame_equal(with_limit, without)


def test_parts_that_are_not_there_are_left_out():
    rng = np.random.default_rng(0)
    layers = {name: {"last": rng.normal(size=(9, 3))} for name in "abcd"}
    records = {"model_id": list("abcd"), "part": "labels", "level": [0, 0, 1, 1]}
    bare = ModelZoo.from_arrays(records, layers)
    table = evaluate_measures(["CKA", "Disagreement"], bare).table
    rows = table[table["measure"] == "CKA"]
    assert set(rows["test"]) == {"labels", "null_drift", *RECOVERY}
    # two models of a level have a value, and no error
    assert np.isfinite(rows["value"]).all()
    labels = rows[rows["test"] == "labels"].set_index("metric")
    assert math.isnan(labels.loc["auroc", "standard_error"])
    of_labels = table[table["measure"] == "Disagreement"].set_index("test")
    assert "no outputs of model 'a'" in of_labels.loc["labels", "failure"]
    assert (of_labels.loc[["null_drift"], "failure"] == "").all()


RECOVERY = {"recovery_units", "recovery_mixed"}


# ----- differences and ranks ----------------------------------------------------------


@pytest.fixture(scope="module")
def three_kinds():
    kinds = [small_zoo(f"kind {k}", seed=k) for k in range(3)]
    return evaluate_measures(["CKA", "MeanCCA"], kinds, tests=["labels"])


def test_compare(result, three_kinds):
    row = result.compare("CKA", "OrthogonalProcrustes", "labels", "auroc").iloc[0]
    values, without = {}, {}
    for name in ("CKA", "OrthogonalProcrustes"):
        matrix = result.matrices["small", name, "labels"]
        of_measure = grouping(matrix, np.repeat([0, 50, 100], 3))
        values[name], without[name] = of_measure.auroc, of_measure.leave_one_out
    first, second = values.values()
    assert row["difference"] == pytest.approx(first - second)
    moved = np.subtract(*without.values()).to_numpy().reshape(3, 3)
    away = moved - moved.mean(axis=1, keepdims=True)
    assert_allclose(row["standard_error"], np.sqrt(2 / 3 * np.sum(away**2)))
    assert row["df"] == 6
    table = three_kinds.compare("CKA", "MeanCCA", "labels")
    assert table["data"].tolist() == ["kind 0", "kind 1", "kind 2", "all"]
    differences = table["difference"][:3]
    expected = stats.ttest_1samp(differences, 0)
    last = table.iloc[-1]
    assert_allclose(last["difference"], differences.mean())
    assert_allclose([last["t"], last["pvalue"]], [expected.statistic, expected.pvalue])
    assert last["df"] == 2
    smallest = table["pvalue"][:3].min()
    assert_allclose(table["pvalue_corrected"][:3].min(), min(1, 3 * smallest))
    with pytest.raises(ValueError, match="no values in the test 'probe'"):
        result.compare("CKA", "Disagreement", "probe")


def test_ranks(result):
    ranks = result.ranks(n_draws=200)
    values = result.table.set_index(["measure", "test", "metric"])["value"]
    of_test = ranks[(ranks["test"] == "labels") & (ranks["metric"] == "auroc")]
    of_layers = of_test[of_test["family"] == "representational"]
    names = of_layers["measure"].tolist()
    assert set(names) == {"CKA", "OrthogonalProcrustes", "Magnitude", "random"}
    expected = stats.rankdata([-values[name, "labels", "auroc"] for name in names])
    assert_allclose(of_layers["rank"], expected)
    assert "Disagreement" not in names
    functional = set(ranks.loc[ranks["family"] == "functional", "measure"])
    assert functional == {"Disagreement", "PerformanceDifference", "random"}
    assert "null_drift" not in set(ranks["test"])
    assert (ranks["low"] <= ranks["rank"]).all()
    assert (ranks["rank"] <= ranks["high"]).all()
    assert (ranks["low"] < ranks["high"]).any()
    assert ranks["rank"].min() >= 1
    pd.testing.assert_frame_equal(ranks, result.ranks(n_draws=200))
    mean = result.ranks(by="mean", n_draws=200).set_index(["family", "measure"])
    mine = ranks[(ranks["measure"] == "CKA")]["rank"]
    assert mean.loc[("representational", "CKA"), "rank"] == pytest.approx(mine.mean())
    assert mean.loc[("representational", "CKA"), "n_tests"] == len(mine)
    chosen = result.ranks(tests=["labels"], metrics=["dose"], n_draws=50)
    assert set(chosen["metric"]) == {"dose"}
    with pytest.raises(ValueError, match="no test"):
        result.ranks(tests=["colours"])
    with pytest.raises(ValueError, match="by must be"):
        result.ranks(by="data")


def test_limits_of_ranks_follow_the_errors():
    """Two measures that no model can tell apart change places, others do not."""
    models = [f"m{i}" for i in range(6)]
    away = np.array([-1, 1, 0.5, -0.5, 0.2, -0.2])
    rows, long = [], []
    for name, value, moves in (("a", 0.9, 0), ("b", 0.5, 1), ("c", 0.5, -1)):
        rows.append(
            {
                "data": "d",
                "measure": name,
                "test": "t",
                "metric": "m",
                "value": value,
                "kind": "layers",
                "failure": "",
            }
        )
        long += [
            {**dict(zip(["data", "measure", "test", "metric"], "dxtm", strict=True))}
            | {"measure": name, "model": model, "stratum": "0", "value": value + change}
            for model, change in zip(models, 0.01 * moves * away, strict=True)
        ]
    table = MeasureTable(pd.DataFrame(rows), pd.DataFrame(long))
    ranks = table.ranks(n_draws=500).set_index("measure")
    assert ranks.loc["a", ["low", "rank", "high"]].tolist() == [1, 1, 1]
    assert ranks.loc["b", ["low", "rank", "high"]].tolist() == [2, 2.5, 3]


def test_csv(result, tmp_path):
    result.to_csv(tmp_path / "new")
    again = MeasureTable.from_csv(tmp_path / "new")
    pd.testing.assert_frame_equal(again.table, result.table)
    pd.testing.assert_frame_equal(again.leave_one_outs, result.leave_one_outs)
    pd.testing.assert_frame_equal(again.ranks(n_draws=9), result.ranks(n_draws=9))
    failed = MeasureTable(
        result.table.assign(value=np.nan, failure="ValueError: null, of all things"),
        result.leave_one_outs,
    )
    failed.to_csv(tmp_path)
    found = MeasureTable.from_csv(tmp_path).table
    assert found["value"].isna().all()
    assert found["failure"].unique() == ["ValueError: null, of all things"]


# ----- tests that make data -----------------------------------------------------------


def probe_by_loops(measure, zoo, accuracy, versions):
    correlations = []
    for reference in ("base--0", "base--1", "base--2"):
        scores, differences = [], []
        for (name, k), layer in versions.items():
            score = measure.fit(versions[reference, "all"], layer).score_
            scores.append(-score)
            differences.append(abs(accuracy[reference, "all"] - accuracy[name, k]))
        correlations.append(stats.spearmanr(scores, differences).statistic)
    return np.mean(correlations)


def test_probe_equals_the_loop(zoo):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    versions = {}
    for name in ("base--0", "base--1", "base--2"):
        layer = zoo.layers(name)["three"]
        centred = layer - layer.mean(axis=0)
        U, s, Vt = np.linalg.svd(centred / np.sqrt(np.sum(np.var(layer, axis=0))))
        for k in ("all", 3, 1):
            n = 5 if k == "all" else k
            versions[name, k] = (U[:, :n] * s[:n]) @ Vt[:n]
    y_true = zoo.y_true
    probe = LogisticRegression(max_iter=200)
    accuracy = {
        key: cross_val_score(probe, layer, y_true, cv=5, scoring=_n_right).sum()
        / N_ROWS
        for key, layer in versions.items()
    }
    result = probe_grounding(CKA(), zoo, n_components=[3, 1])
    assert_allclose(result.value, probe_by_loops(CKA(), zoo, accuracy, versions))
    assert list(result.leave_one_out.index) == ["base--0", "base--1", "base--2"]
    with pytest.raises(ValueError, match="Disagreement compares labels"):
        probe_grounding(Disagreement(), zoo)
    with pytest.raises(ValueError, match="at least two models of part 'family'"):
        probe_grounding(CKA(), zoo, part="family")


def _n_right(probe, X, y):
    return np.sum(probe.predict(X) == y)


def test_recovery():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(200, 4))
    candidates = {
        name: np.tanh(common @ rng.normal(size=(4, 40))) for name in ("a", "b", "c")
    }
    candidates["c"][:, :5] = 7  # dead units say nothing, and are not drawn
    result = model_recovery(OrthogonalProcrustes(), candidates, n_draws=2)
    assert_allclose(result.confusion.sum(axis=1), 1)
    assert result.value == pytest.approx(np.mean(np.diag(result.confusion)))
    assert result.chance == 1 / 3
    assert result.value > 0.9
    # with as many columns as rows everything is a linear map of everything
    wide = {name: X[:30] for name, X in candidates.items()}
    assert model_recovery(MeanCCA(), wide, n_units=29).value < 0.7
    own = model_recovery("CKA", candidates, make_data=lambda X, rng: X.copy())
    assert own.value == 1
    with pytest.raises(ValueError, match="At least two candidates"):
        model_recovery(CKA(), {"a": common})
    with pytest.raises(ValueError, match="'b' is constant"):
        model_recovery(CKA(), {"a": common, "b": np.ones((200, 3))})
    with pytest.raises(ValueError, match="drawn of representations"):
        model_recovery("Disagreement", candidates)


def test_ties_of_recovery_are_shared():
    rng = np.random.default_rng(0)
    same = rng.normal(size=(50, 10))
    result = model_recovery(CKA(), {"a": same, "b": same})
    assert (result.confusion.to_numpy() == 0.5).all()


def test_null_drift():
    grid = [(64, 4), (64, 64)]
    result = null_drift(CKA(), grid=grid, n_repeats=20)
    low, high = result.cells["null_mean"]
    # of n rows and d columns CKA is about d / (n - 1 + d) by chance
    assert_allclose([low, high], [4 / 67, 64 / 127], atol=0.02)
    assert result.value == pytest.approx((high - low) / (1 - low))
    assert result.chance == 0
    assert null_drift(MeanCCA(), grid=grid).value > 0.95
    assert abs(null_drift(CKA(debias="rows"), grid=grid).value) < 0.1


def test_null_drift_of_outputs():
    result = null_drift(Disagreement())
    accuracies = result.cells["accuracy"]
    # both right, or both wrong in the same way
    agreement = accuracies**2 + (1 - accuracies) ** 2 / 9
    assert_allclose(result.cells["null_mean"], agreement - 1, atol=0.03)
    smooth = null_drift("JensenShannonDivergence", grid=[0.5, 0.9])
    assert 0 < smooth.value < 1
    with pytest.raises(ValueError, match="at least two accuracies"):
        null_drift(Disagreement(), grid=[0.5])
    with pytest.raises(ValueError, match=r"pairs \(n_samples"):
        null_drift(CKA(), grid=[64, 256])
    with pytest.raises(ValueError, match="NetworkPersistence compares models"):
        null_drift("NetworkPersistence")
    with pytest.raises(ValueError, match="is 0 of unrelated models and 0 of a model"):
        null_drift(Odd("constant"), grid=[(20, 2), (20, 3)])
