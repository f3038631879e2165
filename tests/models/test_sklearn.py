import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import (
    GaussianProcessClassifier,
    GaussianProcessRegressor,
)
from sklearn.gaussian_process.kernels import RBF
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sksim.models import extract_outputs, extract_representations

X, Y = load_iris(return_X_y=True)
MODELS = [
    MLPClassifier((5, 3), max_iter=20, random_state=0),
    MLPRegressor(hidden_layer_sizes=(5,), max_iter=20, random_state=0),
    RandomForestClassifier(5, random_state=0),
    RandomForestRegressor(5, random_state=0),
    ExtraTreesRegressor(4, random_state=0),
    GradientBoostingClassifier(n_estimators=3),
    GradientBoostingRegressor(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=3),
    HistGradientBoostingRegressor(max_iter=3),
    DecisionTreeClassifier(random_state=0),
    SVC(),
    SVR(),
    LinearSVC(),
    KernelRidge(kernel="rbf"),
    GaussianProcessRegressor(),
    GaussianProcessClassifier(),
    AdaBoostClassifier(n_estimators=3),
    AdaBoostRegressor(n_estimators=3),
    BaggingClassifier(SVC(), n_estimators=3, max_features=2),
    BaggingRegressor(n_estimators=3),
    KNeighborsClassifier(),
    LogisticRegression(max_iter=500),
    Ridge(),
    LinearDiscriminantAnalysis(),
    GaussianNB(),
    PCA(2),
    make_pipeline(StandardScaler(), PCA(3), LogisticRegression()),
    GridSearchCV(Ridge(), {"alpha": [1, 2]}),
]


def fitted(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, Y)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_layers_are_matrices_and_batches_do_not_matter(model):
    model = fitted(model)
    layers = extract_representations(model, X)
    batched = extract_representations(model, X, batch_size=64)
    assert list(layers) == list(batched)
    for name, layer in layers.items():
        assert layer.ndim == 2
        assert len(layer) == len(X)
        assert np.isfinite(layer).all()
        assert_allclose(batched[name], layer, rtol=1e-12, atol=1e-12)
    outputs = extract_outputs(model, X)
    for name, output in extract_outputs(model, X, batch_size=64).items():
        assert_allclose(output, outputs[name], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_mlp_is_exact(activation):
    model = fitted(
        MLPClassifier((5, 4, 3), activation=activation, max_iter=20, random_state=0)
    )
    activations = [X] + [None] * 4
    model._forward_pass(activations)
    layers = extract_representations(model, X)
    assert list(layers) == ["hidden_1", "hidden_2", "hidden_3", "output"]
    for i in range(3):
        assert_allclose(layers[f"hidden_{i + 1}"], activations[i + 1], rtol=1e-13)
    assert_allclose(layers["output"], model.predict_proba(X), rtol=1e-13)


def test_mlp_takes_sparse_rows():
    model = fitted(MLPClassifier((5,), max_iter=20, random_state=0))
    dense = extract_representations(model, X)
    for name, layer in extract_representations(model, sparse.csr_array(X)).items():
        assert_allclose(layer, dense[name], rtol=1e-12)


def test_mlp_checks_the_number_of_features():
    model = fitted(MLPClassifier((5,), max_iter=20, random_state=0))
    with pytest.raises(ValueError, match="features"):
        extract_representations(model, X[:, :2])


def test_forest_trees_average_to_the_forest():
    forest = fitted(RandomForestClassifier(7, random_state=0))
    trees = extract_representations(forest, X)["trees"].reshape(len(X), 7, 3)
    assert_allclose(trees.mean(axis=1), forest.predict_proba(X))
    forest = fitted(RandomForestRegressor(7, random_state=0))
    trees = extract_representations(forest, X)["trees"]
    assert_allclose(trees.mean(axis=1), forest.predict(X))


def test_leaves_are_those_of_apply():
    forest = fitted(RandomForestClassifier(6, random_state=0))
    assert "leaves" not in extract_representations(forest, X)
    leaves = extract_representations(forest, X, layers="leaves")["leaves"]
    assert leaves.shape[1] == sum(t.get_n_leaves() for t in forest.estimators_)
    assert_array_equal(leaves.sum(axis=1), 6)
    same_leaf = forest.apply(X)[:, None, :] == forest.apply(X)[None, :, :]
    assert_array_equal(leaves @ leaves.T, same_leaf.sum(axis=2))


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(3, random_state=0),
        GradientBoostingClassifier(n_estimators=2),
        DecisionTreeClassifier(random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_trees_take_sparse_rows(model):
    model = fitted(model)
    for names in (None, "leaves"):
        dense = extract_representations(model, X, names)
        for name, layer in extract_representations(
            model, sparse.csr_array(X), names, batch_size=64
        ).items():
            assert_allclose(layer, dense[name], rtol=1e-12, atol=1e-12)


def test_several_targets_stand_side_by_side():
    targets = np.column_stack([Y, Y[::-1] > 0])
    forest = RandomForestClassifier(3, random_state=0).fit(X, targets)
    layers = extract_representations(forest, X, batch_size=50)
    assert layers["trees"].shape == (150, 3 * 2 * 3)
    assert_allclose(layers["output"], np.hstack(forest.predict_proba(X)))


def test_columns_of_leaves_do_not_depend_on_the_rows():
    forest = fitted(RandomForestClassifier(3, random_state=0))
    all_rows = extract_representations(forest, X, layers="leaves")["leaves"]
    some = extract_representations(forest, X[5:9], layers="leaves")["leaves"]
    assert_array_equal(some, all_rows[5:9])


@pytest.mark.parametrize(
    "model",
    [
        GradientBoostingClassifier(n_estimators=4),
        HistGradientBoostingClassifier(max_iter=4),
    ],
    ids=lambda model: type(model).__name__,
)
def test_stages_add_up_to_the_decision(model):
    model = fitted(model)
    stages = extract_representations(model, X)["stages"].reshape(len(X), 4, 3)
    assert_allclose(stages.sum(axis=1), model.decision_function(X), atol=1e-12)


def test_stages_of_a_regressor_add_up_to_the_prediction():
    model = fitted(GradientBoostingRegressor(n_estimators=4))
    stages = extract_representations(model, X)["stages"]
    assert_allclose(stages.sum(axis=1), model.predict(X), atol=1e-12)


@pytest.mark.parametrize("kernel", ["rbf", "linear", "poly", "sigmoid"])
def test_kernel_layer_gives_the_decision_of_the_machine(kernel):
    machine = SVR(kernel=kernel, C=0.01).fit(X, Y)
    K = extract_representations(machine, X)["kernel"]
    expected = K @ machine.dual_coef_[0] + machine.intercept_
    assert_allclose(machine.predict(X), expected, rtol=1e-6, atol=1e-6)
    ridge = KernelRidge(kernel=kernel, gamma=0.1).fit(X, Y)
    K = extract_representations(ridge, X)["kernel"]
    assert_allclose(ridge.predict(X), K @ ridge.dual_coef_)


def test_kernel_layer_of_a_gaussian_process():
    process = GaussianProcessRegressor(alpha=1e-3).fit(X, Y)
    K = extract_representations(process, X)["kernel"]
    assert_allclose(process.predict(X), K @ process.alpha_)


def test_kernel_layer_of_a_classifier_by_gaussian_processes():
    kernel = RBF(2.0)
    two = Y < 2
    binary = GaussianProcessClassifier(kernel, optimizer=None).fit(X[two], Y[two])
    layer = extract_representations(binary, X)["kernel"]
    assert_allclose(layer, kernel(X, X[two]))
    many = GaussianProcessClassifier(kernel, optimizer=None).fit(X, Y)
    layer = extract_representations(many, X)["kernel"]
    assert_allclose(layer, np.hstack([kernel(X, X)] * 3))


def test_members_of_ensembles():
    bagging = BaggingRegressor(n_estimators=4, max_features=2, random_state=0)
    members = extract_representations(bagging.fit(X, Y), X)["members"]
    assert members.shape == (150, 4)
    assert_allclose(members.mean(axis=1), bagging.predict(X))
    boosting = AdaBoostClassifier(n_estimators=3).fit(X, Y)
    members = extract_representations(boosting, X)["members"]
    expected = [member.predict_proba(X) for member in boosting.estimators_]
    assert_allclose(members, np.hstack(expected))


def test_kernel_layer_of_a_precomputed_or_callable_kernel():
    K = X @ X.T
    machine = SVC(kernel="precomputed").fit(K, Y)
    layer = extract_representations(machine, K)["kernel"]
    assert_array_equal(layer, K[:, machine.support_])
    machine = SVC(kernel=lambda a, b: a @ b.T).fit(X, Y)
    with pytest.raises(ValueError, match="callable kernel"):
        extract_representations(machine, X, "kernel")
    assert list(extract_representations(machine, X)) == ["decision_function"]


def test_neighbors_on_request():
    model = KNeighborsClassifier(3).fit(X, Y)
    assert list(extract_representations(model, X)) == ["output"]
    graph = extract_representations(model, X, layers="neighbors")["neighbors"]
    assert_array_equal(graph.sum(axis=1), 3)
    assert graph.shape == (150, 150)


def test_pipeline_has_a_layer_for_each_step():
    steps = StandardScaler(), "passthrough", PCA(3), MLPClassifier((4,), max_iter=20)
    model = fitted(make_pipeline(*steps))
    layers = extract_representations(model, X)
    assert list(layers) == [
        "standardscaler",
        "pca",
        "mlpclassifier.hidden_1",
        "mlpclassifier.output",
    ]
    assert_allclose(layers["pca"], model[:-1].transform(X))
    assert_allclose(layers["mlpclassifier.output"], model.predict_proba(X))


def test_pipeline_of_transformers_and_sparse_steps():
    model = fitted(make_pipeline(StandardScaler(), PCA(3)))
    assert list(extract_representations(model, X)) == ["standardscaler", "pca"]
    svd = TruncatedSVD(2).fit(sparse.csr_array(X))
    layers = extract_representations(svd, sparse.csr_array(X))
    assert_allclose(layers["transform"], svd.transform(X))


def test_patterns_choose_layers_in_the_models_order():
    model = fitted(MLPClassifier((5, 4), max_iter=20))
    chosen = extract_representations(model, X, layers=["output", "hidden_*"])
    assert list(chosen) == ["hidden_1", "hidden_2", "output"]
    assert list(extract_representations(model, X, layers="hidden_2")) == ["hidden_2"]
    with pytest.raises(ValueError, match="no layer 'hidden_3'.*hidden_1, hidden_2"):
        extract_representations(model, X, layers=["hidden_3"])


def test_search_stands_for_the_best_model():
    search = fitted(GridSearchCV(Ridge(), {"alpha": [1, 2]}))
    output = extract_representations(search, X)["output"]
    assert_allclose(output[:, 0], search.best_estimator_.predict(X))


def test_frames():
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = RandomForestClassifier(3, random_state=0).fit(frame, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers = extract_representations(model, frame, batch_size=40)
    assert layers["output"].shape == (150, 3)


def test_outputs_by_kind():
    outputs = extract_outputs(fitted(LogisticRegression(max_iter=500)), X)
    assert list(outputs) == ["labels", "probabilities", "scores"]
    assert list(extract_outputs(fitted(LinearSVC()), X)) == ["labels", "scores"]
    assert list(extract_outputs(fitted(Ridge()), X)) == ["predictions"]
    assert list(extract_outputs(fitted(PCA(2)), X)) == ["transform"]


def test_bad_models():
    with pytest.raises(NotFittedError):
        extract_representations(LogisticRegression(), X)
    with pytest.raises(NotFittedError):
        extract_representations(make_pipeline(StandardScaler(), PCA()), X)
    with pytest.raises(ValueError, match="got str"):
        extract_representations("model", X)
    with pytest.raises(ValueError, match="got object"):
        extract_outputs(object(), X)
    with pytest.raises(NotFittedError):
        extract_outputs(LogisticRegression(), X)


def test_progress(capsys):
    model = fitted(LogisticRegression(max_iter=500))
    extract_representations(model, X, batch_size=50, verbose=1)
    assert "batches [" in capsys.readouterr().err
