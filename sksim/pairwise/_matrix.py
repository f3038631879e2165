"""One measure on all pairs of layers, or of models."""

import itertools

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel, delayed

from sksim._parallel import on_one_blas_thread, shared_by_jobs
from sksim._progress import ProgressBar
from sksim._sklearn_compat import StrOptions, validate_params
from sksim._typing import ArrayLike, Layers, Measure, Metadata
from sksim.base._layers import named_errors, open_layers
from sksim.base._tags import tags_of
from sksim.base._validation import row_metadata
from sksim.discovery import check_measure


@validate_params(
    {
        "metadata": [dict, None],
        "output": [StrOptions({"score", "statistic"})],
        "n_jobs": [int, None],
        "verbose": ["verbose"],
    },
    prefer_skip_nested_validation=True,
)
def similarity_matrix(
    measure: Measure,
    Xs: Layers,
    Ys: Layers | None = None,
    *,
    y_true: ArrayLike | None = None,
    metadata: Metadata | None = None,
    data: ArrayLike | None = None,
    output: str = "score",
    n_jobs: int | None = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Compare all layers with all layers, or all models with all models.

    Each layer is validated once and viewed once; what remains for a pair is only the
    measure's comparison of two views.

    Parameters
    ----------
    measure : estimator, class or str
        The measure; it is cloned, not fitted.
    Xs : dict of str to array, or list of arrays
        The layers, each of shape (n_samples, n_features_of_the_layer) with the same
        rows in the same order; label vectors or probabilities for functional
        measures, models (or layers of models, such as
        :func:`sksim.functional.stitching_layers` names) for measures of models. Arrays
        may be memory-mapped.
    Ys : dict or list, default=None
        The layers that those of Xs are compared with; None compares Xs with itself.
    y_true : array-like of shape (n_samples,), default=None
        True labels, for measures that use them.
    metadata : dict, default=None
        More that is known of the rows and that the measure uses, by name.
    data : array-like of shape (n_samples, n_features), default=None
        Rows that models are applied to, for measures of models that do so.
    output : {"score", "statistic"}, default="score"
        Scores, of which greater means more similar for every measure, or the
        measure's native numbers (distances stay positive).
    n_jobs : int, default=None
        Number of parallel jobs.
    verbose : int, default=0
        Whether to show progress on standard error.

    Returns
    -------
    matrix : DataFrame of shape (n_layers, n_layers_y)
        Row i, column j: Xs[i] against Ys[j]. ``matrix.attrs`` says which measure it is
        and what a large number means. A diagonal of a matrix of one set with itself
        is computed, not assumed.

    Raises
    ------
    ValueError
        If a layer is not valid; the message names the layer.

    Warns
    -----
    UserWarning
        Once, if pairs are degenerate: with the first pair's reason and their number.

    See Also
    --------
    compare : Many measures on one pair.
    sksim.plot.SimilarityMatrixDisplay : The matrix as a picture.

    Notes
    -----
    A symmetric measure on one set of layers is computed for one half of the pairs. The
    order of summation, and with it the last digit, depends on how many layers are
    compared at once.

    Memory holds the views of all layers, which are about as large as the layers (of
    measures of neighbours far smaller, of measures of n x n matrices n^2 / 2 or n^2
    numbers each), and up to half as much again while pairs are compared, or a buffer
    of 60 MB where many pairs become one product: at 20 layers of 2000 x 512, 164 MB of
    data, 214 MB in all for mean CCA, 203 for Procrustes, 387 for RSA, 20 for
    neighbours. Linear CKA reads memory-mapped layers where they are and takes only the
    buffer.

    Examples
    --------
    >>> import numpy as np
    >>> from sksim.pairwise import similarity_matrix
    >>> from sksim.rsm import CKA
    >>> rng = np.random.default_rng(0)
    >>> first = rng.normal(size=(50, 4))
    >>> second = np.tanh(first @ rng.normal(size=(4, 8)))
    >>> similarity_matrix(CKA(), {"first": first, "second": second}).round(2)
            first  second
    first    1.00    0.87
    second   0.87    1.00
    """
    measure = check_measure(measure)
    known = row_metadata(metadata, y_true=y_true, data=data)
    layers = open_layers(measure, Xs, Ys, n_jobs=n_jobs, **known)
    values = statistics_of(layers, n_jobs=n_jobs, verbose=verbose)
    names_x, names_y = layers.names_x, layers.names_y
    tags = tags_of(measure)
    if output == "score":
        values = tags.orient(values) + 0.0  # a score of -0.0 reads badly
    matrix = pd.DataFrame(values, index=names_x, columns=names_y)
    matrix.attrs = {
        "measure": repr(measure),
        "output": output,
        "orientation": "similarity" if output == "score" else tags.orientation,
        "is_negated_distance": output == "score" and tags.orientation == "distance",
    }
    return matrix


def statistics_of(layers, *, n_jobs=None, verbose=0):
    """Statistics of all pairs of layers, in the bounds of the measure.

    Parameters
    ----------
    layers : sksim.base._layers.Layers
    n_jobs : int, default=None
    verbose : int, default=0

    Returns
    -------
    statistics : array of shape (n_layers_x, n_layers_y)
    """
    grid = layers.grid
    values = _compare_strips(grid, n_jobs=n_jobs, verbose=verbose)
    for i, j in np.ndindex(values.shape):
        with named_errors(layers.names_x[i], layers.names_y[j]):
            values[i, j] = grid.measure._as_number(values[i, j], grid.tags)
    return values


def _compare_strips(grid, *, n_jobs, verbose):
    """Statistics of all pairs, cut into strips of rows for workers and progress."""
    n_x, n_y = len(grid.views_x), len(grid.views_y)
    bounds = np.linspace(0, n_x, _number_of_strips(grid, n_jobs, verbose) + 1).astype(
        int
    )
    strips = list(itertools.pairwise(bounds))
    tasks = (delayed(_strip)(grid, start, stop) for start, stop in strips)
    values = np.full((n_x, n_y), np.nan)
    workers = Parallel(n_jobs=n_jobs, return_as="generator")
    label = type(grid.owner).__name__
    bar = ProgressBar(len(strips), label, enabled=verbose > 0)
    with bar, shared_by_jobs(grid):
        for (start, stop), part in zip(strips, workers(tasks), strict=True):
            values[start:stop, n_y - part.shape[1] :] = part
            bar.step()
    if grid.views_x is grid.views_y:
        lower = np.tril_indices(n_x, k=-1)
        values[lower] = values.T[lower]
    return values


def _number_of_strips(grid, n_jobs, verbose):
    """One strip where a measure compares many pairs at once, else one for each row."""
    n_x = len(grid.views_x)
    if grid.at_once:
        return min(n_x, effective_n_jobs(n_jobs))
    return n_x if verbose or effective_n_jobs(n_jobs) > 1 else 1


@on_one_blas_thread
def _strip(grid, start, stop):
    return grid.strip(start, stop).values()
