"""Standard errors and p-values of all cells, from the rows or moments of one pass."""

import pickle
import tracemalloc
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sksim.cca import MeanSquaredCCA
from sksim.inference import (
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.neighbors import NeighborJaccard
from sksim.pairwise import layer_similarity_matrix
from sksim.pairwise._stream import _keeping
from sksim.pairwise._stream._row_store import RowStore
from sksim.rsm import CKA, HSIC, DistanceCorrelation, MinibatchCKA

DEBIASED = CKA(debias="rows")
TABLES = ("standard_error", "z_scores", "pvalues", "log_pvalues")


def layers_at_hand(n_rows=130, seed=0):
    """Narrow and wide layers of one model and of another, some of them related."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 20))
    a = {"narrow": X[:, :8], "wide": X @ rng.normal(size=(20, 150)), "other": X[:, 8:]}
    noise = rng.normal(size=(n_rows, 8))
    b = {"noisy": X[:, :8] + 2 * noise, "apart": rng.normal(size=(n_rows, 170))}
    return a, b


def in_one_pass(measure, a, b=None, *, size=40, **options):
    """Layers that a model computes of the numbers of rows."""
    n_rows = len(next(iter(a.values())))
    batches = np.split(np.arange(n_rows), range(size, n_rows, size))
    models = [
        (lambda rows, layers=layers: {k: v[rows] for k, v in layers.items()})
        for layers in (a, b or a)
    ]
    second = models[1] if b else models[0]
    return layer_similarity_matrix(measure, models[0], second, iter(batches), **options)


@pytest.mark.parametrize(
    "measure",
    [CKA(), DEBIASED, HSIC(debias="rows"), CKA("rbf"), MeanSquaredCCA()],
    ids=repr,
)
def test_rows_give_exact_moments_of_each_cell(measure):
    a, b = layers_at_hand()
    if isinstance(measure, MeanSquaredCCA):
        a.pop("wide"), b.pop("apart")
    result = in_one_pass(measure, a, b, keep="rows")
    compared = 0
    for i, j in np.ndindex(result.scores.shape):
        X, y = list(a.values())[i], list(b.values())[j]
        try:
            test = similarity_test(measure, X, y, method="pearson3")
        except ValueError:  # the gates of a single test are narrower
            continue
        compared += 1
        assert result.z_scores.iloc[i, j] == pytest.approx(test.z_score, rel=1e-8)
        logarithm = result.log_pvalues.iloc[i, j]
        assert logarithm == pytest.approx(test.log_pvalue, rel=1e-7)
    assert compared >= result.scores.size / 2
    assert "pvalues" not in result.missing


@pytest.mark.parametrize("measure", [CKA(), DEBIASED, HSIC(), DistanceCorrelation()])
@pytest.mark.parametrize("n_rows", [30, 130])
def test_standard_errors_are_those_of_intervals(measure, n_rows, tmp_path):
    a, b = layers_at_hand(n_rows)
    results = [
        in_one_pass(measure, a, b, keep=keep) for keep in ("rows", tmp_path / "rows")
    ]
    assert_array_equal(results[0].standard_error, results[1].standard_error)
    for i, x in enumerate(a.values()):
        for j, y in enumerate(b.values()):
            interval = similarity_interval(measure, x, y, method="jackknife")
            error = results[0].standard_error.iloc[i, j]
            assert error == pytest.approx(interval.standard_error, rel=1e-9)


def test_many_pairs_are_left_out_of_at_once():
    """Of so many layers each becomes an n x n matrix once, in strips of rows."""
    rng = np.random.default_rng(0)
    a, b = (
        {str(k): rng.normal(size=(40, 30 + k)) for k in range(count)}
        for count in (9, 12)
    )
    for others in (b, None):
        result = in_one_pass(DEBIASED, a, others, keep="rows")
        for i, j in ((0, 0), (8, 3), (2, 7)):
            pair = [list(a.values())[i], list((others or a).values())[j]]
            interval = similarity_interval(DEBIASED, *pair)
            error = result.standard_error.iloc[i, j]
            assert error == pytest.approx(interval.standard_error, rel=1e-9)


@pytest.mark.parametrize("measure", [CKA(), DEBIASED, HSIC(), HSIC(debias="rows")])
@pytest.mark.parametrize("is_one_set", [False, True])
def test_moments_give_the_same_z_scores(measure, is_one_set):
    a, b = layers_at_hand(400)
    a.pop("wide"), b.pop("apart")
    b = None if is_one_set else b | {"independent": layers_at_hand(400, 1)[0]["narrow"]}
    of_rows, of_moments = (
        in_one_pass(measure, a, b, keep=keep) for keep in ("rows", "moments")
    )
    assert_allclose(of_moments.z_scores, of_rows.z_scores, rtol=1e-9)
    # the third moment is exact up to a share of 1 / n
    assert_allclose(of_moments.log_pvalues, of_rows.log_pvalues, rtol=0.03)
    assert of_moments.standard_error is None
    assert "keep='rows'" in of_moments.missing["standard_error"]


def test_moments_of_other_measures_say_what_is_missing():
    a, b = layers_at_hand()
    for measure in (MeanSquaredCCA(), "OrthogonalProcrustes"):
        few = [{"narrow": a["narrow"]}, {"noisy": b["noisy"]}]
        result = in_one_pass(measure, *few, keep="moments")
        assert [getattr(result, name) for name in TABLES] == [None] * 4
        assert set(result.missing) == {"standard_error", "pvalues"}
        assert "keep='rows'" in result.missing["pvalues"]


@pytest.mark.parametrize("measure", [DEBIASED, NeighborJaccard(n_neighbors=5)])
def test_orders_of_rows_correct_for_the_number_of_cells(measure):
    a, b = layers_at_hand()
    result = in_one_pass(measure, a, b, n_permutations=99, random_state=0)
    assert result.kept == "rows"
    # the seed of the pass draws that of its orders
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    test = similarity_matrix_test(measure, a, b, n_permutations=99, random_state=seed)
    assert_array_equal(result.pvalues_corrected, test.pvalues_corrected)
    if measure is DEBIASED:
        assert result.pvalues.loc["narrow", "noisy"] < 1e-9
        return
    assert_array_equal(result.pvalues, test.pvalues)
    assert_allclose(result.z_scores, test.z_scores, rtol=1e-12)
    without = in_one_pass(measure, a, b)
    assert without.pvalues is None
    assert "n_permutations=999" in without.missing["pvalues"]
    assert "similarity_interval" in without.missing["standard_error"]


def test_orders_of_one_model_count_each_pair_once():
    a, _ = layers_at_hand()
    result = in_one_pass(DEBIASED, a, n_permutations=49, random_state=0)
    corrected = result.pvalues_corrected.to_numpy()
    assert np.isnan(np.diag(corrected)).all()
    assert_array_equal(corrected, corrected.T)
    assert corrected[0, 2] > 0.2 > corrected[0, 1] == 0.02


def test_heavy_rows_have_no_pvalue_but_by_orders():
    rng = np.random.default_rng(0)
    a = {"even": rng.normal(size=(60, 5)), "heavy": rng.standard_cauchy((60, 5))}
    b = {"even": rng.normal(size=(60, 4))}
    for keep in ("rows", "moments"):
        result = in_one_pass(CKA(), a, b, keep=keep)
        assert np.isnan(result.pvalues.to_numpy()).tolist() == [[False], [True]]
        assert np.isfinite(result.z_scores.to_numpy()).all()
        assert "In 1 cells three moments do not" in result.missing["pvalues"]
        assert "n_permutations=999" in result.missing["pvalues"]
    drawn = in_one_pass(CKA(), a, b, n_permutations=99, random_state=0)
    assert np.isfinite(drawn.pvalues.to_numpy()).all()
    assert drawn.pvalues.iloc[0, 0] == result.pvalues.iloc[0, 0] or "pvalues" not in (
        drawn.missing
    )


def test_what_is_too_large_or_too_small_is_said():
    a, b = layers_at_hand()
    a, b = {"wide": a["wide"]}, {"noisy": b["noisy"]}
    result = in_one_pass(DEBIASED, a, b, keep="rows", max_memory=2e5)
    assert result.pvalues is None and result.standard_error is not None
    assert "more than max_memory" in result.missing["pvalues"]
    few = [{k: v[:3] for k, v in side.items()} for side in (a, b)]
    result = in_one_pass(CKA(), *few, keep="rows")
    assert "fewer than 4 rows" in result.missing["standard_error"]
    assert "fewer than 10" in result.missing["pvalues"]
    assert result.pvalues.isna().all(axis=None)


def test_rows_that_depend_on_each_other_have_none():
    rng = np.random.default_rng(0)
    tokens = {"x": rng.normal(size=(50, 6, 4))}
    for way in ("tokens", {"*": "tokens"}):
        result = in_one_pass(DEBIASED, tokens, {"y": tokens["x"]}, reduce=way)
        assert result.n_samples == 300
        assert [getattr(result, name) for name in TABLES] == [None] * 4
        assert "reduce='mean'" in result.missing["standard_error"]
    grams = in_one_pass(
        MinibatchCKA(), tokens, {"y": tokens["x"]}, reduce="tokens", size=10
    )
    assert grams.pvalues is None and grams.standard_error is not None


def test_sketches_say_why():
    a, b = layers_at_hand()
    result = in_one_pass(DEBIASED, a, b, sketch=64)
    assert "noise of sketches" in result.missing["pvalues"]
    assert result.to_dict()["missing"] == result.missing


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["rows", "moments"])
def test_pvalues_of_independent_rows_are_uniform(keep):
    pvalues = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        a, b = ({"x": np.maximum(rng.normal(size=(60, 6)), 0)} for _ in range(2))
        pvalues.append(in_one_pass(DEBIASED, a, b, keep=keep).pvalues.iloc[0, 0])
    assert stats.kstest(pvalues, "uniform").pvalue > 0.01


@pytest.mark.slow
@pytest.mark.parametrize("measure", [CKA(), DEBIASED], ids=repr)
def test_memory_at_the_end_does_not_grow_with_the_rows(measure, tmp_path):
    weights = [np.random.default_rng(w).normal(size=(30, w)) for w in (8, 16, 32, 64)]

    def layers_of(batch):
        return {str(k): np.tanh(batch @ w).astype("f4") for k, w in enumerate(weights)}

    def peak(n_rows):
        batches = (
            np.random.default_rng(k).normal(size=(200, 30))
            for k in range(n_rows // 200)
        )
        folder = tmp_path / f"{n_rows}"
        tracemalloc.start()
        result = layer_similarity_matrix(
            measure, layers_of, lambda batch: layers_of(-batch), batches, keep=folder
        )
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert not result.missing
        return found

    # one layer at a time is read from the disk, of 8 on which the rows take 19 MB
    widest = 20_000 * 64 * 4
    assert peak(20_000) < max(1.2 * peak(2_000), 1.5 * widest)


def test_what_is_not_asked_for_costs_nothing(monkeypatch):
    a, b = layers_at_hand()
    calls = []
    original = _keeping.cells_of

    def counted(*args, **settings):
        calls.append(args)
        return original(*args, **settings)

    monkeypatch.setattr(_keeping, "cells_of", counted)
    result = in_one_pass(DEBIASED, a, b)
    assert "missing" not in repr(result) and not calls
    assert result.scores.shape == (3, 2) and not calls
    frame = result.to_frame()
    assert len(calls) == 1 and np.isfinite(frame["pvalue"]).all()
    again = pickle.loads(pickle.dumps(in_one_pass(DEBIASED, a, b)))
    assert_array_equal(again.to_frame()["standard_error"], frame["standard_error"])
    with pytest.raises(FrozenInstanceError):
        result.pvalues = None


@pytest.mark.parametrize("n_expected", [0, 50, 130, 200])
def test_rows_whose_number_was_known_are_kept_in_one_array(n_expected):
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(size, 3)) for size in (40, 60, 30)]
    store = RowStore(n_expected=n_expected)
    for number, part in enumerate(parts):
        rows = part.astype("f4") if number == 0 else part
        store.update({"x": store.reduced(0, "x", rows)})
        before = store.layers()[0]["x"]
    whole = np.concatenate([parts[0].astype("f4"), *parts[1:]])
    assert_array_equal(before, whole)
    assert_array_equal(store.layers()[0]["x"], whole)
    assert store.nbytes == whole.nbytes
    again = RowStore.from_state(store.state(), n_expected=n_expected)
    again.merge(store)
    assert_array_equal(again.layers()[0]["x"], np.concatenate([whole, whole]))
