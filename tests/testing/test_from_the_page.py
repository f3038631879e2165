"""Measures that were written from the guide's page alone."""

from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score
from sklearn.model_selection import GridSearchCV, cross_val_score

from sksim.base import (
    AlignmentMixin,
    BaseFunctionalSimilarity,
    BaseSimilarity,
    RowSumComparison,
    SimilarityTags,
    View,
)
from sksim.inference import similarity_interval, similarity_test
from sksim.pairwise import similarity_matrix
from sksim.testing import check_similarity, parametrize_with_similarity_checks


class ClusterInformation(BaseSimilarity):
    """Adjusted mutual information of the k-means labels of two representations."""

    def __init__(self, n_clusters=3, random_state=None):
        self.n_clusters = n_clusters
        self.random_state = random_state

    def _view(self, X, xp, *, seed):
        X = X - xp.mean(X, axis=0)
        X = X / xp.max(xp.abs(X))  # squares of large numbers overflow
        k_means = KMeans(self.n_clusters, n_init=3, random_state=seed)
        return k_means.fit(np.asarray(X, dtype=np.float64)).labels_

    def _compare(self, view_x, view_y, xp):
        return adjusted_mutual_info_score(view_x, view_y)

    def _min_samples(self):
        return self.n_clusters

    def _similarity_tags(self):
        return SimilarityTags(
            family="neighbors",
            orientation="similarity",
            bounds=(-float("inf"), 1),
            invariances={"OT", "PT", "IS", "TR"},
            deterministic=False,
            view_keywords=("seed",),
            complexity="n d k",
            reference="our group 2026",
        )


@dataclass(frozen=True)
class Axes(View):
    """Scores on the leading axes, the axes, and the mean."""

    rows: object
    mean: object
    axes: object
    scale: float

    _row_fields = ("rows",)


class LeadingAxesProcrustes(AlignmentMixin, BaseSimilarity):
    """Orthogonal Procrustes of the leading principal axes of two representations.

    Rows of either side are mapped to the plane of y's axes, in y's coordinates.
    """

    def __init__(self, n_components=2):
        self.n_components = n_components

    def _view(self, X, xp):
        mean = xp.mean(X, axis=0)
        rows = X - mean
        largest = float(xp.max(xp.abs(rows)))
        if largest == 0:
            raise ValueError("A representation is constant.")
        rows = rows / largest  # squares of large numbers overflow
        if self.n_components > min(rows.shape):
            raise ValueError(
                f"n_components={self.n_components} is more than the "
                f"{min(rows.shape)} axes of a representation."
            )
        _, _, axes = xp.linalg.svd(rows, full_matrices=False)
        axes = axes[: self.n_components, :].T
        scores = rows @ axes
        norm = xp.linalg.matrix_norm(scores)
        return Axes(scores / norm, mean, axes, float(norm) * largest)

    def _compare(self, view_x, view_y, xp):
        left, values, right = xp.linalg.svd(
            view_x.rows.T @ view_y.rows, full_matrices=False
        )
        return xp.sum(values), {
            "left_": left,
            "right_": right.T,
            "values_": values,
        }

    def _fit_maps(self, view_x, view_y, xp):
        return view_x.axes @ self.left_, view_y.axes @ self.right_, self.values_

    def _transform_x(self, X, xp):
        return (X - self.x_mean_) @ self.x_rotations_ @ self.y_rotations_.T + (
            self.y_mean_
        )

    def _transform_y(self, y, xp):
        return (y - self.y_mean_) @ self.y_rotations_ @ self.y_rotations_.T + (
            self.y_mean_
        )

    @property
    def _n_features_out(self):
        return self.n_features_y_in_

    def _evaluate(self, X, y, xp):
        x_scores = (X - self.x_mean_) @ self.x_rotations_
        y_scores = (y - self.y_mean_) @ self.y_rotations_
        x_scores = x_scores / xp.max(xp.abs(x_scores))
        y_scores = y_scores / xp.max(xp.abs(y_scores))
        norms = xp.linalg.matrix_norm(x_scores) * xp.linalg.matrix_norm(y_scores)
        return xp.sum(x_scores * y_scores) / norms

    def _similarity_tags(self):
        return SimilarityTags(
            family="alignment",
            orientation="similarity",
            bounds=(0, 1),
            score_bounds=(-float("inf"), 1),
            invariances={"PT", "OT", "IS", "TR"},
            score_uses_fit=True,
            complexity="n d^2",
            reference="our group 2026",
        )


class ConfidentDisagreement(BaseFunctionalSimilarity):
    """Share of the first model's confident rows on which the classes differ."""

    _kind = RowSumComparison

    def __init__(self, threshold=0.5):
        self.threshold = threshold

    def _view(self, X, xp):
        return X

    def _row_terms(self, view_x, view_y, xp):
        confident = xp.max(view_x, axis=1) >= self.threshold
        differ = xp.argmax(view_x, axis=1) != xp.argmax(view_y, axis=1)
        return xp.stack(
            [
                xp.astype(confident & differ, view_x.dtype),
                xp.astype(confident, view_x.dtype),
            ],
            axis=1,
        )

    def _of_sums(self, sums, n_samples):
        differing, confident = sums[0], sums[1]
        return differing / confident

    def _similarity_tags(self):
        return SimilarityTags(
            family="functional",
            orientation="distance",
            bounds=(0, 1),
            symmetric=False,
            inputs="probabilities",
            requires=("probabilities",),
            intervals=("jackknife", "subsample", "bootstrap"),
            exact={"jackknife", "bootstrap"},
            complexity="n c",
            reference="our group 2026",
        )


MEASURES = [
    ClusterInformation(random_state=0),
    LeadingAxesProcrustes(),
    ConfidentDisagreement(),
]


def _inputs(measure):
    rng = np.random.default_rng(0)
    if isinstance(measure, ConfidentDisagreement):
        X = rng.dirichlet([1, 1, 1], size=40)
        return X, 0.7 * X + 0.3 * rng.dirichlet([1, 1, 1], size=40)
    X = rng.normal(size=(40, 4)) * np.array([4, 3, 1, 0.5])
    rotation = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    return X, X @ rotation + 0.3 * rng.normal(size=(40, 4))


@parametrize_with_similarity_checks(MEASURES)
def test_checks(measure, check):
    check(measure)


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_all_checks_at_once(measure):
    check_similarity(measure)


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_test_finds_what_is_shared(measure):
    X, y = _inputs(measure)
    result = similarity_test(measure, X, y, n_permutations=99, random_state=0)
    assert result.pvalue == pytest.approx(0.01)


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_interval_has_the_score(measure):
    X, y = _inputs(measure)
    result = similarity_interval(measure, X, y)
    low, high = result.confidence_interval
    assert low <= result.score <= high
    assert result.score == measure.fit(X, y).score_


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_matrix_has_the_scores_of_pairs(measure):
    layers = _inputs(measure)
    matrix = np.asarray(similarity_matrix(measure, list(layers)))
    for i, X in enumerate(layers):
        for j, y in enumerate(layers):
            expected = clone(measure).fit(X, y).score_
            assert matrix[i, j] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_clone_forgets_the_fit(measure):
    fitted = clone(measure).fit(*_inputs(measure))
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert hasattr(fitted, "score_")
    assert not hasattr(copy, "score_")


# Values of four rows, by hand.
SQUARE = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])


def test_information_of_the_same_clusters():
    X = SQUARE * np.array([10, 0.1])
    assert ClusterInformation(2, random_state=0).fit(X, 3 * X + 1).score_ == 1


def test_information_of_crossed_clusters():
    # No information, where log(2) / 3 is expected of at most log(2).
    X, y = SQUARE * np.array([10, 0.1]), SQUARE * np.array([0.1, 10])
    score = ClusterInformation(2, random_state=0).fit(X, y).score_
    assert score == pytest.approx(-1 / 2)


def test_both_views_have_one_seed():
    # Without clusters the labels are those of a seed.
    X = np.random.default_rng(0).uniform(size=(50, 6))
    for seed in range(5):
        assert ClusterInformation(8, random_state=seed).fit(X, X).score_ == 1
    assert ClusterInformation(8).fit(X, X).score_ == 1


# Rows on three orthogonal axes.
CROSS = np.array(
    [[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
)


def test_procrustes_of_a_cross():
    # The axes of 0.1 and 0.2 are not among the leading two.
    X, y = CROSS * np.array([2, 1, 0.1]), CROSS * np.array([3, 4, 0.2])
    fitted = LeadingAxesProcrustes().fit(X, y)
    assert fitted.score_ == pytest.approx((2 * 3 + 1 * 4) / (5 * 25) ** 0.5)


def test_transform_lands_in_y():
    X = CROSS[:, :2] * np.array([2, 1]) + 7
    y = np.hstack([-X[:, ::-1], np.ones((6, 1))])
    fitted = LeadingAxesProcrustes().fit(X, y)
    assert fitted.score_ == pytest.approx(1)
    np.testing.assert_allclose(fitted.transform(X), y, atol=1e-12)
    np.testing.assert_allclose(fitted.transform([[8, 9]]), [[-9, -8, 1]])


def test_score_of_new_rows_is_that_of_the_fitted_map():
    X = CROSS * np.array([3, 2, 0.1])
    fitted = LeadingAxesProcrustes().fit(X, X)
    new = np.array([[1.0, 0, 0], [0, 1, 0]])
    assert fitted.score(new, new) == pytest.approx(1)
    assert fitted.score(new, -new) == pytest.approx(-1)
    assert fitted.score(new, new[::-1]) == pytest.approx(0)


def test_cross_validation_and_grid_search():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(90, 4)) * np.array([5, 4, 3, 0.1])
    y = X + rng.normal(size=(90, 4)) * np.array([0.1, 0.1, 9, 0.1])
    scores = cross_val_score(LeadingAxesProcrustes(1), X, X, cv=3)
    np.testing.assert_allclose(scores, 1)
    grid = {"n_components": [2, 3, 4]}
    search = GridSearchCV(LeadingAxesProcrustes(), grid, cv=3).fit(X, X[:, ::-1])
    assert search.best_score_ == pytest.approx(1)
    search = GridSearchCV(LeadingAxesProcrustes(), grid, cv=3).fit(X, y)
    assert -1 <= search.best_score_ <= 1
    assert search.best_estimator_.transform(X).shape == y.shape


def test_too_many_axes_are_refused():
    with pytest.raises(ValueError, match="n_components=4"):
        LeadingAxesProcrustes(4).fit(CROSS, CROSS)


FIRST = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.4, 0.3, 0.3], [0, 0.4, 0.6]])
SECOND = np.array([[0.6, 0.4, 0], [0.8, 0.2, 0], [0.1, 0.5, 0.4], [0, 0.3, 0.7]])


def test_disagreement_of_four_rows():
    # The classes are 0, 1, 0, 2 and 0, 0, 1, 2; the third row is not confident.
    assert ConfidentDisagreement().fit(FIRST, SECOND).statistic_ == pytest.approx(1 / 3)
    assert ConfidentDisagreement(0.4).fit(FIRST, SECOND).statistic_ == 1 / 2
    assert ConfidentDisagreement(0.85).fit(FIRST, SECOND).statistic_ == 0
    # The second model is confident of all rows, and the first is compared.
    assert ConfidentDisagreement().fit(SECOND, FIRST).statistic_ == 1 / 2
    assert ConfidentDisagreement().fit(FIRST, SECOND).score_ == pytest.approx(-1 / 3)


def test_disagreement_without_a_confident_row_is_undefined():
    fitted = ConfidentDisagreement(0.95).fit(FIRST, SECOND)
    assert np.isnan(fitted.statistic_)


def test_jackknife_of_the_disagreement_is_that_of_refits():
    X, y = _inputs(ConfidentDisagreement())
    result = similarity_interval(ConfidentDisagreement(), X, y, method="jackknife")
    refits = [
        ConfidentDisagreement()
        .fit(np.delete(X, row, axis=0), np.delete(y, row, axis=0))
        .score_
        for row in range(len(X))
    ]
    n = len(X)
    error = ((n - 1) / n * np.sum((refits - np.mean(refits)) ** 2)) ** 0.5
    assert error > 0.01
    assert result.standard_error == pytest.approx(error)


def test_bootstrap_of_the_disagreement_is_reproducible():
    X, y = _inputs(ConfidentDisagreement())
    results = [
        similarity_interval(
            ConfidentDisagreement(), X, y, method="bootstrap", random_state=0
        )
        for _ in range(2)
    ]
    assert results[0].confidence_interval == results[1].confidence_interval
    share = -results[0].score
    n_confident = np.sum(X.max(axis=1) >= 0.5)
    error = (share * (1 - share) / n_confident) ** 0.5  # of a share
    assert results[0].standard_error == pytest.approx(error, rel=0.15)
