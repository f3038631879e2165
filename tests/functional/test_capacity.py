"""Rashomon capacity: closed forms, the certificate, hard channels."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.special import rel_entr
from sklearn.exceptions import ConvergenceWarning

from sksim.functional import RashomonCapacity

MORE_MODELS_THAN_ROWS = pytest.mark.filterwarnings("ignore:X is taken for")


def binary_entropy(p):
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


def capacity_bits(channel, n_copies=1):
    """Capacity of one channel, with the second input given several times."""
    channel = np.asarray(channel, dtype=float)
    rows = [0, *[1] * n_copies, *range(2, len(channel))]
    measure = RashomonCapacity().fit(channel[None, rows])
    assert measure.gap_ < 1e-7
    return math.log2(measure.distance_)


def blahut_arimoto(channel, n_steps=1000):
    """Lower and upper bound of one channel's capacity in bits."""
    weights = np.full(len(channel), 1 / len(channel))
    for _ in range(n_steps):
        divergence = rel_entr(channel, weights @ channel).sum(axis=1)
        weights = weights * np.exp(divergence)
        weights /= weights.sum()
    divergence = rel_entr(channel, weights @ channel).sum(axis=1)
    return weights @ divergence / math.log(2), divergence.max() / math.log(2)


@pytest.mark.parametrize("n_copies", [1, 2, 5])
@pytest.mark.parametrize("p", [0.01, 0.11, 0.3, 0.49])
def test_binary_symmetric_channel(p, n_copies):
    expected = 1 - binary_entropy(p)
    assert_allclose(
        capacity_bits([[1 - p, p], [p, 1 - p]], n_copies), expected, atol=1e-8
    )


@pytest.mark.parametrize("n_copies", [1, 2, 5])
@pytest.mark.parametrize("p", [0.0, 0.2, 0.9, 0.999])
def test_erasure_channel(p, n_copies):
    channel = [[1 - p, p, 0], [0, p, 1 - p]]
    assert_allclose(capacity_bits(channel, n_copies), 1 - p, atol=1e-8)


@pytest.mark.parametrize("n_copies", [1, 2])
@pytest.mark.parametrize("p", [0.01, 0.5, 0.9, 0.999999])
def test_z_channel(p, n_copies):
    # the weight of the noisy input tends to 1/e as p tends to 1
    expected = math.log2(1 + (1 - p) * p ** (p / (1 - p)))
    assert_allclose(capacity_bits([[1, 0], [p, 1 - p]], n_copies), expected, atol=1e-8)


@pytest.mark.parametrize("size", [2, 3, 10])
def test_certain_models(size):
    X = np.eye(size)[None]
    assert_allclose(RashomonCapacity().fit(X).distance_, size)
    # more models than classes
    doubled = np.repeat(X, 2, axis=1)
    assert_allclose(RashomonCapacity().fit(doubled).distance_, size)
    # fewer
    if size > 2:
        assert_allclose(RashomonCapacity().fit(X[:, :2]).distance_, 2)


@pytest.mark.parametrize("n_models", [2, 4])
def test_equal_models(n_models):
    rows = np.random.default_rng(0).dirichlet(np.full(5, 0.3), size=40)
    measure = RashomonCapacity().fit(np.repeat(rows[:, None], n_models, axis=1))
    assert_allclose(measure.distance_, 1, atol=1e-14)
    assert measure.n_iter_ == 0


@MORE_MODELS_THAN_ROWS
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_models", [2, 3, 8])
def test_against_blahut_arimoto(seed, n_models):
    rng = np.random.default_rng(seed)
    X = rng.dirichlet(np.full(4, 0.5), size=(4, n_models))
    measure = RashomonCapacity().fit(X)
    bits = np.log2(measure.row_values_)
    for value, channel in zip(bits, X, strict=True):
        lower, upper = blahut_arimoto(channel)
        assert lower - 1e-8 <= value <= upper + 1e-12
    assert measure.gap_ < 1e-7


HARD = {
    "almost equal": lambda P, rng: P[:, :1] + 1e-9 * (P - P[:, :1]),
    "nearly certain": lambda P, rng: _normalised(P**40),
    "exact zeros": lambda P, rng: _normalised(np.where(P > 0.2, P, 0) + 1e-300),
    "tiny private classes": lambda P, rng: _with_private_classes(P),
    "copies": lambda P, rng: np.repeat(P, 4, axis=1),
    "near copies": lambda P, rng: _normalised(
        np.repeat(P, 3, axis=1) * (1 + 1e-8 * rng.normal(size=(60, 15, 6)))
    ),
    "absent classes": lambda P, rng: np.concatenate([P, 0 * P], axis=2),
    "one deviating model": lambda P, rng: np.concatenate(
        [np.repeat(P[:, :1], 9, axis=1), P[:, 1:2]], axis=1
    ),
    "many models": lambda P, rng: rng.dirichlet(np.full(6, 0.4), size=(20, 60)),
    "many classes": lambda P, rng: rng.dirichlet(np.full(500, 0.05), size=(20, 5)),
}


def _normalised(P):
    return P / P.sum(axis=-1, keepdims=True)


def _with_private_classes(P):
    private = np.zeros((*P.shape[:2], 5))
    private[:, np.arange(5), np.arange(5)] = np.geomspace(1e-3, 1e-12, 5)
    return _normalised(np.concatenate([P, private], axis=2))


@MORE_MODELS_THAN_ROWS
@pytest.mark.parametrize("kind", HARD)
def test_hard_channels_are_certified(kind):
    rng = np.random.default_rng(0)
    X = HARD[kind](rng.dirichlet(np.full(6, 0.4), size=(60, 5)), rng)
    measure = RashomonCapacity().fit(X)
    assert measure.gap_ < 1e-7
    assert np.all(measure.row_values_ >= 1)
    assert np.all(measure.row_values_ <= min(X.shape[1:]) + 1e-9)
    pair = RashomonCapacity().fit(X[:, :2])
    assert pair.gap_ < 1e-7
    assert np.all(pair.row_values_ <= measure.row_values_ + 1e-8)


def test_copies_of_a_model_change_nothing():
    rng = np.random.default_rng(0)
    X = rng.dirichlet(np.ones(4), size=(50, 3))
    alone = RashomonCapacity().fit(X).row_values_
    with_copy = RashomonCapacity().fit(X[:, [0, 1, 2, 2]]).row_values_
    assert_allclose(with_copy, alone, atol=1e-8)


def test_two_forms_of_a_pair_agree():
    X = np.random.default_rng(0).dirichlet(np.full(5, 0.2), size=(100, 2))
    pair = RashomonCapacity().fit(X)
    general = RashomonCapacity().fit(X[:, [0, 1, 1]])
    assert_allclose(pair.row_values_, general.row_values_, atol=1e-8)
    assert RashomonCapacity().fit(X[:, 0], X[:, 1]).distance_ == pair.distance_


def test_newton_needs_few_steps():
    X = np.random.default_rng(0).dirichlet(np.full(5, 0.5), size=(200, 6))
    assert RashomonCapacity().fit(X[:, :2]).n_iter_ <= 8
    assert RashomonCapacity().fit(X).n_iter_ <= 20


def test_rows_are_kept_in_order_over_blocks():
    X = np.random.default_rng(0).dirichlet(np.full(100, 0.2), size=(1200, 3))
    values = RashomonCapacity().fit(X).row_values_
    for i in (0, 600, 1199):
        alone = RashomonCapacity().fit(X[i : i + 1]).row_values_
        assert_allclose(values[i], alone, atol=1e-9)


def test_an_early_end_is_said_and_still_bounded():
    X = np.random.default_rng(0).dirichlet(np.full(4, 0.3), size=(20, 4))
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        measure = RashomonCapacity(max_iter=2).fit(X)
    exact = RashomonCapacity().fit(X).row_values_
    short = np.log2(exact) - np.log2(measure.row_values_)
    assert np.all(short >= -1e-8)
    assert short.max() <= measure.gap_


def test_single_precision():
    X = np.random.default_rng(0).dirichlet(np.ones(4), size=(20, 4))
    measure = RashomonCapacity()
    double = measure.fit(X).distance_
    assert_allclose(measure.fit(X.astype(np.float32)).distance_, double, rtol=1e-5)
    assert measure.gap_ < 1e-7


@pytest.mark.parametrize("parameter, value", [("tol", 0), ("max_iter", 0)])
def test_bad_parameters(parameter, value):
    with pytest.raises(ValueError, match=parameter):
        RashomonCapacity(**{parameter: value}).fit(np.eye(2)[None])
