"""Hostile input to everything public: a number that is documented, or a refusal.

A few dozen examples for each measure are drawn in the suite, the same in every run.
``SKSIM_HOSTILE_EXAMPLES=1000`` draws more, and other ones in every run.
"""

import os
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from _hostile import (
    CONTAINERS,
    LABELS,
    SAME,
    Refused,
    check_number,
    contained,
    fingerprint,
    label_recipes,
    matrix_recipes,
    named,
    outcome_of,
    pair_recipes,
    probability_recipes,
)
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from joblib import parallel_config
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

from sksim import all_measures
from sksim.alignment import (
    AlignedCosine,
    CorrelationMatch,
    LinearRegressionSimilarity,
    OrthogonalProcrustes,
    PartialWhiteningShapeMetric,
    PermutationProcrustes,
    SoftMatching,
)
from sksim.cca import PWCCA, SVCCA, MeanSquaredCCA
from sksim.functional import (
    CohenKappa,
    Discrepancy,
    ErrorCorrectedDisagreement,
    JensenShannonDivergence,
    KullbackLeibler,
    LabelEntropy,
    MinMaxNormalizedDisagreement,
    PerformanceDifference,
    PredictionDifference,
    RankCorrelation,
    SoftPredictionDifference,
    SurrogateChurn,
)
from sksim.inference import similarity_interval, similarity_test
from sksim.neighbors import (
    CKNNA,
    GraphBasedSimilarity,
    JointRankJaccard,
    MutualKNN,
    NeighborJaccard,
    RankSimilarity,
    SecondOrderCosine,
    TripletAgreement,
)
from sksim.pairwise import compare, similarity_matrix
from sksim.preprocessing import (
    Centering,
    Flatten,
    SpatialPooling,
    TokenPooling,
    UnitFrobeniusNorm,
    UnitRows,
    WidthMatching,
)
from sksim.rsm import (
    CKA,
    GULP,
    HSIC,
    RSA,
    DistanceCorrelation,
    EigenspaceOverlap,
    NormalizedBures,
    RiemannianDistance,
    RSMNormDifference,
)
from sksim.statistics import IntrinsicDimension, Uniformity
from sksim.testing import make_inputs
from sksim.topology import IMD, RTD, GeometryScore, RTDLite

EXAMPLES = os.environ.get("SKSIM_HOSTILE_EXAMPLES")
N_EXAMPLES = int(EXAMPLES or 24)

QUICK = {
    "GeometryScore": {"n_draws": 3, "n_landmarks": 8, "gamma": 0.2},
    "RTD": {"n_subsets": 2, "subset_size": 10},
    "IMD": {"n_neighbors": 3},
    "NeuronGraphModularity": {"n_init": 2},
}
FEW = {"n_neighbors": 3}
VARIANTS = [
    *(CKA(kernel=k) for k in ("rbf", "laplacian", "cosine", "poly", "sigmoid")),
    *(CKA(kernel=k, debias="rows") for k in ("linear", "rbf", "cosine")),
    HSIC(debias="rows"),
    CKA(debias="both"),
    HSIC(debias="both"),
    HSIC(kernel="rbf"),
    HSIC(kernel="rbf", debias="rows"),
    *(
        DistanceCorrelation(squared=s, debias=d)
        for s, d in ((True, None), (True, "rows"), (False, "rows"))
    ),
    OrthogonalProcrustes(debias="rows", random_state=0),
    EigenspaceOverlap(denominator="width"),
    GULP(ridge=0.0),
    *(RSA(metric=m) for m in ("cosine", "euclidean", "sqeuclidean")),
    *(RSA("euclidean", comparison=c) for c in ("kendall", "pearson", "cosine")),
    *(RSA("euclidean", comparison=c) for c in ("rho_a", "cosine_cov", "corr_cov")),
    RSA("sqeuclidean", comparison="corr_cov"),
    *(
        RSMNormDifference(metric=m)
        for m in ("cosine", "correlation", "sqeuclidean", "linear")
    ),
    RiemannianDistance(ridge=0.0),
    MeanSquaredCCA(denominator="width"),
    MeanSquaredCCA(denominator="geometric"),
    SVCCA(variance=0.8, aggregate="mean_squared"),
    SVCCA(variance=1.0),
    PWCCA(weights_from="y"),
    PWCCA(weights_from="narrower"),
    OrthogonalProcrustes(center=False),
    OrthogonalProcrustes(scale=False),
    OrthogonalProcrustes(center=False, scale=False),
    PermutationProcrustes(center=False),
    PermutationProcrustes(scale=False),
    SoftMatching(center=False, scale=False),
    SoftMatching(cost="correlation"),
    AlignedCosine(center=False),
    CorrelationMatch(matching="soft"),
    CorrelationMatch(absolute=True),
    PartialWhiteningShapeMetric(alpha=0.0),
    PartialWhiteningShapeMetric(alpha=1.0),
    PartialWhiteningShapeMetric(center=False),
    PartialWhiteningShapeMetric(alpha=0.0, center=False),
    LinearRegressionSimilarity(ridge=1.0),
    *(cls(**FEW) for cls in (NeighborJaccard, MutualKNN, RankSimilarity, CKNNA)),
    *(cls(**FEW) for cls in (JointRankJaccard, SecondOrderCosine)),
    *(
        cls(**FEW, metric="euclidean")
        for cls in (NeighborJaccard, MutualKNN, RankSimilarity, CKNNA, JointRankJaccard)
    ),
    GraphBasedSimilarity(**FEW),
    TripletAgreement(**FEW),
    IntrinsicDimension(method="mle", **FEW),
    IntrinsicDimension(method="local_pca", **FEW),
    IntrinsicDimension(ratio_fit="likelihood", discard=0),
    Uniformity(normalize=False),
    Uniformity(t=1, include_diagonal=True),
    RTD(distance_scale="median", n_subsets=1, subset_size=8, random_state=0),
    RTDLite(distance_scale="mean"),
    IMD(max_exact_samples=5, n_probes=5, n_neighbors=2, random_state=0),
    JensenShannonDivergence(base=2, sqrt=True),
    KullbackLeibler(base=2, clip=1e-3),
    SoftPredictionDifference(p=1, half=False),
    SoftPredictionDifference(p=float("inf")),
    SurrogateChurn(power=5),
    SurrogateChurn(power=float("inf")),
    RankCorrelation(kind="kendall"),
    CohenKappa(weights="linear"),
    CohenKappa(weights="quadratic"),
    ErrorCorrectedDisagreement(normalize_by="second"),
    MinMaxNormalizedDisagreement(bound="exact"),
    *(
        PerformanceDifference(scoring=s)
        for s in ("f1_macro", "neg_log_loss", "r2", "roc_auc", "balanced_accuracy")
    ),
    PerformanceDifference(signed=True),
    Discrepancy(baseline=0),
    LabelEntropy(base=2),
    LabelEntropy(normalize=True),
    PredictionDifference(p=2),
    PredictionDifference(p=float("inf")),
    PredictionDifference(relative=True),
]


def _tags(measure):
    return get_tags(measure).similarity_tags


def _all_instances():
    for name, cls in all_measures():
        measure = cls(**QUICK.get(name, {}))
        if "random_state" in measure.get_params():
            measure.set_params(random_state=0)
        yield measure
    yield from VARIANTS


INSTANCES = list(_all_instances())


def _with_inputs(*words, arity="pair"):
    return [
        m for m in INSTANCES if _tags(m).inputs in words and _tags(m).arity == arity
    ]


def examples(strategy, name, *, share=1.0):
    """Decorator that runs a function of one recipe on many, the same in every run."""

    def decorate(check):
        test = given(strategy)(check)
        test = settings(
            max_examples=max(1, round(share * N_EXAMPLES)),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )(test)
        if EXAMPLES is None:
            test = seed(zlib.crc32(name.encode()))(test)
        return test

    return decorate


def call_untouched(call, *arguments):
    """Outcome of a call, after which its arguments must be as before."""
    before = [fingerprint(argument) for argument in arguments]
    outcome = outcome_of(call)
    assert [fingerprint(a) for a in arguments] == before, "the input was modified"
    return outcome


def check_fit(measure, X, y=None, **fit_params):
    """Fit hostile input; the statistic, or Refused."""
    tags = _tags(measure)
    fitted, undefined = call_untouched(
        lambda: clone(measure).fit(X, y, **fit_params), X, y, *fit_params.values()
    )
    if isinstance(fitted, Refused):
        return fitted
    finite = tags.inputs == "representation"
    check_number(fitted.statistic_, tags.bounds, finite=finite, undefined=undefined)
    check_number(fitted.score_, tags.score_bounds, finite=finite, undefined=undefined)
    return fitted.statistic_


# ----- representations --------------------------------------------------------


@cache
def labels_for(n_rows):
    return np.arange(n_rows) % 3


def _fit_params(measure, n_rows):
    return {"y_true": labels_for(n_rows)} if "y_true" in _tags(measure).requires else {}


@pytest.mark.parametrize("measure", _with_inputs("representation"), ids=repr)
def test_representations(measure):
    fitted = fit_to_good_input(measure)

    @examples(pair_recipes, repr(measure))
    def check(recipe):
        arrays = recipe.matrices()
        X, y = (
            contained(array, container)
            for array, container in zip(
                arrays, (recipe.container_x, recipe.container_y), strict=True
            )
        )
        fit_params = _fit_params(measure, len(arrays[0]))
        outcome = check_fit(measure, X, y, **fit_params)
        same = {recipe.container_x, recipe.container_y} <= set(SAME)
        if same and not (recipe.container_x == recipe.container_y == "plain"):
            plain = check_fit(measure, *arrays, **fit_params)
            rounding = rounding_of(measure, *arrays)
            assert_same(outcome, plain, "plain arrays", rounding=rounding)
        score, undefined = call_untouched(
            lambda: fitted.score(X, y, **fit_params), X, y
        )
        finite = not _tags(measure).score_uses_fit
        check_number(
            score, _tags(measure).score_bounds, finite=finite, undefined=undefined
        )
        if hasattr(fitted, "transform"):
            mapped, _ = call_untouched(lambda: fitted.transform(X), X)
            if not isinstance(mapped, Refused):
                assert np.all(np.isfinite(mapped))

    check()


def rounding_of(measure, X, y):
    """What rounding may make of a distance of 0, which has the unit of the data."""
    tags = _tags(measure)
    if tags.is_similarity or "IS" in tags.invariances & tags.invariances_y:
        return 0.0
    is_squared = getattr(measure, "metric", "") in ("sqeuclidean", "linear")
    largest = max(np.max(np.abs(a[np.isfinite(a)]), initial=0) for a in (X, y))
    with np.errstate(over="ignore"):
        # a map found in products of rows: half of the digits
        return float(1e-7 * np.float64(largest) ** (2 if is_squared else 1))


def fit_to_good_input(measure):
    # a distance of singular matrices wants fewer rows than columns
    n_rows = 4 if repr(measure) == "RiemannianDistance(ridge=0.0)" else 30
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, n_rows, 5)) + rng.normal(size=(n_rows, 1))
    return clone(measure).fit(X, y, **_fit_params(measure, n_rows))


def assert_same(outcome, other, what, tolerance=1e-6, rounding=0.0):
    if isinstance(outcome, Refused) or isinstance(other, Refused):
        assert isinstance(outcome, Refused) and isinstance(other, Refused), (
            f"{outcome}, but {other} for {what}"
        )
        return
    near = pytest.approx(
        other, rel=tolerance, abs=max(tolerance, rounding), nan_ok=True
    )
    assert outcome == near, f"{outcome}, but {other} for {what}"


# ----- outputs ----------------------------------------------------------------


@pytest.mark.parametrize("measure", _with_inputs("labels"), ids=repr)
def test_labels(measure):
    @examples(label_recipes, repr(measure))
    def check(recipe):
        (X, y), y_true = recipe.make(2)
        fit_params = {"y_true": y_true} if "y_true" in _tags(measure).requires else {}
        check_fit(measure, X, y, **fit_params)

    check()


@pytest.mark.parametrize("measure", _with_inputs("labels", arity="group"), ids=repr)
def test_groups_of_labels(measure):
    @examples(st.tuples(label_recipes, st.sampled_from((0, 1, 2, 3, 5))), repr(measure))
    def check(arguments):
        recipe, n_models = arguments
        X, y_true = recipe.group(n_models)
        fit_params = {"y_true": y_true} if "y_true" in _tags(measure).requires else {}
        check_fit(measure, X, **fit_params)

    check()


OF_COLUMNS = ("probabilities", "outputs", "gradients")


@pytest.mark.parametrize("measure", _with_inputs(*OF_COLUMNS), ids=repr)
def test_outputs(measure):
    @examples(probability_recipes, repr(measure))
    def check(recipe):
        X, y = (
            contained(array, container)
            for array, container in zip(
                recipe.arrays(2), recipe.containers, strict=True
            )
        )
        keywords = _tags(measure).view_keywords
        fit_params = {"y_true": recipe.labels()} if "y_true" in keywords else {}
        check_fit(measure, X, y, **fit_params)

    check()


@pytest.mark.parametrize("measure", _with_inputs(*OF_COLUMNS, arity="group"), ids=repr)
def test_groups_of_outputs(measure):
    strategy = st.tuples(probability_recipes, st.sampled_from((0, 1, 2, 3, 5)))

    @examples(strategy, repr(measure))
    def check(arguments):
        recipe, n_models = arguments
        arrays = recipe.arrays(n_models)
        X = np.stack(arrays, axis=1) if arrays else np.zeros((3, 0, 2))
        keywords = _tags(measure).view_keywords
        fit_params = {"y_true": recipe.labels()} if "y_true" in keywords else {}
        check_fit(measure, X, **fit_params)
        if arrays:
            check_fit(measure, contained(arrays[0], recipe.containers[0]), None)

    check()


# ----- the same question asked in another way ---------------------------------


def _statistic(measure, X, y, **fit_params):
    fitted, _ = outcome_of(lambda: clone(measure).fit(X, y, **fit_params))
    return fitted if isinstance(fitted, Refused) else fitted.statistic_


def _times_power_of_two(array, exponent):
    """The product, or None where it is not exact."""
    with np.errstate(all="ignore"):
        product = np.ldexp(array, exponent)
        back = np.ldexp(product, -exponent)
    return product if np.array_equal(back, array) else None


# its rows with many nearest neighbours at one distance have a width of 1, as documented
HAS_A_UNIT_IN_TIES = {"ManifoldKernelAlignment"}
SCALE_FREE = [
    m
    for m in _with_inputs("representation")
    if "IS" in _tags(m).invariances & _tags(m).invariances_y
    and type(m).__name__ not in HAS_A_UNIT_IN_TIES
]


@pytest.mark.parametrize("measure", SCALE_FREE, ids=repr)
def test_powers_of_two(measure):
    # sums that later batches are added to have the unit of the data
    keeps_its_unit = type(measure).__name__ == "MinibatchCKA"
    exponents = st.sampled_from((-900, -500, -300, -31, -2, 1, 7, 64, 333, 500, 900))

    @examples(st.tuples(pair_recipes, exponents, exponents), repr(measure))
    def check(arguments):
        recipe, *powers = arguments
        arrays = recipe.matrices()
        scaled = [_times_power_of_two(*p) for p in zip(arrays, powers, strict=True)]
        if any(array is None or not np.all(np.isfinite(array)) for array in scaled):
            return
        fit_params = _fit_params(measure, len(arrays[0]))
        outcomes = [
            _statistic(measure, *pair, **fit_params) for pair in (scaled, arrays)
        ]
        if keeps_its_unit and any("Rescale it" in str(o) for o in outcomes):
            return
        assert_same(*outcomes, f"factors 2 ** {powers}")

    check()


@pytest.mark.parametrize("measure", _with_inputs("representation"), ids=repr)
def test_order_of_rows_and_of_sides(measure):
    tags = _tags(measure)
    has_neighbors = measure.get_params().get("n_neighbors") is not None

    @examples(st.tuples(pair_recipes, st.integers(0, 2**32 - 1)), repr(measure))
    def check(arguments):
        recipe, seed_ = arguments
        X, y = recipe.matrices()
        fit_params = _fit_params(measure, len(X))
        before = _statistic(measure, X, y, **fit_params)
        rounding = rounding_of(measure, X, y)
        if tags.symmetric:
            after = _statistic(measure, y, X, **fit_params)
            assert_same(after, before, "the sides exchanged", rounding=rounding)
        if len(X) != len(y) or "seed" in tags.view_keywords:
            return
        if has_neighbors and not recipe.is_free_of_ties:
            return  # of neighbours at one distance the first in the data is chosen
        if _has_equal_correlations(measure, X, y):
            return  # which have weights that depend on how the variates are rotated
        order = np.random.default_rng(seed_).permutation(len(X))
        moved = {name: value[order] for name, value in fit_params.items()}
        after = _statistic(measure, X[order], y[order], **moved)
        if any("lost in rounding" in str(o) for o in (before, after)):
            return  # of equal views it may cancel by chance
        assert_same(after, before, "rows in another order", rounding=rounding)

    check()


def _has_equal_correlations(measure, X, y):
    if not isinstance(measure, PWCCA):
        return False
    fitted, _ = outcome_of(lambda: clone(measure).fit(X, y))
    if isinstance(fitted, Refused):
        return False
    correlations = fitted.singular_values_
    return len(correlations) > 1 and np.min(-np.diff(correlations)) < 1e-6


# ----- what is built on the measures --------------------------------------------

SOME = [
    CKA(),
    CKA(kernel="rbf", debias="rows"),
    MeanSquaredCCA(),
    OrthogonalProcrustes(),
    LinearRegressionSimilarity(),
    MutualKNN(n_neighbors=3),
    RSA(),
    RTDLite(),
    IntrinsicDimension(method="mle", n_neighbors=3),
]


PAIR = tuple(np.random.default_rng(0).normal(size=(2, 30, 4)))


def _contained_pair(recipe):
    containers = recipe.container_x, recipe.container_y
    return [contained(*p) for p in zip(recipe.matrices(), containers, strict=True)]


@pytest.mark.parametrize("measure", SOME, ids=repr)
@pytest.mark.parametrize("method", ["auto", "permutation", "pearson3"])
def test_similarity_test(measure, method):
    @examples(pair_recipes, f"{method} {measure!r}", share=0.5)
    def check(recipe):
        X, y = _contained_pair(recipe)
        result, _ = call_untouched(
            lambda: similarity_test(
                measure, X, y, n_permutations=9, random_state=0, method=method
            ),
            X,
            y,
        )
        if not isinstance(result, Refused):
            assert 0 < result.pvalue <= 1
            assert np.all(np.isfinite(result.null_mean))
            check_number(
                result.score, _tags(measure).score_bounds, finite=True, undefined=False
            )

    check()


@pytest.mark.parametrize("measure", SOME, ids=repr)
@pytest.mark.parametrize("method", ["jackknife", "subsample", "masked_bootstrap"])
def test_similarity_interval(measure, method):
    @examples(pair_recipes, f"{method} {measure!r}", share=0.5)
    def check(recipe):
        X, y = _contained_pair(recipe)
        result, _ = call_untouched(
            lambda: similarity_interval(
                measure, X, y, method=method, n_resamples=9, random_state=0
            ),
            X,
            y,
        )
        if not isinstance(result, Refused):
            low, high = result.confidence_interval
            assert low <= high

    check()


@pytest.mark.parametrize("measure", SOME, ids=repr)
def test_similarity_matrix(measure):
    @examples(pair_recipes, repr(measure))
    def check(recipe):
        layers = _contained_pair(recipe)
        table, _ = call_untouched(lambda: similarity_matrix(measure, layers), *layers)
        if not isinstance(table, Refused):
            assert table.shape == (2, 2)
            assert np.all(np.isfinite(table))

    check()


def test_compare():
    @examples(pair_recipes, "compare", share=2)
    def check(recipe):
        a, b = _contained_pair(recipe)
        table, _ = call_untouched(
            lambda: compare(
                a, b, measures=SOME, n_permutations=3, random_state=0
            ).to_frame(),
            a,
            b,
        )
        if not isinstance(table, Refused):
            assert set(table.columns) >= {"measure", "value", "score"}

    check()


TRANSFORMERS = [
    Centering(),
    UnitFrobeniusNorm(),
    UnitRows(),
    WidthMatching(),
    WidthMatching(width=3, method="pca"),
    Flatten(),
    TokenPooling(),
    SpatialPooling(),
]


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=repr)
def test_transformers(transformer):
    @examples(pair_recipes, repr(transformer))
    def check(recipe):
        X, y = _contained_pair(recipe)
        for first, second in ((X, y), (X, X)):
            mapped, _ = call_untouched(
                lambda first=first, second=second: (
                    clone(transformer).fit(first).transform(second)
                ),
                X,
                y,
            )
            if not isinstance(mapped, Refused):
                assert np.all(np.isfinite(mapped))

    check()


# ----- models -------------------------------------------------------------------


def _trained(model, X, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, labels)


@cache
def models():
    """Models of many kinds, good and bad, by name."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4))
    truth = labels_for(40)
    mlp = MLPClassifier((5,), max_iter=5, random_state=0)
    wide = MLPClassifier((7,), max_iter=5, random_state=1)
    deep = MLPClassifier((4, 3), max_iter=5, random_state=2)
    return {
        "mlp": _trained(mlp, X, truth),
        "wide": _trained(wide, X, truth),
        "deep": _trained(deep, X, truth),
        "two classes": _trained(clone(mlp), X, truth > 0),
        "text classes": _trained(clone(mlp), X, named(truth)),
        "one column": _trained(clone(mlp), X[:, :1], truth),
        "pipeline": _trained(make_pipeline(StandardScaler(), clone(mlp)), X, truth),
        "logistic": _trained(LogisticRegression(), X, truth),
        "tree": _trained(DecisionTreeClassifier(max_depth=2), X, truth),
        "dummy": _trained(DummyClassifier(), X, truth),
        "regressor": _trained(LinearRegression(), X, truth),
        "mlp regressor": _trained(
            MLPRegressor(hidden_layer_sizes=(3,), max_iter=5), X, truth
        ),
        "transformer": StandardScaler().fit(X),
        "unfitted": MLPClassifier(),
        "exploded": _exploded(_trained(clone(mlp), X, truth)),
        "class": MLPClassifier,
        "text": "mlp",
        "array": X,
        "None": None,
        "weights": [rng.normal(size=(4, 5)), rng.normal(size=(5, 3))],
        "lists of weights": [[[1.0, 2.0], [3.0, 4.0]], [[1.0], [2.0]]],
        "unchained weights": [rng.normal(size=(4, 5)), rng.normal(size=(4, 3))],
        "weights of nan": [np.full((4, 5), np.nan), np.ones((5, 3))],
        "huge weights": [np.full((4, 5), 1e308), np.full((5, 3), -1e308)],
        "zero weights": [np.zeros((4, 5)), np.zeros((5, 3))],
        "no weights": [],
        "dict": {"a": X},
    }


def _exploded(model):
    """A network whose weights have left the numbers."""
    model.coefs_[0][:] = np.nan
    return model


MODEL_NAMES = ("mlp", "wide", "pipeline", "logistic") * 12
QUICK_MODELS = [
    cls(**params)
    for name, cls in all_measures(inputs="models")
    for params in {
        "ModelStitching": (
            {"max_iter": 2},
            {"stitch": "procrustes", "value": "penalty"},
            {"stitch": "ridge", "scoring": "neg_log_loss"},
        ),
        "AdversarialTransferability": (
            {},
            {"attack": "pgd", "norm": "l2", "n_steps": 2},
        ),
        "NetworkPersistence": tuple(
            {"representation": r} for r in ("silhouette", "heat", "landscape", "betti")
        ),
        "SaliencySimilarity": ({}, {"target": "predicted", "output": "proba"}),
    }.get(name, ({},))
]


@pytest.mark.parametrize("measure", QUICK_MODELS, ids=repr)
def test_models(measure):
    data = matrix_recipes.map(lambda recipe: replace(recipe, n_columns=4))
    names = st.sampled_from(MODEL_NAMES + tuple(models()))
    containers = st.sampled_from(("plain",) * 80 + tuple(CONTAINERS))
    labels = st.sampled_from(("int",) * 80 + tuple(LABELS))
    recipes = st.tuples(names, names, data, containers, labels)

    @examples(recipes, repr(measure), share=0.7)
    def check(arguments):
        name_x, name_y, recipe, container, truth = arguments
        rows = recipe.make()
        offered = {
            "data": contained(rows, container),
            "y_true": LABELS[truth](labels_for(len(rows))),
        }
        keywords = set(_tags(measure).view_keywords)
        fit_params = {k: v for k, v in offered.items() if k in keywords}
        check_fit(measure, models()[name_x], models()[name_y], **fit_params)

    check()


# ----- any thread, any order ------------------------------------------------------


def _everything_of(measure, inputs):
    """Bytes of all numbers that a fit leaves behind, and of new scores."""
    X, y, fit_params = inputs
    fitted = clone(measure).fit(X, y, **fit_params)
    found = [fitted.statistic_, fitted.score_, fitted.score(X, y, **fit_params)]
    if hasattr(fitted, "transform"):
        found += list(fitted.transform(X, y))
    return [np.asarray(value).tobytes() for value in found]


# what takes other input than the ordinary one
PARTICULAR = {
    "RiemannianDistance(ridge=0.0)",
    "PerformanceDifference(scoring='roc_auc')",
    "ModelStitching(scoring='neg_log_loss', stitch='ridge')",
}
ORDINARY = [m for m in INSTANCES if _tags(m).inputs != "models"] + QUICK_MODELS
ORDINARY = [m for m in ORDINARY if repr(m) not in PARTICULAR]


@pytest.mark.parametrize("measure", ORDINARY, ids=repr)
def test_threads_and_refits_agree_to_the_bit(measure):
    inputs = make_inputs(measure)
    other = make_inputs(measure, random_state=1, n_samples=25)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alone = _everything_of(measure, inputs)
        with ThreadPoolExecutor(4) as pool:
            jobs = [
                pool.submit(_everything_of, measure, pair)
                for pair in (inputs, other, inputs, other)
            ]
            results = [job.result() for job in jobs]
        again = clone(measure).fit(other[0], other[1], **other[2])
        again.fit(inputs[0], inputs[1], **inputs[2])
    assert results[0] == results[2] == alone
    assert results[1] == results[3]
    assert np.asarray(again.statistic_).tobytes() == alone[0]


@pytest.mark.parametrize("measure", [RTD(n_subsets=4, subset_size=15), GeometryScore()])
def test_jobs_agree_to_the_bit(measure):
    measure = clone(measure).set_params(random_state=0)
    if isinstance(measure, GeometryScore):
        measure.set_params(**QUICK["GeometryScore"])
    inputs = make_inputs(measure)
    alone = _everything_of(measure, inputs)
    with parallel_config(backend="threading"):
        assert _everything_of(measure.set_params(n_jobs=3), inputs) == alone


@pytest.mark.parametrize(
    "call",
    [
        lambda n_jobs: similarity_test(
            CKA(), *PAIR, method="permutation", n_permutations=99, random_state=0,
            n_jobs=n_jobs, batch_size=7,
        ).null_distribution,
        lambda n_jobs: similarity_interval(
            NormalizedBures(), *PAIR, n_jobs=n_jobs
        ).replicates,
        lambda n_jobs: similarity_matrix(RSA(), list(PAIR) * 3, n_jobs=n_jobs),
        lambda n_jobs: compare(
            *PAIR, measures=SOME, n_permutations=9, random_state=0, n_jobs=n_jobs
        ).to_frame().drop(columns="seconds").select_dtypes("number"),
    ],
)  # fmt: skip
def test_functions_agree_for_any_number_of_jobs(call):
    alone = np.asarray(call(None))
    with parallel_config(backend="threading"):
        assert np.asarray(call(2)).tobytes() == alone.tobytes()
