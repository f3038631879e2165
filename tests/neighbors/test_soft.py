"""Neighbours by degrees: a score with gradients, and the hard one in the limit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import brentq
from scipy.special import expit
from sklearn import config_context

from sksim.neighbors import JointRankJaccard, MutualKNN, NeighborJaccard
from sksim.rsm import CKA

MEASURES = [
    cls(5, metric=metric)
    for cls in (MutualKNN, NeighborJaccard)
    for metric in ("cosine", "euclidean")
]


def draw(n_samples=30, noise=0.7):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4))
    return X, np.hstack([X, X[:, :1]]) + noise * rng.normal(size=(n_samples, 5))


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_tends_to_the_hard_score(measure):
    X, y = draw()
    hard = measure.fit(X, y).score_
    errors = [
        abs(float(measure.score_array(X, y, temperature=t)) - hard)
        for t in (0.1, 1e-2, 1e-3, 1e-6, 1e-12)
    ]
    assert errors[-1] < 1e-12
    assert errors[2] < errors[1] < errors[0]


def test_by_definition():
    X, y = draw(12)
    k, temperature = 3, 0.2
    shared = []
    degrees = []
    for rows in (X, y):
        squares = ((rows[:, None] - rows[None]) ** 2).sum(-1)
        squares /= squares.sum() / (12 * 11)
        found = np.zeros((12, 12))
        for i in range(12):
            others = np.delete(np.arange(12), i)
            d = squares[i, others]
            t = brentq(lambda t, d=d: expit((t - d) / temperature).sum() - k, -50, 50)
            found[i, others] = expit((t - d) / temperature)
        degrees.append(found)
    a, b = degrees
    for i in range(12):
        shared.append(2 * a[i] @ b[i] / (a[i] @ a[i] + b[i] @ b[i]))
    measure = MutualKNN(k, metric="euclidean")
    found = measure.score_array(X, y, temperature=temperature)
    assert_allclose(found, np.mean(shared), rtol=1e-8)
    measure = NeighborJaccard(k, metric="euclidean")
    found = measure.score_array(X, y, temperature=temperature)
    shared = np.array(shared)
    assert_allclose(found, np.mean(shared / (2 - shared)), rtol=1e-8)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
@pytest.mark.parametrize("temperature", [1e-9, 0.1, 100])
def test_bounds_and_invariances(measure, temperature):
    X, y = draw()
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    value = float(measure.score_array(X, y, temperature=temperature))
    assert 0 <= value <= 1
    turned = measure.score_array(3e5 * X @ rotation, y, temperature=temperature)
    assert_allclose(turned, value, rtol=1e-7)
    assert_allclose(measure.score_array(y, X, temperature=temperature), value)
    assert_allclose(measure.score_array(X, 2 * X, temperature=temperature), 1)


def test_given_distances_are_those_of_rows():
    X, y = draw()
    matrices = [np.linalg.norm(a[:, None] - a[None], axis=-1) for a in (X, y)]
    given = MutualKNN(5, metric="precomputed").score_array(*matrices, temperature=0.1)
    rows = MutualKNN(5, metric="euclidean").score_array(X, y, temperature=0.1)
    assert_allclose(given, rows, rtol=1e-10)


def test_all_others_are_neighbours():
    X, y = draw(8)
    for temperature in (1e-9, 0.1, 10):
        score = MutualKNN(7).score_array(X, y, temperature=temperature)
        assert_allclose(score, 1, rtol=1e-7)


@pytest.mark.parametrize("temperature", [0, -1, np.nan, np.inf, "warm", True])
def test_temperature_is_a_positive_number(temperature):
    with pytest.raises(ValueError, match="temperature must be a positive number"):
        MutualKNN(5).score_array(*draw(), temperature=temperature)


def test_refusals():
    with pytest.raises(ValueError, match=r"no gradients without a temperature.*0\.1"):
        MutualKNN(5).score_array(*draw())
    for measure in (CKA(), JointRankJaccard(5)):
        with pytest.raises(ValueError, match="no gradients|temperature"):
            measure._check_gradients(0.1)
    with pytest.raises(ValueError, match="X has 4097 rows: more than 4096"):
        MutualKNN(5).score_array(*np.ones((2, 4097, 2)), temperature=0.1)


# ----- gradients ----------------------------------------------------------------------


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
@pytest.mark.parametrize("temperature", [0.05, 1])
def test_gradcheck(measure, temperature):
    torch = pytest.importorskip("torch")

    def score(X, y):
        return measure.score_array(X, y, temperature=temperature)

    leaves = [torch.tensor(a[:12]).requires_grad_() for a in draw()]
    with config_context(array_api_dispatch=True):
        assert torch.autograd.gradcheck(score, leaves)


@pytest.mark.parametrize("measure", MEASURES, ids=repr)
def test_gradients_are_finite_with_equal_rows(measure):
    torch = pytest.importorskip("torch")
    X, y = draw()
    X[1:9] = X[0]
    y[3] = y[2]
    for temperature in (1e-300, 1e-9, 0.1):
        leaves = [torch.tensor(a).requires_grad_() for a in (X, y)]
        with config_context(array_api_dispatch=True):
            measure.score_array(*leaves, temperature=temperature).backward()
        assert all(torch.isfinite(leaf.grad).all() for leaf in leaves)


def test_loss_of_neighbours_falls():
    torch = pytest.importorskip("torch")
    from sksim.torch import SimilarityLoss

    X, y = (torch.tensor(a, dtype=torch.float32) for a in draw(noise=2))
    loss = SimilarityLoss(MutualKNN(5), temperature=0.1)
    assert "temperature=0.1" in repr(loss)
    X.requires_grad_()
    optimizer = torch.optim.Adam([X], lr=0.05)
    values = []
    for _ in range(40):
        optimizer.zero_grad()
        values.append(loss(X, y))
        values[-1].backward()
        optimizer.step()
    assert values[-1] < 0.7 * values[0]
    with pytest.raises(ValueError, match="MutualKNN has no gradients without"):
        SimilarityLoss(MutualKNN())
    with pytest.raises(ValueError, match="CKA has no form that depends"):
        SimilarityLoss(CKA(), temperature=0.1)
