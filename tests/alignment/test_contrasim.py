"""Encoders that are trained on rows that match, and judged on others."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import KFold, cross_val_score

import sksim
from sksim.alignment import ContraSim
from sksim.alignment._encoders import linear_encoders
from sksim.compose import TransformedViews
from sksim.inference import similarity_test
from sksim.testing import similarity_checks


def pair(n=300, width=10, shared=4, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, shared))
    return [
        common @ rng.normal(size=(shared, width)) + noise * rng.normal(size=(n, width))
        for _ in range(2)
    ]


def codes_by_definition(X, y, ridge, k):
    """Encoders by roots of whole covariance matrices, from the definition."""
    x_mean, y_mean = X.mean(axis=0), y.mean(axis=0)
    A, B = X - x_mean, y - y_mean
    roots, n = [], len(X)
    for rows in (A, B):
        covariance = rows.T @ rows / n
        covariance += (
            ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        )
        values, vectors = np.linalg.eigh(covariance)
        roots.append(vectors / values**0.5 @ vectors.T)
    U, s, Vt = np.linalg.svd(roots[0] @ (A.T @ B / n) @ roots[1])
    weights = s[:k] ** 0.5
    f, g = roots[0] @ U[:, :k] * weights, roots[1] @ Vt[:k].T * weights
    return lambda a: (a - x_mean) @ f, lambda b: (b - y_mean) @ g, s[:k]


def cosines(a, b):
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return np.sum(a * b, axis=1) / norms


# ----- linear encoders ------------------------------------------------------------


@pytest.mark.parametrize("ridge, k", [(1.0, 10), (0.1, 3), (0.0, 10)])
def test_folds_and_new_rows_by_definition(ridge, k):
    X, y = pair()
    measure = ContraSim(ridge=ridge, n_components=k, random_state=3)
    measure.fit(X[:200], y[:200])
    seed = np.random.RandomState(3).randint(np.iinfo(np.int32).max)
    folds = np.random.default_rng(seed).permutation(200) % 5
    expected = np.empty(200)
    for fold in range(5):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        f, g, _ = codes_by_definition(X[train], y[train], ridge, k)
        expected[test] = cosines(f(X[test]), g(y[test]))
    assert_allclose(measure.similarities_, expected, rtol=1e-8, atol=1e-10)
    assert_allclose(measure.score_, expected.mean())
    each = [expected[folds == fold].mean() for fold in range(5)]
    assert_allclose(measure.fold_scores_, each)
    f, g, strengths = codes_by_definition(X[:200], y[:200], ridge, k)
    assert_allclose(measure.singular_values_, strengths, rtol=1e-8)
    found = measure.score(X[200:], y[200:])
    assert_allclose(found, cosines(f(X[200:]), g(y[200:])).mean(), rtol=1e-8)
    codes = measure.transform(X[200:], y[200:])
    expected = f(X[200:]) @ g(y[200:]).T  # free of the signs
    assert_allclose(codes[0] @ codes[1].T, expected, rtol=1e-7, atol=1e-9)
    assert_allclose(codes[0], (X[200:] - measure.x_mean_) @ measure.x_rotations_)


def test_encoders_minimise_the_spectral_loss():
    """No other pair of linear encoders of this width has a smaller loss."""
    X, y = pair(60, 5, 3)
    (f, g), _ = linear_encoders(X, y, ridge=0.5, n_components=2, xp=np)
    A, B = X - X.mean(axis=0), y - y.mean(axis=0)
    n = len(X)
    covariances = [
        rows.T @ rows / n + 0.5 * np.sum(rows**2) / n / 5 * np.eye(5) for rows in (A, B)
    ]

    def loss(F, G):
        of_partners = np.sum((A @ F) * (B @ G)) / n
        of_others = np.trace(F.T @ covariances[0] @ F @ G.T @ covariances[1] @ G)
        return -2 * of_partners + of_others

    least = loss(f.weights, g.weights)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.3):
        for _ in range(20):
            moved = (
                w + size * rng.normal(size=w.shape) for w in (f.weights, g.weights)
            )
            assert loss(*moved) > least


def test_rotated_copies_are_the_same_and_unrelated_rows_are_not():
    X, _ = pair()
    rng = np.random.default_rng(1)
    Q = np.linalg.qr(rng.normal(size=(10, 10)))[0]
    for similarity in ("cosine", "cka"):
        measure = ContraSim(similarity=similarity, random_state=0)
        assert_allclose(clone(measure).fit(X, 3 * X @ Q + 5).score_, 1, rtol=1e-10)
    by_chance = [
        ContraSim(random_state=0).fit(X, rng.permutation(X)).score_ for _ in range(20)
    ]
    # 300 cosines, of codes of some four directions: .03 around 0
    assert abs(np.mean(by_chance)) < 0.03
    assert np.max(np.abs(by_chance)) < 0.15


def test_more_columns_than_rows_are_not_learnt_by_heart():
    """Whatever fits 60 rows of 200 columns is worth nothing on others."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 60, 200))
    measure = ContraSim(ridge=0, random_state=0).fit(X, y)
    assert abs(measure.score_) < 0.2
    codes = measure.transform(X, y)
    assert np.mean(cosines(*codes)) > 0.95


def test_cka_of_codes():
    X, y = pair()
    measure = ContraSim(similarity="cka", random_state=0).fit(X[:200], y[:200])
    codes = measure.transform(X[200:], y[200:])
    expected = sksim.CKA().fit(*codes).score_
    assert_allclose(measure.score(X[200:], y[200:]), expected)
    assert_allclose(measure.score_, measure.fold_scores_.mean())
    assert not hasattr(measure, "similarities_")


# ----- no row is judged by what was trained on it ---------------------------------


def test_rows_that_were_trained_on():
    X, y = pair(100)
    measure = ContraSim(random_state=0).fit(X, y)
    assert measure.score(X, y) == measure.score_ == measure.score()
    assert measure.score(X.tolist(), y.tolist()) == measure.score_
    new_X, new_y = pair(20, seed=1)
    mixed = np.vstack([new_X, X[[7]]]), np.vstack([new_y, y[[7]]])
    with pytest.raises(
        ValueError, match=r"1 of the 21 rows .* \(the first in place 20"
    ):
        measure.score(*mixed)
    with pytest.raises(ValueError, match=r"50 of the 50 rows"):
        measure.score(X[:50], y[:50])
    with pytest.raises(ValueError, match=r"100 of the 100 rows"):
        measure.score(X[::-1], y[::-1])
    # rows of another model are other pairs
    assert measure.score(X, y[::-1]) < measure.score_
    assert pickle.loads(pickle.dumps(measure)).score(X, y) == measure.score_


def test_cross_validation_and_permutations():
    X, y = pair(120)
    scores = cross_val_score(ContraSim(random_state=0), X, y, cv=KFold(3))
    assert np.all((scores > 0.7) & (scores < 1))
    options = {"n_permutations": 49, "random_state": 0}
    found = similarity_test(ContraSim(random_state=0), X, y, **options)
    assert found.pvalue == 0.02
    # nothing is left of what fits by chance
    assert abs(found.null_mean) < 0.05


def test_kernels_make_nonlinear_encoders():
    """Each side holds the other's squares."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    y = X**2 + 0.1 * rng.normal(size=(400, 2))
    linear = ContraSim(random_state=0).fit(X, y).score_
    features = Nystroem(gamma=0.5, n_components=60, random_state=0)
    measure = ContraSim(ridge=0.3, random_state=0)
    kernel = TransformedViews(measure, features).fit(X, y).score_
    assert linear < 0.3
    assert kernel > linear + 0.3


def test_refusals():
    X, y = pair(30)
    with pytest.raises(ValueError, match="minimum of 10"):
        ContraSim().fit(X[:9], y[:9])
    with pytest.raises(ValueError, match="y is constant"):
        ContraSim().fit(X, np.ones((30, 2)))
    with pytest.raises(ValueError, match="encoder"):
        ContraSim("deep").fit(X, y)


# ----- networks -------------------------------------------------------------------


def test_networks():
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 2))
    y = np.hstack([X**2, np.abs(X)]) + 0.1 * rng.normal(size=(500, 4))
    measure = ContraSim("network", n_folds=2, n_epochs=150, random_state=0)
    measure.fit(X[:400], y[:400])
    linear = ContraSim(random_state=0).fit(X[:400], y[:400])
    assert measure.score(X[400:], y[400:]) > 0.7 > 0.4 > linear.score(X[400:], y[400:])
    assert_allclose(measure.score_, measure.score(X[400:], y[400:]), atol=0.1)
    again = clone(measure).fit(X[:400], y[:400])
    assert again.score_ == measure.score_
    restored = pickle.loads(pickle.dumps(measure))
    assert_allclose(restored.transform(X), measure.transform(X))
    assert measure.transform(X).shape == (500, 64)
    assert measure.score(X[:400], y[:400]) == measure.score_
    with pytest.raises(AttributeError, match="encoder='linear'"):
        _ = measure.x_rotations_
    shuffled = clone(measure).fit(X[:400], rng.permutation(y[:400]))
    assert abs(shuffled.score_) < 0.2


def test_networks_that_maximise_cka():
    pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = X**2 + 0.1 * rng.normal(size=(300, 2))
    options = {"n_components": 4, "n_epochs": 100, "n_folds": 2, "random_state": 0}
    measure = ContraSim("network", similarity="cka", **options).fit(X[:200], y[:200])
    found = measure.score(X[200:], y[200:])
    assert found > 0.6 > sksim.CKA().fit(X[200:], y[200:]).score_
    assert_allclose(found, sksim.CKA().fit(*measure.transform(X, y)).score_, atol=0.2)


# of the checks of all measures those that networks could fail where encoders of the
# closed form, which go through all of them, do not; the others fit hundreds of networks
OF_NETWORKS = {
    "check_score_of_training_rows",
    "check_pickle",
    "check_transform",
    "check_transform_lands",
}


@pytest.mark.slow
def test_networks_are_measures():
    pytest.importorskip("torch")
    measure = ContraSim("network", n_folds=2, random_state=0)
    done = set()
    for instance, check in similarity_checks(measure):
        name = getattr(check, "__name__", "")
        if name in OF_NETWORKS:
            check(instance)
            done.add(name)
    assert done == OF_NETWORKS


def test_networks_see_neither_units_nor_offsets():
    pytest.importorskip("torch")
    X, y = pair(60)
    measure = ContraSim("network", n_folds=2, n_epochs=5, random_state=0)
    expected = clone(measure).fit(X, y).score_
    assert_allclose(clone(measure).fit(1e150 * X, y + 1e3).score_, expected, rtol=1e-6)
    assert_allclose(clone(measure).fit(1e-150 * X, y).score_, expected, rtol=1e-6)


def test_networks_need_torch(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    X, y = pair(30)
    with pytest.raises(ImportError, match=r"A network as encoder needs torch"):
        ContraSim("network").fit(X, y)
    assert ContraSim(random_state=0).fit(X, y).score_ > 0


def test_side_that_differs_in_one_row_alone():
    """Encoders that are trained without that row have nothing to match."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    y = np.zeros((20, 1))
    y[7] = 1
    with pytest.raises(ValueError, match="constant in the rows that encoders are"):
        ContraSim(random_state=0).fit(X, y)
