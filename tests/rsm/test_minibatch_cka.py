"""Debiased CKA estimated from batches."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.rsm import CKA, HSIC, MinibatchCKA


def pair(n_samples, random_state=0, width=10):
    rng = np.random.default_rng(random_state)
    X = rng.normal(size=(n_samples, width)) * np.geomspace(1, 0.2, width)
    return X, X[:, ::-1] + rng.normal(size=X.shape)


@pytest.mark.parametrize("kernel", ["linear", "rbf", "laplacian"])
@pytest.mark.parametrize("width", [5, 80])
def test_one_batch_is_debiased_cka(kernel, width):
    X, y = pair(60, width=width)
    expected = CKA(kernel=kernel, debias="rows").fit(X, y).score_
    for measure in (
        MinibatchCKA(kernel=kernel).fit(X, y),
        MinibatchCKA(kernel=kernel).partial_fit(X, y),
    ):
        assert_allclose(measure.score_, expected, rtol=1e-12)
        assert measure.n_batches_ == 1
        assert np.isnan(measure.standard_error_)


def test_batches_are_weighed_by_their_rows():
    X, y = pair(50)
    sizes = np.array([8, 12, 30])
    starts = np.cumsum(sizes) - sizes
    measure = MinibatchCKA()
    terms = []
    for start, size in zip(starts, sizes, strict=True):
        A, B = X[start : start + size], y[start : start + size]
        measure.partial_fit(A, B)
        hsic = HSIC(debias="rows")
        terms.append([hsic.fit(*p).statistic_ for p in ((A, B), (A, A), (B, B))])
    xy, xx, yy = sizes @ np.array(terms)
    assert_allclose(measure.score_, xy / np.sqrt(xx * yy), rtol=1e-12)
    assert measure.n_samples_fit_ == 50


def test_each_average_is_unbiased():
    """Expectations do not depend on the batch size: they are the population's HSIC."""
    n_repeats, spectrum = 1000, np.geomspace(1, 0.2, 10)
    # squared norms of the covariance matrices
    expected = [
        np.sum(spectrum**4),
        np.sum(spectrum**4),
        np.sum((spectrum**2 + 1) ** 2),
    ]
    for size in (4, 9):
        X, y = pair(size * n_repeats)
        measure = MinibatchCKA()
        sums = []
        for i in range(n_repeats):
            rows = slice(i * size, (i + 1) * size)
            part = measure._sums(X[rows], y[rows], np)
            (a,), (b,) = part.scale_x, part.scale_y
            units = {"xy": a * b, "xx": a * a, "yy": b * b}
            sums.append([part.sums[k].item() * u / size for k, u in units.items()])
        means = np.mean(sums, axis=0)
        errors = np.std(sums, axis=0) / n_repeats**0.5
        assert np.all(np.abs(means - expected) < 4 * errors)
        assert np.all(errors < 0.1 * np.array(expected))


def test_independent_representations_score_zero():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 2000, 100))
    measure = MinibatchCKA(batch_size=20, random_state=0).fit(X, y)
    assert abs(measure.score_) < 4 * measure.standard_error_ < 0.05
    assert CKA().fit(X[:20], y[:20]).score_ > 0.7
    assert "debias" not in MinibatchCKA().get_params()


def test_estimate_is_near_and_its_error_says_how_near():
    deviations, errors = [], []
    spectrum = np.geomspace(1, 0.2, 10)
    cross = np.sum((spectrum**2) ** 2)
    population = cross / np.sqrt(np.sum(spectrum**4) * np.sum((spectrum**2 + 1) ** 2))
    for seed in range(60):
        X, y = pair(1000, random_state=seed)
        measure = MinibatchCKA(batch_size=50, random_state=seed).fit(X, y)
        deviations.append(measure.score_ - population)
        errors.append(measure.standard_error_)
    assert abs(np.mean(deviations)) < 0.3 * np.std(deviations)
    assert_allclose(np.mean(errors), np.std(deviations), rtol=0.3)


def test_fit_shuffles_sorted_rows():
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(10), 60)
    X = rng.normal(size=(10, 8))[classes] + 0.3 * rng.normal(size=(600, 8))
    y = rng.normal(size=(10, 8))[classes] + 0.3 * rng.normal(size=(600, 8))
    exact = CKA(debias="rows").fit(X, y).score_
    measure = MinibatchCKA(batch_size=60, random_state=0).fit(X, y)
    assert abs(measure.score_ - exact) < 0.03
    in_order = MinibatchCKA()
    for start in range(0, 600, 60):
        in_order.partial_fit(X[start : start + 60], y[start : start + 60])
    assert abs(in_order.score_ - exact) > 0.2


def test_a_few_rows_that_remain_join_the_last_batch():
    X, y = pair(63)
    for n_samples, n_batches in ((60, 3), (63, 3), (64, 4)):
        A, B = pair(n_samples)
        measure = MinibatchCKA(batch_size=20, random_state=0).fit(A, B)
        assert measure.n_batches_ == n_batches
        assert measure.n_samples_fit_ == n_samples
    with pytest.raises(ValueError, match="minimum of 4"):
        MinibatchCKA().fit(X[:3], y[:3])


def test_rows_of_a_short_batch_wait_for_the_next():
    X, y = pair(50)
    measure = MinibatchCKA()
    expected = MinibatchCKA()
    # a loader's last batch of an epoch, and what comes after it
    for start, stop in ((0, 2), (2, 3), (3, 23), (23, 43), (43, 46)):
        measure.partial_fit(X[start:stop], y[start:stop])
        assert measure.n_samples_fit_ + measure.n_samples_waiting_ == stop
    for start, stop in ((0, 23), (23, 43)):
        expected.partial_fit(X[start:stop], y[start:stop])
    assert measure.n_samples_waiting_ == 3
    assert measure.n_batches_ == 2
    assert measure.score() == expected.score_
    expected.partial_fit(X[43:], y[43:])
    copied = pickle.loads(pickle.dumps(measure)).partial_fit(X[46:], y[46:])
    assert copied.score_ == expected.score_
    assert (copied.n_samples_fit_, copied.n_samples_waiting_) == (50, 0)
    assert measure.fit(X, y).n_samples_waiting_ == 0


def test_rows_that_wait_are_copies():
    X, y = pair(8)
    buffer = X[:2].copy()
    measure = MinibatchCKA().partial_fit(buffer, y[:2])
    buffer[:] = 0
    expected = MinibatchCKA().partial_fit(X, y).score_
    assert measure.partial_fit(X[2:], y[2:]).score_ == expected


def test_rows_that_wait_are_merged():
    X, y = pair(27)

    def of(*bounds):
        measure = MinibatchCKA()
        for start, stop in bounds:
            measure.partial_fit(X[start:stop], y[start:stop])
        return measure

    merged = of((0, 20), (20, 22)).merge(of((22, 24)))
    assert (merged.n_samples_fit_, merged.n_samples_waiting_) == (24, 0)
    assert merged.score_ == of((0, 20), (20, 24)).score_
    merged = of((20, 22)).merge(of((0, 20), (22, 23)))
    assert (merged.n_samples_fit_, merged.n_samples_waiting_) == (20, 3)
    assert merged.score_ == of((0, 20)).score_


def test_no_score_of_rows_that_wait():
    X, y = pair(8)
    measure = MinibatchCKA().partial_fit(X[:3], y[:3])
    assert measure.n_samples_fit_ == 0
    with pytest.raises(ValueError, match="passed 3 of the 4 rows that a batch needs"):
        measure.score()
    assert_allclose(measure.score(X, y), CKA(debias="rows").fit(X, y).score_)
    with pytest.raises(ValueError, match="features"):
        measure.partial_fit(X[:, :4], y)


def test_partial_fit_and_merge_go_on_from_fit():
    X, y = pair(300)
    first = MinibatchCKA(batch_size=50, random_state=0).fit(X[:100], y[:100])
    second = MinibatchCKA(batch_size=50, random_state=1).fit(X[200:], y[200:])
    merged = first.partial_fit(X[100:200], y[100:200]).merge(second)
    assert merged.n_batches_ == 5
    assert merged.n_samples_fit_ == 300
    assert abs(merged.score_ - CKA(debias="rows").fit(X, y).score_) < 0.1


def test_scale_of_batches():
    X, y = pair(200)
    expected = MinibatchCKA(batch_size=50, random_state=0).fit(X, y).score_
    for factor in (1e-120, 1e120):
        measure = MinibatchCKA(batch_size=50, random_state=0)
        assert_allclose(measure.fit(X * factor, y).score_, expected, rtol=1e-10)
    with pytest.raises(ValueError, match="X is so large"):
        MinibatchCKA().fit(X * 1e200, y)
