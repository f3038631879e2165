"""Measures of transformed representations."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sksim.alignment import OrthogonalProcrustes, PermutationProcrustes
from sksim.base import BaseSimilarity, LabelsMixin
from sksim.base._tags import SimilarityTags
from sksim.compose import TransformedViews
from sksim.functional import CohenKappa, FleissKappa
from sksim.inference import similarity_interval, similarity_test
from sksim.pairwise import similarity_matrix
from sksim.preprocessing import SpatialPooling, WidthMatching
from sksim.rsm import CKA, NormalizedBures
from sksim.structural import NetworkPersistence


@pytest.fixture
def views():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5)) * [5, 4, 1, 1, 1]
    return X, X @ rng.normal(size=(5, 7)) + rng.normal(size=(60, 7))


def test_is_the_measure_of_transformed_views(views):
    X, y = views
    expected = CKA().fit(*(StandardScaler().fit_transform(v) for v in views))
    measure = TransformedViews(CKA(), StandardScaler()).fit(X, y)
    assert_allclose(measure.statistic_, expected.statistic_)
    assert measure.similarity_ == measure.score_ == measure.score()
    assert measure.n_samples_fit_ == 60
    assert not hasattr(measure, "distance_")


def test_a_pipeline_transforms_one_side_only(views):
    """The trap that TransformedViews is there for."""
    X, y = views
    one_sided = make_pipeline(StandardScaler(), CKA()).fit(X, y)[-1].score_
    assert abs(
        one_sided - TransformedViews(CKA(), StandardScaler()).fit(X, y).score_
    ) > (0.01)


@pytest.mark.parametrize("y_transformer", [None, PCA(2)])
def test_another_transformer_for_y(views, y_transformer):
    X, y = views
    transformed = y if y_transformer is None else PCA(2).fit_transform(y)
    expected = CKA().fit(StandardScaler().fit_transform(X), transformed).score_
    measure = TransformedViews(CKA(), StandardScaler(), y_transformer=y_transformer)
    assert_allclose(measure.fit(X, y).score_, expected)


def test_new_rows_meet_the_fitted_transformers(views):
    X, y = views
    measure = TransformedViews(OrthogonalProcrustes(), StandardScaler())
    measure.fit(X[:40], y[:40])
    scalers = [StandardScaler().fit(v[:40]) for v in views]
    inner = OrthogonalProcrustes().fit(
        *(s.transform(v[:40]) for s, v in zip(scalers, views, strict=True))
    )
    new = [s.transform(v[40:]) for s, v in zip(scalers, views, strict=True)]
    assert_allclose(measure.score(X[40:], y[40:]), inner.score(*new))
    assert_allclose(measure.transform(X[40:]), inner.transform(new[0]))
    both = measure.transform(X[40:], y[40:])
    assert_allclose(both[1], new[1])


def test_transform_exists_where_the_measure_has_it():
    assert not hasattr(TransformedViews(CKA(), PCA()), "transform")
    assert hasattr(TransformedViews(OrthogonalProcrustes(), PCA()), "transform")


def test_transformers_see_the_other_view(views):
    X, y = views
    measure = TransformedViews(
        PermutationProcrustes(), WidthMatching(method="pca")
    ).fit(X, y)
    assert measure.transformer_.width_ == measure.y_transformer_.width_ == 5


def test_feature_maps():
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(20, 3, 4, 4))
    smaller = rng.normal(size=(20, 6, 2, 2))
    measure = TransformedViews(CKA(), SpatialPooling()).fit(maps, smaller)
    expected = CKA().fit(maps.mean(axis=(2, 3)), smaller.mean(axis=(2, 3)))
    assert_allclose(measure.score_, expected.score_)


def test_protocol_of_permutation_tests(views):
    """Views, relabelled, are those of the measure on transformed data."""
    X, y = views
    measure = TransformedViews(NormalizedBures(), StandardScaler())
    order = np.random.default_rng(1).permutation(60)
    value = clone(measure)._open(X, y).for_permutations().permuted([order])[0]
    assert_allclose(value, measure.fit(X, y[order]).score_, rtol=1e-10)


def test_grid_search_over_both(views):
    X, y = views
    measure = TransformedViews(OrthogonalProcrustes(), make_pipeline(PCA(2)))
    grid = {
        "transformer__pca__n_components": [1, 2],
        "measure__center": [True, False],
    }
    search = GridSearchCV(measure, grid, cv=3).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.best_score_)


def test_one_column_of_y(views):
    X, y = views
    column = TransformedViews(CKA(), StandardScaler()).fit(X, y[:, 0])
    assert_allclose(
        column.score_, TransformedViews(CKA(), StandardScaler()).fit(X, y[:, :1]).score_
    )


def test_missing_y(views):
    with pytest.raises(ValueError, match="requires y"):
        TransformedViews(CKA(), StandardScaler()).fit(views[0])


def test_parameters_are_checked(views):
    with pytest.raises(ValueError, match="measure"):
        TransformedViews(PCA(), StandardScaler()).fit(*views)
    with pytest.raises(ValueError, match="y_transformer"):
        TransformedViews(CKA(), PCA(), y_transformer="other").fit(*views)


class Labelled(LabelsMixin, BaseSimilarity):
    """Correlation of class means' distances, as simple as can be."""

    def _view(self, X, xp, y_true):
        return X[y_true == 1].mean(axis=0) - X[y_true == 0].mean(axis=0)

    def _compare(self, view_x, view_y, xp):
        return abs(float(view_x[0] - view_y[0]))

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="distance",
            bounds=(0, float("inf")),
            view_keywords=("y_true",),
            requires=("y_true",),
            complexity="n d",
        )


class Recorder(BaseEstimator):
    """A transformer that asks for the labels."""

    __metadata_request__fit = {"y_true": True}

    def fit(self, X, y=None, y_true=None):
        self.y_true_ = y_true
        return self

    def transform(self, X):
        return X


@pytest.mark.parametrize("routing", [False, True])
def test_labels_are_routed(views, routing):
    X, y = views
    labels = np.arange(60) % 2
    with config_context(enable_metadata_routing=routing):
        measure = TransformedViews(Labelled(), Recorder())
        measure.fit(X, y, y_true=labels)
        assert_allclose(
            measure.score(X, y, y_true=labels), Labelled().fit(X, y, labels).score_
        )
        assert (measure.transformer_.y_true_ is labels) == routing


def test_what_replaces_the_undefined_does_so_in_a_test_too():
    labels = np.zeros(30, int)
    measure = TransformedViews(
        CohenKappa(replace_undefined_by=0.0), FunctionTransformer()
    )
    with pytest.warns(UndefinedMetricWarning, match="set to 0.0"):
        assert measure.fit(labels, labels).score_ == 0
    with pytest.warns(UserWarning, match="is 0 in whatever order the rows are"):
        result = similarity_test(measure, labels, labels, n_permutations=9)
    assert (result.score, result.pvalue) == (0, 1)


def test_matrix_of_transformed_layers():
    rng = np.random.default_rng(0)
    layers = {"a": rng.normal(size=(30, 4)), "b": rng.normal(size=(30, 6)) + 5}
    matrix = similarity_matrix(TransformedViews(CKA(), StandardScaler()), layers)
    scaled = {name: StandardScaler().fit_transform(X) for name, X in layers.items()}
    pd.testing.assert_frame_equal(matrix, similarity_matrix(CKA(), scaled))
    one_sided = TransformedViews(CKA(), StandardScaler(), y_transformer=None)
    found = similarity_matrix(one_sided, layers)
    assert found.loc["a", "b"] == pytest.approx(
        CKA().fit(scaled["a"], layers["b"]).score_
    )
    assert found.loc["b", "a"] == pytest.approx(
        CKA().fit(scaled["b"], layers["a"]).score_
    )


def test_groups_are_transformed_too():
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 2, size=(30, 3))
    doubled = TransformedViews(FleissKappa(), FunctionTransformer(lambda X: 2 * X))
    assert doubled.fit(votes).score_ == FleissKappa().fit(votes).score_
    result = similarity_test(doubled, votes, n_permutations=9, random_state=0)
    plain = similarity_test(FleissKappa(), votes, n_permutations=9, random_state=0)
    np.testing.assert_array_equal(result.null_distribution, plain.null_distribution)
    interval = similarity_interval(doubled, votes, method="subsample", random_state=0)
    assert interval.standard_error > 0


def test_models_are_not_transformed():
    with pytest.raises(ValueError, match="NetworkPersistence compares models"):
        TransformedViews(NetworkPersistence(), StandardScaler()).fit(None, None)
