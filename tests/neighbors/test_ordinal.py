"""Agreement of triplets and quadruplets of distances."""

from itertools import combinations, permutations

import numpy as np
import pytest
from _reference import newer_cases
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist, pdist, squareform
from scipy.stats import kendalltau

from sksim.arrays._order import (
    agreeing_pairs,
    codes_of_pairs,
    codes_of_rows,
    distances_between,
    distinct_rows,
    inversions,
)
from sksim.inference import similarity_test
from sksim.neighbors import QuadrupletAgreement, TripletAgreement
from sksim.pairwise import alignment_curve

MEASURES = [TripletAgreement, QuadrupletAgreement]


def views(n_samples, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 4))
    return X, X + noise * rng.normal(size=X.shape)


@pytest.mark.parametrize("case, arrays, values", list(newer_cases("tsi_qsi")))
def test_values_of_the_original(case, arrays, values):
    X, y = arrays["X"], arrays["Y"]
    for measure, value in (
        (TripletAgreement(), values["tsi"]),
        (TripletAgreement("all"), values["tsi"]),
        (QuadrupletAgreement(), values["qsi"]),
    ):
        assert_allclose(measure.fit(X, y).statistic_, value, rtol=1e-12)


def test_by_hand():
    """Four places on a line; in y the third has moved beyond the fourth."""
    X, y = np.array([[0.0], [1], [3], [7]]), np.array([[0.0], [1], [15], [7]])
    # distances 01 1, 02 3, 03 7, 12 2, 13 6, 23 4, and in y 1, 15, 7, 14, 6, 8
    # of the triples (anchor; two others) these differ: 0; 23 and 1; 23, 2; 03 and
    # 2; 13, 3; 02 and 3; 12
    fitted = TripletAgreement().fit(X, y)
    assert fitted.n_compared_ == 12
    assert_allclose(fitted.statistic_, 6 / 12)
    # 01 against 23 agrees; 02 against 13 and 03 against 12 do not
    fitted = QuadrupletAgreement().fit(X, y)
    assert fitted.n_compared_ == 3
    assert_allclose(fitted.statistic_, 1 / 3)


@pytest.mark.parametrize("measure", MEASURES)
def test_definition_with_ties(measure):
    rng = np.random.default_rng(0)
    X, y = rng.integers(3, size=(2, 9, 2)).astype(float)
    d, e = cdist(X, X), cdist(y, y)
    if measure is TripletAgreement:
        terms = [((i, j), (i, k)) for i, j, k in permutations(range(9), 3)]
    else:
        terms = [((i, j), (k, m)) for i, j, k, m in permutations(range(9), 4)]
    same = [np.sign(d[a] - d[b]) == np.sign(e[a] - e[b]) for a, b in terms]
    assert_allclose(measure().fit(X, y).statistic_, np.mean(same), rtol=1e-14)


@pytest.mark.parametrize("is_tied", [False, True])
def test_near_rows_by_definition(is_tied, monkeypatch):
    X, y = views(12)
    if is_tied:
        X, y = X.round(), y.round()
    d, e = cdist(X, X), cdist(y, y)
    same = []
    for own in (d, e):
        for i in range(12):
            others = [j for j in np.argsort(own[i], kind="stable") if j != i]
            for j, k in combinations(others[:4], 2):
                signs = [np.sign(f[i, j] - f[i, k]) for f in (d, e)]
                same.append(signs[0] == signs[1])
    measure = TripletAgreement(n_neighbors=4)
    assert measure.fit(X, y).n_compared_ == len(same) == 2 * 12 * 6
    assert_allclose(measure.statistic_, np.mean(same), rtol=1e-14)
    assert_allclose(measure.fit(y, X).statistic_, np.mean(same), rtol=1e-14)
    assert measure.standard_error_ == 0
    given = TripletAgreement(n_neighbors=4, metric="precomputed").fit(d, e)
    assert_allclose(given.statistic_, np.mean(same), rtol=1e-14)
    # in blocks, where rows are many
    monkeypatch.setattr("sksim.neighbors._ordinal.MATRIX_ROWS", 5)
    monkeypatch.setattr("sksim.neighbors._ordinal._BLOCK_ELEMENTS", 40)
    assert_allclose(measure.fit(X, y).statistic_, np.mean(same), rtol=1e-14)


def test_near_rows_of_all_are_all():
    X, y = views(20)
    near = TripletAgreement(n_neighbors=19).fit(X, y)
    assert near.statistic_ == TripletAgreement().fit(X, y).statistic_


def test_chance_of_near_rows_is_a_half():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 50))
    measure = TripletAgreement(n_neighbors=5)
    result = similarity_test(measure, X, y, n_permutations=300, random_state=0)
    null = result.null_distribution
    assert abs(null.mean() - 0.5) < 4 * null.std() / 300**0.5
    assert measure._open(X, y).null_mean() == 0.5
    assert measure._open(X.round(), y).null_mean() is None
    # rows that are moved afar leave the near ones in their order
    moved = X + 100 * (np.arange(40) // 10)[:, None]
    assert measure.fit(X, moved).statistic_ > result.null_distribution.max()


def test_near_rows_are_not_drawn():
    X, y = views(20)
    with pytest.raises(ValueError, match="n_neighbors=3 .* n_draws=50"):
        TripletAgreement(50, n_neighbors=3).fit(X, y)
    with pytest.raises(ValueError, match="n_neighbors=1 leaves no two .* take 2"):
        TripletAgreement(n_neighbors=1).fit(X, y)
    with pytest.raises(ValueError, match="n_neighbors=1 leaves no two .* take 2"):
        alignment_curve(TripletAgreement(), X, y, n_neighbors=[1])
    curve = alignment_curve(TripletAgreement(), X, y, n_neighbors=[2, 5]).to_frame()
    assert (curve.null_mean == 0.5).all()
    with pytest.raises(ValueError, match="minimum of 21"):
        TripletAgreement(n_neighbors=20).fit(X, y)


def test_kendalls_tau():
    X, y = views(60)
    d, e = squareform(pdist(X)), squareform(pdist(y))
    rows = [np.delete(np.arange(60), i) for i in range(60)]
    taus = [kendalltau(d[i, r], e[i, r]).statistic for i, r in enumerate(rows)]
    value = TripletAgreement().fit(X, y).statistic_
    assert_allclose(value, (1 + np.mean(taus)) / 2, rtol=1e-12)


@pytest.mark.parametrize("n", [2**16 + 1, 90_000, 2**17, 2**17 + 1])
def test_inversions_of_long_permutations(n):
    """Counted by cells, of orders whose inversions are known."""
    values = np.arange(n, dtype=np.int32)
    assert inversions(values[None, :], n) == 0
    assert inversions(values[None, ::-1], n) == n * (n - 1) // 2
    for shift in (1, 1000, n // 3):
        assert inversions(np.roll(values, shift)[None, :], n) == shift * (n - shift)
    # of two rows none is counted by cells
    order = np.random.default_rng(0).permutation(n)
    both = inversions(np.stack([order, values]), n)
    assert inversions(order[None, :], n) == both
    # ties keep their order
    expected = inversions(np.stack([order // 3, values // 3]), n)
    assert inversions(order[None, :] // 3, n) == expected


def _rows_with_ties():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 20))
    duplicates, whole = rows.copy(), rows.copy()
    duplicates[5:10] = duplicates[200:205]
    whole[:40] = np.round(whole[:40])
    line = rows[:, :1].copy()
    line[::30] = np.arange(10)[:, None]
    return {
        "none": rows,
        "some duplicates": duplicates,
        "some integers": whole,
        "all integers": np.round(rows),
        "a line": line,
        "offset": rows + 1e6,
        "outlier": np.vstack([rows[1:], 1e7 * rows[:1]]),
        "single precision": rows[:, :3].astype(np.float32),
        "all equal but one": np.vstack([np.zeros((299, 3)), [[1, 2, 3]]]),
    }


@pytest.mark.parametrize("rows", _rows_with_ties().values(), ids=_rows_with_ties())
def test_codes_of_rows_are_those_of_their_differences(rows):
    distances = distances_between(rows, slice(0, 300), xp=np)
    expected = codes_of_pairs(distances, 0)
    assert np.array_equal(codes_of_rows(rows, 0, xp=np), expected)


@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 33, 100])
def test_inversions(n):
    values = np.random.default_rng(n).integers(5, size=(7, n))
    pairs = combinations(range(n), 2)
    expected = sum(np.sum(values[:, i] > values[:, j]) for i, j in pairs)
    assert inversions(values, 5) == expected


def test_counts_that_need_64_bits():
    """Codes up to 10^6 in both lists, whose combinations do not fit into 32 bits."""
    rng = np.random.default_rng(0)
    first, second = rng.integers(10**6, size=(2, 1, 300))
    tau_sign = np.sign(first.T - first) == np.sign(second.T - second)
    expected = np.sum(np.triu(tau_sign, 1))
    assert agreeing_pairs(first, second) == expected


@pytest.mark.parametrize("n_rows", [3, 4])
def test_drawn_rows_differ_and_are_uniform(n_rows):
    draws = distinct_rows(5, 60_000, n_rows, np.random.default_rng(0))
    assert all((a != b).all() for a, b in combinations(draws, 2))
    codes = sum(row * 5**place for place, row in enumerate(draws))
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == {3: 60, 4: 120}[n_rows]
    assert np.ptp(counts) < 0.4 * counts.mean()


@pytest.mark.parametrize("measure", MEASURES)
def test_draws(measure):
    X, y = views(300)
    exact = measure().fit(X, y)
    assert exact.standard_error_ == exact.error_bound_ == 0
    errors = []
    for seed in range(40):
        drawn = measure(2000, random_state=seed).fit(X, y)
        errors.append(drawn.statistic_ - exact.statistic_)
        assert abs(errors[-1]) < drawn.error_bound_
        p = drawn.statistic_
        assert_allclose(drawn.standard_error_, (p * (1 - p) / 2000) ** 0.5)
    assert_allclose(np.std(errors), drawn.standard_error_, rtol=0.4)
    assert_allclose(drawn.error_bound_, (np.log(40) / 4000) ** 0.5)
    # those of given distances are the same
    given = measure(2000, metric="precomputed", random_state=seed)
    given.fit(squareform(pdist(X)), squareform(pdist(y)))
    assert given.statistic_ == drawn.statistic_


@pytest.mark.parametrize("measure", MEASURES)
def test_many_rows_are_drawn_always_the_same(measure, monkeypatch):
    monkeypatch.setattr("sksim.neighbors._ordinal.MATRIX_ROWS", 40)
    X, y = views(50)
    exact = measure("all").fit(X, y)
    drawn = measure().fit(X, y)
    assert drawn.n_compared_ == 200_000 != exact.n_compared_
    assert 0 < abs(drawn.statistic_ - exact.statistic_) < drawn.error_bound_
    assert measure().fit(X, y).statistic_ == drawn.statistic_
    monkeypatch.undo()
    assert measure().fit(X, y).statistic_ == exact.statistic_


@pytest.mark.parametrize("measure", MEASURES)
def test_chance_is_a_half(measure):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 50))
    for each in (measure(), measure(3000, random_state=0)):
        result = similarity_test(each, X, y, n_permutations=200, random_state=0)
        assert_allclose(result.null_distribution.mean(), 0.5, atol=0.005)
    assert measure()._open(X, y).null_mean() == 0.5


@pytest.mark.parametrize("measure", MEASURES)
def test_chance_with_ties(measure):
    X, y = np.random.default_rng(0).integers(3, size=(2, 5, 2)).astype(float)
    orders = [np.array(order) for order in permutations(range(5))]
    opened = measure()._open(X, y)
    assert_allclose(np.mean(opened.permuted(orders)), opened.null_mean(), rtol=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_an_outlier_takes_no_digits(measure):
    X, y = views(30)
    moved = X.copy()
    moved[0] = 1e14
    others = measure().fit(X[1:], y[1:])
    with_outlier = measure().fit(moved, y)
    shared = others.n_compared_ / with_outlier.n_compared_
    changed = abs(with_outlier.statistic_ - others.statistic_ * shared)
    assert changed <= 1 - shared


def test_ties_that_rounding_breaks():
    X = np.array(list(np.ndindex(3, 3, 3)), dtype=float)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert TripletAgreement().fit(X, X @ rotation).statistic_ < 0.95
    assert TripletAgreement(tie_tolerance=1e-12).fit(X, X @ rotation).statistic_ == 1
    assert QuadrupletAgreement(tie_tolerance=1e-12).fit(X, X @ rotation).statistic_ == 1


@pytest.mark.parametrize("measure", MEASURES)
def test_equal_rows_are_refused(measure):
    X, _ = views(20)
    for each in (measure(), measure(50), measure("all")):
        with pytest.raises(ValueError, match="All rows of y are equal"):
            each.fit(X, np.ones((20, 3)))
    few = measure._n_involved - 1
    with pytest.raises(ValueError, match=f"minimum of {few + 1}"):
        measure().fit(X[:few], X[:few])


def test_rows_on_disk(tmp_path):
    """A million rows on disk are never read as a whole to be compared."""
    X, _ = views(1000)
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    measure = TripletAgreement(500, random_state=0)
    assert measure.fit(mapped, mapped[::-1]).score_ == measure.fit(X, X[::-1]).score_
    view = measure._view(mapped, np, "x", seed=0)
    assert view.rows is mapped
    assert_array_equal(view.draws.shape, (3, 500))
