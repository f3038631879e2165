"""Null-corrected measures as scikit-learn estimators."""

import pickle

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sksim.alignment import OrthogonalProcrustes
from sksim.base import BaseSimilarity, LabelsMixin
from sksim.base._tags import SimilarityTags
from sksim.cca import MeanCCA, MeanSquaredCCA
from sksim.functional import Disagreement
from sksim.inference import CalibratedSimilarity, similarity_test
from sksim.rsm import CKA


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 12))
    return X, X[:, :5] + 2 * rng.normal(size=(60, 5))


class LabelledShare(LabelsMixin, BaseSimilarity):
    """Share of rows whose first entries agree where the label is 1."""

    def _view(self, X, xp, y_true):
        return X[:, :1] * y_true[:, None]

    def _compare(self, view_x, view_y, xp):
        return float(np.mean(view_x == view_y))

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(0, 1),
            view_keywords=("y_true",),
            requires=("y_true",),
            complexity="n",
        )


class Covariance(BaseSimilarity):
    """Covariance of the first columns, which has no upper limit."""

    def _view(self, X, xp):
        return X[:, 0] - xp.mean(X[:, 0])

    def _compare(self, view_x, view_y, xp):
        return xp.sum(view_x * view_y)

    def _similarity_tags(self):
        return SimilarityTags(
            family="rsm",
            orientation="similarity",
            bounds=(-np.inf, np.inf),
            complexity="n",
        )


def test_the_correction_by_permutations(data):
    calibrated = CalibratedSimilarity(MeanCCA(), n_permutations=99, random_state=0)
    calibrated.fit(*data)
    result = similarity_test(MeanCCA(), *data, n_permutations=99, random_state=0)
    assert calibrated.score_ == pytest.approx(result.calibrated_score)
    assert calibrated.z_score_ == pytest.approx(result.z_score)
    assert calibrated.null_mean_ == pytest.approx(result.null_mean)
    assert calibrated.null_std_ == pytest.approx(result.null_std)
    assert calibrated.statistic_ == pytest.approx(result.statistic)
    assert calibrated.score() == calibrated.score_
    assert calibrated.n_features_in_ == 12


@pytest.mark.parametrize("measure", [CKA(), MeanSquaredCCA()], ids=repr)
def test_the_closed_form(measure, data):
    exact = CalibratedSimilarity(measure, null="exact").fit(*data)
    auto = CalibratedSimilarity(measure).fit(*data)
    drawn = CalibratedSimilarity(
        measure, null="permutation", n_permutations=2000, random_state=0
    ).fit(*data)
    assert auto.score_ == exact.score_
    assert exact.null_mean_ == pytest.approx(drawn.null_mean_, abs=0.002)
    assert exact.score_ == pytest.approx(drawn.score_, abs=0.004)
    if isinstance(measure, MeanSquaredCCA):
        # r r' / ((n - 1) min(r, r'))
        assert exact.null_mean_ == pytest.approx(12 / 59)


@pytest.mark.parametrize(
    "measure", [CKA(), MeanCCA(), MeanSquaredCCA(), OrthogonalProcrustes()], ids=repr
)
def test_chance_is_zero_and_identity_one(measure, data):
    rng = np.random.default_rng(0)
    X, _ = data
    same = CalibratedSimilarity(measure, random_state=0).fit(X, X)
    assert same.score_ == pytest.approx(1, abs=1e-6)
    scores = [
        CalibratedSimilarity(measure, random_state=0)
        .fit(X, rng.normal(size=(60, 7)))
        .score_
        for _ in range(20)
    ]
    assert abs(np.mean(scores)) < 0.03
    with (
        pytest.warns(UserWarning, match="by construction")
        if isinstance(measure, MeanCCA | MeanSquaredCCA)
        else config_context()
    ):
        wide = CalibratedSimilarity(measure, random_state=0).fit(
            X, rng.normal(size=(60, 55))
        )
    assert abs(wide.score_) < 0.2
    assert wide.statistic_ > 0.25


def test_new_rows_keep_the_fitted_map():
    rng = np.random.default_rng(0)
    W = rng.normal(size=(5, 5))
    X, X_new = rng.normal(size=(2, 80, 5))
    y, y_new = (v @ W + 0.1 * rng.normal(size=(80, 5)) for v in (X, X_new))
    calibrated = CalibratedSimilarity(MeanCCA(), random_state=0).fit(X, y)
    plain = MeanCCA().fit(X, y)
    score = plain.score(X_new, y_new)
    assert calibrated.score(X_new, y_new) == pytest.approx(score, abs=0.02)
    # correlations of fitted variates have mean 0 by chance, so that little is corrected
    unrelated = calibrated.score(X_new, rng.normal(size=(80, 5)))
    assert abs(unrelated) < 0.15


def test_pipeline_grid_and_cross_validation(data):
    X, y = data
    pipeline = make_pipeline(PCA(5), CalibratedSimilarity(CKA()))
    direct = CalibratedSimilarity(CKA()).fit(PCA(5).fit_transform(X), y)
    assert pipeline.fit(X, y).score(X, y) == pytest.approx(direct.score_)
    grid = GridSearchCV(
        CalibratedSimilarity(CKA()), {"measure__kernel": ["linear", "rbf"]}, cv=3
    ).fit(X, y)
    assert grid.best_params_["measure__kernel"] in ("linear", "rbf")
    assert np.isfinite(grid.cv_results_["mean_test_score"]).all()
    scores = cross_val_score(CalibratedSimilarity(CKA()), X, y, cv=3)
    assert scores.shape == (3,)
    copy = pickle.loads(pickle.dumps(grid.best_estimator_))
    assert copy.score_ == grid.best_estimator_.score_


def test_metadata_reaches_the_measure(data):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 2, size=(2, 60, 1)).astype(float)
    y_true = rng.integers(0, 2, size=60)
    calibrated = CalibratedSimilarity(LabelledShare(), random_state=0)
    direct = clone(calibrated).fit(X, y, y_true=y_true).score_
    with pytest.raises(ValueError, match="y_true"):
        clone(calibrated).fit(X, y)
    with config_context(enable_metadata_routing=True):
        routed = clone(calibrated).fit(X, y, y_true=y_true)
        assert routed.score_ == direct
        assert routed.score(X, y, y_true=y_true) == pytest.approx(direct)
        scores = cross_val_score(
            calibrated, X, y, params={"y_true": y_true}, cv=3, error_score="raise"
        )
    assert np.isfinite(scores).all()


def test_groups_change_places_as_blocks():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 5)
    X, y = (
        rng.normal(size=(12, 4))[groups] + 0.1 * rng.normal(size=(60, 4))
        for _ in range(2)
    )
    free = CalibratedSimilarity(CKA()).fit(X, y)
    blocks = CalibratedSimilarity(CKA(), random_state=0).fit(X, y, groups=groups)
    expected = similarity_test(
        CKA(), X, y, groups=groups, n_permutations=199, random_state=0
    )
    assert blocks.score_ == pytest.approx(expected.calibrated_score)
    assert blocks.null_mean_ > free.null_mean_ + 0.05
    assert blocks.score(X, y, groups=groups) == pytest.approx(blocks.score_)


@pytest.mark.parametrize(
    ("measure", "options", "message"),
    [
        (Covariance(), {}, "no best score"),
        (MeanCCA(), {"null": "exact"}, "closed form"),
        (CKA(), {"null": "exact", "permute": "blocks"}, "closed form.*groups"),
        (CKA(), {"null": "sometimes"}, "null"),
        ("CKA", {}, "measure"),
        (PCA(), {}, "measure"),
    ],
)
def test_refusals(measure, options, message, data):
    with pytest.raises(ValueError, match=message):
        CalibratedSimilarity(measure, **options).fit(*data)


def test_labels(data):
    rng = np.random.default_rng(0)
    a = rng.integers(0, 3, size=200)
    b = np.where(rng.random(200) < 0.5, a, rng.integers(0, 3, size=200))
    calibrated = CalibratedSimilarity(Disagreement(), random_state=0).fit(a, b)
    p = np.bincount(a) / 200 @ (np.bincount(b) / 200)
    # chance-corrected agreement is Cohen's kappa
    kappa = (np.mean(a == b) - p) / (1 - p)
    assert calibrated.score_ == pytest.approx(kappa, abs=0.02)


@pytest.mark.parametrize("namespace", ["torch", "array_api_strict"])
@pytest.mark.parametrize("measure", [CKA(), MeanCCA()], ids=repr)
def test_other_array_libraries(namespace, measure, data):
    xp = pytest.importorskip(namespace)
    calibrated = CalibratedSimilarity(measure, n_permutations=9, random_state=0)
    usual = clone(calibrated).fit(*data)
    with config_context(array_api_dispatch=True):
        X, y = (xp.asarray(a) for a in data)
        there = calibrated.fit(X, y)
        assert there.score(X, y) == pytest.approx(usual.score(*data))
    assert there.score_ == pytest.approx(usual.score_)
