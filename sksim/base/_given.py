"""Given matrices: how the rows of one representation relate, measured elsewhere.

With ``kernel="precomputed"`` or ``metric="precomputed"`` X and y are no rows of
features but square matrices of all pairs of rows, or scipy's condensed vectors of them.
Measures that take them set the tag ``precomputed``, and name what the matrices hold by
one of the words of `KINDS` in the tag ``requires``.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import squareform
from sklearn.utils.validation import check_array

from sksim.arrays._namespace import (
    device_of,
    get_namespace_and_device,
    is_numpy,
    number,
    row_slices,
)
from sksim.arrays._pairs import n_pairs, n_rows_of_pairs, square

# Entries of the blocks in which a matrix is held against its transpose.
_BLOCK_ENTRIES = 2**18


@dataclass(frozen=True)
class GivenKind:
    """What given matrices hold, and so what they must be.

    Attributes
    ----------
    argument : {"kernel", "metric"}
        The parameter that is "precomputed".
    what : str
        What an entry is, in words.
    has_diagonal : bool
        Whether the diagonal is compared, so that a condensed vector, which has none,
        tells too little.
    zero_diagonal : bool or None
        Whether the diagonal must be zero. None: it need not, and where it is zero but
        for rounding it becomes so.
    range : tuple of float
        Smallest and largest entry.
    missing : bool
        Whether pairs may be missing (nan).
    """

    argument: str
    what: str
    has_diagonal: bool = False
    zero_diagonal: bool | None = True
    range: tuple = (0, math.inf)
    missing: bool = False


_ANY = (-math.inf, math.inf)
KINDS = {
    "given_kernels": GivenKind("kernel", "kernel", True, False, _ANY),
    "given_similarities": GivenKind("kernel", "kernel", False, False, _ANY),
    "given_distances": GivenKind("metric", "distance"),
    "given_cosine_distances": GivenKind("metric", "cosine distance", range=(0, 2)),
    "given_dissimilarities": GivenKind(
        "metric", "dissimilarity", range=_ANY, missing=True
    ),
    "given_matrices": GivenKind("metric", "entry", zero_diagonal=None, range=_ANY),
}


def given_kind(tags):
    """Kind of the matrices that a measure with these tags takes."""
    found = [KINDS[word] for word in tags.requires if word in KINDS]
    return found[0] if found else KINDS["given_matrices"]


def rounding_of_given(dtype, *, xp):
    """How far entries that should be equal may differ, relative to the largest.

    The root of the precision: a distance near 0 that was computed as the difference of
    large squared norms is off by so much, in one triangle otherwise than in the other.
    """
    return float(xp.finfo(dtype).eps) ** 0.5


def check_given(measure, array, name, kind, *, dtypes, min_samples=1):
    """Square symmetric matrix of what was given, or a ValueError that says why not.

    Rounding is undone: triangles that differ by it are averaged, and a diagonal or
    entries that should be 0 become so. Otherwise the matrix is what was given, not a
    copy of it unless it is stored column by column.

    Parameters
    ----------
    measure : BaseSimilarity
    array : array-like of shape (n_samples, n_samples) or (n_pairs,)
    name : str
        The argument's name, for messages.
    kind : GivenKind
    dtypes : list
    min_samples : int, default=1
        Fewest rows.

    Returns
    -------
    matrix : array of shape (n_samples, n_samples)
    """
    array = check_array(
        array,
        dtype=dtypes,
        order="C",  # tables of pandas 3 are in another, which sums in another order
        ensure_2d=False,
        ensure_all_finite="allow-nan" if kind.missing else True,
        input_name=name,
        estimator=measure,
    )
    xp = get_namespace_and_device(array)[0]
    if array.ndim == 1:
        matrix = _squared(array, name, kind, xp=xp)
    else:
        matrix = array
        _refuse_rectangle(matrix, name, kind)
    if matrix.shape[0] < min_samples:
        raise ValueError(
            f"{name} relates {matrix.shape[0]} row(s) to each other (Found array with "
            f"{matrix.shape[0]} sample(s)), while a minimum of {min_samples} is "
            f"required by {type(measure).__name__}."
        )
    size = _largest_magnitude(matrix, kind, xp=xp)
    tolerance = rounding_of_given(matrix.dtype, xp=xp) * size
    if array.ndim == 2:
        matrix = _symmetric(matrix, tolerance, name, kind, xp=xp)
        matrix = _with_its_diagonal(matrix, tolerance, name, kind, xp=xp)
    return _in_range(matrix, tolerance, name, kind, xp=xp)


def _refuse_rectangle(matrix, name, kind):
    n_rows, n_columns = matrix.shape
    if n_rows != n_columns:
        raise ValueError(
            f"{name} has {n_rows} rows and {n_columns} columns, shape "
            f"({n_rows}, {n_columns}): with {kind.argument}='precomputed' it must be a "
            f"square matrix with the {kind.what} of each row with each other, or the "
            f"condensed vector of it. {_BY_SPLITTERS}"
        )


_BY_SPLITTERS = (
    "cross_val_score and other splitters cut the rows of a given matrix and not its "
    "columns, so that they can't be used here: "
    "similarity_interval(method='subsample') cuts both."
)


def _squared(values, name, kind, *, xp):
    """Square matrix of a condensed vector."""
    n_entries = values.shape[0]
    n = n_rows_of_pairs(values)
    if n_pairs(n) != n_entries:
        raise ValueError(
            f"{name} is a vector (1D) of {n_entries} entries, which is no number of "
            f"pairs n (n - 1) / 2: for {n} rows it would be {n_pairs(n)}. Pass the "
            f"condensed vector of all pairs, as scipy.spatial.distance.pdist returns "
            f"it, or the square matrix. {_BY_SPLITTERS}"
        )
    if kind.has_diagonal:
        raise ValueError(
            f"{name} is a condensed vector, which has no diagonal, and here the kernel "
            "of each row with itself counts. Pass the square matrix, or leave the "
            "diagonal out, as CKA and HSIC do with debias='rows'."
        )
    return square(values, xp=xp)


def _largest_magnitude(matrix, kind, *, xp):
    if kind.missing:
        matrix = xp.where(xp.isnan(matrix), xp.zeros_like(matrix), matrix)
    return max(number(xp.max(matrix)), -number(xp.min(matrix)))


def _symmetric(matrix, tolerance, name, kind, *, xp):
    """The same matrix if it is symmetric, with rounding averaged."""
    is_exact = True
    for b in row_slices(matrix.shape[0], matrix.shape[0], n_entries=_BLOCK_ENTRIES):
        # the part from the diagonal on
        block, mirrored = matrix[b, b.start :], matrix[b.start :, b].T
        difference = xp.abs(block - mirrored)
        if kind.missing:
            lacks, lacks_there = xp.isnan(block), xp.isnan(mirrored)
            difference = xp.where(
                lacks | lacks_there, xp.zeros_like(difference), difference
            )
            difference = xp.where(
                lacks != lacks_there, xp.full_like(difference, xp.inf), difference
            )
        largest = number(xp.max(difference))
        if largest > tolerance:
            place = int(xp.argmax(xp.reshape(difference, (-1,))))
            i, j = divmod(place, difference.shape[1])
            _refuse_asymmetry(matrix, i + b.start, j + b.start, name, kind)
        is_exact = is_exact and largest == 0
    return matrix if is_exact else (matrix + matrix.T) / 2


def _refuse_asymmetry(matrix, i, j, name, kind):
    raise ValueError(
        f"{name} is not symmetric: the {kind.what} of rows {i} and {j} is "
        f"{number(matrix[i, j]):.6g}, that of rows {j} and {i} "
        f"{number(matrix[j, i]):.6g}. With {kind.argument}='precomputed' both must be "
        f"the same up to rounding. Pass ({name} + {name}.T) / 2 if both estimate the "
        "same number, or the matrix itself if these are its features."
    )


def _with_its_diagonal(matrix, tolerance, name, kind, *, xp):
    """The same matrix, with a diagonal of rounding errors as zeros."""
    if kind.zero_diagonal is False:
        return matrix
    diagonal = xp.linalg.diagonal(matrix)
    found = xp.abs(diagonal)
    if kind.missing:
        found = xp.where(xp.isnan(found), xp.zeros_like(found), found)
    if number(xp.max(found)) > tolerance:
        if kind.zero_diagonal is None:
            return matrix
        place = int(xp.argmax(found))
        raise ValueError(
            f"The diagonal of {name} is not zero: the {kind.what} of row {place} from "
            f"itself is {number(diagonal[place]):.6g}. With metric='precomputed' "
            f"{name} must hold distances, not similarities. Turn similarities s into "
            "distances, such as 1 - s, or take a measure with kernel='precomputed'."
        )
    if not bool(xp.any(diagonal != 0)):  # nan is no 0
        return matrix
    if is_numpy(xp):
        matrix = matrix.copy()
        np.fill_diagonal(matrix, 0)
        return matrix
    index = xp.arange(matrix.shape[0], device=device_of(matrix))
    own = index[:, None] == index[None, :]
    return xp.where(own, xp.zeros_like(matrix), matrix)


def _in_range(matrix, tolerance, name, kind, *, xp):
    """The same matrix, with rounding past its range undone."""
    low, high = kind.range
    if math.isinf(low):
        return matrix
    smallest, largest = number(xp.min(matrix)), number(xp.max(matrix))
    if smallest < low - tolerance:
        raise ValueError(
            f"{name} has negative entries, down to {smallest:.6g}: with "
            f"metric='precomputed' it must hold distances, not similarities. Turn "
            "similarities s into distances, such as 1 - s."
        )
    if largest > high + tolerance:
        raise ValueError(
            f"{name} has entries of up to {largest:.6g}: a {kind.what} is 1 minus a "
            f"cosine, and at most {high}. Pass 1 - s for cosines (or weights up to 1) "
            "s; other distances d are not of this kind."
        )
    return xp.clip(matrix, low, None) if smallest < low else matrix


def check_pairs(pairs, n_samples):
    """Square mask, on numpy, of the pairs of rows that count.

    Parameters
    ----------
    pairs : array-like of bool
        Square or condensed.
    n_samples : int
    """
    mask = np.asarray(pairs)
    if mask.dtype != bool:
        raise ValueError(
            f"pairs must be a mask of booleans, True for the pairs of rows that count, "
            f"got entries of type {mask.dtype}. Compare to get one, for example "
            "runs[:, None] != runs."
        )
    wanted = (n_samples, n_samples), (n_pairs(n_samples),)
    if mask.shape not in wanted:
        raise ValueError(
            f"pairs has the shape {mask.shape}, but X has {n_samples} rows: it must be "
            f"a square mask of shape {wanted[0]} or a condensed one of shape "
            f"{wanted[1]}."
        )
    if mask.ndim == 1:
        return squareform(mask, checks=False)
    if not np.array_equal(mask, mask.T):
        i, j = np.argwhere(mask != mask.T)[0]
        raise ValueError(
            f"pairs is not symmetric: rows {i} and {j} count, and rows {j} and {i} "
            "don't, or the reverse. Pass pairs & pairs.T, or pairs | pairs.T."
        )
    return mask
