"""Cross-validated distances of conditions that were measured in several runs."""

import warnings
from itertools import combinations

import numpy as np
from scipy.spatial.distance import squareform
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.utils import check_array

from sksim._sklearn_compat import StrOptions, validate_params
from sksim._typing import ArrayLike
from sksim.base._readable import is_text
from sksim.base._row_names import refuse_other_rows
from sksim.base._validation import check_doubles, check_groups


@validate_params(
    {
        "X": ["array-like"],
        "conditions": ["array-like"],
        "runs": ["array-like"],
        "noise_precision": ["array-like", StrOptions({"shrinkage"}), None],
    },
    prefer_skip_nested_validation=True,
)
def crossnobis_distances(
    X: ArrayLike,
    conditions: ArrayLike,
    runs: ArrayLike,
    *,
    noise_precision: ArrayLike | str | None = None,
) -> np.ndarray:
    r"""Squared distances of conditions, cross-validated over runs.

    The mean over ordered pairs of different runs r and s of the product of both runs'
    differences between two conditions, divided by the number of columns D:

    .. math:: d_{ij} = \frac{1}{D} \operatorname{mean}_{r \ne s}
        (\bar{x}_{ir} - \bar{x}_{jr})^\top P \, (\bar{x}_{is} - \bar{x}_{js})

    with the mean :math:`\bar{x}_{ir}` of the rows of condition i in run r. Noise that
    is independent between runs has no part in its expectation: conditions that do not
    differ have distances of mean 0, and so about half of their estimates are negative.
    A distance of means of all rows is larger by the variance of their noise.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Measured patterns, such as one row for each trial and one column for each voxel.
    conditions : array-like of shape (n_samples,)
        Condition of each row: numbers or text.
    runs : array-like of shape (n_samples,)
        Run of each row, or another part of the measurement whose noise is its own.
    noise_precision : array-like or "shrinkage", default=None
        P, the inverse of the covariance of the columns' noise, of shape (n_features,
        n_features), or of shape (n_features,) for its diagonal. "shrinkage": that of
        what rows differ from the mean of their condition and run, shrunk by Ledoit and
        Wolf's rule, for designs in which conditions are repeated within runs; of more
        columns than rows no matrix of columns by columns is made. None: the identity.

    Returns
    -------
    distances : ndarray of shape (n_pairs,)
        Of all pairs of conditions, as scipy's condensed vectors have them, with the
        conditions in the order of ``numpy.unique(conditions)``. For
        ``RSA(metric="precomputed")``, which takes distances of any sign, and leaves out
        those that are nan.

    Raises
    ------
    ValueError
        If there are fewer than two runs or conditions, if no two conditions share two
        runs, if noise is to be estimated of rows without repetitions, or if a precision
        is not symmetric, of another size, or negative on its diagonal.

    Warns
    -----
    UserWarning
        If pairs of conditions share fewer than two runs, with their number: their
        distances are nan.

    See Also
    --------
    RSA : Compares such distances with those of a model.

    Notes
    -----
    Runs need not have the same conditions: a pair's distance is the mean over the pairs
    of runs that have both. Within a run the rows of a condition are averaged first, and
    all runs count alike, however many rows they have. With as many rows in each run
    this is the distance by leaving one run out.

    The rows of a model that is compared must be in the order of the conditions here.
    Costs O(R^2 k^2 D) of R runs and k conditions.

    References
    ----------
    A. Walther, H. Nili, N. Ejaz, A. Alink, N. Kriegeskorte, J. Diedrichsen. Reliability
    of dissimilarity measures for multi-voxel pattern analysis. NeuroImage, 2016.

    O. Ledoit, M. Wolf. A well-conditioned estimator for large-dimensional covariance
    matrices. Journal of Multivariate Analysis, 2004.

    Examples
    --------
    Three conditions, of which two do not differ, in eight runs of two rows each:

    >>> import numpy as np
    >>> from sksim.rsm import crossnobis_distances
    >>> rng = np.random.default_rng(0)
    >>> patterns = rng.normal(size=(2, 500))[[0, 0, 1]]
    >>> conditions = np.tile(["face", "mask", "tool"], 16)
    >>> X = np.tile(patterns, (16, 1)) + rng.normal(size=(48, 500))
    >>> runs = np.repeat(np.arange(8), 6)
    >>> crossnobis_distances(X, conditions, runs).round(1) + 0
    array([0. , 2. , 1.9])
    """
    refuse_other_rows(X=X, conditions=conditions, runs=runs)
    X = check_doubles(X, "X")
    names, places = check_groups(conditions, len(X), name="conditions")
    names_of_runs, runs = check_groups(runs, len(X), name="runs")
    for name, values in (("conditions", names), ("runs", names_of_runs)):
        if len(values) < 2:
            raise ValueError(
                f"{name} has {len(values)} value, and a cross-validated distance needs "
                f"two {name} at the least."
            )
    cells = runs * len(names) + places
    means, is_there = _means(X, cells, (len(names_of_runs), len(names)))
    whiten = _whitening(noise_precision, X, cells)
    total = counts = 0
    for r, s in combinations(range(len(means)), 2):
        products = means[r] @ whiten(means[s]).T
        own = np.diagonal(products)
        products = own[:, None] + own - products - products.T
        in_both = is_there[r] & is_there[s]
        is_shared = in_both[:, None] & in_both
        total = total + np.where(is_shared, products, 0)
        counts = counts + is_shared
    counts = squareform(counts, checks=False)
    _refuse_unshared(counts)
    with np.errstate(invalid="ignore"):
        return squareform(total, checks=False) / (counts * X.shape[1])


def _means(X, cells, shape):
    """Mean of each condition in each run, and which conditions a run has.

    What all conditions of a run have in common is taken out: no difference has it, and
    sums of what is left keep their digits.
    """
    counts = np.bincount(cells, minlength=shape[0] * shape[1])
    means = np.zeros((len(counts), X.shape[1]))
    means[counts > 0] = _means_of_cells(X, cells)
    means, counts = means.reshape(*shape, -1), counts.reshape(shape)
    is_there = counts > 0
    shares = is_there / is_there.sum(axis=1, keepdims=True)
    return means - np.einsum("rk,rkd->rd", shares, means)[:, None], is_there


def _means_of_cells(X, cells):
    """Means of rows of one number, in ascending order of these."""
    order = np.argsort(cells, kind="stable")
    starts = np.unique(cells[order], return_index=True)[1]
    sizes = np.diff(np.append(starts, len(cells)))
    return np.add.reduceat(X[order], starts, axis=0) / sizes[:, None]


def _refuse_unshared(counts):
    """Raise or warn where pairs of conditions have no two runs in common."""
    n_lacking = int(np.sum(counts == 0))
    if n_lacking == len(counts):
        raise ValueError(
            "No two conditions were measured together in two runs, so that no distance "
            "can be cross-validated. Check conditions and runs, or merge runs."
        )
    if n_lacking:
        warnings.warn(
            f"{n_lacking} of {len(counts)} pairs of conditions share fewer than two "
            "runs, so that their distances are nan.",
            UserWarning,
            stacklevel=3,
        )


# ----- the noise of the columns -----------------------------------------------------


def _whitening(noise_precision, X, cells):
    """Function that multiplies rows by the precision of the noise."""
    if noise_precision is None:
        return lambda rows: rows
    if is_text(noise_precision):
        return _by_shrinkage(X, cells)
    precision = _check_precision(noise_precision, X.shape[1])
    if precision.ndim == 1:
        return lambda rows: rows * precision
    return lambda rows: rows @ precision


def _by_shrinkage(X, cells):
    """The same of what rows differ from the mean of their condition and run."""
    number_of_cell = np.unique(cells, return_inverse=True)[1]
    residuals = X - _means_of_cells(X, cells)[number_of_cell]
    # a row that is alone is its own mean, and tells nothing of noise
    residuals = residuals[np.bincount(number_of_cell)[number_of_cell] > 1]
    n_free = len(X) - number_of_cell.max() - 1
    n_columns = X.shape[1]
    variance = np.sum(residuals**2) / (max(n_free, 1) * n_columns)
    if n_free < 2 or variance <= np.finfo(float).eps ** 2 * np.mean(X**2):
        raise ValueError(
            f"The {len(X)} rows are in {len(X) - n_free} cells of one condition and "
            "run, and differ too little within these to tell of noise: "
            "noise_precision='shrinkage' takes designs with repetitions. Pass the "
            "precision of other residuals, or noise_precision=None."
        )
    share = ledoit_wolf_shrinkage(residuals, assume_centered=True)
    floor, weight = share * variance, (1 - share) / n_free
    if n_columns <= len(residuals):
        covariance = weight * (residuals.T @ residuals)
        covariance[np.diag_indices(n_columns)] += floor
        return lambda rows: np.linalg.solve(covariance, rows.T).T
    # the inverse by that of a matrix of rows by rows
    inner = residuals @ residuals.T * (weight / floor)
    inner[np.diag_indices(len(inner))] += 1

    def whiten(rows):
        explained = np.linalg.solve(inner, residuals @ rows.T)
        return (rows - (weight / floor) * (residuals.T @ explained).T) / floor

    return whiten


def _check_precision(precision, n_columns):
    """Precision as a symmetric matrix, or as its diagonal."""
    precision = check_array(
        precision, dtype=np.float64, ensure_2d=False, input_name="noise_precision"
    )
    if precision.shape not in ((n_columns, n_columns), (n_columns,)):
        raise ValueError(
            f"noise_precision has the shape {precision.shape}, but X has {n_columns} "
            f"columns: it must be of shape {(n_columns, n_columns)}, or of shape "
            f"{(n_columns,)} for its diagonal."
        )
    if precision.ndim == 2:
        asymmetry = np.abs(precision - precision.T)
        if asymmetry.max() > 1e-8 * np.abs(precision).max():
            i, j = np.unravel_index(np.argmax(asymmetry), asymmetry.shape)
            raise ValueError(
                f"noise_precision is not symmetric: its entry of columns {i} and {j} "
                f"is {precision[i, j]:.6g}, that of {j} and {i} {precision[j, i]:.6g}. "
                "Pass (P + P.T) / 2 if both estimate the same number."
            )
        precision = (precision + precision.T) / 2
    own = precision if precision.ndim == 1 else np.diagonal(precision)
    if not own.min() > 0:
        raise ValueError(
            f"noise_precision is {own.min():.6g} for column {np.argmin(own)}: the "
            "inverse of a covariance is positive on its diagonal. Drop columns that "
            "are not to count."
        )
    return precision
