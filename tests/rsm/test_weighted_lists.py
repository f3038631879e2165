"""RSA of rows that count several times, or not at all, without a view of them."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist
from scipy.stats import rankdata

from sksim import RSA, similarity_interval
from sksim.base._layers import open_layers

WEIGHTED = ["spearman", "pearson", "cosine"]


@pytest.fixture
def layers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(14, 3))
    tied = rng.integers(0, 2, size=(14, 4)).astype(float)
    tied[:, 3] = np.arange(14) % 3
    return [X, X + rng.normal(size=X.shape), tied]


def _expected(values, comparison):
    """Correlation of two lists."""
    if comparison == "spearman":
        values = [rankdata(each.round(9)) for each in values]
    if comparison == "cosine":
        x, y = values
        return x @ y / np.sqrt((x @ x) * (y @ y))
    return np.corrcoef(*values)[0, 1]


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("comparison", WEIGHTED)
def test_rows_left_out_are_rows_that_are_not_there(comparison, metric, layers):
    measure = RSA(metric, comparison)
    grid = open_layers(measure, layers).grid
    for rows in (np.arange(14), np.arange(1, 14), np.array([0, 2, 3, 7, 8, 11])):
        weights = np.bincount(rows, minlength=14).astype(float)
        found = grid.weighted(weights)
        expected = [
            [measure.fit(x[rows], y[rows]).score_ for y in layers] for x in layers
        ]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        one = measure._open(layers[0], layers[2]).weighted(weights)
        assert one == pytest.approx(expected[0][2], abs=1e-12)


@pytest.mark.parametrize("comparison", WEIGHTED)
def test_pairs_count_as_often_as_both_rows_and_copies_make_none(comparison, layers):
    measure = RSA("euclidean", comparison)
    drawn = np.array([0, 0, 1, 3, 3, 3, 5, 8, 9, 13])
    weights = np.bincount(drawn, minlength=14).astype(float)
    found = open_layers(measure, layers).grid.weighted(weights)
    i, j = np.triu_indices(len(drawn), k=1)
    different = drawn[i] != drawn[j]
    lists = [pdist(layer[drawn])[different] for layer in layers]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        expected = _expected([lists[a], lists[b]], comparison)
        assert found[a, b] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("comparison", WEIGHTED)
def test_pairs_that_are_missing_or_do_not_count_stay_so(comparison, layers):
    rng = np.random.default_rng(1)
    given = [pdist(layer) for layer in layers]
    given[1] = np.where(rng.random(91) < 0.1, np.nan, given[1])
    counted = rng.random(91) < 0.9
    measure = RSA("precomputed", comparison, pairs=counted)
    rows = np.array([0, 1, 2, 4, 5, 6, 9, 11, 12])
    weights = np.bincount(rows, minlength=14).astype(float)
    with pytest.warns(UserWarning, match="missing"):
        found = open_layers(measure, given).grid.weighted(weights)
    i, j = np.triu_indices(14, k=1)
    kept = counted & np.isin(i, rows) & np.isin(j, rows)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        used = kept & ~np.isnan(given[a] + given[b])
        expected = _expected([given[a][used], given[b][used]], comparison)
        assert found[a, b] == pytest.approx(expected, abs=1e-12)


def test_what_does_not_vary_is_undefined(layers):
    grid = open_layers(RSA("euclidean"), layers).grid
    weights = np.zeros(14)
    weights[:2] = 1
    assert np.isnan(grid.weighted(weights)).all()


def test_orders_of_pairs_have_no_weights(layers):
    measure = RSA("euclidean", "kendall")
    assert open_layers(measure, layers).grid.weighted(np.ones(14)) is None
    with pytest.raises(ValueError, match="'masked_bootstrap' is not valid"):
        similarity_interval(measure, *layers[:2], method="masked_bootstrap")


@pytest.mark.parametrize("comparison", WEIGHTED)
def test_mean_over_orders(comparison):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 5, 3))
    comparison = RSA("euclidean", comparison)._open(X, y)
    orders = [rng.permutation(5) for _ in range(2000)]
    values = comparison.for_permutations().permuted(orders)
    assert comparison.null_mean() == pytest.approx(
        np.mean(values), abs=4 * np.std(values) / 2000**0.5
    )


def test_intervals_agree():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    y = X + rng.normal(size=X.shape)
    usual = similarity_interval(RSA("euclidean"), X, y)
    drawn = similarity_interval(
        RSA("euclidean"), X, y, method="masked_bootstrap", random_state=0
    )
    assert drawn.standard_error == pytest.approx(usual.standard_error, rel=0.25)
