"""Intervals over columns that are a sample of many."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from sklearn import config_context

from sksim.alignment import LinearRegressionSimilarity, OrthogonalProcrustes
from sksim.compose import CrossRepetition, TransformedViews
from sksim.functional import Disagreement
from sksim.inference import similarity_interval
from sksim.preprocessing import Centering
from sksim.rsm import CKA, HSIC, RSA, DistanceCorrelation

BOTH = CKA(debias="both")


def sampled_pair(rng, n, widths, noise=1.0):
    """Columns with normal loadings on 3 shared and 2 private directions: CKA .6."""
    shared = rng.normal(size=(n, 3))
    for width in widths:
        latent = np.hstack([shared, rng.normal(size=(n, 2))])
        signal = latent @ rng.normal(size=(5, width))
        yield signal + noise * rng.normal(size=(n, width))


def refits(measure, X, y):
    without_x = [measure.fit(np.delete(X, a, 1), y).score_ for a in range(X.shape[1])]
    without_y = [measure.fit(X, np.delete(y, a, 1)).score_ for a in range(y.shape[1])]
    return np.array(without_x), np.array(without_y)


def variance(values):
    return (len(values) - 1) / len(values) * np.sum((values - values.mean()) ** 2)


@pytest.mark.parametrize("widths", [(6, 9), (70, 7), (45, 80)])
@pytest.mark.parametrize(
    "measure",
    [
        BOTH,
        CKA(debias="rows"),
        CKA(),
        HSIC(debias="both"),
        HSIC(),
        CKA("rbf"),
        DistanceCorrelation(debias="rows"),
        RSA(),
        OrthogonalProcrustes(),
        LinearRegressionSimilarity(ridge=1e121),
        TransformedViews(CKA(), Centering()),
    ],
    ids=repr,
)
def test_each_column_is_left_out(measure, widths):
    X, y = sampled_pair(np.random.default_rng(0), 60, widths)
    result = similarity_interval(measure, 1e60 * X + 3, y, over="columns")
    without = refits(measure, 1e60 * X + 3, y)
    assert_allclose(result.replicates, np.concatenate(without), rtol=1e-8)
    score = measure.fit(1e60 * X + 3, y).score_
    parts = [variance(values) for values in without]
    error = sum(parts) ** 0.5
    assert result.standard_error == pytest.approx(error, rel=1e-7)
    degrees = 1 / sum(
        (part / error / error) ** 2 / (width - 1)
        for part, width in zip(parts, widths, strict=True)
    )
    half = stats.t.ppf(0.975, degrees) * error
    low, high = measure._similarity_tags().score_bounds
    assert result.confidence_interval == (
        pytest.approx(max(score - half, low), rel=1e-7),
        pytest.approx(min(score + half, high), rel=1e-7),
    )
    bias = sum((len(v) - 1) * (v.mean() - score) for v in without)
    assert result.bias == pytest.approx(bias, rel=1e-5, abs=1e-8 * error)
    assert result.method == "jackknife"


@pytest.mark.parametrize("measure", [BOTH, RSA()], ids=repr)
def test_over_both_variances_add_up(measure):
    X, y = sampled_pair(np.random.default_rng(0), 40, (8, 12))
    design = {"groups": np.repeat(np.arange(20), 2)}
    for kind in ({}, design):
        rows, columns, both = (
            similarity_interval(measure, X, y, over=over, **part)
            for over, part in (("rows", kind), ("columns", {}), ("both", kind))
        )
        assert both.standard_error**2 == pytest.approx(
            rows.standard_error**2 + columns.standard_error**2
        )
        assert both.bias == pytest.approx(rows.bias + columns.bias)
        assert len(both.replicates) == len(rows.replicates) + 20
        low, high = both.confidence_interval
        assert low < columns.confidence_interval.low < both.score
        assert high > columns.confidence_interval.high > both.score


def test_wrappers_that_change_views_have_no_short_cut():
    """Trials lose the column before their products are taken."""
    rng = np.random.default_rng(0)
    repeats = np.tile(np.arange(30), 3)
    X, y = (Z[repeats] for Z in sampled_pair(rng, 30, (5, 6)))
    X, y = (Z + rng.normal(size=Z.shape) for Z in (X, y))
    measure = CrossRepetition(CKA(debias="rows"))
    result = similarity_interval(
        measure, X, y, over="columns", metadata={"repeats": repeats}
    )
    expected = measure.fit(np.delete(X, 2, 1), y, repeats=repeats).score_
    assert result.replicates[2] == pytest.approx(expected)


def test_tensors():
    torch = pytest.importorskip("torch")
    X, y = sampled_pair(np.random.default_rng(0), 20, (6, 30))
    for measure in (BOTH, RSA()):
        expected = similarity_interval(measure, X, y, over="columns")
        with config_context(array_api_dispatch=True):
            tensors = (torch.asarray(Z) for Z in (X, y))
            found = similarity_interval(measure, *tensors, over="columns")
        assert_allclose(found.replicates, expected.replicates, rtol=1e-9)


def test_columns_without_which_nothing_is_shared():
    """Two columns share something, and all others nothing."""
    rng = np.random.default_rng(1)
    columns = np.linalg.qr(np.hstack([np.ones((30, 1)), rng.normal(size=(30, 6))]))[0]
    X = columns[:, 1:]
    X[:, 1] += 4 * X[:, 0]
    y = next(sampled_pair(rng, 30, (9,)))
    with pytest.warns(UserWarning, match="undefined without 2 of 6 columns"):
        result = similarity_interval(BOTH, X, y, over="columns")
    assert result.n_undefined == 2
    assert np.flatnonzero(np.isnan(result.replicates)).tolist() == [0, 1]


def test_what_is_refused():
    X, y = sampled_pair(np.random.default_rng(0), 20, (6, 8))
    for method in ("subsample", "masked_bootstrap"):
        with pytest.raises(ValueError, match="over='columns' leaves out columns"):
            similarity_interval(CKA(), X, y, over="columns", method=method)
    with pytest.raises(ValueError, match="groups and strata are of rows"):
        similarity_interval(CKA(), X, y, over="columns", groups=np.arange(20))
    with pytest.raises(ValueError, match="X has 3 columns, too few"):
        similarity_interval(CKA(), X[:, :3], y, over="columns")
    with pytest.raises(ValueError, match="y has 1 columns, too few"):
        similarity_interval(CKA(), X, y[:, 0], over="both")
    with pytest.raises(ValueError, match="measures of two representations"):
        similarity_interval(Disagreement(), X[:, 0] > 0, y[:, 0] > 0, over="columns")
    with pytest.raises(ValueError, match="measures of two representations"):
        similarity_interval(CKA("precomputed"), X @ X.T, y @ y.T, over="both")


@pytest.mark.slow
@pytest.mark.parametrize("n, width", [(60, 10), (200, 30)])
def test_intervals_over_rows_and_columns_cover(n, width):
    """Nominal .95 of the CKA of all rows and columns, .6; 200 data sets."""
    rng = np.random.default_rng(width)
    found = []
    for _ in range(200):
        pair = sampled_pair(rng, n, (width, width))
        low, high = similarity_interval(BOTH, *pair, over="both").confidence_interval
        found.append(low < 0.6 < high)
    # four standard errors
    assert np.mean(found) > 0.95 - 4 * (0.95 * 0.05 / 200) ** 0.5


@pytest.mark.slow
def test_intervals_over_columns_cover_what_all_columns_would_give():
    rng = np.random.default_rng(0)
    found = []
    for _ in range(150):
        X, y = sampled_pair(rng, 40, (2000, 2000))
        truth = BOTH.fit(X, y).score_
        low, high = similarity_interval(
            BOTH, X[:, :20], y[:, :20], over="columns"
        ).confidence_interval
        found.append(low < truth < high)
    assert 0.95 - 4 * (0.95 * 0.05 / 150) ** 0.5 < np.mean(found) <= 1
