"""One view for several replicates of the same rows: what they have in common."""

import numpy as np
from sklearn.base import clone

from sksim.base._tags import tags_of


class NoMean(ValueError):
    """There is no mean of what a measure compares."""


POOLS = ("auto", "dissimilarities", "aligned", "rows")


def pool_for(measure, pool="auto"):
    """How replicates are pooled for a measure.

    Parameters
    ----------
    measure : BaseSimilarity
    pool : str or callable, default="auto"
        One of `POOLS`, or a function of a list of arrays. "auto": what the measure says
        itself (``_pool``), means of aligned rows where any rotation of the columns is
        the same to it, and means of rows elsewhere.

    Returns
    -------
    pool : object
        With ``name``, ``measure``, which compares its pools, ``is_bound``,
        ``inputs(arrays)`` and ``means(inputs, members)``.
    """
    tags = tags_of(measure)
    if callable(pool):
        return _Called(measure, pool)
    own = getattr(measure, "_pool", None)
    if pool == "auto" and own is not None:
        return own()
    _refuse_without_means(measure, tags)
    if pool == "auto":
        is_rotated = "OT" in tags.invariances_y and tags.inputs == "representation"
        pool = "aligned" if is_rotated and not tags.precomputed else "rows"
    if pool == "rows":
        return _Rows(measure)
    if pool == "aligned":
        _refuse_unalignable(measure, tags)
        return _Aligned(measure)
    if own is None:
        raise ValueError(
            f"pool='dissimilarities' is for RSA, and {type(measure).__name__} compares "
            "no lists of dissimilarities. Use pool='auto'."
        )
    return own()


def _refuse_without_means(measure, tags):
    name = type(measure).__name__
    if tags.inputs in ("models", "labels"):
        raise NoMean(
            f"{name} compares {tags.inputs}, of which there is no mean. Pass a "
            "function of the list of all replicates as pool, such as a vote."
        )
    if not tags.paired:
        raise NoMean(
            f"{name} compares the representations as wholes (paired=False), so that "
            "there is no mean of their rows. Use a measure with paired=True."
        )


def _refuse_unalignable(measure, tags):
    if tags.inputs != "representation" or tags.precomputed:
        raise ValueError(
            f"pool='aligned' rotates representations, and {type(measure).__name__} "
            "compares none. Use pool='rows'."
        )


class _Pool:
    """Replicates as they are, compared by the measure itself."""

    is_bound = False

    def __init__(self, measure):
        self.measure = clone(measure)

    def inputs(self, arrays):
        """What the replicates enter the comparison as."""
        return arrays

    def means(self, inputs, members):
        """Pool of the replicates of each list of their numbers."""
        return [self._mean([inputs[i] for i in some]) for some in members]


class _Rows(_Pool):
    """Means of rows: columns of all replicates are the same."""

    name = "rows"

    def _mean(self, arrays):
        shapes = [array.shape for array in arrays]
        if len(set(shapes)) > 1:
            raise NoMean(
                f"The replicates have {sorted({s[-1] for s in shapes})} columns, and "
                "pool='rows' takes column j of all to be the same. Use "
                "pool='aligned', or pass a function of the list of replicates."
            )
        if any(array.dtype.kind != "f" for array in arrays):
            raise NoMean(
                f"The replicates hold {arrays[0].dtype} values, of which there is no "
                "mean. Pass numbers, or a function of the list of replicates as pool."
            )
        return np.mean(arrays, axis=0)


class _Aligned(_Pool):
    """Procrustes means: columns of each replicate may be rotated."""

    name = "aligned"

    def _mean(self, arrays):
        from sksim.compose import ShapeSpace  # which imports this package

        known = tags_of(self.measure).invariances_y
        space = ShapeSpace(center="TR" in known, scale="IS" in known)
        return space.fit(arrays).mean_


class _Called(_Pool):
    """A function of the list of replicates."""

    name = "function"

    def __init__(self, measure, function):
        super().__init__(measure)
        self._mean = function
