"""Work for several processes, or for a cluster."""

import warnings
from contextlib import contextmanager

from joblib.parallel import get_active_backend


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
