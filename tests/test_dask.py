"""Dask arrays, and joblib's Dask backend, on a real cluster of two processes."""

import os
import pickle
import signal
import subprocess
import sys
import time

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.neural_network import MLPClassifier
from sklearn.utils import get_tags

from sksim import all_measures
from sksim.base import BaseSimilarity
from sksim.functional import Disagreement
from sksim.inference import (
    similarity_interval,
    similarity_matrix_test,
    similarity_test,
)
from sksim.models import extract_outputs, extract_representations
from sksim.neighbors import NeighborJaccard
from sksim.pairwise import similarity_matrix
from sksim.rsm import CKA, RSA, MinibatchCKA

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

STREAMING = [cls() for _, cls in all_measures(streaming=True, inputs="representation")]


def views(n_samples=200, widths=(5, 4)):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, widths[0])) + 3
    y = X @ rng.normal(size=widths) + rng.normal(size=(n_samples, widths[1]))
    return X, y


# ----- arrays -------------------------------------------------------------------------


@pytest.mark.parametrize("measure", STREAMING, ids=repr)
@pytest.mark.parametrize(
    "chunks",
    [(200, 200), (70, 70), (64, (13, 0, 87, 100)), ((50, 150), 31)],
    ids=["one", "equal", "empty", "unequal"],
)
def test_fit_of_dask_arrays(measure, chunks):
    """Rows may be cut in any way, differently in X and y, and across columns."""
    X, y = views()
    expected = measure.fit(X, y)
    parts = (
        da.from_array(array, chunks=(sizes, 3))
        for array, sizes in zip((X, y), chunks, strict=True)
    )
    with dask.config.set(scheduler="synchronous"):
        fitted = type(measure)().fit(*parts)
    assert_allclose(fitted.statistic_, expected.statistic_, rtol=1e-9)
    assert fitted.n_samples_fit_ == 200
    assert fitted.n_features_y_in_ == 4
    if hasattr(fitted, "transform"):
        assert_allclose(fitted.transform(X), expected.transform(X), atol=1e-9)


def test_batches_within_chunks():
    X, y = views()
    measure = MinibatchCKA(batch_size=20, random_state=0)
    parts = [
        clone(measure).fit(X[rows], y[rows]) for rows in (slice(120), slice(120, 200))
    ]
    expected = parts[0].merge(parts[1])
    with dask.config.set(scheduler="synchronous"):
        fitted = measure.fit(*(da.from_array(v, chunks=(120, -1)) for v in (X, y)))
    assert fitted.n_batches_ == 10
    assert fitted.score_ == expected.score_


def test_a_column_of_dask():
    X, y = views()
    parts = da.from_array(X, chunks=64), da.from_array(y[:, 0], chunks=50)
    with dask.config.set(scheduler="synchronous"):
        value = CKA().fit(*parts).score_
    assert_allclose(value, CKA().fit(X, y[:, 0]).score_, rtol=1e-12)


def test_dask_arrays_that_are_refused():
    X, y = (da.from_array(array, chunks=64) for array in views())
    with pytest.raises(ValueError, match=r"X is a Dask Array.*compute\(\).*streaming"):
        NeighborJaccard().fit(X, y)
    with pytest.raises(ValueError, match=r"Dask Array.*\.compute\(\)"):
        similarity_matrix(RSA(), [X, y])
    with pytest.raises(ValueError, match=r"X is a Dask Array.*\.compute\(\)"):
        Disagreement().fit(X[:, 0] > 3, y[:, 0] > 3)
    with pytest.raises(ValueError, match="to fit of a measure that merges chunks"):
        CKA().partial_fit(X, y)
    with pytest.raises(ValueError, match="y is a ndarray.*from_array"):
        CKA().fit(X, views()[1])
    with pytest.raises(ValueError, match="X has 200 rows and y has 150"):
        CKA().fit(X, y[:150])
    with pytest.raises(ValueError, match="X has 3 dimensions"):
        CKA().fit(X[:, :, None], y)
    with pytest.raises(ValueError, match="unknown size.*X.compute_chunk_sizes"):
        CKA().fit(X[X[:, 0] > 3], y)
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match="X contains NaN"),
    ):
        CKA().fit(da.where(X > 5, np.nan, X), y)
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match="X is constant"),
    ):
        CKA().fit(0 * X, y)


def test_dask_is_not_imported_unasked():
    code = (
        "import sys, numpy as np; from sksim.rsm import CKA;"
        "X = np.eye(5); CKA().fit(X, X); CKA().partial_fit(X, X);"
        "assert 'dask' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ----- a cluster ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        client.wait_for_workers(2)
        yield client


class Results(distributed.SchedulerPlugin):
    """Size of each task's result."""

    def __init__(self):
        self.sizes = {}

    def transition(self, key, start, finish, *args, **kwargs):
        if start == "processing" and finish == "memory":
            self.sizes[str(key)] = kwargs["nbytes"]


class KillOne(distributed.SchedulerPlugin):
    """Kill the worker that first returns a task of a kind, by SIGKILL."""

    def __init__(self, kind, pids):
        self.kind, self.pids, self.killed = kind, pids, None

    def transition(self, key, start, finish, *args, **kwargs):
        is_one = self.kind in str(key) and (start, finish) == ("processing", "memory")
        if is_one and self.killed is None:
            self.killed = self.pids[kwargs["worker"]]
            os.kill(self.killed, signal.SIGKILL)


class watched:
    """Context in which a plugin watches the scheduler."""

    def __init__(self, cluster, plugin):
        self.scheduler, self.plugin = cluster.scheduler, plugin

    def __enter__(self):
        self.scheduler.add_plugin(self.plugin, name="watch")
        return self.plugin

    def __exit__(self, *exc_info):
        self.scheduler.remove_plugin("watch")


def _count_what_measures_hold():
    from dask.sizeof import sizeof

    sizeof.register(BaseSimilarity, lambda measure: len(pickle.dumps(measure)))


def _rows_of_file(path, low, high):
    return np.load(path, mmap_mode="r")[low:high]


def _array_of_file(path, rows):
    """Dask array of a .npy file, whose tasks name the file and the rows."""
    file = np.load(path, mmap_mode="r")
    read = dask.delayed(_rows_of_file)
    return da.concatenate(
        [
            da.from_delayed(
                read(path, low, low + rows), (rows, file.shape[1]), file.dtype
            )
            for low in range(0, len(file), rows)
        ]
    )


def test_chunks_are_reduced_where_they_are(cluster, client, tmp_path):
    """No task returns more than a chunk of rows; the graph holds none of a file's."""
    X, y = views(n_samples=8000, widths=(16, 12))
    paths = [str(tmp_path / f"{name}.npy") for name in "Xy"]
    for path, array in zip(paths, (X, y), strict=True):
        np.save(path, array)
    arrays = [_array_of_file(path, rows=500) for path in paths]
    assert sum(len(pickle.dumps(a.__dask_graph__())) for a in arrays) < 30_000
    client.run(_count_what_measures_hold)
    with watched(cluster, Results()) as results:
        fitted = CKA(debias="rows").fit(*arrays)
    expected = CKA(debias="rows").fit(X, y).score_
    assert_allclose(fitted.score_, expected, rtol=1e-11)
    n_reduced = sum("_of_chunk" in key for key in results.sizes)
    n_merged = sum("_merged" in key for key in results.sizes)
    assert (n_reduced, n_merged) == (16, 15)
    assert max(results.sizes.values()) < 1.1 * X[:500].nbytes


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_jobs_on_a_cluster(cluster, client):
    X, y = views(150, (12, 6))
    layers = {"X": X, "y": y, "tanh": np.tanh(y)}
    labels = (X[:, 0] > 3).astype(int)
    network = MLPClassifier((6, 3), solver="lbfgs", max_iter=30, random_state=0)
    network.fit(X, labels)

    def results():
        settings = {"n_permutations": 40, "random_state": 0}
        test = similarity_test(RSA(), X, y, **settings)
        matrix = similarity_matrix_test(CKA(), layers, **settings)
        interval = similarity_interval(
            NeighborJaccard(), X, y, method="jackknife", batch_size=10
        )
        return [
            similarity_matrix(RSA(), layers),
            test.null_distribution,
            matrix.pvalues,
            list(interval.confidence_interval),
            *extract_representations(network, X).values(),
            extract_outputs(network, X)["probabilities"],
        ]

    expected = results()
    with watched(cluster, Results()) as tasks, joblib.parallel_config(backend="dask"):
        found = results()
    # what all jobs need was sent once for each of six calls
    assert sum("_itself" in key for key in tasks.sizes) == 6
    for value, serial in zip(found, expected, strict=True):
        assert_allclose(value, serial, rtol=1e-12)


def _new_worker(client, pids):
    """Wait until a worker has been started in the place of a lost one."""
    for _ in range(300):
        now = set(client.run(os.getpid, on_error="ignore").values())
        if len(now) == 2 and now != pids:
            return
        time.sleep(0.1)
    raise AssertionError("no worker came in the place of the lost one")


def test_a_worker_lost_among_permutations(cluster, client):
    X, y = views(150)
    settings = {"n_permutations": 400, "random_state": 0, "batch_size": 4}
    expected = similarity_test(RSA(), X, y, **settings).null_distribution
    pids = client.run(os.getpid)
    with (
        watched(cluster, KillOne("batch_of", pids)) as plugin,
        joblib.parallel_config(backend="dask"),
    ):
        found = similarity_test(RSA(), X, y, **settings).null_distribution
    assert plugin.killed is not None
    assert_allclose(found, expected, rtol=1e-12)
    _new_worker(client, set(pids.values()))


def test_a_worker_lost_among_chunks(cluster, client):
    X, y = views(n_samples=4000)
    arrays = [da.from_array(array, chunks=(100, -1)) for array in (X, y)]
    pids = client.run(os.getpid)
    with watched(cluster, KillOne("_of_chunk", pids)) as plugin:
        value = CKA().fit(*arrays).score_
    assert plugin.killed is not None
    assert_allclose(value, CKA().fit(X, y).score_, rtol=1e-11)
    _new_worker(client, set(pids.values()))


def test_streaming_measures_were_found():
    names = {type(measure).__name__ for measure in STREAMING}
    assert {"CKA", "OrthogonalProcrustes", "MeanSquaredCCA"} <= names
    assert all(get_tags(m).similarity_tags.streaming for m in STREAMING)
