"""Regressions of any kind, scored target by target."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR
from sklearn.utils import get_tags

from sksim.alignment import LinearRegressionSimilarity
from sksim.compose import CrossRepetition
from sksim.inference import similarity_interval, similarity_test
from sksim.pairwise import compare

AGGREGATES = ("variance_weighted", "mean", "median")


def views(n=40, d=6, n_targets=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) + 2
    mixing = np.random.default_rng(99).normal(size=(d, n_targets))
    y = X @ mixing + rng.normal(size=(n, n_targets))
    return X, y * np.arange(1, n_targets + 1) + 7


def by_definition(y, predicted, *, correlation):
    if correlation:
        return np.array(
            [np.corrcoef(a, b)[0, 1] for a, b in zip(y.T, predicted.T, strict=True)]
        )
    return r2_score(y, predicted, multioutput="raw_values")


def one_number(scores, y, aggregate):
    weights = y.var(axis=0)
    return {
        "mean": np.mean(scores),
        "median": np.median(scores),
        "variance_weighted": scores @ weights / weights.sum(),
    }[aggregate]


REGRESSORS = {
    "own": (LinearRegression(), {}),
    "own ridge": (Ridge(5.0), {"ridge": 5.0}),
    "ridge": (RidgeCV([0.1, 10.0]), {"regressor": RidgeCV([0.1, 10.0])}),
    "pls": (PLSRegression(3), {"regressor": PLSRegression(3)}),
}


@pytest.mark.parametrize("n_targets", [1, 4, 5])
@pytest.mark.parametrize("correlation", [True, False])
@pytest.mark.parametrize("aggregate", AGGREGATES)
@pytest.mark.parametrize("name", REGRESSORS)
def test_scores_by_definition(name, aggregate, correlation, n_targets):
    X, y = views(n_targets=n_targets)
    reference, options = REGRESSORS[name]
    measure = LinearRegressionSimilarity(
        aggregate=aggregate, correlation=correlation, **options
    ).fit(X, y)
    reference = clone(reference).fit(X, y)
    predicted = reference.predict(X).reshape(y.shape)
    scores = by_definition(y, predicted, correlation=correlation)
    assert_allclose(measure.score_, one_number(scores, y, aggregate), rtol=1e-9)
    assert_allclose(measure.transform(X), predicted, rtol=1e-9)
    if hasattr(measure, "target_scores_"):
        assert_allclose(measure.target_scores_, scores, rtol=1e-9)
    else:
        assert name.startswith("own")
        assert (aggregate, correlation) == ("variance_weighted", False)
    # new rows
    new_X, new_y = views(25, n_targets=n_targets, seed=1)
    predicted = reference.predict(new_X).reshape(new_y.shape)
    scores = by_definition(new_y, predicted, correlation=correlation)
    expected = one_number(scores, new_y, aggregate)
    assert_allclose(measure.score(new_X, new_y), expected, rtol=1e-8)
    assert_allclose(measure.target_scores(new_X, new_y), scores, rtol=1e-8)


def test_y_is_predicted():
    X = np.random.default_rng(0).normal(size=(40, 4))
    for regressor in (None, LinearRegression()):
        measure = LinearRegressionSimilarity(regressor=regressor, aggregate="mean")
        assert measure.fit(X, X[:, :2]).score_ == pytest.approx(1)
        assert measure.fit(X[:, :2], X).score_ < 0.7


def test_the_default_is_what_it_was():
    X, y = views()
    measure = LinearRegressionSimilarity()
    value = measure.fit(X, y).score_
    assert_allclose(
        value, r2_score(y, measure.transform(X), multioutput="variance_weighted")
    )
    tags = get_tags(measure).similarity_tags
    assert tags.exact == {"null", "null_mean"}
    assert tags.streaming
    assert tags.differentiable
    given = LinearRegressionSimilarity(regressor=LinearRegression()).fit(X, y)
    assert_allclose(given.score_, value)
    assert not get_tags(given).similarity_tags.streaming
    assert not hasattr(given, "partial_fit")
    assert not hasattr(given, "x_rotations_")


@pytest.mark.parametrize("ridge", [0, 5.0])
@pytest.mark.parametrize("correlation", [True, False])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_rows_in_blocks(aggregate, correlation, ridge):
    X, y = views()
    measure = LinearRegressionSimilarity(
        ridge, aggregate=aggregate, correlation=correlation
    )
    whole = clone(measure).fit(X, y)
    for rows in (slice(15), slice(15, 40)):
        measure.partial_fit(X[rows], y[rows])
    assert_allclose(measure.score_, whole.score_, rtol=1e-10)
    assert_allclose(measure.score(X[:20], y[:20]), whole.score(X[:20], y[:20]))
    silent = np.hstack([y, np.ones((40, 1))])
    if aggregate != "variance_weighted" or correlation:
        assert_allclose(measure.target_scores_, whole.target_scores_, rtol=1e-10)
        stream = clone(measure).partial_fit(X, silent)
        with pytest.warns(UserWarning, match="1 of 6 columns of y do not vary"):
            assert_allclose(stream.score_, whole.score_, rtol=1e-10)


def test_predictivity_in_cross_validation_and_grids():
    X, y = views(60, n_targets=7)
    measure = LinearRegressionSimilarity(
        regressor=PLSRegression(2), aggregate="median", correlation=True
    )
    scores = cross_val_score(measure, X, y, cv=KFold(3))
    train, test = next(KFold(3).split(X))
    predicted = PLSRegression(2).fit(X[train], y[train]).predict(X[test])
    first = np.median(by_definition(y[test], predicted, correlation=True))
    assert_allclose(scores[0], first, rtol=1e-9)
    grid = {"regressor__n_components": [1, 4], "aggregate": ["mean", "median"]}
    search = GridSearchCV(measure, grid, cv=KFold(3)).fit(X, y)
    assert search.best_params_["regressor__n_components"] == 4
    # the given regressor stays as it was
    assert not hasattr(measure.regressor, "coef_")
    assert hasattr(search.best_estimator_.regressor_, "coef_")


def test_regressors_of_one_target_and_of_many():
    X, y = views(30, n_targets=3)
    measure = LinearRegressionSimilarity(
        regressor=LinearSVR(random_state=0), aggregate="mean"
    ).fit(X, y)
    for k in range(3):
        alone = LinearSVR(random_state=0).fit(X, y[:, k]).predict(X)
        assert_allclose(measure.transform(X)[:, k], alone)
    forest = RandomForestRegressor(5, random_state=0)
    one = LinearRegressionSimilarity(regressor=forest).fit(X, y[:, 0])
    assert_allclose(one.transform(X)[:, 0], clone(forest).fit(X, y[:, 0]).predict(X))
    piped = LinearRegressionSimilarity(
        regressor=make_pipeline(StandardScaler(), Ridge())
    )
    assert piped.fit(X, y).score_ > 0.5
    assert not get_tags(
        LinearRegressionSimilarity(regressor=RandomForestRegressor())
    ).similarity_tags.deterministic


@pytest.mark.parametrize("regressor", [None, Ridge(1.0)])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_targets_that_do_not_vary_are_left_out(aggregate, regressor):
    X, y = views()
    measure = LinearRegressionSimilarity(
        regressor=regressor, aggregate=aggregate, correlation=True
    )
    score = measure.fit(X, y).score_
    held_out = measure.score(X[:20], y[:20])
    silent = np.hstack([y, np.full((40, 2), 3.0)])
    with pytest.warns(UserWarning, match="2 of 7 columns of y do not vary"):
        measure.fit(X, silent)
    assert_allclose(measure.score_, score)
    assert_array_equal(np.isnan(measure.target_scores_), [0] * 5 + [1] * 2)
    with pytest.warns(UserWarning, match="2 of 7 columns of y do not vary"):
        assert_allclose(measure.score(X[:20], silent[:20]), held_out)
    assert np.isnan(measure.target_scores(X[:20], silent[:20])[5:]).all()


def test_predictions_that_do_not_vary_correlate_with_nothing():
    X, y = views()
    measure = LinearRegressionSimilarity(
        regressor=Ridge(1e300), aggregate="mean", correlation=True
    )
    assert measure.fit(X, y).score_ == 0
    assert measure.score(X[:10], y[:10]) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"aggregate": "median"},
        {"aggregate": "mean", "correlation": True, "ridge": 1.0},
        {"regressor": Ridge(1.0), "correlation": True},
    ],
)
def test_permutations_and_jackknife_by_refitting(options):
    X, y = views(25)
    measure = LinearRegressionSimilarity(**options)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(25) for _ in range(3)]
    expected = [clone(measure).fit(X, y[order]).score_ for order in orders]
    pair = measure._open(X, y)
    assert_allclose(pair.permuted(orders), expected, rtol=1e-9)
    assert_allclose(pair.for_permutations().permuted(orders), expected, rtol=1e-9)
    assert similarity_test(measure, X, y, n_permutations=19).pvalue == 0.05
    rows = np.delete(np.arange(25), 4)
    found = similarity_interval(measure, X, y).replicates[4]
    assert_allclose(found, clone(measure).fit(X[rows], y[rows]).score_, rtol=1e-9)
    table = compare(X, y, measures={"predictivity": measure}).to_frame()
    assert_allclose(table["score"].iloc[0], pair.score())


@pytest.mark.parametrize(
    "options", [{"aggregate": "mean"}, {"correlation": True}, {"regressor": Ridge()}]
)
def test_repetitions_have_no_scores_of_single_targets(options):
    X, y = views()
    measure = CrossRepetition(LinearRegressionSimilarity(**options))
    with pytest.raises(ValueError, match="R\\^2 of all targets together"):
        measure.fit(X, y, repeats=np.arange(40) // 2)


def test_a_penalty_belongs_to_one_regression():
    X, y = views()
    with pytest.raises(ValueError, match="ridge=2.0 is a penalty of linear regression"):
        LinearRegressionSimilarity(2.0, regressor=Ridge()).fit(X, y)
    with pytest.raises(ValueError, match="X is constant|constant"):
        LinearRegressionSimilarity(regressor=Ridge()).fit(np.ones((40, 3)), y)
    with pytest.raises(ValueError, match="constant"):
        LinearRegressionSimilarity(correlation=True).fit(X, np.ones((40, 3)))
    with pytest.raises(ValueError, match="constant"):
        LinearRegressionSimilarity(correlation=True).fit(X, y).score(
            X, np.ones((40, 5))
        )
    with pytest.raises(ValueError, match="'regressor' parameter"):
        LinearRegressionSimilarity(regressor="ridge").fit(X, y)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")
def test_a_regressor_that_fails_is_named():
    X = np.random.default_rng(0).normal(size=(30, 6))
    # by other versions it is fitted to nothing
    names = r"RidgeCV could not be fitted .* rescale X|cannot be computed on this input"
    with pytest.raises(ValueError, match=names):
        LinearRegressionSimilarity(regressor=RidgeCV()).fit(1e200 * X, X)
