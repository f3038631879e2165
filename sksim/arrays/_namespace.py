"""Array-API helpers: the one module that knows about namespaces and devices.

Kernels receive the namespace as ``xp`` and stay within the array-API standard.
What the standard lacks is written here once, by the fastest means that each
namespace offers.
"""

import math
from functools import cache

import array_api_compat
import numpy as np
import scipy.linalg
import scipy.stats
from sklearn.utils._array_api import _convert_to_numpy as to_numpy
from sklearn.utils._array_api import (
    _is_numpy_namespace as is_numpy,
)
from sklearn.utils._array_api import (
    get_namespace_and_device,
    move_to,
)

from sksim.arrays._slices import slices

try:
    from sklearn.utils._array_api import check_same_namespace
except ImportError:  # scikit-learn < 1.9

    def check_same_namespace(X, estimator, *, attribute, method):
        """Raise if ``X`` lives elsewhere than the estimator's fitted attribute."""
        fitted_xp, _, fitted_device = get_namespace_and_device(
            getattr(estimator, attribute)
        )
        xp, _, device = get_namespace_and_device(X)
        both_numpy = is_numpy(xp) and is_numpy(fitted_xp)
        if not both_numpy and (xp != fitted_xp or device != fitted_device):
            raise ValueError(
                f"Inputs passed to {type(estimator).__name__}.{method}() must use the "
                f"same namespace and the same device as those passed to fit(): got "
                f"{xp.__name__} on {device}, fitted with {fitted_xp.__name__} on "
                f"{fitted_device}."
            )


__all__ = [
    "anywhere",
    "as_float64",
    "as_scalar",
    "average_ranks",
    "cholesky_upper",
    "column_inner",
    "column_sum_of_squares",
    "count_unequal",
    "device_of",
    "encode",
    "get_namespace_and_device",
    "has_gradients",
    "in_double",
    "inner",
    "is_numpy",
    "joint_counts",
    "move_to",
    "namespace_of",
    "nonnegative",
    "number",
    "right_solve_triangular",
    "root",
    "root_above",
    "row_blocks_of",
    "row_inner",
    "row_norms",
    "row_slices",
    "row_sum_of_squares",
    "row_sums",
    "smallest",
    "take",
    "to_numpy",
    "triangular_factor",
    "triangular_inverse",
    "vote_counts",
    "with_gradient",
    "without_gradients",
    "xlogx_row_sums",
    "zeros",
]


def device_of(array):
    """Device of an array, or None for plain numpy."""
    return get_namespace_and_device(array)[2]


def namespace_of(array):
    """Namespace of a fitted array, also when dispatch has been switched off since."""
    if isinstance(array, np.ndarray):
        return get_namespace_and_device(array)[0]
    return array_api_compat.array_namespace(array)


def as_float64(array, *, xp):
    """``array`` in double precision (the array itself if it is already)."""
    return xp.astype(array, xp.float64, copy=False)


def number(value):
    """Python float of a 0-d array, without its gradients."""
    return float(value.detach() if hasattr(value, "detach") else value)


def as_scalar(value, *, xp):
    """A Python float on numpy; elsewhere the 0-d array, which keeps its gradients."""
    return float(value) if is_numpy(xp) else value


def has_gradients(array):
    """Whether what is computed of an array is recorded, to be differentiated."""
    return getattr(array, "requires_grad", False)


def with_gradient(function, gradient, array):
    """A function of an array to a number, which is told what its gradient is.

    Both are called without gradients; the second only where it is asked for.
    """
    return _torch_function().apply(function, gradient, array)


@cache
def _torch_function():
    from torch.autograd import Function

    class Told(Function):
        @staticmethod
        def forward(ctx, function, gradient, array):
            ctx.gradient = gradient
            ctx.save_for_backward(array)
            return function(array.detach())

        @staticmethod
        def backward(ctx, slope):
            (array,) = ctx.saved_tensors
            gradient = as_float64(ctx.gradient(array), xp=namespace_of(array)) * slope
            return None, None, gradient.to(array.dtype)

    return Told


def without_gradients(array):
    """The same numbers, of which no gradients are known."""
    return array.detach() if has_gradients(array) else array


def root_above(rounding, value):
    """Square root of a number or a 0-d array, with the gradient 0 up to rounding.

    There the root has a kink, whose slope is any number up to that beside it.
    """
    if not has_gradients(value) or number(value) > number(rounding):
        return root(value)
    return root(nonnegative(without_gradients(value))) + 0.0 * value


def root(value):
    """Square root of a number or of an array, which keeps its gradients."""
    if isinstance(value, np.generic):
        value = np.float64(value)
    return value**0.5


def nonnegative(value):
    """A number or an array with 0 in place of negative values; nan stays."""
    if isinstance(value, np.generic | float | int):
        return max(float(value), 0.0)
    xp = namespace_of(value)
    return xp.where(value < 0, xp.zeros_like(value), value)


def in_double(value, *, xp):
    """A number or an array in double precision, with its gradients."""
    if isinstance(value, np.generic | float | int):
        return float(value)
    return as_float64(value, xp=xp)


def anywhere(condition):
    """Whether a condition holds, or one of an array of conditions."""
    if isinstance(condition, bool | np.bool_):
        return bool(condition)
    return bool(namespace_of(condition).any(condition))


def zeros(shape, *, like, xp):
    """Zeros of an array's precision, where that array lives."""
    return xp.zeros(shape, dtype=like.dtype, device=device_of(like))


def inner(a, b, *, xp):
    """Sum of the elementwise product of two arrays of one shape, as a 0-d array."""
    if is_numpy(xp):
        if a.ndim == 2 and (a.dtype != np.float64 or not _both_by_rows(a, b)):
            # row by row: one long sum in single precision is off in the fifth digit
            return np.einsum("ij,ij->i", a, b).sum()
        return np.vdot(a, b)
    return xp.sum(a * b)


def _both_by_rows(a, b):
    return a.flags.c_contiguous and b.flags.c_contiguous


def column_inner(a, b, *, xp):
    """Inner product of each column of ``a`` with that of ``b``."""
    if is_numpy(xp):
        return np.einsum("ij,ij->j", a, b)
    return xp.sum(a * b, axis=0)


def row_inner(a, b, *, xp):
    """Inner product of each row of ``a`` with that of ``b``."""
    if is_numpy(xp):
        return np.einsum("ij,ij->i", a, b)
    return xp.sum(a * b, axis=1)


def column_sum_of_squares(X, *, xp):
    """Sum of squares of each column, without a temporary of X's size on numpy."""
    if is_numpy(xp):
        return np.einsum("ij,ij->j", X, X)
    return xp.sum(X * X, axis=0)


def count_unequal(a, b, *, xp, times=None):
    """Number of places at which two vectors differ; any kind of label on numpy.

    On numpy each place may count a number of ``times``.
    """
    return int(xp.count_nonzero(a != b) if times is None else times @ (a != b))


def encode(labels, *, xp):
    """(codes, classes): labels as places in the sorted array of distinct labels."""
    if is_numpy(xp):
        if labels.dtype.kind in "iu" and labels.size:
            return _encode_integers(labels)
        classes, codes = np.unique(labels, return_inverse=True)
        return codes, classes
    classes, codes = xp.unique_inverse(labels)
    return codes, classes


def _encode_integers(labels):
    """`encode` without sorting, where integers have no large gaps."""
    lowest, highest = labels.min(), labels.max()
    if int(highest) - int(lowest) > labels.size:
        classes, codes = np.unique(labels, return_inverse=True)
        return codes, classes
    # modulo 2^64, so that labels of any integer type come out right
    places = np.subtract(labels, lowest, dtype=np.intp, casting="unsafe")
    is_seen = np.bincount(places) > 0
    classes = labels.dtype.type(lowest) + np.flatnonzero(is_seen).astype(labels.dtype)
    return (np.cumsum(is_seen) - 1)[places], classes


def joint_counts(a, b, n_classes, *, xp, times=None):
    """Numpy matrix whose entry (i, j) counts the rows with code i in a and j in b.

    On numpy each row may count a number of ``times``.
    """
    if is_numpy(xp):
        counts = np.bincount(a * n_classes + b, times, minlength=n_classes**2)
        # sums of weights are floats, and exact below 2^53
        return counts.astype(np.int64).reshape(n_classes, n_classes)
    indicators = [vote_counts([codes], n_classes, xp=xp) for codes in (a, b)]
    return to_numpy(indicators[0].T @ indicators[1], xp=xp)


def vote_counts(codes, n_classes, *, xp):
    """How many of several code vectors name each class, for each row."""
    if is_numpy(xp):
        rows = np.arange(len(codes[0]))
        counts = np.zeros((len(rows), n_classes))
        for votes in codes:
            counts[rows, votes] += 1
        return counts
    classes = xp.arange(n_classes, dtype=codes[0].dtype, device=device_of(codes[0]))
    return sum(
        xp.astype(votes[:, None] == classes[None, :], xp.float64) for votes in codes
    )


def row_blocks_of(X):
    """Slices of rows that hold few enough entries to stay in the cache."""
    # only numpy's loops are cheaper than the memory they save
    return row_slices(*X.shape, n_entries=2**15 if isinstance(X, np.ndarray) else 2**24)


def row_slices(n_rows, width, n_entries=2**15):
    """Slices of rows of a given width that stay in the cache together."""
    size = max(1, n_entries // max(1, width))
    return slices(n_rows, size)


def xlogx_row_sums(P, *, xp):
    """Sum of p log p over each row of non-negative entries, with 0 log 0 = 0."""
    if is_numpy(xp):
        # 0 times the logarithm of the smallest number is 0
        logarithms = np.maximum(P, np.finfo(P.dtype).smallest_subnormal)
        np.log(logarithms, out=logarithms)
        logarithms *= P
        return row_sums(logarithms, xp=xp)
    logarithms = xp.log(xp.where(P > 0, P, xp.ones_like(P)))
    return row_sums(P * logarithms, xp=xp)


def row_norms(X, p, *, xp):
    """p-norm of each row, or of whatever lies along the last axis."""
    if X.shape[-1] == 1:
        return xp.abs(X[..., 0])
    if p == 1:
        return row_sums(xp.abs(X), xp=xp)
    if p == 2:
        return xp.sqrt(row_sums(X * X, xp=xp))
    if p == math.inf:
        return xp.max(xp.abs(X), axis=-1)
    return row_sums(xp.abs(X) ** p, xp=xp) ** (1 / p)


def row_sums(X, *, xp):
    """Sum of each row, or of whatever lies along the last axis."""
    if is_numpy(xp) and X.dtype == np.float64:
        # numpy's own sum is slow along short rows, but the safer one in float32
        return X @ np.ones(X.shape[-1])
    return xp.sum(X, axis=-1)


def row_sum_of_squares(X, *, xp):
    """Sum of squares of each row, without a temporary of X's size on numpy."""
    if is_numpy(xp):
        return np.einsum("ij,ij->i", X, X)
    return xp.sum(X * X, axis=1)


def smallest(X, count, *, xp):
    """The smallest entries of each row, ascending."""
    if is_numpy(xp):
        return np.sort(np.partition(X, count - 1, axis=1)[:, :count], axis=1)
    if hasattr(xp, "topk"):  # torch, ten times faster
        return xp.topk(X, count, dim=1, largest=False).values
    return xp.sort(X, axis=1)[:, :count]


def take(array, order, *, xp, axis=0):
    """``array`` with its rows (or columns) picked in the given order."""
    return xp.take(array, order, axis=axis)


def average_ranks(X, *, xp):
    """Ranks from 1 in each column; ties get the mean of their ranks."""
    if is_numpy(xp):
        return scipy.stats.rankdata(X, axis=0)
    columns = []
    for i in range(X.shape[1]):
        column = X[:, i]
        ordered = xp.sort(column)
        below = xp.searchsorted(ordered, column, side="left")
        up_to = xp.searchsorted(ordered, column, side="right")
        columns.append(xp.astype(below + up_to + 1, xp.float64) / 2)
    return xp.stack(columns, axis=1)


def cholesky_upper(gram, *, xp):
    """Upper Cholesky factor R with R'R = gram, or None if gram is not definite."""
    try:
        if is_numpy(xp):
            return scipy.linalg.cholesky(gram, lower=False, check_finite=False)
        return xp.linalg.cholesky(gram, upper=True)
    except (np.linalg.LinAlgError, RuntimeError):  # torch's error is a RuntimeError
        return None


def right_solve_triangular(X, R, *, xp):
    """``X @ inv(R)`` for an upper triangular R."""
    if is_numpy(xp):
        solution = scipy.linalg.solve_triangular(
            R, X.T, trans="T", lower=False, check_finite=False
        )
        return solution.T
    if hasattr(xp.linalg, "solve_triangular"):
        return xp.linalg.solve_triangular(R, X, upper=True, left=False)
    return X @ xp.linalg.inv(R)


def triangular_inverse(R, *, xp):
    """Inverse of an upper triangular matrix of full rank."""
    if is_numpy(xp):
        (trtri,) = scipy.linalg.get_lapack_funcs(("trtri",), (R,))
        return trtri(R)[0]
    return xp.linalg.inv(R)


def triangular_factor(X, *, xp):
    """Triangular factor of the thin QR decomposition of X, without its basis."""
    if is_numpy(xp):
        # scipy's LAPACK keeps single precision fast, where numpy's does not
        return scipy.linalg.qr(X, mode="r", check_finite=False)[0][: min(X.shape)]
    return xp.linalg.qr(X, mode="reduced")[1]
