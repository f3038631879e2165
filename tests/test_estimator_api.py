"""Measures inside scikit-learn's own tools."""

import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_score,
    permutation_test_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksim import all_measures
from sksim.alignment import OrthogonalProcrustes
from sksim.cca import SVCCA, MeanCCA
from sksim.rsm import CKA


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 6))
    y = X @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    return X, y + 0.2 * rng.normal(size=y.shape)


def test_a_pipeline_transforms_only_x(pair):
    X, y = pair
    pipeline = make_pipeline(StandardScaler(), PCA(3), CKA()).fit(X, y)
    reduced = pipeline[:-1].transform(X)
    assert_allclose(pipeline.score(X, y), CKA().fit(reduced, y).score_)


def test_an_alignment_is_a_step_of_a_pipeline(pair):
    X, y = pair

    class Residual(BaseEstimator):
        def fit(self, X, y):
            self.residual_ = np.linalg.norm(X - y) / np.linalg.norm(y)
            return self

    pipeline = make_pipeline(OrthogonalProcrustes(), Residual()).fit(X, y)
    assert pipeline[-1].residual_ < 0.3
    assert np.linalg.norm(X - y) / np.linalg.norm(y) > 0.9


def test_cross_validation_scores_held_out_rows(pair):
    X, y = pair
    scores = cross_val_score(OrthogonalProcrustes(), X, y, cv=KFold(4))
    assert scores.shape == (4,)
    train, test = next(KFold(4).split(X))
    first = OrthogonalProcrustes().fit(X[train], y[train]).score(X[test], y[test])
    assert_allclose(scores[0], first)


def test_grid_search_prefers_the_greater_similarity(pair):
    X, y = pair
    y = y + 100 * np.random.default_rng(1).normal(size=(120, 1))  # one noisy direction
    search = GridSearchCV(
        make_pipeline(StandardScaler(), SVCCA()),
        {"svcca__variance": [0.5, 0.9, 1.0]},
        cv=3,
    ).fit(X, y)
    means = search.cv_results_["mean_test_score"]
    assert search.best_score_ == means.max()
    assert means.max() > means.min()


def test_permutation_test_score_of_scikit_learn(pair):
    X, y = pair
    score, null, pvalue = permutation_test_score(
        CKA(), X, y, cv=3, n_permutations=19, random_state=0
    )
    assert pvalue == 1 / 20
    assert score > null.max()


def test_set_output(pair):
    X, y = pair
    for container, kind in (("pandas", pd.DataFrame), ("polars", None)):
        if kind is None:
            kind = pytest.importorskip("polars").DataFrame
        for measure in (OrthogonalProcrustes(), MeanCCA()):
            measure.set_output(transform=container)
            mapped = measure.fit(X, y).transform(X)
            assert isinstance(mapped, kind)
            assert list(mapped.columns) == list(measure.get_feature_names_out())


@pytest.mark.parametrize("measure", [CKA(), MeanCCA(), OrthogonalProcrustes()])
def test_fitted_measures_survive_pickle_and_joblib(measure, pair, tmp_path):
    X, y = pair
    measure = clone(measure).fit(X, y)
    joblib.dump(measure, tmp_path / "measure.joblib")
    for restored in (
        pickle.loads(pickle.dumps(measure)),
        joblib.load(tmp_path / "measure.joblib"),
    ):
        assert restored.score_ == measure.score_
        if hasattr(measure, "transform"):
            assert_allclose(restored.transform(X), measure.transform(X))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib_workers_agree(pair, backend):
    X, y = pair
    jobs = [joblib.delayed(_score)(CKA(), X, y) for _ in range(4)]
    scores = joblib.Parallel(n_jobs=2, backend=backend)(jobs)
    assert set(scores) == {CKA().fit(X, y).score_}


def _score(measure, X, y):
    return measure.fit(X, y).score_


def test_a_fitted_map_holds_no_rows(pair):
    X, y = np.random.default_rng(0).normal(size=(2, 20000, 3))
    for measure in (OrthogonalProcrustes(), MeanCCA(), CKA()):
        assert len(pickle.dumps(measure.fit(X, y))) < 20_000


def test_maps_stay_usable_outside_of_the_dispatch_context(pair):
    torch = pytest.importorskip("torch")
    X, y = pair
    with config_context(array_api_dispatch=True):
        measure = MeanCCA().fit(torch.asarray(X), torch.asarray(y))
    rotations = MeanCCA().fit(X, y).x_rotations_
    assert_allclose(measure.x_rotations_.numpy(), rotations, atol=1e-10)


def test_other_namespace_is_refused_by_transform(pair):
    torch = pytest.importorskip("torch")
    X, y = pair
    with config_context(array_api_dispatch=True):
        measure = OrthogonalProcrustes().fit(torch.asarray(X), torch.asarray(y))
        with pytest.raises(ValueError, match="same namespace"):
            measure.transform(X)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_computed_in_single(pair, dtype):
    torch = pytest.importorskip("torch")
    X, y = (torch.asarray(array).to(getattr(torch, dtype)) for array in pair)
    with config_context(array_api_dispatch=True):
        measure = OrthogonalProcrustes().fit(X, y)
        assert measure.transform(X).dtype == torch.float32
        exact = OrthogonalProcrustes().fit(X.double(), y.double())
    assert_allclose(measure.statistic_, exact.statistic_, rtol=1e-5)


def test_all_measures_filters():
    names = [name for name, _ in all_measures()]
    assert names == sorted(names)
    assert {"CKA", "MeanCCA", "Disagreement"} <= set(names)
    assert "CKA" not in dict(all_measures(family="cca"))
    assert set(dict(all_measures(metric=True))) <= set(
        dict(all_measures(orientation="distance"))
    )
    assert "MeanCCA" in dict(all_measures(invariances="ILT"))
    assert "CKA" not in dict(all_measures(invariances={"ILT", "OT"}))
    both = dict(all_measures(family=["cca", "rsm"]))
    assert {"CKA", "MeanCCA"} <= set(both)
    with pytest.raises(ValueError, match="unknown filter 'colour'"):
        all_measures(colour="red")


def test_parameters_are_checked_on_fit(pair):
    with pytest.raises(ValueError, match="'debias' parameter of CKA must be"):
        CKA(debias="columns").fit(*pair)
    with pytest.raises(ValueError, match="'variance' parameter of SVCCA must be"):
        SVCCA(variance=1.5).fit(*pair)


def test_new_rows_must_have_the_widths_of_fit(pair):
    X, y = pair
    measure = CKA().fit(X, y)
    with pytest.raises(ValueError, match="X has 5 features, but CKA is expecting 6"):
        measure.score(X[:, :5], y)
    with pytest.raises(ValueError, match="y has 5 features, but CKA was fitted with 6"):
        measure.score(X, y[:, :5])


def test_import_is_light():
    """No optional dependency is imported before it is needed."""
    program = (
        "import sys, sksim, sksim.cca, sksim.rsm, sksim.alignment, sksim.functional\n"
        "sksim.all_measures()\n"
        "heavy = {'torch', 'matplotlib', 'jinja2', 'gudhi', 'ot', 'networkx', 'dask',"
        " 'cupy', 'pytest'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert outcome.stdout.strip() == "[]", outcome.stdout


@pytest.mark.parametrize(
    ("value", "score"), [(1 + 4e-16, 1), (-1 - 4e-16, -1), (1.01, 1.01)]
)
def test_scores_of_new_rows_are_rounded_into_their_bounds(pair, value, score):
    class Constant(MeanCCA):
        def _aggregate(self, correlations, xp):
            return value

    assert Constant().fit(*pair).score(*pair) == score
