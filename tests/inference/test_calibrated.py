"""Null-corrected measures as scikit-learn estimators."""

import itertools
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.base import BaseSimilarity, LabelsMixin
from sksim.base._tags import SimilarityTags
from sksim.cca import PWCCA, MeanCCA, MeanSquaredCCA
from sksim.functional import Difficulty, Disagreement, DoubleFault
from sksim.inference import (
    CalibratedSimilarity,
    similarity_matrix_test,
    similarity_test,
)
from sksim.inference._correction import best_score, critical_value
from sksim.rsm import CKA, HSIC
from tests._reference import reference_arrays, reference_values


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 12))
    return X, X[:, :5] + 2 * rng.normal(size=(60, 5))


class LabelledShare(LabelsMixin, BaseSimilarity):
    """Share of rows whose first entries agree where the label is 1."""

    def _view(self, X, xp, y_true):
        return X[:, :1] * y_true[:, None]

    def _compare(self, view_x, view_y, xp):
        return float(np.mean(view_x == view_y))

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0, 1),
            view_keywords=("y_true",),
            requires=("y_true",),
            complexity="n",
        )


class Covariance(BaseSimilarity):
    """Covariance of the first columns, which has no upper limit."""

    def _view(self, X, xp):
        return X[:, 0] - xp.mean(X[:, 0])

    def _compare(self, view_x, view_y, xp):
        return xp.sum(view_x * view_y)

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-np.inf, np.inf),
            complexity="n",
        )


def test_the_correction_by_permutations(data):
    calibrated = CalibratedSimilarity(MeanCCA(), n_permutations=99, random_state=0)
    calibrated.fit(*data)
    result = similarity_test(MeanCCA(), *data, n_permutations=99, random_state=0)
    assert calibrated.score_ == pytest.approx(result.calibrated_score)
    assert calibrated.z_score_ == pytest.approx(result.z_score)
    assert calibrated.null_mean_ == pytest.approx(result.null_mean)
    assert calibrated.null_std_ == pytest.approx(result.null_std)
    assert calibrated.statistic_ == pytest.approx(result.statistic)
    assert calibrated.score() == calibrated.score_
    assert calibrated.n_features_in_ == 12


@pytest.mark.parametrize("measure", [CKA(), MeanSquaredCCA()], ids=repr)
def test_the_closed_form(measure, data):
    exact = CalibratedSimilarity(measure, null="exact").fit(*data)
    auto = CalibratedSimilarity(measure).fit(*data)
    drawn = CalibratedSimilarity(
        measure, null="permutation", n_permutations=2000, random_state=0
    ).fit(*data)
    assert auto.score_ == exact.score_
    assert exact.null_mean_ == pytest.approx(drawn.null_mean_, abs=0.002)
    assert exact.score_ == pytest.approx(drawn.score_, abs=0.004)
    if isinstance(measure, MeanSquaredCCA):
        # r r' / ((n - 1) min(r, r'))
        assert exact.null_mean_ == pytest.approx(12 / 59)


@pytest.mark.parametrize(
    "measure", [CKA(), MeanCCA(), MeanSquaredCCA(), OrthogonalProcrustes()], ids=repr
)
def test_chance_is_zero_and_identity_one(measure, data):
    rng = np.random.default_rng(0)
    X, _ = data
    same = CalibratedSimilarity(measure, random_state=0).fit(X, X)
    assert same.score_ == pytest.approx(1, abs=1e-6)
    scores = [
        CalibratedSimilarity(measure, random_state=0)
        .fit(X, rng.normal(size=(60, 7)))
        .score_
        for _ in range(20)
    ]
    assert abs(np.mean(scores)) < 0.03
    with (
        pytest.warns(UserWarning, match="by construction")
        if isinstance(measure, MeanCCA | MeanSquaredCCA)
        else config_context()
    ):
        wide = CalibratedSimilarity(measure, random_state=0).fit(
            X, rng.normal(size=(60, 55))
        )
    assert abs(wide.score_) < 0.2
    assert wide.statistic_ > 0.25


def test_new_rows_keep_the_fitted_map():
    rng = np.random.default_rng(0)
    W = rng.normal(size=(5, 5))
    X, X_new = rng.normal(size=(2, 80, 5))
    y, y_new = (v @ W + 0.1 * rng.normal(size=(80, 5)) for v in (X, X_new))
    calibrated = CalibratedSimilarity(MeanCCA(), random_state=0).fit(X, y)
    plain = MeanCCA().fit(X, y)
    score = plain.score(X_new, y_new)
    assert calibrated.score(X_new, y_new) == pytest.approx(score, abs=0.02)
    # correlations of fitted variates have mean 0 by chance, so that little is corrected
    unrelated = calibrated.score(X_new, rng.normal(size=(80, 5)))
    assert abs(unrelated) < 0.15


def test_pipeline_grid_and_cross_validation(data):
    X, y = data
    pipeline = make_pipeline(PCA(5), CalibratedSimilarity(CKA()))
    direct = CalibratedSimilarity(CKA()).fit(PCA(5).fit_transform(X), y)
    assert pipeline.fit(X, y).score(X, y) == pytest.approx(direct.score_)
    grid = GridSearchCV(
        CalibratedSimilarity(CKA()), {"measure__kernel": ["linear", "rbf"]}, cv=3
    ).fit(X, y)
    assert grid.best_params_["measure__kernel"] in ("linear", "rbf")
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    scores = cross_val_score(CalibratedSimilarity(CKA()), X, y, cv=3)
    assert scores.shape == (3,)
    copy = pickle.loads(pickle.dumps(grid.best_estimator_))
    assert copy.score_ == grid.best_estimator_.score_


def test_metadata_reaches_the_measure(data):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 2, size=(2, 60, 1)).astype(float)
    y_true = rng.integers(0, 2, size=60)
    calibrated = CalibratedSimilarity(LabelledShare(), random_state=0)
    direct = clone(calibrated).fit(X, y, y_true=y_true).score_
    with pytest.raises(ValueError, match="y_true"):
        clone(calibrated).fit(X, y)
    with config_context(enable_metadata_routing=True):
        routed = clone(calibrated).fit(X, y, y_true=y_true)
        assert routed.score_ == direct
        assert routed.score(X, y, y_true=y_true) == pytest.approx(direct)
        scores = cross_val_score(
            calibrated, X, y, params={"y_true": y_true}, cv=3, error_score="raise"
        )
    assert np.isfinite(scores).all()


def test_groups_change_places_as_blocks():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 5)
    X, y = (
        rng.normal(size=(12, 4))[groups] + 0.1 * rng.normal(size=(60, 4))
        for _ in range(2)
    )
    free = CalibratedSimilarity(CKA()).fit(X, y)
    blocks = CalibratedSimilarity(CKA(), random_state=0).fit(X, y, groups=groups)
    expected = similarity_test(
        CKA(), X, y, groups=groups, n_permutations=199, random_state=0
    )
    assert blocks.score_ == pytest.approx(expected.calibrated_score)
    assert blocks.null_mean_ > free.null_mean_ + 0.05
    assert blocks.score(X, y, groups=groups) == pytest.approx(blocks.score_)


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        (Covariance(), {}, "no best score"),
        (MeanCCA(), {"null": "exact"}, "closed form"),
        (CKA(), {"null": "exact", "permute": "shift"}, "closed form.*design"),
        (CKA(), {"null": "sometimes"}, "null"),
        ("CKA", {}, "measure"),
        (PCA(), {}, "measure"),
    ],
)
def test_refusals(measure, options, message, data):
    with pytest.raises(ValueError, match=message):
        CalibratedSimilarity(measure, **options).fit(*data)


def test_labels(data):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, size=200)
    b = np.where(rng.random(200) < 0.5, a, rng.integers(0, 3, size=200))
    calibrated = CalibratedSimilarity(Disagreement(), random_state=0).fit(a, b)
    p = np.bincount(a) / 200 @ (np.bincount(b) / 200)
    # chance-corrected agreement is Cohen's kappa
    kappa = (np.mean(a == b) - p) / (1 - p)
    assert calibrated.score_ == pytest.approx(kappa, abs=0.02)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize("measure", [CKA(), MeanCCA()], ids=repr)
def test_other_array_libraries(namespace, measure, data):
    xp = pytest.importorskip(namespace)
    calibrated = CalibratedSimilarity(measure, n_permutations=9, random_state=0)
    usual = clone(calibrated).fit(*data)
    with config_context(array_api_dispatch=True):
        X, y = (xp.asarray(a) for a in data)
        there = calibrated.fit(X, y)
        assert there.score(X, y) == pytest.approx(usual.score(*data))
    assert there.score_ == pytest.approx(usual.score_)


# ----- the critical value -------------------------------------------------------------


VALUES = reference_values("calibrated")
PAIRS = {
    "cka_related": CKA(),
    "cka_unrelated": CKA(),
    "debiased_cka_alpha_0.1": CKA(debias="rows"),
    "unbounded_hsic": HSIC(),
    "few_orders": CKA(),
    "identical": CKA(),
}


class GivenOrders:
    """Orders of a reference case in place of random ones."""

    n_distinct = math.inf

    def __init__(self, orders):
        self.orders = orders

    def draw(self, number):
        return self.orders[number].astype(int)


@pytest.fixture
def orders_of(monkeypatch):
    """Makes all tests use the orders of a case."""

    def use(case):
        orders = GivenOrders(reference_arrays("calibrated")[f"{case}__orders"])
        for module in ("_nulls", "_matrix"):
            monkeypatch.setattr(
                f"sksim.inference.{module}.row_orders", lambda *_, **__: orders
            )
        return len(orders.orders)

    return use


@pytest.mark.parametrize("case", PAIRS)
def test_critical_values_of_the_reference(case, orders_of):
    n_permutations, expected = orders_of(case), VALUES[case]
    X, Y = (reference_arrays("calibrated")[f"{case}__{name}"] for name in "XY")
    setting = {"n_permutations": n_permutations, "level": expected["alpha"]}
    fitted = CalibratedSimilarity(PAIRS[case], zero="critical", **setting).fit(X, Y)
    assert fitted.statistic_ == pytest.approx(expected["observed"])
    assert fitted.zero_ == pytest.approx(expected["critical"])
    assert fitted.null_mean_ == pytest.approx(expected["null_mean"])
    assert fitted.score_ == pytest.approx(expected["calibrated"], abs=1e-10)
    assert fitted.score(X, Y) == pytest.approx(fitted.score_)
    if expected["zero_at_mean"] is not None:
        plain = CalibratedSimilarity(PAIRS[case], null="permutation", **setting)
        plain.fit(X, Y)
        assert plain.score_ == pytest.approx(expected["zero_at_mean"])
        assert plain.zero_ == plain.null_mean_


AGGREGATES = {
    "max": "max",
    "mean": "mean",
    "row_max_mean": "best_per_row",
    "col_max_mean": lambda scores: scores.max(axis=0).mean(),
    "top3_mean": lambda scores: np.sort(scores, axis=None)[-3:].mean(),
}


@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("case", [c for c in VALUES if c.startswith("layers")])
def test_matrices_and_aggregates_of_the_reference(case, aggregate, orders_of):
    n_permutations = orders_of(case)
    arrays = reference_arrays("calibrated")
    Xs, Ys = (
        [arrays[k] for k in sorted(arrays) if k.startswith(f"{case}__{side}")]
        for side in "XY"
    )
    result = similarity_matrix_test(
        CKA(),
        Xs,
        Ys,
        n_permutations=n_permutations,
        zero="critical",
        aggregate=AGGREGATES[aggregate],
    )
    expected = VALUES[case]["aggregates"][aggregate]
    assert result.aggregate.score == pytest.approx(expected["observed"])
    assert result.aggregate.pvalue == pytest.approx(expected["p_value"])
    found = result.aggregate.calibrated_score
    assert found == pytest.approx(expected["calibrated"], abs=1e-10)
    one = CalibratedSimilarity(
        CKA(), zero="critical", n_permutations=n_permutations
    ).fit(Xs[0], Ys[1])
    assert result.calibrated_scores[0, 1] == pytest.approx(one.score_)
    at_mean = similarity_matrix_test(CKA(), Xs, Ys, n_permutations=n_permutations)
    np.testing.assert_allclose(
        at_mean.calibrated_scores,
        (at_mean.scores - at_mean.null_mean) / (1 - at_mean.null_mean),
    )


def test_critical_value_in_exact_arithmetic():
    null = np.arange(9.0)
    # (1 - .7) 10 is 3, and 3.0000000000000004 in binary fractions
    assert critical_value(9.0, null, 0.7) == 2
    assert critical_value(-1.0, null, 0.7) == 1  # the observed one is among them
    assert critical_value(9.0, null, 0.05) == 9
    assert critical_value(0.0, np.arange(10.0), 0.7, exact=True) == 2


def test_what_does_not_reach_the_critical_value_is_0():
    rng = np.random.default_rng(0)
    scores = []
    for _ in range(40):
        X, y = rng.normal(size=(2, 30, 20))
        calibrated = CalibratedSimilarity(
            MeanCCA(), zero="critical", n_permutations=39, random_state=0
        )
        with pytest.warns(UserWarning, match="by construction"):
            scores.append(calibrated.fit(X, y).score_)
    assert min(scores) == 0
    assert 0 < np.count_nonzero(scores) <= 6  # 2 are to be expected
    distance = CalibratedSimilarity(
        OrthogonalProcrustes(), zero="critical", random_state=0
    )
    assert distance.fit(X, X).score_ == pytest.approx(1)
    assert distance.zero_ < 0
    assert distance.score(X, rng.normal(size=X.shape)) < 0.2


def test_refusals_of_critical_values(data):
    calibrated = CalibratedSimilarity(CKA(), zero="critical", null="exact")
    with pytest.raises(ValueError, match="no closed form of its critical value"):
        calibrated.fit(*data)
    with pytest.raises(ValueError, match="'zero' parameter"):
        CalibratedSimilarity(CKA(), zero="median").fit(*data)
    with pytest.raises(ValueError, match="'level' parameter"):
        CalibratedSimilarity(CKA(), level=1.0).fit(*data)
    with pytest.raises(ValueError, match="or zero='critical'"):
        CalibratedSimilarity(HSIC()).fit(*data)


# ----- what does not vary -------------------------------------------------------------


@pytest.mark.parametrize("null", ["auto", "permutation"])
@pytest.mark.parametrize("zero", ["mean", "critical"])
@pytest.mark.parametrize("measure", [MeanCCA(), MeanSquaredCCA(), PWCCA()], ids=repr)
@pytest.mark.filterwarnings("ignore:.*by construction")
def test_a_constant_null_corrects_nothing(measure, zero, null):
    calibrated = CalibratedSimilarity(
        measure, null=null, zero=zero, n_permutations=19, random_state=0
    )
    for seed in range(3):
        X, y = np.random.default_rng(seed).normal(size=(2, 30, 60))
        with pytest.warns(UserWarning, match="is 1 in whatever order the rows are"):
            assert math.isnan(calibrated.fit(X, y).score_)
        assert math.isnan(calibrated.z_score_)


@pytest.mark.filterwarnings("ignore:.*by construction")
def test_constant_nulls_of_tests_and_matrices():
    rng = np.random.default_rng(0)
    wide, other, narrow = (rng.normal(size=(30, d)) for d in (60, 60, 3))
    with pytest.warns(UserWarning, match="MeanCCA is 1 in whatever order"):
        result = similarity_test(MeanCCA(), wide, other, n_permutations=19)
    assert math.isnan(result.calibrated_score)
    assert math.isnan(result.z_score)
    assert result.pvalue == 1
    # wide views span all directions, whatever the other side has
    with pytest.warns(UserWarning, match="MeanCCA is 1 in whatever order.* in 3 cells"):
        matrix = similarity_matrix_test(
            MeanCCA(), [wide, narrow], [other, narrow + 0.1], n_permutations=19
        )
    assert np.isnan(matrix.calibrated_scores).tolist() == [[True, True], [True, False]]
    assert matrix.calibrated_scores[1, 1] == pytest.approx(1)


def test_few_orders_are_no_constant_null():
    labels = np.repeat([0, 1], 10)
    result = similarity_test(
        Disagreement(), labels, labels, n_permutations=1, random_state=0
    )
    assert result.calibrated_score == pytest.approx(1)


def test_a_model_that_always_says_the_same():
    labels = np.repeat([0, 1], 10)
    with pytest.warns(UserWarning, match=r"Disagreement is -0.5 in whatever order"):
        result = similarity_test(Disagreement(), labels, np.zeros(20, int))
    assert math.isnan(result.calibrated_score)


# ----- the best that there is --------------------------------------------------------


def classified(rng, n=60, share=0.6):
    truth = rng.integers(3, size=n)
    return np.where(rng.random(n) < share, truth, (truth + 1) % 3), truth


def test_a_model_has_all_of_its_faults_in_common_with_itself():
    labels, truth = classified(np.random.default_rng(0))
    calibrated = CalibratedSimilarity(DoubleFault(), random_state=0)
    same = calibrated.fit(labels, labels, y_true=truth)
    assert same.score_ == pytest.approx(1)
    assert same.best_ == pytest.approx(np.mean(labels != truth))
    assert same.score(labels, labels, y_true=truth) == pytest.approx(1)
    result = similarity_test(DoubleFault(), labels, labels, y_true=truth)
    assert result.calibrated_score == pytest.approx(1)
    matrix = similarity_matrix_test(
        DoubleFault(), [labels, np.zeros(60, int)], y_true=truth, n_permutations=99
    )
    # of errors that differ in number the fewer can be shared
    errors = [np.mean(labels != truth), np.mean(truth != 0)]
    assert np.diag(matrix.calibrated_scores) == pytest.approx(1)
    best = np.minimum.outer(errors, errors)
    expected = (matrix.scores - matrix.null_mean) / (best - matrix.null_mean)
    np.testing.assert_allclose(matrix.calibrated_scores, expected)


@pytest.mark.parametrize("measure", [DoubleFault(), Difficulty()], ids=repr)
def test_the_best_is_the_best_of_all_orders(measure):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        first, truth = classified(rng, n=6)
        second = np.where(rng.random(6) < 0.3, truth, 3)
        comparison = measure._open(first, second, y_true=truth)
        orders = [np.array(o) for o in itertools.permutations(range(6))]
        if isinstance(measure, Difficulty):
            orders = [[None, order] for order in orders]
        assert best_score(comparison) == pytest.approx(
            max(comparison.permuted(orders)), abs=1e-15
        )


def test_the_best_of_a_measure_without_a_key_is_that_of_a_view_with_itself():
    class Product(Covariance):
        def _similarity_tags(self):
            return replace(super()._similarity_tags(), bounds=(-9, 9), identity=False)

    X, y = np.array([[0.0], [1], [2]]), np.array([[0.0], [1], [1]])
    comparison = Product()._open(X, y)
    assert best_score(comparison) == pytest.approx(2 / 3)  # of 2 and 2 / 3
    ridge = LinearRegressionSimilarity(ridge=5.0)
    assert best_score(ridge._open(X, y)) == 1  # its views differ by their side
