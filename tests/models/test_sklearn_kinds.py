"""Every kind of model that scikit-learn has, alone and inside others."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import DBSCAN, KMeans, MeanShift
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import load_diabetes, load_iris, make_classification
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    RANSACRegressor,
    Ridge,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import ClassifierChain
from sklearn.neighbors import KernelDensity, KNeighborsClassifier, LocalOutlierFactor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags
from sklearn.utils.discovery import all_estimators

from sksim.functional import (
    Disagreement,
    JensenShannonDivergence,
    KrippendorffAlpha,
    RankCorrelation,
)
from sksim.models import extract_outputs, extract_representations, input_gradients
from sksim.models._extract import last_representation
from sksim.models._layer import NoRepresentation
from sksim.pairwise import compare, layer_similarity_matrix, similarity_matrix
from sksim.plot import ModelMapDisplay, RepresentationDisplay
from sksim.rsm import CKA

X, Y = load_iris(return_X_y=True)
X, Y = X[::3], Y[::3]

# ----- all of scikit-learn's estimators -----------------------------------------------

KINDS = ("classifier", "regressor", "cluster", "transformer")
# what takes something else than rows of several features
NOT_OF_ROWS = {
    "DictVectorizer",
    "FeatureHasher",
    "HashingVectorizer",
    "IsotonicRegression",
    "KernelCenterer",
    "LabelBinarizer",
    "LabelEncoder",
    "MultiLabelBinarizer",
    "PatchExtractor",
    "SparseCoder",
}
SMALL = {
    "random_state": 0,
    "max_iter": 5,
    "n_estimators": 3,
    "n_init": 1,
    "cv": 2,
    "n_quantiles": 10,
    "max_n_alphas": 3,
    "max_subpopulation": 10,
    "thresholds": 5,
}
OF_ONE = {
    "OrthogonalMatchingPursuitCV": {"max_iter": 3},
    "RANSACRegressor": {"min_samples": 10, "max_trials": 100},
    "GaussianRandomProjection": {"n_components": 2},
    "SparseRandomProjection": {"n_components": 2},
    "TSNE": {"max_iter": 250, "perplexity": 5},
}
TWO = np.column_stack([Y, Y[::-1] > 0]).astype(int)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    CASES = {
        name: kind
        for kind in KINDS
        for name, _ in all_estimators(type_filter=kind)
        if name not in NOT_OF_ROWS
    }


def instance(name):
    """An estimator with what it needs, small."""
    cls = dict(all_estimators())[name]
    is_regressor = name.endswith(("Regressor", "RegressorChain"))
    inner = Ridge() if is_regressor else LogisticRegression(max_iter=500)
    offered = SMALL | {
        "estimator": inner,
        "estimators": [("a", inner), ("b", clone(inner).set_params(C=0.1))]
        if not is_regressor
        else [("a", inner), ("b", clone(inner).set_params(alpha=10))],
        "transformers": [("a", StandardScaler(), [0, 1])],
        "transformer_list": [("a", StandardScaler())],
    }
    offered |= OF_ONE.get(name, {})
    known = inspect.signature(cls).parameters
    return cls(**{name: value for name, value in offered.items() if name in known})


def target_of(name, model):
    if name.endswith(("ThresholdClassifier", "ThresholdClassifierCV")):
        return (Y > 0).astype(int)
    if name in ("ClassifierChain", "RegressorChain"):
        return TWO > 0
    tags = get_tags(model).target_tags
    if not tags.single_output or name in ("CCA", "PLSCanonical", "PLSSVD"):
        return TWO
    return Y + 1 if tags.positive_only or name == "GammaRegressor" else Y


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_behind_a_scaler_a_model_is_what_it_is_alone(name):
    model = instance(name)
    takes_no_signs = get_tags(model).input_tags.positive_only
    if takes_no_signs or name in ("SkewedChi2Sampler", "StandardScaler"):
        scaler = MinMaxScaler()
    else:
        scaler = StandardScaler()
    Z, y = scaler.fit_transform(X), target_of(name, model)
    alone, pipeline = clone(model).fit(Z, y), make_pipeline(scaler, model).fit(X, y)
    check_outputs(alone, Z, pipeline)
    try:
        expected = extract_representations(alone, Z)
    except NoRepresentation as error:
        with pytest.raises(NoRepresentation, match=str(error)):
            last_representation(pipeline, X)
        assert not any(
            hasattr(alone, method)
            for method in ("transform", "decision_function", "predict_proba")
        )
        return
    layers = extract_representations(pipeline, X)
    first, *others = layers
    assert first == type(scaler).__name__.lower()
    assert_array_equal(layers[first], Z)
    step = name.lower()
    # a step that does nothing but transform goes by its own name
    names = [step] if others == [step] else [f"{step}.{n}" for n in expected]
    assert others == names
    assert others != [step] or list(expected) == ["transform"]
    for name, array in zip(names, expected.values(), strict=True):
        assert_close(layers[name], array)
        assert array.ndim == 2
        assert array.dtype.kind in "biuf"
    name, array = last_representation(pipeline, X)
    alone_name, alone_array = last_representation(alone, Z)
    assert name == names[list(expected).index(alone_name)]
    assert_close(array, alone_array)


def assert_close(a, b):
    # products of matrices round in another way where memory is laid out in another
    assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def check_outputs(alone, Z, pipeline):
    """Both give the answers of the model's own methods."""
    methods = ("predict", "predict_proba", "decision_function", "transform")
    if not any(hasattr(alone, method) for method in methods):
        with pytest.raises(ValueError, match="no outputs to compare"):
            extract_outputs(pipeline, X)
        return
    outputs = extract_outputs(alone, Z)
    for key, output in extract_outputs(pipeline, X).items():
        if output.dtype.kind == "f":
            assert_close(output, outputs[key])
        else:
            assert_array_equal(output, outputs[key])
    assert list(outputs) == list(extract_outputs(pipeline, X))
    if hasattr(alone, "predict"):
        predicted = outputs["labels" if "labels" in outputs else "predictions"]
        assert_array_equal(predicted, alone.predict(Z))
    if hasattr(alone, "decision_function"):
        assert_array_equal(outputs["scores"], alone.decision_function(Z))
    if "probabilities" in outputs:
        assert_array_equal(outputs["probabilities"], alone.predict_proba(Z))
    elif hasattr(alone, "predict_proba"):
        assert_array_equal(TWO.shape, outputs["labels"].shape)
        for target in range(2):
            P = outputs[f"probabilities[{target}]"]
            assert_allclose(P.sum(axis=1), 1)


# ----- what stands for a model inside others ------------------------------------------

XB, YB = make_classification(120, 8, n_informative=4, n_redundant=0, random_state=0)
NOISE = np.random.default_rng(0).integers(0, 2, len(YB))
QUICK = {"n_permutations": 0, "confidence_level": None}


def scaled(model):
    return make_pipeline(StandardScaler(), model)


def value(a, b, data, measure="CKA"):
    return compare(a, b, data, measures=[measure], **QUICK).to_frame()["value"][0]


def cka(a, b):
    return CKA().fit(a[:, None], b[:, None]).score_


@pytest.mark.parametrize(
    "wrap",
    [
        scaled,
        lambda model: make_pipeline(StandardScaler(), PCA(7), model),
        lambda model: Pipeline([("in", scaled(PCA(7))), ("out", scaled(model))]),
        lambda model: make_pipeline(
            FeatureUnion([("a", StandardScaler()), ("b", PCA(2))]), model
        ),
        lambda model: make_pipeline(
            ColumnTransformer([("a", StandardScaler(), [0, 1, 2, 3])]), model
        ),
        lambda model: GridSearchCV(scaled(model), {}, cv=2),
        lambda model: scaled(GridSearchCV(model, {}, cv=2)),
        lambda model: CalibratedClassifierCV(scaled(model), cv=2),
        lambda model: CalibratedClassifierCV(scaled(model), cv=2, ensemble=False),
        lambda model: scaled(CalibratedClassifierCV(model, cv=2)),
        lambda model: FixedThresholdClassifier(scaled(model), threshold=0.3),
        lambda model: scaled(TunedThresholdClassifierCV(model, cv=2, thresholds=5)),
        lambda model: VotingClassifier([("a", scaled(model))]),
        lambda model: StackingClassifier([("a", scaled(model))], cv=2),
        lambda model: scaled(StackingClassifier([("a", model)], cv=2)),
        lambda model: RFE(model, n_features_to_select=6),
    ],
)
@pytest.mark.parametrize(
    "model", [LogisticRegression(), DecisionTreeClassifier(max_depth=2, random_state=0)]
)
def test_models_of_true_and_random_labels_are_not_alike(wrap, model):
    a, b = (wrap(clone(model)).fit(XB, labels) for labels in (YB, NOISE))
    assert value(a, b, XB) < 0.35
    assert value(a, a, XB) == pytest.approx(1)


def test_a_pipeline_is_what_its_last_step_is():
    Z = StandardScaler().fit_transform(XB)
    a, b = (LogisticRegression().fit(Z, labels) for labels in (YB, NOISE))
    in_pipelines = (scaled(LogisticRegression()).fit(XB, t) for t in (YB, NOISE))
    expected = cka(a.decision_function(Z), b.decision_function(Z))
    assert value(*in_pipelines, XB) == pytest.approx(expected, rel=1e-9)


def test_hidden_layers_are_found_behind_wrappers():
    mlp = MLPClassifier((5,), max_iter=20, random_state=0)
    Z = StandardScaler().fit_transform(XB)
    with pytest.warns(Warning, match="converge"):
        fitted = clone(mlp).fit(Z, YB)
        in_pipeline = scaled(clone(mlp)).fit(XB, YB)
    expected = extract_representations(fitted, Z)["hidden_1"]
    wrapped = {
        "mlpclassifier.hidden_1": in_pipeline,
        "hidden_1": FrozenEstimator(fitted),
    }
    for name, model in wrapped.items():
        rows = XB if model is in_pipeline else Z
        assert_close(last_representation(model, rows)[1], expected)
        assert last_representation(model, rows)[0] == name
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted)).fit(Z, YB)
    threshold = FixedThresholdClassifier(FrozenEstimator(fitted)).fit(Z, YB)
    for model in (calibrated, threshold):
        layers = extract_representations(model, Z)
        assert list(layers) == ["hidden_1", "output"]
        assert_close(layers["hidden_1"], expected)
        assert_close(layers["output"], model.predict_proba(Z))
        assert last_representation(model, Z)[0] == "hidden_1"


def test_members_and_what_they_are_handed_to():
    members = [("a", LogisticRegression()), ("b", LinearSVC(random_state=0))]
    final = DecisionTreeClassifier(max_depth=2, random_state=0)
    for passthrough in (False, True):
        stack = StackingClassifier(members, final, cv=2, passthrough=passthrough)
        stack.fit(XB, YB)
        layers = extract_representations(stack, XB)
        assert list(layers) == ["members", "final_estimator.leaves", "output"]
        a, b = stack.estimators_
        expected = np.column_stack([a.predict_proba(XB)[:, 1], b.decision_function(XB)])
        assert_close(layers["members"], expected)
        assert last_representation(stack, XB)[0] == "final_estimator.leaves"
    vote = VotingClassifier([("a", LogisticRegression()), ("b", LinearSVC())])
    layers = extract_representations(vote.fit(XB, YB), XB)
    assert list(layers) == ["members"]
    expected = [vote.estimators_[0].predict_proba(XB)]
    expected += [vote.estimators_[1].decision_function(XB)[:, None]]
    assert_close(layers["members"], np.hstack(expected))


def test_votes_of_members_that_only_predict_are_zeros_and_ones():
    code = OutputCodeClassifier(LinearSVC(), random_state=0)
    names = np.array(["x", "y", "z"])[Y]
    vote = VotingClassifier([("a", code), ("b", clone(code))]).fit(X, names)
    members = extract_representations(vote, X)["members"]
    numbers = vote.estimators_[0].predict(X)
    assert_array_equal(members[:, :3], np.eye(3)[numbers])


def test_selected_columns_are_no_representation_of_the_model_behind():
    model = RFE(LogisticRegression(), n_features_to_select=3).fit(XB, YB)
    layers = extract_representations(model, XB)
    assert list(layers) == ["transform", "decision_function", "output"]
    assert last_representation(model, XB)[0] == "decision_function"
    forest = RFE(RandomForestClassifier(3), n_features_to_select=3).fit(XB, YB)
    assert last_representation(forest, XB)[0] == "trees"


def test_wrappers_of_regressors():
    D, t = load_diabetes(return_X_y=True)
    model = TransformedTargetRegressor(
        scaled(Ridge()), func=np.log, inverse_func=np.exp
    )
    layers = extract_representations(model.fit(D, t), D)
    assert list(layers) == ["standardscaler", "output"]
    assert_close(layers["output"][:, 0], model.predict(D))
    consensus = RANSACRegressor(random_state=0).fit(D, t)
    assert list(extract_representations(consensus, D)) == ["output"]


def test_tables_reach_inner_models_as_in_fit():
    D, t = load_diabetes(return_X_y=True, as_frame=True)
    network = MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0)
    model = RANSACRegressor(network, min_samples=100, random_state=0)
    trees = CalibratedClassifierCV(RandomForestClassifier(3), ensemble=False)
    threshold = FixedThresholdClassifier(scaled(RandomForestClassifier(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for fitted in (
            model.fit(D, t),
            trees.fit(D, t > 150),
            threshold.fit(D, t > 150),
        ):
            assert hasattr(fitted, "feature_names_in_")
    assert extract_representations(model, D)["hidden_1"].shape == (len(D), 3)
    assert list(extract_representations(trees, D)) == ["trees", "output"]
    layers = list(extract_representations(threshold, D))
    assert layers[:2] == ["standardscaler", "randomforestclassifier.trees"]


def test_an_inner_model_of_other_columns_is_left_alone():
    class Squared(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            self.n_features_in_ = X.shape[1]
            self.estimator_ = MLPClassifier((2,), max_iter=5, random_state=0)
            self.estimator_.fit(np.hstack([X, X**2]), y)
            self.classes_ = self.estimator_.classes_
            return self

        def predict(self, X):
            return self.classes_[self.predict_proba(X).argmax(axis=1)]

        def predict_proba(self, X):
            return self.estimator_.predict_proba(np.hstack([X, X**2]))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = Squared().fit(XB, YB)
    layers = extract_representations(model, XB)
    assert list(layers) == ["output"]
    assert_close(layers["output"], model.predict_proba(XB))


def test_transformers_and_clusterers_as_last_steps():
    model = make_pipeline(StandardScaler(), PCA(3), "passthrough").fit(X)
    assert last_representation(model, X)[0] == "pca"
    assert list(extract_representations(model, X)) == ["standardscaler", "pca"]
    union = make_pipeline(MinMaxScaler(), FeatureUnion([("a", PCA(2))])).fit(X)
    assert last_representation(union, X)[0] == "featureunion"
    clusters = scaled(KMeans(3, n_init=1, random_state=0)).fit(X)
    name, array = last_representation(clusters, X)
    assert name == "kmeans"
    assert_close(array, clusters.transform(X))
    nothing = make_pipeline("passthrough", None).fit(X)
    assert_array_equal(last_representation(nothing, X)[1], X)


def test_names_of_steps_are_no_patterns():
    steps = [("a[0]", StandardScaler()), ("m*[1]", LogisticRegression())]
    model = Pipeline(steps).fit(XB, YB)
    assert last_representation(model, XB)[0] == "m*[1].decision_function"
    assert list(extract_representations(model, XB, "a[0]")) == ["a[0]"]


def test_steps_that_only_draw_rows_are_passed_over():
    class Sampler(BaseEstimator):
        def fit_resample(self, X, y):
            return X, y

        def fit(self, X, y=None):
            return self

    pipeline = scaled(LogisticRegression()).fit(XB, YB)
    expected = extract_representations(pipeline, XB)
    pipeline.steps.insert(1, ("sampler", Sampler()))
    layers = extract_representations(pipeline, XB)
    assert list(layers) == list(expected)
    assert_close(last_representation(pipeline, XB)[1], list(expected.values())[1])


# ----- two views that are the same input ----------------------------------------------


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (StandardScaler(), MinMaxScaler()),
        (StandardScaler(), scaled(RobustScaler())),
        (SelectKBest(k=3), MinMaxScaler()),
        (FunctionTransformer(), make_pipeline(StandardScaler(with_mean=False))),
        (ColumnTransformer([("a", StandardScaler(), [3, 1])]), StandardScaler()),
    ],
)
def test_two_scaled_inputs_warn(a, b):
    a, b = a.fit(X, Y), b.fit(X, Y)
    with pytest.warns(UserWarning, match="the same input"):
        compare(a, b, X, measures=["CKA"], **QUICK).to_frame()
    with pytest.warns(UserWarning, match="the same input"):
        RepresentationDisplay.from_estimators(a, b, X)
    with pytest.warns(UserWarning, match="the same input"):
        ModelMapDisplay.from_estimators("CKA", {"a": a, "b": b, "c": PCA().fit(X)}, X)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (StandardScaler(), PCA(3)),
        (StandardScaler(), KMeans(3, n_init=1, random_state=0)),
        (PCA(3), PCA(2)),
        (FunctionTransformer(lambda X: X ** [1, 2, 1, 1]), StandardScaler()),
        (FunctionTransformer(lambda X: X[:, :2] ** [1, 2]), StandardScaler()),
        (LogisticRegression(max_iter=500), StandardScaler()),
    ],
)
def test_others_do_not(a, b):
    table = compare(a.fit(X, Y), b.fit(X, Y), X, measures=["CKA"], **QUICK).to_frame()
    assert np.isfinite(table["value"][0])


def test_sparse_inputs_are_inputs_too():
    S = sparse.csr_array(X * (X > 2))
    a, b = MaxAbsScaler().fit(S), StandardScaler(with_mean=False).fit(S)
    with pytest.warns(UserWarning, match="the same input"):
        value(a, b, S)
    model = make_pipeline(MaxAbsScaler(), LogisticRegression(max_iter=500)).fit(S, Y)
    assert value(model, a, S) < 1


def test_a_constant_column_is_no_evidence():
    D = np.column_stack([X, np.full(len(X), 0.1)])
    a, b = StandardScaler().fit(D), MinMaxScaler().fit(D)
    with pytest.warns(UserWarning, match="the same input"):
        value(a, b, D)
    added = FunctionTransformer(lambda D: np.column_stack([D, np.full(len(D), 0.1)]))
    with pytest.warns(UserWarning, match="the same input"):
        value(added.fit(X), StandardScaler().fit(X), X)
    D = D.astype(np.float32)
    with pytest.warns(UserWarning, match="the same input"):
        value(StandardScaler().fit(D), MinMaxScaler().fit(D), D)


# ----- outputs are the outermost model's ----------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: GridSearchCV(model, {}, cv=2),
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: FixedThresholdClassifier(model, threshold=0.9),
        lambda model: TunedThresholdClassifierCV(model, cv=2, thresholds=5),
        lambda model: FrozenEstimator(model.fit(XB, YB)),
        lambda model: FixedThresholdClassifier(scaled(model), threshold=0.9),
        lambda model: scaled(FixedThresholdClassifier(model, threshold=0.9)),
    ],
)
def test_outputs_of_wrapped_classifiers(wrap):
    model = wrap(LogisticRegression()).fit(XB, YB)
    outputs = extract_outputs(model, XB)
    assert_array_equal(outputs["labels"], model.predict(XB))
    assert_array_equal(outputs["probabilities"], model.predict_proba(XB))
    plain = LogisticRegression().fit(XB, YB)
    expected = np.mean(model.predict(XB) != plain.predict(XB))
    assert value(model, plain, XB, "Disagreement") == pytest.approx(expected)
    layers = extract_representations(model, XB, "*output")
    assert_close(list(layers.values())[-1], model.predict_proba(XB))


def test_a_threshold_changes_labels_only():
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.9).fit(XB, YB)
    plain = LogisticRegression().fit(XB, YB)
    assert value(model, plain, XB, "Disagreement") > 0.1
    assert value(model, plain, XB, "JensenShannonDivergence") == 0


def test_predictions_are_in_the_targets_own_units():
    D, t = load_diabetes(return_X_y=True)
    model = TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp)
    model.fit(D, t)
    assert_array_equal(extract_outputs(model, D)["predictions"], model.predict(D))
    search = GridSearchCV(scaled(model), {}, cv=2).fit(D, t)
    assert_array_equal(extract_outputs(search, D)["predictions"], search.predict(D))
    measure = RankCorrelation.from_estimators(model, search, D)
    expected = RankCorrelation().fit(model.predict(D), search.predict(D))
    assert measure.score_ == expected.score_


# ----- models that only predict, of several targets, without targets ------------------


def notes(a, b, data, y_true=None, measures="functional"):
    return (
        compare(a, b, data, y_true, measures=measures, **QUICK)
        .to_frame()
        .set_index("measure")
    )


def test_models_that_only_predict():
    a = OutputCodeClassifier(LinearSVC(), random_state=0).fit(XB, YB)
    b = OutputCodeClassifier(LinearSVC(), random_state=0).fit(XB, NOISE)
    for model in (a, scaled(clone(a)).fit(XB, YB)):
        assert value(model, model, XB, "Disagreement") == 0
    expected = np.mean(a.predict(XB) != b.predict(XB))
    table = notes(a, b, XB, YB, ["functional", "rsm"])
    assert table.loc["Disagreement", "value"] == pytest.approx(expected)
    assert table.loc["CKA", "note"].startswith(
        "not computed: OutputCodeClassifier only predicts"
    )
    probabilities = table.loc["JensenShannonDivergence", "note"]
    assert "no method predict_proba" in probabilities
    reasons = table.note[table.value.isna()]
    assert reasons.str.startswith("not computed: ").all()
    with pytest.raises(ValueError, match="CKA can't be computed: O.*only predicts"):
        value(a, b, XB)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(3, random_state=0),
        KNeighborsClassifier(3),
        MLPClassifier((4,), max_iter=2, random_state=0),
        OneVsRestClassifier(LogisticRegression()),
        ClassifierChain(LogisticRegression()),
        make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression())),
        GridSearchCV(KNeighborsClassifier(3), {}, cv=2),
    ],
)
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_classifiers_of_several_labels(model):
    labels = np.column_stack([YB, NOISE])
    model.fit(XB, labels)
    outputs = extract_outputs(model, XB, batch_size=50)
    assert_array_equal(outputs["labels"], model.predict(XB))
    for target in range(2):
        P = outputs[f"probabilities[{target}]"]
        assert P.shape == (len(XB), 2)
        assert_allclose(P.sum(axis=1), 1)
        assert np.mean(P.argmax(axis=1) == outputs["labels"][:, target]) > 0.9
    table = notes(model, model, XB, YB, ["functional", "rsm"])
    assert table.loc["CKA", "value"] == pytest.approx(1)
    for name in ("Disagreement", "JensenShannonDivergence", "FleissKappa"):
        assert "predicts 2 labels for each row" in table.loc[name, "note"]
    assert "several labels" in table.loc["SaliencySimilarity", "note"]
    assert (table.note != "")[table.value.isna()].all()
    one = outputs["labels"][:, 0]
    assert Disagreement().fit(one, one).distance_ == 0


def test_classifiers_of_several_targets_with_other_classes():
    targets = np.column_stack([Y, Y > 0])
    forest = RandomForestClassifier(3, random_state=0).fit(X, targets)
    outputs = extract_outputs(forest, X)
    assert list(outputs) == ["labels", "probabilities[0]", "probabilities[1]"]
    for target, P in enumerate(forest.predict_proba(X)):
        assert_array_equal(outputs[f"probabilities[{target}]"], P)
    measure = JensenShannonDivergence()
    P = outputs["probabilities[0]"]
    assert measure.fit(P, P).distance_ == 0


def test_regressors_of_several_targets():
    targets = X[:, :3] @ np.diag([1, 2, 3])
    a, b = (m.fit(X, targets) for m in (Ridge(), RandomForestRegressor(3)))
    table = notes(a, b, X, None, ["functional", "rsm"])
    expected = RankCorrelation().fit(a.predict(X), b.predict(X)).score_
    assert table.loc["RankCorrelation", "value"] == pytest.approx(expected)
    assert "3 numbers for each row" in table.loc["Disagreement", "note"]
    assert "3 numbers for each row" in table.loc["FleissKappa", "note"]
    assert np.isfinite(table.loc["CKA", "value"])


def test_predicted_amounts_are_no_names():
    D, t = load_diabetes(return_X_y=True)
    a, b = (Ridge(alpha=alpha).fit(D, t) for alpha in (0.1, 1))
    table = notes(a, b, D, t)
    assert "level='interval'" in table.loc["KrippendorffAlpha", "note"]
    measure = KrippendorffAlpha.from_estimators([a, b], D, level="interval")
    assert 0 < measure.score_ < 1


def test_models_are_asked_once_for_all_measures_alike():
    class Counting(LogisticRegression):
        n_calls = 0

        def predict(self, X):
            type(self).n_calls += 1
            return super().predict(X)

    model = Counting().fit(XB, YB)
    measures = ["Disagreement", "CohenKappa", "FleissKappa", "DoubleFault"]
    table = compare(model, model, XB, YB, measures=measures, **QUICK).to_frame()
    assert Counting.n_calls == 2
    table = table.set_index("measure")
    assert table.loc["Disagreement", "value"] == 0
    assert table.loc["CohenKappa", "value"] == table.loc["FleissKappa", "value"] == 1
    errors = np.mean(model.predict(XB) != YB)
    assert table.loc["DoubleFault", "value"] == pytest.approx(errors)


def test_one_target_is_a_vector():
    D, t = load_diabetes(return_X_y=True)
    a, b = LinearRegression().fit(D, t[:, None]), Lasso().fit(D, t)
    expected = RankCorrelation().fit(a.predict(D)[:, 0], b.predict(D)).score_
    assert value(a, b, D, "RankCorrelation") == expected
    assert extract_outputs(a, D)["predictions"].shape == t.shape

    class Upright(LogisticRegression):
        def predict(self, X):
            return super().predict(X)[:, None]

    upright, plain = (m().fit(XB, YB) for m in (Upright, LogisticRegression))
    assert value(upright, plain, XB, "Disagreement") == 0
    assert extract_outputs(upright, XB)["labels"].shape == YB.shape
    assert_allclose(input_gradients(upright, XB), input_gradients(plain, XB))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (
            IsolationForest(n_estimators=5, random_state=0),
            EllipticEnvelope(random_state=0),
        ),
        (LocalOutlierFactor(novelty=True), scaled(EllipticEnvelope(random_state=0))),
    ],
)
def test_outlier_detectors(a, b):
    a, b = a.fit(XB), b.fit(XB)
    outputs = extract_outputs(a, XB)
    assert list(outputs) == ["labels", "scores"]
    table = notes(a, b, XB, YB, ["functional", "rsm"])
    expected = np.mean(a.predict(XB) != b.predict(XB))
    assert table.loc["Disagreement", "value"] == pytest.approx(expected)
    expected = cka(*(m.decision_function(XB) for m in (a, b)))
    assert table.loc["CKA", "value"] == pytest.approx(expected)
    expected = RankCorrelation().fit(*(m.decision_function(XB) for m in (a, b))).score_
    assert table.loc["RankCorrelation", "value"] == pytest.approx(expected)
    assert "outlier detector and no classifier" in table.loc["DecisionDistance", "note"]


def test_gradients_of_an_outlier_detector_are_those_of_its_score():
    detector = EllipticEnvelope(random_state=0).fit(XB)
    # minus the squared distance of Mahalanobis
    expected = -2 * (XB - detector.location_) @ detector.precision_
    assert_allclose(input_gradients(detector, XB), expected, atol=1e-6)


def test_leaves_of_an_isolation_forest():
    forest = IsolationForest(n_estimators=4, max_features=2, random_state=0).fit(X)
    leaves = extract_representations(forest, X, "leaves")["leaves"]
    assert_array_equal(leaves.sum(axis=1), 4)
    assert leaves.shape[1] == sum(t.get_n_leaves() for t in forest.estimators_)


def test_clusters_are_numbered_in_any_order():
    a, b = (KMeans(3, n_init=1, random_state=r).fit(X) for r in (0, 1))
    assert_array_equal(extract_outputs(a, X)["labels"], a.predict(X))
    assert value(a, a, X, "Disagreement") == 0
    with pytest.warns(UserWarning, match="KMeans numbers its clusters"):
        value(a, b, X, "Disagreement")
    with pytest.raises(ValueError, match="names and no amounts"):
        RankCorrelation.from_estimators(a, b, X)
    expected = CKA().fit(a.transform(X), b.transform(X)).score_
    assert value(a, b, X) == pytest.approx(expected)
    with pytest.raises(ValueError, match="numbers of its clusters are names"):
        input_gradients(a, X)
    mixture = GaussianMixture(2, random_state=0).fit(X)
    outputs = extract_outputs(mixture, X)
    assert list(outputs) == ["labels", "probabilities"]
    assert last_representation(mixture, X)[0] == "output"
    assert (
        "only predicts"
        in notes(*[MeanShift(bandwidth=2).fit(X)] * 2, X, measures="rsm").loc[
            "CKA", "note"
        ]
    )
    scores = extract_outputs(KernelDensity().fit(X), X)
    assert list(scores) == ["scores"]


def test_what_knows_only_the_rows_of_fit():
    for model in (DBSCAN(), LocalOutlierFactor()):
        with pytest.raises(ValueError, match="no transform, decision_function or pred"):
            value(model.fit(X), model, X)
        table = notes(model, model, X)
        assert table.value.isna().all()
        assert table.note.str.startswith("not computed: ").all()


def test_kinds_are_told_by_type():
    class Odd:
        """A regressor by its type alone, with an attribute of classifiers."""

        _estimator_type = "regressor"
        classes_ = (0, 1)

        def fit(self, X, y):
            self.mean_ = np.mean(y)
            return self

        def predict(self, X):
            return self.mean_ + np.asarray(X)[:, 0] ** 2

    class Bare:
        """A classifier that inherits from nothing."""

        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return self.classes_[(np.asarray(X)[:, 0] > 0).astype(int)]

    odd = Odd().fit(XB, YB)
    assert list(extract_outputs(odd, XB)) == ["predictions"]
    assert last_representation(odd, XB)[0] == "output"
    ridge = Ridge().fit(XB, YB)
    assert np.isfinite(value(odd, ridge, XB, "RankCorrelation"))
    with pytest.raises(ValueError, match="Odd predicts fractions, and another"):
        Disagreement.from_estimators(odd, LogisticRegression().fit(XB, YB), XB)
    bare = Bare().fit(XB, YB)
    assert list(extract_outputs(bare, XB)) == ["labels"]
    assert value(bare, bare, XB, "Disagreement") == 0


# ----- text and categories ------------------------------------------------------------

TEXTS = ["good day", "bad day", "good film", "bad film", "nice film", "awful day"] * 5
NAMES = np.array(["pos", "neg"] * 15)
TABLE = pd.DataFrame({"c": list("abc") * 10, "x": np.linspace(0, 1, 30) ** 2})


@pytest.mark.parametrize("container", [list, np.array, pd.Series])
def test_text(container):
    texts = container(TEXTS)
    a, b = (
        make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
        for labels in (NAMES, np.roll(NAMES, 15 // 2 * 2 + 1))
    )
    table = notes(a, b, texts, NAMES, ["functional", "rsm"])
    vectors = a[0].transform(TEXTS)
    expected = cka(*(m[1].decision_function(vectors) for m in (a, b)))
    assert table.loc["CKA", "value"] == pytest.approx(expected)
    expected = np.mean(a.predict(texts) != b.predict(texts))
    assert table.loc["Disagreement", "value"] == expected
    assert "contains text" in table.loc["SaliencySimilarity", "note"]
    layers = extract_representations(a, texts, batch_size=7)
    assert_allclose(layers["tfidfvectorizer"], vectors.toarray())
    topics = make_pipeline(TfidfVectorizer(), TruncatedSVD(2)).fit(texts)
    assert value(topics, topics, texts) == pytest.approx(1)


def test_categories():
    def model(last):
        encode = ColumnTransformer([("c", OneHotEncoder(), ["c"])], remainder="drop")
        scale = ColumnTransformer([("x", StandardScaler(), ["x"])])
        return make_pipeline(FeatureUnion([("c", encode), ("x", scale)]), last)

    a, b = (model(m).fit(TABLE, NAMES) for m in (LogisticRegression(), SVC()))
    assert np.isfinite(value(a, b, TABLE))
    assert value(a, a, TABLE, "Disagreement") == 0
    layers = extract_representations(a, TABLE, batch_size=7)
    assert layers["featureunion"].shape == (30, 4)


@pytest.mark.parametrize("batch_size", [None, 29])
def test_layers_of_tables_and_texts_in_one_pass(batch_size):
    encode = ColumnTransformer([("c", OneHotEncoder(), ["c"])], remainder="passthrough")
    a, b = (make_pipeline(encode, m) for m in (LogisticRegression(), SVC()))
    layers = [
        extract_representations(m.fit(TABLE, NAMES), TABLE, "*.*") for m in (a, b)
    ]
    result = layer_similarity_matrix(
        "CKA", a, b, TABLE, layers="*.*", batch_size=batch_size
    )
    assert_allclose(result.scores, similarity_matrix("CKA", *layers), atol=1e-9)
    # the last row alone is no batch: it joins the one before
    result = layer_similarity_matrix("MinibatchCKA", a, b, TABLE, batch_size=29)
    assert result.n_samples == len(TABLE)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, NAMES)
    result = layer_similarity_matrix("CKA", model, None, TEXTS, batch_size=batch_size)
    layers = extract_representations(model, TEXTS)
    assert_allclose(result.scores, similarity_matrix("CKA", layers), atol=1e-9)


def test_steps_that_give_text_are_no_representation():
    model = make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore"),
        LogisticRegression(),
    ).fit(TABLE, NAMES)
    layers = extract_representations(model, TABLE)
    assert next(iter(layers)) == "onehotencoder"
    with pytest.raises(ValueError, match="'simpleimputer' holds text.*after the step"):
        extract_representations(model, TABLE, "simpleimputer")
    numbers = make_pipeline(FunctionTransformer(lambda T: T.astype(object)), Ridge())
    numbers.fit(TABLE[["x"]], np.arange(30.0))
    first = extract_representations(numbers, TABLE[["x"]])["functiontransformer"]
    assert first.dtype == float


# ----- what is no estimator -----------------------------------------------------------


def test_native_models_are_refused_by_the_name_of_the_adapter():
    class Booster:
        def predict(self, matrix):
            return matrix

    model, estimator = Booster(), LogisticRegression().fit(XB, YB)
    for call in (
        lambda: extract_outputs(model, XB),
        lambda: extract_representations(model, XB),
        lambda: compare(model, estimator, XB, measures=["CKA"]).to_frame(),
        lambda: Disagreement.from_estimators(estimator, model, XB),
        lambda: input_gradients(model, XB),
    ):
        with pytest.raises(ValueError, match=r"got Booster.*models\.CallableModel"):
            call()
    with pytest.raises(ValueError, match="the class LogisticRegression: pass a fitted"):
        extract_outputs(LogisticRegression, XB)


@pytest.mark.parametrize("measures", ["Disagreement", "CKA", "functional"])
@pytest.mark.parametrize(
    ("model", "message"),
    [
        (LogisticRegression(), "LogisticRegression instance is not fitted"),
        (GridSearchCV(Ridge(), {}), "GridSearchCV instance is not fitted"),
        (LogisticRegression, "b is the class LogisticRegression: pass a fitted"),
        (object(), "b must be a fitted scikit-learn estimator.*got object"),
    ],
)
def test_no_measure_takes_what_is_no_fitted_model(model, message, measures):
    estimator = LogisticRegression().fit(XB, YB)
    with pytest.raises(ValueError, match=message):
        compare(estimator, model, XB, measures=measures, **QUICK).to_frame()
    with pytest.raises(ValueError, match="not fitted|the class|no method predict"):
        Disagreement.from_estimators(estimator, model, XB)
