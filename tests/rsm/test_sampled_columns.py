"""CKA and HSIC whose columns are a sample of many."""

import itertools
import math

import numpy as np
import pytest
from _reference import reference_arrays, reference_values
from numpy.testing import assert_allclose
from sklearn.exceptions import UndefinedMetricWarning

from sksim.arrays._joint_moments import JointMoments
from sksim.compose import DeconfoundedSimilarity
from sksim.evaluation import layer_identification
from sksim.inference import similarity_test
from sksim.inference._moments import null_moments
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA, HSIC

BOTH = CKA(debias="both")
CASES = reference_values("sampled_columns")


def reference_pair(case):
    arrays = reference_arrays("sampled_columns")
    return arrays[f"{case}__X"], arrays[f"{case}__Y"]


def related(n=30, widths=(5, 7), noise=1.0, random_state=0, n_latent=4):
    rng = np.random.default_rng(random_state)
    latent = rng.normal(size=(n, n_latent))
    return [
        latent @ rng.normal(size=(n_latent, w)) + noise * rng.normal(size=(n, w)) + 2
        for w in widths
    ]


def unbiased(a, b):
    """Song's estimator of the linear kernels of two columns, by four distinct rows."""
    rows = list(itertools.permutations(range(len(a)), 4))
    i, j, q, r = np.array(rows).T
    K, L = np.outer(a, a), np.outer(b, b)
    return np.mean(K[i, j] * (L[i, j] + L[q, r] - 2 * L[i, q]))


def by_definition(X, y):
    """Means over pairs of columns, each by its own U-statistic."""
    x_y = np.mean([unbiased(a, b) for a in X.T for b in y.T])
    x_x, y_y = (
        np.mean([unbiased(a, b) for a, b in itertools.permutations(Z.T, 2)])
        for Z in (X, y)
    )
    return x_y, x_x, y_y


@pytest.mark.parametrize("case", CASES)
def test_values_of_the_original(case):
    X, y = reference_pair(case)
    expected = CASES[case]
    assert_allclose(
        HSIC(debias="both").fit(X, y).score_, expected["numerator"], rtol=1e-8
    )
    doubles = X.astype(float), y.astype(float)
    assert_allclose(CKA(debias="rows").fit(*doubles).score_, expected["cka_rows"])
    value = expected["cka_rows_and_columns"]
    if value is None:
        with pytest.warns(UndefinedMetricWarning, match="X has a single column"):
            assert math.isnan(BOTH.fit(X, y).score_)
        return
    assert_allclose(BOTH.fit(X, y).score_, value, rtol=1e-8)


@pytest.mark.parametrize("widths", [(2, 3), (3, 9)])
def test_means_over_distinct_columns_and_rows(widths):
    """The number is what its sentence says, with no matrix in sight."""
    X, y = related(7, widths, noise=0.3, n_latent=1)
    x_y, x_x, y_y = by_definition(X, y)
    assert_allclose(HSIC(debias="both").fit(X, y).score_, x_y, rtol=1e-10)
    assert_allclose(BOTH.fit(X, y).score_, x_y / (x_x * y_y) ** 0.5, rtol=1e-10)


def test_two_equal_columns():
    """By hand: two copies of a column are a pair of distinct ones that agree."""
    column = np.arange(6.0)[:, None]
    X, y = np.hstack([column, column]), np.hstack([column, 3 * column])
    assert BOTH.fit(X, y).score_ == pytest.approx(5 / 3, rel=1e-12)


def test_constant_columns_count_as_columns():
    """Silent units are part of the sample: both self terms know them."""
    X, y = related()
    wider = np.hstack([X, np.full((30, 5), 3.0)])
    factor = 5 / 10 / (5 * 4 / (10 * 9)) ** 0.5
    value = BOTH.fit(X, y).score_
    assert BOTH.fit(wider, y).score_ == pytest.approx(value * factor, rel=1e-12)


@pytest.mark.parametrize("widths", [(5, 7), (50, 7), (60, 50)])
def test_what_changes_nothing_changes_nothing(widths):
    X, y = related(30, widths)
    value = BOTH.fit(X, y).score_
    rng = np.random.default_rng(1)
    order = rng.permutation(30)
    for changed in (
        (X[order], y[order]),
        (X[:, ::-1], y),
        (1e150 * X, 1e-150 * y),
        (X + 1e4, y),
        (np.asfortranarray(X), y),
    ):
        assert_allclose(BOTH.fit(*changed).score_, value, rtol=1e-9)
    assert_allclose(BOTH.fit(y, X).score_, value, rtol=1e-12)
    rotation = np.linalg.qr(rng.normal(size=(widths[0],) * 2))[0]
    assert abs(BOTH.fit(X @ rotation, y).score_ - value) > 1e-6


def test_single_precision_is_as_good():
    X, y = (Z.astype(np.float32) for Z in related(200, (40, 30)))
    expected = BOTH.fit(X.astype(float), y.astype(float)).score_
    assert_allclose(BOTH.fit(X, y).score_, expected, rtol=1e-13)


# ----- undefined ----------------------------------------------------------------------


def nothing_shared(n=20):
    """Four columns whose self term is below 0: orthogonal ones have none."""
    columns = np.linalg.qr(np.random.default_rng(0).normal(size=(n, 5)) + 1)[0]
    return (columns - columns.mean(axis=0))[:, 1:]


def test_a_self_term_that_is_not_positive_is_named():
    X, y = nothing_shared(), related(20)[0]
    with pytest.warns(UndefinedMetricWarning, match="self term of X.* 4 columns"):
        assert math.isnan(BOTH.fit(X, y).score_)
    with pytest.warns(UndefinedMetricWarning, match="self term of y"):
        assert math.isnan(BOTH.fit(y, X).score_)
    with pytest.warns(UndefinedMetricWarning, match="self term of X"):
        assert math.isnan(CKA(debias="both").partial_fit(X, y).score_)
    with pytest.warns(UndefinedMetricWarning, match="Layer 'a' against 'c'.*of X"):
        matrix = similarity_matrix(BOTH, {"a": X, "b": y}, {"c": y})
    assert np.isnan(matrix.loc["a", "c"]) and matrix.loc["b", "c"] > 0
    with (
        pytest.warns(UndefinedMetricWarning, match="self term of X"),
        pytest.raises(ValueError, match="undefined .nan."),
    ):
        similarity_test(BOTH, X, y)


def test_layers_can_not_be_identified_by_what_is_undefined():
    X, y = nothing_shared(30), related(30, (6, 8))
    networks = [{"a": X, "b": y[0]}, {"a": y[1], "b": y[0]}]
    with (
        pytest.warns(UndefinedMetricWarning, match="self term of X"),
        pytest.raises(ValueError, match=r"layer \(0, 'a'\) .* Leave such layers out"),
    ):
        layer_identification(BOTH, networks)


def test_one_column_that_varies_has_no_partner():
    """What rounding leaves of a self term of 0 is no self term."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = np.zeros((40, 6))
        X[:, 2] = rng.normal(size=40)
        with pytest.warns(UndefinedMetricWarning, match="self term of X"):
            assert math.isnan(BOTH.fit(X, related(40)[0]).score_)


@pytest.mark.parametrize("kernel", ["rbf", "cosine", "precomputed"])
@pytest.mark.parametrize("cls", [CKA, HSIC])
def test_other_kernels_are_no_sums_over_columns(cls, kernel):
    X = related(20)[0]
    X = X @ X.T if kernel == "precomputed" else X
    with pytest.raises(ValueError, match=f"needs kernel='linear'.*{kernel}"):
        cls(kernel, debias="both").fit(X, X)


def test_not_beyond_a_confounder():
    X, y = related(20)
    with pytest.raises(ValueError, match="not defined beyond a confounder"):
        DeconfoundedSimilarity(BOTH).fit(X, y, z=X[:, :2])


# ----- streams ------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e4])
@pytest.mark.parametrize("cls", [CKA, HSIC])
def test_any_split_of_the_rows(cls, offset):
    X, y = related(40, (5, 60))
    X = X + offset
    expected = cls(debias="both").fit(X, y).score_
    parts = [cls(debias="both") for _ in range(2)]
    parts[0].partial_fit(X[:1], y[:1]).partial_fit(X[1:9], y[1:9])
    parts[1].partial_fit(X[9:], y[9:])
    assert_allclose(parts[0].merge(parts[1]).score_, expected, rtol=1e-9)


def test_layers_in_one_pass():
    rng = np.random.default_rng(0)
    a = dict(zip("pq", related(60, (5, 8)), strict=True))
    b = {"r": related(60, (6, 3), random_state=0)[0] + 5}
    expected = similarity_matrix(BOTH, a, b)
    edges = np.sort(rng.choice(np.arange(1, 60), size=3, replace=False))
    parts = []
    for rows in np.split(np.arange(60), edges):
        part = JointMoments(quartic=True, columns=True)
        part.update(*({k: v[rows] for k, v in side.items()} for side in (a, b)))
        parts.append(JointMoments.from_state(part.state(), quartic=True, columns=True))
    for other in parts[1:]:
        parts[0].merge(other)
    found = np.array([[BOTH._compare_moments(parts[0].pair(i, 0), np)] for i in (0, 1)])
    assert_allclose(found, expected.to_numpy(), rtol=1e-10)
    one = JointMoments(quartic=True, columns=True)
    for rows in np.split(np.arange(60), edges):
        one.update({k: v[rows] for k, v in a.items()})
    assert_allclose(
        BOTH._compare_moments(one.pair(0, 1), np),
        BOTH.fit(a["p"], a["q"]).score_,
        rtol=1e-10,
    )


# ----- inference ----------------------------------------------------------------------


@pytest.mark.parametrize("widths", [(5, 7), (50, 40)])
def test_permutations_leave_the_self_terms(widths):
    X, y = related(25, widths)
    result = similarity_test(BOTH, X, y, n_permutations=19, random_state=0)
    plain = similarity_test(CKA(debias="rows"), X, y, n_permutations=19, random_state=0)
    assert result.pvalue == plain.pvalue
    assert_allclose(
        result.null_distribution / plain.null_distribution,
        result.score / plain.score,
        rtol=1e-9,
    )


@pytest.mark.parametrize("widths", [(3, 4), (40, 5), (40, 30)])
def test_closed_jackknife_is_that_of_refits(widths):
    X, y = related(24, widths)
    for measure in (BOTH, HSIC(debias="both")):
        closed = measure._open(X, y).without_each_row()
        refits = [
            measure.fit(np.delete(X, i, 0), np.delete(y, i, 0)).score_
            for i in range(24)
        ]
        assert_allclose(closed, refits, rtol=1e-9)


def sampled_pair(rng, n, width, n_shared=3, n_private=2, noise=1.0):
    """Columns with normal loadings on shared and private directions, and noise."""
    shared = rng.normal(size=(n, n_shared))
    for _ in range(2):
        latent = np.hstack([shared, rng.normal(size=(n, n_private))])
        signal = latent @ rng.normal(size=(n_shared + n_private, width))
        yield signal + noise * rng.normal(size=(n, width))


def test_effects_of_pairs_are_those_of_leaving_out_two():
    X, y = related(60, (60, 60), noise=0.2, n_latent=60, random_state=2)
    comparison = BOTH._open(X, y)
    effects = comparison.pair_effects().matrix
    assert_allclose(effects.sum(axis=0), 0, atol=1e-12)
    one = comparison.without_each_row()
    pairs = [(i, i + step) for step in (1, 3, 7) for i in range(60 - step)]
    found = [
        comparison.of_rows(np.delete(np.arange(60), pair)).value()
        - one[list(pair)].sum()
        + comparison.value()
        for pair in pairs
    ]
    expected = [2 * effects[pair] for pair in pairs]
    assert np.corrcoef(found, expected)[0, 1] > 0.97
    assert np.std(found) == pytest.approx(np.std(expected), rel=0.3)


@pytest.mark.parametrize("width", [3, 40])
def test_moments_over_all_orders(width):
    X, y = related(6, (width, width), noise=0.3)
    result = similarity_test(BOTH, X, y, method="exact")
    moments = null_moments(BOTH._open(X, y).trace_form())
    assert moments.mean == pytest.approx(result.null_mean, abs=1e-12)
    assert moments.std == pytest.approx(result.null_distribution.std(), rel=1e-10)
    assert BOTH._open(X, y).null_mean() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("n, width", [(40, 5), (40, 50), (150, 10), (150, 60)])
def test_unbiased_over_rows_and_columns(n, width):
    """Truth .6: two columns share 3 directions between views, and 5 within one."""
    rng = np.random.default_rng(width)
    products, of_one = [], []
    for _ in range(400):
        X, y = sampled_pair(rng, n, width)
        products.append(HSIC(debias="both").fit(X, y).score_)
        of_one.append(HSIC(debias="both").fit(X[:, ::2], X[:, 1::2]).score_)
    for found, truth in ((products, 3), (of_one, 5)):
        error = np.std(found) / len(found) ** 0.5
        assert abs(np.mean(found) - truth) < 4 * error


def test_ten_of_many_columns():
    """200 rows, 10 columns: "rows" gives a third of what "both" and the truth are."""
    rng = np.random.default_rng(0)
    found = {}
    for debias in ("rows", "both"):
        measure = CKA(debias=debias)
        pairs = (sampled_pair(rng, 200, 10, noise=2.0) for _ in range(400))
        found[debias] = np.array([measure.fit(*pair).score_ for pair in pairs])
    assert np.mean(found["rows"]) < 0.4
    both = found["both"]
    # the ratio's own bias is of the order of its variance
    allowed = 4 * np.std(both) / len(both) ** 0.5 + np.var(both)
    assert abs(np.mean(both) - 0.6) < allowed < 0.1
