"""Work for several processes, or for a cluster."""

import warnings
from contextlib import contextmanager
from functools import wraps

from joblib.parallel import get_active_backend

from sksim._sklearn_compat import get_threadpool_controller


def on_one_blas_thread(function):
    """Decorator of a loop of small products: none of them goes to several threads.

    On a busy machine threads wait for each other: 99 permutations of linear CKA at
    2000 x 256 took 25 CPU seconds on two threads of two cores, and .6 on one.
    """

    @wraps(function)
    def limited(*args, **kwargs):
        with get_threadpool_controller().limit(limits=1, user_api="blas"):
            return function(*args, **kwargs)

    return limited


@contextmanager
def shared_by_jobs(value):
    """Let all jobs that are given ``value`` as an argument share one copy of it.

    Other backends of joblib see to that themselves. To a Dask cluster joblib sends
    arguments with every job, or scatters them, in which case they are lost with the
    worker that holds them. As the outcome of a task of its own the value is sent once,
    passed on between workers, and made again if a worker is lost.

    Parameters
    ----------
    value : object
        The same object must be passed to each job, as an argument by itself.
    """
    backend, _ = get_active_backend()
    futures = getattr(backend, "data_futures", None)
    if futures is None:
        yield
        return
    with warnings.catch_warnings():
        # Dask warns of tasks that hold much, where it could be sent many times
        warnings.filterwarnings("ignore", message="Sending large graph")
        futures[id(value)] = backend.client.submit(_itself, value, pure=False)
    try:
        yield
    finally:
        del futures[id(value)]


def _itself(value):
    return value
