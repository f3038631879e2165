"""Rows that were measured several times."""

import itertools
import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score

from sksim.alignment import (
    AlignedCosine,
    AngularShapeMetric,
    LinearRegressionSimilarity,
    OrthogonalProcrustes,
    PartialWhiteningShapeMetric,
    PermutationProcrustes,
    SoftMatching,
)
from sksim.arrays._repeats import (
    Trials,
    self_term_of_columns,
    self_term_of_distinct,
    unbiased_square_sum,
)
from sksim.cca import MeanCCA
from sksim.compose import CrossRepetition, TransformedViews
from sksim.inference import similarity_interval, similarity_matrix_test, similarity_test
from sksim.pairwise import similarity_matrix
from sksim.preprocessing import UnitRows
from sksim.rsm import CKA, HSIC, RSA, DistanceCorrelation

DEBIASED = CKA(debias="rows")
MEASURES = [
    DEBIASED,
    CKA(debias="both"),
    HSIC(debias="rows"),
    HSIC(debias="both"),
    RSA("sqeuclidean", comparison="pearson"),
    RSA(),
    DistanceCorrelation(debias="rows"),
    OrthogonalProcrustes(),
    OrthogonalProcrustes(scale=False),
    OrthogonalProcrustes(center=False),
    AngularShapeMetric(),
    LinearRegressionSimilarity(),
    LinearRegressionSimilarity(ridge=3.0),
]
UNEQUAL = np.array([2, 3, 2, 4, 2, 5, 3, 2, 2, 3, 2, 6])


def signals(n=12, widths=(3, 4), random_state=0, n_shared=3, n_private=2):
    rng = np.random.default_rng(random_state)
    shared = rng.normal(size=(n, n_shared))
    return [
        np.hstack([shared, rng.normal(size=(n, n_private))])
        @ rng.normal(size=(n_shared + n_private, width))
        for width in widths
    ]


def recorded(pair, repeats, noise=1.0, random_state=1):
    rng = np.random.default_rng(random_state)
    return [
        signal[repeats] + noise * rng.normal(size=(len(repeats), signal.shape[1]))
        for signal in pair
    ]


def song(K, L):
    n, one = len(K), np.ones(len(K))
    K, L = (M - np.diag(np.diag(M)) for M in (K, L))
    additive = 2 / (n - 2) * one @ K @ L @ one
    return np.trace(K @ L) + K.sum() * L.sum() / ((n - 1) * (n - 2)) - additive


# ----- what the products are made of --------------------------------------------------


@pytest.mark.parametrize("width", [3, 40])
def test_self_term_is_a_mean_over_all_ways_to_pick_distinct_trials(width):
    repeats = np.repeat(np.arange(5), [2, 3, 2, 3, 2])
    X = np.random.default_rng(0).normal(size=(12, width)) + 3
    picks = [
        list(itertools.permutations(np.flatnonzero(repeats == i), 2)) for i in range(5)
    ]
    whole, columns = [], []
    for pick in itertools.product(*picks):
        A, B = X[[p[0] for p in pick]], X[[p[1] for p in pick]]
        whole.append(song(A @ A.T, B @ B.T))
        columns.append(
            sum(
                song(np.outer(a, a), np.outer(b, b))
                for a, b in zip(A.T, B.T, strict=True)
            )
        )
    trials, scale = Trials.of(X, repeats, xp=np).centred(xp=np)
    found = self_term_of_distinct(trials, xp=np) * scale**4
    assert_allclose(found, np.mean(whole), rtol=1e-10)
    found = self_term_of_columns(trials, xp=np) * scale**4
    assert_allclose(found, np.mean(columns), rtol=1e-10)


def test_norm_of_what_trials_share():
    """By hand: (1, 3) and (2, 4) have 3 and 8 in common; the means' mean is 2.5."""
    X = np.array([[1.0], [2.0], [3.0], [4.0]])
    trials = Trials.of(X, np.array([0, 1, 0, 1]), xp=np)
    assert unbiased_square_sum(trials, center=False, xp=np) == 3 + 8
    centred, _ = trials.centred(xp=np)
    # of trials -1.5, .5 and -.5, 1.5: -.75 each, and half of the noise of both means
    assert unbiased_square_sum(centred, center=True, xp=np) == -1.5 + (1 + 1) / 2


def test_halves_are_disjoint():
    repeats = np.repeat(np.arange(12), UNEQUAL)
    trials = Trials.of(np.eye(len(repeats)), repeats, xp=np)
    pairs = list(trials.halves(xp=np))
    assert len(pairs) == 3
    own = repeats == np.arange(12)[:, None]
    for first, second in pairs:
        assert not np.any((first > 0) & (second > 0))
        assert np.array_equal((first > 0) | (second > 0), own)
        assert_allclose([first.sum(axis=1), second.sum(axis=1)], 1)
    pairs = list(trials.halves(equal=True, xp=np))
    assert len(pairs) == 6
    for first, second in pairs:
        assert not np.any((first > 0) & (second > 0))
        assert np.all(np.sum(first > 0, axis=1) == 1)
        assert np.all(np.sum(second > 0, axis=1) == 1)
    used = sum(first + second for first, second in pairs)
    assert np.array_equal(used > 0, own)


# ----- what must not matter -----------------------------------------------------------


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_without_noise_it_is_the_measure_itself(measure):
    pair = signals(40, (4, 6))
    repeats = np.tile(np.arange(40), 3)
    expected = measure.fit(*pair).statistic_
    found = CrossRepetition(measure).fit(*recorded(pair, repeats, 0), repeats=repeats)
    assert found.statistic_ == pytest.approx(expected, rel=1e-6, abs=1e-7)
    assert found.n_samples_fit_ == 40


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_names_of_rows_and_order_of_their_trials(measure):
    repeats = np.repeat(np.arange(12), 4)
    X, y = recorded(signals(widths=(3, 20)), repeats, 0.3)
    wrapped = CrossRepetition(measure)
    value = wrapped.fit(X, y, repeats=repeats).statistic_
    order = np.argsort(np.random.default_rng(0).permutation(12)[repeats], kind="stable")
    names = np.array([f"row {i}" for i in range(12)])[repeats]
    moved = wrapped.fit(X[order], y[order], repeats=pd.Series(names[order]))
    assert_allclose(moved.statistic_, value, rtol=1e-9)
    single = [Z.astype(np.float32) for Z in (X, y)]
    assert_allclose(wrapped.fit(*single, repeats=repeats).statistic_, value, rtol=1e-5)


@pytest.mark.parametrize(
    "measure",
    [DEBIASED, HSIC(debias="rows"), OrthogonalProcrustes(), AngularShapeMetric()],
    ids=repr,
)
def test_more_columns_than_trials(measure):
    """Columns of zeros, rotated: the same trials in a wider space."""
    repeats = np.repeat(np.arange(12), UNEQUAL)
    X, y = recorded(signals(widths=(5, 4)), repeats, 0.5)
    value = CrossRepetition(measure).fit(X, y, repeats=repeats).statistic_
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(90, 5)))[0]
    wide = CrossRepetition(measure).fit(X @ rotation.T, y, repeats=repeats)
    assert wide.statistic_ == pytest.approx(value, rel=1e-9)
    copy = pickle.loads(pickle.dumps(clone(wide).fit(X, y, repeats=repeats)))
    assert copy.score() == pytest.approx(wide.score_, rel=1e-9)


def test_one_column():
    repeats = np.repeat(np.arange(12), UNEQUAL)
    X, y = recorded(signals(widths=(5, 1)), repeats, 0.5)
    columns = CrossRepetition(DEBIASED).fit(X, y, repeats=repeats).score_
    assert CrossRepetition(DEBIASED).fit(X, y[:, 0], repeats=repeats).score_ == columns


@pytest.mark.parametrize("measure", [DEBIASED, CKA(debias="both"), RSA()], ids=repr)
def test_scale_and_offset(measure):
    repeats = np.repeat(np.arange(12), UNEQUAL)
    X, y = recorded(signals(widths=(3, 50)), repeats, 0.3)
    wrapped = CrossRepetition(measure)
    value = wrapped.fit(X, y, repeats=repeats).score_
    changes = [(1e120 * X, y), (X, 1e-120 * y)]
    changes += [(X + 1e4, y)] if "TR" in measure._similarity_tags().invariances else []
    for changed in changes:
        assert_allclose(wrapped.fit(*changed, repeats=repeats).score_, value, rtol=1e-8)


# ----- recovery of the truth ----------------------------------------------------------


def test_noise_that_hides_a_similarity():
    """300 x 100, private noise of sd 3 in unit signals: .02 becomes the truth."""
    rng = np.random.default_rng(0)
    truth, single, found = [], [], []
    for seed in range(12):
        pair = signals(300, (100, 100), seed, n_shared=80, n_private=20)
        pair = [Z / Z.std() for Z in pair]
        repeats = np.tile(np.arange(300), 4)
        X, y = recorded(pair, repeats, 3.0, int(rng.integers(2**31)))
        truth.append(DEBIASED.fit(*pair).score_)
        single.append(DEBIASED.fit(X[:300], y[:300]).score_)
        measure = CrossRepetition(DEBIASED).fit(X, y, repeats=repeats)
        found.append(measure.score_)
    assert np.mean(single) < 0.05 < 0.4 < np.mean(truth)
    error = np.std(np.subtract(found, truth), ddof=1) / len(truth) ** 0.5
    assert abs(np.mean(found) - np.mean(truth)) < 2 * error < 0.1


@pytest.mark.parametrize(
    "measure, far, allowed",
    [
        (DEBIASED, 0.06, 0.0),
        (CKA(debias="both"), 0.0, 0.0),
        (RSA("sqeuclidean", comparison="pearson"), 0.06, 0.0),
        (RSA("sqeuclidean"), 0.06, 0.01),
        (DistanceCorrelation(debias="rows"), 0.03, 0.03),
        (OrthogonalProcrustes(), 0.04, 0.04),
    ],
    ids=repr,
)
def test_signals_are_recovered(measure, far, allowed):
    """Means of trials are far off; what is left here is a few hundredths."""
    repeats = np.repeat(np.arange(100), np.resize([4, 3, 6], 100))
    known = []
    for seed in range(16):
        pair = signals(100, (30, 40), seed)
        trials = recorded(pair, repeats, 4.0, 100 + seed)
        counts = np.bincount(repeats)[:, None]
        means = [np.eye(100)[repeats].T @ Z / counts for Z in trials]
        found = CrossRepetition(measure).fit(*trials, repeats=repeats)
        values = [measure.fit(*pair).statistic_ for pair in (pair, means)]
        known.append([*values, found.statistic_])
    truth, of_means, found = np.transpose(known)
    error = np.std(found - truth, ddof=1) / 4
    assert abs(np.mean(found - truth)) < 2.5 * error + allowed
    assert abs(np.mean(of_means - truth)) >= far


def test_noise_in_what_is_predicted():
    repeats = np.repeat(np.arange(80), 3)
    measure, found, truth, of_means = LinearRegressionSimilarity(), [], [], []
    for seed in range(20):
        X, y = signals(80, (4, 10), seed)
        noisy = recorded((X, y), repeats, 3.0, seed)[1]
        wrapped = CrossRepetition(measure).fit(X[repeats], noisy, repeats=repeats)
        found.append(wrapped.score_)
        truth.append(measure.fit(X, y).score_)
        of_means.append(measure.fit(X, noisy.reshape(80, 3, -1).mean(axis=1)).score_)
    error = np.std(np.subtract(found, truth), ddof=1) / 20**0.5
    assert abs(np.mean(found) - np.mean(truth)) < 2.5 * error
    assert np.mean(of_means) < np.mean(truth) - 0.15


@pytest.mark.parametrize(
    "measure",
    [RSA("sqeuclidean"), DistanceCorrelation(debias="rows"), OrthogonalProcrustes()],
    ids=repr,
)
def test_noise_that_is_recorded_on_both_sides_at_once(measure):
    """Unrelated signals with the same noise: no trial of X meets its own of y."""
    repeats = np.repeat(np.arange(60), 4)
    unrelated, found, of_means = [], [], []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        pair = rng.normal(size=(2, 60, 5))
        noise = 1.5 * rng.normal(size=(240, 5))
        X, y = (Z[repeats] + noise for Z in pair)
        unrelated.append(measure.fit(*pair).statistic_)
        means = (Z.reshape(60, 4, 5).mean(axis=1) for Z in (X, y))
        of_means.append(measure.fit(*means).statistic_)
        found.append(CrossRepetition(measure).fit(X, y, repeats=repeats).statistic_)
    error = np.std(np.subtract(found, unrelated), ddof=1) / 12**0.5
    assert abs(np.mean(found) - np.mean(unrelated)) < 2.5 * error + 0.03
    assert abs(np.mean(of_means) - np.mean(unrelated)) > 0.1


# ----- tests, intervals, matrices -----------------------------------------------------


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_rows_move_with_all_of_their_trials(measure):
    repeats = np.repeat(np.arange(12), 3)
    X, y = recorded(signals(), repeats, 0.3)
    wrapped = CrossRepetition(measure)
    comparison = wrapped._open(X, y, repeats=repeats)
    assert comparison.n_samples == 12
    order = np.random.default_rng(0).permutation(12)
    moved = y.reshape(12, 3, -1)[order].reshape(36, -1)
    expected = wrapped.fit(X, moved, repeats=repeats).statistic_
    for prepared in (comparison, comparison.for_permutations()):
        assert_allclose(prepared.permuted([order]), [expected], rtol=1e-9)


def test_a_test_and_an_interval_are_of_rows():
    repeats = np.repeat(np.arange(40), np.resize([2, 3], 40))
    X, y = recorded(signals(40), repeats, 1.0)
    measure, known = CrossRepetition(DEBIASED), {"metadata": {"repeats": repeats}}
    result = similarity_test(measure, X, y, n_permutations=99, random_state=0, **known)
    assert result.pvalue == 0.01
    assert abs(result.null_mean) < 0.05
    interval = similarity_interval(measure, X, y, **known)
    kept = repeats != 7
    refit = measure.fit(X[kept], y[kept], repeats=repeats[kept]).score_
    assert interval.replicates.shape == (40,)
    assert interval.replicates[7] == pytest.approx(refit, rel=1e-10)
    low, high = interval.confidence_interval
    assert low < interval.score < high


def test_matrices_of_layers():
    repeats = np.repeat(np.arange(20), 3)
    X, y = recorded(signals(20), repeats, 0.5)
    layers, known = {"a": X, "b": y}, {"metadata": {"repeats": repeats}}
    for measure in (DEBIASED, RSA()):
        wrapped = CrossRepetition(measure)
        matrix = similarity_matrix(wrapped, layers, **known)
        expected = wrapped.fit(X, y, repeats=repeats).score_
        assert matrix.loc["a", "b"] == pytest.approx(expected, rel=1e-10)
        result = similarity_matrix_test(
            wrapped, {"a": X}, {"b": y}, n_permutations=19, random_state=0, **known
        )
        assert result.scores[0, 0] == pytest.approx(expected, rel=1e-10)
        assert result.pvalues[0, 0] == 0.05


def test_new_rows_and_cross_validation():
    repeats = np.repeat(np.arange(30), 3)
    X, y = recorded(signals(30), repeats, 0.5)
    measure = CrossRepetition(DEBIASED).fit(X[:45], y[:45], repeats=repeats[:45])
    expected = CrossRepetition(DEBIASED).fit(X[45:], y[45:], repeats=repeats[45:])
    assert measure.score(X[45:], y[45:], repeats=repeats[45:]) == expected.score_
    assert measure.score() == measure.score_
    with config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            CrossRepetition(DEBIASED),
            X,
            y,
            cv=GroupKFold(3).split(X, groups=repeats),
            params={"repeats": repeats},
        )
    assert np.all(scores > 0)


def test_transformed_trials():
    repeats = np.repeat(np.arange(20), 3)
    X, y = recorded(signals(20), repeats, 0.5)
    measure = TransformedViews(CrossRepetition(DEBIASED), UnitRows())
    value = measure.fit(X, y, repeats=repeats).score_
    rows = (UnitRows().fit_transform(Z) for Z in (X, y))
    expected = CrossRepetition(DEBIASED).fit(*rows, repeats=repeats).score_
    assert value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_tensors(measure):
    torch = pytest.importorskip("torch")
    repeats = np.repeat(np.arange(20), np.resize([2, 3], 20))
    X, y = recorded(signals(20), repeats, 0.5)
    expected = CrossRepetition(measure).fit(X, y, repeats=repeats).statistic_
    with config_context(array_api_dispatch=True):
        tensors = (torch.asarray(Z) for Z in (X, y))
        found = CrossRepetition(measure).fit(*tensors, repeats=torch.asarray(repeats))
    assert found.statistic_ == pytest.approx(expected, rel=1e-9)


# ----- what is refused ----------------------------------------------------------------


def test_single_trials_are_refused_by_name():
    X, y = np.random.default_rng(0).normal(size=(2, 9, 3))
    labels = list("aabbccdde")
    measure = CrossRepetition(DEBIASED)
    with pytest.raises(ValueError, match="repeats has 'e' once: .* leave single ones"):
        measure.fit(X, y, repeats=labels)
    with pytest.raises(ValueError, match="repeats has 0 once, and 8 others"):
        measure.fit(X, y, repeats=np.arange(9))
    with pytest.raises(ValueError, match="repeats=..."):
        measure.fit(X, y)
    with pytest.raises(ValueError, match="repeats has 8 labels for 9 rows"):
        measure.fit(X, y, repeats=labels[:8])
    with pytest.raises(ValueError, match="names 3 rows, but CKA.* at least 4"):
        measure.fit(X, y, repeats=[0, 0, 0, 1, 1, 1, 2, 2, 2])


def test_trials_that_share_nothing_are_refused():
    repeats = np.tile(np.arange(20), 2)
    X = recorded(signals(20), repeats)[0]
    rng = np.random.default_rng(0)
    columns = np.linalg.qr(np.hstack([np.ones((20, 1)), rng.normal(size=(20, 8))]))[0]
    orthogonal = np.vstack([columns[:, 1:5], columns[:, 5:]])
    opposite = np.vstack([columns[:, 1:5], -0.9 * columns[:, 1:5]])
    for measure, y in ((DEBIASED, orthogonal), (OrthogonalProcrustes(), opposite)):
        with pytest.raises(ValueError, match="rows of y have nothing in common"):
            CrossRepetition(measure).fit(X, y, repeats=repeats)


@pytest.mark.parametrize(
    "measure",
    [
        MeanCCA(),
        AlignedCosine(),
        PartialWhiteningShapeMetric(),
        PermutationProcrustes(),
        SoftMatching(),
        CKA(kernel="precomputed"),
    ],
    ids=repr,
)
def test_measures_without_such_an_estimate(measure):
    repeats = np.repeat(np.arange(12), 2)
    X = np.random.default_rng(0).normal(size=(24, 24))
    with pytest.raises(ValueError, match="no estimate of .* Of others take the mean"):
        CrossRepetition(measure).fit(X + X.T, X + X.T, repeats=repeats)


@pytest.mark.parametrize("measure", [CKA(), HSIC(), CKA("rbf", debias="rows")])
def test_kernels_that_have_none(measure):
    repeats = np.repeat(np.arange(12), 2)
    pair = recorded(signals(), repeats)
    with pytest.raises(ValueError, match="linear kernel with debias='rows'"):
        CrossRepetition(measure).fit(*pair, repeats=repeats)
