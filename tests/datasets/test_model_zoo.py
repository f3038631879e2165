"""Models that differ in known ways."""

import json

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from sksim.datasets import ModelZoo, make_model_zoo
from sksim.datasets import _zoo_recipe as recipe

PARTS = (
    *("base", "labels", "shortcut", "augment", "quality", "family", "classical"),
    "copies",
)


def assert_equal_zoos(first, second):
    pd.testing.assert_frame_equal(first.records, second.records)
    for model_id in first.records["model_id"]:
        np.testing.assert_array_equal(
            first.outputs_shifted(model_id), second.outputs_shifted(model_id)
        )
        np.testing.assert_array_equal(first.outputs(model_id), second.outputs(model_id))
        assert first.layers(model_id).keys() == second.layers(model_id).keys()
        for name, layer in first.layers(model_id).items():
            np.testing.assert_array_equal(layer, second.layers(model_id)[name])
    np.testing.assert_array_equal(first.y_true, second.y_true)
    np.testing.assert_array_equal(first.layer_rows, second.layer_rows)
    np.testing.assert_array_equal(first.X, second.X)


# ----- the recipe ---------------------------------------------------------------------


def test_plans_are_complete():
    full = recipe.plans("full", PARTS, 3, 0, share_seeds=False)
    table = pd.DataFrame([vars(plan) for plan in full])
    assert len(table) == 3 * 39
    assert list(table["part"].unique()) == list(PARTS)
    assert len(recipe.plans("quick", recipe.QUICK_PARTS, 5, 0, share_seeds=False)) == 75
    numeric = table[table["part"].isin(["labels", "shortcut", "augment"])]
    for _, levels in numeric.groupby("part")["level"]:
        assert sorted(levels.unique()) == [0, 25, 50, 75, 100]
    assert sorted(table[table["part"] == "quality"]["level"].unique()) == [
        *(50, 100, 200, 400, 800)
    ]


def test_every_model_begins_with_weights_of_its_own():
    full = recipe.plans("full", PARTS, 10, 0, share_seeds=False)
    assert len({plan.init_seed for plan in full}) == len(full)
    assert len({plan.data_seed for plan in full}) == len(full)
    other = recipe.plans("full", PARTS, 10, 1, share_seeds=False)
    assert not {plan.init_seed for plan in full} & {plan.init_seed for plan in other}
    # what a seed is does not depend on how many there are, or on other parts
    few = recipe.plans("full", ["base", "quality"], 2, 0, share_seeds=False)
    assert set(few) <= set(full)
    shared = recipe.plans("full", PARTS, 10, 0, share_seeds=True)
    assert len({plan.init_seed for plan in shared}) == 10


def test_the_hint_says_nothing_on_compared_rows():
    rows = recipe.zoo_rows("digits", 0)
    hinted = np.argmax(rows.hint, axis=1)
    assert np.mean(hinted == rows.y_test) < 0.15
    assert not rows.X_test[:, -10:].any()
    assert rows.X_train.shape == (1000, 74)
    assert rows.X_test.shape == (797, 74)
    assert rows.X_train.dtype == np.float32


@pytest.mark.parametrize("kind", ["digits", "digits-shifted", "digits-noise"])
def test_rows(kind):
    first, second = recipe.zoo_rows(kind, 0), recipe.zoo_rows(kind, 0)
    np.testing.assert_array_equal(first.X_train, second.X_train)
    np.testing.assert_array_equal(first.X_shifted, second.X_shifted)
    moved = np.any(first.X_shifted != first.X_test, axis=1)
    assert 0.8 < np.mean(moved) < 1  # one in nine stays
    assert not np.array_equal(first.X_train, recipe.zoo_rows(kind, 1).X_train)


@pytest.fixture(scope="module")
def small():
    """Two models of 400 rows, two of 100, and two of the base."""
    return make_model_zoo(n_seeds=2, parts=["quality"], data_home=False)


def test_records(small):
    assert small.records["model_id"].tolist() == [
        *("base-0", "base-1", "quality-100-0", "quality-100-1"),
        *("quality-400-0", "quality-400-1"),
    ]
    model_id = "quality-400-1"
    assert list(small.layers(model_id)) == [f"hidden_{k}" for k in range(1, 6)]
    assert small.layers(model_id)["hidden_3"].shape == (300, 64)
    outputs = small.outputs(model_id)
    assert outputs.shape == small.outputs_shifted(model_id).shape == (797, 10)
    assert_allclose(outputs.sum(axis=1), 1)
    accuracy = np.mean(small.labels(model_id) == small.y_true)
    row = small.records.set_index("model_id").loc[model_id]
    assert row["accuracy"] == accuracy
    assert 0.9 < accuracy < row["train_accuracy"] == 1
    assert (row["seed"], row["level"], row["parent"]) == (1, 400, "")
    assert small.recipe["random_state"] == 0
    assert len(small.recipe["hash"]) == 16
    assert small.estimators is None


def test_same_recipe_same_models(small):
    again = make_model_zoo(n_seeds=2, parts=["quality"], data_home=False)
    assert_equal_zoos(small, again)
    assert again.recipe == small.recipe


def test_stored_as_arrays(tmp_path, monkeypatch):
    options = {"n_seeds": 1, "parts": [], "data_home": tmp_path}
    first = make_model_zoo(**options)
    (path,) = (tmp_path / "sksim").iterdir()
    assert first.recipe["hash"] in path.name
    with np.load(path, allow_pickle=False) as file:
        assert json.loads(str(file["records"]))["model_id"] == ["base-0"]
    monkeypatch.setattr("sksim.datasets._model_zoo.make", None)
    assert_equal_zoos(first, make_model_zoo(**options))
    monkeypatch.setattr("numpy.__version__", "99")
    with pytest.raises(TypeError):  # of another version it is made anew
        make_model_zoo(**options)
    monkeypatch.undo()
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match="Delete the file"):
        make_model_zoo(**options)


def test_estimators_are_kept_on_request():
    zoo = make_model_zoo(
        n_seeds=1, parts=["copies"], keep_estimators=True, data_home=False
    )
    assert list(zoo.estimators) == ["base-0", "copies-tuned-0", "copies-distilled-0"]
    copies = zoo.part("copies")
    assert copies["parent"].tolist() == ["base-0"] * 2
    for model_id, model in zoo.estimators.items():
        assert_allclose(model.predict_proba(zoo.X), zoo.outputs(model_id), atol=1e-6)
    tuned, base = zoo.estimators["copies-tuned-0"], zoo.estimators["base-0"]
    close = np.linalg.norm(tuned.coefs_[1] - base.coefs_[1])
    assert 0 < close < 0.5 * np.linalg.norm(base.coefs_[1])


def test_pruned_weights():
    (plan,) = recipe.plans("quick", ["base"], 1, 0, share_seeds=False)
    rows = recipe.zoo_rows("digits", 0)
    base = recipe.make(plan, rows, None, True).estimator
    full = recipe.plans("full", ["copies"], 1, 0, share_seeds=False)
    made = {p.level: recipe.make(p, rows, base, True) for p in full[:3]}
    zeros = [
        np.mean(np.concatenate([w.ravel() for w in m.estimator.coefs_[1:-1]]) == 0)
        for m in made.values()
    ]
    assert 0.2 < zeros[0] < zeros[1] < zeros[2] < 0.8
    assert made["pruned30"].accuracy > made["pruned70"].accuracy
    assert base.coefs_[1].all()


def test_base_stands_in_for_levels_of_a_quick_zoo(small):
    shared = make_model_zoo(n_seeds=1, parts=["augment"], data_home=False)
    levels = shared.part("augment")
    assert levels["model_id"].tolist() == ["base-0", "augment-50-0", "augment-100-0"]
    assert levels["level"].tolist() == [0, 50, 100]
    assert len(small.part("quality")) == 4


def test_bad_arguments():
    with pytest.raises(ValueError, match="parts must be a list of names"):
        make_model_zoo(parts=["noise"])
    with pytest.raises(ValueError, match="'parts' parameter"):
        make_model_zoo(parts="base")
    with pytest.raises(ValueError, match="kind"):
        make_model_zoo("mnist")


# ----- models of one's own ------------------------------------------------------------


def own(**changes):
    rng = np.random.default_rng(0)
    names = list("abcd")
    arguments = {
        "records": {"model_id": names, "part": "base", "level": 0},
        "layers": {name: {"last": rng.normal(size=(6, 3))} for name in names},
        "outputs": {name: rng.dirichlet(np.ones(2), size=6) for name in names},
        "y_true": ["no", "yes"] * 3,
        **changes,
    }
    return ModelZoo.from_arrays(**arguments)


def test_own_models():
    zoo = own(name="mine")
    assert repr(zoo) == "ModelZoo('mine', 4 models: 4 base)"
    labels = zoo.labels("b")
    assert set(labels) <= {"no", "yes"}
    expected = np.mean(labels == ["no", "yes"] * 3)
    assert zoo.records.set_index("model_id").loc["b", "accuracy"] == expected
    assert zoo.layer_rows.tolist() == list(range(6))
    some = own(layers={"a": {"last": np.ones((2, 3))}}, layer_rows=[1, 3], y_true=None)
    assert some.layers("b") == {}
    with pytest.raises(ValueError, match="no outputs_shifted of model 'a'"):
        zoo.outputs_shifted("a")
    with pytest.raises(ValueError, match="no model 'z'"):
        zoo.layers("z")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"records": {"model_id": ["a"], "part": "base"}}, r"columns \['level'\]"),
        (
            {"records": {"model_id": ["a", "a"], "part": "p", "level": 0}},
            "two rows of model 'a'",
        ),
        ({"records": {"model_id": [], "part": [], "level": []}}, "records is empty"),
        ({"layers": {"z": {}}}, "layers has model 'z'"),
        ({"layers": {"a": {"x": np.ones((5, 1))}}}, "layer_rows="),
        (
            {"layers": {"a": {"x": np.ones((5, 1)), "y": np.ones((6, 1))}}},
            r"layers have \[5, 6\] rows",
        ),
        ({"layer_rows": [0, 1]}, "each of the 6 rows of layers"),
        ({"outputs": {"a": np.ones(6)}}, "of one shape"),
        ({"outputs": {"a": np.ones((6, 2))}}, "needs the column 'accuracy'"),
        ({"y_true": [0, 1]}, "one label for each of the 6 rows"),
        ({"y_true": list("abcabc")}, "2 columns, but there are 3 classes"),
    ],
)
def test_own_models_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        own(**changes)


# ----- what was trained (minutes) -----------------------------------------------------

ACCURACY = {
    ("base", ""): 0.977,
    ("labels", 0): 0.97,
    ("labels", 25): 0.83,
    ("labels", 50): 0.62,
    ("labels", 75): 0.37,
    ("labels", 100): 0.12,
    ("shortcut", 0): 0.97,
    ("shortcut", 25): 0.96,
    ("shortcut", 50): 0.95,
    ("shortcut", 75): 0.91,
    ("shortcut", 100): 0.47,
    ("augment", 0): 0.97,
    ("augment", 25): 0.95,
    ("augment", 50): 0.93,
    ("augment", 75): 0.85,
    ("quality", 50): 0.78,
    ("quality", 100): 0.85,
    ("quality", 200): 0.92,
    ("quality", 400): 0.95,
    ("quality", 800): 0.97,
    ("copies", "pruned30"): 0.97,
    ("copies", "pruned50"): 0.92,
    ("copies", "pruned70"): 0.62,
    ("copies", "tuned"): 0.97,
    ("copies", "distilled"): 0.97,
}


@pytest.mark.slow
def test_accuracies_of_a_full_zoo():
    zoo = make_model_zoo("digits", "full", data_home=False, n_jobs=2)
    accuracy = zoo.records.groupby(["part", "level"])["accuracy"].mean()
    for key, expected in ACCURACY.items():
        assert abs(accuracy[key] - expected) < 0.03, key
    assert accuracy["family"].between(0.95, 0.99).all()
    assert accuracy["classical"].between(0.90, 0.99).all()
    assert accuracy["augment", 100] < accuracy["augment", 75]
    # the hint is nothing that helps on the compared rows
    assert accuracy["shortcut", 100] < 0.65


@pytest.mark.slow
def test_jobs_change_no_model():
    options = {"n_seeds": 2, "data_home": False}
    assert_equal_zoos(
        make_model_zoo(n_jobs=1, **options), make_model_zoo(n_jobs=2, **options)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, expected", [("digits-shifted", 0.83), ("digits-noise", 0.79)]
)
def test_harder_kinds_of_data(kind, expected):
    zoo = make_model_zoo(kind, parts=[], data_home=False)
    assert abs(zoo.records["accuracy"].mean() - expected) < 0.03
