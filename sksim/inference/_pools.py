"""One view for several replicates of the same rows: what they have in common."""

import numpy as np
from sklearn.base import clone

from sksim.base._tags import tags_of


class NoMean(ValueError):
    """There is no mean of what a measure compares."""


POOLS = ("auto", "dissimilarities", "kernels", "aligned", "rows")
# The mean of aligned rows has been found once it moves by less than this share of its
# norm, by which scores change in the eighth digit, or after so many rounds: a mean of
# replicates of little noise turns slowly, and no score follows it beyond the fourth.
_TOLERANCE = 1e-6
_MOST_ROUNDS = 200
# Multiplications for all means of aligned rows, of which a round takes 20 d^3 for each
# replicate of d columns, and a start ten rounds or so: all replicates are starts up to
# twenty of 100 columns, and one of twenty of 300, which takes 52 s of one core.
_MOST_WORK = 2e12


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
    own = getattr(measure, "_pool", lambda: None)()
    if own is not None and pool in ("auto", own.name):
        return own
    _refuse_without_means(measure, tags)
    if pool == "auto":
        is_rotated = "OT" in tags.invariances_y and tags.inputs == "representation"
        pool = "aligned" if is_rotated and not tags.precomputed else "rows"
    if pool == "rows":
        return _Rows(measure)
    if pool == "aligned":
        _refuse_unalignable(measure, tags)
        return _Aligned(measure)
    of = {"dissimilarities": "RSA", "kernels": "CKA"}[pool]
    raise ValueError(
        f"pool={pool!r} is for {of}, and {type(measure).__name__} compares no {pool}. "
        "Use pool='auto'."
    )


def _refuse_without_means(measure, tags):
    name = type(measure).__name__
    if tags.inputs in ("models", "labels"):
        raise NoMean(
            f"{name} compares {tags.inputs}, of which there is no mean. Pass a "
            "function of the list of all replicates as pool, such as a vote."
        )
    if getattr(measure, "debias", None) == "both":
        raise NoMean(
            f"{name} with debias='both' takes columns for a sample of many, which "
            "those of a mean are not. Use debias='rows', or pass a function as pool."
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

    def means(self, inputs, members):
        """Pool of the replicates of each list of their numbers.

        The minimisation is not convex: it starts from each of them, and the best mean
        counts, as in :class:`sksim.compose.ShapeSpace`; from fewer where that is dear.
        """
        stack = self._stack(inputs)
        work = sum(map(len, members)) * 200 * stack.shape[2] ** 3
        n_starts = max(1, int(_MOST_WORK / work))
        means = []
        for some in members:
            part = stack[some]
            found = (_mean_from(start, part) for start in part[:n_starts])
            means.append(min(found, key=lambda each: each[1])[0])
        return means

    def _stack(self, arrays):
        """One array of all, centred and scaled if the measure does not see that."""
        known = tags_of(self.measure).invariances_y
        arrays = [np.asarray(array, dtype=float) for array in arrays]
        if "TR" in known:
            arrays = [array - array.mean(axis=0) for array in arrays]
        if "IS" in known:
            # constant ones have been refused by the measure
            arrays = [array / np.linalg.norm(array) for array in arrays]
        arrays = [_not_wide(array) for array in arrays]
        width = max(array.shape[1] for array in arrays)
        stack = np.zeros((len(arrays), len(arrays[0]), width))
        for place, array in zip(stack, arrays, strict=True):
            place[:, : array.shape[1]] = array
        return stack


def _mean_from(mean, stack):
    """Mean of representations, each rotated as near to it as it can be, from a start.

    Returns
    -------
    mean : array of shape (n_samples, n_features)
    distance : float
        Mean squared distance of the representations before the last round.
    """
    distance = np.inf
    for _ in range(_MOST_ROUNDS):
        U, _, Vt = np.linalg.svd(np.swapaxes(stack, 1, 2) @ mean)
        aligned = stack @ (U @ Vt)
        distance = float(np.mean(np.sum((aligned - mean) ** 2, axis=(1, 2))))
        moved = np.mean(aligned, axis=0)
        step, mean = np.linalg.norm(moved - mean), moved
        if step <= _TOLERANCE * np.linalg.norm(mean):
            break
    return mean, distance


def _not_wide(array):
    """The same rows rotated into no more columns than there are rows."""
    if array.shape[1] <= array.shape[0]:
        return array
    U, s, _ = np.linalg.svd(array, full_matrices=False)
    return U * s


class _Called(_Pool):
    """A function of the list of replicates."""

    name = "function"

    def __init__(self, measure, function):
        super().__init__(measure)
        self._mean = function
