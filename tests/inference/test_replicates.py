"""Two kinds of model with replicates of each: floors, exchanged labels, jackknife."""

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from sksim import (
    CKA,
    IMD,
    Disagreement,
    LinearRegressionSimilarity,
    OrthogonalProcrustes,
    PerformanceDifference,
    replicate_test,
)

DEBIASED = CKA(debias="rows")


def _kind(rng, base, n_replicates, noise):
    return [base + noise * rng.normal(size=base.shape) for _ in range(n_replicates)]


@pytest.fixture
def kinds():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(40, 3))
    return _kind(rng, A, 3, 0.5), _kind(rng, A + rng.normal(size=A.shape), 4, 0.5)


def _scores(measure, Xs, ys):
    return [measure.fit(X, y).score_ for X, y in itertools.product(Xs, ys)]


def _within(measure, Xs):
    return [measure.fit(X, y).score_ for X, y in itertools.combinations(Xs, 2)]


# ----- what the numbers are -----------------------------------------------------------


def test_means_are_those_of_all_pairs(kinds):
    Xs, ys = kinds
    result = replicate_test(DEBIASED, Xs, ys)
    between = _scores(DEBIASED, Xs, ys)
    within = _within(DEBIASED, Xs), _within(DEBIASED, ys)
    assert result.between == pytest.approx(np.mean(between))
    assert result.within_x == pytest.approx(np.mean(within[0]))
    assert result.within_y == pytest.approx(np.mean(within[1]))
    assert result.floor == pytest.approx(min(result.within_x, result.within_y))
    assert result.excess == pytest.approx(result.floor - result.between)
    assert result.disattenuated == pytest.approx(
        result.between / (result.within_x * result.within_y) ** 0.5
    )
    assert result.disattenuated_reason == ""
    pairs = result.pairs.groupby("relation")["value"]
    np.testing.assert_allclose(pairs.get_group("between"), between)
    np.testing.assert_allclose(pairs.get_group("within_y"), within[1])
    assert len(result.pairs) == 21
    frame = result.to_frame()
    assert frame.loc["between", "pvalue"] == result.pvalue
    assert frame["pvalue"].notna().sum() == 1


def test_distances_have_their_floor_above(kinds):
    Xs, ys = kinds
    measure = OrthogonalProcrustes()
    by_score = replicate_test(measure, Xs, ys)
    result = replicate_test(measure, Xs, ys, output="statistic")
    assert result.floor == pytest.approx(max(result.within_x, result.within_y))
    assert result.between == pytest.approx(-np.mean(_scores(measure, Xs, ys)))
    assert result.excess == pytest.approx(result.between - result.floor)
    assert result.excess == pytest.approx(by_score.excess)
    assert by_score.floor == pytest.approx(-result.floor)
    low, high = result.confidence_interval
    assert by_score.confidence_interval == (pytest.approx(-high), pytest.approx(-low))
    assert result.excess_interval == by_score.excess_interval
    assert result.pvalue == by_score.pvalue
    assert np.isnan(result.disattenuated)
    assert "distance" in result.disattenuated_reason
    assert (result.pairs["value"] > 0).all()


def test_a_measure_that_is_not_symmetric_is_taken_both_ways(kinds):
    Xs, ys = kinds
    measure = LinearRegressionSimilarity()
    both = _scores(measure, Xs, ys) + _scores(measure, ys, Xs)
    assert replicate_test(measure, Xs, ys).between == pytest.approx(np.mean(both))


def test_a_sign_does_not_cancel():
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=50)
    models = [np.where(rng.random(50) < 0.8, truth, 1 - truth) for _ in range(8)]
    options = {"y_true": truth, "output": "statistic"}
    found = [
        replicate_test(
            PerformanceDifference(signed=s), models[:4], models[4:], **options
        )
        for s in (True, False)
    ]
    assert found[0].between == pytest.approx(found[1].between)
    assert found[0].between > 0


# ----- the p-value --------------------------------------------------------------------


def test_pvalue_by_hand():
    """Two and two replicates can be labelled in three ways, up to mirror images."""
    labels = np.zeros((4, 10), dtype=int)
    labels[1, :1] = 1
    labels[2, :5] = labels[3, :6] = 1
    with pytest.warns(UserWarning, match=r"With 2 and 2 replicates.*below 0\.33"):
        found = [
            replicate_test(
                Disagreement(), [labels[0], labels[i]], [labels[j], labels[k]]
            )
            for i, j, k in ((1, 2, 3), (2, 1, 3), (3, 1, 2))
        ]
    # of the distances .1, .5, .6, .4, .5, .1 the labellings make .4, -.2, -.2 apart,
    # which is 1.41, -.71, -.71 standard deviations; 0, 0, +-.2 is 0, 0, 1.73 of them
    assert [result.pvalue for result in found] == pytest.approx([2 / 3, 1, 1 / 3])
    assert found[0].between == pytest.approx(-0.5)
    assert found[0].within_x == found[0].within_y == pytest.approx(-0.1)
    assert all(result.smallest_pvalue == pytest.approx(1 / 3) for result in found)
    assert all(result.method == "exact" for result in found)


def test_all_labellings_are_counted_where_they_are_few(kinds):
    Xs, ys = kinds
    exact = replicate_test(DEBIASED, Xs, ys)
    assert (exact.method, exact.n_permutations) == ("exact", 35)
    assert exact.smallest_pvalue == exact.pvalue == pytest.approx(1 / 35)
    drawn = [
        replicate_test(DEBIASED, Xs, ys, n_permutations=30, random_state=s)
        for s in (0, 0, 1)
    ]
    assert drawn[0].pvalue == drawn[1].pvalue
    assert {result.method for result in drawn} == {"permutation"}
    assert all(result.pvalue >= 1 / 31 for result in drawn)
    many = replicate_test(DEBIASED, Xs * 3, ys * 3, n_permutations=999, random_state=0)
    assert many.pvalue == many.smallest_pvalue == 0.001


def test_equal_replicates_differ_in_nothing():
    X = np.random.default_rng(0).normal(size=(20, 3))
    result = replicate_test(CKA(), [X] * 4, [X] * 4)
    assert result.pvalue == 1
    assert result.exceeds_floor is False
    assert result.excess == pytest.approx(0, abs=1e-12)
    other = replicate_test(CKA(), [X] * 4, [X**2] * 4)
    assert other.pvalue == pytest.approx(2 / 70)
    assert other.exceeds_floor is True
    low, high = other.excess_interval
    assert low == pytest.approx(high)


@pytest.mark.slow
def test_pvalues_are_uniform_over_pairs_of_one_kind():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(500):
        base = rng.normal(size=(40, 3))
        Xs, ys = (_kind(rng, base, 5, 0.7) for _ in range(2))
        found.append(replicate_test(DEBIASED, Xs, ys).pvalue)
    found = np.array(found)
    for level in (0.05, 0.1, 0.25, 0.5):
        # labellings come in 126 pairs; three standard errors of a share of 500
        error = 3 * (level * (1 - level) / 500) ** 0.5
        assert np.mean(found <= level) == pytest.approx(level, abs=error + 1 / 126)


@pytest.mark.slow
def test_seeds_of_one_network_are_exchangeable():
    """Networks that differ in their seed alone, in a random split of ten."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(60):
        data = rng.normal(size=(60, 4))
        truth = (data[:, 0] * data[:, 1] > 0).astype(int)
        layers = []
        for _ in range(10):
            seed = int(rng.integers(2**31))
            model = MLPClassifier((8,), max_iter=20, random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(data, truth)
            layers.append(np.maximum(data @ model.coefs_[0] + model.intercepts_[0], 0))
        found.append(replicate_test(DEBIASED, layers[:5], layers[5:]).pvalue)
    assert np.mean(np.array(found) <= 0.05) < 0.05 + 3 * (0.05 * 0.95 / 60) ** 0.5
    assert 0.3 < np.mean(np.array(found) <= 0.5) < 0.7


@pytest.mark.parametrize("what", ["wider", "noisier"])
def test_a_wider_or_noisier_kind_is_found(what):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(40):
        base = rng.normal(size=(40, 3))
        if what == "wider":
            other = _kind(rng, np.hstack([base, rng.normal(size=(40, 2))]), 5, 0.5)
        else:
            other = _kind(rng, base, 5, 0.8)
        found.append(replicate_test(DEBIASED, _kind(rng, base, 5, 0.5), other))
    assert np.mean([result.pvalue <= 0.05 for result in found]) > 0.9
    if what == "noisier":
        # as near to the other kind as that is to itself, and no further away
        assert not any(result.exceeds_floor for result in found)


# ----- the jackknife ------------------------------------------------------------------


def test_jackknife_by_hand(kinds):
    Xs, ys = kinds
    result = replicate_test(DEBIASED, Xs, ys)
    table = np.array(_scores(DEBIASED, Xs, ys)).reshape(3, 4)
    by_x = [np.delete(table, i, axis=0).mean() for i in range(3)]
    by_y = [np.delete(table, i, axis=1).mean() for i in range(4)]
    variance = 2 * np.var(by_x) + 3 * np.var(by_y)
    error = result.estimates.loc["between", "standard_error"]
    assert error == pytest.approx(variance**0.5)
    low, high = result.confidence_interval
    assert low < result.between < high
    assert high - result.between == pytest.approx(result.between - low)
    narrow = replicate_test(DEBIASED, Xs, ys, confidence_level=0.5)
    assert narrow.confidence_interval.low > low


def test_noise_does_not_attenuate():
    """Signals that are known are found again, within two standard errors."""
    rng = np.random.default_rng(3)
    A = rng.normal(size=(150, 4))
    B = A + rng.normal(size=A.shape)
    truth = DEBIASED.fit(A, B).score_
    result = replicate_test(DEBIASED, _kind(rng, A, 8, 0.8), _kind(rng, B, 8, 1.2))
    error = result.estimates.loc["disattenuated", "standard_error"]
    assert abs(result.disattenuated - truth) < 2 * error
    assert result.between < 0.6 * truth
    assert error < 0.1 * truth


@pytest.mark.slow
def test_intervals_cover():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(60, 4))
    B = A + rng.normal(size=A.shape)
    many = replicate_test(DEBIASED, _kind(rng, A, 60, 0.7), _kind(rng, B, 60, 1.0))
    truth = many.estimates["estimate"]
    truth["disattenuated"] = DEBIASED.fit(A, B).score_
    covered = []
    for _ in range(200):
        found = replicate_test(DEBIASED, _kind(rng, A, 5, 0.7), _kind(rng, B, 5, 1.0))
        low, high = (found.estimates[f"interval_{side}"] for side in ("low", "high"))
        covered.append(((low <= truth) & (truth <= high)).to_numpy())
    assert np.all(np.mean(covered, axis=0) > 0.90)


# ----- few replicates -----------------------------------------------------------------


def test_one_replicate_on_a_side(kinds):
    Xs, ys = kinds
    with pytest.warns(UserWarning, match=r"below 0\.2"):
        result = replicate_test(DEBIASED, Xs[:1], ys)
    assert result.within_x is None
    assert result.floor == result.within_y
    assert np.isnan(result.disattenuated)
    assert "single replicate" in result.disattenuated_reason
    assert result.exceeds_floor is None
    assert np.isnan(result.confidence_interval).all()
    assert result.estimates.loc["within_y"].notna().all()
    assert (result.pairs["relation"] == "within_x").sum() == 0
    with pytest.warns(UserWarning, match="below"):
        turned = replicate_test(DEBIASED, ys, Xs[:1])
    assert turned.within_y is None
    assert turned.pvalue == result.pvalue


@pytest.mark.filterwarnings("ignore:With 2 and 2 replicates")
def test_two_replicates_have_no_interval_of_the_floor(kinds):
    Xs, ys = kinds
    result = replicate_test(DEBIASED, Xs[:2], ys[:2])
    assert result.exceeds_floor is None
    assert np.isnan(result.excess_interval).all()
    assert np.isfinite(result.confidence_interval).all()


def test_what_can_not_be_tested_is_refused(kinds):
    Xs, ys = kinds
    with pytest.raises(ValueError, match="one replicate each"):
        replicate_test(CKA(), Xs[:1], ys[:1])
    with pytest.raises(ValueError, match=r"rows differ.*'ys\[1\]': 39"):
        replicate_test(CKA(), Xs, [ys[0], ys[1][:39]])
    with pytest.raises(ValueError, match=r"ys\['b'\].*NaN"):
        replicate_test(CKA(), Xs, {"a": ys[0], "b": ys[1] * np.nan})
    with pytest.raises(ValueError, match="Xs must be a dict or a list"):
        replicate_test(CKA(), Xs[0], ys)
    with pytest.raises(ValueError, match="Xs is empty"):
        replicate_test(CKA(), [], ys)
    with pytest.raises(ValueError, match="n_permutations"):
        replicate_test(CKA(), Xs, ys, n_permutations=0)
    tables = [pd.DataFrame(X, index=[f"r{i}" for i in range(40)]) for X in Xs]
    tables[2] = tables[2].iloc[::-1]
    with pytest.raises(ValueError, match=r"Xs\[2\]"):
        replicate_test(CKA(), tables, ys)


# ----- any measure --------------------------------------------------------------------


def test_replicates_of_models_and_of_wholes():
    rng = np.random.default_rng(0)
    data = rng.normal(size=(60, 4))
    truth = (data[:, 0] > 0).astype(int)
    models = [
        LogisticRegression(C=c).fit(data[rows], truth[rows])
        for c in (1.0, 0.01)
        for rows in (slice(0, 40), slice(10, 50), slice(20, 60))
    ]
    with pytest.warns(UserWarning, match=r"below 0\.1"):
        result = replicate_test(
            "DecisionDistance", models[:3], models[3:], data=data, y_true=truth
        )
    assert np.isfinite(result.between)
    # wholes that are not paired may differ in their rows
    clouds = [rng.normal(size=(30 + i, 3)) for i in range(6)]
    with pytest.warns(UserWarning, match=r"below 0\.1"):
        result = replicate_test(IMD(random_state=0), clouds[:3], clouds[3:])
    assert 0 < result.pvalue <= 1


def test_names_of_replicates(kinds):
    Xs, ys = kinds
    result = replicate_test(
        CKA(), {f"seed {i}": X for i, X in enumerate(Xs)}, pd.Series(ys).tolist()
    )
    assert result.names_x == ["seed 0", "seed 1", "seed 2"]
    assert result.names_y == ["0", "1", "2", "3"]
    assert result.pairs.loc[0, "x"] == "seed 0"
