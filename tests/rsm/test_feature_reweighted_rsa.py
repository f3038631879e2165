"""Weights of columns, or of given dissimilarities, that fit those of y."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import nnls
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

from sksim.inference import similarity_interval, similarity_test
from sksim.pairwise import similarity_matrix
from sksim.rsm import RSA, FeatureReweightedRSA, crossnobis_distances
from sksim.testing import parametrize_with_similarity_checks


def views(n=30, d=5, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.uniform(0.5, 2, size=d) + 3
    weights = np.maximum(rng.normal(size=d), 0)
    return X, X * weights + rng.normal(size=(n, d)) / 2


def lists_of(X):
    return np.stack([pdist(X[:, [k]], "sqeuclidean") for k in range(X.shape[1])], 1)


def by_definition(A, b, *, intercept, ridge=0.0):
    """Weights by scipy, of all pairs, with the penalty as rows of the design."""
    if intercept:
        A, b = A - A.mean(axis=0), b - b.mean()
    penalty = ridge * np.mean(np.sum(A**2, axis=0))
    A = np.vstack([A, penalty**0.5 * np.eye(A.shape[1])])
    return nnls(A, np.append(b, np.zeros(A.shape[1])))[0]


COSINES = {
    "pearson": lambda a, b: np.corrcoef(a, b)[0, 1],
    "cosine": lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b),
    "spearman": lambda a, b: spearmanr(a, b).statistic,
}


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("y_metric", ["sqeuclidean", "correlation", "cosine"])
@pytest.mark.parametrize("comparison", COSINES)
def test_by_definition(comparison, y_metric, ridge):
    X, y = views()
    A, b = lists_of(X), pdist(y, y_metric)
    weights = by_definition(A, b, intercept=comparison != "cosine", ridge=ridge)
    # with an intercept some weights are at their limit
    assert 0 < np.count_nonzero(weights) < 5 or comparison == "cosine"
    measure = FeatureReweightedRSA(
        comparison=comparison, y_metric=y_metric, ridge=ridge
    )
    measure.fit(X, y)
    assert_allclose(measure.weights_, weights, rtol=1e-8, atol=1e-10)
    value = COSINES[comparison](A @ weights, b)
    assert_allclose(measure.score_, value, rtol=1e-8)
    intercept = 0 if comparison == "cosine" else np.mean(b) - np.mean(A @ weights)
    assert_allclose(measure.intercept_, intercept, rtol=1e-8, atol=1e-10)
    # new rows: the same weights, and all pairs of the new rows alone
    new_X, new_y = views(seed=1)
    value = COSINES[comparison](lists_of(new_X) @ weights, pdist(new_y, y_metric))
    assert_allclose(measure.score(new_X, new_y), value, rtol=1e-8)


def test_by_hand():
    # squared differences of the columns: 1, 4, 1 and 4, 1, 9; y: 2, 8, 2 plus 5
    X = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, -1.0]])
    matrices = [pdist(X[:, [k]], "sqeuclidean") for k in (0, 1)]
    y = 2 * matrices[0] + 5
    measure = FeatureReweightedRSA("precomputed").fit(matrices, y)
    assert_allclose(measure.weights_, [2, 0], atol=1e-12)
    assert_allclose([measure.intercept_, measure.score_], [5, 1])


@pytest.mark.parametrize("comparison", [*COSINES, "rho_a", "tau_a", "corr_cov"])
def test_given_dissimilarities_are_those_of_columns(comparison):
    X, y = views()
    measure = FeatureReweightedRSA(comparison=comparison, ridge=0.1).fit(X, y)
    given = FeatureReweightedRSA("precomputed", comparison, ridge=0.1)
    stack = np.moveaxis([squareform(column) for column in lists_of(X).T], 0, 0)
    target = pdist(y, "sqeuclidean")
    new_X, new_y = views(12, seed=1)
    new_stack = [squareform(column) for column in lists_of(new_X).T]
    for matrices in (list(lists_of(X).T), stack, list(stack), tuple(stack)):
        given.fit(matrices, target)
        assert_allclose(given.weights_, measure.weights_, rtol=1e-8, atol=1e-12)
        assert_allclose(given.score_, measure.score_, rtol=1e-9)
        assert given.n_features_in_ == 30
        score = given.score(new_stack, pdist(new_y, "sqeuclidean"))
        assert_allclose(score, measure.score(new_X, new_y), rtol=1e-9)
    with pytest.raises(ValueError, match="X has 4 matrices, but .* fitted with 5"):
        given.score(new_stack[:4], pdist(new_y))


@pytest.mark.parametrize("comparison", [*COSINES, "tau_a", "corr_cov"])
def test_rows_are_fitted_to_given_dissimilarities(comparison):
    X, y = views()
    measure = FeatureReweightedRSA(comparison=comparison, ridge=0.1).fit(X, y)
    given = clone(measure).set_params(y_metric="precomputed")
    target = pdist(y, "sqeuclidean")
    for D in (target, squareform(target)):
        given.fit(X, D)
        assert_allclose(given.weights_, measure.weights_, rtol=1e-8, atol=1e-12)
        assert_allclose(given.score_, measure.score_, rtol=1e-9)
    new_X, new_y = views(12, seed=1)
    score = given.score(new_X, pdist(new_y, "sqeuclidean"))
    assert_allclose(score, measure.score(new_X, new_y), rtol=1e-9)
    # tests, intervals and tables cut both axes of y, and the rows of X
    order = np.random.default_rng(0).permutation(30)
    moved = given._open(X, target).for_permutations().permuted([order])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_allclose(moved, clone(measure).fit(X, y[order]).score_, rtol=1e-9)
    found = similarity_interval(given, X, target).replicates
    expected = similarity_interval(measure, X, y).replicates
    assert_allclose(found, expected, rtol=1e-8)
    for D in (target, squareform(target)):
        table = similarity_matrix(given, {"a": X}, {"b": D})
        assert_allclose(table.iloc[0, 0], measure.score_, rtol=1e-9)
    with pytest.raises(ValueError, match="cross_val_score and other splitters"):
        given.fit(X[:20], squareform(target)[:20])
    with pytest.raises(ValueError, match="X has 20 rows and y has 30"):
        given.fit(X[:20], target)
    target[3] = np.nan
    with pytest.raises(ValueError, match="1 pairs of rows are missing"):
        given.fit(X, target)


def test_cross_validated_distances_are_fitted():
    rng = np.random.default_rng(0)
    patterns = rng.normal(size=(12, 40)) * np.repeat([2.0, 0.1], 20)
    conditions, runs = np.tile(np.arange(12), 4), np.repeat(np.arange(4), 12)
    X = patterns[conditions] + rng.normal(size=(48, 40)) / 2
    y = crossnobis_distances(X, conditions, runs)
    halves = [pdist(part, "sqeuclidean") for part in np.hsplit(patterns, 2)]
    measure = FeatureReweightedRSA("precomputed").fit(halves, y)
    assert_allclose(measure.weights_[0], 1 / 40, rtol=0.2)
    assert measure.score_ > 0.9


# ----- what is undefined, or wrong -------------------------------------------------


def test_no_weight_is_positive():
    rng = np.random.default_rng(0)
    X = np.sort(rng.normal(size=(10, 1)), axis=0)
    near = pdist(X, "sqeuclidean")
    measure = FeatureReweightedRSA("precomputed")
    with pytest.warns(UserWarning, match="All weights are 0"):
        measure.fit([near], near.max() - near)
    assert measure.score_ == 0
    assert_array_equal(measure.weights_, [0])
    assert measure.score([near], near) == 0


@pytest.mark.parametrize("comparison", ["pearson", "spearman", "cosine"])
def test_columns_that_are_constant_or_twice_there(comparison):
    X, y = views()
    measure = FeatureReweightedRSA(comparison=comparison)
    score, weights = measure.fit(X, y).score_, measure.weights_
    wide = np.hstack([np.full((30, 1), 7.0), X, X])
    measure.fit(wide, y)
    assert_allclose(measure.score_, score, rtol=1e-9)
    assert measure.weights_[0] == 0
    halves = measure.weights_[1:6] + measure.weights_[6:]
    assert_allclose(halves, weights, rtol=1e-7, atol=1e-9)


def test_more_columns_than_pairs():
    X, y = views(6, 40)
    assert_allclose(FeatureReweightedRSA().fit(X, y).score_, 1, rtol=1e-6)
    assert FeatureReweightedRSA(ridge=0.1).fit(X, y).score_ < 1 - 1e-5


def test_equal_dissimilarities_and_missing_ones_are_refused():
    X = views(10)[0]
    with pytest.raises(ValueError, match="rows of y are equally dissimilar"):
        FeatureReweightedRSA().fit(X, np.eye(10))
    given = FeatureReweightedRSA("precomputed")
    first, second = squareform(pdist(X)), squareform(pdist(X[:, :2]))
    lacking = second.copy()
    lacking[2, 3] = lacking[3, 2] = np.nan
    for pair, message in (
        (([first, lacking], second), r"1 pairs of rows are missing \(nan\) in X\[1\]"),
        (([first], lacking), r"1 pairs of rows are missing \(nan\) in y"),
        (([first, second[:8, :8]], second), r"X\[1\] relates 8 rows and X\[0\] 10"),
        (([first, second[:8]], second), r"X\[1\] has 8 rows and 10 columns"),
        (([first, second], np.ones(45)), "rows of y are equally dissimilar"),
        (([first, second], [first, second]), "y"),
        (([first, second], second[:8, :8]), "X has 10 rows and y has 8"),
    ):
        with pytest.raises(ValueError, match=message):
            given.fit(*pair)
    with pytest.raises(ValueError, match="y has 2 matrices"):
        similarity_matrix(given, [[first, second]], [[first, second]])


@pytest.mark.parametrize("factors", [(1e-200, 1e200), (1e120, 1e-150)])
def test_units_of_any_size(factors):
    X, y = views()
    measure = FeatureReweightedRSA().fit(X, y)
    scaled = clone(measure).fit(X * factors[0], y * factors[1])
    assert_allclose(scaled.score_, measure.score_, rtol=1e-10)
    new_X, new_y = views(seed=1)
    score = scaled.score(new_X * factors[0], new_y * factors[1])
    assert_allclose(score, measure.score(new_X, new_y), rtol=1e-10)


# ----- a member of the library, and of scikit-learn's --------------------------------


def test_held_out_score_in_cross_validation_and_grids():
    X, y = views(40, 12)
    measure = FeatureReweightedRSA()
    scores = cross_val_score(measure, X, y, cv=KFold(4))
    train, test = next(KFold(4).split(X))
    assert scores[0] == clone(measure).fit(X[train], y[train]).score(X[test], y[test])
    grid = {"ridge": [0, 0.1, 10], "comparison": ["pearson", "spearman"]}
    search = GridSearchCV(measure, grid, cv=KFold(4)).fit(X, y)
    assert search.best_score_ >= scores.mean()
    # weights make up for what plain RSA takes for as large as the rest
    plain = cross_val_score(RSA("sqeuclidean", "pearson"), X, y, cv=KFold(4))
    assert scores.mean() > plain.mean()


@pytest.mark.parametrize("comparison", ["pearson", "spearman"])
def test_permutations_fit_weights_anew(comparison):
    X, y = views(24)
    measure = FeatureReweightedRSA(comparison=comparison)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(24) for _ in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [clone(measure).fit(X, y[order]).score_ for order in orders]
    prepared = measure._open(X, y).for_permutations()
    assert_allclose(prepared.permuted(orders), expected, rtol=1e-9)
    given = FeatureReweightedRSA("precomputed", comparison)
    stack, target = list(lists_of(X).T), pdist(y, "sqeuclidean")
    found = given._open(stack, target).for_permutations().permuted(orders)
    assert_allclose(found, expected, rtol=1e-9)
    refit = similarity_interval(measure, X, y).replicates[5]
    rows = np.delete(np.arange(24), 5)
    assert_allclose(refit, clone(measure).fit(X[rows], y[rows]).score_, rtol=1e-9)
    again = similarity_interval(given, stack, target).replicates[5]
    assert_allclose(again, refit, rtol=1e-9)


@pytest.mark.slow
def test_level_of_the_training_rows_score():
    """The score of unrelated rows is far from 0, and its p-values are uniform."""
    rng = np.random.default_rng(0)
    results = [
        similarity_test(
            FeatureReweightedRSA(),
            *rng.normal(size=(2, 15, 6)),
            n_permutations=39,
            random_state=0,
        )
        for _ in range(400)
    ]
    assert np.mean([result.statistic for result in results]) > 0.1
    pvalues = np.array([result.pvalue for result in results])
    for level in (0.05, 0.2, 0.5):
        error = (level * (1 - level) / 400) ** 0.5
        assert abs(np.mean(pvalues <= level) - level) < 3.5 * error


@parametrize_with_similarity_checks(
    [
        FeatureReweightedRSA("precomputed"),
        FeatureReweightedRSA("precomputed", "spearman", ridge=1.0),
    ]
)
def test_checks_of_one_given_matrix(measure, check):
    name = getattr(check, "func", check).__name__
    if name == "check_symmetry":
        return  # one matrix against one: several against one are no pair to exchange
    check(measure)
