"""Boosted trees of xgboost, lightgbm and catboost, where they are installed."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksim.functional import Disagreement, RankCorrelation
from sksim.models import extract_outputs, extract_representations, input_gradients
from sksim.models._extract import last_representation
from sksim.pairwise import compare
from sksim.rsm import CKA

X, Y = load_iris(return_X_y=True)
D, T = load_diabetes(return_X_y=True)
N_ROUNDS = 4


def xgboost_model(task, **params):
    library = pytest.importorskip("xgboost")
    cls = library.XGBRegressor if task == "regression" else library.XGBClassifier
    return cls(n_estimators=N_ROUNDS, **params)


def lightgbm_model(task, **params):
    library = pytest.importorskip("lightgbm")
    cls = library.LGBMRegressor if task == "regression" else library.LGBMClassifier
    return cls(n_estimators=N_ROUNDS, verbose=-1, n_jobs=1, **params)


def catboost_model(task, **params):
    library = pytest.importorskip("catboost")
    of = library.CatBoostRegressor if task == "regression" else None
    cls = of or library.CatBoostClassifier
    fixed = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}
    return cls(iterations=N_ROUNDS, depth=3, **fixed, **params)


LIBRARIES = {
    "xgboost": xgboost_model,
    "lightgbm": lightgbm_model,
    "catboost": catboost_model,
}
MARGINS = {
    "xgboost": {"output_margin": True},
    "lightgbm": {"raw_score": True},
    "catboost": {"prediction_type": "RawFormulaVal"},
}
TASKS = {"binary": (X, Y > 0), "classes": (X, Y), "regression": (D, T)}


@pytest.fixture(params=LIBRARIES)
def library(request):
    return request.param


def fitted(library, task, **params):
    data, target = TASKS[task]
    return LIBRARIES[library](task, **params).fit(data, np.asarray(target, float) + 0)


@pytest.mark.parametrize("task", TASKS)
def test_stages_add_up_to_the_score(library, task):
    model, data = fitted(library, task), TASKS[task][0]
    stages = extract_representations(model, data, "stages")["stages"]
    margin = model.predict(data, **MARGINS[library])
    n_columns = 3 if task == "classes" else 1
    assert stages.shape == (len(data), N_ROUNDS * n_columns)
    total = stages.reshape(len(data), N_ROUNDS, n_columns).sum(axis=1)
    # xgboost computes in single precision
    margin = margin.reshape(len(data), -1)
    assert_allclose(total, margin, rtol=1e-5, atol=1e-5)
    # each stage is another: none holds the score of those before it
    assert np.linalg.matrix_rank(stages) > n_columns


@pytest.mark.parametrize("task", TASKS)
def test_leaves(library, task):
    model, data = fitted(library, task), TASKS[task][0]
    leaves = extract_representations(model, data, "leaves")["leaves"]
    given = {
        "xgboost": lambda: model.apply(data),
        "lightgbm": lambda: model.predict(data, pred_leaf=True),
        "catboost": lambda: model.calc_leaf_indexes(data),
    }[library]()
    assert_array_equal(leaves.sum(axis=1), given.shape[1])
    together = given[:, None, :] == given[None, :, :]
    assert_array_equal(leaves @ leaves.T, together.sum(axis=2))
    some = extract_representations(model, data[5:9], "leaves")["leaves"]
    assert_array_equal(some, leaves[5:9])


@pytest.mark.parametrize("task", TASKS)
def test_layers_and_outputs(library, task):
    model, data = fitted(library, task), TASKS[task][0]
    layers = extract_representations(model, data, batch_size=60)
    # versions of lightgbm since 4.7 have a decision function
    scored = ["decision_function"] if hasattr(model, "decision_function") else []
    assert list(layers) == ["stages", *scored, "output"]
    outputs = extract_outputs(model, data)
    if task == "regression":
        assert list(outputs) == ["predictions"]
        assert_array_equal(outputs["predictions"], model.predict(data))
        assert_allclose(layers["output"][:, 0], model.predict(data))
    else:
        assert list(outputs) == ["labels", "probabilities"] + ["scores"] * len(scored)
        assert_array_equal(outputs["labels"], np.ravel(model.predict(data)))
        assert_array_equal(outputs["probabilities"], model.predict_proba(data))
        assert_allclose(layers["output"], model.predict_proba(data), rtol=1e-6)
    assert last_representation(model, data)[0] == "stages"


def test_measures_of_regressors(library):
    a, b = fitted(library, "regression"), fitted(library, "regression", learning_rate=1)
    measure = RankCorrelation.from_estimators(a, b, D)
    assert measure.score_ == RankCorrelation().fit(a.predict(D), b.predict(D)).score_
    table = (
        compare(
            a, b, D, T, measures="functional", n_permutations=0, confidence_level=None
        )
        .to_frame()
        .set_index("measure")
    )
    assert "fractions" in table.loc["Disagreement", "note"]
    assert np.isfinite(table.loc["RankCorrelation", "value"])


def test_measures_of_classifiers(library):
    names = np.array(["a", "b", "c"])[Y] if library == "catboost" else Y
    a, b = (
        LIBRARIES[library]("classes", learning_rate=rate).fit(X, labels)
        for rate, labels in ((0.1, names), (0.5, names[::-1]))
    )
    expected = np.mean(np.ravel(a.predict(X)) != np.ravel(b.predict(X)))
    assert expected > 0
    assert Disagreement.from_estimators(a, b, X).distance_ == expected
    measures = ["CKA", "Disagreement", "JensenShannonDivergence"]
    quick = {"n_permutations": 0, "confidence_level": None}
    table = compare(a, b, X, measures=measures, **quick).to_frame().set_index("measure")
    assert table.loc["Disagreement", "value"] == expected
    stages = [extract_representations(m, X, "stages")["stages"] for m in (a, b)]
    assert table.loc["CKA", "value"] == pytest.approx(CKA().fit(*stages).score_)


def test_in_pipelines_and_searches(library):
    inside = make_pipeline(StandardScaler(), LIBRARIES[library]("classes")).fit(X, Y)
    name, stages = last_representation(inside, X)
    alone = LIBRARIES[library]("classes").fit(inside[0].transform(X), Y)
    assert name == f"{inside.steps[-1][0]}.stages"
    expected = extract_representations(alone, inside[0].transform(X))["stages"]
    assert_allclose(stages, expected, rtol=1e-5, atol=1e-6)
    if library != "catboost":
        search = GridSearchCV(LIBRARIES[library]("classes"), {}, cv=2).fit(X, Y)
        assert_array_equal(extract_outputs(search, X)["labels"], search.predict(X))
        assert list(extract_representations(search, X))[:1] == ["stages"]


def test_tables(library):
    table = pd.DataFrame(X, columns=list("abcd"))
    model = LIBRARIES[library]("classes").fit(table, Y)
    layers = extract_representations(model, table, ["stages", "leaves"], batch_size=40)
    plain = LIBRARIES[library]("classes").fit(X, Y)
    for name, layer in extract_representations(plain, X, ["stages", "leaves"]).items():
        assert_allclose(layers[name], layer, atol=1e-6)


def test_piecewise_constant(library):
    with pytest.raises(ValueError, match="piecewise constant"):
        input_gradients(fitted(library, "classes"), X)


def test_rounds_after_the_best_are_left_out():
    half = np.arange(len(X)) % 2 == 0
    data = {"eval_set": [(X[half], 2 - Y[half])]}
    model = xgboost_model("classes", early_stopping_rounds=2)
    model.set_params(n_estimators=20).fit(X, Y, verbose=False, **data)
    assert model.best_iteration < model.get_booster().num_boosted_rounds() - 1
    layers = extract_representations(model, X, ["stages", "leaves"])
    assert layers["stages"].shape == (150, 3 * (model.best_iteration + 1))
    total = layers["stages"].reshape(150, -1, 3).sum(axis=1)
    margin = model.predict(X, output_margin=True)
    assert_allclose(total, margin, rtol=1e-5, atol=1e-5)
    assert_array_equal(layers["leaves"].sum(axis=1), 3 * (model.best_iteration + 1))


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_rounds_after_the_best_are_left_out_by_lightgbm_too():
    library = pytest.importorskip("lightgbm")
    model = lightgbm_model("classes").set_params(n_estimators=20)
    stop = library.early_stopping(2, verbose=False)
    model.fit(X, Y, eval_set=[(X[::2], 2 - Y[::2])], callbacks=[stop])
    assert 0 < model.best_iteration_ < 20
    layers = extract_representations(model, X, ["stages", "leaves"])
    assert layers["stages"].shape == (150, 3 * model.best_iteration_)
    total = layers["stages"].reshape(150, -1, 3).sum(axis=1)
    assert_allclose(total, model.predict(X, raw_score=True), atol=1e-10)
    assert_array_equal(layers["leaves"].sum(axis=1), 3 * model.best_iteration_)


def test_boosted_linear_models_have_outputs_only():
    model = fitted("xgboost", "classes", booster="gblinear", updater="coord_descent")
    assert list(extract_representations(model, X)) == ["output"]


def test_native_models_are_refused_by_the_name_of_the_adapter(library):
    model = fitted(library, "classes")
    if library == "catboost":
        pytest.skip("its native model is an estimator")
    native = model.get_booster() if library == "xgboost" else model.booster_
    for call in (
        lambda: extract_outputs(native, X),
        lambda: extract_representations(native, X),
        lambda: Disagreement.from_estimators(model, native, X),
        lambda: compare(native, native, X, measures=["CKA"]).to_frame(),
    ):
        with pytest.raises(ValueError, match=r"got Booster.*models\.CallableModel"):
            call()
