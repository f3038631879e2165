"""Dask arrays: chunks of rows, each reduced where it is, and merged as a tree.

Dask is imported only where an array of it was passed.
"""

import math
from copy import copy

from sklearn.base import clone

from sksim.base._readable import is_dask
from sksim.base._tags import tags_of


class ChunksMixin:
    """Mixin for measures that are fitted to Dask arrays chunk by chunk."""

    def _fit(self, X, y, **metadata):
        # looked at here, since most arrays have no graph
        is_lazy = any(hasattr(a, "__dask_graph__") and is_dask(a) for a in (X, y))
        if not (is_lazy and tags_of(self).streaming):
            return super()._fit(X, y, **metadata)
        fitted, params = fitted_to_chunks(self, X, y), self.get_params(deep=False)
        vars(self).update({k: v for k, v in vars(fitted).items() if k not in params})
        return self


def fitted_to_chunks(measure, X, y):
    """A clone of a streaming measure, fitted to the chunks of two Dask arrays.

    Every chunk is reduced where it is, by ``partial_fit`` or, where that takes a single
    batch, by ``fit``. What comes of that is merged in pairs: no task returns more than
    a chunk of rows, or one measure.

    Parameters
    ----------
    measure : BaseSimilarity
        With ``partial_fit`` and ``merge``.
    X, y : Dask arrays
    """
    import dask

    reduce, merge = dask.delayed(_of_chunk), dask.delayed(_merged)
    parts = [reduce(measure, *blocks) for blocks in _aligned_chunks(X, y)]
    while len(parts) > 1:
        pairs = [parts[i : i + 2] for i in range(0, len(parts), 2)]
        parts = [merge(*pair) if len(pair) == 2 else pair[0] for pair in pairs]
    fitted = parts[0].compute()
    fitted.score()  # compared here, so that what is wrong with the rows is said here
    return fitted


def _of_chunk(measure, X, y):
    measure = clone(measure)
    # a chunk may have fewer rows than fit takes, which wait for those of others
    is_whole = X.shape[0] >= measure._min_samples()
    if measure._similarity_tags().streaming == "batches" and is_whole:
        return measure.fit(X, y)
    return measure.partial_fit(X, y)


def _merged(measure, other):
    # what a task has returned may be needed again, and stays as it is
    return copy(measure).merge(other)


def _aligned_chunks(X, y):
    """Pairs of delayed chunks that hold the same rows, whole rows each."""
    for name, array in (("X", X), ("y", y)):
        if not (
            is_dask(array) and hasattr(array, "to_delayed") and hasattr(array, "chunks")
        ):
            raise ValueError(
                f"{name} is a {type(array).__name__}, where both X and y must be Dask "
                "arrays if one is. dask.array.from_array makes one of an array, "
                ".to_dask_array(lengths=True) of a Dask DataFrame."
            )
        if any(math.isnan(size) for sizes in array.chunks for size in sizes):
            raise ValueError(
                f"{name} has chunks of unknown size, so that its rows can't be paired. "
                f"Call {name}.compute_chunk_sizes() first."
            )
    if X.ndim == 2 and y.ndim == 1:
        y = y[:, None]
    for name, array in (("X", X), ("y", y)):
        if array.ndim != 2:
            raise ValueError(
                f"{name} has {array.ndim} dimensions: rows must be vectors. Reshape it "
                f"first, for example with {name}.reshape(len({name}), -1)."
            )
    if X.shape[0] != y.shape[0]:
        raise ValueError(
            f"X has {X.shape[0]} rows and y has {y.shape[0]}: both must describe the "
            "same inputs, in the same order."
        )
    X = X.rechunk({1: -1})
    y = y.rechunk({0: X.chunks[0], 1: -1})
    blocks = (array.to_delayed().ravel() for array in (X, y))
    return [pair for size, *pair in zip(X.chunks[0], *blocks, strict=True) if size > 0]
