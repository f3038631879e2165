"""Sketches of wide rows, and debiased CKA from them."""

import io

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sksim.arrays._sketches import SketchedRows, folded
from sksim.rsm import CKA


def layers(n_samples, widths=(300, 1000, 40), seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    shared = np.random.default_rng(99).normal(size=(n_samples, 5))
    return {
        f"layer{i}": (
            shared @ rng.normal(size=(5, d)) + 2 * rng.normal(size=(n_samples, d)) + 1
        ).astype(dtype)
        for i, d in enumerate(widths)
    }


def exact_scores(a, b):
    measure = CKA(debias="rows")
    return np.array(
        [[measure.fit(X, y).score_ for y in b.values()] for X in a.values()]
    )


def sketched(a, b, sizes=(20, 40), **params):
    sketches = SketchedRows(**params)
    start = 0
    for size in sizes:
        parts = [
            {name: rows[start : start + size] for name, rows in model.items()}
            for model in (a, b)
        ]
        sketches.update(*parts)
        start += size
    return sketches


# ----- folds --------------------------------------------------------------------------


@pytest.mark.parametrize("width", [65, 128, 200])
def test_a_fold_adds_signed_features(width):
    X = np.random.default_rng(0).normal(size=(7, width))
    sketch = folded(X, 64, 3)
    signs = folded(np.eye(width), 64, 3)
    assert_allclose(sketch, X @ signs, rtol=1e-12)
    assert np.array_equal(np.abs(signs), np.eye(64)[np.arange(width) % 64])
    # one row for each feature, and what comes after does not change it
    assert np.array_equal(folded(np.eye(300), 64, 3)[:width], signs)
    assert not np.array_equal(folded(np.eye(width), 64, 4), signs)


def test_inner_products_are_unbiased():
    a, b = layers(12, (300,))["layer0"], layers(12, (300,), seed=1)["layer0"]
    draws = np.array(
        [folded(a, 16, seed) @ folded(b, 16, seed).T for seed in range(400)]
    )
    error = draws.std(axis=0) / 20
    assert np.all(np.abs(draws.mean(axis=0) - a @ b.T) < 4.5 * error)


def test_tensors_are_folded_alike():
    torch = pytest.importorskip("torch")
    X = np.random.default_rng(0).normal(size=(5, 300)).astype(np.float32)
    expected = folded(X, 64, 0)
    assert_allclose(folded(torch.from_numpy(X), 64, 0), expected, rtol=1e-5, atol=1e-5)
    kept = SketchedRows(64).reduced(0, "a", torch.from_numpy(X).reshape(5, 3, 10, 10))
    assert_allclose(kept.rows, SketchedRows(64).reduced(0, "a", X).rows)


# ----- debiased CKA -------------------------------------------------------------------


def test_narrow_layers_are_exact():
    a, b = layers(60), layers(60, widths=(30, 7), seed=1)
    sketches = sketched(a, b, n_components=2000)
    assert_allclose(sketches.scores, exact_scores(a, b), rtol=1e-10)
    assert (sketches.n_samples, sketches.n_batches, sketches.n_waiting) == (60, 2, 0)
    assert_allclose(sketches.layers(1)["layer0"], b["layer0"])


def test_products_are_unbiased_over_seeds():
    """Of different layers, and of one with itself, which a plain sketch overstates."""
    from sksim.arrays._sketches import _Kernel, _products

    a, b = layers(40, (400,)), layers(40, (500,), seed=1)
    exact = [
        _Kernel(SketchedRows(1000).reduced(0, "a", x["layer0"]), "a") for x in (a, b)
    ]
    expected = [exact[0].squared_norm, exact[0].form.inner(exact[1].form, xp=np)]
    found = []
    for seed in range(200):
        sketches = SketchedRows(32, random_state=seed)
        kernels = [
            _Kernel(sketches.reduced(side, "layer0", x["layer0"]), "layer0")
            for side, x in enumerate((a, b))
        ]
        forms = [kernel.form for kernel in kernels]
        found.append(
            [
                kernels[0].squared_norm,
                _products(forms[:1], forms[1:]).item(),
                forms[0].inner(forms[0], xp=np),
            ]
        )
    error = np.std(found, axis=0) / 200**0.5
    *unbiased, plain = np.mean(found, axis=0)
    assert np.all(np.abs(np.subtract(unbiased, expected)) < 4 * error[:2])
    assert np.all(error[:2] < 0.2 * np.array(expected))
    assert plain > expected[0] + 10 * error[2]


def test_scores_are_near_and_a_plain_sketch_is_not():
    a, b = layers(100), layers(100, seed=1)
    exact = exact_scores(a, b)
    found, plain = [], []
    for seed in range(20):
        sketches = sketched(a, b, (100,), n_components=64, random_state=seed)
        found.append(sketches.scores)
        plain.append(exact_scores(sketches.layers(0), sketches.layers(1)))
    wide = np.ix_([0, 1], [0, 1])
    bias, of_plain = ((np.mean(s, axis=0) - exact)[wide] for s in (found, plain))
    error = np.std(found, axis=0)[wide] / 20**0.5
    assert np.all(np.abs(bias) < 3 * error)
    assert error.max() < 0.02
    assert of_plain.max() < -0.08


def test_one_model_against_itself():
    a = layers(60)
    sketches = SketchedRows(128)
    sketches.update(a)
    assert np.array_equal(np.diagonal(sketches.scores), np.ones(3))
    assert_allclose(sketches.scores, sketches.scores.T, rtol=1e-12)
    assert_allclose(sketches.scores, exact_scores(a, a), atol=0.1)
    assert sketches.layers(0).keys() == sketches.layers(1).keys()
    other = SketchedRows(128)
    other.update({name: rows[::-1] for name, rows in a.items()})
    assert sketches.merge(other).n_samples == 120
    assert np.array_equal(np.diagonal(sketches.scores), np.ones(3))


@pytest.mark.parametrize("n_components", [2, 3000])
def test_constant_layers_have_no_score(n_components):
    a, b = layers(30, (3,)), layers(30, (2,), seed=1)
    a = {"narrow": a["layer0"][:, :2], "constant": np.full((30, 2500), 0.1)}
    scores = sketched(a, b, (30,), n_components=n_components).scores
    assert np.isnan(scores[1]).all()
    assert np.isfinite(scores[0]).all()


def test_a_sketch_that_is_all_noise_is_refused():
    a = {"wide": np.random.default_rng(0).normal(size=(8, 5000))}
    with pytest.raises(ValueError, match="'wide' has no norm that its sketch of 2"):
        for seed in range(20):
            sketched(a, a, (8,), n_components=2, random_state=seed).scores  # noqa: B018


def test_many_rows_go_the_other_way():
    """More rows than columns: products of columns, not of rows."""
    a, b = layers(400, (600, 20)), layers(400, (12,), seed=1)
    sketches = sketched(a, b, (150, 250), n_components=64)
    assert_allclose(sketches.scores[1], exact_scores(a, b)[1], rtol=1e-9)
    assert_allclose(sketches.scores, exact_scores(a, b), atol=0.08)


def test_bad_input_is_refused():
    a, b = layers(30), layers(30, seed=1)
    with pytest.raises(ValueError, match="must be even"):
        SketchedRows(33)
    with pytest.raises(ValueError, match="3 rows, but debiased CKA needs at least 4"):
        sketched(a, b, (3,)).scores  # noqa: B018
    sketches = sketched(a, b, (10,), n_components=512)
    with pytest.raises(
        ValueError, match="'layer2' is 7 wide in this batch, but was 40"
    ):
        sketches.update({**a, "layer2": np.ones((30, 7))}, b)
    with pytest.raises(ValueError, match="other parameters"):
        sketches.merge(sketched(a, b, (10,), n_components=512, random_state=1))
    with pytest.raises(ValueError, match="other layers of model A"):
        sketches.merge(sketched({"other": a["layer0"]}, b, (10,), n_components=512))
    assert sketches.n_samples == 10


# ----- parts --------------------------------------------------------------------------


def test_parts_and_states():
    a, b = layers(60, dtype=np.float32), layers(60, seed=1, dtype=np.float32)
    params = {"n_components": 128, "random_state": 4}
    whole = sketched(a, b, (20, 30, 10), **params)
    first = sketched(a, b, (20,), **params)
    rest = [{name: rows[20:] for name, rows in model.items()} for model in (a, b)]
    second = sketched(*rest, (30, 10), **params)
    merged = SketchedRows(**params).merge(first).merge(second)
    assert np.array_equal(merged.scores, whole.scores)
    assert (merged.n_samples, merged.n_batches) == (60, 3)
    file = io.BytesIO()
    np.savez(file, **first.state())
    file.seek(0)
    with np.load(file, allow_pickle=False) as state:
        resumed = SketchedRows.from_state(state, **params)
    assert np.array_equal(resumed.merge(second).scores, whole.scores)
    assert resumed.names == whole.names
