"""Transformers of one representation."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.utils.estimator_checks import parametrize_with_checks

from sksim import preprocessing
from sksim.preprocessing import (
    Centering,
    Flatten,
    SpatialPooling,
    TokenPooling,
    UnitFrobeniusNorm,
    UnitRows,
    WidthMatching,
)

ALL = [getattr(preprocessing, name)() for name in preprocessing.__all__]


@parametrize_with_checks([*ALL, WidthMatching(method="pca")])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.fixture
def maps():
    return np.random.default_rng(0).normal(size=(6, 3, 4, 5))


def test_flatten(maps):
    flat = Flatten().fit_transform(maps)
    assert_array_equal(flat, maps.reshape(6, 60))
    with pytest.raises(ValueError, match="40 features, but Flatten is expecting 60"):
        Flatten().fit(maps).transform(maps[:, :2])


def test_spatial_pooling(maps):
    assert_allclose(SpatialPooling().fit_transform(maps), maps.mean(axis=(2, 3)))
    largest = SpatialPooling(pool="max").fit_transform(maps)
    assert_array_equal(largest, maps.max(axis=(2, 3)))
    last = SpatialPooling(channels="last").fit_transform(maps.transpose(0, 2, 3, 1))
    assert_allclose(last, maps.mean(axis=(2, 3)))


def test_spatial_pooling_accepts_maps_of_another_size(maps):
    pooling = SpatialPooling().fit(maps)
    assert pooling.transform(maps[:, :, :2]).shape == (6, 3)
    with pytest.raises(ValueError, match="2 features"):
        pooling.transform(maps[:, :2])


def test_token_pooling():
    tokens = np.random.default_rng(0).normal(size=(5, 7, 2))
    expected = {
        "mean": tokens.mean(axis=1),
        "max": tokens.max(axis=1),
        "first": tokens[:, 0],
        "last": tokens[:, -1],
    }
    for pool, value in expected.items():
        assert_allclose(TokenPooling(pool=pool).fit_transform(tokens), value)
    assert list(TokenPooling().fit(tokens).get_feature_names_out()) == [
        "tokenpooling0",
        "tokenpooling1",
    ]


def test_token_pooling_refuses_feature_maps(maps):
    with pytest.raises(ValueError, match="needs 3"):
        TokenPooling().fit(maps)


@pytest.mark.parametrize("transformer", [Flatten(), SpatialPooling(), TokenPooling()])
def test_matrices_stay_as_they_are(transformer):
    X = np.random.default_rng(0).normal(size=(5, 3))
    assert_array_equal(transformer.fit_transform(X), X)


@pytest.mark.parametrize("transformer", [Flatten(), SpatialPooling(), TokenPooling()])
def test_axes_without_entries_are_refused(transformer):
    with pytest.raises(ValueError, match=r"X has the shape \(3, 0, 2\)"):
        transformer.fit(np.zeros((3, 0, 2)))


@pytest.mark.parametrize("transformer", ALL)
def test_a_class_is_no_array(transformer):
    with pytest.raises(TypeError, match="X is no array but .*ndarray"):
        transformer.fit(np.ndarray)
    if isinstance(transformer, WidthMatching):
        with pytest.raises(TypeError, match="y is no array but .*ndarray"):
            transformer.fit(np.eye(3), np.ndarray)


def test_padding_keeps_inner_products():
    X = np.random.default_rng(0).normal(size=(6, 3))
    padded = WidthMatching(width=5).fit_transform(X)
    assert padded.shape == (6, 5)
    assert_allclose(padded @ padded.T, X @ X.T)


def test_width_of_the_other_representation():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(10, 3)), rng.normal(size=(10, 5))
    assert WidthMatching().fit(X, y).width_ == WidthMatching().fit(y, X).width_ == 5
    assert WidthMatching().fit(X, y.tolist()).width_ == 5
    pca = WidthMatching(method="pca")
    assert pca.fit(X, y).width_ == pca.fit(y, X).width_ == 3


def test_principal_components_by_scikit_learn():
    from sklearn.decomposition import PCA

    X = np.random.default_rng(0).normal(size=(20, 5)) * [5, 4, 3, 2, 1]
    ours = WidthMatching(width=2, method="pca").fit_transform(X)
    theirs = PCA(2).fit_transform(X)
    assert_allclose(np.abs(ours), np.abs(theirs), rtol=1e-10)


def test_impossible_widths():
    X = np.random.default_rng(0).normal(size=(4, 6))
    with pytest.raises(ValueError, match="zero-padding can't"):
        WidthMatching(width=5).fit(X)
    with pytest.raises(ValueError, match="5 principal components"):
        WidthMatching(width=5, method="pca").fit(X)


@pytest.mark.parametrize("scale", [1.0, 1e150, 1e-150])
def test_frobenius_norm_at_all_scales(scale):
    X = np.random.default_rng(0).normal(size=(10, 4))
    transformer = UnitFrobeniusNorm().fit(X * scale)
    scaled = transformer.transform(X * scale)
    assert_allclose(scaled, X / np.linalg.norm(X), rtol=1e-12)
    assert_allclose(transformer.norm_, np.linalg.norm(X) * scale, rtol=1e-12)
    assert_allclose(transformer.inverse_transform(scaled), X * scale, rtol=1e-12)


def test_zeros_have_no_norm():
    with pytest.raises(ValueError, match="zero everywhere"):
        UnitFrobeniusNorm().fit(np.zeros((3, 2)))


def test_unit_rows():
    X = np.array([[3.0, 4.0], [0.0, 0.0], [1e200, 1e200]])
    expected = [[0.6, 0.8], [0.0, 0.0], [0.5**0.5, 0.5**0.5]]
    assert_allclose(UnitRows().fit_transform(X), expected)


def test_centering_uses_the_training_means():
    X = np.random.default_rng(0).normal(size=(10, 4)) + 1e6
    transformer = Centering().fit(X)
    assert_allclose(transformer.transform(X[:3]), X[:3] - X.mean(axis=0))
    assert_allclose(transformer.inverse_transform(transformer.transform(X)), X)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize("transformer", ALL, ids=repr)
def test_array_api(transformer, namespace):
    import importlib

    from sklearn import config_context

    from sksim.arrays._namespace import move_to

    module = pytest.importorskip(namespace)
    module = importlib.import_module(namespace)
    X = np.random.default_rng(0).normal(size=(8, 4))
    expected = transformer.fit_transform(X)
    with config_context(array_api_dispatch=True):
        there = transformer.fit(module.asarray(X)).transform(module.asarray(X))
        assert_allclose(move_to(there, xp=np, device="cpu"), expected)


# ----- tokens that count ------------------------------------------------------------

MASK = [[1, 1, 0, 0], [0, 1, 1, 1], [0, 0, 1, 0]]
BY_HAND = {
    "mean": [[1.5], [7.0], [11.0]],
    "max": [[2.0], [8.0], [11.0]],
    "first": [[1.0], [6.0], [11.0]],
    "last": [[2.0], [8.0], [11.0]],
}


@pytest.mark.parametrize("pool", BY_HAND)
@pytest.mark.parametrize("padding", [0.0, 1e9, -1e9])
def test_tokens_that_do_not_count(pool, padding):
    X = np.arange(1.0, 13).reshape(3, 4, 1)
    X[1, :, 0] = [5, 6, 7, 8]
    X[2, :, 0] = [9, 10, 11, 12]
    X[np.array(MASK) == 0] = padding
    pooled = TokenPooling(pool, mask=MASK).fit_transform(X)
    np.testing.assert_allclose(pooled, BY_HAND[pool], rtol=1e-12)
    everything = TokenPooling(pool, mask=np.ones((3, 4))).fit_transform(X)
    np.testing.assert_allclose(everything, TokenPooling(pool).fit_transform(X))
    assert TokenPooling(pool, mask=MASK).fit(X).get_feature_names_out() == [
        "tokenpooling0"
    ]


def test_bad_masks_of_tokens():
    X = np.ones((3, 4, 2))
    with pytest.raises(ValueError, match=r"mask has the shape \(2, 4\).*3 rows of 4"):
        TokenPooling(mask=MASK[:2]).fit_transform(X)
    with pytest.raises(ValueError, match="Row 1 has no token that counts"):
        TokenPooling(mask=[[1] * 4, [0] * 4, [1] * 4]).fit_transform(X)
