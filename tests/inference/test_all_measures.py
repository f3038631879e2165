"""What inference promises for every public measure, found by discovery."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.base import clone
from sklearn.utils import get_tags

from sksim import all_measures
from sksim.alignment import LinearRegressionSimilarity
from sksim.cca import MeanSquaredCCA
from sksim.functional import (
    Ambiguity,
    DoubleFault,
    FleissKappa,
    PerformanceDifference,
    SameErrorRate,
)
from sksim.inference import (
    permutations,
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.inference._moments import null_moments
from sksim.inference._permutations import own_strata
from sksim.neighbors import GraphBasedSimilarity, MutualKNN, NeighborJaccard
from sksim.rsm import CKA, HSIC, RSA, DistanceCorrelation, RSMNormDifference
from sksim.testing import make_inputs

pytestmark = pytest.mark.filterwarnings("ignore:.*by construction.*")


def _measures():
    for _, cls in all_measures():
        measure = cls()
        if "random_state" in measure.get_params():
            measure.set_params(random_state=0)
        if isinstance(measure, SameErrorRate):
            # of 24 rows, by chance, there may be none that both models get wrong
            measure.set_params(given="either")
        if get_tags(measure).similarity_tags.inputs != "models":
            yield measure


def _tags(measure):
    return get_tags(measure).similarity_tags


MEASURES = list(_measures())
PAIRED = [m for m in MEASURES if _tags(m).paired]
ROWS = [m for m in PAIRED if _tags(m).null == "rows" and _tags(m).arity == "pair"]


def _permuted_scores(measure, X, y, fit_params, orders):
    """The measure on views made afresh of permuted rows and their labels."""
    rows = clone(measure)._read(X, y, **fit_params)
    view_x = rows.view(0)
    for order in orders:
        view_y = rows.some(order).view(1)
        comparison = measure._kind.of(view_x, view_y, **rows._setting())
        yield _tags(measure).orient(float(comparison.value()))


# A random subset of rows, drawn by seed, is another one after a permutation.
UNSEEDED = [m for m in ROWS if "seed" not in _tags(m).view_keywords]


@pytest.mark.parametrize("measure", UNSEEDED, ids=repr)
@pytest.mark.parametrize("seed", [0, 1])
def test_fast_path_equals_recomputation(measure, seed):
    X, y, fit_params = make_inputs(measure, random_state=seed)
    result = similarity_test(
        measure, X, y, n_permutations=5, random_state=seed, **fit_params
    )
    strata = own_strata(_tags(measure), None, fit_params)
    orders = permutations(len(X), 5, strata=strata, random_state=seed)
    expected = list(_permuted_scores(measure, X, y, fit_params, orders))
    np.testing.assert_allclose(
        result.null_distribution, expected, rtol=1e-12, atol=1e-13
    )
    fitted = clone(measure).fit(X, y, **fit_params)
    assert result.statistic == pytest.approx(fitted.statistic_, rel=1e-13, abs=1e-15)


# Wide views are permuted as n x n matrices, in more blocks than one if n is large, and
# of more columns than rows by their row factors.
SHAPES = ((250, 70, 66), (40, 60, 50), (60, 20, 90))
REPRESENTATIONS = [
    *(m for m in UNSEEDED if _tags(m).inputs == "representation"),
    CKA(debias="rows"),
    CKA(kernel="rbf"),
    HSIC(debias="rows"),
    DistanceCorrelation(debias="rows"),
    DistanceCorrelation(squared=True),
    LinearRegressionSimilarity(ridge=5.0),
    MeanSquaredCCA(denominator="width"),
    NeighborJaccard(metric="euclidean"),
    GraphBasedSimilarity(n_neighbors=5),
    *(RSA(comparison=name) for name in ("pearson", "cosine", "kendall")),
    *(RSA(comparison=name) for name in ("rho_a", "cosine_cov", "corr_cov")),
    RSA(metric="sqeuclidean", comparison="pearson"),
    RSA(metric="euclidean", comparison="corr_cov"),
    *(RSMNormDifference(metric=name) for name in ("linear", "cosine")),
]


@pytest.mark.filterwarnings("ignore:.*in whatever order:UserWarning")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("measure", REPRESENTATIONS, ids=repr)
def test_fast_path_equals_recomputation_of_wide_views(measure, shape):
    if _tags(measure).family == "topology":
        shape = (25, 40, 30)
    n, width_x, width_y = shape
    rng = np.random.default_rng(n)
    X = rng.normal(size=(n, width_x))
    y = X @ rng.normal(size=(width_x, width_y)) / 8 + rng.normal(size=(n, width_y))
    result = similarity_test(
        measure, X, y, n_permutations=3, random_state=0, batch_size=2
    )
    orders = permutations(n, 3, random_state=0)
    expected = list(_permuted_scores(measure, X, y, {}, orders))
    np.testing.assert_allclose(
        result.null_distribution, expected, rtol=1e-12, atol=1e-13
    )


@pytest.mark.parametrize("measure", PAIRED, ids=repr)
def test_every_paired_measure_has_a_pvalue(measure):
    X, y, fit_params = make_inputs(measure)
    result = similarity_test(
        measure, X, y, n_permutations=9, random_state=0, **fit_params
    )
    assert 0.1 <= result.pvalue <= 1 or result.method == "exact"
    assert result.null_distribution.shape == (9,)
    assert np.isfinite(result.null_mean)
    again = similarity_test(
        measure, X, y, n_permutations=9, random_state=0, batch_size=2, **fit_params
    )
    np.testing.assert_array_equal(again.null_distribution, result.null_distribution)


@pytest.mark.parametrize(
    "measure", [m for m in MEASURES if not _tags(m).paired], ids=repr
)
def test_unpaired_measures_are_refused(measure):
    X, y, fit_params = make_inputs(measure)
    with pytest.raises(ValueError, match=f"{type(measure).__name__} compares"):
        similarity_test(measure, X, y, **fit_params)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_intervals_are_valid_or_refused(measure):
    X, y, fit_params = make_inputs(measure, n_samples=24)
    methods = ("jackknife", "subsample", "masked_bootstrap", "bootstrap")
    for method in methods:
        options = {"method": method, "n_resamples": 20, "random_state": 0}
        if method not in _tags(measure).intervals:
            with pytest.raises(ValueError, match=f"method='{method}' is not valid"):
                similarity_interval(measure, X, y, **fit_params, **options)
        elif method == "jackknife":
            result = similarity_interval(measure, X, y, **fit_params, **options)
            low, high = result.confidence_interval
            assert low <= result.score <= high
            fitted = clone(measure).fit(X, y, **fit_params)
            assert result.score == pytest.approx(fitted.score_)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_jackknife_equals_refitting(measure):
    """Closed forms and subsets of views are what a fit on the other rows gives."""
    if "jackknife" not in _tags(measure).intervals:
        return
    X, y, fit_params = make_inputs(measure, n_samples=24)
    result = similarity_interval(measure, X, y, method="jackknife", **fit_params)
    for i in (0, 11):
        rows = np.delete(np.arange(24), i)
        params = {name: value[rows] for name, value in fit_params.items()}
        second = None if y is None else y[rows]
        refit = clone(measure).fit(X[rows], second, **params).score_
        assert result.replicates[i] == pytest.approx(refit, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("measure", ROWS, ids=repr)
def test_closed_forms_of_the_null(measure):
    """Every trace form and null mean that a measure offers is exact."""
    X, y, fit_params = make_inputs(measure, n_samples=40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pair = clone(measure)._open(X, y, **fit_params)
    form = pair.trace_form()
    mean = pair.null_mean()
    if form is not None:
        K, L = form.K.toarray(), form.L.toarray()
        assert form.scale * np.vdot(K, L) == pytest.approx(pair.statistic(), rel=1e-9)
        np.testing.assert_allclose([K.sum(axis=0), L.sum(axis=0)], 0, atol=1e-9)
        moments = null_moments(form)
        if mean is not None:
            assert mean == pytest.approx(moments.mean, rel=1e-9)
    if mean is not None:
        result = similarity_test(measure, X, y, n_permutations=400, random_state=0)
        error = result.null_std / 20
        sign = pair.tags.orient(1.0)
        assert abs(sign * mean - result.null_mean) < 4 * error


@pytest.mark.parametrize(
    "measure",
    [NeighborJaccard(n_neighbors=2), MutualKNN(n_neighbors=2)],
    ids=repr,
)
def test_neighbour_null_means_equal_full_enumeration(measure):
    X, y = np.random.default_rng(0).normal(size=(2, 6, 3))
    exact = similarity_test(measure, X, y, method="exact").null_mean
    assert measure._open(X, y).null_mean() == pytest.approx(exact)


# ----- two models that are interchangeable --------------------------------------------


@pytest.fixture(scope="module")
def judged():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, size=80)
    outputs = [
        np.where(rng.random(80) < accuracy, truth, rng.integers(0, 3, 80))
        for accuracy in (0.8, 0.5)
    ]
    return *outputs, truth


def test_difference_of_accuracies_is_mcnemars_test(judged):
    a, b, truth = judged
    measure = PerformanceDifference()
    result = similarity_test(measure, a, b, y_true=truth, random_state=0)
    n_a, n_b = np.sum((a == truth) & (b != truth)), np.sum((a != truth) & (b == truth))
    expected = binomtest(n_a, n_a + n_b).pvalue
    assert result.pvalue == pytest.approx(expected)
    assert (result.method, result.alternative) == ("exact", "less")
    drawn = similarity_test(
        measure,
        a,
        b,
        y_true=truth,
        method="permutation",
        n_permutations=4000,
        random_state=0,
    )
    assert drawn.method == "permutation"
    assert drawn.pvalue == pytest.approx(expected, abs=0.005)


def test_exchange_swaps_the_outputs_row_by_row(judged):
    a, b, truth = (array[:8] for array in judged)
    measure = PerformanceDifference()
    result = similarity_test(measure, a, b, y_true=truth, method="exact")
    expected = []
    for swap in itertools.product([False, True], repeat=8):
        first, second = np.where(swap, b, a), np.where(swap, a, b)
        expected.append(clone(measure).fit(first, second, y_true=truth).score_)
    np.testing.assert_allclose(
        np.sort(result.null_distribution), np.sort(expected), atol=1e-15
    )


def test_groups_are_swapped_whole(judged):
    a, b, truth = (array[:12] for array in judged)
    groups = np.arange(12) // 3
    measure = PerformanceDifference()
    result = similarity_test(measure, a, b, y_true=truth, groups=groups)
    expected = []
    for swap in itertools.product([False, True], repeat=4):
        mask = np.array(swap)[groups]
        first, second = np.where(mask, b, a), np.where(mask, a, b)
        expected.append(clone(measure).fit(first, second, y_true=truth).score_)
    assert (result.method, result.n_permutations) == ("exact", 16)
    np.testing.assert_allclose(
        np.sort(result.null_distribution), np.sort(expected), atol=1e-15
    )
    share = np.mean(np.array(expected) <= result.score + 1e-12)
    assert result.pvalue == pytest.approx(share)
    with pytest.raises(ValueError, match="swapping"):
        similarity_test(measure, a, b, y_true=truth, groups=groups, permute="shift")


def test_equally_good_models_are_not_called_different():
    """Permuting rows would ask whether the models are better than chance."""
    rng = np.random.default_rng(0)
    pvalues = []
    for _ in range(200):
        truth = rng.integers(0, 2, size=60)
        a, b = (np.where(rng.random(60) < 0.7, truth, 1 - truth) for _ in range(2))
        result = similarity_test(
            PerformanceDifference(),
            a,
            b,
            y_true=truth,
            method="permutation",
            n_permutations=99,
            random_state=0,
        )
        pvalues.append(result.pvalue)
    # binomial(200, .05) exceeds 19 with probability .003
    assert np.sum(np.array(pvalues) <= 0.05) <= 19
    assert np.mean(np.array(pvalues) <= 0.5) > 0.3


def test_labels_may_come_as_metadata(judged):
    a, b, truth = judged
    measure, metadata = DoubleFault(), {"metadata": {"y_true": truth}}
    settings = {"n_permutations": 9, "random_state": 0}
    found = similarity_test(measure, a, b, **metadata, **settings)
    expected = similarity_test(measure, a, b, y_true=truth, **settings)
    np.testing.assert_array_equal(found.null_distribution, expected.null_distribution)
    found = similarity_interval(measure, a, b, **metadata)
    expected = similarity_interval(measure, a, b, y_true=truth)
    np.testing.assert_array_equal(found.replicates, expected.replicates)
    found = similarity_matrix_test(measure, [a, b], **metadata, **settings)
    expected = similarity_matrix_test(measure, [a, b], y_true=truth, **settings)
    np.testing.assert_array_equal(found.null_mean, expected.null_mean)


# ----- groups of models ---------------------------------------------------------------


def test_each_model_of_a_group_is_permuted_by_itself():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, size=(40, 3))
    result = similarity_test(
        FleissKappa(), X, n_permutations=2000, random_state=0, method="permutation"
    )
    # kappa corrects for chance, so that its null mean is near 0
    assert abs(result.null_mean) < 0.02
    alike = np.repeat(X[:, :1], 3, axis=1)
    assert similarity_test(FleissKappa(), alike, random_state=0).pvalue == 0.001
    # two models that agree with each other alone are still more alike than chance
    two = np.column_stack([X[:, 1], X[:, 0], X[:, 0]])
    assert similarity_test(FleissKappa(), two, random_state=0).pvalue < 0.01


def test_interval_of_a_group():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, size=(200, 3))
    result = similarity_interval(Ambiguity(), X, method="bootstrap", random_state=0)
    p = result.statistic
    assert result.standard_error == pytest.approx(np.sqrt(p * (1 - p) / 200), rel=0.1)
