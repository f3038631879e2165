"""Partial soft matching, and the units that matchings match."""

from itertools import combinations, permutations

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose
from scipy.stats import pearsonr
from sklearn.model_selection import KFold

from sksim.alignment import (
    CorrelationMatch,
    PartialSoftMatching,
    PermutationProcrustes,
    SoftMatching,
)
from sksim.alignment._partial_matching import (
    _MASSES,
    _curvatures,
    _held_out_costs,
    _least_good_mass,
    _plan,
)

pytest.importorskip("ot")
CASES = list(newer_cases("soft_matching"))


@pytest.mark.parametrize("case, arrays, values", CASES)
def test_values_of_linear_programmes(case, arrays, values):
    X, y = arrays["X"], arrays["Y"]
    for mass, cost in values["cost"].items():
        fitted = PartialSoftMatching(float(mass)).fit(X, y)
        assert_allclose(fitted.cost_, cost, rtol=1e-7, atol=1e-10)
        mean = values["mean_matched_correlation"][mass]
        assert_allclose(fitted.statistic_, mean, rtol=1e-7, atol=1e-10)
    value = values["soft_matching_correlation"]
    assert_allclose(PartialSoftMatching(1).fit(X, y).statistic_, value, rtol=1e-7)


@pytest.mark.parametrize("kind", ["random", "ties", "equal"])
def test_plans_of_equal_widths_are_the_cheapest(kind):
    """By all ways to match k of 5 units with k others; linear in between."""
    costs = np.random.default_rng(0).uniform(0, 2, size=(5, 5))
    costs = {"random": costs, "ties": np.round(costs), "equal": np.ones((5, 5))}[kind]
    least = [0.0]
    for k in range(1, 6):
        ways = (costs[list(i), list(j)].sum() for i, j in _pairs_of_units(5, k))
        least.append(min(ways) / 5)
    for mass in (0.05, 0.2, 0.3, 0.4, 0.5, 0.6, 0.77, 0.8, 0.99, 1.0):
        i, j, moved = _plan(costs, mass)
        assert_allclose(costs[i, j] @ moved, np.interp(5 * mass, range(6), least))
        plan = np.zeros((5, 5))
        plan[i, j] = moved
        assert_allclose(plan.sum(), mass)
        assert max(*plan.sum(axis=0), *plan.sum(axis=1)) < 0.2 + 1e-12


def _pairs_of_units(width, k):
    for i in combinations(range(width), k):
        for j in permutations(range(width), k):
            yield i, j


@pytest.mark.parametrize("case, arrays, values", CASES)
def test_corner(case, arrays, values):
    fitted = PartialSoftMatching().fit(arrays["X"], arrays["Y"])
    assert_allclose(fitted.costs_, values["l_curve_cost"][1:], rtol=1e-7, atol=1e-10)
    assert_allclose(fitted.masses_, values["l_curve_mass"][1:])
    assert_allclose(fitted.mass_, values["corner_mass"])
    curvatures = _curvatures(1 - _MASSES, np.array([0, *fitted.costs_]))
    assert_allclose(curvatures, values["l_curve_curvature"], rtol=1e-5, atol=1e-7)


def test_score_of_new_rows_applies_the_plan():
    _, arrays, values = CASES[0]
    X, y = arrays["X"], arrays["Y"]
    folds = KFold(5, shuffle=True, random_state=42).split(X)
    scores = [
        PartialSoftMatching(0.5).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in folds
    ]
    expected = 1 - 0.5 * (1 - np.array(scores))
    assert_allclose(expected, values["kfold_one_minus_cost_mass_half"], rtol=1e-7)


def test_held_out_costs(monkeypatch):
    """Of the folds that the reference was made with."""
    _, arrays, values = CASES[0]
    expected = values["kfold_one_minus_cost_mass_half"]
    monkeypatch.setattr(PartialSoftMatching, "_draw_seed", lambda self: 42)
    measure = PartialSoftMatching("cv").fit(arrays["X"], arrays["Y"])
    half = list(measure.masses_.round(2)).index(0.5)
    assert_allclose(measure.costs_[half], 1 - np.mean(expected), rtol=1e-7)
    chosen = PartialSoftMatching(measure.mass_).fit(arrays["X"], arrays["Y"])
    assert measure.statistic_ == chosen.statistic_


def test_least_good_mass():
    masses = _MASSES[1:]
    gain = np.minimum(masses, 0.4)
    # nothing more is gained above .4, but for the luck of one fold
    costs = np.tile(masses - gain, (5, 1))
    assert _least_good_mass(costs) == masses[7]
    costs[0, 12] -= 0.01
    assert _least_good_mass(costs) == masses[7]
    # that all folds share is no luck: differences .01 to .05, t = 4.2
    costs[:, 12] -= [0.01, 0.02, 0.03, 0.04, 0.05]
    assert _least_good_mass(costs) == masses[12]


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_mass_by_cross_validation(share):
    masses = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(2, 200, 20))
        shared = slice(0, int(20 * share))
        y[:, shared] = X[:, shared] + 0.3 * y[:, shared]
        fitted = PartialSoftMatching("cv", random_state=seed).fit(X, y)
        masses.append(fitted.mass_)
        again = PartialSoftMatching("cv", random_state=seed).fit(X, y)
        assert again.mass_ == fitted.mass_ and (again.costs_ == fitted.costs_).all()
        assert fitted.score(X, y) == pytest.approx(fitted.statistic_)
    assert_allclose(np.median(masses), share)


def test_columns_that_are_constant_in_some_folds():
    """They correlate with nothing there, not with each other."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 50, 3))
    folds = np.arange(50) % 5
    X[:, 0] = y[:, 0] = 0.1
    X[5, 0] = y[5, 0] = 1.1
    # matched first, by the row that differs
    assert_allclose(_held_out_costs(X, y, folds)[1, :6], _MASSES[1:7])


def test_cross_validation_needs_rows():
    X, y = np.random.default_rng(0).normal(size=(2, 9, 3))
    with pytest.raises(ValueError, match="minimum of 10"):
        PartialSoftMatching("cv").fit(X, y)


@pytest.mark.parametrize("case, arrays, values", CASES)
def test_soft_matching_correlation(case, arrays, values):
    X, y = arrays["X"], arrays["Y"]
    measure = SoftMatching(cost="correlation").fit(X, y)
    whole = PartialSoftMatching(1).fit(X, y)
    value = values["soft_matching_correlation"]
    assert_allclose(measure.similarity_, value, rtol=1e-7)
    assert_allclose(measure.similarity_, whole.statistic_, rtol=1e-12)
    assert measure.score_ == measure.similarity_
    assert not hasattr(measure, "distance_")
    width_x, width_y = X.shape[1], y.shape[1]
    assert_allclose(measure.transport_.sum(axis=1), 1 / width_x)
    assert_allclose(measure.transport_.sum(axis=0), 1 / width_y)
    streamed = SoftMatching(cost="correlation")
    for rows in (slice(0, 9), slice(9, None)):
        streamed.partial_fit(X[rows], y[rows])
    assert_allclose(streamed.similarity_, value, rtol=1e-7)


def test_soft_matching_correlation_by_hand():
    """One unit on two: half of its mass each, at correlations of 1 and -1/2."""
    X = np.array([[0.0], [1], [2]])
    y = np.hstack([10 * X + 3, [[2.0], [0.0], [1.0]]])
    measure = SoftMatching(cost="correlation").fit(X, y)
    assert_allclose(measure.similarity_, (1 - 0.5) / 2)
    # a constant column correlates with nothing
    y[:, 1] = 7
    measure.fit(X, y)
    assert_allclose(measure.similarity_, 1 / 2)
    mapped = measure.transform(X)
    assert_allclose(mapped, y)
    assert_allclose(measure.inverse_transform(y), 1 + (X - 1) / 2)


def test_soft_matching_correlation_does_not_see_units():
    X, y = related()
    sizes, moves = np.geomspace(1e-3, 1e3, 5), np.arange(5.0)
    measure = SoftMatching(cost="correlation")
    value = measure.fit(X, y).similarity_
    assert_allclose(measure.fit(X * sizes + moves, y).similarity_, value)
    assert_allclose(measure.transform(X * sizes + moves)[:, 2], y[:, 2], atol=2)
    # its maps keep means and standard deviations
    assert_allclose(measure.transform(X * sizes + moves).std(axis=0), y.std(axis=0))
    back = measure.inverse_transform(y)
    assert_allclose(back.mean(axis=0), moves + sizes * X.mean(axis=0))
    assert_allclose(back.std(axis=0), sizes * X.std(axis=0))
    assert (
        abs(SoftMatching().fit(X * sizes, y).score_ - SoftMatching().fit(X, y).score_)
        > 0.1
    )


def test_soft_matching_correlation_of_new_rows():
    X, y = related()
    y = np.hstack([y, X[:, :1]])
    measures = SoftMatching(cost="correlation"), PartialSoftMatching(1)
    scores = [m.fit(X[:99], y[:99]).score(X[99:], y[99:]) for m in measures]
    assert_allclose(*scores, rtol=1e-12)
    products = measures[0].singular_values_
    assert_allclose(products.mean(), measures[0].similarity_)


def test_correlations_need_centring():
    X, y = related(30)
    measure = SoftMatching(center=False, cost="correlation")
    with pytest.raises(ValueError, match="cost=.*needs center=True"):
        measure.fit(X, y)
    with pytest.raises(ValueError, match="cost=.*needs center=True"):
        measure.partial_fit(X, y).score_  # noqa: B018


def test_plan():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 6)), rng.normal(size=(50, 9))
    y[:, :3] = X[:, :3] + 0.1 * y[:, :3]
    fitted = PartialSoftMatching(0.3).fit(X, y)
    plan = fitted.transport_
    assert_allclose(plan.sum(), 0.3)
    assert (plan.sum(axis=1) < 1 / 6 + 1e-12).all()
    assert (plan.sum(axis=0) < 1 / 9 + 1e-12).all()
    assert_allclose(fitted.x_matched_, plan.sum(axis=1) * 6, atol=1e-8)
    assert_allclose(fitted.y_matched_, plan.sum(axis=0) * 9, atol=1e-8)
    # units 0 to 2 are the same; 3 / 9 of y's mass is more than is matched
    assert_allclose(fitted.x_matched_[3:], 0)
    assert fitted.statistic_ > 0.98


def test_less_mass_is_matched_better():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 40, 7))
    masses = (0.1, 0.35, 0.7, 1.0)
    values = [PartialSoftMatching(mass).fit(X, y).statistic_ for mass in masses]
    assert np.all(np.diff(values) < 0)


def related(n_samples=400, seed=0):
    """Three units that are the same, in another order, and two that are not."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(2, n_samples, 5))
    y[:, [2, 0, 1]] = X[:, :3] + 0.3 * y[:, [2, 0, 1]]
    return X, y


MATCHINGS = [
    CorrelationMatch(),
    CorrelationMatch(absolute=True),
    PermutationProcrustes(),
    SoftMatching(),
    SoftMatching(cost="correlation"),
    PartialSoftMatching(1.0),
]


@pytest.mark.parametrize("measure", MATCHINGS, ids=repr)
def test_matched_units(measure):
    X, y = related()
    measure.fit(X[:200], y[:200])
    table = measure.matched_units(X[200:], y[200:], random_state=0)
    found = {(row.unit, row.partner) for row in table[:3].itertuples()}
    assert found == {(0, 2), (1, 0), (2, 1)}
    for row in table.itertuples():
        r = pearsonr(X[200:, int(row.unit)], y[200:, int(row.partner)]).statistic
        assert_allclose(row.correlation, r)
    assert (table.pvalue[:3] == 1 / 200).all()
    assert (table.pvalue[3:] > 0.05).all()
    assert ((table.correlation > table.largest_null) == (table.pvalue < 0.05)).all()


def test_units_without_a_partner_are_left_out():
    X, y = related()
    measure = PartialSoftMatching(0.6).fit(X, y)
    assert set(measure.matched_units(X, y).unit) == {0, 1, 2}
    narrow = PermutationProcrustes().fit(X, y[:, :2])
    assert len(narrow.matched_units(X, y[:, :2])) == 2
    with pytest.raises(ValueError, match="5 features"):
        measure.matched_units(X[:, :4], y)


def test_corrected_pvalues_of_unrelated_units():
    """The smallest p of a table is below .1 in about a tenth of them."""
    smallest = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(2, 60, 6))
        measure = CorrelationMatch().fit(X[:30], y[:30])
        table = measure.matched_units(
            X[30:], y[30:], n_permutations=39, random_state=seed
        )
        smallest.append(table.pvalue.min())
    assert 0.02 < np.mean(np.array(smallest) <= 0.1) < 0.2
