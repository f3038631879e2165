"""Whether networks were trained independently."""

import itertools
import math
from copy import deepcopy

import numpy as np
import pytest
import torch
from _reference_weights import random_network, weight_cases, with_units_permuted
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import kstest, spearmanr
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.utils import shuffle
from torch import nn

from sksim.inference import independence_test
from sksim.inference._independence import _cleared


@pytest.mark.parametrize("case, a, b, expected", [*weight_cases("independence_test")])
def test_values_of_model_tracing(case, a, b, expected):
    result = independence_test(a, b)
    table = result.to_frame()
    for name, layer in zip(table.index, expected["layers"], strict=True):
        row = table.loc[name]
        assert result.matched[name].tolist() == layer["matched"]
        assert row["spearman"] == pytest.approx(layer["spearman"], rel=1e-12)
        cosine = layer["mean_matched_cosine"]
        assert row["mean_cosine"] == pytest.approx(cosine, rel=1e-12)
        pvalue = layer.get("p_value_exact", layer["p_value"])
        assert row["pvalue"] == pytest.approx(pvalue, rel=1e-8, abs=1e-12)
    if case != "narrow_exact":
        assert result.statistic == pytest.approx(float(expected["fisher_chi2"]))
        assert result.pvalue == pytest.approx(expected["p_value"], rel=1e-8)
    assert result.dof == expected["dof"]


def in_order(places):
    """A network of one hidden layer whose matched order is given."""
    n = len(places)
    W = np.eye(n)[:, places]
    return [(np.eye(n), None), (np.ones((n, 1)), None)], [
        (W, None),
        (np.ones((n, 1)), None),
    ]


@pytest.mark.parametrize("n_units", [2, 3, 5, 6])
def test_narrow_layers_by_counting_all_orders(n_units):
    orders = list(itertools.permutations(range(n_units)))
    correlations = np.array([spearmanr(range(n_units), o).statistic for o in orders])
    for order in orders[:: max(1, len(orders) // 40)]:
        result = independence_test(*in_order(np.argsort(order)))
        assert result.matched["hidden_1"].tolist() == list(order)
        observed = spearmanr(range(n_units), order).statistic
        expected = np.mean(np.abs(correlations) >= abs(observed) - 1e-9)
        assert result.pvalue == pytest.approx(expected, rel=1e-12)
        assert result.to_frame()["method"].tolist() == ["exact"]


def test_wide_layers_by_student():
    order = np.random.default_rng(0).permutation(40)
    result = independence_test(*in_order(order))
    expected = spearmanr(range(40), np.argsort(order))
    assert result.table["spearman"].iloc[0] == pytest.approx(expected.statistic)
    assert result.pvalue == pytest.approx(expected.pvalue, rel=1e-10)
    assert result.log_pvalue == pytest.approx(math.log(expected.pvalue), rel=1e-10)


def test_logarithm_where_the_pvalue_is_too_small():
    """Of one layer, -2 ln p has two degrees of freedom, and p comes back."""
    mpmath = pytest.importorskip("mpmath")
    order = np.arange(600)
    order[[0, 1]] = 1, 0
    result = independence_test(*in_order(order))
    assert result.pvalue == 0
    rho = result.table["spearman"].iloc[0]
    with mpmath.workdps(50):
        x = (1 - mpmath.mpf(rho)) * (1 + mpmath.mpf(rho))
        expected = mpmath.log(mpmath.betainc(299, 0.5, 0, x, regularized=True))
    assert result.log_pvalue == pytest.approx(float(expected), rel=1e-10)
    assert result.statistic == pytest.approx(-2 * float(expected), rel=1e-10)


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("widths", [(8, 20, 16, 4), (5, 12, 12, 12, 3)])
def test_pvalues_of_unrelated_weights_are_uniform(robust, widths):
    pvalues = [
        independence_test(
            *(random_network(*widths, random_state=2 * seed + s) for s in (0, 1)),
            robust=robust,
        ).pvalue
        for seed in range(300)
    ]
    assert kstest(pvalues, "uniform").pvalue > 0.01


def test_robust_form_does_not_depend_on_the_second_order():
    """Whatever order its units stand in, the numbers are the same."""
    a, b = (random_network(8, 15, 12, 4, random_state=seed) for seed in (0, 1))
    expected = independence_test(a, b, robust=True)
    for seed in range(3):
        permuted, orders = with_units_permuted(b, random_state=seed)
        found = independence_test(a, permuted, robust=True)
        assert found.statistic == pytest.approx(expected.statistic, rel=1e-10)
        for name, order in zip(found.matched, orders, strict=True):
            assert_array_equal(order[found.matched[name]], expected.matched[name])
    assert independence_test(a, permuted).pvalue != independence_test(a, b).pvalue


def test_permuted_copy_is_found_by_the_robust_form_only():
    a = random_network(8, 20, 16, 4)
    permuted, orders = with_units_permuted(a)
    assert independence_test(a, permuted).pvalue > 0.01
    result = independence_test(a, permuted, robust=True)
    assert result.pvalue < 1e-10
    assert result.robust
    for matched in (result.matched, result.matched_by_outgoing):
        for order, found in zip(orders, matched.values(), strict=True):
            assert_array_equal(order[found], np.arange(len(order)))


def test_incoming_weights_are_cleared_of_what_outgoing_ones_explain():
    """By definition: residuals of least squares, of both networks together."""
    rng = np.random.default_rng(0)
    outgoing = rng.normal(size=(2, 12, 3))
    incoming = outgoing @ rng.normal(size=(3, 5)) + rng.normal(size=(2, 12, 5))
    design = np.c_[np.ones(24), outgoing.reshape(24, 3)]
    rows = incoming.reshape(24, 5)
    expected = rows - design @ np.linalg.lstsq(design, rows)[0]
    assert_allclose(np.vstack(_cleared(incoming, outgoing)), expected, atol=1e-12)
    # of more outgoing weights than half the units, the first principal components
    wide = rng.normal(size=(2, 12, 40)) * np.geomspace(1, 30, 40)
    causes = wide.reshape(24, 40) - wide.reshape(24, 40).mean(axis=0)
    first = np.linalg.svd(causes, full_matrices=False)[0][:, :6]
    rows = rows - rows.mean(axis=0)
    found = np.vstack(_cleared(incoming, wide))
    assert_allclose(found, rows - first @ (first.T @ rows), atol=1e-10)


def test_units_without_weights_are_left_out():
    """The order of units that are all alike would be that of their numbers."""
    rng = np.random.default_rng(0)
    networks = []
    for _ in range(2):
        W, V = rng.normal(size=(6, 40)), rng.normal(size=(40, 3))
        W[:, rng.permutation(40)[:25]] = 0
        networks.append([W, V])
    result = independence_test(*networks)
    assert result.table["n_units"].tolist() == [15]
    assert (result.matched["hidden_1"] < 0).sum() == 25
    assert result.pvalue > 1e-3
    robust = independence_test(*networks, robust=True)
    assert robust.table["n_units"].iloc[0] >= 15
    dead = [np.zeros((6, 5)), np.ones((5, 2))]
    assert independence_test(dead, dead).pvalue == 1


def permuted_mlp(mlp, seed):
    other = deepcopy(mlp)
    layers = list(zip(mlp.coefs_, mlp.intercepts_, strict=True))
    permuted, _ = with_units_permuted(layers, random_state=seed)
    other.coefs_ = [W for W, _ in permuted]
    other.intercepts_ = [b for _, b in permuted]
    return other


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return shuffle(X[:600] / 16, y[:600], random_state=0)


def trained(X, y, seed, epochs=15, widths=(24, 16)):
    mlp = MLPClassifier(widths, learning_rate_init=0.005, random_state=seed)
    for _ in range(epochs):
        mlp.partial_fit(X, y, classes=np.arange(10))
    return mlp


def test_fine_tunes_and_their_permuted_copies(digits):
    X, y = digits
    for seed in range(3):
        base = trained(X, y, seed)
        tuned = deepcopy(base)
        for epoch in range(50):
            tuned.partial_fit(X[:300], y[:300])
            if epoch in (0, 9, 49):
                assert independence_test(base, tuned).pvalue < 1e-10
                hidden = permuted_mlp(tuned, seed)
                assert_allclose(hidden.predict_proba(X), tuned.predict_proba(X))
                assert independence_test(base, hidden, robust=True).pvalue < 0.01
        other = trained(X, y, seed + 10)
        assert independence_test(base, other).pvalue > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("robust", [False, True])
def test_pvalues_of_seeds_on_the_same_data_are_uniform(digits, robust):
    X, y = digits
    pvalues = [
        independence_test(
            *(trained(X[:200], y[:200], 2 * i + s, 20) for s in (0, 1)), robust=robust
        ).pvalue
        for i in range(300)
    ]
    assert kstest(pvalues, "uniform").pvalue > 0.01


def residual_module(seed):
    torch.manual_seed(seed)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Linear(6, 30)
            self.up, self.down = nn.Linear(30, 40), nn.Linear(40, 30)
            self.norm, self.head = nn.LayerNorm(30), nn.Linear(30, 4)

        def forward(self, x):
            x = self.stem(x)
            return self.head(self.norm(x + self.down(torch.relu(self.up(x)))))

    return Net()


def test_torch_modules_with_residual_sums():
    a, b = residual_module(0), residual_module(1)
    tuned = deepcopy(a)
    with torch.no_grad():
        for parameter in tuned.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    for robust in (False, True):
        result = independence_test(a, b, robust=robust)
        assert list(result.table.index) == ["stem", "up"]
        assert result.pvalue > 0.001
        assert independence_test(a, tuned, robust=robust).pvalue < 1e-10


@pytest.mark.parametrize(
    "second, message",
    [
        (random_network(4, 3), "no hidden units"),
        (random_network(4, 6, 3), "one architecture"),
        (random_network(4, 5, 5, 3), "different layers"),
        (LogisticRegression(), "no network of linear layers"),
    ],
)
def test_what_is_refused(second, message):
    with pytest.raises(ValueError, match=message):
        independence_test(random_network(4, 5, 3), second)
